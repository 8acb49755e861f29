from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Literal, NamedTuple, overload

from typing_extensions import TypeAlias

from haproxyadmin.common import Named, _Text
from haproxyadmin.internal import _HAProxyProcess

__all__ = ['Cleared', 'Table', 'TableEntry']

# The name of a number, an operator such as '>', and a number.
_Condition: TypeAlias = tuple[str, str, int]

class TableEntry(NamedTuple):
    key: int | str
    process_nb: int
    socket_file: str
    use: int
    expiry: int
    # Numbers; only a `server_key` is a text or None.
    data: dict[str, Any]

class Cleared(NamedTuple):
    left: int

class Table(Named):
    def __init__(self, name: str, processes: Sequence[_HAProxyProcess], kind: str) -> None: ...
    @property
    def type(self) -> str: ...
    @property
    def size(self) -> int: ...
    @property
    def used(self) -> int: ...
    @property
    def peers(self) -> list[str]: ...
    def entries(
        self, key: _Text | None = None,
        where: Iterable[_Condition] | None = None) -> Iterator[TableEntry]: ...
    def set(self, key: _Text, die: bool = True, **data: int) -> bool: ...
    def remove(self, key: _Text, die: bool = True) -> bool: ...
    @overload
    def clear(
        self, where: Iterable[_Condition] | None = None, die: Literal[True] = True) -> Cleared: ...
    @overload
    def clear(
        self, where: Iterable[_Condition] | None = None,
        die: bool = True) -> Cleared | Literal[False]: ...

def __dir__() -> list[str]: ...
