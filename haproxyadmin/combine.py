# SPDX-License-Identifier: Apache-2.0
"""Combine what several processes report: sum, average, compare, merge by name."""
import collections
import functools
import operator

from haproxyadmin.exceptions import CommandFailed, IncosistentData, MultipleCommandResults
from haproxyadmin.imports import PY2
from haproxyadmin.parsers import stats
from haproxyadmin.parsers.values import TEXT, converter
from haproxyadmin.protocol import replies
from haproxyadmin.protocol.metrics import DOCUMENTED, NATURE, is_figure
from haproxyadmin.protocol.words import is_integer, to_native
from haproxyadmin.spelling import suggest, suggest_or_list

BY_NAME = operator.attrgetter('name')
_LABELS = ('pxname', 'svname', 'type', 'status')
# On Python 2 other dictionaries have no order.
_ORDERED = collections.OrderedDict if PY2 else dict
# How many combinations of texts are remembered at a time.
_MOST_REMEMBERED = 10000


# Figures

def calculate(name, metrics):
    """Add up or average a metric over processes, as ``METRICS_SUM`` and ``METRICS_AVG`` say.

    :param name: name of the metric.
    :type name: str
    :param metrics: the numbers; an empty list gives 0.
    :type metrics: list of int or float
    :return: the sum, or the average truncated toward zero.
    :rtype: int
    :raises ValueError: if the name is in neither list.

    Usage::

        >>> from haproxyadmin import utils
        >>> utils.calculate('scur', [3, 4]), utils.calculate('weight', [3, 4])
        (7, 3)
    """
    if not (isinstance(name, TEXT) and is_figure(name)):
        raise ValueError('unknown type of calculation for metric {0!r}'.format(name))
    return _COMBINING[DOCUMENTED[name]](metrics) if metrics else 0


def _average(numbers):
    try:
        return int(sum(numbers) / float(len(numbers)))
    except OverflowError:
        return sum(numbers) // len(numbers)


def _minimum(numbers):
    # HAProxy reports -1 as the age of what has never happened.
    return min([number for number in numbers if number >= 0] or numbers)


_COMBINING = {'sum': sum, 'avg': _average, 'min': _minimum, 'max': max}


def rules_of(rule):
    """Return how figures are combined.

    :param rule: ``'sum'``, ``'avg'``, ``'min'`` or ``'max'`` for all of them; ``'nature'`` for the
        rules of ``METRICS_NATURE``; None for those of ``METRICS_SUM`` and ``METRICS_AVG``.
    :return: by the name of a figure ``'sum'``, ``'avg'``, ``'min'`` or ``'max'``.
    :rtype: dict
    :raises ValueError: for any other rule.
    """
    if rule is None:
        return DOCUMENTED
    if isinstance(rule, TEXT):
        if rule == 'nature':
            return NATURE
        if rule in _COMBINING:
            return dict.fromkeys(DOCUMENTED, rule)
    raise ValueError("rule must be 'sum', 'avg', 'min', 'max', 'nature' or None, "
                     'got {0!r}'.format(rule))


def aggregate(name, texts, rules=DOCUMENTED):
    """Combine what processes report for a metric; what is not a number is ignored.

    :param name: name of the metric.
    :type texts: list of str
    :param rules: (optional) see :func:`rules_of`.
    :return: the number; 0 if no process reports one.
    :rtype: int
    """
    rule = rules[name]
    try:
        # What HAProxy usually prints; converting each text separately takes several times as long.
        if ''.join(texts).isdigit():
            values = map(int, texts)
            return sum(values) if rule == 'sum' else _COMBINING[rule](list(values))
    except ValueError:
        pass  # an empty text, or digits of another kind
    values = [value for value in map(converter, texts) if is_integer(value)]
    return _COMBINING[rule](values) if values else 0


class Totals(object):
    """Calculates figures, equal texts only once: most figures of a dump are alike.

    :param rule: (optional) see :func:`rules_of`.
    """

    def __init__(self, rule=None):
        self._rules = rules_of(rule)
        self._by_rule, self._remembered = collections.defaultdict(dict), {}

    def of(self, name, texts):
        """Return the total of a figure, None if no process reports it.

        For a field that is not a figure, it is the text; if processes differ, their texts in order.

        :type texts: tuple of str
        """
        try:
            return self._remembered[name][texts]
        except KeyError:
            return self._calculate(name, texts)

    def _calculate(self, name, texts):
        rule = self._rules.get(name)
        remembered = self._remembered.setdefault(name, self._by_rule[rule] if rule else {})
        if len(remembered) >= _MOST_REMEMBERED:
            remembered.clear()
        total = None
        if any(texts):
            total = aggregate(name, texts, self._rules) if rule else _join(name, texts)
        remembered[texts] = total
        return total


def _join(name, texts):
    reported = [text for text in texts if text]
    if name == 'check_status':
        reported = [stats.last_result(text) for text in reported]
    return join_texts(reported)


