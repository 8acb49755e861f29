# -*- coding: utf-8 -*-
# SPDX-License-Identifier: Apache-2.0
"""reading.py: what can be read of HAProxy as a whole."""
import collections
import itertools
import json
import re

import pytest
import six

import haproxyadmin
from haproxyadmin import exceptions
from haproxyadmin.protocol.metrics import METRICS_AVG, METRICS_SUM
from haproxyadmin.testing import faults
from haproxyadmin.testing.families import reports
from tests.support import captured, fakes

SILENT = faults.silent()
STAT = 'show stat -1 {0} -1'.format
FRONTENDS, BACKENDS, SERVERS = STAT(1), STAT(2), STAT(4)


def is_int(value):
    return isinstance(value, six.integer_types) and not isinstance(value, bool)


# What the processes report about themselves

INFO = 'show info'
FIRST = [['show info'], []]


class TestValues(object):

    @pytest.mark.parametrize('name, expected, commands', [
        ('processids', [4001, 4002], [[INFO]] * 2),
        ('description', 'HAProxy lab 2.2', [[INFO]] * 2),
        ('nodename', 'lab-2.2', [[INFO]] * 2),
        ('releasedate', '2025/04/23', [[INFO]] * 2),
        ('version', '2.2.9-2+deb11u7', [[INFO]] * 2),
        ('uptime', '0d 0h00m02s', FIRST),
        ('uptimesec', 2, FIRST),
        ('totalrequests', 54, [[INFO]] * 2),
        ('requests', 1107, [[FRONTENDS]] * 2),
        ('maxconn', 4000, [[INFO]] * 2),
        ('ratelimitconn', 0, [[INFO]] * 2),
        ('ratelimitsess', 0, [[INFO]] * 2),
        ('ratelimitsslsess', 0, [[INFO]] * 2),
    ])
    def test_a_property_costs_each_process_one_command(self, name, expected, commands, fleet):
        """[one command per call; integers; first process] Each read sends the command again."""
        started = fleet('2.2', 2)
        for proxy, requests in [('haproxy', 1000), ('frontend_all', 100), ('frontend_proc1', 7)]:
            for process in started:
                process.set(proxy, 'FRONTEND', 'req_tot', 0)
            started[0].set(proxy, 'FRONTEND', 'req_tot', requests)
        hap = started.haproxy()
        value = getattr(hap, name)
        assert value == expected
        assert not isinstance(expected, int) or is_int(value)
        assert isinstance(expected, (int, list)) or type(value) is str
        assert started.commands == commands
        getattr(hap, name)
        assert started.commands == [2 * asked for asked in commands]

    @pytest.mark.parametrize('name, field', [
        ('version', 'Version'), ('releasedate', 'Release_date'), ('nodename', 'node'),
        ('description', 'description')])
    def test_a_value_that_differs_is_inconsistent(self, name, field, fleet):
        """[first process]"""
        started = fleet('2.2', 2)
        hap = started.haproxy()
        started[1].info[field] = 'other'
        with pytest.raises(exceptions.IncosistentData) as caught:
            getattr(hap, name)
        assert caught.value.results == [(1, started[0].info[field]), (2, 'other')]

    def test_a_value_is_read_anew(self, fleet):
        """[one command per call]"""
        started = fleet('2.2', 1)
        hap = started.haproxy()
        for uptime in ('10', '20'):
            started[0].info['Uptime_sec'] = uptime
            assert hap.uptimesec == int(uptime)

    def test_the_uptime_is_that_of_the_first_process(self, fleet):
        """[first process; stable order]"""
        started = fleet('2.2', 2)
        hap = started.haproxy()
        started[0].info['Uptime'], started[1].info['Uptime'] = '1d 0h00m00s', '0d 0h00m09s'
        started[0].info['Uptime_sec'], started[1].info['Uptime_sec'] = '86400', '9'
        assert (hap.uptime, hap.uptimesec) == ('1d 0h00m00s', 86400)

    def test_a_description_is_plain_text_or_empty(self, fleet):
        """[description]"""
        started = fleet('2.2', 1)
        hap = started.haproxy()
        started[0].info['description'] = '"say ""hi"", now"'
        assert hap.description == 'say "hi", now'
        del started[0].info['description']
        assert hap.description == ''

    def test_info_keeps_haproxys_own_text(self, fleet):
        """[integers]"""
        started = fleet('2.2', 2)
        infos = started.haproxy().info()
        assert infos == [dict(process.info) for process in started]
        assert all(type(value) is str for info in infos for value in info.values())
        assert started.commands == [['show info']] * 2

    def test_errors_are_numbered_lines(self, fleet):
        """[integers; one command per call]"""
        started = fleet('2.2', 2)
        hap = started.haproxy()
        report = fakes.text(captured.dump('2.2', 'errors.txt')).strip('\n').split('\n')
        for process in started:
            process.reports.errors.append(reports.Error('frontend_proc1', '\n'.join(report[2:]) + '\n'))
        errors = hap.errors()
        assert [number for number, _ in errors] == [1, 2]
        for _, lines in errors:
            assert lines[0].startswith('Total events captured on [') and lines[0].endswith('] : 1')
            assert lines[1:] == report[1:]
        assert all(is_int(number) for number, _ in hap.errors())
        started.answer('show errors 4', 'Total events captured on [x] : 0\n\n')
        assert hap.errors(iid=4) == [(number, ['Total events captured on [x] : 0'])
                                     for number in (1, 2)]
        assert started.commands == [['show errors', 'show errors', 'show errors 4']] * 2

    def test_errors_that_are_refused_are_an_error(self, fleet):
        """[errors are not data]"""
        started = fleet('2.2', 1)
        hap = started.haproxy()
        started.answer('show errors 99', 'No such proxy.\n\n')
        with pytest.raises(exceptions.CommandFailed) as caught:
            hap.errors(99)
        assert str(caught.value) == 'No such proxy.'
        started[0].level = 'user'
        with pytest.raises(exceptions.CommandFailed) as caught:
            hap.errors()
        assert str(caught.value).startswith('Permission denied')
        assert hap.errors(die=False) is False

    def test_a_command_returns_numbered_lines(self, fleet):
        """[integers; one command per call]"""
        started = fleet('2.2', 2)
        hap = started.haproxy()
        assert hap.command('show cli level') == [(1, ['admin']), (2, ['admin'])]
        assert hap.command(cmd='show acl #4') == [
            (number, ['{0} {1}'.format(entry.reference, entry.key) for entry in acl.stored])
            for number, acl in enumerate(started.patterns('#4'), 1)]
        assert started.commands == [['show cli level', 'show acl #4']] * 2

    def test_a_command_is_sent_as_it_is_and_not_judged(self, fleet):
        """[one word per text]"""
        started = fleet('2.2', 1)
        hap = started.haproxy()
        started.answer('add acl #4 a\\ b', '\n')
        started.answer('add map #7 <<\nk v\n', '\n')
        started.answer('disable server b/s', 'No such backend.\n\n')
        assert hap.command('add acl #4 a\\ b') == [(1, [''])]
        assert hap.command('add map #7 <<\nk v') == [(1, [''])]
        assert hap.command('disable server b/s') == [(1, ['No such backend.'])]

    @pytest.mark.parametrize('call', [
        lambda hap, **die: hap.command('show info', **die),
        lambda hap, **die: hap.errors(**die),
        lambda hap, **die: hap.show_acl(**die), lambda hap, **die: hap.show_acl(4, **die),
        lambda hap, **die: hap.get_acl(4, '/admin/x', **die),
        lambda hap, **die: hap.show_map(**die), lambda hap, **die: hap.show_map(7, **die),
        lambda hap, **die: hap.get_map(7, 'nope', **die),
    ])
    def test_a_read_may_return_false_in_place_of_raising(self, call, fleet):
        """[verdicts] On success it returns its own value."""
        started = fleet('2.2', 2)
        hap = started.haproxy()
        found = [re.sub(r'on \[.*?\]', '', repr(value)) for value in (call(hap, die=False), call(hap))]
        assert found[0] == found[1] != '[]'
        for process in started:
            process.fail(faults.closing())
        assert call(hap, die=False) is False
        with pytest.raises(exceptions.SocketApplicationError):
            call(hap)

    @pytest.mark.parametrize('read', [
        lambda hap: hap.info(), lambda hap: hap.requests, lambda hap: hap.frontends(),
        lambda hap: hap.backends(), lambda hap: hap.servers(), lambda hap: hap.metric('CumReq')])
    @pytest.mark.parametrize('failure, kind', [
        (faults.closing(), exceptions.SocketApplicationError),
        (faults.cut(500), exceptions.SocketApplicationError),
        (faults.replying(b'\n'), exceptions.SocketApplicationError),
        (SILENT, exceptions.SocketTimeout),
    ])
    def test_a_read_of_which_one_fails_is_an_error(self, failure, kind, read, fleet):
        """[errors are not data; messages] A partial list is never returned."""
        started = fleet('2.2', 3)
        hap = started.haproxy()
        started[1].fail(failure)
        if failure is SILENT:
            started.hasten(hap, 1)
        with pytest.raises(kind) as caught:
            read(hap)
        assert caught.value.socket_file == started[1].path
        assert "'show " in str(caught.value) and started[1].path in str(caught.value)


