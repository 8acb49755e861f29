# SPDX-License-Identifier: Apache-2.0
"""Small web servers for throwaway HAProxy instances; lab.Origins starts this program.

``origins.py PORT...`` serves each port of 127.0.0.1 from one loop and exits at
the end of its standard input.  The response to the path ``/status/NNN`` has that
status, all others have 200.  A request with ``Expect: 100-continue`` is answered
with 100, and then waits forever for its body.  The commands on standard input are
lines, each acknowledged by a line: ``serve PORT``, ``refuse PORT`` (connections
are refused) and ``stall PORT`` (connections time out).
"""

import os
import select
import socket
import sys

CONTINUE = b'HTTP/1.1 100 Continue\r\n\r\n'
ANSWER = 'HTTP/1.1 %s Origin\r\nContent-Length: 3\r\n\r\nok\n'


def main():
    """Serve until standard input ends."""
    loop = Loop()
    origins = dict((port, Origin(int(port), loop)) for port in sys.argv[1:])
    for origin in origins.values():
        origin.serve()
    loop.add(sys.stdin, lambda: obey(origins))
    acknowledge()
    loop.run()


def obey(origins):
    """Execute the commands on standard input."""
    lines = os.read(0, 4096).decode('ascii')
    if not lines:
        sys.exit()
    for line in lines.splitlines():
        verb, port = line.split()
        getattr(origins[port], verb)()
        acknowledge()


def acknowledge():
    os.write(1, b'done\n')


class Loop(object):
    """An event loop that calls the function of each readable file."""

    def __init__(self):
        self._poll = select.poll()
        self._calls = {}

    def add(self, readable, function):
        self._calls[readable.fileno()] = function
        self._poll.register(readable.fileno(), select.POLLIN)

    def remove(self, readable):
        if self._calls.pop(readable.fileno(), None):
            self._poll.unregister(readable.fileno())

    def run(self):
        while True:
            for number, _ in self._poll.poll():
                # An earlier call of the same round may have removed it.
                if number in self._calls:
                    self._calls[number]()


class Origin(object):
    """One port: its listening socket and the connections that came through it."""

    def __init__(self, port, loop):
        self._port = port
        self._loop = loop
        self._sockets = []

    def serve(self):
        """Serve on a new socket, then drop the old ones, so that one always listens."""
        before = list(self._sockets)
        listener = self._listen()
        self._loop.add(listener, lambda: self._accept(listener))
        for sock in before:
            self._drop(sock)

    def refuse(self):
        """Close the port and all connections."""
        while self._sockets:
            self._drop(self._sockets[0])

    def stall(self):
        """Let connections time out: stop accepting, and fill the queue.

        The port listens all the time: a check that arrives now must not be refused.
        """
        self.serve()
        listener = self._sockets[0]
        self._loop.remove(listener)
        listener.listen(0)
        for _ in range(3):
            filler = socket.socket()
            filler.setblocking(False)
            filler.connect_ex(('127.0.0.1', self._port))
            self._sockets.append(filler)

    def _listen(self):
        listener = socket.socket()
        # lab.py reserves the port with another socket, which does not listen.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(('127.0.0.1', self._port))
        listener.listen(1024)
        listener.setblocking(False)
        self._sockets.append(listener)
        return listener

    def _accept(self, listener):
        try:
            client = listener.accept()[0]
        except socket.error:
            return
        client.setblocking(False)
        self._sockets.append(client)
        received = bytearray()
        self._loop.add(client, lambda: self._answer(client, received))

    def _answer(self, client, received):
        try:
            new = client.recv(65536)
            received.extend(new)
            while b'\r\n\r\n' in received:
                request, _, rest = received.partition(b'\r\n\r\n')
                received[:] = rest
                client.sendall(response(request))
        except socket.error:
            new = b''
        if not new:
            self._drop(client)

    def _drop(self, sock):
        self._sockets.remove(sock)
        self._loop.remove(sock)
        sock.close()


def response(request):
    """Return the response to the header of a request."""
    if b'100-continue' in request:
        return CONTINUE
    path = request.decode('latin-1').split(' ')[1]
    status = path[8:] if path.startswith('/status/') else '200'
    return (ANSWER % status).encode('ascii')


if __name__ == '__main__':
    main()
