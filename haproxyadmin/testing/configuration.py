# SPDX-License-Identifier: Apache-2.0
"""The part of HAProxy's configuration that the fake and the throwaway HAProxy have to know."""
import collections
import os
import re

from haproxyadmin.testing import lines
from haproxyadmin.testing.texts import text as text_of

# What both run if no configuration is given.
DEFAULT = """\
global
    maxconn 1000

defaults
    mode http
    timeout connect 5s
    timeout client 1m
    timeout server 1m
    timeout check 5s

frontend www
    bind :80
    acl blocked src -f blocklist.acl
    http-request deny if blocked
    use_backend %[req.hdr(host),lower,map(hosts.map,web)]
    default_backend web

backend web
    cookie server insert indirect nocache
    default-server inter 100ms
    server web1 10.0.0.1:80 cookie web1 check
    server web2 10.0.0.2:80 cookie web2 check
    server web3 10.0.0.3:80 cookie web3 check

backend api
    stick-table type string len 64 size 100k expire 10m store gpc0,http_req_rate(10s)
    server api1 10.0.1.1:80 check
"""
# The files that it loads.
DEFAULT_FILES = {'blocklist.acl': '192.0.2.1\n', 'hosts.map': 'api.example.com api\n'}

# Where a proxy has a row for each kind of its own.
FRONTENDS = ('frontend', 'listen')
BACKENDS = ('backend', 'listen')
_SECTIONS = ('global', 'defaults', 'frontend', 'backend', 'listen', 'peers', 'resolvers', 'mailers',
             'userlist', 'program', 'cache', 'http-errors', 'ring', 'log-forward', 'fcgi-app',
             'crt-store', 'traces', 'acme', 'log-profile')
# In HAProxy the id 1 belongs to the frontend of the stats sockets.
FIRST_IID = 2

Line = collections.namedtuple('Line', 'number words')


class ConfigurationError(ValueError):
    """The fake cannot use a configuration; the message says which line, and why."""


class Section(object):
    """A section of a configuration, with the lines of the ``defaults`` section that it uses.

    :ivar kind: the word that begins it, ``'backend'`` for example.
    :ivar name: its name, ``''`` if it has none.
    :ivar lines: a list of :class:`Line`, without those of ``defaults``.
    :ivar defaults: a list of the lines of its ``defaults`` section.
    """

    def __init__(self, kind, name, number, defaults=()):
        self.kind = kind
        self.name = name
        self.number = number
        self.lines = []
        self.defaults = list(defaults)

    def all(self, *words):
        """Return the lines of the section that begin with these words, without the words."""
        return [Line(line.number, line.words[len(words):]) for line in self.lines
                if tuple(line.words[:len(words)]) == words]

    def last(self, *words):
        """Return the words after the last line that begins with these, also in ``defaults``.

        It is None if there is none.
        """
        found = [line.words for line in self.defaults + self.lines
                 if tuple(line.words[:len(words)]) == words]
        return found[-1][len(words):] if found else None

    def value(self, *words):
        """Return the first word after the last line that begins with these, or None."""
        return (self.last(*words) or [None])[0]


class Proxy(Section):
    """A frontend, a backend or a ``listen`` section.

    :ivar iid: its id.
    :ivar servers: a list of :class:`Server`, in order.
    """

    def __init__(self, kind, name, number, defaults=()):
        super(Proxy, self).__init__(kind, name, number, defaults)
        self.iid = None
        self.servers = []
        # None until it is asked for: that is once everything has been read.
        self._is_disabled = None

    @property
    def is_frontend(self):
        """True if clients connect to it."""
        return self.kind in FRONTENDS

    @property
    def is_backend(self):
        """True if it has servers."""
        return self.kind in BACKENDS

    @property
    def mode(self):
        """Its mode, ``'tcp'`` if the configuration does not say."""
        return self.value('mode') or 'tcp'

    @property
    def is_disabled(self):
        """True if HAProxy does not run it."""
        if self._is_disabled is None:
            flags = [line.words[0] for line in self.defaults + self.lines
                     if line.words[0] in ('disabled', 'enabled')]
            self._is_disabled = flags[-1:] == ['disabled']
        return self._is_disabled

    def is_in(self, process_number):
        """Return whether a process of several runs it, see ``bind-process``."""
        numbers = self.last('bind-process')
        if not numbers or 'all' in numbers:
            return True
        return any(int(first) <= process_number <= int(last or first) for first, _, last in [
            number.partition('-') for number in numbers])


class Server(object):
    """A server of a backend.

    :ivar sid: its id.
    :ivar address: what the configuration says, without the port.
    :ivar port: its port; 0 if the port is that of the client.
    :ivar is_relative: True if its port is added to that of the client.
    :ivar words: the words of ``default-server`` and of the server itself.
    """

    def __init__(self, name, target, sid, number, words):
        self.name = name
        self.sid = sid
        self.number = number
        self.words = words
        # What follows each word; of several, the last one counts.
        self._values = dict(zip(words, words[1:]))
        self._flags = {}
        for word in words:
            self._flags[word] = True
            if word.startswith('no-'):
                self._flags[word[len('no-'):]] = False
        target = re.sub(r'\A(ipv4|ipv6)@', '', target)
        address, colon, port = target.rpartition(':')
        if not colon or target.startswith('[') and target.endswith(']') or (
                ':' in address and not address.startswith('[')):
            address, port = target, '0'
        self.address = address.strip('[]')
        # A port such as `+1000` is added to that of the client.
        self.is_relative = port[:1] in ('+', '-')
        self.port = int(port[1:]) if self.is_relative else int(port) if port.isdigit() else 0

    def has(self, flag):
        """Return True if it has a word, and its opposite (``no-X``) does not come later."""
        return self._flags.get(flag, False)

    def value(self, word, otherwise=None):
        """Return the word after the last such word."""
        return self._values.get(word, otherwise)


