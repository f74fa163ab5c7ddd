"""Regressions of certificate checks: only named errors are accepted, and messages show no secrets."""

from __future__ import annotations

import sys
import threading
import time
from pathlib import Path
from typing import Any, Callable, Optional

import pytest
import trustme

from blocking_request import (
    BlockingNetworkRequest,
    Certificate,
    ErrorCode,
    NetworkAccessManager,
    TlsError,
    TlsErrorKind,
    TlsSettings,
)
from blocking_request.models.failure import QtNetworkError
from blocking_request.qt.binding import QtCore, QtNetwork, enum_value

from ..support.certificates import Issued
from ..support.marks import needs_tls_in_qt
from ..support.names import NET, OK
from ..support.servers.raw import Connection, once
from ..support.servers.tls import Start, TlsServer, redirecting

Kind = TlsErrorKind


@pytest.fixture(scope="module")
def root() -> Issued:
    return Issued("Root", hosts=(), is_authority=True)


@pytest.fixture
def request_with(engine: str) -> Callable[..., BlockingNetworkRequest]:
    def make(settings: Optional[TlsSettings] = None, handler: Any = None) -> BlockingNetworkRequest:
        manager = NetworkAccessManager()
        manager.setTlsSettings(settings)
        manager.setSslErrorHandler(handler)
        blocking = BlockingNetworkRequest(manager)
        blocking.setEngine(engine)
        blocking.setTimeout(10_000)
        return blocking

    return make


RequestWith = Callable[..., BlockingNetworkRequest]


class SlowHandshake(TlsServer):
    def _handle(self, connection: Connection) -> None:
        time.sleep(0.5)
        super()._handle(connection)


@pytest.mark.parametrize("how", ["timeout", "abort"])
def test_pin_is_checked_after_an_aborted_handshake(
    how: str, root: Issued, request_with: RequestWith, start: Start
) -> None:
    """Qt finishes the handshake by itself and would reuse the connection for the next request."""
    server = start(Issued("leaf", root).leaf(), kind=SlowHandshake)
    settings = TlsSettings(caData=root.pem, pinnedFingerprints=("0" * 64,))
    blocking = request_with(settings)
    if how == "timeout":
        blocking.setTimeout(200)
    else:
        threading.Timer(0.2, blocking.abort).start()
    assert blocking.get(server.url) in (ErrorCode.TimeoutError, ErrorCode.CanceledError)
    time.sleep(1)
    for _ in range(2):
        again = request_with(settings)
        assert again.post(server.url, b"password=1") is NET
        assert "is not pinned" in again.errorMessage()
    assert server.requests == []


@needs_tls_in_qt
def test_client_certificate_of_the_default_configuration_is_not_sent_to_another_origin(
    request_with: RequestWith, start: Start
) -> None:
    authority = trustme.CA()
    servers = [start(authority.issue_cert("127.0.0.1"), redirecting, trusts=authority) for _ in range(2)]
    mine = authority.issue_cert("me@home.test")
    before = QtNetwork.QSslConfiguration.defaultConfiguration()
    changed = QtNetwork.QSslConfiguration(before)
    changed.setLocalCertificate(QtNetwork.QSslCertificate(mine.cert_chain_pems[0].bytes()))
    changed.setPrivateKey(QtNetwork.QSslKey(mine.private_key_pem.bytes(), QtNetwork.QSsl.KeyAlgorithm.Ec))
    QtNetwork.QSslConfiguration.setDefaultConfiguration(changed)
    try:
        blocking = request_with(TlsSettings(caData=authority.cert_pem.bytes()))
        assert blocking.get(f"{servers[0].url}/to/{servers[1].url}/") is OK, blocking.errorMessage()
    finally:
        QtNetwork.QSslConfiguration.setDefaultConfiguration(before)
    assert [server.client_names for server in servers] == [["me@home.test"], []]


def test_client_certificate_is_not_sent_to_an_untrusted_server(start: Start) -> None:
    """Python engine only: Qt 6 sends its certificate before it has checked the server's."""
    authority, stranger = trustme.CA(), trustme.CA()
    server = start(stranger.issue_cert("127.0.0.1"), trusts=authority)
    mine = authority.issue_cert("me@home.test")
    manager = NetworkAccessManager()
    manager.setTlsSettings(
        TlsSettings(
            caData=authority.cert_pem.bytes(),
            clientCertificate=mine.cert_chain_pems[0].bytes(),
            clientKey=mine.private_key_pem.bytes(),
        )
    )
    blocking = BlockingNetworkRequest(manager)
    blocking.setEngine("python")
    assert blocking.get(server.url) is NET
    assert blocking.reply().peerCertificate() is not None
    assert server.client_names == []


