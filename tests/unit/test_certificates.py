# SPDX-License-Identifier: Apache-2.0
"""certificates.py and internal/tls_files.py: certificates, with fakes of many versions."""
import base64
import logging
import re

import pytest

from haproxyadmin import certificates, exceptions
from haproxyadmin.internal import tls_files
from haproxyadmin.protocol import words
from haproxyadmin.testing import faults
from haproxyadmin.testing.families.certificates import Stored
from tests import conftest
from tests.support import certificates as made, ders as ders_of, fakes, ocsp
from tests.support.hooks import Hooks

VERSIONS = ['2.2', '2.4', '2.6', '2.8', '3.0', '3.2', '3.4']
NAME, OTHER = '/etc/www.pem', '/etc/api.pem'


def block(label, *ders):
    return ders_of.pem(label, *ders)


def pem(serial, chain=0, key=None):
    """Return a certificate with a key, which fits if it has the same number."""
    own = ders_of.certificate(serial, names=['www.example.com', '*.example.com'])
    return block('CERTIFICATE', own, *[AUTHORITY] * chain) + block(
        'PRIVATE KEY', ders_of.private_key(key or serial))


AUTHORITY = ders_of.certificate(99, '/CN=Example CA', '/CN=Root')
CONFIG = 'frontend f\n    bind :443 ssl crt {0} crt {1}\n'.format(NAME, OTHER)
FILES = {NAME: pem(1), OTHER: pem(2)}


def stored(text=''):
    """Return what a process has of a certificate; nothing if the text is empty."""
    made = Stored()
    if text:
        made.load(text)
    return made


class Fake(Hooks):
    """The certificates of a process of the fake."""

    @property
    def own(self):
        return self.process.certificates

    @property
    def stored(self):
        return self.own.stored

    @property
    def serials(self):
        return dict((name, serial_of(one)) for name, one in self.stored.items())

    @property
    def transaction(self):
        return self.own.transaction

    @transaction.setter
    def transaction(self, transaction):
        self.own.transaction = list(transaction)


def serial_of(one):
    return int(one.certificate.serial, 16) if one.certificate else None


class Running(object):
    """Fakes with certificates, and the library's view of them."""

    def __init__(self, fleet, version, count=3):
        self.fleet = fleet(version, count, config=CONFIG, files=FILES)
        self.fakes = [Fake(process) for process in self.fleet.processes]
        self.hap = self.fleet.haproxy()
        # Knows the version.
        self.hap.info()
        self.certificate = self.hap.certificate(NAME)
        self.fleet.forget()

    def update(self, text, **options):
        return self.certificate.update(text, **options)

    def fails(self, text, kind=exceptions.HAProxyBaseError, **options):
        with pytest.raises(kind) as caught:
            self.update(text, **options)
        assert 'PRIVATE' not in str(caught.value)
        return caught.value

    @property
    def serials(self):
        return [fake.serials[NAME] for fake in self.fakes]

    @property
    def transactions(self):
        return [fake.transaction and fake.transaction[0] for fake in self.fakes]

    @property
    def sent(self):
        return [[command.split('\n')[0] for command in commands if command != 'show info']
                for commands in self.fleet.commands]


@pytest.fixture(params=VERSIONS)
def on(request, fleet):
    return Running(fleet, request.param)


def states(result):
    return [state for _, state in result.by_socket]


def test_what_is_sent(on):
    """[certificates] Look, set, look, commit and look: five commands in four exchanges."""
    updated = on.update(pem(7, chain=2))
    assert updated == (True, True, [(path, 'committed') for path in on.fleet.paths])
    assert on.sent == [[
        'show ssl cert;show ssl cert ' + NAME, 'set ssl cert {0} <<'.format(NAME),
        'show ssl cert *' + NAME, 'commit ssl cert {0};show ssl cert {0}'.format(NAME)]] * 3
    assert (on.serials, on.transactions) == ([7] * 3, [None] * 3)
    assert on.update(pem(7, chain=2)).changed is False
    on.fleet.forget()
    on.hap.update_certificate(NAME, pem(8))
    assert [commands[0] for commands in on.sent] == ['show ssl cert'] * 3


