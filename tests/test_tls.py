"""TLS as far as Qt's own wire has it: nothing given for one origin or one request serves another."""

from __future__ import annotations

import ssl
from collections.abc import Iterator

import pytest
import trustme

from blocking_request import BlockingNetworkRequest, ErrorCode
from blocking_request.errors import QtNetworkError
from blocking_request.qt import QtCore, QtNetwork, enum_value, has_tls

from .servers.raw import Connection, RawServer


class TlsServer(RawServer):
    """Answers over TLS, with a certificate for some names; redirects /to/URL."""

    def __init__(self, authority: trustme.CA, *names: str, wants_certificate: bool = False) -> None:
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert(*names).configure_cert(self._context)
        if wants_certificate:
            authority.configure_trust(self._context)
            self._context.verify_mode = ssl.CERT_OPTIONAL
        self.certificates_seen: list[bool] = []
        super().__init__(self._handle)
        self.url = self.url.replace("http:", "https:")

    def _handle(self, connection: Connection) -> None:
        try:
            sock = self._context.wrap_socket(connection.sock, server_side=True)
        except (ssl.SSLError, OSError):
            return
        connection.sock = sock
        self.certificates_seen.append(bool(sock.getpeercert()))
        while (request := connection.read_request()) is not None:
            path = request.split(b" ")[1].decode()
            if path.startswith("/to/"):
                connection.answer(b"", "307 Moved", f"Location: {path[4:]}\r\n")
            else:
                connection.answer(b"secret")
        sock.close()


@pytest.fixture
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def servers() -> Iterator[list[RawServer]]:
    started: list[RawServer] = []
    yield started
    for server in started:
        server.close()


def request_trusting(authority: trustme.CA, url: str) -> QtNetwork.QNetworkRequest:
    request = QtNetwork.QNetworkRequest(QtCore.QUrl(url))
    configuration = QtNetwork.QSslConfiguration.defaultConfiguration()
    configuration.setCaCertificates([QtNetwork.QSslCertificate(authority.cert_pem.bytes())])
    request.setSslConfiguration(configuration)
    return request


def without_tls(blocking: BlockingNetworkRequest, url: str) -> bool:
    """Where this Qt has no TLS, the refusal is what there is to test."""
    if has_tls():
        return False
    assert blocking.get(url) is ErrorCode.NetworkError
    assert enum_value(blocking.reply().error()) == QtNetworkError.SslHandshakeFailedError
    assert "finds no OpenSSL it can use" in blocking.errorMessage()
    return True


def test_a_strict_request_does_not_ride_a_lax_connection(
    authority: trustme.CA, servers: list[RawServer], blocking: BlockingNetworkRequest
) -> None:
    server = TlsServer(authority, "127.0.0.1")
    servers.append(server)
    if without_tls(blocking, server.url):
        return
    trusting = request_trusting(authority, server.url)
    for _ in range(2):
        assert blocking.get(server.url) is ErrorCode.NetworkError
        assert blocking.errorMessage().startswith("SSL handshake failed")
        assert blocking.get(trusting) is ErrorCode.NoError, blocking.errorMessage()
        assert blocking.reply().body == b"secret"
    assert sum(1 for _ in server.requests) == 2


def test_client_certificate_and_peer_name_stay_with_their_origin(
    authority: trustme.CA, servers: list[RawServer], blocking: BlockingNetworkRequest
) -> None:
    other = TlsServer(authority, "127.0.0.1", wants_certificate=True)
    elsewhere = TlsServer(authority, "internal.test")
    first = TlsServer(authority, "internal.test", "127.0.0.1", wants_certificate=True)
    servers.extend((other, elsewhere, first))
    if without_tls(blocking, first.url):
        return
    mine = authority.issue_cert("me@internal.test")
    request = request_trusting(authority, f"{first.url}/to/{other.url}/")
    configuration = request.sslConfiguration()
    configuration.setLocalCertificate(QtNetwork.QSslCertificate(mine.cert_chain_pems[0].bytes()))
    configuration.setPrivateKey(QtNetwork.QSslKey(mine.private_key_pem.bytes(), QtNetwork.QSsl.KeyAlgorithm.Ec))
    request.setSslConfiguration(configuration)
    assert blocking.get(request) is ErrorCode.NoError, blocking.errorMessage()
    assert (first.certificates_seen, other.certificates_seen) == ([True], [False])
    named = request_trusting(authority, f"{first.url}/to/{elsewhere.url}/")
    named.setPeerVerifyName("internal.test")
    assert blocking.get(named) is ErrorCode.NetworkError
    assert len(blocking.reply().history()) == 1
    assert elsewhere.requests == []
