# SPDX-License-Identifier: Apache-2.0
"""The fake and real HAProxies reply the same to random commands about servers.

The servers have no checks that run, because what these find out would depend on time.
"""
import csv
import os
import random
import re

import pytest

from haproxyadmin.testing.configuration import Configuration
from haproxyadmin.testing.process import FakeProcess
from haproxyadmin.testing.texts import text
from tests.conftest import PATIENT, start, versions
from tests.support import lab as labs

pytestmark = pytest.mark.dealt_out

CONFIG = """
global
    maxconn 1000
    stats socket "${HAPROXYADMIN_RUN}/1.sock" level admin

defaults
    mode http
    timeout connect 5s
    timeout client 60s
    timeout server 60s

frontend f
    bind "127.0.0.1:${HAPROXYADMIN_PORT_F}"
    default_backend b

backend b
    server n1 127.0.0.1:81
    server n2 127.0.0.1 rise 3 fall 4 weight 100
    server n3 127.0.0.1:83 disabled
    server n4 :84 backup weight 7
    server n5 [::1]:85 maxconn 10 minconn 2
    server n6 127.0.0.1:+5 weight 256
    server n7 unix@/nowhere/x.sock
    server n8 127.0.0.1:88 weight 0 maxconn 5
    server n9 127.0.0.1:89 check port 9 disabled id 20

backend c
    balance leastconn
    option allbackups
    server c1 127.0.0.1:81
    server c2 127.0.0.1:82 backup weight 3
    server c3 127.0.0.1:83 backup weight 5

backend d
    disabled
    server d1 127.0.0.1:81

backend e
    balance source
    server e1 127.0.0.1:81
    server e2 127.0.0.1:82 weight 9

backend g
    balance uri
    hash-type consistent
    server g1 127.0.0.1:81 weight 9

backend h
    cookie DYN insert dynamic
    dynamic-cookie-key KEY
"""
# Columns of `show stat` that are compared.
COLUMNS = ['pxname', 'svname', 'status', 'weight', 'act', 'bck', 'slim', 'addr', 'sid', 'uweight',
           'check_status', 'check_health']
COUNT = 400
SEED = 16
PLACES = ['b/n{0}'.format(number) for number in range(1, 9)] + [
    'c/c1', 'c/c2', 'c/c3', 'd/d1', 'e/e1', 'e/e2', 'g/g1', 'b/x1', 'b/x2', 'c/x1', 'e/x1', 'g/x1',
    'h/x1', 'h/x2']
ODD_PLACES = ['', 'b', 'b/', '/n1', 'b/none', 'none/n1', 'f/FRONTEND', '#4/#1', 'b/BACKEND']
WEIGHTS = ['0', '1', '7', '50', '100', '256', '257', '-1', '50%', '0%', '100%', '200%', '9000%', '-5%',
           'x', '7x', '', '%', '007', '+9']
ADDRESSES = ['127.0.0.1', '127.0.0.2', '10.1.2.3', '::1', 'fe80::1', 'localhost', '999.1.1.1', '',
             '/x.sock', '0.0.0.0']
PORTS = ['80', '81', '0', '65535', '65536', '70000', '+1', '+0', '-1', 'x', '', '8x']
LIMITS = ['0', '5', '77', '-1', '-5', '99999999999', '4294967297', 'x', '5x', '']
OTHERS = ['health up', 'health down', 'health stopping', 'health x', 'health', 'agent up', 'agent x',
          'agent-addr 127.0.0.1', 'agent-port 80', 'agent-send x', 'check-port 5', 'check-port x',
          'check-addr 127.0.0.1', 'check-addr x', 'ssl on', 'fqdn a.test', 'fqdn', 'x', '', 'addr']
KEYWORDS = ['', ' weight 20', ' weight 300', ' maxconn 9', ' backup', ' disabled', ' id 99', ' id 1',
            ' check', ' bogus', ' resolvers r', ' send-proxy weight 5', ' agent-check agent-port 5',
            ' source 127.0.0.1 usesrc clientip']
TARGETS = ['127.0.0.1:91', '127.0.0.1', '[::1]:92', ':93', '127.0.0.1:+3', '127.0.0.1:x']


