# SPDX-License-Identifier: Apache-2.0
"""Throwaway HAProxy instances for tests, examples and measurements.

::

    with lab.Lab(lab.find('2.6')) as haproxy:
        haproxy.traffic('frontend_proc1', 10)
        print(haproxy.raw('show info', haproxy.socket_files[0]))

A Lab runs the example configuration (haproxy.cfg, or haproxy-instances.cfg
since HAProxy 2.5) without root, in its own temporary directory and on free
ports of 127.0.0.1, with real web servers behind it.  It requires Linux.

The environment variable ``HAPROXYADMIN_HAPROXY`` lists HAProxy binaries:
``2.2=/path:2.6=/path``.  The ``haproxy`` on PATH is added to the list unless
the list already contains its version.
"""

import atexit
import collections
import errno
import fcntl
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
FIRST_WITHOUT_NBPROC = (2, 5)
# sun_path can contain 107 bytes, and HAProxy binds to a longer name before renaming it.
LONGEST_SOCKET_PATH = 90
START_SECONDS = 60
STOP_SECONDS = 60

# Exit codes of a terminated process.  HAProxy handles SIGTERM, its launcher does not.
GOOD_CODES = (0, 128 + signal.SIGTERM, -signal.SIGTERM)

# Headers of a request whose body is never sent.  The origin confirms the header.
LONG_BODY = ('Content-Length: 1000', 'Expect: 100-continue')

_ORIGIN = re.compile(r'HAPROXYADMIN_PORT_ORIGIN(\d+)$')
_branches = {}
_running = []


class Missing(Exception):
    """No HAProxy of the requested version was found; the message says why."""


class LabError(Exception):
    """An HAProxy did not start, run or stop correctly."""


def find(version=None):
    """Return the path of an HAProxy of branch ``version`` ('2.6'), or of any branch."""
    haproxies = available()
    for found, path in haproxies:
        if version in (None, found):
            return path
    have = ', '.join(found for found, _ in haproxies) or 'none'
    raise Missing('no HAProxy %s in HAPROXYADMIN_HAPROXY or on PATH (have: %s)'
                  % (version or 'at all', have))


def available():
    """Return a list of (branch, path) of the available HAProxy binaries."""
    listed = os.environ.get('HAPROXYADMIN_HAPROXY', '')
    haproxies = [tuple(item.split('=', 1)) for item in listed.split(':') if item]
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
        output = subprocess.check_output([path, '-v'], stderr=subprocess.STDOUT)
    except (OSError, subprocess.CalledProcessError) as error:
        raise Missing('%s does not run: %s' % (path, error))
    match = re.search(r'version (\d+\.\d+)', output.decode('utf-8', 'replace'))
    if not match:
        raise Missing('%s is no HAProxy: %r' % (path, output[:80]))
    return match.group(1)


def wait_until(condition, what, seconds=START_SECONDS):
    """Poll ``condition`` and return its first true value; raise LabError after ``seconds``."""
    deadline = time.time() + seconds
    while True:
        # Read before the condition: this process itself may have been suspended for a while.
        late = time.time() > deadline
        value = condition()
        if value:
            return value
        if late:
            raise LabError('not within %s s: %s' % (seconds, what))
        time.sleep(0.005)


def ask(socket_file, command, timeout=30):
    """Send one raw command to a stats socket and return the whole answer."""
    connection = socket.socket(socket.AF_UNIX)
    try:
        connection.settimeout(timeout)
        connection.connect(socket_file)
        connection.sendall(_as_bytes(command) + b'\n')
        # Otherwise a master socket would wait for more commands.
        connection.shutdown(socket.SHUT_WR)
        return _as_text(_read_all(connection))
    finally:
        connection.close()


def _as_bytes(text):
    return text if isinstance(text, bytes) else text.encode('utf-8')


def _as_text(received):
    if str is bytes:
        return received
    return received.decode('utf-8', 'surrogateescape')


def _read_all(connection):
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
        self._socket.close()


