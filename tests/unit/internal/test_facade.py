# -*- coding: utf-8 -*-
# SPDX-License-Identifier: Apache-2.0
"""internal/facade.py: reads, changes and retries, on one process or many."""
import gc
import pickle
import re
import sys
import threading

import pytest
import six

from haproxyadmin import combine, exceptions, internal
from haproxyadmin.facade import Facade
from haproxyadmin.internal import base, calls, fanout
from haproxyadmin.protocol import metrics
from tests.support import captured, fakes, lab as labs

REFUSAL = 'No such thing.\n\n'
FRONTEND, BACKEND, SERVER = 'frontend_proc1', 'backend_proc1', 'backend_proc1_srv1'


class Objects(object):
    """The library's objects for a fleet of processes."""

    def __init__(self, started, **options):
        self.hap = started.haproxy(**options)
        self.frontend = self.hap.frontend(FRONTEND)
        self.server = self.hap.server(SERVER, BACKEND)[0]
        started.forget()


# Every method that changes something: the command that it sends, and how to call it.
CHANGES = [
    ('set maxconn global 100', lambda on, **die: on.hap.setmaxconn(100, **die)),
    ('set rate-limit connections global 5', lambda on, **die: on.hap.setratelimitconn(5, **die)),
    ('set rate-limit sessions global 5', lambda on, **die: on.hap.setratelimitsess(5, **die)),
    ('set rate-limit ssl-sessions global 5', lambda on, **die: on.hap.setratelimitsslsess(
        5, **die)),
    ('clear counters', lambda on, **die: on.hap.clearcounters(**die)),
    ('clear counters all', lambda on, **die: on.hap.clearcounters(all=True, **die)),
    ('add acl #4 /x', lambda on, **die: on.hap.add_acl(4, '/x', **die)),
    ('del acl #4 /x', lambda on, **die: on.hap.del_acl(acl=4, key='/x', **die)),
    ('clear acl #4', lambda on, **die: on.hap.clear_acl(acl='4', **die)),
    ('add map #7 k v\\ w', lambda on, **die: on.hap.add_map(7, 'k', 'v w', **die)),
    ('set map /f k v', lambda on, **die: on.hap.set_map(mapid='/f', key='k', value='v', **die)),
    ('del map #7 k', lambda on, **die: on.hap.del_map(7, 'k', **die)),
    ('clear map #7', lambda on, **die: on.hap.clear_map(mapid='#7', **die)),
    ('enable frontend frontend_proc1', lambda on, **die: on.frontend.enable(**die)),
    ('disable frontend frontend_proc1', lambda on, **die: on.frontend.disable(**die)),
    ('shutdown frontend frontend_proc1', lambda on, **die: on.frontend.shutdown(**die)),
    ('set maxconn frontend frontend_proc1 9', lambda on, **die: on.frontend.setmaxconn(9, **die)),
    ('enable server backend_proc1/backend_proc1_srv1',
     lambda on, **die: on.server.setstate('enable', **die)),
    ('disable server backend_proc1/backend_proc1_srv1',
     lambda on, **die: on.server.setstate('disable', **die)),
    ('set server backend_proc1/backend_proc1_srv1 state drain',
     lambda on, **die: on.server.setstate(state='drain', **die)),
    ('set weight backend_proc1/backend_proc1_srv1 20%',
     lambda on, **die: on.server.setweight('20%', **die)),
    ('shutdown sessions server backend_proc1/backend_proc1_srv1',
     lambda on, **die: on.server.shutdown(**die)),
]
EVERY_CHANGE = pytest.mark.parametrize('command, change', CHANGES, ids=[
    command for command, _ in CHANGES])
# The verdict does not depend on the method, so one method of each class is enough.
SOME_CHANGES = pytest.mark.parametrize('command, change', [CHANGES[0], CHANGES[9], CHANGES[13],
                                                           CHANGES[20]])


def refuse(started, *numbers):
    """Make the numbered processes refuse every command, and the others accept it."""
    for process in started:
        process.behaviour = answering_all(REFUSAL if process.number in numbers else '\n')


def answering_all(reply, truly=('show info',)):
    """Return a behaviour that sends ``reply`` unless the command starts with ``truly``."""
    def behave(process, client):
        command = process.receive(client)
        client.sendall(process.reply_to(command) if command.startswith(truly)
                       else fakes.raw(reply))
    return behave


# Changes

