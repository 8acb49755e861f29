from collections.abc import Sequence
from typing import NamedTuple

from haproxyadmin.common import _Path
from haproxyadmin.internal import _HAProxyProcess

__all__ = ['TicketKeys', 'list_all', 'set_key']

class TicketKeys(NamedTuple):
    id: int | None
    file: str
    by_socket: list[tuple[str, int]]

def list_all(processes: Sequence[_HAProxyProcess]) -> list[TicketKeys]: ...
def set_key(
    processes: Sequence[_HAProxyProcess], file: _Path | int, key: bytes | str) -> bool: ...

def __dir__() -> list[str]: ...
