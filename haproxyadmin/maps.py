# SPDX-License-Identifier: Apache-2.0
"""ACLs and maps: list, look up, add, set, delete."""
from haproxyadmin.internal import patterns
from haproxyadmin.internal.calls import read_each
from haproxyadmin.methods import changes_entries, changes_many, reads_entries


class PatternMethods(object):
    """The documented methods for ACLs and maps of :class:`haproxyadmin.haproxy.HAProxy`.

    An ACL or map is named by its id, or by the file that it was loaded from. Ids may differ between
    processes with different configurations, files do not. A change goes to all processes
    concurrently, with one command for each unless the method says otherwise.

    Keys, patterns and values are text; a number, a UUID, and an address or network of
    :mod:`ipaddress` is written as its ``str()``. They are stored unchanged, whatever they contain.

    A key of the form ``'0x...'`` may be the reference of a single entry, as :meth:`show_acl` and
    :meth:`show_map` return it. It is looked up first, with a listing of each process, and used only
    if it stands for the same entry in all of them; otherwise that is a
    :class:`haproxyadmin.exceptions.CommandFailed`, and nothing is changed. If it stands for no
    entry, it is a key.

    Many entries are read from an iterable as they are sent, so that any number of them needs little
    memory. References among them cost each process one listing for every 2048 entries.
    """

    # ACLs

    @reads_entries
    def show_acl(self, aclid=None, acl=None, die=True):
        """Return the ACLs, or the entries of one, as the first process has them.

        Sends ``show acl`` (management guide, "show acl") to the first process only, because
        references differ between processes.

        :param aclid: (optional) the ACL's id or file.
        :type aclid: int or str
        :param acl: (optional) the same, under the name that the other methods use.
        :type acl: int or str
        :return: by default a heading and a line for each ACL; for one ACL, a line for each entry:
            its reference and its pattern. Empty for an ACL without entries.
        :rtype: list of str

        Usage::

            >>> hap.show_acl(6)
            ['0x12ea940 /static/css/']
        """
        return self._listing('acl', acl if aclid is None else aclid)

    @reads_entries
    def get_acl(self, acl, value, die=True):
        """Look up a value in an ACL, in the first process.

        Sends ``get acl`` (management guide, "get acl").

        :param acl: its id or file.
        :type acl: int or str
        :param value: the value.
        :type value: str, or see :class:`haproxyadmin.maps.PatternMethods`
        :return: HAProxy's answer.
        :rtype: str

        Usage::

            >>> hap.get_acl(4, '/static/js/')
            'type=beg, case=sensitive, match=yes, idx=tree, pattern="/static/js/"'
        """
        return self._match('acl', acl, value)

    @changes_entries
    def add_acl(self, acl, pattern, die=True):
        """Add an entry to an ACL, even if an equal one is there already.

        Sends ``add acl`` (management guide, "add acl").

        :param acl: its id or file.
        :type acl: int or str
        :param pattern: the entry.
        :type pattern: str, or see :class:`haproxyadmin.maps.PatternMethods`

        Usage::

            >>> hap.add_acl(6, '/foobar')
            True
        """
        return self._patterns('add', 'acl', acl, pattern)

    @changes_entries
    def del_acl(self, acl, key, die=True):
        """Delete all entries with a key from an ACL.

        Sends ``del acl`` (management guide, "del acl"), from HAProxy 3.3 on once more for each
        entry.

        :param acl: its id or file.
        :type acl: int or str
        :param key: the entry, or its reference.
        :type key: str, or see :class:`haproxyadmin.maps.PatternMethods`

        Usage::

            >>> hap.del_acl(6, '/foobar')
            True
        """
        return self._entry('del', 'acl', acl, key)

    @changes_entries
    def clear_acl(self, acl, die=True):
        """Delete all entries of an ACL.

        Sends ``clear acl`` (management guide, "clear acl").

        :param acl: its id or file.
        :type acl: int or str

        Usage::

            >>> hap.clear_acl(6)
            True
            >>> hap.show_acl(6)
            []
        """
        return self._patterns('clear', 'acl', acl)

    @changes_many
    def add_acl_entries(self, acl, patterns, die=True):
        """Add many entries to an ACL, in batches of ``add acl``.

        :param acl: its id or file.
        :type acl: int or str
        :param patterns: the entries; see :meth:`add_acl`.
        :type patterns: iterable

        Usage::

            >>> hap.add_acl_entries(6, ['/static/img/', '/static/fonts/'])
            True
        """
        return self._many('add', 'acl', acl, patterns)

    @changes_many
    def del_acl_entries(self, acl, keys, die=True):
        """Delete many entries from an ACL, in batches of ``del acl``.

        HAProxy serves nobody while it deletes. Before 2.4 each command deletes one key; from then
        on as many as it deletes in a twentieth of a second, at most 12.

        :param acl: its id or file.
        :type acl: int or str
        :param keys: entries or references; see :meth:`del_acl`.
        :type keys: iterable

        Usage::

            >>> hap.del_acl_entries(6, ['/static/css/'])
            True
        """
        return self._many('del', 'acl', acl, keys)

    # Maps

    @reads_entries
    def show_map(self, mapid=None, map=None, die=True):
        """Return the maps, or the entries of one, as the first process has them.

        Sends ``show map`` (management guide, "show map") to the first process only, because
        references differ between processes.

        :param mapid: (optional) the map's id or file.
        :type mapid: int or str
        :param map: (optional) the same.
        :type map: int or str
        :return: by default a heading and a line for each map; for one map, a line for each entry:
            its reference, its key and its value. Empty for a map without entries. An entry that a
            request has stored may contain newlines.
        :rtype: list of str

        Usage::

            >>> hap.show_map(0)
            ['0x1a78ab0 0 www.foo.com-0', '0x1a78b20 1 www.foo.com-1']
        """
        return self._listing('map', map if mapid is None else mapid)

    @reads_entries
    def get_map(self, mapid, value, die=True):
        """Look up a key in a map, in the first process.

        Sends ``get map`` (management guide, "get map").

        :param mapid: its id or file.
        :type mapid: int or str
        :param value: the key.
        :type value: str, or see :class:`haproxyadmin.maps.PatternMethods`
        :return: HAProxy's answer.
        :rtype: str

        Usage::

            >>> hap.get_map(0, '11')
            'type=str, case=sensitive, found=yes, idx=tree, key="11", value="new2", type="str"'
        """
        return self._match('map', mapid, value)

    @changes_entries
    def add_map(self, mapid, key, value, die=True):
        """Add an entry to a map, even if the key is there already.

        Sends ``add map`` (management guide, "add map").

        :param mapid: its id or file.
        :type mapid: int or str
        :param key: the key.
        :type key: str, or see :class:`haproxyadmin.maps.PatternMethods`
        :param value: the value; it may contain blanks.
        :type value: str, or see :class:`haproxyadmin.maps.PatternMethods`

        Usage::

            >>> hap.add_map(0, '9', 'foo')
            True
        """
        return self._patterns('add', 'map', mapid, key, value)

    @changes_entries
    def set_map(self, mapid, key, value, die=True):
        """Set the value of all entries with a key in a map.

        Sends ``set map`` (management guide, "set map").

        Older versions of HAProxy ignore a value that the map cannot contain, and may even end if
        the key has several entries, which :class:`haproxyadmin.patterns.Map` avoids; see
        :doc:`/user/haproxy`.

        :param mapid: its id or file.
        :type mapid: int or str
        :param key: the key, or the reference of one entry.
        :type key: str, or see :class:`haproxyadmin.maps.PatternMethods`
        :param value: the value; it may contain blanks.
        :type value: str, or see :class:`haproxyadmin.maps.PatternMethods`

        Usage::

            >>> hap.set_map(0, '11', 'new')
            True
        """
        return self._entry('set', 'map', mapid, key, value)

    @changes_entries
    def del_map(self, mapid, key, die=True):
        """Delete all entries with a key from a map.

        Sends ``del map`` (management guide, "del map"), from HAProxy 3.3 on once more for each
        entry.

        :param mapid: its id or file.
        :type mapid: int or str
        :param key: the key, or the reference of one entry.
        :type key: str, or see :class:`haproxyadmin.maps.PatternMethods`

        Usage::

            >>> hap.del_map(0, '22')
            True
        """
        return self._entry('del', 'map', mapid, key)

    @changes_entries
    def clear_map(self, mapid, die=True):
        """Delete all entries of a map.

        Sends ``clear map`` (management guide, "clear map").

        :param mapid: its id or file.
        :type mapid: int or str

        Usage::

            >>> hap.clear_map(0)
            True
            >>> hap.show_map(0)
            []
        """
        return self._patterns('clear', 'map', mapid)

    @changes_many
    def add_map_entries(self, mapid, pairs, die=True):
        """Add many entries to a map, in batches of ``add map``.

        :param mapid: its id or file.
        :type mapid: int or str
        :param pairs: pairs of key and value, or a dict; see :meth:`add_map`.
        :type pairs: iterable

        Usage::

            >>> hap.add_map_entries(0, [('www.foo.com', 'web'), ('static.foo.com', 'static')])
            True
        """
        return self._many('add', 'map', mapid, pairs)

    @changes_many
    def del_map_entries(self, mapid, keys, die=True):
        """Delete many entries from a map, in batches of ``del map``.

        HAProxy serves nobody while it deletes. Before 2.4 each command deletes one key; from then
        on as many as it deletes in a twentieth of a second, at most 12.

        :param mapid: its id or file.
        :type mapid: int or str
        :param keys: keys or references; see :meth:`del_map`.
        :type keys: iterable

        Usage::

            >>> hap.del_map_entries(0, ['0', '1'])
            True
        """
        return self._many('del', 'map', mapid, keys)

    # What they have in common

    def _listing(self, family, ident):
        return self._read_first(
            lambda process: patterns.listing_operation(process, family, ident))

    def _match(self, family, ident, text):
        return self._read_first(
            lambda process: patterns.match_operation(process, family, ident, text))

    def _read_first(self, build):
        return read_each(self._processes[:1], build)[0]

    def _patterns(self, action, family, ident, *texts):
        return patterns.change(self._found, action, family, ident, *texts)

    def _entry(self, action, family, ident, key, *texts):
        return patterns.change_entry(self._found, action, family, ident, key, *texts)

    def _many(self, action, family, ident, items):
        # Imported on first use: most programs do not need it, and many run for a moment only.
        from haproxyadmin.internal import bulk
        return bulk.change(self._found, action, family, ident, items)
