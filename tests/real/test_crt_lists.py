# SPDX-License-Identifier: Apache-2.0
"""crt_lists.py: lists of certificates, on real HAProxies, and what TLS clients get."""
import socket
import ssl

import pytest

from haproxyadmin import exceptions
from haproxyadmin.crt_lists import Added, CrtListEntry, Removed
from haproxyadmin.haproxy import HAProxy
from tests import conftest
from tests.support import certificates

pytestmark = pytest.mark.dealt_out

CONFIG = """
global
    stats socket "${{HAPROXYADMIN_RUN}}/stats${{HAPROXYADMIN_PROCESS}}.sock" level admin
    stats socket "${{HAPROXYADMIN_RUN}}/low${{HAPROXYADMIN_PROCESS}}.sock" level operator
defaults
    mode http
    timeout connect 1s
    timeout client 10s
    timeout server 1s
frontend f
    bind "unix@${{HAPROXYADMIN_RUN}}/f${{HAPROXYADMIN_PROCESS}}.sock" ssl crt-list {0}/list.txt strict-sni
frontend g
    bind "unix@${{HAPROXYADMIN_RUN}}/g${{HAPROXYADMIN_PROCESS}}.sock" ssl crt {0}/directory
"""
LIST = '# the sites\n{0}/one.pem\n\n{0}/two.pem [alpn h2,http/1.1 verify none] *.two.test !no.two.test\n'


class Site(object):
    """Two processes with the same lists, and certificates that are not in them."""

    def __init__(self, version, directory):
        authority = certificates.Authority(str(directory.mkdir('ca')))
        self.issued = dict((name, authority.issue(name + '.test'))
                           for name in ('one', 'two', 'three', 'four'))
        self.base = str(directory.mkdir('files'))
        self.directory = str(directory.join('files').mkdir('directory'))
        self.path = self.base + '/list.txt'
        for path, name in [('one.pem', 'one'), ('two.pem', 'two'), ('directory/one.pem', 'one'),
                           ('directory/of two.pem', 'two')]:
            directory.join('files', path).write(self.issued[name].pem)
        directory.join('files', 'list.txt').write(LIST.format(self.base))
        self.lab = conftest.start(version, config=CONFIG.format(self.base), instances=2)
        self.sockets = sorted(path for path in self.lab.socket_files if '/stats' in path)
        for name in ('three', 'four'):
            for place in (0, 1):
                self.store(place, self.name(name), name)
        self.hap = HAProxy(addresses=self.sockets, retry=None, timeout=conftest.PATIENT)

    def name(self, name):
        return '{0}/{1}.pem'.format(self.base, name)

    def tell(self, place, command):
        return self.lab.raw(command, self.sockets[place])

    def store(self, place, path, name):
        """Store a certificate in a process."""
        self.tell(place, 'new ssl cert ' + path)
        self.tell(place, 'set ssl cert {0} <<\n{1}'.format(path, self.issued[name].pem))
        assert 'Success!' in self.tell(place, 'commit ssl cert ' + path)

    def seen(self, sni, frontend='f'):
        """Return the certificate that each process presents for a name, None without one."""
        return [self._handshake('{0}/{1}{2}.sock'.format(self.lab.socket_dir, frontend, number), sni)
                for number in (1, 2)]

    def _handshake(self, path, sni):
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        connection = socket.socket(socket.AF_UNIX)
        try:
            connection.settimeout(conftest.PATIENT)
            connection.connect(path)
            client = context.wrap_socket(connection, server_hostname=sni)
            try:
                found = ssl.DER_cert_to_PEM_cert(client.getpeercert(True)).split()
            finally:
                client.close()
        except ssl.SSLError:
            return None
        finally:
            connection.close()
        return [name for name, own in self.issued.items() if own.crt.split() == found][0]

    def content(self):
        """Return the list in each process: the certificates' names, and the lines."""
        return [[(entry.certificate.rpartition('/')[2][:-len('.pem')], entry.line) for entry in own]
                for _, own in self.crt_list().entries_per_socket()]

    def crt_list(self):
        return self.hap.crt_list(self.path)

    def reset(self):
        """Remove what a test has added."""
        for place, (_, own) in enumerate(self.crt_list().entries_per_socket()):
            for entry in own[2:]:
                self.tell(place, 'del ssl crt-list {0} {1}:{2}'.format(
                    self.path, entry.certificate, entry.line))


