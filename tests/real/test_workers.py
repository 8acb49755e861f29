# SPDX-License-Identifier: Apache-2.0
"""Masters and their workers, on real HAProxies: reading, changing, reloading."""
import socket

import pytest

from haproxyadmin import exceptions
from haproxyadmin.haproxy import HAProxy
from tests import conftest
from tests.support import lab as labs, ways

pytestmark = pytest.mark.dealt_out

CONFIG = """
global
    stats socket "${HAPROXYADMIN_RUN}/stats.sock" level admin
    hard-stop-after 60s

defaults
    mode http
    timeout connect 30s
    timeout client 60s
    timeout server 60s

frontend f
    bind "127.0.0.1:${HAPROXYADMIN_PORT_F}"
    acl listed hdr(x-listed) -m str -u 90 nothing
    http-request set-header X-Listed yes if listed
    default_backend b

backend b
    server s "127.0.0.1:${HAPROXYADMIN_PORT_ORIGIN1}" weight 100
"""
VERSIONS = conftest.versions()
# Former workers of 2.6.12 sometimes crash when they end.
CRASHING = ('2.6',)
TIMEOUT = 60


def through(started, **options):
    options.setdefault('retry', 5)
    options.setdefault('retry_interval', 0.2)
    options.setdefault('timeout', conftest.PATIENT)
    return HAProxy(master=started.master_files, **options)


@pytest.mark.lab(master_worker=True)
@pytest.mark.only('nbproc4', 'instances')
class TestFourProcesses(object):
    """The example: one master with four workers on 2.2, later four masters with one each."""

    def test_it_is_the_same_as_directly(self, lab, hap):
        """[masters]"""
        master = through(lab)
        assert sorted(master.processids) == sorted(hap.processids) == sorted(lab.pids)
        assert [frontend.name for frontend in master.frontends()] == [
            frontend.name for frontend in hap.frontends()]
        for name in ('frontend_proc1', 'frontend2_proc34'):
            assert master.frontend(name).process_nb == hap.frontend(name).process_nb
        lab.traffic('frontend_proc1', 3)
        assert master.requests == hap.requests
        assert len(master.snapshot().servers()) == len(hap.snapshot().servers())

    def test_a_change_reaches_every_worker(self, lab, hap):
        master = through(lab)
        assert master.setmaxconn(77)
        assert [info['Maxconn'] for info in hap.info()] == ['77'] * 4
        server = master.backend('backend1_proc34').servers()[0]
        assert server.setweight(3)
        assert hap.backend('backend1_proc34').servers()[0].weight == 3

    def test_each_worker_has_an_address(self, lab):
        """[masters] The master's, with its number if there are several."""
        addresses = [address for address, _ in through(lab).metric_per_socket('Maxconn')]
        if len(lab.master_files) == 1:
            assert addresses == ['{0} @{1}'.format(lab.master_files[0], number)
                                 for number in (1, 2, 3, 4)]
        else:
            assert addresses == lab.master_files

    def test_workers(self, lab):
        found = through(lab).workers()
        assert sorted(worker.pid for worker in found) == sorted(lab.pids)
        assert set(worker.current for worker in found) == set([True])
        assert set(worker.reloads for worker in found) == set([0])
        assert sorted(worker.number for worker in found) == (
            [1, 2, 3, 4] if len(lab.master_files) == 1 else [1] * 4)
        assert all(worker.version.startswith(lab.version) and worker.uptime >= 0
                   and worker.master in lab.master_files for worker in found)

    def test_processes_that_are_named_twice_count_once(self, lab):
        """[masters] By their own sockets, and through their master."""
        both = through(lab, socket_dir=lab.socket_dir)
        assert sorted(both.processids) == sorted(lab.pids)


