# SPDX-License-Identifier: Apache-2.0
"""What tools/benchmark --fleet measures: the library, and plain sockets that send the same.

It answers requests as workloads.py does.  The module ``haproxyadmin`` is the one that the
interpreter finds.
"""

import errno
import gc
import os
import resource
import select
import socket
import sys

import workloads

MOST_CONNECTIONS = 256
# Milliseconds that a reply may take.
PATIENCE = 30000


class Sockets(object):
    """The floor: send each address the same command at once, read every reply to its end.

    At most as many connections are open as the library opens.

    :param addresses: paths, or HOST:PORT with an IP address.
    :param half_close: end the own side after the command, as a master requires.
    """

    def __init__(self, addresses, half_close=False):
        self._targets = [target_of(address) for address in addresses]
        self._half_close = half_close
        soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        self._most = min(MOST_CONNECTIONS, soft // 2 if soft > 0 else MOST_CONNECTIONS)

    def work(self, request):
        """Return a function that sends the commands of a work, one after the other."""
        commands = [command.encode('latin-1') for command in request['commands']]
        return lambda: [self._send(command) for command in commands]

    def _send(self, command):
        """Send a command to all addresses, and return the number of bytes in their replies."""
        size = 0
        poller = select.poll()
        unread, unsent = {}, set()
        waiting = iter(self._targets)
        while True:
            for family, target in first(waiting, self._most - len(unread)):
                connection = socket.socket(family)
                connection.setblocking(False)
                fileno = connection.fileno()
                unread[fileno] = connection
                error = connection.connect_ex(target)
                if error == errno.EINPROGRESS:
                    unsent.add(fileno)
                    poller.register(fileno, select.POLLOUT)
                elif error:
                    raise socket.error(error, os.strerror(error))
                else:
                    self._write(connection, command)
                    poller.register(fileno, select.POLLIN)
            if not unread:
                return size
            ready = poller.poll(PATIENCE)
            if not ready:
                raise ValueError('no end of the replies to {0!r}'.format(command))
            for fileno, _ in ready:
                connection = unread[fileno]
                if fileno in unsent:
                    unsent.remove(fileno)
                    self._write(connection, command)
                    poller.modify(fileno, select.POLLIN)
                    continue
                chunk = connection.recv(workloads.CHUNK)
                size += len(chunk)
                if not chunk:
                    poller.unregister(fileno)
                    del unread[fileno]
                    connection.close()

    def _write(self, connection, command):
        connection.sendall(command)
        if self._half_close:
            connection.shutdown(socket.SHUT_WR)


def target_of(address):
    """Return the address family and what to connect to."""
    if address.startswith('/'):
        return socket.AF_UNIX, address
    host, port = address.rsplit(':', 1)
    return socket.AF_INET, (host, int(port))


def first(iterator, count):
    """Yield the next elements of an iterator, at most so many."""
    for _ in range(count):
        try:
            yield next(iterator)
        except StopIteration:
            return


class Library(object):
    """haproxyadmin.

    :param options: arguments of :class:`haproxyadmin.haproxy.HAProxy`.
    """

    def __init__(self, **options):
        from haproxyadmin import exceptions, haproxy

        self._class = haproxy.HAProxy
        self._error = exceptions.HAProxySocketError
        self._options = dict((str(name), value) for name, value in options.items())
        self._hap = self.constructor()
        self._server = None

    def work(self, request):
        """Return the function that does a work; the objects that it uses are read here."""
        if request['work'] == 'setweight' and self._server is None:
            self._server = self._hap.servers()[0]
        return getattr(self, request['work'])

    def facts(self):
        """Return how many processes were found, and how many addresses were left out."""
        return {'processes': len(self._hap.info()), 'left out': len(self._hap.left_out)}

    def constructor(self):
        return self._class(**self._options)

    def requests(self):
        return self._hap.requests

    def setweight(self):
        return self._server.setweight(10)

    def failing_requests(self):
        """Read what cannot be read."""
        try:
            self._hap.requests
        except self._error:
            return
        raise ValueError('nothing has failed')


SUBJECTS = {'library': Library, 'sockets': Sockets}
_made = {}


def limited(request):
    """Lower the number of files that may be open, and return the limit that holds."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if request['files']:
        soft = request['files']
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return {'files': soft}


def made(request):
    """Make a subject, which the requests that follow use under its name."""
    subject = _made[request['name']] = SUBJECTS[request['subject']](**request['options'])
    return subject.facts() if request['subject'] == 'library' else {}


def done(request):
    """Do a work once."""
    _made[request['name']].work(request)()
    return {}


def timed(request):
    """Return the seconds that a work takes, and the CPU seconds; the means if it is repeated."""
    work = _made[request['name']].work(request)
    gc.collect()
    least = request.get('repeats')
    repeats = 0
    used = cpu_seconds()
    started = workloads.now()
    while True:
        work()
        repeats += 1
        elapsed = workloads.now() - started
        if repeats >= least if least else elapsed > workloads.AT_LEAST:
            break
    return {'wall': elapsed / repeats, 'cpu': (cpu_seconds() - used) / repeats}


def cpu_seconds():
    """Return the CPU time that this process has used."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


ACTIONS = {
    'limit': limited,
    'make': made,
    'do': done,
    'time': timed,
}


if __name__ == '__main__':
    workloads.main(sys.argv[1:], ACTIONS)
