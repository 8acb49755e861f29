# -*- coding: utf-8 -*-
# SPDX-License-Identifier: Apache-2.0
"""ACLs and maps on real HAProxies, compared with what their sockets list."""
import contextlib
import decimal
import importlib
import uuid

import pytest
import six

from haproxyadmin import exceptions, haproxy
from haproxyadmin.testing import texts
from tests import conftest
from tests.support import truth
from tests.support.checks import error_of

UNTRANSLATABLE = u'\u017elu\u0165 \u4e2d'
# The initial entries of ACL 6 and map 0 in the User Guide.
CSS = ['/static/css/']
HOSTS = ['0 www.foo.com-0', '1 www.foo.com-1']

# Each must arrive as ONE word, and HAProxy must not interpret any part of it.
WORDS = [
    'plain', 'two words', ' leading', 'trailing ', 'a  b', 'tab\there', 'a;b', ';', '; help',
    'x; disable frontend haproxy', 'back\\slash', '\\', '\\\\', 'ends\\', '\\ ', '\\;', 'a<b',
    '<<', 'a <<', 'a<<', '#', '#x', '@1', '"quoted"', "'single'", '%[src]', '$HOME', '-',
    '--', 'payload <<\\', '0x', 'x' * 1000, six.ensure_str(UNTRANSLATABLE),
    six.ensure_str(u'\u017elu\u0165; \\x'),
]


@pytest.fixture
def same(lab):
    """Restore the configured entries in every process."""
    truth.tell(lab, 'clear map #0; add map #0 0 www.foo.com-0; add map #0 1 www.foo.com-1')
    truth.tell(lab, 'clear acl #6; add acl #6 /static/css/')
    truth.tell(lab, 'clear acl #4; add acl #4 /static/js/; add acl #4 /static/css/')


def everywhere(lab, entries):
    return [entries] * truth.process_count(lab)


