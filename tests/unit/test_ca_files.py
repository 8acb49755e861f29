# SPDX-License-Identifier: Apache-2.0
"""ca_files.py, internal/ca_files.py, internal/tls_files.py: with fakes of many versions."""
import base64
import binascii
import hashlib
import pickle
import re

import pytest

from haproxyadmin import exceptions
from haproxyadmin.ca_files import CaFile, CrlFile
from haproxyadmin.certificates import Done
from haproxyadmin.internal import ca_files as internal
from haproxyadmin.parsers.ca_files import RevocationList, Shown
from haproxyadmin.parsers.revocations import Revocations
from haproxyadmin.testing.families import x509
from tests.support import ders
from tests.support.hooks import Hooks
from tests.unit.parsers.test_ca_files import UPDATES
from tests.unit.parsers.test_revocations import SEQUENCE, UTC_TIME, element, revocations
from tests.unit.test_certificates import pem as bundle
from tests.unit.test_tables import lost_at, replaced_at

CA, CRL = '/ca.pem', '/crl.pem'
NEVER = ('2.6', '2.8', '3.0')


pem = ders.pem
CONFIG = ('frontend f\n    bind :443 ssl crt /site.pem verify optional ca-file {0} crl-file {1}\n'
          .format(CA, CRL))


def certificate(number):
    """Return the bytes of the certificate of an authority."""
    name = '/CN=CA {0:04d}'.format(number)
    return ders.certificate(0x1000 + number, name, name)


def opaque(number, size=20):
    """Return bytes that the library takes for a certificate."""
    return element(SEQUENCE, b'%04d' % number, b'x' * size)


def authorities(*numbers):
    return pem('CERTIFICATE', *map(certificate, numbers))


def fingerprints(*numbers):
    return sorted(hashlib.sha1(certificate(number)).hexdigest().upper() for number in numbers)


def lists(*serials):
    """Return a text of one list for each serial number that is revoked."""
    return pem('X509 CRL', *map(revocation_list, serials))


def revocation_list(serial):
    return ders.revocation_list(int(binascii.hexlify(serial), 16))


FILES = {'/site.pem': bundle(5), CA: authorities(1), CRL: lists(b'\x01')}


class Files(Hooks):
    """The CA files and CRL files of a process of the fake.

    :ivar refused: what it does not do, ``'commit'`` for example.
    """

    def __init__(self, process):
        super(Files, self).__init__(process)
        self.refused = ()

    def answer(self, command):
        action = command.split(' ')[0]
        if action in self.refused and ';' not in command.split('\n')[0]:
            return "No memory!\nCan't {0} it!\n\n".format(action)
        return super(Files, self).answer(command)

    def kind(self, name):
        return getattr(self.process.ca_files, name)

    def content(self, kind, name):
        """Return the bytes of what is in a file, None if there is none."""
        found = self.kind(kind).files.get(name)
        return found if found is None else [one.der for one in found]

    def put(self, kind, name, *contents):
        """Have other contents in a file."""
        make = {'ca': x509.Certificate, 'crl': x509.RevocationList}[kind]
        self.kind(kind).files[name] = list(map(make, contents))

    def open(self, kind, name):
        """Begin a transaction as another client does; end it if there is no name."""
        self.kind(kind).transaction = name and [name, []]


class Site(object):

    def __init__(self, fleet, version='3.2', count=2, exact=None):
        self.fleet = fleet(version, count, config=CONFIG, files=FILES)
        for process in self.fleet:
            process.info['Version'] = exact or process.info['Version']
        self.files = [Files(process) for process in self.fleet]
        self.hap = self.fleet.haproxy()
        self.ca = CaFile(CA, self.hap._found)
        self.crl = CrlFile(CRL, self.hap._found)
        self.fleet.forget()

    def sent(self):
        """Return the first line of the commands that each process has received."""
        return [[command.split('\n')[0].replace(' <<', '') for command in commands
                 if command != 'show info'] for commands in self.fleet.commands]

    def contents(self, name=CA, kind='ca'):
        return [each.content(kind, name) for each in self.files]


