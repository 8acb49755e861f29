# -*- coding: utf-8 -*-
# SPDX-License-Identifier: Apache-2.0
"""haproxyadmin.utils: parse replies, compare and add up, including the documented examples."""
import copy
import csv
import io
import itertools
import os
import pickle
import time

import pytest
import six

from haproxyadmin import combine, exceptions, utils
from haproxyadmin.parsers import stats
from haproxyadmin.parsers.info import info2dict, is_info, parse_description
from haproxyadmin.parsers.lines import split_lines
from haproxyadmin.parsers.values import converter, isint
from haproxyadmin.protocol import metrics, replies, words
from tests.support import captured, fakes


@pytest.fixture(autouse=True)
def heads():
    """Restore the shared heads after the test."""
    before = stats.CSVLine.heads
    yield
    stats.CSVLine.heads = before


def lines_of(version, name='stat.csv'):
    return fakes.text(captured.dump(version, name)).rstrip('\n').split('\n')


def csv_text(rows):
    """Return rows as lines of CSV, header first, as HAProxy prints them."""
    output = io.BytesIO() if six.PY2 else io.StringIO()
    csv.writer(output, lineterminator='\n').writerows(rows)
    return '# ' + output.getvalue()[:-1]


def dump(rows, **options):
    return stats.Dump(csv_text(rows).split('\n'), **options)


HEADER = ['pxname', 'svname', 'scur', 'status', 'last_chk', 'type', '']
WEB = ['web', 'FRONTEND', '1', 'OPEN', '', '0', '']
APP = ['app', 'BACKEND', '2', 'UP', '', '1', '']
ONE = ['app', 'one', '3', 'UP 1/2', '', '2', '']
TWO = ['app', 'two', '4', 'no check', '', '2', '']
LISTENER = ['web', 'sock-1', '5', 'OPEN', '', '3', '']


# CSVLine

class TestCSVLine(object):

    def test_the_documented_example(self):
        """[CSVLine]"""
        stats.CSVLine.heads = ['pxname', 'type', 'lbtol']
        line = stats.CSVLine(['foor', 'backend', '444'])
        assert (line.pxname, line.type, line.lbtol) == ('foor', 'backend', '444')
        with pytest.raises(ValueError) as caught:
            line.bar
        assert str(caught.value) == "'bar' is not in list"

    def test_the_heads_are_shared_by_all_lines(self):
        """[CSVLine]"""
        first, second = stats.CSVLine(['1', '2']), stats.CSVLine(['3', '4'])
        stats.CSVLine.heads = ['a', 'b']
        assert (first.a, second.b) == ('1', '4')
        stats.CSVLine.heads = ['b', 'a']
        assert (first.a, second.b) == ('2', '3')
        assert first.heads is stats.CSVLine.heads

    def test_an_unknown_field_is_a_value_and_an_attribute_error(self):
        """[CSVLine]"""
        stats.CSVLine.heads = ['a']
        line = stats.CSVLine(['1'])
        for kind in (ValueError, AttributeError):
            with pytest.raises(kind):
                line.b
        assert hasattr(line, 'a') and not hasattr(line, 'b')
        assert getattr(line, 'b', 'nothing') == 'nothing'

    def test_a_dunder_is_a_plain_attribute_error(self):
        """[CSVLine]"""
        with pytest.raises(AttributeError) as caught:
            stats.CSVLine(['1']).__no_such__
        assert not isinstance(caught.value, ValueError)

    @pytest.mark.parametrize('protocol', range(pickle.HIGHEST_PROTOCOL + 1))
    def test_a_line_survives_pickle_and_copy(self, protocol):
        """[CSVLine]"""
        stats.CSVLine.heads = ['a', 'b']
        line = stats.CSVLine(['1', '2'])
        for again in (pickle.loads(pickle.dumps(line, protocol)), copy.copy(line),
                      copy.deepcopy(line)):
            assert type(again) is stats.CSVLine
            assert (again.a, again.b, again.parts) == ('1', '2', ['1', '2'])

    def test_the_repr_shows_the_fields(self):
        stats.CSVLine.heads = ['a', 'b']
        assert repr(stats.CSVLine(['1', 'x y'])) == "<CSVLine a='1' b='x y'>"


