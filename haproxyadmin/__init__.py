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
_MODULES = ['backend', 'ca_files', 'certificates', 'combine', 'common', 'crt_lists', 'differences',
            'exceptions', 'facade', 'frontend', 'haproxy', 'imports', 'internal', 'maps', 'methods',
            'ocsp', 'overview', 'parsers', 'patterns', 'peers', 'protocol', 'reading', 'resolvers',
            'rotation', 'server', 'servers_state', 'sessions', 'snapshot', 'spelling', 'tables',
            'testing', 'tickets', 'tls', 'utils', 'watch', 'workers']

__all__ = ['BACKEND_METRICS', 'FRONTEND_METRICS', 'HAPROXY_METRICS', 'HAProxy', 'SERVER_METRICS',
           'STATE_DISABLE', 'STATE_DRAIN', 'STATE_ENABLE', 'STATE_MAINT', 'STATE_READY',
           'VALID_STATES', 'backend', 'exceptions', 'frontend', 'haproxy', 'internal', 'server',
           'utils']

# Never true. Type checkers, and programs such as PyInstaller, find here what is imported later.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from haproxyadmin import backend, exceptions, frontend, haproxy, internal, server, utils
    from haproxyadmin.haproxy import HAProxy
    from haproxyadmin.protocol.commands import (STATE_DISABLE, STATE_DRAIN, STATE_ENABLE,
                                                STATE_MAINT, STATE_READY, VALID_STATES)
    from haproxyadmin.protocol.metrics import (BACKEND_METRICS, FRONTEND_METRICS, HAPROXY_METRICS,
                                               SERVER_METRICS)


class LazyPackage(types.ModuleType):
    """A package whose modules and names are imported when they are used.

    ``_MODULES`` lists the modules, ``_DEFINED_IN`` says in which one a name is defined. Such a
    package must not import a module of its own: two threads that import the one and the other
    would wait for each other.

    (Python 2 and 3.6 do not look for a function ``__getattr__`` in a module.)
    """

    def __getattr__(self, name):
        if name in self.__dict__.get('_MODULES', ()):
            return self._import(name)
        module = self.__dict__.get('_DEFINED_IN', {}).get(name)
        if module is None:
            raise AttributeError('module {0!r} has no attribute {1!r}'.format(
                self.__name__, name))
        # Not kept: a test may have replaced it for a while.
        return getattr(self._import(module), name)

    def __reduce__(self):
        return (_import_module, (self.__name__,))

    def __dir__(self):
        return sorted(set(self.__dict__).union(self.__all__))

    def _import(self, name):
        return _import_module('{0}.{1}'.format(self.__name__, name))


def _import_module(name):
    __import__(name)
    return sys.modules[name]


def make_lazy(name):
    """Have the attributes of a package imported when they are used."""
    module = sys.modules[name]
    try:
        module.__class__ = LazyPackage
    except TypeError:
        # On Python 2 another object has to take its place, which keeps it alive: Python 2 clears
        # the globals of a module that is gone.
        package = sys.modules[name] = LazyPackage(name)
        package.__dict__.update(module.__dict__, _module=module)


make_lazy(__name__)
