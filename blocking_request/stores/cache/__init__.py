"""The stores of the cache: on disk and in memory."""

from .disk import NetworkDiskCache
from .memory import NetworkMemoryCache
from .statistics import CacheStatistics

__all__ = ["CacheStatistics", "NetworkDiskCache", "NetworkMemoryCache"]
