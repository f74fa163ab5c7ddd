"""Counts the bytes of a request's body that were sent, and reports them: at most ten times a second, and at the end."""

from __future__ import annotations

from typing import Optional

from .events import PROGRESS_SECONDS, Progress
from .mailbox import Mailbox


class UploadProgress:
    """Counts the sent bytes of one body. The thread that sends uses it."""

    def __init__(self, mailbox: Mailbox, total: int) -> None:
        """``total``: -1 if it is not known."""
        self._mailbox = mailbox
        self._total = total
        self._done = self._told = 0
        self._due = 0.0

    def add(self, count: int) -> Optional[Progress]:
        """Count bytes that were sent; return the progress to report, or None if none is due."""
        self._done += count
        mailbox = self._mailbox
        mailbox.mark_active()
        if not mailbox.wants_progress:
            return None
        now = mailbox.last_activity
        if now < self._due and self._done != self._total:
            return None
        self._due = now + PROGRESS_SECONDS
        return self._tell()

    def end(self) -> Optional[Progress]:
        """Note that the whole body was sent; return the progress to report, or None if it was reported already."""
        return self._tell() if self._mailbox.wants_progress and self._told != self._done else None

    def _tell(self) -> Progress:
        self._told = self._done
        return Progress(True, self._done, self._total)
