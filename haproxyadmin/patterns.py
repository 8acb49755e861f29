# SPDX-License-Identifier: Apache-2.0
"""ACLs and maps as collections: a :class:`Map` is a mapping, an :class:`Acl` is a set."""
import collections
import os

from haproxyadmin.combine import merge, results_of
from haproxyadmin.exceptions import CommandFailed, HAProxyBaseError, IncosistentData
from haproxyadmin.imports import PY2, mutable_collections
from haproxyadmin.internal import entries as single, patterns
from haproxyadmin.internal.calls import members_to_change, read_each, read_pairs
from haproxyadmin.internal.contents import (Delta, Everything, Some, align, check_entries,
                                            columns_of, entries_by_key, find_delta, read_listings)
from haproxyadmin.internal.endpoint import check_bool
from haproxyadmin.internal.files import check_file_name, replace_file
from haproxyadmin.internal.grouping import distinct
from haproxyadmin.internal.replacement import replace
from haproxyadmin.methods import changes_all_or_none, takes_die
from haproxyadmin.parsers.pattern_files import format_file, parse_file
from haproxyadmin.parsers.patterns import Match, name_of
from haproxyadmin.parsers.values import TEXT
from haproxyadmin.protocol import replies
from haproxyadmin.protocol.words import check_text, to_native
from haproxyadmin.spelling import suggest_or_list

__all__ = ['Acl', 'Delta', 'Entry', 'Map', 'Match']


class Entry(collections.namedtuple('Entry', 'reference key value')):
    """An entry of an ACL or map in one process.

    ``reference`` is HAProxy's own name for it, such as ``'0x5581f3a6d0c0'``, valid only for a
    moment; ``key`` is the key, or the pattern; ``value`` its value, None in an ACL.
    """

    __slots__ = ()


_MutableMapping, _MutableSet = mutable_collections()
# Keeps the order in which HAProxy lists the keys.
_Ordered = collections.OrderedDict if PY2 else dict


