# SPDX-License-Identifier: Apache-2.0
"""Replace the whole content of an ACL or map at once: prepare a version, fill it, commit it."""
import itertools

from haproxyadmin.combine import check_command
from haproxyadmin.exceptions import CommandFailed, Conflict, HAProxyBaseError
from haproxyadmin.internal import patterns
from haproxyadmin.internal.batches import BulkChange
from haproxyadmin.internal.bulk import CHUNK, check_progresses, iterate, run_chunk
from haproxyadmin.internal.calls import (OfProcess, check_outcomes, members_to_change, prepare,
                                         read_each, refused_on, require)
from haproxyadmin.internal.contents import Step, nothing_follows, read_listings
from haproxyadmin.internal.fanout import (OneTimeOperation, Operation, raise_first_error, run_all,
                                          unchanged)
from haproxyadmin.internal.grouping import renew
from haproxyadmin.internal.transaction import REPLACED, change_all_or_none, unless_refused
from haproxyadmin.parsers.patterns import parse_index, parse_prepared
from haproxyadmin.protocol import commands, replies, versions
from haproxyadmin.protocol.words import Prepared

# No entry contains it.
_SEPARATOR = '\0'


def replace(processes, family, ident, entries):
    """Replace the content in all processes that have an ACL or map, or in none.

    :param family: ``'acl'`` or ``'map'``.
    :param ident: see :func:`haproxyadmin.parsers.patterns.find_listed`.
    :param entries: iterable of patterns, or of pairs of key and value, or a dictionary. It is read
        as the entries are sent.
    :raises haproxyadmin.exceptions.Conflict: if another client replaces it, too.
    """
    entries = iterate(entries, family == 'map')
    processes = members_to_change(processes)
    raise_first_error(list(renew(processes).values()))
    processes, _ = prepare(processes, lambda process: _check_version(process, family, ident))
    prepared = [_Version(process, family, ident) for process in processes]
    try:
        prepared = _prepare(prepared)
        _fill(prepared, entries)
        _keep_old(prepared)
        for version, listed in zip(prepared, read_each(
                prepared, lambda version: version.look(unchanged))):
            version.check(listed)
        _commit(prepared)
    except BaseException as error:
        _abandon(prepared)
        _raise_if_replaced(prepared, error)
        raise


def _check_version(process, family, ident):
    require(process, versions.PREPARED_CONTENT)
    if versions.is_among(process.version, versions.PREPARED_TREES.ranges) and (
            patterns.is_in_tree(process, family, ident)):
        versions.check_danger(versions.PREPARED_TREES, process.version)


class _Version(OfProcess):
    """A version of an ACL or map that is prepared in one process.

    :param process: the process.
    :param then: (optional) returns the operation that follows, once it is prepared.
    """

    def __init__(self, process, family, ident, then=nothing_follows):
        self.hap_process = process
        self.family = family
        self.ident = ident
        # None until it is prepared.
        self.number = None
        self.progress = None
        # What is there before: the keys as one text, and the values.
        self.old = None
        # The version that restores them.
        self.restored = None
        # Who prepares it: another process has other versions.
        self._identity = process.endpoint.identity
        # The version that was used when this one was prepared.
        self._current = None
        self._then = then

    def is_replaced(self):
        """Return True if another process has taken over."""
        return self.hap_process.endpoint.identity is not self._identity

    def preparation(self):
        """Return the operation that prepares it, and looks which version is used."""
        process = self.hap_process
        command = commands.join_commands([
            commands.patterns('prepare', self.family, self.ident, process.version),
            commands.patterns('show', self.family, None, process.version)])
        return OneTimeOperation(process.endpoint, command, self._note, reads=False)

    def _note(self, lines):
        if replies.is_unknown_list(lines[0]):
            return lines[0]
        number = parse_prepared(lines[0])
        self._current = self._listed(lines[1:]).current_version
        self.progress = Step(
            self.hap_process, tuple(self.hap_process.version),
            BulkChange('add', self.family, Prepared(self.ident, number)), [], self._then)
        self.progress.note_lookup()
        self.number = number
        return self._then()

    def _listed(self, lines):
        listed = patterns.find_in(parse_index([line for line in lines if line]), self.ident)
        if listed is None:
            raise patterns.gone(self.family, self.ident)
        return listed

    def check(self, listed):
        """Check that no other client has committed or prepared a version since.

        Of several clients, the last one that has prepared a version goes on.

        :param listed: the ACL or map, as it is listed now.
        :raises haproxyadmin.exceptions.Conflict: if one has.
        """
        if (listed.current_version, listed.next_version) != (self._current, self.number):
            raise self.conflict()

    def conflict(self):
        """Return the exception for another client that replaces the content, too."""
        error = Conflict('another client is replacing {0} {1} on {2}'.format(
            self.family, self.ident, self.socket_file))
        error.set_context(None, self.socket_file)
        return error

    def commit(self):
        """Return the operation that makes it the one that is used."""
        if self.is_replaced():
            raise refused_on(self, REPLACED.format(self.socket_file))
        return self.hap_process.change_operation(self._command('commit'))

    def look(self, interpret):
        """Return the operation that looks which versions there are.

        :param interpret: takes the ACL or map as it is listed.
        """
        process = self.hap_process
        return Operation(process.endpoint,
                         commands.patterns('show', self.family, None, process.version),
                         lambda lines: interpret(self._listed(lines)))

    def abandonment(self):
        """Return the operation that clears what is prepared, unless it is used by now."""
        def clear(listed):
            # Of the version that is used, it would clear what is used. 3.4.0 reports success and
            # clears nothing; there it goes with the next commit.
            if listed.current_version == self.number:
                return ''
            return self.hap_process.change_operation(self._command('clear'))
        return self.look(clear)

    def _command(self, action):
        return commands.patterns(action, self.family, Prepared(self.ident, self.number),
                                 self.hap_process.version)

    def restoration(self):
        """Return the operation that restores the old content, if the new one is used."""
        def restore(listed):
            if listed.current_version < self.number:
                return ''
            if listed.current_version > self.number:
                raise self.conflict()
            if self.old is None:
                raise refused_on(self, 'what the only process had is not kept')
            self.restored = _Version(self.hap_process, self.family, self.ident, fill)
            return self.restored.preparation()

        def fill():
            progress = self.restored.progress
            entries = list(enumerate(zip(*[column.split(_SEPARATOR) for column in self.old
                                           if column is not None]))) if self.old[0] else []
            return Step(self.hap_process, progress.version, progress.change,
                        progress.change.batches(progress.version, entries),
                        lambda: self.look(finish)).next_operation()

        def finish(listed):
            if listed.current_version != self.number:
                raise self.conflict()
            return self.restored.commit()
        return self.look(restore)


