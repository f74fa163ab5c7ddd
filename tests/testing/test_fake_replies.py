"""FakeReplies: replies of a test, below all policies."""

from __future__ import annotations

import gzip
import inspect
import io
import math
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from urllib3.util import Retry

from blocking_request import (
    AuthConfig,
    BatchRequest,
    BlockingNetworkRequest,
    ErrorCode,
    Feedback,
    NetworkAccessManager,
    NetworkMemoryCache,
    Proxy,
    RequestError,
    TlsError,
    TlsErrorKind,
    requests_session,
    route_requests,
)
from blocking_request.calls.task import POLL_SECONDS
from blocking_request.engines import choice
from blocking_request.engines.clock import clock_users
from blocking_request.models.certificate import Certificate
from blocking_request.models.failure import QtNetworkError
from blocking_request.qhttp import Http
from blocking_request.qt.binding import QtCore, QtNetwork
from blocking_request.testing import FakeReplies, SentRequest, makeReply
from blocking_request.testing.fake_replies import NoNetwork

from ..support.names import CANCELED, NET, OK, ROOT, SERVER, TIMEOUT

URL = "https://api.example.org/items"
NetworkError = QtNetwork.QNetworkReply.NetworkError
SECRET = "s3cret-value"


@pytest.fixture
def fake() -> Iterator[FakeReplies]:
    with FakeReplies() as made:
        yield made


@pytest.fixture
def manager() -> NetworkAccessManager:
    """A manager of the test, on engine auto."""
    return NetworkAccessManager()


@pytest.fixture
def blocking(manager: NetworkAccessManager) -> BlockingNetworkRequest:
    return BlockingNetworkRequest(manager)


# -- replies


def test_json(fake: FakeReplies, blocking: BlockingNetworkRequest) -> None:
    route = fake.get(f"{URL}?page=1", json=[1, "é"], status=201, reason="Made")
    assert blocking.get(f"{URL}?page=1") is OK
    reply = blocking.reply()
    assert (reply.json(), reply.statusCode(), reply.reasonPhrase(), reply.engine()) == ([1, "é"], 201, "Made", "fake")
    assert reply.headers["content-type"] == "application/json" and reply.httpVersion() == "HTTP/1.1"
    assert route.callCount == fake.callCount == 1 and route.calls == fake.calls


@pytest.mark.parametrize("engine", ["auto", "qt", "python"])
def test_each_engine_is_replaced(engine: str, fake: FakeReplies, blocking: BlockingNetworkRequest) -> None:
    fake.get(URL, body="x")
    blocking.setEngine(engine)
    assert blocking.get(URL) is OK and blocking.reply().engine() == "fake"


@pytest.mark.parametrize(
    ("body", "expected", "kind"),
    [
        (b"ab", b"ab", None),
        ("é", "é".encode(), "text/plain; charset=utf-8"),
        (bytearray(b"ab"), b"ab", None),
        (QtCore.QByteArray(b"ab"), b"ab", None),
        (io.BytesIO(b"ab"), b"ab", None),
        ([b"a", "b", b"", 5, memoryview(b"c")], b"abc", None),
        ((piece for piece in (b"a", b"b")), b"ab", None),
        (b"x" * 5_000_000, b"x" * 5_000_000, None),
        ([b"x" * 300_000] * 4, b"x" * 1_200_000, None),
        ("", b"", "text/plain; charset=utf-8"),
        ([], b"", None),
    ],
)
def test_bodies(body: Any, expected: bytes, kind: Any, fake: FakeReplies, blocking: BlockingNetworkRequest) -> None:
    fake.get(URL, body=body)
    for _ in range(2):
        assert blocking.get(URL) is OK and blocking.reply().body == expected
    assert blocking.reply().headers.get("Content-Type") == kind


def test_header_fields(fake: FakeReplies, blocking: BlockingNetworkRequest) -> None:
    fake.get(URL, headers={"X-A": ["1", "2"], "X-B": b"\xe9", "Content-Type": "a/b", "Content-Length": 2}, body="ok")
    fake.get("/pairs", headers=[("Set-Cookie", "a=1"), ("Set-Cookie", "b=2")])
    assert blocking.get(URL) is OK
    assert blocking.reply().rawHeaderPairs() == [
        (b"X-A", b"1"), (b"X-A", b"2"), (b"X-B", b"\xe9"), (b"Content-Type", b"a/b"), (b"Content-Length", b"2"),
    ]  # fmt: skip
    assert blocking.get("http://h/pairs") is OK
    assert blocking.reply().headers.getlist("set-cookie") == ("a=1", "b=2")


def test_statuses_without_body(fake: FakeReplies, blocking: BlockingNetworkRequest) -> None:
    fake.get(URL, status=204)
    fake.head(URL, body="abc")
    assert blocking.get(URL) is OK and blocking.reply().body == b""
    assert blocking.head(URL) is OK and blocking.reply().body == b""
    assert blocking.reply().rawHeader(b"Content-Length") == b"3"


def test_errors_of_http(fake: FakeReplies, blocking: BlockingNetworkRequest) -> None:
    fake.get(URL, status=404, json={"why": 1})
    assert blocking.get(URL) is SERVER and blocking.reply().json() == {"why": 1}
    assert blocking.errorMessage() == f"Error transferring {URL} - server replied: Not Found (404)"


def test_compressed_body_is_decoded(fake: FakeReplies, blocking: BlockingNetworkRequest) -> None:
    fake.get(URL, body=gzip.compress(b"x" * 1000), headers={"Content-Encoding": "gzip"})
    fake.get("/cut", body=gzip.compress(b"x" * 1000)[:-5], headers={"Content-Encoding": "gzip"})
    assert blocking.get(URL) is OK and blocking.reply().body == b"x" * 1000
    assert blocking.get("http://h/cut") is NET


