# SPDX-License-Identifier: Apache-2.0
"""Change a server and read its statistics."""
import functools
import operator
import time

from haproxyadmin.combine import check_command_addr_port, merge
from haproxyadmin.facade import Facade
from haproxyadmin.internal.calls import (members_to_change, read_each, refused_on, require)
from haproxyadmin.internal.fanout import level_operation, run, run_reads
from haproxyadmin.internal.grouping import distinct
from haproxyadmin.internal.listing import LazyMembers
from haproxyadmin.methods import changes
from haproxyadmin.parsers import stats
from haproxyadmin.parsers.values import converter, isint
from haproxyadmin.protocol import commands, replies, versions
from haproxyadmin.protocol.commands import (STATE_DISABLE, STATE_DRAIN, STATE_ENABLE, STATE_MAINT,
                                            STATE_READY, VALID_STATES)
from haproxyadmin.protocol.metrics import SERVER_METRICS
from haproxyadmin.protocol.words import check_port, encode_address, escape_word

# HAProxy applies an address within a millisecond, or six on a busy machine; in seconds.
ADDRESS_PAUSE = 0.02

__all__ = ['SERVER_METRICS', 'STATE_DISABLE', 'STATE_DRAIN', 'STATE_ENABLE', 'STATE_MAINT',
           'STATE_READY', 'Server', 'VALID_STATES']


