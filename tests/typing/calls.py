# SPDX-License-Identifier: Apache-2.0
"""Right calls of everything that is public, for type checkers; it is never run.

Each function takes objects of the classes that it is about. What a name returns is held by
``assert_type``, which is exact, or by an annotation. ``tests/house/test_typed_calls.py`` finds out
what is missing here, ``tests/house/test_types.py`` has it checked. Wrong calls are in
``wrong_calls.py``.
"""
import datetime
import ipaddress
import pathlib
import socket
import ssl
import uuid
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Literal

from typing_extensions import assert_type

import haproxyadmin
from haproxyadmin import exceptions, haproxy, utils
from haproxyadmin.backend import Backend
from haproxyadmin.ca_files import Authority, CaFile, CrlFile, RevocationList
from haproxyadmin.certificates import (Certificate, CertificateDetails, ChainCertificate, Done,
                                       Updated)
from haproxyadmin.crt_lists import Added, CrtList, CrtListEntry, Removed
from haproxyadmin.differences import Difference
from haproxyadmin.frontend import Frontend
from haproxyadmin.haproxy import HAProxy, Refreshed
from haproxyadmin.internal import _Backend, _Frontend, _HAProxyProcess, _Server
from haproxyadmin.ocsp import Content, OcspResponse, OcspUpdated
from haproxyadmin.overview import Overview
from haproxyadmin.patterns import Acl, Delta, Entry, Map, Match
from haproxyadmin.peers import Peer, PeersSection, PeerState
from haproxyadmin.resolvers import NameServer, ResolversSection
from haproxyadmin.rotation import BroughtBack, Drained, OutOfRotation, TakenOut
from haproxyadmin.server import Server, Servers
from haproxyadmin.servers_state import NotRestored
from haproxyadmin.sessions import Ended, Session, SessionDetails, SessionsEnded
from haproxyadmin.snapshot import Snapshot
from haproxyadmin.tables import Cleared, Table, TableEntry
from haproxyadmin.testing import (VERSIONS, ConfigurationRefused, FakeHAProxy, HAProxyFailed,
                                  HAProxyNotFound, NotUnderstood, ThrowawayHAProxy, faults,
                                  wait_until)
from haproxyadmin.testing.configuration import Configuration
from haproxyadmin.testing.faults import Fault
from haproxyadmin.testing.masters import FakeMaster
from haproxyadmin.testing.process import FakeProcess
from haproxyadmin.testing.throwaway import Count, Origin
from haproxyadmin.tickets import TicketKeys
from haproxyadmin.utils import CSVLine
from haproxyadmin.watch import Change
from haproxyadmin.workers import ReloadResult, Worker, Workers

ADDRESS = ipaddress.ip_address('10.0.0.9')


# HAProxy as a whole

def construction(context: ssl.SSLContext) -> None:
    hap = HAProxy(
        socket_dir='/run/haproxy', socket_file='/run/haproxy/stats.sock', retry=None,
        retry_interval=0.5, timeout=None, addresses=['10.0.0.1:9999', pathlib.Path('/run/stats')],
        master='/run/master.sock', workers='all', ssl_context=context, allow_missing=True,
        allow_plain_secrets=False)
    assert_type(hap, HAProxy)
    assert_type(haproxyadmin.HAProxy('/run/haproxy'), HAProxy)
    HAProxy(socket_dir=pathlib.Path('/run/haproxy'), retry=3, timeout=1.5)
    HAProxy(addresses='ssl@10.0.0.1:9999', master=['/run/one.sock', '/run/two.sock'])


def reading(hap: HAProxy | Snapshot) -> None:
    assert_type(hap.processids, list[int])
    assert_type(hap.description, str)
    assert_type(hap.nodename, str)
    assert_type(hap.releasedate, str)
    assert_type(hap.version, str)
    assert_type(hap.uptime, str)
    assert_type(hap.uptimesec, int)
    assert_type(hap.totalrequests, int)
    assert_type(hap.requests, int)
    assert_type(hap.maxconn, int)
    assert_type(hap.ratelimitconn, int)
    assert_type(hap.ratelimitsess, int)
    assert_type(hap.ratelimitsslsess, int)
    assert_type(hap.info(), list[dict[str, str]])
    assert_type(hap.metric('CurrConns'), int)
    assert_type(hap.metric(name='CurrConns', rule='max'), int)
    assert_type(hap.metric_per_process('CurrConns'), list[tuple[int, int]])
    assert_type(hap.metric_per_socket('CurrConns'), list[tuple[str, int]])
    assert_type(hap.metrics(rule='nature'), dict[str, int])
    rows: list[dict[str, Any]] = hap.stats()
    print(rows[0]['scur'] + 1)
    assert_type(hap.overview(), Overview)
    assert_type(hap.overview(pattern='web*', width=80), Overview)
    assert_type(hap.frontends(), list[Frontend])
    assert_type(hap.frontends(name='www'), list[Frontend])
    assert_type(hap.frontend('www'), Frontend)
    assert_type(hap.backends(), list[Backend])
    assert_type(hap.backends(name='web'), list[Backend])
    assert_type(hap.backend('web'), Backend)
    assert_type(hap.servers(backend='web'), Servers)
    assert_type(hap.server('web1', backend='web'), Servers)


def objects_as_names(hap: HAProxy, frontend: Frontend, backend: Backend, server: Server) -> None:
    assert_type(hap.frontend(frontend), Frontend)
    assert_type(hap.backend(backend), Backend)
    assert_type(hap.servers(backend=backend), Servers)
    assert_type(hap.server('web', backend=backend), Servers)
    assert_type(hap.sessions(backend=backend, server=server, frontend=frontend), list[Session])


def snapshots(snapshot: Snapshot) -> None:
    assert_type(snapshot.taken_at, float)


