from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple, TypeVar

_Found = TypeVar('_Found')

DEFAULT: str
DEFAULT_FILES: dict[str, str]

class ConfigurationError(ValueError): ...

class Line(NamedTuple):
    number: int
    words: list[str]

class Section:
    kind: str
    name: str
    number: int
    lines: list[Line]
    defaults: list[Line]
    def __init__(
        self, kind: str, name: str, number: int, defaults: Iterable[Line] = ()) -> None: ...
    def all(self, *words: str) -> list[Line]: ...
    def last(self, *words: str) -> list[str] | None: ...
    def value(self, *words: str) -> str | None: ...

class Proxy(Section):
    iid: int | None
    servers: list[Server]
    @property
    def is_frontend(self) -> bool: ...
    @property
    def is_backend(self) -> bool: ...
    @property
    def mode(self) -> str: ...
    @property
    def is_disabled(self) -> bool: ...
    def is_in(self, process_number: int) -> bool: ...

class Server:
    name: str
    sid: int
    number: int
    words: list[str]
    address: str
    port: int
    is_relative: bool
    def __init__(
        self, name: str, target: str, sid: int, number: int, words: list[str]) -> None: ...
    def has(self, flag: str) -> bool: ...
    def value(self, word: str, otherwise: str | None = None) -> str | None: ...

class Configuration:
    name: str
    sections: list[Section]
    settings: Section
    named_defaults: dict[str, list[Line]]
    def __init__(
        self, text: str, name: str = 'haproxy.cfg', files: Mapping[str, str | bytes] | None = None,
        directory: str = '.') -> None: ...
    @property
    def proxies(self) -> list[Proxy]: ...
    def read_once(self, function: Callable[[Configuration], _Found]) -> _Found: ...
    def read(self, name: str) -> str: ...
    def names_in(self, directory: str) -> list[str]: ...
    def of_kind(self, kind: str) -> list[Section]: ...
