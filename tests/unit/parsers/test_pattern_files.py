# -*- coding: utf-8 -*-
# SPDX-License-Identifier: Apache-2.0
"""parsers/pattern_files.py: the files that HAProxy loads ACLs and maps from."""
import io
import itertools
import random

import pytest
import six

from haproxyadmin.parsers.pattern_files import LONGEST_LINE, format_file, parse_file
from haproxyadmin.testing.texts import text

ALPHABET = [b'#', b' ', b'\t', b'a', b'\\', b';', b'"', b'\v', b'\f', b'\x85', b'\xff',
            b'\xc5\xbe', b'\xef\xbb\xbf']


def parse(family, content):
    return list(parse_file(family, io.BytesIO(content)))


def write(family, entries):
    return b''.join(format_file(family, entries))


@pytest.mark.parametrize('content, patterns', [
    (b'', []),
    (b'/a\n/b\n', [b'/a', b'/b']),
    (b'/b\n/a\n/b\n', [b'/b', b'/a', b'/b']),
    (b'no newline', [b'no newline']),
    (b'#comment\n# comment\n#\nx\n', [b'x']),
    (b' #kept\n\t#kept\nx#kept\n', [b'#kept', b'#kept', b'x#kept']),
    (b'  \t leading\n', [b'leading']),
    (b'a b  c\td \t\n', [b'a b  c\td \t']),
    (b'\n\n \n\t \t\nx\n\n', [b'x']),
    (b'\r\n \r\nx\r\ny \r\n', [b'x', b'y ']),
    (b'a\rb\n\rc\n \rd\n', [b'a']),
    (b'a\0b\n\0c\n \0d\ne\n', [b'a', b'e']),
    (b'\vx\f\n\x85\n', [b'\vx\f', b'\x85']),
    (b'\\ "q" \'s\' $x;\n', [b'\\ "q" \'s\' $x;']),
    (b'\xc5\xbelu\xc5\xa5\n\xff\xfe\n', [b'\xc5\xbelu\xc5\xa5', b'\xff\xfe']),
    (b'\xef\xbb\xbf#no comment\n', [b'\xef\xbb\xbf#no comment']),
])
def test_an_acl(content, patterns):
    found = parse('acl', content)
    assert found == [text(pattern) for pattern in patterns]
    assert all(type(pattern) is str for pattern in found)


@pytest.mark.parametrize('content, pairs', [
    (b'', []),
    (b'a 1\nb 2\n', [(b'a', b'1'), (b'b', b'2')]),
    (b'b 1\na 2\nb 3\n', [(b'b', b'1'), (b'a', b'2'), (b'b', b'3')]),
    (b'no newline', [(b'no', b'newline')]),
    (b'#comment\n# comment\n#\nx y\n', [(b'x', b'y')]),
    (b' #k #v\n\t#k\n', [(b'#k', b'#v'), (b'#k', b'')]),
    (b' \t k \t v  w\tx \t \n', [(b'k', b'v  w\tx')]),
    (b'k\nk \nk\t\t\n', [(b'k', b'')] * 3),
    (b'\n \n\t\nk v\n\n', [(b'k', b'v')]),
    (b'\r\n \r\nk v\r\nl\r\nm w \r\n', [(b'k', b'v'), (b'l', b''), (b'm', b'w')]),
    (b'k\rv w\nl v\rw\nm \rv\n\rn\n', [(b'k', b''), (b'l', b'v'), (b'm', b'')]),
    (b'k\0v w\nl v\0w\nm \0v\n\0n\n', [(b'k', b''), (b'l', b'v'), (b'm', b'')]),
    (b'k\vl\f v\v \f\n', [(b'k\vl\f', b'v\v \f')]),
    (b'k\\ v\\ w "q"\n', [(b'k\\', b'v\\ w "q"')]),
    (b'\xc5\xbe \xc5\xa5\n\xff \xfe\n', [(b'\xc5\xbe', b'\xc5\xa5'), (b'\xff', b'\xfe')]),
    (b'\xef\xbb\xbf# v\n', [(b'\xef\xbb\xbf#', b'v')]),
])
def test_a_map(content, pairs):
    found = parse('map', content)
    assert found == [(text(key), text(value)) for key, value in pairs]
    assert all(type(part) is str for pair in found for part in pair)


@pytest.mark.parametrize('end', [b'', b'\n', b'\r\n'])
def test_the_longest_line(end):
    longest = b'k ' + b'x' * (LONGEST_LINE - 2)
    assert parse('acl', longest + end) == [text(longest)]
    assert parse('map', longest + end) == [('k', 'x' * (LONGEST_LINE - 2))]
    assert parse('acl', b'#' + longest[1:] + (end or b'\n') + b'x\n') == ['x']
    assert write('acl', [longest]) == write('map', [('k', longest[2:])]) == longest + b'\n'


