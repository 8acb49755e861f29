# SPDX-License-Identifier: Apache-2.0
"""internal/dynamic.py: servers that are added and deleted, in all processes or in none."""
import itertools

import pytest

from haproxyadmin import exceptions
from haproxyadmin.internal import waiting
from tests.support import captured, fakes
from tests.unit.crews import BACKEND, NAME, WORD, Clock, Crew

NEW = BACKEND + '/new'
ADD = 'add server ' + NEW + ' 10.0.0.1:80'
READY = 'set server ' + NEW + ' state ready'
HEALTH, AGENT = 'enable health ' + NEW, 'enable agent ' + NEW
DELETE = 'disable agent {0};set server {0} state maint;del server {0}'.format(NEW)
EXPERIMENTAL = 'experimental-mode on;'
EXISTS = 'Already exists a server with the same name in backend.\n\n'
ABLE = ['2.6', '2.8', '3.0', '3.2', '3.4']
IN_USE = 'Server still has connections attached to it, cannot remove it.\n\n'


class Backend(object):
    """The processes of a backend that a test adds servers to."""

    def __init__(self, started, **options):
        self.started = started
        self.hap = started.haproxy(**options)
        self.backend = self.hap.backend(BACKEND)
        started.forget()

    def add(self, **options):
        return self.backend.add_server('new', '10.0.0.1:80', **options)

    @property
    def changes(self):
        return [[command for command in received if not command.startswith('show ')]
                for received in self.started.commands]


# Adding

@pytest.mark.parametrize('options, then', [
    ({}, READY), ({'ready': False}, None), ({'check': True, 'ready': False}, HEALTH),
    ({'check': True}, HEALTH + ';' + READY)])
@pytest.mark.parametrize('version', ABLE)
def test_what_is_sent(version, options, then, fleet):
    """[dynamic servers] Once all have added it, its checks and its state are set with one line."""
    site = Backend(fleet(version, 2))
    line = ADD + (' check' if options.get('check') else '')
    server = site.add(**options)
    assert site.changes == [[line] + [then] * (then is not None)] * 2
    assert (server.name, server.backendname) == ('new', BACKEND)
    assert all(len(received) <= 5 for received in site.started.commands)


@pytest.mark.parametrize('options, line', [
    ({'weight': 5}, ' weight 5'), ({'weight': '7'}, None), ({'maxconn': 5}, ' maxconn 5'),
    ({'weight': '50%'}, None), ({'check': 1}, None), ({'ready': 'no'}, None),
    ({'maxconn': True}, None), ({'maxconn': ' 9 '}, None), ({'maxconn': u'9'}, ' maxconn 9'),
    ({'send_proxy_v2': True}, ' send-proxy-v2'), ({'backup': False, 'id': None}, ''),
    ({'cookie': 'a b;c'}, ' cookie a\\ b\\;c'), ({'source': ('10.0.0.2', 'usesrc', 'client')},
                                                 ' source 10.0.0.2 usesrc client'),
    ({'inter': '2s', 'fall': 2, 'check': True}, ' fall 2 inter 2s check'),
    ({'set_proxy_v2_tlv_fmt(0x20)': '%[fc_pp_tlv(0x20)]'},
     ' set-proxy-v2-tlv-fmt(0x20) %[fc_pp_tlv(0x20)]'),
])
def test_keywords(options, line, fleet):
    """[dynamic servers]"""
    site = Backend(fleet('3.2', 1))
    if line is None:
        with pytest.raises(ValueError):
            site.add(**options)
        assert site.changes == [[]]
        return
    site.add(ready=False, **options)
    assert site.changes[0][0] == ADD + line


def test_an_agent_is_enabled_once_it_is_ready(fleet):
    """[dynamic servers] Otherwise one that only reports a weight would leave it down."""
    site = Backend(fleet('3.2', 2))
    line = ADD + ' agent-check agent-port 7'
    site.add(agent_check=True, agent_port=7)
    assert site.changes == [[line, READY + ';' + AGENT]] * 2


def test_2_4_wants_to_be_told_that_it_is_experimental(fleet):
    """[dynamic servers]"""
    site = Backend(fleet('2.4', 2))
    site.add()
    assert site.changes == [[EXPERIMENTAL + ADD, READY]] * 2


