# SPDX-License-Identifier: Apache-2.0
"""parsers/sessions.py: the list of sessions."""
import pytest

from haproxyadmin import exceptions
from haproxyadmin.parsers import sessions
from haproxyadmin.protocol import replies

OF_WEB1 = ('0x555555be0090: proto=tcpv4 src=127.0.0.1:57572 fe=f be=web srv=web1 ts=00 age=0s '
           'calls=4 rate=4 cpu=0 lat=0 rq[f=840080h,i=0,an=8000h,rx=,wx=,ax=] exp=1s')
OF_PEERS = '0x7f18be279000: proto=? ts=00 epoch=0 age=0s calls=3'


@pytest.mark.parametrize('lines, count', [
    ([], 0), ([OF_WEB1], 1), ([OF_WEB1, OF_PEERS, OF_WEB1], 2),
    ([OF_WEB1.replace('web1', 'web2')], 0), ([OF_WEB1.replace('be=web', 'be=api')], 0),
    ([OF_WEB1.replace('web1', 'web11')], 0), ([OF_WEB1.replace('web1', '<none>')], 0)])
def test_sessions_of_a_server(lines, count):
    assert sessions.count_sessions(lines, 'web', 'web1') == count


def test_a_refusal():
    with pytest.raises(exceptions.CommandFailed):
        sessions.count_sessions(['Permission denied'], 'web', 'web1')


def test_a_line_that_is_no_session():
    with pytest.raises(replies.Malformed):
        sessions.count_sessions([OF_WEB1, 'more'], 'web', 'web1')