def test_truncated_body(fake: FakeReplies, blocking: BlockingNetworkRequest) -> None:
    fake.get(URL, body=b"ab", headers={"Content-Length": "5"})
    assert blocking.get(URL) is NET and blocking.reply().body == b"ab" and "2" in blocking.errorMessage()


def test_body_that_breaks_off(fake: FakeReplies, blocking: BlockingNetworkRequest) -> None:
    fake.get(URL, body=[b"half", NetworkError.RemoteHostClosedError])
    fake.get("/late", body=[b"half", 90_000, b"rest"])
    assert blocking.get(URL) is NET and blocking.reply().body == b"half"
    assert blocking.get("http://h/late") is TIMEOUT and blocking.reply().body == b"half"
    assert blocking.get("http://h/late", timeout=100_000) is OK and blocking.reply().body == b"halfrest"


@pytest.mark.parametrize(
    ("error", "code", "qt_error", "message"),
    [
        (NetworkError.ConnectionRefusedError, NET, 1, "Connection refused"),
        (NetworkError.RemoteHostClosedError, NET, 2, "Connection closed without an answer"),
        (NetworkError.HostNotFoundError, NET, 3, "Host api.example.org not found"),
        (NetworkError.TimeoutError, TIMEOUT, 4, "Connection timed out"),
        (QtNetworkError.OperationCanceledError, CANCELED, 5, "Operation canceled"),
        (NetworkError.SslHandshakeFailedError, NET, 6, "SSL handshake failed"),
        (101, NET, 101, "Proxy connection refused"),
        (NetworkError.ProtocolFailure, NET, 399, "Protocol failure"),
        (ErrorCode.NetworkError, NET, 99, "Unknown error"),
        (ErrorCode.TimeoutError, TIMEOUT, 4, "Connection timed out"),
        (ErrorCode.CanceledError, CANCELED, 5, "Operation canceled"),
    ],
)
def test_errors(error: Any, code: ErrorCode, qt_error: int, message: str, fake: FakeReplies, blocking: Any) -> None:
    fake.get(URL, error=error)
    assert blocking.get(URL) is code
    assert int(getattr(blocking.reply().error(), "value", blocking.reply().error())) == qt_error
    assert blocking.errorMessage() == f"{message} ({URL})" and blocking.reply().statusCode() is None
    made = makeReply(error=error, url=URL)
    assert made.errorCode() is code and (made.errorString() == blocking.errorMessage() or qt_error == 2)


# -- which request gets which reply


@pytest.mark.parametrize(
    ("pattern", "url", "matches"),
    [
        (URL, URL, True),
        (URL, f"{URL}?a=1", True),
        (URL, f"{URL}#fragment", True),
        (URL, f"{URL}/", False),
        ("HTTPS://API.example.org:443/items", URL, True),
        ("https://h", "https://h/", True),
        ("https://h/", "https://h", True),
        ("https://h/", "http://h/", False),
        (f"{URL}?a=1&b=2", f"{URL}?b=2&a=1", True),
        (f"{URL}?a=1", f"{URL}?a=1&b=2", False),
        (f"{URL}?a=1", URL, False),
        (f"{URL}?", f"{URL}?a=1", False),
        (f"{URL}?a=*", f"{URL}?a=5", True),
        (f"{URL}?a=%20", f"{URL}?a=+", True),
        ("https://*.example.org/*", f"{URL}?a=1", True),
        ("https://*.example.org/*", "https://example.net/.example.org/x", False),
        ("https://h/*", "https://h", True),
        ("https://h/*", "https://h/?a=1", True),
        ("https://h*", "https://h/", True),
        ("https://h/*", "https://hh/", False),
        ("*/items", URL, True),
        ("*", URL, True),
        ("/items", URL, True),
        ("/items?a=1", f"{URL}?a=1", True),
        ("/item", URL, False),
        ("/*/b", "http://h/a/b", True),
        ("https://h/ä", "https://h/%C3%A4", True),
        ("https://h/a.c", "https://h/abc", False),
        ("*/ä", "https://h/%C3%A4", True),
        ("*://h/a", "https://h/a", True),
        ("http://h:*/a", "http://h:8080/a", True),
        ("http://h:*/a", "http://h/a", True),
        ("http://h:*/a", "http://hh:8080/a", False),
        ("http://*:8080/a", "http://h:8080/a", True),
        ("http://*:8080/a", "http://h/a", False),
        ("https://u:p@h/a", "https://u:p@h/a", True),
        ("https://u:p@h/a", "https://h/a", True),
        ("https://h/*a*b*", "https://h/xaxbx", True),
        ("https://h/*a*b*", "https://h/xbxax", False),
        ("https://h/ab*b", "https://h/ab", False),
        (f"{URL}?a=*&a=1", f"{URL}?a=1&a=2", True),
        (f"{URL}?a=*&a=1", f"{URL}?a=0&a=1", True),
        (f"{URL}?a=*&a=1", f"{URL}?a=2&a=3", False),
        (f"{URL}?a=*&a=*", f"{URL}?a=2&a=3", True),
        (f"{URL}?a=*&b=*", f"{URL}?a=2&a=3", False),
        (QtCore.QUrl(URL), URL, True),
        (re.compile(r"item.$"), URL, True),
        (re.compile(r"^item"), URL, False),
        (lambda request: request.method == "GET", URL, True),
        (None, URL, True),
    ],
)
def test_patterns(pattern: Any, url: str, matches: bool, fake: FakeReplies, blocking: Any) -> None:
    fake.get(pattern)
    assert (blocking.get(url) is OK) is matches
    assert "lambda" in repr(fake.get(pattern)) or repr(fake.get(pattern)).startswith("<FakeRoute GET ")


