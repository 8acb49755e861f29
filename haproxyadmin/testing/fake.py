# SPDX-License-Identifier: Apache-2.0
"""A fake of HAProxy: sockets that answer as HAProxy does."""
import os
import shutil
import tempfile

import six

from haproxyadmin.spelling import suggest_or_list
from haproxyadmin.testing import launching
from haproxyadmin.testing.common import Connected, check_processes, text_of_config, write_file
from haproxyadmin.testing.configuration import DEFAULT, DEFAULT_FILES, Configuration
from haproxyadmin.testing.families.family import LEVELS
from haproxyadmin.testing.families.figures import VERSIONS, check_version
from haproxyadmin.testing.faults import Fault
from haproxyadmin.testing.masters import WITHOUT_MASTER, FakeMaster
from haproxyadmin.testing.process import FakeProcess, without_secrets

__all__ = ['FakeHAProxy', 'NotUnderstood', 'VERSIONS']


class NotUnderstood(AssertionError):
    """A client has sent what HAProxy would not have understood, or would have suffered from.

    Usage::

        >>> from haproxyadmin.testing import FakeHAProxy, NotUnderstood
        >>> haproxy = FakeHAProxy()
        >>> answer = haproxy.hap.command('bogus')
        >>> try:
        ...     haproxy.stop()
        ... except NotUnderstood as error:
        ...     "unknown command: 'bogus'" in str(error)
        True
    """


