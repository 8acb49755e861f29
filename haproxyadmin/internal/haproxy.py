# SPDX-License-Identifier: Apache-2.0
"""The process class, where 0.2.4 has it."""
from haproxyadmin.internal.process import _HAProxyProcess

__all__ = ['_HAProxyProcess']
