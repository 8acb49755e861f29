# SPDX-License-Identifier: Apache-2.0
"""internal/discovery.py: several addresses, what is missing, and looking again."""
import os
import ssl

import pytest

from haproxyadmin import exceptions
from haproxyadmin.haproxy import HAProxy
from haproxyadmin.internal import _HAProxyProcess
from tests.support import fakes

try:
    import pathlib
except ImportError:
    pathlib = None


def made(**options):
    return HAProxy(**dict(dict(retry=None, timeout=fakes.LONG), **options))


def sockets(hap):
    return [process.socket_file for process in hap._processes]


class TestAddresses(object):

    def test_files_directories_and_forms_are_mixed(self, fleet):
        """[addresses] Each is printed as it was given."""
        one, two, three = fleet('3.2', 1), fleet('3.2', 2), fleet('3.2', 1)
        for number, process in enumerate(one.processes + two.processes + three.processes):
            process.take_over('3.2', pid=5000 + number)
        three[0].requests = _Requests()
        hap = made(socket_dir=one.directory,
                   addresses=[two.directory, 'unix@' + three[0].path, three[0].path])
        # Of two addresses of one process, one is used.
        assert sockets(hap) == sorted(one.paths + two.paths + three.paths)
        assert sorted(hap.processids) == [5000, 5001, 5002, 5003]
        assert hap.left_out == []

    @pytest.mark.parametrize('wrap', [
        lambda path: path, lambda path: path.encode('utf-8'), lambda path: [path],
        lambda path: (path,), lambda path: set([path]), lambda path: iter([path, path]),
        lambda path: dict([(path, 1)]),
        pytest.param(lambda path: pathlib.Path(path),
                     marks=pytest.mark.skipif(pathlib is None, reason='pathlib is missing'))])
    def test_one_or_an_iterable(self, fleet, wrap):
        started = fleet('3.2', 1)
        assert sockets(made(addresses=wrap(started[0].path))) == started.paths

    @pytest.mark.parametrize('wrong', [7, 1.5, True, [None], [7], ['tcp@1:2'], [''], object()])
    def test_a_wrong_argument(self, wrong):
        with pytest.raises(ValueError) as caught:
            made(addresses=wrong)
        assert not isinstance(caught.value, exceptions.HAProxySocketError)

    @pytest.mark.parametrize('empty', [None, '', [], ()])
    def test_no_address_is_no_place_to_look(self, empty):
        with pytest.raises(ValueError) as caught:
            made(addresses=empty)
        assert 'addresses=' in str(caught.value)

    def test_a_socket_file_is_any_address(self, fleet):
        started = fleet('3.2', 1)
        assert sockets(made(socket_file='unix@' + started[0].path)) == ['unix@' + started[0].path]

    def test_a_relative_address_stays_right(self, fleet, monkeypatch):
        """It is printed as it was given."""
        started = fleet('3.2', 1)
        monkeypatch.chdir(started.directory)
        hap = made(addresses='./1.sock')
        monkeypatch.chdir('/')
        assert hap.processids and sockets(hap) == ['./1.sock']

    def test_a_process_has_an_address(self, fleet):
        process = _HAProxyProcess('unix@' + fleet('3.2', 1)[0].path, retry=None)
        assert process.proc_info()['Name'] == 'HAProxy'

    @pytest.mark.parametrize('context', ['x', 7, object(), ssl])
    def test_a_wrong_context(self, fleet, context):
        with pytest.raises(ValueError):
            made(socket_dir=fleet('3.2', 1).directory, ssl_context=context)


class TestMissing(object):

    def test_all_that_are_missing_are_listed(self, fleet):
        """[addresses]"""
        started = fleet('3.2', 1)
        with pytest.raises(exceptions.NoHAProxyFound) as caught:
            made(addresses=[started[0].path, started.path('a'), started.path('b')])
        error = caught.value
        assert str(error).startswith('no HAProxy at 2 of 3 addresses\n')
        assert started.path('a') in str(error) and started.path('b') in str(error)
        assert error.socket_file == started.path('a')
        assert type(error.cause) is exceptions.SocketConnectionError

    def test_they_are_left_out_if_the_caller_says_so(self, fleet):
        """[addresses] They cost nothing from then on."""
        started = fleet('3.2', 2)
        started[1].refuse()
        hap = made(addresses=started.paths, allow_missing=True)
        (path, error), = hap.left_out
        assert path == started.paths[1] and isinstance(error, exceptions.SocketConnectionError)
        started[1].listen()
        started.forget()
        assert hap.processids == [4001] and started.connections == [1, 0]

    def test_nothing_at_all_is_an_error_all_the_same(self, fleet):
        started = fleet('3.2', 1)
        with pytest.raises(exceptions.NoHAProxyFound):
            made(addresses=[started.path('a'), started.path('b')], allow_missing=True)

    def test_a_directory_leaves_out_what_does_not_answer(self, fleet):
        """[no HAProxy found] Also beside addresses."""
        one, two = fleet('3.2', 2), fleet('3.2', 1)
        two[0].take_over('3.2', pid=7000)
        one[1].refuse()
        hap = made(socket_dir=one.directory, addresses=two.paths)
        assert sorted(hap.processids) == [4001, 7000]
        assert [path for path, _ in hap.left_out] == [one.paths[1]]

    def test_a_directory_without_any_is_missing(self, fleet, tmpdir):
        started = fleet('3.2', 1)
        for options in (dict(socket_dir=str(tmpdir), addresses=started.paths),
                        dict(addresses=[str(tmpdir)] + started.paths)):
            with pytest.raises(exceptions.NoHAProxyFound) as caught:
                made(**options)
            assert 'it is empty' in str(caught.value)
            hap = made(allow_missing=True, **options)
            assert [path for path, _ in hap.left_out] == [str(tmpdir)]

    def test_a_name_without_a_slash_shows_the_forms(self):
        with pytest.raises(exceptions.NoHAProxyFound) as caught:
            made(addresses='lb1.example.com')
        assert 'HOST:PORT' in str(caught.value)