def whole(hap: HAProxy) -> None:
    assert_type(hap.left_out, list[tuple[str, Exception]])
    assert_type(hap.refresh(), Refreshed)
    assert_type(hap.snapshot(), Snapshot)
    assert_type(hap.setmaxconn(5000, die=False), bool)
    assert_type(hap.setratelimitconn(100, die=False), bool)
    assert_type(hap.setratelimitsess(100, die=False), bool)
    assert_type(hap.setratelimitsslsess(100, die=False), bool)
    assert_type(hap.clearcounters(all=True, die=False), bool)
    assert_type(hap.command('show info'), list[tuple[int, list[str]]])
    assert_type(hap.command(cmd='show info', die=False),
                list[tuple[int, list[str]]] | Literal[False])
    assert_type(hap.errors(), list[tuple[int, list[str]]])
    assert_type(hap.errors(iid=3, die=False), list[tuple[int, list[str]]] | Literal[False])


def refreshes(refreshed: Refreshed) -> None:
    assert_type(refreshed.joined, list[str])
    assert_type(refreshed.left, list[str])
    assert_type(refreshed.left_out, list[tuple[str, Exception]])


def is_ready(snapshot: Snapshot) -> int:
    return len(snapshot.backends())


def waiting(hap: HAProxy) -> None:
    assert_type(hap.wait_until(lambda snapshot: snapshot.backend('web').is_up, 5), bool)
    assert_type(hap.wait_until(is_ready, timeout=5.5, interval=0.1), int)
    assert_type(hap.wait_until(
        condition=is_ready, timeout=5, interval=1, progress=lambda how: print(how.done, how.total),
        die=False), int | Literal[False])
    assert_type(hap.watch(), Iterator[Change])
    for change in hap.watch(interval=0.5, timeout=60):
        assert_type(change, Change)


def changes(change: Change) -> None:
    assert_type(change.when, float)
    kind: str = change.kind
    assert_type(change.name, str)
    assert_type(change.field, str)
    assert_type(change.before, str | int | None)
    assert_type(change.after, str | int | None)
    print(kind)


def differing(hap: HAProxy, difference: Difference) -> None:
    assert_type(hap.differences(), list[Difference])
    assert_type(hap.differences(maps=True, acls=True, certificates=True, die=False),
                list[Difference] | Literal[False])
    kind: str = difference.kind
    assert_type(difference.name, str)
    assert_type(difference.field, str)
    by_socket: list[tuple[str, Any]] = difference.by_socket
    print(kind, by_socket)


def states(hap: HAProxy, not_restored: NotRestored, server: Server) -> None:
    rows: list[dict[str, Any]] = hap.servers_state(backend='web')
    print(rows[0]['srv_addr'], rows[0]['process_nb'] + 1)
    assert_type(hap.save_servers_state('/var/lib/haproxy/state'), bool)
    assert_type(hap.save_servers_state(
        path=pathlib.Path('/var/lib/haproxy/state'), servers=[server, 'web/web2'],
        socket='/run/stats.sock', die=False), bool)
    hap.save_servers_state('/var/lib/haproxy/state', hap.backend('web').servers())
    assert_type(hap.restore_servers_state('/var/lib/haproxy/state'), list[NotRestored])
    assert_type(hap.restore_servers_state(
        path='/var/lib/haproxy/state', socket='/run/stats.sock', timeout=5, interval=0.01,
        progress=lambda how: print(how.what), die=False), list[NotRestored] | Literal[False])
    assert_type(not_restored.server, str)
    assert_type(not_restored.field, str)
    assert_type(not_restored.wanted, str | int)
    assert_type(not_restored.reason, str)
    assert_type(not_restored.socket_file, str | None)


def tell(how: Any) -> None:
    print(how.done, how.total, how.what)


def masters(hap: HAProxy, worker: Worker, result: ReloadResult) -> None:
    assert_type(hap.workers(), list[Worker])
    assert_type(hap.reload(), ReloadResult)
    assert_type(hap.reload(timeout=60, interval=0.1, progress=tell, die=False),
                ReloadResult | Literal[False])
    assert_type(worker.pid, int)
    assert_type(worker.current, bool)
    assert_type(worker.reloads, int)
    assert_type(worker.uptime, int)
    assert_type(worker.version, str)
    assert_type(worker.number, int)
    assert_type(worker.master, str)
    assert_type(result.succeeded, bool)
    assert_type(result.output, str)
    assert_type(result.old_pids, list[int])
    assert_type(result.new_pids, list[int])


def all_workers(workers: Workers) -> None:
    assert_type(workers.list(), list[Worker])
    assert_type(workers.reload_all(timeout=30, interval=0.1, progress=tell), ReloadResult)


# Frontends, backends and servers

def named(named: Frontend | Backend | Server | CrtList | Table | Certificate | CaFile | CrlFile
          | ResolversSection | PeersSection) -> None:
    assert_type(named.name, str)
    assert_type(named.process_nb, list[int])
    print(named == 'web', named != 'web', hash(named), {named: 1})


def facades(facade: Frontend | Backend | Server) -> None:
    assert_type(facade.requests, int)
    assert_type(facade.status, str)
    assert_type(facade.metric('scur'), int)
    assert_type(facade.metric(name='scur', rule='max'), int)
    assert_type(facade.metrics(rule='nature'), dict[str, int])
    assert_type(facade.metric_per_process('scur'), list[tuple[int, int]])
    assert_type(facade.metric_per_socket('scur'), list[tuple[str, int]])
    assert_type(facade.requests_per_process(), list[tuple[int, int]])
    assert_type(facade.requests_per_socket(), list[tuple[str, int]])
    assert_type(facade.stats_per_process(), list[tuple[int, dict[str, str]]])
    assert_type(facade.stats_per_socket(), list[tuple[str, dict[str, str]]])


