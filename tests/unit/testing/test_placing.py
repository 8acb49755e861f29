# SPDX-License-Identifier: Apache-2.0
"""haproxyadmin/testing/placing.py: how a configuration is rewritten."""
import pytest

from haproxyadmin.testing import configuration, placing

END = """global
    max-spread-checks 1
    stats socket "${HAPROXYADMIN_SOCKET}.sock" level admin
"""


class Ports(object):
    """Ports from 1001 on; those of origins from 2001 and of agents from 3001 on."""

    def __init__(self):
        self._known = {}

    def port(self, *key):
        return self._number(1001, 'port', *key)

    def origin(self, *key):
        return self._number(2001, 'origin', *key)

    def agent(self, *key):
        return self._number(3001, 'agent', *key)

    def _number(self, first, *key):
        return self._known.setdefault(
            key, first + len([1 for other in self._known if other[0] == key[0]]))


def placed(text):
    return placing.place(text, Ports())


def lines_of(text):
    """Return what became of some lines, without the lines that are added."""
    result = placed(text).text
    assert result.endswith('\n' + END)
    return result[:-len(END) - 1].split('\n')


# What stands in a frontend, and what becomes of it.
@pytest.mark.parametrize('line, expected', [
    ('bind :80', 'bind 127.0.0.1:1001'),
    ('bind *:80 name web id 3 maxconn 10 # all', 'bind 127.0.0.1:1001 name web id 3 maxconn 10 # all'),
    ('bind 10.0.0.1:80,10.0.0.1:8080', 'bind 127.0.0.1:1001,127.0.0.1:1002'),
    ('bind :8000-8002', 'bind 127.0.0.1:1001,127.0.0.1:1002,127.0.0.1:1003'),
    ('bind :::80 v6only', 'bind 127.0.0.1:1001 v6only'),
    ('bind [2001:db8::1]:443 ssl crt "my site.pem" alpn h2', 'bind 127.0.0.1:1001 ssl crt "my site.pem" alpn h2'),
    ('bind ipv6@:80 interface eth0 transparent', 'bind 127.0.0.1:1001'),
    ('bind /run/web.sock mode 660 user haproxy group www accept-proxy', 'bind 127.0.0.1:1001 accept-proxy'),
    ('bind unix@/run/web.sock', 'bind 127.0.0.1:1001'),
    ('bind abns@web', 'bind 127.0.0.1:1001'),
    ('bind fd@3', 'bind 127.0.0.1:1001'),
    ('bind "${ADDRESS}:80"', 'bind 127.0.0.1:1001'),
    ('bind :80 process 1/1 thread 1', 'bind 127.0.0.1:1001 thread 1'),
    ('bind quic4@:443 ssl crt site.pem', 'bind quic4@127.0.0.1:1001 ssl crt site.pem'),
    ('bind rhttp@api/tunnel', 'bind rhttp@api/tunnel'),
    ('bind', 'bind'),
    ('bind-process 1', '# bind-process 1'),
    ('log /dev/log local0', '# log /dev/log local0'),
    ('log 10.0.0.1:514 local0', '# log 10.0.0.1:514 local0'),
    ('log 127.0.0.1 local0', '# log 127.0.0.1 local0'),
    ('log 127.0.0.1:514 local0', '# log 127.0.0.1:514 local0'),
    ('log logs.example.com:1514 local0', '# log logs.example.com:1514 local0'),
    ('log 127.0.0.1:1514 local0', 'log 127.0.0.1:1514 local0'),
    ('log stdout format raw local0', 'log stdout format raw local0'),
    ('log ring@buffer local0', 'log ring@buffer local0'),
    ('log global', 'log global'),
    ('no log', 'no log'),
    ('acl bind path_beg /server', 'acl bind path_beg /server'),
    ('', ''),
    ('# server a 10.0.0.1:80', '# server a 10.0.0.1:80'),
])
def test_what_stands_in_a_frontend(line, expected):
    """[throwaway]"""
    assert lines_of('frontend www\n    ' + line) == ['frontend www', '    ' + expected]


def test_a_range_has_at_most_ten_ports():
    assert placed('listen a\nbind :1024-65535').binds['a'] == [
        (1001 + number, False) for number in range(10)]


def test_ports_of_frontends_are_known_with_their_tls():
    result = placed(
        'frontend www\nbind :80,:81\nbind :443 crt ssl.pem ssl\nlisten a\nbind :1 name ssl\n'
        'backend b\n')
    assert list(result.binds.items()) == [
        ('www', [(1001, False), (1002, False), (1003, True)]), ('a', [(1004, False)])]


