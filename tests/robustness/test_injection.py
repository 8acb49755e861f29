# SPDX-License-Identifier: Apache-2.0
"""A caller's text is never more than one word, in the whole public interface on a real HAProxy.

Nor is it ever a command to a master, or for another worker than the library has chosen.

The cases are in ``tests/robustness/injection.py``; ``tools/injection`` prints their outcomes.
"""
import pytest

from haproxyadmin import exceptions, haproxy
from haproxyadmin.protocol import commands, words
from tests import conftest
from tests.robustness import injection
from tests.support import lab as labs

VERSIONS = conftest.versions()


@pytest.fixture(scope='module', params=VERSIONS)
def site(request):
    """Two HAProxy instances, which must survive all tests."""
    with injection.Site(conftest.find(request.param)) as started:
        yield started


@pytest.fixture(scope='module', params=VERSIONS)
def master_site(request):
    """Two HAProxy processes behind a master, or behind one each, which must survive all tests."""
    with injection.Site(conftest.find(request.param), by_master=True) as started:
        yield started


# Of the texts that are not meant for a master; tools/injection uses all of them.
CHOSEN = [
    'a blank', 'blanks in a row', 'a semicolon', 'a trailing semicolon', 'a trailing backslash',
    'two trailing backslashes', 'an escaped semicolon', 'an open double quote', '# and words',
    '<< alone', '<< and a name as last word', '@ alone', '@1', '@! and words', 'UTF-8', 'no UTF-8',
    'no text', 'a newline inside', 'NUL', '15,000 characters', '20,000 characters',
    '; and "disable frontend f"', 'payload and a command']


def texts_for(site):
    """Return the texts for a site behind a master."""
    return [text for text in site.texts()
            if text.name in CHOSEN or text.name not in [usual.name for usual in injection.texts()]]


def breaches(attempts):
    """Return the breaches of the attempts, as text."""
    found = []
    for attempt in attempts:
        try:
            attempt()
        except injection.Breach as breach:
            found.append(str(breach))
    return found


def breaches_of(site, name, texts):
    """Return the breaches of a slot; there is one look at HAProxy for all that was not sent."""
    unsent = []
    found = breaches(lambda text=text: injection.attempt(site, name, text, unsent=unsent)
                     for text in texts)
    return found + breaches([lambda: injection.check_unsent(site, name, unsent)])


BULK_AND_SINGLE = [
    ('acl', lambda hap, text: hap.add_acl(injection.ACL, text)),
    ('map', lambda hap, text: hap.add_map(injection.MAP, text, 'v')),
    ('map', lambda hap, text: hap.add_map_entries(injection.MAP, [(text, 'v')])),
    ('acl', lambda hap, text: hap.add_acl_entries(injection.ACL, [text])),
]


def check_longest(site, family, call):
    """Check that the longest text that fits into a line is stored, and that no longer one is."""
    site.reset(family)
    stored = 0
    for size in range(site.max_line - 40, site.max_line + 1):
        try:
            call(site.hap, 'z' * size)
            stored = size
        except ValueError:
            break
    assert site.max_line - 40 < stored < site.max_line
    for state in site.states():
        keys = [entry.split(b' ')[0] for entry in state[family]]
        assert b'z' * stored in keys and b'z' * (stored + 1) not in keys


def test_every_parameter_of_every_public_method_has_its_cases():
    assert injection.parameters() == set(injection.SLOTS)


def test_a_new_method_or_parameter_would_lack_cases(monkeypatch):
    monkeypatch.setattr(haproxy.HAProxy, 'rename', lambda self, old: None, raising=False)
    monkeypatch.setattr(haproxy.HAProxy, 'color', property(None, lambda self, value: None),
                        raising=False)
    assert injection.parameters() - set(injection.SLOTS) == set(
        ['HAProxy.rename.old', 'HAProxy.color'])


def test_the_texts_have_names_of_their_own():
    names = [text.name for text in injection.texts() + injection.routing() + injection.IDS]
    assert len(set(names)) == len(names)
    assert set(CHOSEN) < set(names)


