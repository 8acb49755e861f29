# SPDX-License-Identifier: Apache-2.0
"""Sockets that stand in for HAProxy's, in front of them, or for what HAProxy asks."""

import contextlib
import errno
import os
import select
import socket
import threading

# How long a client may take to speak, and the service of a connection to end, in seconds.
PATIENCE = 10


def bound(path, kind=socket.SOCK_STREAM):
    """Return a socket bound to a path; what was there before goes.

    :param path: of a Unix socket, or ``(address, port)`` of TCP.
    """
    if isinstance(path, tuple):
        sock = socket.socket(socket.AF_INET, kind)
    else:
        sock = socket.socket(socket.AF_UNIX, kind)
        if os.path.exists(path):
            os.unlink(path)
    sock.bind(path)
    return sock


def started(function, *arguments):
    """Run a function in a thread that does not hold up the end of the program; return it."""
    thread = threading.Thread(target=function, args=arguments)
    thread.daemon = True
    thread.start()
    return thread


class Endless(Exception):
    """A connection whose service does not end."""


class Listener(object):
    """A socket on which :meth:`serve` gets each connection.

    :ivar connections: how many came.
    :ivar stopping: set while no connections are taken.
    """

    def __init__(self, path):
        self.path = path
        self.connections = 0
        self.stopping = threading.Event()
        self._listener = None
        self._thread = None

    def listen(self):
        """Begin to take connections."""
        self.stopping.clear()
        self._listener = bound(self.path)
        # A port of 0 is one that is free.
        self.path = self._listener.getsockname()
        self._listener.listen(128)
        self._thread = started(self._accept)

    def refuse(self):
        """Take no more connections; the socket file stays.

        :raises Endless: when a connection has no end.
        """
        if self._thread is None:
            return
        self.stopping.set()
        # Wakes accept(); close() would not.
        self._listener.shutdown(socket.SHUT_RDWR)
        thread, self._thread = self._thread, None
        thread.join(PATIENCE)
        self._listener.close()
        if thread.is_alive():
            raise Endless('{0}: a connection has no end'.format(self.path))

    def serve(self, client):
        """Talk to a client, and close its connection."""
        raise NotImplementedError

    def receive(self, client):
        """Return the command that comes, its payload and its last newline included, as bytes."""
        received = b''
        while not received.endswith(b'\n') or (
                received.split(b'\n')[0].endswith(b'<<') and not received.endswith(b'\n\n')):
            chunk = self.recv(client)
            if not chunk:
                break
            received += chunk
        return received

    def recv(self, client):
        """Return what a client sends, nothing once it has ended."""
        poller = select.poll()
        poller.register(client, select.POLLIN)
        while not self.stopping.is_set():
            with _interruptible():
                if poller.poll(20):
                    return client.recv(65536)
        return b''

    def _accept(self):
        while not self.stopping.is_set():
            try:
                client = self._listener.accept()[0]
            except socket.error:
                continue
            if self.stopping.is_set():
                client.close()
                return
            self.connections += 1
            self.serve(client)


@contextlib.contextmanager
def _interruptible():
    """Go on after a signal, which only Python 2 tells of."""
    try:
        yield
    except (select.error, socket.error) as error:
        if error.args[0] != errno.EINTR:
            raise


class Backlog(object):
    """A listening socket whose queue of connections is full."""

    def __init__(self, path):
        self.path = path
        self._listener = bound(path)
        self._listener.listen(0)
        self._waiting = []
        while True:
            client = socket.socket(socket.AF_UNIX)
            client.setblocking(False)
            self._waiting.append(client)
            try:
                client.connect(path)
            except socket.error as error:
                if error.errno != errno.EAGAIN:
                    raise
                break

    def drain(self, but=0):
        """Take all connections that wait in the queue, but for so many that have been taken."""
        for _ in self._waiting[but:-1]:
            self.accept().close()

    def accept(self):
        """Take a connection and return it."""
        return self._listener.accept()[0]

    def close(self):
        """Let it all go; the socket file stays."""
        for sock in self._waiting + [self._listener]:
            sock.close()
