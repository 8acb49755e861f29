# -*- coding: utf-8 -*-
# SPDX-License-Identifier: Apache-2.0
"""A map as a mapping, an ACL as a set, by the tests of the standard library and by dict and set."""
import ast
import collections
import itertools

import pytest
import six

from haproxyadmin.haproxy import HAProxy
from haproxyadmin.imports import mutable_collections
from haproxyadmin.patterns import Acl, Map
from tests import conftest

pytestmark = pytest.mark.dealt_out

Mapping, MutableSet = mutable_collections()
NUMBER = 6
CONFIG = """
global
    stats socket "${HAPROXYADMIN_RUN}/stats-${HAPROXYADMIN_PROCESS}.sock" level admin
defaults
    mode http
    timeout connect 1s
    timeout client 60s
    timeout server 60s

frontend f
    bind "127.0.0.1:${HAPROXYADMIN_PORT_F}"
"""
ACL = '    http-request deny if { path -f "%s" }\n'
MAP = '    http-request deny if { path,map("%s") -m found }\n'


class Site(object):
    """Two HAProxies with empty ACLs and maps, which are handed out in turn."""

    def __init__(self, version, directory):
        config, self.files = CONFIG, {}
        for family, line in (('acl', ACL), ('map', MAP)):
            paths = [str(directory.join(family + str(number))) for number in range(NUMBER)]
            for path in paths:
                open(path, 'w').close()
                config += line % path
            self.files[family] = paths
        self.lab = conftest.start(version, config=config, instances=2)
        self.hap = HAProxy(socket_dir=self.lab.socket_dir, retry=None, timeout=conftest.PATIENT)
        self._turns = dict((family, itertools.cycle(self.files[family])) for family in self.files)
        self.used = []

    def empty(self, family, kind=None):
        """Return an empty ACL or map."""
        found = getattr(self.hap, family)(next(self._turns[family]))
        found.clear()
        if kind is not None:
            found.__class__ = kind
        self.used = [one for one in self.used if one.file != found.file] + [found]
        return found

    def listed(self, collection):
        """Return what each process lists: the patterns, or pairs of key and value."""
        listed = []
        for path in self.lab.socket_files:
            reply = self.lab.raw('show {0} {1}'.format(collection._FAMILY, collection.file), path)
            entries = [line.partition(' ')[2] for line in reply.split('\n') if line]
            listed.append(entries if collection._FAMILY == 'acl'
                          else [entry.partition(' ')[::2] for entry in entries])
        return listed

    def check(self, collection):
        """Check that each process has what the collection says, in any order, and only once."""
        collection.__class__ = Map if isinstance(collection, Map) else Acl
        known = list(collection.items() if isinstance(collection, Map) else collection)
        for entries in self.listed(collection):
            assert sorted(entries) == sorted(known)


@pytest.fixture(scope='module', params=conftest.versions())
def site(request, tmpdir_factory):
    made = Site(request.param, tmpdir_factory.mktemp('collections'))
    with made.lab:
        yield made


# By the tests of the standard library, which use numbers and None, too

def code(literal):
    """Return a literal as text; on Python 2, 5 and 5L are the same key."""
    return repr(literal).rstrip('L')


def plainly(kind, name, convert):
    """Return a method that calls that of a map or ACL with coded texts."""
    def call(self, *args):
        coded_kind, self.__class__ = self.__class__, kind
        try:
            return getattr(kind, name)(self, *convert(*args))
        except KeyError:
            raise KeyError(*args)
        finally:
            self.__class__ = coded_kind
    return call


def code_all(*args):
    return list(map(code, args))


def code_each(*others):
    return [list(map(code, other)) for other in others]


def code_set(other):
    return [set(map(code, other))]


class CodedMap(Map):
    """A map of Python's literals, written as text; everything else is that of a map."""

    __setitem__, __delitem__, __contains__ = [
        plainly(Map, name, code_all) for name in ('__setitem__', '__delitem__', '__contains__')]

    def __getitem__(self, key):
        return ast.literal_eval(plainly(Map, '__getitem__', code_all)(self, key))

    def __iter__(self):
        return (ast.literal_eval(key) for key in Map.__iter__(self))

    def update(self, *args, **others):
        pairs = collections.OrderedDict()
        pairs.update(*args, **others)
        plainly(Map, 'update', lambda given: [[tuple(map(code, pair)) for pair in given.items()]])(
            self, pairs)

    # Of those tests. A map is always true, and has no method that Python 3 no longer has.

    def __bool__(self):
        return len(self) > 0

    __nonzero__ = __bool__

    def has_key(self, key):
        return key in self

    def __cmp__(self, other):
        return cmp(dict(self), dict(other))  # noqa: F821 (only on Python 2)


