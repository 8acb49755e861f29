# SPDX-License-Identifier: Apache-2.0
"""Tests of tickets.py: keys of TLS tickets over several processes."""
import base64
import logging
import pickle
import traceback

import pytest

from haproxyadmin import exceptions, tickets
from haproxyadmin.haproxy import HAProxy
from haproxyadmin.internal.endpoint import Endpoint
from haproxyadmin.protocol.words import check_ticket_key
from haproxyadmin.testing import faults
from tests.support import captured
from tests.unit.test_certificates import pem

KEY = bytes(bytearray(range(100, 148)))
LONG_KEY = bytes(bytearray(range(100, 180)))
OTHER_KEYS = '\n'.join(letter * 64 for letter in 'ABC')
SECRET = base64.b64encode(KEY).decode('ascii')
SHOW = 'show tls-keys'
LISTED = '# id (file)\n0 (/b.key)\n1 (/a.key)\n\n'
SET = 'set ssl tls-key /a.key ' + SECRET


CONFIG = """
frontend f
    bind :443 ssl crt /site.pem tls-ticket-keys /a.key
    bind :444 ssl crt /site.pem tls-ticket-keys /b.key
"""
FILES = {'/site.pem': pem(1), '/a.key': OTHER_KEYS, '/b.key': OTHER_KEYS}


@pytest.fixture
def pair(fleet):
    return fleet('3.2', 2, config=CONFIG, files=FILES)


def changes(started):
    return [[command for command in received if not command.startswith('show ')]
            for received in started.commands]


# Reading

def test_files_of_several_processes(pair):
    """[ticket keys]"""
    second, first = pair.haproxy().tls_ticket_keys()
    assert first == (1, '/a.key', [(path, 1) for path in pair.paths])
    assert (second.id, second.file) == (0, '/b.key')
    assert pickle.loads(pickle.dumps(first, 2)) == first


def test_files_with_other_numbers(pair):
    pair[1].answers[SHOW] = '# id (file)\n0 (/a.key)\n1 (/c.key)\n\n'
    found = pair.haproxy().tls_ticket_keys()
    assert [(keys.id, keys.file) for keys in found] == [
        (0, '/b.key'), (None, '/a.key'), (1, '/c.key')]
    assert found[1].by_socket == list(zip(pair.paths, [1, 0]))


@pytest.mark.parametrize('version', captured.VERSIONS)
def test_versions(version, fleet):
    """[not supported]"""
    started = fleet(version, 2, config=CONFIG, files=FILES)
    hap = started.haproxy()
    started.forget()
    if captured.VERSIONS.index(version) < captured.VERSIONS.index('1.8'):
        for call in (hap.tls_ticket_keys, lambda: hap.set_tls_ticket_key('/a.key', KEY)):
            with pytest.raises(exceptions.NotSupported) as info:
                call()
            assert info.value.needs == '1.8'
        assert started.commands == [[], []]
    else:
        assert len(hap.tls_ticket_keys()) == 2
        assert hap.set_tls_ticket_key('/a.key', KEY) is True
        assert [dict(process.tickets.files)['/a.key'].keys[-1] for process in started] == [SECRET] * 2
        assert [dict(process.tickets.files)['/b.key'].keys[-1] for process in started] == ['C' * 64] * 2


def test_what_it_costs(pair):
    """[one command per call] [ticket keys]"""
    hap = pair.haproxy()
    pair.forget()
    hap.tls_ticket_keys()
    assert pair.commands == [[SHOW]] * 2
    pair.forget()
    hap.set_tls_ticket_key('/a.key', KEY)
    assert pair.commands == [[SHOW, SET]] * 2


# Setting

@pytest.mark.parametrize('file', ['/a.key', b'/a.key', 1])
def test_a_file_by_name_or_number(file, pair):
    assert pair.haproxy().set_tls_ticket_key(file, KEY) is True
    assert changes(pair) == [[SET]] * 2


@pytest.mark.parametrize('key', [KEY, bytearray(KEY), SECRET, SECRET.encode('ascii'),
                                 SECRET[:40] + '\r\n' + SECRET[40:] + '\n'])
def test_forms_of_a_key(key):
    assert check_ticket_key(key) == SECRET.encode('ascii')


def test_a_long_key():
    assert check_ticket_key(LONG_KEY) == base64.b64encode(LONG_KEY)
    wrapped = base64.b64encode(LONG_KEY)[:64] + b'\n' + base64.b64encode(LONG_KEY)[64:] + b'\n'
    assert check_ticket_key(wrapped) == base64.b64encode(LONG_KEY)