def test_reading(on):
    """[certificates] Each property sends one command to each process."""
    certificate = on.certificate
    for name, value in [
            ('status', 'Used'), ('serial', '01'), ('subject', '/CN=www.example.com'),
            ('issuer', '/CN=Example CA'), ('names', ['www.example.com', '*.example.com']),
            ('chain', []), ('algorithm', 'RSA2048')]:
        on.fleet.forget()
        assert getattr(certificate, name) == value
        assert on.sent == [['show ssl cert ' + NAME]] * 3
    assert certificate.not_after.isoformat() == '2027-11-24T19:08:31+00:00'
    assert certificate.not_before.year == 2026
    assert isinstance(certificate.expires_in, int)
    assert certificate.fingerprints == {'sha1': on.fakes[0].stored[NAME].certificate.fingerprint}
    assert certificate.transaction is False
    assert [found.name for found in on.hap.certificates()] == [OTHER, NAME]
    on.fakes[1].stored[NAME] = stored(pem(9))
    with pytest.raises(exceptions.IncosistentData) as caught:
        certificate.serial
    assert dict(caught.value.by_socket)[on.fleet.paths[1]] == '09'
    assert [details.serial for _, details in certificate.details_per_socket()] == [
        '01', '09', '01']
    del on.fakes[1].stored[NAME]
    with pytest.raises(KeyError):
        certificate.serial


def test_names_of_another_kind(on):
    command = 'show ssl cert ' + NAME
    for process in on.fleet:
        process.answers[command] = process.reply_to(command).replace(
            b'DNS:*.example.com', b'DNS:*.example.com, IP Address:::1')
    assert on.certificate.names == ['www.example.com', '*.example.com', 'IP Address:::1']


LOCKED = "Can't {0}!\nOperations on certificates are currently locked!\n\n"


def test_while_another_client_commits(on, monkeypatch):
    """[certificates] HAProxy does nothing at that moment, and shows nothing; it is asked again."""
    for word in ['show', 'set', 'commit']:
        on.fakes[1].refuse[word + ' ssl cert ' + NAME] = LOCKED.format(word)
        assert on.update(pem(7)).by_socket == [(path, 'committed') for path in on.fleet.paths]
    on.fakes[1].refuse['show ssl cert ' + NAME] = LOCKED.format('show')
    assert on.certificate.serial == '07'
    # Another client begins right after the commit, which is not sent again.
    on.fakes[1].before['commit ssl cert'] = lambda: on.fakes[1].refuse.update(
        {'show ssl cert ' + NAME: LOCKED.format('show')})
    on.fleet.forget()
    assert on.update(pem(8)).changed
    assert [command.split(' ')[0] for command in on.sent[1]] == [
        'show', 'set', 'show', 'commit', 'show']
    monkeypatch.setattr(tls_files, 'LOCK_SECONDS', -1)
    on.fakes[1].refuse['show ssl cert ' + NAME] = LOCKED.format('show')
    with pytest.raises(exceptions.Conflict, match='only a reload helps'):
        on.certificate.details()
    on.fakes[1].refuse['commit ssl cert'] = LOCKED.format('commit')
    error = on.fails(pem(9), exceptions.Conflict)
    assert states(error.result) == ['committed', 'aborted', 'committed']
    assert error.result.changed is True


def test_what_ends_a_transaction_is_repeated(on):
    """[certificates] Otherwise nobody could change a certificate any more."""
    for fake in on.fakes[:2]:
        fake.before['commit ssl cert'] = lambda fake=fake: fake.refuse.update(
            {'show ssl cert': LOCKED.format('show'), 'abort ssl cert': LOCKED.format('abort')})
    error = on.fails(pem(7, key=8), exceptions.CommandFailed)
    assert states(error.result) == ['aborted'] * 3
    assert on.transactions == [None] * 3


