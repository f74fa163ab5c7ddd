"""Client certificates from PKCS#12 files, on each engine that has TLS, with servers that require one."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, Callable, Optional

import pytest
import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import pkcs12

from blocking_request import AuthConfig, BlockingNetworkRequest, NetworkAccessManager, TlsSettings
from blocking_request.models.tls import TlsUnusable
from blocking_request.tls.pem import loaded
from blocking_request.tls.pkcs12 import client_certificate, pkcs12_bytes

from ..support.names import NET, OK, ROOT
from ..support.servers.tls import FUTURE, NOW, Start, TlsServer, redirecting

PASSWORD = "hunter2 \u00e4"


@pytest.fixture(scope="module")
def root() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def authority(root: trustme.CA) -> trustme.CA:
    """An authority whose own certificate the servers do not have: it must be sent."""
    return root.create_child_ca()


@pytest.fixture(scope="module")
def leaf(authority: trustme.CA) -> trustme.LeafCert:
    return authority.issue_cert("me@home.test")


Get = Callable[..., BlockingNetworkRequest]


@pytest.fixture
def get(engine: str, root: trustme.CA) -> Get:
    """Send a request with a client certificate, and return it."""

    def send(url: str, certificate: Any, password: Optional[str] = PASSWORD, **more: Any) -> BlockingNetworkRequest:
        manager = NetworkAccessManager()
        ca_data = root.cert_pem.bytes()
        manager.setTlsSettings(TlsSettings(caData=ca_data, clientCertificate=certificate, keyPassword=password, **more))
        request = BlockingNetworkRequest(manager)
        request.setTimeout(10_000)
        request.setEngine(engine)
        request.get(url)
        return request

    return send


@pytest.fixture
def server(root: trustme.CA, start: Start) -> TlsServer:
    return start(root.issue_cert("127.0.0.1"), trusts=root, requires=True)


def packed(
    leaf: trustme.LeafCert,
    password: Optional[str] = PASSWORD,
    *,
    key: bool = True,
    certificate: bool = True,
    chain: bool = True,
    encryption: Optional[serialization.KeySerializationEncryption] = None,
) -> bytes:
    """Return a PKCS#12 with the parts of a certificate of trustme."""
    own, *others = (x509.load_pem_x509_certificate(pem.bytes()) for pem in leaf.cert_chain_pems)
    if encryption is None:
        encryption = serialization.NoEncryption()
        if password is not None:
            encryption = serialization.BestAvailableEncryption(password.encode())
    return pkcs12.serialize_key_and_certificates(
        b"me",
        serialization.load_pem_private_key(leaf.private_key_pem.bytes(), None) if key else None,  # type: ignore[arg-type]
        own if certificate else None,
        others[::-1] if chain else None,
        encryption,
    )


def text_of(request: BlockingNetworkRequest) -> str:
    """Return the reason of a failed request, without the words before it and the URL."""
    assert request.reply().errorCode() is NET
    return request.errorMessage().partition(": ")[2].rpartition(" (")[0]


# -- what is sent


@pytest.mark.parametrize("source", ["path", "str", "bytes", "armored"])
def test_client_certificate(source: str, get: Get, server: TlsServer, leaf: trustme.LeafCert, tmp_path: Path) -> None:
    data, path = packed(leaf), tmp_path / "me.p12"
    path.write_bytes(data)
    config = AuthConfig.clientCertificate(data, keyPassword=PASSWORD)
    given = {"path": path, "str": str(path), "bytes": data, "armored": config.certificate}[source]
    request = get(server.url, given)
    assert request.reply().body == b"secret", request.errorMessage()
    assert server.client_names == ["me@home.test"]


def test_chain_is_sent(get: Get, server: TlsServer, leaf: trustme.LeafCert) -> None:
    assert get(server.url, packed(leaf)).errorMessage() == ""
    assert "did not accept the client certificate" in text_of(get(server.url, packed(leaf, chain=False)))


def test_file_without_a_password(get: Get, server: TlsServer, leaf: trustme.LeafCert) -> None:
    for password in (None, ""):
        assert get(server.url, packed(leaf, None), password).errorMessage() == ""


def test_encryption_of_older_programs(get: Get, server: TlsServer, leaf: trustme.LeafCert) -> None:
    encryption = (
        serialization.PrivateFormat.PKCS12.encryption_builder()
        .key_cert_algorithm(pkcs12.PBES.PBESv1SHA1And3KeyTripleDESCBC)
        .hmac_hash(hashes.SHA1())
        .build(PASSWORD.encode())
    )
    assert get(server.url, packed(leaf, encryption=encryption)).errorMessage() == ""


