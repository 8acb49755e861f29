# -*- coding: utf-8 -*-
# SPDX-License-Identifier: Apache-2.0
"""Functions of haproxyadmin: parse replies, compare and add up what processes report.

Parsing is lazy. A :class:`Dump` indexes the rows of a ``show stat`` by name and keeps their
text; a :class:`Row` cuts a field out of its text when the field is read.
"""
import bisect
import collections
import csv
import functools
import operator
import os
import re
import stat

import six

from haproxyadmin.exceptions import CommandFailed, IncosistentData, MultipleCommandResults
from haproxyadmin.protocol import commands, replies, transport
from haproxyadmin.protocol.metrics import METRICS_AVG, METRICS_SUM

_SUM = frozenset(METRICS_SUM)
_AVERAGE = frozenset(METRICS_AVG)
_NUMBER = re.compile(r'\s*[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?\s*\Z')
# int() takes no more than 4300 digits by default.
_INTEGER = re.compile(r'\s*[-+]?[0-9]{1,4300}\s*\Z')
_TEXT = (six.text_type, bytes)
_FIGURES = operator.attrgetter('figures')
_SUMMARISED = operator.attrgetter('summarised')
_LISTENER = '3'
# Fields of text that stand among all figures, in HAProxy's order.
_TEXT_FIELDS = ('check_status', 'last_chk', 'addr', 'cookie', 'mode', 'algo')
_LABELS = ('pxname', 'svname', 'type', 'status')
# Other dictionaries of Python 2 are in no order.
_ORDERED = collections.OrderedDict if six.PY2 else dict
_TYPES = {'FRONTEND': '0', 'BACKEND': '1'}
# How many names a message lists, whatever was asked for.
MOST_LISTED = 5
# How many names, and how many characters of one, are compared with a wrong one; of more names the
# neighbours on both sides.
MOST_COMPARED = 500
NEIGHBOURS = 10
# How many texts of figures to remember at a time.
_MOST_REMEMBERED = 10000


class _NoSuchField(ValueError, AttributeError):
    """HAProxy does not report this field."""


class CSVLine(object):
    """A line of CSV whose fields are attributes.

    :param parts: the fields, in the order of ``CSVLine.heads``.
    :type parts: list of str

    ``CSVLine.heads`` holds the names of the fields and is shared by all lines made from parts;
    the rows that the library itself hands out carry the header of their own reply. An unknown
    field raises a :class:`ValueError` that is an :class:`AttributeError` too.

    Usage::

        >>> from haproxyadmin import utils
        >>> utils.CSVLine.heads = ['pxname', 'svname', 'scur']
        >>> utils.CSVLine(['web', 'BACKEND', '7']).scur
        '7'
    """

    __slots__ = ('parts',)
    heads = []

    def __init__(self, parts):
        self.parts = parts

    def __getattr__(self, name):
        if name.startswith('__') or name == 'parts':
            raise AttributeError(name)
        try:
            position = self.heads.index(name)
        except ValueError:
            raise _NoSuchField('{0!r} is not in list'.format(name))
        return self._cut(position)

    def __reduce__(self):
        return (self.__class__, (self.parts,))

    def __repr__(self):
        return '<{0} {1}>'.format(self.__class__.__name__, ' '.join(
            '{0}={1!r}'.format(name, value) for name, value in zip(self.heads, self.parts)))

    def _cut(self, position):
        try:
            return self.parts[position]
        except IndexError:
            raise _NoSuchField('there is no field {0!r} in this line'.format(self.heads[position]))


