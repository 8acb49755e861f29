"""Tests of blocklist.py."""
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest

from haproxyadmin.testing import faults


def answer_to(url):
    try:
        return urlopen(url).status
    except HTTPError as error:
        return error.code


def test_clients_are_blocked_and_let_in_again(throwaway_haproxy, run, tmp_path):
    listed = tmp_path / 'blocklist.acl'
    url = throwaway_haproxy.url('www')
    assert answer_to(url) == 200
    listed.write_text('# this machine\n127.0.0.0/8\n')
    assert run(throwaway_haproxy, 'blocklist.py')[:2] == (
        0, 'blocked 127.0.0.0/8\nunblocked 192.0.2.1\n')
    assert answer_to(url) == 403
    listed.write_text('192.0.2.1\n')
    assert run(throwaway_haproxy, 'blocklist.py')[0] == 0
    assert answer_to(url) == 200


def test_a_second_run_changes_nothing(fake_haproxy, run, tmp_path):
    (tmp_path / 'blocklist.acl').write_text('203.0.113.0/24\n192.0.2.1\n')
    assert run(fake_haproxy, 'blocklist.py')[:2] == (0, 'blocked 203.0.113.0/24\n')
    sent = len(fake_haproxy.commands[0])
    assert run(fake_haproxy, 'blocklist.py') == (0, '', '')
    assert all(command.startswith('show ') for command in fake_haproxy.commands[0][sent:])


def test_a_wrong_address_changes_nothing(fake_haproxy, run, tmp_path):
    (tmp_path / 'blocklist.acl').write_text('203.0.113.0/24\nnowhere\n')
    status, output, errors = run(fake_haproxy, 'blocklist.py')
    assert (status, output) == (1, '') and "'nowhere'" in errors
    name = str(tmp_path / 'blocklist.acl')
    assert list(fake_haproxy.hap.acl(name)) == ['192.0.2.1']


@pytest.mark.parametrize('fault', [faults.cut(command='add acl'), faults.gone()])
def test_it_fails_if_haproxy_fails(fake_haproxy, run, tmp_path, fault):
    (tmp_path / 'blocklist.acl').write_text('203.0.113.0/24\n')
    fake_haproxy.fail(fault)
    status, output, _ = run(fake_haproxy, 'blocklist.py')
    assert (status, output) == (1, '')
