# SPDX-License-Identifier: Apache-2.0
"""What an ACL or map is to contain, and what has to be done for that in each process."""
import collections

from haproxyadmin.exceptions import HAProxyBaseError
from haproxyadmin.internal import patterns
from haproxyadmin.internal.batches import BulkChange
from haproxyadmin.internal.bulk import ProcessProgress, check_lengths, iterate
from haproxyadmin.internal.calls import members_to_change, prepare, refused_on
from haproxyadmin.internal.fanout import raise_first_error, run_all
from haproxyadmin.internal.grouping import renew
from haproxyadmin.internal.transaction import REPLACED, change_all_or_none
from haproxyadmin.protocol import replies, versions
from haproxyadmin.protocol.words import MAX_LINE, check_text, parse_network, to_native

# A character has at most four bytes.
_SURELY_SHORT = MAX_LINE // 4

# A change of the entries that have a key. before: (place in the listing, value) of each. after: the
# values to be. entries: what is sent to add each of these, a pattern or a key and a value.
KeyChange = collections.namedtuple('KeyChange', 'key before after entries')


class Delta(collections.namedtuple('Delta', 'added changed removed')):
    """The difference between two contents of an ACL or map; true if there is one.

    ``added`` and ``removed`` list patterns, or pairs of key and value; ``changed`` lists ``(key,
    value before, value after)`` of a map.
    """

    __slots__ = ()

    def __bool__(self):
        return any(self)

    __nonzero__ = __bool__


def check_entries(family, entries):
    """Return the keys and the values of many entries; for an ACL, the patterns and None.

    :param family: ``'acl'`` or ``'map'``.
    :param entries: iterable of patterns, or of pairs of key and value; or a dictionary.
    :return: two lists of ``str``; the values None for an ACL.
    :rtype: tuple
    :raises ValueError: for what no version of HAProxy accepts.
    """
    if family == 'map' and type(entries) is dict:
        return _check_texts(list(entries), 'key'), _check_texts(list(entries.values()), 'value')
    items = list(iterate(entries, family == 'map'))
    if family == 'acl':
        return _check_texts(items, 'pattern'), None
    if set(map(type, items)) | set([tuple]) != set([tuple]) or set(map(len, items)) - set([2]):
        for index, item in enumerate(items):
            if not isinstance(item, (tuple, list)) or len(item) != 2:
                raise ValueError('entry {0}: expected a pair of key and value, got {1!r}'.format(
                    index, item))
    return (_check_texts([key for key, _ in items], 'key'),
            _check_texts([value for _, value in items], 'value'))


def _check_texts(texts, what):
    """Return texts as HAProxy lists them.

    An empty value is accepted here, because a file may contain it.
    """
    if set(map(type, texts)) <= set([str]):
        joined = '\n'.join(texts)
        # Most text; looking at each takes longer than HAProxy takes.
        if joined.count('\n') <= max(0, len(texts) - 1) and not (
                '\r' in joined or '\0' in joined) and (what == 'value' or all(texts)) and (
                    max(map(len, texts or [''])) < _SURELY_SHORT):
            return texts
    checked = []
    for index, text in enumerate(texts):
        try:
            checked.append(text if what == 'value' and text == ''
                           else to_native(check_text(text)))
        except ValueError as error:
            raise ValueError('entry {0}: {1}: {2}'.format(index, what, error))
    return checked


class Goal(object):
    """What the entries of an ACL or map are to be.

    :param family: ``'acl'`` or ``'map'``.
    :param keys: the keys, or the patterns.
    :param values: the values; for an ACL, None.

    ``named`` is the set of keys that HAProxy lists in another way, because they contain a blank.
    """

    named = frozenset()

    def __init__(self, family, keys, values):
        self.family = family
        self.keys = keys
        self.values = [None] * len(keys) if values is None else values

    def changes(self, listing):
        """Return what has to be changed.

        :param listing: what is there.
        :type listing: haproxyadmin.parsers.patterns.Listing
        :rtype: list of KeyChange
        """
        return self._changes_of(self._touched(listing), listing)

    def _touched(self, listing):
        """Return the keys whose entries may have to be changed."""
        raise NotImplementedError

    def _changes_of(self, touched, listing):
        """Return the changes of some keys, in the order of the goal, then in HAProxy's order."""
        if not touched:
            return []
        before, places = entries_by_key(listing, touched), collections.OrderedDict()
        for place in [place for place, key in enumerate(self.keys) if key in touched]:
            places.setdefault(self.keys[place], []).append(place)
        changes = [KeyChange(key, before.pop(key, []), [self.values[place] for place in own],
                             [self._entry(place) for place in own])
                   for key, own in places.items()]
        changes += [KeyChange(key, entries, [], []) for key, entries in before.items()]
        return [change for change in changes
                if [value for _, value in change.before] != change.after]

    def _entry(self, place):
        """Return what is sent to add an entry."""
        key = self.keys[place]
        return (key,) if self.family == 'acl' else (key, self.values[place])


