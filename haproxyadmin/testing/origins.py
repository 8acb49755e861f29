# SPDX-License-Identifier: Apache-2.0
"""Small web servers for throwaway HAProxies; :class:`launching.Origins` starts this program.

``origins.py PORT... [DIRECTORY BINARY]`` serves each port of 127.0.0.1 from one loop and exits at
the end of its standard input.  The response to the path ``/status/NNN`` has that
status, all others have 200.  The response to ``/hold/SECONDS`` is sent after that
time.  The header ``X-Origin`` is the name of the server, or its port if it has none.
A request with ``Expect: 100-continue`` is answered with 100 before its body has arrived.

The commands on standard input are lines, each acknowledged by a line: ``add PORT NAME``,
``serve PORT``, ``refuse PORT`` (connections are refused), ``stall PORT`` (connections time
out) and ``agent PORT TEXT`` (each connection is sent the text and closed, as the
agent checks of HAProxy expect; until the next ``serve``).  ``count PORT`` is
answered with the number of requests that have arrived, that are not yet answered,
and that were cut: their connections were closed before the answer.  Names and texts
are in hexadecimal digits.  A line that begins with ``error`` says why a command has failed.

At the end, it also ends the HAProxies that run with ``haproxy.cfg`` of the directory, and
removes the directory: who started them may have been killed.
"""
import binascii
import functools
import heapq
import itertools
import os
import re
import select
import shutil
import signal
import socket
import sys
import time

CONTINUE = b'HTTP/1.1 100 Continue\r\n\r\n'
ANSWER = b'HTTP/1.1 %s Origin\r\nX-Origin: %s\r\n%s\r\n%s'
LENGTH = re.compile(br'\r\ncontent-length: *(\d+)', re.IGNORECASE)
CHUNKED = re.compile(br'\r\ntransfer-encoding: *chunked', re.IGNORECASE)
# What begins a connection with the PROXY protocol, version 2.
PROXY2 = b'\r\n\r\n\x00\r\nQUIT\n'
STATUS = re.compile(br'/status/(\d{3})')
HOLD = re.compile(br'/hold/(\d+(?:\.\d*)?|\.\d+)')
# The environment variable of a HAProxy that names its configuration file.
MARK = 'HAPROXYADMIN_CONFIG'

# Python 2 has no monotonic clock.
now = getattr(time, 'monotonic', time.time)
encoded = getattr(os, 'fsencode', str)


def main():
    """Serve until standard input ends, or the process that started this one."""
    kept = [word for word in sys.argv[1:] if not word.isdigit()]
    try:
        serve([word for word in sys.argv[1:] if word.isdigit()])
    finally:
        if kept:
            clean(*kept)


def serve(ports):
    """Serve ports, and obey."""
    loop = Loop()
    origins = {}
    for port in ports:
        add(origins, loop, port, port.encode('ascii'))
    received = bytearray()
    loop.add(sys.stdin, lambda: obey(origins, loop, received))
    watch(os.getppid(), loop)
    acknowledge()
    loop.run()


def watch(parent, loop):
    """Exit when the parent has ended: its forked children may have standard input open."""
    if os.getppid() != parent:
        sys.exit()
    loop.later(1, lambda: watch(parent, loop))


def clean(directory, binary):
    """End the HAProxies that run in a directory, and remove it."""
    # A master may be starting a worker.
    while any([kill(pid) for pid in haproxies(os.path.join(directory, 'haproxy.cfg'), binary)]):
        time.sleep(0.01)
    shutil.rmtree(directory, ignore_errors=True)


def haproxies(config_file, binary):
    """Generate the pids of the HAProxies that run with a configuration file.

    Each process is looked at when its turn comes: pids are used again.
    """
    for name in os.listdir('/proc'):
        if name.isdigit() and is_haproxy(name, encoded(config_file), encoded(binary)):
            yield int(name)


def is_haproxy(pid, config_file, binary):
    """Return whether a process is a HAProxy; it may be an editor of the configuration file.

    If ``binary`` is a script, HAProxy has another name, but the environment of the script.
    """
    words = words_of(pid, 'cmdline')
    return (b'-f', config_file) in zip(words, words[1:]) and (
        words[0] == binary
        or MARK.encode('ascii') + b'=' + config_file in words_of(pid, 'environ'))


def words_of(pid, name):
    """Return the words of a file about a process; none if it has ended."""
    try:
        with open('/proc/%s/%s' % (pid, name), 'rb') as words:
            return words.read().split(b'\0')
    except (IOError, OSError):
        return []


def kill(pid):
    """Kill a process; return whether it was there."""
    try:
        os.kill(pid, signal.SIGKILL)
    except OSError:
        return False
    return True


