# SPDX-License-Identifier: Apache-2.0
"""parsers/revocations.py: what is in a certificate revocation list."""
import datetime

import pytest

from haproxyadmin.parsers.revocations import Revocations, parse_revocations
from haproxyadmin.parsers.times import UTC

INTEGER, BITS, SEQUENCE, UTC_TIME, TIME, EXTENSIONS = 0x02, 0x03, 0x30, 0x17, 0x18, 0xa0


def element(tag, *contents):
    content = b''.join(contents)
    size = len(content)
    if size < 0x80:
        length = [size]
    elif size < 0x100:
        length = [0x81, size]
    else:
        length = [0x82, size >> 8, size & 0xff]
    return bytes(bytearray([tag] + length)) + content


def entry(serial, date=b'261126180000Z'):
    return element(SEQUENCE, element(INTEGER, serial), element(UTC_TIME, date))


def revocations(*parts, **options):
    """Return a list; the parts are what follows the issuer."""
    version = [element(INTEGER, b'\x01')] if options.get('version', True) else []
    inner = element(SEQUENCE, *(version + [
        element(SEQUENCE, b'\x06\x01\x2a'), element(SEQUENCE, b'\x31\x00')] + list(parts)))
    return element(SEQUENCE, inner, element(SEQUENCE, b'\x06\x01\x2a'), element(BITS, b'\0sign'))


FIRST, NEXT = element(UTC_TIME, b'261126180102Z'), element(TIME, b'20601224235959Z')
DATES = (datetime.datetime(2026, 11, 26, 18, 1, 2, tzinfo=UTC),
         datetime.datetime(2060, 12, 24, 23, 59, 59, tzinfo=UTC))


@pytest.mark.parametrize('version', [True, False])
@pytest.mark.parametrize('more', [(), (element(EXTENSIONS, element(SEQUENCE)),)])
def test_what_is_revoked(version, more):
    assert parse_revocations(revocations(FIRST, NEXT, *more, **{'version': version})) == Revocations(
        DATES[0], DATES[1], frozenset())
    entries = element(SEQUENCE, *[entry(serial) for serial in (
        b'\x10\x01', b'\x00', b'\x00\xff' * 10, b'\xff', b'\x0a', b'\x80\x00')])
    # As 2.6, 3.0 and 3.2 show them.
    assert parse_revocations(revocations(FIRST, NEXT, entries, *more)).serials == frozenset([
        '1001', '00', 'FF00FF00FF00FF00FF00FF00FF00FF00FF00FF', '-01', '0A', '-8000'])


def test_the_century_and_fractions_of_a_second():
    found = parse_revocations(revocations(
        element(UTC_TIME, b'500101000000Z'), element(TIME, b'20491231235959.25Z')))
    assert (found.last_update.year, found.next_update.year) == (1950, 2049)


def test_a_list_without_an_end_would_crash_haproxy():
    """[ca files] Seen with 2.6, 3.0 and 3.2, when they show it."""
    for more in [(), (element(SEQUENCE, entry(b'\x01')),), (element(EXTENSIONS),)]:
        with pytest.raises(ValueError) as caught:
            parse_revocations(revocations(FIRST, *more))
        assert 'does not say when the next one is due' in str(caught.value)


@pytest.mark.parametrize('der', [
    b'', b'\x30', b'\x30\x00', b'\x30\x05ab', element(SEQUENCE, b'\x02'), b'\x30\x80', b'\x30\x84\x7f',
    revocations(), revocations(NEXT)[:-1] + b'xx', revocations(element(SEQUENCE), FIRST, NEXT),
    revocations(element(UTC_TIME, b'261326180102Z'), NEXT),
    revocations(element(UTC_TIME, b'2611261801Z'), NEXT),
    revocations(element(UTC_TIME, b'26112618010\xe9Z'), NEXT),
    revocations(element(UTC_TIME, b'261126180102+0100'), NEXT),
    revocations(FIRST, NEXT, element(SEQUENCE, entry(b''))),
    revocations(FIRST, NEXT, element(SEQUENCE, element(SEQUENCE))),
    revocations(FIRST, NEXT, element(SEQUENCE, b'\x30')), element(SEQUENCE, element(SEQUENCE)) * 2])
def test_anything_else_is_refused(der):
    with pytest.raises(ValueError) as caught:
        parse_revocations(der)
    assert str(caught.value) in ('this is not a revocation list', (
        'the revocation list does not say when the next one is due; HAProxy would crash'))
