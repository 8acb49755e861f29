# SPDX-License-Identifier: Apache-2.0
"""One HAProxy process's view of frontends, backends and servers.

These classes are not meant for use outside of haproxyadmin.
"""
from haproxyadmin.internal.backend import _Backend
from haproxyadmin.internal.frontend import _Frontend
from haproxyadmin.internal.haproxy import _HAProxyProcess
from haproxyadmin.internal.server import _Server

__all__ = ['_Backend', '_Frontend', '_HAProxyProcess', '_Server']
