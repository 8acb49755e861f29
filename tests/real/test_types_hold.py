# SPDX-License-Identifier: Apache-2.0
"""What is read of a real HAProxy is of the types that ``tests/typing/calls.py`` holds.

Beginning with the object for HAProxy, all properties are read and all methods called that only
read, with the arguments of that script; then the same of what these return, and so on.
"""
import ast
import base64
import collections
import datetime
import os
import shutil
import tempfile

import pytest

from haproxyadmin.exceptions import NoSuchObject, NotSupported
from haproxyadmin.haproxy import HAProxy
from tests.conftest import PATIENT, find, versions
# It skips this, too, on Python 2, which cannot read the script.
from tests.house.test_typed_calls import CLASSES, SCRIPT
from tests.support import certificates, lab as labs

# Its names are those of the script.
CONFIG = """
global
    stats socket "${HAPROXYADMIN_RUN}/${HAPROXYADMIN_PROCESS}.sock" level admin

defaults
    mode http
    timeout connect 2s
    timeout client 20s
    timeout server 2s

resolvers dns
    nameserver one "127.0.0.1:${HAPROXYADMIN_PORT_DNS}"

peers mypeers
    peer one "127.0.0.1:${HAPROXYADMIN_PORT_ONE}"
    peer two "127.0.0.1:${HAPROXYADMIN_PORT_TWO}"

backend clients
    stick-table type string len 20 size 100 expire 10m store gpc0,http_req_rate(10s) peers mypeers

frontend www
    bind "127.0.0.1:${HAPROXYADMIN_PORT_WWW}"
    http-request set-header x %[path,map(DIRECTORY/hosts.map)] if { path -f DIRECTORY/paths.acl }
    default_backend web

frontend tls
    bind "127.0.0.1:${HAPROXYADMIN_PORT_TLS}" ssl crt-list "DIRECTORY/list.txt" tls-ticket-keys "DIRECTORY/tickets.key" ca-file "DIRECTORY/clients.pem" crl-file "DIRECTORY/revoked.pem" verify optional
    default_backend web

backend web
    server web1 "127.0.0.1:${HAPROXYADMIN_PORT_ORIGIN1}" check
    server web2 "127.0.0.1:${HAPROXYADMIN_PORT_ORIGIN2}" weight 20
"""
DIRECTORY = '/etc/haproxy'
# Methods that only read, although they take ``die``.
READING = ['command', 'differences', 'errors', 'show_acl', 'show_map']
# What never ends, changes something, or needs a master.
SKIPPED = ['watch', 'workers', 'out_of_rotation', 'pop']
# How many objects of each class are read.
ENOUGH = 4
EVERYWHERE = [
    'Acl', 'Backend', 'Certificate', 'CertificateDetails', 'ChainCertificate', 'CrtList',
    'CrtListEntry', 'Entry', 'Frontend', 'HAProxy', 'Map', 'Match', 'NameServer', 'Overview',
    'Peer', 'PeerState', 'PeersSection', 'Refreshed', 'ResolversSection', 'Server', 'Session',
    'Snapshot', 'Table', 'TableEntry', 'TicketKeys']
# From HAProxy 2.6 on.
LATER = ['Authority', 'CaFile', 'Content', 'CrlFile', 'OcspResponse', 'RevocationList']
UNSEEN_BEFORE = [('HAProxy', name) for name in (
    'ca_file', 'ca_files', 'crl_file', 'crl_files', 'ocsp_responses')]
# The script names what only some of the objects have, or what none has: a number that is another
# one on each version, the address of a session.
OF_SOME = [('Backend', 'server'), ('ResolversSection', 'nameserver')]
OF_NONE = [('HAProxy', 'acl'), ('HAProxy', 'session')]
# Connections to peers, and thereby their sessions, come and go.
FLEETING = [('Session', 'details')]
PLAIN = {'bool': bool, 'bytes': bytes, 'int': int, 'object': object, 'str': str}
SEVERAL = {'Iterator': object, 'Sequence': (list, tuple), 'list': list, 'set': set}


class Site(object):
    """Two HAProxies that have something of everything."""

    def __init__(self, version):
        self.version = version
        self.directory = tempfile.mkdtemp(prefix='haproxyadmin-')
        authority = certificates.Authority(self.directory)
        www = authority.issue('www.example.com')
        other = authority.issue('old.example.com')
        authority.revoke(other)
        for name, content in [
                ('www.pem', www.pem), ('list.txt', self.path('www.pem') + ' *.example.com\n'),
                ('clients.pem', authority.crt), ('revoked.pem', authority.crl()),
                ('hosts.map', 'www web\napi app\n'), ('paths.acl', '/static/\n'),
                ('tickets.key', (base64.b64encode(b'k' * 48).decode('ascii') + '\n') * 3)]:
            with open(self.path(name), 'w') as output:
                output.write(content)
        with open(self.path('www.pem.ocsp'), 'wb') as output:
            output.write(authority.ocsp(www))
        self.lab = labs.Lab(
            find(version), config=CONFIG.replace('DIRECTORY', self.directory), instances=2,
            arguments=['-L', 'one'])
        self.hap = HAProxy(socket_dir=self.lab.socket_dir, timeout=PATIENT)

    def path(self, name):
        return os.path.join(self.directory, name)

    def stop(self):
        try:
            self.lab.stop()
        finally:
            shutil.rmtree(self.directory)


