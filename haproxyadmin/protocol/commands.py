# SPDX-License-Identifier: Apache-2.0
"""Build every command line, and check every argument that goes into one.

A caller's text reaches HAProxy as ONE word, whatever is in it, or not at all: whatever
HAProxy (or the version that runs) cannot take is a :class:`ValueError` here.
"""
import os
import re

import six

from haproxyadmin.protocol import dangers
from haproxyadmin.protocol.dangers import NotForVersion

# HAProxy's buffer less its reserve, newline included; longer lines wedge 2.0 to 2.6.
MAX_LINE = 15360
# More crash 1.5.19 and 1.6.9; later versions ignore the rest.
MAX_WORDS = 64
MAX_INT = 2147483647
MAX_WEIGHT = 256
MAX_PERCENT = 100 * MAX_WEIGHT
MAX_PORT = 65535

STATE_ENABLE = 'enable'
STATE_DISABLE = 'disable'
STATE_READY = 'ready'
STATE_DRAIN = 'drain'
STATE_MAINT = 'maint'
VALID_STATES = [STATE_ENABLE, STATE_DISABLE, STATE_MAINT, STATE_DRAIN, STATE_READY]

FRONTENDS = 1
BACKENDS = 2
SERVERS = 4
EVERYTHING = -1
# All but listeners.
ROWS = FRONTENDS | BACKENDS | SERVERS

SHOW_INFO = b'show info'
SHOW_LEVEL = b'show cli level'
LEVEL_SINCE = (2, 0)
PAYLOAD_SINCE = (1, 9)
# `add map` stores what a payload holds.
MAP_PAYLOAD_SINCE = (2, 0)
# Before, words are split at a vertical tab and a form feed, too.
SPLITS_AT_BLANKS_SINCE = (1, 9)
# A line of more than 64 words does not crash it.
ANY_WORDS_SINCE = (1, 8)
DELETES_ONE_SINCE = (3, 3)
# Before, each entry that is deleted costs a search through all of them.
DELETES_QUICKLY_SINCE = (2, 4)
# From here on an address is applied about a millisecond after HAProxy has said that it is.
ADDRESS_LATER = (3, 0)
# Asks for nothing: it lacks the value. Tells an admin from others before 2.0.
PROBE_ADMIN = b'set maxconn global'

_DIGITS = re.compile(r'[0-9]+\Z')
_PERCENT = re.compile(r'([0-9]+)%\Z')
_REFERENCE = re.compile(r'#?(0x[0-9a-fA-F]+)\Z')
_BLANK = re.compile(br'[ \t]')
_SPECIAL = re.compile(br'([ \t;\\<])')
_SPECIAL_BEFORE = re.compile(br'([ \t\v\f;\\<])')
# The secret of a TLS ticket; a certificate's is in a payload.
_SECRET = re.compile(br'(\bset\s+ssl\s+tls-key\s+(?:\\.|[^\\\s;])+\s+)(?:\\.|[^\\\s;])+')
# Not the escaped ones; the words of "x\\;y" are counted together, which is safe.
_SEPARATOR = br'(?<!\\);'
# From 3.0 on `<<` may have a name with it, and a backslash at the end continues the line.
_WAITS = br'<<\Z|(\A|[ \t])<<[^ \t;]+(;|\Z)|(\A|[^\\])(\\\\)*\\\Z'
# What an interactive session begins with, events that are followed, and what a master is asked.
_OPEN_ENDED = (br'(\A|;)[ \t]*(prompt\b|@|(hard-)?reload\b|show[ \t]+proc\b|'
               br'show[ \t]+events[ \t][^;]*-\w*w)')
_WAIT = br'(?:\A|;)[ \t]*wait[ \t]+([0-9]{1,9})(us|ms|s|m|h|d|)(?=[ \t;]|\Z)'
_UNITS = {b'us': 1e-6, b'ms': 1e-3, b'': 1e-3, b's': 1, b'm': 60, b'h': 3600, b'd': 86400}
# Known by their names: to import the modules takes longer than to import this one.
_TEXT_FORMS = frozenset([
    ('ipaddress', 'IPv4Address'), ('ipaddress', 'IPv6Address'), ('ipaddress', 'IPv4Network'),
    ('ipaddress', 'IPv6Network'), ('uuid', 'UUID')])
