# SPDX-License-Identifier: Apache-2.0
"""Discovery of processes behind sockets, among real HAProxies and other sockets."""
import contextlib
import errno
import logging
import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import time

import pytest

from haproxyadmin import exceptions, haproxy, utils
from haproxyadmin.internal import _HAProxyProcess
from haproxyadmin.testing import sockets
from tests import conftest
from tests.support import lab as labs, truth
from tests.support.checks import error_of
from tests.support.package import PACKAGE_ROOT

pytestmark = pytest.mark.dealt_out


class Stranger(sockets.Listener):
    """Something other than HAProxy that listens on a Unix socket.

    :param answer: what it sends to each client before it hangs up; None to send nothing and keep
        the connection open.
    """

    def __init__(self, path, answer):
        super(Stranger, self).__init__(path)
        self.answer = answer
        self.clients = []
        self.listen()

    def serve(self, client):
        if self.answer is None:
            self.clients.append(client)
            return
        with contextlib.closing(client):
            try:
                client.recv(1000)
                client.sendall(self.answer)
            except socket.error:
                pass  # the client did not wait

    def close(self):
        self.refuse()
        for client in self.clients:
            client.close()


@pytest.fixture
def listener(request, tmpdir):
    def listen(name, answer):
        found = Stranger(str(tmpdir.join(name)), answer)
        request.addfinalizer(found.close)
        return found.path
    return listen


def dead_socket(tmpdir, name='dead.sock'):
    """Return the path of a socket file that nothing listens on."""
    path = str(tmpdir.join(name))
    sock = socket.socket(socket.AF_UNIX)
    sock.bind(path)
    sock.close()
    return path


class TestFound(object):

    def test_a_directory(self, lab):
        found = haproxy.HAProxy(lab.socket_dir)
        assert found.processids == lab.pids
        assert found.left_out == []

    def test_one_file(self, lab):
        for path, pid in zip(lab.socket_files, lab.pids):
            assert haproxy.HAProxy(socket_file=path).processids == [pid]
            assert haproxy.HAProxy(None, path).processids == [pid]

    def test_the_directory_wins(self, lab):
        """[constructor]"""
        found = haproxy.HAProxy(lab.socket_dir, lab.socket_files[0])
        assert found.processids == lab.pids
        found = haproxy.HAProxy(lab.socket_dir, '/nonexistent')
        assert found.processids == lab.pids

    def test_positional_order(self, lab):
        """[constructor]"""
        assert haproxy.HAProxy(lab.socket_dir, None, 2, 2, 1).processids == lab.pids
        process = _HAProxyProcess(lab.socket_files[0], 3, 2, 1)
        assert process.proc_info()['Pid'] == str(lab.pids[0])

    def test_connected_socket(self, lab):
        assert utils.connected_socket(lab.socket_files[0]) is True
        assert utils.connected_socket(lab.socket_files[0], 5) is True
        assert utils.connected_socket(lab.socket_files[0], timeout=5) is True
        assert utils.is_unix_socket(lab.socket_files[0]) is True

    def test_a_link_is_as_good(self, lab, tmpdir):
        for path in lab.socket_files:
            os.symlink(path, str(tmpdir.join(os.path.basename(path))))
        assert haproxy.HAProxy(socket_dir=str(tmpdir)).processids == lab.pids

    def test_a_relative_path_survives_a_change_of_directory(self, lab):
        """[constructor]"""
        before = os.getcwd()
        os.chdir(lab.socket_dir)
        try:
            of_directory = haproxy.HAProxy(socket_dir='.')
            of_file = haproxy.HAProxy(socket_file=os.path.basename(lab.socket_files[0]))
        finally:
            os.chdir(before)
        assert of_directory.processids == lab.pids
        assert of_file.processids == lab.pids[:1]
        answers = of_file.frontends()[0].requests_per_process()
        assert [number for number, _ in answers] == truth.numbers(lab, [1])

    @pytest.mark.one_layout
    def test_names_that_haproxy_has_while_it_binds(self, lab, tmpdir, sent):
        for path, name in zip(lab.socket_files, ['a.sock', 'a.sock.1.bak', 'b.2.tmp', '.hidden']):
            os.symlink(path, str(tmpdir.join(name)))
        found = haproxy.HAProxy(socket_dir=str(tmpdir))
        assert sent.paths == [str(tmpdir.join('a.sock'))]
        assert found.processids == lab.pids[:1] and found.left_out == []

    def test_what_is_none_is_left_out_quickly(self, lab, tmpdir, listener, caplog):
        """[no HAProxy found]"""
        for path in lab.socket_files:
            os.symlink(path, str(tmpdir.join(os.path.basename(path))))
        unusable = [dead_socket(tmpdir), listener('web.sock', b'HTTP/1.0 400 Bad\r\n\r\n'),
                    listener('info.sock', b'Name: other\n\n'), listener('shy.sock', b'')]
        tmpdir.join('notes.txt').write('Name: HAProxy')
        tmpdir.mkdir('old')
        started = time.time()
        with caplog.at_level(logging.INFO, 'haproxyadmin'):
            found = haproxy.HAProxy(socket_dir=str(tmpdir), timeout=60)
        assert time.time() - started < 50
        assert found.processids == lab.pids
        assert [address for address, _ in found.left_out] == sorted(unusable)
        for path in unusable:
            assert path in caplog.text
        assert not [record for record in caplog.records if record.levelno > logging.INFO]

    @pytest.mark.one_haproxy
    def test_one_silent_socket_costs_one_timeout(self, lab, tmpdir, listener):
        """[no HAProxy found]"""
        os.symlink(lab.socket_files[0], str(tmpdir.join('good.sock')))
        for name in ('a', 'b', 'c', 'd'):
            listener(name, None)
        started = time.time()
        found = haproxy.HAProxy(socket_dir=str(tmpdir), timeout=3)
        # Python 2 tells the time in steps.
        assert 2.9 <= time.time() - started < 9
        assert found.processids == lab.pids[:1]

    def test_no_further_command(self, lab, sent):
        """[one process, two sockets]"""
        haproxy.HAProxy(socket_dir=lab.socket_dir)
        assert sent.commands == ['show info'] * truth.process_count(lab)

    @pytest.mark.only('nbproc4', 'instances')
    def test_a_second_name_of_each(self, lab, tmpdir, sent):
        """[one process, two sockets]"""
        for path in lab.socket_files:
            for name in ('a-', 'b-'):
                os.symlink(path, str(tmpdir.join(name + os.path.basename(path))))
        found = haproxy.HAProxy(socket_dir=str(tmpdir))
        # Four of the eight sockets are compared with another, at four more commands each.
        assert sent.commands.count('show info') == 8 + 4 * 4
        assert found.processids == lab.pids


