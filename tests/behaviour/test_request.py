"""Requests as they reach the server, and their replies, for each verb and each kind of body."""

from __future__ import annotations

import base64
import io
from pathlib import Path
from typing import Any, Callable

import pytest

from blocking_request import BlockingNetworkRequest, ErrorCode, NetworkAccessManager
from blocking_request.models.failure import QtNetworkError
from blocking_request.models.http_messages import Request
from blocking_request.qt.binding import QT_VERSION, QtCore, QtNetwork, enum_value

from ..support.names import Attribute, Serve
from ..support.servers.raw import Connection, always, echo, silence

Operation = QtNetwork.QNetworkAccessManager.Operation
OPEN_READ = QtCore.QIODevice.OpenModeFlag.ReadOnly


def network_request(url: str) -> QtNetwork.QNetworkRequest:
    return QtNetwork.QNetworkRequest(QtCore.QUrl(url))


def fields(request: bytes) -> dict[bytes, bytes]:
    lines = request.partition(b"\r\n\r\n")[0].split(b"\r\n")[1:]
    return {name.lower(): value.strip() for name, _, value in (line.partition(b":") for line in lines)}


# -- verbs


def test_get(engine: str, blocking: BlockingNetworkRequest, httpbin: str) -> None:
    assert blocking.get(f"{httpbin}/get?a=1") is ErrorCode.NoError
    reply = blocking.reply()
    assert reply.statusCode() == 200
    assert reply.reasonPhrase() == "OK"
    assert reply.json()["args"] == {"a": "1"}
    assert reply.url() == QtCore.QUrl(f"{httpbin}/get?a=1")
    assert reply.operation() == Operation.GetOperation
    assert reply.engine() == engine and reply.httpVersion() == "HTTP/1.1"
    assert reply.elapsed() > 0
    assert blocking.errorMessage() == reply.errorString() == ""


@pytest.mark.parametrize("verb", ["POST", "PUT", "PATCH"])
def test_verbs_with_a_body(verb: str, blocking: BlockingNetworkRequest, httpbin: str) -> None:
    request = network_request(f"{httpbin}/anything")
    request.setRawHeader(b"Content-Type", b"text/plain")
    call = {"POST": blocking.post, "PUT": blocking.put, "PATCH": blocking.patch}[verb]
    assert call(request, b"some data") is ErrorCode.NoError  # type: ignore[operator]
    echoed = blocking.reply().json()
    assert (echoed["method"], echoed["data"]) == (verb, "some data")
    assert echoed["headers"]["Content-Type"] == "text/plain"
    assert echoed["headers"]["Content-Length"] == "9"


def test_head(blocking: BlockingNetworkRequest, httpbin: str) -> None:
    assert blocking.head(f"{httpbin}/bytes/500") is ErrorCode.NoError
    assert blocking.reply().headers["Content-Length"] == "500"
    assert blocking.reply().body == b""
    assert blocking.reply().operation() == Operation.HeadOperation


@pytest.mark.parametrize("name", ["deleteResource", "delete"])
def test_delete(name: str, blocking: BlockingNetworkRequest, httpbin: str) -> None:
    assert getattr(blocking, name)(f"{httpbin}/anything") is ErrorCode.NoError
    assert blocking.reply().json()["method"] == "DELETE"
    assert blocking.reply().operation() == Operation.DeleteOperation


@pytest.mark.parametrize("verb", ["OPTIONS", "PROPFIND", "M-SEARCH", b"REPORT", "get", "GET", "HEAD", "DELETE"])
@pytest.mark.parametrize("data", [None, b"", b"body"])
def test_custom_verb(verb: Any, data: Any, blocking: BlockingNetworkRequest, serve: Serve) -> None:
    server = serve(answer_unless_head)
    if verb == "HEAD" and data:
        assert blocking.sendCustomRequest(server.url, verb, data) is ErrorCode.NetworkError
        assert "A HEAD request carries no body" in blocking.errorMessage()
        return
    assert blocking.sendCustomRequest(server.url, verb, data) is ErrorCode.NoError
    text = {"get": "GET", b"REPORT": "REPORT"}.get(verb, verb)
    (request,) = server.requests
    assert request.startswith(text.encode() + b" / HTTP/1.1\r\n")
    assert request.endswith(b"\r\n\r\n" + (data or b""))
    length = fields(request).get(b"content-length")
    if data:
        assert length == str(len(data)).encode()
    else:
        assert length in (None, b"0")
    assert blocking.reply().body == (b"" if text == "HEAD" else b"ok")
    if data is None:
        # a second request on the same connection: no bytes were left over
        assert blocking.sendCustomRequest(server.url, verb, data) is ErrorCode.NoError


