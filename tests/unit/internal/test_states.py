# SPDX-License-Identifier: Apache-2.0
"""internal/states.py, and what servers say in words."""
import pytest

from haproxyadmin import exceptions
from tests.support import captured
from tests.unit.crews import BACKEND, NAME, STATES, WORD, Crew

ABLE = [version for version in captured.VERSIONS if not version.startswith('1.5')]


def words_of(server):
    return [name for name in ('is_up', 'is_down', 'is_draining', 'is_maintenance', 'is_checked')
            if getattr(server, name)]


# The status, the weight, the administrative bits, the state of the checks.
@pytest.mark.parametrize('status, weight, bits, checks, words', [
    ('UP', '1', 0, 6, ['is_up', 'is_checked']),
    ('UP 1/3', '256', 0, 6, ['is_up', 'is_checked']),
    ('UP -1/3', '1', 0, 2, ['is_up']),
    ('UP', '0', 0, 6, ['is_checked']),
    ('no check', '1', 0, 0, ['is_up']),
    ('no check', '0', 0, 0, []),
    ('DOWN', '1', 0, 6, ['is_down', 'is_checked']),
    ('DOWN 1/2', '1', 0, 6, ['is_down', 'is_checked']),
    ('DOWN (agent)', '1', 0, 6, ['is_down', 'is_checked']),
    ('DOWN', '1', 8, 6, ['is_down', 'is_draining', 'is_checked']),
    ('NOLB', '1', 0, 6, ['is_checked']),
    ('NOLB 1/2', '1', 0, 6, ['is_checked']),
    ('DRAIN', '1', 8, 6, ['is_draining', 'is_checked']),
    ('DRAIN 1/2', '1', 16, 0, ['is_draining']),
    ('DRAIN (agent)', '1', 8, 0, ['is_draining']),
    ('MAINT', '1', 1, 14, ['is_maintenance', 'is_checked']),
    ('MAINT (via web/w1)', '1', 2, 0, ['is_maintenance']),
    ('MAINT (resolution)', '1', 32, 14, ['is_maintenance', 'is_checked']),
    ('MAINT(via)', '1', 2, 0, ['is_maintenance']),
])
def test_the_status_in_words(status, weight, bits, checks, words, fleet):
    """[status in words]"""
    crew = Crew(fleet('3.2', 2))
    for member in crew.members:
        member.process.set(BACKEND, NAME, 'status', status)
        member.process.set(BACKEND, NAME, 'weight', weight)
        member.server.check.bits, member.server.admin = checks, bits
    assert words_of(crew.server) == words


@pytest.mark.parametrize('name, command', [
    ('is_up', 'show stat 9 4 1'), ('is_down', 'show stat 9 4 1'), ('is_draining', STATES),
    ('is_maintenance', STATES), ('is_checked', STATES),
    ('initial_weight', 'get weight ' + WORD)])
def test_each_costs_a_command(name, command, fleet):
    """[status in words; one command per call]"""
    crew = Crew(fleet('3.2', 3))
    getattr(crew.server, name)
    for received in crew.started.commands:
        assert len(received) == 1
        assert received[0].split()[:2] == command.split()[:2]


@pytest.mark.parametrize('version', ABLE)
def test_every_version(version, fleet):
    """[status in words] Two processes in different states are in neither."""
    crew = Crew(fleet(version, 2))
    for states, words in [
            (('ready', 'ready'), ['is_up', 'is_checked']), (('drain', 'ready'), ['is_checked']),
            (('drain', 'drain'), ['is_draining', 'is_checked']),
            (('drain', 'maint'), ['is_checked']),
            (('maint', 'maint'), ['is_maintenance', 'is_checked'])]:
        for member, state in zip(crew.members, states):
            member.put(state)
        assert words_of(crew.server) == words
    assert crew.server.initial_weight == 100


def test_a_snapshot_knows_some_words(fleet):
    """[status in words] The others ask HAProxy."""
    crew = Crew(fleet('3.2', 2))
    server = crew.hap.snapshot().backend(BACKEND).server(NAME)
    for member in crew.members:
        member.put('maint')
    crew.started.forget()
    assert server.is_up is True and server.is_down is False
    assert crew.started.commands == [[], []]
    assert server.is_maintenance is True
    assert crew.started.commands == [[STATES]] * 2


def test_a_server_that_is_gone(fleet):
    crew = Crew(fleet('3.2', 2))
    crew[1].lose_server()
    for name in ('is_draining', 'is_maintenance', 'is_checked'):
        with pytest.raises(exceptions.NoSuchObject) as caught:
            getattr(crew.server, name)
        assert crew.paths[1] in str(caught.value)


@pytest.mark.parametrize('reply', ["Can't find backend.\n\n", 'Permission denied\n\n'])
def test_a_refusal(reply, fleet):
    crew = Crew(fleet('3.2', 2))
    crew[0].process.handler = lambda command: reply if command == STATES else None
    with pytest.raises(exceptions.CommandFailed) as caught:
        crew.server.is_draining
    assert reply.split('\n')[0] in str(caught.value)
    assert caught.value.socket_file == crew.paths[0]


def test_weights_that_differ(fleet):
    """[differences]"""
    crew = Crew(fleet('3.2', 2))
    crew[1].process.answers['get weight ' + WORD] = '100 (initial 7)\n\n'
    with pytest.raises(exceptions.IncosistentData):
        crew.server.initial_weight


@pytest.mark.parametrize('version, words', [
    ('2.2', {'OPEN': True, 'FULL': True, 'STOP': False}),
    ('3.2', {'OPEN': True, 'FULL': True, 'PAUSED': False, 'STOP': False})])
def test_frontends(version, words, fleet):
    """[status in words]"""
    started = fleet(version, 2)
    frontend = started.haproxy().frontend('frontend_proc1')
    for status, is_open in words.items():
        started[0].set('frontend_proc1', 'FRONTEND', 'status', status)
        assert frontend.is_open is is_open
    started[0].set('frontend_proc1', 'FRONTEND', 'status', 'OPEN')
    started[1].set('frontend_proc1', 'FRONTEND', 'status', 'STOP')
    assert frontend.is_open is False


@pytest.mark.parametrize('version', ['2.4.0', '2.4.26', '2.3.1', '2.5.9', '2.6.5'])
def test_a_frontend_of_a_version_that_does_not_know(version, fleet):
    """[not supported] 2.4 says OPEN of a disabled one."""
    started = fleet('2.4', 2)
    started[1].info['Version'] = version
    started[0].info['Version'] = '2.6.6'
    frontend = started.haproxy().frontend('frontend_proc1')
    with pytest.raises(exceptions.NotSupported) as caught:
        frontend.is_open
    assert (caught.value.needs, caught.value.has) == ('2.6.6', version)
    assert caught.value.socket_file == started.paths[1]


@pytest.mark.parametrize('statuses, is_up', [
    (('UP', 'UP'), True), (('UP', 'DOWN'), False), (('DOWN', 'DOWN'), False),
    (('UP (0/0)', 'UP'), True)])
def test_backends(statuses, is_up, fleet):
    """[status in words]"""
    started = fleet('3.2', 2)
    backend = started.haproxy().backend(BACKEND)
    for process, status in zip(started, statuses):
        process.set(BACKEND, 'BACKEND', 'status', status)
    assert backend.is_up is is_up
