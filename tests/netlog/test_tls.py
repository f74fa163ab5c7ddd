"""A log of calls over TLS and HTTP/2, on each engine that has TLS."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

from blocking_request import BlockingNetworkRequest, NetworkAccessManager, TlsSettings
from blocking_request.netlog import NetworkLog
from blocking_request.qt.binding import QtCore

from ..support.har_schema import entries_of_valid_har
from ..support.names import NET, OK, REQUEST, TLS_ENGINES, Attribute
from ..support.servers.http2 import Http2Server
from ..support.servers.tls import TlsServer

pytestmark = pytest.mark.parametrize("engine", TLS_ENGINES, indirect=True)


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def http2_server(authority: trustme.CA) -> Iterator[Http2Server]:
    server = Http2Server(authority, lambda peer, request: peer.respond(request, b"body"))
    yield server
    server.close()


def test_tls(engine: str, manager: NetworkAccessManager, authority: trustme.CA, tmp_path: Path) -> None:
    server = TlsServer(authority.issue_cert("127.0.0.1"))
    manager.setTlsSettings(TlsSettings(caData=authority.cert_pem.bytes()))
    request = BlockingNetworkRequest(manager)
    with NetworkLog(manager, timings=True) as log:
        assert request.get(server.url) is request.get(server.url) is OK
        manager.setTlsSettings(TlsSettings())
        assert request.get(server.url) is NET
    server.close()
    first, second, refused = log.entries()
    certificate = first.peerCertificate()
    assert certificate is not None and certificate.names() == ("127.0.0.1",)
    assert first.sessionProtocol() == second.sessionProtocol() in ("TLSv1.2", "TLSv1.3")
    assert first.sessionCipher() == second.sessionCipher() != ""
    assert (first.isReused(), second.isReused()) == (False, True)
    if engine == "python":
        assert first.timings().tls is not None and second.timings().tls is None
    assert "certificate" in refused.errorString() and refused.requestLine() == "" and refused.statusCode() is None
    entries = entries_of_valid_har(log.toHar())
    assert entries[0]["_tls"]["protocol"].startswith("TLSv1.") and "_tls" not in entries[2]
    log.saveHar(tmp_path / "calls.har")
    log.clear()
    log.loadHar(tmp_path / "calls.har")
    loaded = log.entries()[0]
    assert (loaded.sessionProtocol(), loaded.peerCertificate()) == (first.sessionProtocol(), None)


def test_http2(engine: str, manager: NetworkAccessManager, authority: trustme.CA, http2_server: Http2Server) -> None:
    manager.setTlsSettings(TlsSettings(caData=authority.cert_pem.bytes()))
    qt_request = REQUEST(QtCore.QUrl(http2_server.url + "/a?token=hunter2&b=1"))
    qt_request.setAttribute(Attribute.Http2AllowedAttribute, True)  # for Qt 5, which does not offer it by default
    with NetworkLog(manager) as log:
        headers = {"Authorization": "Bearer hunter2"}
        assert BlockingNetworkRequest(manager).get(qt_request, headers=headers) is OK
    (entry,) = log.entries()
    assert (entry.httpVersion(), entry.responseBody()) == ("HTTP/2", b"body")
    names = dict(entry.requestHeaders())
    if engine == "python":
        assert entry.requestLine() == "GET /a?token=***&b=1 HTTP/2"
        assert names[":path"] == "/a?token=***&b=1" and names["authorization"] == "Bearer ***"
    else:
        assert entry.requestLine() == ""
        assert names["Authorization"] == "Bearer ***"
    assert "--http2" in entry.asCurl() and ":path" not in entry.asCurl()
    (written,) = entries_of_valid_har(log.toHar())
    assert written["request"]["httpVersion"] == "HTTP/2" and "hunter2" not in log.toHar()
