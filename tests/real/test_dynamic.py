# SPDX-License-Identifier: Apache-2.0
"""Servers that are added to a backend and deleted, on real HAProxies."""
import socket

import pytest

from haproxyadmin import exceptions
from haproxyadmin.haproxy import HAProxy
from tests import conftest
from tests.support import lab as labs, servers

pytestmark = pytest.mark.dealt_out

VERSIONS = conftest.versions()
OLD = '2.2'
LONG, SHORT = conftest.PATIENT, 0.4
QUICK = {'interval': 0.02}


@pytest.fixture(params=[version for version in VERSIONS if version != OLD], scope='module')
def site(request):
    """Two HAProxies with the same configuration, and a library object for them."""
    with servers.Site(conftest.find(request.param)) as started:
        started.hap = HAProxy(socket_dir=started.directory, retry=None, timeout=conftest.PATIENT)
        yield started


@pytest.fixture
def backend(site):
    """The backend; what a test adds to it is deleted."""
    yield site.hap.backend('dynamic')
    remove_all(site)


def remove_all(site):
    for number, path in enumerate(site.paths):
        for line in site.raw('show servers state dynamic', number).split('\n')[2:]:
            if line and line.split()[3] not in ('c1', 'c2'):
                word = 'dynamic/' + line.split()[3]
                site.raw('disable agent {0};set server {0} state maint'.format(word), number)
                site.raw('shutdown sessions server ' + word, number)
                labs.wait_until(lambda: 'deleted' in site.raw('del server ' + word, number), word)


def address_of(site, number=0):
    """Return the address of an origin of a process."""
    return '127.0.0.1:%d' % site.labs[number].origins.ports[2]


def names(site):
    """Return the names of the servers in each process."""
    return [[line.split()[3] for line in site.raw('show servers state dynamic', number).split(
        '\n')[2:] if line] for number in range(2)]


CONFIGURED = [['c1', 'c2']] * 2


# Adding

def test_a_server_is_added_to_all_processes(site, backend):
    """[dynamic servers]"""
    server = backend.add_server('new', address_of(site), weight=7)
    assert names(site) == [['c1', 'c2', 'new']] * 2
    assert repr(server) == "Server('new', backend='dynamic', processes=[1, 1])"
    assert site.statuses('dynamic', 'new') == ['no check'] * 2
    assert [row['weight'] for row in (site.row(0, 'dynamic', 'new'), site.row(
        1, 'dynamic', 'new'))] == ['7', '7']
    assert (server.weight, server.initial_weight, server.is_up) == (7, 7, True)
    assert server.port == str(site.labs[0].origins.ports[2])
    assert backend.server('new') == server
    site.labs[0].traffic('f_dynamic', 6)
    assert int(site.row(0, 'dynamic', 'new')['stot']) > 0


def test_it_may_be_left_in_maintenance(site, backend):
    """[dynamic servers]"""
    server = backend.add_server('new', address_of(site), ready=False)
    assert site.statuses('dynamic', 'new') == ['MAINT'] * 2
    assert server.is_maintenance is True
    assert server.bringback(timeout=LONG).changed is True
    assert site.statuses('dynamic', 'new') == ['no check'] * 2


def test_it_may_be_checked(site, backend):
    """[dynamic servers] Nothing of default-server applies to it."""
    server = backend.add_server('new', address_of(site), check=True, inter='50ms', rise=1, fall=1)
    assert server.is_checked is True
    assert server.bringback(timeout=LONG, **QUICK).changed is False
    site.wait_for('dynamic', 'new', 'UP')
    row = site.row(0, 'dynamic', 'new')
    if 'check_rise' in row:
        assert (row['check_rise'], row['check_fall']) == ('1', '1')
    site.labs[0].origins.refuse(3)
    site.labs[1].origins.refuse(3)
    try:
        labs.wait_until(lambda: site.row(0, 'dynamic', 'new')['status'] == 'DOWN', 'it is down')
    finally:
        site.labs[0].origins.serve(3)
        site.labs[1].origins.serve(3)


