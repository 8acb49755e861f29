# SPDX-License-Identifier: Apache-2.0
"""patterns.py: ACLs and maps as collections."""
import copy

import pytest

from haproxyadmin import exceptions

FILE = '/etc/haproxy/hosts.map'


def fill(started):
    """Give the map its content in all processes."""
    for stored in started.patterns(FILE):
        stored.entries = [('a', '1'), ('b', '2')]


@pytest.fixture
def started(fleet):
    """Two processes that have the map."""
    started = fleet('3.2', 2)
    fill(started)
    return started


@pytest.fixture
def hosts(started):
    hosts = started.haproxy().map(FILE)
    started.forget()
    return hosts


def contents(started):
    return [stored.entries for stored in started.patterns(FILE)]


def verbs(started):
    """Return the first words of all commands that are not just looks at the process."""
    return [[command.split(' ')[0] for command in commands if command != 'show info']
            for commands in started.commands]


def test_a_map_answers_from_memory(hosts, started):
    """[collections]"""
    for stored in started.patterns(FILE):
        stored.add('late', '0')
    assert hosts['a'] == '1' and 'late' not in hosts and len(hosts) == 2
    assert hosts == {'a': '1', 'b': '2'} and hosts and list(hosts) == ['a', 'b']
    assert started.commands == [[], []]
    hosts['c'] = '3'
    assert started.commands == [
        ['get map {0} c;set map {0} c 3;add map {0} c 3'.format(FILE)]] * 2
    assert hosts['c'] == '3' and contents(started)[1][-1] == ('c', '3')
    with pytest.raises(TypeError):
        hash(hosts)


def test_a_content_is_replaced_by_a_commit(hosts, started):
    """[atomic replace] What fails leaves the old content."""
    assert hosts.replace([('b', '9'), ('a', '1')]) is True
    assert contents(started) == [[('b', '9'), ('a', '1')]] * 2
    assert verbs(started) == [['prepare', 'add', 'show', 'show', 'commit']] * 2

    def broken():
        yield 'x', 'y'
        raise KeyError('x')
    with pytest.raises(KeyError):
        hosts.replace(broken())
    assert contents(started) == [[('b', '9'), ('a', '1')]] * 2
    assert [stored.prepared for stored in started.patterns(FILE)] == [{}, {}]


def test_only_what_differs_is_sent(hosts, started):
    """[sync]"""
    assert hosts.sync([('c', '3'), ('b', '9')]) == ([('c', '3')], [('b', '2', '9')], [('a', '1')])
    assert verbs(started) == [['show', 'set', 'add', 'del']] * 2
    assert contents(started) == [[('b', '9'), ('c', '3')]] * 2
    started.forget()
    assert not hosts.sync({'b': '9', 'c': '3'})
    assert verbs(started) == [['show']] * 2


def test_another_client_replaces_it(hosts, started):
    """[conflicts] The one that has prepared last goes on."""
    def entries():
        yield 'x', 'y'
        started.processes[1].reply_to('prepare map ' + FILE)
        started.processes[1].reply_to('add map @2 {0} z 0'.format(FILE))
    with pytest.raises(exceptions.Conflict) as caught:
        hosts.replace(entries())
    assert caught.value.socket_file == started.paths[1]
    assert contents(started) == [[('a', '1'), ('b', '2')]] * 2
    assert [stored.prepared for stored in started.patterns(FILE)] == [{}, {2: [('z', '0')]}]


def test_what_is_added_though_it_is_there_is_not_there_twice(hosts, started):
    """The object does not know it."""
    started.patterns(FILE)[0].add('late', '1')
    hosts['late'] = '2'
    assert contents(started) == [[('a', '1'), ('b', '2'), ('late', '2')]] * 2


def test_a_copy_has_a_memory_of_its_own(hosts):
    copied = copy.copy(hosts)
    copied['a'] = '7'
    assert (hosts['a'], copied['a']) == ('1', '7') and copied.name == FILE


@pytest.mark.parametrize('version', ['2.2', '2.4', '2.6', '2.8'])
def test_a_wrong_value_for_several_entries_does_not_end_haproxy(fleet, version):
    """[sync] Set by its key, it would end these versions."""
    started = fleet(version, 2, files={'int.map': 'k 1\nk 2\n'}, config=(
        'frontend f\n  http-request set-header A %[path,map_str_int(int.map)]\n'))
    ports = started.haproxy().map('int.map')
    for call in (lambda: ports.__setitem__('k', 'x'), lambda: ports.update(k='x', m='y'),
                 lambda: ports.sync([('k', 'x'), ('k', 'y')])):
        with pytest.raises(exceptions.CommandFailed):
            call()
    assert [stored.entries for stored in started.patterns('int.map')] == [[
        ('k', '1'), ('k', '2')]] * 2
    ports['k'] = '3'
    assert ports['k'] == '3'


@pytest.mark.parametrize('number', [0, 1])
def test_nothing_that_was_under_way_is_done_after_the_end(hosts, started, number, interrupting):
    """[all or none] HAProxy may read the connections of a client in any order."""
    for change, beginning in [(lambda: hosts.replace({'c': '3'}), 'add map @'),
                              (lambda: hosts.sync({'c': '3'}), 'add map '),
                              (lambda: hosts.__setitem__('a', '9'), 'get map '),
                              (lambda: hosts.clear(), 'show map ')]:
        started[number].fail(interrupting(beginning))
        with pytest.raises(KeyboardInterrupt):
            change()
        started.wait_for_silence()
        # What sync() had deleted comes last.
        assert list(map(sorted, contents(started))) == [[('a', '1'), ('b', '2')]] * 2
        assert [stored.prepared for stored in started.patterns(FILE)] == [{}, {}]
