# SPDX-License-Identifier: Apache-2.0
"""Sessions on real HAProxies: list them, look at one, end them."""
import contextlib
import select
import socket

import pytest

from haproxyadmin import exceptions, sessions
from haproxyadmin.haproxy import HAProxy
from haproxyadmin.internal import sessions as internal
from tests import conftest
from tests.support import lab as labs

pytestmark = pytest.mark.dealt_out

VERSIONS = conftest.versions()
# Former workers of 2.6.12 sometimes crash when they end.
CRASHING = '2.6'
# Only end a session in a queue when it is its turn.
SLOW_TO_END = ('2.2', '2.6')
# Do not show whether an id means another session by now.
WITHOUT_EPOCH = ('2.2',)
REQUEST = (b'POST / HTTP/1.1\r\nHost: x\r\nCookie: server=%s\r\nContent-Length: 1\r\n'
           b'Expect: 100-continue\r\n\r\n')
CONFIG = """
global
    maxconn 200
    nbthread 1
    node sessions
    stats socket "${HAPROXYADMIN_RUN}/haproxy-${HAPROXYADMIN_PROCESS}.sock" level admin
    stats socket "${HAPROXYADMIN_RUN}/operator-${HAPROXYADMIN_PROCESS}.sock" level operator

defaults
    mode http
    timeout client 5m
    timeout connect 5m
    timeout queue 5m
    timeout server 5m
    timeout http-request 5m
    timeout http-keep-alive 5m

frontend www
    bind 127.0.0.1:${HAPROXYADMIN_PORT_WWW}
    bind unix@"${HAPROXYADMIN_RUN}/www-${HAPROXYADMIN_PROCESS}.www"
    default_backend web

backend web
    cookie server
    server w1 127.0.0.1:${HAPROXYADMIN_PORT_ORIGIN1} cookie w1
    server w2 127.0.0.1:${HAPROXYADMIN_PORT_ORIGIN2} cookie w2

listen narrow
    bind 127.0.0.1:${HAPROXYADMIN_PORT_NARROW}
    server w1 127.0.0.1:${HAPROXYADMIN_PORT_ORIGIN1} maxconn 1

listen raw
    mode tcp
    bind [::1]:${HAPROXYADMIN_PORT_RAW}
    server w1 127.0.0.1:${HAPROXYADMIN_PORT_ORIGIN1}
"""


class Site(object):
    """Two HAProxies with the same configuration."""

    def __init__(self, version, **options):
        self.version = version
        binary = conftest.find(version)
        # Not two instances of one lab: they would share their ports.
        self.labs = []
        try:
            for _ in range(2):
                self.labs.append(labs.Lab(binary, config=CONFIG, **options))
            self.labs.sort(key=lambda lab: lab.directory)
        except BaseException:
            self.stop()
            raise

    def hap(self, **options):
        return HAProxy(addresses=[lab.socket_files[0] for lab in self.labs], retry=None,
                       timeout=conftest.PATIENT, **options)

    def stop(self):
        for lab in self.labs:
            if self.version == CRASHING:
                lab.excuse_workers()
            lab.stop()


@pytest.fixture(scope='module', params=VERSIONS)
def site(request):
    started = Site(request.param)
    yield started
    started.stop()


@pytest.fixture
def hap(site):
    """An object for both, once all sessions of earlier tests have ended."""
    found = site.hap()
    labs.wait_until(lambda: not found.sessions(), 'no session is left')
    return found


@contextlib.contextmanager
def held(lab, frontend, count, server=None):
    """Hold requests, and return the ports of the clients, in the order of their begin."""
    with contextlib.closing(lab.hold(frontend, count, server)) as clients:
        yield clients.connections


def port_of(connection):
    return connection.getsockname()[1]


def ports_of(found):
    return sorted(session.source_port for session in found)


def is_closed(connection):
    """Return True if HAProxy has closed a connection."""
    connection.settimeout(conftest.PATIENT)
    while True:
        try:
            if not connection.recv(65536):
                return True
        except socket.timeout:
            return False
        except socket.error:
            return True


