# SPDX-License-Identifier: Apache-2.0
"""tables.py and internal/tables.py: stick tables, with fakes of many versions."""
import gc

import pytest

from haproxyadmin import exceptions
from haproxyadmin.internal import tables as internal
from haproxyadmin.protocol import versions
from haproxyadmin.tables import Cleared, Table, TableEntry
from haproxyadmin.testing import faults
from haproxyadmin.testing.texts import text
from tests.support import lab as labs

CONFIG = """
frontend www
    bind :80

backend st
    stick-table type {kind} size 100 store {store}
"""
STORE = 'gpc0,conn_cnt,http_req_rate(10s)'
WIDTH = 16
KINDS = {'string': 'string len 16', 'binary': 'binary len 4'}

PEERS = ('0x55: [01/Jan/2026:00:00:00] id=mypeers disabled=0 flags=0x0 resync_timeout=<PAST> '
         'task_calls=1\n  0x56: id=other(remote,active) addr=127.0.0.1:1 last_status=ESTA\n'
         '        shared tables:\n          0x57 local_id=1 remote_id=0 flags=0x0\n'
         '              table:0x58 id=st update=0\n\n')


class Site(object):
    """A fleet that has the stick table ``st``, and the library's view of it.

    :param keys: what is in the table: keys, or pairs of a key and a dict of data.
    """

    def __init__(self, fleet, version='2.2', count=2, exact=None, keys=('a', 'b'), kind='string',
                 store=STORE):
        self.fleet = fleet(version, count, config=CONFIG.format(
            kind=KINDS.get(kind, kind), store=store))
        for process in self.fleet:
            if exact:
                process.info['Version'] = exact
            if version >= '2.0':
                process.answers['show peers'] = '\n'
        for table in self.tables:
            for key in keys:
                key, data = key if isinstance(key, tuple) else (key, {})
                table.entries[key] = dict(dict.fromkeys(table.fields, 0), **data)
        self.hap = self.fleet.haproxy()
        self.table = self.hap.table('st')
        self.fleet.forget()

    @property
    def tables(self):
        return [process.tables['st'] for process in self.fleet]

    def sent(self):
        """Return the commands for the table that each process has received."""
        return [[command for command in commands if 'table st' in command]
                for commands in self.fleet.commands]

    def entries(self):
        return [dict((key, dict(data)) for key, data in table.entries.items())
                for table in self.tables]

    def have_peers(self, number, reply=PEERS):
        """Have a process report that it shares the table."""
        self.fleet[number].answers['show peers'] = reply


def whenever(process, action):
    """Let a function see, and change, the process's own reply to each command."""
    def answer(command):
        process.handler = None
        reply = text(process.reply_to(command))
        process.handler = answer
        return action(command, reply)
    process.handler = answer


@pytest.fixture
def site(fleet):
    return lambda *args, **options: Site(fleet, *args, **options)


def data(gpc0=0, conn_cnt=0, rate=0):
    return {'gpc0': gpc0, 'conn_cnt': conn_cnt, 'http_req_rate(10000)': rate}


# Lists

def test_the_tables_of_all_processes(site, fleet):
    on = site()
    table, = on.hap.tables()
    assert (table.name, table.type, table.process_nb) == ('st', 'string', [1, 2])
    assert (table.size, table.used) == (200, 4)
    assert table == on.table and bool(table)
    on.tables[0].entries.clear()
    assert table.used == 2


def test_a_table_of_some_processes(site):
    on = site(count=3)
    on.fleet[1].handler = lambda command: '\n' if command == 'show table' else None
    assert on.hap.table('st').process_nb == [1, 3]
    with pytest.raises(ValueError, match="no stick table 'sst'; did you mean 'st'?"):
        on.hap.table('sst')


def test_one_that_is_gone(site):
    on = site()
    on.fleet[1].handler = lambda command: '\n' if command == 'show table' else None
    with pytest.raises(exceptions.NoSuchObject, match="stick table 'st' is gone from process 2"):
        on.table.used


# Reading

def test_entries_of_all_processes(site):
    on = site(keys=['', 'a=b', 'a\\b', ('two words', data(1, 2, 3))])
    # Those of each process are in order; which process comes first depends on who answers first.
    found = sorted(on.table.entries(), key=lambda entry: entry.process_nb)
    assert [(entry.process_nb, entry.key) for entry in found] == [
        (number, key) for number in (1, 2) for key in ('', 'a=b', 'a\\b', 'two words')]
    assert found[3] == TableEntry('two words', 1, on.fleet[0].path, 0, 0, data(1, 2, 3))
    assert on.sent() == [['show table st']] * 2


