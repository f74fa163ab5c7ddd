"""The thread boundary: carries events and chunks of bodies from an engine to the blocked caller.

Events and bodies cross threads only by a Mailbox or an UploadChannel. The blocked caller waits on its own mailbox, with
a timeout, and never on Qt.

A call has a queue of its own, and uses ``take``. The transfers of a batch share one queue, whose owner uses
``resolve``. If the caller is slower than the engine, ``deliver`` returns False and the engine stops to read; ``resume``
makes it go on.
"""

from __future__ import annotations

import threading
from queue import SimpleQueue
from typing import Any, Callable, Optional, Protocol

from ..models.sent_head import RawHead
from .clock import REAL_CLOCK, Clock
from .events import CHUNKS, NO_STEPS, BodyChunks, Cancel, Chunk, Event, EventSink, Marker, Progress, QueuedEvent

ABORT_GRACE_SECONDS = 0.025
"""Seconds that a cancelled or late call waits for the bytes that have arrived."""

STREAMED_AHEAD = 1 << 22
"""How many bytes of a streamed body may wait for the caller before the engine stops to read."""

ENGINE_BUFFER_BYTES = 1 << 20
"""How many bytes of a streamed body Qt may buffer. It does so twice: in the reply, and in its own network thread."""

SMALLEST_ENGINE_BUFFER_BYTES = 1 << 12

DEFAULT_READ_BUFFER = STREAMED_AHEAD + 2 * ENGINE_BUFFER_BYTES
"""The default of ``Stream.setReadBufferSize``."""

_UNLIMITED = 1 << 62


_CANCEL = Cancel()


class Wakeable(Protocol):
    """Waits for something. Any thread may wake it."""

    def wake(self) -> None: ...


