# SPDX-License-Identifier: Apache-2.0
"""Objects that outlive their HAProxy: another version takes over, or one process replaces two."""
import copy
import functools
import itertools
import threading

import pytest

from haproxyadmin import exceptions
from haproxyadmin.internal import fanout
from haproxyadmin.protocol import transport
from haproxyadmin.testing import faults
from haproxyadmin.testing.texts import text
from tests.support import fakes
from tests.unit.internal import test_calls

FRONTEND, BACKEND, SERVER = 'frontend_proc1', 'backend_proc1', 'backend_proc1_srv1'
# Commands that depend on the version: they are built, refused or continued differently.
DEPENDS = ['clear counters all', 'del acl #4 /x', 'add map #7 k v\\ w', 'del map #7 k',
           'set maxconn frontend frontend_proc1 9']


CONFIG = """\
frontend web
    use_backend %[req.hdr(host),map(hosts.map)]
"""


def fill(started, *keys):
    """Let map #7 of each process have these keys, and return the maps."""
    maps = started.patterns('#7')
    for stored in maps:
        stored.entries = [(key, 'v') for key in keys]
    return maps


def keys_of(stored):
    return [entry.key for entry in stored.stored]


def accept_all(started):
    test_calls.refuse(started)


# Reading the version again

@pytest.mark.parametrize('old, new', [('1.8', '2.0'), ('2.2', '2.0')])
def test_a_value_with_a_blank_is_refused_by_a_version_that_would_cut_it(old, new, fleet, clock):
    """[one word per text] 2.0 would store the first word and report success."""
    started = fleet(old, 2)
    hap = started.haproxy()
    clock.go_on()
    for process in started:
        process.take_over(new)
    with pytest.raises(ValueError) as caught:
        hap.add_map(7, 'k', 'v w')
    assert 'HAProxy 2.0' in str(caught.value)
    assert started.commands == [['show info']] * 2
    clock.go_on()
    for process in started:
        process.take_over(old)
    hap.info()
    clock.go_on()
    for process in started:
        process.take_over(new)
    with pytest.raises(ValueError) as caught:
        hap.add_map_entries(7, [('k v', 'w')])
    assert 'HAProxy 2.0' in str(caught.value)
    assert 'entry 0: ' in str(caught.value) and '0 entries were sent' in str(caught.value)


def test_a_value_with_a_blank_is_accepted_by_a_version_that_can(fleet, clock):
    """[one word per text] Even if the previous version could not."""
    started = fleet('2.0', 2)
    hap = started.haproxy()
    clock.go_on()
    for process in started:
        process.take_over('2.2')
    assert hap.add_map(7, 'k', 'v w') is True
    assert [stored.entries[-1] for stored in started.patterns('#7')] == [('k', 'v w')] * 2
    assert started.commands == [['show info', 'add map #7 k v\\ w']] * 2


def test_a_deletion_is_repeated_for_a_version_that_deletes_one_at_a_time(fleet, clock):
    """[references] 3.4 replaces 3.2."""
    started = fleet('3.2', 2)
    hap = started.haproxy()
    clock.go_on()
    for process in started:
        process.take_over('3.4')
    maps = fill(started, 'k', 'j', 'k', 'k', 'k')
    assert hap.del_map(7, 'k') is True
    assert [keys_of(stored) for stored in maps] == [['j']] * 2
    assert started.commands == [['show info'] + ['del map #7 k'] * 5] * 2


def test_an_address_waits_for_a_version_that_applies_it_late(fleet, clock, monkeypatch):
    """[same address] 3.2 replaces 2.6; setting the port too early would restore the old address."""
    started = fleet('2.6', 2)
    hap = started.haproxy()
    server = hap.server(SERVER, BACKEND)[0]
    pauses = []
    monkeypatch.setattr('haproxyadmin.server.time.sleep', pauses.append)
    started.answer('set server backend_proc1/backend_proc1_srv1 addr 10.0.0.9',
                   'no need to change the addr by "stats socket command"\n\n')
    server.address = '10.0.0.9'
    assert pauses == []
    clock.go_on()
    for process in started:
        process.take_over('3.2')
    started.answer('set server backend_proc1/backend_proc1_srv1 addr 10.0.0.9',
                   'nothing changed\n\n')
    server.address = '10.0.0.9'
    assert len(pauses) == 1


