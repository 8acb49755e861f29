# SPDX-License-Identifier: Apache-2.0
"""The package and its metadata."""
import os
import re

import pytest
from six.moves import configparser

import haproxyadmin
from tests.support import ROOT

try:
    from importlib import metadata
except ImportError:
    metadata = pytest.importorskip('importlib_metadata')


@pytest.fixture
def distribution():
    try:
        return metadata.distribution('haproxyadmin')
    except metadata.PackageNotFoundError:
        pytest.skip('haproxyadmin is not installed, so it has no metadata')


def test_metadata_tell_the_version_of_the_package(distribution):
    pattern = re.escape(haproxyadmin.__version__) + r'(\.dev\d+)?$'
    assert re.match(pattern, distribution.version)


def test_setup_cfg_tells_the_version_of_the_package():
    parser = configparser.RawConfigParser()
    parser.read(os.path.join(ROOT, 'setup.cfg'))
    assert parser.get('metadata', 'version') == haproxyadmin.__version__


def test_six_is_the_only_requirement(distribution):
    assert [re.match(r'[\w.-]+', line).group() for line in distribution.requires] == ['six']


@pytest.mark.parametrize('wanted', ['>=2.7', '!=3.5.*'])
def test_metadata_tell_the_pythons(distribution, wanted):
    assert wanted in distribution.metadata['Requires-Python'].split(',')
