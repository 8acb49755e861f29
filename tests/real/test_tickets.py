# SPDX-License-Identifier: Apache-2.0
"""Keys of TLS tickets of two HAProxies, with openssl as the client."""
import base64
import logging
import os
import re
import shutil
import subprocess
import tempfile

import pytest

from haproxyadmin import exceptions
from haproxyadmin.haproxy import HAProxy
from tests.conftest import PATIENT, find, versions
from tests.support import certificates, lab as labs

pytestmark = pytest.mark.dealt_out

CONFIG = """
global
    stats socket "${HAPROXYADMIN_RUN}/${HAPROXYADMIN_PROCESS}.sock" level user

defaults
    mode http
    timeout connect 2s
    timeout client 20s
    timeout server 2s

frontend f
    bind "127.0.0.1:${HAPROXYADMIN_PORT_F}" ssl crt "DIRECTORY/www.pem" tls-ticket-keys "DIRECTORY/a.key"

frontend g
    bind "127.0.0.1:${HAPROXYADMIN_PORT_G}" ssl crt "DIRECTORY/www.pem" tls-ticket-keys "DIRECTORY/b.key"
"""


class Site(object):

    def __init__(self, version):
        self.version = version
        self.directory = tempfile.mkdtemp(prefix='haproxyadmin-')
        certificate = certificates.Authority(self.directory).issue('www.example.com')
        self.write('www.pem', certificate.pem)
        for name in ('a.key', 'b.key'):
            self.write(name, ''.join(base64.b64encode(os.urandom(48)).decode('ascii') + '\n'
                                     for _ in range(3)))
        # A later HAProxy may have set its own keys: each reads the same file.
        self.lab = labs.Lab(find(version), instances=2,
                            config=CONFIG.replace('DIRECTORY', self.directory))
        self.hap = HAProxy(socket_dir=self.lab.socket_dir, timeout=PATIENT)

    def path(self, name):
        return os.path.join(self.directory, name)

    def write(self, name, text):
        with open(self.path(name), 'w') as output:
            output.write(text)

    def stop(self):
        try:
            self.lab.stop()
        finally:
            shutil.rmtree(self.directory)

    def connect(self, *arguments):
        """Return New or Reused: whether a client had to begin a new session."""
        client = subprocess.Popen(
            ['openssl', 's_client', '-connect', '127.0.0.1:%d' % self.lab.ports['f'], '-tls1_2',
             '-servername', 'www.example.com'] + list(arguments),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        output = client.communicate(b'')[0].decode('utf-8', 'replace')
        return re.search(r'^(New|Reused),', output, re.MULTILINE).group(1)

    def begin(self, name):
        """Begin a session and store it."""
        assert self.connect('-sess_out', self.path(name)) == 'New'

    def resume(self, name):
        """Resume a session several times: each of the processes may accept it."""
        return set(self.connect('-sess_in', self.path(name)) for _ in range(8))


@pytest.fixture(scope='module', params=versions())
def site(request):
    started = Site(request.param)
    try:
        yield started
    finally:
        started.stop()


def test_the_files_are_listed_without_keys(site):
    found = site.hap.tls_ticket_keys()
    assert sorted(keys.file for keys in found) == [site.path('a.key'), site.path('b.key')]
    assert sorted(keys.id for keys in found) == [0, 1]
    for keys in found:
        assert keys.by_socket == [(path, keys.id) for path in site.lab.socket_files]
    with open(site.path('a.key')) as secrets:
        assert not [key for key in secrets.read().split() if key in repr(found)]


def test_sessions_survive_a_rotation_in_all_processes(site):
    name = site.path('a.key')
    site.begin('before')
    assert site.resume('before') == set(['Reused'])
    assert site.hap.set_tls_ticket_key(name, os.urandom(48)) is True
    # It is used for decryption only: otherwise a process without it would not resume.
    assert site.resume('before') == set(['Reused'])
    site.begin('between')
    number, = [keys.id for keys in site.hap.tls_ticket_keys() if keys.file == name]
    assert site.hap.set_tls_ticket_key(number, base64.b64encode(os.urandom(48))) is True
    assert site.resume('before') == set(['New'])
    assert site.resume('between') == set(['Reused'])


def test_what_is_refused(site, caplog):
    key = os.urandom(80)
    secrets = [base64.b64encode(key).decode('ascii'), repr(key)]
    errors = []
    with caplog.at_level(logging.DEBUG, 'haproxyadmin'):
        with pytest.raises(exceptions.CommandFailed) as info:
            site.hap.set_tls_ticket_key(site.path('a.key'), key)
        assert 'wrong size' in str(info.value) and info.value.not_undone == []
        errors.append(info.value)
        for file in (site.path('c.key'), 2, 'a.key'):
            with pytest.raises(ValueError) as info:
                site.hap.set_tls_ticket_key(file, key)
            errors.append(info.value)
        assert 'did you mean' in str(errors[1])
    assert caplog.text
    for secret in secrets:
        assert secret not in caplog.text
        for error in errors:
            assert secret not in repr(error) + str(error) + repr(vars(error))
