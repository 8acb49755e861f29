# SPDX-License-Identifier: Apache-2.0
"""One process's ACLs and MAPs."""
import functools

from haproxyadmin import utils
from haproxyadmin.exceptions import CommandFailed
from haproxyadmin.internal import facade
from haproxyadmin.internal.facade import Ask
from haproxyadmin.protocol import commands, replies


def ask_listing(process, family, ident):
    """Return what asks for the ACLs or MAPs, or for the entries of one.

    :param family: ``'acl'`` or ``'map'``.
    :param ident: see :func:`haproxyadmin.protocol.commands.identifier`, or None for the list.
    """
    command = commands.patterns('show', family, ident, process.version)
    return Ask(process, command, _heading if ident is None else _entries)


def ask_match(process, family, ident, text):
    """Return what looks a text up in an ACL or MAP."""
    command = commands.patterns('get', family, ident, process.version, text)
    return Ask(process, command, _match)


def change(processes, action, family, ident, *texts):
    """Change an ACL or MAP in all processes: all of it, or all entries of a key.

    :return: see :func:`haproxyadmin.internal.facade.verdict`.
    """
    return facade.change_each(
        processes, lambda process: ask_change(process, action, family, ident, *texts))


def change_entry(processes, action, family, ident, key, *texts):
    """Change all entries of a key in all processes, or the entry of a reference."""
    by = change_by_reference if commands.reference(key) else change
    return by(processes, action, family, ident, key, *texts)


def change_by_reference(processes, action, family, ident, key, *texts):
    """Change the entry that a reference points to, if it is the same in all processes.

    :param key: a text that looks like a reference; where no entry has it, it may be a key.
    :raises haproxyadmin.exceptions.CommandFailed: when it is neither, or not the same entry in all
        processes; nothing is changed then.
    """
    reference = commands.reference(key)
    processes, asks = facade.prepare(processes, lambda process: process.ask_change(
        commands.by_reference(action, family, ident, process.version, reference, *texts)))
    facade.values_of(asks)
    found = facade.answers([ask_entry(process, family, ident, reference)
                            for process in processes])
    held = [entry for entry, _ in found]
    if utils.elements_of_list_same(held) and held[0] is not None:
        return facade.verdict(processes, facade.gather(asks))
    if all(entry is None for entry in held):
        if commands.native(key) == reference and any(is_key for _, is_key in found):
            return change(processes, action, family, ident, key, *texts)
        what = 'neither the reference nor the key of an entry of {0} {1}'
    else:
        what = 'not the same entry of {0} {1} in all processes'
    raise CommandFailed('{0} is {1}: {2}'.format(reference, what.format(family, ident), ', '.join(
        '{0!r} in process {1} on {2}'.format(entry, process.process_nb, process.socket_file)
        for process, entry in zip(processes, held))))


def ask_change(process, action, family, ident, *texts):
    """Return what changes an ACL or MAP: all of it, or all entries of a key.

    Versions from 3.3 on may delete one at a time, so they are asked until nothing is left.
    """
    ask = process.ask_change(commands.patterns(action, family, ident, process.version, *texts))
    if commands.is_repeated(action, process.version):
        ask.then = functools.partial(_delete_next, ask, 0)
    return ask


def ask_entry(process, family, ident, text):
    """Return what looks an entry up by a text that may be a reference or a key.

    :param text: ``'0x1a78ab0'``, which is a key where no entry has that reference.
    :return: its value is the entry that the reference points to, or None; and if there is a key.
    """
    ask = ask_listing(process, family, ident)
    ask.then = lambda lines: _entry_at(family, text, _entries(lines))
    return ask


def _heading(lines):
    if facade.first_line(lines) != replies.LISTING_HEAD:
        raise facade.refusal(lines)
    return lines


def _entries(lines):
    """Return the entries of an ACL or MAP::

        0x1a78ab0 www.example.com alice
    """
    if lines and not replies.is_entry(lines[0]):
        raise facade.refusal(lines)
    return lines if all(map(replies.is_entry, lines)) else replies.entries('\n'.join(lines))


def _match(lines):
    """Return what a lookup found::

        type=str, case=sensitive, found=yes, idx=tree, key="11", value="new2", type="str"
    """
    if not replies.is_match(facade.first_line(lines)):
        raise facade.refusal(lines)
    return facade.whole_text(lines)


def _delete_next(ask, rounds, lines):
    reply = facade.whole_text(lines)
    if rounds and replies.is_unknown_key(reply):
        return ''
    if not replies.changed(reply):
        return reply
    replies.check_rounds(rounds)
    return Ask(ask.process, ask.command, functools.partial(_delete_next, ask, rounds + 1),
               reads=False)


def _entry_at(family, text, entries):
    reference, found, is_key = int(text, 16), None, False
    for entry in entries:
        pointer, _, rest = entry.partition(' ')
        if int(pointer, 16) == reference:
            found = rest
        is_key = is_key or (rest.split(' ', 1)[0] if family == 'map' else rest) == text
    return found, is_key
