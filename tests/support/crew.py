# SPDX-License-Identifier: Apache-2.0
"""Threads that use the library until they are stopped."""

import threading

from haproxyadmin.testing import sockets
from tests.support import lab


class Crew(lab.Stopped):
    """Run :meth:`work` in several threads, and traffic in another, until ``stop()``.

    The threads start at the end of ``__init__``.

    :param threads: the number of threads that run :meth:`work`; they are numbered from 0.
    :param pause: seconds between two calls of :meth:`send_traffic`.
    """

    def __init__(self, threads, pause):
        self.lock = threading.Lock()
        self._stopping = threading.Event()
        self._threads = [sockets.started(self._repeat, 0, self.work, number)
                         for number in range(threads)]
        self._threads.append(sockets.started(self._repeat, pause, self.send_traffic))

    def stop(self):
        """Stop the threads and wait for them."""
        self._stopping.set()
        for thread in self._threads:
            thread.join()

    def work(self, number):
        """Use the library once; ``number`` is the number of the thread."""
        raise NotImplementedError

    def send_traffic(self):
        """Send some requests through HAProxy."""
        raise NotImplementedError

    def _repeat(self, pause, function, *arguments):
        while not self._stopping.wait(pause):
            function(*arguments)
