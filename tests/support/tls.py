# SPDX-License-Identifier: Apache-2.0
"""HAProxies that serve TLS, clients that look at what they serve, and sockets that interfere.

::

    with tls.Site(lab.find('3.2'), count=2) as site:
        new = site.authority.issue('site.test')
        site.hap.update_certificate(site.site, new.pem)
        assert site.serials(site.site) == [new.serial] * 2
"""
import collections
import hashlib
import json
import os
import re
import select
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile

from haproxyadmin.haproxy import HAProxy
from haproxyadmin.testing import sockets
from tests.support import ROOT, certificates, lab
from tests.support.keys import openssl

PATIENT = 30
FRONTENDS = ['alone', 'listed', 'directory', 'several']

# Each instance has Unix sockets of its own, and shares the ports with the others. The first
# certificate of a bind line is its default.
CONFIG = """
global
    nbthread 2
    stats socket "${{HAPROXYADMIN_RUN}}/${{HAPROXYADMIN_PROCESS}}.sock" level admin
    stats socket "{directory}/user${{HAPROXYADMIN_PROCESS}}" level user
    stats socket "{directory}/operator${{HAPROXYADMIN_PROCESS}}" level operator
    tune.ssl.default-dh-param 2048
defaults
    mode http
    timeout connect 5s
    timeout client 30s
    timeout server 30s
frontend alone
    bind "127.0.0.1:${{HAPROXYADMIN_PORT_ALONE}}" ssl crt {directory}/site.pem
    bind "{directory}/alone${{HAPROXYADMIN_PROCESS}}" ssl crt {directory}/site.pem
    http-request return status 200
frontend listed
    bind "127.0.0.1:${{HAPROXYADMIN_PORT_LISTED}}" ssl crt-list {directory}/sites.list
    bind "{directory}/listed${{HAPROXYADMIN_PROCESS}}" ssl crt-list {directory}/sites.list
    http-request return status 200
frontend directory
    bind "{directory}/directory${{HAPROXYADMIN_PROCESS}}" ssl crt {directory}/all strict-sni
    http-request return status 200
frontend several
    bind "{directory}/several${{HAPROXYADMIN_PROCESS}}" ssl crt {directory}/default.pem crt {directory}/site.pem
    http-request return status 200
"""
LIST = """# What is listed.
{directory}/default.pem
{directory}/listed.pem [alpn h2,http/1.1] listed.test
{directory}/wild.pem *.wild.test !not.wild.test
"""

# What a client sees: the serial number, as HAProxy shows it, and the fingerprint (SHA-1).
Seen = collections.namedtuple('Seen', 'serial fingerprint')


class Interfering(sockets.Listener):
    """A stats socket that relays each command to another one, and does something before or after.

    :param path: where to listen.
    :param target: the stats socket.
    """

    def __init__(self, path, target):
        super(Interfering, self).__init__(path)
        # Those that were received, and those that were answered.
        self.commands = []
        self.answered = []
        self.errors = []
        self._target = target
        self._plans = []
        self.listen()

    def on(self, word, before=None, after=None):
        """Do something, once, when a command contains a word.

        What is called gets the command, as bytes. If it returns False, the connection is closed at
        once. If that is ``before``, the command does not arrive.
        """
        self._plans.append((word.encode('ascii'), before, after))

    def serve(self, client):
        """Serve a client, besides others."""
        sockets.started(self._serve, client)

    def _serve(self, client):
        try:
            command = self.receive(client)
            self.commands.append(command)
            plan = next((plan for plan in self._plans if plan[0] in command), None)
            if plan:
                self._plans.remove(plan)
            if plan and plan[1] and plan[1](command, client) is False:
                return
            reply = exchange(self._target, command)
            if plan and plan[2] and plan[2](command, client) is False:
                return
            client.sendall(reply)
            self.answered.append(command)
        except socket.error:
            pass  # one of them has closed
        except Exception as error:  # the test reports it
            self.errors.append(error)
        finally:
            client.close()

    def forget(self):
        """Forget what has happened, and what was to be done."""
        self._plans = []
        self.commands = []
        self.answered = []


def exchange(path, command):
    """Send a command to a stats socket; return the reply, as bytes."""
    connection = socket.socket(socket.AF_UNIX)
    try:
        connection.settimeout(PATIENT)
        connection.connect(path)
        connection.sendall(command)
        connection.shutdown(socket.SHUT_WR)
        return lab.read_all(connection)
    finally:
        connection.close()


def wait_for_close(client):
    """Wait until a client has closed its connection; a half-close does not count."""
    poller = select.poll()
    poller.register(client, 0)
    poller.poll(PATIENT * 1000)
    return False