class Mailbox:
    """The queue of events of one blocked caller. Any thread may call ``post`` and ``report``.

    It uses a SimpleQueue, because Ctrl-C interrupts its ``get``, and a destructor may call its ``put``.
    """

    __slots__ = (
        "__weakref__",
        "_chunks",
        "_events",
        "_guard",
        "_newest_progress",
        "_resume",
        "_untaken",
        "_write",
        "buffers",
        "clock",
        "counts_use",
        "is_woken",
        "last_activity",
        "now",
        "read_buffer",
        "sent_head",
        "waiter",
        "wanted_steps",
        "wants_progress",
        "wants_trace",
    )

    def __init__(self, events: Optional[EventSink] = None, clock: Clock = REAL_CLOCK) -> None:
        """``events``: a queue that several mailboxes share, if there is one. Its owner takes each event out and gives
        it to ``resolve``; ``take`` is not used then. ``clock``: the clock of the call or the batch.
        """
        self.clock = clock
        self.now = clock.now
        self._events: Any = SimpleQueue() if events is None else events
        self._chunks: list[Chunk] = []
        self._untaken = 0
        self._resume: Optional[Callable[[], None]] = None
        self._write: Optional[Callable[[Chunk], None]] = None
        self.buffers: list[bytearray] = []
        """Free buffers for chunks: the caller puts them back, the engine takes them. To allocate memory for each chunk
        takes as long as to fill it.
        """
        self._newest_progress: dict[bool, Progress] = {}
        self._guard = threading.Lock()
        self.last_activity = clock.now()
        """When bytes last moved, by the clock. The idle timeout counts from here."""
        self.read_buffer = DEFAULT_READ_BUFFER
        """How many bytes of a streamed body the engine may hold; 0: any number."""
        self.counts_use = False
        """Whether the caller calls ``count_used``. If not, the chunks that it has taken from here count as used."""
        self.wants_progress = False
        """Whether the caller listens to ``report``."""
        self.wanted_steps = NO_STEPS
        """The steps that the engine reports by events."""
        self.wants_trace = False
        """Whether the caller wants the steps of the transfer that an engine finds out by extra work only."""
        self.sent_head: Optional[RawHead] = None
        """The head of the request, when the python engine has sent it."""
        self.waiter: Optional[Wakeable] = None
        """Wakes the caller while it drives a transfer in its own thread."""
        self.is_woken = False
        """Whether ``wake`` was called since the caller last waited."""

    def wake(self) -> None:
        """Wake a caller that drives a transfer in its own thread. Any thread may call this."""
        self.is_woken = True
        waiter = self.waiter
        if waiter is not None:
            waiter.wake()

    def cancel(self) -> None:
        """Tell the caller that the call is cancelled, and wake it. Any thread may call this."""
        self._events.put(_CANCEL)
        self.wake()

    def mark_active(self) -> None:
        self.last_activity = self.now()

    def post(self, event: Event) -> None:
        self._events.put(event)

    def report(self, progress: Progress) -> None:
        """Report progress. A caller that is slow gets the newest figures only."""
        with self._guard:
            fresh = progress.upload not in self._newest_progress
            self._newest_progress[progress.upload] = progress
        if fresh:
            self._events.put(None)

    @property
    def engine_buffer(self) -> int:
        """How many bytes of a streamed body Qt may buffer; 0: any number."""
        if self.read_buffer == 0:
            return 0
        return max(min(self.read_buffer // 6, ENGINE_BUFFER_BYTES), SMALLEST_ENGINE_BUFFER_BYTES)

    @property
    def room(self) -> int:
        """How many bytes of a streamed body may be delivered now."""
        if self.read_buffer == 0:
            return _UNLIMITED
        return self._limit - self._untaken

    @property
    def _limit(self) -> int:
        return max(self.read_buffer - 2 * self.engine_buffer, SMALLEST_ENGINE_BUFFER_BYTES)

    def count_used(self, size: int) -> None:
        """Count bytes of chunks that the caller has used. The engine goes on if half of the room is free."""
        if not self.counts_use or self._untaken == 0:
            return  # the python engine delivers nothing here
        resume = None
        with self._guard:
            self._untaken = max(self._untaken - size, 0)
            if 2 * self._untaken <= self._limit:
                resume, self._resume = self._resume, None
        if resume is not None:
            resume()

    def resize(self, read_buffer: int) -> None:
        """Change ``read_buffer``, and have the engine go on if there is room now. Any thread may call this."""
        resume = None
        with self._guard:
            self.read_buffer = read_buffer
            if self.room > 0:
                resume, self._resume = self._resume, None
        if resume is not None:
            resume()

    def deliver(self, chunk: Chunk, resume: Callable[[], None]) -> bool:
        """Hand over a chunk of a streamed body; return whether the engine should go on.

        If not, ``resume`` is called in the caller's thread when there is room again.
        """
        with self._guard:
            write = self._write
            if write is None:
                is_first = not self._chunks
                self._chunks.append(chunk)
                self._untaken += len(chunk)
                has_room = self.room > 0
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
        """Take back the buffer of a chunk that the caller has used."""
        if isinstance(chunk, memoryview) and isinstance(chunk.obj, bytearray):
            self.buffers.append(chunk.obj)

    def stream_to(self, write: Callable[[Chunk], None]) -> None:
        """Have the engine give its chunks to ``write``, in the engine's thread, from now on.

        The chunks that wait here are written first, in the caller's thread.
        """
        while True:
            resume = None
            with self._guard:
                chunks, self._chunks, self._untaken = self._chunks, [], 0
                if not chunks:
                    self._write = write
                    resume, self._resume = self._resume, None
            if not chunks:
                # The engine goes on only when the backlog is written. Otherwise an engine that is quicker than the disk
                # would keep this thread busy until the end of the body.
                if resume is not None:
                    resume()
                return
            for chunk in chunks:
                write(chunk)

    def take(self, timeout: float) -> Event:
        """Return the next event; raise ``queue.Empty`` after ``timeout`` seconds. The caller's thread calls this."""
        return self.resolve(self.clock.get(self._events, timeout))

    def resolve(self, event: QueuedEvent) -> Event:
        """Replace a marker by the chunks or the progress that it stands for."""
        if event is not None:
            return self._take_chunks() if isinstance(event, Marker) else event
        with self._guard:
            # One None stands in the queue for each entry here.
            return self._newest_progress.pop(next(iter(self._newest_progress)))

    def _take_chunks(self) -> BodyChunks:
        resume = None
        with self._guard:
            chunks, self._chunks = self._chunks, []
            if not self.counts_use:
                self._untaken = 0
                resume, self._resume = self._resume, None
        if resume is not None:
            resume()
        return BodyChunks(chunks)
