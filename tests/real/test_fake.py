# SPDX-License-Identifier: Apache-2.0
"""The same program on a real HAProxy and on the fake: the library gives the same answers."""
import re

import pytest

from haproxyadmin import exceptions
from haproxyadmin.testing.fake import FakeHAProxy
from haproxyadmin.testing.throwaway import ThrowawayHAProxy
from tests.conftest import PATIENT, find, versions
from tests.support.lab import ask
from tests.unit.testing.test_figures import CONFIG, PARTS, part

pytestmark = pytest.mark.dealt_out


def items(entries):
    return list(entries.items())


def web(hap):
    return hap.backend('web')


def web1(hap):
    return web(hap).server('web1')


# What a program does, in this order; each gives a value or raises an exception.
STEPS = [
    ('frontends', lambda hap: [(each.name, each.status, each.maxconn) for each in hap.frontends()]),
    ('backends', lambda hap: [(each.name, each.status) for each in hap.backends()]),
    ('servers', lambda hap: [(each.name, each.sid, each.status, each.weight)
                             for each in hap.servers()]),
    ('no backend', lambda hap: hap.backend('nowhere')),
    ('no server', lambda hap: web(hap).server('web9')),
    ('drain', lambda hap: web1(hap).setstate('drain')),
    ('draining', lambda hap: web1(hap).status),
    ('maintenance', lambda hap: web1(hap).setstate('maint')),
    ('down', lambda hap: (web1(hap).status, web(hap).metric('act'), web(hap).status)),
    ('states', lambda hap: [(each.name, each.status) for each in web(hap).servers()]),
    ('half', lambda hap: web(hap).server('web2').setweight('50%')),
    ('weight', lambda hap: web(hap).server('web2').weight),
    ('200', lambda hap: web(hap).server('web2').setweight(200)),
    ('changed weight', lambda hap: (web(hap).server('web2').weight, web(hap).metric('weight'))),
    ('too heavy', lambda hap: web(hap).server('web2').setweight(257)),
    ('limit', lambda hap: hap.setmaxconn(500)),
    ('changed limit', lambda hap: hap.maxconn),
    ('limit of a frontend', lambda hap: hap.frontend('www').setmaxconn(77)),
    ('changed limit of it', lambda hap: hap.frontend('www').maxconn),
    ('rate limit', lambda hap: hap.setratelimitconn(55)),
    ('changed rate limit', lambda hap: hap.ratelimitconn),
    ('disable', lambda hap: hap.frontend('www').disable()),
    ('again', lambda hap: hap.frontend('www').disable()),
    ('disabled', lambda hap: hap.frontend('www').status),
    ('enable', lambda hap: hap.frontend('www').enable()),
    ('map', lambda hap: items(hap.map('hosts.map'))),
    ('to a map', lambda hap: hap.map('hosts.map').__setitem__('www.example.com', 'web')),
    ('many to a map', lambda hap: hap.map('hosts.map').update(
        {'a.example.com': 'web', 'www.example.com': 'api'})),
    ('changed map', lambda hap: items(hap.map('hosts.map'))),
    ('look up', lambda hap: hap.map('hosts.map')['a.example.com']),
    ('in step', lambda hap: hap.map('hosts.map').sync({'b.example.com': 'web'})),
    ('map in step', lambda hap: items(hap.map('hosts.map'))),
    ('no map', lambda hap: items(hap.map('nothing.map'))),
    ('acl', lambda hap: list(hap.acl('blocklist.acl'))),
    ('to an acl', lambda hap: hap.acl('blocklist.acl').add('10.0.0.0/8')),
    ('no address', lambda hap: hap.acl('blocklist.acl').add('nowhere')),
    ('looked up', lambda hap: [hap.acl('blocklist.acl').lookup(address)
                               for address in ('10.1.1.1', '11.1.1.1')]),
    ('from an acl', lambda hap: hap.acl('blocklist.acl').discard('192.0.2.1')),
    ('changed acl', lambda hap: list(hap.acl('blocklist.acl'))),
    ('tables', lambda hap: [(each.name, each.type, each.size, each.used) for each in hap.tables()]),
    ('to a table', lambda hap: hap.table('api').set('k', gpc0=3)),
    ('table', lambda hap: [(each.key, each.data) for each in hap.table('api').entries()]),
    ('from a table', lambda hap: hap.table('api').remove('k')),
    ('empty table', lambda hap: list(hap.table('api').entries())),
    ('states of all', lambda hap: [
        (row['be_name'], row['srv_name'], row['srv_op_state'], row['srv_admin_state'],
         row['srv_uweight'], row['srv_iweight']) for row in hap.servers_state()
        # Before 2.4 the workers of a master are servers in this list.
        if row['be_name'] != 'MASTER']),
    ('ready', lambda hap: web1(hap).setstate('ready')),
    ('up', lambda hap: web1(hap).status.split(' ')[0]),
    ('counters', lambda hap: hap.clearcounters(all=True)),
    # The real one soon finds that nobody listens there: what comes later must not depend on it.
    ('address', lambda hap: web(hap).server('web3').setaddress('127.0.0.9', 8080)),
    ('changed address', lambda hap: web(hap).server('web3').address),
    ('raw', lambda hap: hap.command('get weight web/web1')),
    ('unknown', lambda hap: hap.command('get weight web/web9')),
]


def outcomes(hap):
    """Return what each step gives, as text."""
    found = []
    for name, step in STEPS:
        try:
            outcome = step(hap)
        except (exceptions.HAProxyBaseError, ValueError, KeyError) as error:
            # Its first line; the others say where.
            outcome = '{0}: {1}'.format(type(error).__name__, str(error).split('\n')[0])
        found.append((name, re.sub(r'\S+/(run|haproxy)\S*', 'PLACE', repr(outcome))))
    return found


@pytest.mark.parametrize('version', versions())
def test_a_program_cannot_tell_them_apart(version):
    options = {'retry': None, 'timeout': PATIENT}
    with ThrowawayHAProxy(binary=find(version)) as real, FakeHAProxy(version) as fake:
        on_real, on_fake = outcomes(real.connect(**options)), outcomes(fake.connect(**options))
    assert on_fake == on_real
    # A step that is not there would be the same on both.
    assert not [outcome for outcome in on_real if 'AttributeError' in outcome[1]]


@pytest.mark.parametrize('version', versions())
def test_the_parts_of_the_table_are_those_of_the_real_one(version):
    with ThrowawayHAProxy(binary=find(version), config=CONFIG) as real:
        for words, wanted in PARTS:
            assert part(ask(real.socket_files[0], 'show stat ' + words)) == wanted, words
