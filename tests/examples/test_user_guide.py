# SPDX-License-Identifier: Apache-2.0
"""Every console session of the 0.2.4 User Guide and README, typed into a console.

Scripts that follow the guide keep working; the examples of today's pages are in
``test_readme.py``. The statements are the guide's; the output is that of ``haproxy.cfg`` in
``tests/support``. The guide's sessions were recorded on different machines and days, so their ids,
paths, orders and names contradict each other: :func:`here` maps them to the configuration.
Anything that depends on time, traffic or chance is written ``<kind>`` (see ``KINDS``) and, where
possible, compared with what HAProxy itself reports.
"""
import __future__

import doctest
import re
import string
import sys

import pytest
import six

from tests.support import truth
from tests.support.lab import wait_until

KINDS = {
    'int': r'-?[0-9]+',
    'ref': r'0x[0-9a-f]+',
    'uptime': r'[0-9]+d [0-9]+h[0-9]{2}m[0-9]{2}s',
}
_HOLE = re.compile(r'<({0})(?::(\w+))?>'.format('|'.join(KINDS)))


def here(lab):
    """Return the values in this configuration for what the guide prints."""
    pair = len(truth.paths(lab, [3, 4]))
    count = truth.process_count(lab)
    info = truth.info(lab)
    return {
        'socket_dir': lab.socket_dir,                       # /run/haproxy
        'files': lab.acl_file(''),                          # /etc/haproxy/
        'config': lab.config_file,                          # /etc/haproxy/haproxy.cfg
        'pids': lab.pids,                                   # [871, 870, 869, 868]
        'version': info['Version'],                         # 1.5.8
        'date': info['Release_date'],                       # 2014/10/31
        # The order of processes was arbitrary and is now ascending (stable order). Since HAProxy
        # 2.5 every process has number 1.
        'pair': truth.numbers(lab, [3, 4]),                 # [4, 3]
        # A limit is set for each process, and the library reports the sum.
        'maxconn': 10000 * count,                           # 40000
        'maxconn_set': 5000 * count,                        # 20000
        'limit_pair_set': 10000 * pair,                     # 20000
        'limit_pair_more': 50000 * pair,                    # 100000
        # Listings are in HAProxy's own order (stable order). The guide lists the frontend 'haproxy'
        # in one place and haproxy-stats, haproxy-stats2 ... in the other, and no server
        # member_bkall.
        'frontends': lines(truth.order(lab, truth.FRONTENDS)),
        'backends': lines(truth.order(lab, truth.BACKENDS)),
        'servers': lines('{1} {0}'.format(*names) for names in truth.all_servers(lab)),
        'stopped': 'STOP' if truth.version(lab) < (2, 4) else 'PAUSED',     # STOP
        # Since 2.4, HAProxy reports more about each ACL and map.
        'more': '' if truth.version(lab) < (2, 4) else '. curr_ver=0 next_ver=0 entry_cnt=<int>',
    }


def lines(texts):
    return '\n'.join(texts)


class Console(object):
    """An interactive interpreter."""

    def __init__(self, here):
        self.here = here
        self.names = {}

    def type(self, source):
        """Run one statement and return what the console shows."""
        code = compile(source, '<console>', 'single', __future__.print_function.compiler_flag,
                       True)
        shown = six.StringIO()
        stdout, displayhook = sys.stdout, sys.displayhook
        sys.stdout, sys.displayhook = shown, sys.__displayhook__
        try:
            six.exec_(code, self.names)
        finally:
            sys.stdout, sys.displayhook = stdout, displayhook
        return shown.getvalue()

    def play(self, session):
        """Run a session and compare what it shows with the expected output.

        :return: the text that matched each ``<kind:label>``, by label; a repeated label must match
            the same text.
        """
        labels = {}
        session = string.Template(session).substitute(self.here)
        for example in doctest.DocTestParser().get_examples(session):
            shown = self.type(example.source)
            report = '{0}shows\n{1}instead of\n{2}'.format(example.source, shown, example.want)
            shown, want = shown.split('\n'), example.want.split('\n')
            assert len(shown) == len(want), report
            for shown_line, want_line in zip(shown, want):
                pattern, names = pattern_of(want_line)
                match = re.match(pattern, shown_line)
                assert match is not None, report
                for name, text in zip(names, match.groups()):
                    if name:
                        assert labels.setdefault(name, text) == text, report
        return labels


