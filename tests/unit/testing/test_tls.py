# SPDX-License-Identifier: Apache-2.0
"""The fake replies about certificates as the real versions did: all captured commands."""
import re

import pytest

from haproxyadmin.parsers.ocsp import parse_response
from haproxyadmin.testing.configuration import Configuration, ConfigurationError
from haproxyadmin.testing.fake import FakeHAProxy, NotUnderstood
from haproxyadmin.testing.families import x509
from haproxyadmin.testing.families.family import Connection
from haproxyadmin.testing.process import FakeProcess
from haproxyadmin.testing.texts import text
from tests.support import captured, ders, lab, ocsp

VERSIONS = ['1.8', '2.0', '2.2', '2.4', '2.6', '2.8', '3.0', '3.2', '3.4']
CONFIGURATION = """\
frontend https
    bind 127.0.0.1:21141 name s1 ssl crt /lab/certs/ crt-list /lab/list.txt ca-file /lab/ca-bind.pem \
verify optional crl-file /lab/crl.pem strict-sni tls-ticket-keys /lab/tickets.key alpn h2,http/1.1
    bind 127.0.0.1:21142 name s2 ssl crt /lab/def/default.pem
"""
KEYS = [letter * 64 for letter in 'ABCD']
NEW_KEY = 'E' * 64
LIST = ('# a list\n/lab/extra/site3.pem *.wild.test !no.wild.test\n'
        '/lab/extra/site4.pem [alpn h2] site4.test\n')

FILES = captured.tls_files()
for _name in [name for name in FILES if name.endswith('.crt')]:
    _base = _name[:-len('.crt')]
    FILES[_base + '.key'] = ders.key_for(FILES[_name])
    FILES[_base + '.pem'] = FILES[_name] + FILES[_base + '.key']
    FILES[_base + '.full.pem'] = FILES[_name] + FILES['ca.pem'] + FILES[_base + '.key']
PLACEHOLDERS = dict(FILES, **{
    'site1new.pem, CRLF': FILES['site1new.pem'].replace('\n', '\r\n'),
    'ticket key': NEW_KEY, '80 byte key': 'F' * 106 + 'E=', 'PRIVATE KEY': FILES['site1new.key'],
    'base64 of site1.ocsp': FILES['site1.ocsp'], 'base64 of site4.ocsp': FILES['site4.ocsp']})

# What was sent is not in the captures.
LEFT_OUT = re.compile(r'set ssl ocsp-response (<<\n)?\{\{base64\}\}')


def filled(command):
    """Return a command with the files that it contains."""
    return re.sub(r'\{\{(.*?)\}\}\n?', lambda match: PLACEHOLDERS.get(
        match.group(1), FILES['site1.ocsp']).rstrip('\n') + match.group()[match.group().find('}}') + 2:],
        command)


def normal(reply):
    """Return a reply without what depends on keys, on the system and on OpenSSL."""
    reply = re.sub(r'(Unknown command)(?:.|\n)*', r'\1', reply)
    reply = re.sub(r'<<.*>>', '', reply)
    reply = re.sub(r'(SHA1 FingerPrint:) [0-9A-F]{40}', r'\1 KEY', reply)
    reply = re.sub(r'(Issuer Key Hash:) [0-9A-F]{40}', r'\1 KEY', reply)
    reply = re.sub(r'(303b300906052b0e03021a05000414[0-9a-f]{40}0414)[0-9a-f]{40}', r'\1KEY', reply)
    reply = re.sub(r'(?m)^(\d\.\d) \S+$', r'\1 KEY', reply.replace('{{ticket key}}', 'KEY').replace(
        '{{key}}', 'KEY'))
    if reply.startswith('OCSP Response Data'):
        # Of the signer and the signature the fake knows nothing, and the dates are those of the day.
        lines = reply.split('\n')
        end = [place for place, line in enumerate(lines) if line.startswith('    Cert Status')][0]
        return '\n'.join(line for line in lines[:end + 1] if 'Responder Id' not in line
                         and 'Produced At' not in line)
    return reply


