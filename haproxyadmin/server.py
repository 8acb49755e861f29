# SPDX-License-Identifier: Apache-2.0
"""Run operations on a server and read its statistics."""
import operator
import time

from haproxyadmin import utils
from haproxyadmin.exceptions import CommandFailed
from haproxyadmin.internal import facade
from haproxyadmin.protocol import commands, replies
from haproxyadmin.protocol.commands import (STATE_DISABLE, STATE_DRAIN, STATE_ENABLE, STATE_MAINT,
                                            STATE_READY, VALID_STATES)
from haproxyadmin.protocol.metrics import SERVER_METRICS
from haproxyadmin.utils import should_die

# What HAProxy takes to apply an address is a millisecond, or six on a busy machine; in seconds.
ADDRESS_PAUSE = 0.02

__all__ = ['SERVER_METRICS', 'STATE_DISABLE', 'STATE_DRAIN', 'STATE_ENABLE', 'STATE_MAINT',
           'STATE_READY', 'Server', 'VALID_STATES']


class Server(facade.Facade):
    """A server of one backend over all HAProxy processes that have it.

    :param server_per_proc: the server in each process.
    :type server_per_proc: list of :class:`haproxyadmin.internal._Server`
    :param backendname: the name of its backend.
    :type backendname: str

    Two servers are equal when backend and name are, a server and text when the names are.

    Every read sends one ``show stat IID TYPE SID`` (management guide, "show stat") to each process,
    all at the same time. It raises a
    :class:`haproxyadmin.exceptions.HAProxySocketError` when one of them cannot be talked
    to, and a :class:`KeyError` when one of them no longer has the server.
    """

    _METRICS = SERVER_METRICS
    _IDENTITY = operator.attrgetter('_backendname', '_name')

    def __init__(self, server_per_proc, backendname):
        super(Server, self).__init__(server_per_proc)
        self.__dict__['_backendname'] = backendname

    def __repr__(self):
        return 'Server({0!r}, backend={1!r}, processes={2})'.format(
            self.name, self.backendname, self.process_nb)

    @property
    def backendname(self):
        """The name of its backend; costs nothing.

        :rtype: str
        """
        return self._backendname

    @property
    def sid(self):
        """The id within the backend that the first process gives it (``sid`` of ``show stat``).

        :rtype: int
        """
        return self._first('sid')

    @property
    def weight(self):
        """The weight, 0 to 256 (``weight`` of ``show stat``).

        :rtype: int
        :raises haproxyadmin.exceptions.IncosistentData: when it differs between processes.
        """
        return self._agreed('weight', utils.converter)

    @property
    def address(self):
        """The address: ``'127.0.0.1'``, ``'::1'``, ``'unix'``; ``''`` where HAProxy tells none.

        HAProxy tells it from 1.7 on (``addr`` of ``show stat``), and not on a socket of level
        ``user``. Setting it sends ``set server BACKEND/SERVER addr`` to each process (1.6); the
        port stays. It may be text or an address of :mod:`ipaddress`. A :class:`ValueError` means
        that nothing was sent. From 3.0 on it waits 20 ms, within which HAProxy applies it.

        :rtype: str
        :raises haproxyadmin.exceptions.IncosistentData: when it differs between processes.
        :raises haproxyadmin.exceptions.CommandFailed: on setting, when all processes refuse, or
            the version of one cannot; nothing is sent then.
        :raises haproxyadmin.exceptions.MultipleCommandResults: on setting, when some do.
        """
        return self._agreed('addr', lambda text: utils.address_and_port(text)[0])

    @address.setter
    def address(self, value):
        commands.address(value)

        def build(member):
            self._check_version(member, (1, 6), 'an address')
            return commands.set_address(
                member.word(), commands.word(value, member.hap_process.version))
        self._change(build, _judge('addr'))
        self._wait_for_address()

    @property
    def port(self):
        """The port: ``'80'``; ``'-1'`` where it is the client's less 1; ``''`` where there is none.

        Setting it takes an integer from 0 to 65535, or its digits, reads the address of each
        process and sends ``set server BACKEND/SERVER addr ADDRESS port PORT`` (1.7), so that each
        keeps its own.

        :rtype: str
        :raises haproxyadmin.exceptions.IncosistentData: when it differs between processes.
        :raises haproxyadmin.exceptions.CommandFailed: on setting, when all processes refuse, or one
            does not tell its address or is too old; nothing is sent then.
        :raises haproxyadmin.exceptions.MultipleCommandResults: on setting, when some refuse.
        """
        return self._agreed('addr', lambda text: utils.address_and_port(text)[1])

    @port.setter
    def port(self, value):
        port = commands.port(value)
        # Live also for a server of a snapshot: an old address would be set again.
        members = self._live()
        facade.ask_each(members, lambda member: self._check_version(member, (1, 7), 'a port'))
        members = facade.distinct(members)
        addresses = {}
        rows = facade.answers([member.ask_row() for member in members])
        for member, row in zip(members, rows):
            text = utils.field(row, 'addr')
            address = addresses[member.socket_file] = utils.address_and_port(text)[0]
            if address in ('', 'unix'):
                raise _refused_on(member, self._no_address(member, text))
        self._change(lambda member: commands.set_address(
            member.word(), commands.word(
                addresses[member.socket_file], member.hap_process.version), port),
            _judge('port'))
        self._wait_for_address()

    @property
    def check_status(self):
        """The result of the last health check, ``'L4OK'`` or ``'L4TOUT'`` (``check_status``).

        :rtype: str
        :raises haproxyadmin.exceptions.IncosistentData: when it differs between processes.
        """
        return self._agreed('check_status', utils.last_result)

    @property
    def check_code(self):
        """The code of the last health check, ``''`` where there is none (``check_code``).

        :rtype: int or str
        :raises haproxyadmin.exceptions.IncosistentData: when it differs between processes.
        """
        return self._agreed('check_code', lambda text: int(text) if utils.isint(text) else text)

    @property
    def last_status(self):
        """What the last health check read, or why it failed (``last_chk``).

        :rtype: str
        :raises haproxyadmin.exceptions.IncosistentData: when it differs between processes.
        """
        return self._agreed('last_chk')

    @property
    def last_agent_check(self):
        """What the last agent check read, or why it failed (``last_agt``).

        :rtype: str
        :raises haproxyadmin.exceptions.IncosistentData: when it differs between processes.
        """
        return self._agreed('last_agt')

    @should_die
    def setstate(self, state, die=True):
        """Set the state.

        * ``STATE_ENABLE`` ends a maintenance (``enable server``);
        * ``STATE_DISABLE`` begins one: no traffic, no checks (``disable server``);
        * ``STATE_READY`` is the normal mode (``set server ... state ready``);
        * ``STATE_DRAIN`` takes it out of load balancing; persistence goes on, and so do checks;
        * ``STATE_MAINT`` is the same maintenance as ``STATE_DISABLE``.

        Setting a state again is no error.

        :param state: one of ``VALID_STATES``.
        :type state: str
        :param die: (optional) False returns False in place of raising.
        :type die: bool
        :return: True.
        :rtype: bool
        :raises ValueError: for any other state; nothing is sent.
        :raises haproxyadmin.exceptions.CommandFailed: when all processes refuse.
        :raises haproxyadmin.exceptions.MultipleCommandResults: when some do.

        Usage::

            >>> server = hap.server('member_bkall', backend='backend_proc1')[0]
            >>> server.setstate(haproxy.STATE_DISABLE)
            True
            >>> server.status
            'MAINT'
        """
        return self._change(lambda member: commands.set_state(member.word(), state))

    @should_die
    def setweight(self, value, die=True):
        """Set the weight (``set weight``).

        :param value: 0 to 256, or a percentage of the configured weight such as ``'20%'``.
        :type value: int or str
        :param die: (optional) False returns False in place of raising.
        :type die: bool
        :return: True.
        :rtype: bool
        :raises ValueError: for any other value; nothing is sent.
        :raises haproxyadmin.exceptions.CommandFailed: when all processes refuse; a static load
            balancing algorithm takes ``'0%'`` and ``'100%'`` only.
        :raises haproxyadmin.exceptions.MultipleCommandResults: when some do.

        Usage::

            >>> server = hap.server('member_bkall', backend='backend_proc1')[0]
            >>> server.setweight('20%')
            True
            >>> server.weight
            20
        """
        return self._change(lambda member: commands.set_weight(member.word(), value))

    @should_die
    def shutdown(self, die=True):
        """End all sessions of the server at once (``shutdown sessions server``).

        :param die: (optional) False returns False in place of raising.
        :type die: bool
        :return: True.
        :rtype: bool
        :raises haproxyadmin.exceptions.CommandFailed: when all processes refuse.
        :raises haproxyadmin.exceptions.MultipleCommandResults: when some do.
        """
        return self._change(lambda member: commands.shutdown_sessions(member.word()))

    def _no_address(self, member, text):
        """Return in words why a server's port cannot be set: HAProxy tells a user no address."""
        if not text and facade.answer(member.hap_process.ask_level()) == replies.LEVELS[0]:
            return ('Permission denied (the level of {0} is user): the address of server {1}/{2}, '
                    'which its port is set with, is not told'.format(
                        member.socket_file, self.backendname, self.name))
        return ('server {0}/{1} has no address that takes a port: {2!r} in process {3} '
                'on {4}').format(
            self.backendname, self.name, text, member.process_nb, member.socket_file)

    def _wait_for_address(self):
        """Wait until reads tell what was set: setting the port would set an old address again."""
        if any(member.hap_process.version >= commands.ADDRESS_LATER for member in self._members):
            time.sleep(ADDRESS_PAUSE)

    def _check_version(self, member, version, what):
        if member.hap_process.version < version:
            message = 'HAProxy {0} on {1} cannot set {2} of a server, {3} can'.format(
                commands.version_text(member.hap_process.version), member.socket_file, what,
                commands.version_text(version))
            raise _refused_on(member, message)


def _refused_on(member, message):
    """Return the error of what is not even sent to a process."""
    error = CommandFailed(message)
    error.set_context(None, member.socket_file)
    return error


def servers_of(listings):
    """Return the servers of one backend.

    :param listings: what each process lists.
    :type listings: list of :class:`haproxyadmin.internal.server._Listing`
    :rtype: list of :class:`Server`
    """
    backend, names = listings[0].backend.name, listings[0].names
    if len(set(names)) == len(names) and all(listing.names == names for listing in listings):
        return [Server(facade.Finds(listings, place), backend) for place in range(len(names))]
    return [Server(members, backend)
            for members in facade.merge([listing.servers() for listing in listings])]


def _judge(change_type):
    return lambda results: utils.check_command_addr_port(change_type, results)


def __dir__():
    """Show what is public; from Python 3.7 on."""
    return sorted(__all__)