def test_nothing_is_sent_until_somebody_reads(site):
    on = site()
    entries = on.table.entries(where=[('gpc0', '==', 0)])
    assert on.fleet.connections == [0, 0]
    assert len(list(entries)) == 4
    assert list(entries) == []


@pytest.mark.parametrize('key', [5, True, None, '5', 'x', u'two words', b'b'])
def test_the_entries_of_a_key(site, key):
    on = site(keys=['5', 'two words', 'b', 'x' * WIDTH])
    if key is True:
        with pytest.raises(ValueError):
            on.table.entries(key)
        assert on.fleet.connections == [0, 0]
        return
    found = [entry.key for entry in on.table.entries(key)]
    key = key.decode('ascii') if isinstance(key, bytes) else key
    expected = [each for each in ['5', 'b', 'two words', 'x' * WIDTH]
                if key is None or each == str(key)]
    assert found == expected * 2


def test_a_key_that_is_too_long_is_not_that_of_another_entry(site):
    on = site(keys=['x' * WIDTH])
    assert list(on.table.entries('x' * (WIDTH + 1))) == []
    assert on.sent() == [['show table st key ' + 'x' * (WIDTH + 1)]] * 2
    assert on.table.remove('x' * (WIDTH + 1)) is True
    assert on.entries() == [{'x' * WIDTH: data()}] * 2


def test_an_empty_key_is_looked_for_in_the_library(site):
    on = site(keys=['a', '', 'b'])
    for key in ('', b'', u''):
        assert [entry.key for entry in on.table.entries(key)] == ['', '']
    assert list(on.table.entries('', where=[('gpc0', '>', 0)])) == []


@pytest.mark.parametrize('kind', ['ip', 'ipv6', 'integer'])
def test_an_empty_key_is_none_of_another_type(site, kind):
    on = site(kind=kind, keys=())
    with pytest.raises(ValueError):
        on.table.entries('')
    assert on.fleet.connections == [0, 0]


def test_a_binary_key_is_looked_for_in_the_library(site):
    on = site(kind='binary', keys=['6162FF00', '00000000'])
    for key in ('6162ff00', b'6162FF00', u'6162FF00'):
        assert [entry.key for entry in on.table.entries(key)] == ['6162FF00'] * 2
    assert list(on.table.entries('61')) == []
    for key in ('', '6', 'xx', 5, None.__class__, '61 62', b'\xff'):
        with pytest.raises(ValueError):
            on.table.entries(key)
    for call in (on.table.set, on.table.remove):
        with pytest.raises(ValueError):
            call('6162FF00')


def test_the_level_is_too_low_to_read(site):
    on = site()
    on.fleet[1].level = 'user'
    for read in (on.table.entries, lambda: on.table.entries('b')):
        with pytest.raises(exceptions.CommandFailed, match='Permission denied') as info:
            list(read())
        assert info.value.socket_file == on.fleet[1].path
    assert on.table.used == 4


def test_leaving_early_leaves_nothing_open(site):
    on = site(keys=['key{0}'.format(number) for number in range(20000)])
    gc.collect()
    on.fleet.wait_for_silence()
    before = labs.descriptors()
    entries = on.table.entries()
    next(entries)
    assert labs.descriptors() > before
    del entries
    gc.collect()
    labs.wait_until(lambda: labs.descriptors() <= before, 'closed')


@pytest.mark.parametrize('version', ['1.5', '1.6'])
def test_nobody_leaves_early_where_that_keeps_an_entry(site, version):
    """[nothing that kills] All replies are there before the first entry is handed out."""
    on = site(version, count=3, keys=['key{0}'.format(number) for number in range(9000)])
    gc.collect()
    on.fleet.wait_for_silence()
    before = labs.descriptors()
    entries = on.table.entries()
    next(entries)
    labs.wait_until(lambda: labs.descriptors() <= before, 'closed')
    assert len(list(entries)) == 26999


def test_a_process_that_is_lost(site):
    on = site(count=3)
    on.fleet[1].next(faults.cut(60))
    with pytest.raises(exceptions.SocketApplicationError, match='cut short') as info:
        list(on.table.entries())
    assert info.value.socket_file == on.fleet[1].path


# Conditions

