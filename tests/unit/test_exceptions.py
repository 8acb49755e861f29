# SPDX-License-Identifier: Apache-2.0
"""haproxyadmin.exceptions: the documented tree, the attributes of each error, and copies."""
import copy
import errno
import os
import pickle
import socket
import traceback

import pytest
import six

from haproxyadmin import exceptions
from haproxyadmin.exceptions import (CommandFailed, EntriesFailed, HAProxyBaseError,
                                     HAProxyDataError, HAProxySocketError, IncosistentData,
                                     MultipleCommandResults, NoHAProxyFound, NoSuchObject,
                                     SocketApplicationError, SocketConnectionError,
                                     SocketPermissionError, SocketTimeout, SocketTransportError)

RESULTS = [(1, 'OPEN'), (2, 'STOP')]
REFUSED = socket.error(errno.ECONNREFUSED, 'Connection refused')

SOCKET_ERRORS = [HAProxySocketError, SocketApplicationError, SocketConnectionError,
                 SocketPermissionError, SocketTimeout, SocketTransportError]

IN_CONTEXT = [kind(argument) for kind, argument in [
    (CommandFailed, 'No such server.'), (MultipleCommandResults, [(1, ''), (2, 'no')])]]
for error in IN_CONTEXT:
    error.set_context('del map #0 k', '/run/2')

EXAMPLES = IN_CONTEXT + [
    HAProxyBaseError('no'),
    CommandFailed('No such server.'),
    NoSuchObject('web', "frontend 'web' is gone from process 1 on /run/1"),
    HAProxyDataError(RESULTS),
    IncosistentData(RESULTS),
    MultipleCommandResults(RESULTS),
] + [kind('/run/1', 'show info on /run/1: no', REFUSED, True) for kind in SOCKET_ERRORS] + [
    NoHAProxyFound('/run', 'no HAProxy in /run', kind('/run/1', 'no', REFUSED))
    for kind in SOCKET_ERRORS] + [NoHAProxyFound('/run')]


@pytest.mark.parametrize('kind, parents', [
    (HAProxyBaseError, [Exception]),
    (CommandFailed, [HAProxyBaseError]),
    (NoSuchObject, [HAProxyBaseError, KeyError]),
    (HAProxyDataError, [HAProxyBaseError]),
    (IncosistentData, [HAProxyDataError]),
    (MultipleCommandResults, [HAProxyDataError]),
    (HAProxySocketError, [HAProxyBaseError, OSError, socket.error]),
    (SocketApplicationError, [HAProxySocketError, ValueError]),
    (SocketConnectionError, [HAProxySocketError]),
    (SocketPermissionError, [HAProxySocketError]),
    (SocketTimeout, [HAProxySocketError]),
    (SocketTransportError, [HAProxySocketError]),
    (NoHAProxyFound, [HAProxySocketError, ValueError]),
])
def test_the_tree_is_the_documented_one(kind, parents):
    """[exception tree]"""
    assert all(issubclass(kind, parent) for parent in parents)
    assert getattr(exceptions, kind.__name__) is kind


@pytest.mark.parametrize('kind', [
    CommandFailed, HAProxyDataError, HAProxyBaseError, SocketConnectionError,
    SocketPermissionError, SocketTimeout, SocketTransportError, HAProxySocketError])
def test_other_errors_are_no_value_error(kind):
    """[exception tree] Only a wrong argument and a missing reply from HAProxy are."""
    assert not issubclass(kind, ValueError)


@pytest.mark.parametrize('left, right', [
    (SocketTimeout, SocketConnectionError), (SocketTimeout, SocketApplicationError),
    (SocketPermissionError, SocketConnectionError), (IncosistentData, MultipleCommandResults),
    (CommandFailed, HAProxyDataError), (CommandFailed, HAProxySocketError),
    (NoHAProxyFound, SocketApplicationError), (NoHAProxyFound, SocketConnectionError),
    (NoHAProxyFound, SocketPermissionError), (NoHAProxyFound, SocketTimeout),
    (NoHAProxyFound, SocketTransportError),
])
def test_siblings_are_not_each_other(left, right):
    assert not issubclass(left, right) and not issubclass(right, left)


