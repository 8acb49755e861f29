# SPDX-License-Identifier: Apache-2.0
"""Measure calls to many HAProxy instances at once, on Unix sockets and over TCP.

A few of them are real; the others are fakes that send the replies of one of these, see
fleet_server.py.  Plain sockets that send the same commands at once are the floor, see
fleet_client.py.
"""

import collections
import contextlib
import itertools
import json
import os
import re
import resource
import statistics
import subprocess
import sys
import tempfile

from lib.report import Goal, progress, seconds_in_words, times_in_words
from lib.workers import Failed
from tests.support import lab, relay, ways

HERE = os.path.dirname(os.path.abspath(__file__))
CLIENT = os.path.join(HERE, 'fleet_client.py')
SERVER = os.path.join(HERE, 'fleet_server.py')

REAL = 4
# The goals are for a call to so many.
CHOSEN = 256
# Seconds that a busy machine may take, where no time-out is measured.
PATIENCE = 30
BACKENDS, SERVERS = 20, 5
LIBRARY, SOCKETS = 'library', 'sockets'
CLOCKS = 'wall', 'cpu'
UNIX, TCP, MASTER = 'Unix', 'TCP', 'master'
CONSTRUCTOR, REQUESTS, SETWEIGHT = 'constructor', 'requests', 'setweight'

# The one that fails or is slow is one of so many.
SAMPLE = 64
TIMEOUT = 0.5
SLOW = 0.05
LEFT_OUT, SLOW_ONE, HANGS, STALLS, REFUSES = (
    'is dead from the start and left out',
    'answers after 50 ms',
    'never answers',
    'accepts no connection',
    'refuses connections',
)
WITH, WITHOUT = 'with it', 'without it'

# What is done to it, what is measured, and how many calls at least.
Case = collections.namedtuple('Case', 'change work calls')
CASES = {
    LEFT_OUT: Case(None, 'requests', 100),
    SLOW_ONE: Case(['answer', SLOW], 'requests', None),
    HANGS: Case(['answer', 1000], 'failing_requests', None),
    # It does not recover from these.
    STALLS: Case(['stall'], 'failing_requests', None),
    REFUSES: Case(['refuse'], 'failing_requests', None),
}

# All of them answer that late where descriptors are counted, so that as many as may be are open.
LATE = 0.03
MOST_CONNECTIONS = 256
FEW_FILES = 256


class Real(lab.Stopped):
    """Real HAProxy instances, each with a master and with stats sockets on a path and on a port."""

    def __init__(self, binary, count):
        self._labs = []
        try:
            for _ in range(count):
                self._labs.append(lab.Lab(binary, config=config(), master_worker=True))
        except BaseException:
            self.stop()
            raise
        self.addresses = {
            UNIX: [started.socket_files[0] for started in self._labs],
            TCP: [f'127.0.0.1:{started.stats_ports[0]}' for started in self._labs],
        }
        self.masters = [started.master_files[0] for started in self._labs]
        self.version = self.ask('show info').split('Version: ')[1].split('\n')[0]

    def ask(self, command):
        """Return the reply of the first one."""
        return self._labs[0].raw(command)

    def stop(self):
        """Stop all of them."""
        for started in self._labs:
            started.stop()


def config():
    """Return the configuration of a real HAProxy."""
    text = ['global', 'nbthread 1', 'stats socket "${HAPROXYADMIN_RUN}/haproxy.sock" level admin']
    text += [ways.stats_ports(1), 'defaults', 'mode http']
    text += [f'timeout {what} 1s' for what in ('connect', 'client', 'server')]
    text += ['frontend web', 'bind "127.0.0.1:${HAPROXYADMIN_PORT_WEB}"']
    for backend in range(BACKENDS):
        text.append(f'backend backend_{backend:04d}')
        text += [f'server server_{server:02d} 127.0.0.1:1' for server in range(SERVERS)]
    return '\n'.join(text).replace('${HAPROXYADMIN_LEVEL}', 'admin') + '\n'


