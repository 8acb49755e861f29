# -*- coding: utf-8 -*-
# SPDX-License-Identifier: Apache-2.0
"""Certificates are renewed, added and deleted on real HAProxies, while others interfere."""
import base64
import os
import pickle
import signal
import subprocess
import sys
import traceback

import pytest

from haproxyadmin import exceptions
from haproxyadmin.certificates import Done
from haproxyadmin.haproxy import HAProxy
from haproxyadmin.internal import tls_files
from haproxyadmin.protocol import addresses, words
from tests import conftest
from tests.support import certificates, tls
from tests.support.keys import openssl
from tests.support.package import PACKAGE_ROOT

pytestmark = pytest.mark.dealt_out

COUNT = 4
OLD = ['1000'] * COUNT


@pytest.fixture(scope='module', params=conftest.versions())
def started(request):
    with tls.Site(conftest.find(request.param), COUNT, interfering=True) as site:
        # Keys take long to make.
        site.rsa = site.authority.issue('site.test', kind='rsa')
        site.ec = site.authority.issue('site.test')
        yield site


@pytest.fixture
def site(started):
    """Four processes without a transaction, which serve the certificates of the beginning."""
    started.tidy()
    # The clock of a process that was stopped is late: it would be taken for another one.
    started.hap.info()
    for relay in started.relays:
        relay.forget()
    yield started
    started.tidy()


def states(result):
    """Return what has become of a change, in each process."""
    return [state for _, state in result.by_socket]


def changing(site):
    """Return the commands that have changed something, of each process."""
    return [[command.split(b'\n')[0] for command in relay.commands
             if not command.startswith(b'show')] for relay in site.relays]


def check_unchanged(site):
    """Check that all processes serve what they did, and that no transaction is open."""
    assert site.serials(site.site) == site.shown(site.site) == OLD
    assert site.transactions() == [None] * COUNT


def fails(site, pem, kind=exceptions.CommandFailed, **options):
    """Update ``site.pem``; return the exception."""
    with pytest.raises(kind) as caught:
        site.hap.update_certificate(site.site, pem, **options)
    assert not certificates.leaked(traceback.format_exc())
    return caught.value


# What is sent

def test_clients_see_the_new_one_at_once(site):
    for issued in [site.rsa, site.ec, site.rsa]:
        certificate = site.hap.certificate(site.site)
        updated = certificate.update(issued.pem)
        assert site.serials(site.site) == [issued.serial] * COUNT
        assert updated[:2] == (True, True)
        assert updated.by_socket == [(path, 'committed') for path in site.addresses]
        assert certificate.serial == issued.serial
    assert certificate.algorithm == 'RSA2048'
    assert certificate.names == ['site.test']
    assert [link.subject for link in certificate.chain] == ['/CN=Test CA']
    assert site.hap.update_certificate(site.site, site.rsa.pem).changed is False
    # On all bind lines.
    assert tls.handshake(site.path('several', 2), 'site.test').serial == site.rsa.serial
    assert tls.handshake(site.path('several', 2), 'default.test').serial == '1001'
    assert tls.served(site.path('alone', 3), 'site.test') == ['CN = site.test', 'CN = Test CA']


@pytest.mark.parametrize('name', ['default', 'listed', 'wild', 'one'])
def test_certificates_of_lists_directories_and_defaults(name, site):
    new = site.authority.issue('new.test', ['a.wild.test', name + '.test', '*.wild.test'])
    path = getattr(site, name)
    assert site.hap.update_certificate(path, new.pem).in_use is True
    assert site.serials(path) == [new.serial] * COUNT
    assert site.serials(site.site) == OLD


def test_an_expired_one_is_accepted(site):
    old = site.authority.issue('site.test', start='20200101000000Z', end='20200201000000Z')
    site.hap.update_certificate(site.site, old.pem)
    certificate = site.hap.certificate(site.site)
    assert certificate.expires_in < -4 * 365 * 86400
    assert certificate.not_after.isoformat() == '2020-02-01T00:00:00+00:00'
    assert certificate.not_before < certificate.not_after
    assert site.serials(site.site) == [old.serial] * COUNT


def test_a_wildcard_and_a_hundred_names(site):
    names = ['*.site.test', 'site.test'] + ['n{0}.site.test'.format(n) for n in range(98)]
    many = site.authority.issue('site.test', names)
    site.hap.update_certificate(site.site, many.pem)
    assert site.hap.certificate(site.site).names == names
    assert site.serials(site.site) == [many.serial] * COUNT


TEXTS = {
    'CRLF': lambda new: new.pem.replace('\n', '\r\n'),
    'empty lines': lambda new: '\n\n' + new.pem.replace('\n', '\n\n') + '\n\n',
    'blank lines': lambda new: new.pem.replace('\n', ' \n \t\n'),
    'text between': lambda new: 'Bag Attributes\n    friendlyName: x\nshow info\n' + new.pem.replace(
        '-----END CERTIFICATE-----\n', '-----END CERTIFICATE-----\nsubject=/CN=x\n\n# a comment\n'),
    'key first': lambda new: new.key + new.crt + new.chain,
    'key in between': lambda new: new.crt + new.key + new.chain,
    'no newline at the end': lambda new: new.pem.rstrip('\n'),
    'bytes': lambda new: new.pem.encode('ascii'),
    'the key twice': lambda new: new.pem + new.key,
    'a byte order mark': lambda new: b'\xef\xbb\xbf' + new.pem.encode('ascii'),
    'lines of 76 characters': lambda new: rewrapped(new.pem),
    'parameters of OpenSSL': lambda new: '-----BEGIN DSA PARAMETERS-----\nno base64: at all\n'
                                         '-----END DSA PARAMETERS-----\n' + new.pem,
    'no UTF-8': lambda new: b'# \xff\xfe\n' + new.pem.encode('ascii'),
    'parameters': lambda new: new.pem + openssl('ecparam', '-name', 'prime256v1').decode('ascii'),
}


