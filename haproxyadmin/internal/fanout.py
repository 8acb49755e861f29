# SPDX-License-Identifier: Apache-2.0
"""Run operations on one process or many at the same time: the one place that fans out."""
import errno
import time

from haproxyadmin.combine import results_of
from haproxyadmin.exceptions import (CommandFailed, HAProxyBaseError, HAProxySocketError,
                                     SocketApplicationError, SocketConnectionError,
                                     SocketPermissionError)
from haproxyadmin.imports import _thread
from haproxyadmin.parsers.info import info2dict, is_info
from haproxyadmin.parsers.lines import first_line, split_lines
from haproxyadmin.protocol import commands, replies, transport, versions
from haproxyadmin.protocol.words import to_bytes, to_native

# Seconds that HAProxy has to answer even if the deadline is earlier.
SHORTEST = 0.1
# The errors of a master that reloads: nobody listens, or it has closed the connection.
WHILE_RELOADING = (errno.ECONNREFUSED, errno.ECONNRESET, errno.EPIPE, None)


class Operation(transport.Request):
    """A command for one process, and how its reply is interpreted.

    :param endpoint: where it goes: the socket, time-out, and how often to repeat it.
    :type endpoint: :class:`haproxyadmin.internal.endpoint.Endpoint`
    :param command: see :mod:`haproxyadmin.protocol.commands`.
    :type command: bytes
    :param interpret: takes the parsed reply; returns a value, or another :class:`Operation` to run
        next.
    :param reads: (optional) False for a command that changes something: it is repeated only while
        HAProxy has certainly not received it, and its reply may be a single newline.
    :param parse: (optional) takes the bytes of the reply; by default it splits them into lines.
    :param judged: (optional) False if ``interpret`` handles refusals; otherwise the level of the
        socket is added to one for lack of level, at the cost of one more command.
    :param conduct: (optional) see :class:`haproxyadmin.protocol.transport.Request`.

    ``rebuild`` is set if the command depends on the version: it builds the operation again.
    """

    __slots__ = ('endpoint', 'interpret', 'reads', 'parse', 'judged', 'rebuild')

    def __init__(self, endpoint, command, interpret, reads=True, parse=split_lines, judged=True,
                 conduct=transport.PLAIN):
        # Without the base class: a loop over all servers makes tens of thousands of operations.
        address = self.address = endpoint.address
        self.lookup = None
        if address.prefix:
            address.check_length(command)
            if not reads:
                self.lookup = endpoint.lookup
        self.command = command
        self.timeout = endpoint.timeout
        self.conduct = conduct
        self.endpoint = endpoint
        self.interpret = interpret
        self.reads = reads
        self.parse = parse
        self.judged = judged

    def interpret_reply(self, reply, identified=False):
        """Return what a reply amounts to: a value, an exception, or the next operation.

        :param identified: (optional) True if the process has been asked who it is, for an
            exception that says so.
        """
        if isinstance(reply, HAProxySocketError):
            if self.address.is_former and isinstance(reply, SocketApplicationError):
                # It ends, and the master closes the connection.
                self.endpoint.end()
            return reply
        if self.address.prefix and replies.is_without_worker(reply):
            return self._has_no_worker(reply)
        if not replies.is_whole(reply, self.reads):
            return self._unusable('the answer was cut short after {0} bytes, or this is not '
                                  'HAProxy: {1!r}'.format(len(reply), to_native(reply[:80])))
        if self.judged and not self.reads:
            message = to_native(reply.lstrip(b'\n').split(b'\n', 1)[0])
            if not replies.is_message(message):
                return self._unusable('not a reply to a change: {0!r}'.format(message[:80]))
        if self.judged and replies.is_denied(reply) and self.endpoint.may_have(
                versions.SHOW_LEVEL):
            return _LevelCheck(commands.SHOW_LEVEL, self, reply)
        return self.outcome_of(lambda: self.interpret(self.parse(reply)), identified, reply)

    def outcome_of(self, interpret, identified=True, reply=None):
        """Return what a function returns, or the exception for what it raises.

        :param interpret: interprets the reply, or a part of it.
        :param identified: (optional) see :meth:`interpret_reply`.
        :param reply: (optional) the reply; needed unless ``identified``.
        """
        try:
            return interpret()
        except CommandFailed as error:
            if self.endpoint.number is None and not identified and self.address.is_process:
                return _Identification(commands.SHOW_INFO, self, reply)
            error.set_results(*results_of([
                (self.endpoint.number, self.socket_file, str(error))]))
            error.set_context(commands.describe_line(self.command), self.socket_file)
            return transport.without_trace(error)
        except HAProxyBaseError as error:
            return transport.without_trace(error)
        except ValueError as error:
            if not transport.is_ours():
                raise
            # A malformed reply, or a field that should be a number and is not.
            return self._unusable(error)

    def may_repeat(self, outcome):
        """Return True if a failed exchange may be tried again."""
        if not isinstance(outcome, HAProxySocketError) or outcome.is_final:
            return False
        if self.endpoint.is_gone:
            return False
        # Permissions do not come back by themselves.
        return (self.reads or outcome.undelivered) and not isinstance(
            outcome, SocketPermissionError)

    @property
    def settles(self):
        """Whether an interruption waits for the answer: what is undone must have been done."""
        return not self.reads

    def limit(self, seconds):
        """Wait no longer than that for each part of an exchange; None for no limit."""
        if seconds is not None and (self.timeout is None or seconds < self.timeout):
            self.timeout = max(seconds, SHORTEST)

    def repeated(self):
        """Return what is sent after a failure: what depends on the version is built again."""
        # Not initialized: a loop over all servers makes tens of thousands of operations.
        return VersionCheck(self.endpoint, self.rebuild) if hasattr(self, 'rebuild') else self

    def _has_no_worker(self, reply):
        if self.address.is_former:
            self.endpoint.end()
        return SocketConnectionError(self.socket_file, '{0}: {1}'.format(
            self, to_native(reply.strip())), undelivered=True)

    def _unusable(self, reason):
        return SocketApplicationError(self.socket_file, '{0}: {1}'.format(self, reason))


