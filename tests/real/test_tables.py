# -*- coding: utf-8 -*-
# SPDX-License-Identifier: Apache-2.0
"""Stick tables of real HAProxies, filled by traffic, some of them shared by peers."""
import gc
import os
import random
import re
import socket
import time

import pytest

from haproxyadmin import exceptions
from haproxyadmin.haproxy import HAProxy
from haproxyadmin.internal import tables as internal
from haproxyadmin.protocol.words import OPERATORS, check_conditions
from haproxyadmin.tables import Cleared
from haproxyadmin.testing.texts import raw, text as native
from tests.conftest import PATIENT, find, versions
from tests.support import lab as labs

pytestmark = pytest.mark.dealt_out

CONFIG = """
global
    stats socket "${HAPROXYADMIN_RUN}/${HAPROXYADMIN_PROCESS}.sock" level admin
    stats socket "${HAPROXYADMIN_FILES}/operator-${HAPROXYADMIN_PROCESS}.sock" level operator
    stats socket "${HAPROXYADMIN_FILES}/user-${HAPROXYADMIN_PROCESS}.sock" level user

defaults
    mode http
    timeout connect 5s
    timeout client 60s
    timeout server 60s

peers mypeers
    peer peer1 "127.0.0.1:${HAPROXYADMIN_PORT_PEER1}"
    peer peer2 "127.0.0.1:${HAPROXYADMIN_PORT_PEER2}"

frontend f
    bind "127.0.0.1:${HAPROXYADMIN_PORT_F}"
    http-request track-sc0 src table by_address
    http-request track-sc1 url_param(k),url_dec table by_text if { url_param(k) -m found }
    http-request track-sc2 url_param(b),url_dec table by_bytes if { url_param(b) -m found }
    default_backend b

frontend g
    bind "127.0.0.1:${HAPROXYADMIN_PORT_G}"
    http-request track-sc0 url_param(n) table by_number if { url_param(n) -m found }
    http-request track-sc1 src table by_address6
    default_backend b

backend b
    server web "127.0.0.1:${HAPROXYADMIN_PORT_ORIGIN1}"

backend by_address
    stick-table type ip size 1k expire 1h store gpc0,conn_cnt,http_req_cnt,http_req_rate(1d),bytes_in_cnt,bytes_out_cnt
backend by_address6
    stick-table type ipv6 size 1k expire 1h store http_req_cnt
backend by_text
    stick-table type string len 64 size 100k expire 1h store gpt0,gpc0,http_req_cnt,http_req_rate(1d)
backend by_bytes
    stick-table type binary len 4 size 1k expire 1h store http_req_cnt
backend by_number
    stick-table type integer size 1k store http_req_cnt,gpc0
backend short
    stick-table type string len 8 size 100 expire 1h store gpc0
backend many
    stick-table type string len 32 size 150k expire 1h store gpt0,gpc0,conn_cnt,conn_rate(1d),bytes_out_cnt,server_id
backend shared
    stick-table type string len 32 size 100 expire 1h store gpc0 peers mypeers
"""
ARRAYS = """
backend arrays
    stick-table type string len 32 size 100 expire 1h store gpt(2),gpc(3),gpc_rate(2,1d)
"""
OF_OWN = ['by_address', 'by_address6', 'by_text', 'by_bytes', 'by_number', 'short', 'many']


@pytest.fixture(scope='module', params=versions())
def pair(request):
    """Two HAProxies that are peers of each other."""
    config = CONFIG + (ARRAYS if request.param != '2.2' else '')
    with labs.Lab(find(request.param), config=config, instances=2,
                  arguments=['-L', 'peer{0}']) as started:
        yield started


@pytest.fixture
def hap(pair):
    return HAProxy(socket_dir=pair.socket_dir, timeout=PATIENT)


@pytest.fixture(autouse=True)
def empty(request):
    """Empty all tables of the HAProxies that a test shares with others."""
    if 'pair' in request.fixturenames:
        pair = request.getfixturevalue('pair')
        labs.wait_until(lambda: all([is_empty(path) for path in sockets(pair)]), 'empty')


