# SPDX-License-Identifier: Apache-2.0
"""Faults between the library and HAProxy lead to the right answer or to an informative error.

``tests/robustness/faults.py`` injects the faults, with real sockets between the library and real
HAProxy instances; ``tools/faults`` prints the table of all cases. Every trial checks that the
outcome is the complete right answer or, in time, an exception that names the socket; that an
exception reports what happened to a change in each process; that no change was sent twice; and
that no descriptor is left open. The faults of TCP, TLS and masters stand in
``tests/robustness/remote.py``.
"""
import contextlib
import re
import resource
import socket
import threading
import time

import pytest

from haproxyadmin import haproxy
from haproxyadmin.exceptions import (HAProxyBaseError, HAProxySocketError, NoHAProxyFound,
                                     ReloadFailed, SocketApplicationError, SocketConnectionError,
                                     SocketTimeout)
from haproxyadmin.internal import lookup
from haproxyadmin.protocol import transport, versions
from haproxyadmin.testing import sockets
from tests import conftest
from tests.robustness import faults, remote
from tests.support import group, lab, ways

pytestmark = pytest.mark.dealt_out

VERSIONS = conftest.versions()
FAST = [fault for fault in faults.FAULTS if fault not in faults.SLOW]
SLOW = [fault for fault in faults.FAULTS if fault in faults.SLOW]
OPERATIONS = faults.READS + faults.CHANGES
# A time-out means the same for all operations.
FEW = [operation for operation in OPERATIONS if operation.name in (
    'frontend.requests', 'hap.setmaxconn', 'hap.add_map_entries')]
IMPATIENT = 0.3
FAMILIES = {'map': group.MAP, 'acl': group.ACL}
MAP, ACL = group.MAP, group.ACL
MIB = 1024 * 1024


def start(version, way=faults.UNIX):
    return faults.Site(conftest.find(version), way=way)


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
    for operation in [each for each in operations if faults.applies(fault, each)]:
        for count in counts:
            try:
                faults.trial(site, fault, count, operation)
            except faults.Breach as breach:
                found.append('{0}, {1} of 4: {2}'.format(operation.name, count, breach))
    return found


@pytest.mark.parametrize('fault', FAST, ids=name_of)
def test_a_fault_is_told_at_once(site, fault):
    assert breaches(site, fault, OPERATIONS) == []


@pytest.mark.parametrize('fault', SLOW, ids=name_of)
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

    def test_a_change_of_some_that_is_not_undone_is_noticed(self, newest):
        def change(site, n):
            site.hap.setmaxconn(1 + n % 999)
            error = SocketTimeout(site.proxies[0].path)
            error.not_undone = [proxy.address for proxy in site.proxies[1:]]
            raise error
        operation = faults.Change('halved', change, faults.CHANGES[0].done, all_or_none=True)
        with pytest.raises(faults.Breach):
            faults.trial(newest, faults.passing, 1, operation)

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
        change for change in faults.CHANGES if not change.reads_first and not change.all_or_none],
        ids=name_of)
    def test_a_change_is_not(self, retrying, operation, fault):
        version = versions.parse_version(retrying.hap.version)
        if operation.name == 'frontend.setmaxconn' and versions.is_among(
                version, versions.RAISING_FRONTEND_MAXCONN.ranges):
            pytest.skip('on this version it reads first')
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


class Cut(object):
    """A fault that begins with an exchange, counted from 0.

    :param fault: what happens then.
    :param lasts: True if it happens in all further exchanges, too.
    """

    def __init__(self, number, fault, lasts):
        self._left = number
        self._fault = fault
        self._lasts = lasts

    @property
    def has_begun(self):
        return self._left < 0

    def __call__(self, proxy, client):
        self._left -= 1
        cuts = self.has_begun and (self._lasts or self._left == -1)
        (self._fault if cuts else faults.passing)(proxy, client)


PAIRS = [('a', '1'), ('b', '2'), ('c d', '3'), ('0', 'www.foo.com-0')]


