# SPDX-License-Identifier: Apache-2.0
"""Batches of changes of an ACL or map.

A batch is sent in one exchange. If HAProxy accepts it, it is a payload, which HAProxy stores up to
the first entry that it refuses; otherwise it is a line of commands, each with its own answer.
"""
from haproxyadmin.protocol import commands, versions
from haproxyadmin.protocol.words import Prepared, check_text, join_words, parse_reference

# Command and payload of 16384 bytes kill several versions; more than this gains nothing.
MAX_BATCH = 4096
# Up to 1.7 a line of more than 64 words may crash HAProxy.
MAX_COMMANDS = 12


class Batch(object):
    """Entries that are sent in one exchange.

    :param commands: the command of each entry, or the only one with the payload.
    :param entries: list of ``(index, entry)``, the entry a tuple of texts.
    :param payload: True if the entries are a payload.
    :param rounds: how often they have been deleted already, which is repeated until none is left;
        None for what must never be repeated, nor be sent to another process: references, and what
        is added to a prepared version.
    """

    __slots__ = ('commands', 'entries', 'payload', 'rounds')

    def __init__(self, commands, entries, payload, rounds):
        self.commands = commands
        self.entries = entries
        self.payload = payload
        self.rounds = rounds

    @property
    def command(self):
        """What is sent, one line or a payload."""
        return b';'.join(self.commands)

    def command_of(self, place):
        """Return the command for the entry at a place."""
        return self.commands[0 if self.payload else place]


def join_batches(joined):
    """Return one batch of several, each of which is a line of commands."""
    return Batch([command for each in joined for command in each.commands],
                 [entry for each in joined for entry in each.entries], False, joined[0].rounds)


class _BatchBuilder(object):
    """Collects the entries of a batch.

    :param head: the command that announces a payload.
    :param most: how many commands a line may have.
    :param payload: True for a payload, None if the first entry decides.
    """

    def __init__(self, head, most, payload):
        self.entries = []
        self._head = head
        self._most = most
        self._payload = payload
        self._parts = []
        self._size = len(head) + 2
        # A refusal of a payload quotes a text, which must not be a key and a value in one batch.
        self._keys = set()
        self._values = set()

    def fits(self, part, payload, entry):
        """Return True if an entry may join those that are here."""
        if not self.entries:
            return True
        if payload != self._payload or self._size + len(part) + 1 > MAX_BATCH:
            return False
        if payload:
            key, value = map(check_text, entry)
            return key not in self._values and value not in self._keys
        return len(self._parts) < self._most

    def add(self, part, payload, entry):
        """Add an entry.

        :param part: the bytes that are sent for it.
        """
        self._payload = payload
        self._parts.append(part)
        self._size += len(part) + 1
        self.entries.append(entry)
        if payload:
            self._keys.add(check_text(entry[1][0]))
            self._values.add(check_text(entry[1][1]))

    def batch(self, rounds):
        """Return the batch.

        :rtype: :class:`Batch`
        """
        if self._payload:
            payload = self._head + b'\n' + b'\n'.join(self._parts) + b'\n'
            return Batch([payload], self.entries, True, rounds)
        return Batch(self._parts, self.entries, False, rounds)