@pytest.mark.dealt_out
class TestOnHAProxy(object):

    @pytest.mark.parametrize('name', sorted(injection.SLOTS))
    def test_a_text_is_one_word_or_nothing_is_sent(self, site, name):
        assert breaches_of(site, name, injection.texts()) == []

    @pytest.mark.parametrize('name', sorted(
        name for name, slot in injection.SLOTS.items() if slot.kind == 'entry'))
    def test_bytes_and_unicode_are_text_too(self, site, name):
        """[UTF-8] On both Python 2 and Python 3."""
        wanted = ['a blank', 'UTF-8', '; and a command', 'a trailing newline', 'no text']
        assert breaches(lambda text=text: injection.attempt(site, name, text, injection.other_type)
                        for text in injection.texts() if text.name in wanted) == []

    def test_an_object_made_by_hand_is_nobody_elses(self, site):
        assert breaches(lambda text=text: injection.attempt_by_hand(site, text)
                        for text in injection.texts() + injection.IDS) == []

    @pytest.mark.parametrize('family, call', BULK_AND_SINGLE)
    def test_the_longest_text_is_stored_and_a_longer_one_refused(self, site, family, call):
        check_longest(site, family, call)

    @pytest.mark.parametrize('command', [
        'show info', 'show info;show stat', 'show info ', 'show info\n', b'show cli level',
        'add map #0 <<\nkey a value\nkey2 b', 'get map #0 a\\ b', 'show map #0;\\;'])
    def test_command_sends_what_it_is_given(self, site, command):
        site.reset()
        assert len(site.hap.command(command)) == 2
        site.reset()

    @pytest.mark.parametrize('command', [
        '', ' ', '\n', ';' * 16000, 'show info\ndisable frontend f', 'a\0;disable frontend f',
        'show info\rdisable frontend f', 'show info <<', 'show info <<X', 'show info\\',
        'add map #0 <<\nk v\n\ndisable frontend f', 'add map #0 <<\nk v\n\r\ndisable frontend f',
        'show info ' + 'w ' * 64, 'x' * 16384, 'add map #0 <<\nk ' + 'v' * 16384, None, 5])
    def test_command_sends_nothing_that_harms(self, site, command):
        with pytest.raises(ValueError):
            site.hap.command(command)
        site.restore()
        assert site.states() == site.usual


