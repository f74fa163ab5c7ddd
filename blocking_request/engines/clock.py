"""The clock of a call or a batch: ``time.monotonic``, or a virtual clock in tests.

The driver of a call waits by its clock. A virtual clock does not wait: it skips the time until the next thing is due,
so that a timeout of a minute, or a pause before a retry, passes at once. It stands still while code runs. Each call and
each batch has a virtual clock of its own, so that other threads cannot make it late.
"""

from __future__ import annotations

import math
import time
from queue import Empty, SimpleQueue
from typing import Any, Callable

from .wanted import NEVER


class Clock:
    """The real time, in seconds."""

    is_virtual = False
    now: Callable[[], float] = staticmethod(time.monotonic)

    def get(self, queue: SimpleQueue[Any], seconds: float) -> Any:
        """Return the next element of a queue; raise ``queue.Empty`` after so many seconds."""
        return queue.get(timeout=None if seconds == NEVER else seconds)


class VirtualClock(Clock):
    """A clock that stands still, and skips the time that its driver would wait. For one thread."""

    is_virtual = True

    def __init__(self) -> None:
        self._now = time.monotonic()
        self.now = self._read

    def _read(self) -> float:
        return self._now

    def skip(self, seconds: float) -> None:
        """Let so many seconds pass."""
        if seconds > 0:
            # A pause may be smaller than the precision of a float. The clock must advance all the same, or the driver
            # waits for ever.
            self._now = max(self._now + seconds, math.nextafter(self._now, NEVER))

    def get(self, queue: SimpleQueue[Any], seconds: float) -> Any:
        """Return the next element of a queue. If it is empty, skip the seconds, and raise ``queue.Empty``.

        If the seconds have no end, wait in real time: only another thread can go on then.
        """
        if seconds == NEVER:
            return queue.get()
        try:
            return queue.get_nowait()
        except Empty:
            self.skip(seconds)
            raise


REAL_CLOCK = Clock()

clock_users: list[tuple[object, bool]] = []
"""The objects that choose the clock of calls, and whether theirs is virtual. The last one decides for the calls that
begin."""


def new_clock() -> Clock:
    """Return the clock for a call or a batch that begins."""
    return VirtualClock() if clock_users and clock_users[-1][1] else REAL_CLOCK