def rewrapped(pem):
    """Return PEM with longer lines."""
    found = []
    for label, body in [block.split('-----\n', 1) for block in pem.split('-----BEGIN ')[1:]]:
        body = body.split('-----')[0].replace('\n', '')
        found += ['-----BEGIN ' + label + '-----'] + [
            body[place:place + 76] for place in range(0, len(body), 76)] + [
                '-----END ' + label + '-----', '']
    return '\n'.join(found)


@pytest.mark.parametrize('name', sorted(TEXTS))
def test_texts_that_are_as_good(name, site):
    site.hap.update_certificate(site.site, TEXTS[name](site.ec))
    assert site.serials(site.site) == [site.ec.serial] * COUNT
    assert tls.served(site.path('alone', 1), 'site.test') == ['CN = site.test', 'CN = Test CA']


def encrypted(key, *how):
    return openssl_on(key, *(how + ('-passout', 'pass:word')))


def openssl_on(text, *words):
    process = subprocess.Popen(('openssl',) + words, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE)
    output = process.communicate(text.encode('ascii'))[0]
    assert process.returncode == 0
    return output


REFUSED = {
    'several keys': (lambda site: site.ec.pem + site.rsa.key, '2 private keys'),
    'no key': (lambda site: site.ec.crt + site.ec.chain, 'no private key'),
    'no certificate': (lambda site: site.ec.key, 'no certificate'),
    'an encrypted key': (lambda site: site.ec.crt + encrypted(
        site.ec.key, 'pkcs8', '-topk8').decode('ascii'), 'is encrypted'),
    'an encrypted key of the old kind': (lambda site: site.rsa.crt + encrypted(
        site.rsa.key, 'rsa', '-aes128', '-traditional').decode('ascii'), 'is encrypted'),
    'DER': (lambda site: openssl_on(site.ec.crt, 'x509', '-outform', 'der'), 'this is DER'),
    'a key in DER': (lambda site: openssl_on(site.ec.key, 'ec', '-outform', 'der'), 'this is DER'),
    'a file name': (lambda site: site.site, 'not PEM'),
    'nothing': (lambda site: '', 'not PEM'),
    'None': (lambda site: None, 'expected the text'),
    'cut in a certificate': (lambda site: site.ec.key + site.ec.crt[:300], 'has no end'),
    'cut in the key': (lambda site: site.ec.crt + site.ec.key[:-60], 'has no end'),
    'lines are missing': (lambda site: site.ec.key + '\n'.join(
        site.ec.crt.split('\n')[:4] + site.ec.crt.split('\n')[6:]), 'is cut short'),
    'no base64': (lambda site: site.ec.pem.replace('M', '!', 3), 'is not base64'),
    'UTF-16': (lambda site: site.ec.pem.encode('utf-16'), 'not PEM'),
    'half of a character': (lambda site: u'\ud800' + site.ec.pem, ''),
    'too much': (lambda site: site.ec.pem + site.ec.chain * 30, 'at most 16000 bytes'),
    'a key for the name': (lambda site: site.ec.key, 'no certificate'),
}


@pytest.mark.parametrize('name', sorted(REFUSED))
def test_texts_that_are_refused_before_anything_is_sent(name, site):
    make, message = REFUSED[name]
    if name == 'half of a character' and str is bytes:
        pytest.skip('Python 2 encodes it')
    error = fails(site, make(site), ValueError)
    assert message in str(error)
    assert not certificates.leaked(repr(error) + repr(vars(error)))
    assert changing(site) == [[]] * COUNT
    # The size depends on the version, which is asked for; nothing else is.
    with pytest.raises(ValueError):
        certificate = site.hap.certificate(site.site)
        for relay in site.relays:
            relay.forget()
        certificate.update(make(site))
    assert [relay.commands for relay in site.relays] == [[]] * COUNT
    check_unchanged(site)


def test_a_payload_near_the_limit(site):
    own = site.ec.pem
    space = words.MAX_PAYLOAD - len('set ssl cert {0} <<\n'.format(site.site)) - len(own) - 2
    count = space // len(site.ec.chain)
    site.hap.update_certificate(site.site, own + site.ec.chain * count)
    assert site.serials(site.site) == [site.ec.serial] * COUNT
    assert len(site.hap.certificate(site.site).chain) == count + 1
    fails(site, own + site.ec.chain * (count + 1), ValueError)
    assert site.hap.certificate(site.site).serial == site.ec.serial


