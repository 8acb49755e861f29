# SPDX-License-Identifier: Apache-2.0
"""watch.py: what changes from one look to the next."""
import errno
import gc
import itertools
import json
import time

import pytest

from haproxyadmin import exceptions, watch
from haproxyadmin.internal import waiting
from haproxyadmin.parsers.stats import Dump
from haproxyadmin.testing import faults
from tests.support import captured, lab as labs

PROXY, SERVER = 'tcp_listen', 'tcp1'
NAME = PROXY + '/' + SERVER
LOOK = 'show info;show stat -1 7 -1'
LONG = 60


def observe(started, **options):
    """Return a library object, and what changes from now on."""
    hap = started.haproxy()
    return hap, hap.watch(interval=0, timeout=LONG, **options)


def rest(changes, monkeypatch):
    """Return what one more look yields, without the time."""
    pauses = iter([True])
    # Between two looks; not between two attempts of one.
    monkeypatch.setattr(waiting.Wait, 'pause', lambda wait, until=None, interval=None: (
        until is not None or next(pauses, False)))
    return [tuple(change[1:]) for change in changes]


@pytest.fixture
def look(monkeypatch):
    """A function that returns what one more look yields, which is the last one."""
    return lambda changes: rest(changes, monkeypatch)


def setting(name, column, value):
    return lambda process: process.set(PROXY, name, column, value)


@pytest.mark.parametrize('change, wanted', [
    (setting(SERVER, 'status', 'DOWN'), [('server', NAME, 'status', 'UP', 'DOWN')]),
    (setting(SERVER, 'status', 'MAINT (via a/b)'),
     [('server', NAME, 'status', 'UP', 'MAINT (via a/b)')]),
    (setting(SERVER, 'weight', '7'), [('server', NAME, 'weight', 100, 7)]),
    (setting(SERVER, 'addr', '1.2.3.4:80'), [('server', NAME, 'addr', '127.0.0.1:80', '1.2.3.4:80')]),
    (setting(SERVER, 'addr', ''), [('server', NAME, 'addr', '127.0.0.1:80', None)]),
    (setting('BACKEND', 'status', 'DOWN'), [('backend', PROXY, 'status', 'UP', 'DOWN')]),
    (setting('FRONTEND', 'status', 'STOP'), [('frontend', PROXY, 'status', 'OPEN', 'STOP')]),
    (lambda process: process.remove(PROXY, SERVER), [('server', NAME, 'status', 'UP', None)]),
    (lambda process: process.remove(PROXY),
     [('frontend', PROXY, 'status', 'OPEN', None), ('backend', PROXY, 'status', 'UP', None),
      ('server', NAME, 'status', 'UP', None)]),
    # Figures, and how many health checks are missing.
    (setting(SERVER, 'scur', '12345'), []), (setting('BACKEND', 'weight', '12345'), []),
    (setting(SERVER, 'status', 'UP 1/3'), []), (setting(SERVER, 'status', 'UP -1/3'), []),
])
def test_what_is_a_change(change, wanted, fleet, look):
    """[watching]"""
    started = fleet('3.2')
    process = started[0]
    process.keep(PROXY)
    for column, value in [('status', 'UP'), ('weight', '100'), ('addr', '127.0.0.1:80')]:
        process.set(PROXY, SERVER, column, value)
    _, changes = observe(started)
    change(process)
    assert look(changes) == wanted


@pytest.mark.parametrize('version', captured.VERSIONS)
def test_a_server_goes_down_on_every_version(version, fleet):
    started = fleet(version, 2)
    _, changes = observe(started)
    before = started[0].get(PROXY, SERVER, 'status')
    moment = time.time()
    started[1].set(PROXY, SERVER, 'status', 'DOWN')
    change = next(changes)
    assert change[1:] == ('server', NAME, 'status', before, before + ', DOWN')
    assert moment - 1 <= change.when <= time.time() + 1
    assert json.loads(json.dumps(change._asdict())) == change._asdict()
    started[0].set(PROXY, SERVER, 'status', 'DOWN')
    assert next(changes)[1:] == ('server', NAME, 'status', before + ', DOWN', 'DOWN')


def test_something_appears(fleet, look):
    started = fleet('3.2')
    rows = list(started[0].rows)
    started[0].remove(PROXY, SERVER)
    _, changes = observe(started)
    started[0].rows = rows
    assert look(changes) == [('server', NAME, 'status', None, 'UP')]


