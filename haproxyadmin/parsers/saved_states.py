# SPDX-License-Identifier: Apache-2.0
"""The two files in which the state of servers is saved.

The first one is what ``load-server-state-from-file`` of HAProxy reads: the reply to ``show servers
state``. The second one contains what that reply lacks::

    {
     "added": {
      "web/web9": {"address": "10.0.0.9:80", "check": true, "keywords": {"inter": ["2s"]},
                   "ready": true, "weight": 50}
     },
     "servers": {
      "web/web1": {"maxconn": 200},
      "web/web9": {"maxconn": 0}
     }
    }
"""
import collections

from haproxyadmin.imports import Pattern
from haproxyadmin.parsers.servers_state import VERSION, check_numbers, parse_header, parse_row
from haproxyadmin.parsers.values import TEXT
from haproxyadmin.protocol.replies import Malformed
from haproxyadmin.protocol.words import MAX_WEIGHT, is_integer, to_bytes, to_native

_CONTROL = Pattern(r'[\x00-\x1f\x7f]')
# What the arguments of a server that was added are.
_ARGUMENTS = {
    'address': lambda value: isinstance(value, TEXT),
    'weight': lambda value: value is None or (is_integer(value) and 0 <= value <= MAX_WEIGHT),
    'check': lambda value: isinstance(value, bool),
    'ready': lambda value: isinstance(value, bool),
    'keywords': lambda value: isinstance(value, dict) and all(map(_is_keyword, value.values())),
}


def format_states(header, lines):
    """Yield the first file in parts.

    :param header: the line with the names of the columns.
    :param lines: the rows as HAProxy has printed them.
    """
    for line in [VERSION, header] + list(lines):
        yield to_bytes(line) + b'\n'


def parse_states(content, path):
    """Parse the first file.

    :type content: bytes
    :param path: its path, for messages.
    :return: for each server the text of each column by its name; by backend and name, in order.
    :rtype: collections.OrderedDict
    :raises ValueError: if it is malformed; the message contains the line.
    """
    names, states = None, collections.OrderedDict()
    lines = to_native(content).split('\n')
    for number, line in enumerate(lines, 1):
        try:
            if _CONTROL.search(line):
                raise Malformed('a control character: {0!r}'.format(line[:200]))
            if number == 1 and line != VERSION:
                raise Malformed('expected {0!r}, got {1!r}'.format(VERSION, line[:200]))
            if number == 2:
                names = parse_header(line)
            if number > 2 and line and not line.startswith('#'):
                state = check_numbers(parse_row(names, line))
                if (state['be_name'], state['srv_name']) in states:
                    raise Malformed('listed twice: {0!r}'.format(line[:200]))
                states[state['be_name'], state['srv_name']] = state
            if number == len(lines) and line:
                raise Malformed('the file ends within a line: {0!r}'.format(line[:200]))
        except Malformed as error:
            raise ValueError('{0}, line {1}: {2}'.format(path, number, error))
    return states


def format_extras(maxconns, added):
    """Return the second file in parts.

    :param maxconns: the maximum number of connections by backend and name, 0 for no limit.
    :param added: the arguments of servers that were added, by backend and name.
    """
    import json  # only needed here
    text = json.dumps({
        'servers': dict(('/'.join(names), {'maxconn': maxconn})
                        for names, maxconn in maxconns.items()),
        'added': dict(('/'.join(names), arguments) for names, arguments in added.items()),
    }, indent=1, sort_keys=True, separators=(',', ': '))
    return [to_bytes(text), b'\n']


def parse_extras(content, path):
    """Parse the second file.

    :param content: its bytes; None if it does not exist.
    :param path: its path, for messages.
    :return: what was passed to :func:`format_extras`.
    :rtype: tuple of dict
    :raises ValueError: if it is malformed.
    """
    if content is None:
        return {}, {}
    import json  # only needed here
    try:
        extras = json.loads(content.decode('utf-8'))
    except ValueError as error:
        raise ValueError('{0}: {1}'.format(path, error))
    if not isinstance(extras, dict):
        raise ValueError('{0}: expected an object, got {1!r}'.format(path, extras))
    maxconns, added = [dict(_entries(extras, name, is_valid, path)) for name, is_valid in (
        ('servers', _is_maxconn), ('added', _are_arguments))]
    return (dict((names, entry['maxconn']) for names, entry in maxconns.items()),
            dict((names, _native(arguments)) for names, arguments in added.items()))


def _entries(extras, key, is_valid, path):
    """Yield each entry by the names of backend and server."""
    entries = extras.get(key)
    if not isinstance(entries, dict):
        raise ValueError('{0}: {1} must be an object, got {2!r}'.format(path, key, entries))
    for name, entry in entries.items():
        backend, slash, server = to_native(name).partition('/')
        if not (backend and slash and server and isinstance(entry, dict) and is_valid(entry)):
            raise ValueError('{0}: wrong in {1}: {2!r}: {3!r}'.format(path, key, name, entry))
        yield (backend, server), entry


def _is_maxconn(entry):
    maxconn = entry.get('maxconn')
    # HAProxy also shows numbers that it does not accept.
    return is_integer(maxconn) and maxconn >= 0


def _are_arguments(entry):
    return set(entry) == set(_ARGUMENTS) and all(
        is_valid(entry[name]) for name, is_valid in _ARGUMENTS.items())


def _is_keyword(value):
    return value is True or (isinstance(value, list)
                             and all(isinstance(word, TEXT) for word in value))


def _native(value):
    """Return a value with all texts as ``str``."""
    if isinstance(value, dict):
        return dict((to_native(name), _native(own)) for name, own in value.items())
    return [_native(own) for own in value] if isinstance(value, list) else to_native(value)
