# SPDX-License-Identifier: Apache-2.0
"""What can go wrong with a HAProxy, for :class:`haproxyadmin.testing.FakeHAProxy`.

Each function here returns a :class:`Fault`. All of them have these parameters in common:

``command``
    The fault only concerns command lines that begin with this text; None for all.
``process``
    The number of the process that it concerns, counted from 1; None for all.
``times``
    For how many connections of each process; None until
    :meth:`~haproxyadmin.testing.FakeHAProxy.heal`.
"""
import select

from haproxyadmin.testing import sockets
from haproxyadmin.testing.families.figures import check_version
from haproxyadmin.testing.texts import raw

__all__ = ['Fault', 'answering', 'closing', 'closing_at_once', 'cut', 'denied', 'gone',
           'keeping_open', 'late', 'refusing', 'replying', 'reset', 'restarted', 'silent', 'slow']


class Fault(object):
    """What a process does with a connection instead of answering.

    :param behavior: a function that gets the :class:`~haproxyadmin.testing.process.FakeProcess` and
        the connected socket, which is closed afterwards. ``process.receive(client)`` reads the
        command, ``process.reply_to(command)`` does what it says and returns the reply,
        ``process.answer(client)`` does both and sends the reply.
    :type behavior: ``callable``
    :param command: see :mod:`haproxyadmin.testing.faults`, as for the others.
    :type command: str
    :param process: the number of the process.
    :type process: int
    :param times: for how many connections.
    :type times: int
    :param at_once: (optional) what to do when the fault begins instead of with a connection, if
        there is no ``command``: a function that gets the process.
    :type at_once: ``callable``

    Usage::

        >>> from haproxyadmin.testing import FakeHAProxy, faults
        >>> def odd(process, client):
        ...     process.receive(client)
        ...     client.sendall(b'odd\\n\\n')
        >>> with FakeHAProxy() as haproxy:
        ...     haproxy.fail(faults.Fault(odd, command='get weight', times=1))
        ...     [haproxy.hap.command('get weight web/web1') for _ in range(2)]
        [[(1, ['odd'])], [(1, ['1 (initial 1)'])]]
        >>> fault = faults.Fault(odd, 'show', process=2, times=3)
        >>> fault.behavior is odd, fault.command, fault.process, fault.times, fault.at_once
        (True, 'show', 2, 3, None)

    All others are made by functions:

        >>> some = [faults.answering(times=2), faults.late(0.01), faults.slow(100, 0.001),
        ...         faults.silent(), faults.cut(4), faults.reset(), faults.closing(),
        ...         faults.closing_at_once(), faults.replying('No.\\n\\n'), faults.denied(),
        ...         faults.keeping_open('> '), faults.refusing(), faults.gone(),
        ...         faults.restarted('2.8')]
        >>> for fault in some:
        ...     with FakeHAProxy(processes=2) as haproxy:
        ...         haproxy.fail(fault)
        ...         haproxy.heal()
    """

    def __init__(self, behavior, command=None, process=None, times=None, at_once=None):
        for name, number in [('process', process), ('times', times)]:
            if number is not None and (isinstance(number, bool) or number < 1):
                raise ValueError('{0} must be None or an integer from 1 on, got {1!r}'.format(
                    name, number))
        self.behavior = behavior
        self.command = command
        self.process = process
        self.times = times
        self.at_once = at_once

    def __repr__(self):
        # Python 2 does not know which function has made it.
        made_by = getattr(self.behavior, '__qualname__', '').split('.')
        which = [(name, getattr(self, name)) for name in ('command', 'process', 'times')]
        return '{0}({1})'.format(made_by[0] if made_by[1:] else 'Fault', ', '.join(
            '{0}={1!r}'.format(*pair) for pair in which if pair[1] is not None))

    def __call__(self, process, client):
        """Do it: for a behavior that begins with another."""
        return self.behavior(process, client)


def answering(**which):
    """Answer as if nothing were wrong: ``[answering(times=2), closing()]``."""
    return Fault(lambda process, client: process.answer(client), **which)