class Collection(object):
    """What a :class:`Map` and an :class:`Acl` have in common.

    :param processes: the processes that may have it; it is read from the first one.
    :param ident: what names it in commands: its file, or ``'#3'``.
    :param listed: (optional) how that process lists it; by default that is asked when it is needed.
    :type listed: haproxyadmin.parsers.patterns.Listed
    :param listing: (optional) its entries; by default they are read when they are needed.
    :type listing: haproxyadmin.parsers.patterns.Listing
    :param is_resolved: (optional) True if all of these processes have it.
    """

    _FAMILY = None

    # The content may change.
    __hash__ = None

    def __init__(self, processes, ident, listed=None, listing=None, is_resolved=False):
        self._found = processes
        self._ident = ident
        self._name = name_of(listed) if listed else ident
        self._is_resolved = is_resolved
        if listed:
            self._listed = listed
        if listing is not None:
            self._remember(*columns_of(listing))

    def __getattr__(self, name):
        # What is not known is read: a lookup in the dictionary itself must cost nothing more.
        if name in ('_values', '_repeated'):
            self._remember(*columns_of(self._read()))
        elif name == '_listed':
            self._listed = self._read_first(lambda process: patterns.list_operation(
                process, self._FAMILY, self._find_in))
        else:
            raise AttributeError(name)
        return self.__dict__[name]

    def _find_in(self, index):
        listed = patterns.find_in(index, self._ident)
        if listed is None:
            raise patterns.gone(self._FAMILY, self._ident)
        return listed

    def _read_first(self, build):
        """Return the value of an operation of the first process."""
        return read_each(self._found[:1], build)[0]

    def __repr__(self):
        return '{0}({1!r})'.format(self.__class__.__name__, self.name)

    def __bool__(self):
        return True

    __nonzero__ = __bool__

    # What it is

    @property
    def name(self):
        """The file that it was loaded from, or ``'#3'`` if it has none; costs nothing.

        :rtype: str
        """
        return self._name

    @property
    def id(self):
        """The id in the first process, -1 if it has none (HAProxy 1.5).

        The first of :attr:`id`, :attr:`description`, :attr:`current_version` and
        :attr:`next_version` that is read costs one ``show map`` or ``show acl``, again after
        :meth:`refresh`.

        :rtype: int
        """
        return self._listed.id

    @property
    def file(self):
        """The file that it was loaded from, ``''`` if there is none; costs nothing.

        :rtype: str
        """
        return self._listed.file if self._ident.startswith('#') else self._name

    @property
    def description(self):
        """Where the configuration uses it, in HAProxy's words; see :attr:`id`.

        :rtype: str
        """
        return self._listed.description

    @property
    def current_version(self):
        """The number of the version that is used, None before HAProxy 2.4; see :attr:`id`.

        :rtype: int
        """
        return self._listed.current_version

    @property
    def next_version(self):
        """The number of the last version that was prepared, None before 2.4; see :attr:`id`.

        :rtype: int
        """
        return self._listed.next_version

    @property
    def process_nb(self):
        """The numbers of the processes that have it, ascending.

        Costs one ``show map`` or ``show acl`` to each process, once.

        :rtype: list of int
        """
        self._resolve()
        return sorted(process.process_nb for process in self._found)

    def _resolve(self):
        """Find out which processes have it; return True if not all do."""
        if self._is_resolved:
            return False
        members, lists = zip(*read_pairs(
            self._found, lambda process: patterns.list_operation(process, self._FAMILY)))
        having = [member for member, index in zip(members, lists)
                  if patterns.find_in(index, self._ident)]
        self._is_resolved = True
        if not having:
            return False
        self._found = having
        return len(having) < len(members)

    # Reading

    def refresh(self):
        """Read the entries of the first process again, with one command.

        :raises haproxyadmin.exceptions.CommandFailed: if HAProxy no longer has it.
        :raises haproxyadmin.exceptions.HAProxySocketError: if the process cannot be reached.

        Usage::

            >>> hosts = hap.map(0)
            >>> hap.set_map(0, '1', 'new')
            True
            >>> hosts.refresh()
            >>> hosts['1']
            'new'
        """
        listing = self._read()
        self.__dict__.pop('_listed', None)
        self._remember(*columns_of(listing))

    def _read(self):
        return self._read_first(lambda process: patterns.content_operation(
            process, self._FAMILY, self._ident))

    def _remember(self, keys, values):
        """Keep the first value of each key, and all values of keys that have several entries."""
        first, repeated = _Ordered(zip(keys, values)), {}
        if len(first) < len(keys):
            first.clear()
            for key, value in zip(keys, values):
                if key in first:
                    repeated.setdefault(key, [first[key]]).append(value)
                else:
                    first[key] = value
        self._values, self._repeated = first, repeated

    def __copy__(self):
        copied = self.__class__.__new__(self.__class__)
        copied.__dict__.update(self.__dict__)
        if '_values' in self.__dict__:
            copied._values, copied._repeated = self._values.copy(), self._repeated.copy()
        return copied

    def _forget(self):
        """Have the entries read again before they are used."""
        self.__dict__.pop('_values', None)
        self.__dict__.pop('_repeated', None)

    def _before(self, key):
        """Return the values of a key that are known, None for each entry of an ACL."""
        if key in self._repeated:
            return self._repeated[key]
        return [self._values[key]] if key in self._values else []

    def _known(self):
        """Return the keys and values of all entries that are known; for an ACL, None as values."""
        keys = [key for key in self._values for _ in self._before(key)]
        if self._FAMILY == 'acl':
            return keys, None
        return keys, [value for key in self._values for value in self._before(key)]

    def __iter__(self):
        return iter(self._values)

    def __len__(self):
        return len(self._values)

    def __contains__(self, key):
        try:
            if key in self._values:
                return True
        except TypeError:
            pass  # such as a bytearray
        return _if_possible(key) in self._values

    def entries(self):
        """Return all entries, also several of one key, as the first process has them now.

        Costs one listing, because references are only valid for a moment.

        :return: in HAProxy's order.
        :rtype: list of :class:`Entry`

        Usage::

            >>> for entry in hap.map(0).entries():
            ...     print(entry.reference, entry.key, entry.value)
            ...
            0x... 0 www.foo.com-0
            0x... 1 www.foo.com-1
        """
        listing = self._read()
        keys, values = columns_of(listing)
        return [Entry(listing.reference(place), key, value)
                for place, (key, value) in enumerate(zip(keys, values))]

    def lookup(self, text):
        """Look up a text as HAProxy does for a request, in the first process.

        Sends one ``get map`` or ``get acl`` (management guide, "get map", "get acl").

        :param text: what HAProxy would look up, such as the address of a client.
        :type text: str, or see :class:`haproxyadmin.maps.PatternMethods`
        :return: what was found; it is true if anything was.
        :rtype: Match
        :raises haproxyadmin.exceptions.CommandFailed: if HAProxy refuses.

        Usage::

            >>> match = hap.map(0).lookup('1')
            >>> match.found, match.key, match.value, match.value_type
            (True, '1', 'www.foo.com-1', 'str')
            >>> match.type, match.case, match.index
            ('str', 'sensitive', 'tree')
        """
        return self._read_first(lambda process: patterns.lookup_operation(
            process, self._FAMILY, self._ident, text))

    def diff(self, entries):
        """Return what :meth:`sync` would change, as far as this object knows; nothing is changed.

        Costs nothing; if an address is written in another way, one lookup.

        :param entries: what the content should be; see :meth:`replace`.
        :type entries: iterable
        :rtype: :class:`Delta`
        :raises ValueError: for what HAProxy cannot accept.

        Usage::

            >>> hap.map(0).diff({'0': 'new', '1': 'www.foo.com-1'})
            Delta(added=[], changed=[('0', 'www.foo.com-0', 'new')], removed=[])
        """
        return find_delta(self._found[0], self._FAMILY, self._ident, self._known(),
                          check_entries(self._FAMILY, entries))

    # Changing all of it

    @changes_all_or_none
    def replace(self, entries, atomic=True, die=True):
        """Replace the whole content.

        From HAProxy 2.4 on that happens at one moment: a version is prepared, filled, and committed
        (management guide, "prepare map", "commit map"). Requests see the old content, then the new
        one, in the order of ``entries``. What others add, set or delete meanwhile is lost.

        Costs six short commands for each process, and batches of at most 4 KiB; if there are
        several processes, also one listing of each, because what they had is restored if the
        change fails in one of them.

        What the iterable raises ends the change, too; nothing is changed then.

        :param entries: the new content: patterns of an ACL; pairs of key and value, or a dict, of a
            map. It is read as the entries are sent, and not kept.
        :type entries: iterable
        :param atomic: (optional) False to apply the difference instead, as :meth:`sync` does; this
            works with every version of HAProxy.
        :type atomic: bool
        :raises ValueError: for an entry that HAProxy cannot accept; nothing is changed.
        :raises haproxyadmin.exceptions.Conflict: if another client replaces it at the same time;
            then what that client does stands.
        :raises haproxyadmin.exceptions.EntriesFailed: if a process refuses an entry; nothing is
            changed. ``failures`` says which.

        Usage::

            >>> hap.acl(6).replace(['/static/css/', '/static/js/'], atomic=False)
            True
        """
        if check_bool('atomic', atomic):
            self._change(lambda found: replace(found, self._FAMILY, self._ident, entries))
            self._forget()
        else:
            self._align(Everything(self._FAMILY, *check_entries(self._FAMILY, entries)))
        return True

    @takes_die
    def sync(self, entries, die=True):
        """Change just what differs from a content, in each process.

        Values are set in place, new entries are added at the end, and others are deleted, so that a
        key that stays always has a value. The order of entries that stay remains: where it matters
        (regular expressions, ranges of numbers, and what is compared with the end or a part of a
        text, or ignoring case) and must be that of ``entries``, use :meth:`replace`. An address or
        network that is written in another way stays as it is.

        Costs one listing and up to four short commands for each process, and batches for what
        differs.

        :param entries: what the content should be; see :meth:`replace`.
        :type entries: iterable
        :return: what was changed, over all processes.
        :rtype: Delta
        :raises ValueError: for an entry that HAProxy cannot accept; nothing is changed.
        :raises haproxyadmin.exceptions.CommandFailed: if all processes refuse an entry.
        :raises haproxyadmin.exceptions.MultipleCommandResults: if some processes refuse one. What
            was changed is then undone; ``failures`` lists what was refused, ``undone`` and
            ``not_undone`` the sockets.

        Usage::

            >>> hap.map(0).sync([('0', 'www.foo.com-0'), ('1', 'new')])
            Delta(added=[], changed=[('1', 'www.foo.com-1', 'new')], removed=[])
        """
        return self._align(Everything(self._FAMILY, *check_entries(self._FAMILY, entries)))

    @changes_all_or_none
    def load_file(self, path, atomic=True, die=True):
        """Replace the content by that of a file in HAProxy's own format; see :meth:`replace`.

        :param path: the file, on this machine.
        :type path: str
        :param atomic: (optional) see :meth:`replace`.
        :type atomic: bool
        :raises ValueError: for an entry that cannot be sent; nothing is changed.
        :raises OSError: if the file cannot be read (on Python 2, :class:`IOError`).
        """
        with open(check_file_name(path), 'rb') as lines:
            entries = parse_file(self._FAMILY, lines)
            return self.replace(_with_values(entries) if atomic and self._FAMILY == 'map'
                                else entries, atomic)

    @takes_die
    def save_file(self, path=None, die=True):
        """Write the content to a file in HAProxy's own format, so that it survives a restart.

        The file is complete, and on the disk, before it replaces the old one, whose owner and mode
        it keeps. Costs one listing of each process.

        :param path: (optional) the file; by default the one that HAProxy loads.
        :type path: str
        :return: True.
        :rtype: bool
        :raises ValueError: if HAProxy could not load the same content from a file: an entry
            contains a newline, for instance (but a key with a blank is saved as it is listed, see
            :class:`Map`); and without ``path`` if HAProxy runs on another machine, as far as is
            known, or loads no file or a relative one.
        :raises haproxyadmin.exceptions.IncosistentData: if the entries are not the same in all
            processes. Their order may differ; that of the first process is written.
        :raises OSError: if the file cannot be written (on Python 2, also :class:`IOError`).
        """
        path = self._own_file() if path is None else check_file_name(path)
        members, listings = read_listings(self._found, self._FAMILY, self._ident)
        contents = [collections.Counter(zip(*columns_of(listing))) for listing in listings]
        if any(content != contents[0] for content in contents):
            error = IncosistentData([])
            error.set_results(*results_of(
                (member.process_nb, member.socket_file, '{0} entries, {1} of them not in the first '
                 'process, which has {2} others'.format(
                     len(listing), _count(content - contents[0]), _count(contents[0] - content)))
                for member, listing, content in zip(members, listings, contents)))
            error.args = (error.results,)
            raise error
        keys, values = listings[0].columns
        replace_file(path, format_file(
            self._FAMILY, keys if values is None else zip(keys, values)))
        return True

    def _own_file(self):
        """Return the file that HAProxy loads, if this is the machine where it runs."""
        if not self.file or self.file.startswith('virt@'):
            raise ValueError('{0} has no file; pass a path'.format(self.name))
        far = [process for process in self._found if not process.endpoint.address.is_local]
        if far:
            raise ValueError('{0} may run on another machine; pass a path'.format(
                far[0].socket_file))
        if not os.path.isabs(self.file):
            raise ValueError('{0!r} is relative to a directory of HAProxy; pass a path'.format(
                self.file))
        return self.file

    def clear(self):
        """Delete all entries, with one command line for each process.

        Sends ``clear map`` or ``clear acl`` (management guide, "clear map"); if there are several
        processes, ``show map`` or ``show acl`` before it on the same line, because what each has
        is restored if another one fails.

        :raises haproxyadmin.exceptions.HAProxyBaseError: see :meth:`sync`.

        Usage::

            >>> paths = hap.acl(6)
            >>> paths.clear()
            >>> len(paths)
            0
        """
        keys, values = self._known()
        self._change(lambda found: single.clear(found, self._FAMILY, self._ident, keys, values))
        self._values.clear()
        self._repeated.clear()

    def _delete(self, key):
        """Delete all entries with a key."""
        if self._is_plain(key):
            before = self._before(key)
            self._change(lambda found: single.delete_key(
                found, self._FAMILY, self._ident, key, before))
            self._values.pop(key, None)
            self._repeated.pop(key, None)
        else:
            self._align(Some(self._FAMILY, [], [], removed=[key]))

    def _align(self, goal):
        """Do what is missing to a goal; return the difference."""
        delta, (process, listing, changes) = self._change(
            lambda found: align(found, self._FAMILY, self._ident, goal))
        if process is not self._found[0]:
            self._forget()
            return delta
        keys, values = map(list, columns_of(listing))
        for key, entries in entries_by_key(listing, goal.named).items() if goal.named else ():
            for place, value in entries:
                keys[place], values[place] = key, value
        self._remember(keys, values)
        for key, _, after, _ in changes:
            self._repeated.pop(key, None)
            if len(after) > 1:
                self._repeated[key] = after
            if after:
                self._values[key] = after[0]
            else:
                self._values.pop(key, None)
        return delta

    def _change(self, function):
        """Call a function with the processes that have it.

        Which these are is found out when one of them says that it does not.
        """
        try:
            try:
                return function(self._found)
            except HAProxyBaseError as error:
                texts = [error] + [reply for _, reply in error.results]
                unknown = any(map(replies.is_unknown_list, texts))
                if not (unknown and self._resolve()):
                    raise
            return function(self._found)
        except BaseException:
            self._forget()
            raise

    def _is_plain(self, key):
        """Return True if HAProxy certainly finds the entries of a key by its text.

        ``#`` begins a reference, and a newline ends a command.
        """
        return not (key.startswith('#') or '\n' in key or '\r' in key)


