"""Run a command while a server is out of rotation: deploy.py BACKEND SERVER COMMAND..."""
import subprocess
import sys

from haproxyadmin import haproxy

if len(sys.argv) < 4:
    sys.exit(__doc__)
backend, name, command = sys.argv[1], sys.argv[2], sys.argv[3:]
hap = haproxy.HAProxy(socket_dir='/run/haproxy')
server = hap.backend(backend).server(name)
with server.out_of_rotation(timeout=60, back_within=30, keep_up=1) as out:
    print('{0} is idle after {1} seconds'.format(name, out.seconds))
    subprocess.check_call(command)
print('{0} is up again'.format(name))
