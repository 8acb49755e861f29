# SPDX-License-Identifier: Apache-2.0
"""Ask one process or many, and make one answer of theirs: the one place that fans out."""
import collections
import functools
import operator
import os
import time

import six

from haproxyadmin import utils
from haproxyadmin.exceptions import (CommandFailed, HAProxyBaseError, HAProxySocketError,
                                     IncosistentData, MultipleCommandResults,
                                     SocketApplicationError, SocketPermissionError)
from haproxyadmin.protocol import commands, replies, transport


class Ask(transport.Request):
    """A command for one process, and what makes a value of its reply.

    :param process: the :class:`haproxyadmin.internal._HAProxyProcess` to ask.
    :param command: see :mod:`haproxyadmin.protocol.commands`.
    :type command: bytes
    :param then: takes the parsed reply; returns a value, or another :class:`Ask`.
    :param reads: False for a command that changes something: it is sent again only while HAProxy
        has certainly not received it, and its reply may be of one newline.
    :param parse: (optional) takes the bytes of the reply; by default it makes lines of them.
    :param judged: (optional) False where ``then`` wants a refusal as HAProxy wrote it; else one
        for the socket's level has the level added to it, at the cost of one command more.
    :param conduct: (optional) see :class:`haproxyadmin.protocol.transport.Request`.

    ``rebuild`` is set where the command depends on the version: it builds the :class:`Ask` anew.
    """

    __slots__ = ('process', 'then', 'reads', 'parse', 'judged', 'rebuild')

    def __init__(self, process, command, then, reads=True, parse=utils.text_lines, judged=True,
                 conduct=transport.PLAIN):
        # Not through the base class: a loop over all servers makes tens of thousands of these.
        self.socket_file = process.socket_file
        self.command = command
        self.timeout = process.timeout
        self.conduct = conduct
        self.process = process
        self.then = then
        self.reads = reads
        self.parse = parse
        self.judged = judged

    def settle(self, reply):
        """Return what the reply amounts to: a value, an error, or another :class:`Ask`."""
        if isinstance(reply, HAProxySocketError):
            return reply
        if not replies.is_whole(reply, self.reads):
            return self._unusable('the answer was cut short after {0} bytes, or this is not '
                                  'HAProxy: {1!r}'.format(len(reply), commands.native(reply[:80])))
        if self.judged and not self.reads:
            said = commands.native(reply.lstrip(b'\n').split(b'\n', 1)[0])
            if not replies.is_message(said):
                return self._unusable('this is no answer to a change: {0!r}'.format(said[:80]))
        try:
            if (self.judged and replies.is_denied(reply)
                    and self.process.version >= commands.LEVEL_SINCE):
                return _AskLevel(self, reply)
            return self.then(self.parse(reply))
        except CommandFailed as error:
            error.set_account(*account([(self.process, str(error))]))
            error.set_context(commands.shown_line(self.command), self.socket_file)
            return transport.without_trace(error)
        except HAProxyBaseError as error:
            return transport.without_trace(error)
        except ValueError as error:
            if not transport.is_ours():
                raise
            # Malformed, or a field that is no number where one is due.
            return self._unusable(error)

    def may_repeat(self, outcome):
        """Return True if an exchange that failed may be tried again."""
        if not isinstance(outcome, HAProxySocketError):
            return False
        # Permissions do not come back by themselves.
        return (self.reads or outcome.undelivered) and not isinstance(
            outcome, SocketPermissionError)

    def again(self):
        """Return what is sent after a failure: what depends on the version is built anew."""
        # Not set in advance: a loop over all servers makes tens of thousands of these.
        return AskVersion(self.process, self.rebuild) if hasattr(self, 'rebuild') else self

    def _unusable(self, what):
        return SocketApplicationError(self.process.socket_file,
                                      '{0}: {1}'.format(self, what))


class Once(Ask):
    """A command that is never sent again, such as one on a reference of an entry.

    Where nobody listened, another process may by now, for which the reference stands for something
    else.
    """

    __slots__ = ()

    def may_repeat(self, outcome):
        """Return False."""
        return False


