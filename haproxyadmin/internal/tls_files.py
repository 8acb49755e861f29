# SPDX-License-Identifier: Apache-2.0
"""Change a file that TLS uses: set it, look at what HAProxy has understood, and commit or abort.

HAProxy has one transaction for all certificates, one for all CA files and one for all revocation
lists. All clients of a process share them, and one that a client leaves behind stays.
"""
import time

from haproxyadmin.exceptions import CommandFailed, Conflict, HAProxySocketError
from haproxyadmin.internal.calls import (OfProcess, change_each, members_to_change, read_each,
                                         read_pairs, refused_on, require)
from haproxyadmin.internal.fanout import Operation, run_to_the_end
from haproxyadmin.internal.transaction import change_all_or_none, unless_refused
from haproxyadmin.parsers.lines import join_lines, split_lines
from haproxyadmin.protocol import commands, replies, transport, versions

# What has become of a change in a process.
UNCHANGED, ABORTED, COMMITTED, UNKNOWN = 'unchanged', 'aborted', 'committed', 'unknown'
# It was committed, and what was there before has been put back.
RESTORED = 'restored'
# Seconds that HAProxy may stay silent in the middle of a commit. If the client leaves before the
# end, HAProxy keeps a transaction of memory that it has freed, and only a reload helps (up to 3.4;
# seen where more than ten lines use the file).
COMMIT_SECONDS = 30
# Seconds for which a command is sent again that HAProxy refuses because another client commits, and
# the pause before each. A commit of thousands of lines takes less than half a second.
LOCK_SECONDS, LOCK_PAUSE = 5, 0.01
# How often a refusal is not taken seriously that may be about something else.
MAX_RETRIES = 3


class FileOperation(Operation):
    """Reads or changes files of TLS; it is sent again while another client commits.

    HAProxy does nothing then, and shows nothing.
    """

    __slots__ = ('_until',)

    def interpret_reply(self, reply, identified=False):
        """Return what a reply amounts to: for a while, this operation again."""
        if not (isinstance(reply, bytes) and self.is_locked(reply)):
            return super(FileOperation, self).interpret_reply(reply, identified)
        if not hasattr(self, '_until'):
            self._until = transport.now() + LOCK_SECONDS
        if transport.now() < self._until:
            time.sleep(LOCK_PAUSE)
            return self
        error = Conflict(
            'another client has been committing a change of TLS files on {0} for {1} seconds; if '
            'this lasts, it was killed meanwhile, and only a reload helps'.format(
                self.socket_file, LOCK_SECONDS))
        error.set_context(None, self.socket_file)
        return error

    def is_locked(self, reply):
        """Return True if HAProxy has refused because another client commits."""
        return replies.is_locked(reply)


class _Commit(FileOperation):
    """Commits a file, and shows it.

    :type change: :class:`FileChange`
    """

    __slots__ = ('change',)

    def __init__(self, change, command, interpret):
        super(_Commit, self).__init__(change.hap_process.endpoint, command, interpret, reads=False)
        self.change = change
        if self.timeout is not None:
            self.timeout = max(self.timeout, COMMIT_SECONDS)

    def is_locked(self, reply):
        """Return True if it was not committed because another client commits."""
        return replies.is_locked(reply) and not replies.is_committed(
            replies.split_commit(split_lines(reply))[0])

    def interpret_reply(self, reply, identified=False):
        """Return what a reply amounts to, and note that there was none."""
        if isinstance(reply, HAProxySocketError):
            self.change.is_cut = not reply.undelivered
        return super(_Commit, self).interpret_reply(reply, identified)