def is_empty(path):
    """Clear all tables; return whether nothing is left.

    HAProxy leaves some entries the first time, and those that a request still uses.
    """
    names = re.findall(r'table: ([^,]+), .* used:[1-9]', labs.ask(path, 'show table'))
    for name in names:
        labs.ask(path, 'clear table ' + name)
    return not names


def sockets(pair, level='admin'):
    """Return the sockets of a level, one of each process."""
    names = ['{0}.sock'.format(number) for number in (1, 2)]
    if level == 'admin':
        return [os.path.join(pair.socket_dir, name) for name in names]
    return [os.path.join(pair.directory, 'files', level + '-' + name) for name in names]


def connect(pair, level):
    return HAProxy(addresses=sockets(pair, level), timeout=PATIENT)


def fill(path, table, keys, size=200):
    """Store entries with a raw command each; a key may be followed by data."""
    for start in range(0, len(keys), size):
        line = ';'.join('set table {0} key {1}'.format(table, key)
                        for key in keys[start:start + size])
        assert not labs.ask(path, line).strip()


def request(pair, frontend, path, count=1):
    """Send requests to the HAProxies, whichever accepts them; return their statuses.

    No request uses an entry any more when this returns.
    """
    statuses = pair.traffic(frontend, count, path=path)
    wait_until_unused(pair)
    return statuses


def wait_until_unused(pair):
    """Wait until HAProxy has ended all requests."""
    labs.wait_until(lambda: not any(
        re.search(' use=[^0]', labs.ask(path, 'show table ' + name))
        for name in OF_OWN[:5] for path in sockets(pair)), 'no entry is in use')


def keys_of(entries):
    return sorted(entry.key for entry in entries)


# What there is

def test_the_tables(hap, pair):
    expected = OF_OWN + ['shared'] + ['arrays'] * (pair.version != '2.2')
    tables = dict((table.name, table) for table in hap.tables())
    assert sorted(tables) == sorted(expected)
    assert all(len(table.process_nb) == 2 for table in tables.values())
    assert [tables[name].type for name in OF_OWN] == [
        'ip', 'ipv6', 'string', 'binary', 'integer', 'string', 'string']
    assert tables['by_address'].size == 2 * 1024
    assert tables['short'].size == 200
    assert tables['by_address'].used == 0
    with pytest.raises(ValueError, match="no stick table 'by_adress'; did you mean 'by_address"):
        hap.table('by_adress')
    with pytest.raises(ValueError):
        hap.table('f')


def test_what_traffic_counts(hap, pair):
    table = hap.table('by_address')
    assert request(pair, 'f', '/', 20) == [200] * 20
    entries = list(table.entries())
    # The kernel chooses one of the HAProxies for each connection.
    assert sum(entry.data['http_req_cnt'] for entry in entries) == 20
    assert sum(entry.data['http_req_rate(86400000)'] for entry in entries) == 20
    assert table.used == len(entries)
    for entry in entries:
        assert entry.key == '127.0.0.1'
        assert entry.socket_file in sockets(pair)
        assert 0 < entry.expiry <= 3600000
        assert entry.data['bytes_out_cnt'] > 0 and entry.data['gpc0'] == 0
        assert all(isinstance(value, int) for value in entry.data.values())
    # Those of the process that answers first come first.
    found = dict((each.socket_file, (each.key, each.data)) for each in table.entries('127.0.0.1'))
    assert found == dict((each.socket_file, (each.key, each.data)) for each in entries)
    limit = max(entry.data['http_req_cnt'] for entry in entries)
    assert [entry.data['http_req_cnt'] for entry in table.entries(
        where=[('http_req_rate', '>=', limit), ('gpc0', '==', 0)])][0] == limit
    assert list(table.entries(where=[('http_req_rate', '>', limit)])) == []
    assert list(table.entries('10.9.9.9')) == []


# Keys

TEXTS = [u'plain', u'two words', u' lead', u'trail ', u'a=b', u'a\\b', u'a\\ b', u'a;b', u'"q"', u"it's",
         u'caf\xe9', u'\u20ac', u'#x', u'<<', u'a <<', u'-f', u'key', u'data.gpc0', u'@1', u'%41', u'tab\tbed',
         u'use=5 exp=7', u'\\x41', u'a\x1bb', u'\x7f']


def encoded(text):
    return ''.join('%{0:02X}'.format(byte) for byte in bytearray(raw(text)))


