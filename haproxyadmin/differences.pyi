from typing import Any, Literal, NamedTuple

__all__ = ['Difference']

class Difference(NamedTuple):
    kind: Literal[
        'process', 'frontend', 'backend', 'server', 'map', 'acl', 'certificate']
    name: str
    field: str
    # Numbers and texts, True and False for 'exists', lists for maps and ACLs; see the documentation.
    by_socket: list[tuple[str, Any]]

def __dir__() -> list[str]: ...
