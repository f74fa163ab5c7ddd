"""TLS: trust, the messages about refused certificates, and connections that are shared only between equal settings."""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
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
from blocking_request.qt.binding import QtCore, QtNetwork, enum_value, has_tls

from ..support.certificates import certificate_of, self_signed
from ..support.marks import needs_tls_in_qt
from ..support.names import NET, OK, Serve
from ..support.servers.raw import Connection, Handler, RawServer, always, once, silence
from ..support.servers.tls import EXPIRED, FUTURE, Start, TlsServer, redirecting
from ..support.waiting import codes_with_an_absence

Kind = TlsErrorKind


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def stranger() -> trustme.CA:
    return trustme.CA(organization_name="Strangers Ltd")


@pytest.fixture
def request_with(engine: str, authority: trustme.CA) -> Callable[..., BlockingNetworkRequest]:
    """Makes requests that trust the authority, or have other settings."""

    def make(settings: Optional[TlsSettings] = None, handler: Any = None, **more: Any) -> BlockingNetworkRequest:
        manager = NetworkAccessManager()
        manager.setTlsSettings(settings or TlsSettings(caData=authority.cert_pem.bytes(), **more))
        manager.setSslErrorHandler(handler)
        blocking = BlockingNetworkRequest(manager)
        blocking.setTimeout(10_000)
        blocking.setEngine(engine)
        return blocking

    return make


RequestWith = Callable[..., BlockingNetworkRequest]


def bundle(leaf: trustme.LeafCert, folder: Path) -> str:
    path = folder / f"{certificate_of(leaf).fingerprint()[7:20]}.pem"
    path.write_bytes(leaf.private_key_and_cert_chain_pem.bytes())
    return str(path)


# -- trusted certificates


def test_trusted_certificate(request_with: RequestWith, authority: trustme.CA, start: Start, engine: str) -> None:
    leaf = authority.issue_cert("127.0.0.1", "localhost")
    server = start(leaf)
    blocking = request_with()
    for _ in range(3):
        assert blocking.get(server.url) is OK, blocking.errorMessage()
        reply = blocking.reply()
        assert (reply.body, reply.engine()) == (b"secret", engine)
        assert reply.sessionProtocol() == "TLSv1.3"
        assert reply.sessionCipher() == "TLS_AES_256_GCM_SHA384"
        assert reply.peerCertificate() == reply.peerCertificateChain()[0] == certificate_of(leaf)
        assert reply.sslErrors() == ()
        assert reply.attribute(QtNetwork.QNetworkRequest.Attribute.ConnectionEncryptedAttribute) is True
    assert server.connections == 1
    assert pickle.loads(pickle.dumps(blocking.reply())).peerCertificate() == certificate_of(leaf)
    blocking.get(server.url.replace("127.0.0.1", "localhost"))
    assert blocking.errorMessage() == ""


def test_plain_http_reply_has_no_tls_session(blocking: BlockingNetworkRequest, serve: Serve) -> None:
    assert blocking.get(serve(always(b"plain")).url) is OK
    reply = blocking.reply()
    assert (reply.peerCertificate(), reply.peerCertificateChain(), reply.sessionProtocol(), reply.sslErrors()) == (
        None,
        (),
        "",
        (),
    )


@pytest.mark.parametrize("how", ["caFile", "caData", "caFile and system", "text", "verify=False", "version"])
def test_ways_to_trust(
    how: str, request_with: RequestWith, authority: trustme.CA, start: Start, tmp_path: Path
) -> None:
    server = start(authority.issue_cert("127.0.0.1"))
    path = tmp_path / "ca.pem"
    path.write_bytes(authority.cert_pem.bytes())
    settings = {
        "caFile": TlsSettings(caFile=path),
        "caData": TlsSettings(caData=authority.cert_pem.bytes()),
        "caFile and system": TlsSettings(caFile=str(path), trust="system"),
        "text": TlsSettings(caData=authority.cert_pem.bytes().decode()),  # type: ignore[arg-type]
        "verify=False": TlsSettings(verify=False),
        "version": TlsSettings(caFile=path, minimumVersion="1.2", maximumVersion="1.2"),
    }[how]
    blocking = request_with(settings)
    assert blocking.get(server.url) is OK, blocking.errorMessage()
    assert blocking.reply().sessionProtocol() == ("TLSv1.2" if how == "version" else "TLSv1.3")


@pytest.mark.parametrize("settings", [TlsSettings(), TlsSettings(trust="certifi"), TlsSettings(trust="system")])
def test_unknown_authority_is_not_trusted(
    settings: TlsSettings, request_with: RequestWith, authority: trustme.CA, start: Start
) -> None:
    server = start(authority.issue_cert("127.0.0.1"))
    blocking = request_with(settings)
    assert blocking.get(server.url) is NET
    assert "is not known here" in blocking.errorMessage()
    assert server.requests == []


# -- refused certificates and their messages

AT = "^SSL handshake failed: {} \\(https://127.0.0.1:[0-9]+/?\\)$"


