"""Bring HAProxy in step with the list of blocked addresses: blocklist.py"""
from haproxyadmin import haproxy

FILE = '/etc/haproxy/blocklist.acl'

with open(FILE) as lines:
    wanted = [line.strip() for line in lines if line.strip() and not line.startswith('#')]
hap = haproxy.HAProxy(socket_dir='/run/haproxy')
delta = hap.acl(FILE).sync(wanted)
for address in delta.added:
    print('blocked {0}'.format(address))
for address in delta.removed:
    print('unblocked {0}'.format(address))
