# SPDX-License-Identifier: Apache-2.0
"""HTTP clients that send requests at a steady rate; load.Load starts this program.

``clients.py RATE PATH KINDS PORT...`` sends requests to each port of 127.0.0.1 in
turn until the end of its standard input.  ``KINDS`` is a list such as
``once,keepalive,cookie``, see load.Load.  The commands on standard input are lines:
``counts`` is answered with the counts as a line of JSON; ``stop`` with the last
counts, once all requests have ended, and then the program exits.
"""

import collections
import errno
import itertools
import json
import os
import random
import socket
import sys

from haproxyadmin.testing.origins import Loop, now

# Seconds until a request has failed.
PATIENCE = 30
# The clients of each kind that keep their connections; more are added when all are busy.
CLIENTS = 24
# After a standstill of the machine, more requests than these at once are left out.
BURST = 20
# Seconds until the other end has closed a connection that it has shut down.
GRACE = 0.2

Answer = collections.namedtuple('Answer', 'status headers is_last')


def main():
    """Send requests until standard input ends."""
    rate, path, kinds = sys.argv[1:4]
    ports = [int(port) for port in sys.argv[4:]]
    loop = Loop()
    crowd = Crowd(loop, float(rate), path, kinds.split(','), ports)
    loop.add(sys.stdin, lambda: obey(crowd))
    crowd.start()
    loop.run()


def obey(crowd):
    """Execute the commands on standard input."""
    lines = os.read(0, 4096).decode('ascii')
    if not lines:
        sys.exit()
    for line in lines.splitlines():
        getattr(crowd, line)()


class Counts(object):
    """What has become of the requests."""

    def __init__(self):
        self.sent = 0
        self.open = 0
        self.raced = 0
        self.statuses = collections.Counter()
        self.origins = collections.Counter()
        self.reasons = collections.Counter()

    def text(self):
        """Return all counts as a line of JSON."""
        return json.dumps(vars(self)) + '\n'


class Crowd(object):
    """All clients, and the clock that makes them send."""

    def __init__(self, loop, rate, path, kinds, ports):
        self._loop = loop
        self._rate = rate
        self._path = path
        self._counts = Counts()
        self._kinds = order(kinds)
        self._ports = dict((kind, itertools.cycle(ports)) for kind in kinds)
        # The client that has been idle for longest is the next one.
        self._idle = dict((kind, collections.deque()) for kind in kinds)
        for kind in kinds:
            if kind != 'once':
                self._idle[kind].extend(self._client(kind) for _ in range(CLIENTS))
        self._begin = None
        self._begun = 0
        self._stopping = False

    def start(self):
        """Begin to send."""
        self._begin = now()
        self._tick()

    def counts(self):
        """Write the counts."""
        os.write(1, self._counts.text().encode('ascii'))

    def stop(self):
        """Send no more requests, and end the program after the last answer."""
        self._stopping = True
        self._end_if_done()

    def release(self, client):
        """Have a client back whose request has ended."""
        if client.kind != 'once':
            self._idle[client.kind].append(client)
        self._end_if_done()

    def _client(self, kind):
        return Client(kind, next(self._ports[kind]), self._path, self._loop, self._counts,
                      self.release)

    def _tick(self):
        if self._stopping:
            return
        due = int((now() - self._begin) * self._rate) - self._begun
        self._begun += due
        for _ in range(min(due, BURST)):
            kind = next(self._kinds)
            idle = self._idle[kind]
            (idle.popleft() if idle else self._client(kind)).send()
        self._loop.later(1 / self._rate, self._tick)

    def _end_if_done(self):
        if self._stopping and not self._counts.open:
            self.counts()
            sys.exit()


