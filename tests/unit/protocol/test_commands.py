# -*- coding: utf-8 -*-
# SPDX-License-Identifier: Apache-2.0
"""protocol/commands.py: what is sent, what is refused beforehand, and how text is escaped."""
import decimal
import fractions
import itertools
import numbers
import os
import re
import subprocess
import sys
import uuid

import pytest
import six

from haproxyadmin.protocol import commands, versions, words

# Versions on either side of each change in what HAProxy accepts.
VERSIONS = [(1, 5, 8), (1, 5, 18), (1, 5, 19), (1, 6, 0), (1, 6, 8), (1, 6, 9), (1, 7, 0),
            (1, 7, 14), (1, 8, 0), (1, 8, 30), (1, 9, 0), (2, 0, 0), (2, 1, 12), (2, 2, 0),
            (2, 2, 9), (2, 4, 0), (2, 6, 12), (2, 8, 0), (3, 0, 11), (3, 2, 26), (3, 4, 0)]
NO_BACKSLASH = [version for version in VERSIONS if version < (1, 8)]
NO_SEMICOLON = [(1, 5, 8), (1, 5, 18), (1, 6, 0), (1, 6, 8)]
NO_BLANK = [(1, 9, 0), (2, 0, 0), (2, 1, 12)]
ANY = (2, 2, 9)


def words_of(line, version=ANY):
    """Split a line as HAProxy does; return its words and whether another command follows."""
    blanks = (b' ', b'\t', b'\v', b'\f', b'\r') if version < (1, 9) else (b' ', b'\t')
    words, word = [], None
    position = 0
    while position < len(line):
        character = line[position:position + 1]
        if character == b'\\':
            position += 1
            character = line[position:position + 1]
        elif character == b';':
            return words + ([word] if word is not None else []), True
        elif character in blanks:
            if word is not None:
                words.append(word)
            word = None
            position += 1
            continue
        word = (word or b'') + character
        position += 1
    return words + ([word] if word is not None else []), False


def refused(call, *args, **kwargs):
    with pytest.raises(ValueError) as caught:
        call(*args, **kwargs)
    return str(caught.value)


# Versions

@pytest.mark.parametrize('text, version', [
    ('1.5.8', (1, 5, 8)),
    ('1.5.19', (1, 5, 19)),
    ('2.2.9-2+deb11u7', (2, 2, 9)),
    ('2.4', (2, 4, 0)),
    ('3.4-dev5-e2a3c1', (3, 4, 0)),
    ('3', (3, 0, 0)),
    ('1.8.0-2.0.0-198.711', (1, 8, 0)),
    ('1.5-ss-20141031', (1, 5, 0)),
    ('', (0, 0, 0)),
])
def test_a_version_has_three_numbers(text, version):
    assert versions.parse_version(text) == version


# Text

@pytest.mark.parametrize('text, word', [
    ('plain', b'plain'),
    (u'\u017elu\u0165', b'\xc5\xbelu\xc5\xa5'),
    (b'\xff\xfe', b'\xff\xfe'),
    ('two words', b'two\\ words'),
    ('tab\tbed', b'tab\\\tbed'),
    ('a;b', b'a\\;b'),
    ('a\\b', b'a\\\\b'),
    ('<<', b'\\<\\<'),
    ('a<', b'a\\<'),
    ('already\\ escaped', b'already\\\\\\ escaped'),
    ('"quoted"', b'"quoted"'),
    ("'", b"'"),
    ('#1', b'#1'),
    (' ', b'\\ '),
    (80, b'80'),
    (-1, b'-1'),
    (2 ** 70, b'1180591620717411303424'),
])
def test_text_becomes_one_word(text, word):
    """[one word per text; UTF-8; argument checks] Numbers are written in decimal."""
    assert words.escape_word(text, ANY) == word
    if not words.is_integer(text):
        assert words_of(word) == ([text if isinstance(text, bytes) else text.encode('utf-8')],
                                  False)


