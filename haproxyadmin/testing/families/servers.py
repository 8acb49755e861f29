# SPDX-License-Identifier: Apache-2.0
"""The servers of the fake: their states, weights, addresses and checks."""
import re

from haproxyadmin.testing.configuration import Server
from haproxyadmin.testing.families.family import OK, command, message
from haproxyadmin.testing.families.server_addresses import Addresses, Refused
from haproxyadmin.testing.families.server_state import (ANY_MAINT, COLUMNS, DRAIN, ENABLED, MAINT,
                                                        MAX_WEIGHT, RUNNING, STOPPED, STOPPING,
                                                        ServerState)

_NEEDED = "Require 'backend/server'."
# Algorithms with which weights are fixed; a hash is, unless its type is 'consistent'.
_STATIC = ('static-rr',)
_HASHES = ('source', 'uri', 'url_param', 'hdr', 'rdp-cookie', 'hash')
# Columns of `show stat` that are empty while a check is off.
_CHECK_COLUMNS = ('check_status', 'check_code', 'check_duration', 'last_chk', 'check_desc',
                  'check_rise', 'check_fall', 'check_health')
_AGENT_COLUMNS = ('agent_status', 'agent_code', 'agent_duration', 'last_agt', 'agent_desc',
                  'agent_rise', 'agent_fall', 'agent_health')
# Those that only settings of the server itself change.
_OWN_COLUMNS = ('weight', 'uweight', 'slim', 'addr')

# The first version that has each setting, and its method.
_SETTINGS = {
    'weight': ((1, 5), '_set_weight'), 'state': ((1, 5), '_set_state'),
    'health': ((1, 5), '_set_health'), 'agent': ((1, 5), '_set_agent'),
    'addr': ((1, 6), '_set_addr'), 'check-port': ((1, 7), '_set_check_port'),
    'fqdn': ((1, 8), '_set_fqdn'), 'agent-addr': ((1, 8), '_set_agent_addr'),
    'agent-send': ((1, 8), '_set_agent_send'), 'agent-port': ((2, 4), '_set_agent_port'),
    'check-addr': ((2, 4), '_set_check_addr'), 'ssl': ((2, 4), '_set_ssl'),
}


def _answered(function):
    """Let a method that raises :class:`Refused` reply what the exception says."""
    def answer(self, call):
        try:
            return function(self, call)
        except Refused as refusal:
            return message(str(refusal))
    answer.__name__ = function.__name__
    return answer


