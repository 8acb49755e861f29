# -*- coding: utf-8 -*-
# SPDX-License-Identifier: Apache-2.0
"""protocol/addresses.py: every form of an address, and what it connects to."""
import copy
import pickle
import socket

import pytest

from haproxyadmin.protocol import addresses
from haproxyadmin.protocol.addresses import MasterAddress, Tls, parse_address
from haproxyadmin.protocol.errors import TlsError
from haproxyadmin.testing.texts import raw

try:
    import pathlib
except ImportError:
    pathlib = None

INET, INET6, UNIX = socket.AF_INET, socket.AF_INET6, socket.AF_UNIX


def targets(text):
    return parse_address(text).targets(0)


@pytest.mark.parametrize('text, target', [
    ('/run/a.sock', '/run/a.sock'),
    ('/run/a:1.sock', '/run/a:1.sock'),
    ('/run/haproxy@1:80', '/run/haproxy@1:80'),
    ('run/a:80', 'run/a:80'),
    ('./a:80', './a:80'),
    ('a.sock', 'a.sock'),
    ('haproxy@1', 'haproxy@1'),
    ('unix@/run/a.sock', '/run/a.sock'),
    ('unix@a:80', 'a:80'),
    ('unix@unix@a', 'unix@a'),
    ('unix@/run/a\nb', '/run/a\nb'),
    (b'/run/a.sock', '/run/a.sock'),
    (u'/run/\xfc.sock', '/run/\xc3\xbc.sock' if str is bytes else u'/run/\xfc.sock'),
])
def test_a_path(text, target):
    address = parse_address(text)
    assert address.targets(0) == ((UNIX, target),)
    assert type(address.path) is str and address.path == target
    assert not address.is_tls and not address.is_exposed() and not address.prefix


@pytest.mark.skipif(pathlib is None, reason='pathlib is missing')
def test_a_path_object():
    address = parse_address(pathlib.Path('/run/a.sock'))
    assert (address.text, address.path) == ('/run/a.sock', '/run/a.sock')


def test_an_abstract_socket_has_a_padded_name():
    (family, target), = targets('abns@adm')
    assert family == UNIX
    assert target == b'\0adm'.ljust(108, b'\0')
    assert parse_address('abns@adm').path is None
    assert targets('abns@' + 'x' * 107) == ((UNIX, b'\0' + b'x' * 107),)


def test_an_abstract_socket_with_z_has_not():
    assert targets('abnsz@adm') == ((UNIX, b'\0adm'),)


@pytest.mark.parametrize('text, expected', [
    ('127.0.0.1:9999', (INET, '127.0.0.1', 9999)),
    ('ipv4@127.0.0.1:1', (INET, '127.0.0.1', 1)),
    ('ipv4@localhost:65535', (INET, '127.0.0.1', 65535)),
    ('[::1]:9999', (INET6, '::1', 9999)),
    ('ipv6@[::1]:9999', (INET6, '::1', 9999)),
    ('ipv6@::1:9999', (INET6, '::1', 9999)),
    ('ssl@127.0.0.1:9999', (INET, '127.0.0.1', 9999)),
    ('ssl@[::1]:9999', (INET6, '::1', 9999)),
])
def test_a_host_and_port(text, expected):
    family, target = targets(text)[0]
    assert (family,) + target[:2] == expected
    assert parse_address(text).is_tls is text.startswith('ssl@')
    assert parse_address(text).path is None


@pytest.mark.parametrize('text', [
    '/run/a.sock', 'unix@/run/a.sock', 'abns@a', 'abnsz@a', 'lb1:99', 'lb-1.example.com:99',
    'ipv4@lb1:99', 'ipv6@[::1]:99', 'ipv6@::1:99', '[fe80::1%eth0]:99', 'ssl@lb1:99', 'LB_1.:99'])
def test_it_is_printed_as_it_was_given(text):
    assert parse_address(text).text == str(parse_address(text)) == text
    assert parse_address(parse_address(text)).text == text


@pytest.mark.parametrize('wrong', [
    '', None, 7, 1.5, True, ['/run/a'], {}, '/run/\0', 'lb1:', 'lb1:0', 'lb1:65536', 'lb1:-1',
    'lb1:http', 'lb1:99:99', ':99', '*:99', 'lb1:9 9', 'lb 1:99', ' lb1:99', 'lb1:99 ', 'lb1:99\n',
    'lb1\n:99', 'lb1;show:99', '-lb1:99', 'lb1-:99', u'l\xfcb:99', u'lb1:\u0661', '::1:99', '[::1]',
    '[::1]99', '[]:99', '[::1:99', '[lb1]:99', '[::g]:99', 'ipv4@', 'ipv4@lb1', 'ipv4@[::1]:99',
    'ipv4@/run/a', 'ipv6@99', 'ssl@', 'ssl@lb1', 'ssl@/run/a.sock', 'ssl@unix@/run/a', 'ssl@lb1:x',
    'ssl@ssl@lb1:99', 'unix@', 'abns@', 'abnsz@', 'abns@' + 'x' * 108, 'tcp@lb1:99', 'tcp4@lb1:99',
    'udp@lb1:99', 'quic4@lb1:99', 'fd@3', 'sockpair@4', '@1:99', '@!1:9', 'user@lb1:99',
    'ssl@lb1\n:99', 'ssl@lb1:99\n', 'http://lb1:80', 'tcp://127.0.0.1:99', 'unix:///run/a'])
