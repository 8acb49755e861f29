# SPDX-License-Identifier: Apache-2.0
"""What can be read of HAProxy as a whole, live or from memory."""
import operator

from haproxyadmin import combine
from haproxyadmin.backend import Backend
from haproxyadmin.common import Combined
from haproxyadmin.frontend import Frontend
from haproxyadmin.internal.calls import read_each
from haproxyadmin.internal.fanout import unchanged
from haproxyadmin.internal.grouping import read_identified
from haproxyadmin.parsers import stats
from haproxyadmin.parsers.info import parse_description
from haproxyadmin.protocol import commands
from haproxyadmin.protocol.metrics import HAPROXY_METRICS
from haproxyadmin.protocol.words import to_native
from haproxyadmin.server import Servers, servers_of
from haproxyadmin.spelling import suggest_or_list

_LABEL = operator.itemgetter(0)
_BY_BACKEND = operator.attrgetter('backend.name')


class Reading(Combined):
    """The reading side of HAProxy, whether its processes answer live or from memory."""

    def __repr__(self):
        return '{0}(processes={1}, sockets={2})'.format(
            self.__class__.__name__, [process.process_nb for process in self._processes],
            [process.socket_file for process in self._processes])

    @property
    def _processes(self):
        return self._members

    @_processes.setter
    def _processes(self, processes):
        self._found = processes

    # What the processes report about themselves

    @property
    def processids(self):
        """The process ids, in the order of the process numbers (``Pid`` of ``show info``).

        :rtype: list of int
        """
        return [int(info['Pid']) for info in self.info()]

    @property
    def description(self):
        """The description in the configuration, ``''`` if there is none (``show info``).

        :rtype: str
        """
        return self._common_value(parse_description)

    @property
    def nodename(self):
        """The name of the node (``node`` of ``show info``).

        :rtype: str
        """
        return self._common('node')

    @property
    def releasedate(self):
        """The date of the release, ``'2014/10/31'`` (``Release_date`` of ``show info``).

        :rtype: str
        """
        return self._common('Release_date')

    @property
    def version(self):
        """The version, such as ``'1.5.8'`` (``Version`` of ``show info``).

        :rtype: str
        """
        return self._common('Version')

    @property
    def uptime(self):
        """The uptime of the first process, ``'2d 0h55m09s'`` (``Uptime`` of ``show info``).

        :rtype: str
        """
        return self._processes[0].proc_info()['Uptime']

    @property
    def uptimesec(self):
        """The uptime of the first process in seconds (``Uptime_sec`` of ``show info``).

        :rtype: int
        """
        return int(self._processes[0].proc_info()['Uptime_sec'])

    @property
    def totalrequests(self):
        """The number of requests that all processes have handled (``CumReq`` of ``show info``).

        It includes commands on the stats sockets, this one too; :attr:`requests` counts what
        clients requested from the frontends.

        :rtype: int

        Usage::

            >>> hap.totalrequests > hap.requests
            True
        """
        return self.metric('CumReq')

    @property
    def requests(self):
        """The number of HTTP requests that all frontends of all processes have handled.

        It is the sum of ``req_tot``; sends one ``show stat`` to each process.

        :rtype: int
        """
        dumps = self._read_each(
            lambda process: process.list_operation(unchanged, commands.FRONTENDS))
        return combine.aggregate('req_tot', [stats.field(dump.frontend(name), 'req_tot')
                                             for dump in dumps for name in dump.frontends])

    @property
    def maxconn(self):
        """The maximum number of connections over all processes (``Maxconn`` of ``show info``).

        :rtype: int
        """
        return self.metric('Maxconn')

    @property
    def ratelimitconn(self):
        """The maximum number of connections per second over all processes, 0 for no limit.

        It is the sum of ``ConnRateLimit`` of ``show info``.

        :rtype: int
        """
        return self.metric('ConnRateLimit')

    @property
    def ratelimitsess(self):
        """The maximum number of sessions per second over all processes, 0 for no limit.

        It is the sum of ``SessRateLimit`` of ``show info``.

        :rtype: int
        """
        return self.metric('SessRateLimit')

    @property
    def ratelimitsslsess(self):
        """The maximum number of SSL sessions per second over all processes, 0 for no limit.

        It is the sum of ``SslRateLimit`` of ``show info``.

        :rtype: int
        """
        return self.metric('SslRateLimit')

    def info(self):
        """Return the ``show info`` of each process, HAProxy's own text for each field.

        :return: a dict for each process, in the order of the process numbers.
        :rtype: list of dict

        Usage::

            >>> [info['Maxconn'] for info in hap.info()]
            ['10000', '10000', '10000', '10000']
        """
        return read_identified(self._sources(), lambda process: process.info_operation(unchanged))

    def metric(self, name, rule=None):
        """Return a metric over all processes.

        Sends one ``show info`` to each process (management guide, "show info").

        :param name: a name of ``HAPROXY_METRICS``, or any other figure of ``show info`` for which
            the running HAProxy reports a value: the names of :meth:`metrics`.
        :type name: str
        :param rule: (optional) how the numbers of the processes are combined: ``'sum'``; ``'avg'``,
            truncated toward zero; ``'min'`` or ``'max'``, the one of a single process; or
            ``'nature'``, whichever of these suits what HAProxy says of the figure, see
            ``METRICS_NATURE``. By default as ``METRICS_SUM`` and ``METRICS_AVG`` say.
        :type rule: str
        :return: the number, of the processes that report one; 0 for a name of the list that none
            reports.
        :rtype: int
        :raises ValueError: for any other name, and for any other rule; then nothing is sent.

        Usage::

            >>> hap.metric('Maxconn'), hap.metric('Maxconn', rule='max')
            (40000, 10000)
        """
        return combine.combine_info_metric(name, HAPROXY_METRICS, self.info, rule)

    def metrics(self, rule=None):
        """Return all metrics over all processes; costs as much as :meth:`metric`.

        :param rule: (optional) see :meth:`metric`.
        :type rule: str
        :return: ``{name: number}``: the names of ``HAPROXY_METRICS``, and every other figure that
            ``show info`` reports.
        :rtype: dict
        :raises ValueError: for any other rule; then nothing is sent.

        Usage::

            >>> hap.metrics()['Maxconn']
            40000
        """
        totals = combine.Totals(rule)  # a wrong rule sends nothing
        return combine.aggregate_all(HAPROXY_METRICS, combine.info_columns(self.info()), totals)

    def stats(self):
        """Return the figures of every frontend, backend and server over all processes.

        Sends one ``show stat`` to each process. All dictionaries have the same keys in the same
        order, so that they suit ``json.dumps``, ``csv.DictWriter`` and ``pandas.DataFrame``.

        :return: for each frontend, and for each backend and its servers, a dict: ``pxname`` and
            ``svname`` as HAProxy names them, ``type`` (``'frontend'``, ``'backend'`` or
            ``'server'``) and ``status``; then, in HAProxy's order, every figure of ``show stat``,
            an integer, and the texts ``check_status``, ``last_chk``, ``addr``, ``cookie``,
            ``mode`` and ``algo``; last ``processes``, how many have it. If processes report
            different texts, all of them in order: ``'UP, DOWN'``. What HAProxy does not report is
            None.
        :rtype: list of dict

        Usage::

            >>> [(row['pxname'], row['svname'], row['processes']) for row in hap.stats()
            ...  if row['type'] == 'server' and row['processes'] > 1][:2]
            [('backend1_proc34', 'bck1_proc34_srv1', 2), ('backend1_proc34', 'bck1_proc34_srv2', 2)]
        """
        dumps = self._dumps()
        proxies = combine.merge([stats.label_rows(dump) for dump in dumps], _LABEL)
        things = [thing for proxy in proxies
                  for thing in combine.merge([rows for _, rows in proxy], _LABEL)]
        return combine.summarize(things, [dump.header for dump in dumps])

    def overview(self, pattern=None, width=None):
        """Return a table of all frontends, backends and servers, to be read by people.

        Sends one ``show stat`` to each process. Printed, it is text; a notebook shows it as HTML.

        :param pattern: (optional) a pattern as the shell has it, ``'web*'``, for the names to show:
            a backend whose name matches with all of its servers, a server below its backend.
            Upper and lower case are distinguished.
        :type pattern: str
        :param width: (optional) how wide the text may be, at least 20; by default as wide as the
            terminal, or as wide as needed if it is not printed to one.
        :type width: int
        :rtype: :class:`haproxyadmin.overview.Overview`
        :raises ValueError: for another pattern or width; nothing is sent.
        """
        from haproxyadmin.overview import make_overview  # for people only
        return make_overview(self._dumps, pattern, width)

    # Frontends, backends and servers

    def frontends(self, name=None):
        """Return the frontends, in HAProxy's order; sends one ``show stat`` to each process.

        :param name: (optional) only the one with this name; if there is none, the list is empty.
        :type name: str
        :rtype: list of :class:`haproxyadmin.frontend.Frontend`

        Usage::

            >>> hap.frontends('frontend1_proc34')
            [Frontend('frontend1_proc34', processes=[3, 4])]
        """
        lists = self._read_each(lambda process: process.frontends_operation(name))
        return [Frontend(members) for members in combine.merge(lists)]

    def frontend(self, name):
        """Return one frontend; sends one ``show stat`` to each process.

        :param name: its name.
        :type name: str
        :rtype: :class:`haproxyadmin.frontend.Frontend`
        :raises ValueError: if there is none; the message contains the nearest names.

        Usage::

            >>> hap.frontend('frontend1_proc34').is_open
            True
        """
        return combine.find_by_name(self.frontends(), 'frontend', name)

    def backends(self, name=None):
        """Return the backends, in HAProxy's order; sends one ``show stat`` to each process.

        :param name: (optional) only the one with this name; if there is none, the list is empty.
        :type name: str
        :rtype: list of :class:`haproxyadmin.backend.Backend`

        Usage::

            >>> [backend.name for backend in hap.backends()]
            ['haproxy', 'backend_proc1', 'backend_proc2', 'backend1_proc34', 'backend2_proc34']
        """
        lists = self._read_each(lambda process: process.backends_operation(name))
        return [Backend(members) for members in combine.merge(lists)]

    def backend(self, name):
        """Return one backend; sends one ``show stat`` to each process.

        :param name: its name.
        :type name: str
        :rtype: :class:`haproxyadmin.backend.Backend`
        :raises ValueError: if there is none; the message contains the nearest names.

        Usage::

            >>> hap.backend('backend1_proc34').is_up
            True
        """
        return combine.find_by_name(self.backends(), 'backend', name)

    def servers(self, backend=None):
        """Return the servers of all backends, in HAProxy's order.

        Sends one ``show stat`` to each process.

        A server that is a member of several backends is listed once for each.

        :param backend: (optional) only the servers of this backend; if there is none, the list
            is empty.
        :type backend: str or :class:`haproxyadmin.backend.Backend`
        :rtype: list of :class:`haproxyadmin.server.Server`

        Usage::

            >>> [server.name for server in hap.servers('backend1_proc34')]
            ['bck1_proc34_srv1', 'bck1_proc34_srv2', 'bck_all_srv1']
        """
        return _servers_of(self._listings(backend))

    def server(self, hostname, backend=None):
        """Return a server, once for each backend that it is a member of.

        Sends one ``show stat`` to each process.

        :param hostname: its name.
        :type hostname: str
        :param backend: (optional) look in this backend only.
        :type backend: str or :class:`haproxyadmin.backend.Backend`
        :rtype: list of :class:`haproxyadmin.server.Server`
        :raises ValueError: if there is none; the message contains the nearest names.

        Usage::

            >>> [server.backendname for server in hap.server('bck_all_srv1')]
            ['backend_proc1', 'backend1_proc34', 'backend2_proc34']
        """
        name = to_native(hostname)
        lists = self._listings(backend)
        found = _servers_of([[listing.of(name) for listing in listings if name in listing.names]
                             for listings in lists])
        if not found:
            names = set(own for listings in lists for listing in listings for own in listing.names)
            raise ValueError('no server {0!r}{1}{2}'.format(
                hostname, '' if backend is None else ' in backend {0!r}'.format(backend),
                suggest_or_list(hostname, names)))
        return found

    # How the processes are asked

    def _metric_texts(self, name):
        return combine.info_metric_texts(name, HAPROXY_METRICS, self.info)

    def _listings(self, backend):
        return self._read_each(lambda process: process.servers_operation(backend))

    def _sources(self):
        """Return the processes to read, one for each socket."""
        return self._found

    def _dumps(self):
        return self._read_each(lambda process: process.list_operation(unchanged, commands.ROWS))

    def _read_each(self, build):
        return read_each(self._sources(), build)

    def _common(self, name):
        return self._common_value(lambda info: info.get(name, ''))

    def _common_value(self, value_of):
        values = [value_of(info) for info in self.info()]
        return combine.common_value([(process.process_nb, process.socket_file, value)
                                     for process, value in zip(self._processes, values)])


def _servers_of(lists):
    """Return the servers of all backends.

    :param lists: for each process its listings, one of each backend.
    """
    return Servers(server for listings in combine.merge(lists, _BY_BACKEND)
                   for server in servers_of(listings))