def test_patterns_with_many_wildcards_take_little_time(fake: FakeReplies, blocking: Any) -> None:
    fake.get("https://h/" + "*a" * 50 + "*b")
    fake.get("https://" + "*a*a*a*a*a*a." * 6 + "c/")
    began = time.monotonic()
    assert blocking.get("https://h/" + "a" * 3000) is NET and blocking.get("https://" + "aa." * 60 + "b/") is NET
    assert time.monotonic() - began < 5


def test_methods(fake: FakeReplies, blocking: BlockingNetworkRequest) -> None:
    for name in ("get", "head", "post", "put", "patch", "delete", "deleteResource", "options"):
        getattr(fake, name)(f"/{name}")
    fake.add("propfind", "/propfind")
    fake.add(None, "/any")
    assert blocking.get("http://h/get") is OK and blocking.head("http://h/head") is OK
    assert blocking.post("http://h/post", b"1") is OK and blocking.put("http://h/put", b"1") is OK
    assert blocking.patch("http://h/patch", b"1") is OK and blocking.delete("http://h/delete") is OK
    assert blocking.deleteResource("http://h/deleteResource") is OK and blocking.options("http://h/options") is OK
    assert (
        blocking.sendCustomRequest("http://h/propfind", "PROPFIND") is OK and blocking.post("http://h/any", b"") is OK
    )
    assert blocking.get("http://h/post") is NET
    fake.assertAllCalled()


def test_sequences(fake: FakeReplies, blocking: BlockingNetworkRequest) -> None:
    def bodies(count: int) -> list[str]:
        texts = []
        for _ in range(count):
            blocking.get(URL)
            texts.append(blocking.reply().text() or blocking.errorMessage()[:10])
        return texts

    fake.get(URL, body="1")
    route = fake.get(URL, body="2").then(error=NetworkError.ConnectionRefusedError).then(body="4")
    assert bodies(5) == ["1", "2", "Connection", "4", "4"] and route.callCount == 5
    fake.reset()
    route = fake.get(URL, [makeReply(body="1"), lambda _: makeReply(body="2")])
    route.then([makeReply(body="3"), makeReply(body="4")])
    assert bodies(5) == ["1", "2", "3", "4", "4"]
    fake.reset()
    fake.get(URL, body="1", times=2)
    fake.get(URL, body="2")
    assert bodies(3) == ["1", "1", "2"]
    fake.reset()
    fake.get(URL, body="first")
    fake.get("*", body="second")
    assert bodies(1) == ["first"]


def test_function_of_the_request(fake: FakeReplies, blocking: BlockingNetworkRequest) -> None:
    def reply(request: SentRequest) -> Any:
        assert request.json() == {"a": 1} and threading.current_thread() is threading.main_thread()
        return makeReply(json={"got": request.params["q"], "status": request.headers["x-a"]}, status=202)

    fake.post(URL, reply)
    assert blocking.post(f"{URL}?q=1&q=2", None, json={"a": 1}, headers={"X-A": "b"}) is OK
    assert blocking.reply().json() == {"got": ["1", "2"], "status": "b"} and blocking.reply().statusCode() == 202


def test_exception_of_a_function_is_raised_in_the_call(fake: FakeReplies, blocking: BlockingNetworkRequest) -> None:
    def fails(request: SentRequest) -> Any:
        raise AssertionError("not expected")

    fake.get(URL, fails)
    fake.get("/none", lambda _: None)
    with pytest.raises(AssertionError, match="not expected"):
        blocking.get(URL)
    with pytest.raises(TypeError, match="returns a ReplyContent, from makeReply"):
        blocking.get("http://h/none")
    with pytest.raises(AssertionError, match="not expected"):
        list(NetworkAccessManager().getMany([URL]))
    fake.get("/well")
    assert blocking.get("http://h/well") is OK


@pytest.mark.parametrize("is_real_time", [False, True])
def test_function_cancels_the_call(is_real_time: bool, blocking: Any, manager: NetworkAccessManager) -> None:
    class OtherFeedback:
        is_set = False

        def isCanceled(self) -> bool:
            return self.is_set

        def cancel(self) -> None:
            self.is_set = True

    def reply(request: SentRequest) -> Any:
        cancel()
        return makeReply(body="x")

    with FakeReplies(realTime=is_real_time) as fake:
        fake.get(URL, reply)
        feedback: Any
        for feedback in (Feedback(), OtherFeedback()):
            cancel = feedback.cancel
            assert blocking.get(URL, feedback=feedback) is CANCELED
        cancel = blocking.abort
        assert blocking.get(URL) is CANCELED
        feedback = Feedback()
        cancel = feedback.cancel
        assert [result.code for result in manager.getMany([URL] * 3, feedback=feedback)][:1] == [CANCELED]
        fake.reset()
        fake.get(URL, body="x")
        assert blocking.get(URL) is OK


def test_match(fake: FakeReplies, blocking: BlockingNetworkRequest) -> None:
    fake.post(URL, body="one", match=lambda request: request.form() == {"a": ["1"]})
    fake.post(URL, body="other")
    assert blocking.post(URL, None, form={"a": "1"}) is OK and blocking.reply().text() == "one"
    assert blocking.post(URL, None, form={"a": "2"}) is OK and blocking.reply().text() == "other"


