# SPDX-License-Identifier: Apache-2.0
"""The ACLs and maps of the fake."""
import re

import pytest

from haproxyadmin.testing.configuration import Configuration, ConfigurationError
from haproxyadmin.testing.families.family import Connection
from haproxyadmin.testing.process import FakeProcess
from haproxyadmin.testing.texts import text
from tests.support import captured
from tests.unit.testing.test_conformance import POINTER, normal

# The lines of the configuration that was captured, from that on that the first ACL names.
CAPTURED = """\
    http-request track-sc1 hdr(x-key) table st_str if { hdr(x-key) -m found }
    acl blocked src -f DIR/a_ip.acl
    acl blocked_path path_beg -i -f DIR/a_beg.acl
    acl re path_reg -i -f DIR/a_reg.acl
    acl st hdr(x-s) -f DIR/a_str.acl
    acl inl path_beg /admin /manage
    acl inl_int dst_port 80:90 443
    acl inl_m method GET POST
    http-request deny if blocked || blocked_path || re || st || inl_int
    http-request set-header X-A %[hdr(host),lower,map(DIR/m_str.map,def)]
    http-request set-header X-B %[path,map_beg(DIR/m_beg.map,def)]
    http-request set-header X-C %[path,map_reg(DIR/m_reg.map,def)]
    http-request set-header X-D %[src,map_ip(DIR/m_ip.map,def)]
    http-request set-header X-E %[dst_port,map_int(DIR/m_int.map,def)]
    http-request set-header X-F %[src,map_ip_int(DIR/m_ip2int.map,0)]
    http-request set-header X-G %[path,map_sub(DIR/m_sub.map,def)]
    http-request set-header X-H %[hdr(host),map_dom(DIR/m_dom.map,def)]
    http-request set-header X-I %[path,map_end(DIR/m_end.map,def)]
    use_backend be_slow if { path_beg /slow }
    use_backend be_cache if { path_beg /cache }
"""
# Their files, as the first replies list them; m_str.map has a key without a value.
LISTED = re.compile(r'show (?:acl|map) (DIR/\S+)\Z')
UNKNOWN_MAP = 'Unknown map identifier. Please use #<id> or <file>.\n\n'


def started(version, config, files=None, name='haproxy.cfg'):
    return FakeProcess('/run/haproxy.sock', version, Configuration(config, name, files))


def said(process, command, level='admin'):
    return text(process.reply_to(command, Connection(level)))


def replay(version):
    """Send what was sent to a version; return what is not replied as it was then."""
    cases = [case for case in captured.patterns() if case['version'] == version]
    files = {}
    for case in cases:
        match = LISTED.match(case['command'])
        if match and case['reply'].startswith('0x'):
            files.setdefault(match.group(1), re.sub(r'(?m)^0x\w+ ', '', case['reply']))
    first = next(int(re.search(r"acl 'hdr' file \S+ line (\d+)", case['reply']).group(1))
                 for case in cases if case['command'] == 'show acl')
    process = started(version, 'frontend http\n' + '\n' * (first - 2) + CAPTURED, files, 'DIR/h.cfg')
    pointers, differences = {}, []
    for case in cases:
        command = POINTER.sub(lambda match: pointers.get(match.group(), match.group()), case['command'])
        level = 'admin'
        if command.startswith('LOW '):
            _, level, command = command.split(' ', 2)
        reply = said(process, command, level)
        pointers.update(zip(POINTER.findall(case['reply']), POINTER.findall(reply)))
        wanted = case['reply']
        if wanted.endswith('(list of commands cut)'):
            wanted, reply = [words.split('\n')[0] for words in (wanted, reply)]
        if normal(wanted) != normal(reply):
            differences.append('{0!r}\n   real {1!r}\n   fake {2!r}'.format(case['command'], wanted, reply))
    assert len(cases) > 90
    return differences


@pytest.mark.parametrize('version', sorted(set(case['version'] for case in captured.patterns())))
def test_all_kinds_are_as_they_were_captured(version):
    assert not replay(version)


@pytest.mark.parametrize('name, command', [
    ('acl.txt', 'show acl'), ('map.txt', 'show map'), ('acl_4.txt', 'show acl #4'),
    ('acl_0_file.txt', 'show acl #0'), ('map_7.txt', 'show map #7')])
@pytest.mark.parametrize('version', captured.VERSIONS)
def test_the_lists_are_those_that_were_captured(version, name, command):
    process = started(version, captured.configuration(version), captured.FILES,
                      '/etc/haproxy/haproxy.cfg')
    assert normal(said(process, command)) == normal(text(captured.dump(version, name)))


# Other configurations