def assert_refused(blocking: BlockingNetworkRequest, server: RawServer, message: str, *kinds: TlsErrorKind) -> None:
    assert blocking.get(server.url) is NET
    assert enum_value(blocking.reply().error()) == QtNetworkError.SslHandshakeFailedError
    assert blocking.errorMessage() == f"SSL handshake failed: {message} ({server.url})"
    assert [error.kind for error in blocking.reply().sslErrors()] == list(kinds)
    assert blocking.reply().statusCode() is None
    assert server.requests == []


def test_expired_certificate(request_with: RequestWith, authority: trustme.CA, start: Start) -> None:
    leaf = authority.issue_cert("127.0.0.1", not_after=EXPIRED)
    blocking = request_with()
    text = 'the certificate of "127.0.0.1" expired on 2020-02-03 04:05:06 UTC'
    assert_refused(blocking, start(leaf), text, Kind.CertificateExpired)
    assert blocking.reply().peerCertificate() == certificate_of(leaf)


def test_certificate_not_yet_valid(request_with: RequestWith, authority: trustme.CA, start: Start) -> None:
    leaf = authority.issue_cert("127.0.0.1", not_before=FUTURE)
    text = f'the certificate of "127.0.0.1" is valid only from {FUTURE:%Y-%m-%d %H:%M:%S} UTC'
    assert_refused(request_with(), start(leaf), text, Kind.CertificateNotYetValid)


def test_wrong_host(request_with: RequestWith, authority: trustme.CA, start: Start) -> None:
    leaf = authority.issue_cert("internal.test", "*.example.org", "192.0.2.7")
    text = "the certificate is for internal.test, *.example.org, 192.0.2.7, not for 127.0.0.1"
    assert_refused(request_with(), start(leaf), text, Kind.HostNameMismatch)


def test_unknown_issuer(request_with: RequestWith, stranger: trustme.CA, start: Start) -> None:
    text = 'the issuer "Strangers Ltd" of the certificate is not known here'
    assert_refused(
        request_with(), start(stranger.issue_cert("127.0.0.1")), text, Kind.UnableToGetLocalIssuerCertificate
    )


def test_self_signed_certificate(request_with: RequestWith, start: Start) -> None:
    text = 'the certificate of "a box in the cellar" is self-signed and not trusted here'
    assert_refused(request_with(), start(self_signed()), text, Kind.SelfSignedCertificate)


def test_self_signed_in_the_chain(request_with: RequestWith, stranger: trustme.CA, start: Start) -> None:
    leaf = stranger.issue_cert("127.0.0.1")
    leaf.cert_chain_pems.append(stranger.cert_pem)
    chained = trustme.LeafCert(
        leaf.private_key_pem.bytes(), leaf.cert_chain_pems[0].bytes(), [stranger.cert_pem.bytes()]
    )
    text = 'the certificate of "127.0.0.1" leads to a self-signed root that is not trusted here'
    assert_refused(request_with(), start(chained), text, Kind.SelfSignedCertificateInChain)


def test_several_certificate_errors(request_with: RequestWith, stranger: trustme.CA, start: Start) -> None:
    leaf = stranger.issue_cert("internal.test", not_after=EXPIRED)
    text = (
        'the certificate of "internal.test" expired on 2020-02-03 04:05:06 UTC; '
        'the issuer "Strangers Ltd" of the certificate is not known here; '
        "the certificate is for internal.test, not for 127.0.0.1"
    )
    kinds = (Kind.CertificateExpired, Kind.UnableToGetLocalIssuerCertificate, Kind.HostNameMismatch)
    assert_refused(request_with(), start(leaf), text, *kinds)


def test_old_protocol(request_with: RequestWith, authority: trustme.CA, start: Start) -> None:
    server = start(authority.issue_cert("127.0.0.1"), versions=("TLSv1", "TLSv1"))
    assert_refused(request_with(), server, "the server speaks no version of TLS that is allowed here")
    newer = start(authority.issue_cert("127.0.0.1"), versions=("TLSv1_2", "TLSv1_2"))
    text = "the server speaks no version of TLS that is allowed here"
    assert_refused(request_with(minimumVersion="1.3"), newer, text)
    assert request_with().get(newer.url) is OK


@pytest.mark.parametrize("version", ["TLSv1_2", "TLSv1_3"])
def test_client_certificate(
    version: str, request_with: RequestWith, authority: trustme.CA, stranger: trustme.CA, start: Start, tmp_path: Path
) -> None:
    leaf = authority.issue_cert("127.0.0.1")
    server = start(leaf, trusts=authority, requires=True, versions=("TLSv1_2", version))
    mine = authority.issue_cert("me@home.test")
    blocking = request_with(clientCertificate=bundle(mine, tmp_path))
    assert blocking.get(server.url) is OK, blocking.errorMessage()
    assert server.client_names == ["me@home.test"]  # type: ignore[attr-defined]
    key, chain = mine.private_key_pem.bytes(), mine.cert_chain_pems[0].bytes()
    blocking = request_with(clientCertificate=chain, clientKey=key)
    assert blocking.post(server.url, b"data") is OK, blocking.errorMessage()

    bare = start(leaf, trusts=authority, requires=True, versions=("TLSv1_2", version))
    wanted = "the server wants a client certificate, and none was given"
    refused = "the server refused the handshake; it may want a client certificate, and none was given"
    assert_refused(request_with(), bare, wanted if version == "TLSv1_3" else refused)
    foreign = bundle(stranger.issue_cert("me@strangers.test"), tmp_path)
    text = "the server did not accept the client certificate (unknown ca)"
    assert_refused(request_with(clientCertificate=foreign), bare, text)


