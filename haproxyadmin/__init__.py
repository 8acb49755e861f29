# SPDX-License-Identifier: Apache-2.0
"""Manage HAProxy through its stats sockets, over all its processes."""
from haproxyadmin import backend, exceptions, frontend, haproxy, internal, server, utils
from haproxyadmin.haproxy import HAProxy
from haproxyadmin.protocol.commands import (STATE_DISABLE, STATE_DRAIN, STATE_ENABLE, STATE_MAINT,
                                            STATE_READY, VALID_STATES)
from haproxyadmin.protocol.metrics import (BACKEND_METRICS, FRONTEND_METRICS, HAPROXY_METRICS,
                                           SERVER_METRICS)

__version__ = '0.3.0'

__all__ = ['BACKEND_METRICS', 'FRONTEND_METRICS', 'HAPROXY_METRICS', 'HAProxy', 'SERVER_METRICS',
           'STATE_DISABLE', 'STATE_DRAIN', 'STATE_ENABLE', 'STATE_MAINT', 'STATE_READY',
           'VALID_STATES', 'backend', 'exceptions', 'frontend', 'haproxy', 'internal', 'server',
           'utils']
