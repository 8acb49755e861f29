# SPDX-License-Identifier: Apache-2.0
"""What processes say about their TLS certificates, and how one is changed."""
from haproxyadmin.exceptions import NoSuchObject
from haproxyadmin.internal.calls import require, require_if_known
from haproxyadmin.internal.tls_files import FileChange, FileOperation, NewFile
from haproxyadmin.parsers.certificates import (EMPTY, FINGERPRINT, STATUS, USED, chain_of, field,
                                               parse_certificate, parse_list)
from haproxyadmin.parsers.lines import first_line, join_lines
from haproxyadmin.parsers.pem import check_no_pem
from haproxyadmin.protocol import commands, replies, versions
from haproxyadmin.protocol.words import to_native

KIND = 'cert'
# HAProxy takes these at the end of a name for a part of another certificate.
_PARTS = ('.key', '.ocsp', '.sctl', '.issuer')
# What the same certificate may show differently, besides the names of files.
_VARYING = (STATUS, 'OCSP Response Key', 'Option')


def list_operation(process):
    """Return the operation that asks for the names of all certificates, and for a transaction."""
    require(process, versions.SSL_CERTIFICATES)
    return FileOperation(process.endpoint, commands.tls_file('show', KIND, process.version),
                         parse_list)


def names_operation(process):
    """Return the operation that asks for all certificates; each is a tuple of its name."""
    require_if_known(process, versions.SSL_CERTIFICATES)
    return FileOperation(process.endpoint, commands.tls_file('show', KIND, process.version),
                         lambda lines: [(name,) for name in parse_list(lines).names])


def show_operation(process, name):
    """Return the operation that asks for one certificate.

    :return: for its value see :func:`haproxyadmin.parsers.certificates.parse_certificate`; an empty
        list if HAProxy cannot show it: it is a bundle (2.2), or gone.
    """
    return FileOperation(process.endpoint, commands.tls_file('show', KIND, process.version, name),
                         _parse_shown)


def details_operation(process, name):
    """Return the operation that asks for one certificate; one that is gone is an error."""
    def interpret(lines):
        shown = _parse_shown(lines)
        if not shown:
            raise NoSuchObject(name, 'HAProxy cannot show the certificate {0!r} on {1}: it is gone '
                               '(or a bundle, up to 2.2)'.format(name, process.socket_file))
        return shown
    return FileOperation(process.endpoint, commands.tls_file('show', KIND, process.version, name),
                         interpret)


def _parse_shown(lines):
    return [] if replies.is_unknown_file(first_line(lines)) else parse_certificate(lines)


def _lasting(shown):
    return [(name, text) for name, text in shown
            if name not in _VARYING and not name.endswith('ilename')]


def check_name(name):
    """Check the name of a certificate that is changed.

    :rtype: str
    :raises ValueError: for one that HAProxy reads differently.
    """
    check_no_pem(name)
    name = to_native(name)
    # An asterisk stands for the transaction; 3.2 ignores a backslash there, for it may escape one.
    if not isinstance(name, str) or not name or name.startswith(('*', '\\')):
        raise ValueError('expected the name of a certificate, got {0!r}'.format(name))
    if name.endswith(_PARTS):
        raise ValueError('HAProxy takes {0!r} for a part of another certificate'.format(name))
    return name


class CertificateChange(FileChange):
    """The change of a certificate in one process; its content is a ``parsers.pem.Bundle``.

    :param ocsp: (optional) an OCSP response for the new certificate, in base64.
    """

    kind = KIND
    noun = 'certificate'
    is_secret = True
    dangers_of_abort = (versions.ABORT,)

    def __init__(self, process, name, content, previous=None, ocsp=None):
        super(CertificateChange, self).__init__(process, name, content, previous)
        self._ocsp = ocsp

    def check_version(self):
        """Check that the version of the process can change such a certificate without harm."""
        super(CertificateChange, self).check_version()
        if self._ocsp is not None:
            versions.check_danger(versions.OCSP_IN_TRANSACTION, self.hap_process.version)

    def look(self):
        """Return the operation that looks at the certificate; see :meth:`FileChange.look`."""
        if self.name.endswith('.crt'):
            versions.check_danger(versions.LOSING_CRT, self.hap_process.version)
        return super(CertificateChange, self).look()

    def check_before(self):
        """Check that the certificate can be changed."""
        super(CertificateChange, self).check_before()
        if field(self.before, 'OCSP Response Key') and not self.content.chain:
            versions.check_danger(versions.OCSP_WITHOUT_ISSUER, tuple(self.hap_process.version))

    def parse_list(self, lines):
        """Return what is listed."""
        return parse_list(lines)

    def parse(self, lines):
        """Return what HAProxy shows, None if there is no such certificate."""
        return _parse_shown(lines) or None

    def holds(self, shown, content):
        """Return True if what HAProxy shows is this certificate with this chain."""
        # HAProxy may complete a missing chain by itself ("issuers-chain-path").
        return shown is not None and field(shown, FINGERPRINT) == content.fingerprint and (
            not content.chain or len(chain_of(shown)) == content.chain)

    def is_alike(self, shown, other):
        """Return True if HAProxy shows the same certificate with the same chain twice."""
        return shown is not None and _lasting(shown) == _lasting(other)

    def is_used(self, shown):
        """Return True if HAProxy uses the certificate."""
        return field(shown, STATUS) == USED

    def is_empty(self, shown):
        """Return True if HAProxy has no certificate under the name."""
        return field(shown, STATUS) == EMPTY

    def follow_set(self):
        """Return the operation that adds the OCSP response to the transaction."""
        if self._ocsp is None:
            return ''

        def note(lines):
            reply = join_lines(lines)
            return '' if replies.transaction_of(reply) == (replies.UPDATED, self.name) else reply
        return self.change(commands.tls_file(
            'set', KIND, self.hap_process.version, self.name + '.ocsp', self._ocsp), note)

    def payloads(self, version):
        """Return the certificate with its chain and its key."""
        return [self.content.content]


class Addition(NewFile, CertificateChange):
    """Adds a certificate, and perhaps a line of a crt-list with it.

    :param add_line: (optional) takes the process; returns the operation that adds the line.
    :param remove_line: (optional) takes the process, and a function that returns what follows;
        returns the operation that removes the line again, if it is there.
    """

    def __init__(self, process, name, content, ocsp=None, add_line=None, remove_line=None):
        super(Addition, self).__init__(process, name, content, ocsp=ocsp)
        self._add_line, self._remove_line = add_line, remove_line

    def follow_commit(self):
        """Return the operation that adds the line of the crt-list."""
        if self._add_line is None:
            return ''
        self.in_use = True
        return self._add_line(self.hap_process)

    def remove(self):
        """Return what removes the line and the certificate again."""
        remove = super(Addition, self).remove
        if self._remove_line is None:
            return remove()
        return self._remove_line(self.hap_process, remove)