@pytest.mark.parametrize('new, what', [('1.5', 'address'), ('1.6', 'port')])
def test_a_version_that_cannot_is_named(new, what, fleet, clock):
    """[same address] No row is read, and no change is sent."""
    started = fleet('2.2', 2)
    server = started.haproxy().server(SERVER, BACKEND)[0]
    started.forget()
    clock.go_on()
    for process in started:
        process.take_over(new)
    with pytest.raises(exceptions.CommandFailed) as caught:
        setattr(server, what, '80' if what == 'port' else '10.0.0.9')
    assert what in str(caught.value) and 'runs ' + new in str(caught.value)
    assert started.commands == [['show info']] * 2


@test_calls.EVERY_CHANGE
def test_only_what_depends_on_the_version_costs_one_command_more(command, change, fleet, clock):
    """[one command per call]"""
    started = fleet('2.2', 3)
    on = test_calls.Objects(started)
    accept_all(started)
    more = ['show info'] if command in DEPENDS else []
    for age in (0.5, 2, 0.5, 0.5):
        clock.go_on(age)
        started.forget()
        assert change(on) is True
        asked = more if age > 1 else []
        assert started.commands == [asked + [command]] * 3
        assert started.connections == [1 + len(asked)] * 3


MORE_CHANGES = [
    lambda on: on.hap.add_map_entries(7, [('k', 'v')]), lambda on: on.hap.del_acl_entries(4, ['k']),
    lambda on: setattr(on.server, 'address', '10.0.0.9'), lambda on: setattr(on.server, 'port', 80),
    lambda on: on.hap.command('add map #7 <<\nk v'), lambda on: on.hap.set_map(7, '0x1 2', 'v'),
    lambda on: on.hap.set_map('/a b', '0x12', 'v'), lambda on: on.hap.show_map('/a b'),
    lambda on: on.hap.get_acl('/a b', 'x')]


@pytest.mark.parametrize('change', [change for _, change in test_calls.CHANGES] + MORE_CHANGES)
def test_nothing_is_built_with_an_old_version(change, fleet, clock):
    """Code that depends on the version, including new commands, belongs in calls.prepare()."""
    started = fleet('2.2', 2)
    on = test_calls.Objects(started)
    for process in started:
        process.handler = test_calls.answering_all('\n', ('show info', 'show stat'))
    clock.go_on()
    read_before = [process.endpoint.version_use for process in on.hap._processes]
    try:
        change(on)
    except exceptions.HAProxyBaseError:
        pass  # this fake has no entries, and replies to all changes alike
    for process, before in zip(on.hap._processes, read_before):
        assert process.endpoint.version_use is before or not process.endpoint.has_old_version()


@test_calls.EVERY_CHANGE
def test_after_a_failed_exchange_it_is_asked_again(command, change, fleet, clock):
    """[one word per text] HAProxy may have been restarted in the meantime."""
    started = fleet('2.2', 2)
    on = test_calls.Objects(started)
    accept_all(started)
    started[1].next(faults.closing())
    with pytest.raises(exceptions.SocketApplicationError):
        on.hap.info()
    started.forget()
    assert change(on) is True
    more = ['show info'] if command in DEPENDS else []
    assert started.commands == [more + [command]] * 2


def test_all_processes_are_asked_at_the_same_time(fleet, clock):
    """[concurrent processes]"""
    started = fleet('2.2', 4)
    hap = started.haproxy()
    asked = []
    everybody = threading.Event()

    def behave(process, client):
        command = process.receive(client)
        if command == 'show info':
            asked.append(process)
            if len(asked) == 4:
                everybody.set()
            if not everybody.wait(fakes.LONG):
                process.problem('the others were not asked')
        client.sendall(process.reply_to(command) if command == 'show info' else b'\n')
    for process in started:
        process.fail(behave)
    clock.go_on()
    assert hap.add_map(7, 'k', 'v w') is True
    assert len(asked) == 4


