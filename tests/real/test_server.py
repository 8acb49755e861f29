# -*- coding: utf-8 -*-
# SPDX-License-Identifier: Apache-2.0
"""Servers on real HAProxies: values compared with what their sockets report."""
import contextlib
import socket

import pytest

from haproxyadmin import (SERVER_METRICS, STATE_DISABLE, STATE_DRAIN, STATE_ENABLE, STATE_MAINT,
                          STATE_READY, VALID_STATES, exceptions, haproxy, server)
from haproxyadmin.testing import sockets
from tests.support import lab as labs, truth
from tests.support.checks import check_metrics, check_statistics, error_of, is_number, rows_of
from tests.support.lab import wait_until

PAIR = 'backend1_proc34'
ALL = 'bck_all_srv1'


@pytest.fixture
def shared(hap):
    """A server that exists in two processes, if there are several."""
    return hap.backend(PAIR).server(ALL)


def figures(lab, field, backend=PAIR, name=ALL):
    return truth.figures(lab, backend, name, field)


def wait_until_told(condition):
    """Wait until all processes meet a condition; they may disagree while a check runs."""
    def is_told():
        try:
            return condition()
        except exceptions.IncosistentData:
            return False
    wait_until(is_told, 'all tell it')


@pytest.fixture(scope='class')
def traffic(lab):
    truth.wait_for_checks(lab)
    lab.traffic('frontend1_proc34', 12, server=ALL)
    lab.traffic('frontend1_proc34', 3, server=ALL, path='/status/404')
    lab.traffic('frontend_proc2', 8)


@pytest.mark.usefixtures('traffic')
class TestReading(object):

    def test_names_and_ids(self, lab, hap):
        shown = truth.Snapshot(lab)
        for backend, name in truth.all_servers(lab):
            found = hap.server(name, backend=backend)[0]
            row = rows_of(shown, backend, name)[0]
            assert (found.name, found.backendname) == (name, backend)
            assert type(found.name) is str and type(found.backendname) is str
            assert found.sid == int(row['sid']) and is_number(found.sid)
            assert found.process_nb == truth.numbers(lab, truth.processes_of(backend))

    def test_status_and_weight(self, lab, hap):
        shown = truth.Snapshot(lab)
        for backend, name in truth.all_servers(lab):
            found = hap.server(name, backend=backend)[0]
            row = rows_of(shown, backend, name)[0]
            assert found.status == row['status'] and found.status in ('UP', 'no check')
            assert found.weight == int(row['weight']) and is_number(found.weight)

    def test_address_and_port(self, lab, hap):
        """[address and port]"""
        shown = truth.Snapshot(lab)
        for backend, name in truth.all_servers(lab):
            found = hap.server(name, backend=backend)[0]
            address, port = rows_of(shown, backend, name)[0]['addr'].split(':')
            assert (found.address, found.port) == (address, port)
            assert address == '127.0.0.1' and int(port) in lab.origins.ports
            assert type(found.port) is str

    def test_checks(self, lab, shared, hap):
        assert shared.check_status == 'L4OK'
        assert shared.check_code == ''
        assert shared.last_status == shared.last_agent_check == ''
        unchecked = hap.server('member_bkall')[0]
        assert unchecked.check_status == unchecked.check_code == unchecked.last_status == ''

    def test_requests(self, lab, shared, hap):
        assert shared.requests == 15 and is_number(shared.requests)
        shares = [int(text) for text in figures(lab, 'stot')]
        assert shared.requests_per_process() == list(zip(shared.process_nb, shares))
        for name in truth.SERVERS['backend_proc2']:
            assert hap.server(name)[0].requests == 2

    def test_a_set_holds_every_server(self, lab, hap):
        """[equality]"""
        assert set((server.backendname, server.name) for server in set(hap.servers())) == set(
            truth.all_servers(lab))
        assert set(hap.servers()) == set(hap.snapshot().servers())

    def test_every_metric(self, lab, shared):
        """[metric names]"""
        check_metrics(lab, shared, SERVER_METRICS, PAIR, ALL)
        assert shared.metric('hrsp_2xx') == 12
        assert shared.metric('hrsp_4xx') == 3
        assert shared.metric('weight') == 100
        assert shared.metric('slim') == 0

    def test_other_figures_that_this_haproxy_reports(self, lab, shared):
        """[metric names]"""
        check_metrics(lab, shared, ['connect', 'reuse', 'eint', 'ttime_max', 'check_rise'],
                      PAIR, ALL)
        assert shared.metric('check_rise') == 1
        assert shared.metric('connect') == 15

    def test_another_name_is_a_value_error(self, shared):
        """[metric names]"""
        for name in ('nope', 'Maxconn', 'status', 'check_code', 'sid', 'addr', 'req_tot_'):
            error = error_of(shared.metric, name)
            assert type(error) is ValueError
            assert repr(name) in str(error)

    def test_a_figure_of_another_kind_is_a_value_error(self, shared):
        """[metric names]"""
        for name in ('dreq', 'req_rate', 'rate_lim', 'comp_in'):
            assert type(error_of(shared.metric, name)) is ValueError
        assert all(is_number(shared.metric(name)) for name in shared.metrics())

    def test_statistics_of_each_process(self, lab, shared):
        check_statistics(lab, shared, PAIR, ALL)

    def test_comparing_and_hashing(self, hap, shared):
        """[equality]"""
        other = hap.server(ALL, backend='backend_proc1')[0]
        assert shared == ALL and other == ALL and shared == u'bck_all_srv1'
        assert shared != other and not shared == other
        assert shared == hap.server(ALL, backend=PAIR)[0]
        assert shared != hap.server('member_bkall')[0]
        assert shared != hap.backend(PAIR)
        assert len(set(hap.server(ALL))) == len(hap.server(ALL)) == 3
        assert hash(shared) == hash(ALL)
        assert ALL in repr(shared) and PAIR in repr(shared)

    def test_the_documented_names(self, shared):
        """[documented names]"""
        assert server.Server is type(shared)
        assert server.SERVER_METRICS is SERVER_METRICS
        assert haproxy.STATE_DISABLE == server.STATE_DISABLE == STATE_DISABLE