class TestCollections(object):
    """Each exchange of a change of an ACL or map may fail: it is made in all processes or undone.

    Otherwise the exception says where it was, or may have been, made. The object then reads again.
    """

    MOST = 60

    CHANGES = {
        'map[new]': ('map', lambda found: found.__setitem__('new', 'v')),
        'map[key]': ('map', lambda found: found.__setitem__('0', 'v')),
        'map[#]': ('map', lambda found: found.__setitem__('#key', 'v')),
        'del map[key]': ('map', lambda found: found.__delitem__('0')),
        'map.clear': ('map', lambda found: found.clear()),
        'map.sync': ('map', lambda found: found.sync(PAIRS)),
        'map.replace': ('map', lambda found: found.replace(PAIRS)),
        'acl.add': ('acl', lambda found: found.add('new')),
        'acl.discard': ('acl', lambda found: found.discard('nothing')),
        'acl.sync': ('acl', lambda found: found.sync(['a', 'b'])),
        'acl.replace': ('acl', lambda found: found.replace(['a', 'b'])),
    }

    def listed(self, site, family):
        return [sorted(line.partition(' ')[2] for line in reply.split('\n') if line)
                for reply in site.asked('show {0} {1}'.format(family, FAMILIES[family]))]

    def reset(self, site):
        lines = ['clear map {0}'.format(MAP), 'clear acl {0}'.format(ACL),
                 'add acl {0} nothing'.format(ACL)]
        lines += ['add map {0} {1} v{1}'.format(MAP, number) for number in range(3)]
        site.asked(';'.join(lines))

    @pytest.mark.parametrize('name', sorted(CHANGES))
    @pytest.mark.parametrize('fault, lasts', [
        (faults.closes_before, False), (faults.closes_before, True), (faults.closes_at_once, True),
        (faults.ends_garbage, False)])
    def test_each_exchange_may_fail(self, site, name, fault, lasts):
        family, change = self.CHANGES[name]
        if name.endswith('replace') and site.version == '2.2':
            pytest.skip('2.2 cannot do it')
        self.reset(site)
        old, = set(map(tuple, self.listed(site, family)))
        change(getattr(site.hap, family)(FAMILIES[family]))
        new, = set(map(tuple, self.listed(site, family)))
        for number in range(self.MOST):
            self.reset(site)
            found = getattr(site.hap, family)(FAMILIES[family])
            list(found)
            cut = Cut(number, fault, lasts)
            site.shape(cut, 1)
            error = None
            try:
                change(found)
            except HAProxyBaseError as raised:
                error = raised
            finally:
                site.mend()
            there = self.listed(site, family)
            self.check(site, family, there, old, new, error)
            self.check_object(found, there[0], family)
            if not cut.has_begun:
                assert error is None and number
                break
        else:
            pytest.fail('more exchanges than expected')
        self.reset(site)

    def check(self, site, family, there, old, new, error):
        paths = [proxy.address for proxy in site.proxies]
        if error is None:
            assert there == [list(new)] * len(paths)
            return
        assert paths[0] in str(error) or paths[0] in str(error.by_socket)
        changed = set(path for path, entries in zip(paths, there) if entries != list(old))
        assert changed <= set(error.not_undone), (error, there)
        assert set(error.not_undone) <= set(paths[:1])
        assert not changed & set(error.undone)
        # What was prepared is gone, where HAProxy answers and says so.
        number = FAMILIES[family][1:]
        for reply, entries in list(zip(site.asked('show ' + family), there))[1:]:
            counts = re.findall('^{0} .*entry_cnt=([0-9]+)'.format(number), reply, re.MULTILINE)
            assert all(int(count) == len(entries) for count in counts), (error, reply)

    def check_object(self, found, entries, family):
        if family == 'acl':
            assert sorted(found) == entries
        else:
            # HAProxy does not show where a key with a blank ends.
            assert sorted(' '.join(item) for item in found.items()) == entries

    def test_a_listing_that_fails_is_read_again(self, site):
        self.reset(site)
        for call in (lambda: site.hap.map(MAP), lambda: site.hap.maps()[0],
                     lambda: site.hap.acl(ACL)):
            site.shape(faults.closes_amid, 1)
            with pytest.raises(HAProxySocketError) as raised:
                call()
            assert raised.value.socket_file == site.proxies[0].address
            site.mend()
        found = site.hap.maps()[0]
        site.shape(faults.closes_amid, 1)
        for read in (len, dict, lambda found: '0' in found, lambda found: found['0'],
                     lambda found: found.entries(), lambda found: found.lookup('0')):
            with pytest.raises(HAProxySocketError):
                read(found)
        site.mend()
        assert found['0'] == 'v0'


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


