# SPDX-License-Identifier: Apache-2.0
"""testing/faults.py: what goes wrong does so for a socket, for the library, and for no longer."""
import errno
import os
import socket
import time

import pytest

from haproxyadmin import exceptions
from haproxyadmin.testing import fake, faults
from haproxyadmin.testing.texts import raw, text
from tests.support import fakes

LEVEL = 'admin\n\n'
# Seconds after which a socket that must not get an answer is taken not to get one.
QUIET = 0.1


@pytest.fixture
def haproxy():
    with fake.FakeHAProxy('3.2') as started:
        yield started


@pytest.fixture
def pair():
    with fake.FakeHAProxy('3.2', processes=2) as started:
        yield started


def ask(path, command='show cli level', half_close=True, timeout=fakes.LONG):
    """Send a command to a socket and return what comes until it is closed, or the error."""
    client = socket.socket(socket.AF_INET if isinstance(path, tuple) else socket.AF_UNIX)
    client.settimeout(timeout)
    received = b''
    try:
        client.connect(path)
        client.sendall(raw(command + '\n'))
        if half_close:
            client.shutdown(socket.SHUT_WR)
        while True:
            chunk = client.recv(65536)
            if not chunk:
                return text(received)
            received += chunk
    except (socket.timeout, socket.error) as error:
        return error
    finally:
        client.close()


def is_reset(answer):
    # Over TCP the client may notice it when it shuts its side down.
    return isinstance(answer, socket.error) and answer.errno in (errno.ECONNRESET, errno.ENOTCONN,
                                                                 errno.EPIPE)


# Each fault, for a socket

@pytest.mark.parametrize('fault, answer', [
    (faults.answering(), LEVEL), (faults.late(0.01), LEVEL), (faults.slow(1, 0.001), LEVEL),
    (faults.slow(2, 0.001, 'None.\n\n'), 'None.\n\n'), (faults.cut(), ''), (faults.cut(4), 'admi'),
    (faults.cut(99), LEVEL), (faults.closing(), ''),
    (faults.replying('No such thing.\n\n'), 'No such thing.\n\n'),
    (faults.replying(b'\xff'), b'\xff'), (faults.denied(), 'Permission denied\n\n'),
    (faults.keeping_open('> \n'), '> \n'),
])
def test_what_a_client_gets(fault, answer, haproxy):
    haproxy.fail(fault)
    assert raw(ask(haproxy.processes[0].path)) == raw(answer)
    haproxy.heal()
    assert ask(haproxy.processes[0].path) == LEVEL


def test_a_late_answer_comes_late(haproxy):
    haproxy.fail(faults.late(0.2))
    start = time.time()
    assert ask(haproxy.processes[0].path) == LEVEL
    assert time.time() - start >= 0.2


def test_a_slow_answer_comes_in_pieces(haproxy):
    haproxy.fail(faults.slow(1, 0.02))
    start = time.time()
    assert ask(haproxy.processes[0].path) == LEVEL
    assert time.time() - start >= len(LEVEL) * 0.02


def test_what_is_cut_has_been_done_and_what_is_closed_has_not(haproxy):
    haproxy.fail(faults.cut(times=1))
    assert ask(haproxy.processes[0].path, 'set maxconn global 7') == ''
    assert haproxy.processes[0].info['Maxconn'] == '7'
    haproxy.fail(faults.closing(times=1))
    assert ask(haproxy.processes[0].path, 'set maxconn global 8') == ''
    assert haproxy.processes[0].info['Maxconn'] == '7'
    assert haproxy.commands == [['set maxconn global 7', 'set maxconn global 8']]


def test_the_command_is_not_read(haproxy):
    haproxy.fail(faults.closing_at_once(times=1))
    answer = ask(haproxy.processes[0].path)
    # It depends on whether the client had sent it by then.
    assert answer == '' or isinstance(answer, socket.error)
    assert haproxy.commands == [[]]


@pytest.mark.parametrize('tcp', [False, True])
def test_a_reset(tcp):
    with fake.FakeHAProxy('3.2', tcp=tcp) as haproxy:
        haproxy.fail(faults.reset())
        assert is_reset(ask(haproxy.processes[0].path))
        assert haproxy.commands == [[]]


