# SPDX-License-Identifier: Apache-2.0
"""internal/contents.py: what has to be done so that an ACL or map contains what it should."""
import pytest

from haproxyadmin.internal import contents
from haproxyadmin.internal.contents import (Delta, Everything, KeyChange, Some, Steps,
                                            check_entries, delta_of, entries_by_key, find_delta)
from haproxyadmin.parsers.patterns import Listing
from haproxyadmin.protocol.words import to_native


def listing_of(family, entries):
    """Return a listing in which the first entry has the reference 0x1."""
    lines = [' '.join(entry) if family == 'map' else entry for entry in entries]
    return Listing(family, ''.join('0x{0:x} {1}\n'.format(place, line)
                                   for place, line in enumerate(lines, 1)))


def change_of(key, before, after):
    entries = [(key,) if value is None else (key, value) for value in after]
    return KeyChange(key, before, after, entries)


def apply(family, listing, steps, entries):
    """Return what HAProxy has after these steps, in the order in which they are sent."""
    has = [(listing.reference(place), entry) for place, entry in enumerate(entries)]
    key_of = (lambda entry: entry) if family == 'acl' else (lambda entry: entry[0])
    for reference, entry in steps.sets:
        hit = [pair for pair in has if reference in (pair[0], None) and pair[1][0] == entry[0]]
        assert len(hit) == 1, 'a key that has one entry, or a reference'
        has = [(pointer, entry if (pointer, old) == hit[0] else old) for pointer, old in has]
    has += [(None, entry[0] if family == 'acl' else entry) for _, entry in steps.adds]
    for reference, entry in steps.deletions:
        hit = [pair for pair in has if (pair[0] == reference if reference
                                        else key_of(pair[1]) == entry[0])]
        assert hit
        if reference is None:
            assert not entry[0].startswith('#')
        has = [pair for pair in has if pair not in hit]
    return [entry for _, entry in has]


# Of a map: what there is, what there is to be, and what is set, added and deleted; a number stands
# for a reference.
EXACT = [
    ([], [], [], [], []),
    ([('a', '1')], [('a', '1')], [], [], []),
    ([], [('a', '1')], [], [('a', '1')], []),
    ([('a', '1')], [], [], [], ['a']),
    ([('a', '1')], [('a', '2')], [(None, 'a', '2')], [], []),
    ([('a', '1'), ('b', '2')], [('b', '2'), ('a', '1')], [], [], []),
    ([('a', '1'), ('A', '1')], [('A', '1')], [], [], ['a']),
    # Several entries of a key.
    ([('a', '1')], [('a', '1'), ('a', '2')], [], [('a', '2')], []),
    ([('a', '1'), ('a', '2')], [('a', '1')], [], [], [(2, 'a')]),
    ([('a', '1'), ('a', '2')], [('a', '2')], [(1, 'a', '2')], [], [(2, 'a')]),
    ([('a', '1'), ('a', '2')], [('a', '2'), ('a', '1')], [(1, 'a', '2'), (2, 'a', '1')], [], []),
    ([('a', '1'), ('b', '0'), ('a', '2')], [('b', '0')], [], [], ['a']),
    ([('a', '1'), ('a', '1')], [('a', '1')], [], [], [(2, 'a')]),
    # '#' begins a reference.
    ([('#a', '1')], [], [], [], [(1, '#a')]),
    ([('#a', '1')], [('#a', '2')], [(1, '#a', '2')], [], []),
    ([], [('#a', '1')], [], [('#a', '1')], []),
    ([('0x1', '1')], [('0x1', '2')], [(None, '0x1', '2')], [], []),
    # Where a key with a blank ends is not shown.
    ([('a', 'b 1')], [('a b', '1')], [], [], []),
    ([('a', 'b 1')], [('a b', '2')], [], [('a b', '2')], [(1, 'a')]),
    ([('a', 'b 1')], [], [], [], [(1, 'a')]),
    ([('a', 'b 1')], [('a', 'b 2')], [], [('a', 'b 2')], [(1, 'a')]),
    ([], [('a b', '1')], [], [('a b', '1')], []),
    ([('a', '1')], [('a', 'b 2')], [(None, 'a', 'b 2')], [], []),
    ([('a', '1'), ('a', 'b 2')], [], [], [], [(1, 'a'), (2, 'a')]),
    ([('a', '1'), ('a', 'b 2')], [('a', '1')], [], [('a', '1')], [(1, 'a'), (2, 'a')]),
    ([('a', '1'), ('a', 'b 2')], [('a b', '2'), ('a', '1')], [], [('a b', '2'), ('a', '1')],
     [(1, 'a'), (2, 'a')]),
    # A file can contain an empty value.
    ([('a', '')], [('a', '')], [], [], []),
    ([('a', '')], [('a', '1')], [(None, 'a', '1')], [], []),
]


def with_references(texts):
    return [('0x{0:x}'.format(item[0]), item[1:]) if isinstance(item, tuple) and item[0]
            else (None, item[1:] if isinstance(item, tuple) else (item,)) for item in texts]


