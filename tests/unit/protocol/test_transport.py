# SPDX-License-Identifier: Apache-2.0
"""protocol/transport.py: exchanges with sockets that answer, stay silent, dribble and hang up."""
import contextlib
import errno
import gc
import logging
import os
import resource
import select
import signal
import socket
import threading
import time

import pytest

from haproxyadmin import exceptions, imports
from haproxyadmin.internal import lookup
from haproxyadmin.protocol import addresses, polling, transport
from haproxyadmin.testing import faults, sockets
from tests.support import fakes, lab as labs

CLOSING_AT_ONCE = faults.closing_at_once()
COMMAND = b'show info'


def exchange(path, command=COMMAND, timeout=fakes.LONG, conduct=transport.PLAIN):
    outcome, = transport.exchange_all([transport.Request(path, command, timeout, conduct)])
    return outcome


def assert_error(outcome, kind, number, path, undelivered):
    assert type(outcome) is kind, repr(outcome)
    assert outcome.errno == number
    assert outcome.socket_file == outcome.filename == path
    assert outcome.undelivered is undelivered
    assert "'show info' on {0}: ".format(path) in str(outcome)


@contextlib.contextmanager
def took(least, most):
    start = time.time()
    yield
    # The clocks of the library and this test may differ by a few milliseconds.
    assert least * 0.9 <= time.time() - start < most


def open_files():
    gc.collect()
    return labs.descriptors()


# Replies

def test_the_reply_comes_as_it_is(fleet):
    started = fleet('2.2')
    started[0].next(faults.replying(b'\xff\x00 any bytes\r\n\n\n'))
    assert exchange(started[0].path) == b'\xff\x00 any bytes\r\n\n\n'
    assert started.commands == [['show info']]


def test_a_large_reply_is_read_to_its_end(fleet):
    started = fleet('2.2')
    reply = b''.join(b'%07d\n' % number for number in range(400000))
    started[0].next(faults.replying(reply))
    assert exchange(started[0].path) == reply


def test_a_payload_is_sent_whole(fleet):
    started = fleet('2.2')
    started.answer('add map #0 <<\nk v\n', '\n')
    assert exchange(started[0].path, b'add map #0 <<\nk v\n') == b'\n'


def test_a_command_larger_than_the_buffers_of_the_socket_is_sent_whole(fleet):
    started = fleet('2.2')
    received = []

    def count(process, client):
        time.sleep(0.05)
        size = 0
        while size < 2000001:
            size += len(client.recv(65536))
        received.append(size)
        client.sendall(b'done\n')
    started[0].next(count)
    assert exchange(started[0].path, b'x' * 2000000) == b'done\n'
    assert received == [2000001]


def test_a_peer_that_waits_for_the_end_of_the_input_gets_it(fleet):
    """[cost of construction]
    A master socket keeps the connection open until the client half-closes."""
    started = fleet('2.2')
    started[0].next(fakes.MASTER)
    with took(0, 25):
        assert exchange(started[0].path, conduct=transport.PROBE).startswith(b'Unknown command')


def test_a_master_is_asked_to_close_the_connection_without_a_half_close(fleet):
    """From 2.8 on a half-close keeps the connection for good if the worker is not found."""
    started = fleet('2.2')
    received = []

    def behave(process, client):
        received.append(sockets.Listener.receive(process, client))
        received.append(select.select([client], [], [], 0)[0])
        client.sendall(b'Name: HAProxy\n\n')
    started[0].next(behave)
    master = addresses.MasterAddress('m', addresses.path_address(started[0].path))
    assert exchange(master.process(12), conduct=transport.PROBE) == b'Name: HAProxy\n\n'
    assert received == [b'@!12; show info\nquit\n', []]


LISTING = [
    b'#<PID>          <type>          <reloads>       <uptime>        <version>',
    b'11              master          0 [failed: 1]   0d00h00m01s     3.2.26',
    b'# workers', b'# old workers',
    b'10              worker          2               0d00h00m03s     3.2.26',
    b'12              worker          1               0d00h00m02s     3.2.26', b'']


def exchange_with_worker(path):
    worker = addresses.MasterAddress(path, addresses.path_address(path)).current_worker(1, True)
    request = transport.Request(worker, b'enable frontend f', fakes.LONG)
    request.lookup = lookup.WorkerLookup(worker)
    outcome, = transport.exchange_all([request])
    return outcome


def in_pieces(process, client, pieces):
    """Send pieces so that each arrives by itself."""
    for piece in pieces:
        client.sendall(piece)
        process.stopping.wait(0.01)


