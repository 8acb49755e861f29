# SPDX-License-Identifier: Apache-2.0
"""rotation.py: out of rotation and back, with what a real HAProxy cannot be made to do."""
import pytest

from haproxyadmin import exceptions
from haproxyadmin.internal import fanout
from haproxyadmin.rotation import BroughtBack, Drained, TakenOut
from haproxyadmin.testing import faults
from tests.support import captured, fakes
from tests.unit.crews import NAME, WORD, Clock, Crew

DRAIN, MAINT, READY = ['set server {0} state {1}'.format(WORD, state)
                       for state in ('drain', 'maint', 'ready')]
SHUTDOWN = 'shutdown sessions server ' + WORD
# The versions that have the command.
ABLE = [version for version in captured.VERSIONS if not version.startswith('1.5')]
LONG = fakes.LONG


@pytest.fixture
def time(monkeypatch):
    return Clock(monkeypatch)


def nothing():
    pass


# Versions

@pytest.mark.parametrize('version', ABLE)
def test_every_version_that_has_the_state_of_servers(version, fleet, time):
    """[out of rotation]"""
    crew = Crew(fleet(version, 2))
    assert crew.server.drain(timeout=5) == Drained(0, 0.02, True, False)
    assert crew.changes == [[DRAIN]] * 2
    taken = crew.server.takeout(timeout=5)
    assert taken == TakenOut(0, taken.seconds, True, False, 0, [])
    assert crew.server.is_maintenance and not crew.server.is_up
    back = crew.server.bringback(timeout=5)
    assert back == BroughtBack(back.seconds, True, False)
    assert crew.changes == [[DRAIN, MAINT, READY]] * 2
    with crew.server.out_of_rotation(timeout=5, keep_up=None):
        assert crew.states == ['maint'] * 2
    assert crew.states == ['ready'] * 2


CALLS = [
    lambda server: server.drain(timeout=5), lambda server: server.takeout(timeout=5),
    lambda server: server.bringback(timeout=5), lambda server: server.is_draining,
    lambda server: server.is_maintenance, lambda server: server.is_checked,
    lambda server: server.out_of_rotation().__enter__()]


@pytest.mark.parametrize('call', CALLS)
@pytest.mark.parametrize('versions', [('1.5', '1.5'), ('1.5.8', '1.5.8'), ('2.2', '1.5')])
def test_a_version_without_the_state_of_servers(versions, call, fleet):
    """[not supported] Nothing is changed, not even in a process that could do it."""
    started = fleet(versions[0], 2)
    started[1].take_over(versions[1])
    crew = Crew(started)
    with pytest.raises(exceptions.NotSupported) as caught:
        call(crew.server)
    error = caught.value
    old = crew.paths[1 if versions[0] == '2.2' else 0]
    assert (error.needs, error.socket_file) == ('1.6', old)
    assert error.has.startswith('1.5.')
    assert crew.changes == [[], []]
    assert not any('servers state' in command for received in started.commands
                   for command in received)


# Cost

def commands_per_look(crew, call):
    """Return the numbers of commands that each process got between two looks."""
    counts = []

    def look(progress):
        counts.append([len(received) for received in crew.started.commands])
    call(look)
    return [[after - before for before, after in zip(*pair)]
            for pair in zip(counts, counts[1:])]


def test_a_look_costs_each_process_two_commands(fleet, time):
    """[out of rotation]"""
    crew = Crew(fleet('3.2', 3))
    crew[1].hold(2)
    time.events = [nothing] * 5 + [lambda: crew[1].hold(0)]
    costs = commands_per_look(
        crew, lambda look: crew.server.drain(timeout=60, interval=1, progress=look))
    # The last look also checks that nobody else has set another state.
    assert len(costs) >= 6 and costs == [[2, 2, 2]] * (len(costs) - 1) + [[3, 3, 3]]
    crew[1].process.set('backend_proc1', NAME, 'status', 'MAINT')
    crew.server.setstate('maint')
    crew.started.forget()
    for member in crew.members:
        member.process.set('backend_proc1', NAME, 'status', 'UP 1/2')
        member.on_change = lambda command, member=member: member.process.set(
            'backend_proc1', NAME, 'status', 'UP 1/2')
    time.events = [nothing] * 3 + [lambda: [member.put('ready') for member in crew.members]]
    costs = commands_per_look(
        crew, lambda look: crew.server.bringback(timeout=60, interval=1, progress=look))
    assert costs == [[2, 2, 2]] * 4


