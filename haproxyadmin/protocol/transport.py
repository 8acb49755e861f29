# SPDX-License-Identifier: Apache-2.0
"""Exchange commands and replies with HAProxy's stats sockets.

A connection carries one command line and its reply, and ends with the reply: end of file is the
only framing that HAProxy offers. All exchanges of one call run concurrently, in one thread, and
leave nothing behind.
"""
# The part of socket that is written in C; see imports.socket_part().
import _socket
import collections
import errno
import itertools
import os
import sys
import time

from haproxyadmin import imports
from haproxyadmin.exceptions import (HAProxySocketError, SocketApplicationError,
                                     SocketConnectionError, SocketPermissionError, SocketTimeout,
                                     SocketTransportError)
from haproxyadmin.protocol import commands, polling, replies
from haproxyadmin.protocol.addresses import Address, parse_address
from haproxyadmin.protocol.errors import TlsError, is_ours
from haproxyadmin.protocol.polling import READ, WRITE
from haproxyadmin.protocol.words import to_native

MAX_REPLY = 256 * 1024 * 1024
# The most bytes that are read from a socket of which it is not known whether HAProxy listens.
MAX_PROBE_REPLY = 64 * 1024
# The bytes that have to arrive during each time-out, once an exchange is older than its time-out.
MIN_PROGRESS = 64 * 1024
CHUNK = 64 * 1024
# The bytes of what a master says about a worker that it does not reach.
MAX_COMPLAINT = 256
# Seconds to wait before connecting again while HAProxy's backlog is full.
BACKLOG_PAUSE = 0.005
# The longest wait for changes that were interrupted, in seconds.
MAX_SETTLING = 10
# How many chunks to read from one socket before turning to the next.
MAX_CHUNKS = 8
# The most connections that are open at a time, and how many are opened without asking whether the
# system allows them.
MAX_CONNECTIONS = 256
FEW_CONNECTIONS = 16

