"""Contexts for Python's ``ssl``, made of TlsSettings whose files have been read."""

from __future__ import annotations

import os
import ssl
import sys
import tempfile
from collections.abc import Iterable

import certifi
import urllib3

from ...models.tls import TIME_ERRORS, TRUST_ERRORS, TlsError, TlsErrorKind, TlsSettings, TlsUnusable

_NO_CHECK_TIME = 0x200000
_PARTIAL_CHAIN = 0x80000
"""OpenSSL's X509_V_FLAG_*, which Python 3.9 does not name."""

_VERSIONS = {
    "1.0": ssl.TLSVersion.TLSv1,
    "1.1": ssl.TLSVersion.TLSv1_1,
    "1.2": ssl.TLSVersion.TLSv1_2,
    "1.3": ssl.TLSVersion.TLSv1_3,
}

_OPENSSL_CHECKS_HOST = not urllib3.__version__.startswith("1.")  # type: ignore[attr-defined]
"""urllib3 1.26 does not tell OpenSSL a host that is an address, and looks itself whom a certificate is for."""


def context_for(settings: TlsSettings, by_openssl: bool = False) -> ssl.SSLContext:
    """``by_openssl``: have certificates verified by OpenSSL, which can be told what to ignore. Raises TlsUnusable."""
    try:
        context = _trusting(settings, by_openssl)
        context.minimum_version = _VERSIONS[settings.minimumVersion or min("1.2", settings.maximumVersion or "1.2")]
        if settings.maximumVersion is not None:
            context.maximum_version = _VERSIONS[settings.maximumVersion]
        context.check_hostname = settings.verify and _OPENSSL_CHECKS_HOST
        context.verify_mode = ssl.CERT_REQUIRED if settings.verify else ssl.CERT_NONE
        _load_identity(context, settings)
    except (OSError, ValueError) as error:
        raise TlsUnusable(_unusable_text(settings, error)) from error
    return context


def lenient_context(settings: TlsSettings, errors: Iterable[TlsError]) -> ssl.SSLContext:
    """A context that ignores these errors of these certificates. Raises TlsUnusable."""
    context = context_for(settings, by_openssl=True)
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
    """Whether OpenSSL finds what the operating system trusts: on Linux, as a rule, and nowhere else."""
    paths = ssl.get_default_verify_paths()
    return sys.platform not in ("darwin", "win32") and (paths.cafile is not None or paths.capath is not None)


def _truststore_context() -> ssl.SSLContext:
    """Has the operating system verify, where the package truststore is installed.

    It reads the system's certificates for every connection: 20 ms on Linux, where we do without.
    """
    try:
        import truststore
    except ImportError:
        return _openssl_context()
    context: ssl.SSLContext = truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    return context


def _openssl_context() -> ssl.SSLContext:
    """Trusts what OpenSSL finds of the system's, and certifi's where it finds nothing."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_default_certs()
    if not context.cert_store_stats()["x509_ca"] and ssl.get_default_verify_paths().capath is None:
        context.load_verify_locations(cafile=certifi.where())
    return context


def _load_identity(context: ssl.SSLContext, settings: TlsSettings) -> None:
    certificate, key = settings.clientCertificate, settings.clientKey
    if not isinstance(certificate, bytes) or not isinstance(key, bytes):
        return
    # Python reads them from a file only.
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
    if isinstance(settings.clientKey, bytes) and b"ENCRYPTED" in settings.clientKey:
        return "the client key cannot be decrypted: keyPassword is missing or wrong"
    what = "client certificate or its key" if settings.clientCertificate is not None else "CA certificates"
    return f"the {what} cannot be read as PEM ({reason})"
