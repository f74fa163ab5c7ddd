"""Copies of a QNetworkRequest, and what one holds."""

from __future__ import annotations

from typing import Optional

from ..models.headers import Pairs
from ..models.http_messages import Exchange
from .binding import QtCore, QtNetwork, encoded_url, has_tls


def raw_fields(request: QtNetwork.QNetworkRequest) -> Pairs:
    """Return the header fields of a request."""
    return tuple((name.data(), request.rawHeader(name).data()) for name in request.rawHeaderList())


def native_copy(exchange: Exchange) -> QtNetwork.QNetworkRequest:
    """The exchange as a request that shares nothing with the caller's."""
    native: Optional[QtNetwork.QNetworkRequest] = exchange.native
    request = QtNetwork.QNetworkRequest() if native is None else QtNetwork.QNetworkRequest(native)
    for name in request.rawHeaderList():
        request.setRawHeader(name, QtCore.QByteArray())
    request.setUrl(encoded_url(exchange.url))
    for field, value in exchange.headers:
        request.setRawHeader(field, value)  # type: ignore[arg-type]
    return request


def unshared_copy(request: QtNetwork.QNetworkRequest) -> QtNetwork.QNetworkRequest:
    """A copy that shares nothing with the caller's.

    Qt writes into a request when it is asked for its TLS configuration: the default one of that moment, which would
    then be taken for the request's own (5.15, 6.11).
    """
    copy = QtNetwork.QNetworkRequest(request)
    copy.setPriority(copy.priority())
    return copy


def has_own_tls(request: object) -> bool:
    """Whether a QNetworkRequest brings a QSslConfiguration of its own."""
    if not isinstance(request, QtNetwork.QNetworkRequest) or not has_tls():
        return False
    return bool(unshared_copy(request).sslConfiguration() != QtNetwork.QSslConfiguration.defaultConfiguration())