class TestRow(object):

    def test_a_row_carries_the_header_of_its_reply(self):
        """[CSVLine] The library neither reads nor changes the shared heads."""
        stats.CSVLine.heads = ['scur', 'pxname']
        row = dump([HEADER, WEB]).frontend('web')
        other = dump([['svname', 'pxname', 'type', ''], ['FRONTEND', 'x', '0', '']]).frontend('x')
        assert isinstance(row, stats.CSVLine)
        assert (row.pxname, row.scur, other.pxname) == ('web', '1', 'x')
        assert row.heads == HEADER[:-1] and row.parts == WEB[:-1]
        assert stats.CSVLine.heads == ['scur', 'pxname']

    def test_an_unknown_field_is_a_value_and_an_attribute_error(self):
        """[CSVLine]"""
        row = dump([HEADER, WEB]).frontend('web')
        for kind in (ValueError, AttributeError):
            with pytest.raises(kind) as caught:
                row.addr
        assert str(caught.value) == "'addr' is not in list"
        assert hasattr(row, 'scur') and not hasattr(row, 'addr')
        with pytest.raises(AttributeError) as caught:
            row.__no_such__
        assert not isinstance(caught.value, ValueError)

    @pytest.mark.parametrize('protocol', range(pickle.HIGHEST_PROTOCOL + 1))
    def test_a_row_survives_pickle_and_copy(self, protocol):
        """[CSVLine]"""
        row = dump([HEADER, WEB]).frontend('web')
        for again in (pickle.loads(pickle.dumps(row, protocol)), copy.copy(row),
                      copy.deepcopy(row)):
            assert stats.row2dict(again) == stats.row2dict(row)
            assert again.status == 'OPEN'

    def test_a_field_that_is_not_reported_has_a_default(self):
        row = dump([HEADER, WEB]).frontend('web')
        assert stats.field(row, 'scur') == '1'
        assert stats.field(row, 'addr') == ''
        assert stats.field(row, 'addr', None) is None


# show stat

def rows_by_csv(lines):
    """Return the rows of a reply as the csv module reads them."""
    reader = csv.DictReader(io.BytesIO('\n'.join(lines)[2:]) if six.PY2
                            else io.StringIO('\n'.join(lines)[2:], newline=''))
    return [row for row in reader]


def rows_of(nested):
    """Return all rows of the nested dictionary by proxy and name."""
    found = {}
    for name, row in nested['frontends'].items():
        found[name, 'FRONTEND'] = row
    for name, backend in nested['backends'].items():
        if backend['stats'] is not None:
            found[name, 'BACKEND'] = backend['stats']
        for server, row in backend['servers'].items():
            found[name, server] = row
    return found


class TestStat2dict(object):

    @pytest.mark.parametrize('version', captured.VERSIONS)
    def test_the_rows_are_those_of_the_csv_module(self, version):
        """[CSV]"""
        lines = lines_of(version)
        found = rows_of(stats.stat2dict(lines))
        expected = rows_by_csv(lines)
        names = lines[0][2:].split(',')
        unique = [name for name in names if names.count(name) == 1 and name]
        assert len(found) == len(expected) > 20
        for row in expected:
            ours = found[row['pxname'], row['svname']]
            by_name = stats.row2dict(ours)
            assert [by_name[name] for name in unique] == [row[name] for name in unique]
            assert [getattr(ours, name) for name in unique[::9]] == [
                row[name] for name in unique[::9]]

    def test_the_structure_is_the_documented_one(self):
        nested = stats.stat2dict(csv_text([HEADER, WEB, ONE, TWO, APP]).split('\n'))
        assert sorted(nested) == ['backends', 'frontends']
        assert list(nested['frontends']) == ['web'] and list(nested['backends']) == ['app']
        assert sorted(nested['backends']['app']) == ['servers', 'stats']
        assert sorted(nested['backends']['app']['servers']) == ['one', 'two']
        assert nested['backends']['app']['servers']['two'].status == 'no check'
        assert nested['backends']['app']['stats'].scur == '2'
        assert isinstance(nested['frontends']['web'], stats.CSVLine)

    def test_the_argument_is_left_as_it_is(self):
        lines = csv_text([HEADER, WEB]).split('\n') + ['', '']
        before = list(lines)
        stats.stat2dict(lines)
        assert lines == before

    def test_servers_without_their_backend_have_no_stats(self):
        nested = stats.stat2dict(csv_text([HEADER, ONE]).split('\n'))
        assert nested['backends']['app']['stats'] is None
        assert list(nested['backends']['app']['servers']) == ['one']

    def test_a_header_alone_has_no_rows(self):
        assert stats.stat2dict([csv_text([HEADER])]) == {'frontends': {}, 'backends': {}}

    @pytest.mark.parametrize('lines', [
        [],
        [''],
        ['web,FRONTEND,1'],
        ['pxname,svname,scur,'],
        ['# name,value'],
        ['Unknown command. Please enter one of the following commands only :'],
        [csv_text([HEADER, WEB[:-1]])],
        [csv_text([HEADER, WEB + ['']])],
        [csv_text([HEADER, WEB]), 'web'],
        [csv_text([HEADER]), 'web,FRONTEND,1'],
        [csv_text([HEADER]), '', csv_text([WEB])[2:]],
    ])
    def test_what_is_not_whole_is_a_value_error(self, lines):
        """[CSV] A partial list is never returned."""
        with pytest.raises(ValueError):
            stats.stat2dict('\n'.join(lines).split('\n') if lines else [])

    def test_a_quoted_field_without_an_end_is_a_value_error(self):
        lines = [csv_text([HEADER]), 'app,one,3,UP,"open,2,', 'app,two,3,UP,x,2,']
        with pytest.raises(ValueError):
            stats.stat2dict(lines)


