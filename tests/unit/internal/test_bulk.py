# SPDX-License-Identifier: Apache-2.0
"""internal/bulk.py and batches.py: change many entries of an ACL or map."""
import itertools
import os
import pickle

import pytest
import six

from haproxyadmin import exceptions
from haproxyadmin.internal import batches, bulk
from haproxyadmin.testing import faults
from tests.support import fakes, lab as labs

SILENT = faults.silent()
UNKNOWN = 'Unknown map identifier. Please use #<id> or <file>.\n\n'


NOT_VALID = "'{0}' is not a valid IPv4 or IPv6 address"


def stores(started, name='#7', refused=()):
    """Return the map #7 of each process, or the ACL #4, without entries; it refuses some keys."""
    found = started.patterns(name)
    for stored in found:
        stored.entries = []
        refuse(stored, *refused)
    return found


def refuse(stored, *keys):
    stored.refused = dict((key, NOT_VALID.format(key)) for key in keys)


NAMES = {'acl': '#4', 'map': '#7'}


def pairs(count):
    return [('key{0:05d}'.format(number), 'value {0}'.format(number)) for number in range(count)]


VERSIONS = ['1.5.8', '1.5', '1.6', '1.8', '2.0', '2.2', '2.6', '3.0', '3.4']
ODD = [('k', 'two words'), ('semi;colon', 'a;b'), ('less<<', '<<'), ('back\\slash', 'a\\b'),
       ('two words', 'v'), ('lead', ' blank'), ('#0', '@1'), ('k', 'again'), (7, 8)]


@pytest.mark.parametrize('version', VERSIONS)
def test_many_entries_are_stored_in_every_process(version, fleet):
    """[verdicts; one word per text]
    In the caller's order, in a few exchanges of at most 4 KiB."""
    started = fleet(version, 2)
    hap = started.haproxy()
    kept = stores(started)
    given = [(key, value if version != '2.0' else value.replace(' ', '_'))
             for key, value in pairs(1300)]
    assert hap.add_map_entries(7, given) is True
    assert [store.entries for store in kept] == [given] * 2
    for commands in started.commands:
        assert all(len(command) <= 4096 for command in commands)
        assert len(commands) <= (20 if version >= '1.8' else 120)


@pytest.mark.parametrize('version', ['2.2', '3.0', '3.4'])
def test_any_text_is_stored_whole(version, fleet):
    """[one word per text; argument checks]"""
    started = fleet(version, 1)
    hap = started.haproxy()
    store, = stores(started)
    assert hap.add_map_entries('#7', ODD) is True
    assert store.entries == [(str(key), str(value)) for key, value in ODD]
    store, = stores(started, '#4')
    assert hap.add_acl_entries(4, [key for key, _ in ODD]) is True
    assert store.entries == [str(key) for key, _ in ODD]


@pytest.mark.parametrize('items', [
    [('a', 'b'), ('c', 'd')],
    (('a', 'b'), ['c', 'd']),
    {'a': 'b', 'c': 'd'},
    iter([('a', 'b'), ('c', 'd')]),
    (pair for pair in [('a', 'b'), ('c', 'd')]),
])
def test_any_iterable_is_taken(items, fleet):
    started = fleet('2.2', 1)
    hap = started.haproxy()
    store, = stores(started)
    assert hap.add_map_entries(mapid=7, pairs=items) is True
    assert sorted(store.entries) == [('a', 'b'), ('c', 'd')]


@pytest.mark.parametrize('items', [[], (), {}, iter([])])
def test_nothing_to_do_is_a_success_and_sends_nothing(items, fleet):
    started = fleet('2.2', 1)
    hap = started.haproxy()
    assert hap.add_map_entries(7, items) is True
    assert hap.del_map_entries(7, []) is True
    assert started.connections == [0]


