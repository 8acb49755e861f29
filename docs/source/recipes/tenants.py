"""Bring the map of hosts in step with a database: tenants.py DATABASE"""
import os
import sqlite3
import sys

from haproxyadmin import haproxy

if len(sys.argv) != 2:
    sys.exit(__doc__)
database = sys.argv[1]
if not os.path.exists(database):
    sys.exit('there is no {0}'.format(database))
rows = sqlite3.connect(database).execute('SELECT host, backend FROM tenants').fetchall()
if not rows:
    sys.exit('no tenants in {0}; the map remains'.format(database))
hap = haproxy.HAProxy(socket_dir='/run/haproxy')
hosts = hap.map('/etc/haproxy/hosts.map')
delta = hosts.sync(rows)
if delta:
    hosts.save_file()
    print('{0} added, {1} changed, {2} removed'.format(*map(len, delta)))
