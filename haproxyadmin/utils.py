# SPDX-License-Identifier: Apache-2.0
"""The documented functions: parse replies, compare and add up what processes report."""
import os
import stat

from haproxyadmin.combine import (calculate, check_command, check_command_addr_port, compare_values,
                                  elements_of_list_same)
from haproxyadmin.methods import should_die
from haproxyadmin.parsers.info import info2dict, is_info
from haproxyadmin.parsers.lines import split_lines
from haproxyadmin.parsers.stats import CSVLine, stat2dict
from haproxyadmin.parsers.values import converter, isint
from haproxyadmin.protocol import commands, replies, transport
from haproxyadmin.protocol.metrics import METRICS_AVG, METRICS_NATURE, METRICS_SUM
from haproxyadmin.protocol.words import decode_path

__all__ = ['CSVLine', 'METRICS_AVG', 'METRICS_NATURE', 'METRICS_SUM', 'calculate', 'check_command',
           'check_command_addr_port', 'check_output', 'cmd_across_all_procs', 'compare_values',
           'connected_socket', 'converter', 'elements_of_list_same', 'info2dict',
           'is_unix_socket', 'isint', 'should_die', 'stat2dict']


def check_output(output):
    """Return False if the output of a command is a known error of HAProxy.

    :param output: the lines of the output.
    :type output: list of str
    :rtype: bool

    Usage::

        >>> from haproxyadmin import utils
        >>> utils.check_output(['Permission denied'])
        False
    """
    return not output or not replies.is_refusal(output[0])


def cmd_across_all_procs(hap_objects, method, *arg, **kargs):
    """Call a method of each object, one after the other.

    :param hap_objects: objects with a ``process_nb``.
    :type hap_objects: list
    :param method: name of the method, followed by its arguments.
    :type method: str
    :return: list of ``(process number, return value)``.
    :rtype: list of tuple

    Usage::

        >>> from haproxyadmin import utils
        >>> frontends = [hap.frontend('frontend_proc1'), hap.frontend('frontend_proc2')]
        >>> utils.cmd_across_all_procs(frontends, 'metric', 'slim')
        [([1], 3000), ([2], 3000)]
    """
    return [(hap_object.process_nb, getattr(hap_object, method)(*arg, **kargs))
            for hap_object in hap_objects]


def is_unix_socket(path):
    """Return True if a path is a Unix socket.

    :param path: file name.
    :type path: str
    :rtype: bool

    Usage::

        >>> from haproxyadmin import utils
        >>> utils.is_unix_socket('/run/haproxy/haproxy-1.sock')
        True
    """
    try:
        return stat.S_ISSOCK(os.stat(decode_path(path)).st_mode)
    except (OSError, TypeError, ValueError):
        return False


def connected_socket(path, timeout=1):
    """Return True if HAProxy answers ``show info`` on a socket; sends that one command.

    :param path: file name, or any other address; see :class:`haproxyadmin.haproxy.HAProxy`.
    :type path: str
    :param timeout: (optional) seconds to wait for the connection, and for each further reply data;
        None waits without limit.
    :return: False if there is no answer, or it is not HAProxy's.
    :rtype: bool

    Usage::

        >>> from haproxyadmin import utils
        >>> utils.connected_socket('/run/haproxy/haproxy-1.sock')
        True
    """
    try:
        request = transport.Request(path, commands.SHOW_INFO, timeout, transport.PROBE)
    except ValueError:
        return False
    reply, = transport.exchange_all([request])
    return isinstance(reply, bytes) and is_info(info2dict(split_lines(reply)))


def __dir__():
    """List what is public; has an effect from Python 3.7 on."""
    return sorted(__all__)
