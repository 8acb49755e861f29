# SPDX-License-Identifier: Apache-2.0
"""CA files and CRL files, on real HAProxies that clients with certificates connect to."""
import base64
import os
import re
import socket
import ssl

import pytest

from haproxyadmin import exceptions
from haproxyadmin.ca_files import CaFile, CrlFile
from haproxyadmin.certificates import Done
from haproxyadmin.haproxy import HAProxy
from tests import conftest
from tests.support import certificates, tls
from tests.support.keys import openssl

pytestmark = pytest.mark.dealt_out

COUNT = 3
MUTUAL = """
frontend mutual
    bind "{{directory}}/mutual${{{{HAPROXYADMIN_PROCESS}}}}" ssl crt {files}/mutual.pem ca-file {files}/clients.pem crl-file {files}/revoked.pem verify required
    http-request return status 200
"""


class Trust(tls.Site):
    """HAProxies that admit clients of the old authority, but no client of the new one yet."""

    def __init__(self, version, directory, count=COUNT, **options):
        files = str(directory)
        self.old_authority, self.new_authority = [
            certificates.Authority(str(directory.mkdir(word)), word) for word in ('old', 'new')]
        self.clients = {}
        for word, authority in [('old', self.old_authority), ('new', self.new_authority),
                                ('revoked', self.old_authority)]:
            self.clients[word] = os.path.join(files, word + '-client.pem')
            issued = authority.issue(word)
            if word == 'revoked':
                self.revoked = issued
            with open(self.clients[word], 'w') as output:
                output.write(issued.pem)
        # What clients see, where they need a certificate themselves.
        self.served, self.renewed = [self.old_authority.issue('mutual') for _ in range(2)]
        self.ca, self.crl, self.mutual = [
            os.path.join(files, name) for name in ('clients.pem', 'revoked.pem', 'mutual.pem')]
        # HAProxy wants a list of every authority.
        self.lists = self.old_authority.crl() + self.new_authority.crl()
        for path, content in [(self.ca, self.old_authority.crt), (self.crl, self.lists),
                              (self.mutual, self.served.pem)]:
            with open(path, 'w') as output:
                output.write(content)
        super(Trust, self).__init__(
            conftest.find(version), count, interfering=True,
            config=tls.CONFIG + MUTUAL.format(files=files), **options)

    @property
    def ca_file(self):
        return self.hap.ca_file(self.ca)

    @property
    def crl_file(self):
        return self.hap.crl_file(self.crl)

    def admits(self, client, numbers=None):
        """Return whether each process admits a client."""
        return [serial is not None for serial in self.seen(client, numbers)]

    def seen(self, client, numbers=None):
        """Return the serial number that a client sees in each process, None if it is refused."""
        return [seen(self.path('mutual', number), self.clients[client])
                for number in numbers or range(1, len(self.sockets) + 1)]

    def change(self, number, kind, name, pem, *actions):
        """Change a file in a process, as another client does; return the replies."""
        text = '\n'.join(line for line in pem.splitlines() if line)
        return [self.raw(number, '{0} ssl {1} {2}{3}'.format(
            action, kind, name, ' <<\n' + text + '\n' if action in ('set', 'add') else ''))
            for action in actions]

    def reset(self):
        """End transactions, and put back what was there in the beginning."""
        for relay in self.relays:
            relay.forget()
        if self.version not in ('2.2', '2.6', '3.0'):
            for number in range(1, len(self.sockets) + 1):
                for kind, name, pem in [('ca-file', self.ca, self.old_authority.crt),
                                        ('crl-file', self.crl, self.lists)]:
                    listed = self.raw(number, 'show ssl ' + kind)
                    for other in re.findall(r'^\*(\S+)', listed, re.MULTILINE):
                        self.change(number, kind, other, '', 'abort')
                    assert 'Success' in self.change(number, kind, name, pem, 'set', 'commit')[1]