@pytest.mark.parametrize('failure, kind', [
    (faults.closing(), exceptions.SocketApplicationError),
    (faults.cut(200), exceptions.SocketApplicationError),
    (faults.replying(b'220 ESMTP\n\n'), exceptions.SocketApplicationError)])
@pytest.mark.parametrize('change', [
    lambda hap: hap.add_map(7, 'k', 'v w'), lambda hap: hap.del_map(7, 'k'),
    lambda hap: hap.add_map_entries(7, [('k', 'v w'), ('j', 'v')])])
def test_where_it_cannot_be_asked_that_process_fails_and_the_others_change(
        change, failure, kind, fleet, clock):
    """[verdicts]"""
    started = fleet('2.2', 3)
    hap = started.haproxy()
    accept_all(started)
    started[1].fail(failure)
    clock.go_on()
    with pytest.raises(kind) as caught:
        change(hap)
    assert caught.value.socket_file == started.paths[1]
    assert "'show info'" in str(caught.value)
    assert [path for path, reply in caught.value.by_socket
            if '0 entries' not in reply] == [started.paths[0], started.paths[2]]
    assert started.connections == [2, 1, 2]
    for failed in caught.value.failures:
        assert failed.socket_file == started.paths[1]
        assert failed.message.endswith('not sent')


@pytest.mark.parametrize('change', [
    lambda hap: hap.add_map(7, 'a b', 'c\nd'), lambda hap: hap.add_map(7, 'a b', ''),
    lambda hap: hap.add_map(7, 'a b', 'v' * 16000), lambda hap: hap.del_map('#x', 'a b'),
    lambda hap: hap.add_map_entries('@1', [('k', 'v')]), lambda hap: hap.get_map('#', 'a b'),
    lambda hap: hap.del_acl_entries(4, ['a b', 'a\nb']), lambda hap: hap.add_acl_entries('', []),
    lambda hap: hap.add_map_entries(7, [('k', 'v'), ('a b', '')])])
def test_an_argument_that_no_version_can_take_is_refused_before_anything_is_sent(
        change, fleet, clock):
    """[argument checks]"""
    started = fleet('2.2', 2)
    hap = started.haproxy()
    clock.go_on()
    with pytest.raises(ValueError):
        change(hap)
    assert started.connections == [0, 0]


def test_nobody_else_s_knowledge_is_needed_for_a_read(fleet, clock):
    """[one command per call] Reading metrics does not depend on the version."""
    started = fleet('2.2', 2)
    hap = started.haproxy()
    server = hap.server(SERVER, BACKEND)[0]
    clock.go_on()
    started.forget()
    server.metric('stot')
    hap.frontends()
    hap.requests
    assert not any('show info' in commands for commands in started.commands)


@pytest.mark.parametrize('read, command, reply', [
    (lambda hap: hap.get_map(7, 'a b'), 'get map #7 a\\ b', 'type=str, case=sensitive'),
    (lambda hap: hap.get_acl(4, 'a b'), 'get acl #4 a\\ b', 'type=beg, case=sensitive'),
    (lambda hap: hap.show_map('/etc/a b'), 'show map /etc/a\\ b', '\n'),
    (lambda hap: hap.show_acl('/etc/a b'), 'show acl /etc/a\\ b', '\n')])
def test_reads_with_a_blank_depend_on_the_version(read, command, reply, fleet, clock):
    """[one word per text; first process] Only the first process is queried."""
    started = fleet('2.2', 2)
    hap = started.haproxy()
    family = command.split(' ')[1]
    stored = started.patterns({'acl': '#4', 'map': '#7'}[family])[0]
    stored.entries, stored.file = [], '/etc/a b'
    assert text(started[0].reply_to(command)).startswith(reply)
    clock.go_on()
    read(hap)
    read(hap)
    assert started.commands == [['show info', command, command], []]
    clock.go_on()
    started[0].take_over('2.0')
    with pytest.raises(ValueError):
        read(hap)
    assert started.commands[0][3:] == ['show info']


