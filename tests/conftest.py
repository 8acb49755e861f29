# SPDX-License-Identifier: Apache-2.0
"""Fixtures of all tests: HAProxies to test against, a separate one for each test class.

``HAPROXYADMIN_HAPROXY`` lists the HAProxies (see ``tests/support/lab.py``; ``tools/test`` sets it),
and ``HAPROXYADMIN_VERSIONS`` the versions to test (``2.2,2.6``). A missing version is skipped; with
``HAPROXYADMIN_STRICT=1`` it is a failure.
"""
import collections
import gc
import logging
import os
import re
import sys

import pytest

from tests.support import ROOT

# pytest puts the checkout first on the path, but an installed package is the one to test.
sys.path[:] = [path for path in sys.path if path != ROOT] + [ROOT]
import haproxyadmin  # noqa: E402,F401

sys.path.insert(0, sys.path.pop())

# Those of the plugin, which pytest finds itself only if the package is installed.
from haproxyadmin.testing.pytest_plugin import (fake_haproxy, haproxy_options,  # noqa: E402,F401
                                                throwaway_haproxy)
from tests.support import certificates, lab as labs  # noqa: E402
from tests.support.fakes import clock, fleet, interrupting  # noqa: E402,F401 (fixtures)

VERSIONS = ['2.2', '2.6', '3.0', '3.2']
# Seconds that a busy machine may need for an answer.
PATIENT = 30
STRICT = os.environ.get('HAPROXYADMIN_STRICT') == '1'

# How HAProxy runs: 'nbproc4' is one HAProxy with four processes, 'instances' are four HAProxies
# that share a directory of sockets, 'single' is one process that has all proxies.
Setup = collections.namedtuple('Setup', 'version layout')


def setup_id(setup):
    return '{0.version}-{0.layout}'.format(setup)


def layouts(version):
    has_nbproc = tuple(map(int, version.split('.'))) < labs.FIRST_WITHOUT_NBPROC
    return ['nbproc4'] if has_nbproc else ['instances', 'single']


def setups():
    """Return what to test: the requested versions, by default ours and any others available."""
    asked = os.environ.get('HAPROXYADMIN_VERSIONS')
    versions = asked.split(',') if asked else VERSIONS + [
        version for version, _ in labs.available() if version not in VERSIONS]
    return [Setup(version, layout) for version in versions for layout in layouts(version)]


SETUPS = setups()
# Which share of the tests that are dealt out between Pythons: its number, and how many there are.
SHARE, SHARES = map(int, os.environ.get('HAPROXYADMIN_SHARE', '1/1').split('/'))


def versions():
    """Return the versions to test, for tests that are the same in all layouts."""
    return sorted(set(setup.version for setup in SETUPS))


def pytest_addoption(parser):
    try:
        import pytest_timeout  # noqa: F401
    except ImportError:
        # Without the plugin, the setting in tox.ini has no effect but is not an error.
        parser.addini('timeout', 'see pytest-timeout')


def pytest_configure(config):
    for text in [
            'lab(**options): how to start the HAProxy of a class, see tests/support/lab.py',
            'only(*names): the versions or layouts a test is for, by default all',
            'one_layout: one layout of each version is enough',
            'one_haproxy: one version and layout is enough',
            'one_python: of several Pythons, the last one is enough',
            'dealt_out: each version of HAProxy and each Python, but not each pair of them',
            'signals: a signal handler raises an exception, which may leave coverage locked']:
        config.addinivalue_line('markers', text)


def pytest_generate_tests(metafunc):
    if 'lab' in metafunc.fixturenames:
        metafunc.parametrize('lab', SETUPS, ids=setup_id, indirect=True, scope='class')


def pytest_collection_modifyitems(items):
    # Not when tests are generated: pytest 4 identifies the HAProxy of a class by its position
    # among the setups, which must be the same for all of its tests.
    items[:] = [item for item in items if SHARE == SHARES
                or not item.get_closest_marker('one_python')]
    items[:] = [item for item in items if not hasattr(item, 'callspec')
                or 'lab' not in item.callspec.params
                or item.callspec.params['lab'] in wanted(item)]
    items[:] = dealt(items)


def pytest_collection_finish(session):
    # What was collected stays; without it the many tests that collect garbage take less time.
    if hasattr(gc, 'freeze'):
        gc.collect()
        gc.freeze()


def dealt(items):
    """Return the tests that are to run here: of those dealt out, for a version with each Python.

    A test for fewer versions than there are Pythons runs with several Pythons for some of them.
    """
    found = collections.defaultdict(set)
    for item in items:
        found[name_of(item)].add(version_of(item))
    return [item for item in items if version_of(item) is None
            or version_of(item) in share_of(item, found[name_of(item)])]