def seen(path, client):
    """Return the serial number that a client sees, None if its own certificate is refused."""
    context = ssl.SSLContext(getattr(ssl, 'PROTOCOL_TLS_CLIENT', ssl.PROTOCOL_SSLv23))
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.load_cert_chain(client)
    plain = socket.socket(socket.AF_UNIX)
    try:
        plain.settimeout(conftest.PATIENT)
        plain.connect(path)
        secured = context.wrap_socket(plain)
        try:
            secured.sendall(b'GET / HTTP/1.0\r\n\r\n')
            assert b' 200 ' in secured.recv(4096)
            return tls.serial_of(secured.getpeercert(True))
        finally:
            secured.close()
    except (ssl.SSLError, socket.error) as error:
        assert 'timed out' not in str(error)
        return None
    finally:
        plain.close()


@pytest.fixture(scope='module', params=conftest.versions())
def started(request, tmpdir_factory):
    with Trust(request.param, tmpdir_factory.mktemp('trust')) as trust:
        yield trust


@pytest.fixture
def trust(started):
    """Processes of any version."""
    started.reset()
    yield started
    started.reset()


@pytest.fixture
def able(trust):
    """Processes that can change what they trust."""
    if trust.version in ('2.2', '2.6', '3.0'):
        pytest.skip('this version would crash')
    return trust


def states(result):
    return [state for _, state in result.by_socket]


def fails(kind, function, *arguments, **options):
    """Return the exception that a call raises."""
    with pytest.raises(kind) as caught:
        function(*arguments, **options)
    return caught.value


def many(pem, count):
    """Return a text of PEM of that many certificates; their signatures are wrong."""
    der = ssl.PEM_cert_to_DER_cert(pem)
    place = der.index(b'\x02\x14') + 4
    return [ssl.DER_cert_to_PEM_cert(
        der[:place] + ('%08d' % number).encode('ascii') + der[place + 8:])
        for number in range(count)]


# What every version can, and cannot

def test_reading(trust):
    if trust.version == '2.2':
        for method in (trust.hap.ca_files, trust.hap.crl_files):
            error = fails(exceptions.NotSupported, method)
            assert (error.needs, error.has[:4]) == ('2.6', '2.2.')
        return
    assert trust.hap.ca_files() == [trust.ca, '@system-ca']
    ca_file, crl_file = trust.ca_file, trust.crl_file
    assert (ca_file.status, crl_file.status) == ('Used', 'Used')
    assert (ca_file.transaction, crl_file.transaction) == (False, False)
    authority, = ca_file.certificates()
    shown = openssl('x509', '-in', trust.old_authority.path, '-noout', '-serial',
                    '-fingerprint').decode('ascii')
    assert (authority.subject, authority.issuer, authority.algorithm) == (
        '/CN=old', '/CN=old', 'EC256')
    assert authority.names == [] and 299 < authority.expires_in / 86400. < 301
    assert 'serial={0}\n'.format(authority.serial) in shown
    assert authority.fingerprints['sha1'] in shown.replace(':', '')
    assert [len(found) for _, found in ca_file.certificates_per_socket()] == [1] * COUNT
    assert ca_file.certificates_per_process() == [(1, [authority])] * COUNT
    new, old = crl_file.lists()
    assert (new.issuer, old.issuer) == ('/CN=new', '/CN=old')
    assert (old.next_update - old.last_update).days == 30
    assert old.revoked == [] and old.is_complete
    assert crl_file.lists_per_socket() == [(path, [new, old]) for path in trust.addresses]
    assert crl_file.lists_per_process() == [(1, [new, old])] * COUNT
    # So many that HAProxy needs several buffers.
    listed = re.search(r'@system-ca - (\d+) cert', trust.raw(1, 'show ssl ca-file')).group(1)
    system = trust.hap.ca_file('@system-ca').certificates()
    assert len(system) == int(listed)
    assert len(set(one.fingerprints['sha1'] for one in system)) == len(system)
    assert fails(ValueError, trust.hap.ca_file, trust.ca + 'x').args[0].startswith('no CA file ')
    assert fails(ValueError, trust.hap.crl_file, trust.ca).args[0].startswith('no CRL file ')
    assert trust.admits('old') == [True] * COUNT
    assert trust.admits('new') == [False] * COUNT


