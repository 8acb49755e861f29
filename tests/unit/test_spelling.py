# SPDX-License-Identifier: Apache-2.0
"""spelling.py: what a misspelled name may have meant."""
import pytest

from haproxyadmin.spelling import similar_names, suggest
from tests.support import fakes
from tests.unit.test_surface import NAMES


@pytest.mark.parametrize('name, names, expected', [
    ('WEB1', NAMES, ['web1', 'WEB', 'web2']), ('STATIC', NAMES, ['Static', 'static']),
    ('web', NAMES, ['WEB', 'web2', 'web1']), ('xyz', NAMES, []), ('', NAMES, []),
    (u'Web1', NAMES, ['web1']), (b'Web1', NAMES, ['web1']), (5, NAMES, [])])
def test_nearest_names_whatever_their_case(name, names, expected):
    assert similar_names(name, names)[:len(expected)] == expected[:3]
    assert bool(similar_names(name, names)) == bool(expected)


@pytest.mark.parametrize('wrong', ['xerver-0417', 'erver-0417', 'server-041x', 'server0417'])
def test_nearest_of_many_names_are_those_that_begin_or_end_alike(wrong):
    names = ['server-{0:04d}'.format(number) for number in range(2000)]
    assert 'server-0417' in similar_names(wrong, names) or wrong == 'server-041x'
    assert similar_names(wrong, names)


def test_nearest_of_very_many_names_is_found_in_a_moment():
    names = ['server-{0:05d}-{1}'.format(number, 'x' * 88) for number in range(100000)]
    wrong = 'Server-4711-' + 'x' * 88
    seconds = fakes.fastest(lambda: suggest(wrong, names), 0.2, clock=fakes.cpu_time)
    assert seconds < 1
    assert similar_names(names[4711].upper() + 'y', names)[0] == names[4711]
