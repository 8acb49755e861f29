# SPDX-License-Identifier: Apache-2.0
"""Every way to reach a HAProxy: Unix, abstract and TCP sockets, with and without TLS."""
import os
import shutil
import ssl
import sys
import tempfile

import pytest

from haproxyadmin import exceptions
from haproxyadmin.haproxy import HAProxy
from haproxyadmin.testing import sockets
from tests import conftest
from tests.support import group, keys as keychain, lab as labs, ways

pytestmark = pytest.mark.dealt_out

# More ways to reach the HAProxy of group.CONFIG.
SOCKETS = """
global
    stats socket "ipv4@127.0.0.1:${HAPROXYADMIN_PORT_CLI4}" level admin
    stats socket "abns@haproxyadmin-${HAPROXYADMIN_PORT_CLI4}" level admin
"""
ABNSZ = '    stats socket "abnsz@haproxyadmin-${HAPROXYADMIN_PORT_CLI4}" level admin\n'
IPV6 = '    stats socket "ipv6@[::1]:${HAPROXYADMIN_PORT_CLI6}" level admin\n'
# TLS on the stats socket itself, which 2.6 and later ignore without a warning.
OWN_TLS = """
global
    stats socket "${{HAPROXYADMIN_RUN}}/stats.sock" level admin
    stats socket "ipv4@127.0.0.1:${{HAPROXYADMIN_PORT_CLI}}" level admin ssl crt {0} ca-file {1} verify required
defaults
    timeout connect 1s
    timeout client 10s
    timeout server 10s
listen f
    bind "127.0.0.1:${{HAPROXYADMIN_PORT_F}}"
"""
VERSIONS = conftest.versions()
HAS_IPV6 = os.path.exists('/proc/net/if_inet6')
FORMS = ['path', 'unix@', 'ipv4', 'ipv4@', 'localhost', 'abns@', 'abnsz@', 'ipv6', 'ipv6@', 'ssl@']


class Site(labs.Stopped):
    """A HAProxy that listens everywhere, and another one in front of it for TLS."""

    def __init__(self, version):
        binary = conftest.find(version)
        self.front = self.lab = None
        has_abnsz = tuple(map(int, version.split('.'))) >= (3, 1)
        config = (group.CONFIG + SOCKETS + (ABNSZ if has_abnsz else '')
                  + (IPV6 if HAS_IPV6 else ''))
        try:
            self.lab = labs.Lab(binary, config=config)
            self.front = ways.TlsFront(binary, self.lab.socket_files)
        except BaseException:
            self.stop()
            raise
        ports = self.lab.stats_ports
        name = 'haproxyadmin-%d' % ports[0]
        path = self.lab.socket_files[0]
        self.addresses = {
            'path': path, 'unix@': 'unix@' + path, 'abns@': 'abns@' + name,
            'ipv4': '127.0.0.1:%d' % ports[0], 'ipv4@': 'ipv4@127.0.0.1:%d' % ports[0],
            'localhost': 'localhost:%d' % ports[0], 'ssl@': self.front.addresses[0]}
        if has_abnsz:
            self.addresses['abnsz@'] = 'abnsz@' + name
        if HAS_IPV6:
            self.addresses.update({'ipv6': '[::1]:%d' % ports[1],
                                   'ipv6@': 'ipv6@[::1]:%d' % ports[1]})

    def stop(self):
        for each in (self.front, self.lab):
            if each is not None:
                each.stop()

    def hap(self, *forms, **options):
        return HAProxy(addresses=[self.addresses[form] for form in forms], retry=None,
                       timeout=conftest.PATIENT, ssl_context=self.front.keys.context(), **options)


@pytest.fixture(scope='module', params=VERSIONS)
def site(request):
    with Site(request.param) as started:
        yield started


@pytest.fixture(scope='module')
def keys():
    directory = tempfile.mkdtemp(prefix='haproxyadmin-')
    yield keychain.Keys(directory)
    shutil.rmtree(directory)


@pytest.mark.parametrize('form', FORMS)
def test_reads_and_changes_are_the_same_in_every_way(site, form):
    """[addresses]"""
    if form not in site.addresses:
        pytest.skip('not in this version, or not on this machine')
    hap, direct = site.hap(form), HAProxy(socket_file=site.addresses['path'], retry=None)
    assert [process.socket_file for process in hap._processes] == [site.addresses[form]]
    assert hap.processids == direct.processids
    server = hap.server('s')[0]
    assert server.setweight(7) and direct.server('s')[0].weight == 7
    for text in ('two words', 'a;disable frontend f', 'a\\b', '@1; x', u'\u20ac'):
        assert hap.add_acl(group.ACL, text) and hap.get_acl(group.ACL, text)
        assert hap.del_acl(group.ACL, text)
    pairs = [('key%d' % number, 'a value %d' % number) for number in range(2000)]
    assert hap.add_map_entries(group.MAP, pairs)
    assert len(hap.show_map(group.MAP)) == len(direct.show_map(group.MAP)) > 2000
    assert hap.del_map_entries(group.MAP, [key for key, _ in pairs])
    assert hap.snapshot().server('s')[0].weight == 7
    assert hap.metric_per_socket('Maxconn')[0][0] == site.addresses[form]
    with pytest.raises(exceptions.CommandFailed) as caught:
        hap.frontend('f').enable()
    assert caught.value.socket_file == site.addresses[form]


def test_all_ways_lead_to_one_process(site):
    """[addresses] Of several addresses of a process, one is used."""
    hap = site.hap(*sorted(site.addresses))
    assert len(hap.processids) == 1 and hap.left_out == []


