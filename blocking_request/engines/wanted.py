"""Says what a transfer waits for: sockets, or a moment. The classes in ``waiting`` wait for it.

A socket must be waited for only after ``receive`` or ``send`` of its channel has returned None: a TLS channel may hold
bytes that were read from the socket before.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import NamedTuple, TypeVar

READ = 1
WRITE = 4
NEVER = float("inf")


class Wanted(NamedTuple):
    """The transfer goes on if one of the sockets is ready, after a wake-up, or after the seconds have passed."""

    sockets: tuple[tuple[int, int], ...] = ()
    """Pairs of a descriptor and READ, WRITE or both."""
    seconds: float = NEVER


WAKE_UP = Wanted()
"""The transfer waits for a wake-up: by another thread, or by another transfer of the same thread (HTTP/2)."""

YIELD_NOW = Wanted(seconds=0.0)
"""The transfer can go on at once. Its driver checks its timeouts and other transfers before."""

BYTES_PER_TURN = 1 << 21
"""After so many bytes, received or sent without waiting, the steps yield YIELD_NOW."""

_T = TypeVar("_T")
Steps = Generator[Wanted, None, _T]
"""A generator that works without waiting, and yields each thing that it must wait for. It may be resumed too early."""