def test_unmatched_request(fake: FakeReplies, blocking: BlockingNetworkRequest, manager: NetworkAccessManager) -> None:
    fake.get(URL)
    fake.post(f"{URL}?token={SECRET}", times=2)
    fake.get(re.compile("x+"))
    manager.setRetry(Retry(3))
    assert blocking.get(f"http://u:{SECRET}@h/?key={SECRET}&a=1") is NET
    assert blocking.errorMessage() == (
        f"FakeReplies has replies for GET {URL}, POST {URL}?token=*** (0 of 2 calls made), GET a URL with 'x+', "
        "but not for this GET request (http://h/?key=***&a=1)"
    )
    assert len(fake.unmatched) == fake.callCount == 1
    with pytest.raises(RequestError, match="FakeReplies has replies for"):
        blocking.reply().raiseForError()
    assert SECRET not in repr(fake.calls) + repr(fake)


def test_unmatched_request_of_many_routes(blocking: BlockingNetworkRequest) -> None:
    with FakeReplies() as fake:
        assert (
            blocking.get(URL) is NET
            and "FakeReplies has no replies, and got this GET request" in blocking.errorMessage()
        )
        for number in range(30):
            fake.get(f"/{number}")
        assert blocking.get(URL) is NET and "GET /19, and 10 more" in blocking.errorMessage()


def test_own_secret_names_are_not_shown(fake: FakeReplies, blocking: Any, manager: NetworkAccessManager) -> None:
    manager.setSecretParameters(["mine"])
    assert blocking.get(f"{URL}?mine={SECRET}") is NET and SECRET not in blocking.errorMessage() + repr(fake.calls)


def test_assert_all_called(blocking: BlockingNetworkRequest) -> None:
    with pytest.raises(AssertionError, match=re.escape(f"has not sent: GET {URL}, POST {URL} (1 of 2 calls made)")):
        with FakeReplies(assertAllCalled=True) as fake:
            fake.get(URL)
            fake.post(URL, times=2)
            blocking.post(URL, b"")
    with pytest.raises(KeyError), FakeReplies(assertAllCalled=True) as fake:
        fake.get(URL)
        raise KeyError


# -- policies of the code under test


def test_redirects_cookies_and_history(fake: FakeReplies, blocking: Any, manager: NetworkAccessManager) -> None:
    fake.get("https://h/old", status=302, headers={"Location": "/new", "Set-Cookie": "sid=1; Path=/"})
    fake.get("https://h/new", body="here")
    assert blocking.get("https://h/old", headers={"Authorization": "x"}) is OK
    assert [reply.statusCode() for reply in blocking.reply().history()] == [302]
    assert fake.calls[1].headers["Cookie"] == "sid=1" and "Host" in fake.calls[1].headers


def test_credentials(fake: FakeReplies, blocking: Any, manager: NetworkAccessManager) -> None:
    def server(request: SentRequest) -> Any:
        if "Authorization" in request.headers:
            return makeReply(body=request.headers["Authorization"])
        return makeReply(401, headers={"WWW-Authenticate": 'Basic realm="r"'})

    fake.get(URL, server)
    blocking.setAuthConfig(AuthConfig.basic("me", SECRET))
    assert blocking.get(URL) is OK and blocking.reply().text().startswith("Basic ")
    digest = 'Digest realm="r", nonce="n", qop="auth"'
    fake.get("/digest", status=401, headers={"WWW-Authenticate": digest}).then(body="in")
    blocking.setAuthConfig(AuthConfig.basic("me", SECRET))
    assert blocking.get("https://h/digest") is OK
    assert fake.calls[-1].headers["Authorization"].startswith("Digest ") and SECRET not in repr(fake.calls)


def test_cache(fake: FakeReplies, blocking: Any, manager: NetworkAccessManager) -> None:
    manager.setCache(NetworkMemoryCache())
    route = fake.get(URL, body="x", headers={"Cache-Control": "max-age=60"})
    assert blocking.get(URL) is OK and blocking.get(URL) is OK
    assert blocking.reply().isFromCache() and route.callCount == 1


def test_retries_pause_in_virtual_time(fake: FakeReplies, blocking: Any, manager: NetworkAccessManager) -> None:
    manager.setRetry(Retry(3, backoff_factor=100, status_forcelist=[503]))
    manager.setTimeout(10_000)
    fake.get(URL, status=503, headers={"Retry-After": "3600"}).then(error=NetworkError.ConnectionRefusedError).then()
    began = time.monotonic()
    assert blocking.get(URL) is OK and blocking.reply().attempts() == 3
    assert blocking.reply().elapsed() >= 3600 and time.monotonic() - began < 1
    manager.setDeadline(10_000)
    fake.reset()
    fake.get(URL, status=503, headers={"Retry-After": "3600"})
    assert blocking.get(URL) is TIMEOUT and blocking.reply().elapsed() == 10


def test_timeouts_pass_at_once(fake: FakeReplies, blocking: Any, manager: NetworkAccessManager) -> None:
    fake.get(URL, delay=60_000, body="late")
    fake.get("/never", delay=math.inf)
    began = time.monotonic()
    assert blocking.get(URL, timeout=59_999) is TIMEOUT and "59999 ms" in blocking.errorMessage()
    assert blocking.get(URL, timeout=60_000) is OK  # the reply comes just in time, on each machine
    assert blocking.reply().elapsed() == 60
    assert blocking.get("http://h/never", timeout=3_600_000) is TIMEOUT
    manager.setDeadline(5000)
    assert blocking.get(URL) is TIMEOUT and "deadline" in blocking.errorMessage()
    assert time.monotonic() - began < 2


