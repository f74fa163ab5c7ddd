"""Files that are opened only if they are regular files: without waiting, and without following a symbolic link.

A name in a folder may be a FIFO, whose opening waits for another process, or a link to a file elsewhere. The cache and
the downloads open the files of their own through here, so neither can happen to them.
"""

from __future__ import annotations

import errno
import os
import stat
from typing import Optional, Union

# Windows has none of these but O_BINARY, and no FIFO among its files.
_SAFE = (
    getattr(os, "O_NOFOLLOW", 0)
    | getattr(os, "O_NONBLOCK", 0)
    | getattr(os, "O_CLOEXEC", 0)
    | getattr(os, "O_NOCTTY", 0)
    | getattr(os, "O_BINARY", 0)
)
_NOT_REGULAR = (errno.ELOOP, errno.ENXIO, errno.EISDIR)
"""The system's errors for a symbolic link, and for a FIFO without a reader, a socket and a folder."""


class NotRegular(OSError):
    """There is a file of that name, but it is a link, FIFO, socket, device or folder."""


def open_regular(path: str, flags: int, mode: int = 0o600) -> int:
    """Open a regular file and return its descriptor. Raises NotRegular, OSError.

    ``flags``: as for ``os.open``, but not ``O_TRUNC``, which would act before the file is known to be a regular one.
    The signature is that of an ``opener`` for ``open()``.
    """
    try:
        descriptor = os.open(path, flags | _SAFE, mode)
    except OSError as error:
        if error.errno in _NOT_REGULAR:
            raise NotRegular(error.errno, "it is not a regular file", os.fspath(path)) from None
        raise
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise NotRegular(errno.EINVAL, "it is not a regular file", os.fspath(path))
    return descriptor


def read_regular(path: str, most: int = -1) -> bytes:
    """Return the content of a regular file, or so many bytes of its beginning. Raises NotRegular, OSError."""
    with open(open_regular(path, os.O_RDONLY), "rb", buffering=0) as file:
        return file.read(most)


def read_whole(path: Union[str, os.PathLike[str]]) -> bytes:
    """Return the content of the file of a caller, who may name a link to it. Raises NotRegular, OSError."""
    return read_regular(os.path.realpath(os.fsdecode(path)))


def status_of(path: str) -> Optional[os.stat_result]:
    """Return the status of a name, and not of the target of a link; None if there is no such name."""
    try:
        return os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
