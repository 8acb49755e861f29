"""Show which clients are over the limit: over.py LIMIT"""
import collections
import sys

from haproxyadmin import haproxy

if len(sys.argv) != 2:
    sys.exit(__doc__)
limit = int(sys.argv[1])
hap = haproxy.HAProxy(socket_dir='/run/haproxy')
requests = collections.Counter()
for entry in hap.table('clients').entries(where=[('http_req_rate', '>', 0)]):
    requests[entry.key] += entry.data['http_req_rate(600000)']
for client, number in requests.most_common():
    if number > limit:
        print('{0} {1}'.format(client, number))