def test_delay_in_real_time(blocking: BlockingNetworkRequest) -> None:
    with FakeReplies(realTime=True) as fake:
        fake.get(URL, delay=80)
        began = time.monotonic()
        assert blocking.get(URL) is OK and time.monotonic() - began >= 0.08
        assert blocking.get(URL, timeout=20) is TIMEOUT
        assert len([1 for result in NetworkAccessManager().getMany([URL] * 3) if result.code is OK]) == 3


@pytest.mark.parametrize("is_foreign", [False, True])
@pytest.mark.parametrize("real_time", [False, True])
def test_cancel_from_another_thread(is_foreign: bool, real_time: bool, blocking: BlockingNetworkRequest) -> None:
    class Foreign:
        canceled = False

        def isCanceled(self) -> bool:
            return self.canceled

        def cancel(self) -> None:
            self.canceled = True

    feedback: Any = Foreign() if is_foreign else Feedback()

    with FakeReplies(realTime=real_time) as fake:
        fake.get(URL, delay=math.inf)
        timer = threading.Timer(0.05, feedback.cancel)
        timer.start()
        assert blocking.get(URL, timeout=0, feedback=feedback) is CANCELED
        timer.join()


def test_cancel_within_a_function(fake: FakeReplies, blocking: BlockingNetworkRequest) -> None:
    feedback = Feedback()

    def reply(request: SentRequest) -> Any:
        feedback.cancel()
        return makeReply(body="x" * 5_000_000)

    fake.get(URL, reply)
    assert blocking.get(URL, feedback=feedback) is CANCELED


def test_end_of_the_block_cancels_waiting_calls(blocking: BlockingNetworkRequest) -> None:
    codes: list[ErrorCode] = []
    with FakeReplies() as fake:
        called = threading.Event()

        def note(request: SentRequest) -> bool:
            called.set()
            return True

        fake.get("/hang", delay=math.inf, match=note)
        thread = threading.Thread(target=lambda: codes.append(blocking.get("http://h/hang", timeout=0)))
        thread.start()
        assert called.wait(10)
    thread.join(10)
    assert codes == [CANCELED] and choice.stand_ins == []


def test_progress_and_steps(fake: FakeReplies, blocking: BlockingNetworkRequest) -> None:
    fake.post(URL, body=[b"x" * 10, 200, b"y" * 10, 200, b"z" * 10])
    down: list[tuple[int, int]] = []
    up: list[tuple[int, int]] = []
    steps: list[str] = []
    blocking.downloadProgress.connect(lambda *sizes: down.append(sizes))
    blocking.uploadProgress.connect(lambda *sizes: up.append(sizes))
    for name in ("socketStartedConnecting", "encrypted", "requestSent", "metaDataChanged", "finished"):
        getattr(blocking, name).connect(lambda name=name: steps.append(name))
    assert blocking.post(URL, b"a" * 3_000_000) is OK
    assert [done for done, _ in down][-3:] == [10, 20, 30] and up[-1] == (3_000_000, 3_000_000)
    assert steps == ["socketStartedConnecting", "encrypted", "requestSent", "metaDataChanged", "finished"]


def test_limit_of_the_body(fake: FakeReplies, blocking: Any, manager: NetworkAccessManager) -> None:
    manager.setMaximumBodySize(10)
    fake.get(URL, body="x" * 11)
    assert blocking.get(URL) is NET and "setMaximumBodySize" in blocking.errorMessage()


def test_certificate_errors(fake: FakeReplies, blocking: Any, manager: NetworkAccessManager) -> None:
    error = TlsError(TlsErrorKind.SelfSignedCertificate, Certificate(b"x"), "api.example.org")
    fake.get(URL, error=error)
    assert blocking.get(URL) is NET and "certificate" in blocking.errorMessage()
    manager.setSslErrorHandler(lambda errors, _: errors)
    assert blocking.get(URL) is OK
    assert makeReply(error=[error]).errorCode() is NET


def test_proxy_that_wants_credentials(fake: FakeReplies, blocking: Any, manager: NetworkAccessManager) -> None:
    def proxy(request: SentRequest) -> Any:
        if "Proxy-Authorization" in request.headers:
            return makeReply(body="in")
        return makeReply(407, headers={"Proxy-Authenticate": 'Basic realm="r"'})

    fake.get("http://h/", proxy)
    manager.setProxy(Proxy("http", "proxy.example.org", 8080, "me", SECRET))
    assert blocking.get("http://h/") is OK and blocking.reply().text() == "in"


# -- all kinds of calls


def test_uploads(fake: FakeReplies, blocking: BlockingNetworkRequest, tmp_path: Path) -> None:
    fake.put(URL)
    (tmp_path / "large").write_bytes(b"x" * 3_000_000)
    with open(tmp_path / "large", "rb") as file:
        assert blocking.put(URL, file) is OK
    assert blocking.put(URL, (b"%d" % number * 300_000 for number in range(10))) is OK
    assert blocking.put(URL, b"1" * 20_000, headers={"Expect": "100-continue"}) is OK
    assert [len(call.body) for call in fake.calls] == [3_000_000, 3_000_000, 20_000]
    assert fake.calls[1].headers["Transfer-Encoding"] == "chunked" and fake.calls[1].body.endswith(b"9")


def test_stream_and_download(fake: FakeReplies, blocking: BlockingNetworkRequest, tmp_path: Path) -> None:
    fake.get(URL, body=[b"a", b"b", 5000, b"c"])
    with blocking.stream(URL) as chunks:
        assert chunks.reply().engine() == "fake" and b"".join(chunks) == b"abc"
    assert blocking.download(URL, str(tmp_path / "file")) is OK and (tmp_path / "file").read_bytes() == b"abc"


