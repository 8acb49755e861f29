# SPDX-License-Identifier: Apache-2.0
"""protocol/replies.py: judge every captured reply of 13 versions.

The table ``VERDICTS`` contains the expected results, written by hand from the names of the cases
and what HAProxy did. Each reply is passed to the public method that sends its command.
"""
import pytest

from haproxyadmin import combine, exceptions, utils
from haproxyadmin.protocol import commands, replies, words
from haproxyadmin.testing import faults
from tests.support import captured, fakes, ocsp

# Kinds of replies: a change was made; a refusal; the entries of an ACL or map; the result of a
# lookup; a failure that looks like a success, so that the library must refuse the command before
# sending it; and a command that the library never sends.
DONE, NO, ENTRIES, MATCH, LOOKS_DONE, NEVER_SENT = (
    'done', 'no', 'entries', 'match', 'looks done', 'never sent')


def but(verdict, **others):
    """Return a verdict that differs for some versions: ``_1_7=NO``."""
    verdicts = dict.fromkeys(captured.VERSIONS, verdict)
    verdicts.update((name[1:].replace('_', '.'), other) for name, other in others.items())
    return verdicts


# 1.7.0 crashes on any "get acl", and returns an empty reply to "get map".
NOT_1_7 = but(MATCH, _1_7=LOOKS_DONE)
EMPTY_ON_1_7 = but(MATCH, _1_7=NO)
NO_SSL = {'_1_5': NO, '_1_5_8': NO, '_1_6': NO}

