"""Where a body goes that is not kept in memory: a file, a QIODevice, anything with ``write()``.

A sink is given the request before it is sent, and the response when its header is there. It works in steps: it says
what it wants next, and the driver of the call does it, waiting (``calls/call.py``) or not (``calls/task.py``).
"""

from __future__ import annotations

import io
import os
from collections.abc import Generator, Iterable
from typing import TYPE_CHECKING, Any, Callable, NamedTuple, Optional, Protocol, Union

from ..engines.body_errors import BodyError
from ..engines.events import Chunk
from ..models.failure import Failure, QtNetworkError, network_failure
from ..models.http_messages import Request, Response
from ..qt.binding import QtCore, check_binding, type_name

if TYPE_CHECKING:
    from .checksum import Checksum


class ReadBody(NamedTuple):
    """A step of a sink: give the chunks of the body that has begun to ``write``.

    The sink is sent the response at the end of it. CannotWrite is thrown into it if ``write`` raises that.
    """

    write: Callable[[Chunk], None]
    in_worker: bool = True
    """Whether the engine calls ``write`` in its own thread, which is faster; else the thread that drives does."""
    target: Optional[DrainableTarget] = None
    """The target of ``write``, if it may not take all bytes at once."""
    start: int = 0
    """How many bytes of the file are there already; the progress counts them."""
    total: int = -1
    """How many bytes the whole file has if some are there already; -1 if it is not known."""


class Drain(NamedTuple):
    """A step of a sink: wait until its target has taken all bytes that were written.

    The sink is sent the failure of a call that ends in the meantime, else None.
    """

    target: DrainableTarget


class ReportWhole(NamedTuple):
    """A step of a sink: report the progress of a file that was whole before. The sink is sent None."""

    size: int


class DrainableTarget(Protocol):
    """A target that never blocks the thread. It keeps the bytes that it cannot write yet until it is flushed."""

    def flush(self) -> bool:
        """Write the waiting bytes; return whether all were written. Raises CannotWrite."""

    def wait(self, seconds: float) -> None:
        """Wait until more can be written, but at most for some seconds."""


SinkStep = Union[ReadBody, Drain, ReportWhole]
SinkSteps = Generator[SinkStep, Any, Optional[Response]]


class ChunkOwner(Protocol):
    """The owner of the memory of chunks, which takes it back: a Mailbox."""

    def give_back(self, chunk: Chunk) -> None: ...


def write_chunks(chunks: Iterable[Chunk], step: ReadBody, owner: ChunkOwner) -> bool:
    """Write chunks as a step wants it; return whether its target has taken all. Raises the exceptions of ``write``."""
    for chunk in chunks:
        step.write(chunk)
        owner.give_back(chunk)
    return step.target is None or step.target.flush()


class BodySink(Protocol):
    is_checked: bool
    """Whether the body is compared with a checksum. The cache is not used then, because it may hold the wrong body."""

    def prepare(self, request: Request) -> Request:
        """Return the request to send. Raises RequestNotSent."""

    def steps(self, response: Response) -> SinkSteps:
        """Take the body of a response; return the whole response, or None to have the request sent again."""

    def close(self) -> None:
        """Clean up at the end of the call."""


class DeviceSink:
    """Writes into a device that the caller has opened."""

    def __init__(self, device: Any, checksum: Optional[Checksum]) -> None:
        """Raises TypeError, ValueError if ``device`` cannot be written to."""
        self._checksum = checksum
        self.is_checked = checksum is not None
        self._write = writer(device)

    def prepare(self, request: Request) -> Request:
        return request

    def close(self) -> None:
        pass

    def steps(self, response: Response) -> SinkSteps:
        response = yield from write_here(response, self._write_chunk)
        if self._checksum is None or not is_success(response):
            return response
        return response._replace(failure=self._checksum.failure())

    def _write_chunk(self, piece: Chunk) -> None:
        if self._checksum is not None:
            self._checksum.add(piece)
        self._write(piece)


def writer(device: Any) -> Callable[[Chunk], None]:
    """Return a function that writes a whole piece to a device or file of the caller. Raises TypeError, ValueError."""
    if isinstance(device, QtCore.QIODevice):
        if not device.isWritable():
            state = "open for reading only" if device.isOpen() else "closed"
            raise ValueError(f"the QIODevice is {state}: open it first, device.open(QIODevice.OpenModeFlag.WriteOnly)")
        return lambda piece: _write_to_qt(device, bytes(piece))
    check_binding(device, "path")
    if not callable(getattr(device, "write", None)):
        raise TypeError(
            "path must be a path, a folder, an open QIODevice or a binary file opened for writing, "
            f"not {type_name(device)}"
        )
    if hasattr(device, "encoding"):
        raise TypeError("the file is opened as text: open it in binary mode, open(path, 'wb')")
    if isinstance(device, io.IOBase):
        return lambda piece: _write_all(device, piece)
    # It gets a copy, because it may keep the object, and the memory of a chunk is used again.
    return lambda piece: _write_all(device, bytes(piece))


