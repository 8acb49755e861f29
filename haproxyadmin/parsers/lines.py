# SPDX-License-Identifier: Apache-2.0
"""Replies as lines of text."""
from haproxyadmin.exceptions import CommandFailed
from haproxyadmin.protocol import replies
from haproxyadmin.protocol.words import to_native


def split_lines(reply):
    """Return the lines of a reply as text, without empty ones at the beginning and at the end.

    On Python 3, bytes that are not valid UTF-8 become surrogates.

    :type reply: bytes
    :rtype: list of str
    """
    text = to_native(reply).strip('\n')
    return text.split('\n') if text else []


def first_line(lines):
    """Return the first line of a reply, or ``''``."""
    return lines[0] if lines else ''


def join_lines(lines):
    """Return the lines of a reply as one text."""
    return '\n'.join(lines)


def lines_or_empty(lines):
    """Return the lines of a reply; for an empty reply one empty line, as in 0.2.4."""
    return lines or ['']


def refusal_of(lines):
    """Return the error for a reply that is not the data that were asked for."""
    if not replies.is_message(first_line(lines)):
        return replies.Malformed('unexpected reply: {0!r}'.format(first_line(lines)[:80]))
    # 1.7.0 answers a lookup in a map with nothing at all.
    return CommandFailed(join_lines(lines) or replies.NOTHING)