# Over TCP and TLS, and through masters

# Each fault of each way; a time-out means the same for all operations.
REMOTE = [(way, fault) for way in faults.WAYS[1:] for fault in way.faults]
REMOTE_FAST = [(way, fault) for way, fault in REMOTE if fault not in faults.SLOW]
REMOTE_SLOW = [(way, fault) for way, fault in REMOTE if fault in faults.SLOW]
# Those that concern what a master answers, which depends on its version.
OF_MASTERS = [fault for fault in faults.MASTER.faults
              if fault in remote.LOOKUPS + (remote.has_no_worker, remote.cannot_connect)
              and fault not in faults.SLOW]


class Sites(object):
    """A site for each way, started when it is needed."""

    def __init__(self):
        self._started = {}

    def __call__(self, version, way):
        if (version, way) not in self._started:
            self._started[version, way] = start(version, way)
        return self._started[version, way]

    def stop(self):
        for site in self._started.values():
            site.stop()


@pytest.fixture(scope='module')
def sites():
    started = Sites()
    yield started
    started.stop()


def remote_name(value):
    return value.name if isinstance(value, faults.Way) else value.__name__


def reads_for(fault):
    return [faults.WORKERS if fault in remote.LOOKUPS else faults.READS[0]]


@pytest.mark.parametrize('way, fault', REMOTE_FAST, ids=remote_name)
def test_a_remote_fault_is_told_at_once(sites, way, fault):
    site = sites(VERSIONS[-1], way)
    assert breaches(site, fault, reads_for(fault) + FEW[1:]) == []
    assert breaches(site, fault, [faults.CONSTRUCT], [1]) == []
    assert breaches(site, fault, [faults.REFRESH], [faults.PROCESSES]) == []


@pytest.mark.parametrize('way, fault', REMOTE_SLOW, ids=remote_name)
def test_a_remote_fault_that_takes_time_is_told_in_time(sites, way, fault):
    site = sites(VERSIONS[-1], way)
    site.timeout = IMPATIENT
    try:
        assert breaches(site, fault, reads_for(fault) + FEW[1:2], [1]) == []
        assert breaches(site, fault, [faults.CONSTRUCT], [faults.PROCESSES]) == []
    finally:
        site.timeout = faults.PATIENT


@pytest.mark.parametrize('operation', FEW + [faults.CONSTRUCT, faults.REFRESH], ids=name_of)
@pytest.mark.parametrize('way', faults.WAYS[1:], ids=remote_name)
def test_without_a_remote_fault_all_is_well(sites, way, operation):
    outcome = faults.trial(sites(VERSIONS[-1], way), faults.passing, 4, operation)
    assert outcome.what == ('done' if operation.changes else 'the answer')


@pytest.mark.parametrize('version, fault', [
    (version, fault) for version in VERSIONS[:-1] for fault in OF_MASTERS], ids=name_of)
def test_a_fault_of_a_master_is_told_at_once(sites, version, fault):
    assert breaches(sites(version, faults.MASTER), fault, reads_for(fault) + FEW[1:], [1]) == []


