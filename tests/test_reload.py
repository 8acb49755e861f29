"""HAProxy is reloaded and restarted while many threads use one object of the library.

``tools/upheaval.py`` does it; ``tools/reload`` does it a hundred times and prints the table. Every
answer is checked: each name has a limit or a weight of its own, and every id moves each time.
"""
import pytest

import conftest
import fakes
from fakes import fleet  # noqa: F401 (a fixture)
import lab as labs
import upheaval

VERSIONS = sorted(set(setup.version for setup in conftest.setups()))

DOCUMENTED = set(['right answer', 'NoSuchObject', 'CommandFailed', 'EntriesFailed',
                  'MultipleCommandResults', 'HAProxySocketError', 'SocketApplicationError',
                  'SocketConnectionError', 'SocketPermissionError', 'SocketTimeout',
                  'SocketTransportError'])


def start(version, **options):
    try:
        binary = labs.find(version)
    except labs.Missing as reason:
        (pytest.fail if conftest.STRICT else pytest.skip)(str(reason))
    return upheaval.Site(binary, **options)


def reads_of(crew):
    """Return what the reads of all phases came to."""
    return sum((counts for (_, kind), counts in crew.outcomes.items() if kind == 'reads'),
               upheaval.collections.Counter())


@pytest.mark.parametrize('version', VERSIONS)
def test_a_reload_and_a_restart_under_load(version):
    with start(version) as site:
        before = upheaval.descriptors()
        crew = upheaval.run(site, reloads=3, restarts=1)
        assert crew.wrong == []
        assert set(name for counts in crew.outcomes.values() for name in counts) <= DOCUMENTED
        for kind in ('reads', 'changes'):
            assert crew.outcomes['reload', kind]['right answer'] > 10
        assert crew.statuses[200] > 0
        assert upheaval.works(site)
        assert upheaval.descriptors() <= before


@pytest.mark.parametrize('version', VERSIONS)
def test_who_is_patient_reads_on(version):
    """C6: with retries enough no read fails, not even in a restart."""
    with start(version, retry=500, retry_interval=0.02) as site:
        crew = upheaval.run(site, reloads=1, restarts=2, threads=4)
        assert crew.wrong == []
        assert set(reads_of(crew)) <= set(['right answer', 'NoSuchObject'])


@pytest.mark.parametrize('version, asked', [('2.2', 2), ('2.4', 2), ('2.6', 1)])
@pytest.mark.parametrize('kind, call', [(1, 'frontends'), (2, 'backends'), (4, 'servers')])
def test_a_worker_that_ends_is_no_empty_haproxy(fleet, kind, call, version, asked):
    """Up to 2.4 it lists nothing any more; the next one is asked. From 2.6 on its rows stay."""
    started = fleet(version)
    command = 'show stat -1 {0} -1'.format(kind)
    rows = fakes.text(started[0].table(-1, kind))
    started.answer(command, [rows.split('\n')[0] + '\n\n'] * (asked - 1) + [rows])
    assert getattr(started.haproxy(), call)() != []
    assert started.commands == [[command] * asked]


def test_an_empty_haproxy_is_one(fleet):
    started = fleet('2.2')
    started[0].rows = []
    assert started.haproxy().servers() == []
    assert started.commands == [['show stat -1 4 -1'] * 2]


def test_a_restart_is_one(monkeypatch):
    """The lab's part of it, and that a wrong answer would be noticed."""
    with start(VERSIONS[-1]) as site:
        pids = site.hap.processids
        site.restart()
        assert not set(pids) & set(site.hap.processids)
        assert 'early' not in site.hap.frontends()
        site.reload()
        assert 'early' in site.hap.frontends()
        monkeypatch.setitem(upheaval.WEIGHTS, ('b1', 's1'), 1)
        crew = upheaval.run(site, reloads=1, restarts=0, threads=2)
        assert crew.wrong != []
