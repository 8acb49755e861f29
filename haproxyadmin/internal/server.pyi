from haproxyadmin.internal import _Server as _Server
