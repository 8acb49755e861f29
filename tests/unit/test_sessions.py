# SPDX-License-Identifier: Apache-2.0
"""sessions.py, internal/sessions.py: list sessions, look at one, end them."""
import pickle

import pytest

from haproxyadmin import exceptions, sessions
from haproxyadmin.haproxy import HAProxy
from haproxyadmin.internal import endpoint, sessions as internal
from haproxyadmin.protocol import versions as versions_module
from haproxyadmin.testing import faults, masters
from tests.support import captured, fakes

LIST = 'show sess;show info'
ID, OTHER = '0x7f9c11495400', '0x7f9c11495800'
LOOK = 'show sess {0};show info'.format(ID)
END = 'shutdown session {0}'.format(ID)
GONE = sessions.Ended(changed=False)


# What the sessions of these tests belong to, besides what was captured.
PROXIES = """
frontend www
    bind :8001
frontend raw
    bind :8002
backend web
    server w0 10.0.0.20:80
    server w1 10.0.0.21:80
    server w2 10.0.0.22:80
    server none 10.0.0.23:80
backend api
    server w1 10.0.0.21:80
"""


class Crew(object):
    """Fake processes with sessions, and an object for them."""

    def __init__(self, fleet, version='3.2', count=1, threads=1):
        self.fleet = fleet(version, count, config=captured.configuration(version) + PROXIES,
                           files=captured.FILES)
        for process in self.fleet:
            process.info.update(Nbthread=str(threads), Uptime_sec='9000')
        self.hap = HAProxy(socket_dir=self.fleet.directory, retry=None, timeout=fakes.LONG)
        self.fleet.forget()

    def __getitem__(self, number):
        return self.fleet[number].sessions

    def __iter__(self):
        return iter([process.sessions for process in self.fleet])

    def before_end(self, number, action):
        """Do something before each line of commands that end sessions."""
        self.fleet[number].handler = lambda command: (
            action() if command.startswith('shutdown ')
            and (';' in command or ' server ' in command) else None)

    @property
    def commands(self):
        return self.fleet.commands


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch):
    monkeypatch.setattr(internal, 'LASTING', 0)


@pytest.fixture
def crew(fleet):
    return Crew(fleet)


# Listing

@pytest.mark.parametrize('version', captured.VERSIONS)
def test_sessions_of_all_versions(version, fleet):
    """[sessions; one command per call]"""
    started = fleet(version, 1)
    started[0].answers['show sess'] = captured.dump(version, 'sess.txt').decode()
    hap = HAProxy(socket_dir=started.directory, retry=None, timeout=fakes.LONG)
    started.forget()
    found = hap.sessions()
    assert started.commands == [[LIST]]
    assert found and not [session for session in found if session.frontend == 'GLOBAL']
    client = [session for session in found if session.server][0]
    assert client.source == '127.0.0.1' and 1024 < client.source_port < 65536
    assert client.proto == 'tcpv4' and client.frontend and client.backend
    assert 1 <= client.age <= 3 and client.calls >= 2 and client.expires >= 1
    assert (client.cpu, client.lat) == ((None, None) if version < '2.0' else (0, 0))
    assert client.rate in ([None] if version < '2.0' else [0, 1])
    assert client.process_nb == 1 and client.socket_file == started[0].path
    for peers in [session for session in found if session.proto == '?']:
        assert (peers.source, peers.source_port, peers.frontend, peers.backend, peers.server) == (
            None, None, None, None, None)
        assert repr(peers)


def test_objects(fleet):
    """[equality; concurrent processes]"""
    crew = Crew(fleet, '2.2', 2)
    crew[0].add(srv='<none>', be='<NONE>')
    crew[1].add(src='unix:2', proto='unix_stream')
    first, second = crew.hap.sessions()
    assert (first.process_nb, second.process_nb) == (1, 2)
    assert first.id == second.id == ID and first != second and not first == second
    assert (first.server, first.backend, second.source, second.source_port) == (
        None, None, 'unix:2', None)
    again = crew.hap.sessions()
    assert again == [first, second] and len(set(again + [first, second])) == 2
    assert first != 'x' and bool(first)
    assert repr(first) == (
        "Session('0x7f9c11495400', source='10.0.0.9', frontend='www', server=None, age=10, "
        'socket={0!r})'.format(crew.fleet[0].path))
    assert first.fields['srv'] == '<none>' and first.expires == 60
    kept = pickle.loads(pickle.dumps(first, 2))
    assert kept == first and kept.age == 10
    for name in ('id', 'age', 'other'):
        with pytest.raises(AttributeError):
            setattr(first, name, 1)


