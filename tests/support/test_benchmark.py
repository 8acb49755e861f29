# SPDX-License-Identifier: Apache-2.0
"""tools/benchmark runs and prints what it should; the figures here mean nothing."""
import itertools
import json
import os
import subprocess
import sys
import xml.etree.ElementTree

import pytest

from tests.support import ROOT, lab as labs

BENCHMARK = os.path.join(ROOT, 'tools', 'benchmark')

pytestmark = [
    pytest.mark.one_python,
    pytest.mark.skipif(sys.version_info < (3, 8), reason='a tool of Python 3'),
    pytest.mark.skipif(not labs.available(), reason='no HAProxy'),
]


def run(*options):
    """Run the benchmark and return its output."""
    return subprocess.check_output([sys.executable, BENCHMARK, '--quick'] + list(options),
                                   stderr=subprocess.STDOUT).decode('utf-8')


@pytest.mark.timeout(300)
@pytest.mark.parametrize('version', sorted(set(
    labs.available()[place][0] for place in (0, -1) if labs.available())))
def test_a_small_run(version, tmpdir):
    words = run('--haproxy', version, '--alone', '--sweep', '--profile',
                '--json', str(tmpdir.join('figures')), '--svg', str(tmpdir.join('chart')))
    for title in ('Time', 'CPU time of whole processes', 'Goals', 'Commands', 'Memory', 'Growth',
                  'Profile: imports of a check', 'Profile: servers()'):
        assert '\n{0}'.format(title) in words
    report = json.loads(tmpdir.join('figures').read())
    assert report['haproxy'].startswith(version)
    assert report['size'] == {'backends': 20, 'servers': 5, 'processes': 2}
    assert report['counts']['servers()']['live']['connections'] == 2
    assert report['counts']['README loop']['live']['connections'] == 2 * (1 + 20 * 2 + 100)
    assert report['counts']['all metrics of a server']['live']['most in a process'] == 1
    assert len(report['sweep']) == 2
    assert ROOT not in tmpdir.join('figures').read()
    chart = xml.etree.ElementTree.fromstring(tmpdir.join('chart').read())
    assert chart.tag.endswith('svg')


@pytest.mark.timeout(300)
def test_beside_the_former_version(tmpdir):
    version = labs.available()[0][0]
    words = run('--haproxy', version, '--json', str(tmpdir.join('figures')))
    assert 'times faster than 0.2.4' in words
    report = json.loads(tmpdir.join('figures').read())
    assert set(report['medians']['README loop']) == {
        'in sequence', 'at once', 'live', 'snapshot', '0.2.4'}
    assert report['counts']['README loop']['0.2.4']['connections'] > 100


@pytest.mark.timeout(300)
def test_whole_processes(tmpdir):
    words = run('--haproxy', labs.available()[-1][0], '--starts', '--profile', '--alone',
                '--json', str(tmpdir.join('figures')))
    assert 'modules of haproxyadmin' in words
    starts = json.loads(tmpdir.join('figures').read())['starts']
    assert starts['nothing']['live'] < starts['one-shot check']['live']


@pytest.mark.timeout(300)
def test_a_fleet(tmpdir):
    words = run('--haproxy', labs.available()[-1][0], '--fleet', '4', '280',
                '--json', str(tmpdir.join('figures')))
    for title in ('One call to many addresses', '4 HAProxies, on three ways',
                  'One of 64 addresses is dead or slow', 'Goals'):
        assert '\n{0}'.format(title) in words
    report = json.loads(tmpdir.join('figures').read())
    assert set((size['count'], size['way'], size['work']) for size in report['sizes']) == set(
        itertools.product((4, 280), ('Unix', 'TCP'), ('constructor', 'requests')))
    assert [row['files'] for row in report['descriptors'][2:]] == [256, 256]
    for row in report['descriptors']:
        assert row['processes'] == 280
        assert row['allowed'] // 2 < row['most'] <= row['allowed']
    for row in report['one']:
        assert (row['with it']['wall'] > 0.5) == (
            row['case'] in ('never answers', 'accepts no connection'))
    assert ROOT not in tmpdir.join('figures').read()


def test_it_explains_itself():
    words = run('--help')
    for option in ('--backends', '--servers', '--processes', '--haproxy', '--rounds', '--sweep',
                   '--fleet'):
        assert option in words
