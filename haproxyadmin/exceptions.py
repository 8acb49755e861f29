# -*- coding: utf-8 -*-
# SPDX-License-Identifier: Apache-2.0
"""The exceptions of haproxyadmin, of which :class:`HAProxyBaseError` is the base.

A wrong argument is a plain :class:`ValueError`; then nothing was sent.
"""
from haproxyadmin.imports import PY2, ensure_str, text_type

# Characters of a command in a traceback.
MAX_SHOWN = 200

__all__ = ['CommandFailed', 'Conflict', 'EntriesFailed', 'HAProxyBaseError', 'HAProxyDataError',
           'HAProxySocketError', 'InconsistentData', 'IncosistentData', 'MultipleCommandResults',
           'NoHAProxyFound', 'NoSuchObject', 'NotSupported', 'ReloadFailed',
           'SocketApplicationError', 'SocketConnectionError', 'SocketPermissionError',
           'SocketTimeout', 'SocketTransportError', 'WaitTimeout']

_SystemErrors = (OSError,)
if PY2:
    # An IOError there.
    import _socket
    _SystemErrors += (_socket.error,)


class HAProxyBaseError(Exception):
    """Base of all exceptions of haproxyadmin.

    :param message: what was tried, where, and what came back.
    :type message: str

    ``results`` is a list of ``(process number, reply)``, ``by_socket`` a list of ``(socket file,
    reply)`` in the same order: the replies of all processes to a change that did not succeed
    everywhere, or the refusal of a read. Both are empty if no process answered. ``failures``
    lists what failed in a change of many entries; see :class:`EntriesFailed`.

    ``command`` is the command line that HAProxy refused, without a payload and without secrets, and
    ``socket_file`` the stats socket of the process that refused it; of several, of the first one.
    Each is None if it is not known, ``command`` also if nothing was sent. From Python 3.11 on a
    traceback shows both.

    After a change that is made in all processes or in none, ``undone`` lists the sockets of the
    processes in which it was undone, ``not_undone`` those in which it was, or may have been, done
    and not undone, and ``replaced`` those that another process took over during the change.

    ``result`` says how far a call that waits for something got.

    Usage::

        >>> from haproxyadmin import exceptions
        >>> server = hap.backend('backend1_proc34').server('bck1_proc34_srv1')
        >>> try:
        ...     server.setfqdn('web1.example.com')
        ... except exceptions.HAProxyBaseError as error:
        ...     print(error)
        ...     print(error.command)
        ...     print(error.socket_file, error.undone, error.not_undone)
        ...     print([address for address, reply in error.by_socket])
        ...
        could not update backend1_proc34/bck1_proc34_srv1 FQDN by 'stats socket command'
        set server backend1_proc34/bck1_proc34_srv1 fqdn web1.example.com
        /run/haproxy/haproxy-3.sock [] []
        ['/run/haproxy/haproxy-3.sock', '/run/haproxy/haproxy-4.sock']
    """

    results = ()
    by_socket = ()
    failures = ()
    command = None
    socket_file = None
    undone = ()
    not_undone = ()
    replaced = ()
    result = None

    def __init__(self, message=''):
        super(HAProxyBaseError, self).__init__()
        self.args = (message,)
        self.results, self.by_socket = [], []
        self.message = '' if message is None else _as_text(message)

    def __str__(self):
        return self.message

    def set_results(self, results, by_socket):
        """Set the replies of the processes.

        :param results: list of ``(process number, reply)``.
        :param by_socket: list of ``(socket file, reply)``, in the same order.
        """
        self.results = results
        self.by_socket = by_socket

    def set_context(self, command, socket_file):
        """Set what was refused, and by whom; no effect if that is known already.

        :param command: the command line without a payload and without secrets, or None.
        :param socket_file: the stats socket.
        """
        if self.socket_file is not None:
            return
        self.command = command
        self.socket_file = socket_file
        if command is not None and hasattr(self, 'add_note'):
            shown = command if len(command) <= MAX_SHOWN else command[:MAX_SHOWN] + '...'
            self.add_note('HAProxy refused {0!r} on {1}'.format(shown, socket_file))

    def __reduce__(self):
        return (_restore, (self.__class__, self.args), self._state())

    def __setstate__(self, state):
        for name, value in state.items():
            setattr(self, name, value)

    def _state(self):
        return dict(self.__dict__)


def _as_text(message):
    return message if isinstance(message, str) else ensure_str(text_type(message))


def _restore(kind, args):
    error = kind.__new__(kind, *args)
    error.args = args
    return error


