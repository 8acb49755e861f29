# SPDX-License-Identifier: Apache-2.0
"""server.py: a server across all processes that have it."""
import pickle
import re

import pytest
import six

import haproxyadmin
from haproxyadmin import exceptions
from haproxyadmin.server import Server, Servers
from haproxyadmin.testing import faults
from tests.support import captured

BACKEND, NAME = 'backend_proc1', 'backend_proc1_srv1'
WORD = 'backend_proc1/backend_proc1_srv1'
ROW = 'show stat 8 4 1'  # iid 8 and sid 1 in the captures of 2.2
ALL = 'show stat -1 4 -1'
ADDRESS = 'set server ' + WORD + ' addr {0}'


def pair_of(fleet, version, count=2):
    started = fleet(version, count)
    server = started.haproxy().server(NAME, BACKEND)[0]
    started.forget()
    return started, server


@pytest.fixture
def pair(fleet):
    """Return two processes and their server."""
    return pair_of(fleet, '2.2')


@pytest.mark.parametrize('read, column, texts, expected', [
    (lambda server: server.requests, 'stot', ['2', '3'], 5),
    (lambda server: server.status, 'status', ['UP 1/2', 'UP 1/2'], 'UP 1/2'),
    (lambda server: server.status, 'status', ['no check', 'no check'], 'no check'),
    (lambda server: server.weight, 'weight', ['20', '20'], 20),
    (lambda server: server.check_status, 'check_status', ['L4OK', 'L4OK'], 'L4OK'),
    (lambda server: server.check_status, 'check_status', ['* L4TOUT', 'L4TOUT'], 'L4TOUT'),
    (lambda server: server.check_code, 'check_code', ['200', '200'], 200),
    (lambda server: server.check_code, 'check_code', ['', ''], ''),
    (lambda server: server.last_status, 'last_chk', ['OK, "fine"', 'OK, "fine"'], 'OK, "fine"'),
    (lambda server: server.last_agent_check, 'last_agt', ['via agent: up', 'via agent: up'],
     'via agent: up'),
    (lambda server: server.address, 'addr', ['1.2.3.4:80', '1.2.3.4:81'], '1.2.3.4'),
    (lambda server: server.port, 'addr', ['1.2.3.4:80', '1.2.3.5:80'], '80'),
    (lambda server: server.address, 'addr', ['[::1]:80', '[::1]:80'], '::1'),
    (lambda server: server.port, 'addr', ['[::1]:80', '[::1]:80'], '80'),
    (lambda server: server.address, 'addr', ['unix', 'unix'], 'unix'),
    (lambda server: server.port, 'addr', ['unix', 'unix'], ''),
    (lambda server: server.port, 'addr', ['127.0.0.1:0', '127.0.0.1:0'], '0'),
    (lambda server: server.port, 'addr', ['127.0.0.1:-1', '127.0.0.1:-1'], '-1'),
    (lambda server: server.address, 'addr', ['', ''], ''),
    (lambda server: server.port, 'addr', ['', ''], ''),
    (lambda server: server.metric('act'), 'act', ['1', '0'], 0),
    (lambda server: server.metric('eint'), 'eint', ['1', '2'], 3),
    (lambda server: server.metric(name='slim'), 'slim', ['100', ''], 100),
    (lambda server: server.metric('throttle'), 'throttle', ['', ''], 0),
    (lambda server: server.metrics()['stot'], 'stot', ['2', '3'], 5),
    (lambda server: server.requests_per_process(), 'stot', ['2', '3'], [(1, 2), (2, 3)]),
])
def test_a_read_costs_each_process_one_command(read, column, texts, expected, pair):
    """[one command per call; integers; sums and averages; address and port]"""
    started, server = pair
    for process, text in zip(started, texts):
        process.set(BACKEND, NAME, column, text)
    value = read(server)
    assert value == expected and type(value) in (type(expected), int) + six.integer_types
    assert isinstance(value, str) is isinstance(expected, str)
    assert started.commands == [[ROW]] * 2
    read(server)
    assert started.commands == [[ROW] * 2] * 2


