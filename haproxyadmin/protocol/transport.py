# SPDX-License-Identifier: Apache-2.0
"""Exchange commands and replies with HAProxy's stats sockets.

A connection takes one command line and ends with the reply: reading to the end of file is
the only framing that HAProxy offers. All exchanges of one call run at the same time, in one
thread, and leave nothing behind.
"""
import errno
import logging
import os
import select
import socket
import time

import six

from haproxyadmin.exceptions import (HAProxySocketError, SocketApplicationError,
                                     SocketConnectionError, SocketPermissionError,
                                     SocketTimeout, SocketTransportError)

LOG = logging.getLogger('haproxyadmin')
LOG.addHandler(logging.NullHandler())

MAX_REPLY = 256 * 1024 * 1024
# An exchange older than its time-out has to bring this much in each further time-out.
MIN_PROGRESS = 64 * 1024
CHUNK = 64 * 1024
# HAProxy's backlog is full: how long to wait before the next connect, in seconds.
BACKLOG_PAUSE = 0.005
# How long to wait at a time, in seconds: poll() takes no more than fits into an int.
MAX_WAIT = 3600
# How many chunks to read of one socket before it is the turn of the next.
MAX_CHUNKS = 8

_KINDS = {
    errno.ENOENT: SocketConnectionError,
    errno.ECONNREFUSED: SocketConnectionError,
    errno.EPROTOTYPE: SocketConnectionError,
    errno.ENOTSOCK: SocketConnectionError,
    errno.EACCES: SocketPermissionError,
    errno.EPERM: SocketPermissionError,
    errno.EISCONN: SocketTransportError,
    errno.ETIMEDOUT: SocketTimeout,
    errno.EPIPE: SocketApplicationError,
    errno.ECONNRESET: SocketApplicationError,
}
_AGAIN = (errno.EAGAIN, errno.EWOULDBLOCK, errno.EINTR)
_now = getattr(time, 'monotonic', time.time)  # Python 2 has no monotonic clock


def kind_of(cause):
    """Return the class of exception for an error of the operating system."""
    return _KINDS.get(getattr(cause, 'errno', None), HAProxySocketError)


class Request(object):
    """A command for one socket.

    :param socket_file: the stats socket.
    :param command: the line (and payload) to send, without the last newline.
    :type command: bytes
    :param timeout: seconds that connecting and every silence may last.
    """

    __slots__ = ('socket_file', 'command', 'timeout')

    def __init__(self, socket_file, command, timeout):
        self.socket_file = socket_file
        self.command = command
        self.timeout = timeout

    def __str__(self):
        """Return the command line for messages: no payload, which may be a private key."""
        line = self.command.split(b'\n', 1)[0][:200]
        return '{0!r} on {1}'.format(six.ensure_str(line, 'utf-8', 'replace'), self.socket_file)


def exchange_all(requests, follow=None):
    """Send all requests at the same time and read each reply to its end.

    :type requests: list of :class:`Request`
    :param follow: (optional) takes the place of a request that has ended, and its outcome; returns
        the request that takes its place while the others go on, or None.
    :return: for each request its reply, or the error that ended it; None for what ``follow`` took.
    :rtype: list of bytes and :class:`haproxyadmin.exceptions.HAProxySocketError`
    """
    outcomes = [None] * len(requests)
    now = _now()
    running = [_Exchange(place, request, now) for place, request in enumerate(requests)]
    try:
        for place, outcome in _run(running, now):
            if follow is None:
                outcomes[place] = outcome
                continue
            request = follow(place, outcome)
            if request is not None:
                running.append(_Exchange(place, request, _now()))
    finally:
        for exchange in running:
            exchange.close()
    return outcomes


def _run(running, now):
    """Let exchanges go on, each as soon as it can; yield place and outcome of those that end.

    :param running: the exchanges; those that end are taken out, and others may be put in then.
    """
    poller, connected = select.poll(), {}
    late_at = _late_at(running)
    while running:
        waits = False
        for exchange in running:
            if exchange.sock is None:
                late_at = min(late_at, exchange.deadline)
                exchange.connect(now)
                if exchange.sock is not None:
                    exchange.fileno = exchange.sock.fileno()
                    connected[exchange.fileno] = exchange
                    poller.register(exchange.fileno, exchange.awaited())
                elif exchange.outcome is None:
                    waits = True
        if not any([exchange.outcome is not None for exchange in running]):
            pause = min(late_at - now, BACKLOG_PAUSE) if waits else late_at - now
            ready = _poll(poller, pause)
            now = _now()
            for fileno, _ in ready:
                connected[fileno].advance(now)
                poller.register(fileno, connected[fileno].awaited())
        if now >= late_at:
            for exchange in running:
                exchange.check_time(now)
            late_at = _late_at(running)
        ended = [exchange for exchange in running if exchange.outcome is not None]
        # Before any other connection is made: it may get the number of one of these.
        for exchange in ended:
            running.remove(exchange)
            if exchange.fileno is not None:
                del connected[exchange.fileno]
                poller.unregister(exchange.fileno)
        while ended:
            # Not kept until the last one has ended: a dump may be large.
            exchange = ended.pop(0)
            place, outcome = exchange.place, exchange.outcome
            exchange = None
            yield place, outcome
            outcome = None
            now = _now()


