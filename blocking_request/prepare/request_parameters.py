"""RequestParameters: a request that is about to be sent, as a manager's signal tells it."""

from __future__ import annotations

import threading
from dataclasses import dataclass

from .._names import public
from ..models.http_messages import Request
from ..qt.binding import QtCore, QtNetwork
from ..qt.network_request import qt_request_copy
from ..qt.reply_values import operation_of


@public
@dataclass(frozen=True)
class RequestParameters:
    """A request that is about to be sent, with the names of QGIS's QgsNetworkRequestParameters.

    It has no credentials and no cookies: they are added later, and are meant for the server only.
    """

    _request: Request
    _request_id: int
    _thread_id: int

    def request(self) -> QtNetwork.QNetworkRequest:
        """A copy of the request."""
        return qt_request_copy(self._request)

    def operation(self) -> QtNetwork.QNetworkAccessManager.Operation:
        """Qt's name for the method."""
        return operation_of(self._request.method)

    def requestId(self) -> int:
        """The number its reply will have."""
        return self._request_id

    def originatingThreadId(self) -> int:
        """The thread that called, as ``threading.get_ident()`` names it."""
        return self._thread_id

    def content(self) -> QtCore.QByteArray:
        """Return the body; empty if there is none, or if it is read while it is sent."""
        body = self._request.body
        return QtCore.QByteArray(body if isinstance(body, bytes) else b"")

    def __repr__(self) -> str:
        return f"<RequestParameters {self._request_id}: {self._request!r}>"


def parameters_of(request: Request, request_id: int) -> RequestParameters:
    return RequestParameters(request, request_id, threading.get_ident())
