# SPDX-License-Identifier: Apache-2.0
"""The examples of README.rst and the docs, on a real HAProxy; and tools/try."""
import doctest
import os
import re
import select
import shutil
import signal
import ssl
import subprocess
import sys
import tempfile
import textwrap
import traceback

import pytest

from haproxyadmin import __main__ as console_module
from haproxyadmin.haproxy import HAProxy
from tests.conftest import find, setups, versions
from tests.support import ROOT, lab as labs, session, stock

README = 'README.rst'
TRY = os.path.join(ROOT, 'tools', 'try')
PAGES = os.path.join(ROOT, 'docs', 'source')
# The page about several HAProxies, with masters, TCP and TLS; and all pages that use them.
REACHING = os.path.join('docs', 'source', 'user', 'reaching.rst')
WITH_MASTERS = [REACHING, os.path.join('docs', 'source', 'user', 'state.rst')]


TOUR = os.path.join('docs', 'source', 'tour.rst')
START = os.path.join('docs', 'source', 'start.rst')
# The pages whose HAProxy is the one that Debian installs.
ON_DEBIAN = [README, START, os.path.join('docs', 'source', 'index.rst')]


def page(name):
    """Return the path of a page of the User Guide."""
    return os.path.join('docs', 'source', 'user', name + '.rst')


# Pages with a configuration of their own, whose examples run in modules of their own.
RECIPES = [page(name) for name in ('rotation', 'dynamic', 'collections', 'figures', 'resolvers',
                                   'tables', 'tls', 'watch', 'testing')]

NEEDS_3_7 = pytest.mark.skipif(sys.version_info < (3, 7),
                               reason='tools/try is for Python 3.7 and later')

# Examples whose output contains figures that depend on time or chance.
VARYING = re.compile(r'processids|uptime|requests_per_process|metric\(name\)|\.port\b|taken_at')

# Text that depends on the build of HAProxy, on time or on chance, wherever it occurs.
_KINDS = [
    (re.compile(r'0x[0-9a-f]+'), '0x...'),
    (re.compile(r'\b2\.2\.\d+[-+~.\w]*'), 'VERSION'),
    (re.compile(r'\b\d{4}/\d\d/\d\d\b'), 'DATE'),
    (re.compile(r'\b\d+d \d+h\d\dm\d\ds'), 'UPTIME'),
    (re.compile(r'\bline \d+'), 'LINE'),
    (re.compile(r'@!\d+'), '@!PID'),
    (re.compile(r'\b((?:old_|new_)?pids?)=\[?\d+'), r'\1=PID'),
    (re.compile(r'\buptime=\d+'), 'uptime=SECONDS'),
    (re.compile(r'\bseconds=[\d.]+'), 'seconds=SECONDS'),
    # Older Pythons do not say why.
    (re.compile(r'(certificate verify failed).*'), r'\1'),
    (re.compile(r'\d\d/\w{3}/\d{4}:\d\d:\d\d:\d\d\.\d+'), 'TIME'),
    # Python 2 omits the module of an exception.
    (re.compile(r'^haproxyadmin\.exceptions\.(?=\w+: )'), ''),
]


def find_shown():
    """Return the path of the HAProxy version whose output the documents show."""
    if '2.2' not in [setup.version for setup in setups()]:
        pytest.skip('HAProxy 2.2 is not asked for')
    return find('2.2')


def find_with(needed):
    """Return the path of an HAProxy of a version, or of a later one."""
    later = [version for version in versions()
             if [int(part) for part in version.split('.')]
             >= [int(part) for part in needed.split('.')]]
    if not later:
        pytest.skip('no HAProxy from {0} on is asked for'.format(needed))
    return find(later[0])


def start_shown():
    """Start that version."""
    return labs.Lab(find_shown())


