# SPDX-License-Identifier: Apache-2.0
"""tests/support/lab.py: throwaway HAProxies, with every available version."""

import os
import re
import signal
import socket
import subprocess
import sys
import tempfile

import pytest

from haproxyadmin.testing import launching
from tests.support import ROOT, lab

pytestmark = pytest.mark.dealt_out

PROXIES = {
    'haproxy': [1, 2, 3, 4],
    'haproxy-stats': [1],
    'haproxy-stats2': [2],
    'haproxy-stats3': [3],
    'haproxy-stats4': [4],
    'frontend_proc1': [1],
    'frontend_proc2': [2],
    'frontend1_proc34': [3, 4],
    'frontend2_proc34': [3, 4],
    'backend_proc1': [1],
    'backend_proc2': [2],
    'backend1_proc34': [3, 4],
    'backend2_proc34': [3, 4],
}
FRONTENDS = sorted(name for name in PROXIES if not name.startswith('backend'))
ONE_FRONTEND = """
global
    stats socket "${HAPROXYADMIN_RUN}/only.sock" level admin
defaults
    mode http
    timeout connect 1s
    timeout client 1s
    timeout server 1s
listen web
    bind "127.0.0.1:${HAPROXYADMIN_PORT_WEB}"
    server origin "127.0.0.1:${HAPROXYADMIN_PORT_ORIGIN1}"
"""
HAPROXIES = [branch for branch, _ in lab.available()]
NONE = pytest.param(None, id='none', marks=pytest.mark.skip(
    reason='no HAProxy on PATH or in HAPROXYADMIN_HAPROXY'))


@pytest.fixture(scope='module', params=HAPROXIES or [NONE])
def binary(request):
    return lab.find(request.param)


@pytest.fixture(scope='class')
def example(binary):
    with lab.Lab(binary) as started:
        yield started


def rows(started, number=None):
    """Return the rows of "show stat" of one process, or of all processes, as dicts."""
    files = started.socket_files
    if number:
        files = [files[number - 1]]
    return [row for path in files for row in rows_of(started.raw('show stat', path))]


def rows_of(reply):
    lines = [line.split(',') for line in reply.strip().splitlines()]
    return [dict(zip(lines[0], line)) for line in lines[1:]]


def figures(started, proxy, server, field):
    """Return a field of a proxy or server in each process that has it."""
    return [row[field] for row in rows(started)
            if (row['# pxname'], row['svname']) == (proxy, server)]


def total(started, proxy, server, field):
    return sum(int(figure) for figure in figures(started, proxy, server, field))


def info(started, name):
    """Return the value of a "show info" field in each process."""
    found = re.compile('^%s: (.*)$' % name, re.MULTILINE)
    return [found.search(started.raw('show info', path)).group(1)
            for path in started.socket_files]


def is_running(directory):
    """Return whether a process runs with a configuration in this directory."""
    return any(directory in lab.command_line(int(pid))
               for pid in os.listdir('/proc') if pid.isdigit())


def is_stopped(pid):
    with open('/proc/%d/stat' % pid) as stat:
        return ') T ' in stat.read()