@pytest.mark.parametrize('key', TEXTS)
def test_a_key_of_traffic_is_found_stored_and_removed(hap, pair, key):
    table = hap.table('by_text')
    assert request(pair, 'f', '/?k=' + encoded(key)) == [200]
    entry, = table.entries()
    assert entry.key == native(raw(key)) and entry.data['http_req_cnt'] == 1
    for wanted in (key, raw(key)):
        found, = table.entries(wanted)
        assert found._replace(expiry=entry.expiry, use=entry.use) == entry
    assert table.set(key, gpc0=7, http_req_cnt=2)
    entries = list(table.entries(key))
    assert [(each.data['gpc0'], each.data['http_req_cnt']) for each in entries] == [(7, 2)] * 2
    assert table.remove(key)
    assert list(table.entries()) == []


@pytest.mark.parametrize('key', [u'\n', u'a\nb', u'a\r', u'\r\n'])
def test_a_key_with_a_newline_is_read_and_cleared(hap, pair, key):
    table = hap.table('by_text')
    assert request(pair, 'f', '/?k=' + encoded(key)) == [200]
    entry, = table.entries()
    assert entry.key == native(key)
    for call in (table.entries, table.set, table.remove):
        with pytest.raises(ValueError):
            call(key)
    assert table.clear() == Cleared(0) and table.used == 0


def test_an_empty_key(hap, pair):
    table = hap.table('by_text')
    assert request(pair, 'f', '/?k=') == [200]
    if not table.used:
        pytest.skip('HAProxy does not track it')
    request(pair, 'f', '/?k=x')
    entry, = table.entries('')
    assert entry.key == '' and keys_of(table.entries()) == ['', 'x']
    for call in (table.set, table.remove):
        with pytest.raises(ValueError):
            call('')
    assert keys_of(table.entries()) == ['', 'x']
    assert table.clear() == Cleared(0) and table.used == 0


def test_binary_keys(hap, pair):
    table = hap.table('by_bytes')
    for key in ('ab', '%01%FF%0A%20', 'abcdefgh'):
        assert request(pair, 'f', '/?b=' + key) == [200]
    assert sorted(set(keys_of(table.entries()))) == ['01FF0A20', '61620000', '61626364']
    entry, = table.entries('01ff0a20')
    assert entry.data == {'http_req_cnt': 1}
    assert list(table.entries('61')) == []
    for call in (table.set, table.remove):
        with pytest.raises(ValueError):
            call('61620000')
    # No command that is refused has left a use behind.
    assert [each.use for each in table.entries()] == [0] * table.used
    assert table.clear(where=[('http_req_cnt', '>', 5)]) == Cleared(0) and table.used == 3
    assert table.clear() == Cleared(0) and table.used == 0


def test_keys_that_are_numbers(hap, pair):
    table = hap.table('by_number')
    assert request(pair, 'g', '/?n=4294967295') == [200]
    assert table.set(7, gpc0=1) and table.set('0', gpc0=2)
    assert sorted(set(entry.key for entry in table.entries())) == [0, 7, 4294967295]
    assert [entry.data['gpc0'] for entry in table.entries('7')] == [1, 1]
    assert set(entry.expiry for entry in table.entries()) == set([0])
    for key in (-1, 2 ** 32, 'x', '', '5x', '0x10'):
        for call in (table.entries, table.set, table.remove):
            with pytest.raises(ValueError):
                call(key)
    assert table.remove(4294967295) and table.remove('7')
    assert set(entry.key for entry in table.entries()) == set([0])


def test_keys_that_are_addresses(hap, pair):
    table = hap.table('by_address6')
    assert request(pair, 'g', '/') == [200]
    entry, = table.entries('::ffff:127.0.0.1')
    assert entry.data['http_req_cnt'] == 1
    assert table.set('2001:DB8:0::1', http_req_cnt=5)
    assert [each.key for each in table.entries('2001:db8::1')] == ['2001:db8::1'] * 2
    assert table.remove('2001:0db8::0001')
    assert keys_of(table.entries()) == ['::ffff:127.0.0.1']
    for name, keys in [('by_address6', ['1.2.3.4', 'x', '', '::1%lo']),
                       ('by_address', ['::1', '1.2.3', 'localhost', '999.1.1.1', '', '1.2.3.4/8'])]:
        table = hap.table(name)
        used = table.used
        for key in keys:
            for call in (table.entries, table.set, table.remove):
                with pytest.raises(ValueError):
                    call(key)
        assert table.used == used


