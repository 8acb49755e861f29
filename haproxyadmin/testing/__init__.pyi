from collections.abc import Callable
from typing import TypeVar

from haproxyadmin.testing import faults as faults, throwaway as throwaway
from haproxyadmin.testing.fake import (VERSIONS as VERSIONS, FakeHAProxy as FakeHAProxy,
                                       NotUnderstood as NotUnderstood)
from haproxyadmin.testing.throwaway import (ConfigurationRefused as ConfigurationRefused,
                                            HAProxyFailed as HAProxyFailed,
                                            HAProxyNotFound as HAProxyNotFound,
                                            ThrowawayHAProxy as ThrowawayHAProxy)

__all__ = ['ConfigurationRefused', 'FakeHAProxy', 'HAProxyFailed', 'HAProxyNotFound',
           'NotUnderstood', 'ThrowawayHAProxy', 'VERSIONS', 'faults', 'wait_until']

_T = TypeVar('_T')

def wait_until(condition: Callable[[], _T], what: str, seconds: float = 60) -> _T: ...
