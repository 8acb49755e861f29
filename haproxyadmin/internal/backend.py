# SPDX-License-Identifier: Apache-2.0
"""One process's view of a backend."""
from haproxyadmin.internal import facade
from haproxyadmin.internal.base import _Proxy
from haproxyadmin.internal.server import listing
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

        :param name: (optional) only the one of this name.
        :rtype: list of :class:`haproxyadmin.internal._Server`
        """
        return facade.answer(self.ask_servers()).of(name).servers()

    def ask_servers(self):
        """Return what asks for the servers: a :class:`haproxyadmin.internal.server._Listing`.

        The backend's row among theirs tells whose they are.
        """
        return self._ask(commands.BACKENDS | commands.SERVERS, self._servers_of)

    def _servers_of(self, dump):
        return None if self._find(dump) is None else listing(self, dump)

    def _find(self, dump):
        return dump.backend(self.name)