def test_a_key_that_is_too_long_does_not_harm_another(hap):
    table = hap.table('short')
    assert table.set('12345678', gpc0=5)
    for key in ('123456789', '12345678' * 500):
        assert list(table.entries(key)) == []
        with pytest.raises(exceptions.CommandFailed, match='truncates the key to .12345678'):
            table.set(key, gpc0=7)
        assert table.set(key, gpc0=7, die=False) is False
        assert table.remove(key) is True
    assert [(entry.key, entry.data) for entry in table.entries()] == [
        ('12345678', {'gpc0': 5})] * 2
    assert table.clear() == Cleared(0)
    with pytest.raises(exceptions.CommandFailed, match='truncates') as info:
        table.set('123456789', gpc0=7)
    assert len(info.value.undone) == 2 and not info.value.not_undone
    assert table.used == 0


# Storing and removing

def test_numbers_are_stored_as_they_are(hap):
    table = hap.table('by_address')
    numbers = {'gpc0': 2 ** 32 - 1, 'conn_cnt': 0, 'bytes_in_cnt': 2 ** 63 - 1,
               'bytes_out_cnt': 2 ** 32, 'http_req_rate': 2 ** 31 - 1}
    assert table.set('10.0.0.1', **numbers)
    for entry in table.entries('10.0.0.1'):
        for name, number in numbers.items():
            assert entry.data[internal._field(name, entry.data)] == number
    assert table.set('10.0.0.1', **{'http_req_rate(86400000)': 3})
    assert [entry.data['http_req_rate(86400000)'] for entry in table.entries()] == [3, 3]
    for numbers in ({'gpc0': 2 ** 32}, {'gpc0': -1}, {'bytes_in_cnt': 2 ** 63}):
        with pytest.raises(ValueError):
            table.set('10.0.0.1', **numbers)


def test_what_is_refused_in_the_middle_is_undone(hap):
    table = hap.table('by_address')
    for numbers in ({'gpc0': 5, 'gpt0': 1}, {'bogus': 1, 'conn_cnt': 5, 'zzz': 1}):
        with pytest.raises(exceptions.CommandFailed) as info:
            table.set('10.0.0.1', **numbers)
        assert len(info.value.undone) == 2 and not info.value.not_undone
        assert list(table.entries()) == []
    assert table.set('10.0.0.1', gpc0=3)
    with pytest.raises(exceptions.CommandFailed, match='does not store gpt0; it stores bytes_in'):
        table.set('10.0.0.1', gpc0=5, gpt0=1)
    assert [entry.data['gpc0'] for entry in table.entries()] == [3, 3]


def test_a_full_table(hap, pair):
    """Where one process has no room, the other one has nothing either."""
    table = hap.table('short')
    assert table.set('a', gpc0=1) and table.remove('a') and table.remove('a')
    assert list(table.entries()) == []


def test_arrays(hap, pair):
    if pair.version == '2.2':
        pytest.skip('there are none')
    table = hap.table('arrays')
    assert table.set('k', gpc=5, gpt=6, gpc_rate=7)
    names = ['gpt0', 'gpt1', 'gpc0', 'gpc1', 'gpc2', 'gpc0_rate(86400000)', 'gpc1_rate(86400000)']
    for entry in table.entries('k'):
        assert sorted(entry.data) == sorted(names)
        assert [entry.data[name] for name in names] == [6, 0, 5, 0, 0, 7, 0]
    for where, count in [([('gpc', '==', 5)], 2), ([('gpc0', '==', 5)], 2), ([('gpc1', '>', 0)], 0),
                         ([('gpt1', '<', 1), ('gpc_rate', '>', 6)], 2),
                         ([('gpc1_rate', '==', 0), ('gpc2', '==', 0)], 2)]:
        assert len(list(table.entries(where=where))) == count
        assert len(list(table.entries('k', where=where))) == count
    with pytest.raises(exceptions.CommandFailed, match='does not store gpc3'):
        list(table.entries(where=[('gpc3', '>', 0)]))
    assert table.clear(where=[('gpc1', '>', 0)]) == Cleared(0) and table.used == 2
    assert table.clear(where=[('gpc1', '==', 0)]) == Cleared(0) and table.used == 0