class AskVersion(Ask):
    """Asks for the version again before a command that depends on it is sent once more.

    :param rebuild: builds the :class:`Ask` of that command.
    """

    __slots__ = ()

    def __init__(self, process, rebuild):
        super(AskVersion, self).__init__(
            process, commands.SHOW_INFO, functools.partial(process.informed, self._build),
            judged=False)
        self.rebuild = rebuild

    def _build(self, info):
        try:
            ask = self.rebuild()
        except (CommandFailed, ValueError) as error:
            # It is another version by now, which cannot do it: nothing was sent.
            refused = CommandFailed(str(error))
            refused.set_context(None, self.socket_file)
            raise refused
        if isinstance(ask, Ask):
            ask.rebuild = self.rebuild
        return ask


class _AskLevel(Ask):
    """Asks for the level of a socket whose level was not enough for a command.

    :param denied: what was refused; it is settled once the level is known, or cannot be.
    :type denied: :class:`Ask`
    :param refusal: the reply to it.
    :type refusal: bytes
    """

    __slots__ = ('denied', 'refusal')

    def __init__(self, denied, refusal):
        super(_AskLevel, self).__init__(denied.process, commands.SHOW_LEVEL, None, judged=False)
        self.denied = denied
        self.refusal = refusal

    def settle(self, reply):
        """Return what the refusal amounts to."""
        denied, refusal = self.denied, self.refusal
        if isinstance(reply, bytes) and commands.native(reply.strip()) in replies.LEVELS:
            refusal = replies.denied_because(refusal, b'the level of ' + commands.to_bytes(
                denied.process.socket_file) + b' is ' + reply.strip())
        denied.judged = False
        return denied.settle(refusal)


def gather(asks):
    """Let all asks come to an end, at the same time.

    :param asks: what the processes are asked; a value among them stays what it is.
    :type asks: list of :class:`Ask`
    :return: for each its value, or the exception that ended it.
    :rtype: list
    """
    outcomes = list(asks)
    failures = [0] * len(outcomes)
    pending = [number for number, outcome in enumerate(outcomes) if isinstance(outcome, Ask)]

    def follow(place, answered):
        number = pending[place]
        ask = outcomes[number]
        outcome = outcomes[number] = ask.settle(answered)
        if isinstance(outcome, Ask):
            if not isinstance(ask, AskVersion):
                failures[number] = 0
            return outcome
        if isinstance(outcome, HAProxySocketError):
            ask.process.doubt_version()
        if ask.may_repeat(outcome) and ask.process.tries_left(failures[number]):
            failures[number] += 1
            outcomes[number] = ask.again()
        return None

    while pending:
        transport.exchange_all([outcomes[number] for number in pending], follow)
        # What is still to be asked has failed.
        pending = [number for number in pending if isinstance(outcomes[number], Ask)]
        if pending:
            time.sleep(max(outcomes[number].process.retry_interval for number in pending))
    return outcomes


def prepare(members, build):
    """Build what is sent to each process, before anything is sent.

    Where that depends on the version of a process, and this was last asked more than a second ago
    or an exchange has failed since, all processes are asked at the same time, and it is built anew.

    :param members: the objects that are read or changed, of one process each.
    :param build: takes a member, returns an :class:`Ask` or any other value; called again where
        the version has to be asked. What a version cannot do is a
        :class:`haproxyadmin.protocol.commands.NotForVersion` or a
        :class:`haproxyadmin.exceptions.CommandFailed`.
    :return: the members that are distinct now, and what was built for each, or the error of a
        process whose version cannot be asked.
    """
    # Whoever has two sockets may have been replaced by two processes.
    if not any(member.hap_process.double_of is not None
               and member.hap_process.double_of.has_old_version() for member in members):
        try:
            current = distinct(members)
            return current, [_build(member, build, refuse_old=True) for member in current]
        except _OldVersion:
            pass
    errors = renew([member.hap_process for member in members])
    current = distinct(members)
    return current, [errors.get(member.hap_process) or _build(member, build) for member in current]


