# SPDX-License-Identifier: Apache-2.0
"""FakeHAProxy as a whole: how it begins and ends, and what it does not understand."""
import os
import socket
import subprocess
import sys
import time

import pytest
import six

from haproxyadmin import exceptions
from haproxyadmin.haproxy import HAProxy
from haproxyadmin.testing import configuration, faults, sockets
from haproxyadmin.testing.fake import FakeHAProxy, NotUnderstood
from haproxyadmin.testing.families import figures
from tests.support import captured, fakes
from tests.support.package import PACKAGE_ROOT

PATIENT = {'retry': None, 'timeout': fakes.LONG}


def lines_of(haproxy, command):
    """Return the lines of the reply of a single process."""
    (_, lines), = haproxy.hap.command(command)
    return lines


def test_without_arguments():
    with FakeHAProxy() as haproxy:
        hap = haproxy.hap
        assert haproxy.hap is hap
        assert hap.processids == [haproxy.processes[0].pid]
        assert [frontend.name for frontend in hap.frontends()] == ['www']
        assert [server.name for server in hap.backend('web').servers()] == ['web1', 'web2', 'web3']
        assert hap.backend('web').server('web1').status == 'UP'
        assert haproxy.version == '3.2' and hap.info()[0]['Version'].startswith('3.2')


@pytest.mark.parametrize('version', figures.VERSIONS)
def test_each_version(version):
    with FakeHAProxy(version) as haproxy:
        hap = haproxy.connect(**PATIENT)
        assert hap.releasedate and hap.maxconn == 1000
        assert len(hap.stats()) == 7
        assert haproxy.problems == []


@pytest.mark.parametrize('version', ['3.3', '2', 'new', '1.4'])
def test_a_version_that_it_cannot_be(version):
    with pytest.raises(ValueError) as caught:
        FakeHAProxy(version)
    assert repr(version) in str(caught.value) and '3.2' in str(caught.value)


def test_nothing_stays_behind():
    with FakeHAProxy(processes=2) as haproxy:
        paths = haproxy.socket_files
        assert all(map(os.path.exists, paths)) and paths[0].startswith(haproxy.directory)
    assert not os.path.exists(haproxy.directory)
    for path in paths:
        with pytest.raises(exceptions.HAProxySocketError):
            HAProxy(socket_file=path, retry=None)
    # Again is nothing.
    haproxy.stop()


def test_a_wrong_configuration_leaves_nothing_behind(tmpdir, monkeypatch):
    monkeypatch.setattr('tempfile.tempdir', str(tmpdir))
    with pytest.raises(configuration.ConfigurationError):
        FakeHAProxy(config='frontend f\n  bind ":80')
    assert tmpdir.listdir() == []


