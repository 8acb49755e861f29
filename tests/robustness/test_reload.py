# SPDX-License-Identifier: Apache-2.0
"""Reload and restart HAProxy while many threads use one library object.

``tests/robustness/reload.py`` does the work; ``tools/reload`` reloads a hundred times and prints
the table. Every answer is checked: each name has its own limit or weight, and ids refer to other
objects after each reload.
"""
import pytest

from haproxyadmin import exceptions
from tests import conftest
from tests.robustness import reload
from tests.support import fakes, lab

pytestmark = pytest.mark.dealt_out

VERSIONS = conftest.versions()

DOCUMENTED = set(['right answer', 'NoSuchObject', 'CommandFailed', 'EntriesFailed',
                  'MultipleCommandResults', 'HAProxySocketError', 'SocketApplicationError',
                  'SocketConnectionError', 'SocketPermissionError', 'SocketTimeout',
                  'SocketTransportError'])


def start(version, **options):
    return reload.Site(conftest.find(version), **options)


def reads_of(crew):
    """Return the outcomes of the reads of all phases."""
    return sum((counts for (_, kind), counts in crew.outcomes.items() if kind == 'reads'),
               reload.collections.Counter())


def check_under_load(site, reloads, restarts, least):
    """Reload and restart under load, and check that all went right; return the crew.

    :param least: there must be more right answers than this.
    """
    before = lab.descriptors()
    crew = reload.run(site, reloads=reloads, restarts=restarts)
    assert crew.wrong == []
    assert set(name for counts in crew.outcomes.values() for name in counts) <= DOCUMENTED
    for kind in ('reads', 'changes'):
        assert crew.outcomes['reload', kind]['right answer'] > least
    assert reload.works(site)
    assert lab.descriptors() <= before
    return crew


@pytest.mark.parametrize('version', VERSIONS)
def test_a_reload_and_a_restart_under_load(version):
    with start(version) as site:
        crew = check_under_load(site, reloads=3, restarts=1, least=10)
        assert crew.statuses[200] > 0


@pytest.mark.parametrize('version', VERSIONS)
def test_reloads_through_the_masters_under_load(version):
    """[masters] A change never reaches a former worker."""
    with start(version, through_masters=True) as site:
        check_under_load(site, reloads=6, restarts=0, least=0)
        assert site.checked > 0


@pytest.mark.parametrize('version', VERSIONS)
def test_who_is_patient_reads_on(version):
    """[retries] With enough retries no read fails, not even during a restart."""
    with start(version, retry=500, retry_interval=0.02) as site:
        crew = reload.run(site, reloads=1, restarts=2, threads=4)
        assert crew.wrong == []
        assert set(reads_of(crew)) <= set(['right answer', 'NoSuchObject'])


@pytest.mark.parametrize('version, asked', [('2.2', 2), ('2.4', 2), ('2.6', 1)])
@pytest.mark.parametrize('kind, call', [(1, 'frontends'), (2, 'backends'), (4, 'servers')])
def test_a_worker_that_ends_is_no_empty_haproxy(fleet, kind, call, version, asked):
    """Up to 2.4 it lists no rows, and the next worker is asked. Since 2.6 it keeps its rows."""
    started = fleet(version)
    command = 'show stat -1 {0} -1'.format(kind)
    rows = fakes.text(started[0].table(-1, kind))
    started.answer(command, [rows.split('\n')[0] + '\n\n'] * (asked - 1) + [rows])
    assert getattr(started.haproxy(), call)() != []
    assert started[0].commands == [command, command.replace('-1', '-1+', 1)][:asked]


def test_an_empty_haproxy_is_one(fleet):
    """[one command per call] The empty list is verified only once."""
    started = fleet('2.2')
    started[0].rows = []
    hap = started.haproxy()
    for _ in range(3):
        assert hap.servers() == []
    assert started[0].commands == ['show stat -1 4 -1'] + ['show stat -1+ 4 -1'] * 3


CALLS = [(1, lambda hap: [frontend.name for frontend in hap.frontends()]),
         (1, lambda hap: hap.requests),
         (2, lambda hap: [backend.name for backend in hap.backends()]),
         (4, lambda hap: [(server.backendname, server.name) for server in hap.servers()]),
         (7, lambda hap: [(row['pxname'], row['svname']) for row in hap.stats()])]


@pytest.mark.parametrize('kind, call', CALLS)
def test_a_worker_that_ends_is_not_taken_for_the_whole(fleet, kind, call):
    """Up to 2.4 it stops its proxies one after the other, and lists the remaining ones."""
    started = fleet('2.2')
    hap = started.haproxy()
    whole = call(hap)
    started.forget()
    command = 'show stat -1 {0} -1'.format(kind)
    rows = fakes.text(started[0].table(-1, kind)).split('\n')
    left = [row for row in rows if not row.startswith(rows[1].split(',')[0] + ',')]
    assert len(left) > 3
    started.answer(command, ['\n'.join(left), '\n'.join(rows)])
    assert call(hap) == whole
    assert started.commands == [[command] * 2]


def test_what_is_really_gone_is_doubted_once(fleet):
    """[one command per call]"""
    started = fleet('2.2')
    hap = started.haproxy()
    assert 'tcp_listen' in hap.frontends()
    started[0].remove('tcp_listen')
    started.forget()
    for _ in range(3):
        assert 'tcp_listen' not in hap.frontends()
    assert started.commands == [['show stat -1 1 -1'] * 4]


def test_a_snapshot_is_not_of_a_worker_that_ends(fleet):
    """[errors are not data] It is read again; if that worker is stopping, too, it is an error."""
    started = fleet('2.2')
    hap = started.haproxy(retry=None)
    started[0].info['Stopping'] = '1'
    rows, started[0].rows = started[0].rows, []

    def next_worker(process, client):
        process.answer(client)
        process.info['Stopping'], process.rows = '0', rows
    started[0].next(next_worker)
    assert len(hap.snapshot().servers()) == len(hap.servers())
    started[0].info['Stopping'] = '1'
    with pytest.raises(exceptions.SocketApplicationError) as caught:
        hap.snapshot()
    assert 'the worker is stopping' in str(caught.value) and started[0].path in str(caught.value)


def test_a_snapshot_of_a_worker_without_rows_is_read_again(fleet):
    """Before 1.8 a worker does not report that it is stopping."""
    started = fleet('1.6')
    hap = started.haproxy()
    rows, started[0].rows = started[0].rows, []

    def next_worker(process, client):
        process.answer(client)
        process.rows = rows
    started[0].next(next_worker)
    assert hap.snapshot().servers() != []
    assert started.connections == [2]


def test_a_restart_is_one(monkeypatch):
    """The lab does restart and reload, and a wrong answer is noticed."""
    with start(VERSIONS[-1]) as site:
        pids = site.hap.processids
        site.restart()
        assert not set(pids) & set(site.hap.processids)
        assert 'early' not in site.hap.frontends()
        site.reload()
        assert 'early' in site.hap.frontends()
        monkeypatch.setitem(reload.WEIGHTS, ('b1', 's1'), 1)
        # Which server a thread reads is random.
        assert any(reload.run(site, reloads=1, restarts=0, threads=2).wrong for _ in range(20))
