# SPDX-License-Identifier: Apache-2.0
"""internal/masters.py and lookup.py: workers behind a master, with a fake of it."""
import os
import socket
import struct

import pytest

from haproxyadmin import exceptions
from haproxyadmin.haproxy import HAProxy
from haproxyadmin.testing import masters
from tests.support import fakes

LOADED = 'Success=1\n--\n[NOTICE]   (100) : Loading success.\n\n'
REFUSED = "Success=0\n--\n[ALERT]    (100) : config : unknown keyword 'bogus'\n\n"


class Site(object):
    """A fake master with workers, each of which is a fake process of its own."""

    def __init__(self, fleet, version, count):
        self.fleet = fleet(version, 0)
        self.next = 0
        self.master = masters.FakeMaster(self.fleet.path('m'), [
            self.worker(number) for number in range(1, count + 1)])
        self.master.version = version
        self.master.listen()

    def worker(self, number=1):
        """Return another process; it counts its requests."""
        self.next += 1
        return fakes.Process(self.fleet.path('w%d' % self.next), self.fleet.version, number,
                             4000 + self.next)

    def hap(self, **options):
        options = dict(dict(retry=None, timeout=fakes.LONG, master=self.master.path), **options)
        made = HAProxy(**options)
        del self.master.commands[:]
        return made

    def stop(self):
        self.master.refuse()
        workers = self.master.workers + self.master.former
        assert self.master.unfinished == 0
        return self.master.problems + [
            problem for worker in workers for problem in worker.problems]


@pytest.fixture
def site(fleet):
    made = []

    def start(version='3.2', count=1):
        made.append(Site(fleet, version, count))
        return made[-1]
    yield start
    assert not [problem for each in made for problem in each.stop()]


def resetting(master, client):
    """Reset the connection, as a master does that starts itself again."""
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
    return False


class TestCommands(object):

    def test_a_read_goes_to_whichever_worker_is_current(self, site):
        """[masters] With one command."""
        started = site()
        hap = started.hap()
        assert hap.processids == [4001]
        started.master.replace(started.worker())
        assert hap.processids == [4002]
        assert [command for _, command in started.master.commands] == ['show info'] * 2

    def test_a_change_asks_for_the_worker_first(self, site):
        """[masters] On the same connection, which a reload ends."""
        started = site()
        hap = started.hap()
        connections = started.master.connections
        assert hap.setmaxconn(7)
        assert started.master.connections == connections + 1
        assert started.master.commands == [('master', 'show proc'), (4001, 'set maxconn global 7')]

    def test_a_change_reaches_the_new_worker(self, site):
        started = site()
        hap = started.hap()
        started.master.replace(started.worker())
        assert hap.setmaxconn(7)
        assert started.master.commands[-1] == (4002, 'set maxconn global 7')

    def test_a_reload_after_the_question_leaves_the_change_undelivered(self, site):
        """[masters] It reaches neither worker, and is repeated if the caller says so."""
        started = site()
        hap = started.hap()

        def reload(master, client):
            master.replace(started.worker())
            client.shutdown(socket.SHUT_RDWR)
            return False
        started.master.next(lambda master, client: True, reload)
        with pytest.raises(exceptions.HAProxySocketError) as caught:
            hap.setmaxconn(7)
        assert (4001, 'set maxconn global 7') not in started.master.commands
        assert caught.value.socket_file == started.master.path

    def test_a_master_that_closes_before_it_answers_has_delivered_nothing(self, site):
        started = site()
        hap = started.hap(retry=1, retry_interval=0)
        started.master.next(lambda master, client: False)
        assert hap.setmaxconn(7)
        assert started.master.commands == [('master', 'show proc'), (4001, 'set maxconn global 7')]
        started.master.next(*[lambda master, client: False] * 2)
        with pytest.raises(exceptions.SocketApplicationError) as caught:
            hap.setmaxconn(8)
        assert caught.value.undelivered

    def test_several_changes_on_a_line_go_to_one_worker(self, site):
        started = site()
        assert started.hap().add_acl_entries(4, ['a', 'b'])
        assert started.master.commands[-1] == (4001, 'add acl #4 a;add acl #4 b')
        assert started.master.workers[0].patterns.find('#4').entries[-2:] == ['a', 'b']

    def test_a_level_that_may_not_ask_is_refused_with_the_words_of_the_master(self, site):
        started = site()
        hap = started.hap()
        started.master.level = 'user'
        with pytest.raises(exceptions.CommandFailed) as caught:
            hap.setmaxconn(7)
        assert str(caught.value).startswith('Permission denied')

    def test_a_level_that_may_not_ask_may_read(self, site):
        """[masters] From 3.2 on."""
        started = site()
        started.master.level = 'user'
        assert started.hap().processids == [4001]

    def test_a_command_for_another_worker_is_refused(self, site):
        """[masters] [injection]"""
        hap = site().hap()
        for line in ('@2 show info', ' @!1 reload', 'show info;@1 x', 'a\\\\;@1 x', 'show info; @'):
            with pytest.raises(ValueError):
                hap.command(line)
        assert hap.command('show info')[0][1][0] == 'Name: HAProxy'

    def test_what_would_not_wait_is_refused(self, site):
        """[masters] Through a master HAProxy ends it at once."""
        hap = site().hap()
        for line in ('wait 1s', 'wait 5s srv-removable b/s; del server b/s'):
            with pytest.raises(ValueError):
                hap.command(line)

    def test_a_text_may_begin_as_a_prefix_does(self, site):
        started = site()
        assert started.hap().add_acl(4, '@1;x')
        assert started.master.workers[0].patterns.find('#4').entries[-1] == '@1;x'