class OwnCommand(Operation):
    """A command line of the caller, which the library never undoes."""

    __slots__ = ()

    settles = False


class OneTimeOperation(Operation):
    """An operation that is never repeated, such as a change of an entry by its reference.

    If nobody was listening, another process may be listening by now, for which the reference means
    a different entry.
    """

    __slots__ = ()

    def may_repeat(self, outcome):
        """Return False."""
        return False


class MasterOperation(Operation):
    """Looks for something at a master, which does not answer for a moment while it reloads."""

    __slots__ = ()

    def may_repeat(self, outcome):
        """Return True if the master may be reloading."""
        return (isinstance(outcome, (SocketApplicationError, SocketConnectionError))
                and outcome.errno in WHILE_RELOADING
                and super(MasterOperation, self).may_repeat(outcome))


class VersionCheck(Operation):
    """Asks for the version again before a command that depends on it is sent once more.

    :param rebuild: builds the operation that sends the command.
    """

    __slots__ = ()

    def __init__(self, endpoint, rebuild):
        super(VersionCheck, self).__init__(
            endpoint, commands.SHOW_INFO, self._build, judged=False)
        self.rebuild = rebuild

    def _build(self, lines):
        learn_info(self.endpoint, lines)
        try:
            operation = self.rebuild()
        except (CommandFailed, ValueError) as error:
            # Another version answers by now, which cannot do it: nothing was sent.
            refused = CommandFailed(str(error))
            refused.set_context(None, self.socket_file)
            raise refused
        if isinstance(operation, Operation):
            operation.rebuild = self.rebuild
        return operation


class _Inquiry(Operation):
    """Asks something about a process that has refused a command, for the exception.

    :param command: what is asked.
    :param refused: what was refused; its reply is interpreted once more afterwards.
    :type refused: :class:`Operation`
    :param refusal: the reply to it.
    :type refusal: bytes
    """

    __slots__ = ('refused', 'refusal')

    def __init__(self, command, refused, refusal):
        super(_Inquiry, self).__init__(refused.endpoint, command, None, judged=False)
        self.refused = refused
        self.refusal = refusal


class _Identification(_Inquiry):
    """Asks for the number of a process."""

    __slots__ = ()

    def interpret_reply(self, reply, identified=False):
        """Return what the refusal amounts to."""
        try:
            if isinstance(reply, bytes):
                learn_info(self.endpoint, split_lines(reply))
        except replies.Malformed:
            pass  # the exception does without the number
        return self.refused.interpret_reply(self.refusal, identified=True)


class _LevelCheck(_Inquiry):
    """Asks for the level of a socket whose level was too low for a command."""

    __slots__ = ()

    def interpret_reply(self, reply, identified=False):
        """Return what the refusal amounts to."""
        refused, refusal = self.refused, self.refusal
        if isinstance(reply, bytes) and to_native(reply.strip()) in replies.LEVELS:
            refusal = replies.denied_because(refusal, b'the level of ' + to_bytes(
                refused.socket_file) + b' is ' + reply.strip())
        refused.judged = False
        return refused.interpret_reply(refusal, identified)


