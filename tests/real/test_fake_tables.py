# SPDX-License-Identifier: Apache-2.0
"""The stick tables of the fake beside those of real HAProxies."""
import os
import random
import re

import pytest

from haproxyadmin.protocol import versions as facts
from haproxyadmin.testing.configuration import Configuration
from haproxyadmin.testing.families.family import LEVELS, Connection
from haproxyadmin.testing.process import FakeProcess
from haproxyadmin.testing.texts import text
from tests.conftest import find, versions
from tests.support import lab as labs

pytestmark = pytest.mark.dealt_out

SOCKETS = """
global
    stats socket "${HAPROXYADMIN_RUN}/${HAPROXYADMIN_PROCESS}.sock" level admin
    stats socket "${HAPROXYADMIN_FILES}/operator.sock" level operator
    stats socket "${HAPROXYADMIN_FILES}/user.sock" level user
"""
TABLES = """
peers mypeers
    table pt type string len 8 size 1k store gpc0

frontend f
    mode http
    timeout client 1m
    bind "127.0.0.1:${HAPROXYADMIN_PORT_F}"
    stick-table type ip size 1k expire 1h store gpc0,conn_cnt,http_req_rate(1d),bytes_in_cnt,server_id

backend by_address6
    stick-table type ipv6 size 1k expire 1h store gpc0,http_req_cnt
backend by_text
    stick-table type string len 8 size 100k expire 1h store gpt0,gpc0,conn_rate(1d),bytes_out_rate(1d)
backend without_length
    stick-table type string size 1000 nopurge store gpc0,gpc1,gpc1_rate(1d)
backend by_bytes
    stick-table type binary len 4 size 1k expire 1h store http_req_cnt
backend by_number
    stick-table type integer size 4 nopurge store http_req_cnt,gpc0
backend nothing
    mode http
"""
ARRAYS = """
backend arrays
    stick-table type string len 32 size 100 expire 1h store gpt(2),gpc(3),gpc_rate(2,1d)
"""
NAMES = ['mypeers/pt', 'f', 'by_address6', 'by_text', 'without_length', 'by_bytes', 'by_number',
         'arrays', 'nothing', 'no']
KEYS = ['1.2.3.4', '10.0.0.1', '10.0.0.256', '1.2.3', '1.2.3.4x', '1.2.3.4.5', '1..2', '::1', '2001:db8::1',
        '2001:DB8:0::1', '::ffff:1.2.3.4', '2002:102:304::', 'fe80::1', '5', '05', '-1', '+7', '0', 'x', '5x',
        '4294967295', '4294967296', '99999999999999999999', 'text', r'two\ words', 'a=b',
        r'a\\b', r'a\;b', 'long' * 20, 'abcdefgh', 'abcdefghi', u'\xe9']
TYPES = ['gpc0', 'gpc1', 'gpt0', 'conn_cnt', 'conn_rate', 'http_req_rate', 'http_req_cnt', 'bytes_in_cnt',
         'bytes_out_rate', 'gpc1_rate', 'server_id', 'gpc', 'gpt', 'gpc_rate', 'gpc[1]', 'gpc[9]',
         'gpc_rate[1]', 'gpc(1)', 'http_req_rate(1d)', 'nothing', '']
NUMBERS = ['0', '1', '5', '-1', '4294967296', '5000000000', '9223372036854775807',
           '9223372036854775808', '-', '+1', '1.5', 'x', '']
OPERATORS = ['eq', 'ne', 'le', 'ge', 'lt', 'gt', 'xx', '']
# What is said without any randomness: each at least once.
ALWAYS = ['show table', 'set table', 'clear table', 'show table by_text key', 'set table by_text key',
          'clear table by_text key', 'show table by_text bogus', 'set table by_text bogus',
          'clear table by_text bogus', 'set table by_text data.gpc0 gt 1',
          'show table by_text data.gpc0 gt 1 data.gpc0 gt 1 data.gpc0 gt 1 data.gpc0 gt 1 data.gpc0',
          'show table by_text ptr', 'show table by_text ptr 5', 'show table by_text ptr 0x5z',
          'show table by_text ptr 0x5', 'clear table by_text ptr 0x5', 'set table by_text ptr 0x5',
          'set table by_text key a gpc0 5', 'set table by_text key a data.gpc0 5 data.gpt0',
          'set table by_text', 'clear table by_bytes', 'show table mypeers']