class CodedAcl(Acl):
    """An ACL of Python's literals, written as text; everything else is that of an ACL."""

    __contains__, add, discard = [
        plainly(Acl, name, code_all) for name in ('__contains__', 'add', 'discard')]
    update, difference_update = [
        plainly(Acl, name, code_each) for name in ('update', 'difference_update')]
    __ior__, __iand__, __isub__, __ixor__ = [
        plainly(Acl, name, code_set) for name in ('__ior__', '__iand__', '__isub__', '__ixor__')]

    def __iter__(self):
        return (ast.literal_eval(text) for text in Acl.__iter__(self))

    # Of those tests: an ACL is always true.

    def __bool__(self):
        return len(self) > 0

    __nonzero__ = __bool__


# What is not there: copy() is a dict, there is no constructor, and what a map contains is text.
NOT_OF_MAPS = {
    'test_constructor': 'a map is found, not made; Basic compares two empty ones',
    'test_fromkeys': 'a map is found, not made',
    'test_copy': 'a copy is a dict',
    'test_setdefault': 'it changes a value that is a list, which is no text; the basic one is run',
    'test_popitem': 'it takes out 16,000 entries one by one; the basic one is run',
    'test_has_key': 'not in Python 3',
}
MAPPING_TESTS = [
    'bool', 'clear', 'contains', 'get', 'getitem', 'items', 'keys', 'len', 'pop', 'read', 'update',
    'values', 'write']
# The other tests of sets are about constructors, copies that are sets of the same class, hashes,
# pickles, and operators that refuse what is no set, unlike those of collections.abc.Set.
NOT_OF_ACLS = {
    'test_intersection_method_call': 'not a method of collections.abc.MutableSet',
    'test_sym_difference_method_call': 'not a method of collections.abc.MutableSet',
    'test_cmp': 'a comparison of Python 2, for sets alone',
}
SET_TESTS = {'TestMutate': (['a', 'b', 'c'], 13), 'TestBinaryOps': ([2, 4, 6], 17),
             'TestUpdateOps': ([2, 4, 6], 18)}


def names_of(case):
    return [name for name in dir(case) if name.startswith('test')]


def run(case):
    case.setUp()
    getattr(case, case._testMethodName)()


class TestStandardLibrary(object):

    @pytest.mark.parametrize('name', MAPPING_TESTS)
    def test_mapping(self, site, name):
        self._run(site, 'TestMappingProtocol', 'test_' + name)

    @pytest.mark.parametrize('name', ['constructor', 'popitem', 'setdefault'])
    def test_basic_mapping(self, site, name):
        self._run(site, 'BasicTestMappingProtocol', 'test_' + name)

    def _run(self, site, case, name):
        suite = pytest.importorskip('test.mapping_tests', reason='this Python has no tests')

        class Case(getattr(suite, case)):
            type2test = CodedMap

            def _empty_mapping(self):
                return site.empty('map', CodedMap)

        del site.used[:]
        run(Case(name))
        assert site.used
        for collection in site.used:
            site.check(collection)

    def test_no_test_of_mappings_is_left_out_without_a_reason(self, site):
        suite = pytest.importorskip('test.mapping_tests')
        assert set(names_of(suite.TestMappingProtocol)) - set(NOT_OF_MAPS) == set(
            'test_' + name for name in MAPPING_TESTS)

    @pytest.mark.parametrize('name', sorted(SET_TESTS))
    def test_set(self, site, name):
        suite = pytest.importorskip('test.test_set', reason='this Python has no tests')
        members, count = SET_TESTS[name]
        names = sorted(set(names_of(getattr(suite, name))) - set(NOT_OF_ACLS))
        assert len(names) >= count

        class Case(getattr(suite, name)):

            def setUp(self):
                self.values = members
                self.set = site.empty('acl', CodedAcl)
                self.set.update(members)

        for each in names:
            case = Case(each)
            run(case)
            # An operator that changes the set must not have replaced it by a copy.
            assert type(case.set) is CodedAcl
            site.check(case.set)


