# SPDX-License-Identifier: Apache-2.0
"""What tools/benchmark measures, as one program for all that it compares.

``python workloads.py serve`` reads requests from its standard input, one JSON object a line, and
answers each with another.  ``python workloads.py once REQUEST`` does one in a fresh process.
The module ``haproxyadmin`` is whichever the interpreter finds.
"""

import cProfile
import functools
import gc
import io
import json
import os
import pstats
import select
import socket
import sys
import time

CHUNK = 65536
# Short works are repeated for so long, in seconds.
AT_LEAST = 0.05
PROFILED = 14

_now = getattr(time, 'perf_counter', time.time)


class Raw(object):
    """The floor: sockets that are sent commands and read to the end, and nothing more.

    :param directory: of the stats sockets.
    :param recorded: a file with the commands of each work: ``{work: [commands of a process]}``.
    """

    def __init__(self, directory, recorded):
        self._paths = [os.path.join(directory, name) for name in sorted(os.listdir(directory))]
        with io.open(recorded, encoding='ascii') as commands:
            self._recorded = json.load(commands)

    def work(self, request):
        """Return a function that sends what the library sent for a work."""
        commands = [
            [command.encode('latin-1') for command in commands]
            for commands in self._recorded[request['work']]
        ]
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
        """Send the first command to all processes and read the replies, then the second ..."""
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


def asked(path, command):
    """Return a connection that has sent its command."""
    connection = socket.socket(socket.AF_UNIX)
    connection.connect(path)
    connection.sendall(command)
    connection.shutdown(socket.SHUT_WR)
    return connection


def read_to_end(connection):
    """Return how many bytes come, and close."""
    size = 0
    while True:
        chunk = connection.recv(CHUNK)
        if not chunk:
            connection.close()
            return size
        size += len(chunk)


def read_all(connections):
    """Return how many bytes come on several connections, read at the same time."""
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
    """haproxyadmin, asking HAProxy for everything.

    :param directory: of the stats sockets.
    """

    def __init__(self, directory):
        from haproxyadmin import haproxy

        self._haproxy = haproxy
        self._directory = directory
        self._hap = self.constructor()
        self._reader = self._hap
        self._servers = None

    def work(self, request):
        """Return the function that does a work; what it is done to is read before."""
        method = getattr(self, request['work'])
        if request['work'] in ('metrics', 'weights', 'set_weights') and self._servers is None:
            self._servers = self._reader.servers()
        if request['work'] == 'map_entries':
            pairs = entries(request['count'])
            # Not to be timed; but where memory is measured, they come one by one.
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

    def map_entries(self, mapid, pairs):
        return self._hap.add_map_entries(mapid, pairs)

    fan_out = requests


class FromSnapshot(Live):
    """haproxyadmin, answering from a snapshot that was taken before."""

    def __init__(self, directory):
        super(FromSnapshot, self).__init__(directory)
        self._reader = self._hap.snapshot()


class Former(Live):
    """haproxyadmin 0.2.4, which lacks some ways."""

    def metrics(self):
        from haproxyadmin import SERVER_METRICS

        return [self._servers[0].metric(name) for name in SERVER_METRICS]

    def map_entries(self, mapid, pairs):
        for key, value in pairs:
            self._hap.add_map(mapid, key, value)

    snapshot_and_loop = Live.readme_loop


def loop(hap):
    """Do what the README does, without printing."""
    lines = 0
    for backend in hap.backends():
        lines += len((backend.name, backend.requests, backend.process_nb))
        for server in backend.servers():
            lines += len((server.name, server.requests))
    return lines


def entries(count):
    """Yield pairs of key and value for a MAP."""
    for number in range(count):
        yield 'www{0:06d}.example.com'.format(number), 'backend_{0:04d}'.format(number % 1000)


SUBJECTS = {'live': Live, 'snapshot': FromSnapshot, '0.2.4': Former}
_subjects = {}


def subject(request):
    """Return the object that does the work, made once for each directory."""
    name, directory = request['subject'], request['directory']
    if (name, directory) not in _subjects:
        _subjects[name, directory] = (
            SUBJECTS[name](directory) if name in SUBJECTS else Raw(directory, request['recorded'])
        )
    return _subjects[name, directory]


def timed(request):
    """Return how many seconds a work takes, the mean where it is repeated."""
    work = subject(request).work(request)
    gc.collect()
    repeats = 0
    started = _now()
    while True:
        result = work()
        repeats += 1
        elapsed = _now() - started
        if elapsed > AT_LEAST or request.get('single'):
            break
    del result
    return {'seconds': elapsed / repeats, 'repeats': repeats}


def counted(request):
    """Do a work once; somebody else counts."""
    subject(request).work(request)()
    return {}


def prepared(request):
    """Do what a work needs before it, and not the work."""
    subject(request).work(request)
    return {}


def weighed(request):
    """Return by how many bytes a work raises the peak of the memory in use."""
    work = subject(request).work(request)
    gc.collect()
    before = peak_memory()
    result = work()
    after = peak_memory()
    del result
    return {'before': before, 'growth': after - before}


def peak_memory():
    """Return the most memory that this process has had, in bytes.

    Not ru_maxrss, which begins with what the process had before it became this program.
    """
    with open('/proc/self/status') as status:
        for line in status:
            if line.startswith('VmHWM:'):
                return int(line.split()[1]) * 1024
    raise ValueError('no VmHWM in /proc/self/status')


def traced(request):
    """Return the peak of what Python allocates for a work, and what of it stays."""
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
    """Return where a work spends its time, as text."""
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


def answer(line):
    """Return the answer to a request, both as text."""
    request = json.loads(line)
    return json.dumps(ACTIONS[request['action']](request))


def main(words):
    """Serve requests until the standard input ends, or do one."""
    if words[0] == 'once':
        print(answer(words[1]))
        return
    while True:
        line = sys.stdin.readline()
        if not line:
            return
        sys.stdout.write(answer(line) + '\n')
        sys.stdout.flush()


if __name__ == '__main__':
    main(sys.argv[1:])