class TestDump(object):

    @pytest.mark.parametrize('text', [
        'a, b', 'say "hi"', 'line\nbreak', '"', '""', ',', ',,,', '\n', '"\n",', 'a"b', 'x' * 5000,
        '  ', u'\u017e'.encode('utf-8').decode('latin-1') if six.PY3 else '\xc5\xbe'])
    def test_a_quoted_field_is_read_whole(self, text):
        """[CSV]"""
        odd = list(ONE)
        odd[4] = text
        found = dump([HEADER, WEB, odd, TWO, APP])
        assert found.server('app', 'one').last_chk == text
        assert found.server('app', 'one').parts == odd[:-1]
        assert found.server('app', 'two').parts == TWO[:-1]
        assert [name for name, _ in found.servers_of('app')] == ['one', 'two']

    def test_a_quoted_name_is_found(self):
        """[CSV]"""
        odd = ['a,"b"', 'BACKEND'] + APP[2:]
        found = dump([HEADER, odd, ['a,"b"', 's\n1'] + ONE[2:]])
        assert found.backend('a,"b"').scur == '2'
        assert found.server('a,"b"', 's\n1').scur == '3'

    @pytest.mark.parametrize('order', list(itertools.permutations(range(4)))[::5])
    def test_any_order_of_columns_is_understood(self, order):
        """[CSV]"""
        def shuffled(row):
            columns = [row[0], row[1], row[2], row[5]]
            return [columns[position] for position in order] + ['new', '']
        found = dump([shuffled(row) for row in (HEADER, WEB, ONE, APP, LISTENER)])
        assert found.frontend('web').scur == '1'
        assert found.backend('app').scur == '2'
        assert found.server('app', 'one').scur == '3'
        assert found.server('web', 'sock-1') is None

    def test_unknown_columns_are_fields_too(self):
        """[CSV]"""
        found = dump([HEADER[:-1] + ['later', ''], WEB[:-1] + ['x', '']])
        assert found.frontend('web').later == 'x'

    def test_a_name_that_comes_twice_is_that_of_the_first_column(self):
        """[CSV] 2.4 separates its modules by columns named "-"."""
        found = dump([['pxname', 'svname', 'type', '-', 'x', '-', 'x', ''],
                      ['web', 'FRONTEND', '0', '', '1', '', '2', '']])
        assert found.frontend('web').x == '1'

    def test_listeners_are_no_servers(self):
        """[CSV]"""
        found = dump([HEADER, WEB, LISTENER, ONE, APP])
        assert list(found.servers) == ['app']
        assert found.server('web', 'sock-1') is None

    def test_a_server_may_be_called_like_a_proxy(self):
        rows = [HEADER, APP, ['app', 'BACKEND'] + ONE[2:], ['app', 'FRONTEND'] + TWO[2:]]
        found = dump(rows)
        assert found.backend('app').scur == '2'
        assert [(name, row.scur) for name, row in found.servers_of('app')] == [
            ('BACKEND', '3'), ('FRONTEND', '4')]
        assert not found.frontends

    def test_the_order_is_haproxys(self):
        """[stable order]"""
        found = dump([HEADER, ['z', 'FRONTEND'] + WEB[2:], WEB, ['z', 'BACKEND'] + APP[2:], TWO,
                      ONE, APP])
        assert list(found.frontends) == ['z', 'web']
        assert list(found.backends) == ['z', 'app']
        assert [name for name, _ in found.servers_of('app')] == ['two', 'one']

    def test_what_is_not_there_is_none(self):
        found = dump([HEADER, WEB])
        assert found.frontend('x') is found.backend('web') is found.server('web', 'x') is None
        assert list(found.servers_of('x')) == []

    @pytest.mark.parametrize('protocol', range(pickle.HIGHEST_PROTOCOL + 1))
    def test_a_dump_survives_pickle(self, protocol):
        again = pickle.loads(pickle.dumps(dump([HEADER, WEB, ONE, APP]), protocol))
        assert again.frontend('web').scur == '1'
        assert again.server('app', 'one').scur == '3'

    def test_a_header_is_used_again_only_where_it_is_the_same(self):
        first = dump([HEADER, WEB])
        assert dump([HEADER, WEB], header=first.header).header is first.header
        other = dump([['svname', 'pxname', 'type', ''], ['FRONTEND', 'x', '0', '']],
                     header=first.header)
        assert other.frontend('x').pxname == 'x'

    def test_many_lines_with_an_open_quote_take_no_time(self):
        """A million rows may contain one unclosed quote."""
        lines = [csv_text([HEADER]), 'app,one,3,UP,"open,2,'] + ['app,x,3,UP,,2,'] * 20000
        start = time.time()
        with pytest.raises(replies.Malformed):
            stats.Dump(lines)
        assert time.time() - start < 10


