"""Certificate: one X.509 certificate as a value, readable without Qt.

A message about a refused certificate must name its fields. But Python's ``ssl`` reads only certificates that it has
verified, and a Qt without TLS reads none. So this module reads the few fields that messages need from the DER (X.690)
of RFC 5280. No library that QGIS ships does it.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple, Optional

from .._first_use import first_use
from .._names import public

if TYPE_CHECKING:
    from datetime import datetime

_PEM = re.compile(rb"-----BEGIN CERTIFICATE-----([^-]+)-----END CERTIFICATE-----")


@public
@dataclass(frozen=True)
class Certificate:
    """An X.509 certificate; two are equal when their bytes are. May be used from any thread, copied and pickled."""

    der: bytes = field(repr=False)

    @classmethod
    def fromPem(cls, pem: bytes) -> tuple[Certificate, ...]:
        """Return every certificate in a PEM text (RFC 7468). Raises ValueError if one of them is damaged."""
        return tuple(cls(base64.b64decode(body)) for body in _PEM.findall(pem))

    def toPem(self) -> str:
        """The certificate as PEM text."""
        with first_use:
            import ssl
        return ssl.DER_cert_to_PEM_cert(self.der)

    def fingerprint(self) -> str:
        """``sha256:`` and the digest of the certificate in hex, as ``TlsSettings.pinnedFingerprints`` takes it."""
        with first_use:
            import hashlib
        return f"sha256:{hashlib.sha256(self.der).hexdigest()}"

    def subject(self) -> str:
        """Return the owner: the common name, else the first alternative name, else the organisation, else ''."""
        fields = self._fields
        return fields.subject[0] or (fields.names[0] if fields.names else fields.subject[1])

    def issuer(self) -> str:
        """Return the issuer: the common name, else the organisation, else ''."""
        return self._fields.issuer[0] or self._fields.issuer[1]

    def names(self) -> tuple[str, ...]:
        """The host names and addresses it is for (RFC 5280 section 4.2.1.6)."""
        return self._fields.names

    def isIssuedBy(self, other: Certificate) -> bool:
        """Whether the other one names itself as this one names its issuer; its signature is not looked at."""
        issuer = self._fields.names_as_they_are[1]
        return bool(issuer) and issuer == other._fields.names_as_they_are[0]

    def effectiveDate(self) -> Optional[datetime]:
        """Return the moment from which it is valid, in UTC; None if it cannot be read."""
        return self._fields.not_before

    def expiryDate(self) -> Optional[datetime]:
        """Return the moment until which it is valid, in UTC; None if it cannot be read."""
        return self._fields.not_after

    @cached_property
    def _fields(self) -> _Fields:
        try:
            return _read(self.der)
        except (ValueError, IndexError, StopIteration, RuntimeError):  # a StopIteration within a generator
            return _Fields()

    def __repr__(self) -> str:
        return f"<Certificate {self.subject()!r} {self.fingerprint()[:18]}>"

    def __reduce__(self) -> tuple[type[Certificate], tuple[bytes]]:
        return Certificate, (self.der,)


class _Fields(NamedTuple):
    subject: tuple[str, str] = ("", "")
    """Common name and organisation."""
    issuer: tuple[str, str] = ("", "")
    names: tuple[str, ...] = ()
    names_as_they_are: tuple[bytes, bytes] = (b"", b"")
    """The DER of subject and issuer."""
    not_before: Optional[datetime] = None
    not_after: Optional[datetime] = None


_COMMON_NAME = b"\x55\x04\x03"
_ORGANISATION = b"\x55\x04\x0a"
_ALTERNATIVE_NAMES = b"\x55\x1d\x11"
_VERSION_TAG, _EXTENSIONS_TAG = 0xA0, 0xA3
_UTC_TIME, _BMP_STRING = 0x17, 0x1E
_DNS_NAME, _IP_ADDRESS = 0x82, 0x87


def _read(der: bytes) -> _Fields:
    """The fields of a Certificate (RFC 5280 section 4.1)."""
    to_be_signed = next(_elements(next(_elements(der))[1]))[1]
    elements = [element for element in _elements(to_be_signed) if element[0] != _VERSION_TAG]
    _, _, (_, issuer), (_, validity), (_, subject) = elements[:5]
    not_before, not_after = (_time(*element) for element in _elements(validity))
    extensions = next((content for tag, content in elements[5:] if tag == _EXTENSIONS_TAG), b"")
    names = tuple(_alternative_names(extensions))
    return _Fields(_name(subject), _name(issuer), names, (subject, issuer), not_before, not_after)


def _elements(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Tag and content of each element (X.690 section 8.1)."""
    position = 0
    while position < len(data):
        tag, length = data[position], data[position + 1]
        position += 2
        if length & 0x80:
            octets = length & 0x7F
            length = int.from_bytes(data[position : position + octets], "big")
            position += octets
        if position + length > len(data):
            raise ValueError("an element is longer than what holds it")
        yield tag, data[position : position + length]
        position += length


def _name(name: bytes) -> tuple[str, str]:
    names: dict[bytes, str] = {}
    for _, relative in _elements(name):
        for _, pair in _elements(relative):
            (_, kind), (tag, value) = _elements(pair)
            names.setdefault(kind, value.decode("utf-16-be" if tag == _BMP_STRING else "utf-8", "replace"))
    return names.get(_COMMON_NAME, ""), names.get(_ORGANISATION, "")


def _time(tag: int, value: bytes) -> datetime:
    text = value.decode("ascii")
    if tag == _UTC_TIME:
        # RFC 5280 section 4.1.2.5.1: two digits mean 1950 to 2049.
        text = ("19" if int(text[:2]) >= 50 else "20") + text
    with first_use:
        from datetime import datetime, timezone
    return datetime.strptime(text, "%Y%m%d%H%M%SZ").replace(tzinfo=timezone.utc)


def _alternative_names(extensions: bytes) -> Iterator[str]:
    for _, sequence in _elements(extensions):
        for _, extension in _elements(sequence):
            parts = list(_elements(extension))
            if parts[0][1] != _ALTERNATIVE_NAMES:
                continue
            for tag, value in _elements(next(_elements(parts[-1][1]))[1]):
                if tag == _DNS_NAME:
                    yield value.decode("ascii", "replace")
                elif tag == _IP_ADDRESS:
                    with first_use:
                        import ipaddress
                    yield str(ipaddress.ip_address(value))