def _late_at(exchanges):
    """Return when the first may be late; what it sends or receives only moves that back."""
    return min([exchange.late_at() for exchange in exchanges] or [0])


def _poll(poller, seconds):
    try:
        return poller.poll(int(max(0, min(seconds, MAX_WAIT)) * 1000) + 1)
    except select.error as error:
        # Only Python 2 tells of an interrupted call; its error has no errno.
        if error.args[0] != errno.EINTR:
            raise
        return []


class _Exchange(object):
    """One command on its way: connect, write, read until HAProxy closes.

    :param place: the place of its outcome among those of all.
    :type request: :class:`Request`
    :param now: the time.
    """

    __slots__ = ('place', 'request', 'sock', 'fileno', 'unsent', 'chunks', 'size', 'outcome',
                 'started', 'deadline', 'window_end', 'window_size')

    def __init__(self, place, request, now):
        self.place = place
        self.request = request
        self.sock = self.fileno = None
        self.unsent = request.command + b'\n'
        self.chunks = []
        self.size = 0
        self.outcome = None
        self.started = now
        self.deadline = self.window_end = self.started + request.timeout
        self.window_size = 0

    def awaited(self):
        """Return what has to happen to the connection before anything can go on."""
        return select.POLLOUT if self.unsent else select.POLLIN

    def connect(self, now):
        """Connect, or leave it for later while HAProxy's backlog is full."""
        sock = None
        try:
            sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            sock.setblocking(False)
            sock.connect(self.request.socket_file)
        except (socket.error, TypeError, ValueError) as error:
            if sock is not None:
                sock.close()
            if getattr(error, 'errno', None) not in _AGAIN:
                self._fail(error, undelivered=True)
            return
        self.sock = sock
        self.advance(now)

    def advance(self, now):
        """Write what is left, or read what has come."""
        if self.unsent:
            self._write(now)
        else:
            self._read(now)

    def late_at(self):
        """Return when it may be time to give up."""
        return min(self.deadline, self.window_end)

    def check_time(self, now):
        """Give up on a peer that is silent, or that dribbles."""
        if self.sock is not None and now >= self.late_at():
            # A caller that was stopped for a while must not blame HAProxy.
            self.advance(now)
        if self.outcome is not None:
            return
        if now >= self.deadline:
            self._time_out('timed out after {0:g} s'.format(self.request.timeout))
        elif now >= self.window_end:
            if not self.size:
                self._time_out('timed out after {0:g} s'.format(self.request.timeout))
            elif self.size - self.window_size < MIN_PROGRESS:
                self._time_out('gave up after {0:.1f} s: the answer comes too slowly'.format(
                    now - self.started))
            self.window_end = now + self.request.timeout
            self.window_size = self.size

    def close(self):
        """Close the connection, where there is one."""
        if self.sock is not None:
            self.sock.close()
            self.sock = None

    def _write(self, now):
        try:
            sent = self.sock.send(self.unsent)
        except socket.error as error:
            if error.errno in (errno.EPIPE, errno.ECONNRESET):
                # HAProxy has hung up; it may have said why before.
                self.unsent = b''
            elif error.errno not in _AGAIN:
                self._fail(error)
            return
        self.deadline = now + self.request.timeout
        self.unsent = self.unsent[sent:]
        if not self.unsent:
            try:
                self.sock.shutdown(socket.SHUT_WR)
            except socket.error:
                pass  # the peer was faster: reading tells what became of it

    def _read(self, now):
        for _ in range(MAX_CHUNKS):
            try:
                chunk = self.sock.recv(CHUNK)
            except socket.error as error:
                if error.errno not in _AGAIN:
                    self._fail(error)
                return
            if not chunk:
                self._finish()
                return
            self.deadline = now + self.request.timeout
            self.size += len(chunk)
            self.chunks.append(chunk)
            if self.size > MAX_REPLY:
                self._end(SocketApplicationError(self.request.socket_file, (
                    '{0}: the answer is larger than {1} bytes').format(self.request, MAX_REPLY)))
                return

    def _finish(self):
        reply = b''.join(self.chunks)
        if reply:
            self._end(reply)
        else:
            self._end(SocketApplicationError(
                self.request.socket_file,
                '{0}: the connection was closed before an answer'.format(self.request)))

    def _time_out(self, what):
        # Until a connection stands HAProxy cannot have received anything.
        self._end(SocketTimeout(
            self.request.socket_file,
            '{0}: {1}, {2} bytes received'.format(self.request, what, self.size),
            socket.error(errno.ETIMEDOUT, os.strerror(errno.ETIMEDOUT)),
            undelivered=self.sock is None))

    def _fail(self, cause, undelivered=False):
        error = kind_of(cause)(
            self.request.socket_file,
            '{0}: {1}'.format(self.request, getattr(cause, 'strerror', None) or cause),
            cause, undelivered)
        error.__cause__ = cause
        self._end(error)

    def _end(self, outcome):
        self.outcome = outcome
        self.chunks = None
        self.close()
        if LOG.isEnabledFor(logging.DEBUG):
            LOG.debug('%s: %d bytes in %.1f ms%s', self.request, self.size,
                      (_now() - self.started) * 1000,
                      '' if isinstance(outcome, bytes) else ', ' + outcome.__class__.__name__)
