from collections.abc import Sequence
from typing import Any

__all__ = ['Overview']

class Overview:
    def __init__(
        self, sections: Sequence[Any], pattern: str | None = None,
        width: int | None = None) -> None: ...
    def _repr_html_(self) -> str: ...

def __dir__() -> list[str]: ...