@pytest.fixture
def site(fleet):
    return lambda *args, **options: Site(fleet, *args, **options)


def states(result):
    return [state for _, state in result.by_socket]


# Reading

@pytest.mark.parametrize('version', ['2.6', '2.8', '3.0', '3.2', '3.4'])
def test_reading(site, version):
    on = site(version)
    assert on.hap.ca_files() == [CA, '@system-ca'] and on.hap.crl_files() == [CRL]
    assert on.sent() == [['show ssl ca-file', 'show ssl crl-file']] * 2
    on.fleet.forget()
    authority, = on.ca.certificates()
    assert authority[:3] == ('/CN=CA 0001', '/CN=CA 0001', '1001')
    assert (authority.not_before.year, authority.not_after.year) == (2026, 2027)
    assert authority.names == [] and authority.algorithm == 'RSA2048'
    assert [authority.fingerprints['sha1']] == fingerprints(1)
    assert isinstance(authority.expires_in, int)
    assert on.sent() == [['show ssl ca-file ' + CA]] * 2
    assert on.ca.certificates_per_socket() == [(path, [authority]) for path in on.fleet.paths]
    assert [found for _, found in on.ca.certificates_per_process()] == [[authority]] * 2
    assert on.crl.lists() == [RevocationList('/CN=CA', UPDATES[0], UPDATES[1], ['01'], True)]
    assert [found for _, found in on.crl.lists_per_process()] == [on.crl.lists()] * 2
    assert on.crl.lists_per_socket() == [(path, on.crl.lists()) for path in on.fleet.paths]
    assert (on.ca.status, on.crl.status, on.ca.transaction) == ('Used', 'Used', False)


def test_names():
    ca_file = CaFile(CA, [])
    assert ca_file == CA and ca_file == CaFile(CA, []) and ca_file != CrlFile(CA, [])
    assert repr(CrlFile(CRL, [])) == "CrlFile('/crl.pem', processes=[])"
    assert pickle.loads(pickle.dumps(ca_file, 2)) == ca_file


def test_processes_that_differ(site):
    """The order does not count, which changes when HAProxy looks for an authority."""
    on = site()
    for each, numbers in zip(on.files, ([1, 2], [2, 1])):
        each.put('ca', CA, *map(certificate, numbers))
    assert [one.subject for one in on.ca.certificates()] == ['/CN=CA 0001', '/CN=CA 0002']
    on.files[1].kind('ca').files[CA].pop()
    with pytest.raises(exceptions.IncosistentData) as caught:
        on.ca.certificates()
    assert [len(found) for _, found in caught.value.by_socket] == [2, 1]
    del on.files[1].kind('crl').files[CRL]
    with pytest.raises(exceptions.NoSuchObject):
        on.crl.lists()
    with pytest.raises(ValueError) as caught:
        on.hap.ca_file('/ca.pom')
    assert str(caught.value).startswith("no CA file '/ca.pom'; did you mean '/ca.pem'?")


# Versions

def changes(on):
    return [lambda: on.ca.update(authorities(2)), lambda: on.ca.add(authorities(2)), on.ca.delete,
            on.ca.abort, lambda: on.crl.update(lists(b'\x02')), on.crl.delete, on.crl.abort,
            lambda: on.hap.add_ca_file('/new', authorities(2)),
            lambda: on.hap.add_crl_file('/new', lists(b'\x02'))]


@pytest.mark.parametrize('version', ('2.2', '2.4') + NEVER)
def test_versions_that_forget_what_uses_a_file(site, version):
    """[ca files] They crash at the second change."""
    on = site(version)
    for change in changes(on):
        with pytest.raises(exceptions.NotSupported) as caught:
            change()
        assert caught.value.needs == '3.2' and caught.value.has.startswith(version)
        assert on.sent() == [[], []]
    if version < '2.6':
        for read in (on.hap.ca_files, on.hap.crl_files, lambda: on.ca.transaction):
            with pytest.raises(exceptions.NotSupported) as caught:
                read()
            assert caught.value.needs == '2.6'
    else:
        assert on.ca.transaction is False


