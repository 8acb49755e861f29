# SPDX-License-Identifier: Apache-2.0
"""Ask a master for the current worker, just before a change is sent to it."""
from haproxyadmin.exceptions import SocketApplicationError, SocketConnectionError
from haproxyadmin.parsers.lines import split_lines
from haproxyadmin.parsers.workers import parse_workers
from haproxyadmin.protocol import commands, replies


class WorkerLookup(object):
    """Asks a master which process is the current worker.

    It is the ``lookup`` of a :class:`haproxyadmin.protocol.transport.Request`.

    :param address: of the worker, whichever process it is.
    :type address: :class:`haproxyadmin.protocol.addresses.MasterAddress`
    """

    command = commands.SHOW_PROC

    def __init__(self, address):
        self._address = address

    def resolve(self, reply):
        """Return the address of the process, or an error; None if the socket's level is too low."""
        if replies.is_denied(reply):
            return None
        lines = split_lines(reply)
        text = self._address.text
        try:
            workers = parse_workers(lines)[1]
        except replies.Malformed as error:
            return SocketApplicationError(text, '{0}: {1}'.format(text, error), undelivered=True)
        for worker in workers:
            if worker.current and (worker.number or 1) == self._address.number:
                return self._address.process(worker.pid)
        return SocketConnectionError(
            text, '{0}: the master has no worker @{1}'.format(text, self._address.number),
            undelivered=True)
