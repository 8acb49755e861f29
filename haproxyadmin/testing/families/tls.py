# SPDX-License-Identifier: Apache-2.0
"""The lines of a configuration that use certificates and other files of TLS."""
import os

from haproxyadmin.testing.configuration import ConfigurationError

# What the name of another file of a certificate ends in.
PARTS = ('key', 'ocsp', 'sctl', 'issuer')
KEY_TYPES = ('dsa', 'ecdsa', 'rsa')


class TlsLine(object):
    """A ``bind`` or ``server`` line.

    :ivar number: its number; :ivar words: its words.
    """

    def __init__(self, kind, number, words):
        self.kind = kind
        self.number = number
        self.words = words

    def pairs(self, *names):
        """Return pairs of each of these words and the word after it, in order."""
        return [(word, self.words[place + 1]) for place, word in enumerate(self.words[:-1])
                if word in names]

    def value(self, name):
        """Return the word after the last such word, None if there is none."""
        return ([value for _, value in self.pairs(name)] or [None])[-1]

    @property
    def is_strict(self):
        """Whether it has no default certificate."""
        return 'strict-sni' in self.words


def lines_of(process, configuration):
    """Return the ``bind`` and ``server`` lines with TLS of what a process runs, in order."""
    return [line for proxy, lines in configuration.read_once(_lines_by_proxy)
            if process.runs(proxy) for line in lines]


def _lines_by_proxy(configuration):
    found = []
    for proxy in configuration.proxies:
        lines = [TlsLine('bind', line.number, line.words[2:]) for line in proxy.lines
                 if line.words[0] == 'bind' and 'ssl' in line.words]
        lines += [TlsLine('server', server.number, server.words) for server in proxy.servers
                  if 'ssl' in server.words or 'crt' in server.words]
        found.append((proxy, lines))
    return found


def place_of(configuration, name, base='crt-base'):
    """Return the name of a file as HAProxy has it, below ``crt-base`` or ``ca-base``."""
    directory = configuration.settings.value(base)
    return name if not directory or name[:1] in '/@' else directory + '/' + name


def is_there(configuration, name):
    """Return whether there is such a file."""
    try:
        configuration.read(name)
    except ConfigurationError:
        return False
    return True


def names_in(configuration, directory):
    """Return the names of the certificates in a directory, in order; None if it is none."""
    names = configuration.names_in(directory.rstrip('/'))
    return names and [name for name in names if not name.startswith('.') and not (
        name.rpartition('.')[1] and name.rpartition('.')[2] in PARTS)]


def join(directory, name):
    """Return the name of a file in a directory, as HAProxy writes it."""
    return os.path.join(directory.rstrip('/'), name)
