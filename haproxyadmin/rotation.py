# SPDX-License-Identifier: Apache-2.0
"""Take a server out of rotation, wait until nobody uses it, and bring it back."""
import collections

from haproxyadmin.exceptions import CommandFailed, HAProxyBaseError, WaitTimeout
from haproxyadmin.internal.calls import members_to_change, read_each
from haproxyadmin.internal.endpoint import check_option, check_seconds
from haproxyadmin.internal.looks import is_up, rows_operation, servers_up
from haproxyadmin.internal.rotation import Rotation
from haproxyadmin.internal.waiting import Wait
from haproxyadmin.protocol.commands import STATE_DRAIN, STATE_MAINT, STATE_READY
from haproxyadmin.protocol.words import check_number

__all__ = ['BroughtBack', 'Drained', 'OutOfRotation', 'TakenOut', 'bring_back', 'drain', 'take_out']

# How long before the deadline sessions are shut down: a share of the time-out, and at most so many
# seconds.
SHUTDOWN_SHARE, SHUTDOWN_SECONDS = 0.25, 1

# sessions: how many sessions and queued requests are left. seconds: how long it took. changed:
# False if it was so already. reloaded: True if a process was replaced meanwhile.
Drained = collections.namedtuple('Drained', 'sessions seconds changed reloaded')
# ended: how many sessions were shut down. tracked_by: the servers that go with it.
TakenOut = collections.namedtuple('TakenOut', Drained._fields + ('ended', 'tracked_by'))
BroughtBack = collections.namedtuple('BroughtBack', 'seconds changed reloaded')


def drain(members, timeout, interval, progress):
    """Drain a server; see :meth:`haproxyadmin.server.Server.drain`.

    :param members: the server in each process.
    :type members: list of :class:`haproxyadmin.internal._Server`
    :rtype: Drained
    """
    wait = Wait(timeout, interval, progress)
    rotation = Rotation(members, wait)

    def result():
        return Drained(rotation.sessions, wait.seconds_passed(), rotation.changed,
                       rotation.reloaded)
    with _Report(result, 'server {0} stays in drain'.format(rotation.name)):
        rotation.move_out(STATE_DRAIN)
        if not rotation.wait_until_idle():
            raise _too_late(rotation, wait, 'drain')
    return result()


def take_out(members, timeout, drain_for, shutdown_sessions, keep_up, interval, progress):
    """Take a server out of rotation; see :meth:`haproxyadmin.server.Server.takeout`.

    :param members: the server in each process.
    :type members: list of :class:`haproxyadmin.internal._Server`
    :rtype: TakenOut
    """
    wait = Wait(timeout, interval, progress)
    drain_for = _check_arguments(timeout, drain_for, keep_up)
    drained_at = wait.deadline - timeout + drain_for
    rotation = Rotation(members, wait)
    states = rotation.own_states()
    ended, tracked_by = [0], _check_others(rotation, members, states, keep_up)

    def result():
        return TakenOut(rotation.sessions, wait.seconds_passed(), rotation.changed,
                        rotation.reloaded, ended[0], tracked_by)
    with _Report(result, 'server {0} stays out of rotation'.format(rotation.name)):
        if drain_for and set(states.values()) != set([STATE_MAINT]):
            rotation.move_out(STATE_DRAIN)
            rotation.wait_until_idle(drained_at, confirmed=False)
        rotation.move_out(STATE_MAINT)
        idle = False
        if shutdown_sessions:
            idle = rotation.wait_until_idle(
                wait.deadline - min(SHUTDOWN_SECONDS, timeout * SHUTDOWN_SHARE))
            if not idle:
                ended[0] = rotation.sessions
                rotation.shut_down()
        if not idle and not rotation.wait_until_idle():
            raise _too_late(rotation, wait, 'maintenance')
    return result()


def _check_arguments(timeout, drain_for, keep_up):
    """Return how long the server is in drain.

    :raises ValueError: for a wrong argument.
    """
    if keep_up is not None:
        check_number(keep_up, 'keep_up')
    drain_for = timeout / 2.0 if drain_for is None else check_seconds('drain_for', drain_for)
    return check_option('drain_for', drain_for, drain_for <= timeout, 'at most timeout')


