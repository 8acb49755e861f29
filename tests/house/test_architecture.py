# SPDX-License-Identifier: Apache-2.0
"""The architecture: which module may import which, and what belongs where."""
import ast
import importlib
import inspect
import os
import re

import pytest

import haproxyadmin
from haproxyadmin import (backend, ca_files, certificates, crt_lists, exceptions, frontend, haproxy,
                          maps, patterns, peers, resolvers, server, sessions, snapshot, tables, tls)
from haproxyadmin.facade import Facade
from haproxyadmin.overview import Overview
from haproxyadmin.parsers import stats
from haproxyadmin.protocol import metrics
from haproxyadmin.reading import Reading
from haproxyadmin.testing import throwaway

PACKAGE = os.path.dirname(os.path.abspath(haproxyadmin.__file__))

# From the bottom up. Within the package, a module may import only from the floors below its own.
FLOORS = [
    ['imports', 'methods'],
    ['exceptions'],
    # The protocol: bytes and words of the stats socket.
    ['protocol.metrics', 'protocol.versions', 'protocol.replies', 'protocol.errors'],
    ['protocol.words', 'protocol.tls', 'protocol.polling'],
    ['protocol.commands', 'protocol.addresses'],
    ['protocol.transport'],
    ['protocol.streams'],
    # Pure functions that parse and combine replies.
    ['parsers.der', 'parsers.lines', 'parsers.times', 'parsers.values', 'spelling'],
    ['parsers.certificates', 'parsers.crt_lists', 'parsers.errors', 'parsers.info',
     'parsers.ocsp', 'parsers.pattern_files', 'parsers.patterns', 'parsers.peers', 'parsers.pem',
     'parsers.resolvers', 'parsers.revocations', 'parsers.servers_state', 'parsers.sessions',
     'parsers.stats', 'parsers.tables', 'parsers.tickets', 'parsers.workers'],
    ['parsers.ca_files', 'parsers.saved_states'],
    ['combine'],
    ['utils'],
    # The view of one process, and how processes are queried.
    ['internal.slots', 'internal.lookup', 'internal.files'],
    ['internal.endpoint'],
    ['internal.fanout', 'internal.waiting'],
    ['internal.grouping', 'internal.streaming'],
    ['internal.calls'],
    ['internal.transaction', 'internal.rows', 'internal.base', 'internal.sections'],
    ['internal.frontend', 'internal.server', 'internal.states'],
    ['internal.settings'],
    ['internal.listing'],
    ['internal.backend'],
    ['internal.process'],
    ['internal.haproxy', 'internal.frozen', 'internal.masters', 'internal.patterns',
     'internal.batches', 'internal.tls_files', 'internal.looks'],
    ['internal.ca_files', 'internal.certificates', 'internal.rotation'],
    ['internal.bulk', 'internal.differences', 'internal.discovery', 'internal.dynamic'],
    ['internal.contents', 'internal.servers_state'],
    ['internal.crt_lists', 'internal.entries', 'internal.ocsp', 'internal.replacement',
     'internal.sessions', 'internal.tables'],
    # The public modules, which treat all processes as one.
    ['common', 'overview', 'rotation', 'servers_state'],
    ['crt_lists', 'facade', 'ocsp', 'peers', 'resolvers', 'tables', 'tickets'],
    ['certificates', 'frontend', 'server'],
    ['ca_files'],
    ['backend', 'differences', 'maps', 'patterns', 'sessions', 'tls', 'watch',
     'workers'],
    ['reading'],
    ['snapshot'],
    ['haproxy'],
    [''],
    ['__main__'],
    # Beside the library, for the tests of programs that use it.
    ['testing.origins'],
    ['testing.launching', 'testing.lines', 'testing.sockets', 'testing.texts'],
    ['testing.common', 'testing.configuration', 'testing.placing'],
    ['testing.throwaway'],
    # The fake: a family of commands each.
    ['testing.families.family', 'testing.families.server_state'],
    ['testing.families.figures', 'testing.families.matching', 'testing.families.server_addresses',
     'testing.families.settings', 'testing.families.variables', 'testing.families.x509'],
    ['testing.families.added_servers', 'testing.families.criteria', 'testing.families.reports',
     'testing.families.servers', 'testing.families.sessions', 'testing.families.tables',
     'testing.families.tls'],
    ['testing.families.certificates', 'testing.families.patterns', 'testing.families.tickets'],
    ['testing.families.ca_files', 'testing.families.crt_lists', 'testing.families.ocsp'],
    ['testing.families.order', 'testing.faults'],
    ['testing.process'],
    ['testing.masters'],
    ['testing.fake'],
    ['testing.pytest_plugin'],
]
# These only group modules; importing one of the modules imports its package, too.
PACKAGES = ['protocol', 'parsers', 'internal', 'testing', 'testing.families']
FLOOR_OF = dict((name, number) for number, floor in enumerate(FLOORS) for name in floor)

