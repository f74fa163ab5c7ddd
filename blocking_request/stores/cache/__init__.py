"""Where the cache of ``flows/cache`` keeps what it keeps."""

from .disk import NetworkDiskCache
from .memory import NetworkMemoryCache
from .statistics import CacheStatistics

__all__ = ["CacheStatistics", "NetworkDiskCache", "NetworkMemoryCache"]
