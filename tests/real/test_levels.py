# SPDX-License-Identifier: Apache-2.0
"""Operations succeed if the socket's level allows them; otherwise the error names the level.

HAProxy's levels are ``user``, ``operator`` and ``admin``.
"""
import os
import shutil
import tempfile

import pytest

from haproxyadmin.exceptions import (CommandFailed, EntriesFailed, MultipleCommandResults,
                                     SocketApplicationError)
from haproxyadmin.haproxy import HAProxy
from haproxyadmin.testing import faults
from tests import conftest
from tests.support import truth

pytestmark = pytest.mark.dealt_out


def frontend(hap):
    return hap.frontend('frontend_proc1')


def server(hap):
    return hap.server('member_bkall', backend='backend_proc1')[0]


# Grouped by the lowest level that allows them, and run one after another in this order.
FOR_ALL = [
    ('info', lambda hap: hap.info()[0]['Name'] == 'HAProxy'),
    ('metric', lambda hap: hap.metric('Maxconn') > 0),
    ('frontends', lambda hap: len(hap.frontends()) == 9),
    ('servers', lambda hap: len(hap.servers()) == 14),
    ('stats', lambda hap: len(hap.stats()) > 20),
    ('snapshot', lambda hap: hap.snapshot().requests == 0),
    ('status', lambda hap: server(hap).status in ('UP', 'no check')),
    ('show_acl', lambda hap: hap.show_acl()[0].startswith('# id')),
    ('show_map', lambda hap: len(hap.show_map(0)) == 2),
    ('get_acl', lambda hap: hap.get_acl(4, '/static/js/').startswith('type=')),
    ('get_map', lambda hap: hap.get_map(0, '1').startswith('type=')),
    # Allowed for every level up to 3.2; HAProxy 3.4 requires admin for all of these.
    ('add_acl', lambda hap: hap.add_acl(4, '/x')),
    ('add_acl_entries', lambda hap: hap.add_acl_entries(4, ['/y', '/z'])),
    ('del_acl', lambda hap: hap.del_acl(4, '/x')),
    ('del_acl_entries', lambda hap: hap.del_acl_entries(4, ['/y', '/z'])),
    ('clear_acl', lambda hap: hap.clear_acl(4)),
    ('add_map', lambda hap: hap.add_map(0, 'k', 'v')),
    ('add_map_entries', lambda hap: hap.add_map_entries(0, {'a': 'v', 'b c': 'v w'})),
    ('set_map', lambda hap: hap.set_map(0, 'k', 'w')),
    ('del_map', lambda hap: hap.del_map(0, 'k')),
    ('del_map_entries', lambda hap: hap.del_map_entries(0, ['a', 'b c'])),
    ('clear_map', lambda hap: hap.clear_map(0)),
]
FOR_OPERATORS = [
    ('errors', lambda hap: 'Total events' in hap.errors()[0][1][0]),
    ('errors of a proxy', lambda hap: 'Total events' in hap.errors(3)[0][1][0]),
    ('clearcounters', lambda hap: hap.clearcounters()),
]
FOR_ADMINS = [
    ('clearcounters all', lambda hap: hap.clearcounters(all=True)),
    ('setmaxconn', lambda hap: hap.setmaxconn(100)),
    ('setratelimitconn', lambda hap: hap.setratelimitconn(100)),
    ('setratelimitsess', lambda hap: hap.setratelimitsess(100)),
    ('setratelimitsslsess', lambda hap: hap.setratelimitsslsess(100)),
    ('frontend.setmaxconn', lambda hap: frontend(hap).setmaxconn(100)),
    ('frontend.disable', lambda hap: frontend(hap).disable()),
    ('frontend.enable', lambda hap: frontend(hap).enable()),
    ('frontend.shutdown', lambda hap: frontend(hap).shutdown()),
    ('server.setweight', lambda hap: server(hap).setweight(3)),
    ('server.setstate', lambda hap: server(hap).setstate('drain')),
    ('server.setstate enable', lambda hap: server(hap).setstate('enable')),
    ('server.shutdown', lambda hap: server(hap).shutdown()),
    ('server.address', lambda hap: setattr(server(hap), 'address', '127.0.0.1') is None),
    ('server.port', lambda hap: setattr(server(hap), 'port', 123) is None),
]


def said(operate, hap):
    """Return ``'True'`` on success, otherwise the error message."""
    try:
        return repr(operate(hap))
    except CommandFailed as error:
        return str(error)


def told(operations, hap):
    return [(name, said(operate, hap)) for name, operate in operations]


def denied(path, level):
    return 'Permission denied (the level of {0} is {1})'.format(path, level)


