# SPDX-License-Identifier: Apache-2.0
"""Find out which stats sockets belong to one process.

A directory may hold two sockets of a process, and after a reload one process may have taken over
the sockets of several. Members, below, are processes or objects in them: frontends, backends and
servers, which have a ``hap_process``.
"""
import collections

from haproxyadmin.exceptions import NoSuchObject
from haproxyadmin.internal.fanout import (info_operation, level_operation, raise_first_error,
                                          run_all, unchanged)
from haproxyadmin.protocol import replies, transport


def distinct(members):
    """Return the members without those that belong to the process of another one.

    Members of a former worker that has ended are left out, too.
    """
    for member in members:
        if member.hap_process.endpoint.duplicate_of is not None:
            break
    else:
        return members
    kept = collections.OrderedDict()
    for member in members:
        endpoint = member.hap_process.endpoint
        owner = endpoint.duplicate_of or endpoint
        if not owner.has_ended and (endpoint is owner or owner not in kept):
            kept[owner] = member
    return list(kept.values())


def read_members(members, build):
    """Read from each process.

    It is read again if a former worker turns out to have ended.

    :param build: takes a member, returns the operation.
    :return: the value of each operation.
    :rtype: list
    :raises haproxyadmin.exceptions.NoSuchObject: if only workers that have ended have it.
    """
    def begin():
        current = distinct(members)
        return current, [build(member) for member in current]
    current, values = read_running(begin)
    if not current and members:
        raise NoSuchObject(members[0].name, '{0!r} is gone: only workers that have ended had '
                           'it'.format(members[0].name))
    return values


def read_running(begin):
    """Read from the processes that run; again, if a former worker turns out to have ended.

    :param begin: returns the members, and what is built for each of them.
    :return: the members, and the value of each.
    :rtype: tuple of list
    :raises Exception: the first one.
    """
    while True:
        members, operations = begin()
        outcomes = run_all(operations)
        if not _any_has_ended(members, outcomes):
            return members, raise_first_error(outcomes)


def _any_has_ended(members, outcomes):
    """Return True if one of the members is of a former worker that has ended.

    :param outcomes: what reading from each has led to: an exception in that case.
    """
    return any([isinstance(outcome, Exception) for outcome in outcomes]) and any(
        [member.hap_process.endpoint.is_gone for member in members])


def read_identified(processes, build, deadline=None):
    """Read from each process its ``show info`` and perhaps more.

    It is read again if two sockets turn out to belong to one process, or no longer to do so.

    :param build: takes a process, returns the operation.
    :param deadline: (optional) see :func:`haproxyadmin.internal.fanout.run_all`.
    :return: the value of each operation.
    :rtype: list
    """
    current = distinct(processes)
    outcomes = run_all([build(process) for process in current], deadline=deadline)
    if regroup(processes) or _any_has_ended(current, outcomes):
        return read_members(processes, build)
    return raise_first_error(outcomes)


def look_at_each(processes, build, deadline):
    """Like :func:`read_identified`, but once, and a process that fails does not stop the others.

    :return: the processes that are distinct now, and the outcome of each: a value or an exception.
    :rtype: tuple of list
    """
    def read():
        current = distinct(processes)
        return current, run_all([build(process) for process in current], repeat=False,
                                deadline=deadline)
    found = read()
    return read() if regroup(processes, deadline) else found


def renew(members):
    """Ask all processes for their versions and who they are.

    :return: the errors of those that could not be asked, by endpoint.
    :rtype: dict
    """
    endpoints = [member.hap_process.endpoint for member in distinct(members)]
    outcomes = run_all([info_operation(endpoint, unchanged) for endpoint in endpoints])
    regroup([member.hap_process for member in members])
    return dict((endpoint, outcome) for endpoint, outcome in zip(endpoints, outcomes)
                if isinstance(outcome, Exception))


def regroup(processes, deadline=None):
    """Find out again which sockets belong to one process, after a ``show info`` of each.

    :param deadline: (optional) see :func:`haproxyadmin.internal.fanout.run_all`.
    :return: True if that has changed.
    :rtype: bool
    """
    endpoints = [process.endpoint for process in processes]
    before = [endpoint.duplicate_of for endpoint in endpoints]
    # Their process has been replaced, perhaps by two processes, or does not answer.
    doubtful = [endpoint for endpoint in endpoints if endpoint.duplicate_of is not None
                and (endpoint.duplicate_of.identity is not endpoint.duplicate_while
                     or endpoint.duplicate_of.has_old_version())]
    outcomes = run_all([info_operation(endpoint, unchanged) for endpoint in doubtful],
                       deadline=deadline)
    for endpoint, outcome in zip(doubtful, outcomes):
        endpoint.confirm_duplicate()
        if not isinstance(outcome, Exception):
            endpoint.use_itself()
    single = [endpoint for endpoint in endpoints if endpoint.duplicate_of is None]
    for group in group_endpoints(single):
        if len(group) > 1:
            kept = highest_level(group)
            for endpoint in endpoints:
                if endpoint is not kept and (
                        endpoint in group or endpoint.duplicate_of in group):
                    endpoint.use_instead(kept)
    return before != [endpoint.duplicate_of for endpoint in endpoints]


def group_endpoints(endpoints):
    """Group endpoints by process, as their ``show info`` and their request counters say.

    :rtype: list of list
    """
    groups, by_key = [], collections.defaultdict(list)
    for endpoint in endpoints:
        # Of hundreds of processes, most do not even have the same pid.
        alike = by_key[endpoint.identity and endpoint.identity.key]
        for group in alike:
            if _is_one_process(group[0], endpoint):
                group.append(endpoint)
                break
        else:
            alike.append([endpoint])
            groups.append(alike[-1])
    return groups


def _is_one_process(one, other):
    """Return True if two endpoints belong to one process.

    Two processes in containers may have the same pid, node, number and start. Each ``show info``
    counts as a request: the counter of one process grows whichever socket is asked. The counters
    of two processes only look like one if they are as close together as what others ask meanwhile.
    """
    identities = one.identity, other.identity
    if (None in identities or not one.identity.agrees(other.identity)
            or other.identity in one.identity.others):
        return False
    highest_yet = -1
    for endpoint in (one, other, one, other):
        count = run_all([info_operation(endpoint, _requests)])[0]
        if transport.is_our_own(count):
            raise count
        if isinstance(count, Exception) or (one.identity, other.identity) != identities:
            # Not known now; it is found out with the next `show info`.
            return False
        if count <= highest_yet:
            one.identity.others.append(other.identity)
            other.identity.others.append(one.identity)
            return False
        highest_yet = count
    return True


def _requests(info):
    return int(info.get('CumReq', -1))


def highest_level(endpoints):
    """Return the endpoint with the highest level; of equal ones, the first."""
    if len(endpoints) == 1:
        return endpoints[0]
    levels = run_all([level_operation(endpoint) for endpoint in endpoints])
    for level in levels:
        if transport.is_our_own(level):
            raise level
    ranks = [replies.LEVELS.index(level) if level in replies.LEVELS else -1 for level in levels]
    return endpoints[ranks.index(max(ranks))]