def test_versions_that_would_crash_are_left_alone(trust):
    if trust.version not in ('2.2', '2.6', '3.0'):
        pytest.skip('this version does not crash')
    processes = trust.hap._found
    ca_file, crl_file = CaFile(trust.ca, processes), CrlFile(trust.crl, processes)
    pem = trust.new_authority.crt
    for relay in trust.relays:
        relay.forget()
    for call in [lambda: ca_file.update(pem), lambda: ca_file.add(pem), ca_file.delete,
                 ca_file.abort, lambda: crl_file.update(trust.lists), crl_file.delete,
                 crl_file.abort, lambda: trust.hap.add_ca_file('/new.pem', pem),
                 lambda: trust.hap.add_crl_file('/new.crl', trust.lists)]:
        error = fails(exceptions.NotSupported, call)
        assert error.needs == '3.2' and error.has.startswith(trust.version)
    assert [[command for command in relay.commands if command != b'show info\n']
            for relay in trust.relays] == [[]] * COUNT
    assert trust.admits('old') == [True] * COUNT


@pytest.mark.parametrize('version', sorted(set(conftest.versions()) & set(['2.6', '3.0'])))
def test_a_foreign_change_that_makes_an_old_version_forget(version, tmpdir):
    """[ca files] The certificate is renewed, but no client sees it: in_use says so."""
    with Trust(version, tmpdir, count=1) as trust:
        certificate = trust.hap.certificate(trust.mutual)
        assert certificate.update(trust.renewed.pem)[:2] == (True, True)
        assert trust.seen('old') == [trust.renewed.serial]
        both = trust.old_authority.crt + trust.new_authority.crt
        assert 'Success' in trust.change(1, 'ca-file', trust.ca, both, 'set', 'commit')[1]
        assert trust.admits('new') == [True]
        updated = certificate.update(trust.served.pem)
        assert updated[:2] == (True, False)
        assert certificate.serial == trust.served.serial
        assert trust.seen('old') == [trust.renewed.serial]
        # Another one is not concerned.
        assert trust.hap.update_certificate(
            trust.site, trust.authority.issue('site.test').pem).in_use is True


# A sequence of changes

def test_a_client_of_a_new_authority_gets_in(able):
    """[ca files] Certificates can still be renewed after each change of a CA file."""
    assert able.admits('new') == [False] * COUNT
    added = able.ca_file.add(able.new_authority.crt)
    assert added == (True, True, [(path, 'committed') for path in able.addresses])
    assert able.admits('new') == able.admits('old') == [True] * COUNT
    assert [one.subject for one in able.ca_file.certificates()] == ['/CN=new', '/CN=old']
    for issued in (able.renewed, able.served):
        assert able.hap.update_certificate(able.mutual, issued.pem)[:2] == (True, True)
        assert able.seen('new') == [issued.serial] * COUNT
        updated = able.ca_file.update(able.new_authority.crt, previous=(
            able.new_authority.crt + able.old_authority.crt))
        assert updated.in_use is True
        assert updated.changed is (issued is able.renewed)
        assert able.admits('new') == [True] * COUNT
        assert able.admits('old') == [False] * COUNT
    # What is there already.
    assert able.ca_file.add(able.new_authority.crt).changed is False
    assert [one.subject for one in able.ca_file.certificates()] == ['/CN=new']


