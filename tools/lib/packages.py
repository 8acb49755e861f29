# SPDX-License-Identifier: Apache-2.0
"""Build the source package and the wheel: of the same files always the same bytes."""

import contextlib
import glob
import gzip
import os
import shutil
import tarfile
import tempfile

from lib import checkout, venvs
from lib.commands import Failed, run

_VERSIONS = """
import sys, zlib
from pbr.version import VersionInfo
found = ['%s %s' % (name, VersionInfo(name).release_string())
         for name in ('setuptools', 'pbr', 'wheel')]
print(', '.join(['Python %d.%d.%d' % sys.version_info[:3]] + found
                + ['zlib ' + zlib.ZLIB_RUNTIME_VERSION]))
"""


def build(directory):
    """Build both from the files that git tracks; return their paths in ``directory``.

    The wheel is built from the source package. Their bytes do not depend on the directory, the
    umask, or the times and owners of the files: every time is ``SOURCE_DATE_EPOCH``, by default
    that of the last commit.
    """
    epoch = _epoch()
    variables = dict(os.environ, SOURCE_DATE_EPOCH=str(epoch))
    os.makedirs(directory, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix='haproxyadmin-') as work, _umask(0o022):
        source = os.path.join(work, 'source')
        export(source)
        # From here on without git, of which pbr notes an abbreviated commit.
        version = setup(source, checkout.environment(), '--version').split()[-1]
        variables['PBR_VERSION'] = version
        setup(source, variables, 'sdist', '--formats', 'tar', '--dist-dir', work)
        (tar,) = glob.glob(os.path.join(work, '*.tar'))
        sdist = os.path.join(directory, os.path.basename(tar) + '.gz')
        _compress(tar, sdist, epoch)
        unpacked = unpack(sdist, os.path.join(work, 'unpacked'))
        setup(unpacked, variables, 'bdist_wheel', '--dist-dir', work)
        (wheel,) = glob.glob(os.path.join(work, '*.whl'))
        return sdist, shutil.copy(wheel, directory)


def tools():
    """Return the versions of what builds the packages, on which their bytes depend, as text."""
    return run([venvs.get(venvs.find_python()), '-W', 'ignore', '-c', _VERSIONS]).strip()


def export(directory):
    """Copy the files of the checkout, with the permissions that git knows."""
    for name in checkout.files():
        path = os.path.join(directory, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        original = os.path.join(checkout.PATH, name)
        try:
            shutil.copyfile(original, path)
        except OSError as error:
            raise Failed('%s: %s' % (name, error.strerror)) from error
        os.chmod(path, _permissions(os.stat(original).st_mode))


def unpack(sdist, directory):
    """Unpack a source package; return the directory that has its files."""
    with tarfile.open(sdist) as archive:
        archive.extractall(directory)
    (unpacked,) = os.listdir(directory)
    return os.path.join(directory, unpacked)


def setup(source, variables, *arguments, python=None):
    """Run setup.py in a directory, by default with the Python that runs this; return its output."""
    inside = venvs.get(python or venvs.find_python())
    command = [inside, '-W', 'ignore', 'setup.py', '--quiet'] + list(arguments)
    return run(command, variables, source)


def _epoch():
    """Return the time of all files, in seconds since 1970."""
    text = os.environ.get('SOURCE_DATE_EPOCH') or str(checkout.time())
    # The header of gzip has 32 bits for it.
    if not (text.isascii() and text.isdigit() and int(text) < 2**32):
        raise Failed('SOURCE_DATE_EPOCH is no number of seconds since 1970: %r' % text)
    return int(text)


def _compress(tar, path, epoch):
    """Write a compressed archive in which only names, permissions and contents differ."""
    with tarfile.open(tar) as old, open(path, 'wb') as file:
        with gzip.GzipFile('', 'wb', 9, file, epoch) as packed:
            with tarfile.open(fileobj=packed, mode='w', format=tarfile.PAX_FORMAT) as new:
                for member in sorted(old.getmembers(), key=lambda member: member.name):
                    made = tarfile.TarInfo(member.name)
                    made.type, made.size, made.mtime = member.type, member.size, epoch
                    made.mode = 0o755 if member.isdir() else _permissions(member.mode)
                    new.addfile(made, old.extractfile(member))


def _permissions(mode):
    """Return the permissions of a file, which is a program or is not."""
    return 0o755 if mode & 0o100 else 0o644


@contextlib.contextmanager
def _umask(mask):
    """Create files with other permissions for a while."""
    old = os.umask(mask)
    try:
        yield
    finally:
        os.umask(old)