class Everything(Goal):
    """All entries; what else is there is to be removed."""

    def __init__(self, family, keys, values):
        # HAProxy lists a key that contains a blank as if it ended there.
        self._with_blank = {}
        if family == 'map' and ' ' in ''.join(keys):
            self._with_blank = dict(
                (place, (key, value)) for place, (key, value) in enumerate(zip(keys, values))
                if ' ' in key)
            texts = [key + ' ' + value for key, value in zip(keys, values)]
            keys, _, values = map(list, zip(*[text.partition(' ') for text in texts]))
        super(Everything, self).__init__(family, keys, values)
        self._values = dict(zip(self.keys, self.values))
        self._repeated = set(_repeated(keys)) if len(self._values) < len(keys) else set()

    def _touched(self, listing):
        keys, values = columns_of(listing)
        if keys == self.keys:
            # Most often, only some values differ.
            return self._repeated.union([key for key, value, wanted in zip(
                keys, values, self.values) if value != wanted] if values != self.values else [])
        current, wanted = dict(zip(keys, values)), self._values
        touched = set(key for key, value in current.items()
                      if wanted.get(key, current) != value)
        touched.update(key for key in wanted if key not in current)
        if len(current) < len(keys):
            touched.update(_repeated(keys))
        return touched | self._repeated

    def _entry(self, place):
        return self._with_blank.get(place) or super(Everything, self)._entry(place)


def columns_of(listing):
    """Return the keys and the values of a listing; for an ACL, the patterns and as many None."""
    keys, values = listing.columns
    return keys, [None] * len(keys) if values is None else values


def _repeated(keys):
    return [key for key, count in collections.Counter(keys).items() if count > 1]


class Some(Goal):
    """The entries of some keys; what else is there remains.

    :param exactly: False if it is enough that the first of several entries of a key is right, which
        is the one that HAProxy uses.
    :param removed: keys that are to have no entries.
    """

    def __init__(self, family, keys, values, exactly=False, removed=()):
        super(Some, self).__init__(family, keys, values)
        self._exactly = exactly
        self._all = set(keys).union(removed)
        if family == 'map':
            self.named = frozenset(key for key in self._all if ' ' in key)

    def _touched(self, listing):
        return self._all

    def _changes_of(self, touched, listing):
        changes = super(Some, self)._changes_of(touched, listing)
        return changes if self._exactly else [
            change for change in changes
            if not change.after or [value for _, value in change.before[:1]] != change.after[:1]]


def entries_by_key(listing, touched):
    """Return the entries of some keys.

    :param touched: the keys, a set; one that contains a blank is found, too.
    :return: for each key that has entries, in HAProxy's order, their places and values.
    :rtype: collections.OrderedDict
    """
    keys, values = columns_of(listing)
    found = collections.OrderedDict()
    if listing.columns[1] is not None and any(' ' in key for key in touched):
        longer = [key + ' ' for key in touched if ' ' in key]
        for place, (key, value) in enumerate(zip(keys, values)):
            text = key + ' ' + value
            own = next((start[:-1] for start in longer if text.startswith(start)), key)
            if own in touched:
                found.setdefault(own, []).append((place, text[len(own) + 1:]))
        return found
    for place in [place for place, key in enumerate(keys) if key in touched]:
        found.setdefault(keys[place], []).append((place, values[place]))
    return found


# What is sent

class Steps(object):
    """What is sent to a process for some changes: values that are set, added and deleted entries.

    Entries are added before others are deleted, so that there always is one. A reference is used
    where a key means several entries, or where HAProxy would not find the key.

    :param family: ``'acl'`` or ``'map'``.
    :param listing: what is there.
    :param changes: list of :class:`KeyChange`.
    :param by_reference: (optional) True to set no value by its key.
    """

    def __init__(self, family, listing, changes, by_reference=False):
        self._listing = listing
        self._by_reference = by_reference
        self.sets, self.adds, self.deletions = [], [], []
        for change in changes:
            self._add(family, change)

    def _add(self, family, change):
        key, before, after, entries = change
        if family == 'map' and (any(' ' in value for _, value in before)
                                or any(' ' in entry[0] for entry in entries)):
            # Where the key ends is not known.
            self._append(entries)
            self._delete(key, before)
            return
        # HAProxy would read a reference, or the end of the command.
        by_key = not key.startswith('#') and '\n' not in key and '\r' not in key
        if by_key and before and not after:
            self.deletions.append((None, (key,)))
            return
        for (place, value), wanted in zip(before, after):
            if value != wanted:
                alone = by_key and len(before) == 1 and not self._by_reference
                self.sets.append((None if alone else self._listing.reference(place),
                                  (key, wanted)))
        self._append(entries[len(before):])
        self._delete(key, before[len(after):])

    def _delete(self, key, entries):
        self.deletions.extend((self._listing.reference(place), (key,)) for place, _ in entries)

    def _append(self, entries):
        self.adds.extend((None, entry) for entry in entries)


