"""Print what changes: follow.py [SECONDS]"""
import sys
import time

from haproxyadmin import haproxy

hap = haproxy.HAProxy(socket_dir='/run/haproxy')
seconds = float(sys.argv[1]) if len(sys.argv) > 1 else None
try:
    for change in hap.watch(interval=0.5, timeout=seconds):
        print('{0} {1} {2}: {3} {4} -> {5}'.format(
            time.strftime('%H:%M:%S', time.localtime(change.when)), change.kind, change.name,
            change.field, change.before, change.after))
        sys.stdout.flush()
except KeyboardInterrupt:
    pass