@pytest.fixture(params=versions())
def site(request):
    started = Site(request.param)
    yield started
    started.stop()


class Check(object):
    """Reads objects, and what they return, and so on; ``wrong`` lists what is of another type.

    ``seen`` is what could be read, ``tried`` also what this HAProxy does not have.
    """

    def __init__(self, directory):
        self._directory = directory
        self._counts = collections.Counter()
        self.seen, self.tried, self.wrong = set(), set(), []

    def read(self, value, name):
        """Read all that is held of an object of a class."""
        self._counts[name] += 1
        if self._counts[name] > ENOUGH:
            return
        for attribute, holds in SCRIPT.held[name].items():
            for node, kind in holds:
                if kind is not None and (isinstance(node, ast.Attribute)
                                         or self._may_call(name, attribute, node)):
                    self._look(value, name, attribute, node, kind)

    def _may_call(self, name, attribute, node):
        words = [word.arg for word in node.keywords]
        function = getattr(CLASSES[name], attribute, None)
        return attribute not in SKIPPED and 'die' not in words and is_literal(node) and (
            attribute in READING or 'die' not in function.__code__.co_varnames)

    def _look(self, value, name, attribute, node, kind):
        place = name, attribute
        self.tried.add(place)
        try:
            found = getattr(value, attribute)
            if isinstance(node, ast.Call):
                found = found(*[self._literal(one) for one in node.args], **dict(
                    (word.arg, self._literal(word.value)) for word in node.keywords))
        except NotSupported:
            return
        except (NoSuchObject, ValueError):
            if place not in OF_SOME + OF_NONE + FLEETING:
                raise
            return
        if not self.fits(found, kind):
            self.wrong.append('{0}.{1}: {2!r} is no {3}'.format(
                name, attribute, found, ast.dump(kind)))
        self.seen.add(place)

    def _literal(self, node):
        value = ast.literal_eval(node)
        return value.replace(DIRECTORY, self._directory) if isinstance(value, str) else value

    def fits(self, value, kind):
        """Return whether a value is of a type; objects of the package are read."""
        if isinstance(kind, ast.BinOp):
            return self.fits(value, kind.left) or self.fits(value, kind.right)
        if isinstance(kind, ast.Subscript):
            # Before Python 3.9 it is in an ast.Index.
            inner = kind.slice.value if type(kind.slice).__name__ == 'Index' else kind.slice
            return self._fits_generic(value, kind.value.id, getattr(inner, 'elts', [inner]))
        if isinstance(kind, ast.Attribute):
            return isinstance(value, getattr(datetime, kind.attr)) and value.tzinfo is not None
        name = getattr(kind, 'id', None)
        if name == 'Any':
            return True
        if name is None:
            return value is None
        if name == 'float':
            return isinstance(value, (int, float)) and not isinstance(value, bool)
        if name in PLAIN:
            return isinstance(value, PLAIN[name]) and not (
                name == 'int' and isinstance(value, bool))
        if name not in CLASSES:
            return isinstance(value, Exception) and name == 'Exception'
        if not isinstance(value, CLASSES[name]):
            return False
        self.read(value, name)
        return True

    def _fits_generic(self, value, name, kinds):
        if name == 'Literal':
            return value in [ast.literal_eval(kind) for kind in kinds]
        if name == 'tuple':
            return isinstance(value, tuple) and len(value) == len(kinds) and all(
                map(self.fits, value, kinds))
        if name == 'dict':
            return isinstance(value, dict) and all(
                self.fits(key, kinds[0]) and self.fits(item, kinds[1])
                for key, item in value.items())
        if name == 'Delta':
            return isinstance(value, CLASSES[name])
        return isinstance(value, SEVERAL[name]) and all(
            [self.fits(item, kinds[0]) for item in value])


def is_literal(call):
    try:
        return all(ast.literal_eval(node) or True
                   for node in call.args + [word.value for word in call.keywords])
    except ValueError:
        return False


def test_what_is_read_is_of_the_type_that_is_held(site):
    site.hap.table('clients').set('10.0.0.9', gpc0=1)
    check = Check(site.directory)
    with site.lab.hold('www', 2):
        check.read(site.hap, 'HAProxy')
    assert check.wrong == []
    before = site.version == '2.2'
    expected = EVERYWHERE + (LATER if not before else [])
    assert sorted(set(expected) - set(name for name, _ in check.seen)) == []
    unseen = sorted(check.tried - check.seen - set(OF_NONE))
    assert unseen == (UNSEEN_BEFORE if before else [])
