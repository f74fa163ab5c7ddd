"""Reads the body of a request from the caller's object, in the caller's thread.

What is small is read at once. What is larger is read as it is sent (Upload), and never held as a whole.
"""

from __future__ import annotations

import io
import os
import time
from collections.abc import Iterable
from typing import Any, Callable, Optional, Union

from .._first_use import first_use
from ..engines.mailbox import Mailbox
from ..engines.upload_channel import UploadChannel
from ..models.failure import Failure, QtNetworkError, RequestNotSent, request_not_sent
from ..qt.binding import QtCore, QtNetwork, check_binding

Data = Any
"""A bytes-like object, a QByteArray, an open QIODevice, a binary file, an iterable of bytes, or None."""

_BYTES_LIKE = (bytes, bytearray, memoryview, QtCore.QByteArray)
_DEVICE_WAIT_MS = 50

READ_AT_ONCE = 1 << 20
"""A body of at most this size is read before the request is sent, so that it can be sent several times."""

READ_BYTES = 1 << 18

Read = Callable[[int], bytes]
"""Returns at most so many bytes; empty bytes at the end."""


def body_for(method: str, data: Data) -> Data:
    """Return the data, or an empty body if there is none and the method should have one (RFC 9110 section 8.6)."""
    return b"" if data is None and method in ("POST", "PUT", "PATCH") else data


def check_body(data: Data) -> None:
    """Raise TypeError if ``data`` cannot be a body."""
    if data is None or isinstance(data, bytes):
        return
    if isinstance(data, str):
        raise TypeError(
            "data must be bytes, not str: encode a text, data.encode('utf-8'); or open a file, open(path, 'rb')"
        )
    if isinstance(data, io.TextIOBase):
        raise TypeError("data is a file opened as text: open it in binary mode, open(path, 'rb')")
    if isinstance(data, QtNetwork.QHttpMultiPart):
        raise TypeError("a QHttpMultiPart belongs to its thread and cannot be read: give form= and files= instead")
    if isinstance(data, dict):
        raise TypeError("data must be bytes, not dict: give form=... or json=... instead")
    if isinstance(data, (*_BYTES_LIKE, QtCore.QIODevice)):
        return
    check_binding(data, "data")
    if hasattr(data, "read"):
        return
    if isinstance(data, os.PathLike):
        raise TypeError("data is a path: give the open file, open(path, 'rb')")
    if not isinstance(data, Iterable):
        raise TypeError(
            "data must be bytes-like, a QByteArray, an open QIODevice, a binary file, an iterable of bytes or None, "
            f"not {type(data).__name__}"
        )


class Upload:
    """A body that is read as it is sent. The caller's thread uses it."""

    def __init__(self, read: Read, size: int, head: bytes, rewind: Optional[Callable[[], None]]) -> None:
        """``size``: the number of bytes, -1 if it is not known; ``head``: the bytes that were read already; ``rewind``:
        goes back to the first byte.
        """
        self.size = size
        self._read = read
        self._head = head
        self._rewind = rewind
        self._done = 0
        self._channel: Optional[UploadChannel] = None

    @property
    def is_replayable(self) -> bool:
        return self._rewind is not None

    def begin(self, mailbox: Mailbox) -> UploadChannel:
        """Begin to read the body from its first byte. Raises RequestNotSent if the source cannot go back."""
        channel = self._channel
        if channel is not None and not channel.is_untouched:
            if self._rewind is None:
                raise request_not_sent(QtNetworkError.ContentReSendError, _NOT_REPLAYABLE)
            try:
                self._rewind()
            except (OSError, ValueError) as error:
                raise _unreadable(f"The file that is to be sent cannot be read again: {error}") from error
            self._head, channel = b"", None
        if channel is not None:
            channel.ask(mailbox)
        if channel is None:
            self._done = 0
            channel = self._channel = UploadChannel(self.size, mailbox)
            self.fill(channel)
        return channel

    def fill(self, channel: UploadChannel) -> None:
        """Put as many bytes into the channel as it takes.

        If the caller drives the engine, put in one piece only: the caller looks at its clocks between two pieces,
        because the source may be slow. Raises RequestNotSent if the source cannot be read, or ends too early.
        """
        while channel.has_room:
            piece = self._next_chunk()
            if not piece:
                if 0 <= self._done < self.size:
                    raise _unreadable(f"The body has only {self._done} of the {self.size} bytes that it should have")
                channel.end()
                return
            self._done += len(piece)
            channel.put(piece)
            if channel.is_pulled:
                return

    def _next_chunk(self) -> bytes:
        left = READ_BYTES if self.size < 0 else min(READ_BYTES, self.size - self._done)
        piece = self._head or (self._read(left) if left else b"")
        # A file may return more bytes than requested. The server would take the surplus for the next request.
        piece, self._head = piece[:left], piece[left:]
        return piece


_NOT_REPLAYABLE = "The body would have to be sent again, and what it is read from cannot go back to its beginning"