MANY = [('k{0:02}'.format(number), data(number % 5, number % 3, number)) for number in range(20)]
WHERE = [('gpc0', '>=', 2), ('conn_cnt', '!=', 1), ('http_req_rate', '<', 18)]
WANTED = [key for key, each in MANY if each['gpc0'] >= 2 and each['conn_cnt'] != 1
          and each['http_req_rate(10000)'] < 18]


@pytest.mark.parametrize('version, exact, sent', [
    ('1.8', None, ' data.gpc0 ge 2'), ('2.0', '2.0.0', ''), ('2.0', '2.0.6', ''),
    ('2.0', '2.0.7', ' data.gpc0 ge 2'),
    ('2.2', None, ' data.gpc0 ge 2 data.conn_cnt ne 1 data.http_req_rate lt 18'),
    ('3.4', None, ' data.gpc0 ge 2 data.conn_cnt ne 1 data.http_req_rate lt 18')])
def test_haproxy_checks_the_conditions_that_it_can(site, version, exact, sent):
    on = site(version, exact=exact, keys=MANY)
    assert [entry.key for entry in on.table.entries(where=WHERE)] == WANTED * 2
    assert on.sent() == [['show table st' + sent]] * 2


def test_more_conditions_than_haproxy_takes(site):
    on = site('3.2', keys=MANY)
    where = [('gpc0', '<=', 9)] * 4 + [('gpc0', '==', 3)]
    assert set(entry.data['gpc0'] for entry in on.table.entries(where=where)) == set([3])
    assert on.sent() == [['show table st' + ' data.gpc0 le 9' * 4]] * 2


@pytest.mark.parametrize('word, wanted', [
    ('<', [0, 1]), ('<=', [0, 1, 2]), ('==', [2]), ('!=', [0, 1, 3, 4]), ('>=', [2, 3, 4]),
    ('>', [3, 4])])
@pytest.mark.parametrize('exact', ['2.0.0', '2.0.7'])
def test_both_compare_alike(site, exact, word, wanted):
    on = site('2.0', exact=exact, count=1, keys=[
        ('k{0}'.format(number), data(number)) for number in range(5)])
    for name in ('gpc0', u'gpc0', b'gpc0'):
        assert [entry.data['gpc0'] for entry in on.table.entries(
            where=[(name, word, 2)])] == wanted


def test_a_key_and_conditions(site):
    on = site(keys=MANY)
    assert len(list(on.table.entries('k07', where=[('gpc0', '==', 2)]))) == 2
    assert list(on.table.entries('k07', where=[('gpc0', '!=', 2)])) == []
    assert list(on.table.entries('nothing', where=[('gpc0', '!=', 2)])) == []


@pytest.mark.parametrize('version, exact', [('2.0', '2.0.0'), ('2.2', None)])
def test_what_the_table_does_not_store(site, version, exact):
    on = site(version, exact=exact, keys=MANY)
    for where in ([('gpt0', '>', 1)], [('gpc0', '>', 100), ('conn_rate', '>', 1)],
                  [('gpc9', '>', 1)]):
        with pytest.raises(exceptions.CommandFailed, match='not store'):
            list(on.table.entries(where=where))
        with pytest.raises(exceptions.CommandFailed, match='not store'):
            list(on.table.entries('k01', where=where))


@pytest.mark.parametrize('where, wanted', [
    ([('gpc', '>', 0)], 'bc'), ([('gpc1', '>', 0)], 'c'), ([('gpc_rate', '==', 7)], 'a'),
    ([('gpc1_rate', '==', 7)], 'b'), ([('gpc', '>', 0), ('gpt1', '==', 1)], 'b'),
    ([('gpc0', '>', 0)], 'bc')])
def test_an_element_of_an_array(site, where, wanted):
    """HAProxy refuses it, and the library looks at all entries."""
    on = site('2.6', 1, store='gpt(2),gpc(3),gpc_rate(2,5)', keys=[
        ('a', {'gpc0_rate(5)': 7}), ('b', {'gpc0': 1, 'gpt1': 1, 'gpc1_rate(5)': 7}),
        ('c', {'gpc0': 1, 'gpc1': 2})])
    hap, table = on.hap, on.tables[0]
    assert ''.join(entry.key for entry in hap.table('st').entries(where=where)) == wanted
    with pytest.raises(exceptions.CommandFailed, match='does not store gpc3; it stores gpc0, '):
        list(hap.table('st').entries(where=[('gpc3', '>', 0)]))
    assert hap.table('st').clear(where=where) == Cleared(0)
    assert ''.join(table.entries) == ''.join(each for each in 'abc' if each not in wanted)


