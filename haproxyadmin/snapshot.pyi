from collections.abc import Sequence

from haproxyadmin.internal import _HAProxyProcess
from haproxyadmin.reading import Reading as Reading

__all__ = ['Reading', 'Snapshot']

class Snapshot(Reading):
    def __init__(
        self, processes: Sequence[_HAProxyProcess], deadline: float | None = None) -> None: ...
    @property
    def taken_at(self) -> float: ...

def __dir__() -> list[str]: ...