@pytest.mark.parametrize('text', [
    '', b'', u'', 'a\nb', '\n', 'a\rb', 'trailing\r', 'a\0b', b'a\nb', True, False, None, ['a'],
    ('a',), {'a': 'b'}, {'a'}, bytearray(b'a'), object(), float, uuid.UUID, uuid, NotImplemented])
def test_what_is_no_word_is_refused(text):
    """[argument checks; one word per text]"""
    refused(words.escape_word, text, ANY)


class Share(float):
    """A float whose text is not a number, like a member of an enumeration of floats."""

    def __str__(self):
        return 'Share.HALF'

    __repr__ = __str__


class Serial(uuid.UUID):
    """A subclass of UUID."""


class Count(object):
    """A number type that is not built into Python, such as those of numpy."""

    def __str__(self):
        return '7 apples;'


numbers.Number.register(Count)


@pytest.mark.parametrize('value, word', [
    (1.5, b'1.5'), (-0.25, b'-0.25'), (1e300, b'1e+300'), (Share(0.5), b'0.5'),
    (float('nan'), b'nan'), (float('-inf'), b'-inf'),
    (decimal.Decimal('1.50'), b'1.50'), (decimal.Decimal('NaN'), b'NaN'),
    (fractions.Fraction(1, 3), b'1/3'), (Count(), b'7\\ apples\\;'),
    (uuid.UUID(int=5), b'00000000-0000-0000-0000-000000000005'),
    (Serial(int=6), b'00000000-0000-0000-0000-000000000006'),
])
def test_a_number_and_a_uuid_are_written_as_their_text(value, word):
    """Issue 7: 0.2.4 formatted whatever was passed."""
    assert words.escape_word(value, ANY) == word
    assert commands.patterns('add', 'map', 0, ANY, value, value) == b' '.join(
        [b'add map #0', word, word])


@pytest.mark.parametrize('kind, text', [
    ('ip_address', u'10.0.0.1'), ('ip_address', u'2001:db8::1'), ('ip_network', u'10.0.0.0/8'),
    ('ip_network', u'2001:db8::/32'), ('ip_interface', u'10.0.0.1/8'),
    ('ip_interface', u'::1/128')])
def test_an_address_of_ipaddress_is_written_as_its_text(kind, text):
    """Python 2 has no such module, and its backport is not a dependency."""
    value = getattr(pytest.importorskip('ipaddress'), kind)(text)
    assert words.escape_word(value, ANY) == text.encode('ascii')
    assert words.check_text(value) == words.encode_address(value) == text.encode('ascii')


def test_an_error_of_ipaddress_is_no_text():
    refused(words.check_text, pytest.importorskip('ipaddress').AddressValueError('x'))


@pytest.mark.parametrize('value, expected', [
    ('10.0.0.1', b'10.0.0.1'), (u'::1', b'::1'), (b'unix@/run/x', b'unix@/run/x')])
def test_an_address_is_text(value, expected):
    assert words.encode_address(value) == expected


@pytest.mark.parametrize('value', [5, 1.5, decimal.Decimal(1), True, None, ['::1'], {}])
def test_a_number_is_no_address(value):
    """[argument checks] HAProxy reads 1.5 as 1.0.0.5."""
    refused(words.encode_address, value)


def test_what_stands_for_text_is_known_without_its_module():
    """Importing these would take longer than importing haproxyadmin."""
    program = (
        'import sys; import haproxyadmin; from haproxyadmin.protocol import words\n'
        'words.escape_word("x", (2, 2, 9)); words.escape_word(5, (2, 2, 9))\n'
        'print([name for name in ("numbers", "decimal", "ipaddress", "uuid", "fractions")'
        ' if name in sys.modules])')
    shown = subprocess.check_output([sys.executable, '-S', '-c', program], env=dict(
        os.environ, PYTHONPATH=os.pathsep.join(path for path in sys.path if path)))
    assert shown.decode('ascii').strip() == '[]'