@pytest.mark.parametrize('before, after, sets, adds, deletions', EXACT)
def test_the_steps_to_everything(before, after, sets, adds, deletions):
    """[sync]"""
    listing = listing_of('map', before)
    goal = Everything('map', *check_entries('map', after))
    steps = Steps('map', listing, goal.changes(listing))
    assert steps.sets == with_references(sets)
    assert steps.adds == [(None, entry) for entry in adds]
    assert steps.deletions == with_references(deletions)
    result = apply('map', listing, steps, before)
    shown = sorted(' '.join(entry) for entry in result)
    assert shown == sorted(' '.join(entry) for entry in after)
    # It does not loop for ever.
    assert Everything('map', *check_entries('map', after)).changes(
        listing_of('map', result)) == []


@pytest.mark.parametrize('before, after, adds, deletions', [
    (['a', 'b'], ['b', 'a'], [], []), (['a'], ['a', 'a'], ['a'], []),
    (['a', 'a'], ['a'], [], [(2, 'a')]), (['a', 'a', 'b'], ['b'], [], ['a']),
    (['a b', 'a'], ['a'], [], ['a b']), (['a'], ['a b', ' a'], ['a b', ' a'], ['a']),
    (['#1', '#2'], ['#2'], [], [(1, '#1')]), (['10.0.0.0/8'], [], [], ['10.0.0.0/8']),
])
def test_the_steps_to_all_patterns(before, after, adds, deletions):
    """[sync]"""
    listing = listing_of('acl', before)
    steps = Steps('acl', listing, Everything('acl', *check_entries('acl', after)).changes(listing))
    assert steps.sets == []
    assert steps.adds == [(None, (pattern,)) for pattern in adds]
    assert steps.deletions == with_references(deletions)
    assert sorted(apply('acl', listing, steps, before)) == sorted(after)


def test_no_value_is_set_by_its_key_where_that_hangs():
    """[nothing that kills]"""
    listing = listing_of('map', [('a', '1')])
    changes = Everything('map', ['a'], ['2']).changes(listing)
    assert Steps('map', listing, changes, by_reference=True).sets == [('0x1', ('a', '2'))]


@pytest.mark.parametrize('keys, values, removed, exactly, expected', [
    (['a'], ['1'], [], False, []),
    # What HAProxy finds is right.
    (['a'], ['1'], [], True, [change_of('a', [(0, '1'), (2, '2')], ['1'])]),
    (['a'], ['2'], [], False, [change_of('a', [(0, '1'), (2, '2')], ['2'])]),
    (['b'], ['9'], ['a'], False, [change_of('b', [(1, '5')], ['9']),
                                  change_of('a', [(0, '1'), (2, '2')], [])]),
    ([], [], ['x'], False, []),
    (['x'], ['1'], [], False, [change_of('x', [], ['1'])]),
    (['a', 'a'], ['1', '2'], ['a'], True, []),
    # Nothing is said about the others.
    (['b'], ['5'], [], True, []),
])
def test_some_entries(keys, values, removed, exactly, expected):
    """[sync]"""
    listing = listing_of('map', [('a', '1'), ('b', '5'), ('a', '2')])
    assert Some('map', keys, values, exactly, removed).changes(listing) == expected


def test_entries_of_keys_with_blanks():
    listing = listing_of('map', [('a', 'b 1'), ('a', 'c'), ('x', 'y'), ('a', 'b 2')])
    assert list(entries_by_key(listing, {'a b', 'x'}).items()) == [
        ('a b', [(0, '1'), (3, '2')]), ('x', [(2, 'y')])]
    assert list(entries_by_key(listing, {'a'}).items()) == [
        ('a', [(0, 'b 1'), (1, 'c'), (3, 'b 2')])]


@pytest.mark.parametrize('family, entries, message', [
    ('map', 'text', 'expected many'), ('map', 5, 'expected many'), ('acl', b'x', 'expected many'),
    ('map', ['ab', 'cd'], 'entry 0: expected a pair'), ('map', [('a', '1'), ('b',)], 'entry 1'),
    ('map', [('a', '1'), ('b\n', '2')], 'entry 1: key'), ('map', [('a', 'x\r')], 'entry 0: value'),
    ('map', [('', 'x')], 'entry 0: key'), ('acl', ['a', ''], 'entry 1: pattern'),
    ('acl', ['a\nb', 'c'], 'entry 0: pattern'), ('acl', ['a', None], 'entry 1'),
    ('map', {'a': None}, 'entry 0: value'), ('acl', ['x' * 16000], 'too long'),
    ('map', [('a', '1\0')], 'entry 0: value')])
def test_what_haproxy_cannot_have(family, entries, message):
    """[argument checks]"""
    with pytest.raises(ValueError) as caught:
        check_entries(family, entries)
    assert message in str(caught.value)


def test_entries_are_as_haproxy_lists_them():
    assert check_entries('map', [(1, u'\u017e'), [b'a', 2.5], ('c', '')]) == (
        ['1', 'a', 'c'], [contents.to_native(u'\u017e'), '2.5', ''])
    assert check_entries('map', {'a': 1}) == (['a'], ['1'])
    assert check_entries('acl', iter([1, 'a'])) == (['1', 'a'], None)
    assert check_entries('acl', {'a': 1}) == (['a'], None)


