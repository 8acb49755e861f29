# SPDX-License-Identifier: Apache-2.0
"""Read, save and restore the state of servers, on real HAProxies that are reloaded."""
import json
import os
import threading

import pytest

from haproxyadmin import exceptions, haproxy, servers_state as public
from haproxyadmin.haproxy import HAProxy
from haproxyadmin.internal import servers_state
from haproxyadmin.parsers.servers_state import ENABLED
from tests import conftest
from tests.support import group, lab as labs

pytestmark = pytest.mark.dealt_out

VERSIONS = conftest.versions()
# Former workers of 2.6.12 sometimes crash when they end.
CRASHING = ('2.6',)
# It may crash when the limit of a server is raised.
OLD = '2.2'
HAS_DYNAMIC = [version for version in VERSIONS if version >= '2.6']

# Nobody listens on 127.0.0.2; s2 may be moved anywhere.
CONFIG = """
global
    stats socket "${HAPROXYADMIN_RUN}/stats.sock" level admin
    hard-stop-after 60s
%(file)s
defaults
    mode http
    %(load)s
    # Otherwise HAProxy waits a second before it tries a server again.
    retries 0
    timeout connect 1s
    timeout client 60s
    timeout server 60s
    timeout check 500ms
    default-server inter 500ms downinter 100ms rise 1 fall 1

frontend f
    bind "127.0.0.1:${HAPROXYADMIN_PORT_F}"
    default_backend b

backend b
    balance roundrobin
    server s1 "127.0.0.2:${HAPROXYADMIN_PORT_ORIGIN1}" weight 100
    server s2 "127.0.0.1:${HAPROXYADMIN_PORT_ORIGIN1}" weight 100 maxconn 50 check
    server s3 "127.0.0.1:${HAPROXYADMIN_PORT_ORIGIN2}" weight 100 backup

backend static
    balance static-rr
    server x1 "127.0.0.1:${HAPROXYADMIN_PORT_ORIGIN1}" weight 10

backend empty
    balance roundrobin
"""
STATE_FILE = '    server-state-file "${HAPROXYADMIN_RUN}/../servers.state"'


class Site(labs.Stopped):
    """A HAProxy with a master, the file, and the library's object."""

    def __init__(self, version, by_haproxy=False):
        self.config = CONFIG % {
            'file': STATE_FILE if by_haproxy else '',
            'load': 'load-server-state-from-file global\n    default-server init-addr '
                    'last,libc,none' if by_haproxy else ''}
        self.lab = conftest.start(version, config=self.config, master_worker=True)
        self.path = os.path.join(self.lab.directory, 'servers.state')
        self.hap = HAProxy(socket_dir=self.lab.socket_dir, retry=5, retry_interval=0.2,
                           timeout=conftest.PATIENT)

    def server(self, name, backend='b'):
        return self.hap.backend(backend).server(name)

    def state(self, name, backend='b'):
        """Return what HAProxy itself reports."""
        lines = self.lab.raw('show servers state ' + backend).split('\n')
        names = lines[1][2:].split()
        return next(row for row in (dict(zip(names, line.split())) for line in lines[2:])
                    if row.get('srv_name') == name)

    def place(self, name, backend='b'):
        state = self.state(name, backend)
        return state['srv_addr'], int(state['srv_port'])

    def save(self, **options):
        assert self.hap.save_servers_state(self.path, **options) is True

    def restore(self, **options):
        return self.hap.restore_servers_state(self.path, **options)

    def move(self, name, address, port):
        """Set an address, and wait until HAProxy shows it."""
        self.server(name).setaddress(address, port)
        labs.wait_until(lambda: self.place(name) == (address, port), 'the address is shown')

    def move_away(self, name):
        """Set another address and port; return both as one text."""
        self.move(name, '127.0.0.1', self.ports[1])
        return '127.0.0.1:{0}'.format(self.ports[1])

    @property
    def ports(self):
        return self.lab.origins.ports

    def stop(self):
        if self.lab.version in CRASHING:
            self.lab.excuse_workers()
        self.lab.stop()


