"""TLS handshakes of the python engine: trust, the errors of refused certificates, and clean-up."""

from __future__ import annotations

import os
import ssl
import sys
import time
from collections.abc import Iterator
from typing import Any, Callable, Optional

import pytest
import trustme

from blocking_request import TlsError, TlsErrorKind, TlsSettings
from blocking_request.engines.python import tls as tls_module
from blocking_request.engines.python.channel import Channel
from blocking_request.engines.python.failures import ConnectionLost, TransferFailed
from blocking_request.engines.python.ssl_context import context_for, lenient_context
from blocking_request.engines.python.tls import Tls
from blocking_request.engines.python.tls_channel import NestedTlsChannel, TlsChannel, TlsStream
from blocking_request.engines.python.tls_session import verified_certificates
from blocking_request.engines.wanted import Steps
from blocking_request.models.failure import QtNetworkError
from blocking_request.models.tls import TlsSession, TlsUnusable

from ...support.certificates import Issued, certificate_of, self_signed
from ...support.drive_steps import connected, drive, receive_some, send_all, wait_for
from ...support.servers.raw import Connection, Handler, RawServer
from ...support.servers.relay import relay_to
from ...support.servers.tls import EXPIRED, FUTURE, Start, TlsServer
from ...support.waiting import eventually

Kind = TlsErrorKind
HOST = "127.0.0.1"
REQUEST = b"GET / HTTP/1.1\r\n\r\n"


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def stranger() -> trustme.CA:
    return trustme.CA(organization_name="Strangers Ltd")


@pytest.fixture
def start() -> Iterator[Start]:
    servers: list[TlsServer] = []

    def run(certificate: Optional[trustme.LeafCert], handler: Optional[Handler] = None, **options: Any) -> TlsServer:
        kind = options.pop("kind", TlsServer)
        servers.append(kind(certificate, handler, **options))
        return servers[-1]

    yield run
    for server in servers:
        server.close()


@pytest.fixture
def serve() -> Iterator[Callable[[Handler], RawServer]]:
    servers: list[RawServer] = []

    def run(handler: Handler) -> RawServer:
        servers.append(RawServer(handler))
        return servers[-1]

    yield run
    for server in servers:
        server.close()


Serve = Callable[[Handler], RawServer]


@pytest.fixture
def make_tls() -> Iterator[Callable[..., Tls]]:
    """Return a function that creates a Tls that trusts one authority."""
    yield lambda authority, **more: Tls(TlsSettings(caData=authority.cert_pem.bytes(), **more))


MakeTls = Callable[..., Tls]


def begin(tls: Tls, server: RawServer, host: str = HOST, **more: Any) -> tuple[TlsStream, TlsSession]:
    return drive(tls.start(connected(server.port), host, **more))


def succeed(tls: Tls, server: RawServer, host: str = HOST) -> TlsSession:
    """Connect, send one request, check its response and return the session."""
    stream, session = begin(tls, server, host)
    drive(send_all(stream, REQUEST))
    assert drive(receive_some(stream)).endswith(b"secret")
    stream.close()
    assert eventually(lambda: server.open_connections == 0)
    return session


def fail(tls: Tls, server: RawServer, host: str = HOST) -> TransferFailed:
    """Check that the handshake fails and leaves no connection; return the failure."""
    requests = len(server.requests)
    with pytest.raises(TransferFailed) as caught:
        begin(tls, server, host)
    assert eventually(lambda: server.open_connections == 0)
    assert len(server.requests) == requests
    assert caught.value.failure.error is QtNetworkError.SslHandshakeFailedError
    return caught.value


def assert_refused(tls: Tls, server: RawServer, text: str, *kinds: TlsErrorKind) -> None:
    error = fail(tls, server)
    assert error.failure.text == f"SSL handshake failed: {text}"
    assert error.session is not None
    assert [each.kind for each in error.session.errors] == list(kinds)
    assert {each.host for each in error.session.errors} == {HOST}
    assert error.session.protocol == ""


# -- certificates that are trusted


@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_trusted_certificate(version: str, authority: trustme.CA, start: Start, make_tls: MakeTls) -> None:
    leaf = authority.issue_cert(HOST, "localhost")
    server = start(leaf, versions=(f"TLSv{version.replace('.', '_')}",) * 2)
    tls = make_tls(authority)
    for host in (HOST, "localhost", "LOCALHOST", "localhost."):
        session = succeed(tls, server, host)
        assert session.protocol == f"TLSv{version}"
        assert session.cipher
        assert session.certificates == (certificate_of(leaf),)
        assert session.errors == ()
    assert server.handshakes == server.connections == 4


