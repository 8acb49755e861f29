# SPDX-License-Identifier: Apache-2.0
"""Take a server out of rotation, wait until nobody uses it, and bring it back."""
import collections

from haproxyadmin.exceptions import CommandFailed, NoSuchObject, WaitTimeout
from haproxyadmin.internal.calls import members_to_change, read_each
from haproxyadmin.internal.endpoint import check_bool, check_option, check_seconds
from haproxyadmin.internal.looks import is_gone_everywhere, is_up, rows_operation, servers_up
from haproxyadmin.internal.rotation import Drained, Rotation
from haproxyadmin.internal.waiting import Wait
from haproxyadmin.protocol.commands import STATE_DRAIN, STATE_MAINT, STATE_READY
from haproxyadmin.protocol.words import check_number

__all__ = ['BroughtBack', 'Drained', 'OutOfRotation', 'TakenOut', 'bring_back', 'drain', 'take_out']

# How long before the deadline sessions are shut down: a share of the time-out, and at most so many
# seconds.
SHUTDOWN_SHARE, SHUTDOWN_SECONDS = 0.25, 1


class TakenOut(collections.namedtuple('TakenOut', Drained._fields + ('ended', 'tracked_by'))):
    """What :meth:`haproxyadmin.server.Server.takeout` has done.

    ``sessions``, ``seconds``, ``changed`` and ``reloaded`` are those of :class:`Drained`; ``ended``
    is how many sessions in current workers were shut down, and ``tracked_by`` lists the servers
    that track it and go with it, each ``'backend/server'``.
    """

    __slots__ = ()


class BroughtBack(collections.namedtuple('BroughtBack', 'seconds changed reloaded')):
    """What :meth:`haproxyadmin.server.Server.bringback` has done.

    ``seconds`` is how long it took, ``changed`` False if the state was set already, ``reloaded``
    True if a process was replaced meanwhile.
    """

    __slots__ = ()


class _Move(object):
    """One call that moves a server; ``_result()`` returns its result so far.

    :param members: the server in each process.
    :type members: list of :class:`haproxyadmin.internal._Server`
    :param wait: the deadline, and what reports progress.
    :type wait: haproxyadmin.internal.waiting.Wait
    """

    def __init__(self, members, wait):
        self.wait = wait
        self.rotation = Rotation(members, wait)

    def run(self):
        """Run it; any exception gets the result so far as its ``result``.

        :return: the result.
        """
        try:
            self.rotation.start()
            self._run()
        except BaseException as error:
            error.result = self._result()
            _add_note(error, self._note())
            raise
        return self._result()

    def _run(self):
        raise NotImplementedError

    def _result(self):
        raise NotImplementedError

    def _note(self):
        states = sorted(self.rotation.moved_to)
        if not states:
            return 'the state of server {0} was not changed'.format(self.rotation.name)
        return 'the state of server {0} was set to {1}, and remains so'.format(
            self.rotation.name, ' and '.join(states))

    def _too_late(self):
        rotation = self.rotation
        use = '{0} sessions and queued requests'.format(rotation.sessions)
        if not rotation.sessions:
            use = 'perhaps a request whose connection has failed and is tried again'
        return WaitTimeout('server {0} still has {1} after {2:g} s; its status is {3}'.format(
            rotation.name, use, self.wait.timeout, rotation.statuses()))


class _Drain(_Move):

    def _run(self):
        self.rotation.move_out(STATE_DRAIN)
        if not self.rotation.wait_until_idle():
            raise self._too_late()

    def _result(self):
        return Drained(self.rotation.sessions, self.wait.seconds_passed(), self.rotation.changed,
                       self.rotation.reloaded)