@pytest.mark.parametrize('options, needs', [({}, '2.4'), ({'check': True}, '2.6')])
@pytest.mark.parametrize('version', captured.VERSIONS)
def test_a_version_that_cannot_do_it(version, options, needs, fleet):
    """[not supported] Nothing is sent, not even to processes that can."""
    if captured.VERSIONS.index(version) >= captured.VERSIONS.index(needs):
        return
    started = fleet('3.2', 2)
    started[1].take_over(version)
    site = Backend(started)
    calls = [lambda: site.add(**options)]
    if not options:
        calls.append(lambda: site.backend.del_server(NAME, timeout=5))
    for call in calls:
        with pytest.raises(exceptions.NotSupported) as caught:
            call()
        assert caught.value.needs == needs and caught.value.socket_file == started.paths[1]
        assert site.changes == [[], []]


@pytest.mark.parametrize('refuses', [0, 1, 2])
def test_where_one_refuses_it_is_deleted_in_the_others(refuses, fleet):
    """[dynamic servers]"""
    site = Backend(fleet('3.2', 3))
    site.started[refuses].answers[ADD] = EXISTS
    with pytest.raises(exceptions.MultipleCommandResults) as caught:
        site.add()
    others = [path for number, path in enumerate(site.started.paths) if number != refuses]
    assert caught.value.undone == others and caught.value.not_undone == []
    assert caught.value.socket_file == site.started.paths[refuses]
    assert caught.value.command == ADD
    # Not where it was refused: there it is somebody else's.
    assert site.changes == [[ADD] if number == refuses else [ADD, DELETE] for number in range(3)]


def test_where_one_refuses_the_second_step(fleet):
    """[dynamic servers] It belongs to the change."""
    site = Backend(fleet('3.2', 2))
    site.started[1].answers[READY] = 'No such server.\n\n'
    with pytest.raises(exceptions.MultipleCommandResults) as caught:
        site.add()
    assert caught.value.undone == site.started.paths
    assert caught.value.command == READY
    assert site.changes == [[ADD, READY, DELETE]] * 2


def test_where_all_refuse_nothing_is_deleted(fleet):
    """[dynamic servers]"""
    site = Backend(fleet('3.2', 2))
    site.started.answer(ADD, EXISTS)
    with pytest.raises(exceptions.CommandFailed) as caught:
        site.add()
    assert str(caught.value) == EXISTS.strip()
    assert site.changes == [[ADD]] * 2
    assert site.add(die=False) is False


def test_2_4_where_one_refuses(fleet):
    """[dynamic servers]"""
    site = Backend(fleet('2.4', 2))
    site.started[1].answers[EXPERIMENTAL + ADD] = '\n' + EXISTS
    with pytest.raises(exceptions.MultipleCommandResults) as caught:
        site.add()
    assert caught.value.undone == site.started.paths[:1]
    assert site.changes[0][-1] == DELETE.replace('del ', EXPERIMENTAL + 'del ')


def test_what_cannot_be_deleted_again_is_told(fleet):
    """[dynamic servers]"""
    site = Backend(fleet('3.2', 2))
    site.started[1].answers[ADD] = EXISTS
    site.started[0].answers[DELETE] = '\n\n' + IN_USE
    with pytest.raises(exceptions.MultipleCommandResults) as caught:
        site.add()
    assert (caught.value.undone, caught.value.not_undone) == ([], site.started.paths[:1])


def test_a_process_that_is_lost_may_have_it(fleet):
    """[dynamic servers]"""
    site = Backend(fleet('3.2', 2))

    def losing(process, client):
        command = process.receive(client)
        reply = process.reply_to(command)
        if command != ADD:
            client.sendall(reply)
    site.started[1].fail(losing)
    with pytest.raises(exceptions.SocketApplicationError) as caught:
        site.add()
    assert caught.value.undone == site.started.paths[:1]
    assert caught.value.not_undone == site.started.paths[1:]


