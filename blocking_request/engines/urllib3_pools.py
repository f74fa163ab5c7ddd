"""The pools of connections of the urllib3 engine: one PoolManager for each TLS configuration and proxy.

So a strict request never rides a connection that a lax one has opened.
"""

from __future__ import annotations

import threading
from typing import Any, Optional

import urllib3

from ..errors import Failure
from ..exchange import Exchange
from .urllib3_connection import POOL_CLASSES

KEPT_CONNECTIONS = 64
"""To one origin, when they are idle."""

KEPT_ORIGINS = 64
KEPT_MANAGERS = 32


class Pools:
    """Every method may be called from any thread."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._managers: dict[Any, urllib3.PoolManager] = {}

    def refusal(self, exchange: Exchange) -> Optional[Failure]:
        return None

    def manager(self, exchange: Exchange) -> urllib3.PoolManager:
        key = None
        manager = self._managers.get(key)
        if manager is None:
            made = urllib3.PoolManager(num_pools=KEPT_ORIGINS, maxsize=KEPT_CONNECTIONS, retries=False)
            made.pool_classes_by_scheme = POOL_CLASSES
            with self._guard:
                manager = self._managers.setdefault(key, made)
        return manager

    def clear(self) -> None:
        """Close the connections that are idle."""
        for manager in list(self._managers.values()):
            manager.clear()
