from haproxyadmin.internal import _Backend as _Backend