def test_a_reply_that_is_cut_short(crew):
    """[errors are not data]"""
    crew[0].add()
    table = crew[0].table()
    for end in (0, 40, 100, 200):
        crew.fleet[0].handler = lambda command: (
            table[:end] + '\n\n' if command == 'show sess' else None)
        with pytest.raises(exceptions.SocketApplicationError):
            crew.hap.sessions()


@pytest.mark.parametrize('filters, expected', [
    ({}, 'abcdp'), ({'server': 'w1'}, 'ac'), ({'server': 'web/w1'}, 'a'), ({'server': 'x/w1'}, ''),
    ({'server': 'w1', 'backend': 'api'}, 'c'), ({'backend': 'web'}, 'abd'), ({'backend': 'b'}, ''),
    ({'frontend': 'www'}, 'abc'), ({'frontend': b'www'}, 'abc'), ({'server': u'w2'}, 'b'),
    ({'source': '10.0.0.9'}, 'ac'), ({'source': '10.0.0.0/8'}, 'abc'),
    ({'source': '10.0.0.8/255.255.255.254'}, 'ac'), ({'source': '2001:DB8:0::1'}, 'd'),
    ({'source': '2001:db8::/32'}, 'd'), ({'source': '::ffff:10.0.0.9'}, 'ac'),
    ({'source': '::ffff:10.0.0.0/104'}, 'abc'), ({'source': '::ffff:0:0/96'}, 'abc'),
    ({'source': '::ffff:a00:8/127'}, 'ac'), ({'source': '::/0'}, 'd'),
    ({'source': '::ffff:0:0/95'}, ''),
    ({'source': '10.0.0'}, None), ({'source': 'unix'}, None), ({'source': ''}, None),
    ({'source': 10}, None), ({'source': '10.0.0.0/33'}, None), ({'source': b'\xff'}, None),
    ({'older_than': 10}, 'abp'), ({'older_than': 10.5}, 'b'), ({'older_than': 3600}, 'b'),
    ({'younger_than': 10}, 'c'), ({'younger_than': 11, 'older_than': 10}, 'ap'),
    ({'older_than': 0}, 'abcp'), ({'older_than': -1}, None), ({'older_than': '5'}, None),
    ({'younger_than': True}, None), ({'younger_than': float('nan')}, None),
    ({'server': ''}, None), ({'server': 'web/'}, None), ({'server': '/w1'}, None),
    ({'server': 5}, None), ({'backend': ''}, None), ({'frontend': []}, None)])
def test_filters(crew, filters, expected):
    """[sessions; argument checks]"""
    crew[0].add('0xa')
    crew[0].add('0xb', srv='w2', src='10.0.0.7:1', age='1h5s')
    crew[0].add('0xc', be='api', age='9s', src='::ffff:10.0.0.9:8')
    # It is not that old: HAProxy does not know its age.
    crew[0].add('0xd', fe='raw', srv='<none>', src='2001:db8::1:4711', age='49d17h')
    crew[0].add('0xf', proto='?', src=None)
    if expected is None:
        for method in (crew.hap.sessions, crew.hap.shutdown_sessions):
            with pytest.raises(ValueError):
                method(**filters)
        assert crew.commands == [[]]
        return
    found = crew.hap.sessions(**filters)
    assert ''.join(session.id[2:] for session in found).replace('f', 'p') == expected
    assert [session.age for session in crew.hap.sessions()] == [10, 3605, 9, None, 10]


