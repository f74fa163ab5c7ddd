"""The body of a request as Qt pulls it."""

from __future__ import annotations

from typing import Any

from ..exchange import Mailbox, Progress
from ..qt import QtCore, QtNetwork
from .qt_answer import STATUS

_READ_ONLY: Any = QtCore.QIODevice.OpenModeFlag.ReadOnly
_UNBUFFERED: Any = QtCore.QIODevice.OpenModeFlag.Unbuffered


class UploadDevice(QtCore.QIODevice):
    """A sequential device over bytes: what can be read only once can be sent only once.

    Qt 5 sends a request again, two to four times, when the server closes without an answer; a body that cannot be read
    again stops it. Lives and is read in the worker's thread.
    """

    def __init__(self, body: bytes, mailbox: Mailbox, rewinds: int = 0) -> None:
        """``rewinds``: how often it may be sent again, because the server wanted a login first."""
        super().__init__()
        self._rewinds = rewinds
        self._body = memoryview(body)
        self._position = 0
        self._mailbox = mailbox
        self.open(_READ_ONLY | _UNBUFFERED)

    def isSequential(self) -> bool:
        return True

    def bytesAvailable(self) -> int:
        return len(self._body) - self._position + super().bytesAvailable()

    def reset(self) -> bool:
        """Qt asks to begin again when it wants to send the body again: never; or when a 307 or 308 has come, even if
        it is not to follow: then a no would cost the answer's body (5.15, 6.11), and nothing is read after a yes.
        """
        if self._rewinds > 0:
            self._rewinds -= 1
            self._position = 0
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
        self._mailbox.touch()
        if self._mailbox.wants_progress:
            self._mailbox.report(Progress(True, self._position, len(self._body)))
        return piece

    def writeData(self, data: bytes) -> int:  # type: ignore[override]
        return -1
