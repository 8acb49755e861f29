# SPDX-License-Identifier: Apache-2.0
"""Read a backend's statistics and its servers."""
from haproxyadmin.combine import find_by_name
from haproxyadmin.exceptions import NoSuchObject
from haproxyadmin.facade import Facade
from haproxyadmin.internal.grouping import read_members
from haproxyadmin.methods import changes_all_or_none, waits
from haproxyadmin.parsers import stats
from haproxyadmin.protocol.metrics import BACKEND_METRICS
from haproxyadmin.protocol.words import to_native
from haproxyadmin.server import Server, Servers, servers_of

__all__ = ['BACKEND_METRICS', 'Backend']


class Backend(Facade):
    """A backend over all HAProxy processes that have it.

    :param backend_per_proc: the backend in each process.
    :type backend_per_proc: list of :class:`haproxyadmin.internal._Backend`

    Two backends are equal if their names are; a backend equals the text of its name.

    Every read sends one ``show stat IID TYPE SID`` (management guide, "show stat") to each process,
    concurrently. It raises a :class:`haproxyadmin.exceptions.HAProxySocketError` if a process
    cannot be reached, and a :class:`KeyError` if a process no longer has the backend. The status
    must be the same in all processes; it raises :class:`haproxyadmin.exceptions.IncosistentData` if
    it differs.

    It is also a container of its servers: it has a length, and can be iterated over and be asked
    for a server by its name. Each of these sends one ``show stat`` to each process (``list()`` two,
    because Python asks for the length, too; :meth:`servers` returns a list for one). A backend
    without servers is true nevertheless.

    Usage::

        >>> backend = hap.backend('backend_proc1')
        >>> len(backend)
        4
        >>> [server.name for server in backend]
        ['member1_proc1', 'member2_proc1', 'bck_all_srv1', 'member_bkall']
        >>> 'member_bkall' in backend
        True
        >>> backend['member_bkall'].weight
        100
    """

    _METRICS = BACKEND_METRICS

    def __init__(self, backend_per_proc):
        super(Backend, self).__init__(backend_per_proc)

    @property
    def iid(self):
        """The proxy id in the first process (``iid`` of ``show stat``).

        :rtype: int

        Usage::

            >>> hap.backend('backend1_proc34').iid
            11
        """
        return self._first('iid')

    @property
    def is_up(self):
        """True if its status is ``'UP'`` in every process.

        :rtype: bool
        """
        return all(map(stats.is_up, self._fields('status')))

    def server(self, name):
        """Return one server; sends one ``show stat`` to each process.

        :param name: its name.
        :type name: str
        :rtype: :class:`haproxyadmin.server.Server`
        :raises ValueError: if the backend has no server with this name.

        Usage::

            >>> hap.backend('backend1_proc34').server('bck_all_srv1').weight
            100
        """
        return self._find(name, self.servers())

    def _find(self, name, servers):
        return find_by_name(servers, 'server', name, ' in backend {0!r}'.format(self.name))

    def servers(self, name=None):
        """Return the servers, in HAProxy's order; sends one ``show stat`` to each process.

        :param name: (optional) only the one with this name; if there is none, the list is empty.
        :type name: str
        :rtype: list of :class:`haproxyadmin.server.Server`
        """
        listings = read_members(self._found, lambda member: member.servers_operation())
        return Servers(servers_of([listing.of(name) for listing in listings]))

    def __len__(self):
        """Return the number of its servers; sends one ``show stat`` to each process.

        :rtype: int
        """
        return len(self.servers())

    def __bool__(self):
        """Return True, even if it has no server.

        :rtype: bool
        """
        return True

    __nonzero__ = __bool__

    def __iter__(self):
        """Iterate over its servers; sends one ``show stat`` to each process.

        :rtype: iterator of :class:`haproxyadmin.server.Server`
        """
        return iter(self.servers())

    # It has no order to go back from: backend[0] is not its first server.
    __reversed__ = None

    def __contains__(self, server):
        """Return whether it has a server; sends one ``show stat`` to each process.

        :param server: a name or a :class:`haproxyadmin.server.Server`.
        :rtype: bool
        """
        return to_native(server) in self.servers()

    def __getitem__(self, name):
        """Return one server; sends one ``show stat`` to each process.

        :param name: its name.
        :type name: str
        :rtype: :class:`haproxyadmin.server.Server`
        :raises KeyError: if the backend has no server with this name.
        """
        servers = self.servers()
        try:
            return self._find(name, servers)
        except ValueError as error:
            message = str(error)
        raise NoSuchObject(name, message)

    @changes_all_or_none
    def add_server(self, name, address, weight=None, check=False, ready=True, die=True, **keywords):
        """Add a server (management guide, "add server"; HAProxy 2.4).

        Sends ``add server BACKEND/NAME ADDRESS ...`` to each process and, once all have added it,
        ``enable health``, ``set server ... state ready`` and ``enable agent`` on one line, as far
        as they are needed; and a ``show info`` before and after that. If a process refuses, the
        server is deleted in the others. HAProxy does not apply ``default-server`` to it, refuses a
        static load balancing algorithm, and forgets the server at a reload; see
        :meth:`haproxyadmin.haproxy.HAProxy.save_servers_state`. 2.4 and 2.5 mark a process in which
        this was done as tainted, because it was experimental.

        :param name: the name of the server.
        :type name: str
        :param address: an IP address and port, ``'10.0.0.1:80'`` or ``'[::1]:80'``, or
            ``'unix@PATH'``. HAProxy does not resolve names here.
        :type address: str
        :param weight: (optional) 0 to 256.
        :type weight: int
        :param check: (optional) True to check its health (HAProxy 2.6). Until the first checks it
            is up; to wait for them, call :meth:`haproxyadmin.server.Server.bringback`.
        :type check: bool
        :param ready: (optional) False to leave it in maintenance. Then its agent checks remain
            disabled, too: after that, :meth:`haproxyadmin.server.Server.enable_agent` is up to you.
        :type ready: bool
        :param keywords: any other keywords of a ``server`` line, with ``_`` for ``-``: text, a
            number, a tuple of several words, or True for a keyword without a value. Which of them
            HAProxy accepts depends on its version.
        :return: the server.
        :rtype: haproxyadmin.server.Server
        :raises ValueError: for what is not an address, weight or keyword, for a number that HAProxy
            would read as another one, and if ``check`` or ``ready`` is not True or False; nothing
            is sent.

        Usage::

            >>> backend = hap.backend('backend_proc1')
            >>> backend.add_server('web9', '10.0.0.9:80', weight=50, check=True, inter='2s')
            Server('web9', backend='backend_proc1', processes=[1])
        """
        from haproxyadmin.internal.dynamic import Addition  # most programs do not need it
        addition = Addition(name, address, weight, check, ready, keywords)
        return Server(addition.add(self._live()), self.name)

    @waits
    def del_server(self, name, timeout=30, interval=0.5, progress=None, die=True):
        """Delete a server: maintenance, idle, deleted (management guide, "del server").

        HAProxy 2.4 only deletes servers that were added; from 2.6 on also others, unless something
        refers to them. If the first process refuses to delete it, the server is as before in all of
        them. When the time is over, it stays in maintenance, its agent checks stay disabled, and
        ``not_undone`` of the exception lists the sockets where it is deleted already. There is no
        drain: to let persistent clients finish, call :meth:`haproxyadmin.server.Server.takeout`
        before.

        Costs what :meth:`haproxyadmin.server.Server.takeout` costs, and ``disable agent`` and ``del
        server``.

        :param name: the name of the server.
        :type name: str
        :return: True.
        :rtype: bool
        :raises ValueError: if the backend has no server with this name.
        :raises haproxyadmin.exceptions.CommandFailed: if HAProxy refuses, or another server tracks
            it. ``not_undone`` lists the sockets of processes in which it is deleted nevertheless.

        Usage::

            >>> hap.backend('backend_proc1').del_server('web9')
            True
        """
        from haproxyadmin.internal.dynamic import delete  # most programs do not need it
        from haproxyadmin.internal.waiting import Wait
        wait = Wait(timeout, interval, progress)
        delete(self.server(name)._live(), wait)
        return True


def __dir__():
    """List what is public; has an effect from Python 3.7 on."""
    return sorted(__all__)
