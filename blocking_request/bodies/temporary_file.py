"""Writes a download into a temporary file beside the target, and deletes the temporary files of killed processes.

Theory of operation: a temporary file has a name of its own form. The process that writes it locks it (flock) until it
renames or deletes it, and the system ends the lock with the process. So if a temporary file can be locked, no running
download uses it. The first download of a process into a folder deletes such files there.
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
"""The folders in which this process has looked for temporary files."""
MOST_SWEPT = 10_000


def lock(descriptor: int) -> Optional[bool]:
    """Lock an open file.

    Returns False if another descriptor has the lock, None if the system or the file system has no locks.
    """
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
    """Return whether a path names the file that is open as ``descriptor``. Raises OSError."""
    status = status_of(os.fspath(path))
    return status is not None and os.path.samestat(status, os.fstat(descriptor))


class TemporaryFile:
    """The temporary file of one download, which is deleted if the download fails. For one thread."""

    def __init__(self, target: Path) -> None:
        """``target``: the path that the finished file gets."""
        self.target = target
        self._file = target
        self._descriptor = -1
        """The descriptor that holds the lock; -1 if there is none."""

    def open(self, start: int) -> BinaryIO:
        """Make the file and return it, open for writing. Raises OSError.

        ``start``: how many bytes of the body a resumed download has already. It is always 0 here.
        """
        sweep_once(self.target.parent)
        for _ in range(_TRIES):
            self._file = self.target.with_name(f".blocking-request-{secrets.token_hex(8)}.part")
            descriptor = open_regular(os.fspath(self._file), os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
            try:
                opened = self._open_locked(descriptor)
            except BaseException:
                # Ctrl-C, or no descriptor is left for the process: the file must not stay, locked and empty.
                with suppress(OSError):
                    os.close(descriptor)
                self._descriptor = -1
                self.discard(corrupt=True)
                raise
            if opened is not None:
                return opened
            os.close(descriptor)
        raise OSError(errno.EBUSY, "another program deletes the files of downloads", os.fspath(self.target))

    def _open_locked(self, descriptor: int) -> Optional[BinaryIO]:
        """Lock a new file and return it, open for writing; None if another process has just deleted it. Raises OSError.

        ``descriptor``: of the new file. The caller closes it if this raises or returns None.
        """
        is_locked = lock(descriptor)
        if is_locked is None:
            return open(descriptor, "wb")
        # Another process may just be deleting it, because it is not locked yet.
        if not is_locked or not has_name(descriptor, self._file):
            return None
        self._descriptor = descriptor
        return open(os.dup(descriptor), "wb")

    def save_validator(self, response: object, url: str) -> None:
        """Do nothing, because no download resumes a temporary file.

        ``ResumableFile`` saves the validator of ``response`` and its ``url``.
        """

    def discard(self, corrupt: bool) -> None:
        """Delete the file.

        ``corrupt``: whether the body was wrong, and not only incomplete. That makes no difference here, because no
        download resumes a temporary file.
        """
        if self._file != self.target:
            with suppress(OSError):
                self._file.unlink()
        self._unlock()

    def rename(self, naming: Naming) -> Path:
        """Give the file its final name, and return the path.

        ``naming``: what happens if a file has that name already. Raises OSError.
        """
        try:
            path = move(self._file, self.target, naming)
        except OSError:
            self.discard(corrupt=False)
            raise
        self._unlock()
        return path

    def _unlock(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


def sweep_once(folder: Path) -> None:
    """Delete the temporary files of killed processes in a folder, if this process has not done so before."""
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
    """Delete a temporary file of this user if no process has locked it. Raises OSError."""
    status = status_of(os.fspath(path))
    if status is None or not stat.S_ISREG(status.st_mode) or status.st_uid != os.geteuid():
        return
    descriptor = open_regular(os.fspath(path), os.O_RDONLY)
    try:
        if lock(descriptor) and has_name(descriptor, path):
            path.unlink()
    finally:
        os.close(descriptor)
