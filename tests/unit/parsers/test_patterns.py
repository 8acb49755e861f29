# SPDX-License-Identifier: Apache-2.0
"""parsers/patterns.py and errors.py: listings of ACLs and maps, lookups, error reports."""
import random

import pytest

from haproxyadmin.exceptions import CommandFailed
from haproxyadmin.parsers import errors, patterns
from haproxyadmin.protocol.replies import Malformed
from haproxyadmin.testing import texts
from tests.support import captured

LISTED = ['# id (file) description', "0 (/f) pattern loaded from file '/f' used by map"]
FOUND = ['type=str, case=sensitive, found=yes, idx=tree, key="11", value="v", type="str"']
REPORT = ['Total events captured on [22/Nov/2026:06:56:23.273] : 0']


@pytest.mark.parametrize('parse, lines, expected', [
    (patterns.parse_list, LISTED, LISTED),
    (patterns.parse_list, LISTED[:1], LISTED[:1]),
    (patterns.parse_entries, [], []),
    (patterns.parse_entries, ['0x1a k v', '0x2b k2 v2'], ['0x1a k v', '0x2b k2 v2']),
    # An entry that a request has stored, with newlines in it.
    (patterns.parse_entries, ['0x1a k v', 'w', '', '0x2b k2 v2'],
     ['0x1a k v\nw\n', '0x2b k2 v2']),
    (patterns.parse_match, FOUND, FOUND[0]),
    (errors.parse_errors, REPORT, REPORT),
])
def test_a_reply_is_parsed(parse, lines, expected):
    assert parse(lines) == expected


@pytest.mark.parametrize('parse', [
    patterns.parse_list, patterns.parse_entries, patterns.parse_match, errors.parse_errors])
@pytest.mark.parametrize('line, kind', [
    ('Unknown ACL identifier. Please use #<id> or <file>.', CommandFailed),
    ('[3]: Missing key.', CommandFailed),
    ('<html>', Malformed), ('0 k', Malformed)])
def test_a_refusal_and_garbage_are_errors(parse, line, kind):
    """[errors are not data]"""
    with pytest.raises(kind) as caught:
        parse([line])
    assert line in str(caught.value)


def test_nothing_is_a_refusal_but_of_entries():
    """1.7.0 answers a lookup in a map with nothing."""
    for parse in (patterns.parse_list, patterns.parse_match, errors.parse_errors):
        with pytest.raises(CommandFailed):
            parse([])


@pytest.mark.parametrize('family, texts, found, keys', [
    ('map', ['0x1A'], {0x1a: 'k v w'}, set()),
    ('map', ['#0x1a'], {0x1a: 'k v w'}, set()),
    ('map', ['0xff'], {}, {'0xff'}),
    ('map', ['0xdd', '0x1a'], {0x1a: 'k v w'}, set()),
    ('acl', ['0xff'], {}, set()),
    ('acl', ['0xcc'], {}, {'0xcc'}),
])
def test_references_are_found_and_so_are_keys_that_look_like_one(family, texts, found, keys):
    """[references]"""
    entries = ['0x1a k v w', '0x2b 0xff x', '0x3c 0xcc']
    assert patterns.find_entries(family, texts, entries) == (found, keys)


@pytest.mark.parametrize('family', ['acl', 'map'])
@pytest.mark.parametrize('version', captured.VERSIONS)
def test_the_list_of_each_version(version, family):
    lines = texts.text(captured.dump(version, family + '.txt')).strip('\n').split('\n')
    index = patterns.parse_index(lines)
    assert len(index) == len(lines) - 1 > 0
    for listed, line in zip(index, lines[1:]):
        assert line.startswith('{0.id} ({0.file}) {0.description}'.format(listed))
        versions = (listed.current_version, listed.next_version)
        if versions == (None, None):
            assert 'curr_ver' not in line
        else:
            assert ' curr_ver={0} next_ver={1}'.format(*versions) in line
        # So that it is not taken for a part of the name.
        assert 'file' in listed.description and 'curr_ver' not in listed.description
        assert patterns.name_of(listed) == (listed.file or '#{0}'.format(listed.id))
    has_versions = tuple(map(int, version.split('.')[:2])) >= (2, 4)
    assert all((listed.next_version is not None) == has_versions for listed in index)


LOADED = "pattern loaded from file '{0}' used by map at file '/etc/h (1).cfg' line 3"