class Fakes(lab.Stopped):
    """Fakes, in a process of their own.

    :param recorded: what they answer: ``{command: reply}``.
    :param directory: a directory for their sockets.
    """

    def __init__(self, count, recorded, directory):
        needed, limit = 2 * count + 1024, resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        if 0 <= limit < needed:
            raise Failed(f'{count} fakes need {needed} open files; ulimit -Hn says {limit}')
        path = os.path.join(directory, 'replies.json')
        with open(path, 'w', encoding='latin-1') as file:
            json.dump(recorded, file)
        self._process = subprocess.Popen(
            [sys.executable, SERVER, str(count), directory, path],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            encoding='utf-8',
        )
        found = self._answer()
        if not found:
            raise Failed('the fakes do not start')
        found = json.loads(found)
        self.addresses = {
            UNIX: found['sockets'],
            TCP: [f'127.0.0.1:{port}' for port in found['ports']],
        }

    def change(self, *words):
        """Change how fakes behave, see fleet_server.py."""
        self._process.stdin.write(' '.join(map(str, words)) + '\n')
        self._process.stdin.flush()
        if not self._answer():
            raise Failed('the fakes have ended')

    def stop(self):
        """Stop all of them."""
        self._process.stdin.close()
        self._process.stdout.close()
        self._process.wait()

    def _answer(self):
        return self._process.stdout.readline()


class Clients:
    """The programs that are measured: the library, and plain sockets.

    :param workers: for each subject a :class:`lib.workers.Worker`, which is stopped at the end.
    :param rounds: how often each is measured.
    :ivar commands: for each way and work, the commands that the library sends to an address.
    """

    def __init__(self, workers, rounds):
        self.rounds = rounds
        self.commands = collections.defaultdict(dict)
        self._workers = workers

    def __enter__(self):
        return self

    def __exit__(self, *error):
        for worker in self._workers.values():
            worker.stop()

    def another(self):
        """Return another worker for the library."""
        return self._workers[LIBRARY].another(CLIENT)

    def make(self, subject, name, options):
        """Make what is measured under a name; return facts about it."""
        return make(self._workers[subject], subject, name, options)

    def do(self, name, work):
        """Have the library do a work once."""
        self._workers[LIBRARY].ask(asked('do', LIBRARY, name, work))

    def take(self, name, way, works, subjects=(LIBRARY, SOCKETS), repeats=None):
        """Yield each work and subject with its times: ``{'wall': seconds, 'cpu': seconds}``."""
        for work in works:
            for subject in subjects:
                request = asked('time', subject, name, work)
                request.update(commands=self.commands[way].get(work), repeats=repeats)
                yield work, subject, self._workers[subject].ask(request)


def asked(action, subject, name, work=None):
    """Return a request."""
    return {'action': action, 'subject': subject, 'name': name, 'work': work}


def make(worker, subject, name, options):
    """Have a worker make what is measured under a name; return facts about it."""
    return worker.ask(dict(asked('make', subject, name), options=options))


def medians(times):
    """Return the medians of times: ``{key: {'wall': seconds, 'cpu': seconds}}``."""
    return {
        key: {clock: statistics.median(taken[clock] for taken in of_key) for clock in CLOCKS}
        for key, of_key in times.items()
    }


# What is measured


def measure(binary, library, sockets, options):
    """Measure everything and return it, as a dictionary for JSON.

    :param library: a worker whose interpreter finds the library.
    :param sockets: a worker with the same interpreter.
    """
    counts = sorted(set(options.fleet))
    workers = {LIBRARY: library.another(CLIENT), SOCKETS: sockets.another(CLIENT)}
    with contextlib.ExitStack() as stack:
        clients = stack.enter_context(Clients(workers, options.rounds))
        directory = stack.enter_context(tempfile.TemporaryDirectory(prefix='haproxyadmin-'))
        progress('starting HAProxy')
        real = stack.enter_context(Real(binary, REAL))
        record(clients, real, directory)
        replies = {
            command: real.ask(command.rstrip('\n'))
            for work in (CONSTRUCTOR, REQUESTS)
            for command in clients.commands[UNIX][work]
        }
        number = max(max(counts) - REAL, SAMPLE)
        fakes = stack.enter_context(Fakes(number, replies, directory))
        addresses = {way: real.addresses[way] + fakes.addresses[way] for way in (UNIX, TCP)}
        report = {
            'haproxy': real.version,
            'rounds': options.rounds,
            'real': REAL,
            'sizes': take_sizes(clients, addresses, counts),
            'few': take_few(clients, real),
            'descriptors': take_descriptors(clients, fakes, addresses, max(counts)),
        }
        # The last, because some of the fakes do not survive it.
        report['one'] = take_one(clients, fakes)
    return report


