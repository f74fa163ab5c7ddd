"""Statistics of a cache."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from ..._names import public


@public
@dataclass(frozen=True)
class CacheStatistics:
    """``count`` entries that take ``size`` of ``limit`` bytes; the rest counts what this object has done: requests it
    has served (``hits``), those after the server confirmed it (``validated``), those it could not serve (``misses``),
    responses it has stored (``stored``) and evicted to make room (``evicted``).
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
    """May be used by any thread; a figure may be one short where two threads meet."""

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
