# SPDX-License-Identifier: Apache-2.0
"""snapshot.py: read everything at once, then answer from memory."""
import pickle
import time

import pytest

from haproxyadmin import exceptions
from haproxyadmin.testing import faults
from tests.support import captured, fakes

BOTH = 'show info;show stat -1 7 -1'

READS = [
    lambda on: on.processids, lambda on: on.description, lambda on: on.nodename,
    lambda on: on.releasedate, lambda on: on.version, lambda on: on.uptime,
    lambda on: on.uptimesec, lambda on: on.totalrequests, lambda on: on.requests,
    lambda on: on.maxconn, lambda on: on.ratelimitconn, lambda on: on.ratelimitsess,
    lambda on: on.ratelimitsslsess, lambda on: on.info(), lambda on: on.metric('CumReq'),
    lambda on: on.metrics(), lambda on: on.stats(),
    lambda on: [frontend.name for frontend in on.frontends()],
    lambda on: [backend.name for backend in on.backends()],
    lambda on: [(server.backendname, server.name) for server in on.servers()],
    lambda on: on.servers('nope'),
    lambda on: [frontend.metrics() for frontend in on.frontends()],
    lambda on: [server.requests for backend in on.backends() for server in backend.servers()],
    lambda on: [server.weight for server in on.servers('be_static')],
    lambda on: on.frontend('tcp_listen').stats_per_process(),
    lambda on: on.frontend('tcp_listen').iid,
    lambda on: on.backend('tcp_listen').requests_per_process(),
    lambda on: on.backend('tcp_listen').server('tcp1').sid,
    lambda on: on.server('tcp1')[0].address,
]


def test_it_costs_each_process_one_connection(fleet):
    """[concurrent processes] All processes are read at the same time."""
    started = fleet('2.2', 4)
    hap = started.haproxy()
    hap.snapshot()
    assert started.commands == [[BOTH]] * 4
    for process in started:
        process.fail(faults.late(0.2))
    assert fakes.fastest(hap.snapshot, 0.6) < 0.6


@pytest.mark.parametrize('version', captured.VERSIONS)
def test_it_tells_what_haproxy_tells_and_asks_nothing(version, fleet):
    started = fleet(version, 2)
    hap = started.haproxy()
    live = [read(hap) for read in READS]
    started.forget()
    snapshot = hap.snapshot()
    assert [read(snapshot) for read in READS] == live
    assert started.connections == [1, 1]


def test_it_never_changes(fleet):
    started = fleet('2.2', 2)
    hap = started.haproxy()
    snapshot = hap.snapshot()
    before = [read(snapshot) for read in READS]
    snapshot.info()[0].clear()
    for process in started:
        process.info['CumReq'] = '1000'
        process.renumber()
        process.remove('be_static')
    assert [read(snapshot) for read in READS] == before
    assert hap.totalrequests == 2000


def test_a_change_goes_to_haproxy(fleet):
    """[verdicts]"""
    started = fleet('2.2', 2)
    server = started.haproxy().snapshot().server('tcp1')[0]
    started.forget()
    started.answer('set weight tcp_listen/tcp1 5', '\n')
    before = server.weight
    assert server.setweight(5) is True
    assert server.weight == before
    assert started.commands == [['set weight tcp_listen/tcp1 5']] * 2


@pytest.mark.parametrize('servers', [
    lambda on: on.servers(), lambda on: on.server('tcp1'), lambda on: on.backend('tcp_listen').servers()])
def test_the_backend_of_a_server_is_the_backend(servers, fleet):
    started = fleet('2.2', 1)
    hap = started.haproxy()
    for on in (hap, hap.snapshot()):
        server = servers(on)[-1]._members[0]
        stats = server.backend.stats()
        assert (stats['pxname'], stats['svname']) == (server.backendname, 'BACKEND')


def test_a_port_is_set_with_the_address_of_now(fleet):
    """[same address]"""
    started = fleet('2.2', 2)
    server = started.haproxy().snapshot().server('tcp1')[0]
    for process in started:
        process.set('tcp_listen', 'tcp1', 'addr', '10.0.0.9:80')
    started.answer('set server tcp_listen/tcp1 addr 10.0.0.9 port 81', 'nothing changed\n\n')
    server.port = 81


def test_it_can_be_pickled(fleet):
    started = fleet('2.2', 2)
    snapshot = started.haproxy().snapshot()
    again = pickle.loads(pickle.dumps(snapshot))
    assert [read(again) for read in READS] == [read(snapshot) for read in READS]
    assert again.taken_at == snapshot.taken_at
    assert abs(snapshot.taken_at - time.time()) < 60


@pytest.mark.parametrize('failure', [faults.closing(), faults.cut(700), faults.cut(4000),
                                     faults.replying(b'Name: x\n\n')])
def test_what_is_not_whole_is_an_error(failure, fleet):
    """[errors are not data] A partial snapshot is never returned."""
    started = fleet('2.2', 2)
    hap = started.haproxy()
    started[1].fail(failure)
    with pytest.raises(exceptions.SocketApplicationError) as caught:
        hap.snapshot()
    assert caught.value.socket_file == started[1].path