@pytest.mark.parametrize('exact, is_able', [
    ('3.2.0', False), ('3.2.7-1', False), ('3.2.8', True), ('3.3.0', True)])
def test_releases_that_forget_it_still(site, exact, is_able):
    """[ca files]"""
    on = site(exact=exact)
    for change in [] if is_able else changes(on):
        with pytest.raises(exceptions.CommandFailed) as caught:
            change()
        assert 'would forget which bind lines use the file' in str(caught.value)
    if is_able:
        on.ca.update(authorities(2))
    else:
        assert on.sent() == [[], []]
        assert on.ca.status == 'Used'


def test_one_old_process_keeps_all_from_being_changed(site):
    """[ca files]"""
    on = site()
    on.fleet[1].info['Version'] = '3.0.11'
    on.hap = on.fleet.haproxy()
    with pytest.raises(exceptions.NotSupported):
        on.hap.add_ca_file('/new', authorities(2))
    with pytest.raises(exceptions.NotSupported):
        CaFile(CA, on.hap._found).update(authorities(2))
    assert not [line for lines in on.sent() for line in lines]


# What is sent

LOOK = 'show ssl ca-file;show ssl ca-file /ca.pem'
COMMIT = 'commit ssl ca-file /ca.pem;show ssl ca-file /ca.pem'


def test_an_update(site):
    on = site()
    updated = on.ca.update(authorities(1, 2, 1), previous=authorities(1))
    assert updated == (True, True, [(path, 'committed') for path in on.fleet.paths])
    assert on.sent() == [
        [LOOK, 'set ssl ca-file /ca.pem', 'show ssl ca-file */ca.pem', COMMIT]] * 2
    assert on.contents() == [[certificate(1), certificate(2)]] * 2
    assert on.ca.update(authorities(2, 1))[:2] == (False, True)
    updated = on.crl.update(lists(b'\x07', b'\x08'))
    assert updated[:2] == (True, True)
    assert [one.revoked for one in on.crl.lists()] == [['07'], ['08']]


def test_an_extension(site):
    on = site()
    on.files[1].put('ca', CA, certificate(1), certificate(3))
    assert on.ca.add(authorities(2))[:2] == (True, True)
    assert on.sent() == [
        [LOOK, 'add ssl ca-file /ca.pem', 'show ssl ca-file */ca.pem', COMMIT]] * 2
    # Each keeps what it had.
    assert on.contents() == [[certificate(1), certificate(2)],
                             [certificate(1), certificate(3), certificate(2)]]
    assert on.ca.add(authorities(1, 2)).changed is False


@pytest.mark.parametrize('kind, text', [('ca', authorities(2)), ('crl', lists(b'\x02'))])
def test_additions_and_deletions(site, kind, text):
    on = site()
    add = getattr(on.hap, 'add_{0}_file'.format(kind))
    assert add('/new', text) == (True, False, [(path, 'committed') for path in on.fleet.paths])
    thing = getattr(on.hap, kind + '_file')('/new')
    with pytest.raises(exceptions.CommandFailed) as caught:
        add('/new', text)
    assert 'already' in str(caught.value)
    assert thing.delete() == Done(True) and thing.delete() == Done(False)
    with pytest.raises(exceptions.CommandFailed) as caught:
        (on.ca if kind == 'ca' else on.crl).delete()
    assert 'is in use' in str(caught.value)
    on.fleet.forget()
    on.files[1].refused = ['set']
    with pytest.raises(exceptions.MultipleCommandResults) as caught:
        add('/new', text)
    assert states(caught.value.result) == ['aborted', 'aborted']
    assert on.contents('/new', kind) == [None, None]
    assert [each.kind(kind).transaction for each in on.files] == [None, None]


