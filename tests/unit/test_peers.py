# SPDX-License-Identifier: Apache-2.0
"""peers.py: peers over several processes."""
import json
import pickle

import pytest

from haproxyadmin import exceptions
from tests.support import captured
from tests.unit.parsers.test_peers import NEW, OLD

# The same section, as the other peer sees it: its own connection is being made.
OTHER = NEW.replace('id=two(remote', 'id=one(remote').replace('=ESTA', '=CONN') + """\
  0x7f3769669380: id=two(local,inactive) addr=127.0.0.1:34367 last_status=NONE
        reconnect=<NEVER> tx_hbt=10 new_conn=0
        flags=0x0

"""
OTHER = OTHER.replace('\n\n  0x', '\n  0x')


@pytest.fixture
def pair(fleet):
    started = fleet('3.2', 2)
    started[0].answers['show peers'] = NEW
    started[1].answers['show peers'] = OTHER
    return started


@pytest.mark.parametrize('version', ['2.0', '2.2', '3.4'])
def test_what_haproxy_has(version, fleet):
    started = fleet(version, 2)
    started.answer('show peers', captured.dump(version, 'peers.txt').decode('ascii'))
    section, = started.haproxy().peers()
    assert section.name == 'mypeers' and len(section.process_nb) == 2
    peer = section.peer('other')
    assert not peer.is_local and not peer.is_connected
    assert [socket for socket, _ in peer.by_socket] == started.paths
    assert [state.status for _, state in peer.by_socket] == [
        'HSHK' if version == '3.4' else 'CONN'] * 2


def test_peers_of_several_processes(pair):
    section = pair.haproxy().peers_section('p')
    two, one = section.peers()
    assert (two.name, two.is_local, two.is_connected) == ('two', False, True)
    assert (one.name, one.is_local, one.is_connected) == ('one', False, False)
    assert [socket for socket, _ in two.by_socket] == pair.paths
    assert [(state.is_local, state.is_connected, state.status) for _, state in two.by_socket] == [
        (False, True, 'ESTA'), (True, False, 'NONE')]
    # Numbers only, and not those of the connection.
    assert two.counters == {'confirm': 0, 'tx_hbt': 11, 'rx_hbt': 1, 'no_hbt': 0, 'new_conn': 1,
                            'proto_err': 0, 'coll': 1}
    assert [socket for socket, _ in one.by_socket] == pair.paths[1:]


def test_all_processes_must_be_connected(pair):
    hap = pair.haproxy()
    pair[1].answers['show peers'] = NEW
    assert hap.peers_section('p').peer('two').is_connected
    pair[1].answers['show peers'] = NEW.replace('=ESTA', '=CONN')
    assert not hap.peers_section('p').peer('two').is_connected
    assert hap.peers_section('p').peer('two').counters['new_conn'] == 2


def test_a_local_peer_is_not_connected(pair):
    pair[0].answers['show peers'] = OTHER
    peer = pair.haproxy().peers_section('p').peer('two')
    assert peer.is_local and not peer.is_connected


def test_the_section_itself(pair):
    section = pair.haproxy().peers_section('p')
    fields = {'disabled': 0, 'flags': '0x28b00003', 'resync_timeout': '<PAST>',
              'task_calls': 2061}
    assert section.fields_per_process() == [(1, fields)] * 2
    assert section.fields_per_socket() == [(path, fields) for path in pair.paths]


def test_what_it_costs(pair):
    """[one command per call]"""
    hap = pair.haproxy()
    section = hap.peers_section('p')
    for call in (section.peers, lambda: section.peer('two'), section.fields_per_process,
                 section.fields_per_socket, hap.peers, lambda: hap.peers_section('p')):
        pair.forget()
        call()
        assert pair.commands == [['show peers']] * 2
    pair.forget()
    repr(section), section.name, section.process_nb
    assert pair.commands == [[], []]


def test_objects(fleet):
    """[equality]"""
    started = fleet('2.2', 2)
    started.answer('show peers', OLD)
    hap = started.haproxy()
    section = hap.peers_section('p')
    assert [each.name for each in hap.peers()] == ['q', 'p']
    assert repr(section) == "PeersSection('p', processes=[1, 2])"
    assert section == hap.peers()[1] == 'p' and section != hap.peers()[0]
    assert len(set([section, hap.peers()[1]])) == 1
    assert pickle.loads(pickle.dumps(section, 2)).peers() == section.peers()
    peer = section.peer('two')
    assert json.loads(json.dumps(peer._asdict()))['counters']['rx_hbt'] == 4
    assert pickle.loads(pickle.dumps(peer, 2)) == peer


def test_a_name_that_is_not_there(pair):
    """[what is not there]"""
    hap = pair.haproxy()
    with pytest.raises(ValueError) as info:
        hap.peers_section('dict')
    assert str(info.value) == "no peers section 'dict'; there is 'p'"
    with pytest.raises(ValueError) as info:
        hap.peers_section('p').peer('three')
    assert str(info.value) == "no peer 'three' in peers section 'p'; there are 'one' and 'two'"


def test_a_section_that_is_gone(pair):
    """[stale ids]"""
    section = pair.haproxy().peers_section('p')
    del pair[1].answers['show peers']
    with pytest.raises(exceptions.NoSuchObject, match="section 'p' is gone from process 1 on "):
        section.peers()


def test_a_version_that_is_too_old(fleet):
    started = fleet('1.8', 2)
    hap = started.haproxy()
    for call in (hap.peers, lambda: hap.peers_section('p')):
        with pytest.raises(exceptions.NotSupported, match='needs HAProxy 2.0') as info:
            call()
        assert info.value.needs == '2.0' and info.value.has.startswith('1.8')
    assert started.commands == [[], []]


def test_without_any(fleet):
    started = fleet('2.2', 1)
    assert started.haproxy().peers() == []
