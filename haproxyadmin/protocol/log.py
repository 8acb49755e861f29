# SPDX-License-Identifier: Apache-2.0
"""The logger, which is looked up when a message may be logged.

Importing :mod:`logging` takes longer than importing the rest of the standard library that is
needed. A program that has not imported it cannot have switched it on either.
"""
import sys

# The level logging.DEBUG.
DEBUG = 10


def logger():
    """Return the logger ``haproxyadmin``, or None as long as nobody has imported logging."""
    if 'logging' not in sys.modules:
        return None
    import logging
    found = logging.getLogger('haproxyadmin')
    if not found.handlers:
        # Otherwise Python 2 complains about a logger without a handler.
        found.addHandler(logging.NullHandler())
    return found
