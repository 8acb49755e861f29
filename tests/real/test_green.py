# SPDX-License-Identifier: Apache-2.0
"""A session under eventlet and under gevent, which patch the standard library."""
import os
import subprocess
import sys

import pytest

from haproxyadmin.testing import sockets
from tests.support.package import PACKAGE_ROOT

# Each library removes or replaces parts of the standard library.
PATCHES = {
    'eventlet': 'import eventlet as green; green.monkey_patch(); spawn = green.spawn',
    'gevent': 'import gevent as green, gevent.monkey; gevent.monkey.patch_all(); '
              'spawn = green.spawn',
}

# Other greenlets run while HAProxy is silent: one tick every 10 ms.
SESSION = """
from haproxyadmin import exceptions, haproxy
{0}
hap = haproxy.HAProxy(socket_dir=DIRECTORY, timeout=10)
ticks = []

def tick():
    while True:
        ticks.append(1)
        green.sleep(0.01)

spawn(tick)
print(sorted(server.name for server in hap.servers())[0])
print(hap.setmaxconn(900), hap.setmaxconn(0))
print(hap.snapshot().frontend('frontend_proc1').status)
print(len(hap.show_map(0)) > 0)
try:
    hap.add_acl(4711, 'x')
except exceptions.CommandFailed:
    print('refused')
try:
    haproxy.HAProxy(socket_file=SILENT, timeout=0.5)
except ValueError:
    print('silent')
print(len(ticks) > 10)
"""


@pytest.mark.one_haproxy
class TestASession(object):

    @pytest.mark.parametrize('library', sorted(PATCHES))
    @pytest.mark.parametrize('order', ['patched before the import', 'patched after it'])
    def test_under(self, lab, tmpdir, library, order):
        pytest.importorskip(library)
        silent = sockets.bound(str(tmpdir.join('silent.sock')))
        silent.listen(1)
        session = SESSION.format(PATCHES[library])
        if order == 'patched before the import':
            session = PATCHES[library] + session
        program = 'from __future__ import print_function\nDIRECTORY, SILENT = {0!r}, {1!r}\n'.format(
            lab.socket_dir, str(tmpdir.join('silent.sock'))) + session
        try:
            output = subprocess.check_output(
                [sys.executable, '-W', 'ignore', '-c', program],
                env=dict(os.environ, PYTHONPATH=PACKAGE_ROOT))
        finally:
            silent.close()
        assert output.decode('ascii').split('\n') == [
            'bck1_proc34_srv1', 'True True', 'OPEN', 'True', 'refused', 'silent', 'True', '']