@pytest.fixture(scope='module', params=conftest.versions())
def shared(request, tmpdir_factory):
    started = Site(request.param, tmpdir_factory.mktemp('crt'))
    yield started
    started.lab.stop()


@pytest.fixture
def site(shared):
    yield shared
    shared.reset()


def test_lists_and_entries(site):
    """[crt-lists] HAProxy's listing contains NUL bytes, which the entries do not."""
    assert [one.name for one in site.hap.crt_lists()] == [site.directory, site.path]
    found = site.crt_list()
    assert '\0' in site.tell(0, 'show ssl crt-list -n ' + site.path)
    assert found.entries() == [
        CrtListEntry(site.name('one'), [], None, 2),
        CrtListEntry(site.name('two'), ['*.two.test', '!no.two.test'],
                     'alpn h2,http/1.1 verify none', 4)]
    assert found.entries_per_socket() == [(path, found.entries()) for path in site.sockets]
    assert [entry[:3] for entry in site.hap.crt_list(site.directory).entries()] == [
        (site.directory + '/of two.pem', [], None), (site.directory + '/one.pem', [], None)]
    with pytest.raises(ValueError) as caught:
        site.hap.crt_list(site.path + 'x')
    assert site.path in str(caught.value)


def test_added_and_removed(site):
    """[crt-lists] A client gets the certificate from then on, and no longer."""
    found = site.crt_list()
    assert site.seen('three.test') == site.seen('x.three.test') == [None, None]
    assert found.add(site.name('three'), ['*.three.test', '!no.three.test'], 'alpn h2') == Added(True)
    assert site.seen('x.three.test') == ['three', 'three']
    assert site.seen('three.test') == site.seen('no.three.test') == [None, None]
    added = found.entries()[-1]
    assert added[:3] == (site.name('three'), ['*.three.test', '!no.three.test'], 'alpn h2')
    # The order and the case do not matter.
    assert found.add(site.name('three'), ['!no.three.test', '*.THREE.test'], 'alpn h2') == Added(False)
    assert found.entries()[-1] == added
    assert found.remove(site.name('three')) == Removed(True)
    assert site.seen('x.three.test') == [None, None]
    assert found.remove(site.name('three')) == found.remove(added) == Removed(False)
    assert len(found.entries()) == 2


def test_names_of_the_certificate(site):
    assert site.crt_list().add(site.name('three')).changed
    assert site.seen('three.test') == ['three', 'three']
    assert site.crt_list().remove(site.name('three')).changed
    assert site.seen('three.test') == [None, None]


def test_where_it_is_missing(site):
    site.tell(1, 'add ssl crt-list {0} {1}'.format(site.path, site.name('three')))
    with pytest.raises(exceptions.IncosistentData) as caught:
        site.crt_list().entries()
    assert [(path, len(own)) for path, own in caught.value.by_socket] == list(
        zip(site.sockets, [2, 3]))
    assert site.crt_list().add(site.name('three')) == Added(True)
    assert len(site.crt_list().entries()) == 3
    site.tell(0, 'del ssl crt-list {0} {1}'.format(site.path, site.name('three')))
    assert site.crt_list().remove(site.name('three')) == Removed(True)
    assert len(site.crt_list().entries()) == 2


