# SPDX-License-Identifier: Apache-2.0
"""The console, as it is opened by ``python -m haproxyadmin``, in a terminal."""
import os
import pty
import select
import subprocess
import sys
import time

import pytest

from tests.conftest import PATIENT
from tests.support.package import PACKAGE_ROOT

pytestmark = pytest.mark.dealt_out
pytest.importorskip('readline')


class Terminal(object):
    """A terminal in which a program runs."""

    def __init__(self, arguments, home):
        self._master, slave = pty.openpty()
        self._shown = ''
        variables = dict(os.environ, HOME=home, PYTHONPATH=PACKAGE_ROOT, TERM='dumb')
        self._program = subprocess.Popen(
            [sys.executable, '-B', '-m', 'haproxyadmin', '--plain'] + arguments, stdin=slave,
            stdout=slave, stderr=slave, env=variables, cwd='/', close_fds=True)
        os.close(slave)

    def type(self, text):
        os.write(self._master, text.encode())

    def read_until(self, text):
        """Return what it has shown until a text appears."""
        deadline = time.time() + PATIENT
        while text not in self._shown:
            assert select.select([self._master], [], [], max(0, deadline - time.time()))[0], (
                'no {0!r} in {1!r}'.format(text, self._shown))
            try:
                read = os.read(self._master, 4096)
            except OSError:
                read = b''  # it has ended
            assert read, 'no {0!r} in {1!r}'.format(text, self._shown)
            self._shown += read.decode()
        before, _, self._shown = self._shown.partition(text)
        return before + text

    def end(self):
        if self._program.poll() is None:
            self._program.kill()
        self._program.wait()
        os.close(self._master)

    def status(self):
        self.type('\x04')
        self.read_until('\n')
        return self._program.wait()


@pytest.fixture
def open_console(lab, tmpdir):
    opened = []

    def start():
        opened.append(Terminal([lab.socket_dir], str(tmpdir)))
        return opened[-1]
    yield start
    for terminal in opened:
        terminal.end()


def test_it_greets_completes_answers_and_remembers(lab, open_console):
    terminal = open_console()
    assert 'HAProxy {0}'.format(lab.version) in terminal.read_until('>>> ')
    terminal.type('hap.setmaxc\t')
    terminal.read_until('onn(')
    terminal.type('1000)\n')
    assert 'True' in terminal.read_until('>>> ')
    terminal.type("[server.name for server in hap.backend('backend_proc1')]\n")
    assert "'member1_proc1'" in terminal.read_until('>>> ').split('\n', 1)[1]
    terminal.type("hap.backend('backend_proc1')['nope']\n")
    assert "no server 'nope' in backend 'backend_proc1'" in terminal.read_until('>>> ')
    assert terminal.status() == 0
    again = open_console()
    again.read_until('>>> ')
    again.type('\x10')  # Ctrl-P: the last line
    again.read_until("hap.backend('backend_proc1')['nope']")
    again.type('\n')
    assert "no server 'nope'" in again.read_until('>>> ')
    assert again.status() == 0