class Header(object):
    """The names and positions of the fields of one ``show stat`` reply::

        # pxname,svname,qcur,qmax,...,ttime,

    :param line: the first line of the reply.
    :raises haproxyadmin.protocol.replies.Malformed: when it is none.
    """

    __slots__ = ('line', 'names', 'index', 'commas', 'leads', 'rows_stay', '_figures',
                 '_summarised')

    def __init__(self, line):
        names = line[2:].split(',')
        if not line.startswith('# ') or 'pxname' not in names or 'svname' not in names:
            raise replies.Malformed('no header of statistics: {0!r}'.format(line[:80]))
        self.line = line
        self.commas = len(names) - 1
        if not names[-1]:
            names.pop()
        self.names = names
        self.index = {}
        for position, name in enumerate(names):
            # Names such as '-' and '(null)' come several times; the first one counts.
            self.index.setdefault(name, position)
        self.leads = names[:2] == ['pxname', 'svname']
        # A field that came soon after 2.5, from which on a worker that is stopping lists all of its
        # proxies.
        self.rows_stay = 'h1_open_connections' in self.index
        self._figures = None
        self._summarised = None

    def __reduce__(self):
        return (Header, (self.line,))

    @property
    def figures(self):
        """Positions and names of the fields that can be added up or averaged."""
        if self._figures is None:
            self._figures = self._chosen(is_figure)
        return self._figures

    @property
    def summarised(self):
        """Positions and names of the figures and texts of :func:`summaries`."""
        if self._summarised is None:
            self._summarised = self._chosen(
                lambda name: is_figure(name) or name in _TEXT_FIELDS or name == 'status')
        return self._summarised

    def _chosen(self, condition):
        return [(position, name) for position, name in enumerate(self.names)
                if self.index[name] == position and condition(name)]


class Row(CSVLine):
    """A row of ``show stat``: its text, and the header of the reply it came in.

    :type header: :class:`Header`
    :param text: the line.
    """

    __slots__ = ('header', '_text')

    def __init__(self, header, text):
        self.header = header
        self._text = text

    def __getattr__(self, name):
        # Only called for what is no attribute yet; an unset slot must not recurse.
        if name.startswith('__') or name in Row.__slots__:
            raise AttributeError(name)
        position = self.header.index.get(name)
        if position is None:
            raise _NoSuchField('{0!r} is not in list'.format(name))
        return cut(self._text, position)

    def __reduce__(self):
        return (Row, (self.header, self._text))

    @property
    def heads(self):
        """The names of the fields."""
        return self.header.names

    @property
    def parts(self):
        """The fields, cut anew at each call."""
        return split(self._text)[:len(self.header.names)]


def split(text):
    """Return the fields of a line of CSV.

    :rtype: list of str
    :raises haproxyadmin.protocol.replies.Malformed: for a line that is no CSV.
    """
    if '"' not in text:
        return text.split(',')
    try:
        return next(csv.reader([text], strict=True))
    except csv.Error as error:
        raise replies.Malformed('{0}: {1!r}'.format(error, text[:80]))


def cut(text, position):
    """Return one field of a line of CSV without splitting the rest."""
    if '"' in text:
        return split(text)[position]
    return text.split(',', position + 1)[position]


def field(row, name, default=''):
    """Return a field of a row, or the default where HAProxy does not report it."""
    position = row.header.index.get(name)
    return default if position is None else cut(row._text, position)


def fields(rows, name):
    """Return a field of each row, ``''`` where HAProxy does not report it."""
    texts = []
    for row in rows:
        position, text = row.header.index.get(name), row._text
        if position is None:
            texts.append('')
        elif '"' in text:
            texts.append(cut(text, position))
        else:
            # As cut() does; a call of it would take as long again.
            texts.append(text.split(',', position + 1)[position])
    return texts


def columns(rows, chosen=_FIGURES):
    """Return each figure that rows report.

    :param chosen: (optional) takes a header; returns positions and names of other fields.
    :return: list of ``(name, texts)``, the texts in the order of the rows.
    :rtype: list of tuple
    """
    header = rows[0].header
    if all(row.header.line == header.line for row in rows):
        texts = list(zip(*[split(row._text) for row in rows]))
        return [(name, texts[position]) for position, name in chosen(header)]
    return [(name, tuple(fields(rows, name)))
            for name in _names([row.header for row in rows], chosen)]