def test_with_an_ocsp_response(on, monkeypatch):
    """[OCSP] It follows the certificate into the transaction, once that is understood."""
    monkeypatch.setattr(certificates, 'check_ocsp', lambda bundle, response: None)
    der = base64.b64decode(ocsp.GOOD)
    if on.fakes[0].process.version.startswith('2.8'):
        on.fleet[0].info['Version'] = '2.8.4'
        with pytest.raises(exceptions.CommandFailed, match='may crash'):
            on.fleet.haproxy().certificate(NAME).update(pem(7, chain=1), ocsp=der)
        assert on.serials == [1] * 3
        for process in on.fleet.processes:
            process.info['Version'] = '2.8.5'
    hap = on.fleet.haproxy()
    hap.info()
    certificate = hap.certificate(NAME)
    on.fleet.forget()
    assert certificate.update(pem(7, chain=1), ocsp=der).changed
    assert on.sent[0][1:4] == [
        'set ssl cert {0} <<'.format(NAME), 'show ssl cert *' + NAME,
        'set ssl cert {0}.ocsp <<'.format(NAME)]
    assert [fake.stored[NAME].ocsp for fake in on.fakes] == [der] * 3
    on.fakes[1].refuse['set ssl cert {0}.ocsp'.format(NAME)] = "Can't load the payload\n\n"
    with pytest.raises(exceptions.MultipleCommandResults) as caught:
        certificate.update(pem(8, chain=1), ocsp=der)
    assert states(caught.value.result) == ['aborted'] * 3
    assert on.serials == [7] * 3


def test_a_certificate_with_a_response_that_loses_its_issuer(fleet):
    """[nothing that kills] With "ocsp-update on", 2.8.0 would crash in the commit."""
    for version, crashes in [('2.8.0', True), ('2.8.5', False), ('3.0.11', False)]:
        on = Running(fleet, version[:3], 1)
        on.fleet[0].info['Version'] = version
        certificate = on.fleet.haproxy().certificate(NAME)
        on.fakes[0].stored[NAME].ocsp_id = b'\x30\x3b'
        if crashes:
            with pytest.raises(exceptions.CommandFailed, match='without its chain'):
                certificate.update(pem(7))
        assert certificate.update(pem(8, chain=0 if not crashes else 1)).changed


def test_names_that_2_6_takes_for_others(fleet):
    """[nothing that kills] NAME.crt would be that of a certificate NAME."""
    on = Running(fleet, '2.6', 1)
    with pytest.raises(exceptions.CommandFailed, match='without .crt'):
        on.hap.add_certificate('/x.crt', pem(7))
    assert [command for command in on.sent[0] if not command.startswith('show')] == []
    assert Running(fleet, '3.2', 1).hap.add_certificate('/x.crt', pem(7)).changed


def test_an_empty_one(on):
    for fake in on.fakes:
        fake.stored[NAME] = stored()
    details = on.certificate.details()
    assert (details.status, details.serial, details.not_after, details.expires_in,
            details.names, details.fingerprints) == ('Empty', None, None, None, [], {})


def test_a_key_that_does_not_fit(on):
    """[certificates] The transaction is ended in all processes."""
    error = on.fails(pem(7, key=8), exceptions.CommandFailed)
    assert states(error.result) == ['aborted'] * 3
    assert list(error.undone) == on.fleet.paths
    assert (on.serials, on.transactions) == ([1] * 3, [None] * 3)


REFUSED = [('set ssl cert', "unable to load certificate from file '/etc/www.pem': no start line.\n"
            "Can't load the payload\nCan't update /etc/www.pem!\n\n", 'unchanged', 'aborted'),
           ('set ssl cert', 'Permission denied\n\n', 'unchanged', 'aborted'),
           ('commit ssl cert', 'The transaction must contain at least a certificate and a private '
            "key!\nCan't commit /etc/www.pem!\n\n", 'aborted', 'committed'),
           ('commit ssl cert', 'inconsistencies between private key and certificate loaded '
            "'/etc/www.pem'.\nCan't commit /etc/www.pem!\n\n", 'aborted', 'committed')]