class TestRefresh(object):

    def test_new_ones_join_and_those_that_are_gone_leave(self, fleet):
        """[refresh]"""
        started = fleet('3.2', 2)
        hap = made(socket_dir=started.directory)
        former = hap._processes[0]
        added = started.add('3.sock', pid=4003)
        started[1].vanish()
        assert hap.refresh() == ([added.path], [started.paths[1]], [])
        assert hap.processids == [4001, 4003]
        assert hap._processes[0] is former

    def test_nothing_new(self, fleet):
        started = fleet('3.2', 2)
        hap = made(socket_dir=started.directory)
        started.forget()
        assert hap.refresh() == ([], [], [])
        assert started.commands == [['show info']] * 2

    def test_what_was_left_out_joins(self, fleet):
        started = fleet('3.2', 2)
        started[1].refuse()
        hap = made(addresses=started.paths, allow_missing=True)
        refreshed = hap.refresh()
        assert (refreshed.joined, refreshed.left) == ([], [])
        assert [path for path, _ in refreshed.left_out] == [started.paths[1]]
        started[1].listen()
        assert hap.refresh() == ([started.paths[1]], [], [])
        assert hap.left_out == [] and hap.processids == [4001, 4002]

    def test_a_named_one_that_is_gone_is_an_error_and_nothing_changes(self, fleet):
        started = fleet('3.2', 2)
        hap = made(addresses=started.paths)
        started[1].refuse()
        with pytest.raises(exceptions.NoHAProxyFound):
            hap.refresh()
        assert sockets(hap) == started.paths
        started[1].listen()
        assert hap.processids == [4001, 4002]

    def test_a_path_may_become_a_directory(self, fleet, tmpdir):
        started = fleet('3.2', 1)
        place = str(tmpdir.join('place'))
        os.symlink(started[0].path, place)
        hap = made(addresses=place)
        os.unlink(place)
        os.symlink(started.directory, place)
        assert hap.refresh() == ([os.path.join(place, '1.sock')], [place], [])

    def test_objects_made_before_keep_their_processes(self, fleet):
        started = fleet('3.2', 1)
        hap = made(socket_dir=started.directory)
        frontend = hap.frontends()[0]
        started.add('2.sock', pid=4002)
        hap.refresh()
        assert frontend.process_nb == [1]
        assert hap.frontend(frontend.name).process_nb == [1, 1]

    def test_two_sockets_of_a_process_that_was_replaced_by_two(self, fleet):
        """[upgrades]"""
        started = fleet('3.2', 2)
        hap = made(socket_dir=started.directory)
        for number, process in enumerate(started.processes):
            process.take_over('3.2', pid=6000)
            process.requests = REQUESTS
        assert hap.refresh().left == []
        assert hap.processids == [6000]
        for number, process in enumerate(started.processes):
            process.take_over('3.2', pid=7000 + number)
            process.requests = None
        assert hap.processids == [7000, 7001]


class _Requests(object):
    """The counter of one process, which grows whichever socket is asked."""

    count = 0

    def __iter__(self):
        return self

    def __next__(self):
        self.count += 1
        return self.count

    next = __next__


REQUESTS = _Requests()
SECRETS = ['set ssl cert a.pem <<\n-----BEGIN PRIVATE KEY-----\nxyz\n-----END PRIVATE KEY-----\n',
           'set ssl tls-key #0 c2VjcmV0']


class TestSecrets(object):

    @pytest.mark.parametrize('command', SECRETS)
    def test_a_secret_is_not_sent_in_plain_text_to_another_host(self, command, fleet, monkeypatch):
        """[secrets]"""
        hap = fleet('3.2', 1).haproxy()
        endpoint = hap._processes[0].endpoint
        monkeypatch.setattr(type(endpoint.address), 'is_exposed', lambda address: True)
        with pytest.raises(ValueError) as caught:
            hap.command(command)
        assert 'allow_plain_secrets' in str(caught.value)
        assert 'xyz' not in str(caught.value) and 'c2VjcmV0' not in str(caught.value)

    @pytest.mark.parametrize('command', SECRETS)
    def test_the_caller_may_trust_the_way(self, command, fleet, monkeypatch):
        started = fleet('3.2', 1)
        started[0].handler = lambda command: '\n' if command.startswith('set ssl') else None
        hap = made(addresses=started.paths, allow_plain_secrets=True)
        monkeypatch.setattr(type(hap._processes[0].endpoint.address), 'is_exposed',
                            lambda address: True)
        assert hap.command(command)

    @pytest.mark.parametrize('command', SECRETS)
    def test_a_unix_socket_may_have_it(self, command, fleet):
        started = fleet('3.2', 1)
        started[0].handler = lambda command: '\n' if command.startswith('set ssl') else None
        assert made(addresses=started.paths).command(command)
