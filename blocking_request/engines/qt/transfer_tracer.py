"""Traces the steps of a transfer that Qt signals, and reports those that the caller wants.

The signals are connected only if either is wanted: each signal costs an event.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Optional

from ...models.http_messages import Response
from ...models.transfer_trace import TransferTrace
from ...qt.binding import QtCore, QtNetwork, Slot, address
from ...tls.qt_configuration import session_of
from ...trace import logger
from ..body_errors import HeaderTooLarge
from ..events import Step, StepReached
from .response import begun_response, read_header

if TYPE_CHECKING:
    from .worker import QtTransfer

SIGNALS_CONNECTING = hasattr(QtNetwork.QNetworkReply, "socketStartedConnecting")
"""Whether Qt signals that it connects, and that it has sent a request (since 6.3)."""

_TRACE_FIELDS = {
    Step.CONNECTING: "connect_started",
    Step.ENCRYPTED: "tls_ended",
    Step.REQUEST_SENT: "request_sent",
    Step.HEADERS_RECEIVED: "headers_received",
}
"""The fields of a TransferTrace that have the times of the steps."""

_HAS_ENCRYPTED_SIGNAL = hasattr(QtNetwork.QNetworkReply, "encrypted")


class TransferTracer(QtCore.QObject):
    """Writes the steps into the traces of the transfers, and posts those that the caller wants.

    Qt does not report look-ups and addresses.

    It lives in the worker's thread, as a child of the dispatcher.
    """

    def __init__(self, parent: QtCore.QObject, transfers: Mapping[int, QtTransfer]) -> None:
        """``transfers``: the transfers under way, by the addresses of their replies."""
        super().__init__(parent)
        self._transfers = transfers

    def follow(self, reply: QtNetwork.QNetworkReply) -> None:
        """Report the steps of a reply from now on."""
        reply.metaDataChanged.connect(self._headers_received)
        if _HAS_ENCRYPTED_SIGNAL:
            reply.encrypted.connect(self._encrypted)
        if SIGNALS_CONNECTING:
            reply.socketStartedConnecting.connect(self._connecting)  # type: ignore[attr-defined]
            reply.requestSent.connect(self._request_sent)  # type: ignore[attr-defined]

    @Slot()
    def _connecting(self) -> None:
        self._reach(Step.CONNECTING)

    @Slot()
    def _encrypted(self) -> None:
        self._reach(Step.ENCRYPTED)

    @Slot()
    def _request_sent(self) -> None:
        self._reach(Step.REQUEST_SENT)

    @Slot()
    def _headers_received(self) -> None:
        self._reach(Step.HEADERS_RECEIVED)

    def _reach(self, step: Step) -> None:
        try:
            reply = self.sender()
            assert isinstance(reply, QtNetwork.QNetworkReply)
            transfer = self._transfers.get(address(reply))
            if transfer is not None and not transfer.ended:
                setattr(transfer.trace, _TRACE_FIELDS[step], time.monotonic())
                is_reported = step is Step.REQUEST_SENT and transfer.is_sent_reported
                if step in transfer.mailbox.wanted_steps and not is_reported:
                    transfer.mailbox.post(StepReached(step, _known_response(step, transfer, reply)))
        except BaseException:  # PyQt ends the process if an exception leaves a slot
            logger.exception("a step of a request could not be reported")


def _known_response(step: Step, transfer: QtTransfer, reply: QtNetwork.QNetworkReply) -> Optional[Response]:
    """Return the part of the response that is known after a step, if there is one."""
    if step is Step.ENCRYPTED:
        tls = session_of(reply.sslConfiguration(), transfer.tls_errors, agreed=True)
        return Response(transfer.request, engine="qt", tls=tls)
    if step is Step.HEADERS_RECEIVED:
        with suppress(HeaderTooLarge):  # the call will fail
            read_header(transfer, reply)
        return begun_response(transfer, reply)._replace(is_streaming=False)
    return None


def is_reused(trace: TransferTrace, is_https: bool) -> Optional[bool]:
    """Return whether a response came over a kept connection; None if Qt has signalled too little to know."""
    if SIGNALS_CONNECTING:
        return trace.connect_started is None
    return trace.tls_ended is None if is_https and _HAS_ENCRYPTED_SIGNAL else None