# Available in both Python 2.7 and 3; anything else would be a dependency.
STANDARD = {'_socket', '_thread', 'binascii', 'collections', 'csv', 'datetime', 'difflib', 'errno',
            'fcntl', 'fnmatch', 'functools', 'hashlib', 'heapq', 'inspect', 'itertools', 'json',
            'logging', 'numbers', 'operator', 'os', 're', 'resource', 'select', 'ssl', 'stat',
            'struct', 'sys', 'termios', 'time', 'types'}
# What only the console imports; IPython if it is installed.
CONSOLE = {'IPython', '__future__', 'argparse', 'code', 'readline', 'rlcompleter'}
# What only the package for tests imports; pytest for its plugin.
TESTING = {'atexit', 'base64', 'contextlib', 'io', 'shutil', 'signal', 'socket', 'subprocess', 'tempfile',
           'threading'}

COMMAND = re.compile(r'(show|get|set|add|del|clear|enable|disable|shutdown|prepare|commit) ')


def modules():
    """Return a dict from the name of each module within the package to its source file."""
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
    """Return the full names of what a module imports, anywhere in its code."""
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
    """Return the ids (see :func:`id`) of the string nodes that are docstrings."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)) and node.body:
            first = node.body[0]
            if isinstance(first, ast.Expr) and text_of(first.value) is not None:
                found.add(id(first.value))
    return found


def text_of(node):
    """Return the text of a string node, or None for any other node."""
    kind = type(node).__name__
    if kind not in ('Str', 'Bytes', 'Constant'):
        return None
    value = node.value if kind == 'Constant' else node.s
    if isinstance(value, bytes):
        value = value.decode('utf-8')
    return value if isinstance(value, type(u'')) else None


def imports_of_ours(name):
    """Return the modules of this package that a module imports."""
    return [full[len('haproxyadmin'):].lstrip('.') for full in imports(TREES[name])
            if full.split('.')[0] == 'haproxyadmin']


def test_the_table_names_every_module():
    assert set(FLOOR_OF) | set(PACKAGES) == set(MODULES)
    assert sum(map(len, FLOORS)) == len(FLOOR_OF)


@pytest.mark.parametrize('name', ['', 'internal', 'testing'])
def test_a_package_that_imports_later_lists_all_of_its_modules(name):
    package = importlib.import_module('.'.join(['haproxyadmin', name]).rstrip('.'))
    start = name + '.' if name else ''
    assert package._MODULES == sorted(
        other[len(start):] for other in MODULES
        if other.startswith(start) and other not in ('', '__main__')
        and '.' not in other[len(start):])
    block, = [node for node in TREES[name].body if is_for_type_checkers(node)]
    listed = set(alias.name for node in block.body for alias in node.names)
    assert listed == set(package.__all__)


def is_for_type_checkers(node):
    """Return True for ``if TYPE_CHECKING``, which is never true."""
    return isinstance(node, ast.If) and getattr(node.test, 'id', None) == 'TYPE_CHECKING'


def test_nothing_is_checked_for_types_when_it_runs():
    assert haproxyadmin.TYPE_CHECKING is haproxyadmin.internal.TYPE_CHECKING is False
    assert haproxyadmin.testing.TYPE_CHECKING is False


@EVERY_MODULE
def test_imports_run_downward(name):
    if name in PACKAGES + ['']:
        # Two threads that import a package and a module of it would wait for each other.
        real = [node for node in TREES[name].body if not is_for_type_checkers(node)]
        assert set(imports(ast.Module(body=real))) <= {'haproxyadmin', 'sys', 'types'}
        return
    above = [other for other in imports_of_ours(name)
             if other not in PACKAGES and FLOOR_OF[other] >= FLOOR_OF[name]]
    assert not above


@pytest.mark.parametrize('name', [
    name for floor in FLOORS for name in floor
    if FLOOR_OF[name] < FLOOR_OF['internal.grouping']])
def test_what_runs_operations_asks_no_process_object(name):
    """An operation needs only its endpoint: socket, timeout, retries, and who replied."""
    names = set(node.attr for node in ast.walk(TREES[name]) if isinstance(node, ast.Attribute))
    assert not names & {'hap_process', 'live', 'in_memory'}
    assert not [node.id for node in ast.walk(TREES[name])
                if isinstance(node, ast.Name) and node.id == 'process']


def lines_of_code(node, source):
    """Return how many lines a module or class has, without docstrings, comments and blank lines."""
    lines = source.split('\n')
    counted = set(range(getattr(node, 'lineno', 1), last_line(node) + 1))
    for child in ast.walk(node):
        body = getattr(child, 'body', None)
        if isinstance(child, (ast.Module, ast.ClassDef, ast.FunctionDef)) and body and isinstance(
                body[0], ast.Expr) and text_of(body[0].value) is not None:
            text = ast.get_docstring(child, clean=False)
            first = next(number for number in range(getattr(child, 'lineno', 1), len(lines) + 1)
                         if '"""' in lines[number - 1])
            counted -= set(range(first, first + text.count('\n') + 1))
    return len([number for number in counted
                if lines[number - 1].strip() and not lines[number - 1].strip().startswith('#')])


