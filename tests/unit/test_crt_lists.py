# SPDX-License-Identifier: Apache-2.0
"""crt_lists.py and internal/crt_lists.py: lists of certificates, with fakes of many versions."""
import json
import pickle

import pytest

from haproxyadmin import exceptions
from haproxyadmin.crt_lists import Added, CrtListEntry, Removed
from haproxyadmin.internal import crt_lists as internal
from haproxyadmin.internal.fanout import run
from haproxyadmin.testing import faults
from haproxyadmin.testing.families.tls import TlsLine
from tests.support.hooks import Hooks
from tests.unit.test_certificates import pem, stored
from tests.unit.test_tables import lost_at, replaced_at

LIST = '/etc/list.txt'
SHOW = 'show ssl crt-list -n ' + LIST
ENTRY = CrtListEntry('/a.pem', ['*.a.test', '!b.a.test'], 'alpn h2 verify none', None)


CONFIG = 'frontend f\n    bind :443 ssl crt-list {0} strict-sni\n'.format(LIST)
FILES = {LIST: ''}


class List(Hooks):
    """The list ``LIST`` of a process of the fake, which has some certificates that nobody uses."""

    def __init__(self, process, entries=()):
        super(List, self).__init__(process, ' ssl crt-list')
        self.entries = list(entries)

    @property
    def entries(self):
        return self.process.crt_lists.lists[LIST].entries

    @entries.setter
    def entries(self, entries):
        if entries is None:
            del self.process.crt_lists.lists[LIST]
            return
        self.process.crt_lists.lists[LIST].entries = entries
        for number, name in enumerate(['/a.pem', '/b.pem', '/c.pem'], 1):
            self.store(name, number)

    def store(self, name, number=9):
        """Give the process a certificate."""
        self.process.certificates.stored[name] = stored(pem(number))

    def add_line(self, line):
        """Add an entry as another client does."""
        self.process.reply_to('add ssl crt-list {0} <<\n{1}'.format(LIST, line))


class Site(object):

    def __init__(self, fleet, version='3.2', count=2, entries=(), exact=None, config=CONFIG):
        self.fleet = fleet(version, count, config=config, files=FILES)
        for process in self.fleet:
            if exact:
                process.info['Version'] = exact
        self.lists = [List(process, entries) for process in self.fleet]
        self.hap = self.fleet.haproxy()
        self.found = self.hap.crt_list(LIST)
        self.fleet.forget()

    def sent(self):
        """Return the commands that each process has received, the first line of each."""
        return [[command.split('\n')[0] for command in commands if command != 'show info']
                for commands in self.fleet.commands]

    def entries(self):
        return [[tuple(entry) for entry in each.entries] for each in self.lists]

    def refuse(self, place, action):
        self.lists[place].refuse[action + ' ssl crt-list'] = "Can't do it: locked!\n\n"


@pytest.fixture
def site(fleet):
    return lambda *args, **options: Site(fleet, *args, **options)


A, B, C = [CrtListEntry(name, [], None, line) for name, line in [
    ('/a.pem', 2), ('/b.pem', 4), ('/c.pem', 5)]]


# Reading

@pytest.mark.parametrize('version', ['2.2', '2.4', '2.6', '2.8', '3.0', '3.2', '3.4'])
def test_entries(site, version):
    on = site(version, entries=[A, ENTRY._replace(line=3)])
    assert on.found.entries() == [A, ENTRY._replace(line=3)]
    assert on.sent() == [[SHOW]] * 2
    assert on.found.entries_per_socket() == [(path, on.found.entries()) for path in on.fleet.paths]
    assert on.found.entries_per_process() == [
        (number, on.found.entries()) for number in ([1, 2] if version < '2.5' else [1, 1])]


def test_processes_that_differ(site):
    """Lines may differ, because each process counts for itself; nothing else."""
    on = site(entries=[A, B])
    on.lists[1].entries[1] = B._replace(line=7)
    assert on.found.entries() == [A, B._replace(line=None)]
    for other in (B._replace(sni=['x']), B._replace(options='alpn h2'), C):
        on.lists[1].entries[1] = other
        with pytest.raises(exceptions.IncosistentData) as info:
            on.found.entries()
        assert [path for path, _ in info.value.by_socket] == on.fleet.paths
        assert info.value.by_socket[0][1] == [A._replace(line=None), B._replace(line=None)]
    on.lists[1].entries = [B, A]
    with pytest.raises(exceptions.IncosistentData):
        on.found.entries()


