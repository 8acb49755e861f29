# SPDX-License-Identifier: Apache-2.0
"""The house: which module may import which, and what may stand where."""
import ast
import inspect
import os
import re

import pytest

import haproxyadmin
from haproxyadmin import backend, exceptions, frontend, haproxy, server, snapshot
from haproxyadmin.facade import Facade
from haproxyadmin.parsers import stats
from haproxyadmin.protocol import metrics
from haproxyadmin.reading import Reading

PACKAGE = os.path.dirname(os.path.abspath(haproxyadmin.__file__))

# For each module, from the ground up, those of the package that it may import. What is not named
# may import nothing of it.
BASEMENT = ['exceptions']
PROTOCOL = ['protocol', 'protocol.commands', 'protocol.dangers', 'protocol.metrics',
            'protocol.replies', 'protocol.transport']
UTILS = BASEMENT + PROTOCOL + ['utils']
FACADE = UTILS + ['internal', 'internal.facade']
INTERNAL = FACADE + ['internal.base', 'internal.backend', 'internal.frontend', 'internal.server']
PROCESS = INTERNAL + ['internal.patterns', 'internal.entries', 'internal.haproxy']
MAY_IMPORT = {
    'exceptions': [],
    'protocol': [],
    'protocol.commands': ['protocol.dangers'],
    'protocol.dangers': BASEMENT,
    'protocol.metrics': [],
    'protocol.replies': BASEMENT,
    'protocol.transport': BASEMENT + ['protocol', 'protocol.commands'],
    'utils': BASEMENT + PROTOCOL,
    'internal.facade': UTILS + ['internal'],
    'internal.base': FACADE,
    'internal.frontend': FACADE + ['internal.base'],
    'internal.server': FACADE + ['internal.base'],
    'internal.backend': FACADE + ['internal.base', 'internal.server'],
    'internal.patterns': FACADE,
    'internal.entries': FACADE + ['internal.patterns'],
    'internal.haproxy': INTERNAL + ['internal.patterns'],
    'internal': PROCESS,
    'frontend': PROCESS,
    'server': PROCESS,
    'backend': PROCESS + ['server'],
    'snapshot': PROCESS + ['server', 'frontend', 'backend'],
    'haproxy': PROCESS + ['server', 'frontend', 'backend', 'snapshot'],
    '': PROCESS + ['server', 'frontend', 'backend', 'snapshot', 'haproxy'],
}

# Python 2.7 and 3 alike; anything else would be a dependency.
STANDARD = {'ast', 'bisect', 'collections', 'csv', 'difflib', 'errno', 'functools', 'inspect', 'io', 'itertools',
            'logging', 'numbers', 'operator', 'os', 're', 'select', 'socket', 'stat', 'sys', 'time'}

COMMAND = re.compile(r'(show|get|set|add|del|clear|enable|disable|shutdown|prepare|commit) ')


def modules():
    """Return the source files by the name of the module within the package."""
    found = {}
    for directory, _, names in os.walk(PACKAGE):
        for name in names:
            if name.endswith('.py'):
                path = os.path.join(directory, name)
                parts = os.path.relpath(path, PACKAGE)[:-3].split(os.sep)
                found['.'.join(parts[:-1] if parts[-1] == '__init__' else parts)] = path
    return found


MODULES = modules()
TREES = {}
for module_name, module_path in MODULES.items():
    with open(module_path, 'rb') as source_file:
        TREES[module_name] = ast.parse(source_file.read(), module_path)
EVERY_MODULE = pytest.mark.parametrize('name', sorted(MODULES))


