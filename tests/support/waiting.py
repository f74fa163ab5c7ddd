"""Waits for what another thread or process does."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Callable

from blocking_request import BatchResult, ErrorCode


def eventually(is_true: Callable[[], bool], timeout: float = 10.0) -> bool:
    """Wait until ``is_true()``; False if it is not after ``timeout`` seconds."""
    end = time.monotonic() + timeout
    while not is_true():
        if time.monotonic() > end:
            return False
        time.sleep(0.005)
    return True


def codes_with_an_absence(results: Iterable[BatchResult], after: int, seconds: float) -> list[ErrorCode]:
    """Take all results of a batch; be away for ``seconds``, as a busy caller is, when ``after`` have come."""
    codes = []
    for result in results:
        codes.append(result.code)
        if len(codes) == after:
            time.sleep(seconds)
    return codes
