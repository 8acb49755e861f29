# SPDX-License-Identifier: Apache-2.0
"""haproxytool 0.5.7, a command line on top of this library, against real HAProxies.

The tests use the haproxytool in the environment, if there is one. Otherwise pip installs it into
the cache directory (``HAPROXYADMIN_CACHE``, by default ``~/.cache/haproxyadmin``), without its
dependency on haproxyadmin, which is this package.
"""
import importlib
import os
import re
import subprocess
import sys

import pytest
import six

import haproxyadmin
from haproxyadmin import BACKEND_METRICS, FRONTEND_METRICS, HAPROXY_METRICS, SERVER_METRICS
from tests.conftest import STRICT
from tests.support import truth
from tests.support.lab import wait_until
from tests.support.package import PACKAGE_ROOT

VERSION = '0.5.7'
GROUPS = ['haproxy', 'frontend', 'backend', 'server', 'dump', 'map', 'acl']


def is_there():
    try:
        import docopt  # noqa: F401
        import haproxytool
    except ImportError:
        return False
    return haproxytool.__version__ == VERSION


def cached():
    """Return the directory for installing haproxytool if the environment has none."""
    cache = os.environ.get('HAPROXYADMIN_CACHE') or os.path.join(
        os.path.expanduser('~'), '.cache', 'haproxyadmin')
    return os.path.join(cache, 'haproxytool-{0}-py{1}.{2}'.format(VERSION, *sys.version_info[:2]))


def install():
    """Install haproxytool into the cache; return pip's output if it fails, otherwise ``''``."""
    command = [sys.executable, '-m', 'pip', 'install', '--quiet', '--no-deps', '--target',
               cached(), 'haproxytool==' + VERSION, 'docopt>=0.6.1']
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    output = process.communicate()[0].decode('utf-8', 'replace')
    return output if process.returncode else ''


@pytest.fixture(scope='module')
def installed():
    """Make sure that haproxytool can be imported."""
    if is_there():
        return
    complaint = '' if os.path.isdir(cached()) else install()
    # Not earlier: Python 2 remembers that a directory does not exist.
    sys.path.append(cached())
    if complaint or not is_there():
        (pytest.fail if STRICT else pytest.skip)(
            'haproxytool {0} cannot be installed: {1}'.format(
                VERSION, complaint.strip().split('\n')[-1]))


@pytest.fixture
def tool(installed, capsys, monkeypatch):
    """Return a function that calls haproxytool and returns its exit status and output."""
    from haproxytool import cli

    def call(*words, **options):
        monkeypatch.setattr(sys, 'argv', ['haproxytool'] + list(words))
        monkeypatch.setattr(sys, 'stdin', six.StringIO(options.get('answer', '')))
        capsys.readouterr()
        status = 0
        try:
            cli.main()
        except SystemExit as leaving:
            status = leaving.code
        output = capsys.readouterr()[0]
        # What sys.exit() would print on standard error, and exit with 1.
        return (1, output + status) if isinstance(status, str) else (
            (1, output + str(status)) if isinstance(status, Exception) else (status or 0, output))
    return call


def servers(lab, field=None, backends=None):
    """Return the tool's list of all servers, in order, with values taken from HAProxy."""
    found = []
    for backend, name in truth.all_servers(lab):
        if backends is None or backend in backends:
            line = '{0:<30} {1:<42} '.format(backend, name)
            if field:
                line += str(field(backend, name))
            found.append(line)
    return found


def server_field(lab, field):
    return lambda backend, name: truth.figures(lab, backend, name, field)[0].replace('* ', '')


def totals(lab, proxies, kind, field):
    return ['{0} {1}'.format(name, truth.total(lab, name, kind, field))
            for name in truth.order(lab, proxies)]


def first(lab, proxies, kind, field):
    return ['{0} {1}'.format(name, truth.figures(lab, name, kind, field)[0])
            for name in truth.order(lab, proxies)]


