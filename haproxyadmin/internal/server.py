# SPDX-License-Identifier: Apache-2.0
"""One process's view of a server."""
from haproxyadmin.internal.base import _Member, number_or_none
from haproxyadmin.parsers import stats
from haproxyadmin.protocol import commands
from haproxyadmin.protocol.metrics import SERVER_METRICS
from haproxyadmin.protocol.words import escape_server


class _Server(_Member):
    """A server of a backend in one process.

    :param backend: the :class:`haproxyadmin.internal._Backend` it belongs to.
    :param name: its name.
    :type name: str
    :param sid: its id within the backend, a hint.
    :param row: (optional) the row that it was listed with, instead of the id.
    """

    __slots__ = ('backend',)

    _KIND = commands.SERVERS
    _NOUN = 'server'
    _METRICS = SERVER_METRICS

    def __init__(self, backend, name, sid, row=None):
        ids = None if row is not None else (backend.known_iid(), number_or_none(sid))
        super(_Server, self).__init__(backend.hap_process, name, ids, row)
        self.backend = backend

    @property
    def backendname(self):
        """The name of its backend; costs nothing."""
        return self.backend.name

    @property
    def sid(self):
        """The server's id within the backend; asks HAProxy.

        :rtype: int
        """
        return self.number('sid')

    def word(self):
        """Return the word that names the server in a command."""
        return escape_server(self.backendname, self.name, self.hap_process.version)

    def on(self, process):
        """Return the same server on another process."""
        iid, sid = self._known_ids()
        return _Server(type(self.backend)(process, self.backendname, iid), self.name, sid)

    def _find(self, dump):
        return dump.server(self.backendname, self.name)

    def _ids_of(self, row):
        return number_or_none(stats.field(row, 'iid')), number_or_none(stats.field(row, 'sid'))

    def _title(self):
        return repr('{0}/{1}'.format(self.backendname, self.name))
