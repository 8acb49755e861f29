# SPDX-License-Identifier: Apache-2.0
"""The ACLs and maps of the fake beside those of real HAProxies."""
import os
import random
import re

import pytest

from haproxyadmin.testing.configuration import Configuration
from haproxyadmin.testing.process import FakeProcess
from haproxyadmin.testing.texts import text
from tests import conftest

pytestmark = pytest.mark.dealt_out

CONFIG = """\
global
    stats socket "${HAPROXYADMIN_RUN}/stats.sock" level admin
defaults
    mode http
    timeout connect 1s
    timeout client 60s
    timeout server 60s

frontend f
    bind "127.0.0.1:${HAPROXYADMIN_PORT_F}"
    acl one src -f ip.acl -- 192.0.2.1 10.0.0.0/255.0.255.0
    acl two path_beg -i -f shared.acl
    acl two path_end -f shared.acl
    acl three path_sub -u 40 xx
    acl four req.hdr(host),lower -m dom example.com .Example.
    acl five dst_port gt 1000 lt 5 le 7 80:90
    acl six path,map_beg(beg.map) -m found
    acl seven path -M -f column.map
    acl eight method GET
    acl nine path_len lt 4
    acl ten ssl_fc
    acl eleven hdr_cnt(x) 3
    acl twelve path_reg -i ^/a$ (b|c)
    acl thirteen path_dir static
    http-request set-header A %[path,map_str_int(int.map,0)] if { path -m end z } || { src 10.0.0.1 }
    http-request set-header B %[path,map(str.map)] unless ! two { path a b }
    http-request set-header C %[path,map_str_ip(ip-value.map)]
    http-request set-header D %[path,map_int(int.map)]
    http-request set-header E %[src,map_ip(ip.map,none)]
    http-request set-header F %[path,lower,map_reg("reg.map")]
    use_backend %[path,map_reg(beg.map)] if { path_dom q }
    use_backend %[path,map(late.map)]
    default_backend b

backend b
    acl x path /x
    http-response set-header G %[res.hdr(x),map_dir(dir.map)] if x
    http-response set-header H %[res.hdr(x),map_sub(sub.map)]
"""
FILES = {
    'ip.acl': '10.0.0.0/8\n192.0.2.0/28\n2001:db8::/32\n10.1.0.0/16\n',
    'shared.acl': '# a comment\n/foo\n/bar baz\n\n/Foo\n',
    'column.map': '/foo x\n',
    'str.map': 'www.example.com alice\napp.example.com bob\nnone\nwww.example.com again\n',
    'int.map': '1 5\n2:4 6\n', 'ip-value.map': 'x 1.2.3.4\ny ::1\n',
    'ip.map': '127.0.0.0/8 lo\n10.0.0.0/8 ten\n10.1.0.0/16 ten-one\n2001:db8::/32 six\n',
    'reg.map': '^/x[0-9]+$ X\n^/y y\n', 'beg.map': '/a 1\n/ab 2\n/A 3\n', 'late.map': 'a b\n',
    'dir.map': 'static s\n/two/words/ t\n', 'sub.map': 'img image\n'}
KEYS = {
    'ip.acl': ['10.0.0.0/8', '10.1.2.3', '192.0.2.1', '192.0.2.0/28', '::1', '2001:db8::1', 'x y',
               '::ffff:10.1.1.1', '2002:a01:203::', '1.2.3.4/33', '1.2.3.4/24', '0.0.0.0/2',
               '10.0.0.1/255.0.0.255', '2001:db8::/64', '2001:db8::/129', '10.1.0.0/16', '1.2.3.4/'],
    'shared.acl': ['/foo', '/Foo', '/bar baz', '/', 'x/foo', '/FOObar', ''],
    'column.map': ['/foo', 'x'],
    'str.map': ['www.example.com', 'app.example.com', 'none', 'k', 'K', 'a\\b', 'semi;colon', '#0',
                '@1', 'two words', '"q"', '\xc5\xbe', '-1'],
    'int.map': ['1', '3', '2:4', '5:3', '7:', ':9', 'abc', '12x', '5-8', '8', '100', '-5', ':', ''],
    'ip-value.map': ['x', 'y', 'z'],
    'reg.map': ['^/y', '/x12', '/Y', '^(a|b)$', 'a', '[unclosed', '(open'],
    'beg.map': ['/a', '/ab', '/abc', '/A', 'x/a', ''],
    'dir.map': ['static', '/static', 'a/static/b', 'xstatic', 'two/words', '/two/words/', 'words'],
    'sub.map': ['img', 'an img here', 'IMG', 'm']}
