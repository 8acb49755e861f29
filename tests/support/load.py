# SPDX-License-Identifier: Apache-2.0
"""Steady traffic through HAProxy, and what became of its requests.

::

    with load.Load([haproxy.ports['front1']], path='/hold/0.05') as traffic:
        traffic.wait_for(100)
        counts = traffic.stop()
    assert not counts.failed, counts.reasons
"""

import collections
import json
import subprocess
import sys

from tests.support import ROOT, lab

# What became of the requests: how many were sent; are not answered yet; were answered
# completely; and failed, because there was no complete answer within 30 seconds or its status
# was 5xx.  ``raced`` counts those that were sent again, because HAProxy closed an idle connection
# before it read them.  ``statuses``, ``origins`` and ``reasons`` are dicts of the numbers of
# answers by status and by port of the origin (of ``/hold/``, None if HAProxy answered), and of
# failures by reason: a status, the name of an error, or some words.
Counts = collections.namedtuple(
    'Counts', 'sent open answered failed raced statuses origins reasons')
KINDS = ('once', 'keepalive', 'cookie')


class Load(lab.Stopped):
    """Clients that send requests from a background process until ``stop()``.

    :param ports: the ports of 127.0.0.1 to which they send in turn.
    :param rate: the number of requests in a second.
    :param path: the path of the requests, see :class:`lab.Origins`.
    :param kinds: the kinds of clients, of which each sends as many requests: ``once`` (a
        connection for each request), ``keepalive`` (connections that only HAProxy closes),
        ``cookie`` (likewise, with the last cookie that HAProxy has set).
    """

    def __init__(self, ports, rate=200, path='/hold/0.05', kinds=KINDS):
        arguments = [str(rate), path, ','.join(kinds)] + [str(port) for port in ports]
        self._process = lab.spawn(
            [sys.executable, '-E', '-B', '-m', 'tests.support.clients'] + arguments,
            cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self._last = None

    def counts(self):
        """Return the :class:`Counts` until now."""
        return self._last or self._ask('counts')

    def wait_for(self, count):
        """Wait until that many more requests have been answered or have failed."""
        before = self.counts()
        enough = before.sent - before.open + count
        lab.wait_until(lambda: self._ended() >= enough, '%s requests' % count)

    def stop(self):
        """Send no more, wait for all answers, and return the final :class:`Counts`."""
        if not self._last:
            try:
                self._last = self._ask('stop')
            finally:
                self._process.stdin.close()
                self._process.stdout.close()
                self._process.wait()
        return self._last

    def _ended(self):
        counts = self.counts()
        return counts.sent - counts.open

    def _ask(self, command):
        self._process.stdin.write((command + '\n').encode('ascii'))
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise lab.LabError('the clients ended')
        return as_counts(json.loads(line.decode('ascii')))


def as_counts(found):
    """Return the :class:`Counts` of what the program has written."""
    statuses = by_number(found['statuses'])
    reasons = dict(found['reasons'])
    reasons.update((status, number) for status, number in statuses.items() if status >= 500)
    return Counts(found['sent'], found['open'], sum(statuses.values()), sum(reasons.values()),
                  found['raced'], statuses, by_number(found['origins']), reasons)


def by_number(figures):
    return dict((None if name == 'null' else int(name), figure)
                for name, figure in figures.items())
