"""The thread boundary: what an engine tells the blocked caller, and the bodies that go past it piece by piece.

Rules of this file: the Mailbox and the Channel are the only things that two threads touch. The blocked caller waits on
its own mailbox, with a deadline, and never on Qt.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from dataclasses import dataclass
from queue import SimpleQueue
from typing import Any, Callable, Optional, Protocol, Union

from ..models.http_messages import Response


@dataclass(frozen=True)
class Progress:
    """Bytes moved so far, and how many there will be (-1: unknown)."""

    upload: bool
    done: int
    total: int


Piece = Union[bytes, memoryview]
"""Of a body. A memoryview is one of a buffer that is used again: see ``Mailbox.buffers``."""


@dataclass(frozen=True)
class HeadersReceived:
    """The header of a streamed response is there, and Pieces follow; ``response`` has no body."""

    response: Response


@dataclass(frozen=True)
class Pieces:
    """What of a streamed body has come since the last ones."""

    pieces: list[Piece]


@dataclass(frozen=True)
class UploadDataNeeded:
    """The engine has sent most of what it has of the request's body."""


@dataclass(frozen=True)
class Cancel:
    """Somebody wants the call to end."""


Event = Union[Response, HeadersReceived, Pieces, UploadDataNeeded, Progress, Cancel]

GRACE = 0.025
"""Seconds that a cancelled or late call waits for what has arrived so far."""

SENT_AHEAD = 1 << 20
"""How many bytes of a request's body are read before the engine wants them."""

PROGRESS_SECONDS = 0.1
"""Between two events of progress, as Qt has it."""

STREAMED_AHEAD = 1 << 22
"""How many bytes of a streamed body may wait for the caller before the engine stops reading."""


class _Marker:
    pass


_PIECES = _Marker()

QueuedEvent = Union[Event, _Marker, None]
"""An event on its way. A marker stands for the pieces, None for the progress, that wait in the mailbox."""


class EventSink(Protocol):
    """May be called from any thread."""

    def put(self, event: QueuedEvent) -> None: ...


class Channel:
    """The body of a request on its way from the caller, who puts it in, to the engine, which takes it out."""

    def __init__(self, size: int, mailbox: Mailbox) -> None:
        """``size``: -1 where nobody knows it."""
        self.size = size
        self.is_replayable = True
        """As far as an engine knows."""
        self._mailbox = mailbox
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
    def is_at_end(self) -> bool:
        return self._ended and not self._pieces

    @property
    def waiting(self) -> int:
        """How many bytes can be taken."""
        return self._waiting

    def ask(self, mailbox: Mailbox) -> None:
        """Whom to ask for more from now on."""
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
        if asks:
            self._mailbox.post(UploadDataNeeded())
        return taken


class Mailbox:
    """Where a blocked caller hears from the rest of the world. ``post`` and ``report`` may come from any thread.

    A SimpleQueue, because its ``get`` can be interrupted by Ctrl-C and its ``put`` may be called from anywhere, a
    destructor included.
    """

    __slots__ = (
        "_events",
        "_pieces",
        "_resume",
        "_unhandled",
        "_unhandled_guard",
        "_untaken",
        "_write",
        "buffers",
        "last_activity",
        "wants_progress",
    )

    def __init__(self, events: Optional[EventSink] = None) -> None:
        """``events``: where they are put, not into a queue of its own; ``read`` reads them then, and not ``take``."""
        self._events: Any = SimpleQueue() if events is None else events
        self._pieces: list[Piece] = []
        self._untaken = 0
        self._resume: Optional[Callable[[], None]] = None
        self._write: Optional[Callable[[Piece], None]] = None
        self.buffers: list[bytearray] = []
        """For pieces: the caller puts those back that it is done with, the engine takes them. New memory for each piece
        takes as long as to fill it.
        """
        self._unhandled: dict[bool, Progress] = {}
        self._unhandled_guard = threading.Lock()
        self.last_activity = time.monotonic()
        """When bytes last moved, by ``time.monotonic()``: what the idle timeout is counted from."""
        self.wants_progress = False
        """Whether the caller listens to ``report``."""

    def mark_active(self) -> None:
        self.last_activity = time.monotonic()

    def post(self, event: Event) -> None:
        self._events.put(event)

    def report(self, progress: Progress) -> None:
        """Tell progress; a caller that is slow to listen hears the newest figure once, not all of them."""
        with self._unhandled_guard:
            fresh = progress.upload not in self._unhandled
            self._unhandled[progress.upload] = progress
        if fresh:
            self._events.put(None)

    def deliver(self, piece: Piece, resume: Callable[[], None]) -> bool:
        """Hand over a piece of a streamed body. False where the engine should stop: ``resume`` is then called, in the
        caller's thread, when there is room again.
        """
        with self._unhandled_guard:
            write = self._write
            if write is None:
                is_first = not self._pieces
                self._pieces.append(piece)
                self._untaken += len(piece)
                has_room = self._untaken < STREAMED_AHEAD
                if not has_room:
                    self._resume = resume
        if write is not None:
            write(piece)
            self.give_back(piece)
            return True
        if is_first:
            self._events.put(_PIECES)
        return has_room

    def give_back(self, piece: Piece) -> None:
        """The caller is done with it."""
        if isinstance(piece, memoryview) and isinstance(piece.obj, bytearray):
            self.buffers.append(piece.obj)

    def divert(self, write: Callable[[Piece], None]) -> None:
        """From now on have the engine hand its pieces to ``write``, in its own thread; those that wait go there
        first.
        """
        while True:
            resume = None
            with self._unhandled_guard:
                pieces, self._pieces, self._untaken = self._pieces, [], 0
                if not pieces:
                    self._write = write
                    resume, self._resume = self._resume, None
            if not pieces:
                # Not before: an engine that is quicker than the disk would keep this thread busy with all of the body.
                if resume is not None:
                    resume()
                return
            for piece in pieces:
                write(piece)

    def take(self, timeout: float) -> Event:
        """The next event; raises ``queue.Empty`` after ``timeout`` seconds. For the caller's thread only."""
        return self.read(self._events.get(timeout=timeout))

    def read(self, event: QueuedEvent) -> Event:
        """What was put, as who waits for it wants it."""
        if event is not None:
            return self._take_pieces() if isinstance(event, _Marker) else event
        with self._unhandled_guard:
            # One None stands in the queue for each entry here.
            return self._unhandled.pop(next(iter(self._unhandled)))

    def _take_pieces(self) -> Pieces:
        with self._unhandled_guard:
            pieces, self._pieces, self._untaken = self._pieces, [], 0
            resume, self._resume = self._resume, None
        if resume is not None:
            resume()
        return Pieces(pieces)
