"""Block addresses for ten minutes: block.py [ADDRESS...]; always unblock those that are due."""
import fcntl
import sys
import time

from haproxyadmin import haproxy

# One at a time: otherwise another run may unblock an address that this one blocks again.
lock = open('/etc/haproxy/blocked.lock', 'w')
fcntl.flock(lock, fcntl.LOCK_EX)
hap = haproxy.HAProxy(socket_dir='/run/haproxy')
blocked = hap.map('/etc/haproxy/blocked.map')
for address in sys.argv[1:]:
    blocked[address] = int(time.time()) + 600
for address, until in list(blocked.items()):
    if until.isdigit() and int(until) <= time.time():
        del blocked[address]
        print('{0} is free'.format(address))
blocked.save_file()
