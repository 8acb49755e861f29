# SPDX-License-Identifier: Apache-2.0
"""overview.py: the table of everything, on real HAProxies."""
import re

import pytest

from tests.support import truth
from tests.support.lab import wait_until

pytestmark = pytest.mark.dealt_out


def rows(shown):
    """Return the words of each row by backend and server, or by frontend."""
    found, section, proxy = {}, None, None
    for line in str(shown).split('\n'):
        cells = re.split('  +', line.strip())
        if not line:
            continue
        if ' STATUS ' in line:
            section = cells[0]
        elif line.startswith(' '):
            found[proxy, cells[0]] = cells[1:]
        else:
            proxy = cells[0]
            found[proxy, section] = cells[1:]
    return found


class TestOverview(object):

    def test_it_has_everything(self, hap, lab):
        names = [(name, 'FRONTEND') for name in truth.order(lab, truth.FRONTENDS)]
        for name in truth.order(lab, truth.BACKENDS):
            names += [(name, 'BACKEND')] + [(name, server) for server in truth.SERVERS[name]]
        for source in (hap, hap.snapshot()):
            shown = rows(source.overview())
            assert sorted(shown) == sorted(names)
            for name, cells in shown.items():
                assert cells[0] in (('OPEN',) if name[1] == 'FRONTEND' else ('UP', 'no check'))

    def test_the_figures_are_those_of_haproxy(self, hap, lab):
        assert lab.traffic('frontend_proc2', 8) == [200] * 8
        # HAProxy counts a request when it has ended.
        wait_until(lambda: truth.total(lab, 'backend_proc2', 'BACKEND', 'scur') == 0, 'it ends')
        shown = rows(hap.overview('*proc2*'))
        requests = truth.total(lab, 'frontend_proc2', 'FRONTEND', 'req_tot')
        assert int(shown['frontend_proc2', 'FRONTEND'][4]) == requests >= 8
        for server in truth.SERVERS['backend_proc2'] + ['BACKEND']:
            status, sessions, highest, rate, requests, errors, queue, weight = shown[
                'backend_proc2', server][:8]
            assert status in ('UP', 'no check') and sessions == errors == queue == '0'
            for field, figure in [('smax', highest), ('stot', requests)]:
                assert int(figure) == truth.total(lab, 'backend_proc2', server, field) > 0

    @pytest.mark.one_layout
    def test_what_is_in_maintenance(self, hap, lab):
        server = hap.server('bck1_proc34_srv1')[0]
        server.setstate('maint')
        try:
            shown = rows(hap.overview('bck1_proc34_srv1'))
            assert sorted(shown) == [('backend1_proc34', 'BACKEND'),
                                     ('backend1_proc34', 'bck1_proc34_srv1')]
            assert shown['backend1_proc34', 'bck1_proc34_srv1'][0] == 'MAINT'
        finally:
            server.setstate('ready')