def test_a_list_that_is_gone(site):
    """[what is not there]"""
    on = site()
    on.lists[1].entries = None
    for call in (on.found.entries, lambda: on.found.add('/a.pem'), lambda: on.found.remove('/a.pem')):
        with pytest.raises(exceptions.NoSuchObject) as info:
            call()
        assert 'gone from process 1 on ' + on.fleet.paths[1] in str(info.value)
    assert on.sent()[0] == [SHOW] * 3
    with pytest.raises(ValueError) as info:
        on.hap.crt_list('/etc/lists.txt')
    assert str(info.value) == "no crt-list '/etc/lists.txt'; did you mean '/etc/list.txt'?"


def test_lists_of_some_processes(site):
    on = site()
    on.fleet[0].answers['show ssl crt-list'] = '\n'
    on.fleet[0].handler = None
    one, = on.hap.crt_lists()
    assert (one.name, one.process_nb) == (LIST, [1])
    assert one._found[0].socket_file == on.fleet.paths[1]


def test_an_old_version(fleet):
    """[not supported]"""
    started = fleet('2.0', 1)
    hap = started.haproxy()
    with pytest.raises(exceptions.NotSupported) as info:
        hap.crt_lists()
    assert (info.value.needs, started.commands) == ('2.2', [[]])


def test_objects(site):
    """[equality]"""
    on = site(entries=[A])
    assert repr(on.found) == "CrtList('/etc/list.txt', processes=[1, 1])"
    assert on.found == on.hap.crt_list(LIST) == LIST and bool(on.found)
    assert pickle.loads(pickle.dumps(on.found, 2)).entries() == [A]
    entry, = on.found.entries()
    assert json.loads(json.dumps(entry._asdict()))['line'] == 2
    assert Added(False) and Removed(False)


# Adding

def test_added(site):
    """[crt-lists]"""
    on = site(entries=[A])
    assert on.found.add('/a.pem', ENTRY.sni, ENTRY.options) == Added(True)
    assert on.entries() == [[tuple(A), tuple(ENTRY._replace(line=3))]] * 2
    assert on.sent() == [[SHOW, 'add ssl crt-list {0} <<'.format(LIST), SHOW]] * 2
    assert on.fleet.commands[0][-2] == (
        'add ssl crt-list /etc/list.txt <<\n/a.pem [alpn h2 verify none] *.a.test !b.a.test\n')
    on.fleet.forget()
    assert on.found.add('/b.pem') == Added(True)
    assert on.sent()[0][1] == 'add ssl crt-list /etc/list.txt /b.pem'


@pytest.mark.parametrize('sni, options, changed', [
    (['*.a.test', '!b.a.test'], 'alpn h2 verify none', False),
    (('!b.a.test', '*.A.test'), '  verify none\talpn h2 ', False),
    (iter(['*.a.test', '!b.a.test']), b'alpn h2 verify none', False),
    (['*.a.test'], 'alpn h2 verify none', True), (['*.a.test', '!b.a.test'], None, True),
    (['*.a.test', '!b.a.test'], 'alpn none verify h2', True)])
def test_what_is_there_already(site, sni, options, changed):
    on = site(entries=[ENTRY._replace(line=1)])
    assert on.found.add('/a.pem', sni, options) == Added(changed)
    assert len(on.sent()[0]) == (3 if changed else 1)


def test_added_where_it_is_missing(site):
    on = site(entries=[A])
    on.lists[1].entries.append(B)
    assert on.found.add('/b.pem') == Added(True)
    assert on.sent()[1] == [SHOW]
    assert [entry.certificate for entry in on.found.entries()] == ['/a.pem', '/b.pem']


def test_names_below_crt_base(site):
    on = site(entries=[A], config='global\n    crt-base /base\n' + CONFIG)
    for each in on.lists:
        each.store('/base/a.pem')
    assert on.found.add('a.pem') == Added(True)


@pytest.mark.parametrize('line, said', [(0, 'directory'), (2, 'not exist')])
def test_a_directory_has_no_filters(site, line, said):
    on = site(entries=[A._replace(line=line)])
    with pytest.raises(exceptions.CommandFailed, match=said) as info:
        on.found.add('/none', ['x.test'])
    assert info.value.undone == [] if line else on.sent() == [[SHOW]] * 2


