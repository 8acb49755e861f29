# SPDX-License-Identifier: Apache-2.0
"""The page about TLS: its examples and programs, on every version, with real clients."""
import os
import re
import shutil
import socket
import ssl
import stat
import subprocess
import sys
import tempfile

import pytest

from haproxyadmin.exceptions import CommandFailed
from haproxyadmin.haproxy import HAProxy
from tests.conftest import PATIENT, find, versions
from tests.examples.test_readme import block, hold, page, read
from tests.examples.test_recipes import DEFAULTS, RECIPES, Programs, recipe
from tests.support import certificates, lab as labs, session
from tests.support.keys import openssl
from tests.support.package import PACKAGE_ROOT

pytestmark = pytest.mark.dealt_out

PAGE = page('tls')
WWW, SHOP, PARTNERS = 'www.example.com', 'shop.example.com', 'partners.example.com'
# The sections of the page that need a later version than 2.2.
NEEDED = {'CA files and revocation lists': (3, 2), 'OCSP responses': (2, 6)}


class Site(labs.Stopped):
    """HAProxies with the configuration and the files of the page.

    :param count: how many.
    :ivar authority: what has issued all certificates; :ivar new: those that the ACME client has
        got, by name; :ivar client: the certificate of a client, as a file.
    """

    def __init__(self, binary, count=1):
        self.directory = tempfile.mkdtemp(prefix='haproxyadmin-')
        self.lab = None
        try:
            for path in ('ca', 'haproxy', 'live', 'live/' + WWW, 'live/' + SHOP):
                os.mkdir(self.path(path))
            self._issue()
            self.lab = labs.Lab(binary, config=self._config(), instances=count)
        except BaseException:
            self.stop()
            raise
        self.places = [
            ('/etc/haproxy/', self.path('haproxy/')), ('/etc/letsencrypt/live', self.path('live')),
            ('/etc/ssl/clients/new.crl', self.path('new.crl')),
            ('/etc/ssl/clients/openssl.cnf', self.path('ca/authority.cnf')),
            ('/run/haproxy/admin.sock', self.lab.socket_files[0])]

    def _issue(self):
        self.authority = certificates.Authority(self.path('ca'))
        www, shop, partners = [self.authority.issue(*names) for names in (
            (WWW, [WWW, 'example.com']), (SHOP,), (PARTNERS,))]
        self.old = {WWW: www, SHOP: shop}
        for name, issued in ((WWW, www), (SHOP, shop), (PARTNERS, partners)):
            self.write('haproxy/{0}.pem'.format(name), issued.pem)
        with open(self.path('haproxy/{0}.pem.ocsp'.format(SHOP)), 'wb') as response:
            response.write(self.authority.ocsp(shop))
        self.new = {}
        for name in (WWW, SHOP):
            self.renew(name)
        self.write('haproxy/sites.list', block(read(PAGE), '[alpn h2').replace(
            '/etc/haproxy', self.path('haproxy')))
        self.write('haproxy/tickets.keys', 3 * (64 * 'A' + '\n'))
        self.write('haproxy/clients.pem', self.authority.crt)
        self.write('haproxy/revoked.pem', self.authority.crl())
        client = self.authority.issue('client')
        self.client, self.client_crt = self.write('client.pem', client.pem), client.path
        shutil.copytree(self.path('ca'), self.path('ca2'))
        self.authority.revoke(client)
        self.write('new.crl', self.authority.crl())
        # The program on the page revokes it once more.
        shutil.rmtree(self.path('ca'))
        shutil.move(self.path('ca2'), self.path('ca'))

    def renew(self, name, **options):
        """Have the ACME client renew a certificate."""
        issued = self.new[name] = self.authority.issue(name, **options)
        self.write('live/{0}/fullchain.pem'.format(name), issued.crt + issued.chain)
        self.write('live/{0}/privkey.pem'.format(name), issued.key)
        return issued

    def _config(self):
        text = block(read(PAGE), 'frontend www')
        for shown, real in [
                ('/run/haproxy/admin.sock',
                 '"${HAPROXYADMIN_RUN}/admin-${HAPROXYADMIN_PROCESS}.sock"'),
                (':443', self.path('www-') + '"${HAPROXYADMIN_PROCESS}"'),
                (':8443', self.path('partners-') + '"${HAPROXYADMIN_PROCESS}"'),
                ('/etc/haproxy', self.path('haproxy'))]:
            assert shown in text
            text = text.replace(shown, real)
        return DEFAULTS + text + '# ${HAPROXYADMIN_PORT_ORIGIN1}\n'

    def path(self, name):
        """Return the path of a file of the site."""
        return os.path.join(self.directory, name)

    def file(self, name=WWW):
        """Return the file of a certificate."""
        return self.path('haproxy/{0}.pem'.format(name))

    def write(self, name, text):
        """Write a file; return its path."""
        with open(self.path(name), 'w') as target:
            target.write(text)
        return self.path(name)

    def hap(self, **options):
        """Return a client."""
        return HAProxy(socket_dir=self.lab.socket_dir, timeout=PATIENT, **options)

    def serials(self, name=WWW):
        """Return the serial number that a new client of each process sees."""
        return [self._serial(number, name) for number in range(1, len(self.lab.socket_files) + 1)]

    def _serial(self, number, name):
        secured = self.connect('www', number, name)
        try:
            return secured.getpeercert()['serialNumber']
        finally:
            secured.close()

    def staples(self, name):
        """Return True if a client gets an OCSP response."""
        return 'Cert Status: good' in openssl(
            's_client', '-unix', self.path('www-1'), '-servername', name, '-status',
            '-CAfile', self.authority.path).decode('utf-8')

    def connect(self, frontend, number, name, context=None, resumed=None):
        """Connect with TLS, check the certificate, and request a page; return the connection."""
        context = context or self.context()
        plain = socket.socket(socket.AF_UNIX)
        try:
            plain.settimeout(PATIENT)
            plain.connect(self.path('{0}-{1}'.format(frontend, number)))
            options = {'session': resumed} if resumed else {}
            secured = context.wrap_socket(plain, server_hostname=name, **options)
            ask(secured)
            return secured
        except BaseException:
            plain.close()
            raise

    def context(self, client=False):
        """Return what a client trusts, and perhaps has."""
        context = ssl.create_default_context(cafile=self.authority.path)
        if client:
            context.load_cert_chain(self.client)
            # With TLS 1.3, the client learns only later whether it is accepted.
            if hasattr(ssl, 'TLSVersion'):
                context.maximum_version = ssl.TLSVersion.TLSv1_2
            else:
                context.options |= getattr(ssl, 'OP_NO_TLSv1_3', 0)
        return context

    def leave_transaction(self, name=SHOP):
        """Leave a transaction open, as a client does that is killed."""
        # 2.2 may refuse the first one after a commit that was refused.
        command = 'set ssl cert {0} <<\n{1}'.format(self.file(name), self.new[name].pem)
        labs.wait_until(lambda: self.lab.raw(command, self.lab.socket_files[0]).startswith(
            'Transaction '), 'a transaction')

    def stop(self):
        """Stop everything."""
        if self.lab is not None:
            self.lab.stop()
        shutil.rmtree(self.directory, ignore_errors=True)


