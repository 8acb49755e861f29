# SPDX-License-Identifier: Apache-2.0
"""The stick tables of the fake."""
import re

import pytest

from haproxyadmin.testing.configuration import Configuration, ConfigurationError
from haproxyadmin.testing.families import tables
from haproxyadmin.testing.families.family import Connection
from haproxyadmin.testing.process import FakeProcess
from haproxyadmin.testing.texts import text
from tests.support import captured
from tests.unit.testing.test_conformance import POINTER, fill, normal

KEY = re.compile(r'(0x[0-9a-f]+): key=(\S*)')
# The tables of the HAProxies whose replies are in tests/data/tables.jsonl.gz.
CONFIG = """\
peers mypeers
    peer local 127.0.0.1:21147
    table pt type string len 32 size 1k expire 5m store gpc0,http_req_cnt

backend st_ip
    stick-table type ip size 1k expire 10m peers mypeers store gpc0,gpc0_rate(10s),http_req_cnt,\
http_req_rate(10s),conn_cnt,conn_cur,conn_rate(10s),bytes_in_cnt,bytes_out_cnt,\
bytes_out_rate(10s),http_err_cnt,sess_cnt,server_id,gpt0{more}

backend st_str
    stick-table type string len 32 size 1k expire 10m store gpc0,gpt0,http_req_cnt,http_req_rate(10s)

backend st_int
    stick-table type integer size 4 expire 2s store gpc0

backend st_full
    stick-table type integer size 4 nopurge store gpc0

backend st_bin
    stick-table type binary len 8 size 100 store gpc0

backend st_ip6
    stick-table type ipv6 size 100 expire 10m store gpc0,conn_cnt
{arrays}
backend be1
    server s1 127.0.0.1:20801

backend be_stick
    stick-table type ip size 100 expire 5m
    stick on src
"""
ARRAYS = """
backend st_arr
    stick-table type string len 16 size 100 expire 10m store gpc(3),gpt(2),gpc_rate(2,10s)
"""


def configuration(version):
    release = tuple(map(int, version.split('.')))
    return CONFIG.format(
        more=',gpc1,server_key,http_fail_cnt' if release >= (2, 4) else
        ',gpc1' if release >= (2, 0) else '', arrays=ARRAYS if release >= (2, 6) else '')


def process_of(version, config):
    return FakeProcess('/run/haproxy.sock', version, Configuration(config))


def ask(process, command, level='admin'):
    return text(process.reply_to(command, Connection(level)))


def comparable(reply):
    """Return a reply without what differs from run to run; the order of 3.0 on is that of a hash."""
    lines = normal(reply).split('\n')
    return lines[:1] + sorted(lines[1:])


class Replay(object):
    """Replays the captured commands of a version, and what else happened then."""

    def __init__(self, version):
        self.cases = [case for case in captured.tables() if case['version'] == version]
        self.process = process_of(version, configuration(version))
        self.pointers = {}
        # Requests came before the commands.
        self.fill('st_ip', 'show table st_ip')
        self.fill('st_str', 'show table st_str')

    def fill(self, table, case):
        """Store the entries of the first captured reply of a case, as traffic did."""
        fill(self.process.tables[table],
             next(each['reply'] for each in self.cases if each['case'] == case))

    def prepare(self, case):
        """Do what happened before a command."""
        if case['case'] == 'in use show table st_str key busy':
            # Two requests that last begin.
            self.fill('st_str', 'in use show table st_str')
            self.fill('st_ip', 'in use show table st_ip')
        elif case['command'] == 'LOW operator show table st_str':
            # One of them may have ended.
            fill(self.process.tables['st_str'], case['reply'])
        elif case['command'] == 'show table st_int' and 'used:0' in case['reply']:
            # Entries expired after two seconds.
            self.process.tables['st_int'].entries.clear()

    def expected(self, case):
        """Return the captured reply; where any IPv6 address is a key, that of the fake."""
        if case['command'] == 'show table st_ip6' and self.process.release < (2, 6):
            return re.sub(r'key=(?!2001:db8::1 )\S+', 'key=' + tables.ANY_ADDRESS, case['reply'])
        return case['reply']

    def differences(self):
        found = []
        for case in self.cases:
            self.prepare(case)
            command = POINTER.sub(lambda match: self.pointers.get(match.group(), match.group()),
                                  case['command'])
            level = 'admin'
            if command.startswith('LOW '):
                _, level, command = command.split(' ', 2)
            reply, expected = ask(self.process, command, level), self.expected(case)
            self.pointers.update(dict(self.pair(expected, reply)))
            if comparable(reply) != comparable(expected):
                found.append('{0!r}\n   real {1!r}\n   fake {2!r}'.format(
                    case['command'], expected[:600], reply[:600]))
        return found

    def pair(self, expected, reply):
        """Return pairs of the captured address of an entry and that of the fake, by its key."""
        own = dict((key, pointer) for pointer, key in KEY.findall(reply))
        return [(pointer, own.get(key)) for pointer, key in KEY.findall(expected) if key in own]


