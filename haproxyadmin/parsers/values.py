# SPDX-License-Identifier: Apache-2.0
"""Numbers in replies."""
from haproxyadmin.imports import Pattern, text_type
from haproxyadmin.protocol.words import is_integer, to_native

_NUMBER = Pattern(r'\s*[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?\s*\Z')
# By default int() accepts at most 4300 digits.
_INTEGER = Pattern(r'\s*[-+]?[0-9]{1,4300}\s*\Z')
TEXT = (text_type, bytes)


def converter(value):
    """Convert a number that HAProxy prints to an integer.

    :param value: a field of ``show info`` or ``show stat``.
    :return: for a number an ``int``, truncated toward zero; for other text that text; None for
        blank text and for what is neither text nor a number.
    :rtype: int, str or None

    Usage::

        >>> from haproxyadmin import utils
        >>> utils.converter('13.5')
        13
        >>> utils.converter('UP 1/2')
        'UP 1/2'
        >>> utils.converter(' ')
    """
    if not isinstance(value, TEXT):
        try:
            return int(value)
        except (OverflowError, TypeError, ValueError):
            return None
    if not value.isdigit():
        if not value.strip():
            return None
        if not _NUMBER.match(to_native(value)):
            return value
    try:
        return int(value)
    except ValueError:
        return _truncate(value)


def _truncate(text):
    try:
        return int(float(text))
    except (OverflowError, ValueError):
        return text


def isint(value):
    """Return True if a value is an integer, or text that represents one.

    :param value: the value; a bool is not an integer.
    :rtype: bool

    Usage::

        >>> from haproxyadmin import utils
        >>> utils.isint('12'), utils.isint('12.5')
        (True, False)
    """
    if isinstance(value, TEXT):
        # Not int(), which accepts '1_000' on Python 3 only.
        return bool(_INTEGER.match(to_native(value)))
    return is_integer(value) or (isinstance(value, float) and value.is_integer())
