"""HarFile: writes calls into a HAR file as they end. The file is a whole document after each call.

Theory of operation: the file always ends with the end of the document. The next entries overwrite this end, and have it
behind them, all in one ``write``. The thread of the call writes, so that nothing is lost if the process crashes. It
waits for no other thread: if another one is writing, that one writes these entries, too. If the process is killed
within a write, Linux may write a part, so that the last entry is cut off. ``models/har_reader.py`` reads the others.

Two processes must not write one file, so each locks its own. The process that has the plain name keeps it until it
ends. The others, and the children of a fork, add their number to the name, and never take the plain name later: a
parent may have ended by then, and its calls would be lost.
"""

from __future__ import annotations

import errno
import os
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Optional

from ..bodies.regular_files import open_regular
from ..bodies.temporary_file import CAN_LOCK, lock
from ..models.call_record import CallRecord
from ..models.har import END, beginning, line
from ..trace import CallRecorder, add_recorder, logger
from .har_records import har_objects

MOST_FILES = 100
"""How many names are tried for the file of a process. Each copy of the package in a process has a file of its own."""

_END = END.encode()


class HarFile(CallRecorder):
    """A recorder that writes each call into a file. Any thread may call every method."""

    def __init__(self, path: str, body_limit: int, named_by: str = "") -> None:
        """``path``: if another process is writing this file, the file has the number of this process in its name.
        ``named_by``: what has named the path, for a warning.
        """
        self.body_limit = body_limit
        self.path = path
        """The path of the file, after it was opened."""
        self._wanted = Path(path)
        self._named_by = f", the file of {named_by}" if named_by else ""
        self._may_be_plain = True
        """Whether the file may still get the name without a number."""
        self._descriptor = -1
        self._end = 0
        """Where the end of the document begins."""
        self._is_empty = True
        self._is_created = False
        """Whether ``reserve`` has created the file."""
        self._has_failed = False
        self._waiting: deque[str] = deque()
        self._guard = threading.Lock()

    @property
    def has_failed(self) -> bool:
        """Whether the file could not be written. Then no more calls are written."""
        return self._has_failed

    def wants(self, owner: object) -> bool:
        return not self._has_failed

    def call_ended(self, call: CallRecord) -> None:
        try:
            self._waiting.extend(line(each, is_first=False) for each in har_objects(call))
        except Exception as error:  # the call itself has not failed
            logger.warning("a call could not be written to %s: %s", self.path, type(error).__name__)
        self._write()

    def open(self) -> None:
        """Create the file, or replace the one of this name. Raises OSError."""
        if self._descriptor < 0:
            names = _names(self._wanted)
            self._open_first([next(names), *names] if self._may_be_plain else list(names)[1:])

    def reserve(self) -> None:
        """Open the file, and leave its content as it is until the first call has ended. Raises OSError."""
        self._is_created = not os.path.lexists(self._wanted)
        self._descriptor, self.path = _open_own(list(_names(self._wanted)))

    def release(self) -> None:
        """Delete the file if ``reserve`` has created it, and no call was written. It may be gone."""
        if self._is_created and not self._end and self.path == os.fspath(self._wanted):
            with suppress(OSError):
                os.unlink(self.path)

    def open_plain(self) -> None:
        """Create the file if no other process has its name, so that no process that starts later takes it.

        If another one has it, the first call creates one with a number. If it cannot be written, the first call tries
        again, and warns.
        """
        try:
            self._open_first([next(_names(self._wanted))])
        except FileExistsError:
            self._may_be_plain = False
        except OSError:
            pass

    def _open_first(self, names: list[Path]) -> None:
        """Open the first of the names that no other process has. Raises OSError."""
        self._descriptor, self.path = _open_own(names)
        self._begin()

    def _begin(self) -> None:
        """Write a document without entries. Raises OSError."""
        os.ftruncate(self._descriptor, 0)
        head = beginning().encode()
        self._end, self._is_empty = 0, True
        self._put(head + _END)
        self._end = len(head)

    def _write(self) -> None:
        # Another thread that writes looks for waiting entries again when it has released the lock.
        while self._waiting and not self._has_failed and self._guard.acquire(blocking=False):
            try:
                self.open()
                self._write_waiting()
            except OSError as error:
                self._fail(error)
            finally:
                self._guard.release()

    def _write_waiting(self) -> None:
        texts = []
        with suppress(IndexError):
            while True:
                texts.append(self._waiting.popleft())
        if not texts:
            return
        self._look_for_changes()
        text = "".join(texts)
        text = text[1:] if self._is_empty else text  # without the comma
        entries = text.encode("utf-8", "backslashreplace")
        self._put(entries + _END)
        self._end += len(entries)
        self._is_empty = False

    def _look_for_changes(self) -> None:
        """Begin again if another program has removed or emptied the file. Raises OSError."""
        status = os.fstat(self._descriptor)
        if not status.st_nlink and not os.path.lexists(self.path):
            os.close(self._descriptor)
            self._descriptor = -1
            self.open()
        elif status.st_size < self._end or not self._end:
            self._begin()

    def _put(self, data: bytes) -> None:
        os.lseek(self._descriptor, self._end, os.SEEK_SET)
        view = memoryview(data)
        while view:
            view = view[os.write(self._descriptor, view) :]

    def _fail(self, error: OSError) -> None:
        """Write no more, and restore the end of the document. The disk may be full."""
        self._has_failed = True
        outcome = "no calls are written" if self._is_empty else "no more calls are written"
        text = "blocking_request: %s to %s%s: %s"
        logger.warning(text, outcome, self.path, self._named_by, error.strerror or error)
        if self._descriptor >= 0:
            with suppress(OSError):
                os.ftruncate(self._descriptor, self._end)
                if self._end:
                    self._put(_END)

    def leave_to_parent(self) -> None:
        """Write into another file from now on. Called in the child of a fork: the file belongs to the parent."""
        self._guard = threading.Lock()
        self._waiting.clear()
        self._may_be_plain, self._is_empty = False, True
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)