def record(clients, real, directory):
    """Find out which commands the library sends for each work."""
    direct = os.path.join(directory, 'direct')
    with relay.Relays(direct, real.addresses[UNIX][:1]) as relays:
        record_way(clients, UNIX, relays, {'addresses': [direct]})
    clients.commands[TCP] = clients.commands[UNIX]
    through = os.path.join(directory, 'through')
    with relay.Relays(through, real.masters[:1]) as relays:
        path = os.path.join(through, os.path.basename(real.masters[0]))
        record_way(clients, MASTER, relays, {'master': path})


def record_way(clients, way, relays, options):
    """Find out which commands the library sends on one way, to one process."""
    clients.make(LIBRARY, 'recorded', options)
    # What a work asks only once is not recorded.
    clients.do('recorded', SETWEIGHT)
    for work in (CONSTRUCTOR, REQUESTS, SETWEIGHT):
        relays.forget()
        clients.do('recorded', work)
        (commands,) = relays.commands()
        # Before a change, the library asks a master which process is the worker, on the same
        # connection. Here the worker is addressed by its number, which all masters understand.
        lines = b''.join(commands).decode('latin-1').splitlines(keepends=True)
        clients.commands[way][work] = [re.sub(r'^@!\d+', '@1', line) for line in lines]


def take_sizes(clients, addresses, counts):
    """Return the times of one call to so many addresses, as a list of dictionaries."""
    names = {}
    for count in counts:
        for way in (UNIX, TCP):
            names[count, way] = f'{count} {way}'
            options = {'addresses': addresses[way][:count]}
            found = clients.make(LIBRARY, names[count, way], dict(options, timeout=PATIENCE))
            if found != {'processes': count, 'left out': 0}:
                raise Failed(f'of {count} addresses the library finds {found}')
            clients.make(SOCKETS, names[count, way], options)
    times = collections.defaultdict(list)
    for number in range(clients.rounds):
        for (count, way), name in names.items():
            progress(f'round {number + 1} of {clients.rounds}: {name}')
            for work, subject, taken in clients.take(name, way, [CONSTRUCTOR, REQUESTS]):
                times[count, way, work, subject].append(taken)
    found = medians(times)
    return [
        dict(subjects_of(found, (count, way, work)), count=count, way=way, work=work)
        for work in (CONSTRUCTOR, REQUESTS)
        for count in counts
        for way in (UNIX, TCP)
    ]


def subjects_of(found, key):
    """Return the times of each subject."""
    return {subject: found[key + (subject,)] for subject in (LIBRARY, SOCKETS)}


def take_few(clients, real):
    """Return the times of calls to the real ones alone, also through their masters."""
    ways_to_go = {
        UNIX: {'addresses': real.addresses[UNIX]},
        TCP: {'addresses': real.addresses[TCP]},
        MASTER: {'master': real.masters},
    }
    for way, options in ways_to_go.items():
        clients.make(LIBRARY, f'few {way}', dict(options, timeout=PATIENCE))
        plain = {'addresses': real.masters, 'half_close': True} if way == MASTER else options
        clients.make(SOCKETS, f'few {way}', plain)
    times = collections.defaultdict(list)
    for number in range(clients.rounds):
        progress(f'round {number + 1} of {clients.rounds}: {REAL} HAProxies')
        for way in ways_to_go:
            for work, subject, taken in clients.take(f'few {way}', way, [REQUESTS, SETWEIGHT]):
                times[way, work, subject].append(taken)
    found = medians(times)
    return [
        dict(subjects_of(found, (way, work)), way=way, work=work)
        for work in (REQUESTS, SETWEIGHT)
        for way in ways_to_go
    ]