def _names(headers, chosen):
    return collections.OrderedDict.fromkeys(name for header in headers
                                            for _, name in chosen(header))


def row2dict(row):
    """Return all fields of a row by name, as HAProxy's own text."""
    named = {}
    for name, text in zip(row.heads, row.parts):
        # As everywhere, the first one of a name counts.
        named.setdefault(name, text)
    return named


class Dump(object):
    """The rows of one ``show stat``, found by name and kept in HAProxy's order.

    :param lines: the reply, header first.
    :type lines: list of str
    :param header: (optional) the header of an earlier reply, used again where it is the same.
    :param listeners: (optional) False where HAProxy was asked for no listeners, which otherwise
        only the type of each row tells from servers.
    :raises haproxyadmin.protocol.replies.Malformed: for anything but whole rows.
    """

    __slots__ = ('header', 'frontends', 'backends', 'servers', '_named', '_plain')

    def __init__(self, lines, header=None, listeners=True):
        if not lines:
            raise replies.Malformed('no header of statistics')
        if header is None or header.line != lines[0]:
            header = Header(lines[0])
        self.header = header
        self.frontends = collections.OrderedDict()
        self.backends = collections.OrderedDict()
        self.servers = collections.OrderedDict()
        self._named = {}
        texts = lines[1:]
        quoted = '"' in '\n'.join(texts)
        self._plain = header.leads and not quoted
        self._index(_join_quoted(texts) if quoted else texts, listeners)

    def __reduce__(self):
        return (_dump, (self.header, self.frontends, self.backends, self.servers, self._plain))

    def proxies(self):
        """Return what there are rows of: frontends, backends, and backends with servers."""
        return frozenset((kind, name) for kind, found in enumerate(
            (self.frontends, self.backends, self.servers)) for name in found)

    def frontend(self, name):
        """Return the row of a frontend, or None."""
        return self._row(self.frontends.get(name))

    def backend(self, name):
        """Return the row of a backend, or None."""
        return self._row(self.backends.get(name))

    def server(self, backend, name):
        """Return the row of a server, or None."""
        texts = self._named.get(backend)
        if texts is None:
            only = self.servers.get(backend, ())
            if len(only) == 1 and self._plain:
                # HAProxy was asked for one server; an index would take longer than a look.
                return self._row(only[0]) if only[0].split(',', 2)[1] == name else None
            texts = self._named[backend] = dict(zip(self.names_of(backend),
                                                    self.servers.get(backend, ())))
        return self._row(texts.get(name))

    def servers_of(self, backend):
        """Return name and row of each server of a backend."""
        return [(name, Row(self.header, text)) for name, text
                in zip(self.names_of(backend), self.servers.get(backend, ()))]

    def names_of(self, backend):
        """Return the name of each server of a backend."""
        texts = self.servers.get(backend, ())
        if self._plain:
            return [text.split(',', 2)[1] for text in texts]
        return [self._identify(text)[1] for text in texts]

    def _row(self, text):
        return None if text is None else Row(self.header, text)

    def _index(self, texts, listeners):
        plain, commas, servers = self._plain, self.header.commas, self.servers
        start = totals = append = None
        for text in texts:
            if plain:
                # Most rows; a call of a function for each would cost as much as all the rest.
                if text.count(',') != commas:
                    raise _malformed_row(text)
                if start and text.startswith(start) and not text.startswith(totals):
                    append(text)
                    continue
                proxy, name, _ = text.split(',', 2)
            else:
                proxy, name = self._identify(text)
            if name in _TYPES and self._type(text) in (_TYPES[name], None):
                proxies = self.frontends if name == 'FRONTEND' else self.backends
                proxies.setdefault(proxy, text)
            elif not listeners or self._type(text) != _LISTENER:
                append = servers.setdefault(proxy, []).append
                append(text)
                if not listeners:
                    # The servers that follow are known by how their rows begin.
                    start = proxy + ','
                    totals = (start + 'FRONTEND,', start + 'BACKEND,')

    def _identify(self, text):
        """Return the names of proxy and server."""
        header = self.header
        fields = split(text)
        if len(fields) != header.commas + 1:
            raise _malformed_row(text)
        return fields[header.index['pxname']], fields[header.index['svname']]

    def _type(self, text):
        position = self.header.index.get('type')
        return None if position is None else cut(text, position)


