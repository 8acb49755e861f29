# SPDX-License-Identifier: Apache-2.0
"""Wait for something to happen in HAProxy, up to a deadline."""
import collections
import time

from haproxyadmin.exceptions import HAProxySocketError, WaitTimeout
from haproxyadmin.internal.endpoint import check_option, check_seconds
from haproxyadmin.protocol.transport import now

# done, total: how much of it has happened. what: in words.
Progress = collections.namedtuple('Progress', 'done total what')


def check_callable(name, value):
    """Return a function.

    :raises ValueError: if it is not one.
    """
    return check_option(name, value, callable(value), 'callable')


class Wait(object):
    """A deadline, and a function that reports progress.

    :param timeout: seconds until the deadline.
    :param interval: seconds between two looks.
    :param progress: a callable that takes a :class:`Progress`, or None.
    :raises ValueError: for a wrong argument.
    """

    def __init__(self, timeout, interval, progress):
        self.timeout = check_seconds('timeout', timeout)
        self.interval = check_seconds('interval', interval)
        self._progress = progress if progress is None else check_callable('progress', progress)
        self.started = now()
        self.deadline = self.started + timeout

    def seconds_left(self):
        """Return the seconds until the deadline, at least 0."""
        return max(0, self.deadline - now())

    def seconds_passed(self):
        """Return the seconds since the beginning, rounded to milliseconds."""
        return round(now() - self.started, 3)

    def report(self, done, total, what):
        """Tell how far it has come."""
        if self._progress is not None:
            self._progress(Progress(done, total, what))

    def pause(self, until=None, interval=None):
        """Wait until the next look; return False if the time is over.

        :param until: (optional) when it is over; by default at the deadline.
        :param interval: (optional) seconds to wait instead of the interval.
        """
        left = self.seconds_left() if until is None else max(0, min(until, self.deadline) - now())
        # At least a millisecond: without a pause, looking would keep HAProxy busy.
        time.sleep(min(max(self.interval if interval is None else interval, 0.001), left))
        return left > 0

    def until(self, look, what):
        """Look until a function returns something true; return that.

        :param look: the function.
        :param what: what is waited for, for messages.
        :raises haproxyadmin.exceptions.WaitTimeout: if the time is over; ``result`` is what the
            function returned last.
        """
        found = None
        while True:
            try:
                found = look()
            except HAProxySocketError:
                if self.seconds_left() > 0:
                    raise
            if found:
                self.report(1, 1, what)
                return found
            self.report(0, 1, what)
            if not self.pause():
                raise WaitTimeout('not within {0:g} s: {1}'.format(self.timeout, what), found)
