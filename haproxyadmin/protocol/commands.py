# SPDX-License-Identifier: Apache-2.0
"""Build every command line.

To add a command, add a function here that returns its line: constants are bytes, everything that
comes from a caller goes through a check of :mod:`haproxyadmin.protocol.words`.
"""
import itertools

from haproxyadmin.imports import Pattern
from haproxyadmin.protocol import versions
from haproxyadmin.protocol.words import (MAX_LINE, MAX_WORDS, check_identifier, check_number,
                                         check_payload, check_weight, escape_name, escape_word,
                                         is_integer, join_words, to_bytes, to_native)

STATE_ENABLE = 'enable'
STATE_DISABLE = 'disable'
STATE_READY = 'ready'
STATE_DRAIN = 'drain'
STATE_MAINT = 'maint'
VALID_STATES = [STATE_ENABLE, STATE_DISABLE, STATE_MAINT, STATE_DRAIN, STATE_READY]

# What `set server ... health` and `agent` accept.
HEALTHS = ['up', 'stopping', 'down']
AGENT_HEALTHS = ['up', 'down']

FRONTENDS = 1
BACKENDS = 2
SERVERS = 4
EVERYTHING = -1
# Everything except listeners.
ROWS = FRONTENDS | BACKENDS | SERVERS

SHOW_INFO = b'show info'
SHOW_LEVEL = b'show cli level'
SHOW_SESSIONS = b'show sess'
SHOW_RESOLVERS = b'show resolvers'
SHOW_PEERS = b'show peers'
SHOW_OCSP_RESPONSES = b'show ssl ocsp-response'
SHOW_OCSP_UPDATES = b'show ssl ocsp-updates'
# With a file or `*` it would print the secrets.
SHOW_TICKET_KEYS = b'show tls-keys'
# For a master only.
SHOW_PROC = b'show proc'
RELOAD = b'reload'
_EXPERIMENTAL = b'experimental-mode on'
# Changes nothing, because the value is missing; only an admin gets that far. For versions before
# 2.0.
PROBE_ADMIN = b'set maxconn global'

_BLANK = Pattern(br'[ \t]')
# The secret of a TLS ticket. That of a certificate is in a payload.
_SECRET = Pattern(br'(\bset\s+ssl\s+tls-key\s+(?:\\.|[^\\\s;])+\s+)(?:\\.|[^\\\s;])+')
# The commands of a line, without the separators.
_PARTS = Pattern(br'(?:\\.|[^\\;])+|\\')
# Not an escaped one. The words of "x\\;y" are counted together, which is safe.
_SEPARATOR = Pattern(br'(?<!\\);')
# From 3.0 on `<<` may be followed by a name, and a backslash at the end continues the line.
_WAITS = Pattern(br'<<\Z|(\A|[ \t])<<[^ \t;]*(;|\Z)|(\A|[^\\])(\\\\)*\\\Z')
# The blank before the last `<<` must not be an escaped one: from 3.0 on that is no announcement.
_ANNOUNCES = Pattern(br'(?<!\\)(\\\\)* <<\Z')
# What starts an interactive session, events that are followed, and what only a master understands.
_OPEN_ENDED = Pattern(br'(\A|;)[ \t]*(prompt\b|@|(hard-)?reload\b|show[ \t]+proc\b|'
                      br'show[ \t]+events[ \t][^;]*-\w*w)')
# Commands that a master executes itself. These leave it waiting: up to 2.6 `quit` with something
# after it, in 3.2 `prompt` with a payload, from 3.0 on `user` before a wrong `expert-mode`.
_OF_SESSION = Pattern(br'[ \t]*(quit|prompt|user|operator)([ \t]|\Z)')
# These it takes out of what it sends to the worker, but not their payload.
_OF_MASTER = Pattern(br'[ \t]*(expert-mode|experimental-mode|mcli-debug-mode)[ \t]')
_WAIT = Pattern(br'(?:\A|;)[ \t]*wait[ \t]+([0-9]{1,9})(us|ms|s|m|h|d|)(?=[ \t;]|\Z)')
_UNITS = {b'us': 1e-6, b'ms': 1e-3, b'': 1e-3, b's': 1, b'm': 60, b'h': 3600, b'd': 86400}
# After a number, it keeps HAProxy from looking for a proxy of that name; see show_stat().
_MARK = b'+'