def test_batch(fake: FakeReplies, manager: NetworkAccessManager, tmp_path: Path) -> None:
    for number in range(50):
        fake.get(f"{URL}/{number}", json=number, delay=number * 1000)
    fake.get("/file", body=[b"x" * 200_000] * 5)
    manager.setTimeout(45_000)
    batch = [BatchRequest(f"{URL}/{number}") for number in range(50)]
    batch.append(BatchRequest("http://h/file", path=str(tmp_path / "file")))
    batch.append(BatchRequest("http://h/missing"))
    began = time.monotonic()
    results = {result.index: result for result in manager.sendMany(batch, maxConcurrent=60)}
    assert time.monotonic() - began < 2
    for number in range(46):
        assert results[number].code is OK and results[number].reply.json() == number
        assert results[number].reply.elapsed() == pytest.approx(number)
    assert all(results[number].code is TIMEOUT for number in range(46, 50))
    assert (tmp_path / "file").stat().st_size == 1_000_000 and results[51].code is NET


def test_results_of_a_batch_come_in_the_order_of_their_delays(fake: FakeReplies, manager: NetworkAccessManager) -> None:
    delays = [500, 100, 900, 300, 700]
    for place, delay in enumerate(delays):
        fake.get(f"{URL}/{place}", delay=delay)
    for _ in range(20):
        results = manager.getMany([f"{URL}/{place}" for place in range(5)], ordered=False)
        assert [result.index for result in results] == [1, 3, 0, 4, 2]


def test_slow_requests_of_a_batch_start_at_the_same_virtual_time(
    fake: FakeReplies, manager: NetworkAccessManager
) -> None:
    """On a busy machine the requests that were started later got later replies."""
    for place, delay in enumerate([200, 100]):
        fake.get(f"{URL}/{place}", delay=delay)

    def urls() -> Iterator[str]:
        for place in range(2):
            end = time.monotonic() + 2 * POLL_SECONDS
            while time.monotonic() < end:
                pass
            yield f"{URL}/{place}"

    assert [result.index for result in manager.getMany(urls(), ordered=False)] == [1, 0]


def test_batch_that_retries_and_is_cancelled(fake: FakeReplies, manager: NetworkAccessManager) -> None:
    manager.setRetry(Retry(3, status_forcelist=[503]))
    fake.get(URL, status=503, headers={"Retry-After": "7200"}).then(body="x")
    fake.get("/hang", delay=math.inf)
    (result,) = manager.getMany([URL])
    assert result.code is OK and result.reply.attempts() == 2
    manager.setTimeout(0)
    feedback = Feedback()
    timer = threading.Timer(0.05, feedback.cancel)
    timer.start()
    results = list(manager.getMany(["http://h/hang", "http://h/hang"], feedback=feedback))
    assert [result.code for result in results] == [CANCELED, CANCELED]
    timer.join()


@pytest.mark.parametrize("is_routed", [False, True])
def test_requests(is_routed: bool, fake: FakeReplies) -> None:
    fake.get("https://h/old", status=301, headers={"Location": "/new", "Set-Cookie": "a=b"})
    fake.get("https://h/new", json={"a": 1})
    fake.get("/slow", delay=10_000)
    fake.get("/gzip", body=gzip.compress(b"x"), headers={"Content-Encoding": "gzip"})
    fake.get("/down", error=NetworkError.ConnectionRefusedError)
    fake.get("/connect", error=NetworkError.TimeoutError)
    fake.get("/read", error=ErrorCode.TimeoutError)
    with route_requests(), requests.Session() if is_routed else requests_session() as session:
        response = session.get("https://h/old", timeout=5)
        assert response.json() == {"a": 1} and session.cookies["a"] == "b" and fake.calls[-1].headers["Cookie"] == "a=b"
        with pytest.raises(requests.exceptions.ReadTimeout):
            session.get("http://h/slow", timeout=5)
        with pytest.raises(requests.exceptions.ConnectTimeout):
            session.get("http://h/connect", timeout=5)
        with pytest.raises(requests.exceptions.ReadTimeout):
            session.get("http://h/read", timeout=5)
        assert session.get("http://h/gzip", timeout=5).content == b"x"
        with session.get("http://h/gzip", timeout=5, stream=True) as streamed:
            assert b"".join(streamed.iter_content(1)) == b"x"
        with pytest.raises(requests.exceptions.ConnectionError, match="Connection refused"):
            session.get("http://h/down", timeout=5)
        with pytest.raises(requests.exceptions.ConnectionError, match="FakeReplies has replies for"):
            session.get("http://h/other", timeout=5)


@pytest.mark.parametrize("in_event_loop", [False, True])
def test_qhttp(in_event_loop: bool, fake: FakeReplies) -> None:
    fake.get("http://h/a", body=[b"x", 30_000, b"y"], delay=50_000)
    fake.post("http://h/b", status=404, body="no")
    fake.get("http://h/late", delay=90_000)
    http = Http("h")
    http.get("/a")
    http.post("/b", QtCore.QByteArray(b"data"))
    http.get("/late")
    done: list[bool] = []
    finished: list[tuple[int, bool]] = []
    http.requestFinished.connect(lambda id, error: finished.append((id, error)))
    loop = QtCore.QEventLoop()
    http.done.connect(done.append)
    http.done.connect(loop.quit)
    began = time.monotonic()
    if in_event_loop:
        loop.exec()
    else:
        assert http.waitForDone(20_000)
    assert done == [True] and time.monotonic() - began < 2
    assert [error for _, error in finished][-3:] == [False, False, True] and "Timed out" in http.errorString()
    assert fake.calls[1].body == b"data"


