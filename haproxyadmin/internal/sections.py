# SPDX-License-Identifier: Apache-2.0
"""Sections that HAProxy lists by name: resolvers and peers."""
import operator

from haproxyadmin.combine import merge
from haproxyadmin.exceptions import NoSuchObject
from haproxyadmin.internal.calls import read_pairs, require_if_known
from haproxyadmin.internal.fanout import Operation
from haproxyadmin.parsers.peers import parse_peers
from haproxyadmin.parsers.resolvers import parse_resolvers
from haproxyadmin.protocol import commands, versions

NAME = operator.itemgetter(0)


def resolvers_operation(process):
    """Return the operation that asks for all resolvers sections."""
    require_if_known(process, versions.RESOLVERS)
    return Operation(process.endpoint, commands.SHOW_RESOLVERS, parse_resolvers)


def peers_operation(process):
    """Return the operation that asks for all peers sections."""
    require_if_known(process, versions.PEERS)
    return Operation(process.endpoint, commands.SHOW_PEERS, parse_peers)


def list_sections(processes, build):
    """Return each section by name, and the processes that have it.

    :param build: takes a process; returns one of the operations above.
    :return: pairs of a name and a list, in the order of the first process that has the section.
    :rtype: list of tuple
    """
    groups = merge([[(section[0], process) for section in sections]
                    for process, sections in read_pairs(processes, build)], NAME)
    return [(group[0][0], [process for _, process in group]) for group in groups]


def read_section(processes, build, name):
    """Return a section in each process that has it.

    All sections are asked for, and the section is chosen here: its name is not sent, which could be
    a word that means something else.

    :param build: see :func:`list_sections`.
    :return: pairs of the process and the section.
    :rtype: list of tuple
    :raises haproxyadmin.exceptions.NoSuchObject: if it is gone from one of them.
    """
    pairs = read_pairs(processes, build)
    if not pairs:
        raise NoSuchObject(name, '{0!r} is gone: only workers that have ended had it'.format(name))
    found = []
    for process, sections in pairs:
        section = dict((section[0], section) for section in sections).get(name)
        if section is None:
            raise NoSuchObject(name, 'section {0!r} is gone from process {1} on {2}'.format(
                name, process.process_nb, process.socket_file))
        found.append((process, section))
    return found
