# SPDX-License-Identifier: Apache-2.0
"""Feed every parser of the library with bytes that are not a reply of HAProxy.

A target passes bytes to a parser, or to a public call as the reply of every
process; it may raise only documented exceptions.  The captured replies of 13
versions are the corpus.

``fuzz.py SECONDS`` runs all targets under atheris; tools/fuzz calls it.
"""

from __future__ import print_function

import atexit
import base64
import collections
import itertools
import os
import shutil
import sys
import tempfile
import time

from haproxyadmin import (backend, ca_files, certificates, combine, crt_lists, exceptions, frontend,
                          haproxy, internal, patterns, peers, resolvers, server, sessions, tables,
                          utils)
from haproxyadmin.internal import discovery, lookup
from haproxyadmin.internal.ca_files import CrlFileChange, parse_lists
from haproxyadmin.internal.certificates import CertificateChange
from haproxyadmin.internal.fanout import level_operation, run
from haproxyadmin.internal.sessions import Answer
from haproxyadmin.parsers import (ocsp as ocsp_parsers, saved_states, servers_state, stats,
                                  tables as table_parsers, workers)
from haproxyadmin.parsers.info import info2dict, is_info, parse_description
from haproxyadmin.parsers.lines import split_lines
from haproxyadmin.parsers.patterns import Listed
from haproxyadmin.parsers.pem import parse_bundle
from haproxyadmin.parsers.values import converter
from haproxyadmin.protocol import addresses, replies, streams, transport, versions, words
from tests.robustness import injection
from tests.support import captured, ocsp

VERSIONS = [(1, 5, 8), (2, 2, 9), (3, 4, 0)]

# How an allowed ValueError begins: HAProxy does not report the name.
NOT_THERE = ('unknown metric ', 'no frontend ', 'no backend ', 'no server ', 'no map ', 'no acl ',
             'no stick table ', 'no resolvers section ', 'no name server ', 'no peers section ',
             'no peer ', 'no file ', 'no OCSP response ', 'no session ',
             'several processes have a session ', 'no crt-list ', 'no CA file ', 'no CRL file ',
             'no certificate ',
             "certificate '/www.pem' is in crt-list ")
# What HAProxy could not load again.
NOT_FOR_A_FILE = ('a key in a file ', 'a value in a file ', 'a pattern in a file ', 'an entry of ')


class Undocumented(AssertionError):
    """The library raised an exception that is not documented."""


# Parsers: they raise ValueError for bytes that they cannot parse.

def parse_info(data):
    """Parse a reply to show info."""
    info = info2dict(split_lines(data))
    is_info(info)
    parse_description(info)
    versions.parse_version(info.get('Version', ''))
    combine.aggregate_all(['Maxconn'], combine.info_columns([info, info]))


def parse_stat(data):
    """Parse a reply to show stat, including each row and each field."""
    lines = split_lines(data)
    found = stats.stat2dict(lines)
    rows = list(found['frontends'].values())
    for each in found['backends'].values():
        rows.extend(row for row in [each['stats']] + list(each['servers'].values()) if row)
    for row in rows:
        stats.row2dict(row)
        combine.aggregate_all(['scur'], stats.columns([row]))
        stats.split_address(stats.field(row, 'addr'))
        for name in row.heads:
            converter(getattr(row, name, '') if not name.startswith('_') else '')


def parse_outputs(data):
    """Split the answers to several commands."""
    text = words.to_native(data)
    for count in (1, 3):
        try:
            replies.split_answers(text, count)
        except replies.Malformed:
            pass
    for line in text.split('\n'):
        replies.is_refusal(line)
        replies.is_message(line)
        replies.is_success(line)
        replies.is_address_success('addr', line)
        replies.is_address_success('port', line)
        utils.check_output([line])


def parse_workers(data):
    """Parse a reply to show proc, and choose a worker from it."""
    lines = split_lines(data)
    master, found = workers.parse_workers(lines)
    str(master), [str(worker) for worker in found]
    for number in (1, 2):
        address = addresses.MasterAddress('m', addresses.path_address('/m'), '@1', number)
        outcome = lookup.WorkerLookup(address).resolve(data)
        assert isinstance(outcome, (addresses.MasterAddress, exceptions.HAProxySocketError))