class Site(lab.Stopped):
    """HAProxies that serve TLS with the same files.

    :param count: how many.
    :param interfering: (optional) True if ``hap`` uses sockets that can interfere.
    :param more: (optional) further files; ``{directory}`` in their texts is the directory.
    """

    def __init__(self, binary, count=2, interfering=False, config=CONFIG, more=(), **options):
        self.directory = tempfile.mkdtemp(prefix='haproxyadmin-')
        self.lab = None
        self.sockets = []
        self.relays = []
        try:
            os.mkdir(os.path.join(self.directory, 'ca'))
            os.mkdir(os.path.join(self.directory, 'all'))
            self.authority = certificates.Authority(os.path.join(self.directory, 'ca'))
            self.old = {}
            for name, names, path in [
                    ('site', None, 'site.pem'), ('default', None, 'default.pem'),
                    ('listed', None, 'listed.pem'), ('wild', ['*.wild.test'], 'wild.pem'),
                    ('one', None, 'all/one.pem'), ('two', None, 'all/two.pem')]:
                issued = self.authority.issue(name + '.test', names)
                self.old[self._write(path, issued.pem)] = issued
            (self.default, self.listed, self.site, self.wild) = [
                os.path.join(self.directory, name + '.pem')
                for name in ('default', 'listed', 'site', 'wild')]
            self.one = os.path.join(self.directory, 'all/one.pem')
            self.list = self._write('sites.list', LIST.format(directory=self.directory))
            for name, text in dict(more).items():
                self._write(name, text.format(directory=self.directory))
            self.lab = lab.Lab(binary, config=config.format(directory=self.directory),
                               instances=count, **options)
            self.version = self.lab.version
            self.sockets = [os.path.join(self.lab.socket_dir, '{0}.sock'.format(number))
                            for number in range(1, count + 1)]
            self.addresses = self.sockets
            if interfering:
                self.addresses = [os.path.join(self.directory, 's{0}'.format(number))
                                  for number in range(1, count + 1)]
                self.relays = [Interfering(*pair) for pair in zip(self.addresses, self.sockets)]
            self.hap = self.other()
        except BaseException:
            self.stop()
            raise

    def other(self, timeout=PATIENT, **options):
        """Return another client."""
        return HAProxy(addresses=self.addresses, retry=None, timeout=timeout, **options)

    def raw(self, number, command):
        """Send a command to a process, counted from 1; ``S`` in it is ``site.pem``, and so on."""
        names = dict((word[0].upper(), getattr(self, word))
                     for word in ('default', 'listed', 'site', 'wild', 'one'))
        line, newline, payload = command.partition('\n')
        line = re.sub(r'(?<= \*)[DLSWO]\b|(?<= )[DLSWO]\b', lambda match: names[match.group()], line)
        return self.lab.raw(line + newline + payload, self.sockets[number - 1])

    def set(self, number, name, pem):
        """Set a certificate in a process, without a commit, as another client does.

        It is sent again if 2.2 takes the error of an earlier one for one of it.
        """
        for _ in range(4):
            reply = self.raw(number, 'set ssl cert {0} <<\n{1}\n'.format(name, pem))
            if not reply.startswith('unable to load certificate chain'):
                break
        return reply

    def transactions(self):
        """Return the name that a transaction is open for in each process, None without one."""
        found = [re.search(r'^\*(.*)$', self.raw(number, 'show ssl cert'), re.MULTILINE)
                 for number in range(1, len(self.sockets) + 1)]
        return [match and match.group(1) for match in found]

    def serials(self, name, numbers=None):
        """Return the serial number that a client of each process sees, with a certificate."""
        frontend, server = {
            self.site: ('alone', 'site.test'), self.default: ('listed', 'default.test'),
            self.listed: ('listed', 'listed.test'), self.wild: ('listed', 'a.wild.test'),
            self.one: ('directory', 'one.test')}[name]
        return [handshake(self.path(frontend, number), server).serial
                for number in numbers or range(1, len(self.sockets) + 1)]

    def shown(self, name, numbers=None):
        """Return the serial number that each process shows, None if it shows none."""
        found = [re.search('Serial: (.*)', self.raw(number, 'show ssl cert ' + name))
                 for number in numbers or range(1, len(self.sockets) + 1)]
        return [match and match.group(1) for match in found]

    def path(self, frontend, number):
        """Return the Unix socket of a frontend of a process."""
        return os.path.join(self.directory, '{0}{1}'.format(frontend, number))

    def level(self, level, number):
        """Return the stats socket of another level."""
        return os.path.join(self.directory, '{0}{1}'.format(level, number))

    def tidy(self):
        """Abort transactions, and put back what was served in the beginning."""
        for relay in self.relays:
            relay.forget()
        for number in range(1, len(self.sockets) + 1):
            open_for = self.transactions()[number - 1]
            if open_for:
                self.raw(number, 'abort ssl cert ' + open_for)
            if 'new' in self.raw(number, 'show ssl cert').split('\n'):
                self.raw(number, 'del ssl cert new')
            for name, issued in self.old.items():
                if self.shown(name, [number]) != [issued.serial]:
                    # 2.2 may refuse the first ones after a commit that was refused.
                    replies = []
                    while 'ransaction created' not in ''.join(replies[-1:]):
                        assert len(replies) < 20, replies
                        replies.append(self.set(number, name, issued.pem))
                    reply = self.raw(number, 'commit ssl cert ' + name)
                    assert 'Success!' in reply, reply

    def kill(self, number):
        """Kill a process."""
        self.lab.kill_process(self._place(number))

    def signal(self, number, which):
        """Send a signal to a process; if that stops it, wait until all of its threads stand."""
        pid = self.lab.pids[self._place(number) - 1]
        os.kill(pid, which)
        if which == signal.SIGSTOP:
            lab.wait_until(lambda: set(_states(pid)) == set('T'), 'HAProxy stands')

    def _place(self, number):
        return self.lab.socket_files.index(self.sockets[number - 1]) + 1

    def stop(self):
        """Stop everything."""
        errors = []
        for relay in self.relays:
            relay.refuse()
            errors += relay.errors
        if self.lab is not None:
            self.lab.stop()
        shutil.rmtree(self.directory, ignore_errors=True)
        if errors:
            raise lab.LabError('while interfering: {0!r}'.format(errors))

    def _write(self, name, content):
        path = os.path.join(self.directory, name)
        with open(path, 'w') as output:
            output.write(content)
        return path