@pytest.mark.parametrize('text, versions, name', [
    ('a\\b', NO_BACKSLASH, 'a backslash'),
    ('\\', NO_BACKSLASH, 'a backslash'),
    ('a;b', NO_SEMICOLON, 'a semicolon'),
    ('a b', NO_BLANK, 'a blank'),
    ('a\tb', NO_BLANK, 'a tab'),
    ('<<', [], ''),
    ('plain', [], ''),
])
def test_what_a_version_cannot_take_is_refused(text, versions, name):
    """[one word per text]"""
    for version in VERSIONS:
        if version in versions:
            message = refused(words.escape_word, text, version)
            assert name in message and '.'.join(map(str, version)) in message
            assert repr(text) in message
        else:
            assert words_of(words.escape_word(text, version), version) == (
                [text.encode('ascii')], False)


@pytest.mark.parametrize('version', VERSIONS)
def test_every_character_is_part_of_a_word(version):
    """[one word per text]
    Up to 1.8, words are split at the characters that C's isspace() accepts, which include
    vertical tab and form feed; from 1.9 on, only at spaces and tabs (HAProxy commit abbf60710)."""
    for character in set(range(1, 256)) - {ord('\n'), ord('\r')}:
        raw = b'a' + six.int2byte(character) + b'b'
        try:
            word = words.escape_word(raw, version)
        except ValueError:
            assert raw in (b'a\\b', b'a;b', b'a b', b'a\tb')
        else:
            assert words_of(word, version) == ([raw], False)


@pytest.mark.parametrize('version', VERSIONS)
@pytest.mark.parametrize('text', ['\v', '\f', 'a\vb', '\fa', 'a\f', '\v\f'])
def test_a_vertical_tab_and_a_form_feed_are_escaped_up_to_1_8(text, version):
    raw = text.encode('ascii')
    escaped = re.sub(br'([\v\f])', br'\\\1', raw)
    assert words.escape_word(text, version) == (escaped if version < (1, 9) else raw)


def test_no_text_can_start_a_second_command_or_a_payload():
    """[one word per text] Try every text of up to four special characters."""
    for size in range(1, 5):
        for characters in itertools.product(' \t;\\<#@a', repeat=size):
            text = ''.join(characters)
            line = commands.patterns('add', 'map', 0, ANY, text, text)
            raw = text.encode('ascii')
            assert words_of(line) == ([b'add', b'map', b'#0', raw, raw], False)
            assert not line.endswith(b'<<')


@pytest.mark.parametrize('call', [
    lambda text: commands.frontend('disable', text, ANY),
    lambda text: commands.set_maxconn_frontend(text, 1, ANY),
    lambda text: commands.set_state(words.escape_server(text, 's', ANY), 'maint'),
    lambda text: commands.set_weight(words.escape_server('b', text, ANY), 1),
    lambda text: commands.shutdown_sessions(words.escape_server(text, text, ANY)),
    lambda text: commands.set_address(b'b/s', words.escape_word(text, ANY)),
    lambda text: commands.patterns('show', 'acl', text, ANY),
    lambda text: commands.patterns('get', 'acl', 4, ANY, text),
    lambda text: commands.patterns('add', 'acl', text, ANY, text),
    lambda text: commands.patterns('del', 'map', 4, ANY, text),
    lambda text: commands.patterns('set', 'map', 4, ANY, text, text),
    lambda text: commands.by_reference('set', 'map', 4, ANY, '0x1', text),
])
@pytest.mark.parametrize('text', ['x;disable frontend f', 'x y', 'x\t;y', 'x\\;y', 'x\\', 'x <<'])
def test_no_argument_can_start_a_second_command(call, text):
    """[one word per text]"""
    words, more = words_of(call(text))
    assert not more
    assert any(text.encode('ascii') in word for word in words)
    assert len(words) == len(words_of(call('x'))[0])


# Numbers

@pytest.mark.parametrize('value, expected', [
    (0, b'0'), (1, b'1'), (2147483647, b'2147483647')])
