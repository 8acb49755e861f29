# SPDX-License-Identifier: Apache-2.0
"""internal/transaction.py: change all processes or none."""
import gc
import sys
import weakref

import pytest

from haproxyadmin import exceptions
from haproxyadmin.internal import transaction
from haproxyadmin.internal.fanout import Operation
from haproxyadmin.protocol import transport
from haproxyadmin.testing import faults

DO, UNDO = 'set maxconn global 5', 'set maxconn global 9'
REFUSED = 'Value out of range.\n\n'


class Interrupt(BaseException):
    """An exception that a signal handler may raise."""


class Site(object):
    """The processes that a test changes."""

    def __init__(self, fleet, count=3, version='2.2', **options):
        self.started = fleet(version, count)
        self.started.answer(DO, '\n')
        self.started.answer(UNDO, '\n')
        self.processes = self.started.haproxy(**options)._processes
        self.undo_asked = []

    def change(self):
        return transaction.change_all_or_none(
            self.processes, lambda process: process.change_operation(DO.encode()), self.undo)

    def undo(self, process, reply):
        self.undo_asked.append((process.socket_file, reply))
        return process.change_operation(UNDO.encode())

    def fails(self, kind):
        with pytest.raises(kind) as caught:
            self.change()
        return caught.value

    def paths(self, *numbers):
        return [self.started.paths[number] for number in numbers]

    @property
    def commands(self):
        """The commands that each process received, except ``show info``."""
        return [[command for command in received if command != 'show info']
                for received in self.started.commands]


def account(error):
    return error.undone, error.not_undone, error.replaced


def test_a_change_that_all_accept_is_done(fleet):
    site = Site(fleet)
    members, replies = site.change()
    assert [member.socket_file for member in members] == site.paths(0, 1, 2)
    assert replies == [''] * 3
    assert site.commands == [[DO]] * 3
    assert site.undo_asked == []
    assert site.started.commands == [['show info', DO, 'show info']] * 3


@pytest.mark.parametrize('refuses', [0, 1, 2])
def test_where_one_refuses_the_others_are_put_back(refuses, fleet):
    site = Site(fleet)
    site.started[refuses].answers[DO] = REFUSED
    error = site.fails(exceptions.MultipleCommandResults)
    others = [number for number in range(3) if number != refuses]
    assert account(error) == (site.paths(*others), [], [])
    assert site.commands == [[DO] if number == refuses else [DO, UNDO] for number in range(3)]
    assert site.undo_asked == [(path, '') for path in site.paths(*others)]
    assert dict(error.by_socket)[site.started.paths[refuses]] == 'Value out of range.'
    assert error.command == DO and error.socket_file == site.started.paths[refuses]


def test_where_all_refuse_nothing_is_undone(fleet):
    site = Site(fleet)
    site.started.answer(DO, REFUSED)
    error = site.fails(exceptions.CommandFailed)
    assert account(error) == ([], [], [])
    assert site.commands == [[DO]] * 3


def test_what_no_process_can_take_is_sent_to_none(fleet):
    site = Site(fleet)

    def do(process):
        if process is site.processes[2]:
            raise ValueError('no')
        return process.change_operation(DO.encode())
    with pytest.raises(ValueError):
        transaction.change_all_or_none(site.processes, do, site.undo)
    assert site.commands == [[]] * 3


def test_where_one_cannot_be_reached_none_is_changed(fleet):
    site = Site(fleet)
    site.started[1].vanish()
    error = site.fails(exceptions.SocketConnectionError)
    assert error.socket_file == site.started.paths[1]
    assert site.commands == [[]] * 3


def test_where_one_is_lost_the_others_are_put_back(fleet):
    """The lost process may have made the change, so it is reported as not undone."""
    site = Site(fleet)
    site.started[1].next(faults.answering(), faults.closing())
    error = site.fails(exceptions.SocketApplicationError)
    assert account(error) == (site.paths(0, 2), site.paths(1), [])
    assert site.commands == [[DO, UNDO], [DO], [DO, UNDO]]


