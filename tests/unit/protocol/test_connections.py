# SPDX-License-Identifier: Apache-2.0
"""protocol/transport.py: many connections at a time, and connections over TCP."""
import contextlib
import errno
import os
import select
import socket
import struct
import threading

import pytest

from haproxyadmin import exceptions, imports
from haproxyadmin.protocol import transport
from haproxyadmin.protocol.addresses import parse_address
from haproxyadmin.testing import sockets
from tests.support import lab as labs
from tests.support.backlog import Backlog
from tests.support.fakes import LONG

INET = socket.AF_INET


class Crowd(object):
    """A server of many connections in one thread, which answers when it is told to.

    :param path: where to listen.
    :param together: how many connections must be open before any is answered.
    """

    def __init__(self, path, together=1):
        self.listener = sockets.bound(path)
        self.listener.listen(1024)
        self.address = self.listener.getsockname()
        self.together = together
        self.most = self.total = 0
        self._stopping = threading.Event()
        self._thread = sockets.started(self._serve)

    def _serve(self):
        clients, poller = {}, select.poll()
        poller.register(self.listener, select.POLLIN)
        while not self._stopping.is_set():
            for fileno, _ in poller.poll(20):
                if fileno == self.listener.fileno():
                    client = self.listener.accept()[0]
                    clients[client.fileno()] = client
                    poller.register(client, select.POLLIN)
                    self.total += 1
                    self.most = max(self.most, len(clients))
            if len(clients) < self.together:
                continue
            for fileno, client in list(clients.items()):
                if select.select([client], [], [], 0)[0]:
                    client.recv(65536)
                    client.sendall(b'%d\n\n' % fileno)
                    poller.unregister(client)
                    client.close()
                    del clients[fileno]
                    self.together = 1

    def stop(self):
        self._stopping.set()
        self._thread.join()
        self.listener.close()


@pytest.fixture
def crowd(tmpdir):
    started = []

    def start(path=None, **options):
        started.append(Crowd(path or str(tmpdir.join('s%d' % len(started))), **options))
        return started[-1]
    yield start
    for each in started:
        each.stop()


def requests(address, count, timeout=LONG):
    return [transport.Request(address, b'show info', timeout) for _ in range(count)]


# Many at a time

@pytest.mark.parametrize('count, limit, expected', [
    (1, 20, 1), (16, 20, 16), (17, 20, 10), (64, 1024, 64), (256, 1024, 256), (1000, 1024, 256),
    (1000, 256, 128), (1000, 1, 1), (1000, -1, 256)])
def test_how_many_may_be_open(count, limit, expected, monkeypatch):
    """[addresses]"""
    import resource
    monkeypatch.setattr(resource, 'getrlimit', lambda which: (limit, limit))
    monkeypatch.setattr(resource, 'RLIM_INFINITY', -1)
    assert transport.most_connections(count) == expected


def test_all_up_to_the_limit_are_open_at_the_same_time(crowd, monkeypatch):
    """[addresses] They wait for each other here, and none is left out or asked twice."""
    monkeypatch.setattr(transport, 'MAX_CONNECTIONS', 40)
    started = crowd(together=40)
    before = labs.descriptors()
    outcomes = transport.exchange_all(requests(started.address, 100))
    assert all(isinstance(outcome, bytes) for outcome in outcomes)
    assert (started.most, started.total) == (40, 100)
    assert labs.descriptors() == before


def test_one_that_never_answers_does_not_keep_the_others_waiting(crowd, tmpdir, monkeypatch):
    monkeypatch.setattr(transport, 'MAX_CONNECTIONS', 20)
    started = crowd()
    deaf = sockets.bound(str(tmpdir.join('deaf')))
    deaf.listen(8)
    wanted = requests(started.address, 60)
    wanted[0] = transport.Request(str(tmpdir.join('deaf')), b'show info', 0.3)
    ended = []

    def follow(place, outcome):
        ended.append(place)
    transport.exchange_all(wanted, follow)
    assert ended[-1] == 0 and sorted(ended) == list(range(60))
    deaf.close()


def test_the_time_of_one_that_waits_for_its_turn_has_not_begun(crowd, tmpdir, monkeypatch):
    """[addresses] Otherwise the last of many would time out before it is asked."""
    monkeypatch.setattr(transport, 'most_connections', lambda wanted: 1)
    started = crowd()
    deaf = [sockets.bound(str(tmpdir.join('deaf%d' % number))) for number in range(3)]
    for each in deaf:
        each.listen(8)
    wanted = [transport.Request(each.getsockname(), b'show info', 0.2) for each in deaf]
    outcomes = transport.exchange_all(wanted + requests(started.address, 1, 0.2 * LONG))
    assert [type(outcome) for outcome in outcomes[:3]] == [exceptions.SocketTimeout] * 3
    assert isinstance(outcomes[3], bytes)
    for each in deaf:
        each.close()


def test_a_follow_up_comes_before_the_ones_that_wait(crowd, monkeypatch):
    monkeypatch.setattr(transport, 'most_connections', lambda wanted: 1)
    started = crowd()
    ended = []

    def follow(place, outcome):
        ended.append(place)
        return requests(started.address, 1)[0] if ended.count(place) == 1 else None
    transport.exchange_all(requests(started.address, 3), follow)
    assert ended == [0, 0, 1, 1, 2, 2]