@pytest.mark.skipif(sys.version_info < (3, 10), reason="Python 3.9 does not tell the chain")
def test_ignored_expiry_applies_to_the_named_certificate_only(request_with: RequestWith, start: Start) -> None:
    old_root = Issued("Old root", hosts=(), is_authority=True, expired=True)
    leaf = Issued("leaf", old_root, expired=True)
    named = (TlsError(Kind.CertificateExpired, leaf.value),)
    assert request_with(TlsSettings(caData=old_root.pem, ignoredErrors=named)).get(start(leaf.leaf()).url) is NET
    root = Issued("Root", hosts=(), is_authority=True)
    between = Issued("Between", root, hosts=(), is_authority=True, expired=True)
    leaf = Issued("leaf", between, expired=True)
    named = (TlsError(Kind.CertificateExpired, leaf.value),)
    server = start(leaf.leaf(between))
    blocking = request_with(TlsSettings(caData=root.pem, ignoredErrors=named))
    assert blocking.get(server.url) is NET
    both = (*named, TlsError(Kind.CertificateExpired, between.value))
    blocking = request_with(TlsSettings(caData=root.pem, ignoredErrors=both))
    assert blocking.get(server.url) is OK, blocking.errorMessage()


def test_unused_certificates_of_the_chain_are_not_checked(
    root: Issued, request_with: RequestWith, start: Start
) -> None:
    stray = Issued("Stray", hosts=(), is_authority=True, expired=True)
    leaf = Issued("leaf", root, hosts=("internal.test",))
    server = start(leaf.leaf(stray))
    blocking = request_with(TlsSettings(caData=root.pem))
    assert blocking.get(server.url) is NET
    assert [error.kind for error in blocking.reply().sslErrors()] == [Kind.HostNameMismatch]
    named = (TlsError(Kind.HostNameMismatch, leaf.value),)
    assert request_with(TlsSettings(caData=root.pem, ignoredErrors=named)).get(server.url) is OK


def test_expired_root_is_not_trusted(request_with: RequestWith, start: Start) -> None:
    old_root = Issued("Old root", hosts=(), is_authority=True, expired=True)
    blocking = request_with(TlsSettings(caData=old_root.pem))
    assert blocking.get(start(Issued("leaf", old_root).leaf()).url) is NET
    assert "2027" not in blocking.errorMessage()
    assert blocking.reply().sslErrors() != ()


@needs_tls_in_qt
def test_configuration_without_ca_certificates(engine: str, root: Issued, start: Start) -> None:
    server = start(Issued("leaf", root).leaf())
    request = QtNetwork.QNetworkRequest(QtCore.QUrl(server.url))
    configuration = QtNetwork.QSslConfiguration.defaultConfiguration()
    configuration.setCaCertificates([])
    request.setSslConfiguration(configuration)
    blocking = BlockingNetworkRequest(NetworkAccessManager())
    blocking.setEngine(engine)
    assert blocking.get(request) is NET
    if engine == "python":
        assert "sets CA certificates, which only Qt's own TLS can use" in blocking.errorMessage()


@needs_tls_in_qt
def test_default_configuration_is_not_stored_in_the_request_of_the_caller(
    request_with: RequestWith, start: Start
) -> None:
    server = start(Issued("nobody").leaf())
    request = QtNetwork.QNetworkRequest(QtCore.QUrl(server.url))
    before = QtNetwork.QSslConfiguration.defaultConfiguration()
    lax = QtNetwork.QSslConfiguration(before)
    lax.setPeerVerifyMode(QtNetwork.QSslSocket.PeerVerifyMode.VerifyNone)
    QtNetwork.QSslConfiguration.setDefaultConfiguration(lax)
    try:
        blocking = request_with()
        assert blocking.get(request) is OK, blocking.errorMessage()
        # explicit settings take precedence over the default
        assert request_with(TlsSettings(verify=True)).get(server.url) is NET
    finally:
        QtNetwork.QSslConfiguration.setDefaultConfiguration(before)
    assert request_with().get(request) is NET