def test_a_transaction_of_another_client(site):
    """[ca files] It is not touched."""
    on = site()
    on.files[1].open('ca', '/other')
    with pytest.raises(exceptions.Conflict) as caught:
        on.ca.update(authorities(2))
    assert "'/other'" in str(caught.value)
    assert on.sent() == [[LOOK]] * 2
    assert states(caught.value.result) == ['unchanged', 'unchanged']
    assert on.ca.transaction is False
    assert on.crl.update(lists(b'\x02')).changed is True
    on.files[0].open('ca', CA)
    on.files[1].open('ca', None)
    assert on.ca.transaction is True
    on.fleet.forget()
    assert on.ca.abort() == Done(True)
    assert on.sent() == [['show ssl ca-file', 'abort ssl ca-file /ca.pem'], ['show ssl ca-file']]
    assert on.ca.abort() == Done(False)


@pytest.mark.parametrize('previous, expected', [
    (None, ['committed', 'aborted']), (authorities(1), ['restored', 'aborted'])])
def test_a_process_that_does_not_commit(site, previous, expected):
    on = site()
    on.files[1].refused = ['commit']
    with pytest.raises(exceptions.MultipleCommandResults) as caught:
        on.ca.update(authorities(2), previous=previous)
    assert states(caught.value.result) == expected
    assert on.contents() == [[certificate(1 if previous else 2)], [certificate(1)]]
    assert [each.kind('ca').transaction for each in on.files] == [None, None]


def test_a_previous_content_that_is_not_there(site):
    on = site()
    with pytest.raises(exceptions.CommandFailed) as caught:
        on.ca.update(authorities(2), previous=authorities(1, 2))
    assert 'previous is not what' in str(caught.value)
    assert on.sent() == [[LOOK]] * 2


def test_a_process_that_is_lost_or_replaced(site):
    on = site()
    # The new one has read its files, and knows of no transaction.
    replaced_at(on.fleet[1], 'commit ssl')
    with pytest.raises(exceptions.CommandFailed) as caught:
        on.ca.update(authorities(2), previous=authorities(1))
    # It has been asked, too.
    assert states(caught.value.result) == ['restored', 'aborted']
    assert caught.value.replaced == [on.fleet.paths[1]]
    on = site()
    lost_at(on.fleet[1], 'show ssl ca-file *')
    with pytest.raises(exceptions.HAProxySocketError) as caught:
        on.ca.update(authorities(2))
    assert states(caught.value.result) == ['aborted', 'unknown']
    assert on.contents()[0] == [certificate(1)]


def test_an_interruption_before_anything_is_sent(site, monkeypatch):
    """Its result says so, too."""
    on = site()

    def interrupt(*_):
        raise KeyboardInterrupt
    monkeypatch.setattr(internal.CaFileChange, 'note_look', interrupt)
    with pytest.raises(KeyboardInterrupt) as caught:
        on.ca.update(authorities(2))
    assert states(caught.value.result) == ['unchanged', 'unchanged']


# What is wrong

@pytest.mark.parametrize('call', [
    lambda on: on.ca.update(lists(b'\x01')), lambda on: on.ca.update(''),
    lambda on: on.ca.update(None), lambda on: on.ca.add(pem('PRIVATE KEY', certificate(1))),
    lambda on: on.ca.update(authorities(1), previous='x'),
    lambda on: on.ca.update(authorities(1) + pem('TRUSTED CERTIFICATE', certificate(2))),
    lambda on: on.crl.update(authorities(1)), lambda on: on.crl.update(pem('X509 CRL', b'\x30\x00')),
    lambda on: on.crl.update(pem('X509 CRL', revocations(element(UTC_TIME, b'261124190834Z')))),
    lambda on: CaFile('@system-ca', on.hap._found).update(authorities(1)),
    lambda on: CaFile('@system-ca', on.hap._found).delete(),
    lambda on: CaFile('/a:1', on.hap._found).certificates(),
    lambda on: CaFile('/a:1', on.hap._found).transaction,
    lambda on: CrlFile('*a', on.hap._found).lists(),
    lambda on: on.hap.add_ca_file('', authorities(1)),
    lambda on: on.hap.add_ca_file('\\a', authorities(1)),
    lambda on: on.hap.add_ca_file(None, authorities(1)),
    lambda on: on.hap.add_ca_file('a\nb', authorities(1)),
    lambda on: on.hap.add_crl_file('@a', lists(b'\x01')),
    lambda on: on.hap.add_crl_file('/a', lists(*[b'%08d' % number for number in range(120)]))])