class TestReading(object):

    def test_listings(self, lab, hap):
        for family, listing in [('acl', hap.show_acl()), ('map', hap.show_map())]:
            assert listing == lab.raw('show ' + family).rstrip('\n').split('\n')
            assert listing[0] == '# id (file) description'
            assert all(type(line) is str for line in listing)
            assert '' not in listing

    def test_entries_by_id_and_file(self, lab, hap):
        path = lab.map_file('v-m1-bk')
        wanted = lab.raw('show map #0').rstrip('\n').split('\n')
        for ident in (0, '0', u'0', '#0', b'0', path, path.encode('ascii')):
            assert hap.show_map(ident) == wanted
        assert [line.split(' ', 1)[1] for line in wanted] == HOSTS
        wanted = lab.raw('show acl #5').rstrip('\n').split('\n')
        path = lab.acl_file('bl_frontend')
        for ident in (5, '5', '#5', path):
            assert hap.show_acl(ident) == wanted
        assert sorted(line.split(' ', 1)[1] for line in wanted) == [
            '192.0.2.0/24', '198.51.100.7']

    def test_keywords_of_the_documentation(self, hap):
        assert hap.show_acl(aclid=6) == hap.show_acl(acl=6) == hap.show_acl(6)
        assert hap.show_map(mapid=0) == hap.show_map(map=0) == hap.show_map(0)

    def test_no_entries(self, hap):
        """[first process]"""
        # ACL 3 uses ssl_fc and has no patterns.
        assert hap.show_acl(3) == []

    def test_the_first_process_answers(self, lab, hap, sent):
        """[first process]"""
        for call in (hap.show_acl, hap.show_map, lambda: hap.show_acl(6), lambda: hap.show_map(0),
                     lambda: hap.get_acl(6, 'x'), lambda: hap.get_map(0, 'x')):
            sent.clear()
            call()
            assert sent.paths == lab.socket_files[:1]

    def test_get_acl(self, lab, hap):
        assert hap.get_acl(6, '/static/css/x') == (
            'type=beg, case=sensitive, match=yes, idx=tree, pattern="/static/css/"')
        assert hap.get_acl(acl=6, value='/foo') == 'type=beg, case=sensitive, match=no'
        assert 'match=yes' in hap.get_acl(lab.acl_file('wl_stats'), '127.0.0.1')
        assert 'match=no' in hap.get_acl(lab.acl_file('wl_stats'), '10.0.0.1')

    def test_get_map(self, lab, hap):
        assert hap.get_map(0, '1') == (
            'type=str, case=sensitive, found=yes, idx=tree, key="1", value="www.foo.com-1", '
            'type="str"')
        assert hap.get_map(mapid=0, value='7') == 'type=str, case=sensitive, found=no'
        assert hap.get_map(lab.map_file('v-m1-bk'), 1) == hap.get_map('#0', '1')

    def test_a_refusal_is_never_data(self, lab, hap):
        """[errors are not data]"""
        nowhere = lab.map_file('nope')
        for method, args in [(hap.show_acl, [99]), (hap.show_acl, [nowhere]),
                             (hap.show_map, [99]), (hap.show_map, [nowhere]),
                             (hap.get_acl, [99, 'x']), (hap.get_acl, [nowhere, 'x']),
                             (hap.get_map, [99, 'x']), (hap.get_map, [nowhere, 'x'])]:
            error = error_of(method, *args)
            assert type(error) is exceptions.CommandFailed
            assert str(error).startswith('Unknown ')
            assert str(error).endswith('Please use #<id> or <file>.')
            assert method(*args, die=False) is False

    @pytest.mark.one_haproxy
    def test_what_is_no_id_is_not_sent(self, hap, sent):
        """[argument checks]"""
        calls = [hap.show_acl, hap.show_map, hap.clear_acl, hap.clear_map,
                 lambda ident, **die: hap.get_acl(ident, 'x', **die),
                 lambda ident, **die: hap.get_map(ident, 'x', **die),
                 lambda ident, **die: hap.add_acl(ident, 'x', **die),
                 lambda ident, **die: hap.del_acl(ident, 'x', **die),
                 lambda ident, **die: hap.add_map(ident, 'x', 'y', **die),
                 lambda ident, **die: hap.set_map(ident, 'x', 'y', **die),
                 lambda ident, **die: hap.del_map(ident, 'x', **die),
                 lambda ident, **die: hap.del_map(ident, '0x123', **die)]
        for call in calls:
            for ident in ('', '#', '#x', '@1', '@1 #0', -1, True, 1.0, 'a\nb', 'a\0b'):
                assert type(error_of(call, ident)) is ValueError, ident
                assert call(ident, die=False) is False
        assert sent.commands == []

    @pytest.mark.one_haproxy
    def test_what_cannot_be_sent_is_not(self, hap, sent):
        """[one word per text]"""
        for text in ('', 'a\nb', 'a\rb', '\r', 'a\0b', None, True, ['a'], {'a': 'b'}, 'x' * 15360):
            for call in [lambda **die: hap.add_acl(6, text, **die),
                         lambda **die: hap.del_acl(6, text, **die),
                         lambda **die: hap.get_acl(6, text, **die),
                         lambda **die: hap.add_map(0, text, 'v', **die),
                         lambda **die: hap.add_map(0, 'k', text, **die),
                         lambda **die: hap.set_map(0, 'k', text, **die),
                         lambda **die: hap.set_map(0, '0x1', text, **die),
                         lambda **die: hap.del_map(0, text, **die),
                         lambda **die: hap.get_map(0, text, **die)]:
                assert type(error_of(call)) is ValueError, text
                assert call(die=False) is False
        assert sent.commands == []


