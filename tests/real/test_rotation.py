# SPDX-License-Identifier: Apache-2.0
"""The status of servers in words, out of rotation and back, on real HAProxies."""
import os
import socket
import threading

import pytest

from haproxyadmin import exceptions, rotation
from haproxyadmin.haproxy import HAProxy
from tests import conftest
from tests.support import group, lab as labs, servers

pytestmark = pytest.mark.dealt_out

VERSIONS = conftest.versions()
# Former workers of 2.6.12 sometimes crash when they end.
CRASHING = ('2.6',)
# Seconds: longer than anything takes, and shorter than what never happens.
LONG, SHORT = conftest.PATIENT, 0.3
QUICK = {'interval': 0.02}
# What the agent says if no test has it say something else.
UP = b'up ready 100%'


def haproxy_of(site, **options):
    options.setdefault('retry', None)
    return HAProxy(socket_dir=site.directory, timeout=conftest.PATIENT, **options)


@pytest.fixture(params=VERSIONS, scope='module')
def site(request):
    """Two HAProxies with the same configuration."""
    with servers.Site(conftest.find(request.param)) as started:
        started.hap = haproxy_of(started)
        yield started


def server_of(site, word):
    backend, name = word.split('/')
    return site.hap.backend(backend).server(name)


@pytest.fixture
def shut_down_soon(monkeypatch):
    """Have sessions shut down after a moment, long before the deadline."""
    monkeypatch.setattr(rotation, 'SHUTDOWN_SHARE', 1)
    monkeypatch.setattr(rotation, 'SHUTDOWN_SECONDS', LONG - SHORT)


@pytest.fixture
def put_back(site):
    """Put servers into rotation at the end; takes words."""
    words = []
    yield lambda *more: words.extend(more)
    if site.agent.answer != UP:
        site.speak(UP)
    for word in words:
        site.reset(*word.split('/'))


def set_all(site, word, *settings):
    for setting in settings:
        site.all('set server {0} {1}'.format(word, setting))


# Status

def words_of(server):
    return [name for name in ('is_up', 'is_down', 'is_draining', 'is_maintenance', 'is_checked')
            if getattr(server, name)]


# Maintenance of a server that is not resolved lasts. The reason follows the status only from 1.7 on.
@pytest.mark.parametrize('word, settings, status, words', [
    ('web/w1', [], 'UP', ['is_up', 'is_checked']),
    ('slow/sl1', [], 'UP 1/2', ['is_up', 'is_checked']),
    ('plain/p1', [], 'no check', ['is_up']),
    ('plain/p1', ['weight 0'], 'no check', []),
    ('plain/p1', ['health stopping'], 'NOLB', []),
    ('plain/p1', ['health down'], 'DOWN', ['is_down']),
    ('plain/p1', ['state drain'], 'DRAIN', ['is_draining']),
    ('plain/p1', ['state maint'], 'MAINT', ['is_maintenance']),
    ('plain/p1', ['weight 0', 'state drain'], 'DRAIN', ['is_draining']),
    ('dead/d1', [], 'DOWN', ['is_down', 'is_checked']),
    # The status of a server that is down does not show that it is in drain.
    ('dead/d1', ['state drain'], 'DOWN', ['is_down', 'is_draining', 'is_checked']),
    ('dead/d1', ['state maint'], 'MAINT', ['is_maintenance', 'is_checked']),
    ('names/n1', [], 'MAINT (resolution)', ['is_maintenance', 'is_checked']),
    ('trackers/t1', [], 'UP', ['is_up']),
    ('dynamic/c2', [], 'MAINT', ['is_maintenance']),
])
def test_the_status_in_words(site, word, settings, status, words):
    """[status in words]"""
    backend, name = word.split('/')
    try:
        set_all(site, word, *settings)
        site.wait_for(backend, name, status)
        found = words_of(server_of(site, word))
        if site.row(0, backend, name)['status'] == 'MAINT':
            # Whether checks go on in maintenance depends on the version.
            found, words = [[word for word in each if word != 'is_checked']
                            for each in (found, words)]
        assert found == words
    finally:
        if settings:
            set_all(site, word, 'state ready', 'weight 100%', 'health up')


def test_the_status_of_servers_that_track_another_one(site):
    """[status in words] Over two steps, too."""
    try:
        set_all(site, 'web/w3', 'state maint')
        for word in ('web/w4', 'trackers/t1', 'trackers/t2'):
            assert words_of(server_of(site, word)) == ['is_maintenance']
            assert all(status.startswith('MAINT (via ') for status in site.statuses(
                *word.split('/')))
        set_all(site, 'web/w3', 'state drain')
        for word in ('web/w4', 'trackers/t1', 'trackers/t2'):
            assert words_of(server_of(site, word)) == ['is_draining']
    finally:
        site.reset('web', 'w3')


@pytest.mark.parametrize('answer, status, words', [
    (b'down', 'DOWN (agent)', ['is_down', 'is_checked']),
    (b'maint', 'MAINT', ['is_maintenance']),
    (b'drain', 'DRAIN', ['is_draining', 'is_checked']),
    (b'stopped', 'DOWN (agent)', ['is_down', 'is_checked']),
])
def test_the_status_that_an_agent_sets(site, put_back, answer, status, words):
    """[status in words]"""
    put_back('agents/a1')
    site.speak(answer)
    site.wait_for('agents', 'a1', status, status + ' (agent)')
    found = words_of(server_of(site, 'agents/a1'))
    assert [word for word in found if word in words] == words
    assert not set(found) - set(words) - set(['is_checked'])


def test_a_word_is_true_only_if_it_is_so_in_every_process(site, put_back):
    """[status in words] It raises no IncosistentData."""
    put_back('plain/p1')
    site.raw('set server plain/p1 state maint', 1)
    server = server_of(site, 'plain/p1')
    assert words_of(server) == []
    with pytest.raises(exceptions.IncosistentData):
        server.status
    site.raw('set server plain/p1 state drain', 0)
    assert words_of(server) == []
    site.raw('set server plain/p1 state maint', 0)
    assert words_of(server) == ['is_maintenance']


