# SPDX-License-Identifier: Apache-2.0
"""Tests of ocsp.py and internal/ocsp.py: OCSP responses over several processes."""
import base64
import datetime
import pickle

import pytest

from haproxyadmin import exceptions, ocsp
from haproxyadmin.internal import waiting
from haproxyadmin.parsers.times import UTC
from haproxyadmin.testing import faults
from tests.support import captured, fakes
from tests.support.ocsp import (DETAILS, DONE, EARLIER, GOOD, ID, IDS_OLD, NO_MATCH, PATH, REVOKED,
                                SET, SHOW, SHOW_DER, SHOW_UPDATES, UNKNOWN, update)
from tests.unit.test_certificates import pem

UPDATE = 'update ssl ocsp-response ' + PATH
DER = base64.b64decode(GOOD)
OLD = base64.b64decode(EARLIER)


CONFIG = 'frontend f\n    bind :443 ssl crt {0}\n'.format(PATH)


def begun(fleet, version, count=2, der=OLD):
    """Start processes that have the same response."""
    started = fleet(version, count, config=CONFIG, files={PATH: pem(0x1000)})
    for process in started:
        process.ocsp.add(PATH, OLD)
        process.ocsp.responses[ID].der = der
    return started


@pytest.fixture
def pair(fleet):
    """Two processes that have the same response."""
    return begun(fleet, '3.2')


def responses(started):
    """Return the response of each process."""
    return [process.ocsp.responses[ID].der for process in started]


def changes(started):
    return [[command for command in received if not command.startswith('show ')]
            for received in started.commands]


# Reading

def test_what_is_read(pair):
    pair[1].ocsp.responses[ID].der = base64.b64decode(REVOKED)
    response, = pair.haproxy().ocsp_responses()
    assert (response.certificate, response.id, response.serial) == (PATH, ID, '1000')
    assert not response.is_same
    # Of the one that expires first.
    assert response.status == 'good' and response.revoked_at is None
    assert response.next_update == datetime.datetime(2026, 11, 26, 19, 58, 52, tzinfo=UTC)
    assert [(socket, content.status) for socket, content in response.by_socket] == list(
        zip(pair.paths, ['good', 'revoked']))
    assert response.by_socket[0][1].der == OLD
    assert pickle.loads(pickle.dumps(response, 2)) == response
    assert response._asdict()['serial'] == '1000'


def test_the_seconds_until_it_expires(pair):
    response, = pair.haproxy().ocsp_responses()
    left = (response.next_update - datetime.datetime.now(UTC)).total_seconds()
    assert abs(response.expires_in - left) < 100
    assert isinstance(response.expires_in, int)


def test_one_that_haproxy_waits_for(pair):
    pair[1].ocsp.responses[ID].der = b''
    response, = pair.haproxy().ocsp_responses()
    assert response.status is None and response.expires_in is None and not response.is_same


def test_one_that_is_gone_meanwhile(pair):
    for process in pair:
        process.answers[SHOW_DER] = UNKNOWN['3.2']
    assert pair.haproxy().ocsp_responses() == []


def test_one_that_only_a_process_has(pair):
    pair[0].ocsp.responses.clear()
    response, = pair.haproxy().ocsp_responses()
    assert response.is_same and [socket for socket, _ in response.by_socket] == pair.paths[1:]


def test_what_2_6_has(fleet):
    response, = begun(fleet, '2.6').haproxy().ocsp_responses()
    assert response.certificate is None and response.status == 'good' and response.is_same
    assert response.by_socket[0][1].der is None
    # As OpenSSL prints it, with everything else.
    started = fleet('2.6', 2)
    for process in started:
        process.answers.update({SHOW: IDS_OLD, SHOW + ' ' + ID: DETAILS})
    response, = started.haproxy().ocsp_responses()
    assert response.certificate is None and response.status == 'good' and response.is_same
    assert response.by_socket[0][1].der is None


@pytest.mark.parametrize('version', captured.VERSIONS)
def test_versions(version, fleet):
    """[not supported]"""
    started = fleet(version, 2)
    if captured.VERSIONS.index(version) < captured.VERSIONS.index('2.6'):
        hap = started.haproxy()
        started.forget()
        with pytest.raises(exceptions.NotSupported) as info:
            hap.ocsp_responses()
        assert info.value.needs == '2.6' and started.commands == [[], []]
    else:
        assert started.haproxy().ocsp_responses() == []
    if captured.VERSIONS.index(version) < captured.VERSIONS.index('2.8'):
        with pytest.raises(exceptions.NotSupported) as info:
            started.haproxy().update_ocsp_response(PATH)
        assert info.value.needs == '2.8'


