# SPDX-License-Identifier: Apache-2.0
"""What the documentation generates or lists is complete; tools/docs checks the pages themselves."""
import importlib
import os
import re
import sys

import pytest

from haproxyadmin.protocol import versions
from tests.house.test_architecture import PUBLIC_MODULES
from tests.support import ROOT

PAGES = os.path.join(ROOT, 'docs', 'source')
# What only the library itself asks for.
NOT_SHOWN = [
    'ANY_NUMBER_OF_WORDS', 'DELAYED_ADDRESS', 'DELETES_ONE', 'DISABLED_FRONTEND', 'LARGE_PAYLOAD',
    'LEAVING_EARLY', 'MAP_PAYLOAD', 'PAYLOAD', 'QUICK_DELETION', 'QUOTED_DESCRIPTION',
    'SEVERAL_CONDITIONS', 'SHOWING_BROKEN', 'SHOW_LEVEL', 'SPLITS_AT_BLANKS']
# Modules whose classes are base classes, documented with the classes that have their methods.
BASES = ['common', 'facade', 'maps', 'reading', 'tls']


@pytest.fixture
def features(monkeypatch):
    """Return the module that generates the tables of the page "What each version can do"."""
    monkeypatch.syspath_prepend(PAGES)
    yield importlib.import_module('features')
    sys.modules.pop('features')


def read(*path):
    with open(os.path.join(PAGES, *path)) as page:
        return page.read()


def named(kind):
    """Return ``(name, value)`` for each feature, or each danger."""
    return [(name, value) for name, value in sorted(vars(versions).items())
            if isinstance(value, kind)]


def test_each_feature_is_shown_or_known_not_to_be():
    assert sorted(name for name, value in named(versions.Feature)
                  if not value.shown) == NOT_SHOWN


def test_the_table_of_features_is_complete(features):
    rows = dict(features.features())
    for name, feature in named(versions.Feature):
        if name not in NOT_SHOWN:
            assert rows[feature.shown] == versions.format_version(feature.since), name
    for _, name, _ in versions.UNSENDABLE:
        assert rows[name + ' in text']
    assert len(rows) == (len(named(versions.Feature)) - len(NOT_SHOWN) + len(versions.UNSENDABLE))


def test_the_table_of_dangers_is_complete(features):
    rows = dict(features.dangers())
    assert len(rows) == len(named(versions.Danger))
    for name, danger in named(versions.Danger):
        for first, end in danger.ranges:
            assert '{0} until {1}'.format(*map(versions.format_version, (first, end))) \
                in rows[danger.shown].split(', '), name


@pytest.mark.parametrize('ranges, shown', [
    ([(versions.FROM_THE_FIRST, (1, 8))], '1.8'),
    ([((1, 9), (2, 2))], 'all but 1.9 to 2.1'),
    ([((1, 9), (2, 0)), ((2, 2), (2, 2, 1))], 'all but 1.9 to 1.9, 2.2 to 2.2.0'),
    ([(versions.FROM_THE_FIRST, (1, 5, 19)), ((1, 6), (1, 6, 9))],
     'all from 1.5.19 on but 1.6 to 1.6.8'),
])
def test_since_when_text_can_be_sent(features, ranges, shown):
    assert features.since(ranges) == shown


def test_the_page_shows_both_tables():
    for name in ('features', 'dangers'):
        assert ':file: ../figures/{0}.csv'.format(name) in read('user', 'versions.rst')


def pages_of(folder):
    return sorted(name[:-len('.rst')] for name in os.listdir(os.path.join(PAGES, folder))
                  if name.endswith('.rst') and name != 'index.rst')


def test_each_module_has_a_page_of_the_reference():
    """A page has the name of its module, which links from dev/api.html, as of 0.2.4, rely on."""
    # What is in testing has one page.
    wanted = set(name for name in PUBLIC_MODULES if '.' not in name) - set(BASES) | {
        'internal', 'utils', 'constants'}
    assert pages_of('api') == sorted(wanted)
    for name in wanted - {'constants'}:
        assert '.. automodule:: haproxyadmin.{0}\n'.format(name) in read('api', name + '.rst')


@pytest.mark.parametrize('folder', ['api', 'user'])
def test_an_overview_describes_each_page(folder):
    text, listed = read(folder, 'index.rst').split('.. toctree::')
    assert sorted(listed.split()[1:]) == sorted(set(pages_of(folder)) - {'versions'})
    described = re.findall(r':doc:`(\w+)`', text)
    assert sorted(described) == pages_of(folder)