def _write_to_qt(device: QtCore.QIODevice, piece: bytes) -> None:
    while piece:
        written = device.write(piece)
        if written < 0 or (written == 0 and not device.waitForBytesWritten(_WAIT_MS)):
            raise OSError(device.errorString() or _NOTHING_TAKEN)
        piece = piece[written:]


_WAIT_MS = 1000
_NOTHING_TAKEN = "it takes nothing more"


def _write_all(device: Any, piece: Chunk) -> None:
    view = memoryview(piece)
    while view:
        written = device.write(view)
        if written is None and not isinstance(device, io.RawIOBase):
            return  # as most that are no files of Python's
        if not written:
            raise OSError(f"{_NOTHING_TAKEN}; a file that does not block cannot be written to")
        view = view[written:]


class CannotWrite(BodyError):
    """Carries an error of the disk through the engine."""

    def __init__(self, error: OSError) -> None:
        super().__init__(str(error))
        self._failure = write_failure(error)

    @property
    def failure(self) -> Failure:
        return self._failure


def write_in_worker(
    response: Response, write: Callable[[Chunk], None], start: int = 0, total: int = -1
) -> Generator[ReadBody, Response, Response]:
    """Have the engine give a body to ``write`` in its own thread. This is quicker, but not for the caller's own code.

    ``start``, ``total``: as in ReadBody. An OSError becomes the failure of the response; if the body is in memory, it
    is raised.
    """
    if response.is_streaming:
        # ValueError means that the call has ended, and the file is closed.
        write = _errors_mapped(write, (OSError, ValueError))
        try:
            return merge_responses(response, (yield ReadBody(write, start=start, total=total)))
        except CannotWrite as error:
            return response._replace(failure=error.failure)
    return _write_body_in_memory(response, write)


def _errors_mapped(
    write: Callable[[Chunk], None], errors: tuple[type[Exception], ...] = (OSError,)
) -> Callable[[Chunk], None]:
    """Return a ``write`` that raises CannotWrite in place of some errors."""

    def write_or_stop(chunk: Chunk) -> None:
        try:
            write(chunk)
        except errors as error:
            raise CannotWrite(error if isinstance(error, OSError) else OSError(str(error))) from None

    return write_or_stop


def write_here(response: Response, write: Callable[[Chunk], None]) -> Generator[ReadBody, Response, Response]:
    """Have a body given to ``write``, which is the caller's own code, in the caller's thread.

    An OSError becomes the failure of the response. Any other exception ends the call.
    """
    write = _errors_mapped(write)
    try:
        if response.is_streaming:
            return merge_responses(response, (yield ReadBody(write, in_worker=False)))
        return _write_body_in_memory(response, write)
    except CannotWrite as error:
        return response._replace(failure=error.failure)


def write_and_drain(
    response: Response, write: Callable[[Chunk], None], target: DrainableTarget
) -> Generator[Union[ReadBody, Drain], Any, Response]:
    """Have a body given to ``write`` in the caller's thread, for a target that may not take all bytes at once."""
    try:
        failure: Optional[Failure] = yield Drain(target)  # the target is open afterwards
        if failure is None:
            last = (yield ReadBody(write, in_worker=False, target=target)) if response.is_streaming else None
            response = _write_body_in_memory(response, write) if last is None else merge_responses(response, last)
            if response.failure is None:
                failure = yield Drain(target)
    except CannotWrite as error:
        failure = error.failure
    return response if failure is None else response._replace(failure=failure)


def _write_body_in_memory(response: Response, write: Callable[[Chunk], None]) -> Response:
    """Write the body of a success that is in memory. Raises the exceptions of ``write``."""
    if is_success(response):
        write(response.body)
        return response._replace(body=b"")
    return response


def is_success(response: Response) -> bool:
    """Return whether the response is a success, so that its body is the requested one. A local file has no status."""
    return response.failure is None and (response.status is None or response.status < 300)


def merge_responses(first: Response, last: Response) -> Response:
    """Return the response at its end, with the fields that the flows have set at its beginning."""
    return last._replace(request=first.request, history=first.history, attempts=first.attempts, expires=first.expires)


def missing_folder(folder: str) -> Failure:
    return network_failure(QtNetworkError.UnknownContentError, f"The folder {folder} does not exist: create it first")


def write_failure(error: OSError) -> Failure:
    path = "" if error.filename is None else os.fsdecode(error.filename)
    if isinstance(error, FileNotFoundError) and path and not os.path.isdir(os.path.dirname(path) or "."):
        # The user does not know the name of the part, so the message names the target.
        return missing_folder(os.path.dirname(path))
    where = f" {path}" if path else ""
    text = f"The file{where} cannot be written: {error.strerror or error}"
    return network_failure(QtNetworkError.UnknownContentError, text)
