# SPDX-License-Identifier: Apache-2.0
"""Compare what processes report."""
import collections

from haproxyadmin.combine import elements_of_list_same
from haproxyadmin.internal import certificates as tls, patterns
from haproxyadmin.internal.calls import read_pairs
from haproxyadmin.internal.fanout import unchanged
from haproxyadmin.internal.frozen import freeze_operation
from haproxyadmin.internal.grouping import read_identified
from haproxyadmin.parsers import stats
from haproxyadmin.parsers.values import converter
from haproxyadmin.protocol import commands


class Difference(collections.namedtuple('Difference', 'kind name field by_socket')):
    """What :meth:`haproxyadmin.haproxy.HAProxy.differences` has found.

    ``kind`` is ``'process'``, ``'frontend'``, ``'backend'``, ``'server'``, ``'map'``, ``'acl'`` or
    ``'certificate'``; ``name`` that of the proxy, ``'backend/server'``, a file or an id such as
    ``'#3'``, ``''`` for a process; ``field`` HAProxy's own name such as ``'weight'``, or
    ``'exists'`` if a process does not have it. ``by_socket`` lists ``(socket address, value)`` of
    all processes, None for what is not there or not reported.

    The field of maps and ACLs is ``'entries'``, with the entries that a process has and not every
    process has, or ``'order'``, with the first entry that is not the same.
    """

    __slots__ = ()


_EXISTS = 'exists'
# Versions and limits. The name and the description of a node are meant to differ between hosts.
_OF_PROCESS = [
    'Name', 'Version', 'Release_date', 'Nbthread', 'Nbproc', 'Memmax_MB', 'Ulimit-n', 'Maxconn',
    'Hard_maxconn', 'Maxpipes', 'ConnRateLimit', 'SessRateLimit', 'SslRateLimit',
    'CompressBpsRateLim', 'MaxZlibMemUsage']
_OF_FRONTEND = ['status', 'mode', 'slim', 'rate_lim']
_OF_BACKEND = ['status', 'mode', 'algo', 'cookie', 'slim']
_OF_SERVER = ['status', 'weight', 'addr', 'cookie', 'slim', 'qlimit', 'bck', 'tracked']
# All others are numbers.
_TEXTS = ('Name', 'Version', 'Release_date', 'status', 'mode', 'algo', 'cookie', 'addr', 'tracked')
# There is none if HAProxy does not report it.
_MAY_BE_EMPTY = ('slim', 'rate_lim', 'qlimit', 'tracked')
# The same, unless the socket's level or HAProxy's version is too low to report any.
_PRIVATE = ('addr', 'cookie', 'algo')


def find_differences(processes, maps=False, acls=False, certificates=False):
    """Return the differences; see :meth:`haproxyadmin.haproxy.HAProxy.differences`.

    :param processes: the processes, one for each socket.
    :rtype: list of :class:`Difference`
    """
    frozen = read_identified(processes, freeze_operation)
    group = _Group([process.live for process in frozen])
    infos = [process.info_operation(unchanged) for process in frozen]
    found = group.compare('process', [{'': [info.get(field) for field in _OF_PROCESS]}
                                      for info in infos], _OF_PROCESS)
    found += _compare_proxies(group, [
        process.dump_operation(unchanged, kind=commands.ROWS) for process in frozen])
    if len(frozen) == 1:
        return found
    if maps:
        found += _compare_patterns(group, 'map')
    if acls:
        found += _compare_patterns(group, 'acl')
    if certificates:
        found += _compare_certificates(group, elements_of_list_same(
            info.get('Version') for info in infos))
    return found


class _Group(object):
    """The processes that are compared.

    :param processes: one object for each process.
    """

    def __init__(self, processes):
        self.processes = processes
        self._sockets = [process.socket_file for process in processes]

    def difference(self, kind, name, field, values):
        """Return a difference.

        :param values: the value of each process.
        """
        return Difference(kind, name, field, list(zip(self._sockets, values)))

    def compare(self, kind, reports, fields, may_have=None):
        """Return the differences between what processes report about things of one kind.

        :param reports: of each process, the texts by the name of the thing, in the order of the
            fields; None among them is not known.
        :param fields: the names of the fields.
        :param may_have: (optional) takes a name and the place of a process; returns False if the
            process could not have it, so that it is not missing.
        """
        found = []
        for name in _union(reports):
            of_each = [report.get(name) for report in reports]
            # Nearly all are alike.
            if of_each.count(of_each[0]) == len(of_each):
                continue
            shown = name if isinstance(name, str) else '/'.join(name)
            if any(texts is None and (may_have is None or may_have(name, place))
                   for place, texts in enumerate(of_each)):
                found.append(self.difference(
                    kind, shown, _EXISTS, [texts is not None for texts in of_each]))
            for number, field in enumerate(fields):
                texts = [None if texts is None else texts[number] for texts in of_each]
                known = [_comparable(field, text) for text in texts if text is not None]
                if known and not elements_of_list_same(known):
                    found.append(self.difference(kind, shown, field, [
                        _value(field, text) for text in texts]))
        return found

    def read(self, build, having=None):
        """Return what is read from each process; None for one that is not asked.

        :param build: takes a process and its place, returns the operation.
        :param having: (optional) for each process whether it is asked.
        """
        places = dict(zip(self.processes, range(len(self.processes))))
        pairs = read_pairs([process for process in self.processes
                            if having is None or having[places[process]]],
                           lambda process: build(process, places[process]))
        values = dict((_owner(process), value) for process, value in pairs)
        return [values.get(_owner(process)) for process in self.processes]


