# SPDX-License-Identifier: Apache-2.0
"""What stick tables do, as functions of processes."""
import collections
import operator

from haproxyadmin.exceptions import (CommandFailed, HAProxySocketError, NoSuchObject,
                                     SocketApplicationError)
from haproxyadmin.imports import Pattern
from haproxyadmin.internal.calls import (check_outcomes, members_to_change, prepare, read_each,
                                         refused_on)
from haproxyadmin.internal.fanout import (Operation, info_operation, level_operation,
                                          raise_first_error, run_all, unchanged)
from haproxyadmin.internal.grouping import renew
from haproxyadmin.internal.sections import peers_operation
from haproxyadmin.internal.streaming import StreamedOperation, stream_all
from haproxyadmin.internal.transaction import REPLACED, change_all_or_none, unless_refused
from haproxyadmin.parsers.lines import first_line, join_lines
from haproxyadmin.parsers.tables import BINARY, SERVER_KEYS, STRING, EntryParser, parse_tables
from haproxyadmin.protocol import commands, replies, streams, transport, versions
from haproxyadmin.protocol.words import check_table_key, to_native

# HAProxy's words, see haproxyadmin.protocol.words.OPERATORS.
_COMPARE = {'eq': operator.eq, 'ne': operator.ne, 'le': operator.le, 'ge': operator.ge,
            'lt': operator.lt, 'gt': operator.gt}
# How many conditions HAProxy takes.
MAX_CONDITIONS = 4
# Data that may be an element of an array, which HAProxy shows and does not know by that name.
_ELEMENT = Pattern(r'gp[ct][0-9]+(_rate)?\Z')
# How the first element of an array is shown, the only one that has a name in commands.
_ARRAYS = {'gpc': 'gpc0', 'gpt': 'gpt0', 'gpc_rate': 'gpc0_rate'}
# A line that removes many entries: up to 1.7, more than 64 words may crash HAProxy.
MAX_BATCH, MAX_COMMANDS = 4096, 12


# Reading

def list_operation(process):
    """Return the operation that asks for all stick tables."""
    return Operation(process.endpoint, commands.table('show', None, None), parse_tables)


def header_operation(process, name):
    """Return the operation that asks for the size of a table, and how much of it is used."""
    def find(lines):
        for header in parse_tables(lines):
            if header.name == name:
                return header
        raise NoSuchObject(name, 'stick table {0!r} is gone from process {1} on {2}'.format(
            name, process.process_nb, process.socket_file))
    return Operation(process.endpoint, commands.table('show', None, None), find)


def entries_operation(process, name, conditions, in_haproxy=True, reading=None):
    """Return the operation that reads the entries that meet all conditions.

    :param conditions: see :func:`haproxyadmin.protocol.words.check_conditions`.
    :param in_haproxy: (optional) False to have the library look at all entries.
    :param reading: (optional) notices a reload, unless HAProxy looks at conditions.
    :type reading: :class:`Reading`
    :rtype: :class:`haproxyadmin.internal.streaming.StreamedOperation`
    """
    sent = _first_conditions(process, conditions) if in_haproxy and conditions else []
    endpoint = process.endpoint
    if reading is not None:
        reading.begin(process)
    return StreamedOperation(
        endpoint, commands.table('show', name, process.version, conditions=sent),
        lambda: _Selection(process, name, conditions, sent, reading),
        # What is known will do: HAProxy forgets the entry again at its next restart.
        streams.STREAMED if endpoint.may_have(versions.LEAVING_EARLY) else transport.PLAIN)


def may_leave_early(operations):
    """Return True if no process minds that somebody stops reading.

    :param operations: see :func:`entries_operation`.
    """
    return all(operation.conduct is streams.STREAMED for operation in operations)


def _first_conditions(process, conditions):
    """Return those of the conditions that the version of a process can check itself."""
    version = process.version
    if versions.is_among(version, versions.BROKEN_CONDITIONS):
        return []
    return conditions[:MAX_CONDITIONS if versions.has(version, versions.SEVERAL_CONDITIONS) else 1]


