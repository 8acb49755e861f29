# SPDX-License-Identifier: Apache-2.0
"""haproxyadmin/testing/throwaway.py and pytest_plugin.py, on real HAProxy."""
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import textwrap
import threading

import pytest
from six.moves.urllib import error as errors, request as requests

from haproxyadmin.testing import (ConfigurationRefused, HAProxyFailed, HAProxyNotFound,
                                  ThrowawayHAProxy, launching)
from tests.conftest import PATIENT, find, versions
from tests.support import certificates
from tests.support.lab import descriptors
from tests.support.package import PACKAGE_ROOT

pytestmark = pytest.mark.dealt_out

DEFAULTS = """
defaults
    mode http
    timeout connect 5s
    timeout client 1m
    timeout server 1m
    timeout check 5s
"""
# What an administrator may have, and what no test may reach or need.
REAL_LIFE = """
global
    log /dev/log local0
    log logs.example.com:514 local1 notice
    chroot /nonexistent
    user nobody-of-this-name
    group nobody-of-this-name
    daemon
    pidfile /nonexistent/haproxy.pid
    ulimit-n 100000000
    stats socket /nonexistent/admin.sock mode 660 user nobody-of-this-name level admin expose-fd listeners
    stats socket ipv4@192.0.2.1:9999 level operator
    stats timeout 30s
    localpeer lb1

defaults
    log global
    mode http
    option httplog
    timeout connect 5s
    timeout client 1m
    timeout server 1m
    timeout check 5s

userlist users
    group admins users anna
    user anna insecure-password secret

resolvers dns
    nameserver one 192.0.2.53:53
    parse-resolv-conf

mailers mails
    mailer one 192.0.2.25:25

peers others
    peer lb1 192.0.2.11:1024
    peer lb2 192.0.2.12:1024

frontend "www"
    bind 192.0.2.1:80,192.0.2.1:8080 interface nothing0
    bind [2001:db8::1]:8000-8002 v6only
    bind /nonexistent/www.sock mode 600 user nobody-of-this-name
    default_backend web

listen 'inner-one' # its comment
    bind abns@inner accept-proxy
    server s 192.0.2.2:80

backend web
    option httpchk GET /health
    default-server inter 1h rise 2 fall 3 proto h1
    source 192.0.2.9
    email-alert mailers mails
    email-alert from a@example.com
    email-alert to b@example.com
    server named web.example.com:80 check resolvers dns init-addr none cookie port
    server tls 192.0.2.3:443 check ssl verify none sni str(web.example.com)
    server proxied 192.0.2.4:80 check send-proxy-v2 port 8000 addr 192.0.2.5 source 192.0.2.9
    server unix /nonexistent/app.sock check
    server agent 192.0.2.6:80 check agent-check agent-port 9000 agent-inter 1h
    server off 192.0.2.6:80 check disabled
    server-template t 2 web.example.com:80 check resolvers dns

backend chained
    server inner abns@inner send-proxy-v2
    stick-table type ip size 1k peers others
"""
# What runs in a process of its own, and is ended in the middle.
PROGRAM = """
import os, signal, sys, time
from haproxyadmin.testing import ThrowawayHAProxy
def running(**options):
    started = ThrowawayHAProxy(binary={0!r}, **options)
    print(started.directory)
    sys.stdout.flush()
    return started
"""


@pytest.fixture(scope='module', params=versions())
def binary(request):
    return find(request.param)


@pytest.fixture(scope='module')
def plain(binary):
    with ThrowawayHAProxy(binary=binary) as started:
        yield started


def fetch(url, path='/'):
    """Return the status of a response, the origin that has answered, and the text."""
    try:
        response = requests.urlopen(url + path, timeout=PATIENT)
    except errors.HTTPError as error:
        response = error
    try:
        return response.getcode(), response.headers.get('X-Origin'), response.read()
    finally:
        response.close()


def statuses(haproxy, backend='web'):
    return dict((server.name, server.status) for server in haproxy.hap.backend(backend).servers())


def wait_for_status(haproxy, server, status, backend='web'):
    launching.wait_until(
        lambda: statuses(haproxy, backend)[server] == status, '{0} is {1}'.format(server, status))


def processes_of(directory):
    """Return the processes whose command line names something in a directory."""
    found = [int(pid) for pid in os.listdir('/proc') if pid.isdigit()]
    return [pid for pid in found if directory in launching.command_line(pid)]


