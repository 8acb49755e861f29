# SPDX-License-Identifier: Apache-2.0
"""differences.py, internal/differences.py, internal/certificates.py: what is not the same."""
import collections
import json

import pytest

from haproxyadmin import exceptions
from haproxyadmin.differences import Difference
from haproxyadmin.testing.families.patterns import PatternList
from tests.support import captured

BOTH = 'show info;show stat -1 7 -1'
SERVER = ('tcp_listen', 'tcp1')


@pytest.fixture
def pair(fleet):
    """Two processes that are alike, of HAProxy 3.2."""
    return fleet('3.2', 2)


def values(difference):
    return [value for _, value in difference.by_socket]


def only(found):
    """Return the only difference, as kind, name, field and values."""
    difference, = found
    return tuple(difference[:3]) + (values(difference),)


@pytest.mark.parametrize('version', captured.VERSIONS)
def test_processes_that_are_alike_have_none(version, fleet):
    """[one command per call]"""
    started = fleet(version, 3)
    hap = started.haproxy()
    assert hap.differences() == []
    assert started.commands == [[BOTH]] * 3


def test_figures_do_not_count(pair):
    """[differences]"""
    for place, process in enumerate(pair):
        for name in ('Pid', 'Uptime', 'Uptime_sec', 'CumReq', 'CurrConns', 'Idle_pct', 'Tasks'):
            process.info[name] = str(int(process.info[name]) + 7 * place) if process.info[
                name].isdigit() else process.info[name] + '%d' % place
        process.info['node'] = 'lb%d' % place
        process.info['description'] = 'The balancer of rack %d' % place
        for row in process.rows:
            for name in ('scur', 'smax', 'stot', 'bin', 'rate', 'econ', 'lastchg', 'iid', 'sid',
                         'check_duration', 'qcur', 'downtime', 'last_chk', 'chkfail'):
                row[process.columns.index(name)] = str(place + 1)
    assert pair.haproxy().differences() == []


@pytest.mark.parametrize('field, text, value, other', [
    ('Version', '3.2.27', '3.2.27', '3.2.26-1'), ('Nbthread', '4', 4, 2),
    ('Maxconn', '100', 100, 2000), ('SessRateLimit', '9', 9, 0), ('Memmax_MB', '512', 512, 0)])
def test_of_the_processes_themselves(pair, field, text, value, other):
    """[integers]"""
    pair[1].info[field] = text
    found = pair.haproxy().differences()
    assert only(found) == ('process', '', field, [other, value])
    assert [socket_file for socket_file, _ in found[0].by_socket] == pair.paths
    assert isinstance(found[0], Difference)
    assert json.loads(json.dumps(found[0]._asdict()))['field'] == field


@pytest.mark.parametrize('kind, name, field, texts, expected', [
    ('frontend', ('frontend_proc1', 'FRONTEND'), 'status', ('OPEN', 'STOP'), ['OPEN', 'STOP']),
    ('frontend', ('frontend_proc1', 'FRONTEND'), 'slim', ('300', '400'), [300, 400]),
    ('frontend', ('frontend_proc1', 'FRONTEND'), 'rate_lim', ('0', '5'), [0, 5]),
    ('backend', ('be_static', 'BACKEND'), 'status', ('UP', 'DOWN'), ['UP', 'DOWN']),
    ('backend', ('be_static', 'BACKEND'), 'algo', ('a', 'b'), ['a', 'b']),
    ('backend', ('be_static', 'BACKEND'), 'mode', ('http', 'tcp'), ['http', 'tcp']),
    ('backend', ('be_static', 'BACKEND'), 'slim', ('5', '6'), [5, 6]),
    ('server', SERVER, 'status', ('UP', 'DOWN'), ['UP', 'DOWN']),
    ('server', SERVER, 'status', ('UP', 'MAINT'), ['UP', 'MAINT']),
    ('server', SERVER, 'status', ('UP 1/3', 'DOWN 1/2'), ['UP 1/3', 'DOWN 1/2']),
    ('server', SERVER, 'weight', ('1', '20'), [1, 20]),
    ('server', SERVER, 'addr', ('10.0.0.1:80', '10.0.0.2:80'), ['10.0.0.1:80', '10.0.0.2:80']),
    ('server', SERVER, 'slim', ('', '20'), [None, 20]),
    ('server', SERVER, 'qlimit', ('7', ''), [7, None]),
    ('server', SERVER, 'bck', ('0', '1'), [0, 1]),
    ('server', SERVER, 'cookie', ('', '7'), [None, '7']),
    ('server', SERVER, 'tracked', ('', 'a/b'), [None, 'a/b']),
])
def test_of_proxies_and_servers(pair, kind, name, field, texts, expected):
    for process, text in zip(pair, texts):
        process.set(name[0], name[1], field, text)
    shown = '/'.join(name) if kind == 'server' else name[0]
    assert only(pair.haproxy().differences()) == (kind, shown, field, expected)


