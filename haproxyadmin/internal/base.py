# SPDX-License-Identifier: Apache-2.0
"""What one process's view of a frontend, backend and server has in common."""
from haproxyadmin.combine import combine_metric
from haproxyadmin.exceptions import NoSuchObject
from haproxyadmin.internal.calls import OfProcess
from haproxyadmin.internal.fanout import run
from haproxyadmin.internal.slots import Slotted
from haproxyadmin.parsers import stats


class _Member(OfProcess, Slotted):
    """One row of one process's statistics, found by name.

    Ids are hints: they say which row to ask for, and a reload may change them. A row counts only if
    its names match; otherwise one dump of all rows of the kind is read, which has the new ids.

    :param hap_process: the process it belongs to.
    :type hap_process: :class:`haproxyadmin.internal._HAProxyProcess`
    :param name: its name.
    :type name: str
    :param ids: the ids of its proxy and of itself as a server, each an integer, or None if it is
        not known; None to take them from the row.
    :type ids: tuple
    :param row: (optional) the row that it was listed with. Objects of a snapshot answer from it.
    :type row: :class:`haproxyadmin.parsers.stats.Row`
    """

    __slots__ = ('hap_process', 'name', '_ids', '_row')

    _KIND = None
    _NOUN = None
    _METRICS = ()

    def __init__(self, hap_process, name, ids, row=None):
        self.hap_process = hap_process
        self.name = name
        self._ids = ids
        self._row = row

    def __repr__(self):
        return '<{0} {1!r} of process {2} on {3}>'.format(
            self.__class__.__name__, self.name, self.process_nb, self.socket_file)

    @property
    def live(self):
        """The object that answers from HAProxy itself, not from a snapshot."""
        process = self.hap_process.live
        return self if process is self.hap_process else self.on(process)

    def command(self, cmd):
        """Send a command to the process; see :meth:`_HAProxyProcess.command`."""
        return self.hap_process.command(cmd)

    def metric(self, name):
        """Return a metric of this process alone.

        :return: the number; 0 for a documented name that HAProxy does not report.
        :raises ValueError: for any other name that HAProxy does not report.
        """
        return combine_metric(name, self._METRICS, lambda: [self.stats_data()])

    def stats(self):
        """Return all statistics, HAProxy's own text for each field.

        :rtype: dict
        """
        return stats.row2dict(self.stats_data())

    def stats_data(self):
        """Return the row of statistics.

        :rtype: :class:`haproxyadmin.utils.CSVLine`
        :raises haproxyadmin.exceptions.NoSuchObject: a :class:`KeyError`, if it is gone.
        """
        return run(self.row_operation())

    def number(self, name):
        """Return a field that is always a number."""
        return run(self.row_operation(lambda row: int(stats.field(row, name))))

    def row_operation(self, convert=None):
        """Return the operation that reads the row.

        :param convert: (optional) takes the row; what it returns is the value of the operation. By
            default that is the row.
        """
        if self._row is not None and self.hap_process.in_memory:
            return convert(self._row) if convert else self._row
        return self._read(self._KIND, lambda row, _: convert(row) if convert else row)

    def _read(self, kind, interpret):
        """Return the operation that reads this object's rows, by its ids or else by its name.

        :param kind: the sum of the kinds of rows that are asked for.
        :param interpret: takes the row of this object and the dump that contains it; what it
            returns is the value of the operation.
        """
        process = self.hap_process

        def found_by_id(dump):
            row = self._find(dump)
            if row is None:
                return process.dump_operation(found_by_name, kind=kind)
            return interpret(row, dump)

        def found_by_name(dump):
            row = self._find(dump)
            if row is None:
                raise self.gone()
            self._learn(row)
            return interpret(row, dump)

        # Read once, because another thread may learn new ids.
        iid, sid = self._known_ids()
        if process.in_memory or iid is None or sid is None:
            return process.dump_operation(found_by_name, kind=kind)
        return process.dump_operation(found_by_id, iid, kind, sid)

    def gone(self):
        """Return the exception for an object that no longer exists."""
        return NoSuchObject(self.name, '{0} {1} is gone from process {2} on {3}'.format(
            self._NOUN, self._title(), self.process_nb, self.socket_file))

    def _learn(self, row):
        """Remember the ids that a row contains."""
        if self.hap_process.in_memory:
            return
        ids = self._ids_of(row)
        if ids == self._known_ids():
            # They were right: HAProxy took them for the name of another proxy.
            self.hap_process.rows.mark_ids()
        self._ids = ids

    def _known_ids(self):
        """Return the ids that were seen last."""
        # In this order, because another thread may do the same.
        row, ids = self._row, self._ids
        if ids is None:
            # Not earlier: most objects of a list are only looked at.
            ids = self._ids = self._ids_of(row)
            if not self.hap_process.in_memory:
                self._row = None
        return ids

    def on(self, process):
        """Return the same object on another process."""
        raise NotImplementedError

    def _find(self, dump):
        """Return the row of this object, or None."""
        raise NotImplementedError

    def _ids_of(self, row):
        """Return the ids that a row contains."""
        raise NotImplementedError

    def _title(self):
        return repr(self.name)


class _Proxy(_Member):
    """A frontend or backend in one process.

    :param hap_process: the :class:`haproxyadmin.internal._HAProxyProcess`.
    :param name: its name.
    :type name: str
    :param iid: its id, a hint.
    :param row: (optional) the row that it was listed with, instead of the id.
    """

    __slots__ = ()

    def __init__(self, hap_process, name, iid, row=None):
        ids = None if row is not None else (number_or_none(iid), -1)
        super(_Proxy, self).__init__(hap_process, name, ids, row)

    @property
    def iid(self):
        """The proxy's id; asks HAProxy.

        :rtype: int
        """
        return self.number('iid')

    def known_iid(self):
        """Return the id that was seen last, or None; costs nothing."""
        return self._known_ids()[0]

    def on(self, process):
        """Return the same proxy on another process."""
        return type(self)(process, self.name, self.known_iid())

    def _ids_of(self, row):
        return number_or_none(stats.field(row, 'iid')), -1


def number_or_none(value):
    """Return a value as an integer, None if it is not one."""
    try:
        return int(value)
    except (OverflowError, TypeError, ValueError):
        return None
