"""Whom an answer is for: nobody else is ever served it."""

from __future__ import annotations

from dataclasses import fields
from functools import lru_cache
from typing import Optional

from ..exchange import Exchange
from ..headers import CREDENTIAL_FIELDS
from ..preparation import has_own_tls
from ..tls import TlsSettings

_OF_THE_PROXY = frozenset((b"proxy-authorization",))


def identity_of(exchange: Exchange) -> Optional[bytes]:
    """Empty for anybody; None where it cannot be known. It holds secrets: a cache keeps a digest of it."""
    is_encrypted = exchange.url.startswith("https:")
    if is_encrypted and has_own_tls(exchange.native):
        # A QSslConfiguration has no value that could be written down.
        return None
    secret = CREDENTIAL_FIELDS - _OF_THE_PROXY
    if exchange.secret_names:
        secret |= {name.lower().encode("latin-1", "replace") for name in exchange.secret_names}
    if exchange.identity:
        # The same user proves themselves by another value each time.
        secret -= {b"authorization"}
    shown = [(name.lower(), value) for name, value in exchange.headers if name.lower() in secret]
    tls = _tls_identity(exchange.tls) if is_encrypted and exchange.tls is not None else ()
    if not (shown or exchange.identity or tls):
        return b""
    return repr((sorted(shown), exchange.identity, tls)).encode()


@lru_cache(maxsize=16)
def _tls_identity(settings: TlsSettings) -> tuple[str, ...]:
    """Who we are, and whom we trust: what was got from somebody trusted by one is nothing for another."""
    kept = []
    for field in fields(settings):
        value = getattr(settings, field.name)
        if field.name == "ignoredErrors":
            value = tuple((error.kind.name, error.certificate.fingerprint(), error.host) for error in value)
        if value != field.default:
            kept.append(f"{field.name}={value!r}")
    return tuple(kept)
