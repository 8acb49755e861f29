# SPDX-License-Identifier: Apache-2.0
"""The recipes, and the pages about rotation and dynamic servers, on every version."""
import ast
import collections
import os
import re
import signal
import subprocess
import sys

import pytest

from haproxyadmin.exceptions import NotSupported
from haproxyadmin.haproxy import HAProxy
from tests.conftest import PATIENT, find, versions
from tests.examples.test_readme import (README, as_from_a_terminal, block, hold_all, normal, page,
                                        read)
from tests.support import ROOT, lab as labs, servers, session
from tests.support.package import PACKAGE_ROOT

pytestmark = pytest.mark.dealt_out

ROTATION, DYNAMIC = page('rotation'), page('dynamic')
RECIPES = os.path.join('docs', 'source', 'recipes.rst')
# Where the programs are.
DIRECTORY = os.path.join('docs', 'source', 'recipes')
NEEDED = (2, 6)

# What the configuration on the page does not show.
DEFAULTS = """
defaults
    mode http
    timeout connect 2s
    timeout client 5m
    timeout server 5m
    timeout check 5s
    retries 1
    option redispatch
"""

# What the other parts of the page need; each process has a socket of its own.
GLOBAL = """
global
    stats socket "${HAPROXYADMIN_RUN}/admin-${HAPROXYADMIN_PROCESS}.sock" level admin
"""

# The files that HAProxy loads.
FILES = ('blocklist.acl', 'blocked.map', 'hosts.map')

# How the notes about the state of a server begin.
NOTE = 'the state of server '

# What Python 2 needs instead; the page is for Python 3.
FOR_PYTHON_2 = {'urllib.request': 'urllib2'} if sys.version_info < (3,) else {}

# Where there is no HAProxy.
Nowhere = collections.namedtuple('Nowhere', 'socket_dir')

# The addresses in a document and those of the lab.
Places = collections.namedtuple('Places', 'places')


def config():
    """Return the configuration of the page."""
    text = block(read(ROTATION), 'backend web')
    for shown, real in [('/run/haproxy/admin.sock', '"${HAPROXYADMIN_RUN}/admin.sock"'),
                        ('bind :80', 'bind "127.0.0.1:${HAPROXYADMIN_PORT_WWW}"'),
                        ('inter 1s', 'inter 50ms')]:
        assert shown in text
        text = text.replace(shown, real)
    text = re.sub(r'10\.0\.0\.(\d):80', r'"127.0.0.1:${HAPROXYADMIN_PORT_ORIGIN\1}"', text)
    # The lab starts a web server for each port that it finds: here the one that is added later.
    return DEFAULTS + text + '# ${HAPROXYADMIN_PORT_ORIGIN4}\n'


def stages():
    """Return the configuration of README.rst, and what becomes of it section by section."""
    shown = read(RECIPES)
    text = DEFAULTS + block(read(README), 'frontend www')
    yield text
    for line in block(shown, 'blocked.map) -m found').splitlines():
        if line.strip() and line not in text:
            text = text.replace('    default_backend', '    {0}\n    default_backend'.format(line))
    text += block(shown, 'backend green')
    yield text
    bind, = re.findall('    bind .*\n', text)
    for line in reversed(block(shown, 'track-sc0').split('\n')):
        text = text.replace(bind, '{0}    {1}\n'.format(bind, line) if line else bind)
    yield text + block(shown, 'stick-table type')


def extended(directory):
    """Return the configuration of README.rst with all that the page adds, for a lab.

    :param directory: where the files are.
    """
    text = list(stages())[-1]
    for shown, real in [('127.0.0.1:8080', '"127.0.0.1:${HAPROXYADMIN_PORT_WWW}"'),
                        ('127.0.0.1:8001', '"127.0.0.1:${HAPROXYADMIN_PORT_ORIGIN1}"'),
                        ('127.0.0.1:8002', '"127.0.0.1:${HAPROXYADMIN_PORT_ORIGIN2}"'),
                        ('/etc/haproxy', str(directory))]:
        assert shown in text
        text = text.replace(shown, real)
    return GLOBAL + text


def write_files(directory):
    """Write the files that this configuration loads."""
    directory.join('hosts.map').write(block(read(RECIPES), '# host '))
    directory.join('blocklist.acl').write('192.0.2.0/24\n198.51.100.7\n')
    directory.join('blocked.map').write('')


