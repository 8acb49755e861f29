# SPDX-License-Identifier: Apache-2.0
"""The sessions of the fake."""
import re

from haproxyadmin.protocol import versions
from haproxyadmin.testing.families.family import OK, Family, command, message
from haproxyadmin.testing.families.figures import dump

# In their order; older versions than 1.9 have no RDY.
STATES = ('INI', 'REQ', 'QUE', 'TAR', 'ASS', 'CON', 'CER', 'RDY', 'EST', 'DIS', 'CLO')
# Those of a session that has a connection to its server.
CONNECTED = STATES[5:9]
_FIRST_ID = 0x7f9c11495400
_OWN_ID = '0x7f9c11400000'
# What HAProxy shows, in seconds, if it does not know the age of a session.
_UNKNOWN_AGE = 49 * 86400
_SECONDS = {'d': 86400, 'h': 3600, 'm': 60, 's': 1, '': 1}
_USAGE = """\
Usage: show sess [<id> | all | help] [<options>*]
Dumps active streams (formerly called 'sessions'). Available selectors:
   <id>         dump only this stream identifier (0x...)
   all          dump all matching streams in large format
   help         show this message
   susp         report streams considered suspicious
Available options: \n\
   show-uri     also display the transaction URI, if available
   older <age>  only display streams older than <age> seconds
   server <b/s> only show streams attached to this backend+server
   backend <b>  only show streams attached to this backend
   frontend <f> only show streams attached to this frontend
Without any argument, all streams are dumped in a shorter format."""


class Refused(Exception):
    """A command is refused; the message is the reply."""