def test_encrypted_key(request_with: RequestWith, authority: trustme.CA, start: Start, tmp_path: Path) -> None:
    from cryptography.hazmat.primitives import serialization

    mine = authority.issue_cert("me@home.test")
    key = serialization.load_pem_private_key(mine.private_key_pem.bytes(), None)
    encrypted = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"hunter2"),
    )
    server = start(authority.issue_cert("127.0.0.1"), trusts=authority, requires=True)
    chain = mine.cert_chain_pems[0].bytes()
    good = request_with(clientCertificate=chain, clientKey=encrypted, keyPassword="hunter2")
    assert good.get(server.url) is OK, good.errorMessage()
    for password in (None, "wrong"):
        bad = request_with(clientCertificate=chain, clientKey=encrypted, keyPassword=password)
        text = "the client key cannot be decrypted: keyPassword is missing or wrong"
        assert bad.get(server.url) is NET
        assert bad.errorMessage() == f"SSL handshake failed: {text} ({server.url})"
    assert "hunter2" not in repr(TlsSettings(clientCertificate=chain, clientKey=encrypted, keyPassword="hunter2"))


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"caFile": "/no/such.pem"}, "the file /no/such.pem cannot be read: No such file or directory"),
        ({"caData": b"rubbish"}, "the CA certificates cannot be read as PEM"),
        ({"clientCertificate": "/no/such.pem"}, "the file /no/such.pem cannot be read: No such file or directory"),
        ({"clientCertificate": b"rubbish"}, "the client certificate"),
    ],
)
def test_unreadable_certificate_files(settings: dict[str, Any], text: str, request_with: RequestWith) -> None:
    blocking = request_with(TlsSettings(**settings))
    assert blocking.get("https://127.0.0.1:1/") is NET
    assert enum_value(blocking.reply().error()) == QtNetworkError.SslHandshakeFailedError
    assert blocking.errorMessage().startswith(f"SSL handshake failed: {text}")