@pytest.mark.parametrize('way, fault, words', [
    (faults.TCP, remote.does_not_resolve, 'the name of the host cannot be resolved: '),
    (faults.TCP, faults.is_full, 'timed out after 0.3 s while connecting'),
    (faults.TCP, faults.hangs, 'timed out after 0.3 s, 0 bytes received'),
    (faults.TCP, faults.talks_http, "this is not HAProxy: 'HTTP/1.1 400"),
    (faults.TCP, remote.talks_as_ssh, "this is not HAProxy: 'SSH-2.0-"),
    (faults.TCP, remote.talks_first, 'the answer is larger than 65536 bytes'),
    (faults.TCP, remote.expects_tls, 'this is not HAProxy: |reset by peer'),
    (faults.TLS, faults.is_full, 'timed out after 0.3 s while connecting'),
    (faults.TLS, remote.stalls_before_the_handshake, 'timed out after 0.3 s during the TLS handsh'),
    (faults.TLS, remote.stalls_amid_the_handshake, 'timed out after 0.3 s during the TLS handsh'),
    (faults.TLS, remote.closes_amid_the_handshake, 'TLS: (the connection was cut|unexpected eof)'),
    (faults.TLS, remote.speaks_no_tls, 'TLS: '),
    (faults.TLS, remote.talks_as_ssh, 'TLS: '),
    (faults.TLS, remote.talks_first, 'TLS: '),
    (faults.TLS, remote.other_host, 'match'),
    (faults.TLS, remote.has_expired, 'TLS: certificate verify failed'),
    (faults.TLS, remote.is_a_stranger, 'TLS: certificate verify failed'),
    (faults.TLS, remote.wants_a_certificate, 'TLS: '),
    (faults.TLS, faults.never_ends, 'the answer is larger than 65536 bytes'),
    (faults.TLS, remote.cuts_amid, 'TLS: (the connection was cut|unexpected eof)'),
    (faults.TLS, remote.cuts_at_the_end, 'TLS: (the connection was cut|unexpected eof)'),
    (faults.MASTER, remote.has_no_worker, "Can't find the target PID matching the prefix '@1'"),
    (faults.MASTER, remote.cannot_connect, "Can't connect to the target CLI!"),
    (faults.MASTER, remote.lists_none, 'the master has no worker'),
    (faults.MASTER, remote.lists_garbage, "this is not the socket of a master: 'Garbage"),
    (faults.MASTER, remote.is_no_master, 'this is not the socket of a master: "Unknown command'),
], ids=lambda value: value if isinstance(value, str) else remote_name(value))
def test_no_haproxy_is_found_and_the_error_says_why(sites, way, fault, words):
    """With one address, and with several."""
    site = sites(VERSIONS[-1], way)
    addresses = site.shape(fault, 2)
    options = {'retry': None, 'timeout': IMPATIENT}
    if fault not in faults.SLOW:
        options['timeout'] = faults.PATIENT
    if way is faults.TLS:
        options['ssl_context'] = site.context
    name = 'master' if way.has_master else 'addresses'
    try:
        for named in (addresses[:1], addresses):
            with pytest.raises(NoHAProxyFound) as raised:
                haproxy.HAProxy(**dict(options, **{name: named}))
            assert [address for address in named if address not in str(raised.value)] == []
            assert re.search(words, str(raised.value)) is not None, str(raised.value)
            assert raised.value.socket_file == addresses[0]
            assert raised.value.cause.socket_file == addresses[0]
    finally:
        site.mend()


@pytest.mark.parametrize('way, fault', [
    (faults.TCP, faults.refuses), (faults.TCP, remote.does_not_resolve),
    (faults.TCP, remote.talks_first), (faults.TLS, remote.has_expired),
    (faults.MASTER, remote.lists_none)], ids=remote_name)
def test_what_is_allowed_to_be_missing_is_left_out(sites, way, fault):
    """What answers is used; what does not joins later."""
    site = sites(VERSIONS[-1], way)
    addresses = site.shape(fault, 1)
    try:
        hap = haproxy.HAProxy(retry=None, timeout=faults.PATIENT, allow_missing=True,
                              **way.options(site))
        assert [address for address, _ in hap.left_out] == addresses
        assert isinstance(hap.left_out[0][1], HAProxySocketError)
        assert len(hap.info()) == faults.PROCESSES - 1
    finally:
        site.mend()
    for process in hap._processes:
        process.endpoint.address.note_failure()
    assert hap.refresh().joined == addresses
    assert len(hap.info()) == faults.PROCESSES