@pytest.mark.parametrize('line, expected', [
    ('3 (/a) (b).map) ' + LOADED.format('/a) (b).map'),
     (3, '/a) (b).map', LOADED.format('/a) (b).map'), None, None)),
    ('3 (()) ' + LOADED.format('()') + '. curr_ver=0 next_ver=12',
     (3, '()', LOADED.format('()'), 0, 12)),
    ('12 (virt@f) ' + LOADED.format('virt@f') + '. curr_ver=7 next_ver=7 entry_cnt=100',
     (12, 'virt@f', LOADED.format('virt@f'), 7, 7)),
    ("0 () acl 'a(b' file '/etc/h (1).cfg' line 5. curr_ver=1 next_ver=2 entry_cnt=0",
     (0, '', "acl 'a(b' file '/etc/h (1).cfg' line 5", 1, 2)),
    ("-1 (/f) pattern loaded from file '/f' used by acl at file '/c' line 1",
     (-1, '/f', "pattern loaded from file '/f' used by acl at file '/c' line 1", None, None)),
    # A file may be called like this.
    ('1 (/f. curr_ver=1 next_ver=2) ' + LOADED.format('/f. curr_ver=1 next_ver=2'),
     (1, '/f. curr_ver=1 next_ver=2', LOADED.format('/f. curr_ver=1 next_ver=2'), None, None)),
])
def test_a_name_with_parentheses(line, expected):
    assert patterns.parse_index([patterns.HEADING, line]) == [expected]


@pytest.mark.parametrize('line', ['', '0', '0 /f', 'x (/f) y', '0 (/f)', '<html>'])
def test_garbage_is_no_acl(line):
    """[errors are not data]"""
    with pytest.raises(Malformed):
        patterns.parse_index([patterns.HEADING, line])


ANSWER = 'type={0}, case=sensitive, found={1}, idx=tree, key="{2}", value="{3}", type="str"'
NOTHING = 'type={0}, case=sensitive, found=no'


@pytest.mark.parametrize('lines, expected', [
    (FOUND, (True, 'str', 'sensitive', 'tree', '11', 'v', 'str')),
    ([NOTHING.format('str')], (False, 'str', 'sensitive', None, None, None, None)),
    (['type=ip, case=sensitive, match=yes, idx=tree, pattern="10.0.0.0/8"'],
     (True, 'ip', 'sensitive', 'tree', '10.0.0.0/8', None, None)),
    ([ANSWER.format('str', 'yes', 'a", value="b', 'c", type="ip')],
     (True, 'str', 'sensitive', 'tree', 'a', 'b", value="c", type="ip', 'str')),
    # Used in several ways; the first one that finds something counts.
    ([NOTHING.format('reg'), FOUND[0], ANSWER.format('ip', 'yes', 'x', 'y')],
     (True, 'str', 'sensitive', 'tree', '11', 'v', 'str')),
    ([NOTHING.format('reg'), NOTHING.format('ip')],
     (False, 'reg', 'sensitive', None, None, None, None)),
])
def test_a_lookup(lines, expected):
    match = patterns.parse_lookup(lines)
    assert match == expected and bool(match) is match.found is expected[0]


def test_no_answer_of_any_version_is_misread():
    for case in captured.replies(command_prefix='get '):
        lines = case['reply'].strip('\n').split('\n')
        if not lines[0].startswith('type='):
            continue
        match = patterns.parse_lookup(lines)
        assert match.found == any(yes in case['reply'] for yes in ('found=yes', 'match=yes'))
        assert (match.key is not None) == match.found
        if case['command'].startswith('get acl'):
            assert match.value is match.value_type is None


# Listings, each with its entries; those of a map, and those of an ACL.
LISTINGS = [
    ('', [], []),
    ('0x1 a b', [('a', 'b')], ['a b']),
    ('0x1 a b\n0x2 a c\n0x3 a b', [('a', 'b'), ('a', 'c'), ('a', 'b')], ['a b', 'a c', 'a b']),
    ('0x1 a ', [('a', '')], ['a ']),
    ('0x1 a', [('a', '')], ['a']),
    ('0x1 a \n0x2 b c  d', [('a', ''), ('b', 'c  d')], ['a ', 'b c  d']),
    # A newline that a request has stored, and what looks like another entry.
    ('0x1 a b\nc\n0x2 d e', [('a', 'b\nc'), ('d', 'e')], ['a b\nc', 'd e']),
    ('0x1 a b\n0xno\n0x2 d e', [('a', 'b\n0xno'), ('d', 'e')], ['a b\n0xno', 'd e']),
    ('0x1 a b\n\n0x2 d e', [('a', 'b\n'), ('d', 'e')], ['a b\n', 'd e']),
    # As many words as ordinary entries have, but not in the same places.
    ('0x1 a\n0x2 b c d', [('a', ''), ('b', 'c d')], ['a', 'b c d']),
    ('0x1 0x2 0x3\n0x4 0x5 0x6', [('0x2', '0x3'), ('0x5', '0x6')], ['0x2 0x3', '0x5 0x6']),
    ('0x1 0x7\n0x2 0x3 0x4 0x5', [('0x7', ''), ('0x3', '0x4 0x5')], ['0x7', '0x3 0x4 0x5']),
    ('0x1 a\n0x2 0x3 b c', [('a', ''), ('0x3', 'b c')], ['a', '0x3 b c']),
    ('0x1 a b c\n0x2 d', [('a', 'b c'), ('d', '')], ['a b c', 'd']),
    ('0x1 # \\;', [('#', '\\;')], ['# \\;']),
]


