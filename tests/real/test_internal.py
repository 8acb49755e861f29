# SPDX-License-Identifier: Apache-2.0
"""The view of one process, on real HAProxies: values compared with what its socket reports."""
import pytest

from haproxyadmin import (BACKEND_METRICS, FRONTEND_METRICS, HAPROXY_METRICS, SERVER_METRICS,
                          exceptions, utils)
from haproxyadmin.internal import _Backend, _Frontend, _HAProxyProcess, _Server
from haproxyadmin.parsers import stats
from haproxyadmin.parsers.info import info2dict
from tests.support import truth
from tests.support.checks import MOVING, error_of, is_number, rows_of

pytestmark = pytest.mark.dealt_out


@pytest.fixture
def path(lab):
    """The socket of process 3, or of the only process."""
    return truth.paths(lab, [3])[0]


@pytest.fixture
def process(path):
    return _HAProxyProcess(path, retry=None, timeout=10)


@pytest.fixture
def backend(process):
    return process.backends('backend1_proc34')[0]


@pytest.fixture
def members(process, backend):
    return [(process.frontends('frontend1_proc34')[0], 'frontend1_proc34', 'FRONTEND',
             FRONTEND_METRICS),
            (backend, 'backend1_proc34', 'BACKEND', BACKEND_METRICS),
            (backend.servers('bck_all_srv1')[0], 'backend1_proc34', 'bck_all_srv1',
             SERVER_METRICS)]


@pytest.fixture(scope='class')
def traffic(lab):
    lab.traffic('frontend1_proc34', 20, server='bck_all_srv1')


def names(rows, kind):
    return [row['pxname'] for row in rows if row['svname'] == kind]


