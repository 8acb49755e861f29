# SPDX-License-Identifier: Apache-2.0
"""One HAProxy process behind its stats socket."""
import functools

from haproxyadmin.combine import combine_info_metric
from haproxyadmin.internal import fanout
from haproxyadmin.internal.backend import _Backend
from haproxyadmin.internal.calls import read_each
from haproxyadmin.internal.endpoint import Endpoint
from haproxyadmin.internal.fanout import Operation, run
from haproxyadmin.internal.frontend import _Frontend
from haproxyadmin.internal.listing import list_servers
from haproxyadmin.internal.rows import RowReader
from haproxyadmin.internal.slots import Slotted
from haproxyadmin.parsers import stats
from haproxyadmin.parsers.errors import parse_errors
from haproxyadmin.parsers.lines import first_line, join_lines, lines_or_empty
from haproxyadmin.protocol import commands, transport, versions
from haproxyadmin.protocol.metrics import HAPROXY_METRICS
from haproxyadmin.protocol.words import check_row_id, to_native


@functools.total_ordering
class Version(object):
    """The version of a process, looked up when it is compared: most commands do not depend on it.

    It compares like a tuple of integers.

    :type process: :class:`_HAProxyProcess`
    """

    __slots__ = ('_process',)

    __hash__ = None

    def __init__(self, process):
        self._process = process

    def __iter__(self):
        if self._process.endpoint.known_version is None:
            self._process.proc_info()
        return iter(self._process.endpoint.use_version())

    def __eq__(self, other):
        return tuple(self) == other

    def __ne__(self, other):
        return tuple(self) != other

    def __lt__(self, other):
        return tuple(self) < other

    def __repr__(self):
        return repr(tuple(self))


def _setting(name, doc):
    """Return a property that stands for an attribute of the endpoint."""
    return property(lambda self: getattr(self.endpoint, name),
                    lambda self, value: setattr(self.endpoint, name, value), doc=doc)


