# SPDX-License-Identifier: Apache-2.0
"""Faults between the library and HAProxy lead to the right answer or to an informative error.

``tests/robustness/faults.py`` injects the faults, with real sockets between the library and real
HAProxy instances; ``tools/faults`` prints the table of all cases. Every trial checks that the
outcome is the complete right answer or, in time, an exception that names the socket; that an
exception reports what happened to a change in each process; that no change was sent twice; and
that no descriptor is left open.
"""
import resource
import threading
import time

import pytest

from haproxyadmin.exceptions import (HAProxySocketError, SocketApplicationError,
                                     SocketConnectionError, SocketTimeout)
from haproxyadmin.protocol import transport
from tests import conftest
from tests.robustness import faults

VERSIONS = conftest.versions()
FAST = [fault for fault in faults.FAULTS if fault not in faults.SLOW]
OPERATIONS = faults.READS + faults.CHANGES
# A time-out means the same for all operations.
FEW = [operation for operation in OPERATIONS if operation.name in (
    'frontend.requests', 'hap.setmaxconn', 'hap.add_map_entries')]
IMPATIENT = 0.3
MIB = 1024 * 1024


def start(version):
    return faults.Site(conftest.find(version))


@pytest.fixture(scope='module', params=VERSIONS)
def site(request):
    with start(request.param) as started:
        yield started


@pytest.fixture(scope='module')
def newest(request):
    """A site on the newest version, for tests that depend on the library alone."""
    with start(VERSIONS[-1]) as started:
        yield started


@pytest.fixture(autouse=True)
def limit(monkeypatch):
    """Limit replies to 4 MiB instead of 256 MiB."""
    monkeypatch.setattr(transport, 'MAX_REPLY', 4 * MIB)


def name_of(thing):
    return getattr(thing, '__name__', None) or getattr(thing, 'name', None) or str(thing)


def breaches(site, fault, operations, counts=(1, faults.PROCESSES)):
    found = []
    for operation in operations:
        for count in counts:
            try:
                faults.trial(site, fault, count, operation)
            except faults.Breach as breach:
                found.append('{0}, {1} of 4: {2}'.format(operation.name, count, breach))
    return found


@pytest.mark.parametrize('fault', FAST, ids=name_of)
def test_a_fault_is_told_at_once(site, fault):
    operations = OPERATIONS
    if fault is faults.header_alone:
        # For a list of servers, this is the complete answer of a process without servers.
        operations = [operation for operation in OPERATIONS if operation.name != 'hap.servers']
    assert breaches(site, fault, operations) == []


@pytest.mark.parametrize('fault', faults.SLOW, ids=name_of)
def test_a_fault_that_takes_time_is_told_in_time(newest, fault):
    for proxy in newest.proxies:
        proxy.megabytes = 3
    # One of four is the harder case: the outcome of the others has to be reported.
    newest.timeout = IMPATIENT
    try:
        assert breaches(newest, fault, FEW, [1]) == []
        assert breaches(newest, fault, FEW[:1], [4]) == []
    finally:
        newest.timeout = faults.PATIENT


@pytest.mark.parametrize('operation', OPERATIONS, ids=name_of)
def test_without_a_fault_all_is_well(site, operation):
    """The trial itself does not mistake a success for a failure."""
    outcome = faults.trial(site, faults.passing, 4, operation)
    assert outcome.what == ('done' if operation.changes else 'the answer')


class TestTheTrialItself(object):
    """It does not mistake a failure for a success."""

    def halved(self, change):
        return faults.Change('halved', lambda site, n: change(site, n), faults.CHANGES[0].done)

    def test_a_change_that_was_not_made_is_noticed(self, newest):
        with pytest.raises(faults.Breach):
            faults.trial(newest, faults.passing, 4, self.halved(lambda site, n: True))

    def test_a_change_that_was_made_and_not_told_is_noticed(self, newest):
        def change(site, n):
            site.hap.setmaxconn(n)
            raise SocketTimeout(site.proxies[0].path, undelivered=True)
        with pytest.raises(faults.Breach):
            faults.trial(newest, faults.passing, 1, self.halved(change))

    def test_a_change_that_is_sent_twice_is_noticed(self, newest):
        with pytest.raises(faults.Breach):
            faults.trial(newest, faults.passing, 4, self.halved(
                lambda site, n: site.hap.setmaxconn(n) and site.hap.setmaxconn(n)))

    def test_a_wrong_answer_is_noticed(self, newest):
        answers = [1, 2]
        with pytest.raises(faults.Breach):
            faults.trial(newest, faults.passing, 4, faults.Read('x', lambda site: answers.pop()))


