# SPDX-License-Identifier: Apache-2.0
"""The master of a fake: several commands on a connection, each for itself or for a worker."""
import re
import socket

from haproxyadmin.testing import sockets
from haproxyadmin.testing.families.family import Connection, message
from haproxyadmin.testing.families.figures import VERSIONS, check_version
from haproxyadmin.testing.process import head_of_unknown
from haproxyadmin.testing.texts import raw, text

# A master of later versions has one worker, and earlier ones have no socket for a master.
WITH_NBPROC = VERSIONS[:VERSIONS.index('2.6')]
WITHOUT_MASTER = VERSIONS[:VERSIONS.index('2.0')]
NO_WORKER = "Can't find the target PID matching the prefix '{0}'\n"
_UPTIME = '0d00h00m01s'
_PREFIX = re.compile(r'(@[^\s;]*)\s*(;|\s)\s*')
_PIECE = re.compile(r'((?:\\.|[^;\\])*);?\s*', re.DOTALL)


class FakeMaster(sockets.Concurrent):
    """The socket of a master, which passes commands on to its workers.

    :param path: where it listens: the path of a Unix socket, or ``(address, port)``.
    :param workers: a list of :class:`haproxyadmin.testing.process.FakeProcess`, one from 2.5 on.
        They need not listen themselves.
    :param pid: its pid.
    :param level: the access level of its socket, which holds for the workers, too.

    :ivar version: the version, as in :attr:`FakeProcess.version`.
    :ivar workers: the current workers.
    :ivar former: those before them that still run, the latest first. After :meth:`reload` there are
        none, as if they had been idle; after :meth:`replace` there is one.
    :ivar reloads: the number of reloads.
    :ivar failed: the number of reloads that have failed since the last one that has not.
    :ivar config_error: what is wrong with its configuration: a text, with which reloads fail; or
        None.
    :ivar on_reload: None, or a function that ``reload`` calls instead of :meth:`reload`. It gets
        the master and returns the reply, which is ``''`` up to 2.7.
    :ivar commands: the command lines that it has received, as pairs: the pid of the worker that
        they were for, or ``'master'``, and the line.
    :ivar problems: what a real master would not have understood, or would have suffered from.
    :ivar unfinished: how many connections clients have ended without ``quit`` after a command for a
        worker; such a connection may stay open for ever in HAProxy.
    """

    def __init__(self, path, workers, pid=100, level='admin'):
        super(FakeMaster, self).__init__(path)
        self.workers = list(workers)
        self.former = []
        self.pid = pid
        self.level = level
        self.version = self.workers[0].version if self.workers else '3.2'
        self.reloads = self.failed = 0
        self.config_error = None
        self.on_reload = None
        self.commands = []
        self.unfinished = 0
        self._next = []

    @property
    def release(self):
        """The branch as a tuple."""
        return tuple(int(number) for number in self.version.split('.')[:2])

    # What a test wants it to do

    def next(self, *steps):
        """Take a step of the test's own before each of the next commands.

        :param steps: functions that get the master and the connected socket; each returns True to
            answer the command after it, or False to close the connection.
        """
        self._next = list(steps)

    def replace(self, worker):
        """Have another worker take over; the one before becomes a former worker."""
        self.former[:0] = self.workers[:1]
        self.workers[:1] = [worker]
        self.reloads += 1
        self.failed = 0

    def restart(self, version=None):
        """Have another master take over, possibly of another version; its workers are new, too.

        :raises ValueError: if the fake cannot be that version, or has several workers and a master
            of that version has one.
        """
        if len(self.workers) > 1 and check_version(version or self.version) not in WITH_NBPROC:
            raise ValueError('a master of HAProxy {0} has one worker, not {1}'.format(
                version, len(self.workers)))
        self.version = version or self.version
        self.pid += 10
        self.reloads = self.failed = 0
        del self.former[:]
        for worker in self.workers:
            worker.take_over(version)

    def reload(self):
        """Reload the configuration as the command does, and return its reply."""
        self.reloads += 1
        pids = [pid_of(worker) for worker in self.workers]
        if self.config_error is not None:
            self.failed += 1
            return self._failure(max(pids or [self.pid]) + 500)
        self.failed = 0
        for worker in self.workers:
            worker.take_over()
        if self.release < (2, 8):
            return ''
        forked = 'Initializing new worker ({0})' if self.release >= (3, 1) else (
            'New worker ({0}) forked')
        return self._report(1, [('NOTICE', self.pid, forked.format(pid_of(worker)))
                                for worker in self.workers]
                            + [('NOTICE', self.pid, 'Loading success.')])

    def _failure(self, pid):
        if self.release < (2, 8):
            return ''
        is_new = self.release >= (3, 1)
        reporter = pid if is_new else self.pid
        alerts = [('ALERT', reporter, 'config : ' + self.config_error),
                  ('ALERT', reporter, 'config : Fatal errors found in configuration.')]
        if is_new:
            alerts.insert(0, ('NOTICE', self.pid, 'Initializing new worker ({0})'.format(pid)))
        end = ('Failed to load worker ({0}) exited with code 1 (Exit)'.format(pid) if is_new
               else 'Loading failure!')
        return self._report(0, alerts + [('WARNING', self.pid, end)])

    def _report(self, success, lines):
        return 'Success={0}\n--\n{1}\n'.format(success, ''.join(
            '{0:<10} ({1}) : {2}\n'.format('[' + kind + ']', pid, line)
            for kind, pid, line in lines))

    # Replies

    def show_proc(self):
        """Return the list of processes."""
        has_number = self.release < (2, 5)
        columns = ['<type>'] + ['<relative PID>'] * has_number + [
            '<reloads>', '<uptime>', '<version>']
        reloads = str(self.reloads)
        if self.release >= (2, 6):
            reloads += ' [failed: {0}]'.format(self.failed)
        version = self.workers[0].info['Version'] if self.workers else self.version
        lines = [_line(['#<PID>'] + columns),
                 _line([self.pid, 'master'] + [0] * has_number + [reloads, _UPTIME, version]),
                 '# workers\n']
        former = list(enumerate(self.former, 1))
        if self.failed and not (2, 5) <= self.release < (3, 1):
            # A worker that has survived a reload is not a current one.
            former = [(self.failed, worker) for worker in self.workers] + former
        else:
            lines += [self._row(worker, self.failed, str(number))
                      for number, worker in enumerate(self.workers, 1)]
        if former:
            lines.append('# old workers\n')
            lines += [self._row(worker, survived, '[was: 1]') for survived, worker in former]
        return ''.join(lines) + '# programs\n' * (self.release < (3, 1)) + '\n'

    def _row(self, worker, reloads, number):
        return _line([pid_of(worker), 'worker'] + [number] * (self.release < (2, 5))
                     + [reloads, _UPTIME, worker.info['Version']])

    def find(self, prefix):
        """Return the worker that a prefix such as ``'@1'`` or ``'@!4001'`` means, or None."""
        if not prefix.startswith('@!'):
            number = int(prefix[1:]) if prefix[1:].isdigit() else 0
            return self.workers[number - 1] if 1 <= number <= len(self.workers) else None
        return next((worker for worker in self.workers + self.former
                     if '@!{0}'.format(pid_of(worker)) == prefix), None)

    def reply_to(self, line, connection=None):
        """Return the reply to a command line as text.

        :param connection: the :class:`haproxyadmin.testing.families.family.Connection`.
        """
        with self.lock:
            return self._reply_to(line, connection or Connection(self.level))

    def _reply_to(self, line, connection):
        match = _PREFIX.match(line)
        if match is None:
            return self._own(line, connection)
        prefix, rest = match.group(1), line[match.end():]
        worker = self.find(prefix)
        if worker is None:
            return NO_WORKER.format(prefix)
        if match.group(2) == ';':
            return self._pass_on(worker, rest, connection)
        # Without a semicolon it holds for one command.
        piece = _PIECE.match(rest)
        reply = self._pass_on(worker, piece.group(1) if '\n' not in rest else rest, connection)
        left = rest[piece.end():] if '\n' not in rest else ''
        return reply + self._reply_to(left, connection) if left else reply

    def _pass_on(self, worker, line, connection):
        self.commands.append((pid_of(worker), line))
        worker.take(line + '\n')
        # Levels that commands lower hold for the worker's side of the connection.
        reply = text(worker.reply_to(line, Connection(connection.level)))
        return self._quirk(connection) + reply

    def _quirk(self, connection):
        """Return what 2.0 sends first at a lower level: the reply to the command that lowers it."""
        return '\n' if self.release < (2, 2) and connection.level != 'admin' else ''

    def _own(self, line, connection):
        self.commands.append(('master', line))
        words = line.split()
        reply = self._answer(words, connection)
        if reply is None:
            self.problems.append('the master does not know {0!r}'.format(line))
            reply = head_of_unknown(self.release, words) + '\n\n'
        return self._quirk(connection) + reply

    def _answer(self, words, connection):
        if words[:3] == ['show', 'cli', 'level']:
            return message(connection.level)
        if words[:2] == ['show', 'version'] and self.release >= (2, 5):
            return message(self.workers[0].info['Version'] if self.workers else self.version)
        if words[:2] == ['show', 'proc']:
            if self.release >= (3, 1) and not connection.may('operator'):
                return message('Permission denied')
            return self.show_proc()
        if words[:1] == ['reload']:
            if not connection.may('operator'):
                return message('Permission denied')
            return self.on_reload(self) if self.on_reload else self.reload()
        return None

    # Connections

    def serve(self, client):
        """Answer commands until the client ends its side."""
        try:
            self._serve(client)
        except socket.error:
            pass  # the client has given up
        except Exception as error:
            self.problems.append('{0}: {1}'.format(type(error).__name__, error))
        finally:
            client.close()

    def _serve(self, client):
        connection = Connection(self.level)
        received, routed = b'', False
        while True:
            while b'\n' not in received:
                chunk = self.recv(client)
                if not chunk:
                    # It may cost a real master a connection for ever.
                    self.unfinished += routed
                    return
                received += chunk
            line, received = received.split(b'\n', 1)
            if line == b'quit':
                if received:
                    self.problems.append('more than quit: {0!r}'.format(received))
                return
            if line.endswith(b'<<'):
                while b'\n\n' not in received:
                    chunk = self.recv(client)
                    if not chunk:
                        self.problems.append('a payload without an end: {0!r}'.format(line))
                        return
                    received += chunk
                payload, received = received.split(b'\n\n', 1)
                line += b'\n' + payload + b'\n'
            if self._next and not self._next.pop(0)(self, client):
                return
            command = text(line)
            routed = command.startswith('@')
            reply = self.reply_to(command, connection)
            client.sendall(raw(reply))
            if not reply:
                return


def pid_of(worker):
    """Return the pid that a worker says it has."""
    return int(worker.info['Pid'])


def _line(fields):
    return ' '.join('{0:<15}'.format(field) for field in fields) + '\n'
