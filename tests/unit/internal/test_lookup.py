# SPDX-License-Identifier: Apache-2.0
"""internal/lookup.py: which worker a change is for."""
import pytest

from haproxyadmin import exceptions
from haproxyadmin.internal.lookup import WorkerLookup
from haproxyadmin.protocol.addresses import MasterAddress, path_address

HEAD = b'#<PID>          <type>          <reloads>       <uptime>        <version>\n'
MASTER = b'11              master          0 [failed: 0]   0d00h00m01s     3.2.26\n'
WORKER = b'12              worker          0               0d00h00m01s     3.2.26\n'
FORMER = b'10              worker          1               0d00h00m02s     3.2.26\n'


def resolve(reply):
    address = MasterAddress('/m', path_address('/m')).current_worker(1, True)
    return WorkerLookup(address).resolve(reply)


@pytest.mark.parametrize('reply', [
    HEAD + MASTER + b'# workers\n' + WORKER + b'# old workers\n' + FORMER + b'\n',
    HEAD + MASTER + b'# workers\n# old workers\n' + FORMER + WORKER + b'\n',
])
def test_the_change_is_for_the_current_worker(reply):
    assert resolve(reply).prefix == b'@!12; '


def test_a_level_that_is_too_low_is_left_to_the_command():
    assert resolve(b'Permission denied\n\n') is None


@pytest.mark.parametrize('reply', [
    b'\n\n', b'Garbage\n\n', b'Unknown command: show\n  help : this message\n\n',
    b'HTTP/1.1 400 Bad request\r\n\r\n<html></html>\n\n', b'# pxname,svname\n\n',
    b'\xff\xfe\n\n', HEAD + b'\n', HEAD + MASTER + b'not a process\n\n',
])
def test_anything_else_is_no_answer_to_the_change(reply):
    """An empty line, above all, would be taken for a success."""
    error = resolve(reply)
    assert type(error) is exceptions.SocketApplicationError
    assert error.undelivered
    assert error.socket_file == '/m'
    assert str(error).startswith('/m: ')


def test_a_master_without_workers_is_an_error():
    error = resolve(HEAD + MASTER + b'# workers\n# old workers\n\n')
    assert type(error) is exceptions.SocketConnectionError
    assert error.undelivered
    assert str(error) == '/m: the master has no worker @1'