def test_threads(fake: FakeReplies) -> None:
    route = fake.get(URL, delay=1000, body="x")
    fake.get("/hang", delay=math.inf)
    codes: list[ErrorCode] = []

    def run() -> None:
        request = BlockingNetworkRequest()
        for _ in range(50):
            codes.append(request.get(URL, timeout=1500))
            codes.append(request.get("http://h/hang", timeout=500))

    threads = [threading.Thread(target=run) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert codes.count(OK) == codes.count(TIMEOUT) == 400 and route.callCount == 400


def test_no_application_and_no_thread_is_needed() -> None:
    program = """
import threading
from blocking_request import BlockingNetworkRequest, NetworkAccessManager
from blocking_request.testing import FakeReplies, makeReply
with FakeReplies() as fake:
    fake.get("https://h/", body="x", delay=60000)
    request = BlockingNetworkRequest()
    request.setEngine("qt")
    assert request.get("https://h/", timeout=0) == 0 and request.reply().text() == "x", request.errorMessage()
    assert [result.code for result in NetworkAccessManager().getMany(["https://h/"] * 3)] == [0, 0, 0]
    assert threading.active_count() == 1
"""
    subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True, timeout=60)


# -- the block


def test_nested_blocks(blocking: BlockingNetworkRequest) -> None:
    with FakeReplies() as outer:
        outer.get(URL, body="outer")
        with FakeReplies() as inner:
            inner.get(URL, body="inner")
            assert blocking.get(URL) is OK and blocking.reply().text() == "inner"
        assert blocking.get(URL) is OK and blocking.reply().text() == "outer"
    assert choice.stand_ins == []


@pytest.mark.parametrize("is_no_network", [False, True])
def test_the_innermost_block_decides_about_the_clock(is_no_network: bool, blocking: BlockingNetworkRequest) -> None:
    def seconds() -> float:
        began = time.monotonic()
        assert blocking.get(URL) is OK
        return time.monotonic() - began

    with NoNetwork() if is_no_network else FakeReplies(), FakeReplies(realTime=True) as real:
        real.get(URL, delay=200)
        assert seconds() >= 0.2
        with FakeReplies() as virtual:
            virtual.get(URL, delay=60_000)
            assert seconds() < 5
        with NoNetwork():
            assert seconds() >= 0.2
        assert seconds() >= 0.2
    assert clock_users == []


def test_start_and_stop(blocking: BlockingNetworkRequest) -> None:
    fake = FakeReplies().start()
    try:
        with pytest.raises(RuntimeError, match="serve already"):
            fake.start()
        fake.get(URL)
        assert blocking.get(URL) is OK
    finally:
        fake.stop()
    fake.stop()
    with fake:
        assert blocking.get(URL) is OK


def test_real_network_before_and_after(httpbin: str, blocking: BlockingNetworkRequest) -> None:
    assert blocking.get(f"{httpbin}/get") is OK
    with FakeReplies() as fake:
        fake.get("*", body="fake")
        assert blocking.get(f"{httpbin}/get") is OK and blocking.reply().text() == "fake"
    assert blocking.get(f"{httpbin}/get") is OK and blocking.reply().engine() != "fake"


@pytest.mark.parametrize(
    ("arguments", "options", "error", "message"),
    [
        ((5,), {}, TypeError, "url must be a str, a QUrl"),
        ((re.compile(b"x"),), {}, TypeError, "a pattern of str, not of bytes"),
        (("api.example.org",), {}, ValueError, "must begin with a scheme"),
        (("http://:99999/",), {}, ValueError, "host"),
        (("https://a.*..b/",), {}, ValueError, "url is not valid: the host 'a.*..b' has an empty part"),
        ((URL, "text"), {}, TypeError, "reply must be a ReplyContent"),
        ((URL, []), {}, ValueError, "empty list"),
        ((URL, makeReply()), {"status": 404}, TypeError, "reply and status are both given"),
        ((URL,), {"status": "200"}, TypeError, "status must be an int, not str"),
        ((URL,), {"status": True}, TypeError, "status must be an int, not bool"),
        ((URL,), {"status": 100}, ValueError, "from 200 to 999"),
        ((URL,), {"body": {"a": 1}}, TypeError, "give json="),
        ((URL,), {"body": 5}, TypeError, "body must be bytes, a str"),
        ((URL,), {"body": [None]}, TypeError, "a piece of body"),
        ((URL,), {"body": [-1]}, ValueError, "must not be negative"),
        ((URL,), {"body": io.StringIO("x")}, TypeError, "open it in binary mode"),
        ((URL,), {"body": b"x", "json": 1}, TypeError, "both given"),
        ((URL,), {"json": object()}, TypeError, "JSON"),
        ((URL,), {"headers": "X: y"}, TypeError, "headers must be a mapping"),
        ((URL,), {"headers": ["X: y"]}, TypeError, "headers must be a mapping"),
        ((URL,), {"headers": {"X": None}}, TypeError, "must be str, not NoneType"),
        ((URL,), {"headers": {"X": "a\r\nb"}}, ValueError, "line end"),
        ((URL,), {"headers": {"X Y": "a"}}, ValueError, "not allowed"),
        ((URL,), {"reason": 5}, TypeError, "reason must be a str"),
        ((URL,), {"reason": "a\nb"}, ValueError, "line end"),
        ((URL,), {"delay": "5"}, TypeError, "number of milliseconds"),
        ((URL,), {"delay": -1}, ValueError, "must not be negative"),
        ((URL,), {"delay": math.nan}, ValueError, "must not be negative"),
        ((URL,), {"error": "x"}, TypeError, "error must be a QNetworkReply.NetworkError"),
        ((URL,), {"error": True}, TypeError, "error must be a QNetworkReply.NetworkError"),
        ((URL,), {"error": NetworkError.ContentNotFoundError}, ValueError, "give status="),
        ((URL,), {"error": NetworkError.NoError}, ValueError, "leave error out"),
        ((URL,), {"error": 12345}, ValueError, "no QNetworkReply.NetworkError of the number"),
        ((URL,), {"error": ErrorCode.ServerExceptionError}, ValueError, "give a status"),
        ((URL,), {"error": [5]}, TypeError, "TlsError"),
        ((URL,), {"times": "2"}, TypeError, "times must be an int"),
        ((URL,), {"times": 0}, ValueError, "at least 1"),
        ((URL,), {"match": {}}, TypeError, "match must be a function"),
        ((URL,), {"delay": 10**400}, ValueError, "delay is too large"),
        ((URL,), {"body": [10**400]}, ValueError, "a pause within body is too large"),
        ((URL,), {"bogus": 1}, TypeError, "FakeReplies.get() has no argument 'bogus'"),
        ((URL,), {"text": "x"}, TypeError, "FakeReplies.get() has no argument 'text': give body=..."),
        ((URL,), {"status_code": 1}, TypeError, "FakeReplies.get() has no argument 'status_code': give status=..."),
        ((URL,), {"params": {}}, TypeError, "FakeReplies.get() has no argument 'params': give a query in the url"),
    ],
)
def test_wrong_arguments(arguments: Any, options: Any, error: Any, message: str, fake: FakeReplies) -> None:
    with pytest.raises(error, match=re.escape(message)):
        fake.get(*arguments, **options)
    with pytest.raises(TypeError, match="method must be a str"):
        fake.add("GET /", URL)
    with pytest.raises(
        TypeError, match=re.escape("FakeReplies.deleteResource() has no argument 'content': give body=...")
    ):
        fake.deleteResource(URL, content=b"")
    with pytest.raises(TypeError, match=re.escape("FakeRoute.then() has no argument 'times'")):
        fake.get(URL).then(times=5)
    with pytest.raises(TypeError, match="realTime must be a bool"):
        FakeReplies(realTime=1)  # type: ignore[arg-type]