# The way a key is read

def test_the_level_is_asked_first_where_a_refusal_keeps_an_entry(site):
    """[nothing that kills]"""
    on = site('3.0', exact='3.0.5')
    assert len(list(on.table.entries('a'))) == 2
    assert on.fleet.commands == [['show cli level', 'show table st key a']] * 2
    on.fleet.forget()
    on.fleet[1].level = 'user'
    for call in (lambda: on.table.entries('a'), lambda: on.table.set('a', gpc0=1),
                 lambda: on.table.remove('a')):
        with pytest.raises(exceptions.CommandFailed, match='Permission denied') as info:
            call()
        assert info.value.socket_file == on.fleet[1].path
    assert all('key' not in command for command in on.fleet.commands[1])
    assert on.entries() == [{'a': data(), 'b': data()}] * 2


def test_1_6_does_not_answer_about_one_entry(site):
    """[nothing that kills] Nothing is sent."""
    on = site('1.6')
    for call in (lambda: on.table.entries('a'), lambda: on.table.set('a', gpc0=1),
                 lambda: on.table.remove('a')):
        with pytest.raises(exceptions.CommandFailed) as info:
            call()
        assert str(info.value) == versions.SILENT_KEYS.reason
    assert on.sent() == [[]] * 2
    assert len(list(on.table.entries())) == 4
    on.tables[0].leaves = ['b']
    assert on.table.clear() == Cleared(1)


# Storing

def test_data_are_stored_in_all_processes(site):
    on = site(count=3)
    assert on.table.set('a', gpc0=5, http_req_rate=7) is True
    assert on.table.set('two words') is True
    assert on.entries() == [{'a': data(5, 0, 7), 'b': data(), 'two words': data()}] * 3
    assert on.sent()[0][:3] == ['show table st key a',
                                'set table st key a data.gpc0 5 data.http_req_rate 7',
                                'show table st key a']


@pytest.mark.parametrize('key, numbers', [
    ('', {'gpc0': 1}), ('a\n', {'gpc0': 1}), (None, {}), ('a', {'gpc0': -1}),
    ('a', {'gpc0': 2 ** 32}), ('a', {'server_key': 1}), ('a', {'a b': 1}), ('a', {'gpc0': '5'})])
def test_nothing_is_sent_for_what_is_wrong(site, key, numbers):
    """[argument checks]"""
    on = site()
    with pytest.raises(ValueError):
        on.table.set(key, **numbers)
    assert on.table.set(key, die=False, **numbers) is False
    assert on.fleet.connections == [0, 0]


def test_a_name_that_is_not_stored_is_noticed_before_any_is(site):
    on = site()
    with pytest.raises(exceptions.CommandFailed, match='does not store gpt0; it stores conn_cnt'):
        on.table.set('a', gpc0=5, gpt0=1)
    assert on.table.set('a', die=False, gpc0=5, gpt0=1) is False
    assert on.entries() == [{'a': data(), 'b': data()}] * 2


def test_an_entry_that_a_refused_command_has_created_is_removed(site):
    on = site()
    with pytest.raises(exceptions.CommandFailed, match='not stored') as info:
        on.table.set('new', gpc0=5, gpt0=1)
    assert on.entries() == [{'a': data(), 'b': data()}] * 2
    assert (info.value.undone, info.value.not_undone) == (on.fleet.paths, [])
    assert str(info.value).endswith('Data type not stored in this table')


def test_a_key_that_haproxy_truncates_is_refused_and_nothing_is_left(site):
    on = site()
    with pytest.raises(exceptions.CommandFailed, match='truncates the key to .' + 'x' * WIDTH):
        on.table.set('x' * (WIDTH + 1), gpc0=5)
    assert on.entries() == [{'a': data(), 'b': data()}] * 2
    on = site(keys=['x' * WIDTH])
    with pytest.raises(exceptions.CommandFailed, match='truncates'):
        on.table.set('x' * (WIDTH + 1), gpc0=5)
    assert on.entries() == [{'x' * WIDTH: data()}] * 2
    assert not any('set' in command for commands in on.sent() for command in commands)


def refusing(process, words):
    """Refuse a command that begins so."""
    process.handler = lambda command: (
        'Permission denied\n\n' if command.startswith(words) else None)


