"""QHttpHeaders (Qt 6.7 and newer), in a QNetworkRequest and as an argument, and requests of a QNetworkRequestFactory."""

from __future__ import annotations

from typing import Any

import pytest

from blocking_request import BlockingNetworkRequest, ErrorCode, NetworkAccessManager
from blocking_request.qt.binding import QT_VERSION, QtCore, QtNetwork

from ..support.names import NET, OK, REQUEST, Attribute, Serve
from ..support.servers.raw import RawServer, always, asking, echo, silence

QHttpHeaders: Any = getattr(QtNetwork, "QHttpHeaders", None)
QNetworkRequestFactory: Any = getattr(QtNetwork, "QNetworkRequestFactory", None)

needs_headers = pytest.mark.skipif(QT_VERSION < (6, 8), reason="requests have QHttpHeaders since Qt 6.8")
needs_factory = pytest.mark.skipif(QNetworkRequestFactory is None, reason="this Qt has no QNetworkRequestFactory")


def headers_with(*pairs: tuple[str, str]) -> Any:
    headers = QHttpHeaders()
    for name, value in pairs:
        assert headers.append(name, value)
    return headers


def request_with(server: RawServer, *pairs: tuple[str, str]) -> Any:
    request: Any = REQUEST(QtCore.QUrl(server.url))
    request.setHeaders(headers_with(*pairs))
    return request


REPEATED = (("X-Many", "one"), ("x-many", "two"), ("Cookie", "a=1"), ("Cookie", "b=2"))


@needs_headers
def test_repeated_fields_are_sent_as_one(serve: Serve, blocking: BlockingNetworkRequest) -> None:
    assert blocking.get(request_with(serve(echo), *REPEATED)) is OK
    lines = blocking.reply().text().lower().split("\r\n")
    assert "x-many: one, two" in lines and "cookie: a=1; b=2" in lines


@needs_headers
def test_headers_argument(serve: Serve, blocking: BlockingNetworkRequest) -> None:
    request = request_with(serve(echo), ("X-Many", "of the request"), ("X-Other", "1"))
    headers = headers_with(*REPEATED, ("User-Agent", ""))
    assert blocking.get(request, headers=headers) is OK
    lines = blocking.reply().text().lower().split("\r\n")
    assert "x-many: one, two" in lines and "cookie: a=1; b=2" in lines and "x-other: 1" in lines
    assert headers.size() == 5, "the caller's object is not changed"
    assert list(request.headers().toListOfPairs()[0]) == [QtCore.QByteArray(b"x-many"), b"of the request"]


@needs_headers
def test_batch_with_headers(serve: Serve, manager: NetworkAccessManager) -> None:
    url = serve(echo).url
    for _, code, reply in manager.getMany([url, url], headers=headers_with(*REPEATED)):
        assert code is OK and "\r\nx-many: one, two\r\n" in reply.text().lower()


@needs_headers
def test_field_with_one_value_given_twice(serve: Serve, blocking: BlockingNetworkRequest) -> None:
    server = serve(echo)
    pairs = (("Authorization", "Bearer s3cret-one"), ("Authorization", "Bearer s3cret-two"))
    assert blocking.get(request_with(server, *pairs)) is NET
    assert "The header authorization is given twice, and it can have one value only" in blocking.errorMessage()
    with pytest.raises(ValueError, match=r"the header authorization is given twice") as caught:
        blocking.get(server.url, headers=headers_with(*pairs))
    assert "s3cret" not in blocking.errorMessage() + str(caught.value)
    assert server.requests == []


@needs_headers
def test_headers_of_reply_stay_a_mapping(serve: Serve, blocking: BlockingNetworkRequest) -> None:
    server = serve(always(headers="X-Many: one\r\nX-Many: two\r\n"))
    assert blocking.get(request_with(server, ("X-A", "1"))) is OK
    assert blocking.reply().headers.getlist("x-many") == ("one", "two")
    assert blocking.reply().request().headers().values("x-a") == [b"1"]  # type: ignore[attr-defined]


# -- QNetworkRequestFactory


def factory_for(server: RawServer) -> Any:
    return QNetworkRequestFactory(QtCore.QUrl(f"{server.url}/base"))


@needs_factory
def test_request_of_factory(serve: Serve, blocking: BlockingNetworkRequest) -> None:
    factory = factory_for(serve(echo))
    factory.setCommonHeaders(headers_with(("X-Common", "1")))
    factory.setBearerToken(b"t0ken")
    query = QtCore.QUrlQuery()
    query.addQueryItem("of", "all")
    factory.setQueryParameters(query)
    own = QtCore.QUrlQuery()
    own.addQueryItem("of", "one")
    factory.setPriority(REQUEST.Priority.HighPriority)
    factory.setAttribute(Attribute.User, "kept")
    assert blocking.get(factory.createRequest("path", own)) is OK
    lines = blocking.reply().text().lower().split("\r\n")
    assert lines[0].startswith("get /base/path?") and "of=all" in lines[0] and "of=one" in lines[0]
    assert "x-common: 1" in lines and "authorization: bearer t0ken" in lines
    sent = blocking.reply().request()
    assert sent.attribute(Attribute.User) == "kept" and sent.priority() == REQUEST.Priority.HighPriority


@needs_factory
def test_user_and_password_of_factory(serve: Serve, blocking: BlockingNetworkRequest) -> None:
    """They are in the URL, as Qt puts them there, and are sent at once."""
    server = serve(asking('Basic realm="r"'))
    factory = factory_for(server)
    factory.setUserName("ann@example.org")
    factory.setPassword("p:s3cret/%")
    assert blocking.get(factory.createRequest("path")) is OK
    assert blocking.reply().body == b"welcome" and len(server.requests) == 1
    assert b"Basic YW5uQGV4YW1wbGUub3JnOnA6czNjcmV0LyU=" in server.requests[0]
    assert b"s3cret" not in server.requests[0]
    assert "s3cret" not in blocking.reply().url().toString()


@needs_factory
def test_token_of_factory_stays_at_its_origin(serve: Serve, blocking: BlockingNetworkRequest) -> None:
    other = serve(always(b"other"))
    server = serve(always(status="302 Found", headers=f"Location: {other.url}/\r\n"))
    factory = factory_for(server)
    factory.setBearerToken(b"t0ken")
    factory.setUserName("ann")
    factory.setPassword("s3cret")
    assert blocking.get(factory.createRequest()) is OK
    assert b"authorization" in server.requests[0].lower() and b"authorization" not in other.requests[0].lower()
    assert b"Bearer t0ken" in server.requests[0], "the token takes precedence, as in Qt"


@needs_factory
def test_timeout_of_factory(serve: Serve, blocking: BlockingNetworkRequest) -> None:
    factory = factory_for(serve(silence))
    factory.setTransferTimeout(100)
    blocking.setTimeout(0)
    assert blocking.get(factory.createRequest()) is ErrorCode.TimeoutError
    assert "100 ms" in blocking.errorMessage()
