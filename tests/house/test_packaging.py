# SPDX-License-Identifier: Apache-2.0
"""The package and its metadata."""
import os
import re

import pytest

import haproxyadmin
from tests.support import ROOT

try:
    import configparser
except ImportError:
    import ConfigParser as configparser

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


@pytest.fixture
def setup_cfg():
    parser = configparser.RawConfigParser()
    parser.read(os.path.join(ROOT, 'setup.cfg'))
    return parser


def test_setup_cfg_tells_the_version_of_the_package(setup_cfg):
    assert setup_cfg.get('metadata', 'version') == haproxyadmin.__version__


def test_setup_py_tells_the_same_licence_as_setup_cfg(setup_cfg):
    with open(os.path.join(ROOT, 'setup.py')) as file:
        told = re.search("license_expression='(.+?)'", file.read()).group(1)
    assert told == setup_cfg.get('metadata', 'license')


def test_six_is_the_only_requirement(distribution):
    assert [re.match(r'[\w.-]+', line).group() for line in distribution.requires] == ['six']


@pytest.mark.parametrize('wanted', ['>=2.7', '!=3.5.*'])
def test_metadata_tell_the_pythons(distribution, wanted):
    assert wanted in distribution.metadata['Requires-Python'].split(',')


def test_metadata_tell_where_the_documentation_is(setup_cfg):
    assert ('Documentation = https://haproxyadmin.readthedocs.io'
            in setup_cfg.get('metadata', 'project_urls').split('\n'))


@pytest.mark.parametrize('label', ['Source', 'Issues', 'Changelog'])
def test_metadata_tell_the_addresses_of_the_project(distribution, label):
    url = dict(line.split(', ', 1) for line in distribution.metadata.get_all('Project-URL'))[label]
    base, _, path = url.partition('/master/')
    assert base.startswith('https://github.com/unixsurfer/haproxyadmin')
    assert os.path.exists(os.path.join(ROOT, path))


def lines_of(name):
    with open(os.path.join(ROOT, name)) as file:
        return file.read().splitlines()


def test_packages_hold_nothing_that_the_documentation_generates():
    ignored = [line.strip('/') for line in lines_of('.gitignore') if line.startswith('/docs/')]
    excluded = [word for line in lines_of('MANIFEST.in') for word in line.split()[1:]
                if line.split()[0] in ('exclude', 'prune')]
    assert ignored and [path for path in ignored if path not in excluded] == []
