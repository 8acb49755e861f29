# SPDX-License-Identifier: Apache-2.0
"""Servers of every kind in two HAProxies, an agent that a test speaks for, and a tunnel."""
import csv
import io
import re
import socket

import six

from haproxyadmin.testing import sockets
from tests.support import group, lab

CONFIG = """
global
    stats socket "${HAPROXYADMIN_RUN}/stats.sock" level "${HAPROXYADMIN_LEVEL}"
    maxconn 500
    hard-stop-after 60s

resolvers nobody
    nameserver none 127.0.0.1:1
    timeout retry 100ms

defaults
    mode http
    timeout connect 30s
    timeout client 60s
    timeout server 60s
    timeout queue 60s
    timeout tunnel 60s
    # 2.2 opens connections to agents slowly.
    timeout check 30s
    balance roundrobin
    cookie server
    default-server inter 50ms rise 2 fall 2

frontend f_web
    bind "127.0.0.1:${HAPROXYADMIN_PORT_WEB}"
    default_backend web

frontend f_plain
    bind "127.0.0.1:${HAPROXYADMIN_PORT_PLAIN}"
    default_backend plain

frontend f_agents
    bind "127.0.0.1:${HAPROXYADMIN_PORT_AGENTS}"
    default_backend agents

frontend f_queue
    bind "127.0.0.1:${HAPROXYADMIN_PORT_QUEUE}"
    default_backend queue

frontend f_tunnel
    bind "127.0.0.1:${HAPROXYADMIN_PORT_TUNNEL}"
    default_backend tunnel

frontend f_trackers
    bind "127.0.0.1:${HAPROXYADMIN_PORT_TRACKERS}"
    default_backend trackers

frontend f_dynamic
    bind "127.0.0.1:${HAPROXYADMIN_PORT_DYNAMIC}"
    default_backend dynamic

frontend f_spare
    bind "127.0.0.1:${HAPROXYADMIN_PORT_SPARE}"
    default_backend plain

frontend f_lost
    bind "127.0.0.1:${HAPROXYADMIN_PORT_LOST}"
    default_backend plain

backend web
    server w1 "127.0.0.1:${HAPROXYADMIN_PORT_ORIGIN1}" cookie w1 check
    server w2 "127.0.0.1:${HAPROXYADMIN_PORT_ORIGIN2}" cookie w2 check
    server w3 "127.0.0.1:${HAPROXYADMIN_PORT_ORIGIN3}" cookie w3 check
    server w4 "127.0.0.1:${HAPROXYADMIN_PORT_ORIGIN1}" cookie w4 track web/w3

backend plain
    server p1 "127.0.0.1:${HAPROXYADMIN_PORT_ORIGIN1}" cookie p1 weight 100
    server p2 "127.0.0.1:${HAPROXYADMIN_PORT_ORIGIN2}" cookie p2 weight 100

backend trackers
    server t1 "127.0.0.1:${HAPROXYADMIN_PORT_ORIGIN1}" track web/w3
    server t2 "127.0.0.1:${HAPROXYADMIN_PORT_ORIGIN1}" track trackers/t1

# The first check does not end: "UP 1/2".
backend slow
    option httpchk
    timeout check 60s
    server sl1 127.0.0.1:MUTE check
    server sl2 127.0.0.1:MUTE check disabled

backend dead
    server d1 "127.0.0.1:${HAPROXYADMIN_PORT_NOBODY}" check
    server d2 "127.0.0.1:${HAPROXYADMIN_PORT_NOBODY}" check

backend agents
    server a1 "127.0.0.1:${HAPROXYADMIN_PORT_ORIGIN1}" cookie a1 weight 100 check agent-check agent-inter 50ms agent-port AGENT

backend queue
    server q1 "127.0.0.1:${HAPROXYADMIN_PORT_ORIGIN1}" cookie q1 maxconn 1

backend names
    server n1 name.example:80 check resolvers nobody init-addr none
    server n2 "127.0.0.1:${HAPROXYADMIN_PORT_ORIGIN1}"

backend static
    balance static-rr
    server x1 "127.0.0.1:${HAPROXYADMIN_PORT_ORIGIN1}"

backend secure
    server e1 "127.0.0.1:${HAPROXYADMIN_PORT_ORIGIN1}" ssl verify none

backend files
    server u1 "unix@/nowhere/app.sock"

backend tunnel
    server v1 "127.0.0.1:TUNNEL"

backend dynamic
    server c1 "127.0.0.1:${HAPROXYADMIN_PORT_ORIGIN1}" cookie c1
    server c2 "127.0.0.1:${HAPROXYADMIN_PORT_ORIGIN2}" cookie c2 disabled

backend used
    server m1 "127.0.0.1:${HAPROXYADMIN_PORT_ORIGIN1}" check
    server m2 "127.0.0.1:${HAPROXYADMIN_PORT_ORIGIN1}" check
    use-server m1 if FALSE
"""


def settled(dump):
    """Return the rows of ``show servers state`` without the columns that change by themselves."""
    return [line.split()[:9] + line.split()[15:] for line in dump.split('\n')]


class Agent(sockets.Listener):
    """Answers agent checks with ``answer``.

    ``heard`` is what a check has sent last, if it ``listens``.
    """

    def __init__(self):
        super(Agent, self).__init__(('127.0.0.1', 0))
        self.answer = b'up ready 100%'
        self.listens = False
        self.heard = b''
        self.listen()

    @property
    def port(self):
        return self.path[1]

    def serve(self, client):
        try:
            if self.listens:
                client.settimeout(0.05)
                self.heard = client.recv(1000)
            client.sendall(self.answer + b'\n')
        except socket.error:
            pass
        client.close()


