# SPDX-License-Identifier: Apache-2.0
"""Read the state of a server, as functions of its object in each process."""
from haproxyadmin.internal.calls import read_each, require_if_known
from haproxyadmin.internal.fanout import Operation
from haproxyadmin.parsers.servers_state import find_state, parse_initial_weight
from haproxyadmin.protocol import commands, versions
from haproxyadmin.protocol.words import escape_name


def state_operation(member, convert=None):
    """Return the operation that asks for the state of a server.

    :type member: haproxyadmin.internal._Server
    :param convert: (optional) takes the state, a dict by HAProxy's names; by default the value is
        the state itself.
    """
    def find(lines):
        state = find_state(lines, member.name)
        if state is None:
            raise member.gone()
        return convert(state) if convert else state
    process = member.hap_process
    return Operation(process.endpoint, commands.show_servers_state(
        escape_name(member.backendname, process.version)), find)


def read_states(members, convert):
    """Return what a function makes of the state of a server in each process.

    :raises haproxyadmin.exceptions.NotSupported: if the version of a process is too old.
    """
    def build(member):
        require_if_known(member, versions.SERVERS_STATE)
        return state_operation(member, convert)
    return read_each(members, build)


def initial_weight_operation(member):
    """Return the operation that asks for the configured weight of a server."""
    return Operation(member.hap_process.endpoint, commands.get_weight(member.word()),
                     parse_initial_weight)