@EVERY_CHANGE
def test_a_change_goes_to_every_process_at_once(command, change, fleet):
    """[verdicts; one command per call]
    Each process receives one command, and the result is True if all accept it."""
    started = fleet('2.2', 4)
    on = Objects(started)
    refuse(started)
    assert change(on) is True
    assert started.commands == [[command]] * 4
    assert started.connections == [1] * 4


@EVERY_CHANGE
def test_a_change_that_all_refuse_failed(command, change, fleet):
    """[verdicts]"""
    started = fleet('2.2', 3)
    on = Objects(started)
    refuse(started, 1, 2, 3)
    with pytest.raises(exceptions.CommandFailed) as caught:
        change(on)
    assert str(caught.value) == 'No such thing.'
    assert caught.value.results == [(number, 'No such thing.') for number in (1, 2, 3)]
    assert caught.value.by_socket == [(path, 'No such thing.') for path in started.paths]
    assert started.commands == [[command]] * 3


@EVERY_CHANGE
@pytest.mark.parametrize('refusing', [(1, 2, 3), (2, 3)])
def test_a_refusal_has_the_command_and_the_first_socket_that_refused(
        refusing, command, change, fleet):
    started = fleet('2.2', 3)
    on = Objects(started)
    refuse(started, *refusing)
    with pytest.raises(exceptions.HAProxyBaseError) as caught:
        change(on)
    assert isinstance(caught.value, (exceptions.CommandFailed, exceptions.MultipleCommandResults))
    assert caught.value.command == command
    assert caught.value.socket_file == started[refusing[0] - 1].path
    assert [path for path, _ in caught.value.by_socket] == started.paths
    if hasattr(caught.value, 'add_note'):
        note, = caught.value.__notes__
        assert command in note.replace('\\\\', '\\') and note.endswith(caught.value.socket_file)
    again = pickle.loads(pickle.dumps(caught.value))
    assert (again.command, again.socket_file, again.by_socket) == (
        caught.value.command, caught.value.socket_file, caught.value.by_socket)


@pytest.mark.parametrize('command, read', [
    ('show map #99', lambda hap: hap.show_map(99)), ('show acl #99', lambda hap: hap.show_acl(99)),
    ('get map #99 k', lambda hap: hap.get_map(99, 'k')),
    ('get acl #99 k', lambda hap: hap.get_acl(99, 'k')), ('show errors', lambda hap: hap.errors())])
def test_a_read_that_is_refused_has_the_command_and_the_socket(command, read, fleet):
    started = fleet('2.2', 2)
    on = Objects(started)
    started.answer(command, 'Unknown map identifier. Please use #<id> or <file>.\n\n')
    with pytest.raises(exceptions.CommandFailed) as caught:
        read(on.hap)
    assert (caught.value.command, caught.value.socket_file) == (command, started[0].path)
    assert caught.value.by_socket[0][0] == started[0].path
    assert str(caught.value) == 'Unknown map identifier. Please use #<id> or <file>.'


def test_a_refusal_keeps_secrets_to_itself(fleet):
    """[secrets] A payload may contain a private key."""
    started = fleet('2.2', 1)
    process = started.haproxy()._processes[0]
    for command, shown in [(b'set ssl cert a.pem <<\nc2VjcmV0\n', 'set ssl cert a.pem <<'),
                           (b'set ssl tls-key #0 c2VjcmV0', 'set ssl tls-key #0 ...')]:
        started.answer(command.decode('ascii'), 'No such thing.\n\n')
        with pytest.raises(exceptions.CommandFailed) as caught:
            calls.change_each([process], lambda process: process.change_operation(command))
        assert (caught.value.command, caught.value.socket_file) == (shown, started[0].path)
        assert 'c2V' not in repr(caught.value.__dict__)


def test_a_refusal_for_the_level_has_the_command_that_was_refused(fleet):
    started = fleet('2.2', 2)
    on = Objects(started)
    started[0].level = started[1].level = 'operator'
    with pytest.raises(exceptions.CommandFailed) as caught:
        on.hap.setmaxconn(5)
    assert (caught.value.command, caught.value.socket_file) == (
        'set maxconn global 5', started[0].path)
    with pytest.raises(exceptions.CommandFailed) as caught:
        on.hap.errors()
    assert caught.value.command == 'show errors'