class _OldVersion(Exception):
    """What was built depends on a version that may not be that of the process any more."""


def _build(member, build, refuse_old=False):
    process = member.hap_process
    read_before = process.version_read
    try:
        built = build(member)
    except (CommandFailed, commands.NotForVersion):
        # Any other error is of an argument that no version can take: nothing is sent then.
        if refuse_old and process.has_old_version():
            raise _OldVersion
        raise
    if process.version_read is not read_before:
        if refuse_old and process.has_old_version():
            raise _OldVersion
        if isinstance(built, Ask):
            built.rebuild = functools.partial(build, member)
    return built


def ask_each(members, build):
    """Return the values of what is built for each member, or raise the first error."""
    return answers(prepare(members, build)[1])


def change_each(members, build, judge=utils.check_command):
    """Send each process the change that is built for it, and judge what becomes of it.

    :return: see :func:`verdict`.
    """
    members, asks = prepare(members, build)
    return verdict(members, asks, judge)


# Which processes are one and the same

def distinct(members):
    """Return the members without those that a process has on another of its sockets.

    A process may have taken over the sockets of several, as a new version without ``nbproc`` does.
    """
    for member in members:
        if member.hap_process.double_of is not None:
            break
    else:
        return members
    kept = collections.OrderedDict()
    for member in members:
        process = member.hap_process
        owner = process.double_of or process
        if process is owner or owner not in kept:
            kept[owner] = member
    return list(kept.values())


def ask_identified(processes, build):
    """Return the values of what asks each process for its ``show info`` and perhaps more.

    It is asked again where two sockets turn out to be of one process, or no longer.
    """
    outcomes = gather([build(process) for process in distinct(processes)])
    if regroup(processes):
        outcomes = gather([build(process) for process in distinct(processes)])
    return values_of(outcomes)


def renew(processes):
    """Ask all processes for their versions and who they are.

    :return: the errors of those that could not be asked.
    :rtype: dict
    """
    asked = distinct(processes)
    outcomes = gather([process.ask_info(as_is) for process in asked])
    regroup(processes)
    return dict((process, outcome) for process, outcome in zip(asked, outcomes)
                if isinstance(outcome, Exception))


def regroup(processes):
    """Find out anew which processes are one, after they have been asked for ``show info``.

    :return: True if that has changed.
    :rtype: bool
    """
    before = [process.double_of for process in processes]
    # Whoever had both sockets has been replaced, perhaps by two processes, or does not answer.
    doubtful = [process for process in processes if process.double_of is not None
                and (process.double_of.identity is not process.double_while
                     or process.double_of.has_old_version())]
    outcomes = gather([process.ask_info(as_is) for process in doubtful])
    for process, outcome in zip(doubtful, outcomes):
        process.double_while = process.double_of.identity
        if not isinstance(outcome, Exception):
            process.double_of = None
    single = [process for process in processes if process.double_of is None]
    for group in groups(single):
        if len(group) > 1:
            kept = highest(group)
            for process in processes:
                if process is not kept and (process in group or process.double_of in group):
                    process.double_while = kept.identity
                    process.double_of = kept
    return before != [process.double_of for process in processes]


def groups(processes):
    """Put the processes together that are one, as their ``show info`` and their counters say.

    :rtype: list of list
    """
    found = []
    for process in processes:
        for group in found:
            if _is_one_process(group[0], process):
                group.append(process)
                break
        else:
            found.append([process])
    return found


