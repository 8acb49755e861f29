# SPDX-License-Identifier: Apache-2.0
"""Helpers for the tests that run against real HAProxy instances."""
import pytest
import six

from haproxyadmin.utils import METRICS_AVG
from tests.support import truth

# Fields that change by themselves from one second to the next.
MOVING = ['rate', 'req_rate', 'conn_rate', 'lastchg', 'lastsess', 'downtime', 'qtime', 'ctime',
          'rtime', 'ttime', 'check_status', 'check_duration', 'check_desc', 'idle_conn_cur',
          'used_conn_cur', 'safe_conn_cur', 'need_conn_est', 'last_chk']


def error_of(call, *args, **kwargs):
    """Call a function and return the exception that it raises."""
    with pytest.raises(Exception) as caught:
        call(*args, **kwargs)
    return caught.value


def is_number(value):
    """Return whether a value is an integer, not a string that looks like one."""
    return isinstance(value, six.integer_types) and not isinstance(value, bool)


def rows_of(lab, proxy, name):
    """Return one row of HAProxy's own statistics from each process that has it."""
    found = [truth.row(lab, path, proxy, name) for path in lab.socket_files]
    return [row for row in found if row]


def wanted_metric(texts, name):
    """Return the sum or the average of the values that the processes report."""
    figures = [int(text) for text in texts if text]
    if not figures:
        return 0
    total = sum(figures)
    return int(total / float(len(figures))) if name in METRICS_AVG else total


def check_metrics(lab, subject, names, proxy, row):
    """Compare the metrics of a frontend, backend or server with HAProxy's own statistics."""
    rows = rows_of(lab, proxy, row)
    for name in names:
        value = subject.metric(name)
        assert is_number(value), name
        if name not in MOVING:
            texts = [figures.get(name, '') for figures in rows]
            assert value == wanted_metric(texts, name), name


def check_statistics(lab, subject, proxy, name):
    """Compare the statistics of each process with the text that HAProxy itself reports."""
    statistics = subject.stats_per_process()
    assert [number for number, _ in statistics] == truth.numbers(lab, truth.processes_of(proxy))
    assert all(is_number(number) for number, _ in statistics)
    for (_, fields), row in zip(statistics, rows_of(lab, proxy, name)):
        assert set(row) <= set(fields)
        assert all(type(text) is str for text in fields.values())
        for field, text in row.items():
            # Since 2.4 some columns are named '-'.
            if field not in MOVING and field != '-':
                assert fields[field] == text, field
