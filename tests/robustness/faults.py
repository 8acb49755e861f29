# SPDX-License-Identifier: Apache-2.0
"""Inject faults between the library and HAProxy.

A Site runs four HAProxy instances, each behind a Proxy: a Unix socket, a TCP port
with or without TLS, or a master, that forwards commands and misbehaves as its
``fault`` specifies.  :func:`trial` makes the library read or change something
through them and raises Breach if the result is a wrong or incomplete answer, or a
change whose outcome the caller cannot know.

``faults.py VERSION=HAPROXY ...`` prints the table of all cases; tools/faults
calls it.
"""

from __future__ import print_function

import collections
import contextlib
import os
import resource
import select
import shutil
import socket
import sys
import tempfile
import time

from haproxyadmin import haproxy
from haproxyadmin.exceptions import HAProxyBaseError, HAProxySocketError
from haproxyadmin.protocol import replies, transport
from haproxyadmin.testing import sockets
from haproxyadmin.testing.texts import raw
from tests.robustness import remote
from tests.support import backlog, group, lab
from tests.support.group import ACL, MAP, TABLE

PROCESSES = 4
# The time-out for processes without a fault, in seconds.
PATIENT = 30
# Seconds that a fault may take in addition to the time-outs.
SLACK = 10
# Seconds needed to read a reply of the maximum size from a socket in Python.
ENDLESS = 10


class Breach(AssertionError):
    """A forbidden outcome."""


class Proxy(sockets.Listener):
    """A stats socket that forwards each command to another, or does what its fault says.

    :param path: its own path.
    :param target: the socket of HAProxy, or of its master, that commands are forwarded to.
    :param direct: the stats socket of HAProxy.
    """

    def __init__(self, path, target, direct):
        super(Proxy, self).__init__(path)
        self.target = target
        self.direct = direct
        self.fault = passing
        # The commands received, and those forwarded to HAProxy.
        self.received = []
        self.passed = []
        # True if no other command follows on the connection.
        self.quits = False
        self._backlog = None
        self.listen()

    @property
    def address(self):
        """What the library calls it."""
        return self.path

    def begin(self, fault):
        """Have a fault from now on."""
        self.fault = fault
        if fault in UNREACHABLE:
            self.refuse()
        if fault is has_gone:
            os.unlink(self.path)
        if fault is is_full:
            self._backlog = backlog.Backlog(self.path)

    def end(self):
        """Work again."""
        if self.fault is is_full:
            self._backlog.close()
        if self.fault in UNREACHABLE:
            self.listen()
        self.fault = passing

    def close(self):
        """Stop for good."""
        self.refuse()

    def forget(self):
        """Clear the recorded commands and connections."""
        del self.received[:], self.passed[:]
        self.connections = 0

    def hear(self, client):
        """Read a line, with its payload, and return it as bytes without its last newline."""
        line = super(Proxy, self).receive(client)[:-1]
        # What a master is sent with the last command.
        self.quits = line.endswith(b'\nquit')
        line = line[:-len(b'\nquit')] if self.quits else line
        self._record(line)
        return line

    def receive(self, client):
        """Read a command and return it as bytes without its last newline."""
        return self.hear(client)

    def receive_and_reset(self, client):
        """Read a command; closing the connection resets it."""
        # Closing a Unix socket with unread input does so.
        while not client.recv(65536, socket.MSG_PEEK).endswith(b'\n'):
            time.sleep(0.001)
        command = client.recv(65536, socket.MSG_PEEK)[:-1]
        self._record(command)
        return command

    def _record(self, line):
        if line:
            self.received.append(remote.ROUTE.sub(b'', line))

    def ask(self, command):
        """Forward a command and return the reply as bytes."""
        self.passed.append(command)
        return raw(lab.ask(self.target, command))

    def wait_for_end(self, client):
        """Wait until the client has fully closed the connection."""
        poller = select.poll()
        poller.register(client, 0)
        while not self.stopping.is_set() and not poller.poll(20):
            pass

    def serve(self, client):
        """Do what the fault says."""
        with contextlib.closing(client):
            try:
                self.fault(self, client)
                self.finish(client)
            except socket.error:
                pass  # the library has given up

    def finish(self, client):
        """Do what is done before a connection is closed."""