class Site(labs.Stopped):
    def __init__(self, version, **options):
        self.lab = conftest.start(version, config=CONFIG, master_worker=True, **options)
        self.hap = through(self.lab)

    def stop(self):
        if self.lab.version in CRASHING:
            self.lab.excuse_workers()
        self.lab.stop()

    def pid(self):
        """Return the pid of the process behind the stats socket."""
        return int(self.lab.raw('show info').split('\nPid: ')[1].split('\n')[0])

    def renew(self, result):
        """Tell the lab about a reload that the library has done."""
        labs.wait_until(lambda: self.pid_or_none() == result.new_pids[0], 'the new worker')
        self.lab.pids = [self.pid()]

    def pid_or_none(self):
        try:
            return self.pid()
        except (socket.error, IndexError):
            return None


@pytest.fixture(params=VERSIONS, scope='module')
def site(request):
    with Site(request.param) as started:
        yield started


def test_a_reload_returns_when_the_new_worker_answers(site):
    """[masters]"""
    before = site.hap.processids
    looks = []
    result = site.hap.reload(timeout=TIMEOUT, progress=looks.append)
    assert result.succeeded and result.old_pids == before
    assert result.new_pids == site.hap.processids != before
    assert bool(result.output) == (site.lab.version not in ('2.2', '2.6'))
    assert [look.done for look in looks] == [0, 1]
    assert [worker.pid for worker in site.hap.workers() if worker.current] == result.new_pids
    site.renew(result)


def test_objects_follow_a_reload(site):
    server, frontend = site.hap.server('s')[0], site.hap.frontend('f')
    assert server.setweight(5) and server.weight == 5
    site.renew(site.hap.reload(timeout=TIMEOUT))
    assert server.weight == 100 and frontend.status == 'OPEN'
    assert server.setweight(6) and server.weight == 6
    assert site.lab.raw('get weight b/s').startswith('6 ')


def test_a_refused_configuration(site):
    """[masters] The worker goes on, and takes changes."""
    before = site.hap.processids
    site.lab.configure(CONFIG + '    bogus keyword\n')
    try:
        with pytest.raises(exceptions.ReloadFailed) as caught:
            site.hap.reload(timeout=TIMEOUT)
        assert site.hap.reload(timeout=TIMEOUT, die=False) is False
    finally:
        site.lab.configure(CONFIG)
    error = caught.value
    assert ('unknown keyword' in str(error)) == (site.lab.version not in ('2.2', '2.6'))
    assert (error.result.succeeded, error.result.old_pids) == (False, before)
    assert error.socket_file == site.lab.master_files[0]
    # Some versions list the worker among the old ones now.
    assert [worker.pid for worker in site.hap.workers() if worker.current] == before
    assert site.hap.processids == before
    server = site.hap.server('s')[0]
    assert server.setweight(8) and site.lab.raw('get weight b/s').startswith('8 ')
    assert site.hap.add_acl('#90', 'x') and ' x\n' in site.lab.raw('show acl #90')
    site.renew(site.hap.reload(timeout=TIMEOUT))
    assert server.weight == 100


def test_former_workers_are_read_and_never_changed(site):
    """[masters]"""
    # Former workers of other tests may need some seconds to end.
    labs.wait_until(lambda: _is_quiet(site), 'the end of former workers')
    before = site.hap.processids
    with site.lab.hold('f', 2):
        site.renew(site.hap.reload(timeout=TIMEOUT))
        everything = through(site.lab, workers='all')
        backend = everything.backend('b')
        assert set(everything.processids) == set(before + site.hap.processids)
        old = [worker for worker in everything.workers() if not worker.current]
        # Others may still be listed that no longer answer.
        assert before[0] in [worker.pid for worker in old]
        address = '{0} @!{1}'.format(site.lab.master_files[0], before[0])
        assert address in [socket_file for socket_file, _ in everything.metric_per_socket('Maxconn')]
        # Before 2.5 a worker that ends does not list all of its proxies.
        assert backend.metric('scur') >= 2 or site.lab.version == '2.2'
        assert site.hap.backend('b').metric('scur') == 0
        assert len(everything.snapshot().processids) == 2
        server = backend.server('s')
        assert server.setweight(9) and everything.add_acl('#90', 'only the current one')
        assert site.lab.raw('get weight b/s').startswith('9 ')
        weights = everything.command('get weight b/s')
        assert weights == [(1, ['9 (initial 100)', ''])] or weights[0][1][0].startswith('9 ')
        former = labs.ask(site.lab.master_files[0], '@!%d; get weight b/s' % before[0])
        assert former.startswith('100 ')
        former = labs.ask(site.lab.master_files[0], '@!%d; show acl #90' % before[0])
        assert 'only' not in former
        # Its weight is another one, but it only ends.
        assert everything.differences(acls=True) == []
    labs.wait_until(lambda: everything.processids == site.hap.processids, 'the end of the former')
    # The first read finds out that the former worker has ended.
    assert backend.metric('scur') == 0
    assert backend.process_nb == [1]
    assert server.weight == 9