class _HAProxyProcess(Slotted):
    """A HAProxy process.

    Nothing is sent before the first call that needs an answer.

    :param socket_file: its stats socket; see
        :func:`haproxyadmin.protocol.addresses.parse_address`.
    :param retry: (optional) how often a failed exchange is repeated: None for never, 0 for no
        limit. A change is repeated only while HAProxy has certainly not received it.
    :type retry: int or None
    :param retry_interval: (optional) seconds between two attempts.
    :param timeout: (optional) seconds to wait for the connection, and for each further reply data;
        None waits without limit.
    :param allow_plain_secrets: (optional) True to send secrets to another host without TLS.
    """

    __slots__ = ('endpoint', 'rows')

    # True if reads are answered from memory, where rows never change.
    in_memory = False

    def __init__(self, socket_file, retry=3, retry_interval=2, timeout=1,
                 allow_plain_secrets=False):
        self.endpoint = Endpoint(socket_file, retry, retry_interval, timeout, allow_plain_secrets)
        self.rows = RowReader(self.endpoint)

    def __repr__(self):
        return '<{0} {1} on {2}>'.format(
            self.__class__.__name__, self.endpoint.number, self.socket_file)

    def apart(self, address=None):
        """Return an object for the same process that nobody else uses, and that tries only once.

        :param address: (optional) of a former process.
        """
        own = _HAProxyProcess(address or self.endpoint.address, None, 0, self.timeout)
        own.endpoint.number = self.endpoint.number
        if address is None:
            own.endpoint.identity = self.endpoint.identity
        own.rows.marks_ids = self.rows.marks_ids
        return own

    @property
    def live(self):
        """The process that answers from HAProxy itself."""
        return self

    @property
    def hap_process(self):
        """The process itself, under the name that its frontends, backends and servers use."""
        return self

    socket_file = _setting('socket_file', 'Its stats socket.')
    retry = _setting('retry', 'How often a failed exchange is repeated.')
    retry_interval = _setting('retry_interval', 'Seconds between two attempts.')
    timeout = _setting(
        'timeout', 'Seconds to wait for the connection, and for each further reply data.')

    @property
    def version(self):
        """The version that last answered ``show info``.

        What is built with it belongs in :func:`haproxyadmin.internal.calls.prepare`, which asks
        for it again if that was too long ago.

        :rtype: :class:`Version`
        """
        return Version(self.live)

    @property
    def process_nb(self):
        """The number of the process; asked for once.

        :rtype: int
        """
        if self.endpoint.number is None:
            self.proc_info()
        return self.endpoint.number

    def command(self, command, full_output=False):
        """Send a command line unchanged.

        :param command: what HAProxy's command line accepts; a second line only as a payload.
        :type command: str
        :param full_output: (optional) return all lines, not only the first.
        :return: the first line of the reply, or a list of all; an empty reply is one empty line.
        :rtype: str or list
        :raises ValueError: see :func:`haproxyadmin.protocol.commands.check_raw`.
        """
        return read_each([self], lambda process: process.raw_operation(command, full_output))[0]

    def proc_info(self):
        """Return the reply to ``show info``, HAProxy's own text for each field.

        :rtype: dict
        """
        return run(self.info_operation(fanout.unchanged))

    def metric(self, name):
        """Return a metric of this process alone.

        :return: the number; 0 for a documented name that HAProxy does not report.
        :raises ValueError: for any other name that HAProxy does not report.
        """
        return combine_info_metric(name, HAPROXY_METRICS, lambda: [self.proc_info()])

    def stats(self, iid=-1, obj_type=commands.EVERYTHING, sid=-1):
        """Return rows of statistics.

        :param iid: (optional) id of a proxy, -1 for all.
        :param obj_type: (optional) 1 for frontends, 2 for backends, 4 for servers, their sum for
            several kinds, -1 for all.
        :type obj_type: int
        :param sid: (optional) id of a server, -1 for all.
        :return: see :func:`haproxyadmin.utils.stat2dict`.
        :rtype: dict
        :raises ValueError: for what is not an id; nothing is sent.
        """
        iid, obj_type, sid = map(check_row_id, (iid, obj_type, sid))
        return run(self.dump_operation(stats.dump2dict, iid, obj_type, sid))

    def frontends_stats(self, iid=-1):
        """Return the statistics of frontends.

        :param iid: (optional) id of a frontend, -1 for all.
        :return: the row of each name.
        :rtype: dict
        """
        return self.stats(iid, commands.FRONTENDS)['frontends']

    def backends_stats(self, iid=-1):
        """Return the statistics of backends and their servers.

        :param iid: (optional) id of a backend, -1 for all.
        :return: for each name ``{'stats': row, 'servers': {name: row}}``.
        :rtype: dict
        """
        return self.stats(iid, commands.BACKENDS | commands.SERVERS)['backends']

    def frontends(self, name=None):
        """Return the frontends, in HAProxy's order.

        :param name: (optional) only the one with this name.
        :rtype: list of :class:`haproxyadmin.internal._Frontend`
        """
        return run(self.frontends_operation(name))

    def backends(self, name=None):
        """Return the backends, in HAProxy's order.

        :param name: (optional) only the one with this name.
        :rtype: list of :class:`haproxyadmin.internal._Backend`
        """
        return run(self.backends_operation(name))

    # Operations

    def frontends_operation(self, name=None):
        """Return the operation behind :meth:`frontends`."""
        return self.list_operation(lambda dump: [
            _Frontend(self, frontend, None, dump.frontend(frontend))
            for frontend in _chosen(dump.frontends, name)], commands.FRONTENDS)

    def backends_operation(self, name=None):
        """Return the operation behind :meth:`backends`."""
        return self.list_operation(lambda dump: [
            _Backend(self, backend, None, dump.backend(backend))
            for backend in _chosen(dump.backends, name)], commands.BACKENDS)

    def servers_operation(self, backend=None):
        """Return the operation that asks for all servers, or those of one backend.

        :return: its value is a list of :class:`haproxyadmin.internal.listing.Listing`.
        """
        return self.list_operation(lambda dump: [
            list_servers(_Backend(self, proxy, dump.iid_of(proxy)), dump)
            for proxy in _chosen(dump.servers, backend)], commands.SERVERS)

    def info_operation(self, interpret):
        """Return the operation that asks for ``show info``."""
        return fanout.info_operation(self.endpoint, interpret)

    def list_operation(self, interpret, kind):
        """Return the operation that asks for all rows of a kind."""
        return self.dump_operation(interpret, kind=kind, complete=True)

    def dump_operation(self, interpret, iid=-1, kind=commands.EVERYTHING, sid=-1, complete=False):
        """Return the operation that asks for rows of statistics.

        The parameters are those of :meth:`haproxyadmin.internal.rows.RowReader.operation`.
        """
        return self.rows.operation(interpret, iid, kind, sid, complete)

    def change_operation(self, command, interpret=join_lines):
        """Return the operation that sends a change.

        :param interpret: (optional) takes the lines of the reply; by default the value is its text.
        """
        return Operation(self.endpoint, command, interpret, reads=False)

    def raw_operation(self, command, full_output=False):
        """Return the operation that sends a caller's own command line, once."""
        line = commands.check_raw(command)
        if b'\n' in line and not versions.has(self.version, versions.PAYLOAD):
            raise versions.NotForVersion('{0}: each line would be a command'.format(
                versions.describe_lack(versions.PAYLOAD, self.version, self.socket_file)))
        if self.endpoint.address.prefix:
            commands.check_through_master(line)
        if commands.holds_secret(line):
            self.endpoint.check_secret()
        operation = fanout.OwnCommand(
            self.endpoint, line, lines_or_empty if full_output else first_line,
            reads=commands.only_shows(line), judged=False,
            conduct=transport.OPEN_ENDED if commands.is_open_ended(line) else transport.PLAIN)
        if operation.timeout is not None:
            operation.timeout += commands.seconds_waited(line)
        return operation

    def errors_operation(self, iid):
        """Return the operation that sends ``show errors``; its value is the lines of the report."""
        return Operation(self.endpoint, commands.show_errors(iid, self.rows.marks_ids),
                         parse_errors)


def _chosen(names, name):
    """Return all names, or the one that is asked for, in HAProxy's spelling."""
    if name is None:
        return names
    name = to_native(name)
    if type(name) is str:
        return [name] if name in names else []
    # For instance a frontend or backend, which equals its name.
    return [own for own in names if own == name]