def processes(lab, proxies):
    return ['{0} {1}'.format(name, truth.numbers(lab, truth.processes_of(name)))
            for name in truth.order(lab, proxies)]


def members(lab):
    lines = []
    for name in truth.order(lab, truth.BACKENDS):
        lines += [name] + ['    ' + server for server in truth.SERVERS[name]]
    return lines


def dump_frontends(lab):
    return ['# frontend name, status, requests, process_nb'] + [
        '{0},OPEN,{1},{2}'.format(name, truth.total(lab, name, 'FRONTEND', 'req_tot'),
                                  truth.numbers(lab, truth.processes_of(name)))
        for name in truth.order(lab, truth.FRONTENDS)]


def dump_backends(lab):
    return ['# backend name, status, requests, servers'] + [
        '{0},UP,{1},{2}'.format(name, truth.total(lab, name, 'BACKEND', 'stot'),
                                ','.join(truth.SERVERS[name]))
        for name in truth.order(lab, truth.BACKENDS)]


def dump_servers(lab):
    return ['# server name, status, requests, backend'] + [
        '{0},{1},{2},{3}'.format(name, truth.figures(lab, backend, name, 'status')[0],
                                 truth.total(lab, backend, name, 'stot'), backend)
        for backend, name in truth.all_servers(lab)]


def with_heading(lines):
    return ['# backendname servername'] + lines


def raw_lines(lab, command):
    return lab.raw(command).rstrip('\n').split('\n')


def total_info(lab, name):
    return str(sum(int(info[name]) for info in truth.infos(lab)))