@pytest.mark.usefixtures('same')
class TestChanging(object):
    @pytest.mark.one_layout
    def test_what_is_no_text_is_stored_as_its_text(self, hap):
        """[argument checks]"""
        values = [1.5, -0.25, decimal.Decimal('1.50'), uuid.UUID(int=5), 7]
        try:
            ipaddress = importlib.import_module('ipaddress')
        except ImportError:
            pass  # Python 2
        else:
            values += [ipaddress.ip_address(u'10.0.0.1'), ipaddress.ip_network(u'2001:db8::/32')]
        for value in values:
            assert hap.add_map(0, value, value) is True
            assert hap.set_map(0, value, value) is True
            assert 'found=yes' in hap.get_map(0, value)
            assert hap.show_map(0)[-1].split(' ')[1:] == [str(value)] * 2
            assert hap.del_map(0, value) is True
            assert hap.add_acl(6, value) is True
            assert 'match=yes' in hap.get_acl(6, value)
            assert hap.show_acl(6)[-1].split(' ')[1:] == [str(value)]
            assert hap.del_acl(6, value) is True
        assert hap.add_map_entries(0, zip(values, values)) is True
        assert [line.split(' ')[1:] for line in hap.show_map(0)][-len(values):] == [
            [str(value)] * 2 for value in values]
        assert hap.del_map_entries(0, values) is True

    def test_acl(self, lab, hap):
        for ident in (6, '#6', u'6'):
            assert hap.add_acl(ident, '/foo/') is True
            assert truth.all_entries(lab, 'acl', '#6') == everywhere(lab, CSS + ['/foo/'])
            assert hap.del_acl(ident, '/foo/') is True
            assert truth.all_entries(lab, 'acl', '#6') == everywhere(lab, CSS)
        assert hap.add_acl(acl=6, pattern='/bar/') is True
        assert hap.del_acl(acl=6, key='/bar/') is True

    def test_acl_by_file(self, lab, hap):
        path = lab.acl_file('bl_frontend')
        assert hap.add_acl(path, '203.0.113.0/24') is True
        for entries in truth.all_entries(lab, 'acl', path):
            assert '203.0.113.0/24' in entries
        assert 'match=yes' in hap.get_acl(path, '203.0.113.9')
        assert hap.del_acl(path, '203.0.113.0/24') is True
        assert 'match=no' in hap.get_acl(path, '203.0.113.9')

    def test_map(self, lab, hap):
        assert hap.add_map(0, '9', 'foo') is True
        assert truth.all_entries(lab, 'map', '#0') == everywhere(lab, HOSTS + ['9 foo'])
        assert hap.set_map(0, '9', 'bar') is True
        assert truth.all_entries(lab, 'map', '#0') == everywhere(lab, HOSTS + ['9 bar'])
        assert hap.del_map(0, '9') is True
        assert truth.all_entries(lab, 'map', '#0') == everywhere(lab, HOSTS)
        path = lab.map_file('v-m1-bk')
        assert hap.add_map(mapid=path, key='9', value='foo') is True
        assert hap.set_map(mapid=path, key='9', value='bar') is True
        assert hap.get_map(mapid=path, value='9').endswith('value="bar", type="str"')
        assert hap.del_map(mapid=path, key='9') is True
        assert truth.all_entries(lab, 'map', '#0') == everywhere(lab, HOSTS)

    def test_traffic_follows_the_acl(self, lab, hap):
        path = lab.acl_file('bl_frontend')
        assert set(lab.traffic('frontend1_proc34', 4)) == {200}
        assert hap.add_acl(path, '127.0.0.1') is True
        assert set(lab.traffic('frontend1_proc34', 8)) == {403}
        assert hap.del_acl(path, '127.0.0.1') is True
        assert set(lab.traffic('frontend1_proc34', 4)) == {200}

    def test_integers_are_written_in_decimal(self, lab, hap):
        """[argument checks]"""
        assert hap.add_map(0, 9, 10) is True
        assert hap.set_map(0, 9, -11) is True
        assert truth.entries(lab, 'map', '#0') == HOSTS + ['9 -11']
        assert 'found=yes' in hap.get_map(0, 9)
        assert hap.del_map(0, 9) is True
        assert hap.add_acl(6, 5) is True
        assert truth.entries(lab, 'acl', '#6') == CSS + ['5']
        assert hap.del_acl(6, 5) is True

    def test_duplicates_are_kept_and_deleted_together(self, lab, hap):
        for _ in range(3):
            assert hap.add_acl(6, '/foo') is True
            assert hap.add_map(0, 'twice', 'a') is True
        assert truth.all_entries(lab, 'acl', '#6') == everywhere(lab, CSS + ['/foo'] * 3)
        assert hap.set_map(0, 'twice', 'b') is True
        assert truth.all_entries(lab, 'map', '#0') == everywhere(lab, HOSTS + ['twice b'] * 3)
        assert hap.del_acl(6, '/foo') is True
        assert hap.del_map(0, 'twice') is True
        assert truth.all_entries(lab, 'acl', '#6') == everywhere(lab, CSS)
        assert truth.all_entries(lab, 'map', '#0') == everywhere(lab, HOSTS)

    def test_clear(self, lab, hap):
        assert hap.clear_acl(6) is True
        assert hap.clear_map(mapid=0) is True
        assert hap.show_acl(6) == hap.show_map(0) == []
        assert truth.all_entries(lab, 'acl', '#6') == everywhere(lab, [])
        assert truth.all_entries(lab, 'map', '#0') == everywhere(lab, [])
        assert hap.clear_acl(acl=lab.acl_file('bl_frontend')) is True
        assert hap.show_acl(5) == []
        # There is nothing left to clear, and that is not an error.
        assert hap.clear_map(lab.map_file('v-m1-bk')) is True

    def test_what_all_refuse(self, lab, hap):
        """[errors are not data]"""
        for method, args, words in [
                (hap.del_acl, [6, 'nope'], 'Key not found.'),
                (hap.del_map, [0, 'nope'], 'Key not found.'),
                (hap.set_map, [0, 'nope', 'x'], 'entry not found.'),
                (hap.add_acl, [99, 'x'], 'Unknown ACL identifier.'),
                (hap.clear_acl, [99], 'Unknown ACL identifier.'),
                (hap.add_map, [99, 'x', 'y'], 'Unknown map identifier.'),
                (hap.clear_map, [lab.map_file('nope')], 'Unknown map identifier.'),
                (hap.add_acl, [lab.acl_file('bl_frontend'), 'no address'], "'no address'")]:
            error = error_of(method, *args)
            assert type(error) is exceptions.CommandFailed
            assert error.command.startswith(method.__name__.replace('_', ' ') + ' ')
            assert error.socket_file == lab.socket_files[0]
            assert [path for path, _ in error.by_socket] == list(lab.socket_files)
            assert words in str(error)
            assert [number for number, _ in error.results] == truth.numbers(lab, [1, 2, 3, 4])
            assert [path for path, _ in error.by_socket] == lab.socket_files
            assert method(*args, die=False) is False

    @pytest.mark.only('nbproc4', 'instances')
    def test_what_some_refuse(self, lab, hap):
        """[verdicts]"""
        lab.raw('add map #0 only here', lab.socket_files[1])
        error = error_of(hap.del_map, 0, 'only')
        assert type(error) is exceptions.MultipleCommandResults
        replies = [reply for _, reply in error.results]
        assert replies == ['Key not found.', '', 'Key not found.', 'Key not found.']
        assert error.by_socket == list(zip(lab.socket_files, replies))
        assert truth.all_entries(lab, 'map', '#0') == everywhere(lab, HOSTS)

    def test_patterns_of_an_acl(self, lab, hap):
        """[one word per text]"""
        for text in WORDS:
            assert hap.add_acl(6, text) is True, text
            assert truth.all_entries(lab, 'acl', '#6') == everywhere(lab, CSS + [text]), text
            assert hap.show_acl(6)[1].split(' ', 1)[1] == text
            assert hap.del_acl(6, text) is True, text
            assert truth.all_entries(lab, 'acl', '#6') == everywhere(lab, CSS), text
        assert set(truth.figures(lab, 'haproxy', 'FRONTEND', 'status')) == {'OPEN'}

    def test_values_of_a_map(self, lab, hap):
        """[one word per text]"""
        for text in WORDS:
            assert hap.add_map(0, 'k', text) is True, text
            assert truth.all_entries(lab, 'map', '#0') == everywhere(
                lab, HOSTS + ['k ' + text]), text
            assert hap.show_map(0)[2].split(' ', 1)[1] == 'k ' + text
            assert 'value="{0}"'.format(text) in hap.get_map(0, 'k') or len(text) > 900
            assert hap.set_map(0, 'k', 'other') is True
            assert hap.set_map(0, 'k', text) is True
            assert truth.entries(lab, 'map', '#0') == HOSTS + ['k ' + text], text
            assert hap.del_map(0, 'k') is True
        assert set(truth.figures(lab, 'haproxy', 'FRONTEND', 'status')) == {'OPEN'}

    def test_keys_of_a_map(self, lab, hap):
        """[one word per text]"""
        for text in WORDS:
            assert hap.add_map(0, text, 'v') is True, text
            assert truth.all_entries(lab, 'map', '#0') == everywhere(
                lab, HOSTS + [text + ' v']), text
            assert hap.set_map(0, text, 'w') is True, text
            assert truth.all_entries(lab, 'map', '#0') == everywhere(
                lab, HOSTS + [text + ' w']), text
            if len(text) < 900:
                assert 'found=yes' in hap.get_map(0, text), text
            assert hap.del_map(0, text) is True, text
            assert truth.all_entries(lab, 'map', '#0') == everywhere(lab, HOSTS), text

    def test_escapes_of_0_2_4_are_stored_literally(self, lab, hap):
        """[one word per text]"""
        assert hap.add_map(0, 'k', 'two\\ words') is True
        assert truth.entries(lab, 'map', '#0') == HOSTS + ['k two\\ words']

    def test_text_comes_back_as_native_text(self, lab, hap):
        """[UTF-8]"""
        for text in (UNTRANSLATABLE, six.ensure_str(UNTRANSLATABLE),
                     UNTRANSLATABLE.encode('utf-8')):
            assert hap.add_map(0, text, text) is True
            native = six.ensure_str(UNTRANSLATABLE)
            entry = hap.show_map(0)[2].split(' ', 1)[1]
            assert type(entry) is str and entry == native + ' ' + native
            assert native in hap.get_map(0, text)
            assert hap.del_map(0, text) is True

    def test_bytes_that_are_no_utf8_survive(self, lab, hap):
        """[UTF-8]"""
        raw = b'caf\xe9 \xff\xfe'
        assert hap.add_map(0, 'k', raw) is True
        line = hap.show_map(0)[2]
        text = line.split(' ', 2)[2]
        # On Python 3 the invalid bytes are surrogates.
        assert texts.raw(text) == raw
        assert hap.set_map(0, 'k', 'x') is True
        assert hap.set_map(0, 'k', text) is True
        assert hap.show_map(0)[2] == line
        assert hap.add_acl(6, raw) is True
        assert hap.del_acl(6, hap.show_acl(6)[1].split(' ', 1)[1]) is True
        assert hap.show_acl(6) == hap.show_acl(6)[:1]

    def test_the_longest_text(self, lab, hap):
        # HAProxy accepts lines of up to 15359 bytes.
        text = 'x' * (15359 - len('add map #0 k '))
        assert hap.add_map(0, 'k', text) is True
        assert truth.all_entries(lab, 'map', '#0') == everywhere(lab, HOSTS + ['k ' + text])
        assert type(error_of(hap.add_map, 0, 'k', text + 'x')) is ValueError
        assert hap.del_map(0, 'k') is True