def ask(connection):
    """Request a page; the connection stays open."""
    connection.sendall(b'GET / HTTP/1.1\r\nHost: lab\r\n\r\n')
    answer = b''
    while b'\r\n\r\n' not in answer:
        received = connection.recv(4096)
        assert received, answer
        answer += received
    assert answer.startswith(b'HTTP/1.1 200 ')


@pytest.fixture(params=versions())
def one(request):
    """The HAProxy of the page."""
    with Site(find(request.param)) as site:
        yield site


@pytest.fixture(params=versions())
def two(request):
    """Two processes."""
    with Site(find(request.param), 2) as site:
        yield site


@pytest.fixture
def programs(two, tmpdir):
    return Programs(two.lab, tmpdir, two.places)


def is_older(site, needed):
    return tuple(map(int, site.lab.version.split('.'))) < needed


def sections():
    """Return the title of each section of the page, and the line of its end."""
    lines = read(PAGE).split('\n')
    starts = [number for number, line in enumerate(lines) if re.match(r'-{3,}\Z', line)]
    return zip([lines[number - 1] for number in starts], starts[1:] + [len(lines)])


def test_examples(one):
    console = session.Console(one.lab, hosts=one)
    for step in session.steps(read(PAGE)):
        section = ([title for title, end in sections() if step.lineno < end] or [''])[0]
        if is_older(one, NEEDED.get(section, (2, 2))):
            continue
        if isinstance(step, session.Aside):
            console.aside(step)
        else:
            hold(console, step, PAGE)
    assert set(NEEDED) <= set(title for title, _ in sections())


