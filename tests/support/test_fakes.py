# SPDX-License-Identifier: Apache-2.0
"""The fake is strict, and replies like HAProxy."""
import re
import socket

import pytest

from tests.support import captured, fakes


def ask(path, sent, half_close=True):
    client = socket.socket(socket.AF_UNIX)
    client.settimeout(5)
    client.connect(path)
    client.sendall(sent)
    if half_close:
        client.shutdown(socket.SHUT_WR)
    received = b''
    while True:
        chunk = client.recv(65536)
        if not chunk:
            client.close()
            return received
        received += chunk


@pytest.mark.parametrize('sent, problem', [
    (b'bogus\n', 'unknown command'),
    (b'show info', 'not one command line'),
    (b'show info\nshow info\n', 'not one command line'),
    (b'add map #0 <<\nk v\n', 'not one command line'),
    (b'show info' + b' ' * 15360 + b'\n', 'wedges or crashes'),
    (b'show' + b' x' * 64 + b'\n', 'wedges or crashes'),
    (b'show info\r\n', 'ends early'),
    (b'show info\0\n', 'ends early'),
])
def test_what_a_haproxy_does_not_take_is_a_problem(sent, problem):
    started = fakes.Fleet()
    ask(started[0].path, sent)
    assert any(problem in found for found in started.stop())


def test_an_answer_too_often_is_a_problem():
    started = fakes.Fleet()
    started.answer('enable frontend f', ['\n'])
    assert ask(started[0].path, b'enable frontend f\n') == b'\n'
    ask(started[0].path, b'enable frontend f\n')
    assert 'once too often' in started.stop()[0]


def test_a_client_that_keeps_its_side_open_is_a_problem():
    started = fakes.Fleet()
    started[0].next(fakes.MASTER)
    client = socket.socket(socket.AF_UNIX)
    client.connect(started[0].path)
    client.sendall(b'show info\n')
    client.recv(4)
    assert 'half-close' in started.stop()[0]
    client.close()


@pytest.mark.parametrize('version', captured.VERSIONS)
def test_the_table_is_the_captured_one(version, fleet):
    started = fleet(version)
    assert started[0].table() == captured.dump(version, 'stat.csv')


@pytest.mark.parametrize('arguments, count', [
    (b'-1 -1 -1', 25), (b'-1 1 -1', 4), (b'-1 2 -1', 6), (b'-1 4 -1', 15), (b'-1 6 -1', 21),
    (b'8 6 -1', 6), (b'8 4 2', 1), (b'8 6 2', 2), (b'99 7 -1', 0),
])
def test_a_table_is_filtered_as_haproxy_does(arguments, count, fleet):
    reply = ask(fleet('2.2')[0].path, b'show stat ' + arguments + b'\n')
    assert reply.endswith(b'\n\n')
    assert len(reply.splitlines()) == count + 2


def test_processes_have_numbers_and_pids_of_their_own(fleet):
    for version, numbers in [('2.2', ['1', '2']), ('2.6', ['1', '1'])]:
        started = fleet(version, 2)
        assert [process.info['Process_num'] for process in started] == numbers
        assert [process.get('haproxy', 'FRONTEND', 'pid') for process in started] == numbers
        assert started[0].info['Pid'] != started[1].info['Pid']


def test_two_commands_of_a_line_have_each_their_answer(fleet):
    reply = ask(fleet('2.2')[0].path, b'show acl #4;show map #7\n')
    real = captured.dump('2.2', 'acl_4.txt') + captured.dump('2.2', 'map_7.txt')
    assert [re.sub(b'0x[0-9a-f]+', b'', text) for text in (reply, real)] == [
        re.sub(b'0x[0-9a-f]+', b'', real)] * 2
