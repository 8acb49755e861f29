# SPDX-License-Identifier: Apache-2.0
"""Objects that outlive their HAProxy: another version takes over its sockets."""
import os
import shutil
import tempfile

import pytest

from haproxyadmin import haproxy
from haproxyadmin.internal import endpoint, fanout
from haproxyadmin.parsers import stats
from tests import conftest
from tests.support import lab as labs

CONFIG = """
global
    {processes}
    stats socket "{run}/1.sock" level admin {first}
    {second}
defaults
    mode http
    timeout connect 1s
    timeout client 1s
    timeout server 1s
frontend web
    bind "{directory}/web.sock"
    default_backend web
    http-request set-header x %[path,map({map})]
backend web
    server s 127.0.0.1:1
"""
VERSIONS = conftest.versions()
PAIRS = list(zip(VERSIONS, VERSIONS[1:]))


class Site(object):
    """A place where HAProxies run one after another, on the same sockets and files.

    :param second: True for a second socket, which belongs to a second process with ``nbproc``.
    """

    def __init__(self, second=False):
        self.directory = tempfile.mkdtemp(prefix='haproxyadmin-')
        self.run = os.path.join(self.directory, 'run')
        os.mkdir(self.run)
        self.map = os.path.join(self.directory, 'hosts.map')
        open(self.map, 'w').close()
        self.paths = [os.path.join(self.run, '{0}.sock'.format(number))
                      for number in range(1, 3 if second else 2)]
        self._instances = []

    def start(self, version):
        """Stop the running HAProxy, then start one of a version."""
        binary = conftest.find(version)
        self.end()
        two = len(self.paths) == 2
        several = two and version == '2.2'
        config = os.path.join(self.directory, 'haproxy.cfg')
        with open(config, 'w') as text:
            text.write(CONFIG.format(
                run=self.run, directory=self.directory, map=self.map,
                processes='nbproc 2' if several else '', first='process 1' if several else '',
                second='stats socket "{0}/2.sock" level admin {1}'.format(
                    self.run, 'process 2' if several else '') if two else ''))
        self._instances.append(labs.Instance(
            [binary, '-f', config, '-W' if several else '-db'], dict(os.environ),
            os.path.join(self.directory, 'log')))
        labs.wait_until(lambda: all(map(self.answers, self.paths)), 'all sockets answer')

    def answers(self, path):
        try:
            # A worker that is stopping lists no frontends.
            return 'web,FRONTEND' in labs.ask(path, 'show stat')
        except (IOError, OSError):
            return False

    def end(self):
        """Stop the running HAProxy."""
        while self._instances:
            instance = self._instances.pop()
            instance.terminate()
            instance.process.wait()
            assert instance.problems() == []
        for path in self.paths:
            if os.path.exists(path):
                os.unlink(path)

    def entries(self, path):
        """Return the entries of the map, without their references."""
        return sorted(line.split(' ', 1)[1] for line in labs.ask(
            path, 'show map ' + self.map).splitlines() if line)

    def field(self, path, name, field):
        lines = labs.ask(path, 'show stat').splitlines()
        row, = [line for line in lines if line.startswith(name)]
        return row.split(',')[lines[0][2:].split(',').index(field)]

    def close(self):
        self.end()
        shutil.rmtree(self.directory)


@pytest.fixture
def site(request):
    """Return a factory for :class:`Site`; the last HAProxy stops when the test ends."""
    def make(**options):
        made = Site(**options)
        request.addfinalizer(made.close)
        return made
    return make


@pytest.fixture
def clock(monkeypatch):
    """Append seconds to this list to advance the library's clock, so that a version expires."""
    now, ahead = endpoint.now, []
    monkeypatch.setattr(endpoint, 'now', lambda: now() + sum(ahead))
    return ahead