class _TakeOut(_Move):
    """See :func:`take_out` for the parameters."""

    def __init__(self, members, wait, drain_for, shutdown_sessions, keep_up):
        super(_TakeOut, self).__init__(members, wait)
        self._drain_for = drain_for
        # In seconds of the clock.
        self._shutdown_at = wait.deadline - min(SHUTDOWN_SECONDS, wait.timeout * SHUTDOWN_SHARE)
        self._shutdown_sessions = shutdown_sessions
        self._keep_up = keep_up
        self._ended = 0
        self._tracked_by = []

    def _run(self):
        rotation = self.rotation
        is_in_use = set(rotation.own_states().values()) != set([STATE_MAINT])
        self._look_at_others(is_in_use)
        if is_in_use and self._drain_for:
            rotation.move_out(STATE_DRAIN)
            rotation.wait_until_idle(self.wait.started + self._drain_for, confirmed=False)
        rotation.move_out(STATE_MAINT)
        if self._shutdown_sessions:
            if rotation.wait_until_idle(self._shutdown_at):
                return
            self._ended = rotation.shut_down()
        if not rotation.wait_until_idle():
            raise self._too_late()

    def _result(self):
        return TakenOut(self.rotation.sessions, self.wait.seconds_passed(), self.rotation.changed,
                        self.rotation.reloaded, self._ended, self._tracked_by)

    def _look_at_others(self, is_in_use):
        """Find the servers that go with the server, and count those that stay up.

        :param is_in_use: False if it is in maintenance everywhere, so that taking it out changes
            nothing for the others.
        :raises haproxyadmin.exceptions.CommandFailed: if too few others of the backend are up.
        """
        rotation = self.rotation
        backend, name = rotation.name.split('/', 1)
        dumps = rotation.attempt(lambda: read_each(rotation.members, rows_operation))
        tracking = rotation.find_followers(dumps)
        self._tracked_by = ['/'.join(names) for names in tracking]
        others = servers_up(dumps, backend) - set([name]) - set(
            server for proxy, server in tracking if proxy == backend)
        if is_in_use and self._keep_up and len(others) < self._keep_up:
            raise CommandFailed(
                '{0} is not taken out: keep_up is {1}; other servers of its backend that are up: '
                '{2}{3}'.format(
                    rotation.name, self._keep_up, ', '.join(sorted(others)) or 'none',
                    '; with it would go {0}'.format(', '.join(self._tracked_by))
                    if tracking else ''))


class _BringBack(_Move):
    """See :func:`bring_back`.

    :param states: the state to set in each process, by its socket; ready where there is none.
    :param sockets: the sockets of the processes in which the server has to be up; None for all.
    """

    def __init__(self, members, wait, states=None, sockets=None):
        super(_BringBack, self).__init__(members, wait)
        self._states = states or {}
        self._sockets = sockets

    def _run(self):
        every = [member.socket_file for member in self.rotation.members]
        self.rotation.move(dict((socket_file, self._states.get(socket_file, STATE_READY))
                                for socket_file in every))
        if not self.rotation.wait_until_up(every if self._sockets is None else self._sockets):
            raise WaitTimeout('server {0} is not up {1:g} s after its state was set: {2}'.format(
                self.rotation.name, self.wait.timeout, self.rotation.statuses()))

    def _result(self):
        return BroughtBack(self.wait.seconds_passed(), self.rotation.changed,
                           self.rotation.reloaded)


def _add_note(error, note):
    # From Python 3.11 on a traceback shows it.
    if hasattr(error, 'add_note'):
        error.add_note(note)


def drain(members, timeout, interval, progress):
    """Drain a server; see :meth:`haproxyadmin.server.Server.drain`.

    :param members: the server in each process.
    :type members: list of :class:`haproxyadmin.internal._Server`
    :rtype: Drained
    """
    return _Drain(members, Wait(timeout, interval, progress)).run()


def take_out(members, timeout, drain_for, shutdown_sessions, keep_up, interval, progress):
    """Take a server out of rotation; see :meth:`haproxyadmin.server.Server.takeout`.

    :param members: the server in each process.
    :type members: list of :class:`haproxyadmin.internal._Server`
    :rtype: TakenOut
    """
    wait = Wait(timeout, interval, progress)
    drain_for = _check_arguments(timeout, drain_for, shutdown_sessions, keep_up)
    return _TakeOut(members, wait, drain_for, shutdown_sessions, keep_up).run()


