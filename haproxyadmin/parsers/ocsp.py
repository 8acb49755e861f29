# SPDX-License-Identifier: Apache-2.0
"""OCSP responses: what HAProxy says about them, and what is in one."""
import binascii
import collections

from haproxyadmin.parsers.der import (ENUMERATED, FIRST, INTEGER, OCTETS, SECOND, SEQUENCE, TIME,
                                      enter, hex_of, read_part, serial_of)
from haproxyadmin.parsers.lines import first_line, refusal_of
from haproxyadmin.parsers.times import parse_generalized, parse_time
from haproxyadmin.protocol import replies

# certificate: None before 2.8.
ResponseId = collections.namedtuple(
    'ResponseId', 'id certificate serial issuer_name_hash issuer_key_hash')
Update = collections.namedtuple('Update', 'successes failures text')


class Content(collections.namedtuple(
        'Content', 'status produced_at this_update next_update revoked_at der')):
    """The OCSP response of one process.

    ``status``, ``this_update``, ``next_update`` and ``revoked_at`` are those of
    :class:`haproxyadmin.ocsp.OcspResponse`; ``produced_at`` is when the authority has made it.
    ``der`` is the response itself, as bytes, None before HAProxy 2.8. All are None if the process
    has not got a response yet.

    Usage::

        >>> (_, content), = hap.ocsp_responses()[0].by_socket
        >>> content.status, content.revoked_at, len(content.der) > 0
        ('good', None, True)
        >>> content.this_update <= content.produced_at < content.next_update
        True
    """

    __slots__ = ()


# HAProxy waits for one.
NO_CONTENT = Content(None, None, None, None, None, None)
STATUSES = ('good', 'revoked', 'unknown')

_IDS = '# Certificate IDs'
_DETAILS = 'OCSP Response Data:'
_UPDATES = 'OCSP Certid | '
_FIELDS = {
    'Certificate ID key': 'id', 'Certificate path': 'certificate', 'Serial Number': 'serial',
    'Issuer Name Hash': 'issuer_name_hash', 'Issuer Key Hash': 'issuer_key_hash'}
# What follows is about the signature and about certificates.
_END = 'Signature Algorithm'


def parse_ids(lines):
    """Return what the OCSP responses are for, from the reply to ``show ssl ocsp-response``::

        # Certificate IDs
        Certificate ID key : 303b300906052b0e03021a050004148b3f01887ddbc767e405da8376ea9ff39bd4d2990
        Certificate path : /etc/haproxy/www.pem
         Certificate ID:
           Issuer Name Hash: 8B3F01887DDBC767E405DA8376EA9FF39BD4D299
           Issuer Key Hash: 1CCE3C60CFD11BF7B40D4C893F3FC44524831CDB
           Serial Number: 1000

    Before 2.8 there is no path. The reply is empty, or only the first line, if there is none.

    :rtype: list of :class:`ResponseId`
    """
    if lines and lines[0] != _IDS:
        raise refusal_of(lines)
    found = []
    for line in lines[1:]:
        name, _, value = line.partition(':')
        field = _FIELDS.get(name.strip())
        if field == 'id':
            found.append({'certificate': None})
        if field and found:
            found[-1][field] = value.strip(' ')
    try:
        return [ResponseId(**fields) for fields in found]
    except TypeError:
        raise replies.Malformed('an OCSP response without a field: {0!r}'.format(found)[:300])


def parse_details(lines):
    """Return an OCSP response, from the reply to ``show ssl ocsp-response ID``::

        OCSP Response Data:
            OCSP Response Status: successful (0x0)
            Response Type: Basic OCSP Response
            Version: 1 (0x0)
            Responder Id: CN = Example CA
            Produced At: Nov 24 19:08:34 2026 GMT
            Responses:
            Certificate ID:
              Hash Algorithm: sha1
              Issuer Name Hash: 8B3F01887DDBC767E405DA8376EA9FF39BD4D299
              Issuer Key Hash: 1CCE3C60CFD11BF7B40D4C893F3FC44524831CDB
              Serial Number: 1000
            Cert Status: revoked
            Revocation Time: Nov 24 19:08:33 2026 GMT
            This Update: Nov 24 19:08:34 2026 GMT
            Next Update: Dec 24 19:08:34 2026 GMT

            Signature Algorithm: ecdsa-with-SHA256

    Certificates follow. Used before 2.8; HAProxy cuts off what does not fit into its buffer.

    :rtype: :class:`Content`, or None if there is no such response (any more)
    """
    first = first_line(lines)
    if replies.is_unknown_response(first):
        return None
    if first != _DETAILS:
        raise refusal_of(lines)
    fields = {}
    for line in lines[1:]:
        name, _, value = line.strip().partition(': ')
        if name.startswith(_END):
            break
        fields.setdefault(name, value)
    status = fields.get('Cert Status')
    if status not in STATUSES:
        raise replies.Malformed('an OCSP response of status {0!r}'.format(status))
    return Content(status, *[fields[name] and parse_time(fields[name]) if name in fields else None
                             for name in ('Produced At', 'This Update', 'Next Update',
                                          'Revocation Time')] + [None])


