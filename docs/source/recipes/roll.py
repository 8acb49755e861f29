"""Deploy to all servers of a backend: roll.py BACKEND COMMAND...; adds the server's name."""
import subprocess
import sys

from haproxyadmin import haproxy

if len(sys.argv) < 3:
    sys.exit(__doc__)
backend, command = sys.argv[1], sys.argv[2:]
hap = haproxy.HAProxy(socket_dir='/run/haproxy')
servers = hap.backend(backend).servers()
done = []
try:
    for server in servers:
        with server.out_of_rotation(timeout=60, back_within=30, keep_up=len(servers) - 1):
            subprocess.check_call(command + [server.name])
        done.append(server.name)
        print('{0} is done'.format(server.name))
finally:
    if len(done) < len(servers):
        print('stopped at {0}; done: {1}'.format(
            servers[len(done)].name, ', '.join(done) or 'none'))
