"""Certificates that tests make by hand."""

from __future__ import annotations

import datetime
import ipaddress
from typing import Optional

import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from blocking_request import Certificate

from .servers.tls import EXPIRED, FUTURE


class Issued:
    """A certificate made by hand, with its key."""

    def __init__(
        self,
        name: str,
        issuer: Optional[Issued] = None,
        hosts: tuple[str, ...] = ("127.0.0.1",),
        is_authority: bool = False,
        expired: bool = False,
    ) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(x509.oid.NameOID.COMMON_NAME, name)])
        start = EXPIRED - datetime.timedelta(days=30)
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(subject if issuer is None else issuer.certificate.subject)  # type: ignore[has-type]
            .public_key(self.key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(start)
            .not_valid_after(EXPIRED if expired else FUTURE)
            .add_extension(x509.BasicConstraints(is_authority, None), critical=True)
        )
        if hosts:
            names = [self._general_name(host) for host in hosts]
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        self.certificate = builder.sign(self.key if issuer is None else issuer.key, hashes.SHA256())
        self.pem = self.certificate.public_bytes(serialization.Encoding.PEM)
        self.key_pem = self.key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )

    def _general_name(self, host: str) -> x509.GeneralName:
        try:
            return x509.IPAddress(ipaddress.ip_address(host))
        except ValueError:
            return x509.DNSName(host)

    @property
    def value(self) -> Certificate:
        return Certificate.fromPem(self.pem)[0]

    def leaf(self, *chain: Issued) -> trustme.LeafCert:
        return trustme.LeafCert(self.key_pem, self.pem, [each.pem for each in chain])


def self_signed() -> trustme.LeafCert:
    """Return a certificate that only itself has signed, as servers make them for themselves."""
    return Issued("a box in the cellar").leaf()


def certificate_of(leaf: trustme.LeafCert) -> Certificate:
    return Certificate.fromPem(leaf.cert_chain_pems[0].bytes())[0]