# What stands in a backend, and what becomes of it.
@pytest.mark.parametrize('line, expected', [
    ('server web1 10.0.0.1:80 check', 'server web1 127.0.0.1:2001 check'),
    ('server web1 10.0.0.1', 'server web1 127.0.0.1:2001'),
    ('server web1 10.0.0.1:+100 weight 10', 'server web1 127.0.0.1:2001 weight 10'),
    ('server web1 web.example.com:80 resolvers dns', 'server web1 127.0.0.1:2001 resolvers dns'),
    ('server web1 0.0.0.0:80', 'server web1 127.0.0.1:2001'),
    ('server web1 [2001:db8::1]:80', 'server web1 127.0.0.1:2001'),
    ('server web1 ipv4@web:80', 'server web1 127.0.0.1:2001'),
    ('server web1 /run/app.sock', 'server web1 127.0.0.1:2001'),
    ('server web1 unix@app.sock', 'server web1 127.0.0.1:2001'),
    ('server web1 "${WEB}" check', 'server web1 127.0.0.1:2001 check'),
    ('server web1 127.0.0.1.example.com:80', 'server web1 127.0.0.1:2001'),
    ('server web1 127.0.0.1:8080 check port 8081', 'server web1 127.0.0.1:8080 check port 8081'),
    ('server web1 127.0.0.2', 'server web1 127.0.0.2'),
    ('server web1 localhost:8080', 'server web1 localhost:8080'),
    ('server web1 ::1:8080', 'server web1 ::1:8080'),
    ('server web1 [::1]:8080', 'server web1 [::1]:8080'),
    ('server web1 [::1]', 'server web1 [::1]'),
    ('server web1 rhttp@', 'server web1 rhttp@'),
    ('server web1 127.0.0.1:80 addr 10.0.0.9 agent-addr ::1',
     'server web1 127.0.0.1:80 addr 127.0.0.1 agent-addr ::1'),
    ('server web1 10.0.0.1:80 check port 8081 cookie port addr 10.0.0.9',
     'server web1 127.0.0.1:2001 check port 2001 cookie port addr 127.0.0.1'),
    ('server web1 10.0.0.1:80 agent-check agent-port 9 agent-addr 10.0.0.9',
     'server web1 127.0.0.1:2001 agent-check agent-port 3001 agent-addr 127.0.0.1'),
    ('server web1 10.0.0.1:80 agent-check # no port',
     'server web1 127.0.0.1:2001 agent-check agent-port 3001 # no port'),
    ('server web1 10.0.0.1:443 ssl verify none sni str(a) check check-ssl',
     'server web1 127.0.0.1:2001 verify none sni str(a) check'),
    ('server web1 10.0.0.1:80 proto h2 source 10.0.0.5 usesrc clientip interface eth0 backup',
     'server web1 127.0.0.1:2001 backup'),
    ('server web1 10.0.0.1:80 send-proxy-v2 disabled',
     'server web1 127.0.0.1:2001 send-proxy-v2 disabled'),
    ('server web1', 'server web1'),
    ('dispatch 10.0.0.1:80', 'dispatch 127.0.0.1:2001'),
    ('dispatch 127.0.0.1:80', 'dispatch 127.0.0.1:80'),
    ('source 10.0.0.5', '# source 10.0.0.5'),
    ('default-server inter 1s proto h2 source 10.0.0.5', 'default-server inter 1s'),
    ('server-template web 2 127.0.0.1:80', 'server-template web 2 127.0.0.1:80'),
    ('server-template web x web:80', 'server-template web x web:80'),
    ('server-state-file-name use-backend-name', 'server-state-file-name use-backend-name'),
])
def test_what_stands_in_a_backend(line, expected):
    assert lines_of('backend web\n  ' + line) == ['backend web', '  ' + expected]


def test_servers_with_an_origin_are_known():
    result = placed(
        'backend a\nserver x 10.0.0.1:80\nserver y 127.0.0.1:1\nbackend b\nserver x 10.0.0.1:80\n'
        'listen c\ndispatch 10.0.0.1:80\n')
    assert result.servers == [('a', 'x'), ('b', 'x'), ('c', 'dispatch')]


@pytest.mark.parametrize('count, names', [('2', ['web1', 'web2']), ('3-4', ['web3', 'web4'])])
def test_each_server_of_a_template_has_an_origin(count, names):
    result = placed('backend a\n server-template web %s "b" check # c\nbackend d' % count)
    assert result.text.split('\n')[1:3] == [
        ' server %s 127.0.0.1:%d check # c' % (name, number) for number, name in enumerate(names, 2001)]
    assert result.servers == [('a', name) for name in names]
    # Of the lines, as in what HAProxy says about them.
    assert result.numbers == [1, 2, 2, 3]


def test_defaults_of_servers_count():
    assert lines_of('defaults\ndefault-server ssl verify none agent-check port 9 agent-addr b addr c\n'
                    'backend a\nserver x 10.0.0.1:80')[3:] == [
        'server x 127.0.0.1:2001 no-ssl agent-port 3001 agent-addr 127.0.0.1 addr 127.0.0.1 port 2001']


@pytest.mark.parametrize('bind, server', [
    (':8443', '127.0.0.1:8443'), ('*:8443', 'localhost:8443'), ('127.0.0.1:8443', '127.0.0.1:8443'),
    ('10.0.0.1:8443', '10.0.0.1:8443'), ('/run/a.sock', 'unix@/run/a.sock'), ('abns@a', 'abns@a')])
