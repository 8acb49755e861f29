# SPDX-License-Identifier: Apache-2.0
"""Read the state of all servers, and restore it, process by process."""
import collections

from haproxyadmin.exceptions import CommandFailed, HAProxyBaseError, HAProxySocketError
from haproxyadmin.internal import settings
from haproxyadmin.internal.backend import _Backend
from haproxyadmin.internal.calls import not_supported, require_if_known
from haproxyadmin.internal.dynamic import Addition
from haproxyadmin.internal.fanout import Operation, learn_info, run_all, unchanged
from haproxyadmin.parsers import servers_state, stats
from haproxyadmin.parsers.servers_state import (column_names, has_check, is_checked, own_state,
                                                parse_row, text_of)
from haproxyadmin.protocol import commands, replies, versions
from haproxyadmin.protocol.commands import STATE_MAINT, STATE_READY
from haproxyadmin.protocol.words import escape_server


class NotRestored(collections.namedtuple('NotRestored', 'server field wanted reason socket_file')):
    """A setting that :meth:`haproxyadmin.haproxy.HAProxy.restore_servers_state` could not restore.

    ``server`` is ``'backend/server'``, ``field`` what was to be set, ``wanted`` to which value, and
    ``reason`` why that failed. ``socket_file`` is the stats socket of the process, None for a
    server that no process has.

    Usage::

        >>> hap.save_servers_state('/var/lib/haproxy/servers.state')
        True
        >>> for failed in hap.restore_servers_state('/var/lib/haproxy/servers.state'):
        ...     print(failed.server, failed.field, failed.wanted, failed.reason, failed.socket_file)
        ...
    """

    __slots__ = ()


# What a process is to do next. server: its names. send: builds the command. is_success: judges the
# reply.
_Step = collections.namedtuple('_Step', 'server field wanted send is_success')
# An address that HAProxy may apply later. is_shown: takes the state of the server.
_Move = collections.namedtuple('_Move', 'field wanted is_shown')

# Stands for a port that is not set.
_NO_PORT = '0'


# Reading

class ProcessStates(object):
    """What a process reports about its servers.

    :param header: the line with the names of the columns.
    :param lines: the row of each server by the names of backend and server, in HAProxy's order.
    :param dump: the rows of ``show stat``.

    ``states`` contains each row as a dict, ``maxconns`` the maximum number of connections of each
    server, ``backends`` the names of all backends. Servers that ``show stat`` does not list are
    left out: they are those of proxies that are disabled, and of the master.
    """

    def __init__(self, process, header, lines, dump):
        self.process = process
        self.header = header
        self.backends = frozenset(dump.backends)
        self.lines, self.states = collections.OrderedDict(), collections.OrderedDict()
        self.maxconns = {}
        names = servers_state.parse_header(header)
        for line in lines:
            state = servers_state.check_numbers(parse_row(names, line))
            server = state['be_name'], state['srv_name']
            row = dump.server(*server)
            if row is not None:
                self.lines[server], self.states[server] = line, state
                self.maxconns[server] = stats.limit_of(row)


def all_states_operation(process):
    """Return the operation that reads everything; its value is a :class:`ProcessStates`."""
    rows = process.rows
    require_if_known(process, versions.SERVERS_STATE)

    def show(repeat):
        marked = rows.marks_ids
        return Operation(process.endpoint, commands.show_all_states(marked),
                         lambda lines: parse(repeat, marked, lines))

    def parse(repeat, marked, lines):
        end = lines.index('') if '' in lines else len(lines)
        info = learn_info(process.endpoint, lines[:end])
        if not process.endpoint.may_have(versions.SERVERS_STATE):
            raise not_supported(
                process, versions.SERVERS_STATE, process.endpoint.known_version)
        following = [line for line in lines[end + 1:] if line]
        start = next((place for place, line in enumerate(following)
                      if line.startswith('# pxname')), len(following))
        column_names(following[:start])
        dump = rows.parse(following[start:], listeners=False)
        if repeat and rows.is_doubtful(_KINDS, dump, info, marked):
            return show(repeat=False)
        rows.accept(_KINDS, dump, info)
        return ProcessStates(process, following[1], following[2:start], dump)
    return show(repeat=True)