class Servers(Addresses):
    """The servers of all backends of the process.

    :ivar states: an ordered list of
        :class:`haproxyadmin.testing.families.server_state.ServerState`. After changing one of them
        call :meth:`show`, which makes the rows of ``show stat`` follow.
    :ivar settles: True if checks of servers pass at once. HAProxy shows ``UP 1/2`` between the
        change of a state and the next check, or some more of them; with False the fake does so
        until :meth:`run_checks`.
    :ivar delay: how often ``show servers state`` still shows the former address of a server after
        it was changed: from 3.0 on HAProxy changes it a moment later.
    :ivar keys: the keys for dynamic cookies, by the name of the backend.
    :ivar dynamic_cookies: the names of the backends that have them.
    """

    name = 'servers'

    def __init__(self, process, configuration):
        super(Servers, self).__init__(process, configuration)
        self.settles = True
        self.delay = 0
        self.keys, self.dynamic_cookies = {}, set()
        self.proxies = [proxy for proxy in configuration.proxies if proxy.is_backend]
        self.states = [ServerState(proxy.name, server)
                       for proxy in self.proxies for server in proxy.servers]
        self._hidden = {}
        self._check_columns = [(name, place) for place, name in enumerate(process.columns)
                               if name in _CHECK_COLUMNS + _AGENT_COLUMNS]
        for state in self.states:
            if self.proxy(state.backend).is_disabled:
                # HAProxy only counts the servers of backends that run.
                state.sid = 0
            self._begin(state)
        if not process.dumps:
            for state in self.states:
                self._show_row(state, _OWN_COLUMNS)
            for proxy in self.proxies:
                self._show_backend(proxy.name)

    def _begin(self, state):
        """Give a server its first state: that of what it tracks, and of its row."""
        target = state.server.value('track')
        if target is not None:
            backend, slash, name = target.rpartition('/')
            state.tracked = self.get(backend if slash else state.backend, name)
            if state.tracked:
                state.tracked.trackers.append(state)
        row = self.process.row(state.backend, state.name)
        if row is None:
            return
        self._keep_checks(state, row)
        if state.is_added:
            return
        # A captured row may say what an agent had said, for example.
        state.weight = state.shown_weight = int(
            self.process.figures.field(row, 'weight') or state.weight)
        if self.has(1, 7):
            self._begin_address(state, self.process.figures.field(row, 'addr'))

    def _keep_checks(self, state, row):
        """Keep what the row shows of checks, for when they are shown again."""
        self._hidden[state.backend, state.name] = dict(
            (name, row[place]) for name, place in self._check_columns)

    def _begin_address(self, state, shown):
        address, colon, port = shown.rpartition(':')
        if self.process.dumps and colon and port.isdigit():
            state.address, state.port = address.strip('[]'), int(port)

    # Finding servers

    def get(self, backend, name):
        """Return the state of a server, or None."""
        return next((state for state in self.states
                     if (state.backend, state.name) == (backend, name)), None)

    def proxy(self, name):
        """Return a backend by its name, or ``#`` and its id; None if there is none."""
        return next((proxy for proxy in self.proxies
                     if name in (proxy.name, '#{0}'.format(proxy.iid))), None)

    def add(self, state):
        """Add a server, and show it."""
        self.states.append(state)
        self._begin(state)
        self.show(state)

    def remove(self, state):
        """Remove a server and its row."""
        self.states.remove(state)
        if state.tracked:
            state.tracked.trackers.remove(state)
        self.process.rows = [row for row in self.process.rows
                             if (row[0], row[1]) != (state.backend, state.name)]
        self._show_backend(state.backend)

    def of(self, proxy):
        """Return the states of the servers of a backend."""
        return [state for state in self.states if state.backend == proxy.name]

    def named(self, proxy, name):
        """Return the state of a server by its name, or ``#`` and its id; None if there is none."""
        return next((state for state in self.of(proxy)
                     if name in (state.name, '#{0}'.format(state.sid))), None)

    def find(self, word, for_change=True):
        """Return the state of the server of a word such as ``'web/web1'``.

        :raises Refused: if there is none.
        """
        backend, _, name = word.partition('/')
        if not name or not backend and for_change and not self.has(3, 0):
            raise Refused(_NEEDED)
        proxy = self.proxy(backend)
        if proxy is None:
            return self._of_row(backend, name)
        state = self.named(proxy, name)
        if state is None:
            if self.process.row(proxy.name, name):
                return self._of_row(proxy.name, name)
            raise Refused('No such server.')
        if for_change and not self.runs(proxy):
            raise Refused('Proxy is disabled.')
        return state

    def _of_row(self, backend, name):
        """Return a state for a server that only has a row, which a test has made.

        :raises Refused: if there is none.
        """
        row = self.process.row(backend, name)
        if row is None or self.process.figures.field(row, 'type') != '2':
            raise Refused('No such backend.' if not any(
                row[0] == backend and row[1] == 'BACKEND' for row in self.process.rows)
                else 'No such server.')
        field = self.process.figures.field
        words = ['weight', field(row, 'weight'), 'maxconn', field(row, 'slim') or '0']
        target = field(row, 'addr') if self.has(1, 7) else '127.0.0.1:80'
        state = ServerState(backend, Server(name, target, int(field(row, 'sid')), 0, words))
        self.states.append(state)
        self._begin(state)
        return state

    def _first(self, call):
        return self.find((call.rest or [''])[0])

    # Showing them

    def show(self, state, columns=_OWN_COLUMNS):
        """Make the rows of ``show stat`` follow the state of a server.

        :param columns: which of the columns that only its own settings change; a test may have
            given the others values of its own.
        """
        if self.settles:
            for each in _with_trackers(state):
                each.settle()
        for each in _with_trackers(state):
            self._show_row(each, columns if each is state else ())
            self._show_backend(each.backend)

    def run_checks(self):
        """Let the checks of all servers pass."""
        for state in self.states:
            before = state.status
            state.settle()
            if state.status != before:
                self._show_row(state, ())

    def _show_row(self, state, columns):
        row = self.process.row(state.backend, state.name)
        if row is None:
            return
        if not state.admin & ANY_MAINT and state.shown_weight != state.weight:
            state.shown_weight = state.weight
            columns += ('weight', 'uweight')
        own = {'weight': state.shown_weight, 'uweight': state.weight,
               'slim': state.maxconn % 2 ** 32 or '', 'addr': state.shown_address}
        fields = dict((name, own[name]) for name in columns)
        fields.update(status=state.status, act=int(not state.is_backup), bck=int(state.is_backup))
        if state.is_changed:
            state.is_changed = False
            fields['lastchg'] = 0
        for check, columns in ((state.check, _CHECK_COLUMNS), (state.agent, _AGENT_COLUMNS)):
            shown = (self._hidden.get((state.backend, state.name), {})
                     if self._is_shown(check) else {})
            fields.update((name, shown.get(name, '')) for name in columns)
        if state.check.is_enabled:
            fields.update((name, self.process.get(state.backend, state.name, name) or 0)
                          for name in ('chkfail', 'chkdown'))
        if self._is_shown(state.check):
            fields['check_health'] = state.check.health
            fields['check_rise'], fields['check_fall'] = state.check.rise, state.check.fall
            if not state.check.has_run:
                fields.update(check_status='INI', check_desc='Initializing', check_code='',
                              check_duration='')
        if state.agent.is_shown:
            fields['agent_health'] = state.agent.health
        for name, value in fields.items():
            if name in self.process.columns:
                row[self.process.columns.index(name)] = str(value)

    def _is_shown(self, check):
        """Return whether ``show stat`` shows the results of a check."""
        # Before 1.7 those of a paused one, too.
        return check.is_shown or check.is_enabled and not self.has(1, 7)

    def _show_backend(self, name):
        """Count the servers of a backend that take requests."""
        if self.process.row(name, 'BACKEND') is None:
            return
        states = [state for state in self.states if state.backend == name]
        active = [state for state in states if state.is_usable and not state.is_backup]
        backup = [state for state in states if state.is_usable and state.is_backup]
        proxy = self.proxy(name)
        uses_all = proxy is not None and any(
            line.words[:2] == ['option', 'allbackups'] for line in proxy.defaults + proxy.lines)
        used = active or (backup if uses_all else backup[:1])
        weight = sum(state.weight for state in used)
        for column, value in (('act', len(active)), ('bck', len(backup)), ('weight', weight),
                              ('uweight', weight),
                              ('status', 'UP' if weight or not states else 'DOWN')):
            self.process.set(name, 'BACKEND', column, value)

    @command('show servers state', since=(1, 6))
    def show_servers_state(self, call):
        """Show the state of the servers of one backend, or of all."""
        count = 17 if self.release < (1, 8) else 20 if self.release < (2, 4) else 25
        lines = ['1\n# {0}\n'.format(' '.join(COLUMNS[:count]))]
        for proxy in self._named(call):
            lines.extend(state.line(proxy, count) for state in self.of(proxy))
        return ''.join(lines) + '\n' if len(lines) > 1 or self._named(call) else message(
            "Can't find backend.")

    def _named(self, call):
        """Return the backends that a command asks for; all that run if it names none."""
        if call.rest:
            proxy = self.proxy(call.rest[0])
            return [proxy] if proxy is not None else []
        return [proxy for proxy in self.proxies
                if self.release >= (2, 5) or proxy.is_disabled or self.runs(proxy)]

    def runs(self, proxy):
        """Return whether a backend runs in the process, or has a row that says so."""
        return self.process.runs(proxy) or self.process.row(proxy.name, 'BACKEND') is not None

    @command('show servers conn', since=(2, 2))
    def show_servers_conn(self, call):
        """Show the connections of the servers of one backend, or of all."""
        named = self._named(call)
        if call.rest and not named:
            return message("Can't find backend.")
        threads = int(self.process.info.get('Nbthread') or 1)
        has_more = self.has(3, 4)
        lines = ['# bkname/svname bkid/svid addr port - purge_delay {0}used_cur used_max need_est '
                 '{1}unsafe_nb safe_nb idle_lim idle_cur idle_per_thr[{2}]\n'.format(
                     'served ' if has_more else '', 'idle_sess ' if has_more else '', threads)]
        for proxy in named:
            for state in self.of(proxy):
                # The connection of a check counts from 2.4 on.
                most = int(state.check.has_run and self.has(2, 4))
                numbers = [0, most, most, 0, 0, -1, 0] if not has_more else [
                    0, 0, most, most, 0, 0, 0, -1, 0]
                lines.append('{0}/{1} {2}/{3} {4} {5} - 5000 {6}\n'.format(
                    proxy.name, state.name, proxy.iid, state.sid, state.address, state.port,
                    ' '.join(map(str, numbers + [0] * threads))))
        return ''.join(lines) + '\n'

    # States

    @command('enable server', level='admin')
    @_answered
    def enable_server(self, call):
        """Take a server out of maintenance."""
        return self.put_state(self._first(call), 'ready')

    @command('disable server', level='admin')
    @_answered
    def disable_server(self, call):
        """Put a server into maintenance."""
        return self.put_state(self._first(call), 'maint')

    def put_state(self, state, word):
        """Set the state that an administrator wants: ``'ready'``, ``'drain'`` or ``'maint'``."""
        if word not in ('ready', 'drain', 'maint'):
            raise Refused("'set server <srv> state' expects 'ready', 'drain' and 'maint'.")
        if word == 'ready':
            state.clear_admin(DRAIN)
            state.clear_admin(MAINT)
        elif word == 'drain':
            state.set_admin(DRAIN)
            state.clear_admin(MAINT)
        else:
            state.set_admin(MAINT)
            state.clear_admin(DRAIN)
        self.show(state, ())
        return OK

    def _set_state(self, state, words):
        return self.put_state(state, words[0])

    def _set_health(self, state, words):
        if state.tracked:
            raise Refused('cannot change health on a tracking server.')
        if words[0] not in ('up', 'stopping', 'down'):
            raise Refused("'set server <srv> health' expects 'up', 'stopping', or 'down'.")
        state.check.health = 0 if words[0] == 'down' else state.check.most
        state.put({'up': RUNNING, 'stopping': STOPPING, 'down': STOPPED}[words[0]])
        self.show(state, ())
        return OK

    def _set_agent(self, state, words):
        if not state.agent.is_enabled:
            raise Refused('agent checks are not enabled on this server.')
        if words[0] not in ('up', 'down'):
            raise Refused("'set server <srv> agent' expects 'up' or 'down'.")
        state.agent.health = state.agent.most if words[0] == 'up' else 0
        state.put(RUNNING if words[0] == 'up' else STOPPED)
        self.show(state, ())
        return OK

    @command('enable health', level='admin')
    @_answered
    def enable_health(self, call):
        """Enable the health check of a server."""
        state = self._first(call)
        if not state.check.is_configured and not (1, 7) <= self.release < (2, 4):
            raise Refused('Health check{0} not configured on this server, cannot enable.'.format(
                's are' if self.release < (1, 7) else ' was'))
        return self._turn(state, state.check, True)

    @command('disable health', level='admin')
    @_answered
    def disable_health(self, call):
        """Disable the health check of a server."""
        state = self._first(call)
        return self._turn(state, state.check, False)

    @command('enable agent', level='admin')
    @_answered
    def enable_agent(self, call):
        """Enable the agent check of a server."""
        state = self._first(call)
        if not state.agent.is_configured:
            raise Refused('Agent was not configured on this server, cannot enable.')
        return self._turn(state, state.agent, True)

    @command('disable agent', level='admin')
    @_answered
    def disable_agent(self, call):
        """Disable the agent check of a server."""
        state = self._first(call)
        return self._turn(state, state.agent, False)

    def _turn(self, state, check, is_on):
        check.set(ENABLED, is_on)
        self.show(state, ())
        return OK

    # Weights and limits

    @command('get weight')
    @_answered
    def get_weight(self, call):
        """Show the weight of a server, and the one of its configuration."""
        state = self.find((call.rest or [''])[0], for_change=False)
        return message('{0} (initial {1})'.format(state.weight, state.first_weight))

    @command('set weight', level='admin')
    @_answered
    def set_weight(self, call):
        """Set the weight of a server."""
        return self._set_weight(self._first(call), call.rest[1:] or [''])

    def _set_weight(self, state, words):
        word = words[0]
        if not word:
            raise Refused('Require <weight> or <weight%>.')
        match = re.match(r'\s*[-+]?\d+', word)
        if not match:
            return self.half('Empty weight string empty or preceded by garbage')
        weight, end = int(match.group()), word[match.end():]
        if end == '%':
            if weight < 0:
                raise Refused('Relative weight must be positive.')
            weight = min(state.first_weight * min(weight, 25600) // 100, MAX_WEIGHT)
        elif not 0 <= weight <= MAX_WEIGHT:
            raise Refused('Absolute weight can only be between 0 and 256 inclusive.')
        elif end:
            return self.half('Trailing garbage in weight string')
        if weight and weight != state.first_weight and not self.is_dynamic(
                self.proxy(state.backend)):
            raise Refused('Backend is using a static LB algorithm and only accepts weights '
                          "'0%' and '100%'.")
        state.weight = weight
        if self.has(3, 0):
            # Before, a server in maintenance shows its new weight when it comes back.
            state.shown_weight = weight
        self.show(state, ('uweight',) if state.shown_weight != weight else ('weight', 'uweight'))
        return OK

    def is_dynamic(self, proxy):
        """Return whether the algorithm of a backend allows other weights, and more servers."""
        words = proxy.last('balance') if proxy is not None else None
        algorithm = (words or ['roundrobin'])[0].split('(')[0]
        if algorithm in _HASHES:
            return (proxy.last('hash-type') or ['map-based'])[0] == 'consistent'
        return algorithm not in _STATIC

    @command('set maxconn', until=(1, 7))
    def set_maxconn(self, call):
        """Say that there is no such limit, before 1.7."""
        return message("'set maxconn' only supports 'frontend' and 'global'.")

    @command('set maxconn server', level='admin', since=(1, 7))
    @_answered
    def set_maxconn_server(self, call):
        """Set the limit of connections of a server."""
        state = self._first(call)
        word = call.rest[1] if call.rest[1:] else ''
        if not word:
            raise Refused('Require <maxconn>.')
        match = re.match(r'\s*[-+]?\d+', word)
        if not match:
            return self.half('maxconn string empty or preceded by garbage')
        if match.end() != len(word):
            return self.half('Trailing garbage in maxconn string')
        state.maxconn = max(min(int(word), 2 ** 63 - 1), -2 ** 63)
        self.show(state, ('slim',))
        return OK

    # The rest of `set server`

    @command('set server', level='admin')
    @_answered
    def set_server(self, call):
        """Change one of the settings of a server."""
        state = self._first(call)
        word = call.rest[1] if call.rest[1:] else ''
        since, method = _SETTINGS.get(word, ((9,), ''))
        if self.release < since:
            raise Refused(self._usage())
        return getattr(self, method)(state, call.rest[2:] or [''])

    def _usage(self):
        if self.has(2, 4):
            return ('usage: set server <backend>/<server> addr | agent | agent-addr | agent-port | '
                    'agent-send | check-addr | check-port | fqdn | health | ssl | state | weight')
        known = ['agent', 'health', 'state', 'weight'] + [
            word for word, since in (('addr', (1, 6)), ('fqdn', (1, 8)), ('check-port', (1, 7)))
            if self.release >= since]
        return "'set server <srv>' only supports {0} and '{1}'.".format(
            ', '.join("'{0}'".format(word) for word in known[:-1]), known[-1])

    # Others

    @command('shutdown sessions server', level='admin')
    @_answered
    def shutdown_sessions_server(self, call):
        """End the sessions of a server."""
        state = self._first(call)
        self.process.sessions.end_server(state.backend, state.name)
        # Those of which only the number is known.
        if self.process.row(state.backend, state.name):
            for column in ('scur', 'qcur'):
                self.process.set(state.backend, state.name, column, 0)
        return OK

    @command('enable dynamic-cookie backend', level='admin', since=(1, 8))
    def enable_dynamic_cookie(self, call):
        """Let a backend make the cookies of servers."""
        return self._of_cookie(call, lambda name: self.dynamic_cookies.add(name))

    @command('disable dynamic-cookie backend', level='admin', since=(1, 8))
    def disable_dynamic_cookie(self, call):
        """Let a backend not make the cookies of servers."""
        return self._of_cookie(call, lambda name: self.dynamic_cookies.discard(name))

    @command('set dynamic-cookie-key backend', level='admin', since=(1, 8))
    def set_dynamic_cookie_key(self, call):
        """Set the key for the cookies that a backend makes."""
        key = (call.rest[1:] or [''])[0]
        if not key and call.rest and self.proxy(call.rest[0]):
            return message('String value expected.')
        return self._of_cookie(call, lambda name: self.keys.update({name: key}))

    def _of_cookie(self, call, change):
        if not call.rest:
            return message('A backend name is expected.')
        proxy = self.proxy(call.rest[0])
        if proxy is None:
            return message('No such backend.')
        change(proxy.name)
        return OK


def _with_trackers(state):
    """Return a server and all that follow it."""
    return [state] + [each for tracker in state.trackers for each in _with_trackers(tracker)]
