# SPDX-License-Identifier: Apache-2.0
"""Wrong calls, which type checkers have to report; the end of each such line is mypy's code.

They are never run. Right calls are in ``calls.py``.
"""
import datetime

from haproxyadmin import exceptions, haproxy
from haproxyadmin.backend import Backend
from haproxyadmin.ca_files import CaFile, CrlFile
from haproxyadmin.certificates import Certificate, Updated
from haproxyadmin.crt_lists import CrtList, CrtListEntry
from haproxyadmin.frontend import Frontend
from haproxyadmin.haproxy import HAProxy
from haproxyadmin.ocsp import OcspResponse
from haproxyadmin.patterns import Acl, Map
from haproxyadmin.peers import PeersSection
from haproxyadmin.resolvers import NameServer, ResolversSection
from haproxyadmin.server import Server
from haproxyadmin.sessions import Session
from haproxyadmin.snapshot import Snapshot
from haproxyadmin.tables import Table, TableEntry
from haproxyadmin.watch import Change
from haproxyadmin.workers import Worker


def missing_arguments(hap: HAProxy, backend: Backend, server: Server, table: Table,
                      certificate: Certificate, crt_list: CrtList, hosts: Map) -> None:
    hap.frontend()  # E: call-arg
    hap.backend()  # E: call-arg
    hap.metric()  # E: call-arg
    hap.add_map(0, 'www')  # E: call-arg
    hap.wait_until(lambda snapshot: True)  # E: call-overload
    hap.add_certificate('/etc/haproxy/www.pem')  # E: call-overload
    hap.set_tls_ticket_key('/etc/haproxy/tickets.key')  # E: call-arg
    hap.save_servers_state()  # E: call-arg
    backend.add_server('web9')  # E: call-overload
    server.setweight()  # E: call-arg
    server.setstate()  # E: call-arg
    server.drain()  # E: call-overload
    server.takeout(keep_up=1)  # E: call-overload
    table.set(http_req_rate=0)  # E: call-arg
    table.remove()  # E: call-arg
    certificate.update()  # E: call-overload
    crt_list.add(options='alpn h2')  # E: call-overload
    hosts.sync()  # E: call-overload


def wrong_types(hap: HAProxy, backend: Backend, server: Server, frontend: Frontend) -> None:
    HAProxy(socket_dir=1)  # E: arg-type
    HAProxy(timeout='1')  # E: arg-type
    HAProxy(retry=2.5)  # E: arg-type
    HAProxy(workers='former')  # E: arg-type
    HAProxy(ssl_context=True)  # E: arg-type
    hap.setmaxconn('5000')  # E: arg-type
    hap.setratelimitconn(0.5)  # E: arg-type
    hap.metric('CurrConns', 'median')  # E: arg-type
    hap.metric(7)  # E: arg-type
    hap.command(['show info'])  # E: call-overload
    hap.map(None)  # E: arg-type
    hap.wait_until('ready', timeout=5)  # E: call-overload
    hap.wait_until(lambda snapshot: snapshot.up, timeout=5)  # E: attr-defined
    hap.watch(interval='1')  # E: arg-type
    hap.reload(progress=True)  # E: call-overload
    hap.reload(progress=lambda done, total: print(done, total))  # E: arg-type, misc
    hap.save_servers_state('/var/lib/haproxy/state', servers=server)  # E: arg-type
    frontend.setmaxconn(None)  # E: arg-type
    server.setstate(True)  # E: arg-type
    server.setweight(0.5)  # E: arg-type
    server.sethealth('drain')  # E: arg-type
    server.setssl('on')  # E: arg-type
    server.drain(timeout='30')  # E: call-overload
    server.drain(timeout=None)  # E: call-overload
    server.takeout(30, keep_up='all')  # E: call-overload
    server.setaddress(80)  # E: arg-type
    server.address = 80  # E: assignment
    server.port = None  # E: assignment
    backend.add_server('web9', '10.0.0.9:80', check='yes')  # E: call-overload
    backend.add_server('web9', '10.0.0.9:80', inter=['2s'])  # E: call-overload