# show info

class TestInfo(object):

    @pytest.mark.parametrize('version', captured.VERSIONS)
    def test_every_field_is_there_as_haproxy_prints_it(self, version):
        lines = lines_of(version, 'info.txt')
        info = info2dict(lines)
        assert len(info) == len(lines)
        for line in lines:
            name, value = line.split(':', 1)
            assert ': '.join([name, info[name]]) == line or (info[name] == '' == value.strip())

    @pytest.mark.parametrize('lines, expected', [
        ([], {}),
        (['Name: HAProxy', 'Pid: 1155', 'Uptime: 5d 4h42m16s'],
         {'Name': 'HAProxy', 'Pid': '1155', 'Uptime': '5d 4h42m16s'}),
        (['description: a: b', 'description2:', 'description3: '],
         {'description': 'a: b', 'description2': '', 'description3': ''}),
        (['description:  two '], {'description': ' two '}),
        (['', 'no colon', 'Unstoppable Jobs: 0'], {'Unstoppable Jobs': '0'}),
    ])
    def test_a_line_is_a_name_and_its_value(self, lines, expected):
        assert info2dict(lines) == expected

    @pytest.mark.parametrize('version, text, expected', [
        ('2.2.9', 'HAProxy lab', 'HAProxy lab'),
        ('2.2.9', '"say ""hi"" now"', 'say "hi" now'),
        ('1.7.0', '"a, b"', 'a, b'),
        ('3.4.0', '"a, b"', 'a, b'),
        ('1.6.9', '"a, b"', '"a, b"'),
        ('1.5.8', 'say "hi" now', 'say "hi" now'),
        ('2.2.9', '""""', '"'),
        ('2.2.9', '"', '"'),
        ('2.2.9', '', ''),
    ])
    def test_a_description_is_the_plain_text(self, version, text, expected):
        """[description]"""
        assert parse_description({'Version': version, 'description': text}) == expected

    def test_no_description_is_the_empty_text(self):
        """[description]"""
        assert parse_description({'Version': '2.2.9'}) == ''

    @pytest.mark.parametrize('info, expected', [
        ({'Name': 'HAProxy', 'Pid': '1', 'Process_num': '1', 'Uptime_sec': '0'}, True),
        ({'Name': 'hapee-lb', 'Pid': '1', 'Process_num': '1', 'Uptime_sec': '0'}, True),
        ({'Name': 'HAProxy'}, False),
        ({'Name': 'HAProxy', 'Pid': 'x', 'Process_num': '1', 'Uptime_sec': '0'}, False),
        ({'Pid': '1', 'Process_num': '1', 'Uptime_sec': '0'}, False),
        ({}, False),
    ])
    def test_what_is_haproxy(self, info, expected):
        """[no HAProxy found]"""
        assert is_info(info) is expected


