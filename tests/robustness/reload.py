# SPDX-License-Identifier: Apache-2.0
"""Reload and restart HAProxy while many threads use the library.

Two HAProxy instances in master-worker mode alternate between two configurations:
one of them has an additional frontend and backend before all others, and another
first server in a backend, so that ids refer to other objects.  Each name has its
own limit or weight, so that a figure of another object is noticed.

``reload.py VERSION=HAPROXY ... --reloads N --restarts N`` prints a table of the
outcomes of the calls of eight threads; tools/reload calls it.  With ``--master``
everything goes through the sockets of the masters, reloads included.
"""

from __future__ import print_function

import argparse
import collections
import random
import socket
import sys
import time

from haproxyadmin import haproxy
from haproxyadmin.exceptions import (CommandFailed, HAProxySocketError, MultipleCommandResults,
                                     NoSuchObject)
from tests.support import crew, group, lab
from tests.support.group import MAP

# Former workers of 2.6.12 sometimes crash on exit, even if only "show info" is sent to them.
CRASHING = ('2.6',)
THREADS = 8
# How many changes are checked after each reload through a master.
CHECKS = 5
HAPROXIES = 2

HEAD = """
global
    stats socket "${HAPROXYADMIN_RUN}/stats.sock" level admin
    maxconn 1000

defaults
    mode http
    timeout connect 1s
    timeout client 5s
    timeout server 5s
"""
EARLY = """
frontend early
    bind "127.0.0.1:${HAPROXYADMIN_PORT_EARLY}"
    maxconn 900
    default_backend early

backend early
    server first 127.0.0.1:9 weight 90
"""
FRONTENDS = """
frontend f1
    bind "127.0.0.1:${HAPROXYADMIN_PORT_F1}"
    maxconn 101
    http-request set-header X-Map "%[path,map(${HAPROXYADMIN_FILES}/v-m1-bk)]"
    default_backend b1

frontend f2
    bind "127.0.0.1:${HAPROXYADMIN_PORT_F2}"
    maxconn 102
    default_backend b2
"""
NEW_SERVER = '    server new 127.0.0.1:${HAPROXYADMIN_PORT_ORIGIN1} weight 91\n'
OLD_SERVER = '    server old 127.0.0.1:${HAPROXYADMIN_PORT_ORIGIN1} weight 11\n'
BACKENDS = """
backend b1
%s    server s1 127.0.0.1:${HAPROXYADMIN_PORT_ORIGIN1} weight 12
    server s2 127.0.0.1:${HAPROXYADMIN_PORT_ORIGIN1} weight 13

backend b2
    server s1 127.0.0.1:${HAPROXYADMIN_PORT_ORIGIN1} weight 21
    server s2 127.0.0.1:${HAPROXYADMIN_PORT_ORIGIN1} weight 22
"""
# The first variant names all ports.
VARIANTS = [HEAD + EARLY + FRONTENDS + BACKENDS % NEW_SERVER,
            HEAD + FRONTENDS + BACKENDS % OLD_SERVER]

LIMITS = {'f1': 101, 'f2': 102, 'early': 900}
WEIGHTS = {('b1', 's1'): 12, ('b1', 's2'): 13, ('b2', 's1'): 21, ('b2', 's2'): 22,
           ('b1', 'new'): 91, ('b1', 'old'): 11, ('early', 'first'): 90}
ALWAYS = [pair for pair in WEIGHTS if pair[1] in ('s1', 's2')]


class Wrong(AssertionError):
    """An answer that belongs to another object, or no answer."""


def _must(condition, *facts):
    if not condition:
        raise Wrong(' '.join(map(repr, facts)))


# The operations of the threads, which check their own outcome.  The arguments are
# a Site and the number of the thread.

def read_frontend(site, number):
    found = random.choice(site.frontends)
    limit = found.maxconn
    _must(limit == HAPROXIES * LIMITS[found.name], found, limit)


def read_server(site, number):
    found = random.choice(site.servers)
    weight = found.weight
    _must(weight == WEIGHTS[found.backendname, found.name], found, weight)