@pytest.fixture(params=versions())
def web(request):
    """The HAProxy of the page."""
    with labs.Lab(find(request.param), config=config()) as started:
        wait_for_checks(started)
        yield started


@pytest.fixture(params=versions())
def reloading(request):
    """The same with a master."""
    with labs.Lab(find(request.param), config=config(), master_worker=True) as started:
        wait_for_checks(started)
        yield started


def wait_for_checks(lab):
    labs.wait_until(lambda: lab.raw('show stat').count('L4OK') == 3, 'checked')


def is_older(lab):
    return tuple(map(int, lab.version.split('.'))) < NEEDED


def console_of(lab):
    return session.Console(lab, hosts=Places([
        ('10.0.0.4:80', '127.0.0.1:%d' % lab.origins.ports[3])]))


def test_examples_about_rotation(web):
    hold_all(console_of(web), ROTATION)


def recipe(name):
    """Return the text of a recipe."""
    return read(os.path.join(DIRECTORY, name))


class Programs(object):
    """The recipes, as files in which the places are those of a lab, and what runs them.

    :param lab: the HAProxy that they reach.
    :param directory: where they are written.
    :param places: (optional) further texts of the recipes, and what replaces them.
    """

    def __init__(self, lab, directory, places=()):
        self._directory = directory
        self._places = dict(places, **{'/run/haproxy': lab.socket_dir})

    def start(self, name, *arguments):
        """Start a program."""
        text = recipe(name)
        for shown, real in self._places.items():
            text = text.replace(shown, real)
        path = self._directory.join(name)
        if not path.check():
            # Another run may be reading it.
            path.write(text)
        return subprocess.Popen(
            [sys.executable, '-B', str(path)] + list(arguments), cwd=str(self._directory),
            env=dict(os.environ, PYTHONPATH=PACKAGE_ROOT), preexec_fn=as_from_a_terminal,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, universal_newlines=True)

    def run(self, name, *arguments):
        """Run a program; return its exit status, its output and the message of its error."""
        process = self.start(name, *arguments)
        output, errors = process.communicate()
        # From Python 3.11 on, a note follows the message.
        return process.returncode, output, [line for line in errors.strip().split('\n')
                                            if not line.startswith(NOTE)][-1]

    def run_quietly(self, name, *arguments):
        """Run a program that handles its errors; return its exit status and its output."""
        process = self.start(name, *arguments)
        output, errors = process.communicate()
        assert errors == ''
        return process.returncode, output

    def is_shown(self, output):
        """Return whether the page of the recipes contains a session with an output."""
        wanted, lines = [
            [normal(re.sub('[0-9.]+ seconds', 'SECONDS', line.strip())) for line in text.splitlines()]
            for text in (output, read(RECIPES))]
        starts = [number for number, line in enumerate(lines, 1) if line.startswith('$ python')]
        return wanted and wanted in [lines[start:start + len(wanted)] for start in starts]


@pytest.fixture
def programs(web, tmpdir):
    return Programs(web, tmpdir)


@pytest.fixture
def backend(web):
    return HAProxy(socket_dir=web.socket_dir, timeout=PATIENT).backend('web')


def names():
    """Return the names of all recipes."""
    return sorted(os.listdir(os.path.join(ROOT, DIRECTORY)))


class TestThePage(object):

    def test_it_shows_each_recipe_once_and_whole(self):
        shown = re.findall(r'^\.\. literalinclude:: recipes/(\S+)\n   :language: \w+\n\n',
                           read(RECIPES), re.MULTILINE)
        assert sorted(shown) == names()
        assert read(RECIPES).count('literalinclude') == len(shown)

    def test_its_contents_are_complete(self):
        listed = re.findall(r':ref:`(\S+) <(recipe-[-\w]+)>`$', read(RECIPES), re.MULTILINE)
        assert sorted(name for name, _ in listed) == names()
        assert ([label for _, label in listed]
                == re.findall(r'^\.\. _(recipe-[-\w]+):$', read(RECIPES), re.MULTILINE))

    @pytest.mark.parametrize('name', names())
    def test_each_is_run_by_a_test(self, name):
        directory = os.path.join('tests', 'examples')
        tests = [read(os.path.join(directory, each))
                 for each in os.listdir(os.path.join(ROOT, directory)) if each.endswith('.py')]
        assert any("'{0}'".format(name) in text for text in tests)

    @pytest.mark.parametrize('name', [name for name in names() if name.endswith('.py')])
    def test_each_says_how_it_is_called(self, name):
        assert re.match('"""[A-Z].*: {0}( .*)?[\n"]'.format(re.escape(name)), recipe(name))

    @pytest.mark.parametrize('name', [name for name in names() if name != 'haproxyadmin.sh' and (
        name == 'haproxy-renew' or re.match(r'.*\.py [^[]', recipe(name)))])
    def test_each_tells_how_it_is_called_if_it_is_called_wrongly(self, name, tmpdir):
        programs = Programs(Nowhere(str(tmpdir)), tmpdir, FOR_PYTHON_2)
        process = programs.start(name)
        output = ''.join(process.communicate())
        assert process.returncode in (1, 3)
        assert output.strip() == ast.get_docstring(ast.parse(recipe(name))).strip()


