# SPDX-License-Identifier: Apache-2.0
"""Many changes of an ACL or MAP at once: a stream of entries, in batches.

A batch is one exchange. Where HAProxy can take it, it is a payload, which is stored up to the first
entry that HAProxy refuses; else it is a line of commands, each of which is answered for itself.
"""
import collections
import functools
import itertools

import six

from haproxyadmin.exceptions import EntriesFailed, HAProxyBaseError
from haproxyadmin.internal import facade, patterns
from haproxyadmin.internal.facade import Ask
from haproxyadmin.protocol import commands, replies

# Command and payload of 16384 bytes kill several versions; more than this gains nothing.
MAX_BATCH = 4096
# Entries read from the caller's iterable before they are sent.
CHUNK = 2048
# Deleting searches the whole ACL or MAP before 3.0, and HAProxy is silent meanwhile; and up to 1.7
# a line of more than 64 words may crash it.
MAX_COMMANDS = 12

Failure = collections.namedtuple('Failure', 'index entry process_nb socket_file message')


class _Batch(object):
    """Entries that go to HAProxy in one exchange.

    :param command: what is sent.
    :param entries: list of ``(index, entry)``, the entry as a tuple of texts.
    :param payload: True where the entries are a payload.
    :param again: how often they were deleted; they are until nothing is left.
    """

    __slots__ = ('command', 'entries', 'payload', 'again')

    def __init__(self, command, entries, payload, again):
        self.command = command
        self.entries = entries
        self.payload = payload
        self.again = again


class _Draft(object):
    """A batch in the making.

    :param head: the command that announces a payload.
    :param most: how many commands a line may hold.
    :param payload: True for a payload, None where the first entry decides.
    """

    def __init__(self, head, most, payload):
        self.entries = []
        self._head = head
        self._most = most
        self._payload = payload
        self._parts = []
        self._size = len(head) + 2
        # A refused payload is known by the text that HAProxy quotes, so none is key and value.
        self._keys = set()
        self._values = set()

    def fits(self, part, payload, entry):
        """Return True if an entry may join those that are here."""
        if not self.entries:
            return True
        if payload != self._payload or self._size + len(part) + 1 > MAX_BATCH:
            return False
        if payload:
            key, value = map(commands.plain, entry)
            return key not in self._values and value not in self._keys
        return len(self._parts) < self._most

    def add(self, part, payload, entry):
        """Add an entry, of which ``part`` is the bytes that are sent."""
        self._payload = payload
        self._parts.append(part)
        self._size += len(part) + 1
        self.entries.append(entry)
        if payload:
            self._keys.add(commands.plain(entry[1][0]))
            self._values.add(commands.plain(entry[1][1]))

    def batch(self, again):
        """Return what is here as a batch."""
        if self._payload:
            command = self._head + b'\n' + b'\n'.join(self._parts) + b'\n'
        else:
            command = b';'.join(self._parts)
        return _Batch(command, self.entries, self._payload, again)