def _is_one_process(one, other):
    """Return True if two sockets are of one process.

    In containers two processes may have the same pid, node, number and start. Each ``show info``
    counts as a request, so that the counter of one process grows whichever socket is asked; the
    counters of two only look like one when they are as close as what others ask meanwhile.
    """
    identities = one.identity, other.identity
    if (None in identities or not one.identity.agrees(other.identity)
            or other.identity in one.identity.others):
        return False
    highest_yet = -1
    for process in (one, other, one, other):
        requests = gather([process.ask_info(_requests)])[0]
        if transport.is_our_own(requests):
            raise requests
        if isinstance(requests, Exception) or (one.identity, other.identity) != identities:
            # It is not known; the next one to ask finds out.
            return False
        if requests <= highest_yet:
            one.identity.others.append(other.identity)
            other.identity.others.append(one.identity)
            return False
        highest_yet = requests
    return True


def _requests(info):
    return int(info.get('CumReq', -1))


def highest(processes):
    """Return the one whose socket has the highest level; the first of equals."""
    if len(processes) == 1:
        return processes[0]
    levels = gather([process.ask_level() for process in processes])
    for level in levels:
        if transport.is_our_own(level):
            raise level
    ranks = [replies.LEVELS.index(level) if level in replies.LEVELS else -1 for level in levels]
    return processes[ranks.index(max(ranks))]


def answer(ask):
    """Return the value of one ask, or raise what ended it."""
    return answers([ask])[0]


def answers(asks):
    """Return the values of many, asked at the same time, or raise the first error of them."""
    return values_of(gather(asks))


def values_of(outcomes):
    """Return the outcomes of reads, or raise the first error among them; the list is empty then."""
    error = next((outcome for outcome in outcomes if isinstance(outcome, Exception)), None)
    if error is None:
        return outcomes
    # The frames that the traceback refers to must keep neither what the others replied nor, in a
    # circle, the exception.
    del outcomes[:]
    try:
        raise error
    finally:
        del error


def verdict(members, asks, judge=utils.check_command):
    """Send a change to all members, at the same time, and judge what becomes of it.

    :param members: the objects that are changed, with ``process_nb`` and ``socket_file``.
    :param asks: an :class:`Ask` for each of them.
    :param judge: takes the list of ``(process number, reply)``.
    :return: True when every process accepted it.
    :rtype: bool
    :raises haproxyadmin.exceptions.HAProxyBaseError: the first error of a process that could not be
        talked to, else what the judge raises; ``results`` and ``by_socket`` tell what the
        processes that did answer said, ``command`` and ``socket_file`` what the first that refused
        was sent.
    """
    outcomes = gather(asks)
    answered = [(member, outcome) for member, outcome in zip(members, outcomes)
                if not isinstance(outcome, Exception)]
    results = [(member.process_nb, outcome) for member, outcome in answered]
    try:
        values_of(outcomes)
        return judge(results)
    except HAProxyBaseError as error:
        error.set_account(*account(answered))
        if isinstance(error, (CommandFailed, MultipleCommandResults)):
            _set_context(error, members, asks, outcomes, judge)
        raise


def _set_context(error, members, asks, outcomes, judge):
    """Let an error tell the command that the first process refused, and its socket."""
    for member, ask, outcome in zip(members, asks, outcomes):
        if isinstance(outcome, Exception):
            continue
        try:
            judge([(member.process_nb, outcome)])
        except CommandFailed:
            error.set_context(commands.shown_line(ask.command), member.socket_file)
            return


def account(told):
    """Return what members told as the ``results`` and ``by_socket`` of an exception.

    :param told: list of ``(member, value)``.
    :rtype: tuple of list
    """
    return ([(member.process_nb, value) for member, value in told],
            [(member.socket_file, value) for member, value in told])


def refusal(lines):
    """Return the error that a reply is where data were asked for."""
    if not replies.is_message(first_line(lines)):
        return replies.Malformed('this is not the answer: {0!r}'.format(first_line(lines)[:80]))
    # 1.7.0 answers a lookup in a MAP with nothing at all.
    return CommandFailed(whole_text(lines) or replies.NOTHING)


def slots_of(instance):
    """Return the values of an object's slots, for pickle on Python 2."""
    return [getattr(instance, name) for name in _slots(instance)]


