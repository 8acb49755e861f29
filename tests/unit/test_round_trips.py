# SPDX-License-Identifier: Apache-2.0
"""What a call costs: commands, connections, and rows that are split.

tools/benchmark measures the seconds.
"""
import csv
import math
import pickle
import threading

import pytest

from haproxyadmin import SERVER_METRICS, exceptions, haproxy
from haproxyadmin.backend import Backend
from haproxyadmin.ca_files import CaFile, CrlFile
from haproxyadmin.crt_lists import CrtList, CrtListEntry
from haproxyadmin.frontend import Frontend
from haproxyadmin.internal import _Backend, _Frontend, _HAProxyProcess, _Server, batches, bulk
from haproxyadmin.parsers import stats
from haproxyadmin.patterns import Acl, Map
from haproxyadmin.reading import Reading
from haproxyadmin.server import Server
from haproxyadmin.snapshot import Snapshot
from haproxyadmin.tables import Table
from tests.support import captured
from tests.unit import test_ca_files, test_crt_lists
from tests.unit.test_crt_lists import LIST, List
from tests.unit.test_patterns import FILE, fill
from tests.unit.test_tables import Site

PROTOCOLS = range(pickle.HIGHEST_PROTOCOL + 1)

PROXY, SERVER = 'tcp_listen', 'tcp1'

# Every public name that reads, how many commands it may send to each process, and the arguments
# of the methods that need some.
HAPROXY = dict.fromkeys([
    'description', 'maxconn', 'nodename', 'processids', 'ratelimitconn', 'ratelimitsess',
    'ratelimitsslsess', 'releasedate', 'requests', 'totalrequests', 'version', 'info', 'metrics',
    'stats', 'overview', 'frontends', 'backends', 'servers', 'frontend', 'backend', 'server', 'metric',
    'metric_per_process', 'metric_per_socket'], 1)
# Names that read only the first process.
FIRST = ['uptime', 'uptimesec']
FACADE = dict.fromkeys(['requests', 'status', 'metric', 'metric_per_process', 'metric_per_socket',
                        'metrics', 'requests_per_process', 'requests_per_socket',
                        'stats_per_process', 'stats_per_socket'], 1)
FRONTEND = dict(FACADE, maxconn=1, is_open=1, iid=1, name=0, process_nb=0)
BACKEND = dict(FACADE, is_up=1, server=1, servers=1, iid=1, name=0, process_nb=0)
SERVERS = dict(FACADE, sid=1, weight=1, address=1, port=1, check_status=1, check_code=1,
               last_status=1, last_agent_check=1, is_up=1, is_down=1, name=0, process_nb=0, backendname=0)
ARGUMENTS = {
    (Reading, 'frontend'): [PROXY], (Reading, 'backend'): [PROXY], (Reading, 'server'): [SERVER],
    (Backend, 'server'): [SERVER],
}
for _ending in ('metric', 'metric_per_process', 'metric_per_socket'):
    ARGUMENTS[Reading, _ending] = ['Maxconn']
    for _kind in (Frontend, Backend, Server):
        ARGUMENTS[_kind, _ending] = ['scur']
CHANGES = {
    Reading: [],
    Frontend: ['enable', 'disable', 'shutdown', 'setmaxconn'],
    Backend: ['add_server', 'del_server'],
    Server: ['setstate', 'setweight', 'shutdown', 'drain', 'takeout', 'bringback',
             'out_of_rotation', 'setaddress', 'setmaxconn', 'setfqdn', 'setssl', 'sethealth',
             'setagent', 'enable_health', 'disable_health', 'enable_agent', 'disable_agent',
             'setcheckaddr', 'setcheckport', 'setagentaddr', 'setagentsend'],
}
# What a server reads with another command, which a snapshot does not contain.
LIVE = {Server: ['initial_weight', 'is_draining', 'is_maintenance', 'is_checked']}
COSTS = {Reading: dict(HAPROXY, **dict.fromkeys(FIRST, 1)), Frontend: FRONTEND, Backend: BACKEND,
         Server: SERVERS}
READS = sorted((kind.__name__, name) for kind, costs in COSTS.items() for name in costs)
KINDS = dict((kind.__name__, kind) for kind in COSTS)


