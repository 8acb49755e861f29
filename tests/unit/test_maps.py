# -*- coding: utf-8 -*-
# SPDX-License-Identifier: Apache-2.0
"""maps.py: the methods for ACLs and maps."""
import pytest

from haproxyadmin import exceptions
from tests.support import captured, fakes

FILES = sorted(name for name in captured.FILES if name.endswith('paths.acl'))


def text_of(word):
    """Return text or bytes as the fake has it."""
    return fakes.text(word if isinstance(word, bytes) else word.encode('utf-8'))


class TestPatterns(object):

    def test_what_is_read_is_that_of_the_first_process(self, fleet):
        """[first process; one command per call] References differ between processes."""
        started = fleet('2.2', 3)
        hap = started.haproxy()
        first = started.patterns('#4')[0], started.patterns('#7')[0]
        acl, entries = [['{0} {1}'.format(entry.reference, entry.shown()) for entry in found.stored]
                        for found in first]
        assert [line.split(' ', 1)[1] for line in acl] == ['/admin', '/manage']
        assert [line.split(' ', 1)[1] for line in entries] == [
            'www.example.com alice', 'app.example.com bob']
        assert hap.show_acl(4) == acl
        assert hap.show_acl() == fakes.text(
            captured.dump('2.2', 'acl.txt')).strip('\n').split('\n')
        assert hap.show_map(map=7) == hap.show_map(mapid='7') == hap.show_map('#7') == entries
        assert hap.get_acl(4, '/admin/x') == (
            'type=beg, case=sensitive, match=yes, idx=tree, pattern="/admin"')
        assert hap.get_map(7, 'nope') == 'type=str, case=sensitive, found=no'
        assert hap.get_map(mapid=7, value='www.example.com').startswith('type=str, case=sensitive,')
        assert started.commands[0] == [
            'show acl #4', 'show acl', 'show map #7', 'show map #7', 'show map #7',
            'get acl #4 /admin/x', 'get map #7 nope', 'get map #7 www.example.com']
        assert started.commands[1:] == [[], []]

    @pytest.mark.parametrize('call', [
        lambda hap: hap.show_acl(0), lambda hap: hap.show_acl(acl=0),
        lambda hap: hap.show_acl(aclid=0), lambda hap: hap.show_acl('#0')])
    def test_an_acl_is_named_by_either_keyword(self, call, fleet):
        """[documented names] The User Guide and the Developer Interface use different names."""
        started = fleet('2.2', 1)
        call(started.haproxy())
        assert started.commands == [['show acl #0']]

    def test_a_list_has_no_empty_text_at_its_end(self, fleet):
        """[first process]"""
        started = fleet('2.2', 1)
        hap = started.haproxy()
        fakes.list_entries(started.patterns('#4')[0], '0x12ea940 /static/css/')
        fakes.list_entries(started.patterns('#7')[0])
        assert hap.show_acl(4) == ['0x12ea940 /static/css/']
        assert hap.show_map(7) == []

    @pytest.mark.parametrize('version', captured.VERSIONS)
    def test_an_error_is_never_returned_as_data(self, version, fleet):
        """[errors are not data] The exception contains the whole message."""
        started = fleet(version, 1)
        hap = started.haproxy()
        unknown = 'Unknown {0} identifier. Please use #<id> or <file>.'.format
        calls = [(lambda: hap.show_acl(9999), 'ACL'), (lambda: hap.show_map(9999), 'map'),
                 (lambda: hap.get_map('/no/such.map', 'k'), 'map')]
        if version != '1.7':
            calls.append((lambda: hap.get_acl('/no/such.acl', 'x'), 'ACL'))
        for call, family in calls:
            with pytest.raises(exceptions.CommandFailed) as caught:
                call()
            assert str(caught.value) == unknown(family)

    def test_an_error_of_several_lines_comes_whole(self, fleet):
        """[errors are not data]"""
        started = fleet('2.2', 1)
        hap = started.haproxy()
        started.answer('get map #7 k', 'Unknown command. Try:\n  help\n  quit\n\n')
        with pytest.raises(exceptions.CommandFailed) as caught:
            hap.get_map(7, 'k')
        assert str(caught.value) == 'Unknown command. Try:\n  help\n  quit'

    @pytest.mark.parametrize('call, command, name, entry', [
        (lambda hap: hap.add_acl(4, 'two words;x'), 'add acl #4 two\\ words\\;x', '#4', 'two words;x'),
        (lambda hap: hap.add_acl(FILES[0], '/7'), 'add acl {0} /7'.format(FILES[0]), FILES[0], '/7'),
        (lambda hap: hap.add_acl('/etc/my list', 7), 'add acl /etc/my\\ list 7', '/etc/my list', '7'),
        (lambda hap: hap.add_map(7, 9, 10), 'add map #7 9 10', '#7', ('9', '10')),
        (lambda hap: hap.add_map('#7', 'k', 'a\\b'), 'add map #7 k a\\\\b', '#7', ('k', 'a\\b')),
        (lambda hap: hap.add_map(7, '0x1', 'v'), 'add map #7 0x1 v', '#7', ('0x1', 'v')),
        (lambda hap: hap.add_acl(4, u'/\u017e'), u'add acl #4 /\u017e', '#4', u'/\u017e'),
        (lambda hap: hap.add_acl(4, b'/\xff'), b'add acl #4 /\xff', '#4', b'/\xff'),
    ])
    def test_text_is_stored_whole(self, call, command, name, entry, fleet):
        """[argument checks; one word per text; UTF-8]"""
        started = fleet('2.2', 1)
        hap = started.haproxy()
        if name == '/etc/my list':
            started.patterns('#4')[0].file = name
        assert call(hap) is True
        assert started.commands == [[text_of(command)]]
        stored, = started.patterns(name)
        assert stored.entries[-1] == (entry if isinstance(entry, tuple) else text_of(entry))

    def test_a_number_is_deleted_as_text(self, fleet):
        """[argument checks]"""
        started = fleet('2.2', 1)
        stored, = started.patterns('#4')
        stored.add('7')
        assert started.haproxy().del_acl(4, 7) is True
        assert started.commands == [['del acl #4 7']]
        assert stored.entries == ['/admin', '/manage']

    @pytest.mark.parametrize('value', [u'/\u017elu\u0165'.encode('utf-8'), b'/\xff\xfe'])
    def test_any_bytes_survive_a_round_trip(self, value, fleet):
        """[UTF-8]"""
        started = fleet('2.2', 1)
        hap = started.haproxy()
        stored, = started.patterns('#4')
        stored.entries = [fakes.text(value)]
        entry, = hap.show_acl(4)
        assert type(entry) is str
        assert hap.add_acl(4, entry.split(' ')[1]) is True
        assert stored.entries == [fakes.text(value)] * 2

    # 3.4 removes one entry of a key at a time

    @pytest.mark.parametrize('version, entries, commands', [
        ('2.2', 3, 1), ('3.2', 3, 1), ('3.4', 1, 2), ('3.4', 3, 4)])
    @pytest.mark.parametrize('family, name', [('acl', '#4'), ('map', '#7')])
    def test_all_entries_of_a_key_are_deleted(self, family, name, version, entries, commands, fleet):
        """[references]"""
        started = fleet(version, 2)
        hap = started.haproxy()
        kept = ['x'] if family == 'acl' else [('x', 'y')]
        for stored in started.patterns(name):
            stored.entries = kept + ['k' if family == 'acl' else ('k', 'v')] * entries
        assert getattr(hap, 'del_' + family)(name, 'k') is True
        assert started.commands == [['del {0} {1} k'.format(family, name)] * commands] * 2
        assert [stored.entries for stored in started.patterns(name)] == [kept] * 2

    @pytest.mark.parametrize('version', ['2.2', '3.4'])
    def test_deleting_what_is_not_there_failed(self, version, fleet):
        """[references; verdicts]"""
        started = fleet(version, 2)
        hap = started.haproxy()
        with pytest.raises(exceptions.CommandFailed) as caught:
            hap.del_map(7, 'k')
        assert str(caught.value) == 'Key not found.'
        started.patterns('#7')[0].add('k', 'v')
        with pytest.raises(exceptions.MultipleCommandResults) as caught:
            hap.del_map(7, 'k')
        assert [reply for _, reply in caught.value.results] == ['', 'Key not found.']

    # References

    @pytest.mark.parametrize('key', ['0x1a78ab0', '#0x1a78ab0', b'0x1a78ab0', u'0x1A78AB0'])
    @pytest.mark.parametrize('call, name, command', [
        (lambda hap, key: hap.del_acl(4, key), '#4', 'del acl #4 #'),
        (lambda hap, key: hap.del_map(7, key), '#7', 'del map #7 #'),
        (lambda hap, key: hap.set_map(7, key, 'v w'), '#7', 'set map #7 #'),
    ])
    def test_an_entry_by_reference_is_looked_up_first(self, call, name, command, key, fleet):
        """[references] It is changed by that reference if all processes have the same entry."""
        started = fleet('2.2', 2)
        hap = started.haproxy()
        family = command.split(' ')[1]
        for stored in started.patterns(name):
            fakes.list_entries(stored, '0x1 a b', '0x1a78ab0 9 foo', '0x2 x y')
        show = 'show {0} {1}'.format(family, name)
        reference = text_of(key).lstrip('#')
        change = command + reference + (' v\\ w' if 'set' in command else '')
        assert call(hap, key) is True
        assert started.commands == [[show, change]] * 2
        left = ['a b', 'x y'] if family == 'acl' else [('a', 'b'), ('x', 'y')]
        if 'set' in command:
            left.insert(1, ('9', 'v w'))
        assert [stored.entries for stored in started.patterns(name)] == [left] * 2

    @pytest.mark.parametrize('entries', [
        ['0x1a 9 foo', '0x1a 9 bar'],
        ['0x1a 9 foo', '0x1a 8 foo'],
        ['0x1a 9 foo', '0x1b 9 foo'],
        ['0x1a 9 foo', None],
        [None, None],
    ])
    def test_a_reference_that_is_not_the_same_everywhere_changes_nothing(self, entries, fleet):
        """[references]"""
        started = fleet('2.2', 2)
        hap = started.haproxy()
        for stored, listing in zip(started.patterns('#7'), entries):
            fakes.list_entries(stored, *[listing] if listing else [])
        kept = [stored.entries for stored in started.patterns('#7')]
        for call in (lambda: hap.del_map(7, '0x1a'), lambda: hap.set_map(7, '0x1a', 'v')):
            with pytest.raises(exceptions.CommandFailed) as caught:
                call()
            message = str(caught.value)
            assert '0x1a' in message and all(path in message for path in started.paths)
            for listing in entries:
                if listing and listing.startswith('0x1a'):
                    assert repr(listing[5:]) in message
        assert started.commands == [['show map #7'] * 2] * 2
        assert [stored.entries for stored in started.patterns('#7')] == kept

    @pytest.mark.parametrize('call, name, command', [
        (lambda hap: hap.del_acl(4, '0xcafe'), '#4', 'del acl #4 0xcafe'),
        (lambda hap: hap.del_map(7, b'0xcafe'), '#7', 'del map #7 0xcafe'),
        (lambda hap: hap.set_map(7, u'0xcafe', 'v'), '#7', 'set map #7 0xcafe v'),
        (lambda hap: hap.del_map_entries(7, ['0xcafe']), '#7', 'del map #7 0xcafe'),
    ])
    def test_a_key_may_look_like_a_reference(self, call, name, command, fleet):
        """[references] It is a reference only if an entry has it."""
        started = fleet('2.2', 2)
        hap = started.haproxy()
        family = command.split(' ')[1]
        rest = '' if family == 'acl' else ' x'
        for stored, other in zip(started.patterns(name), ['0x2 0xcaf 0xcafe', '0x3 0xcafe9 y']):
            fakes.list_entries(stored, '0x1 0xcafe' + rest, other)
        assert call(hap) is True
        assert started.commands == [['show {0} {1}'.format(family, name), command]] * 2
        for stored in started.patterns(name):
            assert [entry.value for entry in stored.stored if entry.key == '0xcafe'] == (
                ['v'] if 'set' in command else [])

    @pytest.mark.parametrize('call', [
        lambda hap: hap.del_map(7, '0xcafe'), lambda hap: hap.del_map(7, '#0xcafe'),
        lambda hap: hap.del_acl(4, '0xcafe')])
    def test_what_is_neither_a_reference_nor_a_key_is_told_so(self, call, fleet):
        """[references]"""
        started = fleet('2.2', 2)
        hap = started.haproxy()
        for entries, patterns in zip(started.patterns('#7'), started.patterns('#4')):
            fakes.list_entries(entries, '0x1 0xcaf 0xcafe', '0x2 #0xcafe x')
            fakes.list_entries(patterns, '0x1 0xcafe foo')
        with pytest.raises(exceptions.CommandFailed) as caught:
            call(hap)
        assert '0xcafe is neither the reference nor the key' in str(caught.value)
        assert all(path in str(caught.value) for path in started.paths)

    def test_an_entry_may_hold_newlines(self, fleet):
        """A request may put them there; HAProxy prints such an entry on several lines."""
        started = fleet('2.2', 2)
        hap = started.haproxy()
        for stored in started.patterns('#7'):
            fakes.list_entries(stored, '0x1a 0 foo', '0x1b a\n\nb\n0xc\n1 x', '0x1c 2 bar')
            stored.stored[1].value = None
        assert hap.show_map(7) == ['0x1a 0 foo', '0x1b a\n\nb\n0xc\n1', '0x1c 2 bar']
        assert hap.del_map(7, '0x1b') is True
        assert [stored.entries for stored in started.patterns('#7')] == [[('0', 'foo'), ('2', 'bar')]] * 2

    @pytest.mark.parametrize('call, command', [
        (lambda hap: hap.errors(), 'show errors'),
        (lambda hap: hap.get_map(7, 'k'), 'get map #7 k')])
    def test_a_refused_read_tells_which_process_refused(self, call, command, fleet):
        """[messages]"""
        started = fleet('2.2', 2)
        hap = started.haproxy()
        process = started[1 if command == 'show errors' else 0]
        process.answers[command] = 'No such thing.\n\n'
        with pytest.raises(exceptions.CommandFailed) as caught:
            call(hap)
        assert caught.value.by_socket == [(process.path, 'No such thing.')]
        assert caught.value.results == [(process.number, 'No such thing.')]

    def test_an_unknown_map_of_a_reference_is_told(self, fleet):
        """[references; errors are not data]"""
        started = fleet('2.2', 2)
        hap = started.haproxy()
        with pytest.raises(exceptions.CommandFailed) as caught:
            hap.del_map(9999, '0x1a')
        assert 'Unknown map identifier' in str(caught.value)
        assert started.commands == [['show map #9999']] * 2

    def test_a_wrong_value_is_refused_before_the_reference_is_looked_up(self, fleet):
        """[argument checks; references]"""
        started = fleet('2.2', 2)
        hap = started.haproxy()
        with pytest.raises(ValueError):
            hap.set_map(7, '0x1a', 'a\nb')
        assert started.connections == [0, 0]