class TcpProxy(remote.OverTcp, Proxy):
    """A proxy on a TCP port."""


class TlsProxy(remote.OverTls, Proxy):
    """A proxy on a TCP port that speaks TLS."""


class MasterProxy(remote.AsMaster, Proxy):
    """A proxy in front of a master."""


# Faults: what a proxy does with a connection.

def passing(proxy, client):
    """works"""
    client.sendall(proxy.ask(proxy.receive(client)))


def refuses(proxy, client):
    """refuses the connection"""


def has_gone(proxy, client):
    """is gone, file and all"""


def is_full(proxy, client):
    """never accepts the connection"""


def hangs(proxy, client):
    """accepts the connection, then hangs"""
    proxy.wait_for_end(client)


def hangs_after(proxy, client):
    """reads the command, then hangs"""
    proxy.ask(proxy.receive(client))
    proxy.wait_for_end(client)


def closes_at_once(proxy, client):
    """closes before the command"""


def closes_before(proxy, client):
    """closes before the answer"""
    proxy.ask(proxy.receive(client))


def closes_amid(proxy, client):
    """closes in the middle of the answer"""
    reply = proxy.ask(proxy.receive(client))
    client.sendall(reply[:len(reply) // 2])


def closes_before_the_end(proxy, client):
    """closes before the last newline"""
    client.sendall(proxy.ask(proxy.receive(client))[:-1])


def resets_before(proxy, client):
    """resets before the answer"""
    _reset(proxy, client, lambda reply: b'')


def resets_amid(proxy, client):
    """resets in the middle of the answer"""
    _reset(proxy, client, lambda reply: reply[:len(reply) // 2])


def _reset(proxy, client, choose):
    command = proxy.receive_and_reset(client)
    client.sendall(choose(proxy.ask(command)))


def dribbles(proxy, client):
    """dribbles a byte at a time"""
    reply = proxy.ask(proxy.receive(client))
    for start in range(len(reply)):
        client.sendall(reply[start:start + 1])
        if proxy.stopping.wait(0.01):
            return


def is_late(proxy, client):
    """answers after the time-out"""
    reply = proxy.ask(proxy.receive(client))
    proxy.stopping.wait(proxy.patience * 1.5)
    client.sendall(reply)


def talks_garbage(proxy, client):
    """answers garbage"""
    proxy.ask(proxy.receive(client))
    client.sendall(b'\x16\x03\x01\x02\x00\xff\xfe{garbage}' * 50)


def ends_garbage(proxy, client):
    """answers garbage that ends as an answer"""
    proxy.ask(proxy.receive(client))
    client.sendall(b'\x16\x03\x01\x02\x00\xff\xfe{garbage}\n\n')


def talks_http(proxy, client):
    """answers as a web server"""
    proxy.receive(client)
    client.sendall(b'HTTP/1.1 400 Bad request\r\nConnection: close\r\n\r\n<html></html>\n\n')


def confuses(proxy, client):
    """answers another command"""
    command = proxy.receive(client)
    reply = proxy.ask(command)
    other = b'show info' if reply.startswith(b'# ') else b'show stat'
    client.sendall(raw(lab.ask(proxy.direct, other)))


def _rows(proxy, change):
    """Return the answer to show stat with some lines changed."""
    lines = raw(lab.ask(proxy.direct, 'show stat')).split(b'\n')
    return b'\n'.join(change(lines))


def _with_rows(change):
    def behave(proxy, client):
        proxy.ask(proxy.receive(client))
        client.sendall(_rows(proxy, change))
    return behave


header_alone = _with_rows(lambda lines: lines[:1] + [b'', b''])
header_alone.__doc__ = 'answers a header alone'
header_cut = _with_rows(lambda lines: lines[:1] + [b''])
header_cut.__doc__ = 'closes after the header'
too_few = _with_rows(lambda lines: lines[:2] + [lines[2].replace(b',', b'', 1)] + lines[3:])
too_few.__doc__ = 'answers a row with too few fields'
too_many = _with_rows(lambda lines: lines[:2] + [lines[2] + b','] + lines[3:])
too_many.__doc__ = 'answers a row with too many fields'
no_pxname = _with_rows(lambda lines: [lines[0].replace(b'pxname', b'name')] + lines[1:])
no_pxname.__doc__ = 'answers a header without pxname'


def never_ends(proxy, client):
    """answers without end"""
    reply = proxy.ask(proxy.receive(client))
    chunk = (reply.strip(b'\n') + b'\n') * (1 + 65536 // len(reply))
    while not proxy.stopping.is_set():
        client.sendall(chunk)


def never_ends_a_line(proxy, client):
    """answers 100 MB in one line, and hangs"""
    proxy.ask(proxy.receive(client))
    for _ in range(proxy.megabytes):
        client.sendall(b'a' * 1000000)
    proxy.wait_for_end(client)


FAULTS = [refuses, has_gone, is_full, hangs, hangs_after, closes_at_once, closes_before,
          closes_amid, closes_before_the_end, resets_before, resets_amid, dribbles, is_late,
          talks_garbage, ends_garbage, talks_http, confuses, header_alone, header_cut, too_few,
          too_many, no_pxname, never_ends, never_ends_a_line]

# Those that are repeated over TCP and TLS and through masters: not what concerns the answer alone.
COMMON = [hangs_after, closes_at_once, closes_before, closes_amid, closes_before_the_end,
          resets_before, resets_amid, dribbles, talks_garbage, ends_garbage, talks_http, confuses,
          never_ends]

# Faults for which the library waits until the end of its time-out.
SLOW = (is_full, hangs, hangs_after, dribbles, is_late, never_ends_a_line) + remote.SLOW

# Faults for which the library never gets a connection.
UNREACHABLE = (refuses, has_gone, is_full)


class Way(object):
    """A way to HAProxy, and the faults that it can have.

    :param proxy: the class of the proxies.
    """

    # True if each HAProxy has a master, to which the library speaks.
    has_master = False

    def __init__(self, name, proxy, faults):
        self.name = name
        self.proxy = proxy
        self.faults = faults

    def __str__(self):
        return self.name

    def options(self, site):
        """Return the arguments of HAProxy() that say where to look."""
        return {'addresses': [proxy.address for proxy in site.proxies]}


class ThroughDirectory(Way):
    """Unix sockets in a directory."""

    def options(self, site):
        return {'socket_dir': site.directory}


class ThroughTls(Way):
    """TCP ports with TLS."""

    def options(self, site):
        return dict(super(ThroughTls, self).options(site), ssl_context=site.context)


class ThroughMasters(Way):
    """TCP ports of masters."""

    has_master = True

    def options(self, site):
        return {'master': [proxy.address for proxy in site.proxies]}


UNIX = ThroughDirectory('Unix sockets', Proxy, FAULTS)
TCP = Way('TCP', TcpProxy, [
    remote.does_not_resolve, remote.resolves_late, refuses, is_full, hangs] + COMMON + [
    remote.talks_as_ssh, remote.talks_first, remote.expects_tls])
TLS = ThroughTls('TLS', TlsProxy, [
    refuses, is_full, remote.stalls_before_the_handshake, remote.stalls_amid_the_handshake,
    remote.closes_amid_the_handshake, remote.resets_amid_the_handshake, remote.speaks_no_tls,
    remote.talks_as_ssh, remote.talks_first, remote.other_host, remote.has_expired,
    remote.is_a_stranger, remote.wants_a_certificate] + COMMON + [
    remote.cuts_before, remote.cuts_amid, remote.cuts_between_lines, remote.cuts_at_the_end])
MASTER = ThroughMasters('masters', MasterProxy, [
    refuses, is_full, hangs] + COMMON + [remote.talks_as_ssh, remote.talks_first]
    + [remote.has_no_worker, remote.cannot_connect] + list(remote.LOOKUPS))
WAYS = [UNIX, TCP, TLS, MASTER]


class Site(lab.Stopped):
    """Four HAProxy instances behind proxies, and a library object for them.

    :param timeout: seconds that the library waits for a process with a fault. For the others the
        time-out is long, as the machine may be busy.
    :type way: Way
    """

    def __init__(self, binary, timeout=PATIENT, megabytes=100, way=UNIX):
        self.timeout = timeout
        self.way = way
        self.directory = tempfile.mkdtemp(prefix='haproxyadmin-')
        self._directories = [self.directory]
        self.proxies = []
        self.count = 0
        self._group = self._resolver = None
        try:
            certificates = None
            if way is TLS:
                certificates = remote.Certificates()
                self._directories += certificates.directories
                self.context = certificates.keys.context(client=False)
            self._group = group.Group(binary, PROCESSES, master_worker=way.has_master)
            self.version = self._group.version
            for number, started in enumerate(self._group.labs, 1):
                proxy = way.proxy(
                    os.path.join(self.directory, '{0}.sock'.format(number)),
                    (started.master_files or started.socket_files)[0], started.socket_files[0])
                proxy.megabytes, proxy.certificates = megabytes, certificates
                self.proxies.append(proxy)
            self.hap = self.connect(PATIENT)
            self.frontend = self.hap.frontend('f')
            self.server = self.hap.server('s')[0]
            self.table = self.hap.table(TABLE)
            self.asked('set table {0} key 0 data.gpc0 1'.format(TABLE))
        except BaseException:
            self.stop()
            raise

    @property
    def labs(self):
        """The HAProxy instances."""
        return self._group.labs

    def connect(self, timeout):
        """Return another library object."""
        return haproxy.HAProxy(retry=None, timeout=timeout, **self.way.options(self))

    def stop(self):
        """Stop everything; raise lab.LabError if an HAProxy failed."""
        for proxy in self.proxies:
            proxy.close()
        self.proxies = []
        for directory in self._directories:
            shutil.rmtree(directory)
        if self._group:
            self._group.stop()

    def asked(self, command):
        """Send a command to each HAProxy directly and return the replies."""
        return [lab.ask(proxy.direct, command) for proxy in self.proxies]

    def shape(self, fault, count):
        """Give the first ``count`` proxies a fault; return their addresses."""
        faulty = self.proxies[:count]
        addresses = [proxy.address for proxy in faulty]
        for endpoint in self._endpoints():
            endpoint.timeout = self.timeout if endpoint.socket_file in addresses else PATIENT
            # The names of hosts are forgotten.
            endpoint.address.note_failure()
        for proxy in faulty:
            proxy.patience = self.timeout
            proxy.begin(fault)
        if fault in remote.NAMES:
            self._resolver = remote.Resolver(fault, faulty)
        return addresses

    def mend(self):
        """Make all proxies work again."""
        if self._resolver is not None:
            self._resolver.close()
            self._resolver = None
        for endpoint in self._endpoints():
            endpoint.timeout = PATIENT
        for proxy in self.proxies:
            proxy.end()
        for proxy in self.proxies:
            proxy.forget()

    def _endpoints(self):
        masters = self.hap._search.masters
        return [process.endpoint for process in self.hap._processes] + (
            masters._endpoints if masters else [])


# Operations of the library.

class Read(object):
    """A read: the call, and a function that makes its answers comparable."""

    changes = False

    def __init__(self, name, call, comparable=lambda answer: answer, asks_all=True):
        self.name = name
        self.call = call
        self.comparable = comparable
        self.asks_all = asks_all


class Change(object):
    """A change: the call that makes change number N, and a check of which processes have it.

    :param prepare: (optional) a function that returns a command to send to each HAProxy first.
    :param reads_first: no process is changed if one of them cannot be read.
    :param all_or_none: what is made in some processes only is undone there, or reported.
    """

    changes = True
    asks_all = True

    def __init__(self, name, call, done, prepare=None, reads_first=False, all_or_none=False):
        self.name = name
        self.call = call
        self.done = done
        self.prepare = prepare
        self.reads_first = reads_first
        self.all_or_none = all_or_none


def _names(things):
    return [(thing.name, len(thing.process_nb)) for thing in things]


def _stable(infos):
    return [(info['Pid'], info['Maxconn']) for info in infos]


READS = [
    Read('frontend.requests', lambda site: site.frontend.requests),
    Read('frontend.status', lambda site: site.frontend.status),
    Read('hap.info', lambda site: site.hap.info(), _stable),
    Read('hap.servers', lambda site: site.hap.servers(), _names),
    Read('hap.metric', lambda site: site.hap.metric('Maxconn')),
    Read('hap.snapshot', lambda site: site.hap.snapshot().frontends(), _names),
    Read('hap.errors', lambda site: site.hap.errors(), len),
    Read('hap.sessions', lambda site: site.hap.sessions(), len),
    Read('hap.show_map', lambda site: site.hap.show_map(MAP), len, asks_all=False),
    Read('table.used', lambda site: site.table.used),
    # They are read while somebody iterates.
    Read('table.entries', lambda site: list(site.table.entries()), lambda entries: sorted(
        (entry.socket_file, entry.key, entry.data) for entry in entries)),
    Read('table.entries(key)', lambda site: list(site.table.entries('0')), lambda entries: [
        (entry.socket_file, entry.key, entry.data) for entry in entries]),
    Read('hap.get_map', lambda site: site.hap.get_map(MAP, '0'), asks_all=False),
]
# Not with a directory, where processes that do not answer are left out.
CONSTRUCT = Read('HAProxy()', lambda site: site.connect(site.timeout),
                 lambda hap: [process.socket_file for process in hap._processes])
REFRESH = Read('hap.refresh', lambda site: site.hap.refresh())
WORKERS = Read('hap.workers', lambda site: site.hap.workers(),
               lambda workers: [(worker.pid, worker.current) for worker in workers])


def _listed(family, target):
    command = 'show {0} {1}'.format(family, target)
    return lambda site, text: [' ' + text in reply for reply in site.asked(command)]


def _in_table(site, key, part):
    return [part in reply for reply in site.asked(
        'show table {0} key {1}'.format(TABLE, key))]


_in_map = _listed('map', MAP)
_in_acl = _listed('acl', ACL)

CHANGES = [
    # Not above the configured limit.
    Change('hap.setmaxconn', lambda site, n: site.hap.setmaxconn(1 + n % 999),
           lambda site, n: ['Maxconn: {0}\n'.format(1 + n % 999) in reply
                            for reply in site.asked('show info')]),
    Change('frontend.setmaxconn', lambda site, n: site.frontend.setmaxconn(n),
           lambda site, n: [',{0},'.format(n) in reply.split('f,FRONTEND')[1].split('\n')[0]
                            for reply in site.asked('show stat')]),
    Change('server.setweight', lambda site, n: site.server.setweight(n % 256),
           lambda site, n: [reply.startswith('{0} '.format(n % 256))
                            for reply in site.asked('get weight b/s')]),
    Change('server.address', lambda site, n: setattr(
        site.server, 'address', '127.0.{0}.{1}'.format(n // 200, n % 200)) is None,
        lambda site, n: [',127.0.{0}.{1}:'.format(n // 200, n % 200) in reply
                         for reply in site.asked('show stat')]),
    Change('server.port', lambda site, n: setattr(site.server, 'port', n) is None,
           lambda site, n: [':{0},'.format(n) in reply for reply in site.asked('show stat')],
           reads_first=True),
    Change('server.setaddress', lambda site, n: site.server.setaddress(
        '127.1.{0}.{1}'.format(n // 200, n % 200), 9),
        lambda site, n: [',127.1.{0}.{1}:9,'.format(n // 200, n % 200) in reply
                         for reply in site.asked('show stat')], all_or_none=True),
    Change('hap.add_acl', lambda site, n: site.hap.add_acl(ACL, 'p%d' % n),
           lambda site, n: _in_acl(site, 'p%d\n' % n)),
    Change('hap.add_map', lambda site, n: site.hap.add_map(MAP, 'k%d' % n, 'v'),
           lambda site, n: _in_map(site, 'k%d v\n' % n)),
    Change('hap.set_map', lambda site, n: site.hap.set_map(MAP, '0', 'v%d' % n),
           lambda site, n: _in_map(site, '0 v%d\n' % n)),
    Change('hap.del_map', lambda site, n: site.hap.del_map(MAP, 'd%d' % n),
           lambda site, n: [not there for there in _in_map(site, 'd%d v\n' % n)],
           lambda n: 'add map {0} d{1} v'.format(MAP, n)),
    Change('hap.add_map_entries', lambda site, n: site.hap.add_map_entries(
        MAP, [('a%d' % n, 'b'), ('b%d' % n, 'b')]), lambda site, n: _in_map(site, 'b%d b\n' % n)),
    Change('hap.del_map_entries', lambda site, n: site.hap.del_map_entries(
        MAP, ['e%d' % n, 'f%d' % n]),
        lambda site, n: [not there for there in _in_map(site, 'f%d v\n' % n)],
        lambda n: 'add map {0} e{1} v;add map {0} f{1} v'.format(MAP, n)),
    Change('table.set', lambda site, n: site.table.set('0', gpc0=n),
           lambda site, n: _in_table(site, '0', ' gpc0={0}\n'.format(n)), all_or_none=True),
    Change('table.set of a new key', lambda site, n: site.table.set('k%d' % n, gpc0=n),
           lambda site, n: _in_table(site, 'k%d' % n, ' key='), all_or_none=True),
    Change('table.remove', lambda site, n: site.table.remove('r%d' % n),
           lambda site, n: [not there for there in _in_table(site, 'r%d' % n, ' key=')],
           lambda n: 'set table {0} key r{1} data.gpc0 {1}'.format(TABLE, n), all_or_none=True),
    Change('table.clear', lambda site, n: site.table.clear([('gpc0', '==', n)]).left == 0,
           lambda site, n: [not there for there in _in_table(site, 'c%d' % n, ' key=')],
           lambda n: 'set table {0} key c{1} data.gpc0 {1}'.format(TABLE, n), all_or_none=True),
]


# Trials

def applies(fault, operation):
    """Return False if a fault is none for an operation: what HAProxy answers is complete."""
    return (fault, operation.name) not in (
        (header_alone, 'hap.servers'), (remote.lists_none, 'hap.workers'))


Outcome = collections.namedtuple('Outcome', 'what seconds')


def trial(site, fault, count, operation):
    """Run an operation while the first ``count`` processes have a fault.

    :return: an Outcome: a description and a duration in seconds.
    :raises Breach: if the outcome is forbidden.
    """
    site.count += 1
    number = 300 + site.count
    wanted = None
    if not operation.changes:
        wanted = operation.comparable(operation.call(site))
    else:
        if operation.prepare:
            site.asked(operation.prepare(number))
        # The fault must hit the change, not the check of the version.
        site.hap.info()
    descriptors = lab.descriptors()
    paths = site.shape(fault, count)
    for proxy in site.proxies:
        proxy.forget()
    started = time.time()
    answer, error = _outcome(site, operation, number)
    seconds = time.time() - started
    try:
        if seconds > 3 * site.timeout + SLACK + (ENDLESS if fault is never_ends else 0):
            raise Breach('took {0:.1f} s'.format(seconds))
        if error is not None and not any(path in _words(error) for path in paths):
            raise Breach('does not name the socket: {0!r}: {0}'.format(error))
        if operation.changes:
            _check_change(site, operation, number, paths, error)
            if (fault in remote.UNDELIVERED and isinstance(error, HAProxySocketError)
                    and not error.undelivered):
                raise Breach('not said to be undelivered: {0}'.format(error))
        elif error is None and operation.comparable(answer) != wanted:
            raise Breach('answered {0!r} for {1!r}'.format(operation.comparable(answer), wanted))
    finally:
        site.mend()
    try:
        lab.wait_until(lambda: lab.descriptors() <= descriptors, 'descriptors are closed', 20)
    except lab.LabError:
        raise Breach('{0} descriptors are left'.format(lab.descriptors() - descriptors))
    if error is not None:
        return Outcome(type(error).__name__, seconds)
    return Outcome('done' if operation.changes else 'the answer', seconds)


def _outcome(site, operation, number):
    try:
        if operation.changes:
            return operation.call(site, number), None
        return operation.call(site), None
    except HAProxyBaseError as error:
        return None, error


def _words(error):
    return '{0} {1}'.format(error, error.by_socket)


def _check_change(site, operation, number, paths, error):
    done = dict(zip([proxy.address for proxy in site.proxies], operation.done(site, number)))
    sent = dict((proxy.address, [command for command in proxy.received
                                 if not command.startswith(b'show ')]) for proxy in site.proxies)
    if any(len(commands) > len(set(commands)) for commands in sent.values()):
        raise Breach('sent more than once: {0!r}'.format(sent))
    if error is None:
        if not all(done.values()):
            raise Breach('reported as done: {0!r}'.format(done))
        return
    if operation.all_or_none:
        made = set(path for path in done if done[path])
        if made != set(error.not_undone) & made or made & set(error.undone):
            raise Breach('changed in {0}: undone {1}, not undone {2}'.format(
                sorted(made), error.undone, error.not_undone))
        return
    reported = _describe(error)
    if operation.reads_first and not any(sent.values()):
        reported = dict.fromkeys(done, False)
    for path in done:
        if path not in paths and path not in reported:
            raise Breach('does not report what happened in {0}: {1}'.format(path, _words(error)))
        if path in reported and reported[path] != done[path]:
            raise Breach('reports {0} for {1}: {2}'.format(reported[path], path, _words(error)))
    if getattr(error, 'undelivered', False) and done[error.socket_file]:
        raise Breach('delivered after all: {0}'.format(error))
    if paths and not isinstance(error, HAProxySocketError) and len(reported) < PROCESSES:
        raise Breach('no word of some: {0}'.format(_words(error)))


def _describe(error):
    """Return whether a change was made, by socket file, as far as the error reports it."""
    told = {}
    unknown = [failure.socket_file for failure in error.failures]
    for path, reply in error.by_socket:
        if path not in unknown:
            told[path] = reply == '' or not unknown and replies.is_address_success(
                'addr', reply) or reply.endswith('accepted, 0 not accepted')
    return told


# The table

def main(arguments):
    """Print a table for each HAProxy binary given as VERSION=PATH."""
    return max([_print_table(argument.partition('=')[2]) for argument in arguments])


def _print_table(binary):
    breaches = []
    before = lab.descriptors()
    for way in WAYS:
        with Site(binary, timeout=1, way=way) as site:
            if way is UNIX:
                print('HAProxy {0}, {1} processes, time-out 1 s, no retries'.format(
                    site.version, PROCESSES))
            lookups = [fault for fault in way.faults if fault in remote.LOOKUPS]
            others = [fault for fault in way.faults if fault not in remote.LOOKUPS]
            _print_rows(site, way.name, others, READS[0], breaches)
            if lookups:
                # Before a change the master is asked for the workers.
                _print_rows(site, way.name, lookups, WORKERS, breaches)
    print('\nDescriptors before and after: {0}, {1}'.format(before, lab.descriptors()))
    print('Most memory ever: {0} MiB; a reply may have {1} MiB'.format(
        resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        transport.MAX_REPLY // 1024 // 1024))
    for breach in breaches:
        print(breach)
    return 1 if breaches else 0


def _print_rows(site, title, faults, read, breaches):
    columns = [(operation, count) for operation in (read, CHANGES[0]) for count in (1, PROCESSES)]
    if site.way is not UNIX:
        columns.append((CONSTRUCT, 1))
    rows = [[title] + ['{0}, {1} of {2}'.format(operation.name, count, PROCESSES)
                       for operation, count in columns]]
    for fault in faults:
        rows.append([fault.__doc__] + [
            _cell(site, fault, count, operation, breaches) for operation, count in columns])
    widths = [max(map(len, column)) for column in zip(*rows)]
    print()
    for row in rows:
        print('  '.join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip())


def _cell(site, fault, count, operation, breaches):
    if not applies(fault, operation):
        return '-'
    try:
        outcome = trial(site, fault, count, operation)
        return '{0.what} {0.seconds:.2f} s'.format(outcome)
    except Breach as breach:
        breaches.append('{0}, {1}, {2}: {3}'.format(
            site.way, fault.__doc__, operation.name, breach))
        return 'BREACH'


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
