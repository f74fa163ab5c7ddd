"""TLS on urllib3's wire: contexts for Python's ``ssl``, and what it does not tell of a certificate it refuses.

OpenSSL ends at the first thing that is wrong, and Python tells no more than that. So a refusal is looked into by a
second handshake that accepts everything and sends nothing: the certificates it shows say what else is wrong. Where all
of it is to be ignored, the connection that is used comes from a third handshake, which ignores these errors of this
certificate and nothing more.
"""

from __future__ import annotations

import os
import ssl
import sys
import tempfile
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timezone
from functools import cached_property
from typing import Any, Callable, Optional, Union

import certifi
import urllib3
from urllib3.util import ssl_match_hostname

from .. import messages
from ..certificate import Certificate
from ..errors import Failure
from ..tls import TIME_ERRORS, TRUST_ERRORS, TlsError, TlsErrorKind, TlsSession, TlsSettings, TlsUnusable, sorted_errors

_KINDS = {
    2: TlsErrorKind.UnableToGetIssuerCertificate,
    7: TlsErrorKind.CertificateSignatureFailed,
    9: TlsErrorKind.CertificateNotYetValid,
    10: TlsErrorKind.CertificateExpired,
    18: TlsErrorKind.SelfSignedCertificate,
    19: TlsErrorKind.SelfSignedCertificateInChain,
    20: TlsErrorKind.UnableToGetLocalIssuerCertificate,
    21: TlsErrorKind.UnableToVerifyFirstCertificate,
    23: TlsErrorKind.CertificateRevoked,
    24: TlsErrorKind.InvalidCaCertificate,
    25: TlsErrorKind.PathLengthExceeded,
    26: TlsErrorKind.InvalidPurpose,
    27: TlsErrorKind.CertificateUntrusted,
    28: TlsErrorKind.CertificateRejected,
    62: TlsErrorKind.HostNameMismatch,
    64: TlsErrorKind.HostNameMismatch,
}
"""OpenSSL's X509_V_ERR_*."""

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

_Refusals = (ssl.SSLCertVerificationError, ssl_match_hostname.CertificateError)


class TlsRefused(Exception):
    """The server is not to be talked to; ``session`` has what it showed."""

    def __init__(self, failure: Failure, session: TlsSession) -> None:
        super().__init__(failure.text)
        self.failure = failure
        self.session = session


class Tls:
    """Makes the TLS connections of one pool. Every method may be called from any thread."""

    def __init__(self, settings: TlsSettings) -> None:
        self.settings = settings

    @cached_property
    def context(self) -> ssl.SSLContext:
        """Made when it is first needed, because reading the system's certificates takes 20 ms. Raises TlsUnusable."""
        return _context(self.settings)

    def connect(self, connection: Any, connect: Callable[[], None]) -> None:
        """Have ``connection`` connected, by ``connect``, to a server that may be talked to.

        Raises TlsRefused, and whatever ``connect`` raises.
        """
        try:
            self._handshake(connection, connect, self.context, checks_host=self.settings.verify)
            errors: tuple[TlsError, ...] = ()
        except _Refusals as refusal:
            errors = self._look_into(connection, connect, refusal)
        session = _session(connection.sock, errors)
        if not self.settings.pins(session.certificates[0]):
            connection.sock.close()
            raise TlsRefused(messages.fingerprint_refused(session.certificates[0]), session)
        connection.session = session

    def _handshake(
        self, connection: Any, connect: Callable[[], None], context: ssl.SSLContext, checks_host: bool
    ) -> None:
        connection.ssl_context, connection.cert_reqs = context, context.verify_mode
        connection.assert_hostname = None if checks_host else False
        connect()
        # urllib3 would warn of every request with verify=False, which the caller has chosen.
        connection.is_verified = True

    def _look_into(self, connection: Any, connect: Callable[[], None], refusal: BaseException) -> tuple[TlsError, ...]:
        """What is wrong; returns where all of it is to be ignored, with ``connection`` connected."""
        self._handshake(connection, connect, _context(replace(self.settings, verify=False)), checks_host=False)
        certificates = _certificates(connection.sock)
        connection.sock.close()
        host = connection.server_hostname or getattr(connection, "_tunnel_host", None) or connection.host
        errors = sorted_errors(_errors(refusal, certificates, host))
        if set(errors) <= set(self.settings.ignoredErrors):
            try:
                checks_host = not any(error.kind is TlsErrorKind.HostNameMismatch for error in errors)
                self._handshake(connection, connect, _lenient_context(self.settings, errors), checks_host)
            except _Refusals as another:
                errors = sorted_errors((*errors, *_errors(another, certificates, host)))
            else:
                if _certificates(connection.sock)[0] == certificates[0]:
                    return errors
                connection.sock.close()
        raise TlsRefused(messages.certificate_refused(errors), TlsSession("", "", certificates, errors))


def _context(settings: TlsSettings, by_openssl: bool = False) -> ssl.SSLContext:
    """``by_openssl``: have it verified by OpenSSL, which can be told what to ignore. Raises TlsUnusable."""
    try:
        context = _trusting(settings, by_openssl)
        context.minimum_version = _VERSIONS[settings.minimumVersion or "1.2"]
        if settings.maximumVersion is not None:
            context.minimum_version = min(context.minimum_version, _VERSIONS[settings.maximumVersion])
            context.maximum_version = _VERSIONS[settings.maximumVersion]
        context.check_hostname = settings.verify and _OPENSSL_CHECKS_HOST
        context.verify_mode = ssl.CERT_REQUIRED if settings.verify else ssl.CERT_NONE
        _load_identity(context, settings)
    except (OSError, ValueError) as error:
        raise TlsUnusable(_unusable_text(settings, error)) from error
    return context