def test_a_reset_after_a_part_of_an_answer(haproxy):
    haproxy.fail(faults.reset('Name'))
    client = socket.socket(socket.AF_UNIX)
    client.connect(haproxy.processes[0].path)
    client.sendall(b'show info\n')
    assert client.recv(4) == b'Name'
    with pytest.raises(socket.error):
        client.recv(1)
    client.close()


def test_a_reset_for_a_command_closes_the_connection(haproxy):
    haproxy.fail(faults.reset('Na', command='show'))
    assert ask(haproxy.processes[0].path) == 'Na'


def test_silence_lasts_until_the_client_goes(haproxy):
    haproxy.fail(faults.silent(times=1))
    assert isinstance(ask(haproxy.processes[0].path, timeout=QUIET), socket.timeout)
    assert ask(haproxy.processes[0].path) == LEVEL


def test_silence_does_not_outlive_the_fake():
    with fake.FakeHAProxy('3.2') as haproxy:
        haproxy.fail(faults.silent())
        client = socket.socket(socket.AF_UNIX)
        client.connect(haproxy.processes[0].path)
        client.sendall(b'show info\n')
    client.close()
    assert not os.path.exists(haproxy.directory)


def test_a_client_that_keeps_its_half_open_is_a_problem():
    with fake.FakeHAProxy('3.2', strict=False) as haproxy:
        haproxy.fail(faults.keeping_open('x'))
        client = socket.socket(socket.AF_UNIX)
        client.connect(haproxy.processes[0].path)
        client.sendall(b'show info\n')
        assert client.recv(10) == b'x'
    client.close()
    assert 'did not half-close' in haproxy.problems[0]


# For the library

@pytest.mark.parametrize('fault, error', [
    (faults.cut(20), exceptions.SocketApplicationError),
    (faults.closing(), exceptions.SocketApplicationError),
    (faults.closing_at_once(), exceptions.HAProxySocketError),
    (faults.reset(), exceptions.HAProxySocketError),
    (faults.replying('No such thing.\n\n'), exceptions.HAProxyBaseError),
    (faults.refusing(), exceptions.SocketConnectionError),
    (faults.gone(), exceptions.SocketConnectionError)])
def test_the_library_says_what_happened(fault, error, haproxy):
    hap = haproxy.connect(retry=None)
    haproxy.fail(fault)
    with pytest.raises(error):
        hap.info()
    haproxy.heal()
    assert hap.info()


def test_a_change_that_is_denied(haproxy):
    hap = haproxy.connect(retry=None)
    haproxy.fail(faults.denied(command='set maxconn'))
    with pytest.raises(exceptions.CommandFailed) as caught:
        hap.setmaxconn(7)
    assert 'Permission denied' in str(caught.value)
    assert haproxy.processes[0].info['Maxconn'] == '1000'


def test_the_library_times_out(haproxy):
    hap = haproxy.connect(retry=None, timeout=QUIET)
    haproxy.fail(faults.silent())
    with pytest.raises(exceptions.SocketTimeout):
        hap.info()


# Which connections

def test_of_a_command_and_no_others(haproxy):
    path = haproxy.processes[0].path
    haproxy.fail(faults.replying('x', command='show cli'))
    assert ask(path, 'show version') == '3.2.26-1\n\n'
    assert ask(path) == ask(path) == 'x'


def test_a_number_of_times(haproxy):
    path = haproxy.processes[0].path
    haproxy.fail(faults.replying('x', times=2))
    assert [ask(path) for _ in range(3)] == ['x', 'x', LEVEL]


def test_only_the_command_counts(haproxy):
    path = haproxy.processes[0].path
    haproxy.fail(faults.replying('x', command='show cli', times=1))
    assert ask(path, 'show version') == '3.2.26-1\n\n'
    assert [ask(path) for _ in range(2)] == ['x', LEVEL]


def test_of_a_process(pair):
    pair.fail(faults.replying('x', process=2))
    assert [ask(process.path) for process in pair.processes] == [LEVEL, 'x']


def test_each_process_counts_for_itself(pair):
    fault = faults.replying('x', times=1)
    pair.fail(fault)
    for answer in ('x', LEVEL):
        assert [ask(process.path) for process in pair.processes] == [answer] * 2
    # It can be used again.
    assert fault.times == 1


def test_the_first_one_that_concerns_it_wins(haproxy):
    path = haproxy.processes[0].path
    haproxy.fail(faults.replying('a', command='show cli', times=1))
    haproxy.fail(faults.replying('b', times=2))
    haproxy.fail(faults.replying('c'))
    assert [ask(path) for _ in range(4)] == ['a', 'b', 'b', 'c']
    assert [ask(path, 'show version') for _ in range(2)] == ['c', 'c']


