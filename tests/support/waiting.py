"""Waits for what another thread or process does."""

from __future__ import annotations

import time
from typing import Callable


def eventually(is_true: Callable[[], bool], timeout: float = 10.0) -> bool:
    """Wait until ``is_true()``; False if it is not after ``timeout`` seconds."""
    end = time.monotonic() + timeout
    while not is_true():
        if time.monotonic() > end:
            return False
        time.sleep(0.005)
    return True