class TestWorkersThatAreMissing(object):

    @pytest.mark.parametrize('reply', [masters.NO_WORKER.format('@1'),
                                       "Can't connect to the target CLI!\n"])
    def test_no_worker_is_an_error_that_has_delivered_nothing(self, site, reply):
        """[masters] Even if the master leaves the connection open."""
        started = site()
        hap = started.hap()
        frontend = hap.frontends()[0]

        def answer(master, client):
            client.sendall(reply.encode('ascii'))
            return bool(started.master.wait(client)) if hasattr(master, 'wait') else False
        started.master.next(answer)
        with pytest.raises(exceptions.SocketConnectionError) as caught:
            frontend.requests
        assert caught.value.undelivered
        assert "Can't" in str(caught.value)

    def test_a_read_is_repeated(self, site):
        started = site()
        hap = started.hap(retry=1, retry_interval=0)
        worker = started.master.workers.pop()

        def back(master, client):
            master.workers.append(worker)
            return True
        started.master.next(lambda master, client: True, back)
        assert hap.processids == [4001]

    def test_a_master_without_a_worker(self, site):
        started = site(count=0)
        with pytest.raises(exceptions.NoHAProxyFound) as caught:
            HAProxy(master=started.master.path, retry=None)
        assert 'has no worker' in str(caught.value)

    def test_a_stats_socket_is_not_a_master(self, fleet):
        started = fleet('3.2', 1)

        def refuse(process, client):
            # The first of the two lines.
            client.recv(65536)
            client.sendall(b"Unknown command: 'show', but maybe\n help\n\n")
        started[0].next(refuse)
        with pytest.raises(exceptions.NoHAProxyFound) as caught:
            HAProxy(master=started[0].path, retry=None)
        assert 'not the socket of a master' in str(caught.value)
        assert started[0].path in str(caught.value)

    def test_a_master_is_not_a_stats_socket(self, site):
        started = site()
        with pytest.raises(exceptions.NoHAProxyFound) as caught:
            HAProxy(socket_file=started.master.path, retry=None)
        assert 'use master=' in str(caught.value)
        del started.master.problems[:]

    def test_workers_need_a_master(self, fleet):
        hap = fleet('3.2', 1).haproxy()
        for call in (hap.workers, hap.reload):
            with pytest.raises(ValueError) as caught:
                call()
            assert 'master=' in str(caught.value)
        assert hap.reload(die=False) is False


