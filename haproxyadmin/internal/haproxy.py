# SPDX-License-Identifier: Apache-2.0
"""One HAProxy process behind its stats socket, and how processes are found."""
import functools
import logging
import os
import re

from haproxyadmin import utils
from haproxyadmin.exceptions import NoHAProxyFound, SocketConnectionError
from haproxyadmin.internal import facade
from haproxyadmin.internal.backend import _Backend
from haproxyadmin.internal.facade import Ask
from haproxyadmin.internal.frontend import _Frontend
from haproxyadmin.internal.server import listing
from haproxyadmin.protocol import commands, replies, transport
from haproxyadmin.protocol.metrics import HAPROXY_METRICS

LOG = logging.getLogger('haproxyadmin')
# What any time may be: thirty years, which time.sleep() takes.
MAX_SECONDS = 10 ** 9
# Seconds by which two readings of one process's start may differ.
SAME_START = 2
# Bytes of the longest path of a Unix socket.
MAX_SOCKET_PATH = 107
# Names of a directory that are not tried: hidden ones, and those that HAProxy gives the new and
# the old socket while it binds.
_SKIPPED = re.compile(r'\A\.|\.[0-9]+\.(tmp|bak)\Z')
# Seconds for which a version counts as known: a reload may hand the same socket to another HAProxy.
VERSION_AGE = 1
LONG_AGO = float('-inf')

# Seconds of a clock that is never set.
_now = transport.now


@functools.total_ordering
class Version(object):
    """The version of a process, read when it is compared: most commands do not depend on it.

    It compares like a tuple of integers.

    :type process: :class:`_HAProxyProcess`
    """

    __slots__ = ('_process',)

    __hash__ = None

    def __init__(self, process):
        self._process = process

    def __iter__(self):
        return iter(self._process.read_version())

    def __eq__(self, other):
        return tuple(self) == other

    def __ne__(self, other):
        return tuple(self) != other

    def __lt__(self, other):
        return tuple(self) < other

    def __repr__(self):
        return repr(tuple(self))


class _Identity(object):
    """Which process answered ``show info``.

    :param key: its pid, node and process number.
    :param start: when it started, in seconds of :func:`_now`.
    """

    def __init__(self, key, start):
        self.key = key
        self.start = start
        # The identities that look the same and are known to be of another process.
        self.others = []

    def agrees(self, other):
        """Return True if the other one may be of the same process."""
        return self.key == other.key and abs(self.start - other.start) <= SAME_START


