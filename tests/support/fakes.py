# SPDX-License-Identifier: Apache-2.0
"""A strict fake of HAProxy: real Unix sockets that send replies captured from real versions.

A :class:`Fleet` is a directory that contains the socket of each :class:`Process`. A process answers
``show info`` and ``show stat`` from the captured dumps of its version, with its own process number
and pid, and other commands from the captures or as the test specifies. A command that it does not
know, or that would harm a real HAProxy, is a problem: the fixture :func:`fleet` fails the test.

``Process.script`` lists a behavior for each of the next connections; ``Process.behavior`` applies
to the connections after those.
"""
import collections
import contextlib
import csv
import io
import os
import re
import select
import shutil
import socket
import tempfile
import time

import pytest
import six

from tests.support import captured, listener
from tests.support.texts import raw, text

MAX_LINE = 15360
# A payload with its command and the empty line at its end.
MAX_PAYLOAD = 16000
MAX_LARGE_PAYLOAD = 131071
MAX_WORDS = 64
# The time-out of the library, in seconds, for tests that must not time out on a busy machine.
LONG = 30

Received = collections.namedtuple('Received', 'socket_file command')


def whole(reply):
    """Return a captured reply as bytes, restoring the end of a long help text that was cut off."""
    if reply.startswith('Unknown command') and not reply.endswith('\n\n'):
        reply += '\n\n'
    return raw(reply)


def fastest(action, enough, tries=10):
    """Return the seconds that an action takes in its fastest run, as the machine may be busy.

    :param enough: stop as soon as a run takes less than this many seconds.
    """
    best = None
    for _ in range(tries):
        start = time.time()
        action()
        seconds = time.time() - start
        best = seconds if best is None else min(best, seconds)
        if best < enough:
            break
    return best


# Behaviors: what a process does with a connection.

def answering(process, client):
    """Answer the command."""
    client.sendall(process.reply_to(process.receive(client)))


def delayed(seconds):
    """Answer after some seconds."""
    def behave(process, client):
        command = process.receive(client)
        process.stopping.wait(seconds)
        client.sendall(process.reply_to(command))
    return behave


def closing(process, client):
    """Read the command, then close the connection without an answer."""
    process.receive(client)


def closing_at_once(process, client):
    """Close the connection without reading the command."""


def cut(count):
    """Close the connection after ``count`` bytes of the answer."""
    def behave(process, client):
        client.sendall(process.reply_to(process.receive(client))[:count])
    return behave


def resetting(sent=b''):
    """Reset the connection by closing it with unread input, optionally after part of an answer."""
    def behave(process, client):
        poller = select.poll()
        poller.register(client, select.POLLIN)
        poller.poll(listener.PATIENCE * 1000)
        client.sendall(sent)
    return behave


def dribbling(size, pause, reply=None):
    """Send the answer in pieces of ``size`` bytes, each after a pause in seconds."""
    def behave(process, client):
        command = process.receive(client)
        whole = process.reply_to(command) if reply is None else reply
        for start in range(0, len(whole), size):
            if process.stopping.wait(pause):
                return
            client.sendall(whole[start:start + size])
    return behave


def replying(reply):
    """Answer any command with ``reply``."""
    def behave(process, client):
        process.receive(client)
        client.sendall(reply)
    return behave


def silent(process, client):
    """Read the command and send nothing until the client closes the connection."""
    process.receive(client)
    poller = select.poll()
    poller.register(client, 0)
    # A half-close by the client does not count.
    while not (process.stopping.is_set() or poller.poll(20)):
        pass


def keeping_open(reply):
    """Answer, and close the connection only after the client has half-closed it."""
    def behave(process, client):
        process.receive(client)
        client.sendall(reply)
        if not process.wait_for_end(client):
            process.problem('the client did not half-close')
    return behave


# The answer of a master socket to "show info".
master = keeping_open(b'Unknown command. Please enter one of the following commands only :\n'
                      b'  help           : this message\n\n')


