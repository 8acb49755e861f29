# SPDX-License-Identifier: Apache-2.0
"""servers_state.py, internal/servers_state.py: read, save and restore the state of servers."""
import errno
import json
import os

import pytest

from haproxyadmin import exceptions
from haproxyadmin.internal import files
from haproxyadmin.servers_state import NotRestored
from haproxyadmin.testing import faults
from haproxyadmin.testing.configuration import Proxy
from haproxyadmin.testing.families.server_state import AGENT, Check
from haproxyadmin.testing.texts import text
from tests.support import captured

BACKEND = 'backend_proc1'
S1, S2 = BACKEND + '_srv1', BACKEND + '_srv2'
READ = 'show info;show servers state;show stat -1 6 -1'
OUT = [READ, 'show info']
VERSIONS = [version for version in captured.VERSIONS if version >= '1.6']


class Row(object):
    """A server of the fake, with the columns of ``show servers state`` as the keys of a dict.

    What only HAProxy itself changes is shown as it was set here.
    """

    ATTRIBUTES = {
        'srv_addr': 'address', 'srv_port': 'port', 'srv_uweight': 'weight',
        'srv_iweight': 'first_weight', 'srv_admin_state': 'admin', 'srv_fqdn': 'host',
        'srv_use_ssl': 'uses_ssl', 'srv_check_addr': 'check_address',
        'srv_check_port': 'check_port', 'srv_agent_addr': 'agent_address',
        'srv_agent_port': 'agent_port'}

    def __init__(self, servers, state):
        self.servers = servers
        self.state = state

    def dict(self):
        return dict(zip(self.servers.columns, self.servers.line(self.state).split(' ')))

    def __getitem__(self, column):
        return self.dict()[column]

    def __setitem__(self, column, value):
        self.update({column: value})

    def update(self, columns=(), **more):
        for column, value in dict(columns, **more).items():
            name = self.ATTRIBUTES.get(column)
            if name is None:
                self.state.shown[column] = value
            elif column == 'srv_fqdn':
                self.state.host, self.state.resolvers = None if value == '-' else value, 'r'
            else:
                setattr(self.state, name, int(value) if value.isdigit() else value)


class Servers(object):
    """The servers of a fake process.

    ``refused`` contains what is answered to commands that begin with a text.
    """

    def __init__(self, process):
        self.process = process
        self.refused = {}
        process.handler = self.answer
        self.read()

    def read(self):
        """Begin with the state of the process's version."""
        self.process.keep(BACKEND, 'frontend_proc1')
        state = self.row(S1).state
        state.has_ssl = True
        state.agent = Check(True, 1, 1, AGENT)
        reply = text(self.process.reply_to('show servers state ' + BACKEND))
        self.columns = reply.split('\n')[1][2:].split()

    @property
    def states(self):
        return self.process.servers

    def row(self, name):
        return Row(self, self.states.get(BACKEND, name))

    def names(self):
        return [state.name for state in self.states.states if state.backend == BACKEND]

    def line(self, state):
        return state.line(self.states.proxy(BACKEND), len(self.columns)).rstrip('\n')

    def lines(self):
        return [self.line(state) for state in self.states.states if state.backend == BACKEND]

    def remove(self, name):
        self.states.remove(self.states.get(BACKEND, name))

    def add(self, name):
        self.process.reply_to('add server {0}/{1} 10.0.0.9:80'.format(BACKEND, name))
        return self.row(name)

    def answer(self, command):
        for start, reply in self.refused.items():
            if command.startswith(start):
                return reply
        return None


class Site(object):
    """Processes, the library's object, and the file."""

    def __init__(self, fleet, tmpdir, version, count):
        self.started = fleet(version, count)
        self.servers = [Servers(process) for process in self.started]
        self.hap = self.started.haproxy()
        self.path = str(tmpdir.join('servers.state'))
        self.extras = self.path + '.json'

    def save(self, **options):
        result = self.hap.save_servers_state(self.path, **options)
        self.started.forget()
        return result

    def restore(self, **options):
        self.started.forget()
        return self.hap.restore_servers_state(self.path, **options)

    def row(self, name=S1, number=0):
        return self.servers[number].row(name)

    @property
    def rows(self):
        """The rows of all processes that have a server."""
        return [servers.row(S1) for servers in self.servers]

    def sent(self, number=0):
        """Return the commands that a process received, except reads."""
        return [command for command in self.started.commands[number]
                if not command.startswith('show ')]

    def content(self, path=None):
        with open(path or self.path) as saved:
            return saved.read()

    def rewrite(self, old, new):
        text = self.content()
        assert old in text
        with open(self.path, 'w') as saved:
            saved.write(text.replace(old, new))

    def extra(self, **parts):
        """Change the second file."""
        found = json.loads(self.content(self.extras))
        found.update(parts)
        with open(self.extras, 'w') as saved:
            json.dump(found, saved)


