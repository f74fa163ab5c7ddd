"""NetworkDiskCache: responses stored on disk, for all threads and processes that name the same folder.

Theory of operation: the index (SQLite) has an entry for each response. A small body is in the entry. A larger one has
a file in the folder ``bodies``, which is complete before the entry can be read, and which is deleted after the entry.
So a process that is killed leaves complete entries, and at worst a file without an entry, which is deleted later.
Entries and bodies have checksums. An error never fails a request: the cache is disabled, and logs that once.
"""

from __future__ import annotations

import os
import sqlite3
import time
import zlib
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Callable, Optional, TypeVar, Union

from ..._names import public
from ...flows.cache.store import StoredResponse
from ...trace import logger
from .base import NetworkCache, checked_size
from .digests import Digests, shared_digest_key
from .folder import CacheFolder, ForeignFolder
from .index import ABANDONED_SECONDS, Index
from .index_tables import Entry
from .location import default_folder
from .serialization import packed, unpacked, variant
from .statistics import CacheStatistics, Counters

DEFAULT_SIZE = 50 << 20
"""The default of QNetworkDiskCache and QGIS."""

INDEXED_BYTES = 1 << 14
"""A body of at most this size is in the index."""

ENTRY_SHARE = 4
"""An entry may take this part of the cache: a fourth."""

INDEX_SHARE = 20
MOST_INDEX_BYTES = 2 << 20
"""The index takes some space besides its entries: a twentieth of the limit, but at most so many bytes, is kept for
it."""

SWEEP_SECONDS = 24 * 3600

YOUNG_SECONDS = 5
"""If a damaged index is rebuilt, younger body files stay: another process may have rebuilt it and written them."""

_T = TypeVar("_T")