@pytest.mark.parametrize(
    "handler",
    [
        once(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"),
        once(b"\x00garbage garbage garbage"),
        lambda connection: (connection.sock.recv(1000), connection.send(b"SSH-2.0-OpenSSH_9.2\r\n")),
    ],
)
def test_server_without_tls(handler: Handler, request_with: RequestWith, serve: Serve) -> None:
    def handle(connection: Connection) -> None:
        connection.sock.recv(4000)
        connection.send(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")

    server = serve(handle)
    blocking = request_with()
    url = server.url.replace("http:", "https:")
    assert blocking.get(url) is NET
    assert enum_value(blocking.reply().error()) == QtNetworkError.SslHandshakeFailedError
    text = "the server does not speak TLS there; if it speaks plain HTTP, use http://"
    assert blocking.errorMessage() == f"SSL handshake failed: {text} ({url})"


def test_http_request_to_an_https_port(request_with: RequestWith, authority: trustme.CA, start: Start) -> None:
    server = start(authority.issue_cert("127.0.0.1"))
    blocking = request_with()
    url = server.url.replace("https:", "http:")
    assert blocking.get(url) is NET
    assert enum_value(blocking.reply().error()) == QtNetworkError.RemoteHostClosedError
    text = "Connection closed without an answer; if the server expects TLS there, use https://"
    assert blocking.errorMessage() == f"{text} ({url})"


@pytest.mark.parametrize("when", ["at once", "in the handshake"])
def test_connection_closed_in_the_handshake(when: str, request_with: RequestWith, serve: Serve) -> None:
    def handle(connection: Connection) -> None:
        if when == "in the handshake":
            connection.sock.recv(10)

    server = serve(handle)
    blocking = request_with()
    url = server.url.replace("http:", "https:")
    assert blocking.get(url) is NET
    assert enum_value(blocking.reply().error()) == QtNetworkError.RemoteHostClosedError
    assert blocking.errorMessage() == f"Connection closed without an answer ({url})"


@pytest.mark.parametrize("how", ["timeout", "deadline", "abort"])
def test_client_hello_without_a_response(how: str, request_with: RequestWith, serve: Serve) -> None:
    server = serve(lambda connection: connection.wait_for_close())
    blocking = request_with()
    url = server.url.replace("http:", "https:")
    if how == "abort":
        threading.Timer(0.3, blocking.abort).start()
    else:
        getattr(blocking, "setTimeout" if how == "timeout" else "setDeadline")(300)
    code = blocking.get(url)
    assert code is (ErrorCode.CanceledError if how == "abort" else ErrorCode.TimeoutError)
    assert 0.25 < blocking.reply().elapsed() < 1.5


# -- pins


def test_pinned_fingerprint(request_with: RequestWith, authority: trustme.CA, start: Start) -> None:
    leaf = authority.issue_cert("127.0.0.1")
    server = start(leaf)
    fingerprint = certificate_of(leaf).fingerprint()
    shouted = fingerprint.removeprefix("sha256:").upper()
    colons = ":".join(shouted[i : i + 2] for i in range(0, 64, 2))
    for pins in ([fingerprint], ["sha256:" + "0" * 64, shouted], [colons]):
        blocking = request_with(pinnedFingerprints=tuple(pins))
        assert blocking.get(server.url) is OK, blocking.errorMessage()
    lax = request_with(TlsSettings(verify=False, pinnedFingerprints=(fingerprint,)))
    assert lax.get(server.url) is OK
    seen = len(server.requests)
    for settings in (
        TlsSettings(caData=authority.cert_pem.bytes(), pinnedFingerprints=("0" * 64,)),
        TlsSettings(verify=False, pinnedFingerprints=("0" * 64,)),
    ):
        blocking = request_with(settings)
        for _ in range(5):
            assert blocking.get(server.url) is NET
            text = f"SSL handshake failed: the certificate's fingerprint is {fingerprint}, which is not pinned"
            assert blocking.errorMessage() == f"{text} ({server.url})"
            assert enum_value(blocking.reply().error()) == QtNetworkError.SslHandshakeFailedError
            assert blocking.reply().peerCertificate() == certificate_of(leaf)
    assert len(server.requests) == seen


def test_no_request_reaches_a_server_that_is_not_pinned(
    request_with: RequestWith, authority: trustme.CA, start: Start
) -> None:
    server = start(authority.issue_cert("127.0.0.1"))
    codes: list[ErrorCode] = []

    def work() -> None:
        blocking = request_with(pinnedFingerprints=("0" * 64,))
        codes.extend(blocking.get(server.url) for _ in range(10))
        codes.extend(blocking.post(server.url, b"secret") for _ in range(10))

    threads = [threading.Thread(target=work) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert codes == [NET] * 200
    assert server.requests == []


# -- ignored errors


def test_ignored_errors_of_one_certificate(
    request_with: RequestWith, authority: trustme.CA, stranger: trustme.CA, start: Start
) -> None:
    ca = authority.cert_pem.bytes()
    for leaf, kinds in (
        (authority.issue_cert("127.0.0.1", not_after=EXPIRED), [Kind.CertificateExpired]),
        (authority.issue_cert("internal.test"), [Kind.HostNameMismatch]),
        (stranger.issue_cert("127.0.0.1"), [Kind.UnableToGetLocalIssuerCertificate]),
        (self_signed(), [Kind.SelfSignedCertificate]),
        (
            stranger.issue_cert("internal.test", not_after=EXPIRED),
            [Kind.CertificateExpired, Kind.UnableToGetLocalIssuerCertificate, Kind.HostNameMismatch],
        ),
    ):
        server = start(leaf)
        errors = tuple(TlsError(kind, certificate_of(leaf)) for kind in kinds)
        blocking = request_with(TlsSettings(caData=ca, ignoredErrors=errors))
        for _ in range(3):
            assert blocking.get(server.url) is OK, blocking.errorMessage()
            reported = tuple(replace(error, host="") for error in blocking.reply().sslErrors())
            assert reported == errors or len(server.requests) > 1
        assert blocking.post(server.url, b"data") is OK
        # errors of the same kinds of another certificate are not ignored
        other = tuple(TlsError(kind, certificate_of(stranger.issue_cert("x.test"))) for kind in kinds)
        assert request_with(TlsSettings(caData=ca, ignoredErrors=other)).get(server.url) is NET
        # errors of other kinds of this certificate are not ignored
        wrong = tuple(TlsError(kind, certificate_of(leaf)) for kind in Kind if kind not in kinds)
        assert request_with(TlsSettings(caData=ca, ignoredErrors=wrong)).get(server.url) is NET
        # ignoring only some of the errors is not enough
        if len(errors) > 1:
            assert request_with(TlsSettings(caData=ca, ignoredErrors=errors[1:])).get(server.url) is NET
        assert len(server.requests) == 4
        # no other request reuses these connections
        assert request_with(TlsSettings(caData=ca)).get(server.url) is NET


# -- the handler


def test_handler_accepts_errors(request_with: RequestWith, stranger: trustme.CA, start: Start) -> None:
    leaf = stranger.issue_cert("internal.test")
    server = start(leaf)
    asked: list[Any] = []

    def accept(errors: list[TlsError], chain: list[Certificate]) -> list[TlsError]:
        asked.append((errors, chain[0], threading.get_ident()))
        return errors

    blocking = request_with(handler=accept)
    finished: list[None] = []
    blocking.finished.connect(lambda: finished.append(None))
    assert blocking.post(server.url, b"once") is OK, blocking.errorMessage()
    ((errors, certificate, thread_id),) = asked
    assert [error.kind for error in errors] == [Kind.UnableToGetLocalIssuerCertificate, Kind.HostNameMismatch]
    assert errors[1].text() == "the certificate is for internal.test, not for 127.0.0.1"
    assert certificate == certificate_of(leaf)
    assert thread_id == threading.get_ident()
    assert [request.partition(b"\r\n\r\n")[2] for request in server.requests] == [b"once"]
    assert blocking.reply().history() == () and len(finished) == 1
    # the handler is called again for the next call, in the thread of that call
    result: list[ErrorCode] = []
    thread = threading.Thread(target=lambda: result.append(blocking.get(server.url)))
    thread.start()
    thread.join(30)
    assert result == [OK]
    assert asked[1][2] == thread.ident


@pytest.mark.parametrize("answer", [None, [], "some"])
def test_handler_refuses_errors(answer: Any, request_with: RequestWith, stranger: trustme.CA, start: Start) -> None:
    server = start(stranger.issue_cert("internal.test"))
    asked: list[None] = []

    def decline(errors: list[TlsError], chain: list[Certificate]) -> Any:
        asked.append(None)
        return errors[:1] if answer == "some" else answer

    blocking = request_with(handler=decline)
    assert blocking.get(server.url) is NET
    assert blocking.errorMessage().startswith("SSL handshake failed: the issuer")
    assert len(asked) == 1 and server.requests == []
    # neither an accepted nor a refused connection affects other requests
    assert request_with(handler=lambda errors, chain: errors).get(server.url) is OK
    assert request_with().get(server.url) is NET
    assert blocking.get(server.url) is NET


def test_handler_that_raises_ends_the_call(request_with: RequestWith, stranger: trustme.CA, start: Start) -> None:
    def broken(errors: list[TlsError], chain: list[Certificate]) -> None:
        raise KeyError("mine")

    server = start(stranger.issue_cert("127.0.0.1"))
    blocking = request_with(handler=broken)
    with pytest.raises(KeyError, match="mine"):
        blocking.get(server.url)
    assert blocking.reply().errorCode() is ErrorCode.CanceledError
    with pytest.raises(TypeError, match="an SSL error handler must be callable, int is not"):
        NetworkAccessManager().setSslErrorHandler(5)  # type: ignore[arg-type]


def test_handler_cancels_the_call(request_with: RequestWith, stranger: trustme.CA, start: Start) -> None:
    server = start(stranger.issue_cert("127.0.0.1"))
    made: list[BlockingNetworkRequest] = []

    def cancel(errors: list[TlsError], chain: list[Certificate]) -> list[TlsError]:
        made[0].abort()
        return errors

    made.append(request_with(handler=cancel))
    assert made[0].get(server.url) is ErrorCode.CanceledError
    assert server.requests == []


# -- a request's own QSslConfiguration


def own_configuration(authority: trustme.CA, url: str) -> QtNetwork.QNetworkRequest:
    request = QtNetwork.QNetworkRequest(QtCore.QUrl(url))
    configuration = QtNetwork.QSslConfiguration.defaultConfiguration()
    configuration.setCaCertificates([QtNetwork.QSslCertificate(authority.cert_pem.bytes())])
    request.setSslConfiguration(configuration)
    return request


def test_strict_request_does_not_reuse_a_lax_connection(
    request_with: RequestWith, authority: trustme.CA, start: Start
) -> None:
    server = start(authority.issue_cert("127.0.0.1"))
    strict = request_with(TlsSettings())
    lax = request_with(TlsSettings(verify=False))
    for _ in range(2):
        assert strict.get(server.url) is NET
        assert lax.get(server.url) is OK
        assert request_with().get(server.url) is OK
        if has_tls():
            assert strict.get(own_configuration(authority, server.url)) is OK, strict.errorMessage()
            assert strict.reply().body == b"secret"
    assert len(server.requests) == (6 if has_tls() else 4)


def test_peer_verify_mode_of_the_request(request_with: RequestWith, authority: trustme.CA, start: Start) -> None:
    """Also if Qt itself has no TLS."""
    server = start(authority.issue_cert("internal.test"))
    request = QtNetwork.QNetworkRequest(QtCore.QUrl(server.url))
    configuration = QtNetwork.QSslConfiguration.defaultConfiguration()
    configuration.setPeerVerifyMode(QtNetwork.QSslSocket.PeerVerifyMode.VerifyNone)
    request.setSslConfiguration(configuration)
    blocking = request_with()
    assert blocking.get(request) is OK, blocking.errorMessage()
    assert blocking.get(server.url) is NET


def test_pins_of_the_manager_apply_to_a_request_with_own_configuration(
    request_with: RequestWith, authority: trustme.CA, start: Start
) -> None:
    server = start(authority.issue_cert("127.0.0.1"))
    request = QtNetwork.QNetworkRequest(QtCore.QUrl(server.url))
    configuration = QtNetwork.QSslConfiguration.defaultConfiguration()
    configuration.setPeerVerifyMode(QtNetwork.QSslSocket.PeerVerifyMode.VerifyNone)
    request.setSslConfiguration(configuration)
    blocking = request_with(pinnedFingerprints=("0" * 64,))
    assert blocking.get(request) is NET
    assert "which is not pinned" in blocking.errorMessage()
    assert server.requests == []


def test_configuration_that_needs_qt_is_refused(authority: trustme.CA, start: Start) -> None:
    server = start(authority.issue_cert("127.0.0.1"))
    request = own_configuration(authority, server.url)
    blocking = BlockingNetworkRequest()
    blocking.setEngine("python")
    if has_tls():
        configuration = request.sslConfiguration()
        configuration.setCiphers(configuration.ciphers()[:1])
        request.setSslConfiguration(configuration)
    assert blocking.get(request) is NET
    what = "ciphers" if has_tls() else "CA certificates"
    assert f"the request's QSslConfiguration sets {what}, which only Qt's own TLS can use" in blocking.errorMessage()
    assert "setTlsSettings()" in blocking.errorMessage()
    assert server.connections == 0


@needs_tls_in_qt
def test_client_certificate_and_peer_name_are_not_used_for_another_origin(
    engine: str, authority: trustme.CA, start: Start
) -> None:
    other = start(authority.issue_cert("127.0.0.1"), redirecting, trusts=authority)
    elsewhere = start(authority.issue_cert("internal.test"), redirecting)
    first = start(authority.issue_cert("internal.test", "127.0.0.1"), redirecting, trusts=authority)
    mine = authority.issue_cert("me@internal.test")
    request = own_configuration(authority, f"{first.url}/to/{other.url}/")
    configuration = request.sslConfiguration()
    configuration.setLocalCertificate(QtNetwork.QSslCertificate(mine.cert_chain_pems[0].bytes()))
    configuration.setPrivateKey(QtNetwork.QSslKey(mine.private_key_pem.bytes(), QtNetwork.QSsl.KeyAlgorithm.Ec))
    request.setSslConfiguration(configuration)
    blocking = BlockingNetworkRequest()
    blocking.setEngine(engine)
    assert blocking.get(request) is OK, blocking.errorMessage()
    assert (first.client_names, other.client_names) == (["me@internal.test"], [])  # type: ignore[attr-defined]
    named = own_configuration(authority, f"{first.url}/to/{elsewhere.url}/")
    named.setPeerVerifyName("internal.test")
    assert blocking.get(named) is NET
    assert len(blocking.reply().history()) == 1
    assert elsewhere.requests == []


def test_client_certificate_of_the_settings_is_not_sent_to_another_origin(
    request_with: RequestWith, authority: trustme.CA, start: Start, tmp_path: Path
) -> None:
    other = start(authority.issue_cert("127.0.0.1"), redirecting, trusts=authority)
    first = start(authority.issue_cert("127.0.0.1"), redirecting, trusts=authority)
    blocking = request_with(clientCertificate=bundle(authority.issue_cert("me@home.test"), tmp_path))
    assert blocking.get(f"{first.url}/to/{other.url}/") is OK, blocking.errorMessage()
    assert (first.client_names, other.client_names) == (["me@home.test"], [])  # type: ignore[attr-defined]


# -- the values of TlsSettings


@pytest.mark.parametrize(
    ("settings", "kind", "message"),
    [
        ({"verify": "/path/ca.pem"}, TypeError, "verify must be True or False"),
        ({"trust": "mozilla"}, ValueError, "trust must be 'system', 'certifi' or None, not 'mozilla'"),
        ({"minimumVersion": "TLSv1.2"}, ValueError, "minimumVersion must be one of 1.0, 1.1, 1.2, 1.3 or None"),
        ({"minimumVersion": "1.3", "maximumVersion": "1.2"}, ValueError, "must not be greater"),
        ({"clientKey": "key.pem"}, ValueError, "a clientKey needs its clientCertificate"),
        ({"pinnedFingerprints": "ab"}, TypeError, "must be a list of fingerprints, not one"),
        ({"pinnedFingerprints": ["abc"]}, ValueError, "'sha256:' and 64 hexadecimal digits, not 'abc'"),
        ({"ignoredErrors": ["expired"]}, TypeError, r"must be TlsErrors, not str: reply.sslErrors\(\) returns them"),
        ({"caData": 5}, TypeError, "caData must be PEM as bytes, not int"),
    ],
)
def test_invalid_settings(settings: dict[str, Any], kind: type[Exception], message: str) -> None:
    with pytest.raises(kind, match=message):
        TlsSettings(**settings)


def test_settings_are_compared_and_immutable(authority: trustme.CA) -> None:
    first, second = (TlsSettings(caData=authority.cert_pem.bytes(), verify=False) for _ in range(2))
    assert first == second and hash(first) == hash(second)
    with pytest.raises(AttributeError):
        first.verify = True  # type: ignore[misc]
    with pytest.raises(TypeError, match="tlsSettings must be TlsSettings or None, not dict"):
        NetworkAccessManager().setTlsSettings({})  # type: ignore[arg-type]


# -- callers: without an application, batches, threads


def test_without_an_application(authority: trustme.CA, start: Start, tmp_path: Path) -> None:
    good = start(authority.issue_cert("127.0.0.1"))
    expired = start(authority.issue_cert("127.0.0.1", not_after=EXPIRED))
    path = tmp_path / "ca.pem"
    path.write_bytes(authority.cert_pem.bytes())
    program = f"""
import threading
from blocking_request import *
manager = NetworkAccessManager.instance()
manager.setTlsSettings(TlsSettings(caFile={str(path)!r}))
def work():
    blocking = BlockingNetworkRequest()
    print(blocking.get({good.url!r}).name, blocking.reply().engine(), flush=True)
    print(blocking.get({expired.url!r}).name, blocking.errorMessage().partition(" expired")[0], flush=True)
work()
thread = threading.Thread(target=work); thread.start(); thread.join()
"""
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, timeout=60, text=True, check=False)
    assert run.returncode == 0, run.stderr
    lines = ["NoError python", 'NetworkError SSL handshake failed: the certificate of "127.0.0.1"']
    assert run.stdout.splitlines() == lines * 2


def test_slow_caller_causes_no_timeout_in_a_batch(engine: str, authority: trustme.CA, start: Start) -> None:
    server = start(authority.issue_cert("127.0.0.1"))  # closes each connection
    manager = NetworkAccessManager()
    manager.setEngine(engine)
    manager.setTlsSettings(TlsSettings(caData=authority.cert_pem.bytes()))
    manager.setTimeout(1_500)
    results = manager.getMany([f"{server.url}/{number}" for number in range(5)], maxConcurrent=2)
    codes = codes_with_an_absence(results, 2, 2.0)
    assert codes == [OK] * 5


def test_many_threads_over_tls(request_with: RequestWith, authority: trustme.CA, start: Start) -> None:
    def echo(connection: Connection) -> None:
        while (request := connection.read_request()) is not None:
            connection.respond(request)

    server = start(authority.issue_cert("127.0.0.1"), echo)
    results: list[bool] = []

    def work(number: int) -> None:
        blocking = request_with()
        for turn in range(20):
            code = blocking.post(f"{server.url}/{number}/{turn}", b"x" * 1000)
            results.append(code is OK and blocking.reply().body.startswith(b"POST /%d/%d " % (number, turn)))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert results == [True] * 320


# -- handshake failures in each kind of thread

EXPECTED_MESSAGES = {
    "good": "",
    "expired": 'the certificate of "127.0.0.1" expired on 2020-02-03',
    "wrong host": "the certificate is for internal.test, not for 127.0.0.1",
    "self-signed": 'the certificate of "a box in the cellar" is self-signed',
    "unknown issuer": 'the issuer "Strangers Ltd" of the certificate is not known here',
    "client certificate wanted": "the server wants a client certificate, and none was given",
    "TLS 1.0 only": "the server speaks no version of TLS that is allowed here",
    "closes in the handshake": "Connection closed without an answer",
    "never answers": "no data moved for 400 ms",
}


@pytest.fixture(scope="module")
def server_urls(authority: trustme.CA, stranger: trustme.CA) -> Iterator[dict[str, str]]:
    leaf = authority.issue_cert("127.0.0.1")
    servers: dict[str, RawServer] = {
        "good": TlsServer(leaf),
        "expired": TlsServer(authority.issue_cert("127.0.0.1", not_after=EXPIRED)),
        "wrong host": TlsServer(authority.issue_cert("internal.test")),
        "self-signed": TlsServer(self_signed()),
        "unknown issuer": TlsServer(stranger.issue_cert("127.0.0.1")),
        "client certificate wanted": TlsServer(leaf, trusts=authority, requires=True),
        "TLS 1.0 only": TlsServer(leaf, versions=("TLSv1", "TLSv1")),
        "closes in the handshake": RawServer(lambda connection: connection.sock.recv(10) and None),  # type: ignore[arg-type]
        "never answers": RawServer(silence),
    }
    yield {name: server.url.replace("http:", "https:") for name, server in servers.items()}
    for server in servers.values():
        server.close()


def assert_failure(name: str, code: str, message: str, seconds: float) -> None:
    kind = {"": "NoError", "no data moved for 400 ms": "TimeoutError"}.get(EXPECTED_MESSAGES[name], "NetworkError")
    assert code == kind, (name, message)
    assert EXPECTED_MESSAGES[name] in message, name
    assert seconds < 2.5, name


@pytest.mark.parametrize("context", ["main thread", "thread", "QThread"])
@pytest.mark.parametrize("name", EXPECTED_MESSAGES)
def test_handshake_failures(name: str, context: str, request_with: RequestWith, server_urls: dict[str, str]) -> None:
    outcome: list[Any] = []

    def work() -> None:
        blocking = request_with()
        blocking.setTimeout(400 if name == "never answers" else 10_000)
        code = blocking.get(server_urls[name])
        outcome.extend((code.name, blocking.errorMessage(), blocking.reply().elapsed()))

    if context == "main thread":
        work()
    elif context == "thread":
        thread = threading.Thread(target=work)
        thread.start()
        thread.join(30)
    else:

        class Thread(QtCore.QThread):
            def run(self) -> None:
                work()

        qthread = Thread()
        qthread.start()
        assert qthread.wait(30_000)
    assert_failure(name, *outcome)


def test_handshake_failures_without_an_application(
    authority: trustme.CA, server_urls: dict[str, str], tmp_path: Path
) -> None:
    path = tmp_path / "ca.pem"
    path.write_bytes(authority.cert_pem.bytes())
    program = f"""
import json
from blocking_request import *
manager = NetworkAccessManager()
manager.setTlsSettings(TlsSettings(caFile={str(path)!r}))
for name, url in {server_urls!r}.items():
    blocking = BlockingNetworkRequest(manager)
    blocking.setTimeout(400 if name == "never answers" else 10_000)
    code = blocking.get(url)
    print(json.dumps([name, code.name, blocking.errorMessage(), blocking.reply().elapsed()]), flush=True)
"""
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, timeout=60, text=True, check=False)
    assert run.returncode == 0, run.stderr
    outcomes = [json.loads(line) for line in run.stdout.splitlines()]
    assert [name for name, *_ in outcomes] == list(EXPECTED_MESSAGES)
    for each in outcomes:
        assert_failure(*each)


# -- trust of the system and of the application


@pytest.mark.parametrize("by", ["OpenSSL", "truststore"])
def test_system_trust_with_the_python_engine(by: str, authority: trustme.CA, start: Start, tmp_path: Path) -> None:
    """truststore is used if OpenSSL does not know the system's certificates; here both read SSL_CERT_FILE."""
    if by == "truststore":
        pytest.importorskip("truststore")
    server = start(authority.issue_cert("127.0.0.1"))
    path = tmp_path / "ca.pem"
    path.write_bytes(authority.cert_pem.bytes())
    program = f"""
from blocking_request import *
from blocking_request.engines.python import ssl_context
if {by == "truststore"}:
    ssl_context._openssl_knows_the_system = lambda: False
for settings in (None, TlsSettings(), TlsSettings(trust="system"), TlsSettings(trust="certifi")):
    manager = NetworkAccessManager()
    manager.setTlsSettings(settings)
    reply = manager.blockingGet({server.url!r})
    print(reply.errorCode().name, reply.engine())
"""
    run = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        timeout=60,
        text=True,
        check=False,
        env={**os.environ, "SSL_CERT_FILE": str(path)},
    )
    assert run.returncode == 0, run.stderr
    assert run.stdout.splitlines() == ["NoError python"] * 3 + ["NetworkError python"]