class _HAProxyProcess(object):
    """A HAProxy process.

    Nothing is sent before the first call that needs an answer.

    :param socket_file: its stats socket.
    :type socket_file: str
    :param retry: (optional) how often a failed exchange is tried again: None for never, 0 without
        end. A change is repeated only while HAProxy has certainly not received it.
    :type retry: int or None
    :param retry_interval: (optional) seconds between two tries.
    :param timeout: (optional) seconds that connecting and each silence of HAProxy may last, None
        for any time.
    """

    __slots__ = ('socket_file', 'retry', 'retry_interval', 'timeout', 'identity', 'version_read',
                 'double_of', 'double_while', 'marks_ids', '_process_nb', '_version',
                 '_version_since', '_header', '_listed')

    # True where reads are answered from memory, of rows that never change.
    in_memory = False

    def __init__(self, socket_file, retry=3, retry_interval=2, timeout=1):
        self.socket_file = commands.file_name(socket_file)
        self.retry = _checked('retry', retry, retry is None or (
            commands.is_integer(retry) and retry >= 0))
        self.retry_interval = _checked('retry_interval', retry_interval, _is_seconds(
            retry_interval))
        self.timeout = _checked('timeout', timeout, timeout is None or (
            _is_seconds(timeout) and timeout > 0))
        # What the last `show info` says of who answers.
        self.identity = None
        # Another object each time that something depends on the version.
        self.version_read = None
        # The process that this is another socket of, and the identity that it had then.
        self.double_of = None
        self.double_while = None
        # True once a proxy may have a number for its name.
        self.marks_ids = False
        self._process_nb = None
        self._version = None
        self._version_since = None
        self._header = None
        # The proxies that were listed last, by what was asked for.
        self._listed = {}

    @property
    def live(self):
        """The process that answers from HAProxy itself."""
        return self

    @property
    def hap_process(self):
        """The process itself, under the name that its frontends, backends and servers use."""
        return self

    def __repr__(self):
        return '<{0} {1} on {2}>'.format(
            self.__class__.__name__, self._process_nb, self.socket_file)

    def __getstate__(self):
        return facade.slots_of(self)

    def __setstate__(self, state):
        facade.set_slots(self, state)
        # The clock of another machine, perhaps.
        self.doubt_version()

    @property
    def process_nb(self):
        """The number of the process; asked for once.

        :rtype: int
        """
        if self._process_nb is None:
            self.proc_info()
        return self._process_nb

    @property
    def version(self):
        """The version of HAProxy that last answered ``show info``.

        What is built with it belongs into :func:`haproxyadmin.internal.facade.prepare`, which asks
        again where that was too long ago.

        :rtype: :class:`Version`
        """
        return Version(self.live)

    def read_version(self):
        """Return the version as a tuple of integers, and note that something depends on it."""
        if self._version is None:
            self.proc_info()
        self.version_read = object()
        return self._version

    def has_old_version(self):
        """Return True if another version may have taken over since ``show info`` was asked."""
        return self._version_since is not None and _now() - self._version_since > VERSION_AGE

    def doubt_version(self):
        """Ask for the version again before anything that depends on it."""
        self._version_since = LONG_AGO

    def tries_left(self, failures):
        """Return True if an exchange that has failed that often may be tried again."""
        return self.retry is not None and (self.retry == 0 or failures < self.retry)

    def command(self, command, full_output=False):
        """Send a command line as it is.

        :param command: what HAProxy's command line takes; a second line only as a payload.
        :type command: str
        :param full_output: (optional) return all lines, not the first alone.
        :return: the first line of the reply, or the list of all; an empty reply is one empty line.
        :rtype: str or list
        :raises ValueError: see :func:`haproxyadmin.protocol.commands.raw`.
        """
        return facade.ask_each([self], lambda process: process.ask_raw(command, full_output))[0]

    def proc_info(self):
        """Return what ``show info`` tells, HAProxy's own text per field.

        :rtype: dict
        """
        return facade.answer(self.ask_info(facade.as_is))

    def metric(self, name):
        """Return a metric of this process alone.

        :return: the number; 0 for a documented name that HAProxy does not report.
        :raises ValueError: for any other name for which HAProxy reports no value.
        """
        return utils.info_metric(name, HAPROXY_METRICS, lambda: [self.proc_info()])

    def stats(self, iid=-1, obj_type=commands.EVERYTHING, sid=-1):
        """Return rows of statistics.

        :param iid: (optional) id of a proxy, -1 for all.
        :param obj_type: (optional) 1 for frontends, 2 for backends, 4 for servers, their sums for
            several kinds, -1 for all.
        :type obj_type: int
        :param sid: (optional) id of a server, -1 for all.
        :return: see :func:`haproxyadmin.utils.stat2dict`.
        :rtype: dict
        :raises ValueError: for what is no id; nothing is sent.
        """
        iid, obj_type, sid = map(commands.row_id, (iid, obj_type, sid))
        return facade.answer(self.ask_dump(utils.dump2dict, iid, obj_type, sid))

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

        :param name: (optional) only the one of this name.
        :rtype: list of :class:`haproxyadmin.internal._Frontend`
        """
        return facade.answer(self.ask_frontends(name))

    def backends(self, name=None):
        """Return the backends, in HAProxy's order.

        :param name: (optional) only the one of this name.
        :rtype: list of :class:`haproxyadmin.internal._Backend`
        """
        return facade.answer(self.ask_backends(name))

    def ask_frontends(self, name=None):
        """Return what asks for :meth:`frontends`."""
        return self.ask_list(lambda dump: [
            _Frontend(self, frontend, dump.frontend(frontend))
            for frontend in _chosen(dump.frontends, name)], commands.FRONTENDS)

    def ask_backends(self, name=None):
        """Return what asks for :meth:`backends`."""
        return self.ask_list(lambda dump: [
            _Backend(self, backend, dump.backend(backend))
            for backend in _chosen(dump.backends, name)], commands.BACKENDS)

    def ask_servers(self, backend=None):
        """Return what asks for the servers of all backends, or of one: a listing for each."""
        return self.ask_list(functools.partial(self._servers_in, backend), commands.SERVERS)

    def ask_info(self, then, conduct=transport.PLAIN):
        """Return what asks for ``show info``."""
        # Its answer tells the version, which judging a refusal needs.
        return Ask(self, commands.SHOW_INFO, functools.partial(self.informed, then),
                   judged=False, conduct=conduct)

    def ask_list(self, then, kind):
        """Return what asks for all rows of a kind, and once more where the last list had more.

        Before 2.5 it may be of a worker that ends, which lists some of its proxies or none. By then
        another has taken its place.
        """
        return self.ask_dump(then, kind=kind, complete=True)

    def ask_dump(self, then, iid=-1, kind=commands.EVERYTHING, sid=-1, complete=False):
        """Return what asks for rows of statistics.

        :param then: takes a :class:`haproxyadmin.utils.Dump`.
        :param complete: (optional) True for :meth:`ask_list`; else only no row at all is too few.
        """
        def ask(then):
            return Ask(self, commands.show_stat(iid, kind, sid, self.marks_ids),
                       functools.partial(self.dumped, then, kind == commands.EVERYTHING))
        if iid != -1:
            return ask(then)
        marked = self.marks_ids

        def judged(again, dump):
            # The reply says it, because another version may have taken over since `show info`.
            stays = dump.header.rows_stay
            proxies = None if stays else dump.proxies()
            misread = not marked and self.may_be_one(dump)
            if again and (misread or not stays and self.lacks(kind, proxies, complete)):
                return ask(functools.partial(judged, False))
            if not stays:
                self.keep_listed(kind, proxies)
            return then(dump)
        return ask(functools.partial(judged, True))

    def may_be_one(self, dump):
        """Return True if a list whose id was not marked may be of a proxy named ``-1`` alone.

        Where the name of a proxy is a number, ids are marked from then on.
        """
        names = set().union(dump.frontends, dump.backends, dump.servers)
        alone = not names or '-1' in names
        self.marks_ids = self.marks_ids or alone or any(map(str.isdigit, names))
        return alone

    def lacks(self, kind, proxies, complete=True):
        """Return True if a list lacks what the last one had, or has no row and is the first."""
        before = self._listed.get(kind)
        if not proxies:
            return before != proxies
        return complete and before is not None and not before <= proxies

    def keep_listed(self, kind, proxies):
        """Keep which proxies were listed."""
        self._listed[kind] = proxies

    def ask_change(self, command):
        """Return what sends a command that changes something; its value is the reply's text."""
        return Ask(self, command, facade.whole_text, reads=False)

    def ask_raw(self, command, full_output=False):
        """Return what sends a caller's own command line, once."""
        line = commands.raw(command)
        if b'\n' in line and self.version < commands.PAYLOAD_SINCE:
            raise commands.NotForVersion(
                'HAProxy {0} takes no payload, each line would be a command'.format(
                    commands.version_text(self.version)))
        ask = Ask(self, line, _all_lines if full_output else facade.first_line,
                  reads=commands.only_shows(line), judged=False,
                  conduct=transport.OPEN_ENDED if commands.is_open_ended(line) else transport.PLAIN)
        if ask.timeout is not None:
            ask.timeout += commands.seconds_waited(line)
        return ask

    def ask_errors(self, command):
        """Return what sends a ``show errors``; its value is the lines of the report."""
        return Ask(self, command, _error_report)

    def ask_level(self):
        """Return what asks for the socket's level: its value is one of ``replies.LEVELS``.

        Before 2.0 it tells an admin from a user, and takes an operator for a user.
        """
        if self.version >= commands.LEVEL_SINCE:
            return Ask(self, commands.SHOW_LEVEL, facade.first_line)
        return Ask(self, commands.PROBE_ADMIN, replies.level_of_probe, parse=facade.as_is,
                   judged=False)

    def informed(self, then, lines):
        """Return what ``then`` makes of a reply to ``show info``."""
        info = utils.info2dict(lines)
        if not utils.is_info(info):
            raise replies.Malformed('this is not HAProxy: {0!r}'.format(
                facade.first_line(lines)[:80]))
        now = _now()
        self._version = commands.version_tuple(info.get('Version', ''))
        self._version_since = now
        self._process_nb = int(info['Process_num'])
        identity = _Identity((info['Pid'], info.get('node'), info['Process_num']),
                             now - int(info['Uptime_sec']))
        if self.identity is not None and self.identity.agrees(identity):
            # Clocks drift apart over months.
            self.identity.start = identity.start
        else:
            self.identity = identity
        return then(info)

    def dumped(self, then, listeners, lines):
        """Return what ``then`` makes of a reply to ``show stat``."""
        dump = utils.Dump(lines, self._header, listeners)
        self._header = dump.header
        return then(dump)

    def _servers_in(self, backend, dump):
        return [listing(_Backend(self, proxy, _hint_of(proxy, dump)), dump)
                for proxy in _chosen(dump.servers, backend)]


