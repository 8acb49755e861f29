# SPDX-License-Identifier: Apache-2.0
"""Use the library for several minutes, and check that nothing grows.

Four threads make mixed calls, reads and changes, valid and invalid ones, through
a shared object and through new ones, on four HAProxy instances with traffic.

``soak.py VERSION=HAPROXY ... --minutes N`` prints calls, errors by class,
memory and descriptors; tools/soak calls it.
"""

from __future__ import print_function

import argparse
import collections
import os
import pickle
import random
import sys
import time

from haproxyadmin import haproxy
from haproxyadmin.exceptions import HAProxyBaseError
from tests.support import crew, group, lab
from tests.support.group import ACL, MAP

PROCESSES = 4
THREADS = 4
# The part of the total time after which memory use should be stable.
WARM_UP = 0.1
# The growth of memory use that is allowed after that, in MiB.
GROWTH = 4

EXTRA = """
listen p
    bind "127.0.0.1:${HAPROXYADMIN_PORT_P}"
    server s1 127.0.0.1:${HAPROXYADMIN_PORT_ORIGIN1} weight 10
    server s2 127.0.0.1:${HAPROXYADMIN_PORT_ORIGIN1} weight 20
"""


def _many(action, number):
    keys = ['many%d-%d' % (number, count) for count in range(300)]
    if action == 'add':
        return lambda hap: hap.add_map_entries(MAP, [(key, 'some value') for key in keys])
    return lambda hap: hap.del_map_entries(MAP, keys)


def calls(directory, path, number):
    """Return the calls of a thread by name; each thread uses its own keys."""
    key = 'soak%d' % number
    many = [_many('add', number), _many('del', number)]
    return {
        'info': lambda hap: hap.info(),
        'requests': lambda hap: hap.requests,
        'metrics': lambda hap: hap.metrics(),
        'stats': lambda hap: hap.stats(),
        'frontends': lambda hap: [frontend.status for frontend in hap.frontends()],
        'servers': lambda hap: [server.weight for server in hap.servers()],
        'snapshot': lambda hap: [server.requests for server in hap.snapshot().servers()],
        'pickle': lambda hap: pickle.loads(pickle.dumps(hap)).version,
        'new object': lambda hap: haproxy.HAProxy(socket_dir=directory),
        'show acl': lambda hap: hap.show_acl(ACL),
        'get map': lambda hap: hap.get_map(MAP, '0'),
        'errors': lambda hap: hap.errors(),
        'command': lambda hap: hap.command('show sess'),
        'add and del map': lambda hap: hap.add_map(MAP, key, 'v w') and hap.del_map(MAP, key),
        'add and del acl': lambda hap: hap.add_acl(ACL, key) and hap.del_acl(ACL, key),
        'many entries': lambda hap: [change(hap) for change in many],
        'weight': lambda hap: hap.server('s1')[0].setweight(random.randrange(257)),
        'state': lambda hap: hap.server('s2')[0].setstate(random.choice(['drain', 'ready'])),
        'limit': lambda hap: hap.frontend('p').setmaxconn(random.randrange(100, 1000)),
        'address': lambda hap: setattr(hap.server('s')[0], 'address', '127.0.0.%d' % number),
        'port': lambda hap: setattr(hap.server('s')[0], 'port', 1000 + number),
        'no such ACL': lambda hap: hap.show_acl(12345),
        'no such file': lambda hap: hap.add_map('/no/such/file', 'k', 'v'),
        'no such server': lambda hap: hap.server('nope'),
        'no such socket': lambda hap: haproxy.HAProxy(socket_file=path),
        'a wrong weight': lambda hap: hap.server('s')[0].setweight(257),
        'a wrong key': lambda hap: hap.add_map(MAP, 'a\nb', 'v'),
        'a wrong address': lambda hap: setattr(hap.server('s')[0], 'address', 'nowhere'),
    }


