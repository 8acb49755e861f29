# SPDX-License-Identifier: Apache-2.0
"""parsers/sessions.py: the list of sessions, and the details of one."""
import pytest

from haproxyadmin import exceptions
from haproxyadmin.parsers import sessions
from haproxyadmin.parsers.lines import split_lines
from haproxyadmin.protocol import replies
from tests.support import captured

OF_WEB1 = ('0x555555be0090: proto=tcpv4 src=127.0.0.1:57572 fe=f be=web srv=web1 ts=00 age=0s '
           'calls=4 rate=4 cpu=0 lat=0 rq[f=840080h,i=0,an=8000h,rx=,wx=,ax=] exp=1s')
OF_PEERS = '0x7f18be279000: proto=? ts=00 epoch=0 age=0s calls=3 rq[f=808000h] exp=0s rc=3 c_exp='


def lines_of(version, name):
    return split_lines(captured.dump(version, name))


@pytest.mark.parametrize('lines, count', [
    ([], 0), ([OF_WEB1], 1), ([OF_WEB1, OF_PEERS, OF_WEB1], 2),
    ([OF_WEB1.replace('web1', 'web2')], 0), ([OF_WEB1.replace('be=web', 'be=api')], 0),
    ([OF_WEB1.replace('web1', 'web11')], 0), ([OF_WEB1.replace('web1', '<none>')], 0)])
def test_sessions_of_a_server(lines, count):
    assert sessions.count_sessions(lines, 'web', 'web1') == count


def test_a_refusal():
    with pytest.raises(exceptions.CommandFailed):
        sessions.count_sessions(['Permission denied'], 'web', 'web1')


@pytest.mark.parametrize('line', [
    'more', '', OF_WEB1[:-5], OF_WEB1[:60], OF_PEERS[:70], OF_WEB1.replace(' srv=web1', ''),
    OF_WEB1.replace(' age=0s', ''), OF_WEB1.replace('0x5', 'x5'), ' ' + OF_WEB1])
def test_a_line_that_is_no_session(line):
    with pytest.raises(replies.Malformed):
        sessions.count_sessions([OF_WEB1, line], 'web', 'web1')


@pytest.mark.parametrize('version', captured.VERSIONS)
def test_the_lists_of_all_versions(version):
    lines = lines_of(version, 'sess.txt')
    rows = [sessions.Row(*match.groups()) for match in sessions.parse_rows(lines)]
    assert [line for line in lines if sessions.is_of_stats_socket(line)] == [
        line for line in lines if 'fe=GLOBAL' in line] != []
    for line, row in zip(lines, rows):
        assert sessions.parse_row(line) == row
        fields = sessions.parse_fields(line)
        assert [fields.get(name) for name in ('proto', 'src', 'fe', 'be', 'srv', 'age')] == list(
            row[1:])
        assert fields['calls'].isdigit() and fields['exp'] is not None and 'f=' in fields['rq']
        assert fields.get('epoch', version) == ('0' if version >= '2.4' else version)
        assert sessions.parse_time(row.age)[1] == 0
        assert (row.proto == '?') == (row.source is None) == (row.server is None)


def test_fields_that_are_not_known_are_kept():
    fields = sessions.parse_fields(OF_WEB1 + ' run(nice=0) new=[a,b] uri="GET /a=b c" last=1')
    assert [fields[name] for name in ('exp', 'run', 'new', 'uri', 'last')] == [
        '1s', 'nice=0', 'a,b', '"GET /a=b c"', '1']


@pytest.mark.parametrize('text, source', [
    ('10.0.0.9:4711', ('10.0.0.9', 4711)), ('::1:36730', ('::1', 36730)),
    ('::ffff:127.0.0.1:5034', ('::ffff:127.0.0.1', 5034)), ('unix:1', ('unix:1', None)),
    (None, (None, None))])
def test_sources(text, source):
    assert sessions.split_source(text) == source


@pytest.mark.parametrize('text, seconds, lack', [
    ('0s', 0, 0), ('58s', 58, 0), ('1m', 60, 0), ('1m2s', 62, 0), ('1h', 3600, 0),
    ('1h5s', 3605, 0), ('2h3m', 7380, 59), ('1d4h', 100800, 3599), ('2d5m', 173100, 59)])
def test_times(text, seconds, lack):
    assert sessions.parse_time(text) == (seconds, lack)


@pytest.mark.parametrize('text', [None, '', '?', 'x', '1', '1s2', '5x', '1m1h', '<NEVER>'])
def test_what_is_no_time(text):
    assert sessions.parse_time(text) is None


@pytest.mark.parametrize('version', captured.VERSIONS)
def test_the_details_of_all_versions(version):
    looks = sessions.split_looks(lines_of(version, 'sess_all.txt'))
    rows = dict((match.group(1), sessions.Row(*match.groups())) for match in sessions.parse_rows(
        lines_of(version, 'sess.txt')))
    assert len(looks) == len(rows) > 1
    for ident, lines in looks.items():
        look, details = sessions.parse_look(lines), sessions.parse_details(lines)
        row = rows.get(ident)
        if row is not None and row.frontend is not None and row.frontend != 'GLOBAL':
            assert (look.proto, look.source, look.frontend) == row[1:4]
        assert look.back_state in ('EST', 'TAR', 'INI')
        assert look.epoch is None if version < '2.4' else look.epoch[0] == '0'
        assert sessions.parse_time(look.age)
        assert details.text.split('\n') == lines and details.flags.startswith('0x')
        assert details.unique_id >= 0 and len(details.accepted) == 27
        assert details.fields['frontend'] == look.frontend and 'id' not in details.fields
        assert details.fields['pend_pos'] == '(nil)'
        assert not [value for value in details.fields.values() if value.endswith((',', 's)'))]
    everything = [sessions.parse_details(lines) for lines in looks.values()]
    assert [found for found in everything if (found.server_address or '').startswith('127.0.0.1:')]


def test_details_of_sessions_that_are_gone():
    lines = lines_of('3.2', 'sess_all.txt')
    first = lines[:[line[0] for line in lines[1:]].index('0') + 1]
    ident = first[0].split(':')[0]
    assert list(sessions.split_looks(['Session not found.', ''] + first)) == [ident]
    assert sessions.split_looks(['Session not found.', '', 'Session not found.']) == {}
    # It ends while HAProxy prints it.
    assert sessions.split_looks(first[:5] + [
        '  *** session terminated while we were watching it ***']) == {}


@pytest.mark.parametrize('lines', [['Permission denied'], ['x'], ['  flags=0x2'],
                                   ['Session not found.', '  flags=0x2']])
def test_what_is_no_session(lines):
    with pytest.raises((exceptions.CommandFailed, replies.Malformed)):
        sessions.split_looks(lines)


@pytest.mark.parametrize('count', range(1, 13))
def test_details_that_are_cut_short(count):
    lines = lines_of('2.2', 'sess_all.txt')[:count]
    with pytest.raises(replies.Malformed):
        sessions.parse_details(lines)
    with pytest.raises(replies.Malformed):
        sessions.parse_look(lines)