class _FrozenProcess(_HAProxyProcess):
    """A process as it was at one moment: what is read comes from memory, what is changed is sent.

    :param process: the live process.
    :param info: what ``show info`` told.
    :param dump: what ``show stat`` told.
    """

    __slots__ = ('live', '_info', '_dump')

    in_memory = True

    def __init__(self, process, info, dump):
        super(_FrozenProcess, self).__init__(process.socket_file, process.retry,
                                             process.retry_interval, process.timeout)
        self._process_nb = process.process_nb
        self.live = process
        self._info = info
        self._dump = dump

    def ask_info(self, then):
        """Return what ``then`` makes of the information in memory."""
        return then(dict(self._info))

    def ask_dump(self, then, iid=-1, kind=commands.EVERYTHING, sid=-1, complete=False):
        """Return what ``then`` makes of all rows in memory; it picks its own by name."""
        return then(self._dump)


def ask_frozen(process, again=True):
    """Return what reads a process at one moment; its value is a :class:`_FrozenProcess`.

    :param again: (optional) False where a worker that ends is not asked once more.
    """
    marked = process.marks_ids
    return Ask(process, commands.show_all(marked), functools.partial(
        _freeze, process, again, marked))


def _freeze(process, again, marked, lines):
    """Take the two replies apart: an empty line stands between them."""
    end = lines.index('') if '' in lines else len(lines)
    rows = lines[end + 1:]
    info = process.informed(facade.as_is, lines[:end])
    dump = process.dumped(facade.as_is, False, rows)
    misread = not marked and process.may_be_one(dump)
    if dump.header.rows_stay:
        if again and misread:
            return ask_frozen(process, False)
    else:
        ends, proxies = info.get('Stopping') == '1', dump.proxies()
        if again and (ends or misread or process.lacks(commands.ROWS, proxies)):
            return ask_frozen(process, False)
        if ends:
            raise replies.Malformed('this worker ends, and does not list all of its proxies')
        process.keep_listed(commands.ROWS, proxies)
    return _FrozenProcess(process, info, dump)


