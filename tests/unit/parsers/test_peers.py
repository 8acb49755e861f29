# SPDX-License-Identifier: Apache-2.0
"""parsers/peers.py: peers and their connections."""
import pytest

from haproxyadmin.exceptions import CommandFailed
from haproxyadmin.parsers.lines import split_lines
from haproxyadmin.parsers.peers import parse_peers
from haproxyadmin.protocol import replies
from haproxyadmin.testing.texts import raw
from tests.support import captured

VERSIONS = [version for version in captured.VERSIONS if captured.has_dump(version, 'peers.txt')]
# Of 2.2.9 and of 3.2.26, with a connection.
OLD = """\
0x55558cbada90: [26/Nov/2026:14:56:11] id=q state=0 flags=0x3 resync_timeout=<PAST> task_calls=8
  0x55558cbb0790: id=two(remote,active) addr=127.0.0.1:37367 last_status=ESTA reconnect=2s confirm=0 tx_hbt=1 rx_hbt=1 no_hbt=0 new_conn=1 proto_err=0
        flags=0x20000200 appctx:0x7fd43002ed50 st0=7 st1=0 task_calls=5 state=EST
        xprt=RAW src=127.0.0.1:38190 addr=127.0.0.1:40607
  0x55558cbadb20: id=one(local,inactive) addr=127.0.0.1:40607 last_status=NONE reconnect=<NEVER> confirm=0 tx_hbt=0 rx_hbt=0 no_hbt=0 new_conn=0 proto_err=0
        flags=0x0

0x55558cba9e60: [26/Nov/2026:14:56:11] id=p state=0 flags=0x3 resync_timeout=<PAST> task_calls=10
  0x55558cbacb80: id=two(remote,active) addr=127.0.0.1:38903 last_status=ESTA reconnect=4s confirm=0 tx_hbt=1 rx_hbt=2 no_hbt=0 new_conn=1 proto_err=0
        flags=0x20000200 appctx:0x7fd430028ec0 st0=7 st1=0 task_calls=9 state=EST
        xprt=RAW src=127.0.0.1:51644 addr=127.0.0.1:54457
        remote_table:0x55558cba7440 id=t2 local_id=2 remote_id=2
        last_local_table:0x55558cba7440 id=t2 local_id=2 remote_id=2
        shared tables:
          0x55558cba7440 local_id=2 remote_id=2 flags=0x0 remote_data=0x4
              last_acked=0 last_pushed=1 last_get=0 teaching_origin=0 update=1
              table:0x55558cbb56d0 id=t2 update=1 localupdate=1 commitupdate=1 syncing=0
        TX dictionary cache:
            0 -> srv = x   1 -> -    2 -> -    3 -> -
          124 -> -  125 -> -  126 -> -  127 -> -
        RX dictionary cache:
            0 -> -    1 -> -    2 -> -    3 -> -
          0x55558cba72f0 local_id=1 remote_id=1 flags=0x0 remote_data=0x205
              last_acked=0 last_pushed=1 last_get=0 teaching_origin=0 update=1
              table:0x55558cbb3b10 id=f update=1 localupdate=1 commitupdate=1 syncing=0

"""
NEW = """\
0x7f3767fe9000: [19/Feb/1970:17:02:26] id=p disabled=0 flags=0x28b00003 resync_timeout=<PAST> task_calls=2061
  0x7f3769669440: id=two(remote,active) addr=127.0.0.1:37863 app_state=RUNNING learn_state=NOTASSIGNED last_status=ESTA last_hdshk=5s
        reconnect=2s heartbeat=0s confirm=0 tx_hbt=1 rx_hbt=1 no_hbt=0 new_conn=1 proto_err=0 coll=1
        flags=0x100028 appctx:0x7f3768478280 st0=7 st1=0 task_calls=7 state=EST
        xprt=RAW src=127.0.0.1:56798 addr=127.0.0.1:34367

"""


def parse(reply):
    return parse_peers(split_lines(raw(reply)))


@pytest.mark.parametrize('version', VERSIONS)
def test_what_each_version_reports(version):
    section, = parse_peers(split_lines(captured.dump(version, 'peers.txt')))
    assert section.name == 'mypeers' and section.fields['task_calls'] >= 5
    other, local = section.peers[0], dict((peer.name, peer) for peer in section.peers).get('local')
    assert (other.name, other.is_local, other.is_connected) == ('other', False, False)
    assert other.status == ('HSHK' if version == '3.4' else 'CONN')
    assert other.address.startswith('127.0.0.1:') and other.fields['confirm'] == 0
    if local:
        assert local.is_local and not local.is_connected and local.status == 'NONE'
    names = [table['table']['id'] for table in other.tables]
    assert names == {'2.0': [], '2.2': ['st_ip']}.get(version, ['st_ip', 'mypeers/pt']) or (
        version == '2.2' and names == ['st_ip', 'mypeers/pt'])


