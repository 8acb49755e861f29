# SPDX-License-Identifier: Apache-2.0
"""A change of all processes or of none: make it everywhere, or undo it where it was made."""
from haproxyadmin.combine import check_command, results_of
from haproxyadmin.exceptions import CommandFailed, HAProxyBaseError, HAProxySocketError
from haproxyadmin.internal.calls import check_outcomes, members_to_change, prepare
from haproxyadmin.internal.fanout import Operation, raise_first_error, run_once
from haproxyadmin.internal.grouping import renew
from haproxyadmin.protocol import replies

REPLACED = 'another process has taken over {0} during the change'


def change_all_or_none(members, do, undo, judge=check_command, then=None, may_be_made=None,
                       quick=False, run=run_once, strict=False):
    """Change all processes; if that fails in one of them, undo it in the others.

    Each process is sent a ``show info`` before and after the change, and before and after the
    change is undone, which shows whether another process has taken over its socket. No exchange of
    the change is repeated, because another process may answer by then.

    :param members: the objects that are changed, each of one process.
    :param do: takes a member, returns the operation that changes it; see
        :func:`haproxyadmin.internal.calls.prepare`.
    :param undo: takes a member and the reply to the change, returns the operation that undoes it;
        called only for processes in which the change was made.
    :param judge: (optional) see :func:`haproxyadmin.internal.calls.check_outcomes`.
    :param then: (optional) takes a member, returns an operation that is run once all processes have
        accepted the change; it belongs to the change, and is undone with it. It must fail in a
        process that does not have the change: nobody is asked then whether it was replaced, after
        it, and before it only if that was more than a second ago.
    :param may_be_made: (optional) takes a member and what the change has led to, returns True if
        there may be something to undo. By default that is a change that was accepted; with this,
        ``undo`` is also called after errors and interruptions, and has to find out.
    :param quick: (optional) True for a change of one command: who answers is only asked if it
        fails.
    :param run: (optional) runs operations; see :func:`haproxyadmin.internal.fanout.run_once`.
    :param strict: (optional) True to ask who answers also before ``then`` and after it, and to have
        ``undo`` called also for processes that have been replaced: it has to find out what such a
        one has.
    :return: the members that were changed, and the reply of each to the change.
    :rtype: tuple of list
    :raises haproxyadmin.exceptions.HAProxyBaseError: what
        :func:`haproxyadmin.internal.calls.check_outcomes` raises, or
        :class:`haproxyadmin.exceptions.CommandFailed` if a process was replaced. ``undone`` lists
        the sockets of the processes in which the change was undone, ``not_undone`` those in which
        it was, or may have been, made and not undone, ``replaced`` those that another process has
        taken over; whether that one has the change is not known.

    Any exception that interrupts it, such as :class:`KeyboardInterrupt`, gets the same three
    attributes, after the change was undone where it is known to be made.
    """
    members = members_to_change(members)
    if not quick and (strict or then is None or not all(
            member.hap_process.endpoint.was_just_asked() for member in members)):
        _raise_first(members, renew(members))
    members, operations = prepare(members, do)
    raise_first_error(operations)
    return _Transaction(
        members, operations, undo, judge, then, may_be_made, quick, run, strict).run()


def _raise_first(members, errors):
    raise_first_error([errors[member.hap_process.endpoint] for member in members
                       if member.hap_process.endpoint in errors])


def unless_refused(_, outcome):
    """Return True if a change may be made: it is, or the outcome is not known."""
    if isinstance(outcome, HAProxySocketError):
        return not outcome.undelivered
    return isinstance(outcome, Operation) or replies.is_success(outcome)


