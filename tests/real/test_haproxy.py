# -*- coding: utf-8 -*-
# SPDX-License-Identifier: Apache-2.0
"""HAProxy as a whole, on real HAProxies: values compared with what their sockets report."""
import contextlib
import os
import pickle
import signal
import socket
import threading
import time

import pytest
import six

from haproxyadmin import exceptions, haproxy
from haproxyadmin.internal import _HAProxyProcess, fanout
from haproxyadmin.utils import METRICS_AVG, METRICS_NATURE, METRICS_SUM
from tests.support import lab as labs, truth, typed
from tests.support.checks import error_of, is_number

# Fields that do not change between reads.
STEADY = ['Name', 'Version', 'Release_date', 'Process_num', 'Pid', 'Maxconn', 'Hard_maxconn',
          'Maxsock', 'Maxpipes', 'Ulimit-n', 'Memmax_MB', 'node', 'description', 'ConnRateLimit',
          'SessRateLimit', 'SslRateLimit', 'PipesUsed', 'Nbthread']


def figures_of(lab, name):
    return [int(info[name] or 0) for info in truth.infos(lab)]


# Each public read, and which processes it queries: all that have the object, the first, or none.
READS = [
    (['processids', 'description', 'nodename', 'releasedate', 'version', 'totalrequests',
      'requests', 'maxconn', 'ratelimitconn', 'ratelimitsess', 'ratelimitsslsess'], 'hap', 'all'),
    (['uptime', 'uptimesec'], 'hap', 'first'),
    (['iid'], 'frontend', 'first'),
    (['maxconn', 'requests', 'status'], 'frontend', 'all'),
    (['iid'], 'backend', 'first'),
    (['requests', 'status'], 'backend', 'all'),
    (['sid'], 'server', 'first'),
    (['weight', 'address', 'port', 'check_status', 'check_code', 'last_status',
      'last_agent_check', 'requests', 'status'], 'server', 'all'),
    (['name', 'process_nb'], 'frontend', 'none'),
    (['name', 'process_nb'], 'backend', 'none'),
    (['name', 'process_nb', 'backendname'], 'server', 'none'),
]
CALLS = [
    ('hap', 'all', lambda hap: hap.info()),
    ('hap', 'all', lambda hap: hap.metric('CumReq')),
    ('hap', 'all', lambda hap: hap.metric('PoolUsed_MB')),
    ('hap', 'all', lambda hap: hap.frontends()),
    ('hap', 'all', lambda hap: hap.frontends('haproxy')),
    ('hap', 'all', lambda hap: hap.frontend('haproxy')),
    ('hap', 'all', lambda hap: hap.backends()),
    ('hap', 'all', lambda hap: hap.backend('haproxy')),
    ('hap', 'all', lambda hap: hap.servers()),
    ('hap', 'all', lambda hap: hap.servers('backend_proc1')),
    ('hap', 'all', lambda hap: hap.server('bck_all_srv1')),
    ('hap', 'all', lambda hap: hap.errors()),
    ('hap', 'all', lambda hap: hap.command('show info')),
    ('hap', 'all', lambda hap: hap.setmaxconn(10000)),
    ('hap', 'all', lambda hap: hap.setratelimitsess(0)),
    ('hap', 'all', lambda hap: hap.clearcounters()),
    ('hap', 'all', lambda hap: hap.add_acl(6, '/a')),
    ('hap', 'all', lambda hap: hap.del_acl(6, '/a')),
    ('hap', 'all', lambda hap: hap.set_map(0, '0', 'x')),
    ('hap', 'first', lambda hap: hap.show_acl()),
    ('hap', 'first', lambda hap: hap.show_map(0)),
    ('hap', 'first', lambda hap: hap.get_acl(6, '/a')),
    ('hap', 'first', lambda hap: hap.get_map(0, '0')),
    ('frontend', 'all', lambda frontend: frontend.metric('stot')),
    ('frontend', 'all', lambda frontend: frontend.stats_per_process()),
    ('frontend', 'all', lambda frontend: frontend.requests_per_process()),
    ('frontend', 'all', lambda frontend: frontend.disable()),
    ('frontend', 'all', lambda frontend: frontend.enable()),
    ('backend', 'all', lambda backend: backend.metric('stot')),
    ('backend', 'all', lambda backend: backend.servers()),
    ('backend', 'all', lambda backend: backend.servers('bck_all_srv1')),
    ('backend', 'all', lambda backend: backend.server('bck_all_srv1')),
    ('backend', 'all', lambda backend: backend.stats_per_process()),
    ('backend', 'all', lambda backend: backend.requests_per_process()),
    ('server', 'all', lambda server: server.metric('stot')),
    ('server', 'all', lambda server: server.metric('eint')),
    ('server', 'all', lambda server: server.stats_per_process()),
    ('server', 'all', lambda server: server.requests_per_process()),
    ('server', 'all', lambda server: server.setweight(100)),
    ('server', 'all', lambda server: server.setstate('ready')),
    ('server', 'all', lambda server: server.shutdown()),
]


@pytest.fixture(scope='class')
def traffic(lab):
    lab.traffic('frontend_proc1', 5)
    lab.traffic('frontend1_proc34', 10)


