# SPDX-License-Identifier: Apache-2.0
"""Listening sockets that replace HAProxy's, relay to them, or answer HAProxy itself."""

import contextlib
import errno
import os
import select
import socket
import threading
import time

QUIT = b'quit\n'
# Seconds that a client may take to send, and that serving a connection may take to end.
PATIENCE = 10

# The name of a thread that serves a connection.
CONNECTION = 'connection of a fake'

# Python 2 has no monotonic clock.
now = getattr(time, 'monotonic', time.time)


def bound(path, kind=socket.SOCK_STREAM):
    """Return a socket bound to a path, replacing any existing file.

    :param path: the path of a Unix socket, or ``(address, port)`` for TCP.
    """
    if isinstance(path, tuple):
        sock = socket.socket(socket.AF_INET, kind)
        # A launching.Port may reserve it.
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
    """A socket that passes each connection to :meth:`serve`, one after the other.

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

    @property
    def is_listening(self):
        """True if it accepts connections."""
        return self._thread is not None

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
        if thread.is_alive() or not self._end_connections():
            raise Endless('{0}: a connection has no end'.format(self.path))

    def _end_connections(self):
        """Return whether all connections have ended."""
        return True

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
            self._begin(client)

    def _begin(self, client):
        self.serve(client)


class Concurrent(Listener):
    """A listener that serves each connection in a thread of its own.

    :ivar lock: what is to be held while the state of the listener is used.
    :ivar problems: a list of texts: what went wrong.
    """

    # Seconds in which connections may end by themselves when no more are accepted.
    GRACE = 0.5

    def __init__(self, path):
        super(Concurrent, self).__init__(path)
        self.lock = threading.RLock()
        self.problems = []
        # The thread of each connection.
        self._open = {}

    def refuse(self):
        """Stop accepting connections, but keep the socket file, and end those that there are."""
        try:
            super(Concurrent, self).refuse()
        except Endless as error:
            self.problems.append(str(error))

    def _begin(self, client):
        thread = threading.Thread(target=self._serve_one, args=(client,), name=CONNECTION)
        thread.daemon = True
        with self.lock:
            self._open[client] = thread
        self.accepted(client)
        thread.start()

    def accepted(self, client):
        """Note a connection, in the order in which they are accepted."""

    def _serve_one(self, client):
        try:
            self.serve(client)
        finally:
            with self.lock:
                self._open.pop(client, None)

    def _end_connections(self):
        for seconds in (self.GRACE, PATIENCE):
            if self._wait_for_threads(seconds):
                return True
            with self.lock:
                clients = list(self._open)
            for client in clients:
                try:
                    # One that does not read what it was sent, for example.
                    client.shutdown(socket.SHUT_RDWR)
                except (socket.error, ValueError):
                    pass  # it has ended meanwhile
        return self._wait_for_threads(0)

    def _wait_for_threads(self, seconds):
        """Wait for all threads but the current one, which may be serving the last connection."""
        deadline = now() + seconds
        with self.lock:
            threads = [thread for thread in self._open.values()
                       if thread is not threading.current_thread()]
        for thread in threads:
            if thread.ident is not None:
                thread.join(max(0, deadline - now()))
        return not any(thread.is_alive() for thread in threads)


@contextlib.contextmanager
def _interruptible():
    """Continue after a signal, which interrupts calls only on Python 2."""
    try:
        yield
    except (select.error, socket.error) as error:
        if error.args[0] != errno.EINTR:
            raise


def packed(address):
    """Return the bytes of an IPv4 or IPv6 address, None if it is none."""
    for family in (socket.AF_INET, socket.AF_INET6):
        try:
            return socket.inet_pton(family, address)
        except (socket.error, ValueError):
            continue
    return None