@pytest.mark.parametrize('command, reply, there, elsewhere', REFUSED)
def test_a_process_that_refuses(command, reply, there, elsewhere, on):
    """[certificates] The account says what has become of the change in each process."""
    on.fakes[1].refuse[command] = reply
    error = on.fails(pem(7))
    assert states(error.result) == [elsewhere, there, elsewhere]
    assert on.transactions == [None] * 3
    assert on.serials == [7 if elsewhere == 'committed' else 1, 1,
                          7 if elsewhere == 'committed' else 1]
    on.fakes[1].refuse[command] = reply
    if elsewhere == 'committed':
        for fake in on.fakes:
            fake.stored[NAME] = stored(pem(1))
        error = on.fails(pem(7), previous=pem(1))
        assert states(error.result) == ['restored', there, 'restored']
        assert on.serials == [1] * 3 and list(error.not_undone) == []


def test_a_foreign_transaction(on):
    """[foreign transactions] It is a conflict, and nothing is set anywhere."""
    for name in [NAME, OTHER]:
        on.fakes[1].transaction = (name, stored(pem(50)))
        on.fleet.forget()
        error = on.fails(pem(7), exceptions.Conflict)
        assert name in str(error) and not error.polluted
        assert states(error.result) == ['unchanged'] * 3
        assert on.sent == [['show ssl cert;show ssl cert ' + NAME]] * 3
        assert serial_of(on.fakes[1].transaction[1]) == 50
    assert on.certificate.transaction is False
    assert on.certificate.abort() == certificates.Done(False)
    assert on.hap.certificate(OTHER).transaction is True
    assert on.hap.certificate(OTHER).abort() == certificates.Done(True)
    assert on.transactions == [None] * 3


@pytest.mark.parametrize('name', [NAME, OTHER])
def test_a_foreign_transaction_that_gets_our_text(name, on):
    """[foreign transactions] 2.4 to 2.8 accept it for another name; it is told loudly."""
    fake = on.fakes[1]

    def begin():
        fake.transaction = (name, stored(pem(50)))
    fake.before['set ssl cert'] = begin
    error = on.fails(pem(7), exceptions.Conflict)
    polluted = name == NAME or '2.4' <= on.fleet.version < '3.0'
    assert error.polluted is polluted
    assert states(error.result) == ['aborted', 'unknown' if polluted else 'unchanged', 'aborted']
    assert on.transactions == [None, name, None]
    assert serial_of(fake.transaction[1]) == (7 if polluted else 50)
    assert on.serials == [1] * 3


def test_what_haproxy_has_understood_is_compared(on):
    """[certificates] Before the first commit: the certificate, and the length of the chain."""
    for content in [pem(50), pem(7), pem(7, chain=1)]:
        fake = on.fakes[1]

        def change(fake=fake, content=content):
            fake.transaction = (NAME, stored(content))
        fake.before['show ssl cert *'] = change
        error = on.fails(pem(7, chain=2), exceptions.Conflict)
        assert states(error.result) == ['aborted'] * 3
        assert (on.serials, on.transactions) == ([1] * 3, [None] * 3)


def test_a_used_one_that_no_bind_line_uses_afterwards(on):
    """[certificates] No dot says that nothing was updated (up to 3.0, after a CA file)."""
    fake = on.fakes[2]

    def forget():
        del fake.own.lines[NAME]
    fake.before['commit ssl cert'] = forget
    error = on.fails(pem(7))
    assert 'no bind line uses it' in str(error)


def test_one_that_is_not_used(on):
    for fake in on.fakes:
        del fake.own.lines[NAME]
    assert on.update(pem(7))[:2] == (True, False)


def test_after_a_commit_that_failed_half_way(on):
    """[nothing that kills] 2.2 and 2.4 would crash if the transaction were ended."""
    reply = ("Committing /etc/www.pem\n '/etc/www.pem.ocsp' is present and activates OCSP but it is "
             'impossible to compute the OCSP certificate ID\nFailed!\n\n')
    for fake in on.fakes:
        fake.refuse['commit ssl cert'] = reply
    error = on.fails(pem(7), exceptions.CommandFailed)
    assert 'impossible to compute' in str(error) and 'Committing' not in str(error)
    aborts = [command for commands in on.sent for command in commands if 'abort' in command]
    assert len(aborts) == (0 if on.fleet.version < '2.6' else 3)