class Server(Facade):
    """A server of one backend over all HAProxy processes that have it.

    :param server_per_proc: the server in each process.
    :type server_per_proc: list of :class:`haproxyadmin.internal._Server`
    :param backendname: the name of its backend.
    :type backendname: str

    Two servers are equal if their backends and names are; a server equals the text of its name.

    Every read sends one ``show stat IID TYPE SID`` (management guide, "show stat") to each process,
    concurrently. It raises a :class:`haproxyadmin.exceptions.HAProxySocketError` if a process
    cannot be reached, and a :class:`KeyError` if a process no longer has the server. A property
    that must be the same in all processes (status, weight, address, port and the results of checks)
    raises :class:`haproxyadmin.exceptions.IncosistentData` if it differs.
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
        """The id within the backend in the first process (``sid`` of ``show stat``).

        :rtype: int
        """
        return self._first('sid')

    @property
    def weight(self):
        """The weight, 0 to 256 (``weight`` of ``show stat``).

        :rtype: int
        """
        return self._common('weight', converter)

    @property
    def address(self):
        """The address: ``'127.0.0.1'``, ``'::1'`` or ``'unix'``; ``''`` if HAProxy reports none.

        HAProxy reports it from 1.7 on (``addr`` of ``show stat``), but not on a socket of level
        ``user``.

        Setting it accepts text or an address of :mod:`ipaddress`, and sends ``set server
        BACKEND/SERVER addr`` (management guide, "set server"; HAProxy 1.6) to each process; the
        port remains. A :class:`ValueError` means that nothing was sent. From 3.0 on it waits 20 ms
        for HAProxy to apply it.

        :rtype: str
        :raises haproxyadmin.exceptions.CommandFailed: when it is set, if all processes refuse; also
            if the version of one is too old, and then nothing is sent.
        :raises haproxyadmin.exceptions.MultipleCommandResults: when it is set, if some processes
            refuse.
        """
        return self._common('addr', lambda text: stats.split_address(text)[0])

    @address.setter
    def address(self, value):
        encode_address(value)

        def build(member):
            require(member, versions.SERVER_ADDRESS)
            return commands.set_address(
                member.word(), escape_word(value, member.hap_process.version))
        self._change(build, functools.partial(check_command_addr_port, 'addr'))
        self._wait_for_address()

    @property
    def port(self):
        """The port: ``'80'``; ``'-1'`` if it is the client's minus 1; ``''`` if there is none.

        Setting it accepts an integer from 0 to 65535, or its digits. It reads the address of each
        process and sends ``set server BACKEND/SERVER addr ADDRESS port PORT`` (management guide,
        "set server"; HAProxy 1.7), so that each process keeps its own address.

        :rtype: str
        :raises haproxyadmin.exceptions.CommandFailed: when it is set, if all processes refuse; also
            if one does not report its address or is too old, and then nothing is sent.
        :raises haproxyadmin.exceptions.MultipleCommandResults: when it is set, if some processes
            refuse.
        """
        return self._common('addr', lambda text: stats.split_address(text)[1])

    @port.setter
    def port(self, value):
        port = check_port(value)
        # Live, also for a server of a snapshot: otherwise an old address would be set again.
        members = members_to_change(self._live())
        read_each(members, lambda member: require(member, versions.SERVER_PORT))
        members = distinct(members)
        addresses = {}
        rows = run_reads([member.row_operation() for member in members])
        for member, row in zip(members, rows):
            text = stats.field(row, 'addr')
            address = addresses[member.socket_file] = stats.split_address(text)[0]
            if address in ('', 'unix'):
                raise refused_on(member, self._no_address(member, text))
        self._change(lambda member: commands.set_address(
            member.word(), escape_word(
                addresses[member.socket_file], member.hap_process.version), port),
            functools.partial(check_command_addr_port, 'port'))
        self._wait_for_address()

    @property
    def check_status(self):
        """The result of the last health check, ``'L4OK'`` or ``'L4TOUT'`` (``check_status``).

        :rtype: str
        """
        return self._common('check_status', stats.last_result)

    @property
    def check_code(self):
        """The code of the last health check, ``''`` if there is none (``check_code``).

        :rtype: int or str
        """
        return self._common('check_code', lambda text: int(text) if isint(text) else text)

    @property
    def last_status(self):
        """What the last health check received, or why it failed (``last_chk``).

        :rtype: str
        """
        return self._common('last_chk')

    @property
    def last_agent_check(self):
        """What the last agent check received, or why it failed (``last_agt``).

        :rtype: str
        """
        return self._common('last_agt')

    @changes
    def setstate(self, state, die=True):
        """Set the state (management guide, "set server", "enable server", "disable server").

        * ``STATE_ENABLE`` ends maintenance (``enable server``).
        * ``STATE_DISABLE`` starts maintenance: no traffic, no checks (``disable server``).
        * ``STATE_READY`` is the normal mode (``set server ... state ready``).
        * ``STATE_DRAIN`` takes the server out of load balancing; persistent clients still reach it,
          and checks continue.
        * ``STATE_MAINT`` is the same maintenance as ``STATE_DISABLE``.

        Setting the current state again is not an error.

        :param state: one of ``VALID_STATES``.
        :type state: str
        :raises ValueError: for any other state; nothing is sent.

        Usage::

            >>> server = hap.server('member_bkall', backend='backend_proc1')[0]
            >>> server.setstate(haproxy.STATE_DISABLE)
            True
            >>> server.status
            'MAINT'
        """
        return self._change(lambda member: commands.set_state(member.word(), state))

    @changes
    def setweight(self, value, die=True):
        """Set the weight (management guide, "set weight").

        With a static load balancing algorithm, HAProxy only accepts ``'0%'`` and ``'100%'``.

        :param value: 0 to 256, or a percentage of the configured weight such as ``'20%'``.
        :type value: int or str
        :raises ValueError: for any other value; nothing is sent.

        Usage::

            >>> server = hap.server('member_bkall', backend='backend_proc1')[0]
            >>> server.setweight('20%')
            True
            >>> server.weight
            20
        """
        return self._change(lambda member: commands.set_weight(member.word(), value))

    @changes
    def shutdown(self, die=True):
        """End all sessions of the server at once (management guide, "shutdown sessions server")."""
        return self._change(lambda member: commands.shutdown_sessions(member.word()))

    def _no_address(self, member, text):
        """Return why a server's port cannot be set: HAProxy reports no usable address."""
        endpoint = member.hap_process.endpoint
        if not text and run(level_operation(endpoint)) == replies.LEVELS[0]:
            return ('Permission denied (the level of {0} is user): HAProxy does not report the '
                    'address of server {1}/{2}, which is needed to set its port'.format(
                        member.socket_file, self.backendname, self.name))
        return ('server {0}/{1} has no address with a port: {2!r} in process {3} on {4}').format(
            self.backendname, self.name, text, member.process_nb, member.socket_file)

    def _wait_for_address(self):
        """Wait until reads return what was set: setting the port would set an old address again."""
        if any(versions.has(member.hap_process.version, versions.DELAYED_ADDRESS)
               for member in self._members):
            time.sleep(ADDRESS_PAUSE)


def servers_of(listings):
    """Return the servers of one backend.

    :param listings: what each process lists.
    :type listings: list of :class:`haproxyadmin.internal.listing.Listing`
    :rtype: list of :class:`Server`
    """
    backend, names = listings[0].backend.name, listings[0].names
    if len(set(names)) == len(names) and listings[0].agrees_with(listings[1:]):
        return [Server(LazyMembers(listings, place), backend) for place in range(len(names))]
    return [Server(members, backend)
            for members in merge([listing.servers() for listing in listings])]


def __dir__():
    """List what is public; has an effect from Python 3.7 on."""
    return sorted(__all__)