def test_where_one_cannot_be_asked_afterwards_the_others_are_put_back(fleet):
    site = Site(fleet)
    site.started[1].next(faults.answering(), faults.answering(), faults.closing())
    error = site.fails(exceptions.SocketApplicationError)
    assert account(error) == (site.paths(0, 2), site.paths(1), [])
    assert site.commands == [[DO, UNDO], [DO], [DO, UNDO]]


def test_a_process_that_is_replaced_is_not_taken_for_changed(fleet):
    site = Site(fleet)
    started = site.started

    started[1].next(faults.answering(), replace)
    error = site.fails(exceptions.CommandFailed)
    assert account(error) == (site.paths(0, 2), [], site.paths(1))
    assert started.paths[1] in str(error) and error.socket_file == started.paths[1]
    assert site.commands == [[DO, UNDO], [DO], [DO, UNDO]]


def test_an_exchange_is_not_repeated(fleet):
    """Another process may be listening by then, and would get a command not meant for it."""
    site = Site(fleet, retry=5, retry_interval=0)

    def do(process):
        if process is site.processes[1]:
            site.started[1].refuse()
        return process.change_operation(DO.encode())
    with pytest.raises(exceptions.SocketConnectionError) as caught:
        transaction.change_all_or_none(site.processes, do, site.undo)
    assert account(caught.value) == (site.paths(0, 2), [], [])
    assert site.commands == [[DO, UNDO], [], [DO, UNDO]]


def test_what_cannot_be_undone_is_told(fleet):
    site = Site(fleet)
    site.started[0].answers[DO] = REFUSED
    site.started[1].answers[UNDO] = REFUSED
    error = site.fails(exceptions.MultipleCommandResults)
    assert account(error) == (site.paths(2), site.paths(1), [])


def test_an_undo_that_is_lost_is_told(fleet):
    site = Site(fleet)
    site.started[0].answers[DO] = REFUSED
    site.started[2].next(*[faults.answering()] * 4 + [faults.closing()])
    error = site.fails(exceptions.MultipleCommandResults)
    assert account(error) == (site.paths(1), site.paths(2), [])


def test_an_undo_that_cannot_be_built_keeps_no_other_from_being_undone(fleet):
    site = Site(fleet)
    site.started[0].answers[DO] = REFUSED

    def undo(process, reply):
        if process is site.processes[1]:
            raise RuntimeError('no')
        return process.change_operation(UNDO.encode())
    with pytest.raises(exceptions.MultipleCommandResults) as caught:
        transaction.change_all_or_none(
            site.processes, lambda process: process.change_operation(DO.encode()), undo)
    assert account(caught.value) == (site.paths(2), site.paths(1), [])


def replace(process, client):
    """Answer, and let another process take over."""
    process.answer(client)
    process.info['Pid'] = '4711'


def test_nothing_is_undone_in_a_process_that_has_taken_over(fleet):
    """It was never changed."""
    site = Site(fleet)
    site.started[0].answers[DO] = REFUSED
    site.started[1].next(*[faults.answering()] * 2 + [replace])
    error = site.fails(exceptions.MultipleCommandResults)
    assert account(error) == (site.paths(2), [], site.paths(1))
    assert site.commands == [[DO], [DO], [DO, UNDO]]


def test_what_was_undone_in_a_process_that_then_ended_is_not_known(fleet):
    site = Site(fleet)
    site.started[0].answers[DO] = REFUSED
    site.started[1].next(*[faults.answering()] * 4 + [replace])
    error = site.fails(exceptions.MultipleCommandResults)
    assert account(error) == (site.paths(2), [], site.paths(1))


def test_an_undo_is_not_repeated(fleet):
    site = Site(fleet, retry=5, retry_interval=0)
    site.started[0].answers[DO] = REFUSED
    site.started[1].next(*[faults.answering()] * 4 + [faults.closing()])
    error = site.fails(exceptions.MultipleCommandResults)
    assert account(error) == (site.paths(2), site.paths(1), [])
    assert site.commands[1] == [DO, UNDO]


def test_an_exception_has_the_replies_of_all_also_if_a_process_was_replaced(fleet):
    site = Site(fleet)
    site.started[1].next(faults.answering(), replace)
    error = site.fails(exceptions.CommandFailed)
    assert error.by_socket == [(path, '') for path in site.started.paths]