class Replay(object):
    """Replays the captured commands of a version and a group."""

    def __init__(self, version, group):
        self.process = None
        self.version = version
        self.differences, self.replies = [], set()
        self.start()
        for case in captured.tls():
            if (case['version'], case['group']) == (version, group):
                self.run(case)

    def start(self):
        files = {'/lab/certs/site1.pem': FILES['site1.full.pem'],
                 '/lab/certs/site1.pem.ocsp': ders.base64.b64decode(FILES['site1.ocsp']),
                 '/lab/certs/site2.pem': FILES['site2.full.pem'],
                 '/lab/def/default.pem': FILES['site2.full.pem'],
                 '/lab/extra/site3.pem': FILES['site3.pem'], '/lab/extra/site4.pem': FILES['site4.pem'],
                 '/lab/list.txt': LIST, '/lab/ca-bind.pem': FILES['ca.pem'],
                 '/lab/crl.pem': FILES['crl-empty.pem'], '/lab/tickets.key': '\n'.join(KEYS[:3]) + '\n'}
        self.process = FakeProcess('/run/haproxy.sock', self.version, Configuration(
            CONFIGURATION, '/lab/h.cfg', files))

    def run(self, case):
        command = case['command']
        if command == '(state)':
            self.start()
        if command == '(state)' or LEFT_OUT.match(command):
            return
        level, rest = 'admin', command.replace('DIR', '/lab')
        if rest.startswith('LOW '):
            _, level, rest = rest.split(' ', 2)
        try:
            reply = text(self.process.reply_to(filled(rest), Connection(level))).replace(
                '/lab', 'DIR')
        except Exception as error:
            reply = '{0}: {1}'.format(type(error).__name__, error)
        self.replies.add((command, normal(reply)))
        if case['reply'] is not None and normal(case['reply']) != normal(reply):
            self.differences.append('{0!r}\n   real {1!r}\n   fake {2!r}'.format(
                command[:200], case['reply'][:900], reply[:900]))


_replayed = {}


def replayed(version, group):
    if (version, group) not in _replayed:
        _replayed[version, group] = Replay(version, group)
    return _replayed[version, group]


@pytest.mark.parametrize('group', ['tls', 'tls2'])
@pytest.mark.parametrize('version', VERSIONS)
def test_it_replies_as_the_real_one_did(version, group):
    differences = replayed(version, group).differences
    assert not differences, '\n'.join(differences)


@pytest.mark.parametrize('version', VERSIONS[2:])
def test_what_was_captured_of_lists_and_ca_files_is_among_the_replies(version):
    """Several captures of one command belong to different states."""
    replies = set(replayed(version, 'tls').replies)
    both = Replay(version, None)
    for case in captured.ca_files()[:2]:
        both.run(case)
    missing = [case['command'] for case in captured.crt_lists() + captured.ca_files()
               if case['version'] == version
               and (case['command'], normal(case['reply'])) not in replies | both.replies]
    assert not missing


# Other configurations

SITE, OTHER = '/etc/site.pem', '/etc/other.pem'


def pem(serial, chain=(), key=None, **options):
    return ders.pem('CERTIFICATE', ders.certificate(serial, **options), *chain) + ders.pem(
        'RSA PRIVATE KEY', ders.private_key(serial if key is None else key))


AUTHORITY = ders.certificate(9, '/CN=Example CA', '/CN=Example CA')
SERVING = 'frontend f\n    bind :443 ssl crt {0}\nbackend b\n    server s 10.0.0.1:443 check\n'.format(SITE)


def process_of(version, config=SERVING, level='admin', **files):
    given = dict({SITE: pem(1), OTHER: pem(2)}, **dict(
        ('/etc/' + name.replace('_', '.'), content) for name, content in files.items()))
    return FakeProcess('/run/haproxy.sock', version, Configuration(config, 'h.cfg', given), level=level)


def said_by(process, *commands):
    return [text(process.reply_to(command)) for command in commands]