def test_one_that_refuses_undoes_the_others(site):
    on = site(count=3, keys=[('a', data(1, 2, 3)), 'b'])
    refusing(on.fleet[1], 'set')
    with pytest.raises(exceptions.MultipleCommandResults) as info:
        on.table.set('a', gpc0=9, http_req_rate=9)
    assert info.value.undone == [on.fleet.paths[0], on.fleet.paths[2]]
    assert info.value.not_undone == []
    assert on.entries() == [{'a': data(1, 2, 3), 'b': data()}] * 3
    with pytest.raises(exceptions.MultipleCommandResults) as info:
        on.table.set('new', gpc0=9)
    assert on.entries() == [{'a': data(1, 2, 3), 'b': data()}] * 3
    assert on.table.set('new', gpc0=9, die=False) is False


def test_one_that_is_lost_undoes_the_others(site):
    on = site(count=3, keys=[('a', data(1))])
    # It gets the command, and does not say what it has done with it.
    lost_at(on.fleet[1], 'set table', faults.answering())
    with pytest.raises(exceptions.HAProxySocketError) as info:
        on.table.set('a', gpc0=9)
    # It answers again by then.
    assert info.value.not_undone == []
    assert info.value.undone == on.fleet.paths
    assert on.entries() == [{'a': data(1)}] * 3


def lost_at(process, words, then=faults.closing()):
    """Have a process close the connection at such a command, and no longer answer."""
    def behave(process, client):
        process.heal()
        process.fail(then)
        faults.closing()(process, client)
    process.fail(faults.Fault(behave, command=words))


def replaced_at(process, words):
    """Have another process take over before such a command."""
    def behave(process, client):
        process.heal()
        process.take_over(process.version)
        process.answer(client)
    process.fail(faults.Fault(behave, command=words))


def test_one_that_stays_lost_is_reported(site):
    on = site(count=3, keys=[('a', data(1))])
    lost_at(on.fleet[1], 'set table')
    with pytest.raises(exceptions.HAProxySocketError) as info:
        on.table.set('a', gpc0=9)
    assert info.value.undone == [on.fleet.paths[0], on.fleet.paths[2]]
    assert info.value.not_undone == [on.fleet.paths[1]]
    assert on.entries() == [{'a': data(1)}] * 3


def test_one_that_is_replaced_is_reported(site):
    on = site('3.2', count=3, keys=[('a', data(1))])
    replaced_at(on.fleet[1], 'set table')
    refusing(on.fleet[2], 'set')
    with pytest.raises(exceptions.MultipleCommandResults) as info:
        on.table.set('a', gpc0=9)
    assert info.value.undone == [on.fleet.paths[0]]
    assert info.value.replaced == [on.fleet.paths[1]]
    assert info.value.not_undone == []
    assert on.entries()[0] == {'a': data(1)}


@pytest.mark.parametrize('where', [5, True, object(), [5], 'gpc0'])
def test_what_is_no_list_of_conditions(site, where):
    on = site()
    for method in (on.table.entries, on.table.clear):
        with pytest.raises(ValueError, match='a condition is a tuple'):
            method(where=where)


@pytest.mark.parametrize('call', [
    lambda table: table.set('k' * 15335, gpc0=1), lambda table: table.remove('k' * 15341),
    lambda table: table.set('k', **dict(('x{0}'.format(n), 1) for n in range(30))),
    lambda table: table.clear(where=[('x' * 65, '>', 1)])])
def test_a_command_that_would_be_too_long(site, call):
    on = site()
    with pytest.raises(ValueError):
        call(on.table)
    assert on.fleet.connections == [0, 0]


def test_a_reload_while_entries_are_read(site):
    """HAProxy ends the reply as if it were complete."""
    on = site('3.2', count=2, keys=['a', 'b', 'c'])

    def reload(command, reply):
        on.fleet[1].handler = None
        on.fleet[1].take_over('3.2')
        return reply.replace('used:3', 'used:4')
    whenever(on.fleet[1], reload)
    found = on.table.entries()
    with pytest.raises(exceptions.SocketApplicationError, match='was reloaded or has ended') as info:
        list(found)
    assert info.value.socket_file == on.fleet.paths[1]


def test_entries_that_expire_while_they_are_read(site):
    on = site('3.2', count=2, keys=['a', 'b', 'c'])
    whenever(on.fleet[1], lambda command, reply: reply.replace('used:3', 'used:4'))
    assert len(list(on.table.entries())) == 6


