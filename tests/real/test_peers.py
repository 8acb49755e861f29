# SPDX-License-Identifier: Apache-2.0
"""Two HAProxies that are peers of each other."""
import pytest

from haproxyadmin.haproxy import HAProxy
from tests.conftest import PATIENT, find, versions
from tests.support import lab as labs

pytestmark = pytest.mark.dealt_out

CONFIG = """
global
    stats socket "${HAPROXYADMIN_RUN}/${HAPROXYADMIN_PROCESS}.sock" level operator

defaults
    mode http
    timeout connect 2s
    timeout client 2s
    timeout server 2s

peers mypeers
    peer peer1 "127.0.0.1:${HAPROXYADMIN_PORT_PEER1}"
    peer peer2 "127.0.0.1:${HAPROXYADMIN_PORT_PEER2}"

peers others
    peer peer1 "127.0.0.1:${HAPROXYADMIN_PORT_OTHER1}"
    peer peer2 "127.0.0.1:${HAPROXYADMIN_PORT_OTHER2}"

frontend f
    bind "127.0.0.1:${HAPROXYADMIN_PORT_F}"

backend shared
    stick-table type string len 20 size 100 expire 10m store gpc0 peers mypeers
"""


@pytest.fixture(scope='module', params=versions())
def pair(request):
    with labs.Lab(find(request.param), config=CONFIG, instances=2,
                  arguments=['-L', 'peer{0}']) as started:
        started.wait_for_peers(2)
        yield started


@pytest.fixture
def hap(pair):
    return HAProxy(socket_dir=pair.socket_dir, timeout=PATIENT)


@pytest.fixture
def section(hap):
    return hap.peers_section('mypeers')


def test_the_sections_are_listed(hap):
    sections = hap.peers()
    assert sorted(section.name for section in sections) == ['mypeers', 'others']
    for section in sections:
        assert len(section.process_nb) == 2
        assert sorted(peer.name for peer in section.peers()) == ['peer1', 'peer2']
        assert [peer.is_connected for peer in section.peers()] == [True, True]


def test_both_are_connected(section, pair):
    for number, other in [(1, 2), (2, 1)]:
        peer = section.peer('peer{0}'.format(number))
        assert not peer.is_local
        assert [socket for socket, _ in peer.by_socket] == pair.socket_files
        states = dict(peer.by_socket)
        own, remote = [states[pair.socket_files[place - 1]] for place in (number, other)]
        assert own.is_local and not own.is_connected and own.status == 'NONE'
        assert not remote.is_local and remote.is_connected and remote.status == 'ESTA'
        assert own.address == remote.address and own.address.startswith('127.0.0.1:')
        assert peer.counters['new_conn'] == (
            own.fields['new_conn'] + remote.fields['new_conn']) >= 0
        assert remote.fields['appctx']['state'] == 'EST'


def test_one_process_alone(section, pair):
    first = HAProxy(socket_file=pair.socket_files[0], timeout=PATIENT).peers_section('mypeers')
    local, remote = first.peer('peer1'), first.peer('peer2')
    assert local.is_local and not local.is_connected
    assert not remote.is_local and remote.is_connected
    (_, state), = remote.by_socket
    assert [table['table']['id'] for table in state.tables] == ['shared']


def test_the_section_itself(section, pair):
    fields = section.fields_per_socket()
    assert [socket for socket, _ in fields] == pair.socket_files
    assert all(own['task_calls'] > 0 for _, own in fields)
    assert [number for number, _ in section.fields_per_process()] == section.process_nb


def test_an_entry_appears_in_the_other(section, pair):
    first, second = [HAProxy(socket_file=path, timeout=PATIENT) for path in pair.socket_files]
    assert first.command('set table shared key abc data.gpc0 7') == [(1, [''])]
    labs.wait_until(lambda: 'gpc0=7' in str(second.command('show table shared')), 'shared')

    def pushed():
        (_, state), = first.peers_section('mypeers').peer('peer2').by_socket
        table, = state.tables
        return table['table']['update'] >= 1 and table['last_pushed'] == table['table']['update']

    labs.wait_until(pushed, 'pushed')


def test_a_name_that_is_not_there(hap, section):
    with pytest.raises(ValueError) as info:
        hap.peers_section('mypeer')
    assert str(info.value).startswith("no peers section 'mypeer'; did you mean 'mypeers'?")
    with pytest.raises(ValueError) as info:
        section.peer('peer3')
    assert "no peer 'peer3' in peers section 'mypeers'; did you mean" in str(info.value)


def test_one_that_is_gone_is_seen(section, pair):
    """The last test: what is killed stays so."""
    first = HAProxy(socket_file=pair.socket_files[0], timeout=PATIENT).peers_section('mypeers')
    pair.kill_process(2)
    labs.wait_until(lambda: not first.peer('peer2').is_connected, 'seen')
    assert not first.peer('peer2').is_local
