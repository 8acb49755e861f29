# SPDX-License-Identifier: Apache-2.0
"""Proxies on TCP ports, with TLS, and in place of a master; and the faults that only they have.

``tests/robustness/faults.py`` uses them. A fault is a function of a proxy and a client, whose
docstring is its title.
"""
import contextlib
import re
import socket
import ssl
import struct
import tempfile
import threading

from haproxyadmin.testing import sockets
from tests.support import backlog, keys, lab

SHOW_PROC = b'show proc'
# What is sent to a master in front of a command for a worker.
ROUTE = re.compile(br'@!?[0-9]+; ')
# What chargen (RFC 864) sends.
CHARACTERS = bytes(bytearray(range(32, 104))) + b'\r\n'


# Proxies. Each is a mixin for the one of tests/robustness/faults.py.

class OverTcp(object):
    """A proxy on a port of 127.0.0.1."""

    form = 'localhost:{0}'

    def __init__(self, name, target, direct):
        # Reserved, so that nobody else gets it while the proxy refuses connections.
        self._port = lab.Port()
        self._over = threading.Event()
        super(OverTcp, self).__init__(('127.0.0.1', self._port.number), target, direct)

    @property
    def address(self):
        return self.form.format(self._port.number)

    @property
    def port(self):
        return self._port.number

    def begin(self, fault):
        self._over = threading.Event()
        # Faults of a name are those of a Resolver.
        if fault not in NAMES:
            super(OverTcp, self).begin(fault)

    def end(self):
        self._over.set()
        super(OverTcp, self).end()

    def close(self):
        super(OverTcp, self).close()
        self._port.close()

    def serve(self, client):
        # Otherwise a short reply may wait until an earlier one has been confirmed.
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        super(OverTcp, self).serve(client)

    def wait_for_end(self, client):
        """Wait until the client has given up: it connects again, or the trial is over.

        A half-close looks like the end of the connection.
        """
        over = self._over
        while not (self.stopping.is_set() or over.wait(0.02) or backlog.is_awaited(self)):
            pass

    def receive_and_reset(self, client):
        """Read a command; closing the connection resets it."""
        reset_when_closed(client)
        return self.receive(client)


def reset_when_closed(client):
    """Have a connection reset as soon as it is closed."""
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))


class OverTls(OverTcp):
    """A proxy on a port of 127.0.0.1 that speaks TLS."""

    form = 'ssl@localhost:{0}'

    def __init__(self, name, target, direct):
        self.certificates = None
        # False for a connection that ends without the alert "close notify".
        self.notifies = True
        super(OverTls, self).__init__(name, target, direct)

    def receive_and_reset(self, client):
        self.notifies = False
        return super(OverTls, self).receive_and_reset(client)

    def serve(self, client):
        if self.fault in BEFORE_TLS:
            super(OverTls, self).serve(client)
            return
        with contextlib.closing(client):
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            try:
                client.settimeout(sockets.PATIENCE)
                secured = self.certificates.context(self.fault).wrap_socket(
                    client, server_side=True)
            except socket.error:
                return  # also an ssl.SSLError: the library does not trust it
            self.notifies = True
            with contextlib.closing(secured):
                super(OverTls, self).serve(secured)

    def finish(self, client):
        if self.notifies and isinstance(client, ssl.SSLSocket):
            client.unwrap()


class AsMaster(OverTcp):
    """A proxy in front of a master, on a port of 127.0.0.1.

    Before a change the library asks for the workers; faults hit the command after that, except for
    those in :data:`LOOKUPS`.
    """

    def receive(self, client):
        """List the workers if the library asks for them; read the command that follows."""
        line = self.hear(client)
        if line == SHOW_PROC:
            client.sendall(self.ask(line))
            if self.quits:
                raise socket.error('only the workers were asked for')
            line = self.hear(client)
        return line


class Certificates(object):
    """What proxies with TLS identify themselves with."""

    def __init__(self):
        self._directory = tempfile.mkdtemp(prefix='haproxyadmin-')
        self._stranger = tempfile.mkdtemp(prefix='haproxyadmin-')
        self.keys = keys.Keys(self._directory)
        files = {other_host: self.keys.other, has_expired: self.keys.expired,
                 is_a_stranger: keys.Keys(self._stranger).server}
        self._usual = self._load(self.keys.server)
        self._contexts = dict((fault, self._load(path)) for fault, path in files.items())
        strict = self._contexts[wants_a_certificate] = self._load(self.keys.server)
        strict.load_verify_locations(self.keys.authority)
        strict.verify_mode = ssl.CERT_REQUIRED

    @property
    def directories(self):
        return [self._directory, self._stranger]

    def context(self, fault):
        """Return the server's context for a fault."""
        return self._contexts.get(fault, self._usual)

    @staticmethod
    def _load(path):
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(path)
        return context