CONFIG = """\
frontend web
    bind :80
    acl blocked src -f blocked.acl -f "more blocked.acl" 192.0.2.1
    acl old path_beg -u 7 /old /older
    use_backend %[req.hdr(host),lower,map(hosts.map,web)]
    http-request deny if blocked or { path_reg -i ^/x$ } !old
    http-request set-var(txn.x) src,map_ip_int(rates.map,0)
    http-request set-path %[path,map_beg('paths.map')] if { path,map_str(paths.map) -m found }
    default_backend web
backend web
    server a 10.0.0.1:80
"""
FILES = {'blocked.acl': '10.0.0.0/8\n# comment\n\n 10.1.0.0/16\n', 'more blocked.acl': '2001:db8::/32\n',
         'hosts.map': 'www.example.com web\napi.example.com  api and more \nempty\n',
         'rates.map': '127.0.0.0/8 100\n10.0.0.0/8 50\n', 'paths.map': '/a 1\n/ab 2\n'}


def lists(process, family):
    reply = said(process, 'show ' + family)
    assert reply.startswith('# id (file) description\n') and reply.endswith('\n\n')
    return reply.split('\n')[1:-2]


def entry_of(process, command):
    """Return the reply to a listing without pointers, as a list."""
    return [line.split(' ', 1)[1] for line in said(process, command).split('\n') if line]


def test_ids_are_those_that_are_given_and_others_in_the_order_of_the_lines():
    process = started('2.4', CONFIG, FILES)
    assert [line.split(' ')[:2] for line in lists(process, 'acl')] == [
        ['0', '(blocked.acl)'], ['1', '(more'], ['2', '()'], ['3', '()'], ['6', '()'], ['7', '()']]
    assert [line.split(' ')[:2] for line in lists(process, 'map')] == [
        ['4', '(rates.map)'], ['5', '(paths.map)'], ['8', '(hosts.map)']]
    assert lists(process, 'map')[1] == (
        "5 (paths.map) pattern loaded from file 'paths.map' used by map at file 'haproxy.cfg' line 8, by "
        "map at file 'haproxy.cfg' line 8. curr_ver=0 next_ver=0")
    assert list(process.patterns.acls) == ['blocked.acl', 'more blocked.acl', '#2', '#3', '#6', '#7']
    assert list(process.patterns.maps) == ['rates.map', 'paths.map', 'hosts.map']


@pytest.mark.parametrize('version, number, more', [
    ('1.6', '-1', 0), ('1.8', '8', 0), ('2.6', '10', 2), ('2.8', '12', 4), ('3.4', '12', 4)])
def test_a_backend_that_is_looked_up_is_read_last(version, number, more):
    """From 2.6 on that is after the ACLs that HAProxy has for itself."""
    process = started(version, CONFIG, FILES)
    assert lists(process, 'map')[-1].startswith(number + ' (hosts.map) ')
    assert sum("file 'httpclient'" in line for line in lists(process, 'acl')) == more


def test_files_are_read_as_haproxy_reads_them():
    process = started('3.2', CONFIG, FILES)
    assert process.patterns.acls['blocked.acl'].entries == ['10.0.0.0/8', '10.1.0.0/16']
    assert process.patterns.maps['hosts.map'].entries == [
        ('www.example.com', 'web'), ('api.example.com', 'api and more'), ('empty', '')]
    assert entry_of(process, 'show map hosts.map') == [
        'www.example.com web', 'api.example.com api and more', 'empty ']


@pytest.mark.parametrize('line, files, words', [
    ('acl x src 10.0.0.0/33', {}, "line 2: '10.0.0.0/33' is not a valid IPv4 or IPv6 address"),
    ('acl x path_reg (a', {}, "line 2: regex '(a' is invalid"),
    ('acl x src -f no.acl', {}, 'no.acl'),
    ('acl x src -q y', {}, "line 2: '-q' is no option"),
    ('acl x path -m near y', {}, "line 2: 'near' is no method"),
    ('acl x', {}, 'line 2: an ACL needs a criterion'),
    ('http-request deny if { path,map(f) -m found } { path -f f }', {'f': 'a b'}, 'one column and of two'),
    ('http-request set-path %[path,map_str_int(f)]', {'f': 'a b'}, "unable to parse 'b'"),
])
def test_what_haproxy_would_not_start_with(line, files, words):
    with pytest.raises(ConfigurationError) as caught:
        started('3.2', 'frontend web\n    {0}\n'.format(line), files)
    assert words in str(caught.value)


@pytest.mark.parametrize('name, content', [('opt@x.acl', []), ('virt@x', []), ('file@y.acl', ['/y'])])
def test_names_of_files_with_a_prefix(name, content):
    process = started('3.2', 'frontend web\n    acl x path -f {0}\n'.format(name), {'y.acl': '/y\n'})
    shown = name if name.startswith('virt') else name.split('@')[1]
    assert process.patterns.acls[shown].entries == content
    with pytest.raises(ConfigurationError):
        started('2.8', 'frontend web\n    acl x path -f {0}\n'.format(name), {'y.acl': '/y\n'})


# What tests look at, and what they set

