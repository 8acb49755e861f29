# SPDX-License-Identifier: Apache-2.0
"""The parsers and all calls raise only documented exceptions for invalid replies.

The targets are in ``tests/robustness/fuzz.py``; ``tools/fuzz`` runs them under atheris. Here
hypothesis mutates the captured replies of 13 versions, in the same way each time.
"""
import sys

import hypothesis
import hypothesis.strategies as st
import pytest

from haproxyadmin import exceptions, haproxy, tickets
from haproxyadmin.internal import (ca_files, certificates, crt_lists, looks, ocsp, patterns,
                                   sections, servers_state, sessions, states, tables)
from haproxyadmin.internal.fanout import Operation, level_operation, unchanged
from haproxyadmin.parsers.tables import TableHeader
from haproxyadmin.protocol import replies
from tests import conftest
from tests.robustness import fuzz
from tests.support import captured

SEEDS = fuzz.seeds()
BITS = [b'', b'\n', b'\n\n', b',', b'"', b'""', b': ', b'# ', b'0x', b'-', b'\xff', b'\0', b'[3]: ',
        b'pxname', b'FRONTEND', b'BACKEND', b'Pid: ', b'type=', b'9' * 400, b'1e999', b'nan', b'\r',
        b'@', b'ssl@', b'[::1]', b'# workers', b'[failed: 1]', b'99d']


@pytest.mark.parametrize('version', captured.VERSIONS)
def test_the_parsers_take_what_haproxy_says(version):
    """Otherwise an early error would hide everything after it."""
    fuzz.parse_info(captured.dump(version, 'info.txt'))
    fuzz.parse_stat(captured.dump(version, 'stat.csv'))


@st.composite
def mutants(draw, seeds):
    """A captured reply with some of its bytes changed."""
    reply = draw(st.sampled_from(seeds))
    for separator in draw(st.lists(st.sampled_from([b',', b': ', b' ']), max_size=3)):
        reply = _with_another_field(draw, reply, separator)
    for _ in range(draw(st.integers(0, 4))):
        start = draw(st.integers(0, len(reply)))
        end = draw(st.integers(start, min(len(reply), start + 200)))
        other = draw(st.one_of(st.sampled_from(BITS), st.binary(max_size=8), st.just(None)))
        # Delete, replace or repeat the part.
        part = reply[start:end] * 2 if other is None else other
        reply = reply[:start] + part + reply[end:]
    end = draw(st.one_of(st.just(len(reply)), st.integers(0, len(reply))))
    return reply[:end] + draw(st.sampled_from([b'', b'\n', b'\n\n']))


def _with_another_field(draw, reply, separator):
    """Replace one field of one line."""
    lines = reply.split(b'\n')
    line = draw(st.integers(0, len(lines) - 1))
    fields = lines[line].split(separator)
    field = draw(st.integers(0, len(fields) - 1))
    fields[field] = draw(st.one_of(st.sampled_from(BITS), st.binary(max_size=8)))
    lines[line] = separator.join(fields)
    return b'\n'.join(lines)


def fuzzed(count, seeds=SEEDS):
    # Of several Pythons, the last and fastest tests them all; they are the same each time.
    count = count if conftest.SHARE == conftest.SHARES else count // 4

    def decorate(test):
        too_slow = [check for check in (
            getattr(hypothesis.HealthCheck, name, None)
            for name in ('too_slow', 'data_too_large', 'large_base_example',
                         'function_scoped_fixture', 'filter_too_much')) if check]
        return hypothesis.settings(
            max_examples=count, deadline=None, derandomize=True, database=None,
            suppress_health_check=too_slow)(hypothesis.given(data=mutants(seeds))(test))
    return decorate


@pytest.mark.parametrize('target', sorted(fuzz.PARSERS))
@fuzzed(200)
def test_a_parser_raises_value_errors_alone(target, data):
    fuzz.feed(target, data)


@pytest.mark.parametrize('target', [
    'parse_address', 'parse_extras', 'parse_ocsp', 'parse_reload', 'parse_states', 'parse_workers'])
