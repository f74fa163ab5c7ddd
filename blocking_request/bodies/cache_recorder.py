"""Copies a streamed body so that the cache can store it."""

from __future__ import annotations

from typing import Callable, Optional

from ..engines.events import Chunk
from ..models.http_messages import Response

MOST_BYTES = 1 << 23
"""A larger body is not copied: a stream may be larger than the memory."""


class CacheRecorder:
    """Copies one body. One thread at a time uses it."""

    def __init__(self, keep: Callable[[Response], None]) -> None:
        """``keep``: is called with the response and its whole body."""
        self._keep = keep
        self._copy: Optional[bytearray] = bytearray()

    def add(self, piece: Chunk) -> None:
        if self._copy is None:
            return
        if len(self._copy) + len(piece) > MOST_BYTES:
            self._copy = None
        else:
            self._copy += piece

    def tee(self, write: Callable[[Chunk], None]) -> Callable[[Chunk], None]:
        """Return a function that gives each piece to ``write``, and copies it."""

        def both(piece: Chunk) -> None:
            self.add(piece)
            write(piece)

        return both

    def end(self, last: Response) -> None:
        """Give the copied body to ``keep``. ``last``: the response at its end, without a body."""
        if last.failure is None and self._copy is not None:
            self._keep(last._replace(body=bytes(self._copy)))
