# SPDX-License-Identifier: Apache-2.0
"""haproxyadmin/testing/pytest_plugin.py, as pytest runs it in a directory of its own."""
import os
import re
import subprocess
import sys

import pytest

from tests.conftest import find, versions
from tests.support.package import PACKAGE_ROOT

pytestmark = pytest.mark.dealt_out

# pytest finds the plugin itself if the package is installed.
CONFTEST = """
import pytest
from haproxyadmin.testing.pytest_plugin import *
"""
USING = """
import os
def test_it(throwaway_haproxy):
    assert throwaway_haproxy.hap.server('web1')[0].status == 'UP'
    print('directory ' + throwaway_haproxy.directory)
"""


@pytest.fixture
def run(tmpdir):
    """A function that runs pytest on files and returns its exit status and output."""
    def run(files, *arguments, **environment):
        for name, text in files.items():
            tmpdir.join(name).write(text)
        variables = dict(os.environ, PYTHONPATH=PACKAGE_ROOT, PYTHONDONTWRITEBYTECODE='1')
        variables.pop('HAPROXYADMIN_STRICT', None)
        variables.update(environment)
        process = subprocess.Popen(
            [sys.executable, '-m', 'pytest', '-p', 'no:cacheprovider', '-rsf', '-s', str(tmpdir)]
            + list(arguments), cwd=str(tmpdir), env=variables,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        output = process.communicate()[0].decode('utf-8', 'replace')
        return process.returncode, output
    return run


@pytest.fixture(params=versions()[-1:])
def found(request):
    """The environment that names an HAProxy."""
    return {'HAPROXYADMIN_HAPROXY': '{0}={1}'.format(request.param, find(request.param))}


def test_a_test_gets_one_that_is_removed(run, found):
    status, output = run({'conftest.py': CONFTEST, 'test_a.py': USING}, **found)
    assert status == 0, output
    directory = re.search('^.*directory (.*)$', output, re.MULTILINE).group(1)
    assert '/haproxyadmin-' in directory and not os.path.exists(directory)


def test_each_test_may_have_its_own_options(run, found):
    status, output = run({'conftest.py': CONFTEST + """
@pytest.fixture
def haproxy_options():
    return {'processes': 2}
""", 'test_a.py': """
import pytest
CONFIG = 'defaults\\n timeout connect 1s\\n timeout client 1s\\n timeout server 1s\\nlisten a\\n bind :80\\n'
def test_of_conftest(throwaway_haproxy):
    assert len(throwaway_haproxy.socket_files) == 2
@pytest.mark.parametrize('haproxy_options', [{'config': CONFIG}])
def test_of_its_own(throwaway_haproxy):
    assert [each.name for each in throwaway_haproxy.hap.frontends()] == ['a']
"""}, **found)
    assert status == 0, output
    assert '2 passed' in output


@pytest.mark.parametrize('strict, status, words', [
    ('0', 0, '1 skipped'), ('1', 1, '1 error')])
def test_without_haproxy(run, strict, status, words):
    files = {'conftest.py': CONFTEST, 'test_a.py': USING}
    got, output = run(files, HAPROXYADMIN_HAPROXY='', PATH='/nonexistent',
                      HAPROXYADMIN_STRICT=strict)
    assert got == status, output
    assert words in output and 'no HAProxy at all in HAPROXYADMIN_HAPROXY or on PATH' in output


def test_nothing_is_imported_before_it_is_used(run):
    status, output = run({'conftest.py': CONFTEST, 'test_a.py': """
import sys
def test_it():
    found = [name for name in sys.modules if name.startswith('haproxyadmin') and sys.modules[name]]
    assert sorted(found) == [
        'haproxyadmin', 'haproxyadmin.testing', 'haproxyadmin.testing.pytest_plugin']
"""})
    assert status == 0, output


def test_a_failure_and_its_end(run, found):
    status, output = run({'conftest.py': CONFTEST, 'test_a.py': USING + '    assert 0\n'}, **found)
    assert status == 1 and '1 failed' in output and 'error' not in output.lower().split('1 failed')[1]
    directory = re.search('directory (.*)$', output, re.MULTILINE).group(1)
    assert not os.path.exists(directory)


def test_processes_of_xdist(run, found):
    pytest.importorskip('xdist')
    status, output = run({'conftest.py': CONFTEST, 'test_a.py': USING + USING.replace(
        'test_it', 'test_too')}, '-n', '2', **found)
    assert status == 0, output
    assert '2 passed' in output
