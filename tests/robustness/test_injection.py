# SPDX-License-Identifier: Apache-2.0
"""A caller's text is never more than one word, in the whole public interface on a real HAProxy.

The cases are in ``tests/robustness/injection.py``; ``tools/injection`` prints their outcomes.
"""
import pytest

from haproxyadmin import haproxy
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


def breaches(attempts):
    """Return the breaches of the attempts, as text."""
    found = []
    for attempt in attempts:
        try:
            attempt()
        except injection.Breach as breach:
            found.append(str(breach))
    return found


def test_every_parameter_of_every_public_method_has_its_cases():
    assert injection.parameters() == set(injection.SLOTS)


def test_a_new_method_or_parameter_would_lack_cases(monkeypatch):
    monkeypatch.setattr(haproxy.HAProxy, 'rename', lambda self, old: None, raising=False)
    monkeypatch.setattr(haproxy.HAProxy, 'color', property(None, lambda self, value: None),
                        raising=False)
    assert injection.parameters() - set(injection.SLOTS) == set(
        ['HAProxy.rename.old', 'HAProxy.color'])


def test_the_texts_have_names_of_their_own():
    names = [text.name for text in injection.texts() + injection.IDS]
    assert len(set(names)) == len(names)


class TestOnHAProxy(object):

    @pytest.mark.parametrize('name', sorted(injection.SLOTS))
    def test_a_text_is_one_word_or_nothing_is_sent(self, site, name):
        assert breaches(lambda text=text: injection.attempt(site, name, text)
                        for text in injection.texts()) == []

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

    @pytest.mark.parametrize('family, call', [
        ('acl', lambda hap, text: hap.add_acl(injection.ACL, text)),
        ('map', lambda hap, text: hap.add_map(injection.MAP, text, 'v')),
        ('map', lambda hap, text: hap.add_map_entries(injection.MAP, [(text, 'v')])),
        ('acl', lambda hap, text: hap.add_acl_entries(injection.ACL, [text])),
    ])
    def test_the_longest_text_is_stored_and_a_longer_one_refused(self, site, family, call):
        site.reset(family)
        stored = 0
        for size in range(injection.MAX_LINE - 40, injection.MAX_LINE + 1):
            try:
                call(site.hap, 'z' * size)
                stored = size
            except ValueError:
                break
        assert injection.MAX_LINE - 40 < stored < injection.MAX_LINE
        for state in site.states():
            assert b'z' * stored in [entry.split(b' ')[0] for entry in state[family]]

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

    def test_a_name_that_is_an_id_is_noticed(self, site, monkeypatch):
        for module in (words, commands):
            monkeypatch.setattr(module, 'escape_name', words.escape_word)
        with pytest.raises(injection.Breach):
            injection.attempt_by_hand(site, injection.Text('#2', b'#2'))
        for path in site.paths:
            labs.ask(path, 'enable frontend f;set maxconn frontend f 300')
        assert site.states() == site.usual
