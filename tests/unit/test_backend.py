# SPDX-License-Identifier: Apache-2.0
"""backend.py: a backend across all processes that have it, and its servers."""
import pytest
import six

import haproxyadmin
from haproxyadmin import exceptions
from haproxyadmin.backend import Backend
from haproxyadmin.server import Server
from haproxyadmin.testing import faults
from tests.support import captured

NAME = 'backend_proc1'
ROW = 'show stat 8 2 -1'  # iid 8 in the captures of 2.2
ALL = 'show stat -1 2 -1'
SERVERS = 'show stat 8 6 -1'
NAMES = ['backend_proc1_srv{0}'.format(number) for number in range(1, 6)]


@pytest.fixture
def pair(fleet):
    """Return two processes and their backend."""
    started = fleet('2.2', 2)
    backend = started.haproxy().backend(NAME)
    started.forget()
    return started, backend


@pytest.mark.parametrize('read, column, texts, expected', [
    (lambda backend: backend.requests, 'stot', ['2', '3'], 5),
    (lambda backend: backend.status, 'status', ['UP', 'UP'], 'UP'),
    (lambda backend: backend.metric('lastsess'), 'lastsess', ['-1', '-2'], -1),
    (lambda backend: backend.metric(name='wrew'), 'wrew', ['1', '2'], 3),
    (lambda backend: backend.metric('weight'), 'weight', ['3', ''], 3),
    (lambda backend: backend.metrics()['stot'], 'stot', ['2', '3'], 5),
    (lambda backend: backend.requests_per_process(), 'stot', ['2', '3'], [(1, 2), (2, 3)]),
])
def test_a_read_costs_each_process_one_command(read, column, texts, expected, pair):
    """[one command per call; integers; sums and averages]"""
    started, backend = pair
    for process, text in zip(started, texts):
        process.set(NAME, 'BACKEND', column, text)
    value = read(backend)
    assert value == expected and type(value) in (type(expected), int) + six.integer_types
    assert started.commands == [[ROW]] * 2
    read(backend)
    assert started.commands == [[ROW] * 2] * 2


def test_the_id_is_that_of_the_first_process(pair):
    """[integers; one command per call]"""
    started, backend = pair
    assert backend.iid == 8 and isinstance(backend.iid, int)
    assert started.commands == [[ROW] * 2, []]


def test_name_and_processes_cost_nothing(pair):
    """[one command per call]"""
    started, backend = pair
    assert (backend.name, backend.process_nb) == (NAME, [1, 2])
    assert started.connections == [0, 0]


def test_the_statistics_of_each_process_are_haproxys_own_text(pair):
    """[integers]"""
    started, backend = pair
    for (number, stats), process in zip(backend.stats_per_process(), started):
        assert number == process.number
        assert stats == dict(zip(process.columns[:-1], process.row(NAME, 'BACKEND')[:-1]))


@pytest.mark.parametrize('version', captured.VERSIONS)
def test_every_published_metric_is_a_number(version, fleet):
    """[metric names]"""
    started = fleet(version, 1)
    backend = started.haproxy().backend(NAME)
    for name in haproxyadmin.BACKEND_METRICS:
        value = backend.metric(name)
        assert isinstance(value, six.integer_types) and not isinstance(value, bool), name
        assert value == int(started[0].get(NAME, 'BACKEND', name) or 0)


@pytest.mark.parametrize('name', ['nope', 'status', 'check_code', 'agent_code', 'addr'])
def test_another_metric_is_a_value_error(name, pair):
    """[metric names]"""
    with pytest.raises(ValueError) as caught:
        pair[1].metric(name)
    assert repr(name) in str(caught.value)


def test_a_status_that_differs_is_inconsistent(pair):
    started, backend = pair
    started[0].set(NAME, 'BACKEND', 'status', 'DOWN')
    with pytest.raises(exceptions.IncosistentData) as caught:
        backend.status
    assert caught.value.results == [(1, 'DOWN'), (2, 'UP')]


# Servers

@pytest.mark.parametrize('call, names', [
    (lambda backend: backend.servers(), NAMES),
    (lambda backend: backend.servers(None), NAMES),
    (lambda backend: backend.servers(name=NAMES[2]), NAMES[2:3]),
    (lambda backend: backend.servers('nope'), []),
    (lambda backend: [backend.server(NAMES[0])], NAMES[:1]),
    (lambda backend: [backend.server(name=NAMES[4])], NAMES[4:]),
])
def test_its_servers_cost_each_process_one_command(call, names, pair):
    """[one command per call; stable order; what is not there] Servers are in HAProxy's order."""
    started, backend = pair
    servers = call(backend)
    assert [server.name for server in servers] == names
    assert all(type(server) is Server and server.backendname == NAME and
               server.process_nb == [1, 2] for server in servers)
    assert started.commands == [[SERVERS]] * 2


def test_a_server_that_is_not_there_is_a_value_error(pair):
    """[what is not there]"""
    for name in ('backend_proc1_srv9', 'tcp1', '', None):
        with pytest.raises(ValueError) as caught:
            pair[1].server(name)
        assert repr(name) in str(caught.value)
    with pytest.raises(ValueError) as caught:
        pair[1].server('backend_proc1_srv9')
    assert "did you mean 'backend_proc1_srv" in str(caught.value)


def test_servers_of_other_processes_come_after(pair):
    """[stable order]"""
    started, backend = pair
    started[0].remove(NAME, NAMES[0])
    started[1].remove(NAME, NAMES[4])
    servers = backend.servers()
    assert [(server.name, server.process_nb) for server in servers] == [
        (NAMES[1], [1, 2]), (NAMES[2], [1, 2]), (NAMES[3], [1, 2]), (NAMES[4], [1]),
        (NAMES[0], [2])]