VERDICTS = {
    'acl show': {
        'show by #id inline': ENTRIES, 'show by file': ENTRIES, 'show by #id of the file': ENTRIES,
        'show bad id': NO, 'show bad file': NO, 'show non-number': NO,
    },
    'acl add': {
        'ok by #id': DONE, 'ok by file': DONE, 'again same': DONE, 'bad id': NO, 'bad file': NO,
        'no value': NO, 'bare': NO, 'value of a wrong type (ip)': NO, 'two values': LOOKS_DONE,
        'escaped space': but(DONE, _2_0=LOOKS_DONE), 'dup in file': DONE, 'network': DONE,
        'payload <<': NEVER_SENT, 'map id given to add acl': NO, 'verify': ENTRIES,
        'verify file': ENTRIES,
    },
    'acl get': {
        'hit': NOT_1_7, 'hit added': NOT_1_7, 'miss': NOT_1_7, 'hit file ip': NOT_1_7,
        'hit net': NOT_1_7, 'miss file ip': NOT_1_7, 'bad type': NOT_1_7, 'icase': NOT_1_7,
        'bad id': but(NO, _1_7=NEVER_SENT), 'bad file': but(NO, _1_7=NEVER_SENT),
        'no value': but(NO, _1_7=NEVER_SENT), 'bare': but(NO, _1_7=NEVER_SENT),
    },
    'acl del': {
        # 1.7.0 does not find added entries.
        'ok': but(DONE, _1_7=NO), 'ok file': but(DONE, _1_7=NO),
        # 3.4 removes one of two equal entries at a time.
        'again (missing key)': but(NO, _3_4=DONE),
        'missing key file': NO, 'bad id': NO, 'bad file': NO, 'no key': NO, 'bare': NO,
        'bad ref': NO, 'ok ref': DONE, 'configured value': DONE,
    },
    'acl clear': {
        'bad id': NO, 'bad file': NO, 'bare': NO, 'ok': DONE, 'ok already empty': DONE,
        'ok file': DONE, 'show empty': ENTRIES, 'get on empty': NOT_1_7,
    },
    'map show': {
        'by #id': ENTRIES, 'by file': ENTRIES, 'ip map': ENTRIES, 'bad id': NO, 'bad file': NO,
        "use_backend's map by #id": ENTRIES, "use_backend's map by file": ENTRIES,
        "use_backend's map: set by file": DONE,
    },
    'map add': {
        'ok by #id': DONE, 'ok by file': DONE, 'again same': DONE, 'bad id': NO, 'bad file': NO,
        'no value': NO, 'no key': NO, 'bare': NO, 'wrong key type': NO,
        'wrong value type (map_ip: any str)': DONE, 'three words': LOOKS_DONE,
        'escaped space': but(DONE, _2_0=LOOKS_DONE), 'payload <<': NEVER_SENT,
        'payload bad': NEVER_SENT, 'verify': ENTRIES, 'acl id given to add map': DONE,
    },
    'map get': {
        'hit': EMPTY_ON_1_7, 'miss': EMPTY_ON_1_7, 'hit file': EMPTY_ON_1_7,
        'ip hit': EMPTY_ON_1_7, 'ip miss': EMPTY_ON_1_7, 'ip bad type': EMPTY_ON_1_7,
        'duplicated key': EMPTY_ON_1_7, 'bad id': NO, 'bad file': NO, 'no key': NO, 'bare': NO,
    },
    'map set': {
        'ok by #id': DONE, 'ok by file': DONE, 'missing key': NO, 'bad id': NO, 'bad file': NO,
        'no value': NO, 'no key': NO, 'bare': NO, 'bad ref': NO, 'ok ref': DONE,
        'verify': ENTRIES, 'payload <<': NEVER_SENT, 'to empty?': DONE,
    },
    'map del': {
        'ok': DONE, 'again': but(NO, _3_4=DONE), 'ok file': DONE, 'missing file': NO,
        'bad id': NO, 'bad file': NO, 'no key': NO, 'bare': NO, 'bad ref': NO, 'ok ref': DONE,
    },
    'map clear': {
        'bad id': NO, 'bad file': NO, 'bare': NO, 'ok': DONE, 'again': DONE,
        'show empty': ENTRIES, 'get on empty': EMPTY_ON_1_7,
    },
    'enable/disable server': {
        'disable ok': DONE, 'disable again': DONE, 'enable ok': DONE, 'enable again': DONE,
        'disable tracker': DONE, 'enable tracker': DONE, 'disable tracked': DONE,
        'enable tracked': DONE, 'enable the configured-disabled one': DONE,
        'disable it back': DONE, 'disable nosrv': NO, 'disable nobe': NO, 'disable no slash': NO,
        'disable bare': NO, 'enable nosrv': NO, 'enable nobe': NO, 'enable no slash': NO,
        'enable bare': NO, "disable in a fronted 'server' of a frontend": NO,
    },
    'set server state': {
        'drain': DONE, 'maint': DONE, 'ready': DONE, 'ready again': DONE, 'drain on tracker': DONE,
        'ready on tracker': DONE, 'bogus': NO, 'no value': NO, 'nosrv': NO, 'nobe': NO, 'bare': NO,
        'only server': NO, 'unknown keyword': NO, 'no slash': NO,
    },
    'set weight / get weight': {
        'set 100': DONE, 'set 50': DONE, 'set 50%': DONE, 'set 0%': DONE, 'set 100%': DONE,
        'set 300': NO, 'set -1': NO, 'set abc': NO, 'set no value': NO, 'set bare': NO,
        'set nosrv': NO, 'set nobe': NO, 'set no slash': NO, 'static LB': NO,
        'static LB absolute': NO, 'get': NEVER_SENT, 'get nosrv': NEVER_SENT,
        'get nobe': NEVER_SENT, 'get no slash': NEVER_SENT, 'get bare': NEVER_SENT,
        'get agent-altered': NEVER_SENT,
    },
    'set server addr': {
        'new addr': DONE, 'same addr': DONE, 'ipv6': DONE, 'hostname server': DONE,
        'restore hostname server': DONE, 'bad addr': NO, 'missing': NO, 'nosrv': NO,
        'junk after': LOOKS_DONE, 'addr + port': DONE, 'same both': DONE, 'restore': DONE,
        # 1.7.0 misreads some ports.
        'port only changed': but(DONE, _1_7=NO),
        'relative port +1': LOOKS_DONE, 'port 70000': LOOKS_DONE, 'bad port': NO,
        'port w/o value': NO,
    },
    'set maxconn frontend': {
        'ok': DONE, '0': DONE, 'restore': DONE, 'nofe': NO, 'backend name': NO, '-1': NO,
        'missing': NO, 'bare': NO, 'bad': LOOKS_DONE, '10abc': LOOKS_DONE,
    },
    'set maxconn global': {
        'ok': DONE, '0': DONE, 'restore': DONE, 'too large': NO, 'missing': NO,
        'bad': LOOKS_DONE, '-1': LOOKS_DONE,
    },
    'set rate-limit': {
        'connections ok': DONE, 'connections again': DONE, 'connections 0': DONE,
        'connections bad': LOOKS_DONE, 'connections -1': NO, 'connections missing': NO,
        'connections local': NO,
        'sessions ok': DONE, 'sessions again': DONE, 'sessions 0': DONE,
        'sessions bad': LOOKS_DONE, 'sessions -1': NO, 'sessions missing': NO,
        'sessions local': NO,
        'ssl-sessions ok': but(DONE, **NO_SSL), 'ssl-sessions again': but(DONE, **NO_SSL),
        'ssl-sessions 0': but(DONE, **NO_SSL), 'ssl-sessions bad': but(LOOKS_DONE, **NO_SSL),
        'ssl-sessions -1': NO, 'ssl-sessions missing': NO, 'ssl-sessions local': NO,
        'http-compression ok': NEVER_SENT, 'http-compression again': NEVER_SENT,
        'http-compression 0': NEVER_SENT, 'http-compression bad': NEVER_SENT,
        'http-compression -1': NEVER_SENT, 'http-compression missing': NEVER_SENT,
        'http-compression local': NEVER_SENT, 'unknown': NO, 'bare': NO,
    },
    'frontend': {
        'enable already enabled': NO, 'disable': DONE, 'disable again': NO, 'enable': DONE,
        'enable nofe': NO, 'disable nofe': NO, 'shutdown nofe': NO, 'enable bare': NO,
        'disable bare': NO, 'shutdown bare': NO, 'disable backend name': NO, 'shutdown ok': DONE,
        'shutdown again': NO, 'enable after shutdown': NO, 'disable after shutdown': NO,
        'set maxconn after shutdown': DONE, "disable the listen 'haproxy'": DONE,
        # The captured 1.5.8 could not bind its port again.
        'enable it': but(DONE, _1_5_8=NO),
    },
    'counters': {
        'clear counters': DONE, 'clear counters all': DONE, 'clear counters bogus': LOOKS_DONE,
    },
    'sessions': {
        'shutdown sessions server ok': DONE, 'nosrv': NO, 'nobe': NO, 'no slash': NO,
        'bare server': NO, 'bare': NO, 'shutdown session bad id': NEVER_SENT,
        'shutdown session bare': NEVER_SENT, 'show sess bad': NEVER_SENT,
    },
}


