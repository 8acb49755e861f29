# -*- coding: utf-8 -*-
# SPDX-License-Identifier: Apache-2.0
"""parsers/lines.py: replies as lines."""
import pytest

from haproxyadmin.parsers.lines import split_lines
from haproxyadmin.protocol import words

# Text


@pytest.mark.parametrize('reply, lines', [
    (b'', []), (b'\n', []), (b'\n\n', []), (b'a\n\n', ['a']), (b'\na\nb\n\n', ['a', 'b']),
    (b'a\n\nb\n\n', ['a', '', 'b']), (b' a \n', [' a ']),
])
def test_a_reply_is_lines(reply, lines):
    assert split_lines(reply) == lines


@pytest.mark.parametrize('raw', [b'/\xc5\xbelu\xc5\xa5', b'\xff\xfe', b'\xed\xb2\x80'])
def test_any_bytes_survive_a_round_trip(raw):
    """[UTF-8]"""
    line, = split_lines(raw + b'\n\n')
    assert isinstance(line, str)
    assert words.escape_word(line, (2, 2, 9)) == raw