def documents():
    """Return the documents that contain examples, relative to the checkout."""
    found = [README]
    for directory, _, names in os.walk(PAGES):
        found += [os.path.relpath(os.path.join(directory, name), ROOT)
                  for name in names if name.endswith('.rst')]
    return sorted(name for name in found if '>>> ' in read(name))


def read(name):
    with open(os.path.join(ROOT, name)) as text:
        return text.read()


def normal(text, varies=False):
    for pattern, word in _KINDS:
        text = pattern.sub(word, text)
    return re.sub(r'\d+', '#', text) if varies else text


def is_shown(example, output):
    """Return whether a document shows what an example prints, or its exception."""
    varies = bool(VARYING.search(example.source))
    return doctest.OutputChecker().check_output(
        normal(example.exc_msg or example.want, varies), normal(output, varies), doctest.ELLIPSIS)


def hold(console, example, where):
    """Run an example and compare what it prints, or its exception, with what the document shows."""
    output, error = console.run(example)
    if error:
        lines = traceback.format_exception_only(type(error), error)
        # Documents omit notes, which Python 3.11 and later print.
        output = ''.join(lines[:len(lines) - len(getattr(error, '__notes__', []))])
    output = console.there(output)
    assert is_shown(example, output), '{0}:{1}: {2}gives\n{3}instead of\n{4}'.format(
        where, example.lineno + 1, example.source, output, example.want)


class Impatient(session.Console):
    """A console that does not wait for a process that a page has ended."""

    def here(self, text):
        return super(Impatient, self).here(text.replace(
            "HAProxy(socket_dir='/run/haproxy')", "HAProxy(socket_dir='/run/haproxy', retry=None)"))


def prepare(console):
    """Define the names that the User Guide defines only once, on its first page."""
    for source in ['from haproxyadmin import haproxy',
                   "hap = haproxy.HAProxy(socket_dir='/run/haproxy', retry=None)"]:
        console.run(doctest.Example(source, ''))


def hold_all(console, name):
    """Run a document and compare what its examples print with what it shows."""
    for step in session.steps(read(name)):
        if isinstance(step, session.Aside):
            console.aside(step)
        else:
            hold(console, step, name)


@pytest.mark.parametrize('name', [
    name for name in documents() if name not in ON_DEBIAN + WITH_MASTERS + RECIPES])
def test_examples_of_a_document(name):
    with start_shown() as started:
        session.send_traffic(started)
        console = Impatient(started)
        if name != TOUR:
            prepare(console)
        hold_all(console, name)


@pytest.mark.parametrize('name', WITH_MASTERS)
def test_examples_about_several_haproxies(name):
    with session.Hosts(find_shown()) as hosts:
        console = session.Console(hosts.lab, hosts=hosts)
        console.run(doctest.Example('from haproxyadmin import haproxy', ''))
        hold_all(console, name)


@pytest.mark.dealt_out
@pytest.mark.parametrize('name', ON_DEBIAN)
@pytest.mark.parametrize('version', versions())
def test_examples_on_debian(version, name):
    """They run on every version."""
    binary = find(version)
    if not os.path.exists(stock.configuration(binary)):
        pytest.skip('not unpacked from a package by tools/get-haproxy: {0}'.format(binary))
    with stock.Stock(binary, block(read(README), 'frontend www')) as started:
        hold_all(session.Console(started.lab, hosts=started), name)


def test_the_readme_in_the_console_of_the_library():
    """``python -m haproxyadmin`` defines all names that the recipes of README.rst need."""
    binary = find(versions()[-1])
    if not os.path.exists(stock.configuration(binary)):
        pytest.skip('not unpacked from a package by tools/get-haproxy: {0}'.format(binary))
    with stock.Stock(binary, block(read(README), 'frontend www')) as started:
        hap = HAProxy(socket_dir=started.lab.socket_dir)
        console = session.Console(started.lab, console_module.names(hap), hosts=started)
        own, rest = session.steps(read(README))[:2], session.steps(read(README))[2:]
        assert [step.source.split()[0] for step in own] == ['from', 'hap']
        for step in rest:
            if isinstance(step, session.Aside):
                console.aside(step)
            else:
                hold(console, step, README)


