# -*- coding: utf-8 -*-
# SPDX-License-Identifier: Apache-2.0
"""facade.py: metrics, equality and memory of frontends, backends and servers."""
import gc
import re
import sys

import pytest
import six

from haproxyadmin import exceptions, internal
from haproxyadmin.facade import Facade
from haproxyadmin.protocol import metrics
from haproxyadmin.testing import faults
from tests.support import captured, fakes
from tests.unit.internal.test_calls import BACKEND, FRONTEND, SERVER


def test_an_object_needs_a_process():
    with pytest.raises(ValueError):
        Facade([])


# Metrics

# For each kind of object, metrics that HAProxy reports only for another kind.
FOREIGN = [
    ('frontend', ['qtime', 'act', 'weight', 'chkfail', 'Maxconn']),
    ('backend', ['req_rate', 'rate_lim', 'chkfail', 'throttle', 'ereq']),
    ('server', ['dreq', 'req_rate', 'rate_lim', 'comp_in', 'ereq']),
]


def things_of(hap):
    """Return an object of each kind, by the name of the kind."""
    return {'frontend': hap.frontend(FRONTEND), 'backend': hap.backend(BACKEND),
            'server': hap.server(SERVER, BACKEND)[0]}


@pytest.mark.parametrize('version', captured.VERSIONS)
@pytest.mark.parametrize('kind, names', FOREIGN)
def test_a_figure_of_another_kind_is_a_value_error(kind, names, version, fleet):
    """[metric names] Even though the dump has an empty column for it."""
    started = fleet(version, 2)
    hap = started.haproxy()
    live, frozen = things_of(hap)[kind], things_of(hap.snapshot())[kind]
    for thing in (live, frozen, live._members[0], frozen._members[0]):
        for name in names:
            with pytest.raises(ValueError) as caught:
                thing.metric(name)
            assert type(caught.value) is ValueError
            assert repr(name) in str(caught.value)


@pytest.mark.parametrize('version', captured.VERSIONS)
@pytest.mark.parametrize('kind', ['frontend', 'backend', 'server', 'haproxy'])
def test_a_metric_is_what_metrics_holds(kind, version, fleet):
    """[metric names] metric() accepts exactly the names in metrics(), and returns equal numbers."""
    started = fleet(version, 2)
    snapshot = started.haproxy().snapshot()
    thing = snapshot if kind == 'haproxy' else things_of(snapshot)[kind]
    found, refused = thing.metrics(), []
    for name in metrics.METRICS_SUM + metrics.METRICS_AVG:
        try:
            assert thing.metric(name) == found[name], name
        except ValueError:
            refused.append(name)
            assert name not in found
    assert refused


@pytest.mark.parametrize('version', ['1.5', '3.2'])
@pytest.mark.parametrize('kind', ['frontend', 'backend', 'server', 'haproxy'])
def test_a_rule_combines_what_each_process_reports(kind, version, fleet):
    """[natural rules] Live and from memory, for one command."""
    started = fleet(version, 3)
    for number, process in enumerate(started):
        process.info['Maxconn'] = process.info['Maxsock'] = str(100 + number)
        for name in (FRONTEND, 'FRONTEND'), (BACKEND, 'BACKEND'), (BACKEND, SERVER):
            process.set(*name + ('smax', 10 + number))
            process.set(*name + ('slim', 20 + number))
    hap = started.haproxy()
    snapshot = hap.snapshot()
    limit, highest = ('Maxconn', 'Maxsock') if kind == 'haproxy' else ('slim', 'smax')
    for source in (hap, snapshot):
        thing = source if kind == 'haproxy' else things_of(source)[kind]
        each = dict((name, [value for _, value in thing.metric_per_process(name)])
                    for name in (limit, highest))
        for name, numbers in each.items():
            for rule, expected in [('sum', sum(numbers)), ('avg', numbers[1]),
                                   ('min', numbers[0]), ('max', numbers[2]), (None, sum(numbers)),
                                   ('nature', max(numbers) if name == 'smax' else sum(numbers))]:
                started.forget()
                assert thing.metric(name, rule) == thing.metric(name, rule=rule) == expected
                assert thing.metrics(rule=rule)[name] == expected
                assert started.connections == [0 if source is snapshot else 3] * 3
            assert thing.metric(name) == sum(numbers)


