"""Writes a whole file in place of the one that has its name, which stays as it is until the new one is complete."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Union

from .finished_file import is_special
from .regular_files import NotRegular, open_regular


def replace_file(path: Union[str, os.PathLike[str]], parts: Iterable[bytes], mode: int = 0o600) -> None:
    """Write the parts into a file; a link to it stays a link. Several threads and processes may do so at once.

    ``mode``: who may use the file, less the bits of the umask. Raises NotRegular if the name is that of a device, a
    FIFO or a socket, and OSError. Then no file has changed.
    """
    target = Path(os.path.realpath(os.fsdecode(path)))
    if is_special(target):
        raise NotRegular(errno.EINVAL, "it is not a regular file", os.fspath(target))
    # Of its own for each call, and so short that it is allowed if the name of the target is.
    temporary = os.fspath(target.parent / f"{target.name[:40]}.{os.urandom(6).hex()}.part")
    descriptor = open_regular(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    try:
        with open(descriptor, "wb") as file:
            file.writelines(parts)
        os.replace(temporary, target)
    except BaseException:
        with suppress(OSError):
            os.unlink(temporary)
        raise
