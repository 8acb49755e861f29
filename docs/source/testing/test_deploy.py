"""Tests of deploy.py."""
from concurrent.futures import ThreadPoolExecutor
from urllib.request import urlopen

from haproxyadmin.testing import faults, wait_until


def status_of(haproxy):
    return haproxy.hap.backend('web').server('web1').status


def test_requests_are_answered_during_a_deploy(throwaway_haproxy, run):
    web1 = throwaway_haproxy.origin('web', 'web1')
    slow = throwaway_haproxy.url('www') + '/hold/1'
    with ThreadPoolExecutor(4) as clients:
        answers = [clients.submit(urlopen, slow) for _ in range(4)]
        wait_until(lambda: web1.count().open == 2, 'two of them are at web1')
        status, output, _ = run(throwaway_haproxy, 'deploy.py', 'web', 'web1', 'true')
    assert status == 0 and output.endswith('web1 is up again\n')
    assert [answer.result().status for answer in answers] == [200] * 4
    assert web1.count().cut == 0


def test_the_server_is_out_of_rotation_during_the_command(throwaway_haproxy, run):
    command = 'import urllib.request as r; print(r.urlopen("{0}").headers["X-Origin"])'.format(
        throwaway_haproxy.url('www'))
    status, output, _ = run(throwaway_haproxy, 'deploy.py', 'web', 'web1', 'python3', '-c', command)
    assert status == 0 and 'web/web2\n' in output


def test_what_it_changes(fake_haproxy, run):
    status, _, _ = run(fake_haproxy, 'deploy.py', 'web', 'web1', 'true')
    assert status == 0
    assert [command for command in fake_haproxy.commands[0] if command.startswith('set ')] == [
        'set server web/web1 state drain', 'set server web/web1 state maint',
        'set server web/web1 state ready']


def test_a_failed_deploy_leaves_the_server_in_maintenance(fake_haproxy, run):
    status, _, errors = run(fake_haproxy, 'deploy.py', 'web', 'web1', 'false')
    assert status == 1 and 'CalledProcessError' in errors
    assert status_of(fake_haproxy) == 'MAINT'


def test_the_last_server_is_not_taken_out(fake_haproxy, run):
    fake_haproxy.set('web', 'web2', 'status', 'DOWN')
    status, _, errors = run(fake_haproxy, 'deploy.py', 'web', 'web1', 'true')
    assert status == 1 and 'web1' in errors
    assert status_of(fake_haproxy) == 'UP'


def test_nothing_is_deployed_if_haproxy_refuses(fake_haproxy, run, tmp_path):
    fake_haproxy.fail(faults.denied(command='set server'))
    status, _, errors = run(fake_haproxy, 'deploy.py', 'web', 'web1', 'touch',
                            str(tmp_path / 'deployed'))
    assert status == 1 and 'Permission denied' in errors
    assert not (tmp_path / 'deployed').exists()