def test_a_limit_is_written_in_decimal(value, expected):
    """[argument checks]"""
    assert commands.set_maxconn_global(value) == b'set maxconn global ' + expected
    assert commands.set_maxconn_frontend('f', value, ANY) == b'set maxconn frontend f ' + expected
    for kind in ('connections', 'sessions', 'ssl-sessions'):
        assert commands.set_rate_limit(kind, value) == b' '.join(
            [b'set rate-limit', kind.encode('ascii'), b'global', expected])


class Level(int):
    """An integer whose text is not a number, like IntEnum on some Python versions."""

    def __str__(self):
        return '1;disable frontend f'

    __repr__ = __str__


@pytest.mark.parametrize('build, expected', [
    (commands.set_maxconn_global, b'set maxconn global 10'),
    (lambda value: commands.set_weight(b'b/s', value), b'set weight b/s 10'),
    (words.check_port, b'10'),
    (lambda value: commands.patterns('add', 'map', value, ANY, value, value), b'add map #10 10 10'),
    (commands.show_errors, b'show errors 10'),
])
def test_an_integer_is_written_in_decimal_whatever_its_text_is(build, expected):
    """[argument checks; one word per text] HAProxy would read 'W.LOW' as the limit 0."""
    assert build(Level(10)) == expected


@pytest.mark.parametrize('build', [
    commands.set_maxconn_global, words.check_port, commands.show_errors,
    lambda value: commands.set_weight(b'b/s', value),
    lambda value: commands.patterns('clear', 'map', value, ANY)])
def test_what_has_thousands_of_digits_is_refused_in_our_words(build):
    """[argument checks] Python itself refuses to convert such a number to or from text."""
    for value in (10 ** 5000, '9' * 5000, '9' * 5000 + '%'):
        try:
            sent = build(value)
        except ValueError as error:
            assert 'sys.set_int' not in str(error) and 'integer' in str(error)
        else:
            # It is a valid file name.
            assert sent == b'clear map ' + value.encode('ascii') and value.endswith('%')


@pytest.mark.parametrize('value', [
    -1, 2147483648, 2 ** 63, True, False, None, '5', b'5', 'abc', '', 1.0, 1.5, [5]])
def test_what_is_no_limit_is_refused(value):
    """[argument checks] HAProxy wraps large numbers, accepts negative ones, and reads text as 0."""
    for call in (commands.set_maxconn_global,
                 lambda limit: commands.set_maxconn_frontend('f', limit, ANY),
                 lambda limit: commands.set_rate_limit('sessions', limit)):
        message = refused(call, value)
        assert repr(value) in message and '2147483647' in message


@pytest.mark.parametrize('value, expected', [
    (0, b'0'), (1, b'1'), (256, b'256'), ('0%', b'0%'), ('20%', b'20%'), (u'100%', b'100%'),
    ('256%', b'256%'), (b'50%', b'50%'), ('007%', b'7%'),
])
def test_a_weight_is_a_number_or_a_percentage(value, expected):
    """[argument checks]"""
    assert commands.set_weight(b'b/s', value) == b'set weight b/s ' + expected


@pytest.mark.parametrize('value', [
    -1, 257, True, False, None, '20', '', '%', '-1%', '1.5%', 'abc', 'a%', '20%%', '20% ', '20%\n',
    ' 20%', 1.0, u'\u0662%', '99999999%', [20]])
def test_what_is_no_weight_is_refused(value):
    """[argument checks]"""
    refused(commands.set_weight, b'b/s', value)


@pytest.mark.parametrize('value, expected', [
    (0, b'0'), (80, b'80'), (65535, b'65535'), ('80', b'80'), (u'80', b'80'), (b'80', b'80'),
    ('0', b'0'), ('0080', b'80')])
def test_a_port_is_a_number_or_digits(value, expected):
    """[argument checks]"""
    assert words.check_port(value) == expected


@pytest.mark.parametrize('value', [
    -1, 65536, 70000, '70000', True, None, '', 'abc', '+1', '-1', '80 ', '80\n', 80.0, '8_0',
    u'\u0668\u0660', [80]])
