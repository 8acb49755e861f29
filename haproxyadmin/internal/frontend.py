# SPDX-License-Identifier: Apache-2.0
"""One process's view of a frontend."""
from haproxyadmin.internal.base import _Proxy
from haproxyadmin.protocol import commands
from haproxyadmin.protocol.metrics import FRONTEND_METRICS


class _Frontend(_Proxy):
    """A frontend in one process; see :class:`haproxyadmin.internal.base._Proxy`."""

    __slots__ = ()

    _KIND = commands.FRONTENDS
    _NOUN = 'frontend'
    _METRICS = FRONTEND_METRICS

    def _find(self, dump):
        return dump.frontend(self.name)