# What a caller wrote

def check_raw(command):
    """Check a command line, and perhaps its payload, that a caller wrote; it is sent unchanged.

    :type command: str or bytes
    :rtype: bytes
    :raises ValueError: for a second line, unless the first one announces a payload with `` <<``;
        for what crashes or wedges HAProxy: NUL, too many words, too many bytes; for a payload that
        is announced and missing, or that ends before its last line.
    """
    text = to_bytes(command).rstrip(b'\n')
    head, newline, payload = text.partition(b'\n')
    shown = repr(to_native(head))  # without the payload, which may be a private key
    if not head.strip():
        raise ValueError('the command is empty')
    if b'\0' in text or b'\r' in head:
        raise ValueError('a command must not contain NUL or a carriage return: {0}'.format(shown))
    if newline and not _ANNOUNCES.search(head):
        raise ValueError('a command is one line, unless it ends in " <<": {0}'.format(shown))
    if _WAITS.search(head) and not newline:
        raise ValueError('HAProxy would wait for a payload, or for the rest of the line: '
                         '{0}'.format(shown))
    if newline and any(not part.rstrip(b'\r') for part in payload.split(b'\n')):
        raise ValueError('an empty line would end the payload of {0}'.format(shown))
    if any(len(part.split()) > MAX_WORDS for part in _SEPARATOR.split(head)):
        raise ValueError('a command has at most {0} words'.format(MAX_WORDS))
    # An empty line ends the payload; the transport adds the last newline.
    return join_words(text + b'\n' if newline else text)


def describe_line(command):
    """Return the first line of a command for messages: no payload, no secrets.

    :type command: bytes
    :rtype: str
    """
    line = command.split(b'\n', 1)[0]
    return to_native(_SECRET.sub(br'\1...', line) if b'tls-key' in line else line)


def holds_secret(command):
    """Return True if a command contains the secret of a TLS ticket, or a private key."""
    return b'PRIVATE KEY-----' in command or bool(_SECRET.search(command))


def check_through_master(command):
    """Check a command line that a caller wrote, and that a master passes on to a worker.

    :type command: bytes
    :raises ValueError: if a part of it chooses where it goes; if the lines of its payload would be
        commands, because the master does not see that there is a payload (up to 2.6 it looks at the
        first ``<<`` of a command only), or executes the command itself; if the master would wait
        for a payload; and for what ends or changes the session with the master, which otherwise
        may never again free the connection, one of ten.
    """
    line, newline, _ = command.partition(b'\n')
    parts = _PARTS.findall(line)
    reason = None
    if any(part.lstrip(b' \t').startswith(b'@') for part in parts):
        reason = 'a command must not begin with @'
    elif any(_OF_SESSION.match(part) for part in parts):
        reason = 'quit, prompt, user and operator cannot be sent'
    elif any(seconds_waited(part) for part in parts):
        reason = 'wait would end at once'
    elif b'<<' in (line[:-len(b'<<')] if newline else line):
        reason = 'a command must not contain "<<" except to announce a payload; write "\\<<"'
    elif newline and _OF_MASTER.match(parts[-1]):
        reason = 'the command cannot have a payload'
    if reason:
        raise ValueError('through a master, {0}: {1!r}'.format(reason, describe_line(command)))


def only_shows(command):
    """Return True if a command line only reads, so that it may be sent twice."""
    return all(part.strip().startswith(b'show ') for part in command.split(b';'))


def is_open_ended(command):
    """Return True if HAProxy keeps the connection open until the client ends its side."""
    return bool(_OPEN_ENDED.search(command))


def seconds_waited(command):
    """Return how long a command line makes HAProxy wait at most: ``wait 3s srv-removable b/s``.

    :rtype: float
    """
    return sum(int(count) * _UNITS[unit] for count, unit in _WAIT.findall(command))


