"""Outputs that are no regular files: open descriptors, devices and pipes."""

from __future__ import annotations

import io
import os
import re
from typing import Any, Optional

from ..bodies.special_file import open_special

_DESCRIPTORS = {"-": 1, "/dev/stdout": 1, "/dev/stderr": 2}
_DESCRIPTOR = re.compile(r"/(?:dev|proc/self)/fd/(\d{1,9})")


def descriptor_of(path: Optional[str]) -> Optional[int]:
    """Return the open file descriptor that a path stands for, None if it is the path of a file.

    A descriptor is written to, and not opened by its path: if it is a file that other programs append to, the file must
    not be truncated or replaced.
    """
    if path is None:
        return 1
    match = _DESCRIPTOR.fullmatch(path)
    return int(match[1]) if match is not None else _DESCRIPTORS.get(path)


class OpenedDevice(io.RawIOBase):
    """Writes to a device, pipe or descriptor. It is opened when the first chunk of a body arrives."""

    def __init__(self, path: str, descriptor: Optional[int]) -> None:
        super().__init__()
        self._path = path
        self._descriptor = descriptor
        self._file: Optional[io.FileIO] = None

    def write(self, piece: Any) -> Optional[int]:
        try:
            if self._file is None:
                if self._descriptor is None:
                    self._file = io.FileIO(self._path, "wb", opener=_opener)
                else:
                    self._file = io.FileIO(os.dup(self._descriptor), "wb")
            return self._file.write(piece)
        except OSError as error:
            raise OSError(error.errno, error.strerror, self._path) from None


def _opener(path: str, flags: int) -> int:
    """Open a file without creating or truncating it. Raises OSError."""
    return open_special(path, flags & ~(os.O_CREAT | os.O_TRUNC))