def set_slots(instance, values):
    """Set the slots of an object to what :func:`slots_of` returned."""
    for name, value in zip(_slots(instance), values):
        setattr(instance, name, value)


def _slots(instance):
    return [name for kind in type(instance).__mro__ for name in getattr(kind, '__slots__', ())]


def first_line(lines):
    """Return the first line of a reply, or ``''``."""
    return lines[0] if lines else ''


def whole_text(lines):
    """Return a reply as one text."""
    return '\n'.join(lines)


# Shorter names are too alike.
SHORTEST_SLIP = 4

by_name = operator.attrgetter('name')


def merge(lists, key=by_name):
    """Put the objects of all processes together that stand for one thing.

    :param lists: for each process its objects, in HAProxy's order.
    :param key: (optional) returns what is the same for such objects; their name.
    :return: the objects of each thing, things in the order of the first process that has them.
    :rtype: list of list
    """
    things = collections.OrderedDict()
    for members in lists:
        # What one process lists twice is one thing; the last one counts, as in its rows by name.
        for name, member in collections.OrderedDict(
                (key(member), member) for member in members).items():
            if name in things:
                things[name].append(member)
            else:
                things[name] = [member]
    return list(things.values())


def agreed(members, values):
    """Return the value that all members hold.

    :raises haproxyadmin.exceptions.IncosistentData: when they do not; ``results`` and
        ``by_socket`` tell what each holds.
    """
    try:
        return utils.compare_values([(member.process_nb, value)
                                     for member, value in zip(members, values)])
    except IncosistentData as error:
        error.set_account(*account(list(zip(members, values))))
        raise


def only(things, noun, name, where=''):
    """Return the one thing of a name.

    :param where: (optional) where it was looked for, for the message.
    :raises ValueError: when there is none; the message tells the nearest names.
    """
    name = commands.native(name)
    for thing in things:
        # By name, also where an object stands for its own.
        if thing.name == name:
            return thing
    raise ValueError('no {0} {1!r}{2}{3}'.format(
        noun, name, where, utils.nearest_or_all(name, set(thing.name for thing in things))))


class Finds(object):
    """Where one thing was found; its object of each process is made when it is needed.

    A big configuration has tens of thousands of servers, most of which are only looked at, and
    every object costs the garbage collector time.

    :param listings: what each process lists, in the same order.
    :type listings: list of :class:`haproxyadmin.internal.server._Listing`
    :param place: where in each of them it stands.
    """

    __slots__ = ('name', '_listings', '_place', '_made')

    def __init__(self, listings, place):
        self.name = listings[0].names[place]
        self._listings = listings
        self._place = place
        self._made = None

    def __len__(self):
        return len(self._objects())

    def __getitem__(self, place):
        return self._objects()[place]

    def __iter__(self):
        return iter(self._objects())

    def __reduce__(self):
        # As the list that it stands for, without what else the listings hold.
        return (list, (self._objects(),))

    @property
    def in_memory(self):
        """True where the rows never change."""
        return self._listings[0].in_memory

    def rows(self):
        """Return the row of each process, as it was listed."""
        return [listing.row(self._place) for listing in self._listings]

    def fields(self, name):
        """Return a field of each row, as it was listed."""
        return [listing.field(self._place, name) for listing in self._listings]

    def _objects(self):
        if self._made is None:
            self._made = [listing.server(self._place) for listing in self._listings]
        return self._made


class Checked(object):
    """An object that does not take a wrong assignment for an attribute of its own.

    A name that resembles a public one of the class, and a property that cannot be set, are an
    :class:`AttributeError`. A program may attach any other attribute.
    """

    def __setattr__(self, name, value):
        if name not in self.__dict__ and not name.startswith('_'):
            _check_assignment(type(self), name)
        super(Checked, self).__setattr__(name, value)


# What sets a property whose setter is not called after it.
_SETTERS = {'status': 'setstate'}


