# SPDX-License-Identifier: Apache-2.0
"""internal/waiting.py: deadlines."""
import pytest

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