class Process(listener.Listener):
    """One HAProxy process behind one socket.

    :param version: one of :data:`captured.VERSIONS`
    :param number: its process number

    ``info`` contains the fields of ``show info``, ``columns`` and ``rows`` the table of ``show
    stat``; tests may change them. ``answers`` maps a command to its reply: text, or a list of texts
    that are each sent once. ``handler`` is called with a command and returns the reply, or None for
    a command that it does not handle. ``level`` is the access level of the socket. ``requests`` is
    an iterator for the field ``CumReq`` of ``show info``, shared by all sockets of one process; if
    it is None, the field does not change.
    """

    def __init__(self, path, version, number=1, pid=4000, level='admin'):
        super(Process, self).__init__(path)
        self.level = level
        self.take_over(version, number, pid)
        self.answers = {}
        self.handler = None
        self.requests = None
        self.script = []
        self.behavior = answering
        self.commands = []
        self.problems = []

    def take_over(self, version, number=None, pid=None):
        """Replace the process behind the socket, possibly by one of another version."""
        number = number or (self.number if version < '2.5' else 1)
        pid = pid or int(self.info['Pid']) + 1000
        self.version = version
        self.number = number
        self.info = collections.OrderedDict(
            line.split(': ', 1) if ': ' in line else (line.rstrip(':'), '')
            for line in text(captured.dump(version, 'info.txt')).split('\n') if line)
        self.info['Process_num'] = str(number)
        self.info['Pid'] = str(pid)
        lines = text(captured.dump(version, 'stat.csv'))[2:].split('\n')
        self.columns, self.rows = lines[0].split(','), [
            line.split(',') for line in lines[1:] if line]
        for row in self.rows:
            row[self.columns.index('pid')] = str(number)

    # Its state

    def row(self, proxy, name):
        """Return a row of the table as a list of fields, or None."""
        names = self.columns.index('pxname'), self.columns.index('svname')
        for row in self.rows:
            if (row[names[0]], row[names[1]]) == (proxy, name):
                return row
        return None

    def get(self, proxy, name, column):
        """Return a field of the table."""
        return self.row(proxy, name)[self.columns.index(column)]

    def set(self, proxy, name, column, value):
        """Change a field of the table."""
        self.row(proxy, name)[self.columns.index(column)] = str(value)

    def keep(self, *proxies):
        """Remove all proxies except these."""
        position = self.columns.index('pxname')
        self.rows = [row for row in self.rows if row[position] in proxies]

    def remove(self, proxy, name=None):
        """Remove a proxy, or one of its rows."""
        names = self.columns.index('pxname'), self.columns.index('svname')
        self.rows = [row for row in self.rows if row[names[0]] != proxy
                     or name not in (None, row[names[1]])]

    def renumber(self, offset=100):
        """Change the iid of every proxy, as a reload may do."""
        position = self.columns.index('iid')
        for row in self.rows:
            row[position] = str(int(row[position]) + offset)

    def names(self, kind):
        """Return ``(proxy, name)`` of each row of a type: ``'0'`` for frontends and so on."""
        return [(self._field(row, 'pxname'), self._field(row, 'svname')) for row in self.rows
                if self._field(row, 'type') == kind]

    def _field(self, row, column):
        return row[self.columns.index(column)]

    # Replies

    def reply_to(self, command):
        """Return the reply to a command line as bytes; an unknown command is a problem."""
        if self.handler is not None:
            reply = self.handler(command)
            if reply is not None:
                return raw(reply)
        if command in self.answers:
            reply = self.answers[command]
            if isinstance(reply, list):
                if not reply:
                    self.problem('once too often: {0!r}'.format(command))
                    return b'\n'
                reply = reply.pop(0)
            return raw(reply)
        parts = re.findall(r'(?:\\.|[^;\\])+', command)
        if len(parts) > 1:
            return b''.join(self.reply_to(part.strip()) for part in parts)
        if self._is_denied(command):
            return b'Permission denied\n\n'
        reply = self._dump(command) or self._captured(command)
        if reply is None:
            self.problem('unknown command: {0!r}'.format(command))
            return self._captured('bogus command')
        return reply

    def _is_denied(self, command):
        return self.level != 'admin' and re.match(
            r'(set|add|del|clear|enable|disable|shutdown) |show errors', command)

    def _dump(self, command):
        if command == 'show info':
            if self.requests is not None:
                self.info['CumReq'] = str(next(self.requests))
            return raw(''.join('{0}: {1}\n'.format(*pair) for pair in self.info.items()) + '\n')
        match = re.match(r'show stat (-?\d+\+?) (-?\d+) (-?\d+)$', command)
        if match:
            iid, kinds, sid = match.groups()
            return self.table(self._id_of(iid), int(kinds), int(sid))
        if command == 'show cli level' and self.version >= '2.0':
            return raw(self.level + '\n\n')
        name = {'show acl': 'acl.txt', 'show map': 'map.txt', 'show acl #4': 'acl_4.txt',
                'show acl #0': 'acl_0_file.txt', 'show map #7': 'map_7.txt',
                'show errors': 'errors.txt'}.get(command)
        return name and captured.dump(self.version, name)

    def _id_of(self, word):
        """Return the iid that a word stands for; the name of a proxy takes precedence."""
        for row in self.rows if self.version >= '1.7' else []:
            if self._field(row, 'pxname') == word:
                return int(self._field(row, 'iid'))
        return int(word.rstrip('+'))

    def table(self, iid=-1, kinds=-1, sid=-1):
        """Return the reply to ``show stat IID TYPE SID``."""
        output = io.BytesIO() if six.PY2 else io.StringIO()
        writer = csv.writer(output, lineterminator='\n')
        for row in self.rows:
            bit = 1 << int(self._field(row, 'type'))
            if (iid in (-1, int(self._field(row, 'iid'))) and (kinds == -1 or kinds & bit)
                    and not (bit == 4 and sid not in (-1, int(self._field(row, 'sid'))))):
                writer.writerow(row)
        return raw('# ' + ','.join(self.columns) + '\n' + output.getvalue() + '\n')

    def _captured(self, command):
        return _captured.get((self.version, command))

    # Connections

    def refuse(self):
        """Stop accepting connections, but keep the socket file."""
        try:
            super(Process, self).refuse()
        except listener.Endless as error:
            self.problems.append(str(error))

    def vanish(self):
        """Stop accepting connections and remove the socket file."""
        self.refuse()
        os.unlink(self.path)

    def problem(self, what):
        """Record a problem, which fails the test."""
        self.problems.append('{0}: {1}'.format(self.path, what))

    def receive(self, client):
        """Read a command, including its payload, and return it as text."""
        command = text(super(Process, self).receive(client))
        if command.endswith('\nquit\n'):
            # It takes this for the socket of a master.
            command = command[:-len('quit\n')]
        self._check(command)
        command = command[:-1]
        self.commands.append(command)
        return command

    def wait_for_end(self, client):
        """Wait for the client to half-close the connection; return False if it does not."""
        while True:
            try:
                chunk = self.recv(client)
            except socket.error:
                return False
            if not chunk:
                return not self.stopping.is_set()
            self.problem('more than a command: {0!r}'.format(chunk))

    def _check(self, command):
        if not command:  # The client timed out or was interrupted.
            return
        line = command.split('\n', 1)[0]
        whole = command.endswith('\n\n') if line.endswith('<<') else command.count('\n') == 1
        if not whole or not command.endswith('\n'):
            self.problem('not one command line: {0!r}'.format(command[:200]))
        most = MAX_LINE if not line.endswith('<<') else (
            MAX_PAYLOAD if self.version < '3.4' else MAX_LARGE_PAYLOAD)
        if len(raw(command)) > most or len(line) > MAX_LINE or any(
                len(part.split()) > MAX_WORDS for part in re.split(r'(?<!\\);', line)):
            self.problem('wedges or crashes a HAProxy: {0!r}...'.format(command[:80]))
        if '\0' in command or '\r' in line:
            self.problem('ends early: {0!r}'.format(command[:200]))

    def serve(self, client):
        """Run the next behavior of the script."""
        behave = self.script.pop(0) if self.script else self.behavior
        with contextlib.closing(client):
            try:
                behave(self, client)
            except socket.error:
                pass  # the client has given up
            except Exception as error:
                self.problem('{0}: {1}'.format(type(error).__name__, error))