class Step(ProcessProgress):
    """A part of a change of all processes or of none; it ends with the first refusal.

    :param batches: what is sent.
    :param then: returns what follows: an operation, or the reply to the whole.
    """

    def __init__(self, process, version, change, batches, then):
        super(Step, self).__init__(process, version, change)
        self._then = then
        self.plan(batches)

    def is_over(self):
        """Return True if nothing more is sent to the process."""
        return bool(self.failures) or super(Step, self).is_over()

    def next_operation(self):
        """Return the next operation; after the last one, what follows, or why it is refused."""
        operation = super(Step, self).next_operation()
        if operation is not None:
            return operation
        return self.failures[0].message if self.failures else self._then()


class Course(object):
    """What is done in one process, and how far it has come.

    :param process: the process.
    :param family: ``'acl'`` or ``'map'``.
    :param ident: see :func:`haproxyadmin.protocol.words.check_identifier`.
    :param listing: what is there.
    :param changes: see :meth:`Goal.changes`.
    """

    def __init__(self, process, family, ident, listing, changes):
        self.process = process
        self.listing = listing
        self.changes = changes
        self._family = family
        self._ident = ident
        # Whose references these are.
        self._identity = process.endpoint.identity
        self._steps = []

    def operation(self):
        """Return the operation that does all of it, one batch after the other."""
        process = self.process
        if process.endpoint.identity is not self._identity:
            raise refused_on(process, REPLACED.format(process.socket_file))
        version = tuple(process.version)
        plan = Steps(self._family, self.listing, self.changes,
                     versions.is_among(version, versions.SETTING_PREPARED.ranges))
        check = plan.sets and versions.is_among(version, versions.IGNORING_VALUES)
        then = self._verification if check else nothing_follows
        self._steps = []
        for action, entries in [('del', plan.deletions), ('add', plan.adds), ('set', plan.sets)]:
            if entries:
                then = self._step(version, action, entries, then).next_operation
        return then()

    @property
    def failures(self):
        """What was refused; see :class:`haproxyadmin.exceptions.EntriesFailed`."""
        return [failure for step in self._steps for failure in step.failures]

    def restoration(self):
        """Return the operation that restores the entries that may have been changed."""
        keys = [change.key for change in self.changes for _ in change.before]
        values = [value for change in self.changes for _, value in change.before]
        return restoration(self.process, self._family, self._ident, Some(
            self._family, keys, values, exactly=True,
            removed=[change.key for change in self.changes]))

    def _step(self, version, action, entries, then):
        change = BulkChange(action, self._family, self._ident)
        by_key = [(index, entry) for index, (reference, entry) in enumerate(entries)
                  if reference is None]
        # A key that is gone already is what was asked for.
        batches = change.batches(version, by_key, rounds=1 if action == 'del' else None)
        batches += [change.reference_batch(version, index, (reference,) + entry[1:])
                    for index, (reference, entry) in enumerate(entries) if reference is not None]
        check_lengths(self.process.endpoint.address, batches)
        step = Step(self.process, version, change, batches, then)
        step.note_lookup()
        self._steps.insert(0, step)
        return step

    def _verification(self):
        """Return the operation that looks whether values were set (before 3.0)."""
        keys = [change.key for change in self.changes for _ in change.after]
        values = [value for change in self.changes for value in change.after]
        goal = Some(self._family, keys, values, exactly=True)

        def compare(listing):
            wrong = goal.changes(listing)
            if wrong:
                return 'HAProxy does not accept {0!r} as the value of {1!r}'.format(
                    wrong[0].after[0], wrong[0].key)
            return ''
        return patterns.content_operation(self.process, self._family, self._ident, compare)


def nothing_follows():
    """Return the reply of a change that is complete."""
    return ''


