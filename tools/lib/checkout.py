# SPDX-License-Identifier: Apache-2.0
"""Build the package without leaving anything in the checkout."""

import os
import re
import shutil
import subprocess

from tests.support import ROOT

PATH = ROOT

_GIT = os.path.join(PATH, '.git')

_BUILT = shutil.ignore_patterns(
    '__pycache__', '*.egg-info', '.*_cache', '.eggs', '.git', '.hypothesis', '.tox'
)


def copy(directory):
    """Copy the files of the checkout to ``directory``, except build products."""

    def ignore(path, names):
        found = set(_BUILT(path, names))
        return found | {'build', 'dist'} if path == PATH else found

    shutil.copytree(PATH, directory, symlinks=True, ignore=ignore)


def files():
    """Return the names of the files that git tracks, relative to the checkout."""
    command = ['git', '--git-dir', _GIT, 'ls-files', '-z']
    return subprocess.check_output(command, encoding='utf-8').strip('\0').split('\0')


def environment():
    """Return the environment variables with which pbr builds a copy of the checkout."""
    variables = dict(os.environ)
    if os.path.exists(_GIT):
        # The copy has no history, and git trusts a repository that GIT_DIR names,
        # whoever owns it.
        variables['GIT_DIR'] = _GIT
    if not _pbr_knows_the_version():
        variables['PBR_VERSION'] = _version() + '.dev0'
    return variables


def _pbr_knows_the_version():
    """Return whether pbr can determine the version from PKG-INFO or from git.

    Without a tag, it would use 0.0.0 for the only commit of a shallow clone.
    """
    if os.path.exists(os.path.join(PATH, 'PKG-INFO')):
        return True
    command = ['git', '--git-dir', _GIT, 'rev-list', '--count', 'HEAD']
    try:
        counted = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    except OSError:
        return False
    return counted.returncode == 0 and int(counted.stdout) > 1


def _version():
    """Return the version that the package declares."""
    path = os.path.join(PATH, 'haproxyadmin', '__init__.py')
    with open(path, encoding='utf-8') as file:
        pattern = r"""^__version__ = ['"](.+)['"]"""
        return re.search(pattern, file.read(), re.MULTILINE).group(1)