def test_a_line_that_is_too_short_lacks_its_last_fields(monkeypatch):
    """[CSVLine]"""
    monkeypatch.setattr(stats.CSVLine, 'heads', ['a', 'b'])
    line = stats.CSVLine(['1'])
    assert line.a == '1' and not hasattr(line, 'b')
    with pytest.raises(ValueError) as caught:
        line.b
    assert "'b'" in str(caught.value)


def test_without_types_the_names_of_totals_tell():
    """[CSV]"""
    found = stats.stat2dict(['# pxname,svname,scur', 'w,FRONTEND,1', 'w,BACKEND,2', 'w,s,3'])
    assert found['frontends']['w'].scur == '1'
    assert found['backends']['w']['stats'].scur == '2'
    assert list(found['backends']['w']['servers']) == ['s']


@pytest.mark.parametrize('text, expected', [
    ('1.2.3.4:80', ('1.2.3.4', '80')),
    ('[::1]:80', ('::1', '80')),
    ('[2001:db8::1]:0', ('2001:db8::1', '0')),
    ('unix', ('unix', '')),
    ('127.0.0.1:0', ('127.0.0.1', '0')),
    ('127.0.0.1:-1', ('127.0.0.1', '-1')),
    ('127.0.0.1:+100', ('127.0.0.1', '+100')),
    ('', ('', '')),
])
def test_every_form_of_an_address_is_understood(text, expected):
    """[address and port]"""
    assert stats.split_address(text) == expected


# Numbers

@pytest.mark.parametrize('value, expected', [
    ('0', 0), ('13.5', 13), ('13.5f', '13.5f'), ('', None), (' ', None), ('UP', 'UP'),
    ('UP 1/2', 'UP 1/2'),
    ('-13.5', -13), ('-0.9', 0), ('13.', 13), ('.9', 0), (' 7 ', 7), ('+7', 7), ('-1', -1),
    (str(2 ** 63), 2 ** 63), (str(2 ** 64 - 1), 2 ** 64 - 1), ('9007199254740993', 2 ** 53 + 1),
    ('-9223372036854775808', -2 ** 63), ('1e3', 1000),
    ('inf', 'inf'), ('-inf', '-inf'), ('nan', 'nan'), ('Infinity', 'Infinity'), ('NaN', 'NaN'),
    ('1e999', '1e999'), ('1_000', '1_000'), ('0x10', '0x10'), ('1,000', '1,000'), ('--1', '--1'),
    ('1 2', '1 2'), ('\t\n', None), ('0d 0h00m02s', '0d 0h00m02s'),
    (5, 5), (5.9, 5), (-5.9, -5), (2 ** 70, 2 ** 70), (None, None), ([], None), ({}, None),
    (float('inf'), None), (float('nan'), None), (u'42', 42), (b'42', 42),
])
def test_converter(value, expected):
    """[sums and averages] Integers stay exact; what only looks like a number is not converted."""
    converted = converter(value)
    assert converted == expected
    assert not isinstance(converted, (float, bool))


@pytest.mark.parametrize('value, expected', [
    (5, True), ('5', True), ('-5', True), (b'5', True), (u'5', True), (5.0, True), (2 ** 70, True),
    ('', False), (' ', False), ('5.0', False), ('x', False), ('1_000', False), ('0x10', False),
    (5.5, False), (True, False), (None, False), ([], False), (float('nan'), False),
    (float('inf'), False),
])
def test_isint_returns_true_or_false(value, expected):
    """[what is not there]"""
    assert isint(value) is expected


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


@pytest.mark.parametrize('name, count', [('METRICS_SUM', 75), ('METRICS_AVG', 13)])
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


# Calling

class Thing(object):

    def __init__(self, process_nb):
        self.process_nb = process_nb

    def double(self, number, more=0):
        return number * 2 + more


def test_a_method_is_called_on_all():
    things = [Thing(4), Thing(3)]
    assert utils.cmd_across_all_procs(things, 'double', 5) == [(4, 10), (3, 10)]
    assert utils.cmd_across_all_procs(things, 'double', 5, more=1) == [(4, 11), (3, 11)]
    assert utils.cmd_across_all_procs([], 'double') == []
    with pytest.raises(AttributeError):
        utils.cmd_across_all_procs(things, 'nope')


@utils.should_die
def divide(number, by=1):
    """Divide."""
    return number // by


def test_should_die_lets_exceptions_through_by_default():
    """[verdicts]"""
    assert divide(4, by=2) == divide(4, by=2, die=True) == 2
    for arguments in ({}, {'die': True}, {'die': 1}):
        with pytest.raises(ZeroDivisionError):
            divide(4, by=0, **arguments)


