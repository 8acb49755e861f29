# SPDX-License-Identifier: Apache-2.0
"""Threads that use the library for a while."""

import threading

from tests.support import lab, listener


class Crew(lab.Stopped):
    """Threads that do :meth:`work`, and traffic beside them, until ``stop()``.

    They start at the end of ``__init__``.

    :param threads: how many; each has a number, from 0.
    :param pause: seconds from one :meth:`send_traffic` to the next.
    """

    def __init__(self, threads, pause):
        self.lock = threading.Lock()
        self._stopping = threading.Event()
        self._threads = [listener.started(self._repeat, 0, self.work, number)
                         for number in range(threads)]
        self._threads.append(listener.started(self._repeat, pause, self.send_traffic))

    def stop(self):
        """End the threads."""
        self._stopping.set()
        for thread in self._threads:
            thread.join()

    def work(self, number):
        """Use the library once, in a thread of that number."""
        raise NotImplementedError

    def send_traffic(self):
        """Send some requests through HAProxy."""
        raise NotImplementedError

    def _repeat(self, pause, function, *arguments):
        while not self._stopping.wait(pause):
            function(*arguments)
