"""Publish what is revoked: revoke.py [CERTIFICATE]"""
import os
import subprocess
import sys

from haproxyadmin import haproxy

AUTHORITY = ['openssl', 'ca', '-config', '/etc/ssl/clients/openssl.cnf']
FILE = '/etc/haproxy/revoked.pem'

hap = haproxy.HAProxy(socket_dir='/run/haproxy')
if len(sys.argv) > 1:
    subprocess.check_call(AUTHORITY + ['-revoke', sys.argv[1]])
subprocess.check_call(AUTHORITY + ['-gencrl', '-out', FILE + '.new'])
os.rename(FILE + '.new', FILE)
with open(FILE) as text:
    hap.crl_file(FILE).update(text.read())
for each in hap.crl_file(FILE).lists():
    print('{0} revoked by {1}'.format(len(each.revoked), each.issuer))
