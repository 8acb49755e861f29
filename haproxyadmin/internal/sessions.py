# SPDX-License-Identifier: Apache-2.0
"""List sessions, and end them."""
import collections
import time

from haproxyadmin.combine import check_command, results_of
from haproxyadmin.exceptions import CommandFailed, HAProxyBaseError
from haproxyadmin.internal.endpoint import check_seconds
from haproxyadmin.internal.fanout import (OneTimeOperation, Operation, learn_info,
                                          raise_first_error, run_all)
from haproxyadmin.internal.slots import Slotted
from haproxyadmin.parsers import sessions as parsers
from haproxyadmin.protocol import commands, replies, versions
from haproxyadmin.protocol.transport import now
from haproxyadmin.protocol.words import encode_address, escape_server, parse_network, to_native

# How many sessions are looked at and then ended together. More gain little, and leave more time
# between the two; up to 1.7 a line of more than 64 words may crash HAProxy.
TOGETHER = 8
# Seconds that a session must have lasted since it was listed before it is ended by its id: one that
# ends by itself within that time would too often do so between the look and the command, and
# HAProxy gives its id to another session at once.
LASTING = 0.05
# HAProxy counts the full seconds of its clock: an age may be a second too high or too low.
ROUNDING = 1
# States of the side of the server before there is a connection.
WAITING = ('REQ', 'QUE', 'TAR', 'ASS', 'CON', 'CER', 'RDY')
CANNOT_TELL = ('cannot tell the session from a later one with the same id: this version of HAProxy '
               'does not show it, and the client has no port')


class Answer(Slotted):
    """Who has said something about sessions, and when.

    :param process: the :class:`haproxyadmin.internal._HAProxyProcess`.
    :param start: when HAProxy was asked, as :func:`haproxyadmin.protocol.transport.now` tells it.
    :param lines: the ``show info`` that came with it.
    """

    __slots__ = ('process', 'key', 'uptime', 'start', 'end')

    def __init__(self, process, start, lines):
        self.process = process
        self.uptime = int(learn_info(process.endpoint, lines)['Uptime_sec'])
        self.key = process.endpoint.identity.key
        self.start = start
        self.end = now()

    def age_of(self, text):
        """Return an age in seconds; None if HAProxy does not know it.

        Some versions print a wrong one, of months, until a request is complete.
        """
        age = parsers.parse_time(text)
        return age[0] if age and age[0] <= self.uptime + ROUNDING else None

    def is_of_same_process(self, other):
        """Return True if another answer comes from the same process."""
        return self.key == other.key and _overlap(self._begun(self.uptime, 0),
                                                  other._begun(other.uptime, 0))

    def may_have_begun(self, age, other, other_age):
        """Return True if what has an age here, and another one there, may have begun at one time.

        :param age: what HAProxy has printed.
        """
        ages = parsers.parse_time(age), parsers.parse_time(other_age)
        return None not in ages and _overlap(self._begun(*ages[0]), other._begun(*ages[1]))

    def _begun(self, seconds, lack):
        """Return the first and the last time at which what is so old may have begun."""
        return self.start - seconds - lack - ROUNDING, self.end - seconds + ROUNDING


def _overlap(one, other):
    return one[0] <= other[1] and other[0] <= one[1]


class Listed(Slotted):
    """A session as it was listed; the base of the public class, which has the public names.

    :param listing: where and when.
    :type listing: :class:`Answer`
    :param line: the line of the list.
    """

    __slots__ = ('_listing', '_line')

    def __init__(self, listing, line):
        self._listing = listing
        self._line = line

    def _row(self):
        """Return the line as a :class:`haproxyadmin.parsers.sessions.Row`."""
        return parsers.parse_row(self._line)

    def _find_in(self, looks, seen):
        """Return the look that shows this session; None for a later one with the same id, too.

        The id is an address in memory, which HAProxy uses again at once. From 2.3.7 on a session
        has the number of the latest list (its epoch) when it begins: no later one can have the same
        id and number. In older versions it must have begun at the same time, for the same backend
        and server, as far as these are known.

        :param looks: see :func:`look_operation`.
        :param seen: who has shown it.
        :type seen: :class:`Answer`
        :rtype: :class:`haproxyadmin.parsers.sessions.Look`
        """
        row = self._row()
        if row.id not in looks or not self._listing.is_of_same_process(seen):
            return None
        look = parsers.parse_look(looks[row.id])
        return look if self._agrees_with(row, look, seen) else None

    def _agrees_with(self, row, look, seen):
        if (look.proto, look.source) != (row.proto, row.source) or (
                row.frontend is not None and look.frontend != row.frontend):
            return False
        epoch = parsers.parse_fields(self._line).get('epoch')
        if epoch is not None:
            return epoch == look.epoch
        return not any(_differ(*names) for names in (
            (row.backend, look.backend), (row.server, look.server))) and (
                self._listing.may_have_begun(row.age, seen, look.age))

    def _can_be_told(self):
        """Return True if a look can show that this is not another session with the same id."""
        return ' epoch=' in self._line or parsers.split_source(self._row().source)[1] is not None


