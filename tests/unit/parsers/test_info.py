# -*- coding: utf-8 -*-
# SPDX-License-Identifier: Apache-2.0
"""parsers/info.py: show info."""
import pytest

from haproxyadmin.parsers.info import info2dict, is_info, parse_description
from tests.support import captured
from tests.unit.parsers.test_stats import lines_of

# show info


class TestInfo(object):

    @pytest.mark.parametrize('version', captured.VERSIONS)
    def test_every_field_is_there_as_haproxy_prints_it(self, version):
        lines = lines_of(version, 'info.txt')
        info = info2dict(lines)
        assert len(info) == len(lines)
        for line in lines:
            name, value = line.split(':', 1)
            assert ': '.join([name, info[name]]) == line or (info[name] == '' == value.strip())

    @pytest.mark.parametrize('lines, expected', [
        ([], {}),
        (['Name: HAProxy', 'Pid: 1155', 'Uptime: 5d 4h42m16s'],
         {'Name': 'HAProxy', 'Pid': '1155', 'Uptime': '5d 4h42m16s'}),
        (['description: a: b', 'description2:', 'description3: '],
         {'description': 'a: b', 'description2': '', 'description3': ''}),
        (['description:  two '], {'description': ' two '}),
        (['', 'no colon', 'Unstoppable Jobs: 0'], {'Unstoppable Jobs': '0'}),
    ])
    def test_a_line_is_a_name_and_its_value(self, lines, expected):
        assert info2dict(lines) == expected

    @pytest.mark.parametrize('version, text, expected', [
        ('2.2.9', 'HAProxy lab', 'HAProxy lab'),
        ('2.2.9', '"say ""hi"" now"', 'say "hi" now'),
        ('1.7.0', '"a, b"', 'a, b'),
        ('3.4.0', '"a, b"', 'a, b'),
        ('1.6.9', '"a, b"', '"a, b"'),
        ('1.5.8', 'say "hi" now', 'say "hi" now'),
        ('2.2.9', '""""', '"'),
        ('2.2.9', '"', '"'),
        ('2.2.9', '', ''),
    ])
    def test_a_description_is_the_plain_text(self, version, text, expected):
        """[description]"""
        assert parse_description({'Version': version, 'description': text}) == expected

    def test_no_description_is_the_empty_text(self):
        """[description]"""
        assert parse_description({'Version': '2.2.9'}) == ''

    @pytest.mark.parametrize('info, expected', [
        ({'Name': 'HAProxy', 'Pid': '1', 'Process_num': '1', 'Uptime_sec': '0'}, True),
        ({'Name': 'hapee-lb', 'Pid': '1', 'Process_num': '1', 'Uptime_sec': '0'}, True),
        ({'Name': 'HAProxy'}, False),
        ({'Name': 'HAProxy', 'Pid': 'x', 'Process_num': '1', 'Uptime_sec': '0'}, False),
        ({'Pid': '1', 'Process_num': '1', 'Uptime_sec': '0'}, False),
        ({}, False),
    ])
    def test_what_is_haproxy(self, info, expected):
        """[no HAProxy found]"""
        assert is_info(info) is expected