class CommandFailed(HAProxyBaseError):
    """HAProxy refused a command; the message is HAProxy's.

    ``command`` and ``socket_file`` say which command, and where.
    """


class EntriesFailed(CommandFailed):
    """HAProxy refused some of many entries of an ACL or map.

    :param failures: what was refused: ``index`` and ``entry`` as the caller passed them,
        ``process_nb``, ``socket_file`` and HAProxy's ``message``, by index.
    :type failures: list of namedtuple

    ``results`` and ``by_socket`` say how many entries each process accepted.

    Usage::

        >>> from haproxyadmin import exceptions
        >>> try:
        ...     hap.add_acl_entries(5, ['10.0.0.0/8', 'nonsense'])
        ... except exceptions.EntriesFailed as error:
        ...     print(error.failures[0].index, error.failures[0].message)
        ...
        1 'nonsense' is not a valid IPv4 or IPv6 address.
    """

    def __init__(self, failures):
        first = ''.join('; the first is entry {0.index}, {0.entry!r}, in process {0.process_nb} '
                        'on {0.socket_file}: {0.message}'.format(one) for one in failures[:1])
        super(EntriesFailed, self).__init__('failures: {0}{1}'.format(len(failures), first))
        self.args = (failures,)
        self.failures = failures


class Conflict(CommandFailed):
    """Another client changes the same thing at the same time; what it does stands.

    Trying again later is safe, unless ``polluted`` is True: then what was sent is in the other
    client's transaction, which must not be committed; see
    :meth:`haproxyadmin.certificates.Certificate.abort`.

    Usage::

        >>> from haproxyadmin import exceptions
        >>> try:
        ...     hap.map(0).replace({'1': 'new'}, atomic=False)
        ... except exceptions.Conflict as error:
        ...     print('stop the other client' if error.polluted else 'try it later')
        ...
        True
    """

    polluted = False


class NotSupported(CommandFailed):
    """The running version or build of HAProxy cannot do it.

    :param message: what needs which version.
    :param needs: (optional) the first version that can, such as ``'2.4'``; None if it is a matter
        of how HAProxy was built.
    :param has: (optional) the running version, such as ``'2.2.9'``.

    If the version is too old, nothing was sent to any process.
    """

    def __init__(self, message='', needs=None, has=None):
        super(NotSupported, self).__init__(message)
        self.needs = needs
        self.has = has


class ReloadFailed(CommandFailed):
    """HAProxy refused its configuration at a reload; its workers go on as before.

    :param message: what HAProxy wrote while it started, from 2.8 on.
    :param result: (optional) how far it has come.
    :type result: haproxyadmin.workers.ReloadResult
    """

    def __init__(self, message='', result=None):
        super(ReloadFailed, self).__init__(message)
        self.result = result


class WaitTimeout(HAProxyBaseError):
    """What a call waits for did not happen before its deadline.

    :param message: what did not happen.
    :param result: (optional) how far it has come: what the call returns otherwise.
    """

    def __init__(self, message='', result=None):
        super(WaitTimeout, self).__init__(message)
        self.result = result


class NoSuchObject(HAProxyBaseError, KeyError):
    """There is no such frontend, backend, server, section or session, or no longer.

    :param name: its name, which is ``args[0]`` as in any :class:`KeyError`.
    :param message: (optional) what is missing, or gone from which process.
    """

    def __init__(self, name, message=''):
        super(NoSuchObject, self).__init__(message or '{0!r} is gone'.format(name))
        self.args = (name,)


class HAProxyDataError(HAProxyBaseError):
    """Base of the exceptions for processes that disagree.

    :param results: list of ``(process number, value or reply)``.
    :type results: list

    Usage::

        >>> from haproxyadmin import exceptions
        >>> try:
        ...     hap.frontend('frontend1_proc34').status
        ... except exceptions.HAProxyDataError as error:
        ...     print(error.by_socket)
        ...
        'OPEN'
    """

    _summary = 'HAProxy processes disagree'

    def __init__(self, results):
        super(HAProxyDataError, self).__init__(self._describe(
            'process {0[0]}: {0[1]!r}'.format(result)
            if isinstance(result, tuple) and len(result) == 2 else repr(result)
            for result in results or []))
        self.args = (results,)
        self.results = [] if results is None else results

    def set_results(self, results, by_socket):
        """Set the replies of the processes; the message then contains their sockets.

        :param results: list of ``(process number, value or reply)``.
        :param by_socket: list of ``(socket file, value or reply)``, in the same order.
        """
        super(HAProxyDataError, self).set_results(results, by_socket)
        # From 2.5 on the number of every process is 1.
        self.message = self._describe(
            'process {0} on {1}: {2!r}'.format(number, socket_file, value)
            for (number, value), (socket_file, _) in zip(results, by_socket))

    def _describe(self, parts):
        return '{0}: {1}'.format(self._summary, ', '.join(parts))