@pytest.mark.parametrize('key', [
    KEY[:47], KEY + b'x', u'x' * 48, SECRET[:-1], SECRET + '=', SECRET[:60], 'A' * 64 + ';', '',
    u'\xe9' * 64, None, 5, SECRET.replace('a', '-').replace('Z', '_'), 'A' * 62 + 'A='])
def test_what_is_no_key(key, pair):
    """[argument checks] [secrets]"""
    hap = pair.haproxy()
    pair.forget()
    with pytest.raises(ValueError) as info:
        hap.set_tls_ticket_key('/a.key', key)
    shown = str(info.value)
    assert shown.startswith('a key of TLS tickets must be 48 or 80 bytes, or their base64')
    assert not (isinstance(key, type(SECRET)) and len(key) > 40 and key in shown)
    assert pair.commands == [[], []]


@pytest.mark.parametrize('file, message', [
    ('/A.key', "no file '/A.key' with keys of TLS tickets; did you mean '/a.key' or '/b.key'?"),
    ('x', "no file 'x' with keys of TLS tickets; there are '/a.key' and '/b.key'"),
    (7, 'no file 7 with keys'), ('#0', "no file '#0' with keys"), (-1, 'id of a file must be'),
    (None, 'expected the file of the keys or its id, got None'), (True, 'expected the file of the keys or its id, got True')])
def test_a_file_that_is_not_there(file, message, pair):
    """[what is not there]"""
    with pytest.raises(ValueError) as info:
        pair.haproxy().set_tls_ticket_key(file, KEY)
    assert str(info.value).startswith(message) and changes(pair) == [[], []]


def test_a_number_that_means_different_files(pair):
    pair[1].answers[SHOW] = LISTED.replace('1 (', '2 (').replace('0 (', '1 (')
    with pytest.raises(ValueError):
        pair.haproxy().set_tls_ticket_key(1, KEY)
    assert changes(pair) == [[], []]


def test_a_process_without_the_file_is_left_out(pair):
    pair[1].answers[SHOW] = '# id (file)\n\n'
    assert pair.haproxy().set_tls_ticket_key('/a.key', KEY) is True
    assert changes(pair) == [[SET], []]


@pytest.mark.parametrize('reply, kind', [
    ("'set ssl tls-key' received a key of wrong size.\n\n", exceptions.MultipleCommandResults),
    ('\n', exceptions.MultipleCommandResults),
    (faults.closing(), exceptions.SocketApplicationError)])
def test_what_cannot_be_undone_is_reported_without_the_key(reply, kind, pair, caplog):
    """[all or none] [secrets]"""
    hap = pair.haproxy(retry=None)
    if callable(reply):
        pair[1].next(faults.answering(), reply)
    else:
        pair[1].answers[SET] = reply
    with caplog.at_level(logging.DEBUG, 'haproxyadmin'):
        try:
            hap.set_tls_ticket_key('/a.key', KEY)
        except kind as error:
            raised, shown = error, traceback.format_exc()
    assert pair.paths[0] in raised.not_undone and raised.undone == []
    assert 'set ssl tls-key' in caplog.text
    for text in (shown, caplog.text, repr(raised), repr(vars(raised)), str(raised.command)):
        assert SECRET not in text and repr(KEY) not in text
    assert changes(pair)[0] == [SET]


def test_a_refusal_everywhere(pair):
    """[verdicts] [secrets]"""
    for process in pair:
        process.answers[SET] = "'set ssl tls-key' received a key of wrong size.\n\n"
    with pytest.raises(exceptions.CommandFailed) as info:
        pair.haproxy().set_tls_ticket_key('/a.key', KEY)
    assert str(info.value) == "'set ssl tls-key' received a key of wrong size."
    assert info.value.not_undone == [] and info.value.command.startswith('set ssl tls-key /a.key ')
    assert SECRET not in info.value.command


def test_no_key_is_sent_to_another_host_without_tls(pair, monkeypatch):
    """[secrets]"""
    def fail(self):
        raise ValueError('a secret would be sent without TLS')
    hap = pair.haproxy()
    pair.forget()
    monkeypatch.setattr(Endpoint, 'check_secret', fail)
    with pytest.raises(ValueError, match='without TLS'):
        hap.set_tls_ticket_key('/a.key', KEY)
    assert pair.commands == [[], []]
    assert HAProxy.tls_ticket_keys(hap)


def test_what_is_public():
    assert tickets.__dir__() == sorted(tickets.__all__)
    assert all(hasattr(tickets, name) for name in tickets.__all__)