class TestAMasterThatReloads(object):
    """... does not answer for a moment; an object that is made then must not lack it."""

    def test_an_object_can_be_made_meanwhile(self, site):
        """[masters]"""
        started = site()
        started.master.next(*[lambda master, client: False] * 2)
        hap = HAProxy(master=started.master.path, retry=2, retry_interval=0)
        assert hap.processids == [4001]

    def test_its_worker_may_come_later(self, site):
        started = site()
        started.master.next(lambda master, client: True, resetting)
        assert HAProxy(master=started.master.path, retry=1, retry_interval=0).processids == [4001]

    def test_it_is_not_left_out_when_it_is_looked_for_again(self, site):
        started, other = site(), site()
        other.master.workers[0].info['Pid'] = '5001'
        hap = HAProxy(master=[started.master.path, other.master.path], retry=2, retry_interval=0,
                      allow_missing=True)
        other.master.next(*[lambda master, client: False] * 2)
        assert hap.refresh() == ([], [], [])
        assert sorted(hap.processids) == [4001, 5001]

    def test_one_that_is_gone_costs_no_retries(self, site):
        started = site()
        hap = HAProxy(master=[started.master.path, started.fleet.path('none')], retry=0,
                      allow_missing=True)
        assert [path for path, _ in hap.left_out] == [started.fleet.path('none')]

    def test_a_refresh_that_fails_changes_nothing(self, site):
        """[refresh]"""
        started, other = site(), site()
        other.master.workers[0].info['Pid'] = '5001'
        hap = HAProxy(master=[started.master.path, other.master.path], retry=None)
        other.master.next(lambda master, client: False)
        with pytest.raises(exceptions.NoHAProxyFound):
            hap.refresh()
        assert sorted(worker.pid for worker in hap.workers()) == [4001, 5001]

    def test_one_that_was_left_out_is_not_asked(self, site):
        """[addresses] Otherwise no read would work with ``workers='all'``."""
        started = site()
        TestReload().replacing(started)
        hap = HAProxy(master=[started.master.path, started.fleet.path('none')], retry=None,
                      allow_missing=True, workers='all')
        assert hap.processids == [4001]
        assert [worker.pid for worker in hap.workers()] == [4001]
        assert hap.reload().new_pids == [4002]

    def test_one_that_is_named_twice_counts_once(self, site):
        """[masters] It would be reloaded twice."""
        started = site()
        hap = HAProxy(master=[started.master.path] * 2, retry=None)
        assert len(hap.workers()) == 1

    def test_a_socket_named_as_both_is_told(self, site):
        started = site()
        with pytest.raises(exceptions.NoHAProxyFound) as caught:
            HAProxy(master=started.master.path, addresses=started.master.path, retry=None)
        assert str(caught.value).startswith('no HAProxy at 1 of 2 addresses')
        del started.master.problems[:]


class TestSeveralWorkers(object):

    def test_each_is_a_process(self, site):
        """[masters] Before 2.5."""
        started = site('2.2', 2)
        hap = started.hap()
        path = started.master.path
        assert [process.socket_file for process in hap._processes] == [path + ' @1', path + ' @2']
        assert hap.processids == [4001, 4002]
        assert hap.setmaxconn(7)
        assert sorted(started.master.commands[-4:], key=str) == sorted([
            ('master', 'show proc'), (4001, 'set maxconn global 7'),
            ('master', 'show proc'), (4002, 'set maxconn global 7')], key=str)
        assert [(worker.pid, worker.number) for worker in hap.workers()] == [(4001, 1), (4002, 2)]


