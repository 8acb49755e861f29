# SPDX-License-Identifier: Apache-2.0
"""Read the state of servers, save it to a file, and restore it after a reload."""
import collections

from haproxyadmin.combine import results_of
from haproxyadmin.exceptions import CommandFailed, IncosistentData
from haproxyadmin.internal.calls import (choose_processes, members_to_change, prepare, read_each,
                                         refused_on, require_if_known)
from haproxyadmin.internal.fanout import Operation, raise_first_error, run_all
from haproxyadmin.internal.files import check_file_name, read_file, replace_file
from haproxyadmin.internal.grouping import renew
from haproxyadmin.internal.servers_state import (NotRestored, Restoration, add_missing,
                                                 all_states_operation, compare, missing_servers,
                                                 run_steps, wait_for_addresses)
from haproxyadmin.internal.transaction import REPLACED
from haproxyadmin.internal.waiting import Wait
from haproxyadmin.parsers import saved_states
from haproxyadmin.parsers.servers_state import parse_states
from haproxyadmin.protocol import commands, versions
from haproxyadmin.protocol.words import escape_name, to_native
from haproxyadmin.spelling import suggest_or_list

__all__ = ['NotRestored', 'read_states', 'restore', 'save']

# How often a process may be replaced while its servers are restored.
MOST_RELOADS = 3


def read_states(processes, backend=None):
    """Return the state of servers; see :meth:`haproxyadmin.haproxy.HAProxy.servers_state`.

    :param processes: the processes to ask.
    :param backend: (optional) the name of a backend.
    :rtype: list of dict
    :raises haproxyadmin.exceptions.CommandFailed: if no process has this backend.
    """
    def build(process):
        word = None if backend is None else escape_name(backend, process.version)
        require_if_known(process, versions.SERVERS_STATE)
        return Operation(process.endpoint, commands.show_servers_state(word), parse_states)
    members, operations = prepare(processes, build)
    outcomes = run_all(operations)
    if backend is not None and not all(
            isinstance(outcome, CommandFailed) for outcome in outcomes):
        # Not every process has every backend.
        known = [(member, outcome) for member, outcome in zip(members, outcomes)
                 if not isinstance(outcome, CommandFailed)]
        members, outcomes = [list(part) for part in zip(*known)]
    return [dict(state, process_nb=member.process_nb, socket_file=member.socket_file)
            for member, states in zip(members, raise_first_error(outcomes)) for state in states]


def save(processes, path, servers=None, socket=None):
    """Save the state of servers; see :meth:`haproxyadmin.haproxy.HAProxy.save_servers_state`.

    :param processes: the processes that are saved.
    :param path: the file.
    :param servers: (optional) the servers to save, by default all.
    :param socket: (optional) the only process to save.
    :return: True.
    :rtype: bool
    :raises ValueError: for a wrong argument; nothing is written.
    :raises haproxyadmin.exceptions.IncosistentData: if processes differ.
    """
    path = check_file_name(path)
    wanted = None if servers is None else _server_names(servers)
    processes = choose_processes(members_to_change(processes), socket)
    extras = path + '.json'
    added = saved_states.parse_extras(read_file(extras), extras)[1]
    views = read_each(processes, all_states_operation)
    lines = _lines_of(views)
    if wanted is not None:
        lines = _only(lines, wanted)
    for view in reversed(views):
        added.update(view.process.endpoint.added)
    _check_agreement(views, lines)
    maxconns = dict((server, view.maxconns[server]) for view in reversed(views)
                    for server in view.maxconns if server in lines)
    # This one first: without the arguments a server is lost, while those of a server that the other
    # file does not have yet do no harm.
    replace_file(extras, saved_states.format_extras(maxconns, dict(
        (server, added[server]) for server in added if server in lines)))
    replace_file(path, saved_states.format_states(views[0].header, lines.values()))
    return True


def _server_names(servers):
    """Return the names of servers, which a caller passed, as tuples of backend and server."""
    if isinstance(to_native(servers), str) or not hasattr(servers, '__iter__'):
        raise ValueError('servers must be several servers, or texts such as '
                         "'backend/server', got {0!r}".format(servers))
    names = []
    for server in servers:
        if hasattr(server, 'backendname'):
            names.append((server.backendname, server.name))
            continue
        text = to_native(server)
        if not isinstance(text, str):
            raise ValueError("expected a server, or 'backend/server', got {0!r}".format(server))
        names.append(tuple(text.split('/', 1)))
    if not names:
        raise ValueError('servers is empty')
    return names


def _only(lines, wanted):
    """Return the lines of some servers, in HAProxy's order."""
    for server in wanted:
        if server not in lines:
            name = '/'.join(server)
            raise ValueError('no server {0!r}{1}'.format(
                name, suggest_or_list(name, set(map('/'.join, lines)))))
    return collections.OrderedDict(
        (server, line) for server, line in lines.items() if server in set(wanted))


