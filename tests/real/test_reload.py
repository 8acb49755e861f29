# SPDX-License-Identifier: Apache-2.0
"""Objects that outlive a reload which gives their ids to other objects, on real HAProxies."""
import pytest

from haproxyadmin import exceptions
from tests.support import truth
from tests.support.checks import error_of

pytestmark = pytest.mark.dealt_out

TEMPORARY = """
frontend temporary
    bind "127.0.0.1:${HAPROXYADMIN_PORT_TEMPORARY}"
    default_backend leaving
backend leaving
    server first 127.0.0.1:1
    server second 127.0.0.1:2
backend staying
    server first 127.0.0.1:1 weight 1
    server second 127.0.0.1:2 weight 2
    server third 127.0.0.1:3 weight 3
"""
# The frontend and its backend are gone, and so is the first server of the other backend.
AFTERWARDS = """
backend staying
    server second 127.0.0.1:2 weight 2
    server third 127.0.0.1:3 weight 3
"""
EARLY = """
backend early
    server only 127.0.0.1:9

listen haproxy
"""


def move_everything(lab):
    """Reload with a new proxy before all others and a new server before its neighbors."""
    with open(lab.config_file) as config:
        text = config.read()
    for old, new in [('\nlisten haproxy\n', EARLY), (TEMPORARY, AFTERWARDS),
                     ('    server bck1_proc34_srv1 ',
                      '    server added 127.0.0.1:9 weight 77\n    server bck1_proc34_srv1 ')]:
        assert text.count(old) == 1
        text = text.replace(old, new)
    with open(lab.config_file, 'w') as config:
        config.write(text)
    lab.reload()


def row(lab, subject, process=3):
    """Return HAProxy's row for an object of the library."""
    proxy = getattr(subject, 'backendname', subject.name)
    names = {'Frontend': 'FRONTEND', 'Backend': 'BACKEND', 'Server': subject.name}
    path = truth.paths(lab, [process])[0]
    return truth.row(lab, path, proxy, names[type(subject).__name__])


def ids(row):
    return row['iid'], row['type'], row['sid']


@pytest.fixture
def kept(hap):
    """Objects that still exist after the reload."""
    backend = hap.backend('backend1_proc34')
    return [hap.frontend('frontend1_proc34'), hap.frontend('frontend2_proc34'), backend,
            backend.server('bck1_proc34_srv1'), backend.server('bck_all_srv1'),
            hap.backend('backend2_proc34'), hap.server('bck2_proc34_srv1')[0],
            hap.server('second', backend='staying')[0], hap.server('third', backend='staying')[0]]


@pytest.fixture
def gone(hap):
    """Objects that no longer exist after the reload."""
    return [hap.frontend('temporary'), hap.backend('leaving'),
            hap.server('first', backend='leaving')[0], hap.server('first', backend='staying')[0]]


