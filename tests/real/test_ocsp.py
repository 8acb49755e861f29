# SPDX-License-Identifier: Apache-2.0
"""OCSP responses of two HAProxies, with openssl as the authority, its responder, and the client."""
import base64
import os
import re
import shutil
import subprocess
import tempfile

import pytest

from haproxyadmin import exceptions
from haproxyadmin.haproxy import HAProxy
from tests.conftest import PATIENT, find, versions
from tests.support import certificates, lab as labs

pytestmark = pytest.mark.dealt_out

CONFIG = """
global
    stats socket "${HAPROXYADMIN_RUN}/${HAPROXYADMIN_PROCESS}.sock" level LEVEL

defaults
    mode http
    timeout connect 2s
    timeout client 20s
    timeout server 2s

frontend f
    bind "127.0.0.1:${HAPROXYADMIN_PORT_F}" ssl crt-list "DIRECTORY/list"
"""
READS = ['2.6', '3.0', '3.2']
UPDATES = ['3.0', '3.2']
NO_MATCH = 'Certificate ID does not match any certificate or issuer'


class Site(object):
    """Two HAProxies with a certificate that has an OCSP response, and one that has none.

    From 2.8 on there is also one whose response HAProxy updates by itself.
    """

    def __init__(self, version, level='admin'):
        self.version = version
        self.directory = tempfile.mkdtemp(prefix='haproxyadmin-')
        self.authority = certificates.Authority(self.directory)
        self.responder = self.authority.responder()
        self.www, self.api, self.auto = [
            self.authority.issue(name + '.example.com', ocsp=self.responder.url)
            for name in ('www', 'api', 'auto')]
        self.responder.learn(self.www)
        self.write('www.pem', self.www.pem)
        self.write('www.pem.ocsp', self.authority.ocsp(self.www))
        self.write('api.pem', self.api.pem)
        self.write('auto.pem', self.auto.pem)
        self.write('list', '{0}\n{1}\n{2}'.format(
            self.path('www.pem'), self.path('api.pem'),
            self.path('auto.pem') + ' [ocsp-update on]\n' if version in UPDATES else ''))
        self.lab = labs.Lab(find(version), config=CONFIG.replace(
            'DIRECTORY', self.directory).replace('LEVEL', level), instances=2)
        self.hap = HAProxy(socket_dir=self.lab.socket_dir, timeout=PATIENT)

    def path(self, name):
        return os.path.join(self.directory, name)

    def write(self, name, content):
        with open(self.path(name), 'wb') as output:
            output.write(content if isinstance(content, bytes) else content.encode('ascii'))

    def stop(self):
        self.responder.stop()
        try:
            self.lab.stop()
        finally:
            shutil.rmtree(self.directory)

    def response(self, name='www.pem'):
        """Return what the library reports about a certificate."""
        serial = {'www.pem': self.www, 'auto.pem': self.auto}[name].serial
        found, = [each for each in self.hap.ocsp_responses() if each.serial == serial]
        return found

    def stapled(self, name='www.example.com'):
        """Return what a client gets: the status and the date of the next update, or None."""
        client = subprocess.Popen(
            ['openssl', 's_client', '-connect', '127.0.0.1:%d' % self.lab.ports['f'],
             '-servername', name, '-status'], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT)
        output = client.communicate(b'')[0].decode('utf-8', 'replace')
        if 'OCSP response: no response sent' in output:
            return None
        return tuple(re.search(field + ': (.*)', output).group(1)
                     for field in ('Cert Status', 'Next Update'))

    def everywhere(self):
        """Return what clients get; several, because each of the processes may accept them."""
        return set(self.stapled() for _ in range(8))


@pytest.fixture(scope='module', params=versions())
def site(request):
    started = Site(request.param)
    try:
        yield started
    finally:
        started.stop()


@pytest.fixture
def apart(request, site):
    """A site for one test, which breaks it."""
    started = Site(site.version)
    try:
        yield started
    finally:
        started.stop()


def skip_unless(site, able):
    if site.version not in able:
        pytest.skip('not in this version')


def day_of(response):
    return response.next_update.strftime('%b {0:2d} %H:%M:%S %Y GMT').format(
        response.next_update.day)


def test_what_is_listed(site):
    if site.version not in READS:
        with pytest.raises(exceptions.NotSupported) as info:
            site.hap.ocsp_responses()
        assert info.value.needs == '2.6'
        return
    response = site.response()
    assert response.certificate == (site.path('www.pem') if site.version != '2.6' else None)
    assert response.status == 'good' and response.revoked_at is None
    assert response.is_same and [socket for socket, _ in response.by_socket] == (
        site.lab.socket_files)
    assert 0 < response.expires_in <= 10 * 86400
    assert response.this_update.utcoffset().total_seconds() == 0
    assert len(site.hap.ocsp_responses()) == (2 if site.version in UPDATES else 1)


def test_a_client_gets_what_is_set(site):
    for days, others in [(20, 0), (21, 3), (22, 0)]:
        der = site.authority.ocsp(site.www, days, others)
        assert site.hap.set_ocsp_response(der) is True
        (status, until), = site.everywhere()
        assert status == 'good'
        if site.version in READS:
            response = site.response()
            assert day_of(response) == until and response.is_same
            assert response.by_socket[0][1].der == (der if site.version != '2.6' else None)