class Reading(object):
    """Notices that a process was reloaded while its entries were read.

    HAProxy then ends the reply as if it were complete.
    """

    def __init__(self):
        self._identities, self._short = {}, []

    def begin(self, process):
        """Note which process is asked for its entries."""
        self._identities[process] = process.endpoint.identity

    def end(self, process, parser):
        """Note whether all entries have arrived; some may have expired meanwhile."""
        if parser.header is not None and parser.count < parser.header.used:
            self._short.append(process)

    def check(self):
        """Check that the same processes answer as before where entries may be missing.

        :raises haproxyadmin.exceptions.SocketApplicationError: if not.
        """
        errors = renew(self._short) if self._short else {}
        for process in self._short:
            endpoint = process.endpoint
            if endpoint in errors or endpoint.identity is not self._identities[process]:
                raise SocketApplicationError(process.socket_file, (
                    '{0} was reloaded or has ended while its entries were read, and some are '
                    'missing'.format(process.socket_file)))


class _Selection(object):
    """Parses the entries of a table, and selects those that meet all conditions.

    HAProxy may have checked some of the conditions: checking them again changes nothing.
    """

    def __init__(self, process, name, conditions, sent, reading):
        self._reading = reading
        self._process = process
        self._name = name
        self._conditions = conditions
        self._sent = sent
        self._parser = EntryParser(process.process_nb, process.socket_file)

    def feed(self, received):
        """Return the entries in the next part of the reply."""
        return self._select(self._parser.feed(received))

    def finish(self, received):
        """Return the entries in the last part of the reply, or the operation to run instead."""
        try:
            selected = self._select(self._parser.finish(received))
            if self._reading is not None and not self._sent:
                self._reading.end(self._process, self._parser)
            return selected
        except CommandFailed as error:
            if not (self._sent and replies.is_not_stored(error) and _names_element(
                    self._conditions)):
                raise
        return entries_operation(
            self._process, self._name, self._conditions, False, self._reading)

    def _select(self, entries):
        return select(entries, self._conditions, self._parser.names)


def select(entries, conditions, names):
    """Return those entries of a table that meet all conditions.

    :param names: the names of the data that it stores, None if there is no entry.
    """
    if names is not None:
        for name, word, number in conditions:
            entries = _filter(entries, _field(name, names), _COMPARE[word], number)
    return entries


def _filter(entries, field, holds, number):
    return (entry for entry in entries if holds(entry.data[field], number))


def _names_element(conditions):
    """Return True if a condition may be about an element of an array."""
    return any(_ELEMENT.match(name) for name, _, _ in conditions)


def _field(name, names):
    """Return how HAProxy shows the name of a number: that of a rate is followed by its period.

    :param names: the names of the data that a table stores.
    """
    name = name if name in names else _ARRAYS.get(name, name)
    if name in names:
        return name
    for field in names:
        if field.startswith(name + '('):
            return field
    raise CommandFailed('the stick table does not store {0}; it stores {1}'.format(
        name, ', '.join(sorted(set(names) - set(SERVER_KEYS))) or 'no numbers'))


def key_operation(process, table, key, interpret=unchanged):
    """Return the operation that reads the entry of a key.

    :param table: its name and type.
    :type table: :class:`haproxyadmin.parsers.tables.TableHeader`
    :param key: see :func:`haproxyadmin.protocol.words.check_table_key`.
    :type key: bytes
    :param interpret: (optional) takes the :class:`haproxyadmin.parsers.tables.TableEntry`, or None
        if there is none.
    """
    endpoint = process.endpoint

    def find(reply):
        found = EntryParser(process.process_nb, process.socket_file).finish(reply)
        return interpret(next(found, None))

    show = Operation(endpoint, commands.table('show', table.name, process.version, key), find,
                     parse=unchanged)
    version = endpoint.known_version or process.version
    versions.check_danger(versions.SILENT_KEYS, version)
    if not versions.is_among(version, versions.LEAKING_KEYS):
        return show

    def check_level(lines):
        _check_level(process, first_line(lines))
        return show
    return Operation(endpoint, commands.SHOW_LEVEL, check_level)


def _check_level(process, level):
    if level == replies.LEVELS[0]:
        raise refused_on(process, 'Permission denied (the level of {0} is {1})'.format(
            process.socket_file, level))


def is_entry_of(table, key, entry):
    """Return True if an entry has a key: HAProxy truncates a text, and finds what is left of it.

    :param entry: the entry that HAProxy has found, or None.
    """
    return entry is not None and (table.type != STRING or entry.key == to_native(key))


# Changing one entry

