"""TLS on urllib3's engine, and what Python's ``ssl`` does not tell of a certificate that it refuses.

OpenSSL ends at the first thing that is wrong, and Python tells no more than that. So a refusal is looked into by a
second handshake, without our own certificate, that accepts everything and sends nothing: the certificates it shows say
what else is wrong. Where all of it is to be ignored, the connection that is used comes from a third handshake, which
ignores these errors of this certificate and nothing more.
"""

from __future__ import annotations

import ipaddress
import ssl
from datetime import datetime, timezone
from functools import cached_property
from typing import Any, Callable, Optional

from urllib3.util import ssl_match_hostname

from ...models import error_texts as messages
from ...models.certificate import Certificate
from ...models.failure import Failure
from ...models.tls import (
    TIME_ERRORS,
    TlsError,
    TlsErrorKind,
    TlsSession,
    TlsSettings,
    ignores_errors,
    matches_pins,
    sorted_errors,
)
from ...tls.pem import loaded
from .context import context_for, lenient_context

PATIENCE = 2.0
"""Seconds that looking into a refusal may wait for the server, each time."""

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
    24: TlsErrorKind.InvalidCaCertificate,  # in OpenSSL 1.1
    25: TlsErrorKind.PathLengthExceeded,
    26: TlsErrorKind.InvalidPurpose,
    27: TlsErrorKind.CertificateUntrusted,
    28: TlsErrorKind.CertificateRejected,
    62: TlsErrorKind.HostNameMismatch,
    64: TlsErrorKind.HostNameMismatch,
    79: TlsErrorKind.InvalidCaCertificate,
}
"""OpenSSL's X509_V_ERR_*."""

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
    def _loaded(self) -> TlsSettings:
        """With every file read, once. Raises TlsUnusable."""
        return loaded(self.settings)

    @cached_property
    def context(self) -> ssl.SSLContext:
        """Made when it is first needed, because reading the system's certificates takes 20 ms. Raises TlsUnusable."""
        return context_for(self._loaded)

    @cached_property
    def _inquiring_context(self) -> ssl.SSLContext:
        settings = self.settings
        return context_for(
            TlsSettings(verify=False, minimumVersion=settings.minimumVersion, maximumVersion=settings.maximumVersion)
        )

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
        if not matches_pins(self.settings, session.certificates[0]):
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

    def _look_into(self, connection: Any, connect: Callable[[], None], refusal: Exception) -> tuple[TlsError, ...]:
        """What is wrong; returns where all of it is to be ignored, with ``connection`` connected."""
        certificates = self._inquire(connection, connect, refusal)
        host = connection.server_hostname or getattr(connection, "_tunnel_host", None) or connection.host
        errors = sorted_errors(_errors(refusal, certificates, host))
        if ignores_errors(self.settings, errors):
            checks_host = not any(error.kind is TlsErrorKind.HostNameMismatch for error in errors)
            try:
                self._handshake(connection, connect, lenient_context(self._loaded, errors), checks_host)
            except _Refusals as another:
                errors = sorted_errors((*errors, *_errors(another, certificates, host)))
            else:
                # Its times were not looked at: what was verified must be what is known.
                outdated = _outdated(_verified(connection.sock), host)
                if _certificates(connection.sock)[0] == certificates[0] and ignores_errors(self.settings, outdated):
                    return errors
                errors = sorted_errors((*errors, *outdated))
                connection.sock.close()
        raise TlsRefused(messages.certificate_refused(errors), TlsSession("", "", certificates, errors))

    def _inquire(self, connection: Any, connect: Callable[[], None], refusal: Exception) -> tuple[Certificate, ...]:
        """What the server shows. Raises TlsRefused with what ``refusal`` says where it shows nothing more."""
        connection.patience = PATIENCE
        try:
            self._handshake(connection, connect, self._inquiring_context, checks_host=False)
            certificates = _certificates(connection.sock)
            connection.sock.close()
        except Exception:
            words = getattr(refusal, "verify_message", None) or str(refusal)
            raise TlsRefused(messages.certificate_refused_by(words), TlsSession()) from refusal
        finally:
            connection.patience = None
        return certificates


