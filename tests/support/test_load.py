# SPDX-License-Identifier: Apache-2.0
"""tests/support/load.py and rotation.py: requests that are counted at both ends."""

import re
import socket

import pytest

from tests.support import clients, lab, load, rotation
from tests.support.test_lab import HAPROXIES, NONE, figures, rows, total

pytestmark = pytest.mark.dealt_out

ANSWER = b'HTTP/1.1 200 OK\r\nX-Origin: 7\r\nContent-Length: 3\r\n\r\nok\n'
STATUSES = {
    'web': ['UP'] * 6,
    'api': ['UP'] * 4,
    'plain': ['no check'] * 2,
    'agent': ['UP'] * 2,
    'static': ['UP'] * 2,
    'queued': ['UP'] * 2,
    'zero': ['UP'] * 2,
    'named': ['UP', 'MAINT (resolution)'],
    'spare': ['UP', 'MAINT', 'UP'],
}


class Timers(object):
    """An event loop of which only the timers run, when asked to."""

    def __init__(self):
        self.calls = []

    def add(self, readable, function):
        pass

    def remove(self, readable):
        pass

    def later(self, seconds, function):
        self.calls.append((seconds, function))

    def run(self, seconds):
        """Call the functions that are to be called after this time."""
        due = [function for wanted, function in self.calls if wanted == seconds]
        self.calls = [call for call in self.calls if call[0] != seconds]
        for function in due:
            function()


class Scene(object):
    """A client, and a server that the test plays."""

    def __init__(self, kind='keepalive'):
        self._listener = socket.socket()
        self._listener.bind(('127.0.0.1', 0))
        self._listener.listen(5)
        self.counts = clients.Counts()
        self.timers = Timers()
        self.released = []
        self.client = clients.Client(kind, self._listener.getsockname()[1], '/', self.timers,
                                     self.counts, self.released.append)

    def accept(self):
        return self._listener.accept()[0]

    def answered_once(self):
        """Have a request answered; return the server's end of the connection."""
        self.client.send()
        server = self.accept()
        server.recv(1000)
        server.sendall(ANSWER)
        self.client.receive()
        return server

    def outcome(self):
        """Return how many were sent, are open, were answered and raced, and why others failed."""
        assert len(self.released) == self.counts.sent - self.counts.open
        return (self.counts.sent, self.counts.open, sum(self.counts.statuses.values()),
                self.counts.raced, dict(self.counts.reasons))


@pytest.fixture
def scene():
    return Scene()


