# SPDX-License-Identifier: Apache-2.0
"""Many changes of an ACL or map at once: a stream of entries, sent in batches."""
import collections
import functools
import itertools

from haproxyadmin import imports
from haproxyadmin.combine import results_of
from haproxyadmin.exceptions import (CommandFailed, EntriesFailed, HAProxyBaseError,
                                     HAProxySocketError)
from haproxyadmin.internal import patterns
from haproxyadmin.internal.batches import (MAX_BATCH, MAX_COMMANDS, BulkChange, join_batches,
                                           same_error)
from haproxyadmin.internal.calls import members_to_change, prepare
from haproxyadmin.internal.fanout import OneTimeOperation, Operation, VersionCheck, run_all
from haproxyadmin.parsers.values import TEXT
from haproxyadmin.protocol import commands, replies, versions
from haproxyadmin.protocol.transport import now
from haproxyadmin.protocol.words import check_text, parse_reference, to_bytes, to_native

# Entries read from the caller's iterable before they are sent.
CHUNK = 2048
# HAProxy runs a line of deletions in one go and serves nobody meanwhile; after two seconds its
# watchdog kills it. A line that takes less than this, in seconds, may be followed by one twice as
# long.
SHORT_RUN = 0.05

Failure = collections.namedtuple('Failure', 'index entry process_nb socket_file message')