def last_line(node):
    return max([getattr(child, 'lineno', 1) for child in ast.walk(node)])


@EVERY_MODULE
def test_no_module_is_large(name):
    with open(MODULES[name]) as source:
        assert lines_of_code(TREES[name], source.read()) <= 500


# Lines of code. Each family of commands has its own module; a class that has to grow here gets in
# the way of the next family.
@pytest.mark.parametrize('module, name, most', [
    ('haproxy', 'HAProxy', 170), ('internal.process', '_HAProxyProcess', 95),
    ('reading', 'Reading', 110), ('facade', 'Facade', 90)])
def test_the_central_classes_stay_small(module, name, most):
    node, = [node for node in TREES[module].body
             if isinstance(node, ast.ClassDef) and node.name == name]
    with open(MODULES[module]) as source:
        assert 10 < lines_of_code(node, source.read()) <= most


def test_a_method_of_haproxy_only_passes_on():
    """The work is done by the module of the family."""
    node, = [node for node in TREES['haproxy'].body
             if isinstance(node, ast.ClassDef) and node.name == 'HAProxy']
    with open(MODULES['haproxy']) as source:
        text = source.read()
    long = [method.name for method in node.body if isinstance(method, ast.FunctionDef)
            and lines_of_code(method, text) > 8]
    assert not long


def test_the_methods_for_acls_and_maps_are_the_documented_ones():
    """New methods belong in a class of their own."""
    public = sorted(name for name in vars(maps.PatternMethods) if not name.startswith('_'))
    assert public == sorted(
        [action + kind for kind in ('_acl', '_map') for action in
         ('show', 'get', 'add', 'del', 'clear')] + ['set_map']
        + [action + kind + '_entries' for kind in ('_acl', '_map') for action in ('add', 'del')])


@EVERY_MODULE
def test_nothing_is_imported_but_six_and_the_standard_library(name):
    outer = set(full.split('.')[0] for full in imports(TREES[name])) - {'haproxyadmin'}
    assert not outer - STANDARD - {'six'} - (CONSOLE if name == '__main__' else set()) - (
        TESTING if is_for_tests(name) else set()) - (
            {'pytest'} if name == 'testing.pytest_plugin' else set())


def is_for_tests(name):
    return name.split('.')[0] == 'testing'


@EVERY_MODULE
def test_the_library_imports_nothing_that_is_for_tests(name):
    if not is_for_tests(name):
        assert not list(filter(is_for_tests, imports_of_ours(name)))


@pytest.mark.parametrize('name', ['testing.launching', 'testing.origins'])
def test_a_python_without_six_can_run_haproxy(name):
    assert not set(imports_of_ours(name)) - {'testing.origins'} and 'six' not in imports(TREES[name])


@EVERY_MODULE
def test_sockets_are_opened_in_one_place(name):
    calls = [node for node in ast.walk(TREES[name]) if isinstance(node, ast.Attribute)
             and node.attr in ('socket', 'create_connection', 'socketpair', 'connect')]
    if name == 'protocol.transport' or name in (
            'testing.launching', 'testing.origins', 'testing.sockets'):
        assert calls
        return
    if is_for_tests(name):
        # `connect` is a method of both HAProxies, and `socket` has functions for addresses.
        assert not [node for node in calls if node.attr != 'connect']
        return
    assert not calls
    # On Python 2 its errors are caught as _socket.error.
    assert '_socket' not in imports(TREES[name]) or name in (
        'exceptions', 'imports', 'protocol.addresses', 'protocol.tls')
    assert 'socket' not in imports(TREES[name])


