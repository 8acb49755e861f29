# SPDX-License-Identifier: Apache-2.0
"""The state of HAProxy, read from its sockets without the library, and its configuration."""
import collections
import csv
import errno
import io
import socket

import six

from tests.support.lab import wait_until

# The proxies of haproxy.cfg in order, and the processes that have them.
FRONTENDS = [
    ('haproxy', [1, 2, 3, 4]),
    ('haproxy-stats', [1]),
    ('haproxy-stats2', [2]),
    ('haproxy-stats3', [3]),
    ('haproxy-stats4', [4]),
    ('frontend_proc1', [1]),
    ('frontend_proc2', [2]),
    ('frontend1_proc34', [3, 4]),
    ('frontend2_proc34', [3, 4]),
]
BACKENDS = [
    ('haproxy', [1, 2, 3, 4]),
    ('backend1_proc34', [3, 4]),
    ('backend2_proc34', [3, 4]),
    ('backend_proc1', [1]),
    ('backend_proc2', [2]),
]
SERVERS = {
    'haproxy': [],
    'backend1_proc34': ['bck1_proc34_srv1', 'bck1_proc34_srv2', 'bck_all_srv1'],
    'backend2_proc34': ['bck2_proc34_srv1', 'bck2_proc34_srv2', 'bck_all_srv1'],
    'backend_proc1': ['member1_proc1', 'member2_proc1', 'bck_all_srv1', 'member_bkall'],
    'backend_proc2': ['bck_proc2_srv1_proc2', 'bck_proc2_srv2_proc2', 'bck_proc2_srv3_proc2',
                      'bck_proc2_srv4_proc2'],
}


def version(lab):
    """Return the version as a tuple such as ``(2, 2)``."""
    return tuple(map(int, lab.version.split('.')))


def process_count(lab):
    return 1 if lab.layout == 'single' else 4


def numbers(lab, processes):
    """Return the process numbers that HAProxy gives to these processes of the configuration."""
    if lab.layout == 'nbproc4':
        return list(processes)
    # Each HAProxy is process 1 of 1.
    return [1] * len(paths(lab, processes))


def paths(lab, processes):
    """Return the sockets of these processes of the configuration."""
    if lab.layout == 'single':
        return lab.socket_files[:1]
    return [lab.socket_files[number - 1] for number in processes]


def processes_of(proxy):
    return dict(FRONTENDS + BACKENDS)[proxy]


def order(lab, proxies):
    """Return the names of proxies as the library lists them: by the first process that has them."""
    if lab.layout == 'single':
        return [name for name, _ in proxies]
    return [name for name, processes in sorted(proxies, key=lambda proxy: min(proxy[1]))]


def all_servers(lab):
    """Return ``(backend, server)`` in the order in which the library lists them."""
    return [(backend, server) for backend in order(lab, BACKENDS) for server in SERVERS[backend]]


class Snapshot(object):
    """A lab that sends each command only once, and repeats the replies."""

    def __init__(self, lab):
        self._lab = lab
        self._replies = {}

    def __getattr__(self, name):
        return getattr(self._lab, name)

    def raw(self, command, path=None):
        if (command, path) not in self._replies:
            self._replies[command, path] = self._lab.raw(command, path)
        return self._replies[command, path]


_parsed = collections.OrderedDict()


def parse(reply):
    """Return the rows of a reply to ``show stat`` as dictionaries."""
    if reply not in _parsed:
        _parsed[reply] = _parse(reply)
        if len(_parsed) > 8:
            _parsed.popitem(last=False)
    return _parsed[reply]


def _parse(reply):
    if six.PY2:
        lines = io.BytesIO(reply)
    else:
        lines = io.StringIO(reply)
    rows = [row for row in csv.reader(lines) if row]
    heads = rows[0]
    heads[0] = heads[0].lstrip('# ')
    found = []
    for row in rows[1:]:
        pairs = {}
        for head, text in zip(heads, row):
            pairs.setdefault(head, text)
        pairs.pop('', None)
        found.append(pairs)
    return found


def rows(lab, path=None):
    """Return all rows of one process, including listeners."""
    return parse(lab.raw('show stat', path))


def row(lab, path, proxy, name):
    """Return one row of a process, or None if it does not have the row."""
    for found in rows(lab, path):
        if (found['pxname'], found['svname']) == (proxy, name):
            return found
    return None


def figures(lab, proxy, name, field):
    """Return a field of a row, as text, from each process that has the row."""
    found = [row(lab, path, proxy, name) for path in lab.socket_files]
    return [figure[field] for figure in found if figure]


def total(lab, proxy, name, field):
    return sum(int(text) for text in figures(lab, proxy, name, field) if text)


def info(lab, path=None):
    """Return the fields of ``show info`` of a process."""
    lines = lab.raw('show info', path).strip().splitlines()
    return dict(line.split(': ', 1) if ': ' in line else (line.rstrip(':'), '')
                for line in lines)


def infos(lab):
    return [info(lab, path) for path in lab.socket_files]


def entries(lab, family, ident, path=None):
    """Return the entries of an ACL or map in a process, in order and without their references."""
    lines = lab.raw('show {0} {1}'.format(family, ident), path).strip('\n').split('\n')
    return [line.split(' ', 1)[1] for line in lines if line]


def all_entries(lab, family, ident):
    """Return the entries of an ACL or map in each process."""
    return [entries(lab, family, ident, path) for path in lab.socket_files]


def references(lab, family, ident, path=None):
    """Return the references of the entries of an ACL or map, by entry."""
    lines = lab.raw('show {0} {1}'.format(family, ident), path).strip('\n').split('\n')
    return dict(reversed(line.split(' ', 1)) for line in lines if line)


def tell(lab, command, processes=(1, 2, 3, 4)):
    """Send a raw command to these processes of the configuration and return the replies."""
    return [lab.raw(command, path) for path in paths(lab, processes)]


def config(text='', level='admin', sockets=1):
    """Return a small configuration: one process with a frontend, a backend and two servers.

    :param text: lines for the section ``global``.
    :param sockets: the number of stats sockets: ``a.sock``, ``b.sock`` ...
    """
    lines = ['global']
    lines += ['    stats socket "${{HAPROXYADMIN_RUN}}/{0}.sock" level {1}'.format(name, level)
              for name in 'abcdefgh'[:sockets]]
    return '\n'.join(lines) + '\n' + text + """
defaults
    mode http
    timeout connect 1s
    timeout client 10s
    timeout server 10s
frontend web
    bind "127.0.0.1:${HAPROXYADMIN_PORT_WEB}"
    default_backend app
backend app
    server one "127.0.0.1:${HAPROXYADMIN_PORT_ORIGIN1}"
    server two "127.0.0.1:${HAPROXYADMIN_PORT_ORIGIN2}"
"""


def wait_for_checks(lab):
    """Wait for the first check of each checked server, so that all processes report the same."""
    def done():
        statuses = [row['check_status'] for path in lab.socket_files for row in rows(lab, path)
                    if row['svname'] not in ('FRONTEND', 'BACKEND')]
        return not set(statuses) & set(['INI', '* INI', 'UNK'])
    wait_until(done, 'all servers are checked')


def wait_until_refused(path):
    """Wait until connections are refused: a killed process does not end at once."""
    def is_refused():
        connection = socket.socket(socket.AF_UNIX)
        try:
            return connection.connect_ex(path) == errno.ECONNREFUSED
        finally:
            connection.close()
    wait_until(is_refused, 'nobody listens')
