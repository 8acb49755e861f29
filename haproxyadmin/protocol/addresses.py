# SPDX-License-Identifier: Apache-2.0
"""Addresses of stats sockets and masters, and the route through a master to a worker.

A new kind of address is a subclass of :class:`Address` here and a case of :func:`parse_address`.
"""
import _socket

from haproxyadmin import imports
from haproxyadmin.imports import Pattern
from haproxyadmin.protocol.errors import TlsError
from haproxyadmin.protocol.words import MAX_LINE, MAX_PORT, decode_path, to_bytes

FORMS = ('a path, unix@PATH, abns@NAME, abnsz@NAME, HOST:PORT, ipv4@HOST:PORT, ipv6@[HOST]:PORT '
         'or ssl@HOST:PORT')
# Bytes of the name of a Unix socket, as the kernel stores it.
MAX_SOCKET_NAME = 108
# Seconds for which the addresses of a host are remembered.
HOST_AGE = 10
# Bytes for the longest prefix, and for what a master itself puts in front of a command.
MAX_PREFIX = 64
QUIT = b'quit\n'

# All kinds that HAProxy knows. Most of them are refused: a client cannot connect to them.
_KIND = Pattern(r'(unix|abnsz?|ipv[46]|ssl|tcp[46]?|udp[46]?|mptcp[46]?|quic[46]?|fd|sockpair|'
                r'rhttp|dgram|stream|uxst|uxdg)@([\s\S]*)\Z')
_PORT = Pattern(r'[0-9]{1,5}\Z')
_HOST_AND_PORT = Pattern(r'(\[[^\[\]/]+\]|[^:/\[\]@]+):([^:/]*)\Z')
_NAME = Pattern(br'[A-Za-z0-9_]([A-Za-z0-9_.-]*[A-Za-z0-9_.])?\Z')
_IPV6 = Pattern(br'[0-9A-Fa-f:.]+(%[A-Za-z0-9_.-]+)?\Z')
# Hosts that are this machine, whatever names stand for.
_LOOPBACK = Pattern(br'localhost\.?\Z|127\.[0-9.]+\Z|::1\Z|::ffff:127\.')
_URL = Pattern(r'[A-Za-z][A-Za-z0-9+.-]*://')


class Address(object):
    """Where a stats socket is: by default a path.

    :param text: how it is printed: as it was given.
    :param target: what :meth:`socket.socket.connect` takes.
    """

    # What a master has to be sent before a command, for a worker.
    prefix = b''
    # True for the socket of a master, which reads command after command from a connection.
    stays_open = False
    is_tls = False
    # False for a master, which is not asked who it is.
    is_process = True
    # For a worker behind a master: its number, if it is a current one.
    number = None
    is_former = False

    def __init__(self, text, target):
        self.text = text
        self._target = target
        # What targets() always returns; None if it varies.
        self.fixed_targets = None if target is None else ((_socket.AF_UNIX, target),)

    def __str__(self):
        return self.text

    def targets(self, now):
        """Return pairs of address family and what to connect to, in the order to try.

        May take as long as the resolver of this machine takes, unless ``fixed_targets`` is set.

        :param now: the time, see :func:`haproxyadmin.protocol.transport.now`.
        :raises socket.error: if a name cannot be resolved.
        """
        return self.fixed_targets

    @property
    def key(self):
        """What distinguishes it from other addresses, also those that are printed alike."""
        return self.text, self.prefix

    def note_failure(self):
        """Have a name resolved again before the next connection."""

    def note_success(self, target):
        """Try this target first from now on."""

    def secure(self, sock):
        """Return what encrypts a connection, before its handshake; by default the socket itself."""
        return sock

    def lines(self, command):
        """Return the bytes that are sent for a command."""
        return command + b'\n'

    def check_length(self, command):
        """Check that a command is not too long for the way that it takes.

        :raises ValueError: if it is.
        """

    @property
    def is_local(self):
        """True if HAProxy certainly runs on this machine."""
        return True

    def is_exposed(self):
        """Return True if others can read what is sent: over TCP without TLS, to another host."""
        return False

    @property
    def path(self):
        """The path of a Unix socket that has one, otherwise None."""
        # The name of an abstract socket begins with NUL.
        is_path = isinstance(self._target, str) and not self._target.startswith('\0')
        return self._target if is_path else None


