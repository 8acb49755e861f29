# SPDX-License-Identifier: Apache-2.0
"""Change a server and read its statistics."""
import collections
import functools
import operator
import time

from haproxyadmin.combine import check_command_addr_port, common_value, merge
from haproxyadmin.facade import Facade
from haproxyadmin.internal.calls import (members_to_change, read_each, read_pairs, refused_on,
                                         require)
from haproxyadmin.internal.fanout import level_operation, run, run_all, run_reads, unchanged
from haproxyadmin.internal.grouping import distinct
from haproxyadmin.internal.listing import LazyMembers
from haproxyadmin.methods import changes, changes_all_or_none, waits
from haproxyadmin.parsers import stats
from haproxyadmin.parsers.values import converter, isint
from haproxyadmin.protocol import commands, replies, versions
from haproxyadmin.protocol.commands import (STATE_DISABLE, STATE_DRAIN, STATE_ENABLE, STATE_MAINT,
                                            STATE_READY, VALID_STATES)
from haproxyadmin.protocol.metrics import SERVER_METRICS
from haproxyadmin.protocol.words import check_port, encode_address, escape_word

# HAProxy applies an address within a millisecond, or six on a busy machine; in seconds.
ADDRESS_PAUSE = 0.02
# How many servers a notebook shows; ten thousand would be three megabytes of HTML.
SHOWN = 100

