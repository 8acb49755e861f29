# SPDX-License-Identifier: Apache-2.0
"""Servers as a dump lists them; objects are made when they are needed.

A big configuration has tens of thousands of servers, most of which are only looked at, and each
object costs memory and keeps the garbage collector busy.
"""
from haproxyadmin.internal.server import _Server
from haproxyadmin.parsers import stats
from haproxyadmin.protocol.words import to_native


class Listing(object):
    """The servers of one backend in one process.

    :param backend: the :class:`haproxyadmin.internal._Backend`.
    :param names: the names of the servers.
    :param sids: their ids, which are hints; None if they seem to be 1, 2, 3 and so on.
    """

    __slots__ = ('backend', 'names', '_sids')

    in_memory = False

    def __init__(self, backend, names, sids=None):
        self.backend = backend
        self.names = names
        self._sids = sids

    def agrees_with(self, others):
        """Return True if other processes list the same servers in the same order."""
        return all(other.names == self.names for other in others)

    def of(self, name):
        """Return a listing of the servers that have a name; with None, of all of them."""
        if name is None:
            return self
        name = to_native(name)
        return self._some([place for place, own in enumerate(self.names) if own == name])

    def _some(self, places):
        return Listing(self.backend, [self.names[place] for place in places],
                       [self._sid(place) for place in places])

    def _sid(self, place):
        return place + 1 if self._sids is None else self._sids[place]

    def server(self, place, name):
        """Return the server at a place, which has this name.

        :rtype: :class:`haproxyadmin.internal._Server`
        """
        return _Server(self.backend, name, self._sid(place))

    def servers(self):
        """Return all servers."""
        return [self.server(place, name) for place, name in enumerate(self.names)]


class FrozenListing(Listing):
    """The servers of one backend in one process of a snapshot.

    :param backend: the :class:`haproxyadmin.internal._Backend`.
    :param dump: the dump that has the rows.
    :type dump: :class:`haproxyadmin.parsers.stats.Dump`
    :param texts: the rows of the servers.
    """

    __slots__ = ('_dump', '_header', '_texts', '_names')

    in_memory = True

    def __init__(self, backend, dump, texts):
        self.backend = backend
        self._dump = dump
        self._header = dump.header
        self._texts = texts
        self._names = None

    @property
    def names(self):
        """The names of the servers."""
        if self._names is None:
            self._names = self._dump.names_in(self._texts)
        return self._names

    def agrees_with(self, others):
        """Return True if other processes list the same servers in the same order."""
        if not all(listing._dump.plain for listing in others):
            return super(FrozenListing, self).agrees_with(others)
        # Cutting the names out of all rows would take several times as long.
        proxy = self.backend.name + ','
        starts = [proxy + name + ',' for name in self.names]
        return all(len(other._texts) == len(starts)
                   and all(map(str.startswith, other._texts, starts)) for other in others)

    def _some(self, places):
        return FrozenListing(self.backend, self._dump, [self._texts[place] for place in places])

    def row(self, place):
        """Return the row of a server."""
        return stats.Row(self._header, self._texts[place])

    @staticmethod
    def fields(listings, place, name):
        """Return a field of the row of a server in each listing, ``''`` if it is not reported."""
        texts = []
        for listing in listings:
            position, text = listing._header.index.get(name), listing._texts[place]
            if position is None:
                texts.append('')
            elif '"' in text:
                texts.append(stats.cut(text, position))
            else:
                # Like cut(); calling it would take twice as long.
                texts.append(text.split(',', position + 1)[position])
        return texts

    def server(self, place, name):
        """Return the server at a place, which has this name.

        :rtype: :class:`haproxyadmin.internal._Server`
        """
        return _Server(self.backend, name, None, self.row(place))


def list_servers(backend, dump):
    """Return the :class:`Listing` of all servers of a backend.

    :param backend: the :class:`haproxyadmin.internal._Backend`.
    :type dump: :class:`haproxyadmin.parsers.stats.Dump`
    """
    texts = dump.servers.get(backend.name, [])
    if backend.hap_process.in_memory:
        return FrozenListing(backend, dump, texts)
    return Listing(backend, dump.names_in(texts), dump.sids_in(texts))


class LazyMembers(object):
    """The objects of one server, one of each process, made when they are needed.

    :param listings: what each process lists, in the same order.
    :type listings: list of :class:`Listing`
    :param place: the place of the server in each of them.
    """

    __slots__ = ('name', '_listings', '_place', '_made')

    def __init__(self, listings, place):
        self.name = listings[0].names[place]
        self._listings = listings
        self._place = place
        self._made = None

    def __len__(self):
        return len(self._objects())

    def __getitem__(self, place):
        return self._objects()[place]

    def __iter__(self):
        return iter(self._objects())

    def __reduce__(self):
        # As a plain list, without the rest of the listings.
        return (list, (self._objects(),))

    @property
    def in_memory(self):
        """True if the rows never change."""
        return self._listings[0].in_memory

    def rows(self):
        """Return the row of each process of a snapshot."""
        return [listing.row(self._place) for listing in self._listings]

    def fields(self, name):
        """Return a field of each row of a snapshot."""
        return FrozenListing.fields(self._listings, self._place, name)

    def _objects(self):
        if self._made is None:
            self._made = [listing.server(self._place, self.name) for listing in self._listings]
        return self._made