def test_one_that_is_too_long_for_a_line_is_a_payload(site):
    der = site.authority.ocsp(site.www, 25, 30)
    assert len(base64.b64encode(der)) > 15360
    assert site.hap.set_ocsp_response(der) is True
    assert len(site.everywhere()) == 1
    if site.version in UPDATES:
        assert site.response().by_socket[1][1].der == der
    # HAProxy 2.6 could not show this one.
    site.hap.set_ocsp_response(site.authority.ocsp(site.www, 10))
    too_long = site.authority.ocsp(site.www, 25, 40)
    with pytest.raises(ValueError):
        site.hap.set_ocsp_response(too_long)


def test_one_that_haproxy_has_no_place_for(site):
    der = site.authority.ocsp(site.api)
    before = site.everywhere()
    with pytest.raises(exceptions.CommandFailed) as info:
        site.hap.set_ocsp_response(der)
    if site.version in READS:
        assert 'is for serial number ' + site.api.serial in str(info.value)
    else:
        assert NO_MATCH in str(info.value)
    assert not info.value.not_undone and site.everywhere() == before
    # A process alone is not asked first.
    alone = HAProxy(socket_file=site.lab.socket_files[0], timeout=PATIENT)
    with pytest.raises(exceptions.CommandFailed) as info:
        alone.set_ocsp_response(der)
    assert NO_MATCH in str(info.value)
    assert site.hap.set_ocsp_response(der, die=False) is False


def test_one_process_without_a_place(apart):
    """Replacing a certificate takes the place away, unless the transaction contains NAME.ocsp."""
    name = apart.path('www.pem')
    with open(name) as pem:
        text = pem.read()
    second = apart.lab.socket_files[1]
    apart.lab.raw('set ssl cert {0} <<\n{1}'.format(name, text), second)
    assert 'Success!' in apart.lab.raw('commit ssl cert ' + name, second)
    before = apart.everywhere()
    assert None in before or len(before) == 1
    der = apart.authority.ocsp(apart.www, 20)
    with pytest.raises(exceptions.HAProxyBaseError) as info:
        apart.hap.set_ocsp_response(der)
    if apart.version in READS:
        assert isinstance(info.value, exceptions.CommandFailed)
        assert info.value.socket_file == second and not info.value.not_undone
        assert 9 * 86400 < apart.response().expires_in <= 10 * 86400
    else:
        assert isinstance(info.value, exceptions.MultipleCommandResults)
        assert info.value.not_undone == [apart.lab.socket_files[0]]
    apart.lab.raw('set ssl cert {0} <<\n{1}'.format(name, text), second)
    apart.lab.raw('set ssl cert {0}.ocsp <<\n{1}\n'.format(
        name, base64.b64encode(der).decode('ascii')), second)
    assert 'Success!' in apart.lab.raw('commit ssl cert ' + name, second)
    assert apart.hap.set_ocsp_response(der) is True
    assert len(apart.everywhere()) == 1


def test_haproxy_updates_it(site):
    skip_unless(site, UPDATES)
    site.hap.set_ocsp_response(site.authority.ocsp(site.www, 20))
    seen = []
    updated = site.hap.update_ocsp_response(site.path('www.pem'), timeout=PATIENT,
                                            progress=seen.append)
    assert updated.changed is True
    assert updated.by_socket == [(path, True) for path in site.lab.socket_files]
    assert (seen[-1].done, seen[-1].total) == (2, 2)
    assert 2 * 86400 < site.response().expires_in <= 3 * 86400
    for status, until in site.everywhere():
        assert status == 'good'


def test_one_that_haproxy_updates_by_itself(site):
    skip_unless(site, UPDATES)
    updated = site.hap.update_ocsp_response(site.path('auto.pem'), timeout=PATIENT)
    assert all(own is not None for _, own in updated.by_socket)
    assert site.response('auto.pem').status == 'good'


def test_an_update_that_is_refused(site):
    if site.version not in UPDATES:
        with pytest.raises(exceptions.NotSupported) as info:
            site.hap.update_ocsp_response(site.path('www.pem'))
        assert info.value.needs == '2.8'
        return
    with pytest.raises(ValueError) as info:
        site.hap.update_ocsp_response(site.path('ww.pem'))
    assert 'did you mean {0!r}'.format(site.path('www.pem')) in str(info.value)


def test_an_authority_that_does_not_answer(apart):
    skip_unless(apart, UPDATES)
    auto = apart.path('auto.pem')
    # It is updated when HAProxy starts; then nothing is to be done for an hour.
    labs.wait_until(lambda: apart.response('auto.pem').status == 'good', 'first update')
    apart.hap.update_ocsp_response(auto, timeout=PATIENT)
    before = apart.everywhere()
    apart.responder.stop()
    with pytest.raises(exceptions.WaitTimeout) as info:
        apart.hap.update_ocsp_response(apart.path('www.pem'), timeout=0.3)
    assert info.value.result.changed is None
    assert [own for _, own in info.value.result.by_socket] == [None, None]
    with pytest.raises(exceptions.CommandFailed) as info:
        apart.hap.update_ocsp_response(auto, timeout=PATIENT)
    assert 'HAProxy could not update the OCSP response: ' in str(info.value)
    assert apart.hap.update_ocsp_response(apart.path('www.pem'), timeout=PATIENT).changed is False
    assert apart.everywhere() == before


@pytest.mark.parametrize('level', ['user', 'operator'])
def test_a_level_that_is_too_low(level):
    """Up to 3.2 it does not matter."""
    started = Site(versions()[-1], level)
    try:
        if started.version in READS:
            assert started.response().status == 'good'
        assert started.hap.set_ocsp_response(started.authority.ocsp(started.www)) is True
    finally:
        started.stop()