def test_no_descriptor_is_left_open(site):
    hap = site.hap(*sorted(site.addresses))
    hap.info()
    before = labs.descriptors()
    for form in sorted(site.addresses):
        site.hap(form).info()
    assert labs.descriptors() == before


def test_what_is_missing_is_listed(site):
    """[addresses]"""
    unused = labs.Port()
    missing = '127.0.0.1:%d' % unused.number
    site.addresses['missing'] = missing
    try:
        with pytest.raises(exceptions.NoHAProxyFound) as caught:
            site.hap('ipv4', 'missing')
        assert missing + ': Connection refused' in str(caught.value)
        hap = site.hap('ipv4', 'missing', allow_missing=True)
    finally:
        del site.addresses['missing']
        unused.close()
    assert [address for address, _ in hap.left_out] == [missing]
    assert hap.server('s')[0].setweight(8)


# TLS

def refused(address, context, **options):
    """Return the message for an address that cannot be used."""
    with pytest.raises(exceptions.HAProxySocketError) as caught:
        HAProxy(addresses=address, retry=None, timeout=conftest.PATIENT, ssl_context=context,
                **options)
    assert address in str(caught.value)
    return str(caught.value)


def test_a_client_without_a_certificate_is_told(site):
    """[TLS]"""
    text = refused(site.addresses['ssl@'], site.front.keys.context(client=False))
    assert 'certificate' in text or 'handshake' in text


def test_an_unknown_authority_is_told(site):
    """[TLS] Also by default: nothing is trusted that the system does not trust."""
    assert 'certificate verify failed' in refused(site.addresses['ssl@'], None)


def test_another_name_is_told(site):
    """[TLS] The certificate is for localhost and 127.0.0.1."""
    port = site.front.ports[0]
    # On Python 2 no certificate is for an IP address.
    if sys.version_info >= (3,):
        assert HAProxy(addresses='ssl@127.0.0.1:%d' % port, timeout=conftest.PATIENT,
                       ssl_context=site.front.keys.context()).processids
    if sys.version_info >= (3, 7):
        text = refused('ssl@127.0.0.2:%d' % port, site.front.keys.context())
        assert 'mismatch' in text or 'refused' in text


@pytest.mark.parametrize('name, words', [('expired', 'expired'), ('other', 'localhost')])
def test_a_certificate_that_does_not_fit_is_told(site, name, words):
    """[TLS]"""
    with ways.TlsFront(conftest.find(site.lab.version), site.lab.socket_files, name) as front:
        text = refused(front.addresses[0], front.keys.context())
    assert 'TLS: ' in text
    if sys.version_info >= (3, 7):
        assert words in text


def test_a_port_without_tls_is_told(site):
    """[TLS]"""
    address = 'ssl@localhost:%d' % site.lab.stats_ports[0]
    assert 'TLS: ' in refused(address, site.front.keys.context())


def test_a_port_with_tls_is_no_plain_one(site):
    """[TLS]"""
    text = refused('localhost:%d' % site.front.ports[0], None)
    assert 'closed before an answer' in text or 'not HAProxy' in text or 'reset' in text


@pytest.mark.parametrize('version', VERSIONS)
def test_tls_on_the_stats_socket_itself(version, keys):
    """[TLS] 2.2 has it; later versions ignore it and speak plain text."""
    with conftest.start(version, config=OWN_TLS.format(keys.server, keys.authority)) as started:
        port = started.stats_ports[0]
        if version == '2.2':
            assert HAProxy(addresses='ssl@localhost:%d' % port, timeout=conftest.PATIENT,
                           ssl_context=keys.context()).processids == started.pids
            assert 'certificate' in refused('ssl@localhost:%d' % port, keys.context(client=False))
        else:
            assert HAProxy(addresses='localhost:%d' % port).processids == started.pids
            refused('ssl@localhost:%d' % port, keys.context())


# What is not HAProxy

class Daemon(sockets.Listener):
    """Says something at once and after a line, and then closes the connection or not."""

    def __init__(self, greeting, answer, stays):
        super(Daemon, self).__init__(('127.0.0.1', 0))
        self._greeting, self._answer, self._stays = greeting, answer, stays
        self.listen()

    def serve(self, client):
        try:
            client.sendall(self._greeting)
            self.recv(client)
            client.sendall(self._answer)
            while self._stays and not self.stopping.is_set():
                client.sendall(self._answer)
        except EnvironmentError:
            pass  # the library has given up
        finally:
            client.close()


@pytest.mark.parametrize('greeting, answer, stays', [
    (b'', b'HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n', False),
    (b'SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n', b'Invalid SSH identification string.\r\n', False),
    (b'220 mail.example.com ESMTP\r\n', b'502 5.5.2 Error: command not recognized\r\n', False),
    (b'', b'-ERR unknown command `show`, with args beginning with: `info`, \r\n', False),
    (b'J\x00\x00\x00\n8.0.35\x00\x08\x00\x00\x00', b'\x00' * 20, False),
    (b'', b'\x15\x03\x01\x00\x02\x02\x46', False),
    (b'', b'abcdefghijklmnopqrstuvwxyz\r\n' * 1000, True),
    (b'', b'\n\n', False), (b'', b'Name: HAProxy\nPid: 1\n\n', False)],
    ids=['HTTP', 'SSH', 'SMTP', 'Redis', 'MySQL', 'TLS alert', 'chargen', 'nothing', 'half'])
def test_another_daemon_is_not_haproxy(greeting, answer, stays):
    """[addresses] In bounded time and memory."""
    daemon = Daemon(greeting, answer, stays)
    try:
        address = '127.0.0.1:%d' % daemon.path[1]
        assert 'not HAProxy' in refused(address, None)
        refused('ssl@' + address, ssl.create_default_context())
    finally:
        daemon.refuse()