def test_the_library_changes_it():
    with FakeHAProxy('3.2', SERVING, files={SITE: pem(1)}, processes=2) as haproxy:
        certificate = haproxy.hap.certificate(SITE)
        assert (certificate.serial, certificate.status) == ('01', 'Used')
        assert certificate.update(pem(7)).changed is True
        assert certificate.serial == '07'
        assert [process.certificates.stored[SITE].certificate.serial for process in haproxy.processes
                ] == ['07', '07']
        assert haproxy.hap.add_certificate('/new.pem', pem(8))[:2] == (True, False)
        assert [found.name for found in haproxy.hap.certificates()] == [SITE, '/new.pem']
        haproxy.reload()
        assert [found.name for found in haproxy.hap.certificates()] == [SITE]
        assert certificate.serial == '01'


def test_no_key_is_in_its_log_or_its_problems():
    """[secrets]"""
    text_of_key = ders.pem('PRIVATE KEY', ders.private_key(7))
    ticket = 'S' * 64
    haproxy = FakeHAProxy('3.2', SERVING, files={SITE: pem(1)})
    process = haproxy.processes[0]
    process.answers['set ssl cert {0} <<\n{1}'.format(SITE, pem(7))] = []
    for command in ['set ssl cert {0} <<\n{1}\n'.format(SITE, pem(7, key=5)),
                    'set ssl cert {0} <<\n{1}'.format(SITE, pem(7)),
                    'set ssl key {0} <<\n{1}\n'.format(SITE, text_of_key),
                    'set ssl tls-key #0 ' + ticket, 'show x;set ssl tls-key #0 {0};show y'.format(ticket)]:
        lab.ask(haproxy.socket_files[0], command)
    lab.ask(haproxy.socket_files[0], text_of_key)
    with pytest.raises(NotUnderstood) as caught:
        haproxy.stop()
    shown = haproxy.log + '\n'.join(haproxy.problems) + str(caught.value)
    assert 'set ssl tls-key #0 ...' in shown and 'once too often' in shown
    body = ders.base64.b64encode(ders.private_key(7)).decode('ascii')
    assert ticket[:20] not in shown and 'PRIVATE' not in shown and '-----BEGIN' not in shown
    for content in (body, ders.base64.b64encode(ders.private_key(5)).decode('ascii')):
        assert not any(content[place:place + 20] in shown for place in range(0, len(content), 20))


@pytest.mark.parametrize('version', ['2.2', '2.6', '3.4'])
def test_levels(version):
    for level in ('user', 'operator'):
        process = process_of(version, level=level)
        listed, changed, lists = said_by(process, 'show ssl cert', 'abort ssl cert x',
                                         'show ssl crt-list')
        assert changed == lists == 'Permission denied\n\n'
        assert listed == ("Can't allocate memory!\n\n" if level == 'user' else
                          '# filename\n{0}\n\n'.format(SITE))


def test_while_another_client_commits():
    process = process_of('3.2')
    process.certificates.is_locked = True
    for reply in said_by(process, 'show ssl cert', 'show ssl cert x', 'new ssl cert x',
                         'set ssl cert x <<\nx', 'commit ssl cert x', 'abort ssl cert x',
                         'del ssl cert x', 'add ssl crt-list x y', 'del ssl crt-list x y',
                         'show ssl ca-file', 'new ssl ca-file x', 'set ssl ca-file x <<\nx',
                         'commit ssl ca-file x', 'abort ssl ca-file x', 'del ssl ca-file x',
                         'update ssl ocsp-response x'):
        assert 'Operations on certificates are currently locked!\n' in reply
    process.certificates.is_locked = False
    assert said_by(process, 'show ssl cert') == ['# filename\n{0}\n\n'.format(SITE)]


@pytest.mark.parametrize('version', ['2.2', '2.4', '2.8'])
def test_what_crashes_a_version_is_a_problem(version):
    process = process_of(version)
    response = FILES['site1.ocsp']
    commands = ['set ssl cert {0}.ocsp <<\n{1}'.format(SITE, response), 'commit ssl cert ' + SITE]
    if version < '2.6':
        commands += ['abort ssl cert ' + SITE]
    assert said_by(process, *commands)[-1] == ''
    assert 'crashes HAProxy ' + version in process.problems[0]
    assert said_by(process, 'abort ssl cert ' + SITE) == ['No ongoing transaction!\n\n']


