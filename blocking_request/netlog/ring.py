"""EntryRing: keeps the records of the latest calls. Any thread may use it.

It is a recorder and no QObject, and has no reference to its NetworkLog. So a call that is still running may go on when
the log is gone.
"""

from __future__ import annotations

from collections import deque
from contextlib import suppress
from itertools import islice
from typing import Callable, Optional

from ..models.call_record import CallRecord
from ..trace import CallRecorder


class EntryRing(CallRecorder):
    """A recorder that keeps the latest ``maximum`` calls. It takes no lock, because a destructor may end a call."""

    def __init__(
        self, maximum: int, body_limit: int, wants_trace: bool, owner: Optional[object], wake: Callable[[], None]
    ) -> None:
        """``owner``: the ``Settings.owner`` whose calls are wanted; None: all. ``wake`` is called after a change."""
        self.wants_trace = wants_trace
        self.body_limit = body_limit
        self.is_paused = False
        self._maximum = maximum
        self._owner = owner
        self._wake = wake
        self._records: deque[CallRecord] = deque()
        self._kept: set[CallRecord] = set()
        """The same records."""
        self._changes: dict[CallRecord, bool] = {}
        """The records that wait to be emitted, all of them kept, and whether they are new. Without an event loop,
        nothing takes them."""
        self.clears = 0
        """How often ``clear`` was called."""

    def wants(self, owner: object) -> bool:
        return not self.is_paused and (self._owner is None or self._owner is owner)

    def call_started(self, call: CallRecord) -> None:
        records, kept = self._records, self._kept
        kept.add(call)
        records.append(call)
        while len(records) > self._maximum:
            with suppress(IndexError):  # another thread has dropped it
                dropped = records.popleft()
                kept.discard(dropped)
                self._changes.pop(dropped, None)
        self._note(call, True)

    def request_ended(self, request: CallRecord, call: CallRecord) -> None:
        self._note(call, False)

    def call_ended(self, call: CallRecord) -> None:
        self._note(call, False)

    def add(self, record: CallRecord) -> None:
        """Add a record that was loaded."""
        self.call_started(record)

    def _note(self, record: CallRecord, is_new: bool) -> None:
        changes = self._changes
        if is_new:
            changes[record] = True
        elif record in self._kept:
            changes.setdefault(record, False)
        if not self.keeps(record):  # it was dropped in the meantime
            changes.pop(record, None)
            return
        self._wake()

    def keeps(self, record: CallRecord) -> bool:
        """Return whether a record was not dropped."""
        return record in self._kept

    def take_changes(self, limit: int) -> tuple[dict[CallRecord, bool], bool]:
        """Return the records that are new or have changed since the last call, and whether they are new; and whether
        there are more. ``limit``: of the changes that are taken.
        """
        waiting: list[CallRecord] = []
        while True:
            try:
                waiting = list(islice(self._changes, limit))
                break
            except RuntimeError:  # another thread, or a destructor, has added one in the meantime
                continue
        changes: dict[CallRecord, bool] = {}
        for record in waiting:
            is_new = self._changes.pop(record, None)
            if is_new is not None:
                changes[record] = is_new
        return changes, bool(self._changes)

    def records(self) -> list[CallRecord]:
        """Return the records, oldest first."""
        while True:
            try:
                return list(self._records)[-self._maximum :]  # a thread may have added one, and dropped none yet
            except RuntimeError:  # another thread, or a destructor, has added one in the meantime
                continue

    def clear(self) -> None:
        self._records.clear()
        self._kept.clear()
        self._changes.clear()
        self.clears += 1
        self._wake()

    def __len__(self) -> int:
        return min(len(self._records), self._maximum)
