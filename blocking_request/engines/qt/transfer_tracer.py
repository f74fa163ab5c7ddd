"""Notes the steps of a transfer that Qt signals. It is used only if a caller wants them: each signal costs an event."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Optional

from ...models.transfer_trace import TransferTrace
from ...qt.binding import QtCore, QtNetwork, Slot, address
from ...trace import logger

if TYPE_CHECKING:
    from .worker import QtTransfer

_TELLS_STEPS = hasattr(QtNetwork.QNetworkReply, "socketStartedConnecting")
"""Whether Qt signals these steps (since 6.3)."""

_HAS_TLS = hasattr(QtNetwork.QNetworkReply, "encrypted")


class TransferTracer(QtCore.QObject):
    """Writes the steps into the traces of the transfers. Qt does not report look-ups and addresses.

    It lives in the worker's thread, as a child of the dispatcher.
    """

    def __init__(self, parent: QtCore.QObject, transfers: Mapping[int, QtTransfer]) -> None:
        """``transfers``: the transfers under way, by the addresses of their replies."""
        super().__init__(parent)
        self._transfers = transfers

    def follow(self, reply: QtNetwork.QNetworkReply) -> None:
        """Write the steps of a reply into the trace of its transfer from now on."""
        reply.metaDataChanged.connect(self._headers_received)
        if _HAS_TLS:
            reply.encrypted.connect(self._encrypted)
        if _TELLS_STEPS:
            reply.socketStartedConnecting.connect(self._connecting)  # type: ignore[attr-defined]
            reply.requestSent.connect(self._request_sent)  # type: ignore[attr-defined]

    @Slot()
    def _connecting(self) -> None:
        self._note("connect_started")

    @Slot()
    def _encrypted(self) -> None:
        self._note("tls_ended")

    @Slot()
    def _request_sent(self) -> None:
        self._note("request_sent")

    @Slot()
    def _headers_received(self) -> None:
        self._note("headers_received")

    def _note(self, step: str) -> None:
        try:
            reply = self.sender()
            assert isinstance(reply, QtNetwork.QNetworkReply)
            transfer = self._transfers.get(address(reply))
            if transfer is not None:
                setattr(transfer.trace, step, time.monotonic())
        except BaseException:  # PyQt ends the process if an exception leaves a slot
            logger.exception("a step of a request could not be noted")


def is_reused(trace: TransferTrace, is_https: bool) -> Optional[bool]:
    """Return whether a response came over a kept connection; None if Qt has signalled too little to know."""
    if _TELLS_STEPS:
        return trace.connect_started is None
    return trace.tls_ended is None if is_https and _HAS_TLS else None