@fuzzed(300, fuzz.TEXTS)
def test_so_does_one_for_masters_and_addresses(target, data):
    fuzz.feed(target, data)


@fuzzed(150)
def test_a_call_raises_documented_exceptions_alone(data):
    for target in fuzz.CALLS:
        fuzz.feed(target, data)


@pytest.mark.parametrize('target', fuzz.TARGETS)
def test_so_it_is_with_captured_replies(target):
    # Several Pythons divide them among themselves; Python 2, whose text is another, gets all.
    first, step = (conftest.SHARE - 1, conftest.SHARES) if sys.version_info[0] > 2 else (0, 1)
    for reply in SEEDS[fuzz.TARGETS.index(target) % 10::10][first::step]:
        fuzz.feed(target, reply)


OPERATIONS = {
    'show acl': lambda process: patterns.listing_operation(process, 'acl', None),
    'show acl #4': lambda process: patterns.listing_operation(process, 'acl', 4),
    'show map #0': lambda process: patterns.listing_operation(process, 'map', 0),
    'get map': lambda process: patterns.match_operation(process, 'map', 0, 'k'),
    'del map': lambda process: patterns.change_operation(process, 'del', 'map', 0, 'k'),
    'held': lambda process: patterns.references_operation(process, 'acl', 4, ['0x55', '0x66']),
    'list of maps': lambda process: patterns.index_operation(process, 'map'),
    'list and versions': lambda process: patterns.list_operation(process, 'map'),
    'references': lambda process: patterns.content_operation(
        process, 'map', '#0', lambda listing: [listing.columns, listing == listing] and [
            listing.reference(place) for place in range(len(listing))]),
    'lookup': lambda process: patterns.lookup_operation(process, 'acl', '#4', 'k'),
    'entries': lambda process: patterns.entries_operation(process, 'map', '0'),
    'show ssl cert': lambda process: certificates.show_operation(process, 'www.pem'),
    'OCSP responses': ocsp.responses_operation,
    'an OCSP response': lambda process: ocsp.content_operation(process, '3000', True),
    'an OCSP response of 2.6': lambda process: ocsp.content_operation(process, '3000', False),
    'updates of OCSP responses': lambda process: ocsp._state_operation(process, '3000'),
    'ticket keys': tickets.list_operation,
    'show errors': lambda process: process.errors_operation(None),
    'show info': lambda process: process.info_operation(unchanged),
    'show stat': lambda process: process.dump_operation(unchanged),
    'frontends': lambda process: process.frontends_operation(),
    'servers': lambda process: process.servers_operation(),
    'level': lambda process: level_operation(process.endpoint),
    'state of a server': lambda process: states.state_operation(fuzz.server_on(process)),
    'get weight': lambda process: states.initial_weight_operation(fuzz.server_on(process)),
    'look at a server': lambda process: looks.look_operation(
        fuzz.server_on(process), [fuzz.server_on(process)], True),
    'servers state': servers_state.all_states_operation,
    'stick tables': tables.list_operation,
    'size of a stick table': lambda process: tables.header_operation(process, 'st_src'),
    'entries of a stick table': lambda process: tables.entries_operation(
        process, 'st_src', [('gpc0', 'gt', 0), ('gpc1', 'gt', 0)]),
    'entry of a stick table': lambda process: tables.key_operation(
        process, TableHeader('st_src', 'ip', 1, 1), b'127.0.0.1'),
    'certificates': certificates.list_operation,
    'details of a certificate': lambda process: certificates.details_operation(process, '/www.pem'),
    'look at a certificate': lambda process: fuzz.change_of(process).look(),
    'set a certificate': lambda process: fuzz.change_of(process).begin(),
    'commit a certificate': lambda process: fuzz.change_of(process).commit(),
    'settle a certificate': lambda process: fuzz.change_of(process).settle(),
    'delete a certificate': lambda process: fuzz.change_of(process).delete(),
    'list of CA files': lambda process: ca_files.names_operation(process, ca_files.CaFileChange),
    'a CA file': lambda process: ca_files.show_operation(process, ca_files.CaFileChange, '/a'),
    'a CRL file': lambda process: ca_files.show_operation(process, ca_files.CrlFileChange, '/a'),
    'look at a CRL file': lambda process: fuzz.change_on(process).look(),
    'set a CRL file': lambda process: fuzz.change_on(process).set(),
    'commit a CRL file': lambda process: fuzz.change_on(process).commit(),
    'settle a CRL file': lambda process: fuzz.change_on(process).settle(),
    'lists of certificates': crt_lists.list_operation,
    'entries of a crt-list': lambda process: crt_lists.entries_operation(process, '/list.txt'),
    'add to a crt-list': lambda process: crt_lists.add_operation(
        process, '/list.txt', crt_lists.check_entry('/www.pem')),
    'remove what was added': lambda process: crt_lists.remove_added_operation(
        process, '/list.txt', crt_lists.check_entry('/www.pem')),
    'show resolvers': sections.resolvers_operation,
    'show peers': sections.peers_operation,
    'sessions': lambda process: sessions.sessions_operation(
        process, sessions.make_filter(older_than=1, source='127.0.0.1')),
    'a session': lambda process: sessions.details_operation(fuzz.session_on(process)),
    'end a session': lambda process: sessions._Ending(
        process, [fuzz.session_on(process)]).look(),
    'change': lambda process: process.change_operation(b'set maxconn global 1'),
    'command': lambda process: process.raw_operation('show sess', True),
}