@pytest.mark.parametrize('call', [
    lambda hap, **die: hap.add_map_entries(7, 'text', **die),
    lambda hap, **die: hap.add_acl_entries(7, b'text', **die),
    lambda hap, **die: hap.del_acl_entries(7, None, **die),
    lambda hap, **die: hap.del_map_entries(7, 5, **die),
    lambda hap, **die: hap.add_map_entries(7, ['ab'], **die),
    lambda hap, **die: hap.add_map_entries(7, [('a',)], **die),
    lambda hap, **die: hap.add_map_entries(7, [('a', 'b', 'c')], **die),
    lambda hap, **die: hap.add_map_entries(7, [('a', 'b'), ('c', '')], **die),
    lambda hap, **die: hap.add_map_entries(7, [('a', 'b'), ('c\n', 'd')], **die),
    lambda hap, **die: hap.add_acl_entries(7, ['a', None], **die),
    lambda hap, **die: hap.add_acl_entries('@1', ['a'], **die),
    lambda hap, **die: hap.add_map_entries(None, [('a', 'b')], **die),
    lambda hap, **die: hap.add_map_entries('', [], **die),
    lambda hap, **die: hap.del_acl_entries('#', [], **die),
    lambda hap, **die: hap.del_map_entries(7, ['a', '#0xzz'], **die),
    lambda hap, **die: hap.del_acl_entries(7, ['a', 'b\0'], **die),
])
def test_a_wrong_argument_is_a_value_error_and_nothing_is_sent(call, fleet):
    """[argument checks; one word per text]"""
    started = fleet('2.2', 2)
    hap = started.haproxy()
    with pytest.raises(ValueError) as caught:
        call(hap)
    assert not isinstance(caught.value, exceptions.HAProxyBaseError)
    assert call(hap, die=False) is False
    assert started.connections == [0, 0]


def test_a_wrong_entry_far_down_tells_how_many_were_sent(fleet):
    """[argument checks] The iterable is consumed while entries are being sent."""
    started = fleet('2.2', 1)
    hap = started.haproxy()
    store, = stores(started)
    items = pairs(3 * bulk.CHUNK)
    items[bulk.CHUNK + 5] = ('key', 'a\nb')
    with pytest.raises(ValueError) as caught:
        hap.add_map_entries(7, items)
    message = str(caught.value)
    assert 'entry {0}'.format(bulk.CHUNK + 5) in message
    assert '{0} entries were sent before'.format(bulk.CHUNK) in message
    assert store.entries == items[:bulk.CHUNK]


def test_a_text_that_has_no_bytes_is_told_by_its_place(fleet):
    """[UTF-8]"""
    started = fleet('2.2', 1)
    with pytest.raises(ValueError) as caught:
        started.haproxy().add_map_entries(7, [('a', '1'), ('b', u'\ud800'), ('', '2')])
    assert str(caught.value).startswith('entry {0}: '.format(2 if six.PY2 else 1))
    assert started.connections == [0]


class Broken(Exception):
    """An exception that an iterable raises."""


@pytest.mark.parametrize('last', [('x', ''), None])
def test_what_was_refused_before_is_told_where_the_iterable_is_wrong(last, fleet):
    """The exception lists every refusal, whatever ended the iteration."""
    started = fleet('2.2', 2)
    hap = started.haproxy()
    stores(started, refused=['key00001'])

    def items():
        for item in pairs(bulk.CHUNK):
            yield item
        if last is None:
            raise Broken()
        yield last
    with pytest.raises(Broken if last is None else ValueError) as caught:
        hap.add_map_entries(7, items())
    assert [(failure.index, failure.socket_file) for failure in caught.value.failures] == [
        (1, path) for path in started.paths]
    assert caught.value.by_socket == [
        (path, '{0} entries accepted, 1 not accepted'.format(bulk.CHUNK - 1)) for path in started.paths]


