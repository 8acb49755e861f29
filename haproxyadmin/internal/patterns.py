# SPDX-License-Identifier: Apache-2.0
"""What can be done with the ACLs and maps of processes."""
import collections

from haproxyadmin.combine import elements_of_list_same, results_of
from haproxyadmin.exceptions import CommandFailed
from haproxyadmin.internal.calls import change_each, check_outcomes, members_to_change, prepare
from haproxyadmin.internal.fanout import (OneTimeOperation, Operation, raise_first_error, run_all,
                                          run_reads)
from haproxyadmin.parsers.lines import join_lines
from haproxyadmin.parsers.patterns import (find_entries, parse_entries, parse_index, parse_list,
                                           parse_match)
from haproxyadmin.protocol import commands, replies
from haproxyadmin.protocol.words import parse_reference, to_native


def listing_operation(process, family, ident):
    """Return the operation that asks for the ACLs or maps, or for the entries of one.

    :param family: ``'acl'`` or ``'map'``.
    :param ident: see :func:`haproxyadmin.protocol.words.check_identifier`, or None for the list.
    """
    return _show(process, family, ident, parse_list if ident is None else parse_entries)


def index_operation(process, family):
    """Return the operation that asks for the ACLs or maps by name.

    :return: its value is a dict of ids; a name is a file, or ``'#3'`` for what has no file.
    """
    return _show(process, family, None, lambda lines: collections.OrderedDict(
        (name or '#' + number, name if number.startswith('-') else number)
        for name, number in parse_index(lines)))


def entries_operation(process, family, ident):
    """Return the operation that asks for the entries of one, without their references."""
    return _show(process, family, ident, lambda lines: [
        entry.partition(' ')[2] for entry in parse_entries(lines)])


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


def change_operation(process, action, family, ident, *texts):
    """Return the operation that changes an ACL or map: all of it, or all entries with a key.

    From 3.3 on HAProxy may delete one entry at a time; then the command is sent until none is left.
    """
    command = commands.patterns(action, family, ident, process.version, *texts)
    if not commands.is_repeated(action, process.version):
        return process.change_operation(command)

    def delete(rounds):
        return process.change_operation(command, lambda lines: interpret(rounds, lines))

    def interpret(rounds, lines):
        reply = join_lines(lines)
        if rounds and replies.is_unknown_key(reply):
            return ''
        if not replies.is_success(reply):
            return reply
        replies.check_rounds(rounds)
        return delete(rounds + 1)
    return delete(0)


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
