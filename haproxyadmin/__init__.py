# SPDX-License-Identifier: Apache-2.0
"""Manage HAProxy through its stats sockets, over all its processes.

Everything in here is imported when it is used for the first time: many programs, such as checks,
run for a moment only and use a small part of it.
"""
import sys
import types

__version__ = '0.3.0'

# Names that are defined in a module of the package.
_DEFINED_IN = {
    'HAProxy': 'haproxy',
    'STATE_DISABLE': 'protocol.commands',
    'STATE_DRAIN': 'protocol.commands',
    'STATE_ENABLE': 'protocol.commands',
    'STATE_MAINT': 'protocol.commands',
    'STATE_READY': 'protocol.commands',
    'VALID_STATES': 'protocol.commands',
    'BACKEND_METRICS': 'protocol.metrics',
    'FRONTEND_METRICS': 'protocol.metrics',
    'HAPROXY_METRICS': 'protocol.metrics',
    'SERVER_METRICS': 'protocol.metrics',
}
_MODULES = ['backend', 'combine', 'common', 'exceptions', 'facade', 'frontend', 'haproxy',
            'internal', 'maps', 'methods', 'parsers', 'protocol', 'reading', 'server', 'snapshot',
            'spelling', 'utils']

__all__ = ['BACKEND_METRICS', 'FRONTEND_METRICS', 'HAPROXY_METRICS', 'HAProxy', 'SERVER_METRICS',
           'STATE_DISABLE', 'STATE_DRAIN', 'STATE_ENABLE', 'STATE_MAINT', 'STATE_READY',
           'VALID_STATES', 'backend', 'exceptions', 'frontend', 'haproxy', 'internal', 'server',
           'utils']


class _Package(types.ModuleType):
    """A package whose modules and names are imported when they are used.

    Python 2 and 3.6 do not look for a function ``__getattr__`` in a module.
    """

    def __getattr__(self, name):
        if name in _MODULES:
            return _import(name)
        if name in _DEFINED_IN:
            value = getattr(_import(_DEFINED_IN[name]), name)
            setattr(self, name, value)
            return value
        raise AttributeError('module {0!r} has no attribute {1!r}'.format(__name__, name))

    def __dir__(self):
        return sorted(set(self.__dict__).union(__all__))


def _import(name):
    full_name = '{0}.{1}'.format(__name__, name)
    __import__(full_name)
    return sys.modules[full_name]


def _make_lazy(module):
    """Have the attributes of the package imported when they are used."""
    try:
        module.__class__ = _Package
    except TypeError:
        # On Python 2 another object has to take its place, which keeps it alive: Python 2 clears
        # the globals of a module that is gone.
        package = sys.modules[__name__] = _Package(__name__)
        package.__dict__.update(module.__dict__, _module=module)


_make_lazy(sys.modules[__name__])
