# SPDX-License-Identifier: Apache-2.0
"""Settings of servers on real HAProxies: each has its effect, in all processes or in none."""
import pytest

from haproxyadmin import exceptions
from haproxyadmin.haproxy import HAProxy
from tests import conftest
from tests.support import lab as labs, servers

pytestmark = pytest.mark.dealt_out

VERSIONS = conftest.versions()
OLD = '2.2'


@pytest.fixture(params=VERSIONS, scope='module')
def site(request):
    """Two HAProxies with the same configuration."""
    with servers.Site(conftest.find(request.param)) as started:
        started.hap = HAProxy(socket_dir=started.directory, retry=None, timeout=conftest.PATIENT)
        yield started


def server_of(site, word):
    backend, name = word.split('/')
    return site.hap.backend(backend).server(name)


def fields(site, word, name):
    """Return a field of the state of a server in each process."""
    return [site.state(number, *word.split('/'))[name] for number in range(2)]


def limits(site, word):
    return [site.row(number, *word.split('/'))['slim'] for number in range(2)]


# Effects

def test_the_address_alone(site):
    """[all or none]"""
    server = server_of(site, 'plain/p2')
    before = fields(site, 'plain/p2', 'srv_port')
    assert server.setaddress('127.0.0.7') is True
    assert fields(site, 'plain/p2', 'srv_addr') == ['127.0.0.7'] * 2
    assert fields(site, 'plain/p2', 'srv_port') == before
    assert server.address == '127.0.0.7'


def test_the_address_and_the_port(site, sent):
    """[all or none] One command to each process, which is seen at once, also from 3.0 on."""
    server = server_of(site, 'plain/p2')
    for port in (8081, '8082', 0, 65535):
        sent.clear()
        assert server.setaddress('127.0.0.8', port) is True
        assert len([command for command in sent.commands if command.startswith('set ')]) == 2
        assert fields(site, 'plain/p2', 'srv_addr') == ['127.0.0.8'] * 2
        assert fields(site, 'plain/p2', 'srv_port') == [str(port)] * 2
        assert (server.address, server.port) == ('127.0.0.8', str(port))
    # What it is already is a success.
    assert server.setaddress('127.0.0.8', 65535) is True
    assert server.setaddress('::1', 80) is True
    assert server.address == '::1'


def test_the_maximum_of_connections(site, sent):
    """[all or none] 0 is no limit. Nothing is sent where it may crash HAProxy."""
    server = server_of(site, 'plain/p2')
    for value in (2147483647, 9, 7):
        assert server.setmaxconn(value) is True
        assert limits(site, 'plain/p2') == [str(value)] * 2
    for value in (7, 8, 0, 9):
        if site.version == OLD and value in (8, 0):
            sent.clear()
            with pytest.raises(exceptions.CommandFailed):
                server.setmaxconn(value)
            assert not any('maxconn' in command for command in sent.commands)
            assert limits(site, 'plain/p2') == ['7'] * 2
        elif site.version != OLD or value == 7:
            assert server.setmaxconn(value) is True
            assert limits(site, 'plain/p2') == [str(value) if value else ''] * 2


def test_the_health(site):
    """[all or none]"""
    server = server_of(site, 'plain/p2')
    for health, status in [('stopping', 'NOLB'), ('down', 'DOWN'), ('up', 'no check'),
                           ('up', 'no check')]:
        assert server.sethealth(health) is True
        assert site.statuses('plain', 'p2') == [status] * 2


def test_the_health_lasts_until_the_next_check(site):
    """[all or none]"""
    assert server_of(site, 'web/w2').sethealth('down') is True
    site.wait_for('web', 'w2', 'UP')


def test_what_an_agent_has_found(site):
    """[all or none]"""
    server = server_of(site, 'agents/a1')
    assert server.disable_agent() is True
    assert fields(site, 'agents/a1', 'srv_agent_state') == ['18'] * 2 or all(
        not int(state) & 4 for state in fields(site, 'agents/a1', 'srv_agent_state'))
    assert server.enable_agent() is True
    assert all(int(state) & 4 for state in fields(site, 'agents/a1', 'srv_agent_state'))
    site.agent.answer = b'100%'
    site.speak(b'100%')
    assert server.setagent('down') is True
    assert set(site.statuses('agents', 'a1')) <= set(['DOWN (agent)', 'UP'])
    assert server.setagent('up') is True
    site.speak(b'up ready 100%')
    site.wait_for('agents', 'a1', 'UP')


