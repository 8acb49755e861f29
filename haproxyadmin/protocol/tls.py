# SPDX-License-Identifier: Apache-2.0
"""Encrypt a connection that never blocks.

What encrypts it has the methods of a socket that the transport uses. Where a socket would have to
wait, they raise a :class:`socket.error` whose ``errno`` is EAGAIN; ``wants_write`` says for what.
"""
import _socket
import errno
import os
import ssl

from haproxyadmin.protocol.errors import TlsError, is_ours

CHUNK = 16 * 1024
# Where the messages of the ssl module name its source file.
_SOURCE = ' (_ssl.c'


def connection(sock, context, host):
    """Return what encrypts a connection, before its handshake.

    :param sock: the connected socket, which does not block.
    :type context: ssl.SSLContext
    :param host: whose certificate the peer must have.
    :type host: str
    """
    kind = _BufferedConnection if hasattr(context, 'wrap_bio') else _SocketConnection
    try:
        return kind(sock, context, host)
    except (ValueError, ssl.SSLError) as error:
        if not is_ours():
            raise
        # A host that cannot be in a certificate, or a context that is not for clients.
        raise _translated(error)


def _translated(error):
    text = str(error).split(_SOURCE)[0].split('] ', 1)[-1]
    # Before Python 3.7, another name is an exception of its own.
    return TlsError(text, isinstance(error, ssl.CertificateError) or 'certificate' in text)


class _Connection(object):
    """What both kinds have in common: they call :mod:`ssl` and translate its errors."""

    # True while the connection waits for the peer to receive.
    wants_write = False

    def __init__(self, sock):
        self._sock = sock
        self._tls = None

    def fileno(self):
        """Return the descriptor to wait for."""
        return self._sock.fileno()

    def close(self):
        """Close the connection."""
        self._sock.close()

    def handshake(self):
        """Advance the handshake; raise EAGAIN until it is complete.

        :raises TlsError: if the peer is not trusted, or speaks no TLS.
        """
        self._call(lambda: self._tls.do_handshake())

    def send(self, data, flags):
        """Send some bytes; return how many."""
        return self._call(lambda: self._tls.write(data[:CHUNK]))

    def recv(self, size):
        """Return some bytes, none once the peer has ended the connection properly."""
        try:
            return self._call(lambda: self._tls.read(min(size, CHUNK)))
        except ssl.SSLZeroReturnError:
            return b''

    def shutdown(self, how):
        """Do nothing: TLS has no half-close."""

    def _call(self, function):
        try:
            return self._repeat(function)
        except ssl.SSLZeroReturnError:
            raise
        except ssl.SSLEOFError:
            raise TlsError('the connection was cut')
        except (ssl.SSLError, ssl.CertificateError) as error:
            if not is_ours():
                raise
            raise _translated(error)

    def _repeat(self, function):
        """Call a function of :mod:`ssl` until it has a result; raise EAGAIN to wait."""
        raise NotImplementedError


class _BufferedConnection(_Connection):
    """TLS over buffers in memory: its bytes are sent as on any other connection."""

    def __init__(self, sock, context, host):
        super(_BufferedConnection, self).__init__(sock)
        self._received, self._encrypted = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._received, self._encrypted, server_hostname=host)
        self._unsent = b''
        self._flags = 0

    def handshake(self):
        """Advance the handshake; raise EAGAIN until it is complete."""
        try:
            super(_BufferedConnection, self).handshake()
        finally:
            # Also an alert, which tells the peer why.
            self._push()

    def send(self, data, flags):
        """Send some bytes; return how many."""
        self._flags = flags
        self._flush()
        count = super(_BufferedConnection, self).send(data, flags)
        self._push()
        return count

    def _repeat(self, function):
        while True:
            self._flush()
            try:
                return function()
            except ssl.SSLWantReadError:
                self._flush()
                self._fill()

    def _push(self):
        """Send what can be sent without waiting; the next call sends the rest."""
        try:
            self._flush()
        except _socket.error as error:
            if error.errno != errno.EAGAIN or not is_ours():
                raise

    def _flush(self):
        self._unsent += self._encrypted.read()
        self.wants_write = bool(self._unsent)
        while self._unsent:
            try:
                self._unsent = self._unsent[self._sock.send(self._unsent, self._flags):]
            except _socket.error as error:
                if error.errno not in (errno.EPIPE, errno.ECONNRESET) or not is_ours():
                    raise
                # The peer has closed the connection; reading finds out why.
                self._unsent = b''
        self.wants_write = False

    def _fill(self):
        chunk = self._sock.recv(4 * CHUNK)
        if chunk:
            self._received.write(chunk)
        else:
            # Python 3.10.0 to 3.11.3 tell OpenSSL to take this for an orderly end.
            raise TlsError('the connection was cut')


class _SocketConnection(_Connection):
    """TLS of Python 2, which reads and writes the socket itself."""

    def __init__(self, sock, context, host):
        super(_SocketConnection, self).__init__(context.wrap_socket(
            sock, server_hostname=host, do_handshake_on_connect=False,
            suppress_ragged_eofs=False))
        self._sock.setblocking(False)
        self._tls = self._sock

    def _repeat(self, function):
        try:
            return function()
        except ssl.SSLWantReadError:
            self.wants_write = False
        except ssl.SSLWantWriteError:
            self.wants_write = True
        raise _socket.error(errno.EAGAIN, os.strerror(errno.EAGAIN))