def test_a_wrong_key(site):
    error = fails(site, site.ec.crt + site.ec.chain + site.rsa.key)
    assert 'inconsistencies between private key and certificate' in str(error)
    assert states(error.result) == ['aborted'] * COUNT
    assert list(error.undone) == site.addresses
    assert list(error.not_undone) == list(error.replaced) == []
    check_unchanged(site)
    # 2.2 takes the error for one of the next certificate, once.
    for _ in range(10):
        fails(site, site.ec.crt + site.ec.chain + site.rsa.key)
    site.hap.update_certificate(site.site, site.ec.pem)
    assert site.serials(site.site) == [site.ec.serial] * COUNT


def test_the_chain_first(site):
    error = fails(site, site.ec.chain + site.ec.crt + site.ec.key)
    assert 'inconsistencies' in str(error) and states(error.result) == ['aborted'] * COUNT
    check_unchanged(site)


def test_what_openssl_cannot_read(site):
    """It is DER, but no certificate."""
    block = base64.b64encode(b'\x30\x03\x02\x01\x05').decode('ascii')
    nothing = '-----BEGIN CERTIFICATE-----\n{0}\n-----END CERTIFICATE-----\n'.format(block)
    for pem in [nothing + site.ec.key, site.ec.crt + nothing + site.ec.key]:
        error = fails(site, pem)
        assert not set(states(error.result)) - set(['unchanged', 'aborted'])
        check_unchanged(site)


def test_die(site):
    assert site.hap.update_certificate(site.site, site.ec.crt + site.rsa.key, die=False) is False
    assert site.hap.update_certificate('none', site.ec.pem, die=False) is False
    check_unchanged(site)


def test_a_name_that_is_not_there(site):
    with pytest.raises(ValueError) as caught:
        site.hap.update_certificate(site.site[:-1], site.ec.pem)
    assert site.site in str(caught.value)
    assert changing(site) == [[]] * COUNT


def test_a_name_and_a_text_that_are_exchanged(site):
    for call in [site.hap.update_certificate, site.hap.add_certificate]:
        for key in [site.ec.pem, site.ec.key.encode('ascii'), site.rsa.key]:
            with pytest.raises(ValueError) as caught:
                call(key, site.site)
            assert not certificates.leaked(repr(caught.value) + traceback.format_exc())
    with pytest.raises(ValueError) as caught:
        site.hap.certificate(site.rsa.key)
    assert not certificates.leaked(repr(caught.value) + traceback.format_exc())


# In all processes or in none

def test_no_handshake_fails(site):
    """Under a load of 100 handshakes a second, and every new one shows the new serial number."""
    issued = [site.authority.issue('site.test') for _ in range(8)]
    ports = [site.lab.ports['alone']] + [site.path('alone', n) for n in range(1, COUNT + 1)]
    expected = [(0, set(['1000']))]
    with tls.Handshakes(ports, 'site.test') as clients:
        clients.wait_for(30)
        for new in issued:
            start = clients.mark()
            assert site.hap.update_certificate(site.site, new.pem).in_use
            done = clients.mark()
            # Those that began before that have seen either, or the one before.
            expected.append((start - 30, expected[-1][1] | set([new.serial])))
            expected.append((done, set([new.serial])))
            clients.wait_for(30)
        seen = clients.stop()
    assert [error for _, error in seen if error] == []
    assert len(seen) > 8 * 30
    for number, (serial, _) in enumerate(seen):
        allowed = [serials for start, serials in expected if start <= number][-1]
        assert serial in allowed, (number, expected)
    assert set(serial for serial, _ in seen) == set(['1000'] + [new.serial for new in issued])


def aborting(site, number):
    """Return what aborts the transaction in a process, so that it refuses the commit."""
    return lambda command, client: site.raw(number, 'abort ssl cert S') and None


def test_a_process_refuses_the_commit(site):
    site.relays[1].on('commit ssl cert', before=aborting(site, 2))
    error = fails(site, site.ec.pem, exceptions.HAProxyBaseError)
    assert states(error.result) == ['committed', 'aborted', 'committed', 'committed']
    assert list(error.undone) == [site.addresses[1]]
    assert list(error.not_undone) == site.addresses[:1] + site.addresses[2:]
    assert 'No ongoing transaction' in str(error)
    new = site.ec.serial
    assert site.serials(site.site) == [new, '1000', new, new]
    assert site.transactions() == [None] * COUNT


def test_previous_is_put_back(site):
    site.relays[1].on('commit ssl cert', before=aborting(site, 2))
    error = fails(site, site.ec.pem, exceptions.HAProxyBaseError,
                  previous=site.old[site.site].pem)
    assert states(error.result) == ['restored', 'aborted', 'restored', 'restored']
    assert list(error.undone) == site.addresses
    assert list(error.not_undone) == []
    check_unchanged(site)


def test_previous_that_it_was_not(site):
    error = fails(site, site.ec.pem, previous=site.rsa.pem)
    assert 'previous is not what' in str(error)
    assert states(error.result) == ['unchanged'] * COUNT
    assert changing(site) == [[]] * COUNT
    check_unchanged(site)