@pytest.mark.parametrize('version', ['2.2', '2.4'])
def test_an_error_of_an_earlier_one(version, fleet):
    """[stale errors] 2.2 and 2.4 may refuse what follows a refused commit; it is sent again."""
    on = Running(fleet, version)
    on.fakes[1].refuse['set ssl cert'] = (
        "unable to load certificate chain from file '/etc/www.pem'.\nCan't load the payload\n"
        "Can't update /etc/www.pem!\n\n")
    assert states(on.update(pem(7))) == ['committed'] * 3
    assert [len([1 for command in commands if command.startswith('set')])
            for commands in on.sent] == [1, 2, 1]


@pytest.mark.parametrize('command', ['set ssl cert', 'show ssl cert *', 'commit ssl cert'])
def test_an_exchange_that_is_lost(command, on):
    """[certificates] It is looked how far the change has come."""
    fake, process = on.fakes[1], on.fleet.processes[1]

    def lose():
        raise fakes.socket.error('lost')
    fake.before[command] = lose
    error = on.fails(pem(7), exceptions.HAProxySocketError)
    final = states(error.result)
    assert final[1] in ('unchanged', 'aborted', 'unknown')
    assert final[0] == final[2] == ('committed' if command.startswith('commit') else 'aborted')
    assert on.serials == [7 if state == 'committed' else 1 for state in final]
    assert (process.path in error.not_undone) is (final[1] == 'unknown')
    if command.startswith('commit'):
        # HAProxy may have been left in the middle of it: only what is harmless is sent.
        assert on.sent[1][-1] == 'show ssl cert;show ssl cert ' + NAME


@pytest.mark.parametrize('count', range(0, 50, 7))
@pytest.mark.parametrize('step', range(4))
def test_a_reply_that_is_cut_short(step, count, fleet):
    """[certificates] It is never taken for a success."""
    on = Running(fleet, '3.2')
    process = on.fleet.processes[1]
    process.next(*[faults.answering()] * step + [faults.cut(count)])
    error = on.fails(pem(7))
    assert states(error.result)[0] in ('unchanged', 'aborted', 'committed')
    assert on.serials[0] == (7 if states(error.result)[0] == 'committed' else 1)
    for fake, state in zip(on.fakes, states(error.result)):
        assert state == 'unknown' or fake.serials[NAME] == (7 if state == 'committed' else 1)


def test_sizes(on):
    """[certificates] What is too long is refused before anything is sent; 3.4 reads more."""
    limit = words.MAX_LARGE_PAYLOAD if on.fleet.version == '3.4' else words.MAX_PAYLOAD
    own = len('set ssl cert {0} <<\n'.format(NAME)) + len(pem(7)) + 2
    count = (limit - own) // len(block('CERTIFICATE', AUTHORITY))
    if limit > 16000:
        # The fake is as strict as older versions.
        for process in on.fleet.processes:
            process._check = lambda command: None
    assert on.fails(pem(7, count + 1), ValueError)
    assert on.sent == [[]] * 3
    if limit == words.MAX_PAYLOAD:
        on.fails(pem(7), ValueError, previous=pem(1, count + 1))
        assert on.sent == [[]] * 3


def test_an_error_before_anything_is_sent(on, monkeypatch):
    """[secrets] A key is not sent in plain to another host."""
    def refuse(endpoint):
        raise ValueError('plain')
    monkeypatch.setattr('haproxyadmin.internal.endpoint.Endpoint.check_secret', refuse)
    for call in [lambda: on.update(pem(7)), lambda: on.hap.add_certificate('new', pem(7))]:
        with pytest.raises(ValueError, match='plain') as caught:
            call()
        assert states(caught.value.result) == ['unchanged'] * 3
    assert on.sent == [[]] * 3
    assert on.update(pem(7), die=False) is False


