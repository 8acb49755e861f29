# SPDX-License-Identifier: Apache-2.0
"""Wait for connections, with what the system has for that."""
import errno
import select

from haproxyadmin.protocol.errors import is_ours

# The events of select.poll(), which does not exist everywhere.
READ, WRITE = 1, 4
# The longest wait at a time, in seconds: poll() accepts no more than fits into an int.
MAX_WAIT = 3600
# Descriptors from here on may be too high for select().
SELECT_LIMIT = 1024


def poll(poller, seconds):
    """Return what is ready, nothing if that lasts longer than some seconds."""
    try:
        return poller.poll(int(max(0, min(seconds, MAX_WAIT)) * 1000) + 1)
    except select.error as error:
        # Only Python 2 reports an interrupted call, with an error that has no errno.
        if not error.args or error.args[0] != errno.EINTR or not is_ours():
            raise
        return []


def poller():
    """Return what waits for descriptors; eventlet removes :func:`select.poll`."""
    return select.poll() if hasattr(select, 'poll') else SelectPoller()


class SelectPoller(object):
    """Waits like :func:`select.poll`, with :func:`select.select`."""

    def __init__(self):
        self._events = {}

    def register(self, fileno, events):
        """Wait for events of a descriptor from now on."""
        self._events[fileno] = events

    def unregister(self, fileno):
        """Stop waiting for a descriptor."""
        del self._events[fileno]

    def poll(self, milliseconds):
        """Return pairs of descriptor and events, for descriptors that are ready."""
        # A connection that was closed or refused is ready, too; the exchange finds out.
        readers = [fileno for fileno, events in self._events.items() if events == READ]
        writers = [fileno for fileno, events in self._events.items() if events == WRITE]
        readable, writable, _ = select.select(readers, writers, [], milliseconds / 1000.0)
        return [(fileno, READ) for fileno in readable] + [(fileno, WRITE) for fileno in writable]

    def check(self, fileno):
        """Check that :func:`select.select` can wait for a descriptor.

        :raises ValueError: if it is too high, usually above 1,023.
        """
        if fileno >= SELECT_LIMIT:
            select.select([], [fileno], [], 0)
