# SPDX-License-Identifier: Apache-2.0
"""One process of the fake: its socket, its state, and how it reads commands."""
import contextlib
import os
import re
import socket

from haproxyadmin.testing import sockets
from haproxyadmin.testing.families.family import Call, Connection
from haproxyadmin.testing.families.figures import check_version
from haproxyadmin.testing.families.order import FAMILIES, commands_of
from haproxyadmin.testing.faults import Fault
from haproxyadmin.testing.texts import raw, text

# Bytes of a command line, and of a payload with its command and the empty line at its end.
MAX_LINE = 15360
MAX_PAYLOAD = 16000
MAX_LARGE_PAYLOAD = 131071
MAX_WORDS = 64
_PIECES = re.compile(r'(?:\\.|[^;\\])+')
_WORD_ENDS = ' \t'
_SECRET = re.compile(r'(set +ssl +tls-key +\S+) +[^;]+')


def words_of(line, release=(99,)):
    """Split a command into words as a version of HAProxy does, without the escapes."""
    words, word, is_escaped = [], None, False
    # From 1.9 to 2.1 an escaped blank ends a word, too.
    ends = _WORD_ENDS if (1, 9) <= release < (2, 2) else ''
    for character in line:
        if is_escaped and character not in ends:
            word, is_escaped = (word or '') + character, False
        elif character == '\\':
            is_escaped = True
        elif character not in _WORD_ENDS:
            word = (word or '') + character
        elif word is not None:
            words, word, is_escaped = words + [word], None, False
    return words + [word] if word is not None else words


def head_of_unknown(release, words):
    """Return the first line of the reply to a command that HAProxy does not know."""
    if release < (2, 4):
        return 'Unknown command. Please enter one of the following commands only :'
    if not words:
        return 'Unknown command. Please enter one of the following commands only:'
    return 'Unknown command{0}, but maybe one of the following ones is a better match:'.format(
        ": '{0}'".format(words[0]) if release >= (2, 8) else '')


def without_secrets(command):
    """Return what of a command may be shown: no payload, and no key of TLS tickets."""
    line, newline, _ = command.partition('\n')
    line = '(a block of PEM)' if line.startswith('-----BEGIN') else line
    return _SECRET.sub(r'\1 ...', line) + ('\n...' if newline else '')


def _find(words, release):
    """Return what :func:`commands_of` has for the longest command with which words begin."""
    for count in range(min(len(words), 5), 0, -1):
        found = commands_of(release).get(tuple(words[:count]))
        if found:
            return found
    return None, None