class TestExample(object):

    def test_the_directory_of_sockets_holds_nothing_else(self, example):
        names = ['haproxy-%d.sock' % number for number in (1, 2, 3, 4)]
        assert sorted(os.listdir(example.socket_dir)) == names
        assert example.socket_files == [
            os.path.join(example.socket_dir, name) for name in names]
        assert max(map(len, example.socket_files)) < 100

    def test_each_socket_is_a_process_of_its_own(self, example):
        assert [int(pid) for pid in info(example, 'Pid')] == example.pids
        assert len(set(example.pids)) == 4

    def test_the_branch_is_that_of_the_processes(self, example):
        for version in info(example, 'Version'):
            assert version.startswith(example.version + '.')

    def test_general_figures(self, example):
        assert info(example, 'Maxconn') == ['10000'] * 4
        assert info(example, 'node') == ['test.foo.com'] * 4
        assert info(example, 'description') == ['Test server'] * 4

    def test_proxies_are_in_the_processes_that_their_names_say(self, example):
        found = {}
        for number in (1, 2, 3, 4):
            for name in set(row['# pxname'] for row in rows(example, number)):
                found.setdefault(name, []).append(number)
        assert found == PROXIES

    def test_haproxy_is_frontend_and_backend_and_has_no_servers(self, example):
        assert set(row['svname'] for row in rows(example)
                   if row['# pxname'] == 'haproxy') == {'FRONTEND', 'BACKEND'}

    def test_proxies_have_the_same_id_in_each_process(self, example):
        ids = {}
        for row in rows(example):
            ids.setdefault(row['# pxname'], set()).add(row['iid'])
        assert all(len(iids) == 1 for iids in ids.values())

    def test_every_frontend_takes_3000_connections(self, example):
        limits = [row['slim'] for row in rows(example) if row['svname'] == 'FRONTEND']
        assert set(limits) == {'3000'}

    def test_servers_are_up_from_the_start(self, example):
        servers = [row for row in rows(example) if row['type'] == '2']
        assert set(row['status'] for row in servers) == {'UP', 'no check'}
        unchecked = set(row['svname'] for row in servers if row['status'] != 'UP')
        assert unchecked == {'bck_all_srv1', 'member_bkall'} | set(
            'bck_proc2_srv%d_proc2' % number for number in (1, 2, 3, 4))

    @pytest.mark.parametrize('command, values', [
        ('show map #0', ['0 www.foo.com-0', '1 www.foo.com-1']),
        ('show acl #4', ['/static/css/', '/static/js/']),
        ('show acl #6', ['/static/css/']),
    ])
    def test_ids_of_maps_and_acls_are_those_of_the_user_guide(
            self, example, command, values):
        for path in example.socket_files:
            lines = example.raw(command, path).strip().splitlines()
            assert sorted(line.split(' ', 1)[1] for line in lines) == values

    def test_acls_and_maps_are_found_by_file(self, example):
        acl = example.raw('show acl ' + example.acl_file('bl_frontend'))
        assert '192.0.2.0/24' in acl
        assert 'www.foo.com-1' in example.raw('show map ' + example.map_file('v-m1-bk'))

    def test_a_frontend_fills_the_stick_table(self, example):
        example.traffic('frontend_proc1', 1)
        assert 'key=127.0.0.1' in example.raw('show table frontend_proc1')


class TestTraffic(object):

    def test_every_frontend_answers(self, example):
        assert sorted(example.ports) == FRONTENDS
        for frontend in FRONTENDS:
            assert example.traffic(frontend, 2) == [200, 200]

    def test_requests_are_counted(self, example):
        before = total(example, 'frontend2_proc34', 'FRONTEND', 'req_tot')
        assert example.traffic('frontend2_proc34', 40) == [200] * 40
        assert total(example, 'frontend2_proc34', 'FRONTEND', 'req_tot') == before + 40

    def test_both_processes_of_a_frontend_get_requests(self, example):
        example.traffic('frontend2_proc34', 60)
        shares = figures(example, 'frontend2_proc34', 'FRONTEND', 'req_tot')
        assert len(shares) == 2
        assert '0' not in shares

    def test_a_server_can_be_chosen(self, example):
        chosen = ('backend_proc2', 'bck_proc2_srv3_proc2', 'stot')
        before = total(example, *chosen)
        example.traffic('frontend_proc2', 10, server='bck_proc2_srv3_proc2')
        assert total(example, *chosen) == before + 10

    def test_a_status_can_be_chosen(self, example):
        assert example.traffic('frontend_proc1', 1, path='/status/404') == [404]
        assert total(example, 'backend_proc1', 'BACKEND', 'hrsp_4xx') == 1


class TestHold(object):

    def test_connections_stay_open_until_closed(self, example):
        server = ('backend1_proc34', 'bck_all_srv1', 'scur')
        held = example.hold('frontend1_proc34', 8, server='bck_all_srv1')
        assert total(example, *server) == 8
        assert total(example, 'frontend1_proc34', 'FRONTEND', 'scur') == 8
        held.close()
        lab.wait_until(lambda: total(example, *server) == 0, 'closed')

    def test_sessions_can_be_shut_down(self, example):
        server = ('backend1_proc34', 'bck_all_srv1', 'scur')
        with example.hold('frontend1_proc34', 3, server='bck_all_srv1'):
            for path in example.socket_files[2:]:
                example.raw('shutdown sessions server backend1_proc34/bck_all_srv1', path)
            lab.wait_until(lambda: total(example, *server) == 0, 'shut down')


