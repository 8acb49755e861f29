# SPDX-License-Identifier: Apache-2.0
"""The reply to ``show errors``."""
from haproxyadmin.parsers.lines import first_line, refusal_of


def parse_errors(lines):
    """Return the lines of an error report::

        Total events captured on [22/Nov/2026:06:56:23.273] : 1
    """
    if not first_line(lines).startswith('Total events captured on '):
        raise refusal_of(lines)
    return lines
