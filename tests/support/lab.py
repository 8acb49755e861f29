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

import os
import re
import shutil
import socket

from haproxyadmin.testing import launching
from haproxyadmin.testing.launching import (LONGEST_SOCKET_PATH, ConfigurationRefused,  # noqa: F401
                                            Count, HAProxies, HAProxyFailed as LabError,
                                            HAProxyNotFound as Missing, Instance, Origins, Port,
                                            Stopped, as_bytes, ask, available, branch, command_line,
                                            find, read_all, spawn, wait_until)

HERE = os.path.dirname(os.path.abspath(__file__))
FIRST_WITHOUT_NBPROC = (2, 5)

# Headers of a request whose body is never sent.  The origin confirms the header.
LONG_BODY = ('Content-Length: 1000', 'Expect: 100-continue')

_ORIGIN = re.compile(r'HAPROXYADMIN_PORT_ORIGIN(\d+)$')


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


class Lab(HAProxies):
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
        plan = Plan(branch(binary), processes, config, single, extra, instances)
        super(Lab, self).__init__(binary)
        self.ports = {}
        self.stats_ports = []
        self._master_options = master_options
        try:
            self._write_files(plan)
            environment = self._environment(plan, level)
            # Health checks start immediately and must find the origins running.
            if self._origins:
                self._origins.wait()
            for name in plan.names:
                self._start([word.format(name) for word in arguments], plan, master_worker,
                            dict(environment, HAPROXYADMIN_PROCESS=name))
            self.socket_files.sort()
            self._wait_for_others_than(set())
        except BaseException:
            self._finish()
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
            self._origins = Origins(max(int(_ORIGIN.match(name).group(1)) for name in origins))
            for number, port in enumerate(self._origins.ports, 1):
                environment['HAPROXYADMIN_PORT_ORIGIN%d' % number] = str(port)
        for name in names:
            if name not in origins:
                environment[name] = str(self._new_port())
        self.ports = dict((proxy, int(environment[name]))
                          for proxy, name in plan.binds())
        self.stats_ports = [int(environment[name]) for name in plan.stats_ports()]
        return environment

    @property
    def origins(self):
        """The web servers behind it, None if there are none."""
        return self._origins

    def _start(self, arguments, plan, master_worker, environment):
        """Start one HAProxy."""
        name = 'haproxy-' + environment['HAPROXYADMIN_PROCESS']
        if master_worker:
            master_file = os.path.join(self.directory, 'master', name + '.sock')
            self.master_files.append(master_file)
            arguments = arguments + ['-W', '-S', master_file + self._master_options]
        elif plan.needs_master():
            arguments = arguments + ['-W']
        else:
            arguments = arguments + ['-db']
        self._start_instance(name, arguments, environment, plan.sockets(environment))

    def acl_file(self, name):
        """Return the path of an ACL file of the configuration."""
        return os.path.join(self.directory, 'files', name)

    # Both are in the same directory.
    map_file = acl_file

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
            return _status(read_all(connection))
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

    def look_again(self):
        """Find out which processes run, after something other than this lab has reloaded them."""
        self._wait_for_others_than(set())

    def restart(self):
        """Stop every HAProxy, then start it again and wait until it answers."""
        former = set(self.pids)
        for instance in self._instances:
            instance.terminate()
        wait_until(lambda: all([instance.has_ended() for instance in self._instances]),
                   'HAProxy ended', launching.STOP_SECONDS)
        for instance in self._instances:
            if instance.process.returncode not in launching.GOOD_CODES:
                raise LabError('HAProxy crashed with code %s when it ended'
                               % instance.process.returncode)
            # stop() reports crashes of its workers.
            instance.start()
        self._wait_for_others_than(former)

    def excuse_workers(self):
        """Ignore the workers that have crashed until now; return how many there were."""
        crashed = 0
        for instance in self._instances:
            pids = [int(pid) for pid, _ in instance.crashed_workers()]
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


def descriptors(pid='self'):
    """Return the number of files that a process has open."""
    return len(os.listdir('/proc/{0}/fd'.format(pid)))


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
