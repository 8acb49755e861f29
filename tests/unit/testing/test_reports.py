# SPDX-License-Identifier: Apache-2.0
"""testing/reports.py: errors, name servers and peers, as captured and as a test sets them."""
import re

import pytest

from haproxyadmin.testing import fake
from haproxyadmin.testing.configuration import Configuration
from haproxyadmin.testing.families import reports
from haproxyadmin.testing.process import FakeProcess
from haproxyadmin.testing.texts import text
from tests.support import captured

# What tests/data/*/peers.txt and resolvers.txt were captured with, as far as they show it.
PEERS = """\
global
    localpeer local
peers mypeers
    peer local 127.0.0.1:21027
    peer other 127.0.0.1:21028
    table pt type ip size 1k
backend st_ip
    stick-table type ip size 1k peers mypeers
"""
RESOLVERS = """\
resolvers dns1
    nameserver ns1 127.0.0.1:53
    nameserver dead 127.0.0.1:1
resolvers dns2
    nameserver only 127.0.0.1:53
"""
TWO = """\
peers p
    peer one 127.0.0.1:1
    peer two 127.0.0.1:2
peers q
    bind 127.0.0.1:3
    server one
"""


def started(version, config):
    return FakeProcess('/run/haproxy.sock', version, Configuration(config))


def ask(process, line):
    return text(process.reply_to(line))


def of(name):
    """Return the versions of which a dump was captured."""
    return [version for version in captured.VERSIONS if captured.has_dump(version, name)]


# Peers

def normal(reply):
    """Return a list of peers without pointers, times, ports, and what has happened to them."""
    reply = re.sub(r'0x[0-9a-f]{6,}(?= |:)', '0xREF', reply)
    reply = re.sub(r'\d\d/\w{3}/\d{4}:\d\d:\d\d:\d\d', 'DATE', reply)
    reply = re.sub(r'(task_calls|update|localupdate)=\d+', r'\1=N', reply)
    # 0x100001 are flags.
    reply = reply.replace('flags=0x100001', 'flags=NEW').replace('last_status=HSHK', 'last_status=CONN')
    return re.sub(r'127\.0\.0\.1:\d+', '127.0.0.1:PORT', reply)


@pytest.mark.parametrize('version', of('peers.txt'))
def test_peers(version):
    config = PEERS
    if version == '2.0':
        # It does not show a table that no peer has asked for.
        config = re.sub(r'\n.*table.*', '', PEERS)
    assert normal(ask(started(version, config), 'show peers')) == normal(
        text(captured.dump(version, 'peers.txt')))


@pytest.mark.parametrize('version', ['2.2', '3.2'])
def test_sections_of_peers(version):
    process = started(version, TWO)
    second, first = ask(process, 'show peers').split('\n\n0x')
    assert ' id=q ' in second and 'id=one(local,inactive) addr=127.0.0.1:3' in second
    assert ' id=p ' in first and 'id=two(remote' in first
    assert ask(process, 'show peers q') == second + '\n\n'
    assert ask(process, 'show peers none') == 'No such peers\n\n'
    assert ask(started(version, ''), 'show peers') == '\n'


@pytest.mark.parametrize('version', ['2.2', '2.4', '3.4'])
def test_dictionaries(version):
    process = started(version, PEERS)
    assert ('RX dictionary cache' in ask(process, 'show peers')) == (version == '2.2')
    assert (ask(process, 'show peers dict') == 'No such peers\n\n') == (version == '2.2')
    if version != '2.2':
        assert 'RX dictionary cache' in ask(process, 'show peers dict mypeers')


@pytest.mark.parametrize('version', ['2.0', '2.2', '2.6', '3.4'])
def test_the_library_reads_peers(version):
    with fake.FakeHAProxy(version, config=TWO) as haproxy:
        section = haproxy.hap.peers_section('p')
        assert not section.peer('two').is_connected
        haproxy.processes[0].reports.peers['p'][1].status = 'ESTA'
        assert section.peer('two').is_connected


# Name servers

@pytest.mark.parametrize('version', of('resolvers.txt'))
def test_resolvers(version):
    real = re.sub(r'(: +)\d+', r'\g<1>0', text(captured.dump(version, 'resolvers.txt')))
    # HAProxy makes that section itself, from the files of the machine.
    real = re.sub(r'Resolvers section default\n(.+\n)*', '', real)
    assert ask(started(version, RESOLVERS), 'show resolvers') == real


def test_counters():
    process = started('3.2', RESOLVERS)
    process.reports.resolvers['dns1']['dead']['timeout'] = 7
    shown = ask(process, 'show resolvers dns1')
    assert shown.startswith('Resolvers section dns1\n nameserver ns1:\n  sent:        0\n')
    assert '  timeout:     7\n' in shown and 'dns2' not in shown
    assert ask(process, 'show resolvers none') == "Can't find that resolvers section\n\n"
    assert ask(started('2.2', ''), 'show resolvers') == 'No resolvers found\n\n'


def test_the_library_reads_resolvers():
    with fake.FakeHAProxy('3.2', config=RESOLVERS) as haproxy:
        haproxy.processes[0].reports.resolvers['dns1']['ns1']['sent'] = 5
        assert haproxy.hap.resolvers_section('dns1').nameserver('ns1').counters['sent'] == 5


# Errors

def entry(version):
    """Return the captured error of a version."""
    report = text(captured.dump(version, 'errors.txt'))
    return report[report.index('\n \n') + 3:-1]


@pytest.mark.parametrize('version', of('errors.txt'))
def test_errors(version):
    process = started(version, '')
    process.reports.errors.append(reports.Error('frontend_proc1', entry(version)))
    shown = ask(process, 'show errors')
    real = text(captured.dump(version, 'errors.txt'))
    assert shown[shown.index('] : '):] == real[real.index('] : '):]
    assert len(shown) == len(real)


@pytest.mark.parametrize('version', ['1.6', '1.7', '3.2'])
def test_errors_of_a_proxy(version):
    process = started(version, 'frontend a\nbackend b\n')
    process.reports.errors[:] = [reports.Error('a', 'request\n'),
                                 reports.Error('b', 'response\n', is_request=False)]

    def shown(rest):
        return [line for line in ask(process, 'show errors' + rest).split('\n')[1:] if line.strip()]
    assert shown('') == shown(' -1') == ['request', 'response']
    assert (shown(' 2'), shown(' 3'), shown(' 99')) == (['request'], ['response'], [])
    if version > '1.6':
        assert (shown(' a'), shown(' b'), shown(' b+')) == (['request'], ['response'], [])
        assert (shown(' -1 request'), shown(' -1 response')) == (['request'], ['response'])
        assert shown(' 3+ response') == ['response'] and shown(' 3 request') == []
        assert ask(process, 'show errors 0') == 'No such proxy.\n\n'
    assert ask(process, 'show errors').startswith('Total events captured on [')
    assert '] : 2\n' in ask(process, 'show errors 99')


# What the fake does not have

@pytest.mark.parametrize('version, line, count', [
    ('1.6', 'show info typed', 0), ('2.2', 'show info typed', 1), ('3.2', 'show stat json', 1),
    ('3.2', 'show stat -1 4 -1 no-maint', 1), ('3.2', 'show info surplus', 0)])
def test_other_formats_are_a_problem(version, line, count):
    process = started(version, '')
    assert ask(process, line) == ask(process, ' '.join(line.split()[:2]))
    assert len(process.problems) == count