# By dict and set

UNTRANSLATABLE = six.ensure_str(u'\u017elu\u0165')
START = [('a', '1'), ('b', '2 two'), ('c', '')]
KEYS = ['a', 'b', '/c', UNTRANSLATABLE]


class Failing(Exception):
    pass


def failing(*items):
    for item in items:
        yield item
    raise Failing


class Keyed(object):
    """What dict.update() takes without being a mapping."""

    def keys(self):
        return ['b', 'z']

    def __getitem__(self, key):
        return key * 2


def setting(key, value):
    def change(mapping):
        mapping[key] = value
    return change


def deleting(key):
    def change(mapping):
        del mapping[key]
    return change


def joining(other):
    def change(collection):
        before = collection
        collection |= other
        assert collection is before
    return change


def meeting(other):
    def change(collection):
        before = collection
        collection &= other
        assert collection is before
    return change


def without(other):
    def change(collection):
        before = collection
        collection -= other
        assert collection is before
    return change


def differing(other):
    def change(collection):
        before = collection
        collection ^= other
        assert collection is before
    return change


def calling(name, *args, **others):
    def call(collection):
        return getattr(collection, name)(*args, **others)
    return call


MAP_CHANGES = {
    'set': setting('a', 'new'), 'set the same': setting('a', '1'), 'add': setting('d', '4'),
    'set with blanks': setting('b', ' 3  three '), 'set one with blanks': setting('b', 'x'),
    'add with a number sign': setting('#1', 'x'), 'set UTF-8': setting(UNTRANSLATABLE, u'\u017e'),
    'add what looks like a reference': setting('0x1', 'x'), 'add an escape': setting('\\', ';'),
    'delete': deleting('b'), 'delete what is not there': deleting('x'),
    'delete a number': deleting(1), 'delete a list': deleting([]), 'delete None': deleting(None),
    'pop': calling('pop', 'b'), 'pop nothing': calling('pop', 'x'),
    'pop a default': calling('pop', 'x', None), 'pop two defaults': calling('pop', 'x', 1, 2),
    'setdefault': calling('setdefault', 'a', 'x'), 'setdefault new': calling('setdefault', 'd', 'x'),
    'setdefault without arguments': calling('setdefault'), 'clear': calling('clear'),
    'clear with an argument': calling('clear', None),
    'update': calling('update', {'a': '9', 'd': '4'}), 'update nothing': calling('update'),
    'update one': calling('update', {'a': '9'}), 'update with nothing': calling('update', {}),
    'update with pairs': calling('update', [('a', '8'), ['e', '5']]),
    'update twice': calling('update', [('a', '8'), ('e', '5'), ('a', '7')]),
    'update an iterator': lambda mapping: mapping.update(iter([('a', '8'), ('f', '6')])),
    'update with names': calling('update', a='3', g='7'),
    'update with self': calling('update', self='3', other='7'),
    'update with both': calling('update', [('a', '3')], a='4', g='7'),
    'update what has keys': lambda mapping: mapping.update(Keyed()),
    'update with a number': calling('update', 5), 'update with None': calling('update', None),
    'update with two': calling('update', {}, {}), 'update with triples': calling('update', [(1, 2, 3)]),
    'update with what fails': lambda mapping: mapping.update(failing(('a', '9'))),
    'update itself': lambda mapping: mapping.update(mapping),
}
if six.PY3:
    del MAP_CHANGES['update with what fails']  # dict has taken what came before
    MAP_CHANGES['update with what fails at once'] = lambda mapping: mapping.update(failing())
else:
    del MAP_CHANGES['update with what fails']