def test_several_entries_of_a_certificate(site):
    """[crt-lists] The line says which of them; its number is not used again."""
    found = site.crt_list()
    for name in ('a.test', 'b.test', 'c.test'):
        assert found.add(site.name('three'), [name]).changed
    lines = [entry.line for entry in found.entries()[2:]]
    if None in lines:
        pytest.fail('the lines differ: {0}'.format(site.content()))
    with pytest.raises(ValueError) as caught:
        found.remove(site.name('three'))
    assert 'at lines {0}, {1}, {2}'.format(*lines) in str(caught.value)
    assert found.remove(site.name('three'), lines[1]) == Removed(True)
    assert found.remove(site.name('three'), lines[1]) == Removed(False)
    assert [entry.line for entry in found.entries()[2:]] == [lines[0], lines[2]]
    assert [site.seen(name)[0] for name in ('a.test', 'b.test', 'c.test')] == ['three', None, 'three']
    assert found.add(site.name('three'), ['b.test']).changed
    assert found.entries()[-1].line == lines[2] + 1
    # Twice the same: one of them goes.
    site.tell(0, 'add ssl crt-list {0} <<\n{1} b.test\n'.format(site.path, site.name('three')))
    site.tell(1, 'add ssl crt-list {0} <<\n{1} b.test\n'.format(site.path, site.name('three')))
    assert found.remove(found.entries()[-1]) == Removed(True)
    assert [entry.sni for entry in found.entries()[2:]] == [['a.test'], ['c.test'], ['b.test']]


def test_lines_that_differ(site):
    """An entry is found by what it says, also where it has another line."""
    found = site.crt_list()
    site.tell(0, 'add ssl crt-list {0} {1}'.format(site.path, site.name('four')))
    site.tell(0, 'del ssl crt-list {0} {1}'.format(site.path, site.name('four')))
    assert found.add(site.name('three'), ['a.test']).changed
    assert found.add(site.name('three'), ['b.test']).changed
    entry = found.entries()[2]
    assert entry.line is None
    line = found.entries_per_socket()[0][1][-1].line
    with pytest.raises(exceptions.CommandFailed) as caught:
        found.remove(site.name('three'), line)
    assert caught.value.socket_file == site.sockets[1]
    assert found.remove(entry) == Removed(True)
    assert [left.sni for left in found.entries()[2:]] == [['b.test']]
    # So that the next tests find equal lines.
    site.tell(1, 'add ssl crt-list {0} {1}'.format(site.path, site.name('four')))
    site.tell(1, 'del ssl crt-list {0} {1}'.format(site.path, site.name('four')))


@pytest.mark.parametrize('options', [
    None, 'alpn h2', 'ssl-max-ver TLSv1.2 ssl-min-ver TLSv1.2', 'no-ca-names allow-0rtt',
    'ciphers ECDHE+AESGCM:!aNULL curves X25519:P-256'])
def test_what_haproxy_lists_is_known_again(site, options):
    found = site.crt_list()
    assert found.add(site.name('three'), options=options) == Added(True)
    assert found.add(site.name('three'), options=options) == Added(False)
    assert found.remove(site.name('three')) == Removed(True)


@pytest.mark.parametrize('change, words', [
    (lambda found, site: found.add(site.name('none')), 'does not exist'),
    (lambda found, site: found.add(site.name('three'), options='bogus x'), 'bogus'),
    (lambda found, site: found.add(site.name('three'), options='ciphers BOGUS'), 'BOGUS'),
    (lambda found, site: found.add(site.name('three'), options='ssl-min-ver TLSv1.3 ssl-max-ver '
                                   'TLSv1.2'), 'disabled')])
def test_refused(site, change, words):
    before = site.content()
    with pytest.raises(exceptions.CommandFailed) as caught:
        change(site.crt_list(), site)
    assert words in str(caught.value)
    assert caught.value.undone == caught.value.not_undone == []
    assert site.content() == before


@pytest.mark.parametrize('place', [0, 1])
def test_refused_by_one_process(site, place):
    """[crt-lists] What the other one has accepted is undone."""
    name = site.base + '/only-{0}.pem'.format(place)
    site.store(place, name, 'four')
    site.tell(1 - place, 'new ssl cert ' + name)
    before = site.content()
    with pytest.raises(exceptions.MultipleCommandResults) as caught:
        site.crt_list().add(name, ['only.test'], 'alpn h2')
    assert (caught.value.undone, caught.value.not_undone) == ([site.sockets[place]], [])
    assert 'is empty' in dict(caught.value.by_socket)[site.sockets[1 - place]]
    assert site.content() == before
    assert site.seen('only.test') == [None, None]
    assert site.crt_list().add(name, ['only.test'], die=False) is False