_TEXT = (bytes, six.text_type)
# Follows an id, which would else be a proxy's name first; see show_stat().
_MARK = b'+'
_FORBIDDEN = re.compile(br'[\n\r\0]')
_FORBIDDEN_NAMES = {b'\n': 'a newline', b'\r': 'a carriage return', b'\0': 'a NUL character'}


def version_tuple(text):
    """Return the first three numbers of a version, ``'2.2.9-2+deb11u6'`` gives ``(2, 2, 9)``.

    :param text: the ``Version`` of ``show info``.
    :rtype: tuple of int
    """
    numbers = [int(number) for number in re.findall(r'[0-9]+', text.split('-')[0])[:3]]
    return tuple(numbers + [0] * (3 - len(numbers)))


def version_text(version):
    """Return a version as it is written, ``(2, 2, 9)`` as ``'2.2.9'``."""
    return '.'.join(map(str, version))


def to_bytes(text):
    """Return a caller's text as it goes over the socket: UTF-8, bytes as they are."""
    if isinstance(text, six.text_type):
        # Python 2 has no such error handler, and never needs it here.
        return text.encode('utf-8', 'surrogateescape')
    if isinstance(text, bytes):
        return text
    raise ValueError('expected text, got {0!r}'.format(text))


def native(text):
    """Return text or bytes as the text of this Python; anything else as it is."""
    if isinstance(text, (six.text_type, bytes)):
        return six.ensure_str(text, 'utf-8', 'surrogateescape')
    return text


# Python 2 has none: names of files are bytes there.
_fsdecode = getattr(os, 'fsdecode', native)


def of_pathlib(path):
    """Return the text or bytes of a path of pathlib; anything else as it is."""
    # The class itself is no path.
    return path.__fspath__() if hasattr(type(path), '__fspath__') else path


def file_name(path):
    """Return the name of a file of this machine as the text of this Python.

    :param path: text, bytes or a path of pathlib; anything else is returned as it is.
    """
    path = of_pathlib(path)
    # Under an ASCII locale, for instance, Python 3 does not name files in UTF-8.
    return _fsdecode(path) if isinstance(path, bytes) else native(path)


def plain(text):
    """Return a text as HAProxy is to store it.

    :param text: what a caller passed; an integer is written in decimal, any other number and what
        has a text form as its ``str()``.
    :type text: str, bytes, number, UUID, or an address or network of :mod:`ipaddress`
    :rtype: bytes
    :raises ValueError: for what no version can take.
    """
    raw_text = to_bytes(text) if isinstance(text, _TEXT) else _number_text(text) or address(text)
    if not raw_text:
        raise ValueError('HAProxy takes no empty text')
    if len(raw_text) >= MAX_LINE:
        raise ValueError('a text of {0} bytes is too long: HAProxy takes {1} in a command'.format(
            len(raw_text), MAX_LINE - 1))
    forbidden = _FORBIDDEN.search(raw_text)
    if forbidden:
        raise ValueError('HAProxy takes no text with {0}: {1!r}'.format(
            _FORBIDDEN_NAMES[forbidden.group()], text))
    return raw_text


def word(text, version):
    """Escape a text so that HAProxy reads it as one word.

    :param text: what a caller passed.
    :type text: str, bytes or int
    :param version: version of the HAProxy it goes to.
    :type version: tuple of int
    :rtype: bytes
    :raises ValueError: where no escape exists for what is in it.
    """
    raw_text = plain(text)
    if not _SPECIAL_BEFORE.search(raw_text):
        # Most texts; the version is asked for only where it matters.
        return raw_text
    _check_version_takes(raw_text, text, version)
    special = _SPECIAL if version >= SPLITS_AT_BLANKS_SINCE else _SPECIAL_BEFORE
    return special.sub(br'\\\1', raw_text)


def name_word(name, version):
    """Escape the name of a frontend, backend or server.

    :raises ValueError: for what HAProxy would take for an id: ``#3``, and ``#x`` for ``#0``.
    """
    if plain(name).startswith(b'#'):
        raise ValueError('HAProxy takes {0!r} for an id, not for a name'.format(name))
    return word(name, version)


def address(value):
    """Return an address, which is a text or an object that has a text form, as bytes.

    :raises ValueError: for anything else, numbers too: HAProxy takes ``1.5`` for ``1.0.0.5``.
    """
    if isinstance(value, _TEXT):
        return to_bytes(value)
    forms = [(kind.__module__, kind.__name__) for kind in type(value).__mro__]
    return to_bytes(value if _TEXT_FORMS.isdisjoint(forms) else str(value))