def test_a_revoked_client_is_refused(able):
    """[ca files] Certificates can still be renewed after each change of a CRL file."""
    assert able.admits('revoked') == [True] * COUNT
    able.old_authority.revoke(able.revoked)
    new = able.old_authority.crl() + able.new_authority.crl()
    for number, issued in enumerate((able.renewed, able.served)):
        updated = able.crl_file.update(new, previous=able.lists)
        assert updated[:2] == (number == 0, True)
        assert able.admits('revoked') == [False] * COUNT
        assert able.admits('old') == [True] * COUNT
        assert able.hap.update_certificate(able.mutual, issued.pem)[:2] == (True, True)
        assert able.seen('old') == [issued.serial] * COUNT
    assert [one.revoked for one in able.crl_file.lists()] == [[], [able.revoked.serial]]
    able.crl_file.update(able.lists)
    assert able.admits('revoked') == [True] * COUNT


# What is sent

def test_a_bundle_that_is_longer_than_a_payload(able):
    """[ca files] Certificates are never cut, duplicates are sent once."""
    texts = many(able.new_authority.crt, 400)
    pem = '\n\n# a comment\n'.join(texts) + able.served.key
    assert len(pem) > 200 * 1024
    updated = able.ca_file.update(able.old_authority.crt + pem + able.old_authority.crt + texts[7])
    assert updated[:2] == (True, True)
    shown = able.ca_file.certificates()
    assert len(set(one.serial for one in shown)) == len(shown) == 401
    sent = [command for command in able.relays[0].commands if b' <<\n' in command]
    assert [command.split()[0] for command in sent] == [b'set'] + [b'add'] * (len(sent) - 1)
    assert len(sent) > 12 and max(map(len, sent)) <= 16000
    assert not any(command.count(b'-----BEGIN') != command.count(b'-----END') for command in sent)
    assert not certificates.leaked(b''.join(sent).decode('ascii'))
    assert able.admits('old') == [True] * COUNT
    # More of them, and what is there stays.
    more = many(able.old_authority.crt, 60)
    assert able.ca_file.add(''.join(more)).changed is True
    assert len(able.ca_file.certificates()) == 461
    assert able.ca_file.update(able.old_authority.crt + pem + ''.join(more)).changed is False


def test_texts_that_are_refused_before_anything_is_sent(able):
    ca_file, crl_file = able.ca_file, able.crl_file
    system = able.hap.ca_file('@system-ca')
    able.reset()
    key = able.served.key
    without_next = re.sub('[^-]+(?=-----END)', lambda match: '\n' + base64.b64encode(
        shortened(base64.b64decode(match.group()))).decode('ascii') + '\n', able.old_authority.crl())
    for call, message in [
            (lambda: ca_file.update(key), 'contains no certificate'),
            (lambda: ca_file.add(able.lists), 'contains no certificate'),
            (lambda: crl_file.update(able.old_authority.crt), 'contains no revocation list'),
            (lambda: ca_file.update('/a/path.pem'), 'this is not PEM'),
            (lambda: ca_file.update(able.old_authority.crt, previous=''), 'this is not PEM'),
            (lambda: crl_file.update(able.lists.replace('X509 CRL', 'X509 CRL X')), 'no revocation'),
            (lambda: crl_file.update(without_next), 'when the next one is due'),
            (lambda: crl_file.update(able.old_authority.crt.replace('CERTIFICATE', 'X509 CRL')),
             'this is not a revocation list'),
            (lambda: able.hap.add_ca_file('@new', able.old_authority.crt), 'not a file'),
            (lambda: able.hap.add_ca_file('/a:1', able.old_authority.crt), 'colon'),
            (lambda: able.hap.add_crl_file('*a', able.lists), 'the name of a file'),
            (lambda: system.update(able.old_authority.crt), 'not a file'),
            (lambda: system.add(able.old_authority.crt), 'not a file'),
            (system.delete, 'not a file'), (system.abort, 'not a file'),
            (lambda: CaFile('/a:1', able.hap._found).certificates(), 'colon')]:
        assert message in str(fails(ValueError, call))
    # The size is known only with the version.
    huge = able.lists + large_list(able, 700)
    assert 'at most 16000 bytes' in str(fails(ValueError, crl_file.update, huge))
    assert all(set(relay.commands) <= set([b'show info\n']) for relay in able.relays)
    assert able.ca_file.update(able.old_authority.crt, die=True).changed is False
    assert ca_file.update(key, die=False) is False