def test_a_filter_by_objects(crew):
    crew[0].add('0xa', be='backend_proc1', srv='backend_proc1_srv1', fe='frontend_proc1')
    crew[0].add('0xb', be='backend_proc2', srv='backend_proc1_srv1')
    backend = crew.hap.backend('backend_proc1')
    for filters in ({'backend': backend}, {'server': backend.server('backend_proc1_srv1')},
                    {'frontend': crew.hap.frontend('frontend_proc1')}):
        assert [session.id for session in crew.hap.sessions(**filters)] == ['0xa']
    crew.fleet.forget()
    server, frontend = backend.server('backend_proc1_srv1'), crew.hap.frontend('frontend_proc1')
    for name, values in (('server', (backend, frontend)), ('backend', (server, frontend)),
                         ('frontend', (server, backend, crew[0], crew.hap))):
        for value in values:
            crew.fleet.forget()
            with pytest.raises(ValueError, match=name + ' must be a name'):
                crew.hap.shutdown_sessions(**{name: value})
            assert crew.commands == [[]]


def test_one_session(fleet):
    crew = Crew(fleet, '2.2', 2)
    crew[0].add()
    crew[1].add()
    crew[1].add(OTHER)
    assert crew.hap.session(OTHER).socket_file == crew.fleet[1].path
    assert crew.hap.session(ID.encode(), socket=crew.fleet[1].path).process_nb == 2
    for wrong, message in ((ID, 'several'), ('0x1', 'no session'), (5, 'text'), (None, 'text')):
        with pytest.raises(ValueError, match=message):
            crew.hap.session(wrong)
    with pytest.raises(ValueError, match='no process on'):
        crew.hap.session(ID, socket='/x')


# Details

def test_details(crew):
    crew[0].add(number=7)
    session, = crew.hap.sessions()
    crew.fleet.forget()
    details = session.details()
    assert crew.commands == [[LOOK]]
    assert details.unique_id == 7 and details.accepted == '24/Nov/2026:19:48:22.360870'
    assert details.flags == '0xc4a' and details.frontend_address == '127.0.0.1:21140'
    assert details.backend_address == '127.0.0.1:49228'
    assert details.server_address == '10.0.0.21:80'
    assert details.fields['age'] == '10s' and details.fields['epoch'] == '0'
    assert details.text.endswith(' wrap=NO extra=0')


@pytest.mark.parametrize('change', ['gone', 'replaced', 'later'])
def test_details_of_a_session_that_has_ended(crew, change):
    """[what is not there]"""
    row = crew[0].add()
    session, = crew.hap.sessions()
    change_session(crew, row, change)
    with pytest.raises(exceptions.NoSuchObject, match=ID):
        session.details()


def change_session(crew, row, change):
    """End a session, and perhaps begin another one with its id."""
    if change == 'gone':
        crew[0].rows.remove(row)
    elif change == 'replaced':
        crew.fleet[0].take_over(crew.fleet[0].version)
        crew.fleet[0].info['Nbthread'] = '1'
        crew[0].add(row['id'])
    else:
        crew[0].rows.remove(row)
        crew[0].add(**dict({'later': {}, 'client': {'src': '10.0.0.9:4712'},
                            'young': {'age': '0s'}, 'frontend': {'fe': 'api'},
                            'proto': {'proto': 'quic4'}}[change]))


# Ending one

@pytest.mark.parametrize('version', ['1.5', '2.0', '2.4', '3.2', '3.4'])
def test_end_a_session(version, fleet):
    """[sessions]"""
    crew = Crew(fleet, version)
    crew[0].add()
    crew[0].add(OTHER)
    session = crew.hap.session(ID)
    crew.fleet.forget()
    ended = session.shutdown()
    assert ended == (True,) and ended._asdict() == {'changed': True}
    assert crew.commands == [[LOOK, END]] and crew[0].ids() == [OTHER]
    assert session.shutdown() == GONE and bool(GONE)
    assert crew.commands == [[LOOK, END, LOOK]]


@pytest.mark.parametrize('version, change', [
    (version, change) for version in ('2.2', '3.2')
    for change in ('gone', 'replaced', 'client', 'frontend', 'proto')] + [
        ('2.2', 'young'), ('2.4', 'later'), ('3.2', 'later')])
