from typing import Any

from haproxyadmin.haproxy import HAProxy

class Connected:
    @property
    def hap(self) -> HAProxy: ...
    def connect(self, **options: Any) -> HAProxy: ...