def shortened(der):
    """Return a revocation list without the date of the next one."""
    # Two dates follow each other; each has 15 bytes, and fills the lists around it.
    place = der.index(b'\x17\x0d') + 15
    assert der[place:place + 2] == b'\x17\x0d'
    octets = bytearray(der[:place] + der[place + 15:])
    for start in (0, (2 + (octets[1] & 0x7f)) if octets[1] & 0x80 else 2):
        count = octets[start + 1] & 0x7f if octets[start + 1] & 0x80 else 0
        # The last byte of the length.
        assert octets[start + 1 + count] & 0x7f >= 15
        octets[start + 1 + count] -= 15
    return bytes(octets)


def large_list(trust, count):
    """Return a list of the old authority with that many serial numbers."""
    path = os.path.join(trust.old_authority._directory, 'index.txt')
    with open(path) as index:
        before = index.read()
    try:
        with open(path, 'a') as index:
            for number in range(count):
                index.write('R\t301126180000Z\t261126180000Z\t{0:X}\tunknown\t/CN=x\n'.format(
                    0x100000 + number))
        return trust.old_authority.crl()
    finally:
        with open(path, 'w') as index:
            index.write(before)


def test_a_list_of_which_haproxy_does_not_show_all(able):
    large = large_list(able, 300)
    updated = able.crl_file.update(large + able.new_authority.crl())
    assert updated[:2] == (True, True)
    first = able.crl_file.lists()[0]
    assert first.is_complete is False
    assert 200 < len(able.crl_file.lists()[-1].revoked) < 300
    assert able.crl_file.update(large + able.new_authority.crl()).changed is False
    # A list that is not among those that were sent is noticed even so.
    able.relays[1].on('commit ssl', before=lambda *_: able.change(
        2, 'crl-file', able.crl, able.old_authority.crl(), 'set') and None)
    assert 'at the same time' in str(fails(exceptions.Conflict, able.crl_file.update, large))
    assert able.crl_file.update(large_list(able, 150) + able.new_authority.crl()).changed is True
    new, old = able.crl_file.lists()
    assert old.is_complete is True and set(old.revoked) >= set(
        '{0:X}'.format(0x100000 + number) for number in range(150))


CUT = """
global
    stats socket "${{HAPROXYADMIN_RUN}}/stats.sock" level admin

defaults
    mode http
    timeout client 1s
    timeout connect 1s
    timeout server 1s

frontend cut
    bind "${{HAPROXYADMIN_RUN}}/cut" ssl crt-list {0}
"""


def test_a_list_that_is_cut_anywhere(trust, tmpdir):
    """HAProxy leaves out each part that does not fit, also within a line."""
    if trust.version == '2.2':
        pytest.skip('this version has no CRL files')
    text = large_list(trust, 250) + trust.new_authority.crl()
    # A revoked certificate takes 75 bytes.
    files = [tmpdir.join('x' * count) for count in range(1, 77)]
    for number, file in enumerate(files):
        file.write(text)
    tmpdir.join('crt-list').write(''.join(
        '{0} [ca-file {1} crl-file {2} verify required] {3}.example.com\n'.format(
            trust.mutual, trust.ca, file, number) for number, file in enumerate(files)))
    lab = conftest.start(trust.version, config=CUT.format(tmpdir.join('crt-list')))
    try:
        ends = set()
        for file in HAProxy(socket_file=lab.socket_files[0], retry=None, timeout=20).crl_files():
            lists = file.lists()
            assert [(one.issuer, one.is_complete) for one in lists] in (
                [('/CN=old', False)], [('/CN=new', False), ('/CN=old', False)])
            ends.add(lab.raw('show ssl crl-file ' + file.name)[-4:])
    finally:
        lab.stop()
    assert {'r: \n', 'e: \n'} <= ends