def test_versions_are_captured():
    assert len(VERSIONS) == 8


def test_a_connection():
    first, second = parse(OLD)
    assert (first.name, second.name) == ('q', 'p')
    assert first.fields == {
        'state': 0, 'flags': '0x3', 'resync_timeout': '<PAST>', 'task_calls': 8}
    two, one = first.peers
    assert two.is_connected and two.status == 'ESTA' and two.tables == []
    assert two.fields == {
        'addr': '127.0.0.1:37367', 'last_status': 'ESTA', 'reconnect': '2s', 'confirm': 0,
        'tx_hbt': 1, 'rx_hbt': 1, 'no_hbt': 0, 'new_conn': 1, 'proto_err': 0,
        'flags': '0x20000200', 'appctx': {
            'st0': 7, 'st1': 0, 'task_calls': 5, 'state': 'EST', 'xprt': 'RAW',
            'src': '127.0.0.1:38190', 'addr': '127.0.0.1:40607'}}
    assert one.is_local and not one.is_connected and 'appctx' not in one.fields
    two, = second.peers
    assert two.address == '127.0.0.1:38903'
    assert two.fields['remote_table'] == {'id': 't2', 'local_id': 2, 'remote_id': 2}
    assert two.tables == [
        {'local_id': 2, 'remote_id': 2, 'flags': '0x0', 'remote_data': '0x4', 'last_acked': 0,
         'last_pushed': 1, 'last_get': 0, 'teaching_origin': 0, 'update': 1,
         'table': {'id': 't2', 'update': 1, 'localupdate': 1, 'commitupdate': 1, 'syncing': 0}},
        {'local_id': 1, 'remote_id': 1, 'flags': '0x0', 'remote_data': '0x205', 'last_acked': 0,
         'last_pushed': 1, 'last_get': 0, 'teaching_origin': 0, 'update': 1,
         'table': {'id': 'f', 'update': 1, 'localupdate': 1, 'commitupdate': 1, 'syncing': 0}}]


@pytest.mark.parametrize('old, new, connected', [
    ('active', 'active', True),
    # A peer that has gone keeps its status; and of one to which a connection is being made.
    (',active', ',inactive', False), ('=ESTA', '=CONN', False), ('=ESTA', '=HSHK', False)])
def test_whether_it_is_connected(old, new, connected):
    reply = NEW.replace(old, new)
    if 'inactive' in new:
        reply = reply[:reply.index(' appctx:')] + '\n\n'
    (section,) = parse(reply)
    assert section.peers[0].is_connected is connected


def test_2_0_says_less():
    reply = NEW.replace(',active', '').replace('last_status', 'status')
    assert parse(reply)[0].peers[0].is_connected
    assert not parse(reply[:reply.index(' appctx:')] + '\n\n')[0].peers[0].is_connected


def test_an_unknown_field_is_kept():
    reply = NEW.replace('coll=1', 'coll=1 color=red').replace(
        '\n\n', '\n        ring:0x55 size=3 name=a:b=c\n\n')
    fields = parse(reply)[0].peers[0].fields
    assert fields['color'] == 'red' and fields['ring'] == {'size': 3, 'name': 'a:b=c'}


@pytest.mark.parametrize('reply, sections', [('\n', []), (NEW[:NEW.index('\n')] + '\n\n', ['p'])])
def test_without_peers(reply, sections):
    found = parse(reply)
    assert [section.name for section in found] == sections
    assert [section.peers for section in found] == [[]] * len(sections)


@pytest.mark.parametrize('end', [
    '0x7f3767', ' id=', 'flags=', 'flags', ' id=two(rem', ' id=two(remote', 'addr=127.0.0.1:37863',
    'last_sta', 'learn_state=NOTASSIGNED', 'proto_err=', 'tx_h', ' appctx:', 'appc', 'sr'])
def test_a_line_that_is_cut_short_is_no_reply(end):
    with pytest.raises(replies.Malformed):
        parse(NEW[:NEW.rindex(end) + len(end)] + '\n\n')


@pytest.mark.parametrize('reply', [
    '# pxname\n', '  0x55: id=two(remote) addr=a:1 status=ESTA\n', 'Resolvers\r\n',
    NEW[:NEW.index('\n')] + '\n        flags=0x0\n'])
def test_what_is_no_reply(reply):
    with pytest.raises(replies.Malformed):
        parse(reply)


@pytest.mark.parametrize('reply', ['Unknown command.\n\n', 'Permission denied\n\n'])
def test_a_refusal_is_one(reply):
    """[errors are not data]"""
    with pytest.raises(CommandFailed, match=reply.strip()):
        parse(reply)