KEYS['ip.map'] = KEYS['ip.acl']
VALUES = ['v', 'w', '5', '-7', '12x', '1.2.3.4', '::1', 'two words', 'a;b', '\\']
INLINE = {4: KEYS['shared.acl'], 5: ['example.com', 'www.example.com', 'EXAMPLE.com', 'x.example.', 'com'],
          6: KEYS['int.map'], 8: ['a'], 40: ['xx', 'axxb', 'x'], 12: ['', 'abc', 'abcd', '1', '3:'],
          15: ['/a', '/A', 'b', 'cc', '^x'], 16: KEYS['dir.map'], 23: KEYS['reg.map'],
          1: KEYS['ip.acl'], 999: ['a']}
# What a client should not send.
ODD = r"""
show map #|show acl #+0|show acl #0x|show acl @|show acl @1|add map @|add map @1|commit map @1
commit map @1 #|commit map #0|commit map @x #0|clear map @1|clear map|prepare map|prepare map @1 #0
get map @1 #0 x|show map @99 int.map|clear map @99 int.map|add map @99 int.map 1 b|add map @ int.map a 5
add map @-1 int.map 7 5|add map @4294967295 int.map 7 5|add map @2147483649 int.map 7 5
show map @4294967295 int.map|show map @-1 int.map|show map int.map|del map #-1 x|del acl int.map 1
del map int.map #0xzz|set map int.map #0xzz x|set map int.map #0x 1|set map int.map # x|set map int.map 1
get acl #1 192.0.2.1x|get acl #1 192.0.2.1:80|get acl #1 192.0.2.01|get acl #1 192.0.2|get acl #1 192.0.2.1.5
get acl #1 192.0.2.257|get acl #1 ::ffff:192.0.2.1x|get acl #1 ::192.0.2.1|get acl #1 \ 192.0.2.1
get acl #6 +3|get acl #6 3x|get acl #6 -3|get acl #6 03|get acl #6 x|add acl #6 0|get acl #6 x|add acl #6 +5
add acl #6 99999999999999999999999|add acl #1 10.1|add acl #1 1.2.3.4/255.255.0.0|add acl #1 1.2.3.4/0.0.0.255
add acl #1 ::1/255.0.0.0|add acl #1 /8|add acl #1 1.2.3.4/008|add acl #1 [::1]|show acl #1
add acl #15 (|add acl #15 )|add acl #15 a)b|add acl #15 *a|add acl #15 [a|show acl #15
get acl #11 GET|get acl #11 get|get acl #8 x|add acl int.map 9|set map #5 example.com v|show acl #5
get map #5 example.com|get acl int.map 1|add map #5 x y|show acl #5|clear map #5|get map #5|add acl #5 <<\na b\n
set map int.map 1 <<\na\n|add map int.map <<\na\nb v\nc\n|add map str.map <<\na\nb v\nc\n|show map str.map
add map str.map <<\nq  v  w \n r s\n|show map str.map|add map str.map x <<\nz z\n|show map str.map
add acl #5 x <<\nz z\n|show acl #5|prepare acl #0|add acl @1 #0 x|del acl #0 x|show acl @1 #0
"""
UNKNOWN = re.compile(r'(Unknown command[^\n]*)(.|\n)*')
POINTER = re.compile(r'0x[0-9a-f]{5,}')


def escaped(word):
    return re.sub(r'([ \t;\\<])', r'\\\1', word)