@pytest.mark.parametrize('version', versions())
class TestTheConfiguration(object):

    def test_each_addition_is_right(self, version, tmpdir):
        write_files(tmpdir)
        path = tmpdir.join('haproxy.cfg')
        for text in stages():
            path.write(text.replace('/etc/haproxy', str(tmpdir)))
            process = subprocess.Popen([find(version), '-c', '-f', str(path)],
                                       stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
            output = process.communicate()[0].decode('utf-8')
            assert process.returncode == 0 and not re.search('WARNING|ALERT', output), output

    def test_the_check_shows_its_backends(self, version, tmpdir):
        write_files(tmpdir)
        with labs.Lab(find(version), config=extended(tmpdir)) as started:
            status, output, _ = Programs(started, tmpdir).run('check_haproxy.py')
        assert status == 0 and output in read(RECIPES).replace('\n   ', '\n')


def statuses(backend):
    return [server.status for server in backend.servers()]


class TestDrainBeforeADeploy(object):

    def test_nobody_uses_it_meanwhile(self, programs, backend, tmpdir):
        process = programs.start('deploy.py', 'web', 'web1', 'sh', '-c',
                                 'touch began; until test -e ended; do sleep 0.01; done')
        labs.wait_until(tmpdir.join('began').exists, 'deploying')
        assert statuses(backend) == ['MAINT', 'UP', 'UP']
        tmpdir.join('ended').write('')
        output = process.communicate()[0]
        assert process.returncode == 0 and programs.is_shown(output)
        assert statuses(backend) == ['UP', 'UP', 'UP']

    def test_it_stays_out_if_that_fails(self, programs, backend):
        status, output, error = programs.run('deploy.py', 'web', 'web1', 'false')
        assert status == 1 and 'non-zero exit status 1' in error
        assert statuses(backend) == ['MAINT', 'UP', 'UP']

    def test_the_last_server_stays(self, programs, backend, web):
        for name in ('web2', 'web3'):
            web.raw('set server web/{0} state maint'.format(name))
        status, output, error = programs.run('deploy.py', 'web', 'web1', 'true')
        assert status == 1 and output == '' and 'that are up: none' in error
        assert statuses(backend) == ['UP', 'MAINT', 'MAINT']


class TestRollThroughABackend(object):

    def deploy_to(self, directory, failing=''):
        path = directory.join('deploy-to')
        path.write('#!/bin/sh\necho $1 >> log\ntest "$1" != "{0}"\n'.format(failing))
        path.chmod(0o755)

    def test_one_after_the_other(self, programs, backend, tmpdir):
        self.deploy_to(tmpdir)
        status, output, _ = programs.run('roll.py', 'web', './deploy-to')
        assert status == 0 and programs.is_shown(output)
        assert tmpdir.join('log').read().split() == ['web1', 'web2', 'web3']
        assert statuses(backend) == ['UP', 'UP', 'UP']

    def test_what_is_left_in_the_middle(self, programs, backend, tmpdir):
        self.deploy_to(tmpdir, failing='web2')
        status, output, error = programs.run('roll.py', 'web', './deploy-to')
        assert status == 1 and programs.is_shown(output)
        assert error.rstrip('.') in read(RECIPES)
        assert statuses(backend) == ['UP', 'MAINT', 'UP']
        # The next run is refused, until somebody has repaired it.
        status, output, error = programs.run('roll.py', 'web', './deploy-to')
        assert status == 1 and 'that are up: web3' in error
        assert statuses(backend) == ['UP', 'MAINT', 'UP']
        backend.server('web2').bringback(timeout=PATIENT)
        self.deploy_to(tmpdir)
        assert programs.run('roll.py', 'web', './deploy-to')[0] == 0


class TestTakeAServerOutForAWhile(object):

    def test_it_comes_back(self, programs, backend):
        status, output, _ = programs.run('pause.py', 'web', 'web1', '0')
        assert status == 0 and programs.is_shown(output)
        assert statuses(backend) == ['UP', 'UP', 'UP']

    @pytest.mark.parametrize('number, before', [
        (signal.SIGINT, 'ready'), (signal.SIGTERM, 'drain'), (signal.SIGHUP, 'maint')])
    def test_it_comes_back_early(self, programs, backend, web, number, before):
        web.raw('set server web/web1 state {0}'.format(before))
        was = backend.server('web1').status
        process = programs.start('pause.py', 'web', 'web1', '600')
        assert process.stdout.readline() == 'web1 is out of rotation\n'
        assert statuses(backend) == ['MAINT', 'UP', 'UP']
        process.send_signal(number)
        process.communicate()
        assert process.returncode in (-signal.SIGINT, 1, 128 + number)
        # Nobody has waited for its checks.
        assert backend.server('web1').status.split()[0] == was

    def test_a_reload_does_not_end_it(self, reloading, tmpdir):
        backend = HAProxy(socket_dir=reloading.socket_dir, timeout=PATIENT).backend('web')
        programs = Programs(reloading, tmpdir, {
            # With its own timeout the program would end if the machine stalls.
            'min(10, ': 'min(0.1, ', "'/run/haproxy')": "'/run/haproxy', timeout=30)"})
        process = programs.start('pause.py', 'web', 'web1', '600')
        assert process.stdout.readline() == 'web1 is out of rotation\n'
        reloading.reload()
        labs.wait_until(lambda: statuses(backend)[0] == 'MAINT', 'out again')
        process.send_signal(signal.SIGTERM)
        process.communicate()
        assert statuses(backend)[0].startswith('UP')

    def test_it_comes_back_while_somebody_still_uses_it(self, programs, backend, web):
        with web.hold('www', 1, server='web1'):
            process = programs.start('pause.py', 'web', 'web1', '600')
            labs.wait_until(lambda: backend.server('web1').status == 'DRAIN', 'in drain')
            process.send_signal(signal.SIGINT)
            assert process.communicate()[0] == ''
            assert backend.server('web1').status.startswith('UP')


def test_examples_about_dynamic_servers(web):
    console = console_of(web)
    if not is_older(web):
        hold_all(console, DYNAMIC)
        return
    before = web.raw('show servers state')
    for step in session.steps(read(DYNAMIC)):
        error = console.run(step)[1]
        if 'add_server(' in step.source:
            assert isinstance(error, NotSupported) and error.has.startswith(web.version)
            assert normal(console.there(str(error))) in normal(read(DYNAMIC))
    assert servers.settled(web.raw('show servers state')) == servers.settled(before)


class TestAHook(object):

    @pytest.fixture
    def server(self, web):
        """The arguments that name the server of the hook."""
        return 'web', 'web4', '127.0.0.1', str(web.origins.ports[3])

    def test_it_may_run_again(self, programs, backend, server, web):
        if is_older(web):
            return
        for action, names in [('up', ['web4']), ('down', [])]:
            for _ in range(2):
                assert programs.run('hook.py', action, *server) == (0, '', '')
                assert backend.servers('web4') == names
        assert web.traffic('www', 4) == [200] * 4

    def test_another_machine_has_its_name(self, programs, backend, server, web):
        if is_older(web):
            return
        backend.add_server('web4', '127.0.0.1:{0}'.format(web.origins.ports[0]))
        assert programs.run('hook.py', 'up', *server) == (0, '', '')
        assert backend.server('web4').port == server[-1]

    def test_it_cannot_be_deleted(self, programs, backend, server, web):
        """Its name is that of a server that another one tracks, at another address."""
        arguments = ('web', 'web1') + server[2:]
        for action, left in [('up', 'UP'), ('down', 'MAINT')]:
            status, output, error = programs.run('hook.py', action, *arguments)
            assert status == 1
            assert ('needs HAProxy' if is_older(web) else 'it is tracked by api/web1') in error
            assert backend.server('web1').status.split()[0] == left

    def test_an_old_version(self, programs, backend, server, web):
        if not is_older(web):
            return
        status, output, error = programs.run('hook.py', 'up', *server)
        assert status == 1 and 'needs HAProxy' in error
        assert programs.run('hook.py', 'down', *server) == (0, '', '')
