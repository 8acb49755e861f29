# SPDX-License-Identifier: Apache-2.0
"""The fake replies as the real versions did: all captured commands, in their order.

Each version is replayed once, from the first command to the last; a test then looks at the replies
of one group of commands. What is replaced before two replies are compared is in ``normal``.
"""
import binascii
import csv
import re

import pytest

from haproxyadmin.testing.configuration import Configuration
from haproxyadmin.testing.families.family import Connection
from haproxyadmin.testing.process import FakeProcess
from haproxyadmin.testing.texts import raw, text
from tests.support import captured

GROUPS = ['misc', 'set timeout', 'acl show', 'acl add', 'acl get', 'acl del', 'acl clear', 'acl set',
          'acl transactions', 'map show', 'map add', 'map get', 'map set', 'map del', 'map clear',
          'map transactions', 'enable/disable server', 'set server state', 'set server weight',
          'set weight / get weight', 'set server addr', 'set server agent', 'set server health',
          'set server fqdn', 'set server check-port', 'set server ssl',
          'enable/disable health, agent', 'set maxconn server', 'set maxconn frontend',
          'set maxconn global', 'set rate-limit', 'frontend', 'counters', 'tables', 'sessions', 'show',
          'dynamic servers and other newer commands']
# What is not a command on a connection of its own, but an exchange that the fake does not have.
LEFT_OUT = re.compile(r'prompt\n|quit\Z')
DIED = '<<PROCESS DIED AFTER THIS>>'
POINTER = re.compile(r'0x[0-9a-f]{3,}')
# How the captures say that `show stat` does not have a row.
NO_ROW = '<<no such row>>'
# How long replies end that were not captured to their end.
CUT = '...[cut]'
# How many characters of some replies were captured.
HEAD = 120
DATE = re.compile(r'\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d\.\d{3}')
ENTRY = re.compile(r'key=((?:\\.|\S)*) use=(\d+) exp=\d+(?: shard=\d+)?(.*)\n')
# The ports of the origins, which differ from run to run.
ORIGIN = re.compile(r'\b[34]\d{4}\b')
# The time since the last change in a line of `show servers state`; in some of 3.0 and 3.2 it is odd.
CHANGED = re.compile(r'^((?:\S+ ){5}\d \d+ \d+ \d+) \d+ ', re.MULTILINE)
# In these groups the real ones had not checked their servers again since the last change.
UNCHECKED = ('enable/disable server', 'set server state')
# 1.7.0 refuses a port because of an error that happened before; the fake has no such memory.
ODD = {('1.7', 'set server backend_proc1/backend_proc1_srv1 addr 127.0.0.3 port 8082'):
       "no need to change the addr, problem converting port '8082' to an int by 'stats socket "
       "command'\n\n"}

# Columns of `show stat` that neither the configuration nor a command decides.
MOVING = (
    # Times and rates.
    'lastchg', 'downtime', 'check_duration', 'agent_duration', 'rate', 'req_rate', 'conn_rate',
    # What the last checks brought, some of which had failed; the fake's find their server well.
    'check_health', 'last_chk', 'last_agt', 'agent_code',
    # An estimate of the connections that the traffic needs.
    'need_conn_est')

_replayed = {}


def decided(table):
    """Return a reply to ``show stat`` without the columns of ``MOVING``."""
    rows = list(csv.reader(table.strip().split('\n')))
    columns = rows[0]
    return [','.join(columns)] + [','.join(
        _decided(name, field) for name, field in zip(columns, row) if name not in MOVING)
        for row in rows[1:]]


def _decided(name, field):
    if name == 'addr':
        return ORIGIN.sub('PORT', field)
    # A check was in progress, or had failed once.
    return re.sub(r' 1/2\Z|\A\* ', '', field) if name in ('status', 'check_status') else field


def normal(reply):
    """Return a reply without what differs from run to run."""
    if reply.startswith('# pxname'):
        return '\n'.join(decided(reply))
    # The commands that HAProxy has, after the first line of the reply to one that it has not.
    reply = re.sub(r'(Unknown command[^\n]*:)\n(?:.|\n)*?\n\n', r'\1\n\n', reply + '\n\n')
    # The replies to some commands about the process itself, see HEAD; the time goes on.
    reply = re.sub(r'\nPid: (?:.|\n)*', '', reply) if len(reply) < HEAD + 5 else reply
    # How long an entry of a stick table stays.
    reply = re.sub(r' exp=\d+', ' exp=N', reply)
    # The fake records a problem instead of printing severities.
    reply = re.sub(r'^\[3\]: ', '', reply, flags=re.MULTILINE)
    # A check was in progress.
    reply = re.sub(r'^((?:\S+ ){11})0 2 7 ', r'\g<1>3 2 6 ', reply, flags=re.MULTILINE)
    reply = CHANGED.sub(r'\1 TIME ', ORIGIN.sub('PORT', reply))
    return DATE.sub('DATE', POINTER.sub('0xREF', reply.rstrip('\n')))