@pytest.mark.parametrize('way, fault', [
    (faults.TCP, remote.talks_first), (faults.TCP, faults.never_ends),
    (faults.TLS, faults.never_ends), (faults.MASTER, remote.talks_first)], ids=remote_name)
def test_a_remote_talker_takes_bounded_memory(sites, way, fault):
    site = sites(VERSIONS[-1], way)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    site.shape(fault, faults.PROCESSES)
    try:
        for call in (lambda: site.connect(faults.PATIENT), lambda: site.frontend.requests,
                     lambda: site.hap.setmaxconn(500)):
            with pytest.raises(HAProxySocketError) as raised:
                call()
            assert 'larger than' in str(raised.value)
    finally:
        site.mend()
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert after - before < 128 * 1024


@pytest.fixture(scope='module')
def with_and_without_tls():
    """A HAProxy on a port without TLS, behind another one with TLS: its ``front``."""
    binary = conftest.find(VERSIONS[-1])
    with lab.Lab(binary, config=group.CONFIG + ways.stats_ports(1)) as started:
        with ways.TlsFront(binary, started.socket_files) as front:
            started.front = front
            yield started


class TestPortsOfTheOtherKind(object):
    """A real HAProxy is spoken to without TLS where it expects TLS, and the other way round."""

    def connect(self, started, address):
        return haproxy.HAProxy(addresses=address, retry=None, timeout=IMPATIENT,
                               ssl_context=started.front.keys.context())

    def test_without_tls_it_is_not_haproxy(self, with_and_without_tls):
        address = 'localhost:{0}'.format(with_and_without_tls.front.ports[0])
        with pytest.raises(NoHAProxyFound) as raised:
            self.connect(with_and_without_tls, address)
        assert "'show info' on {0}: ".format(address) in str(raised.value)
        assert type(raised.value.cause) in (SocketApplicationError, SocketTimeout)

    def test_with_tls_it_does_not_answer_the_handshake(self, with_and_without_tls):
        """What looks like a line to HAProxy, it refuses; otherwise it waits for the rest."""
        address = 'ssl@localhost:{0}'.format(with_and_without_tls.stats_ports[0])
        with pytest.raises(NoHAProxyFound) as raised:
            self.connect(with_and_without_tls, address)
        assert ('during the TLS handshake' in str(raised.value)
                or address + ': TLS: ' in str(raised.value))

    def test_the_right_way_round_works(self, with_and_without_tls):
        front = with_and_without_tls.front
        plain = 'localhost:{0}'.format(with_and_without_tls.stats_ports[0])
        hap = haproxy.HAProxy(addresses=[plain] + front.addresses, retry=None,
                              timeout=faults.PATIENT, ssl_context=front.keys.context())
        # One process.
        assert len(hap.info()) == 1


def is_not_found(proxy, client, line):
    """Relay what the master itself says, which may leave the connection open."""
    connection = socket.socket(socket.AF_UNIX)
    with contextlib.closing(connection):
        connection.connect(proxy.target)
        connection.sendall(line + b'\nquit\n')
        complaint = connection.recv(65536)
    assert complaint.startswith(b"Can't find the target PID"), complaint
    client.sendall(complaint)
    proxy.wait_for_end(client)


def is_not_connected(proxy, client, line):
    client.sendall(b"Can't connect to the target CLI!\n")


def is_closed(proxy, client, line):
    pass


def is_reset(proxy, client, line):
    remote.reset_when_closed(client)


def is_cut(proxy, client, line):
    client.sendall(b'# pxname,')