TRUSTING = 'frontend f\n    bind :443 ssl crt {0} ca-file /etc/ca.pem verify required\n'.format(SITE)


@pytest.mark.parametrize('version, forgets', [('2.6', True), ('3.0', True), ('3.2', False)])
def test_a_ca_file_makes_versions_forget_what_uses_a_certificate(version, forgets):
    process = process_of(version, TRUSTING, ca_pem=ders.pem('CERTIFICATE', AUTHORITY))
    authority = ['set ssl ca-file /etc/ca.pem <<\n' + ders.pem('CERTIFICATE', AUTHORITY),
                 'commit ssl ca-file /etc/ca.pem']
    own = ['set ssl cert {0} <<\n{1}'.format(SITE, pem(7)), 'commit ssl cert ' + SITE]
    assert said_by(process, *authority)[-1] == 'Committing /etc/ca.pem.\nSuccess!\n\n'
    assert said_by(process, *own)[-1] == 'Committing {0}{1}\nSuccess!\n\n'.format(
        SITE, '' if forgets else '.')
    assert said_by(process, *authority)[-1] == (
        '' if forgets else 'Committing /etc/ca.pem.\nSuccess!\n\n')
    assert bool(process.problems) is forgets


def test_an_ocsp_response_needs_an_issuer():
    process = process_of('3.2', site_pem=pem(1, [AUTHORITY]))
    set_response = 'set ssl cert {0}.ocsp <<\n{1}'.format(SITE, FILES['site1.ocsp'])
    assert said_by(process, set_response, 'commit ssl cert ' + SITE)[-1].endswith('.\nSuccess!\n\n')
    response, = process.ocsp.responses.values()
    assert response.path == SITE
    assert 'OCSP Response Key: {0}\n'.format(response.id) in said_by(process, 'show ssl cert ' + SITE)[0]
    process.ocsp.responder = lambda asked: ders.base64.b64decode(FILES['site4.ocsp'])
    assert said_by(process, 'update ssl ocsp-response ' + SITE) == ['\n']


@pytest.mark.parametrize('version, key', [('2.6', '3000'), ('2.8', 'nope'), ('3.2', '3000')])
def test_an_ocsp_response_that_is_not_there(version, key):
    assert said_by(process_of(version), 'show ssl ocsp-response ' + key) == [ocsp.UNKNOWN[version]]


def test_a_ca_file_in_a_transaction_stays():
    process = process_of('3.2', TRUSTING, ca_pem=ders.pem('CERTIFICATE', AUTHORITY))
    assert said_by(process, 'set ssl ca-file /etc/ca.pem <<\n' + ders.pem('CERTIFICATE', AUTHORITY),
                   'del ssl ca-file /etc/ca.pem')[-1] == (
        "Can't remove the CA file: ongoing transaction for the CA file '/etc/ca.pem'\n\n")


@pytest.mark.parametrize('version, names', [
    ('2.2', ['/etc/two.pem']), ('2.4', ['/etc/two.pem.rsa', '/etc/two.pem.ecdsa'])])
def test_a_bundle_is_one_certificate_until_2_4(version, names):
    process = process_of(version, SERVING.replace(SITE, '/etc/two.pem'), two_pem_rsa=pem(1),
                         two_pem_ecdsa=pem(2))
    assert sorted(process.certificates.stored) == sorted(names)


@pytest.mark.parametrize('version, keywords', [('2.8', ''), ('3.0', ', crt-store keywords')])
def test_a_directory_has_no_filters(version, keywords):
    process = process_of(version, SERVING.replace(SITE, '/etc/certs/'), **{'certs/site_pem': pem(1)})
    said_by(process, 'new ssl cert /etc/certs/new.pem',
            'set ssl cert /etc/certs/new.pem <<\n' + pem(3), 'commit ssl cert /etc/certs/new.pem')
    reply, = said_by(process, 'add ssl crt-list /etc/certs <<\n/etc/certs/new.pem *.test')
    assert reply == ("Can't edit the crt-list: this is a directory, SSL configuration{0} and filters are "
                     'not allowed\n\n'.format(keywords))


