"""Bring the map of hosts in step with a catalog: services.py URL"""
import json
import sys
from urllib.request import urlopen

from haproxyadmin import haproxy

if len(sys.argv) != 2:
    sys.exit(__doc__)
url = sys.argv[1]
catalog = json.loads(urlopen(url, timeout=10).read().decode('utf-8'))
wanted = sorted((tag[len('host='):], service) for service, tags in catalog.items()
                for tag in tags if tag.startswith('host='))
if not wanted:
    sys.exit('no hosts at {0}; the map remains'.format(url))
hap = haproxy.HAProxy(socket_dir='/run/haproxy')
hosts = hap.map('/etc/haproxy/hosts.map')
delta = hosts.sync(wanted)
if delta:
    hosts.save_file()
for host, service in delta.added:
    print('added {0} {1}'.format(host, service))
for host, before, service in delta.changed:
    print('changed {0} from {1} to {2}'.format(host, before, service))
for host, service in delta.removed:
    print('removed {0} {1}'.format(host, service))
