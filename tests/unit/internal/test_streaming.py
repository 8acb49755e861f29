# SPDX-License-Identifier: Apache-2.0
"""internal/streaming.py: replies that are parsed while they arrive."""
import pytest

from haproxyadmin import exceptions
from haproxyadmin.internal import streaming
from haproxyadmin.protocol import replies
from haproxyadmin.testing import faults
from tests.support import lab as labs


class Lines(object):
    """Splits a reply into lines, which an empty one ends; refuses what begins with ``no``."""

    begun = 0

    def __init__(self):
        type(self).begun += 1
        self.rest = self.ends = b''

    def feed(self, received):
        if b'wrong' in received:
            raise replies.Malformed('wrong')
        lines = (self.rest + received).split(b'\n')
        self.rest = lines.pop()
        self.ends = (self.ends + received)[-2:]
        return list(filter(None, lines))

    def finish(self, received):
        found = self.feed(received)
        if found[:1] == [b'no']:
            raise exceptions.CommandFailed('no')
        if self.ends != b'\n\n':
            raise replies.Malformed('cut short')
        return found


LARGE = b''.join(b'%06d\n' % number for number in range(100000)) + b'\n'
WANTED = [b'%06d' % number for number in range(100000)]


class Streamed(object):
    """Processes that are read with :func:`haproxyadmin.internal.streaming.stream_all`."""

    def __init__(self, fleet, count=1, retry=None, begin=Lines):
        self.fleet = fleet('2.2', count)
        self.fleet.answer('show table st', LARGE.decode('ascii'))
        hap = self.fleet.haproxy(retry=retry, retry_interval=0)
        self.operations = [streaming.StreamedOperation(
            process.endpoint, b'show table st', begin) for process in hap._processes]

    def read(self):
        return [line for part in streaming.stream_all(self.operations) for line in part]


@pytest.fixture
def streamed(fleet):
    return lambda *args, **options: Streamed(fleet, *args, **options)


def test_replies_are_parsed_while_they_arrive(streamed):
    on = streamed(3)
    parts = list(streaming.stream_all(on.operations))
    assert len(parts) >= 6
    assert sorted(line for part in parts for line in part) == sorted(WANTED * 3)
    assert on.fleet.connections == [1] * 3


def test_a_small_reply_is_parsed_as_a_whole(streamed):
    on = streamed()
    on.fleet.answer('show table st', 'a\nb\n\n')
    assert on.read() == [b'a', b'b']


def test_what_has_not_begun_is_repeated(streamed):
    on = streamed(2, retry=2)
    on.fleet[0].next(faults.closing(), faults.closing_at_once())
    assert sorted(on.read()) == sorted(WANTED * 2)
    assert on.fleet.connections[1] == 1
    # The version is asked for in between, if the command depends on it.
    assert on.fleet.commands[0].count('show table st') == 2


def test_it_is_repeated_as_often_as_the_caller_says(streamed):
    on = streamed(retry=2)
    on.fleet[0].fail(faults.closing())
    with pytest.raises(exceptions.SocketApplicationError):
        on.read()
    assert on.fleet.connections == [3]
    on = streamed()
    on.fleet[0].fail(faults.closing())
    with pytest.raises(exceptions.SocketApplicationError):
        on.read()
    assert on.fleet.connections == [1]


def test_what_has_begun_is_not_repeated(streamed):
    """Otherwise some of it would come twice."""
    on = streamed(retry=5)
    on.fleet[0].next(faults.cut(600000))
    found = []
    with pytest.raises(exceptions.SocketApplicationError, match='cut short') as info:
        for part in streaming.stream_all(on.operations):
            found.extend(part)
    assert found == WANTED[:len(found)] and len(found) > 10000
    assert info.value.socket_file == on.fleet[0].path
    assert on.fleet.connections == [1]


def test_what_cannot_be_parsed_is_not_haproxys(streamed):
    on = streamed(2, retry=5)
    on.fleet[1].answers['show table st'] = 'a\n' * 1000 + 'wrong\n\n'
    with pytest.raises(exceptions.SocketApplicationError, match='wrong') as info:
        on.read()
    assert info.value.socket_file == on.fleet[1].path


def test_a_refusal_by_one_of_several(streamed):
    on = streamed(3, retry=5)
    on.fleet[1].answers['show table st'] = 'no\n\n'
    with pytest.raises(exceptions.CommandFailed, match='no') as info:
        on.read()
    assert info.value.socket_file == on.fleet[1].path
    assert info.value.command == 'show table st'
    assert on.fleet.connections[1] == 1


def test_an_error_ends_the_others(streamed):
    on = streamed(3)
    on.fleet[1].next(faults.closing())
    before = labs.descriptors()
    with pytest.raises(exceptions.HAProxySocketError):
        on.read()
    labs.wait_until(lambda: labs.descriptors() <= before, 'closed')


def test_another_operation_may_follow(streamed):
    """If nothing was handed out before."""
    on = streamed()
    endpoint = on.operations[0].endpoint

    class Refused(Lines):
        def finish(self, received):
            if received == b'no\n\n':
                return streaming.StreamedOperation(endpoint, b'show table st', Lines)
            return Lines.finish(self, received)
    on.fleet[0].answers['show table other'] = 'no\n\n'
    on.operations = [streaming.StreamedOperation(endpoint, b'show table other', Refused)]
    assert on.read() == WANTED
    assert on.fleet.commands == [['show table other', 'show table st']]


def test_each_attempt_has_a_parser_of_its_own(streamed):
    on = streamed(retry=3)
    Lines.begun = 0
    on.fleet[0].next(faults.closing(), faults.closing())
    assert on.read() == WANTED
    assert Lines.begun == 1


def test_a_level_that_is_too_low_is_told(streamed):
    on = streamed()
    on.fleet[0].level = 'operator'
    on.fleet[0].answers['show table st'] = 'Permission denied\n\n'

    class Judged(Lines):
        def finish(self, received):
            raise exceptions.CommandFailed(received.decode('ascii').strip())
    on.operations = [streaming.StreamedOperation(
        on.operations[0].endpoint, b'show table st', Judged)]
    with pytest.raises(exceptions.CommandFailed) as info:
        on.read()
    assert 'the level of {0} is operator'.format(on.fleet[0].path) in str(info.value)


def test_a_former_worker_that_has_ended_is_left_out(streamed, monkeypatch):
    on = streamed(2)
    on.fleet[1].next(faults.closing())
    monkeypatch.setattr(type(on.operations[1].endpoint), 'is_gone', property(
        lambda endpoint: endpoint.address.path == on.fleet[1].path))
    assert on.read() == WANTED
