from collections.abc import Iterator, Set
from typing import Literal, NamedTuple, overload

from typing_extensions import TypeAlias

from haproxyadmin.common import Named, _Path

__all__ = ['Added', 'CrtList', 'CrtListEntry', 'Removed']

# Not Iterable: that would include a text, which is refused.
_Filters: TypeAlias = list[str] | tuple[str, ...] | Set[str] | Iterator[str]

class CrtListEntry(NamedTuple):
    certificate: str
    sni: list[str]
    options: str | None
    line: int | None

class Added(NamedTuple):
    changed: bool

class Removed(NamedTuple):
    changed: bool

class CrtList(Named):
    def entries(self) -> list[CrtListEntry]: ...
    def entries_per_process(self) -> list[tuple[int, list[CrtListEntry]]]: ...
    def entries_per_socket(self) -> list[tuple[str, list[CrtListEntry]]]: ...
    @overload
    def add(
        self, certificate: _Path, sni: _Filters | None = (), options: str | None = None,
        die: Literal[True] = True) -> Added: ...
    @overload
    def add(
        self, certificate: _Path, sni: _Filters | None = (), options: str | None = None,
        die: bool = True) -> Added | Literal[False]: ...
    @overload
    def remove(
        self, certificate: _Path | CrtListEntry, line: int | None = None,
        die: Literal[True] = True) -> Removed: ...
    @overload
    def remove(
        self, certificate: _Path | CrtListEntry, line: int | None = None,
        die: bool = True) -> Removed | Literal[False]: ...

def __dir__() -> list[str]: ...