def test_one_that_was_restarted_does_not_have_it(site):
    on = site('3.2', count=2, keys=[('a', data(1))])

    def restart(command):
        if not command.startswith('set'):
            return None
        on.fleet[1].take_over('3.2')
        on.fleet[1].handler = None
        return '\n'
    on.fleet[1].handler = restart
    with pytest.raises(exceptions.CommandFailed, match='another process has taken over') as info:
        on.table.set('a', gpc0=9)
    assert info.value.replaced == [on.fleet.paths[1]]
    assert info.value.undone == [on.fleet.paths[0]]
    assert on.entries() == [{'a': data(1)}, {}]


def test_one_that_cannot_be_read_is_not_changed(site):
    on = site(count=2)
    on.fleet[1].next(faults.closing())
    with pytest.raises(exceptions.HAProxySocketError) as info:
        on.table.set('a', gpc0=9)
    assert on.entries() == [{'a': data(), 'b': data()}] * 2
    assert not info.value.undone and not info.value.not_undone


def test_an_entry_that_is_new_stays_where_removing_it_may_crash(site):
    """[nothing that kills]"""
    on = site('3.0', exact='3.0.1', count=2)
    refusing(on.fleet[1], 'set')
    with pytest.raises(exceptions.MultipleCommandResults) as info:
        on.table.set('new', gpc0=5)
    assert info.value.undone == []
    assert info.value.not_undone == [on.fleet.paths[0]]
    assert not any('clear' in command for commands in on.sent() for command in commands)


# Removing one

def test_an_entry_is_removed_where_it_is(site):
    on = site(count=3)
    del on.tables[1].entries['a']
    assert on.table.remove('a') is True
    assert on.entries() == [{'b': data()}] * 3
    assert on.sent() == [['show table st key a', 'clear table st key a'],
                         ['show table st key a'], ['show table st key a', 'clear table st key a']]
    on.fleet.forget()
    assert on.table.remove('a') is True
    assert on.sent() == [['show table st key a']] * 3


def test_one_in_use_is_removed_nowhere(site):
    on = site(count=3, keys=[('a', data(1, 2, 3))])
    on.tables[2].uses['a'] = 1
    with pytest.raises(exceptions.MultipleCommandResults) as info:
        on.table.remove('a')
    assert 'Entry currently in use, cannot remove' in str(info.value.results)
    assert info.value.undone == on.fleet.paths[:2]
    assert info.value.not_undone == []
    assert on.entries() == [{'a': data(1, 2, 3)}] * 3
    assert on.table.remove('a', die=False) is False
    for table in on.tables:
        table.uses['a'] = 1
    with pytest.raises(exceptions.CommandFailed, match='in use'):
        on.table.remove('a')


def test_a_process_that_is_lost_while_it_removes(site):
    on = site(count=3, keys=[('a', data(1, 2, 3))])
    lost_at(on.fleet[1], 'clear table')
    with pytest.raises(exceptions.HAProxySocketError) as info:
        on.table.remove('a')
    assert info.value.undone == [on.fleet.paths[0], on.fleet.paths[2]]
    assert info.value.not_undone == [on.fleet.paths[1]]
    assert on.entries() == [{'a': data(1, 2, 3)}] * 3


@pytest.mark.parametrize('key', ['', None, 'a\nb', True])
def test_what_is_no_key_to_remove(site, key):
    """[argument checks] [nothing that kills] An empty one would empty the table."""
    on = site()
    with pytest.raises(ValueError):
        on.table.remove(key)
    assert on.fleet.connections == [0, 0]


# Removing many

def test_all_entries_are_removed(site):
    on = site(count=3)
    assert on.table.clear() == Cleared(0) == on.table.clear()
    assert on.entries() == [{}] * 3
    assert on.sent()[0][:2] == ['clear table st', 'show table st']


def test_what_haproxy_leaves_is_removed_by_its_key(site):
    keys = ['k {0}'.format(number) for number in range(30)]
    on = site(keys=keys + ['used'])
    for table in on.tables:
        table.leaves, table.uses['used'] = list(keys), 1
    assert on.table.clear() == Cleared(2)
    assert on.entries() == [{'used': data()}] * 2
    # The fake counts the parts of a line, too.
    lines = [command for command in on.sent()[0] if ';' in command]
    assert [line.count('clear table st key') for line in lines] == [12, 12, 6]


