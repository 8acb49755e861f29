# -*- coding: utf-8 -*-
# SPDX-License-Identifier: Apache-2.0
"""haproxy.py: what can be imported from where."""
import pytest

import haproxyadmin
from haproxyadmin import haproxy, utils
from haproxyadmin.haproxy import HAProxy


@pytest.mark.parametrize('module', [haproxyadmin, haproxy, haproxyadmin.server])
def test_the_states_are_reachable(module):
    """[documented names] The User Guide uses haproxy.STATE_DISABLE."""
    assert (module.STATE_ENABLE, module.STATE_DISABLE, module.STATE_READY, module.STATE_DRAIN,
            module.STATE_MAINT) == ('enable', 'disable', 'ready', 'drain', 'maint')
    assert sorted(module.VALID_STATES) == ['disable', 'drain', 'enable', 'maint', 'ready']


@pytest.mark.parametrize('name, count', [
    ('FRONTEND_METRICS', 25), ('BACKEND_METRICS', 40), ('SERVER_METRICS', 39),
    ('HAPROXY_METRICS', 40)])
def test_the_lists_of_metrics_are_reachable(name, count):
    """[documented names; lists of metrics]"""
    assert getattr(haproxyadmin, name) is getattr(haproxy, name)
    assert len(getattr(haproxy, name)) == count


def test_everything_is_reachable_from_the_package():
    """[documented names]"""
    namespace = {}
    exec('from haproxyadmin import *', namespace)
    for name in ('backend', 'exceptions', 'frontend', 'haproxy', 'internal', 'server', 'utils',
                 'FRONTEND_METRICS', 'STATE_DISABLE', 'VALID_STATES'):
        assert namespace[name] is getattr(haproxyadmin, name)
    assert haproxyadmin.server.Server and haproxyadmin.frontend.Frontend
    assert haproxyadmin.backend.Backend and haproxy.HAProxy is HAProxy
    assert utils.METRICS_SUM and utils.METRICS_AVG
    assert isinstance(haproxyadmin.__version__, str)