class TestReferences(object):
    """[references] A reference may stand for a different entry in each process."""

    def reference(self, lab, family, ident, entry):
        """Return the reference of an entry in the first process."""
        return truth.references(lab, family, ident)[entry]

    @pytest.mark.only('nbproc4', 'single')
    def test_configured_entries_are_the_same_in_all(self, lab, hap):
        """[references]"""
        reference = self.reference(lab, 'map', '#0', '0 www.foo.com-0')
        assert [truth.references(lab, 'map', '#0', path)['0 www.foo.com-0']
                for path in lab.socket_files] == everywhere(lab, reference)
        assert hap.set_map(0, reference, 'new value') is True
        assert truth.all_entries(lab, 'map', '#0') == everywhere(
            lab, ['0 new value', HOSTS[1]])
        assert hap.set_map(0, '#' + reference, 'www.foo.com-0') is True
        assert truth.all_entries(lab, 'map', '#0') == everywhere(lab, HOSTS)
        assert hap.del_map(0, reference) is True
        assert truth.all_entries(lab, 'map', '#0') == everywhere(lab, HOSTS[1:])
        reference = self.reference(lab, 'acl', '#4', '/static/js/')
        assert hap.del_acl(4, reference) is True
        assert truth.all_entries(lab, 'acl', '#4') == everywhere(lab, CSS)

    @pytest.mark.only('single')
    def test_one_process_one_entry(self, lab, hap):
        """[references]"""
        for value in ('a', 'b', 'c'):
            hap.add_map(0, 'twice', value)
        reference = self.reference(lab, 'map', '#0', 'twice b')
        assert hap.set_map(0, reference, 'B') is True
        assert truth.entries(lab, 'map', '#0')[-3:] == ['twice a', 'twice B', 'twice c']
        assert hap.del_map(0, reference) is True
        assert truth.entries(lab, 'map', '#0')[-2:] == ['twice a', 'twice c']
        assert hap.add_acl(6, '/x') and hap.add_acl(6, '/x')
        first = hap.show_acl(6)[1].split()[0]
        assert hap.del_acl(6, first) is True
        assert len(hap.show_acl(6)) == 2

    @pytest.mark.only('nbproc4', 'instances')
    def test_what_differs_is_refused_and_nothing_is_sent(self, lab, hap, sent):
        """[references]"""
        # The same place in memory, but another value in one process.
        lab.raw('set map #0 1 other', lab.socket_files[2])
        lab.raw('add map #0 only here', lab.socket_files[0])
        before = truth.all_entries(lab, 'map', '#0')
        references = [(self.reference(lab, 'map', '#0', entry), entry)
                      for entry in (HOSTS[1], 'only here')]
        for reference, entry in references:
            sent.clear()
            for call, args in [(hap.set_map, [0, reference, 'x']), (hap.del_map, [0, reference])]:
                error = error_of(call, *args)
                assert type(error) is exceptions.CommandFailed
                assert reference in str(error)
                assert all(path in str(error) for path in lab.socket_files)
                assert call(*args, die=False) is False
            # The error says what the reference stands for in each process.
            assert repr(entry) in str(error)
            assert set(command.split()[0] for command in sent.commands) == {'show'}
        assert truth.all_entries(lab, 'map', '#0') == before

    def test_no_such_entry(self, lab, hap):
        """[references]"""
        for call, args in [(hap.set_map, [0, '0x1', 'x']), (hap.del_map, [0, '0x1']),
                           (hap.del_acl, [6, '0xffffffff'])]:
            error = error_of(call, *args)
            assert type(error) is exceptions.CommandFailed
            assert args[1] in str(error)
            assert call(*args, die=False) is False

    @pytest.mark.only('single')
    def test_what_looks_like_a_reference_and_is_none_is_a_key(self, lab, hap):
        for key in ('0x', '0xzz', 'x0x12', '0X12'):
            assert hap.add_map(0, key, 'v') is True
            assert key + ' v' in truth.entries(lab, 'map', '#0')
            assert hap.del_map(0, key) is True
        assert type(error_of(hap.del_map, 0, '#0xzz')) is ValueError

    def test_references_are_those_of_the_first_process(self, lab, hap):
        """[first process]"""
        assert dict(reversed(line.split(' ', 1)) for line in hap.show_map(0)) == \
            truth.references(lab, 'map', '#0')


