# SPDX-License-Identifier: Apache-2.0
"""What can be done with the ACLs and maps of processes."""
import collections

from haproxyadmin.combine import elements_of_list_same, results_of
from haproxyadmin.exceptions import CommandFailed
from haproxyadmin.internal.calls import (change_each, check_outcomes, members_to_change, prepare,
                                         read_each)
from haproxyadmin.internal.fanout import (OneTimeOperation, Operation, raise_first_error, run_all,
                                          run_reads, unchanged)
from haproxyadmin.parsers.lines import join_lines
from haproxyadmin.parsers.patterns import (Listing, find_entries, name_of, parse_entries,
                                           parse_index, parse_kinds, parse_list, parse_lookup,
                                           parse_match)
from haproxyadmin.protocol import commands, replies, versions
from haproxyadmin.protocol.words import check_identifier, parse_reference, text_of_path, to_native


def listing_operation(process, family, ident):
    """Return the operation that asks for the ACLs or maps, or for the entries of one.

    :param family: ``'acl'`` or ``'map'``.
    :param ident: see :func:`haproxyadmin.protocol.words.check_identifier`, or None for the list.
    """
    return _show(process, family, ident, parse_list if ident is None else parse_entries)


# An id, and prefixes of files in the configuration, which not every version accepts in commands.
NOT_IN_COMMANDS = ('#', 'opt@', 'file@')


def check_ident(ref):
    """Return the id or file of an ACL or map as HAProxy lists it: ``'#3'``, or a file.

    :param ref: see :func:`haproxyadmin.protocol.words.check_identifier`.
    """
    word = to_native(check_identifier(ref, versions.NEWEST))
    return word if word.startswith('#') else to_native(text_of_path(ref))


def ident_of(listed):
    """Return what names an ACL or map in commands, in all processes if possible: its file.

    :type listed: haproxyadmin.parsers.patterns.Listed
    """
    try:
        if check_ident(listed.file) == listed.file:
            return listed.file
    except ValueError:
        pass  # no file, or HAProxy would read its name as a version
    return '#{0}'.format(listed.id)


def find_in(index, ident):
    """Return an ACL or map of a list, None if it is not there.

    :param index: see :func:`haproxyadmin.parsers.patterns.parse_index`.
    :param ident: see :func:`check_ident`.
    """
    return next((listed for listed in index
                 if ident in ('#{0}'.format(listed.id), listed.file,
                              'opt@' + listed.file, 'file@' + listed.file)), None)


def gone(family, ident):
    """Return the exception for an ACL or map that HAProxy does not have."""
    return CommandFailed('HAProxy has no {0} {1}'.format(family, ident))


def list_operation(process, family, interpret=unchanged):
    """Return the operation that asks for the list of ACLs or maps.

    :param interpret: (optional) takes a list of :class:`haproxyadmin.parsers.patterns.Listed`.
    """
    return _show(process, family, None, lambda lines: interpret(parse_index(lines)))


def index_operation(process, family):
    """Return the operation that asks for the ACLs or maps by name.

    :return: its value is a dict of ids; a name is a file, or ``'#3'`` for what has no file.
    """
    return _show(process, family, None, lambda lines: collections.OrderedDict(
        (name_of(listed), listed.file if listed.id < 0 else str(listed.id))
        for listed in parse_index(lines)))


def entries_operation(process, family, ident):
    """Return the operation that asks for the entries of one, without their references."""
    return _show(process, family, ident, lambda lines: [
        entry.partition(' ')[2] for entry in parse_entries(lines)])


def content_operation(process, family, ident, interpret=unchanged):
    """Return the operation that asks for the entries of one.

    :param interpret: (optional) takes them as a
        :class:`haproxyadmin.parsers.patterns.Listing`.
    """
    return Operation(process.endpoint, commands.patterns('show', family, ident, process.version),
                     lambda text: interpret(Listing(family, text)), parse=to_native)


def lookup_operation(process, family, ident, text, interpret=unchanged):
    """Return the operation that looks up a text in an ACL or map.

    :param interpret: (optional) takes the answer as a
        :class:`haproxyadmin.parsers.patterns.Match`.
    """
    return Operation(process.endpoint,
                     commands.patterns('get', family, ident, process.version, text),
                     lambda lines: interpret(parse_lookup(lines)))


def holds_addresses(process, family, ident):
    """Return True if HAProxy only uses an ACL or map for IP addresses."""
    kinds = set(kind for kind, _ in _kinds(process, family, ident))
    return kinds == set(['ip'])


def is_in_tree(process, family, ident):
    """Return True if HAProxy keeps an ACL or map in a tree, as far as is known."""
    kinds = _kinds(process, family, ident)
    return not kinds or any(kind == 'ip' or (kind in ('str', 'beg') and case == 'sensitive')
                            for kind, case in kinds)


