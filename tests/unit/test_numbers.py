# SPDX-License-Identifier: Apache-2.0
"""Proxies whose names are numbers: from 1.7 on, HAProxy first looks up an id as a name."""
import pytest

from haproxyadmin.internal import _HAProxyProcess
from tests.support import captured


def rename(started, **names):
    """Rename proxies in all processes."""
    for process in started:
        position = process.columns.index('pxname')
        for row in process.rows:
            row[position] = names.get(row[position], row[position])


@pytest.mark.parametrize('version', captured.VERSIONS)
def test_the_name_of_one_is_the_id_of_another(version, fleet):
    """[one command per call] This needs no additional command."""
    started = fleet(version)
    iid = started[0].get('be_static', 'BACKEND', 'iid')
    rename(started, tcp_listen=iid)
    hap = started.haproxy()
    frontends, backends = hap.frontends(), hap.backends()
    servers = hap.servers()
    assert [one.name for one in frontends] == [name for name, _ in started[0].names('0')]
    assert [one.name for one in backends] == [name for name, _ in started[0].names('1')]
    for one in frontends + backends + servers:
        started.forget()
        proxy, name = (one.backendname, one.name) if one in servers else (
            one.name, type(one).__name__.upper())
        assert one.metric('scur') == int(started[0].get(proxy, name, 'scur'))
        assert one.status == started[0].get(proxy, name, 'status')
        assert len(started[0].commands) == 2
    assert [server.name for server in hap.backend('be_static').servers()] == [
        name for proxy, name in started[0].names('2') if proxy == 'be_static']


def test_an_id_that_a_hidden_name_takes_is_marked_from_then_on(fleet):
    """A list of frontends does not show that a backend has that name."""
    started = fleet('2.2')
    rename(started, st_src=started[0].get('frontend_all', 'FRONTEND', 'iid'))
    frontend = started.haproxy().frontend('frontend_all')
    started.forget()
    assert frontend.requests == int(started[0].get('frontend_all', 'FRONTEND', 'req_tot') or 0)
    assert len(started[0].commands) == 2
    started.forget()
    assert frontend.status == 'OPEN'
    assert len(started[0].commands) == 1


@pytest.mark.parametrize('version', ['1.5', '1.7', '2.2', '2.6', '3.4'])
@pytest.mark.parametrize('proxy', ['frontend_all', 'be_static', 'tcp_listen', 'st_src'])
def test_a_proxy_of_the_name_of_all(proxy, version, fleet):
    """HAProxy replies to id -1 with that proxy alone; the library detects this once."""
    started = fleet(version, 2)
    rename(started, **{proxy: '-1'})
    for read in (lambda hap: hap, lambda hap: hap.snapshot()):
        for kind, call in [('0', lambda on: on.frontends()), ('1', lambda on: on.backends()),
                           ('2', lambda on: on.servers())]:
            found = [getattr(one, 'backendname', one.name)
                     for one in call(read(started.haproxy()))]
            assert found == [name for name, _ in started[0].names(kind)]
    hap = started.haproxy()
    assert len(hap.stats()) == len(started[0].rows) - len(started[0].names('3'))
    hap.frontends()
    started.forget()
    for call in (hap.frontends, hap.backends, hap.servers, hap.snapshot, hap.stats):
        call()
    assert [len(process.commands) for process in started] == [5, 5]


def test_an_id_that_a_caller_gives_is_no_name_once_such_names_were_seen(fleet):
    started = fleet('2.2')
    iid = started[0].get('be_static', 'BACKEND', 'iid')
    rename(started, tcp_listen=iid)
    process = _HAProxyProcess(started[0].path, retry=None, timeout=30)
    process.backends()
    assert list(process.backends_stats(int(iid))) == ['be_static']