def cases(version):
    """Return the captured cases of a version with their verdicts, without the notes."""
    found = []
    for case in captured.replies():
        is_note = case['command'].split(' ')[0].isupper()
        if case['version'] != version or case['group'] not in VERDICTS or is_note:
            continue
        verdict = VERDICTS[case['group']][case['case']]
        if isinstance(verdict, dict):
            verdict = verdict[version]
        first = '1.7' if ' port' in case['command'] else '1.6'
        if case['group'] == 'set server addr' and version < first:
            verdict = NEVER_SENT  # see test_server.py
        name = '{0}: {1}'.format(case['group'], case['case'])
        found.append((name, case['command'], fakes.whole(case['reply']), verdict))
    return found


def test_the_table_has_every_captured_case_and_no_other():
    notes = ('STAT', 'INFO')
    for group in VERDICTS:
        found = set(case['case'] for case in captured.replies(group)
                    if case['command'].split(' ')[0] not in notes)
        assert set(VERDICTS[group]) == found
    assert len(cases('2.2')) > 190


def lines_of(reply):
    lines = fakes.text(reply).strip('\n')
    return lines.split('\n') if lines else []


class Caller(object):
    """The public methods, on one fake of a version that returns a given reply."""

    def __init__(self, started):
        self.process = started[0]
        self.version = started.version
        self.hap = started.haproxy()
        self.server = self.hap.server('backend_proc1_srv1', 'backend_proc1')[0]
        self.frontend = self.hap.frontend('frontend_proc1')

    def call(self, command, reply):
        """Call the method that sends the command; return its value or its error."""
        # On 3.4, a deletion is repeated until nothing is left to delete.
        self.replies = [faults.replying(reply), faults.replying(b'Key not found.\n\n')]
        self.process.next(*self.replies)
        try:
            return self._method(command)()
        except exceptions.HAProxyBaseError as error:
            return error
        finally:
            self.process.next()

    def _method(self, command):
        hap, server, frontend = self.hap, self.server, self.frontend
        words = command.split(' ')
        if words[0] == 'set' and ' addr' in command:
            return self._set_port if ' port' in command else self._set_address
        methods = {
            'show acl': lambda: hap.show_acl(4), 'show map': lambda: hap.show_map(4),
            'get acl': lambda: hap.get_acl(4, 'x'), 'get map': lambda: hap.get_map(4, 'x'),
            'add acl': lambda: hap.add_acl(4, 'x'), 'add map': lambda: hap.add_map(4, 'x', 'y'),
            'set map': lambda: hap.set_map(4, 'x', 'y'),
            'del acl': lambda: hap.del_acl(4, 'x'), 'del map': lambda: hap.del_map(4, 'x'),
            'clear acl': lambda: hap.clear_acl(4), 'clear map': lambda: hap.clear_map(4),
            'clear counters': hap.clearcounters,
            'enable server': lambda: server.setstate('enable'),
            'disable server': lambda: server.setstate('disable'),
            'set server': lambda: server.setstate('ready'),
            'set weight': lambda: server.setweight(5),
            'shutdown sessions': server.shutdown,
            'enable frontend': frontend.enable, 'disable frontend': frontend.disable,
            'shutdown frontend': frontend.shutdown,
            'set maxconn frontend': self._set_maxconn_frontend,
            'set maxconn global': lambda: hap.setmaxconn(5),
            'set rate-limit sessions': lambda: hap.setratelimitsess(5),
            'set rate-limit ssl-sessions': lambda: hap.setratelimitsslsess(5),
            'set rate-limit': lambda: hap.setratelimitconn(5),
        }
        return methods.get(' '.join(words[:3])) or methods[' '.join(words[:2])]

    def _set_maxconn_frontend(self):
        if self.version in ('2.6', '2.8'):
            # The library looks at the frontend first, because these versions may crash.
            self.process.next(faults.answering(), *self.replies)
        return self.frontend.setmaxconn(5)

    def _set_address(self):
        self.server.address = '127.0.0.9'
        return True

    def _set_port(self):
        # The library reads the address first.
        self.process.next(faults.answering(), *self.replies)
        self.server.port = 99
        return True