class Fleet(object):
    """HAProxy processes whose sockets share a directory.

    :param version: one of :data:`captured.VERSIONS`
    :param count: the number of processes; numbered up to 2.4, later each is process 1
    """

    def __init__(self, version='2.2', count=1):
        if not _captured:
            _load()
        self.version = version
        self.directory = tempfile.mkdtemp(prefix='fake', dir=tempfile.gettempdir())
        self._root = self.directory
        self.processes = []
        self._sockets = []
        for number in range(1, count + 1):
            self.add('{0}.sock'.format(number), number if version < '2.5' else 1, 4000 + number)

    def __getitem__(self, index):
        return self.processes[index]

    def __len__(self):
        return len(self.processes)

    def add(self, name, number=1, pid=4000, version=None, **options):
        """Start one more process and return it."""
        process = Process(self.path(name), version or self.version, number, pid, **options)
        self.processes.append(process)
        process.listen()
        return process

    def path(self, name):
        return os.path.join(self.directory, name)

    @property
    def paths(self):
        return [process.path for process in self.processes]

    @property
    def commands(self):
        """The commands that each process has received, as a list of texts per process."""
        return [list(process.commands) for process in self.processes]

    @property
    def connections(self):
        """The number of connections that each process has accepted."""
        return [process.connections for process in self.processes]

    def forget(self):
        """Clear the recorded commands and connections."""
        for process in self.processes:
            del process.commands[:]
            process.connections = 0

    def answer(self, command, reply):
        """Set the reply of all processes to a command."""
        for process in self.processes:
            process.answers[command] = list(reply) if isinstance(reply, list) else reply

    def haproxy(self, **options):
        """Return a library object for the processes, and clear the commands that it has sent."""
        from haproxyadmin.haproxy import HAProxy
        options.setdefault('retry', None)
        options.setdefault('timeout', LONG)
        hap = HAProxy(socket_dir=self.directory, **options)
        self.forget()
        return hap

    def hasten(self, hap, *indexes):
        """Shorten the time-out of the library for these processes, which do not answer."""
        paths = [self.paths[index] for index in indexes]
        for process in hap._processes:
            if process.socket_file in paths:
                process.timeout = 0.1

    # Sockets on which no process answers

    def stale(self, name='stale.sock'):
        """Leave behind a socket file whose process has gone."""
        stale = listener.bound(self.path(name))
        stale.listen(1)
        stale.close()
        return self.path(name)

    def bound(self, name='bound.sock'):
        """Bind a socket without listening on it."""
        return self._held(listener.bound(self.path(name)), name)

    def deaf(self, name='deaf.sock'):
        """Listen without ever accepting a connection."""
        deaf = listener.bound(self.path(name))
        deaf.listen(8)
        return self._held(deaf, name)

    def datagram(self, name='datagram.sock'):
        """Bind a datagram socket."""
        return self._held(listener.bound(self.path(name), socket.SOCK_DGRAM), name)

    def full(self, name='full.sock'):
        """Listen with a full queue; :meth:`listener.Backlog.drain` makes room."""
        backlog = listener.Backlog(self.path(name))
        self.hold(backlog)
        return backlog

    def file(self, name, content=b''):
        """Create a regular file in the directory."""
        with open(self.path(name), 'wb') as plain:
            plain.write(content)
        return self.path(name)

    def hold(self, sock):
        """Register a socket for :meth:`stop` to close."""
        self._sockets.append(sock)

    def _held(self, sock, name):
        self.hold(sock)
        return self.path(name)

    def stop(self):
        """Stop everything and return the problems."""
        for process in self.processes:
            process.refuse()
        for sock in self._sockets:
            sock.close()
        shutil.rmtree(self._root)
        return [problem for process in self.processes for problem in process.problems]


# The first captured reply to each command, by version and command.
_captured = {}


def _load():
    for case in captured.replies():
        _captured.setdefault((case['version'], case['command']), whole(case['reply']))


class Clock(object):
    """The clock by which the library judges the age of the version that it knows."""

    def __init__(self):
        self.seconds = 1000.0

    def __call__(self):
        return self.seconds

    def go_on(self, seconds=2):
        """Advance the clock; after two seconds the library checks the version again."""
        self.seconds += seconds


@pytest.fixture
def clock(monkeypatch):
    """A :class:`Clock` that advances only when the test calls ``go_on``."""
    stopped = Clock()
    monkeypatch.setattr('haproxyadmin.internal.endpoint.now', stopped)
    return stopped


@pytest.fixture
def fleet(clock):
    """Start fleets with ``fleet(version, count)``; their problems fail the test."""
    started = []

    def start(*args, **options):
        started.append(Fleet(*args, **options))
        return started[-1]

    yield start
    problems = [problem for each in started for problem in each.stop()]
    assert not problems, '\n'.join(problems)
