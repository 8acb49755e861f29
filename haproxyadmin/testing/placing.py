# SPDX-License-Identifier: Apache-2.0
"""Rewrite a configuration so that HAProxy touches only its directory and 127.0.0.1.

:class:`haproxyadmin.testing.throwaway.ThrowawayHAProxy` says what is replaced by what.
"""
import collections
import re

from haproxyadmin.testing.lines import words_of

SECTIONS = {'acme', 'backend', 'cache', 'crt-store', 'defaults', 'fcgi-app', 'frontend', 'global',
            'http-errors', 'listen', 'log-forward', 'log-profile', 'mailers', 'peers', 'program',
            'resolvers', 'ring', 'traces', 'userlist'}
# What is left out of global: the rights of HAProxy, and its processes.
OF_GLOBAL = {'chroot', 'daemon', 'gid', 'group', 'localpeer', 'master-worker', 'nbproc', 'pidfile',
             'setcap', 'uid', 'ulimit-n', 'unix-bind', 'user'}
# What is left out of the other sections.
OF_PROXIES = {'bind-process', 'source'}
# The options of a bind, a server or a check that are followed by a value.
VALUED = set("""
    accept-netscaler-cip addr agent-addr agent-inter agent-port agent-send alpn backlog ca-file
    ca-ignore-err ca-sign-file ca-sign-pass ca-verify-file cc check-alpn check-proto check-sni
    ciphers ciphersuites client-sigalgs cookie crl-file crt crt-ignore-err crt-list curves
    downinter ecdhe error-limit fall fastinter gid group guid guid-prefix hash-key id idle-ping
    init-addr init-state inter interface level log-bufsize log-proto max-reuse maxconn maxqueue
    minconn mode mss name namespace nbconn nice npn observe ocsp-update on-error on-marked-down
    on-marked-up pool-conn-name pool-low-conn pool-max-conn pool-purge-delay port process proto
    proxy-v2-options quic-cc-algo quic-socket redir resolve-net resolve-opts resolve-prefer
    resolvers rise severity-output shard shards sigalgs slowstart sni socks4 source ssl-max-ver
    ssl-min-ver tcp-md5sig tcp-ut thread tls-ticket-keys track uid user usesrc verify verifyhost
    weight ws""".split())
# The options that are left out.
OF_BINDS = {'gid', 'group', 'interface', 'mode', 'namespace', 'process', 'transparent', 'uid',
            'user'}
OF_STATS_SOCKETS = {'gid', 'group', 'process', 'uid', 'user'}
OF_SERVERS = {'check-proto', 'check-ssl', 'interface', 'namespace', 'proto', 'socks4', 'source',
              'ssl', 'usesrc'}
OF_CHECKS = {'addr', 'alpn', 'port', 'proto', 'sni', 'ssl', 'via-socks4'}
# The ports that a range has at most.
MOST_PORTS = 10
# What begins the address of something that is no port.
PATHS = ('/', 'abns@', 'abnsz@', 'fd@', 'sockpair@', 'unix@', 'uxst@', 'uxdg@')
EVERYWHERE = {'', '*', '0.0.0.0', '::', '[::]'}  # nosec B104

_LOCAL = re.compile(r'(127(\.\d+){3}|\[?::1\]?|localhost)$')
_RANGE = re.compile(r'(\d+)-(\d+)$')
_COUNT = re.compile(r'(\d+)(?:-(\d+))?$')

# What became of a configuration. ``binds``: for each frontend a list of (port, whether it has TLS).
# ``servers``: (backend, server) of those that have an origin. ``peers``: the names of the peers.
# ``sockets``: the number of stats sockets. ``numbers``: for each line, its number in the original.
Placed = collections.namedtuple('Placed', 'text binds servers peers sockets numbers')


def split_address(text):
    """Return the host and the port of an address; the port is None if it is no such address."""
    if text.startswith(PATHS):
        return (text[5:] if text.startswith(('unix@', 'uxst@')) else text), None
    host, colon, port = text.rpartition('@')[2].rpartition(':')
    if not colon or port.endswith(']'):
        return text.rpartition('@')[2], ''
    return host, port


