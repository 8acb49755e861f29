# SPDX-License-Identifier: Apache-2.0
"""Certificates, revocation lists and OCSP responses for tests, made with ``openssl``.

::

    authority = certificates.Authority(directory)
    site = authority.issue('www.example.com', kind='rsa')
    site.pem                     # certificate, chain and key, as a text
    authority.revoke(site)
    authority.crl()              # a revocation list, as a text
    authority.ocsp(site)         # an OCSP response, as bytes
"""
import os
import re
import subprocess

from tests.support.keys import openssl

# Parts of all private keys that were made, and their halves; see :func:`leaked`.
_PARTS, _HALVES = set(), set()
# Characters of such a part, and of a half.
_LENGTH, _HALF = 24, 12
_RUNS = re.compile(r'[A-Za-z0-9+/]{%d,}' % _LENGTH)
_KEY = re.compile(r'-----BEGIN [A-Z ]*PRIVATE KEY-----([^-]*)-----END')

CONFIG = """
[req]
distinguished_name = subject
prompt = no
[subject]
CN = {name}
[authority]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign, cRLSign, digitalSignature
subjectKeyIdentifier = hash
[leaf]
subjectAltName = {names}
authorityKeyIdentifier = keyid
{more}
[ca]
default_ca = this
[this]
dir = {directory}
database = {directory}/index.txt
serial = {directory}/serial
crlnumber = {directory}/crlnumber
new_certs_dir = {directory}
certificate = {directory}/authority.crt
private_key = {directory}/authority.key
default_md = sha256
default_days = 30
default_crl_days = 30
policy = policy
unique_subject = no
[policy]
commonName = supplied
"""


class Certificate(object):
    """A certificate that an :class:`Authority` has issued.

    :ivar crt: the certificate; :ivar key: its private key; :ivar chain: the certificate of its
        authority; :ivar pem: all three, texts of PEM.
    :ivar path: the file of the certificate; :ivar serial: in hexadecimal digits.
    """

    def __init__(self, path, key, chain):
        self.path = path
        self.crt = read(path)
        self.key = read(key)
        self.chain = chain
        self.pem = self.crt + self.chain + self.key
        remember(self.key)
        words = openssl('x509', '-in', path, '-noout', '-serial').decode('ascii')
        self.serial = words.strip().partition('=')[2]