# Statistics and settings of the process

def show_stat(iid=-1, kind=EVERYTHING, sid=-1, marked=False):
    """Return the command for rows of statistics; -1 stands for all.

    :param marked: (optional) True where a number may be the name of a proxy: HAProxy looks for the
        name first (1.7). A plus sign after the number prevents that.
    """
    return b'show stat %d%s %d %d' % (int(iid), _MARK if marked else b'', int(kind), int(sid))


def show_all(marked=False):
    """Return the command for ``show info`` and all rows except listeners, on one connection.

    :param marked: (optional) see :func:`show_stat`.
    """
    return SHOW_INFO + b';' + show_stat(kind=ROWS, marked=marked)


def show_errors(iid=None, marked=False):
    """Return the command for the last captured errors, of one proxy or of all.

    :param iid: (optional) the id of the proxy.
    :param marked: (optional) see :func:`show_stat`.
    """
    if iid is None or (is_integer(iid) and iid == 0):
        return b'show errors'
    number = check_number(iid, 'the id of a proxy')
    return join_words(b'show errors', number + (_MARK if marked else b''))


def clear_counters(everything, version):
    """Return the command that resets the maximum values, or every counter.

    :raises haproxyadmin.exceptions.CommandFailed: if resetting every counter would crash HAProxy.
    """
    if not everything:
        return b'clear counters'
    versions.check_danger(versions.CLEAR_ALL_COUNTERS, version)
    return b'clear counters all'


def set_maxconn_global(value):
    """Return the command that sets the process's maximum number of connections."""
    return join_words(b'set maxconn global', check_number(value, 'maxconn'))


def set_rate_limit(kind, value):
    """Return the command that sets a limit per second.

    :param kind: ``'connections'``, ``'sessions'`` or ``'ssl-sessions'``.
    """
    return join_words(b'set rate-limit', kind.encode('ascii'), b'global',
                      check_number(value, 'a rate limit'))


# Frontends and servers

def frontend(action, name, version):
    """Return the command for a frontend.

    :param action: ``'enable'``, ``'disable'`` or ``'shutdown'``.
    """
    return join_words(action.encode('ascii'), b'frontend', escape_name(name, version))


def set_maxconn_frontend(name, value, version):
    """Return the command that sets a frontend's maximum number of connections."""
    return join_words(b'set maxconn frontend', escape_name(name, version),
                      check_number(value, 'maxconn'))


def check_maxconn_frontend(sessions, limit, rate, rate_limit, value, version):
    """Check that a frontend's maximum number of connections may be set.

    :param sessions: how many there are.
    :param limit: the maximum that is set.
    :param rate: new sessions per second.
    :param rate_limit: how many are let in per second, 0 for no limit.
    :param value: the maximum that is to be set.
    :raises haproxyadmin.exceptions.CommandFailed: if it lets a listener accept again that waits,
        where that would crash HAProxy.
    """
    if (value > limit and sessions >= limit) or (value > sessions and 0 < rate_limit <= rate):
        versions.check_danger(versions.RAISING_FRONTEND_MAXCONN, version)


def set_state(server, state):
    """Return the command that sets a server's state.

    :param server: see :func:`haproxyadmin.protocol.words.escape_server`.
    :raises ValueError: for a state that is not one of ``VALID_STATES``.
    """
    word = _choose('state', state, VALID_STATES)
    if to_native(word) in (STATE_ENABLE, STATE_DISABLE):
        return join_words(word, b'server', server)
    return set_server(server, 'state', word)


def show_servers_state(backend=None):
    """Return the command for the state of all servers, or of those of a backend.

    :param backend: (optional) the name of the backend, as a word.
    :type backend: bytes
    """
    return join_words(*[b'show servers state'] + ([] if backend is None else [backend]))


def show_all_states(marked=False):
    """Return the command for ``show info``, the state of all servers, and their rows.

    One process answers all of it, because it goes over one connection. The rows of backends come,
    too.

    :param marked: (optional) see :func:`show_stat`.
    """
    return join_commands([
        SHOW_INFO, show_servers_state(), show_stat(kind=BACKENDS | SERVERS, marked=marked)])