def test_one_process_of_several_loses_a_server(fleet, look):
    """[watching]"""
    started = fleet('3.2', 3)
    _, changes = observe(started)
    started[1].remove(PROXY, SERVER)
    assert look(changes) == [('server', NAME, 'processes', 3, 2)]


def test_a_weight_that_differs_is_shown_for_each_process(fleet, look):
    started = fleet('3.2', 2)
    for process in started:
        process.set(PROXY, SERVER, 'weight', '10')
    _, changes = observe(started)
    started[1].set(PROXY, SERVER, 'weight', '20')
    assert look(changes) == [('server', NAME, 'weight', 10, '10, 20')]


def test_a_weight_that_rises_during_a_slow_start_is_no_change(fleet):
    """[watching]"""
    started = fleet('3.2')
    process = started[0]
    process.set(PROXY, SERVER, 'status', 'DOWN')
    process.set(PROXY, SERVER, 'weight', '100')
    _, changes = observe(started)
    process.set(PROXY, SERVER, 'status', 'UP')
    process.set(PROXY, SERVER, 'throttle', '10%')
    process.set(PROXY, SERVER, 'weight', '10')
    assert next(changes)[1:] == ('server', NAME, 'status', 'DOWN', 'UP')
    process.set(PROXY, SERVER, 'throttle', '')
    process.set(PROXY, SERVER, 'weight', '90')
    assert next(changes)[1:] == ('server', NAME, 'weight', 100, 90)


def test_each_look_costs_one_command_and_the_first_is_the_call(fleet):
    """[watching]"""
    started = fleet('3.2', 2)
    hap = started.haproxy()
    changes = hap.watch(interval=0, timeout=LONG)
    assert started.commands == [[LOOK]] * 2
    started[0].set(PROXY, SERVER, 'status', 'DOWN')
    assert next(changes).kind == 'server'
    assert started.commands == [[LOOK] * 2] * 2


@pytest.mark.parametrize('options', [
    {'interval': None}, {'interval': '1'}, {'interval': -1}, {'timeout': '5'}, {'timeout': -1}])
def test_a_wrong_argument(options, fleet):
    """[argument checks] It is reported by the call, and nothing is sent."""
    started = fleet('3.2')
    hap = started.haproxy()
    with pytest.raises(ValueError):
        hap.watch(**options)
    assert started.commands == [[]]


class Clock(object):
    """The clock of the deadline, far from that of the time-outs, which a stall would bring near."""

    def __init__(self):
        self.seconds = 1e9
        self.slept = []

    def __call__(self):
        return self.seconds

    def sleep(self, seconds):
        self.slept.append(seconds)
        self.seconds += seconds


@pytest.fixture
def stopped(monkeypatch):
    """A :class:`Clock` that goes on when somebody sleeps."""
    clock = Clock()
    monkeypatch.setattr(waiting, 'now', clock)
    monkeypatch.setattr(waiting.time, 'sleep', clock.sleep)
    return clock


def test_it_ends_when_the_time_is_over(fleet, stopped):
    """[watching] Without an exception, and after a look at that moment."""
    started = fleet('3.2')
    hap = started.haproxy()
    assert list(hap.watch(timeout=0)) == []
    changes = hap.watch(interval=4, timeout=10)
    del stopped.slept[:]
    started.forget()
    started[0].set(PROXY, SERVER, 'status', 'DOWN')
    assert [change.after for change in changes] == ['DOWN']
    assert stopped.slept[:3] == [4, 4, 2] and sum(stopped.slept) == 10
    assert started.commands == [[LOOK] * 3]
    assert list(changes) == []


def test_what_could_not_answer_before_the_end_is_no_change(fleet, stopped):
    """[watching]"""
    started = fleet('3.2')
    hap = started.haproxy()
    changes = hap.watch(interval=4, timeout=4)
    started.hasten(hap, 0)
    started[0].fail(faults.silent())
    assert list(changes) == []


def test_a_program_that_takes_long_sees_what_is_left(fleet, look):
    """[watching] What happened meanwhile is one change."""
    started = fleet('3.2')
    _, changes = observe(started)
    for status in ('DOWN', 'UP', 'DRAIN'):
        started[0].set(PROXY, SERVER, 'status', status)
    assert look(changes) == [('server', NAME, 'status', 'UP', 'DRAIN')]


