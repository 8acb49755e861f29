# -*- coding: utf-8 -*-
# SPDX-License-Identifier: Apache-2.0
"""Replacing and aligning the contents of ACLs and maps, on real HAProxies that are disturbed."""
import collections
import os
import random
import signal
import socket
import subprocess
import sys
import threading

import pytest
import six

from haproxyadmin import exceptions
from haproxyadmin.haproxy import HAProxy
from haproxyadmin.internal import replacement
from haproxyadmin.protocol import words
from haproxyadmin.testing import sockets
from tests import conftest
from tests.support.lab import wait_until
from tests.support.package import PACKAGE_ROOT

pytestmark = pytest.mark.dealt_out

# One thread: a request is answered at one moment.
CONFIG = """
global
    nbthread 1
    tune.bufsize 65536
    stats socket "{directory}/{number}.sock" mode 600 level admin
defaults
    mode http
    timeout connect 1s
    timeout client 60s
    timeout server 60s
frontend f
    bind "127.0.0.1:${{HAPROXYADMIN_PORT_F}}"
    http-request set-header A 1 if {{ str(a) -m str -f {files}/str.acl }}
    http-request set-header B 2 if {{ str(b) -m str -f {files}/str.acl }}
    http-request return status 200 content-type text/plain lf-string "{answer}"
"""
ANSWER = ('%[str(a),map({files}/str.map,none)] %[str(b),map({files}/str.map,none)] '
          '%[req.hdr(a)]%[req.hdr(b)]')
FILES = ['str.map', 'str.acl', 'ip.map', 'int.map', 'ip.acl', 'reg.acl']
MORE = """
    http-request set-header C %[src,map_ip({files}/ip.map)]
    http-request deny if {{ src -f {files}/ip.acl }}
    http-request deny if {{ path_reg -f {files}/reg.acl }}
    http-request set-header C %[hdr(a),map_str_int({files}/int.map)]
"""
FILL = [('key{0:05d}'.format(number), 'v') for number in range(300)]
OLD, NEW = [('a', '1'), ('b', '1')] + FILL, [('a', '2'), ('b', '2')] + FILL[::-1]


class Site(object):
    """Some HAProxies that load the same files.

    :param numbers: the processes.
    :param lacking: those that load none of them.
    :param numeric: those whose ``str.map`` contains integers.
    """

    def __init__(self, version, directory, numbers=(1, 2, 3), lacking=(), numeric=(), **options):
        self.directory = str(directory.mkdir('s'))
        self.files = str(directory.mkdir('f'))
        self.labs = []
        self.sockets = [os.path.join(self.directory, '%d.sock' % number) for number in numbers]
        for name in FILES:
            self.write(name, b'')
        try:
            for number in numbers:
                self.labs.append(conftest.start(version, config=self._configuration(
                    number, number in lacking, number in numeric), **options))
        except BaseException:
            self.stop()
            raise
        self.hap = self.other()

    def _configuration(self, number, lacks, is_numeric):
        answer = ANSWER.format(files=self.files)
        if lacks:
            text = '\n'.join(line for line in CONFIG.splitlines() if ' -f ' not in line)
            return text.format(directory=self.directory, number=number, answer='none') + '\n'
        if is_numeric:
            answer = answer.replace('map(', 'map_str_int(').replace(',none)', ',0)')
        head, tail = CONFIG.split('    http-request set-header A')
        return (head + MORE.lstrip('\n') + '    http-request set-header A' + tail).format(
            directory=self.directory, number=number, files=self.files, answer=answer)

    def other(self):
        """Return another client."""
        return HAProxy(addresses=self.sockets, retry=None, timeout=conftest.PATIENT)

    def path(self, name):
        return os.path.join(self.files, name)

    def write(self, name, content):
        with open(self.path(name), 'wb') as target:
            target.write(content)

    def map(self, name='str.map', hap=None):
        return (hap or self.hap).map(self.path(name))

    def acl(self, name='str.acl', hap=None):
        return (hap or self.hap).acl(self.path(name))

    def raw(self, number, command, name='str.map'):
        """Send a command to a process; ``F`` in it is the file."""
        return self.labs[number - 1].raw(
            command.replace(' F', ' ' + self.path(name)), self.sockets[number - 1])

    def raw_everywhere(self, command, name='str.map'):
        return [self.raw(number + 1, command, name) for number in range(len(self.labs))]

    def stored(self, name='str.map', numbers=None):
        """Return what each process has, as texts or pairs, in order."""
        return [self.stored_in(number, name)
                for number in numbers or range(1, len(self.sockets) + 1)]

    def stored_in(self, number, name='str.map', version=''):
        reply = self.raw(number, 'show {0} {1} F'.format(name[-3:], version).replace('  ', ' '),
                         name)
        texts = [line.split(' ', 1)[1] for line in reply.split('\n') if line]
        if name.endswith('acl'):
            return texts
        return [tuple(text.split(' ', 1)) for text in texts]

    def versions(self, number, name='str.map'):
        """Return the current version, the next one, and the count of entries of all versions.

        HAProxy counts wrongly after it has refused an entry.
        """
        line = [line for line in self.raw(number, 'show ' + name[-3:]).splitlines()
                if self.path(name) in line][0]
        words = dict(word.split('=') for word in line.split() if '=' in word)
        return [int(words[word]) if word in words else None
                for word in ('curr_ver', 'next_ver', 'entry_cnt')]

    def check_clean(self, name='str.map', numbers=None, counts=True):
        """Check that no prepared version has entries."""
        for number in numbers or range(1, len(self.sockets) + 1):
            current, following, count = self.versions(number, name)
            own = self.stored_in(number, name)
            for version in range(following + 1):
                found = self.stored_in(number, name, '@{0}'.format(version))
                assert found == (own if version == current else [])
            assert count in (None, len(own)) or not counts

    def fill(self, name, entries):
        """Make all processes have something, without the library's new parts."""
        family = name[-3:]
        path = self.path(name)
        getattr(self.hap, 'clear_' + family)(path)
        if entries:
            getattr(self.hap, 'add_{0}_entries'.format(family))(path, entries)

    def kill(self, number):
        self.labs[number - 1].kill_process(1)

    def stop(self):
        for lab in self.labs:
            lab.stop()

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.stop()


@pytest.fixture(scope='module', params=conftest.versions())
def started(request, tmpdir_factory):
    with Site(request.param, tmpdir_factory.mktemp('r')) as site:
        site.version = request.param
        yield site


@pytest.fixture
def site(started):
    """Three processes whose ``str.map`` contains OLD."""
    started.fill('str.map', OLD)
    yield started


@pytest.fixture
def modern(site):
    """The same, if HAProxy can replace a map at once."""
    if site.version < '2.4':
        pytest.skip('there are no versions')
    return site


