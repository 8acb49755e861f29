# SPDX-License-Identifier: Apache-2.0
"""Exchange commands and replies with HAProxy's stats sockets.

A connection carries one command line and its reply, and ends with the reply: end of file is the
only framing that HAProxy offers. All exchanges of one call run concurrently, in one thread, and
leave nothing behind.
"""
# The part of socket that is written in C; see imports.socket_class().
import _socket
import collections
import errno
import os
import select
import sys
import time

from haproxyadmin import imports
from haproxyadmin.exceptions import (HAProxySocketError, SocketApplicationError,
                                     SocketConnectionError, SocketPermissionError, SocketTimeout,
                                     SocketTransportError)
from haproxyadmin.protocol import commands

MAX_REPLY = 256 * 1024 * 1024
# The most bytes that are read from a socket of which it is not known whether HAProxy listens.
MAX_PROBE_REPLY = 64 * 1024
# The bytes that have to arrive during each time-out, once an exchange is older than its time-out.
MIN_PROGRESS = 64 * 1024
CHUNK = 64 * 1024
# Seconds to wait before connecting again while HAProxy's backlog is full.
BACKLOG_PAUSE = 0.005
# The longest wait at a time, in seconds: poll() accepts no more than fits into an int.
MAX_WAIT = 3600
# How many chunks to read from one socket before turning to the next.
MAX_CHUNKS = 8
# Descriptors from here on may be too high for select().
SELECT_LIMIT = 1024
# The events of select.poll(), which does not exist everywhere.
_READ, _WRITE = 1, 4

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
# What the caller's machine has run out of: descriptors or memory.
OUR_OWN = (errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOBUFS)
_AGAIN = (errno.EAGAIN, errno.EWOULDBLOCK, errno.EINTR)
# A peer that closes early must not end the program, whatever the program does with SIGPIPE.
# Python 2 has no name for the flag.
_NO_SIGNAL = getattr(_socket, 'MSG_NOSIGNAL', 0x4000 if sys.platform.startswith('linux') else 0)

# How an exchange proceeds. ``half_close``: end our side after the command, which a master socket
# waits for, and which ends commands that wait on purpose. ``max_reply``: the most bytes that are
# read, None for MAX_REPLY. ``periods``: the most time-outs that the whole exchange may take.
Conduct = collections.namedtuple('Conduct', 'half_close max_reply periods')
PLAIN = Conduct(False, None, float('inf'))
# For commands after which HAProxy waits for more.
OPEN_ENDED = Conduct(True, None, float('inf'))
# For a socket of which it is not known whether HAProxy listens.
PROBE = Conduct(True, MAX_PROBE_REPLY, 2)


def _elapsed():
    """Return the seconds of a clock that is never set, for Python 2, whose ``time`` has none."""
    return os.times()[4]


_now = getattr(time, 'monotonic', _elapsed)


def now():
    """Return the seconds of a clock that is never set."""
    return _now()


def is_our_own(outcome):
    """Return True for an error of this machine, which says nothing about HAProxy."""
    return getattr(outcome, 'errno', None) in OUR_OWN


def kind_of(cause):
    """Return the class of exception for an error of the operating system."""
    return _KINDS.get(getattr(cause, 'errno', None), HAProxySocketError)


class Request(object):
    """A command for one socket.

    :param socket_file: the stats socket.
    :param command: the line (and payload) to send, without the last newline.
    :type command: bytes
    :param timeout: seconds to wait for the connection, and for each further reply data; None waits
        without limit.
    :param conduct: (optional) how the exchange proceeds.
    :type conduct: :class:`Conduct`
    """

    __slots__ = ('socket_file', 'command', 'timeout', 'conduct')

    def __init__(self, socket_file, command, timeout, conduct=PLAIN):
        self.socket_file = socket_file
        self.command = command
        self.timeout = timeout
        self.conduct = conduct

    def __str__(self):
        """Return the command line for messages, without secrets."""
        return '{0!r} on {1}'.format(commands.describe_line(self.command)[:200], self.socket_file)


def without_trace(error):
    """Return an exception without its traceback.

    The frames keep their variables alive, which may be replies of many megabytes, and form a cycle
    with the exception, which only the garbage collector can free.
    """
    if hasattr(error, '__traceback__'):  # not on Python 2
        error.__traceback__ = None
    return error