@pytest.fixture(params=VERSIONS)
def site(request):
    with Site(request.param) as started:
        yield started


@pytest.fixture(params=VERSIONS)
def by_haproxy(request):
    """A site where HAProxy itself loads the file."""
    with Site(request.param, by_haproxy=True) as started:
        yield started


def change(site):
    """Change everything that is saved, as an administrator would."""
    site.move('s1', '127.0.0.1', site.ports[1])
    site.server('s1').setweight(7)
    site.server('s2').setstate(haproxy.STATE_MAINT)
    site.server('s2').setmaxconn(11)
    site.server('s3').setstate(haproxy.STATE_DRAIN)
    site.server('x1', 'static').setstate(haproxy.STATE_DRAIN)


def summary(site):
    """Return everything that is saved, as HAProxy reports it."""
    found = {}
    for names in (('b', 's1'), ('b', 's2'), ('b', 's3'), ('static', 'x1')):
        state = site.state(names[1], names[0])
        found['/'.join(names)] = [state[name] for name in (
            'srv_addr', 'srv_port', 'srv_uweight', 'srv_admin_state')] + [
                state.get('srv_check_port'), site.hap.backend(names[0]).server(
                    names[1]).metric('slim')]
    return found


class TestSaving(object):

    def test_the_state_is_haproxys_own(self, site):
        states = site.hap.servers_state()
        lines = [line for line in site.lab.raw('show servers state').split('\n') if line]
        names = lines[1][2:].split()
        assert [[state[name] for name in names if name != 'srv_time_since_last_change']
                for state in states] == [
            [field for name, field in zip(names, line.split())
             if name != 'srv_time_since_last_change'] for line in lines[2:]]
        assert set(state['socket_file'] for state in states) == set(site.lab.socket_files)
        assert [state['srv_name'] for state in site.hap.servers_state('b')] == ['s1', 's2', 's3']
        assert site.hap.servers_state('empty') == []
        for backend in ('f', 'none'):
            with pytest.raises(exceptions.CommandFailed) as caught:
                site.hap.servers_state(backend)
            assert str(caught.value) == "Can't find backend."

    def test_the_file_is_what_haproxy_prints(self, site):
        site.save()
        with open(site.path) as saved:
            lines = saved.read().split('\n')
        printed = site.lab.raw('show servers state').split('\n')
        assert lines[:2] == printed[:2]
        assert [without_time(line) for line in lines[2:6]] == [
            without_time(line) for line in printed[2:6]]
        # Before 2.5, HAProxy's own proxy MASTER follows.
        assert lines[6:] == ['']
        assert [name for name in os.listdir(site.lab.directory) if 'servers.state' in name
                and name not in ('servers.state', 'servers.state.json')] == []

    def test_some_servers(self, site):
        site.save(servers=['b/s2', site.server('x1', 'static')])
        with open(site.path) as saved:
            assert [line.split()[3] for line in saved.read().split('\n')[2:-1]] == ['s2', 'x1']
        with open(site.path + '.json') as extras:
            assert json.load(extras)['servers'] == {
                'b/s2': {'maxconn': 50}, 'static/x1': {'maxconn': 0}}
        with pytest.raises(ValueError) as caught:
            site.save(servers=['b/s22'])
        assert "no server 'b/s22'; did you mean" in str(caught.value)


def checks(site):
    """Return the bits of the health checks of one server, and the agent checks of another one."""
    return [int(site.state('s2')['srv_check_state']), int(site.state('s3')['srv_agent_state'])]


def without_time(line):
    """Return a row without how long ago the server changed."""
    fields = line.split()
    return fields[:9] + fields[10:]