def test_the_status_of_backends(site, put_back):
    """[status in words]"""
    put_back('plain/p1', 'plain/p2')
    backend = site.hap.backend('plain')
    assert backend.is_up is True
    assert site.hap.backend('dead').is_up is False
    set_all(site, 'plain/p1', 'state maint')
    site.raw('set server plain/p2 state maint', 1)
    assert backend.is_up is False
    assert site.hap.snapshot().backend('plain').is_up is False


def test_the_status_of_frontends(site):
    """[status in words]"""
    frontend = site.hap.frontend('f_spare')
    assert frontend.is_open is True
    site.raw('disable frontend f_spare', 1)
    assert frontend.is_open is False
    assert site.hap.snapshot().frontend('f_spare').is_open is False
    frontend.disable(die=False)
    site.all('disable frontend f_spare')
    assert frontend.is_open is False
    site.all('enable frontend f_spare')
    assert frontend.is_open is True
    lost = site.hap.frontend('f_lost')
    site.all('shutdown frontend f_lost')
    if site.version == '2.2':
        # It is gone altogether.
        with pytest.raises(KeyError):
            lost.is_open
    else:
        assert lost.is_open is False


def test_the_configured_weight(site, put_back):
    put_back('plain/p1')
    server = server_of(site, 'plain/p1')
    site.raw('set server plain/p1 weight 7', 1)
    assert server.initial_weight == 100
    assert site.hap.snapshot().backend('plain').server('p1').initial_weight == 100


# Drain

def test_a_server_that_nobody_uses_is_drained_at_once(site, put_back):
    """[out of rotation]"""
    put_back('plain/p1')
    server = server_of(site, 'plain/p1')
    looks = []
    drained = server.drain(timeout=LONG, progress=looks.append)
    assert (drained.sessions, drained.changed, drained.reloaded) == (0, True, False)
    assert 0 <= drained.seconds < 5
    assert site.statuses('plain', 'p1') == ['DRAIN'] * 2
    assert [look.done for look in looks] == [2, 2] and looks[0].total == 2
    assert 'plain/p1' in looks[0].what
    again = server.drain(timeout=LONG)
    assert (again.changed, again.sessions) == (False, 0)


def test_a_drain_waits_for_the_last_session(site, put_back):
    """[out of rotation]"""
    put_back('plain/p1')
    held = site.labs[1].hold('f_plain', 2, 'p1')
    looks = []

    def look(progress):
        looks.append(progress)
        if len(looks) == 4:
            held.close()
    drained = server_of(site, 'plain/p1').drain(timeout=LONG, progress=look, **QUICK)
    assert drained.sessions == 0
    # The other process is done from the first look on.
    assert [look.done for look in looks[:4]] == [1] * 4 and looks[-1].done == 2
    assert '2 left' in looks[0].what


def test_a_drain_waits_for_the_queue(site, put_back):
    """[out of rotation]"""
    put_back('queue/q1')
    held = site.labs[0].hold('f_queue', 1, 'q1')
    waiting = socket.create_connection(('127.0.0.1', site.labs[0].ports['f_queue']), LONG)
    waiting.sendall(b'GET / HTTP/1.1\r\nHost: x\r\nCookie: server=q1\r\n\r\n')
    try:
        labs.wait_until(lambda: site.sessions('queue', 'q1') == 2, 'one waits')
        server = server_of(site, 'queue/q1')
        with pytest.raises(exceptions.WaitTimeout) as caught:
            server.drain(timeout=SHORT, **QUICK)
        assert caught.value.result.sessions == 2
        seen = []

        def look(progress):
            seen.append(site.sessions('queue', 'q1'))
            held.close()
        assert server.drain(timeout=LONG, progress=look, **QUICK).sessions == 0
        assert site.sessions('queue', 'q1') == 0
        # It was served, not dropped.
        waiting.settimeout(LONG)
        assert b' 200 ' in waiting.recv(1000)
    finally:
        waiting.close()
        held.close()


def test_past_the_deadline_it_stays_in_drain(site, put_back):
    """[out of rotation] The exception says how far it got."""
    put_back('plain/p1')
    with site.labs[0].hold('f_plain', 3, 'p1'):
        server = server_of(site, 'plain/p1')
        with pytest.raises(exceptions.WaitTimeout) as caught:
            server.drain(timeout=SHORT, **QUICK)
        assert 'plain/p1 still has 3 sessions' in str(caught.value)
        result = caught.value.result
        assert (result.sessions, result.changed, result.reloaded) == (3, True, False)
        assert SHORT <= result.seconds < SHORT + 5
        assert site.statuses('plain', 'p1') == ['DRAIN'] * 2
        assert server.drain(timeout=0, die=False) is False
    site.wait_idle('plain', 'p1')


def test_what_happens_until_the_deadline_counts(site, put_back):
    """[waiting; out of rotation] Also if the last look is the first one that sees it."""
    put_back('plain/p1')
    held = site.labs[0].hold('f_plain', 1, 'p1')

    def release(progress):
        held.close()
        site.wait_idle('plain', 'p1')
    assert server_of(site, 'plain/p1').drain(
        timeout=1, interval=LONG, progress=release).sessions == 0


def test_a_server_in_maintenance_stays_there(site, put_back):
    """[out of rotation] In each process for itself."""
    put_back('plain/p1')
    site.raw('set server plain/p1 state maint', 1)
    server = server_of(site, 'plain/p1')
    assert server.drain(timeout=LONG).changed is True
    assert site.bits('plain', 'p1') == [8, 1]
    assert server.drain(timeout=LONG).changed is False
    assert site.bits('plain', 'p1') == [8, 1]


