# -*- coding: utf-8 -*-
# SPDX-License-Identifier: Apache-2.0
"""Many ACL and map entries at once, on real HAProxies: what is stored and what is reported."""
import os

import pytest
import six

from haproxyadmin import exceptions
from haproxyadmin.haproxy import HAProxy
from haproxyadmin.internal import batches, bulk
from tests import conftest
from tests.support import relay, truth

pytestmark = pytest.mark.dealt_out

CONFIG = """
global
{processes}
defaults
    mode http
    timeout connect 1s
    timeout client 1s
    timeout server 1s
frontend f
    bind "127.0.0.1:${{HAPROXYADMIN_PORT_F}}"
    http-request set-header A %[hdr(a),map_str({directory}/str.map)]
    http-request set-header A %[src,map_ip({directory}/ip.map)]
    http-request set-header A %[hdr(a),map_str_int({directory}/int.map)]
    http-request set-header A %[hdr(a),map_reg({directory}/reg.map)]
    http-request deny if {{ hdr(a) -m str -f {directory}/str.acl }}
    http-request deny if {{ src -f {directory}/ip.acl }}
"""
FILES = ['str.map', 'ip.map', 'int.map', 'reg.map', 'str.acl', 'ip.acl']
ODD = [('k', 'two words'), ('semi;colon', 'a;b'), ('less<<', '<<'), ('back\\slash', 'a\\b'),
       ('two words', 'v'), ('tab\there', 'v\tw'), ('lead', ' blank'), (' lead', 'v'),
       ('trail', 'blank '), ('#0', '@1'), ('k', 'again'), (u'schl\xfcssel', u'wert\u20ac'),
       ('cr-free', '"quoted"'), ('end\\', 'end\\'), ('\\', '\\'), (';', ';'), ('<<', '<'),
       (7, 8), ('8', '7'), ('disable frontend f', 'disable frontend f;')]


class Pair(object):
    """Two processes that share a directory of sockets, each behind a relay."""

    def __init__(self, version, directory):
        self.directory = str(directory.mkdir('files'))
        self.labs = []
        self.sockets = [os.path.join(str(directory), name) for name in ('1.sock', '2.sock')]
        for name in FILES:
            open(self.file(name), 'w').close()
        try:
            for lines in self._configurations(version):
                self.labs.append(conftest.start(version, config=CONFIG.format(
                    processes=lines, directory=self.directory)))
            self.relays = relay.Relays(str(directory.join('run')), self.sockets)
        except BaseException:
            self._stop_haproxy()
            raise
        self.hap = HAProxy(socket_dir=self.relays.directory, retry=None, timeout=20)

    def _configurations(self, version):
        lines = '    stats socket {0} mode 600 level admin{1}'
        if version > '2.4':
            return [lines.format(path, '') for path in self.sockets]
        # If one process dies, the other keeps running.
        return ['\n'.join(['    nbproc 2', '    master-worker no-exit-on-failure'] + [
            lines.format(path, ' process {0}'.format(number))
            for number, path in enumerate(self.sockets, 1)])]

    def file(self, name):
        return os.path.join(self.directory, name)

    def clear(self):
        for family, names in (('map', FILES[:4]), ('acl', FILES[4:])):
            for name in names:
                getattr(self.hap, 'clear_' + family)(self.file(name))
        self.relays.forget()

    def stored(self, name):
        """Return the entries of each process, without references, as HAProxy lists them."""
        family = name.rpartition('.')[2]
        return [truth.entries(self.labs[0], family, self.file(name), path)
                for path in self.sockets]

    def kill_second(self):
        if len(self.labs) == 2:
            self.labs[1].kill_process(1)
        else:
            self.labs[0].kill_process(2)

    def _stop_haproxy(self):
        for started in self.labs:
            started.stop()

    def stop(self):
        self.relays.stop()
        self._stop_haproxy()


@pytest.fixture(scope='module', params=conftest.versions())
def started(request, tmpdir_factory):
    pair = Pair(request.param, tmpdir_factory.mktemp('e'))
    yield pair
    pair.stop()