class Authority(object):
    """An authority and what it issues, in a directory of its own.

    :ivar crt: its certificate, a text of PEM; :ivar path: the file of it.
    """

    def __init__(self, directory, name='Test CA'):
        self._directory = directory
        self._count = 0
        for known, content in (('index.txt', ''), ('serial', '1000\n'), ('crlnumber', '01\n')):
            self._write(known, content)
        key = self._key('authority', 'ec')
        self._write('authority.cnf', self._config(name, 'DNS:none'))
        self.path = self._path('authority.crt')
        openssl('req', '-new', '-x509', '-key', key, '-days', '300',
                '-config', self._path('authority.cnf'), '-extensions', 'authority',
                '-out', self.path)
        self.crt = read(self.path)

    def issue(self, name, names=None, kind='ec', start=None, end=None, key=None, ocsp=None):
        """Issue a :class:`Certificate`.

        :param names: (optional) the names it is for, by default only this one.
        :param kind: (optional) ``'ec'``, ``'rsa'`` or ``'rsa4096'``.
        :param start: (optional) from when it is valid, ``'20200101000000Z'``.
        :param end: (optional) until when.
        :param key: (optional) the certificate whose key it has, too.
        :param ocsp: (optional) the address of its OCSP responder.
        """
        self._count += 1
        base = 'leaf{0}'.format(self._count)
        if key is None:
            key_file = self._key(base, kind)
        else:
            key_file = self._write(base + '.key', key.key)
        listed = ', '.join('DNS:' + one for one in names or [name])
        more = 'authorityInfoAccess = OCSP;URI:' + ocsp if ocsp else ''
        config = self._write(base + '.cnf', self._config(name, listed, more))
        openssl('req', '-new', '-key', key_file, '-config', config,
                '-out', self._path(base + '.csr'))
        dates = (['-startdate', start] if start else []) + (['-enddate', end] if end else [])
        openssl('ca', '-batch', '-notext', '-config', config, '-extensions', 'leaf',
                '-in', self._path(base + '.csr'), '-out', self._path(base + '.crt'), *dates)
        return Certificate(self._path(base + '.crt'), key_file, self.crt)

    def revoke(self, certificate):
        """Revoke a certificate."""
        openssl('ca', '-config', self._path('authority.cnf'), '-revoke', certificate.path)

    def crl(self):
        """Return the list of what is revoked, a text of PEM."""
        path = self._path('list.crl')
        openssl('ca', '-config', self._path('authority.cnf'), '-gencrl', '-out', path)
        return read(path)

    def ocsp(self, certificate, days=10, others=0):
        """Return an OCSP response about a certificate, in DER.

        :param days: (optional) how long it is valid.
        :param others: (optional) how many certificates it contains besides that of its signer.
        """
        path, added = self._path('response.der'), self._write('others.crt', self.crt * others)
        openssl('ocsp', '-issuer', self.path, '-cert', certificate.path, '-ndays', str(days),
                '-respout', path, '-noverify', *self._responder() + (
                    ['-rother', added] if others else []))
        with open(path, 'rb') as response:
            return response.read()

    def responder(self):
        """Return a :class:`Responder` that answers for this authority."""
        return Responder(self.path, self._responder() + ['-ndays', '3'])

    def _responder(self):
        return ['-index', self._path('index.txt'), '-CA', self.path, '-rsigner', self.path,
                '-rkey', self._path('authority.key')]

    def _key(self, base, kind):
        path = self._path(base + '.key')
        if kind == 'ec':
            openssl('ecparam', '-name', 'prime256v1', '-genkey', '-noout', '-out', path)
        else:
            openssl('genrsa', '-out', path, kind[len('rsa'):] or '2048')
        return path

    def _config(self, name, names, more=''):
        return CONFIG.format(name=name, names=names, more=more, directory=self._directory)

    def _path(self, name):
        return os.path.join(self._directory, name)

    def _write(self, name, content):
        path = self._path(name)
        with open(path, 'w') as output:
            output.write(content)
        return path


class Responder(object):
    """An OCSP responder, which answers until ``stop()``.

    :ivar url: its address.
    """

    def __init__(self, authority, arguments):
        self._authority = authority
        self._process = subprocess.Popen(['openssl', 'ocsp', '-port', '0'] + arguments,
                                         stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        line = b'start'
        while line and not line.startswith(b'ACCEPT'):
            line = self._process.stdout.readline()
        port = line.split()[1].rpartition(b':')[2].decode('ascii')
        self.url = 'http://127.0.0.1:' + port

    def learn(self, certificate):
        """Have it read again what was issued and revoked, which it does after a request."""
        openssl('ocsp', '-issuer', self._authority, '-cert', certificate.path, '-url', self.url,
                '-noverify')

    def stop(self):
        """End it."""
        if self._process.poll() is None:
            self._process.terminate()
            self._process.communicate()


def remember(key):
    """Remember the text of a private key, for :func:`leaked`."""
    for body in _KEY.findall(key):
        body = ''.join(body.split())
        # The beginning is the same for all keys, and what follows the public key of others.
        secret = body[len(body) // 2:] if len(body) > 600 else body[12:90]
        for parts, length in ((_PARTS, _LENGTH), (_HALVES, _HALF)):
            parts.update(secret[place:place + length] for place in range(len(secret) - length + 1))


def leaked(text):
    """Return what a text contains of the private keys that were made, None if that is nothing."""
    if 'PRIVATE KEY' in text:
        return 'PRIVATE KEY'
    for run in _RUNS.findall(text) if _PARTS else ():
        # A long text costs less this way: wherever a part begins, it has one of these in it.
        if _HALVES.isdisjoint(run[place:place + _HALF] for place in range(0, len(run), _HALF)):
            continue
        for place in range(len(run) - _LENGTH + 1):
            if run[place:place + _LENGTH] in _PARTS:
                return run[place:place + _LENGTH]
    return None


def read(path):
    """Return the text of a file."""
    with open(path) as source:
        return source.read()
