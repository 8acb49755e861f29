# SPDX-License-Identifier: Apache-2.0
"""resolvers.py and internal/sections.py: sections over several processes, and name servers."""
import collections
import json
import pickle

import pytest

from haproxyadmin import exceptions
from haproxyadmin.resolvers import NameServer, ResolversSection
from tests.support import captured

VERSIONS = ['1.8', '2.2', '3.4']


def have(process, *sections):
    """Give a process sections: each its name, and the counters of its name servers."""
    process.reports.resolvers = collections.OrderedDict(
        (name, collections.OrderedDict(
            (server, collections.OrderedDict([('sent', sent), ('valid', valid)]))
            for server, sent, valid in servers)) for name, servers in sections)


@pytest.fixture
def pair(fleet):
    """Two processes, of which the second one has another section, and one more name server."""
    started = fleet('2.2', 2)
    have(started[0], ('a', [('x', 5, 1)]))
    have(started[1], ('b', [('z', 1, 1)]), ('a', [('x', 7, 1), ('y', 4, 4)]))
    return started


@pytest.mark.parametrize('version', VERSIONS)
def test_what_haproxy_has(version, fleet):
    started = fleet(version, 2)
    started.answer('show resolvers', captured.dump(version, 'resolvers.txt').decode('ascii'))
    hap = started.haproxy()
    assert [section.name for section in hap.resolvers()] == ['dns1', 'dns2'] + (
        ['default'] if version == '3.4' else [])
    section = hap.resolvers_section('dns1')
    each = section.nameservers_per_socket()[0][1]
    for name in ('ns1', 'dead'):
        server = section.nameserver(name)
        own, = [own for own in each if own.name == name]
        assert server.counters == dict((key, 2 * value) for key, value in own.counters.items())
        assert server.unanswered == 2 * own.unanswered
    assert section.nameserver('ns1').unanswered == 0
    assert section.nameserver('dead').unanswered == section.nameserver('dead').counters['sent'] > 0


def test_sections_and_name_servers_of_several_processes(pair):
    """[stable order]"""
    hap = pair.haproxy()
    sections = hap.resolvers()
    assert [(section.name, section.process_nb) for section in sections] == [
        ('a', [1, 2]), ('b', [2])]
    assert sections[0].nameservers() == [
        NameServer('x', {'sent': 12, 'valid': 2}), NameServer('y', {'sent': 4, 'valid': 4})]
    assert [server.unanswered for server in sections[0].nameservers()] == [10, 0]
    assert sections[0].nameservers_per_process() == [
        (1, [NameServer('x', {'sent': 5, 'valid': 1})]),
        (2, [NameServer('x', {'sent': 7, 'valid': 1}), NameServer('y', {'sent': 4, 'valid': 4})])]
    assert sections[1].nameservers_per_socket() == [
        (pair.paths[1], [NameServer('z', {'sent': 1, 'valid': 1})])]


def test_what_it_costs(pair):
    """[one command per call]"""
    hap = pair.haproxy()
    section = hap.resolvers_section('a')
    for call in (section.nameservers, section.nameservers_per_process,
                 section.nameservers_per_socket, lambda: section.nameserver('x'), hap.resolvers,
                 lambda: hap.resolvers_section('b')):
        pair.forget()
        call()
        assert pair.commands == [['show resolvers']] * 2
    pair.forget()
    repr(section), section.name, section.process_nb
    assert pair.commands == [[], []]


def test_objects(pair):
    """[equality]"""
    hap = pair.haproxy()
    section = hap.resolvers_section('a')
    assert repr(section) == "ResolversSection('a', processes=[1, 2])"
    assert section == hap.resolvers()[0] == 'a' and section != hap.resolvers()[1]
    assert len(set([section, hap.resolvers()[0]])) == 1
    assert pickle.loads(pickle.dumps(section, 2)).nameservers() == section.nameservers()
    server = section.nameserver('y')
    assert json.loads(json.dumps(server._asdict())) == {
        'name': 'y', 'counters': {'sent': 4, 'valid': 4}}
    assert pickle.loads(pickle.dumps(server, 2)) == server


def test_a_name_that_is_not_there(pair):
    """[what is not there]"""
    hap = pair.haproxy()
    with pytest.raises(ValueError) as info:
        hap.resolvers_section('c')
    assert str(info.value) == "no resolvers section 'c'; there are 'a' and 'b'"
    with pytest.raises(ValueError) as info:
        hap.resolvers_section('a').nameserver('w')
    assert str(info.value) == "no name server 'w' in resolvers section 'a'; there are 'x' and 'y'"


def test_a_section_that_is_gone(pair):
    """[stale ids]"""
    section = pair.haproxy().resolvers_section('a')
    have(pair[1])
    with pytest.raises(exceptions.NoSuchObject) as info:
        section.nameservers()
    assert isinstance(info.value, KeyError)
    assert str(info.value) == "section 'a' is gone from process 2 on " + pair.paths[1]


@pytest.mark.parametrize('version', ['1.5', '1.7'])
def test_a_version_that_is_too_old(version, fleet):
    started = fleet(version, 2)
    hap = started.haproxy()
    for call in (hap.resolvers, lambda: hap.resolvers_section('a')):
        with pytest.raises(exceptions.NotSupported, match='needs HAProxy 1.8') as info:
            call()
        assert info.value.needs == '1.8' and info.value.has.startswith(version)
    assert started.commands == [[], []]


def test_counters_that_only_look_answered():
    assert NameServer('x', {'sent': 1, 'valid': 2}).unanswered == 0
    assert NameServer('x', {}).unanswered == 0
    assert NameServer('x', {'sent': 9, 'nx': 1, 'refused': 1, 'outdated': 2, 'update': 5,
                            'timeout': 3, 'snd_error': 3, 'cname': 1}).unanswered == 5


def test_it_is_a_class_of_its_own(pair):
    assert isinstance(pair.haproxy().resolvers_section('a'), ResolversSection)
