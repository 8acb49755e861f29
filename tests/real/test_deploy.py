# SPDX-License-Identifier: Apache-2.0
"""Rolling deploys under load, on real HAProxies; the servers count what reaches them."""
import contextlib

import pytest
from six.moves import http_client

from haproxyadmin import exceptions
from haproxyadmin.haproxy import HAProxy
from tests import conftest
from tests.support import lab as labs, load, rotation
from tests.support.checks import error_of, rows_of

pytestmark = pytest.mark.dealt_out

VERSIONS = conftest.versions()
WEB = ['web1', 'web2', 'web3', 'web4', 'web5', 'web6']
# How to take out a server that persistent clients keep busy: they stay in drain, so that there
# are always some when maintenance begins.
HOW = {'timeout': conftest.PATIENT, 'drain_for': 0.2, 'interval': 0.01}
BACK = {'timeout': conftest.PATIENT, 'interval': 0.01}


class Boom(Exception):
    """What happens in the middle of a deploy."""


class Site(object):
    """A lab with the configuration of ``rotation.py``, and the library's view of it."""

    def __init__(self, lab):
        self.lab = lab
        self.origins = lab.origins
        self.hap = HAProxy(socket_dir=lab.socket_dir, retry=None, timeout=conftest.PATIENT)

    def server(self, name, backend='web'):
        return self.hap.backend(backend).server(name)

    def load(self, **options):
        """Return traffic through all processes, of which some has arrived."""
        ports = [port for name, port in self.lab.ports.items() if name.startswith('front')]
        return load.Load(sorted(ports), **options)

    def count(self, numbers=range(1, 7)):
        """Return what some origins, by default those of web, have counted together."""
        return labs.Count(*map(sum, zip(*[self.origins.count(number) for number in numbers])))

    def statuses(self, backend='web'):
        """Return the statuses that each server has in the processes, as HAProxy reports them."""
        names = [server.name for server in self.hap.backend(backend).servers()]
        return dict((name, set(row['status'] for row in rows_of(self.lab, backend, name)))
                    for name in names)

    def sessions(self, backend, name, field):
        return sum(int(row[field]) for row in rows_of(self.lab, backend, name))

    def make_ready(self):
        """Have all servers in rotation, whatever a test has left."""
        for backend in ('web', 'api', 'plain', 'queued'):
            for name in self.statuses(backend):
                for path in self.lab.socket_files:
                    self.lab.raw('set server %s/%s state ready' % (backend, name), path)
        labs.wait_until(lambda: all_up(self.statuses()) and all_up(self.statuses('queued')), 'up')


def all_up(statuses):
    return set().union(*statuses.values()) == {'UP'}


@contextlib.contextmanager
def started(version, **options):
    with conftest.start(version, **rotation.options(version, **options)) as lab:
        yield Site(lab)


@pytest.fixture(scope='module', params=VERSIONS)
def one(request):
    """One process with two threads."""
    with started(request.param, threads=2) as site:
        yield site


@pytest.fixture(scope='module', params=VERSIONS)
def four(request):
    """Four processes."""
    with started(request.param, processes=4) as site:
        yield site


@pytest.fixture
def single(one):
    yield one
    one.make_ready()


@pytest.fixture
def several(four):
    yield four
    four.make_ready()