def test_what_was_accepted_before_is_told_where_the_iterable_is_wrong(fleet):
    """The exception also reports how many entries were accepted."""
    started = fleet('2.2', 2)
    hap = started.haproxy()
    stores(started)

    def items():
        for item in pairs(bulk.CHUNK + 5):
            yield item
        raise Broken()
    with pytest.raises(Broken) as caught:
        hap.add_map_entries(7, items())
    assert caught.value.failures == []
    assert caught.value.results == [
        (number, '{0} entries accepted, 0 not accepted'.format(bulk.CHUNK)) for number in (1, 2)]


class Sealed(Exception):
    """An exception that accepts no attributes."""

    def __setattr__(self, name, value):
        raise TypeError('{0} cannot be set'.format(name))


class Slotted(Exception):
    """An exception with an attribute that cannot be set."""

    @property
    def failures(self):
        """Always None; cannot be set."""


@pytest.mark.parametrize('kind', [Sealed, Slotted])
def test_an_exception_that_accepts_no_attributes_is_passed_on_as_it_is(kind, fleet):
    started = fleet('2.2', 1)
    hap = started.haproxy()
    store, = stores(started)
    error = kind('stop')

    def items():
        for item in pairs(bulk.CHUNK):
            yield item
        raise error
    with pytest.raises(kind) as caught:
        hap.add_map_entries(7, items())
    assert caught.value is error
    assert store.entries == pairs(bulk.CHUNK)


def test_a_refusal_that_names_no_entry_is_told_of_all_that_it_may_mean(fleet):
    """[retries] Entries that may already be stored are not sent again."""
    started = fleet('2.2', 2)
    hap = started.haproxy()
    kept = stores(started)
    kept[1].refused = {'key00003': 'out of memory'}
    items = pairs(400)
    with pytest.raises(exceptions.EntriesFailed) as caught:
        hap.add_map_entries(7, items)
    failed = [failure.index for failure in caught.value.failures]
    assert failed == list(range(len(failed))) and 50 < len(failed) < 300
    assert all('not known which' in failure.message for failure in caught.value.failures)
    assert kept[0].entries == items
    # Later batches are stored, and no entry is stored twice.
    assert kept[1].entries == items[:3] + items[len(failed):]
    assert caught.value.results[1] == (2, '{0} entries accepted, {1} not accepted'.format(
        400 - len(failed), len(failed)))


def test_a_dictionary_stands_for_its_keys_where_keys_are_due(fleet):
    started = fleet('2.2', 1)
    hap = started.haproxy()
    store, = stores(started)
    hap.add_map_entries(7, {'a': 'b', 'c': 'd'})
    assert hap.del_map_entries(7, {'a': 'b'}) is True
    assert store.entries == [('c', 'd')]


# Refusals

@pytest.mark.parametrize('version', ['1.6', '1.8', '2.0', '2.2', '3.4'])
@pytest.mark.parametrize('family', ['acl', 'map'])
def test_what_is_refused_is_told_and_the_rest_is_done(family, version, fleet):
    """[verdicts; errors are not data]"""
    started = fleet(version, 2)
    hap = started.haproxy()
    kept = stores(started, NAMES[family], refused=('bad1', 'bad2'))
    refuse(kept[1], 'bad2')
    keys = ['a', 'bad1', 'b', 'c', 'bad2', 'd']
    items = keys if family == 'acl' else [(key, 'v') for key in keys]
    with pytest.raises(exceptions.EntriesFailed) as caught:
        getattr(hap, 'add_{0}_entries'.format(family))(NAMES[family], items)
    assert isinstance(caught.value, exceptions.CommandFailed)
    numbers = [process.number for process in started]
    assert [(failure.index, failure.entry, failure.process_nb, failure.socket_file)
            for failure in caught.value.failures] == [
        (1, items[1], numbers[0], started[0].path), (4, items[4], numbers[0], started[0].path),
        (4, items[4], numbers[1], started[1].path)]
    assert all('not a valid' in failure.message for failure in caught.value.failures)
    assert [entry.key for entry in kept[0].stored] == ['a', 'b', 'c', 'd']
    assert [entry.key for entry in kept[1].stored] == ['a', 'bad1', 'b', 'c', 'd']
    assert [number for number, _ in caught.value.results] == numbers
    assert [path for path, _ in caught.value.by_socket] == started.paths
    assert getattr(hap, 'add_{0}_entries'.format(family))(NAMES[family], items, die=False) is False


