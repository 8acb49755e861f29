# SPDX-License-Identifier: Apache-2.0
"""The settings of a process of the fake, of its frontends, and of a connection."""
import re

from haproxyadmin.testing.families.family import LEVELS, OK, Family, command, message, number_in

OPEN, PAUSED, STOPPED = 'open', 'paused', 'stopped'
# Fields of `show info`.
_RATES = {'connections': 'ConnRateLimit', 'sessions': 'SessRateLimit',
          'ssl-sessions': 'SslRateLimit', 'http-compression': 'CompressBpsRateLim'}
_RATE_LIMITS = """\
'set rate-limit' only supports :
   - 'connections global' to set the per-process maximum connection rate
   - 'sessions global' to set the per-process maximum session rate
   - '{0} global' to set the per-process maximum SSL session rate
   - 'http-compression global' to set the per-process maximum compression speed in kB/s"""
# What HAProxy says up to 1.6 when only the first word is one that it knows.
_CHECKS = "'{0}' only supports 'agent', 'frontend', 'health', and 'server'."
_PARTIAL = {'add': "'add' only supports 'map'.", 'del': "'del' only supports 'map' or 'acl'.",
            'enable': _CHECKS.format('enable'), 'disable': _CHECKS.format('disable'),
            'shutdown': "'shutdown' only supports 'frontend', 'session' and 'sessions'."}
_TIME = re.compile(r'(\d+)(us|ms|s|m|h|d|)\Z')
_MILLISECONDS = {'us': 0.001, 'ms': 1, 's': 1000, '': 1000, 'm': 60000, 'h': 3600000, 'd': 86400000}
_LONGEST_TIME = 2 ** 31 - 1


