"""The index of a cache on disk: SQLite in WAL mode, which many threads and processes may use at once.

Only complete entries can be read. One transaction writes an entry. If its body goes into a file, the entry is not
ready, and not read, before the file is complete. The caller deletes the files of entries that are deleted here.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Optional

from .base import VARIANTS
from .index_tables import FORMAT, SCHEMA, Entry, Row
from .sqlite_pool import ConnectionPool

INVALID_SECONDS = 3600
"""Seconds that an invalidation is remembered: a response that was requested before it must not be stored."""

FREE_PAGES = 256
"""The number of free pages that stay in the index for new entries."""

ABANDONED_SECONDS = 3600
"""The age at which a file without an entry is deleted: the process that wrote it was killed."""
UNREADY_SECONDS = 120
"""The age at which an entry that is not ready is deleted."""

MOST_UNWRITTEN_USES = 1024
"""The number of uses after which their times are written to the index. To write each takes longer than the hit."""
MOST_UNWRITTEN_SECONDS = 60
"""The times of use are also written if the last write is older than this, and before an eviction."""

Files = list[str]
"""Names of files whose entries were deleted."""


class Index:
    """The entries of a cache, in SQLite. Any thread may use it. Every method may raise sqlite3.Error."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._pool = ConnectionPool(path)
        self._unwritten_uses: dict[int, float] = {}
        self._uses_written = time.time()
        self._given_up: set[int] = set()
        self.evicted = 0
        with self._pool.borrowed() as connection:
            is_made = connection.execute("PRAGMA user_version").fetchone()[0] == FORMAT
            if not is_made:
                connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
                connection.execute("PRAGMA journal_mode = WAL")
        if not is_made:
            self._make_tables()
        self._inode = os.lstat(path).st_ino

    def _make_tables(self) -> None:
        with self._pool.writing() as connection:
            version = connection.execute("PRAGMA user_version").fetchone()[0]
            if version == FORMAT:
                return  # another process was quicker
            if version or connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
                raise sqlite3.DatabaseError(f"its format is {version}, not {FORMAT}")
            for statement in SCHEMA.split(";"):
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {FORMAT}")

    def is_current(self) -> bool:
        """Return False if the file is another one by now, or gone: another process has rebuilt the index."""
        try:
            return os.lstat(self._path).st_ino == self._inode
        except OSError:
            return False

    # -- reading

    def find(self, url: bytes, partition_key: bytes) -> list[Row]:
        """Return the entries of a URL and partition key, the newest first."""
        with self._pool.borrowed() as connection:
            rows = connection.execute(
                "SELECT id, file, body_size, body_sum, meta, body FROM entries "
                "WHERE url = ? AND partition_key = ? AND is_ready ORDER BY received DESC, id DESC",
                (url, partition_key),
            ).fetchall()
        return [Row(*each) for each in rows]

    def count_and_size(self) -> tuple[int, int]:
        """Return how many entries there are, and how many bytes they take."""
        with self._pool.borrowed() as connection:
            count = connection.execute("SELECT count(*) FROM entries").fetchone()[0]
            return count, connection.execute("SELECT size FROM total").fetchone()[0]

    def files(self) -> set[str]:
        with self._pool.borrowed() as connection:
            return {each[0] for each in connection.execute("SELECT file FROM entries WHERE file IS NOT NULL")}

    # -- writing

    def record_use(self, id: int, now: float) -> None:
        self._unwritten_uses[id] = now
        if len(self._unwritten_uses) >= MOST_UNWRITTEN_USES or now - self._uses_written > MOST_UNWRITTEN_SECONDS:
            with self._pool.writing() as connection:
                self._write_uses(connection)

    def _write_uses(self, connection: sqlite3.Connection) -> None:
        uses, self._unwritten_uses, self._uses_written = self._unwritten_uses, {}, time.time()
        # Copied in one step, because another thread may be adding one.
        rows = [(when, id) for id, when in uses.copy().items()]
        connection.executemany("UPDATE entries SET used = ? WHERE id = ?", rows)

    def add(self, entry: Entry, requested: float, now: float, limit: int) -> tuple[Optional[int], Files]:
        """Add an entry, which replaces that of the same variant; the least recently used entries make room for it.

        Returns None as its id if no room can be made, or if the URL was invalidated since it was ``requested``. An
        entry with a file is not ready before ``finish``.
        """
        given_up = self._given_up.copy()
        with self._pool.writing() as connection:
            if self._was_invalidated(connection, entry.url, requested, now):
                return None, []
            where = "url = ? AND partition_key = ? AND variant = ?"
            files = self._delete(connection, where, (entry.url, entry.partition_key, entry.variant))
            surplus = (
                "id IN (SELECT id FROM entries WHERE url = ? AND partition_key = ? "
                f"ORDER BY received DESC LIMIT -1 OFFSET {VARIANTS - 1})"
            )
            files += self._delete(connection, surplus, (entry.url, entry.partition_key))
            files += self._delete_unfinished(connection, given_up, now)
            files += self._make_room(connection, limit - entry.size)  # so much less, so that the new one fits
            if self._total(connection) + entry.size > limit:
                return None, files
            added = connection.execute(
                "INSERT INTO entries (url, partition_key, variant, received, used, size, is_ready, file, body_size, "
                "body_sum, meta, body) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (*entry[:4], now, entry.size, entry.file is None, *entry[4:]),
            ).lastrowid
            connection.execute("UPDATE total SET size = size + ?", (entry.size,))
            has_many_free_pages = connection.execute("PRAGMA freelist_count").fetchone()[0] > FREE_PAGES
        self._given_up -= given_up
        if has_many_free_pages:
            self._free_pages()
        return added, files

    def finish(self, id: int) -> bool:
        """Mark an entry as ready: its file is complete. Returns False if the entry was deleted in the meantime."""
        with self._pool.writing() as connection:
            return connection.execute("UPDATE entries SET is_ready = 1 WHERE id = ?", (id,)).rowcount == 1

    def give_up(self, id: int) -> None:
        """Note that the file of an entry could not be written. The next ``add`` or ``shrink_to`` deletes the entry."""
        self._given_up.add(id)

    def update(self, id: int, meta: bytes, received: float, limit: int) -> Files:
        """Replace the fields of an entry, and evict others if it is larger now."""
        with self._pool.writing() as connection:
            row = connection.execute("SELECT length(meta) FROM entries WHERE id = ?", (id,)).fetchone()
            if row is None:
                return []
            more = len(meta) - row[0]
            connection.execute(
                "UPDATE entries SET meta = ?, size = size + ?, received = ?, used = ? WHERE id = ?",
                (meta, more, received, received, id),
            )
            connection.execute("UPDATE total SET size = size + ?", (more,))
            return self._make_room(connection, limit)

    def delete(self, id: int) -> Files:
        with self._pool.writing() as connection:
            return self._delete(connection, "id = ?", (id,))

    def delete_url(self, url: bytes, now: float) -> Files:
        """Delete the entries of a URL. A response that was requested before ``now`` is not stored."""
        with self._pool.writing() as connection:
            connection.execute("DELETE FROM invalidated WHERE moment < ?", (now - INVALID_SECONDS,))
            connection.execute(
                "INSERT INTO invalidated VALUES (?, ?) ON CONFLICT DO UPDATE SET moment = max(moment, excluded.moment)",
                (url, now),
            )
            return self._delete(connection, "url = ?", (url,))

    @staticmethod
    def _was_invalidated(connection: sqlite3.Connection, url: bytes, requested: float, now: float) -> bool:
        row = connection.execute(
            "SELECT 1 FROM invalidated WHERE url = ? AND moment BETWEEN ? AND ? "
            "UNION ALL SELECT 1 FROM total WHERE cleared BETWEEN ? AND ?",
            (url, requested, now, requested, now),
        ).fetchone()
        return row is not None

    def clear(self, now: float) -> Files:
        with self._pool.writing() as connection:
            files = self._delete(connection, "1", ())
            connection.execute("UPDATE total SET size = 0, cleared = max(cleared, ?)", (now,))
            connection.execute("DELETE FROM invalidated WHERE moment <= ?", (now,))
        self._free_pages()
        return files

    def shrink_to(self, limit: int, now: float) -> Files:
        """Evict entries until the rest is within the limit, and delete abandoned entries."""
        given_up = self._given_up.copy()
        with self._pool.writing() as connection:
            files = self._delete_unfinished(connection, given_up, now) + self._make_room(connection, limit)
        self._given_up -= given_up
        self._free_pages()
        return files

    def _free_pages(self) -> None:
        """Give free pages back to the file system."""
        with suppress(sqlite3.OperationalError), self._pool.borrowed() as connection:  # other processes use it
            # A script, because execute() does one step, and so one page.
            connection.executescript("PRAGMA incremental_vacuum")
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    @staticmethod
    def _total(connection: sqlite3.Connection) -> int:
        return int(connection.execute("SELECT size FROM total").fetchone()[0])

    def _delete_unfinished(self, connection: sqlite3.Connection, given_up: set[int], now: float) -> Files:
        """Delete the entries whose body will not be written any more."""
        for id in given_up:  # the caller has removed their files already
            self._delete(connection, "id = ?", (id,))
        return self._delete(connection, "NOT is_ready AND used < ?", (now - UNREADY_SECONDS,))

    def _make_room(self, connection: sqlite3.Connection, limit: int) -> Files:
        files: Files = []
        excess = self._total(connection) - limit
        if excess > 0:
            self._write_uses(connection)
        while excess > 0:
            oldest = connection.execute("SELECT id, size FROM entries WHERE is_ready ORDER BY used LIMIT 32").fetchall()
            if not oldest:
                break
            for id, size in oldest:
                files += self._delete(connection, "id = ?", (id,))
                self.evicted += 1
                excess -= size
                if excess <= 0:
                    break
        return files

    @staticmethod
    def _delete(connection: sqlite3.Connection, where: str, values: Iterable[object]) -> Files:
        values = tuple(values)
        rows = connection.execute(f"SELECT id, size, file FROM entries WHERE {where}", values).fetchall()
        if rows:
            connection.execute(f"DELETE FROM entries WHERE {where}", values)
            connection.execute("UPDATE total SET size = size - ?", (sum(size for _, size, _ in rows),))
        return [file for _, _, file in rows if file is not None]