def test_what_is_no_port_is_refused(value):
    """[argument checks] HAProxy reads 70000 as 4464."""
    refused(words.check_port, value)


@pytest.mark.parametrize('value, expected', [
    (1, True), (0, True), (-5, True), (2 ** 70, True), (True, False), (False, False), (1.0, False),
    ('1', False), (None, False)])
def test_a_bool_is_no_integer(value, expected):
    """[argument checks]"""
    assert words.is_integer(value) is expected


# Ids of ACLs and maps, and references

@pytest.mark.parametrize('ident, expected', [
    (0, b'#0'), (4, b'#4'), ('4', b'#4'), (u'4', b'#4'), (b'4', b'#4'), ('#4', b'#4'),
    (b'#4', b'#4'), ('007', b'#7'), ('#0', b'#0'), (2147483647, b'#2147483647'),
    ('/etc/haproxy/bl', b'/etc/haproxy/bl'), ('blocked.acl', b'blocked.acl'),
    ('my file', b'my\\ file'), (u'/\u017e', b'/\xc5\xbe'), ('4x', b'4x'), ('-1', b'-1'),
    ('0x10', b'0x10'),
])
def test_an_id_is_a_number_or_a_file(ident, expected):
    """[argument checks]"""
    assert words.check_identifier(ident, ANY) == expected
    assert commands.patterns('clear', 'map', ident, ANY) == b'clear map ' + expected


class FilePath(object):
    """A path like those of pathlib, which Python 2 does not have."""

    def __fspath__(self):
        return '/etc/haproxy/bl'


def test_an_id_may_be_a_path():
    assert words.check_identifier(FilePath(), ANY) == b'/etc/haproxy/bl'


@pytest.mark.parametrize('ident', [
    '', b'', '#', b'#', '#x', '#-1', '# 4', '#4x', '@1', '@', b'@1', u'@1', -1, True, False, None,
    1.0, 2 ** 31, '2147483648', [4], '#' + '9' * 5000, 'a\nb', u'#\u0664'])
@pytest.mark.parametrize('action', ['get', 'add', 'set', 'del', 'clear'])
def test_what_is_no_id_is_refused(action, ident):
    """[argument checks] HAProxy reads a bare # as 0, and @ as a version prefix."""
    texts = {'get': ['k'], 'add': ['k', 'v'], 'set': ['k', 'v'], 'del': ['k'], 'clear': []}
    refused(commands.patterns, action, 'map', ident, ANY, *texts[action])


@pytest.mark.parametrize('key, expected', [
    ('0x1a78ab0', '0x1a78ab0'), ('#0x1a78ab0', '0x1a78ab0'), (u'0xABC', '0xABC'),
    (b'0x1', '0x1'), ('0x', None), ('0xfg', None), ('0X1', None), ('1', None), ('/static', None),
    (' 0x1', None), ('0x1 ', None), ('0x1\n', None), (16, None), ('', None), (None, None),
])
def test_a_reference_is_0x_and_digits(key, expected):
    """[references]"""
    assert words.parse_reference(key) == expected


@pytest.mark.parametrize('key', ['#0x', '#0xfg', '#0x1 ', u'#0x\u017e'])
def test_a_broken_reference_is_refused(key):
    """[references] HAProxy would read it as a reference."""
    refused(words.parse_reference, key)


# Commands