@pytest.fixture
def make(fleet, tmpdir):
    return lambda version='3.2', count=1: Site(fleet, tmpdir, version, count)


@pytest.fixture
def site(make):
    return make()


class TestReading(object):

    @pytest.mark.parametrize('version', VERSIONS)
    def test_a_dict_for_each_server_of_each_process(self, make, version):
        """[one command per call; stable order]"""
        site = make(version, 2)
        states = site.hap.servers_state(BACKEND)
        lines = [line.split(' ') for line in site.servers[0].lines()]
        columns = site.servers[0].columns
        assert [[state[name] for name in columns] for state in states] == lines * 2
        assert [(state['process_nb'], state['socket_file']) for state in states] == [
            (process.number, process.path) for process in site.started for _ in lines]
        assert set(states[0]) == set(columns) | set(['process_nb', 'socket_file'])
        assert site.started.commands == [['show servers state ' + BACKEND]] * 2

    def test_all_servers(self, site):
        site.hap.servers_state()
        assert site.started.commands == [['show servers state']]

    def test_a_backend_that_no_process_has(self, make):
        site = make(count=2)
        with pytest.raises(exceptions.CommandFailed) as caught:
            site.hap.servers_state('none')
        assert str(caught.value) == "Can't find backend."
        assert caught.value.command == 'show servers state none'

    def test_a_backend_that_one_process_does_not_have(self, make):
        site = make(count=2)
        site.servers[0].refused = {'show servers state ': "Can't find backend.\n\n"}
        assert set(state['socket_file'] for state in site.hap.servers_state(BACKEND)) == set(
            [site.started.paths[1]])

    def test_versions_before_1_6(self, fleet, tmpdir):
        started = fleet('1.5', 1)
        hap = started.haproxy()
        path = str(tmpdir.join('x'))
        for call in (hap.servers_state, lambda: hap.save_servers_state(path)):
            with pytest.raises(exceptions.NotSupported) as caught:
                call()
            assert caught.value.needs == '1.6'
        assert not os.path.exists(path)
        assert started.commands == [[]]

    @pytest.mark.parametrize('wrong', ['', 'a\nb', '#3', True])
    def test_wrong_names(self, site, wrong):
        """[argument checks]"""
        with pytest.raises(ValueError):
            site.hap.servers_state(wrong)
        assert site.started.commands == [[]]


