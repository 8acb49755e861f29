# SPDX-License-Identifier: Apache-2.0
"""Processes that measure: programs of their own, each in an interpreter of its own."""

import json
import os
import select
import subprocess

from tests.support import lab

WORKLOADS = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'workloads.py')


class Failed(Exception):
    """A subject fails to do a work; the message says which."""


class Worker:
    """A process that does works for some subjects on request.

    :param python: the interpreter.
    :param path: where it finds modules, or None.
    :param program: what it runs with the argument ``serve``.
    """

    def __init__(self, python, path, program=WORKLOADS):
        # Without PYTHONPATH, and without settings that prevent caching of compiled modules.
        self._variables = {
            name: value for name, value in os.environ.items() if not name.startswith('PYTHON')
        }
        if path:
            self._variables['PYTHONPATH'] = path
        self._python = python
        self._path = path
        self._program = program
        self._process = subprocess.Popen(
            [python, program, 'serve'],
            env=self._variables,
            cwd=os.path.dirname(python),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            encoding='utf-8',
        )

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.stop()

    def another(self, program):
        """Return a worker with the same interpreter that runs another program."""
        return Worker(self._python, self._path, program)

    def ask(self, request):
        """Return the answer to a request."""
        self._send(request)
        return self._receive(request)

    def watch(self, request):
        """Return the answer to a request, and the most descriptors seen open meanwhile.

        Those that were open before do not count.
        """
        before = most = lab.descriptors(self._process.pid)
        self._send(request)
        while not select.select([self._process.stdout], [], [], 0)[0]:
            most = max(most, lab.descriptors(self._process.pid))
        return self._receive(request), most - before

    def ask_another(self, request):
        """Return the answer of a fresh process."""
        return json.loads(self._run([self._program, 'once', json.dumps(request)]))

    def run(self, program):
        """Run a program in a fresh interpreter and return its CPU time in seconds."""
        process = subprocess.Popen(
            [self._python, '-c', program],
            env=self._variables,
            cwd=os.path.dirname(self._python),
        )
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = status
        if status:
            raise Failed(f'this program fails: {program}')
        return usage.ru_utime + usage.ru_stime

    def import_times(self, program):
        """Return what Python's option ``-X importtime`` prints for a program."""
        done = subprocess.run(
            [self._python, '-X', 'importtime', '-c', program],
            env=self._variables,
            cwd=os.path.dirname(self._python),
            stderr=subprocess.PIPE,
            encoding='utf-8',
        )
        if done.returncode:
            raise Failed('a profile of imports needs Python 3.7')
        return done.stderr

    def stop(self):
        """Stop the process."""
        self._process.stdin.close()
        self._process.stdout.close()
        self._process.wait()

    def _send(self, request):
        self._process.stdin.write(json.dumps(request) + '\n')
        self._process.stdin.flush()

    def _receive(self, request):
        line = self._process.stdout.readline()
        if not line:
            raise Failed('{subject} fails in {name!r}'.format(**request))
        return json.loads(line)

    def _run(self, words):
        return subprocess.run(
            [self._python] + words,
            env=self._variables,
            cwd=os.path.dirname(self._python),
            stdout=subprocess.PIPE,
            encoding='utf-8',
            check=True,
        ).stdout
