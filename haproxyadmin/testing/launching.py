# SPDX-License-Identifier: Apache-2.0
"""Run HAProxy in a directory of its own: find it, start it, reload it, and end it for certain.

Only the standard library is imported: programs use this on a Python that has nothing else.
"""
import atexit
import binascii
import collections
import contextlib
import errno
import fcntl
import os
import re
import shutil
import signal
import socket
import subprocess  # nosec B404
import sys
import tempfile
import threading
import time

from haproxyadmin.testing import origins

__all__ = ['ConfigurationRefused', 'Count', 'HAProxies', 'HAProxyFailed', 'HAProxyNotFound']

ORIGINS = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'origins.py')
# sun_path can contain 107 bytes, and HAProxy binds to a longer name before renaming it.
LONGEST_SOCKET_PATH = 90
LONGEST_NAME = 'run/haproxy-100-10.sock'
# Where such a path is short enough.
SHORT_DIRECTORY = '/tmp'  # nosec B108
START_SECONDS = 60
STOP_SECONDS = 60

# Exit codes of a terminated process.  HAProxy handles SIGTERM, its launcher does not.
GOOD_CODES = (0, 128 + signal.SIGTERM, -signal.SIGTERM)

_branches = {}
_running = []


class HAProxyNotFound(Exception):
    """No HAProxy of the requested version was found; the message says where it was looked for."""


class HAProxyFailed(Exception):
    """An HAProxy did not start, reload, run or stop correctly; the message says what it wrote."""


class ConfigurationRefused(HAProxyFailed):
    """HAProxy does not accept a configuration; the message is its own."""


def find(version=None):
    """Return the path of an HAProxy of branch ``version`` ('2.6'), or of any branch."""
    haproxies = available()
    for found, path in haproxies:
        if version in (None, found):
            return path
    raise HAProxyNotFound(
        'no HAProxy %s in HAPROXYADMIN_HAPROXY or on PATH (have: %s); set HAPROXYADMIN_HAPROXY='
        '%s=/path/to/haproxy, or pass the path as binary= (HAPROXYADMIN_HAPROXY is %r, PATH is %r)'
        % (version or 'at all', ', '.join(found for found, _ in haproxies) or 'none',
           version or '3.2', os.environ.get('HAPROXYADMIN_HAPROXY', ''),
           os.environ.get('PATH', '')))


def choose(version=None, binary=None):
    """Return the path of an HAProxy: of one that was named, or of one of a branch."""
    if binary is None:
        return find(version)
    found = branch(binary)
    if version not in (None, found):
        raise HAProxyNotFound('%s is HAProxy %s, not %s' % (binary, found, version))
    return os.path.abspath(binary)


def available():
    """Return a list of (branch, path) of the available HAProxy binaries."""
    listed = [item for item in os.environ.get('HAPROXYADMIN_HAPROXY', '').split(':') if item]
    haproxies = [tuple(item.split('=', 1)) if '=' in item else (branch(item), item)
                 for item in listed]
    installed = _which('haproxy')
    if installed and branch(installed) not in dict(haproxies):
        haproxies.append((branch(installed), installed))
    return haproxies


def _which(program):
    for directory in os.environ.get('PATH', '').split(os.pathsep):
        path = os.path.join(directory, program)
        if os.access(path, os.X_OK):
            return os.path.abspath(path)
    return None


def branch(path):
    """Return the branch ('2.2') of the HAProxy at ``path``."""
    if path not in _branches:
        _branches[path] = _ask_branch(path)
    return _branches[path]


def _ask_branch(path):
    try:
        code, output = output_of([path, '-v'])
    except OSError as error:
        raise HAProxyNotFound('%s does not run: %s' % (path, error))
    match = re.search(r'version (\d+\.\d+)', output)
    if code or not match:
        raise HAProxyNotFound('%s is no HAProxy: %r' % (path, output[:80]))
    return match.group(1)