def _differ(*names):
    """Return True for two names that are known and not the same."""
    known = list(map(parsers.name_or_none, names))
    return None not in known and known[0] != known[1]


def sessions_operation(process, wanted=None):
    """Return the operation that lists sessions, except those of clients of stats sockets.

    :param wanted: (optional) takes a row and its :class:`Answer`; returns True for a row that is
        to be listed.
    :return: its value is the :class:`Answer`, and the line of each session.
    """
    start = now()

    def interpret(lines):
        lines, info = _split(lines)
        rows = parsers.parse_rows(lines)
        if not rows:
            raise replies.Malformed('not even the session that asks is listed')
        listing = Answer(process, start, info)
        if wanted is not None:
            lines = [line for row, line in zip(rows, lines)
                     if wanted(parsers.Row(*row.groups()), listing)]
        return listing, [line for line in lines if not parsers.is_of_stats_socket(line)]
    return Operation(process.endpoint, commands.show_sessions(), interpret)


def _split(lines):
    """Split what HAProxy says about sessions from the ``show info`` after it."""
    start = len(lines)
    while start and lines[start - 1]:
        start -= 1
    end = start
    while end and not lines[end - 1]:
        end -= 1
    return lines[:end], lines[start:]


def look_operation(process, idents, interpret):
    """Return the operation that asks for the details of sessions.

    :param interpret: takes the lines of each session that is there, by its id, and the
        :class:`Answer`; returns a value.
    :raises haproxyadmin.exceptions.CommandFailed: if it might crash HAProxy.
    """
    start = now()
    if process.endpoint.known_version is not None:
        versions.check_danger(versions.SESSION_DETAILS, process.endpoint.known_version)

    def split(lines):
        lines, info = _split(lines)
        looks = parsers.split_looks(lines)
        return interpret(looks, Answer(process, start, info))
    return Operation(process.endpoint, commands.look_at_sessions(idents), split)


def details_operation(session):
    """Return the operation that asks for the details of a session.

    :type session: :class:`Listed`
    :return: its value is None if the session has ended.
    """
    ident = session._row().id
    return look_operation(session._listing.process, [ident], lambda looks, seen: (
        parsers.parse_details(looks[ident]) if session._find_in(looks, seen) else None))


# Filters

def make_filter(server=None, backend=None, frontend=None, source=None, older_than=None,
                younger_than=None):
    """Return a function that takes a row and its :class:`Answer`, and returns True if it matches.

    :param server: (optional) the name of a server, ``'backend/server'``, or a server.
    :param source: (optional) the address of a client, or a network.
    :return: the function; None without any filter.
    :raises ValueError: for a wrong filter.
    """
    tests = []
    if server is not None:
        owner, name = _names_of_server(server)
        tests.append(lambda row, _: row.server == name and owner in (None, row.backend))
    if backend is not None:
        backend = _name_of('backend', backend)
        tests.append(lambda row, _: row.backend == backend)
    if frontend is not None:
        frontend = _name_of('frontend', frontend)
        tests.append(lambda row, _: row.frontend == frontend)
    if source is not None:
        is_in = _network(source)
        tests.append(lambda row, _: is_in(parsers.split_source(row.source)[0]))
    if older_than is not None:
        check_seconds('older_than', older_than)
        tests.append(lambda row, listing: _age(row, listing, -1) >= older_than)
    if younger_than is not None:
        check_seconds('younger_than', younger_than)
        tests.append(lambda row, listing: _age(row, listing, younger_than) < younger_than)
    if not tests:
        return None
    return lambda row, listing: all([test(row, listing) for test in tests])


def _age(row, listing, unknown):
    age = listing.age_of(row.age)
    return unknown if age is None else age


def _name_of(what, value):
    name = to_native(value.name if _is_a(what, value) else value)
    if not isinstance(name, str) or not name:
        raise ValueError('{0} must be a name, or a {1}, got {2!r}'.format(
            what, what.capitalize(), value))
    return name