def _kinds(process, family, ident):
    """Return how an ACL or map is used: pairs of the type and ``'sensitive'`` or not."""
    try:
        text = read_each([process], lambda member: match_operation(
            member, family, ident, '127.0.0.1'))[0]
    except (CommandFailed, ValueError):
        return []  # a version that must not be asked
    return parse_kinds(text)


def references_operation(process, family, ident, texts):
    """Return the operation that looks up references or keys, with one listing.

    :param texts: such as ``'0x1a78ab0'``, which is a key if no entry has that reference.
    :return: for its value see :func:`haproxyadmin.parsers.patterns.find_entries`.
    """
    return _show(process, family, ident,
                 lambda lines: find_entries(family, texts, parse_entries(lines)))


def _show(process, family, ident, interpret):
    return Operation(process.endpoint, commands.patterns('show', family, ident, process.version),
                     interpret)


def match_operation(process, family, ident, text):
    """Return the operation that looks up a text in an ACL or map."""
    return Operation(process.endpoint,
                     commands.patterns('get', family, ident, process.version, text), parse_match)


def sets_by_reference(process):
    """Return True if setting a value by its key may make the version of a process hang.

    Only releases that hardly anybody runs are concerned, so the version that is known is enough.
    """
    known = process.endpoint.known_version
    return known is not None and versions.is_among(known, versions.SETTING_PREPARED.ranges)


def change_operation(process, action, family, ident, *texts):
    """Return the operation that changes an ACL or map: all of it, or all entries with a key.

    From 3.3 on HAProxy may delete one entry at a time; then the command is sent until none is left.
    """
    if action == 'del':
        return deletion_operation(process, family, ident, *texts)
    change = process.change_operation(
        commands.patterns(action, family, ident, process.version, *texts))
    if action != 'set' or not sets_by_reference(process):
        return change

    def check(index):
        listed = find_in(index, check_ident(ident))
        if listed and listed.next_version > listed.current_version:
            return versions.SETTING_PREPARED.reason
        return change
    return list_operation(process, family, check)


def deletion_operation(process, family, ident, key, rounds=0):
    """Return the operation that deletes all entries with a key.

    :param rounds: (optional) how often it has been deleted already; 1 if it need not be there.
    """
    command = commands.patterns('del', family, ident, process.version, key)
    repeated = commands.is_repeated('del', process.version)

    def interpret(lines):
        reply = join_lines(lines)
        if rounds and replies.is_unknown_key(reply):
            return ''
        if not repeated or not replies.is_success(reply):
            return reply
        replies.check_rounds(rounds)
        return deletion_operation(process, family, ident, key, rounds + 1)
    return process.change_operation(command, interpret)


def change(processes, action, family, ident, *texts):
    """Change an ACL or map in all processes: all of it, or all entries with a key.

    :return: see :func:`haproxyadmin.internal.calls.check_outcomes`.
    """
    return change_each(
        processes, lambda process: change_operation(process, action, family, ident, *texts))


def change_entry(processes, action, family, ident, key, *texts):
    """Change all entries with a key in all processes, or the entry of a reference."""
    by = change_by_reference if parse_reference(key) else change
    return by(processes, action, family, ident, key, *texts)


def change_by_reference(processes, action, family, ident, key, *texts):
    """Change the entry of a reference, if it is the same in all processes.

    :param key: a text that looks like a reference; if no entry has it, it may be a key.
    :raises haproxyadmin.exceptions.CommandFailed: if it is neither, or not the same entry in all
        processes; nothing is changed then.
    """
    processes, operations = prepare(members_to_change(processes), lambda process: OneTimeOperation(
        process.endpoint,
        commands.by_reference(action, family, ident, process.version, parse_reference(key), *texts),
        join_lines, reads=False))
    raise_first_error(operations)
    found = run_reads([references_operation(process, family, ident, [key])
                       for process in processes])
    if is_same_entry(processes, found, family, ident, key):
        return check_outcomes(processes, operations, run_all(operations))
    return change(processes, action, family, ident, key, *texts)


def is_same_entry(processes, found, family, ident, key):
    """Return True if a text is the reference of the same entry in all processes.

    :param found: the value of :func:`references_operation` of each process.
    :return: False if it is a key.
    :raises haproxyadmin.exceptions.CommandFailed: if it is neither.
    """
    reference = parse_reference(key)
    entries = [pointed.get(int(reference, 16)) for pointed, _ in found]
    if elements_of_list_same(entries) and entries[0] is not None:
        return True
    if all(entry is None for entry in entries):
        if any(to_native(key) in keys for _, keys in found):
            return False
        what = 'neither the reference nor the key of an entry of {0} {1}'
    else:
        what = 'not the same entry of {0} {1} in all processes'
    error = CommandFailed('{0} is {1}: {2}'.format(reference, what.format(family, ident), ', '.join(
        '{0!r} in process {1} on {2}'.format(entry, process.process_nb, process.socket_file)
        for process, entry in zip(processes, entries))))
    error.set_results(*results_of(
        (process.process_nb, process.socket_file, entry)
        for process, entry in zip(processes, entries)))
    raise error
