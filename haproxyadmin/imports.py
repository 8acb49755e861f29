# SPDX-License-Identifier: Apache-2.0
"""What takes long to import, and is imported when it is used.

A check runs for twenty milliseconds, of which imports take most. It can do without :mod:`re`,
:mod:`enum`, on which it and :mod:`socket` depend, :mod:`logging`, and ``six``, which is needed on
Python 2 only.
"""
import _socket
import sys

__all__ = ['DEBUG', 'PY2', 'Pattern', '_thread', 'ensure_str', 'imap', 'integer_types', 'intern',
           'izip', 'logger', 'mutable_collections', 'socket_part', 'string_types', 'text_type']

PY2 = str is bytes
if PY2:
    from six import ensure_str, integer_types, string_types, text_type
    from six.moves import _thread, intern, map as imap, zip as izip
else:
    import _thread
    from sys import intern
    integer_types, string_types, text_type = int, str, str
    imap, izip = map, zip

    def ensure_str(text, encoding='utf-8', errors='strict'):
        """Return text or bytes as text."""
        return text.decode(encoding, errors) if isinstance(text, bytes) else text

# The level logging.DEBUG.
DEBUG = 10


class Pattern(object):
    """A regular expression, which is compiled when it is used for the first time.

    :param text: the pattern.
    :type text: str or bytes
    """

    def __init__(self, text):
        self._text = text

    def __getattr__(self, name):
        if name.startswith('_'):
            raise AttributeError(name)
        import re
        method = self.__dict__[name] = getattr(re.compile(self._text), name)
        return method


def mutable_collections():
    """Return the abstract classes of mappings and sets that can be changed."""
    try:
        from collections.abc import MutableMapping, MutableSet
    except ImportError:  # Python 2
        from collections import MutableMapping, MutableSet
    return MutableMapping, MutableSet


def socket_part(name):
    """Return something that :mod:`socket` contains: the class ``socket``, or a function.

    It is that of the part of :mod:`socket` that is written in C, unless the program has imported
    the rest: eventlet and gevent replace what is in there. (Another thread may be importing it.)
    """
    return getattr(sys.modules.get('socket'), name, getattr(_socket, name))


def logger():
    """Return the logger ``haproxyadmin``, or None as long as nobody has imported logging.

    A program that has not imported it cannot have switched it on either.
    """
    logging = sys.modules.get('logging')
    if not hasattr(logging, 'NullHandler'):
        return None  # another thread may be importing it
    found = logging.getLogger('haproxyadmin')
    if not found.handlers:
        # Otherwise Python 2 complains about a logger without a handler.
        found.addHandler(logging.NullHandler())
    return found
