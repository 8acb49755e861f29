# SPDX-License-Identifier: Apache-2.0
"""A table of frontends, backends and servers, to be read by people."""
import collections
import fnmatch
import itertools
import operator
import os
import sys

from haproxyadmin import combine
from haproxyadmin.imports import Pattern
from haproxyadmin.parsers import stats
from haproxyadmin.protocol.metrics import SUMMED
from haproxyadmin.protocol.words import describe, is_integer, to_bytes, to_native

__all__ = ['Overview']

MIN_WIDTH = 20
# Between two columns.
_GAP = '  '
_OMITTED = '..'
_TITLES = ('', 'STATUS', 'SESS', 'MAX', 'RATE', 'REQS', 'ERRS', 'QUEUE', 'WEIGHT', 'CHECK')
_NAME, _STATUS, _CHECK = 0, 1, 9
# Columns that are text may be shortened, but as long as others can be dropped not to less.
_ENOUGH = {_NAME: 16, _STATUS: 8, _CHECK: 8}
_LEAST = 8
# The least important ones first.
_DROPPED = [_TITLES.index(title) for title in (
    'MAX', 'WEIGHT', 'RATE', 'CHECK', 'REQS', 'QUEUE', 'ERRS', 'SESS')]

# In the order of the columns.
_FIGURES = ('scur', 'smax', 'rate', 'stot', 'ereq', 'econ', 'eresp', 'qcur', 'weight')
_FIELDS = ('svname', 'status', 'check_status', 'check_code') + _FIGURES
# Only of frontends: these fields are at the end of a row.
_OF_FRONTENDS = _FIELDS + ('req_tot', 'mode')
_DIGITS = Pattern(r'[0-9]*\Z')
_UNPRINTABLE = Pattern(r'[^ -~]')
_ENTITIES = [('&', '&amp;'), ('<', '&lt;'), ('>', '&gt;'), ('"', '&quot;'), ("'", '&#39;')]

# rows: the cells of each row, all of them text that is safe to print; a server's name is indented.
_Section = collections.namedtuple('_Section', 'title rows')


class Overview(object):
    """A table of all frontends, backends and servers, over all processes.

    It is made by :meth:`haproxyadmin.haproxy.HAProxy.overview`, and does not change. ``print()``
    and a console show it as text, a notebook as HTML.

    The columns are the current and the highest number of sessions, sessions per second, requests
    (sessions, except for frontends in HTTP mode), errors (requests of clients that were wrong, for
    a frontend, otherwise connections and responses that failed), the queue, the weight, and the
    result of the last health check. Several processes are combined as in
    :meth:`haproxyadmin.haproxy.HAProxy.stats`. What HAProxy does not report is left empty.

    If the text would be wider than it may be, names are shortened, and the least important columns
    omitted. Its width is that of the terminal at the moment when it is printed; the environment
    variable ``COLUMNS`` takes precedence. Without a terminal, nothing is shortened. Characters
    other than printable ASCII are written as ``\\xNN``.

    :param sections: the parts of the table.
    :param pattern: the pattern that was asked for, or None.
    :param width: how wide it may be, None for the width of the terminal.
    """

    def __init__(self, sections, pattern=None, width=None):
        self._sections = [section for section in sections if section.rows]
        self._pattern = pattern
        self._width = width

    def __repr__(self):
        return str(self)

    def __str__(self):
        limit = self._width or _terminal_width()
        if not self._sections:
            return _shorten(self._nothing(), limit or sys.maxsize)
        widths = _fit(self._natural_widths(), limit)
        return '\n\n'.join('\n'.join(_lines(section, widths)) for section in self._sections)

    def _repr_html_(self):
        if not self._sections:
            return '<p>{0}</p>'.format(_escape_html(self._nothing()))
        shown = sorted(self._natural_widths())
        return '<table>\n{0}\n</table>'.format('\n'.join(
            line for section in self._sections for line in _html_lines(section, shown)))

    def _nothing(self):
        if self._pattern is None:
            return 'HAProxy has no frontend and no backend'
        return "no frontend, backend or server matches '{0}'".format(_printable(self._pattern))

    def _natural_widths(self):
        """Return the width of each column that is not empty."""
        tables = [list(zip(*section.rows)) for section in self._sections]
        widths = {}
        for place, title in enumerate(_TITLES):
            longest = max(max(map(len, table[place])) for table in tables)
            if longest or place in (_NAME, _STATUS):
                widths[place] = max([longest, len(title)] + [
                    len(section.title) for section in self._sections if place == _NAME])
        return widths