@pytest.mark.parametrize('field, texts', [
    ('status', ('UP', 'UP 1/3')), ('status', ('UP 2/3', 'UP 1/3')), ('status', ('DOWN', 'DOWN 1/2')),
    ('status', ('UP -1/3', 'UP')), ('addr', ('10.0.0.1:80', ''))])
def test_what_is_no_difference(pair, field, texts):
    """[differences]"""
    for process, text in zip(pair, texts):
        if field == 'addr':
            for row in process.rows:
                row[process.columns.index('addr')] = text and row[process.columns.index('addr')]
                row[process.columns.index('cookie')] = text
                row[process.columns.index('algo')] = text
        else:
            process.set(SERVER[0], SERVER[1], field, text)
    assert pair.haproxy().differences() == []


def test_the_weight_of_a_slow_start_is_a_figure(pair):
    pair[0].set(SERVER[0], SERVER[1], 'weight', '20')
    pair[0].set(SERVER[0], SERVER[1], 'throttle', '40')
    assert pair.haproxy().differences() == []


def test_an_older_version_reports_less(fleet):
    """[upgrades] A field that one of them does not report is not compared."""
    started = fleet('1.5', 1)
    started.add('new.sock', version='3.2', pid=7)
    found = started.haproxy().differences()
    assert set(difference.field for difference in found if difference.kind == 'server') <= set(
        ['exists', 'status', 'weight', 'slim'])
    assert [values(difference) for difference in found if difference.field == 'Version'] == [
        ['1.5.19', '3.2.26-1']]


def test_what_is_missing(fleet):
    started = fleet('3.2', 3)
    started[0].remove('be_dynamic')
    started[1].remove('be_static', 'be_static_srv2')
    started[2].remove('frontend_proc1')
    started[2].set('be_dynamic', 'be_dynamic_srv1', 'weight', '9')
    assert [tuple(difference[:3]) + (values(difference),)
            for difference in started.haproxy().differences()] == [
        ('frontend', 'frontend_proc1', 'exists', [True, True, False]),
        # Its servers are missing, too, but do not say more.
        ('backend', 'be_dynamic', 'exists', [False, True, True]),
        ('server', 'be_static/be_static_srv2', 'exists', [True, False, True]),
        ('server', 'be_dynamic/be_dynamic_srv1', 'weight', [None, 100, 9])]


def test_a_server_of_a_backend_that_not_all_have(fleet):
    started = fleet('3.2', 3)
    started[0].remove('be_dynamic')
    started[1].remove('be_dynamic', 'be_dynamic_srv1')
    assert [tuple(difference[:3]) + (values(difference),)
            for difference in started.haproxy().differences()] == [
        ('backend', 'be_dynamic', 'exists', [False, True, True]),
        ('server', 'be_dynamic/be_dynamic_srv1', 'exists', [False, False, True])]


def test_a_process_that_does_not_answer_is_an_error(pair):
    """[verdicts]"""
    hap = pair.haproxy()
    pair[1].refuse()
    with pytest.raises(exceptions.SocketConnectionError):
        hap.differences()
    assert hap.differences(die=False) is False


