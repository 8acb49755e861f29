# SPDX-License-Identifier: Apache-2.0
"""Read what real HAProxys from 1.5.8 to 3.4.0 answered, as captured in ``tests/data``.

The captures come from one configuration that was started under each version. Pointers, pids,
ports and times in them are of that day.
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
    """Tell whether a dump was captured: not every version has every command."""
    return os.path.exists(_path(version, name))


def dump(version, name):
    """Return one whole reply, as it came from the socket.

    :param version: one of :data:`VERSIONS`
    :param name: ``'info.txt'``, ``'stat.csv'``, ``'info_typed.txt'`` (1.7 on),
        ``'stat_typed.txt'`` (2.2 and 3.2), ``'acl.txt'``, ``'map.txt'``, ``'acl_4.txt'``,
        ``'acl_0_file.txt'``, ``'map_7.txt'``, ``'errors.txt'``, ``'cli_level.txt'`` or
        ``'help.txt'``
    :rtype: ``bytes``
    """
    path = _path(version, name)
    with (gzip.open if path.endswith('.gz') else open)(path, 'rb') as captured:
        return captured.read()


def replies(group=None, command_prefix=None):
    """Return the replies to single commands, version by version in the order of their capture.

    :param group: the command family, for instance ``'map add'``; None for all.
    :param command_prefix: how the command begins; None for all. A ``command`` that begins with
        an upper-case word (``LOW user show sess``) is a note of how it was captured.
    :return: dictionaries with the keys ``version``, ``group``, ``case``, ``command`` and
        ``reply``. The cases of a group build on each other.
    :rtype: ``list``
    """
    if not _cases:
        with gzip.open(os.path.join(DATA, 'replies.jsonl.gz'), 'rb') as captured:
            _cases.extend(json.loads(line.decode('utf-8')) for line in captured)
    return [dict(case) for case in _cases
            if group in (None, case['group'])
            and case['command'].startswith(command_prefix or '')]
