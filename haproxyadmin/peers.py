# SPDX-License-Identifier: Apache-2.0
"""The peers that HAProxy shares stick tables with."""
import collections

from haproxyadmin.combine import find_by_name, merge
from haproxyadmin.common import Named
from haproxyadmin.internal.sections import list_sections, peers_operation, read_section
from haproxyadmin.parsers.peers import PeerState
from haproxyadmin.protocol.words import is_integer

__all__ = ['Peer', 'PeerState', 'PeersSection']


class Peer(collections.namedtuple('Peer', 'name is_local is_connected counters by_socket')):
    """A peer, over all processes that have it.

    ``name`` is its name. ``is_local`` is True if it stands for the process itself, in all
    processes. ``is_connected`` is True if all processes for which it is another one have a
    connection to it that works, False if there are none. ``counters`` is ``{name: number}``, the
    sum over all processes of what is a number: ``tx_hbt`` and ``rx_hbt``, heartbeats; ``no_hbt``,
    heartbeats that were missing; ``new_conn``, attempts to connect; ``proto_err``, errors of the
    protocol; ``coll``, connections that were closed because both had connected, and others.
    ``by_socket`` lists ``(socket file, PeerState)``.
    """

    __slots__ = ()


class PeersSection(Named):
    """A section ``peers`` of the configuration, over all processes that have it.

    Every method sends one ``show peers`` (management guide, "show peers"; HAProxy 2.0) to each
    process, and raises :class:`haproxyadmin.exceptions.NoSuchObject`, a :class:`KeyError`, if the
    section is gone from one of them, and :class:`haproxyadmin.exceptions.HAProxySocketError` if one
    cannot be reached.

    The fields have HAProxy's own names, and differ in every version. What is a decimal number is an
    integer, anything else text: ``'0x20'``, ``'5s'``, ``'<NEVER>'``.

    Usage::

        >>> section = hap.peers_section('lbs')
        >>> for peer in section.peers():
        ...     print(peer.name, peer.is_local, peer.is_connected, peer.counters['proto_err'])
        ...
        lb2 False True 0
        lb1 False True 0
    """

    def peers(self):
        """Return the peers, in HAProxy's order.

        :rtype: list of :class:`Peer`
        """
        return [_combine(group) for group in merge(
            [[_Found(state.name, process.socket_file, state) for state in section.peers]
             for process, section in self._read()])]

    def peer(self, name):
        """Return one peer; see :meth:`peers`.

        :param name: its name.
        :type name: str
        :rtype: :class:`Peer`
        :raises ValueError: if there is none; the message contains the nearest names.
        """
        return find_by_name(self.peers(), 'peer', name,
                            ' in peers section {0!r}'.format(self.name))

    def fields_per_process(self):
        """Return what each process reports about the section itself, such as ``task_calls``.

        :return: list of ``(process number, {name: value})``.
        :rtype: list of tuple

        Usage::

            >>> for number, fields in hap.peers_section('lbs').fields_per_process():
            ...     print(number, fields['flags'])
            ...
            1 0x1
            1 0x1
        """
        return [(process.process_nb, section.fields) for process, section in self._read()]

    def fields_per_socket(self):
        """Return what each process reports about the section itself, by its socket.

        :return: list of ``(socket file, {name: value})``.
        :rtype: list of tuple

        Usage::

            >>> for address, fields in hap.peers_section('lbs').fields_per_socket():
            ...     print(address, fields['flags'])
            ...
            /run/haproxy/lb1.sock 0x1
            /run/haproxy/lb2.sock 0x1
        """
        return [(process.socket_file, section.fields) for process, section in self._read()]

    def _read(self):
        return read_section(self._found, peers_operation, self.name)


_Found = collections.namedtuple('_Found', 'name socket_file state')


def _combine(group):
    counters = collections.Counter()
    for found in group:
        counters.update(dict((name, value) for name, value in found.state.fields.items()
                             if is_integer(value)))
    remote = [found.state.is_connected for found in group if not found.state.is_local]
    return Peer(group[0].name, not remote, bool(remote) and all(remote), dict(counters),
                [(found.socket_file, found.state) for found in group])


def list_all(processes):
    """Return all peers sections, each over the processes that have it.

    :rtype: list of PeersSection
    """
    return [PeersSection(*section) for section in list_sections(processes, peers_operation)]


def find(processes, name):
    """Return the peers section that has a name.

    :rtype: PeersSection
    """
    return find_by_name(list_all(processes), 'peers section', name)


def __dir__():
    """List what is public; has an effect from Python 3.7 on."""
    return sorted(__all__)
