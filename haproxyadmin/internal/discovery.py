# SPDX-License-Identifier: Apache-2.0
"""Find the processes that answer on stats sockets."""
import os

from haproxyadmin import imports
from haproxyadmin.exceptions import NoHAProxyFound, SocketConnectionError
from haproxyadmin.imports import Pattern
from haproxyadmin.internal.endpoint import check_option
from haproxyadmin.internal.fanout import run_all, unchanged
from haproxyadmin.internal.grouping import group_endpoints, highest_level
from haproxyadmin.internal.process import _HAProxyProcess
from haproxyadmin.protocol import transport
from haproxyadmin.protocol.words import decode_path, to_bytes
from haproxyadmin.utils import is_unix_socket

# Bytes of the longest path of a Unix socket.
MAX_SOCKET_PATH = 107
# The names that HAProxy gives to the new and the old socket while it binds.
_BINDING = Pattern(r'\.[0-9]+\.(tmp|bak)\Z')


def find_processes(socket_dir, socket_file, retry, retry_interval, timeout):
    """Return the processes that answer on the sockets of a directory, or on one socket.

    Sends one ``show info`` to each socket, concurrently and once. Processes are sorted by process
    number, then by socket file.

    :return: the processes, and ``(socket file, exception)`` of each socket that did not answer.
    :rtype: tuple of list
    :raises haproxyadmin.exceptions.NoHAProxyFound: if no socket answers as HAProxy; the message
        lists each candidate and the reason.
    :raises haproxyadmin.exceptions.HAProxySocketError: if descriptors or memory run out, even if
        other sockets answered.
    :raises ValueError: for a wrong argument; nothing is sent.
    """
    if not (socket_dir or socket_file):
        raise ValueError('pass socket_dir= or socket_file=')
    path = (_check_path('socket_dir', socket_dir) if socket_dir
            else _check_path('socket_file', socket_file))
    place = _make_absolute(path)
    # Wrong options are reported before anything is looked for.
    candidates, others = [_HAProxyProcess(place, retry, retry_interval, timeout)], 0
    if socket_dir:
        paths, others = _sockets_in(path, place)
        candidates = [_HAProxyProcess(_make_absolute(path), retry, retry_interval, timeout)
                      for path in paths]
    for candidate in candidates:
        candidate.endpoint.set_retry(None)
    outcomes = run_all([candidate.info_operation(unchanged, transport.PROBE)
                        for candidate in candidates])
    for outcome in outcomes:
        if transport.is_our_own(outcome):
            # Leaving processes out would mean changing only some of many.
            raise outcome
    answered = [candidate for candidate, outcome in zip(candidates, outcomes)
                if not isinstance(outcome, Exception)]
    if not answered:
        raise _none_answered(place, outcomes, others) if socket_dir else NoHAProxyFound(
            place, '{0}{1}'.format(outcomes[0], _no_socket(place)), outcomes[0])
    kept = [highest_level(group)
            for group in group_endpoints([candidate.endpoint for candidate in answered])]
    processes = [candidate for candidate in answered if candidate.endpoint in kept]
    for process in processes:
        process.endpoint.set_retry(retry)
    return (sorted(processes, key=lambda process: (process.process_nb, process.socket_file)),
            _left_out(candidates, outcomes))


def _check_path(name, value):
    """Return a caller's path as a ``str``."""
    path = decode_path(value)
    return check_option(name, path, isinstance(path, str) and '\0' not in path, 'a path')


def _make_absolute(path):
    """Return a path that remains right after a change of the working directory."""
    if os.path.isabs(path):
        return path
    try:
        absolute = os.path.join(os.getcwd(), path)
    except OSError:
        return path  # the working directory has been removed
    if os.pardir not in path.split(os.sep):
        # Not with "..", which after a link does not lead back.
        absolute = os.path.normpath(absolute)
    return absolute if len(to_bytes(absolute)) <= MAX_SOCKET_PATH else path


def _sockets_in(socket_dir, place):
    """Return the paths of the sockets in a directory, and the number of other files in it.

    A file that cannot be examined may be a socket; connecting to it will show.

    :param place: the directory for messages.
    """
    try:
        names = sorted(os.listdir(socket_dir))
    except OSError as error:
        raise _not_listed(place, error)
    paths = [os.path.join(socket_dir, name) for name in names if not _is_skipped(name)]
    sockets = [path for path in paths if is_unix_socket(path) or not os.path.exists(path)]
    others = len(names) - len(sockets)
    if not sockets:
        message = 'no socket in {0}{1}'.format(
            place, '; ' + _not_tried(others) if others else ': it is empty')
        raise NoHAProxyFound(place, message, SocketConnectionError(place, message))
    return sockets, others


def _is_skipped(name):
    """Return True for a file that is not tried."""
    return name.startswith('.') or (
        name.endswith(('.tmp', '.bak')) and bool(_BINDING.search(name)))


def _not_tried(others):
    return 'not tried: {0} other file{1}'.format(others, '' if others == 1 else 's')


def _no_socket(path):
    """Return what to add to the error for a path that is not a socket."""
    if os.path.isdir(path):
        return '; this is a directory, use socket_dir='
    return '; this is not a socket' if (
        os.path.exists(path) and not is_unix_socket(path)) else ''


def _not_listed(socket_dir, error):
    hint = '; this is a socket, use socket_file=' if is_unix_socket(socket_dir) else ''
    cause = transport.kind_of(error)(
        socket_dir, 'cannot list {0}: {1}{2}'.format(socket_dir, error.strerror, hint), error)
    cause.__cause__ = error
    return cause if transport.is_our_own(cause) else NoHAProxyFound(
        socket_dir, str(cause), cause)


def _none_answered(socket_dir, errors, others):
    """Return the exception for a directory without HAProxy, with the reason of each candidate."""
    lines = ['no HAProxy in {0}'.format(socket_dir)] + list(map(str, errors))
    if others:
        lines.append(_not_tried(others))
    return NoHAProxyFound(socket_dir, '\n  '.join(lines), errors[0])


def _left_out(candidates, outcomes):
    """Return ``(socket file, exception)`` of the candidates that did not answer."""
    left_out = [(candidate.socket_file, outcome)
                for candidate, outcome in zip(candidates, outcomes)
                if isinstance(outcome, Exception)]
    logger = imports.logger()
    for _, error in left_out:
        if logger is not None:
            logger.info('left out: %s', error)
        cause = getattr(error, '__cause__', None)
        if cause is not None:
            # It is kept, and would keep the frames of all callers.
            transport.without_trace(cause)
    return left_out
