# -*- coding: utf-8 -*-
# SPDX-License-Identifier: Apache-2.0
"""protocol/commands.py: every command line."""
import itertools
import re

import pytest
import six

from haproxyadmin.protocol import commands, words
from tests.unit.protocol.test_words import ANY, refused, words_of


def test_no_text_can_start_a_second_command_or_a_payload():
    """[one word per text] Try every text of up to four special characters."""
    for size in range(1, 5):
        for characters in itertools.product(' \t;\\<#@a', repeat=size):
            text = ''.join(characters)
            line = commands.patterns('add', 'map', 0, ANY, text, text)
            raw = text.encode('ascii')
            assert words_of(line) == ([b'add', b'map', b'#0', raw, raw], False)
            assert not line.endswith(b'<<')


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


@pytest.mark.parametrize('ident', [
    '', b'', '#', b'#', '#x', '#-1', '# 4', '#4x', '@1', '@', b'@1', u'@1', -1, True, False, None,
    1.0, 2 ** 31, '2147483648', [4], '#' + '9' * 5000, 'a\nb', u'#\u0664'])
@pytest.mark.parametrize('action', ['get', 'add', 'set', 'del', 'clear'])
def test_what_is_no_id_is_refused(action, ident):
    """[argument checks] HAProxy reads a bare # as 0, and @ as a version prefix."""
    texts = {'get': ['k'], 'add': ['k', 'v'], 'set': ['k', 'v'], 'del': ['k'], 'clear': []}
    refused(commands.patterns, action, 'map', ident, ANY, *texts[action])


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
    ('add map x\\\\ <<\nk v', b'add map x\\\\ <<\nk v\n'),
    ('add map a<<b <<\nk v', b'add map a<<b <<\nk v\n'),
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
    # From 3.0 on an escaped blank is a part of the word, and the next line is a command.
    'add map x\\ <<\ndisable frontend f', 'add map x\\\\\\ <<\ndisable frontend f',
    'add map #0 <<', 'add map #0 <<;show info', 'add map #0 k <<; show info', 'add map #0 <<\n',
    'add acl #4 a<<', 'add acl #4 <<',
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


@pytest.mark.parametrize('command', [
    b'show info', b'add acl #4 @1', b'add acl #4 a;show info', b'add acl #4 a\\;@1', b'\\@1 show info',
    b'"@1" show info', b'x\\\\\\;@1 show info', b'x\v@1', b'x;\v@1', b'x;\\ @1', b'#@1', b'show info;',
    b'add map #0 <<\n@1 x\n', b'add map #0 <<\nk <<\n@master reload\n',
    b'add map a\\<\\<b <<\nk v\n', b'add acl #4 a\\<\\<b', b'add map #0 quit x', b'quitter;prompts',
    b'add map #0 <<\nquit\n', b'expert-mode on;show info', b'users <<\nk v\n'])
def test_a_master_passes_on_what_does_not_choose_its_way(command):
    """[one word per text]"""
    commands.check_through_master(command)


@pytest.mark.parametrize('command', [
    b'@1 show info', b'@!1 show info', b'@master reload', b'@', b' @1 x', b'\t@1 x', b' \t @1 x',
    b'show info;@1 x', b'show info; \t@1 x', b';@1 x', b';;@1 x', b'x\\\\;@1 x', b'x\\\\\\\\;@1 x',
    b'"x;@1 x"', b"'x;@1 x'", b'x;@@1 x', b'@1 add map #0 <<\nk v\n', b'x;@1 add map #0 <<\nk v\n',
    b'#;@1 x', b'x\\ ;@1 x',
    # Up to 2.6 a master takes the payload for commands.
    b'add map a<<b <<\nk v\n', b'add map \\<<b <<\n@master reload\n', b'x;add map a<< <<\nk v\n',
    b'<< <<\nk v\n', b'a<<b;add map #0 <<\n@1 x\n',
    # Up to 2.6 it waits for one.
    b'add acl #4 a<<b', b'show info<<;show stat', b'x<<;\\;',
    # It executes the command itself, and passes on the payload.
    b'user <<\ndisable frontend f\n', b'show info; operator\t <<\ndisable frontend f\n',
    b'expert-mode on <<\ndisable frontend f\n', b'experimental-mode on <<\ndisable frontend f\n',
    b'mcli-debug-mode on <<\ndisable frontend f\n',
    # Up to 2.6 it never frees the connection if something follows.
    b'user', b'operator;show info', b'user;add map #0 <<\nk v\n',
    b'quit', b'quit;x', b'x;quit', b'x; quit x', b'\tquit', b'quit <<\nk v\n', b'prompt', b'prompt i',
    b'prompt <<\nk v\n'])
def test_a_master_passes_on_nothing_that_chooses_its_way(command):
    """[one word per text]"""
    refused(commands.check_through_master, command)


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


# Servers

W = b'b/s'


