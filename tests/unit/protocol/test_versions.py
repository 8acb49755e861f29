# SPDX-License-Identifier: Apache-2.0
"""protocol/versions.py: commands that must not be sent to some versions."""
import pytest

from haproxyadmin import exceptions
from haproxyadmin.protocol import versions
from tests.support import captured


@pytest.mark.parametrize('danger, bad, right', [
    (versions.GET_ACL, [(1, 7, 0)], [(1, 6, 9), (1, 7, 1)]),
    (versions.RAISING_FRONTEND_MAXCONN,
     [(2, 4, 19), (2, 4, 27), (2, 5, 9), (2, 5, 14), (2, 6, 6), (2, 6, 12), (2, 6, 19), (2, 7, 0),
      (2, 7, 12), (2, 8, 0), (2, 8, 11), (2, 9, 11), (3, 0, 0), (3, 0, 5)],
     [(2, 2, 9), (2, 4, 18), (2, 4, 28), (2, 5, 8), (2, 6, 5), (2, 6, 20), (2, 8, 12), (2, 9, 12),
      (3, 0, 6), (3, 1, 0), (3, 2, 26)]),
    (versions.CLEAR_ALL_COUNTERS, [(3, 3, 0), (3, 3, 9), (3, 4, 0)], [(3, 2, 26), (3, 4, 1)]),
    (versions.SILENT_KEYS, [(1, 6, 0), (1, 6, 9), (1, 6, 16)], [(1, 5, 8), (1, 5, 19), (1, 7, 0)]),
    (versions.REMOVING_ENTRIES, [(2, 9, 0), (2, 9, 15), (3, 0, 0), (3, 0, 2)],
     [(2, 2, 9), (2, 8, 16), (3, 0, 3), (3, 0, 11), (3, 1, 0), (3, 2, 0)]),
    (versions.REMOVING_SHARED_ENTRIES, [(3, 2, 0), (3, 2, 5)],
     [(2, 2, 9), (3, 0, 11), (3, 1, 0), (3, 2, 6), (3, 2, 26), (3, 3, 0)]),
])
def test_it_is_refused_from_the_first_bad_version_to_the_first_right_one(danger, bad, right):
    for version in right:
        assert versions.check_danger(danger, version) is None
    for version in bad:
        with pytest.raises(danger.error) as caught:
            versions.check_danger(danger, version)
        assert str(caught.value) == danger.reason


@pytest.mark.parametrize('version', ['3.4.0-1', '3.4-dev5', '3.4.0', '3.3.1'])
@pytest.mark.parametrize('bad', [[0], [1], [0, 1]])
def test_counters_are_not_cleared_where_that_crashes_haproxy(version, bad, fleet):
    """[nothing that kills] Nothing is sent, not even to the processes of other versions."""
    started = fleet('3.4', 2)
    for process in started:
        process.info['Version'] = '3.2.26'
    for number in bad:
        started[number].info['Version'] = version
    hap = started.haproxy()
    with pytest.raises(exceptions.CommandFailed) as caught:
        hap.clearcounters(all=True)
    assert str(caught.value) == versions.CLEAR_ALL_COUNTERS.reason
    assert hap.clearcounters(True, die=False) is False
    assert not [command for received in started.commands for command in received
                if command != 'show info']


@pytest.mark.parametrize('version', [version for version in captured.VERSIONS if version != '3.4'])
def test_counters_are_cleared_by_every_other_version(version, fleet):
    started = fleet(version, 2)
    started.answer('clear counters all', '\n')
    assert started.haproxy().clearcounters(all=True) is True
    assert [received[-1] for received in started.commands] == ['clear counters all'] * 2


def test_the_maxima_are_cleared_by_every_version(fleet):
    """Without all=True, the command does not crash any version."""
    started = fleet('3.4', 2)
    assert started.haproxy().clearcounters() is True
    assert started.commands == [['clear counters']] * 2


def test_a_command_of_the_caller_is_free(fleet):
    """[nothing that kills]"""
    started = fleet('3.4')
    started.answer('clear counters all', '\n')
    assert started.haproxy().command('clear counters all') == [(1, [''])]


def test_a_lookup_in_an_acl_is_refused_where_it_crashes_haproxy(fleet):
    started = fleet('1.7')
    started[0].info['Version'] = '1.7.0'
    hap = started.haproxy()
    with pytest.raises(ValueError) as caught:
        hap.get_acl(4, 'x')
    assert str(caught.value) == versions.GET_ACL.reason
    assert not [command for command in started.commands[0] if command != 'show info']


@pytest.mark.parametrize('ranges, bad, right', [
    (versions.BROKEN_CONDITIONS, [(2, 0, 0), (2, 0, 6)], [(1, 9, 9), (2, 0, 7), (2, 1, 0)]),
    (versions.LEAKING_KEYS, [(2, 9, 0), (3, 0, 0), (3, 0, 11), (3, 1, 0), (3, 2, 5)],
     [(2, 2, 9), (2, 8, 16), (3, 0, 12), (3, 2, 6), (3, 2, 26)])])
def test_what_is_done_in_another_way_in_some_versions(ranges, bad, right):
    assert all(versions.is_among(version, ranges) for version in bad)
    assert not any(versions.is_among(version, ranges) for version in right)


# Versions

@pytest.mark.parametrize('text, version', [
    ('1.5.8', (1, 5, 8)),
    ('1.5.19', (1, 5, 19)),
    ('2.2.9-2+deb11u7', (2, 2, 9)),
    ('2.4', (2, 4, 0)),
    ('3.4-dev5-e2a3c1', (3, 4, 0)),
    ('3', (3, 0, 0)),
    ('1.8.0-2.0.0-198.711', (1, 8, 0)),
    ('1.5-ss-20141031', (1, 5, 0)),
    ('', (0, 0, 0)),
])
def test_a_version_has_three_numbers(text, version):
    assert versions.parse_version(text) == version


@pytest.mark.parametrize('name', sorted(
    name for name, value in vars(versions).items() if isinstance(value, versions.Feature)))
def test_a_feature_says_what_needs_which_version(name):
    """[status in words; messages]"""
    feature = getattr(versions, name)
    just_before = feature.since[:-1] + (feature.since[-1] - 1, 99)
    assert versions.has(feature.since, feature) and versions.has(feature.since + (0,), feature)
    assert not versions.has(just_before, feature)
    assert versions.describe_lack(feature, just_before, '/s') == (
        '{0} needs HAProxy {1}; /s runs {2}'.format(
            feature.what, '.'.join(map(str, feature.since)), '.'.join(map(str, just_before))))
