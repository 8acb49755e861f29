# SPDX-License-Identifier: Apache-2.0
"""The servers of the fake: more captured replies, and what tests can do with them."""
import ast
import re

import pytest

from haproxyadmin.testing.configuration import Configuration
from haproxyadmin.testing.families.family import Connection
from haproxyadmin.testing.process import FakeProcess
from haproxyadmin.testing.texts import text
from tests.support import captured

# Which groups of captured replies there are of which versions.
GROUPS = [(version, group) for version in captured.VERSIONS[captured.VERSIONS.index('1.8'):]
          for group in ('server', 'server2', 'dynamic', 'backend', 'backend34', 'state')
          if captured.servers(version, group)]
# The group that was captured before another from the same HAProxy.
BEFORE = {'backend': 'dynamic'}
LIST = re.compile(r'(Unknown command[^\n]*:)\n(?:.|\n)*\Z')
TIME = re.compile(r'^((?:\S+ ){5}\d \d+ \d+ \d+) \d+ ', re.MULTILINE)
IN_PROGRESS = re.compile(r'^((?:\S+ ){14}2)3 ', re.MULTILINE)
# An addition to a reply, which the fake leaves out.
GUESS = re.compile(r'; did you mean .* maybe [?]')
ADDRESS = re.compile(r'(IP|port) changed|nothing changed')
# The second group says what came of a command: the reply, and the state of a server.
BECAME = re.compile(r'(.*) -> (\S+) status,check,weight,act,bck=(\[.*\]) op,admin=(\[.*\])\Z')
LIMIT = re.compile(r'(.*) slim=(\[.*\])\Z')
ADDED = re.compile(r'(.*) -> (\[.*\]) state (\[.*\])\Z')
LATER = re.compile(r'(.*) -> at once (\[.*\]), 1 s later')
WAITED = re.compile(r'(.*) after \d+\.\d+ s\Z')
# The captured 2.4 is an early release; these it did otherwise than the one of the other captures.
EARLY = re.compile(r'enable health|set server be1/s4 check-|set server be1/s1 fqdn')
# In the second group: the fake has no traffic, no agents that say something and no client that ends
# `wait` by closing its half of the connection; the reply to the last one is a part of another.
WITHOUT = re.compile(r'.*(Interrupted|connections attached|Wait delay expired)|visible after')
WITHOUT_COMMANDS = re.compile(
    r'.*(be_slow/w2|(server|agent) be1/dya\Z|be1/s2|;show (servers state|version)|show servers conn)')


class Replay(object):
    """Replays captured replies on a fake whose checks do not run between commands."""

    def __init__(self, version):
        self.version = version
        self.process = FakeProcess('/nowhere', version, Configuration(
            captured.servers_configuration(version)))
        self.process.servers.settles = False
        # What waits does not wait.
        self.process.stopping.set()
        # Its agent had said so.
        self.process.reply_to('set weight be1/s2 75%')

    def reply(self, command):
        level = 'admin'
        if command.startswith('LOW '):
            _, level, command = command.split(' ', 2)
        return text(self.process.reply_to(command, Connection(level)))

    def normal(self, reply):
        """Return a reply without what differs from run to run, or what the fake does not know."""
        reply = TIME.sub(r'\1 N ', IN_PROGRESS.sub(r'\g<1>2 ', LIST.sub(r'\1\n\n', reply)))
        if self.version == '1.8':
            # Another release than that of the other captures: it has a column less.
            reply = re.sub(r' (srvrecord|-)$', '', reply, flags=re.MULTILINE)
        if self.version == '2.4':
            # The checks that the early release had enabled.
            reply = re.sub(r'^((?:\S+ ){13})4 ', r'\g<1>0 ', reply, flags=re.MULTILINE)
        if self.version >= '3.0' and ADDRESS.search(reply):
            # A change that came shortly before was not done yet.
            reply = 'changed or not'
        if reply.startswith('\nList of keywords'):
            # The fake does not know all of them.
            reply = reply.split(':')[0]
        return GUESS.sub('.', reply)

    def differences(self, group):
        """Return what is different in a group, as texts."""
        found = []
        for case in captured.servers(self.version, group):
            real, fake = self.both(case)
            if self.normal(real) != self.normal(fake):
                found.append('{0!r}\n   real {1!r}\n   fake {2!r}'.format(
                    case['command'], real[:900], fake[:900]))
        return found

    def both(self, case):
        """Return the captured reply, and that of the fake."""
        real, command = case['reply'], case['command']
        if group_of(case) == 'server2':
            if WITHOUT.match(real) or WITHOUT_COMMANDS.match(command):
                return '', ''
            return self.became(command, real)
        fake = self.reply(command)
        if self.version == '2.4' and EARLY.match(command):
            return '', ''
        # 3.4.0 repeats the reply to a command before.
        return real.replace('Server deleted.\nBackend', 'Backend'), fake

    def row(self, server, columns):
        return [self.process.get(*(server.split('/') + [name])) for name in columns.split()]

    def became(self, command, real):
        """Return what was captured of a command and of its effects, and the same of the fake."""
        if 'initial' in real:
            self.reply(command)
            return real, self.reply('get weight ' + command.split()[2]) + self.restore(command)
        fake = self.reply(command)
        server = next((word for word in command.split() if '/' in word), None)
        for pattern in (BECAME, LIMIT, ADDED, LATER, WAITED):
            match = pattern.match(real)
            if not match:
                continue
            groups = [ast.literal_eval(part) if part[0] in '["\'' else part
                      for part in match.groups()]
            shown = [fake]
            if pattern is BECAME:
                state = self.process.servers.get(*groups[1].split('/'))
                shown += [groups[1], self.row(groups[1], 'status check_status weight act bck'),
                          [str(state.state), str(state.admin)]]
            elif pattern is LIMIT:
                shown.append(self.row(server, 'slim'))
            elif pattern is ADDED:
                state = self.process.servers.get(*server.split('/'))
                shown += [self.row(server, 'status check_status weight'),
                          self.line_of(state)]
            elif pattern is LATER:
                shown.append(self.row(server, 'status check_status'))
            return str(groups), str(shown)
        return real, fake

    def restore(self, command):
        """Set the weight to what it was before, as was done after these commands."""
        self.reply('set weight {0} 100'.format(command.split()[2]))
        return ''

    def line_of(self, state):
        """Return the columns 6 to 15 of the line of ``show servers state``, with no time."""
        fields = state.line(self.process.servers.proxy(state.backend), 25).split()[5:15]
        return fields