class TestACertbotDeployHook(object):

    NAMES = 'www.example.com example.com'

    @pytest.fixture
    def renew(self, programs, two, monkeypatch):
        """What runs the hook, as certbot does."""
        monkeypatch.setenv('RENEWED_LINEAGE', two.path('live/' + WWW))
        monkeypatch.setenv('RENEWED_DOMAINS', self.NAMES)

        def run():
            process = programs.start('haproxy-renew')
            output, errors = process.communicate()
            return process.returncode, output, errors
        return run

    def test_twice(self, renew, two):
        os.chmod(two.file(), 0o640)
        if os.getuid() == 0:
            os.chown(two.file(), 1, 2)
        owner, before = os.stat(two.file()), sorted(os.listdir(two.path('haproxy')))
        new = two.new[WWW]
        for _ in range(2):
            status, output, errors = renew()
            assert (status, errors) == (0, '') and '\n   ' + output in read(RECIPES)
            assert two.serials() == [new.serial] * 2
            assert read(two.file()) == new.crt + new.chain + new.key
        after = os.stat(two.file())
        assert (after.st_uid, after.st_gid) == (owner.st_uid, owner.st_gid)
        assert stat.S_IMODE(after.st_mode) == 0o640
        assert sorted(os.listdir(two.path('haproxy'))) == before

    def test_over_a_restart(self, renew, two):
        assert renew()[0] == 0
        two.lab.restart()
        assert two.serials() == [two.new[WWW].serial] * 2

    def test_haproxy_is_down(self, renew, two):
        for number in (1, 2):
            two.lab.kill_process(number)
        status, output, error = renew()
        assert (status, output) == (1, '') and 'is written, but: ' in error
        assert 'Connection refused' in error and error.startswith(self.NAMES)
        assert read(two.file()).startswith(two.new[WWW].crt)

    def test_one_process_is_down(self, renew, two):
        two.lab.kill_process(2)
        status, _, error = renew()
        assert status == 1 and two.lab.socket_files[1] in error
        assert two._serial(1, WWW) == two.new[WWW].serial
        assert read(two.file()).startswith(two.new[WWW].crt)

    def test_somebody_has_left_a_transaction(self, renew, two):
        two.leave_transaction()
        status, _, error = renew()
        assert status == 1 and 'a transaction for ' in error and two.file(SHOP) in error
        assert two.serials() == [two.old[WWW].serial] * 2
        assert read(two.file()).startswith(two.new[WWW].crt)
        two.hap().certificate(two.file(SHOP)).abort()
        assert renew()[0] == 0
        assert two.serials() == [two.new[WWW].serial] * 2

    def test_a_key_that_does_not_fit(self, renew, two):
        two.write('live/{0}/privkey.pem'.format(WWW), two.new[SHOP].key)
        before = read(two.file())
        status, _, error = renew()
        assert status == 1 and "Can't commit" in error
        assert two.serials() == [two.old[WWW].serial] * 2
        assert read(two.file()) == before

    def test_what_haproxy_does_not_know(self, renew, two, monkeypatch):
        shutil.copytree(two.path('live/' + WWW), two.path('live/other.example.com'))
        monkeypatch.setenv('RENEWED_LINEAGE', two.path('live/other.example.com'))
        status, _, error = renew()
        assert status == 1 and "no certificate '" in error
        assert not os.path.exists(two.file('other.example.com'))


