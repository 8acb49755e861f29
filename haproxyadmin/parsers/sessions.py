# SPDX-License-Identifier: Apache-2.0
"""The replies to ``show sess`` and ``show sess ID``."""
import collections

from haproxyadmin.imports import Pattern
from haproxyadmin.parsers.lines import refusal_of
from haproxyadmin.parsers.values import isint
from haproxyadmin.protocol.replies import Malformed

# Half of the time that reading takes goes into this pattern.
_ROW = Pattern(r'(0x[0-9a-f]+): proto=(\S+) (?:src=(\S+) fe=(\S+) be=(\S+) srv=(\S+) )?'
               r'ts=.*? age=(\S+) .* exp=')
_FIELD = Pattern(r'(\w+)(?:=\[([^\]]*)\]|\[([^\]]*)\]|\(([^)]*)\)|=("[^"]*"|\S*))')
_HEAD = Pattern(r'(0x[0-9a-f]+): \[([^\]]*)\] id=(\d+) proto=(\S+)(?: source=(\S+))?')
_TOKEN = Pattern(r'(?:^|[\s(])([A-Za-z_][\w.\[\]]*)=("[^"]*"|\(nil\)|\S*)')
_OWNER = Pattern(r'  (frontend|backend|server)=(\S+) .*?(?:\) addr=(\S+))?\Z')
_BACK_NUMBER = Pattern(r'.* (?:scb|s1)=\[(\d+),')
# From CON to EST; before 2.0 EST is 7.
_CONNECTED = ('5', '6', '7', '8')
_BACK_STATE = Pattern(r'  (?:scb|si\[1\])=.*?state=(\w+)')
_TASK = '  task='
# The last line that begins so in every version.
_LAST = '  res='
_TERMINATED = '  *** session terminated'
_NOT_FOUND = 'Session not found.'
# Stands for no backend and no server, respectively.
_NONE = ('<NONE>', '<none>')
# The frontend of the stats sockets.
_OF_STATS_SOCKET = ' fe=GLOBAL be=<NONE> '
_UNITS = (('d', 86400), ('h', 3600), ('m', 60), ('s', 1))
_TIME = Pattern(r'(?=.)(?:([0-9]{1,9})d)?(?:([0-9]{1,9})h)?(?:([0-9]{1,9})m)?(?:([0-9]{1,9})s)?\Z')

# A session in a list. The four fields after the protocol are None if HAProxy does not report them:
# for sessions that it has begun itself, or if it does not know the address of the client.
Row = collections.namedtuple('Row', 'id proto source frontend backend server age')

# A session as a look at it shows it. epoch: None before 2.3.7. back_state: of the side of the
# server: INI, REQ, QUE, TAR, ASS, CON, CER, RDY, EST, DIS, CLO.
Look = collections.namedtuple(
    'Look', 'proto source frontend backend server epoch age back_state')


class SessionDetails(collections.namedtuple(
        'SessionDetails', 'unique_id accepted flags frontend_address backend_address '
        'server_address fields text')):
    """What :meth:`haproxyadmin.sessions.Session.details` returns.

    ``unique_id`` is the number of the session in the process (the same for 4294967296 later ones,
    0 for peers). ``accepted`` is when it began, as HAProxy prints it,
    ``'24/Nov/2026:19:48:13.585013'``, in the time zone of its machine. ``flags`` are HAProxy's,
    ``'0xc4a'``. ``frontend_address`` is the address that the client has connected to,
    ``backend_address`` the one that HAProxy has connected from, and ``server_address`` that of the
    server, each None if it is not known. ``fields`` is a dict of what HAProxy prints as
    ``NAME=VALUE``, as far as the name occurs once, different in each version; ``text`` is the whole
    reply.
    """

    __slots__ = ()


def parse_rows(lines):
    """Parse the reply to ``show sess``::

        0x555555be0090: proto=tcpv4 src=10.0.0.9:57572 fe=www be=web srv=web1 ts=00 epoch=0x1
          age=1m2s calls=2 rate=0 cpu=0 lat=0 rq[f=1840000h,i=0,an=8000h,ax=] rp[f=80000000h,...]
          scf=[8,482h,fd=28,rex=,wex=] scb=[8,1411h,fd=29,rex=28s,wex=] exp=1s rc=0 c_exp=

    in one line each. A session that HAProxy has begun itself, for instance between peers, has
    ``proto=?`` and no ``src``, ``fe``, ``be`` and ``srv``.

    :param lines: the lines of the reply.
    :return: for each line a match, whose groups are the items of :class:`Row`, as text.
    :rtype: list
    :raises haproxyadmin.protocol.replies.Malformed: for anything else.
    """
    matches = list(map(_ROW.match, lines))
    if not all(matches):
        wrong = matches.index(None)
        raise refusal_of(lines) if wrong == 0 else Malformed(
            'not a session: {0!r}'.format(lines[wrong][:80]))
    return matches


def count_sessions(lines, backend, server):
    """Return how many sessions a server has; see :func:`parse_rows`.

    :param lines: the lines of the reply.
    :rtype: int
    """
    return len([match for match in parse_rows(lines) if match.group(5, 6) == (backend, server)])


def is_of_stats_socket(line):
    """Return True for a session of a client of a stats socket, this library among them."""
    return _OF_STATS_SOCKET in line


def has_connection(line):
    """Return True for a session with a server that it connects to, or has done so.

    One in the queue of a server, to which a cookie sends it, has the server but no connection.
    """
    match = _BACK_NUMBER.match(line)
    return (match is not None and match.group(1) in _CONNECTED
            and name_or_none(parse_row(line).server) is not None)