@pytest.mark.parametrize('level', ['user', 'operator'])
def test_a_level_that_is_too_low(level, site):
    paths = site.addresses[:2] + [site.level(level, 3), site.addresses[3]]
    hap = HAProxy(addresses=paths, retry=None, timeout=tls.PATIENT)
    with pytest.raises(exceptions.HAProxyBaseError) as caught:
        hap.update_certificate(site.site, site.ec.pem)
    assert 'the level of {0} is {1}'.format(paths[2], level) in str(caught.value)
    if level == 'operator':
        told = dict.fromkeys(paths, 'aborted')
        told[paths[2]] = 'unchanged'
        assert dict(caught.value.result.by_socket) == told
        assert hap.certificate(site.site).serial == '1000'
        with pytest.raises(exceptions.HAProxyBaseError) as caught:
            hap.add_certificate('new.test', site.ec.pem)
        assert 'is operator' in str(caught.value)
        assert dict(caught.value.result.by_socket) == told
    assert 'new.test' not in [found.name for found in site.hap.certificates()]
    check_unchanged(site)


# Where an exchange is lost: what is asked for, whether it arrives, and what becomes of the change
# in that process and in the others.
LOST = [
    ('set ssl cert', False, 'unchanged', 'aborted'),
    ('set ssl cert', True, 'aborted', 'aborted'),
    ('show ssl cert *', False, 'aborted', 'aborted'),
    ('show ssl cert *', True, 'aborted', 'aborted'),
    # It may have been cut short: what HAProxy has then is not touched.
    ('commit ssl cert', False, 'unknown', 'committed'),
    ('commit ssl cert', True, 'committed', 'committed'),
]


@pytest.mark.parametrize('has_previous', [False, True])
@pytest.mark.parametrize('word, arrives, there, elsewhere', LOST)
def test_a_lost_exchange(word, arrives, there, elsewhere, has_previous, site):
    def lose(command, client):
        return False
    site.relays[1].on(word, **{'after' if arrives else 'before': lose})
    options = {'previous': site.old[site.site].pem} if has_previous else {}
    error = fails(site, site.ec.pem, exceptions.HAProxySocketError, **options)
    assert error.socket_file == site.addresses[1]
    final = [elsewhere, there, elsewhere, elsewhere]
    if has_previous:
        final = ['restored' if state == 'committed' else state for state in final]
    assert states(error.result) == final
    assert site.serials(site.site) == [
        site.ec.serial if state == 'committed' else '1000' for state in final]
    left = [None, site.site if there == 'unknown' else None, None, None]
    assert site.transactions() == left
    certificate = site.hap.certificate(site.site)
    assert certificate.transaction is any(left)
    assert certificate.abort() == Done(any(left))


def stopped(site, number):
    """Return what stops a process."""
    def stop(command, client):
        site.signal(number, signal.SIGSTOP)
    return stop


@pytest.mark.parametrize('word, there, elsewhere', [
    ('set ssl cert', 'unknown', 'aborted'), ('commit ssl cert', 'unknown', 'committed')])
def test_a_process_that_is_stopped(word, there, elsewhere, site, monkeypatch):
    """It goes on later, with what it was sent."""
    monkeypatch.setattr(tls_files, 'COMMIT_SECONDS', 2)
    site.relays[2].on(word, before=stopped(site, 3))
    hap = site.other(timeout=2)
    try:
        with pytest.raises(exceptions.HAProxySocketError) as caught:
            hap.update_certificate(site.site, site.ec.pem)
    finally:
        site.signal(3, signal.SIGCONT)
    assert states(caught.value.result) == [elsewhere, elsewhere, there, elsewhere]
    assert site.addresses[2] in caught.value.not_undone
    tls.lab.wait_until(lambda: site.shown(site.site, [3]) == [site.ec.serial]
                       if word.startswith('commit') else site.transactions()[2], 'it goes on')
    assert site.transactions()[:2] + site.transactions()[3:] == [None] * 3
    # What is left behind is told, and does not keep the next one from being made.
    certificate = site.hap.certificate(site.site)
    assert certificate.transaction is word.startswith('set')
    assert certificate.abort() == Done(word.startswith('set'))
    site.hap.update_certificate(site.site, site.ec.pem)
    assert site.serials(site.site) == [site.ec.serial] * COUNT


@pytest.mark.parametrize('version', conftest.versions())
@pytest.mark.parametrize('word, place, elsewhere', [
    ('show ssl cert', 'before', 'unchanged'), ('set ssl cert', 'before', 'aborted'),
    ('show ssl cert *', 'after', 'aborted'), ('commit ssl cert', 'before', 'committed'),
    ('commit ssl cert', 'after', 'committed')])
def test_a_process_is_killed(word, place, elsewhere, version):
    with tls.Site(conftest.find(version), 2, interfering=True) as site:
        new = site.authority.issue('site.test')
        certificate = site.hap.certificate(site.site)

        def kill(command, client):
            site.kill(2)
            return False
        site.relays[1].on(word, **{place: kill})
        with pytest.raises(exceptions.HAProxySocketError) as caught:
            certificate.update(new.pem)
        assert states(caught.value.result) == [
            elsewhere, 'unchanged' if word == 'show ssl cert' else 'unknown']
        site.sockets = site.sockets[:1]
        assert site.transactions() == [None]
        assert site.serials(site.site) == [new.serial if elsewhere == 'committed' else '1000']