def test_a_payload_depends_on_the_version(fleet, clock):
    """[one word per text] 1.8 would run the payload's lines as commands."""
    started = fleet('2.2', 2)
    hap = started.haproxy()
    clock.go_on()
    started[1].take_over('1.8')
    for send in (hap.command, hap._processes[1].command):
        with pytest.raises(ValueError):
            send('add map #7 <<\ndisable frontend x')
    assert [set(commands) for commands in started.commands] == [set(['show info'])] * 2


def test_a_list_of_a_worker_that_is_stopping_is_known_by_its_header(fleet, clock):
    """[one command per call] 2.2, which replaces 2.6, lists nothing while it is stopping."""
    started = fleet('2.6', 1)
    hap = started.haproxy()
    hap.frontends()
    clock.go_on()
    started.forget()
    started[0].take_over('2.2')
    names = started[0].names('0')
    rows = fakes.text(started[0].table(-1, 1))
    started[0].answers['show stat -1 1 -1'] = [rows.split('\n')[0] + '\n\n', rows]
    assert len(hap.frontends()) == len(names) > 0
    # An empty list may also come from a proxy named -1.
    assert started.commands == [['show stat -1 1 -1', 'show stat -1+ 1 -1']]


def test_a_change_through_a_snapshot_asks_again(fleet, clock):
    """[same address; one word per text]"""
    started = fleet('2.2', 2)
    server = started.haproxy().snapshot().server(SERVER, BACKEND)[0]
    clock.go_on()
    started.forget()
    for process in started:
        process.take_over('1.5')
    with pytest.raises(exceptions.CommandFailed) as caught:
        server.address = '10.0.0.9'
    assert 'runs 1.5' in str(caught.value)
    assert started.commands == [['show info']] * 2


def test_a_copy_asks_again(fleet):
    """A pickle may come from another machine, whose clock is unrelated."""
    started = fleet('2.2', 1)
    hap = copy.deepcopy(started.haproxy())
    hap.add_map(7, 'k', 'v w')
    assert started.commands == [['show info', 'add map #7 k v\\ w']]


# Retrying a change

class Restart(object):
    """A replacement for sleep(): another version takes over before the next try."""

    def __init__(self, started, version):
        self._started = started
        self._version = version
        self.count = 0

    def __call__(self, seconds):
        self.count += 1
        for process in self._started:
            process.take_over(self._version)
            process.listen()


@pytest.fixture
def restart(monkeypatch):
    """Stop a fleet, and start another version as soon as the library waits."""
    def begin(started, version):
        for process in started:
            process.refuse()
        waiting = Restart(started, version)
        monkeypatch.setattr(fanout.time, 'sleep', waiting)
        return waiting
    return begin


def test_the_next_try_is_built_for_the_version_that_has_taken_over(fleet, restart):
    """[retries; one word per text]"""
    started = fleet('1.8', 2)
    hap = started.haproxy(retry=1)
    restart(started, '2.0')
    with pytest.raises(exceptions.CommandFailed) as caught:
        hap.add_map(7, 'k', 'v w')
    assert 'HAProxy 2.0' in str(caught.value)
    assert started.commands == [['show info']] * 2


@pytest.mark.parametrize('change, command, more', [
    (lambda hap: hap.add_map(7, 'k', 'v w'), 'add map #7 k v\\ w', ['show info']),
    (lambda hap: hap.add_map(7, 'k', 'v'), 'add map #7 k v', []),
    (lambda hap: hap.setmaxconn(5), 'set maxconn global 5', [])])