def test_persistent_clients_get_into_drain_but_not_into_maintenance(site, put_back):
    """[out of rotation]"""
    put_back('plain/p1')
    server = server_of(site, 'plain/p1')
    lab = site.labs[0]

    def requests():
        return int(site.row(0, 'plain', 'p1')['stot'])
    server.drain(timeout=LONG)
    before = requests()
    assert lab.traffic('f_plain', 2, 'p1') == [200] * 2
    assert requests() == before + 2
    server.takeout(timeout=LONG)
    assert lab.traffic('f_plain', 2, 'p1') == [200] * 2
    assert requests() == before + 2


# Takeout

def test_a_server_that_nobody_uses_is_taken_out_at_once(site, put_back):
    """[out of rotation]"""
    put_back('plain/p1')
    server = server_of(site, 'plain/p1')
    taken = server.takeout(timeout=LONG)
    assert (taken.sessions, taken.changed, taken.ended, taken.tracked_by) == (0, True, 0, [])
    assert taken.seconds < 5
    assert site.statuses('plain', 'p1') == ['MAINT'] * 2
    assert server.takeout(timeout=LONG).changed is False


def test_it_is_in_drain_before_it_is_in_maintenance(site, put_back):
    """[out of rotation] For half of the time, if somebody uses it."""
    put_back('plain/p1')
    held = site.labs[0].hold('f_plain', 1, 'p1')
    seen = []

    def look(progress):
        seen.append(site.bits('plain', 'p1')[0])
        if len(seen) > 3 and seen[-1] == 1:
            held.close()
    taken = server_of(site, 'plain/p1').takeout(
        timeout=LONG, drain_for=SHORT, progress=look, **QUICK)
    assert taken.seconds >= SHORT
    assert seen[0] == 8 and seen[-1] == 1 and seen == sorted(seen, reverse=True)


def test_without_time_for_it_there_is_no_drain(site, put_back):
    put_back('plain/p1')
    seen = []
    server_of(site, 'plain/p1').takeout(
        timeout=LONG, drain_for=0, progress=lambda look: seen.append(site.bits('plain', 'p1')[0]))
    assert set(seen) == set([1])


def test_past_the_deadline_it_stays_in_maintenance(site, put_back):
    """[out of rotation]"""
    put_back('plain/p1')
    with site.labs[1].hold('f_plain', 1, 'p1'):
        with pytest.raises(exceptions.WaitTimeout) as caught:
            server_of(site, 'plain/p1').takeout(timeout=SHORT, **QUICK)
        assert caught.value.result.sessions == 1 and caught.value.result.ended == 0
        assert site.statuses('plain', 'p1') == ['MAINT'] * 2
        assert site.sessions('plain', 'p1') == 1
    site.wait_idle('plain', 'p1')


@pytest.mark.usefixtures('shut_down_soon')
def test_what_is_left_is_ended_if_that_is_wanted(site, put_back):
    """[out of rotation]"""
    put_back('plain/p1')
    held = [lab.hold('f_plain', 2, 'p1') for lab in site.labs]
    try:
        taken = server_of(site, 'plain/p1').takeout(
            timeout=LONG, drain_for=0, shutdown_sessions=True, **QUICK)
        assert (taken.sessions, taken.ended) == (0, 4)
        assert taken.seconds >= SHORT
        for each in held:
            for connection in each.connections:
                connection.settimeout(LONG)
                # 100 was answered before.
                assert b' 200 ' not in connection.recv(1000)
    finally:
        for each in held:
            each.close()


def test_nothing_is_ended_if_nobody_is_left(site, put_back):
    put_back('plain/p1')
    assert server_of(site, 'plain/p1').takeout(timeout=2, shutdown_sessions=True).ended == 0


class Tunnel(object):
    """A client of a websocket."""

    def __init__(self, lab):
        self.socket = socket.create_connection(('127.0.0.1', lab.ports['f_tunnel']), LONG)
        self.socket.sendall(b'GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\n'
                            b'Upgrade: echo\r\n\r\n')
        received = b''
        while b'\r\n\r\n' not in received:
            received += self.socket.recv(1000)
        assert b' 101 ' in received

    def echo(self, text):
        self.socket.sendall(text)
        return self.socket.recv(1000)


@pytest.mark.usefixtures('shut_down_soon')
def test_a_websocket_lives_on_in_maintenance(site, put_back):
    """[out of rotation] Until its session is shut down."""
    put_back('tunnel/v1')
    tunnel = Tunnel(site.labs[0])
    try:
        server = server_of(site, 'tunnel/v1')
        with pytest.raises(exceptions.WaitTimeout):
            server.takeout(timeout=SHORT, **QUICK)
        assert tunnel.echo(b'still here') == b'still here'
        taken = server.takeout(timeout=LONG, shutdown_sessions=True, **QUICK)
        assert (taken.ended, taken.changed, taken.sessions) == (1, False, 0)
        assert tunnel.echo(b'gone') == b''
    finally:
        tunnel.socket.close()


# Others that stay up

def test_enough_others_stay_up(site, put_back):
    """[out of rotation] Otherwise nothing is sent."""
    put_back('web/w1', 'web/w2', 'web/w3')
    # It is up in one of the processes only.
    site.raw('set server web/w2 state maint', 1)
    server = server_of(site, 'web/w1')
    # w3 and w4 are up.
    assert server.takeout(timeout=LONG, keep_up=2)
    server.bringback(timeout=LONG)
    with pytest.raises(exceptions.CommandFailed) as caught:
        server.takeout(timeout=LONG, keep_up=3)
    assert 'keep_up is 3' in str(caught.value) and 'up: w3, w4' in str(caught.value)
    assert site.bits('web', 'w1') == [0, 0]


def test_servers_that_track_it_go_along_and_are_named(site, put_back):
    """[out of rotation] They do not count as others that stay up."""
    put_back('web/w3', 'web/w1')
    server = server_of(site, 'web/w3')
    with pytest.raises(exceptions.CommandFailed) as caught:
        server.takeout(timeout=LONG, keep_up=3)
    assert 'up: w1, w2;' in str(caught.value)
    assert 'with it would go trackers/t1, trackers/t2, web/w4' in str(caught.value)
    assert site.bits('web', 'w3') == [0, 0]
    taken = server.takeout(timeout=LONG, keep_up=2)
    assert taken.tracked_by == ['trackers/t1', 'trackers/t2', 'web/w4']
    assert site.statuses('web', 'w4') == ['MAINT (via web/w3)'] * 2