def pattern_of(want):
    """Return a pattern for a line that a console shows, and the label of each group in it."""
    pattern, names, end = '', [], 0
    for hole in _HOLE.finditer(want):
        pattern += re.escape(want[end:hole.start()]) + '(' + KINDS[hole.group(1)] + ')'
        names.append(hole.group(2))
        end = hole.end()
    return pattern + re.escape(want[end:]) + r'\Z', names


@pytest.fixture
def guide(lab):
    """A console with ``hap`` and the lists of metrics, as after the guide's first page."""
    console = Console(here(lab))
    console.play("""
>>> from haproxyadmin import haproxy
>>> hap = haproxy.HAProxy(socket_dir='$socket_dir')
>>> from haproxyadmin import FRONTEND_METRICS, BACKEND_METRICS, SERVER_METRICS
""")
    return console


@pytest.fixture(scope='class')
def traffic(lab):
    """Send the requests that the README's session shows, and some more."""
    for frontend, count in [('haproxy', 4), ('haproxy-stats', 1), ('haproxy-stats2', 1),
                            ('haproxy-stats3', 1), ('haproxy-stats4', 1), ('frontend_proc1', 29),
                            ('frontend_proc2', 100), ('frontend1_proc34', 16),
                            ('frontend2_proc34', 100)]:
        assert lab.traffic(frontend, count) == [200] * count


def label(*names):
    return '_'.join(names).replace('-', '_')


def set_entries(lab, *entries):
    """Give map 0 these entries in every process, as in the guide's session."""
    truth.tell(lab, 'clear map #0')
    for entry in entries:
        truth.tell(lab, 'add map #0 ' + entry)


