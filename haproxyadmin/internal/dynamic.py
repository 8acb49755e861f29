# SPDX-License-Identifier: Apache-2.0
"""Add servers to a backend and delete them, as seen by each process."""
from haproxyadmin.combine import check_server
from haproxyadmin.exceptions import HAProxyBaseError, WaitTimeout
from haproxyadmin.internal.calls import (change_each, check_outcomes, members_to_change, read_each,
                                         refused_on, require)
from haproxyadmin.internal.endpoint import check_bool, check_option
from haproxyadmin.internal.fanout import run_all
from haproxyadmin.internal.looks import rows_operation, tracking_servers
from haproxyadmin.internal.rotation import Drained, Rotation
from haproxyadmin.internal.server import _Server
from haproxyadmin.internal.states import read_states
from haproxyadmin.internal.transaction import change_all_or_none
from haproxyadmin.parsers.servers_state import is_checked
from haproxyadmin.protocol import commands, replies, versions
from haproxyadmin.protocol.commands import STATE_MAINT
from haproxyadmin.protocol.words import (MAX_WEIGHT, check_keywords, check_number,
                                         check_server_address, escape_word, to_native)

_AGENT_CHECK = b'agent-check'


class Addition(object):
    """A server that is added to a backend.

    :param name: its name.
    :param address: see :func:`haproxyadmin.protocol.words.check_server_address`.
    :param weight: its weight, or None.
    :param check: True to check its health.
    :param ready: True to take it out of maintenance.
    :param keywords: see :func:`haproxyadmin.protocol.words.check_keywords`.
    :type keywords: dict
    :raises ValueError: for what no version accepts.
    """

    def __init__(self, name, address, weight, check, ready, keywords):
        self.name = to_native(name)
        check_option('name', name, isinstance(self.name, str), 'text')
        self.check = check_bool('check', check)
        self.ready = check_bool('ready', ready)
        self._address = check_server_address(address)
        self._words = check_keywords(keywords)
        self._arguments = {
            'address': to_native(self._address), 'weight': weight, 'check': check, 'ready': ready,
            'keywords': dict((to_native(keyword), [to_native(value) for value in values] or True)
                             for keyword, values in self._words)}
        if weight is not None:
            self._words.insert(0, (b'weight', [check_number(weight, 'weight', MAX_WEIGHT)]))
        if check:
            self._words.append((b'check', []))

    def add(self, backends):
        """Add it in all processes or in none; return its object in each.

        :param backends: the backend in each process.
        :type backends: list of :class:`haproxyadmin.internal._Backend`
        :rtype: list of :class:`haproxyadmin.internal._Server`
        """
        servers = [_Server(backend, self.name, None) for backend in members_to_change(backends)]
        read_each(servers, self._command)
        members, _ = change_all_or_none(
            servers, lambda server: server.hap_process.change_operation(self._command(server)),
            lambda server, _: _delete_operation(server), check_server,
            self._activate if self.check or self.ready else None)
        for server in members:
            server.hap_process.endpoint.added[server.backendname, self.name] = self.arguments
        return members

    @property
    def arguments(self):
        """What it was made of, for JSON."""
        return dict(self._arguments)

    def _command(self, server):
        version = server.hap_process.version
        needed = versions.DYNAMIC_CHECKS if self.check else versions.DYNAMIC_SERVERS
        words = [escape_word(self._address, version)]
        for keyword, values in self._words:
            words.append(keyword)
            words += [escape_word(value, version) for value in values]
        line = commands.add_server(server.word(), words, _is_experimental(server))
        require(server, needed)
        return line

    def _activate(self, server):
        """Return the operation that enables its checks and takes it out of maintenance."""
        word, lines = server.word(), []
        # In this order: otherwise its status would be "UP -1/3".
        if self.check:
            lines.append(commands.switch_checks(word, 'health', True))
        if self.ready:
            lines.append(commands.set_state(word, commands.STATE_READY))
        # Afterwards: otherwise an agent that only reports a weight would leave it "DOWN (agent)".
        if self.ready and any(keyword == _AGENT_CHECK for keyword, _ in self._words):
            lines.append(commands.switch_checks(word, 'agent', True))
        return server.hap_process.change_operation(commands.join_commands(lines))


def _is_experimental(server):
    """Return True if a version hides its dynamic servers; a master loses the word that shows them.

    :raises haproxyadmin.exceptions.NotSupported: through a master of such a version.
    """
    if versions.has(server.hap_process.version, versions.STABLE_DYNAMIC_SERVERS):
        return False
    if server.hap_process.endpoint.address.prefix:
        require(server, versions.STABLE_DYNAMIC_SERVERS)
    return True


