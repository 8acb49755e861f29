# -*- coding: utf-8 -*-
# SPDX-License-Identifier: Apache-2.0
"""parsers/stats.py: rows of show stat."""
import copy
import csv
import io
import itertools
import pickle
import time

import pytest
import six

from haproxyadmin import combine
from haproxyadmin.parsers import stats
from haproxyadmin.protocol import replies
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
