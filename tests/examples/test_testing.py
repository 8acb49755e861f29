# SPDX-License-Identifier: Apache-2.0
"""The page about testing: its examples, and the tests that it shows."""
import os
import shutil
import subprocess
import sys

import pytest

from tests.conftest import find, versions
from tests.examples.test_docstrings import console
from tests.examples.test_readme import hold_all, page
from tests.support import ROOT
from tests.support.package import PACKAGE_ROOT

pytestmark = [pytest.mark.dealt_out,
              pytest.mark.skipif(sys.version_info < (3, 6), reason='the page is for Python 3')]

TESTING = page('testing')
TESTS = os.path.join(ROOT, 'docs', 'source', 'testing')
RECIPES = os.path.join(ROOT, 'docs', 'source', 'recipes')
SCRIPTS = ['deploy', 'blocklist', 'check_haproxy']


def test_examples(tmpdir, monkeypatch):
    version = versions()[-1]
    monkeypatch.setenv('HAPROXYADMIN_HAPROXY', '{0}={1}'.format(version, find(version)))
    hold_all(console(str(tmpdir), str(tmpdir)), TESTING)


@pytest.mark.parametrize('version', versions())
@pytest.mark.parametrize('script', SCRIPTS)
def test_tests(version, script, tmpdir):
    """The tests of a script, saved beside it as the page says."""
    for name in ('conftest.py', 'test_{0}.py'.format(script)):
        shutil.copy(os.path.join(TESTS, name), str(tmpdir))
    shutil.copy(os.path.join(RECIPES, script + '.py'), str(tmpdir))
    process = subprocess.Popen(
        [sys.executable, '-B', '-m', 'pytest', '-q', '-p', 'no:cacheprovider',
         # pytest finds the plugin itself only if the package is installed.
         '-p', 'no:haproxyadmin', '-p', 'haproxyadmin.testing.pytest_plugin'],
        cwd=str(tmpdir), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, universal_newlines=True,
        env=dict(os.environ, PYTHONPATH=PACKAGE_ROOT, HAPROXYADMIN_STRICT='1',
                 HAPROXYADMIN_HAPROXY='{0}={1}'.format(version, find(version))))
    output = process.communicate()[0]
    assert process.returncode == 0 and ' passed' in output, output


def test_each_script_has_tests_with_both():
    for script in SCRIPTS:
        with open(os.path.join(TESTS, 'test_{0}.py'.format(script))) as tests:
            text = tests.read()
        assert '(throwaway_haproxy, ' in text and '(fake_haproxy, ' in text
