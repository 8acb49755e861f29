from typing import Literal, NamedTuple

__all__ = ['Change']

class Change(NamedTuple):
    when: float
    kind: Literal['process', 'frontend', 'backend', 'server']
    name: str
    field: str
    before: str | int | None
    after: str | int | None

def __dir__() -> list[str]: ...