def wait_until_gone(directory):
    launching.wait_until(lambda: not processes_of(directory) and not os.path.exists(directory),
                         'nothing is left of ' + directory)


class Background(object):
    """A program that runs in a process of its own, and the directory of its HAProxy."""

    def __init__(self, binary, body):
        self.process = subprocess.Popen(
            [sys.executable, '-c', PROGRAM.format(binary) + textwrap.dedent(body)],
            env=dict(os.environ, PYTHONPATH=PACKAGE_ROOT),
            stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.directory = self.process.stdout.readline().decode('ascii').strip()

    def end(self):
        """Wait for its end; return what it has written to standard error."""
        return self.process.communicate()[1].decode('ascii', 'replace')


class Upload(object):
    """A request that has reached an origin, and whose body is still to be sent."""

    def __init__(self, url):
        self._socket = socket.create_connection(
            ('127.0.0.1', int(url.rpartition(':')[2])), PATIENT)
        self._socket.sendall(
            b'POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 1\r\n'
            b'Expect: 100-continue\r\n\r\n')
        assert self._socket.recv(1000).startswith(b'HTTP/1.1 100 ')

    def end(self):
        """Send the body; return how the response begins."""
        self._socket.sendall(b'a')
        response = launching.read_all(self._socket)
        self._socket.close()
        return response[:13]


class TestDefault(object):

    def test_servers_are_up_from_the_start(self, binary):
        with ThrowawayHAProxy(binary=binary, processes=2) as haproxy:
            for path in haproxy.socket_files:
                reply = launching.ask(path, 'show stat')
                rows = [line.split(',') for line in reply.splitlines() if line]
                checks = rows[0].index('check_status')
                servers = [(row[17], row[checks].lstrip('* ')) for row in rows
                           if row[0] in ('web', 'api') and row[1] != 'BACKEND']
                assert servers == [('UP', 'L4OK')] * 4

    def test_a_request_reaches_an_origin(self, plain):
        assert re.match(r'http://127\.0\.0\.1:\d+$', plain.url('www'))
        found = set(fetch(plain.url('www')) for _ in range(6))
        assert found == set((200, 'web/web{0}'.format(number), b'ok\n') for number in (1, 2, 3))

    def test_its_files_count(self, plain):
        request = requests.Request(plain.url('www'), headers={'Host': 'api.example.com'})
        response = requests.urlopen(request, timeout=PATIENT)
        assert response.headers['X-Origin'] == 'api/api1'
        response.close()
        assert plain.hap.acl('blocklist.acl').entries()

    @pytest.mark.parametrize('path, status', [('/status/404', 404), ('/hold/0.01', 200)])
    def test_an_origin_answers_as_the_path_says(self, plain, path, status):
        assert fetch(plain.url('www'), path)[0] == status

    def test_what_it_says_about_itself(self, plain, binary):
        assert plain.version == launching.branch(binary)
        assert plain.socket_files == [os.path.join(plain.socket_dir, 'haproxy-1.sock')]
        assert 'Pid: {0}\n'.format(plain.pids[0]) in launching.ask(
            plain.socket_files[0], 'show info')
        assert plain.hap.version.startswith(plain.version)
        assert 'worker' in launching.ask(plain.master_files[0], 'show proc')
        assert os.path.dirname(plain.config_file) == plain.directory
        assert isinstance(plain.log, str)

    def test_a_misspelled_frontend(self, plain):
        with pytest.raises(ValueError, match="no frontend 'wwww' has a bind; did you mean 'www'"):
            plain.url('wwww')
        with pytest.raises(ValueError, match="'www' has 1 addresses, not 2"):
            plain.url('www', 2)

    def test_a_misspelled_server(self, plain):
        with pytest.raises(ValueError, match="no server 'web/wbe1' has an origin; did you mean 'web/"):
            plain.origin('web', 'wbe1')

    def test_it_can_be_changed_by_the_library(self, plain):
        server, = plain.hap.server('web3')
        server.setstate('maint')
        assert set(fetch(plain.url('www'))[1] for _ in range(4)) == {'web/web1', 'web/web2'}
        server.setstate('ready')
        wait_for_status(plain, 'web3', 'UP')


class TestOrigins(object):

    def test_they_count(self, plain):
        origin = plain.origin('api', 'api1')
        before = origin.count()
        request = requests.Request(
            plain.url('www') + '/hold/600', headers={'Host': 'api.example.com'})

        def ask():
            with pytest.raises(errors.HTTPError):
                requests.urlopen(request)
        thread = threading.Thread(target=ask)
        thread.start()
        launching.wait_until(lambda: origin.count().open, 'open')
        assert origin.count().arrived == before.arrived + 1
        origin.refuse()
        assert origin.count() == (before.arrived + 1, 0, before.cut + 1)
        thread.join()
        origin.serve()

    @pytest.mark.parametrize('action', ['refuse', 'stall'])
    def test_health_checks_notice(self, binary, action):
        config = DEFAULTS.replace('check 5s', 'check 100ms').replace('connect 5s', 'connect 100ms')
        with ThrowawayHAProxy(config + 'backend web\nserver web1 10.0.0.1:80 check inter 50ms\n',
                              binary=binary) as haproxy:
            origin = haproxy.origin('web', 'web1')
            getattr(origin, action)()
            wait_for_status(haproxy, 'web1', 'DOWN')
            origin.serve()
            wait_for_status(haproxy, 'web1', 'UP')
            with pytest.raises(ValueError, match='no agent-check'):
                origin.agent('drain')

    def test_an_agent(self, binary):
        with ThrowawayHAProxy(DEFAULTS + """
                backend web
                    server web1 10.0.0.1:80 weight 100 check agent-check agent-port 9 agent-inter 50ms
                """, binary=binary) as haproxy:
            origin = haproxy.origin('web', 'web1')
            origin.agent('drain')
            launching.wait_until(lambda: statuses(haproxy)['web1'].startswith('DRAIN'), 'drained')
            # The agent has another port.
            assert origin.count() == (0, 0, 0)
            origin.agent('50% ready')
            launching.wait_until(
                lambda: haproxy.hap.server('web1')[0].weight == 50, 'half of the weight')


class TestConfiguration(object):

    def test_one_of_real_life(self, binary):
        with ThrowawayHAProxy(REAL_LIFE, processes=2, binary=binary) as haproxy:
            found = statuses(haproxy)
            assert found.pop('off') == 'MAINT'
            assert found == dict.fromkeys(
                ['named', 'tls', 'proxied', 'unix', 'agent', 't1', 't2'], 'UP')
            for number in range(1, 7):
                assert fetch(haproxy.url('www', number))[0] == 200
            with pytest.raises(ValueError):
                haproxy.url('www', 7)
            assert [os.path.basename(path) for path in haproxy.socket_files] == [
                'haproxy-1.sock', 'haproxy-1-2.sock', 'haproxy-2.sock', 'haproxy-2-2.sock']
            assert len(set(haproxy.pids)) == 2
            denied = [launching.ask(path, 'disable frontend www').startswith('Permission denied')
                      for path in haproxy.socket_files]
            assert denied == [False, True] * 2

    def test_nothing_listens_anywhere_else(self, binary):
        with ThrowawayHAProxy(REAL_LIFE, binary=binary) as haproxy:
            inodes = set()
            for pid in processes_of(haproxy.config_file):
                for name in os.listdir('/proc/{0}/fd'.format(pid)):
                    try:
                        inodes.add(os.readlink('/proc/{0}/fd/{1}'.format(pid, name)))
                    except OSError:
                        pass
            found = []
            for name in ('tcp', 'tcp6', 'udp', 'udp6'):
                with open('/proc/net/' + name) as table:
                    for line in list(table)[1:]:
                        words = line.split()
                        if 'socket:[{0}]'.format(words[9]) in inodes:
                            found.append(words[1].partition(':')[0])
            assert len(found) >= 7 and set(found) == {'0100007F'}

    def test_a_chain_of_frontends(self, binary):
        with ThrowawayHAProxy(REAL_LIFE.replace(
                'default_backend web', 'default_backend chained'), binary=binary) as haproxy:
            assert fetch(haproxy.url('www')) == (200, 'inner-one/s', b'ok\n')

    def test_tls(self, binary, tmpdir):
        pem = certificates.Authority(str(tmpdir)).issue('www.example.com').pem
        with ThrowawayHAProxy(DEFAULTS + """
                listen www
                    bind :80
                    bind :443 ssl crt certs/www.pem
                    server web1 10.0.0.1:443 ssl verify none check
                """, files={'certs/www.pem': pem}, binary=binary) as haproxy:
            assert fetch(haproxy.url('www'))[1] == 'www/web1'
            url = haproxy.url('www', 2)
            assert url.startswith('https://127.0.0.1:')
            client = subprocess.Popen(
                ['openssl', 's_client', '-quiet', '-connect', url[len('https://'):]],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            output = client.communicate(
                b'GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')[0]
            assert b'www/web1' in output
            assert haproxy.hap.certificate('certs/www.pem').subject

    def test_peers(self, binary):
        with ThrowawayHAProxy(DEFAULTS + """
                peers all
                    peer lb1 10.0.0.1:1024
                    peer lb2 10.0.0.2:1024
                frontend www
                    bind :80
                    http-request track-sc0 src table seen
                    http-request return status 200
                backend seen
                    stick-table type ip size 1k expire 10m store http_req_cnt peers all
                """, processes=2, binary=binary) as haproxy:
            fetch(haproxy.url('www'))
            launching.wait_until(lambda: all(
                '127.0.0.1' in launching.ask(path, 'show table seen')
                for path in haproxy.socket_files), 'both have the entry')

    def test_of_a_file(self, binary, tmpdir):
        tmpdir.join('my.cfg').write(DEFAULTS + 'listen a\n bind :80\n')
        with ThrowawayHAProxy(tmpdir.join('my.cfg'), binary=binary) as haproxy:
            assert fetch(haproxy.url('a'))[0] == 503
            with pytest.raises(ValueError, match="no server 'a/b' has an origin"):
                haproxy.origin('a', 'b')

    def test_one_that_is_refused(self, binary, tmpdir, monkeypatch):
        monkeypatch.setattr(tempfile, 'tempdir', str(tmpdir))
        monkeypatch.setattr(launching, 'SHORT_DIRECTORY', str(tmpdir))
        with pytest.raises(ConfigurationRefused) as caught:
            ThrowawayHAProxy('backend a\n server-template s 3 b:80\n nonsense\n', binary=binary)
        assert '[haproxy.cfg:3]' in str(caught.value)
        assert "unknown keyword 'nonsense' in 'backend' section" in str(caught.value)
        assert tmpdir.listdir() == []

    @pytest.mark.parametrize('name', ['../a', 'haproxy.cfg', 'run/x'])
    def test_files_stay_in_the_directory(self, binary, name, tmpdir, monkeypatch):
        monkeypatch.setattr(tempfile, 'tempdir', str(tmpdir))
        monkeypatch.setattr(launching, 'SHORT_DIRECTORY', str(tmpdir))
        with pytest.raises(ValueError, match='files must'):
            ThrowawayHAProxy(files={name: ''}, binary=binary)
        assert tmpdir.listdir() == []

    @pytest.mark.parametrize('name', [u'we b', u'we\\nrefuse', u'\u017elu\u0165', u'web1 1.2.3.4 x'])
    def test_names_that_haproxy_refuses(self, binary, name, capfd):
        with pytest.raises(ConfigurationRefused, match='not permitted in server name'):
            ThrowawayHAProxy(
                DEFAULTS + u'backend a\n server "{0}" 10.0.0.1:80\n'.format(name), binary=binary)
        assert capfd.readouterr() == ('', '')

    @pytest.mark.parametrize('processes', [0, -1, True, '1', None, 1.5])
    def test_a_wrong_number_of_processes(self, processes):
        with pytest.raises(ValueError, match='processes must be an integer from 1 on'):
            ThrowawayHAProxy(processes=processes)


class TestReload(object):

    def test_open_requests_are_answered(self, binary):
        with ThrowawayHAProxy(processes=3, binary=binary) as haproxy:
            hap, before, url = haproxy.hap, haproxy.pids, haproxy.url('www')
            assert len(set(before)) == 3 and len(hap.frontend('www').requests_per_process()) == 3
            waiting = [Upload(url) for _ in range(6)]
            haproxy.reload()
            assert not set(before) & set(haproxy.pids)
            assert haproxy.hap is hap and set(
                server.status for server in hap.backend('web').servers()) == {'UP'}
            assert fetch(haproxy.url('www'))[0] == 200 and haproxy.url('www') == url
            origins = [haproxy.origin('web', name) for name in ('web1', 'web2', 'web3')]
            assert sum(origin.count().open for origin in origins) == 6
            assert [upload.end() for upload in waiting] == [b'HTTP/1.1 200 '] * 6

    def test_a_new_configuration(self, binary):
        with ThrowawayHAProxy(DEFAULTS + 'listen a\n bind :80\n server s 10.0.0.1:80\n',
                              binary=binary) as haproxy:
            url, port = haproxy.url('a'), haproxy.origin('a', 's').port
            pid, = haproxy.pids
            haproxy.configure(DEFAULTS + 'listen a\n bind :80\n nonsense\n')
            with pytest.raises(ConfigurationRefused, match='nonsense'):
                haproxy.reload()
            assert fetch(url)[0] == 200
            assert 'Pid: {0}\n'.format(pid) in launching.ask(haproxy.socket_files[0], 'show info')
            haproxy.configure(
                'global\n stats socket x\n stats socket y level admin\n' + DEFAULTS
                + 'listen b\n bind :81\n server s 10.0.0.2:80\n'
                + 'listen a\n bind :80\n server s 10.0.0.1:80\n')
            haproxy.reload()
            assert (haproxy.url('a'), haproxy.origin('a', 's').port) == (url, port)
            assert fetch(haproxy.url('b'))[1] == 'b/s'
            assert len(haproxy.socket_files) == 2
            haproxy.configure(DEFAULTS + 'listen b\n bind :81\n server s 10.0.0.2:80\n')
            haproxy.reload()
            assert os.listdir(haproxy.socket_dir) == ['haproxy-1.sock']
            assert [each.name for each in haproxy.hap.frontends()] == ['b']
            assert fetch(haproxy.url('b'))[0] == 200

    def test_one_that_another_program_has_started(self, binary):
        with ThrowawayHAProxy(binary=binary) as haproxy:
            former, = haproxy.pids
            launching.ask(haproxy.master_files[0], 'reload')
            launching.wait_until(lambda: haproxy.hap.refresh() and not launching.command_line(former),
                                 'reloaded')
            haproxy.reload()
            assert fetch(haproxy.url('www'))[0] == 200
        assert isinstance(haproxy.log, str)


class TestEnd(object):

    def test_nothing_is_left(self, binary):
        started = ThrowawayHAProxy(binary=binary, processes=2)
        assert len(processes_of(started.directory)) == 5
        started.stop()
        assert not processes_of(started.directory) and not os.path.exists(started.directory)
        with pytest.raises(socket.error):
            socket.create_connection(('127.0.0.1', int(started.url('www').rpartition(':')[2])))
        started.stop()

    def test_two_at_once(self, binary):
        with ThrowawayHAProxy(binary=binary) as one, ThrowawayHAProxy(binary=binary) as other:
            assert one.url('www') != other.url('www') and one.directory != other.directory
            one.stop()
            assert fetch(other.url('www'))[0] == 200

    def test_the_exception_of_the_test_is_the_one_that_is_seen(self, binary, capfd):
        with pytest.raises(ZeroDivisionError):
            with ThrowawayHAProxy(binary=binary) as haproxy:
                os.kill(haproxy.pids[0], signal.SIGSEGV)
                launching.wait_until(lambda: not processes_of(haproxy.config_file), 'crash')
                raise ZeroDivisionError()
        assert 'HAProxy' in capfd.readouterr()[1]
        assert not os.path.exists(haproxy.directory)

    def test_a_crash_is_reported(self, binary):
        with pytest.raises(HAProxyFailed, match='crashed with code'):
            with ThrowawayHAProxy(binary=binary) as haproxy:
                os.kill(haproxy.pids[0], signal.SIGSEGV)
                launching.wait_until(lambda: not processes_of(haproxy.config_file), 'crash')
        assert not processes_of(haproxy.directory) and not os.path.exists(haproxy.directory)

    @pytest.mark.parametrize('body', [
        'os.kill(os.getpid(), signal.SIGKILL)', 'os.kill(os.getpid(), signal.SIGTERM)',
        'os._exit(0)', 'sys.exit(3)', 'raise KeyboardInterrupt()', '',
        'haproxy.reload(); os.kill(os.getpid(), signal.SIGKILL)',
        # The child keeps everything open that it has inherited.
        'os.fork() and os.kill(os.getpid(), signal.SIGKILL)\n'
        'while os.path.exists(haproxy.directory): time.sleep(0.01)'])
    def test_nothing_is_left_of_a_program_that_ends(self, binary, body):
        program = Background(binary, 'haproxy = running()\n' + body)
        assert program.directory
        program.end()
        wait_until_gone(program.directory)

    @pytest.mark.parametrize('body', ['sys.exit(3)', 'os.kill(os.getpid(), signal.SIGINT)'])
    def test_an_exception_during_the_start(self, binary, body):
        program = Background(binary, """
            started = []
            def wait(self):
                started.append(self.directory)
                os.write(1, (self.directory + chr(10)).encode('ascii'))
                {0}
            ThrowawayHAProxy._wait_for_checks = wait
            try:
                running()
            except (KeyboardInterrupt, SystemExit):
                os._exit(7 if not os.path.exists(started[0]) else 8)
            """.format(body))
        program.end()
        assert program.process.returncode == 7
        wait_until_gone(program.directory)

    @pytest.mark.parametrize('is_running', [False, True])
    def test_the_first_error_of_a_start_is_raised(
            self, binary, is_running, monkeypatch, capfd):
        before = descriptors()
        seen = []

        def fail(self):
            seen.append(self)
            self._origins._process.stdin.close()
            # It has ended HAProxy, and removed the directory.
            self._origins._process.wait()
            raise ZeroDivisionError()
        monkeypatch.setattr(
            ThrowawayHAProxy, '_wait_for_checks' if is_running else '_check', fail)
        with pytest.raises(ZeroDivisionError):
            ThrowawayHAProxy(binary=binary)
        assert not os.path.exists(seen[0].directory) and not processes_of(seen[0].directory)
        # Also the ports, which `seen` has.
        assert descriptors() == before
        assert capfd.readouterr() == ('', '')

    @pytest.mark.parametrize('by_origins', [False, True])
    def test_other_programs_go_on(self, binary, by_origins):
        """Those that have its configuration file open."""
        haproxy = ThrowawayHAProxy(binary=binary)
        other = subprocess.Popen(['tail', '-f', haproxy.config_file], stdout=subprocess.PIPE)
        assert other.stdout.read(1)
        if by_origins:
            haproxy._origins._process.stdin.close()
            wait_until_gone(haproxy.socket_dir)
            with pytest.raises(HAProxyFailed, match='ended by itself'):
                haproxy.stop()
        else:
            haproxy.stop()
        assert other.poll() is None
        other.kill()
        other.communicate()

    @pytest.mark.parametrize('line', ['exec {0} "$@"', '{0} "$@" & trap "kill $!" TERM; wait; wait'])
    def test_a_script_that_runs_haproxy(self, binary, line, tmpdir):
        script = tmpdir.join('script')
        script.write('#!/bin/sh\n' + line.format(binary) + '\n')
        script.chmod(0o755)
        program = Background(str(script), """
            haproxy = running()
            haproxy.hap.frontends()
            haproxy.reload() if {0!r} else None
            os.kill(os.getpid(), signal.SIGKILL)
            """.format('exec' in line))
        assert program.end() == ''
        wait_until_gone(program.directory)

    def test_a_child_leaves_it_to_its_parent(self, binary):
        program = Background(binary, """
            with running() as haproxy:
                child = os.fork()
                if not child:
                    haproxy.stop()
                    sys.exit()
                os.waitpid(child, 0)
                assert haproxy.hap.frontends()
            assert not os.path.exists(haproxy.directory)
            sys.exit(4)
            """)
        assert program.end() == ''
        assert program.process.returncode == 4

    def test_a_long_temporary_directory(self, binary, tmpdir, monkeypatch):
        monkeypatch.setattr(tempfile, 'tempdir', str(tmpdir.mkdir('x' * 80)))
        with ThrowawayHAProxy(binary=binary) as haproxy:
            assert haproxy.hap.frontends()
            assert len(haproxy.socket_files[0]) < 90


def test_a_version_that_is_not_there():
    with pytest.raises(HAProxyNotFound, match='no HAProxy 9.9 in HAPROXYADMIN_HAPROXY or on PATH'):
        ThrowawayHAProxy(version='9.9')