def _names(wanted: Path) -> Iterator[Path]:
    """Yield the plain name, and names with the number of this process. Raises OSError if there are none."""
    if not wanted.name:
        raise IsADirectoryError(errno.EISDIR, "it is a folder", str(wanted))
    yield wanted
    own = wanted.with_name(f"{wanted.stem}.{os.getpid()}{wanted.suffix}")
    yield own
    for number in range(2, MOST_FILES):
        yield own.with_name(f"{own.stem}-{number}{own.suffix}")


def _open_own(names: list[Path]) -> tuple[int, str]:
    """Open the first of the names that no other process writes; return its descriptor and its path. Raises OSError."""
    for path in names:
        descriptor = open_regular(os.path.realpath(path), os.O_RDWR | os.O_CREAT)
        try:
            if _lock(descriptor):
                return descriptor, str(path)
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)
    raise FileExistsError(errno.EEXIST, "other processes write this file, and all with a number", str(names[0]))


def _lock(descriptor: int) -> bool:
    """Lock a file until this process ends; return False if another one has it."""
    if CAN_LOCK:
        return lock(descriptor) is not False  # None: the file system has no locks
    import msvcrt

    try:
        os.lseek(descriptor, 1 << 40, os.SEEK_SET)  # far behind the document, so that other programs can read it
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined]
    except OSError:
        return False
    finally:
        os.lseek(descriptor, 0, os.SEEK_SET)
    return True


ENVIRONMENT_VARIABLE = "BLOCKING_REQUEST_LOG"
BODY_BYTES = 1 << 16
"""How many bytes of each body are written."""

_file_of_environment: Optional[HarFile] = None


def log_to_file_of_environment() -> None:
    """Write all calls of this process into the file that ``BLOCKING_REQUEST_LOG`` names."""
    global _file_of_environment
    path = os.environ.get(ENVIRONMENT_VARIABLE, "")
    if path and _file_of_environment is None:
        # An absolute path: the program may change its folder.
        file = _file_of_environment = HarFile(os.path.abspath(path), BODY_BYTES, ENVIRONMENT_VARIABLE)
        file.open_plain()
        add_recorder(file)
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=file.leave_to_parent)