class UnderLoad(object):
    """What holds for any number of processes and threads."""

    def test_no_request_is_cut_and_none_arrives_afterwards(self, site):
        server = site.server('web1')
        with site.load() as traffic:
            traffic.wait_for(50)
            before = site.origins.count(1)
            out = server.takeout(**HOW)
            count = site.origins.count(1)
            assert (count.open, count.cut) == (0, before.cut)
            assert (out.sessions, out.changed, out.reloaded, out.ended) == (0, True, False, 0)
            traffic.wait_for(100)
            assert site.origins.count(1) == count
            server.bringback(**BACK)
            labs.wait_until(lambda: site.origins.count(1).arrived > count.arrived, 'back')
            counts = traffic.stop()
        assert (counts.failed, counts.raced, counts.reasons) == (0, 0, {})
        assert site.count().cut == before.cut

    def test_straight_to_maintenance(self, site):
        server = site.server('web2')
        with site.load(path='/hold/0.3') as traffic:
            labs.wait_until(lambda: site.origins.count(2).open > 5, 'busy')
            cut = site.count().cut
            out = server.takeout(timeout=conftest.PATIENT, drain_for=0, interval=0.01)
            count = site.origins.count(2)
            assert (out.sessions, count.open) == (0, 0)
            traffic.wait_for(100)
            assert site.origins.count(2) == count
            counts = traffic.stop()
        assert (counts.failed, counts.raced, counts.reasons) == (0, 0, {})
        assert site.count().cut == cut

    def test_a_rolling_deploy(self, site):
        cut = site.count().cut
        with site.load() as traffic:
            traffic.wait_for(30)
            for number, name in enumerate(WEB, 1):
                with site.server(name).out_of_rotation(back_within=conftest.PATIENT, keep_up=5,
                                                       **HOW) as out:
                    count = site.origins.count(number)
                    assert (out.sessions, count.open) == (0, 0)
                    deploy(site, number)
                    assert site.origins.count(number) == count
                assert all_up(site.statuses())
            traffic.wait_for(50)
            counts = traffic.stop()
        assert (counts.failed, counts.raced, counts.reasons) == (0, 0, {})
        assert counts.statuses == {200: counts.sent}
        assert site.count().cut == cut

    def test_a_deploy_that_fails(self, site):
        with site.load() as traffic:
            traffic.wait_for(30)
            with pytest.raises(Boom):
                for number, name in enumerate(WEB, 1):
                    with site.server(name).out_of_rotation(back_within=conftest.PATIENT, **HOW):
                        if number == 2:
                            site.origins.refuse(number)
                            raise Boom()
            traffic.wait_for(50)
            counts = traffic.stop()
        site.origins.serve(2)
        statuses = site.statuses()
        assert statuses.pop('web2') == {'MAINT'}
        assert all_up(statuses)
        assert (counts.failed, counts.raced, counts.reasons) == (0, 0, {})

    def test_a_deploy_that_fails_and_is_undone(self, site):
        server = site.server('web3')
        with site.load() as traffic:
            traffic.wait_for(30)
            for state, status in [('ready', 'UP'), ('drain', 'DRAIN'), ('maint', 'MAINT')]:
                assert server.setstate(state)
                with pytest.raises(Boom):
                    with server.out_of_rotation(restore_on_error=True, **HOW):
                        assert site.statuses()['web3'] == {'MAINT'}
                        raise Boom()
                labs.wait_until(lambda: site.statuses()['web3'] == {status}, status)
            counts = traffic.stop()
        assert (counts.failed, counts.raced, counts.reasons) == (0, 0, {})


class TestOneProcessOfTwoThreads(UnderLoad):

    @pytest.fixture
    def site(self, single):
        return single


class TestFourProcesses(UnderLoad):

    @pytest.fixture
    def site(self, several):
        return several

    def test_too_late(self, site):
        """Nothing is cut then, and it stays in maintenance."""
        with site.load(kinds=['cookie'], path='/hold/1.5') as traffic:
            labs.wait_until(lambda: site.origins.count(4).open > 3, 'busy')
            cut = site.count().cut
            error = error_of(site.server('web4').takeout, timeout=0.2, interval=0.01)
            assert isinstance(error, exceptions.WaitTimeout)
            assert site.statuses()['web4'] == {'MAINT'}
            assert error.result.sessions > 3
            counts = traffic.stop()
        assert counts.failed == 0
        assert site.origins.count(4).open == 0
        assert site.count().cut == cut

    def test_sessions_that_are_shut_down(self, site):
        """As many as are reported, and no others."""
        cut = site.count().cut
        with site.load(kinds=['cookie'], path='/hold/2.5') as traffic:
            labs.wait_until(lambda: site.origins.count(5).open > 3, 'busy')
            out = site.server('web5').takeout(
                timeout=2, drain_for=0, shutdown_sessions=True, interval=0.01)
            assert out.sessions == site.origins.count(5).open == 0
            counts = traffic.stop()
        assert site.count().cut - cut == out.ended == counts.failed > 3


def deploy(site, number):
    """Stop an origin and start it again."""
    site.origins.refuse(number)
    site.origins.serve(number)


class Browser(object):
    """A client that keeps its connection."""

    def __init__(self, port, cookie=None):
        self._connection = http_client.HTTPConnection('127.0.0.1', port)
        self._connection.connect()
        self._socket = self._connection.sock
        self._headers = {'Cookie': 'server=' + cookie} if cookie else {}

    def forget(self):
        """Send no more cookie."""
        self._headers = {}

    def send(self, path):
        self._connection.request('GET', path, headers=self._headers)

    def answer(self):
        """Return the status and the port of the origin; the connection is still the same."""
        answer = self._connection.getresponse()
        answer.read()
        assert self._connection.sock is self._socket
        return answer.status, int(answer.getheader('X-Origin'))

    def ask(self, path='/hold/0'):
        self.send(path)
        return self.answer()

    def close(self):
        self._connection.close()


@pytest.fixture
def browser(single):
    """Return a function that makes a :class:`Browser`."""
    browsers = []

    def open_one(frontend='front1', cookie=None):
        browsers.append(Browser(single.lab.ports[frontend], cookie))
        return browsers[-1]
    yield open_one
    for opened in browsers:
        opened.close()


