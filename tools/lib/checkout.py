# SPDX-License-Identifier: Apache-2.0
"""Build the package without leaving anything in the checkout."""

import os
import re
import shutil

from lib.commands import Failed, run
from tests.support import ROOT

PATH = ROOT

# Options of pytest that leave out what only tools/test runs: times of a busy machine, and signals
# in the middle of a call.
WHERE_SLOW = ['-m', 'not signals', '-k', 'not in_a_moment']

_GIT = os.path.join(PATH, '.git')

_BUILT = shutil.ignore_patterns(
    '__pycache__', '*.egg-info', '.*_cache', '.eggs', '.git', '.hypothesis', '.tox'
)


def copy(directory):
    """Copy the files of the checkout to ``directory``, except build products."""
    shutil.copytree(PATH, directory, symlinks=True, ignore=_ignored)


def files():
    """Return the names of the files that git tracks, relative to the checkout.

    Without git, as in an unpacked source package, of all files that were not built.
    """
    if os.path.exists(_GIT):
        return _git('ls-files', '-z').strip('\0').split('\0')
    found = []
    for directory, directories, names in os.walk(PATH):
        ignored = _ignored(directory, directories + names)
        directories[:] = [name for name in directories if name not in ignored]
        paths = [os.path.join(directory, name) for name in names if name not in ignored]
        found += [os.path.relpath(path, PATH) for path in paths]
    return found


def time():
    """Return when the files were committed, in seconds since 1970.

    Without git, when the source package was built.
    """
    if os.path.exists(_GIT):
        return int(_git('log', '-1', '--format=%ct'))
    return int(os.path.getmtime(os.path.join(PATH, 'setup.cfg')))


def changes():
    """Return the files of the last commit that are no longer as they were, as git prints them."""
    if not os.path.exists(_GIT):
        return []
    # Otherwise git writes down what it has compared.
    command = ('--no-optional-locks', '--work-tree', PATH, 'status', '--porcelain', '-uno')
    return _git(*command).splitlines()


def environment():
    """Return the environment variables with which pbr builds a copy of the checkout."""
    variables = dict(os.environ)
    if os.path.exists(_GIT):
        # The copy has no history, and git trusts a repository that GIT_DIR names,
        # whoever owns it.
        variables['GIT_DIR'] = _GIT
    if not _pbr_knows_the_version():
        variables.setdefault('PBR_VERSION', _version() + '.dev0')
    return variables


def _ignored(path, names):
    """Return which of the names in a directory are build products."""
    found = set(_BUILT(path, names))
    return found | {'build', 'dist'} if path == PATH else found


def _git(*arguments):
    """Return what a command of git prints."""
    return run(['git', '--git-dir', _GIT] + list(arguments))


def _pbr_knows_the_version():
    """Return whether pbr can determine the version from PKG-INFO or from git.

    Without a tag, it would use 0.0.0 for the only commit of a shallow clone. As pbr does, it
    takes no lightweight tag for a release.
    """
    if os.path.exists(os.path.join(PATH, 'PKG-INFO')):
        return True
    try:
        return int(_git('rev-list', '--count', 'HEAD')) > 1 or _is_tagged()
    except Failed:
        return False


def _is_tagged():
    """Return whether the last commit has a tag; if not, raise Failed."""
    return bool(_git('describe', '--exact-match'))


def _version():
    """Return the version that the package declares."""
    path = os.path.join(PATH, 'haproxyadmin', '__init__.py')
    with open(path, encoding='utf-8') as file:
        pattern = r"""^__version__ = ['"](.+)['"]"""
        return re.search(pattern, file.read(), re.MULTILINE).group(1)
