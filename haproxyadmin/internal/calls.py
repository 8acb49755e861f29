# SPDX-License-Identifier: Apache-2.0
"""One call on all processes: build what is sent to each, send it, judge the outcomes.

Members, below, are processes or objects in them: frontends, backends and servers, which have a
``hap_process``.
"""
import functools

from haproxyadmin.combine import check_command, results_of
from haproxyadmin.exceptions import (CommandFailed, HAProxyBaseError, MultipleCommandResults,
                                     NoSuchObject, NotSupported)
from haproxyadmin.internal.fanout import Operation, raise_first_error, run_all
from haproxyadmin.internal.grouping import distinct, read_running, renew
from haproxyadmin.protocol import commands, versions
from haproxyadmin.protocol.versions import NotForVersion
from haproxyadmin.protocol.words import to_native
from haproxyadmin.spelling import suggest_or_list


class OfProcess(object):
    """Something of one process, which is its ``hap_process``."""

    __slots__ = ()

    @property
    def process_nb(self):
        """The number of the process; costs nothing."""
        return self.hap_process.process_nb

    @property
    def socket_file(self):
        """The stats socket of the process."""
        return self.hap_process.socket_file


class _OldVersion(Exception):
    """What was built depends on a version that may no longer be the running one."""


def prepare(members, build):
    """Build what is sent to each process, before anything is sent.

    If that depends on the version of a process, and the version was asked more than a second ago
    or an exchange has failed since, all processes are asked concurrently, and it is built again.

    :param members: the objects that are read or changed, each of one process.
    :param build: takes a member; returns an :class:`haproxyadmin.internal.fanout.Operation` or any
        other value. May be called again. For what a version cannot do, it raises
        :class:`haproxyadmin.protocol.versions.NotForVersion` or
        :class:`haproxyadmin.exceptions.CommandFailed`.
    :return: the members that are distinct now, and what was built for each; for a process whose
        version cannot be asked, the error.
    :rtype: tuple of list
    """
    # A process that has two sockets may have been replaced by two processes.
    owners = [member.hap_process.endpoint.duplicate_of for member in members]
    if not any(owner is not None and owner.has_old_version() for owner in owners):
        try:
            current = distinct(members)
            return current, [_build(member, build, refuse_old=True) for member in current]
        except _OldVersion:
            pass
    errors = renew(members)
    current = distinct(members)
    return current, [errors.get(member.hap_process.endpoint) or _build(member, build)
                     for member in current]


def _build(member, build, refuse_old=False):
    endpoint = member.hap_process.endpoint
    use_before = endpoint.version_use
    try:
        built = build(member)
    except (CommandFailed, NotForVersion):
        # Any other error is about an argument that no version accepts: nothing is sent then.
        if refuse_old and endpoint.has_old_version():
            raise _OldVersion
        raise
    if endpoint.version_use is not use_before:
        if refuse_old and endpoint.has_old_version():
            raise _OldVersion
        if isinstance(built, Operation):
            built.rebuild = functools.partial(build, member)
    return built


def require(member, feature):
    """Raise an exception if a process's version is too old for something.

    :type feature: haproxyadmin.protocol.versions.Feature
    :raises haproxyadmin.exceptions.NotSupported: if so.
    """
    version = member.hap_process.version
    if not versions.has(version, feature):
        raise not_supported(member, feature, version)


def require_if_known(member, feature):
    """Like :func:`require`, for a read: a version that is not known is not asked for."""
    if not member.hap_process.endpoint.may_have(feature):
        require(member, feature)


def not_supported(member, feature, version):
    """Return the exception for what the version of a process cannot do.

    :param version: the running version, a tuple of integers.
    """
    error = NotSupported(versions.describe_lack(feature, version, member.socket_file),
                         versions.format_version(feature.since), versions.format_version(version))
    error.set_context(None, member.socket_file)
    return error


def refused_on(member, message):
    """Return the exception for what is not even sent to a process."""
    error = CommandFailed(message)
    error.set_context(None, member.socket_file)
    return error


def read_each(members, build):
    """Return the value of what is built for each member, or raise the first exception.

    :param build: see :func:`prepare`.
    """
    return [value for _, value in read_pairs(members, build)]