__all__ = ['SERVER_METRICS', 'STATE_DISABLE', 'STATE_DRAIN', 'STATE_ENABLE', 'STATE_MAINT',
           'STATE_READY', 'Server', 'Servers', 'VALID_STATES']


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

    Usage::

        >>> server = hap.backend('backend_proc1').server('member1_proc1')
        >>> server.status, server.weight, server.initial_weight, server.sid
        ('UP', 100, 100, 1)
        >>> server.is_up, server.is_down, server.is_checked
        (True, False, True)
        >>> server.is_draining, server.is_maintenance
        (False, False)
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

        It is text; set it by a number or text: ``server.port = int(server.port) + 1``. Setting it
        accepts an integer from 0 to 65535, or its digits. It reads the address of each process and
        sends ``set server BACKEND/SERVER addr ADDRESS port PORT`` (management guide, "set server";
        HAProxy 1.7), so that each process keeps its own address.

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
    def initial_weight(self):
        """The configured weight (``get weight``; management guide, "get weight").

        It asks HAProxy, also for a server of a snapshot.

        :rtype: int
        """
        from haproxyadmin.internal.states import initial_weight_operation  # seldom needed
        weights = read_pairs(self._live(), initial_weight_operation)
        return common_value([(member.process_nb, member.socket_file, weight)
                             for member, weight in weights])

    # The status in words: True if it is so in every process

    @property
    def is_up(self):
        """True if it accepts new traffic in every process: it is up, and its weight is not 0.

        The status is ``'UP'``, ``'UP 1/3'`` (up, though the last check failed, or none has
        succeeded yet) or ``'no check'``.

        :rtype: bool
        """
        return all(stats.accepts_traffic(stats.field(row, 'status'), stats.field(row, 'weight'))
                   for row in self._rows())

    @property
    def is_down(self):
        """True if it is down in every process: ``'DOWN'``, ``'DOWN 1/2'`` or ``'DOWN (agent)'``.

        A server in maintenance is not down, nor is one in status ``'NOLB'``.

        :rtype: bool
        """
        return all(map(stats.is_down, self._fields('status')))

    @property
    def is_draining(self):
        """True if it is in drain in every process, by itself or with the server that it tracks.

        This property and the next two send one ``show servers state BACKEND`` (management guide,
        "show servers state"; HAProxy 1.6) to each process, because the status ``'DOWN'`` does not
        show whether a server is in drain. They ask HAProxy, also for a server of a snapshot.

        :rtype: bool
        :raises haproxyadmin.exceptions.NotSupported: if the version of a process is too old.
        """
        return all(self._read_state('is_draining'))

    @property
    def is_maintenance(self):
        """True if it is in maintenance in every process; see :attr:`is_draining`.

        It is also in maintenance if the server that it tracks is, or if its name has no address.

        :rtype: bool
        """
        return all(self._read_state('is_in_maintenance'))

    @property
    def is_checked(self):
        """True if its health checks are enabled in every process; see :attr:`is_draining`.

        False for a server that tracks another one, which is checked instead.

        :rtype: bool
        """
        return all(self._read_state('is_checked'))

    def _read_state(self, name):
        """Return what a function of ``parsers.servers_state`` makes of each process's state."""
        from haproxyadmin.internal.states import read_states  # most programs do not need it
        from haproxyadmin.parsers import servers_state
        return read_states(self._live(), getattr(servers_state, name))

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
        """End all sessions of the server at once (management guide, "shutdown sessions server").

        Usage::

            >>> hap.backend('backend_proc1').server('member1_proc1').shutdown()
            True
        """
        return self._change(lambda member: commands.shutdown_sessions(member.word()))

    # Out of rotation and back

    @waits
    def drain(self, timeout, interval=0.5, progress=None, die=True):
        """Put the server into drain, and wait until nobody uses it.

        It gets no new traffic except from persistent clients, such as those with a cookie for it.
        If such a client keeps an idle connection, this is no session, and its next request arrives
        nevertheless. To be sure that nobody uses the server, call :meth:`takeout`.

        Sends ``set server ... state drain`` (management guide, "set server"; HAProxy 1.6) to each
        process, in all or in none, and then each ``interval`` one ``show stat`` and one ``show
        info``. If connections to the server have failed, it waits for 1.2 seconds after the last
        one, because HAProxy tries these again. A server in maintenance stays there. When the time
        is over, it stays in drain.

        If a process is replaced by a reload, the new one gets the state, too. Through a master,
        former workers are also looked at, with one ``show stat`` each (up to 2.4 also ``show
        sess``), until they have ended or no longer use the server. Through stats sockets they
        cannot be reached: if HAProxy may be reloaded, check ``reloaded`` of what is returned; a
        reload just before the call is not noticed.

        :return: how long it took, and what is left.
        :rtype: :class:`haproxyadmin.rotation.Drained`
        :raises haproxyadmin.exceptions.CommandFailed: if a process refuses, which is undone in the
            others; or if somebody else, or an agent, sets another state meanwhile that is less far
            out of rotation.

        Usage::

            >>> server = hap.backend('backend_proc1').server('member1_proc1')
            >>> server.drain(timeout=30).sessions
            0
        """
        from haproxyadmin import rotation  # most programs do not need it
        return rotation.drain(self._live(), timeout, interval, progress)

    @waits
    def takeout(self, timeout, drain_for=None, shutdown_sessions=False, keep_up=None, interval=0.5,
                progress=None, die=True):
        """Take the server out of rotation: drain, then maintenance, until nobody uses it.

        In maintenance it gets no request at all, and is not checked. Requests that are running are
        finished. If it is in maintenance already, this only waits. It also waits for the sessions
        of servers that track it, and go with it. When the time is over, it stays in maintenance.

        Like :meth:`drain` it looks at former workers only through a master, and at failed
        connections. It cannot end sessions of former workers, because HAProxy refuses that.

        Costs what :meth:`drain` costs, and one ``show stat`` of all servers; each ``interval`` one
        ``show stat`` more for each server that tracks it.

        :param drain_for: (optional) the longest time in drain, in seconds; by default half of
            ``timeout``. It is shorter if nobody uses the server any more; 0 skips it.
        :param shutdown_sessions: (optional) True to end the sessions that are left shortly before
            the time is over (``shutdown sessions server``): a second, or a quarter of ``timeout``
            if that is less.
        :param keep_up: (optional) refuse, and change nothing, if fewer than that many other servers
            of its backend are up in every process. Backup servers count, and so do servers in
            status ``'UP 1/3'``, also if they were never checked; servers that track it do not.
        :type keep_up: int
        :return: how long it took, and what was shut down.
        :rtype: :class:`haproxyadmin.rotation.TakenOut`
        :raises haproxyadmin.exceptions.CommandFailed: like :meth:`drain`, and for ``keep_up``.

        Usage::

            >>> server = hap.backend('backend_proc1').server('member1_proc1')
            >>> server.takeout(timeout=30, keep_up=1).tracked_by
            []
        """
        from haproxyadmin import rotation  # most programs do not need it
        return rotation.take_out(self._live(), timeout, drain_for, shutdown_sessions, keep_up,
                                 interval, progress)

    @waits
    def bringback(self, timeout, interval=0.5, progress=None, die=True):
        """Put the server into rotation, and wait until it is up in every process.

        It is up once its status is ``'UP'``, which means that its checks succeed, or ``'no check'``
        and its weight is not 0. ``'UP 1/3'`` is not enough: HAProxy reports that before the first
        check. If ``fall`` is 1, HAProxy reports ``'UP'`` at once.

        Sends ``set server ... state ready`` (management guide, "set server"; HAProxy 1.6) to each
        process, in all or in none, and then each ``interval`` one ``show stat`` and one ``show
        info``. When the time is over, the state remains set.

        :return: how long it took.
        :rtype: :class:`haproxyadmin.rotation.BroughtBack`
        :raises haproxyadmin.exceptions.CommandFailed: if a process refuses; then it is undone in
            the others.

        Usage::

            >>> server = hap.backend('backend_proc1').server('member1_proc1')
            >>> bool(server.bringback(timeout=30))
            True
        """
        from haproxyadmin import rotation  # most programs do not need it
        return rotation.bring_back(self._live(), timeout, interval, progress)

    def out_of_rotation(self, timeout=60, back_within=30, keep_up=1, restore_on_error=False,
                        drain_for=None, shutdown_sessions=False, interval=0.5, progress=None):
        """Return a context manager: inside of ``with``, the server is out of rotation.

        It begins with :meth:`takeout`, whose result ``as`` receives. At the end it restores the
        state that the server had in each process, and waits until it is up in those in which it was
        up before: a server that was in maintenance stays there. A process that has taken over
        meanwhile gets the state, too. If the server has been deleted, there is nothing to restore.

        After an exception inside of ``with`` the server stays in maintenance. With
        ``restore_on_error`` its state is restored, but without waiting until it is up. Either way
        the exception is raised. If :meth:`takeout` fails, what is inside of ``with`` does not run.
        If a process cannot be reached at the end, the server stays out of rotation in all of them.

        Through stats sockets the sessions of former workers are not seen: if HAProxy may be
        reloaded, use a master, or check ``reloaded`` of what ``as`` receives before the server is
        switched off. A reload inside of ``with`` puts the server into rotation again, unless
        HAProxy loads a state file: call :meth:`takeout` there again, in a loop for instance.

        :param timeout: (optional) seconds for :meth:`takeout`.
        :param back_within: (optional) seconds until it must be up again.
        :param keep_up: (optional) how many other servers must be up; see :meth:`takeout`.
        :param restore_on_error: (optional) True to restore the state after an exception, too, also
            after that of Ctrl-C, and if :meth:`takeout` fails.
        :param drain_for: (optional) see :meth:`takeout`.
        :param shutdown_sessions: (optional) see :meth:`takeout`.
        :param interval: (optional) seconds between two looks.
        :param progress: (optional) see :meth:`takeout`.
        :rtype: :class:`haproxyadmin.rotation.OutOfRotation`
        :raises haproxyadmin.exceptions.WaitTimeout: by ``with``, if it is not idle in time; and at
            its end, if the server is not up in time.
        :raises haproxyadmin.exceptions.CommandFailed: by ``with``; see :meth:`takeout`.

        Usage::

            >>> server = hap.backend('backend_proc1').server('member1_proc1')
            >>> with server.out_of_rotation(timeout=30, keep_up=1):
            ...     print(server.status)
            MAINT
            >>> server.status
            'UP'
        """
        from haproxyadmin.rotation import OutOfRotation  # most programs do not need it
        return OutOfRotation(
            self._live(), back_within, restore_on_error, timeout=timeout, drain_for=drain_for,
            shutdown_sessions=shutdown_sessions, keep_up=keep_up, interval=interval,
            progress=progress)

    # These are changed in all processes or in none

    @changes_all_or_none
    def setaddress(self, address, port=None, die=True):
        """Set the address, and perhaps the port, with one command.

        Sends ``set server BACKEND/SERVER addr ADDRESS [port PORT]`` (management guide, "set
        server"; HAProxy 1.6, with a port 1.7). From 3.0 on it waits 20 ms for HAProxy to apply it.

        Like all methods below, it first reads what was set, with one ``show servers state BACKEND``
        (or ``show stat``) to each process, and sends a ``show info`` before and after the change.

        :param address: an IP address, as text or of :mod:`ipaddress`.
        :param port: (optional) 0 to 65535; by default it remains.
        :raises ValueError: for what cannot be an address or port; nothing is sent.

        Usage::

            >>> server = hap.server('member_bkall', backend='backend_proc1')[0]
            >>> server.setaddress('127.0.0.9', 8080)
            True
            >>> server.address, server.port
            ('127.0.0.9', '8080')
        """
        self._set('ADDRESS' if port is None else 'ADDRESS_AND_PORT', *_given(address, port))
        self._wait_for_address()
        return True

    @changes_all_or_none
    def setmaxconn(self, value, die=True):
        """Set the maximum number of connections (``set maxconn server``; HAProxy 1.7).

        Raising or removing a limit is refused on versions that this crashes if requests wait in the
        queue: 1.8 to 2.0.22, 2.1 to 2.2.14, 2.3 to 2.3.10 and 2.4.0.

        :param value: 0 to 2147483647, for each process; 0 for no limit.
        :type value: int
        :raises ValueError: for any other value; nothing is sent.

        Usage::

            >>> hap.backend('backend_proc1').server('member1_proc1').setmaxconn(100)
            True
        """
        return self._set('MAXCONN', value)

    @changes_all_or_none
    def setfqdn(self, name, die=True):
        """Set the name that the resolvers look up (``set server ... fqdn``; HAProxy 1.8).

        HAProxy refuses if the server has no ``resolvers``.

        :param name: a host name.
        :type name: str
        :raises ValueError: for what HAProxy cannot accept; nothing is sent.

        Usage::

            >>> hap.backend('names').server('n1').setfqdn('web1.example.com')
            True
        """
        return self._set('NAME', name)

    @changes_all_or_none
    def setssl(self, on, die=True):
        """Switch TLS to the server on or off (``set server ... ssl``; HAProxy 2.4).

        HAProxy refuses if the server or its ``default-server`` has no TLS settings.

        :param on: True or False.
        :type on: bool
        :raises ValueError: for anything else; nothing is sent.

        Usage::

            >>> hap.backend('secure').server('e1').setssl(False)
            True
        """
        return self._set('TLS', on)

    @changes_all_or_none
    def sethealth(self, health, die=True):
        """Set the health, until the next check (``set server ... health``).

        It also works for a server without checks, and then lasts. HAProxy refuses if the server
        tracks another one. See "set server" in the management guide.

        :param health: ``'up'``, ``'stopping'`` (no new traffic except by persistence; status
            ``'NOLB'``) or ``'down'``.
        :type health: str
        :raises ValueError: for anything else; nothing is sent.

        Usage::

            >>> server = hap.server('member_bkall', backend='backend_proc1')[0]
            >>> server.sethealth('stopping')
            True
            >>> server.status
            'NOLB'
        """
        return self._set('HEALTH', health)

    @changes_all_or_none
    def setagent(self, health, die=True):
        """Set what the agent check found, until the next one (``set server ... agent``).

        HAProxy refuses if the agent checks of the server are not enabled.

        :param health: ``'up'`` or ``'down'``.
        :type health: str
        :raises ValueError: for anything else; nothing is sent.

        Usage::

            >>> hap.backend('agents').server('a1').setagent('up')
            True
        """
        return self._set('AGENT', health)

    @changes_all_or_none
    def enable_health(self, die=True):
        """Enable the health checks (``enable health``).

        A server for which none are configured is refused on every version.

        Usage::

            >>> server = hap.backend('agents').server('a1')
            >>> server.disable_health()
            True
            >>> server.enable_health()
            True
            >>> server.is_checked
            True
        """
        return self._set('HEALTH_ON')

    @changes_all_or_none
    def disable_health(self, die=True):
        """Disable the health checks (``disable health``); its health remains as it is.

        Usage::

            >>> server = hap.backend('agents').server('a1')
            >>> server.disable_health()
            True
            >>> server.is_checked
            False
        """
        return self._set('HEALTH_OFF')

    @changes_all_or_none
    def enable_agent(self, die=True):
        """Enable the agent checks (``enable agent``).

        A server for which none are configured is refused on every version.

        Usage::

            >>> hap.backend('agents').server('a1').enable_agent()
            True
        """
        return self._set('AGENT_ON')

    @changes_all_or_none
    def disable_agent(self, die=True):
        """Disable the agent checks (``disable agent``); its health and weight remain.

        Usage::

            >>> hap.backend('agents').server('a1').disable_agent()
            True
        """
        return self._set('AGENT_OFF')

    @changes_all_or_none
    def setcheckaddr(self, address, port=None, die=True):
        """Set where health checks go (``set server ... check-addr``; HAProxy 2.4).

        HAProxy refuses if the health checks are not enabled (from 2.6 on).

        :param address: an IP address, as text or of :mod:`ipaddress`.
        :param port: (optional) 0 to 65535; by default it remains.
        :raises ValueError: for what cannot be an address or port; nothing is sent.

        Usage::

            >>> hap.backend('agents').server('a1').setcheckaddr('127.0.0.9', 8081)
            True
        """
        return self._set('CHECK_ADDRESS', *_given(address, port))

    @changes_all_or_none
    def setcheckport(self, port, die=True):
        """Set the port of health checks (``set server ... check-port``; HAProxy 1.7).

        :param port: 0 to 65535; 0 for the port of the server.
        :raises ValueError: for any other value; nothing is sent.

        Usage::

            >>> hap.backend('agents').server('a1').setcheckport(8081)
            True
        """
        return self._set('CHECK_PORT', port)

    @changes_all_or_none
    def setagentaddr(self, address, port=None, die=True):
        """Set where agent checks go (``set server ... agent-addr``; HAProxy 1.8, the port 2.4).

        HAProxy refuses if the agent checks are not enabled.

        :param address: an IP address, as text or of :mod:`ipaddress`.
        :param port: (optional) 0 to 65535; by default it remains.
        :raises ValueError: for what cannot be an address or port; nothing is sent.

        Usage::

            >>> hap.backend('agents').server('a1').setagentaddr('127.0.0.9')
            True
        """
        return self._set('AGENT_ADDRESS' if port is None else 'AGENT_ADDRESS_AND_PORT',
                         *_given(address, port))

    @changes_all_or_none
    def setagentsend(self, text, die=True):
        """Set what agent checks send (``set server ... agent-send``; HAProxy 1.8).

        HAProxy does not report it, so it cannot be undone if another process refuses.

        :param text: what is sent.
        :type text: str
        :raises ValueError: for what HAProxy cannot accept; nothing is sent.

        Usage::

            >>> hap.backend('agents').server('a1').setagentsend('status')
            True
        """
        return self._set('AGENT_TEXT', text)

    def _set(self, setting, *values):
        """Change a setting of ``internal.settings`` in all processes or in none."""
        from haproxyadmin.internal import settings  # most programs only read
        return getattr(settings, setting).change(self._live(), *values)

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


