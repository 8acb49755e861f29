# SPDX-License-Identifier: Apache-2.0
"""Keys of TLS tickets, which clients use to resume a session in any process."""
import collections

from haproxyadmin.combine import check_ticket_key, merge
from haproxyadmin.internal.calls import read_pairs, refused_on, require, require_if_known
from haproxyadmin.internal.fanout import Operation
from haproxyadmin.internal.transaction import change_all_or_none
from haproxyadmin.parsers.tickets import parse_ticket_files
from haproxyadmin.protocol import commands, versions
from haproxyadmin.protocol.words import (check_number, check_ticket_key as check_key, is_integer,
                                         text_of_path, to_native)
from haproxyadmin.spelling import suggest_or_list

__all__ = ['TicketKeys', 'list_all', 'set_key']


class TicketKeys(collections.namedtuple('TicketKeys', 'id file by_socket')):
    """A file with keys of TLS tickets, without the keys.

    ``id`` is HAProxy's number for it, None if it is not the same in all processes, ``file`` its
    name, and ``by_socket`` lists ``(socket address, id)`` of each process that has it.

    Usage::

        >>> keys, = hap.tls_ticket_keys()
        >>> keys.id, keys.file, keys.by_socket
        (0, '/etc/haproxy/tickets.keys', [('/run/haproxy/admin.sock', 0)])
    """

    __slots__ = ()


_Found = collections.namedtuple('_Found', 'name id process')


def list_all(processes):
    """Return the files; see :meth:`haproxyadmin.haproxy.HAProxy.tls_ticket_keys`.

    :rtype: list of :class:`TicketKeys`
    """
    return [TicketKeys(_common_id(group), group[0].name, [
        (found.process.socket_file, found.id) for found in group])
            for group in _groups(processes)]


def _common_id(group):
    ids = set(found.id for found in group)
    return group[0].id if len(ids) == 1 else None


def _groups(processes):
    return merge([[_Found(known.name, known.id, process) for known in files]
                  for process, files in read_pairs(processes, list_operation)])


def list_operation(process):
    """Return the operation that asks for the files."""
    require_if_known(process, versions.TICKET_KEYS)
    return Operation(process.endpoint, commands.SHOW_TICKET_KEYS, parse_ticket_files)


def set_key(processes, file, key):
    """Set the next key; see :meth:`haproxyadmin.haproxy.HAProxy.set_tls_ticket_key`.

    :return: True.
    """
    encoded = check_key(key)
    file = to_native(text_of_path(file))
    if is_integer(file):
        check_number(file, 'id of a file')
    elif not isinstance(file, str):
        raise ValueError('expected the file of the keys or its id, got {0!r}'.format(file))
    for process in processes:
        process.endpoint.check_secret()
    group = _find(_groups(processes), file)

    def build(process):
        command = commands.set_ticket_key(group[0].name, encoded, process.version)
        require(process, versions.TICKET_KEYS)
        return process.change_operation(command)

    def undo(process, _):
        raise refused_on(process, 'HAProxy cannot take back a key of TLS tickets')
    change_all_or_none([found.process for found in group], build, undo, check_ticket_key,
                       quick=True)
    return True


def _find(groups, file):
    """Return the group that has a name or an id.

    :raises ValueError: if there is none.
    """
    for group in groups:
        if file == (_common_id(group) if is_integer(file) else group[0].name):
            return group
    raise ValueError('no file {0!r} with keys of TLS tickets{1}'.format(
        file, suggest_or_list(file, set(group[0].name for group in groups))))


def __dir__():
    """List what is public; has an effect from Python 3.7 on."""
    return sorted(__all__)
