# SPDX-License-Identifier: Apache-2.0
"""What must not be sent to some versions of HAProxy: it crashes them, wedges them, or lies.

This is the one table of it. Whoever builds such a command calls :func:`check` first; what a caller
sends by ``command()`` is not looked at.
"""
import collections

from haproxyadmin.exceptions import CommandFailed


class NotForVersion(ValueError):
    """The running version cannot take what a caller passed; another one could."""


# since: the first version that was seen bad. until: the first that is right again; where later
# releases are not known, the one after the last that was seen bad. error: what is raised.
Danger = collections.namedtuple('Danger', 'since until error reason')

GET_ACL = Danger((1, 7, 0), (1, 7, 1), NotForVersion, '"get acl" would crash HAProxy 1.7.0')
# It zeroes pointers: 3.3.0 crashes at the next "show stat", 3.4.0 at the next request, too. Mended
# in July 2026; which release of 3.3 has that is not known.
CLEAR_ALL_COUNTERS = Danger(
    (3, 3, 0), (3, 4, 1), CommandFailed,
    'HAProxy 3.3 and 3.4.0 crash soon after "clear counters all"')


def check(danger, version):
    """Refuse a command where it is dangerous.

    :type danger: :class:`Danger`
    :param version: version of the HAProxy that it would go to.
    :type version: tuple of int
    :raises Exception: the error of the danger, for a version from ``since`` to before ``until``.
    """
    if danger.since <= version < danger.until:
        raise danger.error(danger.reason)