# A command, and the lines that it prints; None if it has a test of its own.
READS = [
    ('dump', lambda lab: dump_frontends(lab) + dump_backends(lab) + dump_servers(lab)),
    ('dump -f', dump_frontends),
    ('dump -b', dump_backends),
    ('dump -s', dump_servers),
    ('dump -fbs', lambda lab: dump_frontends(lab) + dump_backends(lab) + dump_servers(lab)),
    ('frontend -l', lambda lab: truth.order(lab, truth.FRONTENDS)),
    ('frontend -M', lambda lab: FRONTEND_METRICS),
    ('frontend -c', lambda lab: totals(lab, truth.FRONTENDS, 'FRONTEND', 'slim')),
    ('frontend -r', lambda lab: totals(lab, truth.FRONTENDS, 'FRONTEND', 'req_tot')),
    ('frontend -s', lambda lab: first(lab, truth.FRONTENDS, 'FRONTEND', 'status')),
    ('frontend -i', lambda lab: first(lab, truth.FRONTENDS, 'FRONTEND', 'iid')),
    ('frontend -p', lambda lab: processes(lab, truth.FRONTENDS)),
    ('frontend -o', lambda lab: [line.replace(' ', ' maxconn=') for line in totals(
        lab, truth.FRONTENDS, 'FRONTEND', 'slim')]),
    ('frontend -m stot', lambda lab: totals(lab, truth.FRONTENDS, 'FRONTEND', 'stot')),
    ('frontend -s haproxy frontend_proc1', lambda lab: [
        'haproxy OPEN', 'frontend_proc1 OPEN']),
    ('frontend -s nope', lambda lab: ['nope was not found']),
    ('frontend -m nope', lambda lab: ['nope no valid metric']),
    ('backend -l', lambda lab: truth.order(lab, truth.BACKENDS)),
    ('backend -M', lambda lab: BACKEND_METRICS),
    ('backend -S', members),
    ('backend -r', lambda lab: totals(lab, truth.BACKENDS, 'BACKEND', 'stot')),
    ('backend -s', lambda lab: first(lab, truth.BACKENDS, 'BACKEND', 'status')),
    ('backend -i', lambda lab: first(lab, truth.BACKENDS, 'BACKEND', 'iid')),
    ('backend -p', lambda lab: processes(lab, truth.BACKENDS)),
    ('backend -m lbtot', lambda lab: totals(lab, truth.BACKENDS, 'BACKEND', 'lbtot')),
    ('backend -S backend_proc1', lambda lab: ['backend_proc1'] + [
        '    ' + name for name in truth.SERVERS['backend_proc1']]),
    ('backend -s nope', lambda lab: ['nope was not found']),
    ('server -l', lambda lab: with_heading(
        ['{0:<30} {1}'.format(*names) for names in truth.all_servers(lab)])),
    ('server -M', lambda lab: SERVER_METRICS),
    ('server -r', lambda lab: with_heading(servers(
        lab, lambda backend, name: truth.total(lab, backend, name, 'stot')))),
    ('server -s', lambda lab: with_heading(servers(lab, server_field(lab, 'status')))),
    ('server -i', lambda lab: with_heading(servers(lab, server_field(lab, 'sid')))),
    ('server -p', lambda lab: with_heading(servers(
        lab, lambda backend, name: truth.numbers(lab, truth.processes_of(backend))))),
    ('server -W', lambda lab: with_heading(servers(lab, server_field(lab, 'weight')))),
    ('server -c', lambda lab: with_heading(servers(lab, server_field(lab, 'check_code')))),
    ('server -C', lambda lab: with_heading(servers(lab, server_field(lab, 'check_status')))),
    ('server -S', lambda lab: with_heading(servers(lab, server_field(lab, 'last_chk')))),
    ('server -A', lambda lab: servers(lab, lambda backend, name: '127.0.0.1')),
    ('server -X', lambda lab: servers(lab, lambda backend, name: truth.figures(
        lab, backend, name, 'addr')[0].split(':')[1])),
    ('server -m lbtot', lambda lab: with_heading(servers(
        lab, lambda backend, name: truth.total(lab, backend, name, 'lbtot')))),
    ('server -s bck_all_srv1 --backend=backend_proc1', lambda lab: with_heading(
        ['{0:<30} {1:<42} UP'.format('backend_proc1', 'bck_all_srv1')])),
    ('server -W --backend=backend_proc1 --backend=backend_proc2', lambda lab: with_heading(servers(
        lab, server_field(lab, 'weight'), ['backend_proc1', 'backend_proc2']))),
    ('server -s nope', lambda lab: ['nope was not found', '# backendname servername']),
    ('haproxy -C', lambda lab: [total_info(lab, 'Maxconn')]),
    ('haproxy -M', lambda lab: HAPROXY_METRICS),
    ('haproxy -p', lambda lab: list(map(str, lab.pids))),
    ('haproxy -V', lambda lab: [truth.info(lab)['Version']]),
    ('haproxy -R', lambda lab: [truth.info(lab)['Release_date']]),
    ('haproxy -m Maxconn', lambda lab: ['Maxconn = ' + total_info(lab, 'Maxconn')]),
    ('haproxy -m nope', lambda lab: ['nope no valid metric']),
    ('haproxy -o', lambda lab: ['maxconn = ' + total_info(lab, 'Maxconn'), 'ratelimitconn = 0',
                                'ratelimitsess = 0', 'ratelimitsslsess = 0']),
    ('haproxy -e', None),
    ('haproxy -i', None),
    ('haproxy -r', None),
    ('haproxy -u', None),
    ('haproxy -U', None),
    ('haproxy -c CMD', None),
    ('map -l', lambda lab: raw_lines(lab, 'show map')),
    ('map -s 0', lambda lab: raw_lines(lab, 'show map #0')),
    ('map -g 0 1', lambda lab: raw_lines(lab, 'get map #0 1')),
    ('map -s 99', lambda lab: raw_lines(lab, 'show map #99')),
    ('map -g 0 7', lambda lab: ['type=str, case=sensitive, found=no']),
    ('acl -l', lambda lab: raw_lines(lab, 'show acl')),
    ('acl -s 6', lambda lab: raw_lines(lab, 'show acl #6')),
    ('acl -s 3', lambda lab: ["acl doesn't have any entries"]),
    ('acl -g 4 /static/js/x', lambda lab: raw_lines(lab, 'get acl #4 /static/js/x')),
    ('acl -s 99', lambda lab: raw_lines(lab, 'show acl #99')),
]
REFUSED = ['frontend -m nope', 'haproxy -m nope', 'map -s 99', 'acl -s 99']

