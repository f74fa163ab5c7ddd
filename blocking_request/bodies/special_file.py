"""A pipe or device as the target of a download. It is written to without waiting for its reader.

Theory of operation: a FIFO without a reader cannot be opened, and one whose reader has stopped takes nothing more.
Neither may keep the caller beyond its deadline, or keep a network thread that other transfers need. So the file is
opened and written to with O_NONBLOCK in the thread that drives the call. What it does not take waits here. In the
meantime the call checks whether it is cancelled or late, and reads no more from the network.
"""

from __future__ import annotations

import errno
import os
import select
import stat
import time
from collections import deque
from contextlib import suppress
from pathlib import Path
from typing import Optional

from ..engines.events import Chunk
from .sink import CannotWrite

READER_SECONDS = 5.0
"""How long a reader may take to open a FIFO, so that both programs may be started at the same time."""

# Windows has O_BINARY only, without which it writes other line ends.
_FLAGS = os.O_WRONLY
for _name in ("O_NONBLOCK", "O_NOCTTY", "O_CLOEXEC", "O_BINARY"):
    _FLAGS |= getattr(os, _name, 0)


def open_special(path: str, flags: int) -> int:
    """Open a device or pipe; refuse a regular file that has replaced it in the meantime. Raises OSError."""
    descriptor = os.open(path, flags)
    if stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EEXIST, "a file has taken the place of the pipe or device")
    return descriptor


class SpecialFile:
    """A pipe or device. One thread uses it. ``flush`` opens it."""

    def __init__(self, path: Path) -> None:
        self._path = os.fspath(path)
        self._descriptor = -1
        self._waiting: deque[memoryview] = deque()
        self._reader_deadline: Optional[float] = None
        """The moment by which a FIFO must have a reader (``time.monotonic()``)."""

    def flush(self) -> bool:
        """Write the waiting bytes; return whether all were written. Raises CannotWrite."""
        try:
            return self._flush()
        except OSError as error:
            raise CannotWrite(OSError(error.errno, error.strerror, self._path)) from None

    def _flush(self) -> bool:
        if self._descriptor < 0 and not self._open():
            return False
        while self._waiting:
            first = self._waiting[0]
            try:
                written = os.write(self._descriptor, first)
            except BlockingIOError:
                return False
            if written == len(first):
                self._waiting.popleft()
            else:
                self._waiting[0] = first[written:]
        return True

    def write(self, piece: Chunk) -> None:
        """Write as much of a piece as the target takes. The rest waits. Raises CannotWrite."""
        self._waiting.append(memoryview(piece))
        if not self.flush():
            # The piece is a view of memory that is used again.
            self._waiting[-1] = memoryview(bytes(self._waiting[-1]))

    def wait(self, seconds: float) -> None:
        """Wait until more can be written, but at most for some seconds."""
        if self._descriptor < 0:
            time.sleep(seconds)
            return
        if not hasattr(select, "poll"):  # Windows, whose pipes and devices cannot be waited for
            time.sleep(seconds)
            return
        with suppress(OSError):
            # poll is used, because select takes no descriptors above 1 023.
            poll = select.poll()
            poll.register(self._descriptor, select.POLLOUT)
            poll.poll(seconds * 1000)

    def close(self) -> None:
        """Close the target. Waiting bytes are lost."""
        self._waiting.clear()
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _open(self) -> bool:
        """Return whether it is open now; False if a FIFO has no reader yet. Raises OSError."""
        try:
            descriptor = open_special(self._path, _FLAGS)
        except OSError as error:
            if error.errno != errno.ENXIO or not stat.S_ISFIFO(os.stat(self._path).st_mode):
                raise
            now = time.monotonic()
            self._reader_deadline = now + READER_SECONDS if self._reader_deadline is None else self._reader_deadline
            if now >= self._reader_deadline:
                raise OSError(errno.ENXIO, "no program has opened the pipe for reading") from None
            return False
        self._descriptor = descriptor
        return True
