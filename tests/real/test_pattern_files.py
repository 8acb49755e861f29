# SPDX-License-Identifier: Apache-2.0
"""The files of ACLs and maps, as real HAProxies read them."""
import io
import os
import random
import re

import pytest

from haproxyadmin.haproxy import HAProxy
from haproxyadmin.parsers.pattern_files import LONGEST_LINE, format_file, parse_file
from tests import conftest

pytestmark = pytest.mark.dealt_out

KINDS = ['str', 'sub', 'reg']
# A listing leaves out entries that do not fit into tune.bufsize.
CONFIG = """
global
    stats socket "${HAPROXYADMIN_RUN}/stats.sock" level admin
    tune.bufsize 65536
defaults
    mode http
    timeout connect 1s
    timeout client 60s
    timeout server 60s

frontend f
    bind "127.0.0.1:${HAPROXYADMIN_PORT_F}"
"""
ACL = '    http-request deny if { path -m %(kind)s -f "%(directory)s/%(kind)s.acl" }\n'
MAP = '    http-request deny if { path,map_%(kind)s(%(directory)s/%(kind)s.map) -m found }\n'

PARTS = [b'#', b' ', b'\t', b'\r', b'\0', b'a', b'k v', b'\\', b';', b'"', b'\v', b'\f', b'\x85',
         b'\xff', b'\xc5\xbe', b'\xef\xbb\xbf']
LINES = [
    b'\xef\xbb\xbf#not a comment', b'# a comment', b'#', b' #key value', b'\t#key', b'key',
    b'key  ', b' \t key \t value  x \t ', b'key value\r', b'key\r', b'key \r', b'k\rv', b'k v\rw',
    b'', b' ', b'\t \t', b'\r', b' \r', b'\rkey value', b'key\0value', b'key \0value',
    b'key value\0x', b'\0key value', b' \0key value', b'd 1', b'd 2', b'd 1', b'\vkey\v value\v',
    b'\f', b'\xff \xfe', b'\xc5\xbe \xc5\xa5', b'k\\ v', b'"k" \'v w\'', b'$HOME ${HOME}', b'k;x v;y',
    # As many bytes as HAProxy reads at once, with and without the end of the line.
    b'k '.ljust(LONGEST_LINE, b'x'), b'l '.ljust(LONGEST_LINE, b'x') + b'\r',
    b'm '.ljust(LONGEST_LINE - 1, b'x') + b'\r', b'#'.ljust(LONGEST_LINE, b'x'),
    b'n'.ljust(LONGEST_LINE), b'last key']
# HAProxy refuses what is no regular expression.
EXPRESSIONS = [b'^/b(.)$ \t', b' #.* #', b'^/a x', b'#^/c', b'^/b(.)$ 1', b'[.] x\r']

PATTERNS = [b'b', b'a', b'#c', b'#', b'## x', b'x #y', b'trailing ', b'a  b\tc', b'back\\slash',
            b'ends\\', b'a;b', b'<<', b'"q"', b'\xc5\xbe', b'\xff', b'\xef\xbb\xbf', b'%[src]',
            b'\vx\f', b'b', b'@1', b'x' * 15000]
VALUES = [b'v', b'#v', b'w', b'v  w', b'v\\', b'a;b\tc', b'\xc5\xa5', b'\xfe', b'"', b'x' * 15000]


def random_line(chance):
    return b''.join(chance.choice(PARTS) for _ in range(chance.randint(0, 8)))


class Site(object):
    """A HAProxy, and the files that it has loaded."""

    def __init__(self, version, directory, contents):
        self.directory = str(directory)
        self.files = [name + '.' + family for name in KINDS for family in ('acl', 'map')]
        for name in self.files:
            self.write(name, contents(name))
        config = CONFIG + ''.join(line % {'kind': kind, 'directory': self.directory}
                                  for kind in KINDS for line in (ACL, MAP))
        self.lab = conftest.start(version, config=config)

    def path(self, name):
        return os.path.join(self.directory, name)

    def write(self, name, content):
        with open(self.path(name), 'wb') as target:
            target.write(content)

    def listed(self, name):
        """Return what HAProxy lists: for a map, key and value with a blank between them."""
        reply = self.lab.raw('show {0} {1}'.format(name[-3:], self.path(name)))
        return [line.split(' ', 1)[1] for line in reply.split('\n') if line]


def parse(name, content):
    entries = list(parse_file(name[-3:], io.BytesIO(content)))
    return [' '.join(pair) for pair in entries] if name.endswith('map') else entries


@pytest.mark.parametrize('version', conftest.versions())
def test_haproxy_reads_what_is_parsed(version, tmpdir):
    chance = random.Random(12)
    nasty = b'\n'.join([random_line(chance) for _ in range(3000)] + LINES)
    contents = {'reg.acl': b'\n'.join(EXPRESSIONS), 'reg.map': b'\n'.join(EXPRESSIONS)}
    site = Site(version, tmpdir, lambda name: contents.get(name, LINES[0] + b'\n' + nasty))
    with site.lab:
        for name in site.files:
            with open(site.path(name), 'rb') as source:
                parsed = parse(name, source.read())
            assert site.listed(name) == parsed
            assert len(parsed) > (2000 if name not in contents else 4)


@pytest.mark.parametrize('version', conftest.versions())
def test_haproxy_splits_lines_that_are_too_long(version, tmpdir):
    """The rest of a comment becomes an entry, whatever tune.bufsize is."""
    content = b'#'.ljust(LONGEST_LINE, b'x') + b'rest\nl\n'
    site = Site(version, tmpdir, lambda name: content)
    with site.lab:
        for name in site.files:
            assert [line.strip() for line in site.listed(name)] == ['rest', 'l']
            with pytest.raises(ValueError) as caught:
                parse(name, content)
            assert 'line 1 ' in str(caught.value)


def entries_to_add(name):
    """Return entries that a file can contain and a socket can store."""
    if name.startswith('reg'):
        return EXPRESSIONS[:1] if name.endswith('acl') else [(b'#^/c', b'v')]
    chance = random.Random(12)
    drawn = [re.sub(b'[\r\0]', b'', random_line(chance)) for _ in range(600)]
    if name.endswith('acl'):
        return PATTERNS + [line.lstrip(b' \t') or b'#' for line in drawn]
    keys = [re.sub(b'[ \t]', b'', text) or b'#' for text in PATTERNS + drawn]
    values = VALUES + [line.strip(b' \t') or b'#' for line in reversed(drawn)]
    return list(zip(keys, values))


@pytest.mark.parametrize('version', conftest.versions())
def test_haproxy_loads_what_it_had(version, tmpdir):
    site = Site(version, tmpdir, lambda name: b'')
    with site.lab:
        hap = HAProxy(socket_dir=site.lab.socket_dir, retry=None, timeout=conftest.PATIENT)
        before = {}
        for name in site.files:
            add = hap.add_acl_entries if name.endswith('acl') else hap.add_map_entries
            assert site.listed(name) == []
            assert add(site.path(name), entries_to_add(name)) is True
            before[name] = site.listed(name)
        assert '#c' in before['str.acl'] and '#c w' in before['str.map']
        for name in site.files:
            entries = before[name]
            if name.endswith('map'):
                entries = [line.split(' ', 1) for line in entries]
            site.write(name, b''.join(format_file(name[-3:], entries)))
        site.lab.restart()
        for name in site.files:
            assert site.listed(name) == before[name]
            assert len(before[name]) == len(entries_to_add(name))