# Processes

def test_a_process_is_replaced(fleet, look):
    """[watching]"""
    started = fleet('3.0', 2)
    _, changes = observe(started)
    before = started[0].info['Pid'], started[0].info['Version']
    started[0].take_over('3.0')
    started[0].info['Version'] = '3.0.99'
    path = started.paths[0]
    assert look(changes) == [
        ('process', path, 'pid', int(before[0]), int(before[0]) + 1000),
        ('process', path, 'version', before[1], '3.0.99')]


def test_a_process_is_replaced_in_a_container(fleet, look):
    """[watching] The new one has the same pid."""
    started = fleet('3.0')
    started[0].info['Uptime_sec'] = '10000'
    _, changes = observe(started)
    started[0].info['Uptime_sec'] = '0'
    pid = int(started[0].info['Pid'])
    assert look(changes) == [('process', started.paths[0], 'pid', pid, pid)]


def test_a_process_that_is_gone_does_not_stop_the_others(fleet):
    """[watching] Its servers are as they were, until it answers again."""
    started = fleet('3.0', 2)
    _, changes = observe(started)
    path = started.paths[0]
    started[0].refuse()
    assert next(changes)[1:] == ('process', path, 'status', 'up', 'unreachable')
    started[1].set(PROXY, SERVER, 'status', 'DOWN')
    assert next(changes)[1:] == ('server', NAME, 'status', 'UP', 'UP, DOWN')
    pid = int(started[0].info['Pid'])
    started[0].take_over('3.0')
    started[0].set(PROXY, SERVER, 'status', 'MAINT')
    started[0].listen()
    assert [next(changes)[1:] for _ in range(3)] == [
        ('process', path, 'status', 'unreachable', 'up'),
        ('process', path, 'pid', pid, pid + 1000),
        ('server', NAME, 'status', 'UP, DOWN', 'MAINT, DOWN')]


@pytest.mark.parametrize('behavior', [faults.silent(), faults.cut(500), faults.replying(b'no\n\n')])
def test_one_that_hangs_or_talks_nonsense_does_not_stop_the_others(behavior, fleet):
    """[watching]"""
    started = fleet('3.0', 2)
    hap, changes = observe(started)
    started.hasten(hap, 0)
    started[0].fail(behavior)
    started[1].set(PROXY, SERVER, 'status', 'DOWN')
    assert [next(changes)[1:] for _ in range(2)] == [
        ('process', started.paths[0], 'status', 'up', 'unreachable'),
        ('server', NAME, 'status', 'UP', 'UP, DOWN')]


def test_all_may_be_gone(fleet):
    started = fleet('3.0', 2)
    _, changes = observe(started)
    for process in started:
        process.refuse()
    assert [next(changes)[2:] for _ in range(2)] == [
        (path, 'status', 'up', 'unreachable') for path in started.paths]


@pytest.mark.parametrize('times, wanted', [
    (0, ['UP, DOWN']), (1, ['UP, DOWN']), (2, ['UP, DOWN']), (3, ['unreachable', 'UP, DOWN'])])
def test_a_connection_that_fails_during_a_reload_is_no_change(times, wanted, fleet, look):
    """[watching]"""
    started = fleet('3.0', 2)
    _, changes = observe(started)
    started[0].next(*[faults.closing()] * times)
    started[1].set(PROXY, SERVER, 'status', 'DOWN')
    assert [change[-1] for change in look(changes)] == wanted
    assert started.connections[0] == 1 + min(times + 1, 3)


def test_a_time_out_is_not_repeated(fleet):
    """[watching] Otherwise it would delay what else changes."""
    started = fleet('3.0')
    hap, changes = observe(started)
    started.hasten(hap, 0)
    started[0].fail(faults.silent())
    assert next(changes).after == 'unreachable'
    assert started.connections == [2]


