"""Let clients in again: forgive.py ADDRESS..."""
import sys

from haproxyadmin import haproxy

if len(sys.argv) < 2:
    sys.exit(__doc__)
hap = haproxy.HAProxy(socket_dir='/run/haproxy')
clients = hap.table('clients')
for address in sys.argv[1:]:
    entries = list(clients.entries(key=address))
    if entries:
        clients.set(address, http_req_rate=0)
    requests = sum(entry.data['http_req_rate(600000)'] for entry in entries)
    print('{0} had sent {1} requests'.format(address, requests))