def test_without_descriptors_a_connection_waits_for_another(crowd, monkeypatch):
    """[descriptors]"""
    started = crowd()
    made = []

    def make(*arguments):
        if len(made) - len(ended) > 2:
            raise socket.error(errno.EMFILE, os.strerror(errno.EMFILE))
        made.append(arguments)
        return socket.socket(*arguments)
    monkeypatch.setattr(imports, 'socket_part', lambda name: make)
    ended = []

    def follow(place, outcome):
        assert isinstance(outcome, bytes)
        ended.append(place)
    transport.exchange_all(requests(started.address, 12), follow)
    assert sorted(ended) == list(range(12)) and started.most <= 3


# TCP

@pytest.fixture
def port():
    """A port of 127.0.0.1 at which nobody listens."""
    kept = labs.Port()
    yield kept.number
    kept.close()


def test_a_port_answers(crowd):
    started = crowd(('127.0.0.1', 0))
    assert b''.join(transport.exchange_all(requests(
        '127.0.0.1:%d' % started.address[1], 3))).count(b'\n\n') == 3


def test_a_port_that_refuses(port):
    """[exception tree]"""
    error, = transport.exchange_all(requests('127.0.0.1:%d' % port, 1))
    assert type(error) is exceptions.SocketConnectionError
    assert error.errno == errno.ECONNREFUSED and error.undelivered
    assert "'show info' on 127.0.0.1:%d: Connection refused" % port == str(error)


@contextlib.contextmanager
def black_hole():
    """A port whose queue is full: further connections get no answer."""
    with contextlib.closing(Backlog(('127.0.0.1', 0))) as full:
        yield full.path[1]


def test_a_black_hole_times_out():
    with black_hole() as number:
        error, = transport.exchange_all(requests('127.0.0.1:%d' % number, 1, 0.2))
    assert type(error) is exceptions.SocketTimeout and error.undelivered
    assert 'timed out after 0.2 s while connecting' in str(error)


def resolving(monkeypatch, *targets):
    monkeypatch.setattr(socket, 'getaddrinfo', lambda host, port, family, kind: [
        (INET, kind, 6, '', target) for target in targets])


def test_the_addresses_of_a_host_are_tried_in_turn(crowd, port, monkeypatch):
    """[addresses] The first one may be of the other IP version, at which nobody listens."""
    started = crowd(('127.0.0.1', 0))
    resolving(monkeypatch, ('127.0.0.1', port), started.address)
    assert transport.exchange_all(requests('lb1:99', 1))[0].endswith(b'\n\n')


def test_each_address_of_a_host_gets_its_share_of_the_time(crowd, monkeypatch):
    started = crowd(('127.0.0.1', 0))
    with black_hole() as number:
        resolving(monkeypatch, ('127.0.0.1', number), started.address)
        reply, = transport.exchange_all(requests('lb1:99', 1, 4))
    assert reply.endswith(b'\n\n')


def test_the_address_that_answers_is_tried_first_the_next_time(crowd, monkeypatch):
    """[addresses] Otherwise one that never answers would cost its share of each call."""
    started = crowd(('127.0.0.1', 0))
    address = parse_address('lb1:99')
    with black_hole() as number:
        resolving(monkeypatch, ('127.0.0.1', number), started.address)
        for _ in range(3):
            assert transport.exchange_all(requests(address, 1, 4))[0].endswith(b'\n\n')
            monkeypatch.setattr(socket, 'getaddrinfo', None)
    assert [target for _, target in address.targets(0)] == [
        started.address, ('127.0.0.1', number)]


def test_the_error_is_that_of_the_last_address(port, monkeypatch):
    with black_hole() as number:
        resolving(monkeypatch, ('127.0.0.1', number), ('127.0.0.1', port))
        error, = transport.exchange_all(requests('lb1:99', 1, 0.2))
    assert error.errno == errno.ECONNREFUSED
    assert 'lb1:99' in str(error) and error.socket_file == 'lb1:99'


def test_a_name_that_does_not_resolve(monkeypatch):
    """[addresses] The others are asked all the same."""
    def fail(*arguments):
        raise socket.gaierror(socket.EAI_NONAME, 'Name or service not known')
    monkeypatch.setattr(socket, 'getaddrinfo', fail)
    error, other = transport.exchange_all([
        transport.Request('lb1:99', b'show info', LONG),
        transport.Request('/nowhere', b'show info', LONG)])
    assert type(error) is exceptions.SocketConnectionError and error.undelivered
    assert 'cannot be resolved: Name or service not known' in str(error)
    assert other.errno == errno.ENOENT


def test_a_port_that_resets(crowd):
    sock = sockets.bound(('127.0.0.1', 0))
    sock.listen(8)

    def reset():
        client = sock.accept()[0]
        client.recv(65536)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
        client.close()
    thread = sockets.started(reset)
    error, = transport.exchange_all(requests('127.0.0.1:%d' % sock.getsockname()[1], 1))
    thread.join()
    sock.close()
    assert type(error) is exceptions.SocketApplicationError
    assert error.errno == errno.ECONNRESET and not error.undelivered


@pytest.mark.skipif(not os.path.exists('/proc/net/if_inet6'), reason='there is no IPv6')
def test_ipv6():
    sock = socket.socket(socket.AF_INET6)
    sock.bind(('::1', 0))
    error, = transport.exchange_all(requests('[::1]:%d' % sock.getsockname()[1], 1))
    sock.close()
    assert error.errno == errno.ECONNREFUSED


def test_an_abstract_socket(crowd):
    for text in ('abns@haproxyadmin-%d' % os.getpid(), 'abnsz@haproxyadmin-%d' % os.getpid()):
        started = crowd(parse_address(text).targets(0)[0][1])
        assert transport.exchange_all(requests(text, 1))[0].endswith(b'\n\n')
        assert started.total == 1
