# SPDX-License-Identifier: Apache-2.0
"""What the fake can add and delete at run time: servers, and backends; and ``wait``."""
import re
import time

from haproxyadmin.testing.configuration import Proxy, Server
from haproxyadmin.testing.families.family import OK, Family, command, message
from haproxyadmin.testing.families.server_addresses import Refused
from haproxyadmin.testing.families.server_state import ANY_MAINT, MAINT, ServerState, number_of

# Keywords that a server which is added can have: the first version, and the number of arguments.
# In 2.4 they were few.
_SINCE_24 = {'weight': 1, 'maxconn': 1, 'minconn': 1, 'maxqueue': 1, 'backup': 0, 'disabled': 0,
             'send-proxy': 0, 'send-proxy-v2': 0, 'id': 1, 'pool-max-conn': 1, 'pool-low-conn': 1,
             'pool-purge-delay': 1, 'max-reuse': 1, 'proto': 1, 'source': 1, 'tfo': 0,
             'proxy-v2-options': 1}
_SINCE = {
    (2, 6): {'check': 0, 'inter': 1, 'fastinter': 1, 'downinter': 1, 'rise': 1, 'fall': 1,
             'port': 1, 'addr': 1, 'agent-check': 0, 'agent-port': 1, 'agent-addr': 1,
             'agent-inter': 1, 'agent-send': 1, 'track': 1, 'slowstart': 1,
             'on-marked-down': 1, 'on-marked-up': 1,
             'error-limit': 1, 'observe': 1, 'on-error': 1, 'ssl': 0, 'verify': 1, 'verifyhost': 1,
             'ca-file': 1, 'crl-file': 1, 'crt': 1, 'sni': 1, 'alpn': 1, 'npn': 1, 'ciphers': 1,
             'ciphersuites': 1, 'ssl-min-ver': 1, 'ssl-max-ver': 1, 'no-ssl-reuse': 0,
             'no-tls-tickets': 0, 'check-ssl': 0, 'check-sni': 1, 'check-alpn': 1, 'check-proto': 1,
             'check-send-proxy': 0, 'check-via-socks4': 0, 'ws': 1},
    (2, 8): {'shard': 1},
    (3, 0): {'cookie': 1, 'guid': 1, 'hash-key': 1},
    (3, 2): {'idle-ping': 1, 'strict-maxconn': 0, 'init-state': 1},
}
# Those that only servers of the configuration can have, from the version that knows them.
_REFUSED = {
    'resolvers': (2, 4), 'init-addr': (2, 4), 'log-proto': (2, 4), 'redir': (2, 4),
    'non-stick': (2, 4), 'stick': (2, 4), 'namespace': (2, 4), 'socks4': (2, 4), 'no-check': (2, 4),
    'no-ssl': (2, 4), 'cookie': (2, 4), 'resolve-prefer': (2, 4), 'resolve-net': (2, 4),
    'no-backup': (2, 4), 'no-agent-check': (2, 4), 'cc': (3, 4)}
_TLV = 'set-proxy-v2-tlv-fmt('
_VERIFY = (
    'verify is enabled by default but no CA file specified. '
    "If you're running on a LAN where you're certain to trust the server's certificate, "
    "please set an explicit 'verify none' statement on the 'server' line, or use "
    "'ssl-server-verify none' in the global section to disable "
    'server-side verifications by default.')
_POINTED_TO = ('This {0} cannot be removed at runtime due to other configuration elements '
               'pointing to it.')
_USAGE = """\
Usage: wait {-h|<duration>} [condition [args...]]
  - '-h' displays this help
  - <duration> is the maximum wait time, optionally suffixed by the unit among
    'us', 'ms', 's', 'm', 'h', and 'd'. ; the default unit is milliseconds.
  - <condition> indicates what to wait for, no longer than the specified
    duration. Supported conditions are:
    - <none> : by default, just sleep for the specified duration.
    - srv-removable <px>/<sv> : wait for this server to become removable.

"""
_UNITS = {'us': 1e-6, 'ms': 1e-3, '': 1e-3, 's': 1, 'm': 60, 'h': 3600, 'd': 86400}
_DURATION = re.compile(r'(\d+)(us|ms|s|m|h|d|)\Z')
_LOOK = 0.02


