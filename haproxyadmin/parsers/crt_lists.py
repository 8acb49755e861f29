# SPDX-License-Identifier: Apache-2.0
"""Lists of certificates, and their entries."""
import collections

from haproxyadmin.imports import Pattern
from haproxyadmin.parsers.lines import first_line, refusal_of
from haproxyadmin.protocol import replies


class CrtListEntry(collections.namedtuple('CrtListEntry', 'certificate sni options line')):
    """An entry of a list of certificates.

    ``certificate`` is its name. ``sni`` lists the SNI filters that say for which names it is used,
    such as ``'www.test'``, ``'*.test'`` and ``'!old.test'``; it is empty for the names in the
    certificate itself. ``options`` are those of the configuration, without brackets, such as
    ``'alpn h2 verify none'``, or None; HAProxy does not list the option ``ca-verify-file``.
    ``line`` is the number of the line, 0 for what was in a directory or ``ssl-f-use`` at the
    start, None if it differs between processes.
    """

    __slots__ = ()


_HEADER = '# '
# A name may contain blanks if the list is a directory.
_ENTRY = Pattern(r'(.+?):([0-9]{1,10})(?: \[([^]]*)\])?((?: [^][ ]+)*)\Z')


def parse_crt_lists(lines):
    """Return the names in the reply to ``show ssl crt-list``::

        /etc/haproxy/certs
        /etc/haproxy/list.txt

    The reply is empty if there is none.

    :rtype: list of str
    """
    if replies.is_refusal(first_line(lines)):
        raise refusal_of(lines)
    for line in lines:
        if not line or line.endswith('\r') or line.startswith(_HEADER):
            raise _malformed(line)
    return lines


def parse_entries(lines):
    """Return the entries in the reply to ``show ssl crt-list -n LIST``::

        # /etc/haproxy/list.txt
        /etc/haproxy/www.pem:2
        /etc/haproxy/api.pem:4 [alpn h2,http/1.1\\0 verify none] *.api.test !old.api.test

    All versions print a NUL after some options, and no options as ``[]``, up to 2.6 always and
    later sometimes. All entries of a directory, and of ``ssl-f-use``, have the line 0, except those
    that were added.

    :return: the entries; ``options`` is None if there are none.
    :rtype: list of CrtListEntry
    """
    if not first_line(lines).startswith(_HEADER):
        raise refusal_of(lines)
    return [_parse_entry(line.replace('\0', '')) for line in lines[1:]]


def _parse_entry(line):
    match = _ENTRY.match(line)
    if not match:
        raise _malformed(line)
    certificate, number, options, sni = match.groups()
    return CrtListEntry(certificate, sni.split(), (options or '').strip() or None, int(number))


def _malformed(line):
    return replies.Malformed('unexpected line: {0!r}'.format(line[:80]))