def is_open(connection):
    """Return True if nothing has arrived from HAProxy, not even the end."""
    connection.settimeout(0)
    try:
        connection.recv(1)
    except socket.error:
        return True
    return False


# Listing

def test_what_a_session_says(site, hap):
    """[sessions]"""
    lab = site.labs[1]
    with held(lab, 'www', 1, 'w2') as (connection,):
        session, = hap.sessions()
        assert session.id.startswith('0x') and session.proto == 'tcpv4'
        assert (session.source, session.source_port) == connection.getsockname()
        assert (session.frontend, session.backend, session.server) == ('www', 'web', 'w2')
        assert 0 <= session.age <= conftest.PATIENT and session.calls > 0
        assert session.cpu == session.lat == 0 and session.rate >= 0
        assert session.expires is None or session.expires > 0
        assert session.process_nb == 1 and session.socket_file == lab.socket_files[0]
        assert session.fields['fe'] == 'www' and session.fields['src'].endswith(
            ':{0}'.format(port_of(connection)))
        assert repr(session).startswith("Session('0x")
        assert hap.session(session.id) == session
        assert hap.session(session.id, socket=lab.socket_files[0]) == session


def test_details(site, hap):
    with held(site.labs[0], 'www', 1, 'w1') as (connection,):
        session, = hap.sessions()
        details = session.details()
        assert details.unique_id > 0 and details.accepted.count(':') == 3
        assert details.frontend_address == '127.0.0.1:{0}'.format(site.labs[0].ports['www'])
        assert details.server_address.startswith('127.0.0.1:') and details.flags.startswith('0x')
        assert details.fields['backend'] == 'web' and details.fields['server'] == 'w1'
        assert details.text.startswith(session.id + ': [')
        assert hap.sessions()[0].details().unique_id == details.unique_id
    labs.wait_until(lambda: not hap.sessions(), 'it has ended')
    with pytest.raises(exceptions.NoSuchObject):
        session.details()


def test_clients_of_stats_sockets_are_not_listed(site, hap):
    client = socket.socket(socket.AF_UNIX)
    with contextlib.closing(client):
        client.connect(site.labs[0].socket_files[0])
        client.sendall(b'prompt\n')
        assert client.recv(10)
        assert 'fe=GLOBAL' in hap.command('show sess')[0][1][0]
        assert hap.sessions() == []


def test_filters(site, hap):
    """[sessions]"""
    first, second = site.labs
    tcp = socket.create_connection(('::1', first.ports['raw']))
    with contextlib.closing(tcp), held(first, 'www', 1, 'w1') as one, held(
            first, 'www', 2, 'w2') as two, held(second, 'narrow', 1) as narrow:
        labs.wait_until(lambda: len(hap.sessions(server='raw/w1')) == 1, 'it is connected')

        def ports(**filters):
            return ports_of(hap.sessions(**filters))
        of = [sorted(map(port_of, group)) for group in (one, two, narrow, [tcp])]
        assert ports() == sorted(sum(of, []))
        assert ports(server='w2') == of[1]
        assert ports(server='w1') == sorted(of[0] + of[2] + of[3])
        assert ports(server='web/w1') == ports(server='w1', backend='web') == of[0]
        assert ports(server=hap.backend('web').server('w1')) == of[0]
        assert ports(backend=hap.backend('web')) == ports(frontend='www') == sorted(of[0] + of[1])
        assert ports(frontend='www', server='none') == ports(source='10.0.0.0/8') == []
        assert ports(source='127.0.0.1') == ports(source='127.0.0.0/8') == sorted(
            of[0] + of[1] + of[2])
        assert ports(source='0:0::1') == ports(source='::/0') == of[3]
        assert ports(older_than=0) == ports(younger_than=1000) == ports()
        assert ports(older_than=1000) == ports(younger_than=0) == []
        labs.wait_until(lambda: ports(older_than=1) == ports(), 'they are a second old')


def test_one_session_that_is_not_there(hap):
    for wrong in ('0x1', 'x', u'', None, 5):
        with pytest.raises(ValueError):
            hap.session(wrong)
    with pytest.raises(ValueError, match='no process on'):
        hap.session('0x1', socket='/none')