class Soak(crew.Crew):
    """Make mixed calls, and count the calls and the errors."""

    def __init__(self, directory, labs):
        self.counts = collections.Counter()
        self.errors = collections.Counter()
        self.undocumented = []
        self._calls = [sorted(calls(directory, os.path.join(directory, 'nobody'), number).items())
                       for number in range(1, THREADS + 1)]
        self._labs = labs
        self._hap = haproxy.HAProxy(socket_dir=directory, timeout=10)
        super(Soak, self).__init__(THREADS, pause=0.01)

    def work(self, number):
        """Make one of the calls."""
        name, call = random.choice(self._calls[number])
        error = _error_of(call, self._hap)
        with self.lock:
            self.counts[name] += 1
            if error is not None:
                self.errors[name, type(error).__name__] += 1
                if not isinstance(error, (HAProxyBaseError, ValueError)):
                    self.undocumented.append(repr(error))

    def send_traffic(self):
        """Send a request through one of the HAProxy instances."""
        random.choice(self._labs).traffic('p', 1)


def _error_of(call, hap):
    try:
        call(hap)
    except Exception as error:
        return error


def memory():
    """Return the resident memory of this process, in MiB."""
    with open('/proc/self/statm') as numbers:
        return int(numbers.read().split()[1]) * os.sysconf('SC_PAGE_SIZE') / 1024.0 / 1024.0


def main(words):
    """Print the report; return the exit status."""
    parser = argparse.ArgumentParser()
    parser.add_argument('haproxy', nargs='+')
    parser.add_argument('--minutes', type=float)
    options = parser.parse_args(words)
    return max([_report(argument.partition('=')[2], options.minutes)
                for argument in options.haproxy])


def _report(binary, minutes):
    with group.Group(binary, PROCESSES, group.CONFIG + EXTRA) as haproxies:
        return _soak(haproxies, minutes)


def _soak(haproxies, minutes):
    pids = [started.pids[0] for started in haproxies.labs]
    print('HAProxy {0}, {1} processes, {2} threads, {3:g} minutes'.format(
        haproxies.version, PROCESSES, THREADS, minutes))
    print('\n{0:>8}{1:>10}{2:>9}{3:>10}{4:>13}{5:>22}'.format(
        'minute', 'calls', 'errors', 'MiB', 'descriptors', 'those of HAProxies'))
    seconds = minutes * 60
    rows = []
    before = lab.descriptors()
    with Soak(haproxies.directory, haproxies.labs) as soak:
        started = time.time()
        for moment in [WARM_UP] + [part / 10.0 for part in range(2, 11)]:
            time.sleep(max(0, started + moment * seconds - time.time()))
            rows.append((moment * minutes, sum(soak.counts.values()), sum(soak.errors.values()),
                         memory(), lab.descriptors(), sum(map(lab.descriptors, pids))))
            print('{0:8.1f}{1:10}{2:9}{3:10.1f}{4:13}{5:22}'.format(*rows[-1]))
            sys.stdout.flush()
    grown = rows[-1][3] - rows[0][3]
    print('\nBefore the first and after the last call: {0} and {1} descriptors'.format(
        before, lab.descriptors()))
    print('Memory grew by {0:.1f} MiB after minute {1:.1f}'.format(grown, rows[0][0]))
    print('\n{0:20}{1:>10}{2:>10}  {3}'.format('call', 'made', 'errors', 'of class'))
    for name in sorted(soak.counts):
        errors = dict((kind, count) for (call, kind), count in soak.errors.items() if call == name)
        print('{0:20}{1:10}{2:10}  {3}'.format(
            name, soak.counts[name], sum(errors.values()), ', '.join(sorted(errors))))
    print('\nUndocumented exceptions: {0}'.format(len(soak.undocumented)))
    for error in soak.undocumented[:20]:
        print(error)
    flat = grown < GROWTH and lab.descriptors() <= before
    return 0 if flat and not soak.undocumented else 1


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