def test_key_without_its_certificate_marked(get: Get, server: TlsServer, leaf: trustme.LeafCert) -> None:
    """As openssl pkcs12 writes it if the certificate is among those of -certfile."""
    own, *others = (x509.load_pem_x509_certificate(pem.bytes()) for pem in leaf.cert_chain_pems)
    key = serialization.load_pem_private_key(leaf.private_key_pem.bytes(), None)
    encryption = serialization.BestAvailableEncryption(PASSWORD.encode())
    data = pkcs12.serialize_key_and_certificates(None, key, None, [*others, own], encryption)  # type: ignore[arg-type]
    assert get(server.url, data).errorMessage() == ""


def self_made(key: Any) -> tuple[bytes, x509.Certificate]:
    """Return a PKCS#12 with a self-signed certificate of a key, and the certificate."""
    name = x509.Name([x509.NameAttribute(x509.oid.NameOID.COMMON_NAME, "me")])
    algorithm = None if isinstance(key, ed25519.Ed25519PrivateKey) else hashes.SHA256()
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOW)
        .not_valid_after(FUTURE)
        .sign(key, algorithm)
    )
    encryption = serialization.BestAvailableEncryption(PASSWORD.encode())
    return pkcs12.serialize_key_and_certificates(None, key, certificate, None, encryption), certificate


@pytest.mark.parametrize("kind", ["rsa", "ec", "ed25519", "weak"])
def test_kinds_of_keys(kind: str, get: Get, root: trustme.CA, start: Start, engine: str) -> None:
    key: Any = {
        "rsa": lambda: rsa.generate_private_key(65537, 2048),
        "ec": lambda: ec.generate_private_key(ec.SECP384R1()),
        "ed25519": ed25519.Ed25519PrivateKey.generate,
        "weak": lambda: rsa.generate_private_key(65537, 1024),
    }[kind]()  # type: ignore[no-untyped-call]
    data, certificate = self_made(key)
    server = start(root.issue_cert("127.0.0.1"), trusts=root, requires=True)
    server.context.load_verify_locations(cadata=certificate.public_bytes(serialization.Encoding.DER))
    request = get(server.url, data)
    if kind == "weak":
        # OpenSSL refuses to show it, or the server to accept it.
        assert request.reply().errorCode() is NET and "decrypt" not in request.errorMessage()
    elif kind == "ed25519" and engine == "qt":
        assert text_of(request).startswith("Qt does not support this kind of client key")
    else:
        assert request.errorMessage() == "" and server.handshakes == 1


def test_certificate_stays_behind_at_another_origin(
    get: Get, leaf: trustme.LeafCert, root: trustme.CA, start: Start
) -> None:
    server_certificate = root.issue_cert("127.0.0.1")
    first = start(server_certificate, redirecting, trusts=root)
    other = start(server_certificate, trusts=root)
    assert get(f"{first.url}/to/{other.url}/", packed(leaf)).errorMessage() == ""
    assert (first.client_names, other.client_names) == (["me@home.test"], [])


def test_auth_config(get: Get, server: TlsServer, leaf: trustme.LeafCert, engine: str, root: trustme.CA) -> None:
    config = AuthConfig.clientCertificate(packed(leaf), keyPassword=PASSWORD)
    assert AuthConfig.fromJson(config.toJson()) == config
    manager = NetworkAccessManager()
    manager.setTlsSettings(TlsSettings(caData=root.cert_pem.bytes()))
    request = BlockingNetworkRequest(manager)
    request.setEngine(engine)
    request.setAuthConfig(config)
    assert request.get(server.url) is OK, request.errorMessage()
    assert server.client_names == ["me@home.test"]


# -- messages


def test_wrong_password(get: Get, server: TlsServer, leaf: trustme.LeafCert) -> None:
    for password in (None, "", "wrong"):
        text = text_of(get(server.url, packed(leaf), password))
        assert text == "the PKCS#12 file cannot be decrypted: keyPassword is missing or wrong, or the file is damaged"
    assert server.handshakes == 0


def test_file_without_a_key(get: Get, server: TlsServer, leaf: trustme.LeafCert) -> None:
    text = text_of(get(server.url, packed(leaf, key=False)))
    assert text == "the PKCS#12 file contains no private key: export it again together with its key"


def test_file_without_a_certificate(get: Get, server: TlsServer, leaf: trustme.LeafCert) -> None:
    text = text_of(get(server.url, packed(leaf, certificate=False)))
    assert text == "the PKCS#12 file contains no certificate for its private key"


def test_file_that_is_cut_off(get: Get, server: TlsServer, leaf: trustme.LeafCert) -> None:
    data = packed(leaf)
    assert text_of(get(server.url, data[:200])) == "the PKCS#12 file cannot be read: it is damaged or cut off"


@pytest.mark.parametrize("what", ["der", "text", "empty", "missing"])
def test_file_that_is_no_pkcs12(what: str, get: Get, server: TlsServer, leaf: trustme.LeafCert, tmp_path: Path) -> None:
    path = tmp_path / "me.p12"
    if what != "missing":
        certificate = x509.load_pem_x509_certificate(leaf.cert_chain_pems[0].bytes())
        der = certificate.public_bytes(serialization.Encoding.DER)
        path.write_bytes({"der": der, "text": b"rubbish", "empty": b""}[what])
    text = text_of(get(server.url, path))
    expected = "the client certificate cannot be read as PEM or PKCS#12: the file contains neither"
    assert text == (f"the file {path} cannot be read: No such file or directory" if what == "missing" else expected)


