# SPDX-License-Identifier: Apache-2.0
"""Tests of parsers/tickets.py."""
import pytest

from haproxyadmin.exceptions import CommandFailed
from haproxyadmin.parsers.tickets import TicketFile, parse_ticket_files
from haproxyadmin.protocol import replies


def test_files():
    assert parse_ticket_files(['# id (file)']) == []
    assert parse_ticket_files(['# id (file)', '1 (/etc/a (b).key)', '0 (/etc/c.key)']) == [
        TicketFile(1, '/etc/a (b).key'), TicketFile(0, '/etc/c.key')]


def test_a_refusal():
    with pytest.raises(CommandFailed, match='Permission denied'):
        parse_ticket_files(['Permission denied'])


@pytest.mark.parametrize('lines', [
    ['# id (file)', '0 (/etc/c.key'], ['# id (file)', '0.0 c2VjcmV0'],
    ['# id secret', '# 0 (/etc/c.key)', '0.0 c2VjcmV0'], []])
def test_anything_else_is_malformed_and_shows_no_secret(lines):
    with pytest.raises((replies.Malformed, CommandFailed)) as info:
        parse_ticket_files(lines)
    assert 'c2VjcmV0' not in str(info.value)
