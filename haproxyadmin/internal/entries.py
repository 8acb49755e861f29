# SPDX-License-Identifier: Apache-2.0
"""Change the entries of one key of an ACL or map with one command line, in all processes or none.

If there are several processes, the line also asks what each of them has before, because that is
restored where the change was made, if it fails elsewhere. ``before``, below, is what the caller
knows of it: values of a map, or None for a pattern of an ACL.
"""
from haproxyadmin.exceptions import CommandFailed
from haproxyadmin.internal import patterns
from haproxyadmin.internal.batches import MAX_BATCH
from haproxyadmin.internal.contents import Everything, Some, restoration
from haproxyadmin.internal.fanout import Operation, unchanged
from haproxyadmin.internal.transaction import change_all_or_none, unless_refused
from haproxyadmin.parsers.lines import split_lines
from haproxyadmin.parsers.patterns import Listing, parse_lookup
from haproxyadmin.protocol import commands, replies, versions
from haproxyadmin.protocol.words import to_native

# How keys are compared if each matches itself. A network, a range or an expression does not.
_MATCHING_THEMSELVES = ('str', 'beg', 'end', 'sub')


def set_value(processes, ident, key, value, before):
    """Set the value of a key of a map."""
    before = _Before('map', ident, key, before)

    def build(process):
        operation = _set_operation(process, ident, key, value, bool(before.values))
        return operation if len(processes) == 1 else before.looked_up(process, operation)
    _change(processes, 'map', ident, build, before.goal)


def add_pattern(processes, ident, pattern, known):
    """Add a pattern to an ACL, where it is not there already.

    :param known: True if the first process has it.
    """
    before = _Before('acl', ident, pattern, [None] * known)

    def build(process):
        if known:
            return _presence(process, ident, pattern)
        # It may be there in spite of that.
        operation = patterns.change_operation(process, 'add', 'acl', ident, pattern)
        return before.looked_up(process, operation, at_most_once=True)
    _change(processes, 'acl', ident, build, before.goal)


def delete_key(processes, family, ident, key, before):
    """Delete all entries with a key."""
    before = _Before(family, ident, key, before)

    def build(process):
        operation = patterns.deletion_operation(process, family, ident, key, rounds=1)
        return operation if len(processes) == 1 else before.looked_up(process, operation)
    _change(processes, family, ident, build, before.goal)


def clear(processes, family, ident, keys, values):
    """Delete all entries.

    :param keys: what is restored if nothing else is known, with ``values``.
    :param values: None for an ACL.
    """
    listings = {}

    def build(process):
        operation = patterns.change_operation(process, 'clear', family, ident)
        if len(processes) == 1:
            return operation

        def interpret(reply):
            listing, answer = replies.split_last(reply)
            if listing is not None:
                listings[process.endpoint] = Listing(family, to_native(listing))
            return operation.interpret_reply(answer)
        return _joined(operation, commands.patterns('show', family, ident, process.version),
                       interpret)

    def goal(process):
        if process.endpoint in listings:
            return Everything(family, *listings[process.endpoint].columns)
        return Everything(family, keys, values)
    _change(processes, family, ident, build, goal)


def _change(processes, family, ident, build, goal):
    """Make a change in all processes or in none.

    :param goal: takes a process, returns what is restored there.
    """
    change_all_or_none(
        processes, build, lambda process, _: restoration(process, family, ident, goal(process)),
        may_be_made=unless_refused, quick=True)


def _joined(operation, command, interpret):
    """Return an operation that asks something on the line of another one.

    :param command: what is asked.
    :param interpret: takes both answers.
    """
    # The answer to a question is none to a change.
    return Operation(operation.endpoint, commands.join_commands([command, operation.command]),
                     interpret, reads=False, parse=unchanged, judged=False)


