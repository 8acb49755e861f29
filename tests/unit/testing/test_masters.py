# SPDX-License-Identifier: Apache-2.0
"""testing/masters.py: its replies are those of the real versions, and the library understands them."""
import re
import socket

import pytest

from haproxyadmin import exceptions
from haproxyadmin.testing import configuration, fake, masters, process
from tests.support import captured

VERSIONS = [version for version in captured.VERSIONS if version >= '2.0']
EMPTY = configuration.Configuration('')
PID = re.compile(r'^\d+ +', re.MULTILINE)
UPTIME = re.compile(r'\dd\d\dh\d\dm\d\ds')


def worker(version, pid=7):
    return process.FakeProcess('/w', version, EMPTY, pid=pid)


def normal(reply):
    """Return a list of processes without pids and times."""
    # The captured figures and lists of 2.4 are those of two releases.
    reply = reply.replace('2.4.0-6cbbecf09', '2.4.9-f8dcd9f94')
    return UPTIME.sub('UPTIME', PID.sub(lambda match: 'PID'.ljust(len(match.group())), reply))


def states(version):
    """Return how the list looks in all states that the fake can have."""
    fresh = masters.FakeMaster('/m', [worker(version)])
    yield fresh.show_proc()
    fresh.reload()
    yield fresh.show_proc()
    fresh.config_error = 'bogus'
    fresh.reload()
    yield fresh.show_proc()
    fresh.config_error = None
    fresh.reload()
    yield fresh.show_proc()
    busy = masters.FakeMaster('/m', [worker(version)])
    busy.replace(worker(version))
    yield busy.show_proc()


@pytest.mark.parametrize('version', VERSIONS)
def test_the_list_of_processes(version):
    real = [normal(case['reply']) for case in captured.masters()
            if (case['version'], case['command']) == (version, 'show proc')]
    shown = [normal(reply) for reply in states(version)]
    # Of 2.4, none was captured after a reload with a former worker that had survived two.
    left = [reply for reply in real if reply not in shown and '[was: 1]        2' not in reply
            and 'master          0               3' not in reply]
    assert not left, left
    assert len(set(shown)) == 5


@pytest.mark.parametrize('version', VERSIONS)
@pytest.mark.parametrize('fails', [False, True])
def test_the_reply_to_a_reload(version, fails):
    master = masters.FakeMaster('/m', [worker(version, 4000)], pid=100)
    master.config_error = "parsing [/etc/haproxy/haproxy.cfg:16] : unknown keyword 'bogus' in " \
        "'backend' section" if fails else None
    reply = master.reload()
    real = [case['reply'] for case in captured.masters()
            if (case['version'], case['command']) == (version, 'reload')
            and (not case['reply'] or case['reply'].startswith('Success={0:d}'.format(not fails)))]
    if not real[0]:
        # The master began anew before it could reply.
        assert reply == ''
        return
    # The real ones say more, what depends on the program and its user.
    said = re.sub(r'\(\d+\)', '(PID)', re.sub(r'\d+(?= forked|\))', 'PID', real[0])).split('\n')
    for line in re.sub(r'\(\d+\)', '(PID)', re.sub(r'\d+(?= forked|\))', 'PID', reply)).split('\n'):
        assert line in said
    assert reply.startswith('Success={0:d}\n--\n'.format(not fails)) and reply.endswith('\n\n')


@pytest.mark.parametrize('version, level, words, reply', [
    ('2.2', 'user', 'show cli level', 'user\n\n'), ('2.0', 'user', 'show cli level', '\nuser\n\n'),
    ('3.2', 'user', 'show proc', 'Permission denied\n\n'),
    ('3.4', 'operator', 'show cli level', 'operator\n\n'),
    ('2.6', 'user', 'reload', 'Permission denied\n\n'),
    ('3.2', 'user', '@1 disable frontend f', 'Permission denied\n\n'),
    ('3.2', 'user', '@1; show cli level', 'user\n\n'),
    ('3.2', 'admin', '@99 show version', "Can't find the target PID matching the prefix '@99'\n"),
    ('3.2', 'admin', '@!abc show version', "Can't find the target PID matching the prefix '@!abc'\n"),
    ('2.6', 'admin', 'show version', '2.6.12-1+deb12u4\n\n'),
    ('3.2', 'admin', '@1 show cli level;show version', 'admin\n\n3.2.26-1\n\n'),
    ('3.2', 'admin', '@!7; show cli level;show backend', 'admin\n\n# name\n\n'),
])
def test_replies(version, level, words, reply):
    master = masters.FakeMaster('/m', [worker(version)], level=level)
    assert master.reply_to(words) == reply
    assert master.problems == []