def test_a_session_with_the_same_id_is_not_ended(version, change, fleet):
    """[sessions]"""
    crew = Crew(fleet, version)
    row = crew[0].add()
    session, = crew.hap.sessions()
    change_session(crew, row, change)
    crew.fleet.forget()
    before = crew[0].ids()
    assert session.shutdown() == GONE
    assert crew.commands == [[LOOK]] and crew[0].ids() == before


@pytest.mark.parametrize('first, later, seconds, same', [
    ('10s', '10s', 0, True), ('10s', '12s', 2, True), ('10s', '11s', 0, True),
    ('10s', '9s', 0, True), ('10s', '10s', 5, False), ('10s', '20s', 5, False),
    ('10s', '7s', 0, False), ('2h3m', '2h4m', 30, True), ('2h3m', '2h4m', 60, True),
    ('2h3m', '2h4m', 180, False), ('?', '?', 0, False), ('1d4h', '1d5h', 3600, True)])
def test_before_2_4_it_must_have_begun_at_the_same_time(first, later, seconds, same, fleet,
                                                        monkeypatch):
    """[sessions]"""
    crew = Crew(fleet, '2.2')
    crew.fleet[0].info['Uptime_sec'] = '200000'
    time = [1000.0]
    monkeypatch.setattr(internal, 'now', lambda: time[0])
    row = crew[0].add(age=first)
    session, = crew.hap.sessions()
    time[0] += seconds
    crew.fleet[0].info['Uptime_sec'] = str(200000 + seconds)
    row['age'] = later
    assert session.shutdown() == (same,)


@pytest.mark.parametrize('version', ['2.2', '3.2'])
def test_a_client_that_stands_still_while_it_looks(version, fleet, monkeypatch):
    """[sessions] Seconds may pass between HAProxy's answer and its being read."""
    crew = Crew(fleet, version)
    time = [1000.0]
    monkeypatch.setattr(internal, 'now', lambda: time[0])
    monkeypatch.setattr(endpoint, 'now', lambda: time[0])
    crew[0].add()
    session, = crew.hap.sessions()
    answer = crew[0].details

    def slow(ident):
        time[0] += 10
        return answer(ident)
    crew[0].details = slow
    assert session.shutdown().changed


def test_it_ends_between_the_look_and_the_command(crew):
    """[sessions]"""
    crew[0].add()
    session, = crew.hap.sessions()
    crew.fleet[0].answers[END] = "No such session (use 'show sess').\n\n"
    assert session.shutdown() == GONE


def test_a_level_that_is_too_low(crew):
    """[sessions]"""
    crew.fleet[0].level = 'operator'
    crew[0].add()
    session, = crew.hap.sessions()
    with pytest.raises(exceptions.CommandFailed) as caught:
        session.shutdown()
    assert str(caught.value).startswith('Permission denied (the level of ')
    assert caught.value.command == END and caught.value.socket_file == crew.fleet[0].path
    assert caught.value.result == GONE and caught.value.by_socket[0][1] == str(caught.value)
    assert session.shutdown(die=False) is False
    crew.fleet[0].handler = lambda command: (
        'Permission denied\n\n' if command in ('show sess', 'show sess ' + ID) else None)
    for read in (crew.hap.sessions, session.details, session.shutdown):
        with pytest.raises(exceptions.CommandFailed, match='Permission denied'):
            read()


def test_a_change_is_not_repeated(crew):
    """[retries]"""
    hap = HAProxy(socket_dir=crew.fleet.directory, retry=3, retry_interval=0, timeout=fakes.LONG)
    crew[0].add()
    session, = hap.sessions()
    crew.fleet.forget()
    crew.fleet[0].next(faults.closing(), faults.answering(), faults.closing_at_once())
    with pytest.raises(exceptions.HAProxySocketError) as caught:
        session.shutdown()
    # The look was repeated.
    assert crew.commands == [[LOOK, LOOK]] and crew[0].ids() == [ID]
    assert caught.value.result == GONE