def test_an_agent_that_says_nothing_leaves_it_down(site):
    """[all or none]"""
    server = server_of(site, 'agents/a1')
    site.agent.refuse()
    try:
        assert server.setagent('down') is True
        assert site.statuses('agents', 'a1') == ['DOWN (agent)'] * 2
        assert server.setagent('up') is True
        assert site.statuses('agents', 'a1') != ['DOWN (agent)'] * 2
    finally:
        # The port is its own as long as nobody takes it.
        site.agent.listen()
    site.wait_for('agents', 'a1', 'UP')


def test_health_checks(site):
    """[all or none] Switching them off leaves the health as it is."""
    server = server_of(site, 'web/w1')
    assert server.disable_health() is True
    assert server.is_checked is False
    assert all(not int(state) & 4 for state in fields(site, 'web/w1', 'srv_check_state'))
    assert server.disable_health() is True
    for lab in site.labs:
        lab.origins.refuse(1)
    try:
        assert server.is_up
        assert server.enable_health() is True
        assert server.enable_health() is True
        assert server.is_checked is True
        site.wait_for('web', 'w1', 'DOWN')
    finally:
        for lab in site.labs:
            lab.origins.serve(1)
    site.wait_for('web', 'w1', 'UP')


def test_where_health_checks_go(site):
    """[all or none]"""
    server = server_of(site, 'web/w1')
    if site.version == OLD:
        return refused_as_old(lambda: server.setcheckaddr('127.0.0.1'), '2.4')
    port = site.state(0, 'web', 'w1')['srv_port']
    assert server.setcheckaddr('127.0.0.1') is True
    assert server.setcheckaddr('127.0.0.2', port) is True
    assert fields(site, 'web/w1', 'srv_check_addr') == ['127.0.0.2'] * 2
    assert fields(site, 'web/w1', 'srv_check_port') == [port] * 2


def test_the_port_of_health_checks(site):
    """[all or none] Nobody listens there, so the server goes down."""
    server = server_of(site, 'web/w2')
    ports = [site.state(number, 'dead', 'd1')['srv_port'] for number in range(2)]
    # The same in both: a port on which nobody listens in either.
    assert server.setcheckport(ports[0]) is True
    site.wait_for('web', 'w2', 'DOWN')
    if site.version != OLD:
        assert fields(site, 'web/w2', 'srv_check_port') == [ports[0]] * 2
    assert server.setcheckport(0) is True
    site.wait_for('web', 'w2', 'UP')


def test_where_agent_checks_go(site):
    """[all or none]"""
    server = server_of(site, 'agents/a1')
    assert server.setagentaddr('127.0.0.1') is True
    if site.version == OLD:
        return refused_as_old(lambda: server.setagentaddr('127.0.0.1', 80), '2.4')
    assert fields(site, 'agents/a1', 'srv_agent_addr') == ['127.0.0.1'] * 2
    assert server.setagentaddr('127.0.0.1', site.mute.port) is True
    assert fields(site, 'agents/a1', 'srv_agent_port') == [str(site.mute.port)] * 2
    assert server.setagentaddr('127.0.0.1', site.agent.port) is True


def test_what_agent_checks_send(site):
    """[all or none] Blanks and semicolons, too."""
    server = server_of(site, 'agents/a1')
    for text in ('hello', 'two words; set server plain/p1 state maint'):
        assert server.setagentsend(text) is True
        site.agent.listens = True
        labs.wait_until(lambda: site.agent.heard == text.encode(), 'it has come')
    site.agent.listens = False
    assert site.bits('plain', 'p1') == [0, 0]
    site.speak(b'up ready 100%')
    site.wait_for('agents', 'a1', 'UP')


def test_the_name(site):
    """[all or none]"""
    server = server_of(site, 'names/n1')
    assert server.setfqdn('other.example') is True
    assert fields(site, 'names/n1', 'srv_fqdn') == ['other.example'] * 2
    assert server.setfqdn('other.example') is True