def _number_text(value):
    """Return a number as bytes, whatever an enumeration makes of it; None for anything else."""
    if is_integer(value):
        return decimal(value)
    if isinstance(value, float):
        return to_bytes(str(float(value)))
    if isinstance(value, bool):
        return None
    # Not for every process that imports us: most have no such number.
    import numbers
    return to_bytes(str(value)) if isinstance(value, numbers.Number) else None


def _check_version_takes(raw, text, version):
    refused = None
    if b'\\' in raw and version < (1, 8):
        refused = 'a backslash'
    elif b';' in raw and (version < (1, 5, 19) or (1, 6) <= version < (1, 6, 9)):
        refused = 'a semicolon'
    elif (b' ' in raw or b'\t' in raw) and (1, 9) <= version < (2, 2):
        refused = 'a blank or tab'
    if refused:
        raise NotForVersion('HAProxy {0} takes no text with {1}: {2!r}'.format(
            version_text(version), refused, text))


def is_integer(value):
    """Return True for an integer; a bool is none."""
    return isinstance(value, six.integer_types) and not isinstance(value, bool)


def decimal(value):
    """Return an integer in decimal, whatever text an enumeration makes of it."""
    return str(int(value)).encode('ascii')


def shown(value):
    """Return a value for a message."""
    try:
        return repr(value)
    except ValueError:  # which Python itself has for integers
        return 'one of thousands of digits'


def number(value, name, highest=MAX_INT):
    """Return a number as HAProxy reads it.

    :param value: an integer.
    :param name: what it is, for the message.
    :param highest: the largest that HAProxy takes without wrapping it.
    :rtype: bytes
    :raises ValueError: when it is no integer from 0 to ``highest``.
    """
    if not is_integer(value) or not 0 <= value <= highest:
        raise ValueError('{0} is an integer from 0 to {1}, not {2}'.format(
            name, highest, shown(value)))
    return decimal(value)


def digits(value):
    """Return the integer that a text of digits stands for; anything else as it is."""
    text = native(value)
    return _integer(text) if isinstance(text, str) and _DIGITS.match(text) else value


def _integer(text):
    """Return the integer of a text of digits; one of a hundred is too large like any longer one."""
    return int(text.lstrip('0')[:100] or 0)


def row_id(value):
    """Return the id of a proxy or server as an integer; -1 stands for all of them.

    :param value: an integer or its digits.
    """
    return -1 if native(value) in (-1, '-1') else int(number(digits(value), 'an id, but for -1,'))


def port(value):
    """Return a port: 0 to 65535, an integer or its digits; HAProxy takes 70000 for 4464."""
    return number(digits(value), 'a port', MAX_PORT)


def weight(value):
    """Return a weight: 0 to 256, or a percentage of the configured one.

    :raises ValueError: for anything else.
    """
    text = native(value)
    percent = isinstance(text, str) and _PERCENT.match(text)
    if not percent:
        try:
            return number(value, 'weight', MAX_WEIGHT)
        except ValueError:
            raise ValueError("weight is an integer from 0 to {0} or 'N%', not {1}".format(
                MAX_WEIGHT, shown(value)))
    return number(_integer(percent.group(1)), 'a weight in percent', MAX_PERCENT) + b'%'


def identifier(value, version):
    """Return what names an ACL or MAP: ``#N`` or a file.

    :param value: a non-negative integer, digits, ``#`` and digits, or a file path, of pathlib too.
    :rtype: bytes
    :raises ValueError: for anything else; ``#`` alone would mean 0 to HAProxy, and ``@`` a version.
    """
    text = native(of_pathlib(value))
    if isinstance(text, str):
        name = text[1:] if text.startswith('#') else text
        if not _DIGITS.match(name):
            if text.startswith(('#', '@')):
                raise ValueError('no id or file of an ACL or MAP: {0!r}'.format(value))
            return word(text, version)
        value = _integer(name)
    if not is_integer(value):
        raise ValueError('an ACL or MAP is named by its id or its file, not by {0!r}'.format(value))
    return b'#' + number(value, 'the id of an ACL or MAP')


