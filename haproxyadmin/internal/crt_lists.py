# SPDX-License-Identifier: Apache-2.0
"""What lists of certificates do, as functions of processes.

A line number means one entry as long as a process runs: HAProxy does not use it again after the
entry is removed. A directory is a list, too, and so is ``@FRONTEND``, all ``ssl-f-use`` of a
frontend (3.2).
"""
import collections

from haproxyadmin.exceptions import NoSuchObject
from haproxyadmin.internal.calls import (members_to_change, prepare, refused_on, require,
                                         require_if_known)
from haproxyadmin.internal.certificates import show_operation
from haproxyadmin.internal.fanout import info_operation, raise_first_error, run_all, unchanged
from haproxyadmin.internal.tls_files import FileOperation
from haproxyadmin.internal.transaction import REPLACED, change_all_or_none, unless_refused
from haproxyadmin.parsers.crt_lists import CrtListEntry, parse_crt_lists, parse_entries
from haproxyadmin.parsers.lines import first_line, join_lines
from haproxyadmin.protocol import commands, replies, versions
from haproxyadmin.protocol.words import check_crt_list_entry, pair_options


def _nothing_follows():
    return ''


def check_entry(certificate, sni=(), options=None):
    """Return the entry that a caller wants to add.

    :param certificate: the name of the certificate.
    :param sni: (optional) SNI filters.
    :param options: (optional) options of HAProxy, a text without brackets.
    :return: the entry, without a line.
    :rtype: CrtListEntry
    :raises ValueError: for what HAProxy would read differently.
    """
    certificate, sni, options = check_crt_list_entry(certificate, sni, options)
    return CrtListEntry(certificate, sni, options, None)


def is_same(entry, other):
    """Return True if two entries say the same, perhaps at different lines or in another order."""
    return (entry.certificate == other.certificate and _names(entry) == _names(other)
            and pair_options(entry.options) == pair_options(other.options))


def _names(entry):
    return set(name.lower() for name in entry.sni)


# One process

def list_operation(process):
    """Return the operation that asks for the names of all lists."""
    require_if_known(process, versions.SSL_CERTIFICATES)
    return FileOperation(process.endpoint, commands.tls_file('show', 'crt-list', process.version),
                         parse_crt_lists)


def entries_operation(process, name, interpret=unchanged):
    """Return the operation that asks for the entries of a list.

    :param name: the name of the list.
    :param interpret: (optional) takes the entries, see
        :func:`haproxyadmin.parsers.crt_lists.parse_entries`.
    """
    require_if_known(process, versions.SSL_CERTIFICATES)

    def find(lines):
        if replies.is_unknown_crt_list(first_line(lines)):
            raise NoSuchObject(name, 'crt-list {0!r} is gone from process {1} on {2}'.format(
                name, process.process_nb, process.socket_file))
        return interpret(parse_entries(lines))
    return FileOperation(process.endpoint, commands.crt_list(
        'show', name, process.version), find)


def add_operation(process, name, entry):
    """Return the operation that adds an entry to a list.

    :param name: the name of the list.
    :param entry: see :func:`check_entry`, or one that was listed.
    :type entry: CrtListEntry
    :return: its value is ``''``, or the text of a refusal, which leaves the list as it was.
    """
    require(process, versions.SSL_CERTIFICATES)
    return FileOperation(
        process.endpoint, commands.crt_list('add', name, process.version, entry),
        lambda lines: '' if replies.is_crt_list_extended(lines) else join_lines(lines),
        reads=False)


def remove_operation(process, name, entry, then=_nothing_follows):
    """Return the operation that removes an entry from a list, by its line.

    :type entry: CrtListEntry
    :param then: (optional) returns what follows: an operation, or ``''``.
    :return: its value is ``''``, or the text of a refusal.
    """
    require(process, versions.SSL_CERTIFICATES)
    return FileOperation(
        process.endpoint, commands.crt_list('del', name, process.version, entry),
        lambda lines: then() if replies.is_crt_list_reduced(lines) else join_lines(lines),
        reads=False)


def remove_added_operation(process, name, entry, before=(), then=_nothing_follows):
    """Return the operation that removes from a list what :func:`add_operation` has added.

    It looks for the line first, and removes nothing if there is none.

    :param name: the name of the list.
    :param entry: what was added.
    :param before: (optional) the entries that were there before; those are left alone.
    :param then: (optional) see :func:`remove_operation`.
    """
    def remove(entries):
        added = find_added(entries, entry, before)
        return then() if added is None else remove_operation(process, name, added, then)
    return entries_operation(process, name, remove)


def find_added(entries, entry, before=()):
    """Return the entry that was added, as HAProxy lists it; None if it is not there.

    HAProxy puts ``crt-base`` before a relative name, and orders the options.

    :param before: (optional) the entries that were there before.
    """
    known = set((other.certificate, other.line) for other in before)
    found = [other for other in entries
             if (other.certificate, other.line) not in known and _names(other) == _names(entry)
             and _is_called(other.certificate, entry.certificate)]
    same = [other for other in found
            if pair_options(other.options) == pair_options(entry.options)]
    return (same or found or [None])[-1]


def _is_called(listed, name):
    return listed == name or (not name.startswith(('/', '@')) and listed.endswith('/' + name))