@pytest.mark.parametrize('read, column', [
    (lambda server: server.status, 'status'), (lambda server: server.weight, 'weight'),
    (lambda server: server.address, 'addr'), (lambda server: server.port, 'addr'),
    (lambda server: server.check_status, 'check_status'),
    (lambda server: server.check_code, 'check_code'),
    (lambda server: server.last_status, 'last_chk'),
    (lambda server: server.last_agent_check, 'last_agt'),
])
def test_a_value_that_differs_is_inconsistent(read, column, pair):
    started, server = pair
    started[0].set(BACKEND, NAME, column, '1:1')
    started[1].set(BACKEND, NAME, column, '2:2')
    with pytest.raises(exceptions.IncosistentData) as caught:
        read(server)
    assert [number for number, _ in caught.value.results] == [1, 2]
    assert [path for path, _ in caught.value.by_socket] == started.paths


def test_the_id_is_that_of_the_first_process(pair):
    """[integers; one command per call]"""
    started, server = pair
    assert server.sid == 1 and isinstance(server.sid, int)
    assert started.commands == [[ROW] * 2, []]


def test_names_and_processes_cost_nothing(pair):
    """[one command per call]"""
    started, server = pair
    assert (server.name, server.backendname, server.process_nb) == (NAME, BACKEND, [1, 2])
    assert started.connections == [0, 0]


def test_the_statistics_of_each_process_are_haproxys_own_text(pair):
    """[integers]"""
    started, server = pair
    for (number, stats), process in zip(server.stats_per_process(), started):
        assert number == process.number
        assert stats == dict(zip(process.columns[:-1], process.row(BACKEND, NAME)[:-1]))


@pytest.mark.parametrize('version', captured.VERSIONS)
def test_every_published_metric_is_a_number(version, fleet):
    """[metric names]"""
    started, server = pair_of(fleet, version, 1)
    for name in haproxyadmin.SERVER_METRICS:
        value = server.metric(name)
        assert isinstance(value, six.integer_types) and not isinstance(value, bool), name
        assert value == int(started[0].get(BACKEND, NAME, name) or 0)


@pytest.mark.parametrize('name', ['nope', 'status', 'check_code', 'sid', 'addr', 'last_chk'])
def test_another_metric_is_a_value_error(name, pair):
    """[metric names]"""
    with pytest.raises(ValueError) as caught:
        pair[1].metric(name)
    assert repr(name) in str(caught.value)


@pytest.mark.parametrize('version', ['1.5.8', '1.5', '1.6'])
def test_without_the_column_there_is_no_address(version, fleet):
    """[address and port]"""
    server = pair_of(fleet, version)[1]
    assert (server.address, server.port) == ('', '')


# Changes

@pytest.mark.parametrize('call, command', [
    (lambda server: server.setstate('enable'), 'enable server ' + WORD),
    (lambda server: server.setstate('disable'), 'disable server ' + WORD),
    (lambda server: server.setstate('ready'), 'set server ' + WORD + ' state ready'),
    (lambda server: server.setstate('drain'), 'set server ' + WORD + ' state drain'),
    (lambda server: server.setstate(state='maint'), 'set server ' + WORD + ' state maint'),
    (lambda server: server.setstate(haproxyadmin.STATE_DRAIN),
     'set server ' + WORD + ' state drain'),
    (lambda server: server.setweight(58), 'set weight ' + WORD + ' 58'),
    (lambda server: server.setweight('20%'), 'set weight ' + WORD + ' 20%'),
    (lambda server: server.setweight(value=0), 'set weight ' + WORD + ' 0'),
    (lambda server: server.shutdown(), 'shutdown sessions server ' + WORD),
])
def test_a_change_is_sent_to_each_process(call, command, pair):
    """[verdicts; one command per call]"""
    started, server = pair
    started.answer(command, '\n')
    assert call(server) is True
    assert started.commands == [[command]] * 2