_KINDS = commands.BACKENDS | commands.SERVERS


def _states_operation(process):
    """Return the operation that reads only the states; its value is a dict by names."""
    return Operation(process.endpoint, commands.show_servers_state(), lambda lines: dict(
        ((state['be_name'], state['srv_name']), state)
        for state in servers_state.parse_states(lines)))


def compare(views):
    """Return in what processes differ that should have the same servers.

    :type views: list of :class:`ProcessStates`
    :return: for each process a dict by ``'backend/server'``: a dict of what differs, None for a
        server that the process does not have. Empty dicts if all are the same.
    :rtype: list of dict
    """
    found = [{} for _ in views]
    for server in sorted(set().union(*[view.states for view in views])):
        having = [number for number, view in enumerate(views) if server[0] in view.backends]
        known = [_essence(views[number], server) for number in having]
        for number, own in zip(having, known):
            if any(other is None for other in known):
                differing = own
            else:
                differing = dict((field, value) for field, value in own.items()
                                 if any(other[field] != value for other in known))
            if differing or None in known:
                found[number]['/'.join(server)] = differing
    return found


def _essence(view, server):
    """Return what is saved of a server, without figures and what the resolvers find."""
    state = view.states.get(server)
    if state is None:
        return None
    has_name, has_record = [bool(text_of(state, name)) for name in ('srv_fqdn', 'srvrecord')]
    essence = dict((field, text_of(state, column)) for field, column, _, _ in _COLUMNS)
    essence.update((field, is_checked(state, column)) for field, column, _ in _CHECKS)
    essence.update(
        state=own_state(state), weight=state['srv_uweight'], maxconn=view.maxconns[server],
        name='' if has_record else text_of(state, 'srv_fqdn'),
        address='' if has_name else text_of(state, 'srv_addr'),
        port='' if has_record else text_of(state, 'srv_port'))
    return essence


# Restoring

# Checks that are enabled or disabled: the field, the column, and HAProxy's word.
_CHECKS = [('health_checks', 'srv_check_state', 'health'),
           ('agent_checks', 'srv_agent_state', 'agent')]


# Columns that are set: the field, the column, the setting, and what makes its value of the text.
_COLUMNS = [
    ('ssl', 'srv_use_ssl', settings.TLS, lambda text: text == '1'),
    ('check_address', 'srv_check_addr', settings.CHECK_ADDRESS, unchanged),
    ('check_port', 'srv_check_port', settings.CHECK_PORT, unchanged),
    ('agent_address', 'srv_agent_addr', settings.AGENT_ADDRESS, unchanged),
    ('agent_port', 'srv_agent_port', settings.AGENT_PORT, unchanged),
]