def _hint_of(backend, dump):
    """Return the row of a backend, or its id, which any row of it tells."""
    return dump.backend(backend) or utils.field(
        utils.Row(dump.header, dump.servers[backend][0]), 'iid')


def _all_lines(lines):
    """Return the lines of a reply; an empty one is an empty line, as it was in 0.2.4."""
    return lines or ['']


def _error_report(lines):
    if not replies.is_error_report(facade.first_line(lines)):
        raise facade.refusal(lines)
    return lines


def _chosen(names, name):
    """Return all names, or the one that is asked for and there, as HAProxy tells it."""
    if name is None:
        return names
    name = commands.native(name)
    if type(name) is str:
        return [name] if name in names else []
    # A frontend or backend, for instance, which equals its name.
    return [own for own in names if own == name]


def _checked(name, value, valid):
    if not valid:
        raise ValueError('{0} cannot be {1!r}'.format(name, value))
    return value


def _is_seconds(value):
    return (commands.is_integer(value) or isinstance(value, float)) and 0 <= value <= MAX_SECONDS


def find_processes(socket_dir, socket_file, retry, retry_interval, timeout):
    """Return the processes that answer on the sockets of a directory, or on one socket.

    Sends one ``show info`` to each socket, all at the same time and without retries. Processes
    come by process number, then by socket file.

    :return: the processes, and ``(socket file, exception)`` of each socket that did not answer.
    :rtype: tuple of list
    :raises haproxyadmin.exceptions.NoHAProxyFound: if no socket answers as HAProxy; the message
        lists each candidate and the reason.
    :raises haproxyadmin.exceptions.HAProxySocketError: if descriptors or memory run out, whatever
        else answered.
    :raises ValueError: for a wrong argument; nothing is sent.
    """
    if not (socket_dir or socket_file):
        raise ValueError('pass socket_dir= or socket_file=')
    path = (_checked_path('socket_dir', socket_dir) if socket_dir
            else _checked_path('socket_file', socket_file))
    place = _lasting(path)
    # Wrong options are reported before anything is looked for.
    candidates, others = [_HAProxyProcess(place, retry, retry_interval, timeout)], 0
    if socket_dir:
        paths, others = _sockets_in(path, place)
        candidates = [_HAProxyProcess(_lasting(path), retry, retry_interval, timeout)
                      for path in paths]
    for candidate in candidates:
        candidate.retry = None
    infos = facade.gather([candidate.ask_info(facade.as_is, transport.PROBE)
                           for candidate in candidates])
    answered = [candidate for candidate, info in zip(candidates, infos)
                if not isinstance(info, Exception)]
    for info in infos:
        if transport.is_our_own(info):
            # To leave processes out then would be to change some of many.
            raise info
    if not answered:
        raise _none_answered(place, infos, others) if socket_dir else NoHAProxyFound(
            place, '{0}{1}'.format(infos[0], _no_socket(place)), infos[0])
    processes = [facade.highest(group) for group in facade.groups(answered)]
    for process in processes:
        process.retry = retry
    return (sorted(processes, key=lambda process: (process.process_nb, process.socket_file)),
            _left_out(candidates, infos))