@EVERY_CHANGE
def test_die_false_returns_false_in_place_of_raising(command, change, fleet):
    """[verdicts] For every method that changes something."""
    started = fleet('2.2', 2)
    on = Objects(started)
    refuse(started, 1, 2)
    assert change(on, die=False) is False
    refuse(started, 2)
    assert change(on, die=False) is False
    started[0].behaviour = fakes.closing
    assert change(on, die=False) is False
    refuse(started)
    assert change(on, die=False) is True
    for commands in started.commands:
        assert [sent for sent in commands if sent != 'show info'] == [command] * 4
        # After a failed exchange, another version may have taken over.
        assert commands.count('show info') <= 1


@SOME_CHANGES
def test_a_change_that_some_refuse_has_mixed_results(command, change, fleet):
    """[verdicts] The others still receive it; verdicts are compared, not texts."""
    started = fleet('2.2', 4)
    on = Objects(started)
    refuse(started, 1, 3)
    with pytest.raises(exceptions.MultipleCommandResults) as caught:
        change(on)
    assert caught.value.results == [(1, 'No such thing.'), (2, ''), (3, 'No such thing.'), (4, '')]
    assert caught.value.by_socket == list(zip(
        started.paths, ['No such thing.', '', 'No such thing.', '']))
    assert started.commands == [[command]] * 4


@SOME_CHANGES
def test_different_words_are_the_same_verdict(command, change, fleet):
    """[verdicts]"""
    started = fleet('2.2', 2)
    on = Objects(started)
    started.answer(command, '\n')
    started[1].answers[command] = 'Done.\n\n'
    assert change(on) is True
    started[0].answers[command] = 'No such server.\n\n'
    started[1].answers[command] = 'No such backend.\n\n'
    with pytest.raises(exceptions.CommandFailed) as caught:
        change(on)
    assert str(caught.value) == 'No such server.'
    assert caught.value.results == [(1, 'No such server.'), (2, 'No such backend.')]


@SOME_CHANGES
@pytest.mark.parametrize('behaviour, kind', [
    (fakes.closing, exceptions.SocketApplicationError),
    (fakes.silent, exceptions.SocketTimeout),
    (fakes.resetting(), exceptions.SocketApplicationError),
    (fakes.replying(b'Donn'), exceptions.SocketApplicationError),
])
def test_the_others_get_the_change_though_one_cannot_be_talked_to(
        behaviour, kind, command, change, fleet):
    """[verdicts] The exception contains their replies."""
    started = fleet('2.2', 4)
    on = Objects(started)
    refuse(started, 4)
    started[1].behaviour = behaviour
    if behaviour is fakes.silent:
        started.hasten(on.hap, 1)
    with pytest.raises(kind) as caught:
        change(on)
    assert caught.value.socket_file == started[1].path
    assert caught.value.results == [(1, ''), (3, ''), (4, 'No such thing.')]
    assert caught.value.by_socket == [(started[0].path, ''), (started[2].path, ''),
                                      (started[3].path, 'No such thing.')]
    for process in (started[0], started[2], started[3]):
        assert process.commands == [command]


def test_of_several_that_cannot_be_talked_to_the_first_is_raised(fleet):
    """[verdicts; stable order]"""
    started = fleet('2.2', 4)
    on = Objects(started)
    refuse(started)
    started[3].refuse()
    started[1].behaviour = fakes.closing
    with pytest.raises(exceptions.SocketApplicationError) as caught:
        on.hap.setmaxconn(5)
    assert caught.value.socket_file == started[1].path
    assert caught.value.results == [(1, ''), (3, '')]


def test_processes_of_the_same_number_are_told_apart_by_their_socket(fleet):
    """[verdicts] From 2.5 on, every process is number 1."""
    started = fleet('2.6', 2)
    on = Objects(started)
    started.answer('clear counters', '\n')
    started[1].answers['clear counters'] = REFUSAL
    with pytest.raises(exceptions.MultipleCommandResults) as caught:
        on.hap.clearcounters()
    assert caught.value.results == [(1, ''), (1, 'No such thing.')]
    assert caught.value.by_socket == [(started[0].path, ''), (started[1].path, 'No such thing.')]


def test_a_refusal_for_the_level_tells_the_level(fleet):
    started = fleet('2.2', 2)
    on = Objects(started)
    started[0].level = started[1].level = 'operator'
    with pytest.raises(exceptions.CommandFailed) as caught:
        on.hap.setmaxconn(5)
    assert str(caught.value).startswith('Permission denied')
    assert 'operator' in str(caught.value)
    assert started.commands == [['set maxconn global 5', 'show cli level']] * 2