class FileChange(OfProcess):
    """The change of a file in one process.

    :param process: the process.
    :param name: the name of the file.
    :param content: what it is to contain, as the kind of file checks it.
    :param previous: (optional) the same for what it contains now, to put it back.

    ``before`` and ``after`` are what HAProxy shows of the file, None as long as it is not known.
    """

    # HAProxy's word for the kind of file, in commands, and what it is called in messages.
    kind = noun = None
    # Which versions can change it, and which can show it.
    feature = shown_by = versions.SSL_CERTIFICATES
    # Where a change would be dangerous.
    dangers = ()
    # The command that sends the first part of the content.
    first_action = 'set'
    # True if it contains private keys.
    is_secret = False
    # Where a transaction must not be ended.
    dangers_of_abort = ()
    # The first version that shows a transaction as empty if a client has left it in the middle of a
    # commit; None if HAProxy shows it like any other.
    showing_broken = versions.SHOWING_BROKEN

    def __init__(self, process, name, content, previous=None):
        self.hap_process = process
        self.name = name
        self.content = content
        self.previous = previous
        self.before = self.after = None
        # True if a client now uses what was committed.
        self.in_use = False
        # What has become of it, if that is known.
        self._state = None
        # True from the moment that HAProxy has created a transaction for it.
        self._was_opened = False
        self._has_failed = False
        # True if what was committed is another client's.
        self._is_wrong = False
        # True if the content is in another client's transaction.
        self.is_polluting = False
        # True if HAProxy may have been left in the middle of the commit.
        self.is_cut = False
        self._restoration = None
        # Who is changed: another process has other transactions.
        self._identity = None

    # What each kind of file has of its own

    def parse_list(self, lines):
        """Return what is listed; it has ``names`` and ``transaction``, a name or None."""
        raise NotImplementedError

    def parse(self, lines):
        """Return what HAProxy shows of a file, None if there is none."""
        raise NotImplementedError

    def holds(self, shown, content):
        """Return True if what HAProxy shows of a file is this content."""
        raise NotImplementedError

    def is_used(self, shown):
        """Return True if HAProxy uses a file."""
        raise NotImplementedError

    def is_empty(self, shown):
        """Return True if HAProxy has no content for a file."""
        raise NotImplementedError

    def is_alike(self, shown, other):
        """Return True if what HAProxy shows of a file is the same twice."""
        raise NotImplementedError

    def payloads(self, version):
        """Return what is sent: the first one sets the content, each further one adds to it."""
        raise NotImplementedError

    # The process

    def state_after(self, error):
        """Return what has become of the change.

        :param error: the exception that has ended it, None if it was a success.
        """
        if error is None:
            return COMMITTED
        if self._restoration is not None:
            if self._restoration.after is None:
                return UNKNOWN if self._is_wrong else self._state
            return self._state if self.previous is None else RESTORED
        if self._state is not None:
            return self._state
        # Before anything is sent, any error may be raised.
        doubtful = set(getattr(error, 'not_undone', ())).union(getattr(error, 'replaced', ()))
        return UNKNOWN if self.socket_file in doubtful else UNCHANGED

    def check_version(self):
        """Check that the version of the process can change such a file without harm."""
        require(self.hap_process, self.feature)
        for danger in self.dangers:
            versions.check_danger(danger, self.hap_process.version)

    # The steps

    def look(self):
        """Return the operation that looks at the file, and whether a transaction is open.

        :raises ValueError: if the content, or the name, is too long to be sent.
        """
        self.check_version()
        self._commands_to_set()
        if self.previous is not None:
            type(self)(self.hap_process, self.name, self.previous)._commands_to_set()
        # The longest line of all contains the name twice.
        self.settle()
        return self._look(self.note_look)

    def note_look(self, lines):
        """Note what is there.

        :raises haproxyadmin.exceptions.Conflict: if a transaction is open.
        """
        listed, shown = self._split(lines, self.name)
        if listed.transaction is not None:
            raise self._is_open(listed.transaction)
        self.before = shown
        self.check_before()

    def check_before(self):
        """Check that what is there can be changed."""
        if self.before is None:
            raise refused_on(self, 'there is no {0} {1!r} on {2}'.format(
                self.noun, self.name, self.socket_file))
        if self.previous is not None and not (self.holds(self.before, self.previous)
                                              or self.holds(self.before, self.content)):
            raise refused_on(self, 'previous is not what {0} has as {1!r}'.format(
                self.socket_file, self.name))

    def begin(self):
        """Return the first operation of the change."""
        self._identity = self.hap_process.endpoint.identity
        return self.set()

    def set(self, number=0, refusals=0):
        """Return the operation that sends a part of the content.

        :param refusals: (optional) how often HAProxy has refused it already.
        """
        to_set = self._commands_to_set()

        def note(lines):
            reply = join_lines(lines)
            found = replies.transaction_of(reply)
            if found is None:
                if replies.is_about_another(reply):
                    raise self.conflict(reply)
                if replies.may_be_stale(reply) and refusals < MAX_RETRIES:
                    return self.set(number, refusals + 1)
                return reply
            if found != (replies.UPDATED if number else replies.CREATED, self.name):
                error = self.conflict(
                    'the new content of {0!r} is now in the transaction of another client for '
                    '{1!r} on {2}, which must not be committed'.format(
                        self.name, found[1], self.socket_file))
                error.polluted = self.is_polluting = True
                self._state = UNKNOWN
                raise error
            self._was_opened = True
            return self.set(number + 1) if number + 1 < len(to_set) else self._look_at_set()
        return self.change(to_set[number], note)

    def _commands_to_set(self):
        version = tuple(self.hap_process.version)
        return [commands.tls_file('add' if number else self.first_action, self.kind, version,
                                  self.name, payload)
                for number, payload in enumerate(self.payloads(version))]

    def _look_at_set(self):
        """Return the operation that looks at what HAProxy has understood."""
        def note(lines):
            if not self.holds(self.parse(lines), self.content):
                raise self.conflict('{0} has another content for {1!r} than was sent: another '
                                    'client has changed it'.format(self.socket_file, self.name))
            return self.follow_set()
        process = self.hap_process
        return FileOperation(process.endpoint, self._show_set(), note)

    def follow_set(self):
        """Return what follows once the content is set: an operation, or the empty reply."""
        return ''

    def commit(self):
        """Return the operation that commits the content, and looks at it."""
        return _Commit(self, commands.join_commands([
            self._command('commit', self.name), self._command('show', self.name)]), self._note)

    def _note(self, lines):
        reply, shown = replies.split_commit(lines)
        self._has_failed = replies.has_failed(reply)
        if not replies.is_committed(reply):
            return replies.reason_of(reply) or replies.NOTHING
        self.in_use = replies.is_updated(reply, self.name)
        if shown:
            return self._note_committed(shown)
        # Another client has begun to commit since.
        return FileOperation(self.hap_process.endpoint, self._command('show', self.name),
                             self._note_committed)

    def _note_committed(self, lines):
        after = self.parse(lines)
        if not self.holds(after, self.content):
            self._is_wrong = True
            raise self.conflict('another client has changed {0!r} on {1} at the same time'.format(
                self.name, self.socket_file))
        if not self.in_use and self.before is not None and self.is_used(self.before):
            return 'HAProxy has committed {0!r}, but no bind line uses it'.format(self.name)
        self.after = after
        return self.follow_commit()

    def follow_commit(self):
        """Return what follows once the content is committed: an operation, or the empty reply."""
        return ''

    def has_changed(self):
        """Return True if the file contains something else than before."""
        return self.before is None or not self.is_alike(self.after, self.before)

    # What undoes them

    def may_be_made(self, outcome):
        """Return True if there may be something to undo.

        :param outcome: what :meth:`begin` has led to.
        """
        if isinstance(outcome, HAProxySocketError):
            return self._was_opened or not outcome.undelivered
        return self._was_opened or isinstance(outcome, Operation)

    def settle(self):
        """Return the operation that ends the transaction, or puts back what was there.

        It looks first how far the change has come.
        """
        process = self.hap_process
        lines = [self._command('show'), self._command('show', self.name)]
        if not self.is_cut:
            # Otherwise the transaction may be of memory that is freed.
            lines.append(self._show_set())
        return FileOperation(process.endpoint, commands.join_commands(lines), self._settle)

    def _settle(self, lines):
        names = [self.name] if self.is_cut else [self.name, '*' + self.name]
        parts = self._split(lines, *names)
        listed, shown = parts[:2]
        if listed.transaction == self.name:
            if self.is_cut:
                self._state = UNKNOWN
                raise refused_on(self, '{0} has not answered the commit of {1!r}: unless it does '
                                 'so later, only a reload helps'.format(
                                     self.socket_file, self.name))
            is_same = self.hap_process.endpoint.identity is self._identity
            if (self._was_opened and is_same) or self.holds(parts[2], self.content):
                self.check_abort()
                return self.abort(lambda: self._follow_abort(shown))
        return self.undo(shown)

    def _follow_abort(self, shown):
        self._was_opened = True
        return self.undo(shown)

    def check_abort(self):
        """Check that the transaction may be ended.

        :raises haproxyadmin.exceptions.CommandFailed: if that is dangerous.
        """
        version = tuple(self.hap_process.version)
        for danger in self.dangers_of_abort + (versions.ABORT_AFTER_FAILURE,) * self._has_failed:
            try:
                versions.check_danger(danger, version)
            except CommandFailed as error:
                self._state = UNCHANGED
                raise refused_on(self, str(error))

    def was_begun(self):
        """Return True if something of the change was made."""
        return self._was_opened

    def note_undone(self):
        """Note that nothing is left of the change; return the empty reply."""
        self._state = ABORTED if self.was_begun() else UNCHANGED
        return ''

    def undo(self, shown):
        """Return what undoes a commit: an operation, or the empty reply if there was none.

        :param shown: what HAProxy shows of the file now.
        """
        if self.before is not None and self.is_alike(shown, self.before):
            return self.note_undone()
        if not self.holds(shown, self.content) and not self._is_wrong:
            self._state = UNKNOWN
            raise self.conflict('another client has changed {0!r} on {1}'.format(
                self.name, self.socket_file))
        self._state = COMMITTED
        unknown = 'what {0} had before is not known'.format(self.socket_file)
        if self.previous is not None:
            return self._restore(self.previous, '')
        if self._is_wrong:
            # The new content is better than that of another file.
            return self._restore(self.content, unknown)
        raise refused_on(self, unknown)

    def _restore(self, content, reply):
        """Return the operation that sets and commits a content.

        :param reply: what it leads to.
        """
        restoration = self._restoration = type(self)(self.hap_process, self.name, content)
        restoration.follow_set = restoration.commit
        restoration.follow_commit = lambda: reply
        return restoration.set()

    # Deleting it, and ending a transaction

    def look_to_delete(self):
        """Return the operation that looks whether the file can be deleted.

        HAProxy 2.2 and 2.4 delete a file that a transaction is open for, and crash later.
        """
        def note(lines):
            listed, shown = self._split(lines, self.name)
            if listed.transaction == self.name:
                raise self._is_open(listed.transaction)
            if shown is not None and self.is_used(shown):
                raise refused_on(self, '{0!r} is in use on {1}'.format(
                    self.name, self.socket_file))
            self.before = shown
        self.check_version()
        return self._look(note)

    def delete(self, then=lambda: ''):
        """Return the operation that deletes the file.

        :param then: (optional) returns what follows: an operation, or the empty reply.
        """
        return self._silent('del', replies.is_deleted, then)

    def refuse_to_undo(self):
        """Say that a deletion cannot be undone."""
        raise refused_on(self, 'what {0} had is not known'.format(self.socket_file))

    def look_for_transaction(self):
        """Return the operation that tells whether a transaction is open for the file."""
        process = self.hap_process
        require(process, self.shown_by)
        return FileOperation(process.endpoint, self._command('show'),
                             lambda lines: self.parse_list(lines).transaction == self.name)

    def look_at_transaction(self):
        """Return the operation that looks whether HAProxy has lost what is in the transaction."""
        def note(lines):
            shown = self.parse(lines)
            if shown is not None and self.is_empty(shown):
                raise refused_on(self, 'another client has left {0} in the middle of a commit of '
                                 '{1!r}; only a reload helps'.format(self.socket_file, self.name))
        return FileOperation(self.hap_process.endpoint, self._show_set(), note)

    def abort(self, then=lambda: ''):
        """Return the operation that ends the transaction.

        :param then: (optional) see :meth:`delete`.
        """
        return self._silent('abort', replies.is_aborted, then)

    def _silent(self, action, is_success, then):
        """Return an operation whose reply is empty for a success."""
        def note(lines):
            reply = join_lines(lines)
            return then() if is_success(reply) else reply
        return self.change(self._command(action, self.name), note)

    # Commands

    def change(self, command, note):
        """Return the operation that sends a change.

        :param note: takes the lines of the reply.
        """
        return FileOperation(self.hap_process.endpoint, command, note, reads=False)

    def _look(self, note):
        process = self.hap_process
        return FileOperation(process.endpoint, commands.join_commands([
            self._command('show'), self._command('show', self.name)]), note)

    def _is_open(self, name):
        return self.conflict('a transaction for {0!r} is open on {1}: another client changes it, '
                             'or has left it behind; abort() ends it'.format(
                                 name, self.socket_file))

    def _command(self, action, name=None):
        return commands.tls_file(action, self.kind, self.hap_process.version, name)

    def _show_set(self):
        return commands.show_transaction(self.kind, self.name, self.hap_process.version)

    def _split(self, lines, *names):
        """Return what is listed, and what is shown of the files after it."""
        listed, shown = replies.split_shown(lines, names)
        return [self.parse_list(listed)] + [self.parse(part) for part in shown]

    def conflict(self, message):
        """Return the exception for another client that changes the file, too."""
        error = Conflict(message)
        error.set_context(None, self.socket_file)
        return error


