# SPDX-License-Identifier: Apache-2.0
"""Ask one process for rows of statistics, and notice lists that are not complete."""
import functools

from haproxyadmin.internal.fanout import Operation
from haproxyadmin.internal.slots import Slotted
from haproxyadmin.parsers.stats import Dump
from haproxyadmin.protocol import commands
from haproxyadmin.protocol.replies import Malformed


class RowReader(Slotted):
    """Asks one process for ``show stat``.

    It remembers the header, which is the same in all replies, and which proxies were listed last:
    before 2.5 a worker that is stopping lists some of its proxies, or none. By the time that it is
    asked again, another worker has taken its place.

    :type endpoint: :class:`haproxyadmin.internal.endpoint.Endpoint`
    """

    __slots__ = ('endpoint', 'marks_ids', '_header', '_listed')

    def __init__(self, endpoint):
        self.endpoint = endpoint
        # True once a number may be the name of a proxy.
        self.marks_ids = False
        self._header = None
        # The proxies that were listed last, for each kind of list.
        self._listed = {}

    def operation(self, interpret, iid=-1, kind=commands.EVERYTHING, sid=-1, complete=False):
        """Return the operation that asks for rows.

        :param interpret: takes a :class:`haproxyadmin.parsers.stats.Dump`.
        :param iid: (optional) id of a proxy, -1 for all.
        :param kind: (optional) the sum of the kinds that are asked for.
        :param sid: (optional) id of a server, -1 for all.
        :param complete: (optional) True to ask again if a list of all proxies lacks some that it
            had the last time; by default only if it has no row at all.
        """
        if iid != -1:
            return self._show(interpret, iid, kind, sid)
        marked = self.marks_ids

        def check(repeat, dump):
            misread = not marked and self.may_be_of_one(dump)
            if repeat and (misread or self.lacks(kind, dump, complete)):
                return self._show(functools.partial(check, False), iid, kind, sid)
            self.keep(kind, dump)
            return interpret(dump)
        return self._show(functools.partial(check, True), iid, kind, sid)

    def _show(self, interpret, iid, kind, sid):
        listeners = kind == commands.EVERYTHING
        return Operation(self.endpoint, commands.show_stat(iid, kind, sid, self.marks_ids),
                         lambda lines: interpret(self.parse(lines, listeners)))

    def parse(self, lines, listeners, quoted=True):
        """Return the rows of a reply.

        :param listeners: True if listeners were asked for, too.
        :param quoted: (optional) False if no field is known to be quoted.
        :rtype: :class:`haproxyadmin.parsers.stats.Dump`
        """
        dump = Dump(lines, self._header, listeners, quoted)
        self._header = dump.header
        return dump

    def mark_ids(self):
        """Mark ids from now on: HAProxy has read one as the name of a proxy."""
        self.marks_ids = True

    def may_be_of_one(self, dump):
        """Return True if a list for id -1, unmarked, may be of a proxy named ``-1`` alone.

        If the name of a proxy is a number, ids are marked from now on.
        """
        names = set().union(dump.frontends, dump.backends, dump.servers)
        alone = not names or '-1' in names
        self.marks_ids = self.marks_ids or alone or any(map(str.isdigit, names))
        return alone

    def is_doubtful(self, kind, dump, info, marked):
        """Return True if a list of all proxies has to be asked for again.

        :param info: the reply to ``show info`` of the same connection.
        :param marked: True if the id -1 was marked.
        """
        misread = not marked and self.may_be_of_one(dump)
        return misread or self._is_stopping(dump, info) or self.lacks(kind, dump)

    def accept(self, kind, dump, info):
        """Remember which proxies a list has.

        :raises haproxyadmin.protocol.replies.Malformed: if it is not complete.
        """
        if self._is_stopping(dump, info):
            raise Malformed('the worker is stopping, and does not list all of its proxies')
        self.keep(kind, dump)

    def _is_stopping(self, dump, info):
        # A former worker is read as it is.
        return (info.get('Stopping') == '1' and not dump.header.rows_stay
                and not self.endpoint.address.is_former)

    def lacks(self, kind, dump, complete=True):
        """Return True if a list lacks proxies that the last one had, or is the first and empty."""
        # Looked up in the reply, because another version may have taken over since `show info`.
        if dump.header.rows_stay:
            return False
        before, proxies = self._listed.get(kind), dump.proxies()
        if not proxies:
            return before != proxies
        return complete and before is not None and not before <= proxies

    def keep(self, kind, dump):
        """Remember which proxies a list had."""
        if not dump.header.rows_stay:
            self._listed[kind] = dump.proxies()