@pytest.mark.parametrize('command, expected', [
    (commands.SHOW_INFO, b'show info'),
    (commands.SHOW_LEVEL, b'show cli level'),
    (commands.PROBE_ADMIN, b'set maxconn global'),
    (commands.show_stat(), b'show stat -1 -1 -1'),
    (commands.show_stat(3, commands.FRONTENDS), b'show stat 3 1 -1'),
    (commands.show_stat(3, commands.BACKENDS | commands.SERVERS), b'show stat 3 6 -1'),
    (commands.show_stat('3', 4, '1'), b'show stat 3 4 1'),
    (commands.show_errors(), b'show errors'),
    (commands.show_stat(3, 1, -1, marked=True), b'show stat 3+ 1 -1'),
    (commands.show_all(), b'show info;show stat -1 7 -1'),
    (commands.show_all(marked=True), b'show info;show stat -1+ 7 -1'),
    (commands.show_errors(3), b'show errors 3'),
    (commands.show_errors(3, marked=True), b'show errors 3+'),
    (commands.clear_counters(False, ANY), b'clear counters'),
    (commands.clear_counters(True, ANY), b'clear counters all'),
    (commands.frontend('enable', 'f', ANY), b'enable frontend f'),
    (commands.frontend('shutdown', 'f f', ANY), b'shutdown frontend f\\ f'),
    (words.escape_server('b', 's', ANY), b'b/s'),
    (commands.set_state(b'b/s', 'enable'), b'enable server b/s'),
    (commands.set_state(b'b/s', 'disable'), b'disable server b/s'),
    (commands.set_state(b'b/s', 'ready'), b'set server b/s state ready'),
    (commands.set_state(b'b/s', 'drain'), b'set server b/s state drain'),
    (commands.set_state(b'b/s', 'maint'), b'set server b/s state maint'),
    (commands.shutdown_sessions(b'b/s'), b'shutdown sessions server b/s'),
    (commands.set_address(b'b/s', b'::1'), b'set server b/s addr ::1'),
    (commands.set_address(b'b/s', b'::1', b'80'), b'set server b/s addr ::1 port 80'),
    (commands.patterns('show', 'acl', None, ANY), b'show acl'),
    (commands.patterns('show', 'map', 0, ANY), b'show map #0'),
    (commands.patterns('get', 'acl', 4, ANY, '/x'), b'get acl #4 /x'),
    (commands.patterns('add', 'map', 'f', ANY, 'k', 'two words'), b'add map f k two\\ words'),
    (commands.patterns('add', 'map', 0, ANY, 1, 2), b'add map #0 1 2'),
    (commands.patterns('del', 'acl', 4, ANY, '#7'), b'del acl #4 #7'),
    (commands.by_reference('del', 'acl', 4, ANY, '0x1a'), b'del acl #4 #0x1a'),
    (commands.by_reference('set', 'map', 4, ANY, '0x1a', 'v v'), b'set map #4 #0x1a v\\ v'),
])
def test_what_is_sent(command, expected):
    assert command == expected


@pytest.mark.parametrize('state', ['ready', u'ready', b'ready'])
def test_a_state_is_text(state):
    """[UTF-8]"""
    assert commands.set_state(b'b/s', state) == b'set server b/s state ready'


@pytest.mark.parametrize('state', ['up', '', None, 'READY', 'ready;', 1, ['ready']])
def test_what_is_no_state_is_refused(state):
    """[argument checks]"""
    message = refused(commands.set_state, b'b/s', state)
    assert 'enable, disable, maint, drain, ready' in message and repr(state) in message


@pytest.mark.parametrize('iid', [True, '3', -1, 1.0, 'all'])
def test_what_is_no_proxy_id_is_refused(iid):
    """[argument checks]"""
    refused(commands.show_errors, iid)


@pytest.mark.parametrize('value, expected', [
    (-1, -1), ('-1', -1), (0, 0), (7, 7), ('7', 7), (u'7', 7), (b'7', 7)])
def test_a_row_is_asked_for_by_its_id_or_by_minus_1(value, expected):
    assert words.check_row_id(value) == expected


@pytest.mark.parametrize('value', [
    None, True, -2, '-2', 1.5, float('inf'), float('nan'), 10 ** 20, '9' * 5000, '', 'x', '1;x', []])
def test_what_is_no_id_of_a_row_is_refused(value):
    refused(words.check_row_id, value)


@pytest.mark.parametrize('arguments', [('x', 1, -1), (1, 'x', -1), (1, 1, '1;x')])
def test_what_is_no_filter_is_refused(arguments):
    refused(commands.show_stat, *arguments)


