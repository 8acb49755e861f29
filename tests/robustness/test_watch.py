# SPDX-License-Identifier: Apache-2.0
"""Follow what changes while a server flaps ten times a second, and HAProxy is reloaded.

``tests/robustness/watch.py`` does the work; ``tools/watch`` does it for ten minutes.
"""
import pytest

from tests import conftest
from tests.robustness import reload, watch
from tests.support import lab

pytestmark = pytest.mark.dealt_out


@pytest.mark.parametrize('through_masters', [False, True])
@pytest.mark.parametrize('version', conftest.versions())
def test_what_is_known_from_changes_is_so(version, through_masters):
    """[watching]"""
    with reload.Site(conftest.find(version), through_masters=through_masters) as site:
        # What is read through a master is the same; the lab reloads.
        site.through_masters = False
        before = lab.descriptors()
        ledger, disturbance = watch.follow(site, seconds=1.5, pause=0.3, every=3)
        assert ledger.wrong == []
        assert watch.differences(ledger, site.hap) == []
        assert lab.descriptors() <= before
        # Both processes, each time; a slow machine may not get far.
        assert disturbance.counts['reloads'] > 0
        assert ledger.counts['process', 'pid'] > 0
        assert ledger.counts['server', 'status'] > 2
