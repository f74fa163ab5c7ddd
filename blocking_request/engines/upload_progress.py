"""How much of a request's body has gone out: told to the caller ten times a second at most, and the end exactly."""

from __future__ import annotations

import time

from .events import PROGRESS_SECONDS, Progress
from .mailbox import Mailbox


class UploadProgress:
    """For the worker's thread."""

    def __init__(self, mailbox: Mailbox, total: int) -> None:
        """``total``: -1 where it is not known."""
        self._mailbox = mailbox
        self._total = total
        self._done = self._told = 0
        self._due = 0.0

    def add(self, count: int) -> None:
        self._done += count
        self._mailbox.mark_active()
        if self._mailbox.wants_progress:
            now = time.monotonic()
            if now >= self._due or self._done == self._total:
                self._due = now + PROGRESS_SECONDS
                self._tell()

    def end(self) -> None:
        """All of it has gone out, as much as it was."""
        if self._mailbox.wants_progress and self._told != self._done:
            self._tell()

    def _tell(self) -> None:
        self._told = self._done
        self._mailbox.report(Progress(True, self._done, self._total))
