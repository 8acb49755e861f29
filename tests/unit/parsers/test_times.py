# SPDX-License-Identifier: Apache-2.0
"""Tests of parsers/times.py."""
import copy
import datetime
import locale
import pickle

import pytest

from haproxyadmin.parsers import times
from haproxyadmin.parsers.times import UTC, parse_time, seconds_until
from haproxyadmin.protocol import replies


@pytest.mark.parametrize('text, expected', [
    ('Nov 24 19:08:31 2026 GMT', (2026, 11, 24, 19, 8, 31)),
    ('Jan  1 00:00:00 2030 GMT', (2030, 1, 1, 0, 0, 0)),
    ('Feb 29 23:59:59 2028 GMT', (2028, 2, 29, 23, 59, 59)),
    ('Dec 31 23:59:59 9999 GMT', (9999, 12, 31, 23, 59, 59)),
    ('May  7 08:09:10.123 2026 GMT', (2026, 5, 7, 8, 9, 10)),
    # Without a zone: OpenSSL leaves it out if the certificate does.
    ('May  7 08:09:10 2026', (2026, 5, 7, 8, 9, 10)),
])
def test_a_date_is_an_aware_time_in_utc(text, expected):
    found = parse_time(text)
    assert found == datetime.datetime(*expected, tzinfo=UTC)
    assert found.utcoffset() == datetime.timedelta(0)
    assert found.tzname() == 'UTC' and not found.dst()


@pytest.mark.parametrize('text', [
    '', 'Nov 24 19:08:31 2026 CET', 'Nov 24 19:08:31', 'Nov 24 19:08:3', 'Nov 31 19:08:31 2026 GMT',
    'Foo 24 19:08:31 2026 GMT', 'nov 24 19:08:31 2026 GMT', 'Nov 24 25:08:31 2026 GMT',
    'Nov 24 19:08:31 2026 GM', 'Bad time value', 'Nov 24 19:08:31 0 GMT', 'Nov 24 19:08:31 2026 GMT\n'])
def test_any_other_text_is_malformed(text):
    with pytest.raises(replies.Malformed, match='not a date'):
        parse_time(text)


@pytest.mark.parametrize('text, expected', [
    ('20261124190831Z', (2026, 11, 24, 19, 8, 31)), ('20261124190831.5Z', (2026, 11, 24, 19, 8, 31))])
def test_a_date_of_der(text, expected):
    assert times.parse_generalized(text) == datetime.datetime(*expected, tzinfo=UTC)


@pytest.mark.parametrize('text', ['', '20261124190831', '202611241908Z', '20261324190831Z'])
def test_any_other_date_of_der_is_malformed(text):
    with pytest.raises(replies.Malformed, match='not a date'):
        times.parse_generalized(text)


def test_the_language_of_the_program_does_not_matter(monkeypatch):
    def fail(*arguments):
        raise AssertionError('asked for the locale')
    monkeypatch.setattr(locale, 'getlocale', fail)
    monkeypatch.setattr(locale, 'nl_langinfo', fail, raising=False)
    assert parse_time('Mar  3 01:02:03 2026 GMT').month == 3


def test_utc_is_one_object_also_when_copied():
    time = parse_time('Nov 24 19:08:31 2026 GMT')
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        again = pickle.loads(pickle.dumps(time, protocol))
        assert again == time and again.tzinfo is UTC
    assert copy.deepcopy(time).tzinfo is UTC
    assert repr(UTC) == 'UTC' and times.UTC is UTC


def test_seconds_until_a_time_are_negative_once_it_is_over():
    now = datetime.datetime.now(UTC)
    assert 86400 - 60 < seconds_until(now + datetime.timedelta(1)) <= 86400
    assert -86400 - 60 < seconds_until(now - datetime.timedelta(1)) <= -86400
    assert seconds_until(None) is None