def test_a_broken_certificate_is_refused(able):
    lines = able.new_authority.crt.splitlines()
    lines[3] = lines[4]
    error = fails(exceptions.CommandFailed, able.ca_file.update,
                  able.old_authority.crt + '\n'.join(lines))
    assert 'Invalid payload' in str(error)
    assert states(error.result) == ['unchanged'] * COUNT
    assert able.ca_file.transaction is False
    assert able.admits('old') == [True] * COUNT


# Several processes

def refuse(command, client):
    """Answer as HAProxy does if it refuses a commit."""
    client.sendall(b"No memory!\nCan't commit it!\n\n")
    return False


def drop(command, client):
    """Break the connection."""
    return False


@pytest.mark.parametrize('kind', ['ca', 'crl'])
def test_one_process_refuses_the_content(able, kind):
    thing, pem = (able.ca_file, able.new_authority.crt) if kind == 'ca' else (
        able.crl_file, able.new_authority.crl())
    able.relays[1].on('set ssl', before=refuse)
    error = fails(exceptions.MultipleCommandResults, thing.update, pem)
    assert states(error.result) == ['aborted', 'unchanged', 'aborted']
    assert thing.transaction is False
    assert able.admits('old') == [True] * COUNT and able.admits('new') == [False] * COUNT


@pytest.mark.parametrize('action, state', [(refuse, 'aborted'), (drop, 'unknown')])
def test_one_process_does_not_commit(able, action, state):
    """[ca files] Without the old content, the others keep the new one, and the result says so."""
    able.relays[1].on('commit ssl', before=action)
    error = fails((exceptions.MultipleCommandResults, exceptions.HAProxySocketError),
                  able.ca_file.update, able.new_authority.crt)
    assert states(error.result) == ['committed', state, 'committed']
    assert set(error.not_undone) >= set([able.addresses[0], able.addresses[2]])
    assert able.admits('new') == [True, False, True]
    # It may be in the middle of the commit; ending the transaction would make it crash then.
    assert able.ca_file.transaction is (action is drop)
    differing = fails(exceptions.IncosistentData, able.ca_file.certificates)
    assert [address for address, _ in differing.by_socket] == able.addresses


def test_the_old_content_is_put_back(able):
    """[ca files]"""
    able.relays[2].on('commit ssl', before=refuse)
    error = fails(exceptions.MultipleCommandResults, able.ca_file.update, able.new_authority.crt,
                  previous=able.old_authority.crt)
    assert states(error.result) == ['restored', 'restored', 'aborted']
    assert error.not_undone == []
    assert able.admits('new') == [False] * COUNT and able.admits('old') == [True] * COUNT
    able.old_authority.revoke(able.old_authority.issue('other'))
    able.relays[0].on('commit ssl', before=refuse)
    error = fails(exceptions.MultipleCommandResults, able.crl_file.update,
                  able.old_authority.crl(), previous=able.lists)
    assert states(error.result) == ['aborted', 'restored', 'restored']
    assert able.crl_file.transaction is False
    assert [one.revoked for one in able.crl_file.lists()] == [[], []]
    # What is wrong is refused before anything is changed.
    error = fails(exceptions.CommandFailed, able.ca_file.update, able.old_authority.crt + many(
        able.new_authority.crt, 1)[0], previous=able.new_authority.crt)
    assert 'previous is not what' in str(error)
    assert states(error.result) == ['unchanged'] * COUNT


def test_added_certificates_cannot_be_taken_away_again(able):
    """[ca files]"""
    able.relays[0].on('commit ssl', before=refuse)
    error = fails(exceptions.MultipleCommandResults, able.ca_file.add, able.new_authority.crt)
    assert states(error.result) == ['aborted', 'committed', 'committed']
    assert able.admits('new') == [False, True, True]
    # Trying again completes it.
    assert able.ca_file.add(able.new_authority.crt).changed is True
    assert able.admits('new') == [True] * COUNT


