# SPDX-License-Identifier: Apache-2.0
"""Run operations on a backend and read its statistics."""
from haproxyadmin.internal import facade
from haproxyadmin.protocol.metrics import BACKEND_METRICS
from haproxyadmin.server import servers_of

__all__ = ['BACKEND_METRICS', 'Backend']


class Backend(facade.Facade):
    """A backend over all HAProxy processes that have it.

    :param backend_per_proc: the backend in each process.
    :type backend_per_proc: list of :class:`haproxyadmin.internal._Backend`

    Two backends, and a backend and text, are equal when the names are.

    Every read sends one ``show stat IID TYPE SID`` (management guide, "show stat") to each process,
    all at the same time. It raises a
    :class:`haproxyadmin.exceptions.HAProxySocketError` when one of them cannot be talked
    to, and a :class:`KeyError` when one of them no longer has the backend.
    """

    _METRICS = BACKEND_METRICS

    def __init__(self, backend_per_proc):
        super(Backend, self).__init__(backend_per_proc)

    @property
    def iid(self):
        """The proxy id that the first process gives it (``iid`` of ``show stat``).

        :rtype: int
        """
        return self._first('iid')

    def server(self, name):
        """Return one server; sends one ``show stat`` to each process.

        :param name: its name.
        :type name: str
        :rtype: :class:`haproxyadmin.server.Server`
        :raises ValueError: when the backend has none of this name.
        """
        return facade.only(self.servers(), 'server', name,
                           ' in backend {0!r}'.format(self.name))

    def servers(self, name=None):
        """Return the servers, in HAProxy's order; sends one ``show stat`` to each process.

        :param name: (optional) only the one of this name; none gives an empty list.
        :type name: str
        :rtype: list of :class:`haproxyadmin.server.Server`
        """
        listings = facade.answers([member.ask_servers() for member in self._members])
        return servers_of([listing.of(name) for listing in listings])


def __dir__():
    """Show what is public; from Python 3.7 on."""
    return sorted(__all__)