@pytest.mark.parametrize('call', [
    lambda on, **die: on.hap.setmaxconn('x', **die),
    lambda on, **die: on.hap.setratelimitconn(-1, **die),
    lambda on, **die: on.hap.setratelimitsess(True, **die),
    lambda on, **die: on.hap.setratelimitsslsess(1.5, **die),
    lambda on, **die: on.hap.add_acl('@1', 'x', **die),
    lambda on, **die: on.hap.add_acl(None, 'x', **die),
    lambda on, **die: on.hap.add_acl(4, '', **die),
    lambda on, **die: on.hap.del_acl(4, 'a\nb', **die),
    lambda on, **die: on.hap.clear_acl('#', **die),
    lambda on, **die: on.hap.get_acl(4, None, **die),
    lambda on, **die: on.hap.show_acl('', **die),
    lambda on, **die: on.hap.add_map(7, 'k', 'a\rb', **die),
    lambda on, **die: on.hap.set_map(7, '#0xzz', 'v', **die),
    lambda on, **die: on.hap.del_map(-1, 'k', **die),
    lambda on, **die: on.hap.clear_map(True, **die),
    lambda on, **die: on.hap.get_map(7, 'a\0b', **die),
    lambda on, **die: on.hap.show_map('@2', **die),
    lambda on, **die: on.hap.command('show info\nshow stat', **die),
    lambda on, **die: on.hap.command('', **die),
    lambda on, **die: on.hap.errors('x', **die),
    lambda on, **die: on.frontend.setmaxconn(2 ** 31, **die),
    lambda on, **die: on.server.setstate('up', **die),
    lambda on, **die: on.server.setweight(257, **die),
    lambda on, **die: on.server.setweight('50', **die),
])
def test_a_wrong_argument_is_a_value_error_and_nothing_is_sent(call, fleet):
    """[argument checks; one word per text; verdicts]"""
    started = fleet('2.2', 2)
    on = Objects(started)
    with pytest.raises(ValueError) as caught:
        call(on)
    assert not isinstance(caught.value, exceptions.HAProxyBaseError)
    assert call(on, die=False) is False
    assert started.connections == [0, 0]


def test_nothing_is_sent_when_one_of_the_processes_cannot_take_the_text(fleet):
    """[one word per text] Old and new workers run side by side during an upgrade."""
    started = fleet('2.2', 1)
    started.add('old.sock', 2, 5000, version='2.0')
    hap = started.haproxy()
    with pytest.raises(ValueError) as caught:
        hap.add_map(7, 'k', 'two words')
    assert '2.0.0' in str(caught.value)
    assert started.connections == [0, 0]


# Concurrency

@pytest.mark.parametrize('call', [
    lambda on: on.hap.info(), lambda on: on.hap.requests, lambda on: on.hap.servers(),
    lambda on: on.hap.clearcounters(), lambda on: on.frontend.requests,
    lambda on: on.server.weight, lambda on: on.hap.command('show acl'),
])
def test_a_call_costs_what_the_slowest_process_costs(call, fleet):
    """[concurrent processes] It leaves no thread behind."""
    started = fleet('2.2', 4)
    on = Objects(started)
    for process in started:
        process.behaviour = fakes.delayed(0.2)
    threads = threading.active_count()
    assert 0.19 <= fakes.fastest(lambda: call(on), 0.6) < 0.6
    assert threading.active_count() == threads


def test_what_follows_is_asked_at_the_same_time_too(fleet):
    """[concurrent processes; stale ids]
    Two commands to each of four processes take as long as two commands."""
    started = fleet('2.2', 4)
    on = Objects(started)
    for process in started:
        process.behaviour = fakes.delayed(0.2)

    def read():
        for process in started:
            process.renumber()
        assert on.server.requests > 0
    assert 0.39 <= fakes.fastest(read, 0.8) < 0.8
    assert all(len(commands) % 2 == 0 for commands in started.commands)


def test_another_thread_may_learn_ids_meanwhile(fleet, monkeypatch):
    """Several threads may read one object."""
    started = fleet('2.2', 1)
    member = Objects(started).server._members[0]
    row, ids = member.stats_data(), member._ids
    member._ids = (None, None)
    monkeypatch.setattr(base._Member, '_ids', Interrupted(base._Member._ids, ids))
    assert member.stats_data().svname == row.svname


class Interrupted(object):
    """An attribute that another thread appears to overwrite right after each assignment."""

    def __init__(self, slot, value):
        self._slot = slot
        self._value = value

    def __get__(self, instance, kind=None):
        return self._slot.__get__(instance, kind)

    def __set__(self, instance, value):
        self._slot.__set__(instance, self._value)