@pytest.fixture
def pair(started):
    """Two processes whose ACLs and maps are empty."""
    started.clear()
    return started


@pytest.fixture
def lone(pair):
    """An :class:`HAProxy` for the first process only, and the path of a map."""
    return HAProxy(socket_file=pair.relays.directory + '/1.sock', retry=None,
                   timeout=20), pair.file('str.map')


def as_text(items):
    """Return entries as HAProxy shows them."""
    return [six.ensure_str(u' '.join(to_unicode(word) for word in item)) for item in items]


def to_unicode(word):
    return six.ensure_text(str(word) if isinstance(word, int) else word)


def pairs(count):
    return [('key{0:05d}'.format(number), 'value{0}'.format(number)) for number in range(count)]


def refused(call, *args):
    """Return the failures of a call as ``(index, entry, socket file)``, and the error."""
    with pytest.raises(exceptions.EntriesFailed) as caught:
        call(*args)
    return [(failure.index, failure.entry, os.path.basename(failure.socket_file))
            for failure in caught.value.failures], caught.value


def in_both(*failures):
    return [failure + (name,) for failure in failures for name in ('1.sock', '2.sock')]


# Everything is stored

def test_thousands_are_stored_in_the_callers_order(pair):
    items = pairs(3 * bulk.CHUNK + 7)
    assert pair.hap.add_map_entries(pair.file('str.map'), iter(items)) is True
    assert pair.stored('str.map') == [as_text(items)] * 2
    for commands in pair.relays.commands():
        assert max(map(len, commands)) <= batches.MAX_BATCH


def test_any_text_is_stored_whole(pair):
    assert pair.hap.add_map_entries(pair.file('str.map'), ODD) is True
    assert pair.stored('str.map') == [as_text(ODD)] * 2
    assert pair.hap.add_acl_entries(pair.file('str.acl'), [key for key, _ in ODD]) is True
    assert pair.stored('str.acl') == [as_text([(key,) for key, _ in ODD])] * 2
    assert pair.hap.del_map_entries(pair.file('str.map'), set(key for key, _ in ODD)) is True
    assert pair.hap.del_acl_entries(pair.file('str.acl'), set(key for key, _ in ODD)) is True
    assert pair.stored('str.map') == pair.stored('str.acl') == [[], []]


def test_odd_text_among_thousands(pair):
    items = pairs(300) + ODD + pairs(300) + ODD + pairs(5)
    assert pair.hap.add_map_entries(pair.file('str.map'), items) is True
    assert pair.stored('str.map') == [as_text(items)] * 2


def test_a_dictionary(pair):
    assert pair.hap.add_map_entries(pair.file('str.map'), {'a': 'b', 'c': 'd'}) is True
    assert [sorted(stored) for stored in pair.stored('str.map')] == [['a b', 'c d']] * 2


@pytest.mark.parametrize('size', [2000, 4070, 4081, 4082, 4083, 4095, 4096, 4097, 8000, 15000])
def test_an_entry_longer_than_a_batch_goes_alone(size, pair):
    items = [('a', 'b'), ('k' * 100, 'v' * (size - 100)), ('c', 'd')]
    assert pair.hap.add_map_entries(pair.file('str.map'), items) is True
    assert pair.stored('str.map') == [as_text(items)] * 2


# Reporting refused entries

