"""Carries the body of a request from the caller to the engine."""

from __future__ import annotations

import threading
from collections import deque
from typing import TYPE_CHECKING, Callable, Optional

from .events import UploadDataNeeded

if TYPE_CHECKING:
    from .mailbox import Mailbox

SENT_AHEAD = 1 << 20
"""How many bytes of a request's body are read ahead of the engine."""


class UploadChannel:
    """A queue of pieces of a body: the caller puts them in, the engine takes them out."""

    def __init__(self, size: int, mailbox: Mailbox) -> None:
        """``size``: in bytes; -1 if it is not known."""
        self.size = size
        self.is_replayable = True
        """Whether the body can be sent again, as far as the engine knows."""
        self._mailbox: Optional[Mailbox] = mailbox
        self._guard = threading.Lock()
        self._pieces: deque[memoryview] = deque()
        self._waiting = 0
        self._ended = False
        self._has_asked = True
        """Whether the engine has asked for more and the caller has not put it in yet. The caller begins without being
        asked."""
        self._wake: Optional[Callable[[], None]] = None
        self.is_untouched = True

    @property
    def has_room(self) -> bool:
        return self._waiting < SENT_AHEAD

    @property
    def is_pulled(self) -> bool:
        """Whether the caller drives the engine, and so puts in one piece at a time when there is room."""
        return self._mailbox is None

    @property
    def is_at_end(self) -> bool:
        return self._ended and not self._pieces

    @property
    def waiting(self) -> int:
        """How many bytes the engine can take now."""
        return self._waiting

    def ask(self, mailbox: Optional[Mailbox]) -> None:
        """Ask for more by this mailbox from now on. None: the caller drives the engine, and sees that there is room."""
        self._mailbox = mailbox

    def put(self, piece: bytes) -> None:
        self._give(memoryview(piece))

    def end(self) -> None:
        """Mark the end of the body."""
        self._give(None)

    def _give(self, piece: Optional[memoryview]) -> None:
        with self._guard:
            if piece is None:
                self._ended = True
            else:
                self._pieces.append(piece)
                self._waiting += len(piece)
            if not self.has_room or self._ended:
                self._has_asked = False
            wake, self._wake = self._wake, None
        if wake is not None:
            wake()

    def take(self, limit: int, wake: Callable[[], None]) -> Optional[bytes]:
        """Return at most ``limit`` bytes, None at the end, or empty bytes if the caller has not put in more yet.

        In the last case ``wake`` is called in the caller's thread when there are bytes.
        """
        with self._guard:
            self.is_untouched = False
            taken = None if self._ended else b""
            if self._pieces:
                piece = self._pieces.popleft()
                if len(piece) > limit:
                    self._pieces.appendleft(piece[limit:])
                    piece = piece[:limit]
                self._waiting -= len(piece)
                taken = bytes(piece)
            elif not self._ended:
                self._wake = wake
            asks = self._waiting < SENT_AHEAD // 2 and not self._ended and not self._has_asked
            self._has_asked = self._has_asked or asks
        if asks and self._mailbox is not None:
            self._mailbox.post(UploadDataNeeded())
        return taken
