# -*- coding: utf-8 -*-
# SPDX-License-Identifier: Apache-2.0
"""overview.py: the table of everything."""
import fcntl
import os
import pickle
import pty
import re
import struct
import subprocess
import sys
import termios

import pytest
import six

from haproxyadmin import overview
from haproxyadmin.parsers import stats
from tests.support import captured, fakes

ROWS = 'show stat -1 7 -1'
HEADER = ['pxname', 'svname', 'scur', 'smax', 'rate', 'stot', 'req_tot', 'ereq', 'econ', 'eresp',
          'qcur', 'weight', 'status', 'check_status', 'check_code', 'type', 'mode']


def row(proxy, name, **fields):
    kinds = {'FRONTEND': '0', 'BACKEND': '1'}
    usual = {'pxname': proxy, 'svname': name, 'type': kinds.get(name, '2'), 'status': 'UP'}
    return ['' if field not in dict(usual, **fields) else str(dict(usual, **fields)[field])
            for field in HEADER]


def dump(*rows, **options):
    header = options.get('header', HEADER)
    lines = ['# ' + ','.join(header)] + [','.join(
        '"{0}"'.format(field.replace('"', '""')) if '"' in field else field
        for field in fields) for fields in rows]
    return stats.Dump(lines, listeners=False)


WEB = row('web', 'FRONTEND', status='OPEN', scur=3, smax=9, rate=2, stot=70, req_tot=500, ereq=4,
          mode='http')
TCP = row('db', 'FRONTEND', status='OPEN', scur=0, smax=1, rate=0, stot=7, req_tot=0, ereq=0,
          mode='tcp')
APP = row('app', 'BACKEND', scur=1, smax=2, rate=0, stot=60, econ=3, eresp=2, qcur=6, weight=150)
APP1 = row('app', 'app1', scur=1, smax=1, rate=0, stot=40, econ=1, eresp=2, qcur=4, weight=100,
           check_status='L7OK', check_code=200)
APP2 = row('app', 'app2', scur=0, smax=1, rate=0, stot=20, econ=2, eresp=0, qcur=2, weight=50,
           check_status='* L4CON')
ONE = [WEB, TCP, APP1, APP2, APP]


def table(dumps, pattern=None, width=1000):
    return str(overview.make_overview(lambda: dumps, pattern, width))


def words(text):
    return [line.split() for line in text.split('\n')]


def test_the_table_of_one_process():
    assert table([dump(*ONE)]) == """\
FRONTEND  STATUS  SESS  MAX  RATE  REQS  ERRS  QUEUE  WEIGHT  CHECK
web       OPEN       3    9     2   500     4
db        OPEN       0    1     0     7     0

BACKEND   STATUS  SESS  MAX  RATE  REQS  ERRS  QUEUE  WEIGHT  CHECK
app       UP         1    2     0    60     5      6     150
  app1    UP         1    1     0    40     3      4     100  L7OK/200
  app2    UP         0    1     0    20     2      2      50  L4CON"""


def test_several_processes_are_added_up():
    """[sums and averages; stable order]"""
    other = [WEB, APP2[:11] + ['20', 'DOWN'] + APP2[13:], APP1, APP]
    assert words(table([dump(*ONE), dump(*other)])) == [
        'FRONTEND STATUS SESS MAX RATE REQS ERRS QUEUE WEIGHT CHECK'.split(),
        'web OPEN 6 18 4 1000 8'.split(), 'db OPEN 0 1 0 7 0'.split(), [],
        'BACKEND STATUS SESS MAX RATE REQS ERRS QUEUE WEIGHT CHECK'.split(),
        'app UP 2 4 0 120 10 12 150'.split(), 'app1 UP 2 2 0 80 6 8 100 L7OK/200'.split(),
        'app2 UP, DOWN 0 2 0 40 4 4 35 L4CON'.split()]


def test_processes_with_other_proxies():
    shown = words(table([dump(WEB), dump(APP1, APP), dump(APP1, APP2, APP)]))
    assert [cells[0] for cells in shown if cells] == [
        'FRONTEND', 'web', 'BACKEND', 'app', 'app1', 'app2']
    assert shown[-2:] == ['app1 UP 2 2 0 80 6 8 100 L7OK/200'.split(),
                          'app2 UP 0 1 0 20 2 2 50 L4CON'.split()]


def test_the_last_of_several_servers_with_one_name_counts():
    for count in (1, 2):
        shown = words(table([dump(APP1, APP1[:2] + ['8'] + APP1[3:], APP)] * count))
        assert len(shown) == 3 and shown[-1][2] == str(8 * count)


