# SPDX-License-Identifier: Apache-2.0
"""Read a backend's statistics and its servers."""
from haproxyadmin.combine import find_by_name
from haproxyadmin.facade import Facade
from haproxyadmin.internal.grouping import read_members
from haproxyadmin.parsers import stats
from haproxyadmin.protocol.metrics import BACKEND_METRICS
from haproxyadmin.server import servers_of

__all__ = ['BACKEND_METRICS', 'Backend']


class Backend(Facade):
    """A backend over all HAProxy processes that have it.

    :param backend_per_proc: the backend in each process.
    :type backend_per_proc: list of :class:`haproxyadmin.internal._Backend`

    Two backends are equal if their names are; a backend equals the text of its name.

    Every read sends one ``show stat IID TYPE SID`` (management guide, "show stat") to each process,
    concurrently. It raises a :class:`haproxyadmin.exceptions.HAProxySocketError` if a process
    cannot be reached, and a :class:`KeyError` if a process no longer has the backend. The status
    must be the same in all processes; it raises :class:`haproxyadmin.exceptions.IncosistentData` if
    it differs.
    """

    _METRICS = BACKEND_METRICS

    def __init__(self, backend_per_proc):
        super(Backend, self).__init__(backend_per_proc)

    @property
    def iid(self):
        """The proxy id in the first process (``iid`` of ``show stat``).

        :rtype: int
        """
        return self._first('iid')

    @property
    def is_up(self):
        """True if its status is ``'UP'`` in every process.

        :rtype: bool
        """
        return all(map(stats.is_up, self._fields('status')))

    def server(self, name):
        """Return one server; sends one ``show stat`` to each process.

        :param name: its name.
        :type name: str
        :rtype: :class:`haproxyadmin.server.Server`
        :raises ValueError: if the backend has no server with this name.
        """
        return find_by_name(self.servers(), 'server', name, ' in backend {0!r}'.format(self.name))

    def servers(self, name=None):
        """Return the servers, in HAProxy's order; sends one ``show stat`` to each process.

        :param name: (optional) only the one with this name; if there is none, the list is empty.
        :type name: str
        :rtype: list of :class:`haproxyadmin.server.Server`
        """
        listings = read_members(self._found, lambda member: member.servers_operation())
        return servers_of([listing.of(name) for listing in listings])


def __dir__():
    """List what is public; has an effect from Python 3.7 on."""
    return sorted(__all__)