@pytest.mark.parametrize('method, version, command', [
    ('add_acl_entries', '2.2', 'add acl #4 bad\\ 1'), ('add_acl_entries', '1.5', 'add acl #4 bad\\ 1'),
    ('add_map_entries', '2.2', 'add map #7 bad\\ 1 v'), ('add_map_entries', '1.8', 'add map #7 bad\\ 1 v'),
    ('del_map_entries', '2.2', 'del map #7 bad\\ 1'), ('del_acl_entries', '3.4', 'del acl #4 bad\\ 1'),
])
def test_a_refusal_has_the_command_of_the_first_entry_and_its_socket(
        method, version, command, fleet, monkeypatch):
    monkeypatch.setattr(bulk, 'now', Clock(0).time)
    started = fleet(version, 2)
    hap = started.haproxy()
    family = method.split('_')[1]
    kept = stores(started, NAMES[family])
    keys = ['a', 'b', 'c', 'bad 1', 'bad 2']
    entries = [(key, 'v') for key in keys] if family == 'map' else keys
    if method.startswith('del'):
        for store in kept:
            store.entries = entries
    refuse(kept[1], 'bad 1', 'bad 2')
    items = entries if method == 'add_map_entries' else keys
    with pytest.raises(exceptions.EntriesFailed) as caught:
        getattr(hap, method)(NAMES[family], items)
    assert caught.value.failures[0].index == 3
    assert (caught.value.command, caught.value.socket_file) == (command, started[1].path)
    assert [path for path, _ in caught.value.by_socket] == started.paths
    again = pickle.loads(pickle.dumps(caught.value))
    assert (again.command, again.socket_file) == (command, started[1].path)
    assert str(again) == str(caught.value)


def test_a_refused_payload_has_its_first_line(fleet):
    started = fleet('2.2', 1)
    hap = started.haproxy()
    stores(started, refused=['bad'])
    with pytest.raises(exceptions.EntriesFailed) as caught:
        hap.add_map_entries(7, [('a', 'b'), ('bad', 'c')])
    assert (caught.value.command, caught.value.socket_file) == ('add map #7 <<', started[0].path)


def test_what_is_refused_by_reference_has_its_command(fleet):
    started = fleet('2.2', 2)
    hap = started.haproxy()
    for process, stored in zip(started, started.patterns('#7')):
        fakes.list_entries(stored, '0x1a 9 foo', '0x2b 9 bar', '0x3c 9 foo')
        # Another client is faster.
        process.answers['del map #7 #0x2b'] = 'Key not found.\n\n'
    with pytest.raises(exceptions.EntriesFailed) as caught:
        hap.del_map_entries(7, ['0x1a', '0x2b'])
    assert (caught.value.command, caught.value.socket_file) == ('del map #7 #0x2b', started[0].path)
    started.patterns('#7')[1].id = 77
    with pytest.raises(exceptions.EntriesFailed) as caught:
        hap.del_map_entries(7, ['0x3c'])
    assert (caught.value.command, caught.value.socket_file) == ('show map #7', started[1].path)


def test_where_nothing_was_sent_there_is_no_command(fleet):
    """The entries differ; the error lists each process with its own entry."""
    started = fleet('2.2', 2)
    hap = started.haproxy()
    for number, stored in enumerate(started.patterns('#7')):
        fakes.list_entries(stored, '0x1a 9 foo{0}'.format(number))
    with pytest.raises(exceptions.EntriesFailed) as caught:
        hap.del_map_entries(7, ['0x1a'])
    assert (caught.value.command, caught.value.socket_file) == (None, started[0].path)
    with pytest.raises(exceptions.CommandFailed) as caught:
        hap.del_map(7, '0x1a')
    assert caught.value.command is None
    assert caught.value.by_socket == [(started[0].path, '9 foo0'), (started[1].path, '9 foo1')]