def test_what_is_not_reported_is_empty():
    assert words(table([dump(row('a', 's', scur='', stot=''), row('a', 'BACKEND', scur=1))])) == [
        ['BACKEND', 'STATUS', 'SESS'], ['a', 'UP', '1'], ['s', 'UP']]
    few = ['pxname', 'svname', 'status', 'type']
    rows = [['a', 's', 'UP', '2'], ['a', 'BACKEND', 'DOWN', '1']]
    assert words(table([dump(*rows, header=few)])) == [
        ['BACKEND', 'STATUS'], ['a', 'DOWN'], ['s', 'UP']]
    # Two versions of HAProxy, one of which reports less.
    assert words(table([dump(*rows, header=few), dump(row('a', 'BACKEND', scur=4, econ=1))]))[1:] == [
        ['a', 'DOWN,', 'UP', '4', '1'], ['s', 'UP']]


@pytest.mark.parametrize('pattern, names', [
    (None, ['web', 'db', 'app', 'app1', 'app2', 'zoo', 'w1']),
    ('*', ['web', 'db', 'app', 'app1', 'app2', 'zoo', 'w1']),
    ('app', ['app', 'app1', 'app2']), ('a*', ['app', 'app1', 'app2']), ('app1', ['app', 'app1']),
    ('w*', ['web', 'zoo', 'w1']), ('[dz]*', ['db', 'zoo', 'w1']), ('w?b', ['web']),
    (u'w?b', ['web']), (b'w?b', ['web']), ('W*', []), ('', []), ('nope', []), (u'\xfc', [])])
def test_a_pattern_chooses_names(pattern, names):
    shown = table([dump(*(ONE + [row('zoo', 'w1'), row('zoo', 'BACKEND')]))] * 2, pattern)
    first = [cells[0] for cells in words(shown) if cells]
    if names:
        assert [name for name in first if name not in ('FRONTEND', 'BACKEND')] == names
    else:
        assert shown.startswith("no frontend, backend or server matches '")


def test_what_has_nothing_says_so():
    assert table([dump()]) == 'HAProxy has no frontend and no backend'
    assert table([dump()], 'web\x1b[2J*', 30) == 'no frontend, backend or serv..'
    empty = overview.make_overview(lambda: [dump()], '<web\x1b*', None)
    assert str(empty) == "no frontend, backend or server matches '<web\\x1b*'"
    assert empty._repr_html_() == ('<p>no frontend, backend or server matches '
                                   '&#39;&lt;web\\x1b*&#39;</p>')


@pytest.mark.parametrize('pattern, width', [
    (5, None), (True, None), ([], None), (('a', 'b'), None), (None, 19), (None, -1), (None, 0),
    (None, True), (None, '80'), (None, 80.0), (None, 10 ** 50)])
@pytest.mark.parametrize('snapshot', [False, True])
def test_a_wrong_argument_is_an_error_before_anything_is_sent(snapshot, pattern, width, fleet):
    """[argument checks]"""
    started = fleet('2.2', 2)
    hap = started.haproxy()
    source = hap.snapshot() if snapshot else hap
    started.forget()
    with pytest.raises(ValueError):
        source.overview(pattern, width)
    assert started.commands == [[], []]


# The width

@pytest.mark.parametrize('width', list(range(20, 100)))
def test_no_line_is_longer_than_the_width(width):
    """The most important columns stay longest."""
    long = [row('an-unusually-long-name-of-a-backend', name, scur=10 ** 6, stot=10 ** 12, econ=7,
                status='MAINT (via app/app1)', check_status='L7OKC', check_code=404)
            for name in ('server-of-the-first-rack', 'server-of-the-second-rack', 'BACKEND')]
    lines = table([dump(*(ONE + long))], width=width).split('\n')
    assert max(map(len, lines)) <= width
    assert len(lines) == 11
    titles = lines[0].split()
    for title in ('MAX', 'WEIGHT', 'RATE', 'CHECK', 'REQS', 'QUEUE', 'ERRS', 'SESS'):
        if title in titles:
            break
        titles.append(title)
    assert sorted(titles) == sorted(
        ['FRONTEND', 'STATUS', 'SESS', 'MAX', 'RATE', 'REQS', 'ERRS', 'QUEUE', 'WEIGHT', 'CHECK'])
    # What distinguishes names is mostly at their ends.
    assert lines[-1].split()[0].endswith('rack') and '..' in lines[-1]