def _with_values(pairs):
    """Yield the entries of a file.

    :raises ValueError: for a key without a value: HAProxy accepts that from its own files only.
    """
    for key, value in pairs:
        if not value:
            raise ValueError('the key {0!r} has no value; it can be loaded by HAProxy itself, or '
                             'with atomic=False if HAProxy has it already'.format(key))
        yield key, value


def _native(text):
    """Return a text as HAProxy lists it.

    :raises ValueError: for what HAProxy cannot accept.
    """
    return to_native(check_text(text))


def _if_possible(text):
    """Return a text as HAProxy lists it; what HAProxy cannot have is returned as it is."""
    try:
        return _native(text)
    except ValueError:
        return text


def _count(counter):
    return sum(counter.values())


class Map(Collection, _MutableMapping):
    """A map over all processes that have it, as a mapping of text to text.

    It answers from memory: the entries of the first process, read when it was made or
    :meth:`~Collection.refresh`-ed. What is changed through it is sent to all processes at once, is
    made in all of them or in none, and then stands in it, too. After a change that failed it is
    read again before it answers.

    A key that has several entries has the value of the first one, which is what HAProxy finds;
    :meth:`~Collection.entries` lists all of them. HAProxy lists a key that contains a blank as if
    it ended there, and the value began after it: such a key is found only until the map is read
    again.

    Two maps, or a map and a dict, are equal if their contents are. ``copy()`` and ``|`` return a
    dict. A map is always true, also an empty one.

    Making it costs one command for the first process, by its id two. ``m[key]``, ``key in m``,
    ``len(m)`` and loops cost nothing. ``m[key] = value`` and ``del m[key]`` cost one command line
    for each process; if there are several, it also looks up what each has, which is restored if the
    change fails in one of them. ``update()`` with several keys costs what :meth:`~Collection.sync`
    costs, and so does a key that has several entries, contains a blank, begins with ``#``, or whose
    value contains a blank.

    Usage::

        >>> hosts = hap.map(0)
        >>> hosts['1']
        'www.foo.com-1'
        >>> hosts['2'] = 'www.foo.com-2'
        >>> len(hosts), '2' in hosts
        (3, True)
        >>> hosts.id, hosts.name, hosts.process_nb
        (0, '/etc/haproxy/v-m1-bk', [1, 2, 3, 4])
        >>> hosts.description
        "pattern loaded from file '/etc/haproxy/v-m1-bk' used by map at file ..."
        >>> hosts.current_version, hosts.next_version
        (None, None)
    """

    _FAMILY = 'map'

    def __getitem__(self, key):
        try:
            return self._values[key]
        except (KeyError, TypeError):
            return self._values[self._key(key)]

    def _key(self, key):
        native = _if_possible(key)
        if native not in self._values:
            raise KeyError(key)
        return native

    def __setitem__(self, key, value):
        key, value = _native(key), _native(value)
        if not self._is_plain(key) or key in self._repeated or any(
                patterns.sets_by_reference(process) for process in self._found):
            self._align(Some('map', [key], [value]))
            return
        before = self._before(key)
        self._change(lambda found: single.set_value(found, self._ident, key, value, before))
        self._values[key] = value

    def _is_plain(self, key):
        # HAProxy lists a key that contains a blank as if it ended there.
        return super(Map, self)._is_plain(key) and not any(
            ' ' in text for text in [key] + self._before(key))

    def __delitem__(self, key):
        self._delete(self._key(key))

    def update(*args, **others):
        """Set the values of several keys; see :meth:`dict.update`.

        Several cost one listing of each process, and batches for what differs.

        Usage::

            >>> hosts = hap.map(0)
            >>> hosts.update({'0': 'new', '2': 'www.foo.com-2'})
            >>> list(hosts.items())
            [('0', 'new'), ('1', 'www.foo.com-1'), ('2', 'www.foo.com-2')]
        """
        own, args = args[0], args[1:]
        pairs = collections.OrderedDict()
        pairs.update(*args, **others)
        keys, values = check_entries('map', pairs)
        pairs = collections.OrderedDict(zip(keys, values))
        if len(pairs) > 1:
            own._align(Some('map', list(pairs), list(pairs.values())))
        for key in pairs if len(pairs) == 1 else ():
            own[key] = pairs[key]

    def copy(self):
        """Return the content as a dict.

        :rtype: dict

        Usage::

            >>> hap.map(0).copy() == {'0': 'www.foo.com-0', '1': 'www.foo.com-1'}
            True
        """
        return dict(self._values)

    def __or__(self, other):
        if not isinstance(other, _MutableMapping):
            return NotImplemented
        joined = self.copy()
        joined.update(other)
        return joined

    def __ror__(self, other):
        if not isinstance(other, _MutableMapping):
            return NotImplemented
        joined = dict(other)
        joined.update(self.copy())
        return joined

    def __ior__(self, other):
        self.update(other)
        return self


