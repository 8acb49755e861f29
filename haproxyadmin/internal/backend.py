# SPDX-License-Identifier: Apache-2.0
"""One process's view of a backend."""
from haproxyadmin.internal.base import _Proxy
from haproxyadmin.internal.fanout import run
from haproxyadmin.internal.listing import list_servers
from haproxyadmin.protocol import commands
from haproxyadmin.protocol.metrics import BACKEND_METRICS


class _Backend(_Proxy):
    """A backend in one process; see :class:`haproxyadmin.internal.base._Proxy`."""

    __slots__ = ()

    _KIND = commands.BACKENDS
    _NOUN = 'backend'
    _METRICS = BACKEND_METRICS

    def servers(self, name=None):
        """Return the servers, in HAProxy's order.

        :param name: (optional) only the one with this name.
        :rtype: list of :class:`haproxyadmin.internal._Server`
        """
        return run(self.servers_operation()).of(name).servers()

    def servers_operation(self):
        """Return the operation that asks for the servers.

        It also asks for the backend's own row, which says whose servers they are.

        :return: its value is a :class:`haproxyadmin.internal.listing.Listing`.
        """
        return self._read(commands.BACKENDS | commands.SERVERS,
                          lambda row, dump: list_servers(self, dump))

    def _find(self, dump):
        return dump.backend(self.name)