class AddedServers(Family):
    """Servers and backends that are added and deleted.

    :ivar unpublished: the names of the backends that ``unpublish backend`` has taken out.
    """

    name = 'added_servers'

    def __init__(self, process, configuration):
        super(AddedServers, self).__init__(process, configuration)
        self.unpublished = set()
        self._added_backends = set()
        self._servers = process.servers
        # What use-server rules name cannot be deleted.
        self._used = set()
        for proxy in self._servers.proxies:
            self._used.update((proxy.name, line.words[0])
                              for line in proxy.all('use-server') if line.words)

    @command('experimental-mode', level='admin', since=(2, 4))
    def experimental_mode(self, call):
        """Enable or disable experimental commands for a connection."""
        return self._mode(call, 'is_experimental', 'experimental-mode')

    @command('expert-mode', level='admin', since=(2, 2))
    def expert_mode(self, call):
        """Enable or disable dangerous commands for a connection."""
        return self._mode(call, 'is_expert', 'expert-mode')

    @staticmethod
    def _mode(call, attribute, name):
        if not call.rest:
            is_on = getattr(call.connection, attribute, False)
            return message('{0} is {1}'.format(name, 'ON' if is_on else 'OFF'))
        setattr(call.connection, attribute, call.rest[0] == 'on')
        return OK

    # Servers

    @command('add server', since=(2, 4))
    def add_server(self, call):
        """Add a server to a backend."""
        return self._run(call, self._add)

    @command('del server', since=(2, 4))
    def del_server(self, call):
        """Delete a server."""
        return self._run(call, self._delete)

    def _run(self, call, change):
        """Run a change, or return why the connection must not."""
        if not self.has(2, 5) and not call.connection.is_experimental:
            return message('This command is restricted to experimental mode only.')
        if not call.connection.may('admin'):
            return message('Permission denied')
        try:
            return change(call)
        except Refused as refusal:
            return self._ended(str(refusal))

    def _ended(self, text):
        """Return a message; before 3.0 those of these commands had no empty line at their end."""
        return message(text) if self.has(3, 0) else text + '\n'

    def _parse_error(self, text):
        return message(text) if self.has(2, 6) else text + '\n'

    def _find_backend(self, word, is_new=False):
        backend, _, name = word.partition('/')
        if not name or not backend and (is_new or not self.has(3, 0)):
            raise Refused("Require 'backend/server'.")
        proxy = self._servers.proxy(backend)
        if proxy is None:
            raise Refused('No such backend.')
        return proxy, name

    def _add(self, call):
        if call.rest[:1] == ['help'] and self.has(3, 2):
            known = sorted(word for since in _SINCE for word in _SINCE[since])
            return message('List of keywords supported for dynamic server:\n' + '\n'.join(known))
        proxy, name = self._find_backend((call.rest or [''])[0], is_new=True)
        if not self._servers.is_dynamic(proxy):
            if not self.has(3, 4):
                raise Refused('Backend must use a dynamic load balancing to support dynamic '
                              'servers.')
            raise Refused("Backend does not support dynamic servers : backend '{0}' uses a non "
                          'dynamic load balancing method.'.format(proxy.name))
        exists = self._servers.get(proxy.name, name) is not None
        twice = self._parse_error('Already exists a server with the same name in backend.')
        if exists and self.has(3, 4):
            return twice
        problem = self._problem_of(proxy, name, call.rest[1:])
        if problem:
            return problem
        if exists:
            return twice
        server = Server(name, call.rest[1], 0, 0, call.rest[2:])
        self._register(proxy, server)
        return self._parse_error('New server registered.')

    def _problem_of(self, proxy, name, words):
        """Return the reply to a server that cannot be added; None if it can."""
        if not words:
            return self._parse_error("'server' expects <name> and <addr>[:<port>] as arguments.")
        odd = re.search(r'[^A-Za-z0-9_.:-]', name)
        if odd:
            return self._parse_error(
                "character '{0}' is not permitted in server name '{1}'.".format(odd.group(), name))
        port = re.match(r'[\d.]+:([+-]?\d*([^\d]).*)\Z', words[0])
        if port and port.group(1)[:1] not in '+-':
            text = "invalid character '{0}' in port number '{1}' in '{2}'".format(
                port.group(2), port.group(1), words[0])
            if not self.has(2, 6):
                return message("'server {0}' : {1}".format(name, text))
            return message(text) if self.has(3, 0) else message(text + '\n')
        problem = self._problem_of_keywords(proxy, name, words[1:])
        server = Server(name, words[0], 0, 0, words[1:])
        if not problem and 'check' in words and 'port' not in words and (
                server.is_relative or not server.port):
            problem = (
                "config: backend '{0}': server '{1}' has neither service port nor check port nor "
                "tcp_check rule 'connect' with port information.".format(proxy.name, name))
        return self._parse_error(problem) if problem else None

    def _problem_of_keywords(self, proxy, name, words):
        known = dict(_SINCE_24)
        if not self.has(3, 0):
            known['enabled'] = 0
        for since, keywords in _SINCE.items():
            if self.process.release >= since:
                known.update(keywords)
        place, end = 0, '.' if self.has(2, 6) else ''
        while place < len(words):
            word = words[place]
            if word.startswith(_TLV) and self.has(3, 0):
                known[word] = 1
            if word == 'usesrc':
                return "'usesrc' only allowed after a 'source' statement." + end
            if word not in known:
                return self._unknown_keyword(word)
            value = (words[place + 1:] or [''])[0]
            if word == 'weight' and not 0 <= number_of(value) <= 256:
                return 'weight of server {0} is not within 0 and 256 ({1}).{2}'.format(
                    name, number_of(value), end)
            if word == 'id' and any(state.sid == number_of(value)
                                    for state in self._servers.of(proxy)):
                owner = next(state for state in self._servers.of(proxy)
                             if state.sid == number_of(value))
                place = '(null)' if owner.is_added else self.configuration.name
                return "'id' : custom id {0} already used at {1}:{2} ('server {3}'){4}".format(
                    number_of(value), place, owner.server.number, owner.name, end)
            if word == 'ca-file' and not self._has_file(value):
                return "'ca-file' : unable to load {0}.".format(value)
            place += 1 + known[word]
            if word == 'source' and words[place:place + 1] == ['usesrc']:
                place += 2
        return self._problem_of_all(words)

    def _problem_of_all(self, words):
        if ('ssl' in words or 'check-ssl' in words) and 'ca-file' not in words and not any(
                words[place:place + 2] == ['verify', 'none'] for place in range(len(words))):
            if self.configuration.settings.value('ssl-server-verify') != 'none':
                return _VERIFY
        if 'track' in words:
            target = words[words.index('track') + 1]
            tracked = self._servers.get(*(target.split('/') + [''])[:2])
            if tracked is None:
                return "unable to find required server '{0}' for tracking.".format(target)
            if tracked.is_added:
                return 'unable to use {0} for tracking as it is a dynamic server.'.format(target)
        return None

    def _unknown_keyword(self, word):
        since = next((since for since, keywords in _SINCE.items() if word in keywords), None)
        exists = word in _REFUSED and self.process.release >= _REFUSED[word]
        # In 2.4 they existed, except those that came later.
        if not exists and since == (2, 6) and word != 'ws' or word == 'enabled':
            exists = True
        if exists:
            return "'{0}' option is not accepted for dynamic server".format(word)
        return "unknown keyword '{0}'.".format(word)

    def _has_file(self, name):
        try:
            self.configuration.read(name)
        except ValueError:
            return False
        return True

    def _register(self, proxy, server):
        used = set(state.sid for state in self._servers.of(proxy))
        server.sid = number_of(server.value('id', '0'))
        if not server.sid and self.has(2, 6):
            server.sid = next(number for number in range(1, len(used) + 2) if number not in used)
        state = ServerState(proxy.name, server, is_added=True)
        if self.has(3, 4) and server.has('disabled'):
            state.admin = MAINT
        if self.has(3, 4) and server.value('init-state') == 'up':
            state.check.health = state.check.rise
        if not self.has(2, 6):
            # There are no checks, and `rise` is not set.
            state.check.rise = state.check.health = 0
        row = self.process.figures.row_of_server(proxy, server)
        rows = self.process.rows
        place = next((place for place, each in enumerate(rows)
                      if (each[0], each[1]) == (proxy.name, 'BACKEND')), len(rows))
        rows.insert(place, row)
        self._servers.add(state)

    def _delete(self, call):
        state = self._removable((call.rest or [''])[0])
        self._servers.remove(state)
        return self._ended('Server deleted.')

    def _removable(self, word):
        """Return the state of a server that can be deleted.

        :raises Refused: if it cannot be.
        """
        proxy, name = self._find_backend(word)
        state = self._servers.named(proxy, name)
        if state is None:
            raise Refused('No such server.')
        name = state.name
        if not self.has(2, 5):
            if not state.is_added:
                raise Refused('Only servers added at runtime via <add server> CLI cmd can be '
                              'deleted.')
        elif (any(not tracker.is_added for tracker in state.trackers)
              or state.resolvers is not None or (proxy.name, name) in self._used):
            raise Refused(_POINTED_TO.format('server'))
        if not state.admin & ANY_MAINT:
            raise Refused('Only servers in maintenance mode can be deleted.')
        row = self.process.row(proxy.name, name)
        if row and any(self.process.figures.field(row, column) not in ('', '0')
                       for column in ('scur', 'qcur')):
            raise Refused('Server still has connections attached to it, cannot remove it.')
        return state

    # Waiting

    @command('wait', level='operator', since=(3, 0))
    def wait(self, call):
        """Wait for a time, or until something can be removed."""
        words = call.rest
        if not words:
            return message('Expects a duration in milliseconds.')
        if words[0] == '-h':
            return _USAGE
        duration = _DURATION.match(words[0])
        if not duration or not int(duration.group(1)):
            return message('Invalid duration.')
        seconds = int(duration.group(1)) * _UNITS[duration.group(2)]
        if not words[1:]:
            self.process.stopping.wait(seconds)
            return message('Done.')
        if words[1] == 'srv-removable':
            if not words[2:]:
                return message('Missing server name (<backend>/<server>).')
            return self._wait_for(lambda: self._removable(words[2]), seconds)
        if words[1] == 'be-removable' and self.has(3, 4):
            if not words[2:]:
                return message('Missing backend name.')
            return self._wait_for(lambda: self._removable_backend(words[2]), seconds)
        return _USAGE

    def _wait_for(self, look, seconds):
        """Wait until ``look`` finds no reason against a deletion; connections can end."""
        deadline = time.time() + seconds
        while True:
            try:
                look()
                return message('Done.')
            except Refused as refusal:
                reason = ' ' + str(refusal) if self.has(3, 4) else ''
                if 'still has connections' not in str(refusal):
                    return message('Failed.' + reason)
            if time.time() >= deadline or self.process.stopping.wait(_LOOK):
                return message('Wait delay expired.' + reason)

    # Backends

    @command('publish backend', level='admin', since=(3, 4))
    def publish_backend(self, call):
        """Let rules use a backend."""
        proxy = self._servers.proxy((call.rest or [''])[0])
        if proxy is None:
            return message('No such backend.')
        self.unpublished.discard(proxy.name)
        return message('Backend published.')

    @command('unpublish backend', level='admin', since=(3, 4))
    def unpublish_backend(self, call):
        """Let no rule use a backend."""
        proxy = self._servers.proxy((call.rest or [''])[0])
        if proxy is None:
            return message('No such backend.')
        self.unpublished.add(proxy.name)
        return message('Backend unpublished.')

    @command('add backend', level='admin', since=(3, 4))
    def add_backend(self, call):
        """Add a backend."""
        words = call.rest
        if not words:
            return message('Require backend name.')
        if len(words) < 3 or words[1] != 'from':
            return message('Usage: add backend <name> from <defproxy>.')
        odd = re.search(r'[^A-Za-z0-9_.:-]', words[0])
        if odd:
            return message("Invalid character '{0}' in backend name.".format(odd.group()))
        defaults = self.configuration.named_defaults.get(words[2])
        if defaults is None:
            return message("Cannot find default proxy '{0}'.".format(words[2]))
        for proxy in self.configuration.proxies + self._servers.proxies:
            if proxy.name == words[0]:
                return message('Error during backend creation : name is already used by other '
                               "proxy '{0} {1}'.".format(proxy.kind, proxy.name))
        proxy = Proxy('backend', words[0], 0, defaults)
        proxy.iid = 1 + max([each.iid for each in
                             self.configuration.proxies + self._servers.proxies] or [1])
        self._servers.proxies.append(proxy)
        self._added_backends.add(proxy.name)
        self.unpublished.add(proxy.name)
        self.process.rows.append(self.process.figures.row_of_backend(proxy))
        return message('New backend registered.')

    @command('del backend', level='admin', since=(3, 4))
    def del_backend(self, call):
        """Delete a backend."""
        try:
            proxy = self._removable_backend((call.rest or [''])[0])
        except Refused as refusal:
            return message(str(refusal))
        self._servers.proxies.remove(proxy)
        self.unpublished.discard(proxy.name)
        self.process.rows = [row for row in self.process.rows if row[0] != proxy.name]
        return message('Backend deleted.')

    def _removable_backend(self, name):
        proxy = self._servers.proxy(name)
        if proxy is None:
            raise Refused('No such backend.')
        if proxy.last('stick-table') is not None:
            raise Refused('Cannot remove a backend with stick-table.')
        if self._is_named(proxy) or proxy.kind != 'backend':
            raise Refused(_POINTED_TO.format('proxy'))
        if proxy.name not in self.unpublished:
            raise Refused('Backend must be unpublished prior to its deletion.')
        if self._servers.of(proxy):
            raise Refused('Only a backend without server can be deleted.')
        return proxy

    def _is_named(self, backend):
        """Return whether the configuration names a backend where it has to stay."""
        return any(line.words[0] in ('default_backend', 'use_backend')
                   and line.words[1:2] == [backend.name]
                   for proxy in self.configuration.proxies for line in proxy.defaults + proxy.lines)
