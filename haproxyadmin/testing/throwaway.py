# SPDX-License-Identifier: Apache-2.0
"""Start a real HAProxy for a test."""
import os

from haproxyadmin.spelling import suggest_or_list
from haproxyadmin.testing import common, configuration, launching, placing, texts
from haproxyadmin.testing.launching import (ConfigurationRefused, Count, HAProxyFailed,
                                            HAProxyNotFound)

__all__ = ['ConfigurationRefused', 'Count', 'HAProxyFailed', 'HAProxyNotFound', 'Origin',
           'ThrowawayHAProxy']

FIRST_WITH_MASTER = (1, 8)
FIRST_WITH_MASTER_SOCKET = (1, 9)


class Origin(object):
    """The web server that answers in place of a server; :meth:`ThrowawayHAProxy.origin` returns it.

    It answers each request with status 200, the text ``ok`` and the header ``X-Origin:
    BACKEND/SERVER``; a request for ``/status/NNN`` with that status, and one for ``/hold/SECONDS``
    after that time. It reads a header of the PROXY protocol, and speaks neither TLS nor HTTP/2.

    ``port`` is its port of 127.0.0.1.
    """

    def __init__(self, origins, number, agent=None):
        self._origins = origins
        self._number = number
        self._agent = agent
        self.port = origins.ports[number - 1]

    def __repr__(self):
        return 'Origin(port={0})'.format(self.port)

    def count(self):
        """Return how many requests it has got, those of HTTP health checks included.

        :rtype: :class:`haproxyadmin.testing.throwaway.Count`

        Usage::

            >>> from haproxyadmin.testing import ThrowawayHAProxy
            >>> with ThrowawayHAProxy() as haproxy:
            ...     haproxy.origin('web', 'web1').count()
            Count(arrived=0, open=0, cut=0)
        """
        return self._origins.count(self._number)

    def serve(self):
        """Answer requests, as at first; the agent reports ``up``."""
        self._origins.serve(self._number)
        if self._agent is not None:
            self._origins.agent(self._agent, 'up')

    def refuse(self):
        """Refuse connections and close the open ones; health checks fail."""
        self._origins.refuse(self._number)

    def stall(self):
        """Let connections time out and close the open ones; health checks fail after a while."""
        self._origins.stall(self._number)

    def agent(self, text):
        """Answer the agent checks of the server with a text, such as ``'50% ready'``.

        The agent has a port of its own, and reports ``up`` at first.

        :param text: a line.
        :type text: str
        :raises ValueError: if it is not one line, or the server has no ``agent-check``.

        Usage::

            >>> from haproxyadmin.testing import ThrowawayHAProxy
            >>> with ThrowawayHAProxy('''
            ...         defaults
            ...             timeout connect 1s
            ...             timeout client 1s
            ...             timeout server 1s
            ...         backend web
            ...             server web1 10.0.0.1:80 agent-check agent-port 9000
            ...         ''') as haproxy:
            ...     haproxy.origin('web', 'web1').agent('drain')
        """
        if self._agent is None:
            raise ValueError('the server has no agent-check')
        self._origins.agent(self._agent, text)