@pytest.mark.usefixtures('traffic')
class TestReadingFrontendsAndBackends(object):
    """The README's session, and the guide's pages on frontends and backends."""

    def test_frontends(self, lab, guide):
        seen = guide.play("""
>>> from haproxyadmin import haproxy
>>> hap = haproxy.HAProxy(socket_dir='$socket_dir')
>>> frontends = hap.frontends()
>>> for frontend in frontends:
...     print(frontend.name, frontend.requests, frontend.process_nb)
...
""" + lines('{0} <int:{1}> {2}'.format(
            name, label(name), truth.numbers(lab, truth.processes_of(name)))
            for name in truth.order(lab, truth.FRONTENDS)) + '\n')
        assert seen['frontend_proc1'] == '29'
        assert seen['frontend_proc2'] == '100'
        assert seen['frontend1_proc34'] == '16'
        assert seen['frontend2_proc34'] == '100'
        assert int(seen['haproxy']) == truth.total(lab, 'haproxy', 'FRONTEND', 'req_tot')

    def test_backends_and_their_servers(self, lab, guide):
        # From the README; the guide's page on backends swaps two lines.
        shown = []
        for name in truth.order(lab, truth.BACKENDS):
            shown.append('{0} <int:{1}> {2}'.format(
                name, label(name), truth.numbers(lab, truth.processes_of(name))))
            shown += ['  {0} <int:{1}>'.format(server, label(name, server))
                      for server in truth.SERVERS[name]]
        seen = guide.play("""
>>> backends = hap.backends()
>>> for backend in backends:
...    print(backend.name, backend.requests, backend.process_nb)
...    servers = backend.servers()
...    for server in servers:
...       print(" ", server.name, server.requests)
...
""" + lines(shown) + '\n')
        assert seen['backend_proc2'] == '100'
        assert seen['backend1_proc34'] == '16'
        assert seen['backend_proc1'] == '29'
        assert seen['backend2_proc34'] == '100'
        for name, servers in truth.SERVERS.items():
            assert int(seen[name]) == truth.total(lab, name, 'BACKEND', 'stot')
            if servers:
                assert int(seen[name]) == sum(int(seen[label(name, server)])
                                              for server in servers)
        # The weights are equal, so each server got the same number of requests.
        assert [seen['backend_proc2_' + server]
                for server in truth.SERVERS['backend_proc2']] == ['25'] * 4

    def test_is_a_frontend_there(self, guide):
        guide.play("""
>>> frontends = hap.frontends()
>>> if 'frontend2_proc34' in frontends:
...    print('have it')
...
have it
>>> if 'frontend2_proc34foo' in frontends:
...    print('have it')
...
>>>
""")

    def test_maxconn_of_all_frontends(self, lab, guide):
        for name, processes in truth.FRONTENDS:
            truth.tell(lab, 'set maxconn frontend {0} 3000'.format(name), processes)
        shown = []
        for name in truth.order(lab, truth.FRONTENDS):
            count = len(truth.paths(lab, truth.processes_of(name)))
            shown.append('{0} {1}\nTrue\n{2} {1}\n---------------'.format(
                3000 * count, name, 10000 * count))
        guide.play("""
>>> frontends = hap.frontends()
>>> for f in frontends:
...    print(f.maxconn, f.name)
...    f.setmaxconn(10000)
...    print(f.maxconn, f.name)
...    print('---------------')
...
""" + lines(shown) + '\n')

    def test_maxconn_of_one_frontend(self, lab, guide):
        truth.tell(lab, 'set maxconn frontend frontend1_proc34 10000', [3, 4])
        guide.play("""
>>> frontend = hap.frontend('frontend1_proc34')
>>> frontend.maxconn
$limit_pair_set
>>> frontend.setmaxconn(50000)
True
>>> frontend.maxconn
$limit_pair_more
""")

    def test_statistics_of_a_frontend(self, lab, guide):
        truth.tell(lab, 'set maxconn frontend frontend2_proc34 10000', [3, 4])
        names = ['bin', 'bout', 'comp_byp', 'comp_in', 'comp_out', 'comp_rsp', 'dreq', 'dresp',
                 'ereq', 'hrsp_1xx', 'hrsp_2xx', 'hrsp_3xx', 'hrsp_4xx', 'hrsp_5xx', 'hrsp_other',
                 'rate', 'rate_lim', 'rate_max', 'req_rate', 'req_rate_max', 'req_tot', 'scur',
                 'slim', 'smax', 'stot']
        seen = guide.play("""
>>> frontend = hap.frontend('frontend2_proc34')
>>> for m in FRONTEND_METRICS:
...    print("name {} value {}".format(m, frontend.metric(m)))
...
""" + lines('name {0} value <int:{0}>'.format(name) for name in names) + """
>>>
>>> frontend.process_nb
$pair
>>> frontend.requests
<int:requests>
""")
        pair = len(truth.paths(lab, [3, 4]))
        assert seen['rate_lim'] == str(100000 * pair)
        assert seen['slim'] == str(10000 * pair)
        assert seen['req_tot'] == seen['stot'] == seen['hrsp_2xx'] == seen['requests'] == '100'
        for name in ('bin', 'bout', 'rate_max', 'req_rate_max', 'smax'):
            assert int(seen[name]) == truth.total(lab, 'frontend2_proc34', 'FRONTEND', name) > 0

    def test_requests_of_a_frontend_per_process(self, lab, guide):
        counts = truth.figures(lab, 'frontend2_proc34', 'FRONTEND', 'req_tot')
        guide.here['requests'] = list(zip(guide.here['pair'], map(int, counts)))
        guide.play("""
>>> frontend = hap.frontend('frontend2_proc34')
>>> frontend.requests_per_process()
$requests
""")

    def test_is_a_backend_there(self, guide):
        guide.play("""
>>> backends = hap.backends()
>>> if 'backend1_proc34' in backends:
...    print('have it')
...
have it
>>> if 'backend1_proc34foo' in backends:
...    print('have it')
...
>>>
""")

    def test_statistics_of_a_backend(self, lab, guide):
        names = ['act', 'bck', 'bin', 'bout', 'chkdown', 'cli_abrt', 'comp_byp', 'comp_in',
                 'comp_out', 'comp_rsp', 'ctime', 'downtime', 'dreq', 'dresp', 'econ', 'eresp',
                 'hrsp_1xx', 'hrsp_2xx', 'hrsp_3xx', 'hrsp_4xx', 'hrsp_5xx', 'hrsp_other',
                 'lastchg', 'lastsess', 'lbtot', 'qcur', 'qmax', 'qtime', 'rate', 'rate_max',
                 'rtime', 'scur', 'slim', 'smax', 'srv_abrt', 'stot', 'ttime', 'weight', 'wredis',
                 'wretr']
        seen = guide.play("""
>>> backend = hap.backend('backend1_proc34')
>>> for m in BACKEND_METRICS:
...     print("name {} value {}".format(m, backend.metric(m)))
...
""" + lines('name {0} value <int:{0}>'.format(name) for name in names) + """
>>>
>>>
>>> backend.process_nb
$pair
>>> backend.requests
<int:requests>
""")
        assert seen['act'] == '3'
        # The weights are 1, 1 and 100; in the guide all were 1.
        assert seen['weight'] == '102'
        assert seen['slim'] == str(100000 * len(truth.paths(lab, [3, 4])))
        assert seen['stot'] == seen['lbtot'] == seen['hrsp_2xx'] == seen['requests'] == '16'
        for name in ('bin', 'bout', 'smax'):
            assert int(seen[name]) == truth.total(lab, 'backend1_proc34', 'BACKEND', name) > 0

    def test_requests_of_a_backend_per_process(self, lab, guide):
        counts = truth.figures(lab, 'backend1_proc34', 'BACKEND', 'stot')
        guide.here['requests'] = list(zip(guide.here['pair'], map(int, counts)))
        guide.play("""
>>> backend = hap.backend('backend1_proc34')
>>> backend.requests_per_process()
$requests
""")

    def test_servers_of_a_backend(self, guide):
        guide.play("""
>>> backend = hap.backend('backend1_proc34')
>>> for s in backend.servers():
...    print(s.name, s.status, s.weight)
...
bck1_proc34_srv1 UP 1
bck1_proc34_srv2 UP 1
bck_all_srv1 UP 100
>>>
""")

    def test_one_server_of_a_backend(self, lab, guide):
        seen = guide.play("""
>>> backend = hap.backend('backend1_proc34')
>>> s1 = backend.server('bck1_proc34_srv2')
>>> s1.name, s1.backendname, s1.status, s1.requests, s1.weight
('bck1_proc34_srv2', 'backend1_proc34', 'UP', <int:requests>, 1)
""")
        assert int(seen['requests']) == truth.total(
            lab, 'backend1_proc34', 'bck1_proc34_srv2', 'stot')