def test_a_reload_between_the_look_and_the_command(fleet):
    """[sessions; masters] The command goes to the worker that was looked at."""
    started = fleet('3.2', 0)
    workers = [fakes.Process(started.path('w{0}'.format(number)), '3.2', 1, 4000 + number)
               for number in range(2)]
    streams = [worker.sessions for worker in workers]
    for each in streams:
        each.add()
    master = masters.FakeMaster(started.path('m'), workers[:1])
    master.listen()
    try:
        hap = HAProxy(master=master.path, retry=None, timeout=fakes.LONG)
        session, = hap.sessions()
        answer = streams[0].details

        def reload(ident):
            master.replace(workers[1])
            return answer(ident)
        streams[0].details = reload
        del master.commands[:]
        assert session.shutdown().changed
        assert master.commands == [(4000, LOOK), (4000, END)]
        assert streams[0].ids() == [] and streams[1].ids() == [ID]
        # Now its id is another worker's.
        assert session.shutdown() == GONE and streams[1].ids() == [ID]
    finally:
        master.refuse()
    assert not master.problems and not workers[0].problems and not workers[1].problems


# Ending many

def test_end_all_that_match(fleet):
    """[sessions; concurrent processes]"""
    crew = Crew(fleet, '2.2', 3)
    for number in range(40):
        crew[0].add('0xa{0:02x}'.format(number), srv='w{0}'.format(number % 2))
    crew[1].add('0xb', srv='w0')
    crew[2].add('0xc', srv='w1')
    crew[1].add('0xd', src=None, proto='?')
    ended = crew.hap.shutdown_sessions(server='w0', frontend='www')
    assert ended == (21, 0, 0, [(crew.fleet[0].path, 20), (crew.fleet[1].path, 1)])
    assert ended._asdict() == {'ended': 21, 'gone': 0, 'left': 0, 'by_socket': ended.by_socket}
    assert [command.count(';') for command in crew.commands[0]] == [1, 8, 7, 8, 7, 4, 3]
    assert crew.commands[2] == [LIST]
    assert len(crew[0].ids()) == 20 and crew[1].ids() == ['0xd'] and crew[2].ids() == ['0xc']
    crew.fleet.forget()
    for filters in ({'server': 'w0'}, {'server': 'w0', 'frontend': 'www'}):
        assert crew.hap.shutdown_sessions(**filters) == (0, 0, 0, [])
    assert crew.commands == [[LIST] * 2] * 3
    # HAProxy's own stay.
    assert crew.hap.shutdown_sessions(older_than=0).ended == 21
    assert crew[1].ids() == ['0xd']


def test_without_a_filter_nothing_is_ended(crew):
    """[sessions]"""
    with pytest.raises(ValueError, match='at least one filter'):
        crew.hap.shutdown_sessions()
    with pytest.raises(ValueError):
        crew.hap.shutdown_sessions(None, None, None, None, None, None)
    assert crew.hap.shutdown_sessions(die=False) is False
    assert crew.commands == [[]]


def test_sessions_that_end_meanwhile(crew):
    """[sessions]"""
    for number in range(4):
        crew[0].add('0xa{0}'.format(number))
    listed = crew[0].table

    def end_two():
        crew.fleet[0].handler = None
        crew[0].end('0xa1')
    crew.before_end(0, end_two)
    crew[0].table = lambda rows: (listed(rows), crew[0].rows.pop(0))[0]
    assert crew.hap.shutdown_sessions(frontend='www') == (2, 2, 0, [(crew.fleet[0].path, 2)])


def test_some_processes_refuse(fleet):
    """[verdicts; sessions]"""
    crew = Crew(fleet, '2.2', 2)
    crew.fleet[0].level = 'operator'
    for family in crew:
        for number in range(20):
            family.add('0xa{0:02x}'.format(number))
    with pytest.raises(exceptions.MultipleCommandResults) as caught:
        crew.hap.shutdown_sessions(frontend='www')
    assert caught.value.result == (20, 0, 20, [
        (crew.fleet[0].path, 0), (crew.fleet[1].path, 20)])
    assert [reply[:17] for _, reply in caught.value.results] == ['Permission denied', '']
    assert caught.value.command.startswith('shutdown session 0xa00;')
    assert caught.value.socket_file == crew.fleet[0].path
    # It stops at the first line that is refused.
    assert len(crew.commands[0]) == 4


