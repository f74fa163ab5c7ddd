"""NetworkMemoryCache: responses stored in memory, for tests and short programs."""

from __future__ import annotations

import os
import threading
import time
import weakref
from collections import OrderedDict
from collections.abc import Sequence
from typing import Optional

from ..._names import public
from ...flows.cache.store import StoredResponse
from .base import VARIANTS, NetworkCache, checked_size
from .digests import Digests, new_digest_key
from .serialization import variant
from .statistics import CacheStatistics, Counters

DEFAULT_SIZE = 10 << 20
REMEMBERED_URLS = 1024

_Key = tuple[str, bytes, bytes]


class _Handle:
    """Identifies one entry, and no later entry with the same key."""

    def __init__(self, key: _Key) -> None:
        self.key = key


class _Invalidations:
    """The URLs that were invalidated, with the times: a response that was requested before is not stored."""

    def __init__(self) -> None:
        self._moments: dict[str, float] = {}
        self._cleared = 0.0

    def add(self, url: str, now: float) -> None:
        self._moments.pop(url, None)
        if len(self._moments) >= REMEMBERED_URLS:
            del self._moments[next(iter(self._moments))]
        self._moments[url] = now

    def add_all(self, now: float) -> None:
        self._cleared = now

    def concern(self, url: str, stored: StoredResponse) -> bool:
        moments = (self._cleared, self._moments.get(url, 0.0))
        return any(stored.requested <= moment <= stored.received for moment in moments)


class MemoryStore:
    """A CacheStore in memory. Any thread may call every method."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.problem = ""
        self._digests = Digests(new_digest_key())
        # Reentrant, because a destructor that runs while it is held may come back here.
        self._guard = threading.RLock()
        _stores.add(self)
        self._entries: OrderedDict[_Key, StoredResponse] = OrderedDict()
        """The entries; the least recently used one is the first."""
        self._by_url: dict[str, list[_Key]] = {}
        self._size = 0
        self._evicted = 0
        self._counters = Counters()
        self._invalidations = _Invalidations()

    def set_limit(self, limit: int) -> None:
        with self._guard:
            self.limit = limit
            self._make_room()

    def size(self) -> int:
        return self._size

    def statistics(self) -> CacheStatistics:
        with self._guard:
            return self._counters.statistics(len(self._entries), self._size, self.limit, self._evicted)

    def clear(self) -> None:
        with self._guard:
            self._invalidations.add_all(time.time())
            self._entries.clear()
            self._by_url.clear()
            self._size = 0

    @property
    def entry_limit(self) -> int:
        return self.limit // 4

    def digest(self, value: bytes) -> bytes:
        return self._digests(value)

    def find(self, url: str, partition_key: bytes) -> Sequence[StoredResponse]:
        with self._guard:
            entries = [self._entries[key] for key in self._by_url.get(url, ()) if key[1] == partition_key]
        return sorted(entries, key=lambda stored: stored.received, reverse=True)

    def body(self, stored: StoredResponse) -> Optional[bytes]:
        with self._guard:
            if self._is_current(stored):
                self._entries.move_to_end(stored.handle.key)
        return stored.body

    def store(self, url: str, partition_key: bytes, stored: StoredResponse) -> None:
        key = url, partition_key, variant(stored)
        entry = stored._replace(handle=_Handle(key), body=stored.body or b"")
        if _size(entry) > self.entry_limit:
            return
        with self._guard:
            if self._invalidations.concern(url, stored):
                return
            self._delete(key)
            self._entries[key] = entry
            keys = self._by_url.setdefault(url, [])
            keys.append(key)
            self._size += _size(entry)
            for surplus in [each for each in keys if each[1] == partition_key][:-VARIANTS]:
                self._delete(surplus)
            self._make_room()
        self._counters.count("stored")

    def update(self, stored: StoredResponse) -> None:
        with self._guard:
            if self._is_current(stored):
                key = stored.handle.key
                self._size += _size(stored) - _size(self._entries[key])
                self._entries[key] = stored
                self._entries.move_to_end(key)
                self._make_room()

    def evict(self, stored: StoredResponse) -> None:
        with self._guard:
            if self._is_current(stored):
                self._delete(stored.handle.key)

    def _is_current(self, stored: StoredResponse) -> bool:
        """Return whether the entry is still in the cache, and was not replaced."""
        there = self._entries.get(stored.handle.key)
        return there is not None and there.handle is stored.handle

    def invalidate(self, url: str, now: float) -> None:
        with self._guard:
            self._invalidations.add(url, now)
            for key in list(self._by_url.get(url, ())):
                self._delete(key)

    def count(self, event: str) -> None:
        self._counters.count(event)

    def _make_room(self) -> None:
        while self._size > self.limit and self._entries:
            self._delete(next(iter(self._entries)))
            self._evicted += 1

    def _delete(self, key: _Key) -> None:
        stored = self._entries.pop(key, None)
        if stored is None:
            return
        self._size -= _size(stored)
        keys = self._by_url.get(key[0], [])
        if key in keys:
            keys.remove(key)
        if not keys:
            self._by_url.pop(key[0], None)


def _size(stored: StoredResponse) -> int:
    return len(stored.body or b"") + sum(len(name) + len(value) for name, value in stored.fields.pairs) + 256


_stores: weakref.WeakSet[MemoryStore] = weakref.WeakSet()


def _replace_locks_after_fork() -> None:
    for store in _stores:
        # A thread that held it in the parent does not exist in the child.
        store._guard = threading.RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_replace_locks_after_fork)


@public
class NetworkMemoryCache(NetworkCache):
    """An HTTP cache (RFC 9111) that ends with the program, for ``NetworkAccessManager.setCache``.

    Any thread may call every method.
    """

    def __init__(self, maximumCacheSize: int = DEFAULT_SIZE) -> None:
        """``maximumCacheSize``: in bytes. Raises TypeError, ValueError."""
        super().__init__(MemoryStore(checked_size(maximumCacheSize)))

    def __repr__(self) -> str:
        there = self.statistics()
        return f"<NetworkMemoryCache: {there.count} responses, {there.size} of {there.limit} bytes>"