def get_weight(server):
    """Return the command that asks for a server's weight, and for the configured one."""
    return join_words(b'get weight', server)


def set_health(server, health):
    """Return the command that sets a server's health until the next check.

    :raises ValueError: for a health that is not one of ``HEALTHS``.
    """
    return join_words(b'set server', server, b'health', _choose('health', health, HEALTHS))


def set_agent(server, health):
    """Return the command that sets what an agent check has found, until the next one."""
    return join_words(b'set server', server, b'agent', _choose('health', health, AGENT_HEALTHS))


def switch_checks(server, kind, on):
    """Return the command that enables or disables checks.

    :param kind: ``'health'`` or ``'agent'``.
    """
    return join_words(b'enable' if on else b'disable', kind.encode('ascii'), server)


def set_maxconn_server(server, value):
    """Return the command that sets a server's maximum number of connections."""
    return join_words(b'set maxconn server', server, check_number(value, 'maxconn'))


def check_maxconn_server(before, value, version):
    """Check that a server's maximum number of connections may be changed.

    :param before: what is set.
    :param value: what is to be set; both are 0 for no limit.
    :raises haproxyadmin.exceptions.CommandFailed: if it is raised where that could crash HAProxy.
    """
    if before and (value == 0 or value > before):
        versions.check_danger(versions.RAISING_MAXCONN, version)


def set_server(server, name, value):
    """Return the command that sets something of a server.

    :param name: HAProxy's word for it.
    :param value: the value as a word.
    :type value: bytes
    """
    return join_words(b'set server', server, name.encode('ascii'), value)


def set_tls(server, on):
    """Return the command that switches TLS to a server on or off."""
    if not isinstance(on, bool):
        raise ValueError('expected True or False, got {0!r}'.format(on))
    return set_server(server, 'ssl', b'on' if on else b'off')


def _choose(what, value, allowed):
    """Return one of several words."""
    text = to_native(value)
    if text not in allowed:
        raise ValueError('{0} must be one of {1}, got {2!r}'.format(
            what, ', '.join(allowed), value))
    return text.encode('ascii')


def set_weight(server, value):
    """Return the command that sets a server's weight."""
    return join_words(b'set weight', server, check_weight(value))


def shutdown_sessions(server):
    """Return the command that ends all sessions of a server."""
    return join_words(b'shutdown sessions server', server)


def set_address(server, address, port=None, kind='addr'):
    """Return the command that sets a server's address, and perhaps its port.

    :param server: see :func:`haproxyadmin.protocol.words.escape_server`.
    :param address: the address as a word.
    :type address: bytes
    :param port: (optional) see :func:`haproxyadmin.protocol.words.check_port`.
    :type port: bytes
    :param kind: (optional) ``'check-addr'`` or ``'agent-addr'`` for the address of checks.
    """
    parts = [b'set server', server, kind.encode('ascii'), address]
    if port is not None:
        parts += [b'port', port]
    return join_words(*parts)


def add_server(server, words, experimental):
    """Return the command that adds a server.

    :param words: the address, and keywords with their values.
    :type words: list of bytes
    :param experimental: True for a version that hides dynamic servers (2.4 and 2.5).
    :raises ValueError: for too many words: HAProxy would ignore the rest.
    """
    if len(words) + 3 > MAX_WORDS:
        raise ValueError('too many keywords: a command has at most {0} words'.format(MAX_WORDS))
    return join_commands([_EXPERIMENTAL] * experimental + [join_words(
        b'add server', server, *words)])


def del_server(server, experimental):
    """Return the command that deletes a server.

    :param experimental: see :func:`add_server`.
    """
    return join_commands([_EXPERIMENTAL] * experimental + [join_words(b'del server', server)])


def join_commands(lines):
    """Join commands to one line; HAProxy executes all of them, whatever the first one leads to."""
    return join_words(b';'.join(lines))