_KINDS = {
    errno.ENOENT: SocketConnectionError,
    errno.ECONNREFUSED: SocketConnectionError,
    errno.EHOSTUNREACH: SocketConnectionError,
    errno.ENETUNREACH: SocketConnectionError,
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
_GONE = (errno.EPIPE, errno.ECONNRESET)
# A peer that closes early must not end the program, whatever the program does with SIGPIPE.
# Python 2 has no name for the flag.
_NO_SIGNAL = getattr(_socket, 'MSG_NOSIGNAL', 0x4000 if sys.platform.startswith('linux') else 0)

# How an exchange proceeds. ``half_close``: end our side after the command, which ends commands that
# wait on purpose, and which a master waits for if it is taken for a stats socket; what is known as
# a master is sent ``quit`` instead. ``max_reply``: the most bytes that are read, None for
# MAX_REPLY. ``periods``: the most time-outs that the whole exchange may take.
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
    if isinstance(cause, _socket.gaierror):
        return SocketConnectionError
    return _KINDS.get(getattr(cause, 'errno', None), HAProxySocketError)


class Request(object):
    """A command for one socket.

    :param address: the stats socket; see
        :func:`haproxyadmin.protocol.addresses.parse_address`.
    :param command: the line (and payload) to send, without the last newline.
    :type command: bytes
    :param timeout: seconds to wait for the connection, and for each further reply data; None waits
        without limit.
    :param conduct: (optional) how the exchange proceeds.
    :type conduct: :class:`Conduct`

    ``settles`` is True if an interruption waits for the answer; see :meth:`Exchanges.settle`.

    ``lookup`` is None, or what asks a master on the same connection, before the command, which
    worker the command is for: it has a ``command``, and a method ``resolve(reply)`` that returns
    the worker's address, an error, or None if the reply is a refusal. A reload ends the connection,
    so that the command cannot reach a worker that is no longer the current one.
    """

    __slots__ = ('address', 'command', 'timeout', 'conduct', 'lookup')

    settles = False

    def __init__(self, address, command, timeout, conduct=PLAIN):
        self.address = parse_address(address)
        self.command = command
        self.timeout = timeout
        self.conduct = conduct
        self.lookup = None

    @property
    def socket_file(self):
        """The stats socket, as it was given."""
        return self.address.text

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

    Of many requests, some wait until others have ended: see :func:`most_connections`. Names of
    hosts are resolved first, one after the other.

    :type requests: list of :class:`Request`
    :param follow: (optional) a function that takes the place of a request in the list, and its
        outcome, as soon as it has ended; it returns the request to send next in its place while
        the others continue, or None.
    :return: for each request its reply, or the error that ended it; None if ``follow`` took it.
    :rtype: list of bytes and :class:`haproxyadmin.exceptions.HAProxySocketError`
    """
    outcomes = [None] * len(requests)
    exchanges = Exchanges(most_connections(len(requests)))
    for place, request in enumerate(requests):
        exchanges.add(Exchange(place, request))
    try:
        for place, outcome in exchanges.run():
            if follow is None:
                outcomes[place] = outcome
                continue
            request = follow(place, outcome)
            if request is not None:
                exchanges.add_next(Exchange(place, request))
    except BaseException:
        for place, outcome in exchanges.settle():
            if follow is not None:
                # What would come next is not sent any more.
                follow(place, outcome)
        raise
    finally:
        exchanges.close()
    return outcomes


def most_connections(wanted):
    """Return how many connections may be open at a time: at most half of what the system allows.

    :param wanted: how many would be open.
    """
    if wanted <= FEW_CONNECTIONS:
        return wanted
    import resource  # only needed here
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    if limit == resource.RLIM_INFINITY:
        limit = 2 * MAX_CONNECTIONS
    return max(1, min(wanted, MAX_CONNECTIONS, limit // 2))


class Exchanges(object):
    """Exchanges that run concurrently, in one thread.

    :param most: how many connections may be open at a time.
    """

    def __init__(self, most):
        self._most = most
        self._poller = polling.poller()
        # Those without a connection, in the order of their turns; those with one, by descriptor;
        # and those that have ended.
        self._waiting = collections.deque()
        self._connected = {}
        # The one that is being connected.
        self._connecting = None
        self._ended = []
        self._now = _now()
        # When the first one may be late; sending and receiving only postpones that.
        self._late_at = float('inf')

    def add(self, exchange):
        """Add an exchange, whose turn comes last."""
        if exchange.targets is None:
            exchange.resolve(self._now)
        self._waiting.append(exchange)

    def add_next(self, exchange):
        """Add an exchange, whose turn comes first."""
        if exchange.targets is None:
            exchange.resolve(_now())
        self._now = _now()
        self._waiting.appendleft(exchange)

    def settle(self):
        """After an interruption, wait until the changes that have been sent are made, or late.

        HAProxy may read a connection later than another one that was opened after it. So what is
        cut off could be done after what the caller does to undo it.

        :return: place and outcome of those that have ended since :meth:`run` was interrupted.
        """
        end = _now() + MAX_SETTLING
        exchanges = self._ended + self._with_connection()
        for exchange in exchanges:
            exchange.settle(end)
        return [(exchange.place, exchange.outcome) for exchange in exchanges
                if exchange.outcome is not None]

    def close(self):
        """Close all connections."""
        for exchange in self._with_connection():
            exchange.close()

    def _with_connection(self):
        """Return the exchanges that may have a connection."""
        found = list(self._connected.values())
        if self._connecting is not None and self._connecting not in found:
            found.append(self._connecting)
        return found

    def run(self):
        """Advance exchanges, each as soon as possible; yield place and outcome of those that end.

        Others may be added then.
        """
        # Resolving names may have taken long.
        self._now = _now()
        while self._waiting or self._connected:
            postponed = self._connect()
            if not self._ended:
                pause = self._longest_pause()
                if postponed:
                    pause = min(pause, BACKLOG_PAUSE)
                self._advance(polling.poll(self._poller, pause))
                for received in self._parts():
                    yield received
            if self._now >= self._late_at:
                self._check_times()
            while self._ended:
                # Not kept until the last one has ended, because a dump may be large.
                exchange = self._ended.pop(0)
                place, outcome = exchange.place, exchange.outcome
                exchange = None
                yield place, outcome
                outcome = None

    def _longest_pause(self):
        return self._late_at - self._now

    def _parts(self):
        """Return what is handed out before an exchange has ended."""
        return ()

    def _connect(self):
        """Connect what is waiting; return True if some of it has to try again."""
        postponed = []
        while self._waiting and len(self._connected) < self._most:
            exchange = self._connecting = self._waiting.popleft()
            exchange.connect(self._now, self._poller, alone=not self._connected)
            if exchange.sock is not None:
                self._connected[exchange.fileno] = exchange
                self._poller.register(exchange.fileno, exchange.awaited)
            self._connecting = None
            if exchange.outcome is not None:
                self._ended.append(exchange)
                continue
            if exchange.sock is None:
                postponed.append(exchange)
                if exchange.started is None:
                    break  # no descriptor is left
            self._late_at = min(self._late_at, exchange.late_at())
        self._waiting.extendleft(reversed(postponed))
        return bool(postponed)

    def _advance(self, ready):
        self._now = _now()
        for fileno, _ in ready:
            exchange = self._connected[fileno]
            awaited = exchange.awaited
            exchange.advance(self._now)
            if exchange.sock is None:
                self._disconnected(exchange)
            elif exchange.awaited != awaited:
                self._poller.register(fileno, exchange.awaited)

    def _check_times(self):
        for exchange in list(self._connected.values()):
            exchange.check_time(self._now)
            if exchange.sock is None:
                self._disconnected(exchange)
        for exchange in [each for each in self._waiting if each.started is not None]:
            exchange.check_time(self._now)
            if exchange.outcome is not None:
                self._waiting.remove(exchange)
                self._ended.append(exchange)
        self._late_at = min([exchange.late_at() for exchange in itertools.chain(
            self._connected.values(), self._waiting) if exchange.started is not None]
            or [float('inf')])

    def _disconnected(self, exchange):
        # Before another connection is made, which may get the same descriptor.
        del self._connected[exchange.fileno]
        self._poller.unregister(exchange.fileno)
        if exchange.outcome is None:
            # It tries the next address of a host.
            self._waiting.appendleft(exchange)
        else:
            self._ended.append(exchange)


class Exchange(object):
    """One command: connect, write, read until HAProxy closes the connection.

    :param place: the place of its outcome.
    :type request: :class:`Request`

    ``awaited`` is the event that a connection waits for, ``targets`` what it may connect to; None
    if a name has to be resolved first.
    """

    __slots__ = ('place', 'request', 'sock', 'fileno', 'awaited', 'outcome', 'started', 'targets',
                 '_address', '_has_tried_others', '_step', '_lookup', '_unsent', '_undelivered',
                 '_chunks', '_size', '_timeout', '_deadline', '_turn_end', '_end', '_window_end',
                 '_window_size')

    def __init__(self, place, request):
        self.place = place
        self.request = request
        self.sock = self.fileno = self.outcome = self.started = None
        self.awaited = WRITE
        self._address = request.address
        self.targets = request.address.fixed_targets
        # What is done next with the connection. Not a bound method, which would form a cycle that
        # keeps a dump alive.
        self._step = None
        self._has_tried_others = False
        # What to ask a master first, None once it has answered.
        self._lookup = request.lookup
        self._unsent = b''
        # True until a byte of the command may have been sent.
        self._undelivered = True
        self._chunks = []
        self._size = 0
        self._timeout = float('inf') if request.timeout is None else request.timeout
        self._window_size = 0

    # Its time

    def _start(self, now):
        self.started = now
        self._deadline = self._window_end = now + self._timeout
        self._end = now + self._timeout * self.request.conduct.periods
        # Each address of a host gets its share of the time.
        self._turn_end = now + self._timeout / max(1, len(self.targets))

    def late_at(self):
        """Return when it may be time to give up."""
        return min(self._deadline, self._turn_end, self._window_end, self._end)

    def check_time(self, now):
        """Give up on a peer that is silent, or that sends too slowly."""
        if self.sock is not None and now >= self.late_at():
            # This program may have been stopped, and the reply may be there.
            self.advance(now)
        if self.outcome is not None or (self.sock is None and now < self._deadline):
            return
        if now >= self._deadline:
            self._time_out('timed out after {0:g} s{1}'.format(self._timeout, self._doing()))
        elif now >= self._turn_end:
            self._try_next(_socket.error(errno.ETIMEDOUT, os.strerror(errno.ETIMEDOUT)), now)
        elif now >= self._window_end or now >= self._end:
            if not self._size:
                self._time_out('timed out after {0:g} s'.format(self._timeout))
            elif self._size - self._window_size < MIN_PROGRESS or now >= self._end:
                self._time_out('gave up after {0:.1f} s: the answer arrives too slowly'.format(
                    now - self.started))
            self._window_end = now + self._timeout
            self._window_size = self._size

    def _doing(self):
        """Return what has taken so long, for messages."""
        if self._step == Exchange._finish_connecting:
            return ' while connecting'
        return ' during the TLS handshake' if self._step == Exchange._shake_hands else ''

    # The connection

    def resolve(self, now):
        """Find out what to connect to."""
        try:
            self.targets = self._address.targets(now)
        except TlsError as error:
            self._fail(error, 'TLS: ')
        except _socket.error as error:
            if not is_ours():
                raise
            self._fail(error, 'the name of the host cannot be resolved: ')

    def connect(self, now, poller, alone):
        """Connect, or postpone it while HAProxy's backlog is full or no descriptor is left.

        :param alone: True if no other exchange will make a descriptor available.
        """
        while self.sock is None and self.outcome is None:
            sock = None
            family, target = self.targets[0]
            try:
                sock = imports.socket_part('socket')(family, _socket.SOCK_STREAM)
                sock.setblocking(False)
                if isinstance(poller, polling.SelectPoller):
                    poller.check(sock.fileno())
                if self.started is None:
                    self._start(now)
                sock.connect(target)
            except BaseException as error:
                number = getattr(error, 'errno', None)
                if number == errno.EINPROGRESS and is_ours():
                    self._connected(sock, Exchange._finish_connecting)
                    return
                if sock is not None:
                    sock.close()
                if not isinstance(error, (_socket.error, TypeError, ValueError)) or not is_ours():
                    raise
                if number in OUR_OWN and not alone:
                    return
                if self.started is None:
                    self._start(now)
                if number in _AGAIN:
                    return
                self._try_next(error, now)
                continue
            self._connected(sock, Exchange._open)
            self.advance(now)

    def _connected(self, sock, step):
        self.sock = sock
        self.fileno = sock.fileno()
        self.awaited = WRITE
        self._step = step

    def _try_next(self, error, now):
        """Try the next address of a host, if there is one."""
        self.targets = self.targets[1:]
        if not self.targets:
            self._address.note_failure()
            self._fail(error)
            return
        self.close()
        self._has_tried_others = True
        self._turn_end = now + (self._deadline - now) / len(self.targets)

    def advance(self, now):
        """Do what can be done without waiting."""
        try:
            self._step(self, now)
        except TlsError as error:
            self._fail(error, 'TLS: ')
        except _socket.error as error:
            if error.errno is None or not is_ours():
                raise
            if error.errno not in _AGAIN:
                self._fail(error)
            elif self._address.is_tls:
                self.awaited = WRITE if self.sock.wants_write else READ

    def settle(self, end):
        """If the command is a change that has been sent, wait for the answer.

        :param end: how long, unless it is late before.
        """
        if not self.request.settles or self._undelivered or self.sock is None:
            return
        if self._step != Exchange._read:
            # It was sent as a whole, or hardly at all: a command fits into the system's buffer.
            self._half_close()
            self._step = Exchange._read
        poller, now = polling.poller(), _now()
        while self.sock is not None and now < min(self.late_at(), end):
            self.advance(now)
            if self.sock is not None:
                poller.register(self.fileno, self.awaited)
                polling.poll(poller, min(self.late_at(), end) - now)
                now = _now()

    def close(self):
        """Close the connection, if there is one."""
        if self.sock is not None:
            self.sock.close()
            self.sock = None

    # The steps

    def _finish_connecting(self, now):
        number = self.sock.getsockopt(_socket.SOL_SOCKET, _socket.SO_ERROR)
        if number:
            self._try_next(_socket.error(number, os.strerror(number)), now)
        elif self._is_connected():
            self._open(now)

    def _is_connected(self):
        """Return False while connecting: a time-out looks before anything has happened."""
        try:
            self.sock.getpeername()
        except _socket.error as error:
            if error.errno != errno.ENOTCONN or not is_ours():
                raise
            return False
        return True

    def _open(self, now):
        self._turn_end = float('inf')
        if self._has_tried_others:
            self._address.note_success(self.targets[0])
        self._unsent = (self._address.lines(self.request.command) if self._lookup is None
                        else self._lookup.command + b'\n')
        self._step = Exchange._write
        if self._address.is_tls:
            self.sock = self._address.secure(self.sock)
            self._step = Exchange._shake_hands
        self._step(self, now)

    def _shake_hands(self, now):
        self.sock.handshake()
        self._step = Exchange._write
        self._write(now)

    def _write(self, now):
        # Before it is sent: an interruption may come before the next line.
        before, self._undelivered = self._undelivered, self._lookup is not None
        try:
            sent = self.sock.send(self._unsent, _NO_SIGNAL)
        except (_socket.error, TlsError) as error:
            if not is_ours():
                raise
            self._undelivered = before
            if getattr(error, 'errno', None) not in _GONE:
                raise
            # HAProxy has closed the connection, perhaps after saying why.
            self._unsent = b''
        else:
            self._deadline = now + self._timeout
            self._unsent = self._unsent[sent:]
        self.awaited = WRITE if self._unsent else READ
        if self._unsent:
            return
        self._step = Exchange._read
        if self.request.conduct.half_close:
            self._half_close()

    def _half_close(self):
        """End our side of the connection, unless the peer would take that for the end of all."""
        if not self._address.stays_open:
            try:
                self.sock.shutdown(_socket.SHUT_WR)
            except _socket.error:
                if not is_ours():
                    raise
                # The peer has closed it already; reading finds out.

    def _read(self, now):
        self.awaited = READ
        count = 0
        while count < MAX_CHUNKS or self._reads_on():
            count += 1
            chunk = self.sock.recv(CHUNK)
            if not chunk:
                self._finish()
                return
            self._deadline = now + self._timeout
            self._size += len(chunk)
            self._chunks.append(chunk)
            most = self.request.conduct.max_reply or MAX_REPLY
            if self._size > most:
                self._end_with(SocketApplicationError(
                    self.request.socket_file, '{0}: the answer is larger than {1} bytes{2}'.format(
                        self.request, most, '; this is not HAProxy' if most != MAX_REPLY else '')))
                return
            if self._address.stays_open and self._is_end(now):
                return

    def _reads_on(self):
        """Return True if everything is read that is there.

        What TLS has received already, poll() does not report.
        """
        return self._address.is_tls

    def _is_end(self, now):
        """Return True if a master sends nothing after what it has sent."""
        if self._lookup is None:
            # The master may leave the connection open.
            if self._size <= MAX_COMPLAINT and replies.is_without_worker(b''.join(self._chunks)):
                self._finish()
            return self.outcome is not None
        # Two newlines may arrive one by one.
        if not b''.join(self._chunks[-2:]).endswith(b'\n\n'):
            return False
        reply = b''.join(self._chunks)
        found = self._lookup.resolve(reply)
        if not isinstance(found, Address):
            self._end_with(found or reply)
            return True
        self._lookup, self._address = None, found
        self._chunks, self._size, self._window_size = [], 0, 0
        self._unsent = found.lines(self.request.command)
        self._step = Exchange._write
        self._write(now)
        return True

    # The outcome

    def _finish(self):
        reply = b''.join(self._chunks)
        if reply and self._lookup is None:
            self._end_with(reply)
        else:
            hint = ('; perhaps a client certificate is required, or HAProxy cannot be reached '
                    'behind the port' if self._address.is_tls and not reply else '')
            self._end_with(SocketApplicationError(
                self.request.socket_file,
                '{0}: the connection was closed before an answer{1}'.format(self.request, hint),
                undelivered=self._undelivered))

    def _time_out(self, what):
        self._end_with(SocketTimeout(
            self.request.socket_file, '{0}: {1}, {2} bytes received{3}'.format(
                self.request, what, self._size, self._received()),
            _socket.error(errno.ETIMEDOUT, os.strerror(errno.ETIMEDOUT)),
            undelivered=self._undelivered))

    def _fail(self, cause, what=''):
        error = kind_of(cause)(
            self.request.socket_file,
            '{0}: {1}{2}{3}'.format(self.request, what, getattr(cause, 'strerror', None) or cause,
                                    self._received()),
            cause, self._undelivered)
        error.is_final = getattr(cause, 'is_final', False)
        error.__cause__ = without_trace(cause)
        self._end_with(error)

    def _received(self):
        """Return what has been received from a socket that is not known to be HAProxy's."""
        if not self._chunks or self.request.conduct.max_reply is None:
            return ''
        return '; this is not HAProxy: {0!r}'.format(to_native(b''.join(self._chunks)[:80]))

    def _end_with(self, outcome):
        self.outcome = outcome
        self._chunks = None
        self.close()
        logger = imports.logger()
        if logger is not None and logger.isEnabledFor(imports.DEBUG):
            logger.debug('%s: %d bytes in %.1f ms%s', self.request, self._size,
                         (_now() - (self.started or 0)) * 1000,
                         '' if isinstance(outcome, bytes) else ', ' + outcome.__class__.__name__)