class _Pace(object):
    """How many deletions are sent on one line.

    :param most: the most that HAProxy may be given.
    """

    def __init__(self, most):
        self.count = 1
        self._most = most

    def note(self, count, seconds):
        """Adapt to the time that a line with so many deletions has taken."""
        if seconds < SHORT_RUN:
            self.count = min(self._most, max(self.count, 2 * count))
        else:
            self.count = max(1, count // 2)


class ProcessProgress(object):
    """How far a change has come in one process.

    :param process: the :class:`haproxyadmin.internal._HAProxyProcess`.
    :param version: its version, or the error of asking for it.
    :param change: the :class:`haproxyadmin.internal.batches.BulkChange`.
    """

    def __init__(self, process, version, change):
        self.process = process
        self._lost = version if isinstance(version, HAProxyBaseError) else None
        self.version = process.endpoint.known_version or versions.NEWEST \
            if self._lost else version
        self.accepted = 0
        self.failures = []
        self.error = None
        self.refused = False
        # The index of the first entry that was refused, and the command.
        self.first = None
        self.change = change
        self._batches = collections.deque()
        self._sent = None
        # True while the version is asked for, before the batch is sent.
        self._asking = False
        # Who answered when references were looked up, or a version was prepared.
        self._looked_up_in = None
        self._pace = None

    def is_over(self):
        """Return True if nothing more is sent to the process."""
        return self.refused or self.error is not None

    def plan(self, batches):
        """Set what is sent next."""
        self._batches = collections.deque(batches)

    @property
    def kind(self):
        """What batches depend on: the version, and the name of the ACL or map."""
        return self.version, self.change.ident

    def note_lookup(self):
        """Remember the process for which references, or a prepared version, are meant."""
        self._looked_up_in = self.process.endpoint.identity

    def next_operation(self):
        """Return the operation that sends the next batch and all after it; None if none is left."""
        if self.is_over() or not self._batches:
            return None
        endpoint = self.process.endpoint
        if self._lost or endpoint.has_old_version():
            self._sent = self._batches[0]
            self._asking = True
            return self._lost or VersionCheck(endpoint, self._plan_again)
        self._asking = False
        batch = self._sent = self._next_batch()
        interpret = self._interpret_payload if batch.payload else functools.partial(
            self._interpret_commands, now())
        kind = OneTimeOperation if batch.rounds is None else Operation
        operation = kind(endpoint, batch.command, functools.partial(interpret, batch),
                         reads=False, parse=to_native)
        operation.rebuild = self._plan_again
        return operation

    def _plan_again(self):
        """Return the operation that sends what is left to a version that may be another one."""
        left = ([] if self._asking else [self._sent]) + list(self._batches)
        endpoint = self.process.endpoint
        if endpoint.known_version != self.version:
            self.version, self._pace = endpoint.known_version, None
        batches = []
        for batch in left:
            if batch.rounds is not None:
                batches.extend(self.change.batches(self.version, batch.entries, batch.rounds))
            elif endpoint.identity is self._looked_up_in:
                batches.append(batch)
            else:
                self.all_failed(batch.entries, 'not sent: another process has taken over')
        self.plan(batches)
        return self.next_operation()

    def _next_batch(self):
        """Return the next batch; unless entries are added, as many as HAProxy runs in a moment."""
        batch = self._batches.popleft()
        if self.change.action == 'add':
            return batch
        if self._pace is None:
            quick = versions.has(self.version, versions.QUICK_DELETION)
            self._pace = _Pace(MAX_COMMANDS if quick else 1)
        joined, size = [batch], len(batch.command)
        while self._batches and len(joined) < self._pace.count and (
                self._batches[0].rounds == batch.rounds):
            size += 1 + len(self._batches[0].command)
            if size > MAX_BATCH:
                break
            joined.append(self._batches.popleft())
        return join_batches(joined)

    def end(self, outcome):
        """Note the error that ended the exchange, if there is one; its effect is not known."""
        if not isinstance(outcome, HAProxyBaseError):
            return
        self.error = outcome
        # An error that is not a socket's says that this version cannot accept the batch.
        fate = 'not sent' if self._asking or getattr(outcome, 'undelivered', True) else (
            'it is not known whether it took effect')
        self.all_failed(self._sent.entries, '{0}; {1}'.format(outcome, fate))

    def result(self):
        """Return what happened in this process, for ``results`` of an exception."""
        end = '; later entries were not sent' if self.is_over() else ''
        return '{0} entries accepted, {1} not accepted{2}'.format(
            self.accepted, len(self.failures), end)

    def _interpret_commands(self, start, batch, text):
        kept = []
        replies.check_rounds(batch.rounds or 0)
        answers = replies.split_answers(text, len(batch.entries))
        if self._pace is not None:
            self._pace.note(len(batch.entries), now() - start)
        for place, answer in enumerate(answers):
            index, entry = batch.entries[place]
            if replies.is_success(answer):
                kept.append((index, entry))
            elif not (batch.rounds and replies.is_unknown_key(answer)):
                self.failed(index, entry, answer, batch.command_of(place))
        if not batch.rounds:
            self.accepted += len(kept)
        if kept and batch.rounds is not None and commands.is_repeated(
                self.change.action, self.version):
            self._batches.extendleft(reversed(self.change.batches(
                self.version, kept, rounds=batch.rounds + 1)))
        return self.next_operation()

    def _interpret_payload(self, batch, text):
        answer = text.strip('\n')
        if replies.is_success(answer):
            self.accepted += len(batch.entries)
            return self.next_operation()
        position = _find_culprit(batch.entries, answer)
        if position is None:
            message = ('{0}; it is not known which of {1} entries this refers to, nor '
                       'whether this one is stored').format(answer, len(batch.entries))
            self.all_failed(batch.entries, message, batch.command)
            return self.next_operation()
        self.accepted += position
        self.failed(batch.entries[position][0], batch.entries[position][1], answer, batch.command)
        rest = batch.entries[position + 1:]
        self._batches.extendleft(reversed(self.change.batches(self.version, rest)))
        return self.next_operation()

    def not_looked_up(self, error, references):
        """Note that references could not be looked up."""
        if isinstance(error, HAProxySocketError):
            self.error = error
        for index, entry in references:
            self.failed(index, entry, str(error), error.command)
            if self.is_over():
                break

    def all_failed(self, entries, message, command=None):
        """Note entries that were refused, or whose fate is not known."""
        for index, entry in entries:
            self.failed(index, entry, message, command)

    def failed(self, index, entry, message, command=None):
        """Note an entry that was refused.

        :param command: (optional) the command that was refused; None if nothing was sent.
        """
        if self.first is None or index < self.first[0]:
            self.first = index, command
        self.refused = self.refused or replies.refuses_all(message)
        self.failures.append(Failure(index, entry if len(entry) > 1 else entry[0],
                                     self.process.process_nb, self.process.socket_file, message))


def _find_culprit(entries, message):
    """Return the place of the entry at which HAProxy stopped storing a payload.

    HAProxy stores a payload up to the entry that it names::

        'notanip' is not a valid IPv4 or IPv6 address.

    A message about the map or the caller is about the first entry. None if no entry is named.
    """
    named = ''
    place = 0 if len(entries) == 1 or replies.refuses_all(message) else None
    for position, (_, entry) in enumerate(entries):
        for text in entry:
            text = to_native(check_text(text))
            if len(text) > len(named) and replies.quotes(message, text):
                named, place = text, position
    return place


def change(processes, action, family, ident, items):
    """Make the same change with many entries in all processes.

    :param items: iterable of texts; of pairs, or a dict, if entries are added to a map. It is read
        as the entries are sent.
    :return: True if every process accepted every entry.
    :rtype: bool
    :raises ValueError: for an entry that HAProxy cannot accept; the message says which one, and how
        many were sent before it was read.
    :raises haproxyadmin.exceptions.EntriesFailed: if a process refused some.
    :raises haproxyadmin.exceptions.HAProxySocketError: if a process could not be reached.
    """
    bulk = BulkChange(action, family, ident)
    numbered = enumerate(iterate(items, bulk.takes_pairs))
    chunk = list(itertools.islice(numbered, CHUNK))

    def check(process):
        # What no version accepts is refused before anything is sent; without any entry, so is what
        # is not an id.
        bulk.head(process.version)
        _plan(bulk, process.version, chunk, [process.endpoint.address])
        return tuple(process.version)
    processes, process_versions = prepare(members_to_change(processes), check)
    progresses = [ProcessProgress(process, version, bulk)
                  for process, version in zip(processes, process_versions)]
    try:
        while chunk and not all(progress.is_over() for progress in progresses):
            run_chunk(progresses, chunk)
            chunk = list(itertools.islice(numbered, CHUNK))
    except Exception as error:
        if any(progress.failures or progress.accepted for progress in progresses):
            _try_to_set_results(error, progresses)
        raise
    return check_progresses(progresses)


def iterate(items, pairs):
    """Return an iterator over many entries; of a dictionary, over its keys, or over pairs.

    :raises ValueError: for what is not iterable, and for a single text.
    """
    if isinstance(items, TEXT):
        raise ValueError('expected many entries, got the text {0!r}'.format(items))
    if not hasattr(items, '__iter__') and not hasattr(items, '__getitem__'):
        raise ValueError('expected many entries, got {0!r}'.format(items))
    return iter(items.items() if pairs and hasattr(items, 'items') else items)


def run_chunk(progresses, chunk, repeat=True):
    """Change some entries in all processes.

    :param progresses: that of each process.
    :type progresses: list of :class:`ProcessProgress`
    :param chunk: list of ``(index, entry)``.
    :param repeat: (optional) False to try each exchange only once.
    """
    groups = collections.defaultdict(list)
    for progress in progresses:
        groups[progress.kind].append(progress)
    plans = dict((kind, _plan(group[0].change, group[0].version, chunk, [
        progress.process.endpoint.address for progress in group]))
        for kind, group in groups.items())
    # Looked up before anything is sent: an upgrade meanwhile changes a version.
    references = plans[progresses[0].kind][1]
    _send(progresses, [plans[progress.kind][0] for progress in progresses], repeat)
    if references:
        _delete_references(progresses[0].change, progresses, references)


def _send(progresses, plans, repeat=True):
    for progress, batches in zip(progresses, plans):
        progress.plan(batches)
    outcomes = run_all([progress.next_operation() for progress in progresses], repeat=repeat)
    for progress, outcome in zip(progresses, outcomes):
        progress.end(outcome)


def _plan(bulk, version, chunk, addresses):
    """Return the batches of a chunk for a version, and its entries that are references.

    :param addresses: where they go.
    """
    try:
        keys, references = _separate_references(bulk, chunk)
        batches = bulk.batches(version, keys)
        for address in addresses:
            if address.prefix:
                check_lengths(address, batches)
        return batches, references
    except ValueError as error:
        if bulk.is_prepared:
            raise  # what was sent before is not used
        raise same_error(error, '{0}; {1} entries were sent before'.format(error, chunk[0][0]))


def check_lengths(address, batches):
    """Check that no batch is too long for the way that it takes; only one entry alone can be.

    :param address: where they go.
    :raises ValueError: for one that is; the message says which entry.
    """
    for batch in batches:
        try:
            address.check_length(batch.command)
        except ValueError as error:
            raise ValueError('entry {0}: {1}'.format(batch.entries[0][0], error))


def _separate_references(bulk, chunk):
    """Return the entries of a chunk that are keys, and those that are references."""
    if bulk.action != 'del':
        return bulk.entries(chunk), []
    keys, references = [], []
    for index, entry in bulk.entries(chunk):
        try:
            reference = parse_reference(entry[0])
        except ValueError as error:
            raise ValueError('entry {0}: {1}'.format(index, error))
        (references if reference else keys).append((index, entry))
    return keys, references


def _delete_references(bulk, progresses, references):
    """Delete the entries of references, which are looked up with one listing of each process."""
    processes = [progress.process for progress in progresses]
    unknown = [progress for progress in progresses if progress.is_over()]
    if not unknown:
        texts = [entry[0] for _, entry in references]
        for progress in progresses:
            progress.note_lookup()
        found = run_all([patterns.references_operation(process, bulk.family, bulk.ident, texts)
                         for process in processes])
        for progress, outcome in zip(progresses, found):
            if isinstance(outcome, HAProxyBaseError):
                unknown.append(progress)
                progress.not_looked_up(outcome, references)
    if unknown:
        message = 'not sent: the reference could not be looked up on {0}'.format(
            unknown[0].process.socket_file)
        for progress in progresses:
            if progress not in unknown:
                progress.all_failed(references, message)
        return
    plans = [[] for _ in progresses]
    for index, entry in references:
        try:
            same = patterns.is_same_entry(processes, found, bulk.family, bulk.ident, entry[0])
        except CommandFailed as error:
            for progress in progresses:
                progress.failed(index, entry, str(error))
            continue
        for progress, plan in zip(progresses, plans):
            plan.append(bulk.reference_batch(progress.version, index, entry) if same
                        else bulk.batches(progress.version, [(index, entry)])[0])
    _send(progresses, plans)


def check_progresses(progresses):
    """Return True if every process accepted every entry, otherwise raise the exception."""
    failures = failures_of(progresses)
    if not failures:
        return True
    errors = [progress.error for progress in progresses if progress.error is not None]
    error = errors[0] if errors else EntriesFailed(failures)
    _set_results(error, progresses)
    first = min([progress for progress in progresses if progress.first],
                key=lambda progress: (progress.first[1] is None, progress.first[0]))
    command = first.first[1]
    error.set_context(command and commands.describe_line(to_bytes(command)),
                      first.process.socket_file)
    raise error


def failures_of(progresses):
    """Return what all processes have refused, by index."""
    return sorted(itertools.chain.from_iterable(progress.failures for progress in progresses),
                  key=lambda failure: failure.index)


def _try_to_set_results(error, progresses):
    """Put the results into an exception that the iterable raised, if that accepts attributes."""
    try:
        _set_results(error, progresses)
    except Exception as reason:  # whatever its __setattr__ raises
        logger = imports.logger()
        if logger is not None:
            logger.debug('%s accepts no attributes: %s', error.__class__.__name__, reason)


def _set_results(error, progresses):
    """Put into an exception what each process accepted."""
    error.failures = failures_of(progresses)
    error.results, error.by_socket = results_of(
        (progress.process.process_nb, progress.process.socket_file, progress.result())
        for progress in progresses)
