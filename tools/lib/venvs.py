#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Provide virtual environments for any Python version, without root.

``tools/lib/venvs.py --python 2.7 -r requirements.txt`` prints the path of an
interpreter that has the requirements installed.  Environments are kept in a
cache directory, one for each combination of interpreter and content of the
requirement files.  Only Python 3 and git must be installed.
"""

import argparse
import collections
import contextlib
import fcntl
import glob
import hashlib
import json
import os
import re
import shutil
import sys
import tempfile

from lib.commands import Failed, run

# For building the checkout, and packages without a wheel, in the environment.
BUILD = ['setuptools', 'wheel', 'pbr']

# The first pip that tries another version if a package turns out to need
# another Python; pip 21 needs Python 3.
PIP = 'pip>=20.3,<21'

# The last versions that create environments for Python 2.7 and 3.6.
VIRTUALENV = 'virtualenv>=20,<20.22'

_IDENTITY = """
import json, sys
print(json.dumps([list(sys.version_info[:3]), sys.executable, sys.version]))
"""

# The hooks of the host are for its own package lists, not for private ones, and
# the sandbox user cannot enter a private directory.
_APT_CONF = """\
#clear APT::Update::Pre-Invoke;
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
APT::Sandbox::User "root";
Acquire::Languages "none";
"""

Python = collections.namedtuple('Python', 'version path build')


class Unavailable(Exception):
    """The Python version was not found on this machine."""


def find_python(branch=None):
    """Return the Python of ``branch`` ("3.6"), by default the one that runs this.

    PATH is searched first, then the versions of pyenv.  Raises Unavailable if
    no working one is found.
    """
    if branch is None:
        return _identify(sys.executable)
    if not re.match(r'\d+\.\d+$', branch):
        raise Unavailable('%r is no Python version such as 3.6' % branch)
    for path in _candidates(branch):
        # pyenv also has shims for versions that are not in use.
        with contextlib.suppress(Failed):
            python = _identify(path)
            if python.version.startswith(branch + '.'):
                return python
    raise Unavailable('no working python%s on PATH or under pyenv' % branch)


def get(python, requirements=(), no_deps=()):
    """Return the interpreter of a cached environment, creating it if necessary.

    :param requirements: paths of requirement files
    :param no_deps: paths of requirement files to install without
        dependencies

    Raises Failed if the environment cannot be created.
    """
    wanted = [python, BUILD, PIP]
    wanted += [[_read(path) for path in paths] for paths in (requirements, no_deps)]
    key = hashlib.sha256(repr(wanted).encode()).hexdigest()
    name = '%s-%s' % (python.version, key[:12])
    directory = os.path.join(cache_directory(), name)
    inside = os.path.join(directory, 'bin', 'python')
    complete = os.path.join(directory, '.complete')
    os.makedirs(cache_directory(), exist_ok=True)
    with _locked(os.path.join(cache_directory(), '.%s.lock' % name)):
        if not os.path.exists(complete) or not _works(inside):
            _progress('Python %s: making a virtual environment' % python.version)
            shutil.rmtree(directory, ignore_errors=True)
            create(python, directory)
            install(inside, ['--upgrade'] + BUILD + _as_options(requirements))
            if no_deps:
                options = ['--no-deps', '--no-build-isolation']
                install(inside, options + _as_options(no_deps))
            open(complete, 'w').close()
    return inside


def create(python, directory):
    """Create an empty environment and return its interpreter."""
    inside = os.path.join(directory, 'bin', 'python')
    if python.version.startswith('2.'):
        _create_with_virtualenv(python, directory)
    elif _has_ensurepip(python):
        _run([python.path, '-m', 'venv', directory])
    else:
        _run([python.path, '-m', 'venv', '--without-pip', directory])
        _install_pip(inside)
    pip = _run([inside, '-m', 'pip', '--version']).split()[1]
    if [int(number) for number in pip.split('.')[:2]] < [20, 3]:
        install(inside, ['--upgrade', PIP])
    return inside


def install(inside, arguments, variables=os.environ):
    """Run ``pip install`` with ``arguments`` in an environment."""
    options = ['--quiet', '--disable-pip-version-check', '--no-input']
    _run([inside, '-m', 'pip'] + options + ['install'] + arguments, None, variables)


def cache_directory():
    """Return the directory that contains the environments."""
    base = os.environ.get('HAPROXYADMIN_CACHE')
    if not base:
        user = os.environ.get('XDG_CACHE_HOME') or os.path.expanduser('~/.cache')
        base = os.path.join(user, 'haproxyadmin')
    return os.path.join(os.path.abspath(base), 'venvs')


def _candidates(branch):
    """Yield the paths where the Python of ``branch`` may be."""
    if sys.executable and branch == '%d.%d' % sys.version_info[:2]:
        yield sys.executable
    for directory in os.environ.get('PATH', os.defpath).split(os.pathsep):
        path = os.path.join(directory, 'python' + branch)
        if os.access(path, os.X_OK):
            yield path
    for root in [os.environ.get('PYENV_ROOT'), os.path.expanduser('~/.pyenv')]:
        if root:
            pattern = os.path.join(glob.escape(root), 'versions', branch + '.*')
            found = [p for p in glob.glob(pattern) if re.search(r'\.\d+$', p)]
            found.sort(key=lambda p: int(p.rsplit('.', 1)[1]), reverse=True)
            for directory in found:
                yield os.path.join(directory, 'bin', 'python')


def _identify(path):
    """Return the Python that the interpreter at ``path`` reports to be."""
    version, executable, build = json.loads(_run([path, '-c', _IDENTITY]))
    return Python('.'.join(map(str, version)), executable, build)


def _works(inside):
    """Return whether the interpreter of an environment still runs."""
    with contextlib.suppress(Failed):
        _identify(inside)
        return True
    return False


def _has_ensurepip(python):
    """Return whether ``python -m venv`` can provide pip."""
    with contextlib.suppress(Failed):
        _run([python.path, '-c', 'import ensurepip'])
        return True
    return False


def _create_with_virtualenv(python, directory):
    """Create an environment for a Python that has no venv."""
    with tempfile.NamedTemporaryFile('w', suffix='.txt') as requirements:
        requirements.write(VIRTUALENV)
        requirements.flush()
        helper = get(find_python(), [requirements.name])
    # Without downloads it uses its bundled wheels.
    command = [helper, '-m', 'virtualenv', '--no-download', '--no-periodic-update']
    with tempfile.TemporaryDirectory() as data:
        # Wheels that another version left in the default location do not work.
        command += ['--app-data', data, '--copies']
        _run(command + ['--python', python.path, directory])


def _install_pip(inside):
    """Install pip from its Debian package, as ensurepip is missing."""
    with tempfile.TemporaryDirectory() as work:
        wheel = _debian_pip('/') or _downloaded_pip(work)
        # A wheel is a zip file, from which Python can run packages.
        pip = os.path.join(wheel, 'pip')
        _run([inside, pip, 'install', '--quiet', '--no-index', wheel])


def _debian_pip(root):
    """Return the wheel of Debian's package python3-pip-whl below ``root``."""
    pattern = 'usr/share/python-wheels/pip-*-py3-none-any.whl'
    found = glob.glob(os.path.join(glob.escape(root), pattern))
    return found[0] if found else None


