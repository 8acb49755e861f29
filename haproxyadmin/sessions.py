# SPDX-License-Identifier: Apache-2.0
"""The sessions that HAProxy serves at the moment: list them, look at one, end them."""
import collections

from haproxyadmin.exceptions import NoSuchObject
from haproxyadmin.internal.calls import choose_processes, read_each
from haproxyadmin.internal.sessions import (Listed, details_operation, end_sessions, make_filter,
                                            sessions_operation)
from haproxyadmin.methods import takes_die
from haproxyadmin.parsers.sessions import (SessionDetails, name_or_none, parse_fields, parse_time,
                                           split_source)
from haproxyadmin.parsers.values import TEXT, isint
from haproxyadmin.protocol.words import to_native

__all__ = ['Ended', 'Session', 'SessionDetails', 'SessionsEnded', 'end_all', 'find', 'list_all']


class Ended(collections.namedtuple('Ended', 'changed')):
    """What :meth:`Session.shutdown` has done.

    ``changed`` is False if the session had ended already.
    """

    __slots__ = ()


class SessionsEnded(collections.namedtuple('SessionsEnded', 'ended gone left by_socket')):
    """What :meth:`haproxyadmin.haproxy.HAProxy.shutdown_sessions` has done.

    ``ended`` is the number of sessions that were ended, ``gone`` of those that had ended before, or
    no longer matched, and ``left`` of those that were not ended, or perhaps not, which an exception
    explains. ``by_socket`` lists ``(socket address, how many were ended)`` of each process that had
    any.
    """

    __slots__ = ()


def list_all(processes, *filters):
    """Return sessions; see :meth:`haproxyadmin.haproxy.HAProxy.sessions`.

    :param processes: the processes to read.
    :param filters: see :func:`haproxyadmin.internal.sessions.make_filter`.
    :rtype: list of :class:`Session`
    """
    wanted = make_filter(*filters)
    return [session for sessions in _sessions_of(processes, wanted) for session in sessions]


def _sessions_of(processes, wanted):
    """Return the sessions of each process."""
    return [[Session(listing, line) for line in lines] for listing, lines in read_each(
        processes, lambda process: sessions_operation(process, wanted))]


def find(processes, ident, socket=None):
    """Return one session; see :meth:`haproxyadmin.haproxy.HAProxy.session`.

    :param processes: the processes to read.
    :param ident: its id.
    :param socket: (optional) which process has it, by its address.
    :rtype: Session
    :raises ValueError: if there is none, or if several processes have one.
    """
    if not isinstance(ident, TEXT):
        raise ValueError('the id of a session is a text such as 0x7f9c15495c00, got {0!r}'.format(
            ident))
    processes = choose_processes(processes, socket)
    found = list_all(processes)
    found = [session for session in found if session.id == to_native(ident)]
    if not found:
        raise ValueError('no session {0!r}: perhaps it has ended'.format(ident))
    if len(found) > 1:
        raise ValueError('several processes have a session {0!r}, pass socket=: {1}'.format(
            ident, ', '.join(session.socket_file for session in found)))
    return found[0]


def end_all(processes, *filters):
    """End sessions; see :meth:`haproxyadmin.haproxy.HAProxy.shutdown_sessions`.

    :param processes: the processes to read.
    :param filters: see :func:`haproxyadmin.internal.sessions.make_filter`.
    :rtype: SessionsEnded
    :raises ValueError: without any filter.
    """
    wanted = make_filter(*filters)
    if wanted is None:
        raise ValueError('pass at least one filter: server, backend, frontend, source, older_than '
                         'or younger_than')
    # Without a frontend, a session is HAProxy's own, for instance between peers.
    found = _sessions_of(processes, lambda row, listing: (
        row.frontend is not None and wanted(row, listing)))
    # Then every session of the servers that are listed matches.
    by_server = filters[2:] == (None,) * 4
    return end_sessions([(own[0]._listing.process, own) for own in found if own], _summary, wanted,
                        by_server)


def _summary(endings):
    """Return how far ending sessions has come in all processes."""
    ended, gone, total = [sum(getattr(ending, name) for ending in endings)
                          for name in ('ended', 'gone', 'total')]
    return SessionsEnded(ended, gone, total - ended - gone, [
        (ending.process.socket_file, ending.ended) for ending in endings])