class TestSaving(object):

    @pytest.mark.parametrize('version', VERSIONS)
    def test_the_rows_are_haproxys_own(self, make, version):
        site = make(version)
        assert site.hap.save_servers_state(site.path) is True
        servers = site.servers[0]
        assert site.content() == '\n'.join(
            ['1', '# ' + ' '.join(servers.columns)] + servers.lines() + [''])
        assert site.started.commands == [[READ]]
        maxconns = json.loads(site.content(site.extras))['servers']
        assert maxconns == dict(
            (BACKEND + '/' + name, {'maxconn': int(
                site.started[0].get(BACKEND, name, 'slim') or 0)}) for name in servers.names())

    def test_servers_that_show_stat_does_not_list_are_left_out(self, site):
        """Those of proxies that are disabled, and of HAProxy's own MASTER."""
        site.row(S2).update(be_name='MASTER', srv_name='cur-1')
        site.save()
        assert 'MASTER' not in site.content() and S1 in site.content()

    def test_an_address_that_1_8_does_not_print(self, make):
        site = make('1.8')
        site.row()['srv_addr'] = ''
        site.save()
        assert site.servers[0].lines()[0] in site.content().split('\n')
        assert site.restore() == []

    def test_some_servers(self, site):
        server = site.hap.backend(BACKEND).server(S2)
        site.save(servers=[server])
        assert [line.split(' ')[3] for line in site.content().split('\n')[2:-1]] == [S2]
        assert list(json.loads(site.content(site.extras))['servers']) == [BACKEND + '/' + S2]
        site.save(servers=iter([u'{0}/{1}'.format(BACKEND, S1).encode('ascii'), server]))
        assert [line.split(' ')[3] for line in site.content().split('\n')[2:-1]] == [S1, S2]

    @pytest.mark.parametrize('servers, text', [
        ([BACKEND + '/backend_proc1_srv1x'], "did you mean 'backend_proc1/backend_proc1_srv1'"),
        ([S1], "no server 'backend_proc1_srv1'"), ([], 'empty'), ('a/b', 'several'), (5, 'several'),
        ([5], "'backend/server'"), ([None], "'backend/server'")])
    def test_wrong_servers(self, site, servers, text):
        """[what is not there] Nothing is written."""
        with pytest.raises(ValueError) as caught:
            site.save(servers=servers)
        assert text in str(caught.value)
        assert not os.path.exists(site.path) and not os.path.exists(site.extras)

    @pytest.mark.parametrize('wrong', ['', None, 5, 'a\0b'])
    def test_wrong_paths(self, site, wrong):
        """[argument checks]"""
        for call in (site.hap.save_servers_state, site.hap.restore_servers_state):
            with pytest.raises(ValueError):
                call(wrong)
        assert site.started.commands == [[]]

    @pytest.mark.parametrize('column, value, field, shown', [
        ('srv_addr', '10.0.0.9', 'address', '10.0.0.9'), ('srv_port', '9', 'port', '9'),
        ('srv_uweight', '9', 'weight', '9'), ('srv_admin_state', '1', 'state', 'maint'),
        ('srv_admin_state', '8', 'state', 'drain'), ('srv_use_ssl', '1', 'ssl', '1'),
        ('srv_check_addr', '10.0.0.9', 'check_address', '10.0.0.9'),
        ('srv_check_port', '9', 'check_port', '9'),
        ('srv_agent_addr', '10.0.0.9', 'agent_address', '10.0.0.9'),
        ('srv_agent_port', '9', 'agent_port', '9')])
    def test_processes_that_differ(self, make, column, value, field, shown):
        site = make(count=3)
        site.row(number=1)[column] = value
        name = BACKEND + '/' + S1
        with pytest.raises(exceptions.IncosistentData) as caught:
            site.save()
        found = [own for _, own in caught.value.by_socket]
        assert [path for path, _ in caught.value.by_socket] == site.started.paths
        assert found[1] == {name: {field: shown}}
        assert found[0] == found[2] != found[1] and list(found[0][name]) == [field]
        assert [number for number, _ in caught.value.results] == [1, 1, 1]
        assert name in str(caught.value)
        assert not os.path.exists(site.path) and not os.path.exists(site.extras)
        assert site.save(socket=site.started.paths[1]) is True
        assert site.servers[1].lines()[0] in site.content().split('\n')
        # What is not saved may differ.
        assert site.save(servers=[BACKEND + '/' + S2]) is True

    def test_limits_that_differ(self, make):
        site = make(count=2)
        site.started[1].set(BACKEND, S1, 'slim', '77')
        with pytest.raises(exceptions.IncosistentData) as caught:
            site.save()
        assert caught.value.by_socket[1][1] == {BACKEND + '/' + S1: {'maxconn': 77}}

    def test_a_server_that_one_process_does_not_have(self, make):
        site = make(count=2)
        site.servers[0].remove(S1)
        with pytest.raises(exceptions.IncosistentData) as caught:
            site.save()
        found = [own[BACKEND + '/' + S1] for _, own in caught.value.by_socket]
        assert found[0] is None and found[1]['weight'] == site.row(number=1)['srv_uweight']

    @pytest.mark.parametrize('column, value', [
        ('srv_op_state', '0'), ('srv_time_since_last_change', '99'), ('srv_check_status', '7'),
        ('srv_check_result', '2'), ('srv_check_health', '0'), ('srv_admin_state', '4'),
        ('srv_admin_state', '34'), ('srv_agent_state', '2'), ('srv_id', '7'), ('be_id', '99')])
    def test_what_may_differ(self, make, column, value):
        site = make(count=2)
        for row in site.rows:
            row['srv_agent_state'] = '0'
        site.row(number=1)[column] = value
        assert site.save() is True
        assert site.servers[0].lines()[0] in site.content().split('\n')

    @pytest.mark.parametrize('named, columns', [
        ({'srv_fqdn': 'a.test'}, ['srv_addr']),
        ({'srv_fqdn': 'a.test', 'srvrecord': '_http._tcp.test'}, ['srv_addr', 'srv_port', 'srv_fqdn'])])
    def test_what_resolvers_find_may_differ(self, make, named, columns):
        site = make(count=2)
        for row in site.rows:
            row.update(named)
        for column in columns:
            site.row(number=1)[column] = '9'
        assert site.save() is True

    def test_each_process_may_have_other_backends(self, make):
        site = make('2.2', 2)
        other = site.servers[1]
        proxy = Proxy('backend', 'other', 0)
        proxy.iid = 8
        other.states.proxies = [proxy]
        for state in other.states.states:
            state.backend = 'other' if state.backend == BACKEND else None
        for row in site.started[1].rows:
            if row[0] == BACKEND:
                row[0] = 'other'
        assert site.save() is True
        assert [line.split(' ')[1] for line in site.content().split('\n')[2:-1]] == (
            [BACKEND] * len(site.servers[0].names()) + ['other'] * len(site.servers[0].names()))
        assert site.restore() == []

    def test_versions_that_have_other_columns(self, make, tmpdir):
        site = make('2.2', 2)
        site.started[1].take_over('3.2', pid=1)
        site.servers[1].read()
        with pytest.raises(exceptions.IncosistentData) as caught:
            site.save()
        assert caught.value.by_socket[0][1].startswith('# be_id')
        assert site.save(socket=site.started.paths[1]) is True

    def test_a_socket_that_is_not_there(self, make):
        site = make(count=2)
        for call in (site.save, site.restore):
            with pytest.raises(ValueError) as caught:
                call(socket=site.started.paths[0] + '1')
            assert all(path in str(caught.value) for path in site.started.paths)
        assert site.started.commands == [[], []]

    def test_a_worker_that_is_stopping_is_asked_again(self, make):
        site = make('2.2')
        site.started[0].info['Stopping'] = '1'
        with pytest.raises(exceptions.SocketApplicationError) as caught:
            site.hap.save_servers_state(site.path)
        assert 'stopping' in str(caught.value)
        assert site.started.commands == [[READ] * 2]
        assert not os.path.exists(site.path)

    def test_die(self, site):
        """[verdicts]"""
        assert site.hap.save_servers_state(site.path, servers=[], die=False) is False
        assert site.hap.restore_servers_state(site.path, die=False) is False

    def test_the_extras_are_written_first(self, site, monkeypatch):
        """A server that was added is then never without its arguments."""
        site.save()
        before = site.content()
        site.row()['srv_uweight'] = '5'
        site.started[0].set(BACKEND, S1, 'slim', '5')
        rename, done = os.rename, []

        def once(*arguments):
            if done:
                raise OSError(errno.ENOSPC, 'No space left on device')
            done.append(1)
            rename(*arguments)
        monkeypatch.setattr(files.os, 'rename', once)
        with pytest.raises(OSError):
            site.save()
        monkeypatch.undo()
        assert site.content() == before
        assert json.loads(site.content(site.extras))['servers'][
            BACKEND + '/' + S1] == {'maxconn': 5}
        assert sorted(os.listdir(os.path.dirname(site.path))) == [
            'servers.state', 'servers.state.json']


