# SPDX-License-Identifier: Apache-2.0
"""One process's view of a server."""
from haproxyadmin import utils
from haproxyadmin.internal.base import _Member
from haproxyadmin.protocol import commands
from haproxyadmin.protocol.metrics import SERVER_METRICS


class _Listing(object):
    """Servers of one backend in one process, as a dump tells them.

    :param backend: the :class:`haproxyadmin.internal._Backend`.
    :param header: the header of the dump.
    :param names: the names of the servers.
    :param texts: their rows.

    ``in_memory`` is True where the rows never change.
    """

    __slots__ = ('backend', 'names', 'in_memory', '_header', '_texts')

    def __init__(self, backend, header, names, texts):
        self.backend = backend
        self.names = names
        self.in_memory = backend.hap_process.in_memory
        self._header = header
        self._texts = texts

    def of(self, name):
        """Return a listing of the servers of a name only; all of them for None."""
        if name is None:
            return self
        name = commands.native(name)
        places = [place for place, server in enumerate(self.names) if server == name]
        return _Listing(self.backend, self._header, [self.names[place] for place in places],
                        [self._texts[place] for place in places])

    def row(self, place):
        """Return the row of a server."""
        return utils.Row(self._header, self._texts[place])

    def field(self, place, name):
        """Return a field of the row of a server, ``''`` where HAProxy does not report it."""
        position = self._header.index.get(name)
        return '' if position is None else utils.cut(self._texts[place], position)

    def server(self, place):
        """Return a server."""
        hint = self.row(place) if self.in_memory else self.field(place, 'sid')
        return _Server(self.backend, self.names[place], hint)

    def servers(self):
        """Return all of them."""
        return [self.server(place) for place in range(len(self.names))]


def listing(backend, dump):
    """Return the :class:`_Listing` of all servers of a backend.

    :param backend: the :class:`haproxyadmin.internal._Backend`.
    :param dump: the :class:`haproxyadmin.utils.Dump`.
    """
    return _Listing(backend, dump.header, dump.names_of(backend.name),
                    dump.servers.get(backend.name, []))


class _Server(_Member):
    """A server of a backend in one process.

    :param backend: the :class:`haproxyadmin.internal._Backend` it belongs to.
    :param name: its name.
    :type name: str
    :param sid: its id within the backend, a hint; or a row that tells it.
    """

    __slots__ = ('backend',)

    _KIND = commands.SERVERS
    _NOUN = 'server'
    _METRICS = SERVER_METRICS

    def __init__(self, backend, name, sid):
        # Not through the base class: a big configuration has tens of thousands of these.
        self.hap_process = backend.hap_process
        self.name = name
        self._hint = sid
        self.backend = backend

    @property
    def backendname(self):
        """The name of its backend; costs nothing."""
        return self.backend.name

    @property
    def sid(self):
        """The server's id within the backend, asked anew.

        :rtype: int
        """
        return self.number('sid')

    def word(self):
        """Return the word that names the server in a command."""
        return commands.server_word(self.backendname, self.name, self.hap_process.version)

    def _on(self, process):
        return _Server(type(self.backend)(process, self.backendname, self._hint), self.name,
                       self._hint)

    def _find(self, dump):
        return dump.server(self.backendname, self.name)

    def _ids_of(self, hint):
        if isinstance(hint, utils.Row):
            return utils.field(hint, 'iid'), utils.field(hint, 'sid')
        return self.backend.hinted_iid(), hint

    def _title(self):
        return repr('{0}/{1}'.format(self.backendname, self.name))
