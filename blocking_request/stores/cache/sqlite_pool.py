"""The connections to an index, which threads share. A thread that does not get a lock soon does without the index."""

from __future__ import annotations

import os
import sqlite3
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ..._fork_lock import fork_lock

BUSY_SECONDS = 0.04
"""Seconds that a thread waits for the transaction of another process. Its caller hears no cancel in the meantime."""

KEPT_CONNECTIONS = 8
WAL_BYTES = 1 << 20
PAGE_BYTES = 4096


class ConnectionPool:
    """Any thread may use it. Every method may raise sqlite3.Error."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._idle: deque[sqlite3.Connection] = deque()
        self._process = os.getpid()
        self._parents: list[object] = []
        self._write_lock = threading.Lock()
        """Held by the thread that writes."""

    def _open(self) -> sqlite3.Connection:
        connection = sqlite3.connect(
            os.fspath(self._path), timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False
        )
        try:
            # A crash of the machine may lose the newest entries, but does no damage.
            connection.execute("PRAGMA synchronous = NORMAL")
            connection.execute(f"PRAGMA wal_autocheckpoint = {WAL_BYTES // PAGE_BYTES}")
            connection.execute(f"PRAGMA journal_size_limit = {WAL_BYTES}")
        except BaseException:
            connection.close()
            raise
        return connection

    @contextmanager
    def borrowed(self) -> Iterator[sqlite3.Connection]:
        """Lend a connection for the time of the block."""
        with fork_lock.held(), self._borrowed() as connection:
            yield connection

    @contextmanager
    def _borrowed(self) -> Iterator[sqlite3.Connection]:
        if self._process != os.getpid():
            # A connection of the parent process must be neither used nor closed.
            self._parents.append(self._idle)
            self._idle, self._process = deque(), os.getpid()
            self._write_lock = threading.Lock()
        try:
            connection = self._idle.pop()
        except IndexError:
            connection = self._open()
        try:
            yield connection
        except sqlite3.OperationalError as error:
            if "locked" in str(error):
                self._idle.append(connection)
            else:
                connection.close()
            raise
        except BaseException:
            connection.close()
            raise
        if len(self._idle) < KEPT_CONNECTIONS:
            self._idle.append(connection)
        else:
            connection.close()

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """Lend a connection in a transaction: the end of the block commits it, an exception rolls it back."""
        with self.borrowed() as connection:
            # SQLite has waiting threads try again and again, without an order: some of many would never succeed.
            if not self._write_lock.acquire(timeout=BUSY_SECONDS):
                raise sqlite3.OperationalError("the index is locked by other threads")
            try:
                connection.execute("BEGIN IMMEDIATE")
                try:
                    yield connection
                    connection.execute("COMMIT")
                except BaseException:
                    with suppress(sqlite3.Error):  # the transaction may have ended by itself
                        connection.execute("ROLLBACK")
                    raise
            finally:
                self._write_lock.release()

    def close(self) -> None:
        if self._process != os.getpid():
            return  # the connections belong to the parent
        with fork_lock.held(), suppress(IndexError):
            while True:
                self._idle.pop().close()

    def __del__(self) -> None:
        self.close()