def test_without_default_server(site, backend):
    """[dynamic servers] rise and fall are HAProxy's own."""
    backend.add_server('new', address_of(site), check=True, inter='50ms')
    row = site.row(0, 'dynamic', 'new')
    assert (row['check_rise'], row['check_fall']) == ('2', '3')


def test_checks_may_be_enabled_in_maintenance(site, backend):
    """[dynamic servers]"""
    server = backend.add_server('new', address_of(site), check=True, inter='50ms', ready=False)
    assert site.statuses('dynamic', 'new') == ['MAINT'] * 2
    assert all(int(site.state(number, 'dynamic', 'new')['srv_check_state']) & 4
               for number in range(2))
    server.bringback(timeout=LONG, **QUICK)
    assert site.statuses('dynamic', 'new') == ['UP'] * 2


def test_an_agent_may_be_asked(site, backend):
    """[dynamic servers] One that only reports a weight does not keep it down.

    One that would bring it back does not keep it from being deleted.
    """
    site.speak(b'50%')
    backend.add_server('new', address_of(site), weight=100, agent_check=True,
                       agent_addr='127.0.0.1', agent_port=site.agent.port, agent_inter='50ms')
    site.wait_for('dynamic', 'new', 'no check')
    labs.wait_until(lambda: [site.row(number, 'dynamic', 'new')['weight'] for number in range(2)]
                    == ['50', '50'], 'its weight')
    site.speak(b'up ready 100%')
    assert backend.del_server('new', timeout=LONG, **QUICK) is True
    assert names(site) == CONFIGURED


def test_an_agent_does_not_bring_it_back_before_it_is_ready(site, backend):
    """[dynamic servers]"""
    site.speak(b'up ready 100%')
    backend.add_server('new', address_of(site), ready=False, agent_check=True,
                       agent_addr='127.0.0.1', agent_port=site.agent.port, agent_inter='50ms')
    site.speak(b'up ready 100%')
    assert site.statuses('dynamic', 'new') == ['MAINT'] * 2


@pytest.mark.parametrize('keywords, column, text', [
    ({'maxconn': 9}, 'slim', '9'), ({'backup': True}, 'bck', '1'),
    ({'backup': False}, 'bck', '0'), ({'backup': None}, 'bck', '0'),
    ({'id': 777}, 'sid', '777'), ({'id': '777'}, 'sid', '777'),
    ({'maxqueue': (8,)}, 'qlimit', '8'), ({'source': '127.0.0.9'}, 'bck', '0'),
    ({'error_limit': 5, 'on_error': 'mark-down'}, 'bck', '0')])
def test_keywords(site, backend, keywords, column, text):
    """[dynamic servers]"""
    backend.add_server('new', address_of(site), **keywords)
    assert [site.row(number, 'dynamic', 'new')[column] for number in range(2)] == [text] * 2


@pytest.mark.parametrize('name', ['a;b', 'two words', 'a\\b', u'\xfc', '-', '@1', '<<', 'a"b'])
def test_any_name_is_one_word(site, backend, name):
    """[one word per text]"""
    try:
        server = backend.add_server(name, address_of(site))
    except exceptions.CommandFailed as error:
        # HAProxy allows few characters in names.
        assert 'New server' not in str(error)
        assert names(site) == CONFIGURED
        return
    assert len(names(site)[0]) == 3 and server.is_up
    assert backend.del_server(name, timeout=LONG) is True
    assert names(site) == CONFIGURED


def test_a_unix_socket(site, backend):
    """[dynamic servers]"""
    server = backend.add_server('new', 'unix@/nowhere/app;1 x.sock')
    assert (server.address, server.port) == ('unix', '')
    assert names(site) == [['c1', 'c2', 'new']] * 2