@pytest.mark.one_haproxy
class TestNotFound(object):

    def test_nothing_given(self):
        """[no HAProxy found]"""
        assert type(error_of(haproxy.HAProxy)) is ValueError

    def test_a_missing_directory(self, tmpdir):
        """[no HAProxy found]"""
        path = str(tmpdir.join('nope'))
        error = error_of(haproxy.HAProxy, socket_dir=path)
        assert type(error) is exceptions.NoHAProxyFound
        assert type(error.cause) is exceptions.SocketConnectionError
        assert path in str(error)

    def test_a_file_as_directory(self, lab):
        """[no HAProxy found]"""
        error = error_of(haproxy.HAProxy, socket_dir=lab.socket_files[0])
        assert type(error) is exceptions.NoHAProxyFound
        assert error.errno == errno.ENOTDIR
        assert str(error).endswith('use socket_file=')
        assert lab.socket_files[0] in str(error)
        error = error_of(haproxy.HAProxy, socket_file=lab.socket_dir)
        assert str(error).endswith('use socket_dir=')

    def test_an_empty_directory(self, tmpdir):
        """[no HAProxy found]"""
        error = error_of(haproxy.HAProxy, socket_dir=str(tmpdir))
        assert type(error) is exceptions.NoHAProxyFound
        assert str(tmpdir) in str(error)

    def test_each_candidate_and_why(self, tmpdir, listener):
        """[no HAProxy found]"""
        tmpdir.join('notes.txt').write('Name: HAProxy')
        dead_socket(tmpdir)
        listener('web.sock', b'HTTP/1.0 400 Bad\r\n\r\n')
        listener('shy.sock', b'')
        listener('silent.sock', None)
        started = time.time()
        error = error_of(haproxy.HAProxy, socket_dir=str(tmpdir), timeout=2, retry_interval=20)
        # There are no retries.
        assert time.time() - started < 20
        assert type(error) is exceptions.NoHAProxyFound
        assert type(error.cause) is exceptions.SocketConnectionError
        assert error.errno == errno.ECONNREFUSED
        reasons = dict((os.path.basename(word.rstrip(':')), line)
                       for line in str(error).splitlines()[1:] for word in line.split()
                       if word.startswith(str(tmpdir)))
        assert sorted(reasons) == ['dead.sock', 'shy.sock', 'silent.sock', 'web.sock']
        assert str(error).endswith('not tried: 1 other file')
        assert 'refused' in reasons['dead.sock']
        assert 'not HAProxy' in reasons['web.sock']
        assert 'timed out' in reasons['silent.sock']
        assert 'closed' in reasons['shy.sock']

    @pytest.mark.parametrize('name, kind, number', [
        ('missing', exceptions.SocketConnectionError, errno.ENOENT),
        ('dead', exceptions.SocketConnectionError, errno.ECONNREFUSED),
        ('regular', exceptions.SocketConnectionError, errno.ECONNREFUSED),
        ('datagram', exceptions.SocketConnectionError, errno.EPROTOTYPE),
        ('directory', exceptions.SocketConnectionError, errno.ECONNREFUSED),
        ('silent', exceptions.SocketTimeout, errno.ETIMEDOUT),
        ('other', exceptions.SocketApplicationError, None),
        ('mute', exceptions.SocketApplicationError, None),
    ])
    def test_one_file(self, tmpdir, listener, name, kind, number):
        """[exception tree]"""
        path = str(tmpdir.join(name))
        datagram = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        if name == 'dead':
            dead_socket(tmpdir, name)
        elif name == 'regular':
            tmpdir.join(name).write('')
        elif name == 'datagram':
            datagram.bind(path)
        elif name == 'directory':
            tmpdir.mkdir(name)
        elif name != 'missing':
            listener(name, {'silent': None, 'other': b'SSH-2.0-x\r\n', 'mute': b''}[name])
        started = time.time()
        # Whatever replies has enough time to do so.
        timeout = 0.3 if name == 'silent' else 30
        error = error_of(haproxy.HAProxy, socket_file=path, timeout=timeout)
        assert time.time() - started < 20
        datagram.close()
        assert type(error) is exceptions.NoHAProxyFound
        assert isinstance(error, ValueError)
        assert type(error.cause) is kind and error.__cause__ is error.cause
        # On Python 2 also a socket.error, which is not an OSError there.
        assert isinstance(error, OSError) and isinstance(error, socket.error)
        assert error.errno == number
        assert error.socket_file == path
        assert path in str(error)
        # The same cause without the HAProxy constructor.
        process = _HAProxyProcess(path, retry=None, timeout=timeout)
        assert type(error_of(process.proc_info)) is kind
        assert utils.connected_socket(path, timeout) is False

    def test_no_permission(self, lab):
        """[no HAProxy found] If root runs the tests, as nobody: root is allowed everything."""
        path = lab.socket_files[0]
        mode = stat.S_IMODE(os.stat(path).st_mode)
        os.chmod(path, 0)
        os.chmod(lab.directory, 0o711)
        try:
            errors = as_nobody(lambda: [
                error_of(haproxy.HAProxy, socket_file=path),
                error_of(_HAProxyProcess(path, retry=5, retry_interval=60).proc_info)])
        finally:
            os.chmod(path, mode)
        for kinds, _, number, text in errors:
            assert 'OSError' in kinds
            assert number == errno.EACCES
            assert path in text
        assert errors[0][0][0] == 'NoHAProxyFound' and 'ValueError' in errors[0][0]
        assert errors[0][1] == 'SocketPermissionError'
        assert errors[1][0][0] == 'SocketPermissionError'

    def test_a_forbidden_directory(self, lab, tmpdir):
        """[no HAProxy found]"""
        os.chmod(str(tmpdir), 0)
        try:
            (kinds, cause, number, text), = as_nobody(
                lambda: [error_of(haproxy.HAProxy, socket_dir=str(tmpdir))])
        finally:
            os.chmod(str(tmpdir), 0o700)
        assert kinds[0] == 'NoHAProxyFound' and 'ValueError' in kinds
        assert (cause, number) == ('SocketPermissionError', errno.EACCES)
        assert str(tmpdir) in text and 'denied' in text

    def test_a_directory_that_may_only_be_listed(self, lab):
        """[no HAProxy found]"""
        mode = stat.S_IMODE(os.stat(lab.socket_dir).st_mode)
        os.chmod(lab.directory, 0o711)
        os.chmod(lab.socket_dir, 0o744)
        try:
            (kinds, cause, number, text), = as_nobody(
                lambda: [error_of(haproxy.HAProxy, socket_dir=lab.socket_dir)])
        finally:
            os.chmod(lab.socket_dir, mode)
        assert kinds[0] == 'NoHAProxyFound' and 'not a socket' not in text
        assert (cause, number) == ('SocketPermissionError', errno.EACCES)
        for path in lab.socket_files:
            assert path + ': Permission denied' in text