class TestStrict(object):

    def send(self, haproxy, sent):
        client = socket.socket(socket.AF_UNIX)
        client.settimeout(fakes.LONG)
        client.connect(haproxy.socket_files[0])
        client.sendall(sent)
        client.shutdown(socket.SHUT_WR)
        while client.recv(65536):
            pass
        client.close()

    @pytest.mark.parametrize('sent, problem', [
        (b'bogus\n', "unknown command: 'bogus'; if HAProxy 2.2 has it, give it an answer"),
        (b'prepare map #0\n', "unknown command: 'prepare map #0'"),
        (b'show info;bogus\n', "unknown command: 'bogus'"),
        (b'show info', 'not one command line'),
        (b'show info' + b' ' * 15360 + b'\n', 'wedges or crashes'),
    ])
    def test_what_is_not_understood_is_an_error_at_the_end(self, sent, problem):
        haproxy = FakeHAProxy('2.2')
        self.send(haproxy, sent)
        assert len(haproxy.problems) == 1 and problem in haproxy.problems[0]
        with pytest.raises(NotUnderstood) as caught:
            haproxy.stop()
        assert problem in str(caught.value) and haproxy.processes[0].path in str(caught.value)

    def test_it_is_an_assertion_error_at_the_end_of_a_with_statement(self):
        with pytest.raises(AssertionError):
            with FakeHAProxy() as haproxy:
                self.send(haproxy, b'bogus\n')

    def test_it_does_not_hide_the_error_of_the_test(self):
        with pytest.raises(KeyError):
            with FakeHAProxy() as haproxy:
                self.send(haproxy, b'bogus\n')
                raise KeyError()
        assert not os.path.exists(haproxy.directory)

    def test_it_may_be_allowed(self):
        with FakeHAProxy(strict=False) as haproxy:
            self.send(haproxy, b'bogus\n')
        assert len(haproxy.problems) == 1

    def test_a_command_that_the_version_before_knew_is_none(self):
        with FakeHAProxy('3.2') as haproxy:
            haproxy.restart('2.0')
            self.send(haproxy, b'show ssl cert\n')
            assert haproxy.problems == []

    @pytest.mark.parametrize('before, command, is_problem', [
        ('1.6', b'set maxconn all\n', False), ('1.7', b'set maxconn all\n', True),
        ('3.2', b'prepare map hosts.map\n', False), ('3.4', b'prepare map hosts.map\n', False),
        ('2.2', b'prepare map hosts.map\n', True)])
    def test_what_the_version_before_had_lost_is_one(self, before, command, is_problem):
        with FakeHAProxy(before, strict=False) as haproxy:
            haproxy.restart('2.0')
            self.send(haproxy, command)
            assert bool(haproxy.problems) == is_problem

    def test_no_problem_shows_a_key(self):
        with FakeHAProxy('2.0', strict=False) as haproxy:
            self.send(haproxy, b'-----BEGIN PRIVATE KEY-----\n')
            self.send(haproxy, b'set ssl tls-key f secret \0\n')
            assert len(haproxy.problems) == 2
            assert "unknown command: '(a block of PEM)'" in haproxy.problems[0]
            assert "'set ssl tls-key f ..." in haproxy.problems[1]
            assert 'secret' not in ' '.join(haproxy.problems)

    def test_an_answer_is_not_limited_to_what_it_knows(self):
        with FakeHAProxy() as haproxy:
            haproxy.answer('bogus', 'Not at all\n\n')
            assert lines_of(haproxy, 'bogus') == ['Not at all']
            haproxy.answer('once', ['1\n\n', '2\n\n'])
            assert [lines_of(haproxy, 'once') for _ in range(2)] == [['1'], ['2']]

    def test_an_answer_too_often_is_a_problem(self):
        haproxy = FakeHAProxy()
        haproxy.answer('once', ['1\n\n'])
        haproxy.hap.command('once')
        haproxy.hap.command('once')
        with pytest.raises(NotUnderstood) as caught:
            haproxy.stop()
        assert "once too often: 'once'" in str(caught.value)


def test_several_processes_have_each_a_state_of_their_own():
    with FakeHAProxy('2.2', processes=3) as haproxy:
        assert len(set(process.pid for process in haproxy.processes)) == 3
        haproxy.processes[1].set('web', 'web1', 'scur', 5)
        assert haproxy.hap.backend('web').server('web1').metric('scur') == 5
        haproxy.set('web', 'web1', 'scur', 2)
        assert haproxy.hap.backend('web').server('web1').metric('scur') == 6
        with pytest.raises(ValueError):
            haproxy.set('web', 'web9', 'scur', 2)


def test_the_processes_of_nbproc_are_numbered():
    config = 'global\n  nbproc 2\nlisten l\n  bind-process 2\n  bind :80\nlisten all\n  bind :81\n'
    with FakeHAProxy('2.2', config, processes=2) as haproxy:
        assert haproxy.hap.frontend('l').process_nb == [2]
        assert haproxy.hap.frontend('all').process_nb == [1, 2]


def test_tcp():
    with FakeHAProxy(tcp=True, processes=2) as haproxy:
        assert haproxy.socket_files == [] and os.listdir(haproxy.socket_dir) == []
        assert all(address.startswith('127.0.0.1:') for address in haproxy.addresses)
        assert len(haproxy.hap.processids) == 2


@pytest.mark.parametrize('level', ['user', 'operator'])
def test_level(level):
    with FakeHAProxy(level=level) as haproxy:
        assert lines_of(haproxy, 'show cli level') == [level]
        with pytest.raises(exceptions.CommandFailed):
            haproxy.hap.clearcounters(all=True)


@pytest.mark.parametrize('name', ['haproxy.cfg', 'run/x', 'run', 'master/x'])
def test_files_leave_names_to_haproxy(name):
    with pytest.raises(ValueError, match='files must not have the name of'):
        FakeHAProxy(files={name: ''}, master=True)