def _is_a(what, value):
    """Return True for an object of the public class: Server, Backend or Frontend."""
    return what.capitalize() in [kind.__name__ for kind in type(value).__mro__]


def _names_of_server(value):
    """Return the name of the backend, None if it is not named, and that of the server."""
    if _is_a('server', value):
        return value.backendname, value.name
    backend, slash, name = _name_of('server', value).rpartition('/')
    if slash and not (backend and name):
        raise ValueError("server must be a name or 'backend/server', got {0!r}".format(value))
    return backend or None, name


def _network(value):
    """Return a function that takes the address of a client, and returns True if it is meant."""
    wanted = _parse_network(to_native(encode_address(value)))
    if wanted is None:
        raise ValueError('source must be an address or a network such as 10.0.0.0/8, got '
                         '{0!r}'.format(value))
    bits, length, prefix = wanted
    known = {}

    def is_in(address):
        if address not in known:
            found = _parse_network(address or '')
            known[address] = (found is not None and found[0] == bits
                              and found[2] >> (bits - length) == prefix)
        return known[address]
    return is_in


def _parse_network(text):
    """Parse an address or network; ``::ffff:10.0.0.0/104``, IPv4 on a socket of IPv6, is IPv4."""
    found = parse_network(text)
    if found is not None and found[0] == 128 and found[1] >= 96:
        length = found[1] - 96
        if found[2] >> length == 0xffff:
            return 32, length, found[2] - (0xffff << length)
    return found


# Ending

class _Ending(object):
    """How far ending sessions has come in one process.

    :param process: the :class:`haproxyadmin.internal._HAProxyProcess`.
    :param sessions: the sessions.
    :type sessions: list of :class:`Listed`
    :param wanted: (optional) see :func:`sessions_operation`: what the sessions must still be.
    :param by_server: (optional) True if all sessions of the servers that they use are to be ended.
    """

    def __init__(self, process, sessions, wanted=None, by_server=False):
        self.process = process
        self.total = len(sessions)
        # How many were ended, and how many had ended already.
        self.ended = self.gone = 0
        # The last refusal, '' if there is none, and what was refused, None if nothing was sent.
        self.refusal = ''
        self.refused = None
        self._wanted = wanted
        # How many are ended by the command that was sent last, 0 once it has been answered.
        self._unknown = 0
        # The sessions to end with their servers, and those to end by their ids.
        self._servers = collections.OrderedDict()
        self._left = collections.deque()
        # HAProxy refuses the command for a server in a former worker.
        by_server = by_server and not process.endpoint.address.is_former and not (
            versions.is_among(process.endpoint.known_version, versions.FREEZING_SESSIONS.ranges))
        for session in sessions:
            if by_server and parsers.has_connection(session._line):
                self._servers.setdefault(session._row()[4:6], []).append(session)
            else:
                self._add(session)

    def _add(self, session):
        """End a session by its id later."""
        if session._can_be_told():
            self._left.append(session)
        else:
            self.refusal = CANNOT_TELL

    def shutdown_server(self):
        """Return the operation that ends the sessions of the next server; None if none is left."""
        if not self._servers:
            return None
        (backend, name), sessions = self._servers.popitem(last=False)
        line = commands.shutdown_sessions(escape_server(
            backend, name, self.process.endpoint.known_version))
        return self._operation(line, len(sessions), lambda text: self._note_server(
            line, sessions, text.strip()))

    def _note_server(self, line, sessions, reply):
        self._unknown = 0
        if replies.is_success(reply):
            self.ended += len(sessions)
        elif replies.is_of_disabled_proxy(reply):
            # A reload has made the worker a former one, or the proxy was shut down.
            for session in sessions:
                self._add(session)
        else:
            self._refuse(line, reply)
        return self.shutdown_server()

    def seconds_to_wait(self):
        """Return how long to wait before :meth:`look`."""
        return max([0] + [session._listing.end + LASTING - now() for session in self._left])

    def look(self):
        """Return the operation that looks at the next sessions; None if none is left."""
        if not self._left:
            return None
        sessions = [self._left.popleft() for _ in range(min(TOGETHER, len(self._left)))]
        return look_operation(self.process, [session._row().id for session in sessions],
                              lambda looks, seen: self._end(sessions, looks, seen))

    def _end(self, sessions, looks, seen):
        """Return the operation that ends those of the sessions that are still there."""
        idents = []
        version = self.process.endpoint.known_version
        for session in sessions:
            look = session._find_in(looks, seen)
            if look is None or not self._is_wanted(session, look):
                self.gone += 1
            elif look.back_state in WAITING and versions.is_among(
                    version, versions.FREEZING_SESSIONS.ranges):
                self.refusal = versions.FREEZING_SESSIONS.reason
            else:
                idents.append(session._row().id)
        if not idents:
            return self.look()
        if self.process.endpoint.threads > 1 and versions.is_among(
                version, versions.MISSING_SESSIONS.ranges):
            self.refusal = versions.MISSING_SESSIONS.reason
            return None
        line = commands.shutdown_each(idents)
        return self._operation(line, len(idents), lambda text: self._note(
            line, replies.split_answers(text, len(idents))))

    def _is_wanted(self, session, look):
        """Return True if what a session is by now still matches."""
        return self._wanted is None or self._wanted(
            session._row()._replace(backend=look.backend, server=look.server), session._listing)

    def _operation(self, line, count, interpret):
        """Return the operation that ends so many sessions."""
        self._unknown = count
        endpoint = self.process.endpoint
        if endpoint.lookup is not None:
            # Of a master: a reload just now must not send it to another worker.
            endpoint = endpoint.at(endpoint.address.process(endpoint.identity.pid))
            endpoint.number = self.process.endpoint.number
        return OneTimeOperation(endpoint, line, interpret, reads=False, parse=to_native)

    def _refuse(self, line, reply):
        self.refusal, self.refused = reply, commands.describe_line(line)
        self._left.clear()
        self._servers.clear()

    def _note(self, line, answers):
        """Note what has become of sessions; return the next operation."""
        self._unknown = 0
        for answer in answers:
            if replies.is_success(answer):
                self.ended += 1
            elif replies.is_unknown_session(answer):
                self.gone += 1
            else:
                self._refuse(line, answer)
        return self.look()

    def finish(self, outcome):
        """Return the error of a process that could not be reached, otherwise the refusal."""
        if self.process.endpoint.is_gone:
            # A former worker, which has ended with its sessions.
            self.gone = self.total - self.ended
            return ''
        if isinstance(outcome, CommandFailed):
            self.refusal, self.refused = str(outcome), outcome.command
        elif isinstance(outcome, Exception):
            if self._unknown and not getattr(outcome, 'undelivered', False):
                outcome.message += ('; whether the {0} sessions of the command that was sent last '
                                    'have ended is not known'.format(self._unknown))
            return outcome
        return self.refusal


