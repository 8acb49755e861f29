# SPDX-License-Identifier: Apache-2.0
"""frontend.py: a frontend across all processes that have it."""
import pytest
import six

import haproxyadmin
from haproxyadmin import exceptions
from haproxyadmin.frontend import Frontend
from haproxyadmin.protocol import versions
from haproxyadmin.testing import faults
from tests.support import captured

NAME = 'frontend_proc1'
ROW = 'show stat 4 1 -1'  # iid 4 in the captures
ALL = 'show stat -1 1 -1'


@pytest.fixture
def pair(fleet):
    """Return two processes and their frontend."""
    started = fleet('2.2', 2)
    frontend = started.haproxy().frontend(NAME)
    started.forget()
    return started, frontend


@pytest.mark.parametrize('read, column, texts, expected', [
    (lambda frontend: frontend.requests, 'req_tot', ['2', '3'], 5),
    (lambda frontend: frontend.maxconn, 'slim', ['3000', '3000'], 6000),
    (lambda frontend: frontend.status, 'status', ['OPEN', 'OPEN'], 'OPEN'),
    (lambda frontend: frontend.metric('stot'), 'stot', ['7', '8'], 15),
    (lambda frontend: frontend.metric(name='eint'), 'eint', ['', '1'], 1),
    (lambda frontend: frontend.metric('rate_lim'), 'rate_lim', ['', ''], 0),
    (lambda frontend: frontend.metrics()['req_tot'], 'req_tot', ['2', '3'], 5),
    (lambda frontend: frontend.requests_per_process(), 'req_tot', ['2', '3'], [(1, 2), (2, 3)]),
    (lambda frontend: frontend.requests_per_process(), 'req_tot', ['', '3'], [(1, 0), (2, 3)]),
])
def test_a_read_costs_each_process_one_command(read, column, texts, expected, pair):
    """[one command per call; integers; sums and averages]
    Each read requests its own row, and no other."""
    started, frontend = pair
    for process, text in zip(started, texts):
        process.set(NAME, 'FRONTEND', column, text)
    value = read(frontend)
    assert value == expected and type(value) in (type(expected), int) + six.integer_types
    assert started.commands == [[ROW]] * 2
    started[0].set(NAME, 'FRONTEND', column, started[1].get(NAME, 'FRONTEND', column))
    read(frontend)
    assert started.commands == [[ROW] * 2] * 2


def test_the_id_is_that_of_the_first_process(pair):
    """[integers; one command per call]"""
    started, frontend = pair
    assert frontend.iid == 4 and isinstance(frontend.iid, int)
    assert started.commands == [[ROW] * 2, []]


def test_name_and_processes_cost_nothing(pair):
    """[one command per call; integers]"""
    started, frontend = pair
    assert frontend.name == NAME and type(frontend.name) is str
    assert frontend.process_nb == [1, 2]
    repr(frontend), hash(frontend), frontend == NAME
    assert started.connections == [0, 0]


def test_the_statistics_of_each_process_are_haproxys_own_text(pair):
    """[integers]"""
    started, frontend = pair
    found = frontend.stats_per_process()
    assert [number for number, _ in found] == [1, 2]
    for (_, stats), process in zip(found, started):
        assert stats == dict(zip(process.columns[:-1], process.row(NAME, 'FRONTEND')[:-1]))
        assert all(type(value) is str for value in stats.values())
    assert started.commands == [[ROW]] * 2


@pytest.mark.parametrize('version', captured.VERSIONS)
def test_every_published_metric_is_a_number(version, fleet):
    """[metric names]"""
    started = fleet(version, 1)
    frontend = started.haproxy().frontend(NAME)
    for name in haproxyadmin.FRONTEND_METRICS:
        value = frontend.metric(name)
        assert isinstance(value, six.integer_types) and not isinstance(value, bool), name
        text = started[0].get(NAME, 'FRONTEND', name)
        assert value == int(text or 0)


@pytest.mark.parametrize('name', ['nope', 'status', 'pxname', 'iid', 'pid', 'type', 'CumReq', ''])
def test_another_metric_is_a_value_error(name, pair):
    """[metric names] A name that is in no list of metrics is refused without sending anything."""
    with pytest.raises(ValueError) as caught:
        pair[1].metric(name)
    assert repr(name) in str(caught.value)


def test_a_figure_that_this_haproxy_does_not_report_is_a_value_error(fleet):
    """[metric names] 1.5 has no eint; the message suggests the nearest names that it has."""
    frontend = fleet('1.5', 1).haproxy().frontend(NAME)
    with pytest.raises(ValueError) as caught:
        frontend.metric('req_rate_maxx')
    assert "did you mean 'req_rate_max'" in str(caught.value)
    with pytest.raises(ValueError):
        frontend.metric('eint')


