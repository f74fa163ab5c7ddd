"""The file that a download is written to before it has its name, and what is left of those of killed processes.

Theory of operation: such a file has a name of its own form, beside the target, and is locked (flock) until it is
renamed or deleted. The lock ends with its process. So a file of that form that can be locked belongs to no running
download, and is deleted when a download into the same folder begins, once for each folder and process.
"""

from __future__ import annotations

import errno
import os
import re
import secrets
import stat
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, Optional

from .finished_file import Naming, move
from .regular_files import open_regular, status_of

try:
    import fcntl
except ImportError:  # Windows, where an open file cannot be renamed anyhow
    fcntl = None  # type: ignore[assignment]

CAN_LOCK = fcntl is not None
_NAME = re.compile(r"\.blocking-request-[0-9a-f]{16}\.part")
_TRIES = 20
_swept: set[str] = set()
"""The folders that this process has looked through."""
MOST_SWEPT = 10_000


def lock(descriptor: int) -> Optional[bool]:
    """Lock an open file; return False if another has the lock, None if the system or file system has none."""
    if fcntl is None:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return None
    return True


def has_name(descriptor: int, path: Path) -> bool:
    """Return whether an open file is the one of that name."""
    named = status_of(os.fspath(path))
    return named is not None and os.path.samestat(named, os.fstat(descriptor))


class Scratch:
    """A file beside the target, of a name of its own, that is deleted if it does not become whole."""

    def __init__(self, target: Path) -> None:
        self.target = target
        self._file = target
        self._descriptor = -1
        """Of the file, which is locked."""

    def open(self, start: int) -> BinaryIO:
        """Make the file. Raises OSError."""
        sweep_once(self.target.parent)
        for _ in range(_TRIES):
            self._file = self.target.with_name(f".blocking-request-{secrets.token_hex(8)}.part")
            descriptor = open_regular(os.fspath(self._file), os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
            try:
                opened = self._opened(descriptor)
            except BaseException:
                # Ctrl-C, or no descriptor is left for the process: the file must not stay, locked and empty.
                with suppress(OSError):
                    os.close(descriptor)
                self._descriptor = -1
                self.leave(is_wrong=True)
                raise
            if opened is not None:
                return opened
            os.close(descriptor)
        raise OSError(errno.EBUSY, "another program deletes the files of downloads", os.fspath(self.target))

    def _opened(self, descriptor: int) -> Optional[BinaryIO]:
        """Lock a new file and return it; None if another process has deleted it meanwhile. Raises OSError."""
        is_locked = lock(descriptor)
        if is_locked is None:
            return open(descriptor, "wb")
        # Another process may just be deleting it, because it is not locked yet.
        if not is_locked or not has_name(descriptor, self._file):
            return None
        self._descriptor = descriptor
        return open(os.dup(descriptor), "wb")

    def describe(self, response: object, url: str) -> None:
        """Do nothing: a file that is never resumed needs no description of its response."""

    def leave(self, is_wrong: bool) -> None:
        """Delete the file, whether the body was wrong or is only incomplete: it is never resumed."""
        if self._file != self.target:
            with suppress(OSError):
                self._file.unlink()
        self._unlock()

    def rename(self, naming: Naming) -> Path:
        """Give it its name and return that. Raises OSError."""
        try:
            path = move(self._file, self.target, naming)
        except OSError:
            self.leave(False)
            raise
        self._unlock()
        return path

    def _unlock(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


def sweep_once(folder: Path) -> None:
    """Delete what killed processes have left in a folder, if this process has not done so before."""
    key = os.fspath(folder)
    if key in _swept or not CAN_LOCK:
        return
    if len(_swept) >= MOST_SWEPT:
        _swept.clear()
    _swept.add(key)
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if _NAME.fullmatch(entry.name):
                with suppress(OSError):
                    _remove_if_abandoned(Path(entry.path))


def _remove_if_abandoned(path: Path) -> None:
    """Delete a file of our form and of this user that no process has locked. Raises OSError."""
    status = status_of(os.fspath(path))
    if status is None or not stat.S_ISREG(status.st_mode) or status.st_uid != os.geteuid():
        return
    descriptor = open_regular(os.fspath(path), os.O_RDONLY)
    try:
        if lock(descriptor) and has_name(descriptor, path):
            path.unlink()
    finally:
        os.close(descriptor)
