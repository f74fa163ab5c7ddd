"""Invalid arguments: the message names the error, the expected value and the remedy; nothing is sent."""

from __future__ import annotations

import io
import random
from pathlib import Path
from typing import Any, Callable

import pytest

from blocking_request import (
    AuthConfig,
    BlockingNetworkRequest,
    ErrorCode,
    Feedback,
    NetworkAccessManager,
    TlsSettings,
    requests_session,
)
from blocking_request.models.failure import QtNetworkError as Q
from blocking_request.models.urls import is_canonical
from blocking_request.prepare.build_request import checked_url
from blocking_request.qt.binding import QtCore, QtNetwork, enum_value, field_name

from ..support.names import Serve
from ..support.servers.raw import always


@pytest.mark.parametrize(
    ("url", "error", "message"),
    [
        ("", Q.ProtocolUnknownError, 'Protocol "" is unknown: the URL must begin with http:// or https://'),
        ("/path/only", Q.ProtocolUnknownError, 'Protocol "" is unknown: the URL must begin with http:// or https:// (/path/only)'),
        ("example.com/a", Q.ProtocolUnknownError, 'Protocol "" is unknown'),
        ("xyz://host/", Q.ProtocolUnknownError, 'Protocol "xyz" is unknown: the URL must begin with http:// or https:// (xyz://host/)'),
        ("localhost:80/", Q.ProtocolUnknownError, "the URL must begin with http:// or https:// (localhost:80/)"),
        ("127.0.0.1:80/", Q.ProtocolUnknownError, "the URL must begin with http:// or https:// (127.0.0.1:80/)"),
        ("ftp://host/", Q.ProtocolUnknownError, 'Protocol "ftp" is unknown'),
        ("preconnect-http://host/", Q.ProtocolUnknownError, 'Protocol "preconnect-http" is unknown'),
        ("http://", Q.HostNotFoundError, "the URL names no host"),
        ("http:///path", Q.HostNotFoundError, "the URL names no host"),
        ("http://host:99999/", Q.ProtocolUnknownError, "The URL is not valid"),
        ("http://[::1/", Q.ProtocolUnknownError, "The URL is not valid"),
    ],
)  # fmt: skip
def test_invalid_urls(url: str, error: Q, message: str, blocking: BlockingNetworkRequest) -> None:
    assert blocking.get(url) is ErrorCode.NetworkError
    assert enum_value(blocking.reply().error()) == error
    assert message in blocking.errorMessage()
    assert blocking.get(QtCore.QUrl(url)) is ErrorCode.NetworkError
    assert enum_value(blocking.reply().error()) == error


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: BlockingNetworkRequest("http://h/"), "not str: give the request to the call"),  # type: ignore[arg-type]
        (lambda: BlockingNetworkRequest(QtNetwork.QNetworkRequest()), "not QNetworkRequest: give the request to"),
        (lambda: BlockingNetworkRequest(QtCore.QObject()), "not QObject: a parent is given as parent="),  # type: ignore[arg-type]
        (lambda: BlockingNetworkRequest(QtNetwork.QNetworkAccessManager()), "must be a blocking_request.NetworkAcc"),  # type: ignore[arg-type]
        (lambda: requests_session(5), "manager must be a blocking_request.NetworkAccessManager or None, not int"),  # type: ignore[arg-type]
        (lambda: NetworkAccessManager().getMany("http://h/"), r"not str: \[request\]"),
        (lambda: NetworkAccessManager().getMany(None), "an iterable of requests, such as a list, not NoneType"),  # type: ignore[arg-type]
        (lambda: NetworkAccessManager().downloadMany("http://h/", folder="f"), r"not str: \[request\]"),
        (lambda: NetworkAccessManager().setUserAgent(5), "userAgent must be a str, not int"),  # type: ignore[arg-type]
        (lambda: BlockingNetworkRequest().get("http://h/", feedback=Feedback), r"give an instance, Feedback\(\)"),  # type: ignore[arg-type]
        (lambda: BlockingNetworkRequest().post("http://h/", Path("f")), r"a path: give the open file, open\(path"),
        (lambda: BlockingNetworkRequest().post("http://h/", form="a=b"), r"value, not str: form=\{'name': 'value'\}"),  # type: ignore[arg-type]
        (lambda: AuthConfig("user"), r"AuthConfig.basic\(user, password\)"),  # type: ignore[arg-type]
        (lambda: AuthConfig.basic("user", None), "password, token or key must be a str, not NoneType"),  # type: ignore[arg-type]
        (lambda: TlsSettings(caFile=5), "caFile must be the path of a PEM file, not int"),  # type: ignore[arg-type]
    ],
)
def test_wrong_types(call: Callable[[], object], message: str) -> None:
    with pytest.raises(TypeError, match=message):
        call()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        (b"X-A", b"v\r\nX-Injected: 1"),
        (b"X-A", b"v\nw"),
        (b"X-A", b"v\0w"),
        (b"X A", b"v"),
        (b"X:A", b"v"),
        (b"X\r\nB", b"v"),
    ],
)
def test_invalid_headers_are_not_sent(
    name: bytes, value: bytes, blocking: BlockingNetworkRequest, serve: Serve
) -> None:
    server = serve(always())
    request = QtNetwork.QNetworkRequest(QtCore.QUrl(server.url))
    request.setRawHeader(name, value)
    if not request.hasRawHeader(field_name(name)):
        # Qt 6 has removed it and logged a warning.
        assert blocking.get(request) is ErrorCode.NoError
        return
    assert blocking.get(request) is ErrorCode.NetworkError
    assert enum_value(blocking.reply().error()) == Q.ProtocolInvalidOperationError
    assert "header" in blocking.errorMessage()
    assert "Injected" not in blocking.errorMessage()
    assert server.connections == 0