class TestAnAcmeShHook(object):

    @pytest.fixture
    def shell(self, two, tmpdir):
        """What runs a shell script in which the places are those of the site."""
        def run(script):
            program = tmpdir.join('haproxy-renew')
            text = recipe('haproxy-renew')
            for shown, real in two.places + [('/run/haproxy', two.lab.socket_dir)]:
                text = text.replace(shown, real)
                script = script.replace(shown, real)
            program.write(text)
            # The virtual environment of the first line is not there.
            for shown, real in [('/usr/local/bin/haproxy-renew',
                                 '{0} {1}'.format(sys.executable, program)),
                                ('/etc/ssl/acme', two.path('live/' + WWW))]:
                script = script.replace(shown, real)
            return subprocess.check_output(['sh', '-ec', script], cwd=str(tmpdir), env=dict(
                os.environ, PYTHONPATH=PACKAGE_ROOT), universal_newlines=True)
        return run

    def test_the_hook(self, shell, two):
        """acme.sh reads the file in a shell, and calls the function with domain and files."""
        live = two.path('live/' + WWW)
        output = shell(recipe('haproxyadmin.sh') + (
            '\nhaproxyadmin_deploy {0} {1}/privkey.pem {1}/cert.pem {1}/chain.pem '
            '{1}/fullchain.pem'.format(WWW, live)))
        assert output == 'www.example.com: renewed in 2 processes\n'
        assert two.serials() == [two.new[WWW].serial] * 2
        assert read(two.file()).startswith(two.new[WWW].crt)

    def test_its_status(self, shell, two):
        two.leave_transaction()
        with pytest.raises(subprocess.CalledProcessError):
            self.test_the_hook(shell, two)

    def test_as_a_command_after_the_renewal(self, shell, two):
        command, = re.findall("--reloadcmd '(.*)'", read(RECIPES))
        assert shell(command).endswith('renewed in 2 processes\n')
        assert two.serials() == [two.new[WWW].serial] * 2


class TestWhichCertificatesExpire(object):

    @pytest.fixture
    def expiring(self, programs, two):
        """What runs the check; it returns its exit status and what it prints."""
        def run(*days):
            status, output = programs.run_quietly('expiring.py', *days)
            return status, output.replace(two.path('haproxy'), '/etc/haproxy')
        return run

    def test_what_is_shown(self, expiring, programs):
        for days, wanted in (('30', 1), ('20', 0)):
            status, output = expiring(days)
            assert status == wanted and programs.is_shown(output)

    def test_soon_and_too_late(self, expiring, two):
        path = two.file()
        assert expiring('60', '30')[0] == 2
        old = two.authority.issue(WWW, start='20200101000000Z', end='20200102000000Z')
        two.hap().update_certificate(path, old.pem)
        status, output = expiring('20')
        assert status == 2 and re.match(
            r'CRITICAL: /etc/haproxy/www.example.com.pem expires in -\d+ days\n\Z', output)

    def test_processes_differ(self, expiring, two):
        HAProxy(socket_file=two.lab.socket_files[1]).update_certificate(
            two.file(), two.new[WWW].pem)
        assert expiring('20') == (1, 'WARNING: /etc/haproxy/www.example.com.pem is not the same in '
                                     'all processes\n')

    def test_it_cannot_be_reached(self, expiring, two):
        two.lab.kill_process(2)
        status, output = expiring('20')
        assert status == 2 and two.lab.socket_files[1] in output
        two.lab.kill_process(1)
        assert expiring('20')[0] == 2


