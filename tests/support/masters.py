# SPDX-License-Identifier: Apache-2.0
"""A strict fake of a master: several commands on a connection, each for itself or for a worker."""
import re
import socket

from tests.support import listener
from tests.support.texts import raw, text

HEAD = '#<PID>          <type>          <reloads>       <uptime>        <version>      \n'
NO_WORKER = "Can't find the target PID matching the prefix '{0}'\n"


class Master(listener.Listener):
    """The socket of a master, as of HAProxy 2.6 and later.

    :param path: where to listen.
    :param workers: the :class:`tests.support.fakes.Process` of each worker, the current one first;
        they need not listen.

    ``seen`` lists ``(pid or 'master', command)``; ``script`` lists functions that take the place of
    the next commands: they get the master and the client, and return True to go on as usual.
    """

    def __init__(self, path, workers):
        super(Master, self).__init__(path)
        self.pid = 100
        self.reloads = self.failed = 0
        self.workers = list(workers)
        self.former = []
        # What reload does: takes the master, returns the reply.
        self.on_reload = lambda master: ''
        self.seen = []
        self.problems = []
        # How many connections the clients have ended without `quit`, after a command for a worker.
        self.unfinished = 0
        self.script = []
        self.level = 'admin'

    def pid_of(self, worker):
        """Return the pid of a worker."""
        return worker.info['Pid']

    def replace(self, worker):
        """Have another worker take over; the one before is a former worker from now on."""
        self.former[:0] = self.workers[:1]
        self.workers[:1] = [worker]
        self.reloads += 1

    def show_proc(self):
        """Return the list of processes."""
        rows = [HEAD, '{0:<15} master          {1} [failed: {2}]   0d00h00m08s     3.2.26-1\n'.format(
            self.pid, self.reloads, self.failed), '# workers\n']
        rows += [self._row(worker, 0) for worker in self.workers]
        if self.former:
            rows.append('# old workers\n')
            rows += [self._row(worker, number + 1) for number, worker in enumerate(self.former)]
        return ''.join(rows) + '\n'

    def _row(self, worker, reloads):
        return '{0:<15} worker          {1}               0d00h00m07s     {2}\n'.format(
            self.pid_of(worker), reloads, worker.version)

    def reply_to(self, prefix, command):
        """Return the reply to a line."""
        if prefix is None:
            self.seen.append(('master', command))
            if command == 'show cli level':
                return self.level + '\n\n'
            if self.level != 'admin':
                return 'Permission denied\n\n'
            if command == 'show proc':
                return self.show_proc()
            if command == 'reload':
                return self.on_reload(self)
            self.problems.append('the master got {0!r}'.format(command))
            return 'Unknown command.\n\n'
        worker = self._worker(prefix)
        if worker is None:
            return NO_WORKER.format(prefix)
        self.seen.append((self.pid_of(worker), command))
        return text(worker.reply_to(command))

    def _worker(self, prefix):
        if not prefix.startswith('@!'):
            number = int(prefix[1:])
            return self.workers[number - 1] if number <= len(self.workers) else None
        return next((worker for worker in self.workers + self.former
                     if '@!' + self.pid_of(worker) == prefix), None)

    def serve(self, client):
        """Answer commands until the client ends its side."""
        try:
            self._serve(client)
        except socket.error:
            pass  # the client has given up
        finally:
            client.close()

    def _serve(self, client):
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
                    received += self.recv(client)
                payload, received = received.split(b'\n\n', 1)
                line += b'\n' + payload + b'\n'
            if self.script and not self.script.pop(0)(self, client):
                return
            match = re.match(r'(?:(@\S+?); )?(.*)\Z', text(line), re.DOTALL)
            routed = match.group(1) is not None
            reply = self.reply_to(*match.groups())
            client.sendall(raw(reply))
            if not reply:
                return