class Client(object):
    """A client that sends one request after another.

    :param kind: ``once``, ``keepalive`` or ``cookie``, see load.Load.
    :param release: the function to call with the client when a request has ended.
    """

    def __init__(self, kind, port, path, loop, counts, release):
        self.kind = kind
        self._port = port
        self._path = path
        self._loop = loop
        self._counts = counts
        self._release = release
        self._cookie = None
        self._socket = None
        self._received = b''
        # The connection has had an answer before.
        self._is_used = False
        self._was_resent = False
        # The number of the request under way, None between requests.
        self._under_way = None
        self._numbers = itertools.count()

    def send(self):
        """Send a request."""
        self._counts.sent += 1
        self._counts.open += 1
        self._was_resent = False
        number = self._under_way = next(self._numbers)
        self._loop.later(PATIENCE, lambda: self._expire(number))
        self._transmit()

    def receive(self):
        """Receive what has arrived, or the end of the connection."""
        try:
            new = self._socket.recv(65536)
        except socket.error as error:
            self._lose(error.errno)
            return
        if self._under_way is None:
            # It was closed between requests.
            self._close()
            return
        self._received += new
        answer = parsed(self._received, at_end=not new)
        if answer:
            self._finish(answer)
        elif not new:
            self._lose(0)

    def _transmit(self):
        try:
            if self._socket is None:
                self._connect()
            self._socket.sendall(self._request())
        except socket.error as error:
            self._lose(error.errno)

    def _connect(self):
        self._received = b''
        self._is_used = False
        # On this machine it is there at once, or refused.
        self._socket = socket.create_connection(('127.0.0.1', self._port), PATIENCE)
        self._socket.setblocking(False)
        self._loop.add(self._socket, self.receive)

    def _request(self):
        lines = ['GET %s HTTP/1.1' % self._path, 'Host: load']
        if self.kind == 'once':
            lines.append('Connection: close')
        if self._cookie:
            lines.append('Cookie: ' + self._cookie)
        return ('\r\n'.join(lines) + '\r\n\r\n').encode('ascii')

    def _lose(self, number):
        """React to the end of a connection, orderly (0) or with the number of an error."""
        if self._under_way is None:
            self._close()
        elif not self._is_used or self._received:
            self._fail(errno.errorcode.get(number, 'cut short' if self._received else 'closed'))
        elif number:
            self._race()
        else:
            # It was read before, or it is still going to be refused.
            self._loop.remove(self._socket)
            under_way = self._under_way
            self._loop.later(GRACE, lambda: self._look_again(under_way))

    def _look_again(self, under_way):
        if under_way != self._under_way:
            return
        if self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
            self._race()
        else:
            self._fail('closed')

    def _race(self):
        """Send the request again that an idle connection did not read any more."""
        self._close()
        if self._was_resent:
            self._fail('raced twice')
            return
        self._counts.raced += 1
        self._was_resent = True
        self._transmit()

    def _expire(self, number):
        if number == self._under_way:
            self._fail('timeout')

    def _fail(self, reason):
        self._counts.reasons[reason] += 1
        self._close()
        self._end()

    def _finish(self, answer):
        self._counts.statuses[answer.status] += 1
        self._counts.origins[answer.headers.get('x-origin')] += 1
        if self.kind == 'cookie' and 'set-cookie' in answer.headers:
            self._cookie = answer.headers['set-cookie'].split(';')[0]
        self._received = b''
        self._is_used = True
        if answer.is_last or self.kind == 'once':
            self._close()
        self._end()

    def _end(self):
        self._under_way = None
        self._counts.open -= 1
        self._release(self)

    def _close(self):
        if self._socket is not None:
            self._loop.remove(self._socket)
            self._socket.close()
            self._socket = None


def order(kinds):
    """Generate the kind of each request.

    The first ones are those of all clients with cookies: with round robin each server has as many
    of them. The others come at random, so that not each kind has servers of its own.
    """
    if 'cookie' in kinds:
        for _ in range(CLIENTS):
            yield 'cookie'
    chosen = random.Random(1)
    while True:
        yield chosen.choice(kinds)


def parsed(received, at_end):
    """Return the complete :class:`Answer` that was received, or None.

    :param at_end: nothing more can be received.
    """
    header, separator, body = received.partition(b'\r\n\r\n')
    if not separator:
        return None
    lines = header.decode('latin-1').split('\r\n')
    headers = dict((name.lower(), text.strip())
                   for name, _, text in (line.partition(':') for line in lines[1:]))
    if 'content-length' in headers:
        if len(body) < int(headers['content-length']):
            return None
    elif not at_end:
        return None
    is_last = at_end or headers.get('connection', '').lower() == 'close'
    return Answer(lines[0].split(' ')[1], headers, is_last)


if __name__ == '__main__':
    main()