def answer_unless_head(connection: Connection) -> None:
    while (request := connection.read_request()) is not None:
        if request.startswith(b"HEAD"):
            connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n")
        else:
            connection.respond(b"ok")


def test_custom_verb_of_the_request(blocking: BlockingNetworkRequest, serve: Serve) -> None:
    server = serve(always())
    request = network_request(server.url)
    request.setAttribute(Attribute.CustomVerbAttribute, "SEARCH")
    assert blocking.sendCustomRequest(request, b"") is ErrorCode.NoError
    assert server.requests[0].startswith(b"SEARCH / ")


def test_error_codes_of_statuses_as_in_qt(blocking: BlockingNetworkRequest, serve: Serve) -> None:
    statuses = {
        200: 0, 201: 0, 204: 0, 300: 0, 304: 0, 400: 302, 401: 204, 402: 299, 403: 201, 404: 203, 405: 202, 407: 105,
        409: 206, 410: 207, 418: 302, 422: 299, 429: 299, 500: 401, 501: 402, 502: 499, 503: 403, 504: 499, 599: 499,
        799: 499,
    }  # fmt: skip
    for status, error in statuses.items():
        body = b"" if status in (204, 304) else b"why"
        server = serve(always(body, f"{status} Reason"))
        code = blocking.get(server.url)
        reply = blocking.reply()
        assert code is (ErrorCode.ServerExceptionError if status >= 400 else ErrorCode.NoError), status
        assert enum_value(reply.error()) == error, status
        assert reply.statusCode() == status
        assert reply.body == body
        if status == 401:
            assert blocking.errorMessage() == f"Host requires authentication (401, {server.url})"
        elif status == 407:
            assert blocking.errorMessage() == f"Proxy requires authentication (407, {server.url})"
        elif status >= 400:
            assert blocking.errorMessage() == f"Error transferring {server.url} - server replied: Reason ({status})"


def test_error_body_is_decoded(blocking: BlockingNetworkRequest, serve: Serve) -> None:
    import gzip

    server = serve(always(gzip.compress(b'{"why": "no"}'), "422 Unprocessable", "Content-Encoding: gzip\r\n"))
    assert blocking.get(server.url) is ErrorCode.ServerExceptionError
    assert blocking.reply().json() == {"why": "no"}


def test_standard_reason_for_a_status_without_one(blocking: BlockingNetworkRequest, serve: Serve) -> None:
    server = serve(always(b"", "404 "))
    blocking.get(server.url)
    assert blocking.errorMessage() == f"Error transferring {server.url} - server replied: Not Found (404)"


# -- the sent request


def test_default_headers(blocking: BlockingNetworkRequest, serve: Serve) -> None:
    server = serve(always())
    blocking.get(server.url)
    sent = fields(server.requests[0])
    assert sent[b"user-agent"].startswith(b"blocking-request/")
    assert b"gzip" in sent[b"accept-encoding"]
    assert b"content-length" not in sent
    assert b"authorization" not in sent
    assert b"cache-control" not in sent


def test_headers_of_the_request_take_precedence(blocking: BlockingNetworkRequest, serve: Serve) -> None:
    server = serve(always())
    request = network_request(server.url)
    request.setRawHeader(b"User-Agent", b"mine")
    request.setRawHeader(b"X-Latin", "é".encode("latin-1"))
    request.setRawHeader(b"Cookie", b"a=b")
    request.setHeader(QtNetwork.QNetworkRequest.KnownHeaders.ContentTypeHeader, "text/xml")
    blocking.post(request, b"<a/>")
    sent = fields(server.requests[0])
    assert sent[b"user-agent"] == b"mine"
    assert sent[b"x-latin"] == b"\xe9"
    assert sent[b"cookie"] == b"a=b"
    assert sent[b"content-type"] == b"text/xml"


