# SPDX-License-Identifier: Apache-2.0
"""The files that HAProxy loads ACLs and maps from: ``-f FILE`` and ``map(FILE)``.

A map, of which HAProxy ignores the first two lines::

    # key            value

    www.example.com  web
     #42             a value may contain blanks

An ACL has a pattern a line, which may contain blanks. All versions read them alike.
"""
import itertools

from haproxyadmin.imports import Pattern
from haproxyadmin.protocol.words import to_bytes, to_native

# HAProxy takes the rest for a line of its own. Only up to 1.7 it depends on tune.bufsize.
LONGEST_LINE = 16383
_LINES_AT_ONCE = 1000
# A comment begins without a blank, and CR and NUL end a line.
_ACL_LINE = Pattern(br'(?!#)[ \t]*([^\0\r\n \t][^\0\r\n]*)')
_MAP_LINE = Pattern(br'(?!#)[ \t]*([^\0\r\n \t]+)[ \t]*([^\0\r\n]*)')
_PATTERN = Pattern(br'[^\0\r\n \t][^\0\r\n]*\Z')
_KEY = Pattern(br'[^\0\r\n \t]+\Z')
_VALUE = Pattern(br'(?:[^\0\r\n \t](?:[^\0\r\n]*[^\0\r\n \t])?)?\Z')


def parse_file(family, lines):
    """Yield what an ACL or map contains when HAProxy has loaded a file.

    :param family: ``'acl'`` or ``'map'``.
    :param lines: its lines, as a file that is open in binary mode yields them; one at a time is
        held.
    :type lines: iterable of bytes
    :return: patterns, or pairs of key and value, in order, also those that occur twice. A value
        may be ``''``, which cannot be sent through a socket.
    :rtype: generator of str or tuple
    :raises ValueError: for a line that HAProxy splits because it is too long; the message contains
        its number.
    """
    parse_line = {'acl': _parse_pattern, 'map': _parse_pair}[family]
    for number, line in enumerate(lines, 1):
        if len(line) > LONGEST_LINE and line[LONGEST_LINE:].rstrip(b'\r\n'):
            raise ValueError('line {0} is too long: HAProxy splits lines of more than {1} '
                             'bytes'.format(number, LONGEST_LINE))
        entry = parse_line(line)
        if entry is not None:
            yield entry


def format_file(family, entries):
    """Yield the parts of a file from which HAProxy loads exactly these entries.

    :param family: ``'acl'`` or ``'map'``.
    :param entries: patterns, or pairs of key and value; text or bytes. A value may be ``''``.
    :type entries: iterable
    :rtype: generator of bytes
    :raises ValueError: for an entry that such a file cannot contain, when its part is due: earlier
        ones have been yielded by then.
    """
    format_entry = {'acl': _format_pattern, 'map': _format_pair}[family]
    entries = iter(entries)
    while True:
        part = b''.join(map(format_entry, itertools.islice(entries, _LINES_AT_ONCE)))
        if not part:
            return
        yield part


def _parse_pattern(line):
    match = _ACL_LINE.match(line)
    return match and to_native(match.group(1))


def _parse_pair(line):
    match = _MAP_LINE.match(line)
    return match and (to_native(match.group(1)), to_native(match.group(2).rstrip(b' \t')))


def _format_pattern(pattern):
    line = _encode(pattern, 'a pattern')
    if not _PATTERN.match(line):
        raise ValueError('a pattern in a file must not be empty, begin with a space or tab, or '
                         'contain a newline, carriage return or NUL: {0!r}'.format(pattern))
    return _end_line(line, pattern)


def _format_pair(pair):
    key, value = pair
    raw_key, raw_value = _encode(key, 'a key'), _encode(value, 'a value')
    if not _KEY.match(raw_key):
        raise ValueError('a key in a file must not be empty, or contain a space, tab, newline, '
                         'carriage return or NUL: {0!r}'.format(key))
    if not _VALUE.match(raw_value):
        raise ValueError('a value in a file must not begin or end with a space or tab, or contain '
                         'a newline, carriage return or NUL: {0!r} of key {1!r}'.format(value, key))
    return _end_line(raw_key + b' ' + raw_value if raw_value else raw_key, pair)


def _encode(text, name):
    try:
        return to_bytes(text)
    except ValueError:
        raise ValueError('{0} in a file must be text, got {1!r}'.format(name, text))


def _end_line(line, entry):
    if line.startswith(b'#'):
        # Otherwise it would be a comment.
        line = b' ' + line
    if len(line) > LONGEST_LINE:
        raise ValueError('an entry of {0} bytes is too long: HAProxy splits lines of more than {1} '
                         'bytes: {2:.200}'.format(len(line), LONGEST_LINE, repr(entry)))
    return line + b'\n'
