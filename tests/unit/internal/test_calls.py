# -*- coding: utf-8 -*-
# SPDX-License-Identifier: Apache-2.0
"""internal/calls.py: a change in every process, and what becomes of it."""
import pickle

import pytest

from haproxyadmin import exceptions
from haproxyadmin.internal import calls
from haproxyadmin.testing import faults

SILENT = faults.silent()
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
        process.handler = answering_all(REFUSAL if process.number in numbers else '\n')


def answering_all(reply, truly=('show info',)):
    """Return a handler that gives a reply to all commands except those that start with ``truly``."""
    return lambda command: None if command.startswith(truly) else reply


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
    started[0].level = started[1].level = 'user'
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
    started[0].fail(faults.closing())
    assert change(on, die=False) is False
    started.heal()
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
@pytest.mark.parametrize('behavior, kind', [
    (faults.closing(), exceptions.SocketApplicationError),
    (SILENT, exceptions.SocketTimeout),
    (faults.reset(), exceptions.SocketApplicationError),
    (faults.replying(b'Donn'), exceptions.SocketApplicationError),
])
def test_the_others_get_the_change_though_one_cannot_be_talked_to(
        behavior, kind, command, change, fleet):
    """[verdicts] The exception contains their replies."""
    started = fleet('2.2', 4)
    on = Objects(started)
    refuse(started, 4)
    started[1].fail(behavior)
    if behavior is SILENT:
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
    started[1].fail(faults.closing())
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