def exchange_all(requests, follow=None):
    """Send all requests concurrently and read each reply to its end.

    :type requests: list of :class:`Request`
    :param follow: (optional) a function that takes the place of a request in the list, and its
        outcome, as soon as it has ended; it returns the request to send next in its place while
        the others continue, or None.
    :return: for each request its reply, or the error that ended it; None if ``follow`` took it.
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
    """Advance exchanges, each as soon as possible; yield place and outcome of those that end.

    :param running: the exchanges; those that end are removed, and others may be added then.
    """
    poller, connected = _poller(), {}
    late_at = _late_at(running)
    while running:
        waits = False
        for exchange in running:
            if exchange.sock is None:
                late_at = min(late_at, exchange.deadline)
                exchange.connect(now, poller)
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
        # Before another connection is made, which may get the same descriptor.
        for exchange in ended:
            running.remove(exchange)
            if exchange.fileno is not None:
                del connected[exchange.fileno]
                poller.unregister(exchange.fileno)
        while ended:
            # Not kept until the last one has ended, because a dump may be large.
            exchange = ended.pop(0)
            place, outcome = exchange.place, exchange.outcome
            exchange = None
            yield place, outcome
            outcome = None
            now = _now()


def _late_at(exchanges):
    """Return when the first one may be late; sending and receiving only postpones that."""
    return min([exchange.late_at() for exchange in exchanges] or [0])


def _poll(poller, seconds):
    try:
        return poller.poll(int(max(0, min(seconds, MAX_WAIT)) * 1000) + 1)
    except select.error as error:
        # Only Python 2 reports an interrupted call, with an error that has no errno.
        if not error.args or error.args[0] != errno.EINTR or not is_ours():
            raise
        return []


def is_ours():
    """Return False if the current exception was raised by a signal handler.

    Such an exception is the caller's, whatever its class. A handler is recognized by its second
    argument, which is the frame that it interrupts and returns to.
    """
    trace = sys.exc_info()[2].tb_next
    while trace is not None:
        frame = trace.tb_frame
        for value in frame.f_locals.values():
            if value is frame.f_back or (type(value) is tuple and frame.f_back in value):
                return False
        trace = trace.tb_next
    return True


def _poller():
    """Return what waits for descriptors; eventlet removes :func:`select.poll`."""
    return select.poll() if hasattr(select, 'poll') else _SelectPoller()


class _SelectPoller(object):
    """Waits like :func:`select.poll`, with :func:`select.select`."""

    def __init__(self):
        self._events = {}

    def register(self, fileno, events):
        """Wait for events of a descriptor from now on."""
        self._events[fileno] = events

    def unregister(self, fileno):
        """Stop waiting for a descriptor."""
        del self._events[fileno]

    def poll(self, milliseconds):
        """Return pairs of descriptor and events, for descriptors that are ready."""
        # A connection that was closed or refused is ready, too; the exchange finds out.
        readers = [fileno for fileno, events in self._events.items() if events == _READ]
        writers = [fileno for fileno, events in self._events.items() if events == _WRITE]
        readable, writable, _ = select.select(readers, writers, [], milliseconds / 1000.0)
        return [(fileno, _READ) for fileno in readable] + [(fileno, _WRITE) for fileno in writable]

    def check(self, fileno):
        """Check that :func:`select.select` can wait for a descriptor.

        :raises ValueError: if it is too high, usually above 1,023.
        """
        if fileno >= SELECT_LIMIT:
            select.select([], [fileno], [], 0)


class _Exchange(object):
    """One command: connect, write, read until HAProxy closes the connection.

    :param place: the place of its outcome.
    :type request: :class:`Request`
    :param now: the time.
    """

    __slots__ = ('place', 'request', 'sock', 'fileno', 'unsent', 'chunks', 'size', 'outcome',
                 'started', 'timeout', 'deadline', 'end', 'window_end', 'window_size')

    def __init__(self, place, request, now):
        self.place = place
        self.request = request
        self.sock = self.fileno = None
        self.unsent = request.command + b'\n'
        self.chunks = []
        self.size = 0
        self.outcome = None
        self.started = now
        self.timeout = float('inf') if request.timeout is None else request.timeout
        self.deadline = self.window_end = now + self.timeout
        self.end = now + self.timeout * request.conduct.periods
        self.window_size = 0

    def awaited(self):
        """Return the event that the exchange waits for."""
        return _WRITE if self.unsent else _READ

    def connect(self, now, poller):
        """Connect, or postpone it while HAProxy's backlog is full."""
        sock = None
        try:
            sock = imports.socket_class()(_socket.AF_UNIX, _socket.SOCK_STREAM)
            sock.setblocking(False)
            if isinstance(poller, _SelectPoller):
                poller.check(sock.fileno())
            sock.connect(self.request.socket_file)
        except BaseException as error:
            if sock is not None:
                sock.close()
            if not isinstance(error, (_socket.error, TypeError, ValueError)) or not is_ours():
                raise
            if getattr(error, 'errno', None) not in _AGAIN:
                self._fail(error, undelivered=True)
            return
        self.sock = sock
        self.advance(now)

    def advance(self, now):
        """Write what is left, or read what has arrived."""
        if self.unsent:
            self._write(now)
        else:
            self._read(now)

    def late_at(self):
        """Return when it may be time to give up."""
        return min(self.deadline, self.window_end, self.end)

    def check_time(self, now):
        """Give up on a peer that is silent, or that sends too slowly."""
        if self.sock is not None and now >= self.late_at():
            # This program may have been stopped, and the reply may be there.
            self.advance(now)
        if self.outcome is not None:
            return
        if now >= self.deadline:
            self._time_out('timed out after {0:g} s'.format(self.timeout))
        elif now >= self.window_end or now >= self.end:
            if not self.size:
                self._time_out('timed out after {0:g} s'.format(self.timeout))
            elif self.size - self.window_size < MIN_PROGRESS or now >= self.end:
                self._time_out('gave up after {0:.1f} s: the answer arrives too slowly'.format(
                    now - self.started))
            self.window_end = now + self.timeout
            self.window_size = self.size

    def close(self):
        """Close the connection, if there is one."""
        if self.sock is not None:
            self.sock.close()
            self.sock = None

    def _write(self, now):
        try:
            sent = self.sock.send(self.unsent, _NO_SIGNAL)
        except _socket.error as error:
            if error.errno is None or not is_ours():
                raise
            if error.errno in (errno.EPIPE, errno.ECONNRESET):
                # HAProxy has closed the connection, perhaps after saying why.
                self.unsent = b''
            elif error.errno not in _AGAIN:
                self._fail(error)
            return
        self.deadline = now + self.timeout
        self.unsent = self.unsent[sent:]
        if not self.unsent and self.request.conduct.half_close:
            try:
                self.sock.shutdown(_socket.SHUT_WR)
            except _socket.error:
                if not is_ours():
                    raise
                # The peer has closed it already; reading finds out.

    def _read(self, now):
        for _ in range(MAX_CHUNKS):
            try:
                chunk = self.sock.recv(CHUNK)
            except _socket.error as error:
                if error.errno is None or not is_ours():
                    raise
                if error.errno not in _AGAIN:
                    self._fail(error)
                return
            if not chunk:
                self._finish()
                return
            self.deadline = now + self.timeout
            self.size += len(chunk)
            self.chunks.append(chunk)
            most = self.request.conduct.max_reply or MAX_REPLY
            if self.size > most:
                self._end(SocketApplicationError(self.request.socket_file, (
                    '{0}: the answer is larger than {1} bytes').format(self.request, most)))
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
        # Without a connection HAProxy cannot have received anything.
        self._end(SocketTimeout(
            self.request.socket_file,
            '{0}: {1}, {2} bytes received'.format(self.request, what, self.size),
            _socket.error(errno.ETIMEDOUT, os.strerror(errno.ETIMEDOUT)),
            undelivered=self.sock is None))

    def _fail(self, cause, undelivered=False):
        error = kind_of(cause)(
            self.request.socket_file,
            '{0}: {1}'.format(self.request, getattr(cause, 'strerror', None) or cause),
            cause, undelivered)
        error.__cause__ = without_trace(cause)
        self._end(error)

    def _end(self, outcome):
        self.outcome = outcome
        self.chunks = None
        self.close()
        logger = imports.logger()
        if logger is not None and logger.isEnabledFor(imports.DEBUG):
            logger.debug('%s: %d bytes in %.1f ms%s', self.request, self.size,
                         (_now() - self.started) * 1000,
                         '' if isinstance(outcome, bytes) else ', ' + outcome.__class__.__name__)