def test_two_sockets_of_one_process_count_once(fleet):
    """[one process, two sockets]"""
    started = fleet('3.2', 1)
    twin = started.add('twin.sock', 1, 4001)
    requests = iter(range(1000))
    started[0].requests = twin.requests = requests
    assert started.haproxy().differences(True, True, True) == []


def test_one_process_costs_one_command(fleet):
    started = fleet('3.2', 1)
    hap = started.haproxy()
    assert hap.differences(maps=True, acls=True, certificates=True) == []
    assert started.commands == [[BOTH]]


# ACLs and maps

def give(process, family, entries, ids=None):
    """Give a process maps or ACLs, in place of all that it has.

    :param entries: a list of entries by file, or by ``'#3'``.
    """
    process.patterns.lists = []
    for place, (name, own) in enumerate(entries.items()):
        is_inline = name.startswith('#')
        stored = PatternList(process.patterns, '' if is_inline else name, [family], (
            "acl 'path' file '/etc/haproxy.cfg' line 7" if is_inline else
            "pattern loaded from file '{0}' used by {1} at file '/etc/haproxy.cfg' line 5".format(
                name, family)))
        stored.id = int(name[1:]) if is_inline else (ids or {}).get(name, place)
        for entry in own:
            key, blank, value = entry.partition(' ')
            stored.add(*[key, value if blank else None] if family == 'map' else [entry])
        process.patterns.lists.append(stored)


@pytest.mark.parametrize('family', ['map', 'acl'])
@pytest.mark.parametrize('lists, field, expected', [
    ([['a 1', 'b 2'], ['a 1', 'b 2']], None, None),
    ([[], []], None, None),
    ([['a 1', 'b 2'], ['a 1']], 'entries', [['b 2'], []]),
    ([['a 1', 'b 2'], ['a 1', 'b 3', 'c 4']], 'entries', [['b 2'], ['b 3', 'c 4']]),
    ([['a 1', 'a 1'], ['a 1']], 'entries', [['a 1'], []]),
    ([[], ['a 1']], 'entries', [[], ['a 1']]),
    ([['a 1', 'b 2', 'c 3'], ['a 1', 'c 3', 'b 2']], 'order', ['b 2', 'c 3']),
    ([['a 1', 'a 1', 'b 2'], ['a 1', 'b 2', 'a 1']], 'order', ['a 1', 'b 2']),
    ([['a two words', 'b '], ['a two words', 'b']], 'entries', [['b '], ['b']]),
    ([['a 1', 'b 2'], ['a 1', 'b 2'], ['a 1', 'x 1', 'b 2']], 'entries', [[], [], ['x 1']]),
])
def test_entries(fleet, family, lists, field, expected):
    started = fleet('3.2', len(lists))
    for place, (process, entries) in enumerate(zip(started, lists)):
        # Ids differ between instances.
        give(process, family, {'/etc/x(1).lst': entries}, {'/etc/x(1).lst': place})
    hap = started.haproxy()
    found = hap.differences(**{family + 's': True})
    if field:
        assert only(found) == (family, '/etc/x(1).lst', field, expected)
    else:
        assert found == []
    assert started.commands == [
        [BOTH, 'show ' + family, 'show {0} #{1}'.format(family, place)]
        for place in range(len(lists))]
    assert hap.differences() == []


def test_an_acl_without_a_file_goes_by_its_id(pair):
    for process, own in zip(pair, (['/a', '/b'], ['/a'])):
        give(process, 'acl', collections.OrderedDict([('#3', own), ('#4', ['same'])]))
    assert only(pair.haproxy().differences(acls=True)) == ('acl', '#3', 'entries', [['/b'], []])


def test_a_map_that_is_missing(fleet):
    started = fleet('3.2', 3)
    for process, own in zip(started, (['a 1'], None, ['a 2'])):
        give(process, 'map', {'/m': own} if own else {})
    hap = started.haproxy()
    assert [tuple(difference[:3]) + (values(difference),)
            for difference in hap.differences(maps=True)] == [
        ('map', '/m', 'exists', [True, False, True]),
        ('map', '/m', 'entries', [['a 1'], None, ['a 2']])]
    assert [len(commands) for commands in started.commands] == [3, 2, 3]