class TestChanging(object):

    STATUSES = [
        (STATE_DISABLE, 'MAINT'),
        (STATE_ENABLE, 'UP'),
        (STATE_DRAIN, 'DRAIN'),
        (STATE_READY, 'UP'),
        (STATE_MAINT, 'MAINT'),
        (STATE_READY, 'UP'),
    ]

    def test_all_five(self, lab, shared):
        assert sorted(VALID_STATES) == sorted(set(state for state, _ in self.STATUSES))
        count = len(shared.process_nb)
        truth.wait_for_checks(lab)
        for state, status in self.STATUSES:
            assert shared.setstate(state) is True
            # A server with checks comes up with its first successful check.
            wait_until(lambda: figures(lab, 'status') == [status] * count, status)
            assert shared.status == status

    def test_again_is_no_error(self, lab, hap):
        found = hap.server('member_bkall')[0]
        for state, status in self.STATUSES:
            assert found.setstate(state) is True
            assert found.setstate(state) is True
            assert found.status == status.replace('UP', 'no check')
        assert figures(lab, 'status', 'backend_proc1', 'member_bkall') == ['no check']

    def test_only_this_server_of_this_backend(self, lab, hap, shared):
        shared.setstate(STATE_MAINT)
        try:
            assert figures(lab, 'status', 'backend2_proc34') == ['no check'] * len(
                shared.process_nb)
            assert hap.server('bck1_proc34_srv1')[0].status == 'UP'
            assert set(lab.traffic('frontend1_proc34', 4, server=ALL)) == {200}
            assert figures(lab, 'stot') == ['0'] * len(shared.process_nb)
        finally:
            shared.setstate(STATE_READY)

    @pytest.mark.one_haproxy
    def test_what_is_no_state_is_not_sent(self, shared, sent):
        """[argument checks]"""
        sent.clear()
        for state in ('up', 'DISABLE', '', 'ready; disable frontend haproxy', None, True, 1):
            assert type(error_of(shared.setstate, state)) is ValueError
            assert shared.setstate(state, die=False) is False
        assert sent.commands == []

    def test_absolute_and_in_percent(self, lab, shared):
        count = len(shared.process_nb)
        for value, weight in [(0, 0), (256, 256), ('20%', 20), (58, 58), ('100%', 100),
                              ('0%', 0), (u'50%', 50), ('200%', 200), (1, 1)]:
            assert shared.setweight(value) is True
            assert figures(lab, 'weight') == [str(weight)] * count
            assert shared.weight == shared.metric('weight') == weight

    @pytest.mark.one_haproxy
    def test_what_is_no_weight_is_not_sent(self, shared, sent):
        """[argument checks]"""
        sent.clear()
        for value in (-1, 257, True, '5', '%', '-1%', '5 %', '1.5%', 5.0, None, '', '5%;help'):
            assert type(error_of(shared.setweight, value)) is ValueError
            assert shared.setweight(value, die=False) is False
        assert sent.commands == []

    @pytest.mark.only('nbproc4', 'instances')
    def test_what_differs_is_no_value(self, lab, shared):
        shared.setweight(7)
        lab.raw('set weight {0}/{1} 9'.format(PAIR, ALL), lab.socket_files[2])
        error = error_of(getattr, shared, 'weight')
        assert type(error) is exceptions.IncosistentData
        assert error.results == list(zip(truth.numbers(lab, [3, 4]), [9, 7]))
        assert error.by_socket == list(zip(lab.socket_files[2:], [9, 7]))
        # The average, truncated.
        assert shared.metric('weight') == 8
        lab.raw('set weight {0}/{1} 10'.format(PAIR, ALL), lab.socket_files[2])
        assert shared.metric('weight') == 8

    def test_shutdown(self, lab, hap, shared):
        with lab.hold('frontend1_proc34', 8, server=ALL):
            assert shared.metric('scur') == 8
            assert sum(map(int, figures(lab, 'scur'))) == 8
            assert hap.frontend('frontend1_proc34').metric('scur') == 8
            assert shared.shutdown() is True
            wait_until(lambda: set(figures(lab, 'scur')) == {'0'}, 'sessions ended')
            assert shared.metric('scur') == 0

    def test_only_those_of_this_server(self, lab, hap, shared):
        other = hap.backend(PAIR).server('bck1_proc34_srv1')
        with lab.hold('frontend1_proc34', 2, server=ALL):
            with lab.hold('frontend1_proc34', 3, server='bck1_proc34_srv1'):
                assert shared.shutdown() is True
                wait_until(lambda: shared.metric('scur') == 0, 'sessions ended')
                assert other.metric('scur') == 3

    def test_none_is_no_error(self, shared):
        assert shared.shutdown() is True

    def test_a_server_goes_down_and_comes_back(self, lab, shared):
        truth.wait_for_checks(lab)
        count = len(shared.process_nb)
        before = shared.metric('chkdown')
        lab.origins.refuse(4)
        try:
            wait_until(lambda: figures(lab, 'status') == ['DOWN'] * count, 'down')
            assert shared.status == 'DOWN'
            wait_until_told(lambda: 'refused' in shared.last_status)
            wait_until_told(lambda: shared.check_status == 'L4CON')
            wait_until_told(lambda: shared.check_code == '')
            assert shared.metric('chkdown') == before + count
        finally:
            lab.origins.serve(4)
        wait_until(lambda: figures(lab, 'status') == ['UP'] * count, 'up')
        assert (shared.status, shared.check_status) == ('UP', 'L4OK')