def frontends(frontend: Frontend) -> None:
    assert_type(frontend.iid, int)
    assert_type(frontend.maxconn, int)
    assert_type(frontend.is_open, bool)
    assert_type(frontend.enable(die=False), bool)
    assert_type(frontend.disable(die=False), bool)
    assert_type(frontend.shutdown(die=False), bool)
    assert_type(frontend.setmaxconn(value=100, die=False), bool)


def backends(backend: Backend) -> None:
    assert_type(backend.iid, int)
    assert_type(backend.is_up, bool)
    assert_type(backend.server('web1'), Server)
    servers = backend.servers(name='web1')
    assert_type(backend.servers(name='web1'), Servers)
    assert_type(backend.add_server(
        'web9', '10.0.0.9:80', weight=50, check=True, ready=False, inter='2s', rise=2, ssl=True,
        source=('10.0.0.1', 'usesrc', 'client')), Server)
    assert_type(backend.add_server('web9', '10.0.0.9:80', die=False), Server | Literal[False])
    assert_type(backend.del_server(
        'web9', timeout=30, interval=0.5, progress=tell, die=False), bool)
    assert_type(len(backend), int)
    assert_type(backend['web1'], Server)
    for server in backend:
        assert_type(server, Server)
    print(servers, 'web1' in backend, servers[0] in backend, 'there' if backend else '')


def servers(server: Server) -> None:
    assert_type(server.backendname, str)
    assert_type(server.sid, int)
    assert_type(server.weight, int)
    assert_type(server.initial_weight, int)
    assert_type(server.address, str)
    assert_type(server.port, str)
    server.address = '10.0.0.9'
    server.address = ADDRESS
    server.port = 8080
    server.port = '8080'
    assert_type(server.is_up, bool)
    assert_type(server.is_down, bool)
    assert_type(server.is_draining, bool)
    assert_type(server.is_maintenance, bool)
    assert_type(server.is_checked, bool)
    assert_type(server.check_status, str)
    assert_type(server.check_code, int | str)
    assert_type(server.last_status, str)
    assert_type(server.last_agent_check, str)
    assert_type(server.setstate(haproxy.STATE_DISABLE), bool)
    assert_type(server.setstate(state='ready', die=False), bool)
    for state in haproxy.VALID_STATES:
        server.setstate(state)
    assert_type(server.setweight(20), bool)
    assert_type(server.setweight('20%', die=False), bool)
    assert_type(server.shutdown(die=False), bool)
    assert_type(server.setaddress(ADDRESS, port=80, die=False), bool)
    assert_type(server.setmaxconn(100, die=False), bool)
    assert_type(server.setfqdn('www.example.com', die=False), bool)
    assert_type(server.setssl(True, die=False), bool)
    assert_type(server.sethealth('stopping', die=False), bool)
    assert_type(server.setagent('down', die=False), bool)
    assert_type(server.enable_health(die=False), bool)
    assert_type(server.disable_health(die=False), bool)
    assert_type(server.enable_agent(die=False), bool)
    assert_type(server.disable_agent(die=False), bool)
    assert_type(server.setcheckaddr('10.0.0.9', port=80, die=False), bool)
    assert_type(server.setcheckport(80, die=False), bool)
    assert_type(server.setagentaddr('10.0.0.9', port=80, die=False), bool)
    assert_type(server.setagentsend('hello', die=False), bool)


def rotation(server: Server) -> None:
    assert_type(server.drain(30), Drained)
    assert_type(server.drain(timeout=30, interval=0.1, progress=tell, die=False),
                Drained | Literal[False])
    assert_type(server.takeout(timeout=30), TakenOut)
    assert_type(server.takeout(
        timeout=30, drain_for=10.5, shutdown_sessions=True, keep_up=1, interval=0.1, progress=tell,
        die=False), TakenOut | Literal[False])
    assert_type(server.bringback(30.5), BroughtBack)
    assert_type(server.bringback(timeout=30, interval=0.1, progress=tell, die=False),
                BroughtBack | Literal[False])
    assert_type(server.out_of_rotation(
        timeout=30, back_within=30, keep_up=None, restore_on_error=True, drain_for=10,
        shutdown_sessions=True, interval=0.1, progress=tell), OutOfRotation)
    with server.out_of_rotation(timeout=30) as taken:
        assert_type(taken, TakenOut)
    # After it, because type checkers know that it does not swallow exceptions.
    assert_type(taken.sessions, int)


def out(out: OutOfRotation, drained: Drained, taken: TakenOut, back: BroughtBack) -> None:
    assert_type(out.taken, TakenOut | None)
    assert_type(out.back, BroughtBack | None)
    assert_type(drained.sessions, int)
    assert_type(drained.seconds, float)
    assert_type(drained.changed, bool)
    assert_type(drained.reloaded, bool)
    assert_type(taken.sessions, int)
    assert_type(taken.seconds, float)
    assert_type(taken.changed, bool)
    assert_type(taken.reloaded, bool)
    assert_type(taken.ended, int)
    assert_type(taken.tracked_by, list[str])
    assert_type(back.seconds, float)
    assert_type(back.changed, bool)
    assert_type(back.reloaded, bool)
    sessions, seconds, changed, reloaded = drained
    assert_type(seconds, float)
    print(sessions, changed, reloaded)


def overviews(overview: Overview, servers: Servers) -> None:
    assert_type(servers[0], Server)
    assert_type(servers._repr_html_(), str | None)
    assert_type(str(overview), str)
    assert_type(overview._repr_html_(), str)


# ACLs and maps