class TestRestoring(object):

    def test_after_a_reload_everything_is_as_it_was(self, site):
        configured = summary(site)
        change(site)
        changed = summary(site)
        assert changed != configured
        site.save()
        site.lab.reload()
        assert summary(site) == configured
        assert site.restore() == []
        assert summary(site) == changed
        assert site.server('s1').status in ('no check', 'UP')
        assert site.lab.traffic('f', 10) == [200] * 10

    def test_what_is_the_same_costs_one_read(self, site, sent):
        change(site)
        site.save()
        sent.clear()
        assert site.restore() == []
        assert sent.commands == ['show info;show servers state;show stat -1 6 -1']

    def test_it_is_restored_within_one_process_as_well(self, site, sent):
        """[state over reloads] A limit is not raised where that may crash HAProxy."""
        before = summary(site)
        site.save()
        change(site)
        sent.clear()
        failures = site.restore()
        if site.lab.version == OLD:
            assert [failure[:3] for failure in failures] == [('b/s2', 'maxconn', 50)]
            assert 'would crash' in failures[0].reason
            assert not any('maxconn' in command for command in sent.commands)
            before['b/s2'][-1] = 11
        else:
            assert failures == []
        assert summary(site) == before

    def test_no_server_gets_traffic_at_a_wrong_address(self, site, monkeypatch):
        """[state over reloads] It is looked at after each command, and all the time."""
        right = site.move_away('s1')
        site.save()
        site.lab.reload()
        with Observer(site.lab, monkeypatch) as observer:
            assert site.restore() == []
        observer.check('127.0.0.2:{0}'.format(site.ports[0]), right)

    def test_an_address_that_cannot_be_set_keeps_the_server_out(self, site):
        site.save()
        rewrite(site.path, lambda line: line.replace(' s1 127.0.0.2 ', ' s1 nonsense '))
        failure, = site.restore()
        assert failure[:3] == ('b/s1', 'address', 'nonsense:{0}'.format(site.ports[0]))
        assert 'nvalid addr' in failure.reason and 'stays in maintenance' in failure.reason
        assert failure.socket_file == site.lab.socket_files[0]
        assert site.server('s1').status == 'MAINT'

    def test_what_is_gone_is_reported(self, site):
        site.save()
        rewrite(site.path, lambda line: line.replace(' s1 ', ' s9 ').replace(' static ', ' old '))
        failures = sorted(site.restore())
        assert [failure[:2] for failure in failures] == [('b/s9', 'server'), ('old/x1', 'server')]
        assert failures[0].socket_file == site.lab.socket_files[0]
        assert failures[1].socket_file is None and 'old' in failures[1].reason

    def test_a_weight_that_a_static_algorithm_refuses(self, site):
        site.save()
        rewrite(site.path, lambda line: line.replace(' 10 10 ', ' 5 10 '))
        failure, = site.restore()
        assert failure[:3] == ('static/x1', 'weight', 5)
        assert 'static' in failure.reason
        rewrite(site.path, lambda line: line.replace(' 5 10 ', ' 0 10 '))
        assert site.restore() == []
        assert site.state('x1', 'static')['srv_uweight'] == '0'
        rewrite(site.path, lambda line: line.replace(' 0 10 ', ' 10 10 '))
        assert site.restore() == []
        assert site.state('x1', 'static')['srv_uweight'] == '10'

    def test_a_weight_that_was_configured_then_does_not_undo_the_configuration(self, site):
        site.save()
        site.lab.configure(site.config.replace('weight 100 maxconn', 'weight 30 maxconn'))
        site.lab.reload()
        assert site.restore() == []
        assert site.server('s2').weight == 30
        site.server('s2').setweight(20)
        site.save()
        site.lab.reload()
        assert site.restore() == []
        assert site.server('s2').weight == 20

    def test_where_checks_go(self, site):
        if site.lab.version < '2.4':
            pytest.skip('needs 2.4')
        site.server('s2').setcheckaddr('127.0.0.1', site.ports[1])
        site.server('s2').setstate(haproxy.STATE_DRAIN)
        site.save()
        site.lab.reload()
        assert site.restore() == []
        state = site.state('s2')
        assert (state['srv_check_addr'], state['srv_check_port']) == (
            '127.0.0.1', str(site.ports[1]))
        site.lab.reload()
        site.save()
        site.server('s2').setcheckaddr('127.0.0.1', site.ports[1])
        failure, = site.restore()
        assert failure[:4] == ('b/s2', 'check_address', '', 'HAProxy cannot unset it')
        assert site.state('s2')['srv_check_port'] == '0'

    def test_checks_that_are_disabled(self, site):
        """[state over reloads] Also where they go, which HAProxy only sets while they are enabled."""
        # Nobody answers as an agent.
        site.lab.configure(site.config.replace('backup', 'backup agent-check agent-port 1'))
        site.lab.reload()
        before = checks(site)
        assert all(value & ENABLED for value in before)
        if site.lab.version >= '2.4':
            site.server('s2').setcheckaddr('127.0.0.1', site.ports[1])
        site.server('s2').disable_health()
        site.server('s3').disable_agent()
        disabled = checks(site)
        site.save()
        site.lab.reload()
        assert site.restore() == []
        assert not any(value & ENABLED for value in checks(site))
        assert site.restore() == [] and checks(site) == disabled
        if site.lab.version >= '2.4':
            assert site.state('s2')['srv_check_port'] == str(site.ports[1])
        # And the other way round.
        site.lab.reload()
        site.save()
        site.server('s2').disable_health()
        site.server('s3').disable_agent()
        assert site.restore() == []
        assert all(value & ENABLED for value in checks(site))

    def test_a_master_leads_to_the_new_worker(self, site):
        change(site)
        changed = summary(site)
        through = HAProxy(master=site.lab.master_files, retry=5, retry_interval=0.2,
                          timeout=conftest.PATIENT)
        through.save_servers_state(site.path)
        site.lab.reload()
        assert through.restore_servers_state(site.path) == []
        assert summary(site) == changed

    def test_a_reload_in_the_middle(self, site, monkeypatch):
        """[masters] The new process is restored, too."""
        change(site)
        changed = summary(site)
        site.save()
        site.lab.reload()
        wait_for_addresses, times = public.wait_for_addresses, []

        def reloaded(restorations, wait):
            times.append(1)
            if len(times) == 1:
                site.lab.reload()
            wait_for_addresses(restorations, wait)
        monkeypatch.setattr(public, 'wait_for_addresses', reloaded)
        assert site.restore(timeout=0.5) == []
        assert summary(site) == changed
        assert len(times) == 2


