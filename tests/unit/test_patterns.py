# SPDX-License-Identifier: Apache-2.0
"""patterns.py: ACLs and maps as collections."""
import copy

import pytest

from haproxyadmin import exceptions

FILE = '/etc/haproxy/hosts.map'


class FakeMap(object):
    """A map of one process, with the versions that are prepared, as a handler of commands."""

    def __init__(self):
        self.current = self.next = 0
        self.entries = [('a', '1'), ('b', '2')]
        self.prepared = {}

    def __call__(self, command):
        head, _, payload = command.partition('\n')
        words = head.split()
        if ';' in head or words[1] != 'map':
            return None
        return getattr(self, '_' + words[0])(words[2:], payload)

    def _show(self, words, _):
        if not words:
            return ("# id (file) description\n0 ({0}) pattern loaded from file '{0}' used by map at "
                    "file '/etc/haproxy/haproxy.cfg' line 1. curr_ver={1} next_ver={2} entry_cnt=2"
                    '\n\n'.format(FILE, self.current, self.next))
        return ''.join('0x{0:x} {1} {2}\n'.format(place, *entry)
                       for place, entry in enumerate(self.entries, 1)) + '\n'

    def _get(self, words, _):
        return 'type=int, case=sensitive, found=no\n\n'

    def _set(self, words, _):
        if words[1] not in dict(self.entries):
            return 'entry not found.\n\n'
        self.entries = [(key, words[2] if key == words[1] else value)
                        for key, value in self.entries]
        return '\n'

    def _add(self, words, payload):
        pairs = [tuple(line.split()) for line in payload.split('\n') if line] or [tuple(words[-2:])]
        content = self.prepared[words[0]] if words[0] in self.prepared else self.entries
        content.extend(pairs)
        return '\n'

    def _del(self, words, _):
        if words[1].startswith('#0x'):
            del self.entries[int(words[1][1:], 16) - 1]
            return '\n'
        self.entries = [entry for entry in self.entries if entry[0] != words[1]]
        return '\n'

    def _prepare(self, words, _):
        self.next += 1
        self.prepared['@{0}'.format(self.next)] = []
        return 'New version created: {0}\n\n'.format(self.next)

    def _commit(self, words, _):
        self.current, self.entries = int(words[0][1:]), self.prepared.pop(words[0])
        return '\n'

    def _clear(self, words, _):
        del self.prepared[words[0]]
        return '\n'


@pytest.fixture
def started(fleet):
    """Two processes that have the map."""
    started = fleet('3.2', 2)
    for process in started.processes:
        process.handler = FakeMap()
    return started


@pytest.fixture
def hosts(started):
    hosts = started.haproxy().map(FILE)
    started.forget()
    return hosts


def contents(started):
    return [process.handler.entries for process in started.processes]


def verbs(started):
    """Return the first words of all commands that are not just looks at the process."""
    return [[command.split(' ')[0] for command in commands if command != 'show info']
            for commands in started.commands]


def test_a_map_answers_from_memory(hosts, started):
    """[collections]"""
    for process in started.processes:
        process.handler.entries.append(('late', '0'))
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
    assert [process.handler.prepared for process in started.processes] == [{}, {}]


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
        started.processes[1].handler('prepare map ' + FILE)
    with pytest.raises(exceptions.Conflict) as caught:
        hosts.replace(entries())
    assert caught.value.socket_file == started.paths[1]
    assert contents(started) == [[('a', '1'), ('b', '2')]] * 2
    assert [list(process.handler.prepared) for process in started.processes] == [[], ['@2']]


def test_what_is_added_though_it_is_there_is_not_there_twice(hosts, started):
    """The object does not know it."""
    started.processes[0].handler.entries.append(('late', '1'))
    hosts['late'] = '2'
    assert contents(started) == [[('a', '1'), ('b', '2'), ('late', '2')]] * 2


def test_a_copy_has_a_memory_of_its_own(hosts):
    copied = copy.copy(hosts)
    copied['a'] = '7'
    assert (hosts['a'], copied['a']) == ('1', '7') and copied.name == FILE