def is_as_it_should_be(outcome, verdict, reply):
    text = '\n'.join(lines_of(reply))
    if verdict == DONE:
        return outcome is True
    if verdict == ENTRIES:
        return outcome == lines_of(reply)
    if verdict == MATCH:
        return outcome == text
    return type(outcome) is exceptions.CommandFailed and str(outcome) == (text or 'HAProxy answered nothing')


@pytest.mark.parametrize('version', captured.VERSIONS)
def test_each_reply_is_judged_as_what_it_is(version, fleet):
    """[errors are not data; same address]"""
    caller = Caller(fleet(version))
    wrong = []
    for case, command, reply, verdict in cases(version):
        if verdict in (NEVER_SENT, LOOKS_DONE):
            continue
        outcome = caller.call(command, reply)
        if not is_as_it_should_be(outcome, verdict, reply):
            wrong.append((case, verdict, reply, outcome))
    assert not wrong


@pytest.mark.parametrize('version', captured.VERSIONS)
def test_check_output_tells_errors_from_the_rest(version):
    """[errors are not data]"""
    wrong = []
    for case, _, reply, verdict in cases(version):
        lines = lines_of(reply)
        if verdict in (DONE, ENTRIES, MATCH):
            expected = True
        elif verdict == NO and lines:
            expected = False
        else:
            continue
        if utils.check_output(lines) is not expected:
            wrong.append((case, verdict, reply))
    assert not wrong