@pytest.mark.usefixtures('shut_down_soon')
@pytest.mark.parametrize('frontend, cookie, followers', [
    ('f_web', 'w4', ['web/w4']), ('f_trackers', None, ['trackers/t1', 'trackers/t2'])])
def test_it_waits_for_those_that_go_along(site, put_back, frontend, cookie, followers):
    """[out of rotation] Their sessions are ended with those of the server, too."""
    put_back('web/w3')
    server = server_of(site, 'web/w3')
    held = site.labs[0].hold(frontend, 2, cookie)
    try:
        with pytest.raises(exceptions.WaitTimeout) as caught:
            server.takeout(timeout=SHORT, **QUICK)
        assert caught.value.result.sessions == 2
        taken = server.takeout(timeout=LONG, shutdown_sessions=True, **QUICK)
        assert (taken.sessions, taken.ended) == (0, 2)
        assert [site.sessions(*word.split('/')) for word in followers] == [0] * len(followers)
    finally:
        held.close()


def test_a_server_that_tracks_another_one_is_taken_out_alone(site, put_back):
    """[out of rotation]"""
    put_back('web/w3', 'web/w4')
    server = server_of(site, 'web/w4')
    before = site.bits('web', 'w4')
    with server.out_of_rotation(timeout=LONG):
        assert server.is_maintenance and site.bits('web', 'w3') == [0, 0]
    assert site.bits('web', 'w4') == before == [0, 0]
    # While the other one is out, it cannot be up.
    set_all(site, 'web/w3', 'state drain')
    with server.out_of_rotation(timeout=LONG, back_within=SHORT, keep_up=0):
        pass
    assert site.bits('web', 'w4') == [16, 16]


def test_without_any_time_it_is_taken_out_if_it_is_idle(site, put_back):
    """[waiting; out of rotation]"""
    put_back('plain/p1')
    server = server_of(site, 'plain/p1')
    assert server.takeout(timeout=0).changed is True
    assert server.bringback(timeout=0).changed is True
    assert server.drain(timeout=0).changed is True
    with site.labs[0].hold('f_plain', 2, 'p1'):
        for call in (server.drain, server.takeout):
            with pytest.raises(exceptions.WaitTimeout) as caught:
                call(timeout=0)
            assert 'still has 2 sessions' in str(caught.value)
            assert caught.value.result.sessions == 2
        assert server.takeout(timeout=0, die=False) is False
    site.wait_idle('plain', 'p1')


def test_a_progress_that_raises(site, put_back):
    """[waiting] Its exception ends the call, and says how far it got."""
    put_back('plain/p1')

    def broken(look):
        raise Deploy('broken')
    with pytest.raises(Deploy) as caught:
        server_of(site, 'plain/p1').drain(timeout=LONG, progress=broken)
    assert caught.value.result.changed is True
    assert site.bits('plain', 'p1') == [8, 8]


@pytest.mark.parametrize('setting', ['weight 0', 'health stopping', 'health down', 'state drain'])
def test_who_takes_no_new_traffic_is_not_up(site, put_back, setting):
    """[out of rotation]"""
    put_back('plain/p2', 'plain/p1')
    set_all(site, 'plain/p2', setting)
    with pytest.raises(exceptions.CommandFailed) as caught:
        server_of(site, 'plain/p1').takeout(timeout=LONG, keep_up=1)
    assert 'that are up: none' in str(caught.value)
    assert site.bits('plain', 'p1') == [0, 0]


def test_who_is_out_already_may_stay_out(site, put_back):
    """[out of rotation] It keeps nobody from being up."""
    put_back('plain/p1', 'plain/p2')
    set_all(site, 'plain/p1', 'state maint')
    set_all(site, 'plain/p2', 'state maint')
    assert server_of(site, 'plain/p1').takeout(timeout=LONG, keep_up=1).changed is False


@pytest.mark.parametrize('options', [
    {'keep_up': -1}, {'keep_up': '1'}, {'keep_up': True}, {'drain_for': -1}, {'drain_for': 'x'},
    {'drain_for': 6}, {'interval': None}, {'progress': 1}, {'timeout': None}, {'timeout': '5'}])
def test_a_wrong_argument(site, sent, options):
    """[argument checks] Nothing is sent."""
    server = server_of(site, 'plain/p1')
    sent.clear()
    options.setdefault('timeout', 5)
    with pytest.raises(ValueError) as caught:
        server.takeout(**options)
    assert not isinstance(caught.value, exceptions.HAProxyBaseError)
    assert sent.commands == []
    with pytest.raises(ValueError):
        server.out_of_rotation(**options)
    assert sent.commands == []


# Back

def test_a_server_comes_back_once_its_checks_succeed(site, put_back):
    """[out of rotation] 'UP 1/2' is not enough."""
    put_back('web/w1')
    server = server_of(site, 'web/w1')
    server.takeout(timeout=LONG)
    seen = []
    back = server.bringback(timeout=LONG, progress=lambda look: seen.append(look), **QUICK)
    assert (back.changed, back.reloaded) == (True, False)
    assert site.statuses('web', 'w1') == ['UP'] * 2
    assert seen[-1].done == 2
    again = server.bringback(timeout=LONG)
    assert again.changed is False and again.seconds < 5


@pytest.mark.parametrize('word, status', [('slow/sl1', 'UP 1/2'), ('dead/d1', 'DOWN')])
def test_a_server_that_does_not_come_back(site, word, status):
    """[out of rotation] The message says which status it has, and the state remains set."""
    backend, name = word.split('/')
    server = server_of(site, word)
    server.takeout(timeout=LONG)
    with pytest.raises(exceptions.WaitTimeout) as caught:
        server.bringback(timeout=SHORT, **QUICK)
    assert word in str(caught.value) and status in str(caught.value)
    assert caught.value.result.changed is True and caught.value.result.seconds >= SHORT
    assert site.bits(backend, name) == [0, 0]


