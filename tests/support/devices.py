"""QIODevices that many tests read a body from."""

from __future__ import annotations

import time

from blocking_request.qt.binding import QtCore


class NeverReady(QtCore.QIODevice):
    """A device that gives nothing, as a pipe whose writer waits."""

    def isSequential(self) -> bool:
        return True

    def readData(self, maxlen: int) -> bytes:
        return b""

    def waitForReadyRead(self, msecs: int) -> bool:
        time.sleep(msecs / 1000)
        return False