def test_ipv6_address(authority: trustme.CA, start: Start, make_tls: MakeTls) -> None:
    server = start(authority.issue_cert("::1"))
    for host in ("::1", "[::1]", "::1%eth0", "[0:0::1]"):
        succeed(make_tls(authority), server, host)
    error = fail(make_tls(authority), server, "[::2]")
    assert "the certificate is for ::1, not for ::2" in error.failure.text


def test_common_name_without_subject_alternative_names(start: Start) -> None:
    root = Issued("Root", hosts=(), is_authority=True)
    server = start(Issued("localhost", root, hosts=()).leaf())
    tls = Tls(TlsSettings(caData=root.pem))
    succeed(tls, server, "localhost")
    error = fail(tls, server, "internal.test")
    assert error.failure.text == "SSL handshake failed: the certificate is for localhost, not for internal.test"


def test_common_name_is_ignored_with_subject_alternative_names(start: Start) -> None:
    root = Issued("Root", hosts=(), is_authority=True)
    tls = Tls(TlsSettings(caData=root.pem))
    error = fail(tls, start(Issued("localhost", root, hosts=("internal.test",)).leaf()), "localhost")
    assert error.failure.text == "SSL handshake failed: the certificate is for internal.test, not for localhost"


def test_wildcard(authority: trustme.CA, start: Start, make_tls: MakeTls) -> None:
    server = start(authority.issue_cert("*.example.org"))
    succeed(make_tls(authority), server, "www.example.org")
    for host in ("a.b.example.org", "example.org"):
        assert "the certificate is for *.example.org, not for" in fail(make_tls(authority), server, host).failure.text


def test_verify_false(stranger: trustme.CA, start: Start) -> None:
    leaf = stranger.issue_cert("internal.test", not_after=EXPIRED)
    session = succeed(Tls(TlsSettings(verify=False)), start(leaf))
    assert session.certificates == (certificate_of(leaf),)
    assert session.errors == ()


@pytest.mark.skipif(sys.version_info < (3, 10), reason="Python 3.9 does not tell the chain")
def test_chain(start: Start) -> None:
    root = Issued("Root", hosts=(), is_authority=True)
    between = Issued("Between", root, hosts=(), is_authority=True)
    leaf = Issued("leaf", between)
    stream, session = begin(Tls(TlsSettings(caData=root.pem)), start(leaf.leaf(between)))
    assert session.certificates == (leaf.value, between.value)
    assert verified_certificates(stream.ssl_object) == (leaf.value, between.value, root.value)
    stream.close()


def test_application_protocol(authority: trustme.CA, start: Start, make_tls: MakeTls) -> None:
    server = start(authority.issue_cert(HOST))
    server.context.set_alpn_protocols(["h2", "http/1.1"])
    tls = make_tls(authority)
    for alpn, selected in (((), None), (("http/1.1",), "http/1.1"), (("h2", "http/1.1"), "h2")):
        stream, _ = begin(tls, server, alpn=alpn)
        assert stream.ssl_object.selected_alpn_protocol() == selected
        stream.close()
        assert tls.context_for(alpn) is tls.context_for(alpn)
    assert tls.context is tls.context_for(())


@pytest.mark.parametrize("trust", [None, "system", "certifi"])
def test_trust_stores_without_the_issuer(trust: Optional[str], authority: trustme.CA, start: Start) -> None:
    error = fail(Tls(TlsSettings(trust=trust)), start(authority.issue_cert(HOST)))
    assert "is not known here" in error.failure.text


