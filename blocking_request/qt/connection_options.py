"""Reads the ConnectionOptions of a QNetworkRequest."""

from __future__ import annotations

from typing import Any, Optional

from ..models.connection_options import DEFAULT_CONNECTION, ConnectionOptions, KeepAlive
from ..models.failure import QtNetworkError, request_not_sent
from .binding import QtNetwork

_Request = QtNetwork.QNetworkRequest
_Attribute = _Request.Attribute

_EXPIRY = getattr(_Attribute, "ConnectionCacheExpiryTimeoutSecondsAttribute", None)
_CLEARTEXT = getattr(_Attribute, "Http2CleartextAllowedAttribute", None)
_HAS_KEEP_ALIVE = hasattr(_Request, "tcpKeepAliveProbeCount")
_HAS_HTTP1 = hasattr(_Request, "http1Configuration")

_QT_KEEP_ALIVE = KeepAlive(60, 10, 5)
"""Qt's values for those that are 0 (6.11)."""
_KEEP_ALIVE_LIMITS = KeepAlive(32767, 32767, 127)
"""Linux takes no larger ones."""

_HTTP2_DEFAULTS = QtNetwork.QHttp2Configuration()

DEFAULT_CONNECTIONS_PER_HOST = 6
"""Of QHttp1Configuration."""


def connection_options(request: QtNetwork.QNetworkRequest) -> ConnectionOptions:
    """Return the options of a request. Raises RequestNotSent if a value is not possible."""
    attribute = request.attribute
    configuration, default = request.http2Configuration(), _HTTP2_DEFAULTS
    expiry = None if _EXPIRY is None else attribute(_EXPIRY)
    options = ConnectionOptions(
        # Qt's default differs from version to version, so only False, which the caller has set, counts.
        attribute(_Attribute.Http2AllowedAttribute) is not False,
        attribute(_Attribute.Http2DirectAttribute) is True,
        _CLEARTEXT is not None and attribute(_CLEARTEXT) is True,
        expiry if isinstance(expiry, int) and expiry >= 0 else None,
        _keep_alive(request) if _HAS_KEEP_ALIVE else None,
    )
    if configuration != default:
        options = options._replace(
            stream_window=_changed(configuration.streamReceiveWindowSize(), default.streamReceiveWindowSize()),
            connection_window=_changed(configuration.sessionReceiveWindowSize(), default.sessionReceiveWindowSize()),
            frame_bytes=_changed(configuration.maxFrameSize(), default.maxFrameSize()),
            huffman=configuration.huffmanCompressionEnabled(),
        )
    return DEFAULT_CONNECTION if options == DEFAULT_CONNECTION else options


def _changed(value: int, default: int) -> int:
    """Return 0 for Qt's default: the engine then uses its own."""
    return 0 if value == default else value


def _keep_alive(request: Any) -> Optional[KeepAlive]:
    own = KeepAlive(
        request.tcpKeepAliveIdleTimeBeforeProbes(),
        request.tcpKeepAliveIntervalBetweenProbes(),
        request.tcpKeepAliveProbeCount(),
    )
    if not any(own):
        return None
    if not all(0 <= value <= limit for value, limit in zip(own, _KEEP_ALIVE_LIMITS)):
        text = (
            "The TCP keep-alive settings of the request are not possible: give times of at most "
            f"{_KEEP_ALIVE_LIMITS.idle_seconds} s, and at most {_KEEP_ALIVE_LIMITS.probes} probes; 0 means Qt's default"
        )
        raise request_not_sent(QtNetworkError.ProtocolInvalidOperationError, text)
    return KeepAlive(*(value or default for value, default in zip(own, _QT_KEEP_ALIVE)))


def connections_per_host(request: object) -> int:
    """Return the number of a QHttp1Configuration that the caller has set; 0 for Qt's default and any other object."""
    if not _HAS_HTTP1 or not isinstance(request, _Request):
        return 0
    count: int = request.http1Configuration().numberOfConnectionsPerHost()  # type: ignore[attr-defined]
    return 0 if count == DEFAULT_CONNECTIONS_PER_HOST else count
