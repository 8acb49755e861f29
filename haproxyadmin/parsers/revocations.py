# SPDX-License-Identifier: Apache-2.0
"""What is in a certificate revocation list, as far as HAProxy shows it."""
import collections

from haproxyadmin.parsers.der import INTEGER, SEQUENCE, TIME, enter, hex_of, read_part, read_parts
from haproxyadmin.parsers.times import parse_generalized

_SHORT_TIME = 0x17

# The dates are aware; serials is a frozenset of hexadecimal digits, as HAProxy shows them.
Revocations = collections.namedtuple('Revocations', 'last_update next_update serials')


def parse_revocations(der):
    """Return what a revocation list contains (RFC 5280, section 5.1).

    :type der: bytes
    :rtype: Revocations
    :raises ValueError: if it is not one, or one without a date of the next list: HAProxy (seen with
        2.6 to 3.2) crashes when it shows such a list.
    """
    data = bytearray(der)
    try:
        whole = read_part(data, 0, len(data), SEQUENCE)
        parts = read_parts(data, enter(data, whole, SEQUENCE))
        # Before the dates are perhaps a version, and an algorithm and the issuer.
        start = [part.tag for part in parts].index(SEQUENCE) + 2
        dates = [_parse_date(data, part) for part in parts[start:start + 2]
                 if part.tag in (_SHORT_TIME, TIME)]
        rest = [part for part in parts[start + 2:start + 3] if part.tag == SEQUENCE]
        entries = read_parts(data, rest[0]) if rest else []
        serials = frozenset(_parse_serial(data, enter(data, entry, INTEGER)) for entry in entries)
    except ValueError:
        raise ValueError('this is not a revocation list')
    if len(dates) == 1:
        raise ValueError('the revocation list does not say when the next one is due; HAProxy would '
                         'crash')
    if not dates:
        raise ValueError('this is not a revocation list')
    return Revocations(dates[0], dates[1], serials)


def _parse_date(data, part):
    text = bytes(data[part.start:part.end])
    if part.tag == _SHORT_TIME:
        text = (b'19' if text >= b'50' else b'20') + text
    return parse_generalized(text.decode('latin-1'))


def _parse_serial(data, part):
    value, sign = int(hex_of(data, part.start, part.end), 16), ''
    if data[part.start] & 0x80:
        value, sign = (1 << 8 * (part.end - part.start)) - value, '-'
    digits = '{0:X}'.format(value)
    return sign + '0' * (len(digits) % 2) + digits