def _owner(process):
    """Return the endpoint that answers for a process: it may have turned out to be another one."""
    return process.endpoint.duplicate_of or process.endpoint


def _union(reports):
    """Return all names, in the order of the first process that has them."""
    return list(collections.OrderedDict.fromkeys(name for report in reports for name in report))


def _comparable(field, text):
    # How close a server is to being up or down is no difference.
    return stats.without_progress(text) if field == 'status' else text


def _value(field, text):
    return (text if field in _TEXTS else converter(text)) if text else None


# Frontends, backends and servers

def _compare_proxies(group, dumps):
    tables = [_tables(dump) for dump in dumps]
    frontends, backends, servers = map(list, zip(*tables))

    def may_have(server, place):
        return server[0] in backends[place]
    return (group.compare('frontend', frontends, _OF_FRONTEND)
            + group.compare('backend', backends, _OF_BACKEND)
            + group.compare('server', servers, _OF_SERVER, may_have))


def _tables(dump):
    """Return the fields of the frontends, backends and servers of one process, by name."""
    names = [(backend, name) for backend in dump.backends
             for name in dump.names_in(dump.servers.get(backend, ()))]
    texts = [text for backend in dump.backends for text in dump.servers.get(backend, ())]
    # A socket of level user does not report any, nor does an old version.
    private = any(map(any, stats.pick(dump.header, texts, ['addr', 'cookie'])))
    return [
        collections.OrderedDict(zip(keys, _picked(dump.header, rows, fields, private)))
        for keys, rows, fields in [
            (dump.frontends, dump.frontends.values(), _OF_FRONTEND),
            (dump.backends, dump.backends.values(), _OF_BACKEND), (names, texts, _OF_SERVER)]]


def _picked(header, texts, fields, private):
    """Return the fields of many rows, None for what is not known."""
    unknown = [field for field in fields if field not in _MAY_BE_EMPTY
               and not (private and field in _PRIVATE)]
    places = [fields.index(field) for field in unknown]
    found = []
    for picked in stats.pick(header, texts, fields + ['throttle']):
        row = list(picked[:-1])
        for place in places:
            row[place] = row[place] or None
        if picked[-1] and 'weight' in fields:
            # Its weight is still rising.
            row[fields.index('weight')] = None
        found.append(row)
    return found


# ACLs, maps and certificates

def _compare_patterns(group, family):
    """Return the differences between the ACLs or maps of all processes.

    :param family: ``'acl'`` or ``'map'``.
    """
    lists = group.read(lambda process, _: patterns.index_operation(process, family))
    found = []
    for name in _union(lists):
        ids = [listed.get(name) for listed in lists]
        there = [ident is not None for ident in ids]
        if not all(there):
            found.append(group.difference(family, name, _EXISTS, there))
        entries = group.read(lambda process, place: patterns.entries_operation(
            process, family, ids[place]), there)
        field, values = _compare_entries(entries)
        if field:
            found.append(group.difference(family, name, field, values))
    return found


def _compare_entries(lists):
    """Return what differs between lists of entries, and the value of each.

    :param lists: the entries of each process, or None.
    :return: ``'entries'`` and what each has and not all have; ``'order'`` and the first entry that
        is not the same; or None and None.
    """
    there = [entries for entries in lists if entries is not None]
    if there.count(there[0]) == len(there):
        return None, None
    common = collections.Counter(there[0])
    for entries in there[1:]:
        common &= collections.Counter(entries)
    extra = [None if entries is None else _without(entries, common) for entries in lists]
    if any(extra):
        return 'entries', extra
    place = next(place for place, entries in enumerate(zip(*there))
                 if not elements_of_list_same(entries))
    return 'order', [entries and entries[place] for entries in lists]


def _without(entries, common):
    left, extra = common.copy(), []
    for entry in entries:
        if left[entry] > 0:
            left[entry] -= 1
        else:
            extra.append(entry)
    return extra


def _compare_certificates(group, same_version):
    """Return the differences between the certificates of all processes.

    :param same_version: True if all processes run the same version, and so report the same fields.
    """
    names = [listed.names for listed in group.read(lambda process, _: tls.list_operation(process))]
    found = []
    for name in _union(names):
        there = [name in listed for listed in names]
        if not all(there):
            found.append(group.difference('certificate', name, _EXISTS, there))
        reports = [pairs and _by_field(pairs) for pairs in group.read(
            lambda process, _: tls.show_operation(process, name), there)]
        for field in _union([report for report in reports if report]):
            texts = [report.get(field) if report else None for report in reports]
            compared = [text for text, report in zip(texts, reports)
                        if report and (same_version or text is not None)]
            if not elements_of_list_same(compared):
                found.append(group.difference('certificate', name, field, texts))
    return found


def _by_field(pairs):
    """Return the fields of a certificate; those of a chain are in one text, a line for each."""
    fields = collections.OrderedDict()
    for name, text in pairs:
        fields[name] = fields[name] + '\n' + text if name in fields else text
    return fields
