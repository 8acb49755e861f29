# SPDX-License-Identifier: Apache-2.0
"""Replies that are handed out while they arrive, because they may be larger than memory."""
import collections

from haproxyadmin.protocol.transport import (MAX_COMPLAINT, Conduct, Exchange, Exchanges,
                                             most_connections, now)

# How an exchange proceeds whose reply is handed out in parts.
STREAMED = Conduct(False, float('inf'), float('inf'))
# What has arrived of a reply that goes on.
Part = collections.namedtuple('Part', 'received')


def stream_all(requests):
    """Send all requests concurrently, and hand out what arrives.

    No more than about half a megabyte of each reply is kept: a caller that is slow makes HAProxy
    wait, which ends the connection after its ``stats timeout``. Closing the generator ends all
    connections.

    :param requests: those with the conduct :data:`STREAMED` are handed out in parts.
    :type requests: list of :class:`Request`
    :return: an iterator of pairs: the place of a request, and a :class:`Part` of its reply, or its
        outcome, which comes last: the rest of its reply, or the error that ended it.
    """
    exchanges = _Streams(most_connections(len(requests)))
    for place, request in enumerate(requests):
        exchanges.add((_Stream if request.conduct is STREAMED else Exchange)(place, request))
    try:
        for received in exchanges.run():
            yield received
    finally:
        exchanges.close()


class _Streams(Exchanges):
    """Exchanges some of which hand out their replies in parts."""

    def _unfinished(self):
        return [fileno for fileno, exchange in self._connected.items()
                if isinstance(exchange, _Stream) and exchange.is_interrupted]

    def _longest_pause(self):
        return 0 if self._unfinished() else super(_Streams, self)._longest_pause()

    def _advance(self, ready):
        ready = list(ready)
        filenos = set(fileno for fileno, _ in ready)
        for fileno in self._unfinished():
            self._connected[fileno].is_interrupted = False
            if fileno not in filenos:
                ready.append((fileno, None))
        super(_Streams, self)._advance(ready)

    def _parts(self):
        for exchange in list(self._connected.values()):
            received = exchange.take() if isinstance(exchange, _Stream) else None
            if received is not None:
                yield exchange.place, received
                # The caller may have taken its time.
                self._now = now()


class _Stream(Exchange):
    """An exchange whose reply is handed out in parts; the parameters are those of its base class.

    How fast the reply arrives depends on the caller, so that only silence ends it.

    ``is_interrupted`` is true if there may be more to read, which poll() does not report.
    """

    __slots__ = ('_is_begun', 'is_interrupted')

    def __init__(self, place, request):
        super(_Stream, self).__init__(place, request)
        self._is_begun = self.is_interrupted = False

    def _start(self, now):
        super(_Stream, self)._start(now)
        self._window_end = float('inf')

    def take(self):
        """Return what has arrived since the last time, None if nothing can be handed out."""
        if self._size <= MAX_COMPLAINT or not self._chunks or self._lookup is not None:
            return None
        self._is_begun = True
        received, self._chunks = Part(b''.join(self._chunks)), []
        return received

    def _reads_on(self):
        # Otherwise the whole reply might be kept.
        self.is_interrupted = self._address.is_tls
        return False

    def _finish(self):
        if self._is_begun:
            self._end_with(b''.join(self._chunks))
        else:
            super(_Stream, self)._finish()

    def _received(self):
        return ''