def reference(key):
    """Return the reference that a key of an ACL or MAP is, or None.

    :param key: ``'0x1a78ab0'`` as the listings print it; any other text is a key.
    :rtype: str
    :raises ValueError: for a key that HAProxy takes for a broken reference.
    """
    text = native(key)
    if not isinstance(text, str):
        return None
    match = _REFERENCE.match(text)
    if match:
        return match.group(1)
    if text.startswith('#0x'):
        raise ValueError('HAProxy takes {0!r} for a broken reference'.format(key))
    return None


def line(*words):
    """Join words to a command line.

    :rtype: bytes
    :raises ValueError: when it is longer than HAProxy takes.
    """
    joined = b' '.join(words)
    if len(joined) + 1 > MAX_LINE:
        raise ValueError('a command of {0} bytes is too long: HAProxy takes {1}'.format(
            len(joined), MAX_LINE - 1))
    return joined


def raw(command):
    """Check a command line, and perhaps its payload, that a caller wrote; it is sent as it is.

    :type command: str or bytes
    :rtype: bytes
    :raises ValueError: for a second line, unless the first announces a payload with `` <<``, and
        for what crashes or wedges a HAProxy: NUL, too many words, too many bytes, a payload that
        is announced and missing or that ends before its last line.
    """
    text = to_bytes(command).rstrip(b'\n')
    head, newline, payload = text.partition(b'\n')
    told = repr(native(head))  # a payload may be a private key
    if not head.strip():
        raise ValueError('the command is empty')
    if b'\0' in text or b'\r' in head:
        raise ValueError('a command has no NUL and no carriage return: {0}'.format(told))
    if newline and not head.endswith(b' <<'):
        raise ValueError('a command is one line, unless it ends in " <<": {0}'.format(told))
    if re.search(_WAITS, head) and not newline:
        raise ValueError('HAProxy would wait for a payload, or for the rest of the line: '
                         '{0}'.format(told))
    if newline and any(not part.rstrip(b'\r') for part in payload.split(b'\n')):
        raise ValueError('an empty line would end the payload of {0}'.format(told))
    if any(len(part.split()) > MAX_WORDS for part in re.split(_SEPARATOR, head)):
        raise ValueError('HAProxy takes {0} words in a command'.format(MAX_WORDS))
    # The payload ends with an empty line; the transport adds the last newline.
    return line(text + b'\n' if newline else text)


def shown_line(command):
    """Return the first line of what is sent, for messages: without a payload and without secrets.

    :type command: bytes
    :rtype: str
    """
    return native(_SECRET.sub(br'\1...', command.split(b'\n', 1)[0]))


def only_shows(command):
    """Return True if a command line only reads, so that it may be sent twice."""
    return all(part.strip().startswith(b'show ') for part in command.split(b';'))


def is_open_ended(command):
    """Return True if HAProxy goes on with a command line until the client says that it is done."""
    return bool(re.search(_OPEN_ENDED, command))


def seconds_waited(command):
    """Return how long a command line makes HAProxy wait at most: ``wait 3s srv-removable b/s``.

    :rtype: float
    """
    return sum(int(count) * _UNITS[unit] for count, unit in re.findall(_WAIT, command))


def show_stat(iid=-1, kind=EVERYTHING, sid=-1, marked=False):
    """Return the command for rows of statistics; -1 stands for all.

    :param marked: (optional) True where a proxy may have a number for its name, which HAProxy
        looks for first (1.7). No name has a plus sign, and a number ends before it.
    """
    return b'show stat %d%s %d %d' % (int(iid), _MARK if marked else b'', int(kind), int(sid))


def show_all(marked=False):
    """Return the command for ``show info`` and all rows but listeners, see :func:`show_stat`.

    One connection answers both.
    """
    return SHOW_INFO + b';' + show_stat(kind=ROWS, marked=marked)


def show_errors(iid=None, marked=False):
    """Return the command for the last captured errors, of one proxy where an id is given.

    :param marked: (optional) see :func:`show_stat`.
    """
    if iid is None or (is_integer(iid) and iid == 0):
        return b'show errors'
    return line(b'show errors', number(iid, 'the id of a proxy') + (_MARK if marked else b''))


def clear_counters(everything, version):
    """Return the command that clears the maxima, or every counter.

    :raises haproxyadmin.exceptions.CommandFailed: where every counter is to be cleared and that
        crashes HAProxy.
    """
    if not everything:
        return b'clear counters'
    dangers.check(dangers.CLEAR_ALL_COUNTERS, version)
    return b'clear counters all'


def set_maxconn_global(value):
    """Return the command for the process's limit of connections."""
    return line(b'set maxconn global', number(value, 'maxconn'))