def set_entry(processes, table, key, data):
    """Store data in the entry of a key, in all processes or in none.

    :param data: see :func:`haproxyadmin.protocol.words.check_table_data`.
    """
    before = _look(processes, 'set', table, key, data)
    identities = dict((process, process.endpoint.identity) for process in before)
    for process, entry in before.items():
        if entry is not None:
            _check_key(process, table, key, entry)
            for name, _ in data:
                # Otherwise HAProxy stores those before it.
                _field(name, entry.data)

    def check(process, entry):
        if entry is None:
            # Somebody has removed it, or another process has taken over.
            return info_operation(process.endpoint, lambda _: check_identity(process))
        _check_key(process, table, key, entry)
        return ''

    def check_identity(process):
        if process.endpoint.identity is not identities[process]:
            raise refused_on(process, REPLACED.format(process.socket_file))
        return ''

    change_all_or_none(
        list(before), lambda process: _change(process, 'set', table, key, data),
        lambda process, _: _restore(process, table, key, before[process], data, _as_before),
        then=lambda process: key_operation(process, table, key, lambda entry: check(
            process, entry)),
        may_be_made=_may_be_set)


def _as_before(lines):
    """Return a success for what HAProxy does not store: it refuses this at the same place again.

    That is an element of an array, which looks like other data in an entry.
    """
    text = join_lines(lines)
    return '' if replies.is_not_stored(text) else text


def _check_key(process, table, key, entry):
    if not is_entry_of(table, key, entry):
        raise refused_on(process, 'the stick table {0} truncates the key to {1!r}'.format(
            table.name, entry.key))


def _may_be_set(_, outcome):
    """Return True if something may be stored: what precedes a wrong name or number is."""
    return unless_refused(_, outcome) or (
        not isinstance(outcome, HAProxySocketError) and replies.is_refused_later(outcome))


def remove_entry(processes, table, key):
    """Remove the entry of a key where there is one, in all processes or in none."""
    before = _look(processes, 'clear', table, key)
    having = [process for process, entry in before.items() if is_entry_of(table, key, entry)]
    if not having:
        return
    _check_removing(having, table)
    change_all_or_none(
        having, lambda process: _change(process, 'clear', table, key),
        lambda process, _: _restore(process, table, key, before[process], [
            (name.partition('(')[0], None) for name in before[process].data
            if name not in SERVER_KEYS]), may_be_made=unless_refused, quick=True)


def _look(processes, action, table, key, data=()):
    """Return the entry of a key in each process, None where there is none.

    :param action: what follows; a command for it that would be too long is noticed here, before
        anything is sent.
    """
    def build(process):
        _change(process, action, table, key, data)
        return key_operation(process, table, key)
    processes, operations = prepare(members_to_change(processes), build)
    return collections.OrderedDict(zip(processes, raise_first_error(run_all(operations))))


def _change(process, action, table, key, data=(), interpret=join_lines):
    return process.change_operation(commands.table(
        action, table.name, process.version, key, data=data), interpret)


def _restore(process, table, key, before, data, interpret=join_lines):
    """Return the operation that stores what an entry had before, or removes one that is new.

    :param before: the entry, None if there was none.
    :param data: what is restored, pairs of which only the name counts.
    :param interpret: (optional) takes the lines of the reply.
    """
    if before is None:
        for danger in versions.REMOVING_ENTRIES, versions.REMOVING_SHARED_ENTRIES:
            versions.check_danger(danger, process.version)
        return _change(process, 'clear', table, key)
    return _change(process, 'set', table, key, [
        (name, before.data[_field(name, before.data)]) for name, _ in data], interpret)


def _check_removing(processes, table):
    """Check that removing entries crashes no process.

    :raises haproxyadmin.exceptions.CommandFailed: if it might; nothing is sent.
    """
    def look(process):
        versions.check_danger(versions.REMOVING_ENTRIES, process.version)
        if versions.is_among(process.version, versions.REMOVING_SHARED_ENTRIES.ranges):
            return peers_operation(process)
        return []
    current, operations = prepare(processes, look)
    for process, sections in zip(current, raise_first_error(run_all(operations))):
        if sections_sharing(sections, table.name):
            raise refused_on(process, versions.REMOVING_SHARED_ENTRIES.reason)


