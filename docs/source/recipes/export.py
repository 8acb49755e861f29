"""Write all figures to the standard output: export.py csv|json"""
import csv
import json
import sys

from haproxyadmin import haproxy

if sys.argv[1:] not in (['csv'], ['json']):
    sys.exit(__doc__)
snapshot = haproxy.HAProxy(socket_dir='/run/haproxy').snapshot()
rows = snapshot.stats()
if sys.argv[1] == 'csv':
    table = csv.DictWriter(sys.stdout, list(rows[0]), lineterminator='\n')
    table.writeheader()
    table.writerows(rows)
else:
    json.dump({'taken_at': snapshot.taken_at, 'haproxy': snapshot.metrics(rule='nature'),
               'proxies': rows}, sys.stdout, indent=1)