def test_what_it_costs(pair, fleet):
    """[one command per call] One for the list, and one for each response."""
    hap = pair.haproxy()
    pair.forget()
    hap.ocsp_responses()
    assert pair.commands == [[SHOW, SHOW_DER]] * 2
    pair.forget()
    hap.set_ocsp_response(DER)
    assert pair.commands == [[SHOW_DER, SET + GOOD]] * 2
    alone = begun(fleet, '3.2', 1)
    hap = alone.haproxy()
    alone.forget()
    hap.set_ocsp_response(DER)
    assert alone.commands == [[SET + GOOD]]


# Setting

@pytest.mark.parametrize('version', captured.VERSIONS)
def test_what_is_sent(version, fleet):
    started = begun(fleet, version)
    assert started.haproxy().set_ocsp_response(bytearray(DER)) is True
    assert changes(started) == [[SET + GOOD]] * 2
    assert responses(started) == [DER] * 2


@pytest.mark.parametrize('der, message', [
    (GOOD, 'base64.b64decode()'), (u'x', 'base64.b64decode()'), (GOOD.encode('ascii'), 'b64decode'),
    (b'-----BEGIN OCSP RESPONSE-----\nMII', 'without the lines of dashes'), (None, 'got NoneType'),
    (5, 'got int'), (b'', 'cut short'), (DER[:-1], 'cut short'), (DER + b'\n', '1 bytes follow'),
    (b'0\x03\x0a\x01\x06', 'not successful')])
def test_what_is_not_an_ocsp_response(der, message, pair):
    """[argument checks]"""
    hap = pair.haproxy()
    pair.forget()
    with pytest.raises(ValueError) as info:
        hap.set_ocsp_response(der)
    assert message in str(info.value) and pair.commands == [[], []]
    assert hap.set_ocsp_response(der, die=False) is False


@pytest.mark.parametrize('version', ['2.6', '2.8', '3.2'])
def test_a_process_without_a_place_for_it_keeps_all_from_changing(version, fleet):
    """[all or none] [OCSP]"""
    started = begun(fleet, version)
    started[1].ocsp.responses.clear()
    if version == '2.8':
        started[1].answers[SHOW_DER] = UNKNOWN['2.8']
    with pytest.raises(exceptions.CommandFailed) as info:
        started.haproxy().set_ocsp_response(DER)
    assert 'serial number 1000' in str(info.value)
    assert info.value.socket_file == started.paths[1] and changes(started) == [[], []]


def test_it_is_undone_if_a_process_refuses(pair):
    """[all or none]"""
    pair[1].answers[SET + GOOD] = 'OCSP single response: no longer valid..\n\n'
    with pytest.raises(exceptions.MultipleCommandResults) as info:
        pair.haproxy().set_ocsp_response(DER)
    assert info.value.undone == pair.paths[:1] and info.value.not_undone == []
    assert changes(pair) == [[SET + GOOD, SET + EARLIER], [SET + GOOD]]
    assert responses(pair) == [OLD] * 2
    assert info.value.by_socket[1][1] == 'OCSP single response: no longer valid..'


@pytest.mark.parametrize('version', ['1.8', '2.2', '2.6', '3.2'])
def test_what_cannot_be_undone_is_reported(version, fleet):
    """[all or none] [OCSP] Before 2.8 HAProxy does not show the old one; 3.2 may not have one yet."""
    started = begun(fleet, version, der=b'')
    started[1].answers[SET + GOOD] = NO_MATCH
    with pytest.raises(exceptions.MultipleCommandResults) as info:
        started.haproxy().set_ocsp_response(DER)
    assert info.value.undone == [] and info.value.not_undone == started.paths[:1]
    assert changes(started) == [[SET + GOOD]] * 2


def test_a_refusal_everywhere(pair):
    """[verdicts]"""
    for process in pair:
        process.answers[SET + GOOD] = NO_MATCH
    with pytest.raises(exceptions.CommandFailed) as info:
        pair.haproxy().set_ocsp_response(DER)
    assert str(info.value) == NO_MATCH.strip() and info.value.not_undone == []