def test_what_cannot_be_sent_is_left(site):
    on = site(keys=['', 'a\nb', 'c'])
    for table in on.tables:
        table.leaves = ['', 'a\nb', 'c']
    assert on.table.clear() == Cleared(4)
    assert on.entries() == [{'': data(), 'a\nb': data()}] * 2
    on = site(kind='binary', keys=['00'])
    on.tables[0].leaves = ['00']
    assert on.table.clear() == Cleared(1)


def test_one_that_is_in_use_by_now_is_left(site):
    on = site(keys=['a'])
    table = on.tables[0]
    table.leaves = ['a']

    def use(command, reply):
        if command.startswith('show table st'):
            table.uses['a'] = 1
        return reply
    whenever(on.fleet[0], use)
    assert on.table.clear() == Cleared(1)


@pytest.mark.parametrize('version, exact, sent', [
    ('1.8', None, None), ('2.0', '2.0.0', None),
    ('2.2', None, 'clear table st data.gpc0 ge 2 data.conn_cnt ne 1 data.http_req_rate lt 18')])
def test_those_that_meet_conditions_are_removed(site, version, exact, sent):
    on = site(version, exact=exact, keys=MANY)
    assert on.table.clear(where=WHERE) == Cleared(0)
    assert [sorted(entries) for entries in on.entries()] == [
        sorted(key for key, _ in MANY if key not in WANTED)] * 2
    assert not any(command == 'clear table st' for commands in on.sent() for command in commands)
    cleared = [command for command in on.sent()[0] if command.startswith('clear table st data')]
    assert cleared == ([sent] if sent else [])


def test_one_condition_is_checked_by_every_version(site):
    on = site('1.8', keys=MANY)
    assert on.table.clear(where=WHERE[:1]) == Cleared(0)
    assert on.sent()[0] == ['clear table st data.gpc0 ge 2', 'show table st data.gpc0 ge 2']


@pytest.mark.parametrize('where', [[], (), 'gpc0>1', [()], [('gpc0', 'gt', 1)], [('', '>', 1)]])
def test_nothing_is_removed_for_wrong_conditions(site, where):
    """[argument checks] [nothing that kills]"""
    on = site()
    with pytest.raises(ValueError):
        on.table.clear(where)
    assert on.table.clear(where, die=False) is False
    assert on.fleet.connections == [0, 0]
    assert on.entries() == [{'a': data(), 'b': data()}] * 2


def test_binary_keys_and_conditions_that_an_old_version_cannot_check(site):
    on = site('1.8', kind='binary', keys=['00'])
    with pytest.raises(exceptions.CommandFailed, match='removes no entry by a key of type binary'):
        on.table.clear(where=WHERE)
    assert on.sent() == [[]] * 2
    assert on.table.clear(where=WHERE[:1]) == Cleared(0)


def test_a_condition_about_what_is_not_stored_removes_nothing(site):
    on = site()
    with pytest.raises(exceptions.CommandFailed, match='not stored') as info:
        on.table.clear(where=[('conn_rate', '>', 0)])
    assert (info.value.undone, info.value.not_undone) == ([], [])
    with pytest.raises(exceptions.CommandFailed, match='not store gpt5') as info:
        on.table.clear(where=[('gpt5', '>', 0)])
    assert info.value.not_undone == []
    assert on.entries() == [{'a': data(), 'b': data()}] * 2


def test_a_level_that_makes_haproxy_ignore_it_is_an_error(site):
    """Up to 3.0 it answers as after a success; so all are asked before the first one does it."""
    on = site(count=3)
    ignoring(on, 1)
    with pytest.raises(exceptions.CommandFailed, match='Permission denied') as info:
        on.table.clear()
    assert info.value.socket_file == on.fleet.paths[1]
    assert not info.value.not_undone
    assert on.entries() == [{'a': data(), 'b': data()}] * 3
    assert on.table.clear(die=False) is False


def ignoring(on, number):
    """Have a process ignore that it is to clear the table."""
    on.fleet[number].level = 'user'


def test_so_it_is_if_all_ignore_it(site):
    on = site(count=2)
    for number in (0, 1):
        ignoring(on, number)
    with pytest.raises(exceptions.CommandFailed, match='Permission denied') as info:
        on.table.clear()
    assert not info.value.not_undone
    assert on.entries() == [{'a': data(), 'b': data()}] * 2


