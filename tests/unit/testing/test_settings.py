# SPDX-License-Identifier: Apache-2.0
"""testing/settings.py: what was not captured, with other configurations, and over connections."""
import pytest

from haproxyadmin.testing import fake
from haproxyadmin.testing.configuration import Configuration
from haproxyadmin.testing.families.family import Connection
from haproxyadmin.testing.process import FakeProcess
from haproxyadmin.testing.texts import text
from tests.support import captured

CONFIG = """\
global
    maxconn 500
defaults
    mode http
frontend f
    bind :80
    maxconn 100
frontend off
    bind :81
    disabled
listen l
    bind :82
"""
MODERN = ['2.2', '2.6', '3.0', '3.2', '3.4']


@pytest.fixture(params=captured.VERSIONS)
def process(request):
    made = FakeProcess('/run/haproxy.sock', request.param, Configuration(CONFIG))
    made.level = 'admin'
    return made


def ask(process, *lines):
    """Return the replies to commands on one connection."""
    connection = Connection('admin')
    return [text(process.reply_to(line, connection)) for line in lines]


# Numbers are read as atoi() reads them.

@pytest.mark.parametrize('word, slim', [
    ('50', '50'), ('abc', '0'), ('10abc', '10'), ('50 60', '50'), ('+5', '5')])
def test_the_limit_of_a_frontend(word, slim, process):
    assert ask(process, 'set maxconn frontend f ' + word) == ['\n']
    assert process.get('f', 'FRONTEND', 'slim') == slim


@pytest.mark.parametrize('word, maxconn', [('12x', '12'), ('500', '500'), ('0', '500'), ('-3', '500')])
def test_the_limit_of_the_process(word, maxconn, process):
    process.info['Maxconn'] = '1'
    assert ask(process, 'set maxconn global ' + word) == ['\n']
    assert process.info['Maxconn'] == maxconn


def test_no_more_than_the_configured_limit(process):
    assert ask(process, 'set maxconn global 501') == ['Value out of range.\n\n']


@pytest.mark.parametrize('kind, field, shown', [
    ('connections', 'ConnRateLimit', '7'), ('sessions', 'SessRateLimit', '7'),
    ('http-compression', 'CompressBpsRateLim', '7168')])
def test_a_rate_limit(kind, field, shown, process):
    assert ask(process, 'set rate-limit {0} global 7z'.format(kind)) == ['\n']
    assert process.info[field] == shown


# Frontends

def test_the_states_of_a_frontend(process):
    closed = {'2.4': 'OPEN'}.get(process.version, 'STOP' if process.release < (2, 4) else 'PAUSED')
    assert process.settings.frontends == {'f': 'open', 'off': 'stopped', 'l': 'open'}
    assert ask(process, 'disable frontend f', 'set maxconn frontend f 33') == ['\n'] * 2
    assert process.settings.frontends['f'] == 'paused'
    assert process.get('f', 'FRONTEND', 'status') == closed
    assert process.get('f', 'FRONTEND', 'slim') == '33'
    assert ask(process, 'enable frontend f surplus') == ['\n']
    assert process.get('f', 'FRONTEND', 'status') == 'OPEN'
    # It may be shut down while it is closed.
    assert ask(process, 'disable frontend f', 'shutdown frontend f') == ['\n'] * 2
    assert ask(process, 'shutdown frontend f') == ['Frontend was already shut down.\n\n']


def test_a_listen_section_is_shut_down_as_a_whole(process):
    assert ask(process, 'shutdown frontend l') == ['\n']
    assert (process.row('l', 'BACKEND') is None) == (process.release < (2, 5))
    assert ask(process, 'set maxconn frontend l 5') == ['\n']


def test_a_frontend_that_the_configuration_disables(process):
    assert ask(process, 'disable frontend off', 'enable frontend off', 'shutdown frontend off',
               'set maxconn frontend off 5') == [
        'Frontend was previously shut down, cannot disable.\n\n',
        'Frontend was previously shut down, cannot enable.\n\n',
        'Frontend was already shut down.\n\n', '\n']
    assert process.row('off', 'FRONTEND') is None


