# SPDX-License-Identifier: Apache-2.0
"""parsers/resolvers.py: name servers and their counters."""
import pytest

from haproxyadmin.exceptions import CommandFailed
from haproxyadmin.parsers.lines import split_lines
from haproxyadmin.parsers.resolvers import parse_resolvers
from haproxyadmin.protocol import replies
from haproxyadmin.testing.texts import raw
from tests.support import captured

VERSIONS = [version for version in captured.VERSIONS
            if captured.has_dump(version, 'resolvers.txt')]
SECTION = 'Resolvers section a\n nameserver x:\n  sent:        6\n  snd_error:   0\n'


def parse(reply):
    return parse_resolvers(split_lines(raw(reply)))


@pytest.mark.parametrize('version', VERSIONS)
def test_what_each_version_reports(version):
    sections = parse_resolvers(split_lines(captured.dump(version, 'resolvers.txt')))
    names = [(name, [server for server, _ in servers]) for name, servers in sections]
    assert names[:2] == [('dns1', ['ns1', 'dead']), ('dns2', ['only'])]
    assert [name for name, _ in names[2:]] == (['default'] if version >= '2.6' else [])
    counters = dict(sections[0][1])['ns1']
    assert len(counters) == 15 and counters['sent'] == counters['valid'] >= 6
    assert all(type(number) is int for number in counters.values())


def test_versions_are_captured():
    assert len(VERSIONS) == 9


@pytest.mark.parametrize('reply, sections', [
    ('No resolvers found\n\n', []),
    (SECTION + '\n', [('a', [('x', {'sent': 6, 'snd_error': 0})])]),
    # Up to 2.4 an empty line follows each section.
    (SECTION + '\nResolvers section b\n\n\n', [('a', [('x', {'sent': 6, 'snd_error': 0})]),
                                               ('b', [])]),
    ('Resolvers section a\n nameserver ::1:\n  new_one:     7\n\n',
     [('a', [('::1', {'new_one': 7})])])])
def test_sections(reply, sections):
    assert parse(reply) == sections


@pytest.mark.parametrize('reply', [
    SECTION + ' nameserver y:\n\n', SECTION + ' nameserver y:\n  sent:        6\n\n',
    'Resolvers section a\n nameserver x:\n\n', SECTION + '  valid:    \n\n',
    SECTION + '  valid:       x\n\n', SECTION + '  valid:       -1\n\n', SECTION + ' names\n\n',
    SECTION + ' nameserver y\n\n', SECTION + 'Resolvers sec\n\n',
    'Resolvers section a\n  sent:        6\n\n', '# pxname\n', '0x55: x\n', ' nameserver x:\n'])
def test_what_is_cut_short_is_no_reply(reply):
    with pytest.raises(replies.Malformed):
        parse(reply)


@pytest.mark.parametrize('reply', ['Unknown command.\n\n', 'Permission denied\n\n', '\n'])
def test_a_refusal_is_one(reply):
    """[errors are not data]"""
    if reply == '\n':
        assert parse(reply) == []
        return
    with pytest.raises(CommandFailed, match=reply.strip()):
        parse(reply)