@pytest.mark.parametrize('address', ['[::1]:80', '::1:80', 'ipv4@127.0.0.1:80', 'ipv6@[::1]:80'])
def test_other_addresses(site, backend, address):
    server = backend.add_server('new', address)
    assert server.address == ('127.0.0.1' if 'ipv4' in address else '::1') and server.port == '80'


# Refusals

@pytest.mark.parametrize('options', [
    {'address': 'localhost:80'}, {'address': '127.0.0.1'}, {'address': ':80'}, {'address': ''},
    {'address': '127.0.0.1:0'}, {'address': '127.0.0.1:70000'}, {'address': '127.0.0.1:+1'},
    {'address': None}, {'address': 80}, {'address': '127.0.0.1:80 disabled'},
    {'address': '127.0.0.1:80\ndel server'}, {'name': ''}, {'name': '#1'}, {'name': 'a\nb'},
    {'name': None}, {'weight': 257}, {'weight': -1}, {'weight': 'x'}, {'weight': True},
    {'a b': 1}, {'inter;del server x': 1}, {'Backup': True}, {'': 1}, {'cookie': ''},
    {'cookie': 'a\nb'}, {'cookie': ('a', '\0')}, {'cookie': {}}, {'cookie': [['a']]},
    {'cookie': ['w'] * 64}, {'weight': '50%'}, {'check': 1}, {'ready': 'no'}, {'maxconn': -5},
    {'maxconn': 99999999999}, {'maxconn': 1.5}, {'maxconn': True}, {'name': 5},
    {'address': 'unix@'}, {'agent_port': 70000}])
def test_a_wrong_argument(site, backend, sent, options):
    """[argument checks] Nothing is sent."""
    options = dict({'name': 'new', 'address': '127.0.0.1:80'}, **options)
    sent.clear()
    with pytest.raises(ValueError) as caught:
        backend.add_server(**options)
    assert not isinstance(caught.value, exceptions.HAProxyBaseError)
    assert [command for command in sent.commands if command != 'show info'] == []


def refused(site, call, kind=exceptions.CommandFailed):
    before = names(site)
    with pytest.raises(kind) as caught:
        call()
    assert not isinstance(caught.value, exceptions.NotSupported)
    assert names(site) == before
    return caught.value


@pytest.mark.parametrize('keywords', [
    {'bogus': True}, {'resolvers': 'nobody'}, {'cookie': ('a', 'bogus')}, {'ssl': True},
    {'track': 'no/where'}, {'inter': 'x'}, {'redir': '/'}])
def test_a_keyword_that_haproxy_refuses(site, backend, keywords):
    """[dynamic servers] Its message; nothing is left."""
    error = refused(site, lambda: backend.add_server('new', '127.0.0.1:80', **keywords))
    assert str(error).strip() and error.command.startswith('add server dynamic/new 127.0.0.1:80')
    assert (error.undone, error.not_undone) == ([], [])


def test_text_cannot_become_another_keyword(site, backend):
    """[one word per text]"""
    text = '2s; set server dynamic/c1 state maint'
    for keywords in ({'cookie': text}, {'inter': text}, {'inter': '2s backup'}):
        # HAProxy ignores what follows a time.
        backend.add_server('new', '127.0.0.1:80', die=False, **keywords)
        assert site.bits('dynamic', 'c1') == [0, 0]
        assert (site.row(0, 'dynamic', 'new') or {'bck': '0'})['bck'] == '0'
        remove_all(site)


def test_a_name_that_exists(site, backend):
    """[dynamic servers] Nothing is deleted then."""
    error = refused(site, lambda: backend.add_server('c1', '127.0.0.1:80'))
    assert 'Already exists' in str(error)
    assert names(site) == CONFIGURED
    # Its state is what it was.
    assert site.bits('dynamic', 'c1') == [0, 0]