def test_a_table_that_fits_is_not_shortened():
    whole = table([dump(*ONE)])
    width = max(map(len, whole.split('\n')))
    assert table([dump(*ONE)], width=width) == whole
    assert 'MAX' in whole and 'MAX' not in table([dump(*ONE)], width=width - 1)


class TestTerminal(object):
    """How wide it is if nobody says so."""

    @pytest.fixture(autouse=True)
    def no_columns(self, monkeypatch):
        monkeypatch.delenv('COLUMNS', raising=False)

    @pytest.fixture
    def long(self):
        return overview.make_overview(
            lambda: [dump(row('x' * 300, 'BACKEND', scur=1))], None, None)

    def width(self, shown):
        return max(map(len, str(shown).split('\n')))

    @pytest.fixture
    def resize(self, monkeypatch):
        """Return a function that gives a terminal a width; it takes the place of the output."""
        master, slave = pty.openpty()
        output = os.fdopen(slave, 'w')

        def resize(columns):
            # Not earlier: pytest has an output of its own for the test itself.
            monkeypatch.setattr(sys, 'stdout', output)
            fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack('HHHH', 25, columns, 0, 0))
        yield resize
        output.close()
        os.close(master)

    def test_it_is_that_of_the_terminal_when_it_is_printed(self, long, resize):
        for columns in (120, 33, 70):
            resize(columns)
            assert self.width(long) == columns

    def test_a_terminal_without_a_width_has_80(self, long, resize):
        resize(0)
        assert self.width(long) == 80

    def test_a_narrow_terminal_is_taken_to_be_wider(self, long, resize):
        resize(7)
        assert self.width(long) == 20

    def test_python_2_asks_the_terminal_itself(self, long, resize, monkeypatch):
        monkeypatch.delattr(os, 'get_terminal_size', raising=False)
        resize(61)
        assert self.width(long) == 61

    def test_the_environment_comes_first(self, long, resize, monkeypatch):
        resize(61)
        for columns, width in [('44', 44), ('5', 20), ('', 61), ('x', 61), ('0', 61), ('-3', 61)]:
            monkeypatch.setenv('COLUMNS', columns)
            assert self.width(long) == width

    def test_what_is_asked_for_comes_before_that(self, resize, monkeypatch):
        resize(61)
        monkeypatch.setenv('COLUMNS', '44')
        shown = overview.make_overview(lambda: [dump(row('x' * 300, 'BACKEND'))], None, 90)
        assert self.width(shown) == 90

    @pytest.mark.parametrize('output', [None, object(), six.StringIO()])
    def test_without_a_terminal_nothing_is_shortened(self, long, output, monkeypatch):
        monkeypatch.setattr(sys, 'stdout', output)
        assert self.width(long) > 300

    def test_nor_in_a_file(self, long, tmpdir, monkeypatch):
        with open(str(tmpdir.join('output')), 'w') as output:
            monkeypatch.setattr(sys, 'stdout', output)
            assert self.width(long) > 300

    def test_nor_in_a_pipe(self):
        program = ('from haproxyadmin.overview import make_overview\n'
                   'from haproxyadmin.parsers.stats import Dump\n'
                   "dump = Dump(['# pxname,svname,status,type', 'x' * 300 + ',BACKEND,UP,1'])\n"
                   'print(make_overview(lambda: [dump], None, None))\n')
        environment = dict(os.environ, PYTHONPATH=os.pathsep.join(sys.path))
        environment.pop('COLUMNS', None)
        printed = subprocess.check_output([sys.executable, '-c', program], env=environment)
        assert b'x' * 300 in printed


# Hostile names

NAMES = [b'\x1b[2J\x1b[31m', b'a\rb', b'tab\there', b'\x07', b'\x7f', b'\xff\xfe', u'\xfc\u20ac'.encode('utf-8'),
         u'\u202edrowssap'.encode('utf-8'), u'\U0001f600'.encode('utf-8'), b'<script>alert(1)</script>',
         b'"onload="x', b"it's", b'&amp;', b'%s%n{0}', b'\x9b31m', b'\\', b'..', b'x' * 3000]