class TestMetrics(object):

    @pytest.mark.parametrize('version', captured.VERSIONS)
    def test_every_published_name_is_a_number(self, version, fleet):
        """[metric names]"""
        started = fleet(version, 1)
        started[0].info.pop('ZlibMemUsage', None)
        hap = started.haproxy()
        for name in haproxyadmin.HAPROXY_METRICS:
            assert is_int(hap.metric(name)), name
        assert hap.metric('ZlibMemUsage') == 0
        assert started.commands == [['show info'] * (len(haproxyadmin.HAPROXY_METRICS) + 1)]

    @pytest.mark.parametrize('name, texts, expected', [
        ('CumReq', ['10', '32'], 42),
        ('Uptime_sec', ['10', '21'], 15),
        ('PoolUsed_MB', ['1', '2'], 3),
        ('Nbthread', ['4', '5'], 4),
        ('CumReq', ['', '32'], 32),
        ('CumReq', [str(2 ** 63), str(2 ** 63)], 2 ** 64),
    ])
    def test_a_metric_is_added_up_or_averaged(self, name, texts, expected, fleet):
        """[metric names; sums and averages; lists of metrics]"""
        started = fleet('2.2', 2)
        for process, text in zip(started, texts):
            process.info[name] = text
        assert started.haproxy().metric(name) == expected

    @pytest.mark.parametrize('name, near', [
        ('CumReqs', 'CumReq'), ('Pid', None), ('Name', None), ('nope', None), ('scur', None),
        (None, None), ([], None), ({}, None), (5, None)])
    def test_any_other_name_is_a_value_error(self, name, near, fleet):
        """[metric names] It contains that name and the nearest, and is never a bare KeyError."""
        hap = fleet('2.2', 1).haproxy()
        with pytest.raises(ValueError) as caught:
            hap.metric(name)
        assert repr(name) in str(caught.value)
        assert near is None or repr(near) in str(caught.value)

    def test_all_metrics_at_once(self, fleet):
        started = fleet('2.2', 2)
        hap = started.haproxy()
        found = hap.metrics()
        assert started.commands == [['show info']] * 2
        assert set(haproxyadmin.HAPROXY_METRICS) < set(found)
        assert found['CumReq'] == 54 and found['PoolUsed_MB'] == 0 and 'Pid' not in found
        assert all(is_int(value) for value in found.values())

    def test_all_figures_as_plain_data(self, fleet):
        started = fleet('2.2', 2)
        started[1].set('backend_proc1', 'backend_proc1_srv1', 'status', 'DOWN')
        rows = started.haproxy().stats()
        assert started.commands == [[STAT(7)]] * 2
        assert len(rows) == len(started[0].rows)
        assert len(set(frozenset(row) for row in rows)) == 1
        server, = [row for row in rows if row['svname'] == 'backend_proc1_srv1']
        assert (server['pxname'], server['type'], server['processes']) == (
            'backend_proc1', 'server', 2)
        assert server['status'] == started[0].get(
            'backend_proc1', 'backend_proc1_srv1', 'status') + ', DOWN'
        assert is_int(server['scur']) and server['rate_lim'] is None

    @pytest.mark.parametrize('version', captured.VERSIONS)
    def test_the_keys_of_all_figures_are_in_haproxys_order(self, version, fleet):
        started = fleet(version, 2)
        hap = started.haproxy()
        rows = hap.stats()
        keys = list(rows[0])
        assert keys[:4] == ['pxname', 'svname', 'type', 'status']
        assert keys[-1] == 'processes'
        texts = ['check_status', 'last_chk', 'addr', 'cookie', 'mode', 'algo']
        figures = METRICS_SUM + METRICS_AVG
        reported = list(collections.OrderedDict.fromkeys(
            name for name in started[0].columns if name in figures + texts))
        missing = [name for name in texts if name not in reported]
        assert keys[4:-1] == reported + missing
        assert bool(missing) == (version < '1.7')
        assert all(isinstance(row, dict) and list(row) == keys for row in rows)
        assert rows == hap.stats() == hap.snapshot().stats()
        assert [list(row) for row in json.loads(
            json.dumps(rows), object_pairs_hook=collections.OrderedDict)] == [keys] * len(rows)

    def test_the_columns_that_only_a_later_process_has_come_last(self, fleet):
        started = fleet('2.2', 2)
        for process, column in zip(started, ('eint', 'uweight')):
            process.columns[process.columns.index('wrew')] = column
        keys = list(started.haproxy().stats()[0])
        assert keys.index('uweight') > keys.index('ttime_max') > keys.index('eint')

    @pytest.mark.parametrize('texts, expected', [
        (['L4OK', 'L4OK'], 'L4OK'), (['L4OK', 'L4TOUT'], 'L4OK, L4TOUT'),
        (['', 'L4OK'], 'L4OK'), (['', ''], None),
        # A check is running; the result is that of the previous one.
        (['* L4OK', 'L4OK'], 'L4OK'),
    ])
    def test_a_text_among_all_figures(self, texts, expected, fleet):
        """As with the status: if processes differ, their values in order."""
        started = fleet('3.2', 2)
        for process, text in zip(started, texts):
            process.set('backend_proc1', 'backend_proc1_srv1', 'check_status', text)
        row, = [row for row in started.haproxy().stats() if row['svname'] == 'backend_proc1_srv1']
        assert row['check_status'] == expected
        assert row['addr'] == started[0].get('backend_proc1', 'backend_proc1_srv1', 'addr')
        assert (row['mode'], row['cookie'], row['algo']) == ('http', 'c1', None)

    def test_the_texts_of_a_frontend_and_a_backend(self, fleet):
        started = fleet('3.2', 1)
        found = dict(((row['pxname'], row['type']), row) for row in started.haproxy().stats())
        backend, frontend = found['backend_proc1', 'backend'], found['frontend_proc1', 'frontend']
        assert (backend['algo'], backend['mode'], backend['addr'], backend['last_chk']) == (
            'roundrobin', 'http', None, None)
        assert (frontend['algo'], frontend['mode'], frontend['check_status']) == (
            None, 'http', None)

    def test_a_text_that_begins_like_a_running_check_is_left_alone(self, fleet):
        started = fleet('2.2', 1)
        started[0].set('be_static', 'be_static_srv1', 'last_chk', '* a, "b"')
        row, = [row for row in started.haproxy().stats() if row['svname'] == 'be_static_srv1']
        assert row['last_chk'] == '* a, "b"'

    def test_the_figures_of_a_backend_stand_together(self, fleet):
        """[stable order] Including those of a server that only a later process has."""
        started = fleet('2.2', 2)
        started[0].remove('be_static', 'be_static_srv1')
        rows = started.haproxy().stats()
        backends = [row['pxname'] for row in rows if row['type'] != 'frontend']
        assert [name for name, _ in itertools.groupby(backends)] == [
            'haproxy', 'backend_proc1', 'be_dynamic', 'be_static', 'st_src', 'tcp_listen']
        assert 'be_static_srv1' in [row['svname'] for row in rows]


