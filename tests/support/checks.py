# SPDX-License-Identifier: Apache-2.0
"""What the tests against real HAProxies have in common."""
import pytest
import six

from haproxyadmin.utils import METRICS_AVG
from tests.support import truth

# What changes by itself from one second to the next.
MOVING = ['rate', 'req_rate', 'conn_rate', 'lastchg', 'lastsess', 'downtime', 'qtime', 'ctime',
          'rtime', 'ttime', 'check_status', 'check_duration', 'check_desc', 'idle_conn_cur',
          'used_conn_cur', 'safe_conn_cur', 'need_conn_est', 'last_chk']


def error_of(call, *args, **kwargs):
    """Return what a call raises."""
    with pytest.raises(Exception) as caught:
        call(*args, **kwargs)
    return caught.value


def is_number(value):
    """Tell whether a value is an integer, and no text that looks like one (integers)."""
    return isinstance(value, six.integer_types) and not isinstance(value, bool)


def rows_of(lab, proxy, name):
    """Return a row of HAProxy's own statistics for each process that has it."""
    found = [truth.row(lab, path, proxy, name) for path in lab.socket_files]
    return [row for row in found if row]


def wanted_metric(texts, name):
    """Return the sum or the average of what the processes report."""
    figures = [int(text) for text in texts if text]
    if not figures:
        return 0
    total = sum(figures)
    return int(total / float(len(figures))) if name in METRICS_AVG else total


def check_metrics(lab, subject, names, proxy, row):
    """Hold the metrics of a frontend, backend or server against HAProxy's own statistics."""
    rows = rows_of(lab, proxy, row)
    for name in names:
        value = subject.metric(name)
        assert is_number(value), name
        if name not in MOVING:
            texts = [figures.get(name, '') for figures in rows]
            assert value == wanted_metric(texts, name), name


def check_statistics(lab, subject, proxy, name):
    """Hold the figures of each process against its own, HAProxy's text included."""
    statistics = subject.stats_per_process()
    assert [number for number, _ in statistics] == truth.numbers(lab, truth.processes_of(proxy))
    assert all(is_number(number) for number, _ in statistics)
    for (_, fields), row in zip(statistics, rows_of(lab, proxy, name)):
        assert set(row) <= set(fields)
        assert all(type(text) is str for text in fields.values())
        for field, text in row.items():
            # From 2.4 on some columns are called '-'.
            if field not in MOVING and field != '-':
                assert fields[field] == text, field
