# SPDX-License-Identifier: Apache-2.0
"""Stats sockets that pass everything on to others, and take down what they passed.

::

    with relay.Relays('/run/relayed', lab.socket_files) as relays:
        HAProxy(socket_dir=relays.directory).requests
        print(relays.commands())
"""

import os
import select
import socket
import time

from tests.support import lab, listener

CHUNK = 65536


class Exchange(object):
    """What went over one connection: ``command`` in bytes, the size of the reply."""

    def __init__(self):
        self.command = b''
        self.received = 0


class Relay(listener.Listener):
    """One socket that passes connections on, many at a time.

    :param path: where to listen.
    :param target: the socket to pass connections on to.
    :param delay: seconds from a connection to its target's.
    """

    def __init__(self, path, target, delay=0):
        super(Relay, self).__init__(path)
        self.exchanges = []
        self._target = target
        self._delay = delay
        self.listen()

    def serve(self, client):
        """Pass a connection on."""
        exchange = Exchange()
        self.exchanges.append(exchange)
        listener.started(self._pass_on, client, exchange)

    def _pass_on(self, client, exchange):
        time.sleep(self._delay)
        haproxy = socket.socket(socket.AF_UNIX)
        try:
            haproxy.connect(self._target)
            _shuttle(client, haproxy, exchange)
        except socket.error:
            pass  # one of them has hung up, which the other shall see
        finally:
            haproxy.close()
            client.close()


def _shuttle(client, haproxy, exchange):
    """Pass bytes on in both directions until HAProxy hangs up."""
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
    """A directory with a relay for each of some sockets, under the same names."""

    def __init__(self, directory, targets, delay=0):
        self.directory = directory
        os.mkdir(directory)
        self._relays = [Relay(os.path.join(directory, os.path.basename(target)), target, delay)
                        for target in targets]

    def stop(self):
        """Take no more connections."""
        for relay in self._relays:
            relay.refuse()

    def forget(self):
        """Forget what was passed on."""
        for relay in self._relays:
            del relay.exchanges[:]

    def exchanges(self):
        """Return a list of the exchanges of each socket."""
        return [list(relay.exchanges) for relay in self._relays]

    def commands(self):
        """Return a list of the commands that each socket was sent, in bytes."""
        return [[exchange.command for exchange in exchanges] for exchanges in self.exchanges()]