def make_overview(read_dumps, pattern, width):
    """Return an :class:`Overview`.

    :param read_dumps: returns the dump of each process; called once the arguments are checked.
    :param pattern: see :meth:`haproxyadmin.haproxy.HAProxy.overview`.
    :param width: the same.
    :raises ValueError: for another pattern or width.
    """
    pattern = to_native(pattern)
    if not (pattern is None or isinstance(pattern, str)):
        raise ValueError('pattern must be text, got {0}'.format(describe(pattern)))
    if not (width is None or is_integer(width) and MIN_WIDTH <= width <= sys.maxsize):
        raise ValueError('width must be an integer from {0} to {1}, got {2}'.format(
            MIN_WIDTH, sys.maxsize, describe(width)))
    return Overview(_summarize(read_dumps(), pattern), pattern, width)


def make_html(title, things, omitted):
    """Return a table of some servers as HTML.

    :param title: the title of the column with the names.
    :param things: for each the name that is shown, and its row in each process, None where it is
        gone.
    :param omitted: how many more there are.
    """
    table = Overview([_Section(title, _rows_of([
        ('', name, [[stats.field(row, field) for field in _FIELDS] for row in rows if row]
         or [[''] * len(_FIELDS)]) for name, rows in things]))])
    return table._repr_html_() + ('\n<p>and {0} more</p>'.format(omitted) if omitted else '')


# What the processes report

def _summarize(dumps, pattern):
    """Return the sections of the table."""
    def matches(name):
        return pattern is None or fnmatch.fnmatchcase(name, pattern)
    frontends = [('', name, rows) for name, rows in _by_name([
        zip(dump.frontends, stats.pick(dump.header, dump.frontends.values(), _OF_FRONTENDS))
        for dump in dumps]) if matches(name)]
    servers_of, backends = list(map(_servers_of, dumps)), []
    for name, rows in _by_name([
            zip(dump.backends, stats.pick(dump.header, dump.backends.values(), _FIELDS))
            for dump in dumps]):
        servers = _by_name([servers[name] for servers in servers_of if name in servers])
        if not matches(name):
            servers = [server for server in servers if matches(server[0])]
            if not servers:
                continue
        backends.append(('', name, rows))
        backends.extend([(_GAP, own, of_server) for own, of_server in servers])
    return [_Section('FRONTEND', _rows_of(frontends)), _Section('BACKEND', _rows_of(backends))]


def _servers_of(dump):
    """Return pairs of the name and the fields of each server, by backend."""
    texts = [dump.servers.get(name, ()) for name in dump.backends]
    rest = iter([(row[0], row) for row in stats.pick(
        dump.header, itertools.chain.from_iterable(texts), _FIELDS)])
    return dict((name, list(itertools.islice(rest, len(own))))
                for name, own in zip(dump.backends, texts))


def _by_name(lists):
    """Return pairs of a name and its fields in each process.

    :param lists: the pairs of name and fields of each process, in HAProxy's order.
    """
    lists = [list(pairs) for pairs in lists]
    names = [[name for name, _ in pairs] for pairs in lists]
    if names and len(set(names[0])) == len(names[0]) and all(
            other == names[0] for other in names):
        # All processes have the same, which takes half the time.
        return list(zip(names[0], zip(*[[row for _, row in pairs] for pairs in lists])))
    return [(pairs[0][0], tuple(row for _, row in pairs))
            for pairs in combine.merge(lists, operator.itemgetter(0))]


def _rows_of(things):
    """Return the cells of each row of a section.

    A column at a time takes a third of the time, for all things that as many processes have.

    :param things: for each what its name is indented by, its name, and its fields in each process.
    """
    found, places = [None] * len(things), collections.defaultdict(list)
    for place, (_, _, rows) in enumerate(things):
        places[len(rows)].append(place)
    totals = combine.Totals()
    for chosen in places.values():
        of_each = [zip(*rows) for rows in zip(*[things[place][2] for place in chosen])]
        cells = zip([things[place][0] + _printable(things[place][1]) for place in chosen],
                    *_columns_of(dict(zip(_OF_FRONTENDS, zip(*of_each))), totals))
        for place, row in zip(chosen, cells):
            found[place] = row
    return found


def _columns_of(fields, totals):
    """Return the columns of the table, except for the names.

    :param fields: by name, what each process reports for all things.
    """
    requests = _add('stot', fields['stot'], totals)
    if 'mode' in fields:
        requests = [sessions if 'tcp' in modes else own for modes, sessions, own in zip(
            zip(*fields['mode']), requests, _add('req_tot', fields['req_tot'], totals))]
    # HAProxy reports the first one for frontends, the other two for backends and servers.
    errors = [column for name in ('ereq', 'econ', 'eresp') for column in fields[name]
              if any(column)]
    return [
        [_printable(totals.of('status', texts) or '') for texts in zip(*fields['status'])],
        _add('scur', fields['scur'], totals), _add('smax', fields['smax'], totals),
        _add('rate', fields['rate'], totals), requests,
        _add('econ', errors or fields['econ'], totals),
        _add('qcur', fields['qcur'], totals), _add('weight', fields['weight'], totals),
        _last_checks(list(zip(zip(*fields['check_status']), zip(*fields['check_code']))))]


