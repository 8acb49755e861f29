# SPDX-License-Identifier: Apache-2.0
"""The name servers that HAProxy asks, and how they answer."""
import collections

from haproxyadmin.combine import find_by_name, merge
from haproxyadmin.common import Named
from haproxyadmin.internal.sections import NAME, list_sections, read_section, resolvers_operation

__all__ = ['NameServer', 'ResolversSection']

# Counters of which each answer increases one.
_ANSWERS = ('valid', 'any_err', 'cname_error', 'nx', 'refused', 'other', 'invalid', 'too_big',
            'truncated', 'outdated')


class NameServer(collections.namedtuple('NameServer', 'name counters')):
    """A name server.

    ``name`` is its name, ``counters`` a dict of numbers; see :class:`ResolversSection`.
    ``unanswered`` is how many queries it has not answered, or not yet: those sent without all
    answers.
    """

    __slots__ = ()

    @property
    def unanswered(self):
        """How many queries it has not answered, or not yet: those sent without all answers.

        :rtype: int
        """
        return max(0, self.counters.get('sent', 0) - sum(
            self.counters.get(name, 0) for name in _ANSWERS))


class ResolversSection(Named):
    """A section ``resolvers`` of the configuration, over all processes that have it.

    From HAProxy 2.6 on there may be one that is not in the configuration, ``default``, with the
    name servers of ``/etc/resolv.conf``.

    Every method sends one ``show resolvers`` (management guide, "show resolvers"; HAProxy 1.8) to
    each process, and raises :class:`haproxyadmin.exceptions.NoSuchObject`, a :class:`KeyError`, if
    the section is gone from one of them, and :class:`haproxyadmin.exceptions.HAProxySocketError` if
    one cannot be reached.

    The counters have HAProxy's own names: ``sent``, queries; ``snd_error``, queries that could not
    be sent; ``valid``, answers that were used; ``outdated``, answers that came after that of
    another name server, all of which are asked at the same time; ``nx`` (no such name),
    ``refused``, ``invalid``, ``truncated``, ``too_big``, ``cname_error``, ``any_err`` and
    ``other``, answers of no use; and ``update``, addresses of servers that have changed.
    ``timeout`` stays 0, whatever happens: a name server that is silent is seen by
    :attr:`NameServer.unanswered`.

    Usage::

        >>> section = hap.resolvers_section('dns')
        >>> for server in section.nameservers():
        ...     print(server.name, server.counters['snd_error'], server.unanswered < 100)
        ...
        ns1 0 True
        ns2 0 True
    """

    def nameservers(self):
        """Return the name servers, in HAProxy's order.

        :return: for each its ``name`` and its ``counters``, ``{name: number}``, the sum over all
            processes.
        :rtype: list of :class:`NameServer`
        """
        return [_sum(group) for group in merge(
            [servers for _, (_, servers) in self._read()], NAME)]

    def nameserver(self, name):
        """Return one name server; see :meth:`nameservers`.

        :param name: its name.
        :type name: str
        :rtype: :class:`NameServer`
        :raises ValueError: if there is none; the message contains the nearest names.
        """
        return find_by_name(self.nameservers(), 'name server', name,
                            ' in resolvers section {0!r}'.format(self.name))

    def nameservers_per_process(self):
        """Return the name servers of each process; see :meth:`nameservers`.

        :return: list of ``(process number, list of NameServer)``.
        :rtype: list of tuple

        Usage::

            >>> for number, servers in hap.resolvers_section('dns').nameservers_per_process():
            ...     print(number, [server.name for server in servers])
            ...
            1 ['ns1', 'ns2']
            1 ['ns1', 'ns2']
        """
        return [(process.process_nb, servers) for process, servers in self._of_each()]

    def nameservers_per_socket(self):
        """Return the name servers of each process by its socket; see :meth:`nameservers`.

        :return: list of ``(socket file, list of NameServer)``.
        :rtype: list of tuple

        Usage::

            >>> for address, servers in hap.resolvers_section('dns').nameservers_per_socket():
            ...     print(address, [server.name for server in servers])
            ...
            /run/haproxy/lb1.sock ['ns1', 'ns2']
            /run/haproxy/lb2.sock ['ns1', 'ns2']
        """
        return [(process.socket_file, servers) for process, servers in self._of_each()]

    def _of_each(self):
        return [(process, [NameServer(*server) for server in servers])
                for process, (_, servers) in self._read()]

    def _read(self):
        return read_section(self._found, resolvers_operation, self.name)


def _sum(servers):
    total = collections.Counter()
    for _, counters in servers:
        total.update(counters)
    return NameServer(servers[0][0], dict(total))


def list_all(processes):
    """Return all resolvers sections, each over the processes that have it.

    :rtype: list of ResolversSection
    """
    return [ResolversSection(*section) for section in list_sections(
        processes, resolvers_operation)]


def find(processes, name):
    """Return the resolvers section that has a name.

    :rtype: ResolversSection
    """
    return find_by_name(list_all(processes), 'resolvers section', name)


def __dir__():
    """List what is public; has an effect from Python 3.7 on."""
    return sorted(__all__)
