# SPDX-License-Identifier: Apache-2.0
"""internal/waiting.py: deadlines."""
import pytest

from haproxyadmin.exceptions import SocketTimeout, WaitTimeout
from haproxyadmin.internal import waiting
from haproxyadmin.internal.waiting import Wait


class Clock(object):
    def __init__(self):
        self.now = 100.0
        self.slept = []

    def sleep(self, seconds):
        self.slept.append(seconds)
        self.now += seconds


@pytest.fixture
def clock(monkeypatch):
    stopped = Clock()
    monkeypatch.setattr(waiting, 'now', lambda: stopped.now)
    monkeypatch.setattr(waiting.time, 'sleep', stopped.sleep)
    return stopped


def test_it_never_sleeps_past_the_deadline(clock):
    """[waiting]"""
    wait = Wait(1, 0.4, None)
    pauses = []
    while wait.pause():
        pauses.append(round(wait.seconds_left(), 6))
    assert pauses == [0.6, 0.2, 0]
    assert [round(seconds, 6) for seconds in clock.slept] == [0.4, 0.4, 0.2, 0]


def test_one_more_look_at_the_deadline(clock):
    """[waiting] What happens during the last pause is seen."""
    wait = Wait(0.1, 5, None)
    assert wait.pause() is True
    assert wait.pause() is False


def test_without_an_interval_it_pauses_all_the_same(clock):
    Wait(1, 0, None).pause()
    assert clock.slept == [0.001]


def test_progress_is_reported(clock):
    looks = []
    Wait(1, 1, looks.append).report(1, 2, 'draining')
    assert looks == [(1, 2, 'draining')]
    Wait(1, 1, None).report(1, 2, 'draining')


@pytest.mark.parametrize('arguments', [
    (None, 1, None), (-1, 1, None), ('1', 1, None), (True, 1, None), (float('nan'), 1, None),
    (float('inf'), 1, None), (1, None, None), (1, -1, None), (1, 1, 'no'), (1, 1, 7)])
def test_a_wrong_argument(arguments):
    with pytest.raises(ValueError):
        Wait(*arguments)


def test_until_something_is_true(clock):
    """[waiting] Its value is returned, and each look is reported."""
    looks, values = [], [0, '', None, 'found', 'not this one']
    wait = Wait(10, 1, looks.append)
    assert wait.until(lambda: values.pop(0), 'it') == 'found'
    assert looks == [(0, 1, 'it')] * 3 + [(1, 1, 'it')]
    assert clock.slept == [1] * 3


@pytest.mark.parametrize('timeout, interval, count', [(3, 1, 4), (0, 1, 1), (1, 5, 2)])
def test_until_the_deadline(timeout, interval, count, clock):
    """[waiting] The result is what was found last; one look comes at the deadline."""
    looks = []

    def look():
        looks.append(clock.now)
        return []
    with pytest.raises(WaitTimeout) as caught:
        Wait(timeout, interval, None).until(look, 'it happens')
    assert len(looks) == count and looks[-1] == 100 + timeout
    assert caught.value.result == []
    assert str(caught.value) == 'not within {0} s: it happens'.format(timeout)


def test_an_error_ends_it(clock):
    """[waiting] At the deadline an error of a socket means that the time is over."""
    def fail():
        clock.now += 2
        raise SocketTimeout('/s')
    with pytest.raises(SocketTimeout):
        Wait(3, 1, None).until(fail, 'it')
    with pytest.raises(WaitTimeout):
        Wait(2, 1, None).until(fail, 'it')

    def wrong():
        raise KeyError('x')
    with pytest.raises(KeyError):
        Wait(0, 1, None).until(wrong, 'it')


def test_the_time(clock):
    wait = Wait(2, 1, None)
    assert (wait.seconds_left(), wait.seconds_passed()) == (2, 0)
    clock.now += 1.23456
    assert wait.seconds_passed() == 1.235
    clock.now += 5
    assert wait.seconds_left() == 0


def test_a_pause_until_an_earlier_time(clock):
    """[waiting]"""
    wait = Wait(10, 3, None)
    assert wait.pause(until=101) is True
    assert wait.pause(until=101) is False
    assert wait.pause(until=200, interval=0.02) is True
    assert [round(seconds, 6) for seconds in clock.slept] == [1, 0, 0.02]
    clock.now = 109
    assert wait.pause(until=200) is True
    assert clock.slept[-1] == 1
