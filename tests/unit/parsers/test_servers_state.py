# SPDX-License-Identifier: Apache-2.0
"""parsers/servers_state.py: the state of servers, in every version that reports it."""
import pytest

from haproxyadmin.exceptions import CommandFailed
from haproxyadmin.parsers import servers_state
from haproxyadmin.parsers.lines import split_lines
from haproxyadmin.protocol.replies import Malformed
from tests.support import captured

VERSIONS = [version for version in captured.VERSIONS
            if captured.has_dump(version, 'servers_state.txt')]
HEADER = ('# be_id be_name srv_id srv_name srv_addr srv_op_state srv_admin_state srv_uweight '
          'srv_iweight srv_time_since_last_change srv_check_status srv_check_result '
          'srv_check_health srv_check_state srv_agent_state bk_f_forced_id srv_f_forced_id '
          'srv_fqdn srv_port srvrecord')
ROW = '8 web 1 web1 10.0.0.1 {op} {admin} 100 50 2 15 3 2 {check} {agent} 0 0 - 80 -'


def dump(version):
    return split_lines(captured.dump(version, 'servers_state.txt'))


def lines(*rows):
    return ['1', HEADER] + [row.format(op=2, admin=0, check=6, agent=0) for row in rows] + ['']


def state(op=2, admin=0, check=6, agent=0):
    row = ROW.format(op=op, admin=admin, check=check, agent=agent)
    return servers_state.parse_states(['1', HEADER, row, ''])[0]


def test_there_is_a_dump_of_every_version_that_has_the_command():
    assert VERSIONS == captured.VERSIONS[captured.VERSIONS.index('1.6'):]


@pytest.mark.parametrize('version', VERSIONS)
def test_the_dump_of_each_version(version):
    states = servers_state.parse_states(dump(version))
    assert len(states) == len([line for line in dump(version)[2:] if line]) >= 14
    columns = 25 if captured.VERSIONS.index(version) >= captured.VERSIONS.index('2.4') else (
        17 if version == '1.6' else len(states[0]))
    assert set(map(len, states)) == set([columns])
    by_name = dict(((each['be_name'], each['srv_name']), each) for each in states)
    first = by_name['backend_proc1', 'backend_proc1_srv1']
    assert servers_state.text_of(first, 'srv_addr') == '127.0.0.1'
    assert servers_state.text_of(first, 'srv_fqdn') == ''
    assert servers_state.own_state(first) == 'ready' and servers_state.health_of(first) == 'up'
    assert servers_state.is_checked(first) and servers_state.has_check(first)
    assert not servers_state.is_checked(first, 'srv_agent_state')
    # It is disabled in the configuration.
    disabled = by_name['backend_proc1', 'backend_proc1_srv3']
    assert servers_state.own_state(disabled) == 'maint'
    assert servers_state.is_in_maintenance(disabled) and servers_state.health_of(disabled) is None
    with_agent = by_name['backend_proc1', 'backend_proc1_srv2']
    assert servers_state.is_checked(with_agent, 'srv_agent_state')
    unchecked = by_name['backend_proc1', 'backend_proc1_srv4']
    assert not servers_state.has_check(unchecked) and not servers_state.is_checked(unchecked)


@pytest.mark.parametrize('version', VERSIONS)
def test_one_server_is_found_as_all_are_parsed(version):
    found = dump(version)
    for each in servers_state.parse_states(found):
        names = [other['srv_name'] for other in servers_state.parse_states(found)]
        if names.count(each['srv_name']) == 1:
            assert servers_state.find_state(found, each['srv_name']) == each
    assert servers_state.find_state(found, 'backend_proc1_srv') is None
    assert servers_state.find_state(found, 'backend_proc1') is None


def test_a_name_is_not_found_in_another_column():
    """A server may have the name of its backend, or a number for a name."""
    found = lines('8 web 1 web2 web 2 0 1 1 0 1 0 1 0 0 0 0 - 80 -',
                  '8 web 2 web 1.1.1.1 2 0 1 1 0 1 0 1 0 0 0 0 - 80 -',
                  '8 web 3 80 1.1.1.2 2 0 1 1 0 1 0 1 0 0 0 0 - 80 -')
    assert servers_state.find_state(found, 'web')['srv_id'] == '2'
    assert servers_state.find_state(found, '80')['srv_id'] == '3'
    assert servers_state.find_state(found, '1') is None


