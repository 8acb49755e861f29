# SPDX-License-Identifier: Apache-2.0
"""tools/package builds what a commit has, or says in a line why not."""
import os
import shutil
import subprocess
import sys

import pytest

from tests.support import ROOT

pytestmark = [
    pytest.mark.one_python,
    pytest.mark.skipif(sys.version_info < (3, 8), reason='a tool of Python 3'),
    pytest.mark.skipif(not shutil.which('git'), reason='no git') if sys.version_info[0] > 2
    else pytest.mark.skip(reason='a tool of Python 3'),
]

VERSION = 'import sys; sys.path.insert(0, "tools"); from lib import checkout; ' \
          'print(checkout.environment().get("PBR_VERSION"))'


def git(*arguments, **options):
    identity = ['-c', 'user.name=a', '-c', 'user.email=a@b', '-c', 'commit.gpgsign=false']
    subprocess.check_output(['git'] + identity + list(arguments), stderr=subprocess.STDOUT,
                            **options)


@pytest.fixture
def clone(tmpdir):
    """A repository of two commits that has what packages are built with, and of them the last."""
    whole, shallow = str(tmpdir.join('whole')), str(tmpdir.join('shallow'))
    git('init', '-q', whole)
    for name in ('tools/package', 'tools/lib', 'tests/support/__init__.py', 'tests/__init__.py',
                 'haproxyadmin/__init__.py', 'setup.cfg', 'setup.py'):
        path, copy = os.path.join(ROOT, name), os.path.join(whole, name)
        if os.path.isdir(path):
            shutil.copytree(path, copy, ignore=shutil.ignore_patterns('__pycache__'))
            continue
        if not os.path.isdir(os.path.dirname(copy)):
            os.makedirs(os.path.dirname(copy))
        shutil.copy(path, copy)
    git('add', '.', cwd=whole)
    git('commit', '-qm', 'One', cwd=whole)
    git('commit', '-qm', 'Two', '--allow-empty', cwd=whole)
    git('tag', '-a', '0.3.0', '-m', 'release', cwd=whole)
    git('clone', '-q', '--depth', '1', '-b', '0.3.0', 'file://' + whole, shallow)
    return shallow


def refusal(clone, *options, **variables):
    """Return the only line that tools/package prints."""
    done = subprocess.Popen(
        [sys.executable, 'tools/package', 'dist'] + list(options), cwd=clone,
        env=dict(os.environ, PYTHONDONTWRITEBYTECODE='1', **variables),
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    line, = done.communicate()[0].decode('utf-8').splitlines()
    assert done.returncode == 1
    return line


def version(clone):
    variables = {k: v for k, v in os.environ.items() if not k.startswith('PBR_')}
    printed = subprocess.check_output([sys.executable, '-B', '-c', VERSION], cwd=clone,
                                      env=variables)
    return printed.decode('utf-8').strip()


def test_a_changed_file_is_refused(clone):
    with open(os.path.join(clone, 'setup.py'), 'a') as file:
        file.write('# changed')
    assert refusal(clone).endswith(' M setup.py')


def test_a_missing_file_is_refused(clone):
    os.remove(os.path.join(clone, 'setup.py'))
    assert refusal(clone).endswith(' D setup.py')
    assert refusal(clone, '--dirty') == 'setup.py: No such file or directory'


@pytest.mark.parametrize('text', ['abc', '-1', '1.5', '4294967296'])
def test_a_time_that_is_none_is_refused(clone, text):
    assert refusal(clone, SOURCE_DATE_EPOCH=text).endswith(repr(text))


def test_a_shallow_clone_of_a_tag_has_its_version(clone):
    assert version(clone) == 'None'  # pbr asks git
    git('tag', '-d', '0.3.0', cwd=clone)
    assert version(clone) == '0.3.0.dev0'
