# SPDX-License-Identifier: Apache-2.0
"""The entry point of haproxyadmin: HAProxy as a whole, over all its processes."""
from haproxyadmin.internal.calls import change_each, members_to_change, read_pairs
from haproxyadmin.internal.discovery import Refreshed, Search
from haproxyadmin.maps import PatternMethods
from haproxyadmin.methods import changes, takes_die
from haproxyadmin.protocol import commands
from haproxyadmin.protocol.commands import (STATE_DISABLE, STATE_DRAIN, STATE_ENABLE, STATE_MAINT,
                                            STATE_READY, VALID_STATES)
from haproxyadmin.protocol.metrics import (BACKEND_METRICS, FRONTEND_METRICS, HAPROXY_METRICS,
                                           SERVER_METRICS)
from haproxyadmin.reading import Reading
from haproxyadmin.snapshot import Snapshot
from haproxyadmin.tls import TlsMethods

__all__ = ['BACKEND_METRICS', 'FRONTEND_METRICS', 'HAPROXY_METRICS', 'HAProxy', 'Refreshed',
           'SERVER_METRICS',
           'STATE_DISABLE', 'STATE_DRAIN', 'STATE_ENABLE', 'STATE_MAINT', 'STATE_READY',
           'VALID_STATES']


class HAProxy(PatternMethods, TlsMethods, Reading):
    """HAProxy, over all processes whose stats sockets are found.

    The constructor sends one ``show info`` to each socket, concurrently.

    :param socket_dir: (optional) a directory with stats sockets; takes precedence over
        ``socket_file``. Hidden files are not tried, nor those that HAProxy only uses while it
        binds.
    :type socket_dir: str
    :param socket_file: (optional) the only stats socket, or any other address; see below.
    :type socket_file: str
    :param retry: (optional) how often a failed exchange is repeated: None for never, 0 for no
        limit. A change is repeated only while HAProxy has certainly not received it.
    :type retry: int or None
    :param retry_interval: (optional) seconds between two attempts.
    :param timeout: (optional) seconds to wait for the connection, and for each further reply data;
        None waits without limit.
    :param addresses: (optional) more stats sockets: an address, or an iterable of addresses. A
        directory stands for all sockets in it.
    :type addresses: str or list
    :param master: (optional) the address of a master's socket (``haproxy -W -S ADDRESS``, HAProxy
        1.9), or several: the object then works with the workers of the master, through it.
    :type master: str or list
    :param workers: (optional) ``'current'``, or ``'all'`` to read also from former workers, which
        serve their last connections after a reload. A change goes to the current ones only, except
        for ending sessions.
    :type workers: str
    :param ssl_context: (optional) for addresses with ``ssl@``; by default what
        :func:`ssl.create_default_context` returns.
    :type ssl_context: ssl.SSLContext
    :param allow_missing: (optional) True to leave out what was named and does not answer, instead
        of raising an exception; see :attr:`left_out`. Changes do not reach it.
    :type allow_missing: bool
    :param allow_plain_secrets: (optional) True to send private keys and other secrets over TCP
        without TLS, also to another host.
    :type allow_plain_secrets: bool
    :raises haproxyadmin.exceptions.NoHAProxyFound: if nothing answers as HAProxy, or an address
        that was named does not; the message lists each candidate and the reason, ``cause`` is the
        exception of the first.
    :raises ValueError: if nothing is named, and for a wrong argument.

    An empty name, or any other false value, counts as not given. A relative path is made absolute,
    so that ``os.chdir()`` does no harm, unless it is then longer than the 107 bytes that the
    address of a Unix socket may have.

    **Addresses.** An address is a path, ``unix@PATH``, ``abns@NAME`` or ``abnsz@NAME`` (abstract
    sockets of Linux, the latter for HAProxy 3.1), ``HOST:PORT``, ``ipv4@HOST:PORT``,
    ``ipv6@[HOST]:PORT``, or ``ssl@HOST:PORT`` for TLS. HOST is a name or an IP address; an IPv6
    address stands in brackets. Exceptions, ``by_socket`` and ``left_out`` show an address as it was
    given. Each address has to belong to HAProxy instances with the same purpose: the object treats
    all processes as one.

    **Many addresses.** At most 256 connections are open at a time, and never more than half of the
    file descriptors that the system allows. A name is resolved when it is needed, and again after
    ten seconds; that takes as long as the resolver of the machine takes, whatever ``timeout`` is.

    **Freshness.** Every property and method asks HAProxy again: each process with one command, all
    processes concurrently. Only the ids of rows are remembered, never figures. A process is sent
    one more command if an id has changed, if it refuses for lack of level, and if the first list is
    empty or contains a proxy named ``-1``. What depends on the version of HAProxy (text that is
    escaped, deleting from ACLs and maps, a server's address) sends a ``show info`` first if the
    last one was more than a second ago, or if an exchange has failed since.

    **Upgrades.** The object works with whatever answers on its sockets. If one process takes over
    the sockets of several, they count as one process as soon as a ``show info`` shows it, also in
    frontends, backends and servers that were made before; and as several, if it is replaced by
    several.

    **Values.** Figures are added up or averaged over all processes. The description, node name,
    release date and version must be the same in all; they raise
    :class:`haproxyadmin.exceptions.IncosistentData` if they differ.

    **Errors.** A wrong argument is a :class:`ValueError`, and nothing was sent. If HAProxy refuses,
    the call raises :class:`haproxyadmin.exceptions.CommandFailed` with HAProxy's message. A change
    is sent to every process, even if one of them refuses; if they disagree, the call raises
    :class:`haproxyadmin.exceptions.MultipleCommandResults`, whose ``results`` and ``by_socket``
    contain every reply. If a process cannot be reached, it raises a
    :class:`haproxyadmin.exceptions.HAProxySocketError` with the same two attributes.

    Usage::

        >>> from haproxyadmin import haproxy
        >>> hap = haproxy.HAProxy(socket_dir='/run/haproxy')
        >>> frontend = hap.frontend('frontend1_proc34')
        >>> frontend.status, frontend.process_nb
        ('OPEN', [3, 4])
    """

    _left_out = ()

    def __init__(self, socket_dir=None, socket_file=None, retry=2, retry_interval=2, timeout=1,
                 addresses=None, master=None, workers='current', ssl_context=None,
                 allow_missing=False, allow_plain_secrets=False):
        self._search = Search(socket_dir, socket_file, retry, retry_interval, timeout, addresses,
                              master, workers, ssl_context, allow_missing, allow_plain_secrets)
        self._found, self._left_out = self._search.find()

    @property
    def left_out(self):
        """What did not answer as HAProxy when this object was made or last refreshed.

        It is not asked again before the next :meth:`refresh`. The list contains sockets of a
        directory and, with ``allow_missing=True``, addresses that were named. It does not contain
        other files of a directory, nor further sockets of a process that was found.

        :return: list of ``(address, exception)``, empty if all answered.
        :rtype: list of tuple

        Usage::

            >>> hap.left_out
            []
        """
        return list(self._left_out)

    def refresh(self):
        """Look again where this object was told to look.

        Sends one ``show info`` to each address, concurrently and once. Processes that answer now
        join, those that no longer answer leave. Frontends, backends and servers that were made
        before keep the processes that they had.

        :rtype: :class:`Refreshed`
        :raises haproxyadmin.exceptions.NoHAProxyFound: as when the object is made; then nothing
            has changed.

        Usage::

            >>> hap.refresh()
            Refreshed(joined=[], left=[], left_out=[])
        """
        self._found, self._left_out, refreshed = self._search.find_again(self._found)
        return refreshed

    # ACLs and maps as collections

    def map(self, ref):
        """Return a map as a mapping: ``hap.map('/etc/haproxy/hosts.map')['www.example.com']``.

        Sends ``show map REF`` to the first process (management guide, "show map"); by its id, also
        ``show map``.

        :param ref: its id or file.
        :type ref: int or str
        :rtype: :class:`haproxyadmin.patterns.Map`
        :raises ValueError: if no process has it; the message contains the nearest names.
        :raises haproxyadmin.exceptions.CommandFailed: if HAProxy refuses.

        Usage::

            >>> hap.map('/etc/haproxy/v-m1-bk')['1']
            'www.foo.com-1'
        """
        from haproxyadmin import patterns  # most programs do not need it
        return patterns.find(self._found, 'map', ref)

    def maps(self):
        """Return all maps; the entries of each are read when they are needed.

        Sends ``show map`` to each process (management guide, "show map").

        :rtype: list of :class:`haproxyadmin.patterns.Map`
        :raises haproxyadmin.exceptions.CommandFailed: if HAProxy refuses.

        Usage::

            >>> for one in hap.maps():
            ...     print(one.id, one.file, len(one))
            ...
            0 /etc/haproxy/v-m1-bk 2
        """
        from haproxyadmin import patterns  # most programs do not need it
        return patterns.list_all(self._found, 'map')

    def acl(self, ref):
        """Return an ACL as a set of patterns; see :meth:`map`.

        Sends ``show acl REF`` to the first process (management guide, "show acl"); by its id, also
        ``show acl``.

        :param ref: its id or file.
        :type ref: int or str
        :rtype: :class:`haproxyadmin.patterns.Acl`
        :raises ValueError: if no process has it; the message contains the nearest names.
        :raises haproxyadmin.exceptions.CommandFailed: if HAProxy refuses.

        Usage::

            >>> '/static/css/' in hap.acl(6)
            True
        """
        from haproxyadmin import patterns  # most programs do not need it
        return patterns.find(self._found, 'acl', ref)

    def acls(self):
        """Return all ACLs; the patterns of each are read when they are needed.

        Sends ``show acl`` to each process (management guide, "show acl"). An ACL that the
        configuration takes from a file and completes with patterns of its own counts twice.

        :rtype: list of :class:`haproxyadmin.patterns.Acl`
        :raises haproxyadmin.exceptions.CommandFailed: if HAProxy refuses.

        Usage::

            >>> [acl.file for acl in hap.acls() if acl.file]
            ['/etc/haproxy/wl_stats', '/etc/haproxy/bl_frontend']
        """
        from haproxyadmin import patterns  # most programs do not need it
        return patterns.list_all(self._found, 'acl')

    # Stick tables

    def tables(self):
        """Return all stick tables, in HAProxy's order.

        Sends ``show table`` to each process (management guide, "show table").

        :rtype: list of :class:`haproxyadmin.tables.Table`
        :raises haproxyadmin.exceptions.CommandFailed: if HAProxy refuses.

        Usage::

            >>> hap.tables()
            [Table('api_keys', processes=[1]), Table('clients', processes=[1])]
        """
        from haproxyadmin import tables  # most programs do not need it
        return tables.list_all(self._sources())

    def table(self, name):
        """Return one stick table; costs as much as :meth:`tables`.

        :param name: its name, that of its proxy, or ``'SECTION/NAME'`` for a table of a peers
            section.
        :type name: str
        :rtype: :class:`haproxyadmin.tables.Table`
        :raises ValueError: if no process has it; the message contains the nearest names.

        Usage::

            >>> hap.table('clients').used
            2
        """
        from haproxyadmin import tables  # most programs do not need it
        return tables.find(self._sources(), name)

    # Resolvers and peers

    def resolvers(self):
        """Return the sections ``resolvers`` of the configuration, in HAProxy's order.

        Sends one ``show resolvers`` to each process (management guide, "show resolvers"; HAProxy
        1.8). From 2.6 on there is usually one more, ``default``, with the name servers of
        ``/etc/resolv.conf``.

        :rtype: list of :class:`haproxyadmin.resolvers.ResolversSection`
        :raises haproxyadmin.exceptions.NotSupported: if the version of a process is too old.
        :raises haproxyadmin.exceptions.HAProxySocketError: if a process cannot be reached.

        Usage::

            >>> for section in hap.resolvers():
            ...     for server in section.nameservers():
            ...         print(section.name, server.name, server.counters['snd_error'])
            ...
            dns ns1 0
            dns ns2 0
        """
        from haproxyadmin import resolvers  # most programs do not need it
        return resolvers.list_all(self._sources())

    def resolvers_section(self, name):
        """Return one section ``resolvers``; see :meth:`resolvers`.

        :param name: its name.
        :type name: str
        :rtype: :class:`haproxyadmin.resolvers.ResolversSection`
        :raises ValueError: if no process has it; the message contains the nearest names.
        :raises haproxyadmin.exceptions.NotSupported: if the version of a process is too old.

        Usage::

            >>> hap.resolvers_section('dns').nameserver('ns1').counters['refused']
            0
        """
        from haproxyadmin import resolvers  # most programs do not need it
        return resolvers.find(self._sources(), name)

    def peers(self):
        """Return the sections ``peers`` of the configuration, in HAProxy's order.

        Sends one ``show peers`` to each process (management guide, "show peers"; HAProxy 2.0).

        :rtype: list of :class:`haproxyadmin.peers.PeersSection`
        :raises haproxyadmin.exceptions.NotSupported: if the version of a process is too old.
        :raises haproxyadmin.exceptions.HAProxySocketError: if a process cannot be reached.

        Usage::

            >>> for section in hap.peers():
            ...     for peer in section.peers():
            ...         print(section.name, peer.name, peer.is_connected)
            ...
            lbs lb2 True
            lbs lb1 True
        """
        from haproxyadmin import peers  # most programs do not need it
        return peers.list_all(self._sources())

    def peers_section(self, name):
        """Return one section ``peers``; see :meth:`peers`.

        :param name: its name.
        :type name: str
        :rtype: :class:`haproxyadmin.peers.PeersSection`
        :raises ValueError: if no process has it; the message contains the nearest names.
        :raises haproxyadmin.exceptions.NotSupported: if the version of a process is too old.

        Usage::

            >>> hap.peers_section('lbs').peer('lb1').is_connected
            True
        """
        from haproxyadmin import peers  # most programs do not need it
        return peers.find(self._sources(), name)

    # Sessions

    def sessions(self, server=None, backend=None, frontend=None, source=None, older_than=None,
                 younger_than=None):
        """Return the sessions that HAProxy serves at the moment.

        Sends ``show sess;show info`` to each process, concurrently (management guide, "show sess";
        level operator). The filters are applied here, because HAProxy has them from 3.2 on only; a
        session has to match all of them. Sessions of clients of stats sockets, as this object is
        one, are left out: those that HAProxy lists under the frontend ``GLOBAL`` without a backend.

        :param server: (optional) only those of this server: its name in any backend,
            ``'backend/server'``, or a :class:`haproxyadmin.server.Server`. Whether there is such a
            server is not checked.
        :param backend: (optional) only those of this backend.
        :type backend: str or :class:`haproxyadmin.backend.Backend`
        :param frontend: (optional) only those of this frontend.
        :type frontend: str or :class:`haproxyadmin.frontend.Frontend`
        :param source: (optional) only those of clients with this address, without a port, or in
            this network: ``'10.0.0.9'``, ``'10.0.0.0/8'``, ``'2001:db8::/32'``. A client that
            comes by IPv4 to a socket of IPv6 (``::ffff:10.0.0.9``) counts as one of IPv4.
        :type source: str
        :param older_than: (optional) only those that are at least so many seconds old.
        :param younger_than: (optional) only those that are not yet so many seconds old. A session
            whose age HAProxy does not know, see :attr:`haproxyadmin.sessions.Session.age`, matches
            neither.
        :return: in HAProxy's order, process by process.
        :rtype: list of :class:`haproxyadmin.sessions.Session`
        :raises ValueError: for a wrong filter; nothing is sent.
        :raises haproxyadmin.exceptions.CommandFailed: if the socket's level is too low.
        :raises haproxyadmin.exceptions.HAProxySocketError: if a process cannot be reached.

        Usage::

            >>> for session in hap.sessions(backend='backend_proc1', younger_than=60):
            ...     print(session.source, session.server)
            ...
            127.0.0.1 member1_proc1
        """
        from haproxyadmin import sessions  # most programs do not need it
        return sessions.list_all(self._sources(), server, backend, frontend, source, older_than,
                                 younger_than)

    def session(self, id, socket=None):
        """Return one session; see :meth:`sessions`, which this costs.

        :param id: its id, such as ``'0x7f9c15495c00'``, which is an address in the memory of its
            process.
        :type id: str
        :param socket: (optional) the address of its process, as ``session.socket_file`` shows it:
            several processes may have the same id.
        :type socket: str
        :rtype: haproxyadmin.sessions.Session
        :raises ValueError: if there is no such session, or if several processes have one.
        :raises haproxyadmin.exceptions.CommandFailed: if the socket's level is too low.

        Usage::

            >>> listed, = hap.sessions(backend='backend_proc1')
            >>> session = hap.session(listed.id, socket=listed.socket_file)
            >>> session == listed, session.server
            (True, 'member1_proc1')
        """
        from haproxyadmin import sessions  # most programs do not need it
        return sessions.find(self._sources(), id, socket)

    @takes_die
    def shutdown_sessions(self, server=None, backend=None, frontend=None, source=None,
                          older_than=None, younger_than=None, die=True):
        """End all sessions that match, in all processes.

        Lists the sessions as :meth:`sessions` does. With no other filters than ``server`` and
        ``backend`` it then sends ``shutdown sessions server`` for each server that a process has
        listed (management guide, "shutdown sessions server"), as
        :meth:`haproxyadmin.server.Server.shutdown` does. This also ends those that begin before the
        command arrives.

        With other filters, for sessions without a connection to a server, in former workers, and
        in versions where the command might freeze a session, it ends each by its id, as
        :meth:`haproxyadmin.sessions.Session.shutdown` does, eight with two exchanges. Those that
        begin meanwhile go on, and so do those that no longer match. Read there what may go wrong:
        where short requests come fast, prefer the former, or pass ``older_than``.

        All processes are concurrent; former workers take part if this object reads from them. A
        session without a known frontend, for instance between peers, is never ended. Nothing is
        ended anywhere if the sessions of one process cannot be listed. What was ended cannot be
        undone.

        :param server: (optional) see :meth:`sessions`, as for the others.
        :param backend: (optional) the name of a backend.
        :param frontend: (optional) the name of a frontend.
        :param source: (optional) an address or a network.
        :param older_than: (optional) a number of seconds.
        :param younger_than: (optional) a number of seconds.
        :return: how many sessions were ``ended`` (of servers: how many had been listed), and how
            many were ``gone``, or did not match any more, when it was their turn; ``left``, 0; and
            ``by_socket``, a list of ``(socket address, how many were ended)`` of the processes that
            had any. An exception has the same in its ``result``: ``left`` is then the number of
            those that were not ended, or perhaps not.
        :rtype: haproxyadmin.sessions.SessionsEnded
        :raises ValueError: for a wrong filter, and without any; nothing is sent.
        :raises haproxyadmin.exceptions.CommandFailed: if all processes refuse: the socket must have
            the level admin; or if a session cannot be told from a later one, see there.
        :raises haproxyadmin.exceptions.MultipleCommandResults: if some processes refuse.
        :raises haproxyadmin.exceptions.HAProxySocketError: if an answer is missing, for which see
            there, too, or a process cannot be reached.

        Usage::

            >>> hap.shutdown_sessions(server='member1_proc1', older_than=3600)
            SessionsEnded(ended=0, gone=0, left=0, by_socket=[])
        """
        from haproxyadmin import sessions  # most programs do not need it
        return sessions.end_all(self._sources(), server, backend, frontend, source, older_than,
                                younger_than)

    # Workers of a master

    def workers(self):
        """Return the workers of the masters, the current ones first.

        Sends one ``show proc`` to each master (management guide, "show proc").

        :rtype: list of :class:`haproxyadmin.workers.Worker`
        :raises ValueError: if this object was made without ``master=``.
        :raises haproxyadmin.exceptions.CommandFailed: if the socket's level is too low.
        :raises haproxyadmin.exceptions.HAProxySocketError: if a master cannot be reached.

        Usage::

            >>> from haproxyadmin import haproxy
            >>> hap = haproxy.HAProxy(master='/run/haproxy-master.sock')
            >>> for worker in hap.workers():
            ...     print(worker.current, worker.number, worker.reloads, worker.master)
            ...     print(worker.pid > 0, worker.uptime >= 0, worker.version == hap.version)
            ...
            True 1 0 /run/haproxy-master.sock
            True True True
        """
        from haproxyadmin.workers import Workers  # for a master only
        return Workers(self._search.masters).list()

    @takes_die
    def reload(self, timeout=30, interval=0.05, progress=None, die=True):
        """Reload HAProxy, and wait until the new workers answer.

        Sends ``reload`` to each master (management guide, "reload"), one after the other, and
        ``show proc`` until its workers are new ones, each of which is sent one ``show info``. If
        somebody else is reloading, it waits for the end of that first. If one master fails, those
        after it are not reloaded.

        :param timeout: (optional) seconds until the last worker must answer.
        :param interval: (optional) seconds between two looks.
        :param progress: (optional) a callable that gets an object with ``done`` and ``total``,
            numbers of masters, and ``what``, a text.
        :return: the workers before and after.
        :rtype: :class:`haproxyadmin.workers.ReloadResult`
        :raises ValueError: if this object was made without ``master=``.
        :raises haproxyadmin.exceptions.ReloadFailed: if HAProxy refuses its configuration; the old
            workers go on. From 2.8 on the message contains what HAProxy wrote.
        :raises haproxyadmin.exceptions.WaitTimeout: if the time is over; its ``result`` says how
            far it has come.
        :raises haproxyadmin.exceptions.HAProxySocketError: if there is no such master, or it may
            not be used.
        :raises haproxyadmin.exceptions.CommandFailed: if the socket's level is too low.

        Usage::

            >>> from haproxyadmin import haproxy
            >>> hap = haproxy.HAProxy(master='/run/haproxy-master.sock')
            >>> hap.reload()
            ReloadResult(succeeded=True, output='', old_pids=[4711], new_pids=[4723])
        """
        from haproxyadmin.workers import Workers  # for a master only
        return Workers(self._search.masters).reload_all(timeout, interval, progress)

    def snapshot(self):
        """Read everything at once, to answer from memory from then on.

        Sends ``show info;show stat -1 7 -1`` to each process, concurrently: one command line on one
        connection for each.

        :rtype: :class:`haproxyadmin.snapshot.Snapshot`
        :raises haproxyadmin.exceptions.HAProxySocketError: if a process cannot be reached.

        Usage::

            >>> snapshot = hap.snapshot()
            >>> backend = snapshot.backend('backend1_proc34')
            >>> [(server.name, server.status) for server in backend.servers()]
            [('bck1_proc34_srv1', 'UP'), ('bck1_proc34_srv2', 'UP'), ('bck_all_srv1', 'UP')]
        """
        return Snapshot(self._sources())

    @takes_die
    def wait_until(self, condition, timeout, interval=0.5, progress=None, die=True):
        """Wait until a condition is true for a fresh snapshot.

        Costs one :meth:`snapshot` each ``interval``.

        :param condition: a function that takes a :class:`haproxyadmin.snapshot.Snapshot`; its first
            true value ends the wait. What it raises ends it, too.
        :type condition: callable
        :param timeout: seconds until the deadline.
        :param interval: (optional) seconds between two looks.
        :param progress: (optional) a callable that gets an object with ``done`` and ``total``, 0 or
            1, and ``what``, a text.
        :return: that value.
        :raises haproxyadmin.exceptions.WaitTimeout: if the time is over; its ``result`` is what the
            function returned last.

        Usage::

            >>> hap.wait_until(lambda snapshot: snapshot.backend('backend_proc1').is_up, timeout=5)
            True
        """
        from haproxyadmin.internal.waiting import Wait, check_callable  # most programs do not wait
        check_callable('condition', condition)
        wait = Wait(timeout, interval, progress)
        return wait.until(lambda: condition(Snapshot(self._sources(), wait.deadline)),
                          'the condition {0} is true'.format(
                              getattr(condition, '__name__', repr(condition))))

    def watch(self, interval=1, timeout=None):
        """Return an iterator of what changes from now on: a server goes down, for example.

        The first look is this call. The iterator looks again each ``interval`` and yields what is
        not as it was at the look before. What changes and changes back between two looks is not
        noticed. A loop that takes longer misses nothing else: the next look is compared with the
        last one. Only the last look is kept in memory, and no connection.

        Each look costs one :meth:`snapshot`. A process that cannot be reached, in three attempts
        within ``timeout`` of this object, is itself a change, and all that it reported before
        counts until it answers again; the others are watched. Processes that join or leave by
        :meth:`refresh` are noticed at the next look. Former workers do not count.

        :param interval: (optional) seconds between two looks.
        :param timeout: (optional) seconds after the first look until the iterator ends; None for
            never.
        :rtype: iterator of :class:`haproxyadmin.watch.Change`
        :raises ValueError: for a wrong argument.
        :raises haproxyadmin.exceptions.HAProxySocketError: if a process cannot be reached at the
            first look; later, if descriptors or memory run out.

        Usage::

            >>> for change in hap.watch(interval=0.1, timeout=0.3):
            ...     print(change.name, change.field, change.before, change.after)
        """
        from haproxyadmin.watch import watch  # most programs do not need it
        return watch(lambda: members_to_change(self._found), interval, timeout)

    @takes_die
    def differences(self, maps=False, acls=False, certificates=False, die=True):
        """Return what is not the same in all processes, although they should be alike.

        Sends ``show info;show stat -1 7 -1`` to each process, concurrently, as :meth:`snapshot`
        does. Compared are the versions and limits of the processes; which frontends, backends and
        servers there are; their status, weight, address and limits; a server's cookie, the server
        that it tracks and whether it is a backup; mode and algorithm. Not compared are figures, the
        name and the description of a node, how many health checks are missing until a server counts
        as up or down, and the weight of a server during its slow start. Former workers do not
        count.

        Up to HAProxy 2.4 ``bind-process`` gives processes different proxies on purpose: then these
        are listed as missing.

        :param maps: (optional) True compares the entries of all maps, too. It sends ``show map`` to
            each process, and once more for each map.
        :type maps: bool
        :param acls: (optional) the same for ACLs. What has no file is compared by its id.
        :type acls: bool
        :param certificates: (optional) True compares the certificates, too (HAProxy 2.2, level
            operator). It sends ``show ssl cert`` to each process, and once more for each of them.
        :type certificates: bool
        :return: empty if all agree.
        :rtype: list of :class:`haproxyadmin.differences.Difference`
        :raises haproxyadmin.exceptions.CommandFailed: if HAProxy refuses.
        :raises haproxyadmin.exceptions.NotSupported: if it cannot show certificates because its
            version is too old.

        Usage::

            >>> difference = hap.differences()[0]
            >>> difference.kind, difference.name, difference.field
            ('frontend', 'haproxy-stats', 'exists')
            >>> difference.by_socket[:2]
            [('/run/haproxy/haproxy-1.sock', True), ('/run/haproxy/haproxy-2.sock', False)]
        """
        from haproxyadmin.internal.differences import find_differences  # for this alone
        return find_differences(members_to_change(self._found), maps, acls, certificates)

    # The state of servers

    def servers_state(self, backend=None):
        """Return the state of all servers, or of those of a backend, in each process.

        Sends one ``show servers state [BACKEND]`` (management guide, "show servers state"; HAProxy
        1.6) to each process. It contains servers of proxies that are disabled, too, and before 2.5
        those of HAProxy's own proxy ``MASTER``.

        :param backend: (optional) the name of a backend.
        :type backend: str
        :return: for each process, in HAProxy's order, a dict for each server: HAProxy's own text by
            the name of each column (``be_name``, ``srv_name``, ``srv_addr``, ``srv_port``,
            ``srv_uweight`` ...; ``'-'`` if there is none), ``process_nb`` and ``socket_file``.
        :rtype: list of dict
        :raises haproxyadmin.exceptions.CommandFailed: if no process has this backend.
        :raises haproxyadmin.exceptions.NotSupported: if the version of a process is too old.

        Usage::

            >>> [state['srv_uweight'] for state in hap.servers_state('backend_proc1')]
            ['100', '100', '100', '100']
        """
        from haproxyadmin.servers_state import read_states  # most programs do not need it
        return read_states(self._sources(), backend)

    @takes_die
    def save_servers_state(self, path, servers=None, socket=None, die=True):
        """Save the state of servers to a file, so that it survives a reload.

        The file is what ``load-server-state-from-file`` of HAProxy reads. Beside it, ``PATH.json``
        contains what that lacks: the maximum number of connections of each server, and the
        arguments of servers that :meth:`haproxyadmin.backend.Backend.add_server` added. Arguments
        that another program has saved there are kept as long as HAProxy has the server.

        Sends ``show info;show servers state;show stat -1 6 -1`` to each process (management guide,
        "show servers state"; HAProxy 1.6). Servers of proxies that are disabled are left out. Each
        file is written to the disk before it replaces the old one, whose owner and mode it keeps.

        :param path: the file, on this machine.
        :type path: str
        :param servers: (optional) the servers to save: objects, or texts ``'backend/server'``; by
            default all.
        :type servers: list
        :param socket: (optional) save only what the process on this socket has, an address as
            exceptions and ``by_socket`` show it.
        :type socket: str
        :return: True.
        :rtype: bool
        :raises ValueError: if there is no such server or socket, or ``PATH.json`` is malformed;
            nothing is written.
        :raises haproxyadmin.exceptions.IncosistentData: if processes differ in what is restored:
            addresses, ports, weights, states and other settings, but not figures. ``by_socket``
            contains what differs, by ``'backend/server'``.
        :raises haproxyadmin.exceptions.NotSupported: if the version of a process is too old.
        :raises OSError: if the files cannot be written (on Python 2, also :class:`IOError`).

        Usage::

            >>> hap.save_servers_state('/var/lib/haproxy/servers.state')
            True
        """
        from haproxyadmin.servers_state import save  # most programs do not need it
        return save(self._found, path, servers, socket)

    @takes_die
    def restore_servers_state(self, path, socket=None, timeout=5, interval=0.01, progress=None,
                              die=True):
        """Restore the state of servers that :meth:`save_servers_state` has saved.

        It restores addresses and ports, names for the resolvers, weights, the states ``maint``,
        ``drain`` and ``ready``, whether health and agent checks are enabled, the addresses and
        ports of checks and TLS (HAProxy 2.4; older versions do not report them), and, with
        ``PATH.json``, the maximum number of connections and missing servers that were added. The
        file takes precedence over a configuration that has changed since, except for weights that
        had been the configured ones. A setting that is right already costs nothing.

        A server whose address or port is wrong is put into maintenance first, before any address is
        set, and gets its state once HAProxy shows the address. If that fails, it stays in
        maintenance. The address of a server with a name is left to the resolvers. If this call is
        interrupted, servers stay in maintenance; call it again.

        Sends the command of :meth:`save_servers_state` to each process, and then, one after the
        other in each process and to all processes concurrently, a command for each setting that
        differs, ``show servers state`` if addresses were set, and last ``show info``. If a process
        is replaced meanwhile, the new one is restored, too.

        :param path: the file, also one that HAProxy's reply was written to.
        :type path: str
        :param socket: (optional) restore only the process on this socket; see
            :meth:`save_servers_state`.
        :type socket: str
        :param timeout: (optional) seconds until HAProxy must show the addresses that were set.
        :param interval: (optional) seconds between two looks.
        :param progress: (optional) a callable that gets an object with ``done`` and ``total``,
            numbers of processes, and ``what``, a text.
        :return: what could not be restored, empty if everything was.
        :rtype: list of :class:`haproxyadmin.servers_state.NotRestored`
        :raises ValueError: if there is no such socket, or a file is malformed; the message contains
            the line. Nothing is sent.
        :raises haproxyadmin.exceptions.NotSupported: if the version of a process is too old.
        :raises haproxyadmin.exceptions.HAProxySocketError: if a process cannot be reached; the
            others are restored, ``results`` and ``by_socket`` contain what could not be.
        :raises OSError: if the file cannot be read (on Python 2 :class:`IOError`).

        Usage::

            >>> hap.save_servers_state('/var/lib/haproxy/servers.state')
            True
            >>> hap.restore_servers_state('/var/lib/haproxy/servers.state')
            []
        """
        from haproxyadmin.servers_state import restore  # most programs do not need it
        return restore(self._found, path, socket, timeout, interval, progress)

    # Settings of the processes

    @changes
    def setmaxconn(self, value, die=True):
        """Set the maximum number of connections of each process.

        Sends ``set maxconn global`` (management guide, "set maxconn global") to each process.
        HAProxy refuses a value above the configured limit.

        :param value: 0 to 2147483647, for each process; :attr:`maxconn` is the sum. To HAProxy, 0
            stands for the configured limit.
        :type value: int
        :raises ValueError: for any other value; nothing is sent.

        Usage::

            >>> hap.setmaxconn(5000)
            True
            >>> hap.maxconn
            20000
        """
        return self._change(lambda process: commands.set_maxconn_global(value))

    @changes
    def setratelimitconn(self, value, die=True):
        """Set the maximum number of connections per second of each process.

        Sends ``set rate-limit connections global`` (management guide, "set rate-limit").

        :param value: 0 to 2147483647, for each process; 0 for no limit.
        :type value: int
        :raises ValueError: for any other value; nothing is sent.

        Usage::

            >>> hap.setratelimitconn(100)
            True
            >>> hap.ratelimitconn
            400
        """
        return self._change(lambda process: commands.set_rate_limit('connections', value))

    @changes
    def setratelimitsess(self, value, die=True):
        """Set the maximum number of sessions per second of each process.

        Sends ``set rate-limit sessions global`` (management guide, "set rate-limit").

        :param value: 0 to 2147483647, for each process; 0 for no limit.
        :type value: int
        :raises ValueError: for any other value; nothing is sent.

        Usage::

            >>> hap.setratelimitsess(100)
            True
            >>> hap.ratelimitsess
            400
        """
        return self._change(lambda process: commands.set_rate_limit('sessions', value))

    @changes
    def setratelimitsslsess(self, value, die=True):
        """Set the maximum number of SSL sessions per second of each process.

        Sends ``set rate-limit ssl-sessions global`` (management guide, "set rate-limit"). HAProxy
        refuses if it was built without SSL.

        :param value: 0 to 2147483647, for each process; 0 for no limit.
        :type value: int
        :raises ValueError: for any other value; nothing is sent.

        Usage::

            >>> hap.setratelimitsslsess(100)
            True
            >>> hap.ratelimitsslsess
            400
        """
        return self._change(lambda process: commands.set_rate_limit('ssl-sessions', value))

    @changes
    def clearcounters(self, all=False, die=True):
        """Reset the maximum values.

        Sends ``clear counters`` (management guide, "clear counters") to each process.

        :param all: (optional) True resets every counter of every proxy and server (``clear counters
            all``). HAProxy 3.3 and 3.4.0 crash soon after it; there it is refused, and nothing is
            sent to any process.
        :type all: bool

        Usage::

            >>> hap.clearcounters(all=True)
            True
            >>> hap.requests
            0
        """
        return self._change(lambda process: commands.clear_counters(
            all, process.version if all else None))

    # Any command

    @takes_die
    def command(self, cmd, die=True):
        """Send a command line to each process, unchanged.

        Nothing is escaped and no reply is judged. A command that only reads (``show ...``) is
        repeated after a failure, any other only while HAProxy has certainly not received it. For
        each ``wait DELAY`` in the line (HAProxy 3.0) HAProxy may stay silent for that much longer.

        :param cmd: what HAProxy's command line accepts; further lines only as the payload of a
            first line that ends in ``" <<"``.
        :type cmd: str
        :return: list of ``(process number, lines of the reply)``; ``['']`` for an empty reply.
        :rtype: list of tuple
        :raises ValueError: for what crashes HAProxy or leaves it waiting; through a master, also
            for what would not reach the worker as it is: commands that begin with ``@``, ``quit``,
            ``prompt``, ``user``, ``operator``, ``wait``, and a ``<<`` that announces no payload.
            Nothing is sent.

        Usage::

            >>> hap.command('show cli level')[0]
            (1, ['admin'])
        """
        reads = commands.only_shows(commands.check_raw(cmd))
        return self._numbered(lambda process: process.raw_operation(cmd, full_output=True),
                              self._sources() if reads else members_to_change(self._found))

    @takes_die
    def errors(self, iid=None, die=True):
        """Return the last request and response that each process could not parse.

        Sends ``show errors`` (management guide, "show errors"), which a socket of level ``user``
        refuses.

        :param iid: (optional) only those of the frontend or backend with this id; 0 for all.
        :type iid: int
        :return: list of ``(process number, lines of the report)``.
        :rtype: list of tuple
        :raises ValueError: if the id is not an integer; nothing is sent.
        :raises haproxyadmin.exceptions.CommandFailed: if HAProxy refuses.

        Usage::

            >>> number, lines = hap.errors()[0]
            >>> number, lines[0]
            (1, 'Total events captured on ...')
        """
        return self._numbered(lambda process: process.errors_operation(iid), self._sources())

    def _numbered(self, build, processes):
        """Return the process number and the value of what is built for each process."""
        return [(process.process_nb, value) for process, value in read_pairs(processes, build)]

    def _sources(self):
        """Return the processes to read; asks masters if former workers are to be read, too."""
        found = self._found
        sources = self._search.with_former(found)
        # Another thread may have called refresh() meanwhile.
        if sources is not found and self._found is found:
            self._found = sources
        return sources

    def _change(self, build):
        """Send each process the command that is built for it.

        :param build: see :func:`haproxyadmin.internal.calls.prepare`.
        """
        return change_each(self._found, lambda process: process.change_operation(build(process)))


def __dir__():
    """List what is public; has an effect from Python 3.7 on."""
    return sorted(__all__)
