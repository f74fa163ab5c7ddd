"""The tables of the index, and the values that are written to their rows and read from them."""

from __future__ import annotations

from typing import NamedTuple, Optional

from ...models.redaction import hidden_repr
from .sqlite_pool import PAGE_BYTES

ROW_BYTES = 200
"""How many bytes an entry takes in the table and its indexes, besides its values."""

FORMAT = 3
"""The version of the tables. An index of another format is rebuilt."""

# ``url`` and ``partition_key`` are digests. Ids are never used twice: a reader that holds the id of a deleted
# entry must not get another entry by it.
SCHEMA = """
CREATE TABLE entries (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    url BLOB NOT NULL,
    partition_key BLOB NOT NULL,
    variant BLOB NOT NULL,
    received REAL NOT NULL,
    used REAL NOT NULL,
    size INTEGER NOT NULL,
    is_ready INTEGER NOT NULL,
    file TEXT,
    body_size INTEGER NOT NULL,
    body_sum INTEGER NOT NULL,
    meta BLOB NOT NULL,
    body BLOB
);
CREATE INDEX entries_by_url ON entries (url, partition_key);
CREATE INDEX entries_by_use ON entries (used);
CREATE INDEX entries_unready ON entries (used) WHERE NOT is_ready;
CREATE TABLE total (size INTEGER NOT NULL, cleared REAL NOT NULL);
INSERT INTO total VALUES (0, 0);
CREATE TABLE invalidated (url BLOB PRIMARY KEY, moment REAL NOT NULL) WITHOUT ROWID
"""


class Row(NamedTuple):
    def __repr__(self) -> str:
        return hidden_repr(self)

    id: int
    file: Optional[str]
    body_size: int
    body_sum: int
    meta: bytes
    body: Optional[bytes]


class Entry(NamedTuple):
    """The values that are written for a response."""

    def __repr__(self) -> str:
        return hidden_repr(self)

    url: bytes
    partition_key: bytes
    variant: bytes
    received: float
    file: Optional[str]
    body_size: int
    body_sum: int
    meta: bytes
    body: Optional[bytes]

    @property
    def size(self) -> int:
        """Bytes on the disk, with the file of the body."""
        inside = len(self.meta) + (0 if self.body is None else len(self.body)) + ROW_BYTES
        # As many as fit stand on a page; a larger one takes pages of its own.
        inside = PAGE_BYTES // (PAGE_BYTES // inside) if inside <= PAGE_BYTES else _whole_pages(inside)
        return inside + (0 if self.file is None else _whole_pages(self.body_size))


def _whole_pages(size: int) -> int:
    return -(-size // PAGE_BYTES) * PAGE_BYTES