@pytest.fixture
def subjects(lab, hap):
    truth.wait_for_checks(lab)
    backend = hap.backend('backend1_proc34')
    return {'hap': hap, 'frontend': hap.frontend('frontend1_proc34'), 'backend': backend,
            'server': backend.server('bck_all_srv1')}


@pytest.mark.usefixtures('traffic')
class TestReading(object):

    def test_order_of_processes(self, lab, hap):
        """[stable order]"""
        assert hap.processids == lab.pids == [int(info['Pid']) for info in truth.infos(lab)]

    def test_processids_are_integers(self, hap):
        """[integers]"""
        assert all(map(is_number, hap.processids))

    def test_what_all_processes_agree_on(self, lab, hap):
        for name, field in [('description', 'description'), ('nodename', 'node'),
                            ('releasedate', 'Release_date'), ('version', 'Version')]:
            value = getattr(hap, name)
            assert type(value) is str
            assert [value] == list(set(info[field] for info in truth.infos(lab)))

    def test_uptime_is_the_first_process_s(self, lab, hap):
        """[first process]"""
        before = int(truth.info(lab)['Uptime_sec'])
        uptimesec = hap.uptimesec
        assert is_number(uptimesec)
        assert before <= uptimesec <= int(truth.info(lab)['Uptime_sec'])
        assert hap.uptime in ['0d 0h{0:02}m{1:02}s'.format(seconds // 60, seconds % 60)
                              for seconds in range(before, hap.uptimesec + 1)]

    def test_info_keeps_haproxys_own_text(self, lab, hap):
        infos = hap.info()
        assert len(infos) == truth.process_count(lab)
        for info, shown in zip(infos, truth.infos(lab)):
            assert set(info) == set(shown)
            assert all(type(text) is str for text in info.values())
            for name in set(STEADY) & set(shown):
                assert info[name] == shown[name]

    def test_repr_shows_processes_and_sockets(self, lab, hap):
        assert str(truth.numbers(lab, [1, 2, 3, 4])) in repr(hap)
        assert all(path in repr(hap) for path in lab.socket_files)

    def test_every_name_is_a_number(self, hap):
        """[metric names]"""
        values = dict((name, hap.metric(name)) for name in haproxy.HAPROXY_METRICS)
        assert all(map(is_number, values.values())), values
        assert values['Maxconn'] and values['CumReq'] and values['Ulimit-n']

    def test_sums_are_those_of_the_processes(self, lab, hap):
        for name in set(STEADY) & set(haproxy.HAPROXY_METRICS):
            assert hap.metric(name) == sum(figures_of(lab, name)), name

    def test_sums_of_what_grows(self, lab, hap):
        for name in ('CumReq', 'CumConns'):
            before = sum(figures_of(lab, name))
            assert before <= hap.metric(name) <= sum(figures_of(lab, name))

    def test_what_this_haproxy_does_not_report_is_0(self, lab, hap):
        """[metric names]"""
        shown = truth.info(lab)
        # Later Debian builds use a compression library other than zlib.
        missing = [name for name in haproxy.HAPROXY_METRICS if name not in shown]
        assert bool(missing) == ('ZlibMemUsage' not in shown)
        assert [hap.metric(name) for name in missing] == [0] * len(missing)

    def test_uptime_sec_is_an_average(self, lab, hap):
        """[metric names]"""
        before = figures_of(lab, 'Uptime_sec')
        value = hap.metric('Uptime_sec')
        after = figures_of(lab, 'Uptime_sec')
        assert int(sum(before) / float(len(before))) <= value
        assert value <= int(sum(after) / float(len(after)))

    def test_other_figures_that_this_haproxy_reports(self, lab, hap):
        """[metric names]"""
        others = [name for name in truth.info(lab) if name not in haproxy.HAPROXY_METRICS
                  and name in METRICS_SUM + METRICS_AVG]
        assert 'PoolUsed_MB' in others and 'Nbthread' in others
        assert all(is_number(hap.metric(name)) for name in others)
        assert hap.metric('Nbthread') == 1

    def test_the_natural_rules_are_those_that_this_haproxy_declares(self, lab):
        """[natural rules]"""
        for command, least in [('show info typed', 50), ('show stat typed', 70)]:
            rules = [(name, typed.rule_of(tags)) for name, tags, _ in typed.parse_typed(
                lab.raw(command)) if name in METRICS_NATURE]
            assert len(rules) >= least
            assert not [(name, rule) for name, rule in rules
                        if rule != METRICS_NATURE[name] and name not in typed.EXCEPTIONS]

    @pytest.mark.parametrize('name, natural', [
        ('Maxconn', sum), ('Maxsock', sum), ('Process_num', max)])
    def test_a_metric_by_another_rule(self, name, natural, lab, hap):
        """[natural rules]"""
        figures = figures_of(lab, name)
        for rule, combine in [('sum', sum), ('min', min), ('max', max), ('nature', natural),
                              ('avg', lambda numbers: sum(numbers) // len(numbers))]:
            assert hap.metric(name, rule) == hap.metrics(rule)[name] == combine(figures), rule

    @pytest.mark.parametrize('name, natural', [('stot', sum), ('slim', sum), ('smax', max)])
    def test_a_metric_of_a_proxy_by_another_rule(self, name, natural, lab, subjects):
        """[natural rules]"""
        for kind, proxy, row in [('frontend', 'frontend1_proc34', 'FRONTEND'),
                                 ('backend', 'backend1_proc34', 'BACKEND'),
                                 ('server', 'backend1_proc34', 'bck_all_srv1')]:
            subject = subjects[kind]
            figures = [int(text) for text in truth.figures(lab, proxy, row, name) if text]
            for rule, combine in [('sum', sum), ('min', min), ('max', max), ('nature', natural)]:
                wanted = combine(figures) if figures else 0
                assert subject.metric(name, rule) == subject.metrics(rule)[name] == wanted, rule

    def test_another_name_is_a_value_error(self, hap):
        """[metric names]"""
        for name in ('Pid', 'node', 'Version', 'scur', 'nope', 'maxconn'):
            error = error_of(hap.metric, name)
            assert type(error) is ValueError
            assert repr(name) in str(error)

    def test_the_error_for_a_metric_names_the_nearest(self, hap):
        """[metric names]"""
        assert "'Maxconn'" in str(error_of(hap.metric, 'maxconn'))

    def test_all_figures_as_plain_data(self, lab, hap):
        rows = hap.stats()
        header = lab.raw('show stat').split('\n', 1)[0][2:].split(',')
        keys = list(rows[0])
        assert keys[:4] == ['pxname', 'svname', 'type', 'status'] and keys[-1] == 'processes'
        assert keys[4:-1] == sorted(keys[4:-1], key=header.index)
        assert all(list(row) == keys for row in rows)
        assert [(row['pxname'], row['svname']) for row in rows if row['type'] == 'server'] == (
            truth.all_servers(lab))
        wanted = truth.row(lab, truth.paths(lab, [1])[0], 'backend_proc1', 'member1_proc1')
        row, = [row for row in rows if row['svname'] == 'member1_proc1']
        assert row['processes'] == 1 and row['weight'] == int(wanted['weight'])
        for name in ('addr', 'mode', 'cookie', 'algo'):
            assert row[name] == (wanted[name] or None)

    def test_totalrequests(self, lab, hap):
        before = sum(figures_of(lab, 'CumReq'))
        total = hap.totalrequests
        assert is_number(total)
        assert before <= total <= sum(figures_of(lab, 'CumReq'))
        # At least the 15 client requests.
        assert total >= 15

    def test_requests_are_those_of_all_frontends(self, lab, hap):
        # Enough to reach each process that shares the port.
        lab.traffic('haproxy', 20)
        assert hap.requests == sum(truth.total(lab, name, 'FRONTEND', 'req_tot')
                                   for name, _ in truth.FRONTENDS) >= 35
        assert is_number(hap.requests)

    @pytest.mark.parametrize('method, proxies', [
        ('frontends', truth.FRONTENDS),
        ('backends', truth.BACKENDS),
    ])
    def test_order_of_proxies(self, lab, hap, method, proxies):
        """[stable order]"""
        found = getattr(hap, method)()
        assert [proxy.name for proxy in found] == truth.order(lab, proxies)
        for proxy in found:
            assert proxy.process_nb == truth.numbers(lab, truth.processes_of(proxy.name))

    def test_order_of_servers(self, lab, hap):
        """[stable order]"""
        servers = hap.servers()
        assert [(server.backendname, server.name) for server in servers] == truth.all_servers(lab)
        for server in servers:
            assert server.process_nb == truth.numbers(
                lab, truth.processes_of(server.backendname))

    def test_of_one_name(self, hap):
        assert [frontend.name for frontend in hap.frontends('haproxy')] == ['haproxy']
        assert [frontend.name for frontend in hap.frontends(name='frontend_proc1')] == [
            'frontend_proc1']
        assert [backend.name for backend in hap.backends('backend_proc1')] == ['backend_proc1']
        assert [server.name for server in hap.servers('backend_proc1')] == truth.SERVERS[
            'backend_proc1']
        assert [server.name for server in hap.servers(backend='haproxy')] == []

    def test_names_are_native_whatever_was_asked_for(self, hap):
        """[equality]"""
        for found in (hap.frontends(u'haproxy'), hap.backends(u'haproxy'),
                      hap.server(u'bck_all_srv1'), hap.servers(u'backend_proc1'),
                      [hap.frontend(u'haproxy'), hap.backend(u'haproxy')],
                      hap.backend(u'backend_proc1').servers(u'bck_all_srv1')):
            assert found
            for thing in found:
                assert type(thing.name) is str
                assert type(getattr(thing, 'backendname', '')) is str
        assert hap.frontends(u'\u017elu\u0165') == hap.servers(u'\u017elu\u0165') == []

    def test_one(self, lab, hap):
        assert hap.frontend('frontend1_proc34').name == 'frontend1_proc34'
        assert hap.backend('backend1_proc34').name == 'backend1_proc34'
        assert [server.backendname for server in hap.server('bck_all_srv1')] == [
            backend for backend, server in truth.all_servers(lab) if server == 'bck_all_srv1']
        assert [server.backendname for server in hap.server(
            'bck_all_srv1', backend='backend_proc1')] == ['backend_proc1']

    def test_none_of_the_name(self, hap):
        """[what is not there]"""
        assert hap.frontends('nope') == hap.backends('nope') == hap.servers('nope') == []
        for call, args, text in [
                (hap.frontend, ['nope'], "no frontend 'nope'"),
                (hap.backend, ['nope'], "no backend 'nope'"),
                (hap.server, ['nope'], "no server 'nope'"),
                (hap.server, ['nope', 'backend_proc1'], "'nope' in backend 'backend_proc1'"),
                (hap.server, ['bck_all_srv1', 'nope'], "'bck_all_srv1' in backend 'nope'"),
                (hap.server, ['member_bkall', 'backend1_proc34'], "in backend 'backend1_proc34'")]:
            error = error_of(call, *args)
            assert type(error) is ValueError
            assert text in str(error)

    def test_a_frontend_is_no_backend(self, hap):
        assert type(error_of(hap.frontend, 'backend_proc1')) is ValueError
        assert type(error_of(hap.backend, 'frontend_proc1')) is ValueError
        assert hap.frontends('backend_proc1') == hap.backends('frontend_proc1') == []

    def test_the_error_names_the_nearest(self, hap):
        assert 'frontend1_proc34' in str(error_of(hap.frontend, 'frontend_proc34'))

    def test_listeners_are_no_servers(self, lab, hap):
        """[CSV]"""
        # frontend_proc2 has "option socket-stats".
        listeners = [row for path in lab.socket_files for row in truth.rows(lab, path)
                     if row['type'] == '3']
        assert listeners
        names = set(row['svname'] for row in listeners)
        assert not names & set(server.name for server in hap.servers())
        assert 'frontend_proc2' not in [backend.name for backend in hap.backends()]
        # HAProxy lists listeners only if every type of object is requested.
        everything = _HAProxyProcess(truth.paths(lab, [2])[0], timeout=10).stats()
        assert 'frontend_proc2' in everything['frontends']
        assert 'frontend_proc2' not in everything['backends']

    def test_names_as_text(self, hap):
        """[equality]"""
        assert u'haproxy' in hap.frontends()
        assert 'haproxy' in hap.backends()
        assert hap.frontends()[0] != hap.backends()[0]

    def paths(self, lab, subject, asked):
        paths = lab.socket_files if subject == 'hap' else truth.paths(lab, [3, 4])
        return {'all': paths, 'first': paths[:1], 'none': []}[asked]

    def test_a_property_costs_one_command(self, lab, subjects, sent):
        """[one command per call]"""
        for names, subject, asked in READS:
            for name in names:
                sent.clear()
                getattr(subjects[subject], name)
                assert sorted(sent.paths) == self.paths(lab, subject, asked), (subject, name)

    def test_a_call_costs_one_command(self, lab, subjects, sent):
        """[one command per call]"""
        for number, (subject, asked, call) in enumerate(CALLS):
            sent.clear()
            call(subjects[subject])
            assert sorted(sent.paths) == self.paths(lab, subject, asked), (subject, number)

    def test_nothing_is_kept(self, lab, subjects):
        """[one command per call]"""
        before = subjects['frontend'].requests
        lab.traffic('frontend1_proc34', 3)
        assert subjects['frontend'].requests == before + 3

    def test_a_port_costs_one_command_more_than_an_address(self, lab, subjects, sent):
        """[same address]"""
        server = subjects['server']
        port = server.port
        sent.clear()
        server.address = '127.0.0.1'
        assert len(sent.commands) == len(server.process_nb)
        sent.clear()
        server.port = port
        assert len(sent.commands) == 2 * len(server.process_nb)

    def test_constructing_costs_one_show_info(self, lab, sent):
        """[cost of construction]"""
        haproxy.HAProxy(socket_dir=lab.socket_dir)
        assert sorted(sent.exchanges) == [('show info', path) for path in lab.socket_files]
        sent.clear()
        haproxy.HAProxy(socket_file=lab.socket_files[0])
        assert sent.exchanges == [('show info', lab.socket_files[0])]


class TestChanging(object):

    def test_maxconn(self, lab, hap):
        count = truth.process_count(lab)
        assert hap.maxconn == 10000 * count
        assert hap.setmaxconn(5555) is True
        assert figures_of(lab, 'Maxconn') == [5555] * count
        assert hap.maxconn == 5555 * count
        assert is_number(hap.maxconn)

    def test_0_stands_for_the_configured_maxconn(self, lab, hap):
        hap.setmaxconn(100)
        assert hap.setmaxconn(0) is True
        assert figures_of(lab, 'Maxconn') == [10000] * truth.process_count(lab)

    def test_more_than_configured_is_refused(self, lab, hap):
        before = figures_of(lab, 'Maxconn')
        error = error_of(hap.setmaxconn, 99999999)
        assert type(error) is exceptions.CommandFailed
        assert str(error) == 'Value out of range.'
        assert error.results == [(number, 'Value out of range.')
                                 for number in truth.numbers(lab, [1, 2, 3, 4])]
        assert [path for path, _ in error.by_socket] == lab.socket_files
        assert hap.setmaxconn(99999999, die=False) is False
        assert figures_of(lab, 'Maxconn') == before

    def test_rate_limits(self, lab, hap):
        count = truth.process_count(lab)
        for setter, getter, field in [
                (hap.setratelimitconn, 'ratelimitconn', 'ConnRateLimit'),
                (hap.setratelimitsess, 'ratelimitsess', 'SessRateLimit'),
                (hap.setratelimitsslsess, 'ratelimitsslsess', 'SslRateLimit')]:
            for limit in (1000, 2147483647, 0):
                assert setter(limit) is True
                assert figures_of(lab, field) == [limit] * count
                assert getattr(hap, getter) == limit * count
                assert is_number(getattr(hap, getter))

    @pytest.mark.one_haproxy
    def test_what_is_no_limit_is_not_sent(self, hap, sent):
        """[argument checks]"""
        for setter in (hap.setmaxconn, hap.setratelimitconn, hap.setratelimitsess,
                       hap.setratelimitsslsess):
            for value in (-1, 2147483648, True, '5', '5; disable frontend haproxy', 5.0, None):
                assert type(error_of(setter, value)) is ValueError
                assert setter(value, die=False) is False
        assert sent.commands == []

    def test_clearcounters(self, lab, hap):
        lab.traffic('frontend_proc1', 3)
        assert truth.total(lab, 'frontend_proc1', 'FRONTEND', 'smax') > 0
        requests = truth.total(lab, 'frontend_proc1', 'FRONTEND', 'req_tot')
        assert hap.clearcounters() is True
        assert truth.total(lab, 'frontend_proc1', 'FRONTEND', 'smax') == 0
        assert truth.total(lab, 'frontend_proc1', 'FRONTEND', 'req_tot') == requests > 0

    def test_clearcounters_all(self, lab, hap):
        lab.traffic('haproxy', 20)
        assert hap.clearcounters(all=True) is True
        assert truth.total(lab, 'haproxy', 'FRONTEND', 'req_tot') == 0
        assert hap.requests == 0

    def test_the_reply_of_each_process(self, lab, hap):
        replies = hap.command('show info')
        assert [number for number, _ in replies] == truth.numbers(lab, [1, 2, 3, 4])
        assert all(is_number(number) for number, _ in replies)
        for (_, lines), pid in zip(replies, lab.pids):
            assert 'Pid: {0}'.format(pid) in lines
            assert lines[-1]

    def test_no_output_is_one_empty_line(self, hap):
        assert all(lines == [''] for _, lines in hap.command('clear counters'))

    def test_no_reply_is_judged(self, hap):
        """[errors are not data]"""
        for _, lines in hap.command('nonsense'):
            assert lines[0].startswith('Unknown command')

    @pytest.mark.parametrize('command', [
        'show info json', 'show stat json', 'show schema json', 'show events nosuch',
        'show trace nosuch', 'prompt', 'prompt;show info', 'show info typed', 'show cli sockets'])
    def test_a_reply_may_be_of_one_line(self, lab, hap, command):
        """[errors are not data] Up to 2.8, JSON and some refusals end without an empty line."""
        for path, (_, lines) in zip(lab.socket_files, hap.command(command)):
            reply = lab.raw(command, path).strip('\n').split('\n')
            assert (len(lines), lines[0][:20], lines[-1][-2:]) == (
                len(reply), reply[0][:20], reply[-1][-2:])

    def test_several_commands_and_a_payload(self, lab, hap):
        """[one word per text]"""
        hap.command('clear map #0; add map #0 a b')
        assert truth.all_entries(lab, 'map', '#0') == [['a b']] * truth.process_count(lab)
        hap.command('add map #0 <<\nc d e\n')
        assert truth.all_entries(lab, 'map', '#0') == [
            ['a b', 'c d e']] * truth.process_count(lab)

    @pytest.mark.one_haproxy
    def test_what_harms_haproxy_is_not_sent(self, hap, sent):
        """[one word per text]"""
        for command in ('show info\nshow stat', 'a\0b', '', '\n', 'show info <<', 'show\rinfo',
                        'x ' * 65, 'x' * 15360, 5, None):
            assert type(error_of(hap.command, command)) is ValueError
            assert hap.command(command, die=False) is False
        assert sent.commands == []

    def test_the_longest_line(self, lab, hap):
        for _, lines in hap.command('add map #0 long ' + 'x' * (15359 - 16)):
            assert lines == ['']
        assert 'long ' + 'x' * 15343 in truth.entries(lab, 'map', '#0')

    def bad_request(self, lab, frontend):
        connection = socket.create_connection(('127.0.0.1', lab.ports[frontend]), 5)
        connection.sendall(b'GET / HTTP/1.1\r\nHost: lab\r\nBad Header\x01: \xff\r\n\r\n')
        assert b' 400 ' in connection.recv(65536)
        connection.close()

    def test_a_bad_request(self, lab, hap):
        assert [len(report) for _, report in hap.errors()] == [1] * truth.process_count(lab)
        self.bad_request(lab, 'frontend_proc1')
        reports = hap.errors()
        assert [number for number, _ in reports] == truth.numbers(lab, [1, 2, 3, 4])
        first = reports[0][1]
        assert first[0].startswith('Total events captured on ')
        assert first[0].endswith(': 1')
        assert any('frontend frontend_proc1' in line for line in first)
        assert any('invalid request' in line for line in first)
        assert all(type(line) is str for line in first)
        # Only the process that received the request reports it.
        assert [len(report) for _, report in reports[1:]] == [1] * (len(reports) - 1)

    def test_of_one_proxy(self, lab, hap):
        self.bad_request(lab, 'frontend_proc1')
        iid = int(truth.row(lab, lab.socket_files[0], 'frontend_proc1', 'FRONTEND')['iid'])
        assert len(hap.errors(iid)[0][1]) > 1
        assert len(hap.errors(iid=iid + 1)[0][1]) == 1

    @pytest.mark.one_haproxy
    def test_what_is_no_id_is_not_sent(self, hap, sent):
        """[argument checks]"""
        for iid in ('7', True, -1, 1.5):
            assert type(error_of(hap.errors, iid)) is ValueError
            assert hap.errors(iid, die=False) is False
        assert sent.commands == []


@contextlib.contextmanager
def frozen(lab):
    """Suspend the HAProxy processes: they accept connections but do not reply."""
    for pid in lab.pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in lab.pids:
            os.kill(pid, signal.SIGCONT)


@pytest.mark.one_haproxy
class TestSilence(object):

    def test_all_processes_are_asked_at_the_same_time(self, lab):
        """[concurrent processes]"""
        with frozen(lab):
            started = time.time()
            error = error_of(haproxy.HAProxy, socket_dir=lab.socket_dir, timeout=3)
            assert 3 <= time.time() - started < 9
        assert type(error) is exceptions.NoHAProxyFound
        assert all(path in str(error) for path in lab.socket_files)

    def test_it_is_a_timeout(self, lab):
        """[constructor]"""
        with frozen(lab):
            started = time.time()
            error = error_of(haproxy.HAProxy, socket_file=lab.socket_files[0], timeout=0.3)
            assert 0.3 <= time.time() - started < 20
        assert type(error) is exceptions.NoHAProxyFound
        assert type(error.cause) is exceptions.SocketTimeout
        assert error.socket_file == lab.socket_files[0]

    def test_only_reads_are_tried_again(self, lab, sent):
        """[retries]"""
        hap = haproxy.HAProxy(socket_file=lab.socket_files[0], retry=2, retry_interval=0,
                              timeout=30)
        frontend = hap.frontend('haproxy')
        with frozen(lab):
            hap._processes[0].timeout = 0.3
            sent.clear()
            assert type(error_of(lambda: frontend.status)) is exceptions.SocketTimeout
            assert len(sent.commands) == 3
            sent.clear()
            # HAProxy may have received the command, so it is not sent again.
            assert type(error_of(hap.setratelimitsess, 0)) is exceptions.SocketTimeout
            assert sent.commands == ['set rate-limit sessions global 0']

    def test_no_threads_are_left(self, hap):
        """[concurrent processes]"""
        before = threading.active_count()
        hap.servers()
        assert threading.active_count() == before


@pytest.mark.one_layout
class TestSharing(object):

    def test_hap_and_its_objects_pickle(self, lab, hap):
        server = hap.server('bck_all_srv1', backend='backend1_proc34')[0]
        for thing, name in [(hap, 'processids'), (hap.frontend('frontend1_proc34'), 'iid'),
                            (hap.backend('backend1_proc34'), 'status'), (server, 'sid')]:
            for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
                again = pickle.loads(pickle.dumps(thing, protocol))
                assert getattr(again, name) == getattr(thing, name)
        frontend = pickle.loads(pickle.dumps(hap.frontend('frontend1_proc34'), 2))
        assert frontend == 'frontend1_proc34'
        assert frontend.process_nb == truth.numbers(lab, [3, 4])

    def test_eight_threads_share_one_object(self, lab, hap):
        truth.tell(lab, 'clear map #0')
        frontend = hap.frontend('frontend1_proc34')
        frontends = truth.order(lab, truth.FRONTENDS)
        failures = []

        def work(number):
            try:
                for turn in range(10):
                    assert [found.name for found in hap.frontends()] == frontends
                    assert hap.processids == lab.pids
                    assert frontend.status == 'OPEN'
                    assert hap.add_map(0, '{0}-{1}'.format(number, turn), number) is True
                    assert hap.get_map(0, '{0}-{1}'.format(number, turn))
            except BaseException as error:
                failures.append(error)

        threads = [threading.Thread(target=work, args=[number]) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert failures == []
        wanted = sorted('{0}-{1} {0}'.format(number, turn)
                        for number in range(8) for turn in range(10))
        assert [sorted(found) for found in truth.all_entries(lab, 'map', '#0')] == [
            wanted] * truth.process_count(lab)

    def test_forks_share_one_object(self, lab, hap):
        expected = hap.requests
        pids = []
        for _ in range(4):
            pid = os.fork()
            if pid == 0:
                code = 1
                try:
                    for _ in range(5):
                        assert hap.requests == expected
                    code = 0
                finally:
                    os._exit(code)
            pids.append(pid)
        assert hap.requests == expected
        assert [os.waitpid(pid, 0)[1] for pid in pids] == [0] * 4


@pytest.mark.one_layout
@pytest.mark.lab(config=truth.config('    description "say \\"hi, all\\" now"\n'))
class TestDescriptionWithCommaAndQuotes(object):

    def test_the_text_is_plain(self, lab, hap):
        """[description]"""
        assert '"say ""hi, all"" now"' in lab.raw('show info')
        assert hap.description == 'say "hi, all" now'


@pytest.mark.one_layout
@pytest.mark.lab(config=truth.config())
class TestNoDescription(object):

    def test_it_is_empty(self, lab, hap):
        """[description]"""
        assert 'description' not in truth.info(lab) or not truth.info(lab)['description']
        assert hap.description == ''


@pytest.mark.one_layout
@pytest.mark.lab(config=truth.config(u'    description "\u017elu\u0165ou\u010dk\u00fd"\n'
                                     if six.PY3 else
                                     '    description "\xc5\xbelu\xc5\xa5ou\xc4\x8dk\xc3\xbd"\n'))
class TestDescriptionInUtf8(object):

    def test_text_is_native(self, hap):
        """[UTF-8]"""
        assert hap.description == six.ensure_str(u'\u017elu\u0165ou\u010dk\u00fd')


@pytest.mark.one_layout
@pytest.mark.lab(level='operator')
class TestOperator(object):

    def test_what_needs_an_admin_is_refused(self, lab, hap):
        frontend = hap.frontend('frontend1_proc34')
        for call, args in [(hap.setmaxconn, [5000]), (hap.setratelimitsess, [5]),
                           (frontend.disable, []), (frontend.setmaxconn, [5])]:
            error = error_of(call, *args)
            assert type(error) is exceptions.CommandFailed
            assert 'Permission denied' in str(error)
            assert call(*args, die=False) is False
        assert figures_of(lab, 'Maxconn') == [10000] * 4

    def test_the_rest_is_there(self, lab, hap):
        assert hap.processids == lab.pids
        assert hap.errors()
        assert hap.server('bck_all_srv1')[0].address == '127.0.0.1'
        assert hap.clearcounters() is True


@pytest.mark.one_layout
@pytest.mark.lab(level='user')
class TestUser(object):

    def test_a_refusal_is_never_data(self, hap):
        """[errors are not data]"""
        for call, args in [(hap.errors, []), (hap.clearcounters, [True])]:
            error = error_of(call, *args)
            assert type(error) is exceptions.CommandFailed
            assert 'Permission denied' in str(error)
            assert call(*args, die=False) is False

    def test_no_address_is_told(self, hap):
        """[address and port]"""
        server = hap.server('bck_all_srv1')[0]
        assert (server.address, server.port) == ('', '')

    def test_figures_are(self, lab, hap):
        assert hap.processids == lab.pids
        assert hap.requests == 0
        assert 'frontend1_proc34' in hap.frontends()


class TestDifferentHAProxies(object):
    """Two HAProxies that disagree, with their sockets in one directory."""

    @pytest.fixture
    def both(self, lab, tmpdir):
        with labs.Lab(labs.find(lab.version), config=truth.config(
                '    description other\n    node other\n    maxconn 50\n')) as other:
            for name, path in [('a.sock', lab.socket_files[0]), ('b.sock', other.socket_files[0])]:
                os.symlink(path, str(tmpdir.join(name)))
            other.hap = haproxy.HAProxy(socket_dir=str(tmpdir), timeout=10)
            other.paths = [str(tmpdir.join(name)) for name in ('a.sock', 'b.sock')]
            yield other

    @pytest.mark.only('single', '2.2')
    def test_what_differs_is_no_value(self, lab, both):
        """[first process]"""
        for name in ('description', 'nodename'):
            error = error_of(getattr, both.hap, name)
            assert type(error) is exceptions.IncosistentData
            values = [value for _, value in error.results]
            assert values == ['Test server' if name == 'description' else 'test.foo.com', 'other']
            assert error.by_socket == list(zip(both.paths, values))
        assert both.hap.version == truth.info(lab)['Version']
        assert both.hap.maxconn == 10050
        assert both.hap.uptimesec >= 0
        assert 'web' in both.hap.frontends() and 'frontend_proc1' in both.hap.frontends()
        assert both.hap.frontend('web').process_nb == [1]

    @pytest.mark.only('single', '2.2')
    def test_some_refuse(self, both):
        """[verdicts]"""
        error = error_of(both.hap.setmaxconn, 100)
        assert type(error) is exceptions.MultipleCommandResults
        assert error.results == [(1, ''), (1, 'Value out of range.')]
        assert error.by_socket == list(zip(both.paths, ['', 'Value out of range.']))
        assert both.hap.setmaxconn(100, die=False) is False
        # The process that did not refuse has applied the change.
        assert both.hap.maxconn == 150


@pytest.mark.only('2.2')
@pytest.mark.lab(config="""
global
    nbproc 3
    stats socket "${HAPROXYADMIN_RUN}/a.sock" level admin process 3
    stats socket "${HAPROXYADMIN_RUN}/b.sock" level admin process 1
    stats socket "${HAPROXYADMIN_RUN}/c.sock" level admin process 2
defaults
    timeout connect 1s
    timeout client 1s
    timeout server 1s
frontend last
    bind-process 3
    bind "127.0.0.1:${HAPROXYADMIN_PORT_A}"
frontend first
    bind-process 1
    bind "127.0.0.1:${HAPROXYADMIN_PORT_B}"
""")
class TestOrderOfSockets(object):

    def test_by_process_number_first(self, lab, hap):
        """[stable order]"""
        pids = dict((path, int(truth.info(lab, path)['Pid'])) for path in lab.socket_files)
        assert hap.processids == [pids[os.path.join(lab.socket_dir, name)]
                                  for name in ('b.sock', 'c.sock', 'a.sock')]
        assert [number for number, _ in hap.command('show info')] == [1, 2, 3]
        assert [frontend.name for frontend in hap.frontends()] == ['first', 'last']


class TestKilledProcess(object):

    @pytest.mark.only('nbproc4', 'instances')
    def test_a_process_that_is_gone(self, lab):
        hap = haproxy.HAProxy(socket_dir=lab.socket_dir, retry=None, timeout=10)
        frontend = hap.frontend('haproxy')
        lab.kill_process(3)
        gone = lab.socket_files[2]
        truth.wait_until_refused(gone)
        for call, args in [(hap.info, []), (hap.metric, ['Maxconn']), (hap.frontends, []),
                           (frontend.metric, ['stot'])]:
            error = error_of(call, *args)
            assert type(error) is exceptions.SocketConnectionError
            assert error.socket_file == error.filename == gone
            assert gone in str(error)
        # The change reaches the other processes.
        error = error_of(frontend.setmaxconn, 77)
        assert type(error) is exceptions.SocketConnectionError
        assert error.socket_file == gone
        others = [path for path in lab.socket_files if path != gone]
        assert error.results == [(number, '') for number in truth.numbers(lab, [1, 2, 4])]
        assert error.by_socket == [(path, '') for path in others]
        assert [truth.row(lab, path, 'haproxy', 'FRONTEND')['slim'] for path in others] == [
            '77'] * 3
        assert frontend.setmaxconn(78, die=False) is False
        # A new object finds the other processes.
        again = haproxy.HAProxy(socket_dir=lab.socket_dir, timeout=10)
        assert again.processids == [pid for pid in lab.pids if pid != lab.pids[2]]
        assert again.frontend('haproxy').process_nb == truth.numbers(lab, [1, 2, 4])


@pytest.mark.one_haproxy
@pytest.mark.lab(config=truth.config())
class TestRetry(object):

    def absent(self, lab, seconds):
        """Move the socket away for some seconds; return the timer that moves it back."""
        path = lab.socket_files[0]
        os.rename(path, path + '.away')
        timer = threading.Timer(seconds, os.rename, [path + '.away', path])
        timer.start()
        return timer

    @pytest.mark.parametrize('retry', [400, 0])
    def test_reads_and_changes_are_tried_again(self, lab, retry):
        """[retries]"""
        hap = haproxy.HAProxy(lab.socket_dir, retry=retry, retry_interval=0.05, timeout=10)
        for call in (lambda: hap.metric('Maxconn') > 0, lambda: hap.setratelimitsess(7)):
            timer = self.absent(lab, 0.2)
            try:
                assert call() is True
            finally:
                timer.join()
        assert truth.info(lab)['SessRateLimit'] == '7'

    @pytest.mark.parametrize('retry, tries', [(None, 1), (1, 2)])
    def test_no_try_is_waited_after_that_is_the_last(
            self, lab, sent, retry, tries, monkeypatch):
        """[retries]"""
        hap = haproxy.HAProxy(lab.socket_dir, retry=retry, retry_interval=0.7, timeout=30)
        pauses = []
        monkeypatch.setattr(fanout.time, 'sleep', pauses.append)
        path = lab.socket_files[0]
        os.rename(path, path + '.away')
        try:
            sent.clear()
            error = error_of(hap.info)
        finally:
            os.rename(path + '.away', path)
        assert isinstance(error, exceptions.SocketConnectionError)
        assert sent.commands == ['show info'] * tries
        assert pauses == [0.7] * (tries - 1)


@pytest.mark.only('3.0', '3.2')
@pytest.mark.one_layout
class TestWait(object):
    """HAProxy ends ``wait`` at once when the client closes its sending side."""

    @pytest.fixture
    def patient(self, hap):
        """The first process that has the server, with a timeout shorter than the wait."""
        member = hap.backend('backend_proc1').server('member_bkall')._members[0]
        return haproxy.HAProxy(socket_file=member.socket_file, timeout=1, retry=None)

    def test_it_may_take_longer_than_the_timeout(self, patient):
        start = time.time()
        (_, lines), = patient.command('wait 1500ms;show info')
        assert time.time() - start >= 1.5
        assert 'Name: HAProxy' in lines
        assert not any('Interrupted' in line for line in lines)

    def test_a_server_is_deleted_when_its_last_session_has_ended(self, lab, patient):
        path = patient._processes[0].socket_file
        with lab.hold('frontend_proc1', 1, server='member_bkall') as held:
            lab.raw('disable server backend_proc1/member_bkall', path)
            (_, lines), = patient.command('wait 300ms srv-removable backend_proc1/member_bkall')
            assert lines[0] == 'Wait delay expired.'
            timer = threading.Timer(0.5, held.close)
            timer.start()
            (_, lines), = patient.command('wait 30s srv-removable backend_proc1/member_bkall;'
                                          'del server backend_proc1/member_bkall')
            timer.join()
        assert [line for line in lines if line] == ['Done.', 'Server deleted.']
        assert 'member_bkall' not in [server.name for server in patient.servers('backend_proc1')]