# Sessions

def show_sessions():
    """Return the command for all sessions, and ``show info``, which says who has answered."""
    return SHOW_SESSIONS + b';' + SHOW_INFO


def show_session(ident):
    """Return the command for one session.

    :param ident: its id, as HAProxy has reported it.
    """
    return join_words(SHOW_SESSIONS, ident.encode('ascii'))


def look_at_sessions(idents):
    """Return the command for some sessions, and ``show info``, which says who has answered."""
    return join_commands([show_session(ident) for ident in idents] + [SHOW_INFO])


def shutdown_each(idents):
    """Return the command that ends sessions, each on its own.

    :param idents: the ids, as HAProxy has reported them.
    """
    return join_commands([b'shutdown session ' + ident.encode('ascii') for ident in idents])


# ACLs and maps

def patterns(action, family, ident, version, *texts):
    """Return a command for an ACL or map.

    :param action: ``'show'``, ``'get'``, ``'add'``, ``'set'``, ``'del'``, ``'clear'``,
        ``'prepare'`` or ``'commit'``.
    :param family: ``'acl'`` or ``'map'``.
    :param ident: see :func:`haproxyadmin.protocol.words.check_identifier`; with ``'show'``, None
        lists all ACLs or maps.
    :param texts: key or pattern, and value.
    """
    if (action, family) == ('get', 'acl'):
        versions.check_danger(versions.GET_ACL, version)
    parts = [action.encode('ascii'), family.encode('ascii')]
    if ident is not None or action != 'show':
        parts.append(check_identifier(ident, version))
    return join_words(*(parts + [escape_word(text, version) for text in texts]))


def by_reference(action, family, ident, version, reference, *texts):
    """Return a command for the entry of an ACL or map that a reference points to.

    :raises haproxyadmin.exceptions.CommandFailed: if that may crash HAProxy.
    """
    versions.check_danger(versions.REFERENCES, version)
    parts = [action.encode('ascii'), family.encode('ascii'), check_identifier(ident, version),
             b'#' + reference.encode('ascii')]
    return join_words(*(parts + [escape_word(text, version) for text in texts]))


# TLS

def tls_file(action, kind, version, name=None, payload=None):
    """Return a command for a file that TLS uses.

    :param action: ``'show'``, ``'new'``, ``'set'``, ``'add'``, ``'commit'``, ``'abort'`` or
        ``'del'``.
    :param kind: ``'cert'``, ``'ca-file'``, ``'crl-file'`` or ``'crt-list'``.
    :param name: (optional) its name; None lists all files of the kind.
    :param payload: (optional) lines without empty ones, such as the text of PEM.
    :type payload: bytes
    :raises ValueError: if there are too many bytes.
    """
    parts = [action.encode('ascii'), b'ssl', kind.encode('ascii')]
    if name is not None:
        parts.append(escape_word(name, version))
    line = join_words(*parts)
    return line if payload is None else check_payload(line + b' <<\n' + payload, version)


def show_transaction(kind, name, version):
    """Return the command for what a transaction contains about a file; see :func:`tls_file`."""
    return join_words(b'show ssl', kind.encode('ascii'), b'*' + escape_word(name, version))


def show_ocsp_response(ident, der):
    """Return the command for one OCSP response.

    :param ident: its id, as HAProxy has reported it.
    :param der: True for DER in base64, False for a text.
    """
    return join_words(SHOW_OCSP_RESPONSES, *([b'base64'] * der + [ident.encode('ascii')]))


def set_ocsp_response(encoded, version):
    """Return the command that sets an OCSP response.

    :param encoded: the response in base64, without line breaks.
    :type encoded: bytes
    :raises ValueError: if it is too long.
    """
    versions.check_danger(versions.OCSP_RESPONSE, version)
    command = b'set ssl ocsp-response'
    # A payload may be a little longer than a line.
    if len(command) + len(encoded) + 2 <= MAX_LINE or not versions.has(version, versions.PAYLOAD):
        return join_words(command, encoded)
    return check_payload(command + b' <<\n' + encoded, version)


