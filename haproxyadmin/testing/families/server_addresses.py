# SPDX-License-Identifier: Apache-2.0
"""Where the servers of the fake are, and where their checks go to."""
import re

from haproxyadmin.testing.families.family import OK, Family, message
from haproxyadmin.testing.families.server_state import UNRESOLVED
from haproxyadmin.testing.sockets import packed

_BY = " by 'stats socket command'"
_LABELS = re.compile(r'[A-Za-z0-9_-]{1,63}(\.[A-Za-z0-9_-]{1,63})*\.?\Z')


class Refused(Exception):
    """A command is refused; the message is the reply without its end."""


class Addresses(Family):
    """The part of ``set server`` about addresses, for a family that can ``show`` a server."""

    delay = 0

    @property
    def release(self):
        """The branch of the version, as a tuple."""
        return self.process.release

    def half(self, text):
        """Return a message that had no empty line at its end before 3.0."""
        return message(text) if self.has(3, 0) else text + '\n'

    def _set_addr(self, state, words):
        address = words[0]
        if self.release < (1, 7):
            if not packed(address):
                raise Refused('Could not understand IP address format.')
            state.address = address
            self.show(state, ('addr',))
            return OK
        if not address:
            raise Refused('set server <b>/<s> addr requires an address and optionally a port.')
        port = (words[2:] or [''])[0] if words[1:2] == ['port'] else None
        former = state.address, state.port
        reply = self._change_address(state, address, port)
        if (state.address, state.port) != former:
            state.former_address, state.looks = former, self.delay
        state.clear_admin(UNRESOLVED)
        self.show(state, ('addr',))
        return message(reply)

    def _change_address(self, state, address, port):
        """Change address and port of a server, and return what HAProxy says of it."""
        is_new = self.has(3, 0)
        end = '' if is_new else _BY
        if not packed(address):
            return "Invalid addr '{0}'{1}".format(address, end)
        if state.address == '-':
            return ('Update for the current server address family is only supported through '
                    'configuration file' + ('.' if is_new else end))
        parts, changed = [], {}
        if address != state.address:
            parts.append("IP changed from '{0}' to '{1}'".format(
                state.address, address))
            changed['address'] = address
        elif not is_new:
            parts.append('no need to change the addr')
        if port is not None:
            text = self._change_port(state, port, changed)
            if is_new and text.startswith('problem'):
                return text
            if not is_new or text.startswith('port'):
                parts.append(text)
        for name, value in changed.items():
            setattr(state, name, value)
        return ', '.join(parts) + _BY if parts else 'nothing changed'

    def _change_port(self, state, word, changed):
        match = re.match(r'\s*[-+]?\d+', word)
        if not match:
            return "problem converting port '{0}' to an int".format(word)
        port, sign = int(match.group()) % 2 ** 16, word[0] if word[0] in '+-' else ''
        is_other = port != state.port
        if sign and not state.has_relative_port:
            if not state.check_port and self._needs_fixed_port(state):
                return ("can't change <port> to port map because it is incompatible with current "
                        "health check port configuration (use 'port' statement from the 'server' "
                        'directive.')
            is_other = True
        if not is_other:
            return 'no need to change the port'
        changed.update(port=port, has_relative_port=bool(sign))
        shown = port
        if sign == '-' and self.has(3, 0):
            sign = '+'
        elif sign == '-':
            shown = 2 ** 16 - port
        return "port changed from '{0}{1}' to '{2}{3}'".format(
            '+' if state.has_relative_port else '', state.port, sign, shown)

    def _needs_fixed_port(self, state):
        """Return whether checks would not know which port to check if it were relative."""
        if self.has(3, 0):
            return state.check.is_enabled
        return state.check.is_configured or self.has(2, 4)

    def _set_fqdn(self, state, words):
        name = '{0}/{1}'.format(state.backend, state.name)
        if not words[0]:
            raise Refused('set server <b>/<s> fqdn requires a FQDN.')
        if self.has(2, 4) and state.resolvers is None:
            raise Refused('set server <b>/<s> fqdn failed because no resolution is configured.')
        if state.host and words[0].lower() == state.host:
            raise Refused('no need to change the FDQN' + _BY)
        if not state.host or not _LABELS.match(words[0]):
            raise Refused('could not update {0} FQDN'.format(name) + _BY)
        former, state.host = state.host, words[0].lower()
        return message('{0} changed its FQDN from {1} to {2}{3}'.format(
            name, former, words[0], _BY))

    def _set_ssl(self, state, words):
        if state.is_added:
            raise Refused("'set server <srv> ssl' not supported on dynamic servers")
        if not state.has_ssl:
            raise Refused("'set server <srv> ssl' cannot be set.  default-server should define ssl "
                          'settings')
        if words[0] not in ('on', 'off'):
            raise Refused("'set server <srv> ssl' expects 'on' or 'off'.")
        state.uses_ssl = words[0] == 'on'
        return message('server ssl setting updated.')

    # Where checks go to

    def _set_check_port(self, state, words):
        if self.has(2, 4):
            return self._set_target(state, words, 'check', 'port')
        is_strict, match = self.has(1, 8), re.match(r'\d+\Z', words[0])
        if is_strict and not match:
            raise Refused("'set server <srv> check-port' expects an integer as argument.")
        port = int(match.group()) if match else 0
        if is_strict and port > 65535:
            raise Refused('provided port is not valid.')
        if is_strict and not port and state.has_relative_port:
            raise Refused("can't set 'port' to 0 when MAPPORTS is in use.")
        state.check_port = port
        return message('health check port updated.')

    def _set_check_addr(self, state, words):
        return self._set_target(state, words, 'check', 'addr')

    def _set_agent_addr(self, state, words):
        if self.has(2, 4):
            return self._set_target(state, words, 'agent', 'addr')
        if not state.agent.is_enabled:
            raise Refused('agent checks are not enabled on this server.')
        if words[0] and not packed(words[0]):
            raise Refused('incorrect addr address given for agent.')
        state.agent_address = words[0] or '-'
        return OK

    def _set_agent_port(self, state, words):
        return self._set_target(state, words, 'agent', 'port')

    def _set_target(self, state, words, kind, what):
        """Change where the checks of a kind go to, from 2.4 on."""
        check = state.check if kind == 'check' else state.agent
        if not words[0]:
            raise Refused('set server <b>/<s> {0}-{1} requires {2}.'.format(
                kind, what, 'a port' if what == 'port' else 'an address and optionally a port'))
        if not check.is_enabled:
            return self.half('{0} checks are not enabled on this server'.format(
                'health' if kind == 'check' else kind))
        address, port = (words[0], None) if what == 'addr' else (None, words[0])
        if address is not None:
            # 3.4.0 accepts no address for health checks.
            if not packed(address) or self.has(3, 4) and kind == 'check':
                return self.half("invalid addr '{0}'".format(address))
            port = words[2] if words[1:2] == ['port'] and words[2:] else None
        if port is not None and not re.match(r'\d+\Z', port):
            return self.half('provided port is not an integer')
        if port is not None and int(port) > 65535:
            return self.half('provided port is invalid')
        if address is not None:
            setattr(state, kind + '_address', address)
        if port is not None:
            setattr(state, kind + '_port', int(port))
        return OK

    def _set_agent_send(self, state, words):
        if not state.agent.is_enabled:
            raise Refused('agent checks are not enabled on this server.')
        state.agent_send = words[0]
        return OK
