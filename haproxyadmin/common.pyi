import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import Any, Literal, Protocol
from uuid import UUID

from typing_extensions import TypeAlias

# A method that takes `die` and returns True otherwise returns a bool; one that returns something
# else has two overloads: with `die=False` it may also return False.

# What has an underscore here is for the other stubs; it does not exist at run time.

# An id or a file.
_Ref: TypeAlias = int | str
# A file on this machine, or the address of a stats socket.
_Path: TypeAlias = str | bytes | os.PathLike[str] | os.PathLike[bytes]
_Address: TypeAlias = str | bytes | IPv4Address | IPv6Address
# What HAProxy stores as text.
_Text: TypeAlias = (
    str | bytes | float | UUID | IPv4Address | IPv4Network | IPv6Address | IPv6Network)
# Keys and values of a map.
_Pairs: TypeAlias = Iterable[tuple[_Text, _Text]] | Mapping[Any, _Text]
# How the numbers of processes are combined.
_Rule: TypeAlias = Literal['sum', 'avg', 'min', 'max', 'nature']

class _Done(Protocol):
    """How far a call that waits has come."""

    @property
    def done(self) -> int: ...
    @property
    def total(self) -> int: ...
    @property
    def what(self) -> str: ...

_Progress: TypeAlias = Callable[[_Done], object]

class Checked: ...

class Shared(Checked): ...

class Named(Shared):
    def __init__(self, name: str, members: Sequence[Any]) -> None: ...
    def __eq__(self, other: object) -> bool: ...
    def __ne__(self, other: object) -> bool: ...
    def __hash__(self) -> int: ...
    @property
    def name(self) -> str: ...
    @property
    def process_nb(self) -> list[int]: ...

class Combined(Shared):
    def metric_per_process(self, name: str) -> list[tuple[int, int]]: ...
    def metric_per_socket(self, name: str) -> list[tuple[str, int]]: ...

