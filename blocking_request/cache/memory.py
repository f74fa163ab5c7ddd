"""NetworkMemoryCache: answers kept in memory, for tests and short programs."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Sequence
from typing import Optional, Union

from ..flows.stored import StoredAnswer
from ..qt import QtCore
from .counting import CacheStatistics, Counters, checked_size, url_text
from .keys import Digests, new_key
from .packing import variant

DEFAULT_SIZE = 10 << 20

_Key = tuple[str, bytes, bytes]


class NetworkMemoryCache:
    """An HTTP cache (RFC 9111) that ends with the program, for ``NetworkAccessManager.setCache``.

    Every method may be called from any thread.
    """

    def __init__(self, maximumCacheSize: int = DEFAULT_SIZE) -> None:
        """``maximumCacheSize``: in bytes. Raises TypeError, ValueError."""
        self._limit = checked_size(maximumCacheSize)
        self._digests = Digests(new_key())
        self._guard = threading.Lock()
        self._entries: OrderedDict[_Key, StoredAnswer] = OrderedDict()
        """The least recently used first."""
        self._by_url: dict[str, list[_Key]] = {}
        self._size = 0
        self._evicted = 0
        self._counters = Counters()

    def maximumCacheSize(self) -> int:
        """How much it may keep, in bytes."""
        return self._limit

    def setMaximumCacheSize(self, size: int) -> None:
        """Set how much it may keep, in bytes. Raises TypeError, ValueError."""
        with self._guard:
            self._limit = checked_size(size)
            self._make_room()

    def cacheSize(self) -> int:
        """What is kept, in bytes."""
        return self._size

    def statistics(self) -> CacheStatistics:
        """How much there is, and what was done with it."""
        with self._guard:
            return self._counters.statistics(len(self._entries), self._size, self._limit, self._evicted)

    def problem(self) -> str:
        """Why the cache is off: ''."""
        return ""

    def clear(self) -> None:
        """Forget everything."""
        with self._guard:
            self._entries.clear()
            self._by_url.clear()
            self._size = 0

    def remove(self, url: Union[QtCore.QUrl, str]) -> None:
        """Forget what is kept for a URL, whomever for."""
        self.invalidate(url_text(url), time.time())

    # -- as a Store

    @property
    def entry_limit(self) -> int:
        return self._limit // 4

    def digest(self, value: bytes) -> bytes:
        return self._digests(value)

    def find(self, url: str, identity: bytes) -> Sequence[StoredAnswer]:
        with self._guard:
            found = [self._entries[key] for key in self._by_url.get(url, ()) if key[1] == identity]
        return sorted(found, key=lambda stored: stored.received, reverse=True)

    def body(self, stored: StoredAnswer) -> Optional[bytes]:
        with self._guard:
            if stored.handle in self._entries:
                self._entries.move_to_end(stored.handle)
        return stored.body

    def keep(self, url: str, identity: bytes, stored: StoredAnswer) -> None:
        key = url, identity, variant(stored)
        kept = stored._replace(handle=key, body=stored.body or b"")
        if _size(kept) > self.entry_limit or self._counters.was_invalidated(url, stored):
            return
        with self._guard:
            self._delete(key)
            self._entries[key] = kept
            self._by_url.setdefault(url, []).append(key)
            self._size += _size(kept)
            self._make_room()
        self._counters.note("stored")

    def freshen(self, stored: StoredAnswer) -> None:
        with self._guard:
            if stored.handle in self._entries:
                self._size += _size(stored) - _size(self._entries[stored.handle])
                self._entries[stored.handle] = stored

    def forget(self, stored: StoredAnswer) -> None:
        with self._guard:
            self._delete(stored.handle)

    def invalidate(self, url: str, now: float) -> None:
        self._counters.invalidated(url, now)
        with self._guard:
            for key in list(self._by_url.get(url, ())):
                self._delete(key)

    def note(self, event: str) -> None:
        self._counters.note(event)

    def _make_room(self) -> None:
        while self._size > self._limit:
            self._delete(next(iter(self._entries)))
            self._evicted += 1

    def _delete(self, key: _Key) -> None:
        stored = self._entries.pop(key, None)
        if stored is None:
            return
        self._size -= _size(stored)
        keys = self._by_url[key[0]]
        keys.remove(key)
        if not keys:
            del self._by_url[key[0]]


def _size(stored: StoredAnswer) -> int:
    return len(stored.body or b"") + sum(len(name) + len(value) for name, value in stored.fields.pairs) + 256