def test_values_without_secrets(fake: FakeReplies, blocking: BlockingNetworkRequest) -> None:
    route = fake.get(f"https://u:{SECRET}@h/?token={SECRET}", body=SECRET, headers={"X-Api-Key": SECRET})
    blocking.get(f"https://h/?token={SECRET}", headers={"Authorization": SECRET})
    for value in (fake, route, fake.calls, fake.calls[0].headers, makeReply(body=SECRET)):
        assert SECRET not in repr(value)


# -- makeReply


def test_signatures_show_no_object() -> None:
    for function in (makeReply, FakeReplies.add):
        assert "json: 'Any' = <not given>" in str(inspect.signature(function))


def test_make_reply() -> None:
    reply = makeReply(404, json={"a": 1}, headers={"X-A": "b"}, url="https://h/?token=x", method="POST")
    assert reply.errorCode() is SERVER and reply.json() == {"a": 1} and reply.headers["x-a"] == "b"
    assert reply.errorString() == "Error transferring https://h/?token=*** - server replied: Not Found (404)"
    assert makeReply().errorCode() is OK and makeReply(body="é").text() == "é"
    assert makeReply(body=[b"a", NetworkError.RemoteHostClosedError]).errorCode() is NET
    with pytest.raises(TypeError, match="url and method must be str"):
        makeReply(url=5)  # type: ignore[arg-type]


def test_replies_of_make_reply_are_served(fake: FakeReplies, blocking: BlockingNetworkRequest) -> None:
    original = makeReply(206, body=[b"a", b"b"], headers={"X-A": "b"}, reason="Some")
    fake.get(URL, original)
    fake.get("/broken", makeReply(body=[b"a", NetworkError.TimeoutError]))
    fake.get("/refused", makeReply(error=NetworkError.ConnectionRefusedError))
    assert blocking.get(URL) is OK and blocking.reply().body == b"ab" and blocking.reply().reasonPhrase() == "Some"
    assert blocking.get("http://h/broken") is TIMEOUT and blocking.reply().body == b"a"
    assert blocking.get("http://h/refused") is NET and "refused" in blocking.errorMessage()


def test_local_urls(fake: FakeReplies, blocking: BlockingNetworkRequest) -> None:
    fake.get("data:text/plain,x", body="fake")
    fake.get("file:///folder/*", body="file")
    assert blocking.get("data:text/plain,x") is OK and blocking.reply().text() == "fake"
    assert blocking.get("file:///folder/a") is OK and blocking.reply().text() == "file"
    assert blocking.get("qrc:/x") is NET and "this GET request (qrc:/x)" in blocking.errorMessage()


def test_nothing_is_left_behind(fake: FakeReplies, blocking: BlockingNetworkRequest) -> None:
    fake.get(URL, body=[b"a" * 100_000] * 10, delay=5000)
    blocking.get(URL)
    threads = set(threading.enumerate())
    descriptors = len(os.listdir("/proc/self/fd")) if os.path.exists("/proc/self/fd") else 0
    for _ in range(50):
        assert blocking.get(URL, timeout=1) is TIMEOUT
        with blocking.stream(URL) as chunks:
            next(chunks)
    assert set(threading.enumerate()) <= threads
    if descriptors:
        assert len(os.listdir("/proc/self/fd")) <= descriptors + 1
