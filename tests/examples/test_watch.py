# SPDX-License-Identifier: Apache-2.0
"""The page about what changes: its examples and programs, on every version."""
import re
import signal
import socket

import pytest

from tests.conftest import PATIENT, find, versions
from tests.examples.test_readme import block, hold_all, page, read
from tests.examples.test_recipes import DEFAULTS, RECIPES, Programs
from tests.support import lab as labs, session

pytestmark = pytest.mark.dealt_out

WATCH = page('watch')


def config():
    """Return the configuration of the page."""
    text = block(read(WATCH), 'backend web')
    for shown, real in [('/run/haproxy/admin.sock', '"${HAPROXYADMIN_RUN}/admin.sock"'),
                        ('bind :80', 'bind "127.0.0.1:${HAPROXYADMIN_PORT_WWW}"'),
                        ('inter 1s', 'inter 50ms'), ('maxconn 100', 'maxconn 1'),
                        ('balance roundrobin', 'balance roundrobin\n    timeout queue 1m')]:
        assert shown in text
        text = text.replace(shown, real)
    text = re.sub(r'10\.0\.0\.(\d):80', r'"127.0.0.1:${HAPROXYADMIN_PORT_ORIGIN\1}"', text)
    return DEFAULTS + text


@pytest.fixture(params=versions(), scope='module')
def web(request):
    """The HAProxy of the page."""
    with labs.Lab(find(request.param), config=config()) as started:
        labs.wait_until(lambda: started.raw('show stat').count('L4OK') == 2, 'checked')
        yield started


def requests(web):
    """Return how many commands HAProxy has received, this one too."""
    return int(web.raw('show info').split('\nCumReq: ')[1].split('\n')[0])


def wait_for_looks(web, before):
    """Wait until a program has sent some commands.

    :param before: how many HAProxy had received before.
    """
    asked = [0]

    def looks():
        asked[0] += 1
        # A program that begins sends three.
        return requests(web) - before - asked[0] > 3
    labs.wait_until(looks, 'it looks')


@pytest.fixture
def programs(web, tmpdir):
    return Programs(web, tmpdir, {
        'interval=0.5': 'interval=0.01', 'hap.watch()': 'hap.watch(interval=0.01)',
        'timeout=years': 'timeout=years, interval=0.01'})


@pytest.fixture
def start(web, programs):
    """A function that starts a program of the page, and returns it once it looks."""
    running = []

    def start(*arguments):
        before = requests(web)
        running.append(programs.start(*arguments))
        wait_for_looks(web, before)
        return running[-1]
    yield start
    for process in running:
        if process.poll() is None:
            process.kill()
            process.communicate()


@pytest.fixture
def log(tmpdir):
    """What the commands that are run are called with."""
    class Log(object):
        command = ('sh', '-c', 'echo "$@" >> log', 'sh')

        def wait_for(self, *lines):
            path = tmpdir.join('log')
            labs.wait_until(lambda: path.check() and path.read().split('\n')[:-1] == list(lines),
                            lines)
    return Log()


def test_examples(web):
    hold_all(session.Console(web), WATCH)


def test_print_what_changes(web, start):
    process = start('follow.py')
    wanted = [line.split(' ', 1)[1]
              for line in block(read(RECIPES), '$ python follow.py').split('\n') if '->' in line]
    seen = []
    for change in ('web1 state maint', 'web2 weight 50', 'web1 state ready'):
        web.raw('set server web/' + change)
        seen.append(process.stdout.readline().rstrip('\n').split(' ', 1)[1])
    process.send_signal(signal.SIGINT)
    assert process.communicate() == ('', '') and process.returncode == 0
    assert seen == wanted
    web.raw('set server web/web2 weight 100')


def test_it_ends_by_itself(programs):
    assert programs.run_quietly('follow.py', '0.5') == (0, '')


def test_alert_when_a_backend_loses_its_last_server(web, start, log):
    start('outage.py', *log.command)
    web.raw('set server web/web1 state maint')
    web.raw('set server web/web2 state maint')
    log.wait_for('web DOWN')
    web.raw('set server web/web2 state ready')
    log.wait_for('web DOWN', 'web UP')
    web.raw('set server web/web1 state ready')
    labs.wait_until(lambda: web.raw('show stat').count(',MAINT,') == 0, 'both are back')


def test_alert_on_the_length_of_a_queue(web, start, log):
    start('queued.py', 'web', '2', *log.command)
    for count in (1, 2):
        with web.hold('www', 2), labs.Held() as waiting:
            for number in (1, 2, 3):
                connection = socket.create_connection(('127.0.0.1', web.ports['www']), PATIENT)
                waiting.connections.append(connection)
                connection.sendall(b'GET / HTTP/1.0\r\n\r\n')
                labs.wait_until(lambda: queued(web) == number, 'it waits')
            log.wait_for(*['web 3'] * count)
        labs.wait_until(lambda: queued(web) == 0, 'nobody waits')
        wait_for_looks(web, requests(web))


def queued(web):
    """Return how many requests wait for a server of the backend."""
    return int([line for line in web.raw('show stat').split('\n')
                if line.startswith('web,BACKEND,')][0].split(',')[2])
