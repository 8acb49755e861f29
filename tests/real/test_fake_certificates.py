# SPDX-License-Identifier: Apache-2.0
"""The certificates, lists, CA files and ticket keys of the fake beside those of real HAProxies."""
import base64
import os
import re

import pytest

from haproxyadmin.testing.configuration import Configuration
from haproxyadmin.testing.process import FakeProcess
from haproxyadmin.testing.texts import text
from tests import conftest
from tests.support import certificates

pytestmark = pytest.mark.dealt_out

SOCKETS = """
global
    stats socket "${HAPROXYADMIN_RUN}/stats${HAPROXYADMIN_PROCESS}.sock" level admin
defaults
    mode http
    timeout connect 1s
    timeout client 10s
    timeout server 1s
"""
CONFIG = """
frontend listed
    bind "unix@${{HAPROXYADMIN_RUN}}/listed.sock" ssl crt-list {0}/list.txt ca-file {0}/ca.pem \
verify optional crl-file {0}/list.crl strict-sni tls-ticket-keys {0}/a.key
    bind "unix@${{HAPROXYADMIN_RUN}}/again.sock" ssl crt-list {0}/list.txt strict-sni tls-ticket-keys {0}/b.key
frontend directory
    bind "unix@${{HAPROXYADMIN_RUN}}/directory.sock" ssl crt {0}/directory/ ca-file {0}/ca.pem verify optional
frontend single
    bind "unix@${{HAPROXYADMIN_RUN}}/single.sock" ssl crt {0}/single.pem crt {0}/rsa.pem crt {0}/bundle.pem
backend secure
    server s1 127.0.0.1:1 ssl crt {0}/client.pem ca-file {0}/other.pem verify required
"""
LIST = ('# the sites\n{0}/one.pem\n\n{0}/two.pem [verify none alpn h2,http/1.1 ssl-min-ver TLSv1.2] '
        '*.two.test !no.two.test\n')
NAMES = ['list.txt', 'directory', 'single.pem']


class Pair(object):
    """A real HAProxy and a fake of its version, with the same configuration and files."""

    def __init__(self, version, directory):
        self.base = str(directory.mkdir('files'))
        os.mkdir(self.base + '/directory')
        authority = certificates.Authority(str(directory.mkdir('ca')), 'First CA')
        other = certificates.Authority(str(directory.mkdir('other')), 'Other CA')
        names = {'names': ['one.test', 'www.one.test']}
        issued = dict((name, authority.issue(name + '.test', **names)) for name in (
            'one', 'two', 'three', 'four', 'client', 'split'))
        issued['rsa'] = authority.issue('rsa.test', kind='rsa')
        crl = authority.crl()
        authority.revoke(issued['client'])
        files = dict((name + '.pem', issued[name].pem) for name in ('one', 'two', 'client', 'rsa'))
        # The key may have a file of its own; so does an OCSP response.
        files.update({
            'single.pem': issued['split'].crt, 'single.pem.key': issued['split'].key,
            'directory/one.pem': issued['one'].pem, 'directory/of two.pem': issued['two'].pem,
            'bundle.pem.rsa': issued['rsa'].pem, 'bundle.pem.ecdsa': issued['two'].pem,
            'directory/one.pem.ocsp': authority.ocsp(issued['one']), 'ca.pem': authority.crt,
            'other.pem': other.crt, 'list.crl': crl, 'list.txt': LIST.format(self.base),
            'a.key': _keys('ABCD'), 'b.key': _keys('EFG')})
        for name, content in files.items():
            with open(os.path.join(self.base, name), 'wb') as written:
                written.write(content if isinstance(content, bytes) else content.encode('ascii'))
        self.payloads = {
            'PEM': issued['three'].pem, 'RSA': issued['rsa'].pem, 'NO CHAIN': issued['four'].crt
            + issued['four'].key, 'CRT': issued['three'].crt, 'KEY': issued['three'].key,
            'MIXED': issued['three'].crt + issued['four'].key, 'CA': authority.crt, 'OTHER': other.crt,
            'BOTH': other.crt + authority.crt, 'CRL': authority.crl(),
            'OCSP': base64.b64encode(authority.ocsp(issued['one'])).decode('ascii') + '\n',
            'ENTRY': 'new.pem [alpn h2] *.new.test !no.new.test\n', 'UNKNOWN': 'new.pem [bogus x]\n'}
        config = SOCKETS + CONFIG.format(self.base)
        self.lab = conftest.start(version, config=config)
        self.fake = FakeProcess('/run/haproxy.sock', version, Configuration(
            config.replace('"', ''), 'haproxy.cfg'))

    def check(self, command):
        """Compare the replies to a command; ``<PEM`` at its end stands for a payload."""
        line, _, name = command.partition(' <')
        if name:
            line = '{0} <<\n{1}'.format(line, self.payloads[name].replace(
                'new.pem', self.base + '/new.pem'))
        line = line.replace('DIR', self.base)
        fake = text(self.fake.reply_to(line))
        real = self.lab.raw(line if not name else line.rstrip('\n') + '\n')
        assert comparable(fake) == comparable(real), command

    def stop(self):
        self.lab.stop()


