# SPDX-License-Identifier: Apache-2.0
"""protocol/streams.py: replies that are handed out while they arrive."""
import errno
import gc
import select
import shutil
import socket
import tempfile
import warnings

import pytest

from haproxyadmin import exceptions
from haproxyadmin.protocol import streams, transport
from haproxyadmin.protocol.addresses import Tls, parse_address
from haproxyadmin.testing import faults
from tests.support import backlog, fakes, keys as keychain, lab as labs
from tests.unit.protocol import test_tls

COMMAND = b'show table st'
LARGE = b''.join(b'%07d\n' % number for number in range(500000))


def requests(paths, timeout=fakes.LONG, conduct=streams.STREAMED):
    return [transport.Request(path, COMMAND, timeout, conduct) for path in paths]


def collect(stream):
    """Return, for each place, the parts and the outcome."""
    found = {}
    for place, received in stream:
        parts, outcomes = found.setdefault(place, ([], []))
        assert not outcomes, 'nothing follows the outcome'
        (parts if isinstance(received, streams.Part) else outcomes).append(received)
    return dict((place, ([part.received for part in parts], outcomes[0]))
                for place, (parts, outcomes) in found.items())


def stream_one(process, **options):
    return collect(streams.stream_all(requests([process.path], **options)))[0]


def open_files():
    gc.collect()
    return labs.descriptors()


def test_a_small_reply_comes_as_a_whole(fleet):
    """It may be a refusal."""
    started = fleet('2.2')
    for size in (1, 2, transport.MAX_COMPLAINT):
        started[0].next(faults.replying(b'x' * size))
        assert stream_one(started[0]) == ([], b'x' * size)
    assert started.commands == [['show table st'] * 3]


def test_a_large_reply_comes_in_parts(fleet):
    started = fleet('2.2')
    started[0].next(faults.replying(LARGE))
    parts, last = stream_one(started[0])
    assert b''.join(parts) + last == LARGE
    assert len(parts) > 3
    assert max(map(len, parts + [last])) <= transport.CHUNK * transport.MAX_CHUNKS
    assert all(parts)


def test_a_reply_without_the_conduct_comes_as_a_whole(fleet):
    started = fleet('2.2')
    started[0].next(faults.replying(LARGE))
    assert stream_one(started[0], conduct=transport.PLAIN) == ([], LARGE)


def test_one_that_is_larger_than_any_other_reply(fleet, monkeypatch):
    monkeypatch.setattr(transport, 'MAX_REPLY', 100000)
    started = fleet('2.2')
    started[0].next(*[faults.replying(LARGE)] * 2)
    parts, last = stream_one(started[0])
    assert b''.join(parts) + last == LARGE
    _, error = stream_one(started[0], conduct=transport.PLAIN)
    assert 'larger than 100000 bytes' in str(error)


def test_one_that_dribbles(fleet):
    started = fleet('2.2')
    reply = b'%0500d\n' * 4
    started[0].next(faults.slow(97, 0.001, reply))
    parts, last = stream_one(started[0])
    assert b''.join(parts) + last == reply


def test_many_at_once(fleet, monkeypatch):
    """Also more of them than there may be connections."""
    monkeypatch.setattr(transport, 'MAX_CONNECTIONS', 5)
    started = fleet('2.2', 12)
    replies = [b'%d ' % number * 20000 for number in range(12)]
    for process, reply in zip(started, replies):
        process.next(faults.replying(reply))
    found = collect(streams.stream_all(requests(started.paths)))
    assert [b''.join(found[place][0]) + found[place][1] for place in range(12)] == replies


def test_both_kinds_at_once(fleet):
    started = fleet('2.2', 2)
    for process in started:
        process.next(faults.replying(LARGE))
    found = collect(streams.stream_all(
        requests(started.paths[:1]) + requests(started.paths[1:], conduct=transport.PLAIN)))
    assert found[1] == ([], LARGE)
    assert b''.join(found[0][0]) + found[0][1] == LARGE


# Errors

@pytest.mark.parametrize('behave', [faults.closing(), faults.closing_at_once(), faults.replying(b'')])
def test_one_that_says_nothing(fleet, behave):
    started = fleet('2.2')
    started[0].next(behave)
    parts, error = stream_one(started[0])
    assert not parts and isinstance(error, exceptions.HAProxySocketError)


def test_one_that_stops_in_the_middle(fleet):
    """Only silence ends it."""
    started = fleet('2.2')

    def behave(process, client):
        process.receive(client)
        client.sendall(b'x' * 1000)
        process.stopping.wait(fakes.LONG)
    started[0].next(behave)
    parts, error = stream_one(started[0], timeout=2)
    started[0].stopping.set()
    assert b''.join(parts) == b'x' * 1000
    assert isinstance(error, exceptions.SocketTimeout)
    assert 'timed out after 2 s, 1000 bytes received' in str(error)