def _given(address, port):
    """Return the values that were given."""
    return (address,) if port is None else (address, port)


class Servers(list):
    """A list of servers, which a notebook shows as a table.

    The table is made when it is shown, of the first hundred servers; that sends one ``show stat``
    to each process. Servers of a snapshot are shown as they were. If a process cannot be reached,
    the list is shown as text. A slice of it is such a list, too.

    Usage::

        >>> from haproxyadmin.server import Servers
        >>> servers = hap.snapshot().servers()
        >>> Servers(server for server in servers if server.weight == 97)
        [Server('bck2_proc34_srv2', backend='backend2_proc34', processes=[3, 4])]
    """

    __slots__ = ()

    def __getitem__(self, place):
        found = super(Servers, self).__getitem__(place)
        return Servers(found) if isinstance(place, slice) else found

    def _repr_html_(self):
        if not self or not all(isinstance(server, Server) for server in self):
            return None
        from haproxyadmin.overview import make_html  # for notebooks only
        shown = [(server, server._members) for server in self[:SHOWN]]
        processes = list(collections.OrderedDict.fromkeys(
            member.hap_process for _, members in shown for member in members))
        # Not again and again: somebody waits for it.
        outcomes = run_all([process.list_operation(unchanged, commands.SERVERS)
                            for process in processes], repeat=False)
        if any(isinstance(outcome, Exception) for outcome in outcomes):
            return None
        dumps = dict(zip(processes, outcomes))
        return make_html('SERVER', [
            (server.backendname + '/' + server.name,
             [dumps[member.hap_process].server(server.backendname, server.name)
              for member in members]) for server, members in shown], len(self) - len(shown))


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