def test_the_next_try_costs_one_command_more_where_it_depends(change, command, more, fleet,
                                                              restart):
    """[retries; one command per call]"""
    started = fleet('2.2', 2)
    hap = started.haproxy(retry=1)
    started.answer(command, '\n')
    waiting = restart(started, '2.6')
    assert change(hap) is True
    assert started.commands == [more + [command]] * 2
    assert waiting.count == 1


def test_a_deletion_is_repeated_after_a_restart(fleet, restart):
    """[retries; references]"""
    started = fleet('3.2', 1, CONFIG, {'hosts.map': 'a 1\nk v\nk v\n'})
    hap = started.haproxy(retry=1)
    restart(started, '3.4')
    assert hap.del_map('hosts.map', 'k') is True
    assert keys_of(started.patterns('hosts.map')[0]) == ['a']


def test_a_payload_is_taken_apart_for_a_version_that_has_none(fleet, restart):
    """[retries; one word per text] 1.8 would run the payload's lines as commands."""
    started = fleet('2.2', 2)
    hap = started.haproxy(retry=1)
    restart(started, '1.8')
    line = 'add map #7 k v;add map #7 j w'
    assert hap.add_map_entries(7, [('k', 'v'), ('j', 'w')]) is True
    assert started.commands == [['show info', line]] * 2
    assert [stored.entries[-2:] for stored in started.patterns('#7')] == [[('k', 'v'), ('j', 'w')]] * 2


def test_entries_that_the_new_version_cannot_take_were_not_sent(fleet, restart):
    """[retries; one word per text]"""
    started = fleet('2.2', 1)
    hap = started.haproxy(retry=1)
    restart(started, '2.0')
    with pytest.raises(exceptions.CommandFailed) as caught:
        hap.add_acl_entries(4, ['a b', 'c'])
    assert [failed.entry for failed in caught.value.failures] == ['a b', 'c']
    assert all(failed.message.endswith('not sent') for failed in caught.value.failures)
    assert started.commands == [['show info']]


def test_tries_that_fail_for_good_come_to_an_end(fleet, monkeypatch):
    """[retries] Even if each version request succeeds, but the change never arrives."""
    started = fleet('2.2', 1)
    hap = started.haproxy(retry=3)
    waits, commands = [], []
    monkeypatch.setattr(fanout.time, 'sleep', waits.append)

    def exchange_all(requests, follow):
        for place, request in enumerate(requests):
            while request is not None:
                commands.append(request.command)
                request = follow(place, started[0].reply_to('show info') if (
                    request.command == b'show info') else exceptions.SocketConnectionError(
                        request.socket_file, 'refused', undelivered=True))
    monkeypatch.setattr(fanout.transport, 'exchange_all', exchange_all)
    with pytest.raises(exceptions.SocketConnectionError):
        hap.add_map(7, 'k', 'v w')
    assert len(waits) == 3
    assert commands == [b'add map #7 k v\\ w'] + [b'show info', b'add map #7 k v\\ w'] * 3


# One process replaces two

def merge(started, version='2.6', levels=('admin', 'admin')):
    """Let one process take over the sockets of two."""
    requests = itertools.count(10)
    for process, level in zip(started, levels):
        process.take_over(version, 1, 6000)
        process.requests = requests
        process.level = level


def split(started, version='2.2'):
    """Let two processes take over from one."""
    for number, process in enumerate(started, 1):
        process.take_over(version, number, 7000 + number)
        process.requests = itertools.count(10)


LEARN = [lambda hap: hap.info(), lambda hap: hap.maxconn, lambda hap: hap.version,
         lambda hap: hap.snapshot(), lambda hap: hap.metrics(),
         lambda hap: hap.add_map(7, 'first', 'v w')]


@pytest.fixture
def two(fleet, clock):
    """Return a fleet of two 2.2 processes, and the library's object."""
    started = fleet('2.2', 2)
    hap = started.haproxy(retry=None)
    clock.go_on()
    return started, hap


