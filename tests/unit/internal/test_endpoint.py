# SPDX-License-Identifier: Apache-2.0
"""internal/endpoint.py: what is known of the process behind a socket."""
import pickle

import pytest

from haproxyadmin.internal import endpoint
from haproxyadmin.protocol import versions

INFO = {'Version': '2.2.9', 'Pid': '7', 'node': 'n', 'Process_num': '3', 'Uptime_sec': '10'}


@pytest.fixture
def at(monkeypatch):
    """The time, as a list of one number."""
    now = [1000.0]
    monkeypatch.setattr(endpoint, 'now', lambda: now[0])
    monkeypatch.setattr(endpoint, 'VERSION_AGE', 1)
    return now


@pytest.fixture
def known(at):
    """An endpoint whose process has been asked."""
    made = endpoint.Endpoint('/run/1', 3, 2, 1)
    made.learn(INFO)
    return made


def test_nothing_is_known_at_first():
    made = endpoint.Endpoint('/run/1', 3, 2, 1)
    assert made.number is made.identity is made.known_version is None
    assert not made.has_old_version()
    assert made.may_have(versions.SHOW_LEVEL)


def test_an_answer_says_who_it_is(known):
    assert (known.number, known.known_version) == (3, (2, 2, 9))
    assert known.identity.key == ('7', 'n', '3') and known.identity.start == 990
    assert known.may_have(versions.SHOW_LEVEL)
    assert not known.may_have(versions.DELAYED_ADDRESS)


def test_a_version_grows_old(known, at):
    assert not known.has_old_version()
    at[0] += 1.1
    assert known.has_old_version()
    known.learn(INFO)
    assert not known.has_old_version()
    known.doubt_version()
    assert known.has_old_version()


@pytest.mark.parametrize('changed, same', [
    ({}, True), ({'Uptime_sec': '12'}, True), ({'Uptime_sec': '13'}, False),
    ({'Pid': '8'}, False), ({'node': 'm'}, False), ({'Process_num': '2'}, False)])
def test_an_identity_stays_the_same_object_for_the_same_process(known, changed, same):
    """[one process, two sockets] Two readings of its start may differ by two seconds."""
    before = known.identity
    known.learn(dict(INFO, **changed))
    assert (known.identity is before) == same


def test_a_use_of_the_version_is_noted(known):
    before = known.version_use
    assert known.use_version() == (2, 2, 9)
    assert known.version_use is not before


@pytest.mark.parametrize('retry, failures, left', [
    (None, 0, False), (0, 1000, True), (2, 1, True), (2, 2, False)])
def test_how_often_an_exchange_is_repeated(retry, failures, left):
    """[retries]"""
    assert endpoint.Endpoint('/run/1', retry, 2, 1).tries_left(failures) is left


def test_a_copy_does_not_change_with_the_original(known):
    copied = known.copy()
    known.learn(dict(INFO, Process_num='2', Pid='8'))
    assert (copied.number, copied.identity.key) == (3, ('7', 'n', '3'))


def test_a_version_from_a_pickle_is_asked_again(known):
    """The clock may be another machine's."""
    restored = pickle.loads(pickle.dumps(known))
    assert restored.has_old_version() and restored.known_version == (2, 2, 9)


@pytest.mark.parametrize('options, message', [
    (('x', 2, 1), "retry must be None or an integer of at least 0, got 'x'"),
    ((3, -1, 1), 'retry_interval must be a number of seconds, got -1'),
    ((3, 2, 0), 'timeout must be None or a number of seconds above 0, got 0')])
def test_a_wrong_option_says_what_is_right(options, message):
    """[constructor; messages]"""
    with pytest.raises(ValueError) as caught:
        endpoint.Endpoint('/run/1', *options)
    assert str(caught.value) == message