def _downloaded_pip(work):
    """Download and unpack Debian's package python3-pip-whl; return the wheel."""
    for program in ('apt-get', 'dpkg-deb'):
        if not shutil.which(program):
            raise Failed('Python has no ensurepip here; install python3-venv')
    # With its own lists and cache, apt needs no root.
    config = os.path.join(work, 'apt.conf')
    with open(config, 'w') as file:
        file.write(_APT_CONF)
    open(os.path.join(work, 'status'), 'w').close()
    apt = ['apt-get', '-q', '-c', config]
    for name in ('lists/partial', 'archives/partial'):
        os.makedirs(os.path.join(work, name))
    for name, path in [
        ('State', work),
        ('State::lists', os.path.join(work, 'lists')),
        ('State::status', os.path.join(work, 'status')),
        ('Cache', work),
    ]:
        apt += ['-o', 'Dir::%s=%s' % (name, path)]
    _progress('downloading pip from Debian')
    _run(apt + ['update'])
    _run(apt + ['download', 'python3-pip-whl'], directory=work)
    (package,) = glob.glob(os.path.join(glob.escape(work), '*.deb'))
    root = os.path.join(work, 'root')
    _run(['dpkg-deb', '-x', package, root])
    wheel = _debian_pip(root)
    if not wheel:
        raise Failed("Debian's python3-pip-whl holds no wheel of pip")
    return wheel


def _as_options(files):
    """Return the options of pip for requirement files."""
    return [word for path in files for word in ('-r', path)]


def _run(command, directory=None, variables=os.environ):
    """Return what ``command`` prints, without what belongs to another Python."""
    environment = dict(variables)
    for name in ('PYTHONPATH', 'PYTHONHOME', 'VIRTUAL_ENV', 'PYTHONSTARTUP'):
        environment.pop(name, None)
    return run(command, environment, directory)


def _read(path):
    """Return the content of a file."""
    with open(path, 'rb') as file:
        return file.read()


def _progress(text):
    """Print the current step to stderr."""
    print(text, file=sys.stderr, flush=True)


@contextlib.contextmanager
def _locked(path):
    """Hold an exclusive lock on ``path``, waiting for it."""
    with open(path, 'w') as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def main():
    """Print the path of an interpreter; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.split('\n\n')[0])
    parser.add_argument('--python', metavar='VERSION', help='such as 3.6')
    parser.add_argument('-r', action='append', default=[], metavar='FILE', help='requirement file')
    arguments = parser.parse_args()
    try:
        print(get(find_python(arguments.python), arguments.r))
    except (OSError, Unavailable, Failed) as reason:
        print(reason, file=sys.stderr)
        return 1
    return 0


if __name__ == '__main__':
    sys.exit(main())
