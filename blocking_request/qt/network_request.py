"""Copies a QNetworkRequest, and reads its fields and its TLS configuration."""

from __future__ import annotations

from typing import Optional

from ..models.headers import Pairs
from ..models.http_messages import Request
from .binding import QtCore, QtNetwork, encoded_url, field_name, has_tls


def raw_fields(request: QtNetwork.QNetworkRequest) -> Pairs:
    """Return the header fields of a request."""
    return tuple((name.data(), request.rawHeader(field_name(name.data())).data()) for name in request.rawHeaderList())


def qt_request_copy(request: Request) -> QtNetwork.QNetworkRequest:
    """Return the request as a QNetworkRequest that shares no data with the caller's."""
    qt_request: Optional[QtNetwork.QNetworkRequest] = request.qt_request
    copy = QtNetwork.QNetworkRequest() if qt_request is None else QtNetwork.QNetworkRequest(qt_request)
    for name in copy.rawHeaderList():
        copy.setRawHeader(name, QtCore.QByteArray())
    copy.setUrl(encoded_url(request.url))
    for field, value in request.headers:
        copy.setRawHeader(field, value)  # type: ignore[arg-type]
    return copy


def unshared_copy(request: QtNetwork.QNetworkRequest) -> QtNetwork.QNetworkRequest:
    """Return a copy that shares no data with the caller's.

    ``QNetworkRequest.sslConfiguration`` writes the current default into the request if it has none (5.15, 6.11). In the
    caller's request, the default would be taken for the caller's own configuration afterwards.
    """
    copy = QtNetwork.QNetworkRequest(request)
    copy.setPriority(copy.priority())
    return copy


def has_tls_configuration(request: object) -> bool:
    """Return whether the caller has set a QSslConfiguration on a QNetworkRequest."""
    if not isinstance(request, QtNetwork.QNetworkRequest) or not has_tls():
        return False
    return bool(unshared_copy(request).sslConfiguration() != QtNetwork.QSslConfiguration.defaultConfiguration())