def test_files():
    config = 'frontend f\n  bind :80\n  acl a src -f sub/a.acl\n  acl b src -f /etc/b.acl\n'
    files = {'sub/a.acl': '10.0.0.1\n', '/etc/b.acl': b'10.0.0.2\n'}
    with FakeHAProxy('3.2', config, files=files) as haproxy:
        with open(os.path.join(haproxy.directory, 'sub', 'a.acl')) as written:
            assert written.read() == '10.0.0.1\n'
        assert list(haproxy.hap.acl('sub/a.acl')) == ['10.0.0.1']
        assert list(haproxy.hap.acl('/etc/b.acl')) == ['10.0.0.2']
    assert not os.path.exists('/etc/b.acl')


def test_a_restart_forgets_what_was_changed():
    with FakeHAProxy('3.0') as haproxy:
        pid = haproxy.hap.processids
        haproxy.hap.backend('web').server('web1').setstate('maint')
        haproxy.reload()
        hap = haproxy.connect(**PATIENT)
        assert hap.backend('web').server('web1').status == 'UP'
        assert hap.processids != pid and haproxy.version == '3.0'
        haproxy.restart('2.6')
        hap = haproxy.connect(**PATIENT)
        assert hap.version.startswith('2.6') and haproxy.version == '2.6'


def test_what_it_has_received():
    with FakeHAProxy() as haproxy:
        haproxy.hap.command('show info')
        assert haproxy.commands[0][-1] == 'show info'
        assert haproxy.log.endswith('{0}: show info\n'.format(haproxy.socket_files[0]))


def test_two_at_once():
    with FakeHAProxy() as one, FakeHAProxy() as other:
        one.set('web', 'web1', 'status', 'DOWN')
        assert other.hap.backend('web').server('web1').status == 'UP'
        assert one.hap.backend('web').server('web1').status == 'DOWN'


class TestConcurrency(object):
    """What several clients do at the same time."""

    def connected(self, haproxy):
        client = socket.socket(socket.AF_UNIX)
        client.settimeout(fakes.LONG)
        client.connect(haproxy.socket_files[0])
        return client

    def test_a_client_that_sends_nothing_holds_up_no_other(self):
        with FakeHAProxy() as haproxy:
            client = self.connected(haproxy)
            assert haproxy.hap.maxconn == 1000
            client.close()

    @pytest.mark.parametrize('tcp', [False, True])
    @pytest.mark.parametrize('fault', [faults.silent(times=1), faults.late(60, times=1)])
    def test_a_fault_of_one_connection_is_none_of_another(self, tcp, fault):
        with FakeHAProxy(tcp=tcp) as haproxy:
            hap = haproxy.connect(**PATIENT)
            haproxy.fail(fault)
            for process in hap._processes:
                process.timeout = 0.1
            with pytest.raises(exceptions.HAProxySocketError):
                hap.maxconn
            for process in hap._processes:
                process.timeout = fakes.LONG
            assert hap.maxconn == 1000

    def test_a_process_is_replaced_as_a_whole(self):
        with FakeHAProxy() as haproxy:
            process, = haproxy.processes
            running, answers = [True], set()

            def ask():
                while running:
                    answers.add(process.reply_to('show backend'))
            threads = [sockets.started(ask) for _ in range(2)]
            for _ in range(50):
                haproxy.reload()
            running.pop()
            for thread in threads:
                thread.join()
            assert len(answers) == 1

    def test_a_fault_that_has_been_healed_concerns_no_connection(self):
        with FakeHAProxy() as haproxy:
            haproxy.fail(faults.denied(command='show', times=1))
            client = self.connected(haproxy)
            haproxy.heal()
            client.sendall(b'show cli level\n')
            client.shutdown(socket.SHUT_WR)
            assert client.recv(100) == b'admin\n\n'
            client.close()

    def test_a_client_that_does_not_read_does_not_keep_it_from_ending(self):
        with FakeHAProxy() as haproxy:
            haproxy.answer('show pools', 'x' * 10000000)
            client = self.connected(haproxy)
            client.sendall(b'show pools\n')
            client.recv(1)
            start = time.time()
        assert time.time() - start < sockets.PATIENCE / 2
        client.close()

    def test_its_end_is_no_mistake_of_a_client(self):
        with FakeHAProxy() as haproxy:
            client = self.connected(haproxy)
            client.sendall(b'add map #0 <<\nk v\n')
        client.close()
        assert haproxy.problems == []

    def test_a_forked_child_leaves_it_alone(self):
        with FakeHAProxy() as haproxy:
            child = os.fork()
            if not child:
                try:
                    haproxy.stop()
                finally:
                    os._exit(0)
            os.waitpid(child, 0)
            assert os.path.exists(haproxy.directory)
            assert haproxy.connect(**PATIENT).maxconn == 1000


