# SPDX-License-Identifier: Apache-2.0
"""One HAProxy object in several threads and in forked children, on real HAProxy instances.

A stats socket accepts 10 connections by default: a call never has more than one open per process.
"""
import collections
import os
import threading

import pytest

from haproxyadmin import haproxy
from haproxyadmin.protocol import transport
from tests import conftest
from tests.support import group, truth

THREADS = 8
ROUNDS = 12
MAP = 0


class Connections(object):
    """Count the connections of the library to each socket, in total and at the same time."""

    def __init__(self):
        self.opened = collections.Counter()
        self.peaks = collections.Counter()
        self._open = collections.Counter()
        self._lock = threading.Lock()

    def open(self, path):
        with self._lock:
            self.opened[path] += 1
            self._open[path] += 1
            self.peaks[path] = max(self.peaks[path], self._open[path])

    def close(self, path):
        with self._lock:
            self._open[path] -= 1

    def left(self):
        return sum(self._open.values())

    def clear(self):
        self.opened.clear()
        self.peaks.clear()


@pytest.fixture
def connections(monkeypatch):
    counted = Connections()
    connect, close = transport.Exchange.connect, transport.Exchange.close

    def counting_connect(exchange, now, poller, alone):
        connected_before = exchange.sock is not None
        # The exchange may be over when connect() returns.
        if not connected_before:
            counted.open(exchange.request.socket_file)
        connect(exchange, now, poller, alone)
        if exchange.sock is None and exchange.outcome is None:
            counted.close(exchange.request.socket_file)

    def counting_close(exchange):
        if exchange.sock is not None:
            counted.close(exchange.request.socket_file)
        close(exchange)

    monkeypatch.setattr(transport.Exchange, 'connect', counting_connect)
    monkeypatch.setattr(transport.Exchange, 'close', counting_close)
    return counted


def in_threads(work, count=THREADS):
    """Call ``work(number)`` in several threads at the same time, and return the errors."""
    wrong = []
    ready = threading.Event()

    def run(number):
        ready.wait()
        try:
            work(number)
        except Exception as error:
            wrong.append(repr(error))

    threads = [threading.Thread(target=run, args=[number]) for number in range(count)]
    for thread in threads:
        thread.start()
    ready.set()
    for thread in threads:
        thread.join()
    return wrong


def fork(work):
    """Call a function in a forked child; return a function that waits for its result."""
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        said = b'it did not get that far'
        try:
            work()
            said = b'all well'
        except BaseException as error:
            said = repr(error).encode('utf-8')
        finally:
            os.write(writing, said)
            os._exit(0)
    os.close(writing)

    def wait():
        with os.fdopen(reading, 'rb') as answer:
            said = answer.read().decode('utf-8')
        os.waitpid(child, 0)
        return said

    return wait


CALLS = [
    lambda hap: hap.info(),
    lambda hap: hap.requests,
    lambda hap: hap.metric('CumReq'),
    lambda hap: hap.frontends(),
    lambda hap: hap.servers(),
    lambda hap: hap.stats(),
    lambda hap: hap.snapshot(),
    lambda hap: hap.errors(),
    lambda hap: hap.show_map(MAP),
    lambda hap: hap.frontend('haproxy').status,
    lambda hap: hap.server('bck_all_srv1', backend='backend1_proc34')[0].weight,
    lambda hap: hap.backend('backend1_proc34').servers(),
    lambda hap: hap.setratelimitconn(1000),
    lambda hap: hap.frontend('frontend1_proc34').setmaxconn(100),
    lambda hap: hap.server('bck1_proc34_srv1')[0].setweight(1),
    lambda hap: hap.command('show info'),
    lambda hap: hap.add_map(MAP, 'one', 'v'),
    lambda hap: hap.del_map(MAP, 'one'),
    lambda hap: hap.add_map_entries(MAP, [('k%d' % number, 'v' * 100) for number in range(200)]),
    lambda hap: hap.del_map_entries(MAP, ['k%d' % number for number in range(200)]),
    lambda hap: setattr(hap.server('bck1_proc34_srv1')[0], 'port', 8080),
    lambda hap: list(hap.watch(interval=0, timeout=0.01)),
]


