# SPDX-License-Identifier: Apache-2.0
"""Lists of certificates: which ones a ``bind`` line uses, and for which names."""
import collections

from haproxyadmin.combine import common_value, find_by_name, merge
from haproxyadmin.common import Named
from haproxyadmin.internal import crt_lists
from haproxyadmin.internal.calls import read_pairs
from haproxyadmin.methods import takes_die
from haproxyadmin.parsers.crt_lists import CrtListEntry
from haproxyadmin.protocol.words import check_certificate, check_number

__all__ = ['Added', 'CrtList', 'CrtListEntry', 'Removed']


class Added(collections.namedtuple('Added', 'changed')):
    """What :meth:`CrtList.add` has done: ``changed`` is False if the entry was there already."""

    __slots__ = ()


class Removed(collections.namedtuple('Removed', 'changed')):
    """What :meth:`CrtList.remove` has done: ``changed`` is False if the entry was not there."""

    __slots__ = ()


class CrtList(Named):
    """A list of certificates, over all processes that have it.

    It is a file that a ``crt-list`` of the configuration names, a directory that a ``crt`` names,
    or, as ``@FRONTEND``, what the lines ``ssl-f-use`` of a frontend name (HAProxy 3.2). What is
    changed here is in HAProxy's memory only: the files stay as they are, and are read again at the
    next start or reload.
    """

    def entries(self):
        """Return the entries, which all processes have in common, in HAProxy's order.

        Sends one ``show ssl crt-list -n LIST`` to each process (management guide, "show ssl
        crt-list"; HAProxy 2.2).

        :rtype: list of :class:`CrtListEntry`
        :raises haproxyadmin.exceptions.IncosistentData: if the processes have different entries, or
            in another order; ``by_socket`` contains them.
        :raises haproxyadmin.exceptions.NoSuchObject: if the list is gone from a process.
        :raises haproxyadmin.exceptions.CommandFailed: if the socket's level is not admin.
        :raises haproxyadmin.exceptions.HAProxySocketError: if a process cannot be reached.

        Usage::

            >>> entry, = hap.crt_list('/etc/haproxy/sites.list').entries()
            >>> entry.certificate, entry.sni, entry.options, entry.line is None
            ('/etc/haproxy/shop.example.com.pem', ['shop.example.com'], 'alpn h2,http/1.1', False)
        """
        pairs = self._read()
        entries = common_value([
            (process.process_nb, process.socket_file, [
                entry._replace(line=None) for entry in own]) for process, own in pairs])
        lines = [set(own[number].line for _, own in pairs) for number in range(len(entries))]
        return [entry._replace(line=numbers.pop() if len(numbers) == 1 else None)
                for entry, numbers in zip(entries, lines)]

    def entries_per_process(self):
        """Return the entries of each process; see :meth:`entries`.

        :return: list of ``(process number, list of CrtListEntry)``.
        :rtype: list of tuple

        Usage::

            >>> sites = hap.crt_list('/etc/haproxy/sites.list')
            >>> [(number, len(entries)) for number, entries in sites.entries_per_process()]
            [(1, 1)]
        """
        return [(process.process_nb, own) for process, own in self._read()]

    def entries_per_socket(self):
        """Return the entries of each process by its socket; see :meth:`entries`.

        :return: list of ``(socket file, list of CrtListEntry)``.
        :rtype: list of tuple

        Usage::

            >>> sites = hap.crt_list('/etc/haproxy/sites.list')
            >>> [(address, len(entries)) for address, entries in sites.entries_per_socket()]
            [('/run/haproxy/admin.sock', 1)]
        """
        return [(process.socket_file, own) for process, own in self._read()]

    @takes_die
    def add(self, certificate, sni=(), options=None, die=True):
        """Add a certificate at the end, in all processes or in none.

        From then on, new connections get it. If an entry with the same certificate, options and SNI
        filters is there already, nothing is changed.

        Sends ``show ssl crt-list -n LIST`` to each process, and to those where it is missing ``add
        ssl crt-list`` (management guide, "add ssl crt-list"; HAProxy 2.2), and looks again; also
        one ``show info`` if the last one was more than a second ago. HAProxy 2.4.0 to 2.4.17, 2.5.0
        to 2.5.7 and 2.6.0 are also sent ``show ssl cert``: they would crash if a server uses the
        certificate, so one that is in use, and not in the list, is refused.

        :param certificate: the name of the certificate, which HAProxy must have already. Up to 3.0
            a directory accepts only certificates that are in it. HAProxy puts ``crt-base`` before a
            relative name.
        :type certificate: str
        :param sni: (optional) SNI filters: names for which it is used, ``'*.NAME'`` for all names
            below one, and ``'!NAME'`` for names for which it is not; by default the names in the
            certificate. A directory has none.
        :type sni: list of str
        :param options: (optional) options as in the configuration, without brackets, such as
            ``'alpn h2 verify none'``. A directory has none. What describes the certificate itself,
            such as ``key`` (HAProxy 3.0), cannot be given, except ``ocsp-update``.
        :type options: str
        :return: ``changed``, False if all processes had the entry already.
        :rtype: Added
        :raises ValueError: for what HAProxy would read differently; nothing is sent.
        :raises haproxyadmin.exceptions.NotSupported: if the version of a process is too old;
            nothing is sent.
        :raises haproxyadmin.exceptions.NoSuchObject: if the list is gone from a process.
        :raises haproxyadmin.exceptions.CommandFailed: if all processes refuse, because there is no
            such certificate, or it is empty.
        :raises haproxyadmin.exceptions.MultipleCommandResults: if some processes refuse. It is then
            removed where it was added; ``undone`` and ``not_undone`` list the sockets.

        Usage::

            >>> sites = hap.crt_list('/etc/haproxy/sites.list')
            >>> sites.add('/etc/haproxy/www.example.com.pem', sni=['*.www.example.com'])
            Added(changed=True)
        """
        return Added(crt_lists.add_entry(
            self._found, self.name, crt_lists.check_entry(certificate, sni, options)))

    @takes_die
    def remove(self, certificate, line=None, die=True):
        """Remove an entry, in all processes or in none; in those where it is not there, nothing.

        The certificate itself stays. From 2.4 on, HAProxy refuses to remove the default
        certificate of a ``bind`` line; up to 2.3 the first entry of a list is refused here, because
        HAProxy would go on using it, and could no longer change it.

        Sends ``show ssl crt-list -n LIST`` to each process, and to those that have the entry ``del
        ssl crt-list`` (management guide, "del ssl crt-list"; HAProxy 2.2), and looks again; also
        one ``show info`` if the last one was more than a second ago. If it fails in one process,
        the entry is added again to the others, at the end, where it gets another line.

        :param certificate: the name of the certificate; or an entry that :meth:`entries` returned:
            then the one that has its certificate, options and SNI filters is removed, at whichever
            line it is now, the last one if there are several.
        :type certificate: str or CrtListEntry
        :param line: (optional) the number of the line; needed if the certificate is there several
            times. HAProxy gives each entry a number of its own, until it starts again or reloads.
        :type line: int
        :return: ``changed``, False if no process had the entry.
        :rtype: Removed
        :raises ValueError: if the certificate is there several times; the message says at which
            lines. For what cannot be the name of a certificate in a list; nothing is sent then.
        :raises haproxyadmin.exceptions.NotSupported: if the version of a process is too old;
            nothing is sent.
        :raises haproxyadmin.exceptions.NoSuchObject: if the list is gone from a process.
        :raises haproxyadmin.exceptions.CommandFailed: if all processes refuse; if some processes
            have the certificate at this line, and others only at other lines.
        :raises haproxyadmin.exceptions.MultipleCommandResults: if some processes refuse. It is then
            added again where it was removed; ``undone`` and ``not_undone`` list the sockets.

        Usage::

            >>> sites = hap.crt_list('/etc/haproxy/sites.list')
            >>> sites.remove('/etc/haproxy/shop.example.com.pem')
            Removed(changed=True)
        """
        like = certificate if isinstance(certificate, CrtListEntry) else None
        name = check_certificate(certificate if like is None else like.certificate)
        if line is not None:
            line = int(check_number(line, 'line'))
        return Removed(crt_lists.remove_entry(self._found, self.name, name, line, like))

    def _read(self):
        return read_pairs(self._found, lambda process: crt_lists.entries_operation(
            process, self.name))


_Found = collections.namedtuple('_Found', 'name process')


def list_all(processes):
    """Return all lists of certificates, each over the processes that have it.

    :param processes: the processes to look in.
    :rtype: list of CrtList
    """
    groups = merge([[_Found(name, process) for name in names]
                    for process, names in read_pairs(processes, crt_lists.list_operation)])
    return [CrtList(group[0].name, [found.process for found in group]) for group in groups]


def find(processes, name):
    """Return one list of certificates.

    :param processes: the processes to look in.
    :param name: its name.
    :rtype: CrtList
    :raises ValueError: if no process has it.
    """
    return find_by_name(list_all(processes), 'crt-list', name)


def __dir__():
    """List what is public; has an effect from Python 3.7 on."""
    return sorted(__all__)
