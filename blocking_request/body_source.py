"""The body of a request, read from whatever the caller gave, in the caller's thread."""

from __future__ import annotations

import io
import time
from typing import Any, Callable, Optional

from .errors import Failure, QtNetworkError, Unsendable, unsendable
from .qt import QtCore, QtNetwork

Data = Any
"""bytes-like, QByteArray, an open QIODevice, a binary file, or None."""

_BYTES_LIKE = (bytes, bytearray, memoryview, QtCore.QByteArray)
_DEVICE_CHUNK = 1 << 20
_DEVICE_WAIT_MS = 50


def check_body(data: Data) -> None:
    """Raises TypeError for what is no body."""
    if isinstance(data, str):
        raise TypeError("data must be bytes, not str: encode it first, data.encode('utf-8')")
    if isinstance(data, io.TextIOBase):
        raise TypeError("data is a file opened as text: open it in binary mode, open(path, 'rb')")
    if not (data is None or isinstance(data, (*_BYTES_LIKE, QtCore.QIODevice)) or hasattr(data, "read")):
        raise TypeError(
            "data must be bytes-like, a QByteArray, an open QIODevice, a binary file or None, "
            f"not {type(data).__name__}"
        )


def read_body(data: Data, ended_early: Callable[[], Optional[Failure]]) -> Optional[bytes]:
    """The bytes of what the caller wants sent, read in the caller's thread.

    A sequential device may keep us waiting for its data; ``ended_early`` is asked meanwhile whether to go on. Raises
    TypeError for what is no body, Unsendable for a device or file that cannot be read.
    """
    if data is None or isinstance(data, bytes):
        return data
    if isinstance(data, _BYTES_LIKE):
        return bytes(data)
    if isinstance(data, QtCore.QIODevice):
        return _read_device(data, ended_early)
    try:
        content = data.read()
    except (OSError, ValueError) as error:
        raise _unreadable(f"The file that is to be sent cannot be read: {error}") from error
    if not isinstance(content, _BYTES_LIKE):
        raise TypeError(f"data.read() must give bytes, not {type(content).__name__}: open the file in binary mode")
    return bytes(content)


def _read_device(device: QtCore.QIODevice, ended_early: Callable[[], Optional[Failure]]) -> bytes:
    if not device.isReadable():
        state = "open for writing only" if device.isOpen() else "closed"
        raise _unreadable(
            f"The QIODevice that is to be sent is {state}: open it first, device.open(QIODevice.OpenModeFlag.ReadOnly)"
        )
    if isinstance(device, QtNetwork.QNetworkReply) and not device.isFinished():
        raise _unreadable("The QNetworkReply that is to be sent has not finished, and cannot while this thread blocks")
    pieces: list[bytes] = []
    while True:
        piece = device.read(_DEVICE_CHUNK)
        if piece:
            pieces.append(bytes(piece))
            continue
        if piece is None and not device.isSequential():
            raise _unreadable(f"The QIODevice that is to be sent cannot be read: {device.errorString()}")
        if piece is None or not device.isSequential():
            return b"".join(pieces)
        failure = ended_early()
        if failure is not None:
            raise Unsendable(failure)
        started = time.monotonic()
        ready = device.waitForReadyRead(_DEVICE_WAIT_MS) or device.bytesAvailable() > 0
        # A no that comes at once means that there will be no more; after the whole wait it means not yet.
        if not ready and time.monotonic() - started < _DEVICE_WAIT_MS / 2000:
            return b"".join(pieces)


def _unreadable(text: str) -> Unsendable:
    return unsendable(QtNetworkError.ProtocolInvalidOperationError, text)