@pytest.mark.usefixtures('traffic')
class TestHAProxyOperations(object):

    def test_information_about_the_processes(self, lab, guide):
        seen = guide.play("""
>>> hap.processids
$pids
>>>
>>> hap.description
'Test server'
>>>
>>> hap.releasedate
'$date'
>>>
>>> hap.version
'$version'
>>>
>>> hap.uptime
'<uptime>'
>>>
>>> hap.uptimesec
<int:uptimesec>
>>>
>>> hap.nodename
'test.foo.com'
>>>
>>> hap.totalrequests
<int:requests>
""")
        assert 0 <= int(seen['uptimesec']) < 300
        total = sum(int(info['CumReq']) for info in truth.infos(lab))
        # HAProxy also counts requests on the stats sockets.
        assert 253 <= int(seen['requests']) <= total

    def test_maxconn(self, lab, guide):
        guide.play("""
>>> print(hap.maxconn)
$maxconn
>>> hap.setmaxconn(5000)
True
>>> print(hap.maxconn)
$maxconn_set
>>>
""")
        assert [info['Maxconn'] for info in truth.infos(lab)] == ['5000'] * len(lab.pids)

    def test_frontends(self, guide):
        guide.play("""
>>> frontends = hap.frontends()
>>> for f in frontends:
...    print(f.name)
...
$frontends
""")

    def test_one_frontend(self, guide):
        guide.play("""
>>> frontend1 = hap.frontend('frontend1_proc34')
>>> frontend1.name, frontend1.process_nb
('frontend1_proc34', $pair)
""")

    def test_backends(self, guide):
        guide.play("""
>>> backends = hap.backends()
>>> for b in backends:
...    print(b.name)
...
$backends
""")

    def test_one_backend(self, guide):
        guide.play("""
>>> backend1 = hap.backend('backend1_proc34')
>>> backend1.name, backend1.process_nb
('backend1_proc34', $pair)
""")

    def test_servers(self, guide):
        guide.play("""
>>> servers = hap.servers()
>>> for s in servers:
...    print(s.name, s.backendname)
...
$servers
""")

    def test_servers_of_one_backend(self, guide):
        guide.play("""
>>> servers = hap.servers(backend='backend1_proc34')
>>> for s in servers:
...    print(s.name, s.backendname)
...
bck1_proc34_srv1 backend1_proc34
bck1_proc34_srv2 backend1_proc34
bck_all_srv1 backend1_proc34
""")

    def test_one_server_in_all_backends(self, lab, guide):
        # The stable order determines which of the three comes first.
        before = {'backend1_proc34': 'DOWN', 'backend_proc1': 'DOWN', 'backend2_proc34': 'no check'}
        shown = ['bck_all_srv1 {0} {1}\nTrue\nMAINT'.format(name, before[name])
                 for name in truth.order(lab, truth.BACKENDS) if name in before]
        lab.origins.refuse(4)
        try:
            for name in ('backend1_proc34', 'backend_proc1'):
                wait_until(lambda: set(truth.figures(lab, name, 'bck_all_srv1', 'status')) == {
                    'DOWN'}, 'down')
            guide.play("""
>>> s1 = hap.server(hostname='bck_all_srv1')
>>> for x in s1:
...    print(x.name, x.backendname, x.status)
...    x.setstate(haproxy.STATE_DISABLE)
...    print(x.status)
...
""" + lines(shown) + '\n')
        finally:
            lab.origins.serve(4)

    def test_acls(self, guide):
        # The ids in the guide's listing differ from those in its other sessions.
        seen = guide.play("""
>>> from pprint import pprint
>>> pprint(hap.show_acl()[:1])
['# id (file) description']
>>> for line in hap.show_acl()[1:11]:
...    print(line)
...
1 (${files}wl_stats) pattern loaded from file '${files}wl_stats' used by acl at file '$config' line <int:stats>$more
2 () acl 'src' file '$config' line <int:stats>$more
3 () acl 'ssl_fc' file '$config' line <int>$more
4 () acl 'path_beg' file '$config' line <int>$more
5 (${files}bl_frontend) pattern loaded from file '${files}bl_frontend' used by acl at file '$config' line <int:blocked>$more
6 () acl 'path_beg' file '$config' line <int>$more
7 () acl 'src' file '$config' line <int:blocked>$more
8 () acl 'req.cook' file '$config' line <int>$more
9 () acl 'req.cook' file '$config' line <int>$more
10 () acl 'req.cook' file '$config' line <int>$more
>>> all(hap.show_acl())
True
""")
        assert int(seen['stats']) < int(seen['blocked'])

    def test_entries_of_an_acl(self, lab, guide):
        # The guide's last listing has one more entry, which no session adds.
        seen = guide.play("""
>>> hap.show_acl(6)
['<ref:css> /static/css/']
>>> hap.add_acl(6, '/foobar')
True
>>> hap.show_acl(6)
['<ref:css> /static/css/', '<ref:first> /foobar']
>>> hap.add_acl(6, '/foobar')
True
>>> hap.show_acl(6)
['<ref:css> /static/css/', '<ref:first> /foobar', '<ref:second> /foobar']
>>> hap.del_acl(6, '/foobar')
True
>>> hap.show_acl(6)
['<ref:css> /static/css/']
""")
        assert len(set(seen.values())) == 3
        assert truth.all_entries(lab, 'acl', '#6') == [['/static/css/']] * len(lab.pids)

    def test_maps(self, lab, guide):
        # The guide's "show_map(map=6)" lists all maps, and there is no map 6.
        set_entries(lab, '0 www.foo.com-0', '1 www.foo.com-1')
        guide.play("""
>>> from haproxyadmin import haproxy
>>> hap = haproxy.HAProxy(socket_dir='$socket_dir')
>>> for line in hap.show_map():
...    print(line)
...
# id (file) description
0 (${files}v-m1-bk) pattern loaded from file '${files}v-m1-bk' used by map at file '$config' line <int>$more
>>> hap.show_map(map=0)
['<ref:zero> 0 www.foo.com-0', '<ref:one> 1 www.foo.com-1']
>>> hap.show_map(0)
['<ref:zero> 0 www.foo.com-0', '<ref:one> 1 www.foo.com-1']
""")

    def test_adding_to_a_map(self, lab, guide):
        set_entries(lab, '1 www.foo.com-1')
        guide.play("""
>>> hap.show_map(0)
['<ref:one> 1 www.foo.com-1']
>>> hap.add_map(0, '9', 'foo')
True
>>> hap.show_map(0)
['<ref:one> 1 www.foo.com-1', '<ref> 9 foo']
""")
        assert truth.all_entries(lab, 'map', '#0') == [
            ['1 www.foo.com-1', '9 foo']] * len(lab.pids)

    def test_managing_a_map(self, lab, guide):
        # A reference must stand for the same entry in every process (references). This holds for
        # entries that HAProxy reads from a file before it forks; the guide's were added later.
        set_entries(lab, '9 foo', '11 bar')
        seen = guide.play("""
>>> hap.show_map(0)
['<ref:nine> 9 foo', '<ref:eleven> 11 bar']
""")
        same = [truth.references(lab, 'map', '#0', path).get('9 foo') for path in lab.socket_files]
        if len(set(same)) == 1:
            guide.here['nine'] = "'{0}'".format(seen['nine'])
        else:
            guide.here['nine'] = "'9'"
        guide.play("""
>>> hap.del_map(0, $nine)
True
>>> hap.show_map(0)
['<ref:eleven> 11 bar']
>>> hap.add_map(0, '22', 'bar22')
True
>>> hap.show_map(0)
['<ref:eleven> 11 bar', '<ref> 22 bar22']
>>> hap.del_map(0, '22')
True
>>> hap.show_map(0)
['<ref:eleven> 11 bar']
""")
        assert truth.all_entries(lab, 'map', '#0') == [['11 bar']] * len(lab.pids)


