"""Copies a QNetworkRequest, and reads its fields and its TLS configuration."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Optional

from ..models.failure import QtNetworkError, request_not_sent
from ..models.headers import Pairs, joined_value
from ..models.http_messages import Request
from .binding import QtCore, QtNetwork, encoded_url, field_name, has_tls


def raw_fields(request: QtNetwork.QNetworkRequest) -> Pairs:
    """Return the header fields of a request, each name once.

    Raises RequestNotSent if a field comes twice that can have one value only. That is possible with a QHttpHeaders.
    """
    if _HAS_HEADERS:
        return _joined((name.data(), value.data()) for name, value in request.headers().toListOfPairs())  # type: ignore[attr-defined]
    return tuple((name.data(), request.rawHeader(field_name(name.data())).data()) for name in request.rawHeaderList())


_HAS_HEADERS = hasattr(QtNetwork.QNetworkRequest, "headers")
"""Whether a request can return all fields as one QHttpHeaders (since 6.8)."""


def _joined(pairs: Iterable[tuple[bytes, bytes]]) -> Pairs:
    """Join the values of equal names. ``rawHeader`` joins cookies by a comma, and Qt itself sends the last value only
    (6.11).
    """
    fields: dict[bytes, tuple[bytes, bytes]] = {}
    for name, value in pairs:
        key = name.lower()
        if key in fields:
            try:
                name, value = fields[key][0], joined_value(name, fields[key][1], value)
            except ValueError as error:
                text = str(error)
                raise request_not_sent(
                    QtNetworkError.ProtocolInvalidOperationError, text[0].upper() + text[1:]
                ) from None
        fields[key] = name, value
    return tuple(fields.values())


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
