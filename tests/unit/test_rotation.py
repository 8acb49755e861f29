# SPDX-License-Identifier: Apache-2.0
"""rotation.py, internal/rotation.py, internal/settings.py, internal/dynamic.py: what is promised.

The tests on real HAProxy cover the rest.
"""
import re

import pytest

from haproxyadmin import exceptions

BACKEND, NAME, OTHER = 'backend_proc1', 'backend_proc1_srv1', 'member1_proc1'
WORD = BACKEND + '/' + NAME
STATE = 'set server ' + WORD + ' state '
HEADER = ('1\n# be_id be_name srv_id srv_name srv_addr srv_op_state srv_admin_state srv_uweight '
          'srv_iweight srv_time_since_last_change srv_check_status srv_check_result '
          'srv_check_health srv_check_state srv_agent_state\n')
BITS = {'ready': 0, 'drain': 8, 'maint': 1}
STATUS = {'ready': 'no check', 'drain': 'DRAIN', 'maint': 'MAINT'}


class State(object):
    """The state of the server in a fake process; it handles what is sent to it.

    :ivar sent: the commands that change something.
    :ivar replies: what they are answered, where that is not an empty line.
    """

    def __init__(self, process):
        self.process = process
        self.sent = []
        self.replies = {}
        process.handler = self.handle
        self.set('ready')
        self.use(0)

    def set(self, state):
        self.state = state
        self.process.set(BACKEND, NAME, 'status', STATUS[state])

    def use(self, sessions):
        self.process.set(BACKEND, NAME, 'scur', sessions)

    def handle(self, command):
        if ';' in command:
            return None  # then it comes again, one command at a time
        if command == 'show servers state ' + BACKEND:
            return HEADER + '8 {0} 1 {1} 127.0.0.1 2 {2} 1 1 5 1 0 0 0 0\n\n'.format(
                BACKEND, NAME, BITS[self.state])
        if re.match('(set|add|del|enable|disable|shutdown) ', command):
            self.sent.append(command)
            if command in self.replies:
                return self.replies[command]
            if command.startswith(STATE):
                self.set(command[len(STATE):])
            return '\n'
        return None


@pytest.fixture
def site(fleet):
    """Two processes, the states of their server, and the server."""
    return make_site(fleet, '2.2')


def make_site(fleet, version):
    started = fleet(version, 2)
    states = [State(process) for process in started]
    return started, states, started.haproxy().server(NAME, BACKEND)[0]


def changes(states):
    return [state.sent for state in states]


class TestStatusInWords(object):

    @pytest.mark.parametrize('status, weight, up, down', [
        ('UP', '1', True, False), ('UP 1/3', '1', True, False), ('no check', '1', True, False),
        ('UP', '0', False, False), ('NOLB', '1', False, False), ('DOWN', '1', False, True),
        ('DOWN 1/2', '1', False, True), ('DOWN (agent)', '1', False, True),
        ('DRAIN', '1', False, False), ('MAINT', '1', False, False),
        ('MAINT (via a/b)', '1', False, False)])
    def test_of_a_server(self, site, status, weight, up, down):
        """[status in words]"""
        started, _, server = site
        for process in started:
            process.set(BACKEND, NAME, 'status', status)
            process.set(BACKEND, NAME, 'weight', weight)
        assert (server.is_up, server.is_down) == (up, down)

    def test_processes_may_differ(self, site):
        """[status in words]"""
        _, states, server = site
        states[1].set('maint')
        with pytest.raises(exceptions.IncosistentData):
            server.status
        assert (server.is_up, server.is_maintenance) == (False, False)
        states[0].set('maint')
        assert server.is_maintenance