@pytest.mark.parametrize('version', sorted(set(case['version'] for case in captured.tables())))
def test_it_replies_as_the_real_one_did(version):
    differences = Replay(version).differences()
    assert not differences, '\n'.join(differences)


def table_of(version, line, name='st'):
    """Return the table of a configuration, and its process."""
    process = process_of(version, 'backend {0}\n    stick-table {1}\n'.format(name, line))
    return process.tables[name], process


def keys(process, words=''):
    return re.findall('key=(.*) use', ask(process, ('show table st ' + words).strip()))


@pytest.mark.parametrize('line, shown', [
    ('type ip size 1', 'type: ip, size:1'), ('type ipv6 size 1k', 'type: ipv6, size:1024'),
    ('type integer size 2m nopurge', 'type: integer, size:2097152'),
    ('type string len 5 size 1G expire 1h', 'type: string, size:1073741824'),
    ('type ipv4 size 10 peers mypeers', 'type: ip, size:10'),
    ('type binary size 10 store gpc0', 'type: binary, size:10')])
def test_what_the_configuration_says(line, shown):
    table, process = table_of('3.2', line)
    assert ask(process, 'show table') == '# table: st, {0}, used:0\n\n'.format(shown)
    assert table.purges == ('nopurge' not in line)
    assert table.expire == (3600000 if 'expire' in line else 0)


def test_what_is_stored_is_in_the_order_of_haproxy():
    table, _ = table_of('3.2', 'type ip size 1 store http_req_rate(10s),gpc0,gpc(2) '
                               'store gpc_rate(1,5m),conn_rate(100)')
    assert table.fields == ['gpc0', 'conn_rate(100)', 'http_req_rate(10000)', 'gpc0', 'gpc1',
                            'gpc0_rate(300000)']
    assert table_of('2.2', 'type ip size 1 store server_name')[0].fields == ['server_name']
    assert table_of('2.4', 'type ip size 1 store server_name')[0].fields == ['server_key']


@pytest.mark.parametrize('version, line', [
    ('3.2', 'type text size 1'), ('3.2', 'type ip size x'), ('3.2', 'type ip size 1x'),
    ('3.2', 'type ip size 1 expire soon'), ('3.2', 'type ip size 1 store nothing'),
    ('1.8', 'type ip size 1 store gpc1'), ('2.4', 'type ip size 1 store gpc(2)'),
    ('2.2', 'type ip size 1 store server_key'), ('2.8', 'type ip size 1 store glitch_cnt'),
    ('3.2', 'type ip size 1 store http_req_rate'), ('3.2', 'type ip size 1 store gpc(x)')])
def test_what_no_haproxy_of_that_version_has(version, line):
    with pytest.raises(ConfigurationError, match='line 2: HAProxy ' + version):
        table_of(version, line)