class TestLinksOfTheReadme(object):

    PLACE = 'https://github.com/unixsurfer/haproxyadmin/blob/master/'
    # Where docs/source is published.
    DOCUMENTATION = 'https://haproxyadmin.readthedocs.io/en/latest/'

    def targets(self):
        return re.findall(r'^\.\. _(.*?): (.*)$', read(README), re.MULTILINE)

    def test_each_is_a_file_or_a_page(self):
        for name, target in self.targets():
            if target.startswith(self.DOCUMENTATION):
                shown, _, anchor = target[len(self.DOCUMENTATION):].partition('#')
                assert re.match(r'[\w/]+\.html\Z', shown), target
                text = read(os.path.join('docs', 'source', shown[:-len('html')] + 'rst'))
                assert not anchor or '.. _{0}:\n'.format(anchor) in text, target
            else:
                assert target.startswith(self.PLACE), name
                path = target[len(self.PLACE):]
                assert os.path.isfile(os.path.join(ROOT, path)), target
                # What GitHub shows of it lacks what other files contain.
                assert not path.startswith('docs/'), target

    def test_each_is_used(self):
        for name, _ in self.targets():
            assert re.search(r'(`{0}`|\b{0})_\b'.format(name.replace(' ', r'\s')), read(README)), name


def block(text, words):
    """Return the indented block of a document that contains some words."""
    found, = [each for each in re.findall(r'(?:^(?: {3,}.*)?\n)+', text, re.MULTILINE)
              if words in each]
    return textwrap.dedent(found)


@pytest.mark.parametrize('version', versions())
def test_keys_and_configuration_for_tls(version, tmpdir):
    """What the page about TLS shows works on every version."""
    page = read(REACHING)
    commands = block(page, 'openssl req -x509').replace('lb1.example.com', 'localhost')
    subprocess.check_output(['sh', '-ec', commands], cwd=str(tmpdir), stderr=subprocess.STDOUT)
    config = block(page, 'frontend cli-tls')
    for shown, real in [('/run/haproxy/admin.sock', '"${HAPROXYADMIN_RUN}/admin.sock"'),
                        ('unix@"${HAPROXYADMIN_RUN}', '"unix@${HAPROXYADMIN_RUN}'),
                        ('10.0.0.5:9998', '"127.0.0.1:${HAPROXYADMIN_PORT_CLI}"'),
                        ('/etc/haproxy/cli.pem', str(tmpdir.join('lb1.pem'))),
                        ('/etc/haproxy/clients.pem', str(tmpdir.join('ca.pem')))]:
        assert shown in config
        config = config.replace(shown, real)
    context = ssl.create_default_context(cafile=str(tmpdir.join('ca.pem')))
    context.load_cert_chain(str(tmpdir.join('admin.pem')))
    with labs.Lab(find(version), config=config) as started:
        hap = HAProxy(addresses='ssl@localhost:%d' % started.ports['cli-tls'],
                      ssl_context=context)
        assert hap.processids == started.pids


@pytest.mark.parametrize('shown, given, alike', [
    ("['0x1 a']\n", "['0x55d a']\n", True),
    ("['0x1 a']\n", "['0x55d b']\n", False),
    ('[1, 2]\n', '[1, 3]\n', False),
    ('a\n...\nz\n', 'a\nb\nz\n', True),
    ('', '1\n', False),
])
def test_what_counts_as_shown(shown, given, alike):
    assert is_shown(doctest.Example('hap.x', shown), given) == alike


def test_figures_that_vary_are_held_in_kind():
    example = doctest.Example('hap.processids', '[1, 2]\n')
    assert is_shown(example, '[871, 872]\n')
    assert not is_shown(example, '[871]\n')