def _malformed_row(text):
    return replies.Malformed('too few or too many fields in a row: {0!r}'.format(text[:80]))


def _dump(header, frontends, backends, servers, plain):
    dump = Dump([header.line], header)
    dump._plain = plain
    dump.frontends, dump.backends, dump.servers = frontends, backends, servers
    return dump


def _join_quoted(lines):
    """Put rows together whose quoted fields hold newlines."""
    texts, parts = [], []
    quotes = 0
    for line in lines:
        parts.append(line)
        quotes += line.count('"')
        if quotes % 2 == 0:
            texts.append('\n'.join(parts))
            parts = []
    if parts:
        raise replies.Malformed('a quoted field without an end: {0!r}'.format(parts[0][:80]))
    return texts


def stat2dict(csv_data):
    """Build a nested dictionary of the reply to ``show stat``.

    :param csv_data: the lines of the reply, header first; empty lines at the end do not count.
    :type csv_data: list of str
    :return: ``{'frontends': {name: row}, 'backends': {name: {'stats': row, 'servers': {name:
        row}}}}``, each row a :class:`CSVLine`. ``'stats'`` is None for a backend of which the
        reply holds servers only.
    :rtype: dict
    :raises ValueError: when a row has too few or too many fields, or the header is missing.
    """
    lines = list(csv_data)
    while lines and not lines[-1]:
        lines.pop()
    return dump2dict(Dump(lines))


def dump2dict(dump):
    """Build the nested dictionary that :func:`stat2dict` describes.

    :type dump: :class:`Dump`
    :rtype: dict
    """
    names = list(dump.backends) + [name for name in dump.servers if name not in dump.backends]
    return {
        'frontends': dict((name, dump.frontend(name)) for name in dump.frontends),
        'backends': dict((name, {'stats': dump.backend(name),
                                 'servers': dict(dump.servers_of(name))}) for name in names),
    }


def info2dict(raw_info):
    """Build a dictionary of the reply to ``show info``, with HAProxy's own text per field::

        Name: HAProxy
        Version: 2.2.9-2+deb11u6
        Uptime: 0d 0h00m02s

    :param raw_info: the lines of the reply; those without a colon do not count.
    :type raw_info: list of str
    :rtype: dict
    """
    info = {}
    for line in raw_info:
        name, colon, value = line.partition(':')
        if colon:
            info[name] = value[1:] if value.startswith(' ') else value
    return info


def description(info):
    """Return the description of a process, ``''`` where HAProxy has none.

    From 1.7 on HAProxy quotes it the CSV way when it holds a comma or a quote.

    :param info: see :func:`info2dict`.
    :type info: dict
    :rtype: str
    """
    text = info.get('description', '')
    quoted = len(text) > 1 and text.startswith('"') and text.endswith('"')
    if quoted and commands.version_tuple(info.get('Version', '')) >= (1, 7):
        return text[1:-1].replace('""', '"')
    return text


def last_result(check_status):
    """Return the result without the ``* `` that says that another check runs just now."""
    return check_status[2:] if check_status.startswith('* ') else check_status


def address_and_port(text):
    """Split the ``addr`` of a server.

    :param text: ``'1.2.3.4:80'``, ``'[::1]:80'``, ``'unix'`` or ``''``.
    :return: address and port, as printed; ``''`` where there is none.
    :rtype: tuple of str
    """
    if ':' not in text:
        return text, ''
    address, _, port = text.rpartition(':')
    if address.startswith('[') and address.endswith(']'):
        address = address[1:-1]
    return address, port


