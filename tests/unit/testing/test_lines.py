# SPDX-License-Identifier: Apache-2.0
"""testing/lines.py: the words of a line of a configuration."""
import pytest

from haproxyadmin.testing import lines


@pytest.mark.parametrize('line, words', [
    ('', []),
    ('  # a comment', []),
    ('bind :80 # a comment', ['bind', ':80']),
    ('\tbind\t:80#a comment', ['bind', ':80']),
    ('a "b c" d', ['a', 'b c', 'd']),
    ("a 'b # \\ c' d", ['a', 'b # \\ c', 'd']),
    ('a b\\ c\\#d\\\\', ['a', 'b c#d\\']),
    ('a "b\\"c" \'d"e\'', ['a', 'b"c', 'd"e']),
    ('a "" b', ['a', '', 'b']),
    ('a"b c"d', ['ab cd']),
    ('a \\t\\x41\\.\\xzz \\', ['a', '\tA\\.\\xzz', '\\']),
    ('a "b c', ['a', 'b c']),
])
def test_words_are_those_of_haproxy(line, words):
    assert [word.text for word in lines.words_of(line)[0]] == words


def test_a_word_stands_where_its_quotes_do():
    line = ' a "b c" d'
    assert [line[word.start:word.end] for word in lines.words_of(line)[0]] == ['a', '"b c"', 'd']


@pytest.mark.parametrize('line, words', [
    ('${NAMED} "${NAMED}" "$NAMED-x" "${UNSET}"', ['${NAMED}', 'value', 'value-x', '']),
    ('a "$" \'$NAMED\' "\\$NAMED"', ['a', '$', '$NAMED', '$NAMED']),
])
def test_variables_count_between_double_quotes(line, words):
    assert [word.text for word in lines.words_of(line, {'NAMED': 'value'})[0]] == words


@pytest.mark.parametrize('line, quote', [('a "b', '"'), ("a 'b", "'"), ('a "b"', ''), ('a # "b', '')])
def test_a_quote_that_has_no_end(line, quote):
    assert lines.words_of(line)[1] == quote