@pytest.mark.parametrize('number', [0, 1])
@pytest.mark.parametrize('state', ['ready', 'maint'])
def test_a_name_that_exists_in_one_process(site, backend, number, state):
    """[all or none] It stays there, untouched, and is not left in the other one."""
    site.raw('add server dynamic/new 127.0.0.1:81', number)
    site.raw('set server dynamic/new state ' + state, number)
    before = names(site)
    error = refused(site, lambda: backend.add_server('new', '127.0.0.1:80', check=True),
                    exceptions.MultipleCommandResults)
    assert names(site) == before
    assert error.undone == [site.paths[1 - number]] and error.not_undone == []
    assert error.socket_file == site.paths[number]
    found = site.state(number, 'dynamic', 'new')
    assert found['srv_port'] == '81'
    assert found['srv_admin_state'] == {'ready': '0', 'maint': '1'}[state]
    assert site.labs[0].traffic('f_dynamic', 1, 'c1') == [200]
    assert backend.add_server('new', '127.0.0.1:80', die=False) is False


def test_an_id_that_exists_in_one_process(site, backend):
    """[all or none]"""
    site.raw('add server dynamic/other 127.0.0.1:81 id 500', 1)
    error = refused(site, lambda: backend.add_server('new', '127.0.0.1:80', id=500),
                    exceptions.MultipleCommandResults)
    assert error.undone == site.paths[:1]


def test_a_static_algorithm(site):
    """[dynamic servers]"""
    error = refused(site, lambda: site.hap.backend('static').add_server('new', '127.0.0.1:80'))
    assert 'dynamic' in str(error) and error.command.startswith('add server static/new')


def test_what_was_refused_does_not_spoil_the_saved_state(site, backend, tmpdir):
    """[argument checks; state over reloads] The name may be bytes."""
    path = str(tmpdir.join('servers.state'))
    for options in ({'weight': '50%'}, {'check': 1}, {'maxconn': 1.5}):
        with pytest.raises(ValueError):
            backend.add_server('n4', address_of(site), **options)
    server = backend.add_server(b'n4', address_of(site), weight=50, maxconn='9')
    assert server.name == 'n4' and names(site) == [['c1', 'c2', 'n4']] * 2
    chosen = {'socket': site.paths[0]}
    assert site.hap.save_servers_state(path, **chosen) is True
    site.all('set server dynamic/n4 state maint', 'del server dynamic/n4')
    assert names(site) == CONFIGURED
    site.hap.restore_servers_state(path, **chosen)
    assert names(site) == [['c1', 'c2', 'n4'], ['c1', 'c2']]
    row = site.row(0, 'dynamic', 'n4')
    assert (row['weight'], row['slim']) == ('50', '9')


def test_a_limit_that_nobody_could_set_may_be_saved(site, backend, tmpdir):
    """[state over reloads] HAProxy makes another number of what another program has sent."""
    path, chosen = str(tmpdir.join('servers.state')), {'socket': site.paths[0]}
    site.raw('add server dynamic/new 127.0.0.1:81 maxconn -5', 0)
    assert int(site.row(0, 'dynamic', 'new')['slim']) > 2147483647
    assert site.hap.save_servers_state(path, servers=['dynamic/new'], **chosen) is True
    assert site.hap.restore_servers_state(path, **chosen) == []


# Deleting

def test_a_server_that_was_added_is_deleted(site, backend):
    """[dynamic servers]"""
    server = backend.add_server('new', address_of(site), check=True)
    assert backend.del_server('new', timeout=LONG) is True
    assert names(site) == CONFIGURED
    with pytest.raises(ValueError):
        backend.del_server('new')
    assert backend.del_server('new', die=False) is False
    with pytest.raises(KeyError):
        server.status
    # Its name is free again.
    backend.add_server('new', address_of(site))


@pytest.fixture
def alone(site):
    """Have all traffic go to the servers that are added: 2.6 gives them no cookie."""
    site.all('disable server dynamic/c1')
    yield
    site.all('enable server dynamic/c1')