class Acl(Collection, _MutableSet):
    """An ACL over all processes that have it, as a set of patterns.

    See :class:`Map` for what it remembers, what it costs, and how it compares. ``a | b`` and the
    other operators return a set, ``a |= b`` and its like change HAProxy, with one listing of each
    process and batches for what differs. ``discard()`` asks HAProxy to delete what this object does
    not know, too; ``add()`` of what it knows makes sure that every process has it.

    Usage::

        >>> paths = hap.acl(6)
        >>> '/static/css/' in paths
        True
        >>> paths |= ['/static/js/']
        >>> sorted(paths)
        ['/static/css/', '/static/js/']
    """

    _FAMILY = 'acl'

    @classmethod
    def _from_iterable(cls, iterable):
        return set(iterable)

    def add(self, pattern):
        """Add a pattern, unless it is there, with one command for each process.

        Sends ``add acl``, or ``get acl`` for what is known to be there (management guide, "add
        acl", "get acl"). Where the answer is about another pattern, one listing follows.

        :param pattern: the pattern.
        :type pattern: str, or see :class:`haproxyadmin.maps.PatternMethods`
        :raises haproxyadmin.exceptions.HAProxyBaseError: see :meth:`~Collection.sync`.

        Usage::

            >>> paths = hap.acl(6)
            >>> paths.add('/static/js/')
            >>> sorted(paths)
            ['/static/css/', '/static/js/']
        """
        pattern = _native(pattern)
        known = pattern in self._values
        self._change(lambda found: single.add_pattern(found, self._ident, pattern, known))
        self._values[pattern] = None

    def discard(self, pattern):
        """Delete a pattern, if it is there, with one command for each process.

        Sends ``del acl`` (management guide, "del acl").

        :param pattern: the pattern.
        :type pattern: str, or see :class:`haproxyadmin.maps.PatternMethods`
        :raises haproxyadmin.exceptions.HAProxyBaseError: see :meth:`~Collection.sync`.

        Usage::

            >>> hap.acl(6).discard('/static/css/')
        """
        for possible in _possible([pattern]):
            self._delete(possible)

    def update(self, *others):
        """Add the patterns of other iterables; see :meth:`set.update`.

        :param others: iterables of patterns.

        Usage::

            >>> paths = hap.acl(6)
            >>> paths.update(['/static/js/'], ['/static/img/'])
            >>> len(paths)
            3
        """
        added = [pattern for other in others for pattern in _members(other)]
        keys = list(_Ordered.fromkeys(check_entries('acl', added)[0]))
        if keys:
            self._align(Some('acl', keys, None))

    def difference_update(self, *others):
        """Delete the patterns of other iterables; see :meth:`set.difference_update`.

        :param others: iterables of patterns.

        Usage::

            >>> paths = hap.acl(6)
            >>> paths.difference_update(['/static/css/', '/static/js/'])
            >>> paths == set()
            True
        """
        keys = _possible([pattern for other in others for pattern in _members(other)])
        if keys:
            self._align(Some('acl', [], None, removed=keys))

    def copy(self):
        """Return the content as a set.

        :rtype: set

        Usage::

            >>> sorted(hap.acl(6).copy())
            ['/static/css/']
        """
        return set(self._values)

    def __ior__(self, other):
        self.update(other)
        return self

    def __isub__(self, other):
        self.difference_update(_members(other))
        return self

    def __iand__(self, other):
        self.difference_update(self - set(_possible(_members(other))))
        return self

    def __ixor__(self, other):
        keys = list(_Ordered.fromkeys(check_entries('acl', _members(other))[0]))
        if keys:
            self._align(Some('acl', [key for key in keys if key not in self], None,
                             removed=[key for key in keys if key in self]))
        return self


