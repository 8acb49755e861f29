# SPDX-License-Identifier: Apache-2.0
"""Fixtures for pytest, which finds this plugin itself; ``-p no:haproxyadmin`` does without.

Nothing else of haproxyadmin is imported before a test uses one of them.
"""
import os

import pytest

__all__ = ['fake_haproxy', 'haproxy_options', 'throwaway_haproxy']


@pytest.fixture
def haproxy_options():
    """Return the arguments for the HAProxy of a test, none by default.

    Define a fixture of this name in ``conftest.py``, in a module or in a class, or parametrize a
    test with it: ``@pytest.mark.parametrize('haproxy_options', [{'version': '2.6'}])``.

    :rtype: dict
    """
    return {}


@pytest.fixture
def throwaway_haproxy(haproxy_options):
    """A :class:`haproxyadmin.testing.ThrowawayHAProxy` that runs during a test.

    The test is skipped if there is no such HAProxy. It fails with ``HAPROXYADMIN_STRICT=1`` in the
    environment, and if ``binary`` names one that is not there.
    """
    from haproxyadmin.testing import HAProxyNotFound, ThrowawayHAProxy
    try:
        started = ThrowawayHAProxy(**haproxy_options)
    except HAProxyNotFound as reason:
        strict = os.environ.get('HAPROXYADMIN_STRICT') == '1' or 'binary' in haproxy_options
        (pytest.fail if strict else pytest.skip)(str(reason))
    with started:
        yield started


@pytest.fixture
def fake_haproxy(haproxy_options):
    """A :class:`haproxyadmin.testing.FakeHAProxy` that runs during a test."""
    from haproxyadmin.testing import FakeHAProxy
    with FakeHAProxy(**haproxy_options) as started:
        yield started