@EVERY_MODULE
def test_commands_are_built_in_one_place(name):
    """The exception is protocol/replies.py, which contains replies that name a command."""
    if name.startswith('testing.families.'):
        # They declare which commands they answer.
        return
    skipped = docstrings(TREES[name])
    found = [text_of(node) for node in ast.walk(TREES[name])
             if text_of(node) is not None and id(node) not in skipped
             and COMMAND.match(text_of(node))]
    if name == 'protocol.commands':
        assert len(found) > 10
    elif name in ('testing.launching', 'testing.throwaway'):
        # They ask HAProxy whether it runs, as another program would.
        assert all(text.startswith('show ') for text in found)
    elif name == 'protocol.replies':
        assert all('<b>/<s>' in text for text in found)
    else:
        assert not found


@EVERY_MODULE
def test_only_fanout_sends(name):
    """Fan-out happens in one place; connected_socket() queries one socket, as documented."""
    calls = [node for node in ast.walk(TREES[name]) if isinstance(node, ast.Attribute)
             and node.attr == 'exchange_all']
    assert len(calls) == {'internal.fanout': 1, 'utils': 1}.get(name, 0)


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
    """[CSVLine] The published lists of metrics are constants."""
    constants = [metrics.FRONTEND_METRICS, metrics.BACKEND_METRICS, metrics.SERVER_METRICS]
    mutable = [(kind.__name__, name) for kind in classes() for name, value in vars(kind).items()
               if isinstance(value, (list, dict, set, bytearray)) and not name.startswith('__')
               and not any(value is constant for constant in constants)
               and not hasattr(kind, '_fields')]  # fields of a namedtuple
    assert mutable == [('CSVLine', 'heads')]


# Docstrings

PUBLIC = [crt_lists.CrtList, haproxy.HAProxy, frontend.Frontend, backend.Backend, server.Server, Reading,
          snapshot.Snapshot, Facade, stats.CSVLine, Overview, patterns.Acl, patterns.Map,
          peers.PeersSection, resolvers.ResolversSection, sessions.Session, tables.Table,
          certificates.Certificate, ca_files.TrustFile, ca_files.CaFile, ca_files.CrlFile,
          tls.TlsMethods, throwaway.Origin, throwaway.ThrowawayHAProxy] + [
    kind for _, kind in inspect.getmembers(exceptions, inspect.isclass)
    if kind.__module__ == 'haproxyadmin.exceptions' and not kind.__name__.startswith('_')]


def public_functions():
    """Return ``(name, node)`` for every public function and method of the package."""
    found = []
    for module in MODULES:
        for node in TREES[module].body:
            if isinstance(node, ast.FunctionDef):
                found.append((module, '', node))
            elif isinstance(node, ast.ClassDef):
                found.extend((module, node.name, inner) for inner in node.body
                             if isinstance(inner, ast.FunctionDef))
    return [('.'.join(filter(None, [module, owner, node.name])), node)
            for module, owner, node in found if not node.name.startswith('_')]


FUNCTIONS = public_functions()
DOCUMENTED_UTILS = ['calculate', 'check_command', 'check_command_addr_port', 'check_output',
                    'cmd_across_all_procs', 'compare_values', 'connected_socket', 'converter',
                    'elements_of_list_same', 'info2dict', 'is_unix_socket', 'isint', 'should_die',
                    'stat2dict']
PUBLIC_MODULES = ['haproxy', 'frontend', 'backend', 'server', 'snapshot', 'reading', 'common',
                  'crt_lists', 'differences', 'facade', 'maps', 'ocsp', 'overview', 'patterns',
                  'peers', 'resolvers', 'rotation', 'servers_state', 'sessions', 'tables',
                  'tickets', 'tls', 'certificates', 'ca_files', 'watch', 'workers', 'exceptions',
                  'testing', 'testing.fake', 'testing.faults', 'testing.throwaway']