class Configuration(object):
    """A configuration, read as far as the fake has to know it.

    :param text: the text of the configuration.
    :param name: the name of its file, as HAProxy prints it.
    :param files: the files that it names: a dict of names and texts.
    :param directory: where other files are whose names are relative.
    :raises ConfigurationError: if it is not one.

    :ivar sections: a list of all sections except ``defaults``, in order.
    :ivar settings: the ``global`` section.
    :ivar named_defaults: the lines of each ``defaults`` section, by its name.
    """

    def __init__(self, text, name='haproxy.cfg', files=None, directory='.'):
        self.name = name
        self._files = files or {}
        self._directory = directory
        self.sections = []
        self.settings = Section('global', '', 0)
        self.named_defaults = {}
        self._found = {}
        self._read(text)
        self._number_proxies()

    @property
    def proxies(self):
        """All frontends, backends and ``listen`` sections, in order."""
        return [section for section in self.sections if isinstance(section, Proxy)]

    def read_once(self, function):
        """Return what a function finds in the configuration, the same for all processes."""
        if function not in self._found:
            self._found[function] = function(self)
        return self._found[function]

    def read(self, name):
        """Return the text of a file that the configuration names.

        :raises ConfigurationError: if there is none.
        """
        path = os.path.join(self._directory, name)
        if name in self._files and (os.path.isabs(name) or not os.path.exists(path)):
            return text_of(self._files[name])
        try:
            with open(path, 'rb') as stored:
                return text_of(stored.read())
        except IOError as error:
            raise ConfigurationError('the configuration names a file that is not there, pass it '
                                     'with files={{...}}: {0}'.format(error))

    def names_in(self, directory):
        """Return the names of the files in a directory, sorted; None if it is none.

        :param directory: its name, without a slash at the end.
        """
        names = set(name[len(directory) + 1:] for name in self._files
                    if name.startswith(directory + '/'))
        place = os.path.join(self._directory, directory)
        if os.path.isdir(place):
            names.update(name for name in os.listdir(place)
                         if os.path.isfile(os.path.join(place, name)))
        elif not names:
            return None
        return sorted(name for name in names if '/' not in name)

    def of_kind(self, kind):
        """Return the sections of a kind, ``'peers'`` for example."""
        return [section for section in self.sections if section.kind == kind]

    def _read(self, text):
        section, defaults, named = None, [], self.named_defaults
        for number, line in enumerate(text.split('\n'), 1):
            words = split_words(line, number)
            if not words:
                continue
            if words[0].startswith('.'):
                raise ConfigurationError('line {0}: the fake does not know conditions: {1}'.format(
                    number, line.strip()))
            if words[0] == 'defaults':
                section = Section('defaults', (words[1:] or [''])[0], number)
                defaults = named[section.name] = section.lines
            elif words[0] == 'global':
                section = self.settings
            elif words[0] in _SECTIONS:
                section = self._section(words, number, defaults, named)
                self.sections.append(section)
            elif section is None:
                raise ConfigurationError('line {0}: a section has to come first, not {1!r}'.format(
                    number, words[0]))
            else:
                section.lines.append(Line(number, words))

    def _section(self, words, number, defaults, named):
        if words[0] not in FRONTENDS + BACKENDS:
            return Section(words[0], (words[1:] or [''])[0], number)
        if len(words) < 2:
            raise ConfigurationError('line {0}: {1!r} needs a name'.format(number, words[0]))
        if words[2:3] == ['from']:
            defaults = named.get((words[3:] or [''])[0], [])
        return Proxy(words[0], words[1], number, defaults)

    def _number_proxies(self):
        iid = FIRST_IID
        for proxy in self.proxies:
            proxy.iid = int(proxy.value('id') or iid)
            iid = max(iid, proxy.iid) + 1
            proxy.servers = list(_servers_of(proxy))


def _servers_of(proxy):
    default = []
    for line in proxy.defaults:
        if line.words[0] == 'default-server':
            default = default + line.words[1:]
    sid = 1
    for line in proxy.lines:
        if line.words[0] == 'default-server':
            default = default + line.words[1:]
        elif line.words[0] == 'server':
            if len(line.words) < 3:
                raise ConfigurationError('line {0}: a server needs a name and an address'.format(
                    line.number))
            server = Server(line.words[1], line.words[2], sid, line.number,
                            default + line.words[3:])
            server.sid = int(server.value('id') or sid)
            yield server
            sid = server.sid + 1
        elif line.words[0] == 'server-template':
            first, _, last = line.words[2].rpartition('-')
            for number in range(int(first or 1), int(last) + 1):
                yield Server(line.words[1] + str(number), line.words[3], sid, line.number,
                             default + line.words[4:])
                sid += 1


def split_words(line, number=0):
    """Return the words of a line, with the values of variables of the environment."""
    words, quote = lines.words_of(line, os.environ)
    if quote:
        raise ConfigurationError('line {0}: a quote has no end: {1}'.format(number, line.strip()))
    return [word.text for word in words]