@pytest.mark.parametrize('kind', ['frontend', 'backend', 'server', 'haproxy'])
def test_a_wrong_rule_sends_nothing(kind, fleet):
    """[natural rules]"""
    started = fleet('2.2', 2)
    hap = started.haproxy()
    thing = hap if kind == 'haproxy' else things_of(hap)[kind]
    started.forget()
    for call in (lambda: thing.metric('Maxconn' if kind == 'haproxy' else 'scur', 'median'),
                 lambda: thing.metrics('median')):
        with pytest.raises(ValueError) as caught:
            call()
        assert str(caught.value).endswith("or None, got 'median'")
    # A wrong name as before.
    with pytest.raises(ValueError) as caught:
        thing.metric('nope', 'nature')
    assert str(caught.value).startswith("unknown metric 'nope'")
    assert started.connections == [0, 0]


@pytest.mark.parametrize('version', captured.VERSIONS)
@pytest.mark.parametrize('rule', ['sum', 'avg', 'min', 'max', 'nature'])
def test_the_metrics_are_the_same_by_any_rule(rule, version, fleet):
    """[metric names; natural rules]"""
    snapshot = fleet(version, 2).haproxy().snapshot()
    for thing in [snapshot] + list(things_of(snapshot).values()):
        found = thing.metrics(rule)
        assert set(found) == set(thing.metrics())
        assert found == dict((name, thing.metric(name, rule)) for name in found)


@pytest.mark.parametrize('name, kind, text', [
    # 1.5 has no eint column; a documented metric without a value is 0.
    ('eint', 'frontend', None), ('slim', 'server', 0), ('comp_in', 'backend', 5),
])
def test_a_figure_counts_where_one_process_reports_it(name, kind, text, fleet):
    """[metric names; sums and averages]"""
    started = fleet('1.5', 2)
    if text is not None:
        for process, value in zip(started, ('', text)):
            process.set(BACKEND, SERVER if kind == 'server' else kind.upper(), name, value)
    thing = things_of(started.haproxy())[kind]
    if text is None:
        with pytest.raises(ValueError):
            thing.metric(name)
    else:
        assert thing.metric(name) == text


def test_a_figure_of_show_info_without_a_value_is_a_value_error(fleet):
    """[metric names] For the names in HAPROXY_METRICS, the value is 0."""
    started = fleet('2.2', 2)
    for process in started:
        process.info['PoolUsed_MB'] = ''
        process.info['Maxpipes'] = ''
    hap = started.haproxy()
    process = internal._HAProxyProcess(started[0].path, retry=None, timeout=fakes.LONG)
    for on in (hap, hap.snapshot(), process):
        assert on.metric('Maxpipes') == 0
        for name in ('PoolUsed_MB', 'BlockedTrafficWarnings'):
            with pytest.raises(ValueError) as caught:
                on.metric(name)
            assert repr(name) in str(caught.value)
    started[1].info['PoolUsed_MB'] = '3'
    assert hap.metric('PoolUsed_MB') == 3


@pytest.mark.parametrize('kind, names', FOREIGN + [
    ('frontend', ['qtimes', 'slimm']), ('backend', ['req_rat', 'slimm']), ('server', ['drep'])])
def test_the_nearest_metrics_are_those_of_the_kind(kind, names, fleet):
    """[metric names]"""
    thing = things_of(fleet('3.2').haproxy())[kind]
    theirs = thing.metrics()
    for name in names:
        with pytest.raises(ValueError) as caught:
            thing.metric(name)
        told = re.findall("'([^']+)'", str(caught.value))
        assert told[0] == name
        assert all(other in theirs for other in told[1:]), told


# Equality

def test_objects_are_equal_by_name(fleet):
    """[equality]"""
    started = fleet('2.2', 2)
    hap = started.haproxy()
    one, other = hap.frontend('tcp_listen'), hap.frontend('tcp_listen')
    assert one == other and not one != other and hash(one) == hash(other)
    assert one == 'tcp_listen' and 'tcp_listen' == one and one != 'tcp_listen2'
    assert not one == 'tcp_listen2' and one == u'tcp_listen'
    assert hash(one) == hash('tcp_listen')
    assert 'tcp_listen' in hap.frontends() and 'nope' not in hap.frontends()
    assert one in hap.frontends() and len(set([one, other, 'tcp_listen'])) == 1
    assert one != None and one != 5 and not one == b'tcp_listen'[:0]  # noqa: E711


