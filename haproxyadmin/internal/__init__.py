# SPDX-License-Identifier: Apache-2.0
"""One HAProxy process's view of frontends, backends and servers.

These classes are not meant for use outside of haproxyadmin.
"""
from haproxyadmin import make_lazy

_DEFINED_IN = {
    '_Backend': 'backend',
    '_Frontend': 'frontend',
    '_HAProxyProcess': 'haproxy',
    '_Server': 'server',
}
_MODULES = ['backend', 'base', 'batches', 'bulk', 'ca_files', 'calls', 'certificates', 'contents',
            'crt_lists',
            'differences', 'discovery', 'dynamic', 'endpoint', 'entries', 'fanout', 'files',
            'frontend', 'frozen', 'grouping', 'haproxy', 'listing', 'looks', 'lookup', 'masters',
            'ocsp', 'patterns', 'process', 'replacement', 'rotation', 'rows', 'sections', 'server',
            'servers_state', 'sessions', 'settings', 'slots', 'states', 'streaming', 'tables',
            'tls_files', 'transaction', 'waiting']

__all__ = ['_Backend', '_Frontend', '_HAProxyProcess', '_Server']

TYPE_CHECKING = False
if TYPE_CHECKING:
    from haproxyadmin.internal.backend import _Backend
    from haproxyadmin.internal.frontend import _Frontend
    from haproxyadmin.internal.haproxy import _HAProxyProcess
    from haproxyadmin.internal.server import _Server

make_lazy(__name__)