def _errors(refusal: Exception, certificates: tuple[Certificate, ...], host: str) -> list[TlsError]:
    """All that is wrong: what OpenSSL has named, and what the certificates tell by themselves."""
    own = certificates[0]
    errors = _outdated(_path(certificates), host)
    if not _is_for(own, host):
        errors.append(TlsError(TlsErrorKind.HostNameMismatch, own, host))
    kind = _KINDS.get(getattr(refusal, "verify_code", 62), TlsErrorKind.UnspecifiedError)
    if kind in TIME_ERRORS:
        if not any(error.kind is kind for error in errors):
            # It is said of one that the server does not send: the root, which therefore vouches for nothing.
            errors.append(TlsError(TlsErrorKind.UnableToGetLocalIssuerCertificate, own, host))
    elif not any(error.kind is kind for error in errors):
        errors.append(TlsError(kind, own, host))
    return errors


def _outdated(certificates: tuple[Certificate, ...], host: str) -> list[TlsError]:
    now = datetime.now(timezone.utc)
    errors = []
    for certificate in certificates:
        begins, ends = certificate.effectiveDate(), certificate.expiryDate()
        if begins is not None and now < begins:
            errors.append(TlsError(TlsErrorKind.CertificateNotYetValid, certificate, host))
        if ends is not None and now > ends:
            errors.append(TlsError(TlsErrorKind.CertificateExpired, certificate, host))
    return errors


def _path(certificates: tuple[Certificate, ...]) -> tuple[Certificate, ...]:
    """Those of the certificates that lead from the server's own to its root; servers send others, too."""
    path = [certificates[0]]
    while True:
        issuers = [each for each in certificates if each not in path and path[-1].isIssuedBy(each)]
        if not issuers or path[-1].isIssuedBy(path[-1]):
            return tuple(path)
        path.append(issuers[0])


def _is_for(certificate: Certificate, host: str) -> bool:
    """RFC 6125 section 6.4; a certificate without alternative names is for its common name, as it is for Qt."""
    names = certificate.names() or ((certificate.subject(),) if not _is_address(host) else ())
    if _is_address(host):
        return any(_is_address(name) and ipaddress.ip_address(name) == ipaddress.ip_address(host) for name in names)
    wanted = host.rstrip(".").lower().split(".")
    for name in names:
        labels = name.lower().split(".")
        if labels == wanted or (labels[0] == "*" and len(labels) > 2 and labels[1:] == wanted[1:]):
            return True
    return False


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _session(sock: Any, errors: tuple[TlsError, ...]) -> TlsSession:
    cipher = sock.cipher()
    return TlsSession(sock.version() or "", cipher[0] if cipher else "", _certificates(sock), errors)


def _certificates(sock: Any) -> tuple[Certificate, ...]:
    """As the server sent them."""
    own = Certificate(sock.getpeercert(True) or b"")
    chain = _chain(sock, "get_unverified_chain")
    return chain if chain[:1] == (own,) else (own,)


def _verified(sock: Any) -> tuple[Certificate, ...]:
    """Those that were verified, the root included."""
    return _chain(sock, "get_verified_chain") or _certificates(sock)


def _chain(sock: Any, name: str) -> tuple[Certificate, ...]:
    """Python has them since 3.13, and since 3.10 in its own house."""
    for holder in (sock, getattr(sock, "_sslobj", None)):
        get_chain: Optional[Callable[[], Any]] = getattr(holder, name, None)
        if get_chain is not None:
            return tuple(_certificate(entry) for entry in get_chain() or ())
    return ()


def _certificate(entry: Any) -> Certificate:
    """``entry``: bytes, or Python's own object for a certificate."""
    return Certificate(entry if isinstance(entry, bytes) else ssl.PEM_cert_to_DER_cert(entry.public_bytes()))
