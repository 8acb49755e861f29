# SPDX-License-Identifier: Apache-2.0
"""The fake knows every command that the library can send to a version."""
import inspect

import pytest

from haproxyadmin.parsers.crt_lists import CrtListEntry
from haproxyadmin.protocol import commands, versions
from haproxyadmin.testing.configuration import Configuration
from haproxyadmin.testing.process import FakeProcess
from tests.support import captured
from tests.unit.protocol.test_words import ANY

S = b'be_static/be_static_srv1'
NAME = '/etc/haproxy/hosts.map'
ENTRY = CrtListEntry('a.pem', ['a.test'], 'alpn h2', 1)
ALWAYS = (1, 5)
TRANSACTIONS = versions.PREPARED_CONTENT.since

# For each function of protocol.commands, the first versions and lines.
COMMANDS = {
    'show_stat': [(ALWAYS, commands.show_stat()), (ALWAYS, commands.show_stat(2, marked=True))],
    'show_all': [(ALWAYS, commands.show_all())],
    'show_errors': [(ALWAYS, commands.show_errors()), (ALWAYS, commands.show_errors(3, True))],
    'clear_counters': [(ALWAYS, commands.clear_counters(each, ANY)) for each in (False, True)],
    'set_maxconn_global': [(ALWAYS, commands.set_maxconn_global(7))],
    'set_rate_limit': [(ALWAYS, commands.set_rate_limit(kind, 7)) for kind in (
        'connections', 'sessions', 'ssl-sessions')],
    'frontend': [(ALWAYS, commands.frontend(action, 'frontend_all', ANY)) for action in (
        'enable', 'disable', 'shutdown')],
    'set_maxconn_frontend': [(ALWAYS, commands.set_maxconn_frontend('frontend_all', 7, ANY))],
    'set_state': [(ALWAYS, commands.set_state(S, state)) for state in commands.VALID_STATES],
    'show_servers_state': [(versions.SERVERS_STATE.since, commands.show_servers_state()),
                           (versions.SERVERS_STATE.since, commands.show_servers_state(b'be_static'))],
    'show_all_states': [(versions.SERVERS_STATE.since, commands.show_all_states())],
    'get_weight': [(ALWAYS, commands.get_weight(S))],
    'set_health': [((1, 6), commands.set_health(S, health)) for health in commands.HEALTHS],
    'set_agent': [((1, 6), commands.set_agent(S, health)) for health in commands.AGENT_HEALTHS],
    'switch_checks': [((1, 6), commands.switch_checks(S, kind, on)) for kind in ('health', 'agent')
                      for on in (True, False)],
    'set_maxconn_server': [(versions.SERVER_MAXCONN.since, commands.set_maxconn_server(S, 7))],
    'set_server': [(versions.CHECK_PORT.since, commands.set_server(S, 'check-port', b'80')),
                   (versions.SERVER_NAME.since, commands.set_server(S, 'fqdn', b'a.test')),
                   (versions.AGENT_TEXT.since, commands.set_server(S, 'agent-send', b'x'))],
    'set_tls': [(versions.SERVER_TLS.since, commands.set_tls(S, True))],
    'set_weight': [(ALWAYS, commands.set_weight(S, '20%'))],
    'shutdown_sessions': [(ALWAYS, commands.shutdown_sessions(S))],
    'set_address': [
        (versions.SERVER_ADDRESS.since, commands.set_address(S, b'127.0.0.2')),
        (versions.SERVER_PORT.since, commands.set_address(S, b'127.0.0.2', b'80')),
        (versions.CHECK_ADDRESS.since, commands.set_address(S, b'127.0.0.2', kind='check-addr')),
        (versions.AGENT_ADDRESS.since, commands.set_address(S, b'127.0.0.2', kind='agent-addr'))],
    'add_server': [
        (versions.DYNAMIC_SERVERS.since, commands.add_server(b'be_static/x', [b'127.0.0.1'], True)),
        (versions.STABLE_DYNAMIC_SERVERS.since,
         commands.add_server(b'be_static/y', [b'127.0.0.1'], False))],
    'del_server': [(versions.DYNAMIC_SERVERS.since, commands.del_server(b'be_static/x', True)),
                   (versions.STABLE_DYNAMIC_SERVERS.since,
                    commands.del_server(b'be_static/y', False))],
    'show_sessions': [(ALWAYS, commands.show_sessions())],
    'show_session': [(ALWAYS, commands.show_session('0x1'))],
    'look_at_sessions': [(ALWAYS, commands.look_at_sessions(['0x1', '0x2']))],
    'shutdown_each': [(ALWAYS, commands.shutdown_each(['0x1', '0x2']))],
    'patterns': [(ALWAYS, commands.patterns('show', kind, name, ANY)) for kind in ('acl', 'map')
                 for name in (None, NAME)]
    + [(ALWAYS, commands.patterns(action, 'map', NAME, ANY, *texts)) for action, texts in [
        ('get', 'k'), ('add', 'kv'), ('set', 'kv'), ('del', 'k'), ('clear', '')]]
    + [(ALWAYS, commands.patterns(action, 'acl', '/etc/haproxy/blocked.acl', ANY, *texts))
       for action, texts in [('get', ['::1']), ('add', ['::1']), ('del', ['::1']), ('clear', [])]]
    + [(TRANSACTIONS, commands.patterns('prepare', kind, NAME, ANY)) for kind in ('acl', 'map')],
    'by_reference': [(ALWAYS, commands.by_reference('del', 'map', NAME, ANY, '0x1')),
                     (ALWAYS, commands.by_reference('set', 'map', NAME, ANY, '0x1', 'v'))],
    'tls_file': [
        (since, commands.tls_file(action, kind, ANY, name, text))
        for kind, since in [('cert', versions.SSL_CERTIFICATES.since),
                            ('ca-file', versions.SHOW_CA_FILES.since),
                            ('crl-file', versions.SHOW_CA_FILES.since)]
        for action, name, text in [
            ('show', None, None), ('show', 'a', None), ('new', 'a', None), ('set', 'a', b'x'),
            ('commit', 'a', None), ('abort', 'a', None), ('del', 'a', None)]]
    + [(versions.CA_FILES.since, commands.tls_file('add', 'ca-file', ANY, 'a', b'x')),
       (versions.SSL_CERTIFICATES.since, commands.tls_file('show', 'crt-list', ANY))],
    'show_transaction': [(versions.SSL_CERTIFICATES.since,
                          commands.show_transaction('cert', 'a', ANY))],
    'show_ocsp_response': [(versions.OCSP_RESPONSES.since,
                            commands.show_ocsp_response('30', False))],
    'set_ocsp_response': [(ALWAYS, commands.set_ocsp_response(b'MA==', ANY))],
    'update_ocsp_response': [(versions.OCSP_UPDATES.since,
                              commands.update_ocsp_response('a', ANY))],
    'set_ticket_key': [(versions.TICKET_KEYS.since, commands.set_ticket_key('k', b'MA==', ANY))],
    'crt_list': [(versions.SSL_CERTIFICATES.since, commands.crt_list(action, 'l', ANY, ENTRY))
                 for action in ('show', 'add', 'del')],
    'table': [(ALWAYS, commands.table('show', None, ANY)),
              (ALWAYS, commands.table('show', 'st_src', ANY)),
              (ALWAYS, commands.table('set', 'st_src', ANY, b'::1', data=[('gpc0', 1)])),
              (ALWAYS, commands.table('clear', 'st_src', ANY, b'::1'))],
    # Those that have no parameters.
    None: [(ALWAYS, commands.SHOW_INFO), (ALWAYS, commands.PROBE_ADMIN),
           (versions.SHOW_LEVEL.since, commands.SHOW_LEVEL), (ALWAYS, commands.SHOW_SESSIONS),
           (versions.RESOLVERS.since, commands.SHOW_RESOLVERS),
           (versions.PEERS.since, commands.SHOW_PEERS),
           (versions.OCSP_RESPONSES.since, commands.SHOW_OCSP_RESPONSES),
           (versions.OCSP_UPDATES.since, commands.SHOW_OCSP_UPDATES),
           (versions.TICKET_KEYS.since, commands.SHOW_TICKET_KEYS)],
}
# What they are made with, or what looks at them.
OTHERS = [
    'check_raw', 'describe_line', 'holds_secret', 'check_through_master', 'only_shows',
    'is_open_ended', 'seconds_waited', 'check_maxconn_frontend', 'check_maxconn_server',
    'join_commands', 'takes_payload', 'payload', 'is_repeated']