def converter(value):
    """Convert what HAProxy prints to an integer, where it is a number.

    :param value: a field of ``show info`` or ``show stat``.
    :return: an ``int``, truncated toward zero, for a number; the text itself for other text; None
        for blank text and for what is neither text nor number.
    :rtype: int, str or None

    Usage::

        >>> from haproxyadmin import utils
        >>> utils.converter('13.5')
        13
        >>> utils.converter('UP 1/2')
        'UP 1/2'
        >>> utils.converter(' ')
    """
    if not isinstance(value, _TEXT):
        try:
            return int(value)
        except (OverflowError, TypeError, ValueError):
            return None
    if not value.isdigit():
        if not value.strip():
            return None
        if not _NUMBER.match(commands.native(value)):
            return value
    try:
        return int(value)
    except ValueError:
        return _truncated(value)


def _truncated(text):
    try:
        return int(float(text))
    except (OverflowError, ValueError):
        return text


def isint(value):
    """Return True if a value is an integer, or text that is one.

    :param value: what to check; a bool is no integer.
    :rtype: bool
    """
    if isinstance(value, _TEXT):
        # Not int(), which takes '1_000' on Python 3 alone.
        return bool(_INTEGER.match(commands.native(value)))
    return commands.is_integer(value) or (isinstance(value, float) and value.is_integer())


def calculate(name, metrics):
    """Add up or average what the processes report, as ``METRICS_SUM`` and ``METRICS_AVG`` say.

    :param name: name of the metric.
    :type name: str
    :param metrics: the numbers; none give 0.
    :type metrics: list of int or float
    :return: the sum, or the average truncated toward zero.
    :rtype: int
    :raises ValueError: when the name stands in neither list.
    """
    if not (isinstance(name, _TEXT) and is_figure(name)):
        raise ValueError('unknown type of calculation for metric {0!r}'.format(name))
    if not metrics:
        return 0
    if name in _SUM:
        return sum(metrics)
    try:
        return int(sum(metrics) / float(len(metrics)))
    except OverflowError:
        return sum(metrics) // len(metrics)


def aggregate(name, texts):
    """Calculate a metric of the texts that the processes report; what is no number is left out.

    :param name: name of the metric.
    :type texts: list of str
    :rtype: int
    """
    try:
        # What HAProxy mostly prints; to convert each for itself takes several times as long.
        plain = ''.join(texts).isdigit()
        values = [int(text) for text in texts if text] if plain else None
    except ValueError:
        values = None
    if values is None:
        values = [value for value in map(converter, texts) if isinstance(value, six.integer_types)]
    return calculate(name, values)


class _Totals(object):
    """Calculates figures, the same texts only once: most figures of a dump are alike."""

    def __init__(self):
        self._added, self._averaged, self._remembered = {}, {}, {}

    def of(self, name, texts):
        """Return what :func:`aggregate` makes of texts, None where none is reported.

        Of a field that is no figure it returns the text: where processes differ, theirs in order.

        :type texts: tuple of str
        """
        try:
            return self._remembered[name][texts]
        except KeyError:
            return self._calculated(name, texts)

    def _calculated(self, name, texts):
        remembered = self._remembered.setdefault(
            name, self._added if name in _SUM else self._averaged if name in _AVERAGE else {})
        if len(remembered) >= _MOST_REMEMBERED:
            remembered.clear()
        total = None
        if any(texts):
            total = aggregate(name, texts) if is_figure(name) else _joined(name, texts)
        remembered[texts] = total
        return total


def _joined(name, texts):
    reported = [text for text in texts if text]
    if name == 'check_status':
        reported = [last_result(text) for text in reported]
    return ', '.join(reported[:1] if elements_of_list_same(reported) else reported)


