# SPDX-License-Identifier: Apache-2.0
"""TLS clients that connect at a steady rate; tls.Handshakes starts this program.

``handshakes.py RATE NAME PATH...`` connects in turn to each Unix socket or port of 127.0.0.1, asks
for NAME and for a page, until the end of its standard input. The commands on standard input are
lines: ``mark`` is answered with the number of connections that have begun, ``stop`` with all of
them, as JSON: pairs of the serial number and of the error, of which one is null. Then it exits.
"""

import json
import sys
import threading
import time

from tests.support import tls

WORKERS = 8


class Crowd(object):
    """All clients."""

    def __init__(self, rate, name, addresses):
        self._pause = 1.0 / rate
        self._name = name
        self._addresses = addresses
        self._lock = threading.Lock()
        self._seen = []
        self._stopping = False
        self._threads = [threading.Thread(target=self._work) for _ in range(WORKERS)]
        for thread in self._threads:
            thread.daemon = True
            thread.start()

    def mark(self):
        """Return how many connections have begun."""
        with self._lock:
            return len(self._seen)

    def stop(self):
        """Wait for all connections, and return what became of them."""
        self._stopping = True
        for thread in self._threads:
            thread.join()
        return self._seen

    def _work(self):
        while not self._stopping:
            with self._lock:
                number = len(self._seen)
                self._seen.append(None)
                # All wait in turn for the lock.
                time.sleep(self._pause)
            address = self._addresses[number % len(self._addresses)]
            try:
                self._seen[number] = (tls.handshake(address, self._name).serial, None)
            except Exception as error:  # the test reports it
                self._seen[number] = (None, '{0} to {1}: {2!r}'.format(number, address, error))


def main():
    """Connect until standard input ends."""
    crowd = Crowd(float(sys.argv[1]), sys.argv[2], [
        int(word) if word.isdigit() else word for word in sys.argv[3:]])
    while True:
        word = sys.stdin.readline().strip()
        if not word:
            return
        sys.stdout.write(json.dumps(getattr(crowd, word)()) + '\n')
        sys.stdout.flush()


if __name__ == '__main__':
    main()