class TestHAProxysOwnWay(object):

    def test_it_mixes_the_port_of_the_file_with_the_address_of_the_configuration(
            self, by_haproxy, monkeypatch):
        """Nobody has ever configured or set this address."""
        site = by_haproxy
        right = site.move_away('s1')
        site.server('s1').setweight(7)
        site.server('s2').setstate(haproxy.STATE_MAINT)
        assert site.lab.traffic('f', 4) == [200] * 4
        site.save()
        site.lab.reload()
        assert site.place('s1') == ('127.0.0.2', site.ports[1])
        # HAProxy has restored the rest, from the library's file.
        assert site.server('s1').weight == 7
        assert site.server('s2').status == 'MAINT'
        # Each request is tried several times, for seconds.
        assert site.lab.traffic('f', 1) == [503]
        with Observer(site.lab, monkeypatch) as observer:
            assert site.restore() == []
        observer.check('127.0.0.2:{0}'.format(site.ports[1]), right)
        assert site.place('s1') == ('127.0.0.1', site.ports[1])
        assert site.lab.traffic('f', 4) == [200] * 4


class Observer(object):
    """Reads the address and status of server s1, all the time and after each command."""

    def __init__(self, started, monkeypatch):
        self.shown = []
        self._lab = started
        self._lock = threading.Lock()
        self._ends = threading.Event()
        self._thread = threading.Thread(target=self._run)
        run_all = servers_state.run_all

        def watched(operations, **options):
            outcomes = run_all(operations, **options)
            self._look()
            return outcomes
        monkeypatch.setattr(servers_state, 'run_all', watched)

    def __enter__(self):
        self._look()
        self._thread.start()
        return self

    def __exit__(self, *error):
        self._ends.set()
        self._thread.join()
        self._look()

    def _run(self):
        while not self._ends.is_set():
            self._look()

    def _look(self):
        with self._lock:
            lines = self._lab.raw('show stat -1 4 -1').split('\n')
            names = lines[0][2:].split(',')
            row = next(line for line in lines if line.startswith('b,s1,')).split(',')
            self.shown.append((row[names.index('addr')], row[names.index('status')]))

    def check(self, wrong, right):
        """Check that it went from one address to another by way of maintenance."""
        assert self.shown[0] == (wrong, 'no check') and self.shown[-1] == (right, 'no check')
        assert set(self.shown) == set([(wrong, 'no check'), (wrong, 'MAINT'), (right, 'MAINT'),
                                       (right, 'no check')])
        order = [one for place, one in enumerate(self.shown) if one != self.shown[place - 1]]
        assert order == [(wrong, 'no check'), (wrong, 'MAINT'), (right, 'MAINT'),
                         (right, 'no check')]


