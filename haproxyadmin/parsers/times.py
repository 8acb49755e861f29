# SPDX-License-Identifier: Apache-2.0
"""Dates in replies."""
import datetime

from haproxyadmin.imports import Pattern
from haproxyadmin.protocol import replies

# Not strptime(), which expects the names of months in the language of the program.
_MONTHS = 'Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec'.split()
_TIME = Pattern(r'([A-Z][a-z]{2}) {1,2}([0-9]{1,2}) ([0-9]{2}):([0-9]{2}):([0-9]{2})'
                r'(?:\.[0-9]+)? ([0-9]{1,4})(?: GMT)?\Z')
_GENERALIZED = Pattern(r'([0-9]{4})' + r'([0-9]{2})' * 5 + r'(?:\.[0-9]+)?Z\Z')
_ZERO = datetime.timedelta(0)


class _Utc(datetime.tzinfo):
    """Coordinated universal time; Python 2 has no such class."""

    def utcoffset(self, dt):
        """Return no difference."""
        return _ZERO

    def tzname(self, dt):
        """Return its name."""
        return 'UTC'

    def dst(self, dt):
        """Return no difference."""
        return _ZERO

    def __repr__(self):
        return 'UTC'

    def __reduce__(self):
        return 'UTC'


UTC = _Utc()


def parse_time(text):
    """Return a date that OpenSSL has printed, such as ``Nov 24 19:08:31 2026 GMT``.

    A fraction of a second is left out.

    :rtype: datetime.datetime, aware, in UTC
    :raises haproxyadmin.protocol.replies.Malformed: for any other text.
    """
    match = _TIME.match(text)
    if not match or match.group(1) not in _MONTHS:
        raise replies.Malformed('not a date: {0!r}'.format(text[:80]))
    day, hour, minute, second, year = [int(digits) for digits in match.groups()[1:]]
    return _make(text, year, _MONTHS.index(match.group(1)) + 1, day, hour, minute, second)


def parse_generalized(text):
    """Return a date of DER, such as ``20261124190831Z``; see :func:`parse_time`."""
    match = _GENERALIZED.match(text)
    if not match:
        raise replies.Malformed('not a date: {0!r}'.format(text[:80]))
    return _make(text, *map(int, match.groups()))


def _make(text, *numbers):
    try:
        return datetime.datetime(*numbers, tzinfo=UTC)
    except ValueError:
        raise replies.Malformed('not a date: {0!r}'.format(text[:80]))


def seconds_until(time):
    """Return the seconds from now until a time, negative if it is over; None for None.

    :type time: datetime.datetime, aware
    :rtype: int
    """
    if time is None:
        return None
    difference = time - datetime.datetime.now(UTC)
    # total_seconds(), but exact.
    return difference.days * 86400 + difference.seconds
