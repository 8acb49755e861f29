from typing import Any, NamedTuple

from haproxyadmin.common import Named

__all__ = ['Peer', 'PeerState', 'PeersSection']

# The values of fields are integers and texts; in `PeerState.fields` also dicts of these.
class PeerState(NamedTuple):
    name: str
    address: str
    is_local: bool
    is_connected: bool
    status: str
    fields: dict[str, Any]
    tables: list[dict[str, Any]]

class Peer(NamedTuple):
    name: str
    is_local: bool
    is_connected: bool
    counters: dict[str, int]
    by_socket: list[tuple[str, PeerState]]

class PeersSection(Named):
    def peers(self) -> list[Peer]: ...
    def peer(self, name: str) -> Peer: ...
    def fields_per_process(self) -> list[tuple[int, dict[str, Any]]]: ...
    def fields_per_socket(self) -> list[tuple[str, dict[str, Any]]]: ...

def __dir__() -> list[str]: ...
