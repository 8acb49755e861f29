# SPDX-License-Identifier: Apache-2.0
"""Small web servers for throwaway HAProxy instances; lab.Origins starts this program.

``origins.py PORT...`` serves each port of 127.0.0.1 from one loop and exits at
the end of its standard input.  The response to the path ``/status/NNN`` has that
status, all others have 200.  The response to ``/hold/SECONDS`` is sent after that
time; its header ``X-Origin`` is the port.  A request with ``Expect: 100-continue``
is answered with 100, and then waits forever for its body.

The commands on standard input are lines, each acknowledged by a line: ``serve
PORT``, ``refuse PORT`` (connections are refused), ``stall PORT`` (connections time
out) and ``agent PORT TEXT`` (each connection is sent the text and closed, as the
agent checks of HAProxy expect; until the next ``serve``).  ``count PORT`` is
answered with the number of requests that have arrived, that are not yet answered,
and that were cut: their connections were closed before the answer.
"""

import functools
import heapq
import itertools
import os
import select
import socket
import sys
import time

CONTINUE = b'HTTP/1.1 100 Continue\r\n\r\n'
ANSWER = 'HTTP/1.1 %s Origin\r\n%sContent-Length: 3\r\n\r\nok\n'

# Python 2 has no monotonic clock.
now = getattr(time, 'monotonic', time.time)


def main():
    """Serve until standard input ends."""
    loop = Loop()
    origins = dict((port, Origin(int(port), loop)) for port in sys.argv[1:])
    for origin in origins.values():
        origin.serve()
    loop.add(sys.stdin, lambda: obey(origins, loop))
    acknowledge()
    loop.run()


def obey(origins, loop):
    """Execute the commands on standard input, after what has arrived before them."""
    lines = os.read(0, 4096).decode('ascii')
    if not lines:
        sys.exit()
    for line in lines.splitlines():
        loop.later(0, functools.partial(execute, origins, *line.split()))


def execute(origins, verb, port, *words):
    acknowledge(getattr(origins[port], verb)(*words) or 'done')


def acknowledge(line='done'):
    os.write(1, (line + '\n').encode('ascii'))


class Loop(object):
    """An event loop that calls the function of each readable file and of each timer."""

    def __init__(self):
        self._poll = select.poll()
        self._calls = {}
        self._timers = []
        self._order = itertools.count()

    def add(self, readable, function):
        self._calls[readable.fileno()] = function
        self._poll.register(readable.fileno(), select.POLLIN)

    def remove(self, readable):
        if self._calls.pop(readable.fileno(), None):
            self._poll.unregister(readable.fileno())

    def later(self, seconds, function):
        """Call a function once, after some seconds."""
        heapq.heappush(self._timers, (now() + seconds, next(self._order), function))

    def run(self):
        while True:
            for number, _ in self._poll.poll(self._milliseconds()):
                # An earlier call of the same round may have removed it.
                if number in self._calls:
                    self._calls[number]()
            while self._timers and self._timers[0][0] <= now():
                heapq.heappop(self._timers)[2]()

    def _milliseconds(self):
        """Return how long to wait for readable files, None if there is no timer."""
        if not self._timers:
            return None
        # Rounded up: less than a millisecond would be none.
        return max(0, int((self._timers[0][0] - now()) * 1000) + 1)


class Origin(object):
    """One port: its listening socket and the connections that came through it."""

    def __init__(self, port, loop):
        self._port = port
        self._loop = loop
        self._sockets = []
        self._text = None
        self._arrived = 0
        self._cut = 0
        # The connections whose request is not yet answered.
        self._open = set()

    def serve(self):
        """Serve on a new socket, then drop the old ones, so that one always listens."""
        self._text = None
        self._listen_anew()

    def agent(self, *words):
        """Answer each connection with a text and close it."""
        self._text = (' '.join(words) + '\n').encode('ascii')
        self._listen_anew()

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

    def count(self):
        """Return how many requests have arrived, are not answered yet, and were cut."""
        return '%d %d %d' % (self._arrived, len(self._open), self._cut)

    def _listen_anew(self):
        before = list(self._sockets)
        listener = self._listen()
        self._loop.add(listener, lambda: self._accept(listener))
        for sock in before:
            self._drop(sock)

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
        if self._text is not None:
            tell(client, self._text)
            return
        client.setblocking(False)
        self._sockets.append(client)
        received = bytearray()
        self._loop.add(client, lambda: self._receive(client, received))

    def _receive(self, client, received):
        try:
            new = client.recv(65536)
        except socket.error:
            new = b''
        if new:
            received.extend(new)
            self._answer(client, received)
        else:
            self._drop(client)

    def _answer(self, client, received):
        """Answer the requests that were received, up to one that has to wait."""
        while b'\r\n\r\n' in received and client not in self._open:
            header, _, rest = received.partition(b'\r\n\r\n')
            received[:] = rest
            self._arrived += 1
            self._open.add(client)
            text, seconds = response(header, self._port)
            if seconds:
                self._loop.later(seconds, lambda: self._finish(client, text, received))
            elif not self._send(client, text):
                return

    def _finish(self, client, text, received):
        # It may have been cut in the meantime.
        if client in self._open and self._send(client, text):
            self._answer(client, received)

    def _send(self, client, text):
        """Send a response; return whether the connection is still there."""
        try:
            client.sendall(text)
        except socket.error:
            self._drop(client)
            return False
        if text != CONTINUE:
            self._open.remove(client)
        return True

    def _drop(self, sock):
        self._sockets.remove(sock)
        self._loop.remove(sock)
        sock.close()
        if sock in self._open:
            self._open.remove(sock)
            self._cut += 1


def tell(client, text):
    """Send a text to a client and close its connection."""
    try:
        client.sendall(text)
    except socket.error:
        pass
    client.close()


def response(header, port):
    """Return the response to the header of a request, and the seconds to wait before."""
    if b'100-continue' in header:
        return CONTINUE, 0
    path = header.decode('latin-1').split(' ')[1]
    if path.startswith('/hold/'):
        return (ANSWER % (200, 'X-Origin: %d\r\n' % port)).encode('ascii'), float(path[6:])
    status = path[8:] if path.startswith('/status/') else '200'
    return (ANSWER % (status, '')).encode('ascii'), 0


if __name__ == '__main__':
    main()