@pytest.mark.parametrize('reply', ['\n', 'Done.\n', 'OCSP Response updated\n\n'])
def test_only_the_right_words_are_a_success(reply, pair):
    for process in pair:
        process.answers[SET + GOOD] = reply
    with pytest.raises(exceptions.CommandFailed):
        pair.haproxy().set_ocsp_response(DER)


def test_a_process_that_is_lost(pair):
    pair[1].next(faults.answering(), faults.answering(), faults.closing())
    with pytest.raises(exceptions.SocketApplicationError) as info:
        pair.haproxy(retry=None).set_ocsp_response(DER)
    assert info.value.undone == pair.paths[:1] and info.value.not_undone == pair.paths[1:]


def test_versions_that_would_crash_at_the_next_reload(fleet):
    """[nothing that kills]"""
    started = begun(fleet, '2.8', 1)
    for version, refused in [('2.8.6', True), ('2.9.5', True), ('2.8.7', False), ('2.8.5', False)]:
        started[0].info['Version'] = version
        hap = started.haproxy()
        if refused:
            with pytest.raises(exceptions.CommandFailed, match='crashes when it ends'):
                hap.set_ocsp_response(DER)
        else:
            assert hap.set_ocsp_response(DER) is True
        assert changes(started)[0] == ([] if refused else [SET + GOOD])
        started.forget()


@pytest.mark.parametrize('version, payload', [('1.8', False), ('2.2', True), ('3.4', True)])
def test_a_long_one(version, payload, fleet, monkeypatch):
    whole = [b'x' * 11600]
    monkeypatch.setattr('haproxyadmin.internal.ocsp.parse_response', lambda der: [None])
    started = fleet(version, 1)
    encoded = base64.b64encode(whole[0]).decode('ascii')
    started[0].handler = lambda command: DONE if command.startswith('set ') else None
    if not payload:
        with pytest.raises(ValueError, match='too long'):
            started.haproxy().set_ocsp_response(whole[0])
        return
    assert started.haproxy().set_ocsp_response(whole[0]) is True
    assert changes(started)[0] == [SET + '<<\n' + encoded + '\n']


# Updating

class Updating(object):
    """A process that updates a response: ``looks`` says how often it lists that."""

    def __init__(self, process, looks, after, before=None, reports=None):
        self.process, self.looks, self.after = process, looks, after
        self.before, self.reports = before, reports
        self.begun = False
        process.handler = self

    def __call__(self, command):
        if command == UPDATE:
            self.begun = True
            return '\n'
        if command == SHOW_UPDATES:
            if not self.begun:
                return self.before  # None is that of the process.
            if self.looks:
                self.looks -= 1
                return self.before or update(0, 0, '0 | Unknown')
            return self.reports
        if command == SHOW_DER and self.begun and not self.looks:
            return self.after
        return None


@pytest.fixture
def quick(monkeypatch):
    """The pauses take no time."""
    monkeypatch.setattr(waiting.time, 'sleep', lambda seconds: None)


def test_an_update(pair, quick):
    """[waiting] [OCSP]"""
    Updating(pair[0], 0, GOOD + '\n')
    Updating(pair[1], 3, REVOKED + '\n')
    seen = []
    updated = pair.haproxy().update_ocsp_response(PATH, progress=seen.append)
    assert updated == (True, [(path, True) for path in pair.paths])
    assert [(progress.done, progress.total) for progress in seen] == [(1, 2)] * 3 + [(2, 2)]
    assert changes(pair) == [[UPDATE]] * 2


def test_an_update_that_brings_nothing_new(pair, quick):
    """[OCSP]"""
    Updating(pair[0], 1, GOOD + '\n')
    Updating(pair[1], 1, EARLIER + '\n')
    assert pair.haproxy().update_ocsp_response(PATH).by_socket == [
        (pair.paths[0], True), (pair.paths[1], False)]
    for process in pair:
        Updating(process, 1, None)
    assert pair.haproxy().update_ocsp_response(PATH).changed is False


def test_a_success_that_haproxy_reports(pair, quick):
    for process in pair:
        Updating(process, 2, EARLIER + '\n', update(3, 1), update(4, 1))
    assert pair.haproxy().update_ocsp_response(PATH).changed is False


