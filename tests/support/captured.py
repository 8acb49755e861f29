# SPDX-License-Identifier: Apache-2.0
"""Read replies of real HAProxy versions, 1.5.8 to 3.4.0, captured in ``tests/data``.

All captures were made with one configuration, run under each version. Pointers, pids, ports and
times are those of the day of the capture.
"""
import gzip
import json
import os

from tests.support import ROOT

DATA = os.path.join(ROOT, 'tests', 'data')

# Oldest first; '1.5' is 1.5.19.
VERSIONS = ['1.5.8', '1.5', '1.6', '1.7', '1.8', '2.0', '2.2', '2.4', '2.6', '2.8', '3.0', '3.2',
            '3.4']

_cases = []


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


def _load(name):
    with gzip.open(os.path.join(DATA, name), 'rb') as captured:
        return [json.loads(line.decode('utf-8')) for line in captured]
