# SPDX-License-Identifier: Apache-2.0
"""Take a server out of rotation and back, as seen by each process."""
import collections

from haproxyadmin.exceptions import CommandFailed, HAProxySocketError, SocketPermissionError
from haproxyadmin.internal.calls import change_each, members_to_change, refused_on, require_if_known
from haproxyadmin.internal.fanout import SHORTEST, run_reads
from haproxyadmin.internal.grouping import distinct
from haproxyadmin.internal.looks import (Former, Retries, followers_on, is_back, look_operation,
                                         tracking_servers)
from haproxyadmin.internal.masters import former_addresses
from haproxyadmin.internal.states import read_states
from haproxyadmin.internal.transaction import change_all_or_none
from haproxyadmin.parsers import stats
from haproxyadmin.parsers.servers_state import own_state
from haproxyadmin.protocol import commands, versions
from haproxyadmin.protocol.commands import STATE_DRAIN, STATE_MAINT, STATE_READY
from haproxyadmin.protocol.transport import now


class Drained(collections.namedtuple('Drained', 'sessions seconds changed reloaded')):
    """What :meth:`haproxyadmin.server.Server.drain` has done.

    ``sessions`` is how many sessions and queued requests are left, 0 unless an exception has it;
    ``seconds`` how long it took; ``changed`` is False if the state was set already, and
    ``reloaded`` True if a process was replaced meanwhile.
    """

    __slots__ = ()


# The states that are further out of rotation.
_FURTHER_OUT = {STATE_DRAIN: (STATE_MAINT,), STATE_MAINT: (), STATE_READY: ()}
# A request that leaves a queue shows as no session for a moment; in seconds.
CONFIRMATION = 0.02