@pytest.mark.parametrize('text, pairs, whole', LISTINGS)
def test_a_listing_has_the_same_entries_however_it_is_read(text, pairs, whole):
    for end in ('', '\n\n'):
        listing = patterns.Listing('map', text + end)
        assert list(zip(*listing.columns)) == pairs and len(listing) == len(pairs)
        listing = patterns.Listing('acl', text + end)
        assert listing.columns == (whole, None) and len(listing) == len(whole)
        lines = patterns.parse_entries(text.split('\n') if text else [])
        for place, line in enumerate(lines):
            assert listing.reference(place) == line.partition(' ')[0]
        assert listing == patterns.Listing('acl', text.replace('0x1 ', '0x9 '))
        assert listing != patterns.Listing('acl', text + '\n0xa z' if text else '0xa z')


@pytest.mark.parametrize('family', ['acl', 'map'])
def test_random_listings(family):
    """[errors are not data] The fast way finds what the slow way finds."""
    chance = random.Random(12)
    for _ in range(3000):
        lines = ['0x{0:x} '.format(chance.randrange(64)) + ''.join(
            chance.choice(['a', ' ', '0x', '\n', 'b', '#']) for _ in range(chance.randrange(5)))
            for _ in range(chance.randrange(1, 4))]
        text = '\n'.join(lines).strip('\n')
        fast = patterns.Listing(family, text)
        slow = [entry.partition(' ')[2] for entry in patterns.parse_entries(text.split('\n'))]
        assert len(fast) == len(slow)
        if family == 'map':
            slow = [entry.partition(' ')[::2] for entry in slow]
            assert list(zip(*fast.columns)) == slow, text
        else:
            assert fast.columns[0] == slow, text


def test_a_listing_that_is_a_refusal():
    """[errors are not data]"""
    with pytest.raises(CommandFailed):
        patterns.Listing('map', 'Unknown map identifier. Please use #<id> or <file>.\n\n')
    with pytest.raises(Malformed):
        patterns.Listing('map', '<html>\n0x1 a b\n')


@pytest.mark.parametrize('version', captured.VERSIONS)
def test_the_listings_of_each_version(version):
    """[errors are not data]"""
    for family, name in [('acl', 'acl_4.txt'), ('map', 'map_7.txt')]:
        text = texts.text(captured.dump(version, name))
        lines = text.strip('\n').split('\n')
        listing = patterns.Listing(family, text)
        assert len(listing) == len(lines)
        assert [listing.reference(place) for place in range(len(lines))] == [
            line.split(' ')[0] for line in lines]
        keys, values = listing.columns
        joined = keys if values is None else map(' '.join, zip(keys, values))
        assert list(joined) == [line.split(' ', 1)[1] for line in lines]


def test_kinds():
    assert patterns.parse_kinds(NOTHING.format('ip') + '\n' + FOUND[0]) == [
        ('ip', 'sensitive'), ('str', 'sensitive')]
    assert patterns.parse_kinds('') == []


def test_prepared():
    assert patterns.parse_prepared('New version created: 12') == 12
    with pytest.raises(CommandFailed):
        patterns.parse_prepared('Unknown map identifier. Please use #<id> or <file>.')


@pytest.mark.parametrize('value', ['w\n0xyz evil blue', 'v\n0xyz', 'end\n', 'a\nb', 'x\n\n'])
def test_an_entry_that_contains_newlines_is_one(value):
    """A request may have stored it; what only looks like an entry is not one."""
    listing = patterns.Listing('map', '0x1 k v\n0x2 k2 {0}\n\n'.format(value))
    assert listing.columns == (['k', 'k2'], ['v', value])


def test_a_lookup_of_a_value_with_newlines():
    found = patterns.parse_lookup([
        'type=str, case=sensitive, found=yes, idx=tree, key="k", value="v', 'type=w", type="str"'])
    assert found.value == 'v\ntype=w' and found.value_type == 'str'