@pytest.mark.parametrize('version', ['1.6', '2.2'])
def test_an_unknown_map_is_told_once(version, fleet):
    """[errors are not data] HAProxy would refuse the later batches as well."""
    started = fleet(version, 2)
    hap = started.haproxy()
    with pytest.raises(exceptions.EntriesFailed) as caught:
        hap.add_map_entries(9999, pairs(5000))
    assert 'Unknown map identifier' in str(caught.value)
    assert all(len(commands) == 1 for commands in started.commands)
    assert caught.value.failures[0].index == 0


@pytest.mark.parametrize('behavior, kind', [
    (faults.closing(), exceptions.SocketApplicationError),
    (SILENT, exceptions.SocketTimeout),
    (faults.cut(0), exceptions.SocketApplicationError),
])
def test_the_others_are_done_though_one_cannot_be_talked_to(behavior, kind, fleet):
    """[verdicts; retries] Commands that HAProxy may have received are not sent again."""
    started = fleet('2.2', 2)
    hap = started.haproxy(retry=3)
    kept = stores(started)

    def first(process, client):
        if behavior is SILENT:
            started.hasten(hap, 0)  # does not affect the current exchange
        process.answer(client)
    started[0].next(first, behavior)
    items = pairs(1500)
    with pytest.raises(kind) as caught:
        hap.add_map_entries(7, items)
    # The fake may record the command late.
    labs.wait_until(lambda: len(started.commands[0]) == 2, 'the command has come')
    assert caught.value.socket_file == started[0].path
    assert kept[1].entries == items
    assert 0 < len(kept[0].entries) < 1500
    assert kept[0].entries == items[:len(kept[0].entries)]
    assert len(started.commands[0]) == 2
    # Every entry of the batch whose outcome is unknown, and no other.
    assert {failure.socket_file for failure in caught.value.failures} == {started[0].path}
    lost = [failure.index for failure in caught.value.failures]
    accepted = lost[0]
    assert lost == list(range(accepted, accepted + len(lost))) and len(lost) > 50
    assert len(kept[0].entries) in (accepted, accepted + len(lost))
    assert all('not known whether it took effect' in failure.message
               for failure in caught.value.failures)
    assert dict(caught.value.by_socket)[started[0].path] == (
        '{0} entries accepted, {1} not accepted; later entries were not sent'.format(accepted, len(lost)))


def test_what_was_certainly_not_sent_is_told_so(fleet):
    """[retries]"""
    started = fleet('2.2', 2)
    hap = started.haproxy(retry=None)
    kept = stores(started)
    started[1].refuse()
    with pytest.raises(exceptions.SocketConnectionError) as caught:
        hap.add_map_entries(7, [('a', '1'), ('b', '2')])
    assert [(failure.index, failure.socket_file) for failure in caught.value.failures] == [
        (0, started[1].path), (1, started[1].path)]
    assert all(failure.message.endswith('; not sent')
               for failure in caught.value.failures)
    assert kept[0].entries == [('a', '1'), ('b', '2')]


# Deleting

@pytest.mark.parametrize('version', ['1.5', '2.2', '3.2', '3.4'])
@pytest.mark.parametrize('family', ['acl', 'map'])
def test_all_entries_of_every_key_are_deleted(family, version, fleet):
    """[references] Also on 3.4, which removes one entry at a time."""
    started = fleet(version, 2)
    hap = started.haproxy()
    kept = stores(started, NAMES[family])
    for store in kept:
        for key in ['a', 'b', 'a', 'c', 'a', 'keep']:
            store.add(key, 'v' if family == 'map' else None)
    assert getattr(hap, 'del_{0}_entries'.format(family))(NAMES[family], ['a', 'b', 'c']) is True
    assert [[entry.key for entry in store.stored] for store in kept] == [['keep']] * 2


