# SPDX-License-Identifier: Apache-2.0
"""What changes while a program watches; see :meth:`haproxyadmin.haproxy.HAProxy.watch`."""
import collections
import time

from haproxyadmin import imports
from haproxyadmin.combine import join_texts
from haproxyadmin.exceptions import HAProxySocketError
from haproxyadmin.internal.endpoint import MAX_SECONDS
from haproxyadmin.internal.fanout import unchanged
from haproxyadmin.internal.frozen import freeze_operation
from haproxyadmin.internal.grouping import look_at_each, read_identified
from haproxyadmin.internal.waiting import Wait
from haproxyadmin.parsers import stats
from haproxyadmin.parsers.values import converter
from haproxyadmin.protocol.transport import is_our_own, now

__all__ = ['Change']


class Change(collections.namedtuple('Change', 'when kind name field before after')):
    """What :meth:`haproxyadmin.haproxy.HAProxy.watch` has seen change.

    ``when`` is the time, in seconds since the epoch; ``kind`` is ``'process'``, ``'frontend'``,
    ``'backend'`` or ``'server'``; ``name`` that of the proxy, ``'backend/server'``, or the address
    of a process; ``field`` says what has changed; ``before`` and ``after`` what it was and is, None
    for what is not there or not reported.

    The fields of a process are ``'status'``, ``'up'`` or ``'unreachable'``; ``'pid'``, of the
    process that has replaced it, an integer; and ``'version'``. Those of the others are HAProxy's
    ``'status'``, without how many health checks are missing until it changes; of a server also
    ``'weight'``, an integer, except during its slow start, and ``'addr'``. If processes report
    different texts, all of them in order: ``'UP, DOWN'``. ``'processes'`` is how many have it, if
    only some do. What appears or disappears is one change of its status.
    """

    __slots__ = ()


# What was seen last of a process. rows: the texts of each frontend, backend and server, by kind and
# name; None if it has never answered.
_Seen = collections.namedtuple('_Seen', 'name status pid version identity rows')

_UP, _UNREACHABLE = 'up', 'unreachable'
_KINDS = ('frontend', 'backend', 'server')
_FIELDS = {'frontend': ('status',), 'backend': ('status',), 'server': ('status', 'weight', 'addr')}
_PICKED = ('svname', 'status', 'weight', 'addr', 'throttle')
# How often a process is asked again, and after how many seconds, before what it says counts. During
# a reload, a socket may refuse or end a connection, or a worker that is stopping answers, whose
# frontends are closed.
_RETRIES = 2
_PAUSE = 0.1


def watch(list_processes, interval, timeout):
    """Look for the first time; return an iterator of what changes from then on.

    :param list_processes: returns the processes to look at, at each look.
    :param interval: seconds between two looks.
    :param timeout: seconds after the first look until it ends; None for never.
    """
    limits = MAX_SECONDS if timeout is None else timeout, interval, None
    Wait(*limits)  # it checks them before anything is sent
    seen = collections.OrderedDict(
        (process.endpoint.address.key, _see(process, None))
        for process in read_identified(list_processes(), freeze_operation))
    return _follow(list_processes, Wait(*limits), seen)


def _follow(list_processes, wait, seen):
    while wait.pause():
        when = time.time()
        looked = _look(list_processes(), seen, wait)
        # At once, so that no more than one look is in memory while the caller works.
        changes = _compare_processes(seen, looked) + _compare_rows(
            _rows_by_process(seen), _rows_by_process(looked))
        seen = looked
        for change in changes:
            yield Change(when, *change)


# Looking

def _look(processes, before, wait):
    """Return what is seen of each process.

    :param before: what was seen the last time; it stays if a process cannot be reached.
    """
    seen = collections.OrderedDict()
    for process, outcome in _ask(processes, before, wait):
        key = process.endpoint.address.key
        old = before.get(key)
        if not isinstance(outcome, Exception):
            seen[key] = _see(outcome, old)
        elif wait.seconds_left() > 0:
            _log(outcome)
            seen[key] = (old or _Seen(process.socket_file, None, None, None, None, None))._replace(
                status=_UNREACHABLE)
        elif old is not None:
            # It did not have the time to answer.
            seen[key] = old
    return seen