def _prepare(prepared):
    """Prepare a version in each process; return those of the processes that have the list."""
    operations = [version.preparation() for version in prepared]
    outcomes = run_all(operations, repeat=False)
    known = [number for number, outcome in enumerate(outcomes)
             if not replies.is_unknown_list(outcome)] or range(len(prepared))
    kept = [prepared[number] for number in known]
    check_outcomes(kept, [operations[number] for number in known],
                   [outcomes[number] for number in known])
    return kept


def _fill(prepared, entries):
    """Send the entries as they are read; none is repeated, because another process may answer."""
    progresses = [version.progress for version in prepared]
    numbered = enumerate(entries)
    chunk = list(itertools.islice(numbered, CHUNK))
    while chunk and not any(progress.is_over() for progress in progresses):
        run_chunk(progresses, chunk, repeat=False)
        chunk = list(itertools.islice(numbered, CHUNK))
    check_progresses(progresses)


def _keep_old(prepared):
    """Keep what is there, once for all processes that have the same.

    A single process needs none of it: there is nothing that could succeed only in part.
    """
    kept = []
    for version in prepared if len(prepared) > 1 else ():
        old = _read_old(version)
        if old not in kept:
            kept.append(old)
        version.old = kept[kept.index(old)]


def _read_old(version):
    _, (listing,) = read_listings([version.hap_process], version.family, version.ident)
    return tuple(None if column is None else _SEPARATOR.join(column)
                 for column in listing.columns)


def _raise_if_replaced(prepared, error):
    """Raise the reason of an error if that is a process that does not have the version."""
    replaced = [version for version in prepared if version.is_replaced()]
    if not isinstance(error, HAProxyBaseError) or not replaced or error.replaced:
        return
    if isinstance(error, CommandFailed):
        error = refused_on(replaced[0], REPLACED.format(replaced[0].socket_file))
    error.replaced = [version.socket_file for version in replaced]
    raise error


def _commit(prepared):
    change_all_or_none(prepared, lambda version: version.commit(),
                       lambda version, _: version.restoration(), _check_commit,
                       may_be_made=unless_refused)


def _check_commit(results):
    """Check the replies to a commit; see :func:`haproxyadmin.combine.check_command`."""
    if any(replies.is_outdated(reply) for _, reply in results):
        raise Conflict('another client has replaced the content')
    return check_command(results)


def _abandon(prepared):
    """Clear what was prepared and is not used, as far as the processes answer."""
    prepared = [version for own in prepared for version in (own, own.restored)
                if version is not None and version.number is not None]
    renew(prepared)
    run_all([version.abandonment() for version in prepared if not version.is_replaced()],
            repeat=False)