def fill(table, reply):
    """Store the entries of a captured reply in a stick table, as traffic has done."""
    for key, uses, shown in ENTRY.findall(reply):
        key = re.sub(br'\\x(..)', lambda match: binascii.unhexlify(match.group(1)), raw(key))
        key = text(re.sub(br'\\(.)', br'\1', key))
        table.touch(key).update((name, int(number))
                                for name, number in re.findall(r' (\S+)=(\d+)', shown))
        table.uses[key] = int(uses)


class Replay(object):
    """Replays the captured commands of a version; ``pointers`` maps those captured to the fake's."""

    def __init__(self, version):
        self.process = FakeProcess('/run/haproxy.sock', version, Configuration(
            captured.configuration(version), '/etc/haproxy/haproxy.cfg', captured.FILES))
        self.pointers = {}
        self.differences = {}
        self.send_requests()
        self.process.answers.update((command, reply) for (other, command), reply in ODD.items()
                                    if other == version)
        for case in captured.replies():
            if case['version'] == version and not LEFT_OUT.match(case['command']):
                self.run(case)

    def send_requests(self):
        """Have what requests and checks had done before the commands."""
        # The agent of two servers had said so.
        self.process.reply_to('set weight backend_proc1/backend_proc1_srv2 75%')
        self.process.reply_to('set weight be_dynamic/be_dynamic_srv2 75%')
        fill(self.process.tables['st_src'],
             next(case['reply'] for case in captured.replies('tables', 'TABLE show table st_src')
                  if case['version'] == self.process.version))

    def run(self, case):
        for pointer in POINTER.findall(case['command']):
            if pointer not in self.pointers and case['case'] == 'ok ref':
                # Of 1.7, which was started again since the last listing. It was the first entry.
                listing = self.reply('show ' + ' '.join(case['command'].split(' ')[1:3]))
                self.pointers[pointer] = POINTER.findall(listing)[0]
        problems = len(self.process.problems)
        self.process.servers.settles = case['group'] not in UNCHECKED
        if self.process.servers.settles:
            self.process.servers.run_checks()
        command = POINTER.sub(lambda match: self.pointers.get(match.group(), match.group()),
                              case['command'])
        try:
            reply = self.reply(command)
        except Exception as error:
            reply = '{0}: {1}'.format(type(error).__name__, error)
        self.pointers.update(zip(POINTER.findall(case['reply']), POINTER.findall(reply)))
        real = case['reply']
        if real == DIED:
            # The real one was started again; the fake has recorded a problem and says nothing.
            self.process.take_over()
            self.send_requests()
            real = '' if len(self.process.problems) > problems else DIED
        if real.endswith(CUT) and 'Unknown command' not in real:
            real = real[:real.rindex('\n')]
            reply = '\n'.join(reply.split('\n')[:real.count('\n') + 1])
        wanted, said = normal(real), normal(reply)
        if real.endswith(CUT):
            said = said[:len(wanted)]
        if wanted != said:
            self.differences.setdefault(case['group'], []).append(
                '{0!r}\n   real {1!r}\n   fake {2!r}'.format(
                    case['command'], case['reply'][:600], reply[:600]))

    def reply(self, command):
        """Return the reply to a command; some ask for a part of a reply, or at another level."""
        verb, _, rest = command.partition(' ')
        if verb == 'STAT':
            row, column = rest.split(' ')
            is_there = self.process.row(*row.split('/')) is not None
            return self.process.get(*(row.split('/') + [column])) if is_there else NO_ROW
        if verb == 'INFO':
            return [line for line in self.reply('show info').split('\n')
                    if line.startswith(rest + ':')][0]
        if verb == 'LOW':
            level, _, rest = rest.partition(' ')
            return text(self.process.reply_to(rest, Connection(level)))
        if verb == 'HEAD':
            return self.reply(rest)[:HEAD]
        if verb == 'TABLE':
            return self.reply(rest)
        # A payload ends with an empty line, which is not part of it.
        return text(self.process.reply_to(command[:-1] if '<<\n' in command else command))


def replayed(version):
    """Return the replay of a version."""
    if version not in _replayed:
        _replayed[version] = Replay(version)
    return _replayed[version]


def test_the_groups_are_complete():
    assert set(GROUPS) | {'end'} == set(case['group'] for case in captured.replies())


@pytest.mark.parametrize('group', GROUPS)
@pytest.mark.parametrize('version', captured.VERSIONS)
def test_it_replies_as_the_real_one_did(version, group):
    """[fake]"""
    differences = replayed(version).differences.get(group, [])
    assert not differences, '\n'.join(differences)