class Session(Listed):
    """A session of one process, as :meth:`haproxyadmin.haproxy.HAProxy.sessions` has read it.

    What HAProxy calls a session here is a connection, or in HTTP a request and its response; a
    connection that is kept open has a new one with each request. Its properties are read from
    memory and never change; only :meth:`details` and :meth:`shutdown` ask HAProxy.

    Two objects are equal if process, id, client and frontend are the same. That does not prove that
    they are one session, because HAProxy uses an id again at once.

    Usage::

        >>> session, = hap.sessions(backend='backend_proc1')
        >>> session.source, session.frontend, session.backend, session.server
        ('127.0.0.1', 'frontend_proc1', 'backend_proc1', 'member1_proc1')
        >>> session.id, session.process_nb, session.socket_file, session.proto
        ('0x...', 1, '/run/haproxy/haproxy-1.sock', 'tcpv4')
        >>> 0 < session.source_port < 65536, session.age < 60, session.expires <= 300
        (True, True, True)
        >>> session.calls > 0, session.rate >= 0, session.cpu, session.lat
        (True, True, 0, 0)
        >>> session.fields['ts']
        '00'
    """

    __slots__ = ()

    def __repr__(self):
        return ('{0}({1!r}, source={2!r}, frontend={3!r}, server={4!r}, age={5}, '
                'socket={6!r})'.format(self.__class__.__name__, self.id, self.source,
                                       self.frontend, self.server, self.age, self.socket_file))

    def __eq__(self, other):
        if isinstance(other, Session):
            return self._identity() == other._identity()
        return NotImplemented

    def __ne__(self, other):
        equal = self.__eq__(other)
        return equal if equal is NotImplemented else not equal

    def __hash__(self):
        return hash(self._identity())

    def _identity(self):
        return (self.socket_file,) + self._row()[:4]

    @property
    def id(self):
        """HAProxy's id, an address in memory such as ``'0x7f9c15495c00'``.

        It means this session in this process only, and another one as soon as this one has ended.

        :rtype: str
        """
        return self._row().id

    @property
    def process_nb(self):
        """The number of the process; from HAProxy 2.5 on always 1.

        :rtype: int
        """
        return self._listing.process.process_nb

    @property
    def socket_file(self):
        """The address of the process's stats socket.

        :rtype: str
        """
        return self._listing.process.socket_file

    @property
    def proto(self):
        """How the client came, in HAProxy's words: ``'tcpv4'``, ``'unix_stream'``, ``'quic4'`` ...

        It is ``'?'`` for a session that HAProxy has begun itself, for instance between peers.

        :rtype: str
        """
        return self._row().proto

    @property
    def source(self):
        """The address of the client; ``'unix:N'`` for a Unix socket, None if it is not known.

        :rtype: str or None
        """
        return split_source(self._row().source)[0]

    @property
    def source_port(self):
        """The port of the client; None for a Unix socket, and if it is not known.

        :rtype: int or None
        """
        return split_source(self._row().source)[1]

    @property
    def frontend(self):
        """The name of the frontend; None if HAProxy does not report it, as :attr:`source`.

        :rtype: str or None
        """
        return name_or_none(self._row().frontend)

    @property
    def backend(self):
        """The name of the backend; None as long as none is chosen.

        :rtype: str or None
        """
        return name_or_none(self._row().backend)

    @property
    def server(self):
        """The name of the server; None if there is none, for instance in a queue.

        :rtype: str or None
        """
        return name_or_none(self._row().server)

    @property
    def age(self):
        """Its age in seconds when it was listed.

        HAProxy drops the seconds of an age of more than an hour, and the minutes of one of more
        than a day. The age is that of the client's connection, also if this is a later request in
        it, in HAProxy 2.4.0 to 2.4.24, 2.5, 2.6.0 to 2.6.15 and 2.8.0 to 2.8.4. As long as the
        request is not complete, and always in mode tcp, 2.4.25, 2.6.16, 2.8.5 and 3.0.0 to 3.0.8,
        and later versions of the first three, may report an age that cannot be: that is None.

        :rtype: int or None
        """
        return self._listing.age_of(self._row().age)

    @property
    def expires(self):
        """Seconds until HAProxy ends or retries what it waits for; None if it waits for nothing.

        :rtype: int or None
        """
        seconds = parse_time(self.fields.get('exp'))
        return seconds[0] if seconds else None

    @property
    def calls(self):
        """How often HAProxy has worked on it.

        :rtype: int or None
        """
        return self._number('calls')

    @property
    def rate(self):
        """How often HAProxy works on it in a second; None before 2.0.

        :rtype: int or None
        """
        return self._number('rate')

    @property
    def cpu(self):
        """Nanoseconds that HAProxy has worked on it, 0 without ``profiling.tasks``.

        None before 2.0.

        :rtype: int or None
        """
        return self._number('cpu')

    @property
    def lat(self):
        """Nanoseconds that it has waited for HAProxy to work on it; see :attr:`cpu`.

        :rtype: int or None
        """
        return self._number('lat')

    def _number(self, name):
        text = self.fields.get(name)
        return int(text) if text is not None and isint(text) else None

    @property
    def fields(self):
        """Everything that HAProxy printed, as text, by its own names: ``ts``, ``rq``, ``scb`` ...

        :rtype: dict
        """
        return parse_fields(self._line)

    def details(self):
        """Ask for all that HAProxy knows about the session.

        Sends ``show sess ID;show info`` to the process (management guide, "show sess").

        :rtype: :class:`SessionDetails`
        :raises haproxyadmin.exceptions.NoSuchObject: if the session has ended.
        :raises haproxyadmin.exceptions.CommandFailed: if HAProxy refuses: the socket must have the
            level operator. It is not sent to 3.2.14, which may crash.
        :raises haproxyadmin.exceptions.HAProxySocketError: if the process cannot be reached.

        Usage::

            >>> session, = hap.sessions(backend='backend_proc1')
            >>> details = session.details()
            >>> details.unique_id >= 0, details.flags, details.fields['conn_retries']
            (True, '0x84f', '1')
            >>> details.accepted
            '26/Nov/2026:22:08:44.123456'
            >>> print(details.frontend_address, details.backend_address, details.server_address)
            127.0.0.1:... 127.0.0.1:... 127.0.0.1:...
            >>> details.text.startswith(session.id)
            True
        """
        found = read_each([self._listing.process], lambda _: details_operation(self))
        if not found or found[0] is None:
            raise NoSuchObject(self.id, 'the session {0} has ended'.format(self.id))
        return found[0]

    @takes_die
    def shutdown(self, die=True):
        """End the session, unless it has ended already.

        Sends ``show sess ID;show info`` and, if that shows that the id still means this session,
        ``shutdown session ID`` to the process (management guide, "shutdown session"), also to a
        former worker. If it was listed less than 50 ms ago, this waits until then.

        Between the two commands the session might end by itself and its id become that of another
        one, which is then ended; HAProxy offers nothing to prevent that. With requests of up to 0.2
        seconds, this happened to 3 of 8,000 sessions; those that last for hours are safe. The other
        one may be this library's own connection: then the answer may be missing, which is an
        exception, or tell a success.

        From 2.4 on, HAProxy itself shows whether it is the same session. In older versions the
        address and port of the client, the frontend, and the second in which it began must be the
        same, and backend and server, as far as they are known. There, a client without a port, of a
        Unix socket, is refused, and the next request in the same second and connection, to the same
        server, is not told apart.

        HAProxy may list the session for another moment. A session that waits for ``tcp-request
        inspect-delay``, and up to HAProxy 2.6 one that waits in a queue, only ends after that.

        :return: ``changed``, False if it had ended already, or a reload has replaced its process.
        :rtype: haproxyadmin.sessions.Ended
        :raises haproxyadmin.exceptions.CommandFailed: if HAProxy refuses: the socket must have the
            level admin. It is also refused, and not sent, if the session cannot be told from a
            later one, and where it would end nothing or freeze the session, or showing it might
            crash HAProxy; see :doc:`/user/versions`.
        :raises haproxyadmin.exceptions.HAProxySocketError: if an answer is missing: whether the
            session has ended is not known then; or if the process cannot be reached.

        Usage::

            >>> session, = hap.sessions(backend='backend_proc1')
            >>> session.shutdown()
            Ended(changed=True)
            >>> session.shutdown()
            Ended(changed=False)
        """
        return end_sessions([(self._listing.process, [self])],
                            lambda endings: Ended(endings[0].ended > 0))


def __dir__():
    """List what is public; has an effect from Python 3.7 on."""
    return sorted(__all__)