# Ending

def test_end_a_session(site, hap):
    """[sessions]"""
    with held(site.labs[0], 'www', 2) as (one, other):
        session, = [found for found in hap.sessions() if found.source_port == port_of(one)]
        assert session.shutdown() == (True,)
        assert is_closed(one)
        labs.wait_until(lambda: ports_of(hap.sessions()) == [port_of(other)], 'it has ended')
        ended = session.shutdown()
        assert ended == sessions.Ended(changed=False) and ended
        assert is_open(other)


def test_end_a_session_that_has_sent_nothing(site, hap):
    client = socket.create_connection(('::1', site.labs[0].ports['raw']))
    with contextlib.closing(client):
        session, = labs.wait_until(lambda: hap.sessions(server='raw/w1'), 'it is listed')
        assert session.source == '::1' and session.proto == 'tcpv6'
        assert session.shutdown().changed
        assert is_closed(client)


def test_end_a_session_that_waits_in_a_queue(site, hap):
    lab = site.labs[0]
    waiting = socket.socket()
    with contextlib.closing(waiting), held(lab, 'narrow', 1):
        waiting.connect(('127.0.0.1', lab.ports['narrow']))
        waiting.sendall(b'GET / HTTP/1.1\r\nHost: x\r\n\r\n')
        session = labs.wait_until(lambda: [
            found for found in hap.sessions(backend='narrow') if found.server is None
            and found.source_port == port_of(waiting)], 'it waits')[0]
        assert session.shutdown().changed
        if site.version not in SLOW_TO_END:
            assert is_closed(waiting)
    # It has its turn, and ends.
    labs.wait_until(lambda: not hap.sessions(), 'it has ended')


def test_another_session_with_the_same_id_goes_on(site, hap):
    """[sessions]"""
    lab = site.labs[0]
    with held(lab, 'www', 1) as (first,):
        session, = hap.sessions()
        assert session.shutdown().changed
        assert is_closed(first)
    others = []
    try:
        for _ in range(100):
            others.append(lab.hold('www', 1))
            seen = dict((found.id, found) for found in hap.sessions())
            if session.id in seen:
                break
        successor, connection = seen[session.id], others[-1].connections[0]
        assert successor.source_port == port_of(connection)
        assert session.shutdown() == (False,)
        with pytest.raises(exceptions.NoSuchObject):
            session.details()
        assert ports_of(hap.sessions()) == sorted(
            port_of(client.connections[0]) for client in others)
        assert is_open(connection)
        # The id itself is the right one.
        assert successor.shutdown().changed and is_closed(connection)
    finally:
        for client in others:
            client.close()


def begin(connection, server):
    """Begin a request that has reached its server when this returns."""
    connection.settimeout(conftest.PATIENT)
    connection.sendall(REQUEST.replace(b'%s', server))
    assert connection.recv(65536).startswith(b'HTTP/1.1 100')


def listed_request(hap, connection):
    """Send a request to w1; return its session, as it was listed before the response came."""
    connection.settimeout(conftest.PATIENT)
    for seconds in (0.2, 1, 5, 25):
        connection.sendall('GET /hold/{0} HTTP/1.1\r\nHost: x\r\nCookie: server=w1\r\n\r\n'.format(
            seconds).encode())
        found = []
        while not found and not select.select([connection], [], [], 0)[0]:
            found = hap.sessions(server='w1')
        assert connection.recv(65536).startswith(b'HTTP/1.1 200')
        if found:
            return found[0]
    raise AssertionError('the request was never listed')


def test_the_next_request_of_a_connection_goes_on(site, hap):
    """[sessions]"""
    client = socket.create_connection(('127.0.0.1', site.labs[0].ports['www']))
    with contextlib.closing(client):
        session = listed_request(hap, client)
        begin(client, b'w2')
        assert [found.server for found in hap.sessions()] == ['w2']
        assert session.shutdown() == (False,) and is_open(client)