@pytest.mark.parametrize('version', sorted(set(conftest.versions()) - set(['2.2', '2.6', '3.0'])))
def test_a_process_that_is_killed(version, tmpdir):
    """[ca files] Nothing has changed if it was before the commit, nor later if it can be undone."""
    for number, (word, options, expected) in enumerate([
            ('show ssl ca-file *', {}, ['aborted', 'unknown']),
            ('commit ssl', {'previous': 'old'}, ['restored', 'unknown']),
            ('commit ssl', {}, ['committed', 'unknown'])]):
        with Trust(version, tmpdir.mkdir(str(number)), count=2) as trust:
            trust.relays[1].on(word, before=lambda *_: trust.kill(2))
            if options:
                options = {'previous': trust.old_authority.crt}
            error = fails(exceptions.HAProxySocketError, trust.ca_file.update,
                          trust.new_authority.crt, **options)
            assert states(error.result) == expected
            assert trust.admits('new', [1]) == [expected[0] == 'committed']
            assert trust.admits('old', [1]) == [expected[0] != 'committed']
            assert '*' not in trust.raw(1, 'show ssl ca-file')


# Other clients

def test_a_transaction_of_another_client(able):
    """[ca files] It is not touched, unless abort() says so."""
    for thing, kind, name, pem in [
            (able.ca_file, 'ca-file', able.ca, able.new_authority.crt),
            (able.crl_file, 'crl-file', able.crl, able.new_authority.crl())]:
        able.change(2, kind, name, pem, 'set')
        assert thing.transaction is True
        error = fails(exceptions.Conflict, thing.update, pem)
        assert error.polluted is False and able.addresses[1] in str(error)
        assert states(error.result) == ['unchanged'] * COUNT
        assert '*' + name in able.raw(2, 'show ssl ' + kind)
        assert thing.abort() == Done(True)
        assert thing.abort() == Done(False)
        assert thing.update(pem).changed is True
        assert thing.transaction is False
    # Each kind of file has a transaction of its own, as certificates have.
    able.change(1, 'crl-file', able.crl, able.lists, 'set')
    assert able.ca_file.update(able.old_authority.crt).changed is True
    assert able.hap.update_certificate(able.mutual, able.served.pem).in_use is True
    assert able.crl_file.transaction is True


def test_another_client_comes_in_between(able):
    """[ca files]"""
    other = many(able.new_authority.crt, 1)[0]
    set_other = [lambda *_: able.change(2, 'ca-file', able.ca, other, 'set') and None,
                 lambda *_: able.change(2, 'ca-file', able.ca, other, 'add') and None]
    # After the look, and before what is committed is looked at.
    able.relays[1].on('set ssl', before=set_other[0])
    error = fails(exceptions.Conflict, able.ca_file.update, able.new_authority.crt)
    assert error.polluted is True
    able.reset()
    able.relays[1].on('set ssl', after=set_other[1])
    error = fails(exceptions.Conflict, able.ca_file.update, able.new_authority.crt)
    assert 'another content' in str(error)
    assert states(error.result)[::2] == ['aborted', 'aborted']
    able.reset()
    able.relays[1].on('commit ssl', before=set_other[1])
    error = fails(exceptions.Conflict, able.ca_file.update, able.new_authority.crt)
    assert 'at the same time' in str(error)
    # It is better than what the other client has committed with it.
    assert states(error.result) == ['committed'] * 3
    assert able.admits('new') == [True] * 3 and len(able.ca_file.certificates()) == 1
    able.reset()
    able.relays[0].on('set ssl', before=lambda *_: able.change(
        1, 'crl-file', able.crl, able.new_authority.crl(), 'set') and None)
    error = fails(exceptions.Conflict, able.crl_file.update, able.lists)
    assert error.polluted is True


# Files that are added and deleted

