"""The file of a recording, which several processes may write: one after the other, so that each finds the file of the
one before.

Theory of operation: a process makes a file beside it only if there is none, and removes it after it has written. One
that stays behind after a crash counts for a minute.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Optional

_CRASHED_SECONDS = 60
_POLL_SECONDS = 0.02


def written_state(path: Path) -> Optional[tuple[int, int, int]]:
    """Return a value that changes when the file is replaced; None: there is no file."""
    try:
        state = path.stat()
    except OSError:
        return None
    return state.st_ino, state.st_size, state.st_mtime_ns


@contextmanager
def alone(path: Path) -> Iterator[None]:
    """Let no other process write the file within the block, and make its folder. Raises OSError."""
    target = Path(os.path.realpath(path))
    target.parent.mkdir(parents=True, exist_ok=True)
    lock = target.with_name(f"{target.name[:40]}.lock")
    end = time.monotonic() + _CRASHED_SECONDS
    while True:
        try:
            os.close(os.open(lock, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
            break
        except FileExistsError:
            _wait_for(lock, end)
    try:
        yield
    finally:
        with suppress(OSError):
            lock.unlink()


def _wait_for(lock: Path, end: float) -> None:
    """Wait a moment for another process that writes, or remove its lock if it has crashed.

    ``end``: when it counts as crashed in any case, by the monotonic clock.
    """
    with suppress(FileNotFoundError):
        if time.monotonic() > end or time.time() - lock.stat().st_mtime > _CRASHED_SECONDS:
            lock.unlink()
            return
    time.sleep(_POLL_SECONDS)