def test_empty_header_does_not_replace_the_default(blocking: BlockingNetworkRequest, serve: Serve) -> None:
    server = serve(always())
    request = network_request(server.url)
    for name in (b"User-Agent", b"Accept-Encoding"):
        request.setRawHeader(name, b"")
    assert blocking.get(request) is ErrorCode.NoError
    sent = fields(server.requests[0])
    assert sent[b"user-agent"].startswith(b"blocking-request/") and b"gzip" in sent[b"accept-encoding"]


def test_own_accept_encoding_leaves_the_body_encoded(blocking: BlockingNetworkRequest, httpbin: str) -> None:
    request = network_request(f"{httpbin}/gzip")
    request.setRawHeader(b"Accept-Encoding", b"gzip")
    assert blocking.get(request) is ErrorCode.NoError
    assert blocking.reply().body.startswith(b"\x1f\x8b")
    assert blocking.get(f"{httpbin}/gzip") is ErrorCode.NoError
    assert blocking.reply().json()["gzipped"] is True


def test_request_is_not_modified(blocking: BlockingNetworkRequest, serve: Serve) -> None:
    server = serve(always())
    request = network_request(server.url)
    request.setRawHeader(b"X-Mine", b"1")
    before = QtNetwork.QNetworkRequest(request)
    blocking.get(request, forceRefresh=True)
    blocking.post(request, b"x")
    assert request == before
    assert list(request.rawHeaderList()) == [QtCore.QByteArray(b"X-Mine")] or len(request.rawHeaderList()) == 1


def test_force_refresh_sends_no_cache(blocking: BlockingNetworkRequest, serve: Serve) -> None:
    server = serve(always())
    blocking.get(server.url, True)
    request = network_request(server.url)
    always_network = enum_value(QtNetwork.QNetworkRequest.CacheLoadControl.AlwaysNetwork)
    request.setAttribute(Attribute.CacheLoadControlAttribute, always_network)
    blocking.get(request)
    for sent in map(fields, server.requests):
        assert (sent[b"cache-control"], sent[b"pragma"]) == (b"no-cache", b"no-cache")


def test_always_cache_without_a_cache_sends_nothing(blocking: BlockingNetworkRequest, serve: Serve) -> None:
    server = serve(always())
    request = network_request(server.url)
    always_cache = enum_value(QtNetwork.QNetworkRequest.CacheLoadControl.AlwaysCache)
    request.setAttribute(Attribute.CacheLoadControlAttribute, always_cache)
    assert blocking.get(request) is ErrorCode.NetworkError
    assert enum_value(blocking.reply().error()) == QtNetworkError.ContentNotFoundError
    assert server.requests == []


def test_userinfo_is_sent_as_basic_credentials_and_redacted(blocking: BlockingNetworkRequest, httpbin: str) -> None:
    host = httpbin.partition("//")[2]
    assert blocking.get(f"http://us%20er:p%40ss@{host}/basic-auth/us er/p@ss") is ErrorCode.NoError
    assert "p%40ss" not in blocking.reply().url().toString()
    assert blocking.get(f"http://user:wrong@{host}/basic-auth/user/pass") is ErrorCode.ServerExceptionError
    assert "wrong" not in blocking.errorMessage()
    # the next request does not use them
    assert blocking.get(f"{httpbin}/basic-auth/us er/p@ss") is ErrorCode.ServerExceptionError


def test_userinfo_outside_latin_1_is_sent_as_utf_8(blocking: BlockingNetworkRequest, serve: Serve) -> None:
    """RFC 7617 section 2.1."""
    server = serve(always())
    assert blocking.get(f"http://us:пар@127.0.0.1:{server.port}/") is ErrorCode.NoError
    assert fields(server.requests[0])[b"authorization"] == b"Basic " + base64.b64encode("us:пар".encode())


def test_long_urls_are_not_remembered(on_qt: BlockingNetworkRequest) -> None:
    import gc

    for number in range(5):
        url = "data:text/plain," + "x" * 100_000 + str(number)
        assert on_qt.get(url) is ErrorCode.NoError
    on_qt.get("nonsense:")
    kept = [text for text in gc.get_objects() if isinstance(text, Request) and len(text.url) > 100_000]
    assert kept == []


