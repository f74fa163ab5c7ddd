"""Gives a request to a QNetworkAccessManager, in the thread of a worker."""

from __future__ import annotations

from typing import TYPE_CHECKING, Optional

from ...models.http_messages import IDEMPOTENT_METHODS
from ...qt.binding import QT_VERSION, QtNetwork
from ..upload_channel import UploadChannel
from .ntlm import REWINDS
from .upload_device import ChannelDevice, UploadDevice

if TYPE_CHECKING:
    from .worker import QtTransfer


def send(manager: QtNetwork.QNetworkAccessManager, transfer: QtTransfer) -> Optional[QtNetwork.QNetworkReply]:
    """Send the request of a transfer by the call of Qt that suits its method and body."""
    request, qt_request = transfer.request, transfer.qt_request
    method, body = request.method, request.body
    if request.connection_credentials is not None:
        return _send_with_login(manager, transfer)
    if method == "GET" and body is None:
        return manager.get(qt_request)
    if method == "HEAD" and body is None:
        # On Qt 5 sendCustomRequest(b"HEAD") waits for a body that does not come.
        return manager.head(qt_request)
    if body is None and method in IDEMPOTENT_METHODS:
        return manager.sendCustomRequest(qt_request, method.encode("ascii"))
    device: UploadDevice
    if isinstance(body, UploadChannel):
        device = transfer.device = ChannelDevice(body, transfer)
    else:
        assert body is None or isinstance(body, bytes)
        if body is None:
            # Without a length Qt 5 copies the device, and so can send the request again: up to four times (5.15).
            qt_request.setRawHeader(b"Content-Length", b"0")  # type: ignore[arg-type]
        device = UploadDevice(body or b"", transfer)
    reply = manager.sendCustomRequest(qt_request, method.encode("ascii"), device)
    device.setParent(reply)
    return reply


def _send_with_login(
    manager: QtNetwork.QNetworkAccessManager, transfer: QtTransfer
) -> Optional[QtNetwork.QNetworkReply]:
    """Send a request for which Qt logs in (NTLM, Negotiate). Qt sends its body in each round."""
    request = transfer.request
    has_body = request.body is not None or QT_VERSION < (6,)
    assert request.body is None or isinstance(request.body, bytes)
    rewinds = REWINDS if request.body is None or QT_VERSION >= (6,) else 0
    device = UploadDevice(request.body or b"", transfer, rewinds) if has_body else None
    if device is not None and request.body is None:
        transfer.qt_request.setRawHeader(b"Content-Length", b"0")  # type: ignore[arg-type]
    reply = manager.sendCustomRequest(transfer.qt_request, request.method.encode("ascii"), device)
    if device is not None:
        device.setParent(reply)
    return reply