@pytest.mark.parametrize('kind', ['ca', 'crl'])
def test_files_are_added_and_deleted(able, kind):
    add, things, pem = (able.hap.add_ca_file, able.hap.ca_files, able.new_authority.crt)
    if kind == 'crl':
        add, things, pem = able.hap.add_crl_file, able.hap.crl_files, able.lists
    for name in ('/new.pem', '/a new;one\\.pem'):
        assert add(name, pem) == (True, False, [(path, 'committed') for path in able.addresses])
        thing = [thing for thing in things() if thing == name][0]
        assert thing.status == 'Unused' and thing.process_nb == [1] * COUNT
        error = fails(exceptions.CommandFailed, add, name, pem)
        assert 'there is a ' in str(error) and states(error.result) == ['unchanged'] * COUNT
        assert thing.update(pem)[:2] == (False, False)
        assert thing.delete() == Done(True)
        assert thing.delete() == Done(False)
        assert name not in things()
    # What is in use stays.
    used = able.ca_file if kind == 'ca' else able.crl_file
    assert 'is in use' in str(fails(exceptions.CommandFailed, used.delete))
    # CA files and CRL files share their names.
    taken = able.crl if kind == 'ca' else able.ca
    assert 'already exists' in str(fails(exceptions.CommandFailed, add, taken, pem))
    assert (able.ca_file.status, able.crl_file.status) == ('Used', 'Used')


@pytest.mark.parametrize('word, action', [
    (word, action) for word in ('new ssl', 'set ssl', 'show ssl ca-file *', 'commit ssl')
    for action in (refuse, drop) if (word, action) != ('commit ssl', drop)])
def test_an_addition_that_one_process_refuses(able, word, action):
    able.relays[1].on(word, before=action)
    error = fails((exceptions.MultipleCommandResults, exceptions.CommandFailed,
                   exceptions.HAProxySocketError), able.hap.add_ca_file, '/new.pem',
                  able.new_authority.crt)
    assert set(states(error.result)) <= set(['aborted', 'unchanged'])
    assert error.not_undone == []
    assert able.hap.ca_files() == [able.ca, '@system-ca']
    assert [able.raw(number, 'show ssl ca-file').count('*') for number in (1, 2, 3)] == [0] * 3


def test_an_empty_file_of_another_client(able):
    for kind, things in (('ca-file', able.hap.ca_files), ('crl-file', able.hap.crl_files)):
        for number in (1, 2, 3):
            able.change(number, kind, '/empty', '', 'new')
        thing, = [thing for thing in things() if thing == '/empty']
        assert thing.status == 'Empty'
        found = thing.certificates() if kind == 'ca-file' else thing.lists()
        assert found == []
        pem = able.new_authority.crt if kind == 'ca-file' else able.lists
        able.relays[0].on('commit ssl', before=refuse)
        error = fails(exceptions.MultipleCommandResults, thing.update, pem)
        assert states(error.result) == ['aborted', 'committed', 'committed']
        assert thing.update(pem) == (True, False, [(path, 'committed') for path in able.addresses])
        assert thing.delete().changed is True
        gone = exceptions.NoSuchObject
        assert '/empty' in str(fails(gone, lambda: thing.status))


def test_a_level_that_is_too_low(trust):
    if trust.version == '2.2':
        pytest.skip('this version has no CA files')
    for level, methods in [('user', ['ca_files', 'crl_files']), ('operator', [])]:
        hap = HAProxy(socket_file=trust.level(level, 1), retry=None, timeout=conftest.PATIENT)
        for method in methods:
            error = fails(exceptions.CommandFailed, getattr(hap, method))
            assert str(error).endswith(' is user)')
    assert hap.ca_files() == [trust.ca, '@system-ca']
    if trust.version not in ('2.6', '3.0'):
        error = fails(exceptions.CommandFailed, hap.ca_file(trust.ca).update,
                      trust.new_authority.crt)
        assert 'Permission denied' in str(error)
        assert trust.admits('new') == [False] * COUNT
