# SPDX-License-Identifier: Apache-2.0
"""Run a module of the checkout with its requirements and the HAProxy binaries it needs."""

import argparse
import importlib.machinery
import importlib.util
import os
import signal
import sys

from lib import checkout, venvs

HAPROXY = ['2.2', '2.6', '3.0', '3.2']


def parser(description, haproxy=None):
    """Return a parser with the option ``--haproxy``.

    :param haproxy: the versions to run by default
    """
    made = argparse.ArgumentParser(description=description.split('\n\n')[0])
    made.add_argument(
        '--haproxy',
        nargs='+',
        default=haproxy or HAPROXY,
        metavar='X.Y',
        help='versions of HAProxy; by default ' + ', '.join(haproxy or HAPROXY),
    )
    return made


def run(module, versions, arguments=(), requirements=()):
    """Replace this program with a module of the checkout, or return an error message.

    :param module: name of the module; its first arguments are the HAProxy
        binaries, as ``2.2=/path``
    :param requirements: paths of additional requirement files
    """
    # SIGTERM must also stop what this program has started.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    files = [os.path.join(checkout.PATH, 'requirements.txt')] + list(requirements)
    get_haproxy = load('get-haproxy')
    try:
        inside = venvs.get(venvs.find_python(), files)
        haproxies = ['%s=%s' % (v, get_haproxy.get(v)) for v in versions]
    except (venvs.Failed, venvs.Unavailable, get_haproxy.Unavailable) as reason:
        return str(reason)
    sys.stdout.flush()
    os.chdir(checkout.PATH)
    # It replaces this program, so that it receives the signals.
    os.execv(inside, [inside, '-B', '-E', '-m', module] + haproxies + list(arguments))


def load(name):
    """Import a program from tools/."""
    path = os.path.join(checkout.PATH, 'tools', name)
    loader = importlib.machinery.SourceFileLoader(name.replace('-', '_'), path)
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader(loader.name, loader))
    loader.exec_module(module)
    return module