@pytest.mark.parametrize('value', [257, -1, True, None, '20', '%', 'x%', 1.5, ''])
def test_a_wrong_weight_is_refused(value, pair):
    """[argument checks]"""
    started, server = pair
    with pytest.raises(ValueError) as caught:
        server.setweight(value)
    assert repr(value) in str(caught.value)
    assert started.connections == [0, 0]


def test_a_weight_that_a_static_algorithm_does_not_take_failed(fleet):
    started = fleet('2.2', 2)
    server = started.haproxy().server('be_static_srv1')[0]
    with pytest.raises(exceptions.CommandFailed) as caught:
        server.setweight('50%')
    assert 'static LB algorithm' in str(caught.value)


def test_names_reach_haproxy_as_one_word(fleet):
    """[one word per text]"""
    started = fleet('2.2', 1)
    started[0].set(BACKEND, NAME, 'svname', 'a;b c')
    server = started.haproxy().server('a;b c')[0]
    started.answer('disable server backend_proc1/a\\;b\\ c', '\n')
    assert server.setstate('disable') is True


# Address and port

CHANGED = "IP changed from '127.0.0.1' to '{0}' by 'stats socket command'\n\n"
SAME = {'1.6': '\n', '1.7': "no need to change the addr by 'stats socket command'\n\n",
        '2.8': "no need to change the addr by 'stats socket command'\n\n",
        '3.0': 'nothing changed\n\n', '3.4': 'nothing changed\n\n'}


@pytest.mark.parametrize('version', ['1.6', '1.7', '2.2', '3.4'])
@pytest.mark.parametrize('address', ['127.0.0.2', '::1', u'10.0.0.1'])
def test_setting_the_address_costs_one_command(address, version, fleet):
    """[same address]"""
    started, server = pair_of(fleet, version)
    server.address = address
    assert started.commands == [[ADDRESS.format(address)]] * 2
    assert [process.servers.get(BACKEND, NAME).address for process in started] == [address] * 2


@pytest.mark.parametrize('version', sorted(SAME))
def test_setting_the_address_that_it_has_is_a_success(version, fleet):
    """[same address]"""
    started, server = pair_of(fleet, version)
    server.address = '127.0.0.1'
    started[0].answers[ADDRESS.format('127.0.0.1')] = CHANGED.format('127.0.0.1')
    if version != '1.6':
        server.address = '127.0.0.1'


@pytest.mark.parametrize('version, reply, words', [
    ('1.6', 'Could not understand IP address format.\n\n', 'Could not understand'),
    ('2.2', "Invalid addr 'x' by 'stats socket command'\n\n", "Invalid addr 'x'"),
    ('3.2', "Invalid addr 'x'\n\n", "Invalid addr 'x'"),
    ('3.2', 'No such server.\n\n', 'No such server.'),
])
def test_an_address_that_is_refused_failed(version, reply, words, fleet):
    """[same address; errors are not data; verdicts] The setters raise an exception."""
    started, server = pair_of(fleet, version)
    started.answer(ADDRESS.format('x'), reply)
    with pytest.raises(exceptions.CommandFailed) as caught:
        server.address = 'x'
    assert words in str(caught.value)
    assert caught.value.by_socket == [(path, reply.strip('\n')) for path in started.paths]
    started[0].answers[ADDRESS.format('x')] = SAME[version if version in SAME else '3.0']
    with pytest.raises(exceptions.MultipleCommandResults):
        server.address = 'x'


@pytest.mark.parametrize('address', [u'10.0.0.7', u'2001:db8::7'])
def test_an_address_may_be_one_of_ipaddress(address, fleet):
    value = pytest.importorskip('ipaddress').ip_address(address)
    started, server = pair_of(fleet, '3.2')
    server.address = value
    assert started.commands == [[ADDRESS.format(address)]] * 2


@pytest.mark.parametrize('value', [5, 1.5, None, True, '', 'a\nb', ['127.0.0.1'], {}])
def test_what_is_no_address_is_refused(value, pair):
    """[argument checks]"""
    started, server = pair
    with pytest.raises(ValueError):
        server.address = value
    assert started.connections == [0, 0]