def test_one_that_refuses_undoes_the_others(site):
    """[all or none]"""
    on = site(count=3, entries=[A, B])
    on.fleet[1].certificates.stored.clear()
    # Another client has added the same certificate: only what this one has added is removed.
    on.lists[0].after = lambda: on.lists[0].add_line('/a.pem other.test')
    before = on.entries()
    with pytest.raises(exceptions.MultipleCommandResults) as info:
        on.found.add('/a.pem', ENTRY.sni, ENTRY.options)
    assert info.value.undone == [on.fleet.paths[0], on.fleet.paths[2]]
    assert info.value.not_undone == info.value.replaced == []
    assert on.entries() == [before[0] + [('/a.pem', ['other.test'], None, 6)]] + before[1:]
    assert on.found.add('/a.pem', ['x'], die=False) is False


def test_of_two_entries_the_one_with_the_options_is_undone(site):
    on = site(entries=[A])
    on.refuse(1, 'add')
    on.lists[0].after = lambda: on.lists[0].add_line('/a.pem [verify none] x.test')
    with pytest.raises(exceptions.MultipleCommandResults):
        on.found.add('/a.pem', ['x.test'], 'alpn h2')
    assert on.entries()[0] == [tuple(A), ('/a.pem', ['x.test'], 'verify none', 4)]


def test_a_line_has_a_length(site):
    """HAProxy 3.4 takes longer ones, and cuts them short when it lists them."""
    on = site('3.4')
    with pytest.raises(ValueError, match='too long'):
        on.found.add('/a.pem', ['n{0}.a.test'.format(number) for number in range(1400)])
    assert on.sent() == [[], []]


def test_one_that_is_lost_undoes_the_others(site):
    on = site(count=3, entries=[A])
    lost_at(on.fleet[1], 'add ssl', faults.answering())
    with pytest.raises(exceptions.HAProxySocketError) as info:
        on.found.add('/b.pem')
    # It had not received it, and has nothing to remove.
    assert (info.value.undone, info.value.not_undone) == (on.fleet.paths, [])
    assert on.entries() == [[tuple(A)]] * 3


def test_one_that_stays_lost_is_reported(site):
    on = site(count=2, entries=[A])
    lost_at(on.fleet[1], 'add ssl')
    with pytest.raises(exceptions.HAProxySocketError) as info:
        on.found.add('/b.pem')
    assert (info.value.undone, info.value.not_undone) == ([on.fleet.paths[0]], [on.fleet.paths[1]])


def test_one_that_is_replaced_is_reported(site):
    on = site(count=2, entries=[A])

    def replace():
        on.fleet[1].take_over('3.2')
        on.lists[1].entries = [A]
    on.lists[1].after = replace
    with pytest.raises(exceptions.CommandFailed) as info:
        on.found.add('/b.pem')
    assert (info.value.undone, info.value.replaced) == ([on.fleet.paths[0]], [on.fleet.paths[1]])
    assert on.entries() == [[tuple(A)]] * 2


@pytest.mark.parametrize('version, exact, crashes', [
    ('2.4', '2.4.0', True), ('2.4', '2.4.18', False), ('2.6', '2.6.0', True), ('2.2', None, False),
    ('2.6', '2.6.1', False), ('3.2', None, False)])
def test_a_certificate_that_a_server_may_use(site, version, exact, crashes):
    """[nothing that kills]"""
    on = site(version, exact=exact)
    assert on.found.add('/a.pem').changed
    on.fleet[1].certificates.lines['/b.pem'] = [TlsLine('server', 1, [])]
    if not crashes:
        assert on.found.add('/b.pem').changed
        return
    with pytest.raises(exceptions.CommandFailed, match='crashes this version'):
        on.found.add('/b.pem')
    # The list itself explains why it is in use.
    assert on.found.add('/a.pem', ['other.test']).changed
    assert [entry.certificate for entry in on.found.entries()] == ['/a.pem'] * 2


# Removing

def test_removed(site):
    on = site(entries=[A, B, C])
    assert on.found.remove('/b.pem') == Removed(True)
    assert on.entries() == [[tuple(A), tuple(C)]] * 2
    assert on.sent() == [[SHOW, 'del ssl crt-list /etc/list.txt /b.pem:4', SHOW]] * 2
    on.fleet.forget()
    assert on.found.remove('/b.pem') == Removed(False)
    assert on.sent() == [[SHOW]] * 2