def name_or_none(text):
    """Return a name, None where HAProxy reports that there is none."""
    return None if text in _NONE else text


def parse_row(line):
    """Return a line of the list as a :class:`Row`, with the text that HAProxy prints."""
    return Row(*_ROW.match(line).groups())


def parse_fields(line):
    """Return all fields of a line of the list as text, without brackets around a value.

    :rtype: dict
    """
    return dict((name, ''.join(values)) for name, values in (
        (match[0], match[1:]) for match in _FIELD.findall(line)))


def split_source(text):
    """Return the address and the port of a client; the port of a Unix socket is None.

    IPv6 addresses stand without brackets: ``::1:36730``.

    :rtype: tuple
    """
    address, _, port = (text or '').rpartition(':')
    if not address or address == 'unix' or not isint(port):
        return text, None
    return address, int(port)


def parse_time(text):
    """Return the seconds of a time that HAProxy prints, ``1m2s``, and how many it may lack.

    HAProxy prints the two greatest units that are not zero, and drops the rest.

    :return: both; None for no time, and for one that HAProxy does not know.
    :rtype: tuple or None
    """
    match = _TIME.match(text or '')
    if match is None:
        return None
    printed = [(int(number), seconds) for number, (_, seconds) in zip(match.groups(), _UNITS)
               if number is not None]
    lack = printed[-1][1] - 1 if len(printed) > 1 else 0
    return sum(number * seconds for number, seconds in printed), lack


def split_looks(lines):
    """Split the reply to several ``show sess ID`` on one line.

    :param lines: the lines of the reply.
    :return: the lines of each session that is there, by its id.
    :rtype: dict
    :raises haproxyadmin.protocol.replies.Malformed: for what belongs to no session.
    """
    found, current = {}, None
    for line in lines:
        match = _HEAD.match(line)
        if match:
            current = found[match.group(1)] = []
        elif line in ('', _NOT_FOUND):
            current = None
        elif current is None or not line.startswith(' '):
            raise refusal_of([line])
        if current is not None:
            current.append(line)
    return dict((ident, own) for ident, own in found.items() if not _has_ended(own))


def _has_ended(lines):
    return any(line.startswith(_TERMINATED) for line in lines)


def parse_look(lines):
    """Parse what tells sessions apart; see :func:`parse_details`.

    :param lines: the lines of a session.
    :rtype: :class:`Look`
    """
    proto, source = _check_whole(lines).groups()[3:]
    fields = dict(_TOKEN.findall('\n'.join(line for line in lines[1:] if line.startswith(
        ('  flags=', '  frontend=', '  backend=', '  server=', _TASK)))))
    states = [match.group(1) for match in map(_BACK_STATE.match, lines) if match]
    return Look(proto, source, fields.get('frontend'), fields.get('backend'), fields.get('server'),
                fields.get('epoch'), fields.get('age', '').rstrip(')'),
                states[0] if states else None)


def parse_details(lines):
    """Parse the reply to ``show sess ID``, which is different in every version::

        0x7f9c15495c00: [24/Nov/2026:19:48:13.585013] id=5 proto=tcpv4 source=127.0.0.1:44764
          flags=0xc4a, conn_retries=0, srv_conn=0x7f9c12897000, pend_pos=(nil) waiting=0 epoch=0
          frontend=http (id=9 mode=http), listener=h1 (id=1) addr=127.0.0.1:21120
          backend=be_slow (id=12 mode=http) addr=127.0.0.1:36522
          server=w2 (id=2) addr=127.0.0.1:20802
          task=0x7f9c11583360 (state=0x00 nice=0 calls=2 rate=0 exp=1s tid=0(1/0) age=1s)
          txn=0x7f9c11521180 flags=0x3000 meth=1 status=-1 req.st=MSG_DONE rsp.st=MSG_RPBEFORE
          ...
          res=0x7f9c11495470 (f=0x80000000 an=0x0 tofwd=0 total=0)
              an_exp=<NEVER> buf=0x7f9c11495478 data=(nil) o=0 p=0 i=0 size=0

    :param lines: the lines of a session, see :func:`split_looks`.
    :rtype: :class:`SessionDetails`
    :raises haproxyadmin.protocol.replies.Malformed: if some are missing.
    """
    match = _check_whole(lines)
    addresses = dict((owner.group(1), owner.group(3))
                     for owner in map(_OWNER.match, lines) if owner)
    tokens = [(name, _strip(value)) for name, value in _TOKEN.findall('\n'.join(lines))]
    counts = collections.Counter(name for name, _ in tokens)
    return SessionDetails(
        unique_id=int(match.group(3)), accepted=match.group(2),
        flags=next(value for name, value in tokens if name == 'flags'),
        frontend_address=addresses.get('frontend'), backend_address=addresses.get('backend'),
        server_address=addresses.get('server'),
        fields=dict((name, value) for name, value in tokens if counts[name] == 1),
        text='\n'.join(lines))


def _check_whole(lines):
    """Return the match of the first line, if the lines of a session are complete."""
    starts = [name for name in ('  flags=', '  frontend=', '  backend=', '  server=', _TASK, _LAST)
              if not any(line.startswith(name) for line in lines)]
    if starts:
        raise Malformed('a session without {0!r}: {1!r}'.format(
            starts[0].strip(), lines[0][:80]))
    return _HEAD.match(lines[0])


def _strip(value):
    """Return a value without what follows it."""
    value = value.rstrip(',')
    if value.endswith(')') and '(' not in value:
        value = value[:-1]
    return value.strip('"')
