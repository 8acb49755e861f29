# SPDX-License-Identifier: Apache-2.0
"""haproxyadmin/testing/launching.py: what needs no HAProxy; tests/support/test_lab.py has more."""
import os
import subprocess
import sys

import pytest

from haproxyadmin.testing import common, launching, origins


@pytest.fixture
def installed(tmpdir, monkeypatch):
    """A program that says it is HAProxy 2.6, the only one on PATH."""
    path = tmpdir.join('haproxy')
    path.write('#!/bin/sh\necho "HAProxy version 2.6.12-1 2023/04/01"\n')
    path.chmod(0o755)
    monkeypatch.delenv('HAPROXYADMIN_HAPROXY', raising=False)
    monkeypatch.setenv('PATH', str(tmpdir))
    return str(path)


class TestFind(object):

    def test_a_missing_version_is_told(self, monkeypatch):
        monkeypatch.setenv('HAPROXYADMIN_HAPROXY', '2.2=/x/haproxy:2.6=/y/haproxy')
        monkeypatch.setenv('PATH', '')
        assert launching.find() == '/x/haproxy'
        assert launching.find('2.6') == '/y/haproxy'
        with pytest.raises(launching.HAProxyNotFound) as caught:
            launching.find('9.9')
        for words in ('no HAProxy 9.9', 'have: 2.2, 2.6', 'binary=',
                      'HAPROXYADMIN_HAPROXY=9.9=/path/to/haproxy',
                      "'2.2=/x/haproxy:2.6=/y/haproxy'"):
            assert words in str(caught.value)

    def test_path_serves_without_the_variable(self, installed):
        assert launching.available() == [('2.6', installed)]
        assert launching.find() == launching.find('2.6') == installed

    def test_the_variable_need_not_name_the_version(self, installed, monkeypatch):
        monkeypatch.setenv('HAPROXYADMIN_HAPROXY', installed)
        monkeypatch.setenv('PATH', '')
        assert launching.available() == [('2.6', installed)]

    def test_one_that_is_named_is_taken(self, installed, monkeypatch):
        monkeypatch.setenv('PATH', '')
        assert launching.choose(binary=installed) == installed
        assert launching.choose('2.6', installed) == installed
        with pytest.raises(launching.HAProxyNotFound, match='is HAProxy 2.6, not 3.0'):
            launching.choose('3.0', installed)

    @pytest.mark.parametrize('path', [sys.executable, '/nonexistent/haproxy'])
    def test_what_is_no_haproxy_is_missing(self, path):
        with pytest.raises(launching.HAProxyNotFound, match=os.path.basename(path)):
            launching.branch(path)


def test_waiting_ends():
    with pytest.raises(launching.HAProxyFailed, match='not within 0.01 s: never'):
        launching.wait_until(lambda: False, 'never', 0.01)
    assert launching.wait_until(lambda: 'x', 'at once', 0) == 'x'


class TestProcesses(object):
    """Which processes are the HAProxies of a configuration file."""

    @pytest.fixture
    def run(self, tmpdir):
        started = []
        yield lambda *words, **environment: started.append(subprocess.Popen(
            list(words), env=dict(os.environ, **environment))) or started[-1].pid
        for process in started:
            process.kill()
            process.wait()

    def test_it_is_haproxy_with_this_file(self, run, tmpdir):
        config_file = str(tmpdir.join('haproxy.cfg'))
        sleep = [sys.executable, '-c', 'import time; time.sleep(600)']
        own = [run(*(sleep + ['-f', config_file, '-W'])),
               # A script has started it.
               run('/bin/sh', '-c', 'sleep 600; true', 'x', '-f', config_file,
                   **{origins.MARK: config_file})]
        run('tail', '-F', config_file)
        run('tail', '-f', config_file)
        run(*(sleep + [config_file, '-f']))
        run(*(sleep + ['-f', config_file + '.notes']))
        run(*sleep, **{origins.MARK: config_file})
        launching.wait_until(
            lambda: sorted(origins.haproxies(config_file, sys.executable)) == sorted(own), 'started')

    def test_each_is_looked_at_when_its_turn_comes(self, monkeypatch):
        seen = []
        monkeypatch.setattr(origins, 'is_haproxy', lambda pid, *_: seen.append(pid) or True)
        assert [next(origins.haproxies('a', 'b'))] == [int(pid) for pid in seen]


class TestFiles(object):

    @pytest.mark.parametrize('name', [
        'haproxy.cfg', './haproxy.cfg', 'haproxy.cfg/a', 'run', 'run/x', 'a/../run/x', 'master/x',
        'master', 'haproxy-1.log', 'master-1.sock', '', '.', '..', '../a', '/a', 'a/../../b',
        'there', 'there/a', 'there/a/b'])
    def test_the_name_of_something_else(self, tmpdir, name):
        common.write_file(str(tmpdir), 'there', '')
        with pytest.raises(ValueError, match='files must'):
            common.write_file(str(tmpdir), name, 'x')
        assert tmpdir.listdir() == [tmpdir.join('there')]

    @pytest.mark.parametrize('name', ['running', 'a/run/x', 'master.map', 'haproxy.cfg.old'])
    def test_a_name_of_its_own(self, tmpdir, name):
        common.write_file(str(tmpdir), name, 'x')
        assert tmpdir.join(name).read() == 'x'