def test_one_that_closes_in_the_middle_ends_without_an_error(fleet):
    """Only the parser knows whether it is complete."""
    started = fleet('2.2')
    started[0].next(faults.replying(LARGE[:100000]))
    parts, last = stream_one(started[0])
    assert b''.join(parts) + last == LARGE[:100000]


def test_one_that_is_reset_in_the_middle(fleet):
    started = fleet('2.2')
    started[0].next(faults.reset(b'x' * 100000))
    parts, error = stream_one(started[0])
    assert b''.join(parts) == b'x' * 100000 or not parts
    assert isinstance(error, exceptions.HAProxySocketError)
    assert error.errno == errno.ECONNRESET


def test_the_others_go_on(fleet):
    started = fleet('2.2', 3)
    started[0].next(faults.replying(LARGE))
    started[1].next(faults.closing())
    started[2].vanish()
    found = collect(streams.stream_all(requests(started.paths)))
    assert b''.join(found[0][0]) + found[0][1] == LARGE
    assert isinstance(found[1][1], exceptions.SocketApplicationError)
    assert isinstance(found[2][1], exceptions.SocketConnectionError)


# The caller

def test_a_slow_caller_makes_haproxy_wait(fleet, monkeypatch):
    """It is no silence of HAProxy's."""
    started = fleet('2.2', 2)
    sent, clients = {}, []

    def behave(process, client):
        process.receive(client)
        clients.append(client)
        for start in range(0, len(LARGE), 10000):
            client.sendall(LARGE[start:start + 10000])
            sent[process.path] = start + 10000
    for process in started:
        process.next(behave)
    stream = streams.stream_all(requests(started.paths))
    found = {0: b'', 1: b''}
    place, part = next(stream)
    found[place] += part.received
    labs.wait_until(lambda: len(clients) == 2 and not select.select([], clients, [], 0)[1],
                    'no more can be sent')
    # Much longer than the time-out.
    now = transport._now
    monkeypatch.setattr(transport, '_now', lambda: now() + 100 * fakes.LONG)
    assert max(sent.values()) < len(LARGE) / 2
    for place, received in stream:
        found[place] += getattr(received, 'received', received)
    assert found == {0: LARGE, 1: LARGE}


@pytest.mark.filterwarnings('error')
@pytest.mark.parametrize('how', ['closed', 'abandoned', 'never begun'])
def test_one_that_is_not_read_to_its_end_leaves_nothing_open(fleet, how):
    started = fleet('2.2', 3)
    for process in started:
        process.next(faults.replying(LARGE))
    before = open_files()
    stream = streams.stream_all(requests(started.paths))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter('always')
        if how != 'never begun':
            next(stream)
            assert labs.descriptors() > before
        if how == 'closed':
            stream.close()
        del stream
        labs.wait_until(lambda: open_files() <= before, 'nothing is left open')
    assert not caught


def test_what_the_caller_throws_in_leaves_nothing_open(fleet):
    started = fleet('2.2')
    started[0].next(faults.replying(LARGE))
    before = open_files()
    stream = streams.stream_all(requests(started.paths))
    next(stream)
    with pytest.raises(KeyboardInterrupt):
        stream.throw(KeyboardInterrupt())
    labs.wait_until(lambda: open_files() <= before, 'nothing is left open')


def test_nothing_is_sent_before_somebody_reads(fleet):
    started = fleet('2.2')
    streams.stream_all(requests(started.paths))
    assert started.connections == [0]
    assert not backlog.is_awaited(started[0])


def test_a_peer_that_talks_without_end_takes_bounded_memory(fleet):
    started = fleet('2.2')
    sizes = []

    def behave(process, client):
        process.receive(client)
        try:
            while True:
                client.sendall(b'x' * 65536)
        except socket.error:
            pass
    started[0].next(behave)
    stream = streams.stream_all(requests(started.paths))
    for _ in range(100):
        sizes.append(len(next(stream)[1].received))
    stream.close()
    assert max(sizes) <= transport.CHUNK * transport.MAX_CHUNKS


@pytest.fixture(scope='module')
def keys():
    directory = tempfile.mkdtemp(prefix='haproxyadmin-')
    yield keychain.Keys(directory)
    shutil.rmtree(directory)


def test_a_large_reply_over_tls_comes_in_parts(keys):
    """Of a peer that is never waited for, too."""
    peer = test_tls.Peer(keys.server, test_tls.answers(LARGE))
    try:
        request = transport.Request(
            parse_address(peer.address, Tls(keys.context())), COMMAND, fakes.LONG, streams.STREAMED)
        parts, last = collect(streams.stream_all([request]))[0]
    finally:
        peer.refuse()
    assert b''.join(parts) + last == LARGE
    assert max(map(len, parts + [last])) <= transport.CHUNK * transport.MAX_CHUNKS
