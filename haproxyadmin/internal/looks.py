# SPDX-License-Identifier: Apache-2.0
"""Look at a server: whether it is up, and who uses it."""
import collections

from haproxyadmin.exceptions import NoSuchObject
from haproxyadmin.internal.backend import _Backend
from haproxyadmin.internal.fanout import (Operation, info_operation, raise_first_error, run_all,
                                          unchanged)
from haproxyadmin.internal.server import _Server
from haproxyadmin.internal.states import state_operation
from haproxyadmin.parsers import stats
from haproxyadmin.parsers.servers_state import own_state
from haproxyadmin.parsers.sessions import count_sessions
from haproxyadmin.protocol import commands

# A second after a connection to a server has failed, HAProxy tries it again. Until then the request
# is no session of the server, and in no queue. With the time that it takes to look.
RETRY_SECONDS = 1.2
# A server without a new session for so long has no such request: nobody waits so long for a
# connection.
LONG_IDLE = 60

# What the process on a socket reports: the status, the weight as text, how many sessions and queued
# requests the server has, how many connections to it have failed and were tried again, and for how
# many seconds it has had no new session, -1 if it never had one. own: the state that was set, None
# if that was not asked for.
Look = collections.namedtuple(
    'Look', 'socket_file status weight sessions retries idle_seconds own')


def is_up(look):
    """Return True if a server accepts new traffic."""
    return stats.accepts_traffic(look.status, look.weight)


def is_back(look):
    """Return True if a server accepts new traffic, and its health is known."""
    return stats.is_settled(look.status) and look.weight != '0'


def look_operation(member, followers, with_state):
    """Return the operation that looks at a server; its value is a :class:`Look`.

    Afterwards it asks who has answered: an answer of the former process is then noticed, too.

    :type member: haproxyadmin.internal._Server
    :param followers: the servers whose sessions count, too.
    :param with_state: True to ask for the state that was set, too.
    """
    others = iter(followers)

    def begin(row):
        return ask_next(_count_row(Look(
            member.socket_file, stats.field(row, 'status'), stats.field(row, 'weight'), sessions=0,
            retries=0, idle_seconds=-1, own=None), row))

    def ask_next(look):
        other = next(others, None)
        if other is not None:
            return other.row_operation(lambda row: ask_next(_count_row(look, row)))
        if with_state:
            return state_operation(member, lambda state: end(look._replace(own=own_state(state))))
        return end(look)

    def end(look):
        return info_operation(member.hap_process.endpoint, lambda info: look)
    return member.row_operation(begin)


def _count_row(look, row):
    """Return a look with what a row adds to it."""
    idle_seconds = int(stats.field(row, 'lastsess') or 0)
    return look._replace(
        sessions=look.sessions + _sessions_of(row),
        retries=look.retries + int(stats.field(row, 'wretr') or 0),
        idle_seconds=min([seconds for seconds in (look.idle_seconds, idle_seconds)
                          if seconds >= 0] or [-1]))


def _sessions_of(row):
    return sum(int(stats.field(row, name) or 0) for name in ('scur', 'qcur'))


class Retries(object):
    """Notes when connections fail: the requests may be about to be tried again."""

    def __init__(self):
        self._counts = {}
        self._since = {}

    def note(self, looks, time):
        """Note what processes report."""
        for look in looks:
            before = self._counts.get(look.socket_file)
            # At the beginning it is not known when they failed.
            long_ago = before is None and not 0 <= look.idle_seconds <= LONG_IDLE
            if look.retries != (before or 0) and not long_ago:
                self._since[look.socket_file] = time
            self._counts[look.socket_file] = look.retries

    def may_follow(self, look, time):
        """Return True if a request may be about to be tried again."""
        since = self._since.get(look.socket_file)
        return since is not None and time - since < RETRY_SECONDS


class Former(object):
    """A server in former workers, until they end.

    :param find: returns the server in each of them.
    """

    def __init__(self, find):
        self._find = find
        self.find()

    def __len__(self):
        return len(self.sessions)

    def find(self):
        """Find the former workers."""
        self._members = self._find()
        # How many sessions it has in each.
        self.sessions = [0] * len(self._members)

    def look(self, deadline):
        """Look at the server, and forget workers that have ended.

        :param deadline: see :func:`haproxyadmin.internal.fanout.run_all`.
        """
        outcomes = run_all([member.row_operation(_sessions_of) for member in self._members],
                           repeat=False, deadline=deadline)
        # Before 2.5, a worker that is stopping does not list all of its servers.
        outcomes = run_all([
            _sessions_operation(member) if isinstance(outcome, NoSuchObject) else outcome
            for member, outcome in zip(self._members, outcomes)], repeat=False, deadline=deadline)
        pairs = [(member, outcome) for member, outcome in zip(self._members, outcomes)
                 if not member.hap_process.endpoint.is_gone]
        self._members = [member for member, _ in pairs]
        self.sessions = raise_first_error([outcome for _, outcome in pairs])


def _sessions_operation(member):
    """Return the operation that counts the sessions of a server in the list of all sessions."""
    return Operation(member.hap_process.endpoint, commands.SHOW_SESSIONS,
                     lambda lines: count_sessions(lines, member.backendname, member.name))


def is_gone_everywhere(members):
    """Return True if no process has the server any more."""
    return all(isinstance(outcome, NoSuchObject)
               for outcome in run_all([member.row_operation() for member in members]))


# Other servers

def tracking_servers(dumps, backend, name):
    """Return the servers that track a server, directly or not, as a sorted list of names.

    :param dumps: the rows of all servers in each process.
    :rtype: list of tuple
    """
    targets = {}
    for dump in dumps:
        for proxy, server, target in dump.servers_with('tracked', '/'):
            targets[proxy, server] = tuple(target.split('/', 1))
    found, wanted = set(), {(backend, name)}
    while wanted:
        wanted = set(server for server, target in targets.items()
                     if target in wanted and server not in found)
        found |= wanted
    return sorted(found)


def servers_up(dumps, backend):
    """Return the names of the servers of a backend that accept new traffic in every process.

    :param dumps: the rows of all servers in each process.
    :rtype: set
    """
    return set.intersection(*[
        set(name for name, row in dump.servers_of(backend)
            if stats.accepts_traffic(stats.field(row, 'status'), stats.field(row, 'weight')))
        for dump in dumps])


def rows_operation(member):
    """Return the operation that reads the rows of all servers; its value is a dump."""
    return member.hap_process.list_operation(unchanged, commands.SERVERS)


def followers_on(process, names, dump):
    """Return the servers that a process has, of those that go with a server.

    :param names: the names of backend and server of each.
    :param dump: the rows of all servers of the process.
    """
    return [_Server(_Backend(process, backend, None), name, None)
            for backend, name in names if dump.server(backend, name) is not None]