class TestFormerWorkers(object):
    """A former worker that ends between being listed and being asked is not missed."""

    GONE = 99999999
    PREFIX = '@!99999999; '.encode('ascii')

    def shape(self, site, answer):
        """Have the masters list a worker that has gone.

        :param answer: how they answer a command for it.
        """
        def behave(proxy, client):
            line = proxy.hear(client)
            if line == remote.SHOW_PROC:
                client.sendall(self.with_former(proxy.ask(line)))
                line = b'' if proxy.quits else proxy.hear(client)
            if line.startswith(self.PREFIX):
                answer(proxy, client, line)
            elif line:
                client.sendall(proxy.ask(line))
        site.shape(behave, faults.PROCESSES)

    def with_former(self, reply):
        row = re.search(b'# workers\n\\d+(.*\n)', reply).group(1)
        return reply[:-1] + b'# old workers\n' + str(self.GONE).encode('ascii') + row + b'\n'

    def connect(self, site):
        return haproxy.HAProxy(retry=None, timeout=faults.PATIENT, workers='all',
                               **site.way.options(site))

    @pytest.mark.parametrize('version, answer', [
        (version, is_not_found) for version in VERSIONS] + [
        (VERSIONS[-1], answer) for answer in (is_not_connected, is_closed, is_reset)])
    def test_reads_and_changes_succeed(self, sites, version, answer):
        site = sites(version, faults.MASTER)
        self.shape(site, answer)
        try:
            hap = self.connect(site)
            former = [worker.pid for worker in hap.workers() if not worker.current]
            assert former == [self.GONE] * faults.PROCESSES
            frontend = hap.frontend('f')
            assert frontend.requests == site.frontend.requests
            assert faults._names(hap.servers()) == faults._names(site.hap.servers())
            assert len(hap.info()) == faults.PROCESSES
            assert frontend.setmaxconn(600) is True
        finally:
            received = [line for proxy in site.proxies for line in proxy.received]
            site.mend()
        assert received.count(b'set maxconn frontend f 600') == faults.PROCESSES
        assert site.asked('show stat')[0].count(',600,') == 1

    def test_an_answer_that_is_cut_names_the_worker(self, sites):
        site = sites(VERSIONS[-1], faults.MASTER)
        hap = self.connect(site)
        self.shape(site, is_cut)
        try:
            with pytest.raises(SocketApplicationError) as raised:
                hap.requests
        finally:
            site.mend()
        assert raised.value.socket_file in [
            '{0} @!{1}'.format(proxy.address, self.GONE) for proxy in site.proxies]


def test_a_change_that_meets_a_reload_after_the_listing_is_undelivered(sites, monkeypatch):
    """The master resets the connection before it reads the change."""
    site = sites(VERSIONS[-1], faults.MASTER)
    was_reset = threading.Event()

    def reload(proxy, client):
        client.sendall(proxy.ask(proxy.hear(client)))
        remote.reset_when_closed(client)
        client.close()
        was_reset.set()

    def resolve(self, reply):
        if self._address.text == site.proxies[0].address:
            assert was_reset.wait(faults.PATIENT)
        return original(self, reply)

    original = lookup.WorkerLookup.resolve
    monkeypatch.setattr(lookup.WorkerLookup, 'resolve', resolve)
    site.asked('set maxconn global 700')
    site.shape(reload, 1)
    try:
        with pytest.raises(HAProxySocketError) as raised:
            site.hap.setmaxconn(701)
    finally:
        site.mend()
    assert raised.value.undelivered
    assert raised.value.socket_file == site.proxies[0].address
    assert len(raised.value.by_socket) == faults.PROCESSES - 1
    assert ['Maxconn: 701\n' in reply for reply in site.asked('show info')] == [False] + [True] * 3