def pattern_methods(hap: HAProxy) -> None:
    assert_type(hap.show_acl(), list[str])
    assert_type(hap.show_acl(aclid=6, acl='/etc/haproxy/paths.acl', die=False),
                list[str] | Literal[False])
    assert_type(hap.get_acl(6, '/static/'), str)
    assert_type(hap.get_acl(acl=6, value=ADDRESS, die=False), str | Literal[False])
    assert_type(hap.add_acl(6, '/static/', die=False), bool)
    assert_type(hap.del_acl(6, key='/static/', die=False), bool)
    assert_type(hap.clear_acl(acl=6, die=False), bool)
    assert_type(hap.add_acl_entries(6, ['/static/', '/js/'], die=False), bool)
    assert_type(hap.add_acl_entries(6, (str(number) for number in range(10))), bool)
    assert_type(hap.add_acl_entries(6, ipaddress.ip_network('10.0.0.0/8').hosts()), bool)
    assert_type(hap.del_acl_entries(6, keys={'/static/'}, die=False), bool)
    assert_type(hap.show_map(), list[str])
    assert_type(hap.show_map(mapid=0, map='/etc/haproxy/hosts.map', die=False),
                list[str] | Literal[False])
    assert_type(hap.get_map(0, 'www'), str)
    assert_type(hap.get_map(mapid=0, value='www', die=False), str | Literal[False])
    assert_type(hap.add_map(0, 'www', 'web', die=False), bool)
    assert_type(hap.set_map(0, 'www', uuid.uuid4(), die=False), bool)
    assert_type(hap.del_map(0, key='www', die=False), bool)
    assert_type(hap.clear_map(mapid=0, die=False), bool)
    assert_type(hap.add_map_entries(0, [('www', 'web'), ('api', 'app')], die=False), bool)
    assert_type(hap.add_map_entries(0, {'www': 'web'}), bool)
    assert_type(hap.del_map_entries(0, ['www'], die=False), bool)


def finding_patterns(hap: HAProxy) -> None:
    assert_type(hap.map(ref='/etc/haproxy/hosts.map'), Map)
    assert_type(hap.maps(), list[Map])
    assert_type(hap.acl(ref=6), Acl)
    assert_type(hap.acls(), list[Acl])


def collections(collection: Map | Acl) -> None:
    assert_type(collection.name, str)
    assert_type(collection.id, int)
    assert_type(collection.file, str)
    assert_type(collection.description, str)
    assert_type(collection.current_version, int | None)
    assert_type(collection.next_version, int | None)
    assert_type(collection.process_nb, list[int])
    collection.refresh()
    assert_type(collection.entries(), list[Entry])
    assert_type(collection.lookup('www'), Match)
    assert_type(collection.lookup(ADDRESS), Match)
    assert_type(collection.load_file('/etc/haproxy/new', atomic=False, die=False), bool)
    assert_type(collection.save_file(), bool)
    assert_type(collection.save_file(pathlib.Path('/etc/haproxy/new'), die=False), bool)
    collection.clear()
    assert_type(len(collection), int)
    print('www' in collection)
    for key in collection:
        assert_type(key, str)


def maps(hosts: Map) -> None:
    assert_type(hosts['www'], str)
    hosts['www'] = 'web'
    hosts['www'] = 8080
    del hosts['www']
    hosts.update({'www': 'web'}, api='app')
    hosts.update([('www', 'web')])
    assert_type(hosts.copy(), dict[str, str])
    assert_type(hosts.get('www'), str | None)
    assert_type(hosts.pop('www'), str)
    assert_type(hosts | {'www': 'web'}, dict[str, str])
    hosts |= {'www': 'web'}
    assert_type(hosts, Map)
    for key, value in hosts.items():
        assert_type(value, str)
        print(key)
    assert_type(hosts.diff({'www': 'web'}), Delta[tuple[str, str]])
    assert_type(hosts.replace({'www': 'web'}), bool)
    assert_type(hosts.replace([('www', 'web')], atomic=False, die=False), bool)
    assert_type(hosts.sync([('www', 'web')]), Delta[tuple[str, str]])
    assert_type(hosts.sync({'www': 'web'}, die=False), Delta[tuple[str, str]] | Literal[False])


def acls(paths: Acl) -> None:
    paths.add('/static/')
    paths.discard('/static/')
    paths.remove('/static/')
    paths.update(['/static/'], ('/js/',))
    paths.difference_update({'/static/'})
    assert_type(paths.copy(), set[str])
    paths |= {'/static/'}
    paths -= {'/static/'}
    paths &= {'/static/'}
    paths ^= {'/static/'}
    assert_type(paths, Acl)
    assert_type(paths.diff(['/static/']), Delta[str])
    assert_type(paths.replace(['/static/'], atomic=False, die=False), bool)
    assert_type(paths.sync(['/static/']), Delta[str])
    assert_type(paths.sync({'/static/'}, die=False), Delta[str] | Literal[False])


def in_patterns(entry: Entry, match: Match, delta: Delta[tuple[str, str]]) -> None:
    assert_type(entry.reference, str)
    assert_type(entry.key, str)
    assert_type(entry.value, str | None)
    assert_type(match.found, bool)
    assert_type(match.type, str | None)
    assert_type(match.case, str | None)
    assert_type(match.index, str | None)
    assert_type(match.key, str | None)
    assert_type(match.value, str | None)
    assert_type(match.value_type, str | None)
    assert_type(delta.added, list[tuple[str, str]])
    assert_type(delta.changed, list[tuple[str, str, str]])
    assert_type(delta.removed, list[tuple[str, str]])
    print('changed' if delta else 'same', 'there' if match else 'missing')


# Stick tables

def tables(hap: HAProxy, table: Table, entry: TableEntry, cleared: Cleared) -> None:
    assert_type(hap.tables(), list[Table])
    assert_type(hap.table(name='clients'), Table)
    assert_type(table.type, str)
    assert_type(table.size, int)
    assert_type(table.used, int)
    assert_type(table.peers, list[str])
    assert_type(table.entries(), Iterator[TableEntry])
    assert_type(table.entries(key=ADDRESS), Iterator[TableEntry])
    where = [('http_req_rate', '>', 100)]
    where.append(('gpc0', '>=', 1))
    for one in table.entries(key='10.0.0.9', where=where):
        assert_type(one, TableEntry)
        table.remove(one.key)
    assert_type(table.set('10.0.0.9', die=False, http_req_rate=0, gpc0=1), bool)
    assert_type(table.set(key=7), bool)
    assert_type(table.remove('10.0.0.9', die=False), bool)
    assert_type(table.clear(), Cleared)
    assert_type(table.clear(where=[('gpc0', '>', 1)], die=False), Cleared | Literal[False])
    assert_type(entry.key, int | str)
    assert_type(entry.process_nb, int)
    assert_type(entry.socket_file, str)
    assert_type(entry.use, int)
    assert_type(entry.expiry, int)
    data: dict[str, Any] = entry.data
    print(data['http_req_rate(10000)'] + 1)
    assert_type(cleared.left, int)


