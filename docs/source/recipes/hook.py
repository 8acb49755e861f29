"""Register or deregister a server: hook.py up|down BACKEND SERVER ADDRESS PORT"""
import sys

from haproxyadmin import exceptions, haproxy


def up(backend, name, address, port):
    """Add the server, or bring back the one that exists."""
    for server in backend.servers(name):
        if (server.address, server.port) == (address, port):
            server.bringback(timeout=30)
            return
        # Another machine had this name. If it cannot be deleted, it stays as it is.
        with server.out_of_rotation(timeout=60, keep_up=0, restore_on_error=True):
            backend.del_server(name, timeout=60)
    server = backend.add_server(
        name, '{0}:{1}'.format(address, port), check=True, inter='1s')
    server.bringback(timeout=30)


def down(backend, name, address, port):
    """Drain and delete the server if it exists; if that fails, it stays in maintenance."""
    for server in backend.servers(name):
        server.takeout(timeout=60)
        backend.del_server(name, timeout=60)


if len(sys.argv) != 6 or sys.argv[1] not in ('up', 'down'):
    sys.exit(__doc__)
action, backend, name, address, port = sys.argv[1:]
hap = haproxy.HAProxy(socket_dir='/run/haproxy')
try:
    {'up': up, 'down': down}[action](hap.backend(backend), name, address, port)
except exceptions.HAProxyBaseError as error:
    sys.exit('{0}: {1}'.format(name, error))