# Up to 3.2 HAProxy lets every level add entries; which levels may delete them differs.
@pytest.mark.one_layout
@pytest.mark.lab(level='operator')
class TestOperator(object):

    def test_reading_and_adding(self, lab, hap):
        assert [line.split(' ', 1)[1] for line in hap.show_map(0)] == HOSTS
        assert 'found=yes' in hap.get_map(0, '1')
        assert hap.add_map(0, 'k', 'v') is True
        assert truth.all_entries(lab, 'map', '#0') == everywhere(lab, HOSTS + ['k v'])


@contextlib.contextmanager
def with_map(version, path, entry, text):
    """Start a HAProxy with a map of one entry; yield it and a :class:`HAProxy` for it.

    :param text: a part of the configuration that uses the file ``path``.
    """
    with open(path, 'w') as entries:
        entries.write(entry + '\n')
    with conftest.start(version, config=truth.config() + text) as lab:
        yield lab, haproxy.HAProxy(socket_file=lab.socket_files[0], timeout=10)


@pytest.mark.parametrize('version', conftest.versions())
def test_names_of_files_are_one_word(version, tmpdir):
    """[one word per text]"""
    path = str(tmpdir.join('odd name; help <<'))
    text = """
frontend odd
    bind "127.0.0.1:${HAPROXYADMIN_PORT_ODD}"
    http-request set-header X-Value "%%[src,map('%s')]"
""" % path
    with with_map(version, path, 'key value', text) as (lab, hap):
        assert '({0})'.format(path) in hap.show_map()[1]
        assert [line.split(' ', 1)[1] for line in hap.show_map(path)] == ['key value']
        assert hap.add_map(path, 'other', 'one more') is True
        assert 'found=yes' in hap.get_map(path, 'other')
        assert hap.set_map(path, 'key', 'new') is True
        assert truth.entries(lab, 'map', '#0') == ['key new', 'other one more']
        assert hap.del_map(path, 'key') is True
        assert hap.clear_map(path) is True
        assert hap.show_map(path) == []