class Restoration(object):
    """Restores the state of servers in one process.

    :param view: what the process reports now.
    :type view: ProcessStates
    :param saved: the state of each server by its names, in order.
    :param maxconns: the maximum number of connections by names.

    ``failures`` lists what could not be restored. ``error`` is the exception that ended it.
    ``has_sent`` is True once a command was sent.
    """

    def __init__(self, view, saved, maxconns):
        self.view = view
        self.process = view.process
        # Whose servers these are.
        self.identity = view.process.endpoint.identity
        self.failures = []
        self.error = None
        self.has_sent = False
        self._saved = saved
        self._maxconns = maxconns
        # Which state was set; which addresses have to be shown; what stays out of rotation.
        self._own = dict((server, own_state(state)) for server, state in view.states.items())
        self._moves = {}
        self._kept_out = set()

    def renew(self, view):
        """Take notice of servers that were added meanwhile."""
        for server in view.states:
            self._own.setdefault(server, own_state(view.states[server]))
        self.view = view

    # Each of these yields steps, and is sent whether they succeed.

    def take_out(self):
        """Take servers out of rotation that are to be out, or whose address is wrong."""
        for server, saved, current in self._servers():
            moves = self._plan(server, saved, current)
            if not moves:
                wanted = own_state(saved)
                if wanted not in (STATE_READY, self._own[server]):
                    yield self._state(server, wanted)
                continue
            field, text = moves[0][0][1:3]
            if self._own[server] == STATE_MAINT or (yield self._state(
                    server, STATE_MAINT, field, text)):
                self._moves[server] = moves
            else:
                self._kept_out.add(server)

    def move(self):
        """Set names and addresses, of servers that are in maintenance."""
        for server in list(self._moves):
            for step, _ in self._moves[server]:
                if not (yield step):
                    del self._moves[server]
                    self._kept_out.add(server)
                    break

    def settle(self):
        """Set everything else, and last the state."""
        for server, saved, current in self._servers():
            for step in self._settings(server, saved, current):
                yield step
            wanted = own_state(saved)
            if wanted != self._own[server] and not (
                    server in self._kept_out and wanted != STATE_MAINT):
                yield self._state(server, wanted)
        for server in self._maxconns:
            if server not in self._saved and server in self.view.states:
                for step in self._maxconn(server):
                    yield step

    def _servers(self):
        return [(server, saved, self.view.states[server])
                for server, saved in self._saved.items() if server in self.view.states]

    def _state(self, server, state, field='state', wanted=None):
        def is_success(reply):
            done = replies.is_server_success(reply)
            if done:
                self._own[server] = state
            return done
        return _Step(server, field, wanted or state, lambda word, version: commands.set_state(
            word, state), is_success)

    def _plan(self, server, saved, current):
        """Return the steps that lead to the saved address, each with its :class:`_Move`."""
        if text_of(saved, 'srvrecord') or text_of(current, 'srvrecord'):
            return []
        name, name_now = [text_of(state, 'srv_fqdn') for state in (saved, current)]
        address, address_now = [text_of(state, 'srv_addr') for state in (saved, current)]
        port, port_now = saved.get('srv_port'), current.get('srv_port')
        steps = []
        if name and name != name_now:
            steps.append(self._name(server, name, address, address_now))
        if name_now or name:
            if name_now and not name and 'srv_fqdn' in saved and address != address_now:
                self.fail(server, 'address', address, 'its address is that of {0!r} now, which '
                          'HAProxy looks up'.format(name_now))
            # Its address is looked up, but not its port.
            address = address_now
        if port is None or port_now is None:
            port = port_now
        if (address, port) == (address_now, port_now):
            return steps
        wanted = _join(address, port)
        if not address or not address_now:
            self.fail(server, 'address', wanted, 'HAProxy reports no IP address for it {0}'.format(
                'now' if address else 'in the file'))
            self._kept_out.add(server)
            return []
        return steps + [self._address(server, wanted, address, port, port != port_now)]

    def _name(self, server, name, address, address_now):
        def is_shown(state):
            shown = text_of(state, 'srv_addr')
            return text_of(state, 'srv_fqdn') == name and (
                shown == address or shown != address_now)
        return self._setting(server, 'name', name, settings.NAME, name), _Move(
            'name', name, is_shown)

    def _address(self, server, wanted, address, port, with_port):
        # Without need, a port is not set: that would end a port that follows the client's.
        setting = settings.ADDRESS_AND_PORT if with_port else settings.ADDRESS
        values = [address, port] if with_port else [address]
        return self._setting(server, 'address', wanted, setting, *values)._replace(
            is_success=lambda reply: replies.is_address_success(
                'port' if with_port else 'addr', reply)), _Move(
                'address', wanted, lambda state: text_of(state, 'srv_addr') == address and (
                    state.get('srv_port') == port))

    def _settings(self, server, saved, current):
        # HAProxy refuses to set where checks go while they are disabled.
        for step in self._checks(server, saved, current, True):
            yield step
        for field, column, setting, value_of in _COLUMNS:
            wanted = saved.get(column)
            if wanted is None or wanted == current.get(column):
                continue
            if column not in current:
                if wanted not in (servers_state.EMPTY, _NO_PORT):
                    self.fail(server, field, wanted, 'this version of HAProxy does not report it')
            elif wanted == servers_state.EMPTY:
                self.fail(server, field, '', 'HAProxy cannot unset it')
            else:
                yield self._setting(server, field, wanted, setting, value_of(wanted))
        for step in self._checks(server, saved, current, False):
            yield step
        for step in self._maxconn(server):
            yield step
        weight = saved['srv_uweight']
        if weight == saved['srv_iweight']:
            # Nobody had changed it; the configuration may have, since.
            weight = current['srv_iweight']
        if weight != current['srv_uweight']:
            # Static algorithms only accept 0 and 100%.
            value = '100%' if weight == current['srv_iweight'] else int(weight)
            yield _Step(server, 'weight', int(weight), lambda word, version: commands.set_weight(
                word, value), replies.is_server_success)

    def _checks(self, server, saved, current, enabled):
        """Yield the steps that enable or disable checks."""
        for field, column, kind in _CHECKS:
            if (has_check(saved, column) and has_check(current, column)
                    and is_checked(saved, column) is enabled
                    and is_checked(current, column) is not enabled):
                yield _Step(server, field, enabled, lambda word, version, kind=kind: (
                    commands.switch_checks(word, kind, enabled)), replies.is_server_success)

    def _setting(self, server, field, wanted, setting, *values):
        return _Step(server, field, wanted, lambda word, version: setting.command(
            self.process, word, *values), replies.is_server_success)

    def _maxconn(self, server):
        wanted, current = self._maxconns.get(server), self.view.maxconns[server]

        def send(word, version):
            settings.MAXCONN.check_danger(self.process, current, wanted)
            return settings.MAXCONN.command(self.process, word, wanted)
        if wanted is not None and wanted != current:
            yield _Step(server, 'maxconn', wanted, send, replies.is_server_success)

    # What HAProxy answers

    def operation(self, step):
        """Return the operation of a step, None if it cannot be sent."""
        try:
            version = self.process.version
            command = step.send(escape_server(step.server[0], step.server[1], version), version)
        except (CommandFailed, ValueError) as error:
            self._fail_step(step, str(error))
            return None
        self.has_sent = True
        return self.process.change_operation(command)

    def take_outcome(self, step, outcome):
        """Take notice of what a step has led to; return whether it succeeded."""
        if isinstance(outcome, CommandFailed):
            outcome = str(outcome)
        if isinstance(outcome, Exception):
            self.error = outcome
        elif step.is_success(outcome):
            return True
        else:
            self._fail_step(step, outcome or replies.NOTHING)
        return False

    def _fail_step(self, step, reason):
        server = step.server
        if server in self._moves and step.field in ('name', 'address'):
            reason += '; the server stays in maintenance'
        self.fail(server, step.field, step.wanted, reason)

    def fail(self, server, field, wanted, reason):
        """Note that something could not be restored."""
        self.failures.append(NotRestored(
            '/'.join(server), field, wanted, reason, self.process.socket_file))

    # Addresses that are applied later

    @property
    def is_moving(self):
        """True while an address that was set is not shown yet."""
        return bool(self._moves) and self.error is None

    def look(self):
        """Return the operation that looks which addresses are shown."""
        return _states_operation(self.process)

    def take_look(self, outcome):
        """Take notice of the states."""
        if isinstance(outcome, Exception):
            self.error = outcome
            return
        for server, moves in list(self._moves.items()):
            state = outcome.get(server)
            if state is None or all(move.is_shown(state) for _, move in moves):
                # If it is gone, HAProxy refuses what follows.
                del self._moves[server]

    def give_up(self, seconds):
        """Leave servers in maintenance whose address is not shown."""
        for server, moves in self._moves.items():
            for _, move in moves:
                self.fail(server, move.field, move.wanted, 'HAProxy does not show it after {0:g} '
                          's; the server stays in maintenance'.format(seconds))
            self._kept_out.add(server)
        self._moves = {}


