"""The thread boundary: what an engine tells the blocked caller, and the bodies that go past it chunk by chunk.

Rules of this file: events and bodies cross threads only through the Mailbox and the UploadChannel. The blocked caller
waits on its own mailbox, with a deadline, and never on Qt.
"""

from __future__ import annotations

import threading
import time
from queue import SimpleQueue
from typing import Any, Callable, Optional, Protocol

from .events import CHUNKS, BodyChunks, Cancel, Chunk, Event, EventSink, Marker, Progress, QueuedEvent

ABORT_GRACE_SECONDS = 0.025
"""Seconds that a cancelled or late call waits for what has arrived so far."""

STREAMED_AHEAD = 1 << 22
"""How many bytes of a streamed body may wait for the caller before the engine stops reading."""


_CANCEL = Cancel()


class Wakeable(Protocol):
    """May be woken from any thread."""

    def wake(self) -> None: ...


class Mailbox:
    """Where a blocked caller hears from the rest of the world. ``post`` and ``report`` may come from any thread.

    A SimpleQueue, because its ``get`` can be interrupted by Ctrl-C and its ``put`` may be called from anywhere, a
    destructor included.
    """

    __slots__ = (
        "_chunks",
        "_events",
        "_guard",
        "_newest_progress",
        "_resume",
        "_untaken",
        "_write",
        "buffers",
        "is_woken",
        "last_activity",
        "waiter",
        "wants_progress",
        "wants_trace",
    )

    def __init__(self, events: Optional[EventSink] = None) -> None:
        """``events``: a queue that several mailboxes share. Its owner takes an event out and gives it to ``resolve``;
        ``take`` is not used then.
        """
        self._events: Any = SimpleQueue() if events is None else events
        self._chunks: list[Chunk] = []
        self._untaken = 0
        self._resume: Optional[Callable[[], None]] = None
        self._write: Optional[Callable[[Chunk], None]] = None
        self.buffers: list[bytearray] = []
        """For chunks: the caller puts those back that it is done with, the engine takes them. New memory for each chunk
        takes as long as to fill it.
        """
        self._newest_progress: dict[bool, Progress] = {}
        self._guard = threading.Lock()
        self.last_activity = time.monotonic()
        """When bytes last moved, by ``time.monotonic()``: what the idle timeout is counted from."""
        self.wants_progress = False
        """Whether the caller listens to ``report``."""
        self.wants_trace = False
        """Whether the caller wants to know of the steps of the transfer what takes extra work to find out."""
        self.waiter: Optional[Wakeable] = None
        """What the caller waits with while it drives a transfer by itself."""
        self.is_woken = False
        """Whether ``wake`` was called since the caller last waited."""

    def wake(self) -> None:
        """Wake a caller that drives a transfer by itself: there is something to look at. May come from any thread."""
        self.is_woken = True
        waiter = self.waiter
        if waiter is not None:
            waiter.wake()

    def cancel(self) -> None:
        """Wake the caller, whatever it waits with: the call is cancelled. May come from any thread."""
        self._events.put(_CANCEL)
        self.wake()

    now = staticmethod(time.monotonic)

    def mark_active(self) -> None:
        self.last_activity = time.monotonic()

    def post(self, event: Event) -> None:
        self._events.put(event)

    def report(self, progress: Progress) -> None:
        """Tell progress; a caller that is slow to listen hears the newest figure once, not all of them."""
        with self._guard:
            fresh = progress.upload not in self._newest_progress
            self._newest_progress[progress.upload] = progress
        if fresh:
            self._events.put(None)

    def deliver(self, chunk: Chunk, resume: Callable[[], None]) -> bool:
        """Hand over a chunk of a streamed body. False where the engine should stop: ``resume`` is then called, in the
        caller's thread, when there is room again.
        """
        with self._guard:
            write = self._write
            if write is None:
                is_first = not self._chunks
                self._chunks.append(chunk)
                self._untaken += len(chunk)
                has_room = self._untaken < STREAMED_AHEAD
                if not has_room:
                    self._resume = resume
        if write is not None:
            write(chunk)
            self.give_back(chunk)
            return True
        if is_first:
            self._events.put(CHUNKS)
        return has_room

    def give_back(self, chunk: Chunk) -> None:
        """The caller is done with it."""
        if isinstance(chunk, memoryview) and isinstance(chunk.obj, bytearray):
            self.buffers.append(chunk.obj)

    def stream_to(self, write: Callable[[Chunk], None]) -> None:
        """From now on have the engine hand its chunks to ``write``, in its own thread; those that wait go there
        first.
        """
        while True:
            resume = None
            with self._guard:
                chunks, self._chunks, self._untaken = self._chunks, [], 0
                if not chunks:
                    self._write = write
                    resume, self._resume = self._resume, None
            if not chunks:
                # Only once the backlog is written: an engine that is quicker than the disk would keep this thread busy
                # with all of the body.
                if resume is not None:
                    resume()
                return
            for chunk in chunks:
                write(chunk)

    def take(self, timeout: float) -> Event:
        """The next event; raises ``queue.Empty`` after ``timeout`` seconds. For the caller's thread only."""
        return self.resolve(self._events.get(timeout=timeout))

    def resolve(self, event: QueuedEvent) -> Event:
        """Replace a marker by what it stands for: chunks or progress."""
        if event is not None:
            return self._take_chunks() if isinstance(event, Marker) else event
        with self._guard:
            # One None stands in the queue for each entry here.
            return self._newest_progress.pop(next(iter(self._newest_progress)))

    def _take_chunks(self) -> BodyChunks:
        with self._guard:
            chunks, self._chunks, self._untaken = self._chunks, [], 0
            resume, self._resume = self._resume, None
        if resume is not None:
            resume()
        return BodyChunks(chunks)