ARGUMENTS = {'address': '10.0.0.9:80', 'weight': None, 'check': False, 'ready': True,
             'keywords': {}}


class TestArguments(object):
    """The arguments of servers that were added."""

    def add(self, site, name='new'):
        site.hap._processes[0].endpoint.added[BACKEND, name] = ARGUMENTS
        site.servers[0].add(name)

    def added(self, site):
        return json.loads(site.content(site.extras))['added']

    def test_they_are_saved(self, site):
        self.add(site)
        site.save()
        assert self.added(site) == {BACKEND + '/new': ARGUMENTS}

    def test_those_of_a_server_that_is_gone_are_not(self, site):
        self.add(site)
        site.servers[0].remove('new')
        site.save()
        assert self.added(site) == {}

    def test_those_that_another_program_has_saved_are_kept(self, site):
        self.add(site, 'first')
        self.add(site, 'second')
        site.save()
        site.hap._processes[0].endpoint.added.clear()
        site.servers[0].remove('second')
        site.save()
        assert self.added(site) == {BACKEND + '/first': ARGUMENTS}

    def test_a_file_of_something_else_is_not_overwritten(self, site):
        with open(site.extras, 'w') as other:
            other.write('{"a": 1}')
        with pytest.raises(ValueError) as caught:
            site.save()
        assert site.extras in str(caught.value)
        assert site.content(site.extras) == '{"a": 1}' and not os.path.exists(site.path)
        assert site.started.commands == [[]]

    @pytest.mark.parametrize('state, ready', [('0', True), ('1', False), ('8', False)])
    def test_a_missing_server_is_added_with_them(self, site, state, ready):
        self.add(site)
        site.row('new').update(srv_admin_state=state, srv_addr='10.0.0.10', srv_port='81')
        site.save()
        site.servers[0].remove('new')
        assert site.restore() == []
        word = '{0}/new'.format(BACKEND)
        states = {'0': ['set server {0} state ready'.format(word)], '1': [],
                  '8': ['set server {0} state drain'.format(word)]}[state]
        assert site.sent() == ['add server {0} 10.0.0.10:81'.format(word)] + states

    def test_one_that_cannot_be_added_is_reported_once(self, site):
        self.add(site)
        site.save()
        site.servers[0].remove('new')
        site.servers[0].refused = {'add server ': 'Backend must use a dynamic load balancing\n\n'}
        failure, = site.restore()
        assert failure[:3] == (BACKEND + '/new', 'server', '10.0.0.9:80')
        assert failure.reason == 'Backend must use a dynamic load balancing'

    def test_a_version_that_cannot_add_servers(self, make):
        site = make('2.2')
        site.save()
        site.extra(added={BACKEND + '/new': ARGUMENTS})
        failure, = site.restore()
        assert failure[:2] == (BACKEND + '/new', 'server') and 'needs HAProxy 2.4' in failure.reason
        assert site.sent() == []

    def test_arguments_for_which_there_is_no_backend(self, site):
        site.save()
        site.extra(added={'none/new': ARGUMENTS})
        assert site.restore() == [NotRestored(
            'none/new', 'server', 'new', "there is no backend 'none', or it is disabled", None)]


