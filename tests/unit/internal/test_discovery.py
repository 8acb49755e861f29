# -*- coding: utf-8 -*-
# SPDX-License-Identifier: Apache-2.0
"""internal/discovery.py and grouping.py: which processes are found."""
import errno
import gc
import itertools
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
from haproxyadmin import exceptions, utils
from haproxyadmin.haproxy import HAProxy
from haproxyadmin.internal import _HAProxyProcess
from haproxyadmin.testing import faults
from tests.support import captured, fakes


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
        for process, behavior in zip(started, [
                faults.silent(), faults.replying(b'220 ESMTP\n\n'), faults.closing()]):
            process.fail(behavior)
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
        started[1].fail(faults.closing())
        started.stale()
        started.file('haproxy.pid')
        hap = HAProxy(socket_dir=started.directory, timeout=fakes.LONG)
        assert hap.processids == [4001, 4003]

    def test_what_did_not_answer_is_left_out(self, fleet, caplog):
        """[no HAProxy found; logging] Logged at INFO, because it is not the caller's fault."""
        started = fleet('2.2', 3)
        started[0].fail(faults.closing())
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
                if len(calls) >= failing:
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
        started[0].fail(faults.replying(b'220 ESMTP\n\n'))

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
            process.fail(faults.silent())
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
        started[1].fail(stream)
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
        started[0].next(faults.closing())
        assert len(hap.info()) == 1

    def test_a_master_socket_costs_no_timeout(self, fleet):
        """[cost of construction]"""
        started = fleet('2.2', 2)
        started[0].fail(fakes.MASTER)
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

    @pytest.mark.parametrize('behavior', [
        faults.closing(), faults.replying(b'220 ESMTP\n\n'), faults.replying(b'Name: x\n\n'),
        faults.cut(30), fakes.MASTER])
    def test_what_is_not_haproxy_is_an_application_error(self, behavior, fleet):
        """[no HAProxy found]"""
        started = fleet('2.2', 1)
        started[0].fail(behavior)
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

    @pytest.mark.parametrize('behavior', [
        faults.closing(), faults.silent(), faults.replying(b'220 ESMTP\n\n'), fakes.MASTER])
    @pytest.mark.parametrize('name', ['socket_dir', 'socket_file'])
    def test_no_haproxy_is_printed(self, name, behavior, fleet):
        """[no HAProxy found]"""
        started = fleet('2.2', 1)
        started[0].fail(behavior)
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
        started[1].next(faults.answering(), faults.closing())
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
        started[0].next(*[faults.answering()] * 3 + [faults.closing()])
        assert found_by(started) == started.paths[1:]


def test_what_is_no_master_is_not_advised_to_be_used_as_one(fleet):
    started = fleet('3.2')
    started[0].next(*[faults.replying(b"Unknown command: 'show'\n\n")] * 3)
    with pytest.raises(exceptions.NoHAProxyFound) as raised:
        HAProxy(master=started[0].path, timeout=fakes.LONG)
    assert 'this is not the socket of a master' in str(raised.value)
    assert 'master=' not in str(raised.value)
    with pytest.raises(exceptions.NoHAProxyFound) as raised:
        HAProxy(socket_file=started[0].path, timeout=fakes.LONG)
    assert str(raised.value).endswith('; if this is the socket of a master, use master=')