def test_a_state_that_is_there_is_not_set_again(fleet, time):
    """[out of rotation] In no process."""
    crew = Crew(fleet('3.2', 2))
    crew[0].put('maint')
    crew[1].put('drain')
    assert crew.server.drain(timeout=5).changed is False
    assert crew.changes == [[], []]
    assert crew.server.takeout(timeout=5).changed is True
    assert crew.changes == [[], [MAINT]]
    assert crew.server.takeout(timeout=5).changed is False
    assert crew.changes == [[], [MAINT]]


# Deadlines

@pytest.mark.parametrize('interval, timeout, looks', [
    (0.7, 3, 6), (5, 3, 2), (3, 3, 2), (0.25, 1, 5), (1, 0, 1)])
def test_it_never_sleeps_past_the_deadline(interval, timeout, looks, fleet, time):
    """[waiting; out of rotation] And looks when it has come."""
    crew = Crew(fleet('3.2', 2))
    crew[0].hold(1)
    seen = []
    with pytest.raises(exceptions.WaitTimeout) as caught:
        crew.server.drain(timeout=timeout, interval=interval, progress=seen.append)
    # The last one comes at the deadline.
    assert len(seen) == looks and [look.done for look in seen] == [1] * looks
    assert abs(sum(time.slept) - timeout) < 0.0001
    assert caught.value.result == Drained(1, timeout, True, False)
    assert crew.states == ['drain'] * 2


@pytest.mark.parametrize('interval', [0.7, 5])
def test_who_becomes_idle_at_the_deadline_is_idle(interval, fleet, time):
    """[waiting; out of rotation] The last look is confirmed without a pause."""
    crew = Crew(fleet('3.2', 2))
    crew[0].hold(1)
    time.events = [nothing] * (4 if interval < 1 else 0) + [lambda: crew[0].hold(0)]
    assert crew.server.drain(timeout=3, interval=interval).sessions == 0
    assert abs(sum(time.slept) - 3) < 0.0001


def test_who_only_seems_idle_at_the_deadline_is_not(fleet, time):
    """[out of rotation] A request that leaves the queue shows as no session for a moment."""
    crew = Crew(fleet('3.2', 1))
    crew[0].hold(1)
    time.events = [lambda: crew[0].hold(0)]
    process = crew[0].process
    asked, handle_first = [], process.handler

    def handle(command):
        if time.now >= 1003 and command.startswith('show stat '):
            asked.append(command)
            if len(asked) == 2:
                crew[0].hold(1)
        return handle_first(command)
    process.handler = handle
    with pytest.raises(exceptions.WaitTimeout):
        crew.server.drain(timeout=3, interval=5)
    assert len(asked) == 2


def test_an_idle_look_is_confirmed(fleet, time):
    """[out of rotation]"""
    crew = Crew(fleet('3.2', 1))
    time.events = [lambda: crew[0].hold(1), lambda: crew[0].hold(0)]
    seen = []
    assert crew.server.drain(timeout=30, interval=1, progress=seen.append).sessions == 0
    assert [look.done for look in seen] == [1, 0, 1, 1]
    assert [round(seconds, 3) for seconds in time.slept] == [0.02, 1, 0.02]