def _check_assignment(kind, name):
    """Refuse an assignment that would do nothing but hide a mistake."""
    known = getattr(kind, name, None)
    if isinstance(known, property) and known.fset is None:
        setter = _SETTERS.get(name, 'set' + name)
        raise AttributeError('{0}.{1} cannot be set{2}'.format(
            kind.__name__, name, ', use {0}()'.format(setter) if hasattr(kind, setter) else ''))
    if known is None and not hasattr(kind, name):
        for own in dir(kind):
            if not own.startswith('_') and _is_slip(name, own):
                raise AttributeError('{0} has no attribute {1!r}; did you mean {2!r}?'.format(
                    kind.__name__, name, own))


def _is_slip(name, own):
    """Return True if a name is another one with one slip of the pen, or in another spelling.

    A plural is no slip, nor is a number at the end: programs name what they attach so.
    """
    name, own = [text.lower().replace('_', '') for text in (name, own)]
    if name == own:
        return True
    if len(name) < SHORTEST_SLIP or not name.isalpha() or name + 's' == own or own + 's' == name:
        return False
    start = len(os.path.commonprefix([name, own]))
    name, own = name[start:][::-1], own[start:][::-1]
    end = len(os.path.commonprefix([name, own]))
    name, own = name[end:], own[end:]
    return max(len(name), len(own)) == 1 or (len(name) == 2 and name == own[::-1])