def late(seconds, **which):
    """Do what the command says, and answer, after some seconds.

    The command is also done if the client has gone meanwhile, as HAProxy does one that it has read.

    :param seconds: how many.
    :type seconds: float
    """
    def behave(process, client):
        command = process.receive(client)
        process.stopping.wait(seconds)
        client.sendall(process.reply_to(command))
    return Fault(behave, **which)


def cut(count=0, **which):
    """Do what the command says, but close the connection within the answer.

    :param count: how many bytes of the answer are sent.
    :type count: int
    """
    def behave(process, client):
        client.sendall(process.reply_to(process.receive(client))[:count])
    return Fault(behave, **which)


def closing(**which):
    """Close the connection instead of doing what the command says, after it has been read."""
    return Fault(lambda process, client: process.receive(client), **which)


def closing_at_once(**which):
    """Close the connection before the command is read; with ``command``, see :func:`closing`."""
    return Fault(lambda process, client: None, **which)


def reset(sent='', **which):
    """Reset the connection instead of doing what the command says.

    With ``command`` it is closed, because HAProxy has read the command already.

    :param sent: what the client gets before that.
    :type sent: str
    """
    def behave(process, client):
        # Closing a socket whose input is not read resets the connection.
        if not process.has_received(client):
            poller = select.poll()
            poller.register(client, select.POLLIN)
            poller.poll(sockets.PATIENCE * 1000)
        client.sendall(raw(sent))
    return Fault(behave, **which)


def slow(size, pause, reply=None, **which):
    """Send the answer in pieces.

    :param size: how many bytes each has.
    :type size: int
    :param pause: seconds before each.
    :type pause: float
    :param reply: (optional) what to answer instead of doing what the command says.
    :type reply: str
    """
    def behave(process, client):
        command = process.receive(client)
        whole = process.reply_to(command) if reply is None else raw(reply)
        for start in range(0, len(whole), size):
            if process.stopping.wait(pause):
                return
            client.sendall(whole[start:start + size])
    return Fault(behave, **which)


def replying(text, **which):
    """Answer with a text instead of doing what the command says.

    HAProxy ends a message with an empty line: ``replying('No such server.\\n\\n')``.

    :param text: the whole answer.
    :type text: str
    """
    def behave(process, client):
        process.receive(client)
        client.sendall(raw(text))
    return Fault(behave, **which)


def keeping_open(text, **which):
    """Answer with a text, and close the connection only after the client has closed its half.

    A master does so.

    :param text: the whole answer.
    :type text: str
    """
    def behave(process, client):
        process.receive(client)
        client.sendall(raw(text))
        if not process.wait_for_end(client):
            process.problem('the client did not half-close')
    return Fault(behave, **which)


def denied(**which):
    """Answer that the level of the socket is not enough."""
    return replying('Permission denied\n\n', **which)


def silent(**which):
    """Read the command, and neither answer nor close the connection."""
    def behave(process, client):
        process.receive(client)
        poller = select.poll()
        poller.register(client, 0)
        # A half-close by the client does not count.
        while not (process.stopping.is_set() or poller.poll(20)):
            pass
    return Fault(behave, **which)


def refusing(**which):
    """Refuse connections; with ``command``, close that connection and refuse all others after it.

    The socket file stays, as that of a process that has been killed.
    """
    return Fault(lambda process, client: process.refuse(),
                 at_once=lambda process: process.refuse(), **which)


def gone(**which):
    """Refuse connections and remove the socket file, as a process does that ends in good order."""
    return Fault(lambda process, client: process.vanish(),
                 at_once=lambda process: process.vanish(), **which)


def restarted(version=None, **which):
    """Have another process answer, with the state of the configuration: as after a reload.

    With ``command``, that command is not answered any more.

    :param version: (optional) the version of that process; None for the same as before.
    :type version: str
    """
    if version is not None:
        check_version(version)
    return Fault(lambda process, client: process.take_over(version),
                 at_once=lambda process: process.take_over(version), **dict({'times': 1}, **which))
