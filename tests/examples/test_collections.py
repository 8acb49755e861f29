# SPDX-License-Identifier: Apache-2.0
"""The page about ACLs and maps as collections: its examples and programs, on every version."""
import collections
import doctest
import os
import re
import sqlite3
import threading
import time

import pytest
from six.moves import BaseHTTPServer, urllib

from haproxyadmin.haproxy import HAProxy
from tests.conftest import PATIENT, find, versions
from tests.examples.test_readme import block, hold, page, read
from tests.examples.test_recipes import (DEFAULTS, FILES, FOR_PYTHON_2, RECIPES, Programs, extended,
                                         write_files)
from tests.support import lab as labs, session

pytestmark = pytest.mark.dealt_out

PAGE = page('collections')
# The first version that replaces a content at once.
ATOMIC = (2, 4)
# The rows of the database in the recipes.
TENANTS = [('www.example.com', 'green'), ('new.example.com', 'blue')]

# The files of the page and those here; where these are.
Files = collections.namedtuple('Files', 'places path')


def config(files):
    """Return the configuration of the page."""
    text = block(read(PAGE), 'backend blue')
    for shown, real in [('/run/haproxy/admin.sock', '"${HAPROXYADMIN_RUN}/admin.sock"'),
                        ('bind :80', 'bind "127.0.0.1:${HAPROXYADMIN_PORT_WWW}"')] + files.places:
        assert shown in text
        text = text.replace(shown, real)
    text = re.sub(r'10\.0\.0\.(\d):80', r'"127.0.0.1:${HAPROXYADMIN_PORT_ORIGIN\1}"', text)
    return DEFAULTS + text


def places(directory, *names):
    return [('/etc/haproxy/' + name, str(directory.join(name))) for name in names]


@pytest.fixture(params=versions())
def shown(request, tmpdir):
    """The HAProxy of the page, and its files."""
    tmpdir.join('hosts.map').write(block(read(PAGE), '# host '))
    tmpdir.join('banned.acl').write('192.0.2.0/24\n198.51.100.7\n')
    tmpdir.join('blocked.map').write('')
    files = Files(places(tmpdir, 'banned.acl', 'blocked.map', 'hosts.map'), tmpdir)
    with labs.Lab(find(request.param), config=config(files)) as started:
        yield started, files


@pytest.fixture
def files(tmpdir):
    """The files of the recipes."""
    write_files(tmpdir)
    return Files(places(tmpdir, *FILES), tmpdir)


@pytest.fixture(params=versions())
def web(request, files):
    """The HAProxy of the recipes."""
    with labs.Lab(find(request.param), config=extended(files.path)) as started:
        yield started


def is_older(lab):
    return tuple(map(int, lab.version.split('.'))) < ATOMIC


@pytest.fixture
def hap(web):
    return HAProxy(socket_dir=web.socket_dir, timeout=PATIENT)


@pytest.fixture
def hosts(hap, files):
    return hap.map(dict(files.places)['/etc/haproxy/hosts.map'])


@pytest.fixture
def blocked(hap, files):
    return hap.map(dict(files.places)['/etc/haproxy/blocked.map'])


@pytest.fixture
def programs(web, files):
    here = dict(files.places, **FOR_PYTHON_2)
    here['/etc/haproxy/blocked.lock'] = '{0}/blocked.lock'.format(files.path)
    if is_older(web):
        # As the page says.
        here['in hosts.items()])\n'] = 'in hosts.items()], atomic=False)\n'
    return Programs(web, files.path, here)


def test_examples(shown):
    web, files = shown
    console = session.Console(web, hosts=files)
    for step in session.steps(read(PAGE)):
        if isinstance(step, session.Aside):
            console.aside(step)
            continue
        if is_older(web):
            # As the page says.
            source = re.sub(r'((?:replace|load_file)\([^()]+)\)', r'\1, atomic=False)', step.source)
            step = doctest.Example(source, step.want, step.exc_msg, step.lineno)
            if 'yield' in source or 'Conflict' in source:
                console.run(doctest.Example("_ = hosts.sync([('www.example.com', 'blue')])", ''))
                continue
        hold(console, step, PAGE)