@pytest.mark.parametrize("verb", ["", "A B", "GET / HTTP/1.1\r\nX: y\r\n", "X\r\nInjected: 1", "É", "X\0", b"\xff"])
def test_invalid_verbs(verb: Any, blocking: BlockingNetworkRequest, serve: Serve) -> None:
    server = serve(always())
    assert blocking.sendCustomRequest(server.url, verb) is ErrorCode.NetworkError
    assert enum_value(blocking.reply().error()) == Q.ProtocolInvalidOperationError
    assert "is no HTTP method" in blocking.errorMessage()
    assert server.connections == 0


def test_connect_verb_is_refused(blocking: BlockingNetworkRequest, serve: Serve) -> None:
    server = serve(always())
    assert blocking.sendCustomRequest(server.url, "CONNECT") is ErrorCode.NetworkError
    assert "set a proxy instead" in blocking.errorMessage()
    assert server.connections == 0


@pytest.mark.parametrize("request_like", [None, 5, b"http://host/", ["http://host/"]])
def test_request_of_a_wrong_type(request_like: Any, blocking: BlockingNetworkRequest) -> None:
    with pytest.raises(TypeError, match="request must be a QNetworkRequest, a QUrl or a str, not"):
        blocking.get(request_like)


def test_body_and_arguments_of_a_wrong_type(blocking: BlockingNetworkRequest, serve: Serve, tmp_path: Path) -> None:
    server = serve(always())
    finished: list[None] = []
    blocking.finished.connect(lambda: finished.append(None))
    with pytest.raises(TypeError, match=r"data must be bytes, not str: encode a text, data.encode\('utf-8'\)"):
        blocking.post(server.url, "text")
    with pytest.raises(TypeError, match="open it in binary mode"):
        blocking.post(server.url, io.StringIO("text"))
    path = tmp_path / "file"
    path.write_text("text")
    with path.open() as file, pytest.raises(TypeError, match="open it in binary mode"):
        blocking.put(server.url, file)
    with pytest.raises(TypeError, match="not dict"):
        blocking.put(server.url, {"a": 1})
    with pytest.raises(TypeError, match="verb must be bytes or str, not int"):
        blocking.sendCustomRequest(server.url, 5)  # type: ignore[arg-type]
    with pytest.raises(
        TypeError, match=r"feedback must be a Feedback or have isCanceled\(\), and int has no isCanceled\(\)"
    ):
        blocking.get(server.url, feedback=7)  # type: ignore[arg-type]
    assert finished == []
    assert server.connections == 0
    assert blocking.get(server.url) is ErrorCode.NoError  # the object is not left busy


def test_closed_device(blocking: BlockingNetworkRequest, serve: Serve, tmp_path: Path) -> None:
    server = serve(always())
    assert blocking.post(server.url, QtCore.QBuffer()) is ErrorCode.NetworkError
    assert "The QIODevice that is to be sent is closed: open it first" in blocking.errorMessage()
    buffer = QtCore.QBuffer()
    buffer.open(QtCore.QIODevice.OpenModeFlag.WriteOnly)
    assert blocking.post(server.url, buffer) is ErrorCode.NetworkError
    assert "is open for writing only" in blocking.errorMessage()
    file = io.BytesIO(b"x")
    file.close()
    assert blocking.post(server.url, file) is ErrorCode.NetworkError
    assert "The file that is to be sent cannot be read: I/O operation on closed file" in blocking.errorMessage()
    assert server.connections == 0


def test_exception_of_a_file_leaves_the_object_usable(blocking: BlockingNetworkRequest, serve: Serve) -> None:
    class Broken:
        def read(self, count: int = -1) -> bytes:
            raise KeyError("mine")

    server = serve(always())
    finished: list[str] = []
    blocking.finished.connect(lambda: finished.append(blocking.reply().errorCode().name))
    with pytest.raises(KeyError, match="mine"):
        blocking.post(server.url, Broken())
    assert finished == ["CanceledError"]
    assert blocking.get(server.url) is ErrorCode.NoError


