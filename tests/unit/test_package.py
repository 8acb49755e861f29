# SPDX-License-Identifier: Apache-2.0
"""The package itself and imports.py: what is imported, and when."""
import _socket
import copy
import modulefinder
import os
import pickle
import re
import socket
import subprocess
import sys
import types

import pytest

import haproxyadmin
from haproxyadmin import exceptions, haproxy, imports
from tests.support import fakes

HERE = os.path.dirname(os.path.dirname(os.path.abspath(haproxyadmin.__file__)))

# Of ours, all that a check imports: HAProxy, one frontend's requests, one server's status. A module
# that is not needed for this belongs in a function that needs it.
NEEDED = [
    '', 'backend', 'combine', 'common', 'exceptions', 'facade', 'frontend', 'haproxy', 'imports',
    'internal', 'internal.backend', 'internal.base', 'internal.calls', 'internal.discovery',
    'internal.endpoint', 'internal.fanout', 'internal.frontend', 'internal.frozen',
    'internal.grouping', 'internal.listing', 'internal.patterns', 'internal.process',
    'internal.rows', 'internal.server', 'internal.slots', 'maps', 'methods', 'parsers',
    'parsers.errors', 'parsers.info', 'parsers.lines', 'parsers.patterns', 'parsers.stats',
    'parsers.values', 'protocol', 'protocol.addresses', 'protocol.commands', 'protocol.errors',
    'protocol.metrics', 'protocol.polling', 'protocol.replies', 'protocol.transport',
    'protocol.versions', 'protocol.words', 'reading', 'server', 'snapshot', 'spelling', 'tls',
    'utils']
# Of the standard library, what takes long to import, and a check has no use for.
SPARED = ['csv', 'difflib', 'enum', 'importlib.metadata', 'inspect', 'json', 'logging', 'numbers', 're',
          'selectors', 'socket', 'ssl', 'subprocess', 'tempfile', 'textwrap', 'traceback', 'uuid']

CHECK = """
import sys
before = set(sys.modules)
from haproxyadmin import haproxy
hap = haproxy.HAProxy(socket_dir=sys.argv[1], retry=None, timeout=30)
hap.frontend('frontend_proc1').requests
hap.server('backend_proc1_srv1')[0].status
# Python 2 notes with None where it has looked in vain.
found = set(name for name, module in sys.modules.items() if module is not None)
print(' '.join(sorted(found - before)))
"""
LATER = """
import sys
from haproxyadmin import haproxy
hap = haproxy.HAProxy(socket_dir=sys.argv[1], retry=None, timeout=30)
hap.info()
assert 'logging' not in sys.modules
import logging
logging.basicConfig(level=logging.DEBUG, stream=sys.stdout, format='%(name)s %(message)s')
hap.info()
"""
THREADS = """
import sys, threading
import haproxyadmin
failures = []
start = threading.Event()
def read(name):
    start.wait()
    try:
        getattr(haproxyadmin, name)
    except BaseException as error:
        failures.append((name, error))
threads = [threading.Thread(target=read, args=(name,)) for name in haproxyadmin.__all__ * 3]
for thread in threads:
    thread.start()
start.set()
for thread in threads:
    thread.join()
print(failures)
"""
UNPICKLE = """
import pickle, sys
with open(sys.argv[1], 'rb') as file:
    print(repr(pickle.load(file)))
"""
TRACEBACK = """
import haproxyadmin
haproxyadmin.HAProxy(timeout=-1, socket_file='/nonexistent')
"""


def run(program, *arguments):
    """Return what a program prints in a Python of its own, errors included."""
    process = subprocess.Popen(
        [sys.executable, '-S', '-c', program] + list(arguments), stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, env=dict(os.environ, PYTHONPATH=os.pathsep.join(
            [HERE] + [path for path in sys.path if path])))
    return process.communicate()[0].decode('utf-8')


def test_a_check_imports_what_it_needs(fleet):
    imported = run(CHECK, fleet('2.2', 2).directory).split()
    ours = sorted(name[len('haproxyadmin'):].lstrip('.') for name in imported
                  if name.split('.')[0] == 'haproxyadmin')
    assert ours == NEEDED
    assert not set(imported) & set(SPARED)


def test_logging_that_is_switched_on_later_shows_what_is_sent(fleet):
    """[logging]"""
    printed = run(LATER, fleet('2.2', 1).directory).strip().split('\n')
    assert len(printed) == 1
    assert printed[0].startswith("haproxyadmin 'show info' on ")


@pytest.mark.parametrize('modules', [{}, {'logging': None},
                                     {'logging': types.ModuleType('logging')}])
def test_there_is_no_logger_without_logging(modules, monkeypatch):
    """... nor while another thread is importing it."""
    monkeypatch.delitem(sys.modules, 'logging')
    for name, module in modules.items():
        monkeypatch.setitem(sys.modules, name, module)
    assert imports.logger() is None