@pytest.mark.lab(master_worker=True, extra=TEMPORARY)
class TestReload(object):

    def test_ids_that_are_another_s(self, lab, hap, kept, gone, sent):
        """[stale ids]"""
        lab.traffic('frontend1_proc34', 5)
        before = [ids(row(lab, subject)) for subject in kept]
        pids = lab.pids
        with lab.hold('frontend_proc1', 1):
            # The old worker stays alive until its connection ends.
            move_everything(lab)
            assert not set(pids) & set(hap.processids)
            assert hap.processids == lab.pids
            self.check_kept(lab, kept, before, sent)
            self.check_gone(lab, gone)
            self.check_lists(lab, hap)

    def check_kept(self, lab, kept, before, sent):
        # Each old id now belongs to another object of the same kind.
        after = dict((ids(found), (found['pxname'], found['svname']))
                     for found in truth.rows(lab, truth.paths(lab, [3])[0]))
        for subject, former in zip(kept, before):
            assert former != ids(row(lab, subject))
        taken = [after[former] for former in before if former in after]
        assert ('frontend1_proc34', 'FRONTEND') in taken
        assert ('backend1_proc34', 'BACKEND') in taken
        assert ('backend1_proc34', 'added') in taken
        for subject in kept:
            sent.clear()
            assert subject.metric('slim') == sum(
                int(row(lab, subject, process)['slim'] or 0)
                for process in [3, 4][:len(subject.process_nb)])
            # Only a stale id costs a second command.
            assert len(sent.commands) == 2 * len(subject.process_nb)
            sent.clear()
            assert subject.metric('stot') == 0
            assert len(sent.commands) == len(subject.process_nb)
            sent.clear()
            if hasattr(subject, 'sid'):
                assert subject.sid == int(row(lab, subject)['sid'])
                assert subject.weight == int(row(lab, subject)['weight']) != 77
                assert subject.address == '127.0.0.1'
            else:
                assert subject.iid == int(row(lab, subject)['iid'])
            assert subject.status == row(lab, subject)['status']

    def check_gone(self, lab, gone):
        for subject in gone:
            path = truth.paths(lab, [1])[0]
            for call in (lambda: subject.status, lambda: subject.metric('stot'),
                         lambda: subject.requests, subject.stats_per_process,
                         subject.requests_per_process):
                error = error_of(call)
                assert isinstance(error, KeyError)
                assert isinstance(error, exceptions.HAProxyBaseError)
                assert error.args == (subject.name,)
                assert subject.name in str(error) and path in str(error)
                assert 'gone' in str(error)
            for name in ('disable', 'setweight'):
                if hasattr(subject, name):
                    arguments = [5] if name == 'setweight' else []
                    error = error_of(getattr(subject, name), *arguments)
                    assert type(error) is exceptions.CommandFailed
                    assert 'No such ' in str(error)
                    assert getattr(subject, name)(*arguments, die=False) is False
        assert isinstance(error_of(gone[1].servers), KeyError)
        assert isinstance(error_of(gone[1].server, 'second'), KeyError)

    def check_lists(self, lab, hap):
        assert 'early' in hap.backends() and 'leaving' not in hap.backends()
        assert 'temporary' not in hap.frontends()
        assert [server.name for server in hap.servers('staying')] == ['second', 'third']
        assert [server.name for server in hap.servers('backend1_proc34')] == [
            'added'] + truth.SERVERS['backend1_proc34']


@pytest.mark.one_layout
@pytest.mark.lab(master_worker=True, extra=TEMPORARY)
class TestChangesAfterAReload(object):

    def test_they_reach_who_they_are_meant_for(self, lab, hap, kept):
        """[stale ids]"""
        frontend, _, backend, server = kept[:4]
        move_everything(lab)
        count = len(server.process_nb)
        assert server.setweight(5) is True
        assert truth.figures(lab, 'backend1_proc34', 'bck1_proc34_srv1', 'weight') == ['5'] * count
        assert truth.figures(lab, 'backend1_proc34', 'added', 'weight') == ['77'] * count
        assert server.setstate('maint') is True
        assert server.status == 'MAINT'
        assert truth.figures(lab, 'backend1_proc34', 'added', 'status') == ['no check'] * count
        server.address = '127.0.0.7'
        server.port = 1234
        assert truth.figures(lab, 'backend1_proc34', 'bck1_proc34_srv1', 'addr') == [
            '127.0.0.7:1234'] * count
        assert truth.figures(lab, 'backend1_proc34', 'added', 'addr') == ['127.0.0.1:9'] * count
        assert frontend.setmaxconn(55) is True
        assert truth.figures(lab, 'frontend1_proc34', 'FRONTEND', 'slim') == ['55'] * count
        assert truth.figures(lab, 'haproxy-stats4', 'FRONTEND', 'slim') == ['3000']
        assert [found.name for found in backend.servers()] == [
            'added'] + truth.SERVERS['backend1_proc34']
        assert backend.server('added').weight == 77
