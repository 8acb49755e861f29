# SPDX-License-Identifier: Apache-2.0
"""What processes say about their CA files and CRL files, and how one is changed."""
import collections

from haproxyadmin.exceptions import NoSuchObject
from haproxyadmin.internal.calls import require_if_known
from haproxyadmin.internal.tls_files import FileChange, FileOperation, NewFile
from haproxyadmin.parsers.ca_files import parse_ca_file, parse_ca_list, parse_crl_file
from haproxyadmin.parsers.certificates import FINGERPRINT, USED, field, parse_list
from haproxyadmin.parsers.lines import first_line
from haproxyadmin.parsers.pem import CERTIFICATE, REVOCATIONS, fingerprint, parse_blocks
from haproxyadmin.parsers.revocations import parse_revocations
from haproxyadmin.protocol import commands, replies, versions
from haproxyadmin.protocol.words import MAX_PAYLOAD, to_native

# What a file is to contain. texts: of PEM, without duplicates. things: frozenset of fingerprints,
# or list of parsers.revocations.Revocations.
Content = collections.namedtuple('Content', 'texts things')


def check_name(name):
    """Check the name of a file that HAProxy is asked about.

    :rtype: str
    :raises ValueError: for one that HAProxy reads differently.
    """
    name = to_native(name)
    # From 3.2 on, "show" takes a backslash at the beginning for an escape of what follows.
    if not isinstance(name, str) or not name or name.startswith(('*', '\\')):
        raise ValueError('expected the name of a file, got {0!r}'.format(name))
    if ':' in name:
        raise ValueError('HAProxy takes what follows the colon in {0!r} for a number'.format(name))
    return name


def check_name_to_change(name):
    """Like :func:`check_name`, for a file that is changed."""
    name = check_name(name)
    if name.startswith('@'):
        raise ValueError('{0!r} is not a file: it stands for the authorities that this machine '
                         'trusts'.format(name))
    return name


def parse_authorities(pem):
    """Check the text of a CA file.

    :rtype: Content
    :raises ValueError: if it is not one that HAProxy can use.
    """
    texts = _distinct(pem, CERTIFICATE)
    return Content(list(texts.values()), frozenset(fingerprint(der) for der in texts))


def parse_lists(pem):
    """Check the text of a CRL file.

    :rtype: Content
    :raises ValueError: if it is not one that HAProxy can use.
    """
    texts = _distinct(pem, REVOCATIONS)
    return Content(list(texts.values()), [parse_revocations(der) for der in texts])


def _distinct(pem, label):
    """Return the text of each block by its bytes, in their order."""
    return collections.OrderedDict((der, text) for text, der in parse_blocks(pem, label))


class _Change(FileChange):
    """The change of one of both kinds; its content is a :class:`Content`."""

    feature = versions.CA_FILES
    shown_by = versions.SHOW_CA_FILES
    dangers = (versions.CA_COMMITS,)
    showing_broken = None
    # The parser of a file.
    _parse = None

    def parse(self, lines):
        """Return what HAProxy shows, None if there is no such file."""
        return None if replies.is_unknown_file(first_line(lines)) else type(self)._parse(lines)

    def is_used(self, shown):
        """Return True if HAProxy uses the file."""
        return shown.status == USED

    def is_empty(self, shown):
        """Return True if nothing is in the file."""
        return not shown.content


class CaFileChange(_Change):
    """The change of a CA file in one process."""

    kind = 'ca-file'
    noun = 'CA file'
    _parse = staticmethod(parse_ca_file)

    def parse_list(self, lines):
        """Return what is listed."""
        return parse_ca_list(lines)

    def holds(self, shown, content):
        """Return True if the file contains exactly these certificates."""
        return shown is not None and _fingerprints(shown) == content.things

    def is_alike(self, shown, other):
        """Return True if the file contains the same certificates twice."""
        return shown is not None and _fingerprints(shown) == _fingerprints(other)

    def payloads(self, version):
        """Return as many certificates at a time as HAProxy reads."""
        room = MAX_PAYLOAD - 1 - len(
            commands.tls_file('set', self.kind, version, self.name, b''))
        payloads = []
        for text in self.content.texts:
            if payloads and len(payloads[-1]) + 1 + len(text) <= room:
                payloads[-1] += b'\n' + text
            else:
                payloads.append(text)
        return payloads


class CaFileExtension(CaFileChange):
    """Adds certificates to what is in a CA file."""

    first_action = 'add'

    def note_look(self, lines):
        """Note what is there: the file is to contain that, too."""
        super(CaFileExtension, self).note_look(lines)
        self.content = self.content._replace(
            things=self.content.things | _fingerprints(self.before))


class NewCaFile(NewFile, CaFileChange):
    """Adds a CA file."""


class CrlFileChange(_Change):
    """The change of a CRL file in one process."""

    kind = 'crl-file'
    noun = 'CRL file'
    _parse = staticmethod(parse_crl_file)

    def parse_list(self, lines):
        """Return what is listed."""
        return parse_list(lines)

    def holds(self, shown, content):
        """Return True if the file contains these lists, as far as HAProxy shows them."""
        if shown is None:
            return False
        missing = list(content.things)
        for listed in shown.content:
            same = [sent for sent in missing if _is_shown(sent, listed)]
            if not same:
                return False
            missing.remove(same[0])
        return not missing or any(not listed.is_complete for listed in shown.content)

    def is_alike(self, shown, other):
        """Return True if HAProxy shows the same lists twice."""
        return shown is not None and shown.content == other.content

    def payloads(self, version):
        """Return all lists at once: HAProxy cannot add to a file."""
        return [b'\n'.join(self.content.texts)]


class NewCrlFile(NewFile, CrlFileChange):
    """Adds a CRL file."""


def _fingerprints(shown):
    return frozenset(field(certificate, FINGERPRINT) for certificate in shown.content)


def _is_shown(sent, listed):
    revoked = frozenset(listed.revoked)
    return sent[:2] == (listed.last_update, listed.next_update) and (
        revoked == sent.serials if listed.is_complete else revoked <= sent.serials)


def names_operation(process, kind):
    """Return the operation that asks for all files of a kind; each is a tuple of its name.

    :param kind: :class:`CaFileChange` or :class:`CrlFileChange`.
    """
    require_if_known(process, versions.SHOW_CA_FILES)
    change = kind(process, None, None)
    return FileOperation(process.endpoint, commands.tls_file('show', kind.kind, process.version),
                         lambda lines: [(name,) for name in change.parse_list(lines).names])


def show_operation(process, kind, name):
    """Return the operation that asks for one file; one that is gone is an error.

    :return: for its value see :class:`haproxyadmin.parsers.ca_files.Shown`.
    """
    change = kind(process, name, None)

    def interpret(lines):
        shown = change.parse(lines)
        if shown is None:
            raise NoSuchObject(name, 'the {0} {1!r} is gone from {2}'.format(
                kind.noun, name, process.socket_file))
        return shown
    return FileOperation(
        process.endpoint, commands.tls_file('show', kind.kind, process.version, name), interpret)
