"""Where the cache of ``flows/cache.py`` keeps what it keeps."""

from .counting import CacheStatistics
from .disk import NetworkDiskCache
from .memory import NetworkMemoryCache

__all__ = ["CacheStatistics", "NetworkDiskCache", "NetworkMemoryCache"]
