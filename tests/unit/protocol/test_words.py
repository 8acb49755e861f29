# -*- coding: utf-8 -*-
# SPDX-License-Identifier: Apache-2.0
"""protocol/words.py: what a caller passes becomes a word, or is refused."""
import decimal
import fractions
import numbers
import os
import re
import subprocess
import sys
import uuid

import pytest
import six

from haproxyadmin.protocol import commands, words

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


# Servers that are added

@pytest.mark.parametrize('address', [
    '10.0.0.1:80', u'10.0.0.1:65535', b'10.0.0.1:1', '[::1]:80', '::1:80', 'ipv4@10.0.0.1:80',
    'ipv6@[fe80::1]:80', 'ipv6@::1:80', '0.0.0.0:80', '[2001:db8::7]:8443', 'unix@/run/app.sock',
    'unix@/run/my app;1.sock', '/run/app.sock', 'abns@app', 'abnsz@app', '10.0.0.1:080'])
def test_the_address_of_a_server(address):
    """[dynamic servers; argument checks]"""
    raw = address if isinstance(address, bytes) else address.encode('ascii')
    assert words.check_server_address(address) == raw


@pytest.mark.parametrize('address', [
    # HAProxy accepts all of these, and means something else by them.
    'localhost:80', 'app.example:80', '10.0.0.1', '10.0.0.1:', ':80', '*:80', '10.0.0.1:0',
    '10.0.0.1:00', '10.0.0.1:65536', '10.0.0.1:70000', '10.0.0.1:+1', '10.0.0.1:-1',
    '10.0.0.1:80-90', '10.0.0.1: 80', '10.0.0.1:8 0', '10.0.0:80', '10.1:80', '1:80', '010.0.0.1:80',
    '256.0.0.1:80', '[::1]', '[::1', '::1]:80', '[10.0.0.1:80', '[localhost]:80', '[]:80',
    'fd@3', 'sockpair@3', 'ipv4@localhost:80', 'ipv5@10.0.0.1:80', 'udp@10.0.0.1:80', '10.0.0.1:8a',
    '10.0.0.1:99999999999999999999', '10.0.0.1:80\n', '10.0.0.1:80 ', ' 10.0.0.1:80', '', None, 80,
    True, 1.5, ('10.0.0.1', 80), '10.0.0.1:80 backup', '10.0.0.1:80;x', u'10.0.0.1:\u0668',
    'unix@a\nb', '/a\0', 'unix@', 'abns@', 'abnsz@', '/'])
def test_what_is_not_the_address_of_a_server(address):
    """[dynamic servers; argument checks]"""
    with pytest.raises(ValueError):
        words.check_server_address(address)


@pytest.mark.parametrize('keywords, expected', [
    ({}, []), ({'backup': True}, [(b'backup', [])]), ({'backup': False, 'id': None}, []),
    ({'maxconn': 5, 'inter': '2s'}, [(b'inter', [b'2s']), (b'maxconn', [b'5'])]),
    ({'send_proxy_v2': True}, [(b'send-proxy-v2', [])]),
    ({'source': ('10.0.0.1', 'usesrc', 'client')},
     [(b'source', [b'10.0.0.1', b'usesrc', b'client'])]),
    ({'source': ['10.0.0.1']}, [(b'source', [b'10.0.0.1'])]),
    ({'x': ()}, [(b'x', [])]), ({'cookie': 'a b;c'}, [(b'cookie', [b'a b;c'])]),
    ({'cookie': u'\xfc'}, [(b'cookie', [b'\xc3\xbc'])]), ({'cookie': b'\xff'}, [(b'cookie', [b'\xff'])]),
    ({'set_proxy_v2_tlv_fmt(0xE1)': 'x'}, [(b'set-proxy-v2-tlv-fmt(0xE1)', [b'x'])]),
    ({u'sni': 'str(a)'}, [(b'sni', [b'str(a)'])]), ({'weight-': 1}, [(b'weight-', [b'1'])]),
])
def test_keywords(keywords, expected):
    """[dynamic servers]"""
    assert words.check_keywords(keywords) == expected


@pytest.mark.parametrize('keywords', [
    {'': True}, {'Backup': True}, {'a b': True}, {'a;b': True}, {'a\n': True}, {'a\\': True},
    {'1a': True}, {'-a': True}, {'_a': True}, {u'\xfc': True}, {'a(': True}, {'a()': True},
    {'a(b c)': True}, {'a<<': True}, {'cookie': ''}, {'cookie': 'a\nb'}, {'cookie': 'a\0'},
    {'cookie': ('a', '')}, {'cookie': ('a', True)}, {'cookie': ('a', None)}, {'cookie': {}},
    {'cookie': object()}, {'cookie': 'x' * words.MAX_LINE},
    # HAProxy would read these as other numbers.
    {'maxconn': -5}, {'maxconn': '-5'}, {'maxconn': 1.5}, {'maxconn': '1.5'}, {'maxconn': '5x'},
    {'maxconn': 2 ** 31}, {'maxconn': '99999999999'}, {'maxconn': ''}, {'maxconn': True},
    {'maxconn': ()}, {'maxconn': (1, True)}, {'rise': 0.5}, {'id': -1}, {'maxqueue': -1},
    {'agent-port': 65536}, {'agent_port': -1}, {'port': 'http'}])
def test_what_is_no_keyword(keywords):
    """[dynamic servers; argument checks]"""
    with pytest.raises(ValueError):
        words.check_keywords(keywords)


