"""The partition key of a request: only requests with the same credentials and trust settings share a response."""

from __future__ import annotations

import hashlib
from dataclasses import fields
from functools import lru_cache
from pathlib import Path
from typing import Any, Optional

from ...models.http_messages import Request
from ...models.redaction import is_secret_field
from ...models.tls import TlsSettings
from ...qt.binding import QtNetwork, enum_value, has_tls
from ...qt.network_request import has_tls_configuration

_OF_THE_PROXY = frozenset((b"proxy-authorization",))
_AUTHORIZATIONS = _OF_THE_PROXY | {b"authorization"}


def partition_key(request: Request) -> Optional[bytes]:
    """Return the partition key: empty if every user may share the response, None if the response must not be stored.

    The key holds secrets, so a cache stores a digest of it.
    """
    tls: tuple[str, ...] = ()
    if request.url.startswith("https:"):
        if not _is_known(request):
            return None
        tls = (*_default_tls(), *(() if request.tls is None else _tls_settings(request.tls)))
        key = request.pre_shared_key
        if key is not None and key.is_known:
            tls = (*tls, f"pre-shared key {key.identity!r} {key.key!r}")
    # The Authorization of a known user differs each time. One that the caller has set is in ``partition_user``.
    omitted = _AUTHORIZATIONS if request.partition_user else _OF_THE_PROXY
    names = request.redacted_names
    distinguishing = [
        (name.lower(), value)
        for name, value in request.headers
        # A Host of the caller's own names another resource (RFC 9110 section 7.1).
        if is_secret_field(name, names) or name.lower() == b"host"
    ]
    secret_fields = [pair for pair in distinguishing if pair[0] not in omitted]
    if not (secret_fields or request.partition_user or tls):
        return b""
    return repr((sorted(secret_fields), request.partition_user, tls)).encode()


def _is_known(request: Request) -> bool:
    """Return whether the trust settings of a request can be a part of the key."""
    if request.tls is not None and not request.tls.verify:
        return False
    qt_request = request.qt_request
    return qt_request is None or not (has_tls_configuration(qt_request) or qt_request.peerVerifyName())


_cached_default: list[tuple[Any, tuple[str, ...]]] = []


def _default_tls() -> tuple[str, ...]:
    """Return the program's changes of Qt's default configuration: a client certificate, more authorities."""
    if not has_tls():
        return ()
    configuration = QtNetwork.QSslConfiguration.defaultConfiguration()
    for cached, parts_of_cached in _cached_default:
        if cached == configuration:
            return parts_of_cached
    parts: list[str] = []
    certificate = configuration.localCertificate()
    if not certificate.isNull():
        parts.append(f"default certificate {certificate.digest().toHex().data().decode()}")
    mode = enum_value(configuration.peerVerifyMode())
    if mode not in _USUAL_MODES:
        parts.append(f"default mode {mode}")
    system = {each.toDer().data() for each in QtNetwork.QSslConfiguration.systemCaCertificates()}
    added = {each.toDer().data() for each in configuration.caCertificates()} - system
    if added:
        parts.append(f"default authorities {hashlib.sha256(b''.join(sorted(added))).hexdigest()}")
    _cached_default[:] = [(configuration, tuple(parts))]
    return tuple(parts)


_USUAL_MODES = tuple(
    enum_value(mode)
    for mode in (QtNetwork.QSslSocket.PeerVerifyMode.AutoVerifyPeer, QtNetwork.QSslSocket.PeerVerifyMode.VerifyPeer)
)


@lru_cache(maxsize=16)
def _tls_settings(settings: TlsSettings) -> tuple[str, ...]:
    """Return the settings that differ from the default: the client certificate and the trusted authorities."""
    parts = []
    for field in fields(settings):
        value = getattr(settings, field.name)
        if field.name == "ignoredErrors":
            value = tuple((error.kind.name, error.certificate.fingerprint(), error.host) for error in value)
        elif field.name in _FILES and isinstance(value, str):
            value = _content(value)
        if value != field.default:
            parts.append(f"{field.name}={value!r}")
    return tuple(parts)


_FILES = frozenset(("caFile", "clientCertificate", "clientKey"))


def _content(path: str) -> bytes:
    """Return the content of a file, because it may change; return its path if it cannot be read."""
    try:
        return Path(path).read_bytes()
    except OSError:
        return path.encode("utf-8", "surrogateescape")
