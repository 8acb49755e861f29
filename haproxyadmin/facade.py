# SPDX-License-Identifier: Apache-2.0
"""What frontends, backends and servers have in common."""
from haproxyadmin import combine
from haproxyadmin.common import Combined, Named
from haproxyadmin.internal.calls import change_each
from haproxyadmin.internal.grouping import distinct, read_members
from haproxyadmin.internal.listing import LazyMembers
from haproxyadmin.parsers import stats


class Facade(Named, Combined):
    """One frontend, backend or server over all processes that have it.

    :param members: its objects, one of each process.
    :type members: list
    """

    _METRICS = ()
    _REQUESTS = 'stot'

    def __init__(self, members):
        listed = isinstance(members, LazyMembers)
        if not listed and not members:
            raise ValueError('{0} needs the object of at least one process'.format(
                self.__class__.__name__))
        members = members if listed else list(members)
        super(Facade, self).__init__(members.name if listed else members[0].name, members)

    @property
    def _members(self):
        return self._found if self._is_in_memory() else distinct(self._found)

    def _is_in_memory(self):
        return isinstance(self._found, LazyMembers) and self._found.in_memory

    @property
    def requests(self):
        """The number of requests that all processes together have handled.

        For a frontend HTTP requests (``req_tot`` of ``show stat``), for a backend or server
        sessions (``stot``).

        :rtype: int
        """
        return self._total(self._REQUESTS)

    @property
    def status(self):
        """The status in HAProxy's words (``status`` of ``show stat``).

        :rtype: str
        """
        return self._common('status')

    def metric(self, name, rule=None):
        """Return a metric over all processes.

        Sends one ``show stat`` to each process (management guide, "show stat").

        :param name: a name of the documented list for this kind of object, or any other figure
            for which the running HAProxy reports a value: the names of :meth:`metrics`.
        :type name: str
        :param rule: (optional) how the numbers of the processes are combined: ``'sum'``; ``'avg'``,
            truncated toward zero; ``'min'`` or ``'max'``, the one of a single process; or
            ``'nature'``, whichever of these suits what HAProxy says of the figure, see
            ``METRICS_NATURE``. By default as ``METRICS_SUM`` and ``METRICS_AVG`` say.
        :type rule: str
        :return: the number, of the processes that report one; 0 for a documented name that none
            reports.
        :rtype: int
        :raises ValueError: for any other name, including those of other kinds of objects, and for
            any other rule; then nothing is sent.

        Usage::

            >>> backend = hap.backend('backend1_proc34')
            >>> backend.metric('slim'), backend.metric('slim', rule='max')
            (200000, 100000)
        """
        return combine.combine_metric(name, self._METRICS, self._rows, rule)

    def metrics(self, rule=None):
        """Return all metrics over all processes; costs as much as :meth:`metric`.

        :param rule: (optional) see :meth:`metric`.
        :type rule: str
        :return: ``{name: number}``: the documented names for this kind of object, and every other
            figure that the running HAProxy reports for it.
        :rtype: dict
        :raises ValueError: for any other rule; then nothing is sent.

        Usage::

            >>> hap.frontend('frontend1_proc34').metrics()['slim']
            6000
        """
        totals = combine.Totals(rule)  # a wrong rule sends nothing
        return combine.aggregate_all(self._METRICS, stats.columns(self._rows()), totals)

    def requests_per_process(self):
        """Return the number of requests that each process has handled; see :attr:`requests`.

        :return: list of ``(process number, requests)``.
        :rtype: list of tuple

        Usage::

            >>> hap.frontend('frontend1_proc34').requests_per_process()
            [(3, 0), (4, 0)]
        """
        return self._per_process(self._requests_of_each())

    def requests_per_socket(self):
        """Return the number of requests that each process has handled, by its socket.

        :return: list of ``(socket file, requests)``.
        :rtype: list of tuple

        Usage::

            >>> hap.frontend('frontend1_proc34').requests_per_socket()
            [('/run/haproxy/haproxy-3.sock', 0), ('/run/haproxy/haproxy-4.sock', 0)]
        """
        return self._per_socket(self._requests_of_each())

    def stats_per_process(self):
        """Return all statistics of each process; sends one ``show stat`` to each.

        :return: list of ``(process number, dict)``; the dict contains HAProxy's own text for each
            field.
        :rtype: list of tuple

        Usage::

            >>> backend = hap.backend('backend1_proc34')
            >>> [(number, row['act']) for number, row in backend.stats_per_process()]
            [(3, '3'), (4, '3')]
        """
        return self._per_process(map(stats.row2dict, self._rows()))

    def stats_per_socket(self):
        """Return all statistics of each process by its socket; sends one ``show stat`` to each.

        :return: list of ``(socket file, dict)``; the dict contains HAProxy's own text for each
            field.
        :rtype: list of tuple

        Usage::

            >>> backend = hap.backend('backend1_proc34')
            >>> [(address, row['act']) for address, row in backend.stats_per_socket()]
            [('/run/haproxy/haproxy-3.sock', '3'), ('/run/haproxy/haproxy-4.sock', '3')]
        """
        return self._per_socket(map(stats.row2dict, self._rows()))

    def _metric_texts(self, name):
        return combine.metric_texts(name, self._METRICS, self._rows)

    def _requests_of_each(self):
        return [combine.aggregate(self._REQUESTS, [text]) for text in self._fields(self._REQUESTS)]

    def _rows(self):
        if self._is_in_memory():
            return self._found.rows()
        return read_members(self._found, lambda member: member.row_operation())

    def _fields(self, name):
        if self._is_in_memory():
            return self._found.fields(name)
        return stats.fields(self._rows(), name)

    def _total(self, name):
        """Return the sum or average of a field."""
        return combine.aggregate(name, self._fields(name))

    def _common(self, name, convert=None):
        """Return a field that is the same in all processes.

        :param convert: (optional) takes the text of each process.
        """
        texts = self._fields(name)
        values = [convert(text) for text in texts] if convert else texts
        return combine.common_value([(member.process_nb, member.socket_file, value)
                                     for member, value in zip(self._members, values)])

    def _first(self, name):
        """Return a field of the first process, as an integer; asks no other process."""
        return self._members[0].number(name)

    def _change(self, build, judge=combine.check_command):
        """Send each process the command that is built for it.

        :param build: takes a member, returns the command; see
            :func:`haproxyadmin.internal.calls.prepare`.
        """
        return change_each(
            self._live(), lambda member: member.hap_process.change_operation(build(member)), judge)

    def _live(self):
        """Return the members that HAProxy itself answers for, one for each socket."""
        return [member.live for member in self._found]