@needs_tls_in_qt
def test_default_configuration_of_the_application(engine: str, authority: trustme.CA, start: Start) -> None:
    server = start(authority.issue_cert("127.0.0.1"))
    blocking = BlockingNetworkRequest(NetworkAccessManager())
    blocking.setEngine(engine)
    before = QtNetwork.QSslConfiguration.defaultConfiguration()
    changed = QtNetwork.QSslConfiguration(before)
    changed.addCaCertificates(QtNetwork.QSslCertificate.fromData(authority.cert_pem.bytes()))
    assert blocking.get(server.url) is NET
    QtNetwork.QSslConfiguration.setDefaultConfiguration(changed)
    try:
        assert blocking.get(server.url) is OK, blocking.errorMessage()
    finally:
        QtNetwork.QSslConfiguration.setDefaultConfiguration(before)
    # the certificate is not trusted afterwards
    assert blocking.get(server.url) is NET


def test_https_request_prints_nothing(authority: trustme.CA, start: Start, tmp_path: Path) -> None:
    """Qt 5 from PyPI printed a warning about the system's OpenSSL in each program."""
    server = start(authority.issue_cert("127.0.0.1"))
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    program = f"""
from blocking_request import BlockingNetworkRequest, NetworkAccessManager, TlsSettings
from blocking_request.qt.binding import QtCore
app = QtCore.QCoreApplication([])
manager = NetworkAccessManager()
manager.setTlsSettings(TlsSettings(caFile={str(tmp_path / "ca.pem")!r}))
print(manager.blockingGet({server.url!r}).errorCode().name)
print(BlockingNetworkRequest(manager).post(QtCore.QUrl({server.url!r}), b"data").name)
print(BlockingNetworkRequest().get({server.url!r}).name)
"""
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert (run.stdout.split(), run.stderr) == (["NoError", "NoError", "NetworkError"], "")