def _states(pid):
    """Return the states of the threads of a process."""
    found = []
    for thread in os.listdir('/proc/{0}/task'.format(pid)):
        with open('/proc/{0}/task/{1}/stat'.format(pid, thread)) as stat:
            found.append(stat.read().rpartition(')')[2].split()[0])
    return found


def handshake(address, name=None):
    """Connect with TLS, and ask for a page.

    :param address: the path of a Unix socket, or a port of 127.0.0.1.
    :param name: (optional) the host to ask for.
    :rtype: Seen
    """
    # Without the authorities of the machine, which take long to load.
    context = ssl.SSLContext(getattr(ssl, 'PROTOCOL_TLS_CLIENT', ssl.PROTOCOL_SSLv23))
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    if isinstance(address, int):
        plain = socket.create_connection(('127.0.0.1', address), PATIENT)
    else:
        plain = socket.socket(socket.AF_UNIX)
    try:
        plain.settimeout(PATIENT)
        if not isinstance(address, int):
            plain.connect(address)
        secured = context.wrap_socket(plain, server_hostname=name)
    except BaseException:
        plain.close()
        raise
    try:
        der = secured.getpeercert(True)
        secured.sendall(b'GET / HTTP/1.0\r\n\r\n')
        answer = secured.recv(4096)
        if b' 200 ' not in answer:
            raise lab.LabError('no answer: {0!r}'.format(answer))
    finally:
        secured.close()
    return Seen(serial_of(der), hashlib.sha1(der).hexdigest().upper())


def served(path, name):
    """Return the subjects of all certificates that are sent to a client, the leaf first."""
    shown = openssl('s_client', '-unix', path, '-servername', name, '-showcerts').decode('ascii')
    return re.findall(r'^ *\d+ s:(.*)$', shown, re.MULTILINE)


def serial_of(der):
    """Return the serial number of a certificate, in hexadecimal digits."""
    data = bytearray(der)

    def content(place):
        """Return where the content of an element begins, and where it ends."""
        length, place = data[place + 1], place + 2
        if length >= 0x80:
            count = length & 0x7f
            length = int(''.join('%02x' % byte for byte in data[place:place + count]), 16)
            place += count
        return place, place + length
    place = content(content(0)[0])[0]
    if data[place] == 0xa0:
        place = content(place)[1]
    digits = ''.join('%02X' % byte for byte in data[slice(*content(place))])
    return digits[2:] if digits.startswith('00') and len(digits) > 2 else digits


class Handshakes(lab.Stopped):
    """Clients that connect from a background process until ``stop()``.

    :param addresses: Unix sockets, and ports of 127.0.0.1, in turn.
    :param name: the host that they ask for.
    :param rate: how many connect in a second.
    """

    def __init__(self, addresses, name, rate=110):
        self._process = lab.spawn(
            [sys.executable, '-B', '-m', 'tests.support.handshakes', str(rate), name]
            + [str(address) for address in addresses],
            cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self._seen = None

    def mark(self):
        """Return how many connections have begun; all that begin later have higher numbers."""
        return self._ask('mark')

    def wait_for(self, count):
        """Wait until that many more have begun; return their number."""
        goal = self.mark() + count
        lab.wait_until(lambda: self.mark() >= goal, '{0} handshakes'.format(count))
        return self.mark()

    def stop(self):
        """End; return a pair for each connection: the serial number, or the error, and None."""
        if self._seen is None:
            try:
                self._seen = self._ask('stop')
            finally:
                self._process.stdin.close()
                self._process.stdout.close()
                self._process.wait()
        return self._seen

    def _ask(self, word):
        self._process.stdin.write((word + '\n').encode('ascii'))
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise lab.LabError('the clients ended')
        return json.loads(line.decode('ascii'))