# Sessions

def sessions(hap: HAProxy, server: Server, ended: SessionsEnded) -> None:
    assert_type(hap.sessions(), list[Session])
    assert_type(hap.sessions(
        server='web1', backend='web', frontend='www', source='10.0.0.0/8', older_than=60,
        younger_than=99.5), list[Session])
    assert_type(hap.sessions(server=server), list[Session])
    assert_type(hap.session(id='0x7f9c15495c00', socket='/run/stats.sock'), Session)
    assert_type(hap.shutdown_sessions(server), SessionsEnded)
    assert_type(hap.shutdown_sessions(
        server='web1', backend='web', frontend='www', source='10.0.0.9', older_than=60,
        younger_than=99.5, die=False), SessionsEnded | Literal[False])
    assert_type(ended.ended, int)
    assert_type(ended.gone, int)
    assert_type(ended.left, int)
    assert_type(ended.by_socket, list[tuple[str, int]])


def session(session: Session, ended: Ended, details: SessionDetails) -> None:
    assert_type(session.id, str)
    assert_type(session.process_nb, int)
    assert_type(session.socket_file, str)
    assert_type(session.proto, str)
    assert_type(session.source, str | None)
    assert_type(session.source_port, int | None)
    assert_type(session.frontend, str | None)
    assert_type(session.backend, str | None)
    assert_type(session.server, str | None)
    assert_type(session.age, int | None)
    assert_type(session.expires, int | None)
    assert_type(session.calls, int | None)
    assert_type(session.rate, int | None)
    assert_type(session.cpu, int | None)
    assert_type(session.lat, int | None)
    assert_type(session.fields, dict[str, str])
    assert_type(session.details(), SessionDetails)
    assert_type(session.shutdown(), Ended)
    assert_type(session.shutdown(die=False), Ended | Literal[False])
    print(session == session, session != session, {session})
    assert_type(ended.changed, bool)
    assert_type(details.unique_id, int)
    assert_type(details.accepted, str)
    assert_type(details.flags, str)
    assert_type(details.frontend_address, str | None)
    assert_type(details.backend_address, str | None)
    assert_type(details.server_address, str | None)
    assert_type(details.fields, dict[str, str])
    assert_type(details.text, str)


# Resolvers and peers

def resolvers(hap: HAProxy, section: ResolversSection, server: NameServer) -> None:
    assert_type(hap.resolvers(), list[ResolversSection])
    assert_type(hap.resolvers_section(name='dns'), ResolversSection)
    assert_type(section.nameservers(), list[NameServer])
    assert_type(section.nameserver(name='one'), NameServer)
    assert_type(section.nameservers_per_process(), list[tuple[int, list[NameServer]]])
    assert_type(section.nameservers_per_socket(), list[tuple[str, list[NameServer]]])
    assert_type(server.name, str)
    assert_type(server.counters, dict[str, int])
    assert_type(server.unanswered, int)


def peers(hap: HAProxy, section: PeersSection, peer: Peer, state: PeerState) -> None:
    assert_type(hap.peers(), list[PeersSection])
    assert_type(hap.peers_section(name='mypeers'), PeersSection)
    assert_type(section.peers(), list[Peer])
    assert_type(section.peer(name='two'), Peer)
    of_each: list[tuple[int, dict[str, Any]]] = section.fields_per_process()
    by_socket: list[tuple[str, dict[str, Any]]] = section.fields_per_socket()
    assert_type(peer.name, str)
    assert_type(peer.is_local, bool)
    assert_type(peer.is_connected, bool)
    assert_type(peer.counters, dict[str, int])
    assert_type(peer.by_socket, list[tuple[str, PeerState]])
    assert_type(state.name, str)
    assert_type(state.address, str)
    assert_type(state.is_local, bool)
    assert_type(state.is_connected, bool)
    assert_type(state.status, str)
    fields: dict[str, Any] = state.fields
    shared: list[dict[str, Any]] = state.tables
    print(fields['tx_hbt'] + 1, shared[0]['local_id'], of_each, by_socket)


# TLS

def certificates(hap: HAProxy, ocsp: bytes, pem: bytes) -> None:
    assert_type(hap.certificates(), list[Certificate])
    assert_type(hap.certificate(name='/etc/haproxy/www.pem'), Certificate)
    assert_type(hap.update_certificate('/etc/haproxy/www.pem', 'PEM'), Updated)
    assert_type(hap.update_certificate(
        name='/etc/haproxy/www.pem', pem=pem, previous=pem, ocsp=ocsp, die=False),
        Updated | Literal[False])
    assert_type(hap.add_certificate('/etc/haproxy/www.pem', 'PEM'), Updated)
    assert_type(hap.add_certificate(
        name='/etc/haproxy/www.pem', pem=pem, crt_list='/etc/haproxy/list.txt',
        sni=['*.example.com'], ocsp=ocsp, die=False), Updated | Literal[False])


