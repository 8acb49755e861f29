# -*- coding: utf-8 -*-
# SPDX-License-Identifier: Apache-2.0
"""internal/fanout.py: operations run concurrently, and are repeated."""
import threading

import pytest

from haproxyadmin import exceptions
from haproxyadmin.internal import base, fanout
from haproxyadmin.protocol import transport
from haproxyadmin.testing import faults
from tests.support import fakes, lab as labs
from tests.unit.internal.test_calls import REFUSAL, Objects

SILENT = faults.silent()

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
        process.fail(faults.late(0.2))
    started.wait_for_silence()
    threads = threading.active_count()
    assert 0.19 <= fakes.fastest(lambda: call(on), 0.6) < 0.6
    started.wait_for_silence()
    assert threading.active_count() == threads


def test_what_follows_is_asked_at_the_same_time_too(fleet):
    """[concurrent processes; stale ids]
    Two commands to each of four processes take as long as two commands."""
    started = fleet('2.2', 4)
    on = Objects(started)
    for process in started:
        process.fail(faults.late(0.2))

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


READ_FAILURES = [faults.closing(), faults.closing_at_once(), faults.cut(10), faults.cut(700),
                 faults.reset(b'Name'), faults.replying(b'garbage\n\n')]


@pytest.mark.parametrize('failure', READ_FAILURES)
@pytest.mark.parametrize('retry, failures, works', [
    (None, 1, False), (1, 1, True), (1, 2, False), (3, 3, True), (3, 4, False), (0, 20, True)])
def test_a_read_is_tried_again(retry, failures, works, failure, fleet, pauses):
    """[retries] None means one try, N means N retries, 0 means forever; no pause at the end."""
    started = fleet('2.2')
    hap = started.haproxy(retry=retry, retry_interval=0.7)
    started[0].next(*[failure] * failures)
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
    started[0].next(*[faults.closing()] * 2 + [faults.answering()] + [faults.closing()] * 2)
    assert on.server.requests > 0
    assert started.connections == [6]


def test_only_the_process_that_failed_is_asked_again(fleet, pauses):
    """[retries; one command per call]"""
    started = fleet('2.2', 3)
    hap = started.haproxy(retry=2)
    started[1].next(*[faults.closing()] * 2)
    assert len(hap.info()) == 3
    assert started.connections == [1, 3, 1]


@pytest.mark.parametrize('failure', READ_FAILURES[:1] + [faults.cut(0), SILENT])
def test_a_change_is_not_repeated_once_it_may_have_been_received(failure, fleet, pauses):
    """[retries]"""
    started = fleet('2.2')
    hap = started.haproxy(retry=3)
    if failure is SILENT:
        started.hasten(hap, 0)
    started.answer('clear counters', '\n')
    started[0].next(failure)
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
    for call in (hap.clearcounters, lambda: hap.show_acl(99)):
        with pytest.raises(exceptions.CommandFailed):
            call()
    assert started.commands == [['clear counters', 'show acl #99']]
    assert pauses[0] == []


@pytest.mark.parametrize('command, tries', [
    ('show info', 3), ('show info;show acl', 3), ('clear counters', 1), ('get map #7 x', 1),
    ('show info;clear counters', 1)])
def test_a_command_of_the_caller_is_repeated_only_when_it_shows(command, tries, fleet, pauses):
    """[retries]"""
    started = fleet('2.2')
    hap = started.haproxy(retry=2)
    started[0].fail(faults.closing())
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


def test_a_certificate_that_does_not_fit_is_not_tried_again(fleet):
    """[TLS] That would only cost time."""
    endpoint = fleet('2.2', 1).haproxy(retry=5)._processes[0].endpoint
    operation = fanout.Operation(endpoint, b'show info', fanout.unchanged)
    error = exceptions.HAProxySocketError('ssl@lb1:99')
    assert operation.may_repeat(error)
    error.is_final = True
    assert not operation.may_repeat(error)


# Deadlines

def info_of(hap):
    return [process.info_operation(lambda info: info['Pid']) for process in hap._processes]


def test_a_deadline_shortens_the_time_out(fleet):
    """[waiting]"""
    started = fleet('2.2', 2)
    hap = started.haproxy(timeout=fakes.LONG)
    started[1].fail(faults.silent())
    begin = transport.now()
    outcomes = fanout.run_all(info_of(hap), deadline=begin + 0.1)
    assert outcomes[0] == '4001' and isinstance(outcomes[1], exceptions.SocketTimeout)
    assert transport.now() - begin < fakes.LONG / 2
    # That of the process is what it was.
    assert hap._processes[1].timeout == fakes.LONG


def test_a_deadline_shortens_what_follows(fleet):
    """[waiting]"""
    started = fleet('2.2', 1)
    hap = started.haproxy(timeout=fakes.LONG)
    endpoint = hap._processes[0].endpoint
    started[0].next(faults.answering(), faults.silent())
    first = fanout.info_operation(endpoint, lambda info: fanout.info_operation(
        endpoint, lambda info: 'never'))
    begin = transport.now()
    outcome, = fanout.run_all([first], deadline=begin + 0.2)
    assert isinstance(outcome, exceptions.SocketTimeout)
    assert transport.now() - begin < fakes.LONG / 2


@pytest.mark.parametrize('deadline, slept', [(1.0, [0.4, 0.4, 0.2]), (0.4, [0.4]), (0, [])])
def test_retries_end_at_the_deadline(deadline, slept, fleet, monkeypatch):
    """[waiting; retries] The last pause is shortened; there is no pause at the end."""
    clock, found = [100.0], []

    def sleep(seconds):
        found.append(round(seconds, 6))
        clock[0] = round(clock[0] + seconds, 6)
    started = fleet('2.2', 1)
    hap = started.haproxy(retry=0, retry_interval=0.4)
    started[0].refuse()
    operations = info_of(hap)
    monkeypatch.setattr(fanout.transport, 'now', lambda: clock[0])
    monkeypatch.setattr(fanout.time, 'sleep', sleep)
    outcome, = fanout.run_all(operations, deadline=100 + deadline)
    assert isinstance(outcome, exceptions.SocketConnectionError)
    assert found == slept


def test_a_deadline_that_is_over(fleet):
    """[waiting] It is tried once, for a moment."""
    started = fleet('2.2', 1)
    hap = started.haproxy(retry=0)
    started[0].fail(faults.silent())
    outcome, = fanout.run_all(info_of(hap), deadline=transport.now() - 5)
    assert isinstance(outcome, exceptions.SocketTimeout)


@pytest.mark.parametrize('timeout, limit, expected', [
    (5, 2, 2), (2, 5, 2), (None, 3, 3), (5, None, 5), (None, None, None),
    (5, 0, fanout.SHORTEST), (5, -1, fanout.SHORTEST)])
def test_a_limit(timeout, limit, expected, fleet):
    """[waiting] Never 0, which would be no time at all."""
    operation = info_of(fleet('2.2', 1).haproxy())[0]
    operation.timeout = timeout
    operation.limit(limit)
    assert operation.timeout == expected