def test_a_backend_without_servers():
    assert servers_state.parse_states(['1', HEADER, '']) == []
    assert servers_state.find_state(['1', HEADER, ''], 'web') is None


@pytest.mark.parametrize('version', captured.VERSIONS)
def test_what_else_a_version_answers_is_a_refusal(version):
    replies = [case['reply'] for case in captured.replies(command_prefix='show servers state')
               if case['version'] == version and not case['reply'].startswith('1\n')]
    assert replies
    for reply in replies:
        with pytest.raises((CommandFailed, Malformed)):
            servers_state.parse_states(split_lines(reply.encode('utf-8')))


@pytest.mark.parametrize('wrong', [
    [], [''], ['1'], ['2', HEADER], ['1', ''], ['1', '# something else'], ['1', HEADER[2:]]])
def test_what_is_not_such_a_reply(wrong):
    for parse in (servers_state.parse_states, lambda found: servers_state.find_state(found, 'w')):
        with pytest.raises((CommandFailed, Malformed)):
            parse(wrong)


@pytest.mark.parametrize('row', ['8 web 1 web1 10.0.0.1', ROW + ' more', 'x web1 y'])
def test_a_row_that_is_not_complete(row):
    with pytest.raises(Malformed):
        servers_state.parse_states(lines(row))
    with pytest.raises(Malformed):
        servers_state.find_state(lines(row), 'web1')


@pytest.mark.parametrize('admin, own, maintenance, draining', [
    (0, 'ready', False, False), (1, 'maint', True, False), (5, 'maint', True, False),
    (4, 'ready', False, False), (2, 'ready', True, False), (32, 'ready', True, False),
    (33, 'maint', True, False), (8, 'drain', False, True), (16, 'ready', False, True),
    (9, 'maint', True, True), (24, 'drain', False, True), (10, 'drain', True, True),
    (18, 'ready', True, True)])
def test_administrative_bits(admin, own, maintenance, draining):
    """[status in words] Inherited bits count, but were not set."""
    found = state(admin=admin)
    assert servers_state.own_state(found) == own
    assert servers_state.is_in_maintenance(found) is maintenance
    assert servers_state.is_draining(found) is draining


@pytest.mark.parametrize('op, admin, health', [
    (0, 0, 'down'), (1, 0, 'up'), (2, 0, 'up'), (3, 0, 'stopping'), (0, 1, None), (2, 8, 'up'),
    (0, 8, 'down'), (7, 0, None)])
def test_the_health(op, admin, health):
    assert servers_state.health_of(state(op=op, admin=admin)) == health


@pytest.mark.parametrize('check, agent, expected', [
    (6, 0, (True, True, False, False)), (14, 22, (True, True, True, True)),
    (2, 18, (True, False, True, False)), (0, 0, (False, False, False, False)),
    (7, 23, (True, True, True, True)), (3, 19, (True, False, True, False))])
def test_checks(check, agent, expected):
    found = state(check=check, agent=agent)
    assert (servers_state.has_check(found), servers_state.is_checked(found),
            servers_state.has_check(found, 'srv_agent_state'),
            servers_state.is_checked(found, 'srv_agent_state')) == expected


def test_a_field_that_is_empty_or_that_a_version_does_not_report():
    assert servers_state.text_of(state(), 'srv_fqdn') == ''
    assert servers_state.text_of(state(), 'srv_check_addr') == ''
    assert servers_state.text_of(state(), 'srv_port') == '80'


@pytest.mark.parametrize('reply, weight', [
    ('75 (initial 100)', 100), ('0 (initial 256)', 256), ('1 (initial 0)', 0)])
def test_the_configured_weight(reply, weight):
    assert servers_state.parse_initial_weight([reply, '']) == weight


@pytest.mark.parametrize('reply', ['No such server.', '', '75', '75 (initial x)',
                                   '75 (initial 100) x', "Require 'backend/server'."])
def test_what_is_not_a_weight(reply):
    with pytest.raises((CommandFailed, Malformed)):
        servers_state.parse_initial_weight([reply, ''])


@pytest.mark.parametrize('version', captured.VERSIONS)
def test_the_weight_in_every_version(version):
    cases = [case for case in captured.replies(command_prefix='get weight ')
             if case['version'] == version and case['reply'].startswith(tuple('0123456789'))]
    assert cases
    for case in cases:
        assert servers_state.parse_initial_weight(
            split_lines(case['reply'].encode('utf-8'))) == 100
