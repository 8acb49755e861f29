# SPDX-License-Identifier: Apache-2.0
"""watch.py: what changes, on real HAProxies."""
import os

import pytest

from haproxyadmin.haproxy import HAProxy
from tests import conftest
from tests.support import group, lab as labs

pytestmark = pytest.mark.dealt_out

LONG = conftest.PATIENT * 2
# Former workers of 2.6.12 sometimes crash when they end.
CRASHING = ('2.6',)
CONFIG = """
global
    stats socket "${HAPROXYADMIN_RUN}/stats.sock" level admin

defaults
    mode http
    timeout connect 1s
    timeout client 10s
    timeout server 10s

frontend www
    bind "127.0.0.1:${HAPROXYADMIN_PORT_WWW}"
    default_backend web

backend web
    balance roundrobin
    server web1 "127.0.0.1:${HAPROXYADMIN_PORT_ORIGIN1}" weight 10 check inter 50ms fall 2 rise 2
    server web2 "127.0.0.1:${HAPROXYADMIN_PORT_ORIGIN2}" weight 10 check inter 50ms fall 2 rise 2
"""
MORE = CONFIG + """
    server web3 "127.0.0.1:${HAPROXYADMIN_PORT_ORIGIN1}" weight 10
"""


class Site(group.Group):
    """Two HAProxies, whose servers are up, and a library object for them."""

    def __init__(self, version, **options):
        super(Site, self).__init__(conftest.find(version), 2, CONFIG, **options)
        self.hap = HAProxy(socket_dir=self.directory, timeout=conftest.PATIENT)
        self.settle()

    def settle(self):
        """Wait until the servers of both are up."""
        labs.wait_until(lambda: all(started.raw('show stat').count('L4OK') == 2
                                    for started in self.labs), 'checked')

    def pids(self):
        return [started.pids[0] for started in self.labs]

    def configure(self, text):
        """Reload both with another configuration."""
        for started in self.labs:
            started.configure(text)
            started.reload()

    def stop(self):
        if self.version in CRASHING:
            for started in self.labs:
                started.excuse_workers()
        super(Site, self).stop()


class Watch(object):
    """What changes from now on.

    ``seen`` lists the changes without the time.
    """

    def __init__(self, hap):
        self._changes = hap.watch(interval=0.01, timeout=LONG)
        self._last = {}
        self.seen = []

    def until(self, *wanted):
        """Read changes until all of this is so.

        :param wanted: for each kind, name, field, and what it is last.
        """
        while any(self._last.get(each[:3], 'not seen') != each[3] for each in wanted):
            change = next(self._changes)
            assert self._last.get(change[1:4], change.before) == change.before
            self._last[change[1:4]] = change.after
            self.seen.append(tuple(change[1:]))


@pytest.fixture(params=conftest.versions(), scope='module')
def site(request):
    with Site(request.param, master_worker=True) as started:
        yield started


def statuses(status, *names):
    return [('server' if '/' in name else 'backend', name, 'status', status) for name in names]


def test_a_backend_loses_its_last_server(site):
    """[watching] In one process, then in the other."""
    watch = Watch(site.hap)
    names = ('web', 'web/web1', 'web/web2')
    for started, status in zip(reversed(site.labs), ('UP, DOWN', 'DOWN')):
        started.origins.refuse(1)
        watch.until(*statuses(status, 'web/web1'))
        assert ('backend', 'web', 'status', status) not in [
            change[:3] + change[4:] for change in watch.seen]
        started.origins.refuse(2)
        watch.until(*statuses(status, *names))
    assert set(change[2] for change in watch.seen) == set(['status'])
    for started in site.labs:
        for server in (1, 2):
            started.origins.serve(server)
    watch.until(*statuses('UP', *names))


def test_a_server_appears_and_disappears_with_a_reload(site):
    """[watching] Each process is replaced."""
    before = site.pids()
    watch = Watch(site.hap)
    site.configure(MORE)
    watch.until(*statuses('no check', 'web/web3') + [
        ('process', path, 'pid', pid) for path, pid in zip(site.paths, site.pids())])
    assert [('process', path, 'pid') + pids in watch.seen for path, pids in zip(
        site.paths, zip(before, site.pids()))] == [True, True]
    site.configure(CONFIG)
    watch.until(*statuses(None, 'web/web3'))
    site.settle()


def test_a_server_that_is_added_and_deleted(site):
    if site.version == '2.2':
        return
    watch = Watch(site.hap)
    backend = site.hap.backend('web')
    backend.add_server('web9', '127.0.0.1:9')
    watch.until(*statuses('no check', 'web/web9'))
    backend.del_server('web9', timeout=LONG)
    watch.until(*statuses(None, 'web/web9'))


def test_settings_and_states(site):
    """[watching] Whoever changes them."""
    watch = Watch(site.hap)
    for started in site.labs:
        started.raw('set server web/web1 weight 5')
        started.raw('set server web/web1 addr 127.0.0.2 port 81')
        started.raw('set server web/web2 state drain')
        started.raw('disable frontend www')
    disabled = 'STOP' if site.version == '2.2' else 'PAUSED'
    watch.until(('server', 'web/web1', 'weight', 5), ('server', 'web/web1', 'addr', '127.0.0.2:81'),
                ('server', 'web/web2', 'status', 'DRAIN'), ('frontend', 'www', 'status', disabled),
                *statuses('DOWN', 'web/web1'))
    site.configure(CONFIG)
    site.settle()


def test_a_restart(site):
    """[watching]"""
    watch = Watch(site.hap)
    path, pid = site.paths[0], site.pids()[0]
    site.labs[0].restart()
    watch.until(('process', path, 'pid', site.pids()[0]))
    assert ('process', path, 'pid', pid, site.pids()[0]) in watch.seen
    site.settle()


def test_a_process_is_killed():
    """[watching] What it reported last counts until there is another one."""
    version = conftest.versions()[-1]
    with group.Group(conftest.find(version), 2, CONFIG) as haproxies:
        hap = HAProxy(socket_dir=haproxies.directory, timeout=conftest.PATIENT)
        labs.wait_until(lambda: hap.backend('web').status == 'UP', 'up')
        watch = Watch(hap)
        path, other = haproxies.paths
        haproxies.labs[0].kill_process(1)
        watch.until(('process', path, 'status', 'unreachable'))
        haproxies.labs[1].raw('set server web/web1 state maint')
        watch.until(*statuses('UP, MAINT', 'web/web1'))
        os.unlink(path)
        assert hap.refresh().left == [path]
        watch.until(('process', path, 'status', None), *statuses('MAINT', 'web/web1'))
