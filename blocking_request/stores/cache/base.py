"""The public methods of both caches, and the sizes and URLs that they accept."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import Protocol, Union
from urllib.parse import urldefrag

from ...flows.cache.store import CacheStore
from ...models.urls import normalized, split_userinfo
from ...qt.binding import QtCore, type_name
from .statistics import CacheStatistics

VARIANTS = 16
"""How many variants of one URL are stored for one user at most. Each look-up reads them all."""


class ManagedStore(CacheStore, Protocol):
    """A store that the public methods of a cache can use."""

    limit: int
    """Bytes."""

    problem: str
    """Why the cache is disabled; '' if it is not."""

    def set_limit(self, limit: int) -> None: ...

    def size(self) -> int: ...

    def statistics(self) -> CacheStatistics: ...

    def clear(self) -> None: ...


class NetworkCache:
    """The public methods of every cache. Its responses are in a store, which is internal: see ``store_of``."""

    def __init__(self, store: ManagedStore) -> None:
        self._store = store

    def maximumCacheSize(self) -> int:
        """Return how many bytes the cache may take."""
        return self._store.limit

    def setMaximumCacheSize(self, size: int) -> None:
        """Set how many bytes the cache may take. If it takes more, the least recently used responses go at once.

        Raises TypeError, ValueError.
        """
        self._store.set_limit(checked_size(size))

    def cacheSize(self) -> int:
        """Return how many bytes the cache takes."""
        return self._store.size()

    def statistics(self) -> CacheStatistics:
        """Return the numbers of stored, served and evicted responses since this object was made."""
        return self._store.statistics()

    def problem(self) -> str:
        """Return why the cache is disabled, or '' if it is not."""
        return self._store.problem

    def clear(self) -> None:
        """Delete every response, for every process that uses the cache. A disabled cache is enabled again."""
        self._store.clear()

    def remove(self, url: Union[QtCore.QUrl, str]) -> None:
        """Delete the responses of a URL, for every user. Raises TypeError."""
        self._store.invalidate(url_text(url), time.time())


def store_of(cache: NetworkCache) -> CacheStore:
    """Return the store of a cache, which the flow of a request uses."""
    return cache._store


def checked_size(size: int) -> int:
    """Return ``size``. Raises TypeError, ValueError if it is no size of a cache."""
    if isinstance(size, bool) or not isinstance(size, int):
        raise TypeError(f"the size of a cache is a whole number of bytes, not {type(size).__name__}")
    if size <= 0:
        raise ValueError("the size of a cache must be more than 0 bytes; to have none, setCache(None)")
    return size


def url_text(url: Union[QtCore.QUrl, str]) -> str:
    """Return a URL as a cache stores it, without user name and fragment. Raises TypeError."""
    if not isinstance(url, (str, QtCore.QUrl)):
        raise TypeError(f"url must be a QUrl or a str, not {type_name(url)}")
    text = url.strip() if isinstance(url, str) else url.toEncoded().data().decode("ascii")
    with suppress(ValueError):  # no response is stored under a URL that is not valid
        text = split_userinfo(normalized(text))[0]
    return urldefrag(text).url
