# SPDX-License-Identifier: Apache-2.0
"""Every public name is in the API reference, has a type, and is used by an example that is run.

Tests run the examples: those at the prompt in README.rst, in the pages and in docstrings, and the
programs of the pages (``tests/examples/``).
"""
import ast
import glob
import importlib
import inspect
import os
import re
import sys

import pytest

from tests.house.test_architecture import PUBLIC_MODULES, text_of
from tests.support import ROOT, surface
from tests.support.package import PACKAGE

pytestmark = pytest.mark.skipif(sys.version_info < (3, 7), reason='reads the code of Python 3')

MODULES = PUBLIC_MODULES + ['utils']
SURFACE = surface.Surface(MODULES)
# What the accessors of HAProxy, and the exceptions themselves, are made of.
PARTS = ['haproxyadmin.certificates.describe', 'haproxyadmin.workers.Workers',
         'haproxyadmin.workers.Workers.list', 'haproxyadmin.workers.Workers.reload_all',
         'haproxyadmin.exceptions.HAProxyBaseError.set_context',
         'haproxyadmin.exceptions.HAProxyBaseError.set_results']
NAMES = [name for name in SURFACE.names if name not in PARTS]
PAGES = surface.pages()

_DIRECTIVE = re.compile(
    r'^\.\. auto(?:module|class|function|exception|data):: *(\S+)\n((?: +:.*\n(?: {7,}\S.*\n)*)*)',
    re.MULTILINE)
_OPTION = re.compile(r'^ +:([\w-]+):(.*(?:\n {7,}\S.*)*)', re.MULTILINE)
_DATA = re.compile(r'^\.\. (?:py:)?(?:data|exception):: *(\S+\n(?: {6,}\S+\n)*)', re.MULTILINE)


def kind_of(name):
    """Return the class that a name is a member of, or None, and the last part of the name."""
    module, _, last = name.rpartition('.')
    owner = module.split('.')[-1]
    return (SURFACE.is_class(owner) or _base(module)) if owner[:1].isupper() else None, last


def _base(full):
    """Return a class that is public only as a base of others."""
    module, _, name = full.rpartition('.')
    return getattr(importlib.import_module(module), name)


def test_what_is_public():
    assert len(NAMES) > 480
    assert set(PARTS) < set(SURFACE.names)
    for name in ('server.Server.setweight', 'facade.Facade.status', 'tables.Table.set',
                 'parsers.sessions.SessionDetails.flags', 'utils.isint', 'STATE_DRAIN',
                 'exceptions.Conflict.polluted', 'reading.Reading.frontends'):
        assert 'haproxyadmin.' + name in NAMES


# The API reference

def _imported(full):
    """Return what a directive names."""
    module, names = full, []
    while True:
        try:
            found = importlib.import_module(module)
            break
        except ImportError:
            module, _, last = module.rpartition('.')
            names.insert(0, last)
    for name in names:
        found = getattr(found, name)
    return found


def _shown():
    """Return what the pages show by autodoc, and its options; and the names of data."""
    shown, data = [], set()
    for text in PAGES.values():
        for name, options in _DIRECTIVE.findall(text):
            shown.append((_imported(name), dict(
                (option, value.split()) for option, value in _OPTION.findall(options))))
        for names in _DATA.findall(text):
            data.update(name.split('.')[-1] for name in names.split())
    return shown, data


def missing_in_the_reference(shown, data):
    """Return the public names that no page shows."""
    classes = [(found, options) for found, options in shown if inspect.isclass(found)]
    functions = [found for found, _ in shown if inspect.isfunction(found)]
    for module, options in shown:
        if inspect.ismodule(module):
            functions += [getattr(module, name.rstrip(',')) for name in options.get('members', [])]
    return [name for name in NAMES
            if not _is_shown(name, SURFACE.names[name], classes, functions, data)]


def _is_shown(name, value, classes, functions, data):
    kind, last = kind_of(name)
    if kind is not None:
        return any(_shows_member(found, options, kind, last) for found, options in classes
                   + [(each, {}) for each in functions if inspect.isclass(each)])
    if inspect.isclass(value) and value.__name__ != last:
        # Another name for it, which somebody looks for.
        return last in data
    if inspect.isclass(value):
        # The page of a class shows what it inherits.
        return any(issubclass(found, value) for found, _ in classes) or value in functions
    if inspect.isfunction(value):
        return value in functions
    return last in data


def _shows_member(found, options, kind, last):
    if not issubclass(found, kind):
        return False
    if re.search(r'(``|``{0}\.|:param ){1}(``|:)'.format(found.__name__, last),
                 found.__doc__ or ''):
        return True
    listed = [name.rstrip(',') for name in options.get('members', ['-'])]
    text = inspect.getdoc(getattr(kind, last, None)) or ''
    # What Python says of a field of a namedtuple says nothing.
    return (not listed or last in listed) and bool(text) and not text.startswith('Alias') and (
        found is kind or last in vars(found) or 'inherited-members' in options)


def test_every_name_is_in_the_reference():
    assert not missing_in_the_reference(*_shown())


def test_a_name_that_no_page_shows_is_found():
    shown, data = _shown()
    without = [(found, options) for found, options in shown
               if getattr(found, '__name__', '') not in ('Table', 'Delta', 'Worker')]
    missing = missing_in_the_reference(without, data - {'STATE_DRAIN'})
    for name in ('tables.Table', 'tables.Table.entries', 'internal.contents.Delta.added',
                 'workers.Worker.pid', 'STATE_DRAIN'):
        assert 'haproxyadmin.' + name in missing
    assert 'haproxyadmin.common.Named.name' not in missing


# Types

STUBS = sorted(glob.glob(os.path.join(PACKAGE, '*.pyi'))
               + glob.glob(os.path.join(PACKAGE, '*', '*.pyi')))


