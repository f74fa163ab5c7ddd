"""Finds all errors of a server's certificates.

OpenSSL stops at the first error, and Python reports only that one. The other errors are found in the certificates.
"""

from __future__ import annotations

import ipaddress
import ssl
from datetime import datetime, timezone
from typing import NamedTuple

from ...models.certificate import Certificate
from ...models.tls import TIME_ERRORS, TlsError, TlsErrorKind

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


class Refusal(NamedTuple):
    """The first error, as Python reports it. The exception itself would keep its frames alive."""

    code: int
    words: str


def refusal_of(error: ssl.SSLCertVerificationError) -> Refusal:
    """Return the error of an exception."""
    return Refusal(getattr(error, "verify_code", 0), getattr(error, "verify_message", None) or str(error))


def errors_of(refusal: Refusal, certificates: tuple[Certificate, ...], host: str) -> list[TlsError]:
    """Return the error that OpenSSL has reported, and the other errors of the certificates."""
    own = certificates[0]
    errors = outdated(_path(certificates), host)
    if not _is_for(own, host):
        errors.append(TlsError(TlsErrorKind.HostNameMismatch, own, host))
    kind = _KINDS.get(refusal.code, TlsErrorKind.UnspecifiedError)
    if kind in TIME_ERRORS:
        if not any(error.kind is kind for error in errors):
            # The error is in a certificate that the server has not sent: the root, which cannot be trusted then.
            errors.append(TlsError(TlsErrorKind.UnableToGetLocalIssuerCertificate, own, host))
    elif not any(error.kind is kind for error in errors):
        errors.append(TlsError(kind, own, host))
    return errors


def outdated(certificates: tuple[Certificate, ...], host: str) -> list[TlsError]:
    """Return an error for each certificate that is not valid at this moment."""
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
    """Return the certificates that lead from the server's own to its root: servers send others, too."""
    path = [certificates[0]]
    while True:
        issuers = [each for each in certificates if each not in path and path[-1].isIssuedBy(each)]
        if not issuers or path[-1].isIssuedBy(path[-1]):
            return tuple(path)
        path.append(issuers[0])


def _is_for(certificate: Certificate, host: str) -> bool:
    """RFC 6125 section 6.4; a certificate without alternative names is for its common name, as it is for Qt."""
    names = certificate.names() or ((certificate.subject(),) if not is_address(host) else ())
    if is_address(host):
        return any(is_address(name) and ipaddress.ip_address(name) == ipaddress.ip_address(host) for name in names)
    labels = host.rstrip(".").lower().split(".")
    return any(_matches(name.lower().split("."), labels) for name in names)


def _matches(pattern: list[str], labels: list[str]) -> bool:
    return pattern == labels or (pattern[0] == "*" and len(pattern) > 2 and pattern[1:] == labels[1:])


def is_address(name: str) -> bool:
    """Return whether a host is an IP address."""
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
