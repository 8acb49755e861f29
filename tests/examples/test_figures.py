# SPDX-License-Identifier: Apache-2.0
"""The page about figures: its examples and programs, on every version."""
import csv
import json
import re
import socket

import pytest

from haproxyadmin.haproxy import HAProxy
from tests.conftest import PATIENT, find, versions
from tests.examples.test_readme import block, hold_all, page, read
from tests.examples.test_recipes import DEFAULTS, Nowhere, Programs
from tests.support import lab as labs, session

pytestmark = pytest.mark.dealt_out

PAGE = page('figures')
SERVERS = ['web1', 'web2', 'web3']
FINE = "HAPROXY OK: no server is down | 'web'=0;10;100;0\n"


def config():
    """Return the configuration of the page, for both processes."""
    text = block(read(PAGE), 'backend web')
    for shown, real in [('/run/haproxy/lb1.sock',
                         '"${HAPROXYADMIN_RUN}/lb${HAPROXYADMIN_PROCESS}.sock"'),
                        ('bind :80', 'bind "127.0.0.1:${HAPROXYADMIN_PORT_WWW}"'),
                        ('inter 1s', 'inter 50ms')]:
        assert shown in text
        text = text.replace(shown, real)
    text = re.sub(r'10\.0\.0\.(\d):80', r'"127.0.0.1:${HAPROXYADMIN_PORT_ORIGIN\1}"', text)
    return DEFAULTS + '    timeout queue 5m\n' + text


@pytest.fixture(params=versions(), scope='module')
def web(request):
    """The HAProxies of the page."""
    with labs.Lab(find(request.param), config=config(), instances=2) as started:
        yield started


@pytest.fixture(autouse=True)
def ready(web):
    """Have all servers up, as at first."""
    for server in SERVERS:
        tell(web, 'enable health web/{0}', server)
        tell(web, 'set server web/{0} state ready', server)
        tell(web, 'set maxconn server web/{0} 100', server)
    labs.wait_until(lambda: all(
        web.raw('show stat -1 4 -1', path).count(',L4OK,') == 3
        and web.raw('show stat -1 4 -1', path).count(',UP,') == 3 for path in web.socket_files),
        'all are up')


def tell(web, command, server, sockets=slice(None)):
    for path in web.socket_files[sockets]:
        web.raw(command.format(server), path)


@pytest.fixture
def programs(web, tmpdir):
    return Programs(web, tmpdir)


@pytest.fixture
def hap(web):
    return HAProxy(socket_dir=web.socket_dir, timeout=PATIENT)


def test_examples(web):
    hold_all(session.Console(web), PAGE)


class TestExport(object):

    def test_as_csv(self, programs, hap):
        status, output, _ = programs.run('export.py', 'csv')
        assert status == 0
        rows, shown = list(csv.DictReader(output.splitlines())), hap.stats()
        assert output.splitlines()[0].split(',') == list(shown[0])
        for name in ('pxname', 'svname', 'type', 'slim', 'weight', 'rate_lim', 'processes'):
            assert [row[name] for row in rows] == [
                '' if row[name] is None else str(row[name]) for row in shown]

    def test_as_json(self, programs, hap):
        status, output, _ = programs.run('export.py', 'json')
        assert status == 0
        shown = json.loads(output)
        assert set(shown['haproxy']) == set(hap.metrics())
        assert shown['haproxy']['Maxconn'] == 4000 and shown['haproxy']['Idle_pct'] <= 100
        assert shown['taken_at'] > 0
        for name in ('pxname', 'svname', 'type', 'slim', 'weight', 'rate_lim', 'processes'):
            assert [row[name] for row in shown['proxies']] == [row[name] for row in hap.stats()]


class TestNagiosCheck(object):

    def test_all_is_well(self, programs):
        assert programs.run('check_haproxy.py')[:2] == (0, FINE)

    def test_a_server_is_down_in_one_process(self, programs, web):
        tell(web, 'disable health web/{0}', 'web1', slice(1))
        tell(web, 'set server web/{0} health down', 'web1', slice(1))
        status, output, _ = programs.run('check_haproxy.py', '-w', '5', 'web')
        assert status == 1 and programs.is_shown(output)

    def test_a_backend_is_down(self, programs, web):
        for server in SERVERS:
            tell(web, 'set server web/{0} state maint', server)
        assert programs.run('check_haproxy.py')[:2] == (
            2, "HAPROXY CRITICAL: web/BACKEND is DOWN | 'web'=0;10;100;0\n")

    def test_a_queue(self, programs, web, hap):
        for server in SERVERS:
            tell(web, 'set maxconn server web/{0} 1', server)
        clients = [socket.create_connection(('127.0.0.1', web.ports['www'])) for _ in range(40)]
        try:
            for client in clients:
                client.sendall(b'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n')
            backend = hap.backend('web')
            labs.wait_until(lambda: backend.metric('qcur') + backend.metric('scur') >= 40
                            and backend.metric('qcur') >= 34, 'they wait')
            waiting = backend.metric('qcur')
            assert (backend.metric('qcur', rule='max')
                    == max(value for _, value in backend.metric_per_socket('qcur')))
            for limits, status, word in [(('-w', '5', '-c', '10'), 2, 'CRITICAL'),
                                         (('-w', '5', '-c', '1000'), 1, 'WARNING'),
                                         (('-w', '500', '-c', '1000'), 0, 'OK')]:
                found, output, _ = programs.run('check_haproxy.py', *limits)
                assert found == status and output.startswith('HAPROXY {0}: '.format(word))
                assert "| 'web'={0};{1};{2};0\n".format(waiting, limits[1], limits[3]) in output
            output = programs.run('check_haproxy.py', '-w', '5', '-c', '10', 'web')[1]
            assert programs.is_shown(re.sub(r'\b{0}\b'.format(waiting), '16', output))
        finally:
            for client in clients:
                client.close()
        labs.wait_until(lambda: backend.metric('qcur') + backend.metric('scur') == 0, 'all left')

    def test_what_is_not_known(self, programs):
        status, output, _ = programs.run('check_haproxy.py', 'api')
        assert status == 3 and programs.is_shown(output)
        assert programs.run('check_haproxy.py', '-w', 'many')[:2] == (
            3, "HAPROXY UNKNOWN: argument -w: invalid int value: 'many'\n")

    def test_a_server_in_maintenance_is_not_down(self, programs, web):
        tell(web, 'set server web/{0} state maint', 'web1')
        assert programs.run('check_haproxy.py')[:2] == (0, FINE)

    def test_nobody_answers(self, tmpdir):
        """Nagios shows the first line only."""
        programs = Programs(Nowhere(str(tmpdir)), tmpdir)
        assert self.unknown(programs)
        left_behind = socket.socket(socket.AF_UNIX)
        left_behind.bind(str(tmpdir.join('admin.sock')))
        left_behind.close()
        assert 'Connection refused' in self.unknown(programs)

    def unknown(self, programs):
        """Return why the state is unknown."""
        status, output = programs.run_quietly('check_haproxy.py')
        word, _, reason = output.partition(': ')
        assert (status, word, reason.count('\n')) == (3, 'HAPROXY UNKNOWN', 1)
        return reason
