# SPDX-License-Identifier: Apache-2.0
"""__main__.py: the console."""
import os
import stat
import sys
import types

import pytest
import six

from haproxyadmin import __main__ as console
from haproxyadmin.testing import faults


class Terminal(object):
    """The standard input of a console."""

    def isatty(self):
        return True


@pytest.fixture
def opened(monkeypatch):
    """Return a list of the arguments with which a console is opened."""
    found = []
    monkeypatch.setattr(console, 'interact', lambda *arguments: found.append(arguments))
    monkeypatch.setattr(sys, 'stdin', Terminal())
    return found


def refused(arguments, capsys):
    """Return what is printed when no console is opened."""
    with pytest.raises(SystemExit) as ended:
        console.main(arguments)
    assert ended.value.code == 2
    usage, _, error = capsys.readouterr().err.partition('error: ')
    assert 'usage: python -m haproxyadmin' in usage and error.count('\n') == 1
    return error


@pytest.mark.parametrize('arguments', [
    lambda started: [started.directory],
    lambda started: started.paths,
    lambda started: ['--timeout', '30', '--plain', started.directory],
])
def test_it_defines_hap_over_the_addresses(arguments, fleet, opened):
    started = fleet('3.2', 2)
    assert console.main(arguments(started)) == 0
    (names, banner, plain), = opened
    assert sorted(names) == ['exceptions', 'hap', 'haproxy', 'haproxyadmin']
    assert names['haproxy'].STATE_MAINT == 'maint'
    assert sorted(process.socket_file for process in names['hap']._processes) == started.paths
    assert 'HAProxy 3.2' in banner and ', 2 processes\n' in banner and 'hap.<Tab>' in banner
    assert plain is ('--plain' in arguments(started))


def test_its_greeting_tells_what_did_not_answer_and_all_versions(fleet, opened):
    started = fleet('2.2', 1)
    started.add('new.sock', version='2.8', pid=77)
    gone = started.stale()
    assert console.main(started.paths + [gone]) == 0
    banner = opened[0][1]
    left_out, = [line for line in banner.split('\n') if line.startswith('left out: ')]
    assert left_out.count(gone) == 1
    assert 'HAProxy 2.2' in banner and ' and 2.8' in banner


def test_without_an_address_it_takes_the_first_usual_place_that_answers(
        fleet, opened, monkeypatch, tmpdir):
    started = fleet('2.2', 1)
    monkeypatch.setattr(console, 'PLACES', [
        '/nonexistent', str(tmpdir), started.directory, started.stale()])
    assert console.main([]) == 0
    assert opened[0][0]['hap']._processes[0].socket_file == started.paths[0]


def test_if_there_is_none_it_says_what_to_pass(opened, monkeypatch, capsys, tmpdir):
    monkeypatch.setattr(console, 'PLACES', ['/nonexistent/1', '/nonexistent/2'])
    assert refused([], capsys) == ('pass the address of a stats socket: none of /nonexistent/1, '
                                   '/nonexistent/2 is there\n')
    monkeypatch.setattr(console, 'PLACES', [str(tmpdir), '/nonexistent/2'])
    assert str(tmpdir) in refused([], capsys)
    assert not opened


@pytest.mark.parametrize('arguments', [['/nonexistent'], ['host'], ['--timeout', '-1', '/tmp'],
                                       ['--master', '/nonexistent']])
def test_what_does_not_answer_is_one_line_and_no_traceback(arguments, opened, capsys):
    assert refused(arguments, capsys) and not opened


def test_who_has_gone_before_the_greeting_is_one_line_too(fleet, opened, capsys):
    started = fleet('2.2', 1)
    started[0].next(*[faults.answering()] + [faults.closing()] * 9)
    assert started.paths[0] in refused(started.paths, capsys) and not opened


def test_it_speaks_of_its_options(opened, monkeypatch, capsys):
    def refuse(**options):
        raise ValueError('if this is the socket of a master, use master=')
    module = types.ModuleType('haproxyadmin')
    module.HAProxy, module.__version__ = refuse, '0'
    # Not the attribute of the package, which would keep it afterwards.
    monkeypatch.setattr(console, 'haproxyadmin', module)
    assert refused(['/run/m.sock'], capsys).endswith('use --master\n')