def join_texts(texts):
    """Return what processes report as one text: if they differ, all of them in order."""
    return ', '.join(texts[:1] if elements_of_list_same(texts) else texts)


def aggregate_all(known, reported, totals=None):
    """Calculate all metrics.

    :param known: names that are always in the result.
    :param reported: see :func:`haproxyadmin.parsers.stats.columns`.
    :param totals: (optional) the :class:`Totals` for another rule than the documented one.
    :return: ``{name: number}``.
    :rtype: dict
    """
    metrics, totals = dict.fromkeys(known, 0), totals or Totals()
    for name, texts in reported:
        total = totals.of(name, texts)
        if total is not None:
            metrics[name] = total
    return metrics


def summarize(things, headers):
    """Return the figures of frontends, backends and servers as plain dictionaries.

    :param things: for each its ``(label, row)`` in each process; see
        :func:`haproxyadmin.parsers.stats.label_rows`.
    :param headers: the header of each process.
    :rtype: list of dict
    """
    names = list(_LABELS)
    names.extend(stats.names_of_all(headers, stats.SUMMARIZED))
    names.extend(stats.TEXT_FIELDS)
    names.append('processes')
    totals, empty = Totals(), _ORDERED.fromkeys(names)
    return [_summarize(pairs[0][0], [row for _, row in pairs], empty, totals)
            for pairs in things]


def _summarize(label, rows, empty, totals):
    summary = empty.copy()
    # All keys exist already, so the slow methods of Python 2's OrderedDict can be bypassed.
    dict.update(summary, [(name, totals.of(name, texts))
                          for name, texts in stats.columns(rows, stats.SUMMARIZED)])
    dict.update(summary, zip(_LABELS, label), processes=len(rows))
    return summary


# One metric by name

def combine_metric(name, known, read_rows, rule=None):
    """Calculate a metric of rows of statistics.

    :param known: names that are always metrics.
    :type known: list of str
    :param read_rows: returns the row of each process; called only for what may be a metric.
    :param rule: (optional) see :func:`rules_of`.
    :rtype: int
    :raises ValueError: for a name that is not known and that no row reports, and for another rule.
    """
    # First, because a wrong rule sends nothing.
    rules = rules_of(rule)
    return aggregate(name, metric_texts(name, known, read_rows), rules)


def metric_texts(name, known, read_rows):
    """Return what each process reports for a metric; see :func:`combine_metric`.

    :rtype: list of str
    """
    return _metric_texts(name, known, read_rows, stats.columns, stats.fields)


def combine_info_metric(name, known, read_infos, rule=None):
    """Calculate a metric of the processes themselves; see :func:`combine_metric`.

    :param read_infos: returns the ``show info`` of each process, a dict of texts by name.
    """
    rules = rules_of(rule)
    return aggregate(name, info_metric_texts(name, known, read_infos), rules)


def info_metric_texts(name, known, read_infos):
    """Return what each process reports for a metric of its own; see :func:`combine_info_metric`.

    :rtype: list of str
    """
    return _metric_texts(name, known, read_infos, info_columns, _info_fields)


def _metric_texts(name, known, read, columns, fields):
    check_metric(name, known)
    reports = read()
    texts = fields(reports, name)
    if name not in known and not any(texts):
        check_metric(name, known, [own for own, theirs in columns(reports) if any(theirs)])
    return texts


def info_columns(infos):
    """Return each figure that processes report about themselves.

    :param infos: the ``show info`` of each process, a dict of texts by name.
    :type infos: list of dict
    :return: see :func:`haproxyadmin.parsers.stats.columns`.
    """
    return [(name, tuple(_info_fields(infos, name)))
            for name in set().union(*infos) if is_figure(name)]


def _info_fields(infos, name):
    return [info.get(name, '') for info in infos]


def check_metric(name, known, reported=None):
    """Check the name of a metric.

    :param known: names that are always metrics.
    :type known: list of str
    :param reported: (optional) the names for which HAProxy reports a value; by default any name in
        ``METRICS_SUM`` and ``METRICS_AVG`` is accepted.
    :raises ValueError: for any other name; the message contains the nearest ones.
    """
    if isinstance(name, TEXT) and (
            name in known or (is_figure(name) and (reported is None or name in reported))):
        return
    names = set(known).union(figure for figure in reported or () if is_figure(figure))
    what = 'unknown metric {0!r}' if reported is None else 'HAProxy reports no metric {0!r} here'
    raise ValueError(what.format(name) + suggest(name, names))


# Comparing

def elements_of_list_same(iterator):
    """Return True if all elements are equal, False if there are none.

    :param iterator: any iterable.
    :rtype: bool

    Usage::

        >>> from haproxyadmin import utils
        >>> utils.elements_of_list_same([1, 1]), utils.elements_of_list_same([1, 2])
        (True, False)
    """
    elements = list(iterator)
    return bool(elements) and all(element == elements[0] for element in elements)