class _Before(object):
    """What each process has for a key before it is changed.

    :param values: what the caller knows.
    """

    def __init__(self, family, ident, key, values):
        self.values = values
        self._family = family
        self._ident = ident
        self._key = key
        self._found = {}

    def goal(self, process):
        """Return what is restored in a process."""
        return self._goal_of(self._found.get(process.endpoint, self.values))

    def _goal_of(self, values):
        return Some(self._family, [self._key] * len(values), values, exactly=True,
                    removed=[self._key])

    def looked_up(self, process, operation, at_most_once=False):
        """Return an operation that looks up the key on the line that changes it.

        :param at_most_once: (optional) True if an entry that was there before is not to be there
            twice.
        """
        endpoint = operation.endpoint
        version = endpoint.known_version
        if version is None or not versions.has(version, versions.ANY_NUMBER_OF_WORDS) or (
                2 * len(operation.command) > MAX_BATCH):
            return operation

        def interpret(reply):
            answer, _, rest = reply.lstrip(b'\n').partition(b'\n\n')
            self._note(endpoint, answer)
            outcome = operation.interpret_reply(rest)
            if at_most_once and outcome == '' and self._found.get(endpoint):
                return restoration(process, self._family, self._ident,
                                   self._goal_of(self._found[endpoint]))
            return outcome
        return _joined(operation, commands.patterns(
            'get', self._family, self._ident, version, self._key), interpret)

    def _note(self, endpoint, answer):
        """Note the answer to a lookup; what it finds may be another entry, such as a network."""
        try:
            match = parse_lookup(split_lines(answer))
        except (CommandFailed, ValueError):
            return  # a refusal; so is the answer to the change
        if match.found and match.key == self._key:
            is_known = self.values and match.value == self.values[0]
            self._found[endpoint] = self.values if is_known else [match.value]
        elif not match.found and match.type in _MATCHING_THEMSELVES:
            self._found[endpoint] = []


def _set_operation(process, ident, key, value, known):
    """Return the operation that sets the value of a key, or adds it where it is not there.

    A key that nobody should have may have been added meanwhile: then it is set, and what was added
    as well is deleted. Long commands go alone: HAProxy reads a line.
    """
    version = process.version
    add = commands.patterns('add', 'map', ident, version, key, value)
    parts = [commands.patterns('set', 'map', ident, version, key, value)]
    is_long = 2 * len(add) > MAX_BATCH
    known = known or is_long
    if not known:
        parts.append(add)
    looks = known and versions.is_among(version, versions.IGNORING_VALUES)
    if looks and not is_long:
        parts.append(commands.patterns('get', 'map', ident, version, key))

    def interpret(text):
        answers = replies.split_answers(text, len(parts))
        if replies.is_unknown_entry(answers[0]):
            return process.change_operation(add) if known else answers[1]
        if not replies.is_success(answers[0]):
            return answers[0]
        if not known:
            if not replies.is_success(answers[1]):
                return answers[1]
            return restoration(process, 'map', ident, Some('map', [key], [value], exactly=True))
        if not looks or any('key="{0}", value="{1}", type="'.format(key, value) in answer
                            for answer in answers[1:]):
            return ''
        return patterns.content_operation(process, 'map', ident, verify)

    def verify(listing):
        if Some('map', [key], [value]).changes(listing):
            return 'HAProxy does not accept {0!r} as the value of {1!r}'.format(value, key)
        return ''
    # The answer to a lookup is none to a change.
    return Operation(process.endpoint, commands.join_commands(parts), interpret, reads=False,
                     parse=to_native, judged=not looks)


def _presence(process, ident, pattern):
    """Return the operation that adds a pattern to an ACL unless it is there.

    A lookup finds most patterns; networks and regular expressions are no text that is looked up.
    """
    def look(match):
        if match.found and match.key == pattern:
            return ''
        return patterns.content_operation(process, 'acl', ident, add)

    def add(listing):
        if pattern in listing.columns[0]:
            return ''
        return patterns.change_operation(process, 'add', 'acl', ident, pattern)
    try:
        return patterns.lookup_operation(process, 'acl', ident, pattern, look)
    except ValueError:
        return patterns.content_operation(process, 'acl', ident, add)  # 1.7.0 would crash
