# SPDX-License-Identifier: Apache-2.0
"""internal/replacement.py, contents.py and entries.py with versions that need a way of their own."""
import pytest

from haproxyadmin.exceptions import CommandFailed, HAProxyBaseError, NotSupported
from haproxyadmin.testing.families.matching import Index
from tests.unit.test_patterns import FILE, contents, fill

OLD = [('a', '1'), ('b', '2')]
NEW = [('c', '3'), ('a', '9')]


@pytest.fixture
def site(fleet):
    """Start two processes of a release with a map; return them and the library's object.

    ``kinds`` are what HAProxy is to say of its keys: their types, and ``'sensitive'`` or not.
    """
    def start(version, kinds=None):
        branch = '.'.join(version.split('.')[:2])
        # 2.9 was not captured, and 3.0 is a release that refuses what earlier ones ignore.
        started = fleet({'2.5': '2.4', '2.9': '2.8', '3.0.4': '2.8'}.get(
            version if version == '3.0.4' else branch, branch), 2)
        fill(started)
        for process in started.processes:
            process.info['Version'] = version
            if kinds is not None:
                process.handler = Kinds(kinds)
        hap = started.haproxy()
        started.map = hap.map(FILE)
        started.hap = hap
        started.forget()
        return started
    return start


class Kinds(object):
    """A handler that says of which kinds the keys of a map are."""

    def __init__(self, kinds):
        self.kinds = kinds

    def __call__(self, command):
        if not command.startswith('get map') or ';' in command:
            return None
        return ''.join('type={0}, case={1}, found=no\n'.format(*kind) for kind in self.kinds) + '\n'


def sent(started, verb):
    return [[command for line in commands for command in line.split(';')
             if command.split(' ')[0] == verb] for commands in started.commands]


TREES = [[('str', 'sensitive')], [('ip', 'sensitive')], [('beg', 'sensitive')],
         [('reg', 'sensitive'), ('ip', 'sensitive')], []]
LISTS = [[('reg', 'sensitive')], [('str', 'insensitive')], [('int', 'sensitive')],
         [('sub', 'sensitive'), ('beg', 'insensitive')]]


@pytest.mark.parametrize('kinds', TREES)
@pytest.mark.parametrize('version', ['2.4.0', '2.4.18', '2.5.8', '2.6.0', '2.6.2'])
def test_no_content_is_prepared_where_requests_may_match_it(site, version, kinds):
    """[nothing that kills]"""
    started = site(version, kinds=kinds)
    with pytest.raises(CommandFailed) as caught:
        started.map.replace(NEW)
    assert 'atomic=False' in str(caught.value)
    assert sent(started, 'prepare') == [[], []]
    assert contents(started) == [OLD, OLD]
    assert started.map.replace(NEW, atomic=False) is True
    assert [sorted(entries) for entries in contents(started)] == [sorted(NEW)] * 2


@pytest.mark.parametrize('version, kinds', [('2.4.0', kinds) for kinds in LISTS] + [
    (version, kinds) for version in ('2.4.19', '2.5.9', '2.6.3') for kinds in TREES[:2]])
def test_a_content_is_prepared_where_no_request_matches_it(site, version, kinds):
    """[atomic replace]"""
    started = site(version, kinds=kinds)
    assert started.map.replace(NEW) is True
    assert contents(started) == [NEW, NEW]


def test_nothing_is_prepared_before_there_are_versions(site):
    """[not supported]"""
    started = site('2.2.9')
    with pytest.raises(NotSupported) as caught:
        started.map.replace(NEW)
    assert (caught.value.needs, caught.value.has) == ('2.4', '2.2.9')
    assert contents(started) == [OLD, OLD]
    started.map.replace(NEW, atomic=False)
    assert [dict(entries) for entries in contents(started)] == [dict(NEW)] * 2


def broken():
    yield 'x', 'y'
    raise KeyError('x')


def test_a_version_that_cannot_be_cleared_is_never_committed(site):
    """[atomic replace] 3.4.0 says that it has cleared it."""
    started = site('3.4.0')
    with pytest.raises(KeyError):
        started.map.replace(broken())
    assert contents(started) == [OLD, OLD]
    assert started.map.replace(NEW) is True
    assert contents(started) == [NEW, NEW]
    assert [stored.current for stored in started.patterns(FILE)] == [2, 2]