class TestOrigins(object):

    @pytest.mark.parametrize('action, reason', [('refuse', 'L4CON'), ('stall', 'L4TOUT')])
    def test_a_server_goes_down_and_comes_back(self, example, action, reason):
        server = ('backend1_proc34', 'bck_all_srv1')

        def has(field, value):
            # A leading "* " means that the next check is under way.
            return lambda: [figure.replace('* ', '') for figure in figures(
                example, *(server + (field,)))] == [value] * 2

        getattr(example.origins, action)(4)
        lab.wait_until(has('status', 'DOWN'), 'down')
        lab.wait_until(has('check_status', reason), reason)
        assert figures(example, 'backend2_proc34', 'bck_all_srv1', 'status') == [
            'no check'] * 2
        example.origins.serve(4)
        lab.wait_until(has('status', 'UP'), 'up')
        assert example.traffic('frontend1_proc34', 1, server='bck_all_srv1') == [200]


class TestVariants(object):

    def test_single_has_all_proxies_in_one_process(self, binary):
        with lab.Lab(binary, single=True) as started:
            assert len(started.socket_files) == len(started.pids) == 1
            assert set(row['# pxname'] for row in rows(started)) == set(PROXIES)
            assert started.traffic('frontend2_proc34', 3) == [200] * 3

    def test_processes_are_instances_where_nbproc_is_gone(self, binary):
        if lab.branch(binary) == '2.2':
            with pytest.raises(ValueError):
                lab.Lab(binary, processes=2)
        else:
            with lab.Lab(binary, processes=2) as started:
                assert len(started.socket_files) == 2

    def test_level(self, binary):
        with lab.Lab(binary, single=True, level='operator') as started:
            assert 'Permission denied' in started.raw('disable frontend frontend_proc1')

    def test_extra_text_is_appended(self, binary):
        with lab.Lab(binary, extra='backend more\n') as started:
            assert figures(started, 'more', 'BACKEND', 'status')

    def test_a_configuration_of_ones_own(self, binary):
        with lab.Lab(binary, config=ONE_FRONTEND) as started:
            assert started.socket_files == [os.path.join(started.socket_dir, 'only.sock')]
            assert list(started.ports) == ['web']
            assert started.traffic('web', 5) == [200] * 5

    def test_several_instances_of_a_configuration(self, binary):
        config = ONE_FRONTEND.replace('only.sock', 'haproxy-${HAPROXYADMIN_PROCESS}.sock')
        with lab.Lab(binary, config=config, instances=2) as started:
            assert started.socket_files == [
                os.path.join(started.socket_dir, 'haproxy-%d.sock' % number)
                for number in (1, 2)]
            assert len(set(started.pids)) == 2
            assert started.traffic('web', 5) == [200] * 5

    def test_raw_takes_and_returns_any_text(self, binary):
        with lab.Lab(binary, single=True) as started:
            started.raw(u'add map #0 k \u017elu\u0165'.encode('utf-8'))
            assert u'\u017elu\u0165'.encode('utf-8') in lab.as_bytes(
                started.raw('show map #0'))


class TestReload(object):

    def test_new_workers_serve_the_same_sockets(self, binary):
        with lab.Lab(binary, master_worker=True) as started:
            before = started.pids
            files = started.socket_files
            started.reload()
            assert not set(before) & set(started.pids)
            assert started.socket_files == files
            assert [int(pid) for pid in info(started, 'Pid')] == started.pids
            for master_file in started.master_files:
                assert 'worker' in started.raw('show proc', master_file)

    def test_a_former_worker_is_ended_by_stop(self, binary):
        started = lab.Lab(binary, master_worker=True)
        with started.hold('frontend_proc1', 1):
            former = started.pids[0]
            started.reload()
            assert is_running(started.directory) and lab.command_line(former)
            started.stop()
        assert not lab.command_line(former)

    def test_needs_a_master(self, binary):
        with lab.Lab(binary, single=True) as started:
            with pytest.raises(lab.LabError):
                started.reload()