def test_a_session_that_ends_just_after_it_was_listed(site, hap, monkeypatch):
    """[sessions]"""
    lab = site.labs[0]
    clients = [lab.hold('www', 1, 'w1')]

    def replace(seconds):
        # It ends by itself, and others begin.
        assert 0 < seconds <= 1000
        clients.pop().close()
        labs.wait_until(lambda: 'fe=www' not in lab.raw('show sess'), 'it has ended')
        clients.extend([lab.hold('www', 1, 'w1') for _ in range(10)])
    monkeypatch.setattr(internal, 'LASTING', 1000)
    monkeypatch.setattr(internal, 'time', type('Clock', (), {'sleep': staticmethod(replace)}))
    try:
        assert hap.shutdown_sessions(frontend='www') == (0, 1, 0, [(lab.socket_files[0], 0)])
        assert len(clients) == 10
        assert all([is_open(client.connections[0]) for client in clients])
    finally:
        for client in clients:
            client.close()


def test_clients_of_unix_sockets(site, hap):
    """[sessions]"""
    lab = site.labs[0]
    clients = [socket.socket(socket.AF_UNIX) for _ in range(2)]
    try:
        for client, server in zip(clients, (b'w1', b'w2')):
            client.connect('{0}/www-1.www'.format(lab.socket_dir))
            begin(client, server)
        session, = hap.sessions(server='w1')
        assert session.source.startswith('unix:') and session.source_port is None
        if site.version in WITHOUT_EPOCH:
            for end in (session.shutdown, lambda: hap.shutdown_sessions(frontend='www')):
                with pytest.raises(exceptions.CommandFailed, match='cannot tell'):
                    end()
            assert all([is_open(client) for client in clients])
        else:
            assert session.shutdown().changed and is_closed(clients[0])
        # This does not need the id.
        assert hap.shutdown_sessions(server='w2').ended == 1
        assert is_closed(clients[1])
    finally:
        for client in clients:
            client.close()


def test_end_those_of_a_backend_and_those_that_wait_for_it(site, hap):
    """[sessions]"""
    lab = site.labs[0]
    waiting = [socket.socket() for _ in range(3)]
    try:
        with held(lab, 'narrow', 1) as (connection,), held(lab, 'www', 1) as (other,):
            for client in waiting:
                client.connect(('127.0.0.1', lab.ports['narrow']))
                client.sendall(REQUEST)
            labs.wait_until(lambda: len(hap.sessions(backend='narrow')) == 4, 'all are listed')
            ended = hap.shutdown_sessions(backend='narrow')
            assert ended == (4, 0, 0, [(lab.socket_files[0], 4)])
            assert is_closed(connection) and all([is_closed(client) for client in waiting])
            assert is_open(other)
    finally:
        for client in waiting:
            client.close()


def test_end_all_that_match(site, hap):
    """[sessions]"""
    first, second = site.labs
    with held(first, 'www', 20, 'w1') as one, held(first, 'www', 3, 'w2') as two, held(
            second, 'www', 1, 'w1') as three:
        ended = hap.shutdown_sessions(server='web/w1')
        assert ended == sessions.SessionsEnded(ended=21, gone=0, left=0, by_socket=[
            (first.socket_files[0], 20), (second.socket_files[0], 1)])
        assert all([is_closed(connection) for connection in one + three])
        labs.wait_until(lambda: ports_of(hap.sessions()) == sorted(map(port_of, two)), 'the rest')
        assert hap.shutdown_sessions(server='web/w1') == (0, 0, 0, [])
        assert hap.shutdown_sessions(source='10.0.0.0/8', older_than=0).ended == 0
        assert all([is_open(connection) for connection in two])
    for wrong in ({}, {'server': ''}, {'older_than': -1}, {'source': 'x'}, {'backend': 5},
                  {'server': 'web/'}, {'younger_than': True}, {'frontend': b''}):
        with pytest.raises(ValueError):
            hap.shutdown_sessions(**wrong)


