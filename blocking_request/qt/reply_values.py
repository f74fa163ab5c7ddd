"""Makes the values of a QNetworkReply from a response: known headers, attributes, the operation."""

from __future__ import annotations

from typing import Any

from ..models.headers import Fields
from ..models.http_messages import Response
from .binding import QtCore, QtNetwork, check_binding, enum_value

_Attribute = QtNetwork.QNetworkRequest.Attribute
_Operation = QtNetwork.QNetworkAccessManager.Operation

_OPERATIONS = {
    "HEAD": _Operation.HeadOperation,
    "GET": _Operation.GetOperation,
    "PUT": _Operation.PutOperation,
    "POST": _Operation.PostOperation,
    "DELETE": _Operation.DeleteOperation,
}


def operation_of(method: str) -> QtNetwork.QNetworkAccessManager.Operation:
    """Return Qt's operation for a method of HTTP."""
    return _OPERATIONS.get(method, _Operation.CustomOperation)


def known_header(fields: Fields, header: QtNetwork.QNetworkRequest.KnownHeaders) -> Any:
    """Return a known header parsed by Qt (an int, a QDateTime, a QUrl, ...), or None if the response lacks it."""
    check_binding(header, "header")
    parser = QtNetwork.QNetworkRequest()
    for name in fields.names:
        # Qt parses each field that is set, and takes quadratic time for some, so long values are left out. Only
        # Location may be long.
        short = b"\n".join(fields.values(name)) if name == b"set-cookie" else fields.value(name)
        value = fields.whole_value(name) if name == b"location" else short
        if value is not None:
            parser.setRawHeader(name, value)  # type: ignore[arg-type]
    return parser.header(header)


def reply_attributes(response: Response) -> dict[int, Any]:
    """Return the attributes of a reply, by the integers of ``QNetworkRequest.Attribute``."""
    if response.status is None:
        return {}
    attributes: dict[Any, Any] = {
        _Attribute.HttpStatusCodeAttribute: response.status,
        _Attribute.HttpReasonPhraseAttribute: response.reason,
        _Attribute.ConnectionEncryptedAttribute: response.request.url.startswith("https:"),
        _Attribute.SourceIsFromCacheAttribute: response.from_cache,
        _Attribute.Http2WasUsedAttribute: response.http2,
    }
    if response.total_bytes >= 0:
        attributes[_Attribute.OriginalContentLengthAttribute] = response.total_bytes
    location = response.headers.whole_value(b"location")
    if location is not None and 300 <= response.status < 400:
        attributes[_Attribute.RedirectionTargetAttribute] = QtCore.QUrl.fromEncoded(QtCore.QByteArray(location))
    return {enum_value(code): value for code, value in attributes.items()}
