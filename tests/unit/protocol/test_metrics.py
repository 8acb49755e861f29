# SPDX-License-Identifier: Apache-2.0
"""protocol/metrics.py: compare the metric lists with HAProxy's field types and real dumps."""
import csv
import io
import json
import os
import re

import pytest
import six

from haproxyadmin.protocol import metrics
from tests.support import captured, typed

with io.open(os.path.join(captured.DATA, 'documented_metrics.json'), encoding='utf-8') as listings:
    DOCUMENTED = json.load(listings)

# Numeric fields that cannot be combined over several processes, and why.
NUMBERS_THAT_ARE_NO_FIGURES = {
    'Pid': 'names a process',
    'pid': 'names a process',
    'iid': 'names a proxy',
    'sid': 'names a server',
    'srid': 'names the server that has a sid now, though HAProxy says counter',
    'type': 'names a kind of row, though HAProxy says gauge',
    'check_code': 'an answer of the server',
    'agent_code': 'an answer of the server',
    'Tainted': 'a set of flags, which HAProxy says is text',
}

TEXTS = {
    'Name', 'Version', 'Release_date', 'Build info', 'Uptime', 'node', 'description',
    'pxname', 'svname', 'status', 'tracked', 'addr', 'cookie', 'mode', 'algo', 'proto',
    'check_status', 'check_desc', 'last_chk', 'agent_status', 'agent_desc', 'last_agt',
    # Column names that are not fields: the text after the header's last comma, the separator
    # between modules, and a bug in 2.8.0.
    '', '-', '(null)',
}

# Natures from HAProxy's source code, for fields that are in no captured "typed" dump.
UNTYPED = {
    # No server in the captured configuration has the settings that fill these.
    'qlimit': 'CGS', 'throttle': 'MaP', 'hanafail': 'MCP', 'src_ilim': 'CLP',
}

# Reported by versions or builds without a captured dump: 2.5 to 2.7, and 3.4 with QUIC.
UNCAPTURED = {
    'quic_streams_data_blocked_bidi': 'MCP', 'quic_streams_data_blocked_uni': 'MCP',
    'quic_ncbuf_gap_limit': 'MCP',
    'qc_rst_stream_rcvd': 'MCP', 'qc_rst_stream_resp': 'MCP',
    'qc_detected_conn_protocol_errors': 'MCP', 'qc_detected_strm_protocol_errors': 'MCP',
    'qc_open_connections': 'MGP', 'qc_backend_open_streams': 'MGP',
}

# Metrics that are not in the list that their nature suggests, and why.
EXCEPTIONS = {
    'Idle_pct': 'documented as a sum',
    'Process_num': 'documented as a sum',
    'act': 'documented as an average',
    'bck': 'documented as an average',
    'downtime': 'documented as an average',
    'qtime_max': 'follows qtime',
    'ctime_max': 'follows ctime',
    'rtime_max': 'follows rtime',
    'ttime_max': 'follows ttime',
}


def info_fields(version):
    """Return each field of show info with its value, as a set of one."""
    lines = six.ensure_text(captured.dump(version, 'info.txt')).splitlines()
    return {name: {value.strip()} for name, _, value in (line.partition(':') for line in lines)
            if name}


def stat_fields(version):
    """Return each column of show stat with the set of its values."""
    text = six.ensure_str(captured.dump(version, 'stat.csv'))
    rows = [row for row in csv.reader(text.lstrip('# ').splitlines()) if row]
    return dict(zip(rows[0], map(set, zip(*rows[1:]))))


def typed_fields():
    """Return the (name, tags, type) tuples of all captured typed dumps, as a set."""
    fields = set()
    for version in captured.VERSIONS:
        for name in ('info_typed.txt', 'stat_typed.txt'):
            if captured.has_dump(version, name):
                fields.update(typed.parse_typed(six.ensure_str(captured.dump(version, name))))
    return fields


REPORTED = {version: dict(info_fields(version), **stat_fields(version))
            for version in captured.VERSIONS}
INFO_NAMES = {name for version in captured.VERSIONS for name in info_fields(version)}
TYPED = sorted(typed_fields())
SOURCE = sorted((name, tags, 'u64') for name, tags in list(UNTYPED.items())
                + list(UNCAPTURED.items()))


def place(name):
    """Return the name of the list that contains a metric, or None."""
    lists = [listed for listed in ('METRICS_SUM', 'METRICS_AVG')
             if name in getattr(metrics, listed)]
    assert len(lists) < 2, name
    return lists[0] if lists else None


def natural_place(tags, kind):
    """Return the name of the list that a field's origin, nature and type suggest, or None."""
    origin, nature = tags[:2]
    if kind == 'str' or origin in 'SK' or nature in 'NO':  # status, key; name, output
        return None
    if nature in 'aAD' or (origin, nature) == ('C', 'G'):  # average, age, duration; setting
        return 'METRICS_AVG'
    assert nature in 'CGRLMm', tags  # counter, gauge, rate, limit, highest, lowest
    return 'METRICS_SUM'


def is_number(text):
    return re.match(r'-?\d+$', text) is not None


def test_no_name_stands_twice():
    names = metrics.METRICS_SUM + metrics.METRICS_AVG
    assert sorted(names) == sorted(set(names))


@pytest.mark.parametrize('version', captured.VERSIONS)
def test_every_field_is_summed_or_averaged_or_known_to_be_no_figure(version):
    for name in REPORTED[version]:
        known = (place(name) is not None) + (name in NUMBERS_THAT_ARE_NO_FIGURES) + (name in TEXTS)
        assert known == 1, name