def modern_versions():
    return [version for version in conftest.versions() if version > '2.4']


# A version that cannot

def test_not_supported(site):
    if site.version > '2.4':
        pytest.skip('it is')
    with pytest.raises(exceptions.NotSupported) as caught:
        site.map().replace(NEW)
    assert (caught.value.needs, caught.value.has) == ('2.4', site.hap.version.split('-')[0])
    assert site.stored() == [OLD] * 3
    assert site.map().replace(NEW, die=False) is False
    assert site.map().replace(NEW, atomic=False) is True
    assert [sorted(stored) for stored in site.stored()] == [sorted(NEW)] * 3


# At one moment

class Clients(object):
    """Threads that ask a frontend again and again, and count its answers."""

    def __init__(self, port, count=2):
        self.answers = collections.Counter()
        self.errors = []
        self._port = port
        self._stopping = threading.Event()
        self._threads = [sockets.started(self._work) for _ in range(count)]

    def _work(self):
        try:
            connection = socket.create_connection(('127.0.0.1', self._port), conftest.PATIENT)
            try:
                while not self._stopping.is_set():
                    connection.sendall(b'GET / HTTP/1.1\r\nHost: x\r\n\r\n')
                    self.answers[self._read(connection)] += 1
            finally:
                connection.close()
        except Exception as error:  # the test reports it
            self.errors.append(error)

    def _read(self, connection):
        received = b''
        while b'\r\n\r\n' not in received:
            received += connection.recv(65536)
        head, _, body = received.partition(b'\r\n\r\n')
        lengths = [line for line in head.split(b'\r\n') if line.lower().startswith(b'content-len')]
        while len(body) < int(lengths[0].split(b':')[1]):
            body += connection.recv(65536)
        return body.decode('ascii')

    def wait(self, count):
        """Wait until there are so many answers more."""
        goal = sum(self.answers.values()) + count
        wait_until(lambda: self.errors or sum(self.answers.values()) >= goal, 'answers')

    def stop(self):
        self._stopping.set()
        for thread in self._threads:
            thread.join()
        assert self.errors == []


def test_requests_see_one_content_or_the_other(modern):
    modern.fill('str.acl', ['x', 'a'])
    clients = Clients(modern.labs[1].ports['f'])
    found, acl = modern.map(), modern.acl()
    try:
        for turn in range(100):
            clients.wait(1)
            assert found.replace(OLD if turn % 2 else NEW) is True
            assert acl.replace(['x', 'b'] if turn % 2 else ['a', 'x']) is True
    finally:
        clients.stop()
    maps, acls = collections.Counter(), collections.Counter()
    for answer, count in clients.answers.items():
        head, _, tail = answer.rpartition(' ')
        maps[head] += count
        acls[tail] += count
    assert set(maps) == set(['1 1', '2 2'])
    assert set(acls) == set(['1', '2'])
    assert min(maps.values()) > 20 and min(acls.values()) > 20
    assert sum(maps.values()) > 500


# The answer when several clients write

def stop_in(entries, place, action):
    """Yield entries; do something before that at a place."""
    for number, entry in enumerate(entries):
        if number == place:
            action()
        yield entry
    if place >= len(entries):
        action()


@pytest.mark.parametrize('place', [0, 150, 302])
def test_the_later_of_two_writers_stands(place, modern):
    theirs = [('a', '3'), ('b', '3')]
    found = modern.map()
    with pytest.raises(exceptions.Conflict) as caught:
        found.replace(stop_in(NEW, place, lambda: modern.map(
            hap=modern.other()).replace(theirs)))
    assert not isinstance(caught.value, exceptions.NotSupported)
    assert (caught.value.undone, caught.value.not_undone, caught.value.replaced) == ((), (), ())
    # At 0, nothing is prepared before the iterable is read.
    assert modern.stored() == [theirs] * 3
    assert found['a'] == '3'
    modern.check_clean()


def test_of_two_that_overlap_one_stands(modern):
    """Both prepare, fill and look; the one that has prepared last goes on."""
    results, both, first_is_over = {}, threading.Event(), threading.Event()
    theirs = [('a', '3'), ('b', '3')]

    def write(name, entries):
        try:
            modern.map(hap=modern.other()).replace(entries)
            results[name] = None
        except Exception as error:
            results[name] = error

    def second():
        write('second', stop_in(theirs, 2, lambda: (both.set(), first_is_over.wait(60))))

    threads = []

    def begin_second():
        threads.append(sockets.started(second))
        both.wait(60)
    write('first', stop_in(NEW, 200, begin_second))
    first_is_over.set()
    threads[0].join()
    assert isinstance(results['first'], exceptions.Conflict)
    assert results['second'] is None
    assert modern.stored() == [theirs] * 3
    modern.check_clean()


def test_many_at_once_leave_one_content(modern):
    contents = [[(key, str(name)) for key, _ in FILL[:20 + name]] for name in range(3)]
    before = OLD
    wins = 0
    for _ in range(6):
        results = {}
        barrier = threading.Event()

        def write(name):
            own = modern.map(hap=modern.other())
            barrier.wait(60)
            try:
                own.replace(contents[name])
                results[name] = None
            except Exception as error:
                results[name] = error
        threads = [sockets.started(write, name) for name in range(3)]
        barrier.set()
        for thread in threads:
            thread.join()
        won = [name for name in results if results[name] is None]
        wins += len(won)
        assert [type(error) for error in results.values() if error] == (
            [exceptions.Conflict] * (3 - len(won)))
        stored = modern.stored()
        assert stored[1:] == stored[:-1], results
        assert stored[0] in ([contents[name] for name in won] or [before])
        before = stored[0]
        modern.check_clean()
    assert wins


@pytest.mark.parametrize('numbers', [[1, 2, 3], [2], [3]])
def test_a_foreign_commit_meanwhile(numbers, modern):
    def interfere():
        for number in numbers:
            reply = modern.raw(number, 'prepare map F')
            version = reply.strip().split()[-1]
            modern.raw(number, 'add map @{0} F a 9'.format(version))
            modern.raw(number, 'commit map @{0} F'.format(version))
    with pytest.raises(exceptions.Conflict) as caught:
        modern.map().replace(stop_in(NEW, 250, interfere))
    assert caught.value.socket_file == modern.sockets[numbers[0] - 1]
    assert modern.stored() == [[('a', '9')] if number in numbers else OLD for number in (1, 2, 3)]
    modern.check_clean()