# A command that changes something, what it prints, and what HAProxy reports afterwards.
CHANGES = [
    ('frontend -d frontend_proc1', 'frontend_proc1 disabled', (
        'frontend_proc1', 'FRONTEND', 'status', ('STOP', 'PAUSED'))),
    ('frontend -e frontend_proc1', 'frontend_proc1 enabled', (
        'frontend_proc1', 'FRONTEND', 'status', 'OPEN')),
    ('frontend -w maxconn 77 frontend1_proc34', 'frontend1_proc34 set maxconn to 77', (
        'frontend1_proc34', 'FRONTEND', 'slim', '77')),
    ('frontend -f -t haproxy-stats', 'haproxy-stats shutdown', None),
    ('server -d member_bkall', 'member_bkall disabled in backend_proc1 backend', (
        'backend_proc1', 'member_bkall', 'status', 'MAINT')),
    ('server -f -d member_bkall', 'member_bkall disabled in backend_proc1 backend', (
        'backend_proc1', 'member_bkall', 'status', 'MAINT')),
    ('server -e member_bkall', 'member_bkall enabled in backend_proc1 backend', (
        'backend_proc1', 'member_bkall', 'status', 'no check')),
    ('server -t member_bkall', 'member_bkall set to maintenance in backend_proc1 backend', (
        'backend_proc1', 'member_bkall', 'status', 'MAINT')),
    ('server -R member_bkall', 'member_bkall set to ready in backend_proc1 backend', (
        'backend_proc1', 'member_bkall', 'status', 'no check')),
    ('server -n member_bkall', 'member_bkall set to drain in backend_proc1 backend', (
        'backend_proc1', 'member_bkall', 'status', 'DRAIN')),
    ('server -R --backend=backend_proc1 member_bkall',
     'member_bkall set to ready in backend_proc1 backend', (
         'backend_proc1', 'member_bkall', 'status', 'no check')),
    ('server -w 7 member_bkall', 'member_bkall backend set weight to 7 in backend_proc1 backend', (
        'backend_proc1', 'member_bkall', 'weight', '7')),
    ('server -a 127.0.0.9 member_bkall',
     'set address for member_bkall server to 127.0.0.9 in backend_proc1 backend', None),
    ('server -x 8080 member_bkall',
     'set port for member_bkall server to 8080 in backend_proc1 backend', (
         'backend_proc1', 'member_bkall', 'addr', '127.0.0.9:8080')),
    ('server -x 8080 --backend=backend_proc1 member_bkall',
     'set port for member_bkall server to 8080 in backend_proc1 backend', (
         'backend_proc1', 'member_bkall', 'addr', '127.0.0.9:8080')),
    ('haproxy -A', 'OK', ('frontend_proc1', 'FRONTEND', 'smax', '0')),
    ('haproxy -a', 'OK', ('frontend_proc1', 'FRONTEND', 'req_tot', '0')),
    ('haproxy -w maxconn 5000', 'set maxconn to 5000', ('Maxconn', '5000')),
    ('haproxy -w ratelimitconn 11', 'set ratelimitconn to 11', ('ConnRateLimit', '11')),
    ('haproxy -w ratelimitsess 12', 'set ratelimitsess to 12', ('SessRateLimit', '12')),
    ('haproxy -w ratelimitsslsess 13', 'set ratelimitsslsess to 13', ('SslRateLimit', '13')),
    ('map -A 0 9 nine', 'key was added successfully', ['0 www.foo.com-0', '1 www.foo.com-1',
                                                       '9 nine']),
    ('map -S 0 9 ten', 'value was set successfully', ['0 www.foo.com-0', '1 www.foo.com-1',
                                                      '9 ten']),
    ('map -d 0 9', 'key was deleted successfully', ['0 www.foo.com-0', '1 www.foo.com-1']),
    ('map -c 0', 'all entries of map were cleared successfully', []),
    ('map -s 0', "map doesn't have any entries", []),
    ('acl -A 6 /foo', 'value was added successfully', ['/static/css/', '/foo']),
    ('acl -d 6 /foo', 'key was deleted successfully', ['/static/css/']),
    ('acl -c 6', 'all entries of acl were cleared successfully', []),
]
# A command that fails, part of what it prints (None: anything), and its exit status.
FAILURES = [
    ('frontend -e haproxy', 'haproxy failed to be enabled:', 0),
    ('frontend -w maxconn x haproxy', 'You need to pass a number, got x', 1),
    ('frontend -w maxconn -1 haproxy', None, 1),
    ('server -w 300 member_bkall', 'weight must be an integer from 0 to 256', 1),
    ('server -a nope member_bkall', 'member_bkall failed to change address:Invalid addr', 1),
    ('haproxy -w maxconn 99999999', 'failed with error: Value out of range.', 1),
    ('haproxy -w nope 1', 'nope is not a valid option', 1),
    ('haproxy -w maxconn x', 'invalid input x', 1),
    ('map -d 0 nope', 'Key not found.', 1),
    ('map -S 0 nope x', 'entry not found.', 1),
    ('map -A 99 a b', 'Unknown map identifier.', 1),
    ('map -c # ', 'not an id or file', 1),
    ('acl -d 6 nope', 'Key not found.', 1),
    ('acl -A 99 a', 'Unknown ACL identifier.', 1),
]


