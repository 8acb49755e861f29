# SPDX-License-Identifier: Apache-2.0
"""What is not the same in all processes; see :meth:`haproxyadmin.haproxy.HAProxy.differences`."""
from haproxyadmin.internal.differences import Difference

__all__ = ['Difference']


def __dir__():
    """List what is public; has an effect from Python 3.7 on."""
    return sorted(__all__)
