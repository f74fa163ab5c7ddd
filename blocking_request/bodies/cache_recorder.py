"""Copies a streamed body so that the cache can store it."""

from __future__ import annotations

from typing import Callable, Optional

from ..engines.events import Chunk
from ..models.http_messages import Response

MOST_BYTES = 1 << 23
"""A stream is for what does not fit into memory: of a larger body no copy is made."""


class CacheRecorder:
    """For one thread at a time."""

    def __init__(self, keep: Callable[[Response], None]) -> None:
        """``keep``: is given the response with its whole body."""
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
        """``write`` that has each piece copied too."""

        def both(piece: Chunk) -> None:
            self.add(piece)
            write(piece)

        return both

    def end(self, last: Response) -> None:
        """``last``: the response at its end, without the body."""
        if last.failure is None and self._copy is not None:
            self._keep(last._replace(body=bytes(self._copy)))