# Retries

@pytest.fixture
def pauses(monkeypatch):
    """Replace sleep(); return its arguments, and a function that sets what happens meanwhile."""
    found = []
    found_actions = []

    def sleep(seconds):
        found.append(seconds)
        if found_actions:
            found_actions.pop(0)()
    monkeypatch.setattr(fanout.time, 'sleep', sleep)
    Pauses = type('Pauses', (list,), {'then': lambda self, *actions: found_actions.extend(actions)})
    return found, Pauses().then


def nothing():
    pass


READ_FAILURES = [fakes.closing, fakes.closing_at_once, fakes.cut(10), fakes.cut(700),
                 fakes.resetting(b'Name'), fakes.replying(b'garbage\n\n')]


@pytest.mark.parametrize('failure', READ_FAILURES)
@pytest.mark.parametrize('retry, failures, works', [
    (None, 1, False), (1, 1, True), (1, 2, False), (3, 3, True), (3, 4, False), (0, 20, True)])
def test_a_read_is_tried_again(retry, failures, works, failure, fleet, pauses):
    """[retries] None means one try, N means N retries, 0 means forever; no pause at the end."""
    started = fleet('2.2')
    hap = started.haproxy(retry=retry, retry_interval=0.7)
    started[0].script = [failure] * failures
    if works:
        assert hap.info()[0]['Name'] == 'HAProxy'
    else:
        with pytest.raises(exceptions.SocketApplicationError):
            hap.info()
    tries = failures + 1 if works else failures
    assert pauses[0] == [0.7] * (tries - 1)
    assert started.connections == [tries]


def test_each_exchange_of_a_call_has_its_tries(fleet, pauses):
    """[retries] Both the exchange with a stale id and the one that reads the new ids."""
    started = fleet('2.2', 1)
    on = Objects(started, retry=2)
    started[0].renumber()
    started[0].script = [fakes.closing] * 2 + [fakes.answering] + [fakes.closing] * 2
    assert on.server.requests > 0
    assert started.connections == [6]


def test_only_the_process_that_failed_is_asked_again(fleet, pauses):
    """[retries; one command per call]"""
    started = fleet('2.2', 3)
    hap = started.haproxy(retry=2)
    started[1].script = [fakes.closing] * 2
    assert len(hap.info()) == 3
    assert started.connections == [1, 3, 1]


@pytest.mark.parametrize('failure', READ_FAILURES[:1] + [fakes.cut(0), fakes.silent])
def test_a_change_is_not_repeated_once_it_may_have_been_received(failure, fleet, pauses):
    """[retries]"""
    started = fleet('2.2')
    hap = started.haproxy(retry=3)
    if failure is fakes.silent:
        started.hasten(hap, 0)
    started.answer('clear counters', '\n')
    started[0].script = [failure]
    with pytest.raises(exceptions.HAProxySocketError):
        hap.clearcounters()
    assert pauses[0] == []
    # The fake may record the command late.
    labs.wait_until(lambda: started.commands != [[]], 'the command has come')
    assert started.commands == [['clear counters']]


def test_a_change_is_not_repeated_while_it_waits_in_the_queue(fleet, pauses):
    """[retries] HAProxy may accept the connection later."""
    started = fleet('2.2')
    hap = started.haproxy(retry=3)
    started.hasten(hap, 0)
    started[0].refuse()
    started.deaf('1.sock')
    with pytest.raises(exceptions.SocketTimeout):
        hap.clearcounters()
    assert pauses[0] == []


@pytest.mark.parametrize('leave', ['refuse', 'vanish'])
@pytest.mark.parametrize('retry, tries, works', [
    (None, 1, False), (2, 3, False), (2, 3, True), (0, 9, True)])
def test_a_change_that_was_certainly_not_received_is_repeated(
        leave, retry, tries, works, fleet, pauses):
    """[retries] Nobody is listening, or the socket file does not exist."""
    found, then = pauses
    started = fleet('2.2', 2)
    hap = started.haproxy(retry=retry, retry_interval=0.3)
    started.answer('clear counters', '\n')
    getattr(started[0], leave)()
    if works:
        then(*[nothing] * (tries - 2) + [started[0].listen])
        assert hap.clearcounters() is True
        assert started.commands == [['clear counters']] * 2
    else:
        with pytest.raises(exceptions.SocketConnectionError) as caught:
            hap.clearcounters()
        assert caught.value.results == [(2, '')]
        assert started.commands == [[], ['clear counters']]
    assert found == [0.3] * (tries - 1)