class TestOtherHAProxies(object):
    """The tour runs on every HAProxy, although the figures differ."""

    def test_tour(self, lab, capsys):
        session.send_traffic(lab)
        session.play(session.Console(lab), read(TOUR))
        printed = capsys.readouterr().out
        assert printed.count('>>> ') == read(TOUR).count('\n>>> ')
        assert lab.socket_dir in printed


class TestSteps(object):

    def test_examples_and_asides_come_in_order(self):
        steps = session.steps('>>> 1\n1\n\n.. lab: x = lab\n\n>>> if 2:\n...     3\n3\n')
        assert [step.source for step in steps] == ['1\n', 'x = lab', 'if 2:\n    3\n']

    def test_a_block_is_prompted_as_it_is_typed(self):
        assert session.prompted('for a in b:\n    a\n') == '>>> for a in b:\n...     a\n...'
        assert session.prompted('a\n') == '>>> a'

    @pytest.mark.only('nbproc4')
    def test_an_exception_that_is_not_shown_ends_it(self, lab):
        with pytest.raises(session.Surprise):
            session.play(session.Console(lab), '>>> 1/0\n')


def as_from_a_terminal():
    """Lead a process group that receives Ctrl-C, even if the tests ignore it (nohup, ``&``)."""
    os.setsid()
    for number in session.ENDING:
        signal.signal(number, signal.SIG_DFL)


class Program(object):
    """The program behind tools/try, with a directory for the files it leaves behind."""

    def __init__(self, room, haproxy, *arguments):
        self.left = room
        self.process = subprocess.Popen(
            [sys.executable, '-B', '-m', 'tests.support.session', haproxy] + list(arguments),
            cwd=ROOT, env=dict(os.environ, TMPDIR=self.left), stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, preexec_fn=as_from_a_terminal)

    def wait_for(self, text, nudge=None):
        """Read the output up to a text; call ``nudge`` after each second without output."""
        printed = b''
        while text not in printed:
            while nudge and not select.select([self.process.stdout], [], [], 1)[0]:
                nudge()
            byte = os.read(self.process.stdout.fileno(), 1)
            assert byte, printed
            printed += byte

    def interrupt(self, number=signal.SIGINT):
        os.killpg(self.process.pid, number)

    def end(self):
        """Wait for the program to end; return the rest of its output and its exit status."""
        printed = self.process.communicate()[0].decode('utf-8')
        return printed, self.process.returncode

    def is_gone(self):
        """Return whether no process and no file is left."""
        running = [labs.command_line(int(pid)) for pid in os.listdir('/proc') if pid.isdigit()]
        return not any(self.left in words for words in running) and not os.listdir(self.left)

    def has_files(self, *names):
        return [os.path.join(path, name) for path, _, files in os.walk(self.left)
                for name in files if name in names]


@pytest.fixture
def room():
    """A directory whose name is short enough for sockets to be created below it."""
    directory = tempfile.mkdtemp(prefix='room-')
    yield directory
    shutil.rmtree(directory)


@pytest.fixture(scope='module')
def binary():
    return find_shown()