class TestOnlyOnce(object):
    """Sessions that work only once: they need the configured entries, or shut down a frontend."""

    @pytest.mark.only('nbproc4', 'single')
    def test_del_map_by_reference(self, lab, guide):
        """[references]"""
        # The entry was read before the fork, so all processes have it at the same place.
        guide.here['ref'] = truth.references(lab, 'map', '#0')['0 www.foo.com-0']
        guide.play("""
>>> hap.show_map(0)
['$ref 0 www.foo.com-0', '<ref:one> 1 www.foo.com-1']
>>> hap.del_map(0, '$ref')
True
>>> hap.show_map(0)
['<ref:one> 1 www.foo.com-1']
""")
        assert truth.all_entries(lab, 'map', '#0') == [['1 www.foo.com-1']] * len(lab.pids)

    def test_disable_enable_and_shutdown(self, lab, guide):
        guide.play("""
>>> frontend = hap.frontend('frontend1_proc34')
>>> frontend.status
'OPEN'
>>> frontend.disable()
True
>>> frontend.status
'$stopped'
>>> frontend.enable()
True
>>> frontend.status
'OPEN'
>>> frontend.shutdown()
True
""")
        if truth.version(lab) < (2, 6):
            with pytest.raises(KeyError) as caught:
                guide.type('frontend.status\n')
            assert caught.value.args == ('frontend1_proc34',)
        else:
            # The frontend stays in the listings.
            guide.play("""
>>> frontend.status
'STOP'
""")