def group_of(case):
    return case['group']


@pytest.mark.parametrize('version,group', GROUPS)
def test_it_replies_as_the_real_one_did(version, group):
    replay = Replay(version)
    if group in BEFORE and captured.servers(version, BEFORE[group]):
        replay.differences(BEFORE[group])
    differences = replay.differences(group)
    assert not differences, '\n'.join(differences)


@pytest.mark.parametrize('version', [version for version in captured.VERSIONS
                                     if captured.has_dump(version, 'servers_state.txt')])
def test_the_states_are_those_that_were_captured(version):
    process = FakeProcess('/nowhere', version, Configuration(captured.configuration(version),
                                                             files=captured.FILES))
    for state in process.servers.states:
        if state.agent.is_configured:
            state.weight = 75  # As its agent had said.
    real, fake = (re.sub(r'\b[34]\d{4}\b', 'PORT', IN_PROGRESS.sub(r'\g<1>2 ', TIME.sub(r'\1 N ', reply)))
                  for reply in (text(captured.dump(version, 'servers_state.txt')),
                                text(process.reply_to('show servers state'))))
    assert fake == real


# Other configurations, and what tests do with them

CONFIG = """
defaults
    mode http
    default-server check rise 2 fall 3

backend web
    server web1 10.0.0.1:80 weight 10
    server web2 10.0.0.2:80 weight 20 maxconn 5
    server spare 10.0.0.3:80 backup weight 7
    server spare2 10.0.0.4:80 backup no-check

backend api
    option allbackups
    server follower 10.0.1.1:80 no-check track web/web1
    server second 10.0.1.2:80 no-check track api/follower backup
    server third 10.0.1.3:80 backup no-check

backend far
    server unresolved nowhere.example.com:80 resolvers r init-addr none
"""


class Fake(object):
    """A fake process with some short ways to look at it."""

    def __init__(self, version='3.2', config=CONFIG, **options):
        self.process = FakeProcess('/nowhere', version, Configuration(config), **options)

    def __call__(self, command, level='admin'):
        return text(self.process.reply_to(command, Connection(level)))

    def row(self, server, *columns):
        return [self.process.get(*(server.split('/') + [column])) for column in columns]

    def backend(self, name):
        return self.row(name + '/BACKEND', 'status', 'act', 'bck', 'weight')


@pytest.fixture
def fake():
    return Fake()


def test_a_checked_server_is_up_from_the_beginning(fake):
    assert fake.row('web/web1', 'status', 'check_status', 'weight', 'addr') == [
        'UP', 'L4OK', '10', '10.0.0.1:80']
    assert fake.row('web/spare2', 'status', 'check_status') == ['no check', '']