def is_local(text):
    """Return whether an address is one of this machine that stays as it is."""
    host, port = split_address(text)
    return port is not None and bool(_LOCAL.match(host) or _LOCAL.match(text))


class Line(object):
    """A line of a configuration, its section, and what is to be replaced in it."""

    def __init__(self, number, raw, section):
        self.number = number
        self.words = words_of(raw)[0]
        self.texts = [word.text for word in self.words]
        # The kind of the section, and its name.
        self.section = section
        if self.keyword in SECTIONS:
            self.section = self.keyword, ''.join(self.texts[1:2])
        self._raw = raw
        self._changes = []

    @property
    def keyword(self):
        """The first word, or ``''``."""
        return ''.join(self.texts[:1])

    def replace(self, number, text):
        """Replace a word, and what belongs to it."""
        self._changes.append((self.words[number].start, self.words[number].end, text))

    def append(self, text):
        """Add words."""
        end = self.words[-1].end
        self._changes.append((end, end, ' ' + text))

    def options(self, first):
        """Return the words from a number on that are options: a dict of their numbers."""
        found, number = collections.OrderedDict(), first
        while number < len(self.texts):
            found.setdefault(self.texts[number], []).append(number)
            number += 2 if self.texts[number] in VALUED else 1
        return found

    def leave_out(self, names, first):
        """Leave options out, with their values."""
        for name, numbers in self.options(first).items():
            for number in numbers if name in names else []:
                last = self.words[number:number + (2 if name in VALUED else 1)][-1]
                self._changes.append((self.words[number - 1].end, last.end, ''))

    def set_option(self, name, value, first):
        """Replace the value of an option, or add it."""
        numbers = [number + 1 for number in self.options(first).get(name, [])
                   if number + 1 < len(self.words)]
        for number in numbers:
            self.replace(number, value)
        if not numbers:
            self.append('{0} {1}'.format(name, value))

    def with_words(self, words, after):
        """Return a line that begins with other words, up to the word with a number."""
        raw = self._raw[:self.words[0].start] + words + self._raw[self.words[after].end:]
        return Line(self.number, raw, self.section)

    def comment_out(self):
        """Make a comment of the line."""
        self._changes.append((self.words[0].start, self.words[0].start, '# '))

    def __str__(self):
        text = self._raw
        # From the end on, so that what was found before stays where it is.
        for start, end, new in sorted(self._changes, key=lambda change: change[0], reverse=True):
            text = text[:start] + new + text[end:]
        return text


class Ports(object):
    """The ports of configurations: a name has the same one in each of them.

    :param origins: the :class:`haproxyadmin.testing.launching.Origins` to which servers are added.
    :param reserve: a function that returns the number of a free port.
    """

    def __init__(self, origins, reserve):
        self._origins = origins
        self._reserve = reserve
        self._numbers = {}

    def port(self, *key):
        """Return a port."""
        if key not in self._numbers:
            self._numbers[key] = self._reserve()
        return self._numbers[key]

    def origin(self, backend, server):
        """Return the port of the origin of a server."""
        return self._origins.ports[self._started('origin', backend, server) - 1]

    def agent(self, backend, server):
        """Return the port of the agent of a server, which reports ``up`` at first."""
        return self._origins.ports[self._started('agent', backend, server) - 1]

    def numbers_of(self, backend, server):
        """Return the numbers of the origin and of the agent of a server, None if it has none."""
        return [self._numbers.get((kind, backend, server)) for kind in ('origin', 'agent')]

    def _started(self, *key):
        if key not in self._numbers:
            number = self._numbers[key] = self._origins.add('/'.join(key[1:]))
            if key[0] == 'agent':
                self._origins.agent(number, 'up')
        return self._numbers[key]


def place(text, ports):
    """Rewrite a configuration.

    :param text: the configuration.
    :type text: str
    :param ports: :class:`Ports`, or what has these methods.
    :rtype: :class:`Placed`
    """
    return _Placing(text, ports).result()