def name_of(item):
    """Return the name of a test without its parameters."""
    return item.nodeid.partition('[')[0]


def version_of(item):
    """Return the version of HAProxy for which a test is dealt out, None if it is not."""
    if not item.get_closest_marker('dealt_out') or not hasattr(item, 'callspec'):
        return None
    params = [getattr(param, 'version', param) for param in item.callspec.params.values()]
    return ([param for param in params if param in VERSIONS] or [None])[0]


def share_of(item, versions):
    """Return the versions for which a test runs with this Python, of those that it is for."""
    numbers = sorted(map(VERSIONS.index, versions - set([None])))
    # Each module begins with another Python.
    start = sum(map(ord, item.module.__name__))
    mine = [number for number in numbers if (start + number) % SHARES == SHARE - 1]
    return [VERSIONS[number] for number in mine or [numbers[SHARE % len(numbers)]]]


def wanted(item):
    """Return the setups that a test is for, according to its markers."""
    chosen = SETUPS
    only = item.get_closest_marker('only')
    if only:
        chosen = [setup for setup in chosen if set(setup) & set(only.args)]
    if item.get_closest_marker('one_layout'):
        chosen = [setup for setup in chosen if setup.layout != 'single']
    if item.get_closest_marker('one_haproxy'):
        there = [version for version, _ in labs.available()]
        chosen = ([setup for setup in chosen if setup.version in there] or chosen)[:1]
    return chosen


def find(version):
    """Return the path of a HAProxy of a version; skip the test if there is none."""
    try:
        return labs.find(version)
    except labs.Missing as reason:
        (pytest.fail if STRICT else pytest.skip)(str(reason))


def start(version, **options):
    """Start a HAProxy of a version; skip the test if there is none."""
    return labs.Lab(find(version), **options)


@pytest.fixture(scope='class')
def lab(request):
    """A running :class:`lab.Lab`; its ``layout`` is the name of the layout."""
    setup = request.param
    marker = request.node.get_closest_marker('lab')
    options = dict(marker.kwargs) if marker else {}
    if setup.layout == 'single' and 'config' not in options:
        options['single'] = True
    with start(setup.version, **options) as started:
        started.layout = setup.layout
        yield started


@pytest.fixture(scope='class')
def hap(lab):
    """The library's view of the lab; the timeout is long because the machine may be busy."""
    from haproxyadmin.haproxy import HAProxy
    return HAProxy(socket_dir=lab.socket_dir, retry=None, timeout=10)


@pytest.fixture(autouse=True)
def known_version(request, monkeypatch):
    """Keep a version known even if the machine stalls: asking again would cost a command."""
    if 'upgrades' not in os.path.basename(str(request.node.fspath)):
        monkeypatch.setattr('haproxyadmin.internal.endpoint.VERSION_AGE', 3600)


class Secrets(logging.Handler):
    """Notes what of private keys is in the log."""

    def __init__(self):
        logging.Handler.__init__(self)
        self.leaks = []

    def emit(self, record):
        found = certificates.leaked(record.getMessage())
        if found:
            self.leaks.append('{0!r} in {1!r}'.format(found, record.msg))


SECRETS = Secrets()


@pytest.fixture(autouse=True)
def no_key_is_logged(request):
    """Fail a test in which a private key gets into the log, at any level."""
    from haproxyadmin.imports import logger as find_logger
    logger = find_logger()
    if SECRETS not in logger.handlers:
        logger.addHandler(SECRETS)
    # Handlers of others swallow what a signal handler raises in them.
    logger.setLevel(logging.NOTSET if request.node.get_closest_marker('signals') else logging.DEBUG)
    del SECRETS.leaks[:]
    yield
    assert SECRETS.leaks == []


class Sent(logging.Handler):
    """The commands that the library has sent, as ``(command, socket file)``."""

    _LINE = re.compile(
        r"u?(?P<quote>['\"])(?P<command>.*)(?P=quote) on (?P<path>\S+): \d+ bytes in ")

    def __init__(self):
        logging.Handler.__init__(self)
        self.exchanges = []

    def emit(self, record):
        match = self._LINE.match(record.getMessage())
        if match:
            self.exchanges.append(match.group('command', 'path'))

    @property
    def commands(self):
        return [command for command, _ in self.exchanges]

    @property
    def paths(self):
        return [path for _, path in self.exchanges]

    def clear(self):
        del self.exchanges[:]


@pytest.fixture
def sent():
    """The commands that the library sends during a test, taken from its log."""
    logger = logging.getLogger('haproxyadmin')
    level = logger.level
    handler = Sent()
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)
    yield handler
    logger.removeHandler(handler)
    logger.setLevel(level)
