# SPDX-License-Identifier: Apache-2.0
"""parsers/crt_lists.py: what all versions list."""
import pytest

from haproxyadmin.exceptions import CommandFailed
from haproxyadmin.parsers.crt_lists import CrtListEntry, parse_crt_lists, parse_entries
from haproxyadmin.parsers.lines import split_lines
from haproxyadmin.protocol import replies
from tests.support import captured

CASES = captured.crt_lists()
VERSIONS = ['2.2', '2.4', '2.6', '2.8', '3.0', '3.2', '3.4']
EXTRA = 'DIR/extra/'


def listings(version, command):
    return [split_lines(case['reply'].encode('utf-8')) for case in CASES
            if (case['version'], case['command']) == (version, command)]


@pytest.mark.parametrize('version', VERSIONS)
def test_lists(version):
    for lines in listings(version, 'show ssl crt-list'):
        assert parse_crt_lists(lines) == ['DIR/certs', 'DIR/list.txt']
    assert parse_crt_lists([]) == []


@pytest.mark.parametrize('version', VERSIONS)
def test_entries(version):
    """[crt-lists] The listing contains NUL bytes."""
    found = listings(version, 'show ssl crt-list -n DIR/list.txt')
    assert any('\0' in line for line in found[0])
    usual = [CrtListEntry(EXTRA + 'site3.pem', ['*.wild.test', '!no.wild.test'], None, 2),
             CrtListEntry(EXTRA + 'site4.pem', ['site4.test'], 'alpn h2', 3)]
    assert parse_entries(found[0]) == parse_entries(found[-1]) == usual
    longest = max((parse_entries(lines) for lines in found), key=len)
    assert longest == usual + [
        CrtListEntry(EXTRA + 'brand-new.pem', sni, options, line) for sni, options, line in [
            ([], None, 4), ([], None, 5), (['*.five.test', '!no.five.test'], 'alpn h2', 6),
            (['six.test'], 'verify required', 7)]]


@pytest.mark.parametrize('line, entry', [
    ('/d/one.pem:0', ('/d/one.pem', [], None, 0)),
    ('/d/of two [x].pem:0', ('/d/of two [x].pem', [], None, 0)),
    ('/a:5', ('/a', [], None, 5)),
    ('@store/www:3 x', ('@store/www', ['x'], None, 3)),
    ('/a:10 [] x.test', ('/a', ['x.test'], None, 10)),
    ('/a:12 [alpn h2\0]', ('/a', [], 'alpn h2', 12)),
    ('/a:16 [no-alpn\0] z.test', ('/a', ['z.test'], 'no-alpn', 16)),
    ('/a:4 [alpn h2,http/1.1\0 verify none] *.two.test !no.two.test',
     ('/a', ['*.two.test', '!no.two.test'], 'alpn h2,http/1.1 verify none', 4)),
    ('/a:16 ! !* * a"b\'c\\d #x', ('/a', ['!', '!*', '*', 'a"b\'c\\d', '#x'], None, 16))])
def test_one_entry(line, entry):
    assert parse_entries(['# /list', line]) == [CrtListEntry(*entry)]


def test_an_empty_list():
    assert parse_entries(['# /list']) == []


@pytest.mark.parametrize('line', ['/a', '', '/a:', '/a:x', '/a:5 [alpn h2', '/a:5 [x]y', '/a:5  x',
                                  ':5', '/a:5 x  '])
def test_a_line_cut_short(line):
    """[errors are not data]"""
    with pytest.raises(replies.Malformed):
        parse_entries(['# /list', '/b:1', line])


@pytest.mark.parametrize('parse', [parse_crt_lists, parse_entries])
def test_refusals(parse):
    with pytest.raises(CommandFailed, match='Permission denied'):
        parse(['Permission denied'])
    for lines in (['/a\r'], ['', 'x']):
        with pytest.raises((replies.Malformed, CommandFailed)):
            parse(lines)


@pytest.mark.parametrize('version', VERSIONS)
def test_successes_of_changes(version):
    for case in CASES:
        lines = split_lines(case['reply'].encode('utf-8'))
        action = case['command'].split()[0]
        if case['version'] == version and action != 'show':
            done = {'add': replies.is_crt_list_extended, 'del': replies.is_crt_list_reduced}[action]
            assert done(lines) == (lines[0].startswith(('Inserting ', 'Entry ')))


def test_a_failure_after_the_beginning():
    """A list that many bind lines use prints a dot for each; the last line says how it ended."""
    start = "Inserting certificate '/a' in crt-list '/l'..."
    assert replies.is_crt_list_extended([start, 'a warning', 'Success!'])
    assert not replies.is_crt_list_extended([start, 'unable to set SSL cipher list', 'Failed!'])
    assert not replies.is_crt_list_extended([start])
    assert not replies.is_crt_list_extended([])
    assert not replies.is_crt_list_reduced(["Can't delete!", "Entry 'a' deleted in crtlist 'b'!"])