@pytest.mark.parametrize('version', ['2.2', '3.4'])
def test_a_key_that_is_not_there_is_told(version, fleet):
    """[references]"""
    started = fleet(version, 2)
    hap = started.haproxy()
    kept = stores(started)
    for store in kept:
        store.entries = [('a', '1'), ('c', '3')]
    kept[1].add('b', '2')
    with pytest.raises(exceptions.EntriesFailed) as caught:
        hap.del_map_entries(7, ['a', 'b', 'c'])
    assert [(failure.index, failure.entry, failure.socket_file, failure.message)
            for failure in caught.value.failures] == [
        (1, 'b', started[0].path, 'Key not found.')]
    assert [store.entries for store in kept] == [[], []]


class Clock(object):
    """A clock that makes each deletion appear to last a given time.

    :param seconds: how long each exchange lasts, in order; the last value is repeated.
    """

    def __init__(self, *seconds):
        self._seconds = list(seconds)
        self._times = 0

    def time(self):
        # Read before and after each exchange.
        self._times += 1
        if self._times % 2:
            return 0
        return self._seconds.pop(0) if len(self._seconds) > 1 else self._seconds[0]


def deleted(started, count):
    """Delete ``count`` keys everywhere; return the deletions per line of the first process."""
    hap = started.haproxy()
    keys = ['key{0:05d}'.format(number) for number in range(count)]
    kept = stores(started, '#4')
    for store in kept:
        store.entries = keys
    assert hap.del_acl_entries(4, keys) is True
    assert [store.entries for store in kept] == [[]] * len(started)
    return [command.count(';') + 1 for command in started.commands[0]]


@pytest.mark.parametrize('version', ['1.5', '1.8', '2.0', '2.2'])
def test_before_2_4_a_line_holds_one_deletion(version, fleet):
    """HAProxy runs a whole line without a break, and its watchdog kills it after two seconds."""
    assert deleted(fleet(version, 2), 30) == [1] * 30


@pytest.mark.parametrize('version', ['2.4', '2.6', '3.0', '3.2'])
def test_a_line_of_deletions_grows_while_haproxy_is_quick(version, fleet, monkeypatch):
    monkeypatch.setattr(bulk, 'now', Clock(0.001).time)
    assert deleted(fleet(version, 1), 100) == [1, 2, 4, 8] + [12] * 7 + [1]


def test_a_line_of_deletions_shrinks_where_haproxy_is_slow(fleet, monkeypatch):
    monkeypatch.setattr(bulk, 'now', Clock(0, 0, 0, 0, 0.3, 0.3, 0.3, 0.3, 0).time)
    assert deleted(fleet('2.6', 1), 70) == [1, 2, 4, 8, 12, 6, 3, 1, 1, 2, 4, 8, 12, 6]


def test_where_one_deletion_is_slow_a_line_holds_one(fleet, monkeypatch):
    monkeypatch.setattr(bulk, 'now', Clock(0.06).time)
    assert deleted(fleet('2.6', 1), 20) == [1] * 20


def test_a_clock_that_is_set_makes_no_line_too_long(fleet, monkeypatch):
    monkeypatch.setattr(bulk, 'now', Clock(-1e9, 1e9, -1e9).time)
    assert max(deleted(fleet('2.6', 1), 60)) == batches.MAX_COMMANDS


def test_a_line_of_deletions_has_4096_bytes_at_most(fleet, monkeypatch):
    monkeypatch.setattr(bulk, 'now', Clock(0).time)
    started = fleet('2.6', 1)
    hap = started.haproxy()
    store, = stores(started, '#4')
    store.entries = ['{0}'.format(number) + 1000 * 'k' for number in range(20)]
    assert hap.del_acl_entries(4, store.entries) is True
    assert [command.count(';') + 1 for command in started.commands[0]] == [1, 2] + [4] * 4 + [1]
    assert store.entries == []


