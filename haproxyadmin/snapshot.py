# SPDX-License-Identifier: Apache-2.0
"""HAProxy as it was at one moment."""
import time

from haproxyadmin.internal.frozen import freeze_operation
from haproxyadmin.internal.grouping import read_identified
from haproxyadmin.reading import Reading

# Reading is here, too, for programs that import it from this module.
__all__ = ['Reading', 'Snapshot']


class Snapshot(Reading):
    """What HAProxy's processes reported at one moment.

    It is made by :meth:`haproxyadmin.haproxy.HAProxy.snapshot`. All reads of it, and of the
    frontends, backends and servers that it returns, are answered from memory. A change through one
    of these is sent to HAProxy, and does not show in the snapshot.

    A snapshot never changes: any number of threads may read it, and it can be pickled.

    :param processes: the processes to read.
    :type processes: list of :class:`haproxyadmin.internal._HAProxyProcess`
    :param deadline: (optional) when reading ends at the latest, in seconds of a monotonic clock.
    :raises haproxyadmin.exceptions.HAProxySocketError: if a process cannot be reached.
    """

    def __init__(self, processes, deadline=None):
        self._taken_at = time.time()
        self._found = read_identified(processes, freeze_operation, deadline)

    @property
    def taken_at(self):
        """When the processes were asked, in seconds since the epoch.

        :rtype: float
        """
        return self._taken_at


def __dir__():
    """List what is public; has an effect from Python 3.7 on."""
    return sorted(__all__)