def end_sessions(sessions, report, wanted=None, by_server=False):
    """End sessions, all processes concurrently.

    A command is never repeated once it may have been sent: the id may be another session's by then.

    :param sessions: the sessions of each process.
    :type sessions: list of (process, list of :class:`Listed`)
    :param report: takes a list with how far it has come in each process (``process``, ``total``,
        ``ended``, ``gone``), and returns what the caller gets; an exception gets it, too, as its
        ``result``.
    :param wanted: (optional) see :class:`_Ending`.
    :param by_server: (optional) see :class:`_Ending`.
    :return: that.
    :raises haproxyadmin.exceptions.HAProxyBaseError: the first error of a process that could not be
        reached, otherwise that all or some refuse.
    """
    endings = [_Ending(process, own, wanted, by_server) for process, own in sessions]
    try:
        outcomes = run_all([ending.shutdown_server() for ending in endings])
        seconds = max([ending.seconds_to_wait() for ending in endings] + [0])
        if seconds > 0:
            time.sleep(min(seconds, LASTING))
        outcomes = run_all([ending.look() if outcome is None else outcome
                            for ending, outcome in zip(endings, outcomes)])
        _check(endings, [ending.finish(outcome) for ending, outcome in zip(endings, outcomes)])
    except BaseException as error:
        error.result = report(endings)
        raise
    return report(endings)


def _check(endings, outcomes):
    answered = [(ending.process.process_nb, ending.process.socket_file, outcome)
                for ending, outcome in zip(endings, outcomes) if not isinstance(outcome, Exception)]
    refused = [ending for ending in endings if ending.refusal]
    try:
        raise_first_error(outcomes)
        if refused:
            check_command([(number, reply) for number, _, reply in answered])
    except HAProxyBaseError as error:
        error.set_results(*results_of(answered))
        if refused:
            error.set_context(refused[0].refused, refused[0].process.socket_file)
        raise