def test_tls(site):
    """[all or none]"""
    server = server_of(site, 'secure/e1')
    if site.version == OLD:
        return refused_as_old(lambda: server.setssl(False), '2.4')
    for on in (False, False, True):
        assert server.setssl(on) is True
        assert fields(site, 'secure/e1', 'srv_use_ssl') == [str(int(on))] * 2


def refused_as_old(call, needs):
    with pytest.raises(exceptions.NotSupported) as caught:
        call()
    assert caught.value.needs == needs and caught.value.has.startswith(OLD)
    assert needs in str(caught.value) and caught.value.command is None


def test_a_server_of_a_snapshot(site):
    """[all or none] Changes reach HAProxy."""
    server = site.hap.snapshot().backend('plain').server('p2')
    assert server.setmaxconn(5) is True
    assert limits(site, 'plain/p2') == ['5', '5']


# Refusals

@pytest.mark.parametrize('word, call, message', [
    ('plain/p1', lambda server: server.setaddress('no.host'), 'nvalid addr'),
    ('plain/p1', lambda server: server.setaddress('no.host', 80), 'nvalid addr'),
    ('plain/p1', lambda server: server.setfqdn('a.example'), ''),
    ('plain/p1', lambda server: server.setagent('down'), 'agent checks are not enabled'),
    ('plain/p1', lambda server: server.setagentsend('x'), 'agent'),
    ('plain/p1', lambda server: server.setagentaddr('127.0.0.1'), 'agent'),
    ('plain/p1', lambda server: server.enable_health(), 'not configured'),
    ('plain/p1', lambda server: server.enable_agent(), 'not configured'),
    ('trackers/t1', lambda server: server.enable_health(), 'not configured'),
    ('trackers/t1', lambda server: server.sethealth('down'), 'tracking server'),
    ('agents/a1', lambda server: server.setagentaddr('no host'), 'addr'),
])
def test_what_haproxy_refuses(site, word, call, message):
    """[all or none] The error says what was refused, and where; nothing was changed."""
    before = [site.raw('show servers state', number) for number in range(2)]
    with pytest.raises(exceptions.CommandFailed) as caught:
        call(server_of(site, word))
    assert not isinstance(caught.value, exceptions.NotSupported)
    assert message in str(caught.value)
    assert caught.value.socket_file == site.paths[0]
    assert (list(caught.value.undone), list(caught.value.not_undone)) == ([], [])
    assert [servers.settled(site.raw('show servers state', number))
            for number in range(2)] == list(map(servers.settled, before))
    assert not any([call(_Quiet(server_of(site, word)))])


class _Quiet(object):
    """A server whose methods get ``die=False``."""

    def __init__(self, server):
        self._server = server

    def __getattr__(self, name):
        return lambda *values: getattr(self._server, name)(*values, **{'die': False})


@pytest.mark.parametrize('word, call', [
    ('plain/p1', lambda server: server.setcheckport(80)),
    ('plain/p1', lambda server: server.setcheckaddr('127.0.0.1')),
    ('plain/p1', lambda server: server.setssl(True)),
])
def test_what_versions_refuse(site, word, call):
    """[all or none] They refuse checks that are not enabled from 2.6 on."""
    if site.version == OLD:
        return
    with pytest.raises(exceptions.CommandFailed) as caught:
        call(server_of(site, word))
    assert caught.value.command.startswith('set server plain/p1 ')


