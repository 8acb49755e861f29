"""Move all hosts from one backend to another: switch.py FROM TO"""
import sys

from haproxyadmin import haproxy

if len(sys.argv) != 3:
    sys.exit(__doc__)
old, new = sys.argv[1:]
hap = haproxy.HAProxy(socket_dir='/run/haproxy')
if not hap.backend(new).is_up:
    sys.exit('{0} is not up'.format(new))
hosts = hap.map('/etc/haproxy/hosts.map')
moved = [host for host, backend in hosts.items() if backend == old]
hosts.replace([(host, new if backend == old else backend) for host, backend in hosts.items()])
hosts.save_file()
print('{0} hosts moved from {1} to {2}'.format(len(moved), old, new))