def found(hap, kind):
    """Return an object of the given kind."""
    if kind is Reading:
        return hap
    if kind is Server:
        return hap.backend(PROXY).server(SERVER)
    return getattr(hap, kind.__name__.lower())(PROXY)


def read(thing, kind, name):
    """Return the value of an attribute; if it is a method, call it."""
    value = getattr(thing, name)
    value = value(*ARGUMENTS.get((kind, name), [])) if callable(value) else value
    return str(value) if name == 'overview' else value


def public(kind):
    return set(name for name in dir(kind) if not name.startswith('_'))


# Commands and connections

@pytest.mark.parametrize('kind', list(COSTS), ids=lambda kind: kind.__name__)
def test_no_public_name_is_forgotten_here(kind):
    assert public(kind) == set(COSTS[kind]) | set(CHANGES[kind]) | set(LIVE.get(kind, []))
    assert public(Snapshot) == public(Reading) | set(['taken_at'])


@pytest.mark.parametrize('version, count', [('1.5.8', 1), ('2.2', 4), ('3.2', 3)])
@pytest.mark.parametrize('kind, name', READS)
def test_a_read_costs_each_process_one_command(kind, name, version, count, fleet):
    """[one command per call]"""
    kind = KINDS[kind]
    started = fleet(version, count)
    thing = found(started.haproxy(), kind)
    started.forget()
    read(thing, kind, name)
    cost = COSTS[kind][name]
    first_alone = name in FIRST or (kind is not Reading and name in ('iid', 'sid'))
    wanted = [cost] + [0 if first_alone else cost] * (count - 1)
    assert [len(commands) for commands in started.commands] == wanted
    assert started.connections == wanted
    assert not any(';' in command for commands in started.commands for command in commands)


@pytest.mark.parametrize('kind, name', READS)
def test_a_read_of_a_snapshot_costs_nothing_and_tells_the_same(kind, name, fleet):
    kind = KINDS[kind]
    started = fleet('2.2', 4)
    hap = started.haproxy()
    snapshot = hap.snapshot()
    live = read(found(hap, kind), kind, name)
    started.forget()
    assert read(found(snapshot, kind), kind, name) == live
    assert started.connections == [0] * 4


@pytest.mark.parametrize('version', captured.VERSIONS)
def test_a_snapshot_costs_each_process_one_connection(version, fleet):
    started = fleet(version, 3)
    hap = started.haproxy()
    snapshot = hap.snapshot()
    for backend in snapshot.backends():
        for server in backend.servers():
            server.metrics()
    snapshot.stats()
    assert started.connections == [1] * 3


def test_all_metrics_of_a_server_cost_what_one_costs(fleet):
    started = fleet('2.2', 4)
    server = found(started.haproxy(), Server)
    started.forget()
    metrics = server.metrics()
    assert started.connections == [1] * 4
    assert dict((name, metrics[name]) for name in SERVER_METRICS) == dict(
        (name, server.metric(name)) for name in SERVER_METRICS)


def test_the_loop_of_the_readme_asks_each_object_for_its_own_rows_alone(fleet):
    """[one command per call] It never requests all rows again."""
    started = fleet('2.2', 2)
    hap = started.haproxy()
    backends = hap.backends()
    started.forget()
    for backend in backends:
        for server in backend.servers():
            server.requests
    assert not any('-1' in command.split()[2:3] for command in started.commands[0])


@pytest.mark.parametrize('change', [
    lambda hap: found(hap, Server).setweight(5),
    lambda hap: found(hap, Server).setstate(haproxy.STATE_READY),
    lambda hap: found(hap, Frontend).setmaxconn(5),
    lambda hap: hap.setmaxconn(5),
    lambda hap: hap.add_map(7, 'k', 'v'),
])
def test_a_change_costs_each_process_one_command(change, fleet):
    started = fleet('2.2', 4)
    hap = started.haproxy()
    for process in started:
        process.handler = lambda command: (
            '\n' if command.startswith(('set maxconn ', 'add map ')) else None)
    change(hap)
    assert [len([command for command in commands if not command.startswith('show')])
            for commands in started.commands] == [1] * 4


# ACLs and maps as collections