def _delete_operation(server):
    """Return the operation that deletes a server that nobody uses."""
    word = server.word()
    # An agent would take it out of maintenance.
    return server.hap_process.change_operation(commands.join_commands([
        commands.switch_checks(word, 'agent', False), commands.set_state(word, STATE_MAINT),
        commands.del_server(word, _is_experimental(server))]))


def delete(members, wait):
    """Delete a server in all processes: maintenance, idle, deleted.

    :param members: the server in each process.
    :type members: list of :class:`haproxyadmin.internal._Server`
    :type wait: haproxyadmin.internal.waiting.Wait
    :raises haproxyadmin.exceptions.CommandFailed: if HAProxy refuses; then it is as before, and
        ``not_undone`` lists the sockets where it is deleted nevertheless.
    :raises haproxyadmin.exceptions.WaitTimeout: if it is still in use; then it stays in maintenance
        with its agent checks disabled, and ``not_undone`` lists the sockets where it is deleted.
    """
    read_each(members_to_change(members), lambda server: require(server, versions.DYNAMIC_SERVERS))
    rotation = Rotation(members, wait)
    rotation.start()
    tracking = tracking_servers(rotation.attempt(
        lambda: read_each(rotation.members, rows_operation)), *rotation.name.split('/', 1))
    if tracking:
        raise refused_on(rotation.members[0], 'server {0} cannot be deleted, it is tracked by '
                         '{1}'.format(rotation.name, ', '.join(map('/'.join, tracking))))
    _Deletion(rotation, wait).run()
    for server in members:
        server.hap_process.endpoint.added.pop((server.backendname, server.name), None)


class _Deletion(object):
    """A server that is being deleted."""

    def __init__(self, rotation, wait):
        self._rotation = rotation
        self._wait = wait
        self._deleted = []
        self._states = rotation.own_states()
        has_agent = rotation.attempt(lambda: read_states(
            rotation.members, lambda state: is_checked(state, 'srv_agent_state')))
        self._with_agent = [member for member, has in zip(rotation.members, has_agent) if has]

    def run(self):
        """Delete it, or leave it as it was."""
        rotation = self._rotation
        try:
            self._switch_agents(self._with_agent, False)
            rotation.move_out(STATE_MAINT)
            if not rotation.wait_until_idle():
                raise self._too_late('{0} sessions and queued requests'.format(rotation.sessions))
            # One process first: what the configuration does not allow is refused by all of them.
            self._delete(rotation.members[:1])
            self._delete(rotation.members[1:])
        except WaitTimeout:
            raise
        except BaseException as error:
            self._restore(error)
            raise

    def _delete(self, members):
        """Delete it in some processes, as soon as they allow it."""
        while members:
            operations = [server.hap_process.change_operation(commands.del_server(
                server.word(), _is_experimental(server))) for server in members]
            outcomes = run_all(operations, repeat=False, deadline=self._wait.deadline)
            tries = list(zip(members, operations, outcomes))
            members = [server for server, _, outcome in tries if replies.is_in_use(outcome)]
            settled = [one for one in tries if one[0] not in members]
            self._deleted += [server.socket_file for server, _, outcome in settled
                              if replies.is_server_success(outcome)]
            if settled:
                check_outcomes(*[list(part) for part in zip(*settled)], judge=check_server)
            if members and not self._wait.pause():
                raise self._too_late('connections')

    def _switch_agents(self, members, on):
        if members:
            self._rotation.attempt(lambda: change_each(
                members, lambda server: server.hap_process.change_operation(
                    commands.switch_checks(server.word(), 'agent', on))), limited=False)

    def _restore(self, error):
        """Set the state again where the server still is."""
        error.not_undone = list(self._deleted)
        try:
            self._rotation.leave(self._deleted)
            self._rotation.move(self._states)
            self._switch_agents([server for server in self._with_agent
                                 if server.socket_file not in self._deleted], True)
        except HAProxyBaseError:
            error.not_undone = sorted(self._states)

    def _too_late(self, use):
        rotation = self._rotation
        error = WaitTimeout(
            'server {0} is not deleted in all processes after {1:g} s, it still has {2}; where it '
            'is not, it stays in maintenance{3}'.format(
                rotation.name, self._wait.timeout, use,
                ', and its agent checks stay disabled' if self._with_agent else ''),
            Drained(rotation.sessions, self._wait.seconds_passed(), rotation.changed,
                    rotation.reloaded))
        error.not_undone = list(self._deleted)
        return error
