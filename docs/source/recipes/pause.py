"""Take a server out of rotation for some seconds: pause.py BACKEND SERVER SECONDS"""
import signal
import sys
import time

from haproxyadmin import haproxy


def end(number, frame):
    sys.exit(128 + number)


# Without this, `kill` or a lost connection of ssh would end Python at once.
signal.signal(signal.SIGTERM, end)
signal.signal(signal.SIGHUP, end)

if len(sys.argv) != 4:
    sys.exit(__doc__)
backend, name, seconds = sys.argv[1], sys.argv[2], float(sys.argv[3])
hap = haproxy.HAProxy(socket_dir='/run/haproxy')
server = hap.backend(backend).server(name)
with server.out_of_rotation(timeout=60, back_within=30, keep_up=1, restore_on_error=True):
    print('{0} is out of rotation'.format(name))
    sys.stdout.flush()
    until = time.time() + seconds
    while time.time() < until:
        # Again and again, because a reload puts the server into rotation.
        server.takeout(timeout=60, drain_for=0)
        time.sleep(max(0, min(10, until - time.time())))