# What is called, and how many commands it may send to the first process and to each other one.
MAP_CALLS = {
    '[]': (lambda found: found['a'], 0, 0),
    'in': (lambda found: 'a' in found, 0, 0),
    'len()': (len, 0, 0), 'dict()': (dict, 0, 0), 'list()': (list, 0, 0),
    '==': (lambda found: found == {'a': '1'}, 0, 0), '|': (lambda found: dict(found), 0, 0),
    'get': (lambda found: found.get('a'), 0, 0), 'keys': (lambda found: list(found.keys()), 0, 0),
    'values': (lambda found: list(found.values()), 0, 0),
    'items': (lambda found: list(found.items()), 0, 0), 'copy': (lambda found: found.copy(), 0, 0),
    'diff': (lambda found: found.diff({'b': '9'}), 0, 0),
    'lookup': (lambda found: found.lookup('a'), 1, 0),
    'refresh': (lambda found: found.refresh(), 1, 0),
    'entries': (lambda found: found.entries(), 1, 0),
    'process_nb': (lambda found: found.process_nb, 1, 1),
    '[]=': (lambda found: found.__setitem__('a', '5'), 1, 1),
    '[]= of a new key': (lambda found: found.__setitem__('n', '5'), 1, 1),
    '[]= of #': (lambda found: found.__setitem__('#n', '5'), 5, 5),
    'del': (lambda found: found.__delitem__('a'), 1, 1),
    'pop': (lambda found: found.pop('a'), 1, 1),
    'popitem': (lambda found: found.popitem(), 1, 1),
    'setdefault': (lambda found: found.setdefault('a', '5'), 0, 0),
    'setdefault of a new key': (lambda found: found.setdefault('n', '5'), 1, 1),
    'update': (lambda found: found.update(a='5'), 1, 1),
    'update of several': (lambda found: found.update(a='5', b='6'), 6, 6),
    'sync': (lambda found: found.sync({'a': '5', 'c': '6'}), 7, 7),
    'sync of the same': (lambda found: found.sync({'a': '1', 'b': '2'}), 2, 2),
    'replace': (lambda found: found.replace({'a': '5'}), 8, 8),
    'name': (lambda found: found.name, 0, 0), 'id': (lambda found: found.id, 1, 0),
    'file': (lambda found: found.file, 0, 0),
    'description': (lambda found: found.description, 1, 0),
    'current_version': (lambda found: found.current_version, 1, 0),
    'next_version': (lambda found: found.next_version, 1, 0),
}
ACL_CALLS = {
    'in': (lambda found: 'a' in found, 0, 0), 'len()': (len, 0, 0), 'set()': (set, 0, 0),
    '|': (lambda found: found | set('x'), 0, 0), 'copy': (lambda found: found.copy(), 0, 0),
    'isdisjoint': (lambda found: found.isdisjoint(['a']), 0, 0),
    'add': (lambda found: found.add('x'), 1, 1),
    'add of a known one': (lambda found: found.add('a'), 1, 1),
    'discard': (lambda found: found.discard('a'), 1, 1),
    'remove': (lambda found: found.remove('a'), 1, 1), 'pop': (lambda found: found.pop(), 1, 1),
    'clear': (lambda found: found.clear(), 1, 1),
    'update': (lambda found: found.update(['x', 'y']), 5, 5),
    'difference_update': (lambda found: found.difference_update(['a']), 5, 5),
    '|=': (lambda found: found.__ior__(['x']), 5, 5),
    '-=': (lambda found: found.__isub__(['a']), 5, 5),
    '&=': (lambda found: found.__iand__(['a']), 5, 5),
    '^=': (lambda found: found.__ixor__(['a', 'x']), 6, 6),
}


@pytest.fixture
def collected(fleet):
    """Two processes that have a map and an ACL."""
    started = fleet('3.2', 2)
    fill(started)
    for stored in started.patterns('#4'):
        stored.entries = ['a', 'b']
    return started


def spent(started, call):
    started.forget()
    call()
    return [len(commands) for commands in started.commands]


@pytest.mark.parametrize('name', sorted(MAP_CALLS))
def test_what_a_map_costs(name, collected):
    """[collections]"""
    found = collected.haproxy().map(FILE)
    call, first, others = MAP_CALLS[name]
    assert spent(collected, lambda: call(found)) == [first, others]


@pytest.mark.parametrize('name', sorted(ACL_CALLS))
def test_what_an_acl_costs(name, collected):
    """[collections]"""
    found = collected.haproxy().acl(4)
    call, first, others = ACL_CALLS[name]
    assert spent(collected, lambda: call(found)) == [first, others]


