"""Limits the time that steps may take. The limit is checked when they wait."""

from __future__ import annotations

from time import monotonic
from typing import TypeVar

from ..wanted import Steps

_T = TypeVar("_T")


def within(seconds: float, steps: Steps[_T]) -> Steps[_T]:
    """Perform the steps; raise TimeoutError if they take longer."""
    end = monotonic() + seconds
    try:
        while True:
            try:
                wanted = next(steps)
            except StopIteration as stop:
                result: _T = stop.value
                return result
            left = end - monotonic()
            if left <= 0:
                raise TimeoutError(f"not finished within {seconds:g} s")
            yield wanted if wanted.seconds <= left else wanted._replace(seconds=left)
    finally:
        steps.close()