def compare_values(values):
    """Return the value that all processes have in common.

    :param values: list of ``(process number, value)``.
    :type values: list of tuple
    :return: the value.
    :raises haproxyadmin.exceptions.IncosistentData: if the values differ, or there are none.

    Usage::

        >>> from haproxyadmin import utils
        >>> utils.compare_values([(1, 'UP'), (2, 'UP')])
        'UP'
    """
    if not elements_of_list_same(value for _, value in values):
        raise IncosistentData(values)
    return values[0][1]


def common_value(values):
    """Return the value that all processes have in common.

    :param values: list of ``(process number, socket file, value)``.
    :raises haproxyadmin.exceptions.IncosistentData: if the values differ; ``results`` and
        ``by_socket`` contain them.
    """
    try:
        return compare_values([(number, value) for number, _, value in values])
    except IncosistentData as error:
        error.set_results(*results_of(values))
        raise


def results_of(values):
    """Return ``results`` and ``by_socket`` for an exception.

    :param values: an iterable of ``(process number, socket file, value)``.
    :rtype: tuple of list
    """
    values = list(values)
    return ([(number, value) for number, _, value in values],
            [(socket_file, value) for _, socket_file, value in values])


def check_command(results):
    """Judge the replies of all processes to a change; it compares success, not texts.

    :param results: list of ``(process number, reply)``.
    :type results: list of tuple
    :return: True if all processes succeeded.
    :rtype: bool
    :raises haproxyadmin.exceptions.CommandFailed: if all refused, with HAProxy's message.
    :raises haproxyadmin.exceptions.MultipleCommandResults: if some refused, or there are no
        results.

    Usage::

        >>> from haproxyadmin import utils
        >>> utils.check_command([(1, ''), (2, '')])
        True
    """
    return _check_successes(results, replies.is_success)


def check_command_addr_port(change_type, results):
    """Judge the replies of all processes to a change of a server's address or port.

    :param change_type: ``'addr'`` or ``'port'``.
    :type change_type: str
    :param results: list of ``(process number, reply)``.
    :type results: list of tuple
    :return: True if all processes succeeded.
    :rtype: bool
    :raises haproxyadmin.exceptions.CommandFailed: if all refused.
    :raises haproxyadmin.exceptions.MultipleCommandResults: if some refused.
    :raises ValueError: for another type of change.

    Usage::

        >>> from haproxyadmin import utils
        >>> reply = "IP changed from '10.0.0.1' to '10.0.0.2' by 'stats'"
        >>> utils.check_command_addr_port('addr', [(1, reply)])
        True
    """
    if change_type not in ('addr', 'port'):
        raise ValueError("the type of change must be 'addr' or 'port', got {0!r}".format(
            change_type))
    return _check_successes(results, functools.partial(replies.is_address_success, change_type))


def check_server(results):
    """Judge the replies of all processes to a change of a server; see :func:`check_command`."""
    return _check_successes(results, replies.is_server_success)


def check_ocsp(results):
    """Judge the replies of all processes to an OCSP response; see :func:`check_command`."""
    return _check_successes(results, replies.is_ocsp_success)


def check_ticket_key(results):
    """Judge the replies of all processes to a key of TLS tickets; see :func:`check_command`."""
    return _check_successes(results, replies.is_ticket_key_success)


def _check_successes(results, is_success):
    successes = [is_success(reply) for _, reply in results]
    if not elements_of_list_same(successes):
        raise MultipleCommandResults(results)
    if not successes[0]:
        error = CommandFailed(results[0][1] or replies.NOTHING)
        error.set_results(results, [])
        raise error
    return True


# Merging

def merge(lists, key=BY_NAME):
    """Group the objects of all processes that represent the same thing.

    :param lists: the objects of each process, in HAProxy's order.
    :param key: (optional) returns what such objects have in common; by default their name.
    :return: the objects of each thing, things in the order of the first process that has them.
    :rtype: list of list
    """
    things = collections.OrderedDict()
    for members in lists:
        # If a process lists a thing twice, the last one counts, as it does in a dump.
        for name, member in collections.OrderedDict(
                (key(member), member) for member in members).items():
            if name in things:
                things[name].append(member)
            else:
                things[name] = [member]
    return list(things.values())


def find_by_name(things, noun, name, where=''):
    """Return the thing that has a name.

    :param noun: what it is, for the message.
    :param where: (optional) where it is looked for, for the message.
    :raises ValueError: if there is none; the message contains the nearest names.
    """
    name = to_native(name)
    for thing in things:
        # Not by equality: the name may be an object that equals its own name.
        if thing.name == name:
            return thing
    raise ValueError('no {0} {1!r}{2}{3}'.format(
        noun, name, where, suggest_or_list(name, set(thing.name for thing in things))))