@pytest.mark.parametrize('error, text', [
    (HAProxyBaseError(), ''),
    (HAProxyBaseError('no'), 'no'),
    (HAProxyBaseError(message='no'), 'no'),
    (CommandFailed(), ''),
    (CommandFailed(None), ''),
    (CommandFailed(5), '5'),
    (CommandFailed(u'caf\u00e9'), six.ensure_str(u'caf\u00e9')),
    (EntriesFailed([]), 'failures: 0'),
    (MultipleCommandResults(None), 'the change was not accepted by all HAProxy processes: '),
    (CommandFailed('No such server.'), 'No such server.'),
    (NoSuchObject('web', 'frontend web is gone'), 'frontend web is gone'),
    (NoSuchObject('web'), "'web' is gone"),
    (IncosistentData(RESULTS),
     "the value differs between HAProxy processes: process 1: 'OPEN', process 2: 'STOP'"),
    (MultipleCommandResults([[1, '']]),
     "the change was not accepted by all HAProxy processes: [1, '']"),
    (HAProxySocketError('/run/1', 'tried, and failed'), 'tried, and failed'),
    (SocketTimeout('/run/1'), '/run/1: timed out'),
    (SocketConnectionError(socket_file='/run/1'), '/run/1: nobody listens'),
    (SocketPermissionError('/run/1'), '/run/1: permission denied'),
    (SocketApplicationError('/run/1'), '/run/1: no answer from HAProxy'),
    (SocketTransportError('/run/1'), '/run/1: an earlier connection is still open'),
    (NoHAProxyFound('/run'), '/run: no HAProxy found'),
    (NoHAProxyFound('/run', 'no HAProxy in /run'), 'no HAProxy in /run'),
])
def test_str_is_the_message(error, text):
    """[exception tree; messages]"""
    assert str(error) == text
    assert error.message == text


@pytest.mark.parametrize('kind', SOCKET_ERRORS)
def test_a_socket_error_has_the_attributes_of_its_cause(kind):
    """[exception tree]"""
    error = kind('/run/1', 'no', REFUSED)
    assert (error.errno, error.strerror) == (errno.ECONNREFUSED, 'Connection refused')
    assert error.filename == error.socket_file == '/run/1'
    assert error.args == ('/run/1',)
    assert error.undelivered is False
    assert str(error) == 'no'


def test_a_socket_error_without_a_cause_has_no_errno():
    error = SocketApplicationError('/run/1')
    assert (error.errno, error.strerror, error.filename) == (None, None, '/run/1')


def test_a_cause_without_a_number_is_told_in_words():
    error = HAProxySocketError('/run/1', 'no', socket.error('AF_UNIX path too long'))
    assert (error.errno, error.strerror) == (None, 'AF_UNIX path too long')


@pytest.mark.parametrize('number', [errno.ECONNREFUSED, errno.ENOENT, errno.EACCES, errno.EPIPE])
def test_python_does_not_choose_another_class(number):
    """Python 3 turns OSError(ECONNREFUSED, ...) into a ConnectionRefusedError; ours stay."""
    cause = OSError(number, os.strerror(number))
    assert type(HAProxySocketError('/run/1', 'no', cause)) is HAProxySocketError


@pytest.mark.parametrize('kind', [IncosistentData, MultipleCommandResults, HAProxyDataError])
def test_a_data_error_keeps_the_results(kind):
    """[verdicts]"""
    error = kind(RESULTS)
    assert error.results is RESULTS
    assert error.args == (RESULTS,)


def test_a_data_error_tells_the_sockets_where_they_are_known():
    """[messages] From 2.5 on, every process number is 1."""
    error = IncosistentData([(1, 'OPEN'), (1, 'STOP')])
    error.set_results(error.results, [('/run/1', 'OPEN'), ('/run/2', 'STOP')])
    assert str(error) == ('the value differs between HAProxy processes: process 1 on /run/1: '
                          "'OPEN', process 1 on /run/2: 'STOP'")
    assert error.by_socket == [('/run/1', 'OPEN'), ('/run/2', 'STOP')]
    assert str(pickle.loads(pickle.dumps(error))) == str(error)


@pytest.mark.parametrize('error', [CommandFailed('x'), SocketTimeout('/run/1')])
def test_what_nobody_answered_has_no_results(error):
    assert list(error.results) == [] and list(error.by_socket) == []


def test_what_is_gone_is_a_key_error_with_its_name():
    """[stale ids]"""
    with pytest.raises(KeyError) as caught:
        raise NoSuchObject('web', "frontend 'web' is gone from process 1 on /run/1")
    assert caught.value.args == ('web',)
    assert str(caught.value) == "frontend 'web' is gone from process 1 on /run/1"