class TcpAddress(Address):
    """A host and a port, perhaps with TLS.

    :param text: how it is printed.
    :param family: the address family, 0 for any.
    :param host: a name or an IP address.
    :type host: bytes
    :param tls: (optional) the :class:`Tls` to use.
    """

    def __init__(self, text, family, host, port, tls=None):
        super(TcpAddress, self).__init__(text, None)
        self._family = family
        self._host = host
        self._port = port
        self._tls = tls
        self._resolved = ()
        self._until = 0

    @property
    def is_tls(self):
        """True if the connection is encrypted."""
        return self._tls is not None

    def targets(self, now):
        """Return pairs of address family and what to connect to, in the order to try."""
        if self._tls is not None:
            # Before anything is connected: it takes long, and the class of sockets depends on it.
            self._tls.context()
        if not self._resolved or now >= self._until:
            # Bytes: for text, Python would import the module for international names.
            found = imports.socket_part('getaddrinfo')(
                self._host, self._port, self._family, _socket.SOCK_STREAM)
            self._resolved = tuple((family, target) for family, _, _, _, target in found)
            self._until = now + HOST_AGE
        return self._resolved

    def note_failure(self):
        """Have a name resolved again before the next connection."""
        self._until = 0

    def note_success(self, target):
        """Try this target first from now on."""
        self._resolved = (target,) + tuple(
            other for other in self._resolved if other != target)

    def secure(self, sock):
        """Return what encrypts a connection."""
        from haproxyadmin.protocol import tls  # only needed here
        return tls.connection(sock, self._tls.context(), self._host.decode('ascii'))

    @property
    def is_local(self):
        """True if HAProxy certainly runs on this machine."""
        return False

    def is_exposed(self):
        """Return True if others can read what is sent: over TCP without TLS, to another host."""
        # By its name: what it stands for may have changed when the secret is sent.
        return not self.is_tls and not _LOOPBACK.match(self._host)


class MasterAddress(Address):
    """The socket of a master, or a worker behind it.

    :param text: how it is printed.
    :param base: where the master's socket is.
    :type base: :class:`Address`
    :param worker: (optional) the worker, such as ``'@1'`` or ``'@!4711'``.
    :param number: (optional) the number of a current worker, from 1.
    :param is_former: (optional) True for a worker that a reload has replaced.
    """

    stays_open = True

    def __init__(self, text, base, worker='', number=None, is_former=False):
        super(MasterAddress, self).__init__(text, None)
        self.base = base
        self.fixed_targets = base.fixed_targets
        self.number = number
        self.is_former = is_former
        self.is_process = bool(worker)
        # A prefix without a semicolon holds for the first command of the line only.
        self.prefix = worker.encode('ascii') + b'; ' if worker else b''

    @property
    def is_tls(self):
        """True if the connection is encrypted."""
        return self.base.is_tls

    @property
    def path(self):
        """The path of a Unix socket that has one, otherwise None."""
        return self.base.path

    def current_worker(self, number, is_only):
        """Return the address of whichever worker is the current one.

        :param number: its number, from 1.
        :param is_only: True if it is the only worker of the master.
        """
        worker = '@{0}'.format(number)
        return MasterAddress(self.base.text if is_only else '{0} {1}'.format(self.base, worker),
                             self.base, worker, number)

    def process(self, pid, is_former=False):
        """Return the address of one process.

        :param is_former: (optional) True for a worker that a reload has replaced.
        """
        worker = '@!{0}'.format(pid)
        return MasterAddress('{0} {1}'.format(self.base, worker), self.base, worker,
                             is_former=is_former)

    def targets(self, now):
        """Return pairs of address family and what to connect to, in the order to try."""
        return self.base.targets(now)

    def note_failure(self):
        """Have a name resolved again before the next connection."""
        self.base.note_failure()

    def note_success(self, target):
        """Try this target first from now on."""
        self.base.note_success(target)

    def secure(self, sock):
        """Return what encrypts a connection."""
        return self.base.secure(sock)

    def lines(self, command):
        """Return the bytes that are sent for a command, and tell the master that it is the last.

        A client could also end its side. But if the worker has ended by then, a master of 2.8 or
        later may keep the connection for ever; after ten of them it accepts no others.
        """
        return self.prefix + command + b'\n' + QUIT

    def check_length(self, command):
        """Check that a command is not too long for the way that it takes."""
        if len(command) + MAX_PREFIX >= MAX_LINE:
            raise ValueError('a command through a master has at most {0} bytes, got {1}'.format(
                MAX_LINE - MAX_PREFIX - 1, len(command)))

    @property
    def is_local(self):
        """True if HAProxy certainly runs on this machine."""
        return self.base.is_local

    def is_exposed(self):
        """Return True if others can read what is sent: over TCP without TLS, to another host."""
        return self.base.is_exposed()