def test_a_status_that_differs_is_inconsistent(pair):
    started, frontend = pair
    started[1].set(NAME, 'FRONTEND', 'status', 'STOP')
    with pytest.raises(exceptions.IncosistentData) as caught:
        frontend.status
    assert caught.value.results == [(1, 'OPEN'), (2, 'STOP')]
    assert caught.value.by_socket == list(zip(started.paths, ['OPEN', 'STOP']))


@pytest.mark.parametrize('call, command', [
    (lambda frontend: frontend.enable(), 'enable frontend frontend_proc1'),
    (lambda frontend: frontend.disable(), 'disable frontend frontend_proc1'),
    (lambda frontend: frontend.shutdown(), 'shutdown frontend frontend_proc1'),
    (lambda frontend: frontend.setmaxconn(50000), 'set maxconn frontend frontend_proc1 50000'),
    (lambda frontend: frontend.setmaxconn(value=0), 'set maxconn frontend frontend_proc1 0'),
])
def test_a_change_is_sent_to_each_process(call, command, pair):
    """[verdicts; one command per call]"""
    started, frontend = pair
    started.answer(command, '\n')
    assert call(frontend) is True
    assert started.commands == [[command]] * 2


@pytest.mark.parametrize('version, words', [
    ('2.2', 'Frontend is already enabled.'), ('2.4', 'All sockets are already enabled.')])
def test_enabling_what_is_enabled_failed(version, words, fleet):
    """[verdicts] HAProxy reports this as an error for frontends."""
    frontend = fleet(version, 2).haproxy().frontend(NAME)
    with pytest.raises(exceptions.CommandFailed) as caught:
        frontend.enable()
    assert str(caught.value) == words
    assert frontend.enable(die=False) is False


@pytest.mark.parametrize('value', [-1, 2 ** 31, True, None, '100', 1.5])
def test_a_wrong_limit_is_refused(value, pair):
    """[argument checks]"""
    started, frontend = pair
    with pytest.raises(ValueError):
        frontend.setmaxconn(value)
    assert frontend.setmaxconn(value, die=False) is False
    assert started.connections == [0, 0]


# Versions that a raised limit may crash

@pytest.fixture
def crashing(fleet):
    """Return two processes, of which the second one may crash, and their frontend."""
    started = fleet('2.6', 2)
    for process, version in zip(started, ['2.6.20', '2.6.12']):
        process.info['Version'] = version
        for column, value in [('slim', '5'), ('scur', '4')]:
            process.set(NAME, 'FRONTEND', column, value)
    frontend = started.haproxy().frontend(NAME)
    started.forget()
    return started, frontend


def give(process, **columns):
    for column, value in columns.items():
        process.set(NAME, 'FRONTEND', column, value)


@pytest.mark.parametrize('columns, value', [
    ({'scur': '5'}, 6),
    ({'scur': '6'}, 6),  # some may leave before the command arrives
    ({'scur': '0', 'slim': '0'}, 1),
    ({'rate_lim': '3', 'rate': '3'}, 6),
    ({'rate_lim': '3', 'rate': '4'}, 5),
    ({'scur': '3', 'rate_lim': '3', 'rate': '3'}, 4),
])
def test_no_limit_is_set_where_that_crashes_haproxy(columns, value, crashing):
    """[nothing that kills] Nothing is sent to the other process, either."""
    started, frontend = crashing
    give(started[1], **columns)
    with pytest.raises(exceptions.CommandFailed) as caught:
        frontend.setmaxconn(value)
    assert str(caught.value) == versions.RAISING_FRONTEND_MAXCONN.reason
    assert caught.value.socket_file == started.paths[1]
    assert frontend.setmaxconn(value, die=False) is False
    assert started.commands[0] == []
    assert len(started.commands[1]) == 2 and set(started.commands[1]) == set([ROW])


@pytest.mark.parametrize('columns, value', [
    ({}, 6), ({}, 0), ({'scur': '5'}, 5), ({'scur': '5'}, 4), ({'scur': '5'}, 0),
    ({'rate_lim': '3', 'rate': '2'}, 6), ({'rate_lim': '3', 'rate': '3'}, 4),
    ({'rate_lim': '', 'rate': '3'}, 6),
])
def test_any_other_limit_costs_one_look_where_it_may_crash_haproxy(columns, value, crashing):
    """[nothing that kills; one command per call]"""
    started, frontend = crashing
    give(started[0], scur='5')
    give(started[1], **columns)
    command = 'set maxconn frontend {0} {1}'.format(NAME, value)
    started.answer(command, '\n')
    assert frontend.setmaxconn(value) is True
    assert started.commands == [[command], [ROW, command]]


