# -*- coding: utf-8 -*-
# SPDX-License-Identifier: Apache-2.0
"""combine.py: sum, average, compare and merge what processes report."""
import pytest
import six

from haproxyadmin import combine, exceptions, utils
from haproxyadmin.protocol import metrics


@pytest.mark.parametrize('name, numbers, expected', [
    ('scur', [1, 2, 3], 6),
    ('scur', [5], 5),
    ('scur', [2 ** 63, 1], 2 ** 63 + 1),
    ('weight', [1, 2], 1),
    ('weight', [10, 20, 30], 20),
    ('lastsess', [-1, -2], -1),
    ('lastsess', [-1, 0], 0),
    ('lastsess', [-1, -1, -1, -2], -1),
    ('qtime', [1.5, 2.5], 2),
    ('Uptime_sec', [10, 11], 10),
])
def test_a_metric_is_added_up_or_averaged(name, numbers, expected):
    """[sums and averages] Averages truncate toward zero on Python 2 and 3."""
    result = combine.calculate(name, numbers)
    assert result == expected
    assert isinstance(result, six.integer_types)


@pytest.mark.parametrize('name', ['scur', 'weight'])
def test_nothing_to_calculate_is_zero(name):
    """[what is not there; sums and averages]"""
    assert combine.calculate(name, []) == 0


@pytest.mark.parametrize('name', ['nope', 'status', 'pid', 'Pid', 'iid', 'sid', 'type',
                                  'check_code', ''])
def test_what_cannot_be_calculated_is_a_value_error(name):
    """[lists of metrics]"""
    for numbers in ([], [1, 2]):
        with pytest.raises(ValueError) as caught:
            combine.calculate(name, numbers)
        assert repr(name) in str(caught.value)


@pytest.mark.parametrize('name, texts, expected', [
    ('weight', ['10', '', '20'], 15),
    ('scur', ['', ''], 0),
    ('weight', ['', ''], 0),
    ('weight', [], 0),
    ('scur', ['1', 'x', '2'], 3),
    ('qtime', ['1.9', '2'], 1),
])
def test_only_processes_that_report_a_value_count(name, texts, expected):
    """[sums and averages]"""
    assert combine.aggregate(name, texts) == expected


@pytest.mark.parametrize('name, rule, texts, expected', [
    ('weight', 'sum', ['10', '20'], 30),
    ('scur', 'avg', ['1', '2', '2'], 1),
    ('lastsess', 'avg', ['-1', '-1', '-1', '-2'], -1),
    ('scur', 'min', ['3', '2', '10'], 2),
    ('scur', 'max', ['3', '2', '10'], 10),
    ('scur', 'max', [str(2 ** 64), '1'], 2 ** 64),
    # Only processes that report a number count.
    ('scur', 'min', ['', '2', '10'], 2),
    ('scur', 'avg', ['', '2', '10', 'x'], 6),
    ('scur', 'max', ['', 'x', '0'], 0),
    ('scur', 'min', ['', ''], 0),
    ('scur', 'max', [], 0),
    # What has never happened is not younger than what has.
    ('lastsess', 'min', ['-1', '40', '7'], 7),
    ('lastsess', 'min', ['-1', '-1'], -1),
    ('lastsess', 'max', ['-1', '40', '7'], 40),
    ('lastsess', 'nature', ['-1', '40', ''], 40),
    ('Idle_pct', 'nature', ['99', '98'], 98),
    ('slim', 'nature', ['10', '20'], 30),
    ('smax', 'nature', ['10', '20'], 20),
    ('Uptime_sec', 'nature', ['10', '20'], 20),
    ('act', 'nature', ['3', '3'], 6),
])
def test_another_rule(name, rule, texts, expected):
    """[natural rules; sums and averages]"""
    assert combine.aggregate(name, texts, combine.rules_of(rule)) == expected
    totals = combine.Totals(rule)
    for _ in range(2):
        assert totals.of(name, tuple(texts)) == (expected if any(texts) else None)


def test_figures_with_equal_texts_and_different_rules():
    totals, texts = combine.Totals('nature'), ('1', '3')
    assert [totals.of(name, texts) for name in ('scur', 'smax', 'weight', 'lastchg', 'mode')] == [
        4, 3, 2, 1, '1, 3']


def test_without_a_rule_the_documented_one_counts():
    assert combine.rules_of(None) == dict(
        [(name, 'sum') for name in metrics.METRICS_SUM]
        + [(name, 'avg') for name in metrics.METRICS_AVG])
    for name, rule in combine.rules_of('nature').items():
        assert rule == utils.METRICS_NATURE[name]
        assert (combine.aggregate(name, ['7', '8'], combine.rules_of('nature'))
                == combine.aggregate(name, ['7', '8'], combine.rules_of(rule)))