def _check_arguments(timeout, drain_for, shutdown_sessions, keep_up):
    """Return how long the server is in drain.

    :raises ValueError: for a wrong argument.
    """
    check_bool('shutdown_sessions', shutdown_sessions)
    if keep_up is not None:
        check_number(keep_up, 'keep_up')
    drain_for = timeout / 2.0 if drain_for is None else check_seconds('drain_for', drain_for)
    return check_option('drain_for', drain_for, drain_for <= timeout, 'at most timeout')


def bring_back(members, timeout, interval, progress):
    """Bring a server back; see :meth:`haproxyadmin.server.Server.bringback`.

    :param members: the server in each process.
    :type members: list of :class:`haproxyadmin.internal._Server`
    :rtype: BroughtBack
    """
    return _BringBack(members, Wait(timeout, interval, progress)).run()


class OutOfRotation(object):
    """A server that is out of rotation inside of a ``with`` statement.

    It is made by :meth:`haproxyadmin.server.Server.out_of_rotation`. ``taken`` is the result of
    taking it out, a :class:`TakenOut`; ``back`` is that of bringing it back, a
    :class:`BroughtBack`. Both are None before.

    :param members: the server in each process.
    :type members: list of :class:`haproxyadmin.internal._Server`
    :param back_within: seconds until it must be up again.
    :param restore_on_error: True to restore its state after an exception, too.
    :param how: the other arguments of :func:`take_out`.

    Usage::

        >>> out = hap.backend('backend_proc1').server('member1_proc1').out_of_rotation(timeout=30)
        >>> with out:
        ...     print(out.taken.changed, out.taken.sessions)
        ...
        True 0
        >>> out.back.changed
        True
    """

    def __init__(self, members, back_within, restore_on_error, **how):
        check_seconds('back_within', back_within)
        check_bool('restore_on_error', restore_on_error)
        # Their values are checked now, not by the `with` statement.
        Wait(how['timeout'], how['interval'], how['progress'])
        _check_arguments(how['timeout'], how['drain_for'], how['shutdown_sessions'], how['keep_up'])
        self.taken = None
        self.back = None
        self._members = members_to_change(members)
        self._back_within = back_within
        self._restore_on_error = restore_on_error
        self._how = how
        # Before: the state that was set in each process, who it was, and where the server was up.
        self._states, self._before = {}, {}
        self._was_up = []

    def __enter__(self):
        """Take the server out; return the :class:`TakenOut`."""
        rotation = Rotation(self._members, self._wait(self._how['timeout']))
        rotation.start()
        self._states = rotation.own_states()
        self._before = rotation.identities()
        self._was_up = [look.socket_file for look in rotation.looks if is_up(look)]
        try:
            self.taken = take_out(self._members, **self._how)
        except BaseException as error:
            if self._restore_on_error:
                self._restore_after(error)
            raise
        return self.taken

    def __exit__(self, kind, error, trace):
        """Restore the state that the server had, and wait until it is up where it was up before.

        If the server has been deleted, nothing is restored.

        :raises haproxyadmin.exceptions.HAProxySocketError: if a process cannot be reached; then no
            state is set, the server stays out of rotation in all processes.
        """
        if kind is None:
            try:
                self.back = self._restore(self._was_up)
            except NoSuchObject:
                # It may have been deleted on purpose.
                if not is_gone_everywhere(self._members):
                    raise
        elif self._restore_on_error:
            self._restore_after(error)

    def _restore(self, sockets):
        move = _BringBack(self._members, self._wait(self._back_within), self._states, sockets)
        back = move.run()
        return back._replace(reloaded=back.reloaded or move.rotation.was_replaced(self._before))

    def _restore_after(self, error):
        """Restore the state after an exception, which is raised even if this fails."""
        note = 'then the state of the server was restored'
        try:
            self.back = self._restore([])
        except Exception as second:
            note = 'then restoring the state of the server failed: {0}'.format(second)
            # On Python 2, error may be only the class.
            if isinstance(error, BaseException):
                error.not_undone = sorted(self._states)
        _add_note(error, note)

    def _wait(self, timeout):
        return Wait(timeout, self._how['interval'], self._how['progress'])


def __dir__():
    """List what is public; has an effect from Python 3.7 on."""
    return sorted(__all__)