@pytest.mark.parametrize('timeout, ended_at', [(8, 7), (2, 1.5), (0.4, 0.3)])
def test_sessions_are_shut_down_shortly_before_the_deadline(timeout, ended_at, fleet, time):
    """[out of rotation]"""
    crew = Crew(fleet('3.2', 2))
    crew[0].hold(2)
    crew[1].hold(3)
    at = []
    crew[1].on_change = lambda command: at.append((command, round(time.now - 1000, 3)))
    taken = crew.server.takeout(timeout=timeout, shutdown_sessions=True, interval=0.1)
    assert (taken.sessions, taken.ended) == (0, 5)
    assert at == [(DRAIN, 0), (MAINT, timeout / 2.0), (SHUTDOWN, ended_at)]
    assert sum(time.slept) <= timeout


def test_the_drain_of_a_takeout_ends_early(fleet, time):
    """[out of rotation]"""
    crew = Crew(fleet('3.2', 1))
    crew[0].hold(1)
    time.events = [nothing, lambda: crew[0].hold(0)]
    at = []
    crew[0].on_change = lambda command: at.append((command, round(time.now - 1000, 3)))
    crew.server.takeout(timeout=100, drain_for=90, interval=1)
    assert at == [(DRAIN, 0), (MAINT, 2)]


def test_a_process_that_hangs_does_not_make_it_wait_much_longer(fleet):
    """[waiting; out of rotation] The time-out of a look is the time that is left."""
    crew = Crew(fleet('3.2', 2), timeout=LONG)
    crew[0].hold(1)

    def look(progress):
        crew[1].process.fail(faults.silent())
    with pytest.raises(exceptions.HAProxyBaseError) as caught:
        crew.server.drain(timeout=0.3, interval=0.01, progress=look)
    assert isinstance(caught.value, exceptions.WaitTimeout)
    assert caught.value.result.seconds < 5


def test_without_an_interval_it_pauses_all_the_same(fleet, time):
    """[waiting]"""
    crew = Crew(fleet('3.2', 1))
    crew[0].hold(1)
    with pytest.raises(exceptions.WaitTimeout):
        crew.server.drain(timeout=0.01, interval=0)
    assert 10 <= len(time.slept) <= 12


@pytest.mark.parametrize('call', [
    lambda crew: crew.server.takeout(timeout=5, keep_up='1'),
    lambda crew: crew.server.takeout(timeout=5, drain_for=6),
    lambda crew: crew.server.drain(timeout='5'), lambda crew: crew.server.bringback(timeout=None),
    # Not only in the `with` statement.
    lambda crew: crew.server.out_of_rotation(keep_up=-1),
    lambda crew: crew.server.out_of_rotation(timeout=5, drain_for=6),
    lambda crew: crew.server.out_of_rotation(drain_for='x'),
    lambda crew: crew.server.out_of_rotation(back_within='x'),
    lambda crew: crew.server.out_of_rotation(interval=-1),
    lambda crew: crew.server.takeout(timeout=5, shutdown_sessions='no'),
    lambda crew: crew.server.out_of_rotation(shutdown_sessions=1),
    lambda crew: crew.server.out_of_rotation(restore_on_error='no'),
    lambda crew: crew.backend.del_server(NAME, timeout='5'),
    lambda crew: crew.backend.del_server(NAME, progress=5),
    lambda crew: crew.hap.wait_until('x', timeout=5), lambda crew: crew.hap.wait_until(None, 5),
    lambda crew: crew.hap.wait_until(bool, timeout='5')])
def test_a_wrong_argument(call, fleet):
    """[argument checks] Nothing is sent."""
    crew = Crew(fleet('3.2', 2))
    with pytest.raises(ValueError) as caught:
        call(crew)
    assert not isinstance(caught.value, exceptions.HAProxyBaseError)
    assert crew.started.commands == [[], []]


# Refusals

REFUSAL = 'Proxy is disabled.'


@pytest.mark.parametrize('refuses', [0, 1, 2])
def test_where_one_refuses_the_others_are_as_before(refuses, fleet, time):
    """[out of rotation] Each in its own state."""
    crew = Crew(fleet('3.2', 3))
    before = ['ready', 'drain', 'ready']
    for member, state in zip(crew.members, before):
        member.put(state)
    crew[refuses].refused['state maint'] = REFUSAL
    with pytest.raises(exceptions.MultipleCommandResults) as caught:
        crew.server.takeout(timeout=5, drain_for=0)
    assert crew.states == before
    error = caught.value
    assert error.undone == [path for number, path in enumerate(crew.paths) if number != refuses]
    assert error.not_undone == [] and error.socket_file == crew.paths[refuses]
    assert error.command == MAINT and error.result.changed is False