def _ask(processes, before, wait):
    """Return ``(process, outcome)`` of each process."""
    silences = [process.timeout for process in processes]
    deadline = wait.deadline if None in silences else now() + max(silences)
    retries = _RETRIES
    while True:
        asked, outcomes = look_at_each(processes, freeze_operation, min(deadline, wait.deadline))
        for outcome in outcomes:
            if isinstance(outcome, Exception) and (
                    is_our_own(outcome) or not isinstance(outcome, HAProxySocketError)):
                raise outcome
        lost = any(_is_doubtful(outcome) and _is_up(before, process)
                   for process, outcome in zip(asked, outcomes))
        # After a time-out, no time is left.
        if not lost or not retries or not wait.pause(deadline, _PAUSE):
            return zip(asked, outcomes)
        retries -= 1


def _is_doubtful(outcome):
    """Return True for an exception, and for a worker that is stopping: another one takes over."""
    return (isinstance(outcome, Exception)
            or outcome.info_operation(unchanged).get('Stopping') == '1')


def _is_up(seen, process):
    key = process.endpoint.address.key
    return key in seen and seen[key].status == _UP


def _log(error):
    logger = imports.logger()
    if logger is not None:
        logger.info('unreachable: %s', error)


def _see(frozen, old):
    """Return what is seen of a process that has answered.

    :param old: what was seen of it the last time, or None.
    """
    info, dump = frozen.info_operation(unchanged), frozen.dump_operation(unchanged)
    known = old and old.rows or {}
    rows = _read_rows(dump, known)
    return _Seen(frozen.socket_file, _UP, int(info['Pid']), info.get('Version'),
                 frozen.endpoint.identity, known if known == rows else rows)


def _read_rows(dump, known):
    """Return the texts of each frontend, backend and server.

    :param known: the texts of the last time.
    """
    header, simplify = dump.header, stats.without_progress
    rows = {}
    for kind, proxies in (('frontend', dump.frontends), ('backend', dump.backends)):
        for name, picked in zip(proxies, stats.pick(header, proxies.values(), _PICKED)):
            rows[kind, name] = (simplify(picked[1]),)
    for backend, texts in dump.servers.items():
        for server, status, weight, address, throttle in stats.pick(header, texts, _PICKED):
            key = 'server', '{0}/{1}'.format(backend, server)
            if throttle:
                # Its weight rises, slowly.
                weight = known[key][1] if key in known else ''
            rows[key] = simplify(status), weight, address
    return rows


# Comparing

def _compare_processes(before, after):
    changes = []
    for key in list(after) + [key for key in before if key not in after]:
        old, new = before.get(key), after.get(key)
        name = (new or old).name
        statuses = old and old.status, new and new.status
        if statuses[0] != statuses[1]:
            changes.append(('process', name, 'status') + statuses)
        if old and new and old.identity and new.identity is not old.identity:
            # In a container the new one may have the same.
            changes.append(('process', name, 'pid', old.pid, new.pid))
            if old.version != new.version:
                changes.append(('process', name, 'version', old.version, new.version))
    return changes


def _rows_by_process(seen):
    return collections.OrderedDict(
        (key, process.rows) for key, process in seen.items() if process.rows is not None)


def _compare_rows(before, after):
    """Return what has changed in frontends, backends and servers.

    :param before: the rows of each process, in order.
    """
    changes = []
    for kind, name in sorted(_changed(before, after), key=_rank):
        old, new = [[rows[kind, name] for rows in reports.values() if (kind, name) in rows]
                    for reports in (before, after)]
        for number, field in enumerate(_FIELDS[kind]):
            values = [_common(field, [texts[number] for texts in lists]) for lists in (old, new)]
            # Of what appears or disappears, the status is enough.
            if values[0] != values[1] and (number == 0 or (old and new)):
                changes.append((kind, name, field) + tuple(values))
        if old and new and len(old) != len(new) and any(
                ((kind, name) in rows) != ((kind, name) in after[process])
                for process, rows in before.items() if process in after):
            changes.append((kind, name, 'processes', len(old), len(new)))
    return changes


def _changed(before, after):
    """Return kind and name of what is not the same in a process."""
    changed = set()
    for process in set(before).union(after):
        old, new = before.get(process, {}), after.get(process, {})
        # They are the same object, unless something has changed.
        if old is not new:
            changed.update(key for key, texts in new.items() if old.get(key) != texts)
            changed.update(key for key in old if key not in new)
    return changed


def _rank(key):
    kind, name = key
    return _KINDS.index(kind), name


def _common(field, texts):
    """Return what processes report as one value; what is not reported does not count."""
    text = join_texts([text for text in texts if text]) or None
    return converter(text) if text and field == 'weight' else text


def __dir__():
    """List what is public; has an effect from Python 3.7 on."""
    return sorted(__all__)