def test_a_backend_counts_the_servers_that_take_requests(fake):
    assert fake.backend('web') == ['UP', '2', '2', '30']
    fake('set server web/web1 state drain')
    assert fake.backend('web') == ['UP', '1', '2', '20']
    # One spare server replaces the others, unless the backend has `option allbackups`.
    fake('set weight web/web2 0')
    assert fake.backend('web') == ['UP', '0', '2', '7']
    fake('disable server web/spare')
    assert fake.backend('web') == ['UP', '0', '1', '1']
    fake('disable server web/spare2')
    assert fake.backend('web') == ['DOWN', '0', '0', '0']
    assert fake.backend('api') == ['UP', '0', '1', '1']
    fake('set server web/web1 state ready')
    assert fake.backend('api') == ['UP', '1', '2', '1']


def test_a_server_follows_the_one_that_it_tracks(fake):
    fake('disable server web/web1')
    assert fake.row('api/follower', 'status') == ['MAINT (via web/web1)']
    assert fake.row('api/second', 'status') == ['MAINT (via api/follower)']
    fake('set server web/web1 state drain')
    assert fake.row('api/second', 'status') == ['DRAIN']
    fake('set server web/web1 state ready')
    fake('set server web/web1 health down')
    assert fake.row('api/second', 'status') == ['DOWN']
    fake('set server web/web1 health up')
    assert fake.row('api/second', 'status', 'lastchg') == ['UP', '0']


def test_checks_pass_at_once_unless_a_test_wants_them_not_to(fake):
    fake('disable server web/web1')
    fake('enable server web/web1')
    assert fake.row('web/web1', 'status', 'check_health') == ['UP', '4']
    fake.process.servers.settles = False
    fake('disable server web/web1')
    fake('enable server web/web1')
    assert fake.row('web/web1', 'status', 'check_health') == ['UP 1/3', '2']
    fake.process.servers.run_checks()
    assert fake.row('web/web1', 'status', 'check_health') == ['UP', '4']


def test_a_test_can_change_a_server_and_show_it(fake):
    state = fake.process.servers.get('web', 'web2')
    state.check.health = 1
    state.put(0)
    fake.process.servers.show(state)
    assert fake.row('web/web2', 'status') == ['DOWN 1/2']
    assert fake.backend('web') == ['UP', '1', '2', '10']


def test_a_server_without_an_address_waits_for_its_resolvers(fake):
    assert fake.row('far/unresolved', 'status', 'addr') == ['MAINT (resolution)', '']
    assert ' - 0 32 1 1 ' in fake('show servers state far')
    assert fake.backend('far') == ['DOWN', '0', '0', '0']


def test_a_reload_brings_the_configuration_back(fake):
    fake('set server web/web1 state maint')
    fake('add server web/new 10.0.0.9:80')
    fake.process.take_over()
    assert fake.row('web/web1', 'status') == ['UP']
    assert fake('get weight web/new') == 'No such server.\n\n'


def test_servers_without_rows_still_exist(fake):
    fake.process.rows = [row for row in fake.process.rows if row[0] == 'api']
    assert fake('disable server web/web1') == '\n'
    assert fake.row('api/follower', 'status') == ['MAINT (via web/web1)']
    assert fake('get weight web/web2') == '20 (initial 20)\n\n'
    assert ' web 1 web1 10.0.0.1 0 1 ' in fake('show servers state web')


def test_servers_that_only_have_rows_exist_too(fake):
    row = list(fake.process.row('web', 'web2'))
    row[0], row[1] = 'other', 'o1'
    fake.process.rows.append(row)
    assert fake('set server other/o1 state drain') == '\n'
    assert fake.row('other/o1', 'status', 'weight', 'slim') == ['DRAIN', '20', '5']
    assert fake('get weight other/o1') == '20 (initial 20)\n\n'


@pytest.mark.parametrize('command', [
    'disable server web/web1', 'set server web/web1 state ready', 'set weight web/web1 1',
    'set maxconn server web/web1 1', 'disable health web/web1', 'enable agent web/web1',
    'shutdown sessions server web/web1', 'add server web/x 10.0.0.1:80', 'del server web/web1',
    'enable dynamic-cookie backend web', 'experimental-mode on', 'set var proc.x int(1)'])
def test_changes_need_an_administrator(fake, command):
    assert fake(command, 'operator') == 'Permission denied\n\n'
    assert fake.row('web/web1', 'status', 'weight') == ['UP', '10']


