from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from haproxyadmin.common import _Path, _Progress
from haproxyadmin.internal import _HAProxyProcess
from haproxyadmin.server import Server

__all__ = ['NotRestored', 'read_states', 'restore', 'save']

class NotRestored(NamedTuple):
    server: str
    field: str
    wanted: str | int
    reason: str
    socket_file: str | None

# All values are text, except for `process_nb`, a number.
def read_states(
    processes: Sequence[_HAProxyProcess], backend: str | None = None) -> list[dict[str, Any]]: ...
def save(
    processes: Sequence[_HAProxyProcess], path: _Path, servers: Iterable[Server | str] | None = None,
    socket: str | None = None) -> bool: ...
def restore(
    processes: Sequence[_HAProxyProcess], path: _Path, socket: str | None = None,
    timeout: float = 5, interval: float = 0.01,
    progress: _Progress | None = None) -> list[NotRestored]: ...

def __dir__() -> list[str]: ...
