# SPDX-License-Identifier: Apache-2.0
"""Settings of a server that are changed in all processes or in none."""
import functools

from haproxyadmin import combine
from haproxyadmin.exceptions import CommandFailed
from haproxyadmin.internal.calls import (members_to_change, read_each, read_pairs, refused_on,
                                         require)
from haproxyadmin.internal.states import state_operation
from haproxyadmin.internal.transaction import change_all_or_none
from haproxyadmin.parsers import servers_state, stats
from haproxyadmin.protocol import commands, versions
from haproxyadmin.protocol.words import check_port, encode_address, escape_word, parse_digits


class Setting(object):
    """Something of a server: how it is set, and what it was before.

    :param build: takes the word that names the server, the version, and the values; returns the
        command.
    :param previous: takes what :meth:`read` returns; returns the values that set it as it was, None
        if they are not known.
    :param feature: (optional) what the version must have.
    :param refuse: (optional) takes what :meth:`read` returns; returns why HAProxy would not do
        what it is asked for, or None.
    :param guard: (optional) takes the value that is set, the one that is to be set and the version;
        raises an exception if that would be dangerous.
    :param judge: (optional) see :func:`haproxyadmin.internal.calls.check_outcomes`.
    :param reads_row: (optional) True to read the row of statistics instead of the state.
    """

    def __init__(self, build, previous, feature=None, refuse=None, guard=None,
                 judge=combine.check_server, reads_row=False):
        self._build = build
        self._previous = previous
        self._feature = feature
        self._refuse = refuse
        self._guard = guard
        self._judge = judge
        self._reads_row = reads_row

    def change(self, members, *values):
        """Set it in all processes or in none.

        :param members: the server in each process.
        :type members: list of :class:`haproxyadmin.internal._Server`
        :param values: what is set; two settings may have an optional second one.
        :return: True.
        :raises ValueError: for a wrong value; nothing is sent.
        """
        members = members_to_change(members)
        # Before anything is read: the values may be wrong or too long, or the version too old.
        read_each(members, lambda member: self._operation(member, values).command)
        before = {}
        for member, view in read_pairs(members, self._read):
            reason = self._refuse and view and self._refuse(view)
            if reason:
                raise refused_on(member, reason)
            before[member.socket_file] = view
            if self._guard is not None:
                self.check_danger(member, self._previous(view)[0], values[0])
        change_all_or_none(
            members, lambda member: self._operation(member, values),
            lambda member, _: self._undo(member, values, before[member.socket_file]),
            self._judge)
        return True

    def _read(self, member):
        """Return the operation that reads how it is set; None where that cannot be read."""
        if self._reads_row:
            return member.row_operation()
        return (state_operation(member) if versions.has(
            member.hap_process.version, versions.SERVERS_STATE) else None)

    def command(self, process, word, *values):
        """Return the command that sets it.

        :type process: haproxyadmin.internal._HAProxyProcess
        :param word: the word that names the server.
        :raises haproxyadmin.exceptions.NotSupported: if the version is too old.
        """
        command = self._build(word, process.version, *values)
        if self._feature is not None:
            require(process, self._feature)
        return command

    def check_danger(self, member, before, value):
        """Check that setting it is not dangerous.

        :param member: the server in a process, or the process.
        :param before: the value that is set.
        :param value: the value that is to be set.
        :raises haproxyadmin.exceptions.CommandFailed: if it is.
        """
        try:
            self._guard(before, value, member.hap_process.version)
        except CommandFailed as error:
            raise refused_on(member, str(error))

    def _operation(self, member, values):
        process = member.hap_process
        return process.change_operation(self.command(process, member.word(), *values))

    def _undo(self, member, values, view):
        before = None if view is None else self._previous(view)
        if before is None or before[0] is None:
            raise refused_on(member, 'HAProxy does not report how it was set before')
        if self._guard is not None:
            self.check_danger(member, values[0], before[0])
        return self._operation(member, before)


def _in_state(*names):
    """Return a function that takes a state and returns fields as values."""
    def previous(state):
        texts = [servers_state.text_of(state, name) for name in names]
        return [parse_digits(text) for text in texts] if texts[0] else None
    return previous


def _checks(kind, column, on):
    def refuse(state):
        if not servers_state.has_check(state, column):
            return '{0} checks are not configured on this server, cannot enable'.format(kind)
        return None

    def build(word, version, enabled=on):
        return commands.switch_checks(word, kind, enabled)
    return Setting(build, lambda state: [servers_state.is_checked(state, column)],
                   refuse=refuse if on else None)


def _address_as(kind):
    """Return what builds the command for an address, and perhaps its port."""
    def build(word, version, address, port=None):
        encode_address(address)
        return commands.set_address(word, escape_word(address, version),
                                    None if port is None else check_port(port), kind)
    return build


def _word(name, value_of=escape_word):
    return lambda word, version, value: commands.set_server(word, name, value_of(value, version))


def _port(value, _):
    return check_port(value)


HEALTH = Setting(
    lambda word, _, health: commands.set_health(word, health),
    lambda state: [servers_state.health_of(state)])
AGENT = Setting(
    lambda word, _, health: commands.set_agent(word, health),
    lambda row: ['down' if '(agent)' in stats.field(row, 'status') else 'up'], reads_row=True)
HEALTH_ON, HEALTH_OFF = [_checks('health', 'srv_check_state', on) for on in (True, False)]
AGENT_ON, AGENT_OFF = [_checks('agent', 'srv_agent_state', on) for on in (True, False)]
ADDRESS = Setting(
    _address_as('addr'), _in_state('srv_addr'), versions.SERVER_ADDRESS,
    judge=functools.partial(combine.check_command_addr_port, 'addr'))
ADDRESS_AND_PORT = Setting(
    _address_as('addr'), _in_state('srv_addr', 'srv_port'), versions.SERVER_PORT,
    judge=functools.partial(combine.check_command_addr_port, 'port'))
AGENT_ADDRESS, AGENT_ADDRESS_AND_PORT = [
    Setting(_address_as('agent-addr'), _in_state('srv_agent_addr', 'srv_agent_port'), feature)
    for feature in (versions.AGENT_ADDRESS, versions.AGENT_PORT)]
CHECK_ADDRESS = Setting(_address_as('check-addr'), _in_state('srv_check_addr', 'srv_check_port'),
                        versions.CHECK_ADDRESS)
CHECK_PORT = Setting(_word('check-port', _port), _in_state('srv_check_port'), versions.CHECK_PORT)
AGENT_PORT = Setting(_word('agent-port', _port), _in_state('srv_agent_port'), versions.AGENT_PORT)
AGENT_TEXT = Setting(_word('agent-send'), lambda state: None, versions.AGENT_TEXT)
NAME = Setting(_word('fqdn'), _in_state('srv_fqdn'), versions.SERVER_NAME)
MAXCONN = Setting(
    lambda word, _, value: commands.set_maxconn_server(word, value),
    lambda row: [stats.limit_of(row)], versions.SERVER_MAXCONN,
    guard=commands.check_maxconn_server, reads_row=True)
TLS = Setting(lambda word, _, on: commands.set_tls(word, on),
              lambda state: [{'0': False, '1': True}.get(state.get('srv_use_ssl'))],
              versions.SERVER_TLS)