class TestRealReloads(object):
    """HAProxy reloads, or fails to, while it is changed through its master."""

    RELOADS = 3

    @pytest.fixture(params=VERSIONS)
    def started(self, request):
        with conftest.start(request.param, config=group.CONFIG, master_worker=True) as started:
            yield started

    def connect(self, started, **options):
        return haproxy.HAProxy(master=started.master_files, timeout=faults.PATIENT,
                               **dict({'retry': None}, **options))

    def hold(self, started):
        """Return a connection that a worker does not drop before it has sent its request."""
        connection = socket.create_connection(('127.0.0.1', started.ports['f']))
        connection.sendall(b'GET / HTTP/1.1\r\n')
        return connection

    def keys(self, started, pid):
        """Return the numbers of the entries that changes have added to the map of a worker."""
        reply = lab.ask(started.master_files[0], '@!{0} show map {1}'.format(pid, group.MAP))
        return set(map(int, re.findall(r' n(\d+) v$', reply, re.MULTILINE)))

    def test_a_change_goes_to_the_worker_that_is_current(self, started):
        """[masters] Former workers still answer, and never get a change after a newer one."""
        hap = self.connect(started)
        held = []

        def reload():
            for _ in range(self.RELOADS):
                held.append(self.hold(started))
                self.connect(started, retry=100, retry_interval=0.02).reload()

        done, unknown, undelivered = set(), set(), set()
        try:
            thread = sockets.started(reload)
            number = 0
            while thread.is_alive() or number < 10:
                number += 1
                try:
                    hap.add_map(group.MAP, 'n{0}'.format(number), 'v')
                    done.add(number)
                except HAProxySocketError as error:
                    (undelivered if error.undelivered else unknown).add(number)
            # From the current one to the oldest.
            workers = [worker.pid for worker in sorted(
                hap.workers(), key=lambda worker: (not worker.current, worker.reloads))]
            added = [self.keys(started, pid) for pid in workers]
        finally:
            for connection in held:
                connection.close()
        started.look_again()
        assert len(workers) > 1
        assert not undelivered & set.union(*added)
        assert sum(map(len, added)) == len(set.union(*added)), 'in two workers'
        if len(workers) == self.RELOADS + 1:  # a stalled machine drops the connections
            assert done <= set.union(*added)
        generations = [keys for keys in reversed(added) if keys]
        for older, newer in zip(generations, generations[1:]):
            assert max(older) < min(newer)

    def test_with_retries_no_change_is_lost(self, started):
        """[masters] What does not reach a worker during a reload is sent to the next one."""
        hap = self.connect(started, retry=1000, retry_interval=0.01)

        def reload():
            for _ in range(self.RELOADS):
                hap.reload()

        thread = sockets.started(reload)
        unknown = 0
        while thread.is_alive():
            try:
                assert hap.setmaxconn(500) is True
            except HAProxySocketError as error:
                assert not error.undelivered
                unknown += 1
        started.look_again()
        assert unknown <= 2 * self.RELOADS

    def test_asking_for_workers_that_have_gone_does_no_harm(self, started):
        """From 2.8 on a master may keep such a connection, of which it has ten."""
        hap = self.connect(started, retry=100, retry_interval=0.02)
        worker = hap._processes[0].endpoint.address.process(99999999)
        replies = transport.exchange_all([
            transport.Request(worker, b'show info', faults.PATIENT, conduct)
            for conduct in [transport.PLAIN, transport.PROBE] * 10])
        assert all(reply.startswith(b"Can't find the target PID") for reply in replies)
        assert hap.reload().succeeded
        assert len(hap.info()) == 1
        started.look_again()

    def test_a_reload_that_fails_leaves_the_worker(self, started):
        hap = self.connect(started, retry=100, retry_interval=0.02)
        pids = [worker.pid for worker in hap.workers()]
        started.configure(group.CONFIG + '\nnonsense\n')
        with pytest.raises(ReloadFailed) as raised:
            hap.reload()
        assert raised.value.socket_file == started.master_files[0]
        assert raised.value.result.old_pids == pids
        assert [worker.pid for worker in hap.workers() if worker.current] == pids
        assert hap.setmaxconn(444) is True
        assert 'Maxconn: 444\n' in started.raw('show info')
        assert [int(info['Pid']) for info in hap.info()] == pids
        started.configure(group.CONFIG)
        result = hap.reload()
        assert result.succeeded and result.old_pids == pids
        assert hap.setmaxconn(445) is True
        started.look_again()
        assert 'Maxconn: 445\n' in started.raw('show info')
