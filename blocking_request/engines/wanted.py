"""What a transfer waits for, as a value: ``waiting`` has what waits."""

from __future__ import annotations

from collections.abc import Generator
from typing import NamedTuple, TypeVar

READ = 1
WRITE = 4
NEVER = float("inf")


class Wanted(NamedTuple):
    """One of the sockets, a wake-up, or that the seconds pass: the transfer goes on after the first of them."""

    sockets: tuple[tuple[int, int], ...] = ()
    """Each with its descriptor, and READ, WRITE or both."""
    seconds: float = NEVER


WAKE_UP = Wanted()
"""Nothing but a wake-up: another thread has something to tell."""

LOOK_AROUND = Wanted(seconds=0.0)
"""Nothing: it goes on at once, but its driver may have something else to look at."""

_T = TypeVar("_T")
Steps = Generator[Wanted, None, _T]
"""Goes on as far as it can without waiting, and yields what it has to wait for. It may be resumed for no reason."""