def test_a_level_that_is_too_low(site, hap):
    """[sessions]"""
    lab = site.labs[0]
    operator = HAProxy(socket_file=lab.socket_files[1], retry=None, timeout=conftest.PATIENT)
    with held(lab, 'www', 2) as connections:
        session = operator.sessions()[0]
        session.details()
        with pytest.raises(exceptions.CommandFailed) as caught:
            session.shutdown()
        assert 'Permission denied' in str(caught.value) and 'operator' in str(caught.value)
        assert caught.value.result == (False,)
        assert caught.value.command.startswith('shutdown session 0x')
        with pytest.raises(exceptions.CommandFailed) as caught:
            operator.shutdown_sessions(frontend='www')
        assert caught.value.result[:3] == (0, 0, 2)
        assert session.shutdown(die=False) is False
        assert all([is_open(connection) for connection in connections])


def test_one_process_refuses(site, hap):
    first, second = site.labs
    mixed = HAProxy(addresses=[first.socket_files[1], second.socket_files[0]], retry=None,
                    timeout=conftest.PATIENT)
    with held(first, 'www', 2) as one, held(second, 'www', 3) as two:
        with pytest.raises(exceptions.MultipleCommandResults) as caught:
            mixed.shutdown_sessions(frontend='www')
        assert caught.value.result == (3, 0, 2, [
            (first.socket_files[1], 0), (second.socket_files[0], 3)])
        assert 'Permission denied' in caught.value.by_socket[0][1]
        assert all([is_open(connection) for connection in one])
        assert all([is_closed(connection) for connection in two])


# Threads

@pytest.mark.parametrize('version', VERSIONS)
def test_several_threads(version):
    """[sessions]"""
    config = CONFIG.replace('nbthread 1', 'nbthread 4')
    with labs.Lab(conftest.find(version), config=config) as lab:
        hap = HAProxy(socket_file=lab.socket_files[0], retry=None, timeout=conftest.PATIENT)
        with held(lab, 'www', 8) as connections:
            assert len(hap.sessions(frontend='www')) == 8
            assert hap.shutdown_sessions(frontend='www').ended == 8
            assert all([is_closed(connection) for connection in connections])


# Masters and their workers

@pytest.fixture(scope='module', params=VERSIONS)
def masters(request):
    started = Site(request.param, master_worker=True)
    yield started
    started.stop()


def test_through_a_master_also_in_former_workers(masters):
    """[sessions; masters]"""
    options = {'retry': 100, 'retry_interval': 0.05, 'timeout': conftest.PATIENT}
    addresses = [lab.master_files[0] for lab in masters.labs]
    hap = HAProxy(master=addresses, **options)
    lab = masters.labs[0]
    with held(lab, 'www', 3) as (one, two, three):
        session, = [found for found in hap.sessions() if found.source_port == port_of(one)]
        assert session.shutdown().changed and is_closed(one)
        labs.wait_until(lambda: len(hap.sessions()) == 2, 'it has ended')
        kept, = [found for found in hap.sessions() if found.source_port == port_of(two)]
        lab.reload()
        # The id is another process's.
        assert hap.sessions() == [] and kept.shutdown() == (False,)
        assert hap.shutdown_sessions(frontend='www').ended == 0
        every = HAProxy(master=addresses, workers='all', **options)
        assert ports_of(every.sessions()) == sorted(map(port_of, (two, three)))
        lingering, = [found for found in every.sessions() if found.source_port == port_of(two)]
        assert lingering.shutdown().changed and is_closed(two)
        assert is_open(three)
        assert every.shutdown_sessions(frontend='www').ended == 1
        assert is_closed(three)
        labs.wait_until(lambda: every.sessions() == [], 'all have ended')
        assert lingering.shutdown() == (False,)


def test_a_restart_makes_an_id_another_ones(site, hap):
    lab = site.labs[0]
    with held(lab, 'www', 1):
        session, = hap.sessions()
        lab.restart()
    with held(lab, 'www', 1) as (connection,):
        # Even if everything else were the same.
        same = sessions.Session(session._listing, hap.sessions()[0]._line)
        assert same.shutdown() == (False,)
        assert is_open(connection)