def wait_until(condition, what, seconds=60):
    """Call a function until what it returns is true, and return that.

    A test that sleeps instead fails on a busy machine.

    :param condition: the function; it is called every five milliseconds.
    :type condition: ``callable``
    :param what: what is waited for, for the message of the exception.
    :type what: str
    :param seconds: how long to wait.
    :type seconds: float
    :raises haproxyadmin.testing.HAProxyFailed: if it takes longer.

    Usage::

        >>> from haproxyadmin.testing import ThrowawayHAProxy, wait_until
        >>> with ThrowawayHAProxy() as haproxy:
        ...     web1 = haproxy.hap.backend('web').server('web1')
        ...     haproxy.origin('web', 'web1').refuse()
        ...     wait_until(lambda: web1.status == 'DOWN', 'web1 is down')
        True
    """
    deadline = time.time() + seconds
    while True:
        # Read before the condition: this process itself may have been suspended for a while.
        late = time.time() > deadline
        value = condition()
        if value:
            return value
        if late:
            raise HAProxyFailed('not within %s s: %s' % (seconds, what))
        time.sleep(0.005)


def ask(socket_file, command, timeout=30):
    """Send one raw command to a stats socket and return the whole answer."""
    with contextlib.closing(socket.socket(socket.AF_UNIX)) as connection:
        connection.settimeout(timeout)
        connection.connect(socket_file)
        connection.sendall(as_bytes(command) + b'\n')
        # Otherwise a master socket would wait for more commands.
        connection.shutdown(socket.SHUT_WR)
        return as_text(read_all(connection))


def as_bytes(text):
    """Return text as bytes."""
    return text if isinstance(text, bytes) else text.encode('utf-8', 'surrogateescape')


def as_text(received):
    """Return bytes as a native string."""
    if str is bytes:
        return received
    return received.decode('utf-8', 'surrogateescape')


def read_all(connection):
    """Return all bytes until the end of a connection."""
    chunks = []
    while True:
        chunk = connection.recv(65536)
        if not chunk:
            return b''.join(chunks)
        chunks.append(chunk)


class Port(object):
    """A free port of 127.0.0.1, reserved until closed.

    The socket that reserves it does not listen, so connections to the port are
    refused unless another process shares it with SO_REUSEPORT, as HAProxy does.
    """

    def __init__(self):
        self._socket = socket.socket()
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        self._socket.bind(('127.0.0.1', 0))
        self.number = self._socket.getsockname()[1]

    def close(self):
        """Release it."""
        self._socket.close()


class Count(collections.namedtuple('Count', 'arrived open cut')):
    """The requests that an origin server has got, those of HTTP health checks included.

    ``arrived`` is how many have arrived since it was started, ``open`` how many are not answered
    yet, and ``cut`` those whose connections were closed before the answer.
    """

    __slots__ = ()