@pytest.mark.usefixtures('traffic')
class TestServerOperations(object):

    def test_is_it_there(self, guide):
        guide.play("""
>>> servers = hap.servers()
>>> if 'bck_all_srv1' in servers:
...    print("have it")
...
have it
>>> if 'bck_all_srv1foo' in servers:
...    print("have it")
...
>>>
""")

    def test_statistics(self, lab, guide):
        # Now in alphabetical order, and with slim.
        names = ['act', 'bck', 'bin', 'bout', 'check_duration', 'chkdown', 'chkfail', 'cli_abrt',
                 'ctime', 'downtime', 'dresp', 'econ', 'eresp', 'hrsp_1xx', 'hrsp_2xx', 'hrsp_3xx',
                 'hrsp_4xx', 'hrsp_5xx', 'hrsp_other', 'lastchg', 'lastsess', 'lbtot', 'qcur',
                 'qlimit', 'qmax', 'qtime', 'rate', 'rate_max', 'rtime', 'scur', 'slim', 'smax',
                 'srv_abrt', 'stot', 'throttle', 'ttime', 'weight', 'wredis', 'wretr']
        shown = []
        for server in truth.SERVERS['backend1_proc34']:
            shown += [server] + ['name {0} value <int:{1}_{0}>'.format(name, server)
                                 for name in names] + ['-----------']
        seen = guide.play("""
>>> backend = hap.backend('backend1_proc34')
>>> for server in backend.servers():
...    print(server.name)
...    for m in SERVER_METRICS:
...       print("name {} value {}".format(m, server.metric(m)))
...    print("-----------")
...
""" + lines(shown) + '\n')
        for server in truth.SERVERS['backend1_proc34']:
            assert seen[server + '_act'] == '1'
            for name in ('bin', 'bout', 'stot', 'hrsp_2xx'):
                assert int(seen[server + '_' + name]) == truth.total(
                    lab, 'backend1_proc34', server, name)
        assert sum(int(seen[server + '_stot'])
                   for server in truth.SERVERS['backend1_proc34']) == 16

    def test_weight_in_one_backend(self, lab, guide):
        set_weights(lab, 100, ['backend1_proc34'])
        guide.play("""
>>> backend = hap.backend('backend1_proc34')
>>> server = backend.server('bck_all_srv1')
>>> server.weight
100
>>> server.setweight('20%')
True
>>> server.weight
20
>>> server.setweight(58)
True
>>> server.weight
58
""")

    def test_weight_in_all_backends(self, lab, guide):
        # In the guide the weight of the second is 0 here and 100 above.
        before = {'backend2_proc34': 1, 'backend1_proc34': 0, 'backend_proc1': 100}
        for backend, weight in before.items():
            set_weights(lab, weight, [backend])
        guide.play("""
>>> server_per_backend = hap.server('bck_all_srv1')
>>> for server in server_per_backend:
...    print(server.backendname, server.weight)
...    server.setweight(8)
...    print(server.backendname, server.weight)
...
""" + lines('{0} {1}\nTrue\n{0} 8'.format(name, before[name])
            for name in truth.order(lab, truth.BACKENDS) if name in before) + '\n')

    def test_ending_sessions(self, lab, guide):
        set_weights(lab, 100, ['backend1_proc34'])
        with lab.hold('frontend1_proc34', 8, server='bck_all_srv1'):
            guide.play("""
>>> backend = hap.backend('backend1_proc34')
>>> server = backend.server('bck_all_srv1')
>>> server.metric('scur')
8
>>> server.shutdown()
True
""")
            wait_until(lambda: guide.names['server'].metric('scur') == 0, 'sessions ended')
            guide.play("""
>>> server.metric('scur')
0
""")

    def test_disabling_a_server(self, guide):
        guide.play("""
>>> server = hap.server('member_bkall', backend='backend_proc1')[0]
>>> server.setstate(haproxy.STATE_DISABLE)
True
>>> server.status
'MAINT'
>>> server.setstate(haproxy.STATE_ENABLE)
True
>>> server.status
'no check'
""")

    @pytest.mark.one_layout
    def test_status_of_a_server(self, lab, guide):
        lab.origins.stall(4)
        try:
            # A check after the port stops serving and before its queue is full results in L4CON.
            # HAProxy prefixes the result with '* ' while a check runs.
            for field, text in [('status', 'DOWN'), ('check_status', 'L4TOUT')]:
                wait_until(lambda: set(found.lstrip('* ') for found in truth.figures(
                    lab, 'backend1_proc34', 'bck_all_srv1', field)) == {text}, text)
            # At "server.check_" the guide presses the Tab key.
            guide.play("""
>>> backend = hap.backend('backend1_proc34')
>>> server = backend.server('bck_all_srv1')
>>> server.last_agent_check
''
>>> server.check_status
'L4TOUT'
>>> [name for name in dir(server) if name.startswith('check_')]
['check_code', 'check_status']
>>> server.check_code
''
>>> server.status
'DOWN'
>>>
""")
        finally:
            lab.origins.serve(4)


def set_weights(lab, weight, backends):
    """Set the weight of bck_all_srv1 to the one in the guide's session."""
    for backend in backends:
        truth.tell(lab, 'set weight {0}/bck_all_srv1 {1}'.format(backend, weight),
                   truth.processes_of(backend))


def test_the_console_tells_what_differs():
    console = Console({})
    console.play('>>> 1 + 1\n2\n')
    for session in ('>>> 1 + 1\n3\n', '>>> 1 + 1\n', ">>> 'a'\n<int>\n",
                    '>>> 1\n<int:a>\n>>> 2\n<int:a>\n', '>>> x = 1\n1\n'):
        with pytest.raises(AssertionError):
            console.play(session)