@pytest.fixture(scope='class')
def traffic(lab):
    truth.wait_for_checks(lab)
    lab.traffic('frontend_proc1', 5)
    lab.traffic('frontend1_proc34', 10)
    lab.traffic('haproxy', 8)


@pytest.mark.dealt_out
@pytest.mark.one_layout
@pytest.mark.usefixtures('traffic')
class TestReading(object):

    def test_every_command(self, lab, tool):
        shown = truth.Snapshot(lab)
        for command, lines in READS:
            if lines is None:
                continue
            group, words = command.split(' ', 1) if ' ' in command else (command, '')
            status, output = tool(group, '-D', lab.socket_dir, *words.split())
            wanted, output = lines(shown), output.rstrip('\n').split('\n')
            if command == 'haproxy -o':
                # On Python 2 the order is arbitrary.
                wanted, output = sorted(wanted), sorted(output)
            assert output == wanted, command
            assert status == (1 if command in REFUSED else 0), command

    def test_one_socket(self, lab, tool):
        status, output = tool('haproxy', '-F', lab.socket_files[0], '-p')
        assert (status, output) == (0, '{0}\n'.format(lab.pids[0]))
        for group in ('frontend', 'backend', 'server'):
            status, output = tool(group, '-F', lab.socket_files[0], '-l')
            assert status == 0 and output
        for group in ('map', 'acl'):
            assert tool(group, '-F', lab.socket_files[0], '-l') == tool(
                group, '-D', lab.socket_dir, '-l')
        assert tool('dump', '-F', lab.socket_files[0])[0] == 0

    def test_what_changes_meanwhile(self, lab, tool):
        def call(*words):
            status, output = tool('haproxy', '-D', lab.socket_dir, *words)
            assert status == 0
            return output.rstrip('\n').split('\n')

        count = truth.process_count(lab)
        errors = call('-e')
        assert len([line for line in errors if line.startswith('Process number: ')]) == count
        assert len([line for line in errors if line.startswith('Total events captured')]) == count
        info = call('-i')
        assert [line for line in info if line.startswith('#')] == [
            '{0}Process {1}{0}'.format('#' * 18, number)
            for number in truth.numbers(lab, [1, 2, 3, 4])]
        for pid in lab.pids:
            assert 'Pid: {0}'.format(pid) in info
        requests, = call('-r')
        assert 23 <= int(requests) <= int(total_info(lab, 'CumReq'))
        seconds, = call('-u')
        assert 0 <= int(seconds) <= int(truth.info(lab)['Uptime_sec'])
        uptime, = call('-U')
        assert re.match(r'0d 0h\d\dm\d\ds\Z', uptime)
        lines = call('-c', 'show info')
        assert len([line for line in lines if line.startswith('Pid: ')]) == count
        assert [line for line in lines if line.startswith('Process number: ')] == [
            'Process number: {0}'.format(number) for number in truth.numbers(lab, [1, 2, 3, 4])]

    def test_maps_and_acls_by_file(self, lab, tool):
        for group, path in [('map', lab.map_file('v-m1-bk')), ('acl', lab.acl_file('wl_stats'))]:
            status, output = tool(group, '-D', lab.socket_dir, '-s', path)
            assert status == 0
            assert output.rstrip('\n').split('\n') == raw_lines(
                lab, 'show {0} {1}'.format(group, path))


