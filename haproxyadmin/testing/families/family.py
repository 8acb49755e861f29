# SPDX-License-Identifier: Apache-2.0
"""What the families of commands of the fake have in common.

A family is a class of its own: its methods answer commands, its attributes are the state that these
change. A command is declared by :func:`command` with its first words, the level that it needs, and
the versions that know it.
"""
import collections
import re

LEVELS = ('user', 'operator', 'admin')
OK = '\n'

Command = collections.namedtuple('Command', 'words level since until function')


class Call(object):
    """A command that a family has to answer.

    :ivar line: the command as it was received, without its payload.
    :ivar words: all of its words, without escapes.
    :ivar rest: the words after those by which the command is known.
    :ivar payload: its payload, ``None`` if it has none.
    :ivar connection: the :class:`Connection` on which it came.
    """

    def __init__(self, line, words, rest, payload, connection):
        self.line = line
        self.words = words
        self.rest = rest
        self.payload = payload
        self.connection = connection


class Connection(object):
    """What lasts for one connection.

    :ivar level: the access level, which commands can lower.
    :ivar is_experimental: True after ``experimental-mode on``.
    """

    def __init__(self, level='admin'):
        self.level = level
        self.is_experimental = False

    def may(self, level):
        """Return whether its level is enough."""
        return LEVELS.index(self.level) >= LEVELS.index(level)


def command(*names, **options):
    """Declare a method to be the answer to commands.

    :param names: the first words of each command.
    :param level: the access level that it needs, ``'user'`` by default.
    :param since: the first version that knows it, as a tuple.
    :param until: the first version that does not know it any more, as a tuple.

    The method gets a :class:`Call` and returns the whole reply as text.
    """
    def declare(function):
        declared = [Command(tuple(name.split()), options.get('level', 'user'),
                            options.get('since', (1, 5)), options.get('until'), function.__name__)
                    for name in names]
        function.commands = getattr(function, 'commands', []) + declared
        return function
    return declare


def message(text):
    """Return the reply that is a message."""
    return text + '\n\n'


def number_in(word):
    """Return the number with which a word begins, 0 without one, as ``atoi`` does in C."""
    number = int(re.match(r'\s*([+-]?\d+)?', word).group(1) or 0)
    # It is a long that becomes an int.
    number = max(-1 << 63, min(number, (1 << 63) - 1))
    return (number + (1 << 31)) % (1 << 32) - (1 << 31)


class Family(object):
    """The commands about one kind of thing, and its state in one process.

    :type process: haproxyadmin.testing.process.FakeProcess
    :param configuration: a :class:`haproxyadmin.testing.configuration.Configuration`.
    """

    def __init__(self, process, configuration):
        self.process = process
        self.configuration = configuration

    def has(self, *version):
        """Return whether the version of the process is at least this one."""
        return self.process.release >= version