def test_all_kinds_of_proxies_have_tables():
    sections = ''.join('{0} {1}\n    stick-table type ip size 1\n'.format(kind, number)
                       for number, kind in enumerate(['listen', 'frontend', 'backend']))
    peers = 'peers p\n    table t type ip size 1\n'
    for version, names in (('1.5', '0 1 2'), ('2.0', '2 1 0 p/t'), ('3.4', '2 1 0 p/t')):
        process = process_of(version, peers + sections)
        assert re.findall('table: ([^,]*)', ask(process, 'show table')) == names.split()


@pytest.mark.parametrize('version, kind, word, key', [
    ('2.8', 'ip', '10.0.0.1', '10.0.0.1'), ('2.8', 'ip', '10.0.0.300', '10.0.1.44'),
    ('2.8', 'ip', '1.2', '1.2.0.0'), ('2.8', 'ip', 'x', '0.0.0.0'), ('3.0', 'ip', 'x', None),
    ('3.0', 'ip', '1.2', None), ('3.0', 'ip', '1.2.3.4x', '1.2.3.4'),
    ('3.0', 'ip', '::ffff:1.2.3.4', '1.2.3.4'), ('3.0', 'ip', '::1', '0.0.0.1'),
    ('3.0', 'ip', '2002:102:304::', '1.2.3.4'), ('3.0', 'ip', 'fe80::1', None),
    ('2.8', 'ipv6', '2001:DB8:0::1', '2001:db8::1'), ('2.8', 'ipv6', '1.2.3.4', None),
    ('3.0', 'ipv6', '1.2.3.4', '::ffff:1.2.3.4'), ('2.8', 'integer', '5x', '5'),
    ('2.8', 'integer', '-1', None), ('2.8', 'integer', 'x', None),
    ('2.8', 'integer', '4294967296', None), ('3.0', 'integer', '-1', '4294967295'),
    ('3.0', 'integer', 'x', '0'), ('3.0', 'integer', '4294967301', '5'),
    ('3.0', 'string len 4', 'abcdef', 'abcd'), ('2.2', 'string len 4', 'a=b', 'a\\=b'),
    ('2.2', 'string', 'x' * 40, 'x' * 31), ('2.2', 'string', 'a\\;b', 'a;b')])
def test_keys(version, kind, word, key):
    _, process = table_of(version, 'type {0} size 9 store gpc0'.format(kind))
    reply = ask(process, 'set table st key {0} data.gpc0 5'.format(word))
    assert reply == ('\n' if key is not None else 'Invalid key\n\n')
    assert keys(process) == ([] if key is None else [key])
    assert keys(process, 'key ' + word) == ([] if key is None else [key])
    assert ask(process, 'clear table st key ' + word) == reply
    assert keys(process) == []


def test_the_order_is_that_of_the_bytes():
    table, process = table_of('2.8', 'type integer size 9')
    for key in ('256', '3', '4294967295', '0'):
        table.add(key)
    assert keys(process) == ['0', '256', '3', '4294967295']


def test_a_full_table():
    _, process = table_of('2.2', 'type string len 8 size 2 store gpc0')
    for key in 'abac':
        assert ask(process, 'set table st key ' + key) == '\n'
    assert keys(process) == ['a', 'c']
    table, process = table_of('2.2', 'type string len 8 size 2 nopurge store gpc0')
    for key in 'abc':
        reply = ask(process, 'set table st key ' + key)
    assert reply == 'Unable to allocate a new entry\n\n' and keys(process) == ['a', 'b']
    assert table.add('c', gpc0=1) is None


