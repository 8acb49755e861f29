from haproxyadmin import (
    backend as backend, ca_files as ca_files, certificates as certificates, common as common,
    crt_lists as crt_lists, differences as differences, exceptions as exceptions, facade as facade,
    frontend as frontend, haproxy as haproxy, internal as internal, maps as maps, ocsp as ocsp,
    overview as overview, patterns as patterns, peers as peers, reading as reading,
    resolvers as resolvers, rotation as rotation, server as server, servers_state as servers_state,
    sessions as sessions, snapshot as snapshot, tables as tables, testing as testing,
    tickets as tickets, tls as tls, utils as utils, watch as watch, workers as workers)
from haproxyadmin.haproxy import (
    BACKEND_METRICS as BACKEND_METRICS, FRONTEND_METRICS as FRONTEND_METRICS,
    HAPROXY_METRICS as HAPROXY_METRICS, SERVER_METRICS as SERVER_METRICS,
    STATE_DISABLE as STATE_DISABLE, STATE_DRAIN as STATE_DRAIN, STATE_ENABLE as STATE_ENABLE,
    STATE_MAINT as STATE_MAINT, STATE_READY as STATE_READY, VALID_STATES as VALID_STATES,
    HAProxy as HAProxy)

__all__ = ['BACKEND_METRICS', 'FRONTEND_METRICS', 'HAPROXY_METRICS', 'HAProxy', 'SERVER_METRICS',
           'STATE_DISABLE', 'STATE_DRAIN', 'STATE_ENABLE', 'STATE_MAINT', 'STATE_READY',
           'VALID_STATES', 'backend', 'exceptions', 'frontend', 'haproxy', 'internal', 'server',
           'utils']

__version__: str