class TestOutAndBack(object):

    def test_it_is_drained_and_then_in_maintenance(self, site):
        """[out of rotation]"""
        _, states, server = site
        taken = server.takeout(timeout=30, interval=0)
        assert (taken.sessions, taken.changed, taken.reloaded) == (0, True, False)
        assert changes(states) == [[STATE + 'drain', STATE + 'maint']] * 2
        assert not server.takeout(timeout=30, interval=0).changed
        assert changes(states) == [[STATE + 'drain', STATE + 'maint']] * 2

    def test_a_server_in_maintenance_stays_there(self, site):
        """[out of rotation]"""
        _, states, server = site
        states[0].set('maint')
        states[1].set('drain')
        with server.out_of_rotation(timeout=30, interval=0, keep_up=0):
            assert [state.state for state in states] == ['maint', 'maint']
        assert [state.state for state in states] == ['maint', 'drain']

    @pytest.mark.parametrize('restore, after', [(False, 'maint'), (True, 'drain')])
    def test_after_an_exception(self, site, restore, after):
        """[out of rotation]"""
        _, states, server = site
        for state in states:
            state.set('drain')
        with pytest.raises(KeyboardInterrupt):
            with server.out_of_rotation(timeout=30, interval=0, keep_up=0,
                                        restore_on_error=restore):
                raise KeyboardInterrupt
        assert [state.state for state in states] == [after, after]

    def test_at_the_deadline_it_stays_out(self, site):
        """[out of rotation] [waiting]"""
        _, states, server = site
        states[1].use(3)
        with pytest.raises(exceptions.WaitTimeout) as caught:
            server.takeout(timeout=0.05, interval=0)
        assert caught.value.result.sessions == 3
        assert [state.state for state in states] == ['maint', 'maint']

    def test_too_few_others(self, site):
        """[out of rotation]"""
        started, states, server = site
        for process in started:
            process.keep(BACKEND)
        with pytest.raises(exceptions.CommandFailed) as caught:
            server.takeout(timeout=30, keep_up=99)
        assert 'keep_up is 99' in str(caught.value) and changes(states) == [[], []]


class TestAllOrNone(object):

    def test_a_state_that_one_process_refuses(self, site):
        """[all or none]"""
        started, states, server = site
        states[1].replies[STATE + 'drain'] = 'Proxy is disabled.\n\n'
        with pytest.raises(exceptions.MultipleCommandResults) as caught:
            server.drain(timeout=30)
        assert [state.state for state in states] == ['ready', 'ready']
        assert caught.value.undone == started.paths[:1] and caught.value.not_undone == []

    @pytest.mark.parametrize('call', [
        lambda server: server.setssl(True), lambda server: server.setcheckaddr('1.2.3.4'),
        lambda server: server.setagentaddr('1.2.3.4', 80)])
    def test_one_old_process_is_enough(self, fleet, call):
        """[not supported]"""
        started, states, server = make_site(fleet, '2.4')
        started[1].take_over('2.2')
        states[1] = State(started[1])
        with pytest.raises(exceptions.NotSupported) as caught:
            call(server)
        assert (caught.value.needs, caught.value.has) == ('2.4', '2.2.9')
        assert caught.value.socket_file == started.paths[1] and changes(states) == [[], []]


class TestDynamicServers(object):
    ADD = 'add server ' + BACKEND + '/new 10.0.0.9:80'
    READY = 'set server ' + BACKEND + '/new state ready'

    def test_one_is_added_everywhere(self, fleet):
        """[dynamic servers]"""
        started, states, _ = make_site(fleet, '2.6')
        backend = started.haproxy().backend(BACKEND)
        for state in states:
            state.replies[self.ADD] = 'New server registered.\n\n'
        assert backend.add_server('new', '10.0.0.9:80').name == 'new'
        assert changes(states) == [[self.ADD, self.READY]] * 2

    def test_or_nowhere(self, fleet):
        """[dynamic servers]"""
        started, states, _ = make_site(fleet, '2.6')
        backend = started.haproxy().backend(BACKEND)
        states[0].replies[self.ADD] = 'New server registered.\n\n'
        states[1].replies[self.ADD] = 'Already exists a server with the same name in backend.\n\n'
        states[0].replies['del server ' + BACKEND + '/new'] = 'Server deleted.\n\n'
        with pytest.raises(exceptions.MultipleCommandResults) as caught:
            backend.add_server('new', '10.0.0.9:80')
        assert caught.value.undone == started.paths[:1]
        assert states[0].sent[-1] == 'del server ' + BACKEND + '/new'