class Facade(Checked):
    """One frontend, backend or server over all processes that have it.

    :param members: its objects, one for each process.
    :type members: list
    """

    _METRICS = ()
    _REQUESTS = 'stot'
    # Takes an object; returns what is the same for two that are equal. A set of all servers
    # compares those of one name in thousands of backends, each with each.
    _IDENTITY = operator.attrgetter('_name')

    def __init__(self, members):
        if not isinstance(members, Finds) and not members:
            raise ValueError('{0} needs the object of at least one process'.format(
                self.__class__.__name__))
        # Not by assignment, which is checked: there may be tens of thousands of these.
        listed = isinstance(members, Finds)
        attributes = self.__dict__
        # One for each socket, also where sockets turn out to be of one process.
        attributes['_found'] = members = members if listed else list(members)
        attributes['_name'] = members.name if listed else members[0].name

    def __repr__(self):
        return '{0}({1!r}, processes={2})'.format(
            self.__class__.__name__, self.name, self.process_nb)

    def __eq__(self, other):
        if isinstance(other, self.__class__):
            return self._IDENTITY(self) == self._IDENTITY(other)
        if isinstance(other, six.string_types):
            return self.name == commands.native(other)
        return NotImplemented

    def __ne__(self, other):
        equal = self.__eq__(other)
        return equal if equal is NotImplemented else not equal

    def __hash__(self):
        # Whatever else distinguishes it: it equals its name.
        return hash(self.name)

    @property
    def _members(self):
        return self._found if self._is_in_memory() else distinct(self._found)

    def _is_in_memory(self):
        return isinstance(self._found, Finds) and self._found.in_memory

    @property
    def name(self):
        """The name; costs nothing.

        :rtype: str
        """
        return self._name

    @property
    def process_nb(self):
        """The numbers of the processes that have it, ascending; costs nothing.

        From 2.5 on each is 1.

        :rtype: list of int
        """
        return [member.process_nb for member in self._members]

    @property
    def requests(self):
        """How many requests all processes together have handled.

        HTTP requests of a frontend (``req_tot`` of ``show stat``), sessions of a backend or server
        (``stot``).

        :rtype: int
        """
        return self._aggregated(self._REQUESTS)

    @property
    def status(self):
        """The status, in HAProxy's words (``status`` of ``show stat``).

        :rtype: str
        :raises haproxyadmin.exceptions.IncosistentData: when it differs between processes.
        """
        return self._agreed('status')

    def metric(self, name):
        """Return a metric over all processes, as ``METRICS_SUM`` and ``METRICS_AVG`` say.

        Sends one ``show stat`` to each process (management guide, "show stat").

        :param name: a name of the documented list for this kind of object, or any other figure
            for which the running HAProxy reports a value: the names of :meth:`metrics`.
        :type name: str
        :return: the sum or the average; 0 for a documented name that HAProxy does not report.
        :rtype: int
        :raises ValueError: for any other name, also one that only another kind of object has.
        """
        return utils.metric(name, self._METRICS, self._rows)

    def metric_per_process(self, name):
        """Return a metric of each process; see :meth:`metric`.

        :param name: see :meth:`metric`.
        :type name: str
        :return: list of ``(process number, number)``.
        :rtype: list of tuple
        :raises ValueError: see :meth:`metric`.
        """
        return self._per_process(self._metric_of_each(name))

    def metric_per_socket(self, name):
        """Return a metric of each process by its socket; see :meth:`metric`.

        From HAProxy 2.5 on the number of every process is 1.

        :param name: see :meth:`metric`.
        :type name: str
        :return: list of ``(socket file, number)``.
        :rtype: list of tuple
        :raises ValueError: see :meth:`metric`.
        """
        return self._per_socket(self._metric_of_each(name))

    def metrics(self):
        """Return all metrics over all processes; costs what :meth:`metric` costs.

        :return: ``{name: number}``: the documented names for this kind of object, and every other
            figure that the running HAProxy reports for it.
        :rtype: dict
        """
        return utils.aggregates(self._METRICS, utils.columns(self._rows()))

    def requests_per_process(self):
        """Return how many requests each process has handled, as :attr:`requests` counts them.

        :return: list of ``(process number, requests)``.
        :rtype: list of tuple
        """
        return self._per_process(self._requests_of_each())

    def requests_per_socket(self):
        """Return how many requests each process has handled, by its socket.

        :return: list of ``(socket file, requests)``.
        :rtype: list of tuple
        """
        return self._per_socket(self._requests_of_each())

    def stats_per_process(self):
        """Return all statistics of each process; sends one ``show stat`` to each.

        :return: list of ``(process number, dict)``; the dict holds HAProxy's own text per field.
        :rtype: list of tuple
        """
        return self._per_process(map(utils.row2dict, self._rows()))

    def stats_per_socket(self):
        """Return all statistics of each process by its socket; sends one ``show stat`` to each.

        :return: list of ``(socket file, dict)``; the dict holds HAProxy's own text per field.
        :rtype: list of tuple
        """
        return self._per_socket(map(utils.row2dict, self._rows()))

    def _per_process(self, values):
        return [(member.process_nb, value) for member, value in zip(self._members, values)]

    def _per_socket(self, values):
        return [(member.socket_file, value) for member, value in zip(self._members, values)]

    def _metric_of_each(self, name):
        return [utils.aggregate(name, [text])
                for text in utils.metric_texts(name, self._METRICS, self._rows)]

    def _requests_of_each(self):
        return [utils.aggregate(self._REQUESTS, [text]) for text in self._fields(self._REQUESTS)]

    def _rows(self):
        if self._is_in_memory():
            return self._found.rows()
        return answers([member.ask_row() for member in self._members])

    def _fields(self, name):
        if self._is_in_memory():
            return self._found.fields(name)
        return utils.fields(self._rows(), name)

    def _aggregated(self, name):
        return utils.aggregate(name, self._fields(name))

    def _agreed(self, name, convert=None):
        texts = self._fields(name)
        return agreed(self._members, [convert(text) for text in texts] if convert else texts)

    def _first(self, name):
        """Return a field of the first process, as an integer; asks no other process."""
        return self._members[0].number(name)

    def _change(self, build, judge=utils.check_command):
        """Send each process the command that is built for it.

        :param build: takes a member; see :func:`prepare`.
        """
        return change_each(
            self._live(), lambda member: member.hap_process.ask_change(build(member)), judge)

    def _live(self):
        """Return the members as HAProxy itself answers for them; one for each socket."""
        return [member.live for member in self._found]


def as_is(value):
    """Return a value as it is."""
    return value