class Tls(object):
    """The TLS settings of all addresses of one object.

    :param context: (optional) a :class:`ssl.SSLContext`; by default what
        :func:`ssl.create_default_context` returns.
    """

    def __init__(self, context=None):
        self._context = context
        self._is_given = context is not None
        self._is_lost = False

    def __getstate__(self):
        # A context cannot be pickled.
        return {'_context': None, '_is_given': self._is_given, '_is_lost': self._is_given}

    def __deepcopy__(self, memo):
        return self

    def context(self):
        """Return the context, which is made when it is needed for the first time.

        :raises haproxyadmin.protocol.errors.TlsError: if it cannot be made, or was lost.
        """
        if self._is_lost:
            raise TlsError('the ssl_context is not a part of a pickled object; make a new one',
                           is_final=True)
        if self._context is None:
            import ssl  # takes long
            try:
                self._context = ssl.create_default_context()
            except (EnvironmentError, ssl.SSLError) as error:
                raise TlsError(str(error), is_final=True)
        return self._context


def parse_address(value, tls=None):
    """Return the address that a caller wrote.

    :param value: text, bytes, a path, or an :class:`Address`.
    :param tls: (optional) the :class:`Tls` for addresses that need it.
    :rtype: :class:`Address`
    :raises ValueError: for a wrong one; the message contains the forms.
    """
    if isinstance(value, Address):
        return value
    text = decode_path(value)
    if not isinstance(text, str) or not text or '\0' in text:
        raise _wrong(value)
    if text.startswith('/'):
        return path_address(text)
    match = _KIND.match(text)
    if match:
        return _parse_kind(text, match.group(1), match.group(2), tls)
    if _URL.match(text):
        raise _wrong(text)
    if '/' not in text and ':' in text:
        return _parse_tcp(text, _socket.AF_UNSPEC, text)
    return path_address(text)


def path_address(path):
    """Return the address of a path, whatever characters it contains."""
    return Address(path, path)


def _parse_kind(text, kind, rest, tls):
    if kind == 'unix' and rest:
        return Address(text, rest)
    if kind in ('abns', 'abnsz') and 0 < len(to_bytes(rest)) < MAX_SOCKET_NAME:
        name = b'\0' + to_bytes(rest)
        return Address(text, name.ljust(MAX_SOCKET_NAME, b'\0') if kind == 'abns' else name)
    if kind in ('ipv4', 'ipv6', 'ssl'):
        families = {'ipv4': _socket.AF_INET, 'ipv6': _socket.AF_INET6, 'ssl': _socket.AF_UNSPEC}
        return _parse_tcp(text, families[kind], rest, (tls or Tls()) if kind == 'ssl' else None)
    raise _wrong(text)


def _parse_tcp(text, family, rest, tls=None):
    match = _HOST_AND_PORT.match(rest)
    if match:
        host, port = match.groups()
    elif family == _socket.AF_INET6:
        host, _, port = rest.rpartition(':')
    else:
        raise _wrong(text)
    if not _PORT.match(port) or not 0 < int(port) <= MAX_PORT:
        raise _wrong(text, 'the port must be a number from 1 to 65535')
    try:
        raw_host = host.strip('[]').encode('ascii')
    except UnicodeError:
        raise _wrong(text, 'the name of the host must be ASCII')
    pattern = _IPV6 if host.startswith('[') or ':' in host else _NAME
    if not pattern.match(raw_host) or (pattern is _IPV6 and family == _socket.AF_INET):
        raise _wrong(text)
    return TcpAddress(text, family, raw_host, int(port), tls)


def _wrong(value, reason=None):
    return ValueError('an address is {0}, got {1!r}{2}'.format(
        FORMS, value, '; ' + reason if reason else ''))
