# SPDX-License-Identifier: Apache-2.0
"""Keys and certificates for tests, made with ``openssl``.

::

    made = keys.Keys(directory)
    made.server      # for localhost and 127.0.0.1, the file of a certificate and its key
    made.client      # the client's, of the same authority
    context = made.context()
"""

import os
import ssl
import subprocess

CONFIG = """
[req]
distinguished_name = name
prompt = no
[name]
CN = {name}
[authority]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
[leaf]
subjectAltName = {names}
authorityKeyIdentifier = keyid
"""


def openssl(*words):
    """Run ``openssl``; return what it prints, raise an error if it fails."""
    process = subprocess.Popen(('openssl',) + words, stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT)
    output = process.communicate()[0]
    if process.returncode:
        raise RuntimeError('openssl %s: %s' % (words[0], output.decode('utf-8', 'replace')))
    return output


class Keys(object):
    """An authority and certificates that it has signed, in a directory.

    :ivar authority: the file of its certificate.
    :ivar server: of ``localhost`` and ``127.0.0.1``; :ivar client: of a client; :ivar other: of
        another host; :ivar expired: of ``localhost`` again, no longer valid.
    """

    def __init__(self, directory):
        self._directory = directory
        self.authority = self._path('authority.pem')
        self._make('authority', 'authority')
        openssl('req', '-new', '-x509', '-key', self._path('authority.key'), '-days', '30',
                '-config', self._path('authority.cnf'), '-extensions', 'authority',
                '-out', self.authority)
        self.server = self._leaf('localhost', 'DNS:localhost,IP:127.0.0.1')
        self.client = self._leaf('client', 'DNS:client')
        self.other = self._leaf('other', 'DNS:other.example')
        self.expired = self._leaf('expired', 'DNS:localhost,IP:127.0.0.1', expired=True)

    def context(self, client=True):
        """Return a context that trusts the authority.

        :param client: False for one without the client's certificate.
        """
        context = ssl.create_default_context(cafile=self.authority)
        if client:
            context.load_cert_chain(self.client)
        return context

    def _path(self, name):
        return os.path.join(self._directory, name)

    def _make(self, name, common_name, names='DNS:none'):
        with open(self._path(name + '.cnf'), 'w') as config:
            config.write(CONFIG.format(name=common_name, names=names))
        openssl('ecparam', '-name', 'prime256v1', '-genkey', '-noout',
                '-out', self._path(name + '.key'))

    def _leaf(self, name, names, expired=False):
        self._make(name, name, names)
        openssl('req', '-new', '-key', self._path(name + '.key'),
                '-config', self._path(name + '.cnf'), '-out', self._path(name + '.csr'))
        validity = ['-days', '30']
        if expired:
            # The oldest versions of openssl have no option for dates: it expires at once.
            validity = ['-days', '-1']
        openssl('x509', '-req', '-in', self._path(name + '.csr'), '-CA', self.authority,
                '-CAkey', self._path('authority.key'), '-set_serial', str(len(name)),
                '-extfile', self._path(name + '.cnf'), '-extensions', 'leaf',
                '-out', self._path(name + '.crt'), *validity)
        whole = self._path(name + '.pem')
        with open(whole, 'w') as output:
            for part in ('.crt', '.key'):
                with open(self._path(name + part)) as text:
                    output.write(text.read())
        return whole
