"""Reads the certificates of a TLS server and the session from Python's ``ssl``."""

from __future__ import annotations

import ssl
from typing import Any, Callable, Optional, Union

from ...models.certificate import Certificate
from ...models.tls import TlsError, TlsSession

SslObject = Union[ssl.SSLSocket, ssl.SSLObject]


def session_of(ssl_object: SslObject, errors: tuple[TlsError, ...]) -> TlsSession:
    """Return the session after a handshake. ``errors``: the ignored errors."""
    cipher = ssl_object.cipher()
    return TlsSession(ssl_object.version() or "", cipher[0] if cipher else "", certificates_sent_to(ssl_object), errors)


def certificates_sent_to(ssl_object: SslObject) -> tuple[Certificate, ...]:
    """Return the certificates as the server sent them, its own first. Python 3.9 gives only that one."""
    der = ssl_object.getpeercert(True)
    if not der:
        return ()  # the server has proved by a pre-shared key who it is
    own = Certificate(der)
    chain = _chain(ssl_object, "get_unverified_chain")
    return chain if chain[:1] == (own,) else (own,)


def verified_certificates(ssl_object: SslObject) -> tuple[Certificate, ...]:
    """Return the certificates that were verified, the root included. Python 3.9 does not give the root."""
    return _chain(ssl_object, "get_verified_chain") or certificates_sent_to(ssl_object)


def _chain(ssl_object: SslObject, name: str) -> tuple[Certificate, ...]:
    """Python has these methods since 3.13; from 3.10 on, a private object has them."""
    for holder in (ssl_object, getattr(ssl_object, "_sslobj", None)):
        get_chain: Optional[Callable[[], Any]] = getattr(holder, name, None)
        if get_chain is not None:
            return tuple(_certificate(entry) for entry in get_chain() or ())
    return ()


def _certificate(entry: Any) -> Certificate:
    """``entry``: bytes, or an object of Python's own for a certificate."""
    return Certificate(entry if isinstance(entry, bytes) else ssl.PEM_cert_to_DER_cert(entry.public_bytes()))
