# SPDX-License-Identifier: Apache-2.0
"""Lists of certificates, and what HAProxy says about one."""
import collections

from haproxyadmin.exceptions import NotSupported
from haproxyadmin.parsers.lines import first_line, refusal_of
from haproxyadmin.protocol import replies

_NAMES = '# filename'
_TRANSACTION = '# transaction'
_FIRST = 'Filename: '
STATUS, USED, EMPTY = 'Status', 'Used', 'Empty'
FINGERPRINT = 'SHA1 FingerPrint'
_CHAIN = ('Chain Subject', 'Chain Issuer')

# What HAProxy lists: the names of files, and the one that a transaction is open for, or None.
Listed = collections.namedtuple('Listed', 'names transaction')


def parse_list(lines):
    """Return what is in a list of TLS files, such as the reply to ``show ssl cert``::

        # transaction
        */etc/haproxy/www.pem
        # filename
        /etc/haproxy/api.pem
        /etc/haproxy/www.pem

    The reply is empty if there is none.

    :rtype: Listed
    :raises haproxyadmin.exceptions.NotSupported: if HAProxy was built without TLS.
    """
    if lines and lines[0] not in (_NAMES, _TRANSACTION):
        if replies.is_unknown_command(lines[0]):
            raise NotSupported('this HAProxy was built without TLS')
        raise refusal_of(lines)
    names = lines[lines.index(_NAMES) + 1:] if _NAMES in lines else []
    transaction = None
    if lines and lines[0] == _TRANSACTION:
        if len(lines) < 2 or not lines[1].startswith('*'):
            raise replies.Malformed('a transaction without a name: {0!r}'.format(lines[:2]))
        transaction = lines[1][1:]
    return Listed(names, transaction)


def parse_certificate(lines):
    """Return what HAProxy says about a certificate, in the reply to ``show ssl cert NAME``::

        Filename: /etc/haproxy/www.pem
        Status: Used
        Serial: 1000
        notBefore: Nov 24 19:08:31 2026 GMT
        notAfter: Nov 24 19:08:31 2027 GMT
        Subject Alternative Name: DNS:www.example.com
        Algorithm: RSA2048
        SHA1 FingerPrint: 5C964D873E7258B97E647CCC18F165F67E081370
        Subject: /CN=www.example.com
        Issuer: /CN=Example CA
        Chain Subject: /CN=Example CA
        Chain Issuer: /CN=Example Root

    :return: pairs of name and text; the two of the chain are there once for each certificate in it.
    :rtype: list of tuple
    """
    if not first_line(lines).startswith(_FIRST):
        raise refusal_of(lines)
    return parse_fields(lines)


def parse_fields(lines):
    """Return pairs of name and text of the lines that have a colon."""
    parts = [line.partition(':') for line in lines]
    return [(name, text.strip(' ')) for name, colon, text in parts if colon]


def field(shown, name):
    """Return a text that HAProxy shows, None if there is none; see :func:`parse_certificate`."""
    return next((text for own, text in shown if own == name), None)


def chain_of(shown):
    """Return pairs of subject and issuer of the certificates in a chain."""
    subjects, issuers = [[text for own, text in shown if own == name] for name in _CHAIN]
    return list(zip(subjects, issuers))
