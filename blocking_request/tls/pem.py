"""Reads the files of TlsSettings, PEM and PKCS#12, with the same messages on both engines."""

from __future__ import annotations

import re
from dataclasses import replace

from .._first_use import first_use
from ..models.tls import PathOrPem, TlsSettings, TlsUnusable
from .pkcs12 import client_certificate, pkcs12_bytes

_CERTIFICATE = re.compile(rb"-----BEGIN (?:TRUSTED |X509 )?CERTIFICATE-----.+?-----END [A-Z0-9 ]+-----", re.DOTALL)
_KEY = re.compile(rb"-----BEGIN [A-Z ]*PRIVATE KEY-----.+?-----END [A-Z ]+-----", re.DOTALL)


def loaded(settings: TlsSettings) -> TlsSettings:
    """The settings with PEM in the place of every path, and of certifi. Raises TlsUnusable."""
    authorities = [settings.caData] if settings.caData is not None else []
    if settings.caFile is not None:
        authorities.append(_read(settings.caFile))
    if settings.trust == "certifi":
        with first_use:
            import certifi
        authorities.append(_read(certifi.where()))
    ca_data = None
    if authorities:
        blocks = [block for pem in authorities for block in _blocks(_CERTIFICATE, pem, "CA certificates")]
        # Any text may be between the blocks, for example names in any coding.
        ca_data = b"\n".join(blocks) + b"\n"
    settings = replace(settings, caFile=None, caData=ca_data, trust="system" if settings.trust == "system" else None)
    return (
        settings
        if settings.clientCertificate is None
        else _with_client_certificate(settings, settings.clientCertificate)
    )


def _with_client_certificate(settings: TlsSettings, source: PathOrPem) -> TlsSettings:
    """Return the settings with the PEM of the client's certificate and key."""
    pem = _read(source)
    pkcs12 = pkcs12_bytes(pem)
    if pkcs12 is not None:
        if settings.clientKey is not None:
            raise TlsUnusable("the client certificate is a PKCS#12 file, which contains its key: leave clientKey out")
        found = client_certificate(pkcs12, settings.keyPassword)
        return replace(settings, clientCertificate=found.certificates, clientKey=found.key, keyPassword=found.password)
    key_pem = pem if settings.clientKey is None else _read(settings.clientKey)
    chain = _CERTIFICATE.findall(pem)
    if not chain:
        raise TlsUnusable("the client certificate cannot be read as PEM or PKCS#12: the file contains neither")
    keys = _blocks(_KEY, key_pem, "client certificate's key")
    return replace(settings, clientCertificate=b"\n".join(chain) + b"\n", clientKey=keys[0] + b"\n")


def _blocks(pattern: re.Pattern[bytes], pem: bytes, what: str) -> list[bytes]:
    blocks = pattern.findall(pem)
    if not blocks:
        raise TlsUnusable(f"the {what} cannot be read as PEM: the text contains no PEM block")
    return blocks


def _read(source: PathOrPem) -> bytes:
    if isinstance(source, bytes):
        return source
    try:
        with open(source, "rb") as file:
            return file.read()
    except (OSError, ValueError) as error:
        raise TlsUnusable(f"the file {source!s} cannot be read: {getattr(error, 'strerror', None) or error}") from error
