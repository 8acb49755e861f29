# SPDX-License-Identifier: Apache-2.0
"""internal/settings.py: settings of a server, in all processes or in none."""
import pytest

from haproxyadmin import exceptions
from haproxyadmin.testing import faults
from tests.support import captured
from tests.unit.crews import STATES, WORD, Crew

SET = 'set server ' + WORD + ' '
REFUSAL = 'agent checks are not enabled on this server.'
# The first version that has it, a call, what it sends, and what puts it back: see ATTRIBUTES.
SETTINGS = [
    ('1.6', lambda server: server.setaddress('10.0.0.2'),
     SET + 'addr 10.0.0.2', SET + 'addr 10.0.0.1'),
    ('1.7', lambda server: server.setaddress('10.0.0.2', 81),
     SET + 'addr 10.0.0.2 port 81', SET + 'addr 10.0.0.1 port 80'),
    ('1.7', lambda server: server.setmaxconn(5),
     'set maxconn server {0} 5'.format(WORD), 'set maxconn server {0} 9'.format(WORD)),
    ('1.8', lambda server: server.setfqdn('b.example'), SET + 'fqdn b.example',
     SET + 'fqdn a.example'),
    ('2.4', lambda server: server.setssl(True), SET + 'ssl on', SET + 'ssl off'),
    ('2.4', lambda server: server.setssl(False), SET + 'ssl off', SET + 'ssl off'),
    ('1.5.8', lambda server: server.sethealth('down'), SET + 'health down', SET + 'health up'),
    ('1.5.8', lambda server: server.sethealth('stopping'), SET + 'health stopping',
     SET + 'health up'),
    ('1.5.8', lambda server: server.setagent('down'), SET + 'agent down', SET + 'agent up'),
    ('1.5.8', lambda server: server.enable_health(), 'enable health ' + WORD,
     'enable health ' + WORD),
    ('1.5.8', lambda server: server.disable_health(), 'disable health ' + WORD,
     'enable health ' + WORD),
    ('1.5.8', lambda server: server.enable_agent(), 'enable agent ' + WORD, 'disable agent ' + WORD),
    ('1.5.8', lambda server: server.disable_agent(), 'disable agent ' + WORD,
     'disable agent ' + WORD),
    ('2.4', lambda server: server.setcheckaddr('10.0.0.2'), SET + 'check-addr 10.0.0.2',
     SET + 'check-addr 10.0.0.5 port 85'),
    ('2.4', lambda server: server.setcheckaddr('10.0.0.2', 82),
     SET + 'check-addr 10.0.0.2 port 82', SET + 'check-addr 10.0.0.5 port 85'),
    ('1.7', lambda server: server.setcheckport(82), SET + 'check-port 82', SET + 'check-port 85'),
    ('1.8', lambda server: server.setagentaddr('10.0.0.2'), SET + 'agent-addr 10.0.0.2',
     SET + 'agent-addr 10.0.0.6 port 86'),
    ('2.4', lambda server: server.setagentaddr('10.0.0.2', 82),
     SET + 'agent-addr 10.0.0.2 port 82', SET + 'agent-addr 10.0.0.6 port 86'),
    ('1.8', lambda server: server.setagentsend('hello'), SET + 'agent-send hello', None),
]
ATTRIBUTES = {'address': '10.0.0.1', 'port': 80, 'host': 'a.example', 'resolvers': 'r', 'has_ssl': True,
              'maxconn': 9, 'check_address': '10.0.0.5', 'check_port': 85,
              'agent_address': '10.0.0.6', 'agent_port': 86}
# `set server` changes agents that run; without it they have been stopped.
EACH = pytest.mark.parametrize('since, call, sent, undo', SETTINGS, ids=[
    sent for _, _, sent, _ in SETTINGS])


def crew_of(started, sent=SET, **options):
    crew = Crew(started, **options)
    for member in crew.members:
        member.give_agent(is_enabled=sent.startswith(SET))
        member.set(**ATTRIBUTES)
    started.forget()
    return crew


def is_before(version, other):
    return captured.VERSIONS.index(version) < captured.VERSIONS.index(other)


@EACH
def test_what_is_sent(since, call, sent, undo, fleet):
    """[all or none] One change for each process; what was set is read before."""
    crew = crew_of(fleet('3.2', 2), sent)
    assert call(crew.server) is True
    assert crew.changes == [[sent]] * 2
    for received in crew.started.commands:
        assert [command for command in received if command != 'show info'][0] in (
            STATES, 'show stat 9 4 1', 'show stat 8 4 1')
        assert len(received) == 4 and received.count('show info') == 2


