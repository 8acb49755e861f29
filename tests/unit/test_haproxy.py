# -*- coding: utf-8 -*-
# SPDX-License-Identifier: Apache-2.0
"""haproxy.py and internal/haproxy.py: finding processes, and HAProxy as a whole."""
import collections
import errno
import gc
import itertools
import json
import logging
import os
import pickle
import socket
import subprocess
import sys
import threading
import time
import weakref

import pytest
import six

from haproxyadmin.internal import grouping

try:
    import pathlib
except ImportError:
    pathlib = None

import haproxyadmin
from haproxyadmin import exceptions, haproxy, utils
from haproxyadmin.haproxy import HAProxy
from haproxyadmin.internal import _HAProxyProcess
from haproxyadmin.protocol.metrics import METRICS_AVG, METRICS_SUM
from tests.support import captured, fakes

STAT = 'show stat -1 {0} -1'.format
FRONTENDS, BACKENDS, SERVERS = STAT(1), STAT(2), STAT(4)


def is_int(value):
    return isinstance(value, six.integer_types) and not isinstance(value, bool)


def found_by(started, **options):
    """Return the sockets of the processes that the library finds in a directory."""
    options.setdefault('retry', None)
    options.setdefault('timeout', fakes.LONG)
    hap = HAProxy(socket_dir=started.directory, **options)
    started.forget()
    hap.info()
    return [path for path, commands in zip(started.paths, started.commands) if commands]


def not_found(**arguments):
    """Return the error raised if no HAProxy is found; it is none of the documented subclasses."""
    with pytest.raises(exceptions.NoHAProxyFound) as caught:
        HAProxy(**arguments)
    error = caught.value
    assert isinstance(error, ValueError) and isinstance(error, OSError)
    assert not isinstance(error, SILENT_IN_HAPROXYTOOL)
    assert error.cause is error.__cause__
    for name in ('errno', 'strerror', 'filename'):
        assert getattr(error, name) == getattr(error.cause, name), name
    return error


# Finding processes

class TestConstructing(object):

    @pytest.mark.parametrize('version, numbers', [('2.2', [1, 2, 3, 4]), ('2.6', [1, 1, 1, 1])])
    def test_it_costs_one_show_info_for_each_socket(self, version, numbers, fleet):
        """[cost of construction]"""
        started = fleet(version, 4)
        hap = HAProxy(started.directory, timeout=fakes.LONG)
        assert started.commands == [['show info']] * 4
        assert started.connections == [1] * 4
        assert repr(hap) == 'HAProxy(processes={0}, sockets={1})'.format(numbers, started.paths)

    def test_one_socket_file_costs_one_show_info(self, fleet):
        """[cost of construction; constructor]"""
        started = fleet('2.2', 2)
        hap = HAProxy(socket_file=started[1].path, timeout=fakes.LONG)
        assert hap.processids == [4002]
        assert started.commands == [[], ['show info'] * 2]

    def test_the_order_of_arguments_is_kept(self, fleet):
        """[constructor]"""
        started = fleet('2.2', 1)
        process, = HAProxy(None, started[0].path, 7, 8, 29)._processes
        assert (process.retry, process.retry_interval, process.timeout) == (7, 8, 29)
        process, = HAProxy(socket_file=started[0].path)._processes
        assert (process.retry, process.retry_interval, process.timeout) == (2, 2, 1)

    def test_the_directory_wins(self, fleet):
        """[constructor]"""
        started = fleet('2.2', 2)
        other = fleet('2.2', 1)
        hap = HAProxy(socket_dir=started.directory, socket_file=other[0].path,
                      timeout=fakes.LONG)
        assert hap.processids == [4001, 4002]
        assert other.connections == [0]

    def test_processes_come_by_number_and_then_by_socket(self, fleet):
        """[stable order]"""
        started = fleet('2.2', 0)
        for name, number, pid in [('z', 1, 1), ('a', 10, 2), ('y', 2, 3), ('b', 2, 4)]:
            started.add(name, number, pid)
        hap = started.haproxy()
        assert hap.processids == [1, 4, 3, 2]
        assert [number for number, _ in hap.command('show info')] == [1, 2, 2, 10]

    @pytest.mark.parametrize('kind', [
        lambda path: path, six.ensure_text, os.fsencode if six.PY3 else str,
        pathlib.Path if pathlib else str])
    def test_a_path_may_be_any_text(self, kind, fleet):
        """[UTF-8] Unicode on Python 2, and a pathlib path."""
        started = fleet('2.2', 0)
        inner = started.path(fakes.text(u'\u017elu\u0165'.encode('utf-8')))
        os.mkdir(inner)
        started.directory = inner
        process = started.add('1.sock')
        long = fakes.LONG
        assert HAProxy(socket_dir=kind(inner), timeout=long).processids == [4000]
        assert HAProxy(socket_file=kind(process.path), timeout=long).processids == [4000]
        assert utils.connected_socket(kind(process.path), long) is True
        with pytest.raises(exceptions.NoHAProxyFound) as caught:
            HAProxy(socket_file=kind(started.path('missing')))
        assert 'missing' in str(caught.value)
        with pytest.raises(ValueError):
            HAProxy(socket_dir=kind(started.path('missing')))

    def test_hapee_is_haproxy(self, fleet):
        """[no HAProxy found]"""
        started = fleet('2.2', 1)
        started[0].info['Name'] = 'hapee-lb'
        assert started.haproxy().version == '2.2.9-2+deb11u7'

    @pytest.mark.parametrize('version', captured.VERSIONS)
    def test_every_version_is_found(self, version, fleet):
        hap = fleet(version, 2).haproxy()
        assert hap.version.startswith(version)
        assert len(hap.frontends()) > 2


IN_ASCII = """
from __future__ import print_function
import ast, sys
from haproxyadmin import exceptions, haproxy, utils
directory, path = [ast.literal_eval(argument) for argument in sys.argv[1:3]]
for arguments in [{'socket_dir': directory}, {'socket_file': path}]:
    hap = haproxy.HAProxy(timeout=30, **arguments)
    print(hap.processids, len(hap.left_out))
    repr(hap)
# On Python 2 text is UTF-8 everywhere.
for text in [path, path.decode('utf-8')] if len(sys.argv) > 3 else [path]:
    print(utils.is_unix_socket(text), utils.connected_socket(text, 30))
    print(haproxy.HAProxy(socket_file=text, timeout=30).processids)
print(utils.is_unix_socket(path + b'x'), utils.connected_socket(path + b'x', 30))
for arguments in [{'socket_dir': path + b'x'}, {'socket_file': path + b'x'}]:
    try:
        haproxy.HAProxy(**arguments)
    except exceptions.NoHAProxyFound as error:
        print(error.errno)
        str(error), repr(error)
"""


