# SPDX-License-Identifier: Apache-2.0
"""Listening sockets that replace HAProxy's, relay to them, or answer HAProxy itself."""

import contextlib
import errno
import os
import select
import socket
import threading

QUIT = b'quit\n'
# Seconds that a client may take to send, and that serving a connection may take to end.
PATIENCE = 10


def bound(path, kind=socket.SOCK_STREAM):
    """Return a socket bound to a path, replacing any existing file.

    :param path: the path of a Unix socket, or ``(address, port)`` for TCP.
    """
    if isinstance(path, tuple):
        sock = socket.socket(socket.AF_INET, kind)
        # A lab.Port may reserve it.
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    else:
        sock = socket.socket(socket.AF_UNIX, kind)
        # The name of an abstract socket begins with NUL.
        if path[:1] not in ('\0', b'\0') and os.path.exists(path):
            os.unlink(path)
    sock.bind(path)
    return sock


def started(function, *arguments):
    """Run a function in a daemon thread and return the thread."""
    thread = threading.Thread(target=function, args=arguments)
    thread.daemon = True
    thread.start()
    return thread


class Endless(Exception):
    """A connection is still being served although it should have ended."""


class Listener(object):
    """A socket that passes each connection to :meth:`serve`.

    :ivar connections: the number of connections accepted.
    :ivar stopping: set when no more connections are to be accepted.
    """

    def __init__(self, path):
        self.path = path
        self.connections = 0
        self.stopping = threading.Event()
        self._listener = None
        self._thread = None

    def listen(self):
        """Start accepting connections."""
        self.stopping.clear()
        self._listener = bound(self.path)
        # Port 0 means any free port.
        self.path = self._listener.getsockname()
        self._listener.listen(128)
        self._thread = started(self._accept)

    def refuse(self):
        """Stop accepting connections, but keep the socket file.

        :raises Endless: if a connection is still being served.
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
        """Serve a client and close its connection."""
        raise NotImplementedError

    def receive(self, client):
        """Read a command and return it as bytes, including its payload and its last newline.

        A client of a master sends :data:`QUIT` with its last command.
        """
        received = b''
        while not received.endswith(b'\n') or (
                received.split(b'\n')[0].endswith(b'<<')
                and not received.endswith((b'\n\n', b'\n' + QUIT))):
            chunk = self.recv(client)
            if not chunk:
                break
            received += chunk
        return received

    def is_awaited(self):
        """Return True if another connection waits to be accepted."""
        return bool(select.select([self._listener], [], [], 0)[0])

    def recv(self, client):
        """Return what a client sends, or ``b''`` at the end."""
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
    """Continue after a signal, which interrupts calls only on Python 2."""
    try:
        yield
    except (select.error, socket.error) as error:
        if error.args[0] != errno.EINTR:
            raise


class Backlog(object):
    """A listening socket whose queue of connections is full.

    :param path: see :func:`bound`.
    """

    def __init__(self, path):
        self.path = path
        self._listener = bound(path)
        self._listener.listen(0)
        self._waiting = []
        if isinstance(path, tuple):
            self.path = self._listener.getsockname()
            # The queue has room for one; Linux does not react to others.
            self._waiting.append(socket.create_connection(self.path))
            return
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
        """Accept all connections in the queue except ``but``, which were already accepted."""
        for _ in self._waiting[but:-1]:
            self.accept().close()

    def accept(self):
        """Accept a connection and return it."""
        return self._listener.accept()[0]

    def close(self):
        """Close all sockets, but keep the socket file."""
        for sock in self._waiting + [self._listener]:
            sock.close()