def test_a_file_costs_what_its_content_costs(collected):
    """[collections]"""
    found = collected.haproxy().map(FILE)
    path = collected.file('saved', b'a 5\n')
    assert spent(collected, lambda: found.load_file(path)) == [8, 8]
    assert spent(collected, lambda: found.save_file(path)) == [1, 1]


def test_no_method_of_a_collection_is_forgotten_here():
    both = set(['clear', 'load_file', 'save_file'])
    of_python_2 = set(['iteritems', 'iterkeys', 'itervalues'])
    assert public(Map) - set(MAP_CALLS) - of_python_2 == both
    assert public(Acl) - public(Map) <= set(ACL_CALLS)


def test_finding_collections_costs_one_command(collected):
    """[collections] The entries of several are read when they are needed."""
    hap = collected.haproxy()
    assert spent(collected, lambda: hap.map(FILE)) == [1, 0]
    # The second one asks whether there is a file, which names it in all processes.
    assert spent(collected, lambda: hap.acl(4)) == [2, 0]
    found = hap.map(FILE)
    assert spent(collected, lambda: (found.name, found.file)) == [0, 0]
    assert spent(collected, lambda: (found.id, found.description, found.id)) == [1, 0]
    found.refresh()
    assert spent(collected, lambda: found.current_version) == [1, 0]
    assert spent(collected, hap.maps) == spent(collected, hap.acls) == [1, 1]
    one = next(each for each in hap.maps() if each.file == FILE)
    assert spent(collected, lambda: (one.name, one.process_nb)) == [0, 0]
    assert spent(collected, lambda: len(one)) == [1, 0]
    assert spent(collected, lambda: len(one)) == [0, 0]


# Stick tables: what is called, how many commands it may send to each process, and how many if the
# version has to be asked for again.

TABLE_CALLS = {
    'name': (lambda table: table.name, 0, 0), 'type': (lambda table: table.type, 0, 0),
    'process_nb': (lambda table: table.process_nb, 0, 0),
    'size': (lambda table: table.size, 1, 1), 'used': (lambda table: table.used, 1, 1),
    'peers': (lambda table: table.peers, 1, 1),
    'entries': (lambda table: list(table.entries()), 1, 1),
    'entries of a key': (lambda table: list(table.entries('a')), 1, 1),
    'entries of an empty key': (lambda table: list(table.entries('')), 1, 1),
    'entries that meet conditions': (
        lambda table: list(table.entries(where=[('gpc0', '<', 5)])), 1, 2),
    'set': (lambda table: table.set('a', gpc0=5), 3, 4),
    'set of a new key': (lambda table: table.set('new', gpc0=5), 3, 4),
    'remove': (lambda table: table.remove('a'), 2, 3),
    'remove of a key that is not there': (lambda table: table.remove('new'), 1, 1),
    'clear': (lambda table: table.clear(), 4, 5),
    'clear what meets conditions': (lambda table: table.clear([('gpc0', '<', 5)]), 4, 5),
}


@pytest.fixture
def counted(fleet):
    """Two processes that have a stick table."""
    site = Site(fleet, '3.2', 2, keys=['a', 'b', ''])
    site.fleet.tables = site.tables
    return site.fleet


@pytest.mark.parametrize('name', sorted(TABLE_CALLS))
def test_what_a_stick_table_costs(name, counted, clock):
    """[one command per call]"""
    table = counted.haproxy().table('st')
    call, most, most_later = TABLE_CALLS[name]
    assert spent(counted, lambda: call(table)) == [most] * 2
    for each in counted.tables:
        each.entries['a'] = dict.fromkeys(each.fields, 0)
        each.entries.pop('new', None)
    clock.go_on(5000)
    assert spent(counted, lambda: call(table)) == [most_later] * 2


def test_what_haproxy_leaves_costs_a_command_for_12_entries(counted):
    for each in counted.tables:
        each.leaves = ['k{0}'.format(number) for number in range(24)]
        each.entries.update((key, dict.fromkeys(each.fields, 0)) for key in each.leaves)
    table = counted.haproxy().table('st')
    counted.forget()
    assert table.clear().left == 0
    assert counted.connections == [6, 6]