def test_a_reload_undoes_everything(process):
    ask(process, 'set maxconn global 7', 'set rate-limit sessions global 7', 'shutdown frontend f',
        'set maxconn frontend l 7')
    process.take_over()
    assert process.info['Maxconn'] == '500' and process.info['SessRateLimit'] == '0'
    assert process.get('f', 'FRONTEND', 'status') == 'OPEN'
    assert process.get('l', 'FRONTEND', 'slim') == '500'
    assert ask(process, 'disable frontend f') == ['\n']


# Levels

@pytest.mark.parametrize('version', MODERN)
@pytest.mark.parametrize('lines, replies', [
    (['user', 'show cli level', 'operator', 'show cli level'],
     ['\n', 'user\n\n', 'Permission denied\n\n', 'user\n\n']),
    (['operator', 'operator surplus', 'show cli level surplus'], ['\n', '\n', 'operator\n\n']),
    (['operator', 'set maxconn global 5', 'set rate-limit', 'show errors bogus'],
     ['\n', 'Permission denied\n\n', 'Permission denied\n\n', 'No such proxy.\n\n']),
    (['user', 'set maxconn frontend', 'set timeout', 'show errors', 'disable frontend nope'],
     ['\n', 'Permission denied\n\n', "'set timeout' only supports 'cli'.\n\n",
      'Permission denied\n\n', 'Permission denied\n\n'])])
def test_a_connection_has_a_level(version, lines, replies):
    process = FakeProcess('/run/haproxy.sock', version, Configuration(CONFIG))
    assert ask(process, *lines) == replies
    assert ask(process, ';'.join(lines)) == [''.join(replies)]
    # The next connection has that of the socket again.
    assert ask(process, 'show cli level') == ['admin\n\n']


@pytest.mark.parametrize('level', ['user', 'operator', 'admin'])
def test_a_socket_has_a_level(level):
    with fake.FakeHAProxy('3.2', level=level) as haproxy:
        assert haproxy.hap.command('show cli level')[0][1] == [level]
        assert haproxy.hap.setmaxconn(5, die=False) is (level == 'admin')


# Of a connection

@pytest.mark.parametrize('value, is_right', [
    ('5', True), ('5 6', True), ('100ms', True), ('1d', True), ('-5', False), ('99999d', False),
    ('5w', False), ('0', False), ('2147484', False)])
def test_a_timeout(value, is_right, process):
    assert ask(process, 'set timeout cli ' + value) == [
        '\n' if is_right else 'Invalid timeout value.\n\n']


@pytest.mark.parametrize('version, line, reply, problems', [
    ('1.7', 'set severity-output none', None, 1), ('1.8', 'set severity-output none', '\n', 0),
    ('1.8', 'set severity-output bogus',
     "one of 'none', 'number', 'string' is a required argument\n", 0),
    ('2.0', 'set severity-output',
     "one of 'none', 'number', 'string' is a required argument\n\n", 0),
    # It does not print them, and says so.
    ('3.2', 'set severity-output number', '\n', 1),
    ('2.4', 'show version', None, 1), ('2.6', 'show version', '2.6.12-1+deb12u4\n\n', 0)])
def test_what_came_later(version, line, reply, problems):
    process = FakeProcess('/run/haproxy.sock', version, Configuration(CONFIG))
    got, = ask(process, line)
    assert got == reply or reply is None and got.startswith('Unknown command')
    assert len(process.problems) == problems


@pytest.mark.parametrize('version', ['1.5.8', '1.5', '1.6', '1.7'])
@pytest.mark.parametrize('line', ['add bogus', 'del', 'enable bogus', 'disable', 'shutdown it'])
def test_half_a_command_is_a_problem(version, line):
    process = FakeProcess('/run/haproxy.sock', version, Configuration(CONFIG))
    reply, = ask(process, line)
    assert reply.startswith('Unknown command' if version == '1.7' else "'{0}' only supports".format(
        line.split()[0]))
    assert len(process.problems) == 1 and line in process.problems[0]