def test_a_server_is_added_used_and_deleted(fake):
    assert fake('add server web/new 10.0.0.9:80 weight 30 check') == 'New server registered.\n\n'
    assert fake.row('web/new', 'status', 'sid', 'act') == ['MAINT', '5', '1']
    names = [row[1] for row in fake.process.rows if row[0] == 'web']
    assert names[-2:] == ['new', 'BACKEND']
    assert fake('enable health web/new;enable server web/new') == '\n\n'
    assert fake.row('web/new', 'status', 'check_status') == ['UP', 'L4OK']
    assert fake.backend('web') == ['UP', '3', '2', '60']
    assert fake('del server web/new') == 'Only servers in maintenance mode can be deleted.\n\n'
    fake('disable server web/new')
    fake.process.set('web', 'new', 'scur', 1)
    assert fake('del server web/new') == (
        'Server still has connections attached to it, cannot remove it.\n\n')
    assert fake('wait 50ms srv-removable web/new') == 'Wait delay expired.\n\n'
    fake.process.set('web', 'new', 'scur', 0)
    assert fake('wait 9h srv-removable web/new') == 'Done.\n\n'
    assert fake('del server web/new') == 'Server deleted.\n\n'
    assert fake.process.row('web', 'new') is None
    assert fake.backend('web') == ['UP', '2', '2', '30']


@pytest.mark.parametrize('version, words, reply', [
    ('2.6', 'add server nope/x 10.0.0.1', 'No such backend.\n'),
    ('3.0', 'add server nope/x 10.0.0.1', 'No such backend.\n\n'),
    ('2.6', 'del server web/x', 'No such server.\n'),
    ('3.0', 'del server web/x', 'No such server.\n\n'),
    ('2.6', 'add server web/web1 10.0.0.1',
     'Already exists a server with the same name in backend.\n\n'),
    ('2.4', 'add server web/web1 10.0.0.1',
     'Already exists a server with the same name in backend.\n'),
    ('2.6', 'del server x', "Require 'backend/server'.\n"),
    ('3.0', 'del server x', "Require 'backend/server'.\n\n"),
    ('2.6', 'del server /x', "Require 'backend/server'.\n"),
    ('3.0', 'del server /x', 'No such backend.\n\n'),
    ('3.2', 'add server /x 10.0.0.1', "Require 'backend/server'.\n\n")])
def test_servers_that_are_none_are_refused(version, words, reply):
    """2.6, 3.0, and 3.2 as the real ones."""
    assert Fake(version)('experimental-mode on;' + words) == '\n' + reply


@pytest.mark.parametrize('version, replies', [
    ('2.6', ['problem', '', 'problem', 'problem']),
    ('3.0', ['nothing changed', '', "port changed from '81' to '+6'", "port changed from '82' to '+7'"]),
    ('3.2', ['nothing changed', '', "port changed from '81' to '+6'", "port changed from '82' to '+7'"])])
def test_a_port_that_follows_that_of_the_client(version, replies):
    """As the real ones; before 3.0 checks have to have a port of their own."""
    fake = Fake(version, 'backend b\n server a 10.0.0.1:81 check\n server b 10.0.0.2:82\n')
    for command, reply in zip([
            'set server b/a addr 10.0.0.1 port +5', 'disable health b/a',
            'set server b/a addr 10.0.0.1 port +6', 'set server b/b addr 10.0.0.2 port +7'], replies):
        assert fake(command).startswith(reply.replace('problem', "no need to change the addr, can't"))


@pytest.mark.parametrize('command, reply', [
    ('enable dynamic-cookie backend', 'A backend name is expected.'),
    ('set dynamic-cookie-key backend', 'A backend name is expected.'),
    ('set dynamic-cookie-key backend web', 'String value expected.'),
    ('set dynamic-cookie-key backend x k', 'No such backend.')])
def test_what_dynamic_cookies_need(fake, command, reply):
    assert fake(command) == reply + '\n\n'


def test_sessions_of_a_server_end(fake):
    fake.process.set('web', 'web1', 'scur', 3)
    assert fake('shutdown sessions server web/web1') == '\n'
    assert fake.row('web/web1', 'scur') == ['0']


def test_wait_ends_when_a_server_becomes_removable(fake):
    fake('disable server web/spare2')
    fake.process.set('web', 'spare2', 'qcur', 1)
    looks = []

    def look(row, column, field=fake.process.figures.field):
        looks.append(column)
        if len(looks) > 6:
            fake.process.set('web', 'spare2', 'qcur', 0)
        return field(row, column)
    fake.process.figures.field = look
    assert fake('wait 1h srv-removable web/spare2') == 'Done.\n\n'


def test_variables_belong_to_the_process(fake):
    assert fake('get var proc.x') == 'Variable not found.\n\n'
    assert fake('experimental-mode on;set var proc.x int(5)') == '\n\n'
    assert fake('get var proc.x') == 'proc.x: type=sint value=<5>\n\n'
    other = Fake(config='global\n set-var proc.y str(hello)\n' + CONFIG)
    assert other('get var proc.y') == 'proc.y: type=str value=<hello>\n\n'