def test_an_ocsp_response_may_be_too_old():
    process = process_of('3.2')
    der = ders.base64.b64decode(FILES['site1.ocsp'])
    process.ocsp.add(SITE, der)
    command = 'set ssl ocsp-response ' + FILES['site1.ocsp']
    assert said_by(process, command) == ['OCSP Response updated!\n\n']
    end = parse_response(der)[1].next_update
    process.ocsp.now = end.replace(year=end.year + 1)
    assert said_by(process, command) == ['OCSP single response: no longer valid..\n\n']


def test_a_line_of_a_list():
    process = process_of('3.2', 'frontend f\n    bind :443 ssl crt-list /etc/list.txt strict-sni\n',
                         list_txt=SITE + '\n')
    add = 'add ssl crt-list /etc/list.txt <<\n{0}'.format
    for line, refusal in [
            ('', 'should contain the certificate name'), ('/a\n/b', 'only one line'),
            (SITE + ' [alpn]', "ssl args out of '[]' for alpn"), ('[alpn h2]', 'must start with a cert'),
            (SITE + ' ]', "missing '['"), (SITE + ' [alpn h2] [x]', "too many '['")]:
        assert refusal in said_by(process, add(line))[0]
    assert said_by(process, add(SITE + ' [verify none alpn h2,http/1.1] *.a.test !b.a.test'))[0].endswith(
        '.\nSuccess!\n\n')
    assert process.crt_lists.lists['/etc/list.txt'].entries == [
        (SITE, [], None, 1), (SITE, ['*.a.test', '!b.a.test'], 'verify none alpn h2,http/1.1', 2)]
    assert said_by(process, 'show ssl crt-list -n /etc/list.txt')[0] == (
        '# /etc/list.txt\n{0}:1\n{0}:2 [alpn h2,http/1.1\0 verify none] *.a.test !b.a.test\n\n'.format(
            SITE))


@pytest.mark.parametrize('content', [
    'x', ders.pem('CERTIFICATE', b'0\0'), ders.pem('CERTIFICATE', ders.certificate(1)),
    pem(1, key=2), '-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n'])
def test_certificates_with_which_haproxy_would_not_start(content):
    with pytest.raises(ConfigurationError) as caught:
        process_of('3.2', site_pem=content)
    assert SITE in str(caught.value) and 'BEGIN' not in str(caught.value)


def test_files_that_are_not_there():
    with pytest.raises(ConfigurationError, match='files='):
        process_of('3.2', SERVING.replace(SITE, '/none.pem'))
    with pytest.raises(ConfigurationError, match='CA file'):
        process_of('3.2', TRUSTING, ca_pem=ders.pem('CERTIFICATE', b'0\0'))
    with pytest.raises(ConfigurationError, match='unknown ssl keyword bogus'):
        process_of('3.2', 'frontend f\n    bind :443 ssl crt-list /etc/list.txt strict-sni\n',
                   list_txt=SITE + ' [bogus x]\n')


def test_names_of_subjects_and_keys():
    """What the captures do not contain."""
    names = ['a.test', 'b.test']
    one = x509.Certificate(ders.certificate(0x80, '/C=FR/O=An org/CN=x', names=names))
    assert (one.serial, one.subject, one.names) == ('80', '/C=FR/O=An org/CN=x', 'DNS:a.test, DNS:b.test')
    assert one.algorithm == 'RSA2048' and one == x509.Certificate(one.der)
    assert one != x509.Certificate(ders.certificate(0x81)) and len(set([one, one])) == 1
    assert x509.key_in(ders.pem('PRIVATE KEY', ders.element(
        0x30, b'\2\1\0', ders.element(0x30, b'\6\1\x2a'), ders.element(4, ders.private_key(0x80)))
        )) == one.key
    assert x509.key_in(ders.pem('PRIVATE KEY', b'0\0')) == x509.ANY_KEY
    assert x509.key_in('') is None