def test_a_frontend_never_equals_a_backend_or_server(fleet):
    """[equality]"""
    hap = fleet('2.2').haproxy()
    frontend, backend = hap.frontend('tcp_listen'), hap.backend('tcp_listen')
    assert frontend != backend and not frontend == backend
    assert backend != frontend and not backend == frontend
    assert backend not in hap.frontends()
    assert hap.servers()[0] != backend


def test_servers_are_equal_when_backend_and_name_are(fleet):
    """[equality] Each server also equals its name as text."""
    started = fleet('2.2', 2)
    for process in started:
        process.set('be_static', 'be_static_srv1', 'svname', 'both')
        process.set('be_dynamic', 'be_dynamic_srv1', 'svname', 'both')
    hap = started.haproxy()
    first, second = hap.server('both')
    again = hap.snapshot().backend('be_dynamic').server('both')
    assert [server.backendname for server in (first, second)] == ['be_dynamic', 'be_static']
    assert first != second and not first == second
    assert first == again and not first != again
    assert first in [again] and first not in [second]
    assert set([first, second, again]) == set([second, first])
    assert len(set(hap.servers())) == len(hap.servers())
    assert [second, first].index(again) == 1
    for server in (first, second):
        assert server == 'both' and u'both' == server and 'both' in [server]
        assert hash(server) == hash('both') and server != 'other'


def test_a_server_may_stand_for_its_name(fleet):
    """[equality; what is not there]
    Even to look up the server of the same name in another backend."""
    started = fleet('2.2')
    started[0].set('be_static', 'be_static_srv1', 'svname', 'both')
    started[0].set('be_dynamic', 'be_dynamic_srv1', 'svname', 'both')
    hap = started.haproxy()
    backend, server = hap.backend('be_static'), hap.server('both')[0]
    for found in (backend.server(server), backend.servers(server)[0],
                  hap.server(server, 'be_static')[0]):
        assert (found.backendname, found.name, type(found.name)) == ('be_static', 'both', str)


@pytest.mark.parametrize('call, text', [
    (lambda hap: hap.frontend('tcp_listen'), "Frontend('tcp_listen', processes=[1, 2])"),
    (lambda hap: hap.backend('tcp_listen'), "Backend('tcp_listen', processes=[1, 2])"),
    (lambda hap: hap.server('tcp1')[0],
     "Server('tcp1', backend='tcp_listen', processes=[1, 2])"),
])
def test_the_repr_shows_name_and_processes(call, text, fleet):
    """[equality]"""
    assert repr(call(fleet('2.2', 2).haproxy())) == text


def test_names_that_are_no_ascii_are_compared_as_text(fleet):
    """[equality; UTF-8]"""
    started = fleet('2.2')
    name = fakes.text(u'\u017elu\u0165'.encode('utf-8'))
    started[0].set('tcp_listen', 'FRONTEND', 'pxname', name)
    frontend = started.haproxy().frontend(u'\u017elu\u0165')
    assert frontend == u'\u017elu\u0165'
    assert isinstance(frontend.name, str)
    assert six.ensure_text(frontend.name) == u'\u017elu\u0165'


# Memory

@pytest.mark.skipif(sys.version_info < (3,), reason='Python 2 cannot tell')
@pytest.mark.parametrize('read', [
    lambda hap: hap.servers(), lambda hap: hap.requests, lambda hap: hap.snapshot(),
    lambda hap: hap.stats(), lambda hap: hap.command('show stat -1 7 -1')])
def test_a_read_that_fails_keeps_nothing_of_what_the_others_replied(fleet, read):
    """Neither while the exception exists nor afterwards, even without the garbage collector."""
    import tracemalloc
    started = fleet('2.2', 3)
    hap = started.haproxy()
    row = started[0].row('backend1_proc34', 'BACKEND') or started[0].rows[1]
    for process in started[:2]:
        # 4 MB each.
        process.rows += [row[:1] + ['s%d' % number] + row[2:] for number in range(10000)]
    started[2].fail(faults.closing())

    def errors():
        return sum(isinstance(thing, exceptions.HAProxyBaseError) for thing in gc.get_objects())
    gc.collect()
    former = errors()
    gc.disable()
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        try:
            read(hap)
        except exceptions.SocketApplicationError as error:
            assert tracemalloc.get_traced_memory()[0] - before < 1000000
            kept = error
        assert kept.__traceback__
        del kept
        assert tracemalloc.get_traced_memory()[0] - before < 1000000
        assert errors() == former
    finally:
        tracemalloc.stop()
        gc.enable()