def test_entries_in_use():
    table, process = table_of('2.2', 'type string len 8 size 9 store gpc0')
    for key in 'abcd':
        table.add(key, gpc0=1)
    table.uses['c'] = 2
    assert 'key=c use=2 exp=0 gpc0=1\n' in ask(process, 'show table st key c')
    assert ask(process, 'clear table st key c') == 'Entry currently in use, cannot remove\n\n'
    # The entry before one in use stays, too.
    assert ask(process, 'clear table st data.gpc0 gt 0') == '\n' and keys(process) == ['b', 'c']
    assert ask(process, 'clear table st') == '\n' and keys(process) == ['b', 'c']
    table.uses.clear()
    table.leaves = ['b']
    # Without a key it empties the table, as a real one does.
    assert ask(process, 'set table st') == '\n' and keys(process) == ['b']


def test_pointers():
    _, process = table_of('3.2', 'type string len 8 size 9 store gpc0')
    ask(process, 'set table st key a')
    pointer = POINTER.search(ask(process, 'show table st')).group()
    assert ask(process, 'set table st ptr {0} data.gpc0 5'.format(pointer)) == '\n'
    assert pointer + ': key=a use=0 exp=0 shard=0 gpc0=5\n' in ask(
        process, 'show table st ptr ' + pointer)
    assert ask(process, 'clear table st ptr ' + pointer) == '\n' and keys(process) == []
    assert 'No entry can be found' in ask(process, 'show table st ptr ' + pointer)
    assert ask(process, 'show table st ptr 0x5z') == 'Malformed ptr.\n\n'
    assert ask(process, 'show table st ptr 5') == 'Pointer expected (0xffff notation)\n\n'


def test_numbers_that_are_too_large():
    for version, shown in (('2.2', 'bytes_out_cnt=-1 bytes_out_rate(5)=-1'), (
            '2.4', 'bytes_out_cnt=18446744073709551615 bytes_out_rate(5)=4294967295')):
        _, process = table_of(version, 'type string len 8 size 9 store bytes_out_cnt,'
                                       'bytes_out_rate(5),server_id,gpc0')
        ask(process, 'set table st key a data.bytes_out_cnt -1 data.bytes_out_rate -1 '
                     'data.server_id 4294967295 data.gpc0 4294967297')
        assert ' server_id=-1 gpc0=1 ' + shown in ask(process, 'show table st')
        assert keys(process, 'data.bytes_out_cnt lt 0') == ['a']
        assert keys(process, 'data.bytes_out_rate lt 0') == []


def test_arrays():
    _, process = table_of('3.2', 'type string len 8 size 9 store gpc(2)')
    assert ask(process, 'set table st key a data.gpc[1] 5') == '\n'
    assert ask(process, 'set table st key a data.gpc[2] 5') == (
        'index out of range in this data array\n\n')
    assert keys(process, 'data.gpc[1] eq 5') == ['a']
    assert keys(process, 'data.gpc[2] eq 0') == keys(process, 'data.gpc eq 5') == []


def test_1_6_forgets_the_end_of_a_reply():
    _, process = table_of('1.6', 'type string len 8 size 9 store gpc0')
    assert ask(process, 'set table st key a') == ask(process, 'clear table st key b') == ''
    assert ask(process, 'show table st key a').endswith(' gpc0=0\n')
    assert ask(process, 'show table st').endswith(' gpc0=0\n\n')


def test_a_refusal_keeps_an_entry_in_some_versions():
    for version, exact, uses in (('2.8', '2.8.0', 0), ('3.0', '3.0.11', 2), ('3.0', '3.0.12', 0)):
        table, process = table_of(version, 'type string len 8 size 9 store gpc0')
        process.info['Version'] = exact
        table.add('a')
        for _ in range(2):
            assert ask(process, 'show table st key a', 'user') == 'Permission denied\n\n'
        assert table.uses.get('a', 0) == uses


def test_a_reload_empties_it():
    table, process = table_of('2.6', 'type string len 8 size 9 store gpc0')
    table.add('a')
    process.take_over()
    assert keys(process) == [] and process.tables['st'] is not table