def test_what_is_refused_before_anything_is_sent(site, call):
    """[ca files]"""
    on = site()
    with pytest.raises(ValueError):
        call(on)
    assert on.sent() == [[], []]


def test_it_can_return_false_instead(site):
    on = site()
    assert on.ca.update('', die=False) is on.ca.add('', die=False) is False
    assert on.ca.delete(die=False) is False and on.crl.abort(die=False) == Done(False)
    assert on.hap.add_ca_file('@a', authorities(1), die=False) is False


# Without a process

class Known(object):
    version = (3, 2, 26)


def change_of(text, kind=internal.CaFileChange, name=CA, parse=internal.parse_authorities):
    return kind(Known(), name, parse(text))


@pytest.mark.parametrize('name', [CA, '/' + 'long' * 200])
def test_a_bundle_is_split_between_certificates(name):
    """[ca files]"""
    contents = [opaque(number, 10 + number * 37 % 1500) for number in range(300)]
    change = change_of('\n\n'.join(pem('CERTIFICATE', der) for der in contents + contents[:5]), name=name)
    sent = change._commands_to_set()
    assert len(sent) > 10
    assert [command.split()[0] for command in sent] == [b'set'] + [b'add'] * (len(sent) - 1)
    assert max(map(len, sent)) <= 15999 and min(map(len, sent[:-1])) > 16000 - 2200
    found = [base64.b64decode(block) for command in sent
             for block in re.findall(b'-----BEGIN CERTIFICATE-----([^-]*)-----END', command)]
    assert found == contents
    added = change_of(authorities(1), internal.CaFileExtension)
    assert added._commands_to_set()[0].startswith(b'add ssl ca-file ')


def test_a_certificate_that_is_too_long():
    with pytest.raises(ValueError) as caught:
        change_of(pem('CERTIFICATE', opaque(1, 12000)))._commands_to_set()
    assert 'at most 16000 bytes' in str(caught.value)


REVOCATIONS = Revocations(UPDATES[0], UPDATES[1], frozenset(['01', '02']))
OTHER = REVOCATIONS._replace(serials=frozenset(['03']))


def listed(revoked, is_complete=True, issuer='/CN=a', last_update=UPDATES[0]):
    return RevocationList(issuer, last_update, UPDATES[1], revoked, is_complete)


@pytest.mark.parametrize('sent, shown, expected', [
    ([REVOCATIONS], [listed(['02', '01'])], True), ([REVOCATIONS], [listed(['01'])], False),
    ([REVOCATIONS], [listed(['01', '02', '03'])], False), ([REVOCATIONS], [], False),
    ([REVOCATIONS], [listed(['01', '02'], last_update=UPDATES[1])], False),
    ([REVOCATIONS, OTHER], [listed(['03']), listed(['01', '02'])], True),
    ([REVOCATIONS, OTHER], [listed(['03']), listed(['03'])], False),
    ([REVOCATIONS], [listed(['01', '02']), listed(['03'])], False),
    # What HAProxy does not show may be there.
    ([REVOCATIONS], [listed(['01'], False)], True), ([REVOCATIONS], [listed(['03'], False)], False),
    ([REVOCATIONS, OTHER], [listed(['01'], False)], True),
    ([OTHER], [listed(['01'], False), listed(['03'], False)], False)])
def test_what_is_shown_is_compared_with_what_was_sent(sent, shown, expected):
    """[ca files]"""
    change = internal.CrlFileChange(Known(), CRL, None)
    assert change.holds(Shown('Used', shown), internal.Content([], sent)) is expected
    assert change.holds(None, internal.Content([], sent)) is False


def test_a_name_is_not_too_long_for_what_undoes_a_change(site):
    """It would be found out only once the file is there."""
    on = site()
    for length in (7700, 15000):
        with pytest.raises(ValueError):
            on.hap.add_ca_file('/' + length * 'x', authorities(1))
    assert on.sent() == [[], []]
    assert on.hap.add_ca_file('/' + 7000 * 'x', authorities(1)).changed is True