class TestClients(object):

    def test_a_cookie_leads_into_drain_but_not_into_maintenance(self, single, browser):
        port = single.origins.ports[1]
        loyal = browser(cookie='web2')
        assert loyal.ask() == (200, port)
        single.server('web2').drain(**BACK)
        assert single.statuses()['web2'] == {'DRAIN'}
        assert loyal.ask() == browser(cookie='web2').ask() == (200, port)
        arrived = single.origins.count(2).arrived
        for _ in range(6):
            assert browser().ask()[1] != port
        single.server('web2').takeout(**HOW)
        for client in (loyal, browser(cookie='web2')):
            status, origin = client.ask()
            assert status == 200
            assert origin != port
        assert single.origins.count(2).arrived == arrived

    def test_an_idle_client_goes_elsewhere(self, single, browser):
        port = single.origins.ports[0]
        client = browser(cookie='web1')
        assert client.ask() == (200, port)
        client.forget()
        arrived = single.origins.count(1).arrived
        single.server('web1').takeout(**HOW)
        for _ in range(6):
            status, origin = client.ask()
            assert status == 200
            assert origin != port
        assert single.origins.count(1).arrived == arrived

    def test_a_client_that_is_served_is_waited_for(self, single, browser):
        client = browser(cookie='web1')
        client.send('/hold/0.5')
        labs.wait_until(lambda: single.origins.count(1).open, 'open')
        before = single.origins.count(1)
        single.server('web1').takeout(**HOW)
        assert single.origins.count(1) == (before.arrived, 0, before.cut)
        assert client.answer() == (200, single.origins.ports[0])

    def test_a_request_that_is_tried_again_is_waited_for(self, single, browser):
        """HAProxy tries a server again one second after it has refused a connection."""
        client = browser('plain', cookie='plain1')
        retries = single.sessions('plain', 'plain1', 'wretr')
        single.origins.refuse(8)
        client.send('/hold/0')
        labs.wait_until(lambda: single.sessions('plain', 'plain1', 'wretr') > retries, 'refused')
        single.origins.serve(8)
        single.server('plain1', 'plain').takeout(**HOW)
        count = single.origins.count(8)
        assert client.answer()[0] == 200
        assert single.origins.count(8) == count


class TestQueue(object):

    @pytest.fixture
    def queued(self, single, browser):
        """Three clients of one server, two of them in its queue."""
        def look(before):
            if single.sessions('queued', 'queued1', 'qcur') == 2:
                return 'queued'
            # One has left the queue already: this process was suspended for a while.
            return single.sessions('queued', 'queued1', 'stot') > before + 1 and 'too late'
        for seconds in (0.2, 1, 5):
            clients = [browser('queued', cookie='queued1') for _ in range(3)]
            before = single.sessions('queued', 'queued1', 'stot')
            for client in clients:
                client.send('/hold/{0}'.format(seconds))
            if labs.wait_until(lambda: look(before), 'queued') == 'queued':
                return clients
            assert [client.answer()[0] for client in clients] == [200] * 3
        raise AssertionError('never queued')

    @pytest.mark.parametrize('way, options', [
        ('drain', BACK), ('takeout', HOW), ('takeout', dict(HOW, drain_for=0))])
    def test_the_queue_is_waited_for(self, single, queued, way, options):
        """Up to 2.6 its requests go elsewhere, from 3.0 on to this server, more than its maxconn."""
        cut = single.count([8, 9]).cut
        assert getattr(single.server('queued1', 'queued'), way)(**options).sessions == 0
        count = single.origins.count(8)
        assert count.open == 0
        assert [client.answer()[0] for client in queued] == [200] * 3
        assert single.origins.count(8) == count
        assert single.count([8, 9]).cut == cut

    def test_no_request_is_cut_and_none_arrives_afterwards(self, several):
        # Half of what is sent can be answered.
        ports = [several.lab.ports['queued']]
        with load.Load(ports, kinds=['cookie', 'once'], path='/hold/0.08') as traffic:
            labs.wait_until(lambda: several.sessions('queued', 'queued1', 'qcur'), 'queued')
            cut = several.count([8, 9]).cut
            several.server('queued1', 'queued').takeout(**HOW)
            count = several.origins.count(8)
            assert count.open == 0
            traffic.wait_for(20)
            assert several.origins.count(8) == count
            several.server('queued1', 'queued').bringback(**BACK)
            counts = traffic.stop()
        assert several.origins.count(8).arrived > count.arrived
        assert (counts.failed, counts.raced, counts.reasons) == (0, 0, {})
        assert several.count([8, 9]).cut == cut
