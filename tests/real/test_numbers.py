# SPDX-License-Identifier: Apache-2.0
"""Real HAProxies whose proxies and servers have names that are the ids of others."""
import pytest

from haproxyadmin import STATE_DRAIN, STATE_MAINT, STATE_READY
from tests.support import truth
from tests.support.lab import wait_until

pytestmark = pytest.mark.dealt_out

NAMES = ['3', '1', '-1', '0', '6', '7']

NUMBERS = """
global
    stats socket "${HAPROXYADMIN_RUN}/a.sock" level admin
defaults
    mode http
    timeout connect 1s
    timeout client 10s
    timeout server 10s
""" + ''.join("""
frontend {0}
    bind "127.0.0.1:${{HAPROXYADMIN_PORT_F{1}}}"
    default_backend {0}
backend {0}
""".format(name, number) + ''.join(
    '    server {0} 127.0.0.1:{1}\n'.format(server, 1 + place)
    for place, server in enumerate(NAMES)) for number, name in enumerate(NAMES))


def table(lab):
    """Return, for every frontend, backend and server, the fields that a change may alter."""
    rows = dict(((row['pxname'], row['svname']), row) for row in truth.rows(lab))
    return dict((key, [row[name] for name in ('iid', 'sid', 'status', 'weight', 'slim', 'addr')])
                for key, row in rows.items())


def changed(before, after):
    """Return which rows differ, except those of backends, which sum up their servers."""
    return [key for key in sorted(before) if before[key] != after[key] and key[1] != 'BACKEND']


@pytest.mark.one_layout
@pytest.mark.lab(config=NUMBERS)
class TestNumbers(object):

    def test_the_names_are_ids_of_others(self, lab):
        """Otherwise the other tests would prove nothing."""
        ids = dict((row['iid'], row['pxname']) for row in truth.rows(lab))
        assert any(name in ids and ids[name] != name for name in NAMES)
        shown = lab.raw('show stat -1 7 -1').strip().split('\n')[1:]
        assert shown and set(line.split(',')[0] for line in shown) == set(['-1'])

    def test_lists_are_whole(self, hap):
        for subject in (hap, hap.snapshot()):
            assert [one.name for one in subject.frontends()] == NAMES
            assert [one.name for one in subject.backends()] == NAMES
            assert [(one.backendname, one.name) for one in subject.servers()] == [
                (backend, name) for backend in NAMES for name in NAMES]
            assert len(subject.stats()) == 2 * len(NAMES) + len(NAMES) ** 2

    def test_a_read_is_of_its_own_row_and_costs_one_command(self, lab, hap, sent):
        rows = table(lab)
        for one in hap.frontends() + hap.backends():
            sent.clear()
            assert str(one.iid) == rows[one.name, type(one).__name__.upper()][0]
            assert len(sent.commands) == 1
        for one in hap.servers():
            sent.clear()
            assert str(one.sid) == rows[one.backendname, one.name][1]
            assert one.address + ':' + one.port == rows[one.backendname, one.name][5]
            assert len(sent.commands) == 3
        for backend in hap.backends():
            sent.clear()
            assert [server.name for server in backend.servers()] == NAMES
            assert len(sent.commands) == 1

    def test_errors_are_of_the_proxy_of_the_id(self, lab, hap):
        """The id is not mistaken for a name."""
        for backend in hap.backends():
            (_, lines), = hap.errors(backend.iid)
            assert lines[0].startswith('Total events captured')

    @pytest.mark.parametrize('name', NAMES)
    def test_a_change_of_a_server_reaches_no_other(self, name, lab, hap):
        server = hap.backend(name).server('1')
        for change in (lambda: server.setweight(50), lambda: server.setstate(STATE_MAINT),
                       lambda: server.setstate(STATE_READY), lambda: server.setstate(STATE_DRAIN),
                       lambda: setattr(server, 'address', '127.0.0.9'),
                       lambda: setattr(server, 'port', 99)):
            before = table(lab)
            change()
            wait_until(lambda: changed(before, table(lab)), 'it is changed')
            assert changed(before, table(lab)) == [(name, '1')]
        before = table(lab)
        assert server.shutdown() is True
        other = hap.backend('3').server(name)
        assert other.shutdown() is True
        assert not changed(before, table(lab))
        assert other.setweight(60) is True
        assert changed(before, table(lab)) == [('3', name)]

    @pytest.mark.parametrize('name', NAMES)
    def test_a_change_of_a_frontend_reaches_no_other(self, name, lab, hap):
        frontend = hap.frontend(name)
        for change in (lambda: frontend.setmaxconn(7), frontend.disable, frontend.enable):
            before = table(lab)
            assert change() is True
            assert changed(before, table(lab)) == [(name, 'FRONTEND')]

    def test_a_frontend_that_is_shut_down_is_the_right_one(self, lab, hap):
        hap.frontend('3').shutdown()
        before = table(lab)
        assert before.get(('3', 'FRONTEND'), [None] * 3)[2] in (None, 'STOP')
        assert [before[name, 'FRONTEND'][2] for name in NAMES[1:]] == ['OPEN'] * 5