def test_several(site):
    on = site(entries=[A, B, B._replace(line=5, sni=['x.test']), B._replace(line=6)])
    with pytest.raises(ValueError) as info:
        on.found.remove('/b.pem')
    assert str(info.value) == ("certificate '/b.pem' is in crt-list '/etc/list.txt' several times, at "
                               'lines 4, 5, 6: pass line')
    assert on.found.remove('/b.pem', 9) == Removed(False)
    assert on.sent() == [[SHOW] * 2] * 2
    assert on.found.remove('/b.pem', line=5) == Removed(True)
    # By what it says: the last one.
    assert on.found.remove(on.found.entries()[1]) == Removed(True)
    assert [entry.line for entry in on.found.entries()] == [2, 4]
    assert on.found.remove(B._replace(options='alpn h2')) == Removed(False)


def test_lines_that_differ(site):
    on = site(entries=[A, B])
    on.lists[1].entries[1] = B._replace(line=9)
    with pytest.raises(exceptions.CommandFailed) as info:
        on.found.remove('/b.pem', 4)
    assert info.value.socket_file == on.fleet.paths[1] and on.sent() == [[SHOW]] * 2
    assert on.found.remove(on.found.entries()[1]) == Removed(True)
    assert on.sent()[1][-2:] == ['del ssl crt-list /etc/list.txt /b.pem:9', SHOW]


def test_removed_where_it_is(site):
    on = site(entries=[A, B])
    del on.lists[0].entries[1]
    assert on.found.remove('/b.pem', 4) == Removed(True)
    assert on.sent()[0] == [SHOW] and len(on.sent()[1]) == 3


def test_a_refused_removal_is_undone(site):
    """[all or none] Its place is then at the end."""
    on = site(entries=[ENTRY._replace(line=2), B])
    on.refuse(1, 'del')
    with pytest.raises(exceptions.MultipleCommandResults) as info:
        on.found.remove('/a.pem')
    assert (info.value.undone, info.value.not_undone) == ([on.fleet.paths[0]], [])
    assert on.entries()[0] == [tuple(B), tuple(ENTRY._replace(line=5))]
    assert 'locked' in dict(info.value.by_socket)[on.fleet.paths[1]]


def test_another_client_changes_the_list(site):
    on = site(entries=[A, B])
    on.lists[0].after = lambda: on.lists[0].add_line('/c.pem x.test')
    assert on.found.remove('/b.pem') == Removed(True)
    on.lists[0].after = lambda: on.lists[0].entries.insert(0, A)
    with pytest.raises(exceptions.CommandFailed, match='still in crt-list'):
        on.found.remove('/a.pem')


def test_the_line_of_another_process(site):
    """[crt-lists] One that has been replaced may have another entry there."""
    on = site(entries=[A, B])

    def change(command):
        if command.startswith('del ssl'):
            on.fleet[1].take_over('3.2')
            on.lists[1].entries = [B, C]
        return on.lists[1].answer(command)
    on.fleet[1].handler = change
    with pytest.raises(exceptions.CommandFailed, match='another process has taken over') as info:
        on.found.remove('/b.pem')
    assert (info.value.undone, info.value.replaced) == ([on.fleet.paths[0]], [on.fleet.paths[1]])


def test_one_that_is_replaced_before_the_removal(site):
    on = site(entries=[A, B])
    replaced_at(on.fleet[1], 'del ssl')
    on.refuse(1, 'del')
    with pytest.raises(exceptions.CommandFailed) as info:
        on.found.remove('/b.pem')
    assert (info.value.undone, info.value.replaced) == ([on.fleet.paths[0]], [on.fleet.paths[1]])


# What is passed

@pytest.mark.parametrize('arguments', [
    ('',), (None,), (True,), ('/a:3',), ('/a\nb',), ('/a\0',), ('/a b', ['x']), ('/a[1]', ['x']),
    ('/a\t', (), 'alpn h2'), ('/a]', (), 'alpn h2'),
    ('/a', 'x.test'), ('/a', 5), ('/a', [None]), ('/a', ['']), ('/a', ['a b']), ('/a', ['[a]']),
    ('/a', ['a\nb']), ('/a', ['#a']), ('/a', ['<<']), ('/a', ['!']), ('/a', ['!!a']), ('/a', ['a*']),
    ('/a', ['a.*.b']), ('/a', ['*a']), ('/a', ['.a']), ('/a', ['a..b']), ('/a', ['a"']),
    ('/a', [u'b\xfccher.test']), ('/a', ['x' * 20000]), ('/a', ['n{0}'.format(n) for n in range(3000)]),
    ('/a', (), 5), ('/a', (), ['alpn h2']), ('/a', (), 'alpn h2] x.test ['), ('/a', (), 'alpn\nh2'),
    ('/a', (), 'alpn "h2"'), ('/a', (), 'alpn h2\\'), ('/a', (), 'alpn #h2'), ('/a', (), 'alpn <<'),
    ('/a', (), 'alpn'), ('/a', (), 'ALPN h2'), ('/a', (), '-x y'), ('/a', (), 'key /etc/key'),
    ('/a', (), 'alpn h2 crt /b'), ('/a', (), 'alias x'), ('/a', (), 'alpn h2;x'), ('/a', (), 'alpn\x7fh2')])