def run_all(operations, outcomes=None, repeat=True, deadline=None):
    """Run all operations concurrently, each to its end.

    :param operations: any other value among them is its own outcome.
    :type operations: list of :class:`Operation`
    :param outcomes: (optional) a list to put the outcomes into as they arrive, for a caller that
        may be interrupted; until then it contains the operations.
    :param repeat: (optional) False to try each exchange only once.
    :param deadline: (optional) the time, as :func:`haproxyadmin.protocol.transport.now` tells it,
        by which every operation ends, at the latest with a time-out.
    :return: for each operation its value, or the exception that ended it.
    :rtype: list
    """
    outcomes = [] if outcomes is None else outcomes
    outcomes[:] = operations
    failures = [0] * len(outcomes)
    pending = _operations_in(outcomes)

    def follow(place, reply):
        number = pending[place]
        operation = outcomes[number]
        outcome = outcomes[number] = operation.interpret_reply(reply)
        if isinstance(outcome, Operation):
            outcome.limit(_seconds_left(deadline))
            if not isinstance(operation, VersionCheck):
                failures[number] = 0
            return outcome
        if isinstance(outcome, HAProxySocketError):
            operation.endpoint.doubt_version()
        if (repeat and operation.may_repeat(outcome)
                and operation.endpoint.tries_left(failures[number])
                and _seconds_left(deadline) != 0):
            failures[number] += 1
            outcomes[number] = operation.repeated()
        return None

    while pending:
        if deadline is not None:
            for number in pending:
                outcomes[number].limit(_seconds_left(deadline))
        transport.exchange_all([outcomes[number] for number in pending], follow)
        # What is still an operation has failed and is repeated.
        pending = _operations_in(outcomes)
        if pending:
            pause = max(outcomes[number].endpoint.retry_interval for number in pending)
            time.sleep(pause if deadline is None else min(pause, _seconds_left(deadline)))
    return outcomes


def run_once(operations, outcomes=None):
    """Run all operations concurrently, each exchange only once; see :func:`run_all`."""
    return run_all(operations, outcomes, repeat=False)


def run_to_the_end(operations, outcomes=None):
    """Like :func:`run_once`, but an interruption waits for the end.

    For what must not be cut short, because HAProxy would never recover from it.
    """
    outcomes, errors, ended = [] if outcomes is None else outcomes, [], []
    # Nothing of the module threading: an interruption in its Python code may leave locks behind.
    end = _thread.allocate_lock()
    end.acquire()

    def work():
        try:
            run_once(operations, outcomes)
        except BaseException as error:
            errors.append(error)
        finally:
            ended.append(True)
            end.release()
    # A signal interrupts the thread that waits, not the one that works.
    _thread.start_new_thread(work, ())
    while not ended:
        try:
            end.acquire()
        except BaseException as error:
            errors.insert(0, error)
    if errors:
        raise errors[0]
    return outcomes


def _seconds_left(deadline):
    return None if deadline is None else max(0, deadline - transport.now())


def _operations_in(outcomes):
    return [number for number, outcome in enumerate(outcomes) if isinstance(outcome, Operation)]


def run(operation):
    """Run one operation; return its value, or raise the exception that ended it."""
    return run_reads([operation])[0]


def run_reads(operations):
    """Run operations concurrently; return their values, or raise the first exception."""
    return raise_first_error(run_all(operations))


def raise_first_error(outcomes):
    """Return the outcomes, or raise the first exception in them; then the list is emptied."""
    error = next((outcome for outcome in outcomes if isinstance(outcome, Exception)), None)
    if error is None:
        return outcomes
    # The frames of the traceback must not keep the other outcomes alive, nor form a cycle with the
    # exception.
    del outcomes[:]
    try:
        raise error
    finally:
        del error


# Operations that any endpoint understands

def info_operation(endpoint, interpret):
    """Return the operation that asks for ``show info``, and remembers who has answered.

    :param interpret: takes the fields as a dict.
    """
    # Not judged: judging needs the version, which this reply contains.
    return Operation(endpoint, commands.SHOW_INFO,
                     lambda lines: interpret(learn_info(endpoint, lines)), judged=False)


def probe_operation(endpoint):
    """Return the operation that looks whether HAProxy answers.

    It looks once; where a master may be reloading, as often as ``retry`` says.
    """
    kind = MasterOperation if endpoint.address.stays_open else OneTimeOperation
    return kind(endpoint, commands.SHOW_INFO, lambda lines: learn_info(endpoint, lines),
                judged=False, conduct=transport.PROBE)


def learn_info(endpoint, lines):
    """Parse a reply to ``show info``, and have the endpoint remember who has answered.

    :rtype: dict
    :raises haproxyadmin.protocol.replies.Malformed: if the reply is not HAProxy's.
    """
    info = info2dict(lines)
    if not is_info(info):
        raise replies.Malformed('this is not HAProxy: {0!r}'.format(first_line(lines)[:80]))
    endpoint.learn(info)
    return info


def level_operation(endpoint):
    """Return the operation that asks for the level of a socket, one of ``replies.LEVELS``.

    Before 2.0 it distinguishes admin from user, and reports an operator as user.
    """
    if endpoint.may_have(versions.SHOW_LEVEL):
        return Operation(endpoint, commands.SHOW_LEVEL, first_line)
    return Operation(endpoint, commands.PROBE_ADMIN, replies.level_of_probe, parse=unchanged,
                     judged=False)


def unchanged(value):
    """Return the value itself."""
    return value
