"""A response that Qt could not read is read by the python engine, if the request may be sent again."""

from __future__ import annotations

import pytest

from blocking_request import BlockingNetworkRequest, NetworkAccessManager
from blocking_request.flows.fallback import send_to_be_read
from blocking_request.models.error_texts import canceled
from blocking_request.models.http_messages import ConnectionCredentials, Request, Response

from ..support.names import NET, OK, Serve
from ..support.servers.raw import once, silence

URL = "http://host.example/"


def sent_twice(request: Request) -> bool:
    """Drive the flow with a response that Qt could not read."""
    flow = send_to_be_read(request)
    assert next(flow) == request
    try:
        second = flow.send(Response(request, 200, failure=canceled(), engine="qt", is_unreadable=True))
    except StopIteration as end:
        assert end.value.is_unreadable
        return False
    assert second == request._replace(avoids_qt=True)
    with pytest.raises(StopIteration) as stop:
        flow.send(Response(second, 200, body=b"hi", engine="python"))  # type: ignore[arg-type]
    assert stop.value.value == Response(request, 200, body=b"hi", engine="python")
    return True


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "PUT", "DELETE", "TRACE"])
def test_idempotent_methods(method: str) -> None:
    """RFC 9110 section 9.2.2."""
    assert sent_twice(Request(method, URL))


@pytest.mark.parametrize(
    "request_",
    [
        Request("POST", URL),
        Request("PATCH", URL),
        Request("PUT", URL, body=b"x"),
        Request("GET", URL, qgis=True),
        Request("GET", URL, connection_credentials=ConnectionCredentials("u", "p")),
    ],
)
def test_requests_that_are_not_sent_again(request_: Request) -> None:
    assert not sent_twice(request_)


def test_readable_response() -> None:
    flow = send_to_be_read(Request("GET", URL))
    request = next(flow)
    with pytest.raises(StopIteration) as stop:
        flow.send(Response(request, 200))  # type: ignore[arg-type]
    assert stop.value.value.status == 200


OK_LINE = b"HTTP/1.1 200 OK\r\n"

RESPONSES = {
    "length of 0 beside chunks": OK_LINE
    + b"Content-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    "no field": OK_LINE + b"\r\nhello",
    "line without a colon": OK_LINE + b"PHP Warning\r\nContent-Length: 5\r\n\r\nhello",
    "line of PHP": OK_LINE + b"X-Good: 1\r\nPHP Warning:  x\r\nContent-Length: 5\r\n\r\nhello",
    "blank in a name": OK_LINE + b"X-Odd : 1\r\nContent-Length: 5\r\n\r\nhello",
    "brackets in a name": OK_LINE + b"X[a]: 1\r\nContent-Length: 5\r\n\r\nhello",
    "name outside ASCII": OK_LINE + b"X-\xc3\x96: 1\r\nContent-Length: 5\r\n\r\nhello",
    "many lines": OK_LINE + b"".join(b"X-%d: 1\r\n" % n for n in range(150)) + b"Content-Length: 5\r\n\r\nhello",
    "two blanks": b"HTTP/1.1  200 OK\r\nContent-Length: 5\r\n\r\nhello",
    "interim status 102": b"HTTP/1.1 102 Wait\r\n\r\n" + OK_LINE + b"Content-Length: 5\r\n\r\nhello",
}


@pytest.mark.parametrize("name", RESPONSES)
def test_response_that_qt_cannot_read(name: str, serve: Serve) -> None:
    server = serve(once(RESPONSES[name]))
    request = BlockingNetworkRequest(NetworkAccessManager())
    request.setTimeout(5_000)
    if name == "line without a colon":  # an error on both engines, as in curl
        assert request.get(server.url) is NET and "without a colon" in request.errorMessage()
        return
    assert request.get(server.url) is OK, request.errorMessage()
    assert request.reply().body == b"hello" and bytes(request.reply().url().toEncoded()).decode() == server.url


@pytest.mark.parametrize(
    ("raw", "status"),
    [(b"HTTP/1.1 204 No Content\r\n\r\n", 204), (b"HTTP/1.1 404 X\r\n\r\n", 404), (b"HTTP/1.1 304 X\r\n\r\n", 304)],
)
def test_status_without_any_field(raw: bytes, status: int, blocking: BlockingNetworkRequest, serve: Serve) -> None:
    """Nothing can have been lost that the outcome depends on."""
    code = blocking.get(serve(once(raw)).url)
    assert (code.name, blocking.reply().statusCode()) == (
        "ServerExceptionError" if status == 404 else "NoError",
        status,
    )


def test_response_that_is_not_http(serve: Serve) -> None:
    request = BlockingNetworkRequest(NetworkAccessManager())
    assert request.get(serve(once(b"SSH-2.0-OpenSSH_9.2\r\n")).url) is NET
    assert "it begins with 'SSH-2.0-OpenSSH_9.2'" in request.errorMessage()


def test_canceled_request_is_not_sent_again(serve: Serve) -> None:
    server = serve(silence)
    request = BlockingNetworkRequest(NetworkAccessManager())
    request.setTimeout(300)
    assert request.get(server.url).name == "TimeoutError"
    assert len(server.requests) <= 1


def test_pinned_engine_sends_once(serve: Serve) -> None:
    server = serve(once(RESPONSES["length of 0 beside chunks"]))
    manager = NetworkAccessManager()
    manager.setEngine("qt")
    request = BlockingNetworkRequest(manager)
    assert request.get(server.url) is NET
    assert "Qt reads no body if the header has Transfer-Encoding and a Content-Length of 0" in request.errorMessage()