# Stick tables

class Address(object):
    """Looks like an address of the module ipaddress, which Python 2 lacks."""

    def __str__(self):
        return '10.0.0.9'


Address.__name__, Address.__module__ = 'IPv4Address', 'ipaddress'


@pytest.mark.parametrize('kind, key, expected', [
    ('ip', '10.0.0.1', b'10.0.0.1'), ('ip', b'10.0.0.1', b'10.0.0.1'),
    ('ip', u'10.0.0.1', b'10.0.0.1'), ('ip', Address(), b'10.0.0.9'),
    ('ipv6', '2001:db8::1', b'2001:db8::1'), ('ipv6', '::ffff:1.2.3.4', b'::ffff:1.2.3.4'),
    ('integer', 0, b'0'), ('integer', '5', b'5'), ('integer', b'5', b'5'),
    ('integer', 2 ** 32 - 1, b'4294967295'), ('string', 'two words', b'two words'),
    ('string', u'caf\xe9', b'caf\xc3\xa9'), ('string', b'\xff', b'\xff'), ('string', 5, b'5'),
    ('string', 'a\\b;c=d', b'a\\b;c=d'), ('string', '\t', b'\t')])
def test_a_key_of_a_stick_table(kind, key, expected):
    assert words.check_table_key(kind, key) == expected


@pytest.mark.parametrize('kind, keys', [
    ('ip', ['', 'x', 'localhost', '1.2.3', '999.1.1.1', '01.02.03.04', '::1', '1.2.3.4/24', '1.2.3.4 ',
            '1.2.3.4\n', '1.2.3.4\0', '0x1020304', 5, None, 1.5, True, [], b'\xff', 'data.gpc0']),
    ('ipv6', ['', 'x', '1.2.3.4', '::1%lo', '::1/64', '[::1]', 5, None, Address()]),
    ('integer', ['', 'x', '5x', '-3', '+4', ' 7', '0x10', '1.5', 2 ** 32, -1, 1.5, True, None,
                 '4294967296', '9' * 30, u'\u0665']),
    ('string', ['', b'', 'a\nb', 'a\rb', 'a\0', None, [], True, object(), 'x' * words.MAX_LINE]),
    ('binary', ['00', 'x', '', b'\0', 5, None]),
    ('more', ['x'])])
def test_what_is_no_key_of_a_stick_table(kind, keys):
    """[argument checks] HAProxy would store something else."""
    for key in keys:
        with pytest.raises(ValueError):
            words.check_table_key(kind, key)
            pytest.fail(repr(key))


def test_data_of_a_stick_table():
    assert words.check_table_data({}) == []
    assert words.check_table_data(
        {'gpc0': 2 ** 32 - 1, 'bytes_in_cnt': 2 ** 63 - 1, 'server_id': 2 ** 31 - 1,
         'conn_rate(10000)': 0, 'http_req_rate(-5)': 1, u'a9': 2}) == [
             ('a9', 2), ('bytes_in_cnt', 2 ** 63 - 1), ('conn_rate', 0), ('gpc0', 2 ** 32 - 1),
             ('http_req_rate', 1), ('server_id', 2 ** 31 - 1)]


NO_DATA_NAMES = ['', ' ', 'gpc0 ', 'a b', 'a;b', 'gpc[1]', '[1]', 'gpc(1', 'gpc()', 'Gpc0', '9a',
                 'gpc0\n', 'server_key', 'server_name', 'server_key(5)', 'a-b', u'\xe9', None, 5]


@pytest.mark.parametrize('data', [{name: 1} for name in NO_DATA_NAMES] + [
    {'gpc0': number} for number in (-1, 2 ** 32, 1.5, '5', None, True, [])] + [
    {'bytes_out_cnt': 2 ** 63}, {'bytes_in_rate': 2 ** 32}, {'server_id': 2 ** 31}])
def test_what_is_no_data_of_a_stick_table(data):
    """[argument checks] HAProxy would wrap a number around."""
    with pytest.raises(ValueError):
        words.check_table_data(data)


def test_conditions():
    assert words.check_conditions(None) == words.check_conditions([]) == []
    assert words.check_conditions([('gpc0', '>', 1), ['conn_rate(10000)', u'<=', 2 ** 63 - 1],
                                   (b'a', b'!=', 0)]) == [
        ('gpc0', 'gt', 1), ('conn_rate', 'le', 2 ** 63 - 1), ('a', 'ne', 0)]
    assert [condition[1] for condition in words.check_conditions(
        ('a', operator, 1) for operator in ('<', '<=', '==', '!=', '>=', '>'))] == [
            'lt', 'le', 'eq', 'ne', 'ge', 'gt']


@pytest.mark.parametrize('where', [[(name, '>', 1)] for name in NO_DATA_NAMES] + [
    [('gpc0', operator, 1)] for operator in ('', '=', 'gt', '> ', None, 5, [], '>\n', '<>')] + [
    [('gpc0', '>', number)] for number in (-1, 2 ** 63, 1.5, '5', None, True)] + [
    'gpc0 > 1', b'gpc0', '', ['gpc0'], [()], [('gpc0', '>')], [('gpc0', '>', 1, 2)], ['a>1'],
    [None], [5], ('gpc0', '>', 1), {'gpc0': 5}])
def test_what_is_no_condition(where):
    """[argument checks]"""
    with pytest.raises(ValueError):
        words.check_conditions(where)