class FakeHAProxy(Connected, launching.Running):
    """Real sockets that answer as a version of HAProxy does, and keep its state.

    Usage::

        >>> from haproxyadmin.testing import VERSIONS, FakeHAProxy, faults
        >>> VERSIONS[-1]
        '3.4'
        >>> with FakeHAProxy('2.6', processes=2, faults=[faults.late(0.01)]) as haproxy:
        ...     web1 = haproxy.hap.backend('web').server('web1')
        ...     web1.setstate('drain'), web1.status
        (True, 'DRAIN')

    It keeps states, weights, addresses and limits, ACLs and maps, stick tables, sessions,
    certificates, CA files and their transactions, each process its own. Its processes are what
    tests look at and set; see :class:`haproxyadmin.testing.process.FakeProcess`.

    ``version`` is the version, ``directory`` its own directory; names of files in the configuration
    are relative to it. ``socket_dir`` is the directory of its Unix sockets, for
    :class:`haproxyadmin.haproxy.HAProxy`. ``processes`` lists its processes, ``masters`` its
    masters, each a :class:`haproxyadmin.testing.masters.FakeMaster`. ``configuration`` is what it
    has read of the configuration, ``strict`` the argument.

    :param version: (optional) its branch, one of :data:`haproxyadmin.testing.fake.VERSIONS`.
    :type version: str
    :param config: (optional) the text of a configuration, or the name of a file if it is one line;
        by default that of :data:`haproxyadmin.testing.configuration.DEFAULT`.
    :type config: str
    :param faults: (optional) what goes wrong from the beginning, see :meth:`fail`.
    :type faults: list of :class:`haproxyadmin.testing.faults.Fault`
    :param processes: (optional) the number of processes, each with a socket of its own.
    :type processes: int
    :param files: (optional) the files that the configuration names: their names, with their
        contents as text or bytes. Those with absolute names are only for the fake, and are not
        written.
    :type files: dict
    :param tcp: (optional) listen on ports of 127.0.0.1 instead of Unix sockets.
    :type tcp: bool
    :param level: (optional) the access level of the sockets: ``'user'``, ``'operator'`` or
        ``'admin'``.
    :type level: str
    :param master: (optional) have masters from HAProxy 2.0 on: one for each process, and one for
        all if the configuration has ``nbproc``. :attr:`hap` uses the sockets of the workers
        nevertheless; through the masters goes ``haproxy.connect(master=haproxy.master_files)``.
    :type master: bool
    :param strict: (optional) let :meth:`stop` raise an exception if there are :attr:`problems`.
    :type strict: bool
    :raises haproxyadmin.testing.configuration.ConfigurationError: if it cannot use the
        configuration, which it only reads as far as it has to know it.
    :raises ValueError: for a wrong argument.
    """

    _failure = NotUnderstood

    def __init__(self, version='3.2', config=None, faults=None, processes=1, files=None, tcp=False,
                 level='admin', master=True, strict=True):
        if level not in LEVELS:
            raise ValueError('level must be one of {0}, got {1!r}'.format(', '.join(LEVELS), level))
        self.version = check_version(version)
        self.strict = strict
        self._level = level
        check_processes(processes, least=0)
        self.processes = []
        self.masters = []
        self.directory = tempfile.mkdtemp(prefix='haproxyadmin-')
        self._begin()
        try:
            self._files = files = dict(DEFAULT_FILES if config is None else {}, **files or {})
            self._write_files(files)
            self.socket_dir = self._make_socket_dir()
            self.configuration = self._read(
                DEFAULT if config is None else text_of_config(config), files)
            has_nbproc = self.configuration.settings.last('nbproc') is not None
            for number in range(1, processes + 1):
                self.add(('127.0.0.1', 0) if tcp else '{0}.sock'.format(number),
                         number if has_nbproc else 1)
            if master and version not in WITHOUT_MASTER:
                self._add_masters(tcp, [self.processes] if has_nbproc else [
                    [process] for process in self.processes])
            for fault in faults or ():
                self.fail(fault)
        except BaseException:
            self._finish()
            raise

    def _read(self, config, files):
        return Configuration(config, files=files, directory=self.directory)

    def _make_socket_dir(self):
        path = os.path.join(self.directory, 'run')
        os.mkdir(path)
        return path

    def _write_files(self, files):
        for name, content in files.items():
            if os.path.isabs(name):
                # Only the fake reads it; nothing outside of the directory is written.
                continue
            write_file(self.directory, name, content)

    def add(self, place, number=1, pid=None, version=None, **options):
        """Start one more process and return it.

        :param place: the name of its socket in ``socket_dir``, or ``(address, port)``.
        :type place: str
        :param number: (optional) its process number, up to HAProxy 2.4.
        :type number: int
        :param pid: (optional) its pid, which no process of the machine needs to have.
        :type pid: int
        :param version: (optional) its version, by default that of the others.
        :type version: str
        :param options: (optional) ``level``.
        :rtype: :class:`haproxyadmin.testing.process.FakeProcess`

        Usage::

            >>> from haproxyadmin.testing import FakeHAProxy
            >>> with FakeHAProxy('2.6') as haproxy:
            ...     process = haproxy.add('old.sock', version='1.8')
            ...     [each['Version'][:3] for each in haproxy.hap.info()]
            ['2.6', '1.8']
        """
        if not isinstance(place, tuple):
            place = os.path.join(self.socket_dir, place)
        version = version or self.version
        number = number if tuple(map(int, version.split('.')[:2])) < (2, 5) else 1
        process = self._process(place, version, self.configuration, number=number,
                                pid=pid or 4001 + len(self.processes),
                                level=options.pop('level', self._level), **options)
        self.processes.append(process)
        process.listen()
        return process

    _process = FakeProcess

    def _add_masters(self, tcp, groups):
        os.mkdir(os.path.join(self.directory, 'master'))
        for number, workers in enumerate(groups, 1):
            self.masters.append(FakeMaster(
                ('127.0.0.1', 0) if tcp else os.path.join(
                    self.directory, 'master', '{0}.sock'.format(number)),
                workers, 3000 + number, self._level))
            self.masters[-1].listen()

    def __repr__(self):
        return '{0}({1!r}, processes={2})'.format(
            type(self).__name__, self.version, len(self.processes))

    def stop(self):
        """Stop it, and remove its directory.

        :raises haproxyadmin.testing.NotUnderstood: if there were :attr:`problems`.

        Usage::

            >>> from haproxyadmin.testing import FakeHAProxy
            >>> haproxy = FakeHAProxy(processes=2, master=True)
            >>> len(haproxy.socket_files), len(haproxy.addresses), len(haproxy.master_files)
            (2, 2, 2)
            >>> haproxy.socket_dir == haproxy.directory + '/run'
            True
            >>> len(haproxy.processes), len(haproxy.masters), haproxy.version, haproxy.strict
            (2, 2, '3.2', True)
            >>> [proxy.name for proxy in haproxy.configuration.proxies]
            ['www', 'web', 'api']
            >>> haproxy.stop()
        """
        super(FakeHAProxy, self).stop()

    def _end(self):
        for listener in self.masters + self.processes:
            listener.refuse()
        shutil.rmtree(self.directory, ignore_errors=True)
        return self.problems if self.strict else []

    # What is there to talk to it

    @property
    def socket_files(self):
        """The paths of its Unix sockets.

        :rtype: list
        """
        return [process.path for process in self.processes if not isinstance(process.path, tuple)]

    @property
    def addresses(self):
        """Where its sockets are, for the parameter ``addresses`` of a HAProxy object.

        :rtype: list
        """
        return [_address(process) for process in self.processes]

    @property
    def master_files(self):
        """Where its masters listen, for the parameter ``master`` of a HAProxy object.

        :rtype: list
        """
        return [_address(master) for master in self.masters]

    def _where(self):
        return {'addresses': self.addresses}

    # What it has seen

    @property
    def problems(self):
        """What HAProxy would not have understood, or would have suffered from: a list of texts.

        :rtype: list

        Usage::

            >>> from haproxyadmin.testing import FakeHAProxy
            >>> with FakeHAProxy(strict=False) as haproxy:
            ...     answer = haproxy.hap.command('bogus')
            ...     len(haproxy.problems)
            1
        """
        return [problem for listener in self.masters + self.processes
                for problem in listener.problems]

    @property
    def commands(self):
        """The command lines that each process has received: a list for each process.

        Those that a master has passed on are among them.

        :rtype: list of lists

        Usage::

            >>> from haproxyadmin.testing import FakeHAProxy
            >>> with FakeHAProxy() as haproxy:
            ...     answer = haproxy.hap.command('get weight web/web1')
            ...     haproxy.commands[0][-1]
            ...     haproxy.log.endswith('1.sock: get weight web/web1\\n')
            'get weight web/web1'
            True
        """
        return [list(process.commands) for process in self.processes]

    @property
    def log(self):
        """The command lines that it has received, as text: a line for each, with its socket.

        Payloads and keys of TLS tickets are left out.

        :rtype: str
        """
        return ''.join('{0}: {1}\n'.format(address, without_secrets(command).split('\n')[0])
                       for address, commands in zip(self.addresses, self.commands)
                       for command in commands)

    # What a test wants it to do

    def answer(self, command, reply):
        """Let all processes give a reply that is not their own.

        :param command: the whole command line.
        :type command: str
        :param reply: the text, with the empty line at its end, or a list of texts that are each
            sent once.
        :type reply: str

        Usage::

            >>> from haproxyadmin.testing import FakeHAProxy
            >>> with FakeHAProxy() as haproxy:
            ...     haproxy.answer('show pools', 'Total: 0 pools\\n\\n')
            ...     haproxy.hap.command('show pools')
            [(1, ['Total: 0 pools'])]
        """
        for text in reply if isinstance(reply, list) else [reply]:
            if not isinstance(text, (bytes, six.text_type)):
                raise ValueError('a reply must be text, got {0!r}'.format(text))
        for process in self.processes:
            process.answers[command] = list(reply) if isinstance(reply, list) else reply

    def set(self, proxy, name, column, value):
        """Change a field of ``show stat`` in all processes that have it.

        :param proxy: the name of a frontend or backend.
        :type proxy: str
        :param name: ``'FRONTEND'``, ``'BACKEND'`` or the name of a server.
        :type name: str
        :param column: such as ``'status'`` or ``'qcur'``.
        :type column: str
        :param value: what it says from now on, until a command changes it.
        :type value: str
        :raises ValueError: if no process has it.

        Usage::

            >>> from haproxyadmin.testing import FakeHAProxy
            >>> with FakeHAProxy(processes=2) as haproxy:
            ...     haproxy.set('web', 'BACKEND', 'qcur', 20)
            ...     haproxy.hap.backend('web').metric('qcur')
            40
        """
        columns = self.processes[0].columns
        if column not in columns:
            raise ValueError('HAProxy {0} has no column {1!r}{2}'.format(
                self.version, column, suggest_or_list(column, columns)))
        having = [process for process in self.processes if process.row(proxy, name)]
        if not having:
            raise ValueError('there is no {0}/{1} in show stat'.format(proxy, name))
        for process in having:
            process.set(proxy, name, column, value)

    def reload(self):
        """Have new processes take over, with the state of the configuration and other pids.

        Usage::

            >>> from haproxyadmin.testing import FakeHAProxy
            >>> with FakeHAProxy() as haproxy:
            ...     web1 = haproxy.hap.backend('web').server('web1')
            ...     web1.setstate('maint'), web1.status
            ...     haproxy.reload()
            ...     web1.status
            (True, 'MAINT')
            'UP'
        """
        for master in self.masters:
            master.reload()
        if not self.masters:
            self.restart(self.version)

    def configure(self, text):
        """Replace the configuration, for the next reload or restart.

        :param text: the text of a configuration, or the name of a file if it is one line.
        :type text: str
        :raises haproxyadmin.testing.configuration.ConfigurationError: if it cannot use it.

        Usage::

            >>> from haproxyadmin.testing import FakeHAProxy
            >>> with FakeHAProxy() as haproxy:
            ...     haproxy.configure('listen shop\\n  bind :80\\n')
            ...     haproxy.reload()
            ...     [frontend.name for frontend in haproxy.hap.frontends()]
            ['shop']
        """
        self.configuration = self._read(text_of_config(text), self._files)
        for process in self.processes:
            process.configuration = self.configuration

    def restart(self, version=None):
        """Have new processes take over, possibly of another version.

        :param version: (optional) the version; None for the same as before.
        :type version: str

        Usage::

            >>> from haproxyadmin.testing import FakeHAProxy
            >>> with FakeHAProxy('2.4') as haproxy:
            ...     haproxy.restart('3.0')
            ...     haproxy.hap.version[:3]
            '3.0'
        """
        for each in self.masters:
            each.restart(version)
        for process in self.processes if not self.masters else []:
            process.take_over(version)
        self.version = version or self.version

    def fail(self, fault):
        """Begin a fault; those that began before it come first.

        It concerns connections to the processes, not those to masters, for which see
        :meth:`haproxyadmin.testing.masters.FakeMaster.next`.

        :param fault: see :mod:`haproxyadmin.testing.faults`.
        :type fault: :class:`haproxyadmin.testing.faults.Fault`
        :raises ValueError: if it is none, or is for a process that is not there.

        Usage::

            >>> from haproxyadmin import exceptions
            >>> from haproxyadmin.testing import FakeHAProxy, faults
            >>> with FakeHAProxy() as haproxy:
            ...     haproxy.fail(faults.denied(command='set server'))
            ...     web1 = haproxy.hap.backend('web').server('web1')
            ...     try:
            ...         web1.setstate('maint')
            ...     except exceptions.CommandFailed:
            ...         haproxy.heal()
            ...     web1.setstate('maint')
            True
        """
        if not isinstance(fault, Fault):
            raise ValueError('a fault is what a function of haproxyadmin.testing.faults returns, '
                             'got {0!r}'.format(fault))
        if fault.process is not None and fault.process > len(self.processes):
            raise ValueError('there are {0} processes, no number {1}'.format(
                len(self.processes), fault.process))
        for number, process in enumerate(self.processes, 1):
            if fault.process in (None, number):
                process.fail(fault)

    def heal(self):
        """End all faults; processes that refused connections accept them again."""
        for process in self.processes:
            process.heal()


def _address(listener):
    return ('{0}:{1}'.format(*listener.path) if isinstance(listener.path, tuple)
            else listener.path)
