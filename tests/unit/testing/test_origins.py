# SPDX-License-Identifier: Apache-2.0
"""haproxyadmin/testing/origins.py, as launching.py starts it."""
import socket

import pytest

from haproxyadmin.testing import launching


@pytest.fixture
def origins():
    started = launching.Origins(2)
    started.wait()
    yield started
    started.stop()


class Visitor(object):
    """A connection to an origin."""

    def __init__(self, origins, number=1):
        self._socket = socket.create_connection(('127.0.0.1', origins.ports[number - 1]), 30)
        self._received = b''

    def ask(self, path):
        self.send('GET %s HTTP/1.1\r\n\r\n' % path)

    def send(self, text):
        self._socket.sendall(launching.as_bytes(text))

    def closing(self):
        """Return the socket after telling the origin that nothing else will come."""
        self._socket.shutdown(socket.SHUT_WR)
        return self._socket

    def receive(self):
        return self._socket.recv(1000).decode('ascii')

    def answer(self):
        """Return the next answer, or all until the end of the connection."""
        while b'ok\n' not in self._received:
            chunk = self._socket.recv(1000)
            if not chunk:
                break
            self._received += chunk
        answer, separator, self._received = self._received.partition(b'ok\n')
        return (answer + separator).decode('ascii')

    def close(self):
        self._socket.close()


class TestRequestsOfOrigins(object):

    def test_none_at_first(self, origins):
        assert origins.count(1) == launching.Count(arrived=0, open=0, cut=0)

    def test_they_are_counted_for_each_origin(self, origins):
        visitor = Visitor(origins)
        for _ in range(3):
            visitor.ask('/')
            assert visitor.answer().startswith('HTTP/1.1 200 ')
        visitor.close()
        assert origins.count(1) == (3, 0, 0)
        assert origins.count(2) == (0, 0, 0)

    def test_an_answer_names_the_origin(self, origins):
        visitor = Visitor(origins)
        for path in ('/hold/0.01', '/hold/0.01', '/', '/status/404'):
            visitor.ask(path)
            assert '\r\nX-Origin: %d\r\n' % origins.ports[0] in visitor.answer()
        assert origins.count(1) == (4, 0, 0)

    def test_one_that_is_added_has_a_name(self, origins):
        number = origins.add('web/web1')
        visitor = Visitor(origins, number)
        visitor.ask('/')
        assert '\r\nX-Origin: web/web1\r\n' in visitor.answer()
        assert origins.count(number) == (1, 0, 0)

    @pytest.mark.parametrize('path', [
        '/hold/x', '/hold/', '/hold/nan', '/status/x', '/status/', u'/status/\xe9', u'/\xe9'])
    def test_any_path_is_answered(self, origins, path):
        visitor = Visitor(origins)
        for _ in range(2):
            visitor.send((u'GET %s HTTP/1.1\r\n\r\n' % path).encode('utf-8'))
            assert visitor.answer().startswith('HTTP/1.1 200 ')

    @pytest.mark.parametrize('header, body', [
        ('Content-Length: 8', 'a\r\n\r\nbcd'), ('content-length:0', ''),
        ('Transfer-Encoding: chunked', '2\r\n\r\n\r\n0\r\n\r\n'),
        ('Transfer-Encoding: chunked', '0\r\n\r\n')])
    def test_a_body_is_no_request(self, origins, header, body):
        visitor = Visitor(origins)
        for _ in range(2):
            visitor.send('POST / HTTP/1.1\r\n%s\r\n\r\n%s' % (header, body))
            assert visitor.answer().startswith('HTTP/1.1 200 ')
        assert origins.count(1) == (2, 0, 0)

    def test_the_answer_comes_after_the_body(self, origins):
        visitor = Visitor(origins)
        visitor.send('POST / HTTP/1.1\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n')
        assert visitor.receive() == 'HTTP/1.1 100 Continue\r\n\r\n'
        visitor.send('a')
        launching.wait_until(lambda: origins.count(1) == (1, 1, 0), 'open')
        visitor.send('b')
        assert visitor.answer().startswith('HTTP/1.1 200 ')
        assert origins.count(1) == (1, 0, 0)

    @pytest.mark.parametrize('header', [
        'PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n',
        '\r\n\r\n\0\r\nQUIT\n\x21\x11\x00\x0cabcdefghijkl', ''])
    def test_a_header_of_the_proxy_protocol_is_no_request(self, origins, header):
        visitor = Visitor(origins)
        visitor.send(header + 'GET /status/404 HTTP/1.1\r\n\r\n')
        assert visitor.answer().startswith('HTTP/1.1 404 ')
        assert origins.count(1) == (1, 0, 0)

    @pytest.mark.parametrize('request_line', ['HEAD / HTTP/1.1', 'GET /status/204 HTTP/1.1'])
    def test_an_answer_without_a_body(self, origins, request_line):
        visitor = Visitor(origins)
        for _ in range(2):
            visitor.send(request_line + '\r\n\r\n')
            assert visitor.receive().endswith('\r\n\r\n')

    def test_the_shortest_time_comes_first(self, origins):
        late, soon = Visitor(origins), Visitor(origins)
        late.ask('/hold/600')
        soon.ask('/hold/0.01')
        assert soon.answer()
        assert origins.count(1) == (2, 1, 0)
        # An answer that comes at once does not wait for those.
        soon.ask('/')
        assert soon.answer()

    def test_requests_that_are_sent_together_are_answered_in_turn(self, origins):
        visitor = Visitor(origins)
        visitor.ask('/hold/0.01')
        visitor.ask('/status/404')
        assert visitor.answer().startswith('HTTP/1.1 200 ')
        assert visitor.answer().startswith('HTTP/1.1 404 ')
        assert origins.count(1) == (2, 0, 0)

    def test_a_request_that_the_client_does_not_wait_for_is_cut(self, origins):
        visitor = Visitor(origins)
        visitor.ask('/hold/600')
        launching.wait_until(lambda: origins.count(1).open, 'open')
        assert origins.count(1) == (1, 1, 0)
        visitor.close()
        launching.wait_until(lambda: not origins.count(1).open, 'closed')
        assert origins.count(1) == (1, 0, 1)

    def test_it_is_not_answered_later(self, origins):
        visitor = Visitor(origins)
        visitor.ask('/hold/0.2')
        launching.wait_until(lambda: origins.count(1).open, 'open')
        visitor.close()
        launching.wait_until(lambda: not origins.count(1).open, 'closed')
        other = Visitor(origins)
        other.ask('/hold/0.3')
        assert other.answer()
        assert origins.count(1) == (2, 0, 1)

    def test_a_connection_that_is_closed_after_the_answer_cuts_nothing(self, origins):
        visitor = Visitor(origins)
        visitor.ask('/')
        visitor.answer()
        visitor.close()
        origins.refuse(1)
        assert origins.count(1) == (1, 0, 0)

    @pytest.mark.parametrize('action', ['refuse', 'serve', 'stall'])
    def test_an_origin_that_drops_connections_cuts_their_requests(self, origins, action):
        visitors = [Visitor(origins), Visitor(origins)]
        for visitor in visitors:
            visitor.ask('/hold/600')
        launching.wait_until(lambda: origins.count(1).open == 2, 'open')
        getattr(origins, action)(1)
        assert origins.count(1) == (2, 0, 2)
        assert [visitor.answer() for visitor in visitors] == ['', '']

    def test_it_serves_again(self, origins):
        origins.refuse(1)
        with pytest.raises(socket.error):
            Visitor(origins)
        origins.serve(1)
        visitor = Visitor(origins)
        visitor.ask('/')
        assert visitor.answer()
        assert origins.count(1) == (1, 0, 0)

    def test_an_agent_sends_its_text_until_it_serves(self, origins):
        for text in ('up', '50% ready', '', ' two  spaces ', 'x' * 100000):
            origins.agent(1, text)
            assert Visitor(origins).answer() == text + '\n'
        origins.serve(1)
        visitor = Visitor(origins)
        visitor.ask('/')
        assert visitor.answer().startswith('HTTP/1.1 200 ')