def _trusting(settings: TlsSettings, by_openssl: bool) -> ssl.SSLContext:
    trust = settings.trust or ("system" if settings.caFile is None and settings.caData is None else "")
    if trust == "system" and settings.verify:
        context = _openssl_context() if by_openssl or _openssl_knows_the_system() else _truststore_context()
    else:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if trust == "certifi":
        context.load_verify_locations(cafile=certifi.where())
    if settings.caFile is not None:
        context.load_verify_locations(cafile=settings.caFile)
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
    if certificate is None:
        return
    # Without a password OpenSSL would ask for one on the terminal.
    password = settings.keyPassword or ""
    if not isinstance(certificate, bytes) and not isinstance(key, bytes):
        context.load_cert_chain(certificate, key, password)
        return
    # Python reads them from files only.
    descriptor, path = tempfile.mkstemp(suffix=".pem")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(_pem(certificate) + b"\n" + (b"" if key is None else _pem(key)))
        context.load_cert_chain(path, None, password)
    finally:
        os.unlink(path)


def _pem(given: Union[str, os.PathLike[str], bytes]) -> bytes:
    if isinstance(given, bytes):
        return given
    with open(given, "rb") as file:
        return file.read()


def _unusable_text(settings: TlsSettings, error: Exception) -> str:
    name = getattr(error, "filename", None)
    if name is None:
        for path in (settings.caFile, settings.clientCertificate, settings.clientKey):
            if isinstance(path, str) and not os.access(path, os.R_OK):
                name = path
    if name is not None:
        return f"the file {name} cannot be read: {getattr(error, 'strerror', None) or error}"
    reason = str(getattr(error, "reason", None) or error).lower().replace("_", " ")
    if "key values mismatch" in reason:
        return "the client key does not belong to the client certificate"
    if settings.clientCertificate is not None and b"ENCRYPTED" in _pem(
        settings.clientKey or settings.clientCertificate
    ):
        return "the client key cannot be decrypted: keyPassword is missing or wrong"
    what = "the client certificate or its key" if settings.clientCertificate is not None else "the CA certificates"
    return f"{what} cannot be read as PEM ({reason})"


def _lenient_context(settings: TlsSettings, errors: Iterable[TlsError]) -> ssl.SSLContext:
    """A context that ignores these errors of these certificates."""
    context = _context(settings, by_openssl=True)
    for error in errors:
        if error.kind is TlsErrorKind.HostNameMismatch:
            context.check_hostname = False
        elif error.kind in TIME_ERRORS:
            context.verify_flags |= _NO_CHECK_TIME
        elif error.kind in TRUST_ERRORS:
            context.load_verify_locations(cadata=error.certificate.der)
            context.verify_flags |= _PARTIAL_CHAIN
    return context


def _errors(refusal: BaseException, certificates: tuple[Certificate, ...], host: str) -> list[TlsError]:
    """All that is wrong: what OpenSSL has named, and what the certificates tell by themselves."""
    own = certificates[0]
    now = datetime.now(timezone.utc)
    errors = []
    for certificate in certificates:
        begins, ends = certificate.effectiveDate(), certificate.expiryDate()
        if begins is not None and now < begins:
            errors.append(TlsError(TlsErrorKind.CertificateNotYetValid, certificate, host))
        if ends is not None and now > ends:
            errors.append(TlsError(TlsErrorKind.CertificateExpired, certificate, host))
    if not _is_for(own, host):
        errors.append(TlsError(TlsErrorKind.HostNameMismatch, own, host))
    kind = _KINDS.get(getattr(refusal, "verify_code", 62), TlsErrorKind.UnspecifiedError)
    if not any(error.kind is kind for error in errors):
        errors.append(TlsError(kind, own, host))
    return errors


def _is_for(certificate: Certificate, host: str) -> bool:
    names = tuple(("IP Address" if _is_address(name) else "DNS", name) for name in certificate.names())
    try:
        ssl_match_hostname.match_hostname({"subjectAltName": names or (("DNS", ""),)}, host)
    except ssl_match_hostname.CertificateError:
        return False
    return True


def _is_address(name: str) -> bool:
    return ":" in name or name.replace(".", "").isdigit()


def _session(sock: Any, errors: tuple[TlsError, ...]) -> TlsSession:
    cipher = sock.cipher()
    return TlsSession(sock.version() or "", cipher[0] if cipher else "", _certificates(sock), errors)


def _certificates(sock: Any) -> tuple[Certificate, ...]:
    """As the server sent them. Python has them all since 3.13, and since 3.10 in its own house."""
    own = Certificate(sock.getpeercert(True) or b"")
    for holder in (sock, getattr(sock, "_sslobj", None)):
        get_chain: Optional[Callable[[], Any]] = getattr(holder, "get_unverified_chain", None)
        if get_chain is not None:
            chain = tuple(_certificate(entry) for entry in get_chain() or ())
            return chain if chain[:1] == (own,) else (own,)
    return (own,)


def _certificate(entry: Any) -> Certificate:
    """``entry``: bytes, or Python's own object for a certificate."""
    return Certificate(entry if isinstance(entry, bytes) else ssl.PEM_cert_to_DER_cert(entry.public_bytes()))