@pytest.mark.parametrize('version', conftest.versions())
def test_a_reload_in_the_middle(version):
    """What another process has is never reported as done."""
    with tls.Site(conftest.find(version), 2, interfering=True, master_worker=True) as site:
        new = site.authority.issue('site.test')

        def reload(command, client):
            site.lab.reload()
        for word, place in [('show ssl cert *', 'before'), ('show ssl cert *', 'after'),
                            ('commit ssl cert', 'before')]:
            site.relays[0].on(word, **{place: reload})
            with pytest.raises(exceptions.HAProxyBaseError) as caught:
                site.hap.update_certificate(site.site, new.pem)
            # Both are asked what they have.
            assert set(states(caught.value.result)) <= set(['aborted', 'unchanged'])
            assert list(caught.value.replaced) == site.addresses
            site.lab.look_again()
            assert site.transactions() == [None] * 2
            assert site.serials(site.site) == ['1000'] * 2


@pytest.mark.parametrize('version', conftest.versions())
def test_through_a_master(version):
    with tls.Site(conftest.find(version), 1, master_worker=True) as site:
        new = site.authority.issue('site.test')
        hap = HAProxy(master=site.lab.master_files[0], retry=None, timeout=tls.PATIENT)
        assert hap.certificate(site.site).serial == '1000'
        assert states(hap.update_certificate(site.site, new.pem)) == ['committed']
        assert site.serials(site.site) == [new.serial]
        with pytest.raises(exceptions.CommandFailed) as caught:
            hap.update_certificate(site.site, new.crt + site.old[site.site].key)
        assert states(caught.value.result) == ['aborted']
        assert states(hap.add_certificate('new', new.pem)) == ['committed']
        assert hap.certificate('new').delete() == Done(True)
        assert 'created' in site.set(1, site.site, new.pem)
        assert hap.certificate(site.site).transaction is True
        with pytest.raises(exceptions.Conflict):
            hap.update_certificate(site.site, new.pem)
        assert hap.certificate(site.site).abort() == Done(True)
        assert site.transactions() == [None]


@pytest.mark.signals
@pytest.mark.parametrize('word, arrives, final', [
    ('set ssl cert', False, '1000'), ('set ssl cert', True, '1000'),
    ('show ssl cert *', True, '1000'), ('commit ssl cert', False, None),
    ('commit ssl cert', True, None)])
def test_an_interruption_leaves_no_transaction(word, arrives, final, site):
    """Each step ends before that."""
    def interrupt(command, client):
        # What others have been sent must have arrived.
        tls.lab.wait_until(lambda: all(
            any(word.encode('ascii') in answered for answered in relay.answered)
            for relay in site.relays[:1] + site.relays[2:]), 'the others answer')
        os.kill(os.getpid(), signal.SIGINT)
        return None
    for has_previous in [False, True]:
        for relay in site.relays:
            relay.forget()
        site.relays[1].on(word, **{'after' if arrives else 'before': interrupt})
        options = {'previous': site.old[site.site].pem} if has_previous else {}
        with pytest.raises(KeyboardInterrupt) as caught:
            site.hap.update_certificate(site.site, site.ec.pem, **options)
        assert site.transactions() == [None] * COUNT
        seen = site.serials(site.site)
        told = dict(aborted='1000', unchanged='1000', restored='1000', committed=site.ec.serial)
        assert [told[state] for state in states(caught.value.result)] == seen
        if final or has_previous:
            assert seen == OLD
        else:
            assert seen == [site.ec.serial] * COUNT
        site.tidy()


# Other clients

@pytest.mark.parametrize('other', ['site', 'listed'])
def test_a_transaction_of_another_client_is_not_touched(other, site):
    theirs = site.authority.issue(other + '.test')
    path = getattr(site, other)
    assert 'created' in site.set(2, path, theirs.pem)
    error = fails(site, site.ec.pem, exceptions.Conflict)
    assert (path in str(error) and 'abort()' in str(error)
            and error.socket_file == site.addresses[1] and not error.polluted)
    assert states(error.result) == ['unchanged'] * COUNT
    assert changing(site) == [[]] * COUNT
    assert site.transactions() == [None, path, None, None]
    certificate = site.hap.certificate(site.site)
    assert certificate.transaction is (other == 'site')
    with pytest.raises(exceptions.Conflict):
        site.hap.add_certificate('new', site.ec.pem)
    # Only a transaction for this certificate is ended, and only on request.
    assert certificate.abort() == Done(other == 'site')
    if other == 'site':
        assert certificate.abort() == Done(False)
        assert site.transactions() == [None] * COUNT
        site.hap.update_certificate(site.site, site.ec.pem)
        return
    assert 'Success!' in site.raw(2, 'commit ssl cert L')
    assert site.serials(site.listed) == [site.old[path].serial, theirs.serial] + [
        site.old[path].serial] * 2