def _join(address, port):
    """Return an address and a port as one text."""
    host = '[{0}]'.format(address) if ':' in address else address
    return host if port is None else '{0}:{1}'.format(host, port)


def run_steps(restorations, course):
    """Run steps in all processes at the same time, those of each process one after the other.

    :type restorations: list of :class:`Restoration`
    :param course: a method of :class:`Restoration` that yields steps.
    """
    running = [_ProcessProgress(restoration, course(restoration)) for restoration in restorations
               if restoration.error is None]
    while True:
        operations = [one.next_operation() for one in running]
        running = [one for one, operation in zip(running, operations) if operation is not None]
        if not running:
            return
        outcomes = run_all([operation for operation in operations if operation is not None])
        for one, outcome in zip(running, outcomes):
            one.take_outcome(outcome)


class _ProcessProgress(object):
    """The steps of one process, in progress."""

    def __init__(self, restoration, steps):
        self._restoration = restoration
        self._steps = steps
        self._step = None
        # What the generator is sent: whether its last step succeeded.
        self._result = None

    def next_operation(self):
        """Return what is sent next, None at the end."""
        while self._restoration.error is None:
            try:
                self._step = self._steps.send(self._result)
            except StopIteration:
                return None
            operation = self._restoration.operation(self._step)
            if operation is not None:
                return operation
            self._result = False
        return None

    def take_outcome(self, outcome):
        """Take notice of what the last operation has led to."""
        self._result = self._restoration.take_outcome(self._step, outcome)


