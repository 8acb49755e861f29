from collections.abc import Sequence
from types import TracebackType
from typing import Any, NamedTuple

from haproxyadmin.common import _Progress
from haproxyadmin.internal import _Server

__all__ = ['BroughtBack', 'Drained', 'OutOfRotation', 'TakenOut', 'bring_back', 'drain', 'take_out']

class Drained(NamedTuple):
    sessions: int
    seconds: float
    changed: bool
    reloaded: bool

class TakenOut(NamedTuple):
    sessions: int
    seconds: float
    changed: bool
    reloaded: bool
    ended: int
    tracked_by: list[str]

class BroughtBack(NamedTuple):
    seconds: float
    changed: bool
    reloaded: bool

def drain(
    members: Sequence[_Server], timeout: float, interval: float,
    progress: _Progress | None) -> Drained: ...
def take_out(
    members: Sequence[_Server], timeout: float, drain_for: float | None, shutdown_sessions: bool,
    keep_up: int | None, interval: float, progress: _Progress | None) -> TakenOut: ...
def bring_back(
    members: Sequence[_Server], timeout: float, interval: float,
    progress: _Progress | None) -> BroughtBack: ...

class OutOfRotation:
    taken: TakenOut | None
    back: BroughtBack | None
    def __init__(
        self, members: Sequence[_Server], back_within: float, restore_on_error: bool,
        **how: Any) -> None: ...
    def __enter__(self) -> TakenOut: ...
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None) -> None: ...

def __dir__() -> list[str]: ...