@pytest.mark.parametrize('version, exact', [('1.8', None), ('2.0', '2.0.0')])
def test_one_that_is_lost_while_it_removes_entries_by_their_keys(site, version, exact):
    on = site(version, exact=exact, count=3, keys=['k{0}'.format(number) for number in range(30)])
    on.tables[0].entries.clear()
    lost_at(on.fleet[2], 'clear table')
    with pytest.raises(exceptions.HAProxySocketError) as info:
        on.table.clear(where=[('gpc0', '==', 0), ('conn_cnt', '==', 0)])
    assert info.value.not_undone == on.fleet.paths[1:]
    assert len(on.tables[1].entries) == 18


def test_one_that_refuses_to_clear(site):
    on = site(count=3)
    refusing(on.fleet[1], 'clear')
    with pytest.raises(exceptions.MultipleCommandResults) as info:
        on.table.clear()
    assert info.value.not_undone == [on.fleet.paths[0], on.fleet.paths[2]]
    assert info.value.undone == []
    for process in (on.fleet[0], on.fleet[2]):
        refusing(process, 'clear')
    with pytest.raises(exceptions.CommandFailed) as info:
        on.table.clear()
    assert info.value.not_undone == []


def test_one_that_is_lost_while_it_clears(site):
    on = site(count=3)
    lost_at(on.fleet[1], 'clear table')
    with pytest.raises(exceptions.HAProxySocketError) as info:
        on.table.clear()
    assert info.value.not_undone == on.fleet.paths
    assert info.value.socket_file == on.fleet.paths[1]
    on = site(count=2)
    on.fleet[1].refuse()
    with pytest.raises(exceptions.HAProxySocketError) as info:
        on.table.clear()
    assert not info.value.not_undone
    assert on.entries()[0] == {'a': data(), 'b': data()}


def test_one_that_is_lost_afterwards(site):
    on = site(count=2)
    lost_at(on.fleet[1], 'show table ')
    with pytest.raises(exceptions.HAProxySocketError) as info:
        on.table.clear()
    assert info.value.not_undone == on.fleet.paths


def test_an_interruption_says_what_may_be_removed(site, monkeypatch):
    on = site(count=2)

    def interrupt(*args):
        raise KeyboardInterrupt()
    monkeypatch.setattr(internal, '_remove_rest', interrupt)
    with pytest.raises(KeyboardInterrupt) as info:
        on.table.clear()
    assert info.value.not_undone == on.fleet.paths


# Versions

@pytest.mark.parametrize('call', [
    lambda table: table.remove('a'), lambda table: table.clear(),
    lambda table: table.clear(where=[('gpc0', '==', 0)])])
class TestWhereItMayCrash(object):

    def check(self, on, call, reason):
        with pytest.raises(exceptions.CommandFailed) as info:
            call(on.table)
        assert str(info.value) == reason
        assert not any('clear' in command for commands in on.sent() for command in commands)
        assert on.entries() == [{'a': data(), 'b': data()}] * 2

    @pytest.mark.parametrize('exact', ['3.0.1', '2.9.7'])
    def test_nothing_is_removed(self, site, call, exact):
        """[nothing that kills]"""
        self.check(site('3.0', exact=exact), call, versions.REMOVING_ENTRIES.reason)

    def test_nothing_is_removed_from_a_table_that_peers_share(self, site, call):
        """[nothing that kills]"""
        on = site('3.2', exact='3.2.3')
        on.have_peers(1)
        self.check(on, call, versions.REMOVING_SHARED_ENTRIES.reason)
        on.have_peers(1, '\n')
        call(on.table)
        assert 'a' not in on.tables[0].entries

    def test_other_versions_do_not_ask_for_peers(self, site, call):
        on = site('3.2', exact='3.2.6')
        on.have_peers(1)
        call(on.table)
        assert not any('show peers' in commands for commands in on.fleet.commands)


def test_the_peers_of_a_table(site):
    on = site('3.2')
    assert on.table.peers == []
    on.have_peers(1)
    assert on.table.peers == ['mypeers']
    on = site('1.8')
    with pytest.raises(exceptions.NotSupported) as info:
        on.table.peers
    assert info.value.needs == '2.0'


def test_a_table_has_a_name_and_processes(site):
    on = site()
    assert isinstance(on.table, Table)
    assert "'st'" in repr(on.table)
    with pytest.raises(AttributeError):
        on.table.type = 'ip'
    assert len(set([on.table, on.hap.table('st')])) == 1