@pytest.mark.parametrize('protocol', range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize('error', EXAMPLES, ids=lambda error: type(error).__name__)
def test_an_error_survives_pickle(error, protocol):
    """[exception tree]"""
    assert_same(error, pickle.loads(pickle.dumps(error, protocol)))


@pytest.mark.parametrize('copying', [copy.copy, copy.deepcopy])
@pytest.mark.parametrize('error', EXAMPLES, ids=lambda error: type(error).__name__)
def test_an_error_survives_copy(error, copying):
    """[exception tree]"""
    assert_same(error, copying(error))


def assert_same(error, again):
    assert type(again) is type(error)
    for name in ('args', 'message', 'results', 'by_socket', 'command', 'socket_file', 'errno',
                 'strerror', 'filename', 'undelivered', '__notes__'):
        assert getattr(again, name, None) == getattr(error, name, None), name
    assert str(again) == str(error)


@pytest.mark.parametrize('error', [
    CommandFailed('no'), EntriesFailed([]), MultipleCommandResults([(1, '')])],
    ids=lambda error: type(error).__name__)
def test_the_context_is_there_also_where_it_is_not_known(error):
    assert error.command is None and error.socket_file is None
    assert error.by_socket == []
    assert not hasattr(error, '__notes__')


def test_the_context_changes_no_message():
    error = CommandFailed('no')
    error.set_context('del map #0 k', '/run/1')
    assert (error.command, error.socket_file) == ('del map #0 k', '/run/1')
    assert str(error) == error.message == 'no' and error.args == ('no',)


@pytest.mark.skipif(not hasattr(Exception, 'add_note'), reason='notes came with Python 3.11')
def test_a_traceback_says_which_command_and_socket():
    error = CommandFailed('Key not found.')
    error.set_context('del map #0 k', '/run/1')
    assert ''.join(traceback.format_exception_only(type(error), error)) == (
        'haproxyadmin.exceptions.CommandFailed: Key not found.\n'
        "HAProxy refused 'del map #0 k' on /run/1\n")
    error = CommandFailed('no')
    error.set_context('del map #0 ' + 'k' * 15000, '/run/1')
    assert error.command == 'del map #0 ' + 'k' * 15000
    note, = error.__notes__
    assert len(note) < 300 and note.endswith("k...' on /run/1")


def test_where_nothing_was_sent_the_socket_alone_is_known():
    error = CommandFailed('no')
    error.set_context(None, '/run/1')
    assert error.command is None and error.socket_file == '/run/1'
    assert not hasattr(error, '__notes__')


def test_the_first_context_counts():
    error = CommandFailed('no')
    error.set_context('show map', '/run/1')
    error.set_context('show acl', '/run/2')
    assert (error.command, error.socket_file) == ('show map', '/run/1')
    assert len(getattr(error, '__notes__', [1])) == 1


def test_results_added_later_survive_pickle():
    """[verdicts] The replies of the processes are added when the change is judged."""
    error = SocketTimeout('/run/2', 'no')
    error.results, error.by_socket = [(1, '')], [('/run/1', '')]
    assert_same(error, pickle.loads(pickle.dumps(error)))


@pytest.mark.parametrize('cause', [
    SocketConnectionError('/run/1', 'no', REFUSED), SocketApplicationError('/run/1', 'no')],
    ids=lambda cause: type(cause).__name__)
@pytest.mark.parametrize('copying', [
    lambda error: error, copy.copy, copy.deepcopy,
    lambda error: pickle.loads(pickle.dumps(error, 2))])
def test_no_haproxy_has_the_numbers_of_its_cause(cause, copying):
    """[exception tree; no HAProxy found]"""
    error = copying(NoHAProxyFound('/run', 'no HAProxy in /run', cause))
    assert_same(error.cause, cause)
    assert error.__cause__ is error.cause
    for name in ('errno', 'strerror', 'filename'):
        assert getattr(error, name) == getattr(cause, name), name
    assert error.socket_file == '/run'


def test_no_haproxy_without_a_cause_has_no_numbers():
    error = NoHAProxyFound('/run')
    assert (error.cause, error.errno, error.strerror, error.filename) == (None, None, None, '/run')


def test_the_pairs_of_classes_are_gone():
    """NoHAProxyFound replaces them."""
    assert not hasattr(exceptions, 'at_start')
