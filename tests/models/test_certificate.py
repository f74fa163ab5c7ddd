"""Certificates as values, valid and damaged ones."""

from __future__ import annotations

import pickle
import random
import ssl
from datetime import timezone

import pytest
import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from blocking_request import Certificate

from ..support.servers.tls import EXPIRED, FUTURE


def certificate_of(leaf: trustme.LeafCert) -> Certificate:
    return Certificate.fromPem(leaf.cert_chain_pems[0].bytes())[0]


def test_fields() -> None:
    authority = trustme.CA(organization_name="Ünder")
    leaf = authority.issue_cert("a.test", "*.b.test", "192.0.2.1", "2001:db8::1", not_before=EXPIRED, not_after=FUTURE)
    certificate = certificate_of(leaf)
    assert certificate.names() == ("a.test", "*.b.test", "192.0.2.1", "2001:db8::1")
    assert certificate.issuer() == "Ünder"
    assert certificate.subject() == "a.test"
    assert certificate.effectiveDate() == EXPIRED
    assert certificate.expiryDate() == FUTURE.replace(microsecond=0)
    named = certificate_of(authority.issue_cert("a.test", common_name="A name"))
    assert named.subject() == "A name"


def test_equality_pickle_and_repr() -> None:
    first, second = (Certificate(b"bytes") for _ in range(2))
    assert first == second and hash(first) == hash(second) and first != Certificate(b"other")
    assert pickle.loads(pickle.dumps(first)) == first
    leaf = certificate_of(trustme.CA().issue_cert("a.test"))
    again = Certificate.fromPem(leaf.toPem().encode())
    assert again == (leaf,)
    assert repr(leaf).startswith("<Certificate 'a.test' sha256:")
    assert len(leaf.fingerprint()) == len("sha256:") + 64
    with pytest.raises(AttributeError):
        first.der = b""  # type: ignore[misc]
    assert Certificate.fromPem(b"no certificate in it") == ()


def test_certificates_of_the_system() -> None:
    """Certificates of many authorities: the dates are those that cryptography reads."""
    ders = ssl.create_default_context().get_ca_certs(True)
    for der in ders:
        certificate, known = Certificate(der), x509.load_der_x509_certificate(der)
        assert certificate.subject() and certificate.issuer()
        ends = known.not_valid_after_utc if hasattr(known, "not_valid_after_utc") else known.not_valid_after
        assert certificate.expiryDate() == ends.replace(tzinfo=timezone.utc)


@pytest.mark.parametrize(
    "der", [b"", b"0", b"\x30\x80", b"\x30\x84\xff\xff\xff\xff", b"\x30\x03\x30\x01\x30", b"x" * 100]
)
def test_invalid_der_has_no_fields(der: bytes) -> None:
    certificate = Certificate(der)
    assert (certificate.subject(), certificate.issuer(), certificate.names()) == ("", "", ())
    assert certificate.expiryDate() is None and certificate.effectiveDate() is None
    assert repr(certificate)


def test_empty_subject_alternative_name() -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.oid.NameOID.COMMON_NAME, "no names")])
    der = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(EXPIRED)
        .not_valid_after(FUTURE)
        .add_extension(x509.UnrecognizedExtension(x509.oid.ExtensionOID.SUBJECT_ALTERNATIVE_NAME, b""), False)
        .sign(key, hashes.SHA256())
        .public_bytes(serialization.Encoding.DER)
    )
    assert Certificate(der).names() == ()


def test_damaged_certificates_raise_no_exception() -> None:
    good = certificate_of(trustme.CA().issue_cert("a.test", "192.0.2.1")).der
    chance = random.Random(3)
    for _ in range(3000):
        damaged = bytearray(good)
        for _ in range(chance.randint(1, 4)):
            damaged[chance.randrange(len(damaged))] = chance.randrange(256)
        certificate = Certificate(
            bytes(damaged[: chance.randint(1, len(damaged))] if chance.random() < 0.3 else damaged)
        )
        certificate.subject(), certificate.issuer(), certificate.names(), certificate.expiryDate(), repr(certificate)


def test_pem_and_der_agree_with_cryptography() -> None:
    leaf = trustme.CA().issue_cert("a.test")
    known = x509.load_pem_x509_certificate(leaf.cert_chain_pems[0].bytes())
    assert certificate_of(leaf).der == known.public_bytes(serialization.Encoding.DER)