# Frontends, backends and servers

class TestProxies(object):

    @pytest.mark.parametrize('call, command, names', [
        (lambda hap: hap.frontends(), FRONTENDS,
         ['haproxy', 'frontend_all', 'frontend_proc1', 'tcp_listen']),
        (lambda hap: hap.frontends('frontend_all'), FRONTENDS, ['frontend_all']),
        (lambda hap: hap.frontends(name='nope'), FRONTENDS, []),
        (lambda hap: [hap.frontend('tcp_listen')], FRONTENDS, ['tcp_listen']),
        (lambda hap: hap.backends(), BACKENDS,
         ['haproxy', 'backend_proc1', 'be_dynamic', 'be_static', 'st_src', 'tcp_listen']),
        (lambda hap: hap.backends('st_src'), BACKENDS, ['st_src']),
        (lambda hap: hap.backends('nope'), BACKENDS, []),
        (lambda hap: [hap.backend('be_static')], BACKENDS, ['be_static']),
        (lambda hap: hap.servers('be_static'), SERVERS,
         ['be_static_srv1', 'be_static_srv2', 'be_static_tracker', 'be_static_nocheck']),
        (lambda hap: hap.servers(backend='tcp_listen'), SERVERS, ['tcp1']),
        (lambda hap: hap.servers('nope'), SERVERS, []),
        (lambda hap: hap.server('tcp1'), SERVERS, ['tcp1']),
        (lambda hap: hap.server(hostname='tcp1', backend='tcp_listen'), SERVERS, ['tcp1']),
        (lambda hap: hap.server(u'tcp1'), SERVERS, ['tcp1']),
        (lambda hap: hap.server(b'tcp1', b'tcp_listen'), SERVERS, ['tcp1']),
        (lambda hap: hap.frontends(b'frontend_all'), FRONTENDS, ['frontend_all']),
        (lambda hap: [hap.backend(b'st_src')], BACKENDS, ['st_src']),
        (lambda hap: hap.frontends([]), FRONTENDS, []),
        (lambda hap: hap.servers({}), SERVERS, []),
    ])
    def test_they_cost_each_process_one_command(self, call, command, names, fleet):
        """[one command per call; what is not there; stable order] They are in HAProxy's order."""
        started = fleet('2.2', 2)
        found = call(started.haproxy())
        assert [thing.name for thing in found] == names
        assert all(thing.process_nb == [1, 2] for thing in found)
        assert started.commands == [[command]] * 2

    @pytest.mark.parametrize('call, words', [
        (lambda hap: hap.frontend('frontend_proc2'),
         "no frontend 'frontend_proc2'; did you mean 'frontend_proc1'"),
        (lambda hap: hap.frontend('backend_proc1'), 'no frontend'),
        (lambda hap: hap.backend('nope'), "no backend 'nope'"),
        (lambda hap: hap.frontend(None), 'no frontend None'),
        (lambda hap: hap.backend([]), 'no backend []'),
        (lambda hap: hap.server(None), 'no server None'),
        (lambda hap: hap.server(None, 'be_static'), "no server None in backend 'be_static'"),
        (lambda hap: hap.server([]), 'no server []'),
        (lambda hap: hap.server('tcp2'), "no server 'tcp2'; did you mean 'tcp1'?"),
        (lambda hap: hap.server('be_static_srv3', 'be_static'),
         "'be_static'; did you mean 'be_static_srv2' or 'be_static_srv1'"),
        (lambda hap: hap.backend('be_static').server(None), 'no server None'),
        (lambda hap: hap.server('nope'), "no server 'nope'"),
        (lambda hap: hap.server('tcp1', backend='be_static'), "'tcp1' in backend 'be_static'"),
        (lambda hap: hap.server('tcp1', backend='nope'), "'nope'"),
        (lambda hap: hap.server('BACKEND'), "'BACKEND'"),
    ])
    def test_a_name_that_is_not_there_is_a_value_error(self, call, words, fleet):
        """[what is not there]"""
        hap = fleet('2.2', 1).haproxy()
        with pytest.raises(ValueError) as caught:
            call(hap)
        assert words in str(caught.value)

    def test_a_proxy_may_stand_for_its_name(self, fleet):
        """[equality] It equals its name; the result has the name as text."""
        hap = fleet('2.2', 2).haproxy()
        frontend, backend = hap.frontend('frontend_all'), hap.backend('be_static')
        assert type(hap.frontends(frontend)[0].name) is str
        assert type(hap.backends(backend)[0].name) is str
        server = hap.server(hap.server('be_static_srv1')[0], backend=backend)[0]
        assert (type(server.name), type(server.backendname)) == (str, str)
        assert server.weight == 100

    def test_a_proxy_is_one_object_over_the_processes_that_have_it(self, fleet):
        started = fleet('2.2', 4)
        for process in started[:2]:
            process.remove('be_static')
            process.remove('frontend_all')
        started[3].remove('tcp_listen', 'tcp1')
        hap = started.haproxy()
        assert hap.backend('be_static').process_nb == [3, 4]
        assert hap.frontend('frontend_all').process_nb == [3, 4]
        assert hap.server('tcp1')[0].process_nb == [1, 2, 3]
        assert hap.server('be_static_srv2')[0].process_nb == [3, 4]
        assert hap.backend('haproxy').process_nb == [1, 2, 3, 4]

    def test_what_only_later_processes_have_comes_after(self, fleet):
        """[stable order] The order is that of the first process that has them."""
        started = fleet('2.2', 2)
        started[0].keep('tcp_listen', 'be_static')
        hap = started.haproxy()
        assert [backend.name for backend in hap.backends()] == [
            'be_static', 'tcp_listen', 'haproxy', 'backend_proc1', 'be_dynamic', 'st_src']
        assert [server.name for server in hap.servers()][:5] == [
            'be_static_srv1', 'be_static_srv2', 'be_static_tracker', 'be_static_nocheck', 'tcp1']

    def test_what_a_process_lists_twice_is_one_object(self, fleet):
        """[one command per call] The last row counts."""
        started = fleet('2.2', 2)
        for process in started:
            process.set('be_static', 'be_static_srv1', 'weight', 1)
            process.set('be_static', 'be_static_srv2', 'svname', 'be_static_srv1')
        hap = started.haproxy()
        server, = hap.server('be_static_srv1', 'be_static')
        assert (server.process_nb, server.weight) == ([1, 2], 100)
        assert len([row for row in hap.stats() if row['svname'] == server.name]) == 1
        started.answer('set weight be_static/be_static_srv1 5', '\n')
        started.forget()
        assert server.setweight(5) is True
        assert started.commands == [['set weight be_static/be_static_srv1 5']] * 2

    def test_a_server_of_two_backends_is_two_objects(self, fleet):
        """[what is not there]"""
        started = fleet('2.2', 1)
        started[0].set('be_static', 'be_static_srv1', 'svname', 'tcp1')
        hap = started.haproxy()
        assert [(server.name, server.backendname) for server in hap.server('tcp1')] == [
            ('tcp1', 'be_static'), ('tcp1', 'tcp_listen')]
        assert [server.backendname for server in hap.server('tcp1', 'be_static')] == ['be_static']

    @pytest.mark.parametrize('version', captured.VERSIONS)
    def test_every_proxy_of_a_version_is_there(self, version, fleet):
        started = fleet(version, 1)
        hap = started.haproxy()
        assert [frontend.name for frontend in hap.frontends()] == [
            proxy for proxy, _ in started[0].names('0')]
        assert [backend.name for backend in hap.backends()] == [
            proxy for proxy, _ in started[0].names('1')]
        assert [(server.backendname, server.name) for server in hap.servers()] == \
            started[0].names('2')