def obey(origins, loop, received):
    """Execute the commands on standard input, after what has arrived before them."""
    new = os.read(0, 65536)
    if not new:
        sys.exit()
    received += new
    while b'\n' in received:
        line, _, rest = received.partition(b'\n')
        received[:] = rest
        loop.later(0, functools.partial(execute, origins, loop, line.decode('ascii')))


def execute(origins, loop, line):
    """Execute a command and acknowledge it."""
    try:
        verb, port, text = line.split(' ')
        words = [binascii.unhexlify(text.encode('ascii'))] if verb in ('add', 'agent') else []
        if verb == 'add':
            done = add(origins, loop, port, *words)
        else:
            done = getattr(origins[port], verb)(*words)
    # Else this process would end, and HAProxy with it.
    except Exception as error:
        done = 'error ' + repr(error).replace('\n', ' ')
    acknowledge(done or 'done')


def add(origins, loop, port, name):
    """Start serving a port."""
    origins[port] = Origin(int(port), loop, name)
    origins[port].serve()


def acknowledge(line='done'):
    """Write a line to standard output; exit if nobody reads it any longer."""
    try:
        os.write(1, (line + '\n').encode('ascii', 'backslashreplace'))
    except OSError:
        sys.exit()


class Loop(object):
    """An event loop that calls the function of each readable file and of each timer."""

    def __init__(self):
        self._poll = select.poll()
        self._calls = {}
        self._timers = []
        self._order = itertools.count()

    def add(self, readable, function):
        """Call a function whenever a file is readable."""
        self._calls[readable.fileno()] = function
        self._poll.register(readable.fileno(), select.POLLIN)

    def remove(self, readable):
        """Do that no longer."""
        if self._calls.pop(readable.fileno(), None):
            self._poll.unregister(readable.fileno())

    def later(self, seconds, function):
        """Call a function once, after some seconds."""
        heapq.heappush(self._timers, (now() + seconds, next(self._order), function))

    def run(self):
        """Run until something exits."""
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

    def __init__(self, port, loop, name):
        self._port = port
        self._loop = loop
        self._name = name
        self._sockets = []
        self._text = None
        self._arrived = 0
        self._cut = 0
        # The connections whose request is not yet answered.
        self._open = set()
        # The headers of those whose body has not arrived yet.
        self._bodies = {}

    def serve(self):
        """Serve on a new socket, then drop the old ones, so that one always listens."""
        self._text = None
        self._listen_anew()

    def agent(self, text):
        """Answer each connection with a text and close it."""
        self._text = text + b'\n'
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
        # launching.Port reserves the port with another socket, which does not listen.
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
        remove_proxy_header(received)
        while b'\r\n\r\n' in received or client in self._bodies:
            if client not in self._open:
                header, _, rest = received.partition(b'\r\n\r\n')
                received[:] = rest
                self._arrived += 1
                self._open.add(client)
                self._bodies[client] = header
                if b'100-continue' in header and not self._send(client, CONTINUE):
                    return
            if client not in self._bodies or not remove_body(self._bodies[client], received):
                return
            text, seconds = response(self._bodies.pop(client), self._name)
            if seconds:
                self._loop.later(seconds, lambda: self._finish(client, text, received))
                return
            if not self._send(client, text):
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
        self._bodies.pop(sock, None)
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


def remove_proxy_header(received):
    """Remove the header of the PROXY protocol, if there is a complete one."""
    if received.startswith(PROXY2) and len(received) >= 16:
        del received[:16 + received[14] * 256 + received[15]]
    elif received.startswith(b'PROXY ') and b'\r\n' in received:
        del received[:received.index(b'\r\n') + 2]


def remove_body(header, received):
    """Remove the body of a request if it has arrived; return whether it has."""
    length = LENGTH.search(bytes(header))
    if length:
        size = int(length.group(1))
    elif CHUNKED.search(bytes(header)):
        size = (b'\r\n' + received).find(b'\r\n0\r\n\r\n') + 5
        if size < 5:
            return False
    else:
        return True
    if len(received) < size:
        return False
    del received[:size]
    return True


def response(header, name):
    """Return the response to the header of a request, and the seconds to wait before."""
    method, path = (bytes(header).split(b' ') + [b''])[:2]
    hold, status = HOLD.match(path), STATUS.match(path)
    status = status.group(1) if status else b'200'
    length = b'Content-Length: 3\r\n'
    if status in (b'204', b'304'):
        length = b''
    body = b'ok\n' if length and method != b'HEAD' else b''
    return ANSWER % (status, name, length, body), float(hold.group(1)) if hold else 0


if __name__ == '__main__':
    main()
