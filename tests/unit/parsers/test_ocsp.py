# SPDX-License-Identifier: Apache-2.0
"""Tests of parsers/ocsp.py."""
import base64
import datetime

import pytest

from haproxyadmin.exceptions import CommandFailed
from haproxyadmin.parsers import ocsp
from haproxyadmin.parsers.times import UTC
from haproxyadmin.protocol import replies
from tests.support import ocsp as samples

NOW = datetime.datetime(2026, 11, 26, 18, 28, 52, tzinfo=UTC)
LATER = NOW + datetime.timedelta(10)
HASHES = ('BF7052C8B9C0F760C89123E099815EB2C0394226', 'FB6E60EC4CE87FBA0547562B7EAF2879D4736360')


def lines(text):
    return text.strip('\n').split('\n') if text.strip('\n') else []


def der(text):
    return base64.b64decode(text)


# The list

@pytest.mark.parametrize('text, path', [(samples.IDS_OLD, None), (samples.IDS, samples.PATH)])
def test_what_responses_are_for(text, path):
    assert ocsp.parse_ids(lines(text)) == [
        ocsp.ResponseId(samples.ID, path, '1000', HASHES[0], HASHES[1])]
    twice = text.rstrip('\n') + '\n' + text.split('\n', 1)[1]
    assert len(ocsp.parse_ids(lines(twice))) == 2


def test_no_responses():
    assert ocsp.parse_ids([]) == ocsp.parse_ids(lines(samples.NO_IDS)) == []


@pytest.mark.parametrize('path', ['/a b/#1;c.pem', '/a: b', 'C:x', '@store/www'])
def test_a_path_may_contain_anything(path):
    found, = ocsp.parse_ids(lines(samples.IDS.replace(samples.PATH, path)))
    assert found.certificate == path


def test_an_unknown_field_is_left_out():
    found, = ocsp.parse_ids(lines(samples.IDS + '   New Field: 1'))
    assert found.serial == '1000'


def test_a_list_that_is_cut_short_is_malformed():
    whole = lines(samples.IDS)
    for end in range(2, len(whole)):
        with pytest.raises(replies.Malformed):
            ocsp.parse_ids(whole[:end])


@pytest.mark.parametrize('parse', [
    ocsp.parse_ids, ocsp.parse_details, ocsp.parse_base64, ocsp.parse_updates])
def test_a_refusal(parse):
    with pytest.raises(CommandFailed, match='Permission denied'):
        parse(['Permission denied'])
    with pytest.raises(replies.Malformed):
        parse(['# filename', 'x'])


# One response

def test_a_response_as_text():
    found = ocsp.parse_details(lines(samples.DETAILS))
    assert found == ocsp.Content('good', NOW, NOW, LATER, None, None)
    found = ocsp.parse_details(lines(samples.DETAILS_REVOKED))
    assert (found.status, found.revoked_at) == ('revoked', NOW)


@pytest.mark.parametrize('removed', ['    Cert Status: good\n', 'good'])
def test_a_text_without_a_status_is_malformed(removed):
    with pytest.raises(replies.Malformed):
        ocsp.parse_details(lines(samples.DETAILS.replace(removed, '')))


def test_a_text_with_a_broken_date_is_malformed():
    with pytest.raises(replies.Malformed):
        ocsp.parse_details(lines(samples.DETAILS.replace('Dec  6', 'Dec 66')))


def test_dates_of_certificates_in_it_do_not_count():
    text = samples.DETAILS.replace('    Next Update: Dec  6 18:28:52 2026 GMT\n', '') + (
        '    Next Update: Jan  1 00:00:00 2030 GMT')
    assert ocsp.parse_details(lines(text)).next_update is None