ACL_CHANGES = {
    'add': calling('add', 'd'), 'add again': calling('add', 'a'), 'add blanks': calling('add', ' d  e '),
    'add UTF-8': calling('add', u'\u017e'), 'add a number sign': calling('add', '#1'),
    'add again what has one': lambda acl: (acl.add('#1'), acl.add('#1')) and None,
    'add again what has blanks': lambda acl: (acl.add('d e'), acl.add('d e')) and None,
    'discard what has one': lambda acl: (acl.add('#1'), acl.discard('#1')) and None,
    'discard what has blanks': lambda acl: (acl.add('d e'), acl.discard('d e')) and None,
    'discard': calling('discard', 'a'), 'discard nothing': calling('discard', 'x'),
    'discard a number': calling('discard', 1), 'discard None': calling('discard', None),
    'discard a list': calling('discard', []), 'remove a list': calling('remove', []),
    'remove': calling('remove', 'a'), 'remove nothing': calling('remove', 'x'),
    'remove a number': calling('remove', 1), 'clear': calling('clear'),
    'update': calling('update', ['a', 'x', 'x'], ['y']), 'update nothing': calling('update'),
    'update with a number': calling('update', 5), 'update with nothing': calling('update', []),
    'update itself': lambda acl: acl.update(acl),
    'difference_update': calling('difference_update', ['a', 'x'], ['b']),
    'difference_update with nothing': calling('difference_update'),
    'difference_update with a number': calling('difference_update', 5),
    'difference_update with itself': lambda acl: acl.difference_update(acl),
    'difference_update with numbers': calling('difference_update', ['a', 1, None]),
    '|=': joining(set(['a', 'x'])), '|= nothing': joining(set()), '|= frozen': joining(frozenset('ax')),
    '&=': meeting(set(['a', 'x'])), '&= nothing': meeting(set()), '&= number': meeting(set([1, 'a'])),
    '-=': without(set(['a', 'x'])), '-= nothing': without(set()), '-= number': without(set([1, 'a'])),
    '&= None': meeting(set([None, 'a'])), '-= None': without(set([None, 'a'])),
    '|= number': joining(5), '&= nothing at all': meeting(None), '-= nothing at all': without(None),
    '^= nothing at all': differing(None),
    '^=': differing(set(['a', 'x'])), '^= nothing': differing(set()),
    '|= itself': lambda acl: joining(acl)(acl), '&= itself': lambda acl: meeting(acl)(acl),
    '-= itself': lambda acl: without(acl)(acl), '^= itself': lambda acl: differing(acl)(acl),
}


def outcome(change, collection):
    """Return what a change returns, or the kind of its error."""
    try:
        return change(collection)
    except (LookupError, TypeError, ValueError, AttributeError, Failing) as error:
        return type(error)