def random_commands(version):
    """Return the commands of a version, always the same."""
    chosen = random.Random(SEED)

    def place():
        return chosen.choice(PLACES if chosen.random() < .9 else ODD_PLACES)

    makers = [
        lambda: 'set server {0} state {1}'.format(
            place(), chosen.choice(['ready', 'drain', 'maint', 'ready', 'up', ''])),
        lambda: '{0} server {1}'.format(chosen.choice(['enable', 'disable', 'enable']), place()),
        lambda: 'set weight {0} {1}'.format(place(), chosen.choice(WEIGHTS)),
        lambda: 'set server {0} weight {1}'.format(place(), chosen.choice(WEIGHTS)),
        lambda: 'get weight ' + place(),
        lambda: 'set server {0} addr {1}{2}'.format(
            place(), chosen.choice(ADDRESSES),
            ' port ' + chosen.choice(PORTS) if chosen.random() < .6 else ''),
        lambda: 'set maxconn server {0} {1}'.format(place(), chosen.choice(LIMITS)),
        lambda: 'set server {0} {1}'.format(place(), chosen.choice(OTHERS)),
        lambda: '{0} {1} {2}'.format(chosen.choice(['disable', 'enable', 'disable']),
                                     chosen.choice(['health', 'agent']), place()),
        lambda: 'show servers state ' + chosen.choice(['', 'b', 'd', '#4', 'f', 'none']),
        lambda: 'shutdown sessions server ' + place(),
        lambda: '{0} dynamic-cookie backend {1}'.format(
            chosen.choice(['enable', 'disable']), chosen.choice(['b', 'none', ''])),
        lambda: 'set dynamic-cookie-key backend {0}'.format(
            chosen.choice(['b k', 'none k', 'b', '']))]
    if version > '2.2':
        makers += 2 * [
            lambda: 'add server {0} {1}{2}'.format(
                chosen.choice(['b/x1', 'b/x2', 'c/x1', 'e/x1', 'h/x1', 'h/x2', 'h/x!', 'none/x', 'b/n1',
                               'h']), chosen.choice(TARGETS[:3] + TARGETS), chosen.choice(
                                   KEYWORDS[:1] + KEYWORDS)),
            lambda: 'add server ' + chosen.choice(['', 'b', 'b/x1', 'none/x']),
            lambda: 'disable server {0};del server {0}'.format(place()),
            lambda: 'del server ' + place()]
    return [chosen.choice(makers)() for _ in range(COUNT)]


class Both(object):
    """A real HAProxy and a fake one."""

    def __init__(self, version):
        self.lab = start(version, config=CONFIG)
        self.socket_file = os.path.join(self.lab.socket_dir, '1.sock')
        self.fake = FakeProcess('/nowhere', version, Configuration(CONFIG, self.lab.config_file))

    def ask_real(self, command):
        return labs.ask(self.socket_file, command)

    def ask_fake(self, command):
        return text(self.fake.reply_to(command))

    def stop(self):
        self.lab.stop()


@pytest.fixture(scope='module', params=versions())
def both(request):
    pair = Both(request.param)
    yield pair
    pair.stop()


def state(ask):
    """Return what both have to show alike: rows and states, without times."""
    rows = list(csv.reader(ask('show stat')[2:].strip().split('\n')))
    places = [rows[0].index(name) for name in COLUMNS if name in rows[0]]
    shown = [','.join(row[place] for place in places) for row in rows if row[1] != 'FRONTEND']
    return shown + without_times(ask('show servers state')).split('\n')


def wait_for(ask, expected):
    """Wait until a state is the expected one, or for a while."""
    try:
        labs.wait_until(lambda: state(ask) == expected, 'the address changes', PATIENT)
    except labs.LabError:
        pass


def without_times(reply):
    """Replace the seconds since the last change in the lines of ``show servers state``."""
    return re.sub(r'^((?:\S+ ){5}\d \d+ \d+ \d+) \d+ ', r'\1 N ', reply, flags=re.MULTILINE)


def test_both_reply_the_same_to_random_commands(both):
    assert state(both.ask_fake) == state(both.ask_real)
    done = []
    for command in random_commands(both.lab.version):
        done.append(command)
        real, fake = without_times(both.ask_real(command)), without_times(both.ask_fake(command))
        assert fake == real, done[-5:]
        expected = state(both.ask_fake)
        if ' addr ' in command:
            # From 3.0 on an address changes a moment later.
            wait_for(both.ask_real, expected)
        assert state(both.ask_real) == expected, done[-5:]


def test_the_commands_are_of_all_kinds(both):
    replies = set(map(both.ask_fake, random_commands(both.lab.version)))
    assert len(replies) > 30