def test_key_beside_the_file(get: Get, server: TlsServer, leaf: trustme.LeafCert) -> None:
    text = text_of(get(server.url, packed(leaf), clientKey=leaf.private_key_pem.bytes()))
    assert text == "the client certificate is a PKCS#12 file, which contains its key: leave clientKey out"


def test_without_the_package(leaf: trustme.LeafCert, tmp_path: Path) -> None:
    (tmp_path / "me.p12").write_bytes(packed(leaf))
    program = """
        import sys
        sys.modules["cryptography"] = None
        from blocking_request import BlockingNetworkRequest, NetworkAccessManager, TlsSettings
        manager = NetworkAccessManager()
        manager.setTlsSettings(TlsSettings(clientCertificate=sys.argv[1], keyPassword="secret"))
        manager.setEngine("python")
        print(manager.blockingGet("https://127.0.0.1:1/").errorString())
    """
    lines = "\n".join(line.strip() for line in program.splitlines())
    command = [sys.executable, "-c", lines, str(tmp_path / "me.p12")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=True)
    assert "python3 -m pip install 'blocking-request[pkcs12]'" in done.stdout


# -- secrets


def test_key_is_never_on_the_disk_in_clear(
    get: Get, server: TlsServer, leaf: trustme.LeafCert, engine: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Python reads a certificate from a file only: look at the file before it is deleted."""
    written: list[bytes] = []
    unlink = os.unlink

    def look(path: Any, **options: Any) -> None:
        if str(path).startswith(tempfile.gettempdir()) and str(path).endswith(".pem"):
            written.append(Path(path).read_bytes())
        unlink(path, **options)

    monkeypatch.setattr(os, "unlink", look)
    assert get(server.url, packed(leaf)).errorMessage() == ""
    assert len(written) == (1 if engine == "python" else 0)
    assert all(b"ENCRYPTED PRIVATE KEY" in content for content in written)
    assert not any(b"BEGIN PRIVATE KEY" in content or PASSWORD.encode() in content for content in written)


def test_secrets_are_not_shown(leaf: trustme.LeafCert) -> None:
    data = packed(leaf)
    settings = TlsSettings(clientCertificate=data, keyPassword=PASSWORD)
    read = loaded(settings)
    assert read.keyPassword not in (None, PASSWORD) and b"ENCRYPTED" in read.clientKey  # type: ignore[operator]
    for shown in (repr(settings), repr(read), repr(AuthConfig.clientCertificate(data, keyPassword=PASSWORD))):
        assert PASSWORD not in shown and str(read.keyPassword) not in shown and "PKCS12" not in shown
    with pytest.raises(TlsUnusable) as caught:
        loaded(TlsSettings(clientCertificate=data, keyPassword="s3cret"))
    assert "s3cret" not in str(caught.value) and caught.value.__cause__ is None
    manager = NetworkAccessManager()
    manager.setTlsSettings(settings)
    assert PASSWORD.encode() not in pickle.dumps(manager.portableSettings())
    portable = pickle.loads(pickle.dumps(manager.portableSettings(secrets=True)))
    assert portable.manager().tlsSettings() == settings


def test_beginnings_of_files(leaf: trustme.LeafCert) -> None:
    data = packed(leaf)
    assert pkcs12_bytes(data) == data and pkcs12_bytes(data[:8]) == data[:8]
    for other in (b"", b"0", b"-----BEGIN PKCS12-----\n!\n-----END PKCS12-----", leaf.private_key_pem.bytes()):
        assert pkcs12_bytes(other) is None


def test_chain_of_an_authority_that_has_changed_its_key() -> None:
    """The file has two certificates of the issuer's name, and the other one comes first."""
    names = {text: x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, text)]) for text in ("root", "CA", "me")}
    root_key, old_key, new_key, own_key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(4))

    def certificate(subject: str, issuer: str, key: Any, signer: Any) -> x509.Certificate:
        builder = x509.CertificateBuilder().subject_name(names[subject]).issuer_name(names[issuer])
        builder = builder.public_key(key.public_key()).serial_number(x509.random_serial_number())
        return builder.not_valid_before(NOW).not_valid_after(FUTURE).sign(signer, hashes.SHA256())

    old, new = certificate("CA", "root", old_key, root_key), certificate("CA", "root", new_key, root_key)
    own = certificate("me", "CA", own_key, new_key)
    data = pkcs12.serialize_key_and_certificates(None, own_key, own, [old, new], serialization.NoEncryption())
    chain = x509.load_pem_x509_certificates(client_certificate(data, None).certificates)
    assert chain == [own, new]