@pytest.mark.dealt_out
class TestThroughAMaster(object):

    @pytest.mark.parametrize('name', sorted(injection.SLOTS))
    def test_a_text_is_one_word_or_nothing_is_sent(self, master_site, name):
        """[one word per text]"""
        assert breaches_of(master_site, name, texts_for(master_site)) == []

    def test_an_object_made_by_hand_is_nobody_elses(self, master_site):
        assert breaches(lambda text=text: injection.attempt_by_hand(master_site, text)
                        for text in injection.routing() if b'\n' not in text.raw) == []

    def test_entries_that_look_like_commands_are_entries(self, master_site):
        pairs = [('@master', 'reload'), ('@1', 'disable frontend f'), ('@2', 'clear acl #90'),
                 ('reload', 'now'), ('quit', 'quit'), ('prompt', 'i'), ('<<', '<<'), ('x', '<<'),
                 ('disable', 'frontend f'), ('set', 'maxconn global 1'), (';@1', 'clear map #0')]
        master_site.reset('map', without=b'disable')
        expected = master_site.with_entries(
            'map', [' '.join(pair).encode('ascii') for pair in pairs], b'disable')
        assert master_site.hap.add_map_entries(injection.MAP, pairs)
        found = master_site.states()
        master_site.reset()
        for state in expected:
            state['acl'] = master_site.usual[0]['acl']
        for state in found:
            state['acl'] = master_site.usual[0]['acl']
        assert found == expected

    @pytest.mark.parametrize('family, call', BULK_AND_SINGLE)
    def test_the_longest_text_is_stored_and_a_longer_one_refused(self, master_site, family, call):
        check_longest(master_site, family, call)

    @pytest.mark.parametrize('call', [
        lambda hap, text: hap.add_acl_entries(injection.ACL, ['one', text]),
        lambda hap, text: hap.del_acl_entries(injection.ACL, ['a', text]),
        lambda hap, text: hap.add_map_entries(injection.MAP, [('one', '1'), ('k2', text)]),
        lambda hap, text: hap.add_map_entries(injection.MAP, [('one two', '1'), ('k 2', text)]),
        lambda hap, text: hap.del_map_entries(injection.MAP, ['a', text])])
    def test_an_entry_that_is_too_long_is_noticed_before_any_is_sent(self, master_site, call):
        master_site.restore()
        with pytest.raises(ValueError, match='entry 1: .* through a master'):
            call(master_site.hap, 'z' * (master_site.max_line - 1))
        assert master_site.states() == master_site.usual

    def test_the_longest_command_is_answered_and_a_longer_one_refused(self, master_site):
        # After a payload comes an empty line.
        for command, length in (('show info;' + 'x' * 16000, master_site.max_line - 1),
                                ('add map #0 <<\nk ' + 'v' * 16000, master_site.max_line - 2)):
            assert len(master_site.hap.command(command[:length])) == 2
            del injection.SENT.lines[:]
            with pytest.raises(ValueError):
                master_site.hap.command(command[:length + 1])
            assert injection.SENT.lines == []
            master_site.reset()

    @pytest.mark.parametrize('command', [
        'show info', 'show info;show stat', ' show info ', b'show cli level', 'get map #0 a\\ b',
        'show map #0;\\;', 'show info;\\@1 x', 'add map #0 @1 @master',
        'add map #0 <<\n@master reload\n@1 disable frontend f\n;@1 clear map #0',
        'show info;add map #0 <<\n@master reload\nreload <<\nquit'])
    def test_command_sends_what_it_is_given(self, master_site, command):
        master_site.reset()
        assert len(master_site.hap.command(command)) == 2
        master_site.reset()
        assert master_site.states() == master_site.usual

    @pytest.mark.parametrize('command', [
        '@1 show info', ' @1 show info', '\t@!1 show info', '@', '@master', 'show info;@1 show info',
        'show info; \t @master reload', ';@master reload', ';;@1 x', 'x\\\\;@master reload',
        'x\\\\\\\\;@master reload', '"x;@master reload"', '@@1 x',
        '@1 add map #0 <<\nk v', 'x;@1 add map #0 <<\nk v',
        'add map a<<b <<\n@master reload', 'add map a<<b <<\ndisable frontend f',
        'add map \\<<b <<\n@master reload', 'add map #0\\ <<\n@master reload',
        'show info;add map #0\\ <<\ndisable frontend f', 'add map #0 <<\nk v\n\n@master reload',
        'show info\n@master reload', 'quit', 'show info;quit;show info', 'quit <<\nk v', 'prompt',
        'prompt <<\n@master reload', 'user <<\ndisable frontend f',
        'show info;operator <<\ndisable frontend f', 'expert-mode on <<\ndisable frontend f',
        'experimental-mode on <<\ndisable frontend f'])
    def test_command_sends_nothing_that_chooses_its_way(self, master_site, command):
        del injection.SENT.lines[:]
        with pytest.raises(ValueError):
            master_site.hap.command(command)
        assert injection.SENT.lines == []
        assert master_site.states() == master_site.usual

    def test_no_command_line_reaches_the_master(self, master_site):
        """The master divides lines into commands itself, and has its own idea of payloads."""
        answered = 0
        for line in injection.lines(1500):
            try:
                answers = master_site.hap.command(line)
            except exceptions.SocketApplicationError:
                continue
            except ValueError:
                continue
            answered += 1
            assert injection.TABLE_OF_MASTER not in str(answers), line
            if b'\n' in line:
                # The lines of its payload may be commands that the worker takes.
                assert master_site.limit() == 1000, line
        assert answered > 100
        master_site.reset()
        assert master_site.states() == master_site.usual


