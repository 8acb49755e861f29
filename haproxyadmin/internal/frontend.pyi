from haproxyadmin.internal import _Frontend as _Frontend