def test_adding(on):
    """[certificates] It is made, set and committed in all processes or in none."""
    added = on.hap.add_certificate('new', pem(7))
    assert (added[:2], states(added)) == ((True, False), ['committed'] * 3)
    assert [fake.serials['new'] for fake in on.fakes] == [7] * 3
    with pytest.raises(exceptions.CommandFailed):
        on.hap.add_certificate('new', pem(8))
    on.fakes[1].refuse['new ssl cert'] = 'Permission denied\n\n'
    with pytest.raises(exceptions.HAProxyBaseError) as caught:
        on.hap.add_certificate('more', pem(8))
    assert states(caught.value.result) == ['aborted', 'unchanged', 'aborted']
    with pytest.raises(exceptions.CommandFailed) as caught:
        on.hap.add_certificate('more', pem(8, key=9))
    assert states(caught.value.result) == ['aborted'] * 3
    assert [sorted(fake.stored) for fake in on.fakes] == [[OTHER, NAME, 'new']] * 3
    assert on.transactions == [None] * 3


def test_deleting(on):
    """[certificates] What is used, or being changed, is refused before anything is deleted."""
    with pytest.raises(exceptions.CommandFailed):
        on.certificate.delete()
    del on.fakes[0].own.lines[NAME]
    on.fleet.forget()
    with pytest.raises(exceptions.CommandFailed):
        on.certificate.delete()
    assert on.sent == [['show ssl cert;show ssl cert ' + NAME]] * 3
    for fake in on.fakes:
        fake.own.lines.clear()
    on.fakes[2].transaction = (NAME, stored(pem(7)))
    with pytest.raises(exceptions.Conflict):
        on.certificate.delete()
    assert on.certificate.abort() == certificates.Done(True)
    assert on.certificate.delete() == certificates.Done(True)
    assert on.certificate.delete() == certificates.Done(False)
    assert [sorted(fake.stored) for fake in on.fakes] == [[OTHER]] * 3


@pytest.mark.parametrize('name', ['', '*', '*x', '\\', '\\x', '\\*x', 'a.key', 'a.ocsp', 'a.sctl', 'a.issuer', None, 7,
                                  'a\nb', 'a\0b'])
def test_names_that_mean_something_else(name, on):
    with pytest.raises(ValueError):
        on.hap.add_certificate(name, pem(7))
    assert on.sent == [[]] * 3


@pytest.mark.parametrize('version', ['1.8', '2.0'])
def test_versions_that_cannot(version, fleet):
    """[nothing that kills] Nothing is sent but the question who they are."""
    started = fleet(version, 1)
    hap = started.haproxy()
    for call in [lambda: hap.certificates(), lambda: hap.certificate(NAME),
                 lambda: hap.update_certificate(NAME, pem(7)),
                 lambda: hap.add_certificate(NAME, pem(7))]:
        with pytest.raises(exceptions.NotSupported) as caught:
            call()
        assert caught.value.needs == '2.2'
    assert set(sum(started.commands, [])) <= set(['show info'])


def test_the_whole_suite_looks_for_keys_in_the_log():
    """[secrets] See the fixture ``no_key_is_logged``."""
    logger = logging.getLogger('haproxyadmin')
    assert logger.isEnabledFor(logging.DEBUG)
    key = pem(7).partition('\n-----BEGIN PRIVATE KEY-----')[2]
    made.remember('-----BEGIN PRIVATE KEY-----' + key)
    for text in [key, key.replace('\n', ''), 'x' + key[14:44], '-----BEGIN RSA PRIVATE KEY-----']:
        logger.debug('%s', text)
        assert len(conftest.SECRETS.leaks) == 1
        del conftest.SECRETS.leaks[:]
    logger.debug('%s on %s', 'show ssl cert', '/tmp/' + 'x' * 60)
    assert conftest.SECRETS.leaks == []


def test_no_key_in_the_log(on, caplog):
    """[secrets] Not even at level DEBUG."""
    caplog.set_level(logging.DEBUG, 'haproxyadmin')
    key = re.search('PRIVATE KEY-----\n(.*)\n', pem(7)).group(1)
    on.update(pem(7))
    on.fails(pem(7, key=8))
    on.fakes[1].refuse['set ssl cert'] = 'Permission denied\n\n'
    on.fails(pem(7))
    assert 'set ssl cert' in caplog.text
    for text in [caplog.text] + [repr(record.args) for record in caplog.records]:
        assert 'PRIVATE' not in text and key[8:24] not in text
