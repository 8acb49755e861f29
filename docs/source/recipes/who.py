"""Show which ACLs and maps contain an address: who.py ADDRESS"""
import sys

from haproxyadmin import haproxy

if len(sys.argv) != 2:
    sys.exit(__doc__)
address = sys.argv[1]
hap = haproxy.HAProxy(socket_dir='/run/haproxy')
for one in hap.acls() + hap.maps():
    match = one.lookup(address)
    if match and match.type == 'ip':
        print('{0}: {1} {2}'.format(one.name, match.key, match.value or '').rstrip())
