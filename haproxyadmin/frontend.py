# SPDX-License-Identifier: Apache-2.0
"""Run operations on a frontend and read its statistics."""
from haproxyadmin.internal.facade import Facade
from haproxyadmin.protocol import commands
from haproxyadmin.protocol.metrics import FRONTEND_METRICS
from haproxyadmin.utils import should_die

__all__ = ['FRONTEND_METRICS', 'Frontend']


class Frontend(Facade):
    """A frontend over all HAProxy processes that have it.

    :param frontend_per_proc: the frontend in each process.
    :type frontend_per_proc: list of :class:`haproxyadmin.internal._Frontend`

    Two frontends, and a frontend and text, are equal when the names are.

    Every read sends one ``show stat IID TYPE SID`` (management guide, "show stat") to each process,
    all at the same time. It raises a
    :class:`haproxyadmin.exceptions.HAProxySocketError` when one of them cannot be talked
    to, and a :class:`KeyError` when one of them no longer has the frontend.
    """

    _METRICS = FRONTEND_METRICS
    _REQUESTS = 'req_tot'

    def __init__(self, frontend_per_proc):
        super(Frontend, self).__init__(frontend_per_proc)

    @property
    def iid(self):
        """The proxy id that the first process gives it (``iid`` of ``show stat``).

        :rtype: int
        """
        return self._first('iid')

    @property
    def maxconn(self):
        """How many connections all processes together allow (``slim`` of ``show stat``).

        :rtype: int
        """
        return self._aggregated('slim')

    @should_die
    def enable(self, die=True):
        """Let a disabled frontend accept connections again (``enable frontend``).

        :param die: (optional) False returns False in place of raising.
        :type die: bool
        :return: True.
        :rtype: bool
        :raises haproxyadmin.exceptions.CommandFailed: when all processes refuse, for instance
            because it is enabled already.
        :raises haproxyadmin.exceptions.MultipleCommandResults: when some do.
        """
        return self._do('enable')

    @should_die
    def disable(self, die=True):
        """Stop accepting connections; those that stand go on (``disable frontend``).

        The status is ``STOP`` then up to 2.2, ``OPEN`` in 2.4 and ``PAUSED`` from 2.6 on.

        :param die: (optional) False returns False in place of raising.
        :type die: bool
        :return: True.
        :rtype: bool
        :raises haproxyadmin.exceptions.CommandFailed: when all processes refuse.
        :raises haproxyadmin.exceptions.MultipleCommandResults: when some do.
        """
        return self._do('disable')

    @should_die
    def shutdown(self, die=True):
        """Stop the frontend for good and release its ports (``shutdown frontend``).

        Up to 2.4 HAProxy forgets the frontend and later reads raise a :class:`KeyError`; from 2.6
        on its status is ``STOP``. Nothing but a restart brings it back.

        :param die: (optional) False returns False in place of raising.
        :type die: bool
        :return: True.
        :rtype: bool
        :raises haproxyadmin.exceptions.CommandFailed: when all processes refuse.
        :raises haproxyadmin.exceptions.MultipleCommandResults: when some do.
        """
        return self._do('shutdown')

    @should_die
    def setmaxconn(self, value, die=True):
        """Set how many connections each process allows (``set maxconn frontend``).

        :param value: 0 to 2147483647, for each process; :attr:`maxconn` is the sum.
        :type value: int
        :param die: (optional) False returns False in place of raising.
        :type die: bool
        :return: True.
        :rtype: bool
        :raises ValueError: for any other value; nothing is sent.
        :raises haproxyadmin.exceptions.CommandFailed: when all processes refuse.
        :raises haproxyadmin.exceptions.MultipleCommandResults: when some do.

        Usage::

            >>> frontend = hap.frontend('frontend1_proc34')
            >>> frontend.setmaxconn(50000)
            True
            >>> frontend.maxconn
            100000
        """
        return self._change(lambda member: commands.set_maxconn_frontend(
            member.name, value, member.hap_process.version))

    def _do(self, action):
        return self._change(lambda member: commands.frontend(
            action, member.name, member.hap_process.version))


def __dir__():
    """Show what is public; from Python 3.7 on."""
    return sorted(__all__)