def test_a_reference_is_looked_up_first(fleet):
    """[references]"""
    started = fleet('2.2', 2)
    hap = started.haproxy()
    for stored in started.patterns('#7'):
        fakes.list_entries(stored, '0x1a 9 foo', '0x2b k v', '0x3c 9 foo')
    assert hap.del_map_entries(7, ['k', '0x1a']) is True
    assert started.commands == [['del map #7 k', 'show map #7', 'del map #7 #0x1a']] * 2
    assert [stored.entries for stored in started.patterns('#7')] == [[('9', 'foo')]] * 2
    for stored, listed in zip(started.patterns('#7'), ['0x1a 9 foo', '0x1a 9 bar']):
        fakes.list_entries(stored, listed)
    with pytest.raises(exceptions.EntriesFailed) as caught:
        hap.del_map_entries(7, ['0x1a'])
    assert 'not the same entry' in str(caught.value)


@pytest.mark.parametrize('version', ['2.2', '3.2', '3.4'])
def test_one_listing_serves_all_references(version, fleet, monkeypatch):
    """[references] A listing may have a million lines. On 3.4, too, a reference is deleted once."""
    monkeypatch.setattr(bulk, 'now', Clock(0).time)
    started = fleet(version, 2)
    hap = started.haproxy()
    for number, stored in enumerate(started.patterns('#7')):
        fakes.list_entries(stored, '0x1a 9 foo', '0x2b 8 bar', '0x3c 0x4d x', '0x5e {0} x'.format(number),
                           '0x6e k v')
    with pytest.raises(exceptions.EntriesFailed) as caught:
        hap.del_map_entries(7, ['0x1a', '0x5e', 'k', '#0x2b', b'0x4d', '0x6f'])
    again = version == '3.4'
    for commands in started.commands:
        assert commands.count('show map #7') == 1
        sent = [one for command in commands for one in command.split(';')]
        assert sent == ['del map #7 k'] * (1 + again) + [
            'show map #7', 'del map #7 #0x1a', 'del map #7 #0x2b'] + ['del map #7 0x4d'] * (
            1 + again)
    assert [(failure.index, failure.process_nb, failure.message.split(': ')[0])
            for failure in caught.value.failures] == [
        (index, process.number, message) for index, message in [
            (1, '0x5e is not the same entry of map 7 in all processes'),
            (5, '0x6f is neither the reference nor the key of an entry of map 7')]
        for process in started]
    assert [result for _, result in caught.value.results] == ['4 entries accepted, 2 not accepted'] * 2


def test_a_reference_that_is_given_twice_is_there_once(fleet):
    started = fleet('2.2', 1)
    hap = started.haproxy()
    fakes.list_entries(started.patterns('#7')[0], '0x1a 9 foo')
    with pytest.raises(exceptions.EntriesFailed) as caught:
        hap.del_map_entries(7, ['0x1a', '0x1a'])
    assert [(failure.index, failure.message) for failure in caught.value.failures] == [
        (1, 'Key not found.')]


def test_references_that_one_process_does_not_list_are_told(fleet):
    """[verdicts; references] These entries are not deleted from any process."""
    started = fleet('2.2', 2)
    hap = started.haproxy()
    first, second = started.patterns('#7')
    fakes.list_entries(first, '0x1a 9 foo')
    second.id = 77
    with pytest.raises(exceptions.EntriesFailed) as caught:
        hap.del_map_entries(7, ['0x1a', '0x2b'])
    assert [(failure.index, failure.process_nb) for failure in caught.value.failures] == [
        (0, 1), (0, 2), (1, 1)]
    assert started[1].path in caught.value.failures[0].message
    assert caught.value.failures[1].message == UNKNOWN.strip()