class ThrowawayHAProxy(common.Connected, launching.HAProxies):
    """A real HAProxy that runs until the end of a ``with`` statement, or until :meth:`stop`.

    Usage::

        >>> from haproxyadmin.testing import ThrowawayHAProxy
        >>> with ThrowawayHAProxy() as haproxy:
        ...     haproxy.hap.backend('web').status
        'UP'

    Or without ``with``::

        >>> haproxy = ThrowawayHAProxy(processes=2)
        >>> haproxy.hap.server('web1')[0].setstate('drain')
        True
        >>> len(haproxy.socket_files), len(haproxy.master_files), len(haproxy.pids)
        (2, 2, 2)
        >>> haproxy.socket_dir == haproxy.directory + '/run'
        True
        >>> haproxy.config_file == haproxy.directory + '/haproxy.cfg'
        True
        >>> haproxy.hap.version.startswith(haproxy.version)
        True
        >>> haproxy.stop()

    The configuration is one as an administrator writes it. HAProxy runs with a copy in which these
    are replaced, so that it touches nothing but its directory and 127.0.0.1:

    ==================================== =========================================================
    in the configuration                 in the copy
    ==================================== =========================================================
    each address of a ``bind``           a free port of 127.0.0.1; a range becomes at most ten;
                                         ``user``, ``mode``, ``interface`` and the like are left
                                         out, TLS stays
    the address of a ``server``, a       that of an origin, see :meth:`origin`, with the ports of
    ``server-template``, ``dispatch``    its checks and its agent; without ``ssl``, ``proto``,
                                         ``source`` and the like. An address that is that of a
                                         ``bind`` becomes the port of that frontend. 127.0.0.0/8,
                                         ``::1`` and ``localhost`` stay
    ``server-template``                  a ``server`` for each one
    ``stats socket``                     a socket in ``socket_dir``, for each process another one,
                                         also instead of a TCP port; the level stays. If there is
                                         none, one with level admin is added
    ``peer``                             a port of 127.0.0.1; the first process is the first peer
                                         (or ``localpeer``), the second process the second one
    ``nameserver``, ``mailer``,          a port where nobody answers, unless it is one of this
    ``parse-resolv-conf``                machine
    ``log``                              left out, unless it goes to ``stdout``, ``stderr``, a ring
                                         or a port of 127.0.0.1 other than 514
    ``chroot``, ``user``, ``group``,     left out
    ``uid``, ``gid``, ``daemon``,
    ``pidfile``, ``nbproc``,
    ``bind-process``, ``ulimit-n``,
    ``master-worker``, ``program`` ...
    ``max-spread-checks``                1 ms if it is not set, so that all checks start at once
    ==================================== =========================================================

    Everything else stays, also names of files: a relative one is in ``directory``. Not replaced are
    addresses in rules (``http-request set-dst``), in ``acme`` sections and in what a rule or a
    Lua script starts itself.

    When it has started, all stats sockets answer, the ports of the frontends accept connections,
    and each server that has an origin and is checked was checked once. Each HAProxy has a master.
    Its end removes everything, even if the test process is killed: a small process notices that.
    A child that the test process forks leaves it alone.

    ``version`` is the branch that runs, such as ``'2.6'``. HAProxy runs in ``directory``, where
    ``files`` were written; ``config_file`` is the copy of the configuration. ``socket_dir`` is the
    directory of the stats sockets, for :class:`haproxyadmin.haproxy.HAProxy`, and ``socket_files``
    lists their paths, process by process; ``pids`` lists the processes behind them, after the start
    or :meth:`reload`. ``master_files`` lists the paths of the sockets of the masters; there are
    none before HAProxy 1.9.

    :param config: (optional) the text of a configuration, or the name of a file if it is one line;
        by default that of :data:`haproxyadmin.testing.configuration.DEFAULT`.
    :type config: str
    :param processes: (optional) how many HAProxies run with it, behind the same ports.
    :type processes: int
    :param version: (optional) the branch, such as ``'2.6'``; by default the first one of the
        environment variable ``HAPROXYADMIN_HAPROXY`` (``2.6=/path/haproxy:3.0=/other/haproxy``), or
        the ``haproxy`` on ``PATH``.
    :type version: str
    :param files: (optional) files to write into the directory first: their names, with their
        contents as text or bytes.
    :type files: dict
    :param binary: (optional) the path of the HAProxy to run.
    :type binary: str
    :raises haproxyadmin.testing.HAProxyNotFound: if there is no such HAProxy.
    :raises haproxyadmin.testing.ConfigurationRefused: with HAProxy's words, if it does not accept
        the configuration. The numbers of lines are those of ``config``.
    :raises haproxyadmin.testing.HAProxyFailed: if it does not start within a minute.
    :raises ValueError: for a wrong argument.
    """

    def __init__(self, config=None, processes=1, version=None, files=None, binary=None):
        common.check_processes(processes)
        if config is None:
            files = dict(configuration.DEFAULT_FILES, **(files or {}))
            config = configuration.DEFAULT
        super(ThrowawayHAProxy, self).__init__(launching.choose(version, binary))
        self._processes_wanted = processes
        try:
            # From now on its process removes the directory if this one is killed.
            self._origins = launching.Origins(keep=(self.directory, self._binary))
            self._ports = placing.Ports(self._origins, self._new_port)
            os.mkdir(self.socket_dir)
            for name, content in (files or {}).items():
                common.write_file(self.directory, name, content)
            self.configure(config)
            self._check()
            for number in range(1, processes + 1):
                self._start_process(number)
            self._wait_for_others_than(set())
            self._wait_for_checks()
        except BaseException:
            self._finish()
            raise

    def __repr__(self):
        return 'ThrowawayHAProxy({0!r}, processes={1})'.format(self.version, self._processes_wanted)

    def _where(self):
        return {'socket_dir': self.socket_dir}

    def configure(self, text):
        """Replace the configuration, for the next reload.

        :param text: the text of a configuration, or the name of a file if it is one line. An
            address that stays has the same port as before.
        :type text: str
        """
        self._placed = placing.place(common.text_of_config(text), self._ports)
        super(ThrowawayHAProxy, self).configure(texts.raw(self._placed.text))

    def reload(self):
        """Reload the configuration in all HAProxies and wait until their new processes answer.

        Former processes go on with their open connections, as after any reload.

        :raises haproxyadmin.testing.ConfigurationRefused: with HAProxy's words, if it does not
            accept the configuration; the processes that run stay.
        :raises haproxyadmin.testing.HAProxyFailed: if the new processes do not answer within a
            minute.

        Usage::

            >>> from haproxyadmin.testing import (
            ...     ConfigurationRefused, HAProxyFailed, HAProxyNotFound, ThrowawayHAProxy)
            >>> haproxy = ThrowawayHAProxy()
            >>> before = haproxy.pids
            >>> haproxy.reload()
            >>> haproxy.pids == before
            False
            >>> haproxy.configure('nonsense\\n')
            >>> try:
            ...     haproxy.reload()
            ... except ConfigurationRefused as error:
            ...     "unknown keyword 'nonsense'" in str(error), isinstance(error, HAProxyFailed)
            (True, True)
            >>> 'nonsense' in haproxy.log
            False
            >>> haproxy.stop()
            >>> try:
            ...     ThrowawayHAProxy(version='0.9')
            ... except HAProxyNotFound as error:
            ...     print(str(error)[:52])
            no HAProxy 0.9 in HAPROXYADMIN_HAPROXY or on PATH (h
        """
        self._check()
        former = self.socket_files
        self.socket_files = []
        for number, instance in enumerate(self._instances, 1):
            sockets = self._sockets_of(number)
            self.socket_files += sockets
            self._makers.update(dict.fromkeys(sockets, instance))
        super(ThrowawayHAProxy, self).reload()
        for path in set(former) - set(self.socket_files):
            if os.path.exists(path):
                os.unlink(path)
        self._wait_for_checks()

    def url(self, frontend, number=1):
        """Return the address of a frontend for a browser, without a slash at the end.

        :param frontend: the name of a ``frontend`` or ``listen`` section that has a ``bind``.
        :type frontend: str
        :param number: (optional) which one of its addresses, counted from 1.
        :type number: int
        :return: ``'http://127.0.0.1:PORT'``, or with ``https`` if the ``bind`` has ``ssl``.
        :rtype: str
        :raises ValueError: if there is no such frontend or address.

        Usage::

            >>> from haproxyadmin.testing import ThrowawayHAProxy
            >>> with ThrowawayHAProxy() as haproxy:
            ...     print(haproxy.url('web'))
            Traceback (most recent call last):
                ...
            ValueError: no frontend 'web' has a bind; there is 'www'
        """
        binds = self._placed.binds
        if frontend not in binds:
            raise ValueError('no frontend {0!r} has a bind{1}'.format(
                frontend, suggest_or_list(frontend, list(binds))))
        if not 1 <= number <= len(binds[frontend]):
            raise ValueError('frontend {0!r} has {1} addresses, not {2}'.format(
                frontend, len(binds[frontend]), number))
        port, has_tls = binds[frontend][number - 1]
        return '{0}://127.0.0.1:{1}'.format('https' if has_tls else 'http', port)

    def origin(self, backend, server):
        """Return the web server that answers in place of a server.

        :param backend: the name of the ``backend`` or ``listen`` section.
        :type backend: str
        :param server: the name of the server; ``'dispatch'`` for the address of a ``dispatch``.
        :type server: str
        :rtype: :class:`Origin`
        :raises ValueError: if there is no such server, or if its address was not replaced.

        Usage::

            >>> from haproxyadmin.testing import ThrowawayHAProxy
            >>> haproxy = ThrowawayHAProxy()
            >>> origin = haproxy.origin('web', 'web1')
            >>> haproxy.hap.server('web1')[0].port == str(origin.port)
            True
            >>> origin.refuse()
            >>> origin.stall()
            >>> origin.serve()
            >>> haproxy.stop()
        """
        servers = self._placed.servers
        if (backend, server) not in servers:
            raise ValueError('no server {0!r} has an origin{1}'.format(
                '/'.join([backend, server]),
                suggest_or_list('/'.join([backend, server]), ['/'.join(pair) for pair in servers])))
        return Origin(self._origins, *self._ports.numbers_of(backend, server))

    def _version(self):
        return tuple(map(int, self.version.split('.')))

    def _sockets_of(self, number):
        path = self._environment(number)['HAPROXYADMIN_SOCKET']
        return [path + '{0}.sock'.format('' if socket == 1 else '-{0}'.format(socket))
                for socket in range(1, self._placed.sockets + 1)]

    def _environment(self, number):
        return dict(os.environ, HAPROXYADMIN_SOCKET=os.path.join(
            self.socket_dir, 'haproxy-{0}'.format(number)))

    def _peer(self, number):
        """Return the arguments that say which peer a HAProxy is."""
        peers = self._placed.peers
        return ['-L', peers[number - 1 if number <= len(peers) else 0]] if peers else []

    def _start_process(self, number):
        name = 'haproxy-{0}'.format(number)
        arguments = self._peer(number)
        arguments += ['-W'] if self._version() >= FIRST_WITH_MASTER else ['-db']
        if self._version() >= FIRST_WITH_MASTER_SOCKET:
            self.master_files.append(os.path.join(self.directory, 'master-{0}.sock'.format(number)))
            arguments += ['-S', self.master_files[-1]]
        self._start_instance(name, arguments, self._environment(number), self._sockets_of(number))

    def _check(self):
        """Ask HAProxy whether it accepts the configuration."""
        code, words = launching.output_of(
            [self._binary, '-c', '-f', self.config_file] + self._peer(1),
            env=self._environment(1), cwd=self.directory)
        if code:
            raise ConfigurationRefused(self._with_numbers(words).strip())

    def _with_numbers(self, words):
        """Return what HAProxy has written, with the numbers of the lines before the rewriting."""
        start, numbers = '[{0}:'.format(self.config_file), self._placed.numbers
        parts = words.split(start)
        for place, part in enumerate(parts[1:], 1):
            number, end, rest = part.partition(']')
            if number.isdigit() and int(number) <= len(numbers):
                parts[place] = str(numbers[int(number) - 1]) + end + rest
        return '[haproxy.cfg:'.join(parts)

    def _wait_for_checks(self):
        paths = [self._sockets_of(number)[0] for number in range(1, self._processes_wanted + 1)]
        launching.wait_until(lambda: all(map(self._is_checked, paths)),
                             'all servers that have an origin were checked')

    def _is_checked(self, path):
        """Return whether each server that has an origin and is checked was checked."""
        lines = launching.ask(path, 'show stat').splitlines()
        heads = lines[0].lstrip('# ').split(',')
        rows = [dict(zip(heads, line.split(','))) for line in lines[1:] if line]
        return not [row for row in rows if (row['pxname'], row['svname']) in self._placed.servers
                    and row['check_status'].lstrip('* ') == 'INI'
                    and not row['status'].startswith('MAINT')]

    def _find_dead(self):
        # A program may have reloaded it; its master reports what has crashed.
        return []
