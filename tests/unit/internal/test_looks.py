# SPDX-License-Identifier: Apache-2.0
"""internal/looks.py: which servers track others, which are up, and which may be tried again."""
import pytest

from haproxyadmin.internal import looks
from haproxyadmin.parsers.stats import Dump

HEADER = '# pxname,svname,status,weight,type,tracked,'


def dump(*rows):
    """Return a dump of servers: ``(backend/server, status, weight, tracked)``."""
    return Dump([HEADER] + ['{0},{1},{2},{3},2,{4},'.format(
        *(row[0].split('/') + list(row[1:]))) for row in rows])


def tracks(*pairs):
    return dump(*[(server, 'UP', 1, target) for server, target in pairs])


@pytest.mark.parametrize('pairs, expected', [
    ([('b/s', ''), ('b/t', '')], []),
    ([('b/s', ''), ('b/t', 'b/s')], ['b/t']),
    ([('b/s', ''), ('c/t', 'b/s'), ('a/u', 'b/s')], ['a/u', 'c/t']),
    # Over several steps, in any order.
    ([('d/v', 'c/u'), ('c/u', 'b/t'), ('b/t', 'b/s'), ('b/s', '')], ['b/t', 'c/u', 'd/v']),
    # Of another backend, or of a server whose name begins like it.
    ([('b/t', 'c/s'), ('b/u', 'b/s2'), ('b/s', '')], []),
    # HAProxy refuses a circle; it must not be endless all the same.
    ([('b/s', 'b/t'), ('b/t', 'b/s')], ['b/s', 'b/t']),
])
def test_who_tracks_a_server(pairs, expected):
    """[out of rotation]"""
    found = looks.tracking_servers([tracks(*pairs)], 'b', 's')
    assert ['/'.join(names) for names in found] == expected


def test_who_tracks_it_in_one_of_the_processes():
    """[out of rotation]"""
    found = looks.tracking_servers(
        [tracks(('b/s', ''), ('b/t', '')), tracks(('b/s', ''), ('b/t', 'b/s'))], 'b', 's')
    assert found == [('b', 't')]


@pytest.mark.parametrize('rows, expected', [
    ([('b/s', 'UP', 1, ''), ('b/t', 'no check', 1, ''), ('c/u', 'UP', 1, '')], 'st'),
    ([('b/s', 'UP 1/3', 1, ''), ('b/t', 'DOWN', 1, '')], 's'),
    ([('b/s', 'UP', 0, ''), ('b/t', 'NOLB', 1, '')], ''),
    ([('b/s', 'DRAIN', 1, ''), ('b/t', 'MAINT', 1, ''), ('b/u', 'UP', 256, '')], 'u'),
    ([('c/s', 'UP', 1, '')], ''),
])
def test_who_is_up(rows, expected):
    """[out of rotation]"""
    assert looks.servers_up([dump(*rows)], 'b') == set(expected)


def test_who_is_up_in_every_process():
    """[out of rotation]"""
    up, down = dump(('b/s', 'UP', 1, ''), ('b/t', 'UP', 1, '')), dump(
        ('b/s', 'DOWN', 1, ''), ('b/t', 'UP', 1, ''))
    assert looks.servers_up([up, down], 'b') == set('t')
    assert looks.servers_up([up, dump(('c/s', 'UP', 1, ''))], 'b') == set()


@pytest.mark.parametrize('status, weight, up, back', [
    ('UP', '1', True, True), ('UP 1/2', '1', True, False), ('no check', '1', True, True),
    ('UP', '0', False, False), ('DOWN', '1', False, False), ('NOLB', '1', False, False),
    ('DRAIN', '1', False, False), ('MAINT', '1', False, False)])
def test_up_and_back(status, weight, up, back):
    """[out of rotation]"""
    look = looks.Look('/s', status, weight, 0, 0, 5, None)
    assert looks.is_up(look) is up and looks.is_back(look) is back


def seen(retries, idle_seconds=5, socket_file='/s'):
    return looks.Look(socket_file, 'DRAIN', '1', 0, retries, idle_seconds, None)


@pytest.mark.parametrize('first, waits', [
    (seen(0), False), (seen(3), True), (seen(3, 0), True), (seen(3, looks.LONG_IDLE), True),
    # Nobody waits for as long.
    (seen(3, looks.LONG_IDLE + 1), False), (seen(3, -1), False)])
def test_a_request_may_be_tried_again_at_the_beginning(first, waits):
    """[out of rotation] When its connection failed is not known."""
    retries = looks.Retries()
    retries.note([first], 100)
    assert retries.may_follow(first, 100) is waits
    assert retries.may_follow(first, 100 + looks.RETRY_SECONDS) is False


def test_a_request_may_be_tried_again_for_a_second():
    """[out of rotation] In each process by itself."""
    retries = looks.Retries()
    retries.note([seen(0), seen(7, 500, '/t')], 100)
    retries.note([seen(1), seen(7, 500, '/t')], 101)
    assert retries.may_follow(seen(1), 101.5) and not retries.may_follow(seen(7, 5, '/t'), 101.5)
    retries.note([seen(1)], 102)
    assert not retries.may_follow(seen(1), 101.01 + looks.RETRY_SECONDS)
    retries.note([seen(2)], 110)
    assert retries.may_follow(seen(2), 111)


def test_a_process_that_is_replaced_begins_at_0():
    """[out of rotation]"""
    retries = looks.Retries()
    retries.note([seen(5, 500)], 100)
    retries.note([seen(0, -1)], 101)
    # Its predecessor's requests are not its own; waiting a moment does no harm.
    assert retries.may_follow(seen(0), 101 + looks.RETRY_SECONDS) is False
