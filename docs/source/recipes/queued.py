"""Run a command when more than LENGTH requests queue: queued.py BACKEND LENGTH COMMAND..."""
import subprocess
import sys

from haproxyadmin import haproxy

if len(sys.argv) < 4:
    sys.exit(__doc__)
backend, length, command = sys.argv[1], int(sys.argv[2]), sys.argv[3:]
years = 10 ** 9
# Whatever happens to HAProxy, try again.
hap = haproxy.HAProxy(socket_dir='/run/haproxy', retry=0)


def queued(snapshot):
    """Return how many requests wait, for the backend or for one of its servers."""
    found = snapshot.backend(backend)
    return found.metric('qcur') + sum(server.metric('qcur') for server in found.servers())


while True:
    waiting = hap.wait_until(
        lambda snapshot: queued(snapshot) > length and queued(snapshot), timeout=years)
    subprocess.call(command + [backend, str(waiting)])
    # Not again before the queue has been empty.
    hap.wait_until(lambda snapshot: queued(snapshot) == 0, timeout=years)