class Sessions(Family):
    """The commands for sessions.

    A session is a dict with these keys, all of which are text unless stated otherwise:

    ``id``
        its id, ``'0x7f9c11495400'``
    ``proto``, ``src``
        how its client has come, ``'tcpv4'``, and from where, ``'10.0.0.9:4711'``; ``src`` is None
        for a session that HAProxy has begun itself, with the ``proto`` ``'?'``
    ``fe``, ``be``, ``srv``
        its frontend, its backend (``'<NONE>'`` if it has none) and its server (``'<none>'``)
    ``age``, ``exp``
        since when it is there, and when it will time out: ``'10s'``, ``'1h5s'``
    ``state``
        the state of the side of the server, one of :data:`STATES`
    ``number``, ``epoch``
        two integers that HAProxy counts up: for each session, and for each list of them

    Time stands still for them: they stay until they are ended.

    :ivar rows: the sessions, in the order in which they are listed. The one of the client that asks
        comes after them and is not in this list.
    """

    name = 'sessions'

    def __init__(self, process, configuration):
        super(Sessions, self).__init__(process, configuration)
        self.rows = []
        self.epoch = 0
        self.numbers = 0

    # For tests

    def add(self, id=None, **fields):
        """Begin a session and return it.

        ``scur`` of its frontend and backend becomes greater by one, and that of its server, if it
        is connected to it. ``Uptime_sec`` becomes at least the age of the session.

        :param id: (optional) its id; by default the first one that is free, as HAProxy uses the
            memory of a session again.
        :param fields: see :class:`Sessions`; by default an established one of the server ``w1`` in
            the backend ``web``, which came through the frontend ``www`` from 10.0.0.9. They need
            not be in the configuration.
        """
        self.numbers += 1
        row = dict(dict(id=id or self._free_id(), proto='tcpv4', src='10.0.0.9:4711', fe='www',
                        be='web', srv='w1', age='10s', exp='1m', state='EST', number=self.numbers,
                        epoch=self.epoch), **fields)
        self.rows.append(row)
        self._count(row, 1)
        if _seconds(row['age']) < _UNKNOWN_AGE:
            self.process.info['Uptime_sec'] = str(max(
                _seconds(row['age']), int(self.process.info['Uptime_sec'])))
        return row

    def remove(self, row):
        """End a session."""
        self.rows.remove(row)
        self._count(row, -1)

    def ids(self):
        """Return the ids of all sessions."""
        return [row['id'] for row in self.rows]

    def _free_id(self):
        taken, found = self.ids(), _FIRST_ID
        while '0x{0:x}'.format(found) in taken:
            found += 0x400
        return '0x{0:x}'.format(found)

    def _count(self, row, change):
        names = [(row['fe'], 'FRONTEND'), (row['be'], 'BACKEND')]
        if row['state'] in CONNECTED:
            names.append((row['be'], row['srv']))
        for proxy, name in names if row['src'] is not None else []:
            if self.process.row(proxy, name):
                current = int(self.process.get(proxy, name, 'scur') or 0)
                self.process.set(proxy, name, 'scur', max(0, current + change))

    # What is shown

    def table(self, rows=None):
        """Return the list of sessions, by default of all."""
        return ''.join(map(self._line, self._with_own() if rows is None else rows)) + '\n'

    def details(self, ident):
        """Return what is shown about a session."""
        row = next((row for row in self._with_own() if row['id'] == ident), None)
        return message('Session not found.') if row is None else self._record(row) + '\n'

    def all_details(self, rows):
        """Return what is shown about sessions."""
        return ''.join(map(self._record, rows)) + '\n'

    def _with_own(self):
        own = {'id': _OWN_ID, 'proto': 'unix_stream', 'src': 'unix:1', 'fe': 'GLOBAL',
               'be': '<NONE>', 'srv': '<none>', 'age': '0s', 'number': self.numbers,
               'epoch': self.epoch, 'state': 'EST', 'exp': None}
        return self.rows + [own]

    def _model(self, name, row):
        """Return what a version shows about a session like this one."""
        models = re.split(r'\n(?=0x)', dump(self.process.version, name).rstrip('\n'))
        return models[row['id'] == _OWN_ID] + '\n'

    def _fill(self, shown, row, *changes):
        epoch = '0x{0:x}'.format(row['epoch']) if row['epoch'] else '0'
        common = [(r'\A0x\w+', row['id']), (r' proto=\S+', ' proto=' + row['proto']),
                  (r' epoch=\S+', ' epoch=' + epoch), (r'(?<= )age=[^\s)]+', 'age=' + row['age'])]
        for pattern, changed in common + [each for each in changes if each[1] is not None]:
            shown = re.sub(pattern, lambda match: match.expand(r'\g<1>') + changed
                           if match.re.groups else changed, shown, count=1)
        return shown

    def _line(self, row):
        client = '' if row['src'] is None else ' src={src} fe={fe} be={be} srv={srv}'.format(**row)
        states = [name for name in STATES if name != 'RDY' or self.has(1, 9)]
        return self._fill(
            self._model('sess.txt', row), row, (r' src=\S+ fe=\S+ be=\S+ srv=\S+', client),
            (r'((?: scb| s1)=\[)\d+', str(states.index(row['state']))),
            (r'( exp=)\S*', row['exp']))

    def _record(self, row):
        shown = self._fill(
            self._model('sess_all.txt', row), row, (r' id=\d+', ' id={0}'.format(row['number'])),
            (r' source=\S+', '' if row['src'] is None else ' source=' + row['src']),
            (r'((?: scb=| si\[1\]=).*?state=)\w+', row['state']),
            (r'( task=.*? exp=)[^\s)]+', row['exp']))
        if row['id'] == _OWN_ID:
            return shown
        for kind, name, of, column in [('frontend', row['fe'], (row['fe'], 'FRONTEND'), 'iid'),
                                       ('backend', row['be'], (row['be'], 'BACKEND'), 'iid'),
                                       ('server', row['srv'], (row['be'], row['srv']), 'sid')]:
            if name in ('<NONE>', '<none>'):
                shown = re.sub(r'\n  {0}=.*'.format(kind), lambda match: '\n  ' + {
                    'backend': 'backend=<NONE> (id=-1 mode=-)',
                    'server': 'server=<none> (id=0)'}[kind], shown)
                continue
            shown = re.sub(r'\n  {0}=\S+'.format(kind), lambda match: '\n  {0}={1}'.format(
                kind, name), shown)
            if self.process.row(*of):
                shown = re.sub(r'(\n  {0}=\S+ \(id=)\d+'.format(kind), lambda match: (
                    match.group(1) + self.process.get(*(of + (column,)))), shown)
                if kind == 'server' and 'addr' in self.process.columns:
                    shown = re.sub(r'(\n  server=.* addr=)\S+', lambda match: (
                        match.group(1) + self.process.get(*(of + ('addr',)))), shown)
        return shown

    # The commands

    @command('show sess', level='operator')
    def show(self, call):
        """List sessions, or show details of them."""
        try:
            return self._show(list(call.rest))
        except Refused as refused:
            return message(str(refused))
        finally:
            self.epoch += 1

    def _show(self, words):
        wants_all, rows, is_new = False, self._with_own(), self.has(3, 2)
        if words[:1] == ['older'] and self.has(3, 0):
            rows = self._older(words)
            wants_all, words = True, words[2:]
        elif words[:1] == ['susp'] and self.has(3, 0) and not is_new:
            wants_all, rows = True, []
        elif words[:1] == ['all']:
            wants_all, words = True, words[1:]
        elif words[:1] == ['help'] and is_new:
            raise Refused(_USAGE)
        elif words and _number(words[0]):
            return self.details('0x{0:x}'.format(_number(words[0])))
        if is_new:
            rows = self._chosen(words, rows)
        return self.all_details(rows) if wants_all else self.table(rows)

    def _older(self, words):
        if len(words) < 2:
            raise Refused('Expects a minimum age (in seconds by default).')
        match = re.match(r'(\d+)(d|h|m|s|ms|us|)\Z', words[1])
        if match is None:
            raise Refused('Invalid age.')
        least = int(match.group(1)) * _SECONDS.get(match.group(2), 0)
        # The age that counts is that of a request; where there are none, it is great.
        tcp = [proxy.name for proxy in self.configuration.proxies if proxy.mode != 'http']
        return [row for row in self._with_own() if _seconds(row['age']) >= least
                or row['src'] is None or row['fe'] in tcp]

    def _chosen(self, words, rows):
        """Return those sessions that options of 3.2 and later choose."""
        wanted = None
        while words:
            option, words = words[0], words[1:]
            if option == 'susp':
                rows = []
            elif option in ('server', 'backend', 'frontend'):
                if wanted:
                    raise Refused('Only one of backend, frontend or server may be set.')
                if not words:
                    raise Refused('Missing {0} name{1}.'.format(
                        option, ' (<backend>/<server>)' if option == 'server' else ''))
                wanted = self._owner(option, words[0])
                rows = [row for row in rows if row['src'] is not None
                        and all(row[key] == wanted[key] for key in wanted)]
                words = words[1:]
            elif option != 'show-uri':
                raise Refused("Unsupported option '{0}', try 'help' for more info.".format(option))
        return rows

    def _owner(self, kind, name):
        """Return the fields of the sessions of a server, a backend or a frontend."""
        if kind == 'server':
            backend, slash, server = name.partition('/')
            self._check_server(backend, server)
            return {'be': backend, 'srv': server}
        if not self.process.row(name, kind.upper()):
            raise Refused('No such {0}.'.format(kind))
        return {{'backend': 'be', 'frontend': 'fe'}[kind]: name}

    def _check_server(self, backend, server):
        if not server:
            raise Refused("Require 'backend/server'.")
        for proxy in self.configuration.proxies:
            if (proxy.name == backend and proxy.is_backend and not self.process.runs(proxy)
                    and server in [each.name for each in proxy.servers]):
                raise Refused('Proxy is disabled.')
        if not self.process.row(backend, 'BACKEND'):
            raise Refused('No such backend.')
        if not self.process.row(backend, server):
            raise Refused('No such server.')

    @command('shutdown session', level='admin')
    def shutdown_session(self, call):
        """End a session."""
        if not call.rest or (self.has(2, 5) and not _number(call.rest[0])):
            return message("Session pointer expected (use 'show sess').")
        return self.end('0x{0:x}'.format(_number(call.rest[0])))

    def end(self, ident):
        """End a session by its id, and return the reply."""
        for row in self.rows:
            if row['id'] == ident:
                self.remove(row)
                return OK
        if versions.is_among(versions.parse_version(self.process.info['Version']),
                             versions.MISSING_SESSIONS.ranges):
            # It reports success for any id.
            return OK
        return message("No such session (use 'show sess').")

    def end_server(self, backend, server):
        """End the sessions that are connected to a server, and return the reply."""
        try:
            self._check_server(backend, server)
        except Refused as refused:
            return message(str(refused))
        for row in list(self.rows):
            if (row['be'], row['srv']) == (backend, server) and row['state'] in CONNECTED:
                self.remove(row)
        return OK

    @command('shutdown sessions', level='user', until=(1, 7))
    def shutdown_others(self, call):
        """Refuse to end others."""
        return message("'shutdown sessions' only supports 'server'.")


def _number(word):
    """Return the number that begins a word, as C reads it; 0 if there is none."""
    match = re.match(r'0[xX]([0-9a-fA-F]+)|(0[0-7]*)|([1-9]\d*)', word)
    if match is None:
        return 0
    digits = [int(digits, base) for digits, base in zip(match.groups(), (16, 8, 10)) if digits]
    return digits[0]


def _seconds(age):
    return sum(int(number) * _SECONDS[unit] for number, unit in re.findall(r'(\d+)([dhms])', age))
