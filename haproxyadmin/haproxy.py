# SPDX-License-Identifier: Apache-2.0
"""The entry point of haproxyadmin: HAProxy as a whole, over all its processes."""
from haproxyadmin.internal.calls import change_each, prepare
from haproxyadmin.internal.discovery import find_processes
from haproxyadmin.internal.fanout import run_reads
from haproxyadmin.maps import PatternMethods
from haproxyadmin.methods import changes, takes_die
from haproxyadmin.protocol import commands
from haproxyadmin.protocol.commands import (STATE_DISABLE, STATE_DRAIN, STATE_ENABLE, STATE_MAINT,
                                            STATE_READY, VALID_STATES)
from haproxyadmin.protocol.metrics import (BACKEND_METRICS, FRONTEND_METRICS, HAPROXY_METRICS,
                                           SERVER_METRICS)
from haproxyadmin.reading import Reading
from haproxyadmin.snapshot import Snapshot

__all__ = ['BACKEND_METRICS', 'FRONTEND_METRICS', 'HAPROXY_METRICS', 'HAProxy', 'SERVER_METRICS',
           'STATE_DISABLE', 'STATE_DRAIN', 'STATE_ENABLE', 'STATE_MAINT', 'STATE_READY',
           'VALID_STATES']


class HAProxy(PatternMethods, Reading):
    """HAProxy, over all processes whose stats sockets are found.

    The constructor sends one ``show info`` to each socket, concurrently.

    :param socket_dir: (optional) a directory with stats sockets; takes precedence over
        ``socket_file``. Hidden files are not tried, nor those that HAProxy only uses while it
        binds.
    :type socket_dir: str
    :param socket_file: (optional) the only stats socket.
    :type socket_file: str
    :param retry: (optional) how often a failed exchange is repeated: None for never, 0 for no
        limit. A change is repeated only while HAProxy has certainly not received it.
    :type retry: int or None
    :param retry_interval: (optional) seconds between two attempts.
    :param timeout: (optional) seconds to wait for the connection, and for each further reply data;
        None waits without limit.
    :raises haproxyadmin.exceptions.NoHAProxyFound: if no socket answers as HAProxy; the message
        lists each candidate and the reason, ``cause`` is the exception of the first.
    :raises ValueError: if neither a directory nor a file is given, and for a wrong argument.

    An empty name, or any other false value, counts as not given. A relative path is made absolute,
    so that ``os.chdir()`` does no harm, unless it is then longer than the 107 bytes that the
    address of a Unix socket may have.

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
        >>> for frontend in hap.frontends():
        ...     print(frontend.name, frontend.requests, frontend.process_nb)
    """

    _left_out = ()

    def __init__(self, socket_dir=None, socket_file=None, retry=2, retry_interval=2, timeout=1):
        self._found, self._left_out = find_processes(
            socket_dir, socket_file, retry, retry_interval, timeout)

    @property
    def left_out(self):
        """The sockets that did not answer as HAProxy when this object was made.

        They are not asked again. The list does not contain other files of the directory, nor
        further sockets of a process that was found.

        :return: list of ``(socket file, exception)``, empty if all sockets answered.
        :rtype: list of tuple

        Usage::

            >>> hap.left_out
            []
        """
        return list(self._left_out)

    def snapshot(self):
        """Read everything at once, to answer from memory from then on.

        Sends ``show info;show stat -1 7 -1`` to each process, concurrently: one command line on one
        connection for each.

        :rtype: :class:`haproxyadmin.snapshot.Snapshot`
        :raises haproxyadmin.exceptions.HAProxySocketError: if a process cannot be reached.

        Usage::

            >>> snapshot = hap.snapshot()
            >>> for backend in snapshot.backends():
            ...     for server in backend.servers():
            ...         print(backend.name, server.name, server.requests)
        """
        return Snapshot(self._found)

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
        """
        return self._change(lambda process: commands.set_rate_limit('connections', value))

    @changes
    def setratelimitsess(self, value, die=True):
        """Set the maximum number of sessions per second of each process.

        Sends ``set rate-limit sessions global`` (management guide, "set rate-limit").

        :param value: 0 to 2147483647, for each process; 0 for no limit.
        :type value: int
        :raises ValueError: for any other value; nothing is sent.
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
        :raises ValueError: for what crashes HAProxy or leaves it waiting; nothing is sent.
        """
        return self._numbered(lambda process: process.raw_operation(cmd, full_output=True))

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
        """
        return self._numbered(lambda process: process.errors_operation(iid))

    def _numbered(self, build):
        """Return the process number and the value of what is built for each process."""
        processes, operations = prepare(self._found, build)
        return [(process.process_nb, value)
                for process, value in zip(processes, run_reads(operations))]

    def _change(self, build):
        """Send each process the command that is built for it.

        :param build: see :func:`haproxyadmin.internal.calls.prepare`.
        """
        return change_each(self._found, lambda process: process.change_operation(build(process)))


def __dir__():
    """List what is public; has an effect from Python 3.7 on."""
    return sorted(__all__)