def _lines_of(views):
    """Return the row of each server, of the first process that has it, by names."""
    lines = collections.OrderedDict()
    for view in views:
        for server, line in view.lines.items():
            lines.setdefault(server, line)
    return lines


def _check_agreement(views, lines):
    """Check that the processes have the same, as far as it is saved.

    :param lines: what is saved, by names.
    """
    names = set(map('/'.join, lines))
    differences = [dict((server, fields) for server, fields in found.items() if server in names)
                   for found in compare(views)]
    if any(view.header != views[0].header for view in views):
        # Rows of different versions of HAProxy do not go into one file.
        differences = [view.header for view in views]
    elif not any(differences):
        return
    error = IncosistentData([])
    error.set_results(*results_of((view.process.process_nb, view.process.socket_file, found)
                                  for view, found in zip(views, differences)))
    error.args = (error.results,)
    raise error


def restore(processes, path, socket=None, timeout=5, interval=0.01, progress=None):
    """Restore the state of servers.

    See :meth:`haproxyadmin.haproxy.HAProxy.restore_servers_state`.

    :param processes: the processes that are changed.
    :param path: the file.
    :param socket: (optional) the only process to change.
    :param timeout: (optional) seconds until HAProxy must show the addresses that were set.
    :param interval: (optional) seconds between two looks.
    :param progress: (optional) a function that is called after each look.
    :return: what could not be restored.
    :rtype: list of NotRestored
    :raises ValueError: for a wrong argument or a malformed file; nothing is sent.
    """
    path = check_file_name(path)
    wait = Wait(timeout, interval, progress)
    processes = choose_processes(members_to_change(processes), socket)
    extras = path + '.json'
    with open(path, 'rb') as source:
        saved = saved_states.parse_states(source.read(), path)
    maxconns, added = saved_states.parse_extras(read_file(extras), extras)
    done, failures = collections.OrderedDict(), []
    for _ in range(1 + MOST_RELOADS):
        restorations, not_added = _restore_once(processes, saved, maxconns, added, wait)
        done.update((restoration.process, restoration) for restoration in restorations)
        processes = _replaced(restorations)
        if not processes:
            failures = not_added
            break
        wait = Wait(timeout, interval, progress)
    else:
        raise refused_on(processes[0], REPLACED.format(processes[0].socket_file))
    _raise_error(done.values())
    reported = set(failure.server for failure in failures)
    return failures + [
        failure for failure in missing_servers(done.values(), _all_names(saved, added))
        if failure.server not in reported] + [
            failure for restoration in done.values() for failure in restoration.failures]


def _all_names(saved, added):
    return list(saved) + sorted(server for server in added if server not in saved)


def _restore_once(processes, saved, maxconns, added, wait):
    """Restore the state of servers; return the restorations, and what could not be added."""
    restorations = [Restoration(view, saved, maxconns)
                    for view in read_each(processes, all_states_operation)]
    run_steps(restorations, Restoration.take_out)
    run_steps(restorations, Restoration.move)
    wait_for_addresses(restorations, wait)
    not_added = add_missing(restorations, saved, added)
    _look_again(restorations, added)
    run_steps(restorations, Restoration.settle)
    return restorations, not_added


def _look_again(restorations, added):
    """Read again where servers may have been added."""
    lacking = [restoration for restoration in restorations if restoration.error is None and any(
        server[0] in restoration.view.backends and server not in restoration.view.states
        for server in added)]
    outcomes = run_all([all_states_operation(restoration.process) for restoration in lacking])
    for restoration, outcome in zip(lacking, outcomes):
        if isinstance(outcome, Exception):
            restoration.error = outcome
        else:
            restoration.renew(outcome)


def _replaced(restorations):
    """Return the processes that another one has replaced since their state was read."""
    sent = [restoration for restoration in restorations if restoration.has_sent]
    errors = renew([restoration.process for restoration in sent])
    for restoration in sent:
        restoration.error = restoration.error or errors.get(restoration.process.endpoint)
    return [restoration.process for restoration in sent
            if restoration.process.endpoint.identity is not restoration.identity]


def _raise_error(restorations):
    """Raise the first error of a process, with what the others could not restore."""
    errors = [restoration.error for restoration in restorations if restoration.error is not None]
    if errors:
        if hasattr(errors[0], 'set_results'):
            errors[0].set_results(*results_of(
                (restoration.process.process_nb, restoration.process.socket_file,
                 restoration.failures)
                for restoration in restorations if restoration.error is None))
        raise errors[0]


def __dir__():
    """List what is public; has an effect from Python 3.7 on."""
    return sorted(__all__)
