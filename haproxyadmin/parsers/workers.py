# SPDX-License-Identifier: Apache-2.0
"""Parse what a master says about its workers."""
import collections

from haproxyadmin.exceptions import CommandFailed
from haproxyadmin.imports import Pattern
from haproxyadmin.protocol.replies import Malformed

HEAD = '#<PID>'
_CURRENT, _FORMER = '# workers', '# old workers'
_ROW = Pattern(r'(\d+)\s+(\w+)\s+(?:(\d+)\s+|\[was: (\d+)\]\s+)?(\d+)(?:\s+\[failed: (\d+)\])?\s+'
               r'(\d+)d(\d+)h(\d+)m(\d+)s\s*(\S*)\s*\Z')

# number: which of several workers of one generation, from 1; None from 2.5 on, where there is one.
# reloads: how many the process has survived. failed: how many reloads have failed since the last
# one that succeeded, of a master from 2.6 on; otherwise None.
Process = collections.namedtuple('Process', 'pid kind current number reloads failed uptime version')


def is_workers(lines):
    """Return True if the lines are a reply to ``show proc``, not a refusal."""
    return bool(lines) and lines[0].startswith(HEAD)


def parse_workers(lines):
    """Parse the reply to ``show proc``::

        #<PID>          <type>          <relative PID>  <reloads>       <uptime>        <version>
        9604            master          0               2               0d00h00m02s     2.2.9
        # workers
        9615            worker          1               0               0d00h00m00s     2.2.9
        # old workers
        9611            worker          [was: 1]        1               0d00h00m01s     2.2.9
        # programs

    From 2.5 on there is no column ``<relative PID>``, from 2.6 on the master's reloads are
    ``2 [failed: 0]``. After a reload that failed, the current worker is among the old ones (not
    from 2.6 to 3.0).

    :param lines: the lines of the reply.
    :return: the master, and all workers, those that are current first.
    :rtype: tuple of :class:`Process` and list
    :raises haproxyadmin.protocol.replies.Malformed: for anything else.
    """
    section, master, workers = None, None, []
    if not is_workers(lines):
        raise Malformed('this is not the socket of a master: {0!r}'.format(
            lines[0][:80] if lines else ''))
    for line in lines[1:]:
        if line.startswith('#') or not line:
            section = line
            continue
        match = _ROW.match(line)
        if match is None:
            raise Malformed('not a process of a master: {0!r}'.format(line[:80]))
        found = _process(match, section == _CURRENT)
        if found.kind == 'master':
            master = found
        elif section in (_CURRENT, _FORMER):
            workers.append(found)
    if master is None:
        raise Malformed('the list contains no master')
    if not any(worker.current for worker in workers):
        least = min([worker.reloads for worker in workers] or [0])
        workers = [worker._replace(current=worker.reloads == least) for worker in workers]
    return master, sorted(workers, key=lambda worker: (not worker.current, worker.number or 0))


def _process(match, current):
    pid, kind, number, former_number, reloads, failed = match.groups()[:6]
    number = number or former_number
    days, hours, minutes, seconds = map(int, match.groups()[6:10])
    return Process(
        pid=int(pid), kind=kind, current=current, number=None if number is None else int(number),
        reloads=int(reloads), failed=None if failed is None else int(failed),
        uptime=((days * 24 + hours) * 60 + minutes) * 60 + seconds, version=match.group(11))


def parse_reload(lines):
    """Parse the reply to ``reload``; up to 2.6 it is empty::

        Success=0
        --
        [NOTICE]   (25362) : haproxy version is 3.0.11-1+deb13u5
        [ALERT]    (25362) : config : Fatal errors found in configuration.

    :param lines: the lines of the reply.
    :return: True, False, or None if it does not say so; and what HAProxy has written.
    :rtype: tuple
    :raises haproxyadmin.exceptions.CommandFailed: for any other reply, which is a refusal.
    """
    if not any(lines):
        return None, ''
    if lines[0] not in ('Success=0', 'Success=1'):
        raise CommandFailed(lines[0])
    return lines[0] == 'Success=1', '\n'.join(lines[2:]).strip('\n')