@pytest.fixture
def held(pair):
    """Hold requests, by their paths; each uses its entries until the end of the test."""
    connections = []

    def hold(frontend, path):
        connection = socket.create_connection(('127.0.0.1', pair.ports[frontend]), PATIENT)
        connections.append(connection)
        connection.sendall(('POST {0} HTTP/1.1\r\nHost: lab\r\nContent-Length: 1000\r\n'
                            'Expect: 100-continue\r\n\r\n'.format(path)).encode('ascii'))
        assert b' 100 ' in connection.recv(65536)
        return connection
    yield hold
    for connection in connections:
        connection.close()
    wait_until_unused(pair)


def test_an_entry_in_use_stays(hap, held):
    table = hap.table('by_text')
    held('f', '/?k=used')
    assert table.set('free', gpc0=1)
    entry, = table.entries('used')
    assert entry.use >= 1
    with pytest.raises(exceptions.CommandFailed, match='Entry currently in use'):
        table.remove('used')
    assert table.clear() == Cleared(1)
    assert keys_of(table.entries()) == ['used']
    # One that is in use in one of the processes only.
    assert table.set('used', gpc0=9)
    with pytest.raises(exceptions.MultipleCommandResults) as info:
        table.remove('used')
    assert len(info.value.undone) == 1 and not info.value.not_undone
    assert [each.data['gpc0'] for each in table.entries('used')] == [9, 9]


def test_haproxys_bug_leaves_nothing_that_is_not_in_use(hap, pair, held):
    """HAProxy leaves the entry before each that is in use."""
    table = hap.table('by_text')
    for number in range(10):
        held('f', '/?k=key{0:03d}'.format(number * 10 + 5))
    for path in sockets(pair):
        fill(path, 'by_text', ['key{0:03d} data.gpc0 1'.format(number) for number in range(100)])
    assert table.used == 200
    assert table.clear(where=[('gpc0', '==', 1)]) == Cleared(10)
    assert sorted(entry.key for entry in table.entries()) == [
        'key{0:03d}'.format(number * 10 + 5) for number in range(10)]
    assert all(entry.use for entry in table.entries())
    assert table.clear(where=[('gpc0', '==', 2)]) == Cleared(0)


# Conditions

FIELDS = ['gpt0', 'gpc0', 'conn_cnt', 'conn_rate', 'bytes_out_cnt', 'server_id']
NUMBERS = [0, 1, 2, 3, 2 ** 31 - 1]
LARGE = {'gpt0': [2 ** 31, 2 ** 32 - 1], 'gpc0': [2 ** 31, 2 ** 32 - 1], 'conn_cnt': [2 ** 32 - 1],
         'conn_rate': [2 ** 31, 2 ** 32 - 1], 'bytes_out_cnt': [2 ** 32, 2 ** 63 - 1]}


def test_haproxy_and_the_library_find_the_same(hap, pair):
    chosen = random.Random(pair.version)
    table = hap.table('many')
    for path in sockets(pair):
        fill(path, 'many', ['k{0} {1}'.format(number, ' '.join('data.{0} {1}'.format(
            name, chosen.choice(NUMBERS + LARGE.get(name, []))) for name in FIELDS))
            for number in range(300)], 20)
    everything = list(table.entries())
    assert len(everything) == 600
    found = 0
    for _ in range(150):
        where = [(name, chosen.choice(sorted(OPERATORS)), chosen.choice(
            NUMBERS + LARGE.get(name, []))) for name in chosen.sample(
                FIELDS, chosen.randint(1, len(FIELDS)))]
        expected = list(internal.select(iter(everything), check_conditions(where),
                                        list(everything[0].data)))
        entries = list(table.entries(where=where))
        assert [(each.socket_file, each.key, each.data) for each in sorted(entries)] == [
            (each.socket_file, each.key, each.data) for each in sorted(expected)], where
        found += len(entries)
    assert found > 1000
    # What is removed is what was found.
    where = [('gpt0', '>', 1), ('conn_rate', '!=', 0), ('gpc0', '<=', 2 ** 31)]
    gone = [(each.socket_file, each.key) for each in table.entries(where=where)]
    assert gone and table.clear(where=where) == Cleared(0)
    assert sorted((each.socket_file, each.key) for each in table.entries()) == sorted(
        set((each.socket_file, each.key) for each in everything) - set(gone))