def test_a_wrong_address_shows_the_forms(wrong):
    with pytest.raises(ValueError) as caught:
        parse_address(wrong)
    assert addresses.FORMS in str(caught.value)
    assert 'got ' in str(caught.value)


def test_a_name_is_resolved_again_after_a_while_or_a_failure(monkeypatch):
    asked = []

    def resolve(host, port, family, kind):
        asked.append((host, port, family))
        return [(INET, kind, 6, '', ('192.0.2.1', port)), (INET, kind, 6, '', ('192.0.2.2', port))]
    monkeypatch.setattr(socket, 'getaddrinfo', resolve)
    address = parse_address('lb1.example.com:99')
    both = ((INET, ('192.0.2.1', 99)), (INET, ('192.0.2.2', 99)))
    assert address.targets(1000) == both
    assert address.targets(1000 + addresses.HOST_AGE - 1) == both
    assert asked == [(b'lb1.example.com', 99, socket.AF_UNSPEC)]
    address.targets(1000 + addresses.HOST_AGE)
    assert len(asked) == 2
    address.note_success(both[1])
    assert address.targets(1000 + addresses.HOST_AGE) == both[::-1]
    address.note_failure()
    assert address.targets(1000 + addresses.HOST_AGE) == both
    assert len(asked) == 3


@pytest.mark.parametrize('text, exposed', [
    ('lb1:99', True), ('192.0.2.1:99', True), ('[2001:db8::1]:99', True),
    ('[::ffff:192.0.2.1]:99', True), ('127.evil.example:99', True), ('localhost.example:99', True),
    ('localhost:99', False), ('127.0.0.1:99', False), ('127.8.9.1:99', False), ('[::1]:99', False),
    ('[::ffff:127.0.0.1]:99', False), ('ssl@lb1:99', False), ('/run/a.sock', False)])
def test_what_others_can_read(text, exposed):
    """By its name: what that stands for may change before the secret is sent."""
    assert parse_address(text).is_exposed() is exposed
    assert MasterAddress(text, parse_address(text)).is_exposed() is exposed


@pytest.mark.parametrize('text', ['/run/a.sock', 'abns@a', 'lb1:99', 'ssl@lb1:99'])
@pytest.mark.parametrize('protocol', range(pickle.HIGHEST_PROTOCOL + 1))
def test_an_address_survives_pickle(text, protocol):
    tls = Tls(object())
    for address in (parse_address(text, tls),
                    MasterAddress('m', parse_address(text, tls)).current_worker(2, False)):
        again = pickle.loads(pickle.dumps(address, protocol))
        assert (again.text, again.is_tls, again.prefix) == (
            address.text, address.is_tls, address.prefix)


def test_a_context_is_not_pickled():
    """[TLS] Another one must not take its place."""
    again = pickle.loads(pickle.dumps(Tls(object())))
    with pytest.raises(TlsError) as caught:
        again.context()
    assert 'ssl_context' in str(caught.value)
    context = object()
    assert copy.deepcopy(Tls(context)).context() is context


def test_the_default_context_verifies():
    """[TLS]"""
    tls = pickle.loads(pickle.dumps(Tls()))
    context = tls.context()
    assert context.verify_mode == 2 and context.check_hostname
    assert tls.context() is context


# Through a master

MASTER = MasterAddress('/run/m.sock', parse_address('/run/m.sock'))


def test_a_prefix_holds_for_all_commands_of_a_line():
    """Otherwise the second command would run in the master."""
    assert MASTER.lines(b'show proc') == b'show proc\nquit\n'
    assert MASTER.current_worker(1, True).lines(b'a;b') == b'@1; a;b\nquit\n'
    assert MASTER.process(4711).lines(b'add map #0 <<\nk v\n') == (
        b'@!4711; add map #0 <<\nk v\n\nquit\n')


def test_a_master_behind_tls_is_told_that_no_other_command_follows():
    worker = MasterAddress('ssl@lb1:99', parse_address('ssl@lb1:99')).current_worker(1, True)
    assert worker.lines(b'show info') == b'@1; show info\nquit\n'


@pytest.mark.parametrize('address, text, number, is_former', [
    (MASTER.current_worker(1, True), '/run/m.sock', 1, False),
    (MASTER.current_worker(2, False), '/run/m.sock @2', 2, False),
    (MASTER.process(4711, is_former=True), '/run/m.sock @!4711', None, True)])
def test_a_worker_is_printed_with_its_number_if_there_are_several(address, text, number, is_former):
    assert (address.text, address.number, address.is_former) == (text, number, is_former)
    assert address.stays_open and address.path == '/run/m.sock'
    assert address.targets(0) == MASTER.targets(0)


@pytest.mark.parametrize('size, fits', [(15000, True), (15295, True), (15296, False),
                                        (15359, False)])
def test_a_long_command_must_leave_room_for_the_prefix(size, fits):
    worker = MASTER.current_worker(1, True)
    if fits:
        worker.check_length(raw('x' * size))
    else:
        with pytest.raises(ValueError):
            worker.check_length(raw('x' * size))
    parse_address('/run/a').check_length(raw('x' * size))