@pytest.mark.parametrize('build, line', [
    (lambda: commands.show_servers_state(), b'show servers state'),
    (lambda: commands.show_servers_state(b'b'), b'show servers state b'),
    (lambda: commands.get_weight(W), b'get weight b/s'),
    (lambda: commands.set_health(W, 'up'), b'set server b/s health up'),
    (lambda: commands.set_health(W, b'stopping'), b'set server b/s health stopping'),
    (lambda: commands.set_health(W, u'down'), b'set server b/s health down'),
    (lambda: commands.set_agent(W, 'up'), b'set server b/s agent up'),
    (lambda: commands.set_agent(W, 'down'), b'set server b/s agent down'),
    (lambda: commands.switch_checks(W, 'health', True), b'enable health b/s'),
    (lambda: commands.switch_checks(W, 'health', False), b'disable health b/s'),
    (lambda: commands.switch_checks(W, 'agent', True), b'enable agent b/s'),
    (lambda: commands.switch_checks(W, 'agent', False), b'disable agent b/s'),
    (lambda: commands.set_maxconn_server(W, 0), b'set maxconn server b/s 0'),
    (lambda: commands.set_maxconn_server(W, 2147483647), b'set maxconn server b/s 2147483647'),
    (lambda: commands.set_tls(W, True), b'set server b/s ssl on'),
    (lambda: commands.set_tls(W, False), b'set server b/s ssl off'),
    (lambda: commands.set_server(W, 'fqdn', b'a.b'), b'set server b/s fqdn a.b'),
    (lambda: commands.set_address(W, b'::1'), b'set server b/s addr ::1'),
    (lambda: commands.set_address(W, b'::1', b'80'), b'set server b/s addr ::1 port 80'),
    (lambda: commands.set_address(W, b'::1', b'80', 'check-addr'),
     b'set server b/s check-addr ::1 port 80'),
    (lambda: commands.set_address(W, b'::1', None, 'agent-addr'), b'set server b/s agent-addr ::1'),
    (lambda: commands.add_server(W, [b'1.1.1.1:1'], False), b'add server b/s 1.1.1.1:1'),
    (lambda: commands.add_server(W, [b'1.1.1.1:1', b'weight', b'2'], True),
     b'experimental-mode on;add server b/s 1.1.1.1:1 weight 2'),
    (lambda: commands.del_server(W, False), b'del server b/s'),
    (lambda: commands.del_server(W, True), b'experimental-mode on;del server b/s'),
    (lambda: commands.join_commands([b'a b', b'c']), b'a b;c'),
])
def test_commands_for_servers(build, line):
    """[all or none; dynamic servers]"""
    assert build() == line
    assert commands.check_raw(line) == line


@pytest.mark.parametrize('build', [
    lambda: commands.set_health(W, 'dead'), lambda: commands.set_health(W, ''),
    lambda: commands.set_health(W, None), lambda: commands.set_health(W, 'up '),
    lambda: commands.set_health(W, ['up']), lambda: commands.set_agent(W, 'stopping'),
    lambda: commands.set_agent(W, 1), lambda: commands.set_maxconn_server(W, -1),
    lambda: commands.set_maxconn_server(W, 2 ** 31), lambda: commands.set_maxconn_server(W, '5'),
    lambda: commands.set_maxconn_server(W, True), lambda: commands.set_maxconn_server(W, 1.5),
    lambda: commands.set_tls(W, 'on'), lambda: commands.set_tls(W, 1),
    lambda: commands.set_tls(W, None), lambda: commands.set_address(W, b'a' * words.MAX_LINE),
    lambda: commands.add_server(W, [b'x'] * (words.MAX_WORDS - 2), False),
    lambda: commands.add_server(W, [b'x' * words.MAX_LINE], False),
    lambda: commands.join_commands([b'x' * 8000, b'y' * 8000])])
def test_what_is_no_command_for_a_server(build):
    """[argument checks]"""
    with pytest.raises(ValueError):
        build()


def test_as_many_words_as_haproxy_reads():
    """[nothing that kills] Beyond that it would ignore the rest of the keywords."""
    line = commands.add_server(W, [b'x'] * (words.MAX_WORDS - 3), False)
    assert len(line.split()) == words.MAX_WORDS


# Stick tables

@pytest.mark.parametrize('arguments, line', [
    (('show', None, None), b'show table'), (('show', 'st', ANY), b'show table st'),
    (('show', 'pp/pt', ANY, b'a b'), b'show table pp/pt key a\\ b'),
    (('set', 'st', ANY, b'key'), b'set table st key key'),
    (('set', 'st', ANY, b'a;b', (), [('gpc0', 1), ('conn_rate', 2)]),
     b'set table st key a\\;b data.gpc0 1 data.conn_rate 2'),
    (('clear', 'st', ANY), b'clear table st'), (('clear', 'st', ANY, b'k'), b'clear table st key k'),
    (('clear', 'st', ANY, None, [('gpc0', 'gt', 1), ('a', 'eq', 0)]),
     b'clear table st data.gpc0 gt 1 data.a eq 0')])
def test_a_command_for_a_stick_table(arguments, line):
    assert commands.table(*arguments) == line


@pytest.mark.parametrize('key', [b'', b'a\nb', b'a\0', b'x' * words.MAX_LINE])
@pytest.mark.parametrize('action', ['show', 'set', 'clear'])
def test_a_command_for_an_entry_has_a_key(action, key):
    """[nothing that kills] Without one it would be a command for the whole table."""
    with pytest.raises(ValueError):
        commands.table(action, 'st', ANY, key)


def test_as_many_data_as_haproxy_reads():
    """[nothing that kills]"""
    data = [('a{0}'.format(number), number) for number in range(29)]
    assert len(commands.table('set', 'st', ANY, b'k', data=data).split()) == 63
    with pytest.raises(ValueError, match='^too many data: a command has at most 64 words'):
        commands.table('set', 'st', ANY, b'k', data=data + [('b', 1)])


@pytest.mark.parametrize('key, version', [
    (b'a b', (2, 0, 0)), (b'a\\b', (1, 7, 0)), (b'a;b', (1, 5, 8))])
def test_a_key_that_a_version_cannot_be_sent(key, version):
    refused(lambda: commands.table('set', 'st', version, key))