WORD = BACKEND + '/' + S1


class TestRestoring(object):

    @pytest.mark.parametrize('version', VERSIONS)
    def test_what_is_the_same_is_only_read(self, make, version):
        """[state over reloads]"""
        site = make(version, 2)
        site.save()
        assert site.restore() == []
        assert site.started.commands == [[READ]] * 2

    @pytest.mark.parametrize('column, value, commands', [
        ('srv_uweight', '5', ['set weight {0} 5']),
        ('srv_admin_state', '1', ['set server {0} state maint']),
        ('srv_admin_state', '8', ['set server {0} state drain']),
        ('srv_check_addr', '10.0.0.7', ['set server {0} check-addr 10.0.0.7']),
        ('srv_check_port', '7', ['set server {0} check-port 7']),
        ('srv_agent_addr', '10.0.0.7', ['set server {0} agent-addr 10.0.0.7']),
        ('srv_agent_port', '7', ['set server {0} agent-port 7']),
        ('srv_use_ssl', '1', ['set server {0} ssl on']),
        ('srv_addr', '10.0.0.7', [
            'set server {0} state maint', 'set server {0} addr 10.0.0.7',
            'set server {0} state ready']),
        ('srv_addr', '::1', [
            'set server {0} state maint', 'set server {0} addr ::1', 'set server {0} state ready']),
        ('srv_port', '7', [
            'set server {0} state maint', 'set server {0} addr 127.0.0.1 port 7',
            'set server {0} state ready']),
        ('srv_fqdn', 'a.test', [
            'set server {0} state maint', 'set server {0} fqdn a.test',
            'set server {0} state ready']),
    ])
    def test_what_differs_is_set(self, make, column, value, commands):
        """In all processes, each with the same commands, and a second time it costs nothing."""
        site = make(count=2)
        if column == 'srv_fqdn':
            for row in site.rows:
                row[column] = 'b.test'
        before = [row[column] for row in site.rows]
        for row in site.rows:
            row[column] = value
        site.save()
        for row, old in zip(site.rows, before):
            row[column] = old
        assert site.restore(timeout=0) == []
        assert [row[column] for row in site.rows] == [value] * 2
        assert [site.sent(number) for number in (0, 1)] == [
            [command.format(WORD) for command in commands]] * 2
        assert site.restore() == []
        assert site.started.commands == [[READ]] * 2

    def test_the_order(self, site):
        """[state over reloads] Out of rotation first, into it last."""
        site.row(S2)['srv_admin_state'] = '8'
        site.row().update(srv_addr='10.0.0.7', srv_port='7', srv_uweight='5', srv_check_port='8',
                          srv_check_addr='10.0.0.8', srv_use_ssl='1')
        site.started[0].set(BACKEND, S1, 'slim', '9')
        site.save()
        site.row(S2)['srv_admin_state'] = '0'
        site.row().update(srv_addr='127.0.0.1', srv_port='80', srv_uweight='100',
                          srv_check_port='0', srv_check_addr='-', srv_use_ssl='0')
        site.started[0].set(BACKEND, S1, 'slim', '')
        assert site.restore() == []
        assert site.started.commands == [[READ] + [command.format(BACKEND) for command in (
            'set server {0}/backend_proc1_srv1 state maint',
            'set server {0}/backend_proc1_srv2 state drain',
            'set server {0}/backend_proc1_srv1 addr 10.0.0.7 port 7',
            'show servers state',
            'set server {0}/backend_proc1_srv1 ssl on',
            'set server {0}/backend_proc1_srv1 check-addr 10.0.0.8',
            'set server {0}/backend_proc1_srv1 check-port 8',
            'set maxconn server {0}/backend_proc1_srv1 9',
            'set weight {0}/backend_proc1_srv1 5',
            'set server {0}/backend_proc1_srv1 state ready')] + ['show info']]

    def test_an_address_that_is_applied_later_is_waited_for(self, site):
        moved(site)
        site.started[0].servers.delay = 3
        assert site.restore() == []
        commands = site.started.commands[0]
        assert commands.count('show servers state') == 4
        assert commands[-2:] == ['set server {0} state ready'.format(WORD), 'show info']

    def test_one_that_is_not_applied_keeps_the_server_out(self, site):
        """[state over reloads; waiting]"""
        moved(site)
        site.started[0].servers.delay = 10 ** 6
        reports = []
        failure, = site.restore(timeout=0.05, interval=0.02, progress=reports.append)
        assert failure == NotRestored(
            WORD, 'address', '10.0.0.7:{0}'.format(site.row()['srv_port']),
            'HAProxy does not show it after 0.05 s; the server stays in maintenance',
            site.started.paths[0])
        assert site.row()['srv_admin_state'] == '1'
        assert tuple(reports[0]) == (0, 1, 'addresses are applied')

    @pytest.mark.parametrize('refused', ['addr', 'state'])
    def test_what_haproxy_refuses_is_reported(self, make, refused):
        """[state over reloads] In that process only; the others are restored."""
        site = make(count=2)
        moved(site)
        site.servers[0].refused = {'set server {0} {1}'.format(WORD, refused): 'Invalid addr x.\n\n'}
        failure, = site.restore()
        assert failure[:2] == (WORD, 'address') and failure[4] == site.started.paths[0]
        assert failure.reason == ('Invalid addr x.; the server stays in maintenance'
                                  if refused == 'addr' else 'Invalid addr x.')
        assert [row['srv_addr'] for row in site.rows] == ['127.0.0.1', '10.0.0.7']
        assert [row['srv_admin_state'] for row in site.rows] == [
            '1' if refused == 'addr' else '0', '0']

    def test_a_server_in_maintenance_stays_there(self, site):
        moved(site, srv_admin_state='1')
        site.row()['srv_admin_state'] = '5'
        assert site.restore() == []
        assert site.sent() == ['set server {0} addr 10.0.0.7'.format(WORD)]

    @pytest.mark.parametrize('saved, now, commands, failures', [
        # The resolvers find the address.
        ({'srv_fqdn': 'a.test', 'srv_addr': '10.0.0.7'}, {'srv_fqdn': 'a.test'}, [], []),
        # The port is not theirs.
        ({'srv_fqdn': 'a.test', 'srv_addr': '10.0.0.7', 'srv_port': '7'}, {'srv_fqdn': 'a.test'},
         ['state maint', 'addr 127.0.0.1 port 7', 'state ready'], []),
        # Unless they know a record for it.
        ({'srvrecord': '_a._tcp.test', 'srv_fqdn': 'a.test', 'srv_addr': '10.0.0.7',
          'srv_port': '7'}, {'srvrecord': '_a._tcp.test', 'srv_fqdn': 'b.test'}, [], []),
        # The configuration has changed.
        ({'srv_addr': '10.0.0.7'}, {'srv_fqdn': 'a.test'}, [], [('address', '10.0.0.7')]),
        ({'srv_addr': '10.0.0.7'}, {'srv_addr': '-', 'srv_port': '0'}, [],
         [('address', '10.0.0.7:80')]),
        ({'srv_addr': '-', 'srv_port': '0'}, {}, [], [('address', ':0')]),
        # HAProxy has no command for it.
        ({'srv_check_addr': '-'}, {'srv_check_addr': '10.0.0.7'}, [], [('check_address', '')]),
        ({'srv_check_port': '0'}, {'srv_check_port': '7'}, ['check-port 0'], []),
    ])
    def test_what_is_not_simply_set(self, site, saved, now, commands, failures):
        site.row()['srv_port'] = '80'
        before = site.row().dict()
        site.row().update(saved)
        site.save()
        site.row().update(before)
        site.row().update(now)
        found = site.restore()
        assert [failure[1:3] for failure in found] == failures
        assert site.sent() == ['set server {0} {1}'.format(WORD, command) for command in commands]

    @pytest.mark.parametrize('saved, now, command', [
        # uweight and iweight; the last two are what the configuration says.
        (('100', '100'), ('30', '30'), None),
        (('100', '100'), ('20', '30'), 'set weight {0} 100%'),
        (('20', '100'), ('30', '30'), 'set weight {0} 20'),
        (('30', '100'), ('20', '30'), 'set weight {0} 100%'),
        (('0', '100'), ('100', '100'), 'set weight {0} 0'),
    ])
    def test_weights(self, site, saved, now, command):
        site.row().update(srv_uweight=saved[0], srv_iweight=saved[1])
        site.save()
        site.row().update(srv_uweight=now[0], srv_iweight=now[1])
        assert site.restore() == []
        assert site.sent() == ([command.format(WORD)] if command else [])

    def test_a_limit_that_is_gone(self, site):
        site.started[0].set(BACKEND, S1, 'slim', '')
        site.save()
        site.started[0].set(BACKEND, S1, 'slim', '5')
        assert site.restore() == []
        assert site.sent() == ['set maxconn server {0} 0'.format(WORD)]

    def test_without_the_extras(self, site):
        site.save()
        os.unlink(site.extras)
        site.started[0].set(BACKEND, S1, 'slim', '5')
        site.row()['srv_uweight'] = '7'
        assert site.restore() == []
        assert len(site.sent()) == 1

    @pytest.mark.parametrize('saved, now', [('1.7', '3.2'), ('3.2', '1.7'), ('2.2', '3.2')])
    def test_the_file_of_another_version(self, make, saved, now):
        site = make(saved)
        site.row()['srv_uweight'] = '7'
        if saved > '2.4':
            site.row()['srv_check_addr'] = '10.0.0.7'
        site.save()
        site.started[0].take_over(now)
        site.servers[0].read()
        failures = site.restore()
        assert [failure[1] for failure in failures if failure.server == WORD] == (
            ['check_address', 'check_port', 'agent_port'] if saved == '3.2' else [])
        assert site.row()['srv_uweight'] == '7'

    def test_versions_that_cannot_set_it(self, make):
        site = make('1.6')
        site.save()
        site.extra(servers={WORD: {'maxconn': 5}})
        failure, = site.restore()
        assert failure[:3] == (WORD, 'maxconn', 5) and 'needs HAProxy 1.7' in failure.reason
        assert site.sent() == []

    def test_what_is_gone_is_reported(self, make):
        site = make(count=2)
        site.save()
        site.rewrite(' {0} 2 {1} '.format(BACKEND, S2), ' gone 2 {0} '.format(S2))
        site.started[0].remove(BACKEND, S1)
        found = site.restore()
        assert found == [
            NotRestored(WORD, 'server', S1, "there is no server '{0}'".format(S1),
                        site.started.paths[0]),
            NotRestored('gone/' + S2, 'server', S2,
                        "there is no backend 'gone', or it is disabled", None)]
        assert [site.sent(0), site.sent(1)] == [[], []]

    def test_one_process(self, make):
        site = make(count=2)
        moved(site)
        assert site.restore(socket=site.started.paths[1]) == []
        assert site.started.commands[0] == []
        assert [row['srv_addr'] for row in site.rows] == ['127.0.0.1', '10.0.0.7']

    @pytest.mark.parametrize('text', ['', '1\n', '2\n# be_id be_name\n'])
    def test_a_malformed_file(self, site, text):
        """[argument checks] Nothing is sent."""
        with open(site.path, 'w') as saved:
            saved.write(text)
        with pytest.raises(ValueError) as caught:
            site.restore()
        assert '{0}, line '.format(site.path) in str(caught.value)
        assert site.started.commands == [[]]

    def test_malformed_extras(self, site):
        site.save()
        with open(site.extras, 'w') as saved:
            saved.write('{')
        with pytest.raises(ValueError):
            site.restore()
        assert site.started.commands == [[]]

    def test_no_file(self, site):
        with pytest.raises(EnvironmentError) as caught:
            site.restore()
        assert caught.value.errno == errno.ENOENT
        assert site.started.commands == [[]]

    def test_a_hostile_file(self, site):
        """[one word per text]"""
        site.save()
        port = site.row()['srv_port']
        site.rewrite('{0} 127.0.0.1 '.format(S1), '{0} 1;disable\\<<frontend '.format(S1))
        site.servers[0].refused = {'set server {0} addr'.format(WORD): 'Invalid addr\n\n'}
        failure, = site.restore()
        assert failure.wanted == '1;disable\\<<frontend:' + port
        assert site.sent()[1] == (
            'set server {0} addr 1\\;disable\\\\\\<\\<frontend'.format(WORD))

    @pytest.mark.parametrize('option', ['timeout', 'interval', 'progress'])
    def test_wrong_options(self, site, option):
        """[argument checks]"""
        site.save()
        with pytest.raises(ValueError):
            site.restore(**{option: 'x'})
        assert site.started.commands == [[]]

    def test_a_process_that_is_lost(self, make):
        """[verdicts] The others are restored; the error says what could not be."""
        site = make(count=2)
        moved(site)
        site.servers[1].refused = {'set server {0} addr'.format(WORD): 'Invalid addr x\n\n'}
        site.started[0].next(faults.answering(), faults.closing())
        with pytest.raises(exceptions.HAProxySocketError) as caught:
            site.restore()
        assert caught.value.socket_file == site.started.paths[0]
        (path, failures), = caught.value.by_socket
        assert path == site.started.paths[1] and failures[0].server == WORD
        assert site.row(number=1)['srv_admin_state'] == '1'
        # Nothing more is sent to the one that is lost.
        assert site.sent(0) == ['set server {0} state maint'.format(WORD)]

    def test_a_process_that_is_replaced_is_restored_again(self, make):
        site = make(count=2)
        moved(site)
        answer, times = site.started[0].handler, []

        def replaced(command):
            if ' state ready' in command and not times:
                times.append(1)
                site.started[0].take_over('3.2')
                site.servers[0].read()
            return answer(command)
        site.started[0].handler = replaced
        assert site.restore() == []
        assert [row['srv_addr'] for row in site.rows] == ['10.0.0.7', '10.0.0.7']
        assert [commands.count(READ) for commands in site.started.commands] == [2, 1]

    def test_one_that_is_replaced_again_and_again(self, site):
        moved(site)
        answer = site.started[0].handler

        def replaced(command):
            reply = answer(command)
            if ' state ready' in command:
                site.started[0].take_over('3.2')
                site.servers[0].read()
            return reply
        site.started[0].handler = replaced
        with pytest.raises(exceptions.CommandFailed) as caught:
            site.restore()
        assert 'another process has taken over' in str(caught.value)

    def test_an_interrupted_call_leaves_servers_in_maintenance(self, site, monkeypatch):
        moved(site)

        def interrupt(*arguments):
            raise KeyboardInterrupt
        monkeypatch.setattr('haproxyadmin.servers_state.wait_for_addresses', interrupt)
        with pytest.raises(KeyboardInterrupt):
            site.restore()
        assert site.row()['srv_admin_state'] == '1'
        monkeypatch.undo()
        assert site.restore() == []
        assert site.row()['srv_admin_state'] == '0'


def moved(site, **columns):
    """Save another address, and set the old one again."""
    for row in site.rows:
        row.update(columns, srv_addr='10.0.0.7')
    site.save()
    for row in site.rows:
        row['srv_addr'] = '127.0.0.1'
