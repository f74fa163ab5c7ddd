"""The cache between callers and real servers, on both engines and in both stores."""

from __future__ import annotations

import gzip
import hashlib
import logging
import pickle
import sqlite3
import ssl
import threading
import time
from pathlib import Path
from typing import Any, Callable, Union

import pytest
import requests
import trustme
from urllib3.util import Retry

from blocking_request import (
    AuthConfig,
    BlockingNetworkRequest,
    ErrorCode,
    Feedback,
    NetworkAccessManager,
    NetworkDiskCache,
    NetworkMemoryCache,
    QtAdapter,
    TlsSettings,
)
from blocking_request.bodies.cache_recorder import MOST_BYTES
from blocking_request.calls import revalidation as caching
from blocking_request.qt.binding import QtCore, QtNetwork, enum_value, field_name
from blocking_request.stores.cache.base import store_of
from blocking_request.stores.cache.disk import INDEXED_BYTES, DiskStore

from ..support.marks import needs_tls_in_qt
from ..support.names import OK, REQUEST, TLS_ENGINES, Serve
from ..support.servers.raw import Connection, Handler, always
from ..support.servers.tls import TlsServer
from ..support.waiting import eventually

LOAD = REQUEST.CacheLoadControl
FRESH = "Cache-Control: max-age=1000\r\n"
STALE = 'Cache-Control: max-age=0\r\nETag: "1"\r\n'


@pytest.fixture(params=["disk", "memory"])
def cache(request: pytest.FixtureRequest, tmp_path: Path) -> Union[NetworkDiskCache, NetworkMemoryCache]:
    return NetworkDiskCache(tmp_path / "cache") if request.param == "disk" else NetworkMemoryCache()


@pytest.fixture
def manager(engine: str, manager: NetworkAccessManager, tmp_path: Path) -> NetworkAccessManager:
    manager.setCache(NetworkDiskCache(tmp_path / "cache"))
    return manager


def with_load(url: str, control: Any, **fields: str) -> QtNetwork.QNetworkRequest:
    request = REQUEST(QtCore.QUrl(url))
    request.setAttribute(REQUEST.Attribute.CacheLoadControlAttribute, enum_value(control))
    for name, value in fields.items():
        request.setRawHeader(name.encode(), value.encode())  # type: ignore[arg-type]
    return request


def revalidating(headers: str = STALE, body: bytes = b"page") -> Handler:
    """Return a handler that sends 304 to a request with the tag, and the page to all others."""

    def handle(connection: Connection) -> None:
        while True:
            request = connection.read_request()
            if request is None:
                return
            if b'if-none-match: "1"' in request.lower():
                connection.send(f"HTTP/1.1 304 Not Modified\r\n{headers}\r\n".encode())
            else:
                connection.respond(body, headers=headers)

    return handle


# -- behaviour


def test_fresh_response_is_served_from_the_cache(
    manager: NetworkAccessManager, cache: NetworkDiskCache, serve: Serve
) -> None:
    manager.setCache(cache)
    server = serve(always(b"page", headers=FRESH + "X-Mine: 1\r\nContent-Type: text/x-mine\r\n"))
    blocking = BlockingNetworkRequest(manager)
    assert blocking.get(server.url) is OK
    first = blocking.reply()
    assert not first.isFromCache() and first.attribute(REQUEST.Attribute.SourceIsFromCacheAttribute) is False
    assert blocking.get(server.url) is OK
    second = blocking.reply()
    assert second.isFromCache() and second.attribute(REQUEST.Attribute.SourceIsFromCacheAttribute) is True
    assert (second.statusCode(), second.reasonPhrase(), second.body) == (200, "OK", b"page")
    assert (second.headers["X-Mine"], second.headers["Content-Type"]) == ("1", "text/x-mine")
    assert int(second.headers["Age"]) < 100 and (second.engine(), second.attempts()) == ("", 0)
    assert len(server.requests) == 1
    assert cache.statistics().hits == 1
    assert pickle.loads(pickle.dumps(second)) == second and pickle.loads(pickle.dumps(second)).isFromCache()


def test_expiration_date(request_of: BlockingNetworkRequest, serve: Serve) -> None:
    server = serve(always(b"page", headers=FRESH))
    for _ in range(2):
        request_of.get(server.url)
        left = QtCore.QDateTime.currentDateTimeUtc().secsTo(request_of.reply().expirationDate())
        assert 900 < left <= 1000
    assert BlockingNetworkRequest().reply().expirationDate().isValid() is False


