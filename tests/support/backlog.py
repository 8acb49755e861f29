# SPDX-License-Identifier: Apache-2.0
"""Connections that wait to be accepted."""
import errno
import select
import socket

from haproxyadmin.testing.sockets import bound


def is_awaited(listener):
    """Return True if a connection waits for a :class:`haproxyadmin.testing.sockets.Listener`."""
    return bool(select.select([listener._listener], [], [], 0)[0])


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
