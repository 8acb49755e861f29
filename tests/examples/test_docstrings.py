# SPDX-License-Identifier: Apache-2.0
"""The examples in the docstrings of everything public, on a real HAProxy that suits them.

HAProxies are shared between examples, until one changes something.
"""
import collections
import contextlib
import doctest
import os
import re
import tempfile

import pytest

from tests.examples import test_resolvers, test_tables, test_tls
from tests.examples.test_readme import find_shown, find_with, hold, prepare
from tests.house.test_architecture import PUBLIC_MODULES
from tests.real import test_ocsp
from tests.support import lab as labs, nameserver, servers, session, surface

pytestmark = pytest.mark.dealt_out

DOCSTRINGS = surface.docstrings(PUBLIC_MODULES + ['utils'])

# What is added before an example runs, to each process.
ADDED = {
    'PatternMethods.del_acl': 'add acl #6 /foobar',
    'PatternMethods.del_map': 'add map #0 22 bar22',
    'PatternMethods.get_map': 'add map #0 11 new2',
    'PatternMethods.set_map': 'add map #0 11 old',
    'Backend.del_server': 'add server backend_proc1/web9 10.0.0.9:80',
}
READING = re.compile('((show|get) [^;]*(;|\\Z))*\\Z')

# The directories of sockets and of files, and what a page calls other places.
Places = collections.namedtuple('Places', 'directory socket_dir config_file places')


def console(directory, socket_dir, places=()):
    """Return a console where there is no single lab."""
    return session.Console(
        Places(directory, socket_dir, directory + '/haproxy.cfg', ()),
        hosts=Places(directory, socket_dir, None, list(places)))


@contextlib.contextmanager
def shown(version):
    """The HAProxy of the User Guide."""
    with labs.Lab(find_shown() if version == '2.2' else find_with(version)) as started:
        yield lambda: session.Console(started)


@contextlib.contextmanager
def with_tables(_):
    """That of the page about stick tables."""
    with labs.Lab(find_shown(), config=test_tables.config()) as started:
        clients = test_tables.Clients(started)
        clients.send(test_tables.CLIENT, 25)
        clients.send('203.0.113.5', 3)
        yield lambda: session.Console(started)


@contextlib.contextmanager
def with_sections(_):
    """Those of the page about resolvers and peers."""
    with nameserver.NameServer() as first, nameserver.NameServer() as second:
        with labs.Lab(find_shown(), config=test_resolvers.config([first, second]), instances=2,
                      arguments=['-L', 'lb{0}']) as started:
            started.wait_for_peers()
            yield lambda: session.Console(started)


@contextlib.contextmanager
def with_master(_):
    """One that has a master."""
    with labs.Lab(find_shown(), single=True, master_worker=True) as started:
        place = '/run/haproxy-master.sock', started.master_files[0]
        yield lambda: console(started.directory, started.socket_dir, [place])
        started.look_again()


@contextlib.contextmanager
def busy(_):
    """That of the User Guide, with a request that is not complete."""
    with labs.Lab(find_shown()) as started:
        with started.hold('frontend_proc1', 1, server='member1_proc1'):
            yield lambda: session.Console(started)


@contextlib.contextmanager
def with_settings(version):
    """One whose servers have agents, resolvers and TLS."""
    with servers.Site(find_with(version)) as site:
        yield lambda: console(site.directory, site.directory)


@contextlib.contextmanager
def with_tls(version):
    """That of the page about TLS."""
    with test_tls.Site(find_with(version)) as site:
        def make():
            return session.Console(site.lab, hosts=site)
        # Making the keys again takes longer.
        make.restart = site.lab.restart
        yield make


@contextlib.contextmanager
def with_responder(version):
    """Two with an OCSP response, and an authority that answers."""
    site = test_ocsp.Site(labs.branch(find_with(version)))
    try:
        yield lambda: console(site.lab.directory, site.lab.socket_dir, [
            ('/etc/haproxy/www.pem', site.path('www.pem'))])
    finally:
        site.stop()


@contextlib.contextmanager
def alone(version):
    """None: the examples start one themselves."""
    find_with(version)
    directory = tempfile.mkdtemp(prefix='haproxyadmin-')
    yield lambda: console(directory, directory)
    os.rmdir(directory)


# What starts them, the version, and the examples that need them: modules, classes and members.
# Later ones take precedence.
GROUPS = [
    (with_tls, '3.2', ['tls', 'certificates', 'crt_lists', 'ca_files', 'ocsp', 'tickets']),
    (with_responder, '3.0', ['TlsMethods.update_ocsp_response', 'OcspUpdated']),
    (with_tables, '2.2', ['tables', 'HAProxy.tables', 'HAProxy.table']),
    (with_sections, '2.2', ['peers', 'resolvers', 'HAProxy.peers', 'HAProxy.resolvers',
                            'HAProxy.peers_section', 'HAProxy.resolvers_section']),
    (with_settings, '2.2', ['Server.' + name for name in (
        'setfqdn', 'setagent', 'setcheckport', 'setagentaddr', 'setagentsend', 'enable_health',
        'disable_health', 'enable_agent', 'disable_agent')]),
    (with_settings, '2.6', ['Server.setssl', 'Server.setcheckaddr']),
    (with_master, '2.2', ['workers', 'HAProxy.workers', 'HAProxy.reload']),
    (busy, '2.2', ['sessions', 'HAProxy.session', 'HAProxy.sessions']),
    (shown, '2.6', ['Backend.add_server', 'Backend.del_server']),
    (alone, '2.2', ['testing']),
]
# Their examples do not disturb each other, whatever they change.
LASTING = (with_settings, with_master, with_responder, alone)


def short(name):
    """Return the last two parts of a name: class and member, or module and function."""
    return '.'.join(name.split('.')[-2:])


def group_of(name):
    """Return what starts the HAProxy for a docstring, and the version."""
    parts = name.split('.') + [short(name)]
    found = [(start, version) for start, version, wanted in GROUPS if set(parts) & set(wanted)]
    return found[-1] if found else (shown, '2.2')


class Shared(object):
    """What runs at the moment."""

    def __init__(self):
        self._running = {}

    def console(self, group):
        """Return a new console on the HAProxy of a group."""
        if group not in self._running:
            start, version = group
            context = start(version)
            self._running[group] = context, context.__enter__()
        return self._running[group][1]()

    def renew(self, group):
        """Have the next example start anew."""
        if hasattr(self._running[group][1], 'restart'):
            self._running[group][1].restart()
        else:
            self.stop(group)

    def stop(self, group):
        self._running.pop(group)[0].__exit__(None, None, None)

    def stop_all(self):
        for group in list(self._running):
            self.stop(group)


@pytest.fixture(scope='module')
def shared():
    started = Shared()
    yield started
    started.stop_all()


@pytest.mark.parametrize('version, name, text', [
    (group_of(name)[1], name, text) for name, text in DOCSTRINGS],
    ids=[name.split('.', 1)[1] for name, _ in DOCSTRINGS])
def test_examples(version, name, text, shared, sent):
    group = group_of(name)
    try:
        started = shared.console(group)
        prepare(started)
        if short(name) in ADDED:
            started.run(doctest.Example('_ = hap.command({0!r})'.format(ADDED[short(name)]), ''))
        for example in doctest.DocTestParser().get_examples(text):
            hold(started, example, name)
    finally:
        if group[0] not in LASTING and not READING.match(';'.join(sent.commands)):
            shared.renew(group)
