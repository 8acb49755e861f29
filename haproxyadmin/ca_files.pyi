from collections.abc import Sequence
from datetime import datetime
from typing import Literal, NamedTuple, TypeVar, overload

from haproxyadmin.certificates import Done, TlsFile, Updated
from haproxyadmin.internal import _HAProxyProcess

__all__ = ['Authority', 'CaFile', 'CrlFile', 'RevocationList', 'TrustFile', 'add', 'find',
           'list_all']

class Authority(NamedTuple):
    subject: str | None
    issuer: str | None
    serial: str | None
    not_before: datetime | None
    not_after: datetime | None
    names: list[str]
    algorithm: str | None
    fingerprints: dict[str, str]
    @property
    def expires_in(self) -> int | None: ...

class RevocationList(NamedTuple):
    issuer: str
    last_update: datetime
    next_update: datetime
    revoked: list[str]
    is_complete: bool

class TrustFile(TlsFile):
    @property
    def status(self) -> str: ...
    @overload
    def update(
        self, pem: str | bytes, previous: str | bytes | None = None,
        die: Literal[True] = True) -> Updated: ...
    @overload
    def update(
        self, pem: str | bytes, previous: str | bytes | None = None,
        die: bool = True) -> Updated | Literal[False]: ...
    @overload
    def abort(self, die: Literal[True] = True) -> Done: ...
    @overload
    def abort(self, die: bool = True) -> Done | Literal[False]: ...
    @overload
    def delete(self, die: Literal[True] = True) -> Done: ...
    @overload
    def delete(self, die: bool = True) -> Done | Literal[False]: ...

class CaFile(TrustFile):
    def certificates(self) -> list[Authority]: ...
    def certificates_per_process(self) -> list[tuple[int, list[Authority]]]: ...
    def certificates_per_socket(self) -> list[tuple[str, list[Authority]]]: ...
    @overload
    def add(self, pem: str | bytes, die: Literal[True] = True) -> Updated: ...
    @overload
    def add(self, pem: str | bytes, die: bool = True) -> Updated | Literal[False]: ...

class CrlFile(TrustFile):
    def lists(self) -> list[RevocationList]: ...
    def lists_per_process(self) -> list[tuple[int, list[RevocationList]]]: ...
    def lists_per_socket(self) -> list[tuple[str, list[RevocationList]]]: ...

_File = TypeVar('_File', CaFile, CrlFile)

def list_all(kind: type[_File], processes: Sequence[_HAProxyProcess]) -> list[_File]: ...
def find(kind: type[_File], processes: Sequence[_HAProxyProcess], name: str) -> _File: ...
def add(
    kind: type[_File], processes: Sequence[_HAProxyProcess], name: str,
    pem: str | bytes) -> Updated: ...

def __dir__() -> list[str]: ...