def parse_states(data):
    """Parse a reply to show servers state, as a reply and as the file of it; a refusal is documented.
    """
    lines = split_lines(data)
    try:
        for state in servers_state.parse_states(lines):
            servers_state.check_numbers(state)
            servers_state.own_state(state), servers_state.health_of(state)
        found = servers_state.find_state(lines, 'backend_proc1_srv1')
        assert found is None or found['srv_name'] == 'backend_proc1_srv1'
        servers_state.parse_initial_weight(lines)
    except exceptions.CommandFailed as error:
        _read(error)
    saved_states.parse_states(data, '/f')


def parse_extras(data):
    """Parse the file beside it."""
    saved_states.parse_extras(data, '/f')


def parse_tables(data):
    """Parse a reply to show table: as a list of tables, and as entries that arrive in parts."""
    for size in (1, 7, 4000):
        parser = table_parsers.EntryParser(1, '/f')
        try:
            for start in range(0, max(0, len(data) - size), size):
                list(parser.feed(data[start:start + size]))
            for entry in parser.finish(data[len(data) - (len(data) % size or size):]):
                assert len(entry.data) == len(parser.names)
        except replies.Malformed:
            pass
        except exceptions.CommandFailed as error:
            _read(error)
    try:
        table_parsers.parse_tables(split_lines(data))
    except exceptions.CommandFailed as error:
        _read(error)


def parse_ocsp(data):
    """Parse an OCSP response, in DER and in base64."""
    for parse, value in [(ocsp_parsers.parse_response, data),
                         (ocsp_parsers.parse_base64, split_lines(data))]:
        try:
            parse(value)
        except replies.Malformed:
            pass
        except exceptions.CommandFailed as error:
            _read(error)


def parse_reload(data):
    """Parse a reply to reload; a refusal is documented."""
    try:
        workers.parse_reload(split_lines(data))
    except exceptions.CommandFailed as error:
        _read(error)


def parse_address(data):
    """Parse an address that a caller wrote, and what may be sent to a master there."""
    for value in (data, words.to_native(data)):
        address = addresses.parse_address(value)
        worker = addresses.MasterAddress(str(address), address).process(1)
        assert worker.lines(b'show info').startswith(b'@!1; show info\n')
        str(worker), address.path, address.is_tls


PARSERS = collections.OrderedDict([
    ('parse_info', parse_info), ('parse_stat', parse_stat), ('parse_outputs', parse_outputs),
    ('parse_workers', parse_workers), ('parse_reload', parse_reload),
    ('parse_address', parse_address), ('parse_states', parse_states),
    ('parse_extras', parse_extras), ('parse_tables', parse_tables), ('parse_ocsp', parse_ocsp)])


# What masters answer after a reload, and other things that are not in the captured replies.
TEXTS = [b"""#<PID>          <type>          <relative PID>  <reloads>       <uptime>        <version>
9604            master          0               2               0d00h00m02s     2.2.9-2+deb11u6
# workers
9615            worker          1               0               0d00h00m00s     2.2.9-2+deb11u6
9616            worker          2               0               0d00h00m00s     2.2.9-2+deb11u6
# old workers
9611            worker          [was: 1]        1               0d00h00m01s     2.2.9-2+deb11u6
# programs

""", b"""#<PID>          <type>          <reloads>       <uptime>        <version>
25362           master          1 [failed: 1]   0d00h00m09s     3.2.26-1
# workers
# old workers
25365           worker          1               0d00h00m09s     3.2.26-1

""", b"""Success=0
--
[NOTICE]   (25362) : haproxy version is 3.0.11-1+deb13u5
[ALERT]    (25362) : config : Fatal errors found in configuration.
""", b"Can't find the target PID matching the prefix '@!99999'\n", b'/run/haproxy.sock',
         b'unix@/run/haproxy.sock', b'abns@haproxy', b'localhost:9999', b'ipv4@127.0.0.1:9999',
         b'ipv6@[fe80::1%eth0]:9999', b'ssl@haproxy.example.com:9999', b'[::1]:9999',
         b'100 (initial 100)\n\n', base64.b64decode(ocsp.REVOKED),
         ocsp.EARLIER.encode('ascii') + b'\n', ocsp.IDS.encode('ascii'),
         ocsp.DETAILS_REVOKED.encode('ascii'), ocsp.update(1, 2).encode('ascii'),
         b'# id (file)\n1 (/a.key)\n0 (/b.key)\n\n',
         b'{"servers": {"a/b": {"maxconn": 5}}, "added": {"a/b": {"address": "10.0.0.9:80", '
         b'"check": true, "keywords": {"inter": ["2s"]}, "ready": true, "weight": 50}}}\n']