def test_the_lookup_that_crashes_1_7_0_is_refused():
    """[one word per text]"""
    assert '1.7.0' in refused(commands.patterns, 'get', 'acl', 4, (1, 7, 0), 'x')
    assert commands.patterns('get', 'acl', 4, (1, 7, 1), 'x') == b'get acl #4 x'
    assert commands.patterns('get', 'map', 4, (1, 7, 0), 'x') == b'get map #4 x'


def test_the_states_are_those_documented():
    """[documented names]"""
    assert sorted(commands.VALID_STATES) == ['disable', 'drain', 'enable', 'maint', 'ready']


# Lengths

def test_a_line_is_at_most_15360_bytes_with_its_newline():
    """[one word per text] Longer lines hang 2.0 to 2.6, and block the socket for later callers."""
    assert words.MAX_LINE == 15360
    room = 15359 - len(b'add acl #4 ')
    assert len(commands.patterns('add', 'acl', 4, ANY, 'x' * room)) == 15359
    assert '15360 bytes' in refused(commands.patterns, 'add', 'acl', 4, ANY, 'x' * (room + 1))
    # An escaped character counts as two.
    refused(commands.patterns, 'add', 'acl', 4, ANY, ';' * (room // 2 + 1))


def test_a_command_of_the_caller_is_as_long_at_most():
    assert len(commands.check_raw('x' * 15359)) == 15359
    refused(commands.check_raw, 'x' * 15360)
    head = 'set ssl cert f <<\n'
    # The payload's own newline is one of the two at the end.
    assert len(commands.check_raw(head + 'x' * (15358 - len(head)))) == 15359
    refused(commands.check_raw, head + 'x' * (15359 - len(head)))


# Commands from the caller

@pytest.mark.parametrize('command, sent', [
    ('show info', b'show info'),
    (u'show info', b'show info'),
    (b'show info', b'show info'),
    ('show info\n', b'show info'),
    ('show info\n\n', b'show info'),
    ('  show  info ', b'  show  info '),
    ('show info;show stat', b'show info;show stat'),
    ('add acl #4 a\\ b\\;c', b'add acl #4 a\\ b\\;c'),
    (u'add acl #4 /\u017e', b'add acl #4 /\xc5\xbe'),
    (b'add acl #4 /\xff', b'add acl #4 /\xff'),
    ('add map #0 <<\nk v', b'add map #0 <<\nk v\n'),
    ('add map #0 <<\nk v\n', b'add map #0 <<\nk v\n'),
    ('add map #0 <<\nk v\nk2 v 2\n\n', b'add map #0 <<\nk v\nk2 v 2\n'),
    ('add map #0 <<\n k v\r\nx\\y;z', b'add map #0 <<\n k v\r\nx\\y;z\n'),
    ('add acl #4 a<\\<', b'add acl #4 a<\\<'),
    ('x ' * 63 + 'x', b'x ' * 63 + b'x'),
    ('x ' * 40 + ';' + 'x ' * 40, b'x ' * 40 + b';' + b'x ' * 40),
    ('@1 show info', b'@1 show info'),
])
def test_a_command_of_the_caller_is_sent_as_it_is(command, sent):
    """[one word per text]"""
    assert commands.check_raw(command) == sent


@pytest.mark.parametrize('command', [
    '', ' ', '\n', '\n\n', b'', None, 5, True, ['show info'],
    'show info\nshow stat', 'show info\n\nx', '\nshow info',
    'add map #0<<\nk v', 'add map #0 << \nk v',
    'add map #0 <<', 'add map #0 <<\n', 'add acl #4 a<<', 'add acl #4 <<',
    'add map #0 <<\nk v\n\ndisable frontend f', 'add map #0 <<\n\nk v',
    'add map #0 <<\nk v\n\r\ndisable frontend f', 'add map #0 <<\n\r\nk v',
    'show\0info', 'show info\0', 'add map #0 <<\nk\0v', 'show info\r', 'show\rinfo',
    'x ' * 64 + 'x', 'show info;' + 'x ' * 64 + 'x',
    'x ' * 40 + '\\;' + ' x' * 40,
])
def test_what_would_harm_haproxy_is_refused(command):
    """[one word per text]
    Two lines, an empty line within a payload, a missing payload, NUL, too many words."""
    refused(commands.check_raw, command)


@pytest.mark.parametrize('command, shown', [
    (b'del map #0 k', 'del map #0 k'),
    (u'del map #0 \u017e'.encode('utf-8'), six.ensure_str(u'del map #0 \u017e')),
    (b'add map #0 <<\nkey value\n', 'add map #0 <<'),
    (b'set ssl cert a.pem <<\n-----BEGIN PRIVATE KEY-----\nMIIE\n', 'set ssl cert a.pem <<'),
    (b'set ssl tls-key #0 c2VjcmV0', 'set ssl tls-key #0 ...'),
    (b'show info; set  ssl tls-key\ta.keys  c2VjcmV0;show info',
     'show info; set  ssl tls-key\ta.keys  ...;show info'),
    (b'set ssl tls-key my\\ file c2Vj\\;cmV0\\ x', 'set ssl tls-key my\\ file ...'),
    (b'set ssl tls-key #0', 'set ssl tls-key #0'),
    (b'add map #0 set ssl', 'add map #0 set ssl'),
])
def test_a_command_is_shown_without_secrets(command, shown):
    """[secrets]"""
    assert commands.describe_line(command) == shown


@pytest.mark.parametrize('command, reads', [
    (b'show info', True),
    (b' show info', True),
    (b'show info;show stat', True),
    (b'show info ; show stat -1 4 -1', True),
    (b'clear counters', False),
    (b'show info;clear counters', False),
    (b'clear counters;show info', False),
    (b'add acl #4 show ', False),
    (b'show', False),
    (b'get map #0 x', False),
    (b'showinfo', False),
])
def test_only_what_shows_may_be_sent_twice(command, reads):
    """[retries]"""
    assert commands.only_shows(command) is reads


def test_the_pattern_of_a_word_is_that_of_the_facts():
    """Space, tab, semicolon, backslash and less-than are escaped, and nothing else."""
    every = bytes(bytearray(range(1, 256))).replace(b'\n', b'').replace(b'\r', b'')
    escaped = set(re.findall(br'\\(.)', words.escape_word(every, ANY).replace(b'\\\\', b'', 1)))
    assert escaped == {b' ', b'\t', b';', b'<'}
    assert len(words.escape_word(every, ANY)) == len(every) + 5


@pytest.mark.parametrize('command, seconds', [
    (b'wait 3s srv-removable b/s', 3), (b'wait 3000', 3), (b'wait 1500ms', 1.5), (b'wait 2m', 120),
    (b'wait 1h;wait 1d', 90000), (b'wait 500us', 0.0005), (b'show info;wait 2s;show info', 2),
    (b' wait  2s ; wait 3s', 5), (b'show info', 0), (b'add map #0 wait 3s', 0), (b'wait', 0),
    (b'wait 3x', 0), (b'wait -h', 0), (b'set server b/wait 3s state maint', 0),
])
def test_how_long_a_line_makes_haproxy_wait(command, seconds):
    assert commands.seconds_waited(command) == pytest.approx(seconds)


@pytest.mark.parametrize('command, expected', [
    (b'prompt', True), (b'show info; prompt', True), (b'prompt i', True),
    (b'show proc', True), (b'reload', True), (b'hard-reload', True), (b'@1 show info', True),
    (b'show process', False), (b'add map #0 @1 x', False),
    (b'show events buf0 -w', True), (b'show events buf0 -nw', True), (b'show events buf0', False),
    (b'show info', False), (b'wait 3s', False), (b'add map #0 prompt x', False),
])
def test_what_haproxy_goes_on_with(command, expected):
    assert commands.is_open_ended(command) is expected