class Resolver(object):
    """Replaces :func:`socket.getaddrinfo` for the ports of some proxies."""

    def __init__(self, fault, proxies):
        self._fault = fault
        self._proxies = dict((proxy.port, proxy) for proxy in proxies)
        self._resolve = socket.getaddrinfo
        socket.getaddrinfo = self._getaddrinfo

    def _getaddrinfo(self, host, port, *rest):
        if port in self._proxies:
            self._fault(self._proxies[port], None)
        return self._resolve(host, port, *rest)

    def close(self):
        """Put the function back."""
        socket.getaddrinfo = self._resolve


# Faults of names

def does_not_resolve(proxy, client):
    """has a name that does not resolve"""
    raise socket.gaierror(socket.EAI_NONAME, 'Name or service not known')


def resolves_late(proxy, client):
    """has a name that resolves after the time-out"""
    proxy.stopping.wait(proxy.patience * 1.5)


# Faults of anything that listens on a port

def talks_as_ssh(proxy, client):
    """talks as an SSH server"""
    client.sendall(b'SSH-2.0-OpenSSH_9.2p1\r\n')
    proxy.hear(client)
    client.sendall(b'Invalid SSH identification string.\r\n')


def talks_first(proxy, client):
    """talks without end and does not listen"""
    while not proxy.stopping.is_set():
        client.sendall(CHARACTERS * 1000)


def expects_tls(proxy, client):
    """expects TLS"""
    client.settimeout(sockets.PATIENCE)
    # It answers with an alert.
    ssl.create_default_context(ssl.Purpose.CLIENT_AUTH).wrap_socket(
        client, server_side=True).close()


# Faults of TLS

def stalls_before_the_handshake(proxy, client):
    """does not begin the TLS handshake"""
    proxy.wait_for_end(client)


def stalls_amid_the_handshake(proxy, client):
    """begins the TLS handshake, then hangs"""
    _begin_handshake(proxy, client)
    proxy.wait_for_end(client)


def closes_amid_the_handshake(proxy, client):
    """closes in the middle of the TLS handshake"""
    _begin_handshake(proxy, client)


def resets_amid_the_handshake(proxy, client):
    """resets in the middle of the TLS handshake"""
    _begin_handshake(proxy, client)
    reset_when_closed(client)


def _begin_handshake(proxy, client):
    proxy.recv(client)
    # The first bytes of a record of 122 bytes, which is a "server hello".
    client.sendall(b'\x16\x03\x03\x00\x7a\x02\x00\x00\x76\x03\x03')


def speaks_no_tls(proxy, client):
    """answers without TLS"""
    proxy.recv(client)
    client.sendall(lab.ask(proxy.direct, 'help').encode('ascii'))


def cuts_before(proxy, client):
    """cuts TLS before the answer"""
    _cut(proxy, client, lambda reply: b'')