# Public calls: they raise an error of the library for bytes that are not a reply.

PEM = ''.join('-----BEGIN {0}-----\nMAMCAQE=\n-----END {0}-----\n'.format(label)
              for label in ('CERTIFICATE', 'PRIVATE KEY'))
ARGUMENTS = {
    'acl': '#4', 'mapid': '#0', 'value': 5, 'pattern': 'p', 'key': 'k', 'patterns': ['a', 'b c'],
    'pairs': [('a', 'b'), ('c d', 'e')], 'keys': ['a', 'b c'], 'hostname': 's', 'state': 'drain',
    'ref': '#0', 'other': ['a'], 'cmd': 'show info', 'condition': bool, 'timeout': 0, 'address': '127.0.0.1', 'port': 80,
    'health': 'up', 'on': True, 'text': 'x', 'id': '0x5555676de290', 'certificate': '/www.pem',
    'der': base64.b64decode(ocsp.GOOD), 'file': '/b.key',
    'pem': injection.NO_AUTHORITY + injection.NO_LIST + (
        injection.NO_AUTHORITY.replace('CERTIFICATE', 'PRIVATE KEY'))}
SESSION = ('0x5555676de290: proto=tcpv4 src=127.0.0.1:37252 fe=www be=web srv=w1 ts=00 age=1s '
           'calls=2 rate=1 cpu=0 lat=0 rq[f=49c40080h,i=0,an=8000h,rx=,wx=,ax=] exp=1s')
# Optional ones: no call waits.
OPTIONS = {'HAProxy.reload': {'timeout': 0}, 'HAProxy.watch': {'interval': 0, 'timeout': 0.001},
           'HAProxy.shutdown_sessions': {'older_than': 0},
           'Backend.del_server': {'timeout': 0},
           'HAProxy.update_ocsp_response': {'name': ocsp.PATH, 'timeout': 0},
           'HAProxy.set_tls_ticket_key': {'key': b'k' * 48},
           'HAProxy.restore_servers_state': {'timeout': 0}, 'Map.setdefault': {'default': 'v'}}
# Files that are written and read.
ROOM = tempfile.mkdtemp(prefix='haproxyadmin-')
atexit.register(shutil.rmtree, ROOM, True)
PATHS = {'save_servers_state': os.path.join(ROOM, 'written'),
         'restore_servers_state': os.path.join(ROOM, 'read')}
SAVED = os.path.join(ROOM, 'saved')
LOADED = os.path.join(ROOM, 'loaded')
with open(LOADED, 'wb') as _file:
    _file.write(b'a b\nc d e\n')
for _kind in ('Map', 'Acl'):
    OPTIONS[_kind + '.save_file'] = {'path': SAVED}
    OPTIONS[_kind + '.load_file'] = {'path': LOADED}
# The argument ``entries`` by class.
ENTRIES = {'Map': [('a', 'b'), ('c', 'd e')], 'Acl': ['a', 'b c']}
METRICS = {'HAProxy': 'Maxconn', 'Frontend': 'scur', 'Backend': 'scur', 'Server': 'scur'}
# The argument ``name`` by class; these names are in the captured replies.
NAMES = {'HAProxy': 'frontend_proc1', 'Backend': 'member1_proc1', 'Server': 'a.example',
         'ResolversSection': 'ns1', 'PeersSection': 'other'}
