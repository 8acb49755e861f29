# SPDX-License-Identifier: Apache-2.0
"""Rows of ``show stat``.

Parsing is lazy: a :class:`Dump` indexes the rows of a reply by name and keeps their text; a
:class:`Row` extracts a field from its text when the field is read.
"""
import collections
import operator

from haproxyadmin.imports import Pattern, intern
from haproxyadmin.protocol import replies
from haproxyadmin.protocol.metrics import is_figure

_FIGURES = operator.attrgetter('figures')
SUMMARIZED = operator.attrgetter('summarized')
_LISTENER = '3'
# Fields that are text and are reported with the figures, in HAProxy's order.
TEXT_FIELDS = ('check_status', 'last_chk', 'addr', 'cookie', 'mode', 'algo')
_PROGRESS = Pattern(r' -?\d+/\d+\Z')
_TYPES = {'FRONTEND': '0', 'BACKEND': '1'}


class _NoSuchField(ValueError, AttributeError):
    """HAProxy does not report this field."""


class CSVLine(object):
    """A line of CSV whose fields are attributes.

    :param parts: the fields, in the order of ``CSVLine.heads``.
    :type parts: list of str

    ``CSVLine.heads`` contains the names of the fields and is shared by all lines made from parts;
    rows that the library returns carry the header of their own reply. An unknown field raises an
    error that is both a :class:`ValueError` and an :class:`AttributeError`.

    Usage::

        >>> from haproxyadmin import utils
        >>> utils.CSVLine.heads = ['pxname', 'svname', 'scur']
        >>> line = utils.CSVLine(['web', 'BACKEND', '7'])
        >>> line.scur
        '7'
        >>> line.parts
        ['web', 'BACKEND', '7']
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
    """Names and positions of the fields of one reply to ``show stat``::

        # pxname,svname,qcur,qmax,...,ttime,

    :param line: the first line of the reply.
    :raises haproxyadmin.protocol.replies.Malformed: if it is not a header.
    """

    __slots__ = ('line', 'names', 'index', 'commas', 'leads', 'rows_stay', '_figures',
                 '_summarized')

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
            # Names such as '-' and '(null)' occur several times; the first one counts.
            self.index.setdefault(name, position)
        self.leads = names[:2] == ['pxname', 'svname']
        # Introduced soon after 2.5. From then on a worker that is stopping still lists all of its
        # proxies.
        self.rows_stay = 'h1_open_connections' in self.index
        self._figures = None
        self._summarized = None

    def __reduce__(self):
        return (Header, (self.line,))

    @property
    def figures(self):
        """Positions and names of the figures."""
        if self._figures is None:
            self._figures = self._chosen(is_figure)
        return self._figures

    @property
    def summarized(self):
        """Positions and names of what :func:`haproxyadmin.combine.summarize` returns."""
        if self._summarized is None:
            self._summarized = self._chosen(
                lambda name: is_figure(name) or name in TEXT_FIELDS or name == 'status')
        return self._summarized

    def _chosen(self, condition):
        return [(position, name) for position, name in enumerate(self.names)
                if self.index[name] == position and condition(name)]


class Row(CSVLine):
    """A row of ``show stat``.

    :param header: the header of the same reply.
    :type header: :class:`Header`
    :param text: the line.
    """

    __slots__ = ('header', '_text')

    def __init__(self, header, text):
        self.header = header
        self._text = text

    def __getattr__(self, name):
        # Called for slots that are not set yet, too, which must not recurse.
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
        """The fields, split again at each call."""
        return split(self._text)[:len(self.header.names)]


def split(text):
    """Return the fields of a line of CSV.

    :rtype: list of str
    :raises haproxyadmin.protocol.replies.Malformed: if the line is not valid CSV.
    """
    if '"' not in text:
        return text.split(',')
    import csv  # most rows have no quotes
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
    """Return a field of a row, or the default if HAProxy does not report it."""
    position = row.header.index.get(name)
    return default if position is None else cut(row._text, position)


def fields(rows, name):
    """Return a field of each row, ``''`` if HAProxy does not report it."""
    texts = []
    for row in rows:
        position, text = row.header.index.get(name), row._text
        if position is None:
            texts.append('')
        elif '"' in text:
            texts.append(cut(text, position))
        else:
            # Like cut(); calling it would take twice as long.
            texts.append(text.split(',', position + 1)[position])
    return texts


def pick(header, texts, names):
    """Return some fields of many rows, splitting each row once.

    :param texts: the rows.
    :param names: the fields; ``''`` stands for one that HAProxy does not report.
    :return: for each row the fields, in the order of the names.
    :rtype: list of tuple
    """
    positions = [header.index.get(name) for name in names]
    end = max([position for position in positions if position is not None] or [-1]) + 1
    choose = operator.itemgetter(*[end if position is None else position
                                   for position in positions])
    picked = []
    for text in texts:
        # The rest of the row, which nobody reads, takes the place of what is not reported.
        fields = split(text)[:end] if '"' in text else text.split(',', end)
        fields[end:] = ['']
        picked.append(choose(fields))
    return picked


def columns(rows, chosen=_FIGURES):
    """Return each figure of several rows.

    :param chosen: (optional) a function that takes a header and returns positions and names of
        other fields.
    :return: list of ``(name, texts)``, the texts in the order of the rows.
    :rtype: list of tuple
    """
    header = rows[0].header
    if all(row.header.line == header.line for row in rows):
        texts = list(zip(*[split(row._text) for row in rows]))
        return [(name, texts[position]) for position, name in chosen(header)]
    return [(name, tuple(fields(rows, name)))
            for name in names_of_all([row.header for row in rows], chosen)]


def names_of_all(headers, chosen):
    """Return the names of the chosen fields of several headers, in order, once each."""
    return collections.OrderedDict.fromkeys(name for header in headers
                                            for _, name in chosen(header))


def row2dict(row):
    """Return all fields of a row by name, in HAProxy's own text."""
    named = {}
    for name, text in zip(row.heads, row.parts):
        # As everywhere, the first one of several with the same name counts.
        named.setdefault(name, text)
    return named