@NEEDS_3_7
class TestEnd(object):
    """However the program ends, it leaves nothing behind."""

    def test_of_the_session(self, room, binary):
        program = Program(room, binary)
        printed, status = program.end()
        assert status == 0 and 'Frontend is already enabled.' in printed
        assert program.is_gone()

    @pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
    def test_while_haproxy_starts(self, room, binary, number):
        program = Program(room, binary)
        labs.wait_until(lambda: program.has_files('haproxy.cfg'), 'it starts')
        program.interrupt(number)
        printed, status = program.end()
        # If the tests were suspended for a while, the program has finished by itself.
        assert status == (0 if 'already enabled.' in printed else 128 + number)
        assert program.is_gone()

    @pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
    @pytest.mark.parametrize('text', [b'# HAProxy', b'>>> ', b'backend_proc2', b'MAINT'])
    def test_in_the_middle(self, room, binary, text, number):
        program = Program(room, binary)
        program.wait_for(text)
        program.interrupt(number)
        program.interrupt(number)
        # The program may already have finished by itself, or be about to.
        assert program.end()[1] in (128 + number, 0, -number)
        assert program.is_gone()

    def test_ctrl_c_in_the_console_keeps_it(self, room, binary):
        program = Program(room, binary, '-i')
        program.wait_for(b'removes everything.')
        # The console does not read input before its first prompt.
        program.wait_for(b'>>> ')
        program.interrupt()
        # Python misses a signal that arrives just before it waits for input.
        program.wait_for(b'KeyboardInterrupt', program.interrupt)
        program.process.stdin.write(b"hap.nodename\nlab.traffic('frontend_proc1', 2)\n")
        printed, status = program.end()
        assert "'test.foo.com'" in printed and '[200, 200]' in printed
        assert status == 0 and program.is_gone()

    def test_a_signal_ends_the_console(self, room, binary):
        program = Program(room, binary, '-i')
        program.wait_for(b'removes everything.')
        program.interrupt(signal.SIGTERM)
        assert program.end()[1] == 128 + signal.SIGTERM
        assert program.is_gone()

    def test_of_whoever_reads_it(self, room, binary):
        program = Program(room, binary)
        program.process.stdout.close()
        assert program.process.wait() == 1
        program.process.stdin.close()
        assert program.is_gone()

    def test_of_haproxy(self, room, tmpdir):
        broken = tmpdir.join('haproxy')
        broken.write('#!/bin/sh\n'
                     'case $1 in -v) echo HA-Proxy version 2.2.0;; *) echo No! >&2; exit 1; esac\n')
        broken.chmod(0o755)
        program = Program(room, str(broken))
        printed, status = program.end()
        assert status == 1 and 'FAILED: HAProxy ended:\nNo!' in printed
        assert program.is_gone()


@NEEDS_3_7
class TestTry(object):

    def run(self, *arguments, **variables):
        process = subprocess.Popen(
            [sys.executable, TRY] + list(arguments), env=dict(os.environ, **variables),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            universal_newlines=True)
        return process.communicate('hap.version\n') + (process.returncode,)

    def test_it_runs_the_session_and_ends_in_a_console(self, room, binary):
        printed, errors, status = self.run('-i', TMPDIR=room)
        assert status == 0, errors
        assert 'HAProxy 2.2 with 4 processes' in printed
        assert "'2.2." in printed.split('already enabled.')[1]
        assert os.listdir(room) == []

    @pytest.mark.one_layout
    def test_without_debian_it_takes_the_haproxy_on_path(self, lab, tmpdir):
        printed, errors, status = self.run(**self.without_debian(tmpdir, labs.find(lab.version)))
        assert status == 0, errors
        assert 'HAProxy %s with 4 processes' % lab.version in printed

    def test_without_any_it_says_what_to_install(self, tmpdir):
        printed, errors, status = self.run(**self.without_debian(tmpdir))
        assert (printed, status) == ('', 1)
        assert 'apt-get install haproxy' in errors

    def without_debian(self, tmpdir, haproxy=None):
        """Return the environment of a machine without apt and with an empty cache of HAProxies."""
        cache = tmpdir.mkdir('cache')
        usual = os.environ.get('HAPROXYADMIN_CACHE') or os.path.join(
            os.environ.get('XDG_CACHE_HOME') or os.path.expanduser('~/.cache'), 'haproxyadmin')
        cache.join('venvs').mksymlinkto(os.path.join(usual, 'venvs'))
        programs = tmpdir.mkdir('bin')
        if haproxy:
            programs.join('haproxy').mksymlinkto(haproxy)
        for name in ('sh', 'readlink'):
            programs.join(name).mksymlinkto(os.path.join('/bin', name))
        return {'PATH': str(programs), 'HAPROXYADMIN_CACHE': str(cache), 'HAPROXYADMIN_HAPROXY': ''}