@pytest.mark.parametrize('version', captured.VERSIONS)
def test_a_refused_level_is_an_error(version):
    """[errors are not data] The reply of a socket with a lower level."""
    for case in captured.replies('misc', 'LOW '):
        if case['version'] == version and case['reply'].startswith('Permission'):
            text = case['reply'].strip('\n')
            assert utils.check_output([text]) is False
            with pytest.raises(exceptions.CommandFailed):
                combine.check_command([(1, text)])


@pytest.mark.parametrize('version', captured.VERSIONS)
def test_an_unknown_command_is_an_error(version, fleet):
    """[errors are not data] Such as "get map" on a HAProxy that is too old, or built without it."""
    caller = Caller(fleet(version))
    for command in ('show acl', 'show map', 'get map', 'add map', 'clear counters', 'set weight'):
        outcome = caller.call(command, fakes.reply_to(caller.process.version, 'bogus command'))
        assert type(outcome) is exceptions.CommandFailed
        assert str(outcome).startswith('Unknown command')


# Failures that look like successes

@pytest.mark.parametrize('call', [
    lambda: commands.set_maxconn_frontend('f', 'abc', (2, 2, 9)),
    lambda: commands.set_maxconn_frontend('f', '10abc', (2, 2, 9)),
    lambda: commands.set_maxconn_global('abc'),
    lambda: commands.set_maxconn_global(-1),
    lambda: commands.set_rate_limit('connections', 'abc'),
    lambda: commands.set_rate_limit('sessions', 'abc'),
    lambda: commands.set_rate_limit('ssl-sessions', 'abc'),
    lambda: words.check_port('+1'),
    lambda: words.check_port(70000),
    lambda: words.check_port('abc'),
    lambda: commands.patterns('get', 'acl', 4, (1, 7, 0), 'x'),
    lambda: commands.patterns('add', 'acl', 4, (2, 0, 0), '/with space'),
    lambda: commands.patterns('add', 'map', 7, (2, 0, 0), 'k4', 'v four'),
])
def test_a_failure_that_looks_like_a_success_is_refused_before_it_is_sent(call):
    """[argument checks; one word per text; errors are not data]"""
    with pytest.raises(ValueError):
        call()


@pytest.mark.parametrize('line, words', [
    (commands.patterns('add', 'acl', 4, (2, 2, 9), '/two /three'), 4),
    (commands.patterns('add', 'map', 7, (2, 2, 9), 'k3', 'v3 extra'), 5),
    (commands.set_address(b'b/s', words.escape_word('127.0.0.3 bogus 5', (2, 2, 9))), 5),
    (commands.clear_counters('bogus', (2, 2, 9)), 3),
])
def test_no_surplus_word_can_be_sent(line, words):
    """[one word per text] HAProxy ignores surplus words silently."""
    assert len(line.replace(b'\\ ', b'').split(b' ')) == words
    assert b'bogus' not in line.split(b' ')


# Complete or truncated