def test_a_failure_that_haproxy_reports(pair, quick):
    Updating(pair[0], 2, GOOD + '\n', update(3, 1), update(4, 1))
    Updating(pair[1], 1, None, update(3, 1), update(3, 2, '2 | HTTP error'))
    with pytest.raises(exceptions.CommandFailed) as info:
        pair.haproxy().update_ocsp_response(PATH)
    assert str(info.value) == 'HAProxy could not update the OCSP response: HTTP error'
    assert info.value.socket_file == pair.paths[1]
    assert info.value.result.by_socket == list(zip(pair.paths, [True, False]))


def test_an_update_that_takes_too_long(pair):
    Updating(pair[0], 0, GOOD + '\n')
    Updating(pair[1], 10 ** 9, None)
    with pytest.raises(exceptions.WaitTimeout) as info:
        pair.haproxy().update_ocsp_response(PATH, timeout=0.05, interval=0.01)
    assert info.value.result == (True, list(zip(pair.paths, [True, None])))
    assert pair.haproxy().update_ocsp_response(PATH, timeout=0, die=False) is False


def test_a_process_that_does_not_answer_in_time(pair):
    for process in pair:
        Updating(process, 10 ** 9, None)

    def progress(_):
        pair[1].fail(faults.silent())
    with pytest.raises(exceptions.WaitTimeout) as info:
        pair.haproxy(timeout=fakes.LONG).update_ocsp_response(
            PATH, timeout=0.3, interval=0.01, progress=progress)
    assert info.value.result.changed is None


def test_a_process_that_is_replaced_meanwhile(pair, quick):
    """[state over reloads]"""
    def progress(_):
        pair[1].take_over('3.2', pid=9999)
    for process in pair:
        Updating(process, 0, GOOD + '\n')
    with pytest.raises(exceptions.CommandFailed, match='another process has taken over') as info:
        pair.haproxy().update_ocsp_response(PATH, progress=progress)
    assert info.value.socket_file == pair.paths[1]


def test_a_process_without_the_certificate_is_left_out(pair, quick):
    Updating(pair[0], 0, GOOD + '\n')
    pair[1].ocsp.responses.clear()
    assert pair.haproxy().update_ocsp_response(PATH).by_socket == [(pair.paths[0], True)]
    assert changes(pair) == [[UPDATE], []]


def test_an_update_that_is_refused(pair):
    refusal = ("'update ssl ocsp-response' only works on certificates that already have a known OCSP "
               "response.\nCan't send ocsp request for {0}!".format(PATH))
    for process in pair:
        process.answers[UPDATE] = refusal + '\n\n'
    with pytest.raises(exceptions.CommandFailed) as info:
        pair.haproxy().update_ocsp_response(PATH)
    assert str(info.value) == refusal and info.value.result.changed is None


def test_a_certificate_without_a_response(pair):
    """[what is not there]"""
    hap = pair.haproxy()
    with pytest.raises(ValueError) as info:
        hap.update_ocsp_response('/etc/haproxy/ww.pem')
    assert str(info.value) == (
        "no OCSP response of a certificate '/etc/haproxy/ww.pem'; did you mean '/etc/haproxy/www.pem'?")
    pair.forget()
    for wrong in ({'timeout': -1}, {'interval': 'x'}, {'progress': 5}):
        with pytest.raises(ValueError):
            hap.update_ocsp_response(PATH, **wrong)
    for name in ('', 'a\nb', None):
        with pytest.raises(ValueError):
            hap.update_ocsp_response(name)
    assert changes(pair) == [[], []]


@pytest.mark.parametrize('version, refused', [
    ('2.8.0', True), ('2.8.7', True), ('2.9.6', True), ('2.8.8', False), ('2.9.7', False),
    ('3.0.0', False)])
def test_versions_that_a_second_update_would_crash(version, refused, fleet, quick):
    """[nothing that kills] HAProxy's own updates are listed."""
    started = begun(fleet, '2.8', 1)
    started[0].info['Version'] = version
    assert started.haproxy().update_ocsp_response(PATH).changed is False
    started.forget()
    started[0].answers[SHOW_UPDATES] = update(1, 0)
    if refused:
        with pytest.raises(exceptions.CommandFailed, match='may crash'):
            started.haproxy().update_ocsp_response(PATH)
    else:
        with pytest.raises(exceptions.WaitTimeout):
            started.haproxy().update_ocsp_response(PATH, timeout=0)
    assert changes(started)[0] == ([] if refused else [UPDATE])


def test_what_is_public():
    assert ocsp.__dir__() == sorted(ocsp.__all__)
    assert all(hasattr(ocsp, name) for name in ocsp.__all__)