class _Change(object):
    """What is done to which ACL or MAP, and how a batch of it looks.

    :param action: ``'add'`` or ``'del'``.
    :param family: ``'acl'`` or ``'map'``.
    :param ident: id or file.
    """

    def __init__(self, action, family, ident):
        self.action = action
        self.family = family
        self.ident = ident
        self.takes_pairs = (action, family) == ('add', 'map')

    def entries(self, chunk):
        """Return the items of a chunk as tuples of texts.

        :param chunk: list of ``(index, item)``.
        :raises ValueError: for an item that is no pair where one is needed.
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

    def batches(self, version, entries, again=0):
        """Put entries into batches of at most ``MAX_BATCH`` bytes; a longer entry goes alone.

        :param entries: list of ``(index, entry)``.
        :rtype: list of :class:`_Batch`
        :raises ValueError: for an entry that HAProxy cannot take.
        """
        if entries and self.takes_pairs:
            payloads = self._payloads(version, entries)
            if payloads is not None:
                return payloads
        head = self.head(version)
        few = self.action == 'del' or version < commands.ANY_WORDS_SINCE
        most = MAX_COMMANDS if few else MAX_BATCH
        batches = []
        draft = _Draft(head, most, None)
        for index, entry in entries:
            part, payload = self._part(version, index, entry)
            if not draft.fits(part, payload, entry):
                batches.append(draft.batch(again))
                draft = _Draft(head, most, payload)
            draft.add(part, payload, (index, entry))
        if draft.entries:
            batches.append(draft.batch(again))
        return batches

    def _payloads(self, version, entries):
        """Return batches of entries that have nothing special, None where one has.

        Most do not, and to look at each for itself would take longer than HAProxy does.
        """
        keys, values = zip(*[entry for _, entry in entries])
        lines = commands.payload(keys, values, version)
        if lines is None or not set(keys).isdisjoint(values):
            return None
        head = self.head(version)
        batches, start, first = [], 0, 0
        # Besides the lines go the newlines after the head and after them, and an empty line.
        room = MAX_BATCH - len(head) - 3
        while start < len(lines):
            end = len(lines)
            if end - start > room:
                end = lines.rfind(b'\n', start, start + room + 1)
            if end < start:
                return None
            number = lines.count(b'\n', start, end) + 1
            batches.append(_Batch(head + b'\n' + lines[start:end] + b'\n',
                                  entries[first:first + number], True, 0))
            start, first = end + 1, first + number
        return batches

    def _part(self, version, index, entry):
        """Return what stands for an entry in a batch, and if that is a payload."""
        try:
            if self.takes_pairs:
                key, value = commands.plain(entry[0]), commands.plain(entry[1])
                if commands.takes_payload(version, key, value):
                    if len(key) + len(value) > MAX_BATCH:
                        # Too long for a command is too long for a payload.
                        commands.line(self.head(version), key, value)
                    return key + b' ' + value, True
            return commands.patterns(self.action, self.family, self.ident, version, *entry), False
        except ValueError as error:
            raise _same_error(error, 'entry {0}: {1}'.format(index, error))

    def head(self, version):
        """Return the line that announces a payload.

        :raises ValueError: for an id that is none.
        """
        return commands.patterns(self.action, self.family, self.ident, version) + b' <<'


class _Course(object):
    """How far one process has come with a change.

    :param version: its version, or the error of asking for it.
    """

    def __init__(self, process, version, change):
        self.process = process
        self._lost = version if isinstance(version, HAProxyBaseError) else None
        self.version = tuple(process.version) if self._lost else version
        self.accepted = 0
        self.failures = []
        self.error = None
        self.refused = False
        self._change = change
        self._batches = collections.deque()

    def is_over(self):
        """Return True if nothing more is to be sent to the process."""
        return self.refused or self.error is not None

    def plan(self, batches):
        """Set what is sent next."""
        self._batches = collections.deque(batches)

    def ask(self):
        """Return what sends the next batch and all after it, None where there is none."""
        if self.is_over() or not self._batches:
            return None
        if self._lost:
            return self._lost
        batch = self._batches[0]
        judge = self._payload_answered if batch.payload else self._commands_answered
        ask = Ask(self.process, batch.command, functools.partial(judge, batch), reads=False,
                  parse=commands.native)
        ask.rebuild = self._plan_anew
        return ask

    def _plan_anew(self):
        """Return what sends the batches that are left, to a version that may be another."""
        self.version = tuple(self.process.version)
        batches = [self._change.batches(self.version, batch.entries, batch.again)
                   for batch in self._batches]
        self.plan(itertools.chain.from_iterable(batches))
        return self.ask()

    def end(self, outcome):
        """Take down the error that ended the exchange, if any; what it did is not known."""
        if not isinstance(outcome, HAProxyBaseError):
            return
        self.error = outcome
        # Any other error than a socket's is of a version that cannot take the batch.
        fate = 'it was not sent' if self._lost or getattr(outcome, 'undelivered', True) else (
            'it is not known if it took effect')
        self._all_failed(self._batches[0], '{0}; {1}'.format(outcome, fate))

    def result(self):
        """Return the account of this process in words."""
        end = ', later ones were not sent' if self.is_over() else ''
        return '{0} entries accepted, {1} not{2}'.format(self.accepted, len(self.failures), end)

    def _commands_answered(self, batch, text):
        kept = []
        replies.check_rounds(batch.again)
        answers = replies.outputs(text, len(batch.entries))
        for (index, entry), answer in zip(batch.entries, answers):
            if replies.changed(answer):
                kept.append((index, entry))
            elif not (batch.again and replies.is_unknown_key(answer)):
                self.failed(index, entry, answer)
        self._batches.popleft()
        if not batch.again:
            self.accepted += len(kept)
        if kept and commands.is_repeated(self._change.action, self.version):
            self._batches.extendleft(reversed(self._change.batches(
                self.version, kept, again=batch.again + 1)))
        return self.ask()

    def _payload_answered(self, batch, text):
        answer = text.strip('\n')
        self._batches.popleft()
        if replies.changed(answer):
            self.accepted += len(batch.entries)
            return self.ask()
        position = _culprit(batch.entries, answer)
        if position is None:
            self._all_failed(batch, '{0}; it is not known which of {1} entries is meant, nor if '
                             'this one is stored'.format(answer, len(batch.entries)))
            return self.ask()
        self.accepted += position
        self.failed(batch.entries[position][0], batch.entries[position][1], answer)
        rest = batch.entries[position + 1:]
        self._batches.extendleft(reversed(self._change.batches(self.version, rest)))
        return self.ask()

    def _all_failed(self, batch, message):
        for index, entry in batch.entries:
            self.failed(index, entry, message)

    def failed(self, index, entry, message):
        """Take down an entry that was refused."""
        self.refused = self.refused or replies.refuses_all(message)
        self.failures.append(Failure(index, entry if len(entry) > 1 else entry[0],
                                     self.process.process_nb, self.process.socket_file, message))


def _culprit(entries, message):
    """Return the place of the entry that a refused payload ended at.

    HAProxy stores a payload up to the entry that it names::

        'notanip' is not a valid IPv4 or IPv6 address.

    A message about the MAP or the caller is about the first. None where no entry is named.
    """
    named = ''
    place = 0 if len(entries) == 1 or replies.refuses_all(message) else None
    for position, (_, entry) in enumerate(entries):
        for text in entry:
            text = commands.native(commands.plain(text))
            if len(text) > len(named) and replies.quotes(message, text):
                named, place = text, position
    return place


def _iterate(items, pairs):
    """Return an iterator over many entries; of a dictionary over its keys, or over pairs."""
    if isinstance(items, (six.text_type, bytes)):
        raise ValueError('expected many entries, got the text {0!r}'.format(items))
    try:
        return iter(items.items() if pairs and hasattr(items, 'items') else items)
    except TypeError:
        raise ValueError('expected many entries, got {0!r}'.format(items))


def change(processes, action, family, ident, items):
    """Do the same to many entries in all processes.

    :param items: iterable of texts, or of pairs where keys are added to a MAP, or a dict; read as
        it is sent.
    :return: True when every process took every entry.
    :rtype: bool
    :raises ValueError: for an entry that HAProxy cannot take; the message tells which, and how many
        were sent before it was read.
    :raises haproxyadmin.exceptions.EntriesFailed: when a process refused some.
    :raises haproxyadmin.exceptions.HAProxySocketError: when a process could not be talked to.
    """
    todo = _Change(action, family, ident)
    numbered = enumerate(_iterate(items, todo.takes_pairs))
    chunk = list(itertools.islice(numbered, CHUNK))

    def checked_version(process):
        # What no version can take is refused before anything is sent; so is, without an entry, an
        # id that is none.
        todo.head(process.version)
        _plan(todo, process.version, chunk)
        return tuple(process.version)
    processes, versions = facade.prepare(processes, checked_version)
    courses = [_Course(process, version, todo)
               for process, version in zip(processes, versions)]
    try:
        while chunk and not all(course.is_over() for course in courses):
            _run(todo, courses, chunk)
            chunk = list(itertools.islice(numbered, CHUNK))
    except Exception as error:
        if any(course.failures or course.accepted for course in courses):
            _give_account(error, courses)
        raise
    return _verdict(courses)


def _run(todo, courses, chunk):
    plans = dict((version, _plan(todo, version, chunk))
                 for version in set(course.version for course in courses))
    for course in courses:
        batches, references = plans[course.version]
        course.plan(batches)
    outcomes = facade.gather([course.ask() for course in courses])
    for course, outcome in zip(courses, outcomes):
        course.end(outcome)
    for index, entry in references:
        _delete_reference(todo, courses, index, entry)


def _plan(todo, version, chunk):
    """Return the batches of a chunk for a version, and its entries that are references."""
    try:
        keys, references = _sorted_out(todo, chunk)
        return todo.batches(version, keys), references
    except ValueError as error:
        raise _same_error(error, '{0}; {1} entries were sent before'.format(error, chunk[0][0]))


def _same_error(error, message):
    """Return an error with another message that says as much of the version."""
    kind = commands.NotForVersion if isinstance(error, commands.NotForVersion) else ValueError
    return kind(message)


def _sorted_out(todo, chunk):
    """Return the entries of a chunk that are keys, and those that are references."""
    if todo.action != 'del':
        return todo.entries(chunk), []
    keys, references = [], []
    for index, entry in todo.entries(chunk):
        try:
            reference = commands.reference(entry[0])
        except ValueError as error:
            raise ValueError('entry {0}: {1}'.format(index, error))
        (references if reference else keys).append((index, entry))
    return keys, references


def _delete_reference(todo, courses, index, entry):
    over = [course for course in courses if course.is_over()]
    if over:
        message = 'it was not sent: what a reference stands for has to be known of {0}, too'.format(
            over[0].process.socket_file)
        for course in courses:
            if not course.is_over():
                course.failed(index, entry, message)
        return
    try:
        patterns.change_by_reference([course.process for course in courses], todo.action,
                                     todo.family, todo.ident, *entry)
    except HAProxyBaseError as error:
        answers = dict(error.by_socket)
        for course in courses:
            path = course.process.socket_file
            if replies.changed(answers.get(path)):
                course.accepted += 1
                continue
            if path == getattr(error, 'socket_file', None):
                course.error = error
            course.failed(index, entry, answers.get(path, str(error)))
    else:
        for course in courses:
            course.accepted += 1


def _verdict(courses):
    failures = _failures(courses)
    if not failures:
        return True
    errors = [course.error for course in courses if course.error is not None]
    error = errors[0] if errors else EntriesFailed(failures)
    _give_account(error, courses)
    raise error


def _failures(courses):
    return sorted(itertools.chain.from_iterable(course.failures for course in courses),
                  key=lambda failure: failure.index)


def _give_account(error, courses):
    """Let an exception tell what each process took; it may be any that an iterable raises."""
    error.failures = _failures(courses)
    error.results, error.by_socket = facade.account(
        [(course.process, course.result()) for course in courses])