def test_a_client_that_was_killed_leaves_its_transaction_behind(site):
    code = ('import os, signal, sys\n'
            'from haproxyadmin.haproxy import HAProxy\n'
            'from haproxyadmin.internal import tls_files\n'
            'tls_files.FileChange.commit = lambda change: os.kill(os.getpid(), signal.SIGKILL)\n'
            'hap = HAProxy(addresses=sys.argv[2:], retry=None, timeout=30)\n'
            'hap.update_certificate(sys.argv[1], sys.stdin.read())\n')
    process = subprocess.Popen([sys.executable, '-B', '-c', code, site.site] + site.sockets,
                               cwd=PACKAGE_ROOT, stdin=subprocess.PIPE)
    process.communicate(site.ec.pem.encode('ascii'))
    assert process.returncode == -signal.SIGKILL
    assert site.transactions() == [site.site] * COUNT
    certificate = site.hap.certificate(site.site)
    assert certificate.transaction is True
    assert site.hap.certificate(site.listed).transaction is False
    fails(site, site.rsa.pem, exceptions.Conflict)
    with pytest.raises(exceptions.Conflict):
        certificate.delete()
    assert site.transactions() == [site.site] * COUNT
    assert certificate.abort() == Done(True)
    assert certificate.transaction is False
    site.hap.update_certificate(site.site, site.rsa.pem)
    assert site.serials(site.site) == [site.rsa.serial] * COUNT


@pytest.mark.parametrize('other', ['site', 'listed'])
def test_our_text_in_their_transaction(other, site):
    """They begin between our look and our set. 2.4 to 2.8 accept our text all the same."""
    theirs = site.authority.issue(other + '.test')
    path = getattr(site, other)
    site.relays[1].on('set ssl cert', before=lambda command, client: site.set(
        2, path, theirs.pem) and None)
    error = fails(site, site.ec.pem, exceptions.Conflict)
    assert error.polluted is (other == 'site' or site.version == '2.6')
    assert error.socket_file == site.addresses[1]
    assert states(error.result) == [
        'aborted', 'unknown' if error.polluted else 'unchanged', 'aborted', 'aborted']
    # It is theirs.
    assert site.transactions() == [None, path, None, None]
    assert site.serials(site.site) == OLD
    if error.polluted:
        assert path in str(error) and 'must not be committed' in str(error)
    assert site.serials(site.listed) == [site.old[site.listed].serial] * COUNT


@pytest.mark.parametrize('other', ['site', 'listed'])
@pytest.mark.parametrize('word, place', [('set ssl cert', 'after'), ('show ssl cert *', 'before')])
def test_their_text_in_our_transaction(word, place, other, site):
    theirs = site.authority.issue(other + '.test')
    replies = []
    site.relays[1].on(word, **{place: lambda command, client: replies.append(site.set(
        2, getattr(site, other), theirs.pem))})
    if 'refused' not in replies and other == 'listed' and site.version != '2.6':
        # It is refused, and ours goes on.
        site.hap.update_certificate(site.site, site.ec.pem)
        assert 'ongoing transaction' in replies[0]
        return
    error = fails(site, site.ec.pem, exceptions.Conflict)
    assert 'updated' in replies[0]
    assert not error.polluted
    assert states(error.result) == ['aborted'] * COUNT
    check_unchanged(site)
    assert 'No ongoing' in site.raw(2, 'commit ssl cert S')


@pytest.mark.parametrize('has_previous', [False, True])
@pytest.mark.parametrize('other', ['site', 'listed'])
def test_their_text_in_our_transaction_after_our_look(other, has_previous, site):
    """Nobody gets a wrong certificate, and it is told what each process has."""
    if other == 'listed' and site.version != '2.6':
        pytest.skip('HAProxy refuses it')
    theirs = site.authority.issue(other + '.test')
    site.relays[1].on('commit ssl cert', before=lambda command, client: site.set(
        2, getattr(site, other), theirs.pem) and None)
    options = {'previous': site.old[site.site].pem} if has_previous else {}
    error = fails(site, site.ec.pem, exceptions.Conflict, **options)
    assert site.transactions() == [None] * COUNT
    if has_previous:
        assert states(error.result) == ['restored'] * COUNT
        check_unchanged(site)
        return
    # The new one is put right: it is the one that all others have.
    assert states(error.result) == ['committed'] * COUNT
    assert site.serials(site.site) == [site.ec.serial] * COUNT
    assert site.serials(site.listed) == [site.old[site.listed].serial] * COUNT


def test_they_abort_ours(site):
    site.relays[1].on('show ssl cert *', before=aborting(site, 2))
    error = fails(site, site.ec.pem, exceptions.HAProxyBaseError)
    assert states(error.result) == ['aborted'] * COUNT
    check_unchanged(site)


def test_they_commit_ours(site):
    site.relays[1].on('show ssl cert *', after=lambda command, client: site.raw(
        2, 'commit ssl cert S') and None)
    error = fails(site, site.ec.pem, exceptions.HAProxyBaseError)
    assert states(error.result) == ['committed'] * COUNT
    assert site.serials(site.site) == [site.ec.serial] * COUNT
    assert site.transactions() == [None] * COUNT