def read_backend(site, number):
    found = random.choice(site.backends)
    names = [server.name for server in found.servers()]
    known = [server for backend, server in WEIGHTS if backend == found.name]
    _must(set(names) <= set(known) and set(['s1', 's2']) <= set(names), found, names)


def read_stats_per_process(site, number):
    found = random.choice(site.servers)
    for _, stats in found.stats_per_process():
        _must((stats['pxname'], stats['svname']) == (found.backendname, found.name), found, stats)


def list_frontends(site, number):
    found = site.hap.frontends()
    names = [frontend.name for frontend in found]
    _must(set(names) <= set(LIMITS) and names.index('f1') < names.index('f2'), names)
    for frontend in found:
        if frontend.name != 'early':
            _must(len(frontend.process_nb) == HAPROXIES, frontend)


def list_servers(site, number):
    found = site.hap.servers()
    pairs = [(server.backendname, server.name) for server in found]
    _must(set(ALWAYS) <= set(pairs) <= set(WEIGHTS), pairs)
    for server in found:
        if (server.backendname, server.name) in ALWAYS:
            _must(len(server.process_nb) == HAPROXIES, server)


def read_snapshot(site, number):
    taken = site.hap.snapshot()
    pairs = [(server.backendname, server.name) for server in taken.servers()]
    _must(set(ALWAYS) <= set(pairs) <= set(WEIGHTS), pairs)
    for server in taken.servers():
        _must(server.weight == WEIGHTS[server.backendname, server.name], server)
        if (server.backendname, server.name) in ALWAYS:
            _must(len(server.process_nb) == HAPROXIES, server)
    _must(set(['f1', 'f2']) <= set(found.name for found in taken.frontends()), taken)
    for found in taken.frontends():
        _must(found.maxconn == len(found.process_nb) * LIMITS[found.name], found)


def read_info(site, number):
    infos = site.hap.info()
    _must(len(infos) == HAPROXIES and all(
        info['Name'] == 'HAProxy' and info['Maxconn'] == '1000' for info in infos), infos)


def read_map(site, number):
    found = site.hap.get_map(MAP, '0')
    _must('value="www.foo.com-0"' in found, found)


def read_rare(site, number):
    """Read the frontend that only one of the configurations has."""
    limit = site.early.maxconn
    _must(limit % LIMITS['early'] == 0, limit)


def set_weight(site, number):
    found = random.choice(site.servers)
    # Set the weight to its current value, as other threads read it.
    _must(found.setweight(WEIGHTS[found.backendname, found.name]) is True)


def set_state(site, number):
    _must(random.choice(site.servers).setstate('ready') is True)


def set_maxconn(site, number):
    found = random.choice(site.frontends)
    _must(found.setmaxconn(LIMITS[found.name]) is True)


def set_limits(site, number):
    _must(site.hap.setmaxconn(1000) is True)


def add_map(site, number):
    _must(site.hap.add_map(MAP, 'thread%d' % number, 'v') is True)


def change_many(site, number):
    pairs = [('many%d' % number, 'v'), ('many%d too' % number, 'v w')]
    _must(site.hap.add_map_entries(MAP, pairs) is True)
    _must(site.hap.del_map_entries(MAP, [key for key, _ in pairs]) is True)


READS = [read_frontend, read_server, read_backend, read_stats_per_process, list_frontends,
         list_servers, read_snapshot, read_info, read_map, read_rare]
CHANGES = [set_weight, set_state, set_maxconn, set_limits, add_map, change_many]

# Legitimate refusals of HAProxy: by a worker that is stopping, and for entries that were lost with
# a former worker.
TRUE_REFUSALS = ('Proxy is disabled.', 'Key not found.')