@pytest.mark.parametrize('place', [0, 1])
def test_an_interrupt_asks_who_answers_before_it_undoes(place, fleet, monkeypatch):
    site = Site(fleet)
    look, interrupts = transaction._Transaction._look_who_answers, [Interrupt]

    def interrupted(change):
        if place or not interrupts:
            look(change)
        if interrupts:
            raise interrupts.pop()
    monkeypatch.setattr(transaction._Transaction, '_look_who_answers', interrupted)
    site.started[1].next(faults.answering(), replace)
    error = site.fails(Interrupt)
    assert account(error) == (site.paths(0, 2), [], site.paths(1))
    assert site.commands == [[DO, UNDO], [DO], [DO, UNDO]]


def test_an_interrupt_while_it_undoes_says_what_is_not_undone(fleet, monkeypatch):
    site = Site(fleet)
    site.started[0].answers[DO] = REFUSED
    interpret = Operation.interpret_reply

    def interrupted(operation, reply, *identified):
        if operation.command == UNDO.encode():
            raise Interrupt
        return interpret(operation, reply, *identified)
    monkeypatch.setattr(Operation, 'interpret_reply', interrupted)
    error = site.fails(Interrupt)
    assert account(error) == ([], site.paths(1, 2), [])


def failure_of(site):
    """Return a weak reference to the exception that a change raises."""
    try:
        site.change()
    except exceptions.SocketApplicationError as error:
        return weakref.ref(error)


@pytest.mark.skipif(sys.version_info < (3,), reason='Python 2 keeps the last exception')
def test_an_exception_is_in_no_cycle(fleet):
    site = Site(fleet)
    site.started[1].next(faults.answering(), faults.closing())
    gc.collect()
    gc.disable()
    try:
        assert failure_of(site)() is None
    finally:
        gc.enable()


def test_an_interrupt_puts_back_what_is_done(fleet, monkeypatch):
    """For example by Ctrl-C: a process that has not replied yet may have made the change."""
    site = Site(fleet)
    interpret = Operation.interpret_reply

    def interrupted(operation, reply, *identified):
        outcome = interpret(operation, reply, *identified)
        if operation.command == DO.encode() and operation.socket_file == site.started.paths[1]:
            raise Interrupt
        return outcome
    site.started[0].next(faults.answering(), faults.answering())
    site.started[1].next(faults.answering(), faults.late(0.3))
    site.started[2].next(faults.answering(), faults.silent())
    monkeypatch.setattr(Operation, 'interpret_reply', interrupted)
    monkeypatch.setattr(transport, 'MAX_SETTLING', 0.1)
    error = site.fails(Interrupt)
    assert account(error) == (site.paths(0), site.paths(1, 2), [])
    assert site.commands[0] == [DO, UNDO]


@pytest.mark.parametrize('late', [0, 1, 2])
def test_an_interrupt_waits_for_the_answers_that_are_under_way(late, fleet, interrupting):
    """What they say counts."""
    site = Site(fleet)
    site.started[late].fail(interrupting(DO))
    error = site.fails(KeyboardInterrupt)
    assert account(error) == (site.paths(0, 1, 2), [], [])
    assert site.commands == [[DO, UNDO]] * 3


def test_other_exceptions_have_an_empty_account():
    error = exceptions.CommandFailed('x')
    assert account(error) == ((), (), ())


# A second step

THEN = 'set maxconn global 6'


class Steps(Site):
    """A change of two steps."""

    def __init__(self, fleet, *args, **options):
        super(Steps, self).__init__(fleet, *args, **options)
        self.started.answer(THEN, '\n')
        self.asked = []
        self.options = {}

    def change(self):
        return transaction.change_all_or_none(
            self.processes, lambda process: process.change_operation(DO.encode()), self.undo,
            then=self.then, **self.options)

    def then(self, process):
        self.asked.append(process.socket_file)
        return process.change_operation(THEN.encode())


def test_the_second_step_comes_once_all_have_done_the_first(fleet):
    """[all or none]"""
    site = Steps(fleet)
    members, replies = site.change()
    assert [member.socket_file for member in members] == site.paths(0, 1, 2)
    assert replies == [''] * 3
    assert site.commands == [[DO, THEN]] * 3


