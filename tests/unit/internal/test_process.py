# SPDX-License-Identifier: Apache-2.0
"""internal/process.py, base.py, frontend.py, backend.py and server.py: one process's view."""
import copy
import pickle

import pytest
import six

from haproxyadmin import exceptions, internal
from haproxyadmin.internal import _Backend, _Frontend, _HAProxyProcess, _Server
from haproxyadmin.parsers import stats
from haproxyadmin.testing import faults
from tests.support import fakes

FRONTEND, BACKEND, SERVER = 'frontend_proc1', 'backend_proc1', 'backend_proc1_srv1'


@pytest.fixture
def one(fleet):
    """Return a fake process, and the library's object for it."""
    started = fleet('2.2', 1)
    return started, _HAProxyProcess(started[0].path, retry=None, timeout=fakes.LONG)


def members(process):
    """Return an object of each kind."""
    backend = _Backend(process, BACKEND, 8)
    return [_Frontend(process, FRONTEND, 4), backend, _Server(backend, SERVER, 1)]


def is_int(value):
    return isinstance(value, six.integer_types)


# The process

def test_nothing_is_sent_before_it_is_needed(one):
    started, process = one
    repr(process)
    assert process.socket_file == started[0].path
    assert started.connections == [0]


@pytest.mark.parametrize('arguments, expected', [
    ({}, (3, 2, 1)),
    ({'retry': None, 'retry_interval': 0, 'timeout': 0.5}, (None, 0, 0.5)),
])
def test_the_defaults_are_the_documented_ones(arguments, expected):
    """[constructor]"""
    process = _HAProxyProcess(socket_file='/run/1', **arguments)
    assert (process.retry, process.retry_interval, process.timeout) == expected
    assert _HAProxyProcess('/run/1', 4, 5, 6).timeout == 6


def test_the_number_is_asked_for_once(one):
    """[one command per call; integers]"""
    started, process = one
    assert process.process_nb == 1 and is_int(process.process_nb)
    assert process.version == (2, 2, 9)
    assert started.commands == [['show info']]


@pytest.mark.parametrize('call, expected, command', [
    (lambda process: process.command('show cli level'), 'admin', 'show cli level'),
    (lambda process: process.command(command='show cli level', full_output=True), ['admin'],
     'show cli level'),
    (lambda process: process.command('show acl #4', True)[1].split(' ')[1], '/manage',
     'show acl #4'),
    (lambda process: process.command('show acl #4').split(' ')[1], '/admin', 'show acl #4'),
    (lambda process: process.proc_info()['Name'], 'HAProxy', 'show info'),
    (lambda process: process.metric('CumReq'), 27, 'show info'),
    (lambda process: process.metric('Uptime_sec'), 2, 'show info'),
    (lambda process: process.metric('PoolUsed_MB'), 0, 'show info'),
    (lambda process: sorted(process.stats()), ['backends', 'frontends'], 'show stat -1 -1 -1'),
    (lambda process: len(process.stats()['backends'][BACKEND]['servers']), 5,
     'show stat -1 -1 -1'),
    (lambda process: list(process.stats(8, 4, 1)['backends'][BACKEND]['servers']), [SERVER],
     'show stat 8 4 1'),
    (lambda process: list(process.stats(iid='8', obj_type=4, sid='1')['backends']), [BACKEND],
     'show stat 8 4 1'),
    (lambda process: list(process.stats(iid=999, obj_type=7)['frontends']), [],
     'show stat 999 7 -1'),
    (lambda process: sorted(process.frontends_stats()),
     ['frontend_all', 'frontend_proc1', 'haproxy', 'tcp_listen'], 'show stat -1 1 -1'),
    (lambda process: process.frontends_stats(iid=4)[FRONTEND].status, 'OPEN', 'show stat 4 1 -1'),
    (lambda process: process.backends_stats()[BACKEND]['stats'].status, 'UP',
     'show stat -1 6 -1'),
    (lambda process: process.backends_stats(8)[BACKEND]['servers'][SERVER].weight, '100',
     'show stat 8 6 -1'),
    (lambda process: [frontend.name for frontend in process.frontends()],
     ['haproxy', 'frontend_all', 'frontend_proc1', 'tcp_listen'], 'show stat -1 1 -1'),
    (lambda process: [frontend.name for frontend in process.frontends(name='tcp_listen')],
     ['tcp_listen'], 'show stat -1 1 -1'),
    (lambda process: process.frontends('nope'), [], 'show stat -1 1 -1'),
    (lambda process: [backend.name for backend in process.backends()],
     ['haproxy', 'backend_proc1', 'be_dynamic', 'be_static', 'st_src', 'tcp_listen'],
     'show stat -1 2 -1'),
    (lambda process: [backend.name for backend in process.backends(name='st_src')], ['st_src'],
     'show stat -1 2 -1'),
    (lambda process: process.backends('nope'), [], 'show stat -1 2 -1'),
])
def test_what_a_process_tells_costs_one_command(call, expected, command, one):
    """[one command per call; documented names]"""
    started, process = one
    assert call(process) == expected
    assert started.commands == [[command]]