class TestFormerWorkers(object):

    def test_they_are_read_and_not_changed(self, site):
        """[masters]"""
        started = site()
        started.master.replace(started.worker())
        hap = started.hap(workers='all')
        assert hap.processids == [4002, 4001]
        path = started.master.path
        assert [address for address, _ in hap.metric_per_socket('Maxconn')] == [
            path, path + ' @!4001']
        frontend = hap.frontends()[0]
        assert len(frontend.process_nb) == 2
        del started.master.commands[:]
        assert hap.setmaxconn(7) and frontend.setmaxconn(8)
        assert [pid for pid, command in started.master.commands if command.startswith('set ')] == [
            4002, 4002]

    def test_one_that_has_ended_is_left_out(self, site):
        """[masters] In objects that were made before, too."""
        started = site()
        started.master.replace(started.worker())
        hap = started.hap(workers='all')
        frontend, backend = hap.frontends()[0], hap.backend('backend_proc1')
        requests = frontend.requests
        assert len(frontend.requests_per_process()) == 2
        del started.master.former[:]
        assert 2 * frontend.requests == requests
        assert frontend.process_nb == [1] and len(frontend.requests_per_socket()) == 1
        assert backend.servers() and backend.process_nb == [1]
        assert hap.processids == [4002] and len(hap.snapshot().processids) == 1

    def test_one_that_ends_while_it_is_read_is_left_out(self, site):
        started = site()
        started.master.replace(started.worker())
        hap = started.hap(workers='all')

        def end(master, client):
            del master.former[:]
            return True
        # After the question for the workers.
        started.master.next(lambda master, client: True, end)
        assert hap.processids == [4002]

    def test_what_only_they_have_is_gone_afterwards(self, site):
        started = site()
        started.master.workers[0].keep('haproxy')
        started.master.replace(started.worker())
        started.master.workers[0].remove('haproxy')
        hap = started.hap(workers='all')
        frontend = hap.frontend('haproxy')
        assert frontend.process_nb == [1]
        with pytest.raises(exceptions.NoSuchObject):
            frontend.disable()
        assert not [seen for seen in started.master.commands if seen[1].startswith('disable')]
        del started.master.former[:]
        with pytest.raises(exceptions.NoSuchObject):
            frontend.status

    def test_a_command_that_changes_goes_to_the_current_one(self, site):
        started = site()
        started.master.replace(started.worker())
        for worker in started.master.workers + started.master.former:
            worker.answers['set x'] = '\n'
        hap = started.hap(workers='all')
        assert len(hap.command('set x')) == 1
        assert len(hap.command('show info')) == 2

    def test_a_read_does_not_undo_a_refresh(self, site, monkeypatch):
        """[refresh] In another thread."""
        started = site()
        hap = started.hap(workers='all')
        refreshed = []

        def with_former(processes, ask=hap._search.with_former):
            found = ask(processes)
            if not refreshed:
                refreshed.append(list(processes) + ['new'])
                hap._found = refreshed[0]
            return found
        monkeypatch.setattr(hap._search, 'with_former', with_former)
        assert hap.processids == [4001]
        assert hap._found is refreshed[0]
        hap._found = refreshed[0][:-1]

    def test_without_them_they_are_not_asked(self, site):
        started = site()
        started.master.replace(started.worker())
        hap = started.hap()
        assert hap.processids == [4002]
        assert started.master.commands == [(4002, 'show info')]

    @pytest.mark.parametrize('workers', ['none', 'ALL', None, 1, ['all']])
    def test_only_these_are_known(self, workers, site):
        with pytest.raises(ValueError):
            site().hap(workers=workers)

    def test_they_need_a_master(self, fleet):
        with pytest.raises(ValueError):
            HAProxy(socket_dir=fleet('3.2', 1).directory, workers='all')