def restoration(process, family, ident, goal):
    """Return the operation that reads what is there, and does what is missing to a goal.

    :type goal: Goal
    """
    def restore(listing):
        return Course(process, family, ident, listing, goal.changes(listing)).operation()
    return patterns.content_operation(process, family, ident, restore)


# All processes

def read_listings(processes, family, ident):
    """Read the entries in each process that has an ACL or map.

    :return: the processes, and the listing of each.
    :rtype: tuple of list
    :raises haproxyadmin.exceptions.CommandFailed: if none has it.
    """
    processes, operations = prepare(processes, lambda process: patterns.content_operation(
        process, family, ident))
    outcomes = run_all(operations)
    found = [(process, outcome) for process, outcome in zip(processes, outcomes)
             if not replies.is_unknown_list(outcome)]
    if found:
        processes, outcomes = [list(part) for part in zip(*found)]
    return processes, raise_first_error(outcomes)


def align(processes, family, ident, goal):
    """Change an ACL or map in all processes so that it contains what it should, or in none.

    Each process that has it is changed by the difference between its own entries and the goal.

    :param goal: what it should contain.
    :type goal: Goal
    :return: the difference over all processes; and of the first process that has it, the process,
        what was there before, and what has changed.
    :rtype: tuple
    :raises haproxyadmin.exceptions.HAProxyBaseError: see
        :func:`haproxyadmin.internal.transaction.change_all_or_none`; ``failures`` lists what was
        refused.
    """
    processes = members_to_change(processes)
    raise_first_error(list(renew(processes).values()))
    processes, listings = read_listings(processes, family, ident)
    courses = collections.OrderedDict()
    for process, listing in zip(processes, listings):
        same = next((course for course in courses.values()
                     if course.listing == listing), None)
        changes = same.changes if same else _merge_addresses(
            goal.changes(listing), process, family, ident)
        courses[process] = Course(process, family, ident, listing, changes)
    changed = [process for process in courses if courses[process].changes]
    if changed:
        _run(changed, courses)
    first = next(iter(courses.values()))
    return (delta_of(family, (course.changes for course in courses.values())),
            (first.process, first.listing, first.changes))


def _run(processes, courses):
    try:
        change_all_or_none(
            processes, lambda process: courses[process].operation(),
            lambda process, _: courses[process].restoration(),
            may_be_made=lambda _, outcome: not replies.refuses_all(str(outcome)))
    except HAProxyBaseError as error:
        error.failures = [failure for process in processes
                          for failure in courses[process].failures]
        raise


def delta_of(family, lists):
    """Return the difference that changes make, each of which may be made in several processes.

    :param lists: the changes of each process.
    :type lists: iterable of list of KeyChange
    :rtype: Delta
    """
    added, changed, removed = [collections.OrderedDict() for _ in range(3)]
    for key, before, after, entries in (change for changes in lists for change in changes):
        values = [value for _, value in before]
        for entry in entries[len(values):]:
            added[key if family == 'acl' else entry] = None
        for value in values[len(after):]:
            removed[key if family == 'acl' else (key, value)] = None
        for value, wanted in zip(values, after):
            if value != wanted:
                changed[key, value, wanted] = None
    return Delta(list(added), list(changed), list(removed))


_Remembered = collections.namedtuple('_Remembered', 'columns')


def find_delta(process, family, ident, before, after):
    """Return the difference between two contents.

    :param process: which is asked if an address is written in different ways.
    :param before: keys and values; see :func:`check_entries`.
    :param after: the same of the other content.
    :rtype: Delta
    """
    known = Everything(family, *before)
    changes = Everything(family, *after).changes(_Remembered(
        (known.keys, None if family == 'acl' else known.values)))
    return delta_of(family, [_merge_addresses(changes, process, family, ident)])


# Addresses that are written differently

def _merge_addresses(changes, process, family, ident):
    """Return changes without those that replace an address by another way to write it."""
    removed = [change for change in changes if not change.after]
    added = [change for change in changes if not change.before]
    if not removed or not added:
        return changes
    free = dict((parse_network(change.key), change) for change in removed)
    twins = {}
    for change in added:
        network = parse_network(change.key)
        if network is not None and network in free:
            twins[change.key] = free.pop(network)
    if not twins or not patterns.holds_addresses(process, family, ident):
        return changes
    merged = set(twin.key for twin in twins.values())
    kept = []
    for change in changes:
        twin = twins.get(change.key)
        if twin is not None:
            if [value for _, value in twin.before] == change.after:
                continue
            # HAProxy's way to write it stays.
            change = KeyChange(twin.key, twin.before, change.after, [
                (twin.key,) + entry[1:] for entry in change.entries])
        elif change.key in merged:
            continue
        kept.append(change)
    return kept