@pytest.mark.dealt_out
@pytest.mark.one_layout
@pytest.mark.usefixtures('traffic')
class TestChanging(object):

    def test_every_command(self, lab, tool):
        for command, says, then in CHANGES:
            words = command.split()
            status, output = tool(words[0], '-D', lab.socket_dir, *words[1:])
            assert (status, output) == (0, says + '\n'), command
            self.check(lab, command, then)
        for command, says, code in FAILURES:
            words = command.split()
            status, output = tool(words[0], '-D', lab.socket_dir, *words[1:])
            assert status == code or says is None and status, command
            assert says is None or says in output, command
        assert truth.total(lab, 'haproxy', 'FRONTEND', 'slim') == 3000 * truth.process_count(lab)

    def check(self, lab, command, then):
        if isinstance(then, list):
            family, ident = command.split()[0], command.split()[2]
            assert truth.all_entries(lab, family, '#' + ident) == [
                then] * truth.process_count(lab), command
        elif then and len(then) == 2:
            assert set(info[then[0]] for info in truth.infos(lab)) == {then[1]}, command
        elif then:
            wanted = then[3] if isinstance(then[3], tuple) else (then[3],)
            found = set(truth.figures(lab, *then[:3]))
            assert len(found) == 1 and found <= set(wanted), command


@pytest.mark.one_layout
class TestAsking(object):
    """A change to several objects requires confirmation, unless forced."""

    def test_frontends(self, lab, tool):
        status, output = tool('frontend', '-D', lab.socket_dir, '-d', answer='n\n')
        assert status == 1
        assert output.endswith('Aborted by user')
        assert set(truth.figures(lab, 'haproxy', 'FRONTEND', 'status')) == {'OPEN'}
        status, output = tool('frontend', '-D', lab.socket_dir, '-d', answer='y\n')
        assert status == 0 and output.count(' disabled\n') == len(truth.FRONTENDS)
        assert set(truth.figures(lab, 'haproxy', 'FRONTEND', 'status')) <= {'STOP', 'PAUSED'}
        status, output = tool('frontend', '-D', lab.socket_dir, '-e')
        assert status == 0 and output.count(' enabled\n') == len(truth.FRONTENDS)

    def test_servers(self, lab, tool):
        count = len(truth.all_servers(lab))
        for option, word, seen in [('-d', ' disabled in ', 'MAINT'),
                                   ('-n', ' set to drain in ', 'MAINT'),
                                   ('-t', ' set to maintenance in ', 'MAINT')]:
            status, output = tool('server', '-D', lab.socket_dir, option, answer='n\n')
            assert status == 1 and output.endswith('Aborted by user')
            status, output = tool('server', '-D', lab.socket_dir, '-f', option)
            assert status == 0 and output.count(word) == count
        assert set(truth.figures(lab, 'backend1_proc34', 'bck_all_srv1', 'status')) == {'MAINT'}
        status, output = tool('server', '-D', lab.socket_dir, '-R')
        assert status == 0 and output.count(' set to ready in ') == count
        wait_until(lambda: set(truth.figures(
            lab, 'backend1_proc34', 'bck_all_srv1', 'status')) == {'UP'}, 'up')


