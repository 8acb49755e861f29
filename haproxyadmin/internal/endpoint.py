# SPDX-License-Identifier: Apache-2.0
"""A stats socket: how to talk to it, and what is known of the process behind it."""
from haproxyadmin.internal.slots import Slotted
from haproxyadmin.protocol import versions
from haproxyadmin.protocol.transport import now
from haproxyadmin.protocol.words import decode_path, is_integer

# The longest time that is accepted: thirty years, which time.sleep() accepts, too.
MAX_SECONDS = 10 ** 9
# Seconds by which two readings of one process's start may differ.
SAME_START = 2
# Seconds after which a version has to be asked again: a reload may hand the same socket to another
# HAProxy.
VERSION_AGE = 1
LONG_AGO = float('-inf')


class Identity(object):
    """Which process answered ``show info``.

    :param key: its pid, node and process number.
    :param start: when it started, in seconds of :func:`haproxyadmin.protocol.transport.now`.
    """

    def __init__(self, key, start):
        self.key = key
        self.start = start
        # Identities that look the same and are known to be of other processes.
        self.others = []

    def agrees(self, other):
        """Return True if the other identity may be of the same process."""
        return self.key == other.key and abs(self.start - other.start) <= SAME_START


class Endpoint(Slotted):
    """A stats socket.

    :param socket_file: its file.
    :type socket_file: str
    :param retry: how often a failed exchange is repeated: None for never, 0 for no limit.
    :type retry: int or None
    :param retry_interval: seconds between two attempts.
    :param timeout: seconds to wait for the connection, and for each further reply data; None waits
        without limit.
    :raises ValueError: for a wrong argument.
    """

    __slots__ = ('socket_file', 'retry', 'retry_interval', 'timeout', 'number', 'identity',
                 'version_use', 'duplicate_of', 'duplicate_while', '_version', '_version_since')

    def __init__(self, socket_file, retry, retry_interval, timeout):
        self.socket_file = decode_path(socket_file)
        self.retry = check_option('retry', retry, retry is None or (
            is_integer(retry) and retry >= 0), 'None or an integer of at least 0')
        self.retry_interval = check_option(
            'retry_interval', retry_interval, _is_seconds(retry_interval), 'a number of seconds')
        self.timeout = check_option('timeout', timeout, timeout is None or (
            _is_seconds(timeout) and timeout > 0), 'None or a number of seconds above 0')
        # What the last `show info` says: the process number, and who answered.
        self.number = None
        self.identity = None
        # A new object each time that something depends on the version.
        self.version_use = None
        # The endpoint of the same process that is used instead, and the process's identity.
        self.duplicate_of = None
        self.duplicate_while = None
        self._version = None
        self._version_since = None

    def __setstate__(self, state):
        super(Endpoint, self).__setstate__(state)
        # The clock may be another machine's.
        self.doubt_version()

    def copy(self):
        """Return an endpoint that knows who has answered, and is not changed with this one."""
        copied = Endpoint(self.socket_file, self.retry, self.retry_interval, self.timeout)
        copied.number, copied.identity = self.number, self.identity
        return copied

    def set_retry(self, retry):
        """Set how often a failed exchange is repeated."""
        self.retry = retry

    def tries_left(self, failures):
        """Return True if an exchange that has failed that often may be repeated."""
        return self.retry is not None and (self.retry == 0 or failures < self.retry)

    # Who answers

    def learn(self, info):
        """Remember who has answered ``show info``.

        :param info: see :func:`haproxyadmin.parsers.info.info2dict`.
        """
        read_at = now()
        self._version = versions.parse_version(info.get('Version', ''))
        self._version_since = read_at
        self.number = int(info['Process_num'])
        identity = Identity((info['Pid'], info.get('node'), info['Process_num']),
                            read_at - int(info['Uptime_sec']))
        if self.identity is not None and self.identity.agrees(identity):
            # Over months, clocks drift apart.
            self.identity.start = identity.start
        else:
            self.identity = identity

    @property
    def known_version(self):
        """The version that last answered as a tuple of integers, or None."""
        return self._version

    def may_have(self, feature):
        """Return True if the version has a feature, or is not known.

        :type feature: :class:`haproxyadmin.protocol.versions.Feature`
        """
        return self._version is None or versions.has(self._version, feature)

    def use_version(self):
        """Return the known version, and note that something depends on it."""
        self.version_use = object()
        return self._version

    def has_old_version(self):
        """Return True if another version may have taken over since ``show info`` was asked."""
        return (self._version_since is not None
                and now() - self._version_since > VERSION_AGE)

    def doubt_version(self):
        """Have the version asked again before it is used the next time."""
        self._version_since = LONG_AGO

    # Sockets of one process

    def use_instead(self, other):
        """Remember that another endpoint of the same process is used instead of this one."""
        self.duplicate_while = other.identity
        self.duplicate_of = other

    def use_itself(self):
        """Remember that this endpoint is of a process of its own."""
        self.duplicate_of = None

    def confirm_duplicate(self):
        """Remember who the process is that the two endpoints have in common."""
        self.duplicate_while = self.duplicate_of.identity


def check_option(name, value, valid, allowed):
    """Return an option of a constructor.

    :param allowed: what is valid, for the message.
    :raises ValueError: if it is not valid.
    """
    if not valid:
        raise ValueError('{0} must be {1}, got {2!r}'.format(name, allowed, value))
    return value


def _is_seconds(value):
    return (is_integer(value) or isinstance(value, float)) and 0 <= value <= MAX_SECONDS