def _check_others(rotation, members, states, keep_up):
    """Return the servers that track the server, after counting those that stay up.

    :param states: the state that was set in each process.
    :param keep_up: how many have to stay up, or None.
    :raises haproxyadmin.exceptions.CommandFailed: if too few others of the backend are up.
    """
    backend, name = members[0].backendname, members[0].name
    dumps = rotation.attempt(lambda: read_each(rotation.members, rows_operation))
    tracking = rotation.find_followers(dumps)
    # Whoever is out already keeps nobody from being up.
    if keep_up and set(states.values()) != set([STATE_MAINT]):
        others = servers_up(dumps, backend) - set([name]) - set(
            server for proxy, server in tracking if proxy == backend)
        if len(others) < keep_up:
            raise CommandFailed(
                '{0} is not taken out: keep_up is {1}, and the other servers of its backend that '
                'are up are {2}{3}'.format(
                    rotation.name, keep_up, ', '.join(sorted(others)) or 'none',
                    '; with it would go {0}'.format(', '.join(map('/'.join, tracking)))
                    if tracking else ''))
    return ['/'.join(names) for names in tracking]


def bring_back(members, timeout, interval, progress):
    """Bring a server back; see :meth:`haproxyadmin.server.Server.bringback`.

    :param members: the server in each process.
    :type members: list of :class:`haproxyadmin.internal._Server`
    :rtype: BroughtBack
    """
    wait = Wait(timeout, interval, progress)
    rotation = Rotation(members, wait)
    sockets = [member.socket_file for member in rotation.members]
    return _bring_back(rotation, wait, dict.fromkeys(sockets, STATE_READY), sockets)


def _bring_back(rotation, wait, states, sockets):
    """Set states, and wait until the server is up in some processes.

    :param states: the state of each process by its socket.
    :param sockets: the sockets of the processes in which it has to be up.
    """
    def result():
        return BroughtBack(wait.seconds_passed(), rotation.changed, rotation.reloaded)
    with _Report(result, 'the state of server {0} is set already'.format(rotation.name)):
        rotation.move(states)
        if not rotation.wait_until_up(sockets):
            raise WaitTimeout('server {0} is not up {1:g} s after its state was set: {2}'.format(
                rotation.name, wait.timeout, rotation.statuses()))
    return result()


def _too_late(rotation, wait, state):
    return WaitTimeout('server {0} still has {1} sessions and queued requests after {2:g} s; it '
                       'stays in {3}'.format(rotation.name, rotation.sessions, wait.timeout, state))


class _Report(object):
    """Puts into any exception what has been done until then.

    :param result: returns it.
    :param note: what it means, for a traceback.
    """

    def __init__(self, result, note):
        self._result = result
        self._note = note

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        # On Python 2 it may be the class alone.
        if isinstance(error, BaseException):
            error.result = self._result()
            if hasattr(error, 'add_note'):
                error.add_note(self._note)


class OutOfRotation(object):
    """A server that is out of rotation inside of a ``with`` statement.

    It is made by :meth:`haproxyadmin.server.Server.out_of_rotation`. ``taken`` is what taking it
    out has led to, a :class:`TakenOut`; ``back`` is what bringing it back has led to, a
    :class:`BroughtBack`. Both are None before.

    :param members: the server in each process.
    :type members: list of :class:`haproxyadmin.internal._Server`
    :param back_within: seconds that it may take to come back.
    :param restore_on_error: True to restore its state after an exception, too.
    :param how: the other arguments of :func:`take_out`.
    """

    def __init__(self, members, back_within, restore_on_error, **how):
        check_seconds('back_within', back_within)
        # Their values are checked now, not by the `with` statement.
        Wait(how['timeout'], how['interval'], how['progress'])
        _check_arguments(how['timeout'], how['drain_for'], how['keep_up'])
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
        """Restore the state that the server had, and wait until it is up where it was."""
        if kind is None:
            self.back = self._restore(self._was_up)
        elif self._restore_on_error:
            self._restore_after(error)

    def _restore(self, sockets):
        wait = self._wait(self._back_within)
        rotation = Rotation(self._members, wait)
        states = dict((member.socket_file, self._states.get(member.socket_file, STATE_READY))
                      for member in rotation.members)
        replaced = rotation.was_replaced(self._before)
        back = _bring_back(rotation, wait, states, sockets)
        return back._replace(reloaded=back.reloaded or replaced)

    def _restore_after(self, error):
        """Restore the state after an exception; that one is raised, whatever happens here."""
        try:
            self.back = self._restore([])
        except HAProxyBaseError as second:
            if isinstance(error, BaseException):
                error.not_undone = sorted(self._states)
                if hasattr(error, 'add_note'):
                    error.add_note('and the state of the server was not restored: {0}'.format(
                        second))

    def _wait(self, timeout):
        return Wait(timeout, self._how['interval'], self._how['progress'])


def __dir__():
    """List what is public; has an effect from Python 3.7 on."""
    return sorted(__all__)
