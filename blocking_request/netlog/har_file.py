"""HarFile: writes calls into a HAR file as they end. The file is a whole document after each call.

Theory of operation: the file always ends with the end of the document. The next entries overwrite this end, and have it
behind them, all in one ``write``. The thread of the call writes, so that nothing is lost if the process crashes. It
waits for no other thread: if another one is writing, that one writes these entries, too.
"""

from __future__ import annotations

import os
import threading
from collections import deque
from contextlib import suppress
from pathlib import Path
from typing import Optional

from ..models.call_record import CallRecord
from ..models.har import END, beginning, line
from ..trace import add_recorder, logger
from .har_records import har_objects

MOST_FILES = 100
"""How many names are tried for the file of a process. Each copy of the package in a process has a file of its own."""

_END = END.encode()


class HarFile:
    """A recorder that writes each call into a file. Any thread may call every method."""

    def __init__(self, path: str, body_limit: int) -> None:
        """``path``: if another process is writing this file, the file has the number of this process in its name."""
        self.body_limit = body_limit
        self.wants_trace = True
        self.path = path
        """The path of the file, after it was opened."""
        self._wanted = Path(path)
        self._descriptor = -1
        self._end = 0
        """Where the end of the document begins."""
        self._is_empty = True
        self._has_failed = False
        self._waiting: deque[str] = deque()
        self._guard = threading.Lock()

    def wants(self, owner: object) -> bool:
        return not self._has_failed

    def call_started(self, call: CallRecord) -> None:
        pass

    def request_started(self, request: CallRecord, call: CallRecord) -> None:
        pass

    def response_started(self, request: CallRecord, call: CallRecord) -> None:
        pass

    def request_ended(self, request: CallRecord, call: CallRecord) -> None:
        pass

    def call_ended(self, call: CallRecord) -> None:
        try:
            self._waiting.extend(line(each, is_first=False) for each in har_objects(call))
        except Exception as error:  # the call itself has not failed
            logger.warning("a call could not be written to %s: %s", self.path, type(error).__name__)
        self._write()

    def open(self) -> None:
        """Create the file, or replace the one of this name. Raises OSError."""
        if self._descriptor < 0:
            self._descriptor, self.path = _open_own(self._wanted)
            head = beginning().encode()
            os.write(self._descriptor, head + _END)
            self._end, self._is_empty = len(head), True

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
        text = "".join(texts)
        text = text[1:] if self._is_empty else text  # without the comma
        entries = text.encode("utf-8", "backslashreplace")
        self._put(entries + _END)
        self._end += len(entries)
        self._is_empty = False

    def _put(self, data: bytes) -> None:
        os.lseek(self._descriptor, self._end, os.SEEK_SET)
        view = memoryview(data)
        while view:
            view = view[os.write(self._descriptor, view) :]

    def _fail(self, error: OSError) -> None:
        """Write no more, and restore the end of the document. The disk may be full."""
        self._has_failed = True
        logger.warning("calls are written to %s no more: %s", self.path, error.strerror or error)
        if self._descriptor >= 0:
            with suppress(OSError):
                os.ftruncate(self._descriptor, self._end)
                self._put(_END)

    def leave_to_parent(self) -> None:
        """Write into another file from now on. Called in the child of a fork: the file belongs to the parent."""
        self._guard = threading.Lock()
        self._waiting.clear()
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)


def _open_own(wanted: Path) -> tuple[int, str]:
    """Open a file that no other process writes; return its descriptor and its path. Raises OSError."""
    own = wanted.with_name(f"{wanted.stem}.{os.getpid()}{wanted.suffix}")
    more = (own.with_name(f"{own.stem}-{number}{own.suffix}") for number in range(2, MOST_FILES))
    for path in (wanted, own, *more):
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o600)
        try:
            if _lock(descriptor):
                os.ftruncate(descriptor, 0)
                return descriptor, str(path)
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)
    raise FileExistsError(f"other processes write {wanted} and {MOST_FILES} more files of this name")


def _lock(descriptor: int) -> bool:
    """Lock a file until this process ends; return False if another one has it."""
    try:
        import fcntl
    except ImportError:  # Windows
        import msvcrt

        try:
            os.lseek(descriptor, 1 << 40, os.SEEK_SET)  # far behind the document, so that other programs can read it
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined]
        except OSError:
            return False
        finally:
            os.lseek(descriptor, 0, os.SEEK_SET)
        return True
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return True  # the file system has no locks
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
        _file_of_environment = HarFile(os.path.abspath(path), BODY_BYTES)
        add_recorder(_file_of_environment)
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=_file_of_environment.leave_to_parent)
