"""One process's view of a backend."""
import functools

from haproxyadmin.internal import facade
from haproxyadmin.internal.base import _Proxy
from haproxyadmin.internal.server import _Server
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
        return [_Server(parent, server, row)
                for server, parent, row in facade.answer(self.ask_servers(name))]

    def ask_servers(self, name=None):
        """Return what asks for the servers; its value is list of ``(name, backend, row)``.

        The backend's row among theirs tells whose they are.
        """
        return self._ask(commands.BACKENDS | commands.SERVERS,
                         functools.partial(self._servers_of, name))

    def servers_in(self, dump, name=None):
        """Return ``(name, backend, row)`` of each server that a dump holds; asks nothing."""
        return [(server, self, row) for server, row in dump.servers_of(self.name)
                if name is None or server == name]

    def _servers_of(self, name, dump):
        return None if self._find(dump) is None else self.servers_in(dump, name)

    def _find(self, dump):
        return dump.backend(self.name)