class NewFile(FileChange):
    """Adds a file; a base class before that of the kind of file."""

    def __init__(self, *args, **options):
        super(NewFile, self).__init__(*args, **options)
        self._was_created = False

    def note_look(self, lines):
        """Check that there is no such file, and no transaction."""
        listed, _ = self._split(lines, self.name)
        if self.name in listed.names:
            raise refused_on(self, 'there is a {0} {1!r} on {2} already; update() changes '
                             'it'.format(self.noun, self.name, self.socket_file))
        super(NewFile, self).note_look(lines)

    def check_before(self):
        """Check nothing: there is none."""

    def begin(self):
        """Return the operation that creates it, which the others follow."""
        def note(lines):
            reply = join_lines(lines)
            if not replies.is_created(reply):
                return reply
            self._was_created = True
            return super(NewFile, self).begin()
        return self.change(self._command('new', self.name), note)

    def may_be_made(self, outcome):
        """Return True if there may be something to undo."""
        return self._was_created or super(NewFile, self).may_be_made(outcome)

    def was_begun(self):
        """Return True if something was created."""
        return self._was_created or super(NewFile, self).was_begun()

    def undo(self, shown):
        """Return what removes it again."""
        if shown is None:
            return self.note_undone()
        if not self._was_created and not self.is_empty(shown) and (
                not self.holds(shown, self.content)):
            raise self.conflict('another client has added {0!r} on {1}'.format(
                self.name, self.socket_file))
        return self.remove()

    def remove(self):
        """Return the operation that deletes the file again."""
        return self.delete(self.note_undone)