def states(lab):
    """Return the values that the changes would alter, as HAProxy itself reports them."""
    told_apart = ('pxname', 'svname', 'status', 'weight', 'slim', 'addr')
    limits = ('Maxconn', 'ConnRateLimit', 'SessRateLimit', 'SslRateLimit')
    return ([[row[name] for name in told_apart] for path in lab.socket_files
             for row in truth.rows(lab, path)],
            [[info[name] for name in limits if name in info] for info in truth.infos(lab)])


class AnyLevel(object):
    """One HAProxy whose sockets all have the same level."""

    level = None
    allowed = refused = ()

    def test_it_may_not_do_the_rest_and_that_is_said_of_its_socket(self, lab, hap):
        before = states(lab)
        wanted = denied(lab.socket_files[0], self.level)
        assert [(name, words) for name, words in told(self.refused, hap)
                if not words.startswith(wanted)] == []
        assert states(lab) == before

    def test_it_may_do_what_its_level_allows(self, lab, hap):
        assert [(name, words) for name, words in told(self.allowed, hap) if words != 'True'] == []

    def test_a_refused_change_returns_false_without_die(self, hap):
        if self.refused:
            assert hap.setmaxconn(100, die=False) is False


@pytest.mark.only('nbproc4', 'single')
@pytest.mark.lab(level='user')
class TestUser(AnyLevel):
    level = 'user'
    allowed = FOR_ALL
    refused = FOR_OPERATORS + FOR_ADMINS

    def test_it_is_told_no_address(self, hap):
        assert (server(hap).address, server(hap).port) == ('', '')

    def test_a_command_of_the_caller_is_not_judged(self, hap, sent):
        replies = hap.command('show errors')
        assert set(tuple(lines) for _, lines in replies) == set([('Permission denied',)])
        assert set(sent.commands) == set(['show errors'])

    def test_a_refusal_costs_one_command_more(self, lab, hap, sent):
        assert said(lambda hap: hap.errors(), hap) == denied(lab.socket_files[0], 'user')
        # The level of one process may be queried before another process has replied.
        assert sorted(sent.commands) == (['show cli level'] * len(lab.socket_files)
                                         + ['show errors'] * len(lab.socket_files))


@pytest.mark.only('nbproc4', 'single')
@pytest.mark.lab(level='operator')
class TestOperator(AnyLevel):
    level = 'operator'
    allowed = FOR_ALL + FOR_OPERATORS
    refused = FOR_ADMINS

    def test_it_is_told_addresses(self, hap):
        assert server(hap).address == '127.0.0.1'


@pytest.mark.only('nbproc4', 'single')
class TestAdmin(AnyLevel):
    level = 'admin'
    allowed = FOR_ALL + FOR_OPERATORS + FOR_ADMINS


class Pair(object):
    """Two HAProxies whose sockets are in one directory: the first has level ``user``."""

    def __init__(self, users, admins, directory):
        self.labs = [users, admins]
        self.paths = [os.path.join(directory, name) for name in ('1.sock', '2.sock')]
        for lab, path in zip(self.labs, self.paths):
            os.symlink(lab.socket_files[0], path)
        self.hap = HAProxy(socket_dir=directory, retry=None, timeout=10)

    def server(self):
        return server(self.hap)

    def figures(self, proxy, name, field):
        return [truth.row(lab, lab.socket_files[0], proxy, name)[field] for lab in self.labs]

    def weights(self):
        return self.figures('backend_proc1', 'member_bkall', 'weight')


@pytest.fixture(scope='class')
def pair(lab):
    directory = tempfile.mkdtemp()
    try:
        with conftest.start(lab.version, single=True) as admins:
            yield Pair(lab, admins, directory)
    finally:
        shutil.rmtree(directory)


