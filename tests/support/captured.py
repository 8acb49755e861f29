# SPDX-License-Identifier: Apache-2.0
"""Read replies of real HAProxy versions, 1.5.8 to 3.4.0, captured in ``tests/data``.

All captures were made with one configuration, run under each version. Pointers, pids, ports and
times are those of the day of the capture.
"""
import gzip
import json
import os
import re

from tests.support import ROOT

DATA = os.path.join(ROOT, 'tests', 'data')

# Oldest first; '1.5' is 1.5.19.
VERSIONS = ['1.5.8', '1.5', '1.6', '1.7', '1.8', '2.0', '2.2', '2.4', '2.6', '2.8', '3.0', '3.2',
            '3.4']

_cases = []
_servers = []


def _path(version, name):
    path = os.path.join(DATA, version, name)
    return path if os.path.exists(path) else path + '.gz'


def has_dump(version, name):
    """Return whether a dump was captured: not every version has every command."""
    return os.path.exists(_path(version, name))


def dump(version, name):
    """Return one complete reply, exactly as read from the socket.

    :param version: one of :data:`VERSIONS`
    :param name: ``'info.txt'``, ``'stat.csv'``, ``'info_typed.txt'`` (1.7 on),
        ``'stat_typed.txt'`` (1.8 on; but for 2.2 and 3.2 only the first line for each name, its
        origin, nature, scope and type), ``'servers_state.txt'`` (1.6 on), ``'acl.txt'``,
        ``'map.txt'``, ``'acl_4.txt'``, ``'acl_0_file.txt'``, ``'map_7.txt'``, ``'errors.txt'``,
        ``'cli_level.txt'``, ``'help.txt'``, ``'resolvers.txt'`` (1.8 on), ``'peers.txt'`` (2.0
        on), or, with another configuration from 1.8 on, ``'sess.txt'`` and ``'sess_all.txt'``
    :rtype: ``bytes``
    """
    path = _path(version, name)
    with (gzip.open if path.endswith('.gz') else open)(path, 'rb') as captured:
        return captured.read()


def configuration(version):
    """Return the configuration of the HAProxies whose replies were captured, as far as they show it.

    The lines of ACLs and maps have the numbers that the replies contain. :data:`FILES` are the files
    that it names.
    """
    has_nbproc = tuple(map(int, version.split('.')[:2])) < (2, 5)
    with open(os.path.join(DATA, 'captured.cfg')) as text:
        lines = text.read().replace('VERSION', version).split('\n')
    for _ in range({'1.5.8': 7, '1.5': 7, '1.6': 1}.get(version, 0)):
        lines.remove('#')
    if version in ('1.5.8', '1.5', '1.6'):
        place = lines.index('    default_backend be_dynamic')
        lines[place - 1:place + 1] = [lines[place], lines[place - 1]]
    return '\n'.join(line for line in (re.sub('^#nbproc ?', '', line) if has_nbproc else line
                                       for line in lines) if not line.startswith('#nbproc'))


FILES = dict(('/etc/haproxy/' + name, content) for name, content in [
    ('blocked.acl', '192.0.2.1\n192.0.2.0/28\n198.51.100.7\n'), ('paths.acl', '/secret\n/hidden\n'),
    ('rates.map', '127.0.0.0/8 100\n10.0.0.0/8 50\n'),
    ('owners.map', 'www.example.com alice\napp.example.com bob\n'),
    ('hosts.map', 'www.example.com be_static\napp.example.com be_dynamic\n')])


def replies(group=None, command_prefix=None):
    """Return the replies to single commands, by version and in the order they were captured.

    :param group: the command family, for example ``'map add'``; None for all.
    :param command_prefix: a prefix of the command; None for all. A ``command`` that starts with an
        upper-case word (``LOW user show sess``) describes how the reply was captured.
    :return: dictionaries with the keys ``version``, ``group``, ``case``, ``command`` and
        ``reply``. The cases of a group build on each other.
    :rtype: ``list``
    """
    if not _cases:
        _cases.extend(_load('replies.jsonl.gz'))
    return [dict(case) for case in _cases
            if group in (None, case['group'])
            and case['command'].startswith(command_prefix or '')]


def masters():
    """Return the replies of masters, from 2.0 on.

    :return: dictionaries with the keys ``version``, ``command`` (``'show proc'`` or ``'reload'``)
        and ``reply``.
    :rtype: ``list``
    """
    return _load('workers.jsonl.gz')


def tables():
    """Return the replies about stick tables, from 1.8 on; :func:`replies` has those of others.

    :return: dictionaries with the keys ``version``, ``case``, ``command`` and ``reply``. Each
        builds on those before it.
    :rtype: ``list``
    """
    return _load('tables.jsonl.gz')


def crt_lists():
    """Return the replies about lists of certificates, from 2.2 on.

    :return: dictionaries with the keys ``version``, ``command`` and ``reply``. Each builds on those
        before it; of several that are the same, some belong to other states.
    :rtype: ``list``
    """
    return _load('crt_lists.jsonl.gz')


def ca_files():
    """Return the replies about CA files and CRL files, from 2.2 on; 2.2 and 2.4 have none.

    :return: dictionaries with the keys ``version``, ``command`` and ``reply``. Each builds on those
        before it; of several that are the same, some belong to other states.
    :rtype: ``list``
    """
    return _load('ca_files.jsonl.gz')


def patterns():
    """Return the replies about ACLs and maps of all kinds, from 1.8 on.

    :return: dictionaries with the keys ``version``, ``command`` and ``reply``. Each builds on those
        before it. ``DIR`` is the directory of the configuration and of the files.
    :rtype: ``list``
    """
    return _load('patterns.jsonl.gz')


def tls():
    """Return the replies about certificates, CA files, OCSP and tickets, from 1.8 on.

    Those of the groups ``tls`` and ``tls2`` build on each other; each group began with a new process.
    ``(state)`` says that the process died. :func:`tls_files` are the certificates.

    :return: dictionaries with the keys ``version``, ``group``, ``command`` and ``reply``. In a command,
        ``{{site1.pem}}`` stands for a file.
    :rtype: list
    """
    return _load('tls.jsonl.gz')


def tls_files():
    """Return the certificates, revocation lists (PEM) and OCSP responses (base64) by name.

    They say the same as those of the captures but have other keys, and so other fingerprints.

    :rtype: dict
    """
    return dict((each['name'], each['text']) for each in _load('tls_files.jsonl.gz'))


def servers(version=None, group=None):
    """Return the replies about servers, from 1.8 on, that :func:`replies` does not have.

    Their configuration is :func:`servers_configuration`.

    :param version: a version; None for all.
    :param group: ``'server'``, ``'server2'``, ``'dynamic'``, ``'backend'``, ``'backend34'`` or
        ``'state'``; None for all. Each was captured with other HAProxies.
    :return: dictionaries with the keys ``version``, ``group``, ``command`` and ``reply``. Each of a
        group builds on those before it. Those of ``'server2'`` also say what servers looked like
        afterwards.
    :rtype: ``list``
    """
    if not _servers:
        _servers.extend(_load('servers.jsonl.gz'))
    return [case for case in _servers if version in (None, case['version'])
            and group in (None, case['group'])]


def servers_configuration(version):
    """Return the configuration of :func:`servers`."""
    with open(os.path.join(DATA, 'servers.cfg')) as text:
        return text.read().replace('#2.6 ', '' if version >= '2.6' else '#')


def _load(name):
    with gzip.open(os.path.join(DATA, name), 'rb') as captured:
        return [json.loads(line.decode('utf-8')) for line in captured]
