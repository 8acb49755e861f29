# SPDX-License-Identifier: Apache-2.0
"""The reply to ``show sess``."""
from haproxyadmin.imports import Pattern
from haproxyadmin.parsers.lines import refusal_of

_ROW = Pattern(r'0x[0-9a-f]+: (?:.* be=(\S+) srv=(\S+) )?')


def count_sessions(lines, backend, server):
    """Return how many sessions a server has::

        0x555555be0090: proto=tcpv4 src=10.0.0.9:57572 fe=www be=web srv=web1 ts=00 age=0s ...

    A session between peers has no backend and no server.

    :param lines: the lines of the reply.
    :rtype: int
    """
    matches = [_ROW.match(line) for line in lines]
    if not all(matches):
        raise refusal_of(lines)
    return len([match for match in matches if match.groups() == (backend, server)])