def test_a_backend_without_servers_has_none(fleet):
    started = fleet('2.2', 2)
    backend = started.haproxy().backend('st_src')
    started.forget()
    assert backend.servers() == []
    assert started.commands == [['show stat 14 6 -1']] * 2


# Stale ids, and backends that no longer exist

def test_a_stale_id_costs_one_command_more(pair):
    """[stale ids]"""
    started, backend = pair
    for process in started:
        process.renumber()
    assert backend.requests == 2 * int(started[0].get(NAME, 'BACKEND', 'stot'))
    assert started.commands == [[ROW, ALL]] * 2
    started.forget()
    assert backend.iid == 108
    assert started.commands == [['show stat 108 2 -1'], []]


def test_a_stale_id_costs_its_servers_one_command_more(pair):
    """[stale ids]"""
    started, backend = pair
    for process in started:
        process.renumber()
    assert [server.name for server in backend.servers()] == NAMES
    assert started.commands == [[SERVERS, 'show stat -1 6 -1']] * 2
    started.forget()
    backend.servers()
    assert started.commands == [['show stat 108 6 -1']] * 2


def test_servers_of_another_backend_with_the_old_id_are_not_its_own(pair):
    """[stale ids]"""
    started, backend = pair
    for process in started:
        for proxy, iid in (('be_static', '8'), (NAME, '10')):
            for row in process.rows:
                if row[0] == proxy:
                    row[process.columns.index('iid')] = iid
    assert [server.name for server in backend.servers()] == NAMES


@pytest.mark.parametrize('read', [
    lambda backend: backend.status, lambda backend: backend.requests,
    lambda backend: backend.servers(), lambda backend: backend.server(NAMES[0]),
    lambda backend: backend.stats_per_process(), lambda backend: backend.iid])
def test_a_backend_that_is_gone_is_a_key_error(read, pair):
    """[stale ids]"""
    started, backend = pair
    started[0].remove(NAME)
    with pytest.raises(KeyError) as caught:
        read(backend)
    assert isinstance(caught.value, exceptions.HAProxyBaseError)
    assert caught.value.args[0] == NAME
    assert str(caught.value) == "backend 'backend_proc1' is gone from process 1 on {0}".format(
        started[0].path)


def test_a_backend_is_made_of_its_objects(fleet):
    """[documented names]"""
    from haproxyadmin.internal import _Backend, _HAProxyProcess
    started = fleet('2.2', 2)
    processes = [_HAProxyProcess(path, timeout=30) for path in started.paths]
    backend = Backend(backend_per_proc=[_Backend(process, NAME, 8) for process in processes])
    assert backend.requests == 16
    assert started.commands == [[ROW]] * 2


# A container of servers

@pytest.mark.parametrize('read, expected', [
    (len, 5),
    (lambda backend: [server.name for server in backend], NAMES),
    (lambda backend: [type(server) for server in backend], [Server] * 5),
    (lambda backend: NAMES[0] in backend, True),
    (lambda backend: NAMES[0].encode() in backend, True),
    (lambda backend: 'tcp1' in backend, False),
    (lambda backend: None in backend, False),
    (lambda backend: 0 in backend, False),
    (lambda backend: backend[NAMES[4]].name, NAMES[4]),
    (lambda backend: backend[NAMES[4].encode()].process_nb, [1, 2]),
])
def test_it_is_a_container_of_its_servers(read, expected, pair):
    """[one command per call; stable order]"""
    started, backend = pair
    assert read(backend) == expected
    assert started.commands == [[SERVERS]] * 2


def test_a_server_object_is_in_its_own_backend_only(fleet):
    hap = fleet('2.2', 1).haproxy()
    server = hap.servers()[0]
    assert server in hap.backend(server.backendname)
    assert [backend.name for backend in hap.backends() if server in backend] == [
        server.backendname]


@pytest.mark.parametrize('name', ['backend_proc1_srv9', '', None, 0, -1, slice(0, 2)])
def test_another_key_is_a_key_error(name, pair):
    """[what is not there]"""
    with pytest.raises(KeyError) as caught:
        pair[1][name]
    assert isinstance(caught.value, exceptions.NoSuchObject)
    assert str(caught.value).startswith('no server {0!r} in backend '.format(name))


@pytest.mark.parametrize('behave', [faults.closing(), faults.replying(b'garbage\n\n')])
@pytest.mark.parametrize('read', [
    len, list, lambda backend: NAMES[0] in backend, lambda backend: backend[NAMES[0]]])
def test_a_process_that_does_not_answer_is_not_a_server_that_is_not_there(read, behave, pair):
    """Some of these exceptions are ValueErrors, as that for a wrong name is."""
    started, backend = pair
    started[1].next(*[behave] * 9)
    with pytest.raises(exceptions.HAProxySocketError):
        read(backend)


def test_it_has_no_order_to_go_back_from(pair):
    with pytest.raises(TypeError):
        reversed(pair[1])


def test_it_is_true_and_that_costs_nothing(pair):
    started, backend = pair
    assert bool(backend) is True
    assert started.connections == [0, 0]


def test_an_empty_one_is_true(pair):
    started, backend = pair
    for process in started:
        for name in NAMES:
            process.remove(NAME, name)
    assert (len(backend), list(backend), bool(backend)) == (0, [], True)


def test_in_a_snapshot_it_answers_from_memory(pair):
    started, _ = pair
    backend = started.haproxy().snapshot().backend(NAME)
    started.forget()
    assert (len(backend), NAMES[1] in backend, backend[NAMES[1]].name) == (5, True, NAMES[1])
    assert [server.name for server in backend] == NAMES
    assert started.commands == [[], []]
