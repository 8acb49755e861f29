# SPDX-License-Identifier: Apache-2.0
"""Peers, their connections, and the stick tables that they share."""
import collections

from haproxyadmin.imports import Pattern
from haproxyadmin.parsers.lines import refusal_of
from haproxyadmin.protocol import replies

ESTABLISHED = 'ESTA'

Section = collections.namedtuple('Section', 'name fields peers')


class PeerState(collections.namedtuple(
        'PeerState', 'name address is_local is_connected status fields tables')):
    """What one process says about a peer.

    ``name`` and ``address`` are those of the configuration. ``is_local`` is True if the peer stands
    for the process itself, ``is_connected`` if a connection to it works. ``status`` is HAProxy's
    word for the last connection, such as ``'ESTA'`` or ``'CONN'``, ``'NONE'`` if there was none.
    ``fields`` is a dict of everything that HAProxy prints, by its own names, and ``tables`` lists a
    dict for each stick table that is shared with it.

    Usage::

        >>> for address, state in hap.peers_section('lbs').peer('lb2').by_socket:
        ...     print(address, state.name, state.is_local, state.is_connected, state.status)
        ...
        /run/haproxy/lb1.sock lb2 False True ESTA
        /run/haproxy/lb2.sock lb2 True False NONE
        >>> state.address, state.fields['addr'] == state.address, len(state.tables)
        ('127.0.0.1:...', True, 1)
    """

    __slots__ = ()


# The date in the brackets is wrong from 2.8 on.
_SECTION = Pattern(r'0x[0-9a-f]+: \[[^]]*\] id=(\S+) (.+)\Z')
_PEER = Pattern(r'  0x[0-9a-f]+: id=(\S+)\((local|remote)(,active|,inactive)?\) (.+)\Z')
_TABLE = Pattern(r' {10}0x[0-9a-f]+ (.+)\Z')
_MORE = Pattern(r' {8,}(\S.*)\Z')
_TABLES = ' ' * 8 + 'shared tables:'
# Up to 2.2 the names of servers, by number, are always there.
_DICTIONARY = Pattern(r' {8}((TX |RX )?[Dd]ictionary cache\b| *[0-9]+ -> )')
# What follows is about something else, such as the connection.
_LABEL = Pattern(r'(\w+):0x[0-9a-f]+\Z')
_NUMBER = Pattern(r'-?[0-9]{1,30}\Z')


def parse_peers(lines):
    """Return the peers sections in the reply to ``show peers``::

        0x7f3767fe9000: [26/Nov/2026:14:56:11] id=mypeers disabled=0 flags=0x1 resync_timeout=0s
          0x7f3769669440: id=two(remote,active) addr=10.0.0.2:1024 last_status=ESTA last_hdshk=5s
                reconnect=2s heartbeat=0s confirm=0 tx_hbt=1 rx_hbt=1 no_hbt=0 new_conn=1
                flags=0x100028 appctx:0x7f3768478280 st0=7 st1=0 task_calls=7 state=EST
                xprt=RAW src=10.0.0.1:56798 addr=10.0.0.2:1024
                remote_table:0x7f3768179fc0 id=t local_id=2 remote_id=2
                shared tables:
                  0x7f3768179fc0 local_id=2 remote_id=2 flags=0x0 remote_data=0x4
                      last_acked=1 last_pushed=1 last_get=1 teaching_origin=1 update=1
                      table:0x7f3768079e00 id=t update=1 localupdate=1 commitupdate=1 refcnt=1
                Dictionary cache not dumped (use "show peers dict")
          0x7f3769669380: id=one(local,inactive) addr=10.0.0.1:1024 last_status=NONE
                flags=0x0

    (the first line of a section and of a peer are longer), with an empty line between sections. The
    fields differ in every version; 2.0 has no ``active``, and ``status`` for ``last_status``. A
    connection that was lost leaves ``last_status`` as it was. The reply is empty if there is none.

    :return: the sections. Fields are integers if they are decimal numbers, otherwise text; what
        follows a word such as ``appctx:0x7f3768478280`` is in a dict under that name.
    :rtype: list of Section
    """
    sections, peers, fields, target = [], [], None, None
    for line in filter(None, lines):
        section, peer, table = (kind.match(line) for kind in (_SECTION, _PEER, _TABLE))
        if section:
            target = fields = {}
            peers = []
            sections.append((section.group(1), fields, peers))
            rest = section.group(2)
        elif not sections:
            raise refusal_of(lines)
        elif peer:
            target = fields = {}
            peers.append((peer, fields, []))
            rest = peer.group(4)
        elif not peers:
            raise _malformed(line)
        elif line == _TABLES or _DICTIONARY.match(line):
            continue
        elif table:
            target = fields = {}
            peers[-1][2].append(fields)
            rest = table.group(1)
        else:
            more = _MORE.match(line)
            if not more:
                raise _malformed(line)
            rest = more.group(1)
        target = _read_fields(rest, fields, target)
    return [Section(name, own, [_state_of(*found) for found in inner])
            for name, own, inner in sections]


def _read_fields(text, fields, target):
    """Read words such as ``name=value``; return the dict that the next line belongs to."""
    for word in text.split():
        label = _LABEL.match(word)
        if label:
            target = fields.setdefault(label.group(1), {})
            continue
        name, _, value = word.partition('=')
        if not (name and value) or target is None:
            raise _malformed(text)
        target[name] = int(value) if _NUMBER.match(value) else value
    return target


def _state_of(match, fields, tables):
    status = fields.get('last_status', fields.get('status'))
    if status is None or 'addr' not in fields:
        raise _malformed(match.group())
    name, role, activity, _ = match.groups()
    return PeerState(
        name, fields['addr'], role == 'local',
        status == ESTABLISHED and (activity == ',active' or 'appctx' in fields), status, fields,
        tables)


def _malformed(line):
    return replies.Malformed('unexpected line: {0!r}'.format(line[:80]))