def test_default_content_type_of_qt(blocking: BlockingNetworkRequest, serve: Serve) -> None:
    server = serve(always())
    blocking.post(server.url, b"a=b")
    blocking.put(server.url, b"a=b")
    assert fields(server.requests[0])[b"content-type"] == b"application/x-www-form-urlencoded"
    assert b"content-type" not in fields(server.requests[1])


def test_content_length_of_the_caller_is_ignored(blocking: BlockingNetworkRequest, serve: Serve) -> None:
    server = serve(always())
    request = network_request(server.url)
    request.setRawHeader(b"Content-Length", b"5")
    assert blocking.get(request) is ErrorCode.NoError
    assert blocking.post(request, b"longer than five") is ErrorCode.NoError
    assert b"content-length" not in fields(server.requests[0])
    assert server.requests[1].endswith(b"longer than five")


# -- bodies


class Trickle(QtCore.QIODevice):
    """A sequential device written in Python."""

    def __init__(self, data: bytes) -> None:
        super().__init__()
        self._data = data
        self.open(OPEN_READ)

    def isSequential(self) -> bool:
        return True

    def bytesAvailable(self) -> int:
        return len(self._data) + super().bytesAvailable()

    def readData(self, maxlen: int) -> bytes:
        piece, self._data = self._data[: min(maxlen, 7)], self._data[min(maxlen, 7) :]
        return piece


def qbuffer(data: bytes) -> QtCore.QBuffer:
    buffer = QtCore.QBuffer()
    buffer.setData(data)
    buffer.open(OPEN_READ)
    return buffer


def qfile(data: bytes, folder: Path) -> QtCore.QFile:
    path = folder / "data"
    path.write_bytes(data)
    file = QtCore.QFile(str(path))
    file.open(OPEN_READ)
    return file


def binary_file(data: bytes, folder: Path) -> io.BufferedReader:
    path = folder / "data"
    path.write_bytes(data)
    return path.open("rb")


@pytest.mark.parametrize(
    "make",
    [
        lambda data, folder: data,
        lambda data, folder: bytearray(data),
        lambda data, folder: memoryview(data),
        lambda data, folder: QtCore.QByteArray(data),
        lambda data, folder: io.BytesIO(data),
        lambda data, folder: qbuffer(data),
        qfile,
        lambda data, folder: Trickle(data),
        binary_file,
    ],
    ids=["bytes", "bytearray", "memoryview", "QByteArray", "BytesIO", "QBuffer", "QFile", "sequential", "file"],
)
@pytest.mark.parametrize("size", [0, 1, 5_000])
def test_types_of_bodies(
    make: Callable[[bytes, Path], Any], size: int, blocking: BlockingNetworkRequest, serve: Serve, tmp_path: Path
) -> None:
    data = bytes(range(256)) * 20
    server = serve(always(b"ok"))
    for call in (blocking.post, blocking.put, blocking.patch):
        body = make(data[:size], tmp_path)
        assert call(server.url, body) is ErrorCode.NoError, blocking.errorMessage()
        if hasattr(body, "close"):
            body.close()
    for request in server.requests:
        assert request.partition(b"\r\n\r\n")[2] == data[:size]
        assert fields(request)[b"content-length"] == str(size).encode()
    assert len(server.requests) == 3


def test_no_data_is_an_empty_body(blocking: BlockingNetworkRequest, serve: Serve) -> None:
    server = serve(always(b"ok"))
    for call in (blocking.post, blocking.put, blocking.patch):
        assert call(server.url, None) is ErrorCode.NoError
    assert [fields(request)[b"content-length"] for request in server.requests] == [b"0"] * 3


def test_device_is_read_from_its_position(blocking: BlockingNetworkRequest, serve: Serve, tmp_path: Path) -> None:
    server = serve(always(b"ok"))
    buffer = qbuffer(b"0123456789")
    buffer.seek(4)
    file = io.BytesIO(b"0123456789")
    file.seek(7)
    blocking.post(server.url, buffer)
    blocking.post(server.url, file)
    assert [request.partition(b"\r\n\r\n")[2] for request in server.requests] == [b"456789", b"789"]


def test_large_body(blocking: BlockingNetworkRequest, serve: Serve) -> None:
    server = serve(always(b"ok"))
    data = bytes(range(256)) * 40_000
    assert blocking.put(server.url, data) is ErrorCode.NoError
    assert server.requests[0].partition(b"\r\n\r\n")[2] == data


