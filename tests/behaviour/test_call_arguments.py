"""headers=, params= and timeout= of each call."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any, Callable

import pytest

from blocking_request import BlockingNetworkRequest, ErrorCode, NetworkAccessManager
from blocking_request.engines import request_check
from blocking_request.engines.qt import request as qt_request
from blocking_request.models.headers import Pairs, are_defaults
from blocking_request.prepare.arguments import call_arguments, encoded_params, with_query
from blocking_request.qt.binding import QtCore, QtNetwork, field_name

from ..support.names import Serve
from ..support.servers.raw import always, silence

Send = Callable[..., Any]

VERBS: dict[str, Send] = {
    "get": lambda request, url, **more: request.get(url, **more),
    "head": lambda request, url, **more: request.head(url, **more),
    "post": lambda request, url, **more: request.post(url, b"data", **more),
    "put": lambda request, url, **more: request.put(url, b"data", **more),
    "patch": lambda request, url, **more: request.patch(url, b"data", **more),
    "delete": lambda request, url, **more: request.delete(url, **more),
    "options": lambda request, url, **more: request.options(url, **more),
    "custom": lambda request, url, **more: request.sendCustomRequest(url, "PROPFIND", b"data", **more),
    "stream": lambda request, url, **more: _stream(request, url, **more),
    "blockingGet": lambda request, url, **more: request._manager.blockingGet(url, **more).errorCode(),
    "blockingPost": lambda request, url, **more: request._manager.blockingPost(url, b"", **more).errorCode(),
    "getMany": lambda request, url, **more: next(request._manager.getMany([url], **more)).code,
    "sendMany": lambda request, url, **more: next(request._manager.sendMany([(url, "PUT", b"x")], **more)).code,
}


def _stream(request: BlockingNetworkRequest, url: str, **more: Any) -> ErrorCode:
    try:
        with request.stream(url, **more) as chunks:
            list(chunks)
    except TimeoutError:
        pass
    return request.reply().errorCode()


def lines(request: bytes) -> list[bytes]:
    """Return the request line and the fields with names in lower case, because Qt 6 changes the case."""
    first, *fields = request.partition(b"\r\n\r\n")[0].split(b"\r\n")
    return [
        first,
        *(b": ".join((name.lower(), value)) for name, _, value in (line.partition(b": ") for line in fields)),
    ]


def names(request: bytes) -> list[bytes]:
    return [line.partition(b":")[0] for line in lines(request)[1:]]


@pytest.mark.parametrize("verb", VERBS)
def test_headers_and_params_of_each_verb(verb: str, blocking: BlockingNetworkRequest, serve: Serve) -> None:
    server = serve(always())
    more = {"headers": {"X-One": "1", b"X-Two": b"2"}, "params": {"q": "a b&c", "l": [1, None, 2], "n": None}}
    assert VERBS[verb](blocking, f"{server.url}/p?x=1#f", timeout=5_000, **more) is ErrorCode.NoError
    sent = lines(server.requests[0])
    assert sent[0].split(b" ")[1] == b"/p?x=1&q=a+b%26c&l=1&l=2"
    assert b"x-one: 1" in sent and b"x-two: 2" in sent


def test_headers_and_params_of_downloads(blocking: BlockingNetworkRequest, serve: Serve, tmp_path: Path) -> None:
    server = serve(always(b"body"))
    more: dict[str, Any] = {"headers": {"X-One": "1"}, "params": {"q": 1}}
    assert blocking.download(f"{server.url}/a", tmp_path / "one", **more) is ErrorCode.NoError
    manager = blocking._manager
    results = manager.downloadMany([(f"{server.url}/b", tmp_path / "two")], **more)
    assert [code for _, code, _ in results] == [ErrorCode.NoError]
    assert [lines(sent)[0].split(b" ")[1] for sent in server.requests] == [b"/a?q=1", b"/b?q=1"]
    assert all(b"x-one: 1" in lines(sent) for sent in server.requests)


def test_options_verb(blocking: BlockingNetworkRequest, serve: Serve) -> None:
    server = serve(always(headers="Allow: GET, HEAD\r\n"))
    assert blocking.options(server.url) is ErrorCode.NoError
    assert server.requests[0].startswith(b"OPTIONS / HTTP/1.1\r\n")
    assert blocking.reply().headers["Allow"] == "GET, HEAD"


@pytest.mark.parametrize("verb", [verb for verb in VERBS if verb != "options"])
def test_timeout_of_each_verb(verb: str, blocking: BlockingNetworkRequest, serve: Serve) -> None:
    server = serve(silence)
    begun = time.monotonic()
    assert VERBS[verb](blocking, server.url, timeout=100) is ErrorCode.TimeoutError
    assert time.monotonic() - begun < 5


def test_timeout_takes_precedence_over_the_request(blocking: BlockingNetworkRequest, serve: Serve) -> None:
    server = serve(silence)
    request = QtNetwork.QNetworkRequest(QtCore.QUrl(server.url))
    request.setTransferTimeout(8_000)
    assert blocking.get(request, timeout=100) is ErrorCode.TimeoutError
    assert "100 ms" in blocking.errorMessage()
    request.setTransferTimeout(100)
    blocking.setDeadline(400)
    assert blocking.get(request, timeout=0) is ErrorCode.TimeoutError
    assert "deadline of 400 ms" in blocking.errorMessage()


def test_headers_replace_those_of_the_request_and_the_manager(manager: NetworkAccessManager, serve: Serve) -> None:
    server = serve(always())
    manager.setDefaultHeaders({"X-Default": "manager", "Accept": "a/b"})
    request = QtNetwork.QNetworkRequest(QtCore.QUrl(server.url))
    request.setRawHeader(b"X-Own", b"request")
    request.setRawHeader(b"X-Kept", b"request")
    headers = {"x-own": "call", "x-default": "call", "User-Agent": "me/1", "Accept": None}
    blocking = BlockingNetworkRequest(manager)
    assert blocking.get(request, headers=headers) is ErrorCode.NoError
    sent = lines(server.requests[0])
    assert b"x-own: call" in sent and b"x-default: call" in sent and b"user-agent: me/1" in sent
    assert b"x-kept: request" in sent
    assert names(server.requests[0]).count(b"x-own") == 1 and b"accept" not in names(server.requests[0])
    assert request.rawHeader(field_name(b"X-Own")) == b"request" and not request.hasRawHeader(
        field_name(b"User-Agent")
    )  # not modified
    # The next call does not send it.
    assert blocking.get(server.url) is ErrorCode.NoError
    assert b"x-default: manager" in lines(server.requests[1]) and b"x-own" not in names(server.requests[1])


def test_several_values_of_one_header(blocking: BlockingNetworkRequest, serve: Serve) -> None:
    server = serve(always())
    headers = [("Accept", "a/b"), ("Cookie", "a=1"), ("accept", "c/d"), ("Cookie", "b=2")]
    assert blocking.get(server.url, headers=headers) is ErrorCode.NoError
    assert b"accept: a/b, c/d" in lines(server.requests[0]) and b"cookie: a=1; b=2" in lines(server.requests[0])


OMITTED = ("User-Agent", "Accept-Encoding", "Accept-Language", "Content-Type", "Connection")


@pytest.mark.parametrize("name", OMITTED)
def test_none_removes_a_default_header(name: str, serve: Serve) -> None:
    server = serve(always())
    blocking = BlockingNetworkRequest()
    for url in (server.url, QtCore.QUrl(server.url), QtNetwork.QNetworkRequest(QtCore.QUrl(server.url))):
        assert blocking.post(url, b"a=b", headers={name: None}) is ErrorCode.NoError
        assert name.lower().encode() not in names(server.requests[-1])
    blocking.setEngine("qt")
    assert blocking.post(server.url, b"a=b", headers={name: None}) is ErrorCode.NetworkError
    assert f"Qt adds {name.lower()} to a request without it" in blocking.errorMessage()
    assert len(server.requests) == 3


def test_removed_header_stays_removed_after_a_redirect(serve: Serve) -> None:
    server = serve(always(status="200 OK"))
    first = serve(always(status="302 Found", headers=f"Location: {server.url}/to\r\n"))
    assert BlockingNetworkRequest().get(first.url, headers={"User-Agent": None}) is ErrorCode.NoError
    assert b"user-agent" not in names(server.requests[0]) + names(first.requests[0])


def test_content_type_of_forms(blocking: BlockingNetworkRequest, serve: Serve) -> None:
    server = serve(always())
    own = {"Content-Type": "x/y"}
    blocking.post(server.url, json=[1], headers=own)
    blocking.post(server.url, form={"a": "b"}, headers=own)
    blocking.post(server.url, files={"a": b"b"}, headers=own)
    blocking.post(server.url, form={"a": "b"})
    request = QtNetwork.QNetworkRequest(QtCore.QUrl(server.url))
    request.setRawHeader(b"Content-Type", b"of/request")
    blocking.post(request, json=[1])
    found = [next(line for line in lines(sent) if line.startswith(b"content-type")) for sent in server.requests]
    assert found[0] == found[1] == b"content-type: x/y"
    assert found[2].startswith(b"content-type: multipart/form-data; boundary=")
    assert found[3] == b"content-type: application/x-www-form-urlencoded"
    assert found[4] == b"content-type: of/request"


def test_secret_headers_are_not_sent_to_another_origin(blocking: BlockingNetworkRequest, serve: Serve) -> None:
    server = serve(always())
    first = serve(always(status="302 Found", headers=f"Location: {server.url}/to\r\n"))
    headers = {"Authorization": "Bearer secret", "X-Other": "1"}
    assert blocking.get(first.url, headers=headers) is ErrorCode.NoError
    assert b"authorization: Bearer secret" in lines(first.requests[0])
    assert b"authorization" not in names(server.requests[0]) and b"x-other: 1" in lines(server.requests[0])
    assert "secret" not in repr(call_arguments(headers, None))


def test_invalid_headers_are_not_sent(blocking: BlockingNetworkRequest, serve: Serve) -> None:
    server = serve(always())
    for headers in ({"X": "a\r\nY: b"}, {"X: a\r\nY": "b"}, {"": "a"}, {"X": "a\0"}):
        assert blocking.get(server.url, headers=headers) is ErrorCode.NetworkError
    assert server.connections == 0


def test_framing_headers_are_ignored(blocking: BlockingNetworkRequest, serve: Serve) -> None:
    server = serve(always())
    headers = {"Content-Length": "1000", "Transfer-Encoding": "chunked"}
    assert blocking.post(server.url, b"abc", headers=headers) is ErrorCode.NoError
    assert b"content-length: 3" in lines(server.requests[0])
    assert b"transfer-encoding" not in names(server.requests[0])


@pytest.mark.parametrize(
    "url",
    [
        "http://h/p",
        "http://h/p?",
        "http://h/p?x=1",
        "http://h/p?x=1&",
        "http://h/p?x=a?",
        "http://h/ü%zz p?x#f?",
        "http://h#a",
    ],
)
def test_params_are_appended_to_the_query(url: str) -> None:
    query = encoded_params({"a": "1 %", "b": "ü?&"})
    assert query == "a=1+%25&b=%C3%BC%3F%26"
    for given in (url, QtCore.QUrl(url), QtNetwork.QNetworkRequest(QtCore.QUrl(url))):
        made: Any = with_query(given, query)
        made = made.url() if isinstance(made, QtNetwork.QNetworkRequest) else QtCore.QUrl(made)
        before = QtCore.QUrl(url)
        encoded = QtCore.QUrl.ComponentFormattingOption.FullyEncoded
        old = before.query(encoded)
        assert made.query(encoded) == (old.rstrip("&") + "&" if old else "") + query
        assert (made.path(encoded), made.fragment()) == (before.path(encoded), before.fragment())
        assert with_query(given, "") is given


@pytest.mark.parametrize("url", ["http://[bad/", "http://h:99999/"])
def test_error_of_an_invalid_url_contains_it(url: str, blocking: BlockingNetworkRequest) -> None:
    request = QtNetwork.QNetworkRequest(QtCore.QUrl("http://host:x/"))
    assert with_query(request, "a=1") is request
    for params in (None, {"a": "1"}):
        assert blocking.get(url, params=params) is ErrorCode.NetworkError
        assert url in blocking.errorMessage()


def test_params_of_bytes() -> None:
    values = (b"\xc3\xa4", bytearray(b"\xc3\xa4"), QtCore.QByteArray(b"\xc3\xa4"))
    for value in (*values, *([each] for each in values)):
        assert encoded_params({"a": value}) == "a=%C3%A4"
    assert encoded_params([(QtCore.QByteArray(b"a"), 1)]) == "a=1"


@pytest.mark.parametrize("name", ["Content-Type", "authorization", "Host"])
def test_repeated_singleton_header(name: str) -> None:
    with pytest.raises(ValueError, match=f"the header {name.upper()} is given twice, and it can have one value only"):
        call_arguments([(name, "a"), (name.upper(), "b")], None)


def test_lone_surrogates() -> None:
    with pytest.raises(ValueError, match="the value of a header holds half a character"):
        call_arguments({"A": "\udc80"}, None)
    with pytest.raises(ValueError, match="the name of a header holds half a character"):
        call_arguments({"\udc80": "a"}, None)
    with pytest.raises(ValueError, match="params holds half a character"):
        encoded_params({"a": "\udc80"})


def test_params_as_pairs_and_none() -> None:
    assert encoded_params([("a", 1), ("a", 2), ("b", b"\xff")]) == "a=1&a=2&b=%FF"
    assert encoded_params(None) == encoded_params({}) == encoded_params({"a": None, "b": []}) == ""


@pytest.mark.parametrize(
    ("more", "error"),
    [
        ({"headers": "X: 1"}, r"headers is a mapping, or pairs .*; not str"),
        ({"headers": 5}, "headers is a mapping, or pairs .*; not int"),
        ({"headers": ["X: 1"]}, "headers is a mapping, or pairs .*; one of them is not such a pair"),
        ({"headers": {1: "a"}}, "headers is a mapping"),
        ({"headers": {"X": 5}}, r"the value of a header is a str or bytes, not int: write str\(value\)"),
        ({"params": "a=b"}, "params is a mapping, or pairs .*; not str"),
        ({"params": [1]}, "params is a mapping"),
        ({"timeout": 1.5}, "timeout must be a whole number of milliseconds, not float"),
    ],
)
def test_arguments_of_wrong_types(more: dict[str, Any], error: str, manager: NetworkAccessManager) -> None:
    blocking = BlockingNetworkRequest(manager)
    for send in (
        lambda: blocking.get("http://h/", **more),
        lambda: blocking.sendCustomRequest("http://h/", "X", **more),
        lambda: blocking.download("http://h/", "file", **more),
        lambda: blocking.stream("http://h/", **more),
        lambda: manager.getMany([], **more),
    ):
        with pytest.raises(TypeError, match=error):
            send()


def test_secret_headers_are_not_remembered(
    manager: NetworkAccessManager, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only the fields that most requests share are remembered."""
    remembered: list[Pairs] = []
    prototype = qt_request._prototype
    monkeypatch.setattr(qt_request, "_prototype", lambda fields: [remembered.append(fields), prototype(fields)][1])  # type: ignore[func-returns-value]
    url = serve(always()).url
    headers = {"User-Agent": None, "Accept-Encoding": None, "X-Api-Key": "a secret"}
    BlockingNetworkRequest(manager).get(url, headers=headers)  # Qt refuses it: it adds an Accept-Encoding of its own  # type: ignore[arg-type]
    remembered += request_check._sound_defaults
    manager.setDefaultHeaders({"X-Api-Key": "a secret", "User-Agent": "u"})
    assert BlockingNetworkRequest(manager).get(url) is ErrorCode.NoError
    remembered += request_check._sound_defaults
    assert all(are_defaults(fields) for fields in remembered)
