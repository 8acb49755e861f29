# SPDX-License-Identifier: Apache-2.0
"""Check what jedi, and so many editors and IPython, shows of the package.

It prints what is missing and exits with 1 then.
"""

import inspect
import sys

import jedi

from haproxyadmin.backend import Backend
from haproxyadmin.frontend import Frontend
from haproxyadmin.haproxy import HAProxy
from haproxyadmin.patterns import Acl, Map
from haproxyadmin.server import Server
from haproxyadmin.tables import Table

BEGINNING = """\
from haproxyadmin import haproxy
hap = haproxy.HAProxy(socket_dir='/run/haproxy')
"""
# How a program gets an object, and its class.
OBJECTS = [
    ('hap', HAProxy),
    ('hap.frontends()[0]', Frontend),
    ("hap.backend('www')", Backend),
    ("hap.backend('www').server('web1')", Server),
    ("hap.map('/etc/haproxy/hosts.map')", Map),
    ('hap.acl(0)', Acl),
    ("hap.table('www')", Table),
]


def main():
    """Check all objects; return the exit status."""
    missing = [text for way, kind in OBJECTS for text in look(way, kind)]
    print('\n'.join(missing))
    return 1 if missing else 0


def look(way, kind):
    """Yield what jedi does not show of an object."""
    public = [name for name in dir(kind) if not name.startswith('_')]
    completed = {found.name for found in jedi.Script(BEGINNING + way + '.').complete()}
    for name in public:
        if name not in completed:
            yield '%s.%s is not completed' % (way, name)
    for name in public:
        method = getattr(kind, name)
        if not inspect.isfunction(method) or 'die' not in inspect.signature(method).parameters:
            continue
        call = '%s.%s(' % (way, name)
        shown = jedi.Script(BEGINNING + call).get_signatures()
        if not shown:
            yield '%s shows no parameters' % call
        for signature in shown:
            last = [one.name for one in signature.params if one.kind != one.kind.VAR_KEYWORD][-1:]
            if last != ['die']:
                yield '%s does not show die: %s' % (call, signature.to_string())


if __name__ == '__main__':
    sys.exit(main())