class Site(lab.Stopped):
    """Two HAProxy instances with masters, and one library object for all threads.

    :param through_masters: the object works through the sockets of the masters, and reloads, too.
    """

    def __init__(self, binary, through_masters=False, **options):
        options.setdefault('retry', 2)
        options.setdefault('retry_interval', 0.1)
        options.setdefault('timeout', 10)
        self.crashed = 0
        # Changes after a reload that a former worker, which still answers, has not got; and those
        # whose outcome is not known.
        self.checked = self.unknown = 0
        self._group = None
        self._turn = 0
        try:
            self._group = group.Group(binary, HAPROXIES, VARIANTS[0], master_worker=True)
            self.version = self._group.version
            self.labs = self._group.labs
            self.masters = [started.master_files[0] for started in self.labs]
            self.through_masters = through_masters
            places = {'master': self.masters} if through_masters else {
                'socket_dir': self._group.directory}
            self.hap = haproxy.HAProxy(**dict(options, **places))
            self.early = self.hap.frontend('early')
            self.frontends = [self.hap.frontend(name) for name in ('f1', 'f2')]
            self.backends = [self.hap.backend(name) for name in ('b1', 'b2')]
            self.servers = [server for backend in self.backends for server in backend.servers()
                            if server.name in ('s1', 's2')]
        except BaseException:
            self.stop()
            raise

    def stop(self):
        """Stop everything; raise lab.LabError if an HAProxy crashed."""
        if self._group:
            if self._group.version in CRASHING:
                self.crashed += sum(started.excuse_workers() for started in self._group.labs)
            self._group.stop()

    def reload(self):
        """Reload every HAProxy with the other configuration."""
        self._next()
        if self.through_masters:
            self._reload_through_masters()
            return
        for started in self.labs:
            started.reload()

    def _reload_through_masters(self):
        """Reload, and check which workers get what is changed afterwards.

        A connection keeps each former worker alive until that is checked.
        """
        former = [started.pids[0] for started in self.labs]
        with self.labs[0].hold('f1', 1), self.labs[1].hold('f1', 1):
            result = self.hap.reload(timeout=60)
            _must(result.succeeded and result.old_pids == former, result, former)
            # For a moment, a former worker may still accept connections on the stats socket.
            lab.wait_until(lambda: [_pid(started) for started in self.labs] == result.new_pids,
                           'the workers {0} answer'.format(result.new_pids))
            pids = result.new_pids
            for started, pid in zip(self.labs, pids):
                started.pids = [pid]
            for number in range(CHECKS):
                self._check_change('turn{0}change{1}'.format(self._turn, number), former)

    def _check_change(self, key, former):
        try:
            self.hap.add_map(MAP, key, 'v')
        except HAProxySocketError as error:
            # Its outcome is not known, so nothing can be said about it.
            self.unknown += 1
            _must(error.socket_file in self.masters, error)
            return
        for started in self.labs:
            _must(' {0} v\n'.format(key) in started.raw('show map ' + MAP), key)
        for master, pid in zip(self.masters, former):
            answer = lab.ask(master, '@!{0}; show map {1}'.format(pid, MAP))
            _must(' {0} v\n'.format(key) not in answer, key, 'reached an old worker')
            self.checked += answer.startswith('0x')

    def restart(self):
        """Restart every HAProxy with the other configuration."""
        self._next()
        for started in self.labs:
            started.restart()

    def _next(self):
        self._turn += 1
        for started in self.labs:
            with open(started.config_file, 'w') as config:
                config.write(VARIANTS[self._turn % 2])


def _pid(started):
    """Return the pid of the process behind the stats socket of a lab."""
    return int(started.raw('show info').split('\nPid: ')[1].split('\n')[0])


class Users(crew.Crew):
    """Users of a site, and traffic through it.

    ``outcomes`` counts the outcomes of calls by phase, by read or change, and by class; ``wrong``
    lists those that were neither a right answer nor a documented exception.
    """

    def __init__(self, site, threads=THREADS):
        self.site = site
        self.phase = 'before'
        self.outcomes = collections.defaultdict(collections.Counter)
        self.statuses = collections.Counter()
        self.wrong = []
        self.slowest = 0
        super(Users, self).__init__(threads, pause=0.005)

    def work(self, number):
        """Read or change something, and check the outcome."""
        operation = random.choice(READS if random.random() < 0.7 else CHANGES)
        phase = self.phase
        started = time.time()
        outcome, wrong = _outcome(operation, self.site, number)
        seconds = time.time() - started
        kind = 'changes' if operation in CHANGES else 'reads'
        with self.lock:
            self.outcomes[phase, kind][outcome] += 1
            self.wrong.extend(wrong)
            self.slowest = max(self.slowest, seconds)

    def send_traffic(self):
        """Send a request through one of the HAProxy instances."""
        started = random.choice(self.site.labs)
        try:
            self.statuses.update(started.traffic(random.choice(['f1', 'f2']), 1))
        except socket.error:
            self.statuses['refused'] += 1