def tls_files(tls_file: Certificate | CaFile | CrlFile) -> None:
    assert_type(tls_file.status, str)
    assert_type(tls_file.transaction, bool)
    assert_type(tls_file.transaction_per_process(), list[tuple[int, bool]])
    assert_type(tls_file.transaction_per_socket(), list[tuple[str, bool]])
    assert_type(tls_file.update('PEM'), Updated)
    assert_type(tls_file.update(pem=b'PEM', previous='PEM', die=False), Updated | Literal[False])
    assert_type(tls_file.abort(), Done)
    assert_type(tls_file.abort(die=False), Done | Literal[False])
    assert_type(tls_file.delete(), Done)
    assert_type(tls_file.delete(die=False), Done | Literal[False])


def certificate(certificate: Certificate, ocsp: bytes) -> None:
    assert_type(certificate.details(), CertificateDetails)
    assert_type(certificate.details_per_process(), list[tuple[int, CertificateDetails]])
    assert_type(certificate.details_per_socket(), list[tuple[str, CertificateDetails]])
    assert_type(certificate.update('PEM', ocsp=ocsp), Updated)


def details(details: Certificate | CertificateDetails) -> None:
    assert_type(details.status, str)
    assert_type(details.chain, list[ChainCertificate])


def read_certificates(details: Certificate | CertificateDetails | Authority) -> None:
    assert_type(details.subject, str | None)
    assert_type(details.issuer, str | None)
    assert_type(details.serial, str | None)
    assert_type(details.not_before, datetime.datetime | None)
    assert_type(details.not_after, datetime.datetime | None)
    assert_type(details.expires_in, int | None)
    assert_type(details.names, list[str])
    assert_type(details.algorithm, str | None)
    assert_type(details.fingerprints, dict[str, str])


def of_certificates(link: ChainCertificate, updated: Updated, done: Done) -> None:
    assert_type(link.subject, str)
    assert_type(link.issuer, str)
    assert_type(updated.changed, bool)
    assert_type(updated.in_use, bool)
    assert_type(updated.by_socket, list[tuple[str, str]])
    assert_type(done.changed, bool)


def crt_lists(hap: HAProxy, crt_list: CrtList, entry: CrtListEntry, added: Added,
              removed: Removed) -> None:
    assert_type(hap.crt_lists(), list[CrtList])
    assert_type(hap.crt_list(name='/etc/haproxy/list.txt'), CrtList)
    assert_type(crt_list.entries(), list[CrtListEntry])
    assert_type(crt_list.entries_per_process(), list[tuple[int, list[CrtListEntry]]])
    assert_type(crt_list.entries_per_socket(), list[tuple[str, list[CrtListEntry]]])
    assert_type(crt_list.add('/etc/haproxy/www.pem', ['*.www.test']), Added)
    assert_type(crt_list.add(
        certificate='/etc/haproxy/www.pem', sni=('*.www.test', '!old.www.test'), options='alpn h2',
        die=False), Added | Literal[False])
    crt_list.add('/etc/haproxy/www.pem', (name for name in {'www.test', 'api.test'}))
    assert_type(crt_list.remove('/etc/haproxy/www.pem'), Removed)
    assert_type(crt_list.remove(certificate=entry, line=7, die=False), Removed | Literal[False])
    assert_type(entry.certificate, str)
    assert_type(entry.sni, list[str])
    assert_type(entry.options, str | None)
    assert_type(entry.line, int | None)
    assert_type(added.changed, bool)
    assert_type(removed.changed, bool)


def authorities(hap: HAProxy, ca_file: CaFile, pem: str) -> None:
    assert_type(hap.ca_files(), list[CaFile])
    assert_type(hap.ca_file(name='/etc/haproxy/clients.pem'), CaFile)
    assert_type(hap.add_ca_file('clients.pem', pem), Updated)
    assert_type(hap.add_ca_file(name='clients.pem', pem=pem, die=False), Updated | Literal[False])
    assert_type(ca_file.certificates(), list[Authority])
    assert_type(ca_file.certificates_per_process(), list[tuple[int, list[Authority]]])
    assert_type(ca_file.certificates_per_socket(), list[tuple[str, list[Authority]]])
    assert_type(ca_file.add(pem), Updated)
    assert_type(ca_file.add(pem=pem, die=False), Updated | Literal[False])


def revocations(hap: HAProxy, crl_file: CrlFile, pem: str, revoked: RevocationList) -> None:
    assert_type(hap.crl_files(), list[CrlFile])
    assert_type(hap.crl_file(name='/etc/haproxy/revoked.pem'), CrlFile)
    assert_type(hap.add_crl_file('revoked.pem', pem), Updated)
    assert_type(hap.add_crl_file(name='revoked.pem', pem=pem, die=False), Updated | Literal[False])
    assert_type(crl_file.lists(), list[RevocationList])
    assert_type(crl_file.lists_per_process(), list[tuple[int, list[RevocationList]]])
    assert_type(crl_file.lists_per_socket(), list[tuple[str, list[RevocationList]]])
    assert_type(revoked.issuer, str)
    assert_type(revoked.last_update, datetime.datetime)
    assert_type(revoked.next_update, datetime.datetime)
    assert_type(revoked.revoked, list[str])
    assert_type(revoked.is_complete, bool)


def ocsp(hap: HAProxy, der: bytes, response: OcspResponse, content: Content,
         updated: OcspUpdated) -> None:
    assert_type(hap.ocsp_responses(), list[OcspResponse])
    assert_type(hap.set_ocsp_response(der=der, die=False), bool)
    assert_type(hap.update_ocsp_response('/etc/haproxy/www.pem'), OcspUpdated)
    assert_type(hap.update_ocsp_response(
        name='/etc/haproxy/www.pem', timeout=60, interval=0.2, progress=tell, die=False),
        OcspUpdated | Literal[False])
    assert_type(response.certificate, str | None)
    assert_type(response.id, str)
    assert_type(response.serial, str)
    assert_type(response.issuer_name_hash, str)
    assert_type(response.issuer_key_hash, str)
    assert_type(response.expires_in, int | None)
    assert_type(response.is_same, bool)
    assert_type(response.by_socket, list[tuple[str, Content]])
    assert_type(content.produced_at, datetime.datetime | None)
    assert_type(content.der, bytes | None)
    assert_type(updated.changed, bool | None)
    assert_type(updated.by_socket, list[tuple[str, bool | None]])