@pytest.mark.one_haproxy
@pytest.mark.lab(config=truth.config() + """
backend patient
    timeout connect 60s
    timeout check 60s
    server slow "127.0.0.1:${HAPROXYADMIN_PORT_ORIGIN3}" check inter 50ms
""")
class TestRunningCheck(object):

    def test_it_does_not_change_the_result(self, lab, hap):
        found = hap.server('slow')[0]
        wait_until(lambda: found.check_status == 'L4OK', 'checked')
        lab.origins.stall(3)
        try:
            # HAProxy prefixes the result with '* ' while a check runs.
            wait_until(lambda: figures(lab, 'check_status', 'patient', 'slow') == ['* L4OK'],
                       'a check runs')
            assert found.check_status == 'L4OK'
            assert figures(lab, 'check_status', 'patient', 'slow') == ['* L4OK']
        finally:
            lab.origins.serve(3)


class TestAddresses(object):

    def test_address(self, lab, shared):
        port = shared.port
        for address in ('127.0.0.2', '::1', '127.0.0.1'):
            shared.address = address
            assert shared.address == address
            assert shared.port == port
            shown = '[::1]' if address == '::1' else address
            assert set(figures(lab, 'addr')) == {shown + ':' + port}

    def test_the_same_again_is_a_success(self, shared):
        """[same address]"""
        for address in ('127.0.0.1', '127.0.0.1', '::1', '::1', '127.0.0.1'):
            shared.address = address
        for port in (8080, 8080, '8080'):
            shared.port = port
        assert (shared.address, shared.port) == ('127.0.0.1', '8080')

    def test_port(self, lab, shared):
        for port, shown in [(8080, '8080'), ('8081', '8081'), (u'8082', '8082'), (0, '0'),
                            (65535, '65535'), (1, '1')]:
            shared.port = port
            assert shared.port == shown
            assert set(figures(lab, 'addr')) == {'127.0.0.1:' + shown}

    def test_port_of_an_ipv6_address(self, lab, shared):
        shared.address = '2001:db8::1'
        shared.port = 443
        assert (shared.address, shared.port) == ('2001:db8::1', '443')
        assert set(figures(lab, 'addr')) == {'[2001:db8::1]:443'}
        shared.address = '127.0.0.1'

    @pytest.mark.only('nbproc4', 'instances')
    def test_each_process_keeps_its_own_address(self, lab, shared):
        """[same address]"""
        for address, path in zip(['127.0.0.3', '::1'], lab.socket_files[2:]):
            lab.raw('set server {0}/{1} addr {2}'.format(PAIR, ALL, address), path)
        assert type(error_of(getattr, shared, 'address')) is exceptions.IncosistentData
        shared.port = 8123
        assert figures(lab, 'addr') == ['127.0.0.3:8123', '[::1]:8123']
        assert shared.port == '8123'
        shared.address = '127.0.0.1'
        assert figures(lab, 'addr') == ['127.0.0.1:8123'] * 2

    def test_what_haproxy_refuses(self, lab, shared):
        """[one word per text]"""
        shared.address = '127.0.0.1'
        shared.port = 80
        for address in ('nope', 'a b', 'x;disable frontend haproxy', '127.0.0.1:99',
                        '1.2.3.4 port 5', '/tmp/x', 'a\\b', 'a<<', u'\u017e'):
            error = error_of(setattr, shared, 'address', address)
            assert type(error) is exceptions.CommandFailed
            assert 'Invalid addr' in str(error)
            assert [path for path, _ in error.by_socket] == truth.paths(lab, [3, 4])
        assert set(figures(lab, 'addr')) == {'127.0.0.1:80'}
        assert set(truth.figures(lab, 'haproxy', 'FRONTEND', 'status')) == {'OPEN'}

    @pytest.mark.one_haproxy
    def test_what_is_no_address_or_port_is_not_sent(self, shared, sent):
        """[argument checks]"""
        sent.clear()
        for address in ('', 'a\nb', 'a\rb', 'a\0b', None, 5, True):
            assert type(error_of(setattr, shared, 'address', address)) is ValueError
        for port in (-1, 65536, 70000, True, '', 'x', '+1', '-1', '80 ', 80.0, None):
            assert type(error_of(setattr, shared, 'port', port)) is ValueError
        assert sent.commands == []