def delta_between(family, before, after):
    return find_delta(None, family, 'f', check_entries(family, before),
                      check_entries(family, after))


# Addresses

@pytest.fixture
def addresses(monkeypatch):
    """Say that the ACL or map holds addresses; each question is noted."""
    asked = []
    monkeypatch.setattr(contents.patterns, 'holds_addresses',
                        lambda *args: asked.append(args) or asked.answer)

    class Asked(list):
        answer = True
    asked = Asked()
    return asked


# Each line is one network, in different ways.
SAME = [
    ('10.0.0.0/8', '10.0.0.0/255.0.0.0', '10.1.2.3/8'),
    ('192.0.2.1', '192.0.2.1/32', '192.0.2.1/255.255.255.255'),
    ('2001:db8::1', '2001:0db8:0:0::1', '2001:DB8::1/128'),
    ('2001:db8::/32', '2001:db8:1::/32'),
    ('::ffff:1.2.3.4', '::ffff:102:304'), ('0.0.0.0/0', '1.2.3.4/0', '0.0.0.0/0.0.0.0'),
]


@pytest.mark.parametrize('ways', SAME)
def test_an_address_stays_as_it_is_written(addresses, ways):
    """[sync]"""
    for old in ways:
        for new in ways:
            assert delta_between('acl', [old], [new]) == ([], [], [])
            assert delta_between('map', [(old, '1')], [(new, '2')]) == (
                [], [(old, '1', '2')], [])


def test_other_addresses_are_others(addresses):
    """[sync]"""
    ways = [each[0] for each in SAME] + ['1.2.3.4', '10.0.0.0/9', 'x', '10.0.0.0/255.0.255.0',
                                         '10.0.0.0/33', '10.0.0.0/', '::1/129', '1.2.3',
                                         to_native(u'10.0.0.0/\xb2')]
    for old in ways:
        for new in ways:
            delta = delta_between('acl', [old], [new])
            assert delta == (([], [], []) if old == new else ([new], [], [old]))
    assert not addresses


def test_texts_are_no_addresses(addresses):
    """[sync]"""
    addresses.answer = False
    assert delta_between('acl', ['10.0.0.1'], ['10.0.0.1/32']) == (
        ['10.0.0.1/32'], [], ['10.0.0.1'])
    assert addresses == [(None, 'acl', 'f')]


def test_two_ways_to_write_an_address_at_once(addresses):
    """[sync] Each is an entry of its own."""
    before = [('10.0.0.1', '1'), ('10.0.0.2', '1')]
    after = [('10.0.0.1', '1'), ('10.0.0.1/32', '2'), ('10.0.0.2/32', '1')]
    assert delta_between('map', before, after) == ([('10.0.0.1/32', '2')], [], [])


def test_two_ways_that_become_one(addresses):
    """[sync]"""
    before = [('10.0.0.1', '1'), ('10.0.0.1/32', '2')]
    delta = delta_between('map', before, [('10.0.0.1/255.255.255.255', '1')])
    kept = [pair for pair in before if pair not in delta.removed]
    assert len(kept) == 1 and not delta.added
    changed = dict((key, after) for key, _, after in delta.changed)
    assert changed.get(kept[0][0], kept[0][1]) == '1'


def test_one_way_that_becomes_two(addresses):
    """[sync]"""
    delta = delta_between('acl', ['10.0.0.1'], ['10.0.0.1/32', '10.0.0.1/255.255.255.255'])
    assert len(delta.added) - len(delta.removed) == 1


# Differences

def test_a_delta_over_processes():
    """[sync] What is the same in several processes is said once."""
    first = [change_of('a', [(0, '1')], ['2']), change_of('b', [], ['3', '4'])]
    second = [change_of('b', [], ['3', '4']), change_of('a', [(7, '0'), (8, '5')], ['2'])]
    delta = delta_of('map', [first, second])
    assert delta == ([('b', '3'), ('b', '4')], [('a', '1', '2'), ('a', '0', '2')], [('a', '5')])
    assert delta_of('acl', [[change_of('a', [], [None]), change_of('b', [(0, None)], [])]]) == (
        ['a'], [], ['b'])
    assert Delta([], [], ['x']) and not Delta([], [], [])


@pytest.mark.parametrize('before, after, expected', [
    ([('a', '1'), ('a', '2')], [('a', '1')], ([], [], [('a', '2')])),
    ([('a', '1')], [('a', '1'), ('a', '2')], ([('a', '2')], [], [])),
    ([('a', '1'), ('a', '2')], [('a', '2'), ('a', '1')], ([], [('a', '1', '2'), ('a', '2', '1')], [])),
    ([('#a', '1')], [], ([], [], [('#a', '1')])),
    ([], [], ([], [], [])),
])
def test_a_delta_of_several_entries_of_a_key(before, after, expected):
    """[sync]"""
    assert delta_between('map', before, after) == expected