def read_body(data: Data, stop_reason: Callable[[], Optional[Failure]]) -> Union[bytes, Upload, None]:
    """Return the body of a request: bytes if it is small, else an Upload.

    ``stop_reason`` is called between two pieces, because the source may be slow; if it returns a failure, reading ends.
    Raises TypeError if ``data`` cannot be a body, and RequestNotSent if a device or file cannot be read.
    """
    if data is None or isinstance(data, bytes):
        return data
    if isinstance(data, _BYTES_LIKE):
        return bytes(data)
    if isinstance(data, QtCore.QIODevice):
        return _read_if_small(*_device_source(data, stop_reason), stop_reason)
    if hasattr(data, "read"):
        return _read_if_small(*_file_source(data), stop_reason)
    return _read_if_small(_iterable_source(data, stop_reason), -1, None, stop_reason)


def _read_if_small(
    read: Read, size: int, rewind: Optional[Callable[[], None]], stop_reason: Callable[[], Optional[Failure]]
) -> Union[bytes, Upload]:
    pieces: list[bytes] = []
    length = 0
    while length <= READ_AT_ONCE:
        piece = read(READ_BYTES)
        if not piece:
            return b"".join(pieces)
        pieces.append(piece)
        length += len(piece)
        failure = stop_reason()
        if failure is not None:
            raise RequestNotSent(failure)
    head = b"".join(pieces)
    # A size of 0, or below the number of bytes that were read, means that the size is not known.
    return Upload(read, size if size >= len(head) else -1, head, rewind)


def remaining_size(file: Any) -> int:
    """Return how many bytes a file still has; 0 or less if it does not tell."""
    try:
        if _has_descriptor(file) and not isinstance(getattr(file, "raw", file), io.FileIO):
            # gzip.open() and its kin: their descriptor is that of the compressed file.
            return -1
        with first_use:
            from requests.utils import super_len
        return int(super_len(file))  # type: ignore[no-untyped-call]
    except Exception:  # whatever a foreign file may raise
        return -1


def _has_descriptor(file: Any) -> bool:
    try:
        file.fileno()
    except (AttributeError, OSError, ValueError):
        return False
    return True


def _file_source(file: Any) -> tuple[Read, int, Optional[Callable[[], None]]]:
    size = remaining_size(file)
    rewind: Optional[Callable[[], None]] = None
    try:
        start = file.tell()
        if file.seekable():
            rewind = lambda: file.seek(start)  # noqa: E731
    except (AttributeError, OSError, ValueError):
        pass

    def read(count: int) -> bytes:
        try:
            piece = file.read(count)
        except (OSError, ValueError) as error:
            raise _unreadable(f"The file that is to be sent cannot be read: {error}") from error
        if not isinstance(piece, _BYTES_LIKE):
            raise TypeError(f"data.read() must give bytes, not {type(piece).__name__}: open the file in binary mode")
        return bytes(piece)

    return read, size, rewind


def _iterable_source(pieces: Iterable[Any], stop_reason: Callable[[], Optional[Failure]]) -> Read:
    iterator = iter(pieces)
    held = [memoryview(b"")]

    def read(count: int) -> bytes:
        while not held[0]:
            try:
                piece = next(iterator)
            except StopIteration:
                return b""
            if not isinstance(piece, _BYTES_LIKE):
                raise TypeError(f"data must give bytes, not {type(piece).__name__}")
            held[0] = memoryview(bytes(piece))  # slices of it are no copies
            failure = None if held[0] else stop_reason()  # empty pieces may come for ever
            if failure is not None:
                raise RequestNotSent(failure)
        piece, held[0] = held[0][:count], held[0][count:]
        return bytes(piece)

    return read


def _device_source(
    device: QtCore.QIODevice, stop_reason: Callable[[], Optional[Failure]]
) -> tuple[Read, int, Optional[Callable[[], None]]]:
    if not device.isReadable():
        state = "open for writing only" if device.isOpen() else "closed"
        raise _unreadable(
            f"The QIODevice that is to be sent is {state}: open it first, device.open(QIODevice.OpenModeFlag.ReadOnly)"
        )
    if isinstance(device, QtNetwork.QNetworkReply) and not device.isFinished():
        raise _unreadable("The QNetworkReply that is to be sent has not finished, and cannot while this thread blocks")
    if device.isSequential():
        return lambda count: _read_sequential(device, count, stop_reason), -1, None
    start = device.pos()

    def read(count: int) -> bytes:
        piece = device.read(count)
        # PySide6 returns empty bytes for an error, too.
        if piece is None or (len(piece) == 0 and not device.atEnd()):
            raise _unreadable(f"The QIODevice that is to be sent cannot be read: {device.errorString()}")
        return bytes(piece)

    def rewind() -> None:
        if not device.seek(start):
            raise OSError(device.errorString())

    return read, device.size() - start, rewind


def _read_sequential(device: QtCore.QIODevice, count: int, stop_reason: Callable[[], Optional[Failure]]) -> bytes:
    while True:
        piece = device.read(count)
        if piece:
            return bytes(piece)
        if piece is None:
            return b""
        failure = stop_reason()
        if failure is not None:
            raise RequestNotSent(failure)
        started = time.monotonic()
        ready = device.waitForReadyRead(_DEVICE_WAIT_MS) or device.bytesAvailable() > 0
        # False at once means the end of the data. False after the whole wait means that more may come.
        if not ready and time.monotonic() - started < _DEVICE_WAIT_MS / 2000:
            return b""


def _unreadable(text: str) -> RequestNotSent:
    return request_not_sent(QtNetworkError.ProtocolInvalidOperationError, text)