@pytest.mark.parametrize('reply, reads, whole', [
    (b'Name: HAProxy\n\n', True, True),
    (b'Name: HAProxy\n', True, False),
    (b'Name: HAPro', True, False),
    (b'\n', True, True),
    (b'\n', False, True),
    (b'Done.\n\n', False, True),
    (b'Trailing garbage in weight string\n', False, True),
    (b'Trailing garb', False, False),
    (b'0x1 /a\n0x2 /b', True, False),
    (b'0x1 /a\n', True, False),
    (b'# pxname,svname,\n', True, False),
    (b'No such event sink\n', True, True),
    (b'No such event si', True, False),
    (b'[{"field":{"pos":0}}]\n', True, True),
    (b'{"oneOf":[]}\n', True, True),
    (b'[{"field":{"pos":0}}\n', True, True),
    (b'[{"field":{"pos":\n', True, False),
    (b'\n> ', False, True),
    # Of a long revocation list, HAProxy leaves out what does not fit, also the end of a line.
    (b'Revocation Date: Nov 26 18:00:00 2026 GMT\nVersion 1\nIssuer: \n', True, True),
    (b'List #2:\nVersion 1\nIssuer: Last Update: \n', True, True),
    (b'Last Update: Nov 24 19:08:34 2026 GMT\nNext Update: \n', True, True),
    (b'Last Update: Nov 24 19:08:34 2026 GMT\nNext Update: ', True, False),
    (b'Issuer: /CN=old\n', True, False),
    (b'0x1 /a b\n0x2 /c Issuer: \n', True, False),
    (b'Chain Issuer: \n', True, False),
])
def test_a_reply_that_was_cut_is_known(reply, reads, whole):
    """[errors are not data] Up to 2.8, some refusals of changes end with a single newline."""
    assert replies.is_whole(reply, reads) is whole


@pytest.mark.parametrize('text', [ocsp.GOOD, ocsp.EARLIER, ocsp.REVOKED])
def test_der_in_base64_is_a_single_line(text):
    reply = text.encode('ascii') + b'\n'
    assert replies.is_whole(reply, True)
    for end in range(1, len(reply)):
        assert not replies.is_whole(reply[:end], True)
    assert not replies.is_whole(reply + b'x', True) and not replies.is_whole(b'Mx\n', True)


@pytest.mark.parametrize('version', captured.VERSIONS)
def test_every_dump_is_whole(version):
    for name in ('info.txt', 'stat.csv', 'acl.txt', 'map.txt', 'acl_4.txt', 'map_7.txt',
                 'errors.txt'):
        reply = captured.dump(version, name)
        assert replies.is_whole(reply, True)
        assert not replies.is_whole(reply[:-1], True)


# The documented functions

@pytest.mark.parametrize('results', [
    [(1, '')], [(1, ''), (2, '')], [(1, 'Done.'), (2, 'Done.')], [(1, ''), (2, 'Done.')]])
def test_check_command_returns_true_when_all_succeeded(results):
    """[verdicts] Verdicts are compared, not texts."""
    assert combine.check_command(results) is True


@pytest.mark.parametrize('results', [
    [(1, 'No such server.')],
    [(1, 'No such server.'), (2, 'No such server.')],
    [(1, 'No such server.'), (2, 'No such backend.')],
])
def test_check_command_raises_a_common_refusal(results):
    """[verdicts]"""
    with pytest.raises(exceptions.CommandFailed) as caught:
        combine.check_command(results)
    assert str(caught.value) == 'No such server.'
    assert caught.value.results == results
    assert (caught.value.command, caught.value.socket_file, caught.value.by_socket) == (
        None, None, [])


@pytest.mark.parametrize('line', [
    'SSH-2.0-OpenSSH_9.2p1\r', 'ERROR\r', '220 mail.example ESMTP\r', 'HTTP/1.1 400 Bad request\r',
    '-ERR unknown command\r', '\x15\x03\x01',
])
def test_other_servers_do_not_talk_like_haproxy(line):
    assert not replies.is_message(line)


def test_a_refusal_without_words_says_so():
    """[messages]"""
    with pytest.raises(exceptions.CommandFailed) as caught:
        combine.check_command_addr_port('port', [(1, '')])
    assert str(caught.value) == 'HAProxy answered nothing'


@pytest.mark.parametrize('results', [
    [(1, ''), (2, 'No such server.')], [(1, 'Permission denied'), (2, 'Done.')]])
def test_check_command_tells_mixed_results(results):
    """[verdicts]"""
    with pytest.raises(exceptions.MultipleCommandResults) as caught:
        combine.check_command(results)
    assert caught.value.results == results