@pytest.mark.parametrize('raw', NAMES, ids=list(map(str, range(len(NAMES)))))
@pytest.mark.parametrize('width', [None, 20, 78])
def test_a_hostile_name_breaks_neither_the_table_nor_the_terminal(raw, width):
    name = fakes.text(raw)
    rows = [row(name, 'FRONTEND', status=name), row(name, name, check_status=name),
            row(name, 'BACKEND', status=name), row('b', name), row('b', 'BACKEND')]
    shown = overview.make_overview(lambda: [dump(*rows)] * 2, None, width)
    text = str(shown)
    assert type(text) is str and re.match(r'[ -~\n]*\Z', text) and repr(shown) == text
    assert len(text.split('\n')) == 8
    if width:
        assert max(map(len, text.split('\n'))) <= width
    page = shown._repr_html_()
    assert re.match(r'[ -~\n]*\Z', page)
    assert page.count('<tr>') == page.count('</tr>') == 7
    assert set(re.findall(r'<[^>]*>', page)) <= set([
        '<table>', '</table>', '<tr>', '</tr>', '</th>', '</td>', '<th style="text-align: left">',
        '<th style="text-align: right">', '<td style="text-align: left">',
        '<td style="text-align: right">'])
    assert not re.search(r'&(?!(amp|lt|gt|quot|#39|nbsp);)', page)


@pytest.mark.parametrize('count', [1, 2])
@pytest.mark.parametrize('figure', ['\x1b[2J', 'x', '<b>', fakes.text(u'\xb2'.encode('utf-8'))])
def test_what_is_no_number_is_no_figure(figure, count):
    shown = words(table([dump(row('a', 'BACKEND', scur=figure, weight=figure, smax=4))] * count))
    assert shown[1] == ['a', 'UP', '0', str(4 * count), '0']


def test_text_with_quotes_and_newlines():
    lines = ['# pxname,svname,status,type,scur', '"a""\nb","s,1",UP,2,5', '"a""\nb",BACKEND,UP,1,6']
    assert words(table([stats.Dump(lines, listeners=False)]))[1:] == [
        ['a"\\x0ab', 'UP', '6'], ['s,1', 'UP', '5']]


def test_html_shows_all_columns():
    page = overview.make_overview(lambda: [dump(*ONE)], None, 20)._repr_html_()
    rows = [re.sub(r'</t[hd]>', ' ', line) for line in page.split('\n')[1:-1]]
    assert [re.sub(r'<[^>]*>|&nbsp;', '', line).split() for line in rows] == [
        cells for cells in words(table([dump(*ONE)])) if cells]
    assert '<td style="text-align: left">&nbsp;&nbsp;app1</td>' in page


# From HAProxy

@pytest.mark.parametrize('version', captured.VERSIONS)
def test_it_says_what_the_statistics_say(version, fleet):
    """[one command per call]"""
    started = fleet(version, 2)
    hap = started.haproxy()
    shown = hap.overview(width=1000)
    assert started.commands == [[ROWS]] * 2
    rows = hap.stats()
    lines = [line for line in str(shown).split('\n') if line and ' STATUS ' not in line]
    assert [line.split()[0] for line in lines] == [
        row['pxname'] if row['type'] != 'server' else row['svname'] for row in rows]
    for line, row in zip(lines, rows):
        errors = sum(row[name] or 0 for name in ('ereq', 'econ', 'eresp'))
        figures = [row['scur'], row['smax'], row['rate'],
                   row['req_tot'] if row['type'] == 'frontend' else row['stot'], errors]
        if row['type'] != 'frontend':
            figures += [row['qcur'], row['weight']]
        assert line[:line.index(row['status'])].strip() == line.split()[0]
        cells = line[line.index(row['status']) + len(row['status']):].split()
        assert cells[:len(figures)] == list(map(str, figures))
        check = row['check_status'] and '/'.join(
            [row['check_status']] + [started[0].get(row['pxname'], row['svname'], 'check_code')] * bool(
                started[0].get(row['pxname'], row['svname'], 'check_code')))
        assert cells[len(figures):] == ([check] if check else [])


def test_a_snapshot_asks_nothing(fleet):
    started = fleet('3.2', 2)
    hap = started.haproxy()
    snapshot = hap.snapshot()
    started.forget()
    assert str(snapshot.overview('be_*')) == str(hap.overview('be_*'))
    assert started.connections == [1, 1]
    started.forget()
    again = pickle.loads(pickle.dumps(snapshot.overview()))
    assert str(again) == str(snapshot.overview())
    assert started.connections == [0, 0]


def test_it_stays_as_it_is(fleet):
    started = fleet('3.2', 1)
    shown = started.haproxy().overview()
    before = str(shown)
    started[0].set('tcp_listen', 'tcp1', 'scur', 5)
    assert str(shown) == before