@pytest.mark.parametrize('version', conftest.versions())
def test_a_commit_that_was_cut_is_left_alone(version):
    """HAProxy keeps a freed certificate then; most that follows would crash it."""
    listed = ''.join('{directory}/site.pem s%d.test\n' % number for number in range(200))
    config = tls.CONFIG.replace('{directory}/sites.list', '{directory}/many.list')
    with tls.Site(conftest.find(version), 2, interfering=True, config=config,
                  more={'many.list': listed}) as site:
        new = site.authority.issue('site.test')

        def cut(command, client):
            connection = tls.socket.socket(tls.socket.AF_UNIX)
            connection.connect(site.sockets[1])
            connection.sendall(command)
            connection.close()
            return False
        for _ in range(3):
            site.relays[1].on('commit ssl cert', before=cut)
            with pytest.raises(exceptions.HAProxyBaseError) as caught:
                site.hap.update_certificate(site.site, new.pem)
            if isinstance(caught.value, exceptions.Conflict):
                # 3.0.11 may keep its certificates locked forever.
                break
            assert states(caught.value.result)[1] in ('unknown', 'committed')
            try:
                assert len(site.hap.certificate(site.site).details_per_socket()) == 2
            except exceptions.CommandFailed as error:
                assert 'only a reload helps' in str(error)
        # It lives, and still serves one or the other.
        assert site.serials(site.site, [2])[0] in ('1000', new.serial)
        assert site.serials(site.site, [1]) == [new.serial]


# Adding and deleting

NAMES = ['new.pem', '/tmp/a b.pem', 'a;b', 'back\\slash', u'\xfc\u20ac'.encode('utf-8'), 'two  blanks',
         '#', "it's", '"q"', 'a<<', '<<', 'a:b', '%[rand]', 'Status: Used', 'x' * 200, '--', '# filename']


@pytest.mark.parametrize('name', NAMES)
def test_names_of_all_kinds(name, site):
    name = words.to_native(name)
    added = site.hap.add_certificate(name, site.ec.pem)
    assert (added.changed, added.in_use, states(added)) == (True, False, ['committed'] * COUNT)
    try:
        certificate = site.hap.certificate(name)
        assert certificate.serial == site.ec.serial and certificate.status == 'Unused'
        updated = site.hap.update_certificate(name, site.rsa.pem)
        assert (updated.changed, updated.in_use) == (True, False)
        assert certificate.serial == site.rsa.serial
        with pytest.raises(exceptions.CommandFailed):
            site.hap.add_certificate(name, site.ec.pem)
        assert certificate.serial == site.rsa.serial
        assert certificate.transaction is False
    finally:
        assert site.hap.certificate(name).delete() == Done(True)
    assert certificate.delete() == Done(False)
    assert name not in [found.name for found in site.hap.certificates()]
    check_unchanged(site)


@pytest.mark.parametrize('name', [
    '', '*', '*x', '\\', '\\x', '\\*x', 'a.key', 'a.ocsp', 'a.sctl', 'a.issuer', 'a\nb', 'a\0b', 'a\r', None, 7])
def test_names_that_are_refused(name, site):
    with pytest.raises(ValueError):
        site.hap.add_certificate(name, site.ec.pem)
    assert changing(site) == [[]] * COUNT


def test_add_in_all_or_in_none(site):
    # One has it already.
    site.raw(3, 'new ssl cert new')
    with pytest.raises(exceptions.CommandFailed) as caught:
        site.hap.add_certificate('new', site.ec.pem)
    assert states(caught.value.result) == ['unchanged'] * COUNT
    assert changing(site) == [[]] * COUNT
    site.raw(3, 'del ssl cert new')
    # HAProxy refuses it.
    with pytest.raises(exceptions.CommandFailed) as caught:
        site.hap.add_certificate('new', site.ec.crt + site.rsa.key)
    assert states(caught.value.result) == ['aborted'] * COUNT
    # Somebody else adds one meanwhile.
    site.relays[2].on('new ssl cert', before=lambda command, client: site.raw(
        3, 'new ssl cert new') and None)
    with pytest.raises(exceptions.HAProxyBaseError) as caught:
        site.hap.add_certificate('new', site.ec.pem)
    assert states(caught.value.result) == ['aborted', 'aborted', 'unchanged', 'aborted']
    assert [found.process_nb for found in site.hap.certificates() if found.name == 'new']
    assert ['new' in site.raw(number, 'show ssl cert').split('\n')
            for number in range(1, 5)] == [False, False, True, False]
    site.raw(3, 'del ssl cert new')
    check_unchanged(site)


@pytest.mark.parametrize('word', [
    'new ssl cert', 'set ssl cert', 'show ssl cert *', 'commit ssl cert'])
@pytest.mark.parametrize('arrives', [False, True])
def test_an_addition_that_is_lost_is_undone(word, arrives, site):
    site.relays[1].on(word, **{'after' if arrives else 'before': lambda *_: False})
    with pytest.raises(exceptions.HAProxySocketError) as caught:
        site.hap.add_certificate('new', site.ec.pem)
    if (word, arrives) == ('commit ssl cert', False):
        # It may have been cut short: what HAProxy has then is not touched.
        assert states(caught.value.result) == ['aborted', 'unknown', 'aborted', 'aborted']
        assert site.hap.certificate('new').abort() == Done(True)
        assert site.hap.certificate('new').delete() == Done(True)
        return
    assert set(states(caught.value.result)) <= set(['aborted', 'unchanged'])
    assert 'new' not in [found.name for found in site.hap.certificates()]
    check_unchanged(site)