def test_a_condition_about_what_is_not_stored(hap, pair):
    table = hap.table('short')
    for where in ([('conn_cnt', '>', 1)], [('bogus', '>', 1), ('conn_cnt', '==', 1)]):
        with pytest.raises(exceptions.CommandFailed):
            list(table.entries(where=where))
    # What might be elements of arrays, an empty table does not know.
    assert list(table.entries(where=[('gpc7', '>', 1)])) == []
    assert table.set('k', gpc0=5)
    for where in ([('conn_cnt', '>', 1)], [('gpc0', '>', 1), ('bogus', '==', 1)],
                  [('gpt0', '>', 1)], [('gpc7', '>', 1)]):
        for call in (lambda: list(table.entries(where=where)), lambda: table.clear(where=where)):
            with pytest.raises(exceptions.CommandFailed):
                call()
        assert table.used == 2


# Levels

def test_an_operator_may_do_everything(pair):
    table = connect(pair, 'operator').table('by_text')
    assert table.set('k', gpc0=5) and table.used == 2
    assert [entry.data['gpc0'] for entry in table.entries('k')] == [5, 5]
    assert table.remove('k')
    assert table.set('k') and table.clear() == Cleared(0)


def test_a_user_may_count(pair, hap):
    """Up to 3.0 HAProxy answers ``clear table`` of a user as if it were a success."""
    assert hap.table('by_text').set('k', gpc0=5)
    table = connect(pair, 'user').table('by_text')
    assert table.used == 2 and table.type == 'string'
    for call in (lambda: list(table.entries()), lambda: list(table.entries('k')),
                 lambda: list(table.entries(where=[('gpc0', '>', 0)])),
                 lambda: table.set('k', gpc0=7), lambda: table.set('new', gpc0=7),
                 lambda: table.remove('k'), table.clear,
                 lambda: table.clear(where=[('gpc0', '>', 0)])):
        with pytest.raises(exceptions.CommandFailed, match='Permission denied') as info:
            call()
        assert info.value.socket_file in sockets(pair, 'user')
        assert not info.value.not_undone
    assert [(entry.key, entry.data['gpc0'], entry.use)
            for entry in hap.table('by_text').entries()] == [('k', 5, 0)] * 2
    assert hap.table('by_text').remove('k')


def test_a_user_of_one_of_the_processes(pair, hap):
    assert hap.table('by_text').set('k', gpc0=5)
    mixed = HAProxy(addresses=[sockets(pair)[0], sockets(pair, 'user')[1]], timeout=PATIENT)
    table = mixed.table('by_text')
    for change in (lambda: table.set('k', gpc0=7), lambda: table.remove('k'), table.clear):
        with pytest.raises(exceptions.HAProxyBaseError) as info:
            change()
        assert not info.value.not_undone
        assert [entry.data['gpc0'] for entry in hap.table('by_text').entries()] == [5, 5]
    assert hap.table('by_text').remove('k')


# Peers

def test_what_peers_share_arrives(pair, hap):
    first, second = [HAProxy(socket_file=path, timeout=PATIENT).table('shared')
                     for path in sockets(pair)]
    assert first.peers == hap.table('shared').peers == ['mypeers']
    assert hap.table('by_text').peers == []
    pair.wait_for_peers()
    assert first.set('two words', gpc0=7)
    labs.wait_until(lambda: [(entry.key, entry.data['gpc0']) for entry in second.entries()] == [
        ('two words', 7)], 'arrived')
    assert hap.table('shared').set('two words', gpc0=8)
    assert [entry.data['gpc0'] for entry in hap.table('shared').entries()] == [8, 8]
    # While a peer is being told, an entry is in use.
    labs.wait_until(lambda: hap.table('shared').remove('two words', die=False), 'removed')


# Many entries

@pytest.fixture(scope='class')
def large(pair):
    """100,000 entries in the first HAProxy."""
    path = sockets(pair)[0]
    fill(path, 'many', ['client{0:06d} data.gpc0 {0}'.format(number) for number in range(100000)])
    yield HAProxy(socket_file=path, timeout=PATIENT).table('many')
    labs.ask(path, 'clear table many')


