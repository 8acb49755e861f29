# SPDX-License-Identifier: Apache-2.0
"""Fakes of :mod:`haproxyadmin.testing` in the state in which the replies of HAProxy were captured.

A :class:`Fleet` is a directory that contains the socket of each :class:`Process`. What fails in the
fake, a command that it does not know for example, fails the test: see the fixture :func:`fleet`.
"""
import collections
import os
import resource
import socket
import threading
import time

import pytest

from haproxyadmin.protocol import polling
from haproxyadmin.testing import fake, faults, process as processes, sockets
from haproxyadmin.testing.texts import raw, text
from tests.support import captured, lab
from tests.support.backlog import Backlog
from tests.support.certificates import leaked

# The time-out of the library, in seconds, for tests that must not time out on a busy machine.
LONG = 30

Received = collections.namedtuple('Received', 'socket_file command')


def whole(reply):
    """Return a captured reply as bytes, restoring the end of a long help text that was cut off."""
    if reply.startswith('Unknown command') and not reply.endswith('\n\n'):
        reply += '\n\n'
    return raw(reply)


def cpu_time():
    """Return the seconds that this process has computed for."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def fastest(action, enough, tries=10, clock=time.time):
    """Return the seconds that an action takes in its fastest run, as the machine may be busy.

    :param enough: stop as soon as a run takes less than this many seconds.
    :param clock: (optional) :func:`cpu_time` for what only computes.
    """
    best = None
    for _ in range(tries):
        start = clock()
        action()
        seconds = clock() - start
        best = seconds if best is None else min(best, seconds)
        if best < enough:
            break
    return best


# The answer of a master socket to "show info".
MASTER = faults.keeping_open(
    'Unknown command. Please enter one of the following commands only :\n'
    '  help           : this message\n\n')


def dumps(version):
    """Return the captured texts of ``show info`` and ``show stat``."""
    return [text(captured.dump(version, name)) for name in ('info.txt', 'stat.csv')]


class Process(processes.FakeProcess):
    """One HAProxy process behind one socket, with the figures of the captured replies."""

    def __init__(self, path, version, number=1, pid=4000, level='admin', configuration=None,
                 **options):
        super(Process, self).__init__(
            path, version, configuration or configuration_of(version), number=number, pid=pid,
            level=level, dumps=dumps if configuration is None else None)

    def keep(self, *proxies):
        """Remove all proxies except these."""
        self.rows = [row for row in self.rows if row[0] in proxies]

    def remove(self, proxy, name=None):
        """Remove a proxy, or one of its rows."""
        self.rows = [row for row in self.rows if row[0] != proxy or name not in (None, row[1])]

    def renumber(self, offset=100):
        """Change the iid of every proxy, as a reload may do."""
        position = self.columns.index('iid')
        for row in self.rows:
            row[position] = str(int(row[position]) + offset)

    def names(self, kind):
        """Return ``(proxy, name)`` of each row of a type: ``'0'`` for frontends and so on."""
        return [(row[0], row[1]) for row in self.rows
                if row[self.columns.index('type')] == kind]

    def table(self, *which):
        """Return the reply to ``show stat IID TYPE SID`` as bytes."""
        return raw(self.figures.table(*which))


def reply_to(version, command):
    """Return the first captured reply to a command as bytes."""
    return whole(next(case['reply'] for case in captured.replies(command_prefix=command)
                      if (case['version'], case['command']) == (version, command)))


_configurations = {}


def configuration_of(version):
    """Return the configuration that was captured."""
    if version not in _configurations:
        _configurations[version] = fake.Configuration(captured.configuration(version),
                                                      name='/etc/haproxy/haproxy.cfg',
                                                      files=captured.FILES)
    return _configurations[version]


def list_entries(stored, *entries):
    """Let an ACL or map have entries with these pointers.

    :param entries: each as HAProxy lists it: ``'0x1a key value'``, or a pattern after the pointer.
    """
    count = 2 if stored.has_values else 1
    entries = [entry.split(' ', count) for entry in entries]
    stored.entries = [tuple(words[1:]) if stored.has_values else words[1] for words in entries]
    for entry, words in zip(stored.stored, entries):
        entry.reference = words[0]


class Fleet(fake.FakeHAProxy):
    """HAProxy processes whose sockets share a directory.

    :param version: one of :data:`captured.VERSIONS`
    :param count: the number of processes; numbered up to 2.4, later each is process 1
    :param config: (optional) another configuration than that of the captured replies
    :param files: (optional) the files that it names
    """

    def __init__(self, version='2.2', count=1, config=None, files=None):
        self._is_captured = config is None
        super(Fleet, self).__init__(version, config, processes=0, files=files, master=False)
        self._root = self.directory
        self._sockets = []
        for number in range(1, count + 1):
            self.add('{0}.sock'.format(number), number if version < '2.5' else 1, 4000 + number)

    def _read(self, config, files):
        if self._is_captured:
            return configuration_of(self.version)
        return super(Fleet, self)._read(config, files)

    def _write_files(self, files):
        if not self._is_captured:
            super(Fleet, self)._write_files(files)

    def _make_socket_dir(self):
        return self.directory

    # Tests keep an object of their own here.
    hap = None

    def __getitem__(self, index):
        return self.processes[index]

    def __len__(self):
        return len(self.processes)

    def _process(self, path, version, configuration, **options):
        return Process(path, version, configuration=None if self._is_captured else configuration,
                       **options)

    def add(self, name, number=1, pid=4000, version=None, **options):
        """Start one more process and return it."""
        return super(Fleet, self).add(self.path(name), number, pid, version, **options)

    def path(self, name):
        return os.path.join(self.directory, name)

    @property
    def paths(self):
        return [process.path for process in self.processes]

    @property
    def connections(self):
        """The number of connections that each process has accepted."""
        return [process.connections for process in self.processes]

    def patterns(self, name):
        """Return the ACL or the map of each process, by ``'#id'`` or by its file."""
        return [process.patterns.find(name) for process in self.processes]

    def wait_for_silence(self):
        """Wait until no connection is served any more, and no thread is left that did so."""
        lab.wait_until(lambda: sockets.CONNECTION not in [
            thread.name for thread in threading.enumerate()], 'connections have ended')

    def forget(self):
        """Clear the recorded commands and connections."""
        for process in self.processes:
            del process.commands[:]
            process.connections = 0

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
        stale = sockets.bound(self.path(name))
        stale.listen(1)
        stale.close()
        return self.path(name)

    def bound(self, name='bound.sock'):
        """Bind a socket without listening on it."""
        return self._held(sockets.bound(self.path(name)), name)

    def deaf(self, name='deaf.sock'):
        """Listen without ever accepting a connection."""
        deaf = sockets.bound(self.path(name))
        deaf.listen(8)
        return self._held(deaf, name)

    def datagram(self, name='datagram.sock'):
        """Bind a datagram socket."""
        return self._held(sockets.bound(self.path(name), socket.SOCK_DGRAM), name)

    def full(self, name='full.sock'):
        """Listen with a full queue; :meth:`Backlog.drain` makes room."""
        backlog = Backlog(self.path(name))
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
        for sock in self._sockets:
            sock.close()
        self.directory = self._root
        return self._finish()


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
def interrupting(monkeypatch):
    """Make a fault: Ctrl-C comes while a command is under way, which is done some time later."""
    came, raised, poll = threading.Event(), threading.Event(), polling.poll

    def interrupted(poller, seconds):
        if came.is_set():
            came.clear()
            raised.set()
            raise KeyboardInterrupt
        return poll(poller, min(seconds, 0.01))
    monkeypatch.setattr(polling, 'poll', interrupted)

    def make(beginning):
        def behave(process, client):
            command = process.receive(client)
            raised.clear()
            came.set()
            raised.wait(LONG)
            process.stopping.wait(0.1)
            client.sendall(process.reply_to(command))
        return faults.Fault(behave, command=beginning, times=1)
    return make


@pytest.fixture
def fleet(clock):
    """Start fleets with ``fleet(version, count)``; their problems fail the test."""
    started = []

    def start(*args, **options):
        started.append(Fleet(*args, **options))
        return started[-1]

    yield start
    problems = [problem for each in started for problem in each.stop()]
    assert not any(leaked(shown) for shown in problems + [each.log for each in started])
    assert not problems, '\n'.join(problems)