@pytest.mark.parametrize('learn', LEARN)
def test_one_process_on_both_sockets_counts_once(learn, two):
    """[one process, two sockets]"""
    started, hap = two
    frontend, server = hap.frontend('tcp_listen'), hap.server('tcp1')[0]
    merge(started)
    maps = fill(started)
    learn(hap)
    once = int(started[0].info['Maxconn'])
    assert hap.maxconn == once and hap.processids == [6000]
    assert hap.snapshot().maxconn == once
    assert 'processes=[1]' in repr(hap)
    # An object created before, and one created now.
    for on in (frontend, hap.frontend('tcp_listen')):
        assert on.maxconn == int(started[0].get('tcp_listen', 'FRONTEND', 'slim'))
        assert on.process_nb == [1]
        assert len(on.requests_per_process()) == len(on.stats_per_process()) == 1
    for on in (server, hap.server('tcp1')[0]):
        assert on.metric('stot') == int(started[0].get('tcp_listen', 'tcp1', 'stot'))
    hap.add_map(7, 'k', 'v')
    hap.add_map_entries(7, [('j', 'v')])
    assert sorted(keys_of(stored).count('k') for stored in maps) == [0, 1]
    started.answer('set weight tcp_listen/tcp1 5', '\n')
    started.forget()
    assert server.setweight(5) is True
    assert hap.backend('tcp_listen').server('tcp1').setweight(5) is True
    assert sorted(started.connections) == [0, 4]


def test_a_change_that_asks_for_the_version_is_sent_once(two):
    """[one process, two sockets; one word per text] The same call detects the single process."""
    started, hap = two
    merge(started)
    maps = fill(started)
    assert hap.add_map(7, 'k', 'v w') is True
    assert [keys_of(stored) for stored in maps] == [['k'], []]


def test_so_is_one_of_an_object_made_before(two):
    """[one process, two sockets]"""
    started, hap = two
    server = hap.server('tcp1')[0]
    merge(started)
    started.answer('set server tcp_listen/tcp1 addr 10.0.0.9', 'IP changed from x to y\n\n')
    started.forget()
    server.address = '10.0.0.9'
    assert sum(command.startswith('set ') for commands in started.commands
               for command in commands) == 1


@pytest.mark.parametrize('levels, kept', [(('user', 'admin'), 1), (('admin', 'user'), 0)])
def test_the_socket_of_the_higher_level_is_kept(levels, kept, two):
    """[one process, two sockets]"""
    started, hap = two
    merge(started, levels=levels)
    hap.info()
    started.forget()
    hap.info()
    assert started.connections[kept] == 1 and sum(started.connections) == 1


def test_what_only_the_other_process_had_is_still_reached(two):
    """An object may know only one socket, the one that other objects skip."""
    started, hap = two
    started[0].remove(FRONTEND)
    only = hap.frontend(FRONTEND)
    merge(started)
    hap.info()
    assert only.process_nb == [1]
    assert only.requests == int(started[1].get(FRONTEND, 'FRONTEND', 'req_tot'))


def test_it_costs_one_command_once_it_is_known(two):
    """[one command per call]"""
    started, hap = two
    merge(started)
    hap.info()
    started.forget()
    for call in (hap.info, lambda: hap.maxconn, hap.snapshot, hap.frontends, lambda: hap.requests):
        call()
    assert started.connections == [5, 0]


def test_a_reload_of_the_one_process_leaves_it_one(two):
    """[one process, two sockets]"""
    started, hap = two
    merge(started)
    hap.info()
    for process in started:
        process.info['Pid'] = '6001'
    assert hap.processids == [6001]
    started.forget()
    hap.info()
    assert started.connections == [1, 0]


def test_two_processes_again_are_two(two):
    """[one process, two sockets]"""
    started, hap = two
    frontend = hap.frontend('tcp_listen')
    merge(started)
    assert hap.processids == [6000]
    split(started)
    assert hap.processids == [7001, 7002]
    assert frontend.process_nb == [1, 2]
    started.answer('set maxconn global 5', '\n')
    started.forget()
    assert hap.setmaxconn(5) is True
    assert started.connections == [1, 1]