class TestLikeTheBuiltin(object):

    @pytest.mark.parametrize('name', sorted(MAP_CHANGES))
    def test_a_change_of_a_map(self, site, name):
        start = [pair for pair in START if pair[1]]
        builtin, ours = collections.OrderedDict(start), site.empty('map')
        ours.update(start)
        change = MAP_CHANGES[name]
        assert outcome(change, ours) == outcome(change, builtin)
        native = dict((key, six.ensure_str(value)) for key, value in builtin.items())
        assert dict(ours) == native
        for entries in site.listed(ours):
            assert len(entries) == len(native) and dict(entries) == native
        ours.refresh()
        assert dict(ours) == native

    @pytest.mark.parametrize('name', sorted(ACL_CHANGES))
    def test_a_change_of_an_acl(self, site, name):
        builtin, ours = set(KEYS), site.empty('acl')
        ours.update(KEYS)
        change = ACL_CHANGES[name]
        assert outcome(change, ours) == outcome(change, builtin)
        native = set(map(six.ensure_str, builtin))
        assert set(ours) == native
        for entries in site.listed(ours):
            assert sorted(entries) == sorted(native)
        ours.refresh()
        assert set(ours) == native

    def test_a_map_is_emptied_by_popitem(self, site):
        ours = site.empty('map')
        ours.update(a='1', b='2')
        assert dict([ours.popitem(), ours.popitem()]) == {'a': '1', 'b': '2'}
        with pytest.raises(KeyError):
            ours.popitem()
        assert site.listed(ours) == [[], []]

    def test_an_acl_is_emptied_by_pop(self, site):
        ours = site.empty('acl')
        ours.update(['a', 'b'])
        assert set([ours.pop(), ours.pop()]) == set('ab')
        with pytest.raises(KeyError):
            ours.pop()
        assert site.listed(ours) == [[], []]

    def test_a_map_answers_like_a_dict(self, site):
        """[equality]"""
        pairs = [('b', '2'), ('a', '1'), ('c', '3'), (UNTRANSLATABLE, 'v')]
        ours, same, builtin = site.empty('map'), site.empty('map'), collections.OrderedDict(pairs)
        ours.update(builtin)
        same.update(reversed(pairs))
        for mapping in (ours, builtin):
            assert isinstance(mapping, Mapping) and len(mapping) == 4
            assert list(mapping) == list(mapping.keys()) == [key for key, _ in pairs]
            assert list(mapping.values()) == [value for _, value in pairs]
            assert list(mapping.items()) == pairs
            assert 'a' in mapping and u'\u017elu\u0165' in mapping if six.PY3 else 'a' in mapping
            for odd in ('x', '', None, 1, 1.5, ('a',), 'a\n', 'a\0', u'\udcff'):
                assert odd not in mapping and mapping.get(odd) is None
                assert mapping.get(odd, 5) == 5
                with pytest.raises(KeyError) as caught:
                    mapping[odd]
                assert caught.value.args == (odd,)
            for get in (mapping.__getitem__, mapping.__contains__, mapping.get, mapping.pop):
                with pytest.raises(TypeError):
                    get([])
            assert mapping == dict(pairs) and dict(pairs) == mapping and mapping == same
            assert not mapping != dict(pairs) and not dict(pairs) != mapping
            assert mapping != {'a': '1'} and mapping != pairs and mapping != 1
            with pytest.raises(TypeError):
                hash(mapping)
            assert dict(mapping) == dict(pairs) == dict(**mapping)
            if six.PY3:
                assert mapping.keys() & {'a', 'x'} == {'a'} and {'a', 'x'} & mapping.keys() == {'a'}
                assert ('a', '1') in mapping.items() and ('a', '2') not in mapping.items()
                assert mapping.items() - {('a', '1')} == set(pairs) - {('a', '1')}
        assert type(ours.copy()) is dict and ours.copy() == dict(pairs)
        joined = dict(pairs, a='9', x='0')
        assert type(ours | {'a': '9', 'x': '0'}) is dict
        assert ours | {'a': '9', 'x': '0'} == joined
        assert {'a': '9', 'x': '0'} | ours == dict(pairs, x='0')
        assert ours | same == dict(pairs)
        for other in ([('a', '1')], 1, None, 'a'):
            with pytest.raises(TypeError):
                ours | other
            with pytest.raises(TypeError):
                other | ours
        own = ours
        ours |= [('a', '9'), ('x', '0')]
        assert ours is own and site.listed(ours) == [
            [(key, joined[key]) for key in [each for each, _ in pairs] + ['x']]] * 2
        assert site.empty('map') and not len(site.empty('map')) and list(site.empty('map')) == []

    def test_an_acl_answers_like_a_set(self, site):
        """[equality]"""
        ours, same, builtin = site.empty('acl'), site.empty('acl'), set(KEYS)
        ours.update(KEYS)
        same.update(reversed(KEYS))
        assert list(ours) == KEYS
        for each in (ours, builtin):
            assert isinstance(each, MutableSet) and len(each) == 4
            assert set(each) == set(KEYS)
            for odd in ('x', '', None, 1, ('a',), 'a\n', u'\udcff'):
                assert odd not in each
            with pytest.raises(TypeError):
                [] in each
            assert each == set(KEYS) and set(KEYS) == each and each == same and same == each
            assert not each != set(KEYS) and not set(KEYS) != each
            assert each != set('a') and each != KEYS and each != 1
            assert each == frozenset(KEYS)
            for small in (set('a'), frozenset('a')):
                assert small < each and small <= each and each > small and each >= small
                assert not (small > each or each < small or each <= small)
            assert each <= set(KEYS) and each >= set(KEYS) and not each < set(KEYS)
            assert each <= same and each >= same
            for other in (set(['a', 'x']), frozenset(['a', 'x']), same):
                assert each | other == set(KEYS) | set(other) and other | each == each | other
                assert each & other == set(KEYS) & set(other) and other & each == each & other
                assert each - other == set(KEYS) - set(other)
                assert other - each == set(other) - set(KEYS)
                assert each ^ other == set(KEYS) ^ set(other) and other ^ each == each ^ other
            assert each.isdisjoint(['x']) and not each.isdisjoint(['x', 'a'])
            with pytest.raises(TypeError):
                hash(each)
            for other in (1, None):
                with pytest.raises(TypeError):
                    each | other
                with pytest.raises(TypeError):
                    each < other if six.PY3 else each & other
        for joined in (ours.copy(), ours | same, ours & same, ours - same, ours ^ same):
            assert type(joined) is set
        assert site.empty('acl') and not len(site.empty('acl')) and list(site.empty('acl')) == []