def test_stale_response_is_revalidated(request_of: BlockingNetworkRequest, engine: str, serve: Serve) -> None:
    server = serve(revalidating())
    for count in range(1, 4):
        assert request_of.get(server.url) is OK
        reply = request_of.reply()
        assert (reply.statusCode(), reply.body, reply.isFromCache()) == (200, b"page", count > 1)
        assert (reply.engine(), reply.attempts()) == (engine, 1)
        assert len(server.requests) == count
        # The fields that the package has added are not part of the caller's request.
        assert not reply.request().hasRawHeader(field_name(b"If-None-Match"))
    assert server.connections == 1


def test_host_header_is_part_of_the_key(request_of: BlockingNetworkRequest, serve: Serve) -> None:
    """Virtual hosts share an address; each must get its own responses."""

    def handle(connection: Connection) -> None:
        while (request := connection.read_request()) is not None:
            lines = dict(line.lower().split(b": ") for line in request.strip().split(b"\r\n")[1:])
            connection.respond(lines[b"host"], headers="Cache-Control: max-age=100\r\n")

    server = serve(handle)
    for host in (b"a.example.org", b"b.example.org", b"a.example.org"):
        request = QtNetwork.QNetworkRequest(QtCore.QUrl(server.url))
        request.setRawHeader(b"Host", host)
        assert request_of.get(request) is ErrorCode.NoError
        assert request_of.reply().body == host
    assert len(server.requests) == 2


def test_no_cache_by_default(blocking: BlockingNetworkRequest, serve: Serve) -> None:
    server = serve(always(b"page", headers=FRESH))
    for _ in range(2):
        blocking.get(server.url)
        assert not blocking.reply().isFromCache()
    assert len(server.requests) == 2