IP = "IP changed from '127.0.0.1' to '127.0.0.2' by 'stats socket command'"
PORT = "no need to change the addr, port changed from '80' to '81' by 'stats socket command'"


@pytest.mark.parametrize('kind, results, expected', [
    ('addr', [(1, IP)], True),
    ('addr', [(1, IP), (2, "no need to change the addr by 'stats socket command'")], True),
    ('addr', [(1, 'nothing changed'), (2, '')], True),
    ('addr', [(1, "Invalid addr 'x'")], exceptions.CommandFailed),
    ('addr', [(1, 'No such server.'), (2, 'No such server.')], exceptions.CommandFailed),
    ('addr', [(1, IP), (2, "Invalid addr 'x'")], exceptions.MultipleCommandResults),
    ('addr', [(1, 'Could not understand IP address format.')], exceptions.CommandFailed),
    ('port', [(1, PORT), (2, 'nothing changed')], True),
    ('port', [(1, "no need to change the addr, no need to change the port by 'x'")], True),
    ('port', [(1, "no need to change the addr, problem converting port 'x' to an int by 'y'")],
     exceptions.CommandFailed),
    ('port', [(1, PORT), (2, "problem converting port '' to an int")],
     exceptions.MultipleCommandResults),
    ('port', [(1, '')], exceptions.CommandFailed),
    ('state', [(1, '')], ValueError),
    ('', [(1, IP)], ValueError),
])
def test_check_command_addr_port(kind, results, expected):
    """[same address]"""
    if expected is True:
        assert combine.check_command_addr_port(kind, results) is True
    else:
        with pytest.raises(expected):
            combine.check_command_addr_port(kind, results)


@pytest.mark.parametrize('output, expected', [
    ([], True),
    ([''], True),
    (['Done.'], True),
    (['0x12ea940 /static/css/'], True),
    (['0x12ea940 Unknown command'], True),
    (['type=beg, case=sensitive, match=no'], True),
    (['# id (file) description', '0 (f) x'], True),
    (['Unknown ACL identifier. Please use #<id> or <file>.'], False),
    (['[3]: No such server.'], False),
    (['[6]: admin'], True),
    (['[6]: Unknown command'], False),
    (['Name: HAProxy', 'Version: 2.2.9'], True),
])
def test_check_output(output, expected):
    """[errors are not data]"""
    assert utils.check_output(output) is expected


# Settings of servers

# By the group and the case: the version from which it succeeds, and perhaps the first that refuses
# it again. All other cases are refused by every version.
SINCE = {
    'set server state': {'drain': '1.5.8', 'maint': '1.5.8', 'ready': '1.5.8',
                         'ready again': '1.5.8', 'drain on tracker': '1.5.8',
                         'ready on tracker': '1.5.8'},
    'set server agent': {"'down'": '1.5.8', "'up'": '1.5.8', 'agent-addr': '1.8',
                         'agent-port': '2.4', 'agent-send': '1.8'},
    'set server health': {"'stopping'": '1.5.8', "'down'": '1.5.8', "'up'": '1.5.8',
                          'no check server': '1.5.8'},
    'set server fqdn': {'with resolvers': '1.8', 'same': '1.8', 'back': '1.8'},
    'set server check-port': {
        'ok (has port)': '1.7', 'server w/o port option': '1.7', '0': '1.7', 'restore': '1.7',
        'check-addr': ('2.4', '3.4'), 'check-addr port': ('2.4', '3.4'),
        # From here on success means nothing, up to the version that refuses it.
        'no check server': ('1.7', '2.4'), 'bad': ('1.7', '1.8'), '70000': ('1.7', '1.8'),
        'missing': ('1.7', '1.8')},
    'set server ssl': {},
    'set maxconn server': {'ok': '1.7', '0': '1.7', '-1': '1.7'},
    'enable/disable health, agent': dict.fromkeys([
        'disable health ok', 'disable health again', 'disable health no check',
        'disable agent ok', 'disable agent again', 'disable agent w/o agent',
        'enable health ok', 'enable health again', 'enable agent ok', 'enable agent again'],
        '1.5.8'),
    'dynamic servers and other newer commands': {
        'add server (no mode)': '2.6', 'experimental-mode on; add server': '2.4',
        'del server dyn': '2.6'},
}
SINCE['enable/disable health, agent']['enable health no check'] = ('1.7', '2.4')
# What is not a change of a server.
OTHERS = ('expert: set var', 'set severity-output number', 'set severity-output, bad', 'prompt',
          'enable dynamic-cookie', 'set dynamic-cookie-key')