@pytest.mark.parametrize('version', ['2.2', '3.0'])
def test_a_worker_that_is_stopping_is_asked_again(version, fleet, look):
    """[watching] Before 2.5 it does not list all of its proxies; later they are closed."""
    started = fleet(version)
    _, changes = observe(started)

    def stop(process, client):
        rows, process.rows = process.rows, [] if version == '2.2' else process.rows
        process.info['Stopping'] = '1'
        process.set(PROXY, 'FRONTEND', 'status', 'STOP') if process.rows else None
        process.answer(client)
        process.rows = rows
        process.set(PROXY, 'FRONTEND', 'status', 'OPEN')
        process.info['Stopping'] = '0'
    started[0].next(stop)
    assert look(changes) == []


def test_the_first_look_reports_what_cannot_be_reached(fleet):
    """[watching]"""
    started = fleet('3.0', 2)
    hap = started.haproxy()
    started[0].refuse()
    with pytest.raises(exceptions.SocketConnectionError):
        hap.watch()


def test_processes_join_and_leave(fleet, look):
    """[watching]"""
    started = fleet('3.0', 1)
    hap, changes = observe(started)
    other = started.add('other.sock', pid=5000)
    other.set(PROXY, SERVER, 'status', 'DOWN')
    hap.refresh()
    assert [next(changes)[1:] for _ in range(2)] == [
        ('process', other.path, 'status', None, 'up'),
        ('server', NAME, 'status', 'UP', 'UP, DOWN')]
    other.refuse()
    assert next(changes)[1:] == ('process', other.path, 'status', 'up', 'unreachable')
    hap.refresh()
    assert look(changes) == [('process', other.path, 'status', 'unreachable', None),
                             ('server', NAME, 'status', 'UP, DOWN', 'UP')]


def test_one_that_joins_and_does_not_answer(fleet):
    started = fleet('3.0', 1)
    hap, changes = observe(started)
    other = started.add('other.sock', pid=5000)
    other.set(PROXY, SERVER, 'status', 'DOWN')
    hap.refresh()
    other.refuse()
    assert next(changes)[1:] == ('process', other.path, 'status', None, 'unreachable')
    other.listen()
    assert [next(changes)[1:] for _ in range(2)] == [
        ('process', other.path, 'status', 'unreachable', 'up'),
        ('server', NAME, 'status', 'UP', 'UP, DOWN')]


def test_one_process_takes_over_the_sockets_of_two_and_gives_them_back(fleet):
    """[watching] [upgrades]"""
    started = fleet('3.0', 2)
    _, changes = observe(started)
    requests = itertools.count(100)
    for process in started:
        process.take_over('3.0', pid=7000)
        process.requests = requests
    paths = started.paths
    assert [next(changes)[1:] for _ in range(2)] == [
        ('process', paths[0], 'pid', 4001, 7000), ('process', paths[1], 'status', 'up', None)]
    started[0].take_over('3.0', pid=8000)
    started[1].take_over('3.0', pid=8001)
    assert sorted([next(changes)[1:] for _ in range(2)]) == [
        ('process', paths[0], 'pid', 7000, 8000), ('process', paths[1], 'status', None, 'up')]


def test_descriptors_that_run_out_are_no_change(fleet, monkeypatch):
    """[watching] They are no fault of HAProxy."""
    started = fleet('3.0')
    _, changes = observe(started)
    error = exceptions.SocketApplicationError(
        started.paths[0], 'too many', OSError(errno.EMFILE, 'too many'))
    monkeypatch.setattr(watch, 'look_at_each', lambda processes, *rest: (processes, [error]))
    with pytest.raises(exceptions.SocketApplicationError):
        next(changes)


# Memory

def test_it_keeps_no_snapshot(fleet):
    """[watching]"""
    started = fleet('3.0', 2)
    _, changes = observe(started)
    assert dumps() == 0
    started[0].set(PROXY, SERVER, 'status', 'DOWN')
    next(changes)
    assert dumps() == 0
    changes.close()
    assert list(changes) == []


def dumps():
    gc.collect()
    return sum(isinstance(thing, Dump) for thing in gc.get_objects())


def test_ctrl_c_leaves_nothing_open(fleet, monkeypatch):
    """[watching]"""
    started = fleet('3.0', 2)
    before = labs.descriptors()
    _, changes = observe(started)
    monkeypatch.setattr(waiting.time, 'sleep', _interrupt)
    with pytest.raises(KeyboardInterrupt):
        next(changes)
    labs.wait_until(lambda: labs.descriptors() <= before, 'nothing is left open')
    assert list(changes) == []


def _interrupt(seconds):
    raise KeyboardInterrupt