FORGOTTEN = """
from haproxyadmin.testing import FakeHAProxy
haproxy = FakeHAProxy()
haproxy.hap.command('bogus')
print(haproxy.directory)
"""


def test_one_that_is_not_stopped_is_stopped_when_python_exits():
    process = subprocess.Popen(
        [sys.executable, '-B', '-c', FORGOTTEN], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        env=dict(os.environ, PYTHONPATH=PACKAGE_ROOT), universal_newlines=True)
    output, errors = process.communicate()
    assert output.startswith(os.path.sep) and not os.path.exists(output.strip())
    assert "unknown command: 'bogus'" in errors


def test_problems_are_told_if_the_test_fails_for_another_reason(capsys):
    with pytest.raises(KeyError):
        with FakeHAProxy() as haproxy:
            haproxy.hap.command('bogus')
            raise KeyError()
    assert "unknown command: 'bogus'" in capsys.readouterr()[1]
    # They are told once.
    haproxy.stop()


def test_a_reload_reads_the_files_again():
    with FakeHAProxy() as haproxy:
        acl = haproxy.hap.acl('blocklist.acl')
        acl.add('10.0.0.1')
        acl.save_file(os.path.join(haproxy.directory, 'blocklist.acl'))
        acl.add('10.0.0.2')
        haproxy.reload()
        assert sorted(haproxy.connect(**PATIENT).acl('blocklist.acl')) == ['10.0.0.1', '192.0.2.1']


@pytest.mark.parametrize('wrong', [
    {'level': 'root'}, {'processes': -1}, {'processes': True}, {'version': None},
    {'faults': [faults.silent]}, {'faults': [faults.silent(process=2)]}, {'files': {'../x': ''}}])
def test_wrong_arguments(wrong, tmpdir, monkeypatch):
    monkeypatch.setattr('tempfile.tempdir', str(tmpdir))
    with pytest.raises(ValueError):
        FakeHAProxy(**wrong)
    assert tmpdir.listdir() == []


def test_wrong_calls():
    with FakeHAProxy() as haproxy:
        for call, message in [
                (lambda: haproxy.set('web', 'web1', 'statsu', 'DOWN'), "did you mean 'status'"),
                (lambda: haproxy.restart('9.9'), "not '9.9'"),
                (lambda: haproxy.add('x.sock', version='9.9'), "not '9.9'"),
                (lambda: haproxy.answer('show pools', 3), 'got 3'),
                (lambda: haproxy.fail(faults.silent), 'haproxyadmin.testing.faults'),
                (lambda: faults.restarted('9.9'), "not '9.9'"),
                (lambda: faults.silent(process=0), 'got 0'),
                (lambda: faults.silent(times=0), 'got 0')]:
            with pytest.raises(ValueError) as caught:
                call()
            assert message in str(caught.value)


def test_it_shows_what_it_is():
    with FakeHAProxy('2.6', processes=2) as haproxy:
        assert repr(haproxy) == "FakeHAProxy('2.6', processes=2)"
    shown = repr(faults.late(2, command='set server', times=1))
    assert shown.endswith("(command='set server', times=1)")
    assert six.PY2 or shown.startswith('late(')


def test_a_version_is_no_configuration_and_the_other_way_round():
    with pytest.raises(ValueError) as caught:
        FakeHAProxy(config='2.6')
    assert "not '2.6'; a version is passed with version=..." in str(caught.value)
    with pytest.raises(ValueError):
        FakeHAProxy(config='')
    with pytest.raises(ValueError) as caught:
        FakeHAProxy(configuration.DEFAULT)
    assert "not 'a configuration'" in str(caught.value)


@pytest.mark.parametrize('version', ['1.5', '2.2', '2.4', '3.4'])
def test_help_lists_what_it_knows(version):
    with FakeHAProxy(version) as haproxy:
        lines = lines_of(haproxy, 'help')
        assert '  show info' in lines and '  bogus' not in lines
        assert lines[0] == captured.dump(version, 'help.txt').decode('ascii').split('\n')[0]
        assert haproxy.problems == []