def test_a_response_in_base64_says_the_same():
    found = ocsp.parse_base64([samples.GOOD])
    assert found._replace(der=None) == ocsp.parse_details(lines(samples.DETAILS))
    assert found.der == der(samples.GOOD)
    assert ocsp.parse_base64([samples.REVOKED])[:5] == ocsp.parse_details(
        lines(samples.DETAILS_REVOKED))[:5]
    assert ocsp.parse_base64([samples.EARLIER]).next_update == NOW + datetime.timedelta(
        minutes=90)


def test_a_response_that_haproxy_waits_for():
    assert ocsp.parse_base64([]) == ocsp.NO_CONTENT


@pytest.mark.parametrize('version', sorted(samples.UNKNOWN))
def test_a_response_that_is_gone(version):
    for parse in (ocsp.parse_base64, ocsp.parse_details):
        assert parse(lines(samples.UNKNOWN[version])) is None


@pytest.mark.parametrize('text', [samples.GOOD[:-4], samples.GOOD[4:], samples.GOOD[:100] + '\xe9\xe9\xe9\xe9',
                                  samples.TWO, 'MIIx'])
def test_other_base64_is_malformed(text):
    with pytest.raises((replies.Malformed, CommandFailed)):
        ocsp.parse_base64([text])


# Updates

def test_updates():
    assert ocsp.parse_updates(lines(samples.UPDATES)) == {}
    assert ocsp.parse_updates(lines(samples.update(3, 1))) == {
        samples.ID: ocsp.Update(3, 1, 'Update successful')}
    found = ocsp.parse_updates(lines(samples.update(
        0, 6, '0 | Unknown (d2i_OCSP_RESPONSE() failed)', '/a | b.pem')))
    assert found[samples.ID] == ocsp.Update(0, 6, 'Unknown (d2i_OCSP_RESPONSE() failed)')


@pytest.mark.parametrize('count', [1, 3, 7])
def test_an_update_that_is_cut_short_is_malformed(count):
    line = ' | '.join(samples.update(1, 0).split('\n')[1].split(' | ')[:count])
    with pytest.raises(replies.Malformed):
        ocsp.parse_updates([samples.UPDATES.rstrip('\n'), line])


# DER

@pytest.mark.parametrize('text', [samples.GOOD, samples.EARLIER, samples.REVOKED])
def test_what_a_response_is_for(text):
    known, _ = ocsp.parse_response(der(text))
    assert known == ocsp.ResponseId(samples.ID, None, '1000', HASHES[0], HASHES[1])


@pytest.mark.parametrize('text', [samples.GOOD, samples.EARLIER, samples.REVOKED])
def test_a_response_that_is_cut_short_or_goes_on_is_malformed(text):
    whole = der(text)
    for end in range(len(whole)):
        with pytest.raises(replies.Malformed, match='not an OCSP response in DER'):
            ocsp.parse_response(whole[:end])
    with pytest.raises(replies.Malformed, match='1 bytes follow it'):
        ocsp.parse_response(whole + b'x')


@pytest.mark.parametrize('whole, reason', [
    (b'0\x03\x0a\x01\x06', 'status is not successful'), (der(samples.TWO), 'several certificates'),
    (b'0\x80\x00\x00', 'wrong length'), (b'0\x85\x00\x00\x00\x00\x00', 'wrong length'),
    (b'\x31\x00', 'expected the tag 0x30, got 0x31'), (b'', 'cut short'),
    (der(samples.GOOD).replace(b'\x80\x00\x18', b'\x84\x00\x18'), 'status of the certificate')])
def test_other_der_is_malformed(whole, reason):
    with pytest.raises(replies.Malformed) as info:
        ocsp.parse_response(whole)
    assert reason in str(info.value)


def test_a_response_with_a_changed_byte_never_raises_anything_else():
    whole = bytearray(der(samples.REVOKED))
    for place in range(len(whole)):
        for value in (0, 0x30, 0x7f, 0x80, 0x84, 0xff):
            changed = bytearray(whole)
            changed[place] = value
            try:
                ocsp.parse_response(bytes(changed))
            except replies.Malformed:
                pass