def wait_for_addresses(restorations, wait):
    """Look until every address that was set is shown, or the time is over.

    :type wait: haproxyadmin.internal.waiting.Wait
    """
    total = len(restorations)
    while True:
        moving = [restoration for restoration in restorations if restoration.is_moving]
        for restoration, outcome in zip(moving, run_all([one.look() for one in moving])):
            restoration.take_look(outcome)
        left = [restoration for restoration in moving if restoration.is_moving]
        wait.report(total - len(left), total, 'addresses are applied')
        if not left:
            return
        if not wait.pause():
            for restoration in left:
                restoration.give_up(wait.timeout)
            return


def add_missing(restorations, saved, added):
    """Add servers again that this library had added, where they are missing.

    :param added: their arguments, by names.
    :return: what could not be added.
    :rtype: list of NotRestored
    """
    failures = []
    for server, arguments in sorted(added.items()):
        lacking = [restoration for restoration in restorations if restoration.error is None
                   and server[0] in restoration.view.backends
                   and server not in restoration.view.states]
        if not lacking:
            continue
        state = saved.get(server)
        ready = arguments['ready'] if state is None else own_state(state) == STATE_READY
        try:
            Addition(server[1], _address_of(state, arguments), arguments['weight'],
                     arguments['check'], ready, arguments['keywords']).add(
                         [_Backend(restoration.process, server[0], None)
                          for restoration in lacking])
        except HAProxySocketError as error:
            for restoration in lacking:
                if restoration.process.socket_file == error.socket_file:
                    restoration.error = error
        except (HAProxyBaseError, ValueError) as error:
            failures.append(NotRestored('/'.join(server), 'server', arguments['address'],
                                        str(error), getattr(error, 'socket_file', None)))
        for restoration in lacking:
            restoration.has_sent = True
    return failures


def _address_of(state, arguments):
    """Return the address that a server had last."""
    if state is None or not text_of(state, 'srv_addr') or state.get('srv_port', '0') == '0':
        return arguments['address']
    return _join(text_of(state, 'srv_addr'), state['srv_port'])


def missing_servers(restorations, servers):
    """Return which servers no process has, or not every process that has their backend.

    :param servers: their names.
    :rtype: list of NotRestored
    """
    failures = []
    for server in servers:
        views = [restoration.view for restoration in restorations]
        having = [view for view in views if server[0] in view.backends]
        if not having:
            failures.append(NotRestored('/'.join(server), 'server', server[1], (
                'there is no backend {0!r}, or it is disabled').format(server[0]), None))
        failures += [NotRestored(
            '/'.join(server), 'server', server[1], 'there is no server {0!r}'.format(server[1]),
            view.process.socket_file) for view in having if server not in view.states]
    return failures