@pytest.mark.parametrize('places', [[0], [1], [299], [0, 1, 2], [5, 6, 200, 299], range(300)])
def test_wrong_keys_are_told_and_the_others_stored(places, pair):
    items = [('10.0.{0}.{1}'.format(number // 256, number % 256), 'v') for number in range(300)]
    for place in places:
        items[place] = ('wrong{0}'.format(place), 'v')
    failures, error = refused(pair.hap.add_map_entries, pair.file('ip.map'), items)
    assert failures == in_both(*[(place, items[place]) for place in places])
    assert error.failures[0].message == (
        "'{0}' is not a valid IPv4 or IPv6 address.".format(items[places[0]][0]))
    good = [item for place, item in enumerate(items) if place not in places]
    assert pair.stored('ip.map') == [as_text(good)] * 2


@pytest.mark.parametrize('places', [[0], [1], [299], [5, 6, 200, 299]])
def test_wrong_values_are_told_and_the_others_stored(places, pair):
    items = [('key{0}'.format(number), str(number)) for number in range(300)]
    for place in places:
        items[place] = (items[place][0], 'wrong')
    failures, error = refused(pair.hap.add_map_entries, pair.file('int.map'), items)
    assert failures == in_both(*[(place, items[place]) for place in places])
    assert error.failures[0].message == "unable to parse 'wrong'."
    good = [item for place, item in enumerate(items) if place not in places]
    assert pair.stored('int.map') == [as_text(good)] * 2


def test_wrong_expressions_are_told(pair):
    items = [('^a', '1'), ('b(', '2'), ("c'(", '3'), ('^d', '4'), ('b(', '5')]
    failures, _ = refused(pair.hap.add_map_entries, pair.file('reg.map'), items)
    assert failures == in_both((1, items[1]), (2, items[2]), (4, items[4]))
    assert pair.stored('reg.map') == [['^a 1', '^d 4']] * 2


@pytest.mark.parametrize('name, items, wrong', [
    ('ip.map', [('10.0.0.1', 'bad'), ('bad', '10.0.0.2'), ('10.0.0.2', 'x')], [1]),
    ('ip.map', [('10.0.0.1', 'x'), ('bad', 'bad'), ('10.0.0.2', 'bad'), ('bad', 'y')], [1, 3]),
    ('ip.map', [('10.0.0.1', '5555'), (5555, 'x'), ('10.0.0.2', 5555)], [1]),
    ('ip.map', [('10.0.0.1', b'bad'), (u'bad', 'x')], [1]),
    ('ip.map', [('bad', 'x'), ('bad', 'x'), ('10.0.0.1', 'x'), ('bad', 'x')], [0, 1, 3]),
    ('ip.map', [('bad', 'x'), ('worse bad', 'x'), ("is 'bad'", 'x'), ('10.0.0.1', 'x')],
     [0, 1, 2]),
    ('ip.map', [('10.0.0.1', ' lead'), ('bad', ' lead'), ('10.0.0.2', 'x;'), ('bad;', 'x')],
     [1, 3]),
    ('ip.map', [('10.0.0.1', 'is not a valid IPv4'), ('valid', 'x'), ('a', 'x')], [1, 2]),
    ('int.map', [('wrong', '1'), ('a', 'wrong'), ('b', '2'), ('wrong', 'wrong')], [1, 3]),
    ('int.map', [('x', '1'), ('a', 'xx'), ('b', 'x'), ('c', '3')], [1, 2]),
])
def test_an_entry_is_not_blamed_for_the_text_of_another(name, items, wrong, pair):
    failures, _ = refused(pair.hap.add_map_entries, pair.file(name), items)
    assert failures == in_both(*[(place, items[place]) for place in wrong])
    good = [item for place, item in enumerate(items) if place not in wrong]
    assert pair.stored(name) == [as_text(good)] * 2


def test_wrong_patterns_of_an_acl_are_told(pair):
    items = ['10.0.0.1', 'bad', '10.0.0.2', 'bad', 'a b', '10.0.0.3']
    failures, error = refused(pair.hap.add_acl_entries, pair.file('ip.acl'), items)
    assert failures == in_both((1, 'bad'), (3, 'bad'), (4, 'a b'))
    assert pair.stored('ip.acl') == [['10.0.0.1', '10.0.0.2', '10.0.0.3']] * 2
    assert [result for _, result in error.results] == ['3 entries accepted, 3 not accepted'] * 2
    assert error.command == 'add acl {0} bad'.format(pair.file('ip.acl'))
    assert os.path.basename(error.socket_file) == '1.sock'
    assert [os.path.basename(path) for path, _ in error.by_socket] == ['1.sock', '2.sock']


@pytest.mark.parametrize('method, items', [
    ('add_map_entries', pairs(1000)), ('add_acl_entries', ['a', 'b'] * 500),
    ('del_map_entries', ['a', 'b']), ('del_acl_entries', ['a', 'b'])])
def test_an_unknown_file_ends_it(method, items, pair):
    _, error = refused(getattr(pair.hap, method), '/nowhere', items)
    assert 'Unknown ' in error.failures[0].message
    assert len(pair.relays.exchanges()[0]) == len(pair.relays.exchanges()[1]) == 1
    assert getattr(pair.hap, method)('/nowhere', items, die=False) is False


# Deleting

def test_all_entries_of_keys_are_deleted(pair):
    items = [('a', '1'), ('keep', '1'), ('b', '2'), ('a', '3')] + pairs(50)
    pair.hap.add_map_entries(pair.file('str.map'), items)
    keys = ['a', 'b'] + [key for key, _ in pairs(50)]
    assert pair.hap.del_map_entries(pair.file('str.map'), keys) is True
    assert pair.stored('str.map') == [['keep 1']] * 2


def test_keys_that_are_not_there_are_told(pair):
    pair.hap.add_acl_entries(pair.file('str.acl'), ['a', 'b', 'c'])
    failures, error = refused(pair.hap.del_acl_entries, pair.file('str.acl'),
                              ['a', 'nope', 'c', 'a'])
    assert failures == in_both((1, 'nope'), (3, 'a'))
    assert set(failure.message for failure in error.failures) == set(['Key not found.'])
    assert error.command == 'del acl {0} nope'.format(pair.file('str.acl'))
    assert pair.stored('str.acl') == [['b']] * 2


def test_a_reference_among_keys(pair):
    """[references] Deleted if it is the same entry in all processes, else reported and kept."""
    path = pair.file('str.map')
    pair.hap.add_map_entries(path, [('a', '1'), ('b', '2'), ('c', '3')])
    reference = pair.hap.show_map(path)[1].split()[0]
    try:
        assert pair.hap.del_map_entries(path, ['a', reference, 'c']) is True
        assert pair.stored('str.map') == [[]] * 2
    except exceptions.EntriesFailed as error:
        assert [(failure.index, failure.entry) for failure in error.failures] == [
            (1, reference)] * 2
        assert 'not the same entry' in error.failures[0].message
        assert pair.stored('str.map') == [['b 2']] * 2


class Crowded(object):
    """A HAProxy with a map in which 12 keys have 60 entries each, and 35,280 have one each."""

    KEYS = ['key{0}'.format(number) for number in range(12)]

    def __init__(self, version, directory):
        self.file = str(directory.join('str.map'))
        socket_file = str(directory.join('1.sock'))
        with open(self.file, 'w') as content:
            for number in range(60 * 600):
                # The other keys have reversed digits, so that neighbors in the tree are not
                # neighbors in memory, as with keys that are domain names.
                content.write('{0} v\n'.format(self.KEYS[number % 600] if number % 600 < 12
                                               else '{0:05d}'.format(number)[::-1]))
        self.lab = conftest.start(version, config=CONFIG.format(
            processes='    nbthread 1\n    stats socket {0} mode 600 level admin'.format(socket_file),
            directory=str(directory)))
        self.hap = HAProxy(socket_file=socket_file, retry=None, timeout=60)

    def entries_of(self, *keys):
        return [entry for entry in self.hap.show_map(self.file) if entry.split()[1] in keys]


@pytest.mark.parametrize('version', conftest.versions())
def test_a_deletion_of_many_keys_does_not_wake_the_watchdog(version, tmpdir, sent):
    """Before HAProxy 2.4, deleting a key takes 0.2 to 0.4 s here, and the watchdog allows 2 s.

    Twelve keys on one line made the watchdog kill HAProxy.
    """
    for name in FILES:
        open(str(tmpdir.join(name)), 'w').close()
    crowded = Crowded(version, tmpdir)
    with crowded.lab:
        assert len(crowded.entries_of(*crowded.KEYS)) == 12 * 60
        sent.clear()
        assert crowded.hap.del_map_entries(crowded.file, crowded.KEYS) is True
        if version < '2.4':
            assert [command.count('del map') for command in sent.commands] == [1] * 12
        assert crowded.entries_of(*crowded.KEYS) == []


def test_many_references_cost_one_listing(pair, sent):
    """[references]"""
    path = pair.file('str.map')
    pair.hap.add_map_entries(path, pairs(40))
    held = [truth.references(pair.labs[0], 'map', path, socket_file)
            for socket_file in pair.sockets]
    references = [held[0][entry] for entry in as_text(pairs(40))[5:35]]
    same = held[0] == held[1]
    sent.clear()
    try:
        assert pair.hap.del_map_entries(path, references) is True
        assert same
    except exceptions.EntriesFailed as error:
        assert not same and 'the same entry' in str(error)
    listings = [socket_file for command, socket_file in sent.exchanges
                if command.startswith('show map ')]
    assert sorted(set(listings)) == sorted(listings) and len(listings) == 2


def test_references_are_deleted_and_no_others(lone):
    hap, path = lone
    hap.add_map_entries(path, pairs(40) + [('0xabcdef', 'v')])
    lines = hap.show_map(path)
    references = [line.split()[0] for line in lines[:40:2]]
    assert hap.del_map_entries(path, references + ['0xabcdef']) is True
    assert hap.show_map(path) == lines[1:40:2]
    with pytest.raises(exceptions.EntriesFailed) as caught:
        hap.del_map_entries(path, references[:2] + [lines[1].split()[0]])
    assert [failure.index for failure in caught.value.failures] == [0, 1]
    assert hap.show_map(path) == lines[3:40:2]


# What stops a call early

def test_a_wrong_entry_in_the_middle(pair):
    """The chunks before it are stored, and the message reports how many entries were sent."""
    items = pairs(3 * bulk.CHUNK)
    items[bulk.CHUNK + 5] = ('key', 'a\nb')
    with pytest.raises(ValueError) as caught:
        pair.hap.add_map_entries(pair.file('str.map'), items)
    assert not isinstance(caught.value, exceptions.HAProxyBaseError)
    assert '{0} entries were sent before'.format(bulk.CHUNK) in str(caught.value)
    assert pair.stored('str.map') == [as_text(items[:bulk.CHUNK])] * 2


def test_an_iterable_that_breaks(pair):
    def items():
        for item in pairs(bulk.CHUNK):
            yield item
        raise KeyError('broken')
    with pytest.raises(KeyError):
        pair.hap.add_map_entries(pair.file('str.map'), items())
    assert pair.stored('str.map') == [as_text(pairs(bulk.CHUNK))] * 2


def test_text_is_not_many_entries(pair):
    with pytest.raises(ValueError):
        pair.hap.add_acl_entries(pair.file('str.acl'), 'abc')
    assert pair.stored('str.acl') == [[], []]


@pytest.mark.parametrize('version', conftest.versions())
def test_a_process_that_dies_in_the_middle(version, tmpdir):
    """[verdicts] The other process stores everything; the error reports where this one stopped."""
    pair = Pair(version, tmpdir)
    items = pairs(4 * bulk.CHUNK)

    def dying():
        for number, item in enumerate(items):
            if number == 2 * bulk.CHUNK:
                pair.kill_second()
            yield item
    try:
        with pytest.raises(exceptions.HAProxySocketError) as caught:
            pair.hap.add_map_entries(pair.file('str.map'), dying())
        assert os.path.basename(caught.value.socket_file) == '2.sock'
        failures = caught.value.failures
        assert [(failure.index, failure.entry) for failure in failures] == list(
            enumerate(items))[2 * bulk.CHUNK:2 * bulk.CHUNK + len(failures)]
        assert 50 < len(failures) < 300
        assert [result for _, result in caught.value.results] == [
            '{0} entries accepted, 0 not accepted'.format(len(items)),
            '{0} entries accepted, {1} not accepted; later entries were not sent'.format(
                2 * bulk.CHUNK, len(failures))]
        assert truth.entries(pair.labs[0], 'map', pair.file('str.map'),
                             pair.sockets[0]) == as_text(items)
    finally:
        pair.stop()