@pytest.mark.one_layout
@pytest.mark.lab(extra='\nglobal\n    stats maxconn 10\n')
class TestSharing(object):

    def test_a_call_has_one_connection_to_a_process_at_a_time(self, lab, hap, connections):
        for call in CALLS:
            connections.clear()
            call(hap)
            assert set(connections.peaks.values()) == set([1])
            assert connections.left() == 0

    def test_a_read_has_one_connection_to_a_process_in_all(self, lab, hap, connections):
        for call in CALLS[:9]:
            connections.clear()
            call(hap)
            assert set(connections.opened.values()) == set([1])

    def test_ten_connections_suffice_for_eight_threads(self, lab, connections):
        hap = haproxy.HAProxy(socket_dir=lab.socket_dir, retry=None, timeout=20)
        frontend = hap.frontend('frontend1_proc34')
        server = hap.server('bck_all_srv1', backend='backend2_proc34')[0]
        pids = hap.processids

        def work(number):
            for count in range(ROUNDS):
                assert hap.processids == pids
                assert frontend.metric('slim') == truth.process_count(lab) // 2 * 3000
                assert server.weight == 1
                assert len(hap.frontends()) == 9
                key = 'thread{0}-{1}'.format(number, count)
                assert hap.add_map(MAP, key, str(number))
                assert 'value="{0}"'.format(number) in hap.get_map(MAP, key)
                assert hap.del_map(MAP, key)

        frontend.setmaxconn(3000)
        before = truth.all_entries(lab, 'map', '#0')
        assert in_threads(work) == []
        assert truth.all_entries(lab, 'map', '#0') == before
        assert max(connections.peaks.values()) <= THREADS
        assert connections.left() == 0

    def test_many_entries_from_many_threads_are_all_there(self, lab, hap):
        before = truth.all_entries(lab, 'map', '#0')

        def work(number):
            pairs = [('many{0}-{1}'.format(number, count), 'v w') for count in range(300)]
            assert hap.add_map_entries(MAP, pairs)

        assert in_threads(work) == []
        for old, new in zip(before, truth.all_entries(lab, 'map', '#0')):
            assert len(new) == len(set(new)) == len(old) + 300 * THREADS

        def unwork(number):
            assert hap.del_map_entries(MAP, [
                'many{0}-{1}'.format(number, count) for count in range(300)])

        assert in_threads(unwork) == []
        assert truth.all_entries(lab, 'map', '#0') == before

    def test_a_forked_child_may_use_it(self, lab, hap):
        frontend = hap.frontend('frontend1_proc34')
        status = frontend.status

        def work():
            assert frontend.status == status
            assert hap.add_map(MAP, 'child', 'v')
            assert len(hap.info()) == len(lab.socket_files)

        assert fork(work)() == 'all well'
        # The parent may still use it, too.
        assert 'value="v"' in hap.get_map(MAP, 'child')
        assert hap.del_map(MAP, 'child')
        assert frontend.status == status

    def test_children_and_parent_use_it_at_the_same_time(self, lab, hap):
        def work():
            for _ in range(ROUNDS):
                assert hap.processids == lab.pids
                assert hap.setratelimitconn(1000)

        children = [fork(work) for _ in range(3)]
        work()
        assert [wait() for wait in children] == ['all well'] * 3


@pytest.mark.parametrize('version', conftest.versions())
def test_an_address_is_not_undone_by_the_port_that_is_set_next(version, monkeypatch):
    """Since 3.0, HAProxy with several threads applies an address after it has answered."""
    with conftest.start(version, config=group.CONFIG) as started:
        hap = haproxy.HAProxy(socket_dir=started.socket_dir, retry=None, timeout=10)
        server = hap.server('s')[0]
        # On a busy machine this may take longer than the default pause.
        monkeypatch.setattr('haproxyadmin.server.ADDRESS_PAUSE', 0.1)
        for number in range(1, 8):
            server.address = '127.0.0.{0}'.format(number)
            server.port = 1000 + number
            assert server.stats_per_process()[0][1]['addr'] == '127.0.0.{0}:{1}'.format(
                number, 1000 + number)