@pytest.mark.parametrize("make", [BlockingNetworkRequest, NetworkAccessManager])
@pytest.mark.parametrize("name", ["Timeout", "Deadline"])
def test_timeout_and_deadline_values(make: Callable[[], Any], name: str) -> None:
    owner = make()
    setter = getattr(owner, f"set{name}")
    with pytest.raises(TypeError, match=f"{name.lower()} must be a whole number of milliseconds, not float"):
        setter(1.5)
    with pytest.raises(TypeError, match="not bool"):
        setter(True)
    with pytest.raises(ValueError, match="must not be negative; 0 means none"):
        setter(-1)
    setter(0)
    assert getattr(owner, name.lower())() == 0


@pytest.mark.parametrize("agent", ["a\r\nX: y", "", "  ", "a\tb", "a\x7f"])
def test_invalid_user_agent(agent: str) -> None:
    with pytest.raises(ValueError, match="one line of printable characters, and not empty"):
        NetworkAccessManager().setUserAgent(agent)


@pytest.mark.parametrize(
    "url",
    [
        "http://user:hun/ter2@host/x",
        "http://user:hun?ter2@host/x",
        "http://user:hun#ter2@host/x",
        "user:hunter2@host/x",
    ],
)
def test_password_in_an_invalid_url_is_redacted(url: str, blocking: BlockingNetworkRequest) -> None:
    for given in (url, QtCore.QUrl(url)):
        assert blocking.get(given) is ErrorCode.NetworkError
        assert "ter2" not in blocking.errorMessage() and "hun" not in blocking.errorMessage()


def test_failing_devices(blocking: BlockingNetworkRequest, serve: Serve) -> None:
    class Failing(QtCore.QIODevice):
        def size(self) -> int:
            return 300

        def readData(self, maxlen: int) -> Any:
            self.setErrorString("the disk is on fire")
            return None

    server = serve(always())
    device = Failing()
    device.open(QtCore.QIODevice.OpenModeFlag.ReadOnly)
    assert blocking.post(server.url, device) is ErrorCode.NetworkError
    assert "cannot be read: the disk is on fire" in blocking.errorMessage()
    manager = QtNetwork.QNetworkAccessManager()
    unfinished = manager.get(QtNetwork.QNetworkRequest(QtCore.QUrl(server.url)))
    assert blocking.post(server.url, unfinished) is ErrorCode.NetworkError
    assert "has not finished" in blocking.errorMessage()
    unfinished.abort()  # type: ignore[union-attr]
    assert [request for request in server.requests if request.startswith(b"POST")] == []


def test_secrets_in_urls_are_redacted(blocking: BlockingNetworkRequest, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("DEBUG", logger="blocking_request"):
        blocking.get("http://user:hunter2@127.0.0.1:1/x?TOKEN=hunter2&a=b&X-Amz-Signature=hunter2#access_token=hunter2")
    assert blocking.errorMessage().startswith(
        "Connection refused (http://127.0.0.1:1/x?TOKEN=***&a=b&X-Amz-Signature=***"
    )
    for text in (blocking.errorMessage(), repr(blocking.reply()), caplog.text):
        assert "hunter2" not in text
    assert "127.0.0.1:1" in caplog.text


def test_canonical_urls_are_unchanged_by_qt() -> None:
    pieces = ("a", "b1", "tile", "org", "127", "0", "255", "256", "01", "199", "-", "--", ".", "..", ":", "80", "65535")
    pieces += ("/", "//", "?", "&", "=", "~", "_", "%41", "%2f", "+", ",", "X", "xn--", "#", "@", "é", " ", "\n")  # type: ignore[assignment]
    hosts = ("127.0.0.1", "localhost", "a-b.c", "1.2.3", "1.2.3.4.5", "192.168.010.1", "1", "a.b.", "-x", "a--b", "x.1")
    choose = random.Random(7)
    found = 0
    for _ in range(30_000):
        tail = "".join(choose.choices(pieces, k=choose.randint(1, 6)))
        url = f"http{choose.choice(('', 's'))}://{choose.choice(hosts)}{choose.choice(('', ':81', ':0', ':08'))}/{tail}"
        url = url if choose.random() < 0.8 else url.replace("/", tail, 3)
        if is_canonical(url):
            found += 1
            assert checked_url(QtCore.QUrl(url)) == (url, None, False)
    assert found > 1_000
    assert is_canonical("https://tile.openstreetmap.org/1/2/3.png?key=a,b") and is_canonical("http://10.0.0.7:8080/")