@pytest.mark.usefixtures('traffic')
class TestOneProcess(object):

    def test_nothing_is_sent_before_it_is_needed(self, sent):
        process = _HAProxyProcess('/nonexistent')
        assert process.socket_file == '/nonexistent'
        assert sent.commands == []

    def test_process_number(self, lab, process, sent):
        assert process.process_nb == truth.numbers(lab, [3])[0]
        assert is_number(process.process_nb)
        # It is queried only once.
        assert process.process_nb and sent.commands == ['show info']

    def test_info(self, lab, path, process):
        info, shown = process.proc_info(), truth.info(lab, path)
        assert set(info) == set(shown)
        for name in ('Name', 'Version', 'Pid', 'Process_num', 'Maxconn', 'node', 'description'):
            assert info[name] == shown[name]

    def test_metrics(self, lab, path, process):
        assert all(is_number(process.metric(name)) for name in HAPROXY_METRICS)
        assert process.metric('Maxconn') == 10000
        assert process.metric('Nbthread') == 1
        assert type(error_of(process.metric, 'Pid')) is ValueError

    def test_command(self, lab, path, process):
        first = process.command('show info')
        assert first == lab.raw('show info', path).split('\n')[0]
        lines = process.command('show info', full_output=True)
        assert lines[0] == first and len(lines) > 30
        assert process.command('show info', True)[0] == first
        assert process.command('clear counters') == ''
        assert process.command('clear counters', full_output=True) == ['']
        assert process.command('nonsense').startswith('Unknown command')

    def test_statistics(self, lab, path, process):
        rows = truth.rows(lab, path)
        found = process.stats()
        assert sorted(found) == ['backends', 'frontends']
        assert sorted(found['frontends']) == sorted(names(rows, 'FRONTEND'))
        assert sorted(found['backends']) == sorted(names(rows, 'BACKEND'))
        for name, backend in found['backends'].items():
            assert sorted(backend) == ['servers', 'stats']
            assert sorted(backend['servers']) == sorted(truth.SERVERS[name])
            assert backend['stats'].pxname == name
            for server, row in backend['servers'].items():
                assert isinstance(row, stats.CSVLine)
                assert (row.pxname, row.svname) == (name, server)
        row = found['frontends']['frontend1_proc34']
        assert row.req_tot == truth.row(lab, path, 'frontend1_proc34', 'FRONTEND')['req_tot']
        assert type(error_of(getattr, row, 'nope')) is not AttributeError
        assert isinstance(error_of(getattr, row, 'nope'), ValueError)

    def test_statistics_of_some(self, lab, path, process):
        rows = truth.rows(lab, path)
        iid = int(truth.row(lab, path, 'backend1_proc34', 'BACKEND')['iid'])
        found = process.stats(iid=iid)
        assert list(found['backends']) == ['backend1_proc34'] and not found['frontends']
        found = process.stats(iid=iid, obj_type=4, sid=3)
        assert list(found['backends']['backend1_proc34']['servers']) == ['bck_all_srv1']
        assert found['backends']['backend1_proc34']['stats'] is None
        found = process.stats(-1, 1)
        assert sorted(found['frontends']) == sorted(names(rows, 'FRONTEND'))
        assert found['backends'] == {}
        found = process.stats(obj_type=2)
        assert sorted(found['backends']) == sorted(names(rows, 'BACKEND'))
        assert found['frontends'] == {}
        assert process.stats(iid=999) == {'frontends': {}, 'backends': {}}

    def test_statistics_of_frontends_and_backends(self, lab, path, process):
        rows = truth.rows(lab, path)
        assert sorted(process.frontends_stats()) == sorted(names(rows, 'FRONTEND'))
        assert sorted(process.backends_stats()) == sorted(names(rows, 'BACKEND'))
        iid = int(truth.row(lab, path, 'frontend1_proc34', 'FRONTEND')['iid'])
        assert list(process.frontends_stats(iid=iid)) == ['frontend1_proc34']
        assert list(process.frontends_stats(str(iid))) == ['frontend1_proc34']
        iid = int(truth.row(lab, path, 'backend1_proc34', 'BACKEND')['iid'])
        found = process.backends_stats(iid)
        assert list(found) == ['backend1_proc34']
        assert sorted(found['backend1_proc34']['servers']) == truth.SERVERS['backend1_proc34']

    def test_lists(self, lab, path, process):
        rows = truth.rows(lab, path)
        frontends, backends = process.frontends(), process.backends()
        assert [frontend.name for frontend in frontends] == names(rows, 'FRONTEND')
        assert [backend.name for backend in backends] == names(rows, 'BACKEND')
        assert all(isinstance(frontend, _Frontend) for frontend in frontends)
        assert all(isinstance(backend, _Backend) for backend in backends)
        assert [found.name for found in process.frontends('frontend1_proc34')] == [
            'frontend1_proc34']
        assert [found.name for found in process.backends(name='backend1_proc34')] == [
            'backend1_proc34']
        assert process.frontends('nope') == process.backends('nope') == []

    def test_names_and_ids(self, lab, path, members):
        for member, proxy, name, _ in members:
            row = truth.row(lab, path, proxy, name)
            assert member.name == (proxy if name.isupper() else name)
            ident = member.sid if isinstance(member, _Server) else member.iid
            assert ident == int(row['sid' if isinstance(member, _Server) else 'iid'])
            assert is_number(ident)
            assert member.process_nb == truth.numbers(lab, [3])[0]
            assert member.name in repr(member)

    def test_every_metric(self, lab, path, members):
        for member, proxy, name, metrics in members:
            row = truth.row(lab, path, proxy, name)
            for metric in metrics:
                value = member.metric(metric)
                assert is_number(value)
                if metric not in MOVING:
                    assert value == int(row.get(metric) or 0), metric
            assert member.metric('stot') == int(row['stot'])
            assert type(error_of(member.metric, 'nope')) is ValueError

    def test_statistics_of_members(self, lab, path, members):
        for member, proxy, name, _ in members:
            row = truth.row(lab, path, proxy, name)
            found = member.stats()
            assert set(row) <= set(found)
            assert all(found[field] == row[field] for field in row
                       if field not in MOVING and field != '-')
            line = member.stats_data()
            assert isinstance(line, stats.CSVLine)
            assert (line.pxname, line.svname) == (proxy, name)
            assert line.stot == row['stot']

    def test_command_of_members(self, lab, path, members):
        for member, _, _, _ in members:
            assert member.command('show info') == lab.raw('show info', path).split('\n')[0]

    def test_servers(self, backend):
        assert [server.name for server in backend.servers()] == truth.SERVERS['backend1_proc34']
        assert [server.name for server in backend.servers(name='bck_all_srv1')] == [
            'bck_all_srv1']
        assert backend.servers('nope') == []
        assert all(isinstance(server, _Server) for server in backend.servers())

    def test_documented_constructors(self, lab, path, process):
        iid = int(truth.row(lab, path, 'backend1_proc34', 'BACKEND')['iid'])
        for ident in (iid, str(iid)):
            backend = _Backend(process, 'backend1_proc34', ident)
            assert backend.iid == iid
            for sid in (3, '3'):
                server = _Server(backend, 'bck_all_srv1', sid)
                assert server.sid == 3
                assert server.stats_data().svname == 'bck_all_srv1'
        iid = int(truth.row(lab, path, 'frontend1_proc34', 'FRONTEND')['iid'])
        assert _Frontend(process, 'frontend1_proc34', iid).iid == iid

    def test_wrong_ids_are_learned_anew(self, lab, path, process, sent):
        """[stale ids]"""
        for wrong in (1, '2', 9999, None, 'x', -1):
            frontend = _Frontend(process, 'frontend1_proc34', wrong)
            backend = _Backend(process, 'backend1_proc34', wrong)
            server = _Server(backend, 'bck_all_srv1', wrong)
            assert frontend.stats_data().pxname == 'frontend1_proc34'
            assert backend.stats_data().pxname == 'backend1_proc34'
            assert server.stats_data().svname == 'bck_all_srv1'
            sent.clear()
            for member in (frontend, backend, server):
                member.stats_data()
            assert len(sent.commands) == 3

    def test_what_is_gone(self, process, path):
        """[stale ids]"""
        backend = _Backend(process, 'backend1_proc34', 11)
        for member, name in [(_Frontend(process, 'nope', 1), 'nope'),
                             (_Frontend(process, 'backend1_proc34', 11), 'backend1_proc34'),
                             (_Backend(process, 'frontend1_proc34', 9), 'frontend1_proc34'),
                             (_Server(backend, 'nope', 1), 'nope'),
                             (_Server(_Backend(process, 'nope', 1), 'bck_all_srv1', 1),
                              'bck_all_srv1')]:
            for call in (member.stats_data, member.stats, lambda: member.metric('stot')):
                error = error_of(call)
                assert isinstance(error, KeyError)
                assert isinstance(error, exceptions.HAProxyBaseError)
                assert error.args == (name,)
                assert path in str(error)


@pytest.mark.lab(config=truth.config())
@pytest.mark.one_layout
class TestUtilsOnRealReplies(object):

    def test_stat2dict(self, lab):
        found = stats.stat2dict(lab.raw('show stat').split('\n'))
        assert sorted(found['frontends']) == ['web']
        assert sorted(found['backends']) == ['app']
        assert sorted(found['backends']['app']['servers']) == ['one', 'two']
        assert found['backends']['app']['servers']['one'].status == 'no check'
        row = rows_of(lab, 'app', 'two')[0]
        line = found['backends']['app']['servers']['two']
        assert all(getattr(line, field) == row[field] for field in row if field.isalnum())

    def test_info2dict(self, lab):
        found = info2dict(lab.raw('show info').split('\n'))
        shown = truth.info(lab)
        assert set(found) == set(shown)
        assert found['Version'] == shown['Version']

    def test_check_output(self, lab):
        assert utils.check_output(lab.raw('show map').split('\n')) is True
        for command in ('show map #0', 'show acl nope', 'enable frontend nope', 'nonsense',
                        'set weight a/b 1', 'show stat nope nope'):
            reply = lab.raw(command).strip('\n').split('\n')
            assert utils.check_output(reply) is (command == 'show stat nope nope'), reply