def test_a_server_without_weight_does_not_come_back(site, put_back):
    """[out of rotation]"""
    put_back('plain/p1')
    set_all(site, 'plain/p1', 'weight 0', 'state maint')
    with pytest.raises(exceptions.WaitTimeout) as caught:
        server_of(site, 'plain/p1').bringback(timeout=SHORT, **QUICK)
    assert 'weight 0' in str(caught.value)
    assert site.bits('plain', 'p1') == [0, 0]


def test_a_server_without_an_address_is_taken_out_and_does_not_come_back(site):
    """[out of rotation]"""
    server = server_of(site, 'names/n1')
    assert server.takeout(timeout=LONG).changed is True
    assert site.bits('names', 'n1') == [33, 33]
    with pytest.raises(exceptions.WaitTimeout) as caught:
        server.bringback(timeout=SHORT, **QUICK)
    assert 'MAINT (resolution)' in str(caught.value)
    assert site.bits('names', 'n1') == [32, 32]


def test_a_server_that_tracks_one_in_maintenance_does_not_come_back(site, put_back):
    """[out of rotation] HAProxy accepts the command, which has no effect."""
    put_back('web/w3')
    set_all(site, 'web/w3', 'state maint')
    with pytest.raises(exceptions.WaitTimeout) as caught:
        server_of(site, 'trackers/t2').bringback(timeout=SHORT, **QUICK)
    assert 'MAINT (via ' in str(caught.value)


def test_a_server_that_is_out_in_one_process_comes_back_there(site, put_back):
    """[out of rotation]"""
    put_back('plain/p1')
    site.raw('set server plain/p1 state drain', 1)
    assert server_of(site, 'plain/p1').bringback(timeout=LONG).changed is True
    assert site.bits('plain', 'p1') == [0, 0]


# Agents

def test_an_agent_that_brings_it_back_is_noticed(site, put_back):
    """[out of rotation]"""
    put_back('agents/a1')
    with site.labs[0].hold('f_agents', 1, 'a1'):
        server = server_of(site, 'agents/a1')
        with pytest.raises(exceptions.CommandFailed) as caught:
            server.takeout(timeout=LONG, **QUICK)
        assert "the state of agents/a1 was set to drain, but its status is 'UP'" in str(
            caught.value)
        assert 'or its agent' in str(caught.value)
        assert caught.value.result.changed is True and caught.value.socket_file in site.paths
        assert server.drain(timeout=LONG, die=False, **QUICK) is False
    site.wait_idle('agents', 'a1')


def test_an_agent_that_drains_it_has_no_objection(site, put_back):
    """[out of rotation]"""
    put_back('agents/a1')
    site.speak(b'drain')
    site.wait_for('agents', 'a1', 'DRAIN', 'DRAIN (agent)')
    drained = server_of(site, 'agents/a1').drain(timeout=LONG)
    assert (drained.changed, drained.sessions) == (False, 0)


def test_an_agent_keeps_it_from_coming_back(site, put_back):
    """[out of rotation]"""
    put_back('agents/a1')
    site.speak(b'down')
    with pytest.raises(exceptions.WaitTimeout) as caught:
        server_of(site, 'agents/a1').bringback(timeout=SHORT, **QUICK)
    assert 'DOWN (agent)' in str(caught.value)


def test_somebody_who_brings_it_back_is_noticed(site, put_back):
    """[out of rotation]"""
    put_back('plain/p1')
    with site.labs[0].hold('f_plain', 1, 'p1'):
        with pytest.raises(exceptions.CommandFailed) as caught:
            server_of(site, 'plain/p1').drain(
                timeout=LONG, progress=lambda look: site.raw('enable server plain/p1', 1)
                and site.raw('set server plain/p1 state ready', 1), **QUICK)
        assert "its status is 'no check' on " + site.paths[1] in str(caught.value)
    site.wait_idle('plain', 'p1')


@pytest.mark.parametrize('word, state, status', [
    ('plain/p1', 'drain', 'DRAIN'), ('dead/d1', 'drain', 'DOWN'), ('dead/d1', 'ready', 'DOWN')])
def test_somebody_who_half_undoes_a_maintenance_is_noticed(site, word, state, status):
    """[out of rotation] In drain, and while its status is DOWN, requests may arrive again."""
    backend, name = word.split('/')
    arrived = int(site.row(1, backend, name)['stot'])

    def undo(look):
        site.raw('set server {0} state {1}'.format(word, state), 1)
        labs.wait_until(lambda: site.row(1, backend, name)['status'] == status, status)
        if backend == 'plain':
            assert site.labs[1].traffic('f_plain', 1, name) == [200]
            assert int(site.row(1, backend, name)['stot']) == arrived + 1
    try:
        with pytest.raises(exceptions.CommandFailed) as caught:
            server_of(site, word).takeout(timeout=LONG, drain_for=0, progress=undo, **QUICK)
        assert 'the state of {0} was set to maint, but its status is {1!r} on {2}'.format(
            word, status, site.paths[1]) in str(caught.value)
        assert caught.value.socket_file == site.paths[1]
        assert caught.value.result.changed is True
    finally:
        set_all(site, word, 'state ready')
        site.wait_for(backend, name, 'no check' if backend == 'plain' else 'DOWN')


def test_somebody_who_undoes_a_drain_of_a_server_that_is_down_is_noticed(site):
    """[out of rotation] The status stays as it is, so that it does not show it."""
    def undo(look):
        site.raw('set server dead/d1 state ready', 1)
    set_all(site, 'dead/d1', 'state drain')
    site.wait_for('dead', 'd1', 'DOWN')
    try:
        with pytest.raises(exceptions.CommandFailed) as caught:
            server_of(site, 'dead/d1').drain(timeout=LONG, progress=undo, **QUICK)
        assert "set to drain, but its status is 'DOWN' on " + site.paths[1] in str(caught.value)
        assert caught.value.result.changed is False
    finally:
        set_all(site, 'dead/d1', 'state ready')