def test_a_process_is_lost_meanwhile(fleet):
    """[verdicts; sessions]"""
    crew = Crew(fleet, '2.2', 2)
    for family in crew:
        for number in range(20):
            family.add('0xa{0:02x}'.format(number))
    crew.fleet[1].next(*[faults.answering()] * 3 + [faults.closing()])
    with pytest.raises(exceptions.HAProxySocketError) as caught:
        crew.hap.shutdown_sessions(frontend='www')
    assert caught.value.result == (28, 0, 12, [
        (crew.fleet[0].path, 20), (crew.fleet[1].path, 8)])
    assert caught.value.results == [(1, '')]
    # A look is lost: what was ended is known.
    assert 'not known' not in str(caught.value)


def test_a_process_that_cannot_be_listed(fleet):
    """[sessions]"""
    crew = Crew(fleet, '2.2', 2)
    crew[0].add()
    crew.fleet[1].next(faults.closing())
    with pytest.raises(exceptions.HAProxySocketError):
        crew.hap.shutdown_sessions(backend='web')
    assert crew[0].ids() == [ID]


def test_an_interruption_says_how_far_it_has_come(crew):
    """[waiting]"""
    for number in range(20):
        crew[0].add('0xa{0:02x}'.format(number))
    original = internal._Ending._note

    def interrupt(self, *arguments):
        original(self, *arguments)
        raise KeyboardInterrupt
    internal._Ending._note = interrupt
    try:
        with pytest.raises(KeyboardInterrupt) as caught:
            crew.hap.shutdown_sessions(frontend='www')
    finally:
        internal._Ending._note = original
    assert caught.value.result[:3] == (8, 0, 12)


# Ending those of servers

def test_sessions_of_servers_end_without_their_ids(fleet):
    """[sessions]"""
    crew = Crew(fleet, '3.2', 2)
    for family in crew:
        family.add('0xa1')
        family.add('0xa2')
        family.add('0xb', srv='w2')
        family.add('0xc', be='api')
    # In a queue without a server, and in that of a server.
    crew[0].add('0xd1', srv='<none>', state='QUE')
    crew[0].add('0xd2', state='QUE')
    # One more begins until then.
    crew.before_end(1, lambda: crew[1].add('0xe') and None)
    crew.fleet.forget()
    assert crew.hap.shutdown_sessions(server='web/w1') == (5, 0, 0, [
        (crew.fleet[0].path, 3), (crew.fleet[1].path, 2)])
    assert crew.commands == [
        [LIST, 'shutdown sessions server web/w1', 'show sess 0xd2;show info',
         'shutdown session 0xd2'], [LIST, 'shutdown sessions server web/w1']]
    assert [family.ids() for family in crew] == [['0xb', '0xc', '0xd1'], ['0xb', '0xc']]
    crew.fleet.forget()
    crew.fleet[1].handler = None
    assert crew.hap.shutdown_sessions(backend='web').ended == 3
    assert crew.commands[1] == [LIST, 'shutdown sessions server web/w2']
    assert [family.ids() for family in crew] == [['0xc'], ['0xc']]
    crew.fleet.forget()
    for filters in ({'frontend': 'www'}, {'source': '10.0.0.9'}, {'older_than': 0},
                    {'younger_than': 50}):
        crew.hap.shutdown_sessions(server='web/none', **filters)
        crew[1].add('0xf')
        assert crew.hap.shutdown_sessions(server='w1', backend='web', **filters).ended == 1
    assert not [line for line in crew.commands[1] if 'server' in line]


def test_a_server_that_is_refused(fleet):
    """[verdicts; sessions]"""
    crew = Crew(fleet, '3.2', 2)
    crew.fleet[0].level = 'operator'
    for family in crew:
        family.add()
        family.add(OTHER, srv='w2')
    with pytest.raises(exceptions.MultipleCommandResults) as caught:
        crew.hap.shutdown_sessions(backend='web')
    assert caught.value.result == (2, 0, 2, [(crew.fleet[0].path, 0), (crew.fleet[1].path, 2)])
    assert caught.value.command == 'shutdown sessions server web/w1'
    assert crew[0].ids() == [ID, OTHER] and crew[1].ids() == []