class TestCommands(object):

    @pytest.mark.parametrize('text', ['drain\nrefuse 1', 'up\n', 'up\rdown', b'up\n', u'up\n'])
    def test_an_agent_answers_with_one_line(self, origins, text):
        with pytest.raises(ValueError, match='one line'):
            origins.agent(1, text)
        assert origins.count(1) == (0, 0, 0)

    def test_text_that_is_not_ascii(self, origins):
        origins.agent(1, u'down#\u017elu\u0165')
        assert launching.read_all(Visitor(origins)._socket) == (
            u'down#\u017elu\u0165\n'.encode('utf-8'))

    @pytest.mark.parametrize('name', [
        'we b', 'a\nrefuse 1', '', u'\u017elu\u0165', launching.as_text(b'\xff')])
    def test_a_name_is_any_text(self, origins, name):
        visitor = Visitor(origins, origins.add(name))
        visitor.ask('/')
        answer = launching.read_all(visitor.closing())
        assert b'\r\nX-Origin: ' + launching.as_bytes(name) + b'\r\n' in answer
        assert origins.count(1) == (0, 0, 0)

    def test_one_that_fails_is_told_and_does_no_harm(self, origins):
        with pytest.raises(launching.HAProxyFailed, match='dance'):
            origins._tell('dance', 1)
        assert origins.count(1) == (0, 0, 0)

    def test_nobody_answers_after_the_end(self, origins):
        origins._process.kill()
        origins._process.wait()
        for _ in range(2):
            with pytest.raises(launching.HAProxyFailed, match='the origin servers ended'):
                origins.serve(1)


@pytest.mark.parametrize('wait', [False, True])
def test_an_end_says_nothing(capfd, wait):
    for _ in range(3):
        started = launching.Origins(1)
        if wait:
            started.wait()
        started.stop()
    assert capfd.readouterr() == ('', '')
