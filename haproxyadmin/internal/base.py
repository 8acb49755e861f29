# SPDX-License-Identifier: Apache-2.0
"""What one process's view of a frontend, backend and server has in common."""
import functools

from haproxyadmin import utils
from haproxyadmin.exceptions import NoSuchObject
from haproxyadmin.internal import facade


class _Member(object):
    """One row of one process's statistics, found by name.

    Ids are hints: they say which row to ask for, and a reload may move them. A row counts only
    when its names match; else one dump of all rows of the kind tells the new ids.

    :param hap_process: the process it belongs to.
    :type hap_process: :class:`haproxyadmin.internal._HAProxyProcess`
    :param name: its name.
    :type name: str
    :param hint: an id, a row that tells it, or ``(iid, sid)``.
    """

    __slots__ = ('hap_process', 'name', '_hint')

    _KIND = None
    _NOUN = None
    _METRICS = ()

    def __init__(self, hap_process, name, hint):
        self.hap_process = hap_process
        self.name = name
        self._hint = hint

    def __repr__(self):
        return '<{0} {1!r} of process {2} on {3}>'.format(
            self.__class__.__name__, self.name, self.process_nb, self.socket_file)

    def __getstate__(self):
        return facade.slots_of(self)

    def __setstate__(self, state):
        facade.set_slots(self, state)

    @property
    def live(self):
        """The object as HAProxy itself answers for it, not a snapshot."""
        process = self.hap_process.live
        return self if process is self.hap_process else self._on(process)

    @property
    def process_nb(self):
        """The number of the process; costs nothing."""
        return self.hap_process.process_nb

    @property
    def socket_file(self):
        """The stats socket of the process."""
        return self.hap_process.socket_file

    def command(self, cmd):
        """Send a command to the process; see :meth:`_HAProxyProcess.command`."""
        return self.hap_process.command(cmd)

    def metric(self, name):
        """Return a metric of this process alone.

        :return: the number; 0 for a documented name that HAProxy does not report.
        :raises ValueError: for any other name for which HAProxy reports no value.
        """
        return utils.metric(name, self._METRICS, lambda: [self.stats_data()])

    def stats(self):
        """Return all statistics, HAProxy's own text per field.

        :rtype: dict
        """
        return utils.row2dict(self.stats_data())

    def stats_data(self):
        """Return the row of statistics.

        :rtype: :class:`haproxyadmin.utils.CSVLine`
        :raises haproxyadmin.exceptions.NoSuchObject: a :class:`KeyError`, when it is gone.
        """
        return facade.answer(self.ask_row())

    def number(self, name):
        """Return a field that is always a number."""
        return facade.answer(self.ask_row(lambda row: int(utils.field(row, name))))

    def ask_row(self, then=None):
        """Return what asks for the row; see :class:`haproxyadmin.internal.facade.Ask`.

        :param then: (optional) takes the row; its value is the ask's. By default that is the row.
        """
        if self.hap_process.in_memory and isinstance(self._hint, utils.Row):
            return then(self._hint) if then else self._hint
        return self._ask(self._KIND, functools.partial(self._row_of, then) if then else self._find)

    def _ask(self, kind, found):
        """Ask for the rows of the ids, and where they are another's for all.

        :param found: takes a dump; returns None where it does not hold this object.
        """
        if not self.hap_process.in_memory:
            iid, sid = self._ids()
            if iid is not None and sid is not None:
                return self.hap_process.ask_dump(
                    functools.partial(self._hinted, kind, found), iid, kind, sid)
        return self._ask_anew(kind, found)

    def _ask_anew(self, kind, found):
        return self.hap_process.ask_dump(functools.partial(self._learned, found), kind=kind)

    def _hinted(self, kind, found, dump):
        outcome = found(dump)
        return self._ask_anew(kind, found) if outcome is None else outcome

    def _learned(self, found, dump):
        row = self._find(dump)
        if row is None:
            raise NoSuchObject(self.name, '{0} {1} is gone from process {2} on {3}'.format(
                self._NOUN, self._title(), self.process_nb, self.socket_file))
        missed, self._hint = self._hint, row
        if missed == self._ids():
            # The ids were right: HAProxy took them for the name of another proxy.
            self.hap_process.marks_ids = True
        return found(dump)

    def _on(self, process):
        """Return the same object on another process."""
        return type(self)(process, self.name, self._hint)

    def _row_of(self, then, dump):
        row = self._find(dump)
        return None if row is None else then(row)

    def _find(self, dump):
        """Return the row of this object, or None."""
        raise NotImplementedError

    def _ids(self):
        """Return ``(iid, sid)`` as far as known, each a number or None; costs nothing."""
        # Read once: another thread may learn other ids meanwhile.
        hint = self._hint
        if not isinstance(hint, tuple):
            hint = self._hint = tuple(map(_number, self._ids_of(hint)))
        return hint

    def _ids_of(self, hint):
        """Return ``(iid, sid)`` of a hint that is a row or an id; what is no id does no harm."""
        raise NotImplementedError

    def _title(self):
        return repr(self.name)


class _Proxy(_Member):
    """A frontend or backend in one process.

    :param hap_process: the :class:`haproxyadmin.internal._HAProxyProcess`.
    :param name: its name.
    :type name: str
    :param iid: its id, a hint; or a row that tells it.
    """

    __slots__ = ()

    def __init__(self, hap_process, name, iid):
        super(_Proxy, self).__init__(hap_process, name, iid)

    @property
    def iid(self):
        """The proxy's id, asked anew.

        :rtype: int
        """
        return self.number('iid')

    def hinted_iid(self):
        """Return the id that it had when last seen, or None; costs nothing."""
        return self._ids()[0]

    def _ids_of(self, hint):
        return (utils.field(hint, 'iid') if isinstance(hint, utils.Row) else hint, -1)


def _number(hint):
    try:
        return int(hint)
    except (OverflowError, TypeError, ValueError):
        return None