def test_a_process_that_cannot_be_looked_at_is_not_changed(crashing):
    """[nothing that kills; verdicts] The others are."""
    started, frontend = crashing
    command = 'set maxconn frontend {0} 6'.format(NAME)
    started.answer(command, '\n')
    started[1].fail(faults.closing())
    with pytest.raises(exceptions.HAProxySocketError) as caught:
        frontend.setmaxconn(6)
    assert caught.value.by_socket == [(started.paths[0], '')]
    assert started.commands[0] == [command]
    assert command not in started.commands[1]


def test_a_frontend_that_is_gone_is_what_haproxy_says(crashing):
    """[verdicts]"""
    started, frontend = crashing
    command = 'set maxconn frontend {0} 6'.format(NAME)
    started.answer(command, 'No such frontend.\n\n')
    started[1].remove(NAME)
    with pytest.raises(exceptions.CommandFailed) as caught:
        frontend.setmaxconn(6)
    assert str(caught.value) == 'No such frontend.'


def test_a_wrong_limit_costs_no_look(crashing):
    """[argument checks]"""
    started, frontend = crashing
    with pytest.raises(ValueError):
        frontend.setmaxconn(-1)
    assert started.connections == [0, 0]


# Stale ids, and frontends that no longer exist

def test_a_stale_id_costs_one_command_more(pair):
    """[stale ids; one command per call] The next read uses the new id."""
    started, frontend = pair
    started[0].renumber()
    assert frontend.requests == 20
    assert started.commands == [[ROW, ALL], [ROW]]
    started.forget()
    assert frontend.requests == 20
    assert started.commands == [['show stat 104 1 -1'], [ROW]]


def test_an_id_of_another_frontend_is_stale(pair):
    """[stale ids] A row counts only if the name matches."""
    started, frontend = pair
    for process in started:
        process.set('frontend_all', 'FRONTEND', 'iid', '4')
        process.set(NAME, 'FRONTEND', 'iid', '3')
        process.set(NAME, 'FRONTEND', 'req_tot', '21')
        process.set('frontend_all', 'FRONTEND', 'req_tot', '1000')
    assert frontend.requests == 42
    assert frontend.iid == 3
    assert started.commands == [[ROW, ALL, 'show stat 3 1 -1'], [ROW, ALL]]


@pytest.mark.parametrize('read', [
    lambda frontend: frontend.status, lambda frontend: frontend.requests,
    lambda frontend: frontend.metric('scur'), lambda frontend: frontend.iid,
    lambda frontend: frontend.requests_per_process(),
    lambda frontend: frontend.stats_per_process(), lambda frontend: frontend.maxconn])
def test_a_frontend_that_is_gone_is_a_key_error(read, pair):
    """[stale ids] It is also a HAProxyBaseError; args[0] is the name, str() a sentence."""
    started, frontend = pair
    for process in started:
        process.remove(NAME)
    with pytest.raises(KeyError) as caught:
        read(frontend)
    assert isinstance(caught.value, exceptions.HAProxyBaseError)
    assert caught.value.args[0] == NAME
    assert str(caught.value) == 'frontend {0!r} is gone from process 1 on {1}'.format(
        NAME, started[0].path)
    assert started.commands[0] == [ROW, ALL]


def test_a_backend_of_the_same_name_does_not_stand_in(fleet):
    """[stale ids]"""
    started = fleet('2.2', 1)
    frontend = started.haproxy().frontend('tcp_listen')
    started[0].remove('tcp_listen', 'FRONTEND')
    with pytest.raises(KeyError):
        frontend.status


def test_names_reach_haproxy_as_one_word(fleet):
    """[one word per text]"""
    started = fleet('2.2', 1)
    started[0].set(NAME, 'FRONTEND', 'pxname', 'odd;name x')
    frontend = started.haproxy().frontend('odd;name x')
    started.answer('disable frontend odd\\;name\\ x', '\n')
    assert frontend.disable() is True


def test_a_frontend_is_made_of_its_objects(fleet):
    """[documented names]"""
    from haproxyadmin.internal import _Frontend, _HAProxyProcess
    started = fleet('2.2', 2)
    processes = [_HAProxyProcess(path, timeout=30) for path in started.paths]
    frontend = Frontend(frontend_per_proc=[_Frontend(process, NAME, 4) for process in processes])
    assert frontend.requests == 20
    assert started.commands == [[ROW]] * 2
    assert frontend.process_nb == [1, 2]
    with pytest.raises(ValueError):
        Frontend([])