@pytest.mark.parametrize("then", ["closes", "is silent"])
def test_certificate_error_if_the_probe_fails(then: str, request_with: RequestWith, start: Start, root: Issued) -> None:
    class FirstConnectionOnly(TlsServer):
        def _handle(self, connection: Connection) -> None:
            if self.connections == 1:
                super()._handle(connection)
            elif then == "is silent":
                connection.wait_for_close()

    server = start(Issued("nobody").leaf(), kind=FirstConnectionOnly)
    blocking = request_with(TlsSettings(caData=root.pem))
    assert blocking.get(server.url) is NET
    assert enum_value(blocking.reply().error()) == QtNetworkError.SslHandshakeFailedError
    assert "self-signed" in blocking.errorMessage() or "self signed" in blocking.errorMessage()
    assert blocking.reply().elapsed() < 5


def test_ca_file_is_read_once(root: Issued, request_with: RequestWith, start: Start, tmp_path: Path) -> None:
    path = tmp_path / "ca.pem"
    path.write_bytes("# Főtanúsítvány\n".encode("iso8859-2") + root.pem)
    blocking = request_with(TlsSettings(caFile=path))
    good, stray = start(Issued("leaf", root).leaf()), start(Issued("nobody").leaf())
    assert blocking.get(good.url) is OK, blocking.errorMessage()
    path.unlink()
    assert blocking.get(stray.url) is NET
    assert 'the certificate of "nobody" is self-signed' in blocking.errorMessage()


def test_keys_as_text_are_not_in_messages(root: Issued, request_with: RequestWith, start: Start) -> None:
    server = start(Issued("leaf", root).leaf())
    mine = Issued("me", root)
    text = TlsSettings(caData=root.pem, clientCertificate=mine.pem.decode(), clientKey=mine.key_pem.decode())
    assert request_with(text).get(server.url) is OK
    with pytest.raises(ValueError, match="caFile must be a path; certificates themselves are caData"):
        TlsSettings(caFile=root.pem.decode())
    other = Issued("other", root)
    mixed = request_with(TlsSettings(caData=root.pem, clientCertificate=mine.pem, clientKey=other.key_pem))
    assert mixed.get(server.url) is NET
    assert "the client key does not belong to the client certificate" in mixed.errorMessage()
    assert enum_value(mixed.reply().error()) == QtNetworkError.SslHandshakeFailedError
    assert "BEGIN" not in mixed.errorMessage()


@pytest.mark.parametrize("trusted", [False, True])
def test_common_name_without_subject_alternative_names(trusted: bool, request_with: RequestWith, start: Start) -> None:
    leaf = Issued("localhost", hosts=())
    url = start(leaf.leaf()).url.replace("127.0.0.1", "localhost")
    if trusted:
        blocking = request_with(
            TlsSettings(verify=True, ignoredErrors=(TlsError(Kind.SelfSignedCertificate, leaf.value),))
        )
        assert blocking.get(url) is OK, blocking.errorMessage()
    else:
        blocking = request_with(TlsSettings())
        assert blocking.get(url) is NET
        assert [error.kind for error in blocking.reply().sslErrors()] == [Kind.SelfSignedCertificate]


def test_accepted_error_applies_to_one_host(root: Issued, request_with: RequestWith, start: Start) -> None:
    leaf = Issued("leaf", root, hosts=("internal.test",))
    server = start(leaf.leaf(), redirecting)
    asked: list[str] = []

    def accept(errors: list[TlsError], chain: list[Certificate]) -> list[TlsError]:
        asked.extend(error.host for error in errors)
        return errors

    elsewhere = server.url.replace("127.0.0.1", "localhost")
    blocking = request_with(TlsSettings(caData=root.pem), accept)
    assert blocking.get(f"{server.url}/to/{elsewhere}/") is OK, blocking.errorMessage()
    assert asked == ["127.0.0.1", "localhost"]