class TestFailing(object):

    @pytest.mark.parametrize('group, words', [
        ('haproxy', ['-p']), ('frontend', ['-l']), ('backend', ['-l']), ('server', ['-l']),
        ('dump', []), ('map', ['-l']), ('acl', ['-l'])])
    def test_a_missing_socket_file(self, tool, tmpdir, group, words):
        path = str(tmpdir.join('nope.sock'))
        assert tool(group, '-F', path, *words) == (
            1, "'show info' on {0}: No such file or directory".format(path))

    def test_a_missing_directory(self, tool, tmpdir):
        path = str(tmpdir.join('nope'))
        assert tool('haproxy', '-D', path, '-p') == (
            1, 'cannot list {0}: No such file or directory'.format(path))

    def test_an_empty_directory(self, tool, tmpdir):
        status, output = tool('haproxy', '-D', str(tmpdir), '-p')
        assert status == 1 and 'no socket in {0}'.format(tmpdir) in output

    def test_an_unknown_command(self, tool):
        assert tool('nope') == (1, "<nope> isn't a haproxytool command. See 'haproxytool --help'.")


class TestProgram(object):
    """haproxytool as a separate program that shares nothing with this process."""

    def call(self, *words):
        path = os.pathsep.join([PACKAGE_ROOT]
                               + [entry for entry in sys.path if entry])
        process = subprocess.Popen(
            [sys.executable, '-c', 'from haproxytool.cli import main; main()'] + list(words),
            env=dict(os.environ, PYTHONPATH=path), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        output, errors = process.communicate()
        return process.returncode, output.decode('utf-8'), errors.decode('utf-8')

    def test_version_names_this_package(self, installed):
        assert self.call('--version') == (
            0, 'haproxytool version: {0}, haproxyadmin library version: {1}\n'.format(
                VERSION, haproxyadmin.__version__), '')

    def test_a_missing_socket_file(self, installed, tmpdir):
        path = str(tmpdir.join('nope.sock'))
        assert self.call('haproxy', '-F', path, '-p') == (
            1, '', "'show info' on {0}: No such file or directory\n".format(path))
        # A regular file, on which nothing listens.
        tmpdir.join('nope.sock').write('')
        assert self.call('dump', '-F', path) == (
            1, '', "'show info' on {0}: Connection refused; this is not a socket\n".format(path))

    @pytest.mark.one_layout
    def test_pids(self, installed, lab):
        assert self.call('haproxy', '-D', lab.socket_dir, '-p') == (
            0, ''.join('{0}\n'.format(pid) for pid in lab.pids), '')


class TestCompleteness(object):

    @pytest.mark.parametrize('group', GROUPS)
    def test_every_option_is_called(self, installed, group):
        text = importlib.import_module('haproxytool.' + group).__doc__
        options = set(re.findall(r'^    (-\w),? ', text, re.MULTILINE)) - {'-h', '-D', '-F'}
        called = set()
        for command in [row[0] for row in READS + CHANGES]:
            words = command.split()
            if words[0] == group:
                for word in words[1:]:
                    if re.match(r'-[A-Za-z]+\Z', word):
                        called.update('-' + letter for letter in word[1:])
        assert options and options == called

    def test_help(self, tool):
        for words in (['--help'], ['server', '--help']):
            status, output = tool(*words)
            assert status == 0
            assert 'Usage:' in output
        assert 'Usage:' in tool('help', 'server')[1]
