# SPDX-License-Identifier: Apache-2.0
"""A change of all processes or of none: do it everywhere, or undo it where it was done."""
from haproxyadmin.combine import check_command
from haproxyadmin.exceptions import CommandFailed, HAProxyBaseError, HAProxySocketError
from haproxyadmin.internal.calls import check_outcomes, prepare
from haproxyadmin.internal.fanout import Operation, run_all
from haproxyadmin.internal.grouping import renew

REPLACED = 'another process has taken over {0} during the change'


def change_all_or_none(members, do, undo, judge=check_command):
    """Change all processes; if that fails in one of them, undo it in the others.

    Each process is sent a ``show info`` before the change and another one after it, which shows
    whether a process has been replaced in between, because then its change is lost.

    :param members: the objects that are changed, each of one process.
    :param do: takes a member, returns the operation that changes it; see
        :func:`haproxyadmin.internal.calls.prepare`.
    :param undo: takes a member and the reply to the change, returns the operation that undoes it;
        called only where the change was done.
    :param judge: (optional) see :func:`haproxyadmin.internal.calls.check_outcomes`.
    :return: the members that were changed, and the reply of each.
    :rtype: tuple of list
    :raises haproxyadmin.exceptions.HAProxyBaseError: what
        :func:`haproxyadmin.internal.calls.check_outcomes` raises, or
        :class:`haproxyadmin.exceptions.CommandFailed` if a process was replaced. ``undone`` lists
        the sockets of the processes in which the change was undone, ``not_undone`` those in which
        it was, or may have been, done and still is, ``replaced`` those that another process has
        taken over.

    Any exception that interrupts it, such as :class:`KeyboardInterrupt`, gets the same three
    attributes, after the change was undone where it is known to be done.
    """
    _raise_first(renew(members))
    members, operations = prepare(members, do)
    _raise_first(dict(enumerate(operations)))
    return _Transaction(members, operations, undo, judge).run()


class _Transaction(object):
    """One change on its way.

    :param members: the objects that are changed.
    :param operations: what changes each of them.
    """

    def __init__(self, members, operations, undo, judge):
        self.members = members
        self.operations = operations
        self.undo = undo
        self.judge = judge
        # Who is to be changed.
        self.identities = [member.hap_process.endpoint.identity for member in members]
        self.outcomes = list(operations)
        # Who has been replaced, and the errors of those who cannot be asked any more.
        self.replaced = set()
        self.lost = {}

    def run(self):
        """Make the change; return the members and their replies."""
        try:
            # Not repeated: another process may answer by then.
            run_all(self.operations, self.outcomes, repeat=False)
            self._find_replaced()
            if all(map(self._is_done, range(len(self.members)))):
                return self.members, list(self.outcomes)
            self._raise_reason()
        except BaseException as error:
            self._undo(error)
            raise

    def _raise_reason(self):
        """Raise the exception that says why the change is not done everywhere."""
        outcomes = [self.lost.get(number, outcome)
                    for number, outcome in enumerate(self.outcomes)]
        check_outcomes(self.members, self.operations, outcomes, self.judge)
        # All have accepted it, so one of them has been replaced since.
        number = min(self.replaced)
        socket_file = self.members[number].socket_file
        error = CommandFailed(REPLACED.format(socket_file))
        error.set_context(None, socket_file)
        raise error

    def _find_replaced(self):
        """Note which processes have been replaced since the beginning, and which are lost."""
        errors = renew(self.members)
        for number, member in enumerate(self.members):
            endpoint = member.hap_process.endpoint
            if endpoint in errors:
                self.lost[number] = errors[endpoint]
            elif endpoint.identity is not self.identities[number]:
                self.replaced.add(number)

    def _is_done(self, number):
        """Return True if a member is known to be changed."""
        return (number not in self.replaced and number not in self.lost
                and self._is_accepted(number, self.outcomes[number]))

    def _is_accepted(self, number, outcome):
        if isinstance(outcome, (Exception, Operation)):
            return False
        try:
            self.judge([(self.members[number].hap_process.endpoint.number, outcome)])
        except HAProxyBaseError:
            return False
        return True

    def _may_be_done(self, number):
        """Return True if it is not known whether a member is changed."""
        outcome = self.outcomes[number]
        if isinstance(outcome, HAProxySocketError):
            return not outcome.undelivered
        # An operation is what was interrupted.
        return isinstance(outcome, Operation) or (
            number in self.lost and self._is_accepted(number, outcome))

    def _undo(self, error):
        """Undo the change where it is done, and put into an exception what became of it."""
        numbers = range(len(self.members))
        done = [number for number in numbers if self._is_done(number)]
        undone, failed = set(), [number for number in numbers if self._may_be_done(number)]
        try:
            operations = [self.undo(self.members[number], self.outcomes[number])
                          for number in done]
            for number, outcome in zip(done, run_all(operations)):
                if self._is_accepted(number, outcome):
                    undone.add(number)
        finally:
            failed += [number for number in done if number not in undone]
            error.undone = self._sockets(undone)
            error.not_undone = self._sockets(
                number for number in failed if number not in self.replaced)
            error.replaced = self._sockets(self.replaced)

    def _sockets(self, numbers):
        return [self.members[number].socket_file for number in sorted(numbers)]


def _raise_first(errors):
    """Raise the first exception among the values, if there is one: nothing was sent then."""
    for error in errors.values():
        if isinstance(error, Exception):
            raise error