class TestClient(object):

    def test_a_connection_is_used_again(self, scene):
        server = scene.answered_once()
        scene.client.send()
        assert server.recv(1000).startswith(b'GET / HTTP/1.1\r\n')
        server.sendall(ANSWER)
        scene.client.receive()
        assert scene.outcome() == (2, 0, 2, 0, {})
        assert scene.counts.origins == {'7': 2}

    def test_an_answer_may_come_in_pieces(self, scene):
        scene.client.send()
        server = scene.accept()
        for number in range(len(ANSWER)):
            assert scene.outcome() == (1, 1, 0, 0, {})
            server.sendall(ANSWER[number:number + 1])
            scene.client.receive()
        assert scene.outcome() == (1, 0, 1, 0, {})

    def test_an_answer_without_a_length_ends_with_the_connection(self, scene):
        scene.client.send()
        server = scene.accept()
        server.recv(1000)
        server.sendall(b'HTTP/1.0 503 No\r\n\r\n')
        scene.client.receive()
        server.close()
        scene.client.receive()
        assert scene.outcome() == (1, 0, 1, 0, {})
        assert scene.counts.statuses == {'503': 1}

    def test_a_connection_closed_between_requests_is_opened_again(self, scene):
        scene.answered_once().close()
        scene.client.receive()
        scene.answered_once()
        assert scene.outcome() == (2, 0, 2, 0, {})

    def test_a_request_that_was_not_read_any_more_is_sent_again(self, scene):
        scene.answered_once().close()
        scene.client.send()
        scene.client.receive()
        scene.timers.run(clients.GRACE)
        server = scene.accept()
        assert server.recv(1000).startswith(b'GET ')
        server.sendall(ANSWER)
        scene.client.receive()
        assert scene.outcome() == (2, 0, 2, 1, {})

    def test_a_request_that_was_read_before_the_connection_was_closed_has_failed(self, scene):
        server = scene.answered_once()
        scene.client.send()
        server.recv(1000)
        server.close()
        scene.client.receive()
        scene.timers.run(clients.GRACE)
        assert scene.outcome() == (2, 0, 1, 0, {'closed': 1})

    def test_the_first_request_of_a_connection_cannot_race(self, scene):
        scene.client.send()
        scene.accept().close()
        scene.client.receive()
        assert scene.outcome()[:4] == (1, 0, 0, 0)

    def test_half_an_answer_is_a_failure(self, scene):
        server = scene.answered_once()
        scene.client.send()
        server.recv(1000)
        server.sendall(ANSWER[:-1])
        scene.client.receive()
        server.close()
        scene.client.receive()
        assert scene.outcome() == (2, 0, 1, 0, {'cut short': 1})

    def test_no_answer_is_a_failure(self, scene):
        scene.client.send()
        scene.timers.run(clients.PATIENCE)
        assert scene.outcome() == (1, 0, 0, 0, {'timeout': 1})
        scene.accept()
        scene.answered_once()
        scene.timers.run(clients.PATIENCE)
        assert scene.outcome() == (2, 0, 1, 0, {'timeout': 1})

    @pytest.mark.parametrize('kind, expected', [('cookie', True), ('keepalive', False)])
    def test_cookies(self, kind, expected):
        scene = Scene(kind)
        scene.client.send()
        server = scene.accept()
        assert b'Cookie' not in server.recv(1000)
        server.sendall(ANSWER.replace(b'\r\n', b'\r\nSet-Cookie: server=web1; path=/\r\n', 1))
        scene.client.receive()
        scene.client.send()
        assert (b'\r\nCookie: server=web1\r\n' in server.recv(1000)) is expected

    def test_a_client_of_one_request_says_so(self):
        scene = Scene('once')
        scene.client.send()
        server = scene.accept()
        assert b'\r\nConnection: close\r\n' in server.recv(1000)
        server.sendall(ANSWER)
        scene.client.receive()
        assert server.recv(1000) == b''


@pytest.fixture(scope='module', params=HAPROXIES or [NONE])
def binary(request):
    return lab.find(request.param)


@pytest.fixture(scope='module')
def site(binary):
    with lab.Lab(binary, **rotation.options(lab.branch(binary), processes=4)) as started:
        yield started


def fronts(site):
    """Return the ports through which each process has its own traffic."""
    return [site.ports['front%d' % number] for number in (1, 2, 3, 4)]


def at_origins(site, numbers=range(1, 7)):
    """Return the sum of what some origins, by default those of web, have counted."""
    return lab.Count(*map(sum, zip(*[site.origins.count(number) for number in numbers])))


