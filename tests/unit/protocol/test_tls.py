# SPDX-License-Identifier: Apache-2.0
"""protocol/tls.py: connections that are encrypted, with a real peer in a thread."""
import contextlib
import os
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile

import pytest

from haproxyadmin import exceptions
from haproxyadmin.protocol import transport
from haproxyadmin.protocol.addresses import Tls, parse_address
from haproxyadmin.testing import sockets
from tests.support import keys as keychain
from tests.support.fakes import LONG


@pytest.fixture(scope='module')
def keys():
    directory = tempfile.mkdtemp(prefix='haproxyadmin-')
    yield keychain.Keys(directory)
    shutil.rmtree(directory)


class Peer(sockets.Listener):
    """A port of 127.0.0.1 that speaks TLS.

    :param certificate: the file of its certificate and key.
    :param behave: what to do with an encrypted connection; see the functions below.
    :param authority: (optional) the authority of the certificate that clients need.
    """

    def __init__(self, certificate, behave, authority=None):
        super(Peer, self).__init__(('127.0.0.1', 0))
        self.behave = behave
        self.context = ssl.SSLContext(getattr(ssl, 'PROTOCOL_TLS_SERVER', ssl.PROTOCOL_SSLv23))
        self.context.load_cert_chain(certificate)
        if authority:
            self.context.verify_mode = ssl.CERT_REQUIRED
            self.context.load_verify_locations(authority)
        self.received = b''
        self.listen()

    @property
    def address(self):
        return 'ssl@localhost:{0}'.format(self.path[1])

    def serve(self, client):
        with contextlib.closing(client):
            try:
                self.behave(self, client)
            except (socket.error, ssl.SSLError):
                pass  # the client has given up

    def secured(self, client):
        """Shake hands, read a line, and return the encrypted connection."""
        client.settimeout(LONG)
        connection = self.context.wrap_socket(client, server_side=True)
        while not self.received.endswith(b'\n'):
            chunk = connection.recv(65536)
            if not chunk:
                break
            self.received += chunk
        return connection


def answers(reply):
    """Answer, and end the connection properly."""
    def behave(peer, client):
        connection = peer.secured(client)
        connection.sendall(reply)
        connection.unwrap()
    return behave


def cuts(reply):
    """Answer, and cut the connection."""
    def behave(peer, client):
        connection = peer.secured(client)
        connection.sendall(reply)
        connection.shutdown(socket.SHUT_RDWR)
    return behave


def stalls(peer, client):
    """Read what arrives, and never say anything."""
    while peer.recv(client):
        pass


def stalls_amid(peer, client):
    """Send the beginning of a handshake."""
    client.sendall(b'\x16\x03\x03\x00\x7a\x02')
    stalls(peer, client)


def closes(peer, client):
    """Close the connection before the handshake."""
    peer.recv(client)


def speaks_plain(peer, client):
    """Answer without TLS."""
    client.sendall(b'HTTP/1.1 400 Bad request\r\n\r\n')
    peer.recv(client)


@pytest.fixture
def peer(keys):
    started = []

    def start(behave, certificate=None, authority=None):
        started.append(Peer(certificate or keys.server, behave, authority))
        return started[-1]
    yield start
    for each in started:
        each.refuse()


def exchange(address, context, command=b'show info', timeout=LONG, **options):
    request = transport.Request(parse_address(address, Tls(context)), command, timeout, **options)
    return transport.exchange_all([request])[0]


