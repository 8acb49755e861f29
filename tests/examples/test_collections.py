# SPDX-License-Identifier: Apache-2.0
"""The page about ACLs and maps as collections: its examples and programs, on every version."""
import collections
import doctest
import os
import re
import sqlite3
import sys
import threading
import time

import pytest
from six.moves import BaseHTTPServer

from haproxyadmin.haproxy import HAProxy
from tests.conftest import PATIENT, find, versions
from tests.examples.test_readme import block, hold, page, read
from tests.examples.test_recipes import DEFAULTS, Programs
from tests.support import lab as labs, session

pytestmark = pytest.mark.dealt_out

PAGE = page('collections')
FILES = ('banned.acl', 'blocked.map', 'hosts.map')
# The first version that replaces a content at once.
ATOMIC = (2, 4)

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


@pytest.fixture
def files(tmpdir):
    """The files that HAProxy loads, as the page shows them."""
    tmpdir.join('hosts.map').write(block(read(PAGE), '# host '))
    tmpdir.join('banned.acl').write('192.0.2.0/24\n198.51.100.7\n')
    tmpdir.join('blocked.map').write('')
    return Files([('/etc/haproxy/' + name, str(tmpdir.join(name))) for name in FILES], tmpdir)


@pytest.fixture(params=versions())
def web(request, files):
    """The HAProxy of the page."""
    with labs.Lab(find(request.param), config=config(files)) as started:
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
    places = dict(files.places)
    places['/run/lock'] = str(files.path)
    if is_older(web):
        # As the page says.
        places['in hosts.items()])\n'] = 'in hosts.items()], atomic=False)\n'
    if sys.version_info < (3,):
        places['urllib.request'] = 'urllib2'
    return Programs(web, PAGE, files.path, places)


def test_examples(web, files):
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

    def test_all_that_contain_it(self, programs, blocked):
        blocked['198.51.100.0/24'] = '1'
        status, output, _ = programs.run('who.py', '198.51.100.9')
        assert (status, output) == (0, '{0}: 198.51.100.0/24 1\n'.format(blocked.file))
        del blocked['198.51.100.0/24']
        status, output, _ = programs.run('who.py', '198.51.100.7')
        assert status == 0
        assert programs.is_shown(output.replace(os.path.dirname(blocked.file), '/etc/haproxy'))


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
        assert programs.run('switch.py', 'blue', 'green')[:2] == (
            0, '2 hosts moved from blue to green\n')
        hosts.refresh()
        assert list(hosts.items()) == [('www.example.com', 'green'), ('shop.example.com', 'green'),
                                       ('static.example.com', 'static')]
        assert 'shop.example.com green\n' in files.path.join('hosts.map').read()
        for _ in range(2):
            status, output, _ = programs.run('switch.py', 'green', 'blue')
            assert status == 0 and programs.is_shown(output)
        hosts.refresh()
        assert hosts['shop.example.com'] == 'blue'

    def test_what_is_not_up(self, programs, hosts, web):
        web.raw('set server green/web2 state maint')
        assert programs.run('switch.py', 'blue', 'green')[::2] == (1, 'green is not up')
        hosts.refresh()
        assert hosts['www.example.com'] == 'blue'


class TestInStepWithADatabase(object):

    @pytest.fixture
    def database(self, files):
        connection = sqlite3.connect(str(files.path.join('tenants.db')))
        connection.execute('CREATE TABLE tenants (host TEXT, backend TEXT)')
        yield connection
        connection.close()

    def test_twice(self, programs, hosts, database, files):
        rows = [('www.example.com', 'green'), ('new.example.com', 'blue')]
        with database:
            database.executemany('INSERT INTO tenants VALUES (?, ?)', rows)
        status, output, _ = programs.run('tenants.py', 'tenants.db')
        assert status == 0 and programs.is_shown(output)
        hosts.refresh()
        assert list(hosts.items()) == rows
        assert 'new.example.com blue\n' in files.path.join('hosts.map').read()
        assert programs.run('tenants.py', 'tenants.db')[:2] == (0, '')

    def test_an_empty_one(self, programs, hosts, database):
        status, _, error = programs.run('tenants.py', 'tenants.db')
        assert (status, error) == (1, 'no tenants in tenants.db; the map remains')
        hosts.refresh()
        assert len(hosts) == 3

    def test_a_wrong_row(self, programs, hosts, database):
        with database:
            database.execute("INSERT INTO tenants VALUES ('a', 'b'), ('www.example.com', NULL)")
        status, _, error = programs.run('tenants.py', 'tenants.db')
        assert status == 1 and error.startswith('ValueError: entry 1: value: ')
        hosts.refresh()
        assert len(hosts) == 3


class TestInStepWithAService(object):

    @pytest.fixture
    def catalog(self):
        """The URL of what the page shows."""
        document = block(read(PAGE), '"consul": []').strip().encode('ascii')

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
        status, output, _ = programs.run('services.py', catalog)
        assert status == 0 and programs.is_shown(output)
        hosts.refresh()
        assert hosts == {'shop.example.com': 'green', 'www.example.com': 'green'}
        assert programs.run('services.py', catalog)[:2] == (0, '')

    def test_no_answer(self, programs, hosts, catalog):
        assert programs.run('services.py', catalog + '/no')[0] == 1
        hosts.refresh()
        assert len(hosts) == 3
