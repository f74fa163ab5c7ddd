"""ResultBuffer: the results of a batch that the caller has not taken yet, in the order that it wants."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from .._names import public
from ..errors import ErrorCode
from ..reply import ReplyContent


@public
class BatchResult(NamedTuple):
    """What one request of a batch came to."""

    index: int  # type: ignore[assignment]
    """Its place among the requests."""
    code: ErrorCode
    reply: ReplyContent


class ResultBuffer:
    """For the thread that drives the batch."""

    def __init__(self, ordered: bool) -> None:
        """``ordered``: whether results are given in the order of the requests, not in that of their ends."""
        self._ordered = ordered
        self._results: dict[int, BatchResult] = {}
        self.next_index = 0
        """The index of the result that is given next, if they are ordered."""

    def __len__(self) -> int:
        return len(self._results)

    def add(self, result: BatchResult) -> None:
        self._results[result.index] = result

    def take_ready(self) -> Iterator[BatchResult]:
        """Give and forget the results that the caller may have now."""
        results = self._results
        if not self._ordered:
            while results:
                yield results.pop(next(iter(results)))
            return
        while self.next_index in results:
            result = results.pop(self.next_index)
            self.next_index += 1
            yield result