@pytest.mark.parametrize('version', captured.VERSIONS)
def test_lists_of_all_versions(version, fleet):
    started = fleet(version, 2)
    hap = started.haproxy()
    assert hap.differences(maps=True, acls=True) == []
    assert not any('#-1' in command for command in started[0].commands)
    assert len(started[0].commands) == 3 + sum(
        bool(line) and not line.startswith(b'#') for name in ('map.txt', 'acl.txt')
        for line in captured.dump(version, name).split(b'\n'))


def test_a_list_that_is_none_is_an_error(pair):
    """[errors are not data]"""
    pair.answer('show map', '# id (file) description\nnonsense\n\n')
    with pytest.raises(exceptions.SocketApplicationError):
        pair.haproxy().differences(maps=True)


# Certificates

CERTIFICATE = """\
Filename: {name}
Status: Used
Serial: {serial}
notAfter: Nov 24 19:08:31 2027 GMT
Subject: /CN=www
{more}
"""


def certify(process, certificates, more=''):
    """Give a process certificates: their serials by name."""
    process.answers['show ssl cert'] = '# transaction\n*/new.pem\n# filename\n' + ''.join(
        name + '\n' for name in certificates) + '\n'
    for name, serial in certificates.items():
        process.answers['show ssl cert ' + name] = CERTIFICATE.format(
            name=name, serial=serial, more=more)


def test_certificates(pair):
    certify(pair[0], {'/a.pem': 1, '/b.pem': 5, '/c.pem': 7},
            'Chain Subject: /CN=1\nChain Subject: /CN=2\n')
    certify(pair[1], {'/a.pem': 1, '/b.pem': 6})
    hap = pair.haproxy()
    found = hap.differences(certificates=True)
    assert sorted((name, field, by) for _, name, field, by in [
        tuple(difference[:3]) + (values(difference),) for difference in found]) == [
        ('/a.pem', 'Chain Subject', ['/CN=1\n/CN=2', None]),
        ('/b.pem', 'Chain Subject', ['/CN=1\n/CN=2', None]),
        ('/b.pem', 'Serial', ['5', '6']), ('/c.pem', 'exists', [True, False])]
    assert set(difference.kind for difference in found) == set(['certificate'])
    assert [len(commands) for commands in pair.commands] == [5, 4]
    assert hap.differences() == []


def test_other_versions_report_other_fields_of_a_certificate(pair):
    certify(pair[0], {'/a.pem': 1}, 'Crt filename: /a.pem\n')
    certify(pair[1], {'/a.pem': 1})
    assert only(pair.haproxy().differences(certificates=True))[2] == 'Crt filename'
    pair[1].info['Version'] = '2.6.12'
    assert only(pair.haproxy().differences(certificates=True))[2] == 'Version'


def test_a_bundle_is_not_compared(pair):
    for process in pair:
        certify(process, {'/a.pem': process.number})
        process.answers['show ssl cert /a.pem'] = (
            "Can't display the certificate: Not found or the certificate is a bundle!\n\n")
    assert pair.haproxy().differences(certificates=True) == []


def test_without_certificates(pair):
    pair.answer('show ssl cert', '\n')
    assert pair.haproxy().differences(certificates=True) == []


def test_a_version_without_certificates(fleet):
    """[messages]"""
    started = fleet('2.0', 2)
    hap = started.haproxy()
    with pytest.raises(exceptions.CommandFailed) as caught:
        hap.differences(certificates=True)
    assert str(caught.value) == (
        'reading or changing certificates needs HAProxy 2.2; {0} runs 2.0.0'.format(
            started.paths[0]))
    assert caught.value.socket_file == started.paths[0]
    assert started.commands == [[BOTH]] * 2


def test_a_level_that_is_too_low(pair):
    """[errors are not data]"""
    pair.answer('show ssl cert', "Can't allocate memory!\n\n")
    with pytest.raises(exceptions.CommandFailed):
        pair.haproxy().differences(certificates=True)