@pytest.mark.parametrize("size", [0, 10, 100_000])
@pytest.mark.parametrize("verb", ["POST", "PUT", "PATCH", "DELETE", "PROPPATCH"])
@pytest.mark.parametrize("fault", ["close", "reset", "partial header"])
def test_body_is_sent_at_most_once(
    size: int, verb: str, fault: str, blocking: BlockingNetworkRequest, serve: Serve
) -> None:
    """Also on a connection that was used before, which the server closes after it has read the request."""

    def handle(connection: Connection) -> None:
        while (request := connection.read_request()) is not None:
            if request.startswith(b"GET"):
                connection.respond(b"warm")
                continue
            if fault == "partial header":
                connection.send(b"HTTP/1.1 200 OK\r\nContent-")
            if fault == "reset":
                connection.reset()
            return

    for warm in (False, True):
        # Another origin each time: after a reset Qt may have used up its attempts to connect (docs/limits.rst).
        server = serve(handle)
        if warm:
            assert blocking.get(server.url) is ErrorCode.NoError
        before = len(server.requests)
        assert blocking.sendCustomRequest(server.url, verb, b"x" * size) is ErrorCode.NetworkError
        assert enum_value(blocking.reply().error()) == QtNetworkError.RemoteHostClosedError
        assert "Connection closed" in blocking.errorMessage()
        # Qt 6.9 takes an empty body for none, and repeats an idempotent method (docs/limits.rst).
        is_repeated = blocking.engine() == "qt" and (verb, size) == ("DELETE", 0) and (6,) <= QT_VERSION < (6, 10)
        assert len(server.requests) - before in (range(1, 5) if is_repeated else (1,))


# -- local schemes


def test_local_schemes_allow_get_only(on_qt: BlockingNetworkRequest, tmp_path: Path) -> None:
    path = tmp_path / "a file"
    path.write_bytes(b"local")
    url = QtCore.QUrl.fromLocalFile(str(path))
    assert on_qt.get(url) is ErrorCode.NoError
    assert on_qt.reply().body == b"local"
    assert on_qt.reply().statusCode() is None
    assert on_qt.get("data:text/plain;base64,aGVsbG8=") is ErrorCode.NoError
    assert on_qt.reply().text() == "hello"
    for code in (on_qt.head(url), on_qt.put(url, b"overwritten"), on_qt.deleteResource(url)):
        assert code is ErrorCode.NetworkError
    assert "can be read with GET only" in on_qt.errorMessage()
    assert path.read_bytes() == b"local"
    path.unlink()
    assert on_qt.get(url) is ErrorCode.NetworkError
    assert enum_value(on_qt.reply().error()) == QtNetworkError.ContentNotFoundError


def test_empty_local_file(on_qt: BlockingNetworkRequest, tmp_path: Path) -> None:
    path = tmp_path / "empty"
    path.touch()
    assert on_qt.get(QtCore.QUrl.fromLocalFile(str(path))) is ErrorCode.NoError
    assert on_qt.reply().body == b""


def test_python_engine_refuses_local_schemes(blocking: BlockingNetworkRequest) -> None:
    blocking.setEngine("python")
    assert blocking.get("file:///etc/hostname") is ErrorCode.NetworkError
    assert blocking.errorMessage().startswith(
        "The python engine cannot read file: URLs, only Qt can: use setEngine('qt')"
    )


# -- the object


def test_state_before_the_first_call(blocking: BlockingNetworkRequest) -> None:
    assert blocking.errorMessage() == ""
    assert blocking.reply().requestId() == -1
    assert blocking.reply().statusCode() is None
    blocking.abort()  # does nothing


def test_finished_signal_is_emitted_once_and_last(blocking: BlockingNetworkRequest, httpbin: str) -> None:
    heard: list[Any] = []
    blocking.downloadProgress.connect(lambda done, total: heard.append("progress"))
    blocking.redirected.connect(lambda url: heard.append(url.path()))
    blocking.finished.connect(lambda: heard.append(blocking.reply().statusCode()))
    blocking.get(f"{httpbin}/redirect-to?url=/bytes/10")
    assert heard == ["/bytes/10", "progress", 200]
    heard.clear()
    blocking.get("nonsense:")
    assert heard == [None]