@pytest.mark.usefixtures('alone')
def test_it_is_deleted_once_nobody_uses_it(site, backend):
    """[dynamic servers] Past the deadline it stays in maintenance; another call deletes it."""
    backend.add_server('new', address_of(site))
    with site.labs[0].hold('f_dynamic', 2):
        with pytest.raises(exceptions.WaitTimeout) as caught:
            backend.del_server('new', timeout=SHORT, **QUICK)
        assert 'dynamic/new' in str(caught.value) and caught.value.not_undone == []
        assert 'still has 2 sessions' in str(caught.value)
        assert 'agent' not in str(caught.value)
        assert (caught.value.result.sessions, caught.value.result.changed) == (2, True)
        assert site.statuses('dynamic', 'new') == ['MAINT'] * 2
        assert site.sessions('dynamic', 'new') == 2
        # Also by somebody who waits longer.
        looks = []
        with pytest.raises(exceptions.WaitTimeout):
            backend.del_server('new', timeout=SHORT, progress=looks.append, **QUICK)
        assert looks and looks[0].done == 1
    assert backend.del_server('new', timeout=LONG, **QUICK) is True
    assert names(site) == CONFIGURED


@pytest.mark.usefixtures('alone')
def test_idle_connections_to_it_do_not_matter(site, backend):
    """[dynamic servers]"""
    backend.add_server('new', address_of(site), pool_max_conn=10)
    connection = socket.create_connection(('127.0.0.1', site.labs[0].ports['f_dynamic']), LONG)
    try:
        connection.sendall(b'GET / HTTP/1.1\r\nHost: x\r\n\r\n')
        assert b' 200 ' in connection.recv(1000)
        assert int(site.row(0, 'dynamic', 'new')['stot']) == 1
        assert backend.del_server('new', timeout=LONG, **QUICK) is True
    finally:
        connection.close()


def test_a_server_that_is_there_in_one_process_only(site, backend):
    """[dynamic servers]"""
    site.raw('add server dynamic/new 127.0.0.1:81', 1)
    assert backend.del_server('new', timeout=LONG) is True
    assert names(site) == CONFIGURED


@pytest.mark.parametrize('word, message', [
    ('web/w3', 'it is tracked by trackers/t1, trackers/t2, web/w4'),
    ('used/m1', 'annot be removed')])
@pytest.mark.parametrize('state, bits', [('ready', 0), ('drain', 8), ('maint', 1)])
def test_what_the_configuration_needs_is_not_deleted(site, word, message, state, bits):
    """[dynamic servers] Its state is as before."""
    proxy, name = word.split('/')
    site.all('set server {0} state {1}'.format(word, state))
    try:
        with pytest.raises(exceptions.CommandFailed) as caught:
            site.hap.backend(proxy).del_server(name, timeout=LONG, **QUICK)
        assert message in str(caught.value)
        assert site.bits(proxy, name) == [bits] * 2
        assert list(caught.value.not_undone) == []
    finally:
        site.all('set server {0} state ready'.format(word))


def test_a_server_with_an_agent_that_cannot_be_deleted_is_asked_again(site):
    """[dynamic servers] del_server() has switched its agent off."""
    site.speak(b'up ready 100%')
    site.raw('del server plain/p1')
    before = site.state(0, 'agents', 'a1')['srv_agent_state']
    assert int(before) & 4
    with site.labs[0].hold('f_agents', 1, 'a1'):
        with pytest.raises(exceptions.WaitTimeout) as caught:
            site.hap.backend('agents').del_server('a1', timeout=SHORT, **QUICK)
        assert 'its agent checks stay disabled' in str(caught.value)
        assert site.bits('agents', 'a1') == [1, 1]
        assert [int(site.state(number, 'agents', 'a1')['srv_agent_state']) & 4
                for number in range(2)] == [0, 0]
    site.all('enable agent agents/a1;set server agents/a1 state ready')
    site.wait_for('agents', 'a1', 'UP')