def test_a_change_is_repeated_after_the_backlog_was_full(fleet, pauses):
    """[retries] The connection was never established."""
    found, then = pauses
    started = fleet('2.2')
    hap = started.haproxy(retry=1)
    started.hasten(hap, 0)
    started.answer('clear counters', '\n')
    started[0].refuse()
    full = started.full('1.sock')

    def later():
        full.close()
        started[0].listen()
        hap._processes[0].timeout = fakes.LONG
    then(later)
    assert hap.clearcounters() is True
    assert started.commands == [['clear counters']]


def test_a_refusal_is_not_tried_again(fleet, pauses):
    """[retries]"""
    started = fleet('2.2')
    hap = started.haproxy(retry=3)
    started.answer('clear counters', REFUSAL)
    started.answer('show acl #9', 'Unknown ACL identifier. Please use #<id> or <file>.\n\n')
    for call in (hap.clearcounters, lambda: hap.show_acl(9)):
        with pytest.raises(exceptions.CommandFailed):
            call()
    assert started.commands == [['clear counters', 'show acl #9']]
    assert pauses[0] == []


@pytest.mark.parametrize('command, tries', [
    ('show info', 3), ('show info;show acl', 3), ('clear counters', 1), ('get map #7 x', 1),
    ('show info;clear counters', 1)])
def test_a_command_of_the_caller_is_repeated_only_when_it_shows(command, tries, fleet, pauses):
    """[retries]"""
    started = fleet('2.2')
    hap = started.haproxy(retry=2)
    started[0].behaviour = fakes.closing
    with pytest.raises(exceptions.SocketApplicationError):
        hap.command(command)
    assert started.commands == [[command] * tries]


@pytest.mark.parametrize('option, values', [
    ('retry', [-1, True, '2', 1.5]),
    ('retry_interval', [-1, None, True, 'x']),
    ('timeout', [0, -1, True, 'x', float('nan')]),
])
def test_what_is_no_option_is_refused(option, values, fleet):
    """[argument checks; retries]"""
    started = fleet('2.2')
    for value in values:
        with pytest.raises(ValueError) as caught:
            started.haproxy(**{option: value})
        assert option in str(caught.value) and repr(value) in str(caught.value)
    assert started.connections == [0]


# Merging the lists of several processes

class Member(object):

    def __init__(self, name, process_nb=1):
        self.name = name
        self.process_nb = process_nb
        self.socket_file = '/run/{0}'.format(process_nb)


def test_things_come_in_the_order_of_the_first_process_that_has_them():
    """[stable order]"""
    lists = [[Member('a', 1), Member('c', 1)], [Member('b', 2), Member('a', 2)],
             [Member('d', 3), Member('b', 3)]]
    merged = combine.merge(lists)
    assert [[(member.name, member.process_nb) for member in members] for members in merged] == [
        [('a', 1), ('a', 2)], [('c', 1)], [('b', 2), ('b', 3)], [('d', 3)]]


def test_a_value_that_differs_tells_what_each_holds():
    members = [Member('a', 1), Member('a', 2)]
    assert combine.common_value(members, ['x', 'x']) == 'x'
    with pytest.raises(exceptions.IncosistentData) as caught:
        combine.common_value(members, ['x', 'y'])
    assert caught.value.results == [(1, 'x'), (2, 'y')]
    assert caught.value.by_socket == [('/run/1', 'x'), ('/run/2', 'y')]
    assert str(caught.value).endswith("process 1 on /run/1: 'x', process 2 on /run/2: 'y'")


def test_an_object_needs_a_process():
    with pytest.raises(ValueError):
        Facade([])


# Metrics

# For each kind of object, metrics that HAProxy reports only for another kind.
FOREIGN = [
    ('frontend', ['qtime', 'act', 'weight', 'chkfail', 'Maxconn']),
    ('backend', ['req_rate', 'rate_lim', 'chkfail', 'throttle', 'ereq']),
    ('server', ['dreq', 'req_rate', 'rate_lim', 'comp_in', 'ereq']),
]


def things_of(hap):
    """Return an object of each kind, by the name of the kind."""
    return {'frontend': hap.frontend(FRONTEND), 'backend': hap.backend(BACKEND),
            'server': hap.server(SERVER, BACKEND)[0]}


