# SPDX-License-Identifier: Apache-2.0
"""Stats sockets that relay everything to others, and record what they relay.

::

    with relay.Relays('/run/relayed', lab.socket_files) as relays:
        HAProxy(socket_dir=relays.directory).requests
        print(relays.commands())
"""

import os
import select
import socket
import time

from haproxyadmin.testing import sockets
from tests.support import lab

CHUNK = 65536


class Exchange(object):
    """The traffic of one connection: the ``command`` as bytes, and the size of the reply."""

    def __init__(self):
        self.command = b''
        self.received = 0


class Relay(sockets.Listener):
    """One socket that relays connections, several at a time.

    :param path: where to listen.
    :param target: the socket to relay connections to.
    :param delay: seconds to wait before connecting to the target.
    """

    def __init__(self, path, target, delay=0):
        super(Relay, self).__init__(path)
        self.exchanges = []
        self._target = target
        self._delay = delay
        self.listen()

    def serve(self, client):
        """Relay a connection."""
        exchange = Exchange()
        self.exchanges.append(exchange)
        sockets.started(self._pass_on, client, exchange)

    def _pass_on(self, client, exchange):
        time.sleep(self._delay)
        haproxy = socket.socket(socket.AF_UNIX)
        try:
            haproxy.connect(self._target)
            _shuttle(client, haproxy, exchange)
        except socket.error:
            pass  # one side has closed: close the other, too
        finally:
            haproxy.close()
            client.close()


def _shuttle(client, haproxy, exchange):
    """Relay bytes in both directions until HAProxy closes the connection."""
    poller = select.poll()
    poller.register(client, select.POLLIN)
    poller.register(haproxy, select.POLLIN)
    while True:
        for fileno, _ in poller.poll():
            if fileno == haproxy.fileno():
                chunk = haproxy.recv(CHUNK)
                if not chunk:
                    return
                client.sendall(chunk)
                exchange.received += len(chunk)
                continue
            chunk = client.recv(CHUNK)
            exchange.command += chunk
            if chunk:
                haproxy.sendall(chunk)
            else:
                poller.unregister(client)
                haproxy.shutdown(socket.SHUT_WR)


class Relays(lab.Stopped):
    """A directory with a relay for each target socket, under the same name."""

    def __init__(self, directory, targets, delay=0):
        self.directory = directory
        os.mkdir(directory)
        self._relays = [Relay(os.path.join(directory, os.path.basename(target)), target, delay)
                        for target in targets]

    def stop(self):
        """Stop accepting connections."""
        for relay in self._relays:
            relay.refuse()

    def forget(self):
        """Clear the recorded exchanges."""
        for relay in self._relays:
            del relay.exchanges[:]

    def exchanges(self):
        """Return the exchanges of each socket, as a list per socket."""
        return [list(relay.exchanges) for relay in self._relays]

    def commands(self):
        """Return the commands sent to each socket as bytes, as a list per socket."""
        return [[exchange.command for exchange in exchanges] for exchanges in self.exchanges()]