@EACH
@pytest.mark.parametrize('refuses', [0, 1])
def test_where_one_refuses_it_is_undone_in_the_other(since, call, sent, undo, refuses, fleet):
    """[all or none]"""
    crew = crew_of(fleet('3.2', 2), sent)
    crew[refuses].refused[sent] = REFUSAL
    with pytest.raises(exceptions.MultipleCommandResults) as caught:
        call(crew.server)
    error, other = caught.value, crew.paths[1 - refuses]
    assert crew.changes[refuses] == [sent]
    if undo is None:
        # HAProxy does not report it.
        assert crew.changes[1 - refuses] == [sent]
        assert (error.undone, error.not_undone) == ([], [other])
    else:
        assert crew.changes[1 - refuses] == [sent, undo]
        assert (error.undone, error.not_undone) == ([other], [])
    assert dict(error.by_socket)[crew.paths[refuses]] == REFUSAL
    assert error.socket_file == crew.paths[refuses]
    assert call(_Quiet(crew.server)) is False


class _Quiet(object):
    """A server whose methods get ``die=False``."""

    def __init__(self, server):
        self._server = server

    def __getattr__(self, name):
        return lambda *values: getattr(self._server, name)(*values, **{'die': False})


@EACH
@pytest.mark.parametrize('version', captured.VERSIONS)
def test_each_version(version, since, call, sent, undo, fleet):
    """[not supported] One that is too old is asked nothing but who it is."""
    if version == '3.4' and 'check-addr' in sent:
        # It refuses every one.
        return
    first, second = ('3.2' if is_before(version, since) else version), version
    started = fleet(first, 2)
    started[1].take_over(second)
    crew = crew_of(started, sent)
    if not is_before(version, since):
        assert call(crew.server) is True
        assert crew.changes[0] == crew.changes[1] and len(crew.changes[0]) == 1
        return
    with pytest.raises(exceptions.NotSupported) as caught:
        call(crew.server)
    error = caught.value
    assert error.needs == since and error.socket_file == crew.paths[1]
    assert error.has == started[1].info['Version'].split('-')[0]
    assert '{0} needs HAProxy {1}'.format(
        str(error).split(' needs ')[0], since) in str(error)
    assert not [command for received in started.commands for command in received
                if command != 'show info']


@pytest.mark.parametrize('version', ['1.5', '1.5.8'])
def test_without_the_state_of_servers_nothing_can_be_undone(version, fleet):
    """[all or none] The health of servers, before 1.6."""
    crew = crew_of(fleet(version, 2))
    crew[1].refused['health'] = REFUSAL
    with pytest.raises(exceptions.MultipleCommandResults) as caught:
        crew.server.sethealth('down')
    assert (caught.value.undone, caught.value.not_undone) == ([], crew.paths[:1])


@pytest.mark.parametrize('attribute, former, call', [
    ('address', '-', lambda server: server.setaddress('10.0.0.2')),
    ('host', None, lambda server: server.setfqdn('b.example')),
    ('check_address', '-', lambda server: server.setcheckaddr('10.0.0.2')),
    ('agent_address', '-', lambda server: server.setagentaddr('10.0.0.2')),
])
def test_what_was_not_set_before_cannot_be_undone(attribute, former, call, fleet):
    """[all or none] HAProxy has no command for it."""
    crew = crew_of(fleet('3.2', 2))
    for member in crew.members:
        member.set(**{attribute: former})
    # A HAProxy that can do what those that are known refuse.
    crew[0].process.answers.update({
        SET + 'addr 10.0.0.2': "IP changed from '' to '10.0.0.2' by 'stats socket command'\n\n",
        SET + 'fqdn b.example': 'b changed its FQDN from a to b\n\n'})
    crew[1].refused['set server'] = REFUSAL
    with pytest.raises(exceptions.MultipleCommandResults) as caught:
        call(crew.server)
    assert (caught.value.undone, caught.value.not_undone) == ([], crew.paths[:1])


def test_the_health_of_a_server_in_maintenance_is_not_known(fleet):
    """[all or none]"""
    crew = crew_of(fleet('3.2', 2))
    crew[0].put('maint')
    crew[1].refused['health'] = REFUSAL
    with pytest.raises(exceptions.MultipleCommandResults) as caught:
        crew.server.sethealth('down')
    assert caught.value.not_undone == crew.paths[:1]


@pytest.mark.parametrize('check, call, kind', [
    ('check', lambda server: server.enable_health(), 'health'),
    ('agent', lambda server: server.enable_agent(), 'agent')])