def documented():
    """Return ``(name, node, docstring)`` for everything that the documentation lists.

    The docstring is the one that :func:`help` shows, after decorators have completed it.
    """
    found = []
    for name, node in FUNCTIONS:
        module, _, inner = name.rpartition('.')
        owner = importlib.import_module(('haproxyadmin.' + module).rstrip('.')) \
            if module in MODULES else None
        if owner is None:
            module, _, kind = module.rpartition('.')
            if module not in PUBLIC_MODULES:
                continue
            owner = getattr(importlib.import_module('haproxyadmin.' + module), kind)
        elif module not in ('combine', 'methods', 'parsers.info', 'parsers.stats', 'parsers.values',
                            'utils') or inner not in DOCUMENTED_UTILS:
            continue
        found.append((name, node, inspect.getdoc(vars(owner)[inner]) or ''))
    return found


DOCUMENTED = documented()
# Methods that take ``die``, besides those for ACLs and maps, and the decorators that add it.
TAKING_DIE = ['setmaxconn', 'setratelimitconn', 'setratelimitsess', 'setratelimitsslsess',
              'clearcounters', 'command', 'errors', 'enable', 'disable', 'setstate',
              'setweight', 'shutdown', 'reload', 'differences', 'wait_until', 'drain', 'takeout', 'bringback',
              'add_server', 'del_server', 'setaddress', 'setfqdn', 'setssl', 'sethealth',
              'setagent', 'enable_health', 'disable_health', 'enable_agent', 'disable_agent',
              'setcheckaddr', 'setcheckport', 'setagentaddr', 'setagentsend', 'save_servers_state',
              'restore_servers_state', 'shutdown_sessions', 'replace', 'sync', 'load_file', 'save_file',
              'CrtList.add', 'CrtList.remove', 'Table.set', 'Table.remove', 'Table.clear',
              'update_certificate', 'add_certificate', 'Certificate.update', 'Certificate.abort',
              'Certificate.delete', 'set_ocsp_response', 'update_ocsp_response',
              'set_tls_ticket_key', 'add_ca_file', 'add_crl_file', 'TrustFile.update',
              'TrustFile.abort', 'TrustFile.delete', 'CaFile.add']
DIE_DECORATORS = {'changes', 'changes_all_or_none', 'changes_entries', 'changes_many',
                  'reads_entries', 'takes_die', 'waits'}


def decorators(node):
    named = [getattr(decorator, 'func', decorator) for decorator in node.decorator_list]
    return [getattr(decorator, 'id', getattr(decorator, 'attr', '')) for decorator in named]


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
    # What answers a command is described by the command that it is declared with.
    wrong = [name for name, node in FUNCTIONS if not {'setter', 'command'} & set(decorators(node))
             and not (ast.get_docstring(node) or '').split('\n')[0].endswith(('.', '::'))]
    assert not wrong


def test_every_docstring_tells_what_goes_in_and_what_comes_out():
    wrong = []
    for name, node, text in DOCUMENTED:
        if 'setter' in decorators(node):
            continue
        arguments = [getattr(argument, 'arg', getattr(argument, 'id', ''))
                     for argument in node.args.args]
        needed = [':param {0}:'.format(argument) for argument in arguments if argument != 'self']
        if DIE_DECORATORS & set(decorators(node)):
            needed += [':param die:', ':raises ', ':return:']
        if raises(node):
            needed.append(':raises ')
        wrong.extend((name, part) for part in needed if part not in text)
        if returns_something(node) and ':return:' not in text and ':rtype:' not in text:
            wrong.append((name, ':return: or :rtype:'))
    assert not wrong


def test_every_documented_function_is_there():
    names = [name for name, _, _ in DOCUMENTED]
    assert sorted(name.split('.')[-1] for name in names
                  if name.split('.')[-1] in DOCUMENTED_UTILS) == DOCUMENTED_UTILS
    assert len(names) > 80
    assert server.Server.address.fset and server.Server.port.fset


def test_every_method_that_changes_something_takes_die():
    """[verdicts]"""
    wrong, right = [], []
    for name, node, _ in DOCUMENTED:
        if is_for_tests(name):
            continue
        last = name.split('.')[-1]
        # ``Table.set``, because some other ``set`` may be none.
        both = '.'.join(name.split('.')[-2:])
        if {last, both} & set(TAKING_DIE) or re.search(r'_(acl|map)(_entries)?$', last):
            (right if DIE_DECORATORS & set(decorators(node)) else wrong).append(name)
    assert not wrong
    assert len(right) >= 24
