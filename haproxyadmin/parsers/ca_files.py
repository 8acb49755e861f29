# SPDX-License-Identifier: Apache-2.0
"""Lists of CA files, and what HAProxy says about a CA file or a CRL file."""
import collections

from haproxyadmin.imports import Pattern
from haproxyadmin.parsers.certificates import (FINGERPRINT, STATUS, Listed, field, parse_fields,
                                               parse_list)
from haproxyadmin.parsers.lines import first_line, refusal_of
from haproxyadmin.parsers.times import parse_time
from haproxyadmin.protocol import replies

EMPTY = 'Empty'
_COUNTED = Pattern(r'(.*) - [0-9]+ certificate\(s\)\Z')
_FIRST = 'Filename: '
_CERTIFICATE = Pattern(r'Certificate #[0-9]+:\Z')
_LIST = Pattern(r'Certificate Revocation List #[0-9]+:\Z')
_REVOKED, _NONE_REVOKED = 'Revoked Certificates:', 'No Revoked Certificates.'
_SERIAL = Pattern(r' *Serial Number: (-?[0-9A-F]+)\Z')
# HAProxy shows of a CRL file what fits into a buffer, 16384 bytes by default, and leaves out the
# rest without a word.
_SURELY_WHOLE = 16000

# What HAProxy shows of a file. content: list of what is in it.
Shown = collections.namedtuple('Shown', 'status content')


class RevocationList(collections.namedtuple(
        'RevocationList', 'issuer last_update next_update revoked is_complete')):
    """A list of certificates that an authority has revoked.

    ``issuer`` is the authority, a text such as ``/CN=My CA``; ``last_update`` and ``next_update``
    are aware datetimes in UTC; ``revoked`` are the serial numbers in hexadecimal digits, ascending.
    ``is_complete`` is False if the file is so long that HAProxy may have left out some of them, and
    of the lists: it shows no more than about 200 revoked certificates of a file.
    """

    __slots__ = ()


def parse_ca_list(lines):
    """Return what is in the reply to ``show ssl ca-file``::

        # transaction
        */etc/haproxy/clients.pem - 2 certificate(s)
        # filename
        /etc/haproxy/clients.pem - 1 certificate(s)
        @system-ca - 144 certificate(s)

    :rtype: haproxyadmin.parsers.certificates.Listed
    """
    names, transaction = parse_list(lines)
    return Listed([_without_count(name) for name in names],
                  None if transaction is None else _without_count(transaction))


def _without_count(text):
    match = _COUNTED.match(text)
    if match is None:
        raise replies.Malformed('not a CA file: {0!r}'.format(text[:80]))
    return match.group(1)


def parse_ca_file(lines):
    """Return what is in the reply to ``show ssl ca-file NAME``::

        Filename: /etc/haproxy/clients.pem
        Status: Used

        Certificate #1:
        Serial: 3C3F6B4D2FDFCA87A1AF0A644925F0981032D2B7
        notBefore: Nov 24 19:08:30 2026 GMT
        notAfter: Nov 21 19:08:30 2036 GMT
        Subject Alternative Name:
        Algorithm: EC256
        SHA1 FingerPrint: 94620B7AF7F11204C0F4D40E6C092257D909B107
        Subject: /CN=Example CA
        Issuer: /CN=Example CA

    The empty lines contain a blank. The reply is empty if the file is.

    :return: the content is a list of pairs of name and text for each certificate.
    :rtype: Shown
    """
    if not lines:
        return Shown(EMPTY, [])
    status, parts = _split(lines, _CERTIFICATE)
    certificates = [parse_fields(part) for part in parts]
    for certificate in certificates:
        if field(certificate, FINGERPRINT) is None or field(certificate, 'Issuer') is None:
            raise replies.Malformed('a certificate was cut short: {0!r}'.format(certificate[:1]))
    return Shown(status, certificates)


def parse_crl_file(lines):
    """Return what is in the reply to ``show ssl crl-file NAME``::

        Filename: /etc/haproxy/revoked.pem
        Status: Used

        Certificate Revocation List #1:
        Version 2
        Signature Algorithm: ecdsa-with-SHA256
        Issuer: /CN=Example CA
        Last Update: Nov 24 19:08:34 2026 GMT
        Next Update: Nov 24 19:08:34 2027 GMT
        Revoked Certificates:
            Serial Number: 1009
                Revocation Date: Nov 24 19:08:34 2026 GMT

    The empty line contains a blank.

    :return: the content is a list of :class:`RevocationList`.
    :rtype: Shown
    """
    status, parts = _split(lines, _LIST)
    is_complete = sum(len(line) + 1 for line in lines) < _SURELY_WHOLE
    found = [_parse_list(part, is_complete) for part in parts]
    return Shown(status, sorted(one for one in found if one is not None))


def _parse_list(lines, is_complete):
    """Return a revocation list; None for one that HAProxy has left out but for the beginning."""
    fields = parse_fields(lines)
    issuer, last_update, next_update = [
        field(fields, name) for name in ('Issuer', 'Last Update', 'Next Update')]
    is_cut = not (issuer and last_update and next_update) or not (
        _REVOKED in lines or _NONE_REVOKED in lines)
    if is_cut and is_complete:
        raise replies.Malformed('a revocation list was cut short: {0!r}'.format(fields[:1]))
    if is_cut:
        return None
    matches = [_SERIAL.match(line) for line in lines]
    revoked = sorted((match.group(1) for match in matches if match),
                     key=lambda digits: int(digits, 16))
    return RevocationList(issuer, parse_time(last_update), parse_time(next_update), revoked,
                          is_complete)


def _split(lines, heading):
    """Return the status of a file, and the lines of each thing in it.

    :param heading: the pattern of the line before each.
    """
    if not first_line(lines).startswith(_FIRST):
        raise refusal_of(lines)
    starts = [number for number, line in enumerate(lines) if heading.match(line)]
    status = field(parse_fields(lines[:starts[0] if starts else None]), STATUS)
    if status is None:
        raise replies.Malformed('a file without a status: {0!r}'.format(lines[0][:80]))
    return status, [lines[start + 1:end] for start, end in zip(starts, starts[1:] + [None])]