def read_pairs(members, build):
    """Return pairs of each member and the value of what is built for it.

    It is read again if a former worker turns out to have ended.

    :param build: see :func:`prepare`.
    :raises Exception: the first one.
    """
    return list(zip(*read_running(lambda: prepare(members, build))))


def members_to_change(members):
    """Return the members without those of former workers, which only end.

    :raises haproxyadmin.exceptions.NoSuchObject: if none is left.
    """
    for member in members:
        if member.hap_process.endpoint.address.is_former:
            break
    else:
        return members
    current = [member for member in members if not member.hap_process.endpoint.address.is_former]
    if not current:
        name = members[0].name
        raise NoSuchObject(name, '{0!r} is gone: only workers that are ending have it'.format(name))
    return current


def choose_processes(processes, socket):
    """Return the processes, or only the one on a socket.

    :param socket: the address as exceptions show it; None for all processes.
    :raises ValueError: if there is no such process.
    """
    if socket is None:
        return processes
    found = [process for process in processes if process.socket_file == to_native(socket)]
    if not found:
        names = set(process.socket_file for process in processes)
        raise ValueError('no process on {0!r}{1}'.format(socket, suggest_or_list(socket, names)))
    return found


def change_each(members, build, judge=check_command):
    """Send each process the change that is built for it, and judge the outcomes.

    :param build: see :func:`prepare`.
    :param judge: (optional) see :func:`check_outcomes`.
    :return: True if every process accepted it.
    :rtype: bool
    """
    members, operations = prepare(members_to_change(members), build)
    return check_outcomes(members, operations, run_all(operations), judge)


def change_after_look(members, look, check, build):
    """Like :func:`change_each`, unless what is read first says that it would be dangerous.

    :param look: takes a member; returns the operation that reads, or None where nothing is read.
    :param check: takes a member and what was read; raises a
        :class:`haproxyadmin.exceptions.CommandFailed` if the change would be dangerous. Then
        nothing is sent to any process.
    :param build: see :func:`prepare`. A process that could not be read is not changed.
    """
    current, operations = prepare(members_to_change(members), look)
    failed = {}
    for member, outcome in zip(current, run_all(operations)):
        if isinstance(outcome, NoSuchObject):
            # HAProxy says so itself.
            continue
        if isinstance(outcome, Exception):
            failed[member.socket_file] = outcome
        elif outcome is not None:
            try:
                check(member, outcome)
            except CommandFailed as error:
                raise refused_on(member, str(error))
    return change_each(members, lambda member: failed.get(member.socket_file) or build(member))


def check_outcomes(members, operations, outcomes, judge=check_command):
    """Judge the outcomes of a change.

    :param members: the objects that were changed, each of one process.
    :param operations: what was sent to each.
    :param outcomes: the reply of each, or an exception; emptied if there is an exception.
    :param judge: (optional) takes a list of ``(process number, reply)``.
    :return: True if every process accepted the change.
    :rtype: bool
    :raises haproxyadmin.exceptions.HAProxyBaseError: the first error of a process that could not be
        reached, otherwise what the judge raises. ``results`` and ``by_socket`` contain the replies
        of all processes that answered, ``command`` and ``socket_file`` those of the first refusal.
    """
    answered = [(member, operation, outcome)
                for member, operation, outcome in zip(members, operations, outcomes)
                if not isinstance(outcome, Exception)]
    try:
        raise_first_error(outcomes)
        return judge([(member.process_nb, reply) for member, _, reply in answered])
    except HAProxyBaseError as error:
        error.set_results(*results_of(
            (member.process_nb, member.socket_file, reply) for member, _, reply in answered))
        if isinstance(error, (CommandFailed, MultipleCommandResults)):
            _set_context(error, answered, judge)
        raise


def _set_context(error, answered, judge):
    """Put the command that was refused first into an exception."""
    for member, operation, reply in answered:
        try:
            judge([(member.process_nb, reply)])
        except CommandFailed:
            error.set_context(commands.describe_line(operation.command), member.socket_file)
            return
