# SPDX-License-Identifier: Apache-2.0
"""What the real and the fake HAProxy for tests have in common."""
import errno
import os
import re

import six

from haproxyadmin.testing.texts import raw, text

# Seconds: machines that run tests are busy.
TIMEOUT = 10
# What HAProxy itself has in its directory.
_RESERVED = re.compile(r'(haproxy\.cfg|run|master|haproxy-\d+\.log|master-\d+\.sock)(/|$)')
_VERSION = re.compile(r'\d+\.\d+\Z')
_WHERE = {'addresses', 'master', 'socket_dir', 'socket_file'}


def check_processes(processes, least=1):
    """Raise a ValueError if an argument is no number of processes."""
    if isinstance(processes, bool) or not isinstance(processes, six.integer_types) or (
            processes < least):
        raise ValueError('processes must be an integer from {0} on, got {1!r}'.format(
            least, processes))


def text_of_config(config):
    """Return the text of a configuration: the argument, or the content of a file if it is a line.

    :param config: text or bytes, or the path of a file.
    :raises ValueError: if it is neither.
    """
    config = text(config if isinstance(config, (bytes, six.text_type)) else str(config))
    if not config or _VERSION.match(config):
        raise ValueError('the text of a configuration or the name of a file is needed, not {0!r}; '
                         'a version is passed with version=...'.format(config))
    if '\n' in config:
        return config
    with open(config, 'rb') as source:
        return text(source.read())


def write_file(directory, name, content):
    """Write a file into a directory.

    :param name: its name, which may contain a directory.
    :param content: text or bytes.
    :raises ValueError: if it is not in the directory, there already, or HAProxy's own.
    """
    path = os.path.abspath(os.path.join(directory, name))
    if not path.startswith(directory + os.sep):
        raise ValueError('files must be in the directory of HAProxy, got {0!r}'.format(name))
    if _RESERVED.match(os.path.relpath(path, directory)) or os.path.exists(path):
        raise ValueError('files must not have the name of another one, or of what HAProxy has in '
                         'its directory (haproxy.cfg, run/ ...), got {0!r}'.format(name))
    try:
        if not os.path.isdir(os.path.dirname(path)):
            os.makedirs(os.path.dirname(path))
    except OSError as error:
        if error.errno not in (errno.EEXIST, errno.ENOTDIR):
            raise
        raise ValueError('files must not be below another one, got {0!r}'.format(name))
    with open(path, 'wb') as written:
        written.write(raw(content))


class Connected(object):
    """What connects the library to either HAProxy.

    ``_where()`` of a subclass returns the parameters that say where HAProxy is.
    """

    _hap = None

    @property
    def hap(self):
        """A :class:`haproxyadmin.haproxy.HAProxy` for all processes, also after a reload.

        It is made at first use. Its timeout is ten seconds, because machines that run tests are
        busy.

        :rtype: :class:`haproxyadmin.haproxy.HAProxy`
        """
        if self._hap is None:
            self._hap = self.connect()
        return self._hap

    def connect(self, **options):
        """Return a new :class:`haproxyadmin.haproxy.HAProxy`, by default one like :attr:`hap`.

        :param options: parameters of the class, such as ``timeout``; those that say where HAProxy
            is take the place of the sockets of all processes.
        :rtype: :class:`haproxyadmin.haproxy.HAProxy`

        Usage::

            >>> from haproxyadmin.testing import FakeHAProxy
            >>> with FakeHAProxy(processes=2) as haproxy:
            ...     haproxy.connect(socket_file=haproxy.socket_files[0], retry=None)
            ...     through_masters = haproxy.connect(master=haproxy.master_files)
            ...     through_masters.processids == haproxy.hap.processids
            HAProxy(processes=[1], sockets=['...1.sock'])
            True
        """
        from haproxyadmin.haproxy import HAProxy  # a program may use sockets only
        where = {} if _WHERE & set(options) else self._where()
        return HAProxy(**dict({'timeout': TIMEOUT}, **dict(where, **options)))

    def _where(self):
        raise NotImplementedError