# Requests of an origin: how many have arrived since it was started, how many are not answered
# yet, and how many were cut, because their connections were closed before the answer.
Count = collections.namedtuple('Count', 'arrived open cut')


class Origins(object):
    """``count`` web servers on free ports, in one background process.

    Each responds with status 200, with NNN to the path ``/status/NNN``, and after some
    seconds to ``/hold/SECONDS``.  They are numbered from 1, as in HAPROXYADMIN_PORT_ORIGIN1;
    ``ports`` lists their ports.
    """

    def __init__(self, count):
        self._kept = [Port() for _ in range(count)]
        self.ports = [port.number for port in self._kept]
        program = [sys.executable, '-E', os.path.join(HERE, 'origins.py')]
        self._process = spawn(program + [str(port) for port in self.ports],
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def wait(self):
        """Wait until all of them accept connections."""
        self._acknowledged()

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
        """Make the origin answer agent checks with a text, until it serves again."""
        self._tell('agent', number, text)

    def count(self, number):
        """Return the :class:`Count` of requests of the origin."""
        return Count(*[int(figure) for figure in self._tell('count', number).split()])

    def stop(self):
        """Stop the process and release the ports."""
        self._process.stdin.close()
        self._process.stdout.close()
        self._process.wait()
        for port in self._kept:
            port.close()

    def _tell(self, verb, number, text=''):
        line = '%s %d %s\n' % (verb, self.ports[number - 1], text)
        self._process.stdin.write(line.encode('ascii'))
        self._process.stdin.flush()
        return self._acknowledged()

    def _acknowledged(self):
        line = self._process.stdout.readline()
        if not line:
            raise LabError('the origin servers ended')
        return line


def spawn(command, **options):
    """Start a program that inherits no open files except those passed to it."""
    # This replaces close_fds, which closes every possible descriptor on Python 2.
    for number in os.listdir('/proc/self/fd'):
        _close_on_exec(int(number))
    # In its own process group, so that Ctrl-C at the terminal reaches only this process.
    return subprocess.Popen(command, close_fds=False, preexec_fn=os.setpgrp, **options)


def _close_on_exec(number):
    if number < 3:
        return
    try:
        fcntl.fcntl(number, fcntl.F_SETFD, fcntl.FD_CLOEXEC)
    except IOError as error:
        # The descriptor of the listing itself is closed by now.
        if error.errno != errno.EBADF:
            raise


def descriptors(pid='self'):
    """Return the number of files that a process has open."""
    return len(os.listdir('/proc/{0}/fd'.format(pid)))


class Stopped(object):
    """Something that runs until ``stop()``, which the end of a ``with`` statement calls."""

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.stop()

    def stop(self):
        """Stop it."""
        raise NotImplementedError


class Held(object):
    """Connections whose requests stay open until ``close()``."""

    def __init__(self):
        self.connections = []

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.close()

    def close(self):
        for connection in self.connections:
            connection.close()
        self.connections = []


class Instance(object):
    """One started HAProxy: a process, or a master with workers."""

    def __init__(self, command, environment, log):
        self._command = command
        self._environment = environment
        self._log = log
        self._has_master = '-W' in command
        self.killed = set()
        self.start()

    def start(self):
        """Start it, or start it again after it has ended."""
        self._was_asked = False
        # Not a pipe: nothing would read it, and HAProxy would block once it is full.
        with open(self._log, 'ab') as output:
            self.process = spawn(self._command, env=self._environment,
                                 stdout=output, stderr=output)

    def words(self):
        """Return what HAProxy has written to its standard output and error."""
        with open(self._log, 'rb') as log:
            return _as_text(log.read()).strip()

    def has_ended(self):
        return self.process.poll() is not None

    def kill(self, pid):
        """Kill the process itself or one of its workers."""
        self.killed.add(pid)
        os.kill(pid, signal.SIGKILL)

    def reload(self):
        if not self._has_master:
            raise LabError('an HAProxy without a master cannot reload')
        self.process.send_signal(signal.SIGUSR2)

    def terminate(self):
        """Terminate it, and remember whether it had already ended by itself."""
        self._was_asked = not self.has_ended()
        if self._was_asked:
            self.process.terminate()

    def verdict(self):
        """Return a list of problems with the way it ended."""
        wrong = ['worker %s of HAProxy crashed with code %s' % end
                 for end in self._crashed_workers()]
        code = self.process.returncode
        if self.killed:
            return wrong
        if not self._was_asked:
            wrong.append('HAProxy ended by itself with code %s' % code)
        elif code not in GOOD_CODES:
            wrong.append('HAProxy crashed with code %s when it ended' % code)
        return wrong

    def _crashed_workers(self):
        # From 3.1 on a worker that refuses its configuration is no crash.
        ends = re.findall(r'(?<!load worker )\((\d+)\) exited with code (\d+)', self.words())
        return [(pid, code) for pid, code in ends
                if int(code) not in GOOD_CODES and int(pid) not in self.killed]


class Plan(object):
    """What to run: a configuration, and the HAProxy instances that use it.

    ``text`` is the configuration, ``names`` contains the HAPROXYADMIN_PROCESS of
    each HAProxy to start with it.
    """

    def __init__(self, version, processes, config, single, extra, instances):
        has_nbproc = tuple(map(int, version.split('.'))) < FIRST_WITHOUT_NBPROC
        self.names = ['1']
        if config is not None:
            self.text = config
            self.names = [str(number) for number in range(1, instances + 1)]
        elif not has_nbproc:
            self.text = _read('haproxy-instances.cfg')
            self.names = ['all'] if single else [
                str(number) for number in range(1, processes + 1)]
        elif single:
            self.text = _in_one_process(_read('haproxy.cfg'))
        elif processes == 4:
            self.text = _read('haproxy.cfg')
        else:
            raise ValueError('haproxy.cfg has 4 processes, not %s' % processes)
        self.text += extra

    def needs_master(self):
        """Return whether a master is needed: with ``-db``, nbproc runs only one process."""
        return bool(re.search(r'^\s*nbproc\s', self.text, re.MULTILINE))

    def port_variables(self):
        """Return the names of the variables that need a port."""
        return sorted(set(re.findall(r'\$\{(HAPROXYADMIN_PORT_\w+)\}', self.text)))

    def binds(self):
        """Return a list of (frontend, name of the variable for its port)."""
        found = []
        proxy = None
        for line in self.text.splitlines():
            words = line.split()
            if words and words[0] in ('frontend', 'listen'):
                proxy = words[1]
            if words and words[0] == 'bind':
                names = re.findall(r'\$\{(HAPROXYADMIN_PORT_\w+)\}', line)
                found += [(proxy, name) for name in names]
        return found

    def sockets(self, environment):
        """Return the paths of the stats sockets, expanded with ``environment``."""
        written = re.findall(r'^\s*stats\s+socket\s+"?([^\s"]+)', self.text,
                             re.MULTILINE)
        return [_expand(path, environment) for path in written if '@' not in path]

    def stats_ports(self):
        """Return the names of the variables for the TCP ports of stats sockets."""
        return re.findall(r'^\s*stats\s+socket\s+"?ipv[46]@\S*\$\{(HAPROXYADMIN_PORT_\w+)\}',
                          self.text, re.MULTILINE)


def _read(name):
    with open(os.path.join(HERE, name)) as config:
        return config.read()


def _in_one_process(text):
    """Return haproxy.cfg changed to run all proxies in one process."""
    lines = []
    for line in text.splitlines():
        if re.match(r'\s*(bind-process|master-worker)\b', line):
            continue
        if re.match(r'\s*stats socket .* process [^1]', line):
            continue
        line = re.sub(r' process \d+$', '', line)
        line = re.sub(r'\bnbproc \d+$', 'nbthread 1', line)
        # Several processes share a port: keep only one of their lines.
        if line not in lines[-1:]:
            lines.append(line)
    return '\n'.join(lines) + '\n'


def _expand(text, environment):
    return re.sub(r'\$\{(\w+)\}', lambda match: environment[match.group(1)], text)


class Lab(Stopped):
    """HAProxy with the example configuration, running until ``stop()``.

    :param binary: path of an HAProxy, see :func:`find`.
    :param processes: the number of processes; always 4 before HAProxy 2.5.
    :param config: text to use instead of the example, with all the sockets that it names.
    :param instances: the number of HAProxies that run ``config``; HAPROXYADMIN_PROCESS is
        the number of each, counted from 1.
    :param level: access level of the stats sockets: user, operator or admin.
    :param master_worker: run with a master, whose socket is in ``master/``.
    :param master_options: what follows the path of that socket, such as ``,level,user``.
    :param single: run all proxies in one process.
    :param extra: text to append to the configuration.
    :param arguments: further words of its command line; ``{0}`` in them is the number of the HAProxy.
    """

    def __init__(self, binary, processes=4, config=None, level='admin',
                 master_worker=False, single=False, extra='', master_options='', instances=1,
                 arguments=()):
        self.version = branch(binary)
        plan = Plan(self.version, processes, config, single, extra, instances)
        self.directory = tempfile.mkdtemp(prefix='haproxyadmin-')
        self.socket_dir = os.path.join(self.directory, 'run')
        self.socket_files = []
        self.master_files = []
        self.pids = []
        self.ports = {}
        self.stats_ports = []
        self.origins = None
        self.config_file = os.path.join(self.directory, 'haproxy.cfg')
        self._master_options = master_options
        self._kept = []
        self._instances = []
        # The instance that created each socket.
        self._makers = {}
        self._owner = os.getpid()
        _running.append(self)
        try:
            self._write_files(plan)
            environment = self._environment(plan, level)
            # Health checks start immediately and must find the origins running.
            if self.origins:
                self.origins.wait()
            for name in plan.names:
                self._start([binary, '-f', self.config_file] + [
                    word.format(name) for word in arguments], plan, master_worker,
                            dict(environment, HAPROXYADMIN_PROCESS=name))
            self._wait_for_others_than(set())
        except BaseException:
            self._end()
            raise

    def _write_files(self, plan):
        os.mkdir(self.socket_dir)
        os.mkdir(os.path.join(self.directory, 'master'))
        shutil.copytree(os.path.join(HERE, 'haproxy'),
                        os.path.join(self.directory, 'files'))
        self.configure(plan.text)

    def _environment(self, plan, level):
        """Reserve the ports and return the environment for the configuration."""
        environment = dict(os.environ,
                           HAPROXYADMIN_RUN=self.socket_dir,
                           HAPROXYADMIN_FILES=os.path.join(self.directory, 'files'),
                           HAPROXYADMIN_SHARED=os.path.join(HERE, 'haproxy'),
                           HAPROXYADMIN_LEVEL=level)
        names = plan.port_variables()
        origins = [name for name in names if _ORIGIN.match(name)]
        if origins:
            self.origins = Origins(max(int(_ORIGIN.match(name).group(1))
                                       for name in origins))
            for number, port in enumerate(self.origins.ports, 1):
                environment['HAPROXYADMIN_PORT_ORIGIN%d' % number] = str(port)
        for name in names:
            if name not in origins:
                port = Port()
                self._kept.append(port)
                environment[name] = str(port.number)
        self.ports = dict((proxy, int(environment[name]))
                          for proxy, name in plan.binds())
        self.stats_ports = [int(environment[name]) for name in plan.stats_ports()]
        return environment

    def _start(self, command, plan, master_worker, environment):
        """Start one HAProxy."""
        name = 'haproxy-' + environment['HAPROXYADMIN_PROCESS']
        if master_worker:
            master_file = os.path.join(self.directory, 'master', name + '.sock')
            self.master_files.append(master_file)
            command = command + ['-W', '-S', master_file + self._master_options]
        elif plan.needs_master():
            command = command + ['-W']
        else:
            command = command + ['-db']
        paths = plan.sockets(environment)
        for path in paths:
            if len(path) > LONGEST_SOCKET_PATH:
                raise LabError('too long for a socket: %s' % path)
        instance = Instance(command, environment,
                            os.path.join(self.directory, name + '.log'))
        self._instances.append(instance)
        self.socket_files = sorted(self.socket_files + paths)
        self._makers.update(dict.fromkeys(paths, instance))

    def acl_file(self, name):
        """Return the path of an ACL file of the configuration."""
        return os.path.join(self.directory, 'files', name)

    # Both are in the same directory.
    map_file = acl_file

    def configure(self, text):
        """Replace the configuration, for the next reload or restart."""
        with open(self.config_file, 'wb') as config:
            config.write(_as_bytes(text))

    def traffic(self, frontend, count, server=None, path='/'):
        """Send HTTP requests, each on its own connection.

        Returns the list of response statuses, 0 for a missing response.  If
        ``server`` is given, all requests go to that server.
        """
        return [self._request(frontend, path, server) for _ in range(count)]

    def _request(self, frontend, path, server):
        connection = self._connect(frontend)
        try:
            connection.sendall(_http_request(path, server))
            return _status(_read_all(connection))
        finally:
            connection.close()

    def hold(self, frontend, count, server=None):
        """Open connections whose requests stay open until the result is closed.

        All requests have reached their servers when this returns.
        """
        held = Held()
        try:
            for _ in range(count):
                connection = self._connect(frontend)
                held.connections.append(connection)
                # Not a long response: during one, HAProxy may not notice
                # that the client has gone.
                connection.sendall(_http_request('/', server, LONG_BODY))
                if _status(connection.recv(65536)) != 100:
                    raise LabError('%s does not hold a connection' % frontend)
        except BaseException:
            held.close()
            raise
        return held

    def _connect(self, frontend):
        return socket.create_connection(('127.0.0.1', self.ports[frontend]), 5)

    def raw(self, command, socket_file=None):
        """Send a raw command to a stats socket, by default the first; return the answer."""
        return ask(socket_file or self.socket_files[0], command)

    def wait_for_peers(self, sections=1):
        """Wait until all HAProxies, which are peers, are connected for good.

        One that started before the other listened tries again a second later, though the
        other has connected meanwhile; HAProxy then closes both connections. Each of them needs
        a stats socket whose level is at least operator.

        :param sections: number of sections; two peers have one connection for each.
        """
        def is_connected(path):
            text = self.raw('show peers;show sess', path)
            return [len(re.findall(pattern, text)) for pattern in (
                ' appctx:0x[0-9a-f]+ st0=7 .*state=EST', ': proto=(?!unix)')] == [sections] * 2
        able = [path for path in self.socket_files if 'denied' not in self.raw('show sess', path)]
        # Each a second time: it may have changed while another one was asked.
        wait_until(lambda: all(map(is_connected, able * 2)), 'peers are connected')

    def reload(self):
        """Make the masters start new workers and wait until these answer.

        This works with ``master_worker`` and with haproxy.cfg, whose processes
        have a master.
        """
        for instance in self._instances:
            instance.reload()
        self._wait_for_others_than(set(self.pids))

    def look_again(self):
        """Find out which processes run, after something other than this lab has reloaded them."""
        self._wait_for_others_than(set())

    def restart(self):
        """Stop every HAProxy, then start it again and wait until it answers."""
        former = set(self.pids)
        for instance in self._instances:
            instance.terminate()
        wait_until(lambda: all([instance.has_ended() for instance in self._instances]),
                   'HAProxy ended', STOP_SECONDS)
        for instance in self._instances:
            if instance.process.returncode not in GOOD_CODES:
                raise LabError('HAProxy crashed with code %s when it ended'
                               % instance.process.returncode)
            # stop() reports crashes of its workers.
            instance.start()
        self._wait_for_others_than(former)

    def _wait_for_others_than(self, former):
        """Wait until each socket is served by a process that is not in ``former``."""
        served = {}

        def all_served():
            for path in self.socket_files:
                pid = served.get(path) or _pid_behind(path)
                if pid and pid not in former:
                    served[path] = pid
            self._complain_if_ended()
            return len(served) == len(self.socket_files)

        wait_until(all_served, 'all sockets answer')
        self.pids = [served[path] for path in self.socket_files]
        # From 2.5 to 3.0 a master re-executes itself once its workers run.
        wait_until(lambda: all(map(_is_master, self.master_files)), 'masters answer')

    def _complain_if_ended(self):
        if any(instance.has_ended() for instance in self._instances):
            raise LabError('HAProxy ended:\n' + self._words())

    def excuse_workers(self):
        """Ignore the workers that have crashed until now; return how many there were."""
        crashed = 0
        for instance in self._instances:
            pids = [int(pid) for pid, _ in instance._crashed_workers()]
            crashed += len(pids)
            instance.killed.update(pids)
        return crashed

    def kill_process(self, number):
        """Kill the process behind stats socket ``number``, counted from 1."""
        pid = self.pids[number - 1]
        instance = self._makers[self.socket_files[number - 1]]
        instance.kill(pid)
        # An ending process has no command line, but may still have its sockets.
        wait_until(lambda: instance.has_ended() or not os.path.exists('/proc/%d' % pid),
                   'process %s is gone' % pid)

    def stop(self):
        """Stop everything; raise LabError if anything crashed or did not stop."""
        if self in _running:
            wrong = self._end()
            if wrong:
                raise LabError('\n'.join(wrong))

    def _end(self):
        """Stop everything and return a list of problems."""
        _running.remove(self)
        wrong = self._find_dead()
        for instance in self._instances:
            instance.terminate()
        if self.origins:
            self.origins.stop()
        wrong += self._kill_what_stays()
        for instance in self._instances:
            instance.process.wait()
            wrong += instance.verdict()
        if wrong:
            wrong.append(self._words())
        for port in self._kept:
            port.close()
        shutil.rmtree(self.directory)
        return wrong

    def _find_dead(self):
        killed = set().union(*[instance.killed for instance in self._instances])
        return ['HAProxy %s was gone' % pid for pid in self.pids
                if pid not in killed and not _command_line(pid)]

    def _kill_what_stays(self):
        try:
            wait_until(lambda: not self._processes(), 'HAProxy ended', STOP_SECONDS)
            return []
        except LabError:
            pids = self._processes()
            for pid in pids:
                _kill(pid)
            return ['HAProxy %s did not end' % pid for pid in pids]

    def _processes(self):
        """Return the pids of all HAProxy processes of this lab, including former workers."""
        for instance in self._instances:
            instance.has_ended()
        pids = [int(name) for name in os.listdir('/proc') if name.isdigit()]
        return [pid for pid in pids if self.config_file in _command_line(pid)]

    def _words(self):
        return '\n'.join(instance.words() for instance in self._instances)


def _kill(pid):
    try:
        os.kill(pid, signal.SIGKILL)
    except OSError as error:
        if error.errno != errno.ESRCH:
            raise


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


def _command_line(pid):
    """Return the command line of a process, or an empty string if it has ended."""
    try:
        with open('/proc/%d/cmdline' % pid, 'rb') as words:
            return _as_text(words.read())
    except (IOError, OSError):
        return ''


def _http_request(path, server, body=()):
    lines = ['%s %s HTTP/1.1' % ('POST' if body else 'GET', path), 'Host: lab',
             'Connection: close']
    lines.extend(body)
    if server:
        lines.append('Cookie: server=%s' % server)
    return ('\r\n'.join(lines) + '\r\n\r\n').encode('ascii')


def _status(response):
    words = response.split(None, 2)
    return int(words[1]) if len(words) > 1 else 0


@atexit.register
def _stop_all():
    for lab in list(_running):
        # A forked child must not stop the labs of its parent.
        if lab._owner == os.getpid():
            lab._end()
