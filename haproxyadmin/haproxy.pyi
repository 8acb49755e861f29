import ssl
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Literal, NamedTuple, TypeVar, overload

from haproxyadmin.backend import BACKEND_METRICS as BACKEND_METRICS, Backend
from haproxyadmin.common import _Path, _Progress, _Ref
from haproxyadmin.differences import Difference
from haproxyadmin.frontend import FRONTEND_METRICS as FRONTEND_METRICS, Frontend
from haproxyadmin.maps import PatternMethods
from haproxyadmin.patterns import Acl, Map
from haproxyadmin.peers import PeersSection
from haproxyadmin.reading import Reading
from haproxyadmin.resolvers import ResolversSection
from haproxyadmin.server import (SERVER_METRICS as SERVER_METRICS, STATE_DISABLE as STATE_DISABLE,
                                 STATE_DRAIN as STATE_DRAIN, STATE_ENABLE as STATE_ENABLE,
                                 STATE_MAINT as STATE_MAINT, STATE_READY as STATE_READY,
                                 VALID_STATES as VALID_STATES, Server)
from haproxyadmin.servers_state import NotRestored
from haproxyadmin.sessions import Session, SessionsEnded
from haproxyadmin.snapshot import Snapshot
from haproxyadmin.tables import Table
from haproxyadmin.tls import TlsMethods
from haproxyadmin.watch import Change
from haproxyadmin.workers import ReloadResult, Worker

__all__ = ['BACKEND_METRICS', 'FRONTEND_METRICS', 'HAPROXY_METRICS', 'HAProxy', 'Refreshed',
           'SERVER_METRICS',
           'STATE_DISABLE', 'STATE_DRAIN', 'STATE_ENABLE', 'STATE_MAINT', 'STATE_READY',
           'VALID_STATES']

HAPROXY_METRICS: list[str]
_T = TypeVar('_T')

class Refreshed(NamedTuple):
    joined: list[str]
    left: list[str]
    left_out: list[tuple[str, Exception]]

class HAProxy(PatternMethods, TlsMethods, Reading):
    def __init__(
        self, socket_dir: _Path | None = None, socket_file: _Path | None = None,
        retry: int | None = 2, retry_interval: float = 2, timeout: float | None = 1,
        addresses: _Path | Iterable[_Path] | None = None,
        master: _Path | Iterable[_Path] | None = None,
        workers: Literal['current', 'all'] = 'current', ssl_context: ssl.SSLContext | None = None,
        allow_missing: bool = False, allow_plain_secrets: bool = False) -> None: ...
    @property
    def left_out(self) -> list[tuple[str, Exception]]: ...
    def refresh(self) -> Refreshed: ...
    def map(self, ref: _Ref) -> Map: ...
    def maps(self) -> list[Map]: ...
    def acl(self, ref: _Ref) -> Acl: ...
    def acls(self) -> list[Acl]: ...
    def tables(self) -> list[Table]: ...
    def table(self, name: str) -> Table: ...
    def resolvers(self) -> list[ResolversSection]: ...
    def resolvers_section(self, name: str) -> ResolversSection: ...
    def peers(self) -> list[PeersSection]: ...
    def peers_section(self, name: str) -> PeersSection: ...
    def sessions(
        self, server: str | Server | None = None, backend: str | Backend | None = None,
        frontend: str | Frontend | None = None, source: str | None = None, older_than: float | None = None,
        younger_than: float | None = None) -> list[Session]: ...
    def session(self, id: str, socket: _Path | None = None) -> Session: ...
    @overload
    def shutdown_sessions(
        self, server: str | Server | None = None, backend: str | Backend | None = None,
        frontend: str | Frontend | None = None, source: str | None = None, older_than: float | None = None,
        younger_than: float | None = None, die: Literal[True] = True) -> SessionsEnded: ...
    @overload
    def shutdown_sessions(
        self, server: str | Server | None = None, backend: str | Backend | None = None,
        frontend: str | Frontend | None = None, source: str | None = None, older_than: float | None = None,
        younger_than: float | None = None, die: bool = True) -> SessionsEnded | Literal[False]: ...
    def workers(self) -> list[Worker]: ...
    @overload
    def reload(
        self, timeout: float = 30, interval: float = 0.05, progress: _Progress | None = None,
        die: Literal[True] = True) -> ReloadResult: ...
    @overload
    def reload(
        self, timeout: float = 30, interval: float = 0.05, progress: _Progress | None = None,
        die: bool = True) -> ReloadResult | Literal[False]: ...
    def snapshot(self) -> Snapshot: ...
    @overload
    def wait_until(
        self, condition: Callable[[Snapshot], _T], timeout: float, interval: float = 0.5,
        progress: _Progress | None = None, die: Literal[True] = True) -> _T: ...
    @overload
    def wait_until(
        self, condition: Callable[[Snapshot], _T], timeout: float, interval: float = 0.5,
        progress: _Progress | None = None, die: bool = True) -> _T | Literal[False]: ...
    def watch(self, interval: float = 1, timeout: float | None = None) -> Iterator[Change]: ...
    @overload
    def differences(
        self, maps: bool = False, acls: bool = False, certificates: bool = False,
        die: Literal[True] = True) -> list[Difference]: ...
    @overload
    def differences(
        self, maps: bool = False, acls: bool = False, certificates: bool = False,
        die: bool = True) -> list[Difference] | Literal[False]: ...
    def servers_state(self, backend: str | None = None) -> list[dict[str, Any]]: ...
    def save_servers_state(
        self, path: _Path, servers: Iterable[str | Server] | None = None,
        socket: _Path | None = None, die: bool = True) -> bool: ...
    @overload
    def restore_servers_state(
        self, path: _Path, socket: _Path | None = None, timeout: float = 5, interval: float = 0.01,
        progress: _Progress | None = None, die: Literal[True] = True) -> list[NotRestored]: ...
    @overload
    def restore_servers_state(
        self, path: _Path, socket: _Path | None = None, timeout: float = 5, interval: float = 0.01,
        progress: _Progress | None = None,
        die: bool = True) -> list[NotRestored] | Literal[False]: ...
    def setmaxconn(self, value: int, die: bool = True) -> bool: ...
    def setratelimitconn(self, value: int, die: bool = True) -> bool: ...
    def setratelimitsess(self, value: int, die: bool = True) -> bool: ...
    def setratelimitsslsess(self, value: int, die: bool = True) -> bool: ...
    def clearcounters(self, all: bool = False, die: bool = True) -> bool: ...
    @overload
    def command(
        self, cmd: str | bytes, die: Literal[True] = True) -> list[tuple[int, list[str]]]: ...
    @overload
    def command(
        self, cmd: str | bytes,
        die: bool = True) -> list[tuple[int, list[str]]] | Literal[False]: ...
    @overload
    def errors(
        self, iid: int | None = None,
        die: Literal[True] = True) -> list[tuple[int, list[str]]]: ...
    @overload
    def errors(
        self, iid: int | None = None,
        die: bool = True) -> list[tuple[int, list[str]]] | Literal[False]: ...

def __dir__() -> list[str]: ...