def test_all_entries_of_a_key_are_deleted_one_by_one(site):
    """3.4.0 deletes the first one."""
    started = site('3.4.0')
    for stored in started.patterns(FILE):
        stored.entries += [('a', '5'), ('a', '6')]
    started.map.refresh()
    started.forget()
    del started.map['a']
    assert contents(started) == [[('b', '2')]] * 2
    # Once more than there are, because the answer does not say whether it was the last.
    assert [len(commands) for commands in sent(started, 'del')] == [4, 4]


def test_a_sync_deletes_all_entries_of_a_key_one_by_one(site):
    """[sync]"""
    started = site('3.4.0')
    started.patterns(FILE)[1].entries += [('a', '5'), ('a', '6')]
    started.map.sync([('b', '2')])
    assert contents(started) == [[('b', '2')]] * 2


@pytest.mark.parametrize('version, by_reference', [
    ('3.2.0', True), ('3.2.4', True), ('3.2.5', False), ('3.0.11', False)])
def test_a_value_is_set_by_reference_where_a_key_may_hang(site, version, by_reference):
    """[nothing that kills]"""
    started = site(version)
    started.map['a'] = '7'
    started.map.sync({'a': '8', 'b': '2'})
    assert contents(started) == [[('a', '8'), ('b', '2')]] * 2
    for commands in sent(started, 'set'):
        assert len(commands) == 2
        assert all(('#0x' in command) == by_reference for command in commands)
    started.map['c'] = '5'
    assert contents(started) == [[('a', '8'), ('b', '2'), ('c', '5')]] * 2


def test_a_value_is_not_set_while_another_client_prepares(site):
    """[nothing that kills]"""
    started = site('3.2.4')
    assert started.hap.set_map(FILE, 'a', '7') is True
    started.processes[1].reply_to('prepare map ' + FILE)
    started.forget()
    with pytest.raises(HAProxyBaseError) as caught:
        started.hap.set_map(FILE, 'a', '8')
    assert 'hang' in str(caught.value)
    assert sent(started, 'set')[1] == []
    assert contents(started)[1] == [('a', '7'), ('b', '2')]


def test_references_are_not_used_where_they_crash(site):
    """[nothing that kills]"""
    started = site('2.9.0')
    for stored in started.patterns(FILE):
        stored.add('#c', '3')
    started.map.refresh()
    started.forget()

    def delete():
        del started.map['#c']

    def change():
        started.map['#c'] = '4'
    for action in (delete, change, lambda: started.map.sync(OLD)):
        with pytest.raises(CommandFailed) as caught:
            action()
        assert '2.9.0' in str(caught.value)
    assert sent(started, 'set') == sent(started, 'del') == [[], []]
    assert contents(started) == [OLD + [('#c', '3')]] * 2
    # What needs none is done.
    started.map['a'] = '7'
    assert [entries[0] for entries in contents(started)] == [('a', '7')] * 2


@pytest.mark.parametrize('version', ['2.2.9', '2.4.27', '2.6.18', '2.8.10', '2.9.10', '3.0.4'])
def test_a_value_that_is_ignored_is_noticed(site, version):
    """[all or none]"""
    started = site(version)
    # The other one has it by the time.
    started.patterns(FILE)[0].indexes = [Index('str', 'int', False)]

    def change():
        started.map['a'] = 'x'
    for action in (change, lambda: started.map.update(a='x', b='y'),
                   lambda: started.map.sync({'a': 'x', 'b': '2'})):
        with pytest.raises(HAProxyBaseError) as caught:
            action()
        assert 'does not accept' in str(caught.value)
        assert contents(started) == [OLD, OLD]
        assert dict(started.map) == dict(OLD)
    started.map['a'] = '7'
    assert contents(started) == [[('a', '7'), ('b', '2')]] * 2


@pytest.mark.parametrize('version', ['2.6.19', '3.0.5', '3.2.26'])
def test_a_version_that_refuses_is_not_asked_again(site, version):
    """[one command per call]"""
    started = site(version)
    started.map['a'] = '7'
    assert [[command for command in commands if command != 'show info']
            for commands in started.commands] == [
                ['get map {0} a;set map {0} a 7'.format(FILE)]] * 2