def wrong_types_of_patterns(hap: HAProxy, hosts: Map, paths: Acl) -> None:
    hap.add_acl(None, '/static/')  # E: arg-type
    hap.add_acl(6, None)  # E: arg-type
    hap.add_acl_entries(6, 7)  # E: arg-type
    hap.add_map_entries(0, ['www'])  # E: list-item
    hosts['www'] = None  # E: assignment
    hosts.replace(['www'])  # E: list-item
    hosts.sync(7)  # E: call-overload
    paths.add(['/static/'])  # E: arg-type
    paths.update(7)  # E: arg-type
    paths['/static/']  # E: index
    paths.load_file(7)  # E: arg-type


def wrong_types_of_families(hap: HAProxy, table: Table, certificate: Certificate, ca_file: CaFile,
                            crl_file: CrlFile, crt_list: CrtList, entry: CrtListEntry) -> None:
    table.entries(where=('gpc0', '>', 1))  # E: arg-type
    table.entries(where=[('gpc0', '>', '1')])  # E: list-item
    table.entries(where='gpc0 > 1')  # E: arg-type
    table.set('10.0.0.9', http_req_rate='0')  # E: arg-type
    table.remove(None)  # E: arg-type
    table.clear(where=[('gpc0', 1)])  # E: list-item
    certificate.update(None)  # E: call-overload
    certificate.update('PEM', ocsp='BASE64')  # E: call-overload
    ca_file.update(pem=['PEM'])  # E: call-overload
    ca_file.add(7)  # E: call-overload
    crl_file.update('PEM', ocsp=b'DER')  # E: call-overload
    crt_list.add('/etc/haproxy/www.pem', '*.www.test')  # E: call-overload
    crt_list.add('/etc/haproxy/www.pem', options=['alpn'])  # E: call-overload
    crt_list.add(entry)  # E: call-overload
    crt_list.remove('/etc/haproxy/www.pem', line='7')  # E: call-overload
    hap.add_certificate('/etc/haproxy/www.pem', 'PEM', sni='*.www.test')  # E: call-overload
    hap.set_ocsp_response('BASE64')  # E: arg-type
    hap.set_tls_ticket_key('/etc/haproxy/tickets.key', 7)  # E: arg-type
    hap.sessions(older_than='60')  # E: arg-type
    hap.session(7)  # E: arg-type
    hap.table(0)  # E: arg-type


def unknown_keywords(hap: HAProxy, server: Server, table: Table, certificate: Certificate) -> None:
    HAProxy(socket='/run/stats.sock')  # E: call-arg
    hap.frontends(names='www')  # E: call-arg
    hap.sessions(older=60)  # E: call-arg
    hap.shutdown_sessions(sever='web1')  # E: call-overload
    hap.refresh(die=False)  # E: call-arg
    hap.watch(die=False)  # E: call-arg
    server.setweight(20, dye=False)  # E: call-arg
    server.takeout(30, keepup=1)  # E: call-overload
    server.out_of_rotation(die=False)  # E: call-arg
    table.entries(die=False)  # E: call-arg
    certificate.details(die=False)  # E: call-arg


def misspelt_names(hap: HAProxy, backend: Backend, server: Server, snapshot: Snapshot) -> None:
    hap.front_ends()  # E: attr-defined
    hap.backend('web').severs()  # E: attr-defined
    hap.certificates()[0].expires  # E: attr-defined
    backend.weight  # E: attr-defined
    server.set_weight(20)  # E: attr-defined
    server.backend  # E: attr-defined
    snapshot.refresh()  # E: attr-defined
    snapshot.setmaxconn(5000)  # E: attr-defined
    haproxy.STATE_UP  # E: attr-defined
    exceptions.TimeOut  # E: attr-defined