def test_a_configured_server_is_deleted(site):
    """[dynamic servers] From 2.6 on."""
    backend = site.hap.backend('queue')
    assert backend.del_server('q1', timeout=LONG) is True
    assert site.row(0, 'queue', 'q1') is None and site.row(1, 'queue', 'q1') is None
    assert backend.servers() == []
    backend.add_server('q1', address_of(site), maxconn=1)


def test_what_is_not_there_is_not_deleted(site, backend, sent):
    sent.clear()
    with pytest.raises(ValueError) as caught:
        backend.del_server('c3')
    assert "'c1'" in str(caught.value) or 'c1' in str(caught.value)
    assert [command for command in sent.commands if not command.startswith('show ')] == []


# Deleting out of rotation

def test_a_body_may_delete_the_server(site, backend):
    """[dynamic servers; out of rotation] There is nothing left to bring back."""
    server = backend.add_server('new', address_of(site))
    manager = server.out_of_rotation(timeout=LONG)
    with manager:
        assert backend.del_server('new', timeout=LONG) is True
    assert manager.taken.changed is True and manager.back is None
    assert names(site) == CONFIGURED


@pytest.mark.parametrize('number', [0, 1])
def test_a_server_that_is_gone_in_one_process(site, backend, number):
    """[dynamic servers; out of rotation] That is no deletion on purpose."""
    server = backend.add_server('new', address_of(site))
    with pytest.raises(exceptions.NoSuchObject) as caught:
        with server.out_of_rotation(timeout=LONG):
            assert 'deleted' in site.raw('del server dynamic/new', number)
    assert caught.value.result.changed is False
    assert ['new' in found for found in names(site)] == [number == 1, number == 0]


# Through masters, and on old versions

@pytest.mark.parametrize('version', [version for version in VERSIONS if version != OLD])
def test_through_masters(version):
    """[masters; dynamic servers]"""
    with servers.Site(conftest.find(version), master_worker=True) as site:
        site.hap = HAProxy(master=site.master_files, retry=10, timeout=conftest.PATIENT)
        backend = site.hap.backend('dynamic')
        backend.add_server('new', address_of(site), weight=5, check=True, inter='50ms',
                           **({} if version == '2.6' else {'cookie': 'a;b'}))
        assert names(site) == [['c1', 'c2', 'new']] * 2
        backend.server('new').bringback(timeout=LONG, **QUICK)
        site.raw('add server dynamic/other 127.0.0.1:81', 1)
        error = refused(site, lambda: backend.add_server('other', '127.0.0.1:80'),
                        exceptions.MultipleCommandResults)
        assert len(error.undone) == 1
        assert backend.del_server('new', timeout=LONG) is True
        assert backend.del_server('other', timeout=LONG) is True
        assert names(site) == CONFIGURED
        # A reload forgets them.
        backend.add_server('new', address_of(site))
        site.labs[0].reload()
        assert names(site) == [['c1', 'c2'], ['c1', 'c2', 'new']]
        if version == '2.6':
            # Its former workers sometimes crash when they end.
            site.labs[0].excuse_workers()


@pytest.mark.only(OLD)
@pytest.mark.skipif(OLD not in VERSIONS, reason='2.2 is not tested')
def test_a_version_that_cannot_do_it(sent):
    """[not supported] Nothing is sent."""
    with servers.Site(conftest.find(OLD)) as site:
        site.hap = HAProxy(socket_dir=site.directory, retry=None, timeout=conftest.PATIENT)
        backend = site.hap.backend('dynamic')
        for call in (lambda: backend.add_server('new', '127.0.0.1:80'),
                     lambda: backend.add_server('new', '127.0.0.1:80', check=True),
                     lambda: backend.del_server('c1', timeout=5)):
            sent.clear()
            with pytest.raises(exceptions.NotSupported) as caught:
                call()
            assert caught.value.needs in ('2.4', '2.6') and caught.value.has.startswith('2.2.')
            assert caught.value.socket_file in site.paths
            assert all(command.startswith('show ') for command in sent.commands)
        assert site.bits('dynamic', 'c1') == [0, 0]
