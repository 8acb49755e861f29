# SPDX-License-Identifier: Apache-2.0
"""The workloads that tools/benchmark measures, in one program for all that it compares.

``python workloads.py serve`` reads requests from its standard input, one JSON object per line, and
answers each with another.  ``python workloads.py once REQUEST`` answers one request and exits.
The module ``haproxyadmin`` is the one that the interpreter finds.
"""

import cProfile
import functools
import gc
import io
import json
import os
import pstats
import re
import select
import socket
import sys
import time

CHUNK = 65536
# Short works are repeated for at least this many seconds.
AT_LEAST = 0.05
PROFILED = 14

now = getattr(time, 'perf_counter', time.time)


class Raw(object):
    """The floor: send commands over sockets and read the replies, and nothing more.

    :param directory: directory of the stats sockets.
    :param recorded: a file with the commands of each work: ``{work: [commands of a process]}``.
    """

    def __init__(self, directory, recorded):
        self._paths = [os.path.join(directory, name) for name in sorted(os.listdir(directory))]
        with io.open(recorded, encoding='ascii') as commands:
            self._recorded = json.load(commands)

    def work(self, request):
        """Return a function that sends the commands that the library sent for a work."""
        commands = [
            [command.encode('latin-1') for command in commands]
            for commands in self._recorded[request['work']]
        ]
        for path, its_commands in zip(self._paths, commands):
            prepare(path, its_commands)
        if request['subject'] == 'in sequence':
            return lambda: self.in_sequence(commands)
        return lambda: self.at_once(commands)

    def in_sequence(self, commands):
        """Send each process its commands, one process after the other."""
        return sum(
            read_to_end(asked(path, command))
            for path, its_commands in zip(self._paths, commands)
            for command in its_commands
        )

    def at_once(self, commands):
        """Send the first command to all processes and read the replies, then the second, etc."""
        size = 0
        for number in range(max(map(len, commands))):
            size += read_all(
                [
                    asked(path, its_commands[number])
                    for path, its_commands in zip(self._paths, commands)
                    if number < len(its_commands)
                ]
            )
        return size


def prepare(path, commands):
    """Have commands for a version of a map that was prepared name the one that will be."""
    for place, command in enumerate(commands):
        if command.startswith(b'prepare map '):
            named = command.partition(b';')[0][len(b'prepare map '):].strip()
            connection, chunks = asked(path, b'show map\n'), []
            while not chunks or chunks[-1]:
                chunks.append(connection.recv(CHUNK))
            connection.close()
            (line,) = [line for line in b''.join(chunks).split(b'\n') if named in line]
            number = int(line.partition(b' next_ver=')[2].split()[0]) + 1
            commands[place + 1:] = [
                re.sub(br'map @[0-9]+ ', b'map @%d ' % number, command, count=1)
                for command in commands[place + 1:]
            ]


def asked(path, command):
    """Return a connection that has sent its command."""
    connection = socket.socket(socket.AF_UNIX)
    connection.connect(path)
    connection.sendall(command)
    connection.shutdown(socket.SHUT_WR)
    return connection


def read_to_end(connection):
    """Read a connection to its end, close it, and return the number of bytes."""
    size = 0
    while True:
        chunk = connection.recv(CHUNK)
        if not chunk:
            connection.close()
            return size
        size += len(chunk)


def read_all(connections):
    """Read several connections at the same time, and return the number of bytes."""
    size = 0
    poller = select.poll()
    unread = {}
    for connection in connections:
        poller.register(connection, select.POLLIN)
        unread[connection.fileno()] = connection
    while unread:
        for fileno, _ in poller.poll():
            chunk = unread[fileno].recv(CHUNK)
            size += len(chunk)
            if not chunk:
                poller.unregister(fileno)
                unread.pop(fileno).close()
    return size


class Live(object):
    """haproxyadmin, querying HAProxy for everything.

    :param directory: directory of the stats sockets.
    """

    def __init__(self, directory):
        from haproxyadmin import haproxy

        self._haproxy = haproxy
        self._directory = directory
        self._hap = self.constructor()
        self._reader = self._hap
        self._servers = None

    def work(self, request):
        """Return the function that does a work; the objects that it uses are read here."""
        method = getattr(self, request['work'])
        if request['work'] in ('metrics', 'weights', 'set_weights') and self._servers is None:
            self._servers = self._reader.servers()
        if request['work'] in ('map_entries', 'replace', 'sync', 'map_dict'):
            pairs = entries(request['count'])
            # Created here, so as not to be timed; if memory is measured, they are generated.
            if request['action'] != 'weigh':
                pairs = list(pairs)
            return functools.partial(method, request['map'], pairs)
        return functools.partial(method, request['count']) if 'count' in request else method

    def constructor(self):
        return self._haproxy.HAProxy(socket_dir=self._directory)

    def frontends(self):
        return self._reader.frontends()

    def backends(self):
        return self._reader.backends()

    def servers(self):
        return self._reader.servers()

    def requests(self):
        return self._reader.requests

    def snapshot(self):
        return self._hap.snapshot()

    def overview(self):
        return str(self._reader.overview())

    def readme_loop(self):
        return loop(self._reader)

    def snapshot_and_loop(self):
        return loop(self._hap.snapshot())

    def metrics(self):
        return self._servers[0].metrics()

    def weights(self, count):
        return [server.weight for server in self._servers[:count]]

    def set_weights(self, count):
        return [server.setweight(10) for server in self._servers[:count]]

    def takeout(self):
        return self._hap.backend('backend_0000').server('server_00').takeout(timeout=10)

    def add_servers(self, count):
        backend = self._hap.backend('backend_0000')
        for number in range(count):
            backend.add_server('added_{0:03d}'.format(number), '127.0.0.1:1')

    def sessions(self, count):
        return self._hap.sessions()

    def map_entries(self, mapid, pairs):
        return self._hap.add_map_entries(mapid, pairs)

    def replace(self, mapid, pairs):
        return self._map(mapid).replace(pairs)

    def sync(self, mapid, pairs):
        return self._map(mapid).sync(pairs)

    def map_dict(self, mapid, pairs):
        return dict(self._hap.map(mapid))

    def table_entries(self, count):
        return sum(1 for _ in self._hap.table('web').entries())

    def _map(self, mapid):
        # Its entries are not read before they are needed.
        return [one for one in self._hap.maps() if one.id == mapid][0]

    fan_out = requests


