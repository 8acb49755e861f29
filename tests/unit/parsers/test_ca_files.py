# SPDX-License-Identifier: Apache-2.0
"""parsers/ca_files.py: lists of CA files, and what is in a CA file or a CRL file."""
import datetime

import pytest

from haproxyadmin.exceptions import CommandFailed
from haproxyadmin.parsers.ca_files import (RevocationList, Shown, parse_ca_file, parse_ca_list,
                                           parse_crl_file)
from haproxyadmin.parsers.certificates import parse_list
from haproxyadmin.parsers.lines import split_lines
from haproxyadmin.parsers.times import UTC
from haproxyadmin.protocol import replies
from haproxyadmin.testing.texts import raw
from tests.support import captured

CA, CRL = 'DIR/ca-bind.pem', 'DIR/crl.pem'
HEAD = 'Filename: /crl.pem\nStatus: Used\n'
LIST = """ \nCertificate Revocation List #{0}:
Version 2
Signature Algorithm: ecdsa-with-SHA256
Issuer: /CN={0}
Last Update: Nov 24 19:08:34 2026 GMT
Next Update: Nov 24 19:08:34 2027 GMT
"""
NONE, SOME = 'No Revoked Certificates.\n', 'Revoked Certificates:\n'
REVOKED = '    Serial Number: {0}\n        Revocation Date: Nov 24 19:08:34 2026 GMT\n'
UPDATES = [datetime.datetime(year, 11, 24, 19, 8, 34, tzinfo=UTC) for year in (2026, 2027)]


def lines_of(reply):
    return split_lines(raw(reply))


def cases(beginning):
    return [(case['version'], case['reply']) for case in captured.ca_files()
            if case['command'].startswith(beginning)]


def parsed(parse, command):
    """Return what a parser makes of all captured replies to a command, by version."""
    return [(case['version'], parse(lines_of(case['reply']))) for case in captured.ca_files()
            if case['command'] == command and case['reply'].startswith(('#', 'Filename', '\n'))]


def test_lists_of_ca_files_of_all_versions():
    found = parsed(parse_ca_list, 'show ssl ca-file')
    assert set(version for version, _ in found) == set(['2.6', '2.8', '3.0', '3.2', '3.4'])
    for _, (names, transaction) in found:
        assert names in ([CA, '@system-ca'], [CA, '@system-ca', 'mine'])
        assert transaction in (None, CA, 'mine')
    assert set(transaction for _, (_, transaction) in found) == set([None, CA, 'mine'])
    found = parsed(parse_list, 'show ssl crl-file')
    assert set(names[0] for _, (names, _) in found) == set([CRL])


def test_names_that_look_like_counts():
    names = ['/a - 1 certificate(s)', '/b c.pem']
    reply = '# transaction\n*{0} - 2 certificate(s)\n# filename\n{0} - 1 certificate(s)\n' \
        '{1} - 0 certificate(s)\n\n'.format(*names)
    assert parse_ca_list(lines_of(reply)) == (names, names[0])


def test_ca_files_of_all_versions():
    found = parsed(parse_ca_file, 'show ssl ca-file ' + CA)
    assert set(version for version, _ in found) == set(['2.6', '2.8', '3.0', '3.2', '3.4'])
    for _, shown in found:
        assert shown.status == 'Used' and 1 <= len(shown.content) <= 3
        for certificate in shown.content:
            fields = dict(certificate)
            assert fields['Subject'].startswith('/C=FR/O=Facts/CN=Facts CA')
            assert len(fields['SHA1 FingerPrint']) == 40
            assert fields['Subject Alternative Name'] == ''
    statuses = set(shown.status for _, shown in parsed(parse_ca_file, 'show ssl ca-file *' + CA))
    assert statuses == set(['Unused', 'Uncommitted'])
    assert parse_ca_file(lines_of('\n')) == Shown('Empty', [])


def test_a_ca_file_that_needs_several_buffers():
    """HAProxy repeats its head."""
    one = dict(parsed(parse_ca_file, 'show ssl ca-file ' + CA))['3.2'].content[0]
    body = ' \nCertificate #{0}:\n' + ''.join(': '.join(pair) + '\n' for pair in one)
    head = 'Filename: /a.pem\nStatus: Used\n'
    reply = head + body.format(1) + body.format(2) + head + body.format(3) + '\n'
    assert len(parse_ca_file(lines_of(reply)).content) == 3
    listed = '# filename\n/a.pem - 3 certificate(s)\n\n'
    lines = lines_of(listed + reply + "Can't display the CA file : Not found!\n\n")
    found, shown = replies.split_shown(lines, ['/a.pem', '*/a.pem'])
    assert parse_ca_list(found).names == ['/a.pem']
    assert [len(parse_ca_file(shown[0]).content), shown[1]] == [
        3, ["Can't display the CA file : Not found!"]]
    found, shown = replies.split_commit(lines_of('Committing /a.pem..\nSuccess!\n\n' + reply))
    assert replies.is_committed(found) and len(parse_ca_file(shown).content) == 3


UNKNOWN = "Can't display the CA file : Not found!\n\n"
LIVE, SET = 'Filename: e\nStatus: Unused\n\n', 'Filename: *e\nStatus: Uncommitted\n\n'


@pytest.mark.parametrize('reply, begins', [
    (LIVE + SET, ['Filename: e', 'Filename: *e']), (LIVE + UNKNOWN, ['Filename: e', UNKNOWN[:9]]),
    (UNKNOWN * 2, [UNKNOWN[:9]] * 2),
    # HAProxy shows nothing of what is empty.
    ('\n' + UNKNOWN, ['', UNKNOWN[:9]]), ('\n' + SET, ['', 'Filename: *e']),
    (LIVE + '\n', ['Filename: e', '']), ('\n\n', ['', ''])])