class IncosistentData(HAProxyDataError):
    """The processes do not report the same value."""

    _summary = 'the value differs between HAProxy processes'


# Spelled correctly; the class keeps its documented name.
InconsistentData = IncosistentData


class MultipleCommandResults(HAProxyDataError):
    """Some processes accepted a change, others refused it."""

    _summary = 'the change was not accepted by all HAProxy processes'


class HAProxySocketError(type('_SystemError', (HAProxyBaseError,) + _SystemErrors, {})):
    """Base of the exceptions for sockets.

    :param socket_file: the stats socket.
    :type socket_file: str
    :param message: (optional) what was tried and what came back.
    :type message: str
    :param cause: (optional) the error of the operating system.
    :type cause: OSError

    ``errno``, ``strerror`` and ``filename`` are those of the cause. ``undelivered`` is True if
    HAProxy has certainly not received the command. ``is_final`` is True if it is not tried again,
    because that cannot help: TLS does not accept a certificate.

    Usage::

        >>> from haproxyadmin import exceptions
        >>> try:
        ...     hap.setmaxconn(5000)
        ... except exceptions.SocketPermissionError as error:
        ...     print('run this as the user of HAProxy:', error.socket_file)
        ... except (exceptions.SocketTimeout, exceptions.SocketTransportError):
        ...     print('HAProxy is too slow')
        ... except (exceptions.SocketConnectionError, exceptions.SocketApplicationError):
        ...     print('HAProxy does not run, or is just reloading')
        ... except exceptions.HAProxySocketError as error:
        ...     print('try it again' if error.undelivered and not error.is_final else error)
        ...
        True
    """

    is_final = False

    _summary = 'cannot talk to HAProxy'

    def __init__(self, socket_file, message=None, cause=None, undelivered=False):
        super(HAProxySocketError, self).__init__(
            message or '{0}: {1}'.format(socket_file, self._summary))
        self.args = (socket_file,)
        self.socket_file = socket_file
        self.undelivered = undelivered
        self.errno = getattr(cause, 'errno', None)
        self.strerror = getattr(cause, 'strerror', None) or (str(cause) if cause else None)
        self.filename = socket_file

    __str__ = HAProxyBaseError.__str__
    __reduce__ = HAProxyBaseError.__reduce__

    def _state(self):
        # On Python 3 these three live outside the instance's dictionary.
        return dict(self.__dict__, errno=self.errno, strerror=self.strerror,
                    filename=self.filename)


class SocketApplicationError(HAProxySocketError, ValueError):
    """Something other than HAProxy listens, or the connection ended before a whole answer."""

    _summary = 'no answer from HAProxy'


class SocketConnectionError(HAProxySocketError):
    """No process listens on the socket file, or there is no such file."""

    _summary = 'nobody listens'


class SocketPermissionError(HAProxySocketError):
    """The caller is not allowed to connect to the socket."""

    _summary = 'permission denied'


class SocketTimeout(HAProxySocketError):
    """HAProxy did not answer within the time-out."""

    _summary = 'timed out'


class SocketTransportError(HAProxySocketError):
    """The peer has not closed an earlier connection yet."""

    _summary = 'an earlier connection is still open'


class NoHAProxyFound(HAProxySocketError, ValueError):
    """No HAProxy answers where :class:`haproxyadmin.haproxy.HAProxy` looks for it.

    :param socket_file: the directory, socket file or address that was named; of several, the first
        one that does not answer.
    :param message: (optional) the reason for each candidate.
    :param cause: (optional) the precise exception of the first candidate, or of the directory.
    :type cause: HAProxySocketError

    ``cause`` is also the ``__cause__``; ``errno``, ``strerror`` and ``filename`` are taken from
    it.
    """

    _summary = 'no HAProxy found'

    def __init__(self, socket_file, message=None, cause=None):
        super(NoHAProxyFound, self).__init__(socket_file, message, cause)
        if cause is not None:
            self.strerror = cause.strerror
            self.filename = cause.filename
        self.cause = self.__cause__ = cause

    def __setstate__(self, state):
        super(NoHAProxyFound, self).__setstate__(state)
        # On Python 3 it lives outside the instance's dictionary.
        self.__cause__ = self.cause


def __dir__():
    """List what is public; has an effect from Python 3.7 on."""
    return sorted(__all__)