@pytest.mark.parametrize('version', conftest.versions())
def test_an_entry_that_a_request_has_put_there_may_hold_newlines(version, tmpdir):
    """Such an entry is listed over several lines, and only its reference can change it.

    Up to 3.0, HAProxy itself encodes the newlines.
    """
    key = 'a\n\nb' if version >= '3.2' else 'a%0A%0Ab'
    path = str(tmpdir.join('seen.map'))
    text = """
frontend seen
    bind "127.0.0.1:${HAPROXYADMIN_PORT_SEEN}"
    http-request set-map(%s) %%[url_param(k),url_dec] %%[url_param(v),url_dec]
    default_backend app
    acl none src,map(%s) -m found
    use_backend app if none
""" % (path, path)
    with with_map(version, path, 'first value', text) as (lab, hap):
        assert lab.traffic('seen', 1, path='/?k=a%0a%0Ab&v=1') == [200]
        assert lab.traffic('seen', 1, path='/?k=last&v=2') == [200]
        references, listed = zip(*[entry.split(' ', 1) for entry in hap.show_map(path)])
        assert listed == ('first value', key + ' 1', 'last 2')
        assert hap.set_map(path, references[1], '3') is True
        assert '\n{0} {1} 3\n'.format(references[1], key) in lab.raw('show map ' + path)
        assert hap.del_map(path, references[1]) is True
        assert truth.entries(lab, 'map', path) == ['first value', 'last 2']