@pytest.mark.parametrize('call', [
    lambda server: server.sethealth('dead'), lambda server: server.sethealth(None),
    lambda server: server.setagent('stopping'), lambda server: server.setmaxconn(-1),
    lambda server: server.setmaxconn(2 ** 31), lambda server: server.setmaxconn('7'),
    lambda server: server.setmaxconn(True), lambda server: server.setssl('on'),
    lambda server: server.setssl(1), lambda server: server.setssl(None),
    lambda server: server.setcheckport(65536), lambda server: server.setcheckport('x'),
    lambda server: server.setcheckport('+1'), lambda server: server.setaddress('1.2.3.4', 70000),
    lambda server: server.setaddress('1.2.3.4', '+1'), lambda server: server.setaddress(None),
    lambda server: server.setaddress(''), lambda server: server.setaddress('a\nb'),
    lambda server: server.setaddress(16909060), lambda server: server.setagentsend(''),
    lambda server: server.setagentsend('a\0'), lambda server: server.setfqdn('a\r'),
    lambda server: server.setcheckaddr(7), lambda server: server.setagentaddr('1.2.3.4', -1),
])
def test_a_wrong_value(site, call, sent):
    """[argument checks] Nothing is sent."""
    server = server_of(site, 'plain/p1')
    sent.clear()
    with pytest.raises(ValueError) as caught:
        call(server)
    assert not isinstance(caught.value, exceptions.HAProxyBaseError)
    assert [command for command in sent.commands if command != 'show info'] == []


# All or none

@pytest.mark.parametrize('call, field', [
    (lambda server: server.setagentaddr('127.0.0.3'), 'srv_agent_addr'),
    (lambda server: server.setagentaddr('127.0.0.3', 7), 'srv_agent_port'),
    (lambda server: server.setagent('down'), 'srv_op_state'),
])
def test_where_the_second_process_refuses(site, call, field):
    """[all or none]"""
    if site.version == OLD and field == 'srv_agent_port':
        return
    server = server_of(site, 'agents/a1')
    server.setagentaddr('127.0.0.1')
    site.raw('disable agent agents/a1', 1)
    site.agent.refuse()
    try:
        before = site.state(0, 'agents', 'a1').get(field)
        with pytest.raises(exceptions.MultipleCommandResults) as caught:
            call(server)
        known = before is not None
        assert caught.value.undone == site.paths[:1] * known
        assert caught.value.not_undone == site.paths[:1] * (not known)
        assert caught.value.socket_file == site.paths[1]
        assert site.state(0, 'agents', 'a1').get(field) == before
    finally:
        site.agent.listen()
        site.all('enable agent agents/a1')
    site.wait_for('agents', 'a1', 'UP')


@pytest.mark.parametrize('call', [
    lambda server: server.setcheckport(7), lambda server: server.setcheckaddr('127.0.0.3', 7)])
def test_where_the_second_process_does_not_check(site, call):
    """[all or none] From 2.6 on it refuses; what it was before is not always known."""
    if site.version == OLD:
        return
    server = server_of(site, 'web/w3')
    server.setcheckaddr('127.0.0.1', int(site.state(0, 'web', 'w3')['srv_port']))
    site.raw('disable health web/w3', 1)
    before = site.state(0, 'web', 'w3')
    try:
        with pytest.raises(exceptions.MultipleCommandResults) as caught:
            call(server)
        assert caught.value.undone == site.paths[:1]
        after = site.state(0, 'web', 'w3')
        for name in ('srv_check_port', 'srv_check_addr'):
            assert after[name] == before[name]
    finally:
        site.all('enable health web/w3')
    site.wait_for('web', 'w3', 'UP')


# Levels

@pytest.mark.parametrize('version', VERSIONS)
@pytest.mark.parametrize('level', ['operator', 'user'])
def test_what_a_level_allows(version, level):
    """[status in words] Reading needs no level; a change is refused, and nothing is half done."""
    with servers.Site(conftest.find(version), level=level) as site:
        site.hap = HAProxy(socket_dir=site.directory, retry=None, timeout=conftest.PATIENT)
        server = server_of(site, 'plain/p1')
        assert (server.is_up, server.is_draining, server.initial_weight) == (True, False, 100)
        for call in (lambda: server.drain(timeout=5), lambda: server.takeout(timeout=5),
                     lambda: server.setmaxconn(5), lambda: server.sethealth('down'),
                     lambda: site.hap.backend('plain').del_server('p1', timeout=5)
                     if site.version != OLD else server.drain(timeout=5)):
            with pytest.raises(exceptions.CommandFailed) as caught:
                call()
            assert 'Permission denied' in str(caught.value) and level in str(caught.value)
        assert site.bits('plain', 'p1') == [0, 0]
        # A server that is there already needs no change.
        assert server.bringback(timeout=5).changed is False