class Origins(object):
    """Web servers on free ports, in one background process; see ``origins.py``.

    They are numbered from 1; ``ports`` lists their ports.

    :param count: how many there are at first.
    :param keep: a directory, and the program of the HAProxies in it: the process ends those and
        removes the directory, once this process has ended, however that happens.
    """

    def __init__(self, count=0, keep=()):
        self._kept = [Port() for _ in range(count)]
        self.ports = [port.number for port in self._kept]
        self._waited = False
        self._lock = threading.Lock()
        program = [sys.executable, '-E', ORIGINS]
        program += [str(port) for port in self.ports] + list(keep)
        # Without a buffer, in which something may stay that cannot be written.
        self._process = spawn(
            program, bufsize=0, stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def wait(self):
        """Wait until all of them accept connections."""
        if not self._waited:
            self._waited = True
            self._acknowledged()

    def add(self, name):
        """Start another one that gives its name in ``X-Origin``; return its number."""
        self.wait()
        self._kept.append(Port())
        self.ports.append(self._kept[-1].number)
        self._tell('add', len(self.ports), name)
        return len(self.ports)

    def serve(self, number):
        """Make the origin serve again."""
        self._tell('serve', number)

    def refuse(self, number):
        """Make the origin refuse connections and drop its open ones, whose requests are cut."""
        self._tell('refuse', number)

    def stall(self, number):
        """Make connections to the origin time out, and drop its open ones."""
        self._tell('stall', number)

    def agent(self, number, text):
        """Make the origin answer agent checks with a text, until it serves again.

        :raises ValueError: if it is not one line.
        """
        if re.search(br'[\r\n]', as_bytes(text)):
            raise ValueError('an agent answers with one line, not with {0!r}'.format(text))
        self._tell('agent', number, text)

    def count(self, number):
        """Return the :class:`Count` of requests of the origin."""
        return Count(*[int(figure) for figure in self._tell('count', number).split()])

    def stop(self):
        """Stop the process and release the ports."""
        try:
            self._process.stdin.close()
            self._process.stdout.close()
            self._process.wait()
        finally:
            for port in self._kept:
                port.close()

    def _tell(self, verb, number, text=''):
        line = '%s %d %s\n' % (
            verb, self.ports[number - 1], binascii.hexlify(as_bytes(text)).decode('ascii'))
        with self._lock:
            try:
                self._process.stdin.write(line.encode('ascii'))
            except (IOError, OSError) as error:
                raise HAProxyFailed('the origin servers ended: %s' % error)
            return self._acknowledged()

    def _acknowledged(self):
        line = as_text(self._process.stdout.readline())
        if not line:
            raise HAProxyFailed('the origin servers ended')
        if line.startswith('error '):
            raise HAProxyFailed('an origin server: %s' % line[len('error '):].strip())
        return line


def spawn(command, **options):
    """Start a program that inherits no open files except those passed to it.

    It has a session of its own, so that Ctrl-C at the terminal reaches only this process.
    """
    if str is not bytes:
        return subprocess.Popen(command, start_new_session=True, **options)  # nosec B603
    # Instead of close_fds, which closes every possible descriptor on Python 2.
    for number in os.listdir('/proc/self/fd'):
        _close_on_exec(int(number))
    return subprocess.Popen(  # nosec B603
        command, close_fds=False, preexec_fn=os.setsid, **options)


def output_of(command, **options):
    """Run a program; return its exit code and what it has written."""
    process = spawn(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **options)
    output = as_text(process.communicate()[0])
    return process.returncode, output


def _close_on_exec(number):
    if number < 3:
        return
    try:
        fcntl.fcntl(number, fcntl.F_SETFD, fcntl.FD_CLOEXEC)
    except IOError as error:
        # The descriptor of the listing itself is closed by now.
        if error.errno != errno.EBADF:
            raise


class Stopped(object):
    """Something that runs until ``stop()``, which the end of a ``with`` statement calls."""

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.stop()

    def stop(self):
        """Stop it."""
        raise NotImplementedError


class Running(Stopped):
    """Something that ends with its ``with`` statement, with ``stop()``, or with Python.

    A forked child leaves it to its parent. ``_end()`` of a subclass stops everything and returns a
    list of problems.
    """

    # What stop() raises if there are problems.
    _failure = HAProxyFailed

    def _begin(self):
        self._owner = os.getpid()
        _running.append(self)

    def __exit__(self, *error):
        if error[0] is None:
            self.stop()
        else:
            # The exception of the test is the one to see; the problems may be its reason.
            self._stop_and_tell()

    def stop(self):
        """Stop it; a second time that is nothing."""
        problems = self._finish()
        if problems:
            raise self._failure('\n'.join(problems))

    def _stop_and_tell(self):
        """Stop it; report problems to the standard error instead of raising an exception."""
        problems = self._finish()
        if problems:
            sys.stderr.write('\n'.join(problems) + '\n')

    def _finish(self):
        """Stop it and return a list of problems, which is empty a second time."""
        if self not in _running or self._owner != os.getpid():
            return []
        _running.remove(self)
        return self._end()

    def _end(self):
        raise NotImplementedError


class Instance(object):
    """One started HAProxy: a process, or a master with workers."""

    def __init__(self, command, environment, log, directory=None):
        self._command = command
        self._environment = environment
        self._log = log
        self._directory = directory
        self._has_master = '-W' in command
        self.killed = set()
        self.start()

    def start(self):
        """Start it, or start it again after it has ended."""
        self._was_asked = False
        # Not a pipe: nothing would read it, and HAProxy would block once it is full.
        with open(self._log, 'ab') as output:
            self.process = spawn(self._command, env=self._environment, cwd=self._directory,
                                 stdout=output, stderr=output)

    def words(self):
        """Return what HAProxy has written to its standard output and error."""
        try:
            with open(self._log, 'rb') as log:
                return as_text(log.read()).strip()
        except (IOError, OSError):
            # The origins have removed the directory, because their process was killed.
            return ''

    def has_ended(self):
        """Return whether it has ended."""
        return self.process.poll() is not None

    def kill(self, pid):
        """Kill the process itself or one of its workers."""
        self.killed.add(pid)
        os.kill(pid, signal.SIGKILL)

    def reload(self):
        """Make the master start new workers."""
        if not self._has_master:
            raise HAProxyFailed('an HAProxy without a master cannot reload')
        self.process.send_signal(signal.SIGUSR2)

    def wake(self):
        """Have a master look at its signals: that of 2.2 may sleep for a second before it does."""
        if not self.has_ended() and self._has_master:
            self.process.send_signal(signal.SIGCHLD)

    def terminate(self):
        """Terminate it, and remember whether it had already ended by itself."""
        self._was_asked = not self.has_ended()
        if self._was_asked:
            self.process.terminate()

    def problems(self):
        """Return a list of problems with the way it ended."""
        wrong = ['worker %s of HAProxy crashed with code %s' % end
                 for end in self.crashed_workers()]
        code = self.process.returncode
        if self.killed:
            return wrong
        if not self._was_asked:
            wrong.append('HAProxy ended by itself with code %s' % code)
        elif code not in GOOD_CODES:
            wrong.append('HAProxy crashed with code %s when it ended' % code)
        return wrong

    def crashed_workers(self):
        """Return (pid, code) of its workers that have crashed and were not killed, as text."""
        # From 3.1 on a worker that refuses its configuration is no crash.
        ends = re.findall(r'(?<!load worker )\((\d+)\) exited with code (\d+)', self.words())
        return [(pid, code) for pid, code in ends
                if int(code) not in GOOD_CODES and int(pid) not in self.killed]


class HAProxies(Running):
    """HAProxies that run in a temporary directory, with the same configuration.

    :param binary: path of an HAProxy, see :func:`find`.
    """

    def __init__(self, binary):
        self.version = branch(binary)
        self.directory = self._make_directory()
        self.socket_dir = os.path.join(self.directory, 'run')
        self.config_file = os.path.join(self.directory, 'haproxy.cfg')
        self.socket_files = []
        self.master_files = []
        self.pids = []
        self._binary = binary
        self._origins = None
        self._kept = []
        self._instances = []
        self._last_words = None
        # The instance that created each socket.
        self._makers = {}
        self._begin()

    def _make_directory(self):
        directory = tempfile.gettempdir()
        if len(os.path.join(directory, 'haproxyadmin-12345678', LONGEST_NAME)) > (
                LONGEST_SOCKET_PATH):
            directory = SHORT_DIRECTORY
        return tempfile.mkdtemp(prefix='haproxyadmin-', dir=directory)

    @property
    def log(self):
        """What the HAProxies have written to their standard output and error, also at the end.

        :rtype: str
        """
        if self._last_words is not None:
            return self._last_words
        return '\n'.join(instance.words() for instance in self._instances)

    def configure(self, text):
        """Replace the configuration, for the next reload or restart."""
        with open(self.config_file, 'wb') as config:
            config.write(as_bytes(text))

    def _new_port(self):
        """Return the number of a port that stays reserved until the end."""
        self._kept.append(Port())
        return self._kept[-1].number

    def _start_instance(self, name, arguments, environment, sockets):
        """Start one HAProxy, which creates these sockets."""
        for path in sockets:
            if len(path) > LONGEST_SOCKET_PATH:
                raise HAProxyFailed('too long for a socket: %s' % path)
        instance = Instance(
            [self._binary, '-f', self.config_file] + arguments,
            dict(environment, **{origins.MARK: self.config_file}),
            os.path.join(self.directory, name + '.log'), self.directory)
        self._instances.append(instance)
        self.socket_files += sockets
        self._makers.update(dict.fromkeys(sockets, instance))

    def reload(self):
        """Make the masters start new workers and wait until these answer."""
        for instance in self._instances:
            instance.reload()
        self._wait_for_others_than(set(self.pids))

    def _wait_for_others_than(self, former):
        """Wait until each socket is served by a process that is not in ``former``."""
        served = {}

        def all_served():
            for path in self.socket_files:
                pid = served.get(path) or _pid_behind(path)
                if pid and pid not in former:
                    served[path] = pid
            self._complain_if_ended()
            self._wake()
            return len(served) == len(self.socket_files)

        wait_until(all_served, 'all sockets answer')
        self.pids = [served[path] for path in self.socket_files]
        # From 2.5 to 3.0 a master re-executes itself once its workers run.
        wait_until(lambda: all(map(_is_master, self.master_files)), 'masters answer')

    def _wake(self):
        for instance in self._instances:
            instance.wake()

    def _complain_if_ended(self):
        if any(instance.has_ended() for instance in self._instances):
            raise HAProxyFailed('HAProxy ended:\n' + self.log)

    def stop(self):
        """Stop everything, and remove the directory.

        :raises HAProxyFailed: if something has crashed or did not stop.
        """
        super(HAProxies, self).stop()

    def _end(self):
        try:
            return self._end_instances()
        finally:
            self._release()

    def _release(self):
        # The origins may have removed it already.
        shutil.rmtree(self.directory, ignore_errors=True)
        try:
            if self._origins:
                self._origins.stop()
        finally:
            for port in self._kept:
                port.close()

    def _end_instances(self):
        wrong = self._find_dead()
        for instance in self._instances:
            instance.terminate()
        wrong += self._kill_what_stays()
        for instance in self._instances:
            instance.process.wait()
            wrong += instance.problems()
        self._last_words = self.log
        if wrong:
            wrong.append(self.log)
        return wrong

    def _find_dead(self):
        killed = set().union(*[instance.killed for instance in self._instances])
        return ['HAProxy %s was gone' % pid for pid in self.pids
                if pid not in killed and not command_line(pid)]

    def _kill_what_stays(self):
        try:
            wait_until(lambda: not list(self._processes()), 'HAProxy ended', STOP_SECONDS)
            return []
        except HAProxyFailed:
            return ['HAProxy %s did not end' % pid for pid in self._processes()
                    if origins.kill(pid)]

    def _processes(self):
        """Generate the pids of all these HAProxy processes, including former workers."""
        self._wake()
        return origins.haproxies(self.config_file, self._binary)


def _pid_behind(socket_file):
    """Return the pid of the process that serves a stats socket, or None."""
    try:
        reply = ask(socket_file, 'show info;show stat', timeout=0.2)
    except socket.error:
        return None
    match = re.search(r'^Pid: (\d+)$', reply, re.MULTILINE)
    return int(match.group(1)) if match and '# pxname' in reply else None


def _is_master(master_file):
    try:
        # From 3.2 on a socket of level user may not ask.
        reply = ask(master_file, 'show proc', timeout=0.2)
        return 'worker' in reply or reply.startswith('Permission denied')
    except socket.error:
        return False


def command_line(pid):
    """Return the command line of a process, or an empty string if it has ended."""
    try:
        with open('/proc/%d/cmdline' % pid, 'rb') as words:
            return as_text(words.read())
    except (IOError, OSError):
        return ''


@atexit.register
def _stop_all():
    for running in list(_running):
        running._stop_and_tell()