# Out of rotation

def test_out_and_back(site, put_back):
    """[out of rotation]"""
    put_back('web/w3')
    manager = server_of(site, 'web/w3').out_of_rotation(timeout=LONG, keep_up=1)
    assert manager.taken is None and manager.back is None
    with manager as out:
        assert site.statuses('web', 'w3') == ['MAINT'] * 2
        assert out is manager.taken and out.tracked_by == ['trackers/t1', 'trackers/t2', 'web/w4']
    assert site.statuses('web', 'w3') == ['UP'] * 2
    assert manager.back.changed is True


@pytest.mark.parametrize('states', [('maint', 'maint'), ('drain', 'drain'), ('maint', 'ready'),
                                    ('ready', 'drain'), ('drain', 'maint'), ('ready', 'ready')])
def test_the_state_before_is_restored(site, put_back, states):
    """[out of rotation] In each process its own: not ready by rote."""
    put_back('plain/p1')
    for number, state in enumerate(states):
        site.raw('set server plain/p1 state ' + state, number)
    before = site.bits('plain', 'p1')
    with server_of(site, 'plain/p1').out_of_rotation(timeout=LONG) as out:
        assert site.bits('plain', 'p1') == [1, 1]
        assert out.changed is (states != ('maint', 'maint'))
    assert site.bits('plain', 'p1') == before


@pytest.mark.parametrize('word', ['dead/d1', 'slow/sl1', 'names/n1'])
def test_it_waits_for_up_only_where_it_was_up(site, word):
    """[out of rotation]"""
    server = server_of(site, word)
    backend, name = word.split('/')
    before = site.bits(backend, name)
    try:
        with server.out_of_rotation(timeout=LONG, back_within=SHORT, keep_up=None, **QUICK):
            pass
        assert word != 'slow/sl1'
    except exceptions.WaitTimeout as error:
        # It was up, and is not known to be now.
        assert word == 'slow/sl1' and 'UP 1/2' in str(error)
    assert site.bits(backend, name) == before


def test_who_was_up_and_is_down_afterwards_is_told(site, put_back):
    """[out of rotation] A deploy that does not work."""
    put_back('web/w1')
    try:
        with pytest.raises(exceptions.WaitTimeout) as caught:
            with server_of(site, 'web/w1').out_of_rotation(
                    timeout=LONG, back_within=SHORT, **QUICK):
                for lab in site.labs:
                    lab.origins.refuse(1)
        assert 'web/w1 is not up' in str(caught.value)
        assert site.bits('web', 'w1') == [0, 0]
    finally:
        for lab in site.labs:
            lab.origins.serve(1)
        site.wait_for('web', 'w1', 'UP')


class Deploy(Exception):
    """Why a deploy fails."""


@pytest.mark.parametrize('restore', [False, True])
@pytest.mark.parametrize('state, bits', [('ready', 0), ('drain', 8), ('maint', 1)])
def test_a_body_that_raises(site, put_back, restore, state, bits):
    """[out of rotation] The server stays out, unless the state is to be restored then, too."""
    put_back('plain/p1')
    set_all(site, 'plain/p1', 'state ' + state)
    error = Deploy('no')
    with pytest.raises(Deploy) as caught:
        with server_of(site, 'plain/p1').out_of_rotation(timeout=LONG, restore_on_error=restore):
            raise error
    assert caught.value is error
    assert site.bits('plain', 'p1') == [bits if restore else 1] * 2


def test_a_restore_after_an_error_does_not_wait(site):
    """[out of rotation]"""
    with pytest.raises(Deploy):
        with server_of(site, 'slow/sl1').out_of_rotation(
                timeout=LONG, keep_up=None, restore_on_error=True, back_within=LONG):
            raise Deploy
    assert site.bits('slow', 'sl1') == [0, 0]


@pytest.mark.parametrize('restore', [False, True])
def test_who_cannot_be_taken_out_in_time(site, put_back, restore):
    """[out of rotation] What is inside of ``with`` does not run."""
    put_back('plain/p1')
    with site.labs[0].hold('f_plain', 1, 'p1'):
        with pytest.raises(exceptions.WaitTimeout) as caught:
            with server_of(site, 'plain/p1').out_of_rotation(
                    timeout=SHORT, restore_on_error=restore, **QUICK):
                raise AssertionError('it is not out')
        assert caught.value.result.sessions == 1
        assert site.bits('plain', 'p1') == [0 if restore else 1] * 2
    site.wait_idle('plain', 'p1')


def test_the_last_one_is_not_taken_out(site, put_back):
    """[out of rotation] By default one other must be up."""
    put_back('plain/p2')
    set_all(site, 'plain/p2', 'state drain')
    with pytest.raises(exceptions.CommandFailed):
        with server_of(site, 'plain/p1').out_of_rotation():
            raise AssertionError('it is not out')
    assert site.bits('plain', 'p1') == [0, 0]


def test_two_threads_take_out_two_servers(site, put_back):
    """Each waits for its own."""
    put_back('web/w1', 'web/w2')
    results = {}

    def roll(name):
        with site.hap.backend('web').server(name).out_of_rotation(timeout=LONG, **QUICK) as out:
            results[name] = out
    threads = [threading.Thread(target=roll, args=(name,)) for name in ('w1', 'w2')]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(results) == ['w1', 'w2']
    assert site.bits('web', 'w1') == site.bits('web', 'w2') == [0, 0]


def test_a_server_of_a_snapshot_is_taken_out_of_haproxy(site, put_back):
    put_back('plain/p1')
    server = site.hap.snapshot().backend('plain').server('p1')
    assert server.takeout(timeout=LONG).changed
    assert site.bits('plain', 'p1') == [1, 1]
    assert server.is_maintenance is True and server.is_up is True


