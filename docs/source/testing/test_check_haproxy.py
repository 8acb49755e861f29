"""Tests of check_haproxy.py."""
import pytest

from haproxyadmin.testing import VERSIONS, FakeHAProxy, faults, wait_until


def test_a_server_that_refuses_connections_is_a_warning(throwaway_haproxy, run):
    assert run(throwaway_haproxy, 'check_haproxy.py')[0] == 0
    throwaway_haproxy.origin('web', 'web1').refuse()
    server = throwaway_haproxy.hap.backend('web').server('web1')
    wait_until(lambda: server.status == 'DOWN', 'web1 is down')
    status, output, _ = run(throwaway_haproxy, 'check_haproxy.py')
    assert status == 1 and output.startswith('HAPROXY WARNING: web/web1 is DOWN')


@pytest.mark.parametrize('changes, status, text', [
    ([], 0, "HAPROXY OK: no server is down | 'web'=0;10;100;0\n"),
    ([('web1', 'status', 'DOWN')], 1, "HAPROXY WARNING: web/web1 is DOWN | 'web'=0;10;100;0\n"),
    ([('web1', 'status', 'MAINT')], 0, "HAPROXY OK: no server is down | 'web'=0;10;100;0\n"),
    ([('BACKEND', 'status', 'DOWN')], 2, 'HAPROXY CRITICAL: web/BACKEND is DOWN'),
    ([('BACKEND', 'qcur', 60), ('web2', 'qcur', 40)], 2, 'HAPROXY CRITICAL: 100 wait for web'),
])
def test_states(fake_haproxy, run, changes, status, text):
    for name, column, value in changes:
        fake_haproxy.set('web', name, column, value)
    ended, output, errors = run(fake_haproxy, 'check_haproxy.py')
    assert ended == status and output.startswith(text) and errors == ''


@pytest.mark.parametrize('fault', [faults.silent(), faults.gone(), faults.refusing(),
                                   faults.cut(100), faults.denied()])
def test_a_haproxy_that_does_not_answer_is_unknown(fake_haproxy, run, fault):
    fake_haproxy.fail(fault)
    status, output, errors = run(fake_haproxy, 'check_haproxy.py')
    assert status == 3 and output.startswith('HAPROXY UNKNOWN: ') and errors == ''


@pytest.mark.parametrize('version', VERSIONS)
def test_each_version(haproxy_options, run, version):
    with FakeHAProxy(version, processes=2, **haproxy_options) as haproxy:
        assert run(haproxy, 'check_haproxy.py')[0] == 0
