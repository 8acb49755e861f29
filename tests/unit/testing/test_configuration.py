# SPDX-License-Identifier: Apache-2.0
"""What the fake reads of a configuration."""
import pytest

from haproxyadmin.testing import configuration
from haproxyadmin.testing.configuration import Configuration, ConfigurationError, split_words


def test_variables_of_the_environment(monkeypatch):
    monkeypatch.setenv('NAMED', 'value')
    assert split_words('a "$NAMED" # b') == ['a', 'value']


@pytest.mark.parametrize('text, message', [
    ('frontend f\n  bind ":80', 'line 2: a quote has no end'),
    ('bind :80', 'line 1: a section has to come first'),
    ('global\n.if true', 'line 2: the fake does not know conditions'),
    ('backend', "line 1: 'backend' needs a name"),
    ('backend b\n\n  server s', 'line 3: a server needs a name and an address'),
])
def test_what_is_no_configuration(text, message):
    with pytest.raises(ConfigurationError) as caught:
        Configuration(text)
    assert message in str(caught.value)


@pytest.mark.parametrize('target, address, port', [
    ('10.0.0.1:80', '10.0.0.1', 80), ('10.0.0.1', '10.0.0.1', 0), ('web.example:80', 'web.example', 80),
    ('[::1]:80', '::1', 80), ('::1', '::1', 0), ('[2001:db8::1]', '2001:db8::1', 0),
    ('ipv4@10.0.0.1:80', '10.0.0.1', 80), ('10.0.0.1:+1', '10.0.0.1', 1),
])
def test_address_of_a_server(target, address, port):
    server, = Configuration('backend b\n  server s ' + target).proxies[0].servers
    assert (server.address, server.port) == (address, port)


PROXIES = """
defaults
    mode http
    default-server inter 1s check
frontend f
    bind :80
    id 7
    default_backend b
backend b
    default-server weight 5
    server one 10.0.0.1:80 no-check weight 7
    server-template t 2-3 10.0.0.2:80 backup
    server four 10.0.0.4:80 id 9
    server five 10.0.0.5:80
listen l
    disabled
    bind-process 2-3 5
defaults plain
    mode tcp
backend c from plain
backend d
"""


def test_proxies():
    proxies = Configuration(PROXIES).proxies
    assert [(proxy.name, proxy.kind, proxy.iid, proxy.mode) for proxy in proxies] == [
        ('f', 'frontend', 7, 'http'), ('b', 'backend', 8, 'http'), ('l', 'listen', 9, 'http'),
        ('c', 'backend', 10, 'tcp'), ('d', 'backend', 11, 'tcp')]
    assert [proxy.is_disabled for proxy in proxies] == [False, False, True, False, False]
    assert [proxies[2].is_in(number) for number in range(1, 7)] == [
        False, True, True, False, True, False]
    assert proxies[0].is_in(3)


def test_servers():
    servers = Configuration(PROXIES).proxies[1].servers
    assert [(server.name, server.sid) for server in servers] == [
        ('one', 1), ('t2', 2), ('t3', 3), ('four', 9), ('five', 10)]
    assert [server.has('check') for server in servers] == [False, True, True, True, True]
    assert [server.has('backup') for server in servers] == [False, True, True, False, False]
    assert [server.value('weight') for server in servers] == ['7', '5', '5', '5', '5']
    assert servers[0].value('inter') == '1s' and servers[0].value('maxconn', '3') == '3'


def test_files(tmpdir):
    tmpdir.join('there').write('1')
    read = Configuration('', files={'given': u'\xe4', '/etc/x': b'2'}, directory=str(tmpdir)).read
    assert read('there') == '1' and read('/etc/x') == '2'
    with pytest.raises(ConfigurationError) as caught:
        read('missing')
    assert 'pass it with files={...}' in str(caught.value)


def test_the_default_names_its_files():
    read = Configuration(configuration.DEFAULT, files=configuration.DEFAULT_FILES).read
    for name in configuration.DEFAULT_FILES:
        assert name in configuration.DEFAULT and read(name)