def test_they_may_be_given_at_once():
    with fake.FakeHAProxy('3.2', faults=[
            faults.answering(times=2), faults.replying('x')]) as haproxy:
        assert [ask(haproxy.processes[0].path) for _ in range(3)] == [LEVEL, LEVEL, 'x']


def test_the_next_connections_of_a_process(haproxy):
    process, = haproxy.processes
    process.fail(faults.replying('later'))
    process.next(faults.replying('a'), faults.answering(), faults.closing())
    assert [ask(process.path) for _ in range(4)] == ['a', LEVEL, '', 'later']
    process.next(faults.replying('a'), faults.replying('b'))
    process.next(faults.replying('c'))
    assert [ask(process.path) for _ in range(2)] == ['c', 'later']
    process.next(faults.replying('a'))
    process.heal()
    assert ask(process.path) == LEVEL


def test_one_of_the_tests_own(haproxy):
    def twice(process, client):
        command = process.receive(client)
        client.sendall(process.reply_to(command) * 2)
    process, = haproxy.processes
    process.fail(faults.Fault(twice, command='show cli'))
    assert ask(process.path) == 2 * LEVEL
    assert ask(process.path, 'show version') == '3.2.26-1\n\n'
    process.next(twice)
    assert ask(process.path, 'show version') == 2 * '3.2.26-1\n\n'

    def at_first(process, client):
        process.heal()
        faults.closing()(process, client)
    process.fail(at_first)
    assert [ask(process.path) for _ in range(2)] == [2 * LEVEL, 2 * LEVEL]
    process.heal()
    process.fail(at_first)
    assert [ask(process.path) for _ in range(2)] == ['', LEVEL]


def test_what_goes_wrong_in_one_is_a_problem():
    def broken(process, client):
        raise KeyError('broken')
    with fake.FakeHAProxy('3.2', strict=False) as haproxy:
        haproxy.fail(faults.Fault(broken))
        ask(haproxy.processes[0].path)
    assert 'KeyError' in haproxy.problems[0]


# What happens at once

@pytest.mark.parametrize('fault, is_there', [(faults.refusing, True), (faults.gone, False)])
def test_it_refuses_connections(fault, is_there, pair):
    pair.fail(fault(process=2))
    paths = [process.path for process in pair.processes]
    assert ask(paths[0]) == LEVEL
    assert isinstance(ask(paths[1]), socket.error)
    assert os.path.exists(paths[1]) == is_there
    pair.heal()
    assert [ask(path) for path in paths] == [LEVEL, LEVEL]


@pytest.mark.parametrize('fault, is_there', [(faults.refusing, True), (faults.gone, False)])
def test_it_refuses_connections_after_a_command(fault, is_there, haproxy):
    path = haproxy.processes[0].path
    haproxy.fail(fault(command='show cli'))
    assert ask(path, 'show version') == '3.2.26-1\n\n'
    assert ask(path) == ''
    assert isinstance(ask(path, 'show version'), socket.error)
    assert os.path.exists(path) == is_there
    haproxy.heal()
    assert ask(path) == LEVEL


def test_another_process_takes_over_at_once(haproxy):
    hap = haproxy.connect()
    pids = hap.processids
    assert hap.setmaxconn(7)
    haproxy.fail(faults.restarted('2.6'))
    assert hap.processids != pids and hap.maxconn == 1000
    assert ask(haproxy.processes[0].path, 'show version').startswith('2.6.')


def test_another_process_takes_over_at_a_command(haproxy):
    process, = haproxy.processes
    pid = process.pid
    haproxy.fail(faults.restarted(command='set maxconn'))
    assert process.pid == pid
    assert ask(process.path, 'set maxconn global 7') == ''
    assert process.pid != pid and process.version == '3.2' and process.info['Maxconn'] == '1000'
    # Once is enough.
    assert ask(process.path, 'set maxconn global 7') == '\n'


def test_a_fault_at_once_leaves_no_other_behind(haproxy):
    pid = haproxy.processes[0].pid
    haproxy.fail(faults.restarted())
    assert haproxy.processes[0].pid == pid + 1000
    assert ask(haproxy.processes[0].path) == LEVEL
    assert haproxy.processes[0].pid == pid + 1000