def test_wait_until(site, put_back):
    """[waiting]"""
    put_back('plain/p1')
    looks = []

    def is_out(snapshot):
        looks.append(snapshot)
        if len(looks) == 3:
            set_all(site, 'plain/p1', 'state maint')
        return snapshot.backend('plain').server('p1').status == 'MAINT' and 'out'
    assert site.hap.wait_until(is_out, timeout=LONG, interval=0.01) == 'out'
    assert len(looks) >= 3
    with pytest.raises(exceptions.WaitTimeout) as caught:
        site.hap.wait_until(lambda snapshot: [], timeout=0.05, interval=0.01)
    assert caught.value.result == []
    assert site.hap.wait_until(lambda snapshot: False, timeout=0, die=False) is False
    with pytest.raises(Deploy):
        site.hap.wait_until(_raise, timeout=LONG)


def _raise(*ignored):
    raise Deploy


# Reloads, and processes that are lost

class Reloaded(object):
    """A site whose HAProxies have a master, seen directly or through the masters."""

    def __init__(self, site, way):
        self.site = site
        self.by_master = way == 'master'
        self.hap = (HAProxy(master=site.master_files, retry=50, retry_interval=0.1,
                            timeout=conftest.PATIENT) if way == 'master'
                    else haproxy_of(site, retry=50, retry_interval=0.1))

    def reload(self, number=0):
        lab = self.site.labs[number]
        if self.site.version in CRASHING:
            lab.excuse_workers()
        lab.reload()

    def once(self, *calls):
        """Return a progress that makes one call a look."""
        calls = list(calls)

        def look(progress):
            if calls:
                calls.pop(0)()
        return look

    @property
    def server(self):
        return self.hap.backend('plain').server('p1')


@pytest.fixture(params=VERSIONS, scope='module')
def reloaded_site(request):
    with servers.Site(conftest.find(request.param), master_worker=True) as started:
        yield started
        if started.version in CRASHING:
            for lab in started.labs:
                lab.excuse_workers()


@pytest.fixture(params=['socket', 'master'])
def reloading(request, reloaded_site):
    with_site = Reloaded(reloaded_site, request.param)
    yield with_site
    reloaded_site.reset('plain', 'p1')


def test_a_reload_while_a_drain_waits(reloading):
    """[out of rotation] It is noticed, and the new worker is in drain, too.

    Through a master it also waits for the worker that ends.
    """
    site = reloading.site
    held = site.labs[0].hold('f_plain', 1, 'p1')
    looks = []

    def look(progress):
        looks.append(progress)
        if len(looks) == 1:
            reloading.reload()
        if len(looks) == 5:
            held.close()
    try:
        drained = reloading.server.drain(timeout=LONG, progress=look, **QUICK)
    finally:
        held.close()
    assert (drained.reloaded, drained.changed, drained.sessions) == (True, True, 0)
    assert site.bits('plain', 'p1') == [8, 8]
    if reloading.by_master:
        # There may be other workers, too, which have not ended yet.
        assert all(look.total >= 3 and look.done == look.total - 1 for look in looks[2:5])
    else:
        assert looks[-1].total == 2


def test_a_reload_while_a_takeout_waits(reloading):
    """[out of rotation]"""
    site = reloading.site
    held = site.labs[0].hold('f_plain', 1, 'p1')
    # Also one of the process that is not reloaded.
    other = site.labs[1].hold('f_plain', 1, 'p1')
    try:
        taken = reloading.server.takeout(
            timeout=LONG, drain_for=0, progress=reloading.once(
                reloading.reload, other.close, held.close), **QUICK)
    finally:
        held.close()
        other.close()
    assert (taken.reloaded, taken.sessions) == (True, 0)
    assert site.bits('plain', 'p1') == [1, 1]


def hold_new(site, count):
    """Hold requests in the worker that is current, once it alone accepts connections."""
    held = site.labs[0].hold('f_plain', count, 'p1')
    labs.wait_until(lambda: site.sessions('plain', 'p1') == count, 'they are held')
    return held


@pytest.fixture
def through_master(reloaded_site):
    yield Reloaded(reloaded_site, 'master')
    reloaded_site.reset('plain', 'p1')


def test_a_request_in_a_former_worker_keeps_a_takeout_waiting(through_master):
    """[masters; out of rotation] Of every version; it does not keep it from coming back."""
    site, server = through_master.site, through_master.server
    with site.labs[0].hold('f_plain', 1, 'p1') as held:
        through_master.reload()
        assert site.sessions('plain', 'p1') == 0
        with pytest.raises(exceptions.WaitTimeout) as caught:
            server.takeout(timeout=1, drain_for=0, **QUICK)
        assert 'still has 1 sessions' in str(caught.value)
        assert (caught.value.result.sessions, caught.value.result.reloaded) == (1, False)
        looks = []
        assert server.bringback(timeout=LONG, progress=looks.append, **QUICK).changed is True
        assert looks[-1].total == 2
        assert server.takeout(timeout=LONG, drain_for=0, progress=through_master.once(
            held.close), **QUICK).sessions == 0
    assert site.bits('plain', 'p1') == [1, 1]


def test_a_request_in_a_worker_that_becomes_a_former_one(through_master):
    """[masters; out of rotation] A reload during a takeout, of every version."""
    site, server = through_master.site, through_master.server
    with site.labs[0].hold('f_plain', 1, 'p1') as held:
        looks = []

        def look(progress):
            looks.append(progress.what)
            if len(looks) == 1:
                through_master.reload()
            if len(looks) == 5:
                held.close()
        taken = server.takeout(timeout=LONG, drain_for=0, progress=look, **QUICK)
        assert looks[:5] == ['plain/p1: 1 left'] * 5
        assert (taken.sessions, taken.reloaded) == (0, True)
    assert site.bits('plain', 'p1') == [1, 1]