def test_no_method_of_a_stick_table_is_forgotten_here():
    assert public(Table) == set(name.split()[0] for name in TABLE_CALLS)


def test_finding_stick_tables_costs_one_command(counted):
    hap = counted.haproxy()
    assert spent(counted, hap.tables) == spent(counted, lambda: hap.table('st')) == [1, 1]


# Lists of certificates, in the same way

CRT_LIST_CALLS = {
    'name': (lambda found: found.name, 0, 0), 'process_nb': (lambda found: found.process_nb, 0, 0),
    'entries': (lambda found: found.entries(), 1, 1),
    'entries_per_process': (lambda found: found.entries_per_process(), 1, 1),
    'entries_per_socket': (lambda found: found.entries_per_socket(), 1, 1),
    'add': (lambda found: found.add('/b.pem', ['x.test'], 'alpn h2'), 3, 4),
    'add what is there': (lambda found: found.add('/a.pem'), 1, 2),
    'remove': (lambda found: found.remove('/a.pem'), 3, 4),
    'remove what is not there': (lambda found: found.remove('/c.pem'), 1, 2),
}


@pytest.fixture
def listed(fleet):
    """Two processes that have a list of certificates."""
    started = fleet('3.2', 2, config=test_crt_lists.CONFIG, files=test_crt_lists.FILES)
    started.lists = [List(process) for process in started.processes]
    return started


@pytest.mark.parametrize('name', sorted(CRT_LIST_CALLS))
def test_what_a_list_of_certificates_costs(name, listed, clock):
    """[one command per call]"""
    found = listed.haproxy().crt_list(LIST)
    call, most, most_later = CRT_LIST_CALLS[name]
    for seconds, number in ((0, most), (5000, most_later)):
        for each in listed.lists:
            each.entries = [CrtListEntry('/a.pem', [], None, 2)]
        clock.go_on(seconds)
        assert spent(listed, lambda: call(found)) == [number] * 2


def test_no_method_of_a_list_of_certificates_is_forgotten_here():
    assert public(CrtList) == set(name.split()[0] for name in CRT_LIST_CALLS)


def test_finding_lists_of_certificates_costs_one_command(listed):
    hap = listed.haproxy()
    assert spent(listed, hap.crt_lists) == spent(listed, lambda: hap.crt_list(LIST)) == [1, 1]


# CA files and CRL files, in the same way

TRUST_CALLS = {
    'name': (lambda found: found.name, 0, 0), 'process_nb': (lambda found: found.process_nb, 0, 0),
    'status': (lambda found: found.status, 1, 1),
    'transaction': (lambda found: found.transaction, 1, 2),
    'transaction_per_process': (lambda found: found.transaction_per_process(), 1, 2),
    'transaction_per_socket': (lambda found: found.transaction_per_socket(), 1, 2),
    'abort': (lambda found: found.abort(), 1, 2),
    'delete': (lambda found: CaFile('/none', found._found).delete(), 1, 2),
}
CA_FILE_CALLS = dict(TRUST_CALLS, **{
    'certificates': (lambda found: found.certificates(), 1, 1),
    'certificates_per_process': (lambda found: found.certificates_per_process(), 1, 1),
    'certificates_per_socket': (lambda found: found.certificates_per_socket(), 1, 1),
    'update': (lambda found: found.update(test_ca_files.authorities(2)), 7, 8),
    'add': (lambda found: found.add(test_ca_files.authorities(2)), 7, 8)})
CRL_FILE_CALLS = dict(TRUST_CALLS, **{
    'lists': (lambda found: found.lists(), 1, 1),
    'lists_per_process': (lambda found: found.lists_per_process(), 1, 1),
    'lists_per_socket': (lambda found: found.lists_per_socket(), 1, 1),
    'update': (lambda found: found.update(test_ca_files.lists(b'\x02')), 7, 8)})


@pytest.mark.parametrize('kind, name', [
    (kind, name) for kind, calls in ((CaFile, CA_FILE_CALLS), (CrlFile, CRL_FILE_CALLS))
    for name in sorted(calls)])