def read_only_properties(hap: HAProxy, server: Server, frontend: Frontend, table: Table,
                         session: Session, certificate: Certificate, hosts: Map) -> None:
    hap.maxconn = 5000  # E: misc
    server.weight = 20  # E: misc
    server.status = 'MAINT'  # E: misc
    server.name = 'web2'  # E: misc
    frontend.maxconn = 100  # E: misc
    table.size = 1000  # E: misc
    session.server = 'web1'  # E: misc
    certificate.names = []  # E: misc
    hosts.file = '/etc/haproxy/new.map'  # E: misc


def methods_are_no_properties(server: Server, session: Session, backend: Backend) -> None:
    server.weight()  # E: operator
    server.is_up()  # E: operator
    session.details.text  # E: attr-defined
    for _ in backend.servers:  # E: attr-defined
        pass


def refused_calls(hap: HAProxy, server: Server, table: Table, certificate: Certificate,
                  session: Session, die: bool) -> None:
    """With ``die=False`` a method may return False."""
    for _ in hap.command('show info', die=False):  # E: union-attr
        pass
    hap.show_map(0, die=False).sort()  # E: union-attr
    len(hap.differences(die=False))  # E: arg-type
    hap.reload(die=die).new_pids  # E: union-attr
    server.drain(30, die=False).sessions  # E: union-attr
    table.clear(die=False).left  # E: union-attr
    certificate.update('PEM', die=die).changed  # E: union-attr
    session.shutdown(die=False).changed  # E: union-attr
    updated: Updated = hap.update_certificate('www', 'PEM', die=False)  # E: assignment
    print(updated)
    server.setweight(20).weight  # E: attr-defined
    server.setweight(20, die=None)  # E: arg-type
    server.drain(30, die='no')  # E: call-overload


def wrong_fields(hap: HAProxy, server: Server, entry: TableEntry, worker: Worker, change: Change,
                 name_server: NameServer) -> None:
    hap.refresh().added  # E: attr-defined
    server.drain(30).ended  # E: attr-defined
    entry.value  # E: attr-defined
    entry.key = '10.0.0.9'  # E: misc
    worker.is_current  # E: attr-defined
    number, name = worker  # E: misc
    change.time  # E: attr-defined
    change.kind == 'sever'  # E: comparison-overlap
    name_server.counters['sent'] + '1'  # E: operator
    hap.tls_ticket_keys()[0].key  # E: attr-defined
    print(number, name)


def none_is_possible(certificate: Certificate, session: Session, response: OcspResponse,
                     entry: CrtListEntry, hosts: Map) -> None:
    certificate.expires_in // 86400  # E: operator
    certificate.not_after > datetime.datetime.now()  # E: operator
    certificate.subject.split('/')  # E: union-attr
    session.age > 60  # E: operator
    session.server.upper()  # E: union-attr
    response.expires_in < 3600  # E: operator
    response.by_socket[0][1].der.hex()  # E: union-attr
    entry.options.split()  # E: union-attr
    hosts.lookup('www').value.upper()  # E: union-attr


def wrong_use_of_results(hap: HAProxy, server: Server, resolvers: ResolversSection,
                         peers: PeersSection, table: Table) -> None:
    weight: str = server.weight  # E: assignment
    port: int = server.port  # E: assignment
    server.weight + '%'  # E: operator
    hap.backend('web')[0]  # E: index
    hap.frontends().name  # E: attr-defined
    hap.frontends()['www']  # E: call-overload
    hap.server('web1').setweight(20)  # E: attr-defined
    resolvers.nameservers()['one']  # E: call-overload
    peers.peer('two').counters.tx_hbt  # E: attr-defined
    table.entries()[0]  # E: index
    hap.metric('CurrConns').value  # E: attr-defined
    hap.overview() + '\n'  # E: operator
    with server.out_of_rotation() as taken:
        taken.back  # E: attr-defined
    with server.drain(30):  # E: attr-defined
        pass
    print(weight, port)