def _keys(letters):
    return ''.join(letter * 64 + '\n' for letter in letters)


def comparable(reply):
    """Return a reply without what depends on the system."""
    reply = re.sub(r'(Unknown command)(?:.|\n)*', r'\1', reply)
    reply = re.sub(r'\S*(haproxy\.cfg:)', r'\1', reply)
    # Some are built so that they use no authorities of the system, and tests have others.
    return re.sub(r'@system-ca - \d+ certificate\(s\)\n', '', reply)


@pytest.fixture(params=conftest.versions())
def pair(request, tmpdir):
    started = Pair(request.param, tmpdir)
    yield started
    started.stop()


LOOK = ['show ssl cert', 'show ssl crt-list', 'show ssl crt-list -n DIR/list.txt',
        'show ssl crt-list DIR/directory/', 'show ssl crt-list -n DIR/directory', 'show ssl ca-file',
        'show ssl crl-file', 'show ssl ca-file DIR/ca.pem', 'show ssl crl-file DIR/list.crl'] + [
            'show ssl cert DIR/' + name for name in (
                'one.pem', r'directory/of\ two.pem', 'directory/one.pem', 'single.pem', 'rsa.pem',
                'client.pem', 'bundle.pem.rsa', 'bundle.pem.ecdsa', 'bundle.pem', 'new.pem')]
CERTIFICATES = [
    'new ssl cert DIR/new.pem', 'new ssl cert DIR/new.pem', 'show ssl cert DIR/new.pem',
    'add ssl crt-list DIR/list.txt DIR/new.pem', 'commit ssl cert DIR/new.pem',
    'set ssl cert DIR/new.pem', 'set ssl cert DIR/new.pem <MIXED', 'commit ssl cert DIR/new.pem',
    'abort ssl cert DIR/one.pem', 'abort ssl cert DIR/new.pem', 'set ssl cert DIR/none.pem <PEM',
    'set ssl cert DIR/new.pem <KEY', 'set ssl cert DIR/new.pem <CA', 'abort ssl cert DIR/new.pem',
    'set ssl cert DIR/new.pem <PEM', 'set ssl cert DIR/new.pem <PEM', 'show ssl cert',
    'show ssl cert *DIR/new.pem', 'commit ssl cert DIR/one.pem', 'commit ssl cert DIR/new.pem',
    'show ssl cert DIR/new.pem', 'add ssl crt-list DIR/list.txt DIR/new.pem',
    'add ssl crt-list DIR/list.txt <ENTRY', 'add ssl crt-list DIR/list.txt <UNKNOWN',
    'add ssl crt-list DIR/directory <ENTRY', 'add ssl crt-list DIR/directory DIR/new.pem', 'add ssl crt-list DIR/directory DIR/none.pem',
    'show ssl crt-list -n DIR/list.txt', 'del ssl cert DIR/new.pem',
    'del ssl crt-list DIR/list.txt DIR/new.pem', 'del ssl crt-list DIR/list.txt DIR/new.pem:2',
    'del ssl crt-list DIR/list.txt DIR/new.pem:x', 'del ssl crt-list DIR/list.txt DIR/new.pem:5',
    'del ssl crt-list DIR/list.txt DIR/new.pem', 'del ssl crt-list DIR/list.txt DIR/new.pem',
    r'del ssl crt-list DIR/directory DIR/directory/of\ two.pem',
    'del ssl crt-list DIR/directory DIR/directory/one.pem', 'show ssl crt-list DIR/directory',
    'del ssl crt-list DIR/directory DIR/new.pem', 'del ssl cert DIR/new.pem', 'del ssl cert DIR/none.pem',
    'set ssl cert DIR/one.pem <NO CHAIN', 'commit ssl cert DIR/one.pem', 'show ssl cert DIR/one.pem',
    'set ssl cert DIR/directory/one.pem <PEM', 'commit ssl cert DIR/directory/one.pem',
    'show ssl cert DIR/directory/one.pem', 'set ssl cert DIR/client.pem <RSA',
    'commit ssl cert DIR/client.pem', 'show ssl cert DIR/client.pem',
    'set ssl cert DIR/single.pem.key <KEY', 'commit ssl cert DIR/single.pem',
    'set ssl cert DIR/single.pem <CRT', 'abort ssl cert DIR/single.pem', 'show ssl cert',
    'show ssl cert DIR/two.pem', 'del ssl crt-list DIR/list.txt DIR/two.pem', 'show ssl cert DIR/two.pem',
    'add ssl crt-list DIR/list.txt DIR/two.pem', 'show ssl cert DIR/two.pem']
