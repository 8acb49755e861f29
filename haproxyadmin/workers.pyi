import builtins
from typing import Any, NamedTuple

from haproxyadmin.common import _Progress

__all__ = ['ReloadResult', 'Worker', 'Workers']

class ReloadResult(NamedTuple):
    succeeded: bool
    output: str
    old_pids: list[int]
    new_pids: list[int]

class Worker(NamedTuple):
    pid: int
    current: bool
    reloads: int
    uptime: int
    version: str
    number: int
    master: str

class Workers:
    def __init__(self, masters: Any) -> None: ...
    def list(self) -> builtins.list[Worker]: ...
    def reload_all(
        self, timeout: float, interval: float, progress: _Progress | None) -> ReloadResult: ...

def __dir__() -> list[str]: ...