def responses(content: OcspResponse | Content) -> None:
    assert_type(content.status, str | None)
    assert_type(content.this_update, datetime.datetime | None)
    assert_type(content.next_update, datetime.datetime | None)
    assert_type(content.revoked_at, datetime.datetime | None)


def tickets(hap: HAProxy, keys: TicketKeys, key: bytes) -> None:
    assert_type(hap.tls_ticket_keys(), list[TicketKeys])
    assert_type(hap.set_tls_ticket_key('/etc/haproxy/tickets.key', key), bool)
    assert_type(hap.set_tls_ticket_key(file=0, key='BASE64', die=False), bool)
    assert_type(keys.id, int | None)
    assert_type(keys.file, str)
    assert_type(keys.by_socket, list[tuple[str, int]])


# Exceptions

def errors(error: exceptions.HAProxyBaseError) -> None:
    assert_type(error.message, str)
    results: Sequence[tuple[int, Any]] = error.results
    by_socket: Sequence[tuple[str, Any]] = error.by_socket
    for failure in error.failures:
        assert_type(failure.index, int)
        assert_type(failure.process_nb, int)
        assert_type(failure.socket_file, str)
        assert_type(failure.message, str)
        print(failure.entry)
    assert_type(len(error.failures), int)
    assert_type(error.command, str | None)
    assert_type(error.socket_file, str | None)
    assert_type(error.undone, Sequence[str])
    assert_type(error.not_undone, Sequence[str])
    assert_type(error.replaced, Sequence[str])
    print(results, by_socket, error.result)
    error.set_results([(1, 'no')], [('/run/stats.sock', 'no')])
    error.set_context(command='show info', socket_file='/run/stats.sock')


def caught(hap: HAProxy) -> None:
    try:
        hap.setmaxconn(5000)
    except exceptions.NotSupported as not_supported:
        assert_type(not_supported.needs, str | None)
        assert_type(not_supported.has, str | None)
    except exceptions.Conflict as conflict:
        assert_type(conflict.polluted, bool)
    except exceptions.ReloadFailed as failed:
        assert_type(failed.result, ReloadResult | None)
    except exceptions.CommandFailed as refused:
        assert_type(refused, exceptions.CommandFailed)
    except (exceptions.IncosistentData, exceptions.MultipleCommandResults) as differing:
        print(differing.by_socket)
    except exceptions.NoHAProxyFound as nothing:
        assert_type(nothing.cause, exceptions.HAProxySocketError | None)
    except exceptions.HAProxySocketError as lost:
        assert_type(lost.socket_file, str)
        assert_type(lost.undelivered, bool)
        assert_type(lost.is_final, bool)
        assert_type(lost.errno, int | None)
        assert_type(lost.strerror, str | None)
    except exceptions.WaitTimeout as late:
        print(late.result)
    as_error: OSError = exceptions.SocketTimeout('/run/stats.sock')
    as_key: KeyError = exceptions.NoSuchObject('web1')
    as_value: ValueError = exceptions.NoHAProxyFound('/run/stats.sock')
    print(as_error, as_key, as_value)


# Functions, constants, and what one process has

def functions(line: CSVLine, processes: list[_HAProxyProcess]) -> None:
    assert_type(utils.calculate('scur', [1, 2]), int)
    assert_type(utils.check_command([(1, 'Done.')]), bool)
    assert_type(utils.check_command_addr_port('addr', [(1, 'Done.')]), bool)
    assert_type(utils.check_output(['Permission denied']), bool)
    results: list[tuple[int, Any]] = utils.cmd_across_all_procs(
        processes, 'command', 'show info', full_output=True)
    assert_type(utils.compare_values([(1, len('UP')), (2, 2)]), int)
    assert_type(utils.connected_socket('/run/stats.sock', timeout=2), bool)
    assert_type(utils.converter('1'), int | str | None)
    assert_type(utils.elements_of_list_same([1, 1]), bool)
    assert_type(utils.info2dict(['Name: HAProxy']), dict[str, str])
    assert_type(utils.is_unix_socket('/run/stats.sock'), bool)
    assert_type(utils.isint('1'), bool)
    assert_type(line.scur, str)
    assert_type(line.parts, list[str])
    assert_type(line.heads, list[str])
    assert_type(CSVLine(parts=['1']), CSVLine)
    assert_type(utils.stat2dict(csv_data=['# pxname'])['frontends'], dict[str, CSVLine])
    stats = utils.stat2dict(['# pxname,svname', 'www,FRONTEND'])
    assert_type(stats['backends']['web']['servers'], dict[str, CSVLine])
    print(utils.should_die(len)('123', die=False), results)


def constants() -> None:
    assert_type(haproxyadmin.HAPROXY_METRICS, list[str])
    assert_type(haproxyadmin.FRONTEND_METRICS, list[str])
    assert_type(haproxyadmin.BACKEND_METRICS, list[str])
    assert_type(haproxyadmin.SERVER_METRICS, list[str])
    assert_type(utils.METRICS_SUM, list[str])
    assert_type(utils.METRICS_AVG, list[str])
    nature: str = utils.METRICS_NATURE['scur']
    states: list[str] = [
        haproxyadmin.STATE_ENABLE, haproxyadmin.STATE_DISABLE, haproxyadmin.STATE_READY,
        haproxyadmin.STATE_DRAIN, haproxyadmin.STATE_MAINT]
    print(nature, states, haproxyadmin.VALID_STATES)