class TestSentAgain(object):
    """[retries] A command that may have been received is sent again only if it is a read."""

    TRIES = 3

    @pytest.fixture
    def retrying(self, newest, clock):
        before = [(process.retry, process.retry_interval) for process in newest.hap._processes]
        for process in newest.hap._processes:
            process.retry, process.retry_interval = self.TRIES - 1, 0
        yield newest
        newest.mend()
        for process, (retry, interval) in zip(newest.hap._processes, before):
            process.retry, process.retry_interval = retry, interval

    RECEIVED = [faults.closes_before, faults.closes_amid, faults.closes_before_the_end,
                faults.resets_before, faults.resets_amid, faults.ends_garbage, faults.confuses]

    @pytest.mark.parametrize('fault', RECEIVED, ids=name_of)
    @pytest.mark.parametrize('operation', [
        change for change in faults.CHANGES if not change.reads_first], ids=name_of)
    def test_a_change_is_not(self, retrying, operation, fault):
        if operation.prepare:
            retrying.asked(operation.prepare(250))
        # The fault must hit the change, not the check of the version.
        retrying.hap.info()
        retrying.mend()
        retrying.shape(fault, 1)
        if operation.name == 'server.address' and fault is faults.closes_before_the_end:
            # Some refusals of changes end in one newline, so one is enough for all.
            assert operation.call(retrying, 250)
            return
        with pytest.raises(HAProxySocketError) as raised:
            operation.call(retrying, 250)
        assert not raised.value.undelivered
        # Two keys are deleted, one by one at first.
        others = 2 if operation.name == 'hap.del_map_entries' else 1
        assert [len(proxy.received) for proxy in retrying.proxies] == [1] + [others] * 3
        assert all(len(set(proxy.received)) == len(proxy.received) for proxy in retrying.proxies)

    @pytest.mark.parametrize('fault', RECEIVED, ids=name_of)
    def test_a_read_is(self, retrying, fault):
        retrying.shape(fault, 1)
        with pytest.raises(HAProxySocketError):
            retrying.hap.requests
        assert [len(proxy.received) for proxy in retrying.proxies] == [self.TRIES, 1, 1, 1]

    def test_a_read_is_answered_once_the_fault_is_over(self, retrying):
        proxy = retrying.proxies[0]
        left = [faults.closes_before, faults.resets_amid, faults.passing]
        proxy.fault = lambda proxy, client: left.pop(0)(proxy, client)
        assert retrying.hap.metric('Maxconn') > 0
        assert left == []

    def test_a_change_is_while_nobody_listens(self, retrying):
        """It is then sent exactly once."""
        proxy = retrying.proxies[0]
        for process in retrying.hap._processes:
            process.retry, process.retry_interval = 200, 0.02
        proxy.refuse()
        back = threading.Timer(0.2, proxy.listen)
        back.start()
        assert retrying.hap.setmaxconn(555) is True
        back.join()
        assert [proxy.received for proxy in retrying.proxies] == [[b'set maxconn global 555']] * 4

    def test_a_change_is_not_without_retries(self, newest):
        newest.proxies[0].refuse()
        try:
            with pytest.raises(SocketConnectionError) as raised:
                newest.hap.setmaxconn(556)
        finally:
            newest.proxies[0].listen()
            newest.mend()
        assert raised.value.undelivered
        assert raised.value.by_socket == [(proxy.path, '') for proxy in newest.proxies[1:]]
        assert raised.value.results == [(1, '')] * 3


class TestMuch(object):

    def test_a_reply_without_end_takes_bounded_memory(self, newest):
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        newest.shape(faults.never_ends, 1)
        try:
            with pytest.raises(SocketApplicationError) as raised:
                newest.frontend.requests
        finally:
            newest.mend()
        assert 'larger than' in str(raised.value)
        after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        assert after - before < 64 * 1024

    def test_100_mb_and_silence_end_with_the_time_out(self, newest, monkeypatch):
        monkeypatch.setattr(transport, 'MAX_REPLY', 256 * MIB)
        newest.timeout = 1
        newest.proxies[0].megabytes = 100
        newest.shape(faults.never_ends_a_line, 1)
        started = time.time()
        try:
            with pytest.raises(SocketTimeout) as raised:
                newest.frontend.requests
        finally:
            newest.mend()
            newest.timeout = faults.PATIENT
        assert '100000000 bytes received' in str(raised.value)
        assert time.time() - started < 20

    def test_the_first_of_two_answers_is_not_taken_for_both(self, newest):
        """A snapshot reads two answers, and the first one ends like a complete reply."""
        def stops_between(proxy, client):
            reply = proxy.ask(proxy.receive(client))
            client.sendall(reply[:reply.index(b'\n\n') + 2])
        newest.shape(stops_between, 1)
        try:
            with pytest.raises(SocketApplicationError):
                newest.hap.snapshot()
        finally:
            newest.mend()