FILES = [
    'set ssl ca-file DIR/ca.pem', 'set ssl ca-file DIR/ca.pem <KEY', 'set ssl ca-file DIR/none <CA',
    'set ssl ca-file DIR/ca.pem <BOTH', 'show ssl ca-file', 'show ssl ca-file *DIR/ca.pem',
    'show ssl ca-file DIR/ca.pem:1', 'show ssl ca-file DIR/ca.pem:2', 'show ssl ca-file DIR/ca.pem:x',
    'commit ssl ca-file DIR/other.pem', 'abort ssl ca-file DIR/other.pem', 'commit ssl ca-file DIR/ca.pem',
    'show ssl ca-file DIR/ca.pem', 'show ssl ca-file DIR/ca.pem:2', 'new ssl ca-file mine',
    'new ssl ca-file mine', 'show ssl ca-file mine', 'add ssl ca-file mine <CA', 'abort ssl ca-file mine',
    'set ssl ca-file mine <OTHER', 'del ssl ca-file mine', 'commit ssl ca-file mine',
    'show ssl ca-file mine', 'del ssl ca-file mine', 'del ssl ca-file mine', 'del ssl ca-file DIR/ca.pem',
    'set ssl crl-file DIR/list.crl <CA', 'set ssl crl-file DIR/list.crl <CRL', 'show ssl crl-file',
    'show ssl crl-file *DIR/list.crl', 'commit ssl crl-file DIR/list.crl',
    'show ssl crl-file DIR/list.crl', 'show ssl crl-file DIR/list.crl:1', 'new ssl crl-file mine',
    'show ssl crl-file mine', 'show ssl crl-file', 'del ssl crl-file mine', 'del ssl crl-file mine',
    'del ssl crl-file DIR/list.crl', 'show ssl cert DIR/one.pem']
OTHERS = [
    'show tls-keys', 'show tls-keys *', 'show tls-keys DIR/a.key', 'show tls-keys #0', 'show tls-keys no',
    'set ssl tls-key #0 ' + 'H' * 64, 'set ssl tls-key #0 ' + 'H' * 60, 'set ssl tls-key #0 x',
    'set ssl tls-key DIR/a.key ' + 'I' * 64, 'show tls-keys *', 'show ssl ocsp-response',
    'show ssl ocsp-response none', 'show ssl ocsp-response text', 'set ssl ocsp-response',
    'set ssl ocsp-response x', 'set ssl ocsp-response AAAA', 'set ssl ocsp-response <OCSP',
    'show ssl ocsp-response', 'update ssl ocsp-response', 'update ssl ocsp-response none',
    'update ssl ocsp-response DIR/one.pem', 'show ssl ocsp-updates']


def test_both_reply_alike(pair):
    for command in LOOK + OTHERS + CERTIFICATES + LOOK + FILES:
        pair.check(command)
