# SPDX-License-Identifier: Apache-2.0
"""The page about resolvers and peers: its examples and programs, on every version."""
import os
import re

import pytest

from haproxyadmin.haproxy import HAProxy
from tests.conftest import PATIENT, find, versions
from tests.examples.test_readme import block, hold_all, page, read
from tests.examples.test_recipes import DEFAULTS, RECIPES, Places, Programs
from tests.support import lab as labs, nameserver, session

pytestmark = pytest.mark.dealt_out

PAGE = page('resolvers')


def config(servers):
    """Return the configuration of the page."""
    text = block(read(PAGE), 'backend web')
    for shown, real in [
            ('stats socket ipv4@:9999 level user',
             'stats socket "${HAPROXYADMIN_RUN}/lb${HAPROXYADMIN_PROCESS}.sock" level user\n'
             '    stats socket "${HAPROXYADMIN_FILES}/${HAPROXYADMIN_PROCESS}.sock" level operator'),
            ('bind :80', 'bind "127.0.0.1:${HAPROXYADMIN_PORT_WWW}"'),
            ('10.0.0.53:53', '127.0.0.1:%d' % servers[0].port),
            ('10.0.1.53:53', '127.0.0.1:%d' % servers[1].port),
            ('lve 1s', 'lve 50ms'), ('retry 1s', 'retry 50ms'), ('valid 10s', 'valid 50ms'),
            ('10.0.0.1:1024', '"127.0.0.1:${HAPROXYADMIN_PORT_ONE}"'),
            ('10.0.0.2:1024', '"127.0.0.1:${HAPROXYADMIN_PORT_TWO}"')]:
        assert shown in text
        text = text.replace(shown, real)
    return DEFAULTS + text


@pytest.fixture(params=versions(), scope='module')
def pair(request):
    """The HAProxies of the page."""
    with nameserver.NameServer() as first, nameserver.NameServer() as second:
        with labs.Lab(find(request.param), config=config([first, second]), instances=2,
                      arguments=['-L', 'lb{0}']) as started:
            started.nameservers = [first, second]
            started.hap = HAProxy(socket_dir=started.socket_dir, timeout=PATIENT)
            started.wait_for_peers()
            started.shown = [os.path.join(started.socket_dir, name) for name in ('lb1.sock', 'lb2.sock')]
            yield started


def test_examples(pair):
    places = list(zip(['10.0.0.1:9999', '10.0.0.2:9999'], pair.shown))
    hold_all(session.Console(pair, hosts=Places(places)), PAGE)


def test_nobody_answers(pair, tmpdir):
    programs = Programs(pair, tmpdir)
    nobody = str(tmpdir.join('none.sock'))
    for status, output in (programs.run_quietly('check_peers.py', nobody),
                           programs.run_quietly('check_dns.py', '0', nobody)):
        assert status == 3 and output.startswith('UNKNOWN: ')


def test_which_name_server_does_not_answer(pair, tmpdir):
    programs = Programs(pair, tmpdir)
    arguments = ['0.5'] + pair.shown
    labs.wait_until(lambda: programs.run_quietly('check_dns.py', *arguments) == (0, 'OK\n'),
                    'both answer')
    pair.nameservers[1].code = None
    labs.wait_until(lambda: is_critical(*programs.run_quietly('check_dns.py', *arguments)),
                    'one is silent')


def is_critical(status, output):
    # HAProxy says something else if another program has got the port by now.
    output = re.sub(r'\([A-Z]+\)\n', '(CONN)\n', output)
    return status == 2 and output in read(RECIPES)


def test_are_the_peers_connected(pair, tmpdir):
    """The last test: what is killed stays so."""
    programs = Programs(pair, tmpdir)
    assert programs.run_quietly('check_peers.py', *pair.shown) == (0, 'OK\n')
    pair.kill_process(2)
    first = pair.shown[0]

    def is_seen():
        status, output = programs.run_quietly('check_peers.py', first)
        return is_critical(status, output.replace(first, '10.0.0.1:9999'))

    labs.wait_until(is_seen, 'seen')