@pytest.mark.parametrize('version', captured.VERSIONS)
def test_every_figure_is_a_number_where_it_is_reported(version):
    for name, values in REPORTED[version].items():
        if place(name):
            assert all(is_number(value) for value in values - {''}), (name, values)


@pytest.mark.parametrize('version', captured.VERSIONS)
def test_no_text_is_a_number(version):
    for name in TEXTS.intersection(REPORTED[version]):
        assert not any(map(is_number, REPORTED[version][name])), name


def test_every_name_is_reported_somewhere():
    reported = set().union(*REPORTED.values())
    assert not reported.intersection(UNCAPTURED)
    listed = set(metrics.METRICS_SUM + metrics.METRICS_AVG)
    assert listed | set(NUMBERS_THAT_ARE_NO_FIGURES) | TEXTS == reported | set(UNCAPTURED)


@pytest.mark.parametrize('name, tags, kind', TYPED + SOURCE)
def test_every_field_stands_where_its_nature_calls_for(name, tags, kind):
    if name in NUMBERS_THAT_ARE_NO_FIGURES:
        assert place(name) is None
    elif name not in EXCEPTIONS:
        assert place(name) == natural_place(tags, kind)


def test_the_nature_of_every_figure_is_known_once():
    listed = set(metrics.METRICS_SUM + metrics.METRICS_AVG)
    typed = {name for name, _, _ in TYPED}
    source = [name for name, _, _ in SOURCE]
    assert listed - typed == set(source)
    assert len(source) == len(UNTYPED) + len(UNCAPTURED)


@pytest.mark.parametrize('name', sorted(EXCEPTIONS))
def test_every_exception_is_one(name):
    assert place(name) is not None
    natural = {natural_place(tags, kind) for field, tags, kind in TYPED if field == name}
    assert natural - {place(name)}


def test_every_figure_has_a_natural_rule():
    """[natural rules]"""
    assert set(metrics.METRICS_NATURE) == set(metrics.METRICS_SUM + metrics.METRICS_AVG)


@pytest.mark.parametrize('name, tags, kind', [
    field for field in TYPED + SOURCE
    if field[0] in metrics.METRICS_NATURE and field[0] not in typed.EXCEPTIONS])
def test_the_natural_rule_is_that_of_the_nature(name, tags, kind):
    """[natural rules] In each version that declares the field, for each kind of row."""
    assert kind != 'str'
    assert metrics.METRICS_NATURE[name] == typed.rule_of(tags)


@pytest.mark.parametrize('name', sorted(typed.EXCEPTIONS))
def test_every_exception_of_the_natural_rules_is_one(name):
    """[natural rules]"""
    rules = {typed.rule_of(tags) for field, tags, _ in TYPED if field == name}
    assert rules - {metrics.METRICS_NATURE[name]}


@pytest.mark.parametrize('name, rule', [
    ('Idle_pct', 'avg'), ('SslFrontendSessionReuse_pct', 'avg'), ('throttle', 'avg'),
    ('weight', 'avg'), ('qtime', 'avg'), ('Nbthread', 'avg'), ('qlimit', 'avg'),
    ('slim', 'sum'), ('Maxconn', 'sum'), ('scur', 'sum'), ('rate', 'sum'), ('act', 'sum'),
    ('smax', 'max'), ('rate_max', 'max'), ('qtime_max', 'max'), ('MaxSessRate', 'max'),
    ('downtime', 'max'), ('Uptime_sec', 'max'), ('check_duration', 'max'), ('Process_num', 'max'),
    ('lastchg', 'min'), ('lastsess', 'min'),
])
def test_the_natural_rule_of_a_figure(name, rule):
    """[natural rules]"""
    assert metrics.METRICS_NATURE[name] == rule


@pytest.mark.parametrize('name, documented', [
    ('METRICS_SUM', 75),
    ('METRICS_AVG', 13),
])
def test_the_documented_names_come_first(name, documented):
    assert len(DOCUMENTED[name]) == documented
    assert getattr(metrics, name)[:documented] == DOCUMENTED[name]


@pytest.mark.parametrize('name, more, count', [
    ('FRONTEND_METRICS', [], 25),
    ('BACKEND_METRICS', [], 40),
    ('SERVER_METRICS', ['slim'], 39),
])
def test_the_lists_of_an_object_hold_the_documented_names(name, more, count):
    names = getattr(metrics, name)
    assert names == sorted(DOCUMENTED[name] + more)
    assert len(names) == count


def test_the_list_of_haproxy_holds_the_documented_sums_of_show_info_and_the_uptime():
    documented = [name for name in DOCUMENTED['METRICS_SUM'] if name in INFO_NAMES]
    assert metrics.HAPROXY_METRICS == sorted(documented + ['Uptime_sec'])
    assert len(metrics.HAPROXY_METRICS) == 40


@pytest.mark.parametrize('name', ['FRONTEND_METRICS', 'BACKEND_METRICS', 'SERVER_METRICS',
                                  'HAPROXY_METRICS'])
def test_the_lists_of_an_object_hold_figures(name):
    assert all(map(place, getattr(metrics, name)))


@pytest.mark.parametrize('name, expected', [
    ('Uptime_sec', 'METRICS_AVG'),
    ('Nbthread', 'METRICS_AVG'),
    ('eint', 'METRICS_SUM'),
    ('PoolUsed_MB', 'METRICS_SUM'),
    ('TotalSplicdedBytesOut', 'METRICS_SUM'),
    ('TotalSplicedBytesOut', 'METRICS_SUM'),
    ('srid', None),
    ('status', None),
    ('(null)', None),
])
def test_where_a_name_stands(name, expected):
    assert place(name) == expected