def test_an_address_is_one_word(pair):
    """[one word per text] 2.2 would silently ignore a surplus word."""
    started, server = pair
    with pytest.raises(exceptions.CommandFailed):
        server.address = '127.0.0.2 port 99'


PORT = ADDRESS + ' port {1}'


@pytest.mark.parametrize('version, reply', [
    ('1.7', "no need to change the addr, port changed from '80' to '81' by 'x'\n\n"),
    ('2.8', "no need to change the addr, port changed from '80' to '81' by 'x'\n\n"),
    ('2.8', "no need to change the addr, no need to change the port by 'x'\n\n"),
    ('3.0', "port changed from '80' to '81' by 'stats socket command'\n\n"),
    ('3.4', 'nothing changed\n\n'),
])
@pytest.mark.parametrize('port', [81, '81'])
def test_setting_the_port_keeps_each_process_its_own_address(port, version, reply, fleet):
    """[same address] This needs one more command."""
    started, server = pair_of(fleet, version)
    row = 'show stat {0} 4 1'.format(started[0].get(BACKEND, NAME, 'iid'))
    for process, address in zip(started, ['10.0.0.1:80', '[::1]:80']):
        process.set(BACKEND, NAME, 'addr', address)
    started[0].answers[PORT.format('10.0.0.1', 81)] = reply
    started[1].answers[PORT.format('::1', 81)] = reply
    server.port = port
    assert started.commands == [[row, PORT.format('10.0.0.1', 81)], [row, PORT.format('::1', 81)]]


@pytest.mark.parametrize('version, reply', [
    ('2.2', "no need to change the addr, problem converting port '81' to an int by 'x'\n\n"),
    ('3.0', "problem converting port '81' to an int\n\n"),
    ('2.2', 'No such server.\n\n'),
    ('2.2', '\n'),
])
def test_a_port_that_is_refused_failed(version, reply, fleet):
    """[same address; errors are not data] A refusal may follow a success in one reply."""
    started, server = pair_of(fleet, version)
    for process in started:
        process.set(BACKEND, NAME, 'addr', '10.0.0.1:80')
    started.answer(PORT.format('10.0.0.1', 81), reply)
    with pytest.raises(exceptions.CommandFailed):
        server.port = 81


@pytest.mark.parametrize('value', [-1, 65536, '70000', True, None, '', 'x', '+1', 1.5])
def test_what_is_no_port_is_refused(value, pair):
    """[argument checks]"""
    started, server = pair
    with pytest.raises(ValueError):
        server.port = value
    assert started.connections == [0, 0]


def test_a_server_that_has_no_address_gets_no_port(pair):
    """[same address] No change is sent to any process."""
    started, server = pair
    for address in ('unix', ''):
        started[1].set(BACKEND, NAME, 'addr', address)
        with pytest.raises(exceptions.CommandFailed) as caught:
            server.port = 81
        assert WORD in str(caught.value) and started[1].path in str(caught.value)
    assert not any('addr' in command for asked in started.commands for command in asked)


@pytest.mark.parametrize('version, name, value, needed', [
    ('1.5.8', 'address', '127.0.0.1', '1.6'), ('1.5', 'address', '127.0.0.1', '1.6'),
    ('1.5.8', 'port', 80, '1.7'), ('1.5', 'port', 80, '1.7'), ('1.6', 'port', 80, '1.7'),
])
def test_a_version_that_cannot_names_the_one_that_can(version, name, value, needed, fleet):
    """[same address] Nothing is sent; 1.6 would silently ignore a port."""
    started, server = pair_of(fleet, version)
    with pytest.raises(exceptions.CommandFailed) as caught:
        setattr(server, name, value)
    message = str(caught.value)
    assert 'needs HAProxy {0};'.format(needed) in message and started[0].path in message
    assert '.'.join(map(str, server._members[0].hap_process.version)) in message
    assert started.connections == [0, 0]


