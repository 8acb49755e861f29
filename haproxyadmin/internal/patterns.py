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
    processes, asks = facade.prepare(processes, lambda process: facade.Once(
        process, commands.by_reference(action, family, ident, process.version,
                                       commands.reference(key), *texts),
        facade.whole_text, reads=False))
    facade.values_of(asks)
    held = facade.answers([ask_held(process, family, ident, [key]) for process in processes])
    if is_same_entry(processes, held, family, ident, key):
        return facade.verdict(processes, asks)
    return change(processes, action, family, ident, key, *texts)


def is_same_entry(processes, held, family, ident, key):
    """Return True if a text is the reference of one entry in all processes, False if it is a key.

    :param held: what the processes answered to :func:`ask_held`.
    :raises haproxyadmin.exceptions.CommandFailed: when it is neither.
    """
    reference = commands.reference(key)
    entries = [pointed.get(int(reference, 16)) for pointed, _ in held]
    if utils.elements_of_list_same(entries) and entries[0] is not None:
        return True
    if all(entry is None for entry in entries):
        if any(commands.native(key) in keys for _, keys in held):
            return False
        what = 'neither the reference nor the key of an entry of {0} {1}'
    else:
        what = 'not the same entry of {0} {1} in all processes'
    error = CommandFailed('{0} is {1}: {2}'.format(reference, what.format(family, ident), ', '.join(
        '{0!r} in process {1} on {2}'.format(entry, process.process_nb, process.socket_file)
        for process, entry in zip(processes, entries))))
    error.set_account(*facade.account(list(zip(processes, entries))))
    raise error


def ask_change(process, action, family, ident, *texts):
    """Return what changes an ACL or MAP: all of it, or all entries of a key.

    Versions from 3.3 on may delete one at a time, so they are asked until nothing is left.
    """
    ask = process.ask_change(commands.patterns(action, family, ident, process.version, *texts))
    if commands.is_repeated(action, process.version):
        ask.then = functools.partial(_delete_next, ask, 0)
    return ask


def ask_held(process, family, ident, texts):
    """Return what looks many texts up that may be references or keys, with one listing.

    :param texts: such as ``'0x1a78ab0'``, which is a key where no entry has that reference.
    :return: its value is a dict of the entries that the references point to, by reference as an
        integer, and the set of the texts that are keys.
    """
    ask = ask_listing(process, family, ident)
    ask.then = lambda lines: _held(family, texts, _entries(lines))
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


def _held(family, texts, entries):
    # '#0x1a' is never a key: HAProxy takes it for a reference.
    texts = [(commands.native(text), commands.reference(text)) for text in texts]
    wanted = set(int(reference, 16) for _, reference in texts)
    possible = set(text for text, reference in texts if text == reference)
    pointed, keys = {}, set()
    for entry in entries:
        pointer, _, rest = entry.partition(' ')
        if int(pointer, 16) in wanted:
            pointed[int(pointer, 16)] = rest
        key = rest.split(' ', 1)[0] if family == 'map' else rest
        if key in possible:
            keys.add(key)
    return pointed, keys
