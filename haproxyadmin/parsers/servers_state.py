# SPDX-License-Identifier: Apache-2.0
"""The reply to ``show servers state``, and what its numbers mean."""
from haproxyadmin.imports import Pattern
from haproxyadmin.parsers.lines import first_line, refusal_of
from haproxyadmin.protocol.replies import Malformed

# Bits of srv_admin_state. Maintenance and drain are what an administrator has set; a server also
# inherits both from the server that it tracks. The bit 4 only says that the configuration has it
# disabled.
MAINTENANCE, INHERITED_MAINTENANCE, UNRESOLVED = 1, 2, 32
DRAIN, INHERITED_DRAIN = 8, 16
# Bits of srv_check_state and srv_agent_state.
CONFIGURED, ENABLED = 2, 4
# What srv_op_state means, in the words of `set server ... health`; 1 is a server that starts.
_HEALTH = {'0': 'down', '1': 'up', '2': 'up', '3': 'stopping'}
_WEIGHT = Pattern(r'[0-9]+ \(initial ([0-9]+)\)\Z')
# How the reply begins, and the names of the columns.
VERSION, START = '1', '# be_id be_name '
# Stands for an empty field.
EMPTY = '-'
# Columns that every version has, and those of them that are always numbers.
_COLUMNS = frozenset(['be_name', 'srv_name', 'srv_addr', 'srv_op_state', 'srv_admin_state',
                      'srv_uweight', 'srv_iweight', 'srv_check_state', 'srv_agent_state'])
_NUMBERS = ('srv_admin_state', 'srv_uweight', 'srv_iweight', 'srv_check_state')
_DIGITS = Pattern(r'[0-9]{1,9}\Z')


def parse_states(lines):
    """Parse the state of servers::

        1
        # be_id be_name srv_id srv_name srv_addr srv_op_state srv_admin_state srv_uweight ...
        3 web 1 web1 10.0.0.1 2 0 100 100 17 6 3 4 6 0 0 0 - 80 -

    There are 17 columns in 1.6 and 1.7, up to 20 until 2.2, and 25 from 2.4 on.

    :param lines: the lines of the reply.
    :return: for each server the text of each column by its name, in HAProxy's order.
    :rtype: list of dict
    :raises haproxyadmin.protocol.replies.Malformed: if a row is not complete.
    :raises haproxyadmin.exceptions.CommandFailed: for any other reply, which is a refusal.
    """
    names = column_names(lines)
    return [parse_row(names, line) for line in lines[2:] if line]


def find_state(lines, name):
    """Return the state of one server of a backend, None if it is not listed.

    :param lines: the lines of the reply; see :func:`parse_states`.
    :param name: the name of the server.
    :rtype: dict
    """
    names = column_names(lines)
    wanted = ' {0} '.format(name)
    for line in lines[2:]:
        if wanted in line:
            row = parse_row(names, line)
            if row['srv_name'] == name:
                return row
    return None


def column_names(lines):
    """Return the names of the columns."""
    if len(lines) < 2 or lines[0] != VERSION or not lines[1].startswith(START):
        raise refusal_of(lines)
    return parse_header(lines[1])


def parse_header(line):
    """Return the names of the columns in the line that lists them.

    :raises haproxyadmin.protocol.replies.Malformed: for any other line.
    """
    names = line[2:].split() if line.startswith(START) else []
    if not _COLUMNS.issubset(names):
        raise Malformed('these are not the columns of the state of servers: {0!r}'.format(
            line[:200]))
    return names


def check_numbers(state):
    """Return a state whose numbers are numbers.

    :raises haproxyadmin.protocol.replies.Malformed: if one is not.
    """
    for name in _NUMBERS:
        if not _DIGITS.match(state[name]):
            raise Malformed('{0} is not a number: {1!r}'.format(name, state[name]))
    return state


def parse_row(names, line):
    """Return the text of each column of a row by its name.

    :raises haproxyadmin.protocol.replies.Malformed: if it is not complete.
    """
    # 1.8 prints nothing for an address that is not known, so that there are two blanks.
    fields = line.split(' ')
    if len(fields) != len(names):
        fields = line.split()
    if len(fields) != len(names):
        raise Malformed('too few or too many fields in the state of a server: {0!r}'.format(
            line[:80]))
    return dict(zip(names, fields))


def parse_initial_weight(lines):
    """Return the configured weight in the reply to ``get weight``::

        75 (initial 100)

    :rtype: int
    """
    match = _WEIGHT.match(first_line(lines))
    if not match:
        raise refusal_of(lines)
    return int(match.group(1))


def text_of(state, name):
    """Return a field, ``''`` if it is empty or this version does not report it."""
    text = state.get(name, '')
    return '' if text == EMPTY else text


def is_in_maintenance(state):
    """Return True if a server is in maintenance, also by inheritance or for lack of an address."""
    return bool(_bits(state) & (MAINTENANCE | INHERITED_MAINTENANCE | UNRESOLVED))


def is_draining(state):
    """Return True if a server is in drain, also by inheritance."""
    return bool(_bits(state) & (DRAIN | INHERITED_DRAIN))


def own_state(state):
    """Return what was set: ``'maint'``, ``'drain'`` or ``'ready'``."""
    bits = _bits(state)
    return 'maint' if bits & MAINTENANCE else 'drain' if bits & DRAIN else 'ready'


def health_of(state):
    """Return the health: ``'up'``, ``'stopping'`` or ``'down'``; None in maintenance."""
    return None if is_in_maintenance(state) else _HEALTH.get(state['srv_op_state'])


def has_check(state, name='srv_check_state'):
    """Return True if checks are configured.

    :param name: (optional) ``'srv_agent_state'`` for agent checks.
    """
    return bool(int(state[name]) & CONFIGURED)


def is_checked(state, name='srv_check_state'):
    """Return True if checks are enabled.

    :param name: (optional) ``'srv_agent_state'`` for agent checks.
    """
    return bool(int(state[name]) & ENABLED)


def _bits(state):
    return int(state['srv_admin_state'])