class TestLoad(object):

    def test_every_request_arrives_and_is_answered(self, site):
        before = at_origins(site)
        with load.Load(fronts(site)) as traffic:
            traffic.wait_for(100)
            counts = traffic.stop()
        assert counts.sent >= 100
        assert counts == traffic.counts() == load.Counts(
            sent=counts.sent, open=0, answered=counts.sent, failed=0, raced=0,
            statuses={200: counts.sent}, origins=counts.origins, reasons={})
        assert at_origins(site) == (before.arrived + counts.sent, 0, before.cut)
        assert sorted(counts.origins) == sorted(site.origins.ports[:6])
        assert sum(counts.origins.values()) == counts.sent
        for number in (1, 2, 3, 4):
            assert total(site, 'front%d' % number, 'FRONTEND', 'req_tot') >= 20

    def test_clients_with_cookies_stay_at_their_servers(self, site):
        with load.Load(fronts(site), kinds=['cookie'], path='/hold/0.01') as traffic:
            traffic.wait_for(24)
            for path in site.socket_files:
                site.raw('set server web/web2 state drain', path)
            traffic.wait_for(48)
            try:
                arrived = site.origins.count(2).arrived
                lab.wait_until(lambda: site.origins.count(2).arrived > arrived + 10, 'still there')
            finally:
                for path in site.socket_files:
                    site.raw('set server web/web2 state ready', path)
            assert not traffic.stop().failed

    def test_a_request_that_haproxy_cuts_has_failed(self, site):
        cut = at_origins(site).cut
        with load.Load(fronts(site), path='/hold/0.5') as traffic:
            lab.wait_until(lambda: site.origins.count(3).open > 3, 'under way')
            for path in site.socket_files:
                site.raw('shutdown sessions server web/web3', path)
            lab.wait_until(lambda: traffic.counts().failed, 'failed')
            failed = traffic.stop().failed
        assert at_origins(site).cut - cut == failed
        assert at_origins(site).open == 0

    def test_a_request_that_the_origin_cuts_has_failed(self, site):
        cut = at_origins(site).cut
        with load.Load(fronts(site), path='/hold/0.5') as traffic:
            lab.wait_until(lambda: site.origins.count(4).open > 3, 'under way')
            site.origins.refuse(4)
            cut = at_origins(site).cut - cut
            counts = traffic.stop()
        site.origins.serve(4)
        lab.wait_until(lambda: set(figures(site, 'web', 'web4', 'status')) == {'UP'}, 'up')
        assert cut > 3
        assert counts.failed == cut

    def test_errors_of_servers_are_failures(self, site):
        with load.Load(fronts(site), path='/status/503') as traffic:
            traffic.wait_for(10)
            counts = traffic.stop()
        assert counts.answered == counts.failed == counts.sent >= 10
        assert counts.statuses == counts.reasons == {503: counts.sent}

    def test_refused_connections_are_failures(self):
        port = lab.Port()
        with load.Load([port.number]) as traffic:
            traffic.wait_for(10)
            counts = traffic.stop()
        port.close()
        assert counts.failed == counts.sent >= 10
        assert counts.reasons == {'ECONNREFUSED': counts.sent}
        assert counts.answered == 0


class TestRotation(object):

    def test_statuses(self, site):
        for proxy, statuses in STATUSES.items():
            names = [row['svname'] for row in rows(site, 1)
                     if row['# pxname'] == proxy and row['type'] == '2']
            for name, status in zip(names, statuses):
                lab.wait_until(lambda: set(figures(site, proxy, name, 'status')) == {status},
                               '%s/%s is %s' % (proxy, name, status))
            assert len(names) == len(statuses)

    def test_every_frontend_answers(self, site):
        for name in site.ports:
            assert site.traffic(name, 2) == [200, 200]

    @pytest.mark.parametrize('text, status, weight', [
        ('drain', 'DRAIN (agent)', '100'), ('ready', 'UP', '100'), ('50%', 'UP', '50'),
        ('100%', 'UP', '100'), ('down', 'DOWN (agent)', '100'), ('up', 'UP', '100')])
    def test_agents(self, site, text, status, weight):
        site.origins.agent(7, text)
        wanted = [(status, weight)] * len(site.pids)
        lab.wait_until(lambda: list(zip(figures(site, 'agent', 'agent1', 'status'),
                                        figures(site, 'agent', 'agent1', 'weight'))) == wanted,
                       text)

    def test_trackers_follow(self, site):
        def state(server, word):
            for path in site.socket_files:
                site.raw('set server %s state %s' % (server, word), path)

        for server, tracker in [('web/web1', 'api1'), ('api/api3', 'api4')]:
            state(server, 'maint')
            assert set(figures(site, 'api', tracker, 'status')) == {'MAINT (via %s)' % server}
            state(server, 'ready')
            lab.wait_until(lambda: set(figures(site, 'api', tracker, 'status')) == {'UP'}, 'up')

    def test_requests_wait_in_the_queue_of_their_server(self, site):
        # Half of what is sent can be answered.
        with load.Load([site.ports['queued']], kinds=['cookie'], path='/hold/0.08') as traffic:
            for name in ('queued1', 'queued2', 'BACKEND'):
                lab.wait_until(lambda: total(site, 'queued', name, 'qcur'), 'queued')
            assert set(figures(site, 'queued', 'queued1', 'scur')) <= {'0', '1'}
            assert not traffic.stop().failed

    def test_one_process_with_two_threads(self, binary):
        with lab.Lab(binary, **rotation.options(lab.branch(binary), threads=2)) as started:
            assert re.search('^Nbthread: 2$', started.raw('show info'), re.MULTILINE)
            assert started.traffic('front1', 6) == [200] * 6
            assert at_origins(started).arrived == 6
            assert 'front2' not in started.ports