def _add(name, columns, totals):
    """Return the totals of a figure as text, ``''`` where no process reports it.

    :param columns: what each process reports for all things.
    """
    digits = all(_DIGITS.match(''.join(column)) for column in columns)
    if len(columns) == 1 and digits:
        return columns[0]
    if name in SUMMED and digits:
        try:
            # Without remembering them, because sums of many servers are rarely alike.
            return list(map(str, map(sum, zip(*[map(int, column) for column in columns]))))
        except ValueError:
            pass  # some are not reported
    found = [totals.of(name, texts) for texts in zip(*columns)]
    return ['' if total is None else str(total) for total in found]


def _last_checks(column):
    """Return the results of the last checks, each with its code: ``'L7STS/503'``."""
    known = dict((reports, _printable(combine.join_texts([
        stats.last_result(result) + ('/' + code if code else '')
        for result, code in zip(*reports) if result]))) for reports in set(column))
    return [known[reports] for reports in column]


def _printable(text):
    """Return text as printable ASCII."""
    if not _UNPRINTABLE.search(text):
        return text
    return ''.join(chr(byte) if 32 <= byte < 127 else '\\x{0:02x}'.format(byte)
                   for byte in bytearray(to_bytes(text)))


# Text

def _fit(widths, limit):
    """Return the width of each column that is shown, so that a line is no longer than a limit.

    :param widths: what each column needs, by its place.
    :param limit: None if there is none.
    """
    widths = dict(widths)
    if limit is None:
        return widths
    limit = max(limit, MIN_WIDTH)
    enough = dict((place, min(width, _ENOUGH.get(place, width)))
                  for place, width in widths.items())
    for place in _DROPPED:
        if _total(enough) <= limit:
            break
        if place in enough:
            del enough[place], widths[place]
    first, second = _STATUS, _NAME
    if _total(enough) > limit:
        enough = dict((place, min(width, _LEAST)) for place, width in enough.items())
        first, second = second, first
    for place in (first, second, _CHECK):
        if place in enough:
            enough[place] = min(widths[place], enough[place] + limit - _total(enough))
    return enough


def _total(widths):
    return sum(widths.values()) + len(_GAP) * (len(widths) - 1)


def _lines(section, widths):
    """Return the lines of a section, its titles first."""
    shown = sorted(widths)
    line = _GAP.join('%{0}{1}s'.format('-' if place in _ENOUGH else '', widths[place])
                     for place in shown)
    titles = (section.title,) + _TITLES[1:]
    lines = [line % tuple([titles[place] for place in shown])]
    long = [(number, place) for number, place in enumerate(shown) if place in _ENOUGH and any(
        len(cells[place]) > widths[place] for cells in section.rows)]
    for cells in section.rows:
        chosen = [cells[place] for place in shown]
        for number, place in long:
            chosen[number] = _shorten(chosen[number], widths[place], place == _NAME)
        lines.append(line % tuple(chosen))
    return [line.rstrip() for line in lines]


def _shorten(text, width, keep_end=False):
    """Return a text that is no longer than a width.

    :param keep_end: (optional) True to omit the middle: names mostly differ at their ends.
    """
    if len(text) <= width:
        return text
    kept = width - len(_OMITTED)
    tail = kept // 2 if keep_end else 0
    return text[:kept - tail] + _OMITTED + text[len(text) - tail:]


def _terminal_width():
    """Return the width of the terminal, None if there is none."""
    try:
        columns = int(os.environ.get('COLUMNS', 0))
    except ValueError:
        columns = 0
    if columns > 0:
        return columns
    try:
        return _width_of(sys.stdout.fileno()) or 80
    except (AttributeError, EnvironmentError, ValueError):
        # It is a file, a pipe, or what a notebook puts there.
        return None


def _width_of(descriptor):
    if hasattr(os, 'get_terminal_size'):
        return os.get_terminal_size(descriptor).columns
    # On Python 2.
    import fcntl
    import struct
    import termios
    return struct.unpack('HHHH', fcntl.ioctl(descriptor, termios.TIOCGWINSZ, b'\0' * 8))[1]


# HTML

def _html_lines(section, shown):
    titles = (section.title,) + _TITLES[1:]
    yield _html_row('th', [(titles[place], place) for place in shown])
    for cells in section.rows:
        yield _html_row('td', [(cells[place], place) for place in shown])


def _html_row(tag, cells):
    return '<tr>{0}</tr>'.format(''.join(
        '<{0} style="text-align: {1}">{2}</{0}>'.format(
            tag, 'left' if place in _ENOUGH else 'right', _escape_html(text))
        for text, place in cells))


def _escape_html(text):
    for character, entity in _ENTITIES:
        text = text.replace(character, entity)
    indent = len(text) - len(text.lstrip(' '))
    return '&nbsp;' * indent + text[indent:]


def __dir__():
    """List what is public; has an effect from Python 3.7 on."""
    return sorted(__all__)