def test_a_refusal_in_the_middle_of_a_takeout_leaves_it_in_drain(fleet, time):
    """[out of rotation] The result says that something was changed."""
    crew = Crew(fleet('3.2', 2))
    crew[1].refused['state maint'] = REFUSAL
    with pytest.raises(exceptions.MultipleCommandResults) as caught:
        crew.server.takeout(timeout=5)
    assert crew.states == ['drain'] * 2
    assert caught.value.result.changed is True
    assert crew.server.takeout(timeout=5, die=False) is False


def test_where_all_refuse(fleet, time):
    """[out of rotation]"""
    crew = Crew(fleet('3.2', 2))
    for member in crew.members:
        member.refused['state'] = REFUSAL
    with pytest.raises(exceptions.CommandFailed) as caught:
        crew.server.drain(timeout=5)
    assert str(caught.value) == REFUSAL
    assert crew.states == ['ready'] * 2


def test_too_few_others_are_up(fleet, time):
    """[out of rotation] Nothing is changed."""
    crew = Crew(fleet('3.2', 2))
    for process in crew.started:
        for _, name in process.names('2'):
            if process.row('backend_proc1', name) and name != NAME:
                process.set('backend_proc1', name, 'status', 'DOWN')
    with pytest.raises(exceptions.CommandFailed) as caught:
        crew.server.takeout(timeout=5, keep_up=1)
    assert 'keep_up is 1' in str(caught.value) and 'up: none' in str(caught.value)
    with pytest.raises(exceptions.CommandFailed):
        with crew.server.out_of_rotation(timeout=5):
            raise AssertionError('it is not out')
    assert crew.changes == [[], []]


# Processes that are lost or replaced

def lose(crew, number, command):
    """Lose a connection after a change, once."""
    member = crew[number]

    def answering(process, client):
        received = process.receive(client)
        reply = process.reply_to(received)
        if received == command:
            process.heal()
            return
        client.sendall(reply)
    member.process.fail(answering)


@pytest.mark.parametrize('retry, works', [(None, False), (3, True), (0, True)])
def test_a_process_that_is_lost_at_the_change(retry, works, fleet, time):
    """[out of rotation; retries] Without retries it is told what is known; a state may be set twice."""
    crew = Crew(fleet('3.2', 2), retry=retry, retry_interval=0.1)
    lose(crew, 1, DRAIN)
    if works:
        drained = crew.server.drain(timeout=5)
        assert (drained.changed, drained.sessions) == (True, 0)
        assert crew.states == ['drain'] * 2
        return
    with pytest.raises(exceptions.SocketApplicationError) as caught:
        crew.server.drain(timeout=5)
    assert caught.value.undone == crew.paths[:1]
    assert caught.value.not_undone == crew.paths[1:]
    assert caught.value.socket_file == crew.paths[1]
    assert crew.states == ['ready', 'drain']
    assert caught.value.result.sessions == 0


@pytest.mark.parametrize('retry, interval, works', [
    (None, 1, False), (2, 1, True), (0, 1, True), (2, 0.1, False)])
def test_a_process_that_is_gone_for_a_second(retry, interval, works, fleet, time):
    """[out of rotation; retries] It is waited for as long as elsewhere."""
    crew = Crew(fleet('3.2', 2), retry=retry, retry_interval=interval)
    crew[0].hold(1)
    process = crew[1].process

    def back():
        if time.now >= 1001.2 and process._thread is None:
            process.listen()
        if time.now >= 1003:
            crew[0].hold(0)

    def leave(progress):
        if not time.slept:
            process.refuse()
    time.events = [back] * 1000
    call = lambda: crew.server.drain(timeout=9, interval=0.25, progress=leave)  # noqa: E731
    if works:
        assert call().sessions == 0
        return
    with pytest.raises(exceptions.SocketConnectionError) as caught:
        call()
    assert caught.value.result.changed is True and caught.value.result.sessions == 1
    assert crew.states == ['drain'] * 2