def test_what_is_shown_of_two_files(reply, begins):
    listed = '# filename\n@system-ca - 144 certificate(s)\ne - 0 certificate(s)\n\n'
    lines, shown = replies.split_shown(lines_of(listed + reply), ['e', '*e'])
    assert len(lines) == 3
    assert [''.join(part[:1])[:len(begin)] if begin else part
            for part, begin in zip(shown, begins)] == [begin or [] for begin in begins]


def test_more_files_than_were_asked_for():
    with pytest.raises(replies.Malformed):
        replies.split_shown(lines_of('# filename\n\n' + LIVE + SET), ['e'])


def test_crl_files_of_all_versions():
    found = parsed(parse_crl_file, 'show ssl crl-file ' + CRL)
    assert set(version for version, _ in found) == set(['2.6', '2.8', '3.0', '3.2', '3.4'])
    for _, shown in found:
        listed, = shown.content
        assert shown.status == 'Used'
        assert listed.issuer == '/C=FR/O=Facts/CN=Facts CA'
        assert (listed.next_update - listed.last_update).days == 365
        assert listed.is_complete
    assert set(tuple(shown.content[0].revoked) for _, shown in found) == set([(), ('1009',)])


def test_what_a_crl_file_contains():
    reply = HEAD + LIST.format(2) + NONE + LIST.format(1) + SOME + ''.join(
        map(REVOKED.format, ['FF', '00', '0A', '-01', '0100'])) + '\n'
    assert parse_crl_file(lines_of(reply)) == Shown('Used', [
        RevocationList('/CN=1', UPDATES[0], UPDATES[1], ['-01', '00', '0A', 'FF', '0100'], True),
        RevocationList('/CN=2', UPDATES[0], UPDATES[1], [], True)])
    assert parse_crl_file(lines_of('Filename: e\nStatus: Empty\n\n')) == Shown('Empty', [])


def test_what_haproxy_leaves_out_of_a_crl_file():
    """It shows what fits into a buffer, without a word about the rest."""
    many = ''.join(REVOKED.format('{0:04X}'.format(number)) for number in range(220))
    whole = HEAD + LIST.format(1) + SOME + many
    assert len(whole) > 16000
    for more in ['', LIST.format(2) + SOME, ' \nCertificate Revocation List #2:\nVersion 2\n',
                 ' \nCertificate Revocation List #2:\nIssuer: /CN=2\nLast Update: \nNext Update: ']:
        content = parse_crl_file(lines_of(whole + more + '\n\n')).content
        assert [len(one.revoked) for one in content] == ([220, 0] if SOME in more else [220])
        assert not any(one.is_complete for one in content)
    assert parse_crl_file(lines_of(HEAD + LIST.format(1) + SOME + many[:-2000])).content[0].is_complete


@pytest.mark.parametrize('reply', [
    HEAD + LIST.format(1), HEAD + LIST.format(1).replace('Next', 'Then') + NONE,
    HEAD + LIST.format(1).replace(': /CN=1', '') + NONE,
    HEAD + LIST.format(1).replace(' GMT', '') .replace('19:08', 'x') + NONE,
    'Filename: /crl.pem\n\n', '0x55 k\n\n'])
def test_a_crl_file_that_is_cut_short(reply):
    """[errors are not data]"""
    with pytest.raises(replies.Malformed):
        parse_crl_file(lines_of(reply))


@pytest.mark.parametrize('parse, reply', [
    (parse_ca_file, 'Filename: /a.pem\n\n'), (parse_ca_list, '# filename\n/a.pem\n\n'),
    (parse_ca_list, '# transaction\n# filename\n\n'), (parse_ca_list, '/a.pem\n\n'),
    (parse_ca_file, 'Filename: /a\nStatus: Used\n \nCertificate #1:\nSerial: 1\n\n'),
    (parse_ca_file, 'Filename: /a\nStatus: Used\n \nCertificate #1:\nSHA1 FingerPrint: 1\n\n')])
def test_a_ca_file_that_is_cut_short(parse, reply):
    """[errors are not data]"""
    with pytest.raises(replies.Malformed):
        parse(lines_of(reply))


@pytest.mark.parametrize('parse, kind', [
    (parse_ca_file, 'ca'), (parse_crl_file, 'crl'), (parse_ca_list, 'ca')])
def test_a_refusal_is_an_error(parse, kind):
    """[errors are not data]"""
    refusals = ["Can't allocate memory!\n\n"] + [
        case['reply'] for case in captured.ca_files() if case['version'] in ('2.2', '2.4')
        or case['command'] == 'show ssl {0}-file none'.format(kind)]
    for reply in refusals:
        with pytest.raises(CommandFailed):
            parse(lines_of(reply))


def test_the_replies_to_changes_of_all_versions():
    commands = {'set': 0, 'add': 0, 'commit': 0, 'abort': 0, 'new': 0, 'del': 0}
    for case in captured.ca_files():
        action = case['command'].split(' ')[0]
        if case['version'] in ('2.2', '2.4') or action not in commands:
            continue
        reply = '\n'.join(lines_of(case['reply']))
        refused = ('expects', 'Unknown', "Can't", 'already', 'payload', 'ongoing transaction is',
                   'Failed', 'unable')
        accepted = {
            'set': replies.transaction_of, 'add': replies.transaction_of,
            'commit': lambda reply: replies.is_committed(reply.split('\n')),
            'abort': replies.is_aborted, 'new': replies.is_created, 'del': replies.is_deleted,
        }[action](reply)
        assert bool(accepted) != any(word in reply for word in refused) or not reply, case
        commands[action] += bool(accepted)
    assert all(commands.values()), commands