def test_a_socket_that_is_gone_stays_passed_over(two):
    """It is queried once for each process that takes over."""
    started, hap = two
    merge(started)
    hap.info()
    started[1].vanish()
    started[0].info['Pid'] = '6001'
    assert hap.processids == [6001]
    assert hap.snapshot().processids == [6001]


def test_a_snapshot_from_before_does_not_change(two):
    """It answers from memory; a change made through it goes to the process once."""
    started, hap = two
    snapshot = hap.snapshot()
    server = snapshot.server('tcp1')[0]
    before = snapshot.maxconn, server.metric('stot')
    merge(started)
    hap.info()
    assert (snapshot.maxconn, server.metric('stot')) == before
    assert server.process_nb == [1, 2]
    started.answer('set weight tcp_listen/tcp1 5', '\n')
    started.forget()
    assert server.setweight(5) is True
    assert sorted(started.connections) == [0, 1]


def test_threads_that_find_out_together_agree(two):
    """[one process, two sockets]"""
    started, hap = two
    merge(started)
    results = []
    ready = threading.Event()

    def look():
        ready.wait()
        hap.info()
        results.append([process.socket_file for process in hap._processes])
    threads = [threading.Thread(target=look) for _ in range(8)]
    for thread in threads:
        thread.start()
    ready.set()
    for thread in threads:
        thread.join()
    assert len(results) == 8
    assert hap.processids == [6000]


# Without a read, and during an operation

def test_two_processes_in_the_place_of_one_both_get_a_change(two, clock):
    """[verdicts] Even if only changes are requested."""
    started, hap = two
    server = hap.server('tcp1')[0]
    merge(started)
    hap.info()
    split(started)
    clock.go_on()
    started.forget()
    for process in started:
        process.handler = lambda command: (
            '\n' if command.startswith('set maxconn global ') else None)
    assert hap.setmaxconn(500) is True
    assert server.setstate('disable') is True
    for commands in started.commands:
        assert 'set maxconn global 500' in commands
        assert [command for command in commands if command.startswith('disable server ')]


def test_the_other_socket_serves_where_the_one_that_was_kept_is_gone(two, clock):
    started, hap = two
    merge(started)
    hap.info()
    kept, = hap._processes
    gone = [process for process in started if process.path == kept.socket_file][0]
    other = [process for process in started if process is not gone][0]
    other.handler = lambda command: '\n' if command.startswith('set ') else None
    gone.vanish()
    clock.go_on()
    with pytest.raises(exceptions.SocketConnectionError) as caught:
        hap.setmaxconn(500)
    assert caught.value.by_socket == [(other.path, '')]
    assert 'set maxconn global 500' in other.commands


@pytest.mark.parametrize('order', list(itertools.permutations(['operator', 'operator', 'admin'])))
def test_three_sockets_of_one_process_count_once(order, fleet, clock):
    """[one process, two sockets] The socket with the highest level may be any of them."""
    started = fleet('2.6', 3)
    for number, process in enumerate(started, 1):
        process.take_over('2.6', 1, 7000 + number)
        process.requests = itertools.count(1000 * number)
    hap = started.haproxy(retry=None)
    assert len(hap.processids) == 3
    requests = itertools.count(10)
    for number in (0, 1):
        started[number].take_over('2.6', 1, 6000)
        started[number].requests = requests
        started[number].level = order[number]
    hap.info()
    started[2].take_over('2.6', 1, 6000)
    started[2].requests = requests
    started[2].level = order[2]
    hap.info()
    assert hap.processids == [6000]
    assert hap.maxconn == int(started[0].info['Maxconn'])
    assert started[order.index('admin')].path == hap._processes[0].socket_file