def test_a_process_that_never_comes_back(fleet, time):
    """[waiting] Until the deadline at most, also where retries are endless."""
    crew = Crew(fleet('3.2', 2), retry=0, retry_interval=0.2)
    crew[0].hold(1)
    with pytest.raises(exceptions.HAProxyBaseError) as caught:
        crew.server.drain(timeout=2, interval=0.1,
                          progress=lambda look: crew[1].process.refuse())
    assert abs(sum(time.slept) - 2) < 0.01
    assert isinstance(caught.value, (exceptions.WaitTimeout, exceptions.SocketConnectionError))


@pytest.mark.parametrize('call, wanted', [
    (lambda server, look: server.drain(timeout=9, interval=1, progress=look), 'drain'),
    (lambda server, look: server.takeout(
        timeout=9, drain_for=0, interval=1, progress=look), 'maint')])
def test_a_process_that_is_replaced_while_it_waits(call, wanted, fleet, time):
    """[out of rotation] The new one gets the state, too, and the answer says so."""
    crew = Crew(fleet('3.2', 2))
    crew[0].hold(1)
    time.events = [nothing, crew[1].take_over, nothing, lambda: crew[0].hold(0)]
    seen = []
    result = call(crew.server, seen.append)
    assert result.reloaded is True and result.sessions == 0
    assert crew.states == [wanted] * 2
    # The look at which it was noticed does not count it.
    assert [look.done for look in seen][:4] == [1, 1, 0, 1]


def test_a_process_that_is_replaced_at_the_last_moment(fleet, time):
    """[out of rotation] Between the two looks that find nobody."""
    crew = Crew(fleet('3.2', 2))
    time.events = [crew[1].take_over]
    drained = crew.server.drain(timeout=9, interval=1)
    assert drained.reloaded is True
    assert crew.states == ['drain'] * 2


@pytest.mark.parametrize('retry, works', [(None, False), (2, True)])
def test_a_process_that_is_replaced_during_the_change(retry, works, fleet, time):
    """[out of rotation]"""
    crew = Crew(fleet('3.2', 2), retry=retry, retry_interval=0.1)

    def replaced(command):
        crew[1].on_change = lambda command: None
        crew[1].take_over()
    crew[1].on_change = replaced
    if works:
        drained = crew.server.drain(timeout=5)
        assert (drained.reloaded, drained.changed) == (True, True)
        assert crew.states == ['drain'] * 2
        return
    with pytest.raises(exceptions.CommandFailed) as caught:
        crew.server.drain(timeout=5)
    assert caught.value.replaced == crew.paths[1:] and caught.value.undone == crew.paths[:1]
    assert crew.states == ['ready'] * 2


def test_a_process_that_is_replaced_by_one_without_the_server(fleet, time):
    """[out of rotation]"""
    crew = Crew(fleet('3.2', 2))
    crew[0].hold(1)

    def replaced():
        crew[1].take_over()
        crew[1].process.remove('backend_proc1', NAME)
    time.events = [replaced]
    with pytest.raises(exceptions.NoSuchObject) as caught:
        crew.server.drain(timeout=9, interval=1)
    assert caught.value.result.changed is True


def test_a_process_that_is_replaced_by_one_that_is_too_old(fleet, time):
    """[out of rotation]"""
    crew = Crew(fleet('1.6', 2))
    crew[0].hold(1)

    def replaced():
        crew[1].process.take_over('1.5')
        crew[1].put('ready')
    time.events = [replaced]
    with pytest.raises(exceptions.NotSupported) as caught:
        crew.server.drain(timeout=3, interval=1)
    assert caught.value.socket_file == crew.paths[1] and caught.value.result.reloaded is True