class BulkChange(object):
    """What is done to which ACL or map, and the batches for it.

    :param action: ``'add'``, ``'set'`` or ``'del'``.
    :param family: ``'acl'`` or ``'map'``.
    :param ident: see :func:`haproxyadmin.protocol.words.check_identifier`.
    """

    def __init__(self, action, family, ident):
        self.action = action
        self.family = family
        self.ident = ident
        self.takes_pairs = action != 'del' and family == 'map'
        self.is_prepared = isinstance(ident, Prepared)
        self._rounds = None if self.is_prepared else 0

    def entries(self, chunk):
        """Return the items of a chunk as tuples of texts.

        :param chunk: list of ``(index, item)``.
        :raises ValueError: for an item that is not a pair where one is needed.
        """
        if not self.takes_pairs:
            return [(index, (item,)) for index, item in chunk]
        items = [item for _, item in chunk]
        if set(map(type, items)) == set([tuple]) and set(map(len, items)) == set([2]):
            return chunk
        for index, item in chunk:
            if not isinstance(item, (tuple, list)) or len(item) != 2:
                raise ValueError('entry {0}: expected a pair of key and value, got {1!r}'.format(
                    index, item))
        return [(index, tuple(item)) for index, item in chunk]

    def batches(self, version, entries, rounds=None):
        """Divide entries into batches of at most ``MAX_BATCH`` bytes; a longer entry goes alone.

        Unless entries are added, each is a batch of its own; how many are sent together depends on
        how long they take.

        :param entries: list of ``(index, entry)``.
        :param rounds: (optional) see :class:`Batch`.
        :rtype: list of :class:`Batch`
        :raises ValueError: for an entry that HAProxy cannot accept.
        """
        rounds = self._rounds if rounds is None else rounds
        if self.action != 'add':
            return [Batch([self._part(version, index, entry)[0]], [(index, entry)], False, rounds)
                    for index, entry in entries]
        if entries and self.takes_pairs:
            payloads = self._payloads(version, entries)
            if payloads is not None:
                return payloads
        head = self.head(version)
        any_number = versions.has(version, versions.ANY_NUMBER_OF_WORDS)
        most = MAX_BATCH if any_number else MAX_COMMANDS
        batches = []
        builder = _BatchBuilder(head, most, None)
        for index, entry in entries:
            part, payload = self._part(version, index, entry)
            if not builder.fits(part, payload, entry):
                batches.append(builder.batch(rounds))
                builder = _BatchBuilder(head, most, payload)
            builder.add(part, payload, (index, entry))
        if builder.entries:
            batches.append(builder.batch(rounds))
        return batches

    def _payloads(self, version, entries):
        """Return batches of ordinary entries, None if one of them needs a closer look.

        Most entries are ordinary, and looking at each would take longer than HAProxy takes.
        """
        keys, values = zip(*[entry for _, entry in entries])
        lines = commands.payload(keys, values, version)
        if lines is None or not set(keys).isdisjoint(values):
            return None
        head = self.head(version)
        batches, start, first = [], 0, 0
        # There are also the newlines after the head and after the lines, and an empty line.
        room = MAX_BATCH - len(head) - 3
        while start < len(lines):
            end = len(lines)
            if end - start > room:
                end = lines.rfind(b'\n', start, start + room + 1)
            if end < start:
                return None
            number = lines.count(b'\n', start, end) + 1
            batches.append(Batch([head + b'\n' + lines[start:end] + b'\n'],
                                 entries[first:first + number], True, self._rounds))
            start, first = end + 1, first + number
        return batches

    def _part(self, version, index, entry):
        """Return the bytes for an entry in a batch, and True if they go into a payload."""
        try:
            if self.takes_pairs:
                key, value = check_text(entry[0]), check_text(entry[1])
                if self.action == 'add' and commands.takes_payload(version, key, value):
                    if len(key) + len(value) > MAX_BATCH:
                        # What is too long for a command is too long for a payload.
                        join_words(self.head(version), key, value)
                    return key + b' ' + value, True
            return commands.patterns(self.action, self.family, self.ident, version, *entry), False
        except ValueError as error:
            raise same_error(error, 'entry {0}: {1}'.format(index, error))

    def reference_batch(self, version, index, entry):
        """Return the batch that deletes the entry of a reference, or sets its value.

        :param entry: a tuple of the reference as the caller passed it, and perhaps the value.
        """
        command = commands.by_reference(self.action, self.family, self.ident, version,
                                        parse_reference(entry[0]), *entry[1:])
        return Batch([command], [(index, entry)], False, None)

    def head(self, version):
        """Return the line that announces a payload.

        :raises ValueError: for what is not an id.
        """
        return commands.patterns(self.action, self.family, self.ident, version) + b' <<'


def same_error(error, message):
    """Return an error with another message that still says whether the version is the reason."""
    kind = versions.NotForVersion if isinstance(error, versions.NotForVersion) else ValueError
    return kind(message)
