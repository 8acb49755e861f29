from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from haproxyadmin.workers import ReloadResult

__all__ = ['CommandFailed', 'Conflict', 'EntriesFailed', 'HAProxyBaseError', 'HAProxyDataError',
           'HAProxySocketError', 'InconsistentData', 'IncosistentData', 'MultipleCommandResults',
           'NoHAProxyFound', 'NoSuchObject', 'NotSupported', 'ReloadFailed',
           'SocketApplicationError', 'SocketConnectionError', 'SocketPermissionError',
           'SocketTimeout', 'SocketTransportError', 'WaitTimeout']

class _Failure(NamedTuple):
    index: int  # type: ignore[assignment]  # also a method of every tuple
    entry: Any
    process_nb: int
    socket_file: str  # type: ignore[assignment]
    message: str

class HAProxyBaseError(Exception):
    message: str
    results: Sequence[tuple[int, Any]]
    by_socket: Sequence[tuple[str, Any]]
    failures: Sequence[_Failure]
    command: str | None
    socket_file: str | None
    undone: Sequence[str]
    not_undone: Sequence[str]
    replaced: Sequence[str]
    result: Any
    def __init__(self, message: object = '') -> None: ...
    def set_results(
        self, results: list[tuple[int, Any]], by_socket: list[tuple[str, Any]]) -> None: ...
    def set_context(self, command: str | None, socket_file: str) -> None: ...

class CommandFailed(HAProxyBaseError): ...

class EntriesFailed(CommandFailed):
    def __init__(self, failures: Sequence[_Failure]) -> None: ...

class Conflict(CommandFailed):
    polluted: bool

class NotSupported(CommandFailed):
    needs: str | None
    has: str | None
    def __init__(
        self, message: object = '', needs: str | None = None, has: str | None = None) -> None: ...

class ReloadFailed(CommandFailed):
    result: ReloadResult | None
    def __init__(self, message: object = '', result: ReloadResult | None = None) -> None: ...

class WaitTimeout(HAProxyBaseError):
    def __init__(self, message: object = '', result: Any = None) -> None: ...

class NoSuchObject(HAProxyBaseError, KeyError):
    def __init__(self, name: str, message: object = '') -> None: ...

class HAProxyDataError(HAProxyBaseError):
    def __init__(self, results: Iterable[tuple[int, Any]] | None) -> None: ...

class IncosistentData(HAProxyDataError): ...

InconsistentData = IncosistentData

class MultipleCommandResults(HAProxyDataError): ...

class HAProxySocketError(HAProxyBaseError, OSError):
    socket_file: str  # type: ignore[assignment]
    undelivered: bool
    is_final: bool
    def __init__(
        self, socket_file: str, message: object = None, cause: BaseException | None = None,
        undelivered: bool = False) -> None: ...

class SocketApplicationError(HAProxySocketError, ValueError): ...
class SocketConnectionError(HAProxySocketError): ...
class SocketPermissionError(HAProxySocketError): ...
class SocketTimeout(HAProxySocketError): ...
class SocketTransportError(HAProxySocketError): ...

class NoHAProxyFound(HAProxySocketError, ValueError):
    cause: HAProxySocketError | None
    def __init__(
        self, socket_file: str, message: object = None,
        cause: HAProxySocketError | None = None) -> None: ...

def __dir__() -> list[str]: ...