class TestEnd(object):

    def test_stop_leaves_no_process_and_no_directory(self, binary):
        started = lab.Lab(binary)
        assert is_running(started.directory)
        started.stop()
        assert not is_running(started.directory)
        assert not os.path.exists(started.directory)
        started.stop()

    def test_stop_gives_the_ports_back(self, binary):
        def takes(port):
            again = socket.socket()
            again.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                again.bind(('127.0.0.1', port))
            except socket.error:
                return False
            finally:
                again.close()
            return True

        def gives_back():
            started = lab.Lab(binary, single=True)
            started.stop()
            return all(map(takes, list(started.ports.values()) + started.origins.ports))
        # Another program may take a port in the meantime.
        assert any(gives_back() for _ in range(5))

    @pytest.mark.parametrize('master_worker', [False, True])
    def test_a_killed_process_leaves_the_others_and_is_no_trouble(
            self, binary, master_worker):
        with lab.Lab(binary, master_worker=master_worker) as started:
            started.kill_process(2)
            with pytest.raises(socket.error):
                started.raw('show info', started.socket_files[1])
            for number in (0, 2, 3):
                assert 'Pid: ' in started.raw('show info', started.socket_files[number])

    @pytest.mark.parametrize('master_worker', [False, True])
    def test_a_crash_is_reported(self, binary, master_worker):
        started = lab.Lab(binary, master_worker=master_worker)
        os.kill(started.pids[0], signal.SIGSEGV)
        lab.wait_until(lambda: not lab.command_line(started.pids[0]), 'crash')
        with pytest.raises(lab.LabError) as caught:
            started.stop()
        assert 'HAProxy' in str(caught.value)
        assert not is_running(started.directory)

    def test_what_does_not_end_is_killed_and_reported(self, binary, monkeypatch):
        monkeypatch.setattr(launching, 'STOP_SECONDS', 0.2)
        started = lab.Lab(binary, single=True)
        os.kill(started.pids[0], signal.SIGSTOP)
        lab.wait_until(lambda: is_stopped(started.pids[0]), 'stopped')
        with pytest.raises(lab.LabError) as caught:
            started.stop()
        assert 'did not end' in str(caught.value)
        assert not is_running(started.directory)

    def test_a_wrong_configuration_is_told_in_the_words_of_haproxy(
            self, binary, monkeypatch):
        temporary = tempfile.mkdtemp()
        monkeypatch.setattr(tempfile, 'tempdir', temporary)
        with pytest.raises(lab.LabError) as caught:
            lab.Lab(binary, extra='backend more\n    nonsense here\n')
        assert 'nonsense' in str(caught.value)
        # Fails if anything is left.
        os.rmdir(temporary)

    def test_a_path_too_long_for_a_socket_is_told(self, binary):
        with pytest.raises(lab.LabError) as caught:
            lab.Lab(binary, config=ONE_FRONTEND.replace('only', 'x' * 80))
        assert 'too long' in str(caught.value)

    def test_a_long_temporary_directory_is_not_used(self, binary, tmpdir, monkeypatch):
        monkeypatch.setattr(tempfile, 'tempdir', str(tmpdir.mkdir('x' * 80)))
        with lab.Lab(binary, config=ONE_FRONTEND) as started:
            assert started.directory.startswith('/tmp/haproxyadmin-')

    def test_the_end_of_the_program_ends_them(self, binary):
        program = 'from tests.support import lab; print(lab.Lab(%r).directory)' % binary
        output = subprocess.check_output(
            [sys.executable, '-c', program],
            env=dict(os.environ, PYTHONPATH=ROOT))
        directory = output.decode('utf-8').strip()
        assert directory
        assert not is_running(directory)
        assert not os.path.exists(directory)


def configured(name):
    """Return the proxies of a configuration file, with the server lines of each."""
    found = {}
    with open(os.path.join(ROOT, 'tests', 'support', name)) as config:
        for line in config:
            words = line.split()
            if words and words[0] in ('frontend', 'backend', 'listen'):
                proxy = found.setdefault(words[1], [])
            elif words and words[0] == 'server':
                proxy.append(line)
    return found


def test_both_configurations_have_the_same_proxies_and_servers():
    assert configured('haproxy.cfg') == configured('haproxy-instances.cfg')
    assert sorted(configured('haproxy.cfg')) == sorted(PROXIES)