def test_the_lines_of_a_reload_are_those_of_haproxy(site):
    result = site.hap.reload(timeout=TIMEOUT)
    site.renew(result)
    if result.output:
        assert 'Loading success.' in result.output
        assert not result.output.startswith('Success') and not result.output.endswith('\n')


def test_a_time_out_while_the_new_worker_loads(site):
    """[masters] What it was waiting for happens all the same."""
    before = site.hap.processids
    try:
        # HAProxy has a tenth of a second to answer all the same, which may be enough.
        assert site.hap.reload(timeout=0).old_pids == before
    except exceptions.WaitTimeout as error:
        assert error.result.old_pids == before
    except exceptions.HAProxySocketError:
        pass
    labs.wait_until(lambda: site.pid_or_none() not in (None, before[0]), 'the reload')
    labs.wait_until(lambda: _is_quiet(site), 'the new worker')
    site.lab.pids = [site.pid()]


def _is_quiet(site):
    try:
        return [site.pid()] == site.hap.processids == [
            worker.pid for worker in site.hap.workers() if worker.current]
    except exceptions.HAProxySocketError:
        return False


def test_no_descriptor_is_left_open(site):
    site.hap.info()
    before = labs.descriptors()
    site.hap.workers()
    site.hap.setmaxconn(50)
    site.renew(site.hap.reload(timeout=TIMEOUT))
    assert labs.descriptors() == before


def test_a_secret_or_a_payload_goes_through(site):
    """[masters] A payload ends with an empty line, as on a stats socket."""
    reply = site.hap.command('set ssl cert none.pem <<\nabc\ndef')[0][1]
    assert reply[0].startswith("Can't replace a certificate which is not referenced")


@pytest.mark.parametrize('version', VERSIONS)
@pytest.mark.parametrize('level', ['user', 'operator'])
def test_a_level_below_admin(version, level):
    """[masters] It holds for the workers, too."""
    with Site(version, master_options=',level,' + level) as started:
        hap = started.hap
        assert hap.processids == started.lab.pids
        with pytest.raises(exceptions.CommandFailed) as caught:
            hap.setmaxconn(7)
        assert str(caught.value).startswith('Permission denied')
        if level == 'user':
            with pytest.raises(exceptions.CommandFailed):
                hap.reload(timeout=TIMEOUT)
        else:
            started.renew(hap.reload(timeout=TIMEOUT))


@pytest.mark.parametrize('version', VERSIONS)
def test_a_master_behind_tls(version):
    """[masters] [TLS] Without half-close."""
    with Site(version) as started:
        with ways.TlsFront(conftest.find(version), started.lab.master_files) as front:
            hap = HAProxy(master=front.addresses[0], ssl_context=front.keys.context(),
                          timeout=conftest.PATIENT)
            assert hap.processids == started.lab.pids
            assert hap.server('s')[0].setweight(4)
            assert started.lab.raw('get weight b/s').startswith('4 ')
            assert [worker.pid for worker in hap.workers()] == started.lab.pids
            result = hap.reload(timeout=TIMEOUT)
            started.renew(result)
            assert hap.processids == result.new_pids


@pytest.mark.parametrize('version', VERSIONS)
def test_an_address_of_a_master_is_printed_as_it_was_given(version):
    """[addresses]"""
    with Site(version) as started:
        address = 'unix@' + started.lab.master_files[0]
        hap = HAProxy(master=address, timeout=conftest.PATIENT)
        assert hap.processids == started.lab.pids
        assert hap.workers()[0].master == address
        assert [process.socket_file for process in hap._processes] == [address]