def _outcome(operation, site, number):
    """Return the outcome of a call, and a list of what is wrong with it."""
    try:
        operation(site, number)
        return 'right answer', []
    except NoSuchObject as error:
        # All other objects are in both configurations.
        return 'NoSuchObject', [] if operation is read_rare else [repr(error)]
    except HAProxySocketError as error:
        return type(error).__name__, []
    except (CommandFailed, MultipleCommandResults) as error:
        true = operation in CHANGES and any(words in str(error) for words in TRUE_REFUSALS)
        return type(error).__name__, [] if true else ['{0}: {1}'.format(operation.__name__, error)]
    except Exception as error:
        return type(error).__name__, ['{0}: {1!r}'.format(operation.__name__, error)]


def works(site):
    """Return whether every call works with the object that was used all the time."""
    return all(_outcome(operation, site, 0) == ('right answer', [])
               for operation in READS + CHANGES if operation is not read_rare)


def run(site, reloads, restarts, threads=THREADS):
    """Reload and restart under load; return the Users."""
    # The master of 2.6 accepts no more commands after about 95 reloads without a restart.
    steps = [((number + 1.0) / reloads, 'reload') for number in range(reloads)]
    steps += [((number + 1.0) / restarts, 'restart') for number in range(restarts)]
    with Users(site, threads) as users:
        for _, users.phase in sorted(steps):
            getattr(site, users.phase)()
    return users


def main(words):
    """Print the table; return the exit status."""
    parser = argparse.ArgumentParser()
    parser.add_argument('haproxy', nargs='+')
    parser.add_argument('--reloads', type=int)
    parser.add_argument('--restarts', type=int)
    parser.add_argument('--master', action='store_true')
    options = parser.parse_args(words)
    return max([_print_table(argument.partition('=')[2], options.reloads, options.restarts,
                             options.master) for argument in options.haproxy])


def _print_table(binary, reloads, restarts, through_masters):
    started = time.time()
    with Site(binary, through_masters) as site:
        before = lab.descriptors()
        users = run(site, reloads, restarts)
        after = lab.descriptors()
        last = works(site)
    print('\nHAProxy {0}, {1} masters{2}, {3} reloads and {4} restarts in {5:.0f} s'.format(
        site.version, HAPROXIES, ', through their sockets' if through_masters else '', reloads,
        restarts, time.time() - started))
    print('{0} threads with one object, retry=2, retry_interval=0.1\n'.format(THREADS))
    columns = [(phase, kind) for phase in ('reload', 'restart') for kind in ('reads', 'changes')]
    print('{0:24}'.format('') + ''.join('{0:>18}'.format('{1}, {0}'.format(*column))
                                        for column in columns))
    for outcome in sorted(set(name for counts in users.outcomes.values() for name in counts),
                          key=lambda name: (name != 'right answer', name)):
        print('{0:24}'.format(outcome) + ''.join(
            '{0:18}'.format(users.outcomes[column][outcome]) for column in columns))
    print('\nRequests through it: {0}'.format(', '.join(
        '{0} {1}'.format(*pair) for pair in sorted(users.statuses.items(), key=str))))
    print('Former workers that crashed: {0}'.format(site.crashed))
    if through_masters:
        print('Changes after a reload that no former worker has: {0}; not known: {1}'.format(
            site.checked, site.unknown))
    print('Slowest call: {0:.1f} s'.format(users.slowest))
    print('Descriptors before and after: {0}, {1}'.format(before, after))
    print('Afterwards, with the same object: {0}'.format('all works' if last else 'BROKEN'))
    print('Wrong answers: {0}'.format(len(users.wrong)))
    for wrong in users.wrong[:20]:
        print(wrong)
    return 1 if users.wrong or not last or after > before else 0


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