class _Transaction(object):
    """A change in progress.

    :param members: the objects that are changed.
    :param operations: the operation that changes each of them.
    """

    def __init__(self, members, operations, undo, judge, then, may_be_made, quick, run,
                 strict):
        self.members = members
        self.operations = operations
        self.undo = undo
        self.judge = judge
        self.then = then
        self.may_be_made = may_be_made
        self.quick = quick
        self.run_operations = run
        self.strict = strict
        # Which processes are to be changed.
        self.identities = [member.hap_process.endpoint.identity for member in members]
        self.outcomes = list(operations)
        # What was run last: the change, or what belongs to it.
        self.last, self.last_outcomes = operations, self.outcomes
        # Which processes have been replaced, and the errors of those that no longer answer.
        self.replaced = set()
        self.lost = {}
        self.undone = set()

    def run(self):
        """Make the change; return the members and their replies."""
        try:
            self.run_operations(self.operations, self.outcomes)
            if self.quick and self._are_accepted(self.outcomes):
                return self.members, list(self.outcomes)
            if self.then is not None and self._are_accepted(self.outcomes):
                self._look_strictly()
                self.last = [self.then(member) for member in self.members]
                self.last_outcomes = self.run_operations(self.last)
                if self._are_accepted(self.last_outcomes):
                    self._look_strictly()
                    return self.members, list(self.outcomes)
            self._look_who_answers()
            if not self.replaced and not self.lost and self._are_accepted(self.last_outcomes):
                return self.members, list(self.outcomes)
            self._raise_reason()
        except BaseException as error:
            try:
                self._undo()
            except BaseException as second:
                self._report(second)
                raise
            finally:
                self._report(error)
                # The frames of the traceback refer to this object.
                self.outcomes = self.last_outcomes = []
                self.lost = {}
            raise

    def _look_strictly(self):
        """Ask who answers, if that is asked for; raise the reason if that is somebody else."""
        if self.strict:
            self._look_who_answers()
            if self.replaced or self.lost:
                self._raise_reason()

    def _look_who_answers(self):
        """Note which processes have been replaced since the beginning, and which are lost."""
        errors = renew(self.members)
        for number, member in enumerate(self.members):
            endpoint = member.hap_process.endpoint
            if endpoint in errors:
                self.lost[number] = errors[endpoint]
            elif endpoint.identity is not self.identities[number]:
                self.replaced.add(number)

    def _raise_reason(self):
        """Raise the exception that says why the change is not made everywhere."""
        # What a process says that has taken over is about something else.
        same = [number for number in range(len(self.members)) if number not in self.replaced]
        # No list of the outcomes stays here, which would form a cycle with the exception.
        if same:
            check_outcomes([self.members[number] for number in same],
                           [self.last[number] for number in same],
                           [self._last_outcome(number) for number in same], self.judge)
        # All have accepted it, so one of them has been replaced since.
        socket_file = self.members[min(self.replaced)].socket_file
        error = CommandFailed(REPLACED.format(socket_file))
        error.set_results(*results_of((member.process_nb, member.socket_file, reply)
                                      for member, reply in zip(self.members, self.last_outcomes)))
        error.set_context(None, socket_file)
        raise error

    def _last_outcome(self, number):
        outcome = self.last_outcomes[number]
        return self.lost.get(number, outcome) if self._is_accepted(number, outcome) else outcome

    def _undo(self):
        """Undo the change in the processes in which it is made."""
        made = [number for number in range(len(self.members)) if self._is_to_be_undone(number)]
        if made:
            self._look_who_answers()
        made = [number for number in made if self._is_to_be_undone(number)]
        built = [self._build_undo(number) for number in made]
        outcomes = self.run_operations(built)
        if made:
            self._look_who_answers()
        self.undone.update(number for number, outcome in zip(made, outcomes)
                           if number not in self.replaced and self._is_accepted(number, outcome))

    def _build_undo(self, number):
        try:
            return self.undo(self.members[number], self.outcomes[number])
        except Exception as error:  # it must not keep the others from being undone
            return error

    def _is_to_be_undone(self, number):
        """Return True if a member is known to be changed, or may be and can be restored."""
        if number in self.lost or (number in self.replaced and not self.strict):
            return False
        if self.may_be_made is not None:
            return self._may_be_made(number)
        return self._is_accepted(number, self.outcomes[number])

    def _may_be_made(self, number):
        """Return True if a member is changed, or may be."""
        outcome = self.outcomes[number]
        if self.may_be_made is not None:
            return self.may_be_made(self.members[number], outcome)
        if isinstance(outcome, HAProxySocketError):
            return not outcome.undelivered
        # An operation was interrupted.
        return isinstance(outcome, Operation) or self._is_accepted(number, outcome)

    def _are_accepted(self, outcomes):
        return all(map(self._is_accepted, range(len(self.members)), outcomes))

    def _is_accepted(self, number, outcome):
        if isinstance(outcome, (Exception, Operation)):
            return False
        try:
            self.judge([(self.members[number].hap_process.endpoint.number, outcome)])
        except HAProxyBaseError:
            return False
        return True

    def _report(self, error):
        """Put into an exception in which processes the change was undone."""
        numbers = range(len(self.members))
        error.undone = self._sockets(self.undone)
        error.replaced = self._sockets(self.replaced)
        error.not_undone = self._sockets(
            number for number in numbers if number not in self.replaced
            and number not in self.undone and self._may_be_made(number))

    def _sockets(self, numbers):
        return [self.members[number].socket_file for number in sorted(numbers)]