@pytest.mark.parametrize('rule', ['', 'SUM', 'mean', 'natur', u'\u017elu\u0165', b'\xff', 0, 1,
                                  True, [], {}, sum, ['sum'], float('nan')])
def test_what_is_no_rule_is_a_value_error(rule):
    """[natural rules]"""
    with pytest.raises(ValueError) as caught:
        combine.rules_of(rule)
    assert str(caught.value) == (
        "rule must be 'sum', 'avg', 'min', 'max', 'nature' or None, got {0!r}".format(rule))


@pytest.mark.parametrize('name, count', [
    ('METRICS_SUM', 75), ('METRICS_AVG', 13), ('METRICS_NATURE', 88)])
def test_the_rules_are_reachable(name, count):
    """[documented names; lists of metrics]"""
    assert getattr(utils, name) is getattr(metrics, name)
    assert len(getattr(utils, name)) > count


def test_a_metric_is_known_or_reported():
    """[metric names]"""
    combine.check_metric('scur', ['scur'])
    combine.check_metric('eint', ['scur'])
    combine.check_metric('eint', ['scur'], ['eint', 'pxname'])
    combine.check_metric('scur', ['scur'], [])
    for reported in ([], ['scur', 'type']):
        with pytest.raises(ValueError):
            combine.check_metric('eint', ['scur'], reported)
    with pytest.raises(ValueError):
        combine.check_metric('type', ['scur'], ['type'])


def test_the_nearest_names_are_told():
    """[metric names]"""
    with pytest.raises(ValueError) as caught:
        combine.check_metric('req_tt', metrics.FRONTEND_METRICS)
    assert str(caught.value).startswith("unknown metric 'req_tt'; did you mean 'req_tot'")
    for name in (u'\u017elu\u0165', b'\xff'):
        with pytest.raises(ValueError) as caught:
            combine.check_metric(name, metrics.FRONTEND_METRICS)
        assert 'unknown metric {0!r}'.format(name) == str(caught.value)


@pytest.mark.parametrize('name', [None, 5, ''])
def test_what_is_no_name_is_a_value_error(name):
    """[metric names]"""
    with pytest.raises(ValueError):
        combine.check_metric(name, metrics.FRONTEND_METRICS)


# Comparing

@pytest.mark.parametrize('elements, expected', [
    (['OK', 'ok'], False), (['OK', 'OK'], True), ([22, 22, 22], True), ([22, 22, 222], False),
    ([], False), (['x'], True), (iter(['x', 'x']), True), (iter([]), False), ('aa', True),
    ([[], []], True), ([None], True),
])
def test_elements_of_list_same(elements, expected):
    """[what is not there]"""
    assert combine.elements_of_list_same(elements) is expected


@pytest.mark.parametrize('values, expected', [
    ([(1, 'OPEN'), (2, 'OPEN')], 'OPEN'), ([(1, 5)], 5), ([(1, '')], ''), ([(1, []), (1, [])], [])])
def test_a_value_that_all_hold_is_returned(values, expected):
    assert combine.compare_values(values) == expected


@pytest.mark.parametrize('values', [[(1, 'OPEN'), (2, 'STOP')], [(1, 1), (2, 1), (3, 2)], []])
def test_processes_that_disagree_are_inconsistent(values):
    with pytest.raises(exceptions.IncosistentData) as caught:
        combine.compare_values(values)
    assert caught.value.results == values


# Merging the lists of several processes

class Member(object):

    def __init__(self, name, process_nb=1):
        self.name = name
        self.process_nb = process_nb
        self.socket_file = '/run/{0}'.format(process_nb)


def test_things_come_in_the_order_of_the_first_process_that_has_them():
    """[stable order]"""
    lists = [[Member('a', 1), Member('c', 1)], [Member('b', 2), Member('a', 2)],
             [Member('d', 3), Member('b', 3)]]
    merged = combine.merge(lists)
    assert [[(member.name, member.process_nb) for member in members] for members in merged] == [
        [('a', 1), ('a', 2)], [('c', 1)], [('b', 2), ('b', 3)], [('d', 3)]]


def test_a_value_that_differs_tells_what_each_holds():
    assert combine.common_value([(1, '/run/1', 'x'), (2, '/run/2', 'x')]) == 'x'
    with pytest.raises(exceptions.IncosistentData) as caught:
        combine.common_value([(1, '/run/1', 'x'), (2, '/run/2', 'y')])
    assert caught.value.results == [(1, 'x'), (2, 'y')]
    assert caught.value.by_socket == [('/run/1', 'x'), ('/run/2', 'y')]
    assert str(caught.value).endswith("process 1 on /run/1: 'x', process 2 on /run/2: 'y'")