# For a master: test_masters.py.
OF_MASTERS = [commands.SHOW_PROC, commands.RELOAD]


def test_no_command_is_missing():
    functions = [name for name, value in vars(commands).items() if inspect.isfunction(value)
                 and value.__module__ == commands.__name__ and not name.startswith('_')]
    assert sorted(functions) == sorted(list(filter(None, COMMANDS)) + OTHERS)
    constants = [value for name, value in vars(commands).items()
                 if isinstance(value, bytes) and name.startswith(('SHOW_', 'RELOAD', 'PROBE_'))]
    assert sorted(constants) == sorted([line for _, line in COMMANDS[None]] + OF_MASTERS)


@pytest.mark.parametrize('version', captured.VERSIONS)
def test_it_knows_what_the_library_sends(version):
    """What it replies is tested elsewhere; here a command that it does not know is a problem."""
    process = FakeProcess('/run/haproxy.sock', version, Configuration(
        captured.configuration(version), files=captured.FILES))
    for name in sorted(COMMANDS, key=str):
        for since, line in COMMANDS[name]:
            if since <= process.release:
                process.reply_to(line.decode('ascii') + '\n' * line.count(b'\n'))
    # One look into an ACL ends 1.7.0, see test_patterns.py.
    assert [problem for problem in process.problems if 'ends a HAProxy 1.7' not in problem] == []


def test_it_knows_no_more_than_that_version():
    process = FakeProcess('/run/haproxy.sock', '1.7', Configuration(''))
    for line in ('show resolvers', 'show peers', 'show cli level', 'set severity-output none'):
        process.reply_to(line)
    assert len(process.problems) == 4
