"""Batch: the results of many requests that are sent at once."""

from __future__ import annotations

from collections.abc import Iterator
from threading import get_ident

from .._names import public
from ..request.interpreter_exit import blocked_callers
from .loop import Loop
from .result_buffer import BatchResult


@public
class Batch(Iterator[BatchResult]):
    """An iterator over the results of many requests, made by ``getMany``, ``sendMany`` and ``downloadMany``.

    It gives a BatchResult for each request, in the order of the requests or as soon as each is there. Only one thread
    may iterate, and its iteration performs the requests; ``abort`` may be called in any thread. ``close()``, leaving a
    ``with`` block and dropping the object cancel the running requests.
    """

    def __init__(self, loop: Loop) -> None:
        # The loop has no reference to this object, so dropping the last reference to it also ends the loop.
        self._loop = loop
        self._results = loop.run()

    def __repr__(self) -> str:
        return f"<Batch: {self._loop.describe()}>"

    def __iter__(self) -> Batch:
        return self

    def __next__(self) -> BatchResult:
        """Block until the next result is there, and return it.

        Raises the exceptions of handlers, preprocessors and the iterable of requests; ValueError if another thread is
        iterating.
        """
        caller = object()  # of this thread: a second thread that iterates must not remove the first one
        blocked_callers.add(caller)
        self._loop.thread = get_ident()
        try:
            return next(self._results)
        finally:
            self._loop.thread = 0
            blocked_callers.discard(caller)

    def __enter__(self) -> Batch:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Cancel the running requests. There are no more results. For the thread that iterates."""
        self._results.close()

    def abort(self) -> None:
        """Cancel the batch: running requests return ``CanceledError``, and no more are started.

        May be called in any thread. The iteration then gives the remaining results and ends.
        """
        self._loop.abort()

    def finishedCount(self) -> int:
        """Return the number of requests that have ended, those whose results were not taken yet included."""
        return self._loop.finished

    def receivedBytes(self) -> int:
        """Return the bytes of their bodies as received, before the content coding was decoded."""
        return self._loop.received