@pytest.mark.parametrize('version, taken', [
    ('1.5', False), ('1.8', False), ('2.0', True), ('3.4', True)])
def test_a_payload_is_none_before_there_are_payloads(fleet, version, taken):
    """Each line of it would be a separate command."""
    started = fleet(version)
    hap = started.haproxy()
    command = 'add map #0 <<\ndisable frontend f'
    started.answer(command + '\n', '\n')
    if taken:
        assert hap.command(command)
    else:
        with pytest.raises(ValueError):
            hap.command(command)
    assert len(started.commands[0]) == taken


class TestTheSuiteItself(object):
    """Breaches are noticed."""

    @pytest.fixture
    def torn(self, monkeypatch):
        """Make the library send texts without escaping them."""
        for module in (words, commands):
            monkeypatch.setattr(module, 'escape_word', lambda text, version: words.to_bytes(text))

    @pytest.mark.parametrize('slot', ['add_acl.pattern', 'add_map.value', 'del_map.key'])
    @pytest.mark.parametrize('raw', [b'a;set maxconn global 1', b'two words', b'a\nclear map #0'])
    def test_a_text_that_is_not_escaped_is_noticed(self, site, torn, slot, raw):
        with pytest.raises(injection.Breach):
            injection.attempt(site, 'HAProxy.' + slot, injection.Text('torn', raw))
        for path in site.paths:
            labs.ask(path, 'set maxconn global 1000')
        site.reset()

    def test_an_effect_of_what_the_log_does_not_tell_is_noticed(self, site, monkeypatch):
        def call(target, text):
            if text == '2':
                labs.ask(site.paths[1], 'set maxconn global 1')
            raise ValueError(text)
        monkeypatch.setitem(injection.SLOTS, 'HAProxy.backend.name', injection.Slot('word', call))
        texts = [injection.Text(name, name.encode('ascii')) for name in '123']
        found = breaches_of(site, 'HAProxy.backend.name', texts)
        labs.ask(site.paths[1], 'set maxconn global 1000')
        assert len(found) == 1 and 'one of 1, 2, 3' in found[0] and '1000' in found[0]
        assert breaches_of(site, 'HAProxy.backend.name', texts[:1]) == []

    def test_a_command_to_another_worker_is_noticed(self, master_site, monkeypatch):
        monkeypatch.setattr(commands, 'check_through_master', lambda command: None)
        monkeypatch.setattr(injection, 'chooses_its_way', lambda raw: False)
        texts = [text for text in master_site.texts() if text.name in (
            '; and @2, a command', '@!PID and a command')]
        with pytest.raises(injection.Breach):
            for text in texts:
                injection.attempt(master_site, 'HAProxy.command.cmd', text)
        for path in master_site.paths:
            labs.ask(path, 'enable frontend f;set maxconn frontend f 300')
        assert master_site.states() == master_site.usual

    def test_a_reload_is_noticed(self, monkeypatch):
        with injection.Site(conftest.find(VERSIONS[0]), by_master=True) as site:
            monkeypatch.setitem(injection.SLOTS, 'HAProxy.command.cmd', injection.Slot(
                'command', lambda hap, text: site.labs[0].reload()))
            with pytest.raises(injection.Breach):
                injection.attempt(site, 'HAProxy.command.cmd', injection.Text('reload', b'reload'))

    def test_a_name_that_is_an_id_is_noticed(self, site, monkeypatch):
        for module in (words, commands):
            monkeypatch.setattr(module, 'escape_name', words.escape_word)
        with pytest.raises(injection.Breach):
            injection.attempt_by_hand(site, injection.Text('#2', b'#2'))
        for path in site.paths:
            labs.ask(path, 'enable frontend f;set maxconn frontend f 300')
        assert site.states() == site.usual
