"""Reads the files of TlsSettings, with the same messages on both engines."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Optional

from .._first_use import first_use
from ..models.tls import PathOrPem, TlsSettings, TlsUnusable

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
    certificate, key = _client_certificate_and_key(settings)
    return replace(
        settings,
        caFile=None,
        caData=ca_data,
        trust="system" if settings.trust == "system" else None,
        clientCertificate=certificate,
        clientKey=key,
    )


def _client_certificate_and_key(settings: TlsSettings) -> tuple[Optional[bytes], Optional[bytes]]:
    if settings.clientCertificate is None:
        return None, None
    pem = _read(settings.clientCertificate)
    key_pem = pem if settings.clientKey is None else _read(settings.clientKey)
    chain = _blocks(_CERTIFICATE, pem, "client certificate")
    keys = _blocks(_KEY, key_pem, "client certificate's key")
    return b"\n".join(chain) + b"\n", keys[0] + b"\n"


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
