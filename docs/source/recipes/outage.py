"""Run a command when a backend goes down or comes back: outage.py COMMAND..."""
import subprocess
import sys

from haproxyadmin import haproxy

if len(sys.argv) < 2:
    sys.exit(__doc__)
command = sys.argv[1:]
hap = haproxy.HAProxy(socket_dir='/run/haproxy')
for change in hap.watch():
    if change.kind == 'backend' and change.field == 'status' and change.after:
        # If it is down in some processes only, this is 'UP, DOWN'.
        subprocess.call(command + [change.name, change.after])
