# SPDX-License-Identifier: Apache-2.0
"""The page about stick tables: its examples and programs, on every version."""
import re
import socket

import pytest

from haproxyadmin.exceptions import CommandFailed
from haproxyadmin.haproxy import HAProxy
from tests.conftest import PATIENT, find, versions
from tests.examples.test_readme import block, hold_all, page, read
from tests.examples.test_recipes import DEFAULTS, Programs, extended, write_files
from tests.support import lab as labs, session

pytestmark = pytest.mark.dealt_out

PAGE = page('tables')
WITH_ADDRESSES = 'bind "127.0.0.1:${HAPROXYADMIN_PORT_WWW}"\n    http-request set-src hdr(x-client)'
CLIENT = '198.51.100.7'
# One more than a client may send.
TOO_MANY = 21


def config():
    """Return the configuration of the page; requests say what their address is."""
    text = block(read(PAGE), 'backend clients')
    for shown, real in [
            ('/run/haproxy/admin.sock', '"${HAPROXYADMIN_RUN}/admin.sock"'),
            ('bind :80', WITH_ADDRESSES),
            ('10.0.0.1:80', '"127.0.0.1:${HAPROXYADMIN_PORT_ORIGIN1}"')]:
        assert shown in text
        text = text.replace(shown, real)
    return DEFAULTS + text


class Clients(object):
    """What sends requests to a lab."""

    places = []

    def __init__(self, lab):
        self._lab = lab

    def send(self, client, count, key=None):
        """Send requests of a client, with an API key; return the status of each.

        Nobody uses the tables any more when this returns.
        """
        statuses = [self._request(client, key) for _ in range(count)]
        labs.wait_until(lambda: not self._uses(), 'HAProxy has ended the requests')
        return statuses

    def hold(self, client):
        """Return a connection whose request stays open."""
        connection = socket.create_connection(('127.0.0.1', self._lab.ports['www']))
        # The origin waits for the body.
        connection.sendall(_request_of(client, None, 'POST', ['Content-Length: 1000']))
        labs.wait_until(self._uses, 'HAProxy tracks the client')
        return connection

    def _request(self, client, key):
        connection = socket.create_connection(('127.0.0.1', self._lab.ports['www']))
        try:
            connection.sendall(_request_of(client, key, 'GET', []))
            return int(labs.read_all(connection).split()[1])
        finally:
            connection.close()

    def _uses(self):
        """Return whether an entry is in use."""
        return any(re.search(' use=[^0]', self._lab.raw('show table ' + name, path))
                   for name in ('clients', 'api_keys') for path in self._lab.socket_files)


def _request_of(client, key, verb, headers):
    lines = [verb + ' / HTTP/1.1', 'Host: lab', 'Connection: close', 'X-Client: ' + client]
    lines += headers + (['X-Api-Key: ' + key] if key else [])
    return ('\r\n'.join(lines) + '\r\n\r\n').encode('ascii')


@pytest.fixture(params=versions())
def one(request):
    """The HAProxy of the page."""
    with labs.Lab(find(request.param), config=config()) as started:
        yield started


@pytest.fixture(params=versions())
def two(request, tmpdir):
    """Two processes with the configuration of the recipes, which share the port."""
    write_files(tmpdir)
    tmpdir.join('blocklist.acl').write('')
    text = extended(tmpdir).replace(WITH_ADDRESSES.split('\n')[0], WITH_ADDRESSES)
    with labs.Lab(find(request.param), config=text, instances=2) as started:
        yield started


@pytest.fixture
def clients(two):
    return HAProxy(socket_dir=two.socket_dir, timeout=PATIENT).table('clients')


@pytest.fixture
def programs(two, tmpdir):
    return Programs(two, tmpdir)


def test_examples(one):
    clients = Clients(one)
    # Named as on the page, where there is only one.
    clients.places = [('/run/haproxy/admin.sock', one.socket_files[0])]
    hold_all(session.Console(one, hosts=clients), PAGE)


def limit_everywhere(two, clients):
    """Send requests until each process denies them."""
    labs.wait_until(
        lambda: Clients(two).send(CLIENT, 1) and sorted(
            entry.data['http_req_cnt'] >= TOO_MANY for entry in clients.entries(key=CLIENT)
        ) == [True, True], 'each process denies requests')


class TestWhoIsOverTheLimit(object):

    def test_in_all_processes_together(self, programs, two):
        """No process need have seen more than half of them."""
        Clients(two).send(CLIENT, 25)
        Clients(two).send('203.0.113.5', 20)
        status, output, _ = programs.run('over.py', '20')
        assert status == 0 and programs.is_shown(output)
        assert programs.run('over.py', '19')[:2] == (0, output + '203.0.113.5 20\n')
        assert programs.run('over.py', '25')[:2] == (0, '')


class TestResetOneClient(object):

    def test_it_is_let_in_again(self, programs, two, clients):
        limit_everywhere(two, clients)
        assert Clients(two).send(CLIENT, 4) == [429] * 4
        status, output, _ = programs.run('forgive.py', CLIENT)
        assert status == 0 and re.match(CLIENT + r' had sent \d+ requests\n\Z', output)
        assert Clients(two).send(CLIENT, 4) == [200] * 4

    def test_what_is_shown(self, programs, two):
        Clients(two).send(CLIENT, 25)
        for _ in range(2):
            status, output, _ = programs.run('forgive.py', CLIENT)
            assert status == 0 and programs.is_shown(output)

    def test_who_is_not_there(self, programs, clients):
        """It creates no entry."""
        assert programs.run('forgive.py', CLIENT)[:2] == (
            0, CLIENT + ' had sent 0 requests\n')
        assert clients.used == 0

    def test_while_it_is_connected(self, two, clients):
        """A number can be set, and the entry cannot be removed."""
        connection = Clients(two).hold(CLIENT)
        try:
            with pytest.raises(CommandFailed):
                clients.remove(CLIENT)
            assert clients.clear() == (1,)
            assert clients.set(CLIENT, http_req_rate=0)
        finally:
            connection.close()