# Of some methods the address.
ADDRESSES = {'add_server': '127.0.0.1:80'}
# What 1.5 or 2.2 cannot do is called on 3.4 alone, too.
ON_3_4 = ['Backend.add_server', 'Backend.del_server', 'Frontend.is_open', 'Server.drain',
          'Server.takeout', 'Server.bringback', 'Server.is_draining', 'Server.is_checked',
          'Server.setaddress', 'Server.setmaxconn', 'Server.setssl', 'Server.setcheckaddr',
          'Server.setagentaddr', 'Server.setagentsend', 'Server.setfqdn', 'Server.enable_health',
          'Server.disable_agent', 'Server.setagent', 'Map.replace', 'Map.load_file', 'Acl.replace',
          'Acl.load_file', 'Table.peers', 'Table.set', 'Table.remove', 'Table.clear',
          'HAProxy.resolvers', 'HAProxy.peers', 'ResolversSection.nameservers',
          'ResolversSection.nameserver', 'PeersSection.peers', 'PeersSection.peer',
          'PeersSection.fields_per_socket', 'HAProxy.ocsp_responses', 'HAProxy.tls_ticket_keys',
          'HAProxy.update_ocsp_response', 'HAProxy.set_tls_ticket_key', 'HAProxy.crt_lists',
          'HAProxy.crt_list', 'CrtList.entries', 'CrtList.entries_per_socket', 'CrtList.add',
          'CrtList.remove', 'HAProxy.certificates', 'HAProxy.certificate',
          'HAProxy.update_certificate', 'HAProxy.add_certificate', 'Certificate.details',
          'Certificate.serial', 'Certificate.names', 'Certificate.chain', 'Certificate.transaction',
          'Certificate.expires_in', 'Certificate.update', 'Certificate.abort',
          'Certificate.delete',
          'CrtList.remove', 'HAProxy.ca_files', 'HAProxy.crl_file', 'HAProxy.add_ca_file',
          'HAProxy.add_crl_file', 'CaFile.certificates', 'CaFile.certificates_per_socket',
          'CaFile.status', 'CaFile.transaction', 'CaFile.update', 'CaFile.add', 'CaFile.abort',
          'CaFile.delete', 'CrlFile.lists', 'CrlFile.lists_per_process', 'CrlFile.update']


def processes():
    """Return processes of different versions."""
    made = []
    for number, version in enumerate(VERSIONS, 1):
        process = internal._HAProxyProcess('/fuzz/{0}'.format(number), retry=None)
        process.endpoint.learn({'Version': versions.format_version(version), 'Pid': '1',
                                'Process_num': str(number), 'Uptime_sec': '1'})
        made.append(process)
    return made


def _search(which='current'):
    return discovery.Search(None, '/fuzz/1', None, 0, 1, None, '/fuzz/master', which, None, False,
                            False)


def _haproxy(which='current', first=0):
    hap = haproxy.HAProxy.__new__(haproxy.HAProxy)
    hap._search = _search(which)
    hap._found = processes()[first:]
    return hap


def _things(first=0):
    hap = _haproxy(first=first)
    backends = [internal._Backend(process, 'backend_proc1', 4) for process in hap._processes]
    return [hap,
            frontend.Frontend([internal._Frontend(process, 'frontend_proc1', 2)
                               for process in hap._processes]),
            backend.Backend(backends),
            server.Server([internal._Server(each, 'member1_proc1', 1) for each in backends],
                          'backend_proc1'),
            patterns.Map(hap._processes, '#0', _listed(0)),
            patterns.Acl(hap._processes, '#4', _listed(4)),
            tables.Table('st_src', hap._processes, 'string'),
            resolvers.ResolversSection('dns1', hap._processes),
            peers.PeersSection('mypeers', hap._processes), session_on(hap._processes[-1]),
            crt_lists.CrtList('/list.txt', hap._processes),
            certificates.Certificate('/www.pem', hap._processes),
            ca_files.CaFile('DIR/ca-bind.pem', hap._processes),
            ca_files.CrlFile('DIR/crl.pem', hap._processes)]


def _listed(number):
    return Listed(number, '', 'pattern loaded from line 1', None, None)


def session_on(process):
    """Return a session of a process."""
    return sessions.Session(Answer(process, 0, ['Name: HAProxy', 'Version: 3.4.0', 'Process_num: 1', 'Pid: 1', 'Uptime_sec: 1']), SESSION)


def change_of(process):
    """Return the change of a certificate in a process."""
    return CertificateChange(process, '/www.pem', parse_bundle(PEM))


def change_on(process):
    """Return a change of a CRL file of a process."""
    return CrlFileChange(process, 'DIR/crl.pem', parse_lists(injection.NO_LIST))


def server_on(process):
    """Return a server of a process."""
    return internal._Server(internal._Backend(process, 'backend_proc1', 4), 'member1_proc1', 1)