def test_the_list_of_workers_may_arrive_in_pieces(fleet):
    """Here half of the list would name a former worker as the current one."""
    started = fleet('2.2')
    pieces = [piece for line in LISTING for piece in (line, b'\n') if piece]

    def behave(process, client):
        process.receive(client)
        in_pieces(process, client, pieces)
        process.receive(client)
        client.sendall(b'\n')
    started[0].next(behave)
    assert exchange_with_worker(started[0].path) == b'\n'
    assert started.commands == [['show proc', '@!12; enable frontend f']]


@pytest.mark.parametrize('pieces', [
    [b"Can't find the target PID matching the prefix '@!12'\n"],
    [b"Can't find the target PID", b" matching the prefix '@!12'", b'\n'],
    [b"Can't connect to the target CLI!", b'\n'],
])
def test_a_master_without_the_worker_may_leave_the_connection_open(fleet, pieces):
    started = fleet('2.2')

    def behave(process, client):
        process.receive(client)
        client.sendall(b'\n'.join(LISTING) + b'\n')
        process.receive(client)
        in_pieces(process, client, pieces)
        process.stopping.wait(fakes.LONG)
    started[0].next(behave)
    with took(0, fakes.LONG / 2):
        outcome = exchange_with_worker(started[0].path)
    started[0].stopping.set()
    assert outcome == b''.join(pieces)


def test_the_end_of_the_input_is_not_told_otherwise(fleet):
    """Half-closing the connection would end HAProxy's ``wait``."""
    started = fleet('2.2')
    told = []

    def behave(process, client):
        process.receive(client)
        client.setblocking(False)
        try:
            told.append(client.recv(1))
        except socket.error as error:
            told.append(error.errno)
        client.sendall(b'Done.\n\n')
    started[0].next(behave)
    assert exchange(started[0].path) == b'Done.\n\n'
    assert told == [errno.EAGAIN]


# Peers that are not HAProxy

def endless(pause):
    """Return a behavior that sends data forever."""
    def behave(process, client):
        process.receive(client)
        try:
            while not process.stopping.wait(pause):
                client.sendall(b'x' * 40000)
        except socket.error:
            pass
    return behave


def test_a_probe_takes_little_of_a_stream(fleet):
    started = fleet('2.2')
    started[0].next(endless(0))
    outcome = exchange(started[0].path, conduct=transport.PROBE)
    assert isinstance(outcome, exceptions.SocketApplicationError)
    assert 'larger than 65536 bytes' in str(outcome)


def test_a_probe_ends_after_twice_the_timeout(fleet):
    """No matter what arrives in the meantime, or how fast."""
    started = fleet('2.2')
    started[0].next(faults.slow(100000, 0.01, b'x' * 200000000))
    with took(1, 20):
        outcome = exchange(started[0].path, timeout=0.5, conduct=transport.Conduct(
            True, transport.MAX_REPLY, 2))
    assert isinstance(outcome, exceptions.SocketTimeout)


def test_no_timeout_waits_without_limit(fleet):
    started = fleet('2.2')
    started[0].next(faults.late(0.3))
    assert exchange(started[0].path, timeout=None).startswith(b'Name: HAProxy')


# Without poll()

class Select(object):
    error = select.error
    select = staticmethod(select.select)


@pytest.fixture
def no_poll(monkeypatch):
    """Reduce the select module to what eventlet leaves of it."""
    monkeypatch.setattr(polling, 'select', Select)


def test_select_serves_where_there_is_no_poll(no_poll, fleet):
    started = fleet('2.2', 3)
    reply = b'%07d\n' * 100000
    for process in started:
        process.next(faults.replying(reply))
    outcomes = transport.exchange_all([
        transport.Request(path, b'show info', fakes.LONG) for path in started.paths])
    assert outcomes == [reply] * 3
    started[0].next(faults.silent())
    assert isinstance(exchange(started[0].path, timeout=0.25), exceptions.SocketTimeout)