class TestWhoMatchesThisAddress(object):

    def test_all_that_contain_it(self, programs, blocked, hap, files):
        blocked['198.51.100.0/24'] = '1'
        status, output, _ = programs.run('who.py', '198.51.100.9')
        assert (status, output) == (0, '{0}: 198.51.100.0/24 1\n'.format(blocked.file))
        del blocked['198.51.100.0/24']
        hap.acl(str(files.path.join('blocklist.acl'))).add('203.0.113.0/24')
        status, output, _ = programs.run('who.py', '203.0.113.5')
        assert status == 0
        assert programs.is_shown(output.replace(os.path.dirname(blocked.file), '/etc/haproxy'))


class TestABlockList(object):

    @pytest.fixture
    def path(self, files):
        """The file, as somebody has edited it."""
        path = files.path.join('blocklist.acl')
        path.write('# Ours\n192.0.2.0/24\n\n127.0.0.1\n')
        return path

    def test_it_is_in_step_with_the_file(self, programs, path, web):
        assert web.traffic('www', 1) == [200]
        assert programs.run_quietly('blocklist.py') == (
            0, 'blocked 127.0.0.1\nunblocked 198.51.100.7\n')
        assert web.traffic('www', 1) == [403]
        assert programs.run_quietly('blocklist.py') == (0, '')
        path.write('')
        assert programs.run_quietly('blocklist.py') == (
            0, 'unblocked 192.0.2.0/24\nunblocked 127.0.0.1\n')
        assert web.traffic('www', 1) == [200]

    def test_what_is_shown(self, programs, files):
        files.path.join('blocklist.acl').write('203.0.113.0/24\n', 'a')
        status, output = programs.run_quietly('blocklist.py')
        assert status == 0 and programs.is_shown(output)

    @pytest.mark.parametrize('line', ['an-address', '192.0.2.1 # a comment', '192.0.2.0/33'])
    def test_a_wrong_line_changes_nothing(self, programs, path, hap, line):
        path.write('192.0.2.1\n{0}\n'.format(line))
        status, output, error = programs.run('blocklist.py')
        assert (status, output) == (1, '') and line.split()[0] in error
        assert sorted(hap.acl(str(path))) == ['192.0.2.0/24', '198.51.100.7']

    def test_without_a_file_nothing_is_changed(self, programs, path, hap):
        acl = hap.acl(str(path))
        path.remove()
        assert programs.run('blocklist.py')[0] == 1
        assert len(hap.acl(acl.file)) == 2


class TestBlockAnAddress(object):

    def test_until_its_time_is_over(self, programs, blocked, web):
        assert web.traffic('www', 1) == [200]
        assert programs.run('block.py', '127.0.0.1')[:2] == (0, '')
        assert web.traffic('www', 1) == [403]
        # Somebody who is not due.
        assert programs.run('block.py')[:2] == (0, '')
        assert web.traffic('www', 1) == [403]
        blocked['127.0.0.1'] = int(time.time())
        blocked['192.0.2.1'] = 'forever'
        assert programs.run('block.py')[:2] == (0, '127.0.0.1 is free\n')
        assert web.traffic('www', 1) == [200]
        blocked.refresh()
        assert blocked == {'192.0.2.1': 'forever'}

    def test_what_is_shown(self, programs, blocked):
        programs.run('block.py', '203.0.113.5')
        blocked['203.0.113.5'] = '1'
        assert programs.is_shown(programs.run('block.py')[1])

    def test_twice(self, programs, blocked):
        """The second run extends the time; the end of the first one leaves it alone."""
        blocked['203.0.113.5'] = '1'
        for _ in range(2):
            now = int(time.time())
            assert programs.run('block.py', '203.0.113.5')[:2] == (0, '')
            blocked.refresh()
            assert int(blocked['203.0.113.5']) >= now + 600
        assert len(blocked.entries()) == 1
        assert programs.run('block.py')[:2] == (0, '')

    def test_at_the_same_time(self, programs, blocked):
        addresses = ['203.0.113.{0}'.format(number) for number in range(5)]
        running = [programs.start('block.py', address) for address in addresses + addresses]
        assert [process.wait() for process in running] == [0] * 10
        blocked.refresh()
        assert sorted(blocked) == addresses and len(blocked.entries()) == 5

    def test_over_a_restart(self, programs, blocked, web):
        programs.run('block.py', '127.0.0.1')
        web.restart()
        assert web.traffic('www', 1) == [403]
        blocked.refresh()
        assert list(blocked) == ['127.0.0.1']


