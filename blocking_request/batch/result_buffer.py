"""ResultBuffer: keeps the results of a batch until the caller takes them, in order or not."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from .._names import public
from ..errors import ErrorCode
from ..reply import ReplyContent


@public
class BatchResult(NamedTuple):
    """The result of one request of a batch."""

    index: int  # type: ignore[assignment]
    """The position of its request in ``requests``, from 0."""
    code: ErrorCode
    """As ``BlockingNetworkRequest.get`` returns it."""
    reply: ReplyContent
    """The response."""


class ResultBuffer:
    """Keeps results. For the thread that drives the batch."""

    def __init__(self, ordered: bool) -> None:
        """``ordered``: give the results in the order of the requests, not in the order in which they ended."""
        self._ordered = ordered
        self._results: dict[int, BatchResult] = {}
        self.next_index = 0
        """The index of the next result, if they are ordered."""

    def __len__(self) -> int:
        return len(self._results)

    def add(self, result: BatchResult) -> None:
        self._results[result.index] = result

    def take_all(self) -> Iterator[BatchResult]:
        """Remove and yield every result in the order of the requests, also if an earlier one is missing."""
        for index in sorted(self._results):
            yield self._results.pop(index)

    def take_ready(self) -> Iterator[BatchResult]:
        """Remove and yield the results that the caller may get now."""
        results = self._results
        if not self._ordered:
            while results:
                yield results.pop(next(iter(results)))
            return
        while self.next_index in results:
            result = results.pop(self.next_index)
            self.next_index += 1
            yield result