def test_context_of_truststore(authority: trustme.CA, start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    truststore = pytest.importorskip("truststore")
    server = start(authority.issue_cert(HOST))
    context = truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    monkeypatch.setattr(tls_module, "context_for", lambda settings, alpn=(), offer=None: context)
    with pytest.raises(TransferFailed, match="is not accepted"):  # the context of the probe is the same
        begin(Tls(TlsSettings()), server)
    context.load_verify_locations(cadata=authority.cert_pem.bytes().decode())
    stream, session = begin(Tls(TlsSettings()), server)
    assert type(stream) is NestedTlsChannel
    assert session.protocol == "TLSv1.3"
    drive(send_all(stream, REQUEST))
    assert drive(receive_some(stream)).endswith(b"secret")
    stream.close()


# -- certificates that are refused


def test_expired_certificate(authority: trustme.CA, start: Start, make_tls: MakeTls) -> None:
    server = start(authority.issue_cert(HOST, not_after=EXPIRED))
    text = 'the certificate of "127.0.0.1" expired on 2020-02-03 04:05:06 UTC'
    assert_refused(make_tls(authority), server, text, Kind.CertificateExpired)
    assert server.connections == 2


def test_certificate_not_yet_valid(authority: trustme.CA, start: Start, make_tls: MakeTls) -> None:
    text = f'the certificate of "127.0.0.1" is valid only from {FUTURE:%Y-%m-%d %H:%M:%S} UTC'
    server = start(authority.issue_cert(HOST, not_before=FUTURE))
    assert_refused(make_tls(authority), server, text, Kind.CertificateNotYetValid)


def test_wrong_host(authority: trustme.CA, start: Start, make_tls: MakeTls) -> None:
    text = "the certificate is for internal.test, *.example.org, 192.0.2.7, not for 127.0.0.1"
    server = start(authority.issue_cert("internal.test", "*.example.org", "192.0.2.7"))
    assert_refused(make_tls(authority), server, text, Kind.HostNameMismatch)


def test_unknown_issuer(authority: trustme.CA, stranger: trustme.CA, start: Start, make_tls: MakeTls) -> None:
    text = 'the issuer "Strangers Ltd" of the certificate is not known here'
    assert_refused(make_tls(authority), start(stranger.issue_cert(HOST)), text, Kind.UnableToGetLocalIssuerCertificate)


def test_self_signed_certificate(authority: trustme.CA, start: Start, make_tls: MakeTls) -> None:
    text = 'the certificate of "a box in the cellar" is self-signed and not trusted here'
    assert_refused(make_tls(authority), start(self_signed()), text, Kind.SelfSignedCertificate)


def test_self_signed_root_in_the_chain(
    authority: trustme.CA, stranger: trustme.CA, start: Start, make_tls: MakeTls
) -> None:
    leaf = stranger.issue_cert(HOST)
    own = leaf.cert_chain_pems[0].bytes()
    chained = trustme.LeafCert(leaf.private_key_pem.bytes(), own, [stranger.cert_pem.bytes()])
    text = 'the certificate of "127.0.0.1" leads to a self-signed root that is not trusted here'
    assert_refused(make_tls(authority), start(chained), text, Kind.SelfSignedCertificateInChain)


def test_several_certificate_errors(
    authority: trustme.CA, stranger: trustme.CA, start: Start, make_tls: MakeTls
) -> None:
    leaf = stranger.issue_cert("internal.test", not_after=EXPIRED)
    text = (
        'the certificate of "internal.test" expired on 2020-02-03 04:05:06 UTC; '
        'the issuer "Strangers Ltd" of the certificate is not known here; '
        "the certificate is for internal.test, not for 127.0.0.1"
    )
    kinds = (Kind.CertificateExpired, Kind.UnableToGetLocalIssuerCertificate, Kind.HostNameMismatch)
    assert_refused(make_tls(authority), start(leaf), text, *kinds)


def test_expired_root_of_the_settings(start: Start) -> None:
    root = Issued("Old root", hosts=(), is_authority=True, expired=True)
    error = fail(Tls(TlsSettings(caData=root.pem)), start(Issued("leaf", root).leaf()))
    assert error.session is not None
    assert [each.kind for each in error.session.errors] == [Kind.UnableToGetLocalIssuerCertificate]


def test_client_certificate_is_not_sent_to_a_refused_server(
    authority: trustme.CA, stranger: trustme.CA, start: Start, make_tls: MakeTls
) -> None:
    server = start(stranger.issue_cert(HOST), trusts=authority)
    mine = authority.issue_cert("me@home.test").private_key_and_cert_chain_pem.bytes()
    error = fail(make_tls(authority, clientCertificate=mine), server)
    assert error.session is not None and error.session.certificates
    assert server.client_names == []


def speaking(text: bytes) -> Handler:
    """Return a handler that reads some bytes and then sends the same text to each client."""

    def handle(connection: Connection) -> None:
        connection.sock.recv(4000)
        connection.send(text)

    return handle


class FirstConnectionOnly(TlsServer):
    """Handles the first connection normally, and later ones with ``then``."""

    then: Handler

    def _handle(self, connection: Connection) -> None:
        if self.connections == 1:
            super()._handle(connection)
        else:
            type(self).then(connection)


@pytest.mark.parametrize("then", ["closes", "is silent", "speaks HTTP", "refuses connections"])
def test_certificate_error_if_the_probe_fails(
    then: str, authority: trustme.CA, start: Start, make_tls: MakeTls, monkeypatch: pytest.MonkeyPatch
) -> None:
    handlers: dict[str, Handler] = {
        "closes": lambda connection: None,
        "is silent": lambda connection: connection.wait_for_close(),
        "speaks HTTP": speaking(b"HTTP/1.1 400 No\r\n\r\n"),
        "refuses connections": lambda connection: None,
    }
    monkeypatch.setattr(tls_module, "PATIENCE", 0.3)
    server = start(self_signed(), kind=type("Server", (FirstConnectionOnly,), {"then": staticmethod(handlers[then])}))
    opened = 0

    def open_channel() -> Steps[Channel]:
        nonlocal opened
        opened += 1
        if opened > 1 and then == "refuses connections":
            raise ConnectionRefusedError
        return (yield from connected(server.port)())

    begun = time.monotonic()
    with pytest.raises(TransferFailed) as caught:
        drive(make_tls(authority).start(open_channel, HOST))
    assert time.monotonic() - begun < 2
    assert caught.value.failure.text == (
        "SSL handshake failed: the certificate is not accepted (self-signed certificate)"
    )
    assert caught.value.session == TlsSession()
    assert eventually(lambda: server.open_connections == 0)


# -- errors that are ignored


@pytest.mark.parametrize("case", ["expired", "host", "issuer", "self-signed", "all"])
@pytest.mark.parametrize("with_host", [False, True])
def test_ignored_errors(
    case: str, with_host: bool, authority: trustme.CA, stranger: trustme.CA, start: Start, make_tls: MakeTls
) -> None:
    three = [Kind.CertificateExpired, Kind.UnableToGetLocalIssuerCertificate, Kind.HostNameMismatch]
    leaf, kinds = {
        "expired": (authority.issue_cert(HOST, not_after=EXPIRED), three[:1]),
        "host": (authority.issue_cert("internal.test"), three[2:]),
        "issuer": (stranger.issue_cert(HOST), three[1:2]),
        "self-signed": (self_signed(), [Kind.SelfSignedCertificate]),
        "all": (stranger.issue_cert("internal.test", not_after=EXPIRED), three),
    }[case]
    server = start(leaf)
    errors = tuple(TlsError(kind, certificate_of(leaf), HOST) for kind in kinds)
    ignored = errors if with_host else tuple(TlsError(kind, certificate_of(leaf)) for kind in kinds)
    tls = make_tls(authority, ignoredErrors=ignored)
    for _ in range(2):
        session = succeed(tls, server)
        assert session.errors == errors
        assert session.protocol == "TLSv1.3"
    assert server.connections == 6
    others = [Kind.UnspecifiedError if kind in kinds else kind for kind in Kind]
    requests = len(server.requests)
    for not_covering in (
        [TlsError(kind, certificate_of(stranger.issue_cert("x.test"))) for kind in kinds],
        [TlsError(kind, certificate_of(leaf)) for kind in others],
        [TlsError(kind, certificate_of(leaf), "elsewhere.test") for kind in kinds],
        ignored[1:],
    ):
        with pytest.raises(TransferFailed) as caught:
            begin(make_tls(authority, ignoredErrors=tuple(not_covering)), server)
        assert caught.value.session is not None and caught.value.session.errors == errors
    assert len(server.requests) == requests
    assert eventually(lambda: server.open_connections == 0)


def test_lenient_context_is_created_once(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    leaf = self_signed()
    contexts = []

    def count(*arguments: Any) -> ssl.SSLContext:
        contexts.append(arguments)
        return lenient_context(*arguments)

    monkeypatch.setattr(tls_module, "lenient_context", count)
    tls = Tls(TlsSettings(ignoredErrors=(TlsError(Kind.SelfSignedCertificate, certificate_of(leaf)),)))
    server = start(leaf)
    for _ in range(3):
        succeed(tls, server)
    assert len(contexts) == 1


@pytest.mark.skipif(sys.version_info < (3, 10), reason="Python 3.9 does not tell the chain")
def test_other_expired_certificates_are_not_ignored(start: Start) -> None:
    old_root = Issued("Old root", hosts=(), is_authority=True, expired=True)
    leaf = Issued("leaf", old_root, expired=True)
    named = (TlsError(Kind.CertificateExpired, leaf.value),)
    fail(Tls(TlsSettings(caData=old_root.pem, ignoredErrors=named)), start(leaf.leaf()))
    root = Issued("Root", hosts=(), is_authority=True)
    between = Issued("Between", root, hosts=(), is_authority=True, expired=True)
    leaf = Issued("leaf", between, expired=True)
    named = (TlsError(Kind.CertificateExpired, leaf.value),)
    server = start(leaf.leaf(between))
    fail(Tls(TlsSettings(caData=root.pem, ignoredErrors=named)), server)
    both = (*named, TlsError(Kind.CertificateExpired, between.value))
    succeed(Tls(TlsSettings(caData=root.pem, ignoredErrors=both)), server)


def test_changed_certificate_is_not_ignored(authority: trustme.CA, start: Start, make_tls: MakeTls) -> None:
    first, second = (authority.issue_cert(HOST, not_after=EXPIRED) for _ in range(2))

    class Changing(TlsServer):
        def _handle(self, connection: Connection) -> None:
            if self.connections == 3:
                second.configure_cert(self.context)
            super()._handle(connection)

    ignored = TlsError(Kind.CertificateExpired, certificate_of(first))
    error = fail(make_tls(authority, ignoredErrors=(ignored,)), start(first, kind=Changing))
    assert error.session is not None
    assert {each.certificate for each in error.session.errors} == {certificate_of(first), certificate_of(second)}


# -- pins


def test_pinned_fingerprint(authority: trustme.CA, start: Start, make_tls: MakeTls) -> None:
    leaf = authority.issue_cert(HOST)
    server = start(leaf)
    fingerprint = certificate_of(leaf).fingerprint()
    for pins in ((fingerprint,), ("0" * 64, fingerprint)):
        succeed(make_tls(authority, pinnedFingerprints=pins), server)
        succeed(Tls(TlsSettings(verify=False, pinnedFingerprints=pins)), server)


@pytest.mark.parametrize("verify", [True, False])
def test_wrong_fingerprint(verify: bool, authority: trustme.CA, start: Start, make_tls: MakeTls) -> None:
    leaf = authority.issue_cert(HOST)
    error = fail(make_tls(authority, verify=verify, pinnedFingerprints=("0" * 64,)), start(leaf))
    fingerprint = certificate_of(leaf).fingerprint()
    text = f"SSL handshake failed: the certificate's fingerprint is {fingerprint}, which is not pinned"
    assert error.failure.text == text
    assert error.session is not None and error.session.certificates == (certificate_of(leaf),)
    assert error.session.protocol == "TLSv1.3"


def test_pins_are_checked_with_ignored_errors(start: Start) -> None:
    leaf = self_signed()
    ignored = (TlsError(Kind.SelfSignedCertificate, certificate_of(leaf)),)
    error = fail(Tls(TlsSettings(ignoredErrors=ignored, pinnedFingerprints=("0" * 64,))), start(leaf))
    assert "which is not pinned" in error.failure.text


# -- client certificates


@pytest.mark.parametrize("version", ["TLSv1_2", "TLSv1_3"])
@pytest.mark.parametrize("requires", [True, False])
def test_client_certificate(
    version: str, requires: bool, authority: trustme.CA, start: Start, make_tls: MakeTls
) -> None:
    server = start(authority.issue_cert(HOST), trusts=authority, requires=requires, versions=(version, version))
    mine = authority.issue_cert("me@home.test")
    succeed(make_tls(authority, clientCertificate=mine.private_key_and_cert_chain_pem.bytes()), server)
    chain, key = mine.cert_chain_pems[0].bytes(), mine.private_key_pem.bytes()
    succeed(make_tls(authority, clientCertificate=chain, clientKey=key), server)
    assert server.client_names == ["me@home.test"] * 2
    if not requires:
        succeed(make_tls(authority), server)


@pytest.mark.parametrize("version", ["TLSv1_2", "TLSv1_3"])
@pytest.mark.parametrize("shown", ["none", "a stranger's"])
def test_refused_client_certificate(
    version: str, shown: str, authority: trustme.CA, stranger: trustme.CA, start: Start, make_tls: MakeTls
) -> None:
    server = start(authority.issue_cert(HOST), trusts=authority, requires=True, versions=(version, version))
    foreign = stranger.issue_cert("me@strangers.test").private_key_and_cert_chain_pem.bytes()
    tls = make_tls(authority) if shown == "none" else make_tls(authority, clientCertificate=foreign)
    try:
        stream, _ = begin(tls, server)
        drive(receive_some(stream))
    except ssl.SSLError as error:  # with TLS 1.3 the alert comes after the handshake
        assert version == "TLSv1_3"
        failure = tls.failure(error)
        stream.close()
    except TransferFailed as error:
        failure = error.failure
    text = {
        ("none", "TLSv1_3"): "the server wants a client certificate, and none was given",
        ("none", "TLSv1_2"): "the server refused the handshake; it may want a client certificate, and none was given",
    }.get((shown, version), "the server did not accept the client certificate (unknown ca)")
    assert failure.text == f"SSL handshake failed: {text}"
    assert failure.error is QtNetworkError.SslHandshakeFailedError
    assert eventually(lambda: server.open_connections == 0)


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"caFile": "/no/such.pem"}, "the file /no/such.pem cannot be read: No such file or directory"),
        ({"caData": b"rubbish"}, "the CA certificates cannot be read as PEM"),
        ({"clientCertificate": b"rubbish"}, "the client certificate"),
    ],
)
def test_unusable_settings(settings: dict[str, Any], text: str, serve: Serve) -> None:
    server = serve(lambda connection: connection.wait_for_close())
    tls = Tls(TlsSettings(**settings))
    with pytest.raises(TlsUnusable) as caught:
        _ = tls.context
    assert str(caught.value).startswith(text)
    with pytest.raises(TlsUnusable):
        begin(tls, server)
    assert server.connections == 0