TOO_FEW = """
import resource, sys
from haproxyadmin import exceptions, haproxy
directory, count = sys.argv[1], int(sys.argv[2])
# 0, 1 and 2 are open already.
resource.setrlimit(resource.RLIMIT_NOFILE, (3 + count, 3 + count))
try:
    print(haproxy.HAProxy(socket_dir=directory, timeout=30).processids)
except exceptions.HAProxySocketError as error:
    print(type(error).__name__, error.errno, error.socket_file)
"""


@pytest.mark.only('nbproc4', 'instances')
class TestTooFewDescriptors(object):

    def constructed(self, directory, count):
        process = subprocess.Popen(
            [sys.executable, '-c', 'from __future__ import print_function' + TOO_FEW, directory,
             str(count)], env=dict(os.environ, PYTHONPATH=PACKAGE_ROOT), close_fds=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        return process.communicate()[0].decode('utf-8').strip()

    def test_an_error_of_ours_is_raised(self, lab):
        """[no HAProxy found]"""
        assert self.constructed(lab.socket_dir, 0) == 'HAProxySocketError {0} {1}'.format(
            errno.EMFILE, lab.socket_dir)

    @pytest.mark.parametrize('count', [1, 2, 3, 4])
    def test_one_is_enough_for_any_number_of_sockets(self, lab, count):
        """A connection waits for the end of another one."""
        assert self.constructed(lab.socket_dir, count) == str(lab.pids)


def as_nobody(call):
    """Call a function in a child that is not root; return a description of its errors."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.close(reader)
            if os.getuid() == 0:
                os.setgid(65534)
                os.setuid(65534)
            report = [([kind.__name__ for kind in type(error).__mro__],
                       type(getattr(error, 'cause', None)).__name__,
                       getattr(error, 'errno', None), str(error)) for error in call()]
            os.write(writer, repr(report).encode('utf-8'))
        finally:
            os._exit(0)
    os.close(writer)
    with os.fdopen(reader, 'rb') as pipe:
        report = pipe.read()
    os.waitpid(pid, 0)
    return eval(report)


SEVERAL = """
global
    stats socket "${HAPROXYADMIN_RUN}/a.sock" level %s
    stats socket "${HAPROXYADMIN_RUN}/b.sock" level %s
    stats socket "${HAPROXYADMIN_RUN}/c.sock" level %s
defaults
    timeout connect 1s
    timeout client 1s
    timeout server 1s
listen web
    bind "127.0.0.1:${HAPROXYADMIN_PORT_WEB}"
"""


class SocketsOfOneProcess(object):

    def check(self, lab, sent, chosen):
        found = haproxy.HAProxy(socket_dir=lab.socket_dir)
        # One "show info" per socket. Because they look like the same process, four more for each
        # of the two others, and one command per socket for the level.
        assert len(sent.commands) == 3 + 2 * 4 + 3
        assert sent.commands.count('show info') == 3 + 2 * 4
        sent.clear()
        assert found.processids == [int(truth.info(lab)['Pid'])]
        assert sent.paths == [os.path.join(lab.socket_dir, chosen)]
        assert found.frontend('web').process_nb == [1]
        return found


@pytest.mark.one_layout
@pytest.mark.lab(config=SEVERAL % ('user', 'admin', 'operator'))
class TestAdminAmongOthers(SocketsOfOneProcess):

    def test_the_highest_level_wins(self, lab, sent):
        """[one process, two sockets]"""
        found = self.check(lab, sent, 'b.sock')
        assert found.setmaxconn(100) is True
        assert found.maxconn == 100


@pytest.mark.one_layout
@pytest.mark.lab(config=SEVERAL % ('user', 'user', 'operator'))
class TestOperatorAmongUsers(SocketsOfOneProcess):

    def test_operator_before_user(self, lab, sent):
        """[one process, two sockets]"""
        found = self.check(lab, sent, 'c.sock')
        assert found.clearcounters() is True


@pytest.mark.one_layout
@pytest.mark.lab(config=SEVERAL % ('admin', 'admin', 'admin'))
class TestEquals(SocketsOfOneProcess):

    def test_the_first_of_equals(self, lab, sent):
        """[one process, two sockets]"""
        self.check(lab, sent, 'a.sock')


@pytest.mark.one_layout
@pytest.mark.lab(config=SEVERAL % ('admin', 'admin', 'admin'))
class TestCounter(object):

    def test_each_show_info_counts_as_one_request_of_the_process(self, lab):
        """[one process, two sockets]"""
        counts = [int(truth.info(lab, path)['CumReq']) for path in lab.socket_files * 2]
        assert counts == list(range(counts[0], counts[0] + 6))


CONTAINER = """
global
    node shared
    stats socket "{0}-admin.sock" level admin
    stats socket "{0}-user.sock" level user
defaults
    timeout connect 1s
    timeout client 1s
    timeout server 1s
listen web
    bind "{1}.sock"
"""


def may_have_namespaces():
    try:
        return subprocess.call(['unshare', '--pid', '--fork', 'true']) == 0
    except OSError:
        return False


class Containers(object):
    """HAProxies that are each pid 1 of their own namespace, with two sockets each."""

    def __init__(self, binary, count):
        self.directory = tempfile.mkdtemp(prefix='haproxyadmin-')
        self.run = os.path.join(self.directory, 'run')
        os.mkdir(self.run)
        self.names = [os.path.join(self.run, str(number)) for number in range(count)]
        self._processes = []
        for number, name in enumerate(self.names):
            config = os.path.join(self.directory, '{0}.cfg'.format(number))
            with open(config, 'w') as text:
                text.write(CONTAINER.format(name, config))
            self._processes.append(labs.spawn(
                ['unshare', '--pid', '--fork', binary, '-f', config, '-db']))
        try:
            for name in self.names:
                labs.wait_until(lambda: self.answers(name + '-user.sock'), name + ' answers')
        except BaseException:
            self.close()
            raise

    def answers(self, path):
        try:
            return labs.ask(path, 'show info')
        except socket.error:
            return None

    def info(self, name, socket_name):
        reply = labs.ask('{0}-{1}.sock'.format(name, socket_name), 'show info')
        return dict(line.split(': ', 1) for line in reply.splitlines() if ': ' in line)

    def close(self):
        for process in self._processes:
            # Not unshare itself, which does not forward signals; HAProxy as pid 1 ignores SIGTERM.
            with open('/proc/{0}/task/{0}/children'.format(process.pid)) as children:
                for child in children.read().split():
                    os.kill(int(child), signal.SIGKILL)
            process.wait()
        shutil.rmtree(self.directory)


@pytest.mark.parametrize('version', conftest.versions())
def test_containers_that_start_together_are_two_processes(version, request):
    """[one process, two sockets] Pid (1), node, process number and start time are equal."""
    if not may_have_namespaces():
        pytest.skip('unshare --pid is not permitted')
    containers = Containers(conftest.find(version), 2)
    request.addfinalizer(containers.close)
    infos = [containers.info(name, 'admin') for name in containers.names]
    assert [(info['Pid'], info['node']) for info in infos] == [('1', 'shared')] * 2
    found = haproxy.HAProxy(socket_dir=containers.run, retry=None, timeout=10)
    assert found.processids == [1, 1]
    assert found.setmaxconn(77) is True
    for name in containers.names:
        assert containers.info(name, 'user')['Maxconn'] == '77'
    assert found.maxconn == 2 * 77
    # The library checks only once that they are two processes.
    before = [int(containers.info(name, 'user')['CumReq']) for name in containers.names]
    found.info()
    after = [int(containers.info(name, 'user')['CumReq']) for name in containers.names]
    assert [late - early for early, late in zip(before, after)] == [2, 2]


@pytest.mark.one_layout
@pytest.mark.lab(master_worker=True)
class TestMasterSocket(object):

    def test_it_is_no_stats_socket_and_costs_no_timeout(self, lab, tmpdir):
        """[cost of construction]"""
        paths = lab.socket_files + lab.master_files
        for number, path in enumerate(paths):
            os.symlink(path, str(tmpdir.join('{0}.sock'.format(number))))
        started = time.time()
        found = haproxy.HAProxy(socket_dir=str(tmpdir), timeout=60)
        assert time.time() - started < 50
        assert sorted(found.processids) == sorted(lab.pids)

    def test_alone_it_is_an_error(self, lab):
        """[cost of construction]"""
        started = time.time()
        error = error_of(haproxy.HAProxy, socket_file=lab.master_files[0], timeout=60)
        assert time.time() - started < 50
        assert type(error) is exceptions.NoHAProxyFound
        assert type(error.cause) is exceptions.SocketApplicationError
        assert lab.master_files[0] in str(error)
        assert utils.connected_socket(lab.master_files[0]) is False