def test_a_directory(site):
    found = site.hap.crt_list(site.directory)
    with pytest.raises(exceptions.CommandFailed) as caught:
        found.add(site.directory + '/new.pem', ['new.test'])
    assert 'directory' in str(caught.value)
    for place in (0, 1):
        site.store(place, site.directory + '/new.pem', 'three')
    assert found.add(site.directory + '/new.pem') == Added(True)
    assert found.add(site.directory + '/new.pem') == Added(False)
    assert site.seen('three.test', 'g') == ['three', 'three']
    assert found.remove(site.directory + '/new.pem') == Removed(True)
    if site.lab.version in ('2.2', '2.6', '3.0'):
        with pytest.raises(exceptions.CommandFailed) as caught:
            found.add(site.name('three'))
        assert 'must contain the directory path' in str(caught.value)
    else:
        assert found.add(site.name('three')).changed and found.remove(site.name('three')).changed
    # A name with a blank; the first file of the directory is the default certificate.
    with_blank = site.directory + '/of two.pem'
    if site.lab.version == '2.2':
        # It would let go of it, and clients would still get it.
        with pytest.raises(exceptions.CommandFailed) as caught:
            found.remove(with_blank, 0)
        assert 'could no longer change it' in str(caught.value)
    else:
        with pytest.raises(exceptions.CommandFailed) as caught:
            found.remove(with_blank)
        assert 'used as default certificate' in str(caught.value)
    assert sorted(entry.certificate for entry in found.entries()) == [
        with_blank, site.directory + '/one.pem']


def test_the_level(site):
    low = [path for path in site.lab.socket_files if '/low' in path]
    hap = HAProxy(addresses=low, retry=None, timeout=conftest.PATIENT)
    with pytest.raises(exceptions.CommandFailed) as caught:
        hap.crt_lists()
    assert 'Permission denied' in str(caught.value) and 'operator' in str(caught.value)


def test_many_filters(site):
    names = ['n{0}.three.test'.format(number) for number in range(800)]
    assert site.crt_list().add(site.name('three'), names).changed
    assert site.crt_list().entries()[-1].sni == names
    assert site.seen('n799.three.test') == ['three', 'three']
    with pytest.raises(ValueError):
        site.crt_list().add(site.name('three'), names * 2)


def test_commands(site, sent):
    found = site.crt_list()
    sent.clear()
    found.add(site.name('three'), ['three.test'])
    lines = ['show ssl crt-list -n ' + site.path, 'add ssl crt-list {0} <<'.format(site.path)]
    assert [command for command in sent.commands if command != 'show info'] == [
        line for line in [lines[0], lines[1], lines[0]] for _ in range(2)]
    sent.clear()
    found.add(site.name('three'), ['three.test'])
    assert [command for command in sent.commands if command != 'show info'] == [lines[0]] * 2


@pytest.mark.parametrize('version', [each for each in conftest.versions() if each >= '3.2'])
def test_lines_of_a_frontend(version, tmpdir):
    """They have the line 0, as the files of a directory; what is added may have filters."""
    issued = certificates.Authority(str(tmpdir.mkdir('ca'))).issue('one.test')
    tmpdir.join('one.pem').write(issued.pem)
    config = CONFIG[:CONFIG.index('frontend f')].format() + """
frontend f
    bind "unix@${{HAPROXYADMIN_RUN}}/f.sock" ssl
    ssl-f-use crt {0}
""".format(tmpdir.join('one.pem'))
    with conftest.start(version, config=config) as lab:
        path, = [path for path in lab.socket_files if '/stats' in path]
        hap = HAProxy(socket_file=path, retry=None, timeout=conftest.PATIENT)
        found = hap.crt_list('@f')
        before = found.entries()
        assert before == [CrtListEntry(str(tmpdir.join('one.pem')), [], None, 0)]
        assert found.add(before[0].certificate, ['x.test'], 'alpn h2') == Added(True)
        assert found.entries() == before + [before[0]._replace(
            sni=['x.test'], options='alpn h2', line=1)]
        assert found.remove(found.entries()[1]) == Removed(True)
        assert found.entries() == before