# 1.5 cannot do it.
FIRST = {'servers state': 1, 'show resolvers': 1, 'show peers': 1, 'lists of certificates': 1,
         'entries of a crt-list': 1, 'add to a crt-list': 1, 'remove what was added': 1,
         'certificates': 1, 'details of a certificate': 1, 'look at a certificate': 1,
         'set a certificate': 1, 'commit a certificate': 1, 'settle a certificate': 1,
         'delete a certificate': 1,
         'OCSP responses': 2, 'ticket keys': 1, 'list of CA files': 2, 'a CA file': 2,
         'a CRL file': 2, 'look at a CRL file': 2, 'set a CRL file': 2, 'commit a CRL file': 2,
         'settle a CRL file': 2}


@pytest.mark.parametrize('name', sorted(OPERATIONS))
@fuzzed(60)
def test_a_reply_is_a_value_or_a_documented_error(name, data):
    """It may require another command, which gets the same bytes."""
    for process in fuzz.processes()[FIRST.get(name, 0):]:
        operation = OPERATIONS[name](process)
        for _ in range(5):
            outcome = operation.interpret_reply(data)
            if not isinstance(outcome, Operation):
                break
            operation = outcome
        if isinstance(outcome, Exception):
            assert isinstance(outcome, exceptions.HAProxyBaseError)


def test_what_never_ends_ends(monkeypatch):
    """A peer always reports a successful deletion; since 3.3 more entries may remain."""
    monkeypatch.setattr(replies, 'MAX_ROUNDS', 10)
    for call in ('HAProxy.del_map', 'HAProxy.del_acl_entries'):
        asked = []
        monkeypatch.setattr(fuzz.transport, 'exchange_all', fuzz.answering(
            lambda request: asked.append(request) or b'\n' * (1 + request.command.count(b';'))))
        with pytest.raises(exceptions.SocketApplicationError):
            fuzz.CALLS[call]()
        assert 10 < len(asked) < 20 * len(fuzz.processes())


class TestTheSuiteItself(object):

    @pytest.mark.parametrize('error', [KeyError('x'), IndexError('x'), TypeError('x')])
    def test_an_undocumented_exception_is_noticed(self, monkeypatch, error):
        def broken(self):
            raise error
        monkeypatch.setattr(haproxy.HAProxy, 'info', broken)
        with pytest.raises((KeyError, IndexError, TypeError)):
            fuzz.feed('HAProxy.info', b'')

    def test_a_value_error_without_a_name_is_noticed(self, monkeypatch):
        monkeypatch.setattr(haproxy.HAProxy, 'info', lambda self: int('x'))
        with pytest.raises(fuzz.Undocumented):
            fuzz.feed('HAProxy.info', b'')