class Walk(object):
    """Commands that a seed picks, sent to a real HAProxy and to the fake."""

    def __init__(self, lab, fake, seed, has_versions):
        self.lab = lab
        self.fake = fake
        self.chance = random.Random(seed)
        self.has_versions = has_versions
        # The pointers of both that were listed last, in pairs: HAProxy uses them again.
        self.pointers = []

    def reply(self, command):
        """Return the replies of both to a command, which may contain a pair of pointers."""
        commands = [re.sub('<([^ >]*)\\|([^ >]*)>', '\\{0}'.format(place), command)
                    for place in (1, 2)]
        del self.fake.problems[:]
        faked = text(self.fake.reply_to(commands[1]))
        if self.fake.problems:
            # The command would end HAProxy.
            return '', ''
        replies = [self.lab.raw(commands[0]), faked]
        self.pointers = list(zip(*map(POINTER.findall, replies)))
        return [POINTER.sub('0xREF', reply).rstrip('\n') for reply in replies]

    def pick(self):
        """Return the next command."""
        chance = self.chance.choice
        if self.chance.random() < .6:
            name = chance(sorted(KEYS))
            family, keys = name[-3:], KEYS[name]
        else:
            number = chance(sorted(INLINE))
            name, family, keys = '#{0}'.format(number), 'acl', INLINE[number]
        if self.chance.random() < .03:
            family = chance(['acl', 'map'])
        version = '@{0} '.format(self.chance.randint(0, 4)) if (
            self.has_versions and self.chance.random() < .3) else ''
        key, value = escaped(chance(keys)), escaped(chance(VALUES))
        pointer = '#<{0}|{1}>'.format(*chance(self.pointers)) if (
            self.pointers and self.chance.random() < .5) else key
        verbs = ['show', 'show', 'get', 'get', 'get', 'add', 'add', 'add', 'add', 'del', 'clear', 'list']
        verbs += ['set', 'set', 'payload'] if family == 'map' else []
        verbs += ['prepare', 'prepare', 'commit', 'commit'] if self.has_versions else []
        return {
            'show': 'show {family} {version}{name}', 'get': 'get {family} {name} {key}',
            'add': 'add {family} {version}{name} {key}' + (' {value}' if family == 'map' else ''),
            'set': 'set {family} {name} {pointer} {value}', 'del': 'del {family} {name} {pointer}',
            'clear': 'clear {family} {version}{name}', 'list': 'show {family}',
            'prepare': 'prepare {family} {name}', 'commit': 'commit {family} {version}{name}',
            'payload': 'add {family} {version}{name} <<\n' + ''.join(
                '{0} {1}\n'.format(chance(keys), chance(VALUES)) for _ in range(3)),
        }[chance(verbs)].format(
            family=family, version=version, name=name, key=key, value=value, pointer=pointer)


@pytest.fixture(scope='module', params=conftest.versions())
def pair(request, tmpdir_factory):
    """A real HAProxy, and a fake one with the same configuration."""
    directory = str(tmpdir_factory.mktemp('fake'))
    config = CONFIG
    for name, content in FILES.items():
        with open(os.path.join(directory, name), 'w') as written:
            written.write(content)
        config = re.sub(r'(?<![\w.-])' + re.escape(name), os.path.join(directory, name), config)
    with conftest.start(request.param, config=config) as lab:
        configuration = Configuration(config, name=lab.config_file)
        yield lab, FakeProcess('none', request.param, configuration), directory


def test_the_lists_are_the_same(pair):
    lab, fake, _ = pair
    for command in ['show acl', 'show map'] + ['show acl #{0}'.format(number) for number in range(45)]:
        assert POINTER.sub('', lab.raw(command)) == POINTER.sub('', text(fake.reply_to(command)))


def test_odd_commands_have_the_same_reply(pair):
    lab, fake, directory = pair
    for command in ODD.strip().replace('\n', '|').replace('\\\\', '\\').split('|'):
        command = command.replace('\\n', '\n')
        command = re.sub(r'([\w-]+[.](?:acl|map))', os.path.join(directory, r'\1'), command)
        real, faked = [UNKNOWN.sub(r'\1', POINTER.sub('0xREF', reply)).rstrip('\n')
                       for reply in (lab.raw(command), text(fake.reply_to(command)))]
        assert real == faked, command


@pytest.mark.parametrize('seed', [1, 2])
def test_any_commands_have_the_same_effect(pair, seed):
    """Hundreds of commands; what they leave behind is what the next seed begins with."""
    lab, fake, directory = pair
    walk = Walk(lab, fake, seed, fake.release >= (2, 4))
    said = []
    for _ in range(400):
        command = walk.pick()
        command = re.sub(r'(\w[\w-]*\.(?:acl|map))\b', lambda match: os.path.join(
            directory, match.group()) if match.group() in FILES else match.group(), command, count=1)
        said.append(command)
        real, faked = walk.reply(command)
        assert real == faked, '\n'.join(said[-10:])