@pytest.fixture
def many_files():
    """Open more files than select() can wait for."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < 1100:
        resource.setrlimit(resource.RLIMIT_NOFILE, (1100, hard))
    taken = [os.open(os.devnull, os.O_RDONLY) for _ in range(1030)]
    yield
    for number in taken:
        os.close(number)
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_more_files_than_select_can_wait_for_are_an_error_before_anything_is_sent(
        monkeypatch, fleet, many_files):
    started = fleet('2.2')
    assert exchange(started[0].path).startswith(b'Name: HAProxy')
    monkeypatch.setattr(polling, 'select', Select)
    outcome = exchange(started[0].path)
    assert isinstance(outcome, exceptions.HAProxySocketError)
    assert outcome.undelivered
    assert 'select' in str(outcome) or 'descriptor' in str(outcome)
    assert started.commands == [['show info']]


# Signals

class Alarm(Exception):
    pass


class OSAlarm(OSError):
    pass


def alarming(pause, behave):
    """Let the alarm go off some time after the command has come: the connection stands then."""
    def run(process, client):
        select.select([client], [], [], 30)
        signal.setitimer(signal.ITIMER_REAL, pause)
        return behave(process, client)
    return run


@pytest.mark.signals
@pytest.mark.parametrize('raised', [
    OSAlarm(), OSAlarm('late'), OSAlarm(errno.EAGAIN, 'late'), OSAlarm(errno.ECONNRESET, 'late'),
    socket.timeout('late'), ValueError('late'), Alarm(), select.error(), select.error(errno.EINTR)],
    ids=repr)
@pytest.mark.parametrize('behave', [
    faults.silent(), endless(0), faults.slow(10, 0.01, b'x' * 1000000)], ids=[
        'while it waits', 'while it reads', 'in between'])
def test_what_a_signal_handler_raises_is_the_callers(fleet, raised, behave):
    started = fleet('2.2')

    def handle(number, frame):
        if raised.args == ():
            del number, frame
        raise raised
    former = signal.signal(signal.SIGALRM, handle)
    before = open_files()
    try:
        for pause in (0.01, 0.013, 0.02):
            started[0].next(alarming(pause, behave))
            with pytest.raises(type(raised)) as caught:
                exchange(started[0].path)
            assert caught.value is raised
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, former)
    labs.wait_until(lambda: open_files() <= before, 'nothing is left open')


class Handlers(object):
    """Handlers of a signal: they keep their frame, or delete it."""

    def __init__(self, raised):
        self.raised = raised

    def keep(self, number, frame):
        raise self.raised

    def delete(self, number, frame):
        del number, frame
        raise self.raised

    __call__ = delete


by_handlers = pytest.mark.parametrize('handler_of', [
    lambda handlers: handlers.keep, lambda handlers: handlers.delete, lambda handlers: handlers],
    ids=['keeps its frame', 'deletes its frame', 'an object'])


@pytest.mark.signals
@pytest.mark.parametrize('raised', [
    OSAlarm(), OSAlarm(errno.EAGAIN, 'late'), OSAlarm(errno.EINPROGRESS, 'late'),
    socket.timeout('late'), ValueError('late')], ids=repr)
@by_handlers
def test_so_it_is_while_it_connects(fleet, monkeypatch, raised, handler_of):
    path = fleet('2.2', 0).full().path
    # It tries to connect nearly all the time.
    monkeypatch.setattr(transport, 'BACKLOG_PAUSE', 0)
    former = signal.signal(signal.SIGALRM, handler_of(Handlers(raised)))
    try:
        for pause in (0.01, 0.013, 0.02, 0.023):
            with pytest.raises(type(raised)) as caught:
                signal.setitimer(signal.ITIMER_REAL, pause)
                exchange(path)
            assert caught.value is raised
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, former)


@pytest.mark.signals
@by_handlers
def test_so_it_is_in_the_middle_of_a_connect(fleet, monkeypatch, handler_of):
    started = fleet('2.2')
    raised = OSAlarm(errno.EAGAIN, 'late')
    real = imports.socket_part('socket')

    class Interrupted(object):
        def __init__(self, *arguments):
            self.sock = real(*arguments)

        def __getattr__(self, name):
            return getattr(self.sock, name)

        def connect(self, target):
            os.kill(os.getpid(), signal.SIGALRM)
            self.sock.connect(target)
    monkeypatch.setattr(transport.imports, 'socket_part', lambda name: Interrupted)
    former = signal.signal(signal.SIGALRM, handler_of(Handlers(raised)))
    try:
        with pytest.raises(OSAlarm) as caught:
            exchange(started[0].path)
        assert caught.value is raised
    finally:
        signal.signal(signal.SIGALRM, former)


GET_WEIGHT = b'get weight backend_proc1/backend_proc1_srv1'
SET_WEIGHT = b'set weight backend_proc1/backend_proc1_srv1 7'


class Change(transport.Request):
    settles = True


@pytest.fixture
def alarms():
    """The exceptions that alarms raise, one after the other."""
    raised = [Alarm('first'), OSAlarm(errno.EAGAIN, 'second')]

    def handle(number, frame):
        if raised:
            raise raised.pop(0)
    former = signal.signal(signal.SIGALRM, handle)
    yield raised
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, former)


@pytest.mark.signals
def test_a_change_that_is_interrupted_is_made_before_the_call_ends(fleet, alarms):
    started = fleet('2.2')

    def behave(process, client):
        process.stopping.wait(0.3)
        process.answer(client)
    started[0].next(alarming(0.01, behave))
    with pytest.raises(Alarm):
        transport.exchange_all([Change(started[0].path, SET_WEIGHT, fakes.LONG)])
    assert b'7 (' in exchange(started[0].path, GET_WEIGHT)


@pytest.mark.signals
@pytest.mark.parametrize('timeout, interval, expected', [(2, 0, Alarm), (60, 0.1, OSAlarm)])
def test_it_does_not_wait_for_ever(fleet, alarms, monkeypatch, timeout, interval, expected):
    """Nor does it wait after another interruption."""
    def behave(process, client):
        select.select([client], [], [], 30)
        signal.setitimer(signal.ITIMER_REAL, 0.01, interval)
        faults.silent().behavior(process, client)
    monkeypatch.setattr(transport, 'MAX_SETTLING', 60)
    started = fleet('2.2')
    started[0].next(behave)
    begun = time.time()
    with pytest.raises(expected):
        transport.exchange_all([Change(started[0].path, SET_WEIGHT, timeout)])
    assert time.time() - begun < 30


@pytest.mark.signals
def test_it_waits_for_all_at_the_same_time(fleet, alarms, monkeypatch):
    monkeypatch.setattr(transport, 'MAX_SETTLING', 1)
    started = fleet('2.2', 20)
    for process in started:
        process.next(faults.silent())
    started[19].next(alarming(0.01, faults.silent().behavior))
    begun = time.time()
    with pytest.raises(Alarm):
        transport.exchange_all([Change(path, SET_WEIGHT, None) for path in started.paths])
    assert time.time() - begun < 15


@pytest.mark.signals
def test_what_was_only_sent_in_part_has_no_answer(fleet, alarms):
    """The peer gets the end of the connection instead of the rest."""
    started = fleet('2.2')

    def behave(process, client):
        received = client.recv(1)
        signal.setitimer(signal.ITIMER_REAL, 0.01)
        process.stopping.wait(0.3)
        while received:
            received = client.recv(65536)
        lasted.append(True)
    started[0].next(behave)
    lasted = []
    with pytest.raises(Alarm):
        transport.exchange_all([Change(started[0].path, b'x' * 3000000, fakes.LONG)])
    assert lasted


@pytest.mark.skipif(not hasattr(signal, 'setitimer'), reason='no timers')
def test_a_peer_that_closes_early_does_not_kill_the_program(fleet):
    started = fleet('2.2')
    former = signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    try:
        for _ in range(20):
            started[0].next(faults.closing_at_once())
            outcome = exchange(started[0].path, b'x' * 2000000)
            assert isinstance(outcome, exceptions.HAProxySocketError)
    finally:
        signal.signal(signal.SIGPIPE, former)


def test_a_clock_that_is_set_back_changes_nothing(monkeypatch, fleet):
    started = fleet('2.2')
    started[0].next(faults.silent())
    monkeypatch.setattr(time, 'time', lambda: 0)
    assert isinstance(exchange(started[0].path, timeout=0.25), exceptions.SocketTimeout)


def test_the_clock_of_python_2_only_goes_forward():
    first = transport._elapsed()
    labs.wait_until(lambda: transport._elapsed() > first, 'it goes on')


def test_outcomes_are_in_the_order_of_the_requests(fleet):
    started = fleet('2.2', 3)
    for process, seconds in zip(started, (0.06, 0.03, 0)):
        process.next(faults.late(seconds))
        process.answers['who'] = '{0}\n'.format(process.number)
    paths = started.paths[:2] + [started.stale()] + started.paths[2:]
    outcomes = transport.exchange_all([transport.Request(path, b'who', fakes.LONG) for path in paths])
    assert isinstance(outcomes.pop(2), exceptions.SocketConnectionError)
    assert outcomes == [b'1\n', b'2\n', b'3\n']


def test_no_requests_have_no_outcomes():
    assert transport.exchange_all([]) == []


# Follow-up requests

def test_what_follows_is_sent_while_others_go_on(fleet):
    started = fleet('2.2', 2)
    ended = []

    def last(process, client):
        labs.wait_until(lambda: started[1].connections == 5, 'the others go on')
        time.sleep(0.2)
        process.answer(client)
    started[0].next(last)

    def follow(place, outcome):
        ended.append((place, outcome[:4]))
        if place == 1 and len(ended) < 5:
            return transport.Request(started[1].path, b'show acl', fakes.LONG)
        return None
    outcomes = transport.exchange_all(
        [transport.Request(path, COMMAND, fakes.LONG) for path in started.paths], follow)
    assert ended == [(1, b'Name')] + [(1, b'# id')] * 4 + [(0, b'Name')]
    assert outcomes == [None, None]
    assert started.commands == [['show info'], ['show info'] + ['show acl'] * 4]


def test_an_error_in_what_follows_leaves_no_connection(fleet):
    started = fleet('2.2', 2)
    started[0].next(faults.silent())
    before = open_files()

    def follow(place, outcome):
        raise KeyError(place)
    with pytest.raises(KeyError):
        transport.exchange_all(
            [transport.Request(path, COMMAND, fakes.LONG) for path in started.paths], follow)
    for process in started:
        process.refuse()
    # The listening sockets, now closed, were counted before.
    assert open_files() == before - 2


# Concurrency

def test_all_sockets_are_asked_at_the_same_time(fleet):
    """[concurrent processes]
    A call takes as long as the slowest process, and leaves no thread behind."""
    started = fleet('2.2', 4)
    for process in started:
        process.fail(faults.late(0.1))
    started.wait_for_silence()
    threads = threading.active_count()

    def ask():
        outcomes = transport.exchange_all(
            [transport.Request(path, COMMAND, fakes.LONG) for path in started.paths])
        assert all(outcome.startswith(b'Name: HAProxy') for outcome in outcomes)
    assert 0.09 <= fakes.fastest(ask, 0.25) < 0.25
    started.wait_for_silence()
    assert threading.active_count() == threads


def test_a_silent_socket_does_not_hold_up_the_others(fleet):
    """[concurrent processes; constructor]"""
    started = fleet('2.2', 2)
    started[0].next(faults.silent())
    with took(0.15, 10):
        outcomes = transport.exchange_all([
            transport.Request(path, COMMAND, timeout)
            for path, timeout in zip(started.paths, (0.15, fakes.LONG))])
    assert isinstance(outcomes[0], exceptions.SocketTimeout)
    assert outcomes[1].startswith(b'Name: HAProxy')


# Nobody listening

def missing(started):
    return started.path('missing.sock')


def plain(started):
    return started.file('plain')


@pytest.mark.parametrize('place, number', [
    (missing, errno.ENOENT),
    (fakes.Fleet.stale, errno.ECONNREFUSED),
    (fakes.Fleet.bound, errno.ECONNREFUSED),
    (plain, errno.ECONNREFUSED),
    (fakes.Fleet.datagram, errno.EPROTOTYPE),
])
def test_where_nobody_listens_it_is_a_connection_error(place, number, fleet):
    """[exception tree]"""
    path = place(fleet('2.2', 0))
    with took(0, 25):
        outcome = exchange(path)
    assert_error(outcome, exceptions.SocketConnectionError, number, path, True)
    assert outcome.strerror == os.strerror(number)


def test_a_forbidden_socket_is_a_permission_error(fleet):
    """[exception tree]"""
    started = fleet('2.2')
    os.chmod(started.directory, 0)
    root = os.geteuid() == 0
    if root:
        os.seteuid(65534)
    try:
        outcome = exchange(started[0].path)
    finally:
        if root:
            os.seteuid(0)
        os.chmod(started.directory, 0o700)
    assert_error(outcome, exceptions.SocketPermissionError, errno.EACCES, started[0].path, True)


class BrokenSocket(object):
    """A socket that cannot connect."""

    def __init__(self, number):
        self.number = number

    def setblocking(self, flag):
        pass

    def connect(self, path):
        raise socket.error(self.number, os.strerror(self.number))

    def close(self):
        pass


@pytest.mark.parametrize('number, kind', [
    (errno.ENOENT, exceptions.SocketConnectionError),
    (errno.ECONNREFUSED, exceptions.SocketConnectionError),
    (errno.EPROTOTYPE, exceptions.SocketConnectionError),
    (errno.ENOTSOCK, exceptions.SocketConnectionError),
    (errno.EACCES, exceptions.SocketPermissionError),
    (errno.EPERM, exceptions.SocketPermissionError),
    (errno.EISCONN, exceptions.SocketTransportError),
    (errno.ETIMEDOUT, exceptions.SocketTimeout),
    (errno.ECONNRESET, exceptions.SocketApplicationError),
    (errno.EPIPE, exceptions.SocketApplicationError),
    (errno.ENOMEM, exceptions.HAProxySocketError),
    (errno.ELOOP, exceptions.HAProxySocketError),
])
def test_each_errno_has_its_class(number, kind, monkeypatch):
    """[exception tree]"""
    monkeypatch.setattr(socket, 'socket', lambda *args: BrokenSocket(number))
    outcome = exchange('/run/1')
    assert_error(outcome, kind, number, '/run/1', True)
    assert outcome.strerror == os.strerror(number)
    assert outcome.__cause__.errno == number


def test_a_process_without_free_file_descriptors_is_told_so(monkeypatch):
    """[exception tree] Not even a socket can be created."""
    def broken(*args):
        raise socket.error(errno.EMFILE, os.strerror(errno.EMFILE))
    monkeypatch.setattr(socket, 'socket', broken)
    assert_error(exchange('/run/1'), exceptions.HAProxySocketError, errno.EMFILE, '/run/1', True)


@pytest.mark.parametrize('path', ['/tmp/with\0nul', 7, None])
def test_what_is_no_address_is_a_value_error(path):
    with pytest.raises(ValueError):
        transport.Request(path, b'show info', 1)


def test_a_path_that_is_too_long_is_a_socket_error():
    outcome = exchange('/tmp/' + 'x' * 120)
    assert type(outcome) in (exceptions.HAProxySocketError, exceptions.SocketConnectionError)
    assert outcome.undelivered


# Silence

@pytest.mark.parametrize('timeout', [0.1, 0.25])
def test_a_silent_haproxy_times_out(timeout, fleet):
    """[constructor]"""
    started = fleet('2.2')
    started[0].next(faults.silent())
    with took(timeout, timeout + 10):
        outcome = exchange(started[0].path, timeout=timeout)
    assert_error(outcome, exceptions.SocketTimeout, errno.ETIMEDOUT, started[0].path, False)
    assert 'timed out after {0:g} s'.format(timeout) in str(outcome)


def test_a_connection_that_is_never_taken_times_out(fleet):
    """[constructor; retries]
    HAProxy may accept it from the queue later, so it may receive the command."""
    path = fleet('2.2', 0).deaf()
    with took(0.1, 10):
        outcome = exchange(path, timeout=0.1)
    assert_error(outcome, exceptions.SocketTimeout, errno.ETIMEDOUT, path, False)


def test_a_full_backlog_times_out_as_never_delivered(fleet):
    """[constructor; retries]"""
    path = fleet('2.2', 0).full().path
    with took(0.1, 10):
        outcome = exchange(path, timeout=0.1)
    assert_error(outcome, exceptions.SocketTimeout, errno.ETIMEDOUT, path, True)


def test_a_full_backlog_is_tried_again_within_the_timeout(fleet):
    """[constructor] Connecting to a full queue fails at once; the library tries again."""
    backlog = fleet('2.2', 0).full()
    opened = []

    def serve():
        time.sleep(0.1)
        backlog.drain()
        client = backlog.accept()
        opened.append(client.recv(100))
        client.sendall(b'late\n')
        client.close()
    with took(0.05, 15):
        server = sockets.started(serve)
        assert exchange(backlog.path) == b'late\n'
    server.join()
    assert opened == [b'show info\n']


def test_a_connection_may_get_the_number_of_one_that_has_just_ended(fleet):
    """The connection that waited for a full queue continues at once, and is not lost."""
    started = fleet('2.2', 1)
    backlog = started.full()
    placed, taken = threading.Event(), []

    def make_place(process, client):
        process.receive(client)
        client.sendall(b'first\n')
        time.sleep(0.05)
        taken.append(backlog.accept())
        client.close()
        placed.set()

    def serve():
        placed.wait()
        backlog.drain(but=1)
        client = backlog.accept()
        client.recv(100)
        client.sendall(b'x' * 3000000 + b'\n')
        client.close()
    started[0].next(make_place)
    server = sockets.started(serve)
    with took(0, 25):
        outcomes = transport.exchange_all([
            transport.Request(path, COMMAND, fakes.LONG)
            for path in (started[0].path, backlog.path)])
    server.join()
    taken.pop().close()
    assert outcomes == [b'first\n', b'x' * 3000000 + b'\n']


def test_a_long_answer_without_silence_is_no_timeout(fleet):
    """[constructor] The timeout limits each wait for data, not the whole reply."""
    started = fleet('2.2')
    reply = b'x' * 1000000 + b'\n'
    started[0].next(faults.slow(150000, 0.3, reply))
    with took(1.8, 60):
        assert exchange(started[0].path, timeout=1.8) == reply


@pytest.mark.parametrize('first', [0, 300000])
def test_a_dribbling_peer_does_not_hold_the_caller(first, fleet):
    """[constructor] Less than 64 KiB within the timeout is too slow."""
    started = fleet('2.2')

    def dribble(process, client):
        process.receive(client)
        client.sendall(b'x' * first)
        while not process.stopping.wait(0.02):
            client.sendall(b'y')
    started[0].next(dribble)
    with took(1, 30):
        outcome = exchange(started[0].path, timeout=1)
    assert_error(outcome, exceptions.SocketTimeout, errno.ETIMEDOUT, started[0].path, False)
    assert 'too slowly' in str(outcome)


def test_the_least_progress_is_64_kib_in_each_timeout():
    """[constructor]"""
    assert transport.MIN_PROGRESS == 64 * 1024


@pytest.mark.parametrize('is_told', [True, False])
def test_a_caller_that_was_stopped_still_reads_what_has_come(is_told, fleet, monkeypatch):
    """HAProxy does not cause the delay of a closed laptop, a debugger or a busy machine.

    An interrupted poll() does not check again once its timeout has expired.
    """
    started = fleet('2.2')
    poll, now, lost = polling.poll, transport._now, [0]

    def stopped(poller, seconds):
        ready = poll(poller, seconds)
        for fileno, _ in ready:
            hung_up = select.poll()
            hung_up.register(fileno, 0)
            hung_up.poll(10000)  # meanwhile the whole reply arrives
        lost[0] += 100
        return ready if is_told else []
    monkeypatch.setattr(polling, 'poll', stopped)
    monkeypatch.setattr(transport, '_now', lambda: now() + lost[0])
    assert exchange(started[0].path, timeout=fakes.LONG).endswith(b'\n\n')
    assert lost[0] >= 100


@pytest.mark.parametrize('timeout', [1e10, float('inf')])
def test_any_timeout_is_taken(timeout, fleet):
    assert exchange(fleet('2.2')[0].path, timeout=timeout).endswith(b'\n\n')


def test_a_signal_is_no_failure(fleet):
    """Python 2 raises an error for an interrupted call."""
    started = fleet('2.2')
    started[0].next(faults.late(0.15))
    seen = []
    before = signal.signal(signal.SIGALRM, lambda *args: seen.append(1))
    signal.setitimer(signal.ITIMER_REAL, 0.02, 0.02)
    try:
        assert exchange(started[0].path).endswith(b'\n\n')
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert seen


# Size limit

def test_a_reply_is_at_most_256_mib():
    """[constructor]"""
    assert transport.MAX_REPLY == 256 * 1024 * 1024


@pytest.mark.parametrize('size, taken', [(1000, True), (1001, False), (200000, False)])
def test_a_larger_reply_is_an_application_error(size, taken, fleet, monkeypatch):
    """[constructor]"""
    monkeypatch.setattr(transport, 'MAX_REPLY', 1000)
    started = fleet('2.2')
    started[0].next(faults.replying(b'x' * size))
    outcome = exchange(started[0].path)
    if taken:
        assert outcome == b'x' * size
    else:
        assert_error(outcome, exceptions.SocketApplicationError, None, started[0].path, False)
        assert 'larger than 1000 bytes' in str(outcome)


# Connections closed before the reply

@pytest.mark.parametrize('behavior, command', [
    (faults.closing(), COMMAND),
    (CLOSING_AT_ONCE, COMMAND),
    (CLOSING_AT_ONCE, b'show info ' + b'x' * 1000000),
    (faults.cut(0), COMMAND),
    (faults.reset(), COMMAND),
    (faults.reset(b'Name: HAP'), COMMAND),
])
def test_an_end_before_the_answer_is_an_application_error(behavior, command, fleet):
    """[exception tree] Closed, reset and EPIPE; this was a ValueError in 0.2.4, and still is."""
    started = fleet('2.2')
    started[0].next(behavior)
    with took(0, 25):
        outcome = exchange(started[0].path, command)
    assert type(outcome) is exceptions.SocketApplicationError
    assert isinstance(outcome, ValueError)
    # If the other side has closed before the first byte, nothing was delivered.
    assert outcome.undelivered is False or behavior is CLOSING_AT_ONCE
    assert outcome.errno in (None, errno.ECONNRESET, errno.EPIPE)
    assert started[0].path in str(outcome) and "'show info" in str(outcome)


def test_a_cut_answer_comes_as_far_as_it_came(fleet):
    """Whether a reply is complete depends on the command, so this module does not check it."""
    started = fleet('2.2')
    started[0].next(faults.cut(9))
    assert exchange(started[0].path) == b'Name: HAP'


# Nothing is left behind

@pytest.mark.parametrize('behavior', [
    faults.answering(), faults.closing(), CLOSING_AT_ONCE, faults.reset(b'x'), faults.silent(),
    faults.cut(5), faults.slow(1, 0.02)])
def test_no_file_descriptor_is_left_open(behavior, fleet):
    """[concurrent processes]"""
    started = fleet('2.2')
    before = open_files()
    started[0].fail(behavior)
    paths = [started[0].path, started.stale(), started.path('missing')]
    transport.exchange_all([transport.Request(path, COMMAND, 0.1) for path in paths])
    started[0].refuse()
    # The listening socket, now closed, was counted before.
    assert open_files() == before - 1


def test_no_file_descriptor_is_left_open_after_an_interrupt(fleet, monkeypatch):
    started = fleet('2.2', 0)
    path = started.deaf()
    before = open_files()

    def interrupted(poller, seconds):
        raise KeyboardInterrupt
    monkeypatch.setattr(polling, 'poll', interrupted)
    with pytest.raises(KeyboardInterrupt):
        exchange(path)
    assert open_files() == before


def test_more_than_1024_open_files_are_no_trouble(fleet):
    """select() does not support so many; poll() does."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < 1400:
        pytest.skip('at most {0} open files'.format(hard))
    started = fleet('2.2')
    opened = []
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 1400), hard))
        opened = [os.open(os.devnull, os.O_RDONLY) for _ in range(1100)]
        assert exchange(started[0].path).endswith(b'\n\n')
    finally:
        for fileno in opened:
            os.close(fileno)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


