# SPDX-License-Identifier: Apache-2.0
"""Change a frontend and read its statistics."""
from haproxyadmin.facade import Facade
from haproxyadmin.internal.calls import change_after_look, not_supported, read_each
from haproxyadmin.methods import changes
from haproxyadmin.parsers import stats
from haproxyadmin.protocol import commands, versions
from haproxyadmin.protocol.metrics import FRONTEND_METRICS

# The status of a frontend that accepts connections, or would if it were not at its limit.
OPEN = ('OPEN', 'FULL')
# What decides whether a listener waits.
MAXCONN_LOOK = ('scur', 'slim', 'rate', 'rate_lim')

__all__ = ['FRONTEND_METRICS', 'Frontend']


class Frontend(Facade):
    """A frontend over all HAProxy processes that have it.

    :param frontend_per_proc: the frontend in each process.
    :type frontend_per_proc: list of :class:`haproxyadmin.internal._Frontend`

    Two frontends are equal if their names are; a frontend equals the text of its name.

    Every read sends one ``show stat IID TYPE SID`` (management guide, "show stat") to each process,
    concurrently. It raises a :class:`haproxyadmin.exceptions.HAProxySocketError` if a process
    cannot be reached, and a :class:`KeyError` if a process no longer has the frontend. The status
    must be the same in all processes; it raises :class:`haproxyadmin.exceptions.IncosistentData` if
    it differs.

    Usage::

        >>> frontend = hap.frontend('frontend1_proc34')
        >>> frontend.status, frontend.is_open, frontend.maxconn, frontend.iid
        ('OPEN', True, 6000, 9)
    """

    _METRICS = FRONTEND_METRICS
    _REQUESTS = 'req_tot'

    def __init__(self, frontend_per_proc):
        super(Frontend, self).__init__(frontend_per_proc)

    @property
    def iid(self):
        """The proxy id in the first process (``iid`` of ``show stat``).

        :rtype: int
        """
        return self._first('iid')

    @property
    def maxconn(self):
        """The maximum number of connections over all processes (``slim`` of ``show stat``).

        :rtype: int
        """
        return self._total('slim')

    @property
    def is_open(self):
        """True if it accepts connections in every process: its status is ``'OPEN'`` or ``'FULL'``.

        :rtype: bool
        :raises haproxyadmin.exceptions.NotSupported: for HAProxy 2.4 to 2.6.5, which report a
            disabled frontend as open.
        """
        def build(member):
            version = member.hap_process.version
            if versions.is_among(version, versions.OPEN_FRONTENDS.ranges):
                raise not_supported(member, versions.DISABLED_FRONTEND, version)
            return member.row_operation(lambda row: stats.field(row, 'status'))
        return all(status in OPEN for status in read_each(self._found, build))

    @changes
    def enable(self, die=True):
        """Let a disabled frontend accept connections again.

        Sends ``enable frontend`` (management guide, "enable frontend") to each process. HAProxy
        refuses if the frontend is enabled already.

        Usage::

            >>> frontend = hap.frontend('frontend1_proc34')
            >>> frontend.disable()
            True
            >>> frontend.enable()
            True
            >>> frontend.status
            'OPEN'
        """
        return self._do('enable')

    @changes
    def disable(self, die=True):
        """Stop accepting connections; established ones continue.

        Sends ``disable frontend`` (management guide, "disable frontend") to each process. Then the
        status is ``STOP`` up to HAProxy 2.2, ``OPEN`` in 2.4 and ``PAUSED`` from 2.6 on.

        Usage::

            >>> hap.frontend('frontend1_proc34').disable()
            True
        """
        return self._do('disable')

    @changes
    def shutdown(self, die=True):
        """Stop the frontend permanently and release its ports.

        Sends ``shutdown frontend`` (management guide, "shutdown frontend") to each process. Up to
        HAProxy 2.4 the frontend is removed, and later reads raise a :class:`KeyError`; from 2.6 on
        its status is ``STOP``. Only a restart of HAProxy brings it back.

        Usage::

            >>> hap.frontend('frontend1_proc34').shutdown()
            True
        """
        return self._do('shutdown')

    @changes
    def setmaxconn(self, value, die=True):
        """Set the maximum number of connections of each process.

        Sends ``set maxconn frontend`` (management guide, "set maxconn frontend") to each process.

        Some versions crash if this lets a listener accept again that waits: 2.4.19 to 2.4.27, 2.5.9
        to 2.5.14, 2.6.6 to 2.6.19, 2.7, 2.8.0 to 2.8.11, 2.9.0 to 2.9.11 and 3.0.0 to 3.0.5. There
        one more command is sent first, ``show stat IID TYPE SID``, and nothing is changed in any
        process if the limit is to be raised in one that is at its limit, or if in one the frontend
        has reached its ``rate-limit sessions`` and ``value`` is above its sessions. A frontend that
        reaches either after this look still crashes them.

        :param value: 0 to 2147483647, for each process; :attr:`maxconn` is the sum.
        :type value: int
        :raises ValueError: for any other value; nothing is sent.
        :raises haproxyadmin.exceptions.CommandFailed: also if that would crash HAProxy.

        Usage::

            >>> frontend = hap.frontend('frontend1_proc34')
            >>> frontend.setmaxconn(50000)
            True
            >>> frontend.maxconn
            100000
        """
        def build(member):
            process = member.hap_process
            return process.change_operation(
                commands.set_maxconn_frontend(member.name, value, process.version))

        def look(member):
            # Before anything is read: the value may be wrong.
            build(member)
            dangerous = versions.is_among(
                member.hap_process.version, versions.RAISING_FRONTEND_MAXCONN.ranges)
            return member.row_operation() if dangerous else None

        def check(member, row):
            numbers = [int(stats.field(row, name) or 0) for name in MAXCONN_LOOK]
            commands.check_maxconn_frontend(*numbers + [value, member.hap_process.version])
        return change_after_look(self._live(), look, check, build)

    def _do(self, action):
        return self._change(lambda member: commands.frontend(
            action, member.name, member.hap_process.version))


def __dir__():
    """List what is public; has an effect from Python 3.7 on."""
    return sorted(__all__)
