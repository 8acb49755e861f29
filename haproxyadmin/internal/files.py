# SPDX-License-Identifier: Apache-2.0
"""Write a file so that whoever reads it finds either the old content or the new one."""
import errno
import os
import stat

from haproxyadmin.protocol.words import decode_path

# As many symbolic links as Linux follows.
_MOST_LINKS = 40
# What is added to a name while a file is written, or given its name.
_SUFFIX = '.new'
# A file without a name until it is complete (Linux 3.11, Python 3.4). It is named through /proc.
_UNNAMED = getattr(os, 'O_TMPFILE', None) if os.path.isdir('/proc/self/fd') else None
# What file systems answer that do not have it.
_CANNOT = (errno.EISDIR, errno.ENOENT, errno.EINVAL, errno.EOPNOTSUPP)


def check_file_name(path):
    """Return the name of a file that a caller passed.

    :param path: text, bytes or a :mod:`pathlib` path.
    :rtype: str
    :raises ValueError: for anything else, an empty name and one with a NUL character.
    """
    name = decode_path(path)
    if not isinstance(name, str) or not name or '\0' in name:
        raise ValueError('expected the path of a file, got {0!r}'.format(path))
    return name


def read_file(path):
    """Return the content of a file, None if there is no such file.

    :rtype: bytes
    """
    try:
        with open(path, 'rb') as source:
            return source.read()
    except EnvironmentError as error:
        if error.errno != errno.ENOENT:
            raise
    return None


def replace_file(path, chunks):
    """Write a file at once: it is complete, and on the disk, before it takes the old one's place.

    It keeps the mode of the old file and, where that is permitted, its owner and group. If the path
    is a symbolic link, what it points to is replaced. Whatever happens, the old file remains until
    then, and no other file is left, except by ``kill -9``: that may leave ``.NAME.new``, which the
    next call removes. Where the system has unnamed files, it has to strike between the last two
    system calls for that.

    :param path: see :func:`check_file_name`.
    :param chunks: an iterable of bytes.
    :raises ValueError: if there is something else than a regular file.
    :raises EnvironmentError: if it cannot be written; an :class:`OSError` on Python 3.
    """
    path = _follow_links(path)
    try:
        before = os.stat(path)
    except OSError as error:
        if error.errno != errno.ENOENT:
            raise
        before = None
    if (before is not None and not stat.S_ISREG(before.st_mode)) or not os.path.basename(path):
        raise ValueError('{0} is not a regular file'.format(path))
    try:
        # Before it has the mode of the old file, nobody else must read it.
        with _Place(path, 0o666 if before is None else 0o600) as place:
            _write(place, before, chunks)
    except EnvironmentError as error:
        if error.filename is None and error.errno is not None:
            # A full disk, for instance, does not say which file.
            error.filename = path
        raise


def _follow_links(path):
    """Return what a path points to, if it is a symbolic link.

    Only the system decides where a directory is: os.path.realpath() turns
    ``missing/../../etc/passwd`` into ``/etc/passwd``, although there is no such path.
    """
    for _ in range(_MOST_LINKS):
        if not os.path.islink(path):
            break
        path = os.path.join(os.path.dirname(path), os.readlink(path))
    return path


class _Place(object):
    """Where the new content is written: a file beside the old one.

    :param path: the path of the file that it replaces.
    :param mode: the mode with which it is made.
    """

    def __init__(self, path, mode):
        directory, name = os.path.split(path)
        self._directory = directory or os.curdir
        self._path = path
        self._mode = mode
        # The system allows names of 255 bytes.
        self._beside = os.path.join(self._directory, '.' + name[-60:] + _SUFFIX)
        self._is_named = False
        self._lock = None
        self.number = None

    def __enter__(self):
        self.number = self._open_unnamed()
        if self.number is None:
            self._open_named()
        return self

    def __exit__(self, *error):
        if self.number is not None:
            os.close(self.number)
        if self._is_named:
            os.unlink(self._beside)
        if self._lock is not None:
            os.close(self._lock)

    def _open_unnamed(self):
        if _UNNAMED is None:
            return None
        try:
            return os.open(self._directory, os.O_RDWR | _UNNAMED, self._mode)
        except OSError as error:
            if error.errno not in _CANNOT:
                raise
        return None

    def _open_named(self):
        try:
            self._make_way()
            self.number = os.open(
                self._beside, os.O_RDWR | os.O_CREAT | os.O_EXCL, self._mode)
            self._is_named = True
        except BaseException:
            self.__exit__()
            raise

    def _make_way(self):
        """Remove what an interrupted call has left; wait for one that is at work."""
        if self._lock is None:
            import fcntl  # only needed to write files
            self._lock = os.open(self._directory, os.O_RDONLY)
            try:
                fcntl.flock(self._lock, fcntl.LOCK_EX)
            except EnvironmentError:
                pass  # a file system without locks
        try:
            os.unlink(self._beside)
        except OSError as error:
            if error.errno != errno.ENOENT:
                raise

    def take(self):
        """Put the new file in the old one's place."""
        if not self._is_named:
            self._make_way()
            # With a directory, Python follows the link, which leads to the file itself.
            os.link('/proc/self/fd/{0}'.format(self.number), os.path.basename(self._beside),
                    dst_dir_fd=self._lock)
            self._is_named = True
        os.rename(self._beside, self._path)
        self._is_named = False
        self._sync_directory()

    def _sync_directory(self):
        try:
            os.fsync(self._lock)
        except OSError as error:
            if error.errno != errno.EINVAL:  # a file system that cannot do it
                raise


def _write(place, before, chunks):
    if before is not None:
        _keep_owner(place.number, before)
        os.fchmod(place.number, stat.S_IMODE(before.st_mode))
    with os.fdopen(os.dup(place.number), 'wb') as file:
        for chunk in chunks:
            file.write(chunk)
    os.fsync(place.number)
    place.take()


def _keep_owner(number, before):
    """Give a file the owner and group of another one, or at least the group."""
    now = os.fstat(number)
    if (now.st_uid, now.st_gid) == (before.st_uid, before.st_gid):
        return
    for owner in (before.st_uid, -1):
        try:
            os.fchown(number, owner, before.st_gid)
            return
        except OSError as error:
            if error.errno not in (errno.EPERM, errno.EINVAL):
                raise
