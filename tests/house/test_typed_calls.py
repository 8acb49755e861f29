# SPDX-License-Identifier: Apache-2.0
"""Everything that is public has a call in ``tests/typing/calls.py``, for type checkers.

Whether type checkers agree is checked by ``tools/types``, and whether HAProxy does by
``tests/real/test_types_hold.py``.
"""
import ast
import importlib
import inspect
import os

import pytest

from haproxyadmin import exceptions, internal, utils
from haproxyadmin.imports import PY2
from tests.house.test_architecture import PUBLIC_MODULES
from tests.support import typed_calls
from tests.support.package import PACKAGE

if PY2:
    pytest.skip('the scripts are for Python 3', allow_module_level=True)
if not os.path.exists(os.path.join(PACKAGE, 'py.typed')):
    pytest.skip('haproxyadmin is installed without its stubs', allow_module_level=True)

# What returns nothing, so that there is no type to hold, and what may return anything.
UNHELD = {
    'Acl': ['add', 'clear', 'difference_update', 'discard', 'refresh', 'update'],
    'FakeHAProxy': ['answer', 'configure', 'fail', 'heal', 'reload', 'restart', 'set', 'stop'],
    'HAProxyBaseError': ['failures', 'result', 'set_context', 'set_results'],
    'Map': ['clear', 'refresh', 'update'],
    'Origin': ['agent', 'refuse', 'serve', 'stall'],
    'ThrowawayHAProxy': ['configure', 'reload', 'stop'],
    'utils': ['should_die'],
}


def parse_stubs():
    """Return the class of each name in the stubs, and of ``internal`` what is documented."""
    found = {}
    for module in PUBLIC_MODULES + ['utils', 'internal']:
        path = os.path.join(PACKAGE, *module.split('.'))
        path = os.path.join(path, '__init__.pyi') if os.path.isdir(path) else path + '.pyi'
        for node in typed_calls.parse(path).body:
            if isinstance(node, ast.ClassDef):
                # ``_Backend`` is also the name of a type in utils.pyi.
                found[node.name] = node
    return found


STUBS = parse_stubs()


def in_stub(name, kinds):
    """Return the public names of some kinds in a class of the stubs, inherited ones, too."""
    if name not in STUBS:
        return set()
    found = set()
    for node in STUBS[name].body:
        if isinstance(node, kinds):
            found.add(node.target.id if isinstance(node, ast.AnnAssign) else node.name)
    for base in STUBS[name].bases:
        found |= in_stub(getattr(base, 'id', ''), kinds)
    return set(name for name in found if not name.startswith('_'))


def classes():
    """Return the public classes by name, except for those that only are a base of others."""
    found = {'CSVLine': utils.CSVLine}
    for name in PUBLIC_MODULES:
        module = importlib.import_module('haproxyadmin.' + name)
        found.update(
            (key, value) for key, value in vars(module).items()
            if inspect.isclass(value) and not key.startswith('_') and (
                value.__module__ == module.__name__ or key in getattr(module, '__all__', ())))
    bases = set(base for kind in found.values() for base in kind.__mro__[1:])
    return dict((key, kind) for key, kind in found.items()
                if kind not in bases or is_exception(kind))


def is_exception(kind):
    return issubclass(kind, exceptions.HAProxyBaseError)


def is_ours(kind, name):
    """Return True for what this package defines, not the standard library."""
    owner = next(base for base in kind.__mro__ if name in vars(base))
    return owner.__module__.startswith('haproxyadmin')


def public_names(key, kind):
    """Return the names that an object of a class has for the public."""
    found = in_stub(key, ast.AnnAssign) | set(
        name for name in dir(kind) if not name.startswith('_') and is_ours(kind, name))
    if is_exception(kind):
        # What they inherit is used with the base.
        for base in filter(is_exception, kind.__mro__[1:]):
            found -= public_names(base.__name__, base)
    return found


CLASSES = classes()
PUBLIC = dict((key, public_names(key, kind)) for key, kind in CLASSES.items())
# Their classes have more than is documented.
PUBLIC.update((key, in_stub(key, (ast.AnnAssign, ast.FunctionDef))) for key in internal.__all__)
PUBLIC['utils'] = set(utils.__all__) - set(['CSVLine'])


SCRIPT = typed_calls.Script(CLASSES)


def missing(present):
    """Return what is public and not present, as ``Class.name``."""
    return sorted('{0}.{1}'.format(key, name) for key, names in PUBLIC.items()
                  for name in names - present.get(key, set()))


def test_all_of_it_is_found():
    assert {'HAProxy', 'Snapshot', 'Server', 'Map', 'Table', 'Session', 'Certificate', 'Change',
            'Peer', 'OutOfRotation', 'Conflict', '_Server'} <= set(PUBLIC)
    assert {'weight', 'setweight', 'takeout', 'metric_per_socket', 'name'} <= PUBLIC['Server']
    assert {'sessions', 'certificate', 'add_map', 'stats'} <= PUBLIC['HAProxy']
    assert {'taken', 'back'} <= PUBLIC['OutOfRotation']
    assert sum(map(len, PUBLIC.values())) > 500


def test_everything_public_is_used():
    assert [] == missing(SCRIPT.used)


def test_every_type_is_held():
    """Otherwise, a stub that says ``Any`` would not be noticed."""
    held = dict((key, set(SCRIPT.held.get(key, ())) | set(UNHELD.get(key, ()))) for key in PUBLIC)
    assert [] == missing(held)


def parameters(function):
    """Return the parameters that a caller passes, in order."""
    return [one for one in inspect.signature(function).parameters.values()
            if one.name != 'self' and one.kind != one.VAR_POSITIONAL]


def not_passed(key, name, function):
    """Return the parameters of a function that are passed in no call."""
    calls, wanted = SCRIPT.calls.get((key, name), []), parameters(function)
    count = max([len(call.args) for call in calls] or [0])
    words = set(word.arg for call in calls for word in call.keywords)
    known = set(one.name for one in wanted)
    return ['{0}.{1}({2})'.format(key, name, one.name) for place, one in enumerate(wanted)
            if not (words - known if one.kind == one.VAR_KEYWORD
                    else place < count or one.name in words)]


def test_every_parameter_is_passed():
    wrong = not_passed('HAProxy', '__init__', CLASSES['HAProxy'])
    for key, names in PUBLIC.items():
        kind = utils if key == 'utils' else CLASSES.get(key, getattr(internal, key, None))
        for name in names:
            function = getattr(kind, name, None)
            if inspect.isfunction(function):
                wrong += not_passed(key, name, function)
    assert [] == sorted(wrong)