class _Placing(object):

    def __init__(self, text, ports):
        self._ports = ports
        self._binds = collections.OrderedDict()
        self._servers = []
        self._sockets = 0
        self._lines = []
        section = 'global', ''
        for number, raw in enumerate(text.split('\n'), 1):
            line = Line(number, raw, section)
            section = line.section
            self._lines.extend(_servers_of_template(line))
        self._defaults = set(name for line in self._lines if line.keyword == 'default-server'
                             for name in line.options(1))
        # The ports of frontends by their addresses: servers may be meant to reach those.
        self._followed = {}
        self._peers = []
        self._local_peer = None

    def result(self):
        """Return the :class:`Placed`."""
        for line in self._lines:
            if line.keyword in ('bind', 'dgram-bind') and len(line.words) > 1:
                self._bind(line)
        for line in self._lines:
            self._rewrite(line)
        lines = [str(line) for line in self._lines]
        words = [line.texts for line in self._lines]
        lines += ['global', '    max-spread-checks 1'] if not [
            1 for texts in words if texts[:1] == ['max-spread-checks']] else ['global']
        if not self._sockets:
            self._sockets = 1
            lines.append('    stats socket {0} level admin'.format(socket_name(1)))
        peers = self._peers
        if self._local_peer:
            peers = [self._local_peer] + [name for name in peers if name != self._local_peer]
        return Placed('\n'.join(lines) + '\n', self._binds, self._servers, peers, self._sockets,
                      [line.number for line in self._lines])

    def _rewrite(self, line):
        kind, name = line.section
        if kind == 'program' or line.keyword in (
                OF_GLOBAL if kind == 'global' else OF_PROXIES):
            if line.keyword == 'localpeer':
                self._local_peer = ''.join(line.texts[1:2])
            if line.words:
                line.comment_out()
        elif line.texts[:2] == ['stats', 'socket'] and len(line.words) > 2:
            self._sockets += 1
            line.replace(2, socket_name(self._sockets))
            line.leave_out(OF_STATS_SOCKETS, 3)
        elif line.texts[:2] == ['stats', 'bind-process']:
            line.comment_out()
        elif line.keyword == 'log':
            if not _is_harmless_log(line.texts):
                line.comment_out()
        elif kind == 'peers':
            self._rewrite_peer(line, name)
        elif line.keyword in ('nameserver', 'mailer') and len(line.words) > 2:
            if not is_local(line.texts[2]):
                line.replace(2, self._port(line.keyword, name, line.texts[1]))
        elif line.keyword == 'parse-resolv-conf':
            line.replace(0, 'nameserver resolv.conf ' + self._port('nameserver', name, ''))
        elif line.keyword == 'dispatch' and len(line.words) > 1:
            if not is_local(line.texts[1]):
                line.replace(1, self._origin(name, 'dispatch'))
        elif line.keyword == 'default-server':
            line.leave_out(OF_SERVERS - {'ssl', 'check-ssl'}, 1)
        elif line.texts[:2] in (['tcp-check', 'connect'], ['http-check', 'connect']):
            if kind == 'defaults' or any(map(self._has_origin, self._lines_of(line.section))):
                line.leave_out(OF_CHECKS, 2)
        elif line.keyword == 'server' and len(line.words) > 2:
            self._rewrite_server(line, name, line.texts[1])

    def _lines_of(self, section):
        return [line for line in self._lines if line.section == section]

    def _port(self, *key):
        return '127.0.0.1:{0}'.format(self._ports.port(*key))

    def _origin(self, backend, server):
        self._servers.append((backend, server))
        return '127.0.0.1:{0}'.format(self._ports.origin(backend, server))

    def _bind(self, line):
        """Give each address of a bind a port, with which a server may be meant, too."""
        kind, name = line.section
        has_tls = 'ssl' in line.options(2)
        addresses = []
        for address in line.texts[1].split(','):
            if address.startswith('rhttp@'):
                addresses.append(address)
                continue
            start = address.partition('@')[0] + '@' if address.startswith('quic') else ''
            for host, port in _each_port(address):
                number = self._ports.port('bind', name, host, port)
                addresses.append('{0}127.0.0.1:{1}'.format(start, number))
                if kind != 'peers':
                    self._binds.setdefault(name, []).append((number, has_tls))
                    self._followed.setdefault(
                        ('' if host in EVERYWHERE else host, port), number)
        line.replace(1, ','.join(addresses))
        line.leave_out(OF_BINDS, 2)

    def _rewrite_peer(self, line, section):
        if line.keyword not in ('peer', 'server') or len(line.words) < 2:
            return
        own = line.texts[1]
        if len(line.words) > 2 and split_address(line.texts[2])[1] != '':
            line.replace(2, self._port('peer', section, own))
        elif self._local_peer is None:
            # The one without an address is this HAProxy.
            self._local_peer = own
        if own not in self._peers:
            self._peers.append(own)

    def _follow(self, text):
        """Return the port of a frontend if an address of a server is that of its bind."""
        host, port = split_address(text)
        number = self._followed.get((host, port))
        return self._followed.get(('', port)) if number is None and is_local(text) else number

    def _has_origin(self, line):
        return line.keyword == 'server' and len(line.words) > 2 and not (
            is_local(line.texts[2]) or self._follow(line.texts[2]))

    def _rewrite_server(self, line, backend, server):
        followed = self._follow(line.texts[2])
        if line.texts[2].startswith('rhttp@'):
            return
        if followed:
            line.replace(2, '127.0.0.1:{0}'.format(followed))
            line.leave_out(OF_SERVERS - {'ssl', 'check-ssl', 'proto', 'check-proto'}, 3)
            return
        options = line.options(3)
        if is_local(line.texts[2]):
            for name in ('addr', 'agent-addr'):
                if not all(is_local(line.texts[number + 1]) for number in options.get(name, [])
                           if number + 1 < len(line.words)):
                    line.set_option(name, '127.0.0.1', 3)
            return
        address = self._origin(backend, server)
        line.replace(2, address)
        line.leave_out(OF_SERVERS, 3)
        known = self._defaults.union(options)
        if 'port' in known:
            line.set_option('port', address.rpartition(':')[2], 3)
        for name in sorted(known & {'addr', 'agent-addr'}):
            line.set_option(name, '127.0.0.1', 3)
        if known & {'agent-check', 'agent-port'}:
            line.set_option('agent-port', str(self._ports.agent(backend, server)), 3)
        for name in sorted(self._defaults & {'ssl', 'check-ssl'}):
            line.append('no-' + name)