@pytest.mark.parametrize('version', captured.VERSIONS)
@pytest.mark.parametrize('kind, names', FOREIGN)
def test_a_figure_of_another_kind_is_a_value_error(kind, names, version, fleet):
    """[metric names] Even though the dump has an empty column for it."""
    started = fleet(version, 2)
    hap = started.haproxy()
    live, frozen = things_of(hap)[kind], things_of(hap.snapshot())[kind]
    for thing in (live, frozen, live._members[0], frozen._members[0]):
        for name in names:
            with pytest.raises(ValueError) as caught:
                thing.metric(name)
            assert type(caught.value) is ValueError
            assert repr(name) in str(caught.value)


@pytest.mark.parametrize('version', captured.VERSIONS)
@pytest.mark.parametrize('kind', ['frontend', 'backend', 'server', 'haproxy'])
def test_a_metric_is_what_metrics_holds(kind, version, fleet):
    """[metric names] metric() accepts exactly the names in metrics(), and returns equal numbers."""
    started = fleet(version, 2)
    snapshot = started.haproxy().snapshot()
    thing = snapshot if kind == 'haproxy' else things_of(snapshot)[kind]
    found, refused = thing.metrics(), []
    for name in metrics.METRICS_SUM + metrics.METRICS_AVG:
        try:
            assert thing.metric(name) == found[name], name
        except ValueError:
            refused.append(name)
            assert name not in found
    assert refused


@pytest.mark.parametrize('name, kind, text', [
    # 1.5 has no eint column; a documented metric without a value is 0.
    ('eint', 'frontend', None), ('slim', 'server', 0), ('comp_in', 'backend', 5),
])
def test_a_figure_counts_where_one_process_reports_it(name, kind, text, fleet):
    """[metric names; sums and averages]"""
    started = fleet('1.5', 2)
    if text is not None:
        for process, value in zip(started, ('', text)):
            process.set(BACKEND, SERVER if kind == 'server' else kind.upper(), name, value)
    thing = things_of(started.haproxy())[kind]
    if text is None:
        with pytest.raises(ValueError):
            thing.metric(name)
    else:
        assert thing.metric(name) == text


def test_a_figure_of_show_info_without_a_value_is_a_value_error(fleet):
    """[metric names] For the names in HAPROXY_METRICS, the value is 0."""
    started = fleet('2.2', 2)
    for process in started:
        process.info['PoolUsed_MB'] = ''
        process.info['Maxpipes'] = ''
    hap = started.haproxy()
    process = internal._HAProxyProcess(started[0].path, retry=None, timeout=fakes.LONG)
    for on in (hap, hap.snapshot(), process):
        assert on.metric('Maxpipes') == 0
        for name in ('PoolUsed_MB', 'BlockedTrafficWarnings'):
            with pytest.raises(ValueError) as caught:
                on.metric(name)
            assert repr(name) in str(caught.value)
    started[1].info['PoolUsed_MB'] = '3'
    assert hap.metric('PoolUsed_MB') == 3


@pytest.mark.parametrize('kind, names', FOREIGN + [
    ('frontend', ['qtimes', 'slimm']), ('backend', ['req_rat', 'slimm']), ('server', ['drep'])])
def test_the_nearest_metrics_are_those_of_the_kind(kind, names, fleet):
    """[metric names]"""
    thing = things_of(fleet('3.2').haproxy())[kind]
    theirs = thing.metrics()
    for name in names:
        with pytest.raises(ValueError) as caught:
            thing.metric(name)
        told = re.findall("'([^']+)'", str(caught.value))
        assert told[0] == name
        assert all(other in theirs for other in told[1:]), told


# Equality

def test_objects_are_equal_by_name(fleet):
    """[equality]"""
    started = fleet('2.2', 2)
    hap = started.haproxy()
    one, other = hap.frontend('tcp_listen'), hap.frontend('tcp_listen')
    assert one == other and not one != other and hash(one) == hash(other)
    assert one == 'tcp_listen' and 'tcp_listen' == one and one != 'tcp_listen2'
    assert not one == 'tcp_listen2' and one == u'tcp_listen'
    assert hash(one) == hash('tcp_listen')
    assert 'tcp_listen' in hap.frontends() and 'nope' not in hap.frontends()
    assert one in hap.frontends() and len(set([one, other, 'tcp_listen'])) == 1
    assert one != None and one != 5 and not one == b'tcp_listen'[:0]  # noqa: E711