class Settings(Family):
    """The settings that the commands change which are not about servers.

    The limits are in ``show info`` and ``show stat``.

    :ivar frontends: a dict of the frontends' names and what they are: ``'open'``, ``'paused'``
        after ``disable frontend``, or ``'stopped'`` after ``shutdown frontend``.
    """

    name = 'settings'

    def __init__(self, process, configuration):
        super(Settings, self).__init__(process, configuration)
        self.frontends = dict(
            (proxy.name, OPEN if process.runs(proxy) else STOPPED)
            for proxy in configuration.proxies if proxy.is_frontend)

    # Of the process

    @command('set maxconn global', level='admin')
    def set_maxconn(self, call):
        if not call.rest:
            return message('Expects an integer value.')
        info, value = self.process.info, number_in(call.rest[0])
        if value > int(info['Hard_maxconn']):
            return message('Value out of range.')
        info['Maxconn'] = str(value) if value > 0 else info['Hard_maxconn']
        return OK

    @command('set rate-limit')
    def set_rate_limit(self, call):
        kind, scope, value = (call.rest + [''] * 3)[:3]
        if self.has(1, 7):
            if not call.connection.may('admin'):
                return message('Permission denied')
            if kind not in _RATES or scope != 'global':
                return message(_RATE_LIMITS.format(
                    'ssl-sessions' if self.has(1, 8) else 'ssl-session'))
            return self._set_rate(kind, value, 'Expects an integer value.')
        if kind not in _RATES or _RATES[kind] not in self.process.info:
            return message("'set rate-limit' supports 'connections', 'sessions', 'ssl-sessions', "
                           "and 'http-compression'.")
        if scope != 'global':
            return message("'set rate-limit {0}' only supports 'global'.".format(kind))
        if not call.connection.may('admin'):
            return message('Permission denied')
        return self._set_rate(kind, value, 'Expects an integer value.' if kind != 'http-compression'
                              else 'Expects a maximum input byte rate in kB/s.')

    def _set_rate(self, kind, word, missing):
        if not word:
            return message(missing)
        value = number_in(word)
        if kind == 'http-compression':
            wraps = not self.has(1, 7)
            value = value * 1024 % 2 ** 32 if wraps else value * 1024
        if value < 0:
            return message('Value out of range.')
        self.process.info[_RATES[kind]] = str(value)
        return OK

    @command('help')
    def help(self, call):
        head = ('The following commands are valid at this level:' if self.has(2, 4) else
                'Unknown command. Please enter one of the following commands only :')
        return message('\n  '.join([head] + self.process.known_commands()))

    @command('show version', since=(2, 5))
    def show_version(self, call):
        return message(self.process.info['Version'])

    # Of a frontend

    @command('set maxconn frontend', level='admin')
    def set_maxconn_of_frontend(self, call):
        refusal = self._refusal(call)
        if refusal:
            return refusal
        if len(call.rest) < 2:
            return message('Integer value expected.')
        value = number_in(call.rest[1])
        if value < 0:
            return message('Value out of range.')
        if self.process.row(call.rest[0], 'FRONTEND'):
            self.process.set(call.rest[0], 'FRONTEND', 'slim', value)
        return OK

    @command('disable frontend', level='admin')
    def disable(self, call):
        return self._refusal(call) or self._switch(call.rest[0], PAUSED, 'disable')

    @command('enable frontend', level='admin')
    def enable(self, call):
        refusal = self._refusal(call)
        if refusal:
            return refusal
        name, = call.rest[:1]
        if (self.process.version == '1.5.8' and self.frontends.get(name) == PAUSED
                and self._is_shared(name)):
            return message('Failed to resume frontend, check logs for precise cause '
                           '(port conflict?).')
        return self._switch(name, OPEN, 'enable')

    @command('shutdown frontend', level='admin')
    def shut_down(self, call):
        refusal = self._refusal(call)
        if refusal:
            return refusal
        name, = call.rest[:1]
        if self._state(name) == STOPPED:
            return message('Frontend was already shut down.')
        self.frontends[name] = STOPPED
        if self.has(2, 5):
            self.process.set(name, 'FRONTEND', 'status', 'STOP')
        else:
            self.process.rows = [row for row in self.process.rows if row[0] != name]
        return OK

    def _refusal(self, call):
        """Return what HAProxy says if the first word is not the name of a frontend."""
        if not call.rest:
            return message('A frontend name is expected.')
        if call.rest[0] not in self.frontends and not self.process.row(call.rest[0], 'FRONTEND'):
            return message('No such frontend.')
        return None

    def _state(self, name):
        if name not in self.frontends:
            # Somebody has added a row.
            self.frontends[name] = OPEN
        return self.frontends[name]

    def _switch(self, name, state, action):
        before = self._state(name)
        if before == STOPPED:
            return message('Frontend was previously shut down, cannot {0}.'.format(action))
        if before == state:
            return message('{0} already {1}d.'.format(
                'All sockets are' if self.has(2, 4) else 'Frontend is', action))
        self.frontends[name] = state
        paused = 'STOP' if not self.has(2, 4) else 'PAUSED' if self.has(2, 5) else 'OPEN'
        self.process.set(name, 'FRONTEND', 'status', 'OPEN' if state == OPEN else paused)
        return OK

    def _is_shared(self, name):
        """Return whether several processes listen on the addresses of a frontend."""
        count = int(self.configuration.settings.value('nbproc') or 1)
        return len([number for number in range(1, count + 1) for proxy in self.configuration.proxies
                    if proxy.name == name and proxy.is_in(number)]) > 1

    # Of a connection

    @command('set timeout')
    def set_timeout(self, call):
        what, value = (call.rest + [''] * 2)[:2]
        if what != 'cli':
            return message("'set timeout' only supports 'cli'.")
        if not value:
            return message('Expects an integer value.')
        match = _TIME.match(value)
        milliseconds = int(match.group(1)) * _MILLISECONDS[match.group(2)] if match else 0
        if not 1 <= milliseconds <= _LONGEST_TIME:
            return message('Invalid timeout value.')
        return OK

    @command('set severity-output', since=(1, 8))
    def set_severity_output(self, call):
        if call.rest[:1] not in (['none'], ['number'], ['string']):
            return ("one of 'none', 'number', 'string' is a required argument\n"
                    + '\n' * self.has(2, 0))
        if call.rest[0] != 'none':
            self.process.problem('the fake does not print severities: {0!r}'.format(call.line))
        return OK

    @command('show cli level', since=(2, 0))
    def show_level(self, call):
        return message(call.connection.level)

    @command('operator', 'user', since=(2, 0))
    def lower_level(self, call):
        level = call.words[0]
        if LEVELS.index(level) > LEVELS.index(call.connection.level):
            return message('Permission denied')
        call.connection.level = level
        return OK

    # Of which only the first word is right

    @command('add', 'del', 'disable', 'enable', 'shutdown', until=(1, 7))
    def refuse_partial(self, call):
        self.process.problem('unknown command: {0!r}'.format(call.line))
        return message(_PARTIAL[call.words[0]])
