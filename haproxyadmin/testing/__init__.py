# SPDX-License-Identifier: Apache-2.0
"""Test programs that use haproxyadmin: with a real HAProxy, or with a fake one.

The library itself imports nothing of this package, and what is in here is imported when it is used.
"""
from haproxyadmin import make_lazy

_DEFINED_IN = {
    'ConfigurationRefused': 'throwaway',
    'FakeHAProxy': 'fake',
    'HAProxyFailed': 'throwaway',
    'HAProxyNotFound': 'throwaway',
    'NotUnderstood': 'fake',
    'ThrowawayHAProxy': 'throwaway',
    'VERSIONS': 'fake',
    'wait_until': 'launching',
}
_MODULES = ['common', 'configuration', 'fake', 'families', 'faults', 'launching', 'lines',
            'masters', 'origins', 'placing', 'process', 'pytest_plugin', 'sockets', 'texts',
            'throwaway']

__all__ = ['ConfigurationRefused', 'FakeHAProxy', 'HAProxyFailed', 'HAProxyNotFound',
           'NotUnderstood', 'ThrowawayHAProxy', 'VERSIONS', 'faults', 'wait_until']

TYPE_CHECKING = False
if TYPE_CHECKING:
    from haproxyadmin.testing import faults
    from haproxyadmin.testing.fake import VERSIONS, FakeHAProxy, NotUnderstood
    from haproxyadmin.testing.launching import wait_until
    from haproxyadmin.testing.throwaway import (ConfigurationRefused, HAProxyFailed,
                                                HAProxyNotFound, ThrowawayHAProxy)

make_lazy(__name__)
