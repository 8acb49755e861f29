# SPDX-License-Identifier: Apache-2.0
"""parsers/tables.py: stick tables and their entries, whole and in parts."""
import re

import pytest

from haproxyadmin.exceptions import CommandFailed
from haproxyadmin.parsers import tables
from haproxyadmin.parsers.lines import split_lines
from haproxyadmin.protocol.replies import Malformed
from haproxyadmin.testing.texts import raw, text as native
from tests.support import captured

HEADER = '# table: st, type: {0}, size:100, used:1\n'


def of(kind, *rows):
    """Return a reply of a table, as bytes."""
    return raw(HEADER.format(kind) + ''.join(row + '\n' for row in rows) + '\n')


def row(key='k', rest=' gpc0=1'):
    return '0x55a0: key={0} use=0 exp=10{1}'.format(key, rest)


def parse(reply, *cuts):
    """Return the entries of a reply that arrives in parts.

    :param cuts: where one part ends and the next one begins.
    """
    parser = tables.EntryParser(3, '/s')
    ends = [0] + list(cuts)
    entries = []
    for start, end in zip(ends, ends[1:]):
        entries.extend(parser.feed(reply[start:end]))
    return entries + list(parser.finish(reply[ends[-1]:]))


# Captured replies

def replies(pattern):
    found = [case for case in captured.replies('tables') + captured.tables()
             if re.match(pattern, case['command'])]
    return [(case['version'], raw(case['reply'])) for case in found]


ENTRIES = [(version, reply) for version, reply in replies('(TABLE |LOW operator )?show table .')
           if reply.startswith(b'# table') and reply.endswith(b'\n\n')]
LISTS = replies('(LOW .* )?show table$')
REFUSALS = [reply for _, reply in replies('show table .')
            if not reply.startswith(b'# table') and reply not in (b'\n', b'')]


def test_every_version_was_captured():
    assert set(version for version, _ in ENTRIES) == set(captured.VERSIONS)
    assert set(version for version, _ in LISTS) == set(captured.VERSIONS)
    assert len(ENTRIES) > 250 and len(REFUSALS) > 100


@pytest.mark.parametrize('version', captured.VERSIONS)
def test_a_captured_list(version):
    for found, reply in LISTS:
        if found == version:
            headers = tables.parse_tables(split_lines(reply))
            assert len(headers) == reply.count(b'\n# table: ') + 1
            for header, line in zip(headers, native(reply).split('\n')):
                assert line == '# table: {0.name}, type: {0.type}, size:{0.size}, used:{0.used}' \
                    .format(header)
                assert header.type in (tables.ADDRESS, tables.ADDRESS6, tables.INTEGER,
                                       tables.STRING, tables.BINARY)


@pytest.mark.parametrize('version', captured.VERSIONS)
def test_a_captured_table(version):
    for reply in [reply for found, reply in ENTRIES if found == version]:
        entries = parse(reply)
        lines = native(reply).split('\n')[1:-2]
        assert len(entries) == len(lines)
        for entry, line in zip(entries, lines):
            assert type(entry) is tables.TableEntry
            assert (entry.process_nb, entry.socket_file) == (3, '/s')
            # Keys and server keys of these replies contain no = that is not escaped, but in 1.5.
            fields = re.findall(r' ([a-z0-9_]+(?:\(\d+\))?)=((?:\\.|[^ \\])*)', line)
            shown = dict(fields)
            assert (entry.use, entry.expiry) == (int(shown['use']), int(shown['exp']))
            names = [name for name, _ in fields if name not in ('key', 'use', 'exp', 'shard')]
            assert list(entry.data) == names or sorted(entry.data) == sorted(names)
            for name in names:
                expected = (None if shown[name] == '-' else shown[name]
                            if name in tables.SERVER_KEYS else int(shown[name]))
                assert entry.data[name] == expected