@pytest.mark.parametrize('name, value', [('address', '127.0.0.1'), ('port', 80)])
def test_one_old_process_is_enough_to_send_nothing(name, value, fleet):
    """[same address]"""
    started = fleet('2.2', 1)
    started.add('old.sock', 2, 5000, version='1.5')
    server = started.haproxy().server(NAME, BACKEND)[0]
    started.forget()
    with pytest.raises(exceptions.CommandFailed):
        setattr(server, name, value)
    assert started.connections == [0, 0]


# Stale ids, and servers that no longer exist

def test_a_stale_id_costs_one_command_more(pair):
    """[stale ids]"""
    started, server = pair
    for process in started:
        process.renumber()
        process.set(BACKEND, NAME, 'sid', '77')
    assert server.weight == 100
    assert started.commands == [[ROW, ALL]] * 2
    started.forget()
    assert server.sid == 77
    assert started.commands == [['show stat 108 4 77'], []]


@pytest.mark.parametrize('other', [('backend_proc1', 'backend_proc1_srv2'),
                                   ('be_static', 'be_static_srv1')])
def test_a_row_of_another_server_does_not_count(other, pair):
    """[stale ids] Both names must match."""
    started, server = pair
    for process in started:
        process.set(BACKEND, NAME, 'stot', '21')
        for column in ('iid', 'sid'):
            mine, others = process.get(BACKEND, NAME, column), process.get(*(other + (column,)))
            process.set(BACKEND, NAME, column, others)
            process.set(*(other + (column, mine)))
    assert server.requests == 42
    assert started.commands == [[ROW, ALL]] * 2


def test_a_server_of_the_same_name_in_another_backend_does_not_count(pair):
    """[stale ids]"""
    started, server = pair
    for process in started:
        process.set('be_static', 'be_static_srv1', 'stot', '1000')
        process.set('be_static', 'be_static_srv1', 'svname', NAME)
        process.set('be_static', NAME, 'iid', '8')
        process.set(BACKEND, NAME, 'iid', '10')
        process.set(BACKEND, NAME, 'stot', '21')
    assert server.requests == 42
    assert started.commands == [[ROW, ALL]] * 2


@pytest.mark.parametrize('read', [
    lambda server: server.status, lambda server: server.weight, lambda server: server.requests,
    lambda server: server.metric('scur'), lambda server: server.sid,
    lambda server: server.address, lambda server: server.stats_per_process()])
def test_a_server_that_is_gone_is_a_key_error(read, pair):
    """[stale ids]"""
    started, server = pair
    started[0].remove(BACKEND, NAME)
    with pytest.raises(KeyError) as caught:
        read(server)
    assert isinstance(caught.value, exceptions.HAProxyBaseError)
    assert caught.value.args[0] == NAME
    assert str(caught.value) == 'server {0!r} is gone from process 1 on {1}'.format(
        WORD, started[0].path)


def test_a_port_of_a_server_that_is_gone_is_a_key_error(pair):
    """[stale ids; same address]"""
    started, server = pair
    started[1].remove(BACKEND, NAME)
    with pytest.raises(KeyError):
        server.port = 81
    assert not any('addr' in command for asked in started.commands for command in asked)


def test_a_server_is_made_of_its_objects(fleet):
    """[documented names]"""
    from haproxyadmin.internal import _Backend, _HAProxyProcess, _Server
    started = fleet('2.2', 2)
    members = [_Server(_Backend(_HAProxyProcess(path, timeout=30), BACKEND, 8), NAME, 1)
               for path in started.paths]
    server = Server(server_per_proc=members, backendname=BACKEND)
    command = 'set weight {0} 5'.format(WORD)
    started.answer(command, '\n')
    assert server.weight == 100
    assert server.setweight(5) is True
    # The number and version of a process are requested only once.
    assert started.commands == [[ROW, 'show info', command]] * 2


def test_a_status_is_any_text(fleet):
    """A status may have more than one word."""
    started, server = pair_of(fleet, '2.2', 1)
    for status in ('UP', 'UP 1/3', 'DOWN', 'DOWN (agent)', 'NOLB', 'MAINT', 'MAINT (via b/s)',
                   'MAINT (resolution)', 'DRAIN', 'no check'):
        started[0].set(BACKEND, NAME, 'status', status)
        assert server.status == status


