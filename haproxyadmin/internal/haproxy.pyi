from haproxyadmin.internal import _HAProxyProcess as _HAProxyProcess

__all__ = ['_HAProxyProcess']
