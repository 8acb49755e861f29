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


def connect(where, options):
    """Return a :class:`haproxyadmin.haproxy.HAProxy`.

    :param where: the parameters that say where HAProxy is, unless the options say it.
    :param options: other parameters.
    """
    from haproxyadmin.haproxy import HAProxy  # a program may use sockets only
    options = dict({} if _WHERE & set(options) else where, **options)
    return HAProxy(**dict({'timeout': TIMEOUT}, **options))
