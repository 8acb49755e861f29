# SPDX-License-Identifier: Apache-2.0
"""Read DER: a part has a tag, a length and a content, which may consist of parts again."""
import collections

from haproxyadmin.protocol import replies

# Tags.
INTEGER, BITS, OCTETS, ENUMERATED, TIME, SEQUENCE = 0x02, 0x03, 0x04, 0x0a, 0x18, 0x30
FIRST, SECOND = 0xa0, 0xa1

# start, end: of the content.
_Part = collections.namedtuple('_Part', 'tag start end')


def read_part(data, place, end, tag=None):
    """Return the part of DER that begins at a place.

    :type data: bytearray
    :param end: where what contains it ends.
    :param tag: (optional) its tag; None for any.
    :raises haproxyadmin.protocol.replies.Malformed: if there is none.
    """
    if end - place < 2:
        raise replies.Malformed('it is cut short')
    length, start = data[place + 1], place + 2
    if length > 0x7f:
        count = length & 0x7f
        if not 1 <= count <= 4 or end - start < count:
            raise replies.Malformed('it has a wrong length')
        start += count
        length = int(hex_of(data, start - count, start), 16)
    if length > end - start:
        raise replies.Malformed('it is cut short')
    if tag not in (None, data[place]):
        raise replies.Malformed('expected the tag {0:#04x}, got {1:#04x}'.format(tag, data[place]))
    return _Part(data[place], start, start + length)


def enter(data, part, tag):
    """Return the first part within a part."""
    return read_part(data, part.start, part.end, tag)


def read_parts(data, part):
    """Return all parts within a part."""
    parts, place = [], part.start
    while place < part.end:
        parts.append(read_part(data, place, part.end))
        place = parts[-1].end
    return parts


def hex_of(data, start, end):
    """Return bytes in hexadecimal digits."""
    return ''.join('{0:02x}'.format(byte) for byte in data[start:end])


def serial_of(data, part):
    """Return a serial number as HAProxy shows it."""
    digits = hex_of(data, part.start, part.end)
    # Without the byte that only says that the number is positive.
    return (digits[2:] if digits.startswith('00') and len(digits) > 2 else digits).upper()


def is_sequence(content):
    """Return True if bytes are one sequence, from the beginning to the end."""
    data = bytearray(content)
    try:
        return read_part(data, 0, len(data), SEQUENCE).end == len(data)
    except replies.Malformed:
        return False
