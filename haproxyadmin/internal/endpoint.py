# SPDX-License-Identifier: Apache-2.0
"""A stats socket: how to talk to it, and what is known of the process behind it."""
from haproxyadmin.internal.slots import Slotted
from haproxyadmin.protocol import versions
from haproxyadmin.protocol.addresses import parse_address
from haproxyadmin.protocol.transport import now
from haproxyadmin.protocol.words import is_integer

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

    @property
    def pid(self):
        """The process id, as text."""
        return self.key[0]

    def agrees(self, other):
        """Return True if the other identity may be of the same process."""
        return self.key == other.key and abs(self.start - other.start) <= SAME_START


class _Nobody(object):
    """Stands for the endpoint of a process that has ended for good."""

    has_ended = True
    identity = None

    def has_old_version(self):
        """Return False: there is nothing to ask."""
        return False


class Endpoint(Slotted):
    """A stats socket, or a worker behind a master's socket.

    :param address: see :func:`haproxyadmin.protocol.addresses.parse_address`.
    :param retry: how often a failed exchange is repeated: None for never, 0 for no limit.
    :type retry: int or None
    :param retry_interval: seconds between two attempts.
    :param timeout: seconds to wait for the connection, and for each further reply data; None waits
        without limit.
    :param allow_plain_secrets: (optional) True to send secrets to another host without TLS.
    :raises ValueError: for a wrong argument.

    ``lookup`` asks a master for the worker that a change is for; None without a master.
    """

    __slots__ = ('address', 'lookup', 'retry', 'retry_interval', 'timeout', 'allow_plain_secrets',
                 'number', 'threads', 'identity', 'version_use', 'duplicate_of', 'duplicate_while',
                 'added', '_version', '_version_since')

    has_ended = False

    def __init__(self, address, retry, retry_interval, timeout, allow_plain_secrets=False):
        self.socket_file = address
        self.allow_plain_secrets = allow_plain_secrets
        self.retry = check_option('retry', retry, retry is None or (
            is_integer(retry) and retry >= 0), 'None or an integer of at least 0')
        self.retry_interval = check_seconds('retry_interval', retry_interval)
        self.timeout = check_option('timeout', timeout, timeout is None or (
            _is_seconds(timeout) and timeout > 0), 'None or a number of seconds above 0')
        # What the last `show info` says: the process number, how many threads, and who answered.
        self.number = None
        self.threads = None
        self.identity = None
        # A new object each time that something depends on the version.
        self.version_use = None
        # The endpoint of the same process that is used instead, and the process's identity.
        self.duplicate_of = None
        self.duplicate_while = None
        # The servers that were added through it: the arguments by backend and name. HAProxy forgets
        # them at a reload, and does not report the arguments.
        self.added = {}
        self._version = None
        self._version_since = None

    def __setstate__(self, state):
        super(Endpoint, self).__setstate__(state)
        # The clock may be another machine's.
        self.doubt_version()

    def copy(self):
        """Return an endpoint that knows who has answered, and is not changed with this one."""
        copied = self.at(self.address)
        copied.number, copied.identity = self.number, self.identity
        return copied

    def at(self, address):
        """Return an endpoint with the same options at another address."""
        return Endpoint(address, self.retry, self.retry_interval, self.timeout,
                        self.allow_plain_secrets)

    @property
    def socket_file(self):
        """The stats socket, as it was given."""
        return self.address.text

    @socket_file.setter
    def socket_file(self, address):
        self.address = parse_address(address)
        self.lookup = None
        if self.address.number is not None:
            from haproxyadmin.internal.lookup import WorkerLookup  # for a master only
            self.lookup = WorkerLookup(self.address)

    def check_secret(self):
        """Check that nobody else can read what is sent.

        :raises ValueError: if it would be sent to another host without TLS, unless the caller has
            allowed that.
        """
        if not self.allow_plain_secrets and self.address.is_exposed():
            raise ValueError(
                'a secret would be sent without TLS to {0}; use ssl@, or pass '
                'allow_plain_secrets=True'.format(self.socket_file))

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
        # Before 1.8 there are none.
        self.threads = int(info.get('Nbthread', 1))
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

    def was_just_asked(self):
        """Return True if ``show info`` was asked a moment ago, and no exchange has failed since."""
        return self._version_since is not None and not self.has_old_version()

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

    @property
    def is_gone(self):
        """True if the process was a former worker, and has ended."""
        return self.duplicate_of is not None and self.duplicate_of.has_ended

    def end(self):
        """Remember that the process, a former worker, has ended."""
        self.duplicate_while = None
        self.duplicate_of = _Nobody()

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


def check_bool(name, value):
    """Return True or False.

    :raises ValueError: for anything else: ``'no'`` would be true.
    """
    return check_option(name, value, isinstance(value, bool), 'True or False')


def check_seconds(name, value):
    """Return a number of seconds.

    :raises ValueError: if it is not one.
    """
    return check_option(name, value, _is_seconds(value), 'a number of seconds')


def _is_seconds(value):
    return (is_integer(value) or isinstance(value, float)) and 0 <= value <= MAX_SECONDS