def _calls():
    """Return all public calls by name, as functions without arguments."""
    calls = _calls_of_things()
    newest = _calls_of_things(first=len(VERSIONS) - 1)
    calls.update((label + ' of 3.4', newest[label]) for label in ON_3_4)
    for name in sorted(PATHS):
        # 1.5 cannot do it.
        calls['HAProxy.{0} from 2.2 on'.format(name)] = lambda name=name: getattr(
            _haproxy(first=1), name)(PATHS[name], **OPTIONS.get('HAProxy.' + name, {}))
    calls.update(_collection_calls())
    calls.update((label + ' of 3.4', call)
                 for label, call in _collection_calls(first=len(VERSIONS) - 1).items())
    calls['_HAProxyProcess.level'] = lambda: run(
        level_operation(_things()[0]._processes[1].endpoint))
    calls['Search.find'] = lambda: _search().find()
    calls['HAProxy.requests of former workers'] = lambda: _haproxy('all').requests
    calls['with Server.out_of_rotation'] = lambda: _things(first=1)[3].out_of_rotation(
        timeout=0, back_within=0, restore_on_error=True).__enter__()
    return calls


def _calls_of_things(first=0):
    """Return all methods and properties of all objects.

    :param first: the number of the first version.
    """
    calls = collections.OrderedDict()
    for place, kind in enumerate(injection.CLASSES.values()):
        for name in injection.public(kind):
            attribute = getattr(kind, name)
            label = '{0}.{1}'.format(kind.__name__, name)
            if not isinstance(attribute, property):
                calls[label] = _call_of(
                    place, kind.__name__, name, attribute, first)
                continue
            calls[label] = lambda place=place, name=name: getattr(_things(first)[place], name)
            if attribute.fset:
                value = '127.0.0.1' if name == 'address' else 8080
                calls[label + '='] = lambda place=place, name=name, value=value: setattr(
                    _things(first)[place], name, value)
    return calls


def _call_of(place, kind, name, method, first):
    arguments = dict(ARGUMENTS, name=METRICS[kind] if name == 'metric' else NAMES.get(kind),
                     path=PATHS.get(name), address=ADDRESSES.get(name, '127.0.0.1'),
                     entries=ENTRIES.get(kind))
    options = OPTIONS.get('{0}.{1}'.format(kind, name), {})
    wanted = [arguments[argument] for argument in injection.required(method)
              if argument not in options]
    # Tables are made when they are printed, views of a map and changes when they are read.
    return lambda: _used(getattr(_things(first)[place], name)(*wanted, **options))


def _used(value):
    # Entries of a stick table and changes are read when somebody iterates.
    repr(list(value) if hasattr(value, 'isdisjoint') or hasattr(value, 'send') or isinstance(
        value, itertools.chain) else value)


def _collection_calls(first=0):
    """Return what operators of ACLs and maps do, which includes most of their methods."""
    def made(place):
        return _things(first)[place]
    return collections.OrderedDict([
        ('Map[]', lambda: made(4).get('k')), ('Map[]=', lambda: made(4).__setitem__('k', 'v')),
        ('Map[]= of a blank', lambda: made(4).__setitem__('k k', 'v v')),
        ('Map[]= of #', lambda: made(4).__setitem__('#k', 'v')),
        ('del Map[]', lambda: made(4).pop('k', None)),
        ('Map.update of several', lambda: made(4).update(a='b', c='d')),
        ('Acl |=', lambda: made(5).__ior__(['a', 'b'])),
        ('Acl -=', lambda: made(5).__isub__(['a', 'b'])),
        ('Acl ^=', lambda: made(5).__ixor__(['a', 'b'])),
        ('Acl &=', lambda: made(5).__iand__(['a', 'b']))])


def answered(call, data):
    """Make a public call for which every process returns the same bytes.

    :raises Undocumented: for an undocumented ValueError; other exceptions propagate.
    """
    exchange_all = transport.exchange_all
    stream_all, streams.stream_all = streams.stream_all, streaming(data)
    transport.exchange_all = answering(lambda request: data)
    most, replies.MAX_ROUNDS = replies.MAX_ROUNDS, 3
    try:
        call()
    except exceptions.HAProxyBaseError as error:
        _read(error)
    except KeyError:
        if call not in MAY_LACK:
            raise
    except ValueError as error:
        if not str(error).startswith(NOT_THERE + NOT_FOR_A_FILE):
            raise Undocumented(repr(error))
    finally:
        transport.exchange_all, replies.MAX_ROUNDS = exchange_all, most
        streams.stream_all = stream_all


def answering(answer):
    """Return a replacement for ``exchange_all`` that calls ``answer`` for each request."""
    def exchange_all(requests, follow=None):
        outcomes = []
        for place, request in enumerate(requests):
            while request is not None:
                outcome = answer(request)
                request = follow(place, outcome) if follow else None
            outcomes.append(outcome)
        return outcomes
    return exchange_all


