# SPDX-License-Identifier: Apache-2.0
"""Fakes of many HAProxy processes, in one process that serves them all.

``python fleet_server.py COUNT DIRECTORY RECORDED`` listens for each fake on a Unix socket in the
directory and on a TCP port of 127.0.0.1, and prints one line of JSON:
``{"sockets": [...], "ports": [...]}``.  RECORDED is a file with the replies of a real HAProxy:
``{command: reply}``; each fake has its own pid and node name.  Nothing else is ever answered.

Each line of standard input changes fakes and is confirmed with an empty line: ``answer 0.05 3``
has fake 3 answer after 50 ms, ``stall 3`` has it accept no more connections, with its queue of
connections full, and ``refuse 3`` close its sockets.  Without a number, all fakes change.
"""

# The part that is written in C takes half the time to accept a connection.
import _socket
import heapq
import itertools
import json
import os
import re
import resource
import select
import sys
import time

CHUNK = 65536
# No process has such a high pid, which may not exceed 4,194,304 on Linux.
FIRST_PID = 5000000


class Fake:
    """One HAProxy process.

    :param replies: ``{command: reply}``, bytes with the newline.
    :param path: the path of its Unix socket.
    """

    def __init__(self, replies, path):
        self.replies = replies
        # Seconds from a command to its reply.
        self.delay = 0
        self.listeners = [bound(_socket.AF_UNIX, path), bound(_socket.AF_INET, ('127.0.0.1', 0))]

    @property
    def port(self):
        """The number of its TCP port."""
        return self.listeners[1].getsockname()[1]


def bound(family, address):
    """Return a listening socket."""
    listener = _socket.socket(family, _socket.SOCK_STREAM)
    listener.bind(address)
    listener.listen(128)
    listener.setblocking(False)
    return listener


def replies_of(number, recorded):
    """Return the replies of a fake, as if it were a process of its own."""
    replies = {}
    for command, reply in recorded.items():
        reply = re.sub(r'(?m)^Pid: .*$', f'Pid: {FIRST_PID + number}', reply)
        reply = re.sub(r'(?m)^node: .*$', f'node: node{number}', reply)
        replies[command.encode('latin-1')] = reply.encode('latin-1')
    return replies


class Server:
    """Serves all fakes in one thread."""

    def __init__(self, fakes):
        self._fakes = fakes
        self._poller = select.epoll()
        self._owners = {}
        # Connections that have not sent their command yet.
        self._clients = {}
        # Replies that are due later: (time, number, connection, reply).
        self._due = []
        self._numbers = itertools.count()
        # Connections that fill the queues of fakes that stall.
        self._fillers = []
        for fake in fakes:
            for listener in fake.listeners:
                self._owners[listener.fileno()] = fake, listener
                self._poller.register(listener, select.EPOLLIN)
        self._poller.register(sys.stdin, select.EPOLLIN)

    def run(self):
        """Serve until the end of standard input."""
        owners, clients = self._owners, self._clients
        while True:
            for fileno, _ in self._poller.poll(self._pause()):
                if fileno in owners:
                    self._accept(*owners[fileno])
                elif fileno in clients:
                    self._read(*clients[fileno])
                elif not self._obey(sys.stdin.readline().split()):
                    return
            while self._due and self._due[0][0] <= time.monotonic():
                send(*heapq.heappop(self._due)[2:])

    def _pause(self):
        return max(0, self._due[0][0] - time.monotonic()) if self._due else None

    def _accept(self, fake, listener):
        try:
            number, _ = listener._accept()
        except BlockingIOError:
            return  # the client has gone
        self._read(fake, _socket.socket(listener.family, _socket.SOCK_STREAM, 0, number))

    def _read(self, fake, client):
        # Mostly, the command has arrived with the connection.
        try:
            command = client.recv(CHUNK, _socket.MSG_DONTWAIT)
        except BlockingIOError:
            if client.fileno() not in self._clients:
                self._poller.register(client, select.EPOLLIN)
                self._clients[client.fileno()] = fake, client
            return
        except OSError:
            command = b''
        if self._clients.pop(client.fileno(), None):
            self._poller.unregister(client)
        reply = fake.replies.get(command, b'')
        if fake.delay:
            due = time.monotonic() + fake.delay
            heapq.heappush(self._due, (due, next(self._numbers), client, reply))
        else:
            send(client, reply)

    def _obey(self, words):
        """Change fakes; return False if there is nothing more to do."""
        if not words:
            return False
        verb, *details = words
        delay = float(details.pop(0)) if verb == 'answer' else 0
        for fake in [self._fakes[int(word)] for word in details] or self._fakes:
            if verb == 'answer':
                fake.delay = delay
                continue
            for listener in fake.listeners:
                if self._owners.pop(listener.fileno(), None):
                    self._poller.unregister(listener)
                if verb == 'stall':
                    self._fillers += fill(listener)
                else:
                    listener.close()
        print(flush=True)
        return True


def fill(listener):
    """Fill the queue of a listening socket; return the connections in it."""
    listener.listen(0)
    fillers = []
    while True:
        filler = _socket.socket(listener.family, _socket.SOCK_STREAM)
        # Connecting over TCP waits in a full queue, and takes no time otherwise.
        filler.settimeout(0 if listener.family == _socket.AF_UNIX else 0.1)
        fillers.append(filler)
        try:
            filler.connect(listener.getsockname())
        except (BlockingIOError, _socket.timeout):
            return fillers


def send(client, reply):
    """Send a reply and close the connection."""
    try:
        client.sendall(reply)
    except OSError:
        pass  # a client that has given up is gone
    client.close()


def main(words):
    """Serve fakes."""
    count, directory, recorded = int(words[0]), words[1], words[2]
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    with open(recorded, encoding='latin-1') as file:
        replies = json.load(file)
    fakes = [
        Fake(replies_of(number, replies), os.path.join(directory, f'fake-{number:05d}.sock'))
        for number in range(count)
    ]
    found = {
        'sockets': [fake.listeners[0].getsockname() for fake in fakes],
        'ports': [fake.port for fake in fakes],
    }
    print(json.dumps(found), flush=True)
    Server(fakes).run()


if __name__ == '__main__':
    main(sys.argv[1:])