def test_what_a_ca_file_or_crl_file_costs(kind, name, fleet, clock):
    """[one command per call]"""
    started = fleet('3.2', 2, config=test_ca_files.CONFIG, files=test_ca_files.FILES)
    path, calls = {CaFile: (test_ca_files.CA, CA_FILE_CALLS),
                   CrlFile: (test_ca_files.CRL, CRL_FILE_CALLS)}[kind]
    found = kind(path, started.haproxy()._found)
    call, most, most_later = calls[name]
    for seconds, number in ((0, most), (5000, most_later)):
        clock.go_on(seconds)
        assert spent(started, lambda: call(found)) == [number] * 2


def test_no_method_of_ca_files_is_forgotten_here():
    assert public(CaFile) == set(CA_FILE_CALLS) and public(CrlFile) == set(CRL_FILE_CALLS)


# Many entries

def sizes(commands):
    """Return the number of bytes sent over each connection."""
    return [len(command.encode('utf-8') if str is not bytes else command) + 1
            for command in commands]


@pytest.mark.parametrize('length', [1, 37, 400, 1300])
@pytest.mark.parametrize('version', ['1.5', '1.8', '2.2', '3.4'])
@pytest.mark.parametrize('method', ['add_map_entries', 'add_acl_entries', 'del_map_entries'])
def test_batches_are_full_and_never_above_4096_bytes(method, version, length, fleet, monkeypatch):
    """Except for deletions: one per line before 2.4, and a growing number from 2.4 on."""
    monkeypatch.setattr(bulk, 'SHORT_RUN', 1e9)
    started = fleet(version, 2)
    hap = started.haproxy()
    for process in started:
        process.handler = lambda command: None if ';' in command else '\n'
        if method.startswith('del'):
            process.handler = lambda command: None if ';' in command else 'Key not found.\n\n'
    keys = ['{0:05d}'.format(number) + 'k' * length for number in range(300)]
    items = [(key, 'v') for key in keys] if method == 'add_map_entries' else keys
    if method.startswith('del'):
        with pytest.raises(exceptions.CommandFailed):
            getattr(hap, method)(7, items)
    else:
        assert getattr(hap, method)(7, items) is True
    for commands in started.commands:
        assert max(sizes(commands)) <= batches.MAX_BATCH
        payload = commands[0].split('\n')[0].endswith('<<')
        most = len(keys) if payload else batches.MAX_COMMANDS
        if method == 'add_acl_entries' and version >= '1.8':
            most = len(keys)
        grow = 0
        if method.startswith('del'):
            most, grow = (batches.MAX_COMMANDS, 3) if version >= '2.4' else (1, 0)
        heads = 0 if payload else len('add map #7  ')
        of_an_entry = length + 5 + heads + (3 if method == 'add_map_entries' else 1)
        in_a_batch = min(most, (batches.MAX_BATCH - 20) // of_an_entry)
        assert len(commands) <= math.ceil(300.0 / in_a_batch) + grow


def test_an_exact_fit_of_a_batch(fleet):
    """One more byte requires another batch."""
    head = 'add map #7 <<\n'
    for spare in range(3):
        started = fleet('2.2', 1)
        hap = started.haproxy()
        started[0].handler = lambda command: '\n'
        room = batches.MAX_BATCH - len(head) - 1
        items = [('a' * 1000, 'b' * 1000), ('c' * 1000, 'd' * (room - 2002 - 1002 + spare))]
        assert hap.add_map_entries(7, items) is True
        assert sizes(started.commands[0])[0] == (batches.MAX_BATCH if spare == 0 else 2017)
        assert len(started.commands[0]) == (1 if spare == 0 else 2)


# What is split

class Watched(str):
    """A row that records how it is split."""

    splits = []

    def split(self, *arguments):
        self.splits.append(arguments)
        return str.split(self, *arguments)


@pytest.fixture
def watched(monkeypatch):
    """The splits of rows, as a list of the arguments of ``split``."""
    index = stats.Dump.__init__

    def watch(dump, lines, *arguments, **options):
        index(dump, [lines[0]] + [Watched(line) for line in lines[1:]], *arguments, **options)
    monkeypatch.setattr(stats.Dump, '__init__', watch)
    monkeypatch.setattr(Watched, 'splits', [])
    return Watched.splits


@pytest.fixture
def big(fleet):
    """Two processes with a backend of 500 servers."""
    started = fleet('2.2', 2)
    for process in started:
        row = process.row(PROXY, SERVER)
        place = process.rows.index(row)
        for number in range(500):
            copy = list(row)
            copy[process.columns.index('svname')] = 'more{0:03d}'.format(number)
            process.rows.insert(place + 1 + number, copy)
        number_servers(process, PROXY)
    return started


def number_servers(process, proxy, order=lambda numbers: numbers):
    """Give the servers of a backend the ids that HAProxy assigns, 1, 2, 3 and so on."""
    rows = [row for row in process.rows if row[process.columns.index('pxname')] == proxy
            and row[process.columns.index('type')] == '2']
    for row, number in zip(rows, order(list(range(1, len(rows) + 1)))):
        row[process.columns.index('sid')] = str(number)


def forbidden(*arguments):
    raise AssertionError('split though nobody reads it')


def columns(splits):
    """Return the column numbers up to which rows were split."""
    return set(limit for _, limit in splits)


@pytest.mark.parametrize('call', [
    lambda hap: hap.servers(), lambda hap: hap.servers(PROXY), lambda hap: hap.server('more007'),
    lambda hap: hap.backend(PROXY).servers(), lambda hap: hap.snapshot().servers(),
    lambda hap: [server.name for server in hap.snapshot().servers()],
])
def test_servers_are_split_up_to_their_names(call, big, watched, monkeypatch):
    hap = big.haproxy()
    monkeypatch.setattr(stats, 'split', forbidden)
    monkeypatch.setattr(csv, 'reader', forbidden)
    call(hap)
    # Type, column 32, distinguishes frontends and backends from servers with such names.
    of_types = [limit for _, limit in watched if limit > 2]
    assert len(of_types) <= 2 * 100
    assert len(watched) < 2 * 3 * 600


@pytest.mark.parametrize('order, commands', [
    (lambda numbers: numbers, 1), (lambda numbers: [number + 7 for number in numbers], 1),
    (lambda numbers: numbers[::-1], 1), (lambda numbers: numbers[1:] + numbers[:1], 1),
    # As after servers were deleted and added: nothing shows it but the names.
    (lambda numbers: numbers[:1] + numbers[1:-1][::-1] + numbers[-1:], 2)])
def test_ids_that_are_not_those_that_haproxy_assigns_cost_a_command_at_most(
        order, commands, fleet):
    """[stale ids] Where they are 1, 2, 3 and so on they are not kept for each server."""
    started = fleet('2.2', 1)
    number_servers(started[0], PROXY, order)
    server = started.haproxy().server(SERVER, PROXY)[0]
    place = [name for _, name in started[0].names('2')].index(SERVER)
    started.forget()
    assert server.status == started[0].get(PROXY, SERVER, 'status')
    assert len(started.commands[0]) <= commands, place
    started.forget()
    assert server.sid == int(started[0].get(PROXY, SERVER, 'sid'))
    assert len(started.commands[0]) == 1


def test_a_snapshot_splits_no_server(big, watched, monkeypatch):
    """Servers are found by the beginning of the row."""
    hap = big.haproxy()
    monkeypatch.setattr(stats, 'split', forbidden)
    hap.snapshot()
    assert len(watched) < 2 * 150


def test_a_read_cuts_its_own_field(big, watched, monkeypatch):
    hap = big.haproxy()
    snapshot = hap.snapshot()
    server = snapshot.server('more007', PROXY)[0]
    monkeypatch.setattr(stats, 'split', forbidden)
    del watched[:]
    server.requests
    assert watched == [(',', 8)] * 2
    del watched[:]
    server.status
    assert watched == [(',', 18)] * 2


def test_nothing_split_is_kept(big):
    """Rows keep only their text."""
    snapshot = big.haproxy().snapshot()
    server = snapshot.server('more007', PROXY)[0]
    row = server._rows()[0]
    server.metrics()
    assert set(stats.Row.__slots__) == set(['header', '_text'])
    assert type(row._text) is str
    # The base class has one more slot, which rows leave empty.
    with pytest.raises(AttributeError):
        stats.CSVLine.__dict__['parts'].__get__(row)


# What the objects are made of

@pytest.mark.parametrize('kind', [stats.Row, stats.Header, stats.Dump, _HAProxyProcess, _Backend,
                                  _Frontend, _Server])
def test_what_there_is_much_of_has_slots(kind, fleet):
    started = fleet('2.2', 1)
    hap = started.haproxy()
    server = found(hap, Server)._members[0]
    row = server.stats_data()
    things = {stats.Row: row, stats.Header: row.header, _Server: server, _Backend: server.backend,
              stats.Dump: hap.snapshot()._processes[0]._dump, _HAProxyProcess: server.hap_process,
              _Frontend: found(hap, Frontend)._members[0]}
    assert type(things[kind]) is kind
    assert not hasattr(things[kind], '__dict__')
    assert not any('__dict__' in vars(base) for base in kind.__mro__)


@pytest.mark.parametrize('kind', list(COSTS), ids=lambda kind: kind.__name__)
@pytest.mark.parametrize('source', ['live', 'snapshot'])
def test_scripts_may_set_attributes_on_facades(source, kind, fleet):
    hap = fleet('2.2', 1).haproxy()
    thing = found(hap if source == 'live' else hap.snapshot(), kind)
    thing.note = 'mine'
    assert vars(thing)['note'] == 'mine'
    assert pickle.loads(pickle.dumps(thing, 2)).note == 'mine'


@pytest.mark.parametrize('protocol', PROTOCOLS)
def test_all_of_it_survives_pickle(protocol, fleet):
    started = fleet('2.2', 2)
    hap = started.haproxy()
    snapshot = hap.snapshot()
    server = snapshot.server(SERVER)[0]
    process = hap._processes[0]
    started.forget()

    def again(thing):
        return pickle.loads(pickle.dumps(thing, protocol))
    assert again(process).socket_file == process.socket_file
    assert again(server._rows()[0]).stot == server._rows()[0].stot
    for member in list(server._members) + [server._members[0].backend]:
        assert again(member).name == member.name
        assert again(member).socket_file == member.socket_file
    assert again(snapshot).stats() == snapshot.stats()
    assert again(snapshot).taken_at == snapshot.taken_at
    assert again(server).metrics() == server.metrics()
    assert again(server).process_nb == server.process_nb == [1, 2]
    assert again(snapshot.backend(PROXY)).requests == snapshot.backend(PROXY).requests
    assert again(snapshot.frontend(PROXY)).requests == snapshot.frontend(PROXY).requests
    assert started.connections == [0, 0]
    live = again(hap.server(SERVER)[0])
    assert live.weight == server.weight
    assert again(hap).requests == hap.requests


def test_a_pickled_server_leaves_the_other_servers_behind(big):
    server = big.haproxy().server('more007', PROXY)[0]
    pickled = pickle.dumps(server, 2)
    assert b'more008' not in pickled
    assert pickle.loads(pickled).weight == server.weight


def test_eight_threads_read_a_snapshot(big):
    snapshot = big.haproxy().snapshot()
    wanted = told(snapshot)
    results = []

    def look():
        results.append([told(snapshot) for _ in range(3)])
    threads = [threading.Thread(target=look) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [[wanted] * 3] * 8


def told(snapshot):
    return ([(backend.name, server.name, server.requests, server.status, server.process_nb)
             for backend in snapshot.backends() for server in backend.servers()],
            snapshot.server('more007')[0].metrics(), snapshot.requests, snapshot.info())


def test_eight_threads_read_the_same_server_of_a_snapshot(big):
    """The objects for each process may be created twice, but return the same values."""
    for _ in range(20):
        server = big.haproxy().snapshot().server('more007', PROXY)[0]
        barrier, results = threading.Event(), []

        def look():
            barrier.wait()
            results.append((server.process_nb, server.sid, server.weight))
        threads = [threading.Thread(target=look) for _ in range(8)]
        for thread in threads:
            thread.start()
        barrier.set()
        for thread in threads:
            thread.join()
        assert results == [results[0]] * 8


def test_a_change_through_a_snapshot_reaches_haproxy_and_leaves_it(fleet):
    started = fleet('2.2', 2)
    snapshot = started.haproxy().snapshot()
    started.answer('set weight tcp_listen/tcp1 7', '\n')
    started.forget()
    server = snapshot.server(SERVER)[0]
    before = server.weight
    assert server.setweight(7) is True
    assert started.commands == [['set weight tcp_listen/tcp1 7']] * 2
    assert (server.weight, snapshot.server(SERVER)[0].weight) == (before, before)
