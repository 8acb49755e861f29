# SPDX-License-Identifier: Apache-2.0
"""differences.py: what is not the same in all processes, on real HAProxies."""
import shutil

import pytest

from haproxyadmin import exceptions
from haproxyadmin.haproxy import HAProxy
from tests import conftest
from tests.support import keys
from tests.support.lab import wait_until

pytestmark = pytest.mark.dealt_out

CONFIG = """
global
    stats socket "${{HAPROXYADMIN_RUN}}/stats.sock" level {level}
defaults
    mode http
    timeout connect 1s
    timeout client 1s
    timeout server 1s
frontend {more}
    bind "127.0.0.1:${{HAPROXYADMIN_PORT_MORE}}"
frontend f
    maxconn 100
    bind "127.0.0.1:${{HAPROXYADMIN_PORT_F}}" ssl crt {files}/www.pem
    http-request set-header A %[hdr(a),map_str({files}/a.map)]
    http-request deny if {{ path_beg -f {files}/a.acl }}
    http-request deny if {{ path_beg /one /two }}
    default_backend b
backend b
    server s1 127.0.0.1:8001 weight 10
    server s2 127.0.0.1:8002 weight 20
"""


class Twins(object):
    """Two instances that are alike, except for a frontend if ``more`` names differ."""

    def __init__(self, version, directory, more=('more', 'more'), level='admin'):
        self.labs = []
        made = keys.Keys(str(directory))
        self.made, self.files = made, [directory.mkdir(name) for name in 'ab']
        # HAProxy knows a certificate by its path, so both have the same one.
        self.shared = directory.mkdir('shared')
        self.shared.join('a.map').write('k1 v1\nk2 v2\n')
        self.shared.join('a.acl').write('/x\n/y\n')
        shutil.copy(made.server, str(self.shared.join('www.pem')))
        try:
            for name in more:
                self.labs.append(conftest.start(version, config=CONFIG.format(
                    files=self.shared, more=name, level=level)))
        except BaseException:
            self.stop()
            raise
        # In the order in which the library reports them.
        self.labs.sort(key=lambda started: started.socket_files[0])
        self.sockets = [started.socket_files[0] for started in self.labs]
        self.hap = HAProxy(addresses=self.sockets, retry=None, timeout=20)

    def tell(self, place, command):
        return self.labs[place].raw(command, self.sockets[place])

    def found(self, **options):
        """Return the differences as kind, name, field and values, in the order of the sockets."""
        found = self.hap.differences(**options)
        for difference in found:
            assert [socket_file for socket_file, _ in difference.by_socket] == self.sockets
        return [tuple(difference[:3]) + ([value for _, value in difference.by_socket],)
                for difference in found]

    def stop(self):
        for started in self.labs:
            started.stop()


@pytest.fixture(params=conftest.versions())
def twins(request, tmpdir):
    started = Twins(request.param, tmpdir)
    yield started
    started.stop()


EVERYTHING = {'maps': True, 'acls': True, 'certificates': True}


def test_alike(twins):
    assert twins.found(**EVERYTHING) == []


def test_states_weights_and_limits(twins):
    twins.tell(1, 'set server b/s1 state maint')
    twins.tell(1, 'set weight b/s2 5')
    twins.tell(0, 'set maxconn frontend f 50')
    twins.tell(0, 'set maxconn global 77')
    twins.tell(0, 'set server b/s2 addr 127.0.0.9 port 8009')
    # From 3.0 on it is applied later.
    wait_until(lambda: '127.0.0.9:8009' in twins.tell(0, 'show stat'), 'the address is set')
    found = twins.found(**EVERYTHING)
    highest = twins.hap.metric_per_socket('Hard_maxconn')[1][1]
    assert ('process', '', 'Maxconn', [77, highest]) in found
    assert found[1:] == [
        ('frontend', 'f', 'slim', [50, 100]),
        ('server', 'b/s1', 'status', ['no check', 'MAINT']),
        ('server', 'b/s2', 'weight', [20, 5]),
        ('server', 'b/s2', 'addr', ['127.0.0.9:8009', '127.0.0.1:8002'])]


def test_entries(twins):
    twins.tell(1, 'add map {0}/a.map k3 v3'.format(twins.shared))
    twins.tell(0, 'del acl {0}/a.acl /x'.format(twins.shared))
    twins.tell(0, 'add acl {0}/a.acl /x'.format(twins.shared))
    inline = [line.split()[0] for line in twins.hap.show_acl() if " acl 'path_beg' " in line][-1]
    twins.tell(0, 'add acl #{0} /three'.format(inline))
    assert twins.found(**EVERYTHING) == [
        ('map', str(twins.shared.join('a.map')), 'entries', [[], ['k3 v3']]),
        ('acl', str(twins.shared.join('a.acl')), 'order', ['/y', '/x']),
        ('acl', '#' + inline, 'entries', [['/three'], []])]
    assert twins.found() == []


def test_certificates(twins):
    name = str(twins.shared.join('www.pem'))
    with open(twins.made.other) as pem:
        twins.tell(1, 'set ssl cert {0} <<\n{1}\n'.format(name, pem.read()))
    # It is not in use yet.
    assert twins.found(certificates=True) == []
    assert 'Success!' in twins.tell(1, 'commit ssl cert ' + name)
    found = dict((field, of_each) for kind, own, field, of_each in twins.found(certificates=True)
                 if (kind, own) == ('certificate', name))
    assert found['Subject'] == ['/CN=localhost', '/CN=other']
    assert found['Serial'] == ['09', '05']
    assert found['SHA1 FingerPrint'][0] != found['SHA1 FingerPrint'][1]
    assert 'Status' not in found and 'Filename' not in found
    twins.tell(0, 'new ssl cert /new.pem')
    assert ('certificate', '/new.pem', 'exists', [True, False]) in twins.found(certificates=True)


@pytest.mark.parametrize('version', conftest.versions())
def test_a_frontend_that_is_missing(version, tmpdir):
    started = Twins(version, tmpdir, more=('one', 'two'))
    try:
        assert sorted(started.found()) in (
            [('frontend', 'one', 'exists', [True, False]), ('frontend', 'two', 'exists', [False, True])],
            [('frontend', 'one', 'exists', [False, True]), ('frontend', 'two', 'exists', [True, False])])
    finally:
        started.stop()


@pytest.mark.parametrize('version', conftest.versions())
def test_a_level_that_is_too_low(version, tmpdir):
    """[errors are not data] What a socket of level user does not report is not compared."""
    started = Twins(version, tmpdir, level='user')
    try:
        assert started.found(maps=True, acls=True) == []
        with pytest.raises(exceptions.CommandFailed):
            started.hap.differences(certificates=True)
        assert started.hap.differences(certificates=True, die=False) is False
    finally:
        started.stop()


class TestLayouts(object):

    def test_of_the_example(self, hap, lab):
        """With several processes, each has proxies of its own."""
        found = hap.differences()
        if lab.layout == 'single':
            assert found == []
        else:
            assert set((difference.kind, difference.field) for difference in found) <= set(
                [('frontend', 'exists'), ('backend', 'exists'), ('process', 'Ulimit-n')])
            assert ('backend', 'backend_proc2') in [difference[:2] for difference in found]
