# SPDX-License-Identifier: Apache-2.0
"""parsers/saved_states.py: the files in which the state of servers is saved."""
import pytest

from haproxyadmin.parsers import saved_states

HEADER = ('# be_id be_name srv_id srv_name srv_addr srv_op_state srv_admin_state srv_uweight '
          'srv_iweight srv_time_since_last_change srv_check_status srv_check_result '
          'srv_check_health srv_check_state srv_agent_state bk_f_forced_id srv_f_forced_id '
          'srv_fqdn srv_port srvrecord')
ROW = '3 web 1 web1 10.0.0.1 2 0 100 100 17 6 3 4 6 0 0 0 - 80 -'
OTHER = ROW.replace('web1', 'web2')
ARGUMENTS = {'address': '10.0.0.9:80', 'weight': 50, 'check': True, 'ready': False,
             'keywords': {'inter': ['2s'], 'backup': True}}


def states(*lines):
    return saved_states.parse_states('\n'.join(lines).encode('ascii'), '/f')


def test_what_was_written_is_read():
    parts = list(saved_states.format_states(HEADER, [ROW, OTHER]))
    assert b''.join(parts) == '\n'.join(['1', HEADER, ROW, OTHER, '']).encode('ascii')
    found = saved_states.parse_states(b''.join(parts), '/f')
    assert list(found) == [('web', 'web1'), ('web', 'web2')]
    assert found['web', 'web1']['srv_port'] == '80'


def test_the_reply_of_haproxy_itself_is_read():
    """As ``echo show servers state | socat`` writes it; HAProxy skips such lines, too."""
    assert list(states('1', HEADER, ROW, '', '# a comment', OTHER, '', '')) == [
        ('web', 'web1'), ('web', 'web2')]


@pytest.mark.parametrize('lines, number, text', [
    ([''], 1, "expected '1', got ''"),
    (['2', HEADER, ROW, ''], 1, "got '2'"),
    (['Permission denied', '', ''], 1, 'Permission denied'),
    (['1', ''], 2, 'columns'),
    (['1', '# be_id be_name srv_id', ROW, ''], 2, 'columns'),
    (['1', HEADER, ROW, ROW + ' x', ''], 4, 'too many'),
    (['1', HEADER, ROW, OTHER[:-6], ''], 4, 'too few'),
    (['1', HEADER, ROW, OTHER], 4, 'ends within a line'),
    (['1', HEADER, ROW, ROW, ''], 4, 'listed twice'),
    (['1', HEADER, ROW.replace(' 100 ', ' x '), ''], 3, "number: 'x'"),
    (['1', HEADER, ROW.replace(' 2 0 ', ' 2 -1 '), ''], 3, 'srv_admin_state'),
    (['1\r', HEADER + '\r', ROW + '\r', ''], 1, 'control character'),
    (['1', HEADER, ROW.replace('web1', 'we\0b1'), ''], 3, 'control character'),
])
def test_a_malformed_file(lines, number, text):
    with pytest.raises(ValueError) as caught:
        states(*lines)
    assert str(caught.value).startswith('/f, line {0}: '.format(number))
    assert text in str(caught.value)


def test_extras_that_were_written_are_read():
    maxconns, added = {('web', 'web1'): 5, ('web', 'web2'): 2 ** 64 - 5, ('web', 'web9'): 0}, {('web', 'web9'): ARGUMENTS}
    content = b''.join(saved_states.format_extras(maxconns, added))
    assert saved_states.parse_extras(content, '/f') == (maxconns, added)
    assert all(type(word) is str for word in saved_states.parse_extras(
        content, '/f')[1]['web', 'web9']['keywords']['inter'])


def test_no_extras():
    assert saved_states.parse_extras(None, '/f') == ({}, {})


@pytest.mark.parametrize('content', [
    b'', b'{', b'[]', b'{}', b'\xff', b'{"servers": {}}', b'{"servers": [], "added": {}}',
    b'{"servers": {"web1": {"maxconn": 1}}, "added": {}}',
    b'{"servers": {"/web1": {"maxconn": 1}}, "added": {}}',
    b'{"servers": {"web/web1": 5}, "added": {}}',
    b'{"servers": {"web/web1": {"maxconn": -1}}, "added": {}}',
    b'{"servers": {"web/web1": {"maxconn": true}}, "added": {}}',
    b'{"servers": {}, "added": {"web/web9": {"address": "10.0.0.9:80"}}}',
])
def test_malformed_extras(content):
    with pytest.raises(ValueError) as caught:
        saved_states.parse_extras(content, '/f')
    assert str(caught.value).startswith('/f: ')


@pytest.mark.parametrize('name, value', [
    ('address', 5), ('weight', 257), ('weight', '5'), ('check', 1), ('ready', None),
    ('keywords', []), ('keywords', {'inter': '2s'}), ('keywords', {'inter': [2]}),
    ('keywords', {'backup': False}), ('more', 1)])
def test_wrong_arguments(name, value):
    content = b''.join(saved_states.format_extras(
        {}, {('web', 'web9'): dict(ARGUMENTS, **{name: value})}))
    with pytest.raises(ValueError):
        saved_states.parse_extras(content, '/f')
