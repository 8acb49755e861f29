# SPDX-License-Identifier: Apache-2.0
"""What can be read of HAProxy as a whole, live or as it was at one moment."""
import operator
import time

from haproxyadmin import utils
from haproxyadmin.backend import Backend
from haproxyadmin.frontend import Frontend
from haproxyadmin.internal import facade
from haproxyadmin.internal.haproxy import ask_frozen
from haproxyadmin.protocol import commands
from haproxyadmin.protocol.metrics import HAPROXY_METRICS
from haproxyadmin.server import servers_of

__all__ = ['Reading', 'Snapshot']

_LABEL = operator.itemgetter(0)
_BY_BACKEND = operator.attrgetter('backend.name')


class Reading(facade.Checked):
    """The reading side of HAProxy over its processes; what they answer from is their own matter."""

    # One for each socket, also where sockets turn out to be of one process.
    _found = ()

    def __repr__(self):
        return '{0}(processes={1}, sockets={2})'.format(
            self.__class__.__name__, [process.process_nb for process in self._processes],
            [process.socket_file for process in self._processes])

    # What the processes say of themselves

    @property
    def processids(self):
        """The process ids, in the order of the process numbers (``Pid`` of ``show info``).

        :rtype: list of int
        """
        return [int(info['Pid']) for info in self.info()]

    @property
    def description(self):
        """The description of the configuration, ``''`` where there is none (``show info``).

        :rtype: str
        :raises haproxyadmin.exceptions.IncosistentData: when it differs between processes.
        """
        return self._agreed_on(utils.description)

    @property
    def nodename(self):
        """The name of the node (``node`` of ``show info``).

        :rtype: str
        :raises haproxyadmin.exceptions.IncosistentData: when it differs between processes.
        """
        return self._agreed('node')

    @property
    def releasedate(self):
        """The date of the release, ``'2014/10/31'`` (``Release_date`` of ``show info``).

        :rtype: str
        :raises haproxyadmin.exceptions.IncosistentData: when it differs between processes.
        """
        return self._agreed('Release_date')

    @property
    def version(self):
        """The version, such as ``'1.5.8'`` (``Version`` of ``show info``).

        :rtype: str
        :raises haproxyadmin.exceptions.IncosistentData: when it differs between processes.
        """
        return self._agreed('Version')

    @property
    def uptime(self):
        """How long the first process runs, ``'2d 0h55m09s'`` (``Uptime`` of ``show info``).

        :rtype: str
        """
        return self._processes[0].proc_info()['Uptime']

    @property
    def uptimesec(self):
        """How many seconds the first process runs (``Uptime_sec`` of ``show info``).

        :rtype: int
        """
        return int(self._processes[0].proc_info()['Uptime_sec'])

    @property
    def totalrequests(self):
        """How many requests all processes have handled (``CumReq`` of ``show info``).

        Commands on the stats sockets count too, this one included; :attr:`requests` is what
        clients asked of the frontends.

        :rtype: int
        """
        return self.metric('CumReq')

    @property
    def requests(self):
        """How many HTTP requests all frontends of all processes have handled.

        The sum of ``req_tot``, for which it sends one ``show stat`` to each process.

        :rtype: int
        """
        dumps = self._ask_all(lambda process: process.ask_list(facade.as_is, commands.FRONTENDS))
        return utils.aggregate('req_tot', [utils.field(dump.frontend(name), 'req_tot')
                                           for dump in dumps for name in dump.frontends])

    @property
    def maxconn(self):
        """How many connections all processes together allow (``Maxconn`` of ``show info``).

        :rtype: int
        """
        return self.metric('Maxconn')

    @property
    def ratelimitconn(self):
        """How many connections a second all processes together allow, 0 for any number.

        The sum of ``ConnRateLimit`` of ``show info``.

        :rtype: int
        """
        return self.metric('ConnRateLimit')

    @property
    def ratelimitsess(self):
        """How many sessions a second all processes together allow, 0 for any number.

        The sum of ``SessRateLimit`` of ``show info``.

        :rtype: int
        """
        return self.metric('SessRateLimit')

    @property
    def ratelimitsslsess(self):
        """How many SSL sessions a second all processes together allow, 0 for any number.

        The sum of ``SslRateLimit`` of ``show info``.

        :rtype: int
        """
        return self.metric('SslRateLimit')

    def info(self):
        """Return what ``show info`` tells of each process, HAProxy's own text per field.

        :return: a dict for each process, in the order of the process numbers.
        :rtype: list of dict
        """
        return facade.ask_identified(self._found, lambda process: process.ask_info(facade.as_is))

    def metric(self, name):
        """Return a metric over all processes, as ``METRICS_SUM`` and ``METRICS_AVG`` say.

        Sends one ``show info`` to each process (management guide, "show info").

        :param name: a name of ``HAPROXY_METRICS``, or any other figure of ``show info`` for which
            the running HAProxy reports a value: the names of :meth:`metrics`.
        :type name: str
        :return: the sum or the average; 0 for a name of the list that HAProxy does not report.
        :rtype: int
        :raises ValueError: for any other name.
        """
        return utils.info_metric(name, HAPROXY_METRICS, self.info)

    def metric_per_process(self, name):
        """Return a metric of each process; see :meth:`metric`.

        :param name: see :meth:`metric`.
        :type name: str
        :return: list of ``(process number, number)``.
        :rtype: list of tuple
        :raises ValueError: see :meth:`metric`.
        """
        return [(process.process_nb, value)
                for process, value in zip(self._processes, self._metric_of_each(name))]

    def metric_per_socket(self, name):
        """Return a metric of each process by its socket; see :meth:`metric`.

        :param name: see :meth:`metric`.
        :type name: str
        :return: list of ``(socket file, number)``.
        :rtype: list of tuple
        :raises ValueError: see :meth:`metric`.
        """
        return [(process.socket_file, value)
                for process, value in zip(self._processes, self._metric_of_each(name))]

    def metrics(self):
        """Return all metrics over all processes; costs what :meth:`metric` costs.

        :return: ``{name: number}``: the names of ``HAPROXY_METRICS``, and every other figure that
            ``show info`` reports.
        :rtype: dict
        """
        return utils.aggregates(HAPROXY_METRICS, utils.info_columns(self.info()))

    def stats(self):
        """Return the figures of every frontend, backend and server over all processes.

        Sends one ``show stat`` to each process. All dictionaries have the same keys in the same
        order, so that they suit ``json.dumps``, ``csv.DictWriter`` and ``pandas.DataFrame``.

        :return: for each frontend, and for each backend and its servers, a dict: ``pxname`` and
            ``svname`` as HAProxy names them, ``type`` (``'frontend'``, ``'backend'`` or
            ``'server'``) and ``status``; then, in HAProxy's order, every figure of ``show stat``,
            an integer, and the texts ``check_status``, ``last_chk``, ``addr``, ``cookie``,
            ``mode`` and ``algo``; last ``processes``, how many have it. A text on which processes
            differ is theirs in order: ``'UP, DOWN'``. What HAProxy does not report is None.
        :rtype: list of dict
        """
        dumps = self._ask_all(lambda process: process.ask_list(facade.as_is, commands.ROWS))
        proxies = facade.merge([utils.labelled_rows(dump) for dump in dumps], _LABEL)
        things = [thing for proxy in proxies
                  for thing in facade.merge([rows for _, rows in proxy], _LABEL)]
        return utils.summaries(things, [dump.header for dump in dumps])

    # Frontends, backends and servers

    def frontends(self, name=None):
        """Return the frontends, in HAProxy's order; sends one ``show stat`` to each process.

        :param name: (optional) only the one of this name; none gives an empty list.
        :type name: str
        :rtype: list of :class:`haproxyadmin.frontend.Frontend`
        """
        lists = self._ask_all(lambda process: process.ask_frontends(name))
        return [Frontend(members) for members in facade.merge(lists)]

    def frontend(self, name):
        """Return one frontend; sends one ``show stat`` to each process.

        :param name: its name.
        :type name: str
        :rtype: :class:`haproxyadmin.frontend.Frontend`
        :raises ValueError: when there is none; the message tells the nearest names.
        """
        return facade.only(self.frontends(), 'frontend', name)

    def backends(self, name=None):
        """Return the backends, in HAProxy's order; sends one ``show stat`` to each process.

        :param name: (optional) only the one of this name; none gives an empty list.
        :type name: str
        :rtype: list of :class:`haproxyadmin.backend.Backend`
        """
        lists = self._ask_all(lambda process: process.ask_backends(name))
        return [Backend(members) for members in facade.merge(lists)]

    def backend(self, name):
        """Return one backend; sends one ``show stat`` to each process.

        :param name: its name.
        :type name: str
        :rtype: :class:`haproxyadmin.backend.Backend`
        :raises ValueError: when there is none; the message tells the nearest names.
        """
        return facade.only(self.backends(), 'backend', name)

    def servers(self, backend=None):
        """Return the servers of all backends, in HAProxy's order.

        Sends one ``show stat`` to each process.

        A server that is a member of several backends comes once for each.

        :param backend: (optional) only the servers of this backend; none gives an empty list.
        :type backend: str
        :rtype: list of :class:`haproxyadmin.server.Server`
        """
        return _servers_of(self._listings(backend))

    def server(self, hostname, backend=None):
        """Return a server, once for each backend that it is a member of.

        Sends one ``show stat`` to each process.

        :param hostname: its name.
        :type hostname: str
        :param backend: (optional) look in this backend only.
        :type backend: str
        :rtype: list of :class:`haproxyadmin.server.Server`
        :raises ValueError: when there is none; the message tells the nearest names.
        """
        name = commands.native(hostname)
        lists = self._listings(backend)
        found = _servers_of([[listing.of(name) for listing in listings if name in listing.names]
                             for listings in lists])
        if not found:
            names = set(own for listings in lists for listing in listings for own in listing.names)
            raise ValueError('no server {0!r}{1}{2}'.format(
                hostname, '' if backend is None else ' in backend {0!r}'.format(backend),
                utils.nearest_or_all(hostname, names)))
        return found

    # How all of it is asked

    def _metric_of_each(self, name):
        return [utils.aggregate(name, [text])
                for text in utils.info_metric_texts(name, HAPROXY_METRICS, self.info)]

    def _listings(self, backend):
        return self._ask_all(lambda process: process.ask_servers(backend))

    @property
    def _processes(self):
        return facade.distinct(self._found)

    @_processes.setter
    def _processes(self, processes):
        self._found = processes

    def _ask_all(self, ask):
        return facade.ask_each(self._found, ask)

    def _agreed(self, name):
        return self._agreed_on(lambda info: info.get(name, ''))

    def _agreed_on(self, value_of):
        values = [value_of(info) for info in self.info()]
        return facade.agreed(self._processes, values)


def _servers_of(lists):
    """Return the servers of all backends.

    :param lists: for each process what it lists of each backend.
    """
    return [server for listings in facade.merge(lists, _BY_BACKEND)
            for server in servers_of(listings)]


class Snapshot(Reading):
    """What HAProxy's processes reported at one moment.

    :meth:`haproxyadmin.haproxy.HAProxy.snapshot` makes it. Every read of it, and of the frontends,
    backends and servers that it hands out, is answered from memory. A change made through one
    of these goes to HAProxy, and leaves the snapshot as it is.

    It never changes: any number of threads may read it, and it can be pickled.

    :param processes: the processes to read.
    :type processes: list of :class:`haproxyadmin.internal._HAProxyProcess`
    :raises haproxyadmin.exceptions.HAProxySocketError: when one of them cannot be talked to.
    """

    def __init__(self, processes):
        self._taken_at = time.time()
        self._processes = facade.ask_identified(processes, ask_frozen)

    @property
    def taken_at(self):
        """When the processes were asked, in seconds since the epoch.

        :rtype: float
        """
        return self._taken_at


def __dir__():
    """Show what is public; from Python 3.7 on."""
    return sorted(__all__)