def test_die_false_returns_false_in_place_of_raising():
    """[verdicts] On success it returns the function's own value."""
    assert divide(4, by=0, die=False) is False
    assert divide(4, by=2, die=False) == 2
    assert divide('x', die=False) is False


def test_die_false_lets_an_interrupt_through():
    """[verdicts] It only catches what derives from Exception."""
    @utils.should_die
    def interrupted():
        raise KeyboardInterrupt
    with pytest.raises(KeyboardInterrupt):
        interrupted(die=False)


def test_should_die_keeps_name_and_docstring():
    assert (divide.__name__, divide.__doc__) == ('divide', 'Divide.')


# Sockets

def test_is_unix_socket(fleet):
    """[what is not there]"""
    started = fleet('2.2')
    started.file('plain')
    os.symlink(started[0].path, started.path('link'))
    assert utils.is_unix_socket(started[0].path) is True
    assert utils.is_unix_socket(started.path('link')) is True
    assert utils.is_unix_socket(started.stale()) is True
    for path in (started.path('missing'), started.path('plain'), started.directory, '', None,
                 'a\0b', 99999):
        assert utils.is_unix_socket(path) is False


def test_connected_socket_costs_one_command(fleet):
    """[no HAProxy found]"""
    started = fleet('2.2')
    assert utils.connected_socket(started[0].path, fakes.LONG) is True
    assert started.commands == [['show info']]


@pytest.mark.parametrize('reply', [
    b'220 mail.example.com ESMTP\n', b'Name: Not what you think\n\n', b'\xff\xfe\n', b'\n'])
def test_what_is_not_haproxy_is_no_connected_socket(reply, fleet):
    """[no HAProxy found]"""
    started = fleet('2.2')
    started[0].script = [fakes.replying(reply)]
    assert utils.connected_socket(started[0].path, timeout=fakes.LONG) is False


def test_where_there_is_no_answer_is_no_connected_socket(fleet):
    """[constructor; no HAProxy found]"""
    started = fleet('2.2')
    started[0].script = [fakes.silent]
    start = time.time()
    assert utils.connected_socket(started[0].path, timeout=0.1) is False
    assert time.time() - start < 10
    for path in (started.path('missing'), started.stale(), started.file('plain'),
                 started.datagram()):
        assert utils.connected_socket(path) is False
    started[0].script = [fakes.closing]
    assert utils.connected_socket(started[0].path, timeout=fakes.LONG) is False


# Text

@pytest.mark.parametrize('reply, lines', [
    (b'', []), (b'\n', []), (b'\n\n', []), (b'a\n\n', ['a']), (b'\na\nb\n\n', ['a', 'b']),
    (b'a\n\nb\n\n', ['a', '', 'b']), (b' a \n', [' a ']),
])
def test_a_reply_is_lines(reply, lines):
    assert split_lines(reply) == lines


@pytest.mark.parametrize('raw', [b'/\xc5\xbelu\xc5\xa5', b'\xff\xfe', b'\xed\xb2\x80'])
def test_any_bytes_survive_a_round_trip(raw):
    """[UTF-8]"""
    line, = split_lines(raw + b'\n\n')
    assert isinstance(line, str)
    assert words.escape_word(line, (2, 2, 9)) == raw


def test_of_columns_with_the_same_name_the_first_counts_everywhere(monkeypatch):
    """As in 2.5, where two columns share a name."""
    dump = stats.Dump(['# pxname,svname,scur,scur,type,', 'b,BACKEND,3,4,1,'])
    row = dump.backend('b')
    assert row.scur == '3' == stats.row2dict(row)['scur'] == stats.field(row, 'scur')
    assert combine.aggregate_all([], stats.columns([row])) == {'scur': 3}
    monkeypatch.setattr(stats.CSVLine, 'heads', ['pxname', 'svname', 'svname'])
    assert stats.row2dict(stats.CSVLine(['a', 'b', 'c'])) == {'pxname': 'a', 'svname': 'b'}


def test_columns_of_processes_of_different_versions():
    rows = [stats.Dump(['# pxname,svname,scur,type,', 'b,BACKEND,3,1,']).backend('b'),
            stats.Dump(['# pxname,svname,type,eint,scur,', 'b,BACKEND,1,7,5,']).backend('b')]
    assert combine.aggregate_all(['bin'], stats.columns(rows)) == {'bin': 0, 'scur': 8, 'eint': 7}