@pytest.mark.parametrize('refuses', [0, 2])
def test_without_the_first_step_there_is_no_second(refuses, fleet):
    """[all or none]"""
    site = Steps(fleet)
    site.started[refuses].answers[DO] = REFUSED
    error = site.fails(exceptions.MultipleCommandResults)
    others = [number for number in range(3) if number != refuses]
    assert account(error) == (site.paths(*others), [], [])
    assert site.asked == []
    assert site.commands == [[DO] if number == refuses else [DO, UNDO] for number in range(3)]


def test_where_one_refuses_the_second_step_the_first_is_undone_in_all(fleet):
    """[all or none]"""
    site = Steps(fleet)
    site.started[1].answers[THEN] = REFUSED
    error = site.fails(exceptions.MultipleCommandResults)
    assert account(error) == (site.paths(0, 1, 2), [], [])
    assert site.commands == [[DO, THEN, UNDO]] * 3
    assert error.command == THEN and error.socket_file == site.started.paths[1]
    # With the reply to the first step.
    assert site.undo_asked == [(path, '') for path in site.paths(0, 1, 2)]


def test_where_one_is_lost_at_the_second_step(fleet):
    """[all or none] It can be undone there, too: the process answers again."""
    site = Steps(fleet)

    def losing(process, client):
        command = process.receive(client)
        reply = process.reply_to(command)
        if command != THEN:
            client.sendall(reply)
    site.started[1].fail(losing)
    error = site.fails(exceptions.SocketApplicationError)
    assert account(error) == (site.paths(0, 1, 2), [], [])
    assert site.commands == [[DO, THEN, UNDO]] * 3


def test_where_one_is_gone_at_the_second_step(fleet):
    """[all or none]"""
    site = Steps(fleet)

    def then(process):
        if process is site.processes[2]:
            site.started[2].vanish()
        return Steps.then(site, process)
    site.then = then
    error = site.fails(exceptions.SocketConnectionError)
    assert account(error) == (site.paths(0, 1), site.paths(2), [])


def test_where_one_is_replaced_before_the_second_step(fleet):
    """[all or none] The process that has taken over refuses it, and is left alone."""
    site = Steps(fleet)
    site.started[1].answers[THEN] = REFUSED

    def then(process):
        if process is site.processes[1]:
            site.started[1].info['Pid'] = '4711'
        return Steps.then(site, process)
    site.then = then
    error = site.fails(exceptions.HAProxyBaseError)
    assert account(error) == (site.paths(0, 2), [], site.paths(1))
    assert site.commands == [[DO, THEN, UNDO], [DO, THEN], [DO, THEN, UNDO]]


@pytest.mark.parametrize('when', ['before', 'after'])
def test_all_are_replaced_at_the_second_step(when, fleet):
    """[all or none] If it is asked for, this is noticed before the second step, or after it."""
    site = Steps(fleet)
    site.options = {'strict': True}

    def replace(command):
        if command == (DO if when == 'before' else THEN):
            for process in site.started.processes:
                process.info['Pid'] = '4711'
    site.started[2].handler = replace
    error = site.fails(exceptions.CommandFailed)
    assert type(error) is exceptions.CommandFailed
    assert str(error) == transaction.REPLACED.format(site.paths(0)[0])
    assert account(error) == ([], [], site.paths(0, 1, 2))
    # They are asked what they have.
    assert len(site.undo_asked) == 3
    assert [THEN in received for received in site.commands] == [when == 'after'] * 3


def test_an_interrupt_at_the_second_step(fleet, monkeypatch):
    """[all or none]"""
    site = Steps(fleet)
    interpret = Operation.interpret_reply

    def interrupted(operation, reply, *identified):
        if operation.command == THEN.encode():
            raise Interrupt
        return interpret(operation, reply, *identified)
    monkeypatch.setattr(Operation, 'interpret_reply', interrupted)
    error = site.fails(Interrupt)
    assert account(error) == (site.paths(0, 1, 2), [], [])


def test_a_second_step_that_cannot_be_built(fleet):
    """[all or none]"""
    site = Steps(fleet)

    def then(process):
        raise ValueError('no')
    site.then = then
    error = site.fails(ValueError)
    assert account(error) == (site.paths(0, 1, 2), [], [])
    assert site.commands == [[DO, UNDO]] * 3