@pytest.mark.parametrize('size', [0, 1, 16383, 16384, 16385, 65536, 3000000])
def test_a_reply_arrives_whole(peer, keys, size):
    """[TLS] More than the buffers hold, and as much as a record holds."""
    reply = (b'0123456789abcdef' * (size // 16 + 1))[:size] + b'\n\n'
    started = peer(answers(reply))
    assert exchange(started.address, keys.context()) == reply
    assert started.received == b'show info\n'


def test_a_long_command_arrives_whole(peer, keys):
    started = peer(answers(b'\n'))
    command = b'x' * 5000000
    assert exchange(started.address, keys.context(), command) == b'\n'
    assert started.received == command + b'\n'


def test_several_at_the_same_time(peer, keys):
    peers = [peer(answers(b'%d\n\n' % number)) for number in range(4)]
    tls = Tls(keys.context())
    assert transport.exchange_all([
        transport.Request(parse_address(each.address, tls), b'show info', LONG)
        for each in peers]) == [b'%d\n\n' % number for number in range(4)]


@pytest.mark.parametrize('sent', [b'', b'Name: HAProxy\n', b'Name: HAProxy\n\n', b'x' * 100000])
def test_a_connection_that_is_cut_is_never_an_answer(peer, keys, sent):
    """[TLS] Otherwise whoever cuts it could shorten a reply."""
    context = keys.context()
    if sys.version_info >= (3, 10):
        # SSL_OP_IGNORE_UNEXPECTED_EOF, which Python 3.10.0 to 3.11.3 set.
        context.options |= 1 << 7
    error = exchange(peer(cuts(sent)).address, context)
    assert isinstance(error, exceptions.HAProxySocketError)
    assert 'TLS' in str(error) and not error.undelivered


@pytest.mark.parametrize('behave', [stalls, stalls_amid])
def test_a_handshake_that_stalls_times_out(peer, keys, behave):
    error = exchange(peer(behave).address, keys.context(), timeout=0.2)
    assert isinstance(error, exceptions.SocketTimeout) and error.undelivered
    assert 'during the TLS handshake' in str(error)


@pytest.mark.parametrize('behave', [closes, speaks_plain])
def test_what_speaks_no_tls_is_told(peer, keys, behave):
    error = exchange(peer(behave).address, keys.context())
    assert isinstance(error, exceptions.HAProxySocketError) and error.undelivered
    assert 'TLS: ' in str(error) or error.errno


@pytest.mark.parametrize('name, words', [('other', 'localhost'), ('expired', 'expired')])
def test_a_certificate_that_does_not_fit(peer, keys, name, words):
    """[TLS] With what TLS says about it."""
    started = peer(answers(b'\n'), certificate=getattr(keys, name))
    error = exchange(started.address, keys.context())
    assert type(error) is exceptions.HAProxySocketError and error.undelivered
    assert 'TLS: ' in str(error) and '_ssl.c' not in str(error)
    # Trying again would be of no use.
    assert error.is_final
    if sys.version_info >= (3, 7):
        assert words in str(error)
    assert started.received == b''


def test_a_certificate_of_somebody_else(peer):
    started = peer(answers(b'\n'))
    error = exchange(started.address, None)
    assert type(error) is exceptions.HAProxySocketError
    assert 'certificate verify failed' in str(error)


def test_a_missing_client_certificate(peer, keys):
    started = peer(answers(b'\n'), authority=keys.authority)
    error = exchange(started.address, keys.context(client=False))
    assert isinstance(error, exceptions.HAProxySocketError)
    assert 'certificate' in str(error) or error.errno
    assert exchange(started.address, keys.context()) == b'\n'


@pytest.mark.skipif(sys.version_info < (3, 6), reason='a context is for both there')
def test_a_context_that_is_not_for_clients(peer):
    started = peer(answers(b'\n'))
    error = exchange(started.address, started.context)
    assert type(error) is exceptions.HAProxySocketError
    assert 'TLS: ' in str(error) and '_ssl.c' not in str(error)


def test_a_default_context_that_cannot_be_made(peer, monkeypatch):
    def fail():
        raise IOError(2, 'No such file or directory')
    monkeypatch.setattr(ssl, 'create_default_context', fail)
    error = exchange(peer(answers(b'\n')).address, None)
    assert type(error) is exceptions.HAProxySocketError and error.undelivered
    assert 'TLS: ' in str(error) and 'resolved' not in str(error)


def test_what_was_received_is_shown_if_it_may_not_be_haproxy(peer, keys):
    """[addresses] As a web server cuts the connection."""
    error = exchange(peer(cuts(b'HTTP/1.0 400 Bad request\r\n')).address, keys.context(),
                     conduct=transport.PROBE)
    assert "this is not HAProxy: 'HTTP/1.0 400" in str(error)


NO_SIGNAL = """
import signal, sys
sys.path[:0] = [sys.argv[2]]
from haproxyadmin.protocol import transport
from haproxyadmin.protocol.addresses import Tls, parse_address
import ssl
signal.signal(signal.SIGPIPE, signal.SIG_DFL)
context = ssl.create_default_context(cafile=sys.argv[3])
for _ in range(20):
    transport.exchange_all([transport.Request(
        parse_address(sys.argv[1], Tls(context)), b'x' * 1000000, 30)])
print('alive')
"""


@pytest.mark.skipif(sys.version_info < (3,), reason='on Python 2, the ssl module writes itself')
def test_a_peer_that_closes_early_does_not_end_the_program(peer, keys):
    """[SIGPIPE] Whatever the program does with the signal."""
    def behave(peer, client):
        connection = peer.context.wrap_socket(client, server_side=True)
        connection.close()
    started = peer(behave)
    import haproxyadmin
    root = os.path.dirname(os.path.dirname(os.path.abspath(haproxyadmin.__file__)))
    process = subprocess.Popen(
        [sys.executable, '-c', NO_SIGNAL, started.address, root, keys.authority],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    output = process.communicate()[0]
    assert process.returncode != -signal.SIGPIPE
    assert output.strip() == b'alive'