class Mute(sockets.Listener):
    """Accepts connections, and never says anything."""

    def __init__(self):
        super(Mute, self).__init__(('127.0.0.1', 0))
        self._clients = []
        self.listen()

    @property
    def port(self):
        return self.path[1]

    def serve(self, client):
        self._clients.append(client)

    def refuse(self):
        """Close all connections."""
        super(Mute, self).refuse()
        for client in self._clients:
            client.close()


class Tunnel(sockets.Listener):
    """Switches protocols, as for a websocket, then returns what it receives."""

    def __init__(self):
        super(Tunnel, self).__init__(('127.0.0.1', 0))
        self.listen()

    @property
    def port(self):
        return self.path[1]

    def serve(self, client):
        sockets.started(self._serve, client)

    def _serve(self, client):
        try:
            received = b''
            while b'\r\n\r\n' not in received:
                received += self.recv(client)
            client.sendall(b'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n'
                           b'Upgrade: echo\r\n\r\n')
            chunk = self.recv(client)
            while chunk:
                client.sendall(chunk)
                chunk = self.recv(client)
        except socket.error:
            pass
        client.close()


class Site(lab.Stopped):
    """HAProxies with the same servers of every kind.

    :param options: see :class:`tests.support.lab.Lab`.
    """

    def __init__(self, binary, count=2, **options):
        self.version = lab.branch(binary)
        self.number = tuple(map(int, self.version.split('.')))
        self.agent, self.tunnel, self.mute = Agent(), Tunnel(), Mute()
        self._group = None
        try:
            config = CONFIG
            for word, port in [('agent-port AGENT', self.agent.port), (':MUTE', self.mute.port),
                               ('"127.0.0.1:TUNNEL"', self.tunnel.port)]:
                assert word in config
                config = config.replace(word, re.sub('[A-Z]+', str(port), word))
            self._group = group.Group(binary, count, config=config, **options)
            self.labs = self._group.labs
            self.paths = self._group.paths
            self.directory = self._group.directory
            self.wait_for_checks()
        except BaseException:
            self.stop()
            raise

    @property
    def master_files(self):
        return sum([each.master_files for each in self.labs], [])

    def stop(self):
        try:
            if self._group:
                self._group.stop()
        finally:
            self.agent.refuse()
            self.tunnel.refuse()
            self.mute.refuse()

    def wait_for_checks(self):
        """Wait until the first results of all checks are there."""
        lab.wait_until(lambda: all(
            self.row(number, backend, server)['check_status'] not in ('', 'INI')
            and self.row(number, backend, server)['status'] in ('UP', 'DOWN')
            for number in range(len(self.labs))
            for backend, server in [('web', 'w1'), ('web', 'w2'), ('web', 'w3'),
                                    ('dead', 'd1'), ('dead', 'd2'), ('agents', 'a1')]), 'checks')

    # What HAProxy says, without the library

    def raw(self, command, number=0):
        """Send a command to one process; return the reply."""
        return lab.ask(self.paths[number], command)

    def all(self, *lines):
        """Send commands to all processes; return the replies."""
        return [[lab.ask(path, line) for line in lines] for path in self.paths]

    def row(self, number, backend, server):
        """Return a row of statistics as a dict; None if there is no such server."""
        text = self.raw('show stat', number)[2:]
        lines = io.BytesIO(text) if six.PY2 else io.StringIO(text)
        for row in csv.DictReader(lines):
            if (row['pxname'], row['svname']) == (backend, server):
                return row
        return None

    def state(self, number, backend, server):
        """Return a row of ``show servers state`` as a dict; None if there is no such server."""
        lines = self.raw('show servers state ' + backend, number).split('\n')
        names = lines[1][2:].split()
        for line in lines[2:]:
            row = dict(zip(names, line.split()))
            if row.get('srv_name') == server:
                return row
        return None

    def statuses(self, backend, server):
        """Return the status in each process."""
        return [self.row(number, backend, server)['status'] for number in range(len(self.paths))]

    def bits(self, backend, server):
        """Return the administrative bits in each process."""
        return [int(self.state(number, backend, server)['srv_admin_state'])
                for number in range(len(self.paths))]

    def wait_for(self, backend, server, *statuses):
        """Wait until a server has one of some statuses in all processes."""
        lab.wait_until(lambda: set(self.statuses(backend, server)) <= set(statuses),
                       '{0}/{1} is {2}'.format(backend, server, statuses))

    def sessions(self, backend, server):
        """Return the sessions and queued requests in all processes together."""
        rows = [self.row(number, backend, server) for number in range(len(self.paths))]
        return sum(int(row['scur']) + int(row['qcur']) for row in rows)

    def wait_idle(self, backend, server):
        lab.wait_until(lambda: not self.sessions(backend, server), 'idle')

    # Changes

    def reset(self, backend, server, weight='100%', up='UP'):
        """Put a server into rotation in all processes, and wait until it is up."""
        word = '{0}/{1}'.format(backend, server)
        self.all('set server {0} state ready;set server {0} health up;set weight {0} {1}'.format(
            word, weight))
        self.wait_for(backend, server, up, 'no check')

    def speak(self, answer):
        """Have the agent answer something, and wait until both processes have heard it."""
        self.agent.answer = answer
        before = self.agent.connections
        lab.wait_until(lambda: self.agent.connections > before + 2 * len(self.paths), 'agent')
