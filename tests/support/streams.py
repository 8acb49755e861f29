# SPDX-License-Identifier: Apache-2.0
"""Sessions of a fake HAProxy."""
import re

ROW = ('{id}: proto={proto}{client} ts=00{epoch} age={age} calls=2 rate=0 cpu=0 lat=0 '
       'rq[f=1840000h,i=0,an=8000h,ax=] rp[f=80000000h,i=0,an=1400000h,ax=] '
       'scf=[8,482h,fd=28,rex=,wex=] scb=[{state_number},1411h,fd=29,rex=28s,wex=] exp=1m rc=0 c_exp=\n')
DETAILS = """{id}: [24/Nov/2026:19:48:13.585013] id={number} proto={proto}{source}
  flags=0xc4a, conn_retries=0, srv_conn=(nil), pend_pos=(nil) waiting=0{epoch}
  frontend={fe} (id=9 mode=http), listener=? (id=1) addr=127.0.0.1:21120
  backend={be} (id=12 mode=http) addr=127.0.0.1:36522
  server={srv} (id=2) addr=127.0.0.1:20802
  task=0x7f9c11583360 (state=0x00 nice=0 calls=2 rate=0 exp=1m tid=0(1/0) age={age})
  scb=0x7f9c1189a560 flags=0x00001411 ioto=1m state={state} endp=CONN,0x7f9c1153b700,0x50400001
  req=0x7f9c11495428 (f=0x1840000 an=0x8000 tofwd=0 total=53)
  res=0x7f9c11495470 (f=0x80000000 an=0x0 tofwd=0 total=0)

"""
STATES = ('INI', 'REQ', 'QUE', 'TAR', 'ASS', 'CON', 'CER', 'RDY', 'EST', 'DIS', 'CLO')
# The session that asks.
OWN = ROW.format(state_number=8, id='0x7f9c11400000', proto='unix_stream', epoch='', age='0s',
                 client=' src=unix:1 fe=GLOBAL be=<NONE> srv=<none>')


class Streams(object):
    """The sessions of a fake process, which its commands list and end.

    :type process: tests.support.fakes.Process

    ``before_end`` is called before a line of commands that end sessions. ``answers`` replaces the
    reply to such a command for an id, or for ``(backend, server)``.
    """

    def __init__(self, process, threads=1):
        process.info['Nbthread'] = str(threads)
        process.info['Uptime_sec'] = '9000'
        process.handler = self.answer
        self.process = process
        self.rows = []
        self.epoch = 0
        self.numbers = 0
        self.answers = {}
        self.before_end = lambda: None

    def add(self, ident='0x7f9c11495400', **fields):
        """Begin a session, and return its fields."""
        self.numbers += 1
        row = dict(dict(id=ident, proto='tcpv4', src='10.0.0.9:4711', fe='www', be='web', srv='w1',
                        age='10s', state='EST', number=self.numbers, epoch=self.epoch), **fields)
        self.rows.append(row)
        return row

    def ids(self):
        return [row['id'] for row in self.rows]

    def answer(self, command):
        if ';' in command:
            if command.startswith('shutdown '):
                self.before_end()
            return None
        server = re.match(r'shutdown sessions server (\S+)/(\S+)\Z', command)
        if server:
            return self.end_server(*server.groups())
        match = re.match(r'(show sess|shutdown session)(?: (0x[0-9a-f]+))?\Z', command)
        if match is None:
            return None
        if match.group(1) == 'show sess':
            return self.details(match.group(2)) if match.group(2) else self.table()
        return self.end(match.group(2))

    def table(self):
        listed = ''.join(ROW.format(**self._printed(row)) for row in self.rows)
        self.epoch += 1
        return listed + OWN + '\n'

    def details(self, ident):
        for row in self.rows:
            if row['id'] == ident:
                return DETAILS.format(**self._printed(row))
        return 'Session not found.\n\n'

    def end(self, ident):
        if ident in self.answers:
            return self.answers[ident]
        if self.process.level != 'admin':
            return 'Permission denied\n\n'
        if ident not in self.ids():
            return "No such session (use 'show sess').\n\n"
        self.rows = [row for row in self.rows if row['id'] != ident]
        return '\n'

    def end_server(self, backend, name):
        self.before_end()
        if self.process.level != 'admin':
            return 'Permission denied\n\n'
        if (backend, name) in self.answers:
            return self.answers[backend, name]
        # Without a connection, a session does not belong to its server yet.
        self.rows = [row for row in self.rows if (row['be'], row['srv']) != (backend, name)
                     or row['state'] not in STATES[5:9]]
        return '\n'

    def _printed(self, row):
        client = '' if row['src'] is None else ' src={src} fe={fe} be={be} srv={srv}'.format(**row)
        epoch = ' epoch=' + (hex(row['epoch']) if row['epoch'] else '0') if self.process.version >= '2.4' else ''
        return dict(row, client=client, epoch=epoch, state_number=STATES.index(row['state']),
                    source='' if row['src'] is None else ' source=' + row['src'])
