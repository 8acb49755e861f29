# SPDX-License-Identifier: Apache-2.0
"""Run operations whose replies are parsed while they arrive."""
import time

from haproxyadmin.exceptions import HAProxySocketError
from haproxyadmin.internal.fanout import Operation, raise_first_error, unchanged
from haproxyadmin.protocol import streams


class StreamedOperation(Operation):
    """An operation that reads, and whose reply is parsed while it arrives.

    :param begin: returns a new parser for each attempt. Its method ``feed(received)`` takes the
        next part of the reply, bytes, and ``finish(received)`` the last one; both return a list.
        ``finish`` may return another :class:`Operation` instead if nothing was returned before.
    """

    __slots__ = ('begin',)

    def __init__(self, endpoint, command, begin, conduct=streams.STREAMED):
        super(StreamedOperation, self).__init__(
            endpoint, command, unchanged, parse=lambda reply: begin().finish(reply),
            conduct=conduct)
        self.begin = begin


def stream_all(operations):
    """Run operations concurrently; yield a list for each part that arrives of their replies.

    An exchange is repeated only as long as nothing of its reply has been handed out.

    :type operations: list of :class:`StreamedOperation`
    :raises haproxyadmin.exceptions.HAProxyBaseError: the first error; the others are ended then.
    """
    failures = [0] * len(operations)
    pending = list(enumerate(operations))
    while pending:
        following, pause, parsers = [], None, {}
        for place, received in streams.stream_all([operation for _, operation in pending]):
            number, operation = pending[place]
            outcome = _interpret_part(operation, received, parsers, place)
            if isinstance(outcome, HAProxySocketError):
                operation.endpoint.doubt_version()
                if (place not in parsers and operation.may_repeat(outcome)
                        and operation.endpoint.tries_left(failures[number])):
                    failures[number] += 1
                    pause = max(pause or 0, operation.endpoint.retry_interval)
                    outcome = operation.repeated()
            if isinstance(outcome, Operation):
                following.append((number, outcome))
            elif not operation.endpoint.is_gone:
                yield raise_first_error([outcome])[0]
        pending = following
        if pause is not None:
            time.sleep(pause)


def _interpret_part(operation, received, parsers, place):
    """Return what a part of a reply, or all of it, amounts to.

    :param parsers: the parsers of replies that have begun, by place.
    """
    if isinstance(received, streams.Part):
        if place not in parsers:
            parsers[place] = operation.begin()
        return operation.outcome_of(lambda: parsers[place].feed(received.received))
    if place in parsers and not isinstance(received, HAProxySocketError):
        return operation.outcome_of(lambda: parsers[place].finish(received))
    return operation.interpret_reply(received)