def _members(other):
    """Return the members of the other operand.

    :raises TypeError: for a text: its characters would be patterns.
    """
    if isinstance(other, TEXT):
        raise TypeError('expected several patterns, got the text {0!r}'.format(other))
    return list(other)


def _possible(texts):
    """Return, as HAProxy lists them, those of the members of a set that it can have."""
    try:
        return check_entries('acl', texts)[0]
    except ValueError:
        possible = []
        for text in texts:
            try:
                possible.append(_native(text))
            except ValueError:
                hash(text)
        return possible


_KINDS = {'map': Map, 'acl': Acl}


def find(processes, family, ref):
    """Return an ACL or map, read from the first process that has it.

    :param processes: the processes to look in.
    :param family: ``'acl'`` or ``'map'``.
    :param ref: its id or file.
    :rtype: Map or Acl
    :raises ValueError: if no process has it.
    """
    processes = members_to_change(distinct(processes))
    ident = patterns.check_ident(ref)
    if not ident.startswith(patterns.NOT_IN_COMMANDS):
        try:
            listing = read_each(processes[:1], lambda process: patterns.content_operation(
                process, family, ident))[0]
            return _KINDS[family](processes, ident, listing=listing)
        except CommandFailed as error:
            if not replies.is_unknown_list(error):
                raise
    index = []
    for number in range(len(processes)):
        index += read_each(processes[number:][:1], lambda process: patterns.list_operation(
            process, family))[0]
        listed = patterns.find_in(index, ident)
        if listed:
            ident = patterns.ident_of(listed)
            return _KINDS[family](processes[number:] + processes[:number], ident, listed, read_each(
                processes[number:][:1], lambda process: patterns.content_operation(
                    process, family, ident))[0])
    raise ValueError('no {0} {1!r}{2}'.format(
        family, ident, suggest_or_list(ident, set(map(name_of, index)))))


def list_all(processes, family):
    """Return all ACLs or maps, each over the processes that have it.

    :param processes: the processes to look in.
    :param family: ``'acl'`` or ``'map'``.
    :rtype: list of Map, or list of Acl
    """
    processes, lists = zip(*read_pairs(
        members_to_change(processes), lambda process: patterns.list_operation(process, family)))
    groups = merge([[_Found(process, listed) for listed in index]
                    for process, index in zip(processes, lists)])
    return [_KINDS[family]([found.process for found in group],
                           patterns.ident_of(group[0].listed), group[0].listed, is_resolved=True)
            for group in groups]


class _Found(collections.namedtuple('_Found', 'process listed')):
    """An ACL or map in a process."""

    __slots__ = ()

    @property
    def name(self):
        """Its name.

        :rtype: str
        """
        return name_of(self.listed)


def __dir__():
    """List what is public; has an effect from Python 3.7 on."""
    return sorted(__all__)
