from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from haproxyadmin.internal import _HAProxyProcess

__all__ = ['Content', 'OcspResponse', 'OcspUpdated', 'list_all', 'set_response', 'update_response']

class Content(NamedTuple):
    status: str | None
    produced_at: datetime | None
    this_update: datetime | None
    next_update: datetime | None
    revoked_at: datetime | None
    der: bytes | None

class OcspResponse(NamedTuple):
    certificate: str | None
    id: str
    serial: str
    issuer_name_hash: str
    issuer_key_hash: str
    status: str | None
    this_update: datetime | None
    next_update: datetime | None
    revoked_at: datetime | None
    is_same: bool
    by_socket: list[tuple[str, Content]]
    @property
    def expires_in(self) -> int | None: ...

class OcspUpdated(NamedTuple):
    changed: bool | None
    by_socket: list[tuple[str, bool | None]]

def list_all(processes: Sequence[_HAProxyProcess]) -> list[OcspResponse]: ...
def set_response(processes: Sequence[_HAProxyProcess], der: bytes) -> bool: ...
def update_response(
    processes: Sequence[_HAProxyProcess], name: str, wait: Any) -> OcspUpdated: ...

def __dir__() -> list[str]: ...