def test_threads_share_the_cache(manager: NetworkAccessManager, serve: Serve) -> None:
    server = serve(always(b"page", headers=FRESH))
    manager.blockingGet(server.url)
    found: list[bool] = []
    threads = [
        threading.Thread(target=lambda: found.append(manager.blockingGet(server.url).isFromCache())) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert found == [True] * 8 and len(server.requests) == 1


def test_post_invalidates(request_of: BlockingNetworkRequest, serve: Serve) -> None:
    server = serve(always(b"page", headers=FRESH))
    for expected in (1, 1):
        request_of.get(server.url)
        assert len(server.requests) == expected
    request_of.post(server.url, b"x")
    request_of.get(server.url)
    assert not request_of.reply().isFromCache() and len(server.requests) == 3


def test_redirects_are_cached(request_of: BlockingNetworkRequest, serve: Serve) -> None:
    def handle(connection: Connection) -> None:
        while True:
            request = connection.read_request()
            if request is None:
                return
            if request.startswith(b"GET /old"):
                connection.respond(status="301 Moved Permanently", headers="Location: /new\r\n" + FRESH)
            else:
                connection.respond(b"new", headers=FRESH)

    server = serve(handle)
    for is_again in (False, True):
        assert request_of.get(f"{server.url}/old") is OK
        reply = request_of.reply()
        assert (reply.body, reply.isFromCache(), len(reply.history())) == (b"new", is_again, 1)
        assert reply.history()[0].isFromCache() is is_again
    assert len(server.requests) == 2


def test_encoded_and_decoded_bodies_are_cached_separately(request_of: BlockingNetworkRequest, serve: Serve) -> None:
    coded = gzip.compress(b"text" * 1000)
    server = serve(always(coded, headers=FRESH + "Content-Encoding: gzip\r\n"))
    for _ in range(2):
        assert request_of.get(server.url) is OK
        assert request_of.reply().body == b"text" * 1000
    assert request_of.reply().isFromCache()
    own = REQUEST(QtCore.QUrl(server.url))
    own.setRawHeader(b"Accept-Encoding", b"gzip")  # type: ignore[arg-type]
    for _ in range(2):
        assert request_of.get(own) is OK
        assert request_of.reply().body == coded
    assert request_of.reply().isFromCache()


def test_corrupt_body_is_not_cached(request_of: BlockingNetworkRequest, serve: Serve) -> None:
    server = serve(always(gzip.compress(b"text" * 1000)[:-20], headers=FRESH + "Content-Encoding: gzip\r\n"))
    for _ in range(2):
        assert request_of.get(server.url) is ErrorCode.NetworkError
        assert not request_of.reply().isFromCache()
    assert len(server.requests) == 2


def test_stale_while_revalidate(manager: NetworkAccessManager, serve: Serve) -> None:
    headers = 'Cache-Control: max-age=0, stale-while-revalidate=1000\r\nETag: "1"\r\n'
    server = serve(revalidating(headers))
    manager.blockingGet(server.url)
    reply = manager.blockingGet(server.url)
    assert reply.isFromCache() and reply.engine() == "" and reply.httpVersion() == ""
    server.wait_for_requests(2)
    assert b"If-None-Match" in server.requests[1]


def test_stale_if_error(manager: NetworkAccessManager, serve: Serve) -> None:
    server = serve(always(b"page", headers="Cache-Control: max-age=0, stale-if-error=1000\r\n"))
    manager.blockingGet(server.url)
    server.close()
    manager.clearConnectionCache()
    reply = manager.blockingGet(server.url)
    assert (reply.errorCode(), reply.body, reply.isFromCache()) == (OK, b"page", True)


def test_progress_of_a_cached_response(manager: NetworkAccessManager, serve: Serve) -> None:
    server = serve(always(b"x" * 5000, headers=FRESH))
    blocking, feedback = BlockingNetworkRequest(manager), Feedback()
    told: list[tuple[int, int]] = []
    blocking.downloadProgress.connect(lambda done, total: told.append((done, total)))
    blocking.get(server.url)
    told.clear()
    blocking.get(server.url, False, feedback)
    assert told == [(5000, 5000)] and feedback.progress() == 100.0


def test_canceled_feedback_gets_no_cached_response(manager: NetworkAccessManager, serve: Serve) -> None:
    server = serve(always(b"page", headers=FRESH))
    manager.blockingGet(server.url)
    feedback = Feedback()
    feedback.cancel()
    assert manager.blockingGet(server.url, feedback=feedback).errorCode() is ErrorCode.CanceledError


# -- Qt's CacheLoadControl and CacheSaveControl


def test_force_refresh_stores_the_new_response(request_of: BlockingNetworkRequest, serve: Serve) -> None:
    server = serve(always(b"page", headers=FRESH + 'ETag: "1"\r\n'))
    request_of.get(server.url)
    assert request_of.get(server.url, True) is OK
    assert not request_of.reply().isFromCache() and len(server.requests) == 2
    assert b"If-None-Match" not in server.requests[1] and b"Cache-Control: no-cache" in server.requests[1]
    request_of.get(server.url)
    assert request_of.reply().isFromCache()
    request_of.head(server.url, True)
    assert not request_of.reply().isFromCache() and len(server.requests) == 3
    request_of.head(server.url)
    assert request_of.reply().isFromCache() and request_of.reply().body == b""


@pytest.mark.parametrize("control", [LOAD.PreferNetwork, LOAD.PreferCache])
def test_prefer_network_and_prefer_cache(request_of: BlockingNetworkRequest, serve: Serve, control: Any) -> None:
    server = serve(revalidating('Cache-Control: max-age=0, stale-while-revalidate=1000\r\nETag: "1"\r\n'))
    for _ in range(2):
        assert request_of.get(with_load(server.url, control)) is OK
    # PreferNetwork never returns a stale response, as Qt's documentation says.
    assert request_of.reply().engine() == ("" if control == LOAD.PreferCache else request_of.engine())


def test_always_network(request_of: BlockingNetworkRequest, serve: Serve) -> None:
    server = serve(always(b"page", headers=FRESH))
    for _ in range(2):
        assert request_of.get(with_load(server.url, LOAD.AlwaysNetwork)) is OK
        assert not request_of.reply().isFromCache()
    assert request_of.get(server.url) is OK and request_of.reply().isFromCache()


def test_always_cache_without_a_server(request_of: BlockingNetworkRequest, serve: Serve) -> None:
    server = serve(always(b"page"))
    assert request_of.get(with_load(server.url, LOAD.AlwaysCache)) is ErrorCode.NetworkError
    assert request_of.reply().error() == QtNetwork.QNetworkReply.NetworkError.ContentNotFoundError
    assert "Not in the cache" in request_of.errorMessage()
    assert request_of.reply().statusCode() is None and server.requests == []
    request_of.get(server.url)
    server.close()
    assert request_of.get(with_load(server.url, LOAD.AlwaysCache)) is OK
    assert request_of.reply().body == b"page" and request_of.reply().isFromCache()


def test_always_cache_without_a_cache(blocking: BlockingNetworkRequest, serve: Serve) -> None:
    server = serve(always(b"page", headers=FRESH))
    assert blocking.get(with_load(server.url, LOAD.AlwaysCache)) is ErrorCode.NetworkError
    assert "Not in the cache" in blocking.errorMessage() and server.requests == []


def test_save_control(request_of: BlockingNetworkRequest, serve: Serve) -> None:
    server = serve(always(b"page", headers=FRESH))
    request = REQUEST(QtCore.QUrl(server.url))
    request.setAttribute(REQUEST.Attribute.CacheSaveControlAttribute, False)
    for _ in range(2):
        request_of.get(request)
    assert len(server.requests) == 2
    request_of.get(server.url)
    request_of.get(request)
    assert request_of.reply().isFromCache() and len(server.requests) == 3


def test_qnetworkdiskcache_is_refused(manager: NetworkAccessManager) -> None:
    with pytest.raises(TypeError, match="NetworkDiskCache"):
        manager.setCache(QtNetwork.QNetworkDiskCache())  # type: ignore[arg-type]
    manager.setCache(None)
    assert manager.cache() is None


# -- partitions


def credentials_of_the_request(connection: Connection) -> None:
    """Respond with the credentials of the request, as a response that a cache may store for all."""
    while True:
        request = connection.read_request()
        if request is None:
            return
        lines = request.split(b"\r\n")
        secret = [line for line in lines if line.lower().startswith((b"authorization", b"cookie", b"x-api-key"))]
        connection.respond(b"|".join(secret) or b"nobody", headers="Cache-Control: public, max-age=1000\r\n")


@pytest.mark.parametrize(
    "config",
    [
        lambda who: AuthConfig.basic(who, "secret-word"),
        lambda who: AuthConfig.basic("user", f"secret-{who}"),
        lambda who: AuthConfig.bearer(f"secret-{who}"),
        lambda who: AuthConfig.apiKey(f"secret-{who}"),
    ],
)
def test_responses_are_not_shared_between_credentials(
    manager: NetworkAccessManager, serve: Serve, config: Callable[[str], AuthConfig]
) -> None:
    server = serve(credentials_of_the_request)
    for who in ("a", "b"):
        manager.authRegistry().store(config(who), who)
    bodies = {who: manager.blockingGet(server.url, who).body for who in ("a", "b", "")}
    assert len(set(bodies.values())) == 3 and bodies[""] == b"nobody"
    for who, body in bodies.items():
        reply = manager.blockingGet(server.url, who)
        assert reply.body == body and reply.isFromCache()
    assert len(server.requests) == 3
    assert_no_secret(manager)


def assert_no_secret(manager: NetworkAccessManager, *more: bytes) -> None:
    """The index of the cache contains no credentials."""
    cache = manager.cache()
    assert isinstance(cache, NetworkDiskCache)
    store = store_of(cache)
    assert isinstance(store, DiskStore)
    index, _ = store._opened or store._open()
    with index._pool.borrowed() as connection:
        rows = connection.execute("SELECT url, partition_key, variant, meta FROM entries").fetchall()
    assert rows
    for row in rows:
        for secret in (b"secret", b"127.0.0.1", *more):
            assert not any(secret in column.lower() for column in row), row


def test_credential_headers_of_the_caller_partition_the_cache(
    request_of: BlockingNetworkRequest, manager: NetworkAccessManager, serve: Serve
) -> None:
    server = serve(credentials_of_the_request)
    for name in ("Authorization", "Cookie", "X-Api-Key"):
        for value in ("secret-a", "secret-b"):
            request = REQUEST(QtCore.QUrl(server.url))
            request.setRawHeader(name.encode(), value.encode())  # type: ignore[arg-type]
            for is_again in (False, True):
                request_of.get(request)
                assert request_of.reply().isFromCache() is is_again
                assert request_of.reply().body.lower() == f"{name}: {value}".lower().encode()
    assert_no_secret(manager)


def test_secret_parameters_partition_the_cache(manager: NetworkAccessManager, serve: Serve) -> None:
    server = serve(always(b"page", headers=FRESH))
    manager.setSecretParameters(["X-Ticket"])  # type: ignore[arg-type]
    found = []
    for value in ("1", "2", "1"):
        request = REQUEST(QtCore.QUrl(server.url))
        request.setRawHeader(b"X-Ticket", value.encode())  # type: ignore[arg-type]
        found.append(manager.blockingGet(request).isFromCache())
    assert found == [False, False, True]


def test_userinfo_partitions_the_cache(manager: NetworkAccessManager, serve: Serve) -> None:
    server = serve(credentials_of_the_request)
    for user in ("a", "b"):
        url = server.url.replace("//", f"//{user}:secret@")
        first, second = manager.blockingGet(url), manager.blockingGet(url)
        assert first.body == second.body != b"nobody" and second.isFromCache()
    assert manager.blockingGet(server.url).body == b"nobody"
    assert_no_secret(manager)


def test_cookies_partition_the_cache(manager: NetworkAccessManager, serve: Serve) -> None:
    server = serve(credentials_of_the_request)
    bodies = set()
    for value in ("secret-a", "secret-b"):
        manager.cookieJar().clear()
        manager.cookieJar().setCookie(server.url, "session", value)
        bodies.add(manager.blockingGet(server.url).body)
        assert manager.blockingGet(server.url).isFromCache()
    manager.cookieJar().clear()
    assert manager.blockingGet(server.url).body == b"nobody" and len(bodies) == 2
    assert_no_secret(manager, b"session")


def test_set_cookie_is_not_served_from_the_cache(manager: NetworkAccessManager, serve: Serve) -> None:
    server = serve(always(b"page", headers=FRESH + "Set-Cookie: session=secret; Path=/other\r\n"))
    manager.blockingGet(server.url)
    assert len(manager.cookieJar()) == 1
    manager.cookieJar().clear()
    reply = manager.blockingGet(server.url)
    assert reply.isFromCache() and len(manager.cookieJar()) == 0
    assert_no_secret(manager, b"session")


def test_digest_user_partitions_the_cache(manager: NetworkAccessManager, httpbin: str) -> None:
    """The 401 with the challenge is not stored."""
    url = f"{httpbin}/digest-auth/auth/user/passwd"
    manager.authRegistry().store(AuthConfig.digest("user", "passwd"), "right")
    manager.authRegistry().store(AuthConfig.digest("user", "wrong"), "wrong")
    assert manager.blockingGet(url, "right").errorCode() is OK
    offline = with_load(url, LOAD.AlwaysCache)
    assert manager.blockingGet(offline, "right").body == manager.blockingGet(url, "right").body
    for who in ("wrong", ""):
        assert manager.blockingGet(offline, who).errorCode() is ErrorCode.NetworkError
        assert manager.blockingGet(url, who).statusCode() == 401


def test_credentials_of_the_handler_partition_the_cache(manager: NetworkAccessManager, httpbin: str) -> None:
    url = f"{httpbin}/basic-auth/user/passwd"
    manager.setAuthHandler(lambda realm, host, attempt: ("user", "passwd"))
    assert manager.blockingGet(url).errorCode() is OK
    assert manager.blockingGet(with_load(url, LOAD.AlwaysCache)).errorCode() is OK
    other = NetworkAccessManager()
    other.setCache(manager.cache())
    assert other.blockingGet(with_load(url, LOAD.AlwaysCache)).errorCode() is ErrorCode.NetworkError
    assert other.blockingGet(url).statusCode() == 401


@pytest.mark.parametrize("engine", TLS_ENGINES, indirect=True)
def test_cached_response_not_shared_across_trust_settings(manager: NetworkAccessManager, tmp_path: Path) -> None:
    authority = trustme.CA()
    server = TlsServer(authority.issue_cert("127.0.0.1"), always(b"page", headers=FRESH))
    try:
        manager.setTlsSettings(TlsSettings(verify=False))
        assert manager.blockingGet(server.url).errorCode() is OK
        manager.setTlsSettings(None)
        assert manager.blockingGet(server.url).errorCode() is ErrorCode.NetworkError
        trusting = TlsSettings(caData=authority.cert_pem.bytes())
        manager.setTlsSettings(trusting)
        for is_again in (False, True):
            reply = manager.blockingGet(server.url)
            assert (reply.errorCode(), reply.isFromCache()) == (OK, is_again)
        manager.setTlsSettings(None)
        assert manager.blockingGet(server.url).errorCode() is ErrorCode.NetworkError
    finally:
        server.close()


# -- streams and downloads


@pytest.mark.parametrize("size", [10, INDEXED_BYTES * 5, MOST_BYTES + 1])
def test_streams_and_downloads_use_the_cache(
    request_of: BlockingNetworkRequest, manager: NetworkAccessManager, serve: Serve, tmp_path: Path, size: int
) -> None:
    body = bytes(range(256)) * (size // 256 + 1)
    server = serve(always(body, headers=FRESH))
    is_stored = len(body) <= MOST_BYTES
    with request_of.stream(f"{server.url}/stream") as chunks:
        assert b"".join(chunks) == body
    request_of.get(f"{server.url}/stream")
    assert request_of.reply().body == body and request_of.reply().isFromCache() is is_stored
    with request_of.stream(f"{server.url}/stream") as chunks:
        assert chunks.reply().headers["Cache-Control"] == "max-age=1000"
        assert b"".join(chunks) == body
    assert request_of.reply().isFromCache()
    for is_again in (False, True):
        assert request_of.download(f"{server.url}/download", tmp_path / "file", None, is_again) is OK
        assert (tmp_path / "file").read_bytes() == body
        assert request_of.reply().isFromCache() is (is_stored and is_again)


def test_stream_is_revalidated(request_of: BlockingNetworkRequest, serve: Serve) -> None:
    server = serve(revalidating())
    for _ in range(3):
        with request_of.stream(server.url) as chunks:
            assert b"".join(chunks) == b"page"
    assert request_of.reply().isFromCache() and len(server.requests) == 3


def test_abandoned_stream_is_not_cached(request_of: BlockingNetworkRequest, serve: Serve) -> None:
    server = serve(always(b"x" * 1_000_000, headers=FRESH))
    with request_of.stream(server.url) as chunks:
        next(chunks)
    request_of.get(server.url)
    assert not request_of.reply().isFromCache() and len(request_of.reply().body) == 1_000_000


def test_rest_of_a_resumed_download_is_not_cached(
    request_of: BlockingNetworkRequest, serve: Serve, tmp_path: Path
) -> None:
    def handle(connection: Connection) -> None:
        while True:
            request = connection.read_request()
            if request is None:
                return
            if b"range: bytes=4-" in request.lower():
                headers = 'ETag: "1"\r\nContent-Range: bytes 4-7/8\r\n' + FRESH
                connection.respond(b"rest", "206 Partial Content", headers)
            elif b"GET /first" in request:
                connection.send(b'HTTP/1.1 200 OK\r\nContent-Length: 8\r\nETag: "1"\r\n\r\npart')
                return
            else:
                connection.respond(b"partrest", headers=FRESH)

    server = serve(handle)
    target = tmp_path / "file"
    assert request_of.download(f"{server.url}/first", target, resume=True) is ErrorCode.NetworkError
    assert request_of.download(f"{server.url}/first", target, resume=True) is OK
    assert target.read_bytes() == b"partrest"
    assert request_of.get(with_load(f"{server.url}/first", LOAD.AlwaysCache)) is ErrorCode.NetworkError


def test_requests_session_uses_the_cache(manager: NetworkAccessManager, serve: Serve) -> None:
    coded = gzip.compress(b"text" * 100)
    server = serve(always(coded, headers=FRESH + "Content-Encoding: gzip\r\n"))
    with requests.Session() as session:
        session.mount("http://", QtAdapter(manager))
        for _ in range(3):
            assert session.get(server.url).content == b"text" * 100
        with session.get(server.url, stream=True) as response:
            assert b"".join(response.iter_content(10)) == b"text" * 100
    assert len(server.requests) == 1


# -- a cache that cannot be used, or is cleared


def test_request_succeeds_with_an_unwritable_cache(
    manager: NetworkAccessManager, serve: Serve, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_bytes(b"")
    cache = NetworkDiskCache(tmp_path / "file" / "cache")
    manager.setCache(cache)
    server = serve(always(b"page", headers=FRESH))
    with caplog.at_level(logging.WARNING, "blocking_request"):
        for _ in range(3):
            assert manager.blockingGet(server.url).body == b"page"
    assert len(server.requests) == 3 and len(caplog.records) == 1
    assert "is disabled" in caplog.text and cache.problem()


def test_cache_cleared_during_requests(manager: NetworkAccessManager, serve: Serve) -> None:
    server = serve(always(b"x" * 50_000, headers=FRESH))
    cache, is_over, wrong = manager.cache(), threading.Event(), []
    assert cache is not None

    def get() -> None:
        while not is_over.is_set():
            reply = manager.blockingGet(server.url)
            if reply.body != b"x" * 50_000:
                wrong.append(reply.errorString())

    threads = [threading.Thread(target=get) for _ in range(8)]
    for thread in threads:
        thread.start()
    end = time.monotonic() + 1.0
    while time.monotonic() < end:
        cache.clear()
    is_over.set()
    for thread in threads:
        thread.join(30)
    assert wrong == [] and cache.problem() == ""


# -- regressions


def test_api_key_and_authorization_header_partition_the_cache(manager: NetworkAccessManager, serve: Serve) -> None:
    """One API key of a gateway for all users, and one token for each user."""
    server = serve(credentials_of_the_request)
    manager.authRegistry().store(AuthConfig.apiKey("gateway"), "header")
    manager.authRegistry().store(AuthConfig.apiKey("gateway", parameter="k"), "query")
    for config in ("header", "query"):
        bodies = []
        for user in (b"Bearer a", b"Bearer b", b"Bearer a"):
            request = REQUEST(QtCore.QUrl(server.url))
            request.setRawHeader(b"Authorization", user)  # type: ignore[arg-type]
            bodies.append(manager.blockingGet(request, config).body)
        assert bodies[0] == bodies[2] != bodies[1]


@pytest.mark.parametrize("engine", TLS_ENGINES, indirect=True)
def test_peer_verify_name_partitions_the_cache(manager: NetworkAccessManager) -> None:
    authority = trustme.CA()
    server = TlsServer(authority.issue_cert("other.example"), always(b"page", headers=FRESH))
    try:
        manager.setTlsSettings(TlsSettings(caData=authority.cert_pem.bytes()))
        request = REQUEST(QtCore.QUrl(server.url))
        request.setPeerVerifyName("other.example")
        assert manager.blockingGet(request).errorCode() is OK
        assert manager.blockingGet(server.url).errorCode() is ErrorCode.NetworkError
    finally:
        server.close()


@needs_tls_in_qt
def test_default_tls_configuration_partitions_the_cache(tmp_path: Path) -> None:
    from blocking_request.models.http_messages import Request
    from blocking_request.stores.cache.partition import partition_key

    request = Request("GET", "https://host.example/")
    usual = QtNetwork.QSslConfiguration.defaultConfiguration()
    before = partition_key(request)
    changed = QtNetwork.QSslConfiguration(usual)
    certificate = trustme.CA().issue_cert("me.example").cert_chain_pems[0].bytes()
    changed.setLocalCertificate(QtNetwork.QSslCertificate(certificate))
    try:
        QtNetwork.QSslConfiguration.setDefaultConfiguration(changed)
        assert partition_key(request) != before
        assert partition_key(request._replace(url="http://host.example/")) == b""
    finally:
        QtNetwork.QSslConfiguration.setDefaultConfiguration(usual)
    assert partition_key(request) == before


def test_content_of_the_certificate_file_partitions_the_cache(tmp_path: Path) -> None:
    from blocking_request.models.http_messages import Request
    from blocking_request.stores.cache.partition import partition_key

    found = set()
    for name in ("a", "b"):
        path = tmp_path / "me.pem"
        path.write_text(name)
        settings = TlsSettings(clientCertificate=str(path), minimumVersion=f"1.{2 if name == 'a' else 3}")
        found.add(
            (partition_key(Request("GET", "https://h/", tls=settings)) or b"").split(b"clientCertificate=")[1][:4]
        )
    assert found == {b"b'a'", b"b'b'"}


@pytest.mark.parametrize("engine", TLS_ENGINES, indirect=True)
def test_background_validation_calls_no_handler(manager: NetworkAccessManager) -> None:
    """A background validation runs in a thread of the package, in which no code of the caller may run."""
    threads: list[str] = []

    def handler(errors: Any, chain: Any) -> Any:
        threads.append(threading.current_thread().name)
        return errors

    headers = 'Cache-Control: max-age=0, stale-while-revalidate=1000\r\nETag: "1"\r\n'
    authority = trustme.CA()
    server = TlsServer(authority.issue_cert("127.0.0.1"), revalidating(headers))
    try:
        manager.setTlsSettings(TlsSettings(caData=authority.cert_pem.bytes()))
        manager.setSslErrorHandler(handler)
        assert manager.blockingGet(server.url).errorCode() is OK
        manager.clearConnectionCache()
        server.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        trustme.CA().issue_cert("127.0.0.1").configure_cert(server.context)
        assert manager.blockingGet(server.url).isFromCache()
        assert eventually(lambda: server.connections > 1)
        assert eventually(lambda: not caching._validations[0]._waiting)
        assert threads == []
    finally:
        server.close()


def test_validation_without_a_limit_of_the_body(
    manager: NetworkAccessManager, serve: Serve, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Another cache of the same folder may have room for nothing."""
    server = serve(always(b"page", headers="Cache-Control: max-age=0, stale-while-revalidate=1000\r\n"))
    manager.setMaximumBodySize(0)
    for size in (1 << 20, 3):
        manager.setCache(NetworkDiskCache(tmp_path / "cache", size))
        assert manager.blockingGet(server.url).body == b"page"


def test_number_of_validation_threads_is_limited(manager: NetworkAccessManager, serve: Serve) -> None:
    most = [0]

    def handle(connection: Connection) -> None:
        while connection.read_request() is not None:
            names = [thread.name for thread in threading.enumerate()]
            most[0] = max(most[0], sum("validation" in name for name in names))
            connection.respond(b"page", headers="Cache-Control: max-age=0, stale-while-revalidate=1000\r\n")

    server = serve(handle)
    urls = [f"{server.url}/{number}" for number in range(60)]
    for _ in range(2):
        for url in urls:
            assert manager.blockingGet(url).body == b"page"
    assert eventually(lambda: not caching._validations[0]._waiting)
    assert most[0] <= caching.VALIDATING_THREADS
    assert 60 < len(server.requests) <= 120


@pytest.mark.parametrize("value", [7, -1, "x"])
def test_invalid_load_control(request_of: BlockingNetworkRequest, serve: Serve, value: Any) -> None:
    server = serve(always(b"page", headers=FRESH))
    request = REQUEST(QtCore.QUrl(server.url))
    request.setAttribute(REQUEST.Attribute.CacheLoadControlAttribute, value)
    for _ in range(2):
        assert request_of.get(request) is OK
    assert request_of.reply().isFromCache()


def test_body_with_a_wrong_checksum_is_not_cached(
    request_of: BlockingNetworkRequest, serve: Serve, tmp_path: Path
) -> None:
    bodies = [b"wrong", b"right"]

    def handle(connection: Connection) -> None:
        while connection.read_request() is not None:
            connection.respond(bodies.pop(0) if len(bodies) > 1 else bodies[0], headers=FRESH)

    server = serve(handle)
    checksum = f"sha256:{hashlib.sha256(b'right').hexdigest()}"
    codes = [request_of.download(server.url, tmp_path / "file", checksum=checksum) for _ in range(2)]
    assert codes == [ErrorCode.NetworkError, OK]
    assert (tmp_path / "file").read_bytes() == b"right"


def test_retry_is_not_served_from_the_cache(manager: NetworkAccessManager, serve: Serve) -> None:
    statuses = ["503 Busy", "200 OK"]

    def handle(connection: Connection) -> None:
        while connection.read_request() is not None:
            connection.respond(b"page", statuses.pop(0) if len(statuses) > 1 else statuses[0], FRESH)

    server = serve(handle)
    manager.setRetry(Retry(3, status_forcelist=[503], backoff_factor=0, raise_on_status=False))
    reply = manager.blockingGet(server.url)
    assert (reply.statusCode(), reply.attempts(), len(server.requests)) == (200, 2, 2)


def test_resumable_download_after_a_get_of_an_encoded_body(
    request_of: BlockingNetworkRequest, serve: Serve, tmp_path: Path
) -> None:
    coded = gzip.compress(b"text" * 1000)

    def handle(connection: Connection) -> None:
        while True:
            request = connection.read_request()
            if request is None:
                return
            if b"encoding: identity" in request.lower():
                connection.respond(b"text" * 1000, headers=FRESH)
            else:
                connection.respond(coded, headers=FRESH + "Content-Encoding: gzip\r\n")

    server = serve(handle)
    assert request_of.get(server.url) is OK
    assert request_of.download(server.url, tmp_path / "file", resume=True) is OK
    assert (tmp_path / "file").read_bytes() == b"text" * 1000


def test_maximum_body_size_applies_to_cached_responses(manager: NetworkAccessManager, serve: Serve) -> None:
    server = serve(always(b"x" * 5000, headers=FRESH))
    assert manager.blockingGet(server.url).errorCode() is OK
    manager.setMaximumBodySize(100)
    assert manager.blockingGet(server.url).errorCode() is ErrorCode.NetworkError


def test_locked_index_delays_no_request(manager: NetworkAccessManager, serve: Serve) -> None:
    server = serve(always(b"page", headers=FRESH))
    manager.blockingGet(server.url)
    cache = manager.cache()
    assert isinstance(cache, NetworkDiskCache)
    locker = sqlite3.connect(Path(cache.cacheDirectory()) / "index.sqlite", isolation_level=None)
    locker.execute("BEGIN IMMEDIATE")
    started = time.monotonic()
    assert manager.blockingGet(server.url).isFromCache()
    assert manager.blockingGet(f"{server.url}/other").errorCode() is OK
    assert manager.blockingPost(server.url, b"x").errorCode() is OK
    assert time.monotonic() - started < 1.0
    # A URL after a POST is not served, although it could not be deleted.
    assert not manager.blockingGet(server.url).isFromCache()
    other = NetworkAccessManager()
    other.setCache(NetworkDiskCache(cache.cacheDirectory()))
    started = time.monotonic()
    assert other.blockingGet(f"{server.url}/other").errorCode() is OK
    assert time.monotonic() - started < 1.0
    locker.execute("ROLLBACK")
    locker.close()
    assert cache.problem() == ""
    manager.blockingGet(server.url)
    assert manager.blockingGet(server.url).isFromCache()
