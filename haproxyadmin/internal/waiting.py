# SPDX-License-Identifier: Apache-2.0
"""Wait for something to happen in HAProxy, up to a deadline."""
import collections
import time

from haproxyadmin.internal.endpoint import check_seconds
from haproxyadmin.protocol.transport import now

# done, total: how much of it has happened. what: in words.
Progress = collections.namedtuple('Progress', 'done total what')


class Wait(object):
    """A deadline, and who is told how far it has come.

    :param timeout: seconds until the deadline.
    :param interval: seconds between two looks.
    :param progress: a callable that takes a :class:`Progress`, or None.
    :raises ValueError: for a wrong argument.
    """

    def __init__(self, timeout, interval, progress):
        self.timeout = check_seconds('timeout', timeout)
        self._interval = check_seconds('interval', interval)
        if progress is not None and not callable(progress):
            raise ValueError('progress must be callable, got {0!r}'.format(progress))
        self._progress = progress
        self.deadline = now() + timeout

    def seconds_left(self):
        """Return the seconds until the deadline, at least 0."""
        return max(0, self.deadline - now())

    def report(self, done, total, what):
        """Tell how far it has come."""
        if self._progress is not None:
            self._progress(Progress(done, total, what))

    def pause(self):
        """Wait until the next look; return False if the deadline has passed."""
        left = self.seconds_left()
        # At least a millisecond: without a pause, looking would keep HAProxy busy.
        time.sleep(min(max(self._interval, 0.001), left))
        return left > 0