def test_a_server_of_a_proxy_that_has_been_stopped(crew):
    """[sessions] As in a worker that a reload has made a former one just now."""
    crew[0].add()
    crew[0].add(OTHER)
    crew.fleet[0].answers['shutdown sessions server web/w1'] = 'Proxy is disabled.\n\n'
    assert crew.hap.shutdown_sessions(server='w1').ended == 2
    assert crew[0].ids() == []


def test_a_process_is_lost_while_it_ends_those_of_a_server(fleet):
    """[verdicts; sessions]"""
    crew = Crew(fleet, '2.2', 2)
    for family in crew:
        family.add()
        family.add(OTHER, srv='<none>', state='QUE')
    crew.fleet[0].next(faults.answering(), faults.closing())
    with pytest.raises(exceptions.HAProxySocketError, match='1 sessions .* is not known') as caught:
        crew.hap.shutdown_sessions(backend='web')
    assert caught.value.result == (2, 0, 2, [(crew.fleet[0].path, 0), (crew.fleet[1].path, 2)])


# Ids that HAProxy uses again

def test_a_session_that_may_not_last_is_not_looked_at_yet(crew, monkeypatch):
    """[sessions]"""
    slept, time = [], [1000.0]
    monkeypatch.setattr(internal, 'LASTING', 0.25)
    monkeypatch.setattr(internal, 'now', lambda: time[0])
    monkeypatch.setattr(internal, 'time', type('Clock', (), {'sleep': slept.append}))
    crew[0].add()
    session, = crew.hap.sessions()
    time[0] += 0.0625
    assert session.shutdown().changed and slept == [0.1875]
    crew[0].add()
    assert crew.hap.shutdown_sessions(frontend='www').ended == 1 and slept == [0.1875, 0.25]
    crew[0].add()
    # Its id does not matter.
    assert crew.hap.shutdown_sessions(server='w1').ended == 1 and len(slept) == 2
    crew[0].add()
    session, = crew.hap.sessions()
    time[0] += 0.25
    assert session.shutdown().changed and len(slept) == 2


@pytest.mark.parametrize('count', [1, 3])
def test_an_answer_is_missing(count, fleet):
    """[sessions; verdicts] HAProxy has ended the connection that the command came by."""
    crew = Crew(fleet, '3.2', 2)
    for family in crew:
        for number in range(count):
            family.add('0xa{0}'.format(number))
    for reply in ('', '\n'):
        crew.fleet[0].handler = lambda command: (
            reply if command.startswith('shutdown') and ';' in command or (
                count == 1 and command.startswith('shutdown')) else None)
        if count == 1 and reply:
            continue
        expected = '{0} sessions .* is not known'.format(count)
        with pytest.raises(exceptions.HAProxySocketError, match=expected) as caught:
            crew.hap.shutdown_sessions(frontend='www')
        assert caught.value.result[:3] == (len(crew[1].rows) + caught.value.result.ended, 0, count)
        assert crew[1].ids() == []


@pytest.mark.parametrize('version, change, changed', [
    ('2.2', {'srv': 'w2'}, False), ('2.2', {'be': 'api'}, False), ('2.2', {'srv': '<none>'}, True),
    ('3.2', {'srv': 'w2'}, True)])
def test_before_2_4_it_must_have_the_same_server(version, change, changed, fleet):
    """[sessions]"""
    crew = Crew(fleet, version)
    row = crew[0].add()
    session, = crew.hap.sessions()
    row.update(change)
    assert session.shutdown() == (changed,)


@pytest.mark.parametrize('filters, change, ended', [
    ({'server': 'w1'}, {'srv': 'w2'}, 0), ({'server': 'w1'}, {'srv': '<NONE>'}, 0),
    ({'backend': 'web'}, {'srv': 'w2'}, 1), ({'backend': 'web'}, {'be': 'api'}, 0),
    ({}, {'be': 'api'}, 1)])
def test_the_filter_still_holds_when_it_is_ended(crew, filters, change, ended):
    """[sessions]"""
    row = crew[0].add()
    table = crew[0].table
    crew[0].table = lambda rows: (table(rows), row.update(change))[0]
    assert crew.hap.shutdown_sessions(frontend='www', **filters)[:3] == (ended, 1 - ended, 0)