class Agent(sockets.Listener):
    """An agent that reports the state of a server to HAProxy's agent check."""

    def __init__(self, words):
        super(Agent, self).__init__(('127.0.0.1', 0))
        self.words = words
        self.listen()

    def serve(self, client):
        with contextlib.closing(client):
            try:
                client.sendall(self.words)
            except socket.error:
                pass  # HAProxy did not wait


ODD = truth.config() + """
    server v6 [::1]:8080
    server noport 127.0.0.1
    server sock /nonexistent.sock
    server na.me:with-odd_chars 127.0.0.1:81
    server off 127.0.0.1:82 disabled
    server spare 127.0.0.1:83 backup
backend static
    balance static-rr
    server s 127.0.0.1:84 weight 10
backend checked
    option httpchk GET /status/204
    default-server inter 100ms
    server good "127.0.0.1:${HAPROXYADMIN_PORT_ORIGIN1}" check
backend failing
    option httpchk GET /status/503
    default-server inter 100ms fall 1
    server bad "127.0.0.1:${HAPROXYADMIN_PORT_ORIGIN2}" check
"""


@pytest.mark.one_layout
@pytest.mark.lab(config=ODD)
class TestOddServers(object):

    def test_addresses(self, lab, hap):
        """[address and port]"""
        for name, address, port in [
                ('v6', '::1', '8080'), ('noport', '127.0.0.1', '0'), ('sock', 'unix', ''),
                ('na.me:with-odd_chars', '127.0.0.1', '81')]:
            found = hap.server(name)[0]
            assert (found.address, found.port) == (address, port)

    def test_a_unix_socket_has_no_port(self, lab, hap, sent):
        """[same address]"""
        found = hap.server('sock')[0]
        sent.clear()
        error = error_of(setattr, found, 'port', 80)
        assert type(error) is exceptions.CommandFailed
        assert 'sock' in str(error) and 'unix' in str(error)
        assert not [command for command in sent.commands if command.startswith('set')]
        assert truth.figures(lab, 'app', 'sock', 'addr') == ['unix']

    def test_port_of_one_without(self, lab, hap):
        found = hap.server('noport')[0]
        found.port = 1234
        assert truth.figures(lab, 'app', 'noport', 'addr') == ['127.0.0.1:1234']

    def test_static_load_balancing(self, lab, hap):
        found = hap.server('s')[0]
        for value in (5, 256, '50%'):
            error = error_of(found.setweight, value)
            assert type(error) is exceptions.CommandFailed
            assert 'static LB algorithm' in str(error)
            assert found.setweight(value, die=False) is False
        assert found.weight == 10
        assert found.setweight('0%') is True
        assert found.weight == 0
        assert found.setweight('100%') is True
        assert truth.figures(lab, 'static', 's', 'weight') == ['10']

    def test_disabled_and_backup(self, hap):
        off, spare = hap.server('off')[0], hap.server('spare')[0]
        assert (off.status, spare.status) == ('MAINT', 'no check')
        assert (off.metric('act'), off.metric('bck')) == (1, 0)
        assert (spare.metric('act'), spare.metric('bck')) == (0, 1)
        assert off.setstate(STATE_ENABLE) is True
        assert off.status == 'no check'

    def test_check_code_is_an_integer(self, lab, hap):
        """[integers]"""
        good, bad = hap.server('good')[0], hap.server('bad')[0]
        wait_until(lambda: bad.status == 'DOWN', 'down')
        # While the next check runs, the code is 0 and there is no text.
        for found, code, status in [(good, 204, 'L7OK'), (bad, 503, 'L7STS')]:
            kept = wait_until(lambda: found.check_code, 'checked')
            assert kept == code and is_number(kept)
            assert found.check_status == status
        text = truth.figures(lab, 'failing', 'bad', 'last_chk')[0]
        wait_until(lambda: bad.last_status and bad.last_status == truth.figures(
            lab, 'failing', 'bad', 'last_chk')[0], text)

    def test_odd_names_reach_haproxy(self, lab, hap):
        found = hap.server('na.me:with-odd_chars', backend='app')[0]
        assert found.setstate(STATE_MAINT) is True
        assert truth.figures(lab, 'app', found.name, 'status') == ['MAINT']
        assert found.setweight(0) is True
        assert found.shutdown() is True


# In HAProxy 2.2.9 most agent checks time out, whatever the agent does.
@pytest.mark.only('2.6', '3.0', '3.2')
@pytest.mark.one_layout
@pytest.mark.lab(config=truth.config())
class TestAgentChecks(object):

    def test_what_the_agent_said(self, lab):
        agent = Agent(b'down #going home\n')
        config = truth.config() + """
    server agent "127.0.0.1:${HAPROXYADMIN_PORT_ORIGIN1}" check inter 100ms rise 1 \
agent-check agent-inter 200ms agent-port %d
""" % agent.path[1]
        try:
            with labs.Lab(labs.find(lab.version), config=config) as started:
                hap = haproxy.HAProxy(socket_dir=started.socket_dir, timeout=10)
                found = hap.server('agent')[0]
                wait_until(lambda: found.status == 'DOWN (agent)', 'down')
                # While the next check runs, there is no text.
                wait_until(lambda: 'going home' in found.last_agent_check, 'told')
                wait_until(lambda: found.last_agent_check == truth.figures(
                    started, 'app', 'agent', 'last_agt')[0], 'the same')
                agent.words = b'up drain\n'
                wait_until(lambda: found.status == 'DRAIN (agent)', 'drain')
        finally:
            agent.refuse()