@pytest.mark.parametrize('name', ['nope', 'Pid', 'scur'])
def test_another_metric_of_a_process_is_a_value_error(name, one):
    """[metric names]"""
    with pytest.raises(ValueError):
        one[1].metric(name)


@pytest.mark.parametrize('arguments', [('x',), (1, 'x'), (1, 1, 'x')])
def test_a_wrong_id_is_a_value_error(arguments, one):
    """[argument checks]"""
    started, process = one
    with pytest.raises(ValueError):
        process.stats(*arguments)
    assert started.connections == [0]


def test_a_command_of_two_lines_is_refused(one):
    """[one word per text]"""
    started, process = one
    with pytest.raises(ValueError):
        process.command('show info\nshow stat')
    assert started.connections == [0]


def test_listeners_are_no_servers(one):
    """[CSV] Without a filter, HAProxy lists listeners too."""
    started, process = one
    row = list(started[0].row('tcp_listen', 'tcp1'))
    row[started[0].columns.index('svname')] = 'sock-1'
    row[started[0].columns.index('type')] = '3'
    started[0].rows.insert(0, row)
    assert list(process.stats()['backends']['tcp_listen']['servers']) == ['tcp1']


def test_a_cut_reply_is_an_error(one):
    """[errors are not data]"""
    started, process = one
    started[0].fail(faults.cut(1000))
    for call in (process.proc_info, process.stats, process.frontends,
                 lambda: process.command('show info')):
        with pytest.raises(exceptions.SocketApplicationError):
            call()


def test_a_version_is_that_of_the_last_answer(one):
    """[one word per text] A reload may start another version."""
    started, process = one
    process.proc_info()
    assert process.version == (2, 2, 9)
    started[0].info['Version'] = '3.0.11'
    process.proc_info()
    assert process.version == (3, 0, 11)


# Frontends, backends and servers of the process

@pytest.mark.parametrize('number, command, row', [
    (0, 'show stat 4 1 -1', (FRONTEND, 'FRONTEND')), (1, 'show stat 8 2 -1', (BACKEND, 'BACKEND')),
    (2, 'show stat 8 4 1', (BACKEND, SERVER))])