def test_a_frontend_may_share_a_servers_name(fleet):
    started = fleet('2.2', 1)
    started[0].set(BACKEND, NAME, 'svname', 'FRONTEND')
    server = started.haproxy().server('FRONTEND')[0]
    assert server.backendname == BACKEND and server.weight == 100
    assert started.commands == [[ALL, 'show stat 8 4 1']]


# A list of servers

def cells(page):
    return [re.findall('<t[hd][^>]*>(.*?)</t[hd]>', line) for line in page.split('\n')
            if line.startswith('<tr>')]


@pytest.mark.parametrize('listed', [
    lambda hap: hap.servers(BACKEND),
    lambda hap: hap.backend(BACKEND).servers(),
    lambda hap: hap.server(NAME, BACKEND),
    lambda hap: hap.snapshot().servers(BACKEND),
    lambda hap: pickle.loads(pickle.dumps(hap.snapshot().servers(BACKEND))),
])
def test_a_notebook_shows_a_list_of_servers_as_a_table(listed, fleet):
    """[one command per call] Figures are added up, as in the overview."""
    started = fleet('2.2', 2)
    for process, sessions in zip(started, ['3', '4']):
        process.set(BACKEND, NAME, 'stot', sessions)
    servers = listed(started.haproxy())
    started.forget()
    assert isinstance(servers, list) and repr(servers).startswith('[Server(')
    rows = cells(servers._repr_html_())
    assert rows[0][:3] == ['SERVER', 'STATUS', 'SESS']
    assert [row[0] for row in rows[1:]] == [
        '{0}/{1}'.format(BACKEND, server.name) for server in servers]
    assert rows[1][rows[0].index('REQS')] == '7'
    if started.commands != [[], []]:
        assert started.commands == [['show stat -1 4 -1']] * 2


def test_a_server_that_is_gone_has_an_empty_row(fleet):
    started = fleet('2.2', 1)
    servers = started.haproxy().servers(BACKEND)
    started[0].remove(BACKEND, NAME)
    rows = cells(servers._repr_html_())
    assert rows[1][0] == WORD and set(rows[1][1:]) == {''}
    assert rows[2][1] != ''


def test_a_list_is_shown_as_text_if_haproxy_does_not_answer(fleet):
    started = fleet('2.2', 2)
    servers = started.haproxy().servers()
    started[1].refuse()
    assert servers._repr_html_() is None


@pytest.mark.parametrize('behave', [faults.closing(), faults.replying(b'garbage\n\n')])
def test_then_it_is_tried_once_only(behave, fleet):
    started = fleet('2.2', 1)
    servers = started.haproxy(retry=5).servers()
    started.forget()
    started[0].next(*[behave] * 5)
    assert servers._repr_html_() is None
    assert started.connections == [1]


def test_what_is_not_a_list_of_servers_is_shown_as_text(fleet):
    hap = fleet('2.2', 1).haproxy()
    assert hap.servers('nope') == [] and hap.servers('nope')._repr_html_() is None
    assert Servers(hap.backends())._repr_html_() is None


def test_a_long_list_is_shown_in_part(fleet, monkeypatch):
    servers = fleet('2.2', 1).haproxy().servers(BACKEND)
    monkeypatch.setattr(haproxyadmin.server, 'SHOWN', 2)
    page = servers._repr_html_()
    assert [row[0] for row in cells(page)[1:]] == [
        '{0}/{1}'.format(BACKEND, server.name) for server in servers[:2]]
    assert page.endswith('\n<p>and 3 more</p>')


@pytest.mark.skipif(six.PY2, reason='lists of Python 2 have a method of their own for slices')
def test_a_slice_is_a_list_of_servers(fleet):
    servers = fleet('2.2', 1).haproxy().servers(BACKEND)
    assert type(servers[1:3]) is Servers and servers[1:3] == list(servers)[1:3]
    assert servers[0] == NAME and servers[-1].backendname == BACKEND