class FromSnapshot(Live):
    """haproxyadmin, answering from a snapshot that was taken beforehand."""

    def __init__(self, directory):
        super(FromSnapshot, self).__init__(directory)
        self._reader = self._hap.snapshot()


class Former(Live):
    """haproxyadmin 0.2.4, which lacks some methods."""

    def metrics(self):
        from haproxyadmin import SERVER_METRICS

        return [self._servers[0].metric(name) for name in SERVER_METRICS]

    def map_entries(self, mapid, pairs):
        for key, value in pairs:
            self._hap.add_map(mapid, key, value)

    snapshot_and_loop = Live.readme_loop


def loop(hap):
    """Run the loop of the README, without printing."""
    lines = 0
    for backend in hap.backends():
        lines += len((backend.name, backend.requests, backend.process_nb))
        for server in backend.servers():
            lines += len((server.name, server.requests))
    return lines


def entries(count):
    """Yield pairs of key and value for a map."""
    for number in range(count):
        yield 'www{0:06d}.example.com'.format(number), 'backend_{0:04d}'.format(number % 1000)


SUBJECTS = {'live': Live, 'snapshot': FromSnapshot, '0.2.4': Former}
_subjects = {}


def subject(request):
    """Return the object that does the work, created once for each directory."""
    name, directory = request['subject'], request['directory']
    if (name, directory) not in _subjects:
        _subjects[name, directory] = (
            SUBJECTS[name](directory) if name in SUBJECTS else Raw(directory, request['recorded'])
        )
    return _subjects[name, directory]


def timed(request):
    """Return the seconds that a work takes, the mean if it is repeated."""
    work = subject(request).work(request)
    gc.collect()
    repeats = 0
    started = now()
    while True:
        result = work()
        repeats += 1
        elapsed = now() - started
        if elapsed > AT_LEAST or request.get('single'):
            break
    del result
    return {'seconds': elapsed / repeats, 'repeats': repeats}


def counted(request):
    """Do a work once; the caller counts."""
    subject(request).work(request)()
    return {}


def prepared(request):
    """Prepare a work, but do not do it."""
    subject(request).work(request)
    return {}


def weighed(request):
    """Return the number of bytes by which a work raises the peak memory."""
    work = subject(request).work(request)
    gc.collect()
    before = peak_memory()
    result = work()
    after = peak_memory()
    del result
    return {'before': before, 'growth': after - before}


def peak_memory():
    """Return the peak memory of this process, in bytes.

    This is not ru_maxrss, which includes the memory of the process before it executed this program.
    """
    with open('/proc/self/status') as status:
        for line in status:
            if line.startswith('VmHWM:'):
                return int(line.split()[1]) * 1024
    raise ValueError('no VmHWM in /proc/self/status')


def traced(request):
    """Return the peak of Python's allocations for a work, and the part that is kept."""
    import tracemalloc

    work = subject(request).work(request)
    gc.collect()
    tracemalloc.start()
    result = work()
    kept, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    del result
    return {'kept': kept, 'peak': peak}


def profiled(request):
    """Return a profile of a work, as text."""
    work = subject(request).work(request)
    gc.collect()
    profile = cProfile.Profile()
    profile.runcall(work)
    text = io.StringIO() if str is not bytes else io.BytesIO()
    stats = pstats.Stats(profile, stream=text)
    stats.strip_dirs().sort_stats('tottime').print_stats(PROFILED)
    return {'profile': text.getvalue()}


ACTIONS = {
    'time': timed,
    'count': counted,
    'prepare': prepared,
    'weigh': weighed,
    'trace': traced,
    'profile': profiled,
}


def answer(line, actions):
    """Return the answer to a request, both as text."""
    request = json.loads(line)
    return json.dumps(actions[request['action']](request))


def main(words, actions):
    """Answer requests until the end of standard input, or answer one.

    :param actions: what is done for each action of a request.
    """
    if words[0] == 'once':
        print(answer(words[1], actions))
        return
    while True:
        line = sys.stdin.readline()
        if not line:
            return
        sys.stdout.write(answer(line, actions) + '\n')
        sys.stdout.flush()


if __name__ == '__main__':
    main(sys.argv[1:], ACTIONS)