def test_key_of_another_certificate(authority: trustme.CA, tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    one, other = (authority.issue_cert("me@home.test") for _ in range(2))
    chain, key = one.cert_chain_pems[0].bytes(), other.private_key_pem.bytes()
    with pytest.raises(TlsUnusable, match="the client key does not belong to the client certificate"):
        context_for(TlsSettings(clientCertificate=chain, clientKey=key))
    assert list(tmp_path.iterdir()) == []


# -- servers that fail


def test_old_version_of_tls(authority: trustme.CA, start: Start, make_tls: MakeTls) -> None:
    text = "SSL handshake failed: the server speaks no version of TLS that is allowed here"
    old = start(authority.issue_cert(HOST), versions=("TLSv1", "TLSv1"))
    assert fail(make_tls(authority), old).failure.text == text
    newer = start(authority.issue_cert(HOST), versions=("TLSv1_2", "TLSv1_2"))
    assert fail(make_tls(authority, minimumVersion="1.3"), newer).failure.text == text
    newest = start(authority.issue_cert(HOST), versions=("TLSv1_3", "TLSv1_3"))
    assert fail(make_tls(authority, maximumVersion="1.2"), newest).failure.text == text


@pytest.mark.parametrize(
    "greeting", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\0garbage garbage", b"SSH-2.0-OpenSSH\r\n"]
)
def test_server_without_tls(greeting: bytes, authority: trustme.CA, serve: Serve, make_tls: MakeTls) -> None:
    server = serve(speaking(greeting))
    text = "the server does not speak TLS there; if it speaks plain HTTP, use http://"
    assert fail(make_tls(authority), server).failure.text == f"SSL handshake failed: {text}"


@pytest.mark.parametrize("when", ["at once", "in the handshake", "after a byte"])
@pytest.mark.parametrize("how", ["close", "reset"])
def test_server_closes_in_the_handshake(
    when: str, how: str, authority: trustme.CA, serve: Serve, make_tls: MakeTls
) -> None:
    def handle(connection: Connection) -> None:
        if when != "at once":
            connection.sock.recv(4000)
        if when == "after a byte":
            connection.send(b"\x16")
            time.sleep(0.05)
        if how == "reset":
            connection.reset()

    server = serve(handle)
    for pause in (0.0, 0.1):

        def open_channel(pause: float = pause) -> Steps[Channel]:
            channel = yield from connected(server.port)()
            time.sleep(pause)
            return channel

        with pytest.raises(ConnectionLost):
            drive(make_tls(authority).start(open_channel, HOST))
    assert eventually(lambda: server.open_connections == 0)


def test_connect_errors_are_raised_unchanged(authority: trustme.CA, make_tls: MakeTls) -> None:
    def open_channel() -> Steps[Channel]:
        raise ConnectionRefusedError
        yield

    with pytest.raises(ConnectionRefusedError):
        drive(make_tls(authority).start(open_channel, HOST))


def test_invalid_host_name(authority: trustme.CA, make_tls: MakeTls) -> None:
    host = "a" * 64 + ".test"
    with pytest.raises(TransferFailed, match=f"Host {host} not found") as caught:
        drive(make_tls(authority).start(connected(1), host))
    assert caught.value.failure.error is QtNetworkError.HostNotFoundError


@pytest.mark.parametrize("before", [0, 5, 900])
def test_cancel_while_the_server_is_silent(before: int, authority: trustme.CA, serve: Serve, make_tls: MakeTls) -> None:
    hello = b"\x16\x03\x03\x10\x00\x02\x00\x0f\xfc\x03\x03" + bytes(1000)
    ended: list[bytes] = []

    def handle(connection: Connection) -> None:
        connection.sock.recv(4000)
        connection.send(hello[:before])
        ended.append(connection.sock.recv(10))

    server = serve(handle)
    steps = make_tls(authority).start(connected(server.port), HOST)
    with pytest.raises(TimeoutError):
        drive(steps, 0.2)
    assert eventually(lambda: ended == [b""], 1)


@pytest.mark.parametrize("ignores", [False, True])
def test_cancel_at_each_step(ignores: bool, start: Start) -> None:
    leaf = self_signed()
    server = start(leaf)
    ignored = (TlsError(Kind.SelfSignedCertificate, certificate_of(leaf)),) if ignores else ()
    descriptors = len(os.listdir("/proc/self/fd")) if sys.platform == "linux" else 0
    for count in range(1, 30):
        steps = Tls(TlsSettings(ignoredErrors=ignored)).start(connected(server.port), HOST)
        try:
            for _ in range(count):
                wait_for(next(steps), 0.5)
        except TransferFailed:
            assert not ignores
            break
        except StopIteration as stop:
            assert ignores
            stop.value[0].close()
            break
        steps.close()
        assert eventually(lambda: server.open_connections == 0, 2)
    else:
        raise AssertionError("the handshakes never ended")
    assert count > (2 if ignores else 1)  # how many waits there are depends on how the bytes come
    assert eventually(lambda: server.open_connections == 0, 2)
    if sys.platform == "linux":
        assert eventually(lambda: len(os.listdir("/proc/self/fd")) <= descriptors, 2)


@pytest.mark.parametrize("version", ["TLSv1_2", "TLSv1_3"])
def test_handshake_byte_by_byte(
    version: str, authority: trustme.CA, serve: Serve, start: Start, make_tls: MakeTls
) -> None:
    server = start(authority.issue_cert(HOST), versions=(version, version))
    between = serve(relay_to(server.port, piece=1))
    succeed(make_tls(authority), between)


# -- TLS inside TLS


@pytest.mark.parametrize("inner", ["trusted", "refused", "ignored"])
def test_tls_in_tls(inner: str, authority: trustme.CA, start: Start, make_tls: MakeTls) -> None:
    leaf = authority.issue_cert(HOST) if inner == "trusted" else self_signed()
    server = start(leaf)
    proxy = start(authority.issue_cert("proxy.test"), relay_to(server.port))
    outer = make_tls(authority)

    def open_channel() -> Steps[Channel]:
        stream, _ = yield from outer.start(connected(proxy.port), "proxy.test")
        assert type(stream) is TlsChannel
        return stream

    ignored = (TlsError(Kind.SelfSignedCertificate, certificate_of(leaf)),) if inner == "ignored" else ()
    steps = make_tls(authority, ignoredErrors=ignored).start(open_channel, HOST)
    if inner == "refused":
        with pytest.raises(TransferFailed, match="is self-signed and not trusted here"):
            drive(steps)
    else:
        stream, session = drive(steps)
        assert type(stream) is NestedTlsChannel
        assert session.certificates == (certificate_of(leaf),)
        drive(send_all(stream, REQUEST))
        assert drive(receive_some(stream)).endswith(b"secret")
        stream.close()
    assert proxy.connections == {"trusted": 1, "refused": 2, "ignored": 3}[inner]
    assert eventually(lambda: server.open_connections + proxy.open_connections == 0)
