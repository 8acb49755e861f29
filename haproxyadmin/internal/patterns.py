"""One process's ACLs and MAPs."""
import functools

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


def ask_change(process, action, family, ident, *texts):
    """Return what changes an ACL or MAP: all of it, or all entries of a key.

    Versions from 3.3 on may delete one at a time, so they are asked until nothing is left.
    """
    ask = process.ask_change(commands.patterns(action, family, ident, process.version, *texts))
    if action == 'del' and process.version >= (3, 3):
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
