"""EntryRing: keeps the records of the latest calls. Any thread may use it.

It is a recorder and no QObject, and has no reference to its NetworkLog. So a call that is still running may go on when
the log is gone.
"""

from __future__ import annotations

from collections import deque
from queue import Empty, SimpleQueue
from typing import Callable, Optional

from ..models.call_record import CallRecord

WAITING = 2
"""At most ``WAITING * maximum`` changes wait to be told. Without an event loop, nothing takes them."""


class EntryRing:
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
        self._records: deque[CallRecord] = deque(maxlen=maximum)
        self._changes: SimpleQueue[tuple[CallRecord, bool]] = SimpleQueue()
        """Records, and whether they are new."""
        self.clears = 0
        """How often ``clear`` was called."""

    def wants(self, owner: object) -> bool:
        return not self.is_paused and (self._owner is None or self._owner is owner)

    def call_started(self, call: CallRecord) -> None:
        self._records.append(call)
        self._note(call, True)

    def request_started(self, request: CallRecord, call: CallRecord) -> None:
        pass

    def response_started(self, request: CallRecord, call: CallRecord) -> None:
        pass

    def request_ended(self, request: CallRecord, call: CallRecord) -> None:
        self._note(call, False)

    def call_ended(self, call: CallRecord) -> None:
        self._note(call, False)

    def add(self, record: CallRecord) -> None:
        """Add a record that was loaded."""
        self.call_started(record)

    def _note(self, record: CallRecord, is_new: bool) -> None:
        changes = self._changes
        changes.put((record, is_new))
        if changes.qsize() > WAITING * self._maximum:
            try:
                changes.get_nowait()
            except Empty:
                return
        self._wake()

    def take_changes(self, limit: int) -> tuple[dict[CallRecord, bool], bool]:
        """Return the records that are new or have changed since the last call, and whether they are new; and whether
        there are more. ``limit``: of the changes that are taken.
        """
        changes: dict[CallRecord, bool] = {}
        for _ in range(min(self._changes.qsize(), limit)):
            try:
                record, is_new = self._changes.get_nowait()
            except Empty:
                break
            changes[record] = is_new or changes.get(record, False)
        return changes, not self._changes.empty()

    def records(self) -> list[CallRecord]:
        """Return the records, oldest first."""
        while True:
            try:
                return list(self._records)
            except RuntimeError:  # another thread, or a destructor, has added one in the meantime
                continue

    def clear(self) -> None:
        self._records.clear()
        self.clears += 1
        self._wake()

    def __len__(self) -> int:
        return len(self._records)