def socket_name(number):
    """Return how the configuration names a stats socket, counted from 1."""
    return '"${HAPROXYADMIN_SOCKET}%s.sock"' % ('' if number == 1 else '-%d' % number)


def _servers_of_template(line):
    """Return a line for each server of a ``server-template``, so that each can have an origin."""
    if line.keyword != 'server-template' or len(line.words) < 4 or is_local(line.texts[3]):
        return [line]
    count = _COUNT.match(line.texts[2])
    if not count:
        return [line]
    first, last = count.groups()
    numbers = range(int(first), int(last) + 1) if last else range(1, int(first) + 1)
    return [line.with_words('server {0}{1} {2}'.format(line.texts[1], number, line.texts[3]), 3)
            for number in numbers]


def _each_port(address):
    """Return the hosts and ports of an address of a bind, which may have a range of ports."""
    host, port = split_address(address)
    ends = port and _RANGE.match(port)
    if not ends:
        return [(host, port)]
    first, last = map(int, ends.groups())
    return [(host, str(number)) for number in range(first, min(last, first + MOST_PORTS - 1) + 1)]


def _is_harmless_log(texts):
    """Return whether a log goes to HAProxy's own output, to a port of 127.0.0.1, or nowhere."""
    target = ''.join(texts[1:2])
    if target in ('global', 'stderr', 'stdout') or target.startswith(('backend@', 'fd@', 'ring@')):
        return True
    return is_local(target) and split_address(target)[1] not in ('', '514')