class DiskStore:
    """A CacheStore on disk. Any thread may call every method."""

    def __init__(self, path: Path, limit: int) -> None:
        """Raises ValueError if the folder is not empty and is not a cache."""
        self._folder = CacheFolder(path)
        self.limit = limit
        try:
            self._folder.check()
        except ForeignFolder as error:
            raise ValueError(str(error)) from None
        except OSError:
            pass  # reported when the cache is used; it fails no request
        self._opened: Optional[tuple[Index, Digests]] = None
        self.problem = ""
        """Why the cache is disabled; '' if it is not."""
        self._counters = Counters()
        self._pending_invalidations: set[tuple[Optional[str], float]] = set()
        """The URLs to delete, with the times of their invalidation; None stands for all URLs."""

    def set_limit(self, limit: int) -> None:
        self.limit = limit
        self._attempt(lambda index, _: self._unlink(index.shrink_to(self._entries_limit, time.time())), None)

    def size(self) -> int:
        return self.statistics().size

    def statistics(self) -> CacheStatistics:
        count, size = self._attempt(lambda index, _: index.count_and_size(), (0, 0))
        evicted = 0 if self._opened is None else self._opened[0].evicted
        return self._counters.statistics(count, size, self.limit, evicted)

    def clear(self) -> None:
        self.problem = ""
        self._pending_invalidations.add((None, time.time()))
        self._run_pending_invalidations()

    def _clear(self, index: Index, now: float) -> None:
        self._unlink(index.clear(now))
        # Other processes may have stored responses since.
        self._folder.sweep(ABANDONED_SECONDS, index.files())

    @property
    def entry_limit(self) -> int:
        return self.limit // ENTRY_SHARE

    def digest(self, value: bytes) -> bytes:
        return self._attempt(lambda _, digests: digests(value), b"")

    def find(self, url: str, partition_key: bytes) -> Sequence[StoredResponse]:
        self._run_pending_invalidations()
        if self._has_pending_invalidation(url):
            return ()
        return self._attempt(lambda index, digests: self._find(index, digests, url, partition_key), ())

    def _find(self, index: Index, digests: Digests, url: str, partition_key: bytes) -> list[StoredResponse]:
        responses = []
        for row in index.find(digests(url.encode()), digests(partition_key)):
            stored = unpacked(row.meta)
            if stored is None:
                self._delete(index, row.id)
            else:
                responses.append(stored._replace(handle=row))
        return responses

    def body(self, stored: StoredResponse) -> Optional[bytes]:
        return self._attempt(lambda index, _: self._body(index, stored), None)

    def _body(self, index: Index, stored: StoredResponse) -> Optional[bytes]:
        row = stored.handle
        body = row.body
        if row.file is not None:
            body = self._folder.read(row.file)  # None if another thread or process has just cleared it
        if body is None or len(body) != row.body_size or zlib.crc32(body) != row.body_sum:
            self._delete(index, row.id)
            return None
        with suppress(sqlite3.Error):  # the response is served although its use is not recorded
            index.record_use(row.id, time.time())
        return body  # type: ignore[no-any-return]

    def _delete(self, index: Index, id: int) -> None:
        """Delete an entry and its body file."""
        self._unlink(index.delete(id))

    def store(self, url: str, partition_key: bytes, stored: StoredResponse) -> None:
        body, meta = stored.body or b"", packed(stored)
        if meta is None or len(body) + len(meta) > self.entry_limit:
            return
        self._run_pending_invalidations()
        if self._has_pending_invalidation(url):
            return
        self._attempt(lambda index, digests: self._store(index, digests, url, partition_key, stored, meta, body), None)

    def _store(
        self,
        index: Index,
        digests: Digests,
        url: str,
        partition_key: bytes,
        stored: StoredResponse,
        meta: bytes,
        body: bytes,
    ) -> None:
        file = self._folder.new_name() if len(body) > INDEXED_BYTES else None
        inside = body if file is None else None
        key = digests(url.encode()), digests(partition_key), variant(stored)
        entry = Entry(*key, stored.received, file, len(body), zlib.crc32(body), meta, inside)
        id, unused = index.add(entry, stored.requested, time.time(), self._entries_limit)
        self._unlink(unused)
        if id is None:
            return
        if file is not None:
            try:
                self._folder.write(file, body)
                if not index.finish(id):
                    self._folder.remove(file)
                    return
            except BaseException as error:
                self._folder.remove(file)
                if _is_locked(error):
                    index.give_up(id)  # a write would wait for the same lock again
                else:
                    with suppress(sqlite3.Error):
                        index.delete(id)
                raise
        self._counters.count("stored")

    def update(self, stored: StoredResponse) -> None:
        meta = packed(stored)
        if meta is not None and stored.handle is not None:
            id, received = stored.handle.id, stored.received
            self._attempt(lambda index, _: self._unlink(index.update(id, meta, received, self._entries_limit)), None)

    def evict(self, stored: StoredResponse) -> None:
        self._attempt(lambda index, _: self._delete(index, stored.handle.id), None)

    def invalidate(self, url: str, now: float) -> None:
        if not self.problem:
            self._pending_invalidations.add((url, now))
            self._run_pending_invalidations()

    def _run_pending_invalidations(self) -> None:
        """Delete the responses that could not be deleted while another process had locked the index."""
        if not self._pending_invalidations:
            return
        for url, now in self._pending_invalidations.copy():  # a copy in one step: another thread may change it

            def act(index: Index, digests: Digests, url: Optional[str] = url, now: float = now) -> bool:
                if url is None:
                    self._clear(index, now)
                else:
                    self._unlink(index.delete_url(digests(url.encode()), now))
                self._pending_invalidations.discard((url, now))
                return True

            if not self._attempt(act, False):
                break  # the next one would wait as long

    def _has_pending_invalidation(self, url: str) -> bool:
        """Return whether the stored responses of a URL are still to be deleted."""
        pending = self._pending_invalidations
        return bool(pending) and any(each in (url, None) for each, _ in pending.copy())

    def count(self, event: str) -> None:
        self._counters.count(event)

    # -- the folder

    @property
    def _entries_limit(self) -> int:
        """The number of bytes that the entries may take."""
        return self.limit - min(self.limit // INDEX_SHARE, MOST_INDEX_BYTES)

    def _attempt(self, act: Callable[[Index, Digests], _T], otherwise: _T) -> _T:
        """Return the result of ``act``.

        Returns ``otherwise`` if the cache is disabled or ``act`` fails, or if other processes lock the index.
        """
        if self.problem:
            return otherwise
        for is_second_try in (False, True):
            try:
                opened = self._opened
                if opened is None or not opened[0].is_current():
                    opened = self._open()
                return act(*opened)
            except sqlite3.OperationalError as error:
                if not _is_locked(error):
                    self._disable(str(error))
            except sqlite3.DatabaseError as error:
                if not is_second_try:
                    self._rebuild(error)
                    continue
                self._disable(str(error))
            except OSError as error:
                self._disable(str(error))
            break
        return otherwise

    def _open(self) -> tuple[Index, Digests]:
        self._folder.claim()
        opened = Index(self._folder.index), Digests(shared_digest_key(self._folder.path))
        self._sweep_daily(opened[0])
        self._opened = opened
        return opened

    def _disable(self, why: str) -> None:
        self.problem, self._opened = why, None
        self._pending_invalidations.clear()  # clear(), which enables the cache again, deletes everything
        logger.warning("The cache in %s is disabled: %s", self._folder.path, why)

    def _rebuild(self, error: sqlite3.DatabaseError) -> None:
        self._opened = None
        logger.warning("The cache in %s is damaged (%s) and is rebuilt", self._folder.path, error)
        with suppress(OSError):
            self._folder.remove_index()
            self._folder.sweep(YOUNG_SECONDS)

    def _sweep_daily(self, index: Index) -> None:
        """Once a day, delete the files that killed processes have left."""
        if self._folder.must_be_swept(SWEEP_SECONDS):
            self._unlink(index.shrink_to(self._entries_limit, time.time()))
            self._folder.sweep(ABANDONED_SECONDS, index.files())

    def _unlink(self, files: list[str]) -> None:
        for name in files:
            self._folder.remove(name)


def _is_locked(error: BaseException) -> bool:
    return isinstance(error, sqlite3.OperationalError) and "locked" in str(error)


@public
class NetworkDiskCache(NetworkCache):
    """An HTTP cache on disk (RFC 9111), for ``NetworkAccessManager.setCache``. Its methods have QNetworkDiskCache's
    names.

    Any thread may call every method. Any number of caches may share a folder, also caches of several processes. Bodies
    larger than a fourth of the limit are not stored. A reply to a request with credentials or cookies is served only to
    requests with the same ones. Neither these secrets nor URLs can be read from the index. Only its user should have
    access to the folder, as to a folder that is made here.

    An error of the cache (a full disk, no permission) fails no request. The cache is disabled until ``clear()``,
    ``problem()`` returns the reason, and the log has one warning. A damaged index is rebuilt.
    """

    def __init__(
        self, cacheDirectory: Union[str, os.PathLike[str], None] = None, maximumCacheSize: int = DEFAULT_SIZE
    ) -> None:
        """``cacheDirectory``: a folder, which is made if it does not exist; None: the folder of this application among
        the user's caches. ``maximumCacheSize``: in bytes.

        Raises TypeError and ValueError. A folder that is not empty and is not a cache raises ValueError, because a
        cache deletes files.
        """
        if cacheDirectory is not None and not isinstance(cacheDirectory, (str, os.PathLike)):
            raise TypeError(f"cacheDirectory must be the path of a folder, not {type(cacheDirectory).__name__}")
        path = default_folder() if cacheDirectory is None else Path(os.path.abspath(cacheDirectory))
        super().__init__(DiskStore(path, checked_size(maximumCacheSize)))
        self._path = path

    def cacheDirectory(self) -> str:
        """Return the path of the folder."""
        return str(self._path)

    def __repr__(self) -> str:
        problem = self.problem()
        return f"<NetworkDiskCache {self._path}{', disabled: ' + problem if problem else ''}>"
