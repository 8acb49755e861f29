# SPDX-License-Identifier: Apache-2.0
"""The stubs: they name what the sources name, with the same parameters; tools/types does the rest.

The sources are looked at as they run, the stubs only as text, so that no type checker is needed.
"""
import ast
import collections
import importlib
import inspect
import os
import sys

import pytest

import haproxyadmin
from tests.house.test_architecture import PACKAGE, PUBLIC_MODULES

pytestmark = pytest.mark.skipif(sys.version_info < (3,), reason='stubs are for Python 3')

MODULES = [''] + PUBLIC_MODULES + ['utils']
# Of a parameter: its name, its kind, and its default: NONE if it has none, ``...`` if that is no
# literal.
Parameter = collections.namedtuple('Parameter', 'name kind default')
NONE = object()
LITERALS = (bool, bytes, float, int, str, tuple, type(None))
NAMED, VARIABLE, KEYWORD_ONLY, KEYWORDS = range(4)
KINDS = {'POSITIONAL_OR_KEYWORD': NAMED, 'VAR_POSITIONAL': VARIABLE, 'KEYWORD_ONLY': KEYWORD_ONLY,
         'VAR_KEYWORD': KEYWORDS}


def source_of(name):
    return importlib.import_module('.'.join(filter(None, ['haproxyadmin', name])))


def stub_of(name):
    """Return what a stub defines, for each name a list of nodes: overloads, a property's setter."""
    with open(path_of(name)) as stub:
        return definitions(ast.parse(stub.read()))


def path_of(name):
    path = os.path.join(PACKAGE, *name.split('.'))
    return os.path.join(path, '__init__.pyi') if os.path.isdir(path) else path + '.pyi'


def definitions(node):
    found = collections.OrderedDict()
    for inner in node.body:
        for name in names_of(inner):
            found.setdefault(name, []).append(inner)
    return found


def names_of(node):
    if isinstance(node, (ast.ClassDef, ast.FunctionDef)):
        return [node.name]
    if isinstance(node, ast.AnnAssign):
        return [node.target.id]
    if isinstance(node, ast.Assign):
        return [target.id for target in node.targets]
    if isinstance(node, (ast.Import, ast.ImportFrom)):
        return [alias.asname or alias.name for alias in node.names]
    return []


def is_defined(node, name):
    """Return whether a stub defines a name, and does not only import it for itself."""
    if isinstance(node, (ast.Import, ast.ImportFrom)):
        return any(alias.name == alias.asname == name for alias in node.names)
    return True


def is_public(name):
    return not name.startswith('_')


def public_names(module):
    """Return the names of a module that a program may use."""
    return getattr(module, '__all__', None) or [
        name for name, value in vars(module).items()
        if is_public(name) and getattr(value, '__module__', None) == module.__name__]


def parameters_of_source(function):
    return [Parameter(one.name, KINDS[one.kind.name], default_of_source(one))
            for one in inspect.signature(function).parameters.values()]


def default_of_source(parameter):
    if parameter.default is parameter.empty:
        return NONE
    return parameter.default if isinstance(parameter.default, LITERALS) else Ellipsis


def parameters_of_stub(node):
    args = node.args
    defaults = [None] * (len(args.args) - len(args.defaults)) + args.defaults
    found = [Parameter(one.arg, NAMED, default_of_stub(default))
             for one, default in zip(args.args, defaults)]
    if args.vararg:
        found.append(Parameter(args.vararg.arg, VARIABLE, NONE))
    found += [Parameter(one.arg, KEYWORD_ONLY, default_of_stub(default))
              for one, default in zip(args.kwonlyargs, args.kw_defaults)]
    if args.kwarg:
        found.append(Parameter(args.kwarg.arg, KEYWORDS, NONE))
    return found


def default_of_stub(node):
    if node is None:
        return NONE
    try:
        return ast.literal_eval(node)
    except ValueError:
        return Ellipsis  # also what ``...`` is before Python 3.8


def decorators(node):
    return [getattr(one, 'id', getattr(one, 'attr', '')) for one in node.decorator_list]


