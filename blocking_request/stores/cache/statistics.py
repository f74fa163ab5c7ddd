"""What the caches count, and what they take for a size and a URL."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any, Union
from urllib.parse import urldefrag

from ...qt.binding import QtCore

VARIANTS = 16
"""Of a response for one user that are kept: more of them are of no use, and looking through them takes time."""


@dataclass(frozen=True)
class CacheStatistics:
    """``count`` entries that take ``size`` of ``limit`` bytes; the rest counts what this object has done: requests it
    has served (``hits``), those after the server confirmed it (``validated``), those it could not serve (``misses``),
    answers it has kept (``stored``) and thrown out to make room (``evicted``).
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

    def note(self, event: str) -> None:
        self._counts[event] += 1

    def statistics(self, count: int, size: int, limit: int, evicted: int) -> CacheStatistics:
        counts = self._counts
        return CacheStatistics(
            count, size, limit, counts["hit"], counts["validated"], counts["miss"], counts["stored"], evicted
        )


def checked_size(size: int) -> int:
    """Raises TypeError, ValueError."""
    if isinstance(size, bool) or not isinstance(size, int):
        raise TypeError(f"the size of a cache is a whole number of bytes, not {type(size).__name__}")
    if size <= 0:
        raise ValueError("the size of a cache must be more than 0 bytes; to have none, setCache(None)")
    return size


def url_text(url: Union[QtCore.QUrl, str]) -> str:
    """As a cache knows it. Raises TypeError."""
    if isinstance(url, str):
        url = QtCore.QUrl(url.strip())
    if not isinstance(url, QtCore.QUrl):
        given: Any = url
        raise TypeError(f"url must be a QUrl or a str, not {type(given).__name__}")
    qurl = url.adjusted(QtCore.QUrl.UrlFormattingOption.RemoveUserInfo)  # type: ignore[arg-type]
    return urldefrag(qurl.toEncoded().data().decode("ascii")).url