def test_checks_that_are_not_configured_are_not_enabled(check, call, kind, fleet):
    """[all or none] Up to 2.4 HAProxy answers success; one process is enough to refuse."""
    crew = crew_of(fleet('2.4', 2))
    getattr(crew[1].server, check).bits = 0
    with pytest.raises(exceptions.CommandFailed) as caught:
        call(crew.server)
    assert kind + ' checks are not configured' in str(caught.value)
    assert caught.value.socket_file == crew.paths[1]
    assert crew.changes == [[], []]


def test_each_process_is_set_as_it_was(fleet):
    """[all or none]"""
    crew = crew_of(fleet('3.2', 3))
    crew[0].set(address='10.0.0.8')
    crew[1].set(address='::1')
    crew[2].refused['addr'] = "Invalid addr 'x'"
    with pytest.raises(exceptions.MultipleCommandResults):
        crew.server.setaddress('10.0.0.2', 81)
    assert [changes[-1] for changes in crew.changes[:2]] == [
        SET + 'addr 10.0.0.8 port 80', SET + 'addr ::1 port 80']


def test_a_process_that_is_lost(fleet):
    """[all or none] It may have been changed."""
    crew = crew_of(fleet('3.2', 2))

    def losing(process, client):
        command = process.receive(client)
        reply = process.reply_to(command)
        if not command.startswith('set '):
            client.sendall(reply)
    crew[1].process.fail(losing)
    with pytest.raises(exceptions.SocketApplicationError) as caught:
        crew.server.setmaxconn(5)
    assert (caught.value.undone, caught.value.not_undone) == (crew.paths[:1], crew.paths[1:])
    assert crew.changes[0][-1] == 'set maxconn server {0} 9'.format(WORD)


def test_a_server_that_is_gone(fleet):
    crew = crew_of(fleet('3.2', 2))
    crew[1].lose_server()
    for call in (lambda: crew.server.sethealth('down'), lambda: crew.server.setmaxconn(5)):
        with pytest.raises(exceptions.NoSuchObject):
            call()
    assert crew.changes == [[], []]


@pytest.mark.parametrize('address', [u'10.0.0.2', b'10.0.0.2', 'ip_address'])
def test_forms_of_an_address(address, fleet):
    if address == 'ip_address':
        address = pytest.importorskip('ipaddress').ip_address(u'10.0.0.2')
    crew = crew_of(fleet('3.2', 1))
    assert crew.server.setaddress(address) and crew.server.setcheckaddr(address)
    assert crew.changes == [[SET + 'addr 10.0.0.2', SET + 'check-addr 10.0.0.2']]


def test_text_is_one_word(fleet):
    """[all or none; one word per text]"""
    crew = crew_of(fleet('3.2', 1))
    # HAProxy does not accept such a name.
    crew[0].process.answers[SET + 'fqdn a\\ \\<\\<'] = 'b changed its FQDN from a to b\n\n'
    assert crew.server.setagentsend('a b;c') and crew.server.setfqdn('a <<')
    assert crew.changes == [[SET + 'agent-send a\\ b\\;c', SET + 'fqdn a\\ \\<\\<']]


def test_nothing_is_said_twice_if_all_refuse(fleet):
    """[all or none] Nothing is to be undone."""
    crew = crew_of(fleet('3.2', 2))
    for member in crew.members:
        member.refused['agent'] = REFUSAL
    with pytest.raises(exceptions.CommandFailed) as caught:
        crew.server.setagent('down')
    assert str(caught.value) == REFUSAL and caught.value.undone == []
    assert crew.changes == [[SET + 'agent down']] * 2


def test_an_empty_maximum_is_no_limit(fleet):
    crew = crew_of(fleet('3.2', 2))
    crew[0].set(maxconn=0)
    crew[1].refused['maxconn'] = 'maxconn string empty or preceded by garbage'
    with pytest.raises(exceptions.MultipleCommandResults):
        crew.server.setmaxconn(5)
    assert crew.changes[0][-1] == 'set maxconn server {0} 0'.format(WORD)


def test_what_the_agent_had_found(fleet):
    crew = crew_of(fleet('3.2', 2))
    crew[0].process.reply_to(SET + 'agent down')
    crew[1].refused['agent'] = REFUSAL
    with pytest.raises(exceptions.MultipleCommandResults):
        crew.server.setagent('up')
    assert crew.changes[0] == [SET + 'agent up', SET + 'agent down']


def test_retries(fleet):
    """[retries; all or none] A change is not repeated once it may have been received."""
    crew = crew_of(fleet('3.2', 1), retry=3, retry_interval=0)
    crew[0].process.next(faults.closing())
    # The read is repeated.
    assert crew.server.setmaxconn(5) is True
    assert crew.changes == [['set maxconn server {0} 5'.format(WORD)]]