def sections_sharing(sections, name):
    """Return the names of the peers sections that share a stick table.

    :param sections: see :func:`haproxyadmin.parsers.peers.parse_peers`.
    :param name: the name of the table.
    """
    return [section.name for section in sections
            if any(shared['table'].get('id') == name
                   for peer in section.peers for shared in peer.tables)]


# Removing many entries

def clear_entries(processes, table, conditions):
    """Remove the entries that meet all conditions, in all processes.

    HAProxy looks at the use of the next entry instead of the entry's own, so that an entry that is
    not in use may stay; it is removed by its key. Where HAProxy cannot check all conditions, all
    entries are removed so.

    :return: how many entries are left.
    """
    def build(process):
        if conditions != _first_conditions(process, conditions):
            if table.type == BINARY:
                raise refused_on(process, 'HAProxy removes no entry by a key of type binary, and '
                                 'this version cannot check all of the conditions')
            return ''
        return _change(process, 'clear', table, None, conditions)

    processes, operations = prepare(members_to_change(processes), build)
    raise_first_error(operations)
    _check_removing(processes, table)
    _check_clearing(processes, table)
    outcomes, by_key = list(operations), set()
    try:
        run_all(operations, outcomes)
        check_outcomes(processes, operations, [
            _unless_element(outcome, table, conditions) for outcome in outcomes])
        return _remove_rest(processes, table, conditions, by_key)
    except BaseException as error:
        cleared = [process for process, operation, outcome in zip(processes, operations, outcomes)
                   if process.socket_file in by_key or (
                       isinstance(operation, Operation) and unless_refused(process, outcome))]
        error.undone = []
        error.not_undone = [process.socket_file for process in cleared]
        raise


def _check_clearing(processes, table):
    """Check that all processes have the table, and allow to clear it, which some only ignore.

    The level of HAProxy before 2.0 is not checked, where an operator cannot be told from a user.
    """
    read_each(processes, lambda process: header_operation(process, table.name))
    levels = read_each(processes, lambda process: level_operation(
        process.endpoint) if versions.has(process.version, versions.SHOW_LEVEL) else None)
    for process, level in zip(processes, levels):
        _check_level(process, level)


def _unless_element(outcome, table, conditions):
    """Return a success for the refusal of elements of an array, whose entries are removed later."""
    if (table.type != BINARY and not isinstance(outcome, Exception)
            and replies.is_not_stored(outcome) and _names_element(conditions)):
        return ''
    return outcome


def _remove_rest(processes, table, conditions, by_key):
    """Remove the entries that HAProxy has left, by their keys; return how many are left then.

    :param by_key: the socket of each process that may remove some is added to this set.
    """
    processes, operations = prepare(
        processes, lambda process: entries_operation(process, table.name, conditions))
    left, keys = 0, dict((process.socket_file, []) for process in processes)
    for entries in stream_all(raise_first_error(operations)):
        for entry in entries:
            if entry.use:
                left += 1
            else:
                keys[entry.socket_file].append(entry.key)
    batches = []
    for process in processes:
        own, unsendable = _batches(process, table, keys[process.socket_file])
        batches.append(own)
        by_key.update([process.socket_file] if own else [])
        left += unsendable
    while any(batches):
        left += sum(raise_first_error(run_all([own.pop(0) for own in batches if own])))
    return left


def _batches(process, table, keys):
    """Return the operations that remove entries by their keys.

    :return: the operations, the value of each is how many entries are left; and how many keys
        cannot be sent.
    """
    batches, lines, unsendable = [], [], 0
    for key in keys:
        try:
            versions.check_danger(versions.SILENT_KEYS, process.version)
            line = commands.table('clear', table.name, process.version, check_table_key(
                table.type, key))
        except (CommandFailed, ValueError):
            # Keys come from clients, and may be empty or contain a newline.
            unsendable += 1
            continue
        if len(lines) == MAX_COMMANDS or sum(map(len, lines)) + len(line) > MAX_BATCH:
            batches.append(_batch(process, lines))
            lines = []
        lines.append(line)
    return batches + ([_batch(process, lines)] if lines else []), unsendable


def _batch(process, lines):
    def count_left(reply):
        answers = replies.split_answers(to_native(reply), len(lines))
        for answer in answers:
            if answer and not replies.is_entry_in_use(answer):
                raise CommandFailed(answer)
        return len(list(filter(None, answers)))
    return Operation(process.endpoint, commands.join_commands(lines), count_left, reads=False,
                     parse=unchanged)
