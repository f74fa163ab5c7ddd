"""UploadChannel: the body of a request on its way from the caller to the engine."""

from __future__ import annotations

import threading
from collections import deque
from typing import TYPE_CHECKING, Callable, Optional

from .events import UploadDataNeeded

if TYPE_CHECKING:
    from .mailbox import Mailbox

SENT_AHEAD = 1 << 20
"""How many bytes of a request's body are read before the engine wants them."""


class UploadChannel:
    """The body of a request on its way from the caller, who puts it in, to the engine, which takes it out."""

    def __init__(self, size: int, mailbox: Mailbox) -> None:
        """``size``: in bytes; -1 if it is not known."""
        self.size = size
        self.is_replayable = True
        """As far as an engine knows."""
        self._mailbox: Optional[Mailbox] = mailbox
        self._guard = threading.Lock()
        self._pieces: deque[memoryview] = deque()
        self._waiting = 0
        self._ended = False
        self._has_asked = True
        """Whether the caller has been asked for more, and has not given it yet. It begins by giving."""
        self._wake: Optional[Callable[[], None]] = None
        self.is_untouched = True

    @property
    def has_room(self) -> bool:
        return self._waiting < SENT_AHEAD

    @property
    def is_pulled(self) -> bool:
        """Whether the caller is resumed when there is room, and need not put in more than one piece at a time."""
        return self._mailbox is None

    @property
    def is_at_end(self) -> bool:
        return self._ended and not self._pieces

    @property
    def waiting(self) -> int:
        """How many bytes can be taken."""
        return self._waiting

    def ask(self, mailbox: Optional[Mailbox]) -> None:
        """From now on, ask the caller of this mailbox for more. None: the caller sees by itself that there is room."""
        self._mailbox = mailbox

    def put(self, piece: bytes) -> None:
        self._give(memoryview(piece))

    def end(self) -> None:
        """There is no more."""
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
        """Some bytes; None at the end; none at all where they have not come yet: ``wake`` is called when they have, in
        the caller's thread.
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