def parse_base64(lines):
    """Return an OCSP response, from the reply to ``show ssl ocsp-response base64 ID``::

        MIICnQoBAKCCApYwggKSBgkrBgEFBQcwAQEEggKDMIICfzCBs6EUMBIxEDAOBgNVBAMMB1Rlc3QgQ0E...

    One line; the reply is empty if HAProxy has not got a response yet (``ocsp-update on``).

    :rtype: :class:`Content`, or None if there is no such response (any more)
    """
    first = first_line(lines)
    if not lines:
        return NO_CONTENT
    if replies.is_unknown_response(first):
        return None
    # DER in base64 is never a message.
    if not first.startswith('M') or len(lines) > 1 or len(first) % 4:
        raise refusal_of(lines)
    try:
        der = binascii.a2b_base64(first.encode('ascii'))
    except (ValueError, binascii.Error):  # the latter is a ValueError on Python 3 only
        raise replies.Malformed('not base64: {0!r}'.format(first[:80]))
    return parse_response(der)[1]


def parse_updates(lines):
    """Return the updates that HAProxy makes, from the reply to ``show ssl ocsp-updates``::

        OCSP Certid | Path | Next Update | Last Update | Successes | Failures | Last Update Status |
        303b...1000 | /etc/haproxy/www.pem | 26/Nov/2026:19:15:12 +0000 | 26/Nov/2026:18:15:12 +0000

    Each line goes on with ``3 | 0 | 1 | Update successful``. A certificate without ``ocsp-update
    on`` is listed while it waits for an update, or is being updated.

    :return: :class:`Update` by id.
    :rtype: dict
    """
    if not first_line(lines).startswith(_UPDATES):
        raise refusal_of(lines)
    found = {}
    for line in lines[1:]:
        fields = [field.strip() for field in line.split(' | ')]
        # The path may contain anything.
        numbers = fields[-4:-2]
        if len(fields) < 8 or not all(number.isdigit() for number in numbers):
            raise replies.Malformed('not an update of an OCSP response: {0!r}'.format(line[:300]))
        found[fields[0]] = Update(int(numbers[0]), int(numbers[1]), fields[-1])
    return found


# An OCSP response in DER

def parse_response(der):
    """Return what an OCSP response is for, and what it says::

        OCSPResponse: SEQUENCE of a status (ENUMERATED) and, in [0], a SEQUENCE of its type and
        BasicOCSPResponse (in an OCTET STRING): SEQUENCE of a SEQUENCE of
            [0] version, responder, time, SEQUENCE of SingleResponse
        SingleResponse: SEQUENCE of a CertID (SEQUENCE of algorithm, hash of the issuer's name, hash
            of its key, serial number), status, time, [0] time of the next update

    Signatures are not checked.

    :type der: bytes
    :rtype: tuple of :class:`ResponseId`, :class:`Content`
    :raises haproxyadmin.protocol.replies.Malformed: for anything else, and for a response that
        HAProxy does not accept: without success, or about several certificates.
    """
    data = bytearray(der)
    try:
        whole = read_part(data, 0, len(data), SEQUENCE)
        if whole.end != len(data):
            raise replies.Malformed('{0} bytes follow it'.format(len(data) - whole.end))
        status = read_part(data, whole.start, whole.end, ENUMERATED)
        if data[status.start:status.end] != b'\0':
            raise replies.Malformed('its status is not successful (0) but {0}'.format(
                list(data[status.start:status.end])))
        outer = enter(data, read_part(data, status.end, whole.end, FIRST), SEQUENCE)
        kind = read_part(data, outer.start, outer.end)
        basic = enter(data, read_part(data, kind.end, outer.end, OCTETS), SEQUENCE)
        return _parse_basic(der, data, enter(data, basic, SEQUENCE))
    except replies.Malformed as error:
        raise replies.Malformed('not an OCSP response in DER: {0}'.format(error))


def _parse_basic(der, data, basic):
    place = basic.start
    part = read_part(data, place, basic.end)
    if part.tag == FIRST:
        part = read_part(data, part.end, basic.end)
    produced = read_part(data, part.end, basic.end, TIME)
    responses = read_part(data, produced.end, basic.end, SEQUENCE)
    single = enter(data, responses, SEQUENCE)
    if single.end != responses.end:
        raise replies.Malformed('it is about several certificates')
    cert_id = enter(data, single, SEQUENCE)
    algorithm = read_part(data, cert_id.start, cert_id.end, SEQUENCE)
    name_hash = read_part(data, algorithm.end, cert_id.end, OCTETS)
    key_hash = read_part(data, name_hash.end, cert_id.end, OCTETS)
    serial = read_part(data, key_hash.end, cert_id.end, INTEGER)
    status = read_part(data, cert_id.end, single.end)
    if status.tag & 0xdf not in (0x80, 0x81, 0x82):
        raise replies.Malformed('its status of the certificate is unknown')
    this_update = read_part(data, status.end, single.end, TIME)
    revoked = next_update = None
    if status.tag == SECOND:
        revoked = enter(data, status, TIME)
    if this_update.end < single.end:
        part = read_part(data, this_update.end, single.end)
        if part.tag == FIRST:
            next_update = enter(data, part, TIME)
    known = ResponseId(
        hex_of(data, single.start, cert_id.end), None,
        serial_of(data, serial), hex_of(data, name_hash.start, name_hash.end).upper(),
        hex_of(data, key_hash.start, key_hash.end).upper())
    times = [part and parse_generalized(bytes(data[part.start:part.end]).decode('latin-1'))
             for part in (produced, this_update, next_update, revoked)]
    return known, Content(*[STATUSES[status.tag & 0x0f]] + times + [bytes(der)])
