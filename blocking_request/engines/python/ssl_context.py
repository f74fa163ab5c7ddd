"""Contexts for Python's ``ssl``, made of TlsSettings whose files have been read."""

from __future__ import annotations

import os
import ssl
import sys
import tempfile
from collections.abc import Iterable
from typing import Optional

import certifi

from ..._first_use import first_use
from ..._fork_lock import fork_lock
from ...models.tls import TIME_ERRORS, TRUST_ERRORS, TlsError, TlsErrorKind, TlsSettings, TlsUnusable
from .pre_shared_keys import KeyOffer

_NO_CHECK_TIME = 0x200000
_PARTIAL_CHAIN = 0x80000
"""OpenSSL's X509_V_FLAG_*, which Python 3.9 does not name."""

_VERSIONS = {
    "1.0": ssl.TLSVersion.TLSv1,
    "1.1": ssl.TLSVersion.TLSv1_1,
    "1.2": ssl.TLSVersion.TLSv1_2,
    "1.3": ssl.TLSVersion.TLSv1_3,
}


def context_for(
    settings: TlsSettings, alpn: tuple[str, ...] = (), by_openssl: bool = False, offer: Optional[KeyOffer] = None
) -> ssl.SSLContext:
    """Return a context for the settings. Raises TlsUnusable.

    ``alpn``: the protocols to offer (RFC 7301). ``by_openssl``: have certificates verified by OpenSSL, which can be
    told which errors to ignore. ``offer``: offers a pre-shared key.
    """
    try:
        with fork_lock.held():
            return _context(settings, alpn, by_openssl, offer)
    except (OSError, ValueError) as error:
        raise TlsUnusable(_unusable_text(settings, error)) from error


def _context(
    settings: TlsSettings, alpn: tuple[str, ...], by_openssl: bool, offer: Optional[KeyOffer]
) -> ssl.SSLContext:
    # The system cannot verify a server without a certificate.
    context = _trusting(settings, by_openssl or (offer is not None and offer.key.is_known))
    context.minimum_version = _VERSIONS[settings.minimumVersion or min("1.2", settings.maximumVersion or "1.2")]
    if settings.maximumVersion is not None:
        context.maximum_version = _VERSIONS[settings.maximumVersion]
    # A certificate without alternative names is for its common name: OpenSSL looks at it then, as Qt does.
    context.check_hostname = settings.verify
    context.verify_mode = ssl.CERT_REQUIRED if settings.verify else ssl.CERT_NONE
    if alpn:
        context.set_alpn_protocols(list(alpn))
    _load_client_certificate(context, settings)
    if offer is not None and type(context).__module__ == ssl.__name__:
        offer.add_to(context)
    return context


def lenient_context(
    settings: TlsSettings,
    errors: Iterable[TlsError],
    alpn: tuple[str, ...] = (),
    offer: Optional[KeyOffer] = None,
) -> ssl.SSLContext:
    """Return a context that ignores these errors of these certificates. Raises TlsUnusable."""
    context = context_for(settings, alpn, by_openssl=True, offer=offer)
    with fork_lock.held():
        for error in errors:
            if error.kind is TlsErrorKind.HostNameMismatch:
                context.check_hostname = False
            elif error.kind in TIME_ERRORS:
                context.verify_flags |= _NO_CHECK_TIME
            elif error.kind in TRUST_ERRORS:
                context.load_verify_locations(cadata=error.certificate.der)
                context.verify_flags |= _PARTIAL_CHAIN
    return context


def _trusting(settings: TlsSettings, by_openssl: bool) -> ssl.SSLContext:
    trust = settings.trust or ("system" if settings.caData is None else "")
    if trust == "system" and settings.verify:
        context = _openssl_context() if by_openssl or _openssl_knows_the_system() else _truststore_context()
    else:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if settings.caData is not None:
        context.load_verify_locations(cadata=settings.caData.decode("ascii", "replace"))
    return context


def _openssl_knows_the_system() -> bool:
    """Return whether OpenSSL finds the certificates that the system trusts: as a rule, on Linux only."""
    paths = ssl.get_default_verify_paths()
    return sys.platform not in ("darwin", "win32") and (paths.cafile is not None or paths.capath is not None)


def _truststore_context() -> ssl.SSLContext:
    """Return a context that has the operating system verify, if the package truststore is installed.

    It reads the system's certificates for every connection, which takes 20 ms on Linux: it is not used there.
    """
    try:
        with first_use:
            import truststore
    except ImportError:
        return _openssl_context()
    context: ssl.SSLContext = truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    return context


def _openssl_context() -> ssl.SSLContext:
    """Return a context that trusts the system's certificates, or certifi's if OpenSSL finds none."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_default_certs()
    if not context.cert_store_stats()["x509_ca"]:
        paths = ssl.get_default_verify_paths()
        if paths.cafile is not None:
            # OpenSSL tells nothing if the file could not be opened, for example without descriptors. This raises then.
            with open(paths.cafile, "rb"):
                pass
        if paths.capath is None:
            context.load_verify_locations(cafile=certifi.where())
    return context


def _load_client_certificate(context: ssl.SSLContext, settings: TlsSettings) -> None:
    certificate, key = settings.clientCertificate, settings.clientKey
    if not isinstance(certificate, bytes) or not isinstance(key, bytes):
        return
    # Python reads a certificate from a file only.
    descriptor, path = tempfile.mkstemp(suffix=".pem")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(certificate + key)
        # Without a password OpenSSL would ask for one on the terminal.
        context.load_cert_chain(path, None, settings.keyPassword or "")
    finally:
        os.unlink(path)


def _unusable_text(settings: TlsSettings, error: Exception) -> str:
    reason = str(getattr(error, "reason", None) or error).lower().replace("_", " ")
    if "key values mismatch" in reason:
        return "the client key does not belong to the client certificate"
    if "too small" in reason or "too weak" in reason:
        return f"the client certificate is too weak for OpenSSL ({reason})"
    if isinstance(settings.clientKey, bytes) and b"ENCRYPTED" in settings.clientKey:
        return "the client key cannot be decrypted: keyPassword is missing or wrong"
    what = "client certificate or its key" if settings.clientCertificate is not None else "CA certificates"
    return f"the {what} cannot be read as PEM ({reason})"