def process(process: _HAProxyProcess) -> None:
    assert_type(process.process_nb, int)
    assert_type(process.version, object)
    assert_type(process.socket_file, str)
    assert_type(process.retry, int | None)
    assert_type(process.retry_interval, float)
    assert_type(process.timeout, float | None)
    assert_type(process.command('show info'), str)
    assert_type(process.command('show info', full_output=True), list[str])
    assert_type(process.proc_info(), dict[str, str])
    assert_type(process.metric('CurrConns'), int)
    assert_type(process.stats(iid=-1, obj_type=-1, sid=-1)['frontends'], dict[str, CSVLine])
    assert_type(process.frontends_stats(iid=3), dict[str, CSVLine])
    assert_type(process.backends_stats(iid=3)['web']['stats'], CSVLine | None)
    assert_type(process.frontends(name='www'), list[_Frontend])
    assert_type(process.backends(name='web'), list[_Backend])


def member(member: _Frontend | _Backend | _Server) -> None:
    assert_type(member.name, str)
    assert_type(member.process_nb, int)
    assert_type(member.hap_process, _HAProxyProcess)
    assert_type(member.socket_file, str)
    assert_type(member.command('show info'), str)
    assert_type(member.metric('scur'), int)
    assert_type(member.stats(), dict[str, str])
    assert_type(member.stats_data(), CSVLine)


def members(frontend: _Frontend, backend: _Backend, server: _Server) -> None:
    assert_type(frontend.iid, int)
    assert_type(backend.iid, int)
    assert_type(backend.servers(name='web1'), list[_Server])
    assert_type(server.backend, _Backend)
    assert_type(server.sid, int)
    assert_type(server.backendname, str)


# Tests

def throwaway(haproxy: ThrowawayHAProxy) -> None:
    assert_type(haproxy.hap, HAProxy)
    assert_type(haproxy.version, str)
    assert_type(haproxy.directory, str)
    assert_type(haproxy.config_file, str)
    assert_type(haproxy.socket_dir, str)
    assert_type(haproxy.socket_files, list[str])
    assert_type(haproxy.master_files, list[str])
    assert_type(haproxy.pids, list[int])
    assert_type(haproxy.log, str)
    assert_type(haproxy.connect(timeout=1), HAProxy)
    assert_type(haproxy.url('www', number=2), str)
    assert_type(haproxy.origin('web', 'web1'), Origin)
    haproxy.configure('listen b\n')
    haproxy.reload()
    haproxy.stop()


def throwaways() -> None:
    try:
        ThrowawayHAProxy(version='2.6', binary='/usr/sbin/haproxy')
    except (ConfigurationRefused, HAProxyFailed, HAProxyNotFound) as error:
        assert_type(error, ConfigurationRefused | HAProxyFailed | HAProxyNotFound)
    files: dict[str, str | bytes] = {'hosts.map': 'a b\n', 'www.pem': b''}
    with ThrowawayHAProxy('listen a\n', processes=2, files=files) as haproxy:
        assert_type(haproxy, ThrowawayHAProxy)


def origin(origin: Origin, count: Count) -> None:
    assert_type(origin.port, int)
    assert_type(origin.count(), Count)
    assert_type(count.arrived, int)
    assert_type(count.open, int)
    assert_type(count.cut, int)
    origin.serve()
    origin.refuse()
    origin.stall()
    origin.agent('drain')


def fake(haproxy: FakeHAProxy) -> None:
    assert_type(haproxy.hap, HAProxy)
    assert_type(haproxy.version, str)
    assert_type(haproxy.strict, bool)
    assert_type(haproxy.directory, str)
    assert_type(haproxy.socket_dir, str)
    assert_type(haproxy.configuration, Configuration)
    assert_type(haproxy.processes, list[FakeProcess])
    assert_type(haproxy.masters, list[FakeMaster])
    assert_type(haproxy.socket_files, list[str])
    assert_type(haproxy.addresses, list[str])
    assert_type(haproxy.master_files, list[str])
    assert_type(haproxy.problems, list[str])
    assert_type(haproxy.commands, list[list[str]])
    assert_type(haproxy.log, str)
    assert_type(haproxy.connect(retry=None), HAProxy)
    assert_type(haproxy.add('old.sock', number=2, pid=7, version='1.8', level='user'), FakeProcess)
    haproxy.answer('show pools', reply=['one', 'two'])
    haproxy.set('web', 'web1', column='qcur', value=3)
    haproxy.fail(fault=faults.silent())
    haproxy.heal()
    haproxy.configure(text='listen a\n')
    haproxy.restart(version='2.6')
    haproxy.reload()
    haproxy.stop()


def fakes() -> None:
    assert_type(VERSIONS, list[str])
    with FakeHAProxy(
            '2.6', 'listen a\n', faults=[faults.gone()], processes=2, files={'a.map': 'a b\n'}, tcp=True,
            level='operator', master=True, strict=False) as haproxy:
        assert_type(haproxy, FakeHAProxy)
    try:
        haproxy.stop()
    except NotUnderstood as error:
        assert_type(error, NotUnderstood)
    assert_type(wait_until(lambda: 'it', 'it is there', seconds=3), str)
    assert_type(
        Fault(lambda process, client: None, command='show', process=1, times=2, at_once=None), Fault)
    for fault in [
            faults.answering(times=2), faults.late(0.1, command='set'), faults.cut(3, process=2),
            faults.closing(), faults.closing_at_once(), faults.reset('a'), faults.denied(),
            faults.slow(1, 0.1, reply='a'), faults.replying(b'a'), faults.keeping_open('> '),
            faults.silent(), faults.refusing(), faults.gone(), faults.restarted('2.6')]:
        assert_type(fault, Fault)


def a_fault(fault: Fault, process: FakeProcess, client: socket.socket) -> None:
    assert_type(fault.command, str | None)
    assert_type(fault.process, int | None)
    assert_type(fault.times, int | None)
    assert_type(fault.behavior, Callable[[FakeProcess, socket.socket], object])
    assert_type(fault.at_once, Callable[[FakeProcess], object] | None)
    assert_type(fault(process, client), object)
