# SPDX-License-Identifier: Apache-2.0
"""Follow what changes while servers flap, and HAProxy is reloaded and restarted.

A server of two HAProxies goes out of rotation and comes back ten times a second. Meanwhile they are
reloaded with the other of two configurations, and sometimes restarted. Each change that
``hap.watch()`` yields must continue the one before, and what is known at the end must be what
HAProxy says.

``watch.py VERSION=HAPROXY ... --minutes N`` prints changes, memory and descriptors; tools/watch
calls it.
"""

from __future__ import print_function

import argparse
import collections
import socket
import sys
import time

from tests.robustness import reload
from tests.robustness.soak import GROWTH, WARM_UP, memory
from tests.support import crew, lab

INTERVAL = 0.02
FLAPPING = ('b1', 's1')
# What is set at the end, one after the other. Once the second one is seen, all of the look that saw
# the first one has been, too.
LAST = ('server', 'b2/s2', 'weight')
LAST_VALUES = (98, 99)
# Seconds until that must have been seen.
PATIENCE = 120


class Disturbance(crew.Crew):
    """Sets a server out and back ten times a second, reloads and restarts.

    :param site: a :class:`tests.robustness.reload.Site`.
    :param pause: seconds between two reloads.
    :param every: after how many reloads there is a restart.
    """

    def __init__(self, site, pause, every):
        self.counts = collections.Counter()
        self._site = site
        self._reload_pause, self._every = pause, every
        super(Disturbance, self).__init__(1, pause=0.05)

    def send_traffic(self):
        """Set the server out of rotation, or back."""
        self.counts['flaps'] += 1
        state = ('maint', 'ready')[self.counts['flaps'] % 2]
        for started in self._site.labs:
            set_server(started, FLAPPING, 'state ' + state)

    def work(self, number):
        """Reload or restart, after a pause."""
        if self._stopping.wait(self._reload_pause):
            return
        self.counts['reloads'] += 1
        if self.counts['reloads'] % self._every:
            self._site.reload()
        else:
            self.counts['restarts'] += 1
            self._site.restart()


def set_server(started, server, setting):
    try:
        started.raw('set server {0}/{1} {2}'.format(*(server + (setting,))))
    except socket.error:
        pass  # it is reloaded or restarted


class Ledger(object):
    """What is known from changes.

    ``wrong`` lists the changes that do not continue what was known.

    :param known: what was so before; see :func:`described`.
    """

    def __init__(self, known):
        self.known = dict(known)
        self.counts = collections.Counter()
        self.wrong = []

    def enter(self, change):
        """Note a change."""
        self.counts[change.kind, change.field] += 1
        key = change[1:4]
        if change.before == change.after or (
                key in self.known and self.known[key] != change.before) or (
                key not in self.known and change.field == 'status' and change.before is not None):
            self.wrong.append(change)
        self.known[key] = change.after
        if change.after is None and change.field == 'status':
            # All else is not known any more, either.
            for other in [other for other in self.known if other[:2] == key[:2]]:
                del self.known[other]


def described(hap):
    """Return what HAProxy says: values by kind, name and field."""
    found = {}
    for row in hap.stats():
        name = row['pxname'] + ('/' + row['svname'] if row['type'] == 'server' else '')
        fields = ('weight', 'addr') if row['type'] == 'server' else ()
        for field in ('status', 'processes') + fields:
            found[row['type'], name, field] = row[field]
    for info, (address, _) in zip(hap.info(), hap.metric_per_socket('Maxconn')):
        found['process', address, 'pid'] = int(info['Pid'])
        found['process', address, 'version'] = info['Version']
        found['process', address, 'status'] = 'up'
    return found


def follow(site, seconds, pause, every, report=None):
    """Follow what changes for a while.

    :param report: (optional) is called with the seconds that have passed, a :class:`Ledger` and a
        :class:`Disturbance` after each change.
    :return: both.
    """
    ledger = Ledger(described(site.hap))
    changes = site.hap.watch(interval=INTERVAL, timeout=seconds + PATIENCE)
    started = time.time()
    with Disturbance(site, pause, every) as disturbance:
        for change in changes:
            ledger.enter(change)
            if report is not None:
                report(time.time() - started, ledger, disturbance)
            if time.time() > started + seconds:
                break
    for value in LAST_VALUES:
        for one in site.labs:
            set_server(one, FLAPPING, 'state ready')
            set_server(one, ('b2', 's2'), 'weight {0}'.format(value))
        for change in changes:
            ledger.enter(change)
            if change[1:4] == LAST and change.after == value:
                break
    return ledger, disturbance


def differences(ledger, hap):
    """Return what is not as the changes say."""
    real = described(hap)
    return [(key, ledger.known.get(key), real.get(key))
            for key in sorted(set(ledger.known).union(real), key=repr)
            if ledger.known.get(key) != real.get(key)
            # What else there is of something that has appeared is not yielded.
            and (key in ledger.known or key[2] == 'status')]


class Report(object):
    """Prints memory and descriptors from time to time."""

    def __init__(self, minutes):
        self.rows = []
        self._moments = [part * minutes for part in [WARM_UP] + [
            number / 10.0 for number in range(2, 11)]]
        print('\n{0:>8}{1:>9}{2:>9}{3:>10}{4:>10}{5:>10}{6:>13}'.format(
            'minute', 'flaps', 'reloads', 'restarts', 'changes', 'MiB', 'descriptors'))

    def __call__(self, seconds, ledger, disturbance):
        if self._moments and seconds >= self._moments[0] * 60:
            counts = disturbance.counts
            self.rows.append((self._moments.pop(0), counts['flaps'],
                              counts['reloads'] - counts['restarts'], counts['restarts'],
                              sum(ledger.counts.values()), memory(), lab.descriptors()))
            print('{0:8.1f}{1:9}{2:9}{3:10}{4:10}{5:10.1f}{6:13}'.format(*self.rows[-1]))
            sys.stdout.flush()


def main(words):
    """Print the report; return the exit status."""
    parser = argparse.ArgumentParser()
    parser.add_argument('haproxy', nargs='+')
    parser.add_argument('--minutes', type=float)
    options = parser.parse_args(words)
    return max([_report(argument.partition('=')[2], options.minutes)
                for argument in options.haproxy])


def _report(binary, minutes):
    with reload.Site(binary) as site:
        print('HAProxy {0}, 2 processes, {1:g} minutes, a look each {2:g} s'.format(
            site.version, minutes, INTERVAL))
        before = lab.descriptors()
        report = Report(minutes)
        ledger, disturbance = follow(site, minutes * 60, 3, 10, report)
        after = lab.descriptors()
        wrong = differences(ledger, site.hap)
    grown = report.rows[-1][5] - report.rows[0][5]
    print('\nBefore the first and after the last look: {0} and {1} descriptors'.format(
        before, after))
    print('Memory grew by {0:.1f} MiB after minute {1:.1f}\n'.format(grown, report.rows[0][0]))
    for (kind, field), count in sorted(ledger.counts.items()):
        print('{0:10}{1:10}{2:10}'.format(kind, field, count))
    print('\nChanges that do not continue the one before: {0}'.format(len(ledger.wrong)))
    print('What is known at the end and is not so: {0}'.format(len(wrong)))
    for problem in ledger.wrong[:20] + wrong[:20]:
        print(problem)
    return 0 if grown < GROWTH and after <= before and not ledger.wrong and not wrong else 1


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