class Dump(object):
    """The rows of one reply to ``show stat``, found by name and kept in HAProxy's order.

    :param lines: the reply, header first.
    :type lines: list of str
    :param header: (optional) the header of an earlier reply, which is used again if it is equal.
    :param listeners: (optional) False if HAProxy was not asked for listeners, which only the type
        of a row distinguishes from servers.
    :param quoted: (optional) False if no field is known to be quoted.
    :raises haproxyadmin.protocol.replies.Malformed: if a row or the header is not complete.
    """

    __slots__ = ('header', 'frontends', 'backends', 'servers', '_named', 'plain')

    def __init__(self, lines, header=None, listeners=True, quoted=True):
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
        quoted = quoted and '"' in '\n'.join(texts)
        self.plain = header.leads and not quoted
        self._index(_join_quoted(texts) if quoted else texts, listeners)

    def __reduce__(self):
        return (_restore_dump, (
            self.header, self.frontends, self.backends, self.servers, self.plain))

    def proxies(self):
        """Return the frontends, the backends and the backends with servers, as one set."""
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
            if len(only) == 1 and self.plain:
                # HAProxy was asked for one server; making an index would take longer.
                return self._row(only[0]) if only[0].split(',', 2)[1] == name else None
            texts = self._named[backend] = dict(self._named_in(backend))
        return self._row(texts.get(name))

    def servers_of(self, backend):
        """Return the name and row of each server of a backend."""
        return [(name, Row(self.header, text)) for name, text in self._named_in(backend)]

    def servers_with(self, name, mark):
        """Return the servers of all backends that have a value in a field.

        :param name: the field.
        :param mark: a text that each value contains. Looking for it first takes a tenth of the
            time.
        :return: list of ``(backend, server, value)``.
        :rtype: list of tuple
        """
        found = []
        for backend, texts in self.servers.items():
            texts = [text for text in texts if mark in text]
            for server, text in zip(self.names_in(texts), texts):
                value = field(self._row(text), name)
                if value:
                    found.append((backend, server, value))
        return found

    def _named_in(self, backend):
        texts = self.servers.get(backend, ())
        return zip(self.names_in(texts), texts)

    def names_in(self, texts):
        """Return the name of the server in each of several rows."""
        if self.plain:
            # Backends and processes mostly have the same names.
            return [intern(text.split(',', 2)[1]) for text in texts]
        return [self._identify(text)[1] for text in texts]

    def sids_in(self, texts):
        """Return the ids in all rows of a backend as text, None if they are 1, 2, 3 and so on.

        That is what HAProxy assigns. Only the first and the last are looked at, which takes a
        tenth of the time: ids are hints. Without the field they are ``''``.
        """
        position = self.header.index.get('sid')
        if position is None:
            return [''] * len(texts)
        if not texts:
            return None
        if cut(texts[0], position) == '1' and cut(texts[-1], position) == str(len(texts)):
            return None
        return [cut(text, position) for text in texts]

    def iid_of(self, backend):
        """Return the id of a backend that has a row or servers."""
        text = self.backends.get(backend) or self.servers[backend][0]
        return field(self._row(text), 'iid')

    def _row(self, text):
        return None if text is None else Row(self.header, text)

    def _index(self, texts, listeners):
        plain, commas, servers = self.plain, self.header.commas, self.servers
        start = totals = append = None
        length = 0
        for text in texts:
            if plain:
                # Most rows. Calling a function for each would double the cost.
                if text.count(',') != commas:
                    raise _malformed_row(text)
                if start and text.startswith(start) and (
                        text[length] not in 'FB' or not text.startswith(totals)):
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
                    # The servers that follow are recognized by how their rows begin.
                    start = proxy + ','
                    length = len(start)
                    totals = (start + 'FRONTEND,', start + 'BACKEND,')

    def _identify(self, text):
        """Return the names of the proxy and the server."""
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


