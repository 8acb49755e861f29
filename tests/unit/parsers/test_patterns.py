# SPDX-License-Identifier: Apache-2.0
"""parsers/patterns.py and errors.py: listings of ACLs and maps, lookups, error reports."""
import pytest

from haproxyadmin.exceptions import CommandFailed
from haproxyadmin.parsers import errors, patterns
from haproxyadmin.protocol.replies import Malformed

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