@pytest.mark.parametrize('numbers', [[1], [2], [3], [2, 3]])
def test_a_foreign_commit_after_the_last_look(numbers, modern, monkeypatch):
    """What is already committed elsewhere is put back."""
    commit = replacement._commit

    def interfere(prepared):
        for number in numbers:
            version = modern.raw(number, 'prepare map F').strip().split()[-1]
            modern.raw(number, 'add map @{0} F a 9'.format(version))
            modern.raw(number, 'commit map @{0} F'.format(version))
        return commit(prepared)
    monkeypatch.setattr(replacement, '_commit', interfere)
    with pytest.raises(exceptions.Conflict) as caught:
        modern.map().replace(NEW)
    assert modern.stored() == [[('a', '9')] if number in numbers else OLD for number in (1, 2, 3)]
    others = [path for number, path in enumerate(modern.sockets, 1) if number not in numbers]
    assert list(caught.value.undone) == others
    assert list(caught.value.not_undone) == list(caught.value.replaced) == []
    modern.check_clean()


def test_a_foreign_commit_while_the_old_content_is_put_back(modern, monkeypatch):
    """What was prepared before that is committed by somebody who did not look."""
    note, commit, foreign = replacement._Version._note, replacement._commit, []

    def prepare_theirs(prepared):
        foreign.append(modern.raw(1, 'prepare map F').strip().split()[-1])
        modern.raw(1, 'add map @{0} F a 9'.format(foreign[0]))
        modern.raw(2, 'prepare map F')
        modern.raw(2, 'commit map @{0} F'.format(modern.versions(2)[1]))
        return commit(prepared)

    def commit_theirs(version, lines):
        result = note(version, lines)
        if foreign and version.socket_file == modern.sockets[0]:
            modern.raw(1, 'commit map @{0} F'.format(foreign[0]))
        return result
    monkeypatch.setattr(replacement, '_commit', prepare_theirs)
    monkeypatch.setattr(replacement._Version, '_note', commit_theirs)
    with pytest.raises(exceptions.Conflict) as caught:
        modern.map().replace(NEW)
    assert modern.stored() == [[('a', '9')], [], OLD]
    assert left(modern, caught.value) == [[3], [1], []]
    modern.check_clean()


@pytest.mark.parametrize('command', ['add map F c 9', 'set map F a 9', 'clear map F'])
def test_plain_changes_meanwhile_are_lost(command, modern):
    assert modern.map().replace(
        stop_in(NEW, 200, lambda: modern.raw_everywhere(command))) is True
    assert modern.stored() == [NEW] * 3
    modern.check_clean()


def test_plain_changes_before_the_last_entries_are_lost(modern):
    """What is prepared has been sent by then."""
    entries = [('x{0}'.format(number), 'v') for number in range(5000)]
    seen = []

    def interfere():
        seen.extend(modern.stored_in(1, version='@{0}'.format(modern.versions(1)[1])))
        modern.raw_everywhere('clear map F')
        modern.raw_everywhere('add map F c 9')
    assert modern.map().replace(stop_in(entries, 4500, interfere)) is True
    assert len(seen) == 4096
    assert modern.stored() == [entries] * 3
    modern.check_clean()


# Processes that are lost or replaced

def left(site, error):
    """Return where an exception says that the change is undone, not undone, or taken over."""
    return [[site.sockets.index(path) + 1 for path in paths]
            for paths in (error.undone, error.not_undone, error.replaced)]


@pytest.mark.parametrize('version', modern_versions())
@pytest.mark.parametrize('place', [0, 100, 2048, 5000])
def test_a_process_is_killed_while_entries_are_sent(place, version, tmpdir):
    entries = [('x{0}'.format(number), 'v') for number in range(5000)]
    with Site(version, tmpdir) as site:
        site.fill('str.map', OLD)
        with pytest.raises(exceptions.HAProxySocketError) as caught:
            site.map().replace(stop_in(entries, place, lambda: site.kill(2)))
        assert site.stored(numbers=[1, 3]) == [OLD] * 2
        assert left(site, caught.value) == [[], [], []]
        assert caught.value.socket_file == site.sockets[1]
        site.check_clean(numbers=[1, 3])


@pytest.mark.parametrize('version', modern_versions())
def test_a_process_is_killed_before_the_commit(version, tmpdir, monkeypatch):
    commit = replacement._commit

    def kill(prepared):
        site.kill(2)
        return commit(prepared)
    with Site(version, tmpdir) as site:
        site.fill('str.map', OLD)
        monkeypatch.setattr(replacement, '_commit', kill)
        with pytest.raises(exceptions.HAProxySocketError) as caught:
            site.map().replace(NEW)
        assert site.stored(numbers=[1, 3]) == [OLD] * 2
        assert left(site, caught.value) == [[], [], []]
        site.check_clean(numbers=[1, 3])


@pytest.mark.parametrize('version', modern_versions())
def test_a_process_is_killed_between_commits(version, tmpdir, monkeypatch):
    commit, killed = replacement._Version.commit, []

    def kill(prepared):
        if prepared.socket_file == site.sockets[2] and not killed:
            killed.append(2)
            site.kill(2)
        return commit(prepared)
    with Site(version, tmpdir) as site:
        site.fill('str.map', OLD)
        monkeypatch.setattr(replacement._Version, 'commit', kill)
        with pytest.raises(exceptions.HAProxySocketError) as caught:
            site.map().replace(NEW)
        assert site.stored(numbers=[1, 3]) == [OLD] * 2
        assert left(site, caught.value) == [[1, 3], [], []]
        site.check_clean(numbers=[1, 3])


@pytest.mark.parametrize('version', modern_versions())
@pytest.mark.parametrize('place', [0, 2048, 5000])
def test_a_process_is_replaced_while_entries_are_sent(place, version, tmpdir):
    entries = [('x{0}'.format(number), 'v') for number in range(5000)]
    with Site(version, tmpdir, master_worker=True) as site:
        site.fill('str.map', OLD)
        with pytest.raises(exceptions.HAProxyBaseError) as caught:
            site.map().replace(stop_in(entries, place, site.labs[1].reload))
        assert site.stored() == [OLD, [], OLD]
        assert 'taken over' in str(caught.value)
        assert left(site, caught.value) == [[], [], [2]]
        assert not isinstance(caught.value, exceptions.Conflict)
        site.check_clean()


@pytest.mark.parametrize('version', modern_versions())
def test_a_process_is_replaced_between_commits(version, tmpdir, monkeypatch):
    commit, reloaded = replacement._Version.commit, []

    def reload(prepared):
        if prepared.socket_file == site.sockets[2] and not reloaded:
            reloaded.append(2)
            site.labs[1].reload()
        return commit(prepared)
    with Site(version, tmpdir, master_worker=True) as site:
        site.fill('str.map', OLD)
        monkeypatch.setattr(replacement._Version, 'commit', reload)
        with pytest.raises(exceptions.HAProxyBaseError) as caught:
            site.map().replace(NEW)
        assert site.stored() == [OLD, [], OLD]
        assert left(site, caught.value) == [[1, 3], [], [2]]
        site.check_clean()