class TestReload(object):

    def replacing(self, started, reply=LOADED):
        def reload(master):
            master.replace(started.worker())
            return reply
        started.master.on_reload = reload

    def test_it_returns_the_new_pids(self, site):
        """[masters]"""
        started = site()
        self.replacing(started)
        hap = started.hap()
        looks = []
        assert hap.reload(progress=looks.append) == (
            True, '[NOTICE]   (100) : Loading success.', [4001], [4002])
        assert [(look.done, look.total) for look in looks] == [(0, 1), (1, 1)]
        assert hap.processids == [4002]
        assert started.master.commands[-2:-1] == [(4002, 'show info')]

    def test_versions_before_2_8_do_not_answer(self, site):
        started = site()
        self.replacing(started, '')
        assert started.hap().reload() == (True, '', [4001], [4002])

    def test_a_refused_configuration(self, site):
        started = site()
        hap = started.hap()

        def reload(master):
            master.reloads, master.failed = 1, 1
            return REFUSED
        started.master.on_reload = reload
        with pytest.raises(exceptions.ReloadFailed) as caught:
            hap.reload()
        error = caught.value
        assert isinstance(error, exceptions.CommandFailed)
        assert "unknown keyword 'bogus'" in str(error)
        assert error.socket_file == started.master.path and error.command == 'reload'
        assert error.result == (False, "[ALERT]    (100) : config : unknown keyword 'bogus'",
                                [4001], [])
        assert hap.reload(die=False) is False
        assert hap.setmaxconn(7)

    def test_a_refused_configuration_before_2_8(self, site):
        """The master has tried, and the worker is the same."""
        started = site()

        def reload(master):
            master.reloads = 1
            return ''
        started.master.on_reload = reload
        with pytest.raises(exceptions.ReloadFailed) as caught:
            started.hap().reload()
        assert caught.value.result.output == ''

    def test_a_refusal(self, site):
        started = site()
        started.master.on_reload = lambda master: 'Permission denied\n\n'
        with pytest.raises(exceptions.CommandFailed) as caught:
            started.hap().reload()
        assert type(caught.value) is exceptions.CommandFailed
        assert str(caught.value).startswith('Permission denied (the level of')

    def test_a_worker_that_never_comes(self, site):
        started = site()
        started.master.on_reload = lambda master: LOADED
        with pytest.raises(exceptions.WaitTimeout) as caught:
            started.hap().reload(timeout=0.05, interval=0.01)
        assert caught.value.result == (False, '[NOTICE]   (100) : Loading success.', [4001], [])
        assert not isinstance(caught.value, exceptions.HAProxySocketError)

    def test_a_new_worker_that_does_not_answer_yet(self, site):
        """[masters] From 3.1 on it is listed while it reads its configuration."""
        started = site()
        self.replacing(started)
        hap = started.hap()
        late = [True, True]

        def find(prefix, find=started.master.find):
            if prefix == '@1' and started.master.former and late:
                late.pop()
                return started.master.former[0]
            return find(prefix)
        started.master.find = find
        assert hap.reload(interval=0).new_pids == [4002]
        assert not late

    def test_another_reload_comes_first(self, site):
        """[masters] From 3.1 on the master says so."""
        started = site()
        hap = started.hap()
        answers = ['Success=0\n--\nAnother reload is still in progress.\n\n'] * 2

        def reload(master):
            if answers:
                return answers.pop()
            master.replace(started.worker())
            return LOADED
        started.master.on_reload = reload
        assert hap.reload(interval=0) == (
            True, '[NOTICE]   (100) : Loading success.', [4001], [4002])
        assert not answers

    def test_another_reload_that_does_not_end(self, site):
        started = site()
        started.master.on_reload = lambda master: (
            'Success=0\n--\nAnother reload is still in progress.\n\n')
        with pytest.raises(exceptions.WaitTimeout) as caught:
            started.hap().reload(timeout=0.05, interval=0.01)
        assert 'Another reload is still in progress' in str(caught.value)

    def test_a_master_that_comes_back(self, site):
        """[masters] Up to 3.0 it does not answer while it reloads for somebody else."""
        started = site()
        self.replacing(started)
        hap = started.hap()
        started.master.next(*[lambda master, client: False] * 3)
        assert hap.reload(interval=0).new_pids == [4002]

    def test_a_master_that_does_not_come_back(self, site):
        """[waiting]"""
        started = site()
        hap = started.hap()
        started.master.next(*[lambda master, client: False] * 1000)
        with pytest.raises(exceptions.WaitTimeout) as caught:
            hap.reload(timeout=0.05, interval=0.01)
        assert caught.value.result == (False, '', [], [])
        assert 'closed before an answer' in str(caught.value)

    def test_a_master_that_is_gone(self, site):
        started = site()
        hap = started.hap()
        os.unlink(started.master.path)
        with pytest.raises(exceptions.SocketConnectionError):
            hap.reload(timeout=0.05, interval=0.01)

    def test_a_command_that_was_lost_is_sent_again(self, site):
        """[masters] Of two reloads at a time, one is reset."""
        started = site()
        self.replacing(started)
        hap = started.hap()
        started.master.next(lambda master, client: True, resetting)
        assert hap.reload(interval=0).new_pids == [4002]

    @pytest.mark.parametrize('options', [
        {'timeout': -1}, {'timeout': None}, {'timeout': '1'}, {'interval': -1}, {'progress': 7}])
    def test_a_wrong_argument_is_refused_before_anything_is_sent(self, options, site):
        started = site()
        hap = started.hap()
        with pytest.raises(ValueError):
            hap.reload(**options)
        assert started.master.commands == []


def test_the_master_ends_with_the_test(site):
    assert os.path.exists(site().master.path)