def rewrite(path, change_line):
    with open(path) as saved:
        lines = saved.read().split('\n')
    with open(path, 'w') as saved:
        saved.write('\n'.join(map(change_line, lines)))


@pytest.mark.parametrize('version', HAS_DYNAMIC)
class TestDynamicServers(object):

    def test_they_are_added_again(self, version):
        with Site(version) as site:
            backend = site.hap.backend('b')
            address = '127.0.0.1:{0}'.format(site.ports[1])
            backend.add_server('d1', address, weight=50, check=True, inter='500ms', rise=1)
            site.hap.backend('empty').add_server('d2', address, ready=False)
            site.server('d1').bringback(timeout=conftest.PATIENT)
            site.server('d1').setweight(20)
            site.server('d1').setmaxconn(9)
            site.save()
            site.lab.reload()
            assert 'd1' not in site.hap.backend('b').servers()
            assert site.restore() == []
            server = site.server('d1')
            assert (server.weight, server.initial_weight, server.metric('slim')) == (20, 50, 9)
            server.bringback(timeout=conftest.PATIENT)
            assert server.is_checked and server.status == 'UP'
            assert site.server('d2', 'empty').status == 'MAINT'

    def test_at_the_address_that_they_had_last(self, version):
        with Site(version) as site:
            site.hap.backend('b').add_server('d1', '127.0.0.1:{0}'.format(site.ports[0]))
            site.move('d1', '127.0.0.1', site.ports[1])
            site.server('d1').setstate(haproxy.STATE_DRAIN)
            site.save()
            site.lab.reload()
            assert site.restore() == []
            assert site.place('d1') == ('127.0.0.1', site.ports[1])
            assert site.server('d1').is_draining

    def test_another_program_may_have_added_them(self, version):
        with Site(version) as site:
            other = HAProxy(socket_dir=site.lab.socket_dir, timeout=conftest.PATIENT)
            other.backend('b').add_server('d1', '127.0.0.1:{0}'.format(site.ports[0]))
            other.backend('b').add_server('d2', '127.0.0.1:{0}'.format(site.ports[0]))
            other.save_servers_state(site.path)
            other.backend('b').del_server('d2', timeout=conftest.PATIENT)
            site.save()
            with open(site.path + '.json') as extras:
                assert sorted(json.load(extras)['added']) == ['b/d1']
            site.lab.reload()
            assert site.restore() == []
            assert site.server('d1').status == 'no check'

    def test_what_cannot_be_added_is_reported(self, version):
        with Site(version) as site:
            site.hap.backend('b').add_server('d1', '127.0.0.1:{0}'.format(site.ports[0]))
            site.save()
            site.lab.configure(site.config.replace('balance roundrobin', 'balance static-rr'))
            site.lab.reload()
            failures = site.restore()
            assert [failure[:2] for failure in failures] == [('b/d1', 'server')]
            assert 'dynamic' in failures[0].reason