@pytest.mark.only('nbproc4', 'single')
@pytest.mark.lab(level='user')
class TestDifferentLevels(object):
    """A ``user`` socket beside an ``admin`` socket: an error reports every partial change."""

    def halves(self, pair, operate):
        with pytest.raises(MultipleCommandResults) as raised:
            operate()
        wanted = denied(pair.paths[0], 'user')
        assert raised.value.results == [(1, wanted), (1, '')]
        assert raised.value.by_socket == [(pair.paths[0], wanted), (pair.paths[1], '')]

    def test_a_change_tells_which_half_was_made(self, pair):
        assert pair.weights() == ['100', '100']
        self.halves(pair, lambda: pair.server().setweight(7))
        assert pair.weights() == ['100', '7']

    def test_a_limit_tells_which_half_was_made(self, pair):
        self.halves(pair, lambda: pair.hap.setratelimitconn(9))
        assert [info['ConnRateLimit'] for info in pair.hap.info()] == ['0', '9']

    def test_a_frontend_tells_which_half_was_made(self, pair):
        self.halves(pair, lambda: frontend(pair.hap).setmaxconn(9))
        assert pair.figures('frontend_proc1', 'FRONTEND', 'slim') == ['3000', '9']

    def test_a_state_tells_which_half_was_made(self, pair):
        self.halves(pair, lambda: pair.server().setstate('maint'))
        statuses = pair.figures('backend_proc1', 'member_bkall', 'status')
        assert statuses == ['no check', 'MAINT']

    def test_without_die_it_is_no_success(self, pair):
        assert pair.server().setweight(8, die=False) is False

    def test_a_port_is_set_nowhere_when_an_address_is_not_told(self, pair):
        before = pair.figures('backend_proc1', 'member_bkall', 'addr')
        with pytest.raises(CommandFailed) as raised:
            pair.server().port = 123
        assert str(raised.value).startswith(denied(pair.paths[0], 'user'))
        assert pair.figures('backend_proc1', 'member_bkall', 'addr') == before

    def test_a_read_names_the_socket_that_refuses(self, pair):
        with pytest.raises(CommandFailed) as raised:
            pair.hap.errors()
        assert str(raised.value) == denied(pair.paths[0], 'user')


class TestOlderAndNewerVersions(object):
    """Behavior of versions that the tests do not run; the fakes send captured replies."""

    @pytest.mark.parametrize('version', [
        '1.5.8', '1.5', '1.6', '1.7', '1.8'])
    def test_before_2_0_nobody_is_asked_for_the_level(self, fleet, version):
        refusing = fleet(version)
        hap = refusing.haproxy()
        refusing[0].level = 'user'
        with pytest.raises(CommandFailed) as raised:
            hap.setmaxconn(5)
        assert str(raised.value) == 'Permission denied'
        assert refusing.commands == [['set maxconn global 5']]

    def test_from_3_4_on_acls_and_maps_are_for_admins(self, fleet):
        refusing = fleet('3.4')
        hap = refusing.haproxy()
        refusing[0].level = 'operator'
        for command in ('show acl', 'show map #0', 'get acl #4 /x', 'get map #0 1'):
            refusing[0].answers[command] = 'Permission denied\n\n'
        for call in (hap.show_acl, lambda: hap.show_map(0), lambda: hap.get_acl(4, '/x'),
                     lambda: hap.get_map(0, 1), lambda: hap.add_acl(4, '/x'),
                     lambda: hap.set_map(0, 'k', 'v'), lambda: hap.del_map(0, 'k'),
                     lambda: hap.clear_map(0)):
            with pytest.raises(CommandFailed) as raised:
                call()
            assert str(raised.value) == denied(refusing.paths[0], 'operator')

    @pytest.mark.parametrize('call, count', [
        (lambda hap: hap.add_acl_entries(4, ['/x', '/y']), 2),
        (lambda hap: hap.del_acl_entries(4, ['/x', '/y']), 1),
        (lambda hap: hap.add_map_entries(0, [('a', 'b'), ('c', 'd')]), 1),
        (lambda hap: hap.del_map_entries(0, ['a', 'c']), 1),
    ])
    def test_many_entries_are_refused_with_the_level(self, fleet, call, count):
        refusing = fleet('3.4')
        hap = refusing.haproxy()
        refusing[0].level = 'operator'
        with pytest.raises(EntriesFailed) as raised:
            call(hap)
        assert [failure.message for failure in raised.value.failures] == [
            denied(refusing.paths[0], 'operator')] * count

    @pytest.mark.parametrize('behavior', [
        faults.closing(), faults.replying(b'\n'), faults.replying(b'garbage\n\n'),
        faults.replying(b'user'), faults.replying(b'Unknown command\n\n'),
        faults.replying(b'Permission denied\n\n')])
    def test_a_refusal_stays_one_when_the_level_is_not_told(self, fleet, behavior):
        refusing = fleet('2.6')
        hap = refusing.haproxy(retry=1, retry_interval=0)
        refusing[0].level = 'user'
        refusing[0].next(faults.answering(), behavior)
        with pytest.raises(CommandFailed) as raised:
            hap.setmaxconn(5)
        assert str(raised.value) in ('Permission denied', denied(refusing.paths[0], 'user'))
        assert refusing.connections == [2]

    def test_what_calls_itself_haproxy_and_refuses_everything_ends_the_call(self, fleet):
        refusing = fleet('2.6')
        hap = refusing.haproxy()
        refusing[0].fail(faults.replying(b'Permission denied\n\n'))
        for call in (hap.info, hap.frontends, hap.snapshot):
            with pytest.raises(SocketApplicationError):
                call()
        with pytest.raises(CommandFailed):
            hap.show_map()
