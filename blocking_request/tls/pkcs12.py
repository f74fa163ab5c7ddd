"""Reads client certificates from PKCS#12 files (RFC 7292; ``.p12``, ``.pfx``), with the package ``cryptography``."""

from __future__ import annotations

import base64
import binascii
import re
from typing import TYPE_CHECKING, Any, NamedTuple, Optional

from .._first_use import first_use
from ..models.redaction import hidden_repr
from ..models.tls import TlsUnusable

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

_BEGINNING = re.compile(rb"0(?:[\x00-\x80]|\x81.|\x82..|\x83...|\x84....)\x02\x01\x03", re.DOTALL)
"""A SEQUENCE that begins with the version, which is 3 (RFC 7292 section 4)."""

_ARMORED = re.compile(rb"-----BEGIN PKCS12-----(.+?)-----END PKCS12-----", re.DOTALL)
"""As GnuTLS writes it, and an AuthConfig, whose certificate is text."""

_PASSWORD_BYTES = 24


class ClientCertificate(NamedTuple):
    """A certificate with its chain, and its key, which is encrypted: Python reads it from a file only."""

    certificates: bytes
    key: bytes
    password: str
    """The password of ``key``. It is random, and not that of the PKCS#12 file."""

    def __repr__(self) -> str:
        return hidden_repr(self)


def pkcs12_bytes(data: bytes) -> Optional[bytes]:
    """Return the PKCS#12 in the content of a file, or None if there is none."""
    armored = _ARMORED.search(data)
    if armored is not None:
        try:
            data = base64.b64decode(armored[1])
        except binascii.Error:
            return None
    return data if _BEGINNING.match(data) else None


def client_certificate(data: bytes, password: Optional[str]) -> ClientCertificate:
    """Return the client certificate of a PKCS#12. Raises TlsUnusable."""
    try:
        with first_use:
            from cryptography.exceptions import UnsupportedAlgorithm
            from cryptography.hazmat.primitives import serialization
            from cryptography.hazmat.primitives.serialization import pkcs12
    except ImportError:
        raise TlsUnusable(
            "the client certificate is a PKCS#12 file, which needs the package cryptography: "
            "python3 -m pip install 'blocking-request[pkcs12]'"
        ) from None
    try:
        key, own, others = pkcs12.load_key_and_certificates(data, _password(password))
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise TlsUnusable(_problem(error)) from None
    if key is None:
        raise TlsUnusable("the PKCS#12 file contains no private key: export it again together with its key")
    if own is None:
        own = _certificate_of(key, others)
    if own is None:
        raise TlsUnusable("the PKCS#12 file contains no certificate for its private key")
    with first_use:
        import secrets
    key_password = secrets.token_urlsafe(_PASSWORD_BYTES)
    return ClientCertificate(
        certificates=b"".join(each.public_bytes(serialization.Encoding.PEM) for each in _chain(own, others)),
        key=key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(key_password.encode()),
        ),
        password=key_password,
    )


def _password(password: Optional[str]) -> Optional[bytes]:
    return password.encode("utf-8", "replace") if password else None


def _problem(error: Exception) -> str:
    if "password" in str(error).lower():
        return "the PKCS#12 file cannot be decrypted: keyPassword is missing or wrong, or the file is damaged"
    if isinstance(error, ValueError):
        return "the PKCS#12 file cannot be read: it is damaged or cut off"
    return f"the PKCS#12 file cannot be read: {error}"


def _certificate_of(key: Any, certificates: list[Certificate]) -> Optional[Certificate]:
    """Return the certificate that belongs to a key, if the file does not say which one does."""
    public_key = key.public_key()
    return next((each for each in certificates if each.public_key() == public_key), None)


def _chain(own: Certificate, others: list[Certificate]) -> list[Certificate]:
    """Return a certificate and its issuers, in the order of TLS (RFC 8446 section 4.4.2). The file has any order."""
    chain = [own]
    while True:
        of_name = [each for each in others if each.subject == chain[-1].issuer and each not in chain]
        if not of_name:
            return chain
        # An authority that has changed its key has two certificates of the same name.
        chain.append(next((each for each in of_name if _has_issued(each, chain[-1])), of_name[0]))


def _has_issued(issuer: Certificate, certificate: Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(issuer)
    except Exception:  # also for an algorithm that it does not know; the versions before 40 have no such method
        return False
    return True
