# SPDX-License-Identifier: Apache-2.0
"""Many changes of an ACL or MAP at once: a stream of entries, in batches.

A batch is one exchange. Where HAProxy can take it, it is a payload, which is stored up to the first
entry that HAProxy refuses; else it is a line of commands, each of which is answered for itself.
"""
import collections
import functools
import itertools
import logging

import six

from haproxyadmin.exceptions import (CommandFailed, EntriesFailed, HAProxyBaseError,
                                     HAProxySocketError)
from haproxyadmin.internal import facade, patterns
from haproxyadmin.internal.facade import Ask, AskVersion, Once
from haproxyadmin.protocol import commands, replies, transport

LOG = logging.getLogger('haproxyadmin')
# Command and payload of 16384 bytes kill several versions; more than this gains nothing.
MAX_BATCH = 4096
# Entries read from the caller's iterable before they are sent.
CHUNK = 2048
# Up to 1.7 a line of more than 64 words may crash HAProxy.
MAX_COMMANDS = 12
# HAProxy runs a line of deletions in one go and serves nobody meanwhile, and its watchdog kills it
# after two seconds. A line that takes less than this, in seconds, may be followed by one twice as
# long.
SHORT_RUN = 0.05

_now = transport.now

Failure = collections.namedtuple('Failure', 'index entry process_nb socket_file message')