def _checked_path(name, value):
    """Return a caller's path as the text of this Python."""
    path = commands.file_name(value)
    return _checked(name, path, isinstance(path, str) and '\0' not in path)


def _lasting(path):
    """Return a path that still leads there after a change of the working directory."""
    if os.path.isabs(path):
        return path
    try:
        absolute = os.path.join(os.getcwd(), path)
    except OSError:
        return path  # it has been removed
    if os.pardir not in path.split(os.sep):
        # What follows a link is not where the link stands.
        absolute = os.path.normpath(absolute)
    return absolute if len(commands.to_bytes(absolute)) <= MAX_SOCKET_PATH else path


def _sockets_in(socket_dir, place):
    """Return the paths of the sockets in a directory, and how many others are in it.

    What cannot be looked at may be a socket, too; connecting to it tells why not.

    :param place: the directory for messages.
    """
    try:
        names = sorted(os.listdir(socket_dir))
    except OSError as error:
        raise _not_listed(place, error)
    paths = [os.path.join(socket_dir, name) for name in names if not _SKIPPED.search(name)]
    sockets = [path for path in paths if utils.is_unix_socket(path) or not os.path.exists(path)]
    others = len(names) - len(sockets)
    if not sockets:
        message = 'no socket in {0}{1}'.format(
            place, '; ' + _not_tried(others) if others else ': it is empty')
        raise NoHAProxyFound(place, message, SocketConnectionError(place, message))
    return sockets, others


def _not_tried(others):
    return 'not tried: {0} other file{1}'.format(others, '' if others == 1 else 's')


def _no_socket(path):
    """Return what to add to the error of a path that is no socket."""
    if os.path.isdir(path):
        return '; this is a directory, use socket_dir='
    return '; this is not a socket' if (
        os.path.exists(path) and not utils.is_unix_socket(path)) else ''


def _not_listed(socket_dir, error):
    hint = '; this is a socket, use socket_file=' if utils.is_unix_socket(socket_dir) else ''
    cause = transport.kind_of(error)(
        socket_dir, 'cannot list {0}: {1}{2}'.format(socket_dir, error.strerror, hint), error)
    cause.__cause__ = error
    return cause if transport.is_our_own(cause) else NoHAProxyFound(socket_dir, str(cause), cause)


def _none_answered(socket_dir, errors, others):
    """Return the exception for a directory without an HAProxy: each candidate and the reason."""
    lines = ['no HAProxy in {0}'.format(socket_dir)] + list(map(str, errors))
    if others:
        lines.append(_not_tried(others))
    return NoHAProxyFound(socket_dir, '\n  '.join(lines), errors[0])


def _left_out(candidates, infos):
    """Return ``(socket file, exception)`` of the candidates that did not answer."""
    left_out = [(candidate.socket_file, info) for candidate, info in zip(candidates, infos)
                if isinstance(info, Exception)]
    for _, error in left_out:
        LOG.info('left out: %s', error)
        cause = getattr(error, '__cause__', None)
        if cause is not None:
            # It is kept, and would keep the frames of all callers.
            transport.without_trace(cause)
    return left_out
