# SPDX-License-Identifier: Apache-2.0
"""Frontends and backends on real HAProxies: values compared with what their sockets report."""
import contextlib
import socket

import pytest

from haproxyadmin import BACKEND_METRICS, FRONTEND_METRICS, exceptions
from haproxyadmin.protocol import versions
from tests import conftest
from tests.support import lab as labs, truth
from tests.support.checks import check_metrics, check_statistics, error_of, is_number, rows_of


@pytest.fixture(scope='class')
def traffic(lab):
    lab.traffic('haproxy', 20)
    lab.traffic('frontend1_proc34', 20)
    lab.traffic('frontend1_proc34', 5, path='/status/404')
    lab.traffic('frontend1_proc34', 5, path='/status/503')
    lab.traffic('frontend_proc1', 10)


@pytest.mark.usefixtures('traffic')
class TestReading(object):

    def test_frontend_names_and_ids(self, lab, hap):
        shown = truth.Snapshot(lab)
        for name, processes in truth.FRONTENDS:
            frontend = hap.frontend(name)
            row = rows_of(shown, name, 'FRONTEND')[0]
            assert frontend.name == name and type(frontend.name) is str
            assert frontend.iid == int(row['iid']) and is_number(frontend.iid)
            assert frontend.process_nb == truth.numbers(lab, processes)
            assert frontend.status == 'OPEN'

    def test_backend_names_and_ids(self, lab, hap):
        shown = truth.Snapshot(lab)
        for name, processes in truth.BACKENDS:
            backend = hap.backend(name)
            row = rows_of(shown, name, 'BACKEND')[0]
            assert backend.name == name and type(backend.name) is str
            assert backend.iid == int(row['iid']) and is_number(backend.iid)
            assert backend.process_nb == truth.numbers(lab, processes)
            assert backend.status == 'UP'

    def test_frontend_requests(self, lab, hap):
        for name, count in [('frontend1_proc34', 30), ('frontend_proc1', 10), ('haproxy', 20)]:
            frontend = hap.frontend(name)
            assert frontend.requests == count
            shares = [int(text) for text in truth.figures(lab, name, 'FRONTEND', 'req_tot')]
            assert frontend.requests_per_process() == list(zip(frontend.process_nb, shares))
            assert all(is_number(number) and is_number(share)
                       for number, share in frontend.requests_per_process())

    def test_backend_requests(self, lab, hap):
        for name, count in [('backend1_proc34', 30), ('backend_proc1', 10)]:
            backend = hap.backend(name)
            assert backend.requests == count
            shares = [int(text) for text in truth.figures(lab, name, 'BACKEND', 'stot')]
            assert backend.requests_per_process() == list(zip(backend.process_nb, shares))

    def test_every_metric_of_a_frontend(self, lab, hap):
        """[metric names]"""
        for name in ('frontend1_proc34', 'haproxy'):
            check_metrics(lab, hap.frontend(name), FRONTEND_METRICS, name, 'FRONTEND')
        frontend = hap.frontend('frontend1_proc34')
        assert frontend.metric('hrsp_2xx') == 20
        assert frontend.metric('hrsp_4xx') == 5
        assert frontend.metric('hrsp_5xx') == 5
        assert frontend.metric('bin') > 0 and frontend.metric('bout') > 0

    def test_every_metric_of_a_backend(self, lab, hap):
        """[metric names]"""
        for name in ('backend1_proc34', 'haproxy'):
            check_metrics(lab, hap.backend(name), BACKEND_METRICS, name, 'BACKEND')
        backend = hap.backend('backend1_proc34')
        # Averages: every process reports 3 and 102.
        assert backend.metric('act') == 3
        assert backend.metric('weight') == 102

    def test_other_figures_that_this_haproxy_reports(self, lab, hap):
        """[metric names]"""
        check_metrics(lab, hap.frontend('frontend1_proc34'),
                      ['conn_tot', 'dcon', 'dses', 'eint', 'intercepted', 'cache_hits'],
                      'frontend1_proc34', 'FRONTEND')
        check_metrics(lab, hap.backend('backend1_proc34'),
                      ['connect', 'reuse', 'eint', 'ttime_max'], 'backend1_proc34', 'BACKEND')
        assert hap.frontend('frontend1_proc34').metric('conn_tot') == 30

    def test_another_name_is_a_value_error(self, hap):
        """[metric names]"""
        for subject in (hap.frontend('haproxy'), hap.backend('haproxy')):
            for name in ('nope', 'Maxconn', 'status', 'iid', 'type', 'pxname', ''):
                error = error_of(subject.metric, name)
                assert type(error) is ValueError
                assert repr(name) in str(error)
            assert "'stot'" in str(error_of(subject.metric, 'stott'))

    def test_a_figure_of_another_kind_is_a_value_error(self, hap):
        """[metric names]"""
        snapshot = hap.snapshot()
        for on in (hap, snapshot):
            for subject, names in ((on.frontend('haproxy'), ['qtime', 'act', 'chkfail']),
                                   (on.backend('haproxy'), ['req_rate', 'chkfail', 'throttle'])):
                for name in names:
                    assert type(error_of(subject.metric, name)) is ValueError
                assert all(is_number(subject.metric(name)) for name in subject.metrics())

    def test_statistics_of_each_process(self, lab, hap):
        for name in ('frontend1_proc34', 'haproxy'):
            check_statistics(lab, hap.frontend(name), name, 'FRONTEND')
        for name in ('backend1_proc34', 'haproxy'):
            check_statistics(lab, hap.backend(name), name, 'BACKEND')

    def test_servers_of_a_backend(self, lab, hap):
        for name, servers in truth.SERVERS.items():
            backend = hap.backend(name)
            assert [server.name for server in backend.servers()] == servers
            for server in backend.servers():
                assert server.backendname == name
                assert server.process_nb == backend.process_nb
        backend = hap.backend('backend1_proc34')
        assert [server.name for server in backend.servers('bck_all_srv1')] == ['bck_all_srv1']
        assert [server.name for server in backend.servers(name='bck_all_srv1')] == ['bck_all_srv1']
        assert backend.server('bck_all_srv1').name == 'bck_all_srv1'

    def test_no_such_server(self, hap):
        """[what is not there]"""
        backend = hap.backend('backend1_proc34')
        assert backend.servers('nope') == backend.servers('member_bkall') == []
        for name in ('nope', 'member_bkall', 'BACKEND'):
            assert type(error_of(backend.server, name)) is ValueError
        assert 'bck_all_srv1' in str(error_of(backend.server, 'bck_all_srv'))

    def test_comparing_and_hashing(self, hap):
        """[equality]"""
        frontend, other = hap.frontend('haproxy'), hap.frontend('frontend_proc1')
        backend = hap.backend('haproxy')
        assert frontend == hap.frontend('haproxy')
        assert not frontend != hap.frontend('haproxy')
        assert frontend == 'haproxy' and frontend == u'haproxy'
        assert frontend != other and not frontend == other
        assert frontend != 'frontend_proc1'
        assert frontend != backend and not frontend == backend
        assert frontend != None and frontend != 5  # noqa: E711
        assert len(set([frontend, hap.frontend('haproxy'), other])) == 2
        assert hash(frontend) == hash('haproxy')

    def test_repr(self, lab, hap):
        """[equality]"""
        for subject in (hap.frontend('frontend1_proc34'), hap.backend('backend1_proc34')):
            assert subject.name in repr(subject)
            assert str(truth.numbers(lab, [3, 4])) in repr(subject)