def test_a_frontend_never_equals_a_backend_or_server(fleet):
    """[equality]"""
    hap = fleet('2.2').haproxy()
    frontend, backend = hap.frontend('tcp_listen'), hap.backend('tcp_listen')
    assert frontend != backend and not frontend == backend
    assert backend != frontend and not backend == frontend
    assert backend not in hap.frontends()
    assert hap.servers()[0] != backend


def test_servers_are_equal_when_backend_and_name_are(fleet):
    """[equality] Each server also equals its name as text."""
    started = fleet('2.2', 2)
    for process in started:
        process.set('be_static', 'be_static_srv1', 'svname', 'both')
        process.set('be_dynamic', 'be_dynamic_srv1', 'svname', 'both')
    hap = started.haproxy()
    first, second = hap.server('both')
    again = hap.snapshot().backend('be_dynamic').server('both')
    assert [server.backendname for server in (first, second)] == ['be_dynamic', 'be_static']
    assert first != second and not first == second
    assert first == again and not first != again
    assert first in [again] and first not in [second]
    assert set([first, second, again]) == set([second, first])
    assert len(set(hap.servers())) == len(hap.servers())
    assert [second, first].index(again) == 1
    for server in (first, second):
        assert server == 'both' and u'both' == server and 'both' in [server]
        assert hash(server) == hash('both') and server != 'other'


def test_a_server_may_stand_for_its_name(fleet):
    """[equality; what is not there]
    Even to look up the server of the same name in another backend."""
    started = fleet('2.2')
    started[0].set('be_static', 'be_static_srv1', 'svname', 'both')
    started[0].set('be_dynamic', 'be_dynamic_srv1', 'svname', 'both')
    hap = started.haproxy()
    backend, server = hap.backend('be_static'), hap.server('both')[0]
    for found in (backend.server(server), backend.servers(server)[0],
                  hap.server(server, 'be_static')[0]):
        assert (found.backendname, found.name, type(found.name)) == ('be_static', 'both', str)


@pytest.mark.parametrize('call, text', [
    (lambda hap: hap.frontend('tcp_listen'), "Frontend('tcp_listen', processes=[1, 2])"),
    (lambda hap: hap.backend('tcp_listen'), "Backend('tcp_listen', processes=[1, 2])"),
    (lambda hap: hap.server('tcp1')[0],
     "Server('tcp1', backend='tcp_listen', processes=[1, 2])"),
])
def test_the_repr_shows_name_and_processes(call, text, fleet):
    """[equality]"""
    assert repr(call(fleet('2.2', 2).haproxy())) == text


def test_names_that_are_no_ascii_are_compared_as_text(fleet):
    """[equality; UTF-8]"""
    started = fleet('2.2')
    name = fakes.text(u'\u017elu\u0165'.encode('utf-8'))
    started[0].set('tcp_listen', 'FRONTEND', 'pxname', name)
    frontend = started.haproxy().frontend(u'\u017elu\u0165')
    assert frontend == u'\u017elu\u0165'
    assert isinstance(frontend.name, str)
    assert six.ensure_text(frontend.name) == u'\u017elu\u0165'


# Memory

@pytest.mark.skipif(sys.version_info < (3,), reason='Python 2 cannot tell')
@pytest.mark.parametrize('read', [
    lambda hap: hap.servers(), lambda hap: hap.requests, lambda hap: hap.snapshot(),
    lambda hap: hap.stats(), lambda hap: hap.command('show stat -1 7 -1')])
def test_a_read_that_fails_keeps_nothing_of_what_the_others_replied(fleet, read):
    """Neither while the exception exists nor afterwards, even without the garbage collector."""
    import tracemalloc
    started = fleet('2.2', 3)
    hap = started.haproxy()
    row = started[0].row('backend1_proc34', 'BACKEND') or started[0].rows[1]
    for process in started[:2]:
        # 4 MB each.
        process.rows += [row[:1] + ['s%d' % number] + row[2:] for number in range(10000)]
    started[2].behaviour = fakes.closing

    def errors():
        return sum(isinstance(thing, exceptions.HAProxyBaseError) for thing in gc.get_objects())
    gc.collect()
    former = errors()
    gc.disable()
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        try:
            read(hap)
        except exceptions.SocketApplicationError as error:
            assert tracemalloc.get_traced_memory()[0] - before < 1000000
            kept = error
        assert kept.__traceback__
        del kept
        assert tracemalloc.get_traced_memory()[0] - before < 1000000
        assert errors() == former
    finally:
        tracemalloc.stop()
        gc.enable()