class _Batch(object):
    """Entries that go to HAProxy in one exchange.

    :param commands: what is sent, for each entry its command; of a payload, that alone.
    :param entries: list of ``(index, entry)``, the entry as a tuple of texts.
    :param payload: True where the entries are a payload.
    :param again: how often they were deleted: they are until nothing is left, but for references,
        where it is None.
    """

    __slots__ = ('commands', 'entries', 'payload', 'again')

    def __init__(self, commands, entries, payload, again):
        self.commands = commands
        self.entries = entries
        self.payload = payload
        self.again = again

    @property
    def command(self):
        """What is sent, as one line or payload."""
        return b';'.join(self.commands)

    def command_of(self, place):
        """Return the command for the entry at a place."""
        return self.commands[0 if self.payload else place]


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
            payload = self._head + b'\n' + b'\n'.join(self._parts) + b'\n'
            return _Batch([payload], self.entries, True, again)
        return _Batch(self._parts, self.entries, False, again)


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

        Each deletion is a batch of its own; how many go together turns out as they are sent.

        :param entries: list of ``(index, entry)``.
        :rtype: list of :class:`_Batch`
        :raises ValueError: for an entry that HAProxy cannot take.
        """
        if self.action == 'del':
            return [_Batch([self._part(version, index, entry)[0]], [(index, entry)], False, again)
                    for index, entry in entries]
        if entries and self.takes_pairs:
            payloads = self._payloads(version, entries)
            if payloads is not None:
                return payloads
        head = self.head(version)
        most = MAX_BATCH if version >= commands.ANY_WORDS_SINCE else MAX_COMMANDS
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
            batches.append(_Batch([head + b'\n' + lines[start:end] + b'\n'],
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

    def reference_batch(self, version, index, entry):
        """Return the batch that deletes the entry that a reference points to.

        :param entry: a tuple of the reference as the caller passed it.
        """
        command = commands.by_reference(self.action, self.family, self.ident, version,
                                        commands.reference(entry[0]))
        return _Batch([command], [(index, entry)], False, None)

    def head(self, version):
        """Return the line that announces a payload.

        :raises ValueError: for an id that is none.
        """
        return commands.patterns(self.action, self.family, self.ident, version) + b' <<'


class _Pace(object):
    """How many deletions go on one line.

    :param most: how many HAProxy may be given at all.
    """

    def __init__(self, most):
        self.count = 1
        self._most = most

    def note(self, count, seconds):
        """Adapt to the time that a line of so many deletions has taken."""
        if seconds < SHORT_RUN:
            self.count = min(self._most, max(self.count, 2 * count))
        else:
            self.count = max(1, count // 2)


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
        # The index of the first entry that was refused, and the command.
        self.first = None
        self._change = change
        self._batches = collections.deque()
        self._sent = None
        # True while the version is asked for, before the batch is sent.
        self._asking = False
        # Who answered when references were looked up.
        self.listed_while = None
        self._pace = None

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
        if self._lost or self.process.has_old_version():
            self._sent = self._batches[0]
            self._asking = True
            return self._lost or AskVersion(self.process, self._plan_anew)
        self._asking = False
        batch = self._sent = self._next()
        judge = self._payload_answered if batch.payload else functools.partial(
            self._commands_answered, _now())
        kind = Once if batch.again is None else Ask
        ask = kind(self.process, batch.command, functools.partial(judge, batch), reads=False,
                   parse=commands.native)
        ask.rebuild = self._plan_anew
        return ask

    def _plan_anew(self):
        """Return what sends the batches that are left, to a version that may be another."""
        left = ([] if self._asking else [self._sent]) + list(self._batches)
        version = tuple(self.process.version)
        if version != self.version:
            self.version, self._pace = version, None
        anew = []
        for batch in left:
            if batch.again is not None:
                anew.extend(self._change.batches(version, batch.entries, batch.again))
            elif self.process.identity is self.listed_while:
                anew.append(batch)
            else:
                self.all_failed(batch.entries, 'it was not sent: by now another process answers, '
                                'for which the reference stands for something else')
        self.plan(anew)
        return self.ask()

    def _next(self):
        """Return the next batch; of deletions, as many as HAProxy runs in a moment."""
        batch = self._batches.popleft()
        if self._change.action != 'del':
            return batch
        if self._pace is None:
            quick = self.version >= commands.DELETES_QUICKLY_SINCE
            self._pace = _Pace(MAX_COMMANDS if quick else 1)
        batches, size = [batch], len(batch.command)
        while self._batches and len(batches) < self._pace.count and (
                self._batches[0].again == batch.again):
            size += 1 + len(self._batches[0].command)
            if size > MAX_BATCH:
                break
            batches.append(self._batches.popleft())
        return _Batch([command for each in batches for command in each.commands],
                      [entry for each in batches for entry in each.entries], False, batch.again)

    def end(self, outcome):
        """Take down the error that ended the exchange, if any; what it did is not known."""
        if not isinstance(outcome, HAProxyBaseError):
            return
        self.error = outcome
        # Any other error than a socket's is of a version that cannot take the batch.
        fate = 'it was not sent' if self._asking or getattr(outcome, 'undelivered', True) else (
            'it is not known if it took effect')
        self.all_failed(self._sent.entries, '{0}; {1}'.format(outcome, fate))

    def result(self):
        """Return the account of this process in words."""
        end = ', later ones were not sent' if self.is_over() else ''
        return '{0} entries accepted, {1} not{2}'.format(self.accepted, len(self.failures), end)

    def _commands_answered(self, start, batch, text):
        kept = []
        replies.check_rounds(batch.again or 0)
        answers = replies.outputs(text, len(batch.entries))
        if self._pace is not None:
            self._pace.note(len(batch.entries), _now() - start)
        for place, answer in enumerate(answers):
            index, entry = batch.entries[place]
            if replies.changed(answer):
                kept.append((index, entry))
            elif not (batch.again and replies.is_unknown_key(answer)):
                self.failed(index, entry, answer, batch.command_of(place))
        if not batch.again:
            self.accepted += len(kept)
        if kept and batch.again is not None and commands.is_repeated(
                self._change.action, self.version):
            self._batches.extendleft(reversed(self._change.batches(
                self.version, kept, again=batch.again + 1)))
        return self.ask()

    def _payload_answered(self, batch, text):
        answer = text.strip('\n')
        if replies.changed(answer):
            self.accepted += len(batch.entries)
            return self.ask()
        position = _culprit(batch.entries, answer)
        if position is None:
            message = ('{0}; it is not known which of {1} entries is meant, nor if this one is '
                       'stored').format(answer, len(batch.entries))
            self.all_failed(batch.entries, message, batch.command)
            return self.ask()
        self.accepted += position
        self.failed(batch.entries[position][0], batch.entries[position][1], answer, batch.command)
        rest = batch.entries[position + 1:]
        self._batches.extendleft(reversed(self._change.batches(self.version, rest)))
        return self.ask()

    def not_listed(self, error, references):
        """Take down that references could not be looked up."""
        if isinstance(error, HAProxySocketError):
            self.error = error
        for index, entry in references:
            self.failed(index, entry, str(error), error.command)
            if self.is_over():
                break

    def all_failed(self, entries, message, command=None):
        """Take down entries that were refused, or of which it is not known."""
        for index, entry in entries:
            self.failed(index, entry, message, command)

    def failed(self, index, entry, message, command=None):
        """Take down an entry that was refused.

        :param command: (optional) what it was refused as; None where nothing was sent.
        """
        if self.first is None or index < self.first[0]:
            self.first = index, command
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
    if not hasattr(items, '__iter__') and not hasattr(items, '__getitem__'):
        raise ValueError('expected many entries, got {0!r}'.format(items))
    return iter(items.items() if pairs and hasattr(items, 'items') else items)


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
            _try_to_give_account(error, courses)
        raise
    return _verdict(courses)


def _run(todo, courses, chunk):
    plans = dict((version, _plan(todo, version, chunk))
                 for version in set(course.version for course in courses))
    # Read before anything is sent: an upgrade meanwhile changes a version.
    references = plans[courses[0].version][1]
    _send(courses, [plans[course.version][0] for course in courses])
    if references:
        _delete_references(todo, courses, references)


def _send(courses, plans):
    for course, batches in zip(courses, plans):
        course.plan(batches)
    outcomes = facade.gather([course.ask() for course in courses])
    for course, outcome in zip(courses, outcomes):
        course.end(outcome)


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


def _delete_references(todo, courses, references):
    """Delete the entries that references point to, which one listing of each process tells."""
    processes = [course.process for course in courses]
    unknown = [course for course in courses if course.is_over()]
    if not unknown:
        texts = [entry[0] for _, entry in references]
        for course in courses:
            course.listed_while = course.process.identity
        held = facade.gather([patterns.ask_held(process, todo.family, todo.ident, texts)
                              for process in processes])
        unknown = [course for course, outcome in zip(courses, held)
                   if isinstance(outcome, HAProxyBaseError)]
        for course, outcome in zip(courses, held):
            if course in unknown:
                course.not_listed(outcome, references)
    if unknown:
        message = 'it was not sent: what a reference stands for has to be known of {0}, too'.format(
            unknown[0].process.socket_file)
        for course in courses:
            if course not in unknown:
                course.all_failed(references, message)
        return
    plans = [[] for _ in courses]
    for index, entry in references:
        try:
            same = patterns.is_same_entry(processes, held, todo.family, todo.ident, entry[0])
        except CommandFailed as error:
            for course in courses:
                course.failed(index, entry, str(error))
            continue
        for course, plan in zip(courses, plans):
            plan.append(todo.reference_batch(course.version, index, entry) if same
                        else todo.batches(course.version, [(index, entry)])[0])
    _send(courses, plans)


def _verdict(courses):
    failures = _failures(courses)
    if not failures:
        return True
    errors = [course.error for course in courses if course.error is not None]
    error = errors[0] if errors else EntriesFailed(failures)
    _give_account(error, courses)
    first = min([course for course in courses if course.first],
                key=lambda course: (course.first[1] is None, course.first[0]))
    command = first.first[1]
    error.set_context(command and commands.shown_line(commands.to_bytes(command)),
                      first.process.socket_file)
    raise error


def _failures(courses):
    return sorted(itertools.chain.from_iterable(course.failures for course in courses),
                  key=lambda failure: failure.index)


def _try_to_give_account(error, courses):
    """Let an exception that the iterable raised tell what each process took, if it can."""
    try:
        _give_account(error, courses)
    except Exception as reason:  # whatever its __setattr__ raises
        LOG.debug('%s accepts no attributes: %s', error.__class__.__name__, reason)


def _give_account(error, courses):
    """Let an exception tell what each process took."""
    error.failures = _failures(courses)
    error.results, error.by_socket = facade.account(
        [(course.process, course.result()) for course in courses])