def aggregates(known, reported):
    """Calculate all metrics of what the processes report.

    :param known: names that are there whatever is reported.
    :param reported: see :func:`columns`.
    :return: ``{name: number}``.
    :rtype: dict
    """
    metrics, totals = dict.fromkeys(known, 0), _Totals()
    for name, texts in reported:
        total = totals.of(name, texts)
        if total is not None:
            metrics[name] = total
    return metrics


def info_columns(infos):
    """Return each figure that processes report of themselves.

    :param infos: for each process its texts by name.
    :type infos: list of dict
    :return: see :func:`columns`.
    """
    return [(name, tuple(_info_fields(infos, name)))
            for name in set().union(*infos) if is_figure(name)]


def labelled_rows(dump):
    """Return what each row of a dump is, and the row: frontends, then backends with servers.

    :return: list of ``(proxy, rows)``; rows are ``((proxy, name, type), row)``, and the proxy is
        what stands before the first.
    :rtype: list of tuple
    """
    rows = [[((name, 'FRONTEND', 'frontend'), dump.frontend(name))] for name in dump.frontends]
    rows += [[((name, 'BACKEND', 'backend'), dump.backend(name))]
             + [((name, server, 'server'), row) for server, row in dump.servers_of(name)]
             for name in dump.backends]
    return [(of_proxy[0][0], of_proxy) for of_proxy in rows]


def summaries(things, headers):
    """Return the figures of frontends, backends and servers as plain dictionaries.

    :param things: for each its ``((proxy, name, type), row)`` of each process.
    :param headers: the header of each process.
    :rtype: list of dict
    """
    names = list(_LABELS) + list(_names(headers, _SUMMARISED)) + list(_TEXT_FIELDS) + ['processes']
    totals, empty = _Totals(), _ORDERED.fromkeys(names)
    return [_summary(pairs[0][0], [row for _, row in pairs], empty, totals)
            for pairs in things]


def _summary(label, rows, empty, totals):
    summed = empty.copy()
    # Of keys that are there: the slow OrderedDict of Python 2 need not know.
    dict.update(summed, [(name, totals.of(name, texts))
                         for name, texts in columns(rows, _SUMMARISED)])
    dict.update(summed, zip(_LABELS, label), processes=len(rows))
    return summed


def metric(name, known, ask, columns=columns, texts=fields):
    """Calculate a metric of what the processes report.

    :param known: names that are always metrics.
    :type known: list of str
    :param ask: returns the row of each process; is called only for what may be a metric.
    :param columns: (optional) see :func:`columns`; called only for a name that is no metric.
    :param texts: (optional) takes rows and a name; returns the field of each.
    :rtype: int
    :raises ValueError: for a name that is not known and for which every row's field is empty.
    """
    return aggregate(name, metric_texts(name, known, ask, columns, texts))


def metric_texts(name, known, ask, columns=columns, texts=fields):
    """Return what each process reports of a metric; see :func:`metric`.

    :rtype: list of str
    """
    check_metric(name, known)
    reports = ask()
    values = texts(reports, name)
    if name not in known and not any(values):
        check_metric(name, known, [own for own, theirs in columns(reports) if any(theirs)])
    return values


def info_metric(name, known, ask):
    """Calculate a metric of what the processes report of themselves, as :func:`metric` does.

    :param ask: returns for each process its texts by name.
    """
    return aggregate(name, info_metric_texts(name, known, ask))


def info_metric_texts(name, known, ask):
    """Return what each process reports of a metric of its own; see :func:`info_metric`.

    :rtype: list of str
    """
    return metric_texts(name, known, ask, columns=info_columns, texts=_info_fields)


def _info_fields(infos, name):
    return [info.get(name, '') for info in infos]


def is_figure(name):
    """Return True if a field is one that can be added up or averaged."""
    return name in _SUM or name in _AVERAGE