def cuts_amid(proxy, client):
    """cuts TLS in the middle of the answer"""
    _cut(proxy, client, lambda reply: reply[:len(reply) // 2])


def cuts_between_lines(proxy, client):
    """cuts TLS between two lines of the answer"""
    _cut(proxy, client, lambda reply: reply[:reply.rstrip(b'\n').rfind(b'\n') + 1])


def cuts_at_the_end(proxy, client):
    """cuts TLS after the answer"""
    _cut(proxy, client, lambda reply: reply)


def _cut(proxy, client, choose):
    proxy.notifies = False
    client.sendall(choose(proxy.ask(proxy.receive(client))))


def other_host(proxy, client):
    """has the certificate of another host"""


def has_expired(proxy, client):
    """has a certificate that has expired"""


def is_a_stranger(proxy, client):
    """has a certificate of an unknown authority"""


def wants_a_certificate(proxy, client):
    """requires a client certificate"""
    proxy.hear(client)


# Faults of a master

def has_no_worker(proxy, client):
    """does not find the worker, and hangs"""
    line = proxy.receive(client)
    client.sendall(b"Can't find the target PID matching the prefix '"
                   + line.partition(b';')[0] + b"'\n")
    proxy.wait_for_end(client)


def cannot_connect(proxy, client):
    """cannot connect to the worker"""
    proxy.receive(client)
    client.sendall(b"Can't connect to the target CLI!\n")


def resets_the_listing(proxy, client):
    """resets before listing the workers"""
    proxy.hear(client)
    reset_when_closed(client)


def resets_amid_the_listing(proxy, client):
    """resets while listing the workers"""
    _send_half(proxy, client)
    reset_when_closed(client)


def closes_amid_the_listing(proxy, client):
    """closes while listing the workers"""
    _send_half(proxy, client)


def hangs_amid_the_listing(proxy, client):
    """hangs while listing the workers"""
    _send_half(proxy, client)
    proxy.wait_for_end(client)


def _send_half(proxy, client):
    reply = proxy.ask(proxy.hear(client))
    client.sendall(reply[:len(reply) // 2])


def resets_after_the_listing(proxy, client):
    """lists the workers, then resets"""
    client.sendall(proxy.ask(proxy.hear(client)))
    reset_when_closed(client)


def closes_after_the_listing(proxy, client):
    """lists the workers, then closes"""
    client.sendall(proxy.ask(proxy.hear(client)))


def hangs_after_the_listing(proxy, client):
    """lists the workers, then hangs"""
    client.sendall(proxy.ask(proxy.hear(client)))
    proxy.wait_for_end(client)


def lists_none(proxy, client):
    """has no worker"""
    reply = proxy.ask(proxy.hear(client))
    client.sendall(reply.partition(b'# workers\n')[0] + b'# workers\n# old workers\n\n')


def lists_nothing(proxy, client):
    """answers an empty line instead of the workers"""
    proxy.hear(client)
    client.sendall(b'\n')


def lists_two_empty_lines(proxy, client):
    """answers two empty lines instead of the workers"""
    proxy.hear(client)
    client.sendall(b'\n\n')


def dribbles_the_listing(proxy, client):
    """dribbles the listing of workers, then works"""
    line = proxy.hear(client)
    if line == SHOW_PROC:
        for piece in re.findall(b'\n|[^\n]+', proxy.ask(line)):
            client.sendall(piece)
            if proxy.stopping.wait(0.01):
                return
        line = None if proxy.quits else proxy.hear(client)
    if line:
        client.sendall(proxy.ask(line))


def lists_garbage(proxy, client):
    """answers garbage instead of the workers"""
    proxy.hear(client)
    client.sendall(b'Garbage that ends as an answer\n\n')


def is_no_master(proxy, client):
    """is no master"""
    proxy.hear(client)
    client.sendall(lab.ask(proxy.direct, SHOW_PROC).encode('ascii'))


# Faults of the name of a host, which concern no connection.
NAMES = (does_not_resolve, resolves_late)

# Faults before a TLS handshake could be complete.
BEFORE_TLS = (stalls_before_the_handshake, stalls_amid_the_handshake, closes_amid_the_handshake,
              resets_amid_the_handshake, speaks_no_tls, talks_as_ssh, talks_first)

# Faults that end a TLS handshake.
CERTIFICATES = (other_host, has_expired, is_a_stranger, wants_a_certificate)

# Faults of a master that is asked for its workers, before the change is sent.
LOOKUPS = (resets_the_listing, resets_amid_the_listing, closes_amid_the_listing,
           hangs_amid_the_listing, resets_after_the_listing, closes_after_the_listing,
           hangs_after_the_listing, dribbles_the_listing, lists_none, lists_nothing,
           lists_two_empty_lines, lists_garbage, is_no_master)

# Faults for which the library waits until the end of its time-out.
SLOW = (resolves_late, stalls_before_the_handshake, stalls_amid_the_handshake,
        hangs_amid_the_listing, hangs_after_the_listing)

# Faults after which the library knows that HAProxy has not received the change.
UNDELIVERED = (
    does_not_resolve, stalls_before_the_handshake, stalls_amid_the_handshake,
    closes_amid_the_handshake, resets_amid_the_handshake, speaks_no_tls, other_host, has_expired,
    is_a_stranger, has_no_worker, cannot_connect, resets_the_listing, resets_amid_the_listing,
    closes_amid_the_listing, hangs_amid_the_listing, lists_none, lists_nothing,
    lists_two_empty_lines, lists_garbage, is_no_master)