def test_a_process_that_is_replaced_by_one_that_has_it_in_maintenance(fleet, time):
    """[out of rotation] Drain would let clients in."""
    crew = Crew(fleet('3.2', 2))
    crew[0].hold(1)

    def replaced():
        crew[1].process.take_over('3.2')
        crew[1].put('maint')
    time.events = [nothing, replaced, lambda: crew[0].hold(0)]
    drained = crew.server.drain(timeout=30, interval=1)
    assert drained.reloaded is True and crew.states == ['drain', 'maint']


def test_somebody_who_puts_it_into_rotation(fleet, time):
    """[out of rotation]"""
    crew = Crew(fleet('3.2', 2))
    crew[0].hold(1)
    time.events = [nothing, lambda: crew[1].put('ready')]
    with pytest.raises(exceptions.CommandFailed) as caught:
        crew.server.takeout(timeout=60, interval=1)
    assert "status is 'UP' on " + crew.paths[1] in str(caught.value)
    assert caught.value.socket_file == crew.paths[1]
    assert (caught.value.result.changed, caught.value.result.sessions) == (True, 1)


@pytest.mark.parametrize('state, status', [('drain', 'DRAIN'), ('drain', 'DOWN'),
                                           ('ready', 'DOWN'), ('ready', 'NOLB')])
def test_somebody_who_half_undoes_a_maintenance(state, status, fleet, time):
    """[out of rotation] The status DOWN does not show it, so the state is asked for at the end."""
    crew = Crew(fleet('3.2', 2))
    crew[0].hold(1)

    def undo():
        crew[1].put(state)
        crew[1].process.set('backend_proc1', NAME, 'status', status)
    time.events = [nothing, undo, lambda: crew[0].hold(0)]
    with pytest.raises(exceptions.CommandFailed) as caught:
        crew.server.takeout(timeout=60, interval=1, drain_for=0)
    assert 'was set to maint, but its status is {0!r}'.format(status) in str(caught.value)
    assert caught.value.socket_file == crew.paths[1]


def test_what_was_undone_is_not_said_to_remain(fleet, time):
    """[out of rotation; all or none]"""
    crew = Crew(fleet('3.2', 2))
    crew[1].refused['state drain'] = REFUSAL
    with pytest.raises(exceptions.MultipleCommandResults) as caught:
        crew.server.drain(timeout=5)
    assert crew.states == ['ready'] * 2 and caught.value.result.changed is False
    notes = getattr(caught.value, '__notes__', None)
    assert notes is None or any('was not changed' in note for note in notes)


# Interrupts

def interrupt():
    raise KeyboardInterrupt


def test_an_interrupt_while_it_waits(fleet, time):
    """[out of rotation] It says how far it got, and leaves the state as it is."""
    crew = Crew(fleet('3.2', 2))
    crew[0].hold(4)
    time.events = [nothing, interrupt]
    with pytest.raises(KeyboardInterrupt) as caught:
        crew.server.drain(timeout=60, interval=1)
    assert caught.value.result == Drained(4, 2, True, False)
    assert crew.states == ['drain'] * 2
    notes = getattr(caught.value, '__notes__', None)
    assert notes is None or 'was set to drain, and remains so' in notes[0]


def test_an_interrupt_at_the_change(fleet, time, monkeypatch):
    """[out of rotation] What was set is set back, and the rest is told."""
    crew = Crew(fleet('3.2', 2))
    run_all, calls = fanout.run_all, []

    def interrupted(operations, *args, **options):
        outcomes = run_all(operations, *args, **options)
        if not calls and any(DRAIN.encode() == each.command for each in operations):
            calls.append(1)
            raise KeyboardInterrupt
        return outcomes
    monkeypatch.setattr(fanout, 'run_all', interrupted)
    with pytest.raises(KeyboardInterrupt) as caught:
        crew.server.drain(timeout=60)
    assert calls and crew.states == ['ready'] * 2
    assert caught.value.undone == crew.paths and caught.value.not_undone == []
    assert caught.value.result.changed is False