@pytest.mark.parametrize('family', ['acl', 'map'])
@pytest.mark.parametrize('start', [b'x', b'# a comment ', b' ', b'x\0', b'x\r'])
def test_a_line_that_is_split(family, start):
    """HAProxy would take the rest of a comment for an entry."""
    content = b'one\n\n#three\n' + start.ljust(LONGEST_LINE) + b'x\nfive\n'
    found = parse_file(family, io.BytesIO(content))
    assert next(found)[:3] in ('one', ('one', ''))
    with pytest.raises(ValueError) as caught:
        next(found)
    assert 'line 4 is too long' in str(caught.value)


@pytest.mark.parametrize('family', ['acl', 'map'])
def test_a_file_is_a_stream(family):
    assert len(list(itertools.islice(parse_file(family, itertools.repeat(b'x y\n')), 9))) == 9
    parts = format_file(family, itertools.repeat('xy'))
    assert 1000 < len(next(parts)) < 100000
    assert next(parts)


def test_what_is_written():
    assert list(format_file('acl', [])) == list(format_file('map', {}.items())) == []
    assert write('acl', iter(['a b ', u'\u017e', b'\xff', '#x'])) == (
        b'a b \n\xc5\xbe\n\xff\n #x\n')
    assert write('map', iter([('a', 'b  c'), (u'\u017e', b'\xff'), ('#x', '#y'), ['k', '']])) == (
        b'a b  c\n\xc5\xbe \xff\n #x #y\nk\n')
    assert write('acl', [text(b'\xff\xc5')]) == b'\xff\xc5\n'


def test_what_was_written_is_read():
    chance = random.Random(12)
    acl, pairs = [], []
    for _ in range(5000):
        words = [b''.join(chance.choice(ALPHABET) for _ in range(chance.randint(1, 6)))
                 for _ in range(3)]
        key = words[0].replace(b' ', b'').replace(b'\t', b'') or b'#'
        pairs.append((text(key), text(words[1].strip(b' \t'))))
        acl.append(text(words[2].lstrip(b' \t') or b'#'))
    for family, entries in [('acl', acl), ('map', pairs)]:
        parts = list(format_file(family, entries))
        assert parse(family, b''.join(parts)) == entries
        assert 1 < len(parts) < 10


@pytest.mark.parametrize('pattern', [
    '', ' x', '\tx', ' ', ' #x', 'a\nb', 'x\n', '\n', 'a\rb', 'x\r', 'a\0b', 'x\0',
    u'\u017e\n', b'\xff\n'])
def test_a_pattern_that_does_not_fit(pattern):
    with pytest.raises(ValueError) as caught:
        write('acl', ['x', pattern])
    assert repr(pattern) in str(caught.value)


@pytest.mark.parametrize('pair', [
    ('', 'v'), ('a b', 'v'), ('a\tb', 'v'), (' k', 'v'), ('k ', 'v'), ('k\n', 'v'), ('k\r', 'v'),
    ('k\0', 'v'), ('k', ' v'), ('k', '\tv'), ('k', 'v '), ('k', 'v\t'), ('k', ' '), ('k', 'v\nw'),
    ('k', 'v\n'), ('k', '\n'), ('k', 'v\r'), ('k', 'v\0'), (u'\u017e \u017e', 'v'), ('k', None),
    (1, 'v')])
def test_a_pair_that_does_not_fit(pair):
    with pytest.raises(ValueError) as caught:
        write('map', [('a', 'b'), pair])
    assert any(repr(part) in str(caught.value) for part in pair)


@pytest.mark.parametrize('family, entry', [
    ('acl', 'x' * (LONGEST_LINE + 1)), ('acl', '#' * LONGEST_LINE),
    ('map', ('k', 'x' * (LONGEST_LINE - 1))), ('map', ('#', 'x' * (LONGEST_LINE - 2)))])
def test_an_entry_that_is_too_long(family, entry):
    with pytest.raises(ValueError) as caught:
        write(family, [entry])
    assert ' {0} bytes is too long'.format(LONGEST_LINE + 1) in str(caught.value)
    assert repr(entry)[:100] in str(caught.value)
    assert len(str(caught.value)) < 400


@pytest.mark.skipif(six.PY2, reason='Python 2 encodes any surrogate')
def test_text_that_cannot_be_encoded():
    with pytest.raises(ValueError) as caught:
        write('map', [('k', '\ud800')])
    assert str(caught.value) == "a value in a file must be text, got '\\ud800'"


def test_earlier_parts_are_yielded_before_an_error():
    parts = format_file('acl', ['x'] * 1500 + [''])
    assert next(parts) == b'x\n' * 1000
    with pytest.raises(ValueError):
        next(parts)