class TestManyEntries(object):

    @pytest.fixture(autouse=True)
    def empty(self):
        """Keep what the class has stored."""

    def test_memory_is_flat_while_they_are_read(self, large):
        tracemalloc = pytest.importorskip('tracemalloc')
        gc.collect()
        tracemalloc.start()
        try:
            count = total = 0
            for entry in large.entries():
                count += 1
                total += entry.data['gpc0']
            _, most = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert count == 100000 and total == sum(range(100000))
        # A list of them takes 50 MB.
        assert most < 12 * 1024 * 1024

    def test_a_reader_may_take_its_time(self, large):
        """Longer than the time-out of the library."""
        # The machine may stall for longer than the shortest time-out.
        for timeout in (1, 5, PATIENT):
            table = HAProxy(socket_file=large._members[0].socket_file, timeout=timeout).table('many')
            entries = table.entries()
            try:
                keys = [next(entries).key]
                time.sleep(timeout + 1)
                keys.extend(entry.key for entry in entries)
                break
            except exceptions.SocketTimeout:
                assert timeout < PATIENT
        assert len(set(keys)) == len(keys) == 100000

    def test_a_reader_may_stop_and_haproxy_goes_on(self, large, pair):
        for _ in range(5):
            entries = large.entries()
            next(entries)
            del entries
        gc.collect()
        # Nothing stays in use.
        assert next(large.entries('client000000')).use == 0
        labs.wait_until(lambda: all(entry.use == 0 for entry in large.entries()), 'unused')

    def test_some_of_them_are_removed(self, large):
        assert large.used == 100000
        assert large.clear(where=[('gpc0', '>=', 50000), ('gpc0', '<', 99000)]) == Cleared(0)
        assert large.used == 51000
        assert large.clear() == Cleared(0)
        assert large.used == 0


# What ends the HAProxies

def test_through_masters(pair):
    """The prefix of a master is part of each command."""
    with labs.Lab(find(pair.version), config=CONFIG.split('peers mypeers')[0] + """
backend many
    stick-table type string len 32 size 10k expire 1h store gpc0
""", master_worker=True) as started:
        hap = HAProxy(master=started.master_files[0], timeout=PATIENT)
        table = hap.table('many')
        assert table.set('two words; a', gpc0=5)
        assert [(entry.key, entry.data) for entry in table.entries('two words; a')] == [
            ('two words; a', {'gpc0': 5})]
        # Not more: if a reply is large, a master may miss that the connection is to end.
        fill(os.path.join(started.socket_dir, '1.sock'), 'many',
             ['client{0:06d} data.gpc0 {0}'.format(number) for number in range(90)])
        assert len(list(table.entries())) == 91
        assert len(list(table.entries(where=[('gpc0', '<', 10)]))) == 11
        entries = table.entries()
        next(entries)
        del entries
        assert table.remove('two words; a')
        assert table.clear(where=[('gpc0', '<', 10)]) == Cleared(0)
        assert table.used == 80
        started.reload()
        assert table.used == 0 and list(table.entries()) == []


def test_one_that_is_killed_while_it_is_read(pair):
    """The last test: what is killed stays so."""
    table = HAProxy(socket_dir=pair.socket_dir, timeout=PATIENT, retry=None).table('many')
    for path in sockets(pair):
        fill(path, 'many', ['client{0:06d}'.format(number) for number in range(40000)])
    number = [index for index, path in enumerate(pair.socket_files)
              if path == sockets(pair)[1]][0] + 1
    entries = table.entries()
    next(entries)
    pair.kill_process(number)
    with pytest.raises(exceptions.HAProxySocketError) as info:
        list(entries)
    assert info.value.socket_file == sockets(pair)[1]
    for change in (lambda: table.set('k', gpc0=1), lambda: table.remove('client000001')):
        with pytest.raises(exceptions.HAProxySocketError):
            change()
    with pytest.raises(exceptions.HAProxySocketError) as info:
        table.clear()
    assert not info.value.not_undone
    assert 'used:40000' in labs.ask(sockets(pair)[0], 'show table')