def streaming(data):
    """Return a replacement for ``stream_all``: the first process answers at once, others do not."""
    def stream_all(requests):
        for place, _ in enumerate(requests):
            for start in range(0, len(data) - 1, 100) if place else ():
                yield place, streams.Part(data[start:min(start + 100, len(data) - 1)])
            yield place, data[-1:] if place else data
    return stream_all


def _read(error):
    str(error), repr(error), error.results, error.by_socket


def parsed(parse, data):
    """Call a parser, ignoring the ValueError for bytes that are not a reply."""
    try:
        parse(data)
    except ValueError:
        pass


CALLS = _calls()
# A key that is not there is a KeyError.
MAY_LACK = [CALLS[name] for name in (
    'Map.pop', 'Map.popitem', 'Acl.pop', 'Acl.remove')]
TARGETS = list(PARSERS) + list(CALLS)


def feed(target, data):
    """Pass bytes to a target."""
    if target in PARSERS:
        parsed(PARSERS[target], data)
    else:
        answered(CALLS[target], data)


def seeds():
    """Return captured replies of all versions, long ones shortened to whole lines."""
    found = []
    for version in captured.VERSIONS:
        for name in ('info.txt', 'stat.csv', 'acl.txt', 'acl_4.txt', 'map.txt', 'map_7.txt',
                     'errors.txt', 'cli_level.txt', 'help.txt', 'resolvers.txt', 'peers.txt'):
            if captured.has_dump(version, name):
                found.append(captured.dump(version, name))
    for version in ('1.5', '2.2', '3.4'):
        info, stat = captured.dump(version, 'info.txt'), captured.dump(version, 'stat.csv')
        found.append(info + stat)
        listed = captured.dump(version, 'sess.txt')
        found += [listed + info, captured.dump(version, 'sess_all.txt') + info,
                  (SESSION + '\n\n').encode('ascii') + info]
        if version != '1.5':
            state, = [case['reply'].encode('utf-8') for case in captured.replies(
                command_prefix='show servers state backend_proc1') if case['version'] == version]
            found += [state, info + state + stat]
            if version == '3.4':
                with open(PATHS['restore_servers_state'], 'wb') as saved:
                    saved.write(state)
    found.extend(case['reply'].encode('utf-8')
                 for case in captured.replies() + captured.tables() + captured.crt_lists()
                 + captured.ca_files())
    found += TEXTS + [b'', b'\n', b'\n\n', b'Done.\n\n', b'Permission denied\n\n', b'Key not found.\n\n']
    return sorted(set(_shortened(reply) for reply in found))


def _shortened(reply, size=4000):
    if len(reply) <= size:
        return reply
    lines = reply.split(b'\n')
    kept = [lines[0]]
    for line in lines[1:]:
        if sum(map(len, kept)) > size:
            break
        kept.append(line)
    return b'\n'.join(kept) + b'\n\n'


# atheris

def main(words):
    """Run all targets for the given number of seconds; return the exit status."""
    import atheris
    seconds = int(words[0])
    count = [0]
    started = time.time()

    def one(data):
        count[0] += 1
        if data:
            feed(TARGETS[data[0] % len(TARGETS)], data[1:])

    corpus = tempfile.mkdtemp(prefix='haproxyadmin-')
    try:
        for number, seed in enumerate(seeds()):
            for first in range(number % 7, len(TARGETS), 7):
                path = os.path.join(corpus, '{0}-{1}'.format(number, first))
                with open(path, 'wb') as file:
                    file.write(bytes([first]) + seed)
        # Fuzz() never returns: it ends the process, so it runs in a child.
        child = os.fork()
        if not child:
            atheris.instrument_all()
            atheris.Setup([sys.argv[0], '-max_total_time=%d' % seconds, '-max_len=8192',
                           '-timeout=30', '-rss_limit_mb=2048', '-print_final_stats=1', corpus],
                          one)
            atheris.Fuzz()
        _, status = os.waitpid(child, 0)
    finally:
        shutil.rmtree(corpus)
    print('{0} targets, {1} seeds, {2:.0f} s: {3}'.format(
        len(TARGETS), len(seeds()), time.time() - started,
        'only documented exceptions' if status == 0 else 'FAILED'))
    return 1 if status else 0


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