# All processes

def look_to_add(processes, name, entry):
    """Return the entries of a list in each process, once it is known that one can be added.

    :rtype: collections.OrderedDict
    """
    before = _look(processes, name, lambda process: add_operation(process, name, entry))
    for process, entries in before.items():
        # From 3.0 on, what is refused changes the certificate nevertheless.
        if (entry.sni or entry.options) and not name.startswith('@') and any(
                other.line == 0 for other in entries):
            raise refused_on(process, 'crt-list {0!r} is a directory, whose entries have no SNI '
                             'filters and no options'.format(name))
    return before


def add_entry(processes, name, entry):
    """Add an entry to a list where it is not there yet, in all processes or in none.

    :param entry: see :func:`check_entry`.
    :return: True if it was added somewhere.
    :rtype: bool
    """
    before = look_to_add(processes, name, entry)
    lacking = [process for process, entries in before.items()
               if not any(is_same(entry, other) for other in entries)]
    if not lacking:
        return False
    _check_inserting([process for process in lacking if not any(
        other.certificate == entry.certificate for other in before[process])], entry)

    def check(process, entries):
        if find_added(entries, entry, before[process]) is None:
            raise refused_on(process, '{0!r} is not in crt-list {1!r} after it was added'.format(
                entry.certificate, name))
        return ''

    change_all_or_none(
        lacking, lambda process: add_operation(process, name, entry),
        lambda process, _: remove_added_operation(process, name, entry, before[process]),
        then=lambda process: entries_operation(
            process, name, lambda entries: check(process, entries)),
        may_be_made=unless_refused)
    return True


def remove_entry(processes, name, certificate, line=None, like=None):
    """Remove an entry from a list where it is there, in all processes or in none.

    :param certificate: the name of its certificate.
    :param line: (optional) its line.
    :param like: (optional) an entry that says the same; of several, the last one is removed.
    :return: True if it was removed somewhere.
    :rtype: bool
    """
    before = _look(processes, name, lambda process: remove_operation(
        process, name, CrtListEntry(certificate, [], None, line or 0)))
    chosen = collections.OrderedDict(
        (process, _choose(name, certificate, line, like, entries))
        for process, entries in before.items())
    having = [process for process in before if chosen[process]]
    if not having:
        return False
    for process, entries in before.items():
        elsewhere = [other for other in entries if other.certificate == certificate]
        if line is not None and elsewhere and not chosen[process]:
            raise refused_on(process, 'certificate {0!r} is not at line {1} of crt-list {2!r} in '
                             'all processes'.format(certificate, line, name))
    for process in having:
        if chosen[process] == before[process][0] and versions.is_among(
                process.version, versions.REMOVING_DEFAULT.ranges):
            raise refused_on(process, versions.REMOVING_DEFAULT.reason)
    identities = dict((process, process.endpoint.identity) for process in having)

    def check(process, entries):
        if chosen[process] in entries:
            raise refused_on(process, '{0!r} is still in crt-list {1!r} after it was '
                             'removed'.format(certificate, name))
        if entries == [other for other in before[process] if other != chosen[process]]:
            return ''
        # Another client has changed the list, or another process answers, where the line may have
        # been another entry.
        return info_operation(process.endpoint, lambda _: check_identity(process))

    def check_identity(process):
        if process.endpoint.identity is not identities[process]:
            raise refused_on(process, REPLACED.format(process.socket_file))
        return ''

    change_all_or_none(
        having, lambda process: remove_operation(process, name, chosen[process]),
        lambda process, _: add_operation(process, name, chosen[process]),
        then=lambda process: entries_operation(
            process, name, lambda entries: check(process, entries)))
    return True


def _look(processes, name, build):
    """Return the entries of a list in each process.

    :param build: what follows; a command that cannot be sent is noticed before anything is.
    """
    def look(process):
        build(process)
        return entries_operation(process, name)
    processes, operations = prepare(members_to_change(processes), look)
    return collections.OrderedDict(zip(processes, raise_first_error(run_all(operations))))


def _choose(name, certificate, line, like, entries):
    """Return the entry of one process that is to be removed; None if it is not there."""
    if like is not None:
        return ([other for other in entries if is_same(like, other)] or [None])[-1]
    found = [other for other in entries
             if other.certificate == certificate and line in (None, other.line)]
    if len(found) > 1:
        raise ValueError('certificate {0!r} is in crt-list {1!r} several times, at lines {2}: pass '
                         'line'.format(certificate, name, ', '.join(
                             str(other.line) for other in found)))
    return found[0] if found else None


def _check_inserting(processes, entry):
    """Check that an entry crashes no process.

    :param processes: those whose list does not explain yet that the certificate is in use.
    :raises haproxyadmin.exceptions.CommandFailed: if it might; nothing is sent.
    """
    def look(process):
        if not versions.is_among(process.version, versions.INSERTING_CERTIFICATES.ranges):
            return None
        return show_operation(process, entry.certificate)
    current, operations = prepare(processes, look)
    for process, fields in zip(current, raise_first_error(run_all(operations))):
        if fields is not None and ('Status', 'Unused') not in fields:
            raise refused_on(process, versions.INSERTING_CERTIFICATES.reason)