def test_a_server_that_is_a_frontend_stays_one(bind, server):
    result = placed('frontend tls\nbind %s accept-proxy ssl crt a\nbackend b\n'
                    'server s %s send-proxy-v2 ssl verify none' % (bind, server))
    assert result.text.split('\n')[3] == (
        'server s 127.0.0.1:1001 send-proxy-v2 ssl verify none')
    assert result.servers == []


@pytest.mark.parametrize('bind, server', [
    ('10.0.0.1:8443', '127.0.0.1:8443'), (':8443', '10.0.0.1:8443'), (':8443', '127.0.0.1:80')])
def test_a_server_that_is_no_frontend(bind, server):
    result = placed('frontend tls\nbind %s\nbackend b\nserver s %s' % (bind, server))
    assert '1001' not in result.text.split('\n')[3]


@pytest.mark.parametrize('server, expected', [
    ('10.0.0.1:80', 'http-check connect send-proxy'),
    ('127.0.0.1:80', 'http-check connect port 443 addr 10.0.0.9 ssl sni a send-proxy')])
def test_checks_of_origins_go_to_them(server, expected):
    assert lines_of('backend a\nhttp-check connect port 443 addr 10.0.0.9 ssl sni a send-proxy\n'
                    'server x ' + server)[1] == expected
    assert lines_of('defaults\ntcp-check connect port 443')[1] == 'tcp-check connect'


def test_rights_and_processes_are_left_out():
    lines = ['chroot /var/lib/haproxy', 'user haproxy', 'group haproxy', 'uid 1', 'gid 1', 'daemon',
             'pidfile /run/haproxy.pid', 'nbproc 4', 'master-worker', 'ulimit-n 65536',
             'stats bind-process 1', 'log /dev/log local0']
    assert lines_of('\n'.join(['global'] + lines)) == ['global'] + ['# ' + line for line in lines]
    users = ['userlist a', 'group g users u', 'user u password p']
    assert lines_of('\n'.join(users)) == users


@pytest.mark.parametrize('before, after', [
    ('stats socket /run/a.sock mode 660 user x group y level operator expose-fd listeners',
     'stats socket "${HAPROXYADMIN_SOCKET}.sock" mode 660 level operator expose-fd listeners'),
    ('stats socket ipv4@127.0.0.1:9999 level admin process 1',
     'stats socket "${HAPROXYADMIN_SOCKET}.sock" level admin'),
    ('stats timeout 30s\nstats socket a\nstats socket b level user',
     'stats timeout 30s\nstats socket "${HAPROXYADMIN_SOCKET}.sock"\n'
     'stats socket "${HAPROXYADMIN_SOCKET}-2.sock" level user'),
])
def test_stats_sockets(before, after):
    result = placed('global\n' + before)
    assert result.text == 'global\n' + after + '\nglobal\n    max-spread-checks 1\n'
    assert result.sockets == before.count('socket')


def test_checks_start_as_the_configuration_says():
    assert 'max-spread-checks 1\n' not in placed('global\nmax-spread-checks 100').text


def test_nobody_outside_is_asked():
    assert lines_of('resolvers a\nnameserver b 10.0.0.1:53\nnameserver c 127.0.0.1:53\n'
                    'parse-resolv-conf\nmailers d\nmailer e 10.0.0.1:25') == [
        'resolvers a', 'nameserver b 127.0.0.1:1001', 'nameserver c 127.0.0.1:53',
        'nameserver resolv.conf 127.0.0.1:1002', 'mailers d', 'mailer e 127.0.0.1:1003']


def test_no_other_program_is_started():
    assert lines_of('program a\n  command b\n\nbackend c') == [
        '# program a', '  # command b', '', 'backend c']


def test_peers():
    result = placed('peers a\npeer lb1 10.0.0.1:1024\npeer lb2 10.0.0.2:1024\ntable t type ip size 1')
    assert result.text.split('\n')[:4] == [
        'peers a', 'peer lb1 127.0.0.1:1001', 'peer lb2 127.0.0.1:1002', 'table t type ip size 1']
    assert (result.peers, result.servers) == (['lb1', 'lb2'], [])


def test_the_peer_that_haproxy_is():
    assert placed('global\nlocalpeer lb2\npeers a\npeer lb1 b:1\npeer lb2 b:2').peers == ['lb2', 'lb1']
    result = placed('peers a\nbind :1024\nserver lb1 10.0.0.1:1024\nserver lb2')
    assert result.text.split('\n')[1:4] == [
        'bind 127.0.0.1:1001', 'server lb1 127.0.0.1:1002', 'server lb2']
    assert (result.peers, dict(result.binds)) == (['lb2', 'lb1'], {})


def test_the_same_addresses_have_the_same_ports_again():
    ports = Ports()
    first = placing.place(configuration.DEFAULT, ports)
    second = placing.place('listen new\nbind :80\n' + configuration.DEFAULT, ports)
    assert first.binds['www'] == second.binds['www']
    assert second.text.endswith('\n'.join(first.text.split('\n')[3:]))