def test_without_a_terminal_it_runs_the_script_that_it_reads(fleet, monkeypatch, capsys):
    started = fleet('2.2', 1)
    monkeypatch.setattr(sys, 'stdin', six.StringIO(
        'for backend in hap.backends("backend_proc1"):\n    print(len(backend))\n'))
    monkeypatch.setattr(console, 'interact', None)
    assert console.main(started.paths) == 0
    assert capsys.readouterr().out == '5\n'


def test_an_error_of_the_script_is_raised(fleet, monkeypatch):
    monkeypatch.setattr(sys, 'stdin', six.StringIO('hap.backend("nope")'))
    with pytest.raises(ValueError):
        console.main(fleet('2.2', 1).paths)


# Completion

def complete(names, text):
    completer, found = console.make_completer(names), []
    while True:
        match = completer(text, len(found))
        if match is None:
            return found
        found.append(match)


@pytest.fixture
def names(fleet):
    started = fleet('2.2', 1)
    hap = started.haproxy()
    names = {'hap': hap, 'server': hap.servers()[0], 'os': os}
    started.forget()
    yield names
    assert started.connections == [0], 'completing has asked HAProxy'


@pytest.mark.parametrize('text, found', [
    ('hap.fronte', ['hap.frontend(', 'hap.frontends(']),
    ('hap.maxc', ['hap.maxconn']),
    ('hap.setmaxc', ['hap.setmaxconn(']),
    ('server.statu', ['server.status']),
    ('server.status.upp', []),
    ('server.setwei', ['server.setweight(']),
    ('server.name.upp', []),
    ('os.path.joi', ['os.path.join(']),
    ('nothing.x', []),
    ('hap..', []),
    ('hap._fou', ['hap._found']),
    ('serv', ['server']),
])
def test_it_completes_names_without_asking_haproxy(text, found, names):
    assert complete(names, text) == found


def test_it_shows_no_private_names_unless_they_are_begun(names):
    shown = complete(names, 'hap.')
    assert 'hap.backends(' in shown and 'hap.version' in shown
    assert not [name for name in shown if name.startswith('hap._')]


# Which console, and its history

def test_it_is_ipython_where_it_is_installed(monkeypatch, capsys):
    started = []
    module = types.ModuleType('IPython')
    module.start_ipython = lambda **options: started.append(options)
    monkeypatch.setitem(sys.modules, 'IPython', module)
    console.interact({'hap': 1}, 'hello')
    assert started == [{'argv': ['--no-banner'], 'user_ns': {'hap': 1}}]
    assert capsys.readouterr().out == 'hello\n'


@pytest.mark.parametrize('plain, installed', [(True, True), (False, False)])
def test_otherwise_it_is_that_of_python(plain, installed, monkeypatch, tmpdir):
    opened = []
    monkeypatch.setattr(console.code, 'interact', lambda *given, **named: opened.append(
        (given, named)))
    monkeypatch.setattr(console, '_prepare_readline', lambda names: lambda: opened.append('saved'))
    monkeypatch.setitem(sys.modules, 'IPython', types.ModuleType('IPython') if installed else None)
    console.interact({'hap': 1}, 'hello', plain)
    assert opened == [(('hello',), {'local': {'hap': 1}}), 'saved']


def test_its_history_can_be_read_by_nobody_else(monkeypatch, tmpdir):
    class Readline(object):
        def write_history_file(self, path):
            with open(path, 'a') as history:
                history.write('hap.set_tls_ticket_key(...)\n')
    path = tmpdir.join('history')
    console._save_history(Readline(), str(path))
    assert stat.S_IMODE(os.stat(str(path)).st_mode) == 0o600
    assert path.read() == 'hap.set_tls_ticket_key(...)\n'


def test_a_history_that_cannot_be_saved_is_no_error(tmpdir, capsys):
    console._save_history(None, str(tmpdir.join('none', 'history')))
    assert capsys.readouterr().err == ''
    console._save_history(None, str(tmpdir))
    assert capsys.readouterr().err.startswith('the history is not saved: ')