def check_metric(name, known, reported=None):
    """Check the name of a metric.

    :param known: names that are always metrics.
    :type known: list of str
    :param reported: (optional) the names for which HAProxy reports a value; without it any name
        of ``METRICS_SUM`` and ``METRICS_AVG`` is accepted.
    :raises ValueError: for another name; the message names the nearest ones.
    """
    if isinstance(name, _TEXT) and (
            name in known or (is_figure(name) and (reported is None or name in reported))):
        return
    names = set(known).union(figure for figure in reported or () if is_figure(figure))
    what = 'unknown metric {0!r}' if reported is None else 'HAProxy reports no metric {0!r} here'
    raise ValueError(what.format(name) + nearest(name, names))


def nearest(name, names):
    """Return ``; did you mean 'A' or 'B'?`` for the names that look like a name, or ``''``."""
    alike = alike_names(name, names)
    return '; did you mean {0}?'.format(' or '.join(map(repr, alike))) if alike else ''


def nearest_or_all(name, names):
    """Return what :func:`nearest` does, and where there are few names all of them."""
    hint = nearest(name, names)
    if not 0 < len(names) <= MOST_LISTED:
        return hint
    listed = [repr(own) for own in sorted(names)]
    if all(own in hint for own in listed):
        return hint
    all_names = ' and '.join(filter(None, [', '.join(listed[:-1]), listed[-1]]))
    return '{0} {1} {2}'.format(
        hint + (' There' if hint else '; there'), 'is' if len(listed) == 1 else 'are',
        all_names)


def alike_names(name, names):
    """Return at most three names that look like a name, whatever their case, the nearest first.

    :rtype: list of str
    """
    import difflib  # costs an import only after a mistake
    text = str(commands.native(name)).lower()[:MOST_COMPARED]
    spellings = sorted(names, key=lambda own: (own.lower(), own))
    candidates = [own.lower() for own in spellings]
    if len(candidates) > MOST_COMPARED:
        # To compare each would take seconds; those that begin alike stand side by side.
        place = bisect.bisect(candidates, text)
        near = slice(max(0, place - NEIGHBOURS), place + NEIGHBOURS)
        spellings, candidates = spellings[near], candidates[near]
    alike = difflib.get_close_matches(text, candidates, 3)
    # Those that differ in case alone are candidates, and matches, several times.
    found = collections.OrderedDict()
    for lower in alike:
        for place, candidate in enumerate(candidates):
            if candidate == lower:
                found[spellings[place]] = True
    return list(found)[:3]


def elements_of_list_same(iterator):
    """Return True if all elements are equal; False for none.

    :param iterator: any iterable.
    :rtype: bool
    """
    elements = list(iterator)
    return bool(elements) and all(element == elements[0] for element in elements)


def compare_values(values):
    """Return the value that all processes agree on.

    :param values: list of ``(process number, value)``.
    :type values: list of tuple
    :return: the value.
    :raises haproxyadmin.exceptions.IncosistentData: when they do not, or there is none.
    """
    if not elements_of_list_same(value for _, value in values):
        raise IncosistentData(values)
    return values[0][1]


def check_command(results):
    """Judge what the processes answered to a change; verdicts are compared, not texts.

    :param results: list of ``(process number, reply)``.
    :type results: list of tuple
    :return: True when all succeeded.
    :rtype: bool
    :raises haproxyadmin.exceptions.CommandFailed: when all refused, with HAProxy's words.
    :raises haproxyadmin.exceptions.MultipleCommandResults: when some did, or none was asked.
    """
    return _check_verdicts(results, replies.changed)


def check_command_addr_port(change_type, results):
    """Judge what the processes answered to a change of a server's address or port.

    :param change_type: ``'addr'`` or ``'port'``.
    :type change_type: str
    :param results: list of ``(process number, reply)``.
    :type results: list of tuple
    :return: True when all succeeded.
    :rtype: bool
    :raises haproxyadmin.exceptions.CommandFailed: when all refused.
    :raises haproxyadmin.exceptions.MultipleCommandResults: when some did.
    :raises ValueError: for another type of change.
    """
    if change_type not in ('addr', 'port'):
        raise ValueError("the type of change is 'addr' or 'port', not {0!r}".format(change_type))
    return _check_verdicts(results, functools.partial(replies.address_changed, change_type))


