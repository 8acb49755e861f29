# SPDX-License-Identifier: Apache-2.0
"""Name servers and their counters, on several HAProxies."""
import pytest

from haproxyadmin import exceptions
from haproxyadmin.haproxy import HAProxy
from tests.conftest import PATIENT, find, versions
from tests.support import lab as labs, nameserver

pytestmark = pytest.mark.dealt_out

WITHOUT = """
global
    stats socket "${{HAPROXYADMIN_RUN}}/${{HAPROXYADMIN_PROCESS}}.sock" level user

defaults
    mode http
    timeout connect 2s
    timeout client 2s
    timeout server 2s

frontend f
    bind "127.0.0.1:${{HAPROXYADMIN_PORT_F}}"
"""
CONFIG = WITHOUT + """
resolvers dns
    nameserver ns1 127.0.0.1:{0}
    nameserver ns2 127.0.0.1:{1}
    resolve_retries 1
    timeout resolve 50ms
    timeout retry 50ms
    hold valid 50ms
    hold nx 50ms
    hold timeout 50ms
    hold refused 50ms

resolvers spare
    nameserver ns1 127.0.0.1:{1}

backend b
    default-server init-addr none resolvers dns resolve-prefer ipv4
    server s www.example.com:80
    server t www.example.com:80
"""
COUNTERS = set(['sent', 'snd_error', 'valid', 'update', 'cname', 'cname_error', 'any_err', 'nx',
                'timeout', 'refused', 'other', 'invalid', 'too_big', 'truncated', 'outdated'])


class Place(labs.Stopped):
    """Two HAProxies that ask two name servers."""

    def __init__(self, version):
        self.servers = [nameserver.NameServer(), nameserver.NameServer()]
        try:
            self.lab = labs.Lab(find(version), instances=2, config=CONFIG.format(
                *[server.port for server in self.servers]))
        except BaseException:
            self._stop_servers()
            raise
        self.hap = HAProxy(socket_dir=self.lab.socket_dir, timeout=PATIENT)

    def stop(self):
        """Stop everything."""
        try:
            self.lab.stop()
        finally:
            self._stop_servers()

    def _stop_servers(self):
        for server in self.servers:
            server.stop()

    def answer(self, *codes):
        """Say how the name servers answer from now on."""
        for server, code in zip(self.servers, codes):
            server.code = code


@pytest.fixture(scope='module', params=versions())
def place(request):
    with Place(request.param) as started:
        yield started


@pytest.fixture
def section(place):
    place.answer(nameserver.ANSWERED, nameserver.ANSWERED)
    return place.hap.resolvers_section('dns')


def counters(section, name):
    return section.nameserver(name).counters


def wait_for_more(section, name, *wanted):
    """Wait until counters of a name server have grown in both processes."""
    before = section.nameservers_per_socket()

    def has_grown():
        return all(counted(after, name)[each] > counted(now, name)[each]
                   for (_, now), (_, after) in zip(before, section.nameservers_per_socket())
                   for each in wanted)

    labs.wait_until(has_grown, '{0} of {1} grow'.format(wanted, name))


def counted(servers, name):
    return dict(servers)[name]


def test_the_sections_are_listed(place):
    sections = place.hap.resolvers()
    assert [section.name for section in sections][:2] == ['dns', 'spare']
    assert [section.name for section in sections][2:] in ([], ['default'])
    for section in sections[:2]:
        assert len(section.process_nb) == 2
    assert [server.name for server in sections[0].nameservers()] == ['ns1', 'ns2']
    assert [server.name for server in sections[1].nameservers()] == ['ns1']


def test_the_counters_are_haproxys(section):
    for server in section.nameservers():
        assert set(server.counters) == COUNTERS


def test_answers_are_counted(section, place):
    wait_for_more(section, 'ns1', 'sent', 'valid')
    # It counts for the name server whose answer came first.
    labs.wait_until(lambda: sum(
        server.counters['update'] for server in section.nameservers()) >= 1, 'an address is set')
    labs.wait_until(lambda: '127.0.0.9' in place.lab.raw('show servers state'), 'resolved')


def test_they_are_those_of_both_processes(section, place):
    """HAProxy has counted what has arrived, or will arrive."""
    spare = place.hap.resolvers_section('spare')
    assert set(spare.nameserver('ns1').counters.values()) == set([0])
    arrived = place.servers[0].queries
    by_socket = section.nameservers_per_socket()
    after = counters(section, 'ns1')['sent']
    labs.wait_until(lambda: place.servers[0].queries >= after, 'they have arrived')
    each = [counted(servers, 'ns1')['sent'] for _, servers in by_socket]
    assert min(each) > 0 and arrived <= after and sum(each) <= after
    assert [socket for socket, _ in by_socket] == place.lab.socket_files
    assert [number for number, _ in section.nameservers_per_process()] == section.process_nb


@pytest.mark.parametrize('code, name', [
    (nameserver.NO_SUCH_NAME, 'nx'), (nameserver.REFUSED, 'refused')])
def test_failures_are_counted(section, place, code, name):
    place.answer(code, code)
    wait_for_more(section, 'ns1', name)
    wait_for_more(section, 'ns2', name)
    wait_for_answers(section)


def wait_for_answers(section, *names):
    """Wait until name servers have answered everything that came after this call."""
    open_ones = dict((server.name, server.unanswered) for server in section.nameservers())
    sent = dict((server.name, server.counters['sent']) for server in section.nameservers())
    labs.wait_until(lambda: all(
        server.unanswered <= open_ones[server.name]
        and server.counters['sent'] > sent[server.name] + 10
        for server in section.nameservers() if server.name in (names or open_ones)), 'answered')


def test_a_silent_one_is_seen(section, place):
    """HAProxy has a counter for it, which stays 0."""
    wait_for_answers(section)
    place.answer(nameserver.ANSWERED, None)
    before = section.nameserver('ns2').unanswered
    labs.wait_until(lambda: section.nameserver('ns2').unanswered > before + 10, 'silent')
    wait_for_answers(section, 'ns1')
    place.answer(None, None)
    wait_for_more(section, 'ns1', 'sent')
    assert [server.counters['timeout'] for server in section.nameservers()] == [0, 0]


def test_a_name_that_is_not_there(place, section):
    with pytest.raises(ValueError) as info:
        place.hap.resolvers_section('dnz')
    assert str(info.value).startswith("no resolvers section 'dnz'; did you mean 'dns'?")
    with pytest.raises(ValueError) as info:
        section.nameserver('ns3')
    assert str(info.value) == (
        "no name server 'ns3' in resolvers section 'dns'; did you mean 'ns2' or 'ns1'?")


def test_a_section_that_is_gone(place):
    section = place.hap.resolvers_section('spare')
    gone = type(section)('former', section._found)
    with pytest.raises(exceptions.NoSuchObject, match="'former' is gone from process 1 on "):
        gone.nameservers()


@pytest.mark.parametrize('version', versions())
def test_without_any(version):
    with labs.Lab(find(version), config=WITHOUT.format()) as started:
        hap = HAProxy(socket_dir=started.socket_dir, timeout=PATIENT)
        assert [section.name for section in hap.resolvers()] in ([], ['default'])
        assert hap.peers() == []