def _restore_dump(header, frontends, backends, servers, plain):
    dump = Dump([header.line], header)
    dump.plain = plain
    dump.frontends, dump.backends, dump.servers = frontends, backends, servers
    return dump


def _join_quoted(lines):
    """Join lines that belong to one row, because a quoted field contains newlines."""
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
    """Build a nested dictionary from the reply to ``show stat``.

    :param csv_data: the lines of the reply, header first; empty lines at the end are ignored.
    :type csv_data: list of str
    :return: ``{'frontends': {name: row}, 'backends': {name: {'stats': row, 'servers': {name:
        row}}}}``, each row a :class:`CSVLine`. ``'stats'`` is None for a backend of which the
        reply only contains servers.
    :rtype: dict
    :raises ValueError: if a row has too few or too many fields, or the header is missing.

    Usage::

        >>> from haproxyadmin import utils
        >>> rows = utils.stat2dict(['# pxname,svname,scur', 'web,BACKEND,7', 'web,web1,3'])
        >>> rows['backends']['web']['stats'].scur, list(rows['backends']['web']['servers'])
        ('7', ['web1'])
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


def is_up(status):
    """Return True if a server or backend accepts traffic, as far as its status says.

    ``'UP 1/3'`` is up, too: the last check failed, or none has succeeded yet.
    """
    return status.startswith('UP') or status == 'no check'


def accepts_traffic(status, weight):
    """Return True if a server gets new traffic.

    :param weight: its weight as text.
    """
    return is_up(status) and weight != '0'


def limit_of(row):
    """Return the maximum number of connections, 0 for no limit, for which HAProxy prints nothing.

    :rtype: int
    """
    return int(field(row, 'slim') or 0)


def without_progress(status):
    """Return a status without how many health checks are missing until it changes.

    ``'UP 1/3'`` is ``'UP'``.
    """
    return _PROGRESS.sub('', status) if '/' in status else status


def is_settled(status):
    """Return True if a server is up, and its last check has succeeded or there are no checks."""
    return status in ('UP', 'no check')


def is_down(status):
    """Return True for ``'DOWN'``, ``'DOWN 1/2'`` and ``'DOWN (agent)'``."""
    return status.startswith('DOWN')


def last_result(check_status):
    """Return the result without the ``* `` that says that another check is running."""
    return check_status[2:] if check_status.startswith('* ') else check_status


def split_address(text):
    """Split the ``addr`` of a server.

    :param text: ``'1.2.3.4:80'``, ``'[::1]:80'``, ``'unix'`` or ``''``.
    :return: address and port as printed, ``''`` if there is none.
    :rtype: tuple of str
    """
    if ':' not in text:
        return text, ''
    address, _, port = text.rpartition(':')
    if address.startswith('[') and address.endswith(']'):
        address = address[1:-1]
    return address, port


def label_rows(dump):
    """Return all rows of a dump with labels: frontends, then backends with their servers.

    :return: list of ``(label of the proxy, rows)``; each of the rows is ``(label, row)``, each
        label ``(proxy, name, type)``.
    :rtype: list of tuple
    """
    rows = [[((name, 'FRONTEND', 'frontend'), dump.frontend(name))] for name in dump.frontends]
    rows += [[((name, 'BACKEND', 'backend'), dump.backend(name))]
             + [((name, server, 'server'), row) for server, row in dump.servers_of(name)]
             for name in dump.backends]
    return [(of_proxy[0][0], of_proxy) for of_proxy in rows]
