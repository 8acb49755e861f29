# SPDX-License-Identifier: Apache-2.0
"""The workers of HAProxy's master, and reloading."""
import collections

from haproxyadmin.internal.masters import ReloadResult
from haproxyadmin.internal.waiting import Wait

__all__ = ['ReloadResult', 'Worker', 'Workers']


class Worker(collections.namedtuple(
        'Worker', 'pid current reloads uptime version number master')):
    """A worker of a master.

    ``pid`` is its process id. ``current`` is False for one that a reload has replaced and that
    serves its last connections; from HAProxy 3.1 on, a new worker counts as current while it reads
    its configuration. ``reloads`` is how many reloads it has survived, ``uptime`` its age in
    seconds, ``version`` its version, ``number`` its number, from 1, of several current ones (before
    HAProxy 2.5), and ``master`` the address of its master.
    """

    __slots__ = ()


class Workers(object):
    """The workers of all masters that :class:`haproxyadmin.haproxy.HAProxy` was given.

    :param masters: the masters.
    :type masters: haproxyadmin.internal.masters.Masters
    :raises ValueError: if none was given.
    """

    def __init__(self, masters):
        if masters is None:
            raise ValueError('pass master= to HAProxy() for this')
        self._masters = masters

    def list(self):
        """Return the workers; see :meth:`haproxyadmin.haproxy.HAProxy.workers`.

        :rtype: list of :class:`Worker`
        """
        return [Worker(worker.pid, worker.current, worker.reloads, worker.uptime, worker.version,
                       worker.number or 1, endpoint.socket_file)
                for endpoint, worker in self._masters.workers()]

    def reload_all(self, timeout, interval, progress):
        """Reload HAProxy; see :meth:`haproxyadmin.haproxy.HAProxy.reload`.

        :param timeout: seconds until the last worker must answer.
        :param interval: seconds between two looks.
        :param progress: what is told how far it has come, or None.
        :rtype: ReloadResult
        """
        return self._masters.reload(Wait(timeout, interval, progress))


def __dir__():
    """List what is public; has an effect from Python 3.7 on."""
    return sorted(__all__)