def test_a_change_of_two_processes_is_not_repeated(fleet):
    """[dynamic servers; retries] It would be refused: the name exists."""
    site = Backend(fleet('3.2', 1), retry=5, retry_interval=0)

    def losing(process, client):
        command = process.receive(client)
        if command != ADD:
            client.sendall(process.reply_to(command))
    site.started[0].fail(losing)
    with pytest.raises(exceptions.SocketApplicationError):
        site.add()
    assert site.changes == [[ADD]]


@pytest.mark.parametrize('options', [
    {'address': 'localhost:80'}, {'address': '10.0.0.1'}, {'name': ''}, {'name': '#3'},
    {'weight': 257}, {'a;b': True}, {'cookie': 'a\n'}, {'cookie': ['w'] * 62}])
def test_a_wrong_argument(options, fleet):
    """[argument checks] Nothing is sent."""
    site = Backend(fleet('3.2', 2))
    with pytest.raises(ValueError):
        site.backend.add_server(**dict({'name': 'new', 'address': '10.0.0.1:80'}, **options))
    assert site.changes == [[], []]


# Deleting

DEL = 'del server ' + WORD
MAINT, BACK = ['set server {0} state {1}'.format(WORD, state) for state in ('maint', 'ready')]
AGENT_OFF, AGENT_ON = 'disable agent ' + WORD, 'enable agent ' + WORD


class Deleting(Crew):
    """Some processes, in which a server can be deleted."""

    def __init__(self, started, refusals=(), agent=False, **options):
        """Refuse ``del server`` in each process with these replies, before it is done."""
        super(Deleting, self).__init__(started, **options)
        for member, replies in zip(self.members, refusals):
            self._refuse(member.process, member.process.handler, iter(replies))
        for member in self.members:
            if agent:
                member.give_agent()

    def _refuse(self, process, handler, replies):
        process.handler = lambda command: next(replies, None) if command.startswith(
            ('del ', EXPERIMENTAL)) else handler(command)

    def delete(self, **options):
        return self.backend.del_server(NAME, **options)


@pytest.fixture
def pauses(monkeypatch):
    """Advance the clock instead of sleeping; return the pauses."""
    return Clock(monkeypatch).slept


POINTED_AT = ('This server cannot be removed at runtime due to other configuration elements '
              'pointing to it.\n\n')


def test_a_server_is_deleted(fleet, pauses):
    """[dynamic servers]"""
    crew = Deleting(fleet('3.2', 2))
    assert crew.delete() is True
    assert crew.changes == [[MAINT, DEL]] * 2


def test_its_agent_is_switched_off(fleet, pauses):
    """[dynamic servers] It might take it out of maintenance."""
    crew = Deleting(fleet('3.2', 2), agent=True)
    assert crew.delete() is True
    assert crew.changes == [[AGENT_OFF, MAINT, DEL]] * 2


def test_2_4_wants_to_be_told_that_deleting_is_experimental(fleet, pauses):
    """[dynamic servers]"""
    crew = Deleting(fleet('2.4', 1))
    # It only deletes those.
    crew[0].set(is_added=True)
    assert crew.delete() is True
    assert crew.changes == [[MAINT, EXPERIMENTAL + DEL]]


def test_it_is_tried_until_no_connection_is_left(fleet, pauses):
    """[dynamic servers]"""
    crew = Deleting(fleet('3.2', 2), [[IN_USE, IN_USE], [IN_USE]])
    assert crew.delete(timeout=10, interval=1) is True
    assert crew.changes == [[MAINT, DEL, DEL, DEL], [MAINT, DEL, DEL]]


def test_past_the_deadline_it_stays_in_maintenance(fleet, pauses):
    """[dynamic servers; waiting] It says where it is deleted."""
    crew = Deleting(fleet('3.2', 2), [[], itertools.repeat(IN_USE)])
    with pytest.raises(exceptions.WaitTimeout) as caught:
        crew.delete(timeout=3, interval=1)
    assert caught.value.not_undone == crew.paths[:1]
    assert caught.value.result.sessions == 0 and caught.value.result.changed
    assert 'it still has connections' in str(caught.value)
    assert 'agent' not in str(caught.value)
    assert crew.states == ['maint'] * 2
    assert abs(sum(pauses) - 3) < 0.001
    assert crew.delete(timeout=1, die=False) is False