def _check_verdicts(results, succeeded):
    verdicts = [succeeded(reply) for _, reply in results]
    if not elements_of_list_same(verdicts):
        raise MultipleCommandResults(results)
    if not verdicts[0]:
        error = CommandFailed(results[0][1] or replies.NOTHING)
        error.set_account(results, [])
        raise error
    return True


def check_output(output):
    """Return False if the output of a command is an error that HAProxy is known to print.

    :param output: the lines of the output.
    :type output: list of str
    :rtype: bool
    """
    return not output or not replies.is_refusal(output[0])


def cmd_across_all_procs(hap_objects, method, *arg, **kargs):
    """Call a method of each object, one after the other.

    :param hap_objects: objects with a ``process_nb``.
    :type hap_objects: list
    :param method: name of the method; what follows are its arguments.
    :type method: str
    :return: list of ``(process number, what the method returned)``.
    :rtype: list of tuple
    """
    return [(hap_object.process_nb, getattr(hap_object, method)(*arg, **kargs))
            for hap_object in hap_objects]


def should_die(old_implementation):
    """Decorate a function with the keyword ``die``.

    ``die=True``, the default, lets exceptions through; ``die=False`` returns False in their place.
    Success returns what the function returns. A wrong list of arguments is a :class:`TypeError`
    all the same. The function may name ``die`` as its last parameter, to show it to
    :func:`help`; it gets it then, and has no need to look.

    :param old_implementation: the function.
    :rtype: function
    """
    code = getattr(old_implementation, '__code__', None)
    names = code.co_varnames[:code.co_argcount] if code else ()
    place = names.index('die') if 'die' in names else None

    @functools.wraps(old_implementation)
    def new_implementation(*args, **kwargs):
        if place is None:
            die = kwargs.pop('die', True)
        elif len(args) > place:
            die = args[place]
            if not isinstance(die, bool):
                # An argument too many must not pass for it.
                raise TypeError('{0}() got {1} arguments too many, or a die that is no bool'.format(
                    old_implementation.__name__, len(args) - place))
        else:
            die = kwargs.get('die', True)
        if die:
            return old_implementation(*args, **kwargs)
        if code:
            import inspect  # costs an import only where it is asked for
            inspect.getcallargs(old_implementation, *args, **kwargs)
        try:
            return old_implementation(*args, **kwargs)
        except Exception:
            return False
    return new_implementation


def is_unix_socket(path):
    """Return True if a path is a Unix socket.

    :param path: file name.
    :type path: str
    :rtype: bool
    """
    try:
        return stat.S_ISSOCK(os.stat(commands.file_name(path)).st_mode)
    except (OSError, TypeError, ValueError):
        return False


def connected_socket(path, timeout=1):
    """Return True if HAProxy answers ``show info`` on a socket, with one command.

    :param path: file name.
    :type path: str
    :param timeout: (optional) seconds that connecting and each silence may last, None for any time.
    :return: False if the answer is not HAProxy's, or there is none.
    :rtype: bool
    """
    reply, = transport.exchange_all([transport.Request(commands.file_name(path),
                                                       commands.SHOW_INFO, timeout,
                                                       transport.PROBE)])
    return isinstance(reply, bytes) and is_info(info2dict(text_lines(reply)))


def is_info(info):
    """Return True if a dictionary is HAProxy's ``show info``, HAPEE's included."""
    return 'Name' in info and all(isint(info.get(name))
                                  for name in ('Pid', 'Process_num', 'Uptime_sec'))


def text_lines(reply):
    """Return the lines of a reply as text, without the empty ones around them.

    Bytes that are no UTF-8 survive as surrogates on Python 3.

    :type reply: bytes
    :rtype: list of str
    """
    text = commands.native(reply).strip('\n')
    return text.split('\n') if text else []