def change_files(changes):
    """Make a change in all processes or in none.

    :param changes: the :class:`FileChange` of each process.
    :return: those that were made.
    :rtype: list
    :raises haproxyadmin.exceptions.HAProxyBaseError: see
        :func:`haproxyadmin.internal.transaction.change_all_or_none`.
    """
    changes = members_to_change(changes)
    for change in changes:
        if change.is_secret:
            change.hap_process.endpoint.check_secret()
    read_each(changes, lambda change: change.look())
    return change_all_or_none(
        changes, lambda change: change.begin(), lambda change, _: change.settle(),
        then=lambda change: change.commit(),
        may_be_made=lambda change, outcome: change.may_be_made(outcome),
        run=run_to_the_end, strict=True)[0]


def delete_files(changes):
    """Delete a file in all processes that have it.

    :return: True if a process had it.
    :rtype: bool
    """
    changes = members_to_change(changes)
    read_each(changes, lambda change: change.look_to_delete())
    there = [change for change in changes if change.before is not None]
    if there:
        change_all_or_none(there, lambda change: change.delete(),
                           lambda change, _: change.refuse_to_undo(), may_be_made=unless_refused)
    return bool(there)


def abort_files(changes):
    """End the transaction for a file in all processes in which there is one.

    :return: True if there was one.
    :rtype: bool
    """
    def look(change):
        change.check_version()
        return change.look_for_transaction()

    changes = members_to_change(changes)
    opened = [change for change, is_open in read_pairs(changes, look) if is_open]
    for change in opened:
        change.check_abort()
    read_each([change for change in opened if change.showing_broken and versions.has(
        change.hap_process.version, change.showing_broken)],
              lambda change: change.look_at_transaction())
    if opened:
        change_each(opened, lambda change: change.abort())
    return bool(opened)


def read_open(changes):
    """Return pairs of each change, and whether a transaction for its file is open there."""
    return read_pairs(changes, lambda change: change.look_for_transaction())


def account_of(changes, error=None):
    """Return pairs of the socket address of each process, and what has become of the change."""
    return [(change.socket_file, change.state_after(error)) for change in changes]