def test_handler_is_not_called_for_ignored_or_unrelated_errors(
    root: Issued, request_with: RequestWith, start: Start
) -> None:
    leaf = Issued("nobody")
    ignored = (TlsError(Kind.SelfSignedCertificate, leaf.value),)
    asked: list[Any] = []

    def handler(errors: list[TlsError], chain: list[Certificate]) -> None:
        asked.append(errors)

    cut = start(leaf.leaf(), once(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc"))
    blocking = request_with(TlsSettings(ignoredErrors=ignored), handler)
    assert blocking.get(cut.url) is NET and "3 of 9" in blocking.errorMessage()
    pinned = request_with(TlsSettings(ignoredErrors=ignored, pinnedFingerprints=("0" * 64,)), handler)
    assert pinned.get(cut.url) is NET and "is not pinned" in pinned.errorMessage()
    assert asked == []


def test_certificate_that_changes_with_each_connection(root: Issued, request_with: RequestWith, start: Start) -> None:
    class NewCertificate(TlsServer):
        def _handle(self, connection: Connection) -> None:
            Issued(f"number {self.connections}").leaf().configure_cert(self.context)
            super()._handle(connection)

    server = start(Issued("first").leaf(), kind=NewCertificate)
    asked: list[Any] = []

    def accept(errors: list[TlsError], chain: list[Certificate]) -> list[TlsError]:
        asked.append(errors)
        return errors

    assert request_with(TlsSettings(), accept).get(server.url) is NET
    assert 1 <= len(asked) <= 3


def test_invalid_handler_result(request_with: RequestWith, start: Start) -> None:
    server = start(Issued("nobody").leaf())
    for answer in (True, "all", 5):
        with pytest.raises(TypeError, match="an SSL error handler returns the errors it accepts or None, not"):
            request_with(TlsSettings(), lambda errors, chain, answer=answer: answer).get(server.url)


@pytest.mark.parametrize("more", [{"caFile": "/tmp"}, {"caFile": "/tmp/a\0b"}, {"clientCertificate": "/tmp"}])
def test_unreadable_paths(more: dict[str, Any], request_with: RequestWith) -> None:
    blocking = request_with(TlsSettings(**more))
    assert blocking.get("https://127.0.0.1:1/") is NET
    assert blocking.errorMessage().startswith("SSL handshake failed: the file /tmp")


@pytest.mark.parametrize("password", [b"secret", 5])
def test_key_password_of_a_wrong_type(password: Any) -> None:
    with pytest.raises(TypeError, match="keyPassword must be a str, not"):
        TlsSettings(keyPassword=password)


@needs_tls_in_qt
def test_minimum_version_above_the_maximum_of_the_default_configuration(
    request_with: RequestWith, root: Issued, start: Start
) -> None:
    server = start(Issued("leaf", root).leaf())
    before = QtNetwork.QSslConfiguration.defaultConfiguration()
    changed = QtNetwork.QSslConfiguration(before)
    changed.setProtocol(QtNetwork.QSsl.SslProtocol.TlsV1_2)
    QtNetwork.QSslConfiguration.setDefaultConfiguration(changed)
    try:
        blocking = request_with(TlsSettings(caData=root.pem, minimumVersion="1.3"))
        assert blocking.get(server.url) is OK, blocking.errorMessage()
        assert blocking.reply().sessionProtocol() == "TLSv1.3"
    finally:
        QtNetwork.QSslConfiguration.setDefaultConfiguration(before)


def test_ignored_errors_are_reported_on_reused_connections(request_with: RequestWith, start: Start) -> None:
    leaf = Issued("nobody")
    errors = (TlsError(Kind.SelfSignedCertificate, leaf.value, "127.0.0.1"),)
    server = start(leaf.leaf())
    blocking = request_with(TlsSettings(ignoredErrors=errors))
    for _ in range(3):
        assert blocking.get(server.url) is OK
        assert blocking.reply().sslErrors() == errors
    assert blocking.errorMessage() == ""


def test_control_characters_in_certificate_names_are_escaped(request_with: RequestWith, start: Start) -> None:
    server = start(Issued("x\nERROR \x1b[31mfake").leaf())
    blocking = request_with(TlsSettings())
    assert blocking.get(server.url) is NET
    assert 'the certificate of "x\\nERROR \\x1b[31mfake" is self-signed' in blocking.errorMessage()


def test_issuer_that_is_not_an_authority(root: Issued, request_with: RequestWith, start: Start) -> None:
    no_authority = Issued("No authority", root, hosts=())
    blocking = request_with(TlsSettings(caData=root.pem))
    assert blocking.get(start(Issued("leaf", no_authority).leaf(no_authority)).url) is NET
    assert Kind.UnspecifiedError not in [error.kind for error in blocking.reply().sslErrors()]
    assert "is not accepted (invalid ca certificate)" in blocking.errorMessage()