def test_a_process_that_dies_as_references_are_deleted(fleet):
    """[verdicts] The rest is still deleted, because the lookup is already complete."""
    started = fleet('2.2', 2)
    hap = started.haproxy(retry=None)
    for stored in started.patterns('#7'):
        fakes.list_entries(stored, '0x1a 9 foo', '0x2b 8 bar')
    started[1].next(faults.answering(), faults.closing())
    with pytest.raises(exceptions.SocketApplicationError) as caught:
        hap.del_map_entries(7, ['0x1a', '0x2b'])
    assert started.commands[0] == ['show map #7', 'del map #7 #0x1a', 'del map #7 #0x2b']
    assert [(failure.index, failure.process_nb) for failure in caught.value.failures] == [(0, 2)]


def test_a_reference_that_one_process_keeps_is_told_of_that_process(fleet):
    """[verdicts] Each process is judged separately; the message is HAProxy's."""
    started = fleet('2.2', 2)
    hap = started.haproxy()
    for stored in started.patterns('#7'):
        fakes.list_entries(stored, '0x1a 9 foo')
    started[1].answers['del map #7 #0x1a'] = 'Permission refused.\n\n'
    with pytest.raises(exceptions.EntriesFailed) as caught:
        hap.del_map_entries(7, ['0x1a'])
    assert [failure[1:] for failure in caught.value.failures] == [
        ('0x1a', 2, started[1].path, 'Permission refused.')]
    assert [result for _, result in caught.value.results] == [
        '1 entries accepted, 0 not accepted', '0 entries accepted, 1 not accepted']


def test_references_are_not_looked_up_in_a_process_that_is_gone(fleet):
    """Their meaning there is unknown, so nothing is deleted and there is no second wait."""
    started = fleet('2.2', 2)
    hap = started.haproxy(retry=None)
    for stored in started.patterns('#7'):
        fakes.list_entries(stored, '0x1a 9 foo', '0x2b 8 bar')
    started[1].fail(faults.closing())
    with pytest.raises(exceptions.SocketApplicationError) as caught:
        hap.del_map_entries(7, ['0x1a', '0x2b'])
    assert caught.value.socket_file == started[1].path
    assert started.commands == [['show map #7']] * 2
    assert [(failure.index, failure.process_nb) for failure in caught.value.failures] == [
        (0, 1), (0, 2), (1, 1)]


def test_the_iterable_is_read_as_it_is_sent(fleet):
    started = fleet('2.2', 1)
    hap = started.haproxy()
    store, = stores(started)
    most = []

    def items():
        for number in itertools.count():
            if number == 4 * bulk.CHUNK:
                return
            most.append(number - len(store.stored))
            yield 'key{0}'.format(number), 'v'
    assert hap.add_map_entries(7, items()) is True
    assert max(most) <= bulk.CHUNK


@pytest.mark.parametrize('call', [
    lambda hap: hap.del_map_entries(7, ['0x1f']), lambda hap: hap.del_map(7, '0x1f'),
    lambda hap: hap.set_map(7, '0x1f', 'new')])
def test_a_change_by_reference_is_never_sent_again(fleet, monkeypatch, call):
    """[references]
    Another process may start listening there, for which the reference means something else."""
    started = fleet('2.2')
    hap = started.haproxy(retry=5, retry_interval=0)
    process = started[0]
    fakes.list_entries(started.patterns('#7')[0], '0x1f k v')
    reply_to = process.reply_to

    def end_after_the_listing(command):
        if command == 'show map #7':
            os.unlink(process.path)
        return reply_to(command)
    process.reply_to = end_after_the_listing
    with pytest.raises(exceptions.SocketConnectionError) as caught:
        call(hap)
    assert caught.value.undelivered
    assert [command for command in process.commands if 'map' in command] == ['show map #7']
