"""The statistics of a cache."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from ..._names import public


@public
@dataclass(frozen=True)
class CacheStatistics:
    """The cache has ``count`` entries, which take ``size`` of ``limit`` bytes.

    The other numbers belong to this object: requests that it has served (``hits``), requests that it has served after
    the server confirmed the response (``validated``), requests that it could not serve (``misses``), and responses that
    it has stored (``stored``) and evicted to make room (``evicted``).
    """

    count: int
    size: int
    limit: int
    hits: int
    validated: int
    misses: int
    stored: int
    evicted: int


class Counters:
    """Counts events. Any thread may use it; a number may be too small by one if two threads count at once."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()

    def count(self, event: str) -> None:
        self._counts[event] += 1

    def statistics(self, count: int, size: int, limit: int, evicted: int) -> CacheStatistics:
        counts = self._counts
        return CacheStatistics(
            count=count,
            size=size,
            limit=limit,
            hits=counts["hit"],
            validated=counts["validated"],
            misses=counts["miss"],
            stored=counts["stored"],
            evicted=evicted,
        )