@pytest.mark.parametrize('line', ['show info', 'bogus', 'show version'])
def test_it_is_strict(line):
    master = masters.FakeMaster('/m', [worker('2.4')])
    assert master.reply_to(line).startswith('Unknown command, but maybe')
    assert line in master.problems[0]


@pytest.mark.parametrize('version', ['2.4', '2.8', '3.4'])
def test_the_library_goes_through_it(version):
    with fake.FakeHAProxy(version, processes=2, master=True) as haproxy:
        assert len(haproxy.masters) == 2
        hap = haproxy.connect(master=haproxy.master_files)
        former = hap.processids
        assert len(hap.workers()) == 2
        assert hap.setmaxconn(7) and hap.maxconn == 14
        # Both ways lead to the same processes.
        assert haproxy.hap.maxconn == 14
        assert sorted(haproxy.hap.processids) == sorted(former)
        assert hap.reload(interval=0).old_pids == former
        assert not set(hap.processids) & set(former) and hap.maxconn == 2000
        assert haproxy.masters[0].unfinished == 0
        assert 'set maxconn global 7' in haproxy.log


def test_the_processes_of_nbproc_have_one_master():
    config = 'global\n  nbproc 2\nlisten l\n  bind :80\n'
    with fake.FakeHAProxy('2.4', config, processes=2) as haproxy:
        hap = haproxy.connect(master=haproxy.master_files[0])
        assert len(hap.workers()) == 2 and len(haproxy.masters) == 1
        with pytest.raises(ValueError) as caught:
            haproxy.restart('3.0')
        assert 'a master of HAProxy 3.0 has one worker, not 2' in str(caught.value)
        assert haproxy.version == '2.4'


@pytest.mark.parametrize('version, count', [('1.8', 0), ('2.0', 1), ('3.4', 1)])
def test_each_version_that_can_has_a_master(version, count):
    with fake.FakeHAProxy(version) as haproxy:
        assert len(haproxy.master_files) == count
    with fake.FakeHAProxy(version, master=False) as haproxy:
        assert haproxy.master_files == []


def test_a_reload_that_fails():
    with fake.FakeHAProxy('3.2', master=True) as haproxy:
        hap = haproxy.connect(master=haproxy.master_files)
        haproxy.masters[0].config_error = "unknown keyword 'bogus'"
        with pytest.raises(exceptions.ReloadFailed) as caught:
            hap.reload(interval=0)
        assert "unknown keyword 'bogus'" in str(caught.value)
        assert hap.setmaxconn(7) and hap.workers()[0].reloads == 1
        haproxy.masters[0].config_error = None
        assert hap.reload(interval=0).succeeded


def test_it_reloads_and_restarts_when_the_test_says_so():
    with fake.FakeHAProxy('3.2', master=True) as haproxy:
        hap = haproxy.connect(master=haproxy.master_files)
        before = hap.processids
        haproxy.reload()
        assert hap.processids != before and haproxy.masters[0].reloads == 1
        haproxy.restart('3.4')
        assert haproxy.masters[0].reloads == 0
        assert hap.version.startswith('3.4')
        assert haproxy.version == haproxy.masters[0].version == '3.4'


def test_what_the_client_does_wrong():
    with fake.FakeHAProxy('3.2', master=True, strict=False) as haproxy:
        master, = haproxy.masters
        for sent in (b'@1 show backend\n', b'quit\nmore\n', b'@1 add map hosts.map <<\na b\n'):
            client = socket.socket(socket.AF_UNIX)
            client.connect(master.path)
            client.sendall(sent)
            client.shutdown(socket.SHUT_WR)
            while client.recv(4096):
                pass
            client.close()
        assert master.unfinished == 1
        assert ['more than quit' in problem or 'without an end' in problem
                for problem in haproxy.problems] == [True, True]


def test_over_tcp():
    with fake.FakeHAProxy('3.2', master=True, tcp=True) as haproxy:
        hap = haproxy.connect(master=haproxy.master_files)
        assert hap.frontend('www').status == 'OPEN'