def test_before_2_4_a_client_without_a_port_cannot_be_told_apart(fleet):
    """[sessions]"""
    crew = Crew(fleet, '2.2')
    crew[0].add(src='unix:1', proto='unix_stream')
    crew[0].add(OTHER)
    session = crew.hap.session(ID)
    crew.fleet.forget()
    with pytest.raises(exceptions.CommandFailed, match='cannot tell') as caught:
        session.shutdown()
    assert caught.value.result == GONE and caught.value.command is None
    assert crew.commands == [[]] and crew[0].ids() == [ID, OTHER]
    with pytest.raises(exceptions.CommandFailed, match='cannot tell') as caught:
        crew.hap.shutdown_sessions(frontend='www')
    assert caught.value.result[:3] == (1, 0, 1) and crew[0].ids() == [ID]
    assert crew.hap.shutdown_sessions(server='w1').ended == 1
    crew = Crew(fleet, '3.2')
    crew[0].add(src='unix:1', proto='unix_stream')
    assert crew.hap.session(ID).shutdown().changed


# What some versions do wrong

@pytest.mark.parametrize('version, threads, refused', [
    ('2.2.9', 4, None), ('2.4.0', 1, None),
    ('2.4.15', 2, 'without ending'), ('2.6.0', 8, None), ('3.2.26', 8, None)])
def test_versions_that_end_a_session_wrongly(version, threads, refused, fleet):
    """[nothing that kills]"""
    crew = Crew(fleet, version[:3], threads=threads)
    crew.fleet[0].info['Version'] = version
    crew[0].add()
    session, = crew.hap.sessions()
    crew.fleet.forget()
    if refused is None:
        assert session.shutdown().changed
        return
    for method in (session.shutdown, lambda: crew.hap.shutdown_sessions(frontend='www')):
        with pytest.raises(exceptions.CommandFailed, match=refused) as caught:
            method()
        assert caught.value.command is None
        assert caught.value.socket_file == crew.fleet[0].path
    assert END not in crew.commands[0] and crew[0].ids() == [ID]
    # The command for a server is not affected.
    assert crew.hap.shutdown_sessions(backend='web').ended == 1


@pytest.mark.parametrize('number, state, refused', [
    ('3.0.6', 'QUE', True), ('3.0.9', 'CON', True), ('3.0.9', 'EST', False),
    ('3.0.9', 'INI', False), ('3.0.10', 'CON', False), ('2.8.13', 'TAR', True)])
def test_a_session_that_would_freeze(number, state, refused, fleet):
    """[nothing that kills]"""
    crew = Crew(fleet, '3.0')
    crew.fleet[0].info['Version'] = number
    crew[0].add(state=state)
    crew[0].add(OTHER)
    session = crew.hap.session(ID)
    if not refused:
        assert session.shutdown().changed
        return
    with pytest.raises(exceptions.CommandFailed, match='freeze'):
        session.shutdown()
    with pytest.raises(exceptions.CommandFailed, match='freeze') as caught:
        crew.hap.shutdown_sessions(backend='web')
    assert caught.value.result[:3] == (1, 0, 1) and crew[0].ids() == [ID]


def test_a_version_that_crashes_when_it_shows_a_session(fleet):
    """[nothing that kills]"""
    crew = Crew(fleet, '3.2')
    crew.fleet[0].info['Version'] = '3.2.14'
    crew[0].add()
    session, = crew.hap.sessions()
    crew.fleet.forget()
    for method in (session.details, session.shutdown,
                   lambda: crew.hap.shutdown_sessions(frontend='www')):
        with pytest.raises(exceptions.CommandFailed, match='may crash'):
            method()
    assert crew.commands == [[LIST]]


def test_what_is_returned_is_documented():
    for kind in (sessions.Ended, sessions.SessionsEnded):
        assert not kind.__doc__.startswith(kind.__name__ + '(')
        for name in kind._fields:
            assert '``{0}``'.format(name) in kind.__doc__


def test_the_dangers_are_documented():
    for danger in (versions_module.MISSING_SESSIONS, versions_module.FREEZING_SESSIONS,
                   versions_module.SESSION_DETAILS):
        assert 'shutdown_sessions' in danger.shown