# Interruptions

class Odd(Exception):
    """What an iterable may raise."""


@pytest.mark.parametrize('error', [KeyboardInterrupt, Odd, SystemExit])
@pytest.mark.parametrize('place', [0, 100, 2100, 5000])
def test_an_iterable_that_raises(place, error, modern):
    entries = [('x{0}'.format(number), 'v') for number in range(5000)]

    def fail():
        raise error('here')
    found = modern.map()
    with pytest.raises(error) as caught:
        found.replace(stop_in(entries, place, fail))
    assert str(caught.value) == 'here'
    assert modern.stored() == [OLD] * 3
    assert found['a'] == '1'
    modern.check_clean()


PROGRAM = """
import sys
from haproxyadmin.haproxy import HAProxy
hap = HAProxy(addresses=sys.argv[2:], retry=None, timeout=30)
found = hap.map(sys.argv[1])
turn = 0
print('ready')
sys.stdout.flush()
while True:
    turn += 1
    found.replace((('x%d' % number, str(turn)) for number in range(400)))
"""


def test_ctrl_c_at_any_point(modern):
    """Each process has one content as a whole, and all have the same."""
    chance = random.Random(12)
    for _ in range(12):
        running = subprocess.Popen(
            [sys.executable, '-c', PROGRAM, modern.path('str.map')] + modern.sockets,
            cwd=PACKAGE_ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        assert running.stdout.readline() == b'ready\n'
        begun = modern.versions(1)[0]
        wait_until(lambda: modern.versions(1)[0] > begun + 1, 'a commit')
        # Not to wait for something, but to be at any point.
        threading.Event().wait(chance.random() / 50)
        running.send_signal(signal.SIGINT)
        _, errors = running.communicate()
        assert errors.strip().endswith(b'KeyboardInterrupt'), errors
        stored = modern.stored()
        assert stored[1:] == stored[:-1], [own[0] for own in stored]
        assert [key for key, _ in stored[0]] == ['x%d' % number for number in range(400)]
        assert len(set(value for _, value in stored[0])) == 1
        modern.check_clean()


class Cut(object):
    """Takes the place of a process' commit: the connection is lost before the reply arrives."""

    def __init__(self, monkeypatch, site, numbers, error):
        sockets = [site.sockets[number - 1] for number in numbers]
        commit = replacement._Version.commit
        self.count = 0

        def cut(prepared):
            operation = commit(prepared)
            if prepared.socket_file not in sockets or prepared.is_replaced() or self.count >= len(
                    numbers):
                return operation
            self.count += 1

            def fail(lines):
                raise error
            operation.interpret = fail
            return operation
        monkeypatch.setattr(replacement._Version, 'commit', cut)


@pytest.mark.parametrize('error', [KeyboardInterrupt(), exceptions.SocketTimeout('cut')])
def test_the_answer_to_a_commit_is_lost(error, modern, monkeypatch):
    Cut(monkeypatch, modern, [2], error)
    with pytest.raises(type(error)) as caught:
        modern.map().replace(NEW)
    assert modern.stored() == [OLD] * 3
    assert left(modern, caught.value) == [[1, 2, 3], [], []]
    modern.check_clean()


@pytest.mark.parametrize('error', [KeyboardInterrupt(), exceptions.SocketTimeout('cut')])
def test_the_answer_to_the_only_commit_is_lost(error, modern, monkeypatch):
    """A single process needs no copy of what it had: it has the new content."""
    Cut(monkeypatch, modern, [2], error)
    hap = HAProxy(socket_file=modern.sockets[1], retry=None, timeout=conftest.PATIENT)
    with pytest.raises(type(error)) as caught:
        modern.map(hap=hap).replace(NEW)
    stored = modern.stored()
    assert stored[1] in (OLD, NEW)
    assert left(modern, caught.value) == ([[2], [], []] if stored[1] == OLD else [[], [2], []])
    modern.check_clean()


def test_an_empty_content_is_put_back(modern, monkeypatch):
    modern.fill('str.map', [])
    Cut(monkeypatch, modern, [2], exceptions.SocketTimeout('cut'))
    with pytest.raises(exceptions.SocketTimeout) as caught:
        modern.map().replace(NEW)
    assert modern.stored() == [[]] * 3
    assert left(modern, caught.value) == [[1, 2, 3], [], []]


@pytest.mark.parametrize('version', modern_versions())
def test_what_cannot_be_put_back(version, tmpdir, monkeypatch):
    """A file can contain a key without a value, the socket cannot add one."""
    with Site(version, tmpdir) as site:
        site.write('str.map', b'k\nl v\n')
        for lab in site.labs:
            lab.restart()
        Cut(monkeypatch, site, [2], exceptions.SocketTimeout('cut'))
        with pytest.raises(exceptions.SocketTimeout) as caught:
            site.map().replace(NEW)
        assert left(site, caught.value) == [[], [1, 2, 3], []]
        assert site.stored() == [NEW] * 3
        site.check_clean()


# Refusals

@pytest.mark.parametrize('name, good, wrong', [
    ('ip.map', [('10.0.0.1', 'x'), ('10.0.0.2', 'y')], ('nope', 'z')),
    ('int.map', [('k', '1'), ('l', '2')], ('m', 'nope')),
    ('ip.acl', ['10.0.0.1', '::1'], '10.0.0.0/99'),
    ('reg.acl', ['^/a', '^/b'], 'c('),
])
@pytest.mark.parametrize('place', [0, 1, 2])
@pytest.mark.parametrize('atomic', [True, False])
def test_a_refused_entry(atomic, place, name, good, wrong, site):
    if atomic and site.version < '2.4':
        pytest.skip('there are no versions')
    old = good[::-1]
    site.fill(name, old)
    entries = good[:place] + [wrong] + good[place:]
    found = getattr(site, name[-3:])(name)
    with pytest.raises(exceptions.CommandFailed) as caught:
        found.replace(entries, atomic=atomic)
    assert site.stored(name) == [old] * 3
    failures = caught.value.failures
    assert set(failure.entry for failure in failures) == set([wrong])
    assert sorted(failure.socket_file for failure in failures) == site.sockets
    if atomic:
        assert set(failure.index for failure in failures) == set([place])
        site.check_clean(name, counts=False)
    assert set(caught.value.not_undone) == set()


@pytest.mark.parametrize('wrong', [('a\nb', 'v'), ('k', 'a\nb'), ('', 'v'), ('k', ''), ('k',), 'kv',
                                   ('k', None), ('k\0', 'v'), ('k', 'v\r'), ('k' * 70000, 'v'),
                                   (b'a\nb', 'v'), None])
@pytest.mark.parametrize('place', [0, 3000])
def test_an_entry_that_cannot_be_sent(place, wrong, modern):
    entries = [('x{0}'.format(number), 'v') for number in range(4000)]
    entries[place:place] = [wrong]
    with pytest.raises(ValueError) as caught:
        modern.map().replace(iter(entries))
    assert 'entry {0}: '.format(place) in str(caught.value)
    assert modern.stored() == [OLD] * 3
    modern.check_clean()


def test_entries_that_are_none(modern):
    found = modern.map()
    for wrong in ('text', 5, None):
        with pytest.raises(ValueError):
            found.replace(wrong)
    assert modern.versions(1) == modern.versions(1)
    assert modern.stored() == [OLD] * 3
    assert found.replace([]) is True
    assert modern.stored() == [[]] * 3
    assert found.replace(collections.OrderedDict(NEW)) is True
    assert modern.stored() == [NEW] * 3
    assert found.replace(dict(OLD)) is True
    assert [sorted(stored) for stored in modern.stored()] == [sorted(OLD)] * 3
    assert found.replace([list(pair) for pair in OLD]) is True
    assert modern.stored() == [OLD] * 3
    modern.check_clean()


# All or none, without versions

INTEGERS = [('a', '1'), ('b', '2'), ('c', '3'), ('b', '4')]


@pytest.fixture(scope='module', params=conftest.versions())
def picky_started(request, tmpdir_factory):
    with Site(request.param, tmpdir_factory.mktemp('p'), numeric=(3,)) as site:
        site.version = request.param
        yield site


@pytest.fixture
def picky(picky_started):
    """Three processes, the last of which accepts only integers as values of ``str.map``."""
    picky_started.fill('str.map', INTEGERS)
    return picky_started


def refuse_item(found):
    found['a'] = 'word'


def refuse_new_item(found):
    found['new'] = 'word'


def refuse_repeated(found):
    found['b'] = 'word'


def refuse_union(found):
    found |= {'a': '7', 'c': 'word'}


@pytest.mark.parametrize('change', [
    refuse_item, refuse_new_item, refuse_repeated, refuse_union,
    lambda found: found.update(a='5', new='word'),
    lambda found: found.update(a='word'),
    lambda found: found.setdefault('new', 'word'),
    lambda found: found.sync([('a', '1'), ('c', 'word'), ('d', '5')]),
    lambda found: found.sync([('c', 'word')]),
    lambda found: found.sync([('a', '3'), ('d', 'word')]),
    lambda found: found.replace([('x', '1'), ('a', 'word')], atomic=False),
    lambda found: found.replace([('x', '1'), ('a', 'word')]),
])
def test_a_value_that_one_process_refuses(change, picky):
    if 'atomic' not in change.__code__.co_names + change.__code__.co_consts and (
            'replace' in change.__code__.co_names and picky.version < '2.4'):
        pytest.skip('there are no versions')
    found = picky.map()
    with pytest.raises(exceptions.HAProxyBaseError) as caught:
        change(found)
    for stored in picky.stored():
        assert sorted(stored) == sorted(INTEGERS)
        assert [pair for pair in stored if pair[0] == 'b'] == [('b', '2'), ('b', '4')]
    assert not caught.value.not_undone and not caught.value.replaced
    if 'replace' not in change.__code__.co_names:
        assert left(picky, caught.value)[0][:2] == [1, 2]
    assert dict(found) == {'a': '1', 'b': '2', 'c': '3'}


def delete_item(found):
    del found['b']


def set_item(found):
    found['a'] = '9'


LOSING = [delete_item, set_item, lambda found: found.clear(), lambda found: found.pop('a'),
          lambda found: found.popitem(), lambda found: found.update({'a': '8', 'z': '9'}),
          lambda found: found.sync([('z', '1')])]


@pytest.mark.parametrize('version', conftest.versions())
def test_a_process_that_is_gone(version, tmpdir):
    with Site(version, tmpdir) as site:
        site.fill('str.map', INTEGERS)
        site.fill('str.acl', ['p', 'q'])
        found, acl = site.map(), site.acl()
        assert found['a'] == '1' and 'p' in acl
        site.kill(2)
        for change in LOSING:
            with pytest.raises(exceptions.HAProxySocketError) as caught:
                change(found)
            assert [sorted(stored) for stored in site.stored(numbers=[1, 3])] == [
                sorted(INTEGERS)] * 2
            assert left(site, caught.value)[1:] == [[], []]
            found.refresh()
        for change in [lambda: acl.add('new'), lambda: acl.discard('p'), acl.clear,
                       lambda: acl.remove('q'), lambda: acl.update(['r', 's']),
                       lambda: acl.difference_update(['q']), lambda: acl.sync(['s'])]:
            with pytest.raises(exceptions.HAProxySocketError) as caught:
                change()
            assert [sorted(stored) for stored in site.stored('str.acl', numbers=[1, 3])] == [
                ['p', 'q']] * 2
            assert left(site, caught.value)[1:] == [[], []]
            acl.refresh()


@pytest.mark.parametrize('version', conftest.versions())
@pytest.mark.parametrize('lacking', [1, 2, 3])
def test_a_process_without_the_map_is_left_out(lacking, version, tmpdir):
    with Site(version, tmpdir, lacking=[lacking]) as site:
        numbers = [number for number in (1, 2, 3) if number != lacking]
        kinds = ['set', 'new', 'update', 'sync', 'replace', 'delete', 'clear']
        for kind in kinds:
            for number in numbers:
                site.raw(number, 'clear map F')
                for key, value in INTEGERS:
                    site.raw(number, 'add map F {0} {1}'.format(key, value))
            found, expected = site.map(), list(INTEGERS)
            if kind == 'set':
                found['a'] = '7'
                expected[0] = ('a', '7')
            elif kind == 'new':
                found['z'] = '7'
                expected.append(('z', '7'))
            elif kind == 'update':
                found.update(a='8', z='9')
                expected = [('a', '8')] + expected[1:] + [('z', '9')]
            elif kind == 'sync':
                assert found.sync([('a', '1'), ('z', '5')]).added == [('z', '5')]
                expected = [('a', '1'), ('z', '5')]
            elif kind == 'replace':
                found.replace(NEW, atomic=version > '2.4')
                expected = NEW
            elif kind == 'delete':
                del found['b']
                expected = [expected[0], expected[2]]
            else:
                found.clear()
                expected = []
            stored = site.stored(numbers=numbers)
            if kind == 'replace':
                stored, expected = [sorted(own) for own in stored], sorted(expected)
            assert stored == [expected] * 2, kind
            assert 'str.map' not in site.raw(lacking, 'show map')
        for number in numbers:
            site.raw(number, 'add acl F p', 'str.acl')
        for change, expected in [('add p', ['p']), ('add q', ['p', 'q']), ('discard p', ['q']),
                                 ('add r', ['q', 'r']), ('clear', [])]:
            words = change.split()
            acl = site.acl()
            getattr(acl, words[0])(*words[1:])
            assert site.stored('str.acl', numbers=numbers) == [expected] * 2, change


def test_processes_that_differ_keep_what_they_had(picky):
    picky.raw(2, 'clear map F')
    picky.raw(2, 'add map F a 7')
    picky.raw(2, 'add map F z 8')
    for change in (refuse_item, refuse_new_item, refuse_union,
                   lambda found: found.update({'z': 'word', 'y': '1'}),
                   lambda found: found.sync([('a', 'word'), ('d', '5')])):
        with pytest.raises(exceptions.HAProxyBaseError):
            change(picky.map())
        assert sorted(picky.stored()[1]) == [('a', '7'), ('z', '8')]


def test_a_new_key_that_another_process_has(picky):
    picky.raw(2, 'add map F z 8')
    with pytest.raises(exceptions.HAProxyBaseError):
        picky.map()['z'] = 'word'
    assert picky.stored()[1] == INTEGERS + [('z', '8')]


# Exactness

NASTY = ['k', 'K', 'k', '#x', '#0x12', '0x12', '0x1a78ab0', '@1', 'a;b', 'back\\slash', 'end\\', '<<',
         '"q"', "it's", 'semi;', 'tab\there', u'schl\xfcssel', u'\u20ac', b'\xff\xfe', 'two words',
         ' lead', 'trail ', 'k k', '%[src]', '$HOME', '-', '*', '.', 'x' * 9000, 'K']
VALUES = ['v', '', 'two words', ' lead', 'trail ', '#1', '0x1', 'a;b', 'e\\', u'\u20ac', b'\xff',
          'v  v', 'y' * 6000, '<<', '"']
NETWORKS = ['10.0.0.0/8', '10.0.0.0/255.0.0.0', '192.168.1.1', '192.168.1.1/32', '::1',
            '2001:DB8::1', '2001:db8:0::1', '::ffff:10.0.0.1', '2001:db8::/32', '10.1.0.0/8',
            '0.0.0.0/0', '::/0', '192.168.1.1']
SUBJECTS = {
    'str': NASTY, 'beg': NASTY, 'end': NASTY, 'sub': NASTY, 'dir': NASTY, 'dom': NASTY,
    'reg': ['^/a', '^/A', '^/a', 'b c', '#x', 'a;b', '[.]', u'\u20ac', '^/.*$', '(x|y)'],
    'ip': NETWORKS, 'int': ['1', '01', '1', '5:10', ':7', '9:'], 'len': ['1', '2', '2', '01'],
}
KINDS = [(kind, case, value) for kind in sorted(SUBJECTS) for case in ('', '-i')
         for value in ('', 'int', 'ip') if not (case and kind in ('ip', 'int', 'len'))
         and not (case and value) and (not value or kind in ('str', 'ip', 'reg'))]
KINDS_CONFIG = """
global
    nbthread 1
    tune.bufsize 65536
    stats socket "${HAPROXYADMIN_RUN}/${HAPROXYADMIN_PROCESS}.sock" level admin
defaults
    mode http
    timeout connect 1s
    timeout client 60s
    timeout server 60s
frontend f
    bind "127.0.0.1:${HAPROXYADMIN_PORT_F}"
"""
SAMPLES = {'ip': 'src', 'int': 'src_port', 'len': 'path'}


class Kinds(object):
    """A HAProxy with an ACL and a map of each kind."""

    def __init__(self, version, directory):
        self.version = version
        self.directory = str(directory)
        config = [KINDS_CONFIG]
        for place, (kind, case, value) in enumerate(KINDS):
            for family in ('acl', 'map'):
                with open(self.path(place, family), 'wb'):
                    pass
            sample = SAMPLES.get(kind, 'path')
            if not value:
                config.append('    http-request deny if {{ {0} {1} -m {2} -f {3} }}\n'.format(
                    sample, case, kind, self.path(place, 'acl')))
            if kind == 'len':
                continue
            if case:
                # A map is not sensitive if an ACL of its file is not.
                continue
            config.append('    http-request set-header A %[{0},map_{1}{2}({3})]\n'.format(
                sample, kind, value and '_' + value, self.path(place, 'map')))
        self.lab = conftest.start(version, config=''.join(config), instances=2)
        self.hap = HAProxy(addresses=self.lab.socket_files, retry=None, timeout=conftest.PATIENT)

    def path(self, place, family):
        return os.path.join(self.directory, '{0}.{1}'.format(place, family))


@pytest.fixture(scope='module', params=conftest.versions())
def kinds(request, tmpdir_factory):
    started = Kinds(request.param, tmpdir_factory.mktemp('k'))
    with started.lab:
        yield started


def native(text):
    return text.decode('utf-8', 'surrogateescape') if isinstance(text, bytes) and six.PY3 else (
        text.encode('utf-8') if not isinstance(text, str) else text)


def listed(found, is_map):
    """Return the entries of an object as HAProxy lists them, which does not tell key from value."""
    return [native(entry.key) + (' ' + entry.value if is_map else '') for entry in found.entries()]


def contents_of(kind, value, is_map):
    """Yield contents for an ACL or map of a kind."""
    keys = SUBJECTS[kind]
    values = {'': [text for text in VALUES if text], 'int': ['1', '-5', '007', '0'],
              'ip': ['10.0.0.1', '::1', '2001:DB8::1']}[value]
    chance = random.Random(12)
    for turn in range(4):
        chosen = [key for key in keys if turn == 0 or chance.random() < 0.6]
        if turn > 1:
            chance.shuffle(chosen)
        if not is_map:
            yield chosen
        elif turn == 3:
            # Each key has a value of its own, and the order differs.
            yield [(key, values[number % len(values)]) for number, key in enumerate(chosen)]
        else:
            yield [(key, chance.choice(values)) for key in chosen]
    yield []


def cases(family):
    return [(place, family) for place, (kind, case, value) in enumerate(KINDS)
            if (family == 'acl' and not value) or (family == 'map' and kind != 'len' and not case)]


@pytest.mark.parametrize('place, family', cases('acl') + cases('map'), ids=lambda value: (
    '_'.join(KINDS[value]) if isinstance(value, int) else value))
def test_contents_are_exact(place, family, kinds):
    kind, case, value = KINDS[place]
    is_map = family == 'map'
    found = getattr(kinds.hap, family)(kinds.path(place, family))
    single = [getattr(HAProxy(socket_file=path, retry=None, timeout=conftest.PATIENT), family)(
        kinds.path(place, family)) for path in kinds.lab.socket_files]
    found.clear()
    for content in contents_of(kind, value, is_map):
        expected = [native(entry[0]) + ' ' + native(entry[1]) if is_map else native(entry)
                    for entry in content]
        if kinds.version > '2.4':
            assert found.replace(content) is True
            assert [listed(one, is_map) for one in single] == [expected] * 2
            assert found.replace(iter(content[::-1])) is True
            assert [listed(one, is_map) for one in single] == [expected[::-1]] * 2
    for content in contents_of(kind, value, is_map):
        expected = [native(entry[0]) + ' ' + native(entry[1]) if is_map else native(entry)
                    for entry in content]
        delta = found.sync(content)
        for one in single:
            assert sorted(canonical(kind, listed(one, is_map))) == sorted(
                canonical(kind, expected))
        # The same object, and one that knows what HAProxy lists.
        assert not found.sync(content), (delta, content)
        assert not found.diff(content) or any(' ' in native(entry[0]) for entry in content)
        assert found.replace(content, atomic=False) is True
        found.refresh()
        assert not found.sync(content)


@pytest.mark.parametrize('before, goal', [
    (['10.0.0.0/8'], ['10.0.0.0/255.0.0.0', '10.1.0.0/8']),
    (['10.0.0.0/255.0.0.0', '10.1.0.0/8'], ['10.0.0.0/8']),
    (['10.0.0.0/8', '10.1.0.0/8'], ['10.0.0.0/255.0.0.0']),
    (['10.0.0.0/8', '10.0.0.0/8'], ['10.0.0.0/255.0.0.0']),
    (['10.0.0.0/8'], ['10.0.0.0/255.0.0.0', '10.0.0.0/255.0.0.0']),
    (['2001:db8::1'], ['2001:DB8::1', '2001:db8:0::1']),
    (['1.2.3.4'], ['1.2.3.4/32', '::ffff:1.2.3.4']),
    (['::ffff:1.2.3.4'], ['1.2.3.4', '::ffff:102:304']),
])
def test_addresses_that_are_written_differently(before, goal, site):
    for name in ('ip.acl', 'ip.map'):
        is_map = name == 'ip.map'
        wanted = [(key, str(place)) for place, key in enumerate(goal)] if is_map else goal
        site.fill(name, [(key, 'old') for key in before] if is_map else before)
        found = getattr(site, name[-3:])(name)
        found.sync(wanted)
        if is_map:
            assert [by_network(stored) for stored in site.stored(name)] == [by_network(wanted)] * 3
        assert not found.sync(wanted)
        for stored in site.stored(name):
            keys = [entry[0] if is_map else entry for entry in stored]
            assert set(map(words.parse_network, keys)) == set(
                map(words.parse_network, goal))


def by_network(pairs):
    """Return the values of each network."""
    values = collections.OrderedDict()
    for key, value in pairs:
        values.setdefault(words.parse_network(key), []).append(value)
    return dict(values)


def canonical(kind, texts):
    """Return entries with addresses as HAProxy compares them."""
    if kind != 'ip':
        return texts
    return [(words.parse_network(text.split(' ')[0]), text.partition(' ')[2])
            for text in texts]


# Files

TEXT = (b'\xef\xbb\xbfbom v\r\n# a comment\r\n\n  \n#comment\n #x a value\t \nempty\n\tk \tv  w\r\n'
        b'd 1\nd 2\nd 1\n\xc5\xbe \xc5\xa5\n\xff \xfe\n<< a;b\\\nlast line')


@pytest.mark.parametrize('version', modern_versions())
def test_a_file_survives(version, tmpdir):
    with Site(version, tmpdir, numbers=(1, 2)) as site:
        site.write('str.map', TEXT)
        site.write('str.acl', TEXT)
        for lab in site.labs:
            lab.restart()
        for name in ('str.map', 'str.acl'):
            before = site.stored(name)
            own = site.path(name)
            os.chmod(own, 0o640)
            found = getattr(site, name[-3:])(name)
            copy = str(tmpdir.join('copy'))
            assert found.save_file(copy) is True
            with open(own, 'rb') as source:
                assert source.read() == TEXT
            assert found.save_file() is True
            assert os.stat(own).st_mode & 0o777 == 0o640
            with open(own, 'rb') as source, open(copy, 'rb') as other:
                assert source.read() == other.read()
            for lab in site.labs:
                lab.restart()
            assert site.stored(name) == before
            assert before[0][0] in ('\ufeffbom v', '\xef\xbb\xbfbom v', ('\ufeffbom', 'v'),
                                    ('\xef\xbb\xbfbom', 'v'))
        with pytest.raises(ValueError) as caught:
            site.map().load_file(site.path('str.map'))
        assert "'empty' has no value" in str(caught.value)  # the socket cannot add it
        site.acl().clear()
        assert site.acl().load_file(site.path('str.acl')) is True
        assert site.stored('str.acl') == before and before[0] == before[1]
        assert site.acl().load_file(site.path('str.acl'), atomic=False) is True
        assert site.stored('str.acl') == before
        site.check_clean('str.acl')
        assert sorted(os.listdir(site.files)) == sorted(FILES)


def test_a_file_that_is_not_there(site):
    with pytest.raises(EnvironmentError):
        site.map().load_file(site.path('missing'), atomic=False)
    assert site.map().load_file(site.path('missing'), die=False) is False
    with pytest.raises(EnvironmentError):
        site.map().save_file(site.path('missing') + '/file')
    assert site.stored() == [OLD] * 3


def test_processes_that_differ_are_not_saved(site):
    site.raw(2, 'add map F a 7')
    site.write('str.map', b'kept\n')
    with pytest.raises(exceptions.IncosistentData) as caught:
        site.map().save_file()
    assert [text.split(',')[0] for _, text in caught.value.results] == [
        '302 entries', '303 entries', '302 entries']
    with open(site.path('str.map'), 'rb') as source:
        assert source.read() == b'kept\n'


def test_what_a_file_cannot_contain(site):
    site.write('str.map', b'kept\n')
    for value in (' lead', 'trail '):
        site.fill('str.map', [('k', 'v'), ('x', value)])
        with pytest.raises(ValueError) as caught:
            site.map().save_file()
        assert repr(value) in str(caught.value)
    site.fill('str.acl', [' lead'])
    with pytest.raises(ValueError):
        site.acl().save_file()
    with open(site.path('str.map'), 'rb') as source:
        assert source.read() == b'kept\n'
    assert sorted(os.listdir(site.files)) == sorted(FILES)


def test_another_machine_needs_a_path(site, tmpdir):
    """A TCP socket of this machine counts, too: it may lead anywhere."""
    # The frontend of a Unix socket is not needed: the address decides.
    with conftest.start(site.version, config=KINDS_CONFIG + """
    http-request set-header A %[hdr(a),map_str({0})]
global
    stats socket "ipv4@127.0.0.1:${{HAPROXYADMIN_PORT_CLI}}" level admin
""".format(site.path('str.map')).replace('{{', '{').replace('}}', '}')) as lab:
        hap = HAProxy(addresses=['127.0.0.1:{0}'.format(lab.stats_ports[0])], retry=None,
                      timeout=conftest.PATIENT)
        found = hap.map(site.path('str.map'))
        with pytest.raises(ValueError) as caught:
            found.save_file()
        assert 'pass a path' in str(caught.value)
        found['k'] = 'v'
        assert found.save_file(str(tmpdir.join('copy'))) is True
        assert 'k v' in tmpdir.join('copy').read().splitlines()


FULL = """
import resource
import sys
from haproxyadmin.haproxy import HAProxy
resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))
hap = HAProxy(addresses=sys.argv[2:], retry=None, timeout=30)
try:
    hap.map(sys.argv[1]).save_file()
except EnvironmentError as error:
    print(error.filename)
"""


def test_a_file_that_grows_too_large(site):
    """As on a full disk, the old file remains."""
    site.write('str.map', b'kept\n')
    output = subprocess.check_output(
        [sys.executable, '-c', FULL, site.path('str.map')] + site.sockets, cwd=PACKAGE_ROOT)
    assert output.decode('utf-8').strip() == site.path('str.map')
    with open(site.path('str.map'), 'rb') as source:
        assert source.read() == b'kept\n'
    assert sorted(os.listdir(site.files)) == sorted(FILES)


SAVING = """
import sys
from haproxyadmin.haproxy import HAProxy
hap = HAProxy(addresses=sys.argv[1:2], retry=None, timeout=30)
maps = [hap.map(path) for path in sys.argv[2:4]]
print('ready')
sys.stdout.flush()
while True:
    for found in maps:
        found.save_file(sys.argv[4])
"""


def test_kill_while_a_file_is_written(site, tmpdir):
    chance = random.Random(12)
    site.fill('int.map', [('i{0:05d}'.format(number), '7') for number in range(500)])
    target = tmpdir.mkdir('saved').join('file')
    wanted = []
    for name in ('str.map', 'int.map'):
        site.map(name).save_file(str(target))
        wanted.append(target.read('rb'))
    assert len(set(wanted)) == 2
    for _ in range(8):
        running = subprocess.Popen(
            [sys.executable, '-c', SAVING, site.sockets[0], site.path('str.map'),
             site.path('int.map'), str(target)], cwd=PACKAGE_ROOT, stdout=subprocess.PIPE)
        try:
            assert running.stdout.readline() == b'ready\n'
            begun = os.stat(str(target)).st_ino
            wait_until(lambda: os.stat(str(target)).st_ino != begun, 'a new file')
            threading.Event().wait(chance.random() / 50)
        finally:
            running.kill()
            running.communicate()
        assert target.read('rb') in wanted
        assert set(os.listdir(str(tmpdir.join('saved')))) <= set(['file', '.file.new'])
    site.map().save_file(str(target))
    assert os.listdir(str(tmpdir.join('saved'))) == ['file']
    assert target.read('rb') == wanted[0]


@pytest.mark.parametrize('version', conftest.versions())
def test_what_others_have_changed_is_put_back(version, tmpdir):
    """The object knows something else."""
    with Site(version, tmpdir) as site:
        site.fill('str.map', INTEGERS)
        site.fill('str.acl', ['p', 'q'])
        known, acl_known = site.map(), site.acl()
        for number in (1, 3):
            site.raw(number, 'set map F a 10')
            site.raw(number, 'add map F z 11')
            site.raw(number, 'add acl F z', 'str.acl')
            site.raw(number, 'del acl F q', 'str.acl')
        before = sorted(site.stored()[0])
        site.kill(2)
        for change in [set_item, lambda found: found.setdefault('z', '5'), delete_item,
                       lambda found: found.clear()]:
            assert known['a'] and 'z' not in known
            with pytest.raises(exceptions.HAProxySocketError) as caught:
                change(known)
            assert [sorted(own) for own in site.stored(numbers=[1, 3])] == [before] * 2
            assert left(site, caught.value)[1:] == [[], []]
            known._values, known._repeated = dict(INTEGERS), {'b': ['2', '4']}
        for change in [lambda: acl_known.add('z'), lambda: acl_known.discard('q'),
                       lambda: acl_known.discard('z'), acl_known.clear]:
            with pytest.raises(exceptions.HAProxySocketError) as caught:
                change()
            assert [sorted(own) for own in site.stored('str.acl', numbers=[1, 3])] == [
                ['p', 'z']] * 2
            assert left(site, caught.value)[1:] == [[], []]
            acl_known._values, acl_known._repeated = dict.fromkeys(['p', 'q']), {}


# What others have changed, and what only looks alike

def test_a_key_is_listed_as_if_it_ended_at_a_blank(site):
    site.fill('str.map', [('k', 'v')])
    site.raw_everywhere('add map F a\\ b x')
    found = site.map()
    assert found == {'k': 'v', 'a': 'b x'}
    del found['a']
    assert site.stored() == [[('k', 'v')]] * 3
    for value in ['x', 'y', 'y']:
        found['a b'] = value
        assert found == {'k': 'v', 'a b': value}
    found.refresh()
    found['a b'] = 'y'
    assert found == {'k': 'v', 'a b': 'y'}
    del found['a b']
    assert site.stored() == [[('k', 'v')]] * 3


def test_what_another_client_has_added_is_not_there_twice(site):
    site.fill('str.map', [('k', 'v')])
    site.fill('str.acl', ['p'])
    found, paths = site.map(), site.acl()
    site.raw(1, 'add map F late v1')
    site.raw(2, 'add acl F q', 'str.acl')
    found['late'] = 'v2'
    paths.add('q')
    assert site.stored() == [[('k', 'v'), ('late', 'v2')]] * 3
    assert site.stored('str.acl') == [['p', 'q']] * 3


def test_a_file_gets_the_order_of_the_first_process(site, tmpdir):
    site.fill('str.map', [('a', '1'), ('b', '2')])
    site.raw(2, 'del map F a')
    site.raw(2, 'add map F a 1')
    path = tmpdir.join('saved')
    assert site.map().save_file(str(path)) is True
    assert path.read() == 'a 1\nb 2\n'


@pytest.mark.parametrize('change', [
    lambda found: found.update('pq'), lambda found: found.__ior__('pq'),
    lambda found: found.difference_update('pq'), lambda found: found.__isub__('pq'),
    lambda found: found.__iand__('pq'), lambda found: found.__ixor__('pq')])
def test_a_text_is_not_several_patterns(change, site):
    site.fill('str.acl', ['p', 'x'])
    with pytest.raises(TypeError):
        change(site.acl())
    assert site.stored('str.acl') == [['p', 'x']] * 3
