"""Batch: the results of many requests that are sent at once."""

from __future__ import annotations

from collections.abc import Iterator

from .._names import public
from ..request.interpreter_exit import blocked_callers
from .loop import Loop
from .result_buffer import BatchResult


@public
class Batch(Iterator[BatchResult]):
    """The results of many requests, as they end or in order. For one thread; ``abort`` may be called from any.

    Leaving it (``close()``, ``with``, the end of its life) cancels what is under way.
    """

    def __init__(self, loop: Loop) -> None:
        # The loop knows nothing of this object, whose end is so the end of the loop.
        self._loop = loop
        self._results = loop.run()

    def __repr__(self) -> str:
        return f"<Batch: {self._loop.describe()}>"

    def __iter__(self) -> Batch:
        return self

    def __next__(self) -> BatchResult:
        blocked_callers.add(self)
        try:
            return next(self._results)
        finally:
            blocked_callers.discard(self)

    def __enter__(self) -> Batch:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End what is under way; there are no more results."""
        self._results.close()

    def abort(self) -> None:
        """Cancel: what has been started and has not ended comes to ``CanceledError``, and nothing more is started.

        From any thread.
        """
        self._loop.abort()

    def finishedCount(self) -> int:
        """How many requests have ended."""
        return self._loop.finished

    def receivedBytes(self) -> int:
        """How many bytes their bodies had on the connection."""
        return self._loop.received
