"""The devices from which Qt reads the body of a request."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...qt.binding import API, QtCore, QtNetwork
from ..events import Step, StepReached
from ..upload_channel import UploadChannel
from ..upload_progress import UploadProgress
from .response import STATUS

if TYPE_CHECKING:
    from .worker import QtTransfer

_READ_ONLY: Any = QtCore.QIODevice.OpenModeFlag.ReadOnly
_UNBUFFERED: Any = QtCore.QIODevice.OpenModeFlag.Unbuffered


class UploadDevice(QtCore.QIODevice):
    """A sequential device over bytes. Qt can read it once, and so sends the body once.

    If the server closes the connection without a response, Qt 5 sends a request again, two to four times, unless its
    body cannot be read again. The device lives in the worker's thread.
    """

    def __init__(self, body: bytes, transfer: QtTransfer, rewinds: int = 0) -> None:
        """``rewinds``: how often the body may be sent again because the server wants a login."""
        super().__init__()
        self._rewinds = rewinds
        self._body = memoryview(body)
        self._position = 0
        self._transfer = transfer
        self._progress = UploadProgress(transfer.mailbox, len(body))
        self.open(_READ_ONLY | _UNBUFFERED)

    def isSequential(self) -> bool:
        """Return True; on PySide6 False at the end of the body.

        PySide6 makes 0 of the None of ``readData``. Of a sequential device that means that more will follow, and over
        HTTP/2 Qt would wait for it (6.9, 6.12).
        """
        return API != "PySide6" or not self.atEnd()

    def bytesAvailable(self) -> int:
        return len(self._body) - self._position + super().bytesAvailable()

    def reset(self) -> bool:
        """Return whether Qt may read the body from the beginning: only for a login, and after a 307 or 308.

        Qt calls this after a 307 or 308 although it does not follow redirects here. It would drop the response's body
        after False (5.15, 6.11), and reads nothing after True.
        """
        if self._rewinds > 0:
            self._rewinds -= 1
            self._position = 0
            self._progress = UploadProgress(self._transfer.mailbox, len(self._body))
            return True
        reply = self.parent()
        return isinstance(reply, QtNetwork.QNetworkReply) and reply.attribute(STATUS) in (307, 308)

    def atEnd(self) -> bool:
        return self._position >= len(self._body)

    def readData(self, maxlen: int) -> bytes | None:  # type: ignore[override]
        if self._position >= len(self._body):
            return None
        piece = bytes(self._body[self._position : self._position + maxlen])
        self._position += len(piece)
        self._report(len(piece))
        return piece

    def _report(self, count: int) -> None:
        transfer, mailbox = self._transfer, self._transfer.mailbox
        if Step.REQUEST_SENT in mailbox.wanted_steps and not transfer.is_sent_reported:
            # Qt reads the body after the header, and signals ``requestSent`` later.
            transfer.is_sent_reported = True
            mailbox.post(StepReached(Step.REQUEST_SENT))
        progress = self._progress.add(count)
        if progress is not None:
            mailbox.report(progress)

    def writeData(self, data: bytes) -> int:  # type: ignore[override]
        return -1


class ChannelDevice(UploadDevice):
    """A sequential device over a body that the caller puts in piece by piece."""

    def __init__(self, channel: UploadChannel, transfer: QtTransfer) -> None:
        super().__init__(b"", transfer)
        self._progress = UploadProgress(transfer.mailbox, channel.size)
        self._channel = channel

    def bytesAvailable(self) -> int:
        return self._channel.waiting

    def atEnd(self) -> bool:
        return self._channel.is_at_end

    def readData(self, maxlen: int) -> bytes | None:  # type: ignore[override]
        piece = self._channel.take(maxlen, self._transfer.upload_data_added)
        if piece:
            self._report(len(piece))
        return piece