@pytest.mark.usefixtures('shut_down_soon')
def test_only_current_workers_end_sessions(through_master):
    """[masters; out of rotation] ``ended`` does not count those of former workers."""
    site = through_master.site
    former = site.labs[0].hold('f_plain', 1, 'p1')
    try:
        through_master.reload()
        with hold_new(site, 2):
            def look(progress):
                if progress.what == 'plain/p1: 1 left':
                    former.close()
            taken = through_master.server.takeout(
                timeout=LONG, drain_for=0, shutdown_sessions=True, progress=look, **QUICK)
        assert (taken.sessions, taken.ended) == (0, 2)
    finally:
        former.close()


def test_a_reload_while_it_comes_back(reloading):
    """[out of rotation] The configuration has it disabled: the new worker is set, too."""
    site = reloading.site
    try:
        with pytest.raises(Deploy) as caught:
            # Its checks do not end.
            reloading.hap.backend('slow').server('sl2').bringback(
                timeout=LONG, progress=reloading.once(reloading.reload, _raise), **QUICK)
        assert caught.value.result.reloaded is True
        assert [bits & ~4 for bits in site.bits('slow', 'sl2')] == [0, 0]
    finally:
        site.all('disable server slow/sl2')


def test_a_reload_inside_of_the_body(reloading):
    """[out of rotation] The new worker knows nothing of it; the state before is set there, too."""
    site = reloading.site
    site.all('set server plain/p1 state drain')
    with reloading.server.out_of_rotation(timeout=LONG):
        reloading.reload()
        assert site.bits('plain', 'p1') == [0, 1]
    assert site.bits('plain', 'p1') == [8, 8]
    site.all('set server plain/p1 state ready')
    with reloading.server.out_of_rotation(timeout=LONG):
        reloading.reload(1)
        assert reloading.server.takeout(timeout=LONG).changed is True
        assert site.bits('plain', 'p1') == [1, 1]
    assert site.bits('plain', 'p1') == [0, 0]


def test_two_ways_to_one_process(reloaded_site):
    """[one process, two sockets; out of rotation] It counts once."""
    hap = HAProxy(socket_dir=reloaded_site.directory, master=reloaded_site.master_files,
                  retry=50, retry_interval=0.1, timeout=conftest.PATIENT)
    server = hap.backend('plain').server('p1')
    held = reloaded_site.labs[0].hold('f_plain', 1, 'p1')
    looks = []

    def look(progress):
        looks.append(progress)
        if len(looks) == 3:
            held.close()
    assert server.drain(timeout=LONG, progress=look, **QUICK).sessions == 0
    assert '1 left' in looks[0].what
    assert reloaded_site.bits('plain', 'p1') == [8, 8]
    reloaded_site.reset('plain', 'p1')


@pytest.mark.usefixtures('shut_down_soon')
def test_everything_works_through_a_master(reloaded_site):
    """[masters; out of rotation]"""
    through = Reloaded(reloaded_site, 'master')
    server = through.server
    assert words_of(server) == ['is_up'] and server.initial_weight == 100
    with reloaded_site.labs[0].hold('f_plain', 1, 'p1'):
        assert server.takeout(timeout=LONG, drain_for=0, shutdown_sessions=True,
                              **QUICK).ended == 1
    assert words_of(server) == ['is_maintenance']
    assert server.bringback(timeout=LONG).changed
    assert server.setaddress('127.0.0.2', 81) is True
    reloaded_site.reset('plain', 'p1')


NOT_CHANGED = 'the state of server b/s was not changed'


class Mixed(labs.Stopped):
    """Two HAProxies; one of them allows no changes. ``paths`` are their sockets, in order."""

    def __init__(self, binary, directory):
        config = group.CONFIG.replace('level admin', 'level "${HAPROXYADMIN_LEVEL}"')
        self.labs = []
        try:
            for level in ('admin', 'operator'):
                self.labs.append(labs.Lab(binary, config=config, level=level))
        except BaseException:
            self.stop()
            raise
        self.paths = [str(directory.join(name)) for name in ('1.sock', '2.sock')]
        for lab, path in zip(self.labs, self.paths):
            os.symlink(lab.socket_files[0], path)

    def stop(self):
        for lab in self.labs:
            lab.stop()


@pytest.mark.parametrize('version', VERSIONS)
def test_what_another_process_does_not_allow_is_undone(version, tmpdir):
    """[out of rotation; all or none] Nothing is said to remain."""
    with Mixed(conftest.find(version), tmpdir) as site:
        hap = HAProxy(socket_dir=str(tmpdir), retry=None, timeout=conftest.PATIENT)
        server = hap.backend('b').server('s')
        for call in (server.drain, server.takeout):
            with pytest.raises(exceptions.MultipleCommandResults) as caught:
                call(timeout=LONG)
            assert 'ermission denied' in str(caught.value)
            assert caught.value.result.changed is False
            # Before Python 3.11 there are no notes.
            assert getattr(caught.value, '__notes__', [NOT_CHANGED])[-1] == NOT_CHANGED
            assert caught.value.undone == site.paths[:1] and caught.value.not_undone == []
            assert ',DRAIN,' not in site.labs[0].raw('show stat') + site.labs[1].raw('show stat')
            assert server.status == 'no check'


@pytest.mark.parametrize('version', VERSIONS)
def test_a_process_that_is_killed_while_a_drain_waits(version):
    """[out of rotation] Nobody listens any more: that is told, without a retry at once."""
    with servers.Site(conftest.find(version)) as site:
        hap = haproxy_of(site)
        with site.labs[1].hold('f_plain', 1, 'p1'):
            with pytest.raises(exceptions.SocketConnectionError) as caught:
                hap.backend('plain').server('p1').drain(
                    timeout=LONG, progress=lambda look: site.labs[0].kill_process(1), **QUICK)
            assert caught.value.socket_file == site.paths[0]
            assert caught.value.result.changed is True
            assert caught.value.result.seconds < LONG / 2
            # The other one is as it was left.
            assert site.raw('show stat', 1).count(',DRAIN,') == 1
