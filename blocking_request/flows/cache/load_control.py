"""CacheLoadControl: how a call uses the cache. It has its own module, because calls without a cache use it, too."""

from __future__ import annotations

from enum import Enum


class CacheLoadControl(Enum):
    """How a call uses the cache, with the names of ``QNetworkRequest.CacheLoadControl``."""

    AlwaysNetwork = 0
    PreferNetwork = 1
    """A stale response is never served, even if the server allows it."""
    PreferCache = 2
    AlwaysCache = 3
    """Nothing is sent."""