def test_many_deletions_across_an_upgrade_leave_nothing(fleet, clock):
    """[references] 3.4, which replaces 3.2, deletes one entry at a time."""
    started = fleet('3.2', 1)
    hap = started.haproxy()
    keys = ['k{0}'.format(number) for number in range(5000)]
    fill(started, *keys * 2)

    def deleted():
        for number, key in enumerate(keys):
            if number == 3000:
                clock.go_on()
                left = keys_of(started.patterns('#7')[0])
                started[0].take_over('3.4')
                fill(started, *left)
            yield key
    assert hap.del_map_entries(7, deleted()) is True
    assert keys_of(started.patterns('#7')[0]) == []
    assert started[0].commands.count('show info') == 1


def test_many_entries_across_an_upgrade_are_refused_where_they_would_be_cut(fleet, clock):
    """[one word per text] 2.0, which replaces 1.8, would store only the first word."""
    started = fleet('1.8', 1)
    hap = started.haproxy()
    sent = []

    def replies(command):
        if command.startswith('add acl'):
            sent.append(started[0].version)
    started[0].handler = replies

    def added():
        for number in range(5000):
            if number == 3000:
                clock.go_on()
                started[0].take_over('2.0')
            yield 'v w{0}'.format(number)
    with pytest.raises(exceptions.CommandFailed) as caught:
        hap.add_acl_entries(4, added())
    assert 'HAProxy 2.0' in str(caught.value)
    assert set(sent) == set(['1.8'])
    assert [failure.index for failure in caught.value.failures][0] == 2048


@pytest.mark.parametrize('replaced', [False, True])
def test_references_behind_a_key_stay_references(replaced, fleet, clock, monkeypatch):
    """[references] If the process that listed them still replies; otherwise they are not sent."""
    started = fleet('2.6', 1)
    hap = started.haproxy(retry=1, retry_interval=0)
    process = started[0]
    fakes.list_entries(started.patterns('#7')[0], '0x1f 0xabc v', '0x2f a v', '0x3f b v')
    connect, late = transport.Exchange.connect, [1]

    def connecting(exchange, now, poller, alone):
        if exchange.request.command == b'del map #7 0xabc' and late:
            late.pop()
            if replaced:
                process.info['Pid'] = '9999'
            exchange._time_out('timed out')
            return
        connect(exchange, now, poller, alone)
    monkeypatch.setattr(transport.Exchange, 'connect', connecting)
    call = functools.partial(hap.del_map_entries, 7, ['0xabc', '0x2f', '0x3f'])
    if replaced:
        with pytest.raises(exceptions.EntriesFailed) as caught:
            call()
        assert [failure.index for failure in caught.value.failures] == [1, 2]
        assert 'another process' in caught.value.failures[0].message
    else:
        assert call() is True
    sent = ';'.join(process.commands).split(';')
    assert ('del map #7 #0x2f' in sent) == (not replaced)
    assert 'del map #7 0x2f' not in sent
    assert keys_of(started.patterns('#7')[0]) == (['a', 'b'] if replaced else [])


def test_what_was_never_sent_has_no_command(fleet, clock):
    """Nobody was listening; the process that listens now does not support it."""
    started = fleet('2.2', 1)
    hap = started.haproxy(retry=1, retry_interval=0)
    process = started[0]
    connect, late = transport.Exchange.connect, [1]

    def connecting(exchange, now, poller, alone):
        if exchange.request.command.startswith(b'add map') and late:
            late.pop()
            process.take_over('2.0')
            exchange._time_out('timed out')
            return
        connect(exchange, now, poller, alone)
    transport.Exchange.connect = connecting
    try:
        with pytest.raises(exceptions.CommandFailed) as caught:
            hap.add_map(7, 'k', 'v w')
    finally:
        transport.Exchange.connect = connect
    assert caught.value.command is None
    assert caught.value.socket_file == process.path


def test_an_exception_of_the_callers_iterable_is_the_callers(fleet, clock):
    class Broken(object):
        def __iter__(self):
            raise TypeError('of the caller')
    hap = fleet('2.2', 1).haproxy()
    with pytest.raises(TypeError) as caught:
        hap.add_acl_entries(7, Broken())
    assert str(caught.value) == 'of the caller'