def take_descriptors(clients, fakes, addresses, count):
    """Return the most descriptors that a call has open, without and with a lower limit."""
    found = []
    # The real ones answer at once, which makes no difference to the most.
    fakes.change('answer', LATE)
    for files in (None, FEW_FILES):
        with clients.another() as worker:
            limit = worker.ask(dict(asked('limit', LIBRARY, 'limit'), files=files))['files']
            for way in (UNIX, TCP):
                progress(f'descriptors: {count}, {way}, ulimit -n {limit}')
                options = {'addresses': addresses[way][:count], 'timeout': PATIENCE}
                made = make(worker, LIBRARY, way, options)
                _, most = worker.watch(asked('do', LIBRARY, way, REQUESTS))
                found.append(
                    {
                        'count': count,
                        'way': way,
                        'files': limit,
                        'processes': made['processes'],
                        'most': most,
                        'allowed': min(MOST_CONNECTIONS, limit // 2),
                    }
                )
    fakes.change('answer', 0)
    return found


def take_one(clients, fakes):
    """Return the times of calls to several, of which one is dead or slow, and without it."""
    found = []
    ill = SAMPLE // 2
    dead = {UNIX: os.path.join(os.path.dirname(fakes.addresses[UNIX][0]), 'none.sock')}
    with contextlib.closing(lab.Port()) as port:
        dead[TCP] = f'127.0.0.1:{port.number}'
        for way in (UNIX, TCP):
            make_one(clients, way, fakes.addresses[way][:SAMPLE], ill, dead[way])
        for name, case in CASES.items():
            if case.change:
                fakes.change(*case.change, ill)
            found += take_case(clients, name, case)
            if case.change and case.change[0] == 'answer':
                fakes.change('answer', 0, ill)
    return found


def make_one(clients, way, addresses, ill, dead):
    """Make objects with an address that will be ill, with one that is dead, and without."""
    others = addresses[:ill] + addresses[ill + 1 :]
    # A call that fails is not repeated.
    options = {'retry': None, 'timeout': TIMEOUT}
    clients.make(LIBRARY, f'{WITH} {way}', dict(options, addresses=addresses))
    clients.make(LIBRARY, f'{WITHOUT} {way}', dict(options, addresses=others))
    options.update(addresses=others + [dead], allow_missing=True)
    made_so = clients.make(LIBRARY, f'{LEFT_OUT} {way}', options)
    if made_so != {'processes': len(others), 'left out': 1}:
        raise Failed(f'of a dead address the library makes {made_so}')


def take_case(clients, name, case):
    """Return the times of one case, with the address in question and without it."""
    times = collections.defaultdict(list)
    for number in range(clients.rounds):
        for way in (UNIX, TCP):
            progress(f'round {number + 1} of {clients.rounds}: {name}, {way}')
            calls = case.calls if clients.rounds > 1 else None
            for which, made_as, work in (
                (WITHOUT, WITHOUT, REQUESTS),
                (WITH, name if name == LEFT_OUT else WITH, case.work),
            ):
                subject = f'{made_as} {way}'
                for _, _, taken in clients.take(subject, way, [work], [LIBRARY], calls):
                    times[way, which].append(taken)
    found = medians(times)
    return [
        {'case': name, 'way': way, WITH: found[way, WITH], WITHOUT: found[way, WITHOUT]}
        for way in (UNIX, TCP)
    ]


# What is reported


def goals(report):
    """Return the goals for fleets with the measured values, as a list of Goal."""
    return (
        size_goals(report['sizes'])
        + few_goals(report['few'])
        + one_goals(report['one'])
        + descriptor_goals(report['descriptors'])
    )


def size_goals(sizes):
    """Return the goals for a call to many addresses: its cost, and how that grows."""
    counts = sorted({size['count'] for size in sizes})
    chosen = CHOSEN if CHOSEN in counts else counts[-1]
    seconds = {
        (size['work'], size['way'], size['count'], subject): wall(size, subject)
        for size in sizes
        for subject in (LIBRARY, SOCKETS)
    }
    found = []
    for way in (UNIX, TCP):
        factor = seconds[REQUESTS, way, chosen, LIBRARY] / seconds[REQUESTS, way, chosen, SOCKETS]
        text = f'{REQUESTS}, {chosen:,} addresses on {way} / plain sockets at once'
        found.append(Goal(text, factor, 1.5, '', True))
    if len(counts) == 1:
        return found
    few, many = counts[-2:]
    for work, way in itertools.product((REQUESTS, CONSTRUCTOR), (UNIX, TCP)):
        each = [seconds[work, way, count, LIBRARY] / count for count in (few, many)]
        text = f'{work}, time of each of {many:,} on {way} / of each of {few:,}'
        found.append(Goal(text, each[1] / each[0], 1.5, '', True))
    return found


def few_goals(few):
    """Return the goals for TCP and for masters, compared with Unix sockets."""
    limits = {(TCP, REQUESTS): 1.3, (MASTER, REQUESTS): 2, (MASTER, SETWEIGHT): 2}
    times = {(row['work'], row['way']): wall(row, LIBRARY) for row in few}
    return [
        Goal(
            f'{work}, {REAL} HAProxies, {way} / {UNIX}',
            times[work, way] / times[work, UNIX],
            limit,
            '',
            True,
        )
        for (way, work), limit in limits.items()
    ]


def one_goals(one):
    """Return the goals for calls if one of several is dead or slow: the worst of all ways."""
    found = []
    for case in CASES:
        rows = [row for row in one if row['case'] == case]
        if case in (HANGS, STALLS):
            unit = 'the time-out'
            factor = max(wall(row, WITH) for row in rows) / TIMEOUT
        elif case == SLOW_ONE:
            unit = '50 ms'
            factor = max(wall(row, WITH) / max(SLOW, wall(row, WITHOUT)) for row in rows)
        else:
            unit = 'a call without it'
            factor = max(wall(row, WITH) / wall(row, WITHOUT) for row in rows)
        found.append(Goal(f'one of {SAMPLE} {case}: a call / {unit}', factor, 1.1, '', True))
    return found


def descriptor_goals(descriptors):
    """Return the goals for the number of open descriptors, without and with a lower limit."""
    return [
        Goal(
            f'descriptors of a call to {row["count"]:,} on {row["way"]}, ulimit -n {row["files"]}',
            row['most'],
            row['allowed'],
            '',
            True,
        )
        for row in descriptors
    ]


def wall(row, which):
    """Return a time in seconds."""
    return row[which]['wall']


def title(report):
    """Return what was measured, as text."""
    return (
        'HAProxy {haproxy}, {real} instances with {backends} backends x {servers} servers, and '
        'fakes; Python {python}, {cpus} CPUs, load {load:.1f}; medians of {rounds} rounds'
    ).format(backends=BACKENDS, servers=SERVERS, **report)


def tables(report):
    """Return the tables to print: pairs of title and rows."""
    return [
        ('One call to many addresses', size_rows(report['sizes'])),
        (f'{REAL} HAProxies, on three ways', few_rows(report['few'])),
        (f'One of {SAMPLE} addresses is dead or slow', one_rows(report['one'])),
    ]


def size_rows(sizes):
    """Return the table of calls to many addresses."""
    rows = [
        ['call', 'addresses', 'on']
        + ['sockets at once', 'library', 'library / sockets', 'library, each']
        + ['CPU: sockets', 'library', 'library / sockets']
    ]
    for size in sizes:
        clocks = [[size[subject][clock] for subject in (SOCKETS, LIBRARY)] for clock in CLOCKS]
        (sockets, library), (cpu_sockets, cpu_library) = clocks
        rows.append(
            [size['work'], f'{size["count"]:,}', size['way']]
            + [seconds_in_words(sockets), seconds_in_words(library)]
            + [times_in_words(library, sockets), seconds_in_words(library / size['count'])]
            + [seconds_in_words(cpu_sockets), seconds_in_words(cpu_library)]
            + [times_in_words(cpu_library, cpu_sockets)]
        )
    return rows


def few_rows(few):
    """Return the table of the ways to the real ones."""
    direct = {row['work']: row for row in few if row['way'] == UNIX}
    rows = [['call', 'way']]
    for subject in ('sockets at once', 'library'):
        rows[0] += [subject, f'/ on {UNIX}']
    rows[0] += ['CPU: sockets', 'library']
    for row in few:
        cells = [row['work'], row['way']]
        for subject in (SOCKETS, LIBRARY):
            on_unix = wall(direct[row['work']], subject)
            cells.append(seconds_in_words(wall(row, subject)))
            cells.append(times_in_words(wall(row, subject), on_unix))
        cells += [seconds_in_words(row[subject]['cpu']) for subject in (SOCKETS, LIBRARY)]
        rows.append(cells)
    return rows


def one_rows(one):
    """Return the table of the cases in which one is dead or slow."""
    rows = [['one of them', 'on', f'requests {WITHOUT}', WITH]]
    for row in one:
        times = [seconds_in_words(wall(row, which)) for which in (WITHOUT, WITH)]
        rows.append([row['case'], row['way']] + times)
    return rows