@pytest.mark.parametrize('version', captured.VERSIONS)
def test_changes_of_servers(version):
    """[all or none; dynamic servers; errors are not data]"""
    wrong, place = [], captured.VERSIONS.index(version)
    for case in captured.replies():
        name = case['case']
        if (case['version'] != version or case['group'] not in SINCE or name in OTHERS
                or not case['command'].startswith(('set ', 'add ', 'del ', 'enable ', 'disable ',
                                                   'experimental-mode on;add'))):
            continue
        since = SINCE[case['group']].get(name, ())
        first, end = since if isinstance(since, tuple) and since else (since or None, None)
        expected = first is not None and captured.VERSIONS.index(first) <= place and (
            end is None or place < captured.VERSIONS.index(end))
        reply = case['reply'].strip('\n')
        if replies.is_server_success(reply) is not expected:
            wrong.append((case['group'], name, case['reply'], expected))
    assert not wrong


def test_changes_of_servers_are_all_in_the_captures():
    for group, names in SINCE.items():
        assert set(names) <= set(case['case'] for case in captured.replies(group))


@pytest.mark.parametrize('reply', [
    'New server registered', 'new server registered.', 'Servers deleted.', 'deleted.', 'Done',
    'x New server registered.', 'Server deleted', 'server ssl setting updated', 'changed its FQDN',
    'No such server.', exceptions.SocketTimeout('/s')])
def test_what_is_no_success(reply):
    """[errors are not data]"""
    assert not replies.is_server_success(reply)


@pytest.mark.parametrize('reply, expected', [
    ('Server still has connections attached to it, cannot remove it.', True),
    ('Server deleted.', False), ('', False), (exceptions.SocketTimeout('/s'), False)])
def test_a_server_that_is_in_use(reply, expected):
    """[dynamic servers]"""
    assert replies.is_in_use(reply) is expected


# Stick tables

def of_tables(pattern):
    return [(case, case['reply'].split('\n')[0]) for case in captured.tables() + captured.replies(
        'tables') if case['command'].startswith(pattern)]


def test_what_a_stick_table_does_not_store():
    """Also for a condition, of which the number is named first."""
    answers = of_tables('set table') + of_tables('show table') + of_tables('clear table')
    found = [case for case, line in answers if replies.is_not_stored(line)]
    # 2.0.0 says so of every condition.
    assert all('bogus' in case['command'] or 'conn_cnt' in case['command'] or '(' in case['command']
               or 'st_arr' in case['command'] or case['version'] in ('1.8', '2.0', '2.2', '2.4')
               for case in found)
    assert len(found) > 50
    for case, line in answers:
        if 'bogus ' in case['command'] and 'data.bogus' in case['command']:
            assert replies.is_not_stored(line), case


def test_what_is_refused_after_something_may_have_been_stored():
    for case, line in of_tables('set table'):
        expected = bool(line) and not line.startswith((
            'Invalid key', 'No such table', 'Unknown action', 'Required arguments', 'Key value',
            'Unable to', 'Inserting keys', 'No entry can be found'))
        assert replies.is_refused_later(line) is expected, case
    assert replies.is_refused_later('index out of range in this data array')
    assert replies.is_refused_later('"data.<type>" followed by a value expected')


def test_an_entry_that_is_in_use():
    found = [case for case, line in of_tables('') if replies.is_entry_in_use(line)]
    assert found and all(case['reply'] == 'Entry currently in use, cannot remove\n\n'
                         for case in found)