@pytest.mark.parametrize('sessions, use', [(3, '3 sessions and queued requests'),
                                           (0, 'connections')])
def test_past_the_deadline_its_agent_stays_switched_off(sessions, use, fleet, pauses):
    """[dynamic servers; waiting] It might take it out of maintenance; the message says so."""
    crew = Deleting(fleet('3.2', 1), [itertools.repeat(IN_USE)], agent=True)
    crew[0].hold(sessions)
    with pytest.raises(exceptions.WaitTimeout) as caught:
        crew.delete(timeout=3, interval=1)
    assert str(caught.value).endswith(', and its agent checks stay disabled')
    assert 'it still has ' + use in str(caught.value)
    assert caught.value.result.sessions == sessions and caught.value.not_undone == []
    assert crew.changes[0][:2] == [AGENT_OFF, MAINT] and AGENT_ON not in crew.changes[0]


def test_what_the_first_process_refuses_is_as_before(fleet, pauses):
    """[dynamic servers] The others are not asked."""
    crew = Deleting(fleet('3.2', 3), [[POINTED_AT]], agent=True)
    for member, state in zip(crew.members, ['drain', 'ready', 'maint']):
        member.put(state)
    with pytest.raises(exceptions.CommandFailed) as caught:
        crew.delete()
    assert str(caught.value) == POINTED_AT.strip()
    assert caught.value.not_undone == [] and caught.value.command == DEL
    assert crew.states == ['drain', 'ready', 'maint']
    assert all(changes[0] == AGENT_OFF and changes[-1] == AGENT_ON for changes in crew.changes)
    assert [DEL in changes for changes in crew.changes] == [True, False, False]


def test_what_another_process_refuses(fleet, pauses):
    """[dynamic servers] Where it is deleted already, that is told; elsewhere it is as before."""
    crew = Deleting(fleet('3.2', 3), [[], [POINTED_AT]])
    with pytest.raises(exceptions.HAProxyBaseError) as caught:
        crew.delete()
    assert caught.value.not_undone == [crew.paths[0], crew.paths[2]]
    assert crew.states[1] == 'ready'
    assert crew.changes[1] == [MAINT, DEL, BACK]


def test_a_server_that_others_track(fleet, pauses):
    """[dynamic servers] Nothing is sent: HAProxy would only refuse at the end."""
    crew = Deleting(fleet('3.2', 2))
    other = [name for proxy, name in crew.started[1].names('2')
             if proxy == BACKEND and name != NAME][0]
    crew.started[1].set(BACKEND, other, 'tracked', WORD)
    with pytest.raises(exceptions.CommandFailed) as caught:
        crew.delete()
    assert 'it is tracked by {0}/{1}'.format(BACKEND, other) in str(caught.value)
    assert crew.changes == [[], []]


def test_a_process_that_is_lost_while_it_deletes(fleet, pauses):
    """[dynamic servers]"""
    crew = Deleting(fleet('3.2', 2))

    def losing(process, client):
        command = process.receive(client)
        reply = process.reply_to(command)
        if command != DEL:
            client.sendall(reply)
    crew.started[1].fail(losing)
    with pytest.raises(exceptions.HAProxySocketError) as caught:
        crew.delete()
    assert crew.paths[0] in caught.value.not_undone
    assert caught.value.socket_file == crew.paths[1]


def test_an_interrupt_while_it_waits(fleet, pauses, monkeypatch):
    """[dynamic servers] It is as before."""
    crew = Deleting(fleet('3.2', 2), agent=True)
    crew[0].hold(1)

    def interrupt(seconds):
        raise KeyboardInterrupt
    monkeypatch.setattr(waiting.time, 'sleep', interrupt)
    with pytest.raises(KeyboardInterrupt) as caught:
        crew.delete()
    assert caught.value.not_undone == []
    assert crew.states == ['ready'] * 2
    assert [changes[-1] for changes in crew.changes] == [AGENT_ON] * 2


def test_a_name_that_is_not_there(fleet):
    crew = Crew(fleet('3.2', 2), timeout=fakes.LONG)
    with pytest.raises(ValueError):
        crew.backend.del_server('no')
    assert crew.changes == [[], []]