class FakeProcess(sockets.Concurrent):
    """One HAProxy process behind one socket.

    :param path: where it listens: the path of a Unix socket, or ``(address, port)``.
    :param version: its branch, such as ``'3.2'``, or a release of one.
    :param configuration: a :class:`haproxyadmin.testing.configuration.Configuration`.
    :param number: its process number.
    :param level: the access level of its socket.
    :param dumps: (optional) a function that returns the texts of ``show info`` and ``show stat``
        with which a process of a version begins, instead of those of the configuration.

    :ivar info: the fields of ``show info``.
    :ivar columns: the names of the columns of ``show stat``; ``rows`` are its rows, each a list.
    :ivar answers: replies that take the place of its own: by command a text, or a list of texts
        that are each sent once.
    :ivar handler: None, or a function that is called with each command line and returns a reply
        that takes the place of its own, or None.
    :ivar commands: the command lines that it has received.
    :ivar problems: what a real HAProxy would not have understood, or would have suffered from.
    """

    def __init__(self, path, version, configuration, number=1, pid=4000, level='admin', dumps=None):
        super(FakeProcess, self).__init__(path)
        self.level = level
        self.configuration = configuration
        self.dumps = dumps
        self.number = number
        self.pid = pid - 1000
        self.answers = {}
        self.handler = None
        # For a field CumReq of `show info` that is shared by all sockets of one process.
        self.requests = None
        # Each with the number of connections that it still concerns.
        self._faults = []
        self._next = []
        # By connection: what is to be done with it, and the command that was read to find that out.
        self._chosen = {}
        self._received = {}
        self.commands = []
        # Versions that this socket had before; their commands are no mistakes of the client.
        self._former = []
        self.take_over(version, number, pid)

    def take_over(self, version=None, number=None, pid=None):
        """Replace the process behind the socket by a new one, possibly of another version.

        It begins with the state of its configuration, as after a reload.

        :raises ValueError: if the fake cannot be that version.
        """
        with self.lock:
            self._take_over(check_version(version or self.version), number, pid)

    def _take_over(self, version, number, pid):
        if hasattr(self, 'version'):
            self._former.append(self.release)
        self.version = version
        self.release = tuple(int(number) for number in self.version.split('.')[:2])
        self.number = number or (self.number if self.release < (2, 5) else 1)
        self.pid = pid or self.pid + 1000
        for family in FAMILIES:
            setattr(self, family.name, family(self, self.configuration))

    def runs(self, proxy):
        """Return whether a proxy of the configuration runs in this process."""
        return not proxy.is_disabled and (self.release >= (2, 5) or proxy.is_in(self.number))

    # Its figures, see haproxyadmin.testing.families.figures

    @property
    def info(self):
        """The fields of ``show info``, an ordered dict."""
        return self.figures.info

    @property
    def columns(self):
        """The names of the columns of ``show stat``."""
        return self.figures.columns

    @property
    def rows(self):
        """The rows of ``show stat``, each a list of fields."""
        return self.figures.rows

    @rows.setter
    def rows(self, rows):
        self.figures.rows = rows

    def row(self, proxy, name):
        """Return a row of ``show stat`` as a list of fields, or None."""
        return self.figures.row(proxy, name)

    def get(self, proxy, name, column):
        """Return a field of ``show stat``."""
        return self.figures.get(proxy, name, column)

    def set(self, proxy, name, column, value):
        """Change a field of ``show stat``."""
        self.figures.set(proxy, name, column, value)

    # Replies

    def reply_to(self, command, connection=None):
        """Return the reply to a command line as bytes; an unknown command is a problem.

        :param command: the line as text; a payload follows after a newline.
        """
        with self.lock:
            return self._reply_to(command, connection or Connection(self.level))

    def _reply_to(self, command, connection):
        if self.handler is not None:
            reply = self.handler(command)
            if reply is not None:
                return raw(reply)
        if command in self.answers:
            return raw(self._next_answer(command))
        line, newline, payload = command.partition('\n')
        if newline and self.release < (2, 0):
            # There are no payloads yet: each line is a command.
            return b''.join(self._reply_to(each, connection) for each in command.split('\n'))
        if newline and line.endswith('<<'):
            line = line[:-2]
        pieces = [piece.strip() for piece in _PIECES.findall(line)] or ['']
        if len(pieces) == 1:
            return raw(self._answer(pieces[0], payload if newline else None, connection))
        last = pieces[-1] + (' <<\n' + payload if newline else '')
        return b''.join(self._reply_to(piece, connection) for piece in pieces[:-1] + [last])

    def _next_answer(self, command):
        reply = self.answers[command]
        if not isinstance(reply, list):
            return reply
        if not reply:
            self.problem('once too often: {0!r}'.format(without_secrets(command)))
            return '\n'
        return reply.pop(0)

    def _answer(self, line, payload, connection):
        words = words_of(line, self.release)
        declared, family = _find(words, self.release)
        if declared:
            if not connection.may(declared.level):
                return 'Permission denied\n\n'
            return getattr(getattr(self, family.name), declared.function)(
                Call(line, words, words[len(declared.words):], payload, connection))
        if words and not any(_find(words, former)[0] for former in self._former):
            self.problem('unknown command: {0!r}; if HAProxy {1} has it, give it an answer'.format(
                without_secrets(line), self.version))
        return self.unknown(words)

    def unknown(self, words):
        """Return what HAProxy replies to a command that it does not know.

        The list of commands that follows contains those that the fake knows.
        """
        known = self.known_commands()
        if not words and self.release >= (2, 8):
            return '\n'
        if words and self.release >= (2, 4):
            known = [name for name in known if name.split()[0] == words[0]] or known
        return '\n  '.join([head_of_unknown(self.release, words)] + known) + '\n\n'

    def known_commands(self):
        """Return the first words of the commands that the fake knows, in order."""
        return sorted(map(' '.join, commands_of(self.release)))

    # Connections

    def receive(self, client):
        """Read a command, including its payload, and return it as text."""
        if self.has_received(client):
            return self._received.pop(client)
        command = text(super(FakeProcess, self).receive(client))
        if command.endswith('\nquit\n'):
            # It takes this for the socket of a master.
            command = command[:-len('quit\n')]
        return self.take(command)

    def take(self, command):
        """Check and record what has been received; return it without the newline at its end."""
        if not self.stopping.is_set():
            self._check(command)
        command = command[:-1] if command.endswith('\n') else command
        self.commands.append(command)
        return command

    def problem(self, what):
        """Record a problem, which fails the test."""
        self.problems.append('{0}: {1}'.format(self.path, what))

    def wait_for_end(self, client):
        """Wait for the client to half-close the connection; return False if it does not."""
        while True:
            try:
                chunk = self.recv(client)
            except socket.error:
                return False
            if not chunk:
                return not self.stopping.is_set()
            self.problem('more than a command: {0} bytes'.format(len(chunk)))

    def _check(self, command):
        if not command:  # The client timed out or was interrupted.
            return
        line = command.split('\n', 1)[0]
        is_whole = command.endswith('\n\n') if line.endswith('<<') else command.count('\n') == 1
        if not is_whole or not command.endswith('\n'):
            self.problem('not one command line: {0!r}'.format(without_secrets(command)[:200]))
        most = MAX_LINE if not line.endswith('<<') else (
            MAX_PAYLOAD if self.release < (3, 4) else MAX_LARGE_PAYLOAD)
        if len(raw(command)) > most or len(line) > MAX_LINE or any(
                len(part.split()) > MAX_WORDS for part in re.split(r'(?<!\\);', line)):
            self.problem('wedges or crashes a HAProxy: {0!r}...'.format(
                without_secrets(command)[:80]))
        if '\0' in command or '\r' in line:
            self.problem('ends early: {0!r}'.format(without_secrets(command)[:200]))

    def answer(self, client):
        """Read a command and answer it."""
        client.sendall(self.reply_to(self.receive(client)))

    def serve(self, client):
        """Serve a connection, with the first fault that concerns it."""
        with contextlib.closing(client):
            try:
                self.behavior_for(client)(self, client)
            except socket.error:
                pass  # the client has given up
            except Exception as error:
                self.problem('{0}: {1}'.format(type(error).__name__, error))
            finally:
                self._received.pop(client, None)

    def accepted(self, client):
        """Choose what to do with a connection if that does not depend on its command."""
        with self.lock:
            if self._next:
                self._chosen[client] = self._next.pop(0)

    def behavior_for(self, client):
        """Return what to do with a connection."""
        if client in self._chosen:
            return self._chosen.pop(client)
        for entry in list(self._faults):
            fault = entry[0]
            if fault.command is not None:
                if not self.has_received(client):
                    self._received[client] = self.receive(client)
                if not self._received[client].startswith(fault.command):
                    continue
            if self._count(entry):
                return fault.behavior
        return type(self).answer

    def _count(self, entry):
        """Count a connection for a fault; return False if the fault has ended meanwhile."""
        with self.lock:
            if not any(each is entry for each in self._faults):
                return False
            if entry[1] is not None:
                entry[1] -= 1
            if entry[1] == 0:
                self._faults = [each for each in self._faults if each is not entry]
            return True

    def has_received(self, client):
        """Return whether the command of a client has been read to find the fault for it."""
        return client in self._received

    # What a test wants it to do

    def next(self, *faults):
        """Give each of the next connections one fault, in this order.

        These come before those of :meth:`fail`. What is left of an earlier list is dropped.

        :param faults: each a :class:`~haproxyadmin.testing.faults.Fault`, of which ``command``,
            ``process`` and ``times`` do not count, or a function that would be its ``behavior``.
        """
        self._next = list(faults)

    def fail(self, *faults):
        """Begin faults, see :meth:`haproxyadmin.testing.FakeHAProxy.fail`.

        :param faults: as for :meth:`next`.
        """
        for fault in faults:
            fault = fault if isinstance(fault, Fault) else Fault(fault)
            if fault.at_once and fault.command is None:
                fault.at_once(self)
            else:
                self._faults.append([fault, fault.times])

    def heal(self):
        """End all faults; if the process has refused connections, it accepts them again."""
        with self.lock:
            self._faults = []
            self._next = []
        if not self.is_listening:
            self.listen()

    def vanish(self):
        """Stop accepting connections and remove the socket file."""
        self.refuse()
        if not isinstance(self.path, tuple) and os.path.exists(self.path):
            os.unlink(self.path)
