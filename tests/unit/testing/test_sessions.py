# SPDX-License-Identifier: Apache-2.0
"""The sessions of the fake."""
import re

import pytest

from haproxyadmin.testing.configuration import Configuration
from haproxyadmin.testing.families.family import Connection
from haproxyadmin.testing.process import FakeProcess
from haproxyadmin.testing.texts import text
from tests.support import captured

CONFIG = """\
frontend www
    mode http
frontend raw
    mode tcp
backend web
    server w1 10.0.0.1:80
    server w2 10.0.0.2:80
backend api
    server w1 10.0.0.1:80
"""
NO_SESSION = "No such session (use 'show sess').\n\n"


def process_of(version='3.2', config=CONFIG):
    return FakeProcess('/run/haproxy.sock', version, Configuration(config))


def ask(process, command, level='admin'):
    return text(process.reply_to(command, Connection(level)))


def shown(process, command='show sess'):
    """Return the ids of a list, without that of the client that asks."""
    return [ident for ident in re.findall('(?m)^(0x[0-9a-f]+): ', ask(process, command))
            if ident != '0x7f9c11400000']


def records(version):
    return re.split(r'\n(?=0x)', text(captured.dump(version, 'sess_all.txt')).rstrip('\n'))


@pytest.mark.parametrize('version', captured.VERSIONS)
def test_it_lists_sessions_as_the_real_one_did(version):
    """Those with a server are rebuilt from what is shown about them."""
    process = process_of(version, '')
    for line in text(captured.dump(version, 'sess.txt')).split('\n'):
        if re.search(r' fe=(http|frontend_proc1) .* srv=\w', line):
            fields = dict(re.findall(r' (proto|src|fe|be|srv|age|exp)=(\S*)', line))
            process.sessions.add(line[:line.index(':')], epoch=0, **fields)
            listed = [each for each in ask(process, 'show sess').split('\n')
                      if each.startswith(line.split(' ')[0])]
            assert [varying(each) for each in listed] == [varying(line)]
    assert process.sessions.rows


def varying(line):
    """Return a line without what differs from session to session for HAProxy's own reasons."""
    return re.sub(r'(fd|calls|rate)=\d+|(?<=rq\[f=)\w+|(?<=,)[0-9a-f]+h(?=,fd)', '', line)


@pytest.mark.parametrize('version', captured.VERSIONS)
def test_it_shows_a_session_as_the_real_one_did(version):
    process = process_of(version, '')
    record = [record for record in records(version)
              if re.search(r'\n  server=(w\d|backend_proc1_srv2) ', record)][0]
    row = process.sessions.add(record[:record.index(':')], **dict(
        (key, re.search(pattern, record).group(1)) for key, pattern in [
            ('proto', r'proto=(\S+)'), ('src', r'source=(\S+)'), ('fe', r'frontend=(\S+)'),
            ('be', r'backend=(\S+)'), ('srv', r'server=(\S+)'), ('age', r'age=([^\s)]+)'),
            ('exp', r'task=.*? exp=(\S+)')]))
    row['number'] = int(re.search(r' id=(\d+)', record).group(1))
    assert ask(process, 'show sess ' + row['id']) == record + '\n\n'
    everything = ask(process, 'show sess all')
    assert everything.startswith(record + '\n0x7f9c11400000: ') and everything.endswith('\n\n')
    own = [record for record in records(version) if ' proto=unix_stream' in record][0]
    assert own.split('\n')[1:-1] == re.sub(
        ' epoch=0x2', ' epoch=0x1', everything).split('\n')[-len(own.split('\n')) - 1:-3]


def test_sessions_begin_and_end():
    process = process_of()
    first, second = process.sessions.add(), process.sessions.add(srv='w2')
    assert shown(process) == [first['id'], second['id']] == ['0x7f9c11495400', '0x7f9c11495800']
    assert ask(process, 'shutdown session ' + first['id']) == '\n'
    assert shown(process) == [second['id']]
    assert ask(process, 'shutdown session ' + first['id']) == NO_SESSION
    # Its memory is used again.
    assert process.sessions.add()['id'] == first['id']
    process.take_over()
    assert shown(process) == []


def test_figures_follow_them():
    process = process_of()
    assert process.info['Uptime_sec'] == '0'

    def current():
        return [process.get(*names + ('scur',)) for names in [
            ('www', 'FRONTEND'), ('web', 'BACKEND'), ('web', 'w1'), ('api', 'w1')]]
    rows = [process.sessions.add(), process.sessions.add(state='QUE'),
            process.sessions.add(be='api'), process.sessions.add(src=None, proto='?')]
    assert current() == ['3', '2', '1', '1']
    process.sessions.add(age='1h5s', fe='nothing', be='nothing')
    process.sessions.remove(process.sessions.add(age='49d17h'))
    assert process.info['Uptime_sec'] == '3605'
    for row in rows:
        process.sessions.remove(row)
    assert current() == ['0'] * 4
    # There are no rows for these.
    process.sessions.add(fe='nothing', be='<NONE>', srv='<none>')
    assert current() == ['0'] * 4