def test_progress(blocking: BlockingNetworkRequest, serve: Serve) -> None:
    server = serve(always(b"z" * 8_000_000))
    down: list[tuple[int, int]] = []
    up: list[tuple[int, int]] = []
    blocking.downloadProgress.connect(lambda done, total: down.append((done, total)))
    blocking.uploadProgress.connect(lambda done, total: up.append((done, total)))
    assert blocking.post(server.url, b"a" * 300_000) is ErrorCode.NoError
    assert down[-1] == (8_000_000, 8_000_000)
    assert down == sorted(down) and len(down) == len(set(down))
    assert up[-1] == (300_000, 300_000)
    assert up == sorted(up)


def test_progress_beyond_two_gigabytes_does_not_overflow(blocking: BlockingNetworkRequest) -> None:
    heard: list[tuple[int, int]] = []
    blocking.downloadProgress.connect(lambda done, total: heard.append((done, total)))
    blocking.downloadProgress.emit(5_000_000_000, -1)
    assert heard == [(5_000_000_000, -1)]


def test_error_codes_equal_those_of_qgis() -> None:
    assert BlockingNetworkRequest.NoError == BlockingNetworkRequest.ErrorCode.NoError == 0  # type: ignore[comparison-overlap]
    assert BlockingNetworkRequest.NetworkError == 1
    assert BlockingNetworkRequest.TimeoutError == 2
    assert BlockingNetworkRequest.ServerExceptionError == 3
    assert BlockingNetworkRequest.CanceledError == 4


def test_precedence_of_timeouts(serve: Serve) -> None:
    manager = NetworkAccessManager()
    assert (manager.timeout(), manager.deadline()) == (60_000, 0)
    manager.setTimeout(300)
    manager.setUserAgent("agent 7")
    server = serve(silence)
    blocking = BlockingNetworkRequest(manager)
    assert blocking.timeout() == 300
    assert blocking.get(server.url) is ErrorCode.TimeoutError
    assert "300 ms" in blocking.errorMessage()
    assert fields(server.requests[0])[b"user-agent"] == b"agent 7"
    blocking.setTimeout(200)
    assert blocking.get(server.url) is ErrorCode.TimeoutError
    assert "200 ms" in blocking.errorMessage()
    request = network_request(server.url)
    request.setTransferTimeout(150)
    assert blocking.get(request) is ErrorCode.TimeoutError
    assert "150 ms" in blocking.errorMessage()
    blocking.setTimeout(0)
    blocking.setDeadline(250)
    assert blocking.get(server.url) is ErrorCode.TimeoutError
    assert "deadline of 250 ms" in blocking.errorMessage()


def test_blocking_get_and_post_of_the_manager(httpbin: str) -> None:
    manager = NetworkAccessManager.instance()
    assert manager is NetworkAccessManager.instance()
    assert manager.blockingGet(f"{httpbin}/get").statusCode() == 200
    assert manager.blockingPost(f"{httpbin}/post", b"a=1").json()["form"] == {"a": "1"}


def test_repeated_shutdown_and_next_request(blocking: BlockingNetworkRequest, httpbin: str) -> None:
    manager = NetworkAccessManager.instance()
    for _ in range(3):
        assert blocking.get(f"{httpbin}/status/204") is ErrorCode.NoError
        manager.shutdown()
        manager.shutdown()


def test_dot_segments_are_removed(blocking: BlockingNetworkRequest, serve: Serve) -> None:
    """They are removed once, above the engines, so cookies and caches see the URL that is sent (RFC 3986 section 5.2.4)."""
    server = serve(echo)
    manager = NetworkAccessManager()
    manager.setEngine(blocking.engine())
    for path, sent in (("/a/../b", b"/b"), ("/a/%2e%2e/b", b"/b"), ("/foo/bar/..", b"/foo/")):
        assert blocking.get(server.url + path) is ErrorCode.NoError
        assert blocking.reply().body.startswith(b"GET " + sent + b" HTTP/1.1")
        assert blocking.reply().url().path().encode() == sent
        (result,) = manager.getMany([server.url + path])
        assert result.reply.body.startswith(b"GET " + sent + b" HTTP/1.1")
