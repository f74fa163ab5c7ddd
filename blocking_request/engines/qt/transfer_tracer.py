"""Hears what Qt tells of the steps of a transfer, if somebody wants to know: each signal costs an event."""

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
"""Since Qt 6.3."""

_HAS_TLS = hasattr(QtNetwork.QNetworkReply, "encrypted")


class TransferTracer(QtCore.QObject):
    """Lives in the worker's thread, as the child of its dispatcher. Qt says nothing of look-ups and addresses."""

    def __init__(self, parent: QtCore.QObject, transfers: Mapping[int, QtTransfer]) -> None:
        """``transfers``: those under way, by the address of the reply."""
        super().__init__(parent)
        self._transfers = transfers

    def follow(self, reply: QtNetwork.QNetworkReply) -> None:
        """Write into the trace of the reply's transfer from now on."""
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
        except BaseException:  # what leaves a slot ends the process
            logger.exception("a step of a request could not be noted")


def is_reused(trace: TransferTrace, is_https: bool) -> Optional[bool]:
    """Return whether a response came over a kept connection, by what was heard; None if that does not tell."""
    if _TELLS_STEPS:
        return trace.connect_started is None
    return trace.tls_ended is None if is_https and _HAS_TLS else None