def command_of(dice):
    """Return a random command."""
    verb = dice.choice(['show', 'show', 'set', 'set', 'set', 'clear'])
    words = [verb, 'table', dice.choice(NAMES[:8] * 5 + NAMES[8:])]
    kind = dice.choice(['key'] * 5 + ['data', 'all'])
    if kind == 'key':
        words += ['key', dice.choice(KEYS)]
        if verb == 'set':
            words += [word for _ in range(dice.randrange(4))
                      for word in ('data.' + dice.choice(TYPES), dice.choice(NUMBERS[:6] * 3 + NUMBERS))]
    elif kind == 'data' and verb != 'set':
        words += [word for _ in range(dice.randrange(1, 6)) for word in (
            'data.' + dice.choice(TYPES), dice.choice(OPERATORS[:6] * 3 + OPERATORS),
            dice.choice(NUMBERS[:3] * 3 + NUMBERS))]
    elif verb != 'show' and dice.randrange(4):
        # It would empty the table.
        return command_of(dice)
    return ' '.join(word for word in words if word)


def comparable(reply, has_order):
    """Return a reply without addresses and times; the order of 3.0 on is that of a hash."""
    lines = re.sub(r' exp=[1-9]\d*', ' exp=N', re.sub(r'0x[0-9a-f]+:', '0xREF:', reply)).split('\n')
    return lines if has_order else lines[:1] + sorted(lines[1:])


class Pair(object):
    """A real HAProxy and a fake of its version."""

    def __init__(self, lab, version, config):
        self.lab = lab
        self.fake = FakeProcess('/run/haproxy.sock', version, Configuration(config))
        self.fake.info['Version'] = re.search(
            'Version: (.*)', labs.ask(self.path('admin'), 'show info')).group(1)
        self.leaks = facts.is_among(
            facts.parse_version(self.fake.info['Version']), facts.LEAKING_KEYS)

    def path(self, level):
        if level == 'admin':
            return os.path.join(self.lab.socket_dir, '1.sock')
        return os.path.join(self.lab.directory, 'files', level + '.sock')

    def is_defined(self, command, level):
        """Return whether a command has a reply that only depends on the commands before it."""
        words = command.split() + [''] * 5
        if words[3] != 'key':
            return True
        # What is no address is whatever happens to be in the memory.
        is_address = ':' in words[4] or words[2] != 'by_address6' or self.fake.release >= (2, 6)
        # A refused command keeps an entry, and then `clear table` keeps one before it if the
        # hashes of both say so.
        is_refused = level == 'user' or words[2] == 'by_bytes'
        return is_address and not (is_refused and self.leaks)

    def replies(self, command, level='admin'):
        """Return the replies of both."""
        return (labs.ask(self.path(level), command),
                text(self.fake.reply_to(command, Connection(level))))


@pytest.fixture(scope='module', params=versions())
def pair(request):
    config = TABLES + (ARRAYS if request.param != '2.2' else '')
    with labs.Lab(find(request.param), config=SOCKETS + config) as started:
        yield Pair(started, request.param, config)


@pytest.mark.parametrize('seed', range(3))
def test_both_reply_alike(pair, seed):
    dice = random.Random(seed)
    commands = [command_of(dice) for _ in range(250)] + ALWAYS
    dice.shuffle(commands)
    for command in commands:
        level = dice.choice(LEVELS + ('admin',) * 5)
        if pair.is_defined(command, level):
            real, fake = pair.replies(command, level)
            has_order = pair.fake.release < (3, 0)
            assert comparable(fake, has_order) == comparable(real, has_order), (level, command)