def _stubbed():
    """Return the members of each class in the stubs, with its bases, and all other names."""
    classes, names = {}, set()
    for stub in STUBS:
        with open(stub) as text:
            tree = ast.parse(text.read())
        names.update(_declared(tree.body))
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef):
                bases = [getattr(base, 'id', getattr(base, 'attr', '')) for base in node.bases]
                known, before = classes.get(node.name, (set(), []))
                classes[node.name] = known | _declared(node.body), before + bases
    return classes, names


def _declared(body):
    found = set()
    for node in body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            found.add(node.name)
        elif isinstance(node, ast.AnnAssign):
            found.add(node.target.id)
        elif isinstance(node, ast.Assign):
            found.update(target.id for target in node.targets)
        elif isinstance(node, ast.If):
            found |= _declared(node.body) | _declared(node.orelse)
        elif isinstance(node, ast.ImportFrom):
            found.update(alias.asname or alias.name for alias in node.names)
    return found


def _members(classes, name):
    """Return the members of a class, and those of its bases."""
    own, bases = classes.get(name, (set(), []))
    return own.union(*[_members(classes, base) for base in bases if base != name])


def missing_in_the_stubs(classes, names):
    """Return the public names without a type."""
    missing = []
    for name in NAMES:
        kind, last = kind_of(name)
        known = names if kind is None else _members(classes, kind.__name__)
        if last not in known and name not in ('haproxyadmin.exceptions.InconsistentData',):
            missing.append(name)
    return missing


@pytest.mark.skipif(not STUBS, reason='there are no stubs')
def test_every_name_has_a_type():
    assert not missing_in_the_stubs(*_stubbed())


def test_a_name_without_a_type_is_found():
    assert len(missing_in_the_stubs({}, set())) == len(NAMES)
    classes = {'Table': ({'set'}, ['Named']), 'Named': ({'name'}, [])}
    missing = missing_in_the_stubs(classes, {'Table'})
    for name in ('tables.Table', 'tables.Table.set', 'common.Named.name'):
        assert 'haproxyadmin.' + name not in missing
    assert 'haproxyadmin.tables.Table.clear' in missing


# Examples

def programs_run(code):
    """Return the names of the programs that a test of the pages runs."""
    calls = [node for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Call)]
    return {text_of(call.args[0]) for call in calls if call.args and getattr(
        call.func, 'attr', getattr(call.func, 'id', '')) in ('run', 'run_quietly', 'start')}


def all_programs_run():
    found = set()
    for module in glob.glob(os.path.join(ROOT, 'tests', 'examples', '*.py')):
        with open(module) as text:
            found |= programs_run(text.read())
    return found


def used_by_examples():
    """Return the public names that an example uses, of those that are run."""
    run, used = all_programs_run(), set()
    programs = surface.program_files()
    for text in PAGES.values():
        used |= surface.names_used(SURFACE, surface.examples_of(text))
        programs.update(surface.programs_of(text))
    for name, code in programs.items():
        if name in run:
            used |= surface.names_used(SURFACE, [code])
    for _, text in surface.docstrings(MODULES):
        used |= surface.names_used(SURFACE, surface.examples_of(text))
    return used


def test_every_name_has_an_example():
    used = used_by_examples()
    assert not [name for name in NAMES if name not in used]


def test_every_program_is_run():
    assert not set(surface.program_files()) - all_programs_run()


def test_a_program_counts_if_it_is_run():
    assert programs_run(
        "programs.run('a.py', '1')\nstart('b.py')\nprograms.run_quietly('c.py')") == {
            'a.py', 'b.py', 'c.py'}
    assert programs_run("'''run('a.py')'''\nread('b.py')\nprograms.run(name, 'c.py')") == {None}


@pytest.mark.parametrize('code, used, not_used', [
    ("hap.table('a').set('b', gpc0=1)", ['tables.Table.set'], ['patterns.Acl.add']),
    ("for each in hap.acls():\n    each.add('a')", ['patterns.Acl.add', 'patterns.Acl'],
     ['crt_lists.CrtList.add', 'ca_files.CaFile.add']),
    # Nobody knows what it is.
    ("def run(thing):\n    thing.add('a')\n    thing.setweight(1)", ['server.Server.setweight'],
     ['patterns.Acl.add', 'crt_lists.CrtList.add', 'ca_files.CaFile.add']),
    ("x = hap.backend('a').servers()[0]\nx.shutdown()", ['server.Server.shutdown'],
     ['sessions.Session.shutdown', 'frontend.Frontend.shutdown']),
    ("for number, found in hap.certificate('a').details_per_process():\n    found.subject",
     ['certificates.CertificateDetails.subject'], ['certificates.Certificate.subject']),
    ('try:\n    pass\nexcept exceptions.NotSupported as error:\n    error.command',
     ['exceptions.NotSupported', 'exceptions.CommandFailed', 'exceptions.HAProxyBaseError.command'],
     ['exceptions.Conflict', 'reading.Reading.command']),
])
def test_which_names_an_example_uses(code, used, not_used):
    found = surface.names_used(SURFACE, [code])
    assert set('haproxyadmin.' + name for name in used) <= found
    assert not set('haproxyadmin.' + name for name in not_used) & found


def test_what_an_example_prints_counts():
    examples = surface.examples_of(
        '>>> hap.x()\nDone(changed=True)\n\n>>> hap.y()\nTraceback (most recent call last):\n'
        '    ...\nhaproxyadmin.exceptions.Conflict: no\n')
    found = surface.names_used(SURFACE, examples)
    assert {'haproxyadmin.certificates.Done.changed',
            'haproxyadmin.exceptions.Conflict'} <= found