@pytest.mark.parametrize('old, new', PAIRS)
def test_what_depends_on_the_version_is_right_for_the_one_that_runs(old, new, site, clock, sent):
    """[one word per text; same address; references]"""
    place = site()
    place.start(old)
    hap = haproxy.HAProxy(socket_dir=place.run, retry=None, timeout=10)
    server = hap.server('s')[0]
    path, = place.paths
    for version in (old, new):
        if version == new:
            place.start(new)
            clock.append(60)
        assert hap.add_map(place.map, 'k', 'two words') is True
        assert hap.set_map(place.map, 'k', 'three; of\\them') is True
        assert place.entries(path) == ['k three; of\\them']
        assert hap.add_map_entries(place.map, [('k', 'v'), ('a b', 'c d'), ('k', 'w')]) is True
        assert len(place.entries(path)) == 4
        assert 'value="c d"' in hap.get_map(place.map, 'a b')
        assert hap.del_map(place.map, 'k') is True
        assert place.entries(path) == ['a b c d']
        assert hap.del_map_entries(place.map, ['a b']) is True
        assert place.entries(path) == []
        for number in range(1, 4):
            address = '127.0.0.{0}'.format(number)
            server.address = address
            server.port = 1000 + number
            assert place.field(path, 'web,s,', 'addr') == '{0}:{1}'.format(address, 1000 + number)
    clock.append(60)
    sent.clear()
    hap.setmaxconn(100)
    server.setweight(1)
    assert len(sent.commands) == 2
    hap.del_map(place.map, 'nothing', die=False)
    assert len(sent.commands) == 4 and sent.commands[2] == 'show info'


@pytest.mark.parametrize('old, new', PAIRS)
def test_a_next_try_finds_the_version_that_has_taken_over(old, new, site, monkeypatch, sent):
    """[retries]"""
    place = site()
    place.start(old)
    hap = haproxy.HAProxy(socket_dir=place.run, retry=1, retry_interval=0, timeout=10)
    place.end()

    def upgrade(seconds):
        monkeypatch.undo()
        place.start(new)
    monkeypatch.setattr(fanout.time, 'sleep', upgrade)
    sent.clear()
    assert hap.add_map(place.map, 'k', 'two words') is True
    assert place.entries(place.paths[0]) == ['k two words']
    assert [command.split(' ')[0] for command in sent.commands] == ['add', 'show', 'add']


@pytest.mark.parametrize('version', VERSIONS)
@pytest.mark.parametrize('kind', [1, 2, 4, 7, -1])
def test_the_header_tells_whether_a_worker_that_is_stopping_lists_everything(version, kind, site):
    """[one command per call] For every requested kind of row."""
    place = site()
    place.start(version)
    line = labs.ask(place.paths[0], 'show stat -1 {0} -1'.format(kind)).split('\n')[0]
    assert stats.Header(line).rows_stay is (version >= '2.6')


@pytest.mark.skipif(not set(['2.2', '2.6']) <= set(VERSIONS), reason='needs HAProxy 2.2 and 2.6')
@pytest.mark.parametrize('learn', [lambda hap: hap.info(), lambda hap: hap.snapshot(), None])
def test_one_process_that_takes_over_the_sockets_of_two(learn, site, clock):
    """[one process, two sockets] Then two processes take over from that one."""
    place = site(second=True)
    place.start('2.2')
    hap = haproxy.HAProxy(socket_dir=place.run, retry=None, timeout=10)
    frontend, server = hap.frontend('web'), hap.server('s')[0]
    assert len(set(hap.processids)) == 2
    assert hap.setmaxconn(10) is True and hap.maxconn == 20
    assert frontend.process_nb == server.process_nb == [1, 2]
    place.start('2.6')
    clock.append(60)
    if learn:
        learn(hap)
    # This works even without learn(), because the command depends on the version.
    assert hap.add_map(place.map, 'k', 'two words') is True
    assert place.entries(place.paths[0]) == ['k two words']
    assert hap.add_map(place.map, 'j', 'v') is True
    assert hap.add_map_entries(place.map, [('m', 'v')]) is True
    assert place.entries(place.paths[0]) == ['j v', 'k two words', 'm v']
    assert len(hap.processids) == 1
    assert hap.setmaxconn(10) is True and hap.maxconn == 10
    for path in place.paths:
        assert labs.ask(path, 'show info').count('\nMaxconn: 10\n') == 1
    assert frontend.setmaxconn(7) is True and frontend.maxconn == 7
    assert server.setweight(7) is True and server.weight == 7
    assert len(server.stats_per_process()) == 1
    server.address = '127.0.0.9'
    server.port = 99
    assert (server.address, server.port) == ('127.0.0.9', '99')
    place.start('2.2')
    clock.append(60)
    assert hap.add_map(place.map, 'k', 'two words') is True
    assert [place.entries(path) for path in place.paths] == [['k two words']] * 2
    assert len(set(hap.processids)) == 2
    assert frontend.process_nb == [1, 2]
    assert frontend.setmaxconn(7) is True and frontend.maxconn == 14