class Rotation(object):
    """A server on its way out of rotation, or back.

    It uses process objects of its own, which try each exchange once and do not wait longer than the
    time that is left; an exchange that fails is repeated here, as ``retry`` says.

    :param members: the server in each process.
    :type members: list of :class:`haproxyadmin.internal._Server`
    :param wait: the deadline, and what reports progress.
    :type wait: haproxyadmin.internal.waiting.Wait

    ``looks`` is what each process reported last. ``changed`` is True once a state was set, to one
    of ``moved_to``, and ``reloaded`` once a process was replaced. Through a master, all former
    workers are looked at, too, until they end.
    """

    def __init__(self, members, wait):
        self._shared = distinct(members_to_change(members))
        # The servers that go with it, in each process.
        self._followers = [[] for _ in self._shared]
        self.members = [member.on(member.hap_process.apart()) for member in self._shared]
        self.name = '{0}/{1}'.format(members[0].backendname, members[0].name)
        self.looks = []
        self.moved_to = set()
        self.reloaded = False
        self._wait = wait
        # What each process is to have, by its socket, and which process it was.
        self._wanted = {}
        self._identities = None
        self._retries = Retries()
        # The server in former workers, once somebody waits until nobody uses it.
        self._former = Former(list)

    def start(self):
        """Look at the server for the first time, and note which processes answer.

        :raises haproxyadmin.exceptions.NotSupported: if the version of a process is too old.
        """
        for member in self._shared:
            require_if_known(member, versions.SERVERS_STATE)
        self._look()
        self._identities = self._who()

    @property
    def changed(self):
        """True once a state was set."""
        return bool(self.moved_to)

    @property
    def sessions(self):
        """How many sessions and queued requests the server had when it was last looked at."""
        return self._current_sessions() + sum(self._former.sessions)

    def _current_sessions(self):
        return sum(look.sessions for look in self.looks)

    def own_states(self):
        """Return the state that was set in each process, by its socket."""
        states = self.attempt(lambda: read_states(self.members, own_state))
        return dict(zip([member.socket_file for member in self.members], states))

    def identities(self):
        """Return which process answers on each socket."""
        return dict(zip([member.socket_file for member in self.members], self._identities))

    def was_replaced(self, before):
        """Return True if another process answers on a socket than before.

        :param before: see :meth:`identities`.
        """
        return any(socket_file in before and not before[socket_file].agrees(identity)
                   for socket_file, identity in self.identities().items())

    def find_followers(self, dumps):
        """Find the servers that track it and go with it, and look at their sessions, too.

        :param dumps: the rows of all servers in each process.
        :return: the names of the backend and server of each.
        :rtype: list of tuple
        """
        names = tracking_servers(dumps, *self.name.split('/', 1))
        self._followers = [followers_on(member.hap_process, names, dump)
                           for member, dump in zip(self.members, dumps)]
        return names

    # Setting a state

    def move_out(self, state):
        """Set a state where the server is not further out of rotation, in all processes or in none.
        """
        enough, before = (state,) + _FURTHER_OUT[state], self.own_states()
        self._move(dict((socket_file, own if own in enough else state)
                        for socket_file, own in before.items()), before)

    def move(self, states):
        """Set the state of each process, in all of them or in none.

        A process that is replaced later gets its state, too.

        :param states: the state of each process by its socket.
        """
        self._move(states, self.own_states())

    def _move(self, states, before):
        members = [member for member in self.members
                   if states[member.socket_file] != before[member.socket_file]]
        self._wanted = states
        if members:
            self.attempt(lambda: change_all_or_none(
                members, lambda member: _set_state(member, states),
                lambda member, _: _set_state(member, before)), limited=False)
            self.moved_to = set(states[member.socket_file] for member in members)

    def _move_replaced(self, members):
        """Set the state in processes that have taken over, unless it is further out there."""
        own = self.attempt(lambda: read_states(members, own_state))
        self._wanted = dict(self._wanted)
        self._wanted.update((member.socket_file, state) for member, state in zip(members, own)
                            if state in _FURTHER_OUT[self._wanted[member.socket_file]])
        members = [member for member, state in zip(members, own)
                   if state != self._wanted[member.socket_file]]
        if members:
            self.attempt(lambda: change_each(
                members, lambda member: _set_state(member, self._wanted)), limited=False)

    def leave(self, sockets):
        """Leave the processes on some sockets alone from now on."""
        kept = [number for number, member in enumerate(self.members)
                if member.socket_file not in sockets]
        self.members, self._shared, self._followers, self._identities, self.looks = [
            [values[number] for number in kept] for values in (
                self.members, self._shared, self._followers, self._identities, self.looks)]

    def shut_down(self):
        """End all sessions of the server, and of those that go with it; return how many there were.

        A former worker refuses to end sessions.
        """
        ended = self._current_sessions()
        followers = [server for servers in self._followers for server in servers]
        self.attempt(lambda: change_each(
            self.members + followers, lambda member: member.hap_process.change_operation(
                commands.shutdown_sessions(member.word()))), limited=False)
        return ended

    # Looking and waiting

    def _wait_for(self, is_done, what, until=None, confirmed=False):
        """Look at the server until it is as it should be in every process.

        :param is_done: takes a :class:`Look`.
        :param what: returns what is waited for, for the progress.
        :param until: (optional) when to stop waiting; by default at the deadline.
        :param confirmed: (optional) True to look once more when it is.
        :return: True if it is so, False if the time is over.
        """
        confirming = False
        while True:
            done, total = self._count(is_done, confirming), len(self.members) + len(self._former)
            self._wait.report(done, total, what())
            is_so = done == total
            if is_so and (confirming or not confirmed):
                return True
            confirming = is_so
            if not self._wait.pause(until, CONFIRMATION if is_so else None):
                # The last look is confirmed at once.
                return is_so and self._count(is_done, True) == len(self.members) + len(
                    self._former)

    def wait_until_idle(self, until=None, confirmed=True):
        """Look at the server until it has no session and no queued request.

        :param until: (optional) when to stop waiting; by default at the deadline.
        :param confirmed: (optional) False not to look once more when it is.
        :return: True if it is so, False if the time is over.
        :raises haproxyadmin.exceptions.CommandFailed: if somebody else puts it into rotation.
        """
        self._former = Former(lambda: self.attempt(self._find_former))
        return self._wait_for(self._is_idle, lambda: '{0}: {1} left'.format(
            self.name, self.sessions), until, confirmed)

    def wait_until_up(self, sockets):
        """Look at the server until it accepts traffic, as far as it does so in some processes.

        :param sockets: the sockets of these processes.
        :return: True if it is so, False if the time is over.
        """
        self._former = Former(list)
        return self._wait_for(
            lambda look: look.socket_file not in sockets or is_back(look),
            lambda: '{0}: {1}'.format(self.name, self.statuses()))

    def statuses(self):
        """Return the status of the server as a text: that of all processes, or of each."""
        texts = [look.status + (' with weight 0' if look.weight == '0' else '')
                 for look in self.looks]
        if len(set(texts)) == 1:
            return texts[0]
        return ', '.join('{0} on {1}'.format(text, look.socket_file)
                         for text, look in zip(texts, self.looks))

    def _count(self, is_done, with_states):
        """Look at the server; return in how many processes it is as it should be.

        In those of former workers it should not be used any more.

        :param with_states: True to check that nobody else has set another state.
        """
        if not self._is_in_time(lambda: self._look(with_states)):
            return 0
        replaced = self._find_replaced()
        if replaced:
            self.reloaded = True
            self._move_replaced(replaced)
            self._former.find()
        self._check_states(replaced)
        if not self._is_in_time(lambda: self._former.look(self._wait.deadline)):
            return 0
        return self._former.sessions.count(0) + len([
            look for member, look in zip(self.members, self.looks)
            if member not in replaced and is_done(look)])

    def _is_in_time(self, action):
        """Run a function; return False if the time is over before HAProxy answers."""
        try:
            action()
            return True
        except HAProxySocketError:
            if self._wait.seconds_left() > 0:
                raise
        return False

    def _look(self, with_states=False):
        self.looks = self.attempt(lambda: self._read(with_states))

    def _read(self, with_states):
        looks = run_reads([look_operation(member, followers, with_states)
                           for member, followers in zip(self.members, self._followers)])
        self._retries.note(looks, now())
        return looks

    def _is_idle(self, look):
        return not look.sessions and not self._retries.may_follow(look, now())

    def _find_former(self):
        """Return the server in the former workers of masters, which have requests of their own."""
        masters = dict((member.hap_process.endpoint.address.base, member)
                       for member in self.members
                       if member.hap_process.endpoint.address.number is not None)
        return [member.on(member.hap_process.apart(address)) for member in masters.values()
                for address in former_addresses(member.hap_process.endpoint)]

    def _find_replaced(self):
        """Return the members whose process was replaced since this was last asked."""
        before, self._identities = self._identities, self._who()
        return [member for member, old, new in zip(self.members, before, self._identities)
                if old is not new]

    def _who(self):
        return [member.hap_process.endpoint.identity for member in self.members]

    def _check_states(self, replaced):
        """Raise an exception if somebody else has put the server into rotation, or half-way."""
        for member, look in zip(self.members, self.looks):
            wanted = self._wanted.get(member.socket_file, STATE_READY)
            if wanted != STATE_READY and member not in replaced and not _is_out(look, wanted):
                raise refused_on(member, (
                    'the state of {0} was set to {1}, but its status is {2!r} on {3}: somebody '
                    'else, or its agent, has changed it').format(
                        self.name, wanted, look.status, member.socket_file))

    def attempt(self, action, limited=True):
        """Return what a function returns; repeat it while HAProxy does not answer, or is replaced.

        It is repeated at shorter intervals than elsewhere, for as long as it would be elsewhere.

        :param action: a function that uses the members.
        :param limited: (optional) False for a change, which is not given up because of the time.
        :raises Exception: the last one, if that does not help.
        """
        process = self._shared[0].hap_process
        failed_at = None
        while True:
            self._set_timeouts(limited)
            try:
                return action()
            except (CommandFailed, HAProxySocketError) as error:
                failed_at = failed_at or now()
                if not self._may_repeat(error, process, now() - failed_at):
                    raise
                self.reloaded = self.reloaded or bool(error.replaced)
            self._wait.pause(None, min(process.retry_interval, self._wait.interval))

    def _may_repeat(self, error, process, seconds):
        if isinstance(error, HAProxySocketError):
            if error.is_final or isinstance(error, SocketPermissionError):
                return False
        elif not error.replaced:
            return False
        patience = {None: 0, 0: self._wait.timeout}.get(
            process.retry, (process.retry or 0) * process.retry_interval)
        return self._wait.seconds_left() > 0 and seconds < patience

    def _set_timeouts(self, limited):
        left = max(self._wait.seconds_left(), SHORTEST)
        for member, shared in zip(self.members, self._shared):
            timeout = shared.hap_process.timeout
            member.hap_process.timeout = (
                timeout if not limited else left if timeout is None else min(left, timeout))


def _is_out(look, wanted):
    """Return True if a server is as far out of rotation as it should be.

    A status such as ``DOWN`` does not show it, so that the state decides, if it was asked for.

    :param wanted: the state that was set.
    """
    if look.own is not None:
        return look.own in (wanted,) + _FURTHER_OUT[wanted]
    if wanted == STATE_MAINT:
        return look.status.startswith('MAINT')
    return not stats.is_up(look.status)


def _set_state(member, states):
    return member.hap_process.change_operation(
        commands.set_state(member.word(), states[member.socket_file]))