# Logging and messages

def test_each_exchange_is_logged(fleet, caplog):
    """[logging]"""
    started = fleet('2.2')
    caplog.set_level(logging.DEBUG, logger='haproxyadmin')
    reply = exchange(started[0].path)
    record, = caplog.records
    assert (record.name, record.levelno) == ('haproxyadmin', logging.DEBUG)
    head, tail = record.getMessage().split(' bytes in ')
    assert head == "'show info' on {0}: {1}".format(started[0].path, len(reply))
    assert tail.endswith(' ms') and 0 <= float(tail[:-3]) < 60000


def test_an_exchange_that_failed_is_logged_with_its_error(fleet, caplog):
    """[logging]"""
    path = fleet('2.2', 0).stale()
    caplog.set_level(logging.DEBUG, logger='haproxyadmin')
    exchange(path)
    record, = caplog.records
    assert record.getMessage().endswith(', SocketConnectionError')
    assert path in record.getMessage()


def test_a_payload_is_never_logged_and_in_no_message(fleet, caplog):
    """[logging] It may contain a private key."""
    started = fleet('2.2')
    started[0].next(faults.closing())
    caplog.set_level(logging.DEBUG, logger='haproxyadmin')
    outcome = exchange(started[0].path, b'set ssl cert a.pem <<\n-----BEGIN PRIVATE KEY-----\n')
    for told in (str(outcome), repr(outcome), caplog.records[0].getMessage()):
        assert 'PRIVATE' not in told
    assert 'set ssl cert a.pem <<' in str(outcome)


def test_nothing_is_logged_below_debug(fleet, caplog):
    """[logging]"""
    caplog.set_level(logging.INFO, logger='haproxyadmin')
    exchange(fleet('2.2')[0].path)
    assert not caplog.records


def test_no_handler_is_installed_but_the_null_handler():
    """[logging]"""
    kinds = [type(handler) for handler in logging.getLogger('haproxyadmin').handlers
             if type(handler).__module__ == 'logging']
    assert kinds == [logging.NullHandler]


@pytest.mark.parametrize('command', [u'add acl #4 /\u017elu\u0165'.encode('utf-8'),
                                     b'add acl #4 /\xff\xfe'])
def test_any_bytes_of_a_command_can_be_told(command, fleet, caplog):
    """[UTF-8; messages] Also on Python 2, where str() fails for text that is not ASCII."""
    started = fleet('2.2')
    started[0].next(faults.closing())
    caplog.set_level(logging.DEBUG, logger='haproxyadmin')
    outcome = exchange(started[0].path, command)
    assert type(outcome) is exceptions.SocketApplicationError
    assert 'add acl #4 /' in str(outcome)
    assert 'add acl #4 /' in caplog.records[0].getMessage()