@pytest.mark.parametrize('version', captured.VERSIONS)
def test_it_may_arrive_in_parts_of_any_size(version):
    for reply in [reply for found, reply in ENTRIES if found == version]:
        whole = parse(reply)
        for size in [1, 2, 3, 7, 64, 1000]:
            assert parse(reply, *range(size, len(reply), size)) == whole
        for cut in range(len(reply) + 1):
            assert parse(reply, cut) == whole


@pytest.mark.parametrize('version', captured.VERSIONS)
def test_a_captured_table_that_is_cut_short_is_an_error(version):
    for reply in [reply for found, reply in ENTRIES if found == version][:6]:
        for end in range(len(reply)):
            for cuts in [(), (end // 2,), (end,)]:
                with pytest.raises((Malformed, CommandFailed)):
                    parse(reply[:end], *cuts)
    assert parse(b'\n') == []


def test_a_refusal():
    """It does not arrive in parts: those are larger."""
    for reply in REFUSALS:
        with pytest.raises(CommandFailed) as info:
            parse(reply)
        assert str(info.value) == native(reply).strip()


def test_the_level_is_too_low():
    found = [reply for _, reply in replies('LOW user show table .')]
    assert len(found) == 9
    for reply in found:
        for cuts in [(), range(1, len(reply))]:
            with pytest.raises(CommandFailed, match='^Permission denied: HAProxy shows entries to '
                               'operators only$'):
                parse(reply, *cuts)


def test_what_1_6_answers_about_one_entry():
    """It does not end, or is nothing; see versions.SILENT_KEYS."""
    found = [reply for version, reply in replies('(TABLE )?show table .* key ')
             if version == '1.6']
    assert len(found) == 2 and b'' in found
    for reply in found:
        with pytest.raises(Malformed, match='cut short'):
            parse(reply)


# Headers

@pytest.mark.parametrize('line, expected', [
    ('# table: a, type: ip, size:0, used:0', ('a', 'ip', 0, 0)),
    ('# table: pp/pt.x_1:2-3, type: string, size:1048576, used:17',
     ('pp/pt.x_1:2-3', 'string', 1048576, 17)),
    # What a later version might add.
    ('# table: a, type: ip, size:1, used:1, free:0', ('a', 'ip', 1, 1)),
    ('# table: a, type: more, size:1, used:1', ('a', 'more', 1, 1))])
def test_a_header(line, expected):
    assert tables.parse_header(line) == expected
    assert tables.parse_tables([line, line]) == [expected] * 2


@pytest.mark.parametrize('line', [
    '', '#', '# table: a', '# table: a, type: ip, size:1, used:', '# table: a, type: ip, size:1',
    '# table: , type: ip, size:1, used:1', '# table: a, type: ip, size:-1, used:1',
    ' # table: a, type: ip, size:1, used:1', '# table: a, type: ip, size:1, used:1 ',
    '# table: a, type: ip, size:1, used:1x', '0x55a0: key=k use=0 exp=10', '# frontend: a'])
def test_what_is_no_header(line):
    with pytest.raises((Malformed, CommandFailed)):
        tables.parse_header(line)
    with pytest.raises((Malformed, CommandFailed)):
        tables.parse_tables(['# table: a, type: ip, size:1, used:1', line])


def test_no_table():
    assert tables.parse_tables([]) == []


# Keys

@pytest.mark.parametrize('shown, key', [
    (r'two\ words', 'two words'), (r'\ ', ' '), (r'a\\b;c', 'a\\b;c'), (r'a\=b:c', 'a=b:c'),
    (r'\\\ \=\\', '\\ =\\'), (r'\t\n\r\e', '\t\n\r\x1b'), (r'caf\xC3\xA9', native(u'caf\xe9')),
    (r'\xFF\x01', native(b'\xff\x01')), (r'\\x41', '\\x41'), (r'\x5Cn', '\\n'), ('"q",\'#%', '"q",\'#%'),
    ('', ''), ('use=5', 'use=5'), ('a=b', 'a=b'), ('-', '-'), ('0x55a0:', '0x55a0:'), ('-5', '-5'),
    (r'k\ use\=9\ exp\=9', 'k use=9 exp=9')])
def test_a_key(shown, key):
    entry, = parse(of('string', row(shown)))
    assert entry.key == key and type(entry.key) is str
    assert entry == (key, 3, '/s', 0, 10, {'gpc0': 1})
    # Among others, and in parts of one byte.
    reply = of('string', row('a'), row(shown), row('b'))
    assert [each.key for each in parse(reply, *range(1, len(reply)))] == ['a', key, 'b']


@pytest.mark.parametrize('kind, shown, key', [
    ('integer', '4294967295', 4294967295), ('integer', '0', 0), ('binary', '6162FF00', '6162FF00'),
    ('ip', '10.0.0.1', '10.0.0.1'), ('ipv6', '2001:db8::1', '2001:db8::1'),
    ('ipv6', '::ffff:1.2.3.4', '::ffff:1.2.3.4'), ('string', '12', '12')])
def test_a_key_of_each_type(kind, shown, key):
    entry, = parse(of(kind, row(shown)))
    assert entry.key == key and type(entry.key) is type(key)


# Data

@pytest.mark.parametrize('shown, data', [
    ('', {}), (' gpc0=1', {'gpc0': 1}), (' shard=0', {}), (' shard=3 gpc0=1', {'gpc0': 1}),
    (' http_req_rate(10000)=5 bytes_out_cnt=18446744073709551615',
     {'http_req_rate(10000)': 5, 'bytes_out_cnt': 18446744073709551615}),
    (' gpt0=1 gpt1=2 gpc0=3 gpc1=4 gpc0_rate(500)=5 gpc1_rate(500)=6',
     {'gpt0': 1, 'gpt1': 2, 'gpc0': 3, 'gpc1': 4, 'gpc0_rate(500)': 5, 'gpc1_rate(500)': 6}),
    (' server_key=- http_fail_cnt=1', {'server_key': None, 'http_fail_cnt': 1}),
    (' server_key=web-1.x:80 gpc0=1', {'server_key': 'web-1.x:80', 'gpc0': 1}),
    (' server_name=1 gpc0=1', {'server_name': '1', 'gpc0': 1}),
    (' server_id=-5 gpc0=1', {'server_id': -5, 'gpc0': 1}),
    # Up to 2.4.1, of 32 and of 64 bits.
    (' http_req_rate(10000)=-1294967296', {'http_req_rate(10000)': 3000000000}),
    (' http_req_rate(-1294967296)=1', {'http_req_rate(-1294967296)': 1}),
    (' bytes_in_cnt=-1', {'bytes_in_cnt': 2 ** 64 - 1}),
    # Of a version to come.
    (' new_cnt=7 gpc0=1', {'new_cnt': 7, 'gpc0': 1}),
    (' new_key=a\\ b gpc0=1', {'new_key': 'a b', 'gpc0': 1}),
    (' new_key= gpc0=1', {'new_key': '', 'gpc0': 1}),
])
def test_data(shown, data):
    assert [entry.data for entry in parse(of('string', row('k', shown), row('-', shown)))] == [
        data] * 2


def test_a_server_key_of_some_entries():
    shown = [row(str(number), ' server_key={0} gpc0=1'.format(server))
             for number, server in enumerate(['-', 'web1', '7', '-'])]
    assert [entry.data['server_key'] for entry in parse(of('string', *shown))] == [
        None, 'web1', '7', None]


def test_the_numbers_of_a_row_of_negative_ones():
    """Only those that HAProxy prints as negative ones are changed."""
    entries = parse(of('string', row('k', ' server_id=-1 gpc0_rate(1)=-1 gpc0=4294967295'),
                       row('-1', ' server_id=1 gpc0_rate(1)=1 gpc0=0')))
    assert [entry.data for entry in entries] == [
        {'server_id': -1, 'gpc0_rate(1)': 4294967295, 'gpc0': 4294967295},
        {'server_id': 1, 'gpc0_rate(1)': 1, 'gpc0': 0}]


def test_entries_do_not_share_their_data():
    first, second = parse(of('string', row(), row()))
    first.data['gpc0'] = 9
    assert second.data == {'gpc0': 1}


def test_the_use_of_the_reader_itself_may_be_missing():
    """1.5 counts the use that the command itself is, and takes it away twice."""
    entry, = parse(of('string', '0x55a0: key=k use=-1 exp=0 gpc0=1'))
    assert entry.use == -1


# What is wrong

WRONG = [
    row() + ' gpc1=1', row(rest=''), row(rest=' gpc1=1'), row(rest=' gpc0=x'), row(rest=' gpc0='),
    row(rest=' gpc0=1 '), row(rest='  gpc0=1'), row(rest=' gpc0=1.5'), row(rest=' gpc0=--1'),
    row('a b'), row('a\\'), row()[2:], row()[1:], ' ' + row(), 'x' + row(), row() + row(), '',
    row().replace('use=0', 'use=x'), row().replace('exp=10', 'exp='), row().replace(' use=0', ''),
    row().replace('0x55a0', '0xZZ'), row().replace(' key=', ' name='), HEADER.format('ip')[:-1],
    'x', '\xff\xfe', row(rest=' gpc0=1\r'), row(rest=' gpc0=' + '9' * 30), 'Unknown command',
    row().replace('0x55a0:', '0x55a0'), row(rest=' gpc0=1 gpc0=2')]


@pytest.mark.parametrize('wrong', WRONG)
def test_a_wrong_row(wrong):
    for rows in [[row(), wrong], [row(), wrong, row()], [row()] * 3 + [wrong] * 2]:
        reply = of('string', *rows)
        for cuts in [(), range(1, len(reply)), (len(HEADER),)]:
            with pytest.raises(Malformed):
                parse(reply, *cuts)


@pytest.mark.parametrize('wrong', [line for line in WRONG if line not in (
    row() + ' gpc1=1', row(rest=' gpc1=1'), row(rest=''), row(rest=' gpc0=x'), row(rest=' gpc0='),
    row(rest=' gpc0=1.5'), row(rest=' gpc0=--1'), row(rest=' gpc0=1\r'))
    and '9' * 30 not in line])
def test_a_wrong_first_row(wrong):
    """It is what all others are compared with."""
    with pytest.raises((Malformed, CommandFailed)):
        parse(of('string', wrong, row()))


@pytest.mark.parametrize('kind', ['integer'])
@pytest.mark.parametrize('key', ['x', '', '5x', '\\x35'])
def test_a_key_that_is_no_number(kind, key):
    with pytest.raises(ValueError):
        parse(of(kind, row(key)))


def test_a_field_that_is_a_text_in_some_rows_only():
    """A field that no version had is what it is in the first row."""
    with pytest.raises(Malformed, match='gpc9=x'):
        parse(of('string', row(rest=' gpc9=1'), row(rest=' gpc9=x')))


def test_the_message_shows_the_row():
    with pytest.raises(Malformed) as info:
        parse(of('string', row('a'), row('b'), row('c') + ' more=1', row('d')))
    assert "'0x55a0: key=c use=0 exp=10 gpc0=1 more=1'" in str(info.value)


def test_two_replies_are_none():
    reply = of('string', row())
    for cuts in [(), (len(reply),), range(1, 2 * len(reply))]:
        with pytest.raises(Malformed):
            parse(reply + reply, *cuts)


def test_something_after_the_reply():
    reply = of('string', row())
    for more in [b'x', b'\n', b'x\n', b'x\n\n', b'\n\n', b'\0']:
        with pytest.raises(Malformed):
            parse(reply + more)
        with pytest.raises(Malformed):
            parse(reply + more, len(reply))


def test_a_row_without_end(monkeypatch):
    """It would fill the memory."""
    monkeypatch.setattr(tables, '_MAX_ROW', 1000)
    parser = tables.EntryParser(1, '/s')
    assert list(parser.feed(of('string', row('k' * 900))[:-1])) == []
    with pytest.raises(Malformed, match='does not end'):
        for _ in range(11):
            parser.feed(b'x' * 100)
