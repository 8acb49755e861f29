# SPDX-License-Identifier: Apache-2.0
"""Name servers and their counters."""
from haproxyadmin.imports import Pattern
from haproxyadmin.parsers.lines import first_line, refusal_of
from haproxyadmin.protocol import replies

_SECTION = Pattern(r'Resolvers section (\S+)\Z')
_SERVER = Pattern(r' nameserver (\S+):\Z')
_COUNTER = Pattern(r'  ([^ :]+): +([0-9]{1,30})\Z')


def parse_resolvers(lines):
    """Return the resolvers sections in the reply to ``show resolvers``::

        Resolvers section dns
         nameserver ns1:
          sent:        6
          snd_error:   0
          valid:       6
         nameserver ns2:
          sent:        3
          snd_error:   3
          valid:       0
        Resolvers section default

    with twelve more counters for each name server, and up to 2.4 an empty line after each section.
    If there is none, the reply is ``No resolvers found``.

    :return: for each section its name, and its name servers: for each its name and ``{name of a
        counter: number}``.
    :rtype: list of tuple
    """
    sections, counters = [], None
    if replies.is_without_resolvers(first_line(lines)):
        return sections
    for line in filter(None, lines):
        section, server, counter = (kind.match(line) for kind in (_SECTION, _SERVER, _COUNTER))
        if section:
            sections.append((section.group(1), []))
            counters = None
        elif not sections:
            raise refusal_of(lines)
        elif server:
            counters = {}
            sections[-1][1].append((server.group(1), counters))
        elif counter and counters is not None:
            counters[counter.group(1)] = int(counter.group(2))
        else:
            raise replies.Malformed('unexpected line: {0!r}'.format(line[:80]))
    # What is missing at the end was cut off.
    kinds = set(frozenset(counted) for _, servers in sections for _, counted in servers)
    if len(kinds) > 1 or frozenset() in kinds:
        raise replies.Malformed('counters of a name server are missing')
    return sections