def test_what_cannot_be_added(site, arguments):
    """[argument checks]"""
    on = site()
    with pytest.raises(ValueError) as info:
        on.found.add(*arguments)
    assert not isinstance(info.value, exceptions.HAProxyBaseError)
    assert on.sent() == [[], []]


@pytest.mark.parametrize('arguments, entry', [
    (('/a b[1].pem',), ('/a b[1].pem', [], None)), (('@s/a', None), ('@s/a', [], None)),
    (('/a', ['*', '!*', '*.a.test', '!b_c.test', 'xn--bcher-kva.test', '10.0.0.1']),
     ('/a', ['*', '!*', '*.a.test', '!b_c.test', 'xn--bcher-kva.test', '10.0.0.1'], None)),
    (('/a', (), ''), ('/a', [], None)), (('/a', (), ' '), ('/a', [], None)),
    (('/a', (), 'no-ca-names  ciphers ECDHE+AESGCM:!aNULL@STRENGTH'),
     ('/a', [], 'no-ca-names ciphers ECDHE+AESGCM:!aNULL@STRENGTH')),
    (('/a', (), 'ca-file /etc/my-ca_1.pem ocsp-update on'),
     ('/a', [], 'ca-file /etc/my-ca_1.pem ocsp-update on'))])
def test_what_can_be_added(arguments, entry):
    assert internal.check_entry(*arguments)[:3] == entry


@pytest.mark.parametrize('arguments', [
    ('',), (None,), ('/a:3',), ('/a', 0.5), ('/a', True), ('/a', -1), ('/a', '4'), ('/a', 2 ** 31)])
def test_what_cannot_be_removed(site, arguments):
    on = site(entries=[A])
    with pytest.raises(ValueError):
        on.found.remove(*arguments)
    assert on.sent() == [[], []]


def test_the_default_certificate(site):
    """[nothing that kills] 2.2 and 2.3 would go on using it, and never change it again."""
    on = site('2.2', entries=[A, ENTRY._replace(line=3)])
    with pytest.raises(exceptions.CommandFailed) as caught:
        on.found.remove(A.certificate, A.line)
    assert 'could no longer change it' in str(caught.value)
    assert not [command for commands in on.sent() for command in commands
                if command.startswith('del ')]


def test_names_with_blanks(site):
    """[one word per text]"""
    on = site('2.2', entries=[ENTRY._replace(line=0), A._replace(line=0, certificate='/d/of a;[1].pem')])
    for each in on.lists:
        each.store('/d/of a;[1].pem')
    assert on.found.remove('/d/of a;[1].pem') == Removed(True)
    assert on.found.add('/d/of a;[1].pem') == Added(True)
    assert on.sent()[0][1::3] == [
        'del ssl crt-list /etc/list.txt /d/of\\ a\\;[1].pem:0', 'add ssl crt-list /etc/list.txt '
        '/d/of\\ a\\;[1].pem']


# What certificates need

def test_one_process(site):
    """What is added to a list in one process is removed from it, wherever it is by then."""
    on = site(entries=[A, ENTRY._replace(line=3)])
    process = on.hap._processes[0]
    entry = internal.check_entry('/a.pem', ENTRY.sni, ENTRY.options)
    before = run(internal.entries_operation(process, LIST))
    assert run(internal.add_operation(process, LIST, entry)) == ''
    assert run(internal.add_operation(process, LIST, entry._replace(certificate='/none'))).startswith(
        "Can't edit the crt-list")
    assert len(on.lists[0].entries) == 3
    assert run(internal.remove_added_operation(process, LIST, entry, before)) == ''
    assert on.lists[0].entries == before
    assert run(internal.remove_added_operation(process, LIST, entry, before)) == ''
    assert on.lists[0].entries == before
    assert on.lists[1].entries == before