def check_function(title, function, nodes):
    """Yield what is wrong about the parameters of a function, in each of its overloads."""
    wanted = parameters_of_source(function)
    found = [parameters_of_stub(node) for node in nodes if isinstance(node, ast.FunctionDef)]
    if not found:
        yield '{0} is no function in the stub'.format(title)
    for one in found:
        if [parameter[:2] for parameter in one] != [parameter[:2] for parameter in wanted]:
            yield '{0}: {1} in the source, {2} in the stub'.format(title, wanted, one)
            return
    for place, parameter in enumerate(wanted):
        # An overload may need what others do not. By repr(), because ``True == 1``.
        if ({repr(one[place].default) for one in found} - {repr(NONE)}
                or {repr(NONE)}) != {repr(parameter.default)}:
            yield '{0}: the default of {1}'.format(title, parameter.name)
    named = [parameter.name for parameter in wanted if parameter.kind != KEYWORDS]
    if 'die' in named and named[-1] != 'die':
        yield '{0}: die is not the last parameter'.format(title)


def own_bases(kind):
    """Return a class and those that it inherits from, as far as they are of the package."""
    return [base for base in kind.__mro__ if base.__module__.split('.')[0] == 'haproxyadmin']


def members_of_source(kind):
    """Return what the package itself defines for a class, by name."""
    found = {}
    for base in reversed(own_bases(kind)):
        found.update(vars(base))
    return found


def members_of_stub(node, stub):
    """Return what a stub defines for a class, also in the classes that it inherits from."""
    found = collections.OrderedDict()
    for base in reversed(node.bases):
        base = getattr(base, 'value', base)  # without the parameters of a generic class
        for known in stub.get(getattr(base, 'id', ''), []):
            if isinstance(known, ast.ClassDef):
                found.update(members_of_stub(known, stub))
            elif isinstance(known, ast.ImportFrom) and known.module.startswith('haproxyadmin.'):
                other = stub_of(known.module.split('.', 1)[1])
                found.update(members_of_stub(other[base.id][0], other))
    found.update(definitions(node))
    return found


def sets_attribute(kind, name):
    """Return whether methods of a class name an attribute, as ``__init__`` does that sets it."""
    return any(name in inspect.unwrap(method).__code__.co_names for base in own_bases(kind)
               for method in vars(base).values() if inspect.isfunction(method))


def check_class(title, kind, node, stub):
    """Yield what differs between a class and its stub."""
    source, described = members_of_source(kind), members_of_stub(node, stub)
    fields = kind._fields if issubclass(kind, tuple) else ()
    if fields != tuple(name for name in described if name in fields):
        yield '{0} has the fields {1}'.format(title, fields)
    for name, value in source.items():
        nodes, full = described.get(name), '{0}.{1}'.format(title, name)
        if not (is_public(name) or name == '__init__') or name in fields:
            continue
        if nodes is None:
            yield '{0} is missing'.format(full)
        elif isinstance(value, property):
            kinds = [kind for node in nodes for kind in decorators(node)]
            if kinds != ['property'] + ['setter'] * (value.fset is not None):
                yield '{0} is a property; can it be set?'.format(full)
        elif inspect.isfunction(value):
            for problem in check_function(full, value, nodes):
                yield problem
    for name in described:
        if (is_public(name) or name.startswith('__')) and not (
                hasattr(kind, name) or sets_attribute(kind, name)):
            yield '{0}.{1} is not in the source'.format(title, name)


def check_module(name):
    """Yield what differs between a module and its stub."""
    module, stub = source_of(name), stub_of(name)
    for own in public_names(module):
        if own not in stub or not is_defined(stub[own][0], own):
            yield '{0}.{1} is missing'.format(name, own)
    for own, nodes in stub.items():
        title = '{0}.{1}'.format(name, own)
        if own == '__all__':
            if sorted(ast.literal_eval(nodes[0].value)) != sorted(module.__all__):
                yield '{0} differs'.format(title)
        elif own.startswith('_') and not own.startswith('__') or not is_defined(nodes[0], own):
            pass
        elif not hasattr(module, own):
            yield '{0} is not in the source'.format(title)
        elif inspect.isclass(getattr(module, own)) and isinstance(nodes[0], ast.ClassDef):
            for problem in check_class(title, getattr(module, own), nodes[0], stub):
                yield problem
        elif inspect.isfunction(getattr(module, own)):
            for problem in check_function(title, getattr(module, own), nodes):
                yield problem


def test_stubs_name_what_the_sources_name():
    assert [problem for name in MODULES for problem in check_module(name)] == []


def test_every_public_module_of_the_package_is_described():
    described = stub_of('')
    assert [name for name in MODULES if name and name.split('.')[0] not in described] == []
    assert [name for name in described if is_public(name)
            and name not in haproxyadmin._MODULES + list(haproxyadmin._DEFINED_IN)] == []


def test_type_checkers_are_told_to_use_the_stubs():
    assert os.path.exists(os.path.join(PACKAGE, 'py.typed'))