class TestMembers(object):

    def test_each_read_costs_one_command(self, number, command, row, one):
        """[one command per call; documented names; integers]"""
        started, process = one
        member = members(process)[number]
        assert isinstance(member.stats_data(), stats.CSVLine)
        assert member.stats_data().svname == row[1]
        assert member.stats() == dict(zip(started[0].columns[:-1], started[0].row(*row)[:-1]))
        assert member.metric('stot') == int(started[0].get(*(row + ('stot',))))
        assert started.commands == [[command] * 4]

    def test_names_cost_nothing(self, number, command, row, one):
        """[one command per call]"""
        started, process = one
        member = members(process)[number]
        assert member.name in row
        assert member.hap_process is process
        assert started.connections == [0]

    def test_the_number_is_that_of_its_process(self, number, command, row, one):
        """[documented names; integers]"""
        started, process = one
        assert members(process)[number].process_nb == 1

    def test_a_command_returns_the_first_line(self, number, command, row, one):
        """[documented names]"""
        started, process = one
        assert members(process)[number].command('show cli level') == 'admin'
        assert members(process)[number].command(cmd='show acl #4').endswith(' /admin')
        assert started.commands == [['show cli level', 'show acl #4']]

    def test_another_metric_is_a_value_error(self, number, command, row, one):
        """[metric names]"""
        with pytest.raises(ValueError):
            members(one[1])[number].metric('nope')

    def test_a_stale_id_costs_one_command_more(self, number, command, row, one):
        """[stale ids]"""
        started, process = one
        member = members(process)[number]
        started[0].renumber()
        assert member.stats_data().svname == row[1]
        kind = command.split(' ')[3]
        assert started.commands == [[command, 'show stat -1 {0} -1'.format(kind)]]
        started.forget()
        member.stats_data()
        assert len(started.commands[0]) == 1

    @pytest.mark.parametrize('hint', [None, '', -1, 'x'])
    def test_without_an_id_all_are_asked_for(self, hint, number, command, row, one):
        """[stale ids]"""
        started, process = one
        backend = _Backend(process, BACKEND, hint)
        made = [_Frontend(process, FRONTEND, hint), backend, _Server(backend, SERVER, hint)]
        member = made[number]
        assert member.stats_data().svname == row[1]
        kind = command.split(' ')[3]
        assert started.commands == [['show stat -1 {0} -1'.format(kind)]]

    def test_what_is_gone_is_a_key_error(self, number, command, row, one):
        """[stale ids]"""
        started, process = one
        member = members(process)[number]
        started[0].remove(*row)
        for call in (member.stats_data, member.stats, lambda: member.metric('stot')):
            with pytest.raises(KeyError) as caught:
                call()
            assert isinstance(caught.value, exceptions.HAProxyBaseError)
            assert caught.value.args[0] == member.name
            assert 'is gone from process 1 on ' + started[0].path in str(caught.value)

    @pytest.mark.parametrize('protocol', range(pickle.HIGHEST_PROTOCOL + 1))
    def test_it_survives_pickle_and_copy(self, number, command, row, protocol, one):
        started, process = one
        member = members(process)[number]
        member.stats_data()
        for again in (pickle.loads(pickle.dumps(member, protocol)), copy.copy(member),
                      copy.deepcopy(member)):
            assert again.name == member.name
            assert again.stats() == member.stats()


def test_ids_are_asked_anew(one):
    """[integers; one command per call]"""
    started, process = one
    frontend, backend, server = members(process)
    assert (frontend.iid, backend.iid, server.sid) == (4, 8, 1)
    assert all(map(is_int, (frontend.iid, backend.iid, server.sid)))
    started[0].renumber()
    assert (frontend.iid, backend.iid) == (104, 108)


def test_the_servers_of_a_backend_cost_one_command(one):
    """[one command per call; documented names]"""
    started, process = one
    backend = members(process)[1]
    assert [server.name for server in backend.servers()] == [
        'backend_proc1_srv{0}'.format(number) for number in range(1, 6)]
    server, = backend.servers(name=SERVER)
    assert (server.name, server.backendname, server.backend) == (SERVER, BACKEND, backend)
    assert isinstance(server, _Server)
    assert backend.servers('nope') == []
    assert started.commands == [['show stat 8 6 -1'] * 3]


def test_a_server_of_a_stale_backend_is_found(one):
    """[stale ids]"""
    started, process = one
    server = _Server(_Backend(process, BACKEND, 3), SERVER, 2)
    assert server.stats_data().svname == SERVER
    assert started.commands == [['show stat 3 4 2', 'show stat -1 4 -1']]


@pytest.mark.parametrize('name', ['_Backend', '_Frontend', '_HAProxyProcess', '_Server'])
def test_the_classes_are_reachable(name):
    """[documented names]"""
    kind = getattr(internal, name)
    for member in ('metric', 'stats', 'process_nb', 'command'):
        assert hasattr(kind, member)
    modules = {'_Backend': 'backend', '_Frontend': 'frontend', '_HAProxyProcess': 'haproxy',
               '_Server': 'server'}
    assert getattr(getattr(internal, modules[name]), name) is kind


@pytest.mark.parametrize('number', range(3))
def test_the_repr_tells_what_it_is(number, one):
    process = one[1]
    member = members(process)[number]
    assert member.name in repr(member) and process.socket_file in repr(member)


@pytest.mark.parametrize('protocol', range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_process_survives_pickle(protocol, one):
    started, process = one
    process.stats()
    again = pickle.loads(pickle.dumps(process, protocol))
    assert again.process_nb == 1 and again.retry is None
    assert again.proc_info()['Pid'] == '4001'


def test_an_interruption_waits_for_changes_but_not_for_what_the_caller_sends(one):
    """[all or none] ``command('wait 60s')`` is the caller's."""
    process = one[1]
    assert process.change_operation(b'set maxconn global 5').settles is True
    assert process.info_operation(list).settles is False
    for line in ('set maxconn global 5', 'wait 60s', 'show info'):
        assert process.raw_operation(line).settles is False