class TestPathsUnderAnotherLocale(object):

    @pytest.mark.parametrize('name', [
        u'\u017elu\u0165'.encode('utf-8'), u'\u017elu\u0165'.encode('iso-8859-2')])
    @pytest.mark.parametrize('environment', [
        {'LC_ALL': 'C', 'PYTHONUTF8': '0', 'PYTHONCOERCECLOCALE': '0'}, {'LC_ALL': 'C.UTF-8'}])
    def test_bytes_are_the_name_as_it_is(self, environment, name, fleet):
        """[UTF-8] Python 3 decodes names with its file system encoding, which is ASCII here."""
        started = fleet('2.2', 0)
        inner = os.path.join(started.directory.encode('ascii'), name)
        os.mkdir(inner)
        started.directory = getattr(os, 'fsdecode', str)(inner)
        path = os.path.join(inner, name)
        started.add(getattr(os, 'fsdecode', str)(name))
        also = ['also as text'] if six.PY2 and name.startswith(b'\xc5') else []
        process = subprocess.Popen(
            [sys.executable, '-c', IN_ASCII] + ['b' + repr(text).lstrip('b')
                                                for text in (inner, path)] + also,
            env=dict(os.environ, PYTHONPATH=os.path.dirname(os.path.dirname(
                os.path.abspath(haproxyadmin.__file__))), **environment),
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        output = process.communicate()[0].decode('ascii', 'replace')
        assert output.splitlines() == [
            '[4000] 0', '[4000] 0'] + ['True True', '[4000]'] * (1 + len(also)) + [
                'False False', str(errno.ENOENT), str(errno.ENOENT)]


@pytest.fixture
def inside(fleet):
    """A fleet of two, whose directory is the working directory; a test may change that."""
    started = fleet('2.2', 2)
    before = os.getcwd()
    os.chdir(started.directory)
    yield started
    os.chdir(before)


class TestRelativePaths(object):

    @pytest.mark.parametrize('path', ['1.sock', './1.sock', b'1.sock'])
    def test_a_relative_socket_survives_a_change_of_directory(self, path, inside):
        """[constructor]"""
        hap = HAProxy(socket_file=path, retry=None, timeout=fakes.LONG)
        os.chdir('/')
        assert hap.processids == [4001]
        # The absolute path is shown everywhere.
        assert repr(hap) == 'HAProxy(processes=[1], sockets={0})'.format(inside.paths[:1])
        inside[0].vanish()
        with pytest.raises(exceptions.SocketConnectionError) as caught:
            hap.info()
        assert inside.paths[0] in str(caught.value)

    @pytest.mark.parametrize('path', ['.', './', b'.', 'inner/..', 'link/..'])
    def test_a_relative_directory_survives_a_change_of_directory(self, path, inside):
        """[constructor] link/.. is the parent of the target, not of the link."""
        os.makedirs('inner/most')
        os.symlink('inner/most', 'link')
        if path == 'link/..':
            for place in inside.paths:
                os.symlink(place, os.path.join('inner', os.path.basename(place)))
        inside.stale('inner/stale.sock')
        hap = HAProxy(socket_dir=path, timeout=fakes.LONG)
        os.chdir('/')
        assert hap.processids == [4001, 4002]
        assert len(hap.left_out) == (path == 'link/..')
        if path not in ('inner/..', 'link/..'):
            assert repr(hap) == 'HAProxy(processes=[1, 2], sockets={0})'.format(inside.paths)

    def test_an_absolute_path_stays_as_it_was_given(self, inside):
        path = inside.directory + '//./1.sock'
        hap = HAProxy(socket_file=path, timeout=fakes.LONG)
        assert repr(hap) == 'HAProxy(processes=[1], sockets={0})'.format([path])

    @pytest.mark.parametrize('given', ['socket_file', 'socket_dir'])
    def test_a_path_that_would_be_too_long_stays_relative(self, given, inside):
        """The path of a Unix socket has at most 107 bytes."""
        deep = inside.path('x' * 100)
        os.mkdir(deep)
        os.symlink(inside.paths[0], os.path.join(deep, '1.sock'))
        os.chdir(deep)
        hap = HAProxy(timeout=fakes.LONG, **{
            given: '1.sock' if given == 'socket_file' else '.'})
        assert hap.processids == [4001]
        assert './1.sock' in repr(hap) or "'1.sock'" in repr(hap)

    @pytest.mark.parametrize('length', [106, 107, 108])
    def test_the_longest_path(self, length, inside):
        name = 'x' * (length - len(inside.directory) - 1)
        os.symlink('1.sock', name)
        hap = HAProxy(socket_file=name, timeout=fakes.LONG)
        path = inside.path(name) if length <= 107 else name
        assert repr(hap) == 'HAProxy(processes=[1], sockets={0})'.format([path])

    def test_errors_name_the_whole_path(self, inside):
        """[messages]"""
        for arguments in ({'socket_file': 'nope'}, {'socket_dir': 'nope'}):
            error = not_found(**arguments)
            assert error.socket_file == error.filename == inside.path('nope')
            assert inside.path('nope') in str(error)

    def test_a_working_directory_that_is_gone(self, inside):
        gone = inside.path('gone')
        os.mkdir(gone)
        os.chdir(gone)
        os.rmdir(gone)
        assert not_found(socket_file='1.sock').errno == errno.ENOENT
        assert not_found(socket_dir='.').socket_file == '.'
        assert HAProxy(socket_file=inside.paths[0], timeout=fakes.LONG).processids == [4001]


class Thing(object):
    """An object that supports weak references."""


class TestUnusableSockets(object):

    @pytest.mark.parametrize('empty', ['', b'', u'', None, False, 0, (), []])
    def test_a_false_directory_counts_as_not_given(self, empty, fleet):
        """[constructor]"""
        started = fleet('2.2', 1)
        hap = HAProxy(socket_dir=empty, socket_file=started[0].path, timeout=fakes.LONG)
        assert hap.processids == [4001]
        hap = HAProxy(socket_dir=started.directory, socket_file=empty, timeout=fakes.LONG)
        assert hap.processids == [4001]

    @pytest.mark.parametrize('options', [
        {'retry': 'x'}, {'retry': -1}, {'retry_interval': 'x'}, {'timeout': 'x'}, {'timeout': 0}])
    @pytest.mark.parametrize('name', ['socket_dir', 'socket_file'])
    def test_a_wrong_option_is_reported_before_anything_is_looked_for(self, name, options):
        with pytest.raises(ValueError) as caught:
            HAProxy(**dict(options, **{name: '/nonexistent'}))
        assert type(caught.value) is ValueError
        assert list(options)[0] in str(caught.value)

    @pytest.mark.parametrize('arguments', [
        {}, {'socket_dir': None, 'socket_file': None}, {'socket_dir': ''}, {'socket_file': ''},
        {'socket_dir': b'', 'socket_file': u''}, {'socket_dir': False, 'socket_file': 0}])
    def test_nothing_given_is_a_value_error(self, arguments):
        """[no HAProxy found] It is the caller's error; nothing was searched."""
        with pytest.raises(ValueError) as caught:
            HAProxy(**arguments)
        assert type(caught.value) is ValueError

    @pytest.mark.parametrize('value', [
        5, 1.5, True, [1], ['/run'], object, pathlib and pathlib.Path or 5, '/run\0/x', b'\0x'])
    @pytest.mark.parametrize('name', ['socket_dir', 'socket_file'])
    def test_what_is_no_path_is_a_value_error(self, name, value):
        """[no HAProxy found]"""
        with pytest.raises(ValueError) as caught:
            HAProxy(**{name: value})
        assert type(caught.value) is ValueError
        assert name in str(caught.value)

    @pytest.mark.parametrize('prepare, kind, number', [
        (lambda started: started.path('missing'), exceptions.SocketConnectionError, errno.ENOENT),
        (lambda started: started.file('plain'), exceptions.HAProxySocketError, errno.ENOTDIR),
        (lambda started: started.deaf(), exceptions.HAProxySocketError, errno.ENOTDIR),
        (lambda started: started.path('x' * 300), exceptions.HAProxySocketError,
         errno.ENAMETOOLONG),
    ])
    def test_no_directory_is_no_haproxy_found(self, prepare, kind, number, fleet):
        """[no HAProxy found]"""
        path = prepare(fleet('2.2', 0))
        error = not_found(socket_dir=path)
        assert type(error.cause) is kind and error.cause.errno == number
        assert error.socket_file == error.filename == path and path in str(error)

    def test_an_empty_directory_is_no_haproxy_found(self, fleet):
        """[no HAProxy found] The operating system reports no error, so there is no errno."""
        started = fleet('2.2', 0)
        error = not_found(socket_dir=started.directory)
        assert type(error.cause) is exceptions.SocketConnectionError
        assert (error.errno, error.socket_file) == (None, started.directory)
        assert started.directory in str(error)

    @pytest.mark.parametrize('count, words', [
        (0, ': it is empty'), (1, '; not tried: 1 other file'),
        (12, '; not tried: 12 other files')])
    def test_other_files_are_counted(self, count, words, fleet):
        """[no HAProxy found]"""
        started = fleet('2.2', 0)
        for number in range(count):
            started.file('{0}.pid'.format(number))
        error = not_found(socket_dir=started.directory)
        assert str(error) == 'no socket in {0}{1}'.format(started.directory, words)

    def test_a_socket_as_directory_is_told_the_right_argument(self, fleet):
        """[no HAProxy found]"""
        path = fleet('2.2', 1)[0].path
        error = not_found(socket_dir=path)
        assert str(error) == (
            'cannot list {0}: Not a directory; this is a socket, use socket_file='.format(path))
        assert 'use socket_file=' not in str(not_found(socket_dir=path + 'x'))

    def test_a_directory_as_socket_is_told_the_right_argument(self, fleet):
        """[no HAProxy found]"""
        started = fleet('2.2', 1)
        error = not_found(socket_file=started.directory)
        assert str(error) == ("'show info' on {0}: Connection refused; this is a directory, "
                              'use socket_dir='.format(started.directory))
        path = started.file('plain')
        assert str(not_found(socket_file=path)) == (
            "'show info' on {0}: Connection refused; this is not a socket".format(path))
        assert str(not_found(socket_file=started.stale())).endswith(': Connection refused')

    @pytest.mark.parametrize('name', [
        '.haproxy.sock', '..sock', 'haproxy.sock.4711.tmp', 'haproxy.sock.1.bak'])
    def test_a_hidden_or_temporary_name_is_no_candidate(self, name, fleet):
        """HAProxy uses the temporary names while it binds a socket."""
        started = fleet('2.2', 1)
        passing = started.add(name, 1, 4711)
        hap = HAProxy(socket_dir=started.directory, timeout=fakes.LONG)
        assert hap.processids == [4001] and hap.left_out == []
        assert passing.connections == 0
        assert HAProxy(socket_file=passing.path, timeout=fakes.LONG).processids == [4711]

    @pytest.mark.parametrize('name', [
        'haproxy.tmp', 'haproxy.sock.bak', '4711.tmp', 'a.47x.tmp', 'a.1.bak2', 'a.1.tmp.sock'])
    def test_a_name_that_is_alike_is_a_candidate(self, name, fleet):
        started = fleet('2.2', 0)
        started.add(name)
        assert HAProxy(socket_dir=started.directory, timeout=fakes.LONG).processids == [4000]

    def test_the_message_tells_each_candidate_and_why_not(self, fleet):
        """[no HAProxy found]"""
        started = fleet('2.2', 3)
        for process, behaviour in zip(started, [
                fakes.silent, fakes.replying(b'220 ESMTP\n\n'), fakes.closing]):
            process.behaviour = behaviour
        reasons = [
            (started[0].path, 'timed out after 1 s'),
            (started[1].path, "this is not HAProxy: '220 ESMTP'"),
            (started[2].path, 'closed before an answer'),
            (started.stale(), os.strerror(errno.ECONNREFUSED)),
            (started.datagram(), os.strerror(errno.EPROTOTYPE)),
            (started.deaf(), 'timed out after 1 s'),
            (started.full().path, 'timed out after 1 s'),
        ]
        os.symlink(started.path('gone'), started.path('link.sock'))
        reasons.append((started.path('link.sock'), os.strerror(errno.ENOENT)))
        started.file('haproxy.pid')
        error = not_found(socket_dir=started.directory, timeout=1)
        lines = str(error).split('\n')
        assert started.directory in lines[0]
        assert len(lines) == len(reasons) + 2
        assert lines[-1] == '  not tried: 1 other file'
        for path, reason in reasons:
            line, = [line for line in lines[1:] if path in line]
            assert reason in line
        # The cause is the first failure.
        assert type(error.cause) is exceptions.SocketTimeout
        assert error.cause.socket_file == error.filename == started[0].path
        assert error.errno == errno.ETIMEDOUT and error.socket_file == started.directory

    def test_the_others_are_used(self, fleet):
        """[no HAProxy found]"""
        started = fleet('2.2', 3)
        started[1].behaviour = fakes.closing
        started.stale()
        started.file('haproxy.pid')
        hap = HAProxy(socket_dir=started.directory, timeout=fakes.LONG)
        assert hap.processids == [4001, 4003]

    def test_what_did_not_answer_is_left_out(self, fleet, caplog):
        """[no HAProxy found; logging] Logged at INFO, because it is not the caller's fault."""
        started = fleet('2.2', 3)
        started[0].behaviour = fakes.closing
        paths = [started[0].path, started.stale(), started.deaf('deaf.sock')]
        started.file('haproxy.pid')
        os.mkdir(started.path('old'))
        with caplog.at_level(logging.INFO, 'haproxyadmin'):
            hap = HAProxy(socket_dir=started.directory, timeout=1)
        assert hap.processids == [4002, 4003]
        wanted = {started[0].path: exceptions.SocketApplicationError,
                  started.path('stale.sock'): exceptions.SocketConnectionError,
                  started.path('deaf.sock'): exceptions.SocketTimeout}
        assert sorted(wanted) == sorted(paths)
        assert [address for address, _ in hap.left_out] == sorted(paths)
        assert dict((address, type(error)) for address, error in hap.left_out) == wanted
        assert all(error.socket_file == address for address, error in hap.left_out)
        records = [record for record in caplog.records if 'left out' in record.getMessage()]
        assert [record.levelno for record in records] == [logging.INFO] * 3
        # A caller may change the list without affecting the object.
        del hap.left_out[:]
        assert len(hap.left_out) == 3

    @pytest.mark.parametrize('number', [
        errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOBUFS])
    @pytest.mark.parametrize('name', ['socket_dir', 'socket_file'])
    def test_an_error_of_our_own_is_raised_as_itself(self, name, number, fleet, monkeypatch):
        """[no HAProxy found] Even if other sockets reply."""
        started = fleet('2.2', 3)
        failing = {'socket_dir': 2, 'socket_file': 1}[name]
        calls, socket_class = [], socket.socket

        def make(*args, **options):
            if threading.current_thread() is caller:
                calls.append(args)
                if len(calls) == failing:
                    raise socket.error(number, os.strerror(number))
            return socket_class(*args, **options)
        caller = threading.current_thread()
        monkeypatch.setattr(socket, 'socket', make)
        with pytest.raises(exceptions.HAProxySocketError) as caught:
            HAProxy(timeout=fakes.LONG, **{name: (
                started.directory if name == 'socket_dir' else started[1].path)})
        monkeypatch.undo()
        assert type(caught.value) is exceptions.HAProxySocketError
        assert caught.value.errno == number
        assert caught.value.socket_file == started[1].path
        assert os.strerror(number) in str(caught.value)

    @pytest.mark.parametrize('number', [errno.EMFILE, errno.ENFILE, errno.ENOMEM])
    def test_an_error_of_our_own_while_the_directory_is_read(self, number, fleet, monkeypatch):
        """[no HAProxy found]"""
        started = fleet('2.2', 1)

        def fail(path):
            raise OSError(number, os.strerror(number), path)
        monkeypatch.setattr(os, 'listdir', fail)
        with pytest.raises(exceptions.HAProxySocketError) as caught:
            HAProxy(socket_dir=started.directory)
        monkeypatch.undo()
        assert type(caught.value) is exceptions.HAProxySocketError
        assert (caught.value.errno, caught.value.filename) == (number, started.directory)

    def test_what_was_left_out_survives_pickle(self, fleet):
        started = fleet('2.2', 1)
        started.stale()
        hap = started.haproxy()
        again = pickle.loads(pickle.dumps(hap, 2))
        assert [(address, str(error)) for address, error in again.left_out] == [
            (address, str(error)) for address, error in hap.left_out] != []

    def test_nothing_is_left_out_where_all_answered(self, fleet, caplog):
        started = fleet('2.2', 2)
        started.file('haproxy.pid')
        # Two sockets of one process: one is not used, but it did reply.
        started.add('again', 1, 4001)
        with caplog.at_level(logging.INFO, 'haproxyadmin'):
            assert started.haproxy().left_out == []
            assert HAProxy(socket_file=started[0].path, timeout=fakes.LONG).left_out == []
        assert caplog.records == []

    def test_what_is_left_out_holds_nothing_of_the_caller(self, fleet):
        """On Python 3, an exception refers to the frames that it passed through."""
        started = fleet('2.2', 2)
        started.stale()
        started[0].behaviour = fakes.replying(b'220 ESMTP\n\n')

        def construct():
            large = Thing()
            return weakref.ref(large), HAProxy(socket_dir=started.directory, timeout=fakes.LONG)
        reference, hap = construct()
        gc.collect()
        assert reference() is None
        assert len(hap.left_out) == 2

    def test_candidates_are_probed_at_once_and_without_retries(self, fleet):
        """[no HAProxy found; concurrent processes]"""
        started = fleet('2.2', 4)
        for process in started:
            process.behaviour = fakes.silent
        start = time.time()
        with pytest.raises(ValueError):
            HAProxy(socket_dir=started.directory, timeout=2, retry=5, retry_interval=20)
        assert time.time() - start < 7
        assert started.connections == [1] * 4

    @pytest.mark.parametrize('pause', [0, 0.2])
    def test_a_daemon_that_streams_does_not_hold_the_constructor(self, fleet, pause):
        started = fleet('2.2', 2)

        def stream(process, client):
            try:
                while not process.stopping.wait(pause):
                    client.sendall(b'x' * 20000)
            except socket.error:
                pass
        started[1].behaviour = stream
        hap = HAProxy(socket_dir=started.directory, timeout=2)
        assert hap.processids == [4001]
        (address, error), = hap.left_out
        assert address == started[1].path
        assert 'larger than 65536 bytes' in str(error)

    def test_retries_are_back_after_probing(self, fleet, monkeypatch):
        """[retries; no HAProxy found]"""
        from haproxyadmin.internal import fanout
        started = fleet('2.2', 1)
        hap = HAProxy(socket_dir=started.directory, retry=1, timeout=fakes.LONG)
        monkeypatch.setattr(fanout.time, 'sleep', lambda seconds: None)
        started[0].script = [fakes.closing]
        assert len(hap.info()) == 1

    def test_a_master_socket_costs_no_timeout(self, fleet):
        """[cost of construction]"""
        started = fleet('2.2', 2)
        started[0].behaviour = fakes.master
        start = time.time()
        hap = HAProxy(socket_dir=started.directory, timeout=fakes.LONG)
        assert time.time() - start < fakes.LONG / 2
        assert hap.processids == [4002]

    @pytest.mark.parametrize('prepare, kind', [
        (lambda started: started.path('missing'), exceptions.SocketConnectionError),
        (lambda started: started.stale(), exceptions.SocketConnectionError),
        (lambda started: started.file('plain'), exceptions.SocketConnectionError),
        (lambda started: started.deaf(), exceptions.SocketTimeout),
        (lambda started: started.datagram(), exceptions.SocketConnectionError),
    ])
    def test_one_socket_file_keeps_the_error_of_the_cause(self, prepare, kind, fleet):
        """[no HAProxy found]"""
        path = prepare(fleet('2.2', 0))
        error = not_found(socket_file=path, timeout=0.1)
        assert type(error.cause) is kind
        assert error.socket_file == path and path in str(error)
        assert isinstance(error.errno, int)

    @pytest.mark.parametrize('behaviour', [
        fakes.closing, fakes.replying(b'220 ESMTP\n\n'), fakes.replying(b'Name: x\n\n'),
        fakes.cut(30), fakes.master])
    def test_what_is_not_haproxy_is_an_application_error(self, behaviour, fleet):
        """[no HAProxy found]"""
        started = fleet('2.2', 1)
        started[0].behaviour = behaviour
        error = not_found(socket_file=started[0].path, timeout=fakes.LONG)
        assert type(error.cause) is exceptions.SocketApplicationError
        assert started[0].path in str(error)

    def test_a_forbidden_socket_is_a_permission_error(self, fleet):
        """[no HAProxy found; exception tree]"""
        started = fleet('2.2', 1)
        root = os.geteuid() == 0
        os.chmod(started.directory, 0)
        if root:
            os.seteuid(65534)
        try:
            for arguments in ({'socket_file': started[0].path}, {'socket_dir': started.directory}):
                error = not_found(**arguments)
                assert type(error.cause) is exceptions.SocketPermissionError
                assert error.errno == errno.EACCES
                assert started.directory in str(error)
        finally:
            if root:
                os.seteuid(0)
            os.chmod(started.directory, 0o700)


SILENT_IN_HAPROXYTOOL = (exceptions.SocketApplicationError, exceptions.SocketConnectionError,
                         exceptions.SocketPermissionError)


class TestProgramsThatCatchErrors(object):
    """haproxytool suppresses three exceptions, and prints any other ValueError."""

    def printed(self, **arguments):
        try:
            HAProxy(timeout=0.1, **arguments)
        except SILENT_IN_HAPROXYTOOL:
            return ''
        except ValueError as error:
            return str(error)

    @pytest.mark.parametrize('prepare', [
        lambda started: {'socket_file': started.path('missing')},
        lambda started: {'socket_file': started.file('plain')},
        lambda started: {'socket_file': started.stale()},
        lambda started: {'socket_file': started.datagram()},
        lambda started: {'socket_file': started.deaf()},
        lambda started: {'socket_file': started.directory},
        lambda started: {'socket_file': 'x' * 200},
        lambda started: {'socket_dir': started.path('missing')},
        lambda started: {'socket_dir': started.file('plain')},
        lambda started: {'socket_dir': started.stale()},
        lambda started: {'socket_dir': started.directory},
        lambda started: started.stale() and {'socket_dir': started.directory},
        lambda started: {},
    ])
    def test_nothing_there_is_printed(self, prepare, fleet):
        """[no HAProxy found]"""
        assert self.printed(**prepare(fleet('2.2', 0)))

    @pytest.mark.parametrize('behaviour', [
        fakes.closing, fakes.silent, fakes.replying(b'220 ESMTP\n\n'), fakes.master])
    @pytest.mark.parametrize('name', ['socket_dir', 'socket_file'])
    def test_no_haproxy_is_printed(self, name, behaviour, fleet):
        """[no HAProxy found]"""
        started = fleet('2.2', 1)
        started[0].behaviour = behaviour
        assert started[0].path in self.printed(**{
            name: started.directory if name == 'socket_dir' else started[0].path})

    def test_later_errors_are_the_documented_ones(self, fleet):
        """[exception tree]"""
        started = fleet('2.2', 1)
        hap = started.haproxy()
        started[0].vanish()
        with pytest.raises(exceptions.SocketConnectionError) as caught:
            hap.info()
        assert not isinstance(caught.value, ValueError)


class TestDoubles(object):

    def sockets(self, started, *levels):
        """Add several sockets of one process to a fleet."""
        requests = itertools.count(100)
        for number, level in enumerate(levels):
            process = started.add('{0}-{1}'.format(number, level), 1, 4001, level=level)
            process.requests = requests

    @pytest.mark.parametrize('levels, best', [
        (['user', 'admin'], 1), (['admin', 'user'], 0), (['operator', 'user', 'admin'], 2),
        (['user', 'operator'], 1), (['admin', 'admin'], 0)])
    def test_of_two_sockets_of_a_process_the_highest_level_is_kept(self, levels, best, fleet):
        """[one process, two sockets] From 2.0 on, HAProxy reports the level."""
        started = fleet('2.2', 0)
        self.sockets(started, *levels)
        HAProxy(socket_dir=started.directory, timeout=fakes.LONG)
        more = len(levels) - 1
        assert started.commands[0] == ['show info'] * (1 + 2 * more) + ['show cli level']
        assert started.commands[1:] == [['show info'] * 3 + ['show cli level']] * more
        assert found_by(started) == [started.paths[best]]

    @pytest.mark.parametrize('version', ['1.5.8', '1.6', '1.8'])
    @pytest.mark.parametrize('levels, best', [(['user', 'admin'], 1), (['admin', 'operator'], 0)])
    def test_before_2_0_a_command_without_its_value_tells_an_admin(
            self, version, levels, best, fleet):
        """[one process, two sockets]"""
        started = fleet(version, 0)
        self.sockets(started, *levels)
        HAProxy(socket_dir=started.directory, timeout=fakes.LONG)
        assert started.commands == [['show info'] * 3 + ['set maxconn global']] * 2
        assert found_by(started) == [started.paths[best]]

    @pytest.mark.parametrize('name, value', [
        ('Pid', '4002'), ('node', 'other'), ('Process_num', '2'), ('Uptime_sec', '100'),
        ('Uptime_sec', '5')])
    def test_another_process_is_no_double(self, name, value, fleet):
        """[one process, two sockets]
        A double has the same pid, node, number and start; otherwise nothing more is sent.
        The pid is not enough, because containers may share one."""
        started = fleet('2.2', 0)
        self.sockets(started, 'user', 'admin')
        started[1].info[name] = value
        HAProxy(socket_dir=started.directory, timeout=fakes.LONG)
        assert started.commands == [['show info']] * 2
        assert found_by(started) == started.paths

    @pytest.mark.parametrize('counts', [
        (itertools.count(27), itertools.count(27)),    # started and queried together
        (itertools.count(27), itertools.count(28)),
        (itertools.count(28), itertools.count(27)),
        (itertools.count(27), itertools.count(90000)),
        (itertools.count(90000), itertools.count(27)),
        (itertools.count(27, 3), itertools.count(1000, 1000)),
        (itertools.count(5, 0), itertools.count(6, 0)),
    ])
    def test_two_processes_of_containers_that_agree_in_all_else_are_two(self, counts, fleet):
        """[one process, two sockets]
        They have the same pid, node, number and start, but each counts its own requests."""
        started = fleet('2.6', 2)
        for process, requests in zip(started, counts):
            process.info['Pid'], process.requests = '1', requests
        hap = HAProxy(socket_dir=started.directory, timeout=fakes.LONG)
        assert found_by(started) == started.paths
        assert 'show cli level' not in started.commands[0] + started.commands[1]
        started.forget()
        # This is checked only once.
        hap.info()
        hap.snapshot()
        assert started.connections == [2, 2]

    def test_two_processes_with_two_sockets_each(self, fleet):
        """[one process, two sockets] Each socket is compared with the first one of a process."""
        started = fleet('2.6', 4)
        for process, requests in zip(started, [itertools.count(100), itertools.count(5000)] * 2):
            process.info['Pid'], process.requests = '1', requests
        assert found_by(started) == started.paths[:2]

    def test_without_a_counter_they_are_two(self, fleet):
        """[one process, two sockets] Querying a process twice is better than not at all."""
        started = fleet('2.6', 2)
        for process in started:
            process.info['Pid'] = '1'
            del process.info['CumReq']
        assert found_by(started) == started.paths

    def test_where_one_does_not_answer_again_they_are_two(self, fleet):
        """[one process, two sockets]"""
        started = fleet('2.2', 0)
        self.sockets(started, 'admin', 'user')
        started[1].script = [fakes.answering, fakes.closing]
        hap = HAProxy(socket_dir=started.directory, timeout=fakes.LONG, retry=None)
        assert [process.socket_file for process in hap._processes] == started.paths
        # The next read detects it.
        assert len(hap.info()) == 1

    @pytest.mark.parametrize('seconds', ['1', '2', '3', '4'])
    def test_a_start_within_two_seconds_is_the_same(self, seconds, fleet):
        """[one process, two sockets]"""
        started = fleet('2.2', 0)
        self.sockets(started, 'user', 'admin')
        assert started[0].info['Uptime_sec'] == '2'
        started[1].info['Uptime_sec'] = seconds
        assert found_by(started) == started.paths[1:]

    def test_a_start_is_reckoned_from_the_time_of_its_own_reply(self, fleet, clock):
        """[one process, two sockets] A long time may pass between two replies."""
        started = fleet('2.2', 0)
        self.sockets(started, 'user', 'admin')
        first, second = [_HAProxyProcess(path, timeout=fakes.LONG) for path in started.paths]
        first.proc_info()
        clock.go_on(60)
        for process in started:
            process.info['Uptime_sec'] = '62'
        second.proc_info()
        assert grouping.group_endpoints([first.endpoint, second.endpoint]) == [
            [first.endpoint, second.endpoint]]

    def test_a_socket_that_does_not_tell_its_level_is_the_lowest(self, fleet):
        """[one process, two sockets]"""
        started = fleet('2.2', 0)
        self.sockets(started, 'admin', 'user')
        started[0].script = [fakes.answering] * 3 + [fakes.closing]
        assert found_by(started) == started.paths[1:]


# What the processes report about themselves

INFO = 'show info'
FIRST = [['show info'], []]


class TestValues(object):

    @pytest.mark.parametrize('name, expected, commands', [
        ('processids', [4001, 4002], [[INFO]] * 2),
        ('description', 'HAProxy lab 2.2', [[INFO]] * 2),
        ('nodename', 'lab-2.2', [[INFO]] * 2),
        ('releasedate', '2025/04/23', [[INFO]] * 2),
        ('version', '2.2.9-2+deb11u7', [[INFO]] * 2),
        ('uptime', '0d 0h00m02s', FIRST),
        ('uptimesec', 2, FIRST),
        ('totalrequests', 54, [[INFO]] * 2),
        ('requests', 1107, [[FRONTENDS]] * 2),
        ('maxconn', 4000, [[INFO]] * 2),
        ('ratelimitconn', 0, [[INFO]] * 2),
        ('ratelimitsess', 0, [[INFO]] * 2),
        ('ratelimitsslsess', 0, [[INFO]] * 2),
    ])
    def test_a_property_costs_each_process_one_command(self, name, expected, commands, fleet):
        """[one command per call; integers; first process] Each read sends the command again."""
        started = fleet('2.2', 2)
        for proxy, requests in [('haproxy', 1000), ('frontend_all', 100), ('frontend_proc1', 7)]:
            for process in started:
                process.set(proxy, 'FRONTEND', 'req_tot', 0)
            started[0].set(proxy, 'FRONTEND', 'req_tot', requests)
        hap = started.haproxy()
        value = getattr(hap, name)
        assert value == expected
        assert not isinstance(expected, int) or is_int(value)
        assert isinstance(expected, (int, list)) or type(value) is str
        assert started.commands == commands
        getattr(hap, name)
        assert started.commands == [2 * asked for asked in commands]

    @pytest.mark.parametrize('name, field', [
        ('version', 'Version'), ('releasedate', 'Release_date'), ('nodename', 'node'),
        ('description', 'description')])
    def test_a_value_that_differs_is_inconsistent(self, name, field, fleet):
        """[first process]"""
        started = fleet('2.2', 2)
        hap = started.haproxy()
        started[1].info[field] = 'other'
        with pytest.raises(exceptions.IncosistentData) as caught:
            getattr(hap, name)
        assert caught.value.results == [(1, started[0].info[field]), (2, 'other')]

    def test_a_value_is_read_anew(self, fleet):
        """[one command per call]"""
        started = fleet('2.2', 1)
        hap = started.haproxy()
        for uptime in ('10', '20'):
            started[0].info['Uptime_sec'] = uptime
            assert hap.uptimesec == int(uptime)

    def test_the_uptime_is_that_of_the_first_process(self, fleet):
        """[first process; stable order]"""
        started = fleet('2.2', 2)
        hap = started.haproxy()
        started[0].info['Uptime'], started[1].info['Uptime'] = '1d 0h00m00s', '0d 0h00m09s'
        started[0].info['Uptime_sec'], started[1].info['Uptime_sec'] = '86400', '9'
        assert (hap.uptime, hap.uptimesec) == ('1d 0h00m00s', 86400)

    def test_a_description_is_plain_text_or_empty(self, fleet):
        """[description]"""
        started = fleet('2.2', 1)
        hap = started.haproxy()
        started[0].info['description'] = '"say ""hi"", now"'
        assert hap.description == 'say "hi", now'
        del started[0].info['description']
        assert hap.description == ''

    def test_info_keeps_haproxys_own_text(self, fleet):
        """[integers]"""
        started = fleet('2.2', 2)
        infos = started.haproxy().info()
        assert infos == [dict(process.info) for process in started]
        assert all(type(value) is str for info in infos for value in info.values())
        assert started.commands == [['show info']] * 2

    def test_errors_are_numbered_lines(self, fleet):
        """[integers; one command per call]"""
        started = fleet('2.2', 2)
        hap = started.haproxy()
        report = fakes.text(captured.dump('2.2', 'errors.txt')).strip('\n').split('\n')
        assert hap.errors() == [(1, report), (2, report)]
        assert all(is_int(number) for number, _ in hap.errors())
        started.answer('show errors 4', 'Total events captured on [x] : 0\n\n')
        assert hap.errors(iid=4) == [(number, ['Total events captured on [x] : 0'])
                                     for number in (1, 2)]
        assert started.commands == [['show errors', 'show errors', 'show errors 4']] * 2

    def test_errors_that_are_refused_are_an_error(self, fleet):
        """[errors are not data]"""
        started = fleet('2.2', 1)
        hap = started.haproxy()
        started.answer('show errors 99', 'No such proxy.\n\n')
        with pytest.raises(exceptions.CommandFailed) as caught:
            hap.errors(99)
        assert str(caught.value) == 'No such proxy.'
        started[0].level = 'user'
        with pytest.raises(exceptions.CommandFailed) as caught:
            hap.errors()
        assert str(caught.value).startswith('Permission denied')
        assert hap.errors(die=False) is False

    def test_a_command_returns_numbered_lines(self, fleet):
        """[integers; one command per call]"""
        started = fleet('2.2', 2)
        hap = started.haproxy()
        assert hap.command('show cli level') == [(1, ['admin']), (2, ['admin'])]
        entries = fakes.text(captured.dump('2.2', 'acl_4.txt')).strip('\n').split('\n')
        assert hap.command(cmd='show acl #4') == [(1, entries), (2, entries)]
        assert started.commands == [['show cli level', 'show acl #4']] * 2

    def test_a_command_is_sent_as_it_is_and_not_judged(self, fleet):
        """[one word per text]"""
        started = fleet('2.2', 1)
        hap = started.haproxy()
        started.answer('add acl #4 a\\ b', '\n')
        started.answer('add map #7 <<\nk v\n', '\n')
        started.answer('disable server b/s', 'No such backend.\n\n')
        assert hap.command('add acl #4 a\\ b') == [(1, [''])]
        assert hap.command('add map #7 <<\nk v') == [(1, [''])]
        assert hap.command('disable server b/s') == [(1, ['No such backend.'])]

    @pytest.mark.parametrize('call', [
        lambda hap, **die: hap.command('show info', **die),
        lambda hap, **die: hap.errors(**die),
        lambda hap, **die: hap.show_acl(**die), lambda hap, **die: hap.show_acl(4, **die),
        lambda hap, **die: hap.get_acl(4, '/admin/x', **die),
        lambda hap, **die: hap.show_map(**die), lambda hap, **die: hap.show_map(7, **die),
        lambda hap, **die: hap.get_map(7, 'nope', **die),
    ])
    def test_a_read_may_return_false_in_place_of_raising(self, call, fleet):
        """[verdicts] On success it returns its own value."""
        started = fleet('2.2', 2)
        hap = started.haproxy()
        assert call(hap, die=False) == call(hap) != []
        for process in started:
            process.behaviour = fakes.closing
        assert call(hap, die=False) is False
        with pytest.raises(exceptions.SocketApplicationError):
            call(hap)

    @pytest.mark.parametrize('read', [
        lambda hap: hap.info(), lambda hap: hap.requests, lambda hap: hap.frontends(),
        lambda hap: hap.backends(), lambda hap: hap.servers(), lambda hap: hap.metric('CumReq')])
    @pytest.mark.parametrize('failure, kind', [
        (fakes.closing, exceptions.SocketApplicationError),
        (fakes.cut(500), exceptions.SocketApplicationError),
        (fakes.replying(b'\n'), exceptions.SocketApplicationError),
        (fakes.silent, exceptions.SocketTimeout),
    ])
    def test_a_read_of_which_one_fails_is_an_error(self, failure, kind, read, fleet):
        """[errors are not data; messages] A partial list is never returned."""
        started = fleet('2.2', 3)
        hap = started.haproxy()
        started[1].behaviour = failure
        if failure is fakes.silent:
            started.hasten(hap, 1)
        with pytest.raises(kind) as caught:
            read(hap)
        assert caught.value.socket_file == started[1].path
        assert "'show " in str(caught.value) and started[1].path in str(caught.value)


class TestMetrics(object):

    @pytest.mark.parametrize('version', captured.VERSIONS)
    def test_every_published_name_is_a_number(self, version, fleet):
        """[metric names]"""
        started = fleet(version, 1)
        started[0].info.pop('ZlibMemUsage', None)
        hap = started.haproxy()
        for name in haproxyadmin.HAPROXY_METRICS:
            assert is_int(hap.metric(name)), name
        assert hap.metric('ZlibMemUsage') == 0
        assert started.commands == [['show info'] * (len(haproxyadmin.HAPROXY_METRICS) + 1)]

    @pytest.mark.parametrize('name, texts, expected', [
        ('CumReq', ['10', '32'], 42),
        ('Uptime_sec', ['10', '21'], 15),
        ('PoolUsed_MB', ['1', '2'], 3),
        ('Nbthread', ['4', '5'], 4),
        ('CumReq', ['', '32'], 32),
        ('CumReq', [str(2 ** 63), str(2 ** 63)], 2 ** 64),
    ])
    def test_a_metric_is_added_up_or_averaged(self, name, texts, expected, fleet):
        """[metric names; sums and averages; lists of metrics]"""
        started = fleet('2.2', 2)
        for process, text in zip(started, texts):
            process.info[name] = text
        assert started.haproxy().metric(name) == expected

    @pytest.mark.parametrize('name, near', [
        ('CumReqs', 'CumReq'), ('Pid', None), ('Name', None), ('nope', None), ('scur', None),
        (None, None), ([], None), ({}, None), (5, None)])
    def test_any_other_name_is_a_value_error(self, name, near, fleet):
        """[metric names] It contains that name and the nearest, and is never a bare KeyError."""
        hap = fleet('2.2', 1).haproxy()
        with pytest.raises(ValueError) as caught:
            hap.metric(name)
        assert repr(name) in str(caught.value)
        assert near is None or repr(near) in str(caught.value)

    def test_all_metrics_at_once(self, fleet):
        started = fleet('2.2', 2)
        hap = started.haproxy()
        found = hap.metrics()
        assert started.commands == [['show info']] * 2
        assert set(haproxyadmin.HAPROXY_METRICS) < set(found)
        assert found['CumReq'] == 54 and found['PoolUsed_MB'] == 0 and 'Pid' not in found
        assert all(is_int(value) for value in found.values())

    def test_all_figures_as_plain_data(self, fleet):
        started = fleet('2.2', 2)
        started[1].set('backend_proc1', 'backend_proc1_srv1', 'status', 'DOWN')
        rows = started.haproxy().stats()
        assert started.commands == [[STAT(7)]] * 2
        assert len(rows) == len(started[0].rows)
        assert len(set(frozenset(row) for row in rows)) == 1
        server, = [row for row in rows if row['svname'] == 'backend_proc1_srv1']
        assert (server['pxname'], server['type'], server['processes']) == (
            'backend_proc1', 'server', 2)
        assert server['status'] == started[0].get(
            'backend_proc1', 'backend_proc1_srv1', 'status') + ', DOWN'
        assert is_int(server['scur']) and server['rate_lim'] is None

    @pytest.mark.parametrize('version', captured.VERSIONS)
    def test_the_keys_of_all_figures_are_in_haproxys_order(self, version, fleet):
        started = fleet(version, 2)
        hap = started.haproxy()
        rows = hap.stats()
        keys = list(rows[0])
        assert keys[:4] == ['pxname', 'svname', 'type', 'status']
        assert keys[-1] == 'processes'
        texts = ['check_status', 'last_chk', 'addr', 'cookie', 'mode', 'algo']
        figures = METRICS_SUM + METRICS_AVG
        reported = list(collections.OrderedDict.fromkeys(
            name for name in started[0].columns if name in figures + texts))
        missing = [name for name in texts if name not in reported]
        assert keys[4:-1] == reported + missing
        assert bool(missing) == (version < '1.7')
        assert all(isinstance(row, dict) and list(row) == keys for row in rows)
        assert rows == hap.stats() == hap.snapshot().stats()
        assert [list(row) for row in json.loads(
            json.dumps(rows), object_pairs_hook=collections.OrderedDict)] == [keys] * len(rows)

    def test_the_columns_that_only_a_later_process_has_come_last(self, fleet):
        started = fleet('2.2', 2)
        for process, column in zip(started, ('eint', 'uweight')):
            process.columns[process.columns.index('wrew')] = column
        keys = list(started.haproxy().stats()[0])
        assert keys.index('uweight') > keys.index('ttime_max') > keys.index('eint')

    @pytest.mark.parametrize('texts, expected', [
        (['L4OK', 'L4OK'], 'L4OK'), (['L4OK', 'L4TOUT'], 'L4OK, L4TOUT'),
        (['', 'L4OK'], 'L4OK'), (['', ''], None),
        # A check is running; the result is that of the previous one.
        (['* L4OK', 'L4OK'], 'L4OK'),
    ])
    def test_a_text_among_all_figures(self, texts, expected, fleet):
        """As with the status: if processes differ, their values in order."""
        started = fleet('3.2', 2)
        for process, text in zip(started, texts):
            process.set('backend_proc1', 'backend_proc1_srv1', 'check_status', text)
        row, = [row for row in started.haproxy().stats() if row['svname'] == 'backend_proc1_srv1']
        assert row['check_status'] == expected
        assert row['addr'] == started[0].get('backend_proc1', 'backend_proc1_srv1', 'addr')
        assert (row['mode'], row['cookie'], row['algo']) == ('http', 'c1', None)

    def test_the_texts_of_a_frontend_and_a_backend(self, fleet):
        started = fleet('3.2', 1)
        found = dict(((row['pxname'], row['type']), row) for row in started.haproxy().stats())
        backend, frontend = found['backend_proc1', 'backend'], found['frontend_proc1', 'frontend']
        assert (backend['algo'], backend['mode'], backend['addr'], backend['last_chk']) == (
            'roundrobin', 'http', None, None)
        assert (frontend['algo'], frontend['mode'], frontend['check_status']) == (
            None, 'http', None)

    def test_a_text_that_begins_like_a_running_check_is_left_alone(self, fleet):
        started = fleet('2.2', 1)
        started[0].set('be_static', 'be_static_srv1', 'last_chk', '* a, "b"')
        row, = [row for row in started.haproxy().stats() if row['svname'] == 'be_static_srv1']
        assert row['last_chk'] == '* a, "b"'

    def test_the_figures_of_a_backend_stand_together(self, fleet):
        """[stable order] Including those of a server that only a later process has."""
        started = fleet('2.2', 2)
        started[0].remove('be_static', 'be_static_srv1')
        rows = started.haproxy().stats()
        backends = [row['pxname'] for row in rows if row['type'] != 'frontend']
        assert [name for name, _ in itertools.groupby(backends)] == [
            'haproxy', 'backend_proc1', 'be_dynamic', 'be_static', 'st_src', 'tcp_listen']
        assert 'be_static_srv1' in [row['svname'] for row in rows]


# Frontends, backends and servers

class TestProxies(object):

    @pytest.mark.parametrize('call, command, names', [
        (lambda hap: hap.frontends(), FRONTENDS,
         ['haproxy', 'frontend_all', 'frontend_proc1', 'tcp_listen']),
        (lambda hap: hap.frontends('frontend_all'), FRONTENDS, ['frontend_all']),
        (lambda hap: hap.frontends(name='nope'), FRONTENDS, []),
        (lambda hap: [hap.frontend('tcp_listen')], FRONTENDS, ['tcp_listen']),
        (lambda hap: hap.backends(), BACKENDS,
         ['haproxy', 'backend_proc1', 'be_dynamic', 'be_static', 'st_src', 'tcp_listen']),
        (lambda hap: hap.backends('st_src'), BACKENDS, ['st_src']),
        (lambda hap: hap.backends('nope'), BACKENDS, []),
        (lambda hap: [hap.backend('be_static')], BACKENDS, ['be_static']),
        (lambda hap: hap.servers('be_static'), SERVERS,
         ['be_static_srv1', 'be_static_srv2', 'be_static_tracker', 'be_static_nocheck']),
        (lambda hap: hap.servers(backend='tcp_listen'), SERVERS, ['tcp1']),
        (lambda hap: hap.servers('nope'), SERVERS, []),
        (lambda hap: hap.server('tcp1'), SERVERS, ['tcp1']),
        (lambda hap: hap.server(hostname='tcp1', backend='tcp_listen'), SERVERS, ['tcp1']),
        (lambda hap: hap.server(u'tcp1'), SERVERS, ['tcp1']),
        (lambda hap: hap.server(b'tcp1', b'tcp_listen'), SERVERS, ['tcp1']),
        (lambda hap: hap.frontends(b'frontend_all'), FRONTENDS, ['frontend_all']),
        (lambda hap: [hap.backend(b'st_src')], BACKENDS, ['st_src']),
        (lambda hap: hap.frontends([]), FRONTENDS, []),
        (lambda hap: hap.servers({}), SERVERS, []),
    ])
    def test_they_cost_each_process_one_command(self, call, command, names, fleet):
        """[one command per call; what is not there; stable order] They are in HAProxy's order."""
        started = fleet('2.2', 2)
        found = call(started.haproxy())
        assert [thing.name for thing in found] == names
        assert all(thing.process_nb == [1, 2] for thing in found)
        assert started.commands == [[command]] * 2

    @pytest.mark.parametrize('call, words', [
        (lambda hap: hap.frontend('frontend_proc2'),
         "no frontend 'frontend_proc2'; did you mean 'frontend_proc1'"),
        (lambda hap: hap.frontend('backend_proc1'), 'no frontend'),
        (lambda hap: hap.backend('nope'), "no backend 'nope'"),
        (lambda hap: hap.frontend(None), 'no frontend None'),
        (lambda hap: hap.backend([]), 'no backend []'),
        (lambda hap: hap.server(None), 'no server None'),
        (lambda hap: hap.server(None, 'be_static'), "no server None in backend 'be_static'"),
        (lambda hap: hap.server([]), 'no server []'),
        (lambda hap: hap.server('tcp2'), "no server 'tcp2'; did you mean 'tcp1'?"),
        (lambda hap: hap.server('be_static_srv3', 'be_static'),
         "'be_static'; did you mean 'be_static_srv2' or 'be_static_srv1'"),
        (lambda hap: hap.backend('be_static').server(None), 'no server None'),
        (lambda hap: hap.server('nope'), "no server 'nope'"),
        (lambda hap: hap.server('tcp1', backend='be_static'), "'tcp1' in backend 'be_static'"),
        (lambda hap: hap.server('tcp1', backend='nope'), "'nope'"),
        (lambda hap: hap.server('BACKEND'), "'BACKEND'"),
    ])
    def test_a_name_that_is_not_there_is_a_value_error(self, call, words, fleet):
        """[what is not there]"""
        hap = fleet('2.2', 1).haproxy()
        with pytest.raises(ValueError) as caught:
            call(hap)
        assert words in str(caught.value)

    def test_a_proxy_may_stand_for_its_name(self, fleet):
        """[equality] It equals its name; the result has the name as text."""
        hap = fleet('2.2', 2).haproxy()
        frontend, backend = hap.frontend('frontend_all'), hap.backend('be_static')
        assert type(hap.frontends(frontend)[0].name) is str
        assert type(hap.backends(backend)[0].name) is str
        server = hap.server(hap.server('be_static_srv1')[0], backend=backend)[0]
        assert (type(server.name), type(server.backendname)) == (str, str)
        assert server.weight == 100

    def test_a_proxy_is_one_object_over_the_processes_that_have_it(self, fleet):
        started = fleet('2.2', 4)
        for process in started[:2]:
            process.remove('be_static')
            process.remove('frontend_all')
        started[3].remove('tcp_listen', 'tcp1')
        hap = started.haproxy()
        assert hap.backend('be_static').process_nb == [3, 4]
        assert hap.frontend('frontend_all').process_nb == [3, 4]
        assert hap.server('tcp1')[0].process_nb == [1, 2, 3]
        assert hap.server('be_static_srv2')[0].process_nb == [3, 4]
        assert hap.backend('haproxy').process_nb == [1, 2, 3, 4]

    def test_what_only_later_processes_have_comes_after(self, fleet):
        """[stable order] The order is that of the first process that has them."""
        started = fleet('2.2', 2)
        started[0].keep('tcp_listen', 'be_static')
        hap = started.haproxy()
        assert [backend.name for backend in hap.backends()] == [
            'be_static', 'tcp_listen', 'haproxy', 'backend_proc1', 'be_dynamic', 'st_src']
        assert [server.name for server in hap.servers()][:5] == [
            'be_static_srv1', 'be_static_srv2', 'be_static_tracker', 'be_static_nocheck', 'tcp1']

    def test_what_a_process_lists_twice_is_one_object(self, fleet):
        """[one command per call] The last row counts."""
        started = fleet('2.2', 2)
        for process in started:
            process.set('be_static', 'be_static_srv1', 'weight', 1)
            process.set('be_static', 'be_static_srv2', 'svname', 'be_static_srv1')
        hap = started.haproxy()
        server, = hap.server('be_static_srv1', 'be_static')
        assert (server.process_nb, server.weight) == ([1, 2], 100)
        assert len([row for row in hap.stats() if row['svname'] == server.name]) == 1
        started.answer('set weight be_static/be_static_srv1 5', '\n')
        started.forget()
        assert server.setweight(5) is True
        assert started.commands == [['set weight be_static/be_static_srv1 5']] * 2

    def test_a_server_of_two_backends_is_two_objects(self, fleet):
        """[what is not there]"""
        started = fleet('2.2', 1)
        started[0].set('be_static', 'be_static_srv1', 'svname', 'tcp1')
        hap = started.haproxy()
        assert [(server.name, server.backendname) for server in hap.server('tcp1')] == [
            ('tcp1', 'be_static'), ('tcp1', 'tcp_listen')]
        assert [server.backendname for server in hap.server('tcp1', 'be_static')] == ['be_static']

    @pytest.mark.parametrize('version', captured.VERSIONS)
    def test_every_proxy_of_a_version_is_there(self, version, fleet):
        started = fleet(version, 1)
        hap = started.haproxy()
        assert [frontend.name for frontend in hap.frontends()] == [
            proxy for proxy, _ in started[0].names('0')]
        assert [backend.name for backend in hap.backends()] == [
            proxy for proxy, _ in started[0].names('1')]
        assert [(server.backendname, server.name) for server in hap.servers()] == \
            started[0].names('2')


# ACLs and maps

class TestPatterns(object):

    def test_what_is_read_is_that_of_the_first_process(self, fleet):
        """[first process; one command per call] References differ between processes."""
        started = fleet('2.2', 3)
        hap = started.haproxy()
        assert hap.show_acl(4) == fakes.text(
            captured.dump('2.2', 'acl_4.txt')).strip('\n').split('\n')
        assert hap.show_acl() == fakes.text(
            captured.dump('2.2', 'acl.txt')).strip('\n').split('\n')
        assert hap.show_map(map=7) == hap.show_map(mapid='7') == hap.show_map('#7') == fakes.text(
            captured.dump('2.2', 'map_7.txt')).strip('\n').split('\n')
        assert hap.get_acl(4, '/admin/x') == (
            'type=beg, case=sensitive, match=yes, idx=tree, pattern="/admin"')
        assert hap.get_map(7, 'nope') == 'type=str, case=sensitive, found=no'
        assert hap.get_map(mapid=7, value='www.example.com').startswith('type=str, case=sensitive,')
        assert started.commands[0] == [
            'show acl #4', 'show acl', 'show map #7', 'show map #7', 'show map #7',
            'get acl #4 /admin/x', 'get map #7 nope', 'get map #7 www.example.com']
        assert started.commands[1:] == [[], []]

    @pytest.mark.parametrize('call', [
        lambda hap: hap.show_acl(0), lambda hap: hap.show_acl(acl=0),
        lambda hap: hap.show_acl(aclid=0), lambda hap: hap.show_acl('#0')])
    def test_an_acl_is_named_by_either_keyword(self, call, fleet):
        """[documented names] The User Guide and the Developer Interface use different names."""
        started = fleet('2.2', 1)
        call(started.haproxy())
        assert started.commands == [['show acl #0']]

    def test_a_list_has_no_empty_text_at_its_end(self, fleet):
        """[first process]"""
        started = fleet('2.2', 1)
        hap = started.haproxy()
        started.answer('show acl #6', '0x12ea940 /static/css/\n\n')
        started.answer('show map #0', '\n')
        assert hap.show_acl(6) == ['0x12ea940 /static/css/']
        assert hap.show_map(0) == []

    @pytest.mark.parametrize('version', captured.VERSIONS)
    def test_an_error_is_never_returned_as_data(self, version, fleet):
        """[errors are not data] The exception contains the whole message."""
        started = fleet(version, 1)
        hap = started.haproxy()
        unknown = 'Unknown {0} identifier. Please use #<id> or <file>.'.format
        calls = [(lambda: hap.show_acl(9999), 'ACL'), (lambda: hap.show_map(9999), 'map'),
                 (lambda: hap.get_map('/no/such.map', 'k'), 'map')]
        if version != '1.7':
            calls.append((lambda: hap.get_acl('/no/such.acl', 'x'), 'ACL'))
        for call, family in calls:
            with pytest.raises(exceptions.CommandFailed) as caught:
                call()
            assert str(caught.value) == unknown(family)

    def test_an_error_of_several_lines_comes_whole(self, fleet):
        """[errors are not data]"""
        started = fleet('2.2', 1)
        hap = started.haproxy()
        started.answer('get map #7 k', 'Unknown command. Try:\n  help\n  quit\n\n')
        with pytest.raises(exceptions.CommandFailed) as caught:
            hap.get_map(7, 'k')
        assert str(caught.value) == 'Unknown command. Try:\n  help\n  quit'

    @pytest.mark.parametrize('call, command', [
        (lambda hap: hap.add_acl(4, 'two words;x'), 'add acl #4 two\\ words\\;x'),
        (lambda hap: hap.add_acl('/etc/my list', 7), 'add acl /etc/my\\ list 7'),
        (lambda hap: hap.add_map(0, 9, 10), 'add map #0 9 10'),
        (lambda hap: hap.add_map('#0', 'k', 'a\\b'), 'add map #0 k a\\\\b'),
        (lambda hap: hap.add_map(0, '0x1', 'v'), 'add map #0 0x1 v'),
        (lambda hap: hap.add_acl(4, u'/\u017e'), u'add acl #4 /\u017e'),
        (lambda hap: hap.add_acl(4, b'/\xff'), b'add acl #4 /\xff'),
        (lambda hap: hap.del_acl(4, 7), 'del acl #4 7'),
    ])
    def test_text_is_stored_whole(self, call, command, fleet):
        """[argument checks; one word per text; UTF-8]"""
        started = fleet('2.2', 1)
        hap = started.haproxy()
        command = fakes.text(command if isinstance(command, bytes) else command.encode('utf-8'))
        started.answer(command, '\n')
        assert call(hap) is True
        assert started.commands == [[command]]

    @pytest.mark.parametrize('value', [u'/\u017elu\u0165'.encode('utf-8'), b'/\xff\xfe'])
    def test_any_bytes_survive_a_round_trip(self, value, fleet):
        """[UTF-8]"""
        started = fleet('2.2', 1)
        hap = started.haproxy()
        started.answer('show acl #6', fakes.text(b'0x1 ' + value + b'\n\n'))
        started.answer(fakes.text(b'add acl #4 ' + value), '\n')
        entry, = hap.show_acl(6)
        assert type(entry) is str
        assert hap.add_acl(4, entry.split(' ')[1]) is True

    # 3.4 removes one entry of a key at a time

    @pytest.mark.parametrize('version, entries, commands', [
        ('2.2', 3, 1), ('3.2', 3, 1), ('3.4', 1, 2), ('3.4', 3, 4)])
    @pytest.mark.parametrize('family', ['acl', 'map'])
    def test_all_entries_of_a_key_are_deleted(self, family, version, entries, commands, fleet):
        """[references]"""
        started = fleet(version, 2)
        hap = started.haproxy()
        command = 'del {0} #4 k'.format(family)
        one_at_a_time = ['\n'] * entries + ['Key not found.\n\n']
        for process in started:
            process.answers[command] = one_at_a_time[:] if version == '3.4' else [
                '\n', 'Key not found.\n\n']
        assert getattr(hap, 'del_' + family)(4, 'k') is True
        assert started.commands == [[command] * commands] * 2

    @pytest.mark.parametrize('version', ['2.2', '3.4'])
    def test_deleting_what_is_not_there_failed(self, version, fleet):
        """[references; verdicts]"""
        started = fleet(version, 2)
        hap = started.haproxy()
        started.answer('del map #7 k', ['Key not found.\n\n'])
        with pytest.raises(exceptions.CommandFailed) as caught:
            hap.del_map(7, 'k')
        assert str(caught.value) == 'Key not found.'
        started[0].answers['del map #7 k'] = ['\n', 'Key not found.\n\n']
        started[1].answers['del map #7 k'] = ['Key not found.\n\n']
        with pytest.raises(exceptions.MultipleCommandResults) as caught:
            hap.del_map(7, 'k')
        assert [reply for _, reply in caught.value.results] == ['', 'Key not found.']

    # References

    @pytest.mark.parametrize('key', ['0x1a78ab0', '#0x1a78ab0', b'0x1a78ab0', u'0x1A78AB0'])
    @pytest.mark.parametrize('call, command', [
        (lambda hap, key: hap.del_acl(4, key), 'del acl #4 #'),
        (lambda hap, key: hap.del_map(4, key), 'del map #4 #'),
        (lambda hap, key: hap.set_map(4, key, 'v w'), 'set map #4 #'),
    ])
    def test_an_entry_by_reference_is_looked_up_first(self, call, command, key, fleet):
        """[references] It is changed by that reference if all processes have the same entry."""
        started = fleet('2.2', 2)
        hap = started.haproxy()
        family = command.split(' ')[1]
        show = 'show {0} #4'.format(family)
        started.answer(show, '0x1 a b\n0x1a78ab0 9 foo\n0x2 x y\n\n')
        reference = fakes.text(key if isinstance(key, bytes) else key.encode()).lstrip('#')
        change = command + reference + (' v\\ w' if 'set' in command else '')
        started.answer(change, '\n')
        assert call(hap, key) is True
        assert started.commands == [[show, change]] * 2

    @pytest.mark.parametrize('entries', [
        ['0x1a 9 foo\n\n', '0x1a 9 bar\n\n'],
        ['0x1a 9 foo\n\n', '0x1a 8 foo\n\n'],
        ['0x1a 9 foo\n\n', '0x1b 9 foo\n\n'],
        ['0x1a 9 foo\n\n', '\n'],
        ['\n', '\n'],
    ])
    def test_a_reference_that_is_not_the_same_everywhere_changes_nothing(self, entries, fleet):
        """[references]"""
        started = fleet('2.2', 2)
        hap = started.haproxy()
        for process, listing in zip(started, entries):
            process.answers['show map #7'] = listing
        for call in (lambda: hap.del_map(7, '0x1a'), lambda: hap.set_map(7, '0x1a', 'v')):
            with pytest.raises(exceptions.CommandFailed) as caught:
                call()
            message = str(caught.value)
            assert '0x1a' in message and all(path in message for path in started.paths)
            for listing in entries:
                if listing.startswith('0x1a'):
                    assert repr(listing[5:].strip('\n')) in message
        assert started.commands == [['show map #7'] * 2] * 2

    @pytest.mark.parametrize('call, command', [
        (lambda hap: hap.del_acl(7, '0xcafe'), 'del acl #7 0xcafe'),
        (lambda hap: hap.del_map(7, b'0xcafe'), 'del map #7 0xcafe'),
        (lambda hap: hap.set_map(7, u'0xcafe', 'v'), 'set map #7 0xcafe v'),
        (lambda hap: hap.del_map_entries(7, ['0xcafe']), 'del map #7 0xcafe'),
    ])
    def test_a_key_may_look_like_a_reference(self, call, command, fleet):
        """[references] It is a reference only if an entry has it."""
        started = fleet('2.2', 2)
        hap = started.haproxy()
        family = command.split(' ')[1]
        key = '0xcafe' if family == 'acl' else '0xcafe x'
        listings = ['0x1 ' + key + '\n0x2 0xcaf 0xcafe\n\n', '0x3 0xcafe9 y\n\n']
        for process, listing in zip(started, listings):
            process.answers['show {0} #7'.format(family)] = listing
            process.answers[command] = '\n'
        assert call(hap) is True
        assert started.commands == [['show {0} #7'.format(family), command]] * 2

    @pytest.mark.parametrize('call', [
        lambda hap: hap.del_map(7, '0xcafe'), lambda hap: hap.del_map(7, '#0xcafe'),
        lambda hap: hap.del_acl(7, '0xcafe')])
    def test_what_is_neither_a_reference_nor_a_key_is_told_so(self, call, fleet):
        """[references]"""
        started = fleet('2.2', 2)
        hap = started.haproxy()
        started.answer('show map #7', '0x1 0xcaf 0xcafe\n0x2 #0xcafe x\n\n')
        started.answer('show acl #7', '0x1 0xcafe foo\n\n')
        with pytest.raises(exceptions.CommandFailed) as caught:
            call(hap)
        assert '0xcafe is neither the reference nor the key' in str(caught.value)
        assert all(path in str(caught.value) for path in started.paths)

    def test_an_entry_may_hold_newlines(self, fleet):
        """A request may put them there; HAProxy prints such an entry on several lines."""
        started = fleet('2.2', 2)
        hap = started.haproxy()
        started.answer('show map #7', '0x1a 0 foo\n0x1b a\n\nb\n0xc\n1\n0x1c 2 bar\n\n')
        started.answer('del map #7 #0x1b', '\n')
        assert hap.show_map(7) == ['0x1a 0 foo', '0x1b a\n\nb\n0xc\n1', '0x1c 2 bar']
        assert hap.del_map(7, '0x1b') is True

    @pytest.mark.parametrize('call, command', [
        (lambda hap: hap.errors(), 'show errors'),
        (lambda hap: hap.get_map(7, 'k'), 'get map #7 k')])
    def test_a_refused_read_tells_which_process_refused(self, call, command, fleet):
        """[messages]"""
        started = fleet('2.2', 2)
        hap = started.haproxy()
        process = started[1 if command == 'show errors' else 0]
        process.answers[command] = 'No such thing.\n\n'
        with pytest.raises(exceptions.CommandFailed) as caught:
            call(hap)
        assert caught.value.by_socket == [(process.path, 'No such thing.')]
        assert caught.value.results == [(process.number, 'No such thing.')]

    def test_an_unknown_map_of_a_reference_is_told(self, fleet):
        """[references; errors are not data]"""
        started = fleet('2.2', 2)
        hap = started.haproxy()
        with pytest.raises(exceptions.CommandFailed) as caught:
            hap.del_map(9999, '0x1a')
        assert 'Unknown map identifier' in str(caught.value)
        assert started.commands == [['show map #9999']] * 2

    def test_a_wrong_value_is_refused_before_the_reference_is_looked_up(self, fleet):
        """[argument checks; references]"""
        started = fleet('2.2', 2)
        hap = started.haproxy()
        with pytest.raises(ValueError):
            hap.set_map(7, '0x1a', 'a\nb')
        assert started.connections == [0, 0]


# Names

@pytest.mark.parametrize('module', [haproxyadmin, haproxy, haproxyadmin.server])
def test_the_states_are_reachable(module):
    """[documented names] The User Guide uses haproxy.STATE_DISABLE."""
    assert (module.STATE_ENABLE, module.STATE_DISABLE, module.STATE_READY, module.STATE_DRAIN,
            module.STATE_MAINT) == ('enable', 'disable', 'ready', 'drain', 'maint')
    assert sorted(module.VALID_STATES) == ['disable', 'drain', 'enable', 'maint', 'ready']


@pytest.mark.parametrize('name, count', [
    ('FRONTEND_METRICS', 25), ('BACKEND_METRICS', 40), ('SERVER_METRICS', 39),
    ('HAPROXY_METRICS', 40)])
def test_the_lists_of_metrics_are_reachable(name, count):
    """[documented names; lists of metrics]"""
    assert getattr(haproxyadmin, name) is getattr(haproxy, name)
    assert len(getattr(haproxy, name)) == count


def test_everything_is_reachable_from_the_package():
    """[documented names]"""
    namespace = {}
    exec('from haproxyadmin import *', namespace)
    for name in ('backend', 'exceptions', 'frontend', 'haproxy', 'internal', 'server', 'utils',
                 'FRONTEND_METRICS', 'STATE_DISABLE', 'VALID_STATES'):
        assert namespace[name] is getattr(haproxyadmin, name)
    assert haproxyadmin.server.Server and haproxyadmin.frontend.Frontend
    assert haproxyadmin.backend.Backend and haproxy.HAProxy is HAProxy
    assert utils.METRICS_SUM and utils.METRICS_AVG
    assert isinstance(haproxyadmin.__version__, str)
