# SPDX-License-Identifier: Apache-2.0
"""Run other programs."""

import os
import subprocess


class Failed(Exception):
    """A program failed, or something could not be made; the message says why."""


def run(command, variables=os.environ, directory=None):
    """Return what a command prints; raise Failed with all that it prints if it fails."""
    try:
        done = subprocess.run(
            command,
            cwd=directory,
            env=dict(variables, LC_ALL='C.UTF-8'),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding='utf-8',
            errors='replace',
        )
    except OSError as error:
        raise Failed(str(error)) from error
    if done.returncode:
        text = (done.stdout + done.stderr).strip()
        words = ' '.join(command[:4])
        raise Failed('%s ... failed (%d): %s' % (words, done.returncode, text))
    return done.stdout
