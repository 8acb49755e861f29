# SPDX-License-Identifier: Apache-2.0
"""Files with keys of TLS tickets."""
import collections

from haproxyadmin.imports import Pattern
from haproxyadmin.parsers.lines import first_line, refusal_of
from haproxyadmin.protocol import replies

TicketFile = collections.namedtuple('TicketFile', 'id name')

_FIRST = '# id (file)'
_FILE = Pattern(r'([0-9]{1,10}) \((.*)\)\Z')


def parse_ticket_files(lines):
    """Return the files, from the reply to ``show tls-keys``::

        # id (file)
        0 (/etc/haproxy/tickets.key)

    The first line is there even if there is no file.

    :rtype: list of :class:`TicketFile`
    """
    if first_line(lines) != _FIRST:
        raise refusal_of(lines)
    found = []
    for line in lines[1:]:
        match = _FILE.match(line)
        if not match:
            # Not the line itself: it must never be a secret.
            raise replies.Malformed('not a file with keys of TLS tickets')
        found.append(TicketFile(int(match.group(1)), match.group(2)))
    return found