def test_a_name_that_is_replaced_for_a_while_comes_back(monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(haproxy, 'HAProxy', 'replaced')
        assert haproxyadmin.HAProxy == 'replaced'
    assert haproxyadmin.HAProxy is haproxy.HAProxy


@pytest.mark.parametrize('protocol', range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_package_is_pickled_by_name(protocol):
    """As cloudpickle does with every module."""
    for package in (haproxyadmin, haproxyadmin.internal):
        assert pickle.loads(pickle.dumps(package, protocol)) is package
        assert copy.copy(package) is package


def test_a_pattern_can_be_copied():
    pattern = imports.Pattern(r'b+')
    for copied in (copy.copy(pattern), copy.deepcopy(pattern), pickle.loads(pickle.dumps(pattern))):
        assert copied.search('abb').group() == 'bb'


@pytest.mark.parametrize('modules', [{}, {'socket': None}, {'socket': types.ModuleType('socket')}])
def test_a_socket_needs_no_module_socket(modules, fleet, monkeypatch):
    """... nor one that another thread is importing."""
    hap = fleet('2.2', 1).haproxy()
    monkeypatch.delitem(sys.modules, 'socket')
    for name, module in modules.items():
        monkeypatch.setitem(sys.modules, name, module)
    assert imports.socket_part('socket') is _socket.socket
    assert hap.processids


def test_the_module_socket_is_used_where_it_is_patched(fleet, monkeypatch):
    hap = fleet('2.2', 1).haproxy()
    made = []

    class Patched(socket.socket):
        def __init__(self, *args, **options):
            made.append(args)
            super(Patched, self).__init__(*args, **options)
    monkeypatch.setattr(socket, 'socket', Patched)
    hap.processids
    # The fake makes some, too, for the connections that it accepts.
    assert (socket.AF_UNIX, socket.SOCK_STREAM) in made


def test_a_pattern_is_compiled_once(monkeypatch):
    pattern = imports.Pattern(r'b+')
    assert pattern.search('abb').group() == 'bb'
    monkeypatch.setattr(re, 'compile', None)
    assert pattern.search('abb').group() == 'bb'


def test_threads_may_import_at_the_same_time():
    assert run(THREADS).strip() == '[]'


@pytest.mark.parametrize('make', [
    lambda hap: hap, lambda hap: hap.snapshot(), lambda hap: hap.frontends()[0],
    lambda hap: hap.servers()[0], lambda hap: hap.backends()[0],
    lambda hap: exceptions.CommandFailed('no')])
def test_a_pickle_loads_where_nothing_is_imported(make, fleet, tmpdir):
    thing = make(fleet('2.2', 1).haproxy(timeout=fakes.LONG))
    path = tmpdir.join('pickle')
    path.write_binary(pickle.dumps(thing, 2))
    assert run(UNPICKLE, str(path)).strip() == repr(thing)


def test_what_reads_the_source_finds_everything(tmpdir):
    """PyInstaller, for example, which packs what a program imports."""
    program = tmpdir.join('program.py')
    program.write('import haproxyadmin')
    finder = modulefinder.ModuleFinder([HERE])
    finder.run_script(str(program))
    for name in NEEDED + ['internal.bulk', 'internal.batches', 'snapshot']:
        assert '.'.join(['haproxyadmin', name]).rstrip('.') in finder.modules


def test_a_traceback_shows_real_modules():
    printed = run(TRACEBACK)
    assert os.path.join('haproxyadmin', 'haproxy.py') in printed
    assert 'timeout must be' in printed
    assert haproxyadmin.HAProxy is haproxy.HAProxy
    assert haproxyadmin.HAProxy.__module__ == 'haproxyadmin.haproxy'


@pytest.mark.parametrize('name', haproxyadmin.__all__ + ['snapshot', 'reading', 'maps'])
def test_import_haproxyadmin_makes_everything_reachable(name):
    """[documented names]"""
    assert 'None' not in run('import haproxyadmin; print(haproxyadmin.{0})'.format(name))
    assert 'Error' not in run('from haproxyadmin import {0}'.format(name))


def test_what_is_not_there_is_an_error_as_of_any_module():
    assert not hasattr(haproxyadmin, 'nothing')
    with pytest.raises(AttributeError) as caught:
        haproxyadmin.nothing
    assert str(caught.value) == "module 'haproxyadmin' has no attribute 'nothing'"
    with pytest.raises(ImportError):
        exec('from haproxyadmin import nothing')


def test_dir_lists_what_is_not_imported_yet():
    assert 'STATE_DRAIN' in run('import haproxyadmin; print(dir(haproxyadmin))')


def test_the_package_remains_a_module():
    assert haproxyadmin.__name__ == 'haproxyadmin' and haproxyadmin.__doc__
    assert haproxyadmin.__file__ and haproxyadmin.__path__
    assert sys.modules['haproxyadmin'] is haproxyadmin