@pytest.mark.parametrize("part", ["body with a length", "body without", "header", "nothing"])
def test_damaged_record(part: str, engine: str, authority: trustme.CA) -> None:
    """After the handshake, in any part of the response."""

    def damage(connection: Connection) -> None:
        connection.read_request()
        length = b"Content-Length: 100\r\n" if "length" in part else b"Server: x\r\n"
        head = b"HTTP/1.1 200 OK\r\n" + length
        connection.send({"nothing": b"", "header": head}.get(part, head + b"\r\nfirst half"))
        os.write(connection.sock.fileno(), b"\x17\x03\x03\x00\x30" + bytes(48))
        connection.wait_for_close()

    server = TlsServer(authority.issue_cert("127.0.0.1"), damage)
    manager = NetworkAccessManager()
    manager.setEngine(engine)
    manager.setTlsSettings(TlsSettings(caData=authority.cert_pem.bytes()))
    request = BlockingNetworkRequest(manager)
    assert request.get(server.url) is NET
    assert enum_value(request.reply().error()) == QtNetworkError.SslHandshakeFailedError
    if engine == "python" or "body" in part:
        assert "SSL connection broken: " in request.errorMessage() and "handshake" not in request.errorMessage()
    assert request.reply().body in (b"", b"first half")
    server.close()
