# SPDX-License-Identifier: Apache-2.0
"""The way into haproxyadmin: HAProxy as a whole, over all its processes."""

from haproxyadmin.internal import entries, facade, patterns
from haproxyadmin.internal.haproxy import find_processes
from haproxyadmin.protocol import commands
from haproxyadmin.protocol.commands import (STATE_DISABLE, STATE_DRAIN, STATE_ENABLE, STATE_MAINT,
                                            STATE_READY, VALID_STATES)
from haproxyadmin.protocol.metrics import (BACKEND_METRICS, FRONTEND_METRICS, HAPROXY_METRICS,
                                           SERVER_METRICS)
from haproxyadmin.snapshot import Reading, Snapshot
from haproxyadmin.utils import should_die

__all__ = ['BACKEND_METRICS', 'FRONTEND_METRICS', 'HAPROXY_METRICS', 'HAProxy', 'SERVER_METRICS',
           'STATE_DISABLE', 'STATE_DRAIN', 'STATE_ENABLE', 'STATE_MAINT', 'STATE_READY',
           'VALID_STATES']


class HAProxy(Reading):
    """HAProxy, over all processes whose stats sockets are found.

    Constructing sends one ``show info`` to each socket, all at the same time.

    :param socket_dir: (optional) a directory with the stats sockets; wins over ``socket_file``.
        Names that begin with a dot are not tried, nor those that HAProxy uses only while it binds.
    :type socket_dir: str
    :param socket_file: (optional) the only stats socket.
    :type socket_file: str
    :param retry: (optional) how often a failed exchange is tried again: None for never, 0 without
        end. A change is repeated only while HAProxy has certainly not received it.
    :type retry: int or None
    :param retry_interval: (optional) seconds between two tries.
    :param timeout: (optional) seconds that connecting and each silence of HAProxy may last, None
        for any time.
    :raises haproxyadmin.exceptions.NoHAProxyFound: if no socket answers as HAProxy; the message
        lists each candidate and the reason, ``cause`` is the precise exception of the first.
    :raises ValueError: if neither a directory nor a file is given, and for a wrong argument.

    An empty name, or any false value, counts as not given. A relative path is made absolute, so
    that ``os.chdir()`` does no harm, unless it is then longer than the 107 bytes that an address of
    a Unix socket may have.

    **Freshness.** Every property and method asks HAProxy again, each process with one command, all
    processes at the same time. What is kept says which rows to ask for; no figure is answered
    from it. An id that has moved costs a process one command more, and so does a refusal for lack
    of level, and the first list that is empty or has a proxy named ``-1``. What depends on the
    version of HAProxy (text that is escaped, deleting from ACLs and MAPs, a server's address) sends
    a ``show info`` first when the last one was more than a second ago, or an exchange has failed
    since.

    **Upgrades.** The object works with whatever answers on its sockets. When one process takes over
    the sockets of several, they count as one as soon as a ``show info`` shows it, also in the
    frontends, backends and servers made before; and as several when it is replaced by several.

    **Errors.** A wrong argument is a :class:`ValueError`, and nothing was sent. What HAProxy
    refuses is a :class:`haproxyadmin.exceptions.CommandFailed` with its words. A change goes to
    every process, also when one refuses: when they disagree it is a
    :class:`haproxyadmin.exceptions.MultipleCommandResults`, whose ``results`` and ``by_socket``
    tell who said what. A process that cannot be talked to is a
    :class:`haproxyadmin.exceptions.HAProxySocketError`, with the same two attributes.

    Usage::

        >>> from haproxyadmin import haproxy
        >>> hap = haproxy.HAProxy(socket_dir='/run/haproxy')
        >>> for frontend in hap.frontends():
        ...     print(frontend.name, frontend.requests, frontend.process_nb)
    """

    _left_out = ()

    def __init__(self, socket_dir=None, socket_file=None, retry=2, retry_interval=2, timeout=1):
        self._processes, self._left_out = find_processes(
            socket_dir, socket_file, retry, retry_interval, timeout)

    @property
    def left_out(self):
        """The sockets that did not answer as HAProxy when this object was made, by socket file.

        They are not asked again. Other files of the directory are not among them; neither is a
        second socket of the same process.

        :return: list of ``(socket file, exception)``, empty if all answered.
        :rtype: list of tuple

        Usage::

            >>> hap.left_out
            []
        """
        return list(self._left_out)

    def snapshot(self):
        """Read everything at once, and answer from memory from then on.

        Sends ``show info;show stat -1 7 -1`` to each process, all at the same time: one command
        line and one connection for each.

        :rtype: :class:`haproxyadmin.snapshot.Snapshot`
        :raises haproxyadmin.exceptions.HAProxySocketError: when a process cannot be talked to.

        Usage::

            >>> snapshot = hap.snapshot()
            >>> for backend in snapshot.backends():
            ...     for server in backend.servers():
            ...         print(backend.name, server.name, server.requests)
        """
        return Snapshot(self._found)

    # Settings of the processes

    @should_die
    def setmaxconn(self, value, die=True):
        """Set how many connections each process allows (``set maxconn global``).

        :param value: 0 to 2147483647, for each process; :attr:`maxconn` is the sum. HAProxy takes 0
            for the configured limit.
        :type value: int
        :param die: (optional) False returns False in place of raising.
        :type die: bool
        :return: True.
        :rtype: bool
        :raises ValueError: for any other value; nothing is sent.
        :raises haproxyadmin.exceptions.CommandFailed: when all processes refuse, for instance a
            value above the configured limit.
        :raises haproxyadmin.exceptions.MultipleCommandResults: when some do.

        Usage::

            >>> hap.setmaxconn(5000)
            True
            >>> hap.maxconn
            20000
        """
        return self._change(lambda process: commands.set_maxconn_global(value))

    @should_die
    def setratelimitconn(self, value, die=True):
        """Set how many connections a second each process allows (``set rate-limit connections``).

        :param value: 0 to 2147483647, for each process; 0 for any number.
        :type value: int
        :param die: (optional) False returns False in place of raising.
        :type die: bool
        :return: True.
        :rtype: bool
        :raises ValueError: for any other value; nothing is sent.
        :raises haproxyadmin.exceptions.CommandFailed: when all processes refuse.
        :raises haproxyadmin.exceptions.MultipleCommandResults: when some do.
        """
        return self._change(lambda process: commands.set_rate_limit('connections', value))

    @should_die
    def setratelimitsess(self, value, die=True):
        """Set how many sessions a second each process allows (``set rate-limit sessions``).

        :param value: 0 to 2147483647, for each process; 0 for any number.
        :type value: int
        :param die: (optional) False returns False in place of raising.
        :type die: bool
        :return: True.
        :rtype: bool
        :raises ValueError: for any other value; nothing is sent.
        :raises haproxyadmin.exceptions.CommandFailed: when all processes refuse.
        :raises haproxyadmin.exceptions.MultipleCommandResults: when some do.
        """
        return self._change(lambda process: commands.set_rate_limit('sessions', value))

    @should_die
    def setratelimitsslsess(self, value, die=True):
        """Set how many SSL sessions a second each process allows (``set rate-limit ssl-sessions``).

        :param value: 0 to 2147483647, for each process; 0 for any number.
        :type value: int
        :param die: (optional) False returns False in place of raising.
        :type die: bool
        :return: True.
        :rtype: bool
        :raises ValueError: for any other value; nothing is sent.
        :raises haproxyadmin.exceptions.CommandFailed: when all processes refuse, for instance a
            HAProxy without SSL.
        :raises haproxyadmin.exceptions.MultipleCommandResults: when some do.
        """
        return self._change(lambda process: commands.set_rate_limit('ssl-sessions', value))

    @should_die
    def clearcounters(self, all=False, die=True):
        """Set the highest values seen back to 0 (``clear counters``).

        :param all: (optional) True sets every counter of every proxy and server back to 0
            (``clear counters all``). Not on HAProxy 3.3 and 3.4.0, which crash soon after it.
        :type all: bool
        :param die: (optional) False returns False in place of raising.
        :type die: bool
        :return: True.
        :rtype: bool
        :raises haproxyadmin.exceptions.CommandFailed: when all processes refuse, or when all
            counters are to be cleared and one process would crash; nothing is sent then.
        :raises haproxyadmin.exceptions.MultipleCommandResults: when some do.
        """
        return self._change(lambda process: commands.clear_counters(
            all, process.version if all else None))

    # Any command

    @should_die
    def command(self, cmd, die=True):
        """Send each process a command line as it is.

        Nothing is escaped and no reply is judged. A command that only reads (``show ...``) is
        tried again after a failure, any other only while HAProxy has certainly not received it.
        For each ``wait DELAY`` of the line (3.0) HAProxy may stay silent for that much longer.

        :param cmd: what HAProxy's command line takes; further lines only as the payload of a first
            line that ends in ``" <<"``.
        :type cmd: str
        :param die: (optional) False returns False in place of raising.
        :type die: bool
        :return: list of ``(process number, lines of the reply)``; ``['']`` for an empty reply.
        :rtype: list of tuple
        :raises ValueError: for what crashes HAProxy or leaves it waiting; nothing is sent.
        """
        return self._numbered(lambda process: process.ask_raw(cmd, full_output=True))

    @should_die
    def errors(self, iid=None, die=True):
        """Return the last request and response that each process could not parse.

        Sends ``show errors``, which a socket of level ``user`` refuses.

        :param iid: (optional) only those of the frontend or backend of this id; 0 for all.
        :type iid: int
        :param die: (optional) False returns False in place of raising.
        :type die: bool
        :return: list of ``(process number, lines of the report)``.
        :rtype: list of tuple
        :raises ValueError: when the id is no integer; nothing is sent.
        :raises haproxyadmin.exceptions.CommandFailed: when HAProxy refuses.
        """
        return self._numbered(
            lambda process: process.ask_errors(commands.show_errors(iid, process.marks_ids)))

    # ACLs and MAPs

    @should_die
    def show_acl(self, aclid=None, acl=None, die=True):
        """Return the ACLs, or the entries of one, as the first process has them.

        Sends ``show acl`` to the first process only: references differ between processes.

        :param aclid: (optional) the ACL's id, or the file that it was loaded from.
        :type aclid: int or str
        :param acl: (optional) the same, under the name that the other methods use.
        :type acl: int or str
        :param die: (optional) False returns False in place of raising.
        :type die: bool
        :return: without an id a heading and a line for each ACL; with one a line for each entry:
            its reference and its pattern. Empty for an ACL without entries.
        :rtype: list of str
        :raises ValueError: for what is no id and no file; nothing is sent.
        :raises haproxyadmin.exceptions.CommandFailed: when HAProxy refuses.

        Usage::

            >>> hap.show_acl(6)
            ['0x12ea940 /static/css/']
        """
        return self._listing('acl', acl if aclid is None else aclid)

    @should_die
    def get_acl(self, acl, value, die=True):
        """Look a value up in an ACL, in the first process.

        :param acl: its id, or the file that it was loaded from.
        :type acl: int or str
        :param value: what to look up.
        :type value: str, number, UUID, or address or network of :mod:`ipaddress`
        :param die: (optional) False returns False in place of raising.
        :type die: bool
        :return: what HAProxy found (``get acl``).
        :rtype: str
        :raises ValueError: for what HAProxy cannot take; nothing is sent.
        :raises haproxyadmin.exceptions.CommandFailed: when HAProxy refuses.

        Usage::

            >>> hap.get_acl(4, '/static/js/')
            'type=beg, case=sensitive, match=yes, idx=tree, pattern="/static/js/"'
        """
        return self._match('acl', acl, value)

    @should_die
    def add_acl(self, acl, pattern, die=True):
        """Add an entry to an ACL in all processes (``add acl``), also when it is there already.

        :param acl: its id, or the file that it was loaded from.
        :type acl: int or str
        :param pattern: the entry; stored as it is, whatever is in it.
        :type pattern: str, number, UUID, or address or network of :mod:`ipaddress`
        :param die: (optional) False returns False in place of raising.
        :type die: bool
        :return: True.
        :rtype: bool
        :raises ValueError: for what HAProxy cannot take; nothing is sent.
        :raises haproxyadmin.exceptions.CommandFailed: when all processes refuse.
        :raises haproxyadmin.exceptions.MultipleCommandResults: when some do.

        Usage::

            >>> hap.add_acl(6, '/foobar')
            True
        """
        return self._patterns('add', 'acl', acl, pattern)

    @should_die
    def del_acl(self, acl, key, die=True):
        """Delete all entries of a key from an ACL in all processes (``del acl``).

        :param acl: its id, or the file that it was loaded from.
        :type acl: int or str
        :param key: the entry, or its reference ``'0x...'`` as :meth:`show_acl` tells it. A
            reference is looked up first, which takes a listing of each process, and used only
            when it stands for the same entry in all; where it stands for none, it is a key.
        :type key: str, number, UUID, or address or network of :mod:`ipaddress`
        :param die: (optional) False returns False in place of raising.
        :type die: bool
        :return: True.
        :rtype: bool
        :raises ValueError: for what HAProxy cannot take; nothing is sent.
        :raises haproxyadmin.exceptions.CommandFailed: when all processes refuse, or when a
            reference is not the same entry in all; nothing is changed then.
        :raises haproxyadmin.exceptions.MultipleCommandResults: when some refuse.

        Usage::

            >>> hap.del_acl(6, '/foobar')
            True
        """
        return self._entry('del', 'acl', acl, key)

    @should_die
    def clear_acl(self, acl, die=True):
        """Delete all entries of an ACL in all processes (``clear acl``).

        :param acl: its id, or the file that it was loaded from.
        :type acl: int or str
        :param die: (optional) False returns False in place of raising.
        :type die: bool
        :return: True.
        :rtype: bool
        :raises ValueError: for what is no id and no file; nothing is sent.
        :raises haproxyadmin.exceptions.CommandFailed: when all processes refuse.
        :raises haproxyadmin.exceptions.MultipleCommandResults: when some do.
        """
        return self._patterns('clear', 'acl', acl)

    @should_die
    def add_acl_entries(self, acl, patterns, die=True):
        """Add many entries to an ACL in all processes, in batches of ``add acl``.

        :param acl: its id, or the file that it was loaded from.
        :type acl: int or str
        :param patterns: the entries; see :meth:`add_acl`; read as they are sent, so
            that any number of them takes little memory.
        :type patterns: iterable
        :param die: (optional) False returns False in place of raising.
        :type die: bool
        :return: True.
        :rtype: bool
        :raises ValueError: for an entry that HAProxy cannot take; the message tells which one, and
            how many before it were sent. Their account is in its ``failures``, ``results`` and
            ``by_socket``, as in those of any exception of the iterable that accepts attributes.
        :raises haproxyadmin.exceptions.EntriesFailed: when processes refuse entries; its
            ``failures`` tell which, where, and in which words. The others are done.
        :raises haproxyadmin.exceptions.HAProxySocketError: when a process cannot be talked to any
            more; ``failures`` tell the entries of which it is not known, or that were not sent,
            at which it ended. The other processes are done.
        """
        return self._many('add', 'acl', acl, patterns)

    @should_die
    def del_acl_entries(self, acl, keys, die=True):
        """Delete many entries from an ACL in all processes, in batches of ``del acl``.

        HAProxy serves nobody while it deletes. Before 2.4 each command deletes one key, from then
        on as many as take a twentieth of a second, 12 at most. References cost each process one
        listing for every 2048 entries.

        :param acl: its id, or the file that it was loaded from.
        :type acl: int or str
        :param keys: entries or references; see :meth:`del_acl`; read as they are sent,
            so that any number of them takes little memory.
        :type keys: iterable
        :param die: (optional) False returns False in place of raising.
        :type die: bool
        :return: True.
        :rtype: bool
        :raises ValueError: for an entry that HAProxy cannot take; the message tells which one, and
            how many before it were sent. Their account is in its ``failures``, ``results`` and
            ``by_socket``, as in those of any exception of the iterable that accepts attributes.
        :raises haproxyadmin.exceptions.EntriesFailed: when processes refuse entries; its
            ``failures`` tell which, where, and in which words. The others are done.
        :raises haproxyadmin.exceptions.HAProxySocketError: when a process cannot be talked to any
            more; ``failures`` tell the entries of which it is not known, or that were not sent,
            at which it ended. The other processes are done.
        """
        return self._many('del', 'acl', acl, keys)

    @should_die
    def show_map(self, mapid=None, map=None, die=True):
        """Return the MAPs, or the entries of one, as the first process has them.

        Sends ``show map`` to the first process only: references differ between processes.

        :param mapid: (optional) the MAP's id, or the file that it was loaded from.
        :type mapid: int or str
        :param map: (optional) the same.
        :type map: int or str
        :param die: (optional) False returns False in place of raising.
        :type die: bool
        :return: without an id a heading and a line for each MAP; with one a line for each entry:
            its reference, its key and its value. Empty for a MAP without entries. An entry that a
            request has put there may hold newlines.
        :rtype: list of str
        :raises ValueError: for what is no id and no file; nothing is sent.
        :raises haproxyadmin.exceptions.CommandFailed: when HAProxy refuses.

        Usage::

            >>> hap.show_map(0)
            ['0x1a78ab0 0 www.foo.com-0', '0x1a78b20 1 www.foo.com-1']
        """
        return self._listing('map', map if mapid is None else mapid)

    @should_die
    def get_map(self, mapid, value, die=True):
        """Look a key up in a MAP, in the first process.

        :param mapid: its id, or the file that it was loaded from.
        :type mapid: int or str
        :param value: the key to look up.
        :type value: str, number, UUID, or address or network of :mod:`ipaddress`
        :param die: (optional) False returns False in place of raising.
        :type die: bool
        :return: what HAProxy found (``get map``).
        :rtype: str
        :raises ValueError: for what HAProxy cannot take; nothing is sent.
        :raises haproxyadmin.exceptions.CommandFailed: when HAProxy refuses.

        Usage::

            >>> hap.get_map(0, '11')
            'type=str, case=sensitive, found=yes, idx=tree, key="11", value="new2", type="str"'
        """
        return self._match('map', mapid, value)

    @should_die
    def add_map(self, mapid, key, value, die=True):
        """Add an entry to a MAP in all processes (``add map``), also when the key is there already.

        :param mapid: its id, or the file that it was loaded from.
        :type mapid: int or str
        :param key: the key; stored as it is, whatever is in it.
        :type key: str, number, UUID, or address or network of :mod:`ipaddress`
        :param value: the value; stored as it is, blanks included.
        :type value: str, number, UUID, or address or network of :mod:`ipaddress`
        :param die: (optional) False returns False in place of raising.
        :type die: bool
        :return: True.
        :rtype: bool
        :raises ValueError: for what HAProxy cannot take; nothing is sent.
        :raises haproxyadmin.exceptions.CommandFailed: when all processes refuse.
        :raises haproxyadmin.exceptions.MultipleCommandResults: when some do.

        Usage::

            >>> hap.add_map(0, '9', 'foo')
            True
        """
        return self._patterns('add', 'map', mapid, key, value)

    @should_die
    def set_map(self, mapid, key, value, die=True):
        """Set the value of all entries of a key in a MAP, in all processes (``set map``).

        :param mapid: its id, or the file that it was loaded from.
        :type mapid: int or str
        :param key: the key, or the reference ``'0x...'`` of one entry as :meth:`show_map` tells
            it. A reference is looked up first, which takes a listing of each process, and used
            only when it stands for the same entry in all; where it stands for none, it is a key.
        :type key: str, number, UUID, or address or network of :mod:`ipaddress`
        :param value: the value; stored as it is, blanks included.
        :type value: str, number, UUID, or address or network of :mod:`ipaddress`
        :param die: (optional) False returns False in place of raising.
        :type die: bool
        :return: True.
        :rtype: bool
        :raises ValueError: for what HAProxy cannot take; nothing is sent.
        :raises haproxyadmin.exceptions.CommandFailed: when all processes refuse, or when a
            reference is not the same entry in all; nothing is changed then.
        :raises haproxyadmin.exceptions.MultipleCommandResults: when some refuse.

        Usage::

            >>> hap.set_map(0, '11', 'new')
            True
        """
        return self._entry('set', 'map', mapid, key, value)

    @should_die
    def del_map(self, mapid, key, die=True):
        """Delete all entries of a key from a MAP in all processes (``del map``).

        :param mapid: its id, or the file that it was loaded from.
        :type mapid: int or str
        :param key: the key, or the reference ``'0x...'`` of one entry as :meth:`show_map` tells
            it. A reference is looked up first, which takes a listing of each process, and used
            only when it stands for the same entry in all; where it stands for none, it is a key.
        :type key: str, number, UUID, or address or network of :mod:`ipaddress`
        :param die: (optional) False returns False in place of raising.
        :type die: bool
        :return: True.
        :rtype: bool
        :raises ValueError: for what HAProxy cannot take; nothing is sent.
        :raises haproxyadmin.exceptions.CommandFailed: when all processes refuse, or when a
            reference is not the same entry in all; nothing is changed then.
        :raises haproxyadmin.exceptions.MultipleCommandResults: when some refuse.

        Usage::

            >>> hap.del_map(0, '22')
            True
        """
        return self._entry('del', 'map', mapid, key)

    @should_die
    def clear_map(self, mapid, die=True):
        """Delete all entries of a MAP in all processes (``clear map``).

        :param mapid: its id, or the file that it was loaded from.
        :type mapid: int or str
        :param die: (optional) False returns False in place of raising.
        :type die: bool
        :return: True.
        :rtype: bool
        :raises ValueError: for what is no id and no file; nothing is sent.
        :raises haproxyadmin.exceptions.CommandFailed: when all processes refuse.
        :raises haproxyadmin.exceptions.MultipleCommandResults: when some do.
        """
        return self._patterns('clear', 'map', mapid)

    @should_die
    def add_map_entries(self, mapid, pairs, die=True):
        """Add many entries to a MAP in all processes, in batches of ``add map``.

        :param mapid: its id, or the file that it was loaded from.
        :type mapid: int or str
        :param pairs: pairs of key and value, or a dict; see :meth:`add_map`; read as they are
            sent, so that any number of them takes little memory.
        :type pairs: iterable
        :param die: (optional) False returns False in place of raising.
        :type die: bool
        :return: True.
        :rtype: bool
        :raises ValueError: for an entry that HAProxy cannot take; the message tells which one, and
            how many before it were sent. Their account is in its ``failures``, ``results`` and
            ``by_socket``, as in those of any exception of the iterable that accepts attributes.
        :raises haproxyadmin.exceptions.EntriesFailed: when processes refuse entries; its
            ``failures`` tell which, where, and in which words. The others are done.
        :raises haproxyadmin.exceptions.HAProxySocketError: when a process cannot be talked to any
            more; ``failures`` tell the entries of which it is not known, or that were not sent,
            at which it ended. The other processes are done.

        Usage::

            >>> hap.add_map_entries(0, [('www.foo.com', 'web'), ('static.foo.com', 'static')])
            True
        """
        return self._many('add', 'map', mapid, pairs)

    @should_die
    def del_map_entries(self, mapid, keys, die=True):
        """Delete many entries from a MAP in all processes, in batches of ``del map``.

        HAProxy serves nobody while it deletes. Before 2.4 each command deletes one key, from then
        on as many as take a twentieth of a second, 12 at most. References cost each process one
        listing for every 2048 entries.

        :param mapid: its id, or the file that it was loaded from.
        :type mapid: int or str
        :param keys: keys or references; see :meth:`del_map`; read as they are sent, so
            that any number of them takes little memory.
        :type keys: iterable
        :param die: (optional) False returns False in place of raising.
        :type die: bool
        :return: True.
        :rtype: bool
        :raises ValueError: for an entry that HAProxy cannot take; the message tells which one, and
            how many before it were sent. Their account is in its ``failures``, ``results`` and
            ``by_socket``, as in those of any exception of the iterable that accepts attributes.
        :raises haproxyadmin.exceptions.EntriesFailed: when processes refuse entries; its
            ``failures`` tell which, where, and in which words. The others are done.
        :raises haproxyadmin.exceptions.HAProxySocketError: when a process cannot be talked to any
            more; ``failures`` tell the entries of which it is not known, or that were not sent,
            at which it ended. The other processes are done.
        """
        return self._many('del', 'map', mapid, keys)

    def _listing(self, family, ident):
        return self._ask_first(lambda process: patterns.ask_listing(process, family, ident))

    def _match(self, family, ident, text):
        return self._ask_first(lambda process: patterns.ask_match(process, family, ident, text))

    def _ask_first(self, ask):
        return facade.ask_each(self._processes[:1], ask)[0]

    def _patterns(self, action, family, ident, *texts):
        return patterns.change(self._found, action, family, ident, *texts)

    def _entry(self, action, family, ident, key, *texts):
        return patterns.change_entry(self._found, action, family, ident, key, *texts)

    def _many(self, action, family, ident, items):
        return entries.change(self._found, action, family, ident, items)

    def _numbered(self, build):
        """Return process number and value of what is built for each process."""
        processes, asks = facade.prepare(self._found, build)
        return [(process.process_nb, value)
                for process, value in zip(processes, facade.answers(asks))]

    def _change(self, build):
        """Send each process the command that is built for it; see :func:`facade.prepare`."""
        return facade.change_each(self._found, lambda process: process.ask_change(build(process)))


def __dir__():
    """Show what is public; from Python 3.7 on."""
    return sorted(__all__)