def set_rate_limit(kind, value):
    """Return the command for a limit per second.

    :param kind: ``'connections'``, ``'sessions'`` or ``'ssl-sessions'``.
    """
    return line(b'set rate-limit', kind.encode('ascii'), b'global', number(value, 'a rate limit'))


def frontend(action, name, version):
    """Return the command that does ``enable``, ``disable`` or ``shutdown`` to a frontend."""
    return line(action.encode('ascii'), b'frontend', name_word(name, version))


def set_maxconn_frontend(name, value, version):
    """Return the command for a frontend's limit of connections."""
    return line(b'set maxconn frontend', name_word(name, version), number(value, 'maxconn'))


def server_word(backend, name, version):
    """Return the word that names a server: ``BACKEND/SERVER``."""
    return name_word(backend, version) + b'/' + name_word(name, version)


def set_state(server, state):
    """Return the command that sets a server's state.

    :param server: what :func:`server_word` returned.
    :raises ValueError: for a state that is not one of ``VALID_STATES``.
    """
    state = native(state)
    if state not in VALID_STATES:
        raise ValueError('a state is one of {0}, not {1!r}'.format(', '.join(VALID_STATES), state))
    if state in (STATE_ENABLE, STATE_DISABLE):
        return line(state.encode('ascii'), b'server', server)
    return line(b'set server', server, b'state', state.encode('ascii'))


def set_weight(server, value):
    """Return the command that sets a server's weight."""
    return line(b'set weight', server, weight(value))


def shutdown_sessions(server):
    """Return the command that ends all sessions of a server."""
    return line(b'shutdown sessions server', server)


def set_address(server, address, port=None):
    """Return the command that sets a server's address, and its port where one is given.

    :param server: what :func:`server_word` returned.
    :param address: the address as a word.
    :type address: bytes
    :param port: (optional) what :func:`port` returned.
    :type port: bytes
    """
    words = [b'set server', server, b'addr', address]
    if port is not None:
        words += [b'port', port]
    return line(*words)


def patterns(action, family, ident, version, *texts):
    """Return a command on an ACL or MAP.

    :param action: ``'show'``, ``'get'``, ``'add'``, ``'set'``, ``'del'`` or ``'clear'``.
    :param family: ``'acl'`` or ``'map'``.
    :param ident: see :func:`identifier`; ``'show'`` lists all ACLs or MAPs of None.
    :param texts: key or pattern, and value.
    """
    if (action, family) == ('get', 'acl'):
        dangers.check(dangers.GET_ACL, version)
    words = [action.encode('ascii'), family.encode('ascii')]
    if ident is not None or action != 'show':
        words.append(identifier(ident, version))
    return line(*(words + [word(text, version) for text in texts]))


def takes_payload(version, key, value):
    """Return True if ``add map`` can store an entry from a payload, which is not unescaped.

    The key ends at the first blank, and the blanks that follow are dropped.

    :type key: bytes
    :type value: bytes
    """
    return version >= MAP_PAYLOAD_SINCE and not _BLANK.search(key) and not _BLANK.match(value)


def payload(keys, values, version):
    """Return the payload of many entries of a MAP, checked all at once.

    :type keys: tuple
    :type values: tuple
    :return: the lines, or None where an entry takes a closer look: what :func:`plain` and
        :func:`takes_payload` say of each.
    :rtype: bytes
    """
    texts = keys + values
    if version < MAP_PAYLOAD_SINCE or set(map(type, texts)) != set([str]) or not all(texts):
        return None
    lines = '\n'.join(map(' '.join, zip(keys, values)))
    # A single blank in each line is the one between a key and a value without any.
    if lines.count(' ') != len(keys) or lines.count('\n') != len(keys) - 1 or any(
            mark in lines for mark in '\t\r\0'):
        return None
    try:
        return to_bytes(lines)
    except ValueError:
        return None


def is_repeated(action, version):
    """Return True if a change of an ACL or MAP may reach one entry of a key at a time."""
    return action == 'del' and version >= DELETES_ONE_SINCE


def by_reference(action, family, ident, version, ref, *texts):
    """Return a command on the entry of an ACL or MAP that a reference points to."""
    words = [action.encode('ascii'), family.encode('ascii'), identifier(ident, version),
             b'#' + ref.encode('ascii')]
    return line(*(words + [word(text, version) for text in texts]))