class TestSwitchAMap(object):

    def test_there_and_back(self, programs, hosts, files):
        for _ in range(2):
            status, output, _ = programs.run('switch.py', 'green', 'blue')
            assert status == 0 and programs.is_shown(output)
        hosts.refresh()
        assert list(hosts.items()) == [('www.example.com', 'blue'), ('shop.example.com', 'blue'),
                                       ('static.example.com', 'web')]
        assert 'shop.example.com blue\n' in files.path.join('hosts.map').read()
        assert programs.run('switch.py', 'blue', 'green')[:2] == (
            0, '2 hosts moved from blue to green\n')
        hosts.refresh()
        assert hosts['shop.example.com'] == 'green'

    def test_what_is_not_up(self, programs, hosts, web):
        web.raw('set server blue/web1 state maint')
        assert programs.run('switch.py', 'green', 'blue')[::2] == (1, 'blue is not up')
        hosts.refresh()
        assert hosts['www.example.com'] == 'green'

    def test_where_requests_go(self, programs, hap, web):
        """A host that is not in the map goes to the backend of README.rst."""
        backends = [hap.backend(name) for name in ('green', 'web')]
        for host in ('shop', 'other', 'static'):
            urllib.request.urlopen(urllib.request.Request(
                'http://127.0.0.1:{0}/'.format(web.ports['www']),
                headers={'Host': host + '.example.com'}), timeout=PATIENT).read()
        assert [backend.requests for backend in backends] == [1, 2]


class TestInStepWithADatabase(object):

    @pytest.fixture
    def database(self, files):
        connection = sqlite3.connect(str(files.path.join('tenants.db')))
        for line in block(read(RECIPES), 'CREATE TABLE').split(';'):
            connection.execute(line)
        yield connection
        connection.close()

    def test_twice(self, programs, hosts, database, files):
        database.commit()
        programs.run('switch.py', 'green', 'blue')
        status, output, _ = programs.run('tenants.py', 'tenants.db')
        assert status == 0 and programs.is_shown(output)
        hosts.refresh()
        assert list(hosts.items()) == TENANTS
        assert 'new.example.com blue\n' in files.path.join('hosts.map').read()
        assert programs.run('tenants.py', 'tenants.db')[:2] == (0, '')

    def test_one_that_is_not_there(self, programs, files):
        assert programs.run('tenants.py', 'none.db')[::2] == (1, 'there is no none.db')
        assert not files.path.join('none.db').check()

    def test_an_empty_one(self, programs, hosts, database):
        with database:
            database.execute('DELETE FROM tenants')
        status, _, error = programs.run('tenants.py', 'tenants.db')
        assert (status, error) == (1, 'no tenants in tenants.db; the map remains')
        hosts.refresh()
        assert len(hosts) == 3

    def test_a_wrong_row(self, programs, hosts, database):
        with database:
            database.execute("INSERT INTO tenants VALUES ('a.example.com', NULL)")
        status, _, error = programs.run('tenants.py', 'tenants.db')
        assert status == 1 and error.startswith('ValueError: entry 2: value: ')
        hosts.refresh()
        assert len(hosts) == 3


class TestInStepWithAService(object):

    @pytest.fixture
    def catalog(self):
        """The URL of what the page shows."""
        document = block(read(RECIPES), '"consul": []').strip().encode('ascii')

        class Handler(BaseHTTPServer.BaseHTTPRequestHandler):
            def do_GET(self):
                found = self.path == '/v1/catalog/services'
                self.send_response(200 if found else 404)
                self.end_headers()
                self.wfile.write(document if found else b'{}')

            def log_message(self, *args):
                pass

        server = BaseHTTPServer.HTTPServer(('127.0.0.1', 0), Handler)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield 'http://127.0.0.1:{0}/v1/catalog/services'.format(server.server_port)
        server.shutdown()
        thread.join()
        server.server_close()

    def test_twice(self, programs, hosts, catalog):
        hosts.sync(TENANTS)
        status, output, _ = programs.run('services.py', catalog)
        assert status == 0 and programs.is_shown(output)
        hosts.refresh()
        assert hosts == {'shop.example.com': 'green', 'www.example.com': 'green'}
        assert programs.run('services.py', catalog)[:2] == (0, '')

    def test_no_answer(self, programs, hosts, catalog):
        assert programs.run('services.py', catalog + '/no')[0] == 1
        hosts.refresh()
        assert len(hosts) == 3