def test_the_content_can_be_looked_at_and_set():
    process = started('3.2', CONFIG, FILES)
    hosts = process.patterns.maps['hosts.map']
    hosts.entries = [('a', '1')]
    hosts.add('b', '2')
    assert entry_of(process, 'show map hosts.map') == ['a 1', 'b 2']
    said(process, 'prepare map hosts.map')
    said(process, 'add map @1 hosts.map c 3')
    assert (hosts.prepared, hosts.current, hosts.next) == ({1: [('c', '3')]}, 0, 1)
    hosts.refused = {'x': 'no'}
    assert said(process, 'add map hosts.map x y') == said(process, 'del map hosts.map x') == 'no.\n\n'
    process.take_over()
    assert process.patterns.maps['hosts.map'].entries[0] == ('www.example.com', 'web')


def test_pointers_differ_between_processes():
    config = Configuration(CONFIG, files=FILES)
    pointers = [POINTER.findall(said(FakeProcess('x', '3.2', config, pid=pid), 'show map hosts.map'))
                for pid in (4001, 4002)]
    assert len(set(pointers[0] + pointers[1])) == 6


@pytest.mark.parametrize('version, level, may', [
    ('1.8', 'user', True), ('3.2', 'user', True), ('3.4', 'admin', True), ('3.4', 'operator', False), ('3.4', 'user', False)])
@pytest.mark.parametrize('command', [
    'show acl', 'get acl #7 /old', 'add acl #7 /x', 'del acl #7 /old', 'clear acl #7', 'set map hosts.map empty x',
    'prepare acl #7', 'commit acl @1 #7'])
def test_which_level_may_do_it(version, level, may, command):
    process = started(version, CONFIG, FILES)
    assert (said(process, command, level) == 'Permission denied\n\n') == (not may)


@pytest.mark.parametrize('version, command', [
    ('1.7', 'get acl #7 /old'), ('2.6', 'set map rates.map 10.0.0.0/8 x')])
def test_what_ends_a_haproxy_is_a_problem(version, command):
    process = started(version, CONFIG, FILES)
    said(process, 'add map rates.map 10.0.0.0/8 7')
    assert said(process, command) == ''
    assert len(process.problems) == 1 and 'ends a HAProxy ' + version in process.problems[0]


@pytest.mark.parametrize('version, key, reason', [
    (version, key, reason.format(place + (version == '3.2' and is_newer)))
    for key, reason, place, is_newer in [
        ('(', 'missing closing parenthesis, erroffset={0}', 1, False),
        ('(a', 'missing closing parenthesis, erroffset={0}', 2, False),
        (')', 'unmatched closing parenthesis, erroffset={0}', 0, True),
        ('a)b', 'unmatched closing parenthesis, erroffset={0}', 1, True),
        ('*a', 'quantifier does not follow a repeatable item, erroffset={0}', 0, True),
        ('a**', 'quantifier does not follow a repeatable item, erroffset={0}', 2, True),
        ('[a', 'missing terminating ] for character class, erroffset={0}', 2, False)]
    for version in ('2.2', '2.6', '3.0', '3.2')])
def test_why_an_expression_is_none(version, key, reason):
    """As real ones of these versions say it."""
    process = started(version, 'frontend f\n acl e path_reg ^/a\n http-request deny if e\n')
    assert said(process, 'add acl #0 ' + key) == (
        "regex '{0}' is invalid (error={1}).\n\n".format(key, reason))


def test_what_changes_need():
    process = started('3.2', CONFIG, FILES)
    assert said(process, 'commit acl #7') == 'Missing version number.\n\n'
    assert said(process, 'commit map @1') == 'Missing map identifier.\n\n'
    assert said(process, 'prepare map') == UNKNOWN_MAP
    assert said(process, 'commit map @1 nope') == UNKNOWN_MAP
    assert said(process, 'set map hosts.map #0xzz x') == (
        'Malformed identifier. Please use #<id> or <file>.\n\n')
    assert said(process, 'commit map @1 hosts.map') == 'Version number out of range.\n\n'


@pytest.mark.parametrize('version, left', [('3.2', ['x']), ('3.4', ['x', 'b', 'b'])])
def test_how_many_entries_a_key_deletes(version, left):
    process = started(version, CONFIG, FILES)
    process.patterns.acls['#7'].entries = ['x', 'b', 'b', 'b']
    assert said(process, 'del acl #7 b') == '\n'
    assert process.patterns.acls['#7'].entries == left


@pytest.mark.parametrize('version, cleared', [('3.2', True), ('3.4', False)])
def test_a_version_that_is_cleared(version, cleared):
    """3.4.0 leaves it, and a later commit brings it back."""
    process = started(version, CONFIG, FILES)
    for command in ('prepare acl #7', 'add acl @1 #7 /new', 'clear acl @1 #7', 'commit acl @1 #7'):
        said(process, command)
    assert process.patterns.acls['#7'].entries == ([] if cleared else ['/new'])


def test_an_entry_of_another_version_leads_2_4_to_a_wrong_one():
    """Not to be relied upon, but what it does."""
    process = started('2.4', CONFIG, FILES)
    said(process, 'prepare acl blocked.acl')
    said(process, 'add acl @1 blocked.acl 9.1.1.1')
    assert said(process, 'get acl blocked.acl 9.1.1.1') == (
        'type=ip, case=sensitive, match=yes, idx=tree, pattern="10.0.0.0/8"\n\n')
