"""``ReplyContent.sslConfiguration()``: the QSslConfiguration of a connection."""

from __future__ import annotations

import copy
import pickle
import threading
from typing import Any, Callable

import pytest
import trustme

from blocking_request import (
    BlockingNetworkRequest,
    Certificate,
    NetworkAccessManager,
    NetworkMemoryCache,
    ReplyContent,
    TlsSettings,
)
from blocking_request.qt.binding import QtCore, QtNetwork, has_tls

from ..support.certificates import certificate_of
from ..support.names import NET, OK
from ..support.servers.raw import RawServer, always
from ..support.servers.tls import Start, TlsServer

Get = Callable[..., ReplyContent]
Protocol = QtNetwork.QSsl.SslProtocol


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def get(engine: str, authority: trustme.CA) -> Get:
    """Gets a URL with some settings, and returns the reply."""

    def send(server: RawServer, **more: Any) -> ReplyContent:
        manager = NetworkAccessManager()
        manager.setTlsSettings(TlsSettings(**{"caData": authority.cert_pem.bytes(), **more}))
        request = BlockingNetworkRequest(manager)
        request.setEngine(engine)
        request.setTimeout(10_000)
        assert request.get(server.url) is OK, request.errorMessage()
        return request.reply()

    return send


def der(certificate: QtNetwork.QSslCertificate) -> bytes:
    return bytes(certificate.toDer().data())


def ca_der(authority: trustme.CA) -> bytes:
    return Certificate.fromPem(authority.cert_pem.bytes())[0].der


def is_null_without_tls(reply: ReplyContent) -> bool:
    """Check that the configuration is null if Qt has no TLS."""
    assert has_tls() or reply.sslConfiguration().isNull()
    return not has_tls()


@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_values_of_the_connection(engine: str, get: Get, start: Start, authority: trustme.CA, version: str) -> None:
    leaf = authority.issue_cert("127.0.0.1")
    reply = get(start(leaf), minimumVersion=version, maximumVersion=version)
    if is_null_without_tls(reply):
        return
    configuration = reply.sslConfiguration()
    assert isinstance(configuration, QtNetwork.QSslConfiguration) and not configuration.isNull()
    expected = getattr(Protocol, "TlsV" + version.replace(".", "_"))
    assert [der(each) for each in configuration.caCertificates()] == [ca_der(authority)]
    if engine == "qt":
        assert der(configuration.peerCertificate()) == certificate_of(leaf).der
        chain = [der(each) for each in configuration.peerCertificateChain()]
        assert chain == [each.der for each in reply.peerCertificateChain()]
        assert configuration.sessionCipher().name() == reply.sessionCipher() != ""
        assert configuration.sessionProtocol() == expected
        assert not configuration.ephemeralServerKey().isNull()
    else:
        assert configuration.peerCertificate().isNull() and configuration.sessionCipher().isNull()
        assert configuration.protocol() == expected
        assert [each.name() for each in configuration.ciphers()] == [reply.sessionCipher()]


def test_no_private_key(engine: str, get: Get, start: Start, authority: trustme.CA) -> None:
    client = authority.issue_cert("client.test")
    server = start(authority.issue_cert("127.0.0.1"), trusts=authority, requires=True)
    reply = get(server, clientCertificate=client.private_key_and_cert_chain_pem.bytes())
    assert server.client_names == ["client.test"]
    for _ in range(2):
        configuration = reply.sslConfiguration()
        assert configuration.privateKey().isNull() and configuration.sessionTicket().isEmpty()
        if not is_null_without_tls(reply):
            assert der(configuration.localCertificate()) == certificate_of(client).der
    key = client.private_key_pem.bytes()
    assert key not in pickle.dumps(reply) and key.splitlines()[1].decode() not in repr(vars(reply))


def test_copies_are_independent(get: Get, start: Start, authority: trustme.CA) -> None:
    reply = get(start(authority.issue_cert("127.0.0.1")))
    before = reply.sslConfiguration()
    changed = reply.sslConfiguration()
    changed.setCaCertificates([])
    assert reply.sslConfiguration() == before
    found: list[QtNetwork.QSslConfiguration] = []
    threads = [threading.Thread(target=lambda: found.append(reply.sslConfiguration())) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [before] * 4
    assert copy.deepcopy(reply).sslConfiguration() == before


def test_reply_outlives_the_worker(engine: str, get: Get, start: Start, authority: trustme.CA) -> None:
    leaf = authority.issue_cert("127.0.0.1")
    reply = get(start(leaf))
    NetworkAccessManager().shutdown()
    if engine == "qt":
        assert der(reply.sslConfiguration().peerCertificate()) == certificate_of(leaf).der
    assert reply.peerCertificate() == certificate_of(leaf)


def test_null_configurations(get: Get, start: Start, authority: trustme.CA) -> None:
    reply = get(start(authority.issue_cert("127.0.0.1")))
    pickled = pickle.loads(pickle.dumps(reply))
    assert pickled.sessionCipher() == reply.sessionCipher() != ""
    plain = RawServer(always(b"plain"))
    try:
        replies = [pickled, pickle.loads(pickle.dumps(pickled)), get(plain), ReplyContent()]
    finally:
        plain.close()
    assert [each.sslConfiguration().isNull() for each in replies] == [True] * 4


def test_reply_from_the_cache(engine: str, start: Start, authority: trustme.CA) -> None:
    server = start(authority.issue_cert("127.0.0.1"), always(b"x", headers="Cache-Control: max-age=60\r\n"))
    manager = NetworkAccessManager()
    manager.setEngine(engine)
    manager.setCache(NetworkMemoryCache())
    manager.setTlsSettings(TlsSettings(caData=authority.cert_pem.bytes()))
    request = BlockingNetworkRequest(manager)
    assert request.get(server.url) is OK
    assert request.reply().sslConfiguration().isNull() is not has_tls()
    assert request.get(server.url) is OK
    assert request.reply().isFromCache() and request.reply().sslConfiguration().isNull()


def test_refused_server(engine: str, start: Start) -> None:
    leaf = trustme.CA().issue_cert("127.0.0.1")
    server: TlsServer = start(leaf)
    request = BlockingNetworkRequest(NetworkAccessManager())
    request.setEngine(engine)
    assert request.get(server.url) is NET
    configuration = request.reply().sslConfiguration()
    if engine == "qt":
        assert der(configuration.peerCertificate()) == certificate_of(leaf).der
    else:
        assert configuration.isNull() is not has_tls()


def test_configuration_of_the_request(engine: str, start: Start, authority: trustme.CA) -> None:
    server = start(authority.issue_cert("127.0.0.1"))
    if not has_tls():
        return
    configuration = QtNetwork.QSslConfiguration.defaultConfiguration()
    configuration.setCaCertificates(QtNetwork.QSslCertificate.fromData(authority.cert_pem.bytes()))
    qt_request = QtNetwork.QNetworkRequest(QtCore.QUrl(server.url))
    qt_request.setSslConfiguration(configuration)
    request = BlockingNetworkRequest(NetworkAccessManager())
    request.setEngine(engine)
    assert request.get(qt_request) is OK, request.errorMessage()
    used = request.reply().sslConfiguration()
    assert [der(each) for each in used.caCertificates()] == [ca_der(authority)]
