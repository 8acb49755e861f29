# SPDX-License-Identifier: Apache-2.0
"""A name server that answers as a test wants it to."""
import socket
import struct

from haproxyadmin.testing import sockets
from tests.support import lab

ANSWERED, NO_SUCH_NAME, REFUSED = 0, 3, 5
_IS_RESPONSE = 0x8180
_HEADER = struct.Struct('>HHHHHH')
_ADDRESS_OF_THE_QUESTION = struct.Struct('>HHHIH')
_A, _IN = 1, 1


class NameServer(lab.Stopped):
    """Answer each query for the address of any name, on a free UDP port of 127.0.0.1.

    ``code`` is the code of its answers, and None if it is silent; ``queries`` counts what has
    arrived, ``port`` is the port.
    """

    def __init__(self, address='127.0.0.9'):
        self.code = ANSWERED
        self.queries = 0
        self._address = socket.inet_aton(address)
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(('127.0.0.1', 0))
        self.port = self._socket.getsockname()[1]
        self._thread = sockets.started(self._serve)

    def stop(self):
        """Stop it; HAProxy then gets errors."""
        # An empty query ends it.
        self._socket.sendto(b'', ('127.0.0.1', self.port))
        self._thread.join()
        self._socket.close()

    def _serve(self):
        while True:
            query, client = self._socket.recvfrom(4096)
            if not query:
                return
            self.queries += 1
            code = self.code
            if code is not None:
                self._socket.sendto(self._answer(query, code), client)

    def _answer(self, query, code):
        number = _HEADER.unpack(query[:_HEADER.size])[0]
        # A name ends in an empty label; type and class follow.
        end = query.index(b'\0', _HEADER.size) + 5
        answers = [] if code else [_ADDRESS_OF_THE_QUESTION.pack(
            0xc000 | _HEADER.size, _A, _IN, 1, len(self._address)) + self._address]
        return b''.join([_HEADER.pack(number, _IS_RESPONSE | code, 1, len(answers), 0, 0),
                         query[_HEADER.size:end]] + answers)