class TestRevokeAClient(object):

    def enter(self, site):
        """Return whether the client gets in, in each process."""
        found = []
        for number in (1, 2):
            try:
                site.connect('partners', number, PARTNERS, site.context(True)).close()
                found.append(True)
            except ssl.SSLError as error:
                assert 'revoked' in str(error).lower()
                found.append(False)
        return found

    def test_it_does_not_get_in_again(self, programs, two):
        assert self.enter(two) == [True, True]
        if is_older(two, (3, 2)):
            before = two.lab.raw('show ssl cert')
            status, _, error = programs.run('revoke.py', two.client_crt)
            assert status == 1 and 'needs HAProxy' in error
            assert two.lab.raw('show ssl cert') == before and self.enter(two) == [True, True]
            return
        held = two.connect('partners', 1, PARTNERS, two.context(True))
        status, output, _ = programs.run('revoke.py', two.client_crt)
        assert status == 0 and programs.is_shown(output)
        ask(held)
        held.close()
        assert self.enter(two) == [False, False]
        # Another list, some time later.
        assert programs.run('revoke.py')[:2] == (0, output)
        assert self.enter(two) == [False, False]
        two.lab.restart()
        assert self.enter(two) == [False, False]


class TestWhatThePageSays(object):

    def test_a_renewal_ends_stapling(self, one):
        hap = one.hap()
        assert one.staples(SHOP)
        hap.update_certificate(one.file(SHOP), one.new[SHOP].pem)
        assert not one.staples(SHOP)
        with pytest.raises(CommandFailed):
            hap.set_ocsp_response(one.authority.ocsp(one.new[SHOP]))
        assert not one.staples(SHOP)
        response = one.authority.ocsp(one.renew(SHOP))
        hap.update_certificate(one.file(SHOP), one.new[SHOP].pem, ocsp=response)
        assert one.staples(SHOP)
        assert hap.set_ocsp_response(response)

    @pytest.mark.skipif(not hasattr(ssl, 'SSLSession'), reason='only Python 3.6 resumes sessions')
    def test_a_resumed_session_may_show_the_old_one(self, one):
        context = one.context()
        held = one.connect('www', 1, WWW, context)
        one.hap().update_certificate(one.file(), one.new[WWW].pem)
        resumed = one.connect('www', 1, WWW, context, held.session)
        assert resumed.getpeercert()['serialNumber'] == (
            one.old if is_older(one, (3, 2)) else one.new)[WWW].serial
        for connection in (held, resumed):
            connection.close()

    def test_the_new_file_is_no_certificate(self, one):
        os.mkdir(one.path('all'))
        shutil.copy(one.file(), one.path('all'))
        one.write('all/tmp_4f2c.ocsp', 'half')
        config = one.write('directory.cfg', DEFAULTS + 'frontend f\n    bind {0} ssl crt {1}\n'.format(
            one.path('f'), one.path('all')))
        subprocess.check_output([find(one.lab.version), '-c', '-f', config])

    def test_open_connections_keep_the_old_one(self, one):
        held = one.connect('www', 1, WWW)
        one.hap().update_certificate(one.file(), one.new[WWW].pem)
        assert held.getpeercert()['serialNumber'] == one.old[WWW].serial
        assert one.serials() == [one.new[WWW].serial]
        held.close()

    def test_previous_is_what_they_have(self, one):
        with pytest.raises(CommandFailed) as raised:
            one.hap().update_certificate(one.file(), one.new[WWW].pem, previous=one.old[SHOP].pem)
        assert 'previous is not what' in str(raised.value)
        assert raised.value.result.by_socket == [(one.lab.socket_files[0], 'unchanged')]
        assert one.serials() == [one.old[WWW].serial]

    def test_the_file_is_not_written(self, one):
        one.hap().update_certificate(one.file(), one.new[WWW].pem)
        one.lab.restart()
        assert one.serials() == [one.old[WWW].serial]