@pytest.mark.parametrize('restore, state', [(False, 'maint'), (True, 'ready')])
def test_an_interrupt_inside_of_the_body(restore, state, fleet, time):
    """[out of rotation]"""
    crew = Crew(fleet('3.2', 2))
    with pytest.raises(KeyboardInterrupt):
        with crew.server.out_of_rotation(timeout=5, keep_up=None, restore_on_error=restore):
            raise KeyboardInterrupt
    assert crew.states == [state] * 2


@pytest.mark.parametrize('restore, state', [(False, 'drain'), (True, 'ready')])
def test_an_interrupt_while_it_is_taken_out(restore, state, fleet, time):
    """[out of rotation]"""
    crew = Crew(fleet('3.2', 2))
    crew[0].hold(1)
    time.events = [interrupt]
    with pytest.raises(KeyboardInterrupt) as caught:
        with crew.server.out_of_rotation(timeout=5, keep_up=None, restore_on_error=restore):
            raise AssertionError('it is not out')
    assert crew.states == [state] * 2
    assert caught.value.result.sessions == 1


# Out of rotation

def test_what_cannot_be_restored_after_an_error_is_told(fleet, time):
    """[out of rotation] The exception of the body is the one that is raised."""
    crew = Crew(fleet('3.2', 2))
    crew[1].refused['state ready'] = REFUSAL
    error = RuntimeError('deploy')
    with pytest.raises(RuntimeError) as caught:
        with crew.server.out_of_rotation(timeout=5, keep_up=None, restore_on_error=True):
            raise error
    assert caught.value is error and error.not_undone == crew.paths
    assert crew.states == ['maint'] * 2
    notes = getattr(error, '__notes__', None)
    assert notes is None or REFUSAL in notes[0]


def test_what_cannot_be_restored_is_raised(fleet, time):
    """[out of rotation]"""
    crew = Crew(fleet('3.2', 2))
    crew[1].refused['state ready'] = REFUSAL
    with pytest.raises(exceptions.MultipleCommandResults) as caught:
        with crew.server.out_of_rotation(timeout=5, keep_up=None):
            pass
    assert caught.value.undone == crew.paths[:1]
    assert crew.states == ['maint'] * 2


def test_a_process_that_is_replaced_inside_of_the_body(fleet, time):
    """[out of rotation] It gets the state that its predecessor had."""
    crew = Crew(fleet('3.2', 2))
    for member in crew.members:
        member.put('drain')
    manager = crew.server.out_of_rotation(timeout=5, keep_up=None)
    with manager:
        crew[1].take_over()
    assert crew.states == ['drain'] * 2
    assert manager.back.reloaded is True


@pytest.mark.parametrize('gone', [[0], [1], [0, 1]])
def test_a_body_that_deletes_the_server(gone, fleet, time):
    """[out of rotation] On purpose only if no process has it any more."""
    crew = Crew(fleet('3.2', 2))
    manager = crew.server.out_of_rotation(timeout=5, keep_up=None)

    def run():
        with manager:
            for number in gone:
                crew[number].lose_server()
    if len(gone) == 2:
        run()
    else:
        with pytest.raises(exceptions.NoSuchObject) as caught:
            run()
        assert caught.value.result.changed is False
    assert manager.taken.changed is True and manager.back is None
    assert [crew.states[number] for number in (0, 1) if number not in gone] == ['maint'] * (
        2 - len(gone))


def test_a_manager_may_be_used_again(fleet, time):
    crew = Crew(fleet('3.2', 1))
    manager = crew.server.out_of_rotation(timeout=5, keep_up=None)
    for state in ('ready', 'drain', 'maint'):
        crew[0].put(state)
        with manager:
            assert crew.states == ['maint']
        assert crew.states == [state]


@pytest.mark.parametrize('name, result', [
    ('drain', Drained(0, 1.5, True, False)), ('takeout', TakenOut(0, 1.5, True, False, 0, [])),
    ('bringback', BroughtBack(1.5, True, False))])
def test_results_are_fit_for_json(name, result):
    import json
    assert json.loads(json.dumps(result._asdict()))['changed'] is True
    assert bool(result)