def test_delete_what_is_used(site):
    certificate = site.hap.certificate(site.site)
    with pytest.raises(exceptions.CommandFailed) as caught:
        certificate.delete()
    assert 'in use' in str(caught.value)
    assert changing(site) == [[]] * COUNT
    # One process uses it.
    site.hap.add_certificate('new', site.ec.pem)
    assert 'Success!' in site.raw(4, 'add ssl crt-list {0} new'.format(site.list))
    with pytest.raises(exceptions.CommandFailed) as caught:
        site.hap.certificate('new').delete()
    assert caught.value.socket_file == site.addresses[3]
    assert len([1 for number in range(1, 5)
                if 'new' in site.raw(number, 'show ssl cert').split('\n')]) == COUNT
    site.raw(4, 'del ssl crt-list {0} new'.format(site.list))
    # One begins to use it after the look.
    site.relays[3].on('del ssl cert', before=lambda command, client: site.raw(
        4, 'add ssl crt-list {0} new'.format(site.list)) and None)
    with pytest.raises(exceptions.HAProxyBaseError) as caught:
        site.hap.certificate('new').delete()
    assert list(caught.value.not_undone) == site.addresses[:3]
    site.raw(4, 'del ssl crt-list {0} new'.format(site.list))
    assert site.hap.certificate('new').delete() == Done(True)


def test_delete_what_is_being_changed(site):
    site.hap.add_certificate('new', site.ec.pem)
    site.set(2, 'new', site.rsa.pem)
    with pytest.raises(exceptions.Conflict):
        site.hap.certificate('new').delete()
    assert site.hap.certificate('new').abort() == Done(True)
    assert site.hap.certificate('new').delete() == Done(True)


# Secrets

def test_a_key_goes_to_no_other_host_in_plain(site, monkeypatch):
    monkeypatch.setattr(addresses.Address, 'is_exposed', lambda address: (
        site.addresses[2] in str(address)))
    for change in [lambda hap: hap.update_certificate(site.site, site.ec.pem),
                   lambda hap: hap.certificate(site.site).update(site.ec.pem),
                   lambda hap: hap.add_certificate('new', site.ec.pem)]:
        with pytest.raises(ValueError) as caught:
            change(site.hap)
        assert 'allow_plain_secrets' in str(caught.value)
        assert changing(site) == [[]] * COUNT
    allowing = site.other(allow_plain_secrets=True)
    assert states(allowing.update_certificate(site.site, site.ec.pem)) == ['committed'] * COUNT


def everything(error):
    """Return all texts of an exception."""
    texts = [str(error), repr(error), repr(error.args), repr(vars(error)),
             ''.join(traceback.format_exception(type(error), error, getattr(
                 error, '__traceback__', None)))]
    if isinstance(error, exceptions.HAProxyBaseError):
        texts += [pickle.dumps(error, protocol).decode('latin-1') for protocol in (0, 2)]
    for inner in (getattr(error, '__context__', None), getattr(error, '__cause__', None)):
        texts += everything(inner) if inner is not None else []
    return texts


def test_no_key_is_told(site, monkeypatch, caplog):
    """Not in the log, and in no text of an exception or object."""
    caplog.set_level('DEBUG' if hasattr(sys, 'implementation') else 10, 'haproxyadmin')
    told, made = [], []
    begin = tls_files.FileChange.look

    def note(change):
        made.append(change)
        return begin(change)
    monkeypatch.setattr(tls_files.FileChange, 'look', note)

    def attempt(change):
        try:
            told.append(repr(change()))
        except (Exception, KeyboardInterrupt) as error:
            told.extend(everything(error))
            told.append(traceback.format_exc())
    for issued in [site.ec, site.rsa]:
        attempt(lambda: site.hap.update_certificate(site.site, issued.pem))
        attempt(lambda: site.hap.update_certificate(site.site, issued.pem, issued.pem))
        other = site.rsa if issued is site.ec else site.ec
        for pem in [issued.crt + other.key, issued.key, issued.pem + other.key,
                    issued.pem + issued.chain * 40, issued.pem.replace('A', '!'),
                    issued.pem.encode('utf-16'), issued.key[:-40], [issued.pem],
                    u'\ud800' + issued.pem]:
            attempt(lambda: site.hap.update_certificate(site.site, pem))
            attempt(lambda: site.hap.update_certificate(pem, site.site))
            attempt(lambda: site.hap.add_certificate(pem, issued.pem))
            attempt(lambda: site.hap.add_certificate('new', pem, pem, pem))
            attempt(lambda: site.hap.add_certificate('new', pem))
            attempt(lambda: site.hap.update_certificate(site.site, issued.pem, pem))
        for word in ['set ssl cert', 'show ssl cert *', 'commit ssl cert']:
            for place in ['before', 'after']:
                site.relays[1].on(word, **{place: lambda *_: False})
                attempt(lambda: site.hap.update_certificate(site.site, issued.pem, other.pem))
                site.tidy()
        attempt(lambda: HAProxy(addresses=[site.level('operator', 1)], retry=None).update_certificate(
            site.site, issued.pem))
    assert len(told) > 100 and len(made) > 50
    told += [record.getMessage() + repr(record.args) for record in caplog.records]
    assert any('set ssl cert' in text for text in told)
    for change in made:
        told += [repr(change), repr(vars(change)), repr(change.content),
                 str(change.content), '{0}'.format(change.content)]
        attempt(change.commit)
        attempt(change.set)
    assert [text[:100] for text in told if certificates.leaked(text)] == []
