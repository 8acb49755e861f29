# SPDX-License-Identifier: Apache-2.0
"""The figures of an idle HAProxy of each version, made from the captured replies.

``python -m tests.support.models`` writes them to ``haproxyadmin/testing/families/data``; a test holds those
files against the captured replies.
"""
import os
import re

from haproxyadmin.testing.texts import text
from tests.support import ROOT, captured

DATA = os.path.join(ROOT, 'haproxyadmin', 'testing', 'families', 'data')
# The rows of the captured table that are models of others, and their names in the files.
ROWS = [(('haproxy', 'FRONTEND'), ('http', 'frontend')),
        (('tcp_listen', 'FRONTEND'), ('tcp', 'frontend')),
        (('be_static', 'BACKEND'), ('http', 'backend')),
        (('tcp_listen', 'BACKEND'), ('tcp', 'backend')),
        (('be_static', 'be_static_nocheck'), ('http', 'server')),
        (('be_static', 'be_static_srv1'), ('http', 'checked')),
        (('backend_proc1', 'backend_proc1_srv2'), ('http', 'agent')),
        (('tcp_listen', 'tcp1'), ('tcp', 'checked'))]
# What comes from the configuration, or is not a figure.
_KEPT = {'pxname', 'svname', 'pid', 'type', 'status', 'check_status', 'check_desc', 'agent_status',
         'agent_desc', 'check_rise', 'check_fall', 'check_health', 'agent_rise', 'agent_fall',
         'agent_health', 'mode', 'act', 'bck', 'weight', 'algo'}
_KEPT_INFO = re.compile(r'Name|Version|Release_date|Nbthread|Nbproc|Process_num|Maxconn|Hard_maxconn|'
                        r'Ulimit-n|Maxsock|Idle_pct|Build info|Listeners')
# Those that tell what somebody has said or done.
_TEXTS = {'last_chk', 'last_agt', 'addr', 'cookie', 'tracked', 'check_code', 'agent_code'}


def table(version):
    """Return the models of the rows of ``show stat`` as a table like it."""
    lines = text(captured.dump(version, 'stat.csv')).split('\n')
    names = lines[0][2:].split(',')
    rows = dict((tuple(line.split(',')[:2]), line.split(',')) for line in lines[1:] if line)
    models = [lines[0]]
    for captured_as, model in ROWS:
        row = list(model) + rows[captured_as][2:]
        models.append(','.join(_idle(name, value) for name, value in zip(names, row)))
    return '\n'.join(models) + '\n'


def _idle(name, value):
    if name in _TEXTS:
        return ''
    if name == 'lastsess' and value:
        return '-1'
    if name in _KEPT or not re.match(r'-?\d+\Z', value):
        return value
    return '0'


def info(version):
    """Return the fields of ``show info``."""
    lines = text(captured.dump(version, 'info.txt')).split('\n')
    return '\n'.join(line if _KEPT_INFO.match(line) else re.sub(r': \d+\Z', ': 0', line)
                     for line in lines if line) + '\n'


def main():
    """Write the files."""
    for version in captured.VERSIONS:
        directory = os.path.join(DATA, version)
        if not os.path.isdir(directory):
            os.makedirs(directory)
        for name, content in [('stat.csv', table(version)), ('info.txt', info(version))]:
            with open(os.path.join(directory, name), 'w') as written:
                written.write(content)


if __name__ == '__main__':
    main()
