"""Bodies of requests over HTTP/2, on each engine that has TLS: bytes, and a body that is read while it is sent."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

import pytest
import trustme

from blocking_request import BlockingNetworkRequest, NetworkAccessManager, TlsSettings
from blocking_request.qt.binding import QtCore

from ..support.names import OK, REQUEST, TLS_ENGINES, Attribute
from ..support.servers.http2 import Http2Peer, Http2Request, Http2Server

LARGE = bytes(range(256)) * 2000


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def server(authority: trustme.CA) -> Iterator[Http2Server]:
    server = Http2Server(authority, lambda peer, request: peer.respond(request, b"got" + request.body))
    yield server
    server.close()


@pytest.fixture(params=TLS_ENGINES)
def blocking(request: pytest.FixtureRequest, authority: trustme.CA) -> BlockingNetworkRequest:
    manager = NetworkAccessManager()
    manager.setEngine(request.param)
    manager.setTimeout(5_000)
    manager.setTlsSettings(TlsSettings(caData=authority.cert_pem.bytes()))
    return BlockingNetworkRequest(manager)


@pytest.mark.parametrize("verb", ["POST", "PUT"])
@pytest.mark.parametrize("body", [b"", b"12345", LARGE])
@pytest.mark.parametrize("kind", [bytes, io.BytesIO])
def test_body(blocking: BlockingNetworkRequest, server: Http2Server, verb: str, body: bytes, kind: Any) -> None:
    """On PySide6, the qt engine waited for more of each body until its timeout."""
    qt_request = REQUEST(QtCore.QUrl(server.url))
    qt_request.setAttribute(Attribute.Http2AllowedAttribute, True)  # for Qt 5, which does not offer it by default
    assert blocking.sendCustomRequest(qt_request, verb, kind(body)) is OK, blocking.errorMessage()
    assert blocking.reply().body == b"got" + body and blocking.reply().httpVersion() == "HTTP/2"


@pytest.mark.parametrize(("status", "body"), [(200, b"hello"), (204, b"")])
def test_response_without_header_fields(
    blocking: BlockingNetworkRequest, authority: trustme.CA, status: int, body: bytes
) -> None:
    """Only ``:status`` is required (RFC 9113 section 8.3.2)."""

    def respond(peer: Http2Peer, request: Http2Request) -> None:
        peer.respond(request, body, status, ends=False)
        peer.h2.end_stream(request.stream)
        peer.flush()

    server = Http2Server(authority, respond)
    try:
        request = REQUEST(QtCore.QUrl(server.url))
        request.setAttribute(Attribute.Http2AllowedAttribute, True)
        assert blocking.get(request) is OK, blocking.errorMessage()
        assert (blocking.reply().statusCode(), blocking.reply().body) == (status, body)
    finally:
        server.close()


def test_version_before_the_body(blocking: BlockingNetworkRequest, server: Http2Server) -> None:
    """In a slot of ``metaDataChanged``, and in the block of a stream."""
    request = REQUEST(QtCore.QUrl(server.url))
    request.setAttribute(Attribute.Http2AllowedAttribute, True)
    versions: list[str] = []
    blocking.metaDataChanged.connect(lambda: versions.append(blocking.reply().httpVersion()))
    assert blocking.get(request) is OK, blocking.errorMessage()
    with blocking.stream(request) as chunks:
        versions.append(chunks.reply().httpVersion())
    assert versions == ["HTTP/2"] * 3