def imports(tree):
    """Return the full names of what a module imports, wherever it does."""
    names = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names.extend(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, 'imports are absolute'
            for alias in node.names:
                full = '{0}.{1}'.format(node.module, alias.name)
                inside = full[len('haproxyadmin.'):] if full.startswith('haproxyadmin.') else None
                names.append(full if inside in MODULES else node.module)
    return names


def docstrings(tree):
    """Return the string nodes that are docstrings."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)) and node.body:
            first = node.body[0]
            if isinstance(first, ast.Expr) and text_of(first.value) is not None:
                found.add(id(first.value))
    return found


def text_of(node):
    """Return the text of a string node, None for any other."""
    kind = type(node).__name__
    if kind not in ('Str', 'Bytes', 'Constant'):
        return None
    value = node.value if kind == 'Constant' else node.s
    if isinstance(value, bytes):
        value = value.decode('utf-8')
    return value if isinstance(value, type(u'')) else None


def test_the_table_names_every_module():
    assert set(MAY_IMPORT) == set(MODULES)


@EVERY_MODULE
def test_imports_run_downward(name):
    inner = [full[len('haproxyadmin'):].lstrip('.') for full in imports(TREES[name])
             if full.split('.')[0] == 'haproxyadmin']
    assert not [module for module in inner if module not in MAY_IMPORT[name]]


def test_the_table_itself_runs_downward():
    """No two modules may import each other, not even by way of others."""
    below = {}

    def depth(name, above=()):
        assert name not in above, above + (name,)
        if name not in below:
            # A package is imported with each of its modules; that is no import of the module's.
            below[name] = 1 + max([depth(other, above + (name,)) for other in MAY_IMPORT[name]
                                   if other not in ('internal', 'protocol')] or [0])
        return below[name]
    for name in MAY_IMPORT:
        depth(name)
    assert below['exceptions'] < below['utils'] < below['internal.facade'] < below['haproxy'] < \
        below['']


@EVERY_MODULE
def test_nothing_is_imported_but_six_and_the_standard_library(name):
    outer = set(full.split('.')[0] for full in imports(TREES[name])) - {'haproxyadmin'}
    assert not outer - STANDARD - {'six'}


@EVERY_MODULE
def test_sockets_are_opened_in_one_place(name):
    calls = [node for node in ast.walk(TREES[name]) if isinstance(node, ast.Attribute)
             and node.attr in ('socket', 'create_connection', 'socketpair', 'connect')]
    if name == 'protocol.transport':
        assert calls
        return
    assert not calls
    # Its errors are caught by that name on Python 2.
    assert 'socket' not in imports(TREES[name]) or name == 'exceptions'


@EVERY_MODULE
def test_commands_are_built_in_one_place(name):
    """Replies that name a command, to know them by, are data of protocol/replies.py."""
    skipped = docstrings(TREES[name])
    found = [text_of(node) for node in ast.walk(TREES[name])
             if text_of(node) is not None and id(node) not in skipped
             and COMMAND.match(text_of(node))]
    if name == 'protocol.commands':
        assert len(found) > 10
    elif name == 'protocol.replies':
        assert all('<b>/<s>' in text for text in found)
    else:
        assert not found


@EVERY_MODULE
def test_only_the_facade_sends(name):
    """Fan-out happens in one place; connected_socket() asks one socket, as documented."""
    calls = [node for node in ast.walk(TREES[name]) if isinstance(node, ast.Attribute)
             and node.attr == 'exchange_all']
    assert len(calls) == {'internal.facade': 1, 'utils': 1}.get(name, 0)


@EVERY_MODULE
def test_no_argument_has_a_mutable_default(name):
    for node in ast.walk(TREES[name]):
        if isinstance(node, (ast.FunctionDef, ast.Lambda)):
            for default in node.args.defaults:
                assert not isinstance(default, (ast.List, ast.Dict, ast.Set, ast.Call))


@EVERY_MODULE
def test_every_class_is_a_new_one_and_super_is_named(name):
    for node in ast.walk(TREES[name]):
        if isinstance(node, ast.ClassDef):
            assert node.bases, node.name
        if isinstance(node, ast.Call) and getattr(node.func, 'id', '') == 'super':
            assert node.args


def classes():
    """Return every class of the package."""
    found = set()
    for name in MODULES:
        full = '.'.join(['haproxyadmin', name]).rstrip('.')
        module = __import__(full, fromlist=['x'])
        found.update(kind for _, kind in inspect.getmembers(module, inspect.isclass)
                     if kind.__module__.split('.')[0] == 'haproxyadmin')
    return found


def test_no_class_holds_state_but_the_documented_heads():
    """[CSVLine]; the published lists of metrics are constants."""
    constants = [metrics.FRONTEND_METRICS, metrics.BACKEND_METRICS, metrics.SERVER_METRICS]
    mutable = [(kind.__name__, name) for kind in classes() for name, value in vars(kind).items()
               if isinstance(value, (list, dict, set, bytearray)) and not name.startswith('__')
               and not any(value is constant for constant in constants)
               and not hasattr(kind, '_fields')]  # a namedtuple's
    assert mutable == [('CSVLine', 'heads')]


# Docstrings

PUBLIC = [haproxy.HAProxy, frontend.Frontend, backend.Backend, server.Server, Reading,
          snapshot.Snapshot, Facade, stats.CSVLine] + [
    kind for _, kind in inspect.getmembers(exceptions, inspect.isclass)
    if kind.__module__ == 'haproxyadmin.exceptions' and not kind.__name__.startswith('_')]


def public_functions():
    """Return ``(name, node)`` of every public function and method of the public modules."""
    found = []
    for module in ('haproxy', 'frontend', 'backend', 'server', 'snapshot', 'utils', 'exceptions',
                   'internal.facade', 'internal.base', 'internal.backend', 'internal.frontend',
                   'internal.server', 'internal.haproxy'):
        for node in TREES[module].body:
            if isinstance(node, ast.FunctionDef):
                found.append((module, '', node))
            elif isinstance(node, ast.ClassDef):
                found.extend((module, node.name, inner) for inner in node.body
                             if isinstance(inner, ast.FunctionDef))
    return [('.'.join(filter(None, [module, owner, node.name])), node)
            for module, owner, node in found if not node.name.startswith('_')]


FUNCTIONS = public_functions()
# Of utils the functions that the Developer Interface lists; the rest is the library's own.
DOCUMENTED_UTILS = ['calculate', 'check_command', 'check_command_addr_port', 'check_output',
                    'cmd_across_all_procs', 'compare_values', 'connected_socket', 'converter',
                    'elements_of_list_same', 'info2dict', 'is_unix_socket', 'isint', 'should_die',
                    'stat2dict']
DOCUMENTED = [(name, node) for name, node in FUNCTIONS
              if not name.startswith(('internal.', 'utils.')) and name.count('.') == 2
              or re.match(r'internal\.facade\.Facade\.[a-z]', name)
              or name[len('utils.'):] in DOCUMENTED_UTILS]
CHANGES = ['setmaxconn', 'setratelimitconn', 'setratelimitsess', 'setratelimitsslsess',
           'clearcounters', 'command', 'errors', 'enable', 'disable', 'setstate', 'setweight',
           'shutdown']


def decorators(node):
    return [getattr(decorator, 'id', getattr(decorator, 'attr', '')) for decorator
            in node.decorator_list]


def returns_something(node):
    inner = [function for function in ast.walk(node)
             if isinstance(function, (ast.FunctionDef, ast.Lambda)) and function is not node]
    skipped = set(id(child) for function in inner for child in ast.walk(function))
    return any(isinstance(child, ast.Return) and child.value is not None
               and id(child) not in skipped for child in ast.walk(node))


def raises(node):
    return any(isinstance(child, ast.Raise) for statement in node.body
               for child in [statement] + getattr(statement, 'body', []))


@pytest.mark.parametrize('kind', PUBLIC, ids=lambda kind: kind.__name__)
def test_every_public_class_has_a_docstring(kind):
    assert inspect.getdoc(kind)


def test_every_public_function_has_a_docstring():
    wrong = [name for name, node in FUNCTIONS if 'setter' not in decorators(node)
             and not (ast.get_docstring(node) or '').split('\n')[0].endswith(('.', '::'))]
    assert not wrong


def test_every_docstring_tells_what_goes_in_and_what_comes_out():
    wrong = []
    for name, node in DOCUMENTED:
        if 'setter' in decorators(node):
            continue
        text = ast.get_docstring(node)
        arguments = [getattr(argument, 'arg', getattr(argument, 'id', ''))
                     for argument in node.args.args]
        needed = [':param {0}:'.format(argument) for argument in arguments if argument != 'self']
        if 'should_die' in decorators(node):
            needed += [':param die:', ':raises ', ':return:']
        if raises(node):
            needed.append(':raises ')
        wrong.extend((name, part) for part in needed if part not in text)
        if returns_something(node) and ':return:' not in text and ':rtype:' not in text:
            wrong.append((name, ':return: or :rtype:'))
    assert not wrong


def test_every_documented_function_is_there():
    names = [name for name, _ in DOCUMENTED]
    assert sorted(name for name in names if name.startswith('utils.')) == [
        'utils.' + name for name in DOCUMENTED_UTILS]
    assert len(names) > 80
    assert server.Server.address.fset and server.Server.port.fset


def test_every_change_takes_die():
    """[verdicts]"""
    wrong, right = [], []
    for name, node in DOCUMENTED:
        last = name.split('.')[-1]
        if last in CHANGES or re.search(r'_(acl|map)(_entries)?$', last):
            (right if 'should_die' in decorators(node) else wrong).append(name)
    assert not wrong
    assert len(right) >= 24