@pytest.mark.parametrize('version', captured.VERSIONS)
def test_those_of_a_server(version):
    process = process_of(version)
    for fields in ({}, {'srv': 'w2'}, {'be': 'api'}, {'state': 'QUE'}, {'state': 'CON'}):
        process.sessions.add(**fields)
    assert ask(process, 'shutdown sessions server web/w1') == '\n'
    assert [(row['be'], row['srv'], row['state']) for row in process.sessions.rows] == [
        ('web', 'w2', 'EST'), ('api', 'w1', 'EST'), ('web', 'w1', 'QUE')]
    assert process.get('web', 'w1', 'scur') == '0'


def test_those_of_a_disabled_proxy():
    process = process_of(config='backend web\n    disabled\n    server w1 10.0.0.1:80\n')
    assert ask(process, 'shutdown sessions server web/w1') == 'Proxy is disabled.\n\n'


@pytest.mark.parametrize('command, since, level', [
    ('show sess', (1, 5), 'operator'), ('show sess all', (1, 5), 'operator'),
    ('show sess 0x1', (1, 5), 'operator'), ('show sess help', (1, 5), 'operator'),
    ('shutdown session 0x1', (1, 5), 'admin'), ('shutdown session', (1, 5), 'admin'),
    ('shutdown sessions server web/w1', (1, 5), 'admin')])
@pytest.mark.parametrize('version', ['1.5', '2.4', '3.4'])
def test_levels(version, command, since, level):
    process = process_of(version)
    for each in ('user', 'operator', 'admin'):
        refused = ask(process, command, each) == 'Permission denied\n\n'
        assert refused == (each == 'user' or level == 'admin' and each == 'operator')


@pytest.mark.parametrize('words, chosen', [
    ('server web/w1', 'a'), ('server web/w2', 'b'), ('backend web', 'ab'), ('frontend www', 'abc'),
    ('frontend raw', 'd'), ('show-uri', 'abcde'), ('older 5', 'bde'), ('older 1m', 'de'),
    ('older 0s', 'abcde'), ('older 5 backend web', 'b'), ('susp', ''), ('all', 'abcde'),
    ('all backend web', 'ab'), ('all susp', '')])
def test_which_are_shown(words, chosen):
    process = process_of('3.2')
    process.sessions.add('0xa', age='4s')
    process.sessions.add('0xb', srv='w2')
    process.sessions.add('0xc', be='api', age='4s')
    process.sessions.add('0xd', fe='raw', be='<NONE>', srv='<none>')
    process.sessions.add('0xe', src=None, proto='?')
    assert ''.join(ident[2:] for ident in shown(process, 'show sess ' + words)) == chosen
    # Older versions show all, or at least do not choose by names.
    old = shown(process_like(process, '2.8'), 'show sess ' + words)
    assert ''.join(ident[2:] for ident in old) == 'abcde'


def test_what_3_0_ignores():
    process = process_of('3.0')
    process.sessions.add('0xa')
    process.sessions.add('0xb', be='api', age='4s')
    for words, chosen in [('backend web', 'ab'), ('older 5 backend api', 'a'), ('susp', ''),
                          ('bogus', 'ab'), ('help', 'ab')]:
        assert ''.join(ident[2:] for ident in shown(process, 'show sess ' + words)) == chosen


def process_like(process, version):
    """Return a process of another version with the same sessions."""
    other = process_of(version)
    for row in process.sessions.rows:
        other.sessions.add(**row)
    return other


@pytest.mark.parametrize('words, refusal', [
    ('older', 'Expects a minimum age (in seconds by default).'), ('older x', 'Invalid age.'),
    ('backend', 'Missing backend name.'), ('server', 'Missing server name (<backend>/<server>).'),
    ('server web', "Require 'backend/server'."), ('server x/w1', 'No such backend.'),
    ('server web/x', 'No such server.'), ('backend www', 'No such backend.'),
    ('frontend web', 'No such frontend.'), ('0x1', 'Session not found.'),
    ('backend web server web/w1', 'Only one of backend, frontend or server may be set.'),
    ('bogus', "Unsupported option 'bogus', try 'help' for more info."),
    ('all older 5', "Unsupported option 'older', try 'help' for more info.")])
def test_what_is_refused(words, refusal):
    assert ask(process_of(), 'show sess ' + words) == refusal + '\n\n'


def test_the_epoch_tells_which_sessions_are_new():
    process = process_of()
    process.sessions.add('0xa')
    ask(process, 'show sess')
    process.sessions.add('0xb')
    assert re.findall('^(0x[ab]): .* epoch=(0x1|0) ', ask(process, 'show sess'), re.M) == [
        ('0xa', '0'), ('0xb', '0x1')]


def test_a_fault_of_2_4():
    process = process_of('2.4')
    assert ask(process, 'shutdown session 0x1') == ask(process, 'shutdown session x') == '\n'
    process.info['Version'] = '2.4.16'
    assert ask(process, 'shutdown session 0x1') == NO_SESSION
