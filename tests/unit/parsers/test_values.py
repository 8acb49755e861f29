# -*- coding: utf-8 -*-
# SPDX-License-Identifier: Apache-2.0
"""parsers/values.py: numbers in replies."""
import pytest

from haproxyadmin.parsers.values import converter, isint

# Numbers


@pytest.mark.parametrize('value, expected', [
    ('0', 0), ('13.5', 13), ('13.5f', '13.5f'), ('', None), (' ', None), ('UP', 'UP'),
    ('UP 1/2', 'UP 1/2'),
    ('-13.5', -13), ('-0.9', 0), ('13.', 13), ('.9', 0), (' 7 ', 7), ('+7', 7), ('-1', -1),
    (str(2 ** 63), 2 ** 63), (str(2 ** 64 - 1), 2 ** 64 - 1), ('9007199254740993', 2 ** 53 + 1),
    ('-9223372036854775808', -2 ** 63), ('1e3', 1000),
    ('inf', 'inf'), ('-inf', '-inf'), ('nan', 'nan'), ('Infinity', 'Infinity'), ('NaN', 'NaN'),
    ('1e999', '1e999'), ('1_000', '1_000'), ('0x10', '0x10'), ('1,000', '1,000'), ('--1', '--1'),
    ('1 2', '1 2'), ('\t\n', None), ('0d 0h00m02s', '0d 0h00m02s'),
    (5, 5), (5.9, 5), (-5.9, -5), (2 ** 70, 2 ** 70), (None, None), ([], None), ({}, None),
    (float('inf'), None), (float('nan'), None), (u'42', 42), (b'42', 42),
])
def test_converter(value, expected):
    """[sums and averages] Integers stay exact; what only looks like a number is not converted."""
    converted = converter(value)
    assert converted == expected
    assert not isinstance(converted, (float, bool))


@pytest.mark.parametrize('value, expected', [
    (5, True), ('5', True), ('-5', True), (b'5', True), (u'5', True), (5.0, True), (2 ** 70, True),
    ('', False), (' ', False), ('5.0', False), ('x', False), ('1_000', False), ('0x10', False),
    (5.5, False), (True, False), (None, False), ([], False), (float('nan'), False),
    (float('inf'), False),
])
def test_isint_returns_true_or_false(value, expected):
    """[what is not there]"""
    assert isint(value) is expected