def may_crash(lab):
    """Return True if the version crashes when the limit of a full frontend is raised."""
    return versions.is_among(versions.parse_version(truth.info(lab)['Version']),
                             versions.RAISING_FRONTEND_MAXCONN.ranges)


class TestFrontendChanges(object):

    def test_maxconn(self, lab, hap, sent):
        """[one command per call] And one look, where the version may crash."""
        frontend = hap.frontend('frontend1_proc34')
        count = len(frontend.process_nb)
        assert frontend.maxconn == 3000 * count
        sent.clear()
        assert frontend.setmaxconn(50) is True
        looks = count if may_crash(lab) else 0
        assert sent.commands[looks:] == ['set maxconn frontend frontend1_proc34 50'] * count
        assert all(command.startswith('show stat ') for command in sent.commands[:looks])
        assert truth.figures(lab, 'frontend1_proc34', 'FRONTEND', 'slim') == ['50'] * count
        assert frontend.maxconn == frontend.metric('slim') == 50 * count
        assert is_number(frontend.maxconn)
        assert frontend.setmaxconn(2147483647) is True
        assert frontend.maxconn == 2147483647 * count
        assert truth.total(lab, 'frontend2_proc34', 'FRONTEND', 'slim') == 3000 * count

    def test_a_frontend_that_is_full(self, lab, hap, sent):
        """[nothing that kills; one command per call] Some versions would crash."""
        name = 'frontend_proc1'
        frontend = hap.frontend(name)
        command = 'set maxconn frontend {0} 2'.format(name)
        with lab.hold(name, 1):
            assert frontend.setmaxconn(1) is True
            with contextlib.closing(socket.create_connection(
                    ('127.0.0.1', lab.ports[name]), conftest.PATIENT)) as waiting:
                sent.clear()
                if may_crash(lab):
                    error = error_of(frontend.setmaxconn, 2)
                    assert type(error) is exceptions.CommandFailed
                    assert str(error) == versions.RAISING_FRONTEND_MAXCONN.reason
                    assert frontend.setmaxconn(2, die=False) is False
                    assert command not in sent.commands
                    assert truth.figures(lab, name, 'FRONTEND', 'slim') == ['1']
                else:
                    assert frontend.setmaxconn(2) is True
                    assert sent.commands == [command]
                    assert truth.figures(lab, name, 'FRONTEND', 'slim') == ['2']
                    waiting.sendall(b'GET / HTTP/1.0\r\n\r\n')
                    assert waiting.recv(65536).startswith(b'HTTP/1.')
        labs.wait_until(lambda: truth.figures(lab, name, 'FRONTEND', 'scur') == ['0'], 'empty')
        assert frontend.setmaxconn(3000) is True
        assert truth.figures(lab, name, 'FRONTEND', 'slim') == ['3000']
        assert lab.traffic(name, 2) == [200] * 2

    @pytest.mark.one_haproxy
    def test_what_is_no_limit_is_not_sent(self, hap, sent):
        """[argument checks]"""
        frontend = hap.frontend('frontend1_proc34')
        sent.clear()
        for value in (-1, 2147483648, True, '5', 5.5, None):
            assert type(error_of(frontend.setmaxconn, value)) is ValueError
            assert frontend.setmaxconn(value, die=False) is False
        assert sent.commands == []

    def test_disable_and_enable(self, lab, hap):
        stopped = 'STOP' if truth.version(lab) < (2, 4) else 'PAUSED'
        frontend = hap.frontend('frontend2_proc34')
        count = len(frontend.process_nb)
        assert lab.traffic('frontend2_proc34', 4) == [200] * 4
        assert frontend.disable() is True
        assert truth.figures(lab, 'frontend2_proc34', 'FRONTEND', 'status') == [stopped] * count
        assert frontend.status == stopped
        assert hap.frontend('frontend1_proc34').status == 'OPEN'
        assert frontend.enable() is True
        assert frontend.status == 'OPEN'
        assert lab.traffic('frontend2_proc34', 4) == [200] * 4

    def test_what_all_refuse(self, lab, hap):
        """[verdicts]"""
        frontend = hap.frontend('frontend2_proc34')
        error = error_of(frontend.enable)
        assert type(error) is exceptions.CommandFailed
        assert 'already enabled' in str(error)
        assert [number for number, _ in error.results] == truth.numbers(lab, [3, 4])
        assert [path for path, _ in error.by_socket] == truth.paths(lab, [3, 4])
        assert frontend.enable(die=False) is False
        assert frontend.status == 'OPEN'

    @pytest.mark.only('nbproc4', 'instances')
    def test_what_some_refuse(self, lab, hap):
        """[verdicts]"""
        frontend = hap.frontend('frontend2_proc34')
        lab.raw('disable frontend frontend2_proc34', lab.socket_files[2])
        error = error_of(getattr, frontend, 'status')
        assert type(error) is exceptions.IncosistentData
        assert [value for _, value in error.results][1] == 'OPEN'
        assert [path for path, _ in error.by_socket] == lab.socket_files[2:]
        error = error_of(frontend.enable)
        assert type(error) is exceptions.MultipleCommandResults
        assert error.results[0] == (truth.numbers(lab, [3])[0], '')
        assert 'already enabled' in error.results[1][1]
        assert error.by_socket == list(zip(lab.socket_files[2:],
                                           [reply for _, reply in error.results]))
        # The process that did not refuse has enabled the frontend.
        assert frontend.status == 'OPEN'

    def test_shutdown(self, lab, hap):
        frontend = hap.frontend('haproxy-stats2')
        assert lab.traffic('haproxy-stats2', 1) == [200]
        assert frontend.shutdown() is True
        with pytest.raises(Exception):
            lab.traffic('haproxy-stats2', 1)
        if truth.version(lab) < (2, 6):
            for name in ('status', 'requests', 'maxconn', 'iid'):
                error = error_of(getattr, frontend, name)
                assert isinstance(error, KeyError)
                assert isinstance(error, exceptions.HAProxyBaseError)
                assert error.args == ('haproxy-stats2',)
                assert 'haproxy-stats2' in str(error) and lab.socket_files[1] in str(error)
            assert isinstance(error_of(frontend.metric, 'stot'), KeyError)
            assert 'haproxy-stats2' not in hap.frontends()
            assert type(error_of(hap.frontend, 'haproxy-stats2')) is ValueError
        else:
            assert frontend.status == 'STOP'
            assert 'haproxy-stats2' in hap.frontends()
        for method in (frontend.enable, frontend.disable, frontend.shutdown):
            error = error_of(method)
            assert type(error) is exceptions.CommandFailed
            assert 'shut down' in str(error)
            assert method(die=False) is False