@pytest.mark.parametrize('version', VERSIONS)
class TestSeveralProcesses(object):

    def test_they_are_restored_at_the_same_time_and_one_may_be_chosen(self, version, tmpdir):
        path = str(tmpdir.join('state'))
        with group.Group(conftest.find(version), 2) as started:
            hap = HAProxy(socket_dir=started.directory, retry=None, timeout=conftest.PATIENT)
            server = hap.backend('b').server('s')
            server.setweight(40)
            server.setmaxconn(5)
            assert hap.save_servers_state(path) is True
            server.setweight(100)
            for path_of_process in started.paths:
                # The library refuses to raise it in 2.2; without a queue it does no harm.
                labs.ask(path_of_process, 'set maxconn server b/s 0')
            assert hap.restore_servers_state(path, socket=started.paths[1]) == []
            assert server.metric_per_socket('weight') == list(zip(started.paths, (100, 40)))
            with pytest.raises(exceptions.IncosistentData) as caught:
                hap.save_servers_state(path)
            assert caught.value.by_socket == [
                (started.paths[0], {'b/s': {'weight': '100', 'maxconn': 0}}),
                (started.paths[1], {'b/s': {'weight': '40', 'maxconn': 5}})]
            assert hap.save_servers_state(path, socket=started.paths[0]) is True
            failures = hap.restore_servers_state(path)
            assert [(failure.field, failure.socket_file) for failure in failures] == [
                ('maxconn', started.paths[1])] * (version == OLD)
            assert server.metric_per_socket('weight') == list(zip(started.paths, (100, 100)))
            with pytest.raises(ValueError) as caught:
                hap.restore_servers_state(path, socket=started.paths[0] + 'x')
            assert started.paths[0] in str(caught.value)

    @pytest.mark.parametrize('kind', ['health', 'agent'])
    def test_checks_of_one_process_only(self, version, kind, tmpdir):
        """[state over reloads]"""
        path = str(tmpdir.join('state'))
        config = group.CONFIG.replace('weight 100', 'weight 100 check agent-check agent-port 1')
        with group.Group(conftest.find(version), 2, config=config) as started:
            hap = HAProxy(socket_dir=started.directory, retry=None, timeout=conftest.PATIENT)
            assert hap.save_servers_state(path) is True
            started.labs[1].raw('disable {0} b/s'.format(kind))
            with pytest.raises(exceptions.IncosistentData) as caught:
                hap.save_servers_state(path)
            assert caught.value.by_socket == [
                (started.paths[0], {'b/s': {kind + '_checks': True}}),
                (started.paths[1], {'b/s': {kind + '_checks': False}})]


@pytest.mark.only('nbproc4', 'instances')
@pytest.mark.lab(master_worker=True)
class TestTheExample(object):
    """Each of four processes has other backends."""

    def test_backends_of_other_processes_do_not_count(self, lab, hap, tmpdir):
        path = str(tmpdir.join('state'))
        server = hap.backend('backend_proc2').server('bck_proc2_srv1_proc2')
        server.setweight(3)
        assert hap.save_servers_state(path) is True
        server.setweight(1)
        assert hap.restore_servers_state(path) == []
        assert server.weight == 3
        names = set((server.backendname, server.name) for server in hap.servers())
        with open(path) as saved:
            assert set(tuple(line.split(' ')[1:4:2]) for line in saved.read().split(
                '\n')[2:-1]) == names
        states = hap.servers_state('backend1_proc34')
        assert set(state['be_name'] for state in states) == set(['backend1_proc34'])