def update_ocsp_response(name, version):
    """Return the command that has HAProxy update the OCSP response of a certificate."""
    return join_words(b'update ssl ocsp-response', escape_word(name, version))


def set_ticket_key(name, encoded, version):
    """Return the command that sets a key of TLS tickets.

    :param name: the file; one that begins with ``#`` would be an id.
    :param encoded: the key in base64.
    :type encoded: bytes
    """
    return join_words(b'set ssl tls-key', escape_name(name, version), encoded)


def crt_list(action, name, version, entry=None):
    """Return a command for the entries of a list of certificates.

    :param action: ``'show'``, ``'add'`` or ``'del'``.
    :param name: the name of the list.
    :param entry: (optional) what is added or removed: the last by its certificate and line.
    :type entry: :class:`haproxyadmin.parsers.crt_lists.CrtListEntry`
    :raises ValueError: if there are too many bytes.
    """
    if action == 'show':
        return join_words(b'show ssl crt-list -n', escape_word(name, version))
    line = join_words(action.encode('ascii'), b'ssl crt-list', escape_word(name, version))
    if action == 'del':
        # The line 0 means the only one.
        return join_words(line, escape_word(
            to_bytes(entry.certificate) + b':%d' % entry.line, version))
    if entry.sni or entry.options:
        words = [entry.certificate] + (['[' + entry.options + ']'] if entry.options else [])
        return check_payload(line + b' <<\n' + to_bytes(' '.join(words + entry.sni)), version)
    # As a word, a name may contain blanks, as that of a file in a directory may.
    return join_words(line, escape_word(entry.certificate, version))


# More about ACLs and maps

def takes_payload(version, key, value):
    """Return True if ``add map`` can store an entry from a payload, which has no escapes.

    The key ends at the first blank, and the blanks after it are dropped.

    :type key: bytes
    :type value: bytes
    """
    return (versions.has(version, versions.MAP_PAYLOAD) and not _BLANK.search(key)
            and not _BLANK.match(value))


def payload(keys, values, version):
    """Return the payload of many entries of a map, checked all at once.

    :type keys: tuple
    :type values: tuple
    :return: the lines; None if each entry has to be looked at separately.
    :rtype: bytes
    """
    texts = keys + values
    if (not versions.has(version, versions.MAP_PAYLOAD) or set(map(type, texts)) != set([str])
            or not all(texts)):
        return None
    lines = '\n'.join(map(' '.join, zip(keys, values)))
    # The only blank in each line is the one between key and value.
    if lines.count(' ') != len(keys) or lines.count('\n') != len(keys) - 1 or any(
            mark in lines for mark in '\t\r\0'):
        return None
    try:
        return to_bytes(lines)
    except ValueError:
        return None


def is_repeated(action, version):
    """Return True if a change may affect only one of several entries that have the same key."""
    return action == 'del' and versions.has(version, versions.DELETES_ONE)


# Stick tables

def table(action, name, version, key=None, conditions=(), data=()):
    """Return a command for a stick table, or for one of its entries.

    Without a key, ``set table`` would empty it.

    :param action: ``'show'``, ``'set'`` or ``'clear'``.
    :param name: its name; None lists all tables.
    :param key: (optional) see :func:`haproxyadmin.protocol.words.check_table_key`.
    :type key: bytes
    :param conditions: (optional) list of ``(name, operator, number)``, in HAProxy's words.
    :param data: (optional) list of ``(name, number)`` to store.
    :raises ValueError: for too many words: HAProxy would ignore the rest.
    """
    parts = [action.encode('ascii'), b'table']
    if name is not None:
        parts.append(escape_word(name, version))
    if key is not None:
        parts += [b'key', escape_word(key, version)]
    for words in itertools.chain(conditions, data):
        parts.append(b'data.' + words[0].encode('ascii'))
        parts += [str(word).encode('ascii') for word in words[1:]]
    if len(parts) > MAX_WORDS:
        raise ValueError('too many data: a command has at most {0} words'.format(MAX_WORDS))
    return join_words(*parts)
