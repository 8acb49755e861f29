# SPDX-License-Identifier: Apache-2.0
"""Stick tables: what HAProxy counts about clients, one :class:`Table` over all processes."""
import collections
import itertools

from haproxyadmin.combine import find_by_name, merge
from haproxyadmin.common import Named
from haproxyadmin.imports import Pattern
from haproxyadmin.internal import tables
from haproxyadmin.internal.calls import prepare, read_each, read_pairs
from haproxyadmin.internal.fanout import raise_first_error
from haproxyadmin.internal.sections import peers_operation
from haproxyadmin.internal.streaming import stream_all
from haproxyadmin.methods import changes_all_or_none, takes_die
from haproxyadmin.parsers.tables import BINARY, STRING, TableEntry
from haproxyadmin.protocol.words import (check_conditions, check_table_data, check_table_key,
                                         to_native)

__all__ = ['Cleared', 'Table', 'TableEntry']

_DIGITS = Pattern(r'([0-9A-Fa-f]{2})+\Z')


class Cleared(collections.namedtuple('Cleared', 'left')):
    """What :meth:`Table.clear` has done.

    ``left`` is the number of entries that are left in all processes.
    """

    __slots__ = ()


class Table(Named):
    """A stick table over all processes that have it.

    Each process has entries of its own, unless peers share them.

    :param name: its name, that of its proxy, or ``'SECTION/NAME'`` for a table of a peers section.
    :param processes: the processes that have it.
    :param kind: the type of its keys.

    Usage::

        >>> clients = hap.table('clients')
        >>> clients.type, clients.size, clients.used, clients.peers
        ('ip', 102400, 2, [])
        >>> entry, = clients.entries(key='198.51.100.7')
        >>> entry.key, entry.process_nb, entry.socket_file, entry.use
        ('198.51.100.7', 1, '/run/haproxy/admin.sock', 0)
        >>> entry.data['http_req_cnt'], entry.expiry > 0
        (25, True)
    """

    def __init__(self, name, processes, kind):
        super(Table, self).__init__(name, processes)
        self.__dict__['_type'] = kind

    @property
    def type(self):
        """The type of the keys: ``'ip'``, ``'ipv6'``, ``'integer'``, ``'string'`` or ``'binary'``.

        Costs nothing.

        :rtype: str
        """
        return self._type

    @property
    def size(self):
        """How many entries the processes can store together.

        Sends one ``show table`` to each process (management guide, "show table").

        :rtype: int
        """
        return sum(header.size for header in self._headers())

    @property
    def used(self):
        """How many entries the processes store together; costs as much as :attr:`size`.

        An entry that peers share counts in each process.

        :rtype: int
        """
        return sum(header.used for header in self._headers())

    @property
    def peers(self):
        """The names of the peers sections that share it, in HAProxy's order; empty if none does.

        Sends one ``show peers`` to each process (management guide, "show peers"; HAProxy 2.0).

        :rtype: list of str
        :raises haproxyadmin.exceptions.NotSupported: if the version of a process is too old.
        """
        return list(collections.OrderedDict.fromkeys(
            name for sections in read_each(self._found, peers_operation)
            for name in tables.sections_sharing(sections, self.name)))

    def entries(self, key=None, where=None):
        """Read the entries of all processes, those of each in HAProxy's order.

        A key may be in several processes: add up its numbers, unless peers share the table.

        Sends one ``show table NAME`` to each process (management guide, "show table"); with
        ``where``, also one ``show info`` if the version was asked more than a second ago. With
        ``key``, some versions are also asked for the level of the socket (``show cli level``).

        They are read while you iterate, from all processes at once, and only a part is in memory
        at a time. HAProxy waits for you, for 10 seconds at a time unless the configuration has
        another ``stats timeout``: if you need longer for each part, make a list first. To iterate
        over them again, call this again.

        :param key: (optional) only the entries with this key, at most one in each process. They are
            read when this is called, unless the key is empty or of type binary: then all entries
            are read to find it. An address may be an object of :mod:`ipaddress`.
        :type key: str or int
        :param where: (optional) conditions that must all be true, such as
            ``[('http_req_rate', '>', 100)]``: tuples of the name of a number, one of ``<``, ``<=``,
            ``==``, ``!=``, ``>=`` and ``>``, and an integer. HAProxy checks those that its version
            can, the library all of them. For an array, ``gpc`` means the first element, ``gpc1``
            the second one.
        :type where: list of tuple
        :rtype: iterator of :class:`TableEntry`
        :raises ValueError: for a key that is not of the table's type, or a wrong condition; nothing
            is sent.
        :raises haproxyadmin.exceptions.CommandFailed: if the table does not store what a condition
            is about, or the socket's level is too low.
        :raises haproxyadmin.exceptions.HAProxySocketError: if a process can no longer be reached,
            also in the middle.

        Usage::

            >>> for entry in hap.table('clients').entries(where=[('http_req_cnt', '>', 20)]):
            ...     print(entry.key, entry.data['http_req_cnt'])
            ...
            198.51.100.7 25
        """
        conditions = check_conditions(where)
        if key is None:
            return self._stream(conditions)
        if self.type == BINARY or (self.type == STRING and to_native(key) == ''):
            # HAProxy cannot find it by the key.
            wanted = _check_digits(key) if self.type == BINARY else ''
            return (entry for entry in self._stream(conditions) if entry.key == wanted)
        key = check_table_key(self.type, key)
        found = [entry for entry in read_each(
            self._found, lambda process: tables.key_operation(process, self, key))
                 if tables.is_entry_of(self, key, entry)]
        return iter(list(tables.select(found, conditions, found[0].data if found else None)))

    def _stream(self, conditions):
        def read():
            reading = tables.Reading()
            _, operations = prepare(self._found, lambda process: tables.entries_operation(
                process, self.name, conditions, reading=reading))
            parts = stream_all(raise_first_error(operations))
            for entries in parts if tables.may_leave_early(operations) else list(parts):
                yield entries
            reading.check()
        return itertools.chain.from_iterable(read())

    @changes_all_or_none
    def set(self, key, die=True, **data):
        """Store numbers in the entry of a key, which is created if there is none.

        Sends ``show table``, ``set table`` and ``show table`` to each process (management guide,
        "set table"), and one ``show info`` if the last one was more than a second ago. HAProxy
        starts the time until the entry expires again, also without ``data``. Where peers share the
        table, they learn it. If it fails in one process, the others get back the numbers that they
        had, but not the time until the entry expires; an entry that is new is removed.

        :param key: the key, of the table's type; see :meth:`entries`.
        :type key: str or int
        :param data: numbers by name, without the period of a rate: ``http_req_rate=0``. A rate
            fades from this number on. ``gpc``, ``gpt`` and ``gpc_rate`` mean the first element of
            an array; others cannot be set, and neither can a server's key.
        :type data: int
        :raises ValueError: for a key that is not of the table's type, for an empty key, for a name
            that cannot be one, and for a number that does not fit; nothing is sent.

        Usage::

            >>> hap.table('clients').set('198.51.100.7', http_req_rate=0)
            True
        """
        tables.set_entry(self._found, self, check_table_key(self.type, key),
                         check_table_data(data))
        return True

    @changes_all_or_none
    def remove(self, key, die=True):
        """Remove the entry of a key, wherever there is one.

        An entry that is in use, by a connection that HAProxy tracks with it, cannot be removed. The
        processes of peers that share the table keep theirs, unless they are among these.

        Sends ``show table`` to each process, and ``clear table`` to those that have the entry
        (management guide, "clear table"), and one ``show info`` if the last one was more than a
        second ago; HAProxy 3.2.0 to 3.2.5 is also sent ``show peers``. If it fails in one process,
        the others get the numbers of the entry back, but not the time until it expires; those with
        arrays are not restored completely, and are in ``not_undone``.

        :param key: the key, of the table's type; see :meth:`entries`. HAProxy cannot remove an
            entry by a key of type binary, or by an empty one.
        :type key: str or int
        :raises ValueError: for a key that is not of the table's type, and for an empty key;
            nothing is sent.

        Usage::

            >>> hap.table('clients').remove('198.51.100.7')
            True
        """
        tables.remove_entry(self._found, self, check_table_key(self.type, key))
        return True

    @takes_die
    def clear(self, where=None, die=True):
        """Remove all entries, or those that meet conditions, in all processes.

        HAProxy cannot undo this: if it fails in one process, ``not_undone`` of the exception lists
        the sockets of those where entries are, or may be, removed. An entry that is in use, by a
        connection that HAProxy tracks with it, stays.

        Sends ``show table`` and ``show cli level`` to each process, and nothing else if one of them
        cannot do it; then ``clear table`` (management guide, "clear table"), and ``show table
        NAME``, because HAProxy leaves some entries that are not in use; those are removed by their
        keys, at most 12 in a command line. Where the version cannot check all of the conditions,
        all of these entries are removed that way. It also sends one ``show info`` if the last one
        was more than a second ago, and ``show peers`` to HAProxy 3.2.0 to 3.2.5.

        :param where: (optional) see :meth:`entries`; None for all entries.
        :type where: list of tuple
        :return: ``left``, how many of these entries are left in all processes: those in use, and
            those that HAProxy has left and whose key cannot be sent: an empty or binary one, or one
            with a newline.
        :rtype: Cleared
        :raises ValueError: for wrong conditions, and for an empty list; nothing is sent.
        :raises haproxyadmin.exceptions.CommandFailed: if all processes refuse; and, before anything
            is sent, if it might crash the version of one of them, or if that cannot check all of
            the conditions and the keys are of type binary.
        :raises haproxyadmin.exceptions.MultipleCommandResults: if some processes refuse.

        Usage::

            >>> hap.table('clients').clear(where=[('http_req_cnt', '<', 20)])
            Cleared(left=0)
        """
        conditions = check_conditions(where)
        if where is not None and not conditions:
            raise ValueError('where is empty; pass None to remove all entries')
        return Cleared(tables.clear_entries(self._found, self, conditions))

    def _headers(self):
        return read_each(self._found, lambda process: tables.header_operation(process, self.name))


def _check_digits(key):
    """Return a binary key as HAProxy shows it."""
    text = to_native(key)
    if not isinstance(text, str) or not _DIGITS.match(text):
        raise ValueError('a key of type binary is in hexadecimal digits, got {0!r}'.format(key))
    return text.upper()


def list_all(processes):
    """Return all stick tables, each over the processes that have it.

    :param processes: the processes to look in.
    :rtype: list of Table
    """
    pairs = read_pairs(processes, tables.list_operation)
    groups = merge([[_Found(header.name, header.type, process) for header in headers]
                    for process, headers in pairs])
    return [Table(group[0].name, [found.process for found in group], group[0].type)
            for group in groups]


_Found = collections.namedtuple('_Found', 'name type process')


def find(processes, name):
    """Return one stick table.

    :param processes: the processes to look in.
    :param name: its name.
    :rtype: Table
    :raises ValueError: if no process has it.
    """
    return find_by_name(list_all(processes), 'stick table', name)


def __dir__():
    """List what is public; has an effect from Python 3.7 on."""
    return sorted(__all__)
